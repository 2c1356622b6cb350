// Opting out up to 10,000 recipients at once. A bad entry is named and does not stop the others.
#include "optouts.h"

struct bulk {
	struct choice *choices;
	size_t count;
	struct json_writer errors; // on a buffer of its own, written as the entries are read
};

static void bulk_refuse(struct bulk *bulk, size_t index, const char *message)
{
	json_open_object(&bulk->errors);
	json_member_integer(&bulk->errors, "index", (int64_t)index);
	json_member_text(&bulk->errors, "message", slice_of(message));
	json_close_object(&bulk->errors);
}

static const char *entry_fault(const struct json *entry)
{
	const struct json *category = json_get(entry, "category"), *value;
	struct slice name;
	void *cursor = NULL;
	if (!json_is_object(entry))
		return "has to be an object with an identifier";
	while (json_next(entry, &cursor, &name, &value)) {
		if (!slice_equal(name, SLICE("identifier")) && !slice_equal(name, SLICE("category")))
			return "has a member that is neither identifier nor category";
	}
	return category != NULL && !json_is_text(category) ? "category has to be text" : NULL;
}

static const struct category *find_category(const struct category_list *list, struct slice key)
{
	if (slice_equal(key, category_all.key))
		return &category_all;
	return slice_equal(key, category_complaint.key) ? &category_complaint : category_find(list, key);
}

static void bulk_read_entry(struct request *request, struct bulk *bulk, const struct category_list *list,
                            struct slice otherwise, const struct json *entry, size_t index)
{
	const char *fault = entry_fault(entry);
	const struct json *key = json_get(entry, "category");
	const struct category *category = find_category(list, key != NULL ? json_text(key) : otherwise);
	struct slice recipient;
	if (fault == NULL && category == NULL)
		fault = "there is no such category";
	if (fault == NULL && !recipient_read(request->arena, json_text(json_get(entry, "identifier")), &recipient))
		fault = "identifier " IDENTIFIER_RULE;
	if (fault != NULL) {
		bulk_refuse(bulk, index, fault);
		return;
	}
	bulk->choices[bulk->count++] =
		(struct choice){.recipient = recipient, .category = category, .value = CHOICE_OUT};
}

static enum result bulk_read(struct request *request, struct bulk *bulk)
{
	const struct json *entries = json_get(request->body, "opt_outs");
	struct slice otherwise = json_text(json_get(request->body, "category"));
	struct buffer *errors = buffer_new(request->arena, ANSWER_LIMIT);
	struct category_list list;
	TRY(category_list_load(request->store, request->arena, request_project(request), &list));
	if (slice_is_empty(otherwise))
		otherwise = category_all.key;
	if (find_category(&list, otherwise) == NULL)
		return refuse(request, RESULT_NOT_FOUND, "There is no such category.");
	*bulk = (struct bulk){.choices = arena_array(request->arena, json_count(entries) + 1, sizeof(struct choice))};
	if (bulk->choices == NULL || errors == NULL)
		return RESULT_NO_MEMORY;
	bulk->errors = json_writer_on(errors);
	json_open_array(&bulk->errors);
	for (size_t i = 0; i < json_count(entries); i++)
		bulk_read_entry(request, bulk, &list, otherwise, json_at(entries, i), i);
	json_close_array(&bulk->errors);
	return buffer_failed(errors) ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result add_many(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request);
	struct bulk bulk;
	TRY(bulk_read(request, &bulk));
	struct choice_origin origin = {
		.act = ACT_DIRECT, .source = SLICE("api"), .reference = request->id, .send_back = true};
	enum choice_outcome *outcomes = arena_array(request->arena, bulk.count + 1, sizeof(*outcomes));
	if (outcomes == NULL)
		return RESULT_NO_MEMORY;
	TRY(choices_record(request->store, request->arena, project, NULL, &origin, bulk.choices, bulk.count, outcomes));
	TRY(store_confirm(request->store, request->arena));
	int64_t changed = 0;
	for (size_t i = 0; i < bulk.count; i++)
		changed += outcomes[i] == CHOICE_CHANGED;
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_integer(out, "total", (int64_t)json_count(json_get(request->body, "opt_outs")));
	json_member_integer(out, "opted_out", changed);
	json_member_integer(out, "unchanged", (int64_t)bulk.count - changed);
	json_key(out, "errors");
	json_write_raw(out, buffer_slice(bulk.errors.buffer));
	json_close_object(out);
	return RESULT_OK;
}

static const struct field bulk_fields[] = {
	{.name = "opt_outs",
         .type = FIELD_LIST,
         .required = true,
         .maximum = BATCH_MAXIMUM,
         .help = "at most 10,000 of {identifier, category?}"},
	CATEGORY_FIELD("for entries without one; omitted: all marketing"),
};

const struct endpoint optouts_bulk = {
	.method = "POST",
	.path = "/optouts/{project}/bulk",
	.summary = "Opt many recipients out",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = BATCH_BODY_LIMIT,
	.fields = bulk_fields,
	.field_count = COUNT_OF(bulk_fields),
	.handle = add_many,
};

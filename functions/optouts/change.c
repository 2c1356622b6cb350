// Opting one recipient out, and in again. Both are direct acts: what was answered is in force.
#include "optouts.h"

static enum result record(struct request *request, const struct category *category, struct slice recipient,
                          enum choice_value value, bool *changed)
{
	struct slice project = request_project(request);
	struct category_list live = {.items = NULL};
	struct choice choice = {.recipient = recipient, .category = category, .value = value};
	struct choice_origin origin = {
		.act = ACT_DIRECT, .source = SLICE("api"), .reference = request->id, .send_back = true};
	enum choice_outcome outcome;
	// Opting in to one category while all marketing is out pins the others, so they have to be known.
	if (value == CHOICE_IN && category->type == CATEGORY_MARKETING)
		TRY(category_list_load(request->store, request->arena, project, &live));
	TRY(choices_record(request->store, request->arena, project, &live, &origin, &choice, 1, &outcome));
	TRY(store_confirm(request->store, request->arena));
	*changed = outcome == CHOICE_CHANGED;
	return RESULT_OK;
}

static enum result answer_changed(struct answer *answer, bool changed)
{
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_boolean(out, "changed", changed);
	json_close_object(out);
	return RESULT_OK;
}

static enum result add(struct request *request, struct answer *answer)
{
	const struct category *category;
	struct slice recipient;
	bool changed;
	TRY(optouts_identifier(request, json_text(json_get(request->body, "identifier")), &recipient));
	TRY(optouts_category(request, json_text(json_get(request->body, "category")), &category));
	TRY(record(request, category, recipient, CHOICE_OUT, &changed));
	return answer_changed(answer, changed);
}

static const struct field add_fields[] = {
	IDENTIFIER_FIELD,
	CATEGORY_FIELD("omitted: all marketing"),
};

const struct endpoint optouts_add = {
	.method = "POST",
	.path = "/optouts/{project}",
	.summary = "Opt a recipient out",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = SMALL_BODY_LIMIT,
	.fields = add_fields,
	.field_count = COUNT_OF(add_fields),
	.handle = add,
};

static enum result remove_one(struct request *request, struct answer *answer)
{
	const struct category *category;
	struct slice recipient;
	bool changed;
	TRY(optouts_identifier(request, request_query(request, "identifier"), &recipient));
	TRY(optouts_category(request, request_query(request, "category"), &category));
	if (category->type == CATEGORY_COMPLAINT)
		return refuse_field(request, "category",
		                    "only the recipient can lift a complaint, on the preference page");
	TRY(record(request, category, recipient, CHOICE_IN, &changed));
	return answer_changed(answer, changed);
}

static const struct field remove_query[] = {
	IDENTIFIER_FIELD,
	CATEGORY_FIELD("omitted: all marketing"),
};

const struct endpoint optouts_remove = {
	.method = "DELETE",
	.path = "/optouts/{project}",
	.summary = "Opt a recipient in. For one marketing category while all marketing is out: that one only, the "
		   "others are recorded as out.",
	.access = ROLE_ADMIN,
	.query = remove_query,
	.query_count = COUNT_OF(remove_query),
	.handle = remove_one,
};

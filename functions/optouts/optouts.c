// The opt-out list: may I send, who is out, opting out and in, and the categories.
#include "optouts.h"

#include "base/clock.h"

enum result optouts_category(struct request *request, struct slice key, const struct category **category)
{
	if (slice_is_empty(key))
		key = category_all.key;
	enum result result = category_load(request->store, request->arena, request_project(request), key, category);
	return result == RESULT_NOT_FOUND ? refuse(request, result, "There is no such category.") : result;
}

enum result optouts_identifier(struct request *request, struct slice text, struct slice *recipient)
{
	if (recipient_read(request->arena, text, recipient))
		return RESULT_OK;
	return refuse_field(request, "identifier", IDENTIFIER_RULE);
}

int64_t optouts_shown_time(int64_t made_at_ms)
{
	int64_t now = clock_now_ms();
	return made_at_ms < now ? made_at_ms : now;
}

enum result optouts_roll(struct request *request, struct roll *roll)
{
	struct slice project = request_project(request);
	TRY(category_list_load(request->store, request->arena, project, &roll->list));
	return category_list_everything(request->store, request->arena, project, &roll->list, &roll->all,
	                                &roll->count);
}

const struct category *optouts_roll_find(const struct roll *roll, struct slice key)
{
	for (size_t i = 0; i < roll->count; i++) {
		if (slice_equal(roll->all[i]->key, key))
			return roll->all[i];
	}
	return NULL;
}

bool optouts_is_jsonl(const struct request *request)
{
	return slice_equal(request_query(request, "format"), SLICE("jsonl"));
}

enum result optouts_answer_file(struct request *request, struct answer *answer, const char *name,
                                answer_producer *produce, void *context)
{
	bool jsonl = optouts_is_jsonl(request);
	struct slice project = request_project(request);
	struct slice disposition =
		arena_format(request->arena, "attachment; filename=\"%.*s-%s.%s\"", (int)project.length, project.data,
	                     name, jsonl ? "jsonl" : "csv");
	if (disposition.data == NULL)
		return RESULT_NO_MEMORY;
	answer_header(answer, "Content-Disposition", disposition);
	answer_stream(answer, 200, jsonl ? "application/jsonl" : "text/csv; charset=utf-8", produce, context);
	return RESULT_OK;
}

struct slice optouts_value(int64_t score)
{
	return score == 0 ? (struct slice){NULL, 0} : score > 0 ? SLICE("out") : SLICE("in");
}

void optouts_write_change(struct json_writer *out, const struct audit_entry *entry, struct slice identifier,
                          struct slice category, int64_t made_at_ms)
{
	json_open_object(out);
	json_member_time(out, "recorded_at", entry->recorded_at_ms);
	if (identifier.data != NULL)
		json_member_text(out, "identifier", identifier);
	json_member_text(out, "category", category);
	json_member_text(out, "old", optouts_value(entry->old_score));
	json_member_text(out, "new", optouts_value(entry->new_score));
	json_member_time(out, "made_at", made_at_ms);
	json_member_text(out, "source", entry->source);
	json_member_text(out, "reference", entry->reference);
	json_close_object(out);
}

static const struct endpoint *const endpoints[] = {
	&optouts_check_one,     &optouts_check_many,   &optouts_page,         &optouts_add,
	&optouts_remove,        &optouts_bulk,         &optouts_recipient,    &optouts_categories,
	&optouts_category_add,  &optouts_category_get, &optouts_category_edit, &optouts_export,
	&optouts_audit,         &optouts_audit_export, &optouts_verify,       &optouts_stats,
};

const struct function function = {
	.name = "optouts",
	.prefixes = "/optouts",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 16,
	.repeatable = true,
};

// GET /import/{project}: the imports, newest first.
#include "import_trigger.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAXIMUM 1000
#define CURSOR_MAXIMUM 64 // bytes

static enum result list_handle(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request), *ids, next;
	size_t limit = (size_t)request_query_integer(request, "limit", LIMIT_DEFAULT), count;
	enum result result = import_list(request->store, request->arena, project, request_query(request, "cursor"),
	                                 limit, &ids, &count, &next);
	if (result == RESULT_INVALID)
		return refuse_field(request, "cursor", "is not one of a page before");
	TRY(result);

	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_key(out, "results");
	json_open_array(out);
	for (size_t i = 0; i < count; i++) {
		result = import_write(request->store, request->arena, project, ids[i], out);
		// One that is forgotten at this moment is not listed.
		if (result != RESULT_NOT_FOUND)
			TRY(result);
	}
	json_close_array(out);
	json_member_text(out, "next_cursor", next);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field list_query[] = {
	{.name = "limit", .type = FIELD_INTEGER, .minimum = 1, .maximum = LIMIT_MAXIMUM, .help = "rows at most"},
	{.name = "cursor", .type = FIELD_TEXT, .maximum = CURSOR_MAXIMUM, .help = "next_cursor of the page before"},
};

const struct endpoint import_list_endpoint = {
	.method = "GET",
	.path = "/import/{project}",
	.summary = "The imports, newest first",
	.access = ROLE_READ,
	.body = BODY_NONE,
	.query = list_query,
	.query_count = COUNT_OF(list_query),
	.handle = list_handle,
};

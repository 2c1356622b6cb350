// Imports: starting one, what becomes of them, what was wrong in them, cancelling one and taking it back.
#include "import_trigger.h"

enum result import_named(const struct request *request, struct slice *id)
{
	*id = request_parameter(request, "id");
	return import_id_is_valid(*id) ? RESULT_OK : RESULT_NOT_FOUND;
}

enum result import_answer_location(struct request *request, struct answer *answer, struct slice id)
{
	struct slice project = request_project(request);
	struct slice location = arena_format(request->arena, "/import/%.*s/%.*s", (int)project.length, project.data,
	                                     (int)id.length, id.data);
	if (location.data == NULL)
		return RESULT_NO_MEMORY;
	answer_header(answer, "Location", location);
	return RESULT_OK;
}

static const struct endpoint *const endpoints[] = {
	&import_start_endpoint,
	&import_cancel_endpoint,
	&import_list_endpoint,
	&import_show_endpoint,
	&import_undo_endpoint,
	&import_errors_endpoint,
};

const struct function function = {
	.name = "import_trigger",
	.prefixes = "/import",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 2,
	.repeatable = true,
};

// Imports: what became of them, what was wrong in them, and taking one back.
#include "import_trigger.h"

enum result import_named(const struct request *request, struct slice *id)
{
	*id = request_parameter(request, "id");
	return import_id_is_valid(*id) ? RESULT_OK : RESULT_NOT_FOUND;
}

static const struct endpoint *const endpoints[] = {
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

// POST /import/{project}/{id}/undo: from the answer on nothing more of the import is recorded, and import_worker takes
// back what it had changed. The import says when that is done.
#include "import_trigger.h"

static enum result undo_handle(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request), id;
	TRY(import_named(request, &id));
	enum result result = import_ask_undo(request->store, request->arena, project, id);
	if (result == RESULT_CONFLICT)
		return refuse(request, result, "This import is undone, or being undone, already.");
	TRY(result);
	TRY(import_answer_location(request, answer, id));
	return import_write(request->store, request->arena, project, id, answer_json(answer, 202));
}

const struct endpoint import_undo_endpoint = {
	.method = "POST",
	.path = "/import/{project}/{id}/undo",
	.summary = "Take an import back: where nothing newer has come, each choice is again what it was",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = 1024,
	.handle = undo_handle,
};

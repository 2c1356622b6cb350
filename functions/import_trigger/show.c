// GET /import/{project}/{id}: one import, while it runs and afterwards.
#include "import_trigger.h"

static enum result show_handle(struct request *request, struct answer *answer)
{
	struct slice id;
	TRY(import_named(request, &id));
	return import_write(request->store, request->arena, request_project(request), id, answer_json(answer, 200));
}

const struct endpoint import_show_endpoint = {
	.method = "GET",
	.path = "/import/{project}/{id}",
	.summary = "One import: how far it is and what came of it",
	.access = ROLE_READ,
	.body = BODY_NONE,
	.handle = show_handle,
};

// POST /import/{project}: an import from Customer.io's App API, which import_worker runs.
#include "import_trigger.h"

#include "consent/import_run.h"
#include "project/connection.h"

static enum result start_check_connection(struct request *request)
{
	struct connection connection;
	struct slice project = request_project(request);
	TRY(connection_load(request->store, request->arena, project, CONNECTION_APP, &connection));
	enum result result = connection_open(request->arena, project, request->config->master_key, &connection);
	if (result == RESULT_OK)
		return RESULT_OK;
	if (result == RESULT_NOT_FOUND)
		return refuse(request, RESULT_INVALID, "There is no App API key yet: PUT /settings/{project}/app.");
	return result == RESULT_UNAVAILABLE
	               ? refuse(request, RESULT_INVALID, "The App API key cannot be opened: PUT it again.")
	               : result;
}

static enum result start_refuse(struct request *request, struct slice id)
{
	struct slice detail = arena_format(request->arena, "Import %.*s is under way.", (int)id.length, id.data);
	return refuse(request, RESULT_CONFLICT, detail.data != NULL ? detail.data : "An import is under way.");
}

static enum result start_handle(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request), id;
	int64_t now_ms;
	TRY(start_check_connection(request));
	TRY(store_time_ms(request->store, request->arena, &now_ms));
	enum result result = import_ask(request->store, request->arena, project, now_ms, &id);
	if (result == RESULT_CONFLICT)
		return start_refuse(request, id);
	TRY(result);
	TRY(import_answer_location(request, answer, id));
	struct json_writer *out = answer_json(answer, 202);
	json_open_object(out);
	json_member_text(out, "id", id);
	json_member_text(out, "status", slice_of(import_status_name(IMPORT_QUEUED)));
	json_close_object(out);
	return RESULT_OK;
}

const struct endpoint import_start_endpoint = {
	.method = "POST",
	.path = "/import/{project}",
	.summary = "Import topics, unsubscribed people and their preferences from Customer.io. One at a time",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = 1024,
	.handle = start_handle,
};

// DELETE /import/{project}/{id}: nothing more of it is recorded from the answer on.
static enum result cancel_handle(struct request *request, struct answer *answer)
{
	struct slice id;
	int64_t now_ms;
	TRY(import_named(request, &id));
	TRY(store_time_ms(request->store, request->arena, &now_ms));
	enum result result = import_cancel(request->store, request->arena, request_project(request), id, now_ms);
	if (result == RESULT_CONFLICT)
		return refuse(request, result, "This import has ended already, or is being undone.");
	TRY(result);
	answer_empty(answer, 204);
	return RESULT_OK;
}

const struct endpoint import_cancel_endpoint = {
	.method = "DELETE",
	.path = "/import/{project}/{id}",
	.summary = "Cancel an import; what it has recorded stays until it is undone",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = cancel_handle,
};

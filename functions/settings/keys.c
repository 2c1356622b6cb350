// API keys of a project: making, listing and revoking them.
//
// The answer to POST is the only time that a key is shown; Redis holds its digest. A revoked key is worth nothing from
// the next request on.
#include "project/api_key.h"
#include "settings.h"

static enum result keys_handle_create(struct request *request, struct answer *answer)
{
	struct slice label = json_text(json_get(request->body, "label"));
	enum role role;

	if (!role_from_name(json_text(json_get(request->body, "role")), &role))
		return refuse_field(request, "role", "is not known");
	enum result result = api_key_create(request->store, request->arena, request_project(request), role, label,
	                                    answer_json(answer, 201));
	if (result == RESULT_LIMITED)
		return refuse(request, result, "The project has as many keys as it may have. Revoke some.");
	return result;
}

static enum result keys_handle_list(struct request *request, struct answer *answer)
{
	struct json_writer *out = answer_json(answer, 200);

	json_open_object(out);
	json_key(out, "results");
	TRY(api_key_list(request->store, request->arena, request_project(request), out));
	json_key(out, "next_cursor");
	json_write_null(out);
	json_close_object(out);
	return RESULT_OK;
}

static enum result keys_handle_delete(struct request *request, struct answer *answer)
{
	TRY(api_key_delete(request->store, request->arena, request_project(request), request_parameter(request, "id")));
	answer_empty(answer, 204);
	return RESULT_OK;
}

static const struct field create_fields[] = {
	{"role", FIELD_CHOICE, .required = true, .choices = "admin read ingest ingest_secret",
	 .help = "What the key may do"},
	{"label", FIELD_TEXT, .maximum = API_KEY_LABEL_MAXIMUM, .help = "Whose key it is"},
};

const struct endpoint keys_create = {
	.method = "POST",
	.path = "/settings/{project}/keys",
	.summary = "Make an API key",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = SETTINGS_BODY_LIMIT,
	.fields = FIELDS(create_fields),
	.handle = keys_handle_create,
};

const struct endpoint keys_list = {
	.method = "GET",
	.path = "/settings/{project}/keys",
	.summary = "List the API keys, without the keys themselves",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = keys_handle_list,
};

const struct endpoint keys_delete = {
	.method = "DELETE",
	.path = "/settings/{project}/keys/{id}",
	.summary = "Revoke an API key",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = keys_handle_delete,
};

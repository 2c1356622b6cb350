// Projects: making, naming, listing, showing and removing them.
//
// PUT and PATCH /settings/{project} make a project or change its name (root). GET /settings lists those that the key
// may see. GET /settings/{project} shows every section, never a secret. DELETE removes the project with all it holds;
// the query has to repeat the name, since nothing brings it back.
#include "project/project.h"
#include "project/webhook_settings.h"

#include "connection.h"

#define APPFUNNEL_NONE SLICE("{\"enabled\":false,\"to\":\"pipelines\",\"consent\":false,\"secrets\":[]}")

static void project_write(struct slice slug, struct slice name, struct json_writer *out)
{
	json_open_object(out);
	json_member_text(out, "project", slug);
	json_member_text(out, "name", name);
	json_close_object(out);
}

// A project that is being removed is still listed but not there.
static enum result project_write_if_there(struct request *request, struct slice slug, struct json_writer *out)
{
	struct slice name;
	enum result result = project_get(request->store, request->arena, slug, &name);

	if (result == RESULT_OK)
		project_write(slug, name, out);
	return result == RESULT_NOT_FOUND ? RESULT_OK : result;
}

static enum result projects_handle_list(struct request *request, struct answer *answer)
{
	struct slice *slugs = &request->caller.project;
	size_t count = 1;

	if (request->caller.role == ROLE_ROOT)
		TRY(project_list(request->store, request->arena, &slugs, &count));
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_key(out, "results");
	json_open_array(out);
	for (size_t i = 0; i < count; i++)
		TRY(project_write_if_there(request, slugs[i], out));
	json_close_array(out);
	json_key(out, "next_cursor");
	json_write_null(out);
	json_close_object(out);
	return RESULT_OK;
}

static void section_write(struct json_writer *out, const char *name, struct slice json)
{
	json_key(out, name);
	json_write_raw(out, json);
}

static enum result projects_handle_get(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request), name;

	TRY(project_get(request->store, request->arena, project, &name));
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_text(out, "project", project);
	json_member_text(out, "name", name);
	json_key(out, "app");
	TRY(connection_show(request, CONNECTION_APP, out));
	json_key(out, "webhook");
	TRY(webhook_settings_write(request->store, request->arena, project, request->config->public_url, out));
	json_key(out, "track");
	TRY(connection_show(request, CONNECTION_TRACK, out));
	json_key(out, "pipelines");
	TRY(connection_show(request, CONNECTION_PIPELINES, out));
	section_write(out, "appfunnel", APPFUNNEL_NONE);
	section_write(out, "destination", SLICE("null"));
	section_write(out, "page", SLICE("null"));
	json_close_object(out);
	return RESULT_OK;
}

static enum result projects_handle_put(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request), name = {NULL, 0};
	const struct json *wanted = json_get(request->body, "name");
	bool created;

	if (!project_slug_is_valid(project))
		return refuse_field(request, "project", "has to be 1 to 40 of a-z, 0-9 and -, and not begin with -");
	if (wanted != NULL)
		name = json_text(wanted);
	TRY(project_put(request->store, request->arena, project, name, &created));
	TRY(project_get(request->store, request->arena, project, &name));
	project_write(project, name, answer_json(answer, created ? 201 : 200));
	return RESULT_OK;
}

static enum result projects_handle_delete(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request);

	if (!slice_equal(request_query(request, "confirm"), project))
		return refuse_field(request, "confirm", "has to repeat the project's slug");
	TRY(project_delete(request->store, request->arena, project));
	answer_empty(answer, 204);
	return RESULT_OK;
}

static const struct field put_fields[] = {
	{"name", FIELD_TEXT, .minimum = 1, .maximum = PROJECT_NAME_MAXIMUM, .help = "For people. Default: the slug"},
};

static const struct field delete_query[] = {
	{"confirm", FIELD_TEXT, .required = true, .minimum = 1, .maximum = PROJECT_SLUG_MAXIMUM,
	 .help = "The slug once more"},
};

const struct endpoint projects_list = {
	.method = "GET",
	.path = "/settings",
	.summary = "List the projects that the key may see",
	.access = ROLE_READ,
	.body = BODY_NONE,
	.handle = projects_handle_list,
};

const struct endpoint projects_get = {
	.method = "GET",
	.path = "/settings/{project}",
	.summary = "Show all settings of a project",
	.access = ROLE_READ,
	.body = BODY_NONE,
	.handle = projects_handle_get,
};

#define PROJECTS_CHANGE(verb)                                                                                      \
	{                                                                                                          \
		.method = (verb), .path = "/settings/{project}", .summary = "Make a project or change its name",   \
		.access = ROLE_ROOT, .body = BODY_JSON, .body_limit = SETTINGS_BODY_LIMIT,                         \
		.fields = FIELDS(put_fields), .handle = projects_handle_put,                                       \
	}
const struct endpoint projects_put = PROJECTS_CHANGE("PUT");
const struct endpoint projects_patch = PROJECTS_CHANGE("PATCH");

const struct endpoint projects_delete = {
	.method = "DELETE",
	.path = "/settings/{project}",
	.summary = "Remove a project with all it holds",
	.access = ROLE_ROOT,
	.body = BODY_NONE,
	.query = FIELDS(delete_query),
	.handle = projects_handle_delete,
};

// The app section: the App API key, by which imports and look-ups ask Customer.io.
//
// PUT and PATCH try the key by reading the subscription topics. Region "auto", which is the default, finds the account
// and stores where it is. DELETE forgets the key; opt-outs and categories stay.
#include "customerio/app_api.h"

#include "connection.h"

static enum result app_try(struct request *request, struct http_client *http, const struct connection *connection,
                           enum region wanted, enum region *found, struct slice *sentence)
{
	struct app_api api = {
		.http = http,
		.store = request->store,
		.config = request->config,
		.project = request_project(request),
		.key = connection->secret,
		.region = wanted,
		.effort = &app_effort_of_request,
	};
	enum result result = app_api_check(&api, request->arena, found);

	*sentence = api.fault;
	return result;
}

static const struct connection_section section = {CONNECTION_APP, "api_key", app_try};

static enum result app_handle_put(struct request *request, struct answer *answer)
{
	return connection_change(request, answer, &section);
}

static enum result app_handle_delete(struct request *request, struct answer *answer)
{
	return connection_forget(request, answer, CONNECTION_APP);
}

static const struct field put_fields[] = {
	{"api_key", FIELD_TEXT, .minimum = 1, .maximum = CONNECTION_TEXT_MAXIMUM, .help = "An App API key"},
	{"region", FIELD_CHOICE, .choices = "us eu auto",
	 .help = "Where the account is. Default: where it was; at first wherever the key is accepted"},
};

#define APP_CHANGE(verb)                                                                                           \
	{                                                                                                          \
		.method = (verb), .path = "/settings/{project}/app", .summary = "Connect the App API",             \
		.access = ROLE_ADMIN, .body = BODY_JSON, .body_limit = SETTINGS_BODY_LIMIT,                        \
		.fields = FIELDS(put_fields), .handle = app_handle_put,                                            \
	}
const struct endpoint app_put = APP_CHANGE("PUT");
const struct endpoint app_patch = APP_CHANGE("PATCH");

const struct endpoint app_delete = {
	.method = "DELETE",
	.path = "/settings/{project}/app",
	.summary = "Forget the App API key",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = app_handle_delete,
};

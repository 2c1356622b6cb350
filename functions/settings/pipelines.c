// The pipelines section: the write key of a source of the Pipelines API, by which events go to Customer.io, and whether
// they go.
//
// PUT and PATCH try the key in strict mode, since otherwise every key looks good; to switch `enabled` alone asks
// nobody. DELETE forgets it.
#include "customerio/pipelines.h"

#include "connection.h"

static enum result pipelines_try(struct request *request, struct http_client *http,
                                 const struct connection *connection, enum region wanted, enum region *found,
                                 struct slice *sentence)
{
	return pipelines_check(http, request->arena, request->config, connection->secret, wanted, found, sentence);
}

static const struct connection_section section = {CONNECTION_PIPELINES, "write_key", pipelines_try};

static enum result pipelines_handle_put(struct request *request, struct answer *answer)
{
	return connection_change(request, answer, &section);
}

static enum result pipelines_handle_delete(struct request *request, struct answer *answer)
{
	return connection_forget(request, answer, CONNECTION_PIPELINES);
}

static const struct field put_fields[] = {
	{"write_key", FIELD_TEXT, .minimum = 1, .maximum = CONNECTION_TEXT_MAXIMUM, .help = "A source's API key"},
	{"region", FIELD_CHOICE, .choices = "us eu",
	 .help = "Where the account is. Default: where it was; at first wherever the key is accepted"},
	{"enabled", FIELD_BOOLEAN, .help = "Whether events are sent by it"},
};

#define PIPELINES_CHANGE(verb)                                                                                     \
	{                                                                                                          \
		.method = (verb), .path = "/settings/{project}/pipelines", .summary = "Connect the Pipelines API", \
		.access = ROLE_ADMIN, .body = BODY_JSON, .body_limit = SETTINGS_BODY_LIMIT,                        \
		.fields = FIELDS(put_fields), .handle = pipelines_handle_put,                                      \
	}
const struct endpoint pipelines_put = PIPELINES_CHANGE("PUT");
const struct endpoint pipelines_patch = PIPELINES_CHANGE("PATCH");

const struct endpoint pipelines_delete = {
	.method = "DELETE",
	.path = "/settings/{project}/pipelines",
	.summary = "Forget the Pipelines API's write key",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = pipelines_handle_delete,
};

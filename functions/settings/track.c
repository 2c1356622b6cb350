// The track section: site id and API key of the Track API, by which Customer.io is told of opt-outs made here, and
// whether it is told.
//
// PUT and PATCH try the credentials by asking for the account's region; to switch `enabled` alone asks nobody. DELETE
// forgets them; opt-outs stay.
#include "customerio/track.h"

#include "connection.h"

static enum result track_try(struct request *request, struct http_client *http, const struct connection *connection,
                             enum region wanted, enum region *found, struct slice *sentence)
{
	const struct track_credentials credentials = {connection->site_id, connection->secret};

	return track_check(http, request->arena, request->config, &credentials, wanted, found, sentence);
}

static const struct connection_section section = {CONNECTION_TRACK, "api_key", track_try};

static enum result track_handle_put(struct request *request, struct answer *answer)
{
	return connection_change(request, answer, &section);
}

static enum result track_handle_delete(struct request *request, struct answer *answer)
{
	return connection_forget(request, answer, CONNECTION_TRACK);
}

static const struct field put_fields[] = {
	{"site_id", FIELD_TEXT, .minimum = 1, .maximum = CONNECTION_TEXT_MAXIMUM, .help = "Of the workspace"},
	{"api_key", FIELD_TEXT, .minimum = 1, .maximum = CONNECTION_TEXT_MAXIMUM, .help = "A Track API key"},
	{"region", FIELD_CHOICE, .choices = "us eu",
	 .help = "Where the account is. Default: where it was; at first wherever the credentials are accepted"},
	{"enabled", FIELD_BOOLEAN, .help = "Whether Customer.io is told of opt-outs made here"},
};

#define TRACK_CHANGE(verb)                                                                                         \
	{                                                                                                          \
		.method = (verb), .path = "/settings/{project}/track", .summary = "Connect the Track API",         \
		.access = ROLE_ADMIN, .body = BODY_JSON, .body_limit = SETTINGS_BODY_LIMIT,                        \
		.fields = FIELDS(put_fields), .handle = track_handle_put,                                          \
	}
const struct endpoint track_put = TRACK_CHANGE("PUT");
const struct endpoint track_patch = TRACK_CHANGE("PATCH");

const struct endpoint track_delete = {
	.method = "DELETE",
	.path = "/settings/{project}/track",
	.summary = "Forget the Track API's credentials",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = track_handle_delete,
};

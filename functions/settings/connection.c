// Connections to Customer.io: credentials are tried first, and stored only when Customer.io accepts them.
#include "connection.h"

#include "base/clock.h"
#include "project/project.h"

#define UNSUITABLE "may hold nothing but letters, digits and signs of ASCII"
#define TRIAL_MS INT64_C(7000) // for all that one request asks; the web server waits 15 s, a stopping worker has 8 s

// What has been accepted in this request; if somebody else changes the section meanwhile it need not be asked again.
struct accepted {
	struct slice site_id, secret;
	enum region region;
};

struct attempt {
	struct request *request;
	const struct connection_section *section;
	int64_t until_us;
	struct accepted accepted; // secret.data NULL: nothing yet
};

static bool connection_is_accepted(const struct accepted *accepted, const struct connection *connection,
                                   enum region wanted)
{
	return accepted->secret.data != NULL && slice_equal(accepted->secret, connection->secret) &&
	       slice_equal(accepted->site_id, connection->site_id) &&
	       (wanted == REGION_AUTO || wanted == accepted->region);
}

static bool connection_is_visible(struct slice text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	}
	return true;
}

static enum result connection_check_complete(struct attempt *attempt, const struct connection *connection)
{
	enum result result = RESULT_OK;

	if (connection->kind == CONNECTION_TRACK && slice_is_empty(connection->site_id))
		result = refuse_field(attempt->request, "site_id", "is needed");
	else if (!connection_is_visible(connection->site_id))
		result = refuse_field(attempt->request, "site_id", UNSUITABLE);
	if (connection->secret.data == NULL)
		result = refuse_field(attempt->request, attempt->section->secret,
		                      connection->sealed.data == NULL ? "is needed" : "cannot be read; give it again");
	else if (!connection_is_visible(connection->secret))
		result = refuse_field(attempt->request, attempt->section->secret, UNSUITABLE);
	return result;
}

static enum result connection_try(struct attempt *attempt, struct connection *connection, enum region wanted)
{
	struct request *request = attempt->request;
	enum region found;
	struct slice name;

	TRY(connection_check_complete(attempt, connection));
	if (!connection_is_accepted(&attempt->accepted, connection, wanted)) {
		TRY(connection_ask(request, attempt->section, connection, wanted, attempt->until_us, &found));
		attempt->accepted = (struct accepted){connection->site_id, connection->secret, found};
	}
	connection->region = region_name(attempt->accepted.region);
	// That took its time; of a project that is gone by now nothing may stay.
	return project_get(request->store, request->arena, request_project(request), &name);
}

// None that can be opened is as good as none.
static enum result connection_load_open(struct request *request, enum connection_kind kind,
                                        struct connection *connection)
{
	struct slice project = request_project(request);

	TRY(connection_load(request->store, request->arena, project, kind, connection));
	enum result result = connection_open(request->arena, project, request->config->master_key, connection);
	return result == RESULT_NOT_FOUND || result == RESULT_UNAVAILABLE ? RESULT_OK : result;
}

static enum result connection_merge(struct attempt *attempt, struct connection *connection, enum region *wanted)
{
	struct request *request = attempt->request;
	const struct json *secret = json_get(request->body, attempt->section->secret);
	const struct json *site_id = json_get(request->body, "site_id"), *region = json_get(request->body, "region");
	const struct json *enabled = json_get(request->body, "enabled");

	if (secret != NULL)
		TRY(connection_set_secret(request->arena, request_project(request), request->config->master_key,
		                          json_text(secret), connection));
	if (site_id != NULL)
		connection->site_id = json_text(site_id);
	if (enabled != NULL)
		connection->enabled = json_is_true(enabled);
	*wanted = REGION_AUTO;
	region_parse(region != NULL ? json_text(region) : connection->region, wanted);
	return RESULT_OK;
}

static enum result connection_attempt(struct attempt *attempt)
{
	struct request *request = attempt->request;
	const struct json *enabled = json_get(request->body, "enabled");
	struct connection connection;
	enum region wanted;

	TRY(connection_load_open(request, attempt->section->kind, &connection));
	TRY(connection_merge(attempt, &connection, &wanted));
	if (json_count(request->body) > (enabled != NULL))
		TRY(connection_try(attempt, &connection, wanted));
	else if (json_is_true(enabled) && connection.secret.data == NULL)
		return refuse_field(request, "enabled", "needs credentials first");
	if (connection.sealed.data == NULL || json_count(request->body) == 0)
		return RESULT_OK; // nothing changed, or nothing to switch off
	return connection_save(request->store, request->arena, request_project(request), &connection);
}

enum result connection_change(struct request *request, struct answer *answer, const struct connection_section *section)
{
	struct attempt attempt = {
		.request = request,
		.section = section,
		.until_us = clock_monotonic_us() + TRIAL_MS * 1000,
	};
	enum result result = RESULT_CONFLICT;

	for (int tries = 0; tries < SETTINGS_TRIES && result == RESULT_CONFLICT; tries++)
		result = connection_attempt(&attempt);
	TRY(result);
	return connection_show(request, section->kind, answer_json(answer, 200));
}

enum result connection_forget(struct request *request, struct answer *answer, enum connection_kind kind)
{
	TRY(connection_delete(request->store, request->arena, request_project(request), kind));
	answer_empty(answer, 204);
	return RESULT_OK;
}

// The newest import through the App API; consent keeps its id with the project.
static enum result connection_write_last_import(struct request *request, struct json_writer *out)
{
	struct key_name key = project_key(request_project(request), "project");
	const struct reply *import;

	TRY(store_call(request->store, request->arena, &import,
	               ARGUMENTS(SLICE("HGET"), key_slice(&key), SLICE("import"))));
	json_member_text(out, "last_import", reply_text(import));
	return RESULT_OK;
}

enum result connection_show(struct request *request, enum connection_kind kind, struct json_writer *out)
{
	struct connection connection;

	TRY(connection_load_open(request, kind, &connection));
	json_open_object(out);
	connection_write(&connection, out);
	if (kind == CONNECTION_APP)
		TRY(connection_write_last_import(request, out));
	json_close_object(out);
	return RESULT_OK;
}

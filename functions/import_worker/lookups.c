// The look-ups of a project: some at a time, so that other jobs have their turn. One stays queued until Customer.io has
// answered and the answer is recorded. After a failure the project rests:
//
//   cb:{P}:lookups:rest      the connection that failed, until the rest is over; another one is tried at once
//   cb:{P}:lookups:failure   how it failed, and that connection: said once a day
#include "lookups.h"

#include "base/log.h"
#include "codec/crypt.h"
#include "edge/endpoint.h"
#include "edge/metrics.h"
#include "project/connection.h"
#include "project/project.h"
#include "question.h"

// Before Customer.io is asked, the second in which the last event happened has to be over by Customer.io's own clock,
// whichever that is: more than a second has passed since the event came and the look-up was taken.
#define SECOND_MS 1100
#define FAILURES_IN_A_ROW 3 // then it is not the person
#define REST_MS "10000"
#define REST_REFUSED_MS "60000"
#define SAID_MS "86400000"

// A look-up can wait for the next time, and other jobs wait for this one.
static const struct app_effort lookups_effort = {.tries = 3, .pause_ms = 1000, .most_ms = 30000, .timeout_ms = 10000};

struct lookups {
	struct job *job;
	struct app_api api;
	struct arena *arena;      // for one question
	struct slice connection;  // a digest of it
	enum result failure;      // the last of Customer.io's; RESULT_OK: none
	int failures;             // in a row
};

static const char *const lookups_metrics[][3] = {
#define METRICS(kind)                                                                                              \
	{"ciobridge_lookups_total{kind=\"" kind "\",status=\"done\"}",                                              \
	 "ciobridge_lookups_total{kind=\"" kind "\",status=\"unknown\"}",                                           \
	 "ciobridge_lookups_total{kind=\"" kind "\",status=\"failed\"}"}
	[LOOKUP_PREFERENCES] = METRICS("preferences"),
	[LOOKUP_ADDRESS] = METRICS("address"),
};

static void lookups_count(const struct question *question)
{
	int status = question->answer == RESULT_OK ? 0 : question->answer == RESULT_NOT_FOUND ? 1 : 2;

	metrics_add(lookups_metrics[question->lookup->kind][status], 1);
}

static bool lookups_is_refusal(enum result failure)
{
	return failure == RESULT_UNAUTHENTICATED || failure == RESULT_FORBIDDEN || failure == RESULT_CONFLICT;
}

static const char *lookups_reason(enum result failure)
{
	if (failure == RESULT_CONFLICT)
		return "another region is in charge";
	return lookups_is_refusal(failure) ? "the App API key is not accepted"
	                                   : "Customer.io does not answer as it should";
}

static enum result lookups_is_resting(struct lookups *lookups, bool *is)
{
	struct key_name rest = project_key(lookups->api.project, "lookups:rest");
	const struct reply *reply;

	TRY(store_call(lookups->job->store, lookups->job->arena, &reply,
	               ARGUMENTS(SLICE("GET"), key_slice(&rest))));
	*is = slice_equal(reply_text(reply), lookups->connection);
	return RESULT_OK;
}

static enum result lookups_rest(struct lookups *lookups, enum result failure)
{
	struct key_name rest = project_key(lookups->api.project, "lookups:rest");
	struct key_name known = project_key(lookups->api.project, "lookups:failure");
	struct slice ms = lookups_is_refusal(failure) ? SLICE(REST_REFUSED_MS) : SLICE(REST_MS);
	struct slice how = arena_format(lookups->job->arena, "%d %.*s", failure, (int)lookups->connection.length,
	                                lookups->connection.data);
	const struct reply *reply;

	if (how.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(store_call(lookups->job->store, lookups->job->arena, &reply,
	               ARGUMENTS(SLICE("SET"), key_slice(&rest), lookups->connection, SLICE("PX"), ms)));
	TRY(store_call(lookups->job->store, lookups->job->arena, &reply,
	               ARGUMENTS(SLICE("SET"), key_slice(&known), how, SLICE("PX"), SLICE(SAID_MS), SLICE("GET"))));
	if (!slice_equal(reply_text(reply), how))
		LOG(LOG_WARNING, "look-ups have to wait", {"project", lookups->api.project},
		    {"reason", slice_of(lookups_reason(failure))});
	return RESULT_OK;
}

static enum result lookups_went_well(struct lookups *lookups)
{
	struct key_name known = project_key(lookups->api.project, "lookups:failure");
	const struct reply *reply;

	return store_call(lookups->job->store, lookups->job->arena, &reply,
	                  ARGUMENTS(SLICE("DEL"), key_slice(&known)));
}

static enum result lookups_do(struct lookups *lookups, const struct lookup *lookup)
{
	struct question question = {.arena = lookups->arena, .api = &lookups->api, .lookup = lookup};

	TRY(job_go_on(lookups->job));
	TRY(question_ask(&question));
	lookups_count(&question);
	if (question.answer == RESULT_OK || question.answer == RESULT_NOT_FOUND) {
		lookups->failures = 0;
		return lookup_done(lookups->job->store, lookups->arena, lookups->api.project, lookup);
	}
	lookups->failure = question.answer;
	lookups->failures++;
	return RESULT_OK;
}

static bool lookups_are_in_vain(const struct lookups *lookups)
{
	return lookups->failures >= FAILURES_IN_A_ROW || lookups_is_refusal(lookups->failure);
}

static enum result lookups_do_some(struct lookups *lookups)
{
	struct lookup *taken;
	size_t count;

	TRY(lookup_take(lookups->job->store, lookups->job->arena, lookups->api.project, &taken, &count));
	if (count == 0)
		return RESULT_OK;
	TRY(patience_wait(http_client_patience(lookups->api.http), SECOND_MS));
	for (size_t i = 0; i < count && !lookups_are_in_vain(lookups); i++) {
		arena_reset(lookups->arena);
		TRY(lookups_do(lookups, &taken[i]));
	}
	return lookups->failure == RESULT_OK ? lookups_went_well(lookups) : lookups_rest(lookups, lookups->failure);
}

static enum result lookups_with_key(struct lookups *lookups, struct connection *connection)
{
	const struct http_options options = {.patience = {job_go_on, lookups->job}};
	struct job *job = lookups->job;

	if (connection_open(job->arena, job->entry, job->config->master_key, connection) != RESULT_OK)
		return lookups_rest(lookups, RESULT_UNAUTHENTICATED);
	lookups->api.key = connection->secret;
	if (!region_parse(connection->region, &lookups->api.region))
		return lookups_rest(lookups, RESULT_CONFLICT);
	lookups->arena = arena_new(REQUEST_ARENA_LIMIT);
	lookups->api.http = http_client_new(&options);
	if (lookups->arena == NULL || lookups->api.http == NULL)
		return RESULT_NO_MEMORY;
	enum result result = lookups_do_some(lookups);
	// The project has gone meanwhile.
	return result == RESULT_NOT_FOUND ? RESULT_OK : result;
}

static void lookups_end(struct lookups *lookups)
{
	http_client_free(lookups->api.http);
	arena_free(lookups->arena);
}

enum result lookups_work(struct job *job)
{
	AUTO(lookups_end)
	struct lookups lookups = {.job = job,
	                          .api = {.store = job->store,
	                                  .config = job->config,
	                                  .project = job->entry,
	                                  .effort = &lookups_effort}};
	struct connection connection;
	bool is_resting;

	TRY(connection_load(job->store, job->arena, job->entry, CONNECTION_APP, &connection));
	if (connection.stored.data == NULL)
		return RESULT_OK;
	lookups.connection = crypt_sha256_hex(job->arena, connection.stored);
	if (lookups.connection.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(lookups_is_resting(&lookups, &is_resting));
	return is_resting ? RESULT_OK : lookups_with_key(&lookups, &connection);
}

#include "customerio/app_call.h"

#include "codec/crypt.h"
#include "customerio/pace.h"
#include "customerio/verdict.h"

#include <inttypes.h>

#define SCRATCH_LIMIT ((size_t)1 << 20) // bytes, besides an answer's body
#define PAUSE_MAXIMUM_MS INT64_C(30000)
#define ID_MAXIMUM (INT64_C(1) << 53)

const struct app_effort app_effort_of_job = {
	.tries = 8,
	.pause_ms = 1000,
	.most_ms = 15 * 60 * 1000,
	.timeout_ms = 30000,
};

const struct app_effort app_effort_of_request = {
	.tries = 2,
	.pause_ms = 250,
	.most_ms = 2000,
	.timeout_ms = 8000,
};

// Half of it is left to chance, so that those who failed together do not come back together.
static int64_t app_pause_ms(const struct app_effort *effort, int tries)
{
	int64_t pause_ms = effort->pause_ms;
	uint32_t chance = 0;

	for (int i = 1; i < tries && pause_ms < PAUSE_MAXIMUM_MS; i++)
		pause_ms *= 2;
	if (pause_ms > PAUSE_MAXIMUM_MS)
		pause_ms = PAUSE_MAXIMUM_MS;
	crypt_random(&chance, sizeof(chance));
	return pause_ms - (int64_t)(chance % (uint32_t)(pause_ms / 2 + 1));
}

static bool app_may_try_again(const struct app_api *api, enum result result)
{
	return !slice_is_empty(api->fault) &&
	       (result == RESULT_LIMITED || result == RESULT_UNAVAILABLE || result == RESULT_MALFORMED);
}

// What failed here is not Customer.io's fault.
static enum result app_not_theirs(struct app_api *api, enum result result)
{
	if (result != RESULT_OK)
		api->fault = SLICE("");
	return result;
}

static enum result app_wait_for_turn(struct app_api *api, struct arena *arena)
{
	enum result result = pace_wait(api->store, arena, api->project, http_client_patience(api->http),
	                               api->effort->most_ms);

	if (result != RESULT_LIMITED)
		return app_not_theirs(api, result);
	// The try before may have said why.
	if (slice_is_empty(api->fault))
		api->fault = SLICE("Customer.io's App API asked for a pause that is not over yet.");
	return result;
}

enum result app_persist(struct app_api *api, struct arena *arena, bool paced, app_attempt *attempt, void *context)
{
	api->fault = SLICE("");
	for (int tries = 1;; tries++) {
		int64_t retry_after_ms = -1;

		if (paced)
			TRY(app_wait_for_turn(api, arena));
		enum result result = attempt(api, arena, context, &retry_after_ms);
		if (!app_may_try_again(api, result))
			return result;
		int64_t pause_ms = retry_after_ms >= 0 ? retry_after_ms : app_pause_ms(api->effort, tries);
		// Being limited concerns everybody: nobody's next turn, nor ours, is before that.
		bool holds_all = paced && result == RESULT_LIMITED;
		if (holds_all)
			TRY(app_not_theirs(api, pace_hold(api->store, arena, api->project, pause_ms)));
		if (tries >= api->effort->tries || pause_ms > api->effort->most_ms)
			return result;
		if (!holds_all)
			TRY(app_not_theirs(api, patience_wait(http_client_patience(api->http), pause_ms)));
	}
}

static enum result app_read_answer(struct arena *arena, const struct app_request *request, struct verdict *verdict,
                                   struct slice body)
{
	const struct json *value;
	struct slice reason = SLICE("");
	enum result result = json_parse(arena, body, &value, &reason);

	if (result == RESULT_OK) {
		reason = SLICE("it is not what was asked for");
		result = request->read(arena, value, request->out);
	}
	if (result == RESULT_MALFORMED || result == RESULT_INVALID)
		verdict_malformed(verdict, reason);
	return result;
}

static enum result app_exchange(struct app_api *api, struct arena *arena, struct verdict *verdict,
                                const struct app_request *request, int64_t *retry_after_ms)
{
	struct region_base base = region_base(api->config, CUSTOMERIO_APP, api->region);
	static const struct http_header headers[] = {{"Content-Type", {"application/json", 16}}};
	struct http_request call = {
		.url = arena_format(verdict->arena, "%.*s%.*s", (int)base.url.length, base.url.data,
	                            (int)request->path.length, request->path.data),
		.headers = headers,
		.header_count = request->body.data == NULL ? 0 : COUNT_OF(headers),
		.bearer = api->key,
		.body = request->body,
		.any_address = base.any_address,
		.timeout_ms = api->effort->timeout_ms,
		.answer_limit = APP_ANSWER_MAXIMUM,
	};
	struct http_answer answer;

	if (call.url.data == NULL)
		return RESULT_NO_MEMORY;
	enum result called = http_call(api->http, verdict->arena, &call, &answer);
	*retry_after_ms = answer.retry_after_ms;
	TRY(verdict_of(verdict, called, &answer));
	return app_read_answer(arena, request, verdict, answer.body);
}

// Each try has an arena of its own, so that failures add up to nothing.
static enum result app_try(struct app_api *api, struct arena *arena, void *context, int64_t *retry_after_ms)
{
	AUTO(arena_auto) struct arena *scratch = arena_new(SCRATCH_LIMIT);
	struct verdict verdict = {.arena = scratch, .api = "App API", .secret = api->key};

	if (scratch == NULL)
		return RESULT_NO_MEMORY;
	enum result result = app_exchange(api, arena, &verdict, context, retry_after_ms);
	api->fault = arena_copy(arena, verdict.sentence);
	return result;
}

enum result app_call(struct app_api *api, struct arena *arena, const struct app_request *request)
{
	struct app_request copy = *request;

	return app_persist(api, arena, true, app_try, &copy);
}

struct slice app_read_text(struct arena *arena, const struct json *value)
{
	int64_t number;

	if (json_to_integer(value, INT64_MIN, INT64_MAX, &number))
		return arena_format(arena, "%" PRId64, number);
	return json_text(value);
}

bool app_read_id(const struct json *value, int64_t *id)
{
	return json_to_integer(value, 0, ID_MAXIMUM, id) || slice_to_integer(json_text(value), 0, ID_MAXIMUM, id);
}

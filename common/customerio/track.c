#include "customerio/track.h"

#include "codec/json.h"
#include "customerio/trial.h"
#include "customerio/verdict.h"

#define ANSWER_MAXIMUM ((size_t)64 << 10) // bytes
#define TIMEOUT_MS 8000                   // somebody is waiting

struct track_trial {
	struct http_client *http;
	struct arena *arena;
	const struct config *config;
	const struct track_credentials *credentials;
};

// Either region answers for both, so what the answer says counts.
static enum result track_read_region(struct verdict *verdict, struct slice body, enum region *region)
{
	const struct json *value;
	enum region said;
	enum result result = json_parse(verdict->arena, body, &value, NULL);

	if (result == RESULT_NO_MEMORY)
		return result;
	if (result != RESULT_OK || !region_parse(json_text(json_get(value, "region")), &said) || said == REGION_AUTO)
		return verdict_malformed(verdict, SLICE("it names no region"));
	*region = said;
	return RESULT_OK;
}

static enum result track_ask(const struct track_trial *trial, struct verdict *verdict, enum region *region)
{
	struct region_base base = region_base(trial->config, CUSTOMERIO_TRACK, *region);
	struct http_request request = {
		.url = arena_format(trial->arena, "%.*s/api/v1/accounts/region", (int)base.url.length, base.url.data),
		.user = trial->credentials->site_id,
		.password = trial->credentials->api_key,
		.any_address = base.any_address,
		.timeout_ms = TIMEOUT_MS,
		.answer_limit = ANSWER_MAXIMUM,
	};
	struct http_answer answer;

	if (request.url.data == NULL)
		return RESULT_NO_MEMORY;
	enum result called = http_call(trial->http, trial->arena, &request, &answer);
	TRY(verdict_of(verdict, called, &answer));
	return track_read_region(verdict, answer.body, region);
}

static enum result track_try(void *context, enum region *region, struct slice *sentence)
{
	const struct track_trial *trial = context;
	struct verdict verdict = {
		.arena = trial->arena,
		.api = "Track API",
		.secret = trial->credentials->api_key,
	};
	enum result result = track_ask(trial, &verdict, region);

	*sentence = verdict.sentence;
	return result;
}

enum result track_check(struct http_client *http, struct arena *arena, const struct config *config,
                        const struct track_credentials *credentials, enum region wanted, enum region *found,
                        struct slice *sentence)
{
	struct track_trial trial = {http, arena, config, credentials};

	return trial_run(arena, "Track API key", track_try, &trial, wanted, found, sentence);
}

#include "customerio/pipelines.h"

#include "customerio/trial.h"
#include "customerio/verdict.h"

#define ANSWER_MAXIMUM ((size_t)64 << 10) // bytes
#define TIMEOUT_MS 8000                   // somebody is waiting
#define TRIAL_EVENT \
	"{\"anonymousId\":\"ciobridge-credentials-check\",\"event\":\"ciobridge credentials check\"," \
	"\"integrations\":{\"All\":false}}"

struct pipelines_trial {
	struct http_client *http;
	struct arena *arena;
	const struct config *config;
	struct slice write_key;
};

static enum result pipelines_ask(const struct pipelines_trial *trial, struct verdict *verdict, enum region region)
{
	static const struct http_header headers[] = {
		{"Content-Type", {"application/json", 16}},
		{"X-Strict-Mode", {"1", 1}},
	};
	struct region_base base = region_base(trial->config, CUSTOMERIO_PIPELINES, region);
	struct http_request request = {
		.url = arena_format(trial->arena, "%.*s/v1/track", (int)base.url.length, base.url.data),
		.headers = headers,
		.header_count = COUNT_OF(headers),
		.user = trial->write_key,
		.body = SLICE(TRIAL_EVENT),
		.any_address = base.any_address,
		.timeout_ms = TIMEOUT_MS,
		.answer_limit = ANSWER_MAXIMUM,
	};
	struct http_answer answer;

	if (request.url.data == NULL)
		return RESULT_NO_MEMORY;
	enum result called = http_call(trial->http, trial->arena, &request, &answer);
	return verdict_of(verdict, called, &answer);
}

static enum result pipelines_try(void *context, enum region *region, struct slice *sentence)
{
	const struct pipelines_trial *trial = context;
	struct verdict verdict = {.arena = trial->arena, .api = "Pipelines API", .secret = trial->write_key};
	enum result result = pipelines_ask(trial, &verdict, *region);

	*sentence = verdict.sentence;
	return result;
}

enum result pipelines_check(struct http_client *http, struct arena *arena, const struct config *config,
                            struct slice write_key, enum region wanted, enum region *found, struct slice *sentence)
{
	struct pipelines_trial trial = {http, arena, config, write_key};

	return trial_run(arena, "Pipelines write key", pipelines_try, &trial, wanted, found, sentence);
}

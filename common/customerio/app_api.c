// The workspace: its topics, and whether the key is good.
#include "customerio/app_api.h"

#include "customerio/app_call.h"
#include "customerio/trial.h"

struct app_topics {
	struct app_topic *topics;
	size_t count;
};

static enum result app_read_topic(struct arena *arena, const struct json *value, struct app_topic *topic)
{
	static const struct slice prefix = {"topic_", 6};
	struct slice identifier = json_text(json_get(value, "identifier"));

	if (!app_read_id(json_get(value, "id"), &topic->id) &&
	    !(slice_starts_with(identifier, prefix) &&
	      slice_to_integer(slice_from(identifier, prefix.length), 0, INT64_MAX, &topic->id)))
		return RESULT_MALFORMED;
	if (slice_is_empty(identifier))
		identifier = arena_format(arena, "topic_%lld", (long long)topic->id);
	topic->identifier = identifier;
	topic->name = json_text(json_get(value, "name"));
	topic->description = json_text(json_get(value, "description"));
	topic->public_description = json_text(json_get(value, "public_description"));
	topic->subscribed_by_default = json_is_true(json_get(value, "subscribed_by_default"));
	topic->transactional = json_is_true(json_get(value, "transactional"));
	return identifier.data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

// Without topics the list may be null.
static enum result app_read_topics(struct arena *arena, const struct json *value, void *out)
{
	const struct json *list = json_get(value, "topics");
	struct app_topics read = {.count = json_count(list)};

	if (!json_is_array(list) && !json_is_null(list))
		return RESULT_MALFORMED;
	read.topics = arena_array(arena, read.count, sizeof(*read.topics));
	if (read.topics == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < read.count; i++)
		TRY(app_read_topic(arena, json_at(list, i), &read.topics[i]));
	*(struct app_topics *)out = read;
	return RESULT_OK;
}

enum result app_api_topics(struct app_api *api, struct arena *arena, const struct app_topic **topics, size_t *count)
{
	struct app_topics read;

	TRY(app_call(api, arena,
	             &(struct app_request){.path = SLICE("/v1/subscription_topics"),
	                                   .read = app_read_topics,
	                                   .out = &read}));
	*topics = read.topics;
	*count = read.count;
	return RESULT_OK;
}

struct app_trial {
	const struct app_api *api;
	struct arena *arena;
};

static enum result app_try_key(void *context, enum region *region, struct slice *sentence)
{
	struct app_trial *trial = context;
	struct app_api api = *trial->api;
	const struct app_topic *topics;
	size_t count;

	api.region = *region;
	enum result result = app_api_topics(&api, trial->arena, &topics, &count);
	*sentence = api.fault;
	return result;
}

enum result app_api_check(struct app_api *api, struct arena *arena, enum region *found)
{
	struct app_trial trial = {api, arena};

	return trial_run(arena, "App API key", app_try_key, &trial, api->region, found, &api->fault);
}

#include "customerio/subscription_preferences.h"

static enum topic_state topic_state_of(const struct json *value)
{
	if (json_is_true(value))
		return TOPIC_IN;
	return json_is_false(value) ? TOPIC_OUT : TOPIC_UNCLEAR;
}

static enum result topics_read(struct arena *arena, const struct json *topics, struct topic_preferences *preferences)
{
	size_t count = json_count(topics);
	struct topic_preference *items = NULL;
	if (count > 0) {
		items = arena_array(arena, count, sizeof(*items));
		if (items == NULL)
			return RESULT_NO_MEMORY;
	}
	struct slice name;
	const struct json *value;
	void *cursor = NULL;
	for (size_t i = 0; i < count && json_next(topics, &cursor, &name, &value); i++)
		items[i] = (struct topic_preference){name, topic_state_of(value)};
	*preferences = (struct topic_preferences){items, count};
	return RESULT_OK;
}

static enum result preferences_read(struct arena *arena, const struct json *object,
                                    struct topic_preferences *preferences)
{
	if (!json_is_object(object))
		return RESULT_MALFORMED;
	const struct json *topics = json_get(object, "topics");
	if (topics != NULL && !json_is_object(topics))
		return RESULT_MALFORMED;
	return topics_read(arena, topics, preferences);
}

enum result subscription_preferences_read(struct arena *arena, const struct json *value,
                                          struct topic_preferences *preferences)
{
	if (json_is_text(value))
		return subscription_preferences_read_text(arena, json_text(value), preferences);
	return preferences_read(arena, value, preferences);
}

// At least as many as there are values.
static size_t json_count_values(struct slice json)
{
	size_t count = 0;
	for (size_t i = 0; i < json.length; i++)
		count += json.data[i] == ',' || json.data[i] == '{' || json.data[i] == '[';
	return count;
}

enum result subscription_preferences_read_text(struct arena *arena, struct slice text,
                                               struct topic_preferences *preferences)
{
	if (slice_is_empty(slice_trim(text))) {
		*preferences = (struct topic_preferences){NULL, 0};
		return RESULT_OK;
	}
	if (json_count_values(text) > SUBSCRIPTION_PREFERENCES_MAXIMUM)
		return RESULT_TOO_LARGE;
	const struct json *object = NULL;
	TRY(json_parse(arena, text, &object, NULL));
	return preferences_read(arena, object, preferences);
}

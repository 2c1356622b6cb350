// A person's subscription preferences: an attribute that is an object, or text that holds one.
#include "customerio/subscription_preferences.h"
#include "fuzz.h"

static void fuzz_require_same(const struct topic_preferences *a, const struct topic_preferences *b)
{
	REQUIRE(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		REQUIRE(slice_is_utf8(a->items[i].topic) && slice_equal(a->items[i].topic, b->items[i].topic));
		REQUIRE(a->items[i].state == b->items[i].state && a->items[i].state <= TOPIC_UNCLEAR);
	}
}

// The text as a JSON string, which says the same.
static const struct json *fuzz_quote(struct arena *arena, struct slice text)
{
	struct buffer *quoted = buffer_new(arena, (size_t)1 << 20);
	const struct json *value;

	REQUIRE(quoted);
	buffer_append_quoted(quoted, text);
	return json_parse(arena, buffer_slice(quoted), &value, NULL) == RESULT_OK ? value : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice text = fuzz_slice(data, size);
	struct topic_preferences preferences, again;
	const struct json *value;

	if (subscription_preferences_read_text(arena, text, &preferences) != RESULT_OK)
		return 0;
	fuzz_require_same(&preferences, &preferences);
	value = fuzz_quote(arena, text);
	REQUIRE(value && subscription_preferences_read(arena, value, &again) == RESULT_OK);
	fuzz_require_same(&preferences, &again);
	if (json_parse(arena, text, &value, NULL) != RESULT_OK)
		return 0;
	REQUIRE(subscription_preferences_read(arena, value, &again) == RESULT_OK);
	fuzz_require_same(&preferences, &again);
	return 0;
}

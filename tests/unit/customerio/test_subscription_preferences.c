// cio_subscription_preferences in all its forms.
#include "customerio/subscription_preferences.h"

#include <criterion/criterion.h>

#define TEXT(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}
#define FAILS 99

static struct arena *arena;
static void set_up(void)
{
	arena = arena_new((size_t)64 << 20);
}
static void tear_down(void)
{
	arena_free(arena);
}
TestSuite(subscription_preferences, .init = set_up, .fini = tear_down, .timeout = 30);

static const struct {
	struct slice text;
	size_t count;
} cases[] = {
	{TEXT("{}"), 0},
	{TEXT("{\"topics\":{}}"), 0},
	{TEXT("{\"channels\":{\"email\":false}}"), 0},
	{TEXT("{\"topics\":{\"topic_1\":true}}"), 1},
	{TEXT(" {\"topics\":{\"topic_1\":true,\"topic_2\":false,\"3\":null},\"channels\":{}} \n"), 3},
	{TEXT("{\"topics\":[]}"), FAILS},
	{TEXT("{\"topics\":null}"), FAILS},
	{TEXT("{\"topics\":\"topic_1\"}"), FAILS},
	{TEXT("{\"topics\":{\"topic_1\":true,\"topic_1\":false}}"), FAILS},
	{TEXT("[]"), FAILS},
	{TEXT("null"), FAILS},
	{TEXT("7"), FAILS},
	{TEXT("\"{}\""), FAILS},
	{TEXT("{"), FAILS},
	{TEXT("{} {}"), FAILS},
	{TEXT("topics"), FAILS},
};

Test(subscription_preferences, text_that_holds_them)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct topic_preferences preferences = {NULL, FAILS};
		enum result result = subscription_preferences_read_text(arena, cases[i].text, &preferences);
		cr_assert_eq(result, cases[i].count == FAILS ? RESULT_MALFORMED : RESULT_OK, "case %zu", i);
		cr_assert_eq(preferences.count, cases[i].count, "case %zu", i);
	}
}

Test(subscription_preferences, blank_text_has_none)
{
	static const struct slice blank[] = {TEXT(""), TEXT(" \t\r\n"), {NULL, 0}};
	for (size_t i = 0; i < COUNT_OF(blank); i++) {
		struct topic_preferences preferences = {NULL, FAILS};
		cr_assert(subscription_preferences_read_text(arena, blank[i], &preferences) == RESULT_OK);
		cr_assert_eq(preferences.count, 0);
	}
}

Test(subscription_preferences, states_in_the_order_written)
{
	static const struct slice text =
		TEXT("{\"topics\":{\"topic_9\":true,\"topic_1\":false,\"x\":\"false\",\"topic_3\":0,"
	             "\"topic_4\":null,\"topic_5\":{},\"\":true}}");
	static const struct topic_preference expected[] = {
		{TEXT("topic_9"), TOPIC_IN},
		{TEXT("topic_1"), TOPIC_OUT},
		{TEXT("x"), TOPIC_UNCLEAR},
		{TEXT("topic_3"), TOPIC_UNCLEAR},
		{TEXT("topic_4"), TOPIC_UNCLEAR},
		{TEXT("topic_5"), TOPIC_UNCLEAR},
		{TEXT(""), TOPIC_IN},
	};
	struct topic_preferences preferences;
	cr_assert(subscription_preferences_read_text(arena, text, &preferences) == RESULT_OK);
	cr_assert_eq(preferences.count, COUNT_OF(expected));
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		cr_assert(slice_equal(preferences.items[i].topic, expected[i].topic), "topic %zu", i);
		cr_assert_eq(preferences.items[i].state, expected[i].state, "topic %zu", i);
	}
}

static enum result read_value(struct slice json, struct topic_preferences *preferences)
{
	const struct json *value = NULL;
	cr_assert(json_parse(arena, json, &value, NULL) == RESULT_OK);
	return subscription_preferences_read(arena, value, preferences);
}

Test(subscription_preferences, a_value_is_an_object_or_text)
{
	static const struct {
		struct slice json;
		size_t count;
	} values[] = {
		{TEXT("{\"topics\":{\"topic_1\":true}}"), 1},
		{TEXT("\"{\\\"topics\\\":{\\\"topic_1\\\":true}}\""), 1},
		{TEXT("\"\""), 0},
		{TEXT("\"nothing\""), FAILS},
		{TEXT("\"\\\"{}\\\"\""), FAILS},
		{TEXT("[{\"topics\":{}}]"), FAILS},
		{TEXT("null"), FAILS},
		{TEXT("true"), FAILS},
	};
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		struct topic_preferences preferences = {NULL, FAILS};
		enum result result = read_value(values[i].json, &preferences);
		cr_assert_eq(result, values[i].count == FAILS ? RESULT_MALFORMED : RESULT_OK, "case %zu", i);
		cr_assert_eq(preferences.count, values[i].count, "case %zu", i);
	}
}

Test(subscription_preferences, no_value)
{
	struct topic_preferences preferences;
	cr_assert(subscription_preferences_read(arena, NULL, &preferences) == RESULT_MALFORMED);
}

Test(subscription_preferences, without_memory)
{
	struct arena *small = arena_new(8192);
	struct buffer *text = buffer_new(arena, 1 << 20);
	struct topic_preferences preferences;
	buffer_append_text(text, "{\"topics\":{\"a\":true");
	for (int i = 0; i < 10000; i++)
		buffer_append(text, arena_format(arena, ",\"%d\":true", i));
	buffer_append_text(text, "}}");
	cr_assert(subscription_preferences_read_text(small, buffer_slice(text), &preferences) == RESULT_NO_MEMORY);
	cr_assert(subscription_preferences_read_text(arena, buffer_slice(text), &preferences) == RESULT_OK);
	cr_assert_eq(preferences.count, 10001);
	arena_free(small);
}

#include "codec/json.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;

static void open_arena(void)
{
	arena = arena_new(1 << 22);
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(json, .init = open_arena, .fini = close_arena);

static const struct json *parse(const char *text)
{
	const struct json *value = NULL;

	cr_assert_eq(json_parse(arena, slice_of(text), &value, NULL), RESULT_OK, "%s", text);
	return value;
}

static struct slice repeat(const char *piece, size_t count)
{
	struct buffer *buffer = buffer_new(arena, 1 << 20);

	while (count-- > 0)
		buffer_append_text(buffer, piece);
	return buffer_slice(buffer);
}

Test(json, reads_every_kind_of_value)
{
	const struct json *object = parse(" {\"text\":\"a\\u00e9\\n\",\"n\":-7,\"yes\":true,\"no\":false,\"null\":null,"
	                                  "\"array\":[1,[2],{}],\"\":\"empty\"}\r\n");

	cr_assert(json_is_object(object));
	cr_assert_eq(json_count(object), 7);
	cr_assert(slice_equal(json_text(json_get(object, "text")), SLICE("a\xc3\xa9\n")));
	cr_assert(json_is_integer(json_get(object, "n")));
	cr_assert(json_is_true(json_get(object, "yes")));
	cr_assert(json_is_false(json_get(object, "no")));
	cr_assert(json_is_boolean(json_get(object, "yes")) && json_is_boolean(json_get(object, "no")));
	cr_assert(json_is_null(json_get(object, "null")));
	cr_assert_eq(json_count(json_get(object, "array")), 3);
	cr_assert(json_is_array(json_at(json_get(object, "array"), 1)));
	cr_assert(json_is_object(json_at(json_get(object, "array"), 2)));
	cr_assert_null(json_at(json_get(object, "array"), 3));
	cr_assert(slice_equal(json_text(json_get(object, "")), SLICE("empty")));
}

Test(json, any_value_may_stand_alone)
{
	cr_assert(json_is_text(parse("\"a\"")));
	cr_assert(json_is_null(parse("null")));
	cr_assert(json_is_true(parse(" true ")));
	cr_assert(json_is_integer(parse("0")));
}

Test(json, absence_is_nothing_and_look_ups_nest)
{
	const struct json *number = parse("1");
	void *cursor = NULL;
	struct slice name;
	int64_t integer;

	cr_assert_null(json_get(json_get(json_at(NULL, 0), "a"), "b"));
	cr_assert_null(json_get(number, "a"));
	cr_assert_null(json_at(number, 0));
	cr_assert_eq(json_count(NULL), 0);
	cr_assert_eq(json_count(number), 0);
	cr_assert(slice_is_empty(json_text(NULL)));
	cr_assert(slice_is_empty(json_text(number)));
	cr_assert_not(json_next(NULL, &cursor, &name, &number));
	cr_assert_not(json_to_integer(NULL, 0, 9, &integer));
	cr_assert_not(json_is_object(NULL) || json_is_array(NULL) || json_is_text(NULL) || json_is_boolean(NULL) ||
	              json_is_null(NULL) || json_is_true(NULL) || json_is_false(NULL) || json_is_integer(NULL));
}

Test(json, a_text_is_no_other_kind)
{
	const struct json *text = parse("\"true\"");

	cr_assert_not(json_is_object(text) || json_is_array(text) || json_is_boolean(text) || json_is_null(text) ||
	              json_is_true(text) || json_is_false(text) || json_is_integer(text));
	cr_assert_not(json_is_text(parse("null")));
	cr_assert_not(json_is_boolean(parse("null")));
	cr_assert_not(json_is_integer(parse("1.5")));
}

static const struct slice bad[] = {
	{"", 0},
	{NULL, 0},
	{" ", 1},
	{"{", 1},
	{"[1", 2},
	{"[1,]", 4},
	{"{\"a\":1,}", 8},
	{"{\"a\" 1}", 7},
	{"{a:1}", 5},
	{"{'a':1}", 7},
	{"1 2", 3},
	{"{}x", 3},
	{"{}\0", 3},
	{"1\0", 2},
	{"[null\0]", 7},
	{"{\"a\":true\0}", 11},
	{"nul", 3},
	{"TRUE", 4},
	{"NaN", 3},
	{"Infinity", 8},
	{"+1", 2},
	{"01", 2},
	{".5", 2},
	{"1.", 2},
	{"0x1", 3},
	{"1e", 2},
	{"1e400", 5},
	{"-1e400", 6},
	{"9223372036854775808", 19},
	{"-9223372036854775809", 20},
	{"\"", 1},
	{"\"a", 2},
	{"\"\\x\"", 4},
	{"\"\\u12\"", 6},
	{"\"\\u12g4\"", 8},
	{"\"\\u0000\"", 8},
	{"{\"\\u0000\":1}", 12},
	{"\"\\ud800\"", 8},
	{"\"\\udc00\"", 8},
	{"\"\\ud800\\ud800\"", 14},
	{"\"\\ud800x\"", 9},
	{"\"\n\"", 3},
	{"\"\t\"", 3},
	{"\"a\0b\"", 5},
	{"\"\xff\"", 3},
	{"\"\xc0\x80\"", 4},
	{"\"\xed\xa0\x80\"", 5},
	{"\"\xf4\x90\x80\x80\"", 6},
	{"\"\xe2\x82\"", 4},
	{"\xef\xbb\xbf{}", 5},
	{"{\"a\":1,\"a\":1}", 13},
	{"{\"a\":1,\"\\u0061\":2}", 18},
	{"[{\"b\":{\"a\":1,\"a\":2}}]", 21},
	{"// a\n1", 6},
	{"/**/1", 5},
};

Test(json, refuses_what_parsers_could_read_differently)
{
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct json *value = NULL;
		struct slice reason = {NULL, 0};

		cr_assert_eq(json_parse(arena, bad[i], &value, &reason), RESULT_MALFORMED, "case %zu", i);
		cr_assert_null(value, "case %zu", i);
		cr_assert_not(slice_is_empty(reason), "case %zu", i);
		cr_assert_eq(json_parse(arena, bad[i], &value, NULL), RESULT_MALFORMED, "case %zu", i);
	}
}

Test(json, says_what_and_where_without_quoting)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"{\"user@example.com\":1,\"user@example.com\":2}", "duplicate member at byte 40"},
		{"[secret]", "not JSON at byte 7"},
		{"\"secret\xff\"", "not UTF-8 at byte 7"},
		{"12345678901234567890", "number out of range at byte 20"},
		{"1 secret", "something behind the value at byte 8"},
		{"\"\\u0000secret\"", "NUL in a string at byte 14"},
		{"[\"secret\"", "cut short at byte 9"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct json *value;
		struct slice reason = {NULL, 0};

		cr_assert_eq(json_parse(arena, slice_of(cases[i].text), &value, &reason), RESULT_MALFORMED);
		cr_assert(slice_equal(reason, slice_of(cases[i].reason)), "%.*s", (int)reason.length, reason.data);
	}
}

Test(json, every_beginning_of_a_document_is_refused)
{
	static const char text[] = "{\"a\":[1,2.5,true,null,\"\\ud83d\\ude00\"],\"b\":{\"c\":\"d\"}}";
	const struct json *value = NULL;

	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		char *exact = arena_alloc(arena, length);

		memcpy(exact, text, length);
		cr_assert_eq(json_parse(arena, (struct slice){exact, length}, &value, NULL), RESULT_MALFORMED);
	}
	cr_assert_eq(json_parse(arena, slice_of(text), &value, NULL), RESULT_OK);
}

Test(json, nests_2048_levels_and_not_one_more)
{
	const struct json *value = NULL;
	struct slice deep = arena_format(arena, "%.2048s%.2048s", repeat("[", 2048).data, repeat("]", 2048).data);
	struct slice deeper = arena_format(arena, "[%s]", deep.data), reason;
	struct buffer *buffer = buffer_new(arena, 10000);
	struct json_writer writer = json_writer_on(buffer);

	cr_assert_eq(json_parse(arena, deep, &value, NULL), RESULT_OK);
	json_write_value(&writer, value);
	cr_assert(slice_equal(buffer_slice(buffer), deep));
	cr_assert_eq(json_parse(arena, deeper, &value, &reason), RESULT_MALFORMED);
	cr_assert(slice_starts_with(reason, SLICE("nested too deeply at byte ")));
	cr_assert_eq(json_parse(arena, repeat("[", 1 << 20), &value, NULL), RESULT_MALFORMED);
	cr_assert_eq(json_parse(arena, repeat("{\"a\":", 100000), &value, NULL), RESULT_MALFORMED);
}

Test(json, walks_members_in_order)
{
	const struct json *object = parse("{\"b\":1,\"a\":2,\"c\":3}"), *value;
	struct slice name;
	void *cursor = NULL;
	char seen[4] = "";

	for (size_t i = 0; json_next(object, &cursor, &name, &value); i++) {
		int64_t number;

		cr_assert_lt(i, 3);
		cr_assert(json_to_integer(value, 1, 3, &number));
		cr_assert_eq(number, (int64_t)i + 1);
		seen[i] = name.data[0];
	}
	cr_assert_str_eq(seen, "bac");
	cursor = NULL;
	cr_assert_not(json_next(parse("{}"), &cursor, &name, &value));
}

Test(json, whole_numbers_in_any_spelling)
{
	static const struct {
		const char *text;
		int64_t number;
	} good[] = {
		{"7", 7},
		{"7.0", 7},
		{"7e0", 7},
		{"70E-1", 7},
		{"-0", 0},
		{"-0.0", 0},
		{"1e3", 1000},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
		{"-9.223372036854775808e18", INT64_MIN},
	};
	static const char *const other[] = {"7.5", "1e-3", "9.223372036854775808e18", "-9.3e18", "1e300", "\"7\"",
	                                    "true", "null", "[7]", "{}"};
	int64_t number;

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		cr_assert(json_to_integer(parse(good[i].text), INT64_MIN, INT64_MAX, &number), "%s", good[i].text);
		cr_assert_eq(number, good[i].number, "%s", good[i].text);
	}
	number = 99;
	for (size_t i = 0; i < COUNT_OF(other); i++)
		cr_assert_not(json_to_integer(parse(other[i]), INT64_MIN, INT64_MAX, &number), "%s", other[i]);
	cr_assert_not(json_to_integer(parse("0"), 1, 3, &number));
	cr_assert_not(json_to_integer(parse("4.0"), 1, 3, &number));
	cr_assert_eq(number, 99);
	cr_assert(json_to_integer(parse("3.0"), 1, 3, &number));
}

Test(json, lives_as_long_as_the_arena_and_tells_when_it_is_full)
{
	struct arena *small = arena_new(1);
	const struct json *value = NULL;

	cr_assert_eq(json_parse(small, SLICE("{\"a\":[1,2,3]}"), &value, NULL), RESULT_NO_MEMORY);
	cr_assert_null(value);
	arena_free(small);
}

Test(json, writes)
{
	struct buffer *buffer = buffer_new(arena, 1000);
	struct json_writer writer = json_writer_on(buffer);

	json_open_object(&writer);
	json_member_text(&writer, "te\"xt", SLICE("a\n\xff"));
	json_member_text(&writer, "none", (struct slice){NULL, 0});
	json_member_text(&writer, "empty", SLICE(""));
	json_member_integer(&writer, "n", INT64_MIN);
	json_member_boolean(&writer, "yes", true);
	json_member_time(&writer, "at", 1795357840123);
	json_member_time(&writer, "never", 0);
	json_key(&writer, "list");
	json_open_array(&writer);
	json_open_array(&writer);
	json_close_array(&writer);
	json_open_object(&writer);
	json_close_object(&writer);
	json_write_null(&writer);
	json_write_boolean(&writer, false);
	json_write_raw(&writer, SLICE("[1]"));
	json_write_value(&writer, NULL);
	json_write_value(&writer, parse("{ \"b\" : [ 1, 2.5, \"\\u00e9\\u0001\" ], \"a\" : null }"));
	json_close_array(&writer);
	json_member_integer(&writer, "last", 1);
	json_close_object(&writer);
	cr_assert_not(buffer_failed(buffer));
	cr_assert(slice_equal(buffer_slice(buffer),
	                      SLICE("{\"te\\\"xt\":\"a\\n\xef\xbf\xbd\",\"none\":null,\"empty\":\"\","
	                            "\"n\":-9223372036854775808,\"yes\":true,\"at\":\"2026-11-22T14:30:40.123Z\","
	                            "\"never\":null,\"list\":[[],{},null,false,[1],null,"
	                            "{\"b\":[1,2.5,\"\xc3\xa9\\u0001\"],\"a\":null}],\"last\":1}")),
	          "%.*s", (int)buffer_slice(buffer).length, buffer_slice(buffer).data);
}

Test(json, writes_32_levels_and_not_one_more)
{
	for (int levels = 32; levels <= 33; levels++) {
		struct buffer *buffer = buffer_new(arena, 1000);
		struct json_writer writer = json_writer_on(buffer);

		for (int i = 0; i < levels; i++)
			json_open_array(&writer);
		for (int i = 0; i < levels; i++)
			json_close_array(&writer);
		cr_assert_eq(buffer_failed(buffer), levels > 32);
	}
}

Test(json, closing_what_is_not_open_fails)
{
	struct buffer *buffer = buffer_new(arena, 1000);
	struct json_writer writer = json_writer_on(buffer);

	json_close_object(&writer);
	cr_assert(buffer_failed(buffer));
}

Test(json, a_full_buffer_is_told)
{
	const struct json *value = parse("[\"0123456789\",1,true]");

	for (size_t limit = 0; limit < 22; limit++) {
		struct buffer *buffer = buffer_new(arena, limit);
		struct json_writer writer = json_writer_on(buffer);

		json_write_value(&writer, value);
		cr_assert_eq(buffer_failed(buffer), limit < 21, "limit %zu", limit);
	}
}

Test(json, reads_what_it_wrote)
{
	struct buffer *buffer = buffer_new(arena, 10000);
	struct json_writer writer = json_writer_on(buffer);
	char bytes[127];
	const struct json *value;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i + 1);
	json_write_text(&writer, (struct slice){bytes, sizeof(bytes)});
	cr_assert_eq(json_parse(arena, buffer_slice(buffer), &value, NULL), RESULT_OK);
	cr_assert(slice_equal(json_text(value), (struct slice){bytes, sizeof(bytes)}));
}

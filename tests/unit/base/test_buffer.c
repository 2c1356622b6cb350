#include "base/buffer.h"

#include "base/result.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;

static void open_arena(void)
{
	arena = arena_new(1 << 20);
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(buffer, .init = open_arena, .fini = close_arena);

Test(buffer, appends)
{
	struct buffer *buffer = buffer_new(arena, 1000);

	cr_assert_not_null(buffer_slice(buffer).data);
	buffer_append(buffer, SLICE("a\0b"));
	buffer_append_text(buffer, "text");
	buffer_append_byte(buffer, '!');
	buffer_append_integer(buffer, INT64_MIN);
	buffer_append(buffer, (struct slice){NULL, 0});
	cr_assert(slice_equal(buffer_slice(buffer), SLICE("a\0btext!-9223372036854775808")));
	cr_assert_not(buffer_failed(buffer));
}

Test(buffer, fills_to_its_limit_and_not_one_byte_more)
{
	struct buffer *buffer = buffer_new(arena, 1000);

	for (int i = 0; i < 1000; i++)
		buffer_append_byte(buffer, 'a');
	cr_assert_not(buffer_failed(buffer));
	cr_assert_eq(buffer_slice(buffer).length, 1000);
	buffer_append_byte(buffer, 'b');
	cr_assert(buffer_failed(buffer));
	cr_assert_eq(buffer_slice(buffer).length, 1000);
}

Test(buffer, a_failure_sticks_and_nothing_half_is_kept)
{
	struct buffer *buffer = buffer_new(arena, 5);

	buffer_append_text(buffer, "abc");
	buffer_append_text(buffer, "def");
	buffer_append_byte(buffer, 'g');
	cr_assert(buffer_failed(buffer));
	cr_assert_null(buffer_reserve(buffer, 1));
	cr_assert(slice_equal(buffer_slice(buffer), SLICE("abc")));
	buffer_clear(buffer);
	cr_assert_not(buffer_failed(buffer));
	buffer_append_text(buffer, "defgh");
	cr_assert(slice_equal(buffer_slice(buffer), SLICE("defgh")));
}

Test(buffer, a_limit_of_nothing)
{
	struct buffer *buffer = buffer_new(arena, 0);

	buffer_append(buffer, SLICE(""));
	cr_assert_not(buffer_failed(buffer));
	buffer_append_byte(buffer, 'a');
	cr_assert(buffer_failed(buffer));
}

Test(buffer, reserve)
{
	struct buffer *buffer = buffer_new(arena, 5000);

	buffer_append_text(buffer, "ab");
	memcpy(buffer_reserve(buffer, 4998), "cd", 2);
	buffer->length += 2;
	cr_assert(slice_equal(buffer_slice(buffer), SLICE("abcd")));
	cr_assert_null(buffer_reserve(buffer, 4997));
	cr_assert(buffer_failed(buffer));
	buffer_clear(buffer);
	cr_assert_null(buffer_reserve(buffer, SIZE_MAX));
}

Test(buffer, quotes)
{
	static const struct {
		struct slice text;
		const char *quoted;
	} cases[] = {
		{{"", 0}, "\"\""},
		{{NULL, 0}, "\"\""},
		{{"plain \x7f/", 8}, "\"plain \x7f/\""},
		{{"\"\\", 2}, "\"\\\"\\\\\""},
		{{"\b\f\n\r\t", 5}, "\"\\b\\f\\n\\r\\t\""},
		{{"\0\x01\x1f", 3}, "\"\\u0000\\u0001\\u001f\""},
		{{"Zo\xc3\xab \xf0\x9f\x98\x80", 9}, "\"Zo\xc3\xab \xf0\x9f\x98\x80\""},
		{{"\xff", 1}, "\"\xef\xbf\xbd\""},
		{{"a\xc3", 2}, "\"a\xef\xbf\xbd\""},
		{{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
		{{"\xc3\"", 2}, "\"\xef\xbf\xbd\\\"\""},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct buffer *buffer = buffer_new(arena, 100);

		buffer_append_quoted(buffer, cases[i].text);
		cr_assert(slice_equal(buffer_slice(buffer), slice_of(cases[i].quoted)), "case %zu", i);
	}
}

Test(buffer, quotes_all_or_nothing)
{
	for (size_t limit = 0; limit < 14; limit++) {
		struct buffer *buffer = buffer_new(arena, 2 + limit);

		buffer_append_text(buffer, "x:");
		buffer_append_quoted(buffer, SLICE("a\n\x01zz"));
		cr_assert_eq(buffer_failed(buffer), limit < 13, "limit %zu", limit);
		cr_assert_eq(buffer_slice(buffer).length, limit < 13 ? 2U : 15U, "limit %zu", limit);
	}
}

Test(buffer, is_refused_when_the_arena_is_full)
{
	struct arena *small = arena_new(8);

	cr_assert_null(buffer_new(small, 10));
	arena_free(small);
	small = arena_new(sizeof(struct buffer));
	cr_assert_null(buffer_new(small, 10));
	arena_free(small);
}

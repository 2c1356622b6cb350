#include "base/slice.h"

#include "base/result.h"

#include <criterion/criterion.h>
#include <limits.h>

Test(slice, of_a_string_and_of_nothing)
{
	cr_assert_eq(slice_of("abc").length, 3);
	cr_assert_eq(slice_of(NULL).length, 0);
	cr_assert(slice_is_empty(slice_of("")));
	cr_assert_not(slice_is_empty(SLICE("\0")));
}

Test(slice, equal)
{
	struct slice nothing = {NULL, 0};

	cr_assert(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
	cr_assert_not(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
	cr_assert_not(slice_equal(SLICE("a"), SLICE("ab")));
	cr_assert(slice_equal(nothing, SLICE("")));
}

Test(slice, equal_ignoring_case_of_ascii_letters_only)
{
	cr_assert(slice_equal_ignoring_case(SLICE("aZ-1"), SLICE("Az-1")));
	cr_assert_not(slice_equal_ignoring_case(SLICE("a"), SLICE("ab")));
	cr_assert_not(slice_equal_ignoring_case(SLICE("@"), SLICE("`")));
	cr_assert_not(slice_equal_ignoring_case(SLICE("["), SLICE("{")));
	cr_assert_not(slice_equal_ignoring_case(SLICE("\xc3\x84"), SLICE("\xc3\xa4")));
}

Test(slice, starts_with_and_contains)
{
	cr_assert(slice_starts_with(SLICE("abc"), SLICE("ab")));
	cr_assert(slice_starts_with(SLICE("abc"), SLICE("")));
	cr_assert_not(slice_starts_with(SLICE("ab"), SLICE("abc")));
	cr_assert_not(slice_starts_with(SLICE("abc"), SLICE("bc")));
	cr_assert(slice_contains(SLICE("a\0b"), 'b'));
	cr_assert_not(slice_contains((struct slice){NULL, 0}, '\0'));
}

Test(slice, compare_orders_bytes_unsigned_and_the_shorter_first)
{
	cr_assert_lt(slice_compare(SLICE("a"), SLICE("b")), 0);
	cr_assert_gt(slice_compare(SLICE("\xff"), SLICE("a")), 0);
	cr_assert_lt(slice_compare(SLICE("a"), SLICE("aa")), 0);
	cr_assert_gt(slice_compare(SLICE("b"), SLICE("aa")), 0);
	cr_assert_eq(slice_compare(SLICE("a"), SLICE("a")), 0);
	cr_assert_eq(slice_compare((struct slice){NULL, 0}, SLICE("")), 0);
}

Test(slice, from_is_clamped)
{
	cr_assert(slice_equal(slice_from(SLICE("abc"), 1), SLICE("bc")));
	cr_assert(slice_is_empty(slice_from(SLICE("abc"), 3)));
	cr_assert(slice_is_empty(slice_from(SLICE("abc"), SIZE_MAX)));
	cr_assert_null(slice_from((struct slice){NULL, 0}, 5).data);
}

Test(slice, trim)
{
	cr_assert(slice_equal(slice_trim(SLICE(" \t\n\v\f\r a b \r\n")), SLICE("a b")));
	cr_assert(slice_is_empty(slice_trim(SLICE(" \t "))));
	cr_assert(slice_equal(slice_trim(SLICE("\xc2\xa0" "a\0")), SLICE("\xc2\xa0" "a\0")));
}

Test(slice, split_gives_every_part_once)
{
	struct slice rest = SLICE("a,,b,");

	cr_assert(slice_equal(slice_split(&rest, ','), SLICE("a")));
	cr_assert(slice_equal(slice_split(&rest, ','), SLICE("")));
	cr_assert(slice_equal(slice_split(&rest, ','), SLICE("b")));
	cr_assert_not_null(rest.data);
	cr_assert(slice_is_empty(slice_split(&rest, ',')));
	cr_assert_null(rest.data);
	cr_assert_eq(rest.length, 0);
	cr_assert(slice_is_empty(slice_split(&rest, ',')));
	cr_assert_null(rest.data);
}

Test(slice, to_integer_takes_decimal_integers)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{"0", 0},           {"-0", 0},
		{"007", 7},         {"-12", -12},
		{"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN},
	};

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		int64_t value = 99;

		cr_assert(slice_to_integer(slice_of(good[i].text), INT64_MIN, INT64_MAX, &value), "%s", good[i].text);
		cr_assert_eq(value, good[i].value, "%s", good[i].text);
	}
}

Test(slice, to_integer_refuses_everything_else)
{
	static const struct slice bad[] = {
		{"", 0},     {NULL, 0},   {"-", 1},    {"+1", 2},  {" 1", 2},  {"1 ", 2},
		{"--1", 3},  {"1-", 2},   {"1.0", 3},  {"1e1", 3}, {"0x1", 3}, {"1\0", 2},
		{"\xb2", 1}, {"1,000", 5}, {"9223372036854775808", 19}, {"-9223372036854775809", 20},
		{"99999999999999999999999999", 26},
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		int64_t value = 99;

		cr_assert_not(slice_to_integer(bad[i], INT64_MIN, INT64_MAX, &value), "case %zu", i);
		cr_assert_eq(value, 99, "case %zu", i);
	}
}

Test(slice, to_integer_keeps_to_its_range)
{
	int64_t value = 99;

	cr_assert_not(slice_to_integer(SLICE("0"), 1, 3, &value));
	cr_assert_not(slice_to_integer(SLICE("4"), 1, 3, &value));
	cr_assert_eq(value, 99);
	cr_assert(slice_to_integer(SLICE("1"), 1, 3, &value));
	cr_assert(slice_to_integer(SLICE("3"), 1, 3, &value));
	cr_assert_eq(value, 3);
}

Test(slice, utf8_takes_the_ends_of_every_range)
{
	static const char *const good[] = {
		"",
		"plain\x7f",
		"\xc2\x80\xdf\xbf",
		"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
		"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
	};

	for (size_t i = 0; i < COUNT_OF(good); i++)
		cr_assert(slice_is_utf8(slice_of(good[i])), "case %zu", i);
	cr_assert(slice_is_utf8(SLICE("a\0b")));
	cr_assert_eq(slice_utf8_length(SLICE("\xf0\x9f\x98\x80")), 4);
	cr_assert_eq(slice_utf8_length(SLICE("")), 0);
}

Test(slice, utf8_refuses_what_lies_just_outside)
{
	static const char *const bad[] = {
		"\x80",             "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xc2",
		"\xc2\x41",         "\xe0\x9f\xbf", "\xed\xa0\x80",     "\xed\xbf\xbf",     "\xe2\x82",
		"\xe2\x82\x41",     "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98",
		"\xff",             "\xfe",         "ok\xc3",           "\xf8\x88\x80\x80\x80",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_assert_not(slice_is_utf8(slice_of(bad[i])), "case %zu", i);
}

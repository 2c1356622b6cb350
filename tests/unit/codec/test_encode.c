#include "codec/encode.h"

#include <criterion/criterion.h>
#include <stdlib.h>
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

TestSuite(encode, .init = open_arena, .fini = close_arena);

static struct slice every_byte(void)
{
	static char bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	return (struct slice){bytes, sizeof(bytes)};
}

Test(encode, hex)
{
	struct slice bytes;

	cr_assert(slice_equal(encode_hex(arena, SLICE("\x00\x7f\x80\xff")), SLICE("007f80ff")));
	cr_assert_not_null(encode_hex(arena, SLICE("")).data);
	cr_assert_eq(decode_hex(arena, SLICE("00aBfF"), &bytes), RESULT_OK);
	cr_assert(slice_equal(bytes, SLICE("\x00\xab\xff")));
	cr_assert_eq(decode_hex(arena, encode_hex(arena, every_byte()), &bytes), RESULT_OK);
	cr_assert(slice_equal(bytes, every_byte()));
}

Test(encode, hex_refuses)
{
	static const struct slice bad[] = {
		{"0", 1}, {"000", 3}, {"0g", 2}, {"g0", 2}, {" 0", 2}, {"0x", 2}, {"/0", 2}, {":0", 2},
		{"@0", 2}, {"`0", 2}, {"0\0", 2}, {"\xff\xff", 2}, {"-1", 2},
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct slice bytes = SLICE("untouched");

		cr_assert_eq(decode_hex(arena, bad[i], &bytes), RESULT_MALFORMED, "case %zu", i);
		cr_assert(slice_equal(bytes, SLICE("untouched")));
	}
}

static const struct {
	const char *bytes, *text;
} base64url_pairs[] = {
	{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},       {"foo", "Zm9v"},
	{"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"},
};

Test(encode, base64url)
{
	struct slice bytes;

	for (size_t i = 0; i < COUNT_OF(base64url_pairs); i++) {
		struct slice text = encode_base64url(arena, slice_of(base64url_pairs[i].bytes));

		cr_assert(slice_equal(text, slice_of(base64url_pairs[i].text)), "case %zu", i);
		cr_assert_eq(decode_base64url(arena, text, &bytes), RESULT_OK, "case %zu", i);
		cr_assert(slice_equal(bytes, slice_of(base64url_pairs[i].bytes)), "case %zu", i);
	}
	for (size_t length = 0; length <= 256; length++) {
		struct slice part = {every_byte().data, length};

		cr_assert_eq(decode_base64url(arena, encode_base64url(arena, part), &bytes), RESULT_OK);
		cr_assert(slice_equal(bytes, part));
	}
}

Test(encode, base64url_refuses)
{
	static const struct slice bad[] = {
		{"A", 1},     {"AAAAA", 5}, {"Zg==", 4}, {"Zg=", 3},  {"Zm8=", 4},    {"Zh", 2},  {"Zm9", 3},
		{"+/+/", 4},  {"AA A", 4},  {"AA\n", 3}, {"AA\0", 3}, {"\xff\xff", 2}, {"AA@A", 4}, {"AA[A", 4},
		{"AA`A", 4},  {"AA{A", 4},  {"AA:A", 4}, {"AA.A", 4}, {"=", 1},
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct slice bytes = SLICE("untouched");

		cr_assert_eq(decode_base64url(arena, bad[i], &bytes), RESULT_MALFORMED, "case %zu", i);
		cr_assert(slice_equal(bytes, SLICE("untouched")));
	}
}

// Of all texts of two and three characters exactly one stands for each run of one or two bytes.
Test(encode, base64url_has_one_text_for_each_run_of_bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct slice bytes;
	size_t accepted = 0;

	for (size_t i = 0; i < 64 * 64; i++) {
		char text[2] = {alphabet[i / 64], alphabet[i % 64]};

		arena_reset(arena);
		accepted += decode_base64url(arena, (struct slice){text, 2}, &bytes) == RESULT_OK;
	}
	cr_assert_eq(accepted, 256);
	accepted = 0;
	for (size_t i = 0; i < 64 * 64 * 64; i++) {
		char text[3] = {alphabet[i / 4096], alphabet[i / 64 % 64], alphabet[i % 64]};

		arena_reset(arena);
		accepted += decode_base64url(arena, (struct slice){text, 3}, &bytes) == RESULT_OK;
	}
	cr_assert_eq(accepted, 65536);
}

Test(encode, percent)
{
	static const struct {
		const char *text;
		bool plus_is_space;
		struct slice bytes;
	} cases[] = {
		{"", false, {"", 0}},
		{"plain-._~", false, {"plain-._~", 9}},
		{"a%20b+c", false, {"a b+c", 5}},
		{"a%20b+c", true, {"a b c", 5}},
		{"%2B+%2b", true, {"+ +", 3}},
		{"%00%fF%25", false, {"\0\xff%", 3}},
		{"%2541", false, {"%41", 3}},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct slice bytes;

		cr_assert_eq(decode_percent(arena, slice_of(cases[i].text), cases[i].plus_is_space, &bytes), RESULT_OK);
		cr_assert(slice_equal(bytes, cases[i].bytes), "case %zu", i);
	}
}

Test(encode, percent_of_every_byte_and_back)
{
	char every[256];
	struct slice back;
	for (int i = 0; i < 256; i++)
		every[i] = (char)i;
	struct slice text = encode_percent(arena, (struct slice){every, sizeof(every)});
	cr_assert_eq(text.length, 66 + 3 * 190);
	cr_assert(decode_percent(arena, text, true, &back) == RESULT_OK);
	cr_assert(slice_equal(back, (struct slice){every, sizeof(every)}));
	text = encode_percent(arena, SLICE("Jo+é@x.y/?#&~"));
	cr_assert(slice_equal(text, SLICE("Jo%2B%C3%A9%40x.y%2F%3F%23%26~")), "%.*s", (int)text.length, text.data);
}

Test(encode, percent_refuses)
{
	static const char *const bad[] = {"%", "%2", "a%", "a%2", "%g0", "%0g", "%%20", "% 1", "%+1", "%-1", "%0x"};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct slice bytes = SLICE("untouched");

		cr_assert_eq(decode_percent(arena, slice_of(bad[i]), true, &bytes), RESULT_MALFORMED, "%s", bad[i]);
		cr_assert(slice_equal(bytes, SLICE("untouched")));
	}
}

// The copy ends where its memory ends, so that a sanitizer sees a look behind it.
Test(encode, percent_does_not_read_past_the_end)
{
	static const char *const cut[] = {"abc%", "abc%4"};

	for (size_t i = 0; i < COUNT_OF(cut); i++) {
		size_t length = strlen(cut[i]);
		char *exact = malloc(length);
		struct slice bytes;

		memcpy(exact, cut[i], length);
		cr_assert_eq(decode_percent(arena, (struct slice){exact, length}, false, &bytes), RESULT_MALFORMED);
		free(exact);
	}
}

Test(encode, without_memory)
{
	struct arena *small = arena_new(5);
	struct slice bytes;

	cr_assert_null(encode_hex(small, SLICE("abc")).data);
	cr_assert_null(encode_base64url(small, SLICE("abcd")).data);
	cr_assert_eq(decode_hex(small, SLICE("000000000000"), &bytes), RESULT_NO_MEMORY);
	cr_assert_eq(decode_base64url(small, SLICE("AAAAAAAA"), &bytes), RESULT_NO_MEMORY);
	cr_assert_eq(decode_percent(small, SLICE("abcdef"), false, &bytes), RESULT_NO_MEMORY);
	arena_free(small);
}

Test(encode, crc16_is_the_one_of_redis_cluster)
{
	cr_assert_eq(encode_crc16(SLICE("")), 0);
	cr_assert_eq(encode_crc16(SLICE("123456789")), 0x31c3);
	cr_assert_eq(encode_crc16(SLICE("foo")) % 16384, 12182);
	cr_assert_eq(encode_crc16((struct slice){"\xff\0\xff", 3}), encode_crc16(SLICE("\xff\x00\xff")));
}

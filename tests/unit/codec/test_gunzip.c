#include "../../support/pieces.h"
#include "base/buffer.h"
#include "codec/gunzip.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MEMORY ((size_t)16 << 20)
#define UNLIMITED UINT64_MAX
#define PACKED "\x4b\x4c\x4a\xe6\x02\0\x4e\x81\x88\x47\x04\0\0\0" // behind a header: "abc", LF

static struct arena *arena;
static struct dice dice;

static void open_arena(void)
{
	arena = arena_new(MEMORY);
	dice = dice_new("gunzip");
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(gunzip, .init = open_arena, .fini = close_arena);

// How it ended, and what came out.
struct outcome {
	enum result result;
	enum gunzip_kind kind;
	struct slice content;
};

static struct buffer *new_buffer(void)
{
	struct buffer *buffer = buffer_new(arena, MEMORY);

	cr_assert_not_null(buffer);
	return buffer;
}

// Adds one member.
static void append_member(struct buffer *file, struct slice content)
{
	z_stream stream = {.next_in = (Bytef *)content.data, .avail_in = (uInt)content.length};

	cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound = deflateBound(&stream, (uLong)content.length);
	char *room = buffer_reserve(file, bound);
	cr_assert_not_null(room);
	stream.next_out = (Bytef *)room;
	stream.avail_out = (uInt)bound;
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	file->length += bound - stream.avail_out;
	deflateEnd(&stream);
}

static struct slice gzip(struct slice content)
{
	struct buffer *file = new_buffer();

	append_member(file, content);
	return buffer_slice(file);
}

static struct outcome unpack_pieces(struct slice file, size_t size, uint64_t limit)
{
	AUTO(arena_auto) struct arena *own = arena_new((size_t)1 << 20);
	struct gunzip *gunzip = gunzip_new(own, limit);
	struct buffer *out = new_buffer();
	AUTO(pieces_free) struct pieces pieces = {.rest = file, .size = size, .dice = &dice};
	struct slice content;
	struct outcome outcome = {.kind = GUNZIP_MORE};

	while ((outcome.result = gunzip_next(gunzip, &outcome.kind, &content)) == RESULT_OK) {
		if (outcome.kind == GUNZIP_END || outcome.kind == GUNZIP_CUT)
			break;
		if (outcome.kind == GUNZIP_CONTENT) {
			cr_assert_gt(content.length, 0);
			buffer_append(out, content);
			continue;
		}
		struct slice piece = pieces_next(&pieces);
		if (piece.data == NULL)
			gunzip_finish(gunzip);
		else
			gunzip_feed(gunzip, piece);
	}
	// It stays so.
	cr_assert_eq(gunzip_next(gunzip, &outcome.kind, &content), outcome.result);
	cr_assert_not(buffer_failed(out));
	outcome.content = buffer_slice(out);
	return outcome;
}

static void expect_same(struct outcome a, struct outcome b)
{
	cr_assert_eq(a.result, b.result);
	cr_assert(a.result != RESULT_OK || a.kind == b.kind);
	cr_assert(slice_equal(a.content, b.content));
}

static struct outcome unpack(struct slice file, uint64_t limit)
{
	struct outcome whole = unpack_pieces(file, PIECES_WHOLE, limit);

	expect_same(unpack_pieces(file, 1, limit), whole);
	for (int i = 0; i < 5; i++)
		expect_same(unpack_pieces(file, PIECES_RANDOM, limit), whole);
	return whole;
}

static void expect_content(struct slice file, struct slice content)
{
	struct outcome outcome = unpack(file, UNLIMITED);

	cr_assert_eq(outcome.result, RESULT_OK);
	cr_assert_eq(outcome.kind, GUNZIP_END);
	cr_assert(slice_equal(outcome.content, content));
}

static struct slice random_text(size_t length, uint64_t letters)
{
	char *text = arena_alloc(arena, length);

	for (size_t i = 0; i < length; i++)
		text[i] = (char)dice_roll(&dice, letters);
	return (struct slice){text, length};
}

Test(gunzip, content_comes_out)
{
	expect_content(gzip(SLICE("")), SLICE(""));
	expect_content(gzip(SLICE("a")), SLICE("a"));
	// About as much as is handed out at once, and packed badly and well.
	for (size_t length = 65534; length <= 65538; length++) {
		struct slice text = random_text(length, length % 2 == 0 ? 256 : 3);

		expect_content(gzip(text), text);
	}
	struct slice text = random_text(300000, 20);
	expect_content(gzip(text), text);
}

// Made by gzip -n, with a name, with all the optional parts of RFC 1952.
Test(gunzip, headers_of_others)
{
	expect_content(SLICE("\x1f\x8b\x08\0\0\0\0\0\0\x03" PACKED), SLICE("abc\n"));
	expect_content(SLICE("\x1f\x8b\x08\x08\0\0\0\0\0\x03name.csv\0" PACKED), SLICE("abc\n"));
	expect_content(SLICE("\x1f\x8b\x08\x1c\0\0\0\0\0\x03\x02\0xyname\0comment\0" PACKED), SLICE("abc\n"));
}

Test(gunzip, several_members)
{
	struct buffer *file = new_buffer();

	append_member(file, SLICE("one,"));
	append_member(file, SLICE(""));
	append_member(file, SLICE("two"));
	expect_content(buffer_slice(file), SLICE("one,two"));
	buffer_append(file, SLICE("\0\0\0\0\0\0\0"));
	expect_content(buffer_slice(file), SLICE("one,two"));
	append_member(file, SLICE(",three"));
	expect_content(buffer_slice(file), SLICE("one,two,three"));
}

Test(gunzip, anything_else_behind_the_last_member_is_damage)
{
	static const struct slice garbage[] = {{"x", 1}, {"\x8b", 1}, {"\0x", 2}, {"\x1f\x8c", 2}, {"a,b\n", 4}};

	for (size_t i = 0; i < COUNT_OF(garbage); i++) {
		struct buffer *file = new_buffer();

		append_member(file, SLICE("one"));
		buffer_append(file, garbage[i]);
		struct outcome outcome = unpack(buffer_slice(file), UNLIMITED);
		cr_assert_eq(outcome.result, RESULT_MALFORMED, "case %zu", i);
		cr_assert(slice_equal(outcome.content, SLICE("one")));
	}
}

// Wherever it ends too early it is cut, not damaged; all that came out is right.
Test(gunzip, cut)
{
	struct buffer *file = new_buffer();
	struct slice first = random_text(300, 20);

	append_member(file, first);
	size_t length = file->length;
	append_member(file, SLICE("second"));
	struct slice all = buffer_slice(file);
	for (size_t end = 0; end < all.length; end++) {
		struct outcome outcome = unpack((struct slice){all.data, end}, UNLIMITED);
		struct slice came = {outcome.content.data, outcome.content.length < 300 ? outcome.content.length : 300};

		cr_assert_eq(outcome.result, RESULT_OK);
		cr_assert_eq(outcome.kind, end == length ? GUNZIP_END : GUNZIP_CUT, "%zu of %zu", end, length);
		cr_assert(slice_starts_with(first, came));
	}
}

// Where little becomes much, what a piece holds may not fit in what is handed out at once.
Test(gunzip, cut_where_content_is_full)
{
	struct slice all = gzip(random_text(400000, 1));

	for (size_t end = 0; end < all.length; end++) {
		struct outcome outcome = unpack((struct slice){all.data, end}, UNLIMITED);

		cr_assert(outcome.result == RESULT_OK && outcome.kind == GUNZIP_CUT);
	}
}

// One bit is wrong, anywhere. It may be one that says nothing: in the header those of flags, time, speed and system,
// and in the last byte before the sum those behind the end.
Test(gunzip, damage)
{
	struct slice good = gzip(random_text(2000, 30));
	size_t refused = 0;

	for (size_t at = 0; at < good.length; at++) {
		char *bad = malloc(good.length);

		memcpy(bad, good.data, good.length);
		bad[at] ^= (char)(1 << dice_roll(&dice, 8));
		struct outcome outcome = unpack((struct slice){bad, good.length}, UNLIMITED);
		bool refuses = outcome.result == RESULT_MALFORMED || outcome.kind == GUNZIP_CUT;
		bool says_nothing = (at >= 3 && at <= 9) || at == good.length - 9;
		cr_assert(refuses || says_nothing, "byte %zu of %zu", at, good.length);
		refused += outcome.result == RESULT_MALFORMED;
		free(bad);
	}
	cr_assert_gt(refused, good.length * 9 / 10);
}

Test(gunzip, what_is_no_gzip)
{
	static const struct slice files[] = {
		{"a,b\n1,2\n", 8}, {"\0", 1}, {"x", 1}, {"\x8b\x1f", 2}, {"\x1f\x8c\x08", 3}, {"\x1f\x9d\x90", 3},
		{"PK\x03\x04", 4}, {"\x78\x9c\x4b\x4c", 4}, {"\x1f\x8b\x07\0\0\0\0\0\0\x03", 10},
	};

	for (size_t i = 0; i < COUNT_OF(files); i++)
		cr_assert_eq(unpack(files[i], UNLIMITED).result, RESULT_MALFORMED, "case %zu", i);
}

Test(gunzip, is_recognised)
{
	cr_assert(gunzip_is_gzip(SLICE("\x1f\x8b")));
	cr_assert(gunzip_is_gzip(SLICE("\x1f\x8b\x08\0")));
	cr_assert_not(gunzip_is_gzip(SLICE("\x1f")));
	cr_assert_not(gunzip_is_gzip(SLICE("")));
	cr_assert_not(gunzip_is_gzip((struct slice){NULL, 0}));
	cr_assert_not(gunzip_is_gzip(SLICE("\x8b\x1f")));
	cr_assert_not(gunzip_is_gzip(SLICE("email,id")));
}

static const size_t limits[] = {0, 1, 99, 65535, 65536, 65537, 131072, 200000};

Test(gunzip, limit)
{
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		struct slice text = random_text(limits[i] + 1, 4), file = gzip(text);
		struct slice allowed = {text.data, limits[i]};
		struct outcome over = unpack(file, limits[i]);

		cr_assert_eq(over.result, RESULT_TOO_LARGE, "limit %zu", limits[i]);
		cr_assert(slice_equal(over.content, allowed));
		cr_assert_eq(unpack(file, limits[i] + 1).kind, GUNZIP_END);
		cr_assert_eq(unpack(gzip(allowed), limits[i]).kind, GUNZIP_END);
	}
}

Test(gunzip, limit_is_for_all_members_together)
{
	struct buffer *file = new_buffer();

	append_member(file, SLICE("one"));
	append_member(file, SLICE("two"));
	cr_assert_eq(unpack(buffer_slice(file), 6).kind, GUNZIP_END);
	cr_assert_eq(unpack(buffer_slice(file), 5).result, RESULT_TOO_LARGE);
	cr_assert(slice_equal(unpack(buffer_slice(file), 5).content, SLICE("onetw")));
}

// A gigabyte of zeros in about five megabytes.
static struct slice bomb(void)
{
	z_stream stream = {.avail_in = 0};
	struct buffer *file = new_buffer();
	static Bytef zeros[1 << 20];
	size_t size = (size_t)8 << 20;

	cr_assert_eq(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_out = (Bytef *)buffer_reserve(file, size);
	stream.avail_out = (uInt)size;
	for (int megabyte = 1; megabyte <= 1024; megabyte++) {
		stream.next_in = zeros;
		stream.avail_in = sizeof(zeros);
		deflate(&stream, megabyte < 1024 ? Z_NO_FLUSH : Z_FINISH);
		cr_assert_eq(stream.avail_in, 0);
	}
	file->length = size - stream.avail_out;
	deflateEnd(&stream);
	return buffer_slice(file);
}

Test(gunzip, bomb_is_refused_at_the_limit)
{
	struct gunzip *gunzip = gunzip_new(arena, 100000000);
	struct slice content;
	enum gunzip_kind kind;
	enum result result;
	size_t total = 0;

	gunzip_feed(gunzip, bomb());
	while ((result = gunzip_next(gunzip, &kind, &content)) == RESULT_OK) {
		cr_assert_eq(kind, GUNZIP_CONTENT);
		total += content.length;
	}
	cr_assert_eq(result, RESULT_TOO_LARGE);
	cr_assert_eq(total, 100000000);
}

Test(gunzip, without_memory)
{
	size_t limit = 0;

	for (bool made = false; !made; limit += 1000) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);

		made = gunzip_new(small, UNLIMITED) != NULL;
	}
	cr_assert_lt(limit, 70000);
}

#include "../../support/pieces.h"
#include "base/buffer.h"
#include "codec/multipart.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY ((size_t)32 << 20)
#define TEXT(literal) {"" literal, sizeof(literal) - 1}
#define TYPE "multipart/form-data; boundary=b"
#define HEAD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"

static struct arena *arena;
static struct dice dice;

static void open_arena(void)
{
	arena = arena_new(MEMORY);
	dice = dice_new("multipart");
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(multipart, .init = open_arena, .fini = close_arena);

static struct buffer *new_buffer(void)
{
	struct buffer *buffer = buffer_new(arena, MEMORY);

	cr_assert_not_null(buffer);
	return buffer;
}

// "[name]content", "[name|filename]content", one behind the other.
static void write_event(struct buffer *out, const struct multipart_event *event)
{
	if (event->kind == MULTIPART_CONTENT) {
		cr_assert_gt(event->content.length, 0);
		buffer_append(out, event->content);
		return;
	}
	cr_assert_eq(event->kind, MULTIPART_PART);
	buffer_append_text(out, "[");
	buffer_append(out, event->name);
	buffer_append_text(out, event->filename.data == NULL ? "" : "|");
	buffer_append(out, event->filename);
	buffer_append_text(out, "]");
}

static void write_end(struct buffer *out, struct multipart *multipart, enum result result, enum multipart_kind kind)
{
	struct multipart_event event = {.kind = MULTIPART_MORE};

	cr_assert_eq(multipart_next(multipart, &event), result, "it stays");
	if (result == RESULT_OK) {
		cr_assert_eq(event.kind, kind, "it stays");
		buffer_append_text(out, kind == MULTIPART_END ? "." : "[cut]");
		return;
	}
	cr_assert(result == RESULT_MALFORMED || result == RESULT_TOO_LARGE || result == RESULT_UNSUPPORTED_TYPE);
	buffer_append_text(out, "!");
	buffer_append_text(out, multipart_fault(multipart));
}

static struct slice read_pieces(const char *type, struct slice body, size_t size)
{
	AUTO(arena_auto) struct arena *own = arena_new((size_t)1 << 20);
	struct multipart *multipart;
	struct multipart_event event;
	AUTO(pieces_free) struct pieces pieces = {.rest = body, .size = size, .dice = &dice};
	struct buffer *out = new_buffer();
	enum result result;

	cr_assert_eq(multipart_open(own, slice_of(type), &multipart), RESULT_OK, "%s", type);
	while ((result = multipart_next(multipart, &event)) == RESULT_OK) {
		if (event.kind == MULTIPART_END || event.kind == MULTIPART_CUT)
			break;
		if (event.kind != MULTIPART_MORE) {
			write_event(out, &event);
			continue;
		}
		struct slice piece = pieces_next(&pieces);
		if (piece.data == NULL)
			multipart_finish(multipart);
		else
			multipart_feed(multipart, piece);
	}
	write_end(out, multipart, result, event.kind);
	cr_assert_not(buffer_failed(out));
	return buffer_slice(out);
}

// What a body says, which is the same in whatever pieces it comes.
static struct slice read_body(const char *type, struct slice body)
{
	struct slice whole = read_pieces(type, body, PIECES_WHOLE);

	cr_assert(slice_equal(read_pieces(type, body, 1), whole), "byte by byte: %.*s", (int)whole.length, whole.data);
	for (int i = 0; i < 10; i++)
		cr_assert(slice_equal(read_pieces(type, body, PIECES_RANDOM), whole), "random pieces, round %d", i);
	return whole;
}

static void expect(const char *type, struct slice body, const char *wanted)
{
	struct slice got = read_body(type, body);

	cr_assert(slice_equal(got, slice_of(wanted)), "%.*s\ngave\n%.*s\nwanted\n%s", (int)body.length, body.data,
	          (int)got.length, got.data, wanted);
}

static const struct {
	struct slice body;
	const char *wanted;
} bodies[] = {
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--b--\r\n"), "[a]x."},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--b--"), "[a]x."},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--b\r\n" HEAD("c") "\r\ny\r\n--b--\r\n"), "[a]x[c]y."},
	{TEXT("--b--"), "."},
	// Empty content, with and without a line end of its own.
	{TEXT("--b\r\n" HEAD("a") "\r\n\r\n--b--"), "[a]."},
	{TEXT("--b\r\n" HEAD("a") "\r\n--b--"), "[a]."},
	{TEXT("--b\r\n" HEAD("a") "\r\n\r\n\r\n--b--"), "[a]\r\n."},
	// Before the first boundary and behind the last.
	{TEXT("\r\n--b\r\n" HEAD("a") "\r\nx\r\n--b--"), "[a]x."},
	{TEXT("pre--b\r\namble\r\n\r\n--b\r\n" HEAD("a") "\r\nx\r\n--b--\r\nepi\r\n--b\r\nlogue"), "[a]x."},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--b--junk"), "[a]x."},
	// Spaces behind a boundary.
	{TEXT("--b \t \r\n" HEAD("a") "\r\nx\r\n--b-- "), "[a]x."},
	// What is nearly a boundary is content.
	{TEXT("--b\r\n" HEAD("a") "\r\n\r\r\n-\r\n--\r\n--c\n--b\r--b-\r\n--b--"),
	 "[a]\r\r\n-\r\n--\r\n--c\n--b\r--b-."},
	{TEXT("--b\r\n" HEAD("a") "\r\n--c\r\n\r\r\n\r\n--b--"), "[a]--c\r\n\r\r\n."},
	{TEXT("--b\r\n" HEAD("a") "\r\n -\r\r\n--b--"), "[a] -\r."},
	{TEXT("--b\r\n" HEAD("a") "\r\n-\r\n--b--"), "[a]-."},
	{TEXT("--b\r\n" HEAD("a") "\r\n\r\r\n--b--"), "[a]\r."},
	// It ends before the last boundary.
	{TEXT(""), "[cut]"},
	{TEXT("--b"), "[cut]"},
	{TEXT("--b-"), "[cut]"},
	{TEXT("--b\r\n"), "[cut]"},
	{TEXT("--b\r\n" HEAD("a")), "[cut]"},
	{TEXT("--b\r\n" HEAD("a") "\r\nx"), "[a]x[cut]"},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--"), "[a]x[cut]"},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--b\r\n"), "[a]x[cut]"},
	{TEXT("no boundary at all"), "[cut]"},
	// LF alone ends no line.
	{TEXT("--b\n" HEAD("a") "\r\nx\r\n--b--"), "!a boundary is followed by neither CR LF nor two hyphens"},
	{TEXT("x\n--b\r\n" HEAD("a") "\r\nx\r\n--b--"), "."},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\n--b--\n"), "[a]x\n--b--\n[cut]"},
	{TEXT("--b\r\nA: b\n" HEAD("a") "\r\nx\r\n--b--"), "!a header of a part does not end with CR LF"},
	{TEXT("--b\r\nA: b\r" HEAD("a") "\r\nx\r\n--b--"), "!a header of a part does not end with CR LF"},
	// Something else behind the boundary.
	{TEXT("--bb\r\n"), "!a boundary is followed by neither CR LF nor two hyphens"},
	{TEXT("--b-x"), "!a boundary is followed by neither CR LF nor two hyphens"},
	{TEXT("--b -"), "!a boundary is followed by neither CR LF nor two hyphens"},
	{TEXT("--b\r\r\n"), "!a boundary is followed by neither CR LF nor two hyphens"},
	{TEXT("--b\r\n" HEAD("a") "\r\nx\r\n--bc"), "[a]x!a boundary is followed by neither CR LF nor two hyphens"},
};

Test(multipart, bodies)
{
	for (size_t i = 0; i < COUNT_OF(bodies); i++)
		expect(TYPE, bodies[i].body, bodies[i].wanted);
}

#define PART(headers) TEXT(headers "\r\n")

static const struct {
	struct slice head;
	const char *wanted;
} heads[] = {
	{PART("Content-Disposition: form-data; name=\"csv_file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n"),
	 "[csv_file|a.csv]x."},
	{PART("content-disposition:form-data;NAME=a;FileName=b.csv\r\n"), "[a|b.csv]x."},
	{PART("X: 1\r\nContent-Disposition: \t Form-Data ; name = \"a\" ; x=y;\r\nY:\r\n"), "[a]x."},
	{PART("Content-Disposition: form-data; filename=\"\"; name=\"\"\r\n"), "[|]x."},
	{PART("Content-Disposition: form-data; name=\"a;b=c\"; filename=\"d; name=e\"\r\n"), "[a;b=c|d; name=e]x."},
	{PART("Content-Disposition: form-data; name=\"a\\\"b\\\\\"; filename=\"C:\\dir\\n\\\"\\\\.csv\"\r\n"),
	 "[a\"b\\|C:\\dir\\n\"\\.csv]x."},
	{PART("Content-Disposition: form-data; name=\"a%22b\"; filename=\"\xc3\xa4\xff\"\r\n"),
	 "[a%22b|\xc3\xa4\xff]x."},
	{PART("Content-Disposition: form-data; name=a; filename*=UTF-8''b\r\n"), "[a]x."},
	{PART(HEAD("a") "Content-Transfer-Encoding: 8bit\r\n"), "[a]x."},
	{PART(HEAD("a") "Content-Transfer-Encoding: Binary \r\n"), "[a]x."},
	{PART(HEAD("a") "Content-Transfer-Encoding: base64\r\n"), "!the content of a part is encoded"},
	{PART(HEAD("a") "Content-Transfer-Encoding: quoted-printable\r\n"), "!the content of a part is encoded"},
	{PART(HEAD("a") "Content-Transfer-Encoding:\r\n"), "!the content of a part is encoded"},
	{PART(""), "!a part has no Content-Disposition"},
	{PART("Content-Type: text/csv\r\n"), "!a part has no Content-Disposition"},
	{PART("Content-Disposition: form-data\r\n"), "!a part has no name"},
	{PART("Content-Disposition: form-data; filename=a\r\n"), "!a part has no name"},
	{PART("Content-Disposition: attachment; name=a\r\n"), "!a part is no form-data"},
	{PART("Content-Disposition:\r\n"), "!a part is no form-data"},
	{PART(HEAD("a") HEAD("b")), "!a part has two Content-Dispositions"},
	{PART("Content-Disposition: form-data; name=a; name=b\r\n"), "!a part has two names"},
	{PART("Content-Disposition: form-data; name=a; filename=b; filename=\"c\"\r\n"), "!a part has two names"},
	{PART("Content-Disposition: form-data; name=\"a\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data; name=\"a\\\"\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data; name=\"a\"b\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data; name=\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data; =a\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data; =\"a\"\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data; name\r\n"), "!a Content-Disposition is malformed"},
	{PART("Content-Disposition: form-data;\r\n name=a\r\n"), "!a part has no name"},
	{PART("X: a\r\n b\r\n" HEAD("a")), "!a header of a part is malformed"},
	{PART("\tX: a\r\n" HEAD("a")), "!a header of a part is malformed"},
	{PART("X : a\r\n" HEAD("a")), "!a header of a part is malformed"},
	{PART(": a\r\n" HEAD("a")), "!a header of a part is malformed"},
	{PART("X\r\n" HEAD("a")), "!a header of a part is malformed"},
	{PART("X: \0\r\n" HEAD("a")), "!a header of a part does not end with CR LF"},
};

static struct slice body_with_head(struct slice head)
{
	struct buffer *body = new_buffer();

	buffer_append_text(body, "--b\r\n");
	buffer_append(body, head);
	buffer_append_text(body, "x\r\n--b--\r\n");
	return buffer_slice(body);
}

Test(multipart, heads)
{
	for (size_t i = 0; i < COUNT_OF(heads); i++)
		expect(TYPE, body_with_head(heads[i].head), heads[i].wanted);
}

static struct slice head_with(size_t headers, size_t length)
{
	struct buffer *head = new_buffer();

	buffer_append_text(head, HEAD("a"));
	for (size_t i = 1; i < headers; i++)
		buffer_append_text(head, i + 1 < headers || length == 0 ? "X: y\r\n" : "X: ");
	while (head->length + 4 < length)
		buffer_append_text(head, "y");
	buffer_append_text(head, length == 0 ? "\r\n" : "\r\n\r\n");
	cr_assert(length == 0 || head->length == length);
	return buffer_slice(head);
}

Test(multipart, header_limits)
{
	static const char count[] = "!a part has more than 16 headers";
	static const char size[] = "!the headers of a part are longer than 8 KiB";

	expect(TYPE, body_with_head(head_with(MULTIPART_HEADERS_MAXIMUM, 0)), "[a]x.");
	expect(TYPE, body_with_head(head_with(MULTIPART_HEADERS_MAXIMUM + 1, 0)), count);
	expect(TYPE, body_with_head(head_with(2, MULTIPART_HEAD_MAXIMUM)), "[a]x.");
	expect(TYPE, body_with_head(head_with(2, MULTIPART_HEAD_MAXIMUM + 1)), size);
	expect(TYPE, body_with_head(head_with(1300, 0)), count);
	expect(TYPE, body_with_head(head_with(2000, 0)), size);
	expect(TYPE, body_with_head(head_with(2, 100000)), size);
}

static size_t memory_in_use(void)
{
	struct mallinfo2 use = mallinfo2();

	return use.uordblks + use.hblkhd;
}

// `count` times the piece, behind the start.
static enum result read_endless(const char *start, struct slice piece, size_t count)
{
	struct multipart *multipart;
	struct multipart_event event;

	cr_assert_eq(multipart_open(arena, SLICE(TYPE), &multipart), RESULT_OK);
	multipart_feed(multipart, slice_of(start));
	size_t before = memory_in_use();
	for (size_t i = 0; i <= count; i++) {
		do {
			TRY(multipart_next(multipart, &event));
			cr_assert_neq(event.kind, MULTIPART_END);
		} while (event.kind != MULTIPART_MORE);
		multipart_feed(multipart, piece);
	}
	cr_assert_lt(memory_in_use() - before, 16384);
	return RESULT_OK;
}

// Preambles, headers, content, parts, spaces.
Test(multipart, endless_bodies_take_constant_memory)
{
	struct slice lines = SLICE("a,b\r\n--c\r\n-\r\n--\r\r\n"), parts = SLICE("--b\r\n" HEAD("a") "\r\nx\r\n");

	cr_assert_eq(read_endless("", lines, 1000000), RESULT_OK);
	cr_assert_eq(read_endless("--b\r\n", SLICE("X: y\r\n"), 1000000), RESULT_TOO_LARGE);
	cr_assert_eq(read_endless("--b\r\n", SLICE("X"), 1000000), RESULT_TOO_LARGE);
	cr_assert_eq(read_endless("--b\r\n" HEAD("a") "\r\n", lines, 1000000), RESULT_OK);
	cr_assert_eq(read_endless("", parts, 100000), RESULT_OK);
	cr_assert_eq(read_endless("--b", SLICE("    "), 1000000), RESULT_OK);
}

static const struct {
	const char *type;
	enum result result;
} types[] = {
	{"multipart/form-data; boundary=b", RESULT_OK},
	{"Multipart/Form-Data;BOUNDARY=\"b\"", RESULT_OK},
	{" multipart/form-data ; charset=utf-8; boundary = b ; x=y", RESULT_OK},
	{"multipart/form-data; x=\"; boundary=c\"; boundary=b;", RESULT_OK},
	{"multipart/form-data", RESULT_MALFORMED},
	{"multipart/form-data;", RESULT_MALFORMED},
	{"multipart/form-data; boundary", RESULT_MALFORMED},
	{"multipart/form-data; boundary=", RESULT_MALFORMED},
	{"multipart/form-data; boundary=\"\"", RESULT_MALFORMED},
	{"multipart/form-data; boundary=\"b", RESULT_MALFORMED},
	{"multipart/form-data; boundary=\"b\"c", RESULT_MALFORMED},
	{"multipart/form-data; boundary=\"b \"", RESULT_MALFORMED},
	{"multipart/form-data; boundary=b; boundary=b", RESULT_MALFORMED},
	{"multipart/form-data; boundary=b*", RESULT_MALFORMED},
	{"multipart/form-data; boundary=\"a\\\"b\"", RESULT_MALFORMED},
	{"multipart/form-data; boundary=b\r\nX: y", RESULT_MALFORMED},
	{"multipart/form-data; boundary=\xc3\xa4", RESULT_MALFORMED},
	{"multipart/form-data; charset; boundary=b", RESULT_MALFORMED},
	{"multipart/mixed; boundary=b", RESULT_UNSUPPORTED_TYPE},
	{"multipart/form-data2; boundary=b", RESULT_UNSUPPORTED_TYPE},
	{"text/csv", RESULT_UNSUPPORTED_TYPE},
	{"", RESULT_UNSUPPORTED_TYPE},
};

Test(multipart, content_types)
{
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct multipart *multipart = NULL;
		enum result result = multipart_open(arena, slice_of(types[i].type), &multipart);

		cr_assert_eq(result, types[i].result, "%s", types[i].type);
		cr_assert_eq(multipart == NULL, result != RESULT_OK);
		if (result == RESULT_OK)
			expect(types[i].type, SLICE("--b\r\n" HEAD("a") "\r\nx\r\n--b--"), "[a]x.");
	}
	expect("multipart/form-data; boundary=\"a b'()+_,-./:=?\"",
	       SLICE("--a b'()+_,-./:=?\r\n" HEAD("a") "\r\n\r\n--a b\r\n--a b'()+_,-./:=?--"), "[a]\r\n--a b.");
	expect("multipart/form-data; boundary=a(),/:=?c", SLICE("--a(),/:=?c--"), ".");
}

Test(multipart, boundary_limit)
{
	char boundary[MULTIPART_BOUNDARY_MAXIMUM + 1];
	struct multipart *multipart;

	memset(boundary, '-', sizeof(boundary));
	for (size_t length = 1; length <= sizeof(boundary); length++) {
		struct slice type = arena_format(arena, "multipart/form-data; boundary=%.*s", (int)length, boundary);
		struct slice body = arena_format(arena, "--%.*s\r\n" HEAD("a") "\r\n\r\n-%.*s\r\n--%.*s--", (int)length,
		                                 boundary, (int)length, boundary, (int)length, boundary);
		struct slice wanted = arena_format(arena, "[a]\r\n-%.*s.", (int)length, boundary);

		if (length <= MULTIPART_BOUNDARY_MAXIMUM)
			expect(type.data, body, wanted.data);
		else
			cr_assert_eq(multipart_open(arena, type, &multipart), RESULT_MALFORMED);
	}
}

// Content of bytes that boundaries are made of.
Test(multipart, any_content_comes_through)
{
	static const char bytes[] = "\r\r\n\n--bb \0";

	for (int round = 0; round < 3000; round++) {
		struct buffer *content = new_buffer(), *body = new_buffer(), *wanted = new_buffer();

		for (uint64_t length = dice_roll(&dice, 40); length > 0; length--)
			buffer_append_byte(content, bytes[dice_roll(&dice, sizeof(bytes))]);
		struct slice text = buffer_slice(content);
		bool has_boundary = slice_starts_with(text, SLICE("--bb")) ||
		                    memmem(text.data, text.length, "\r\n--bb", 6) != NULL;
		buffer_append_text(body, "--bb\r\n" HEAD("a") "\r\n");
		buffer_append(body, text);
		buffer_append_text(body, "\r\n--bb--");
		buffer_append_text(wanted, "[a]");
		buffer_append(wanted, text);
		buffer_append_text(wanted, ".");
		struct slice got = read_body("multipart/form-data; boundary=bb", buffer_slice(body));
		cr_assert(has_boundary || slice_equal(got, buffer_slice(wanted)), "round %d", round);
		arena_reset(arena);
	}
}

Test(multipart, without_memory)
{
	struct multipart *multipart = NULL;

	for (size_t limit = 0; multipart == NULL; limit += 10) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);
		enum result result = multipart_open(small, SLICE(TYPE), &multipart);

		cr_assert_eq(result, multipart == NULL ? RESULT_NO_MEMORY : RESULT_OK);
		cr_assert_lt(limit, 2000);
	}
}

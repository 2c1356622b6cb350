#include "../../support/pieces.h"
#include "codec/csv.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define TRANSCRIPT_MAXIMUM ((size_t)256 << 20)
#define TEXT(literal) {"" literal, sizeof(literal) - 1}

static struct arena *arena;
static struct dice dice;

static void open_arena(void)
{
	arena = arena_new((size_t)64 << 20);
	dice = dice_new("csv");
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(csv, .init = open_arena, .fini = close_arena);

static struct buffer *new_buffer(void)
{
	struct buffer *buffer = buffer_new(arena, TRANSCRIPT_MAXIMUM);

	cr_assert_not_null(buffer);
	return buffer;
}

// "1: a|b" or "1: fault in column 2: words", a line each; and the row as it stood in the file, where that is wanted.
static void write_row(struct buffer *out, const struct csv_row *row, bool with_raw)
{
	buffer_append_integer(out, row->line);
	buffer_append_text(out, ":");
	for (size_t i = 0; i < row->count; i++) {
		buffer_append_text(out, i == 0 ? " " : "|");
		buffer_append(out, row->fields[i]);
	}
	if (row->kind == CSV_FAULT) {
		cr_assert_eq(row->count, 0);
		buffer_append_text(out, " fault in column ");
		buffer_append_integer(out, (int64_t)row->column);
		buffer_append_text(out, ": ");
		buffer_append_text(out, row->fault);
	}
	buffer_append_text(out, "\n");
	if (!with_raw)
		return;
	buffer_append(out, row->raw);
	buffer_append_text(out, row->cut ? "[cut]\n" : "\n");
}

static char delimiter;

// Reads a file in pieces of `size` bytes, or of random ones, and tells what came out.
static struct slice read_pieces(struct slice file, size_t size, bool with_raw)
{
	AUTO(arena_auto) struct arena *own = arena_new((size_t)1 << 20);
	struct csv *csv = csv_new(own);
	struct buffer *out = new_buffer();
	AUTO(pieces_free) struct pieces pieces = {.rest = file, .size = size, .dice = &dice};
	struct csv_row row;

	for (;;) {
		cr_assert_eq(csv_next(csv, &row), RESULT_OK);
		if (row.kind == CSV_END)
			break;
		if (row.kind != CSV_MORE) {
			write_row(out, &row, with_raw);
			continue;
		}
		struct slice piece = pieces_next(&pieces);
		if (piece.data == NULL)
			csv_finish(csv);
		else
			csv_feed(csv, piece);
	}
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	cr_assert_eq(row.kind, CSV_END);
	delimiter = csv_delimiter(csv);
	cr_assert_not(buffer_failed(out));
	return buffer_slice(out);
}

// What a file says, which is the same in whatever pieces it comes.
static struct slice read_file(struct slice file)
{
	struct slice whole = read_pieces(file, PIECES_WHOLE, true);

	cr_assert(slice_equal(read_pieces(file, 1, true), whole), "byte by byte");
	for (int i = 0; i < 20; i++)
		cr_assert(slice_equal(read_pieces(file, PIECES_RANDOM, true), whole), "random pieces, round %d", i);
	return read_pieces(file, PIECES_WHOLE, false);
}

static void expect(struct slice file, const char *rows)
{
	struct slice got = read_file(file);

	cr_assert(slice_equal(got, slice_of(rows)), "%.*s\ngave\n%.*swanted\n%s", (int)file.length, file.data,
	          (int)got.length, got.data, rows);
}

static const struct {
	struct slice file;
	const char *rows;
} files[] = {
	{TEXT(""), ""},
	{TEXT("\n"), ""},
	{TEXT("\r\n\r\n"), ""},
	{TEXT("a"), "1: a\n"},
	{TEXT("a\n"), "1: a\n"},
	{TEXT("a,b\n1,2\n"), "1: a|b\n2: 1|2\n"},
	{TEXT("a,b\n1,2"), "1: a|b\n2: 1|2\n"},
	{TEXT("a,b\n,\n"), "1: a|b\n2: |\n"},
	{TEXT("a,b\n1,"), "1: a|b\n2: 1|\n"},
	{TEXT("a,b\n1,2,3\n4\n"), "1: a|b\n2: 1|2|3\n3: 4\n"},
	// Spaces belong to the field.
	{TEXT("a , b\n \n"), "1: a | b\n2:  \n"},
	{TEXT("a, \"b\"\n"), "1: a| \"b\"\n"},
	// Line ends.
	{TEXT("a,b\r\n1,2\r\n"), "1: a|b\n2: 1|2\n"},
	{TEXT("a,b\r1,2\r"), "1: a|b\n2: 1|2\n"},
	{TEXT("a,b\n1,2\r\n3,4\r5,6\n"), "1: a|b\n2: 1|2\n3: 3|4\n4: 5|6\n"},
	{TEXT("a\n\r1\n"), "1: a\n3: 1\n"},
	{TEXT("a\r\r\n1\r\n\n2"), "1: a\n3: 1\n5: 2\n"},
	// Empty lines.
	{TEXT("\n\na\n\n\r\n1\n\n"), "3: a\n6: 1\n"},
	{TEXT("a\n\"\"\n"), "1: a\n2: \n"},
	// Line ends within quotes.
	{TEXT("a,b\n\"1\n2\r\n3\r4\",5\n6,7\n"), "1: a|b\n2: 1\n2\r\n3\r4|5\n6: 6|7\n"},
	{TEXT("a\n\"1\r\"\n2\n"), "1: a\n2: 1\r\n4: 2\n"},
	{TEXT("a\n\"1\r\"\r\n2\n"), "1: a\n2: 1\r\n4: 2\n"},
	{TEXT("a\n\"\n\r\"\r\r2"), "1: a\n2: \n\r\n6: 2\n"},
	// Quotes.
	{TEXT("\"a\",\"b\"\n\"1,2\",\"\"\n"), "1: a|b\n2: 1,2|\n"},
	{TEXT("a\n\"say \"\"hello\"\"\"\n"), "1: a\n2: say \"hello\"\n"},
	{TEXT("a\n\"\"\"\"\n\"\"\"\"\"\"\n"), "1: a\n2: \"\n3: \"\"\n"},
	{TEXT("a,b\n\"x\"\"\",\"\"\"y\"\n"), "1: a|b\n2: x\"|\"y\n"},
	{TEXT("a,b\n12\" monitor,6\"\"\n"), "1: a|b\n2: 12\" monitor|6\"\"\n"},
	{TEXT("a,b\n\"12\" monitor,2\n"), "1: a|b\n2: 12 monitor|2\n"},
	{TEXT("a,b\n\"x\"y\"z\",2\n"), "1: a|b\n2: xy\"z\"|2\n"},
	{TEXT("a,b\n\"x\"\"y\"z\"\",\"1\" ,\n"), "1: a|b\n2: x\"yz\"\"|1 |\n"},
	{TEXT("a,b\n\"\"x,2\n"), "1: a|b\n2: x|2\n"},
	{TEXT("a\n\"x\""), "1: a\n2: x\n"},
	// A quote that is never closed.
	{TEXT("a,b\n1,\"2\n3,4\n"), "1: a|b\n2: fault in column 2: a quote is opened and never closed\n"},
	{TEXT("a\n\""), "1: a\n2: fault in column 1: a quote is opened and never closed\n"},
	{TEXT("a\n\"\"\""), "1: a\n2: fault in column 1: a quote is opened and never closed\n"},
	// The byte order mark.
	{TEXT("\xef\xbb\xbf" "a,b\n1,2\n"), "1: a|b\n2: 1|2\n"},
	{TEXT("\xef\xbb\xbf\"a\",b\n"), "1: a|b\n"},
	{TEXT("\xef\xbb\xbf\"a,;;\",b\n"), "1: a,;;|b\n"},
	{TEXT("\xef\xbb\xbf\r\na\n"), "2: a\n"},
	{TEXT("\xef\xbb\xbf"), ""},
	{TEXT("\xef\xbb\xbf\xef\xbb\xbf" "a"), "1: \xef\xbb\xbf" "a\n"},
	{TEXT("a\n\xef\xbb\xbf" "1\n"), "1: a\n2: \xef\xbb\xbf" "1\n"},
	{TEXT("\xef\xbb"), "1: \xef\xbb\n"},
	{TEXT("\xef\xbb,1\n"), "1: \xef\xbb|1\n"},
	// Bytes that are not UTF-8 are the caller's.
	{TEXT("a,b\n\xff,\xc3\n"), "1: a|b\n2: \xff|\xc3\n"},
};

Test(csv, rows)
{
	for (size_t i = 0; i < COUNT_OF(files); i++)
		expect(files[i].file, files[i].rows);
}

Test(csv, nul_is_a_byte_like_any_other)
{
	cr_assert(slice_equal(read_file(SLICE("a\0b,\0\n\"\0\"\n")), SLICE("1: a\0b|\0\n2: \0\n")));
}

static const struct {
	const char *header;
	char delimiter;
} headers[] = {
	{"", ','},
	{"email", ','},
	{"a,b", ','},
	{"a;b", ';'},
	{"a\tb", '\t'},
	{"a,b;c;d", ';'},
	{"a\tb;c\td", '\t'},
	{"a,b\tc", ','}, // ties
	{"a\tb;c", ','},
	{"a,b;c\td", ','},
	{"a;b,c;d,e", ','},
	{"\"a,b,c\";d", ';'}, // within quotes nothing counts
	{"\"a\"\",,\";d", ';'},
	{"a;\"b\n,,,\";c", ';'},
	{"a;\",,,\"\",\"\";\"", ';'},
	{"a \",,;;;", ';'}, // this quote opens nothing
	{"\"a\" \",,;;;", ';'},
	{"a;b\n1,2,3,4", ';'}, // only the first row
	{"a;b\r1,2,3,4", ';'},
	{"\n\r\na;b\n1,2,3,4", ';'},
	{"\xef\xbb\xbf\n\"a,,\";b\n1,2,3,4", ';'},
	{"\"a;;", ','},
};

Test(csv, delimiter_is_found_in_the_header)
{
	for (size_t i = 0; i < COUNT_OF(headers); i++) {
		struct slice file = slice_of(headers[i].header);

		read_file(file);
		cr_assert_eq(delimiter, headers[i].delimiter, "%s: '%c'", headers[i].header, delimiter);
	}
	expect(SLICE("a;b,c\n1;\"2;3\"\n4,5\n"), "1: a;b|c\n2: 1;\"2;3\"\n3: 4|5\n");
	expect(SLICE("a;b\n1,2;3\n"), "1: a|b\n2: 1,2|3\n");
	expect(SLICE("a\tb\n1 ,\t\"2\t\"\n"), "1: a|b\n2: 1 ,|2\t\n");
}

Test(csv, delimiter_is_not_known_before_the_first_row)
{
	struct csv *csv = csv_new(arena);
	struct csv_row row;

	cr_assert_eq(csv_delimiter(csv), '\0');
	csv_feed(csv, SLICE("a;b"));
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	cr_assert_eq(row.kind, CSV_MORE);
	cr_assert_eq(csv_delimiter(csv), '\0');
	csv_feed(csv, SLICE("\n"));
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	cr_assert_eq(row.kind, CSV_ROW);
	cr_assert_eq(csv_delimiter(csv), ';');
}

Test(csv, raw_is_the_row_as_it_stands_in_the_file)
{
	struct slice file = SLICE("\xef\xbb\xbf" "a;b\r\n\r\n \"1\n\r\n\" x\";\"\"\"\"\r\"x\r\ny\";\"z\"q\nlast;");
	struct slice wanted = SLICE("1: a|b\na;b\n"
	                            "3:  \"1\n \"1\n"
	                            "5:  x|\"\n\" x\";\"\"\"\"\n"
	                            "6: x\r\ny|zq\n\"x\r\ny\";\"z\"q\n"
	                            "8: last|\nlast;\n");

	read_file(file);
	cr_assert(slice_equal(read_pieces(file, PIECES_WHOLE, true), wanted));
}

static void append_repeated(struct buffer *buffer, char byte, size_t length)
{
	char *room = buffer_reserve(buffer, length);

	cr_assert_not_null(room);
	memset(room, byte, length);
	buffer->length += length;
}

// Byte by byte and in twenty random ways would take long.
static struct slice read_large_file(struct slice file)
{
	struct slice whole = read_pieces(file, PIECES_WHOLE, true);

	cr_assert(slice_equal(read_pieces(file, 65521, true), whole));
	cr_assert(slice_equal(read_pieces(file, PIECES_RANDOM, true), whole));
	return whole;
}

// The file has three lines, of which the first and the last are good; the second has this fault, or none.
static void expect_second_line(struct slice file, const char *fault)
{
	struct slice got = read_large_file(file), second = slice_from(got, strlen("1: a|b\na,b\n2: "));

	cr_assert(slice_starts_with(got, SLICE("1: a|b\na,b\n2: ")));
	cr_assert(slice_equal(slice_from(got, got.length - 11), SLICE("3: 3|4\n3,4\n")));
	if (fault == NULL)
		cr_assert_not(slice_starts_with(second, SLICE("fault")), "%.100s", second.data);
	else
		cr_assert(slice_starts_with(second, slice_of(fault)), "%.100s", second.data);
}

// The second field of its second line is `length` times x and `doubled` times a quote.
static struct slice file_with_field(size_t length, bool quoted, size_t doubled)
{
	struct buffer *file = new_buffer();

	buffer_append_text(file, quoted ? "a,b\n1,\"" : "a,b\n1,");
	append_repeated(file, 'x', length);
	append_repeated(file, '"', 2 * doubled);
	buffer_append_text(file, quoted ? "\"\n3,4\n" : "\n3,4\n");
	return buffer_slice(file);
}

Test(csv, field_limit)
{
	static const char fault[] = "fault in column 2: the field is longer than 1 MiB\n";

	expect_second_line(file_with_field(CSV_FIELD_MAXIMUM, false, 0), NULL);
	expect_second_line(file_with_field(CSV_FIELD_MAXIMUM + 1, false, 0), fault);
	expect_second_line(file_with_field(CSV_FIELD_MAXIMUM, true, 0), NULL);
	expect_second_line(file_with_field(CSV_FIELD_MAXIMUM + 1, true, 0), fault);
	expect_second_line(file_with_field(0, true, CSV_FIELD_MAXIMUM), NULL);
	expect_second_line(file_with_field(0, true, CSV_FIELD_MAXIMUM + 1), fault);
	expect_second_line(file_with_field(1, true, CSV_FIELD_MAXIMUM - 1), NULL);
	expect_second_line(file_with_field(CSV_FIELD_MAXIMUM, true, 1), fault);
}

// A line end within quotes counts, and what stands behind the closing quote.
Test(csv, field_limit_counts_every_byte)
{
	static const char fault[] = "fault in column 1: the field is longer than 1 MiB\n";

	for (int over = 0; over <= 1; over++) {
		struct buffer *file = new_buffer();

		buffer_append_text(file, "a,b\n\"\r");
		append_repeated(file, 'x', CSV_FIELD_MAXIMUM - 3);
		buffer_append_text(file, over ? "\"yyy,\r3,4\r" : "\"yy,\r3,4\r");
		struct slice got = read_large_file(buffer_slice(file));
		cr_assert(slice_starts_with(got, SLICE("1: a|b\na,b\n2: ")));
		cr_assert_eq(slice_starts_with(slice_from(got, 14), slice_of(fault)), over == 1);
		cr_assert(slice_equal(slice_from(got, got.length - 11), SLICE("4: 3|4\n3,4\n")));
	}
}

// Its second line is `length` bytes long, and `end`.
static struct slice file_with_row(size_t length, const char *end)
{
	struct buffer *file = new_buffer();

	buffer_append_text(file, "a,b\n");
	for (int i = 0; i < 4; i++) {
		append_repeated(file, 'x', CSV_FIELD_MAXIMUM - 2);
		buffer_append_text(file, ",");
	}
	append_repeated(file, 'y', length - 4 * (CSV_FIELD_MAXIMUM - 1));
	buffer_append_text(file, end);
	buffer_append_text(file, "\n3,4\n");
	return buffer_slice(file);
}

Test(csv, row_limit)
{
	static const char fault[] = "fault in column 5: the row is longer than 4 MiB\n";
	static const char next_fault[] = "fault in column 6: the row is longer than 4 MiB\n";

	expect_second_line(file_with_row(CSV_ROW_MAXIMUM, ""), NULL);
	expect_second_line(file_with_row(CSV_ROW_MAXIMUM, "\r"), NULL);
	expect_second_line(file_with_row(CSV_ROW_MAXIMUM + 1, ""), fault);
	expect_second_line(file_with_row(CSV_ROW_MAXIMUM - 1, ","), NULL);
	expect_second_line(file_with_row(CSV_ROW_MAXIMUM, ","), next_fault);
	expect_second_line(file_with_row(CSV_ROW_MAXIMUM - 3, ",\"\""), NULL);
	expect_second_line(file_with_row(CSV_ROW_MAXIMUM - 2, ",\"\""), next_fault);
}

Test(csv, limit_that_is_passed_first_is_told)
{
	static const char row_fault[] = "fault in column 5: the row is longer than 4 MiB\n";
	static const char field_fault[] = "fault in column 1: the field is longer than 1 MiB\n";
	struct buffer *file = new_buffer();

	expect_second_line(file_with_row(CSV_ROW_MAXIMUM + CSV_FIELD_MAXIMUM, ""), row_fault);
	buffer_append_text(file, "a,b\n\"");
	append_repeated(file, 'x', 2 * CSV_ROW_MAXIMUM);
	buffer_append_text(file, "\",1\n3,4\n");
	expect_second_line(buffer_slice(file), field_fault);
}

Test(csv, raw_of_a_row_over_the_limit_is_its_beginning)
{
	struct slice file = file_with_row(CSV_ROW_MAXIMUM + 1, ""), got = read_large_file(file);
	size_t at = strlen("1: a|b\na,b\n2: fault in column 5: the row is longer than 4 MiB\n");

	cr_assert(memcmp(got.data + at, file.data + 4, CSV_ROW_MAXIMUM) == 0);
	cr_assert(slice_equal(slice_from(got, at + CSV_ROW_MAXIMUM), SLICE("[cut]\n3: 3|4\n3,4\n")));
}

static struct slice file_with_columns(size_t columns)
{
	struct buffer *file = new_buffer();

	buffer_append_text(file, "a,b\n");
	append_repeated(file, ',', columns - 1);
	buffer_append_text(file, "\n3,4\n");
	return buffer_slice(file);
}

Test(csv, column_limit)
{
	static const char fault[] = "fault in column 16385: the row has more than 16384 columns\n";

	expect_second_line(file_with_columns(CSV_COLUMNS_MAXIMUM), NULL);
	expect_second_line(file_with_columns(CSV_COLUMNS_MAXIMUM + 1), fault);
	expect_second_line(file_with_columns(1000000), fault);
}

Test(csv, last_column_holds_what_it_should)
{
	struct csv *csv = csv_new(arena);
	struct buffer *file = new_buffer();
	struct csv_row row;

	append_repeated(file, ',', CSV_COLUMNS_MAXIMUM - 1);
	buffer_append_text(file, "x\n");
	csv_feed(csv, buffer_slice(file));
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	cr_assert_eq(row.count, CSV_COLUMNS_MAXIMUM);
	cr_assert(slice_equal(row.fields[CSV_COLUMNS_MAXIMUM - 1], SLICE("x")));
	cr_assert(slice_is_empty(row.fields[CSV_COLUMNS_MAXIMUM - 2]));
}

Test(csv, delimiter_is_looked_for_up_to_a_limit)
{
	for (int over = 0; over <= 1; over++) {
		struct buffer *file = new_buffer();

		append_repeated(file, 'x', CSV_SNIFFED_MAXIMUM - (over ? 0 : 1));
		buffer_append_text(file, ";b\n1;2\n");
		read_large_file(buffer_slice(file));
		cr_assert_eq(delimiter, over ? ',' : ';');
	}
}

Test(csv, header_over_the_limit_is_a_fault_like_any_other)
{
	struct buffer *file = new_buffer();

	append_repeated(file, 'x', CSV_FIELD_MAXIMUM + 1);
	buffer_append_text(file, "\n1,2\n");
	struct slice got = read_large_file(buffer_slice(file));
	cr_assert(slice_starts_with(got, SLICE("1: fault in column 1: the field is longer than 1 MiB\n")));
	cr_assert(slice_equal(slice_from(got, got.length - 11), SLICE("2: 1|2\n1,2\n")));
}

// The fault is the quote, not the limit that was passed because of it.
Test(csv, quote_that_swallows_the_file)
{
	struct buffer *file = new_buffer();

	buffer_append_text(file, "a,b\n1,\"2\n");
	for (int i = 0; i < 1000000; i++)
		buffer_append_text(file, "3,4\r\n");
	struct slice got = read_large_file(buffer_slice(file));
	cr_assert(slice_starts_with(slice_from(got, 11),
	                            SLICE("2: fault in column 2: a quote is opened and never closed\n")));
}

static size_t memory_in_use(void)
{
	struct mallinfo2 use = mallinfo2();

	return use.uordblks + use.hblkhd;
}

// A row of `count` times `piece`.
static void read_endless(const char *start, struct slice piece, size_t count, const char *end, const char *fault)
{
	struct csv *csv = csv_new(arena);
	struct csv_row row;

	csv_feed(csv, slice_of(start));
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(row.kind, CSV_MORE);
		csv_feed(csv, piece);
		cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	}
	csv_feed(csv, slice_of(end));
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	cr_assert_eq(row.kind, CSV_FAULT);
	cr_assert_str_eq(row.fault, fault);
	cr_assert(row.cut && row.raw.length == CSV_ROW_MAXIMUM);
	cr_assert_eq(csv_next(csv, &row), RESULT_OK);
	cr_assert(row.kind == CSV_ROW && row.count == 2);
}

Test(csv, gigabyte_in_one_row_takes_constant_memory)
{
	struct buffer *plain = new_buffer(), *mixed = new_buffer(), *columns = new_buffer();

	append_repeated(plain, 'x', (size_t)1 << 20);
	append_repeated(columns, ',', (size_t)1 << 20);
	while (mixed->length < (size_t)1 << 20)
		buffer_append_text(mixed, "\"\"xxxxxxxxxxxxxxxx,\r\nxxxxxxx");
	size_t before = memory_in_use();
	read_endless("1,", buffer_slice(plain), 1024, "\n1,2\n", "the field is longer than 1 MiB");
	cr_assert_lt(memory_in_use() - before, CSV_ROW_MAXIMUM + ((size_t)1 << 20));
	read_endless("1,\"", buffer_slice(mixed), 64, "\"\n1,2\n", "the field is longer than 1 MiB");
	read_endless("1,", buffer_slice(columns), 64, "\n1,2\n", "the row has more than 16384 columns");
	cr_assert_lt(memory_in_use() - before, 3 * (CSV_ROW_MAXIMUM + ((size_t)1 << 20)));
}

Test(csv, without_memory)
{
	size_t limit = 0;

	for (bool made = false; !made; limit += 1000) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);

		made = csv_new(small) != NULL;
	}
	cr_assert_gt(limit, CSV_COLUMNS_MAXIMUM * sizeof(struct slice));
	cr_assert_lt(limit, 1 << 20);
}

static const struct {
	struct slice field, written, guarded;
} written[] = {
	{TEXT(""), TEXT(""), TEXT("")},
	{TEXT("jo@example.com"), TEXT("jo@example.com"), TEXT("jo@example.com")},
	{TEXT(" a b "), TEXT(" a b "), TEXT(" a b ")},
	{TEXT("a,b"), TEXT("\"a,b\""), TEXT("\"a,b\"")},
	{TEXT("a;b"), TEXT("\"a;b\""), TEXT("\"a;b\"")},
	{TEXT("a\tb"), TEXT("\"a\tb\""), TEXT("\"a\tb\"")},
	{TEXT("a\rb"), TEXT("\"a\rb\""), TEXT("\"a\rb\"")},
	{TEXT("a\nb"), TEXT("\"a\nb\""), TEXT("\"a\nb\"")},
	{TEXT("\""), TEXT("\"\"\"\""), TEXT("\"\"\"\"")},
	{TEXT("a\"b\"\""), TEXT("\"a\"\"b\"\"\"\"\""), TEXT("\"a\"\"b\"\"\"\"\"")},
	{TEXT("\0\xff"), TEXT("\0\xff"), TEXT("\0\xff")},
	{TEXT("=1+2"), TEXT("=1+2"), TEXT("'=1+2")},
	{TEXT("+49 30 1"), TEXT("+49 30 1"), TEXT("'+49 30 1")},
	{TEXT("-1"), TEXT("-1"), TEXT("'-1")},
	{TEXT("@a"), TEXT("@a"), TEXT("'@a")},
	{TEXT("\t1"), TEXT("\"\t1\""), TEXT("\"'\t1\"")},
	{TEXT("\r1"), TEXT("\"\r1\""), TEXT("\"'\r1\"")},
	{TEXT("=\"a\",b"), TEXT("\"=\"\"a\"\",b\""), TEXT("\"'=\"\"a\"\",b\"")},
	{TEXT("="), TEXT("="), TEXT("'=")},
	{TEXT("a=1"), TEXT("a=1"), TEXT("a=1")},
	{TEXT("'"), TEXT("'"), TEXT("'")},
	{TEXT("'t"), TEXT("'t"), TEXT("'t")},
	{TEXT("'=1"), TEXT("'=1"), TEXT("''=1")},
	{TEXT("''"), TEXT("''"), TEXT("'''")},
	{TEXT("''=1"), TEXT("''=1"), TEXT("'''=1")},
};

static void expect_written(void (*write)(struct buffer *buffer, struct slice field), struct slice field,
                           struct slice wanted)
{
	struct buffer *buffer = new_buffer();

	write(buffer, field);
	cr_assert(slice_equal(buffer_slice(buffer), wanted), "%.*s became %.*s", (int)field.length, field.data,
	          (int)buffer->length, buffer_slice(buffer).data);
}

Test(csv, fields_are_written)
{
	for (size_t i = 0; i < COUNT_OF(written); i++) {
		expect_written(csv_write_field, written[i].field, written[i].written);
		expect_written(csv_write_protected, written[i].field, written[i].guarded);
	}
}

Test(csv, unprotect_takes_one_apostrophe_at_most)
{
	cr_assert(slice_equal(csv_unprotect(SLICE("'=1")), SLICE("=1")));
	cr_assert(slice_equal(csv_unprotect(SLICE("'\t")), SLICE("\t")));
	cr_assert(slice_equal(csv_unprotect(SLICE("''=1")), SLICE("'=1")));
	cr_assert(slice_equal(csv_unprotect(SLICE("'''")), SLICE("''")));
	cr_assert(slice_equal(csv_unprotect(SLICE("'a")), SLICE("'a")));
	cr_assert(slice_equal(csv_unprotect(SLICE("'")), SLICE("'")));
	cr_assert(slice_equal(csv_unprotect(SLICE("=1")), SLICE("=1")));
	cr_assert(slice_is_empty(csv_unprotect(SLICE(""))));
	cr_assert_null(csv_unprotect((struct slice){NULL, 0}).data);
}

static struct slice random_field(void)
{
	static const char bytes[] = "'''=+-@\t\r\n\",;a \xc3\xa4"; // and NUL
	size_t length = dice_roll(&dice, 7);
	char *field = arena_alloc(arena, length + 1);

	for (size_t i = 0; i < length; i++)
		field[i] = bytes[dice_roll(&dice, sizeof(bytes))];
	return (struct slice){field, length};
}

// No field begins as a formula does, and each comes back as it was.
Test(csv, protected_fields_come_back)
{
	for (int round = 0; round < 5000; round++) {
		struct buffer *file = new_buffer();
		struct csv *csv = csv_new(arena);
		struct slice first = random_field(), second = random_field();
		struct csv_row row;

		buffer_append_text(file, "a,b\n");
		csv_write_protected(file, first);
		buffer_append_byte(file, ',');
		csv_write_protected(file, second);
		csv_feed(csv, buffer_slice(file));
		csv_finish(csv);
		cr_assert_eq(csv_next(csv, &row), RESULT_OK);
		cr_assert_eq(csv_next(csv, &row), RESULT_OK);
		cr_assert(row.kind == CSV_ROW && row.count == 2);
		cr_assert(slice_equal(csv_unprotect(row.fields[0]), first));
		cr_assert(slice_equal(csv_unprotect(row.fields[1]), second));
		cr_assert(row.fields[0].length == 0 || memchr("=+-@\t\r", row.fields[0].data[0], 6) == NULL);
		arena_reset(arena);
	}
}

Test(csv, field_that_does_not_fit_is_not_written_in_part)
{
	for (size_t limit = 0; limit < 14; limit++) {
		struct buffer *buffer = buffer_new(arena, limit);

		buffer_append_text(buffer, "1,");
		csv_write_protected(buffer, SLICE("=\"a\",b"));
		cr_assert_eq(buffer_failed(buffer), limit < 13);
		cr_assert_eq(buffer->length, limit < 2 ? 0 : limit < 13 ? 2 : 13);
	}
}

// CSV: the first byte says how the rest, a file, is cut. Rows do not depend on that, and fields that are written come
// back.
#include "base/buffer.h"
#include "codec/csv.h"
#include "fuzz.h"

#include <string.h>

#define WRITTEN_MAXIMUM ((size_t)16 << 20)

static struct csv_row fuzz_next(struct csv *csv, struct slice *rest, uint32_t *state)
{
	struct csv_row row;

	for (;;) {
		REQUIRE(csv_next(csv, &row) == RESULT_OK);
		if (row.kind != CSV_MORE)
			return row;
		if (rest->length == 0)
			csv_finish(csv);
		else
			csv_feed(csv, fuzz_piece(rest, state));
	}
}

static void fuzz_require_same_fields(const struct csv_row *a, const struct csv_row *b)
{
	REQUIRE(a->kind == b->kind && a->count == b->count);
	for (size_t i = 0; i < a->count; i++)
		REQUIRE(slice_equal(a->fields[i], b->fields[i]));
}

static void fuzz_require_same(const struct csv_row *a, const struct csv_row *b)
{
	fuzz_require_same_fields(a, b);
	REQUIRE(a->line == b->line && slice_equal(a->raw, b->raw) && a->cut == b->cut);
	REQUIRE(a->column == b->column && a->fault == b->fault);
}

// Behind a header that says that the delimiter is a comma.
static void fuzz_write_and_read(struct arena *arena, const struct csv_row *row,
                                void (*write)(struct buffer *buffer, struct slice field))
{
	struct buffer *file = buffer_new(arena, WRITTEN_MAXIMUM);
	struct csv *csv = csv_new(arena);
	uint32_t whole = 0;

	REQUIRE(file && csv);
	buffer_append_text(file, "a,b");
	for (size_t i = 0; i < row->count; i++) {
		buffer_append_byte(file, i == 0 ? '\n' : ',');
		write(file, row->fields[i]);
	}
	REQUIRE(!buffer_failed(file));
	struct slice rest = buffer_slice(file);
	(void)fuzz_next(csv, &rest, &whole);
	struct csv_row again = fuzz_next(csv, &rest, &whole);
	for (size_t i = 0; write == csv_write_protected && i < again.count; i++) {
		struct slice *field = (struct slice *)&again.fields[i];

		REQUIRE(field->length == 0 || !memchr("=+-@\t\r", field->data[0], 6));
		*field = csv_unprotect(*field);
	}
	if (row->count > 1 || row->fields[0].length > 0)
		fuzz_require_same_fields(&again, row);
}

static void fuzz_check_row(struct arena *arena, const struct csv_row *row, int64_t *line, bool writes)
{
	REQUIRE(row->line >= *line && row->raw.length > 0);
	*line = row->line + 1;
	if (row->kind == CSV_FAULT) {
		REQUIRE(row->count == 0 && row->column > 0 && row->fault);
		return;
	}
	REQUIRE(row->count > 0 && row->count <= CSV_COLUMNS_MAXIMUM);
	if (!writes)
		return;
	fuzz_write_and_read(arena, row, csv_write_field);
	fuzz_write_and_read(arena, row, csv_write_protected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice in_one = fuzz_slice(data + (size > 0), size - (size > 0)), in_pieces = in_one;
	struct csv *one = csv_new(arena), *pieces = csv_new(arena);
	uint32_t whole = 0, state = size > 0 ? (uint32_t)data[0] << 1 | 1 : 1;
	int64_t line = 1;
	int to_write = size > 0 ? data[0] % 8 : 0; // this row, since a reader costs more than a short file

	REQUIRE(one && pieces);
	for (;;) {
		struct csv_row row = fuzz_next(one, &in_one, &whole), other = fuzz_next(pieces, &in_pieces, &state);

		fuzz_require_same(&row, &other);
		if (row.kind == CSV_END)
			break;
		fuzz_check_row(arena, &row, &line, to_write-- == 0);
	}
	REQUIRE(csv_delimiter(one) == csv_delimiter(pieces) && memchr(",;\t", csv_delimiter(one), 3));
	return 0;
}

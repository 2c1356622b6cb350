#include "codec/csv.h"

#include "codec/csv_sniffer.h"

#include <endian.h>
#include <string.h>

#define CSV_EACH(byte) (UINT64_C(0x0101010101010101) * (unsigned char)(byte)) // eight of them

_Static_assert(CSV_FIELD_MAXIMUM == 1 << 20 && CSV_ROW_MAXIMUM == 4 << 20 && CSV_COLUMNS_MAXIMUM == 16384,
               "the faults name the limits");

enum csv_state {
	CSV_BEFORE_ROW,
	CSV_BEFORE_FIELD,
	CSV_PLAIN,
	CSV_QUOTED,
	CSV_QUOTE, // behind a quote within quotes: the closing one, or the first of two
};

// Where a value stands in its row. One that is strewn has quotes in between: then where the field stands.
struct csv_span {
	size_t start, length;
	bool strewn;
};

struct csv {
	struct buffer *head; // the start of the file, until the delimiter is known
	struct buffer *row;  // what earlier pieces had of this row
	struct buffer *text; // the values that were strewn
	struct csv_span *spans;
	struct slice *fields;

	struct slice input; // what is being read: the head, then each piece
	struct slice piece; // what comes next
	size_t at;          // in the input
	char before;        // the last byte of the input before
	bool finished, failed;
	struct csv_sniffer sniffer;
	char delimiter;
	int64_t line;

	// The present row; offsets count from its start.
	enum csv_state state;
	int64_t row_line;
	size_t row_kept;        // how much of it came before the input
	size_t row_at, row_end; // in the input: where the rest of it begins, where it ends
	size_t columns;         // that have ended
	const char *fault;
	size_t fault_column;

	// The present field.
	size_t field_start, value_length;
	bool quoted, strewn;
};

struct csv *csv_new(struct arena *arena)
{
	struct csv *csv = arena_alloc(arena, sizeof(*csv));

	if (csv == NULL)
		return NULL;
	csv->head = buffer_new(arena, CSV_SNIFFED_MAXIMUM);
	csv->row = buffer_new(arena, CSV_ROW_MAXIMUM);
	csv->text = buffer_new(arena, CSV_ROW_MAXIMUM);
	csv->spans = arena_array(arena, CSV_COLUMNS_MAXIMUM, sizeof(*csv->spans));
	csv->fields = arena_array(arena, CSV_COLUMNS_MAXIMUM, sizeof(*csv->fields));
	csv->input = csv->piece = SLICE("");
	csv->line = 1;
	if (csv->head == NULL || csv->row == NULL || csv->text == NULL || csv->spans == NULL || csv->fields == NULL)
		return NULL;
	return csv;
}

void csv_feed(struct csv *csv, struct slice piece)
{
	csv->piece = slice_is_empty(piece) ? SLICE("") : piece;
}

void csv_finish(struct csv *csv)
{
	csv->finished = true;
}

char csv_delimiter(const struct csv *csv)
{
	return csv->delimiter;
}

// Makes the input begin at the head, once that has told the delimiter.
static bool csv_find_delimiter(struct csv *csv)
{
	size_t room = CSV_SNIFFED_MAXIMUM - csv->head->length;
	struct slice part = {csv->piece.data, csv->piece.length < room ? csv->piece.length : room};

	buffer_append(csv->head, part);
	csv->failed = buffer_failed(csv->head);
	csv->piece = slice_from(csv->piece, part.length);
	struct slice head = buffer_slice(csv->head);
	bool can_grow = head.length < CSV_SNIFFED_MAXIMUM && !csv->finished;
	if (csv->failed || !csv_sniff(&csv->sniffer, head, can_grow, &csv->delimiter))
		return false;
	csv->input = slice_starts_with(head, CSV_BYTE_ORDER_MARK) ? slice_from(head, CSV_BYTE_ORDER_MARK.length) : head;
	return true;
}

// Has the top bit of each byte that is zero, and perhaps of some above the lowest of them.
static uint64_t csv_mark_zeros(uint64_t bytes)
{
	return (bytes - CSV_EACH(1)) & ~bytes & CSV_EACH(0x80);
}

// The first of `byte`, CR and LF, or the end. Fields are short, so this looks at eight bytes at a time: a call of
// memchr for each of the three would take longer than the field.
static const char *csv_find(const char *at, const char *end, char byte)
{
	uint64_t eight;

	for (; end - at >= (ptrdiff_t)sizeof(eight); at += sizeof(eight)) {
		memcpy(&eight, at, sizeof(eight));
		eight = le64toh(eight);
		uint64_t found = csv_mark_zeros(eight ^ CSV_EACH(byte)) | csv_mark_zeros(eight ^ CSV_EACH('\n')) |
		                 csv_mark_zeros(eight ^ CSV_EACH('\r'));
		if (found != 0)
			return at + __builtin_ctzll(found) / 8;
	}
	while (at < end && *at != byte && *at != '\n' && *at != '\r')
		at++;
	return at;
}

// Where the reader stands in the row.
static size_t csv_offset(const struct csv *csv)
{
	return csv->row_kept + csv->at - csv->row_at;
}

static void csv_note_fault(struct csv *csv, const char *fault)
{
	if (csv->fault != NULL)
		return;
	csv->fault = fault;
	csv->fault_column = csv->columns + 1;
}

// Of two limits that were passed since the last look the one that was passed first counts, so that pieces do not
// matter.
static void csv_check_limits(struct csv *csv)
{
	size_t offset = csv_offset(csv);
	size_t row_excess = offset > CSV_ROW_MAXIMUM ? offset - CSV_ROW_MAXIMUM : 0;
	size_t field_excess = csv->value_length > CSV_FIELD_MAXIMUM ? csv->value_length - CSV_FIELD_MAXIMUM : 0;

	if (field_excess > 0 && field_excess >= row_excess)
		csv_note_fault(csv, "the field is longer than 1 MiB");
	else if (row_excess > 0)
		csv_note_fault(csv, "the row is longer than 4 MiB");
}

// Counts the line end at hand; the LF of a CR LF is none.
static void csv_pass_line_end(struct csv *csv)
{
	char before = csv->at > 0 ? csv->input.data[csv->at - 1] : csv->before;

	csv->line += csv->input.data[csv->at] == '\r' || before != '\r';
	csv->at++;
}

static void csv_begin_row(struct csv *csv)
{
	csv->state = CSV_BEFORE_FIELD;
	csv->row_line = csv->line;
	csv->row_kept = 0;
	csv->row_at = csv->at;
	csv->columns = 0;
	csv->fault = NULL;
	buffer_clear(csv->row);
}

static void csv_begin_field(struct csv *csv)
{
	csv->field_start = csv_offset(csv);
	csv->value_length = 0;
	csv->strewn = false;
	csv->quoted = csv->at < csv->input.length && csv->input.data[csv->at] == '"';
	csv->state = csv->quoted ? CSV_QUOTED : CSV_PLAIN;
	csv->at += csv->quoted;
}

static void csv_end_field(struct csv *csv)
{
	struct csv_span span = {csv->field_start + csv->quoted, csv->value_length, csv->strewn};

	csv_check_limits(csv);
	if (csv->strewn)
		span = (struct csv_span){csv->field_start, csv_offset(csv) - csv->field_start, true};
	if (csv->columns < CSV_COLUMNS_MAXIMUM)
		csv->spans[csv->columns] = span;
	else
		csv_note_fault(csv, "the row has more than 16384 columns");
	csv->columns++;
}

// Reads on to `byte` or a line end; false where the input ends before.
static bool csv_read_value(struct csv *csv, char byte)
{
	const char *end = csv->input.data + csv->input.length, *from = csv->input.data + csv->at;
	const char *found = csv_find(from, end, byte);

	csv->at += (size_t)(found - from);
	csv->value_length += (size_t)(found - from);
	csv_check_limits(csv);
	return found < end;
}

static void csv_read_quoted(struct csv *csv)
{
	if (!csv_read_value(csv, '"'))
		return;
	if (csv->input.data[csv->at] == '"') {
		csv->state = CSV_QUOTE;
		csv->at++;
		return;
	}
	csv->value_length++;
	csv_pass_line_end(csv);
}

static void csv_read_behind_quote(struct csv *csv)
{
	bool doubled = csv->input.data[csv->at] == '"';

	csv->state = doubled ? CSV_QUOTED : CSV_PLAIN;
	csv->strewn |= doubled;
	csv->value_length += doubled;
	csv->at += doubled;
}

// True at the end of the row.
static bool csv_read_plain(struct csv *csv)
{
	size_t length = csv->value_length;
	bool found = csv_read_value(csv, csv->delimiter);

	csv->strewn |= csv->quoted && csv->value_length > length;
	if (!found)
		return false;
	csv_end_field(csv);
	if (csv->input.data[csv->at] == csv->delimiter) {
		csv->state = CSV_BEFORE_FIELD;
		csv->at++;
		return false;
	}
	csv->state = CSV_BEFORE_ROW;
	csv->row_end = csv->at;
	csv_pass_line_end(csv);
	return true;
}

// Reads on to the end of a row; false where the input ends before.
static bool csv_read_row(struct csv *csv)
{
	while (csv->at < csv->input.length) {
		char byte = csv->input.data[csv->at];

		switch (csv->state) {
		case CSV_BEFORE_ROW:
			if (byte == '\n' || byte == '\r')
				csv_pass_line_end(csv);
			else
				csv_begin_row(csv);
			break;
		case CSV_BEFORE_FIELD:
			csv_begin_field(csv);
			break;
		case CSV_PLAIN:
			if (csv_read_plain(csv))
				return true;
			break;
		case CSV_QUOTED:
			csv_read_quoted(csv);
			break;
		case CSV_QUOTE:
			csv_read_behind_quote(csv);
			break;
		}
	}
	return false;
}

// Keeps what the input has of the row, as far as the limit goes.
static void csv_keep(struct csv *csv, size_t end)
{
	size_t room = CSV_ROW_MAXIMUM - csv->row->length, length = end - csv->row_at;

	buffer_append(csv->row, (struct slice){csv->input.data + csv->row_at, length < room ? length : room});
	csv->failed |= buffer_failed(csv->row);
	csv->row_kept += length;
}

// Makes the piece the input.
static void csv_take_piece(struct csv *csv)
{
	if (csv->state != CSV_BEFORE_ROW)
		csv_keep(csv, csv->input.length);
	if (csv->input.length > 0)
		csv->before = csv->input.data[csv->input.length - 1];
	csv->input = csv->piece;
	csv->piece = SLICE("");
	csv->at = csv->row_at = 0;
}

// Copies a field without its quotes; returns the length of its value.
static size_t csv_take_quotes_off(struct slice field, char *value)
{
	struct slice rest = slice_from(field, 1);
	size_t length = 0;
	bool doubled;

	do {
		const char *quote = memchr(rest.data, '"', rest.length);
		size_t run = (size_t)(quote - rest.data);

		doubled = run + 1 < rest.length && quote[1] == '"';
		memcpy(value + length, rest.data, run + doubled);
		length += run + doubled;
		rest = slice_from(rest, run + 1 + doubled);
	} while (doubled);
	memcpy(value + length, rest.data, rest.length);
	return length + rest.length;
}

static bool csv_fill_fields(struct csv *csv, struct slice raw)
{
	char *room = NULL;

	buffer_clear(csv->text);
	for (size_t i = 0; i < csv->columns; i++) {
		struct slice place = {raw.data + csv->spans[i].start, csv->spans[i].length};

		csv->fields[i] = place;
		if (!csv->spans[i].strewn)
			continue;
		if (room == NULL)
			room = buffer_reserve(csv->text, raw.length);
		if (room == NULL)
			return false;
		csv->fields[i] = (struct slice){room, csv_take_quotes_off(place, room)};
		room += csv->fields[i].length;
	}
	return true;
}

static void csv_give_row(struct csv *csv, struct csv_row *row)
{
	size_t length = csv->row_kept + csv->row_end - csv->row_at;
	struct slice raw = {csv->input.data + csv->row_at, length < CSV_ROW_MAXIMUM ? length : CSV_ROW_MAXIMUM};

	if (csv->row_kept > 0) {
		csv_keep(csv, csv->row_end);
		raw = buffer_slice(csv->row);
	}
	*row = (struct csv_row){.line = csv->row_line, .raw = raw, .cut = raw.length < length};
	if (csv->fault != NULL) {
		row->kind = CSV_FAULT;
		row->fault = csv->fault;
		row->column = csv->fault_column;
		return;
	}
	row->kind = CSV_ROW;
	row->fields = csv->fields;
	row->count = csv->columns;
	csv->failed |= !csv_fill_fields(csv, raw);
}

// What stands behind the last line end.
static void csv_give_rest(struct csv *csv, struct csv_row *row)
{
	if (csv->state == CSV_BEFORE_ROW) {
		row->kind = CSV_END;
		return;
	}
	if (csv->state == CSV_QUOTED) {
		csv->fault = NULL; // a limit that was passed behind the quote is only what came of it
		csv_note_fault(csv, "a quote is opened and never closed");
	}
	if (csv->state == CSV_BEFORE_FIELD)
		csv_begin_field(csv);
	csv_end_field(csv);
	csv->state = CSV_BEFORE_ROW;
	csv->row_end = csv->at;
	csv_give_row(csv, row);
}

static void csv_look_further(struct csv *csv, struct csv_row *row)
{
	while (!csv->failed && !csv_read_row(csv)) {
		bool was_last = csv->piece.length == 0;

		csv_take_piece(csv);
		if (!was_last)
			continue;
		if (csv->finished)
			csv_give_rest(csv, row);
		return;
	}
	csv_give_row(csv, row);
}

enum result csv_next(struct csv *csv, struct csv_row *row)
{
	struct csv_row next = {.kind = CSV_MORE};

	if (!csv->failed && (csv->delimiter != '\0' || csv_find_delimiter(csv)))
		csv_look_further(csv, &next);
	if (csv->failed)
		return RESULT_NO_MEMORY;
	*row = next;
	return RESULT_OK;
}

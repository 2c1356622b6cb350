// The writing half of codec/csv.
#include "codec/csv.h"

#include <string.h>

// What a spreadsheet takes for the start of a formula.
static bool csv_is_formula_start(char byte)
{
	return memchr("=+-@\t\r", byte, 6) != NULL;
}

struct slice csv_unprotect(struct slice field)
{
	if (field.length < 2 || field.data[0] != '\'')
		return field;
	return field.data[1] == '\'' || csv_is_formula_start(field.data[1]) ? slice_from(field, 1) : field;
}

static bool csv_needs_quotes(struct slice field)
{
	for (size_t i = 0; i < field.length; i++) {
		switch (field.data[i]) {
		case '"':
		case '\r':
		case '\n':
		case ',':
		case ';':
		case '\t':
			return true;
		default:
			break;
		}
	}
	return false;
}

static void csv_write(struct buffer *buffer, const char *prefix, struct slice field)
{
	size_t before = buffer->length;
	const char *quote = csv_needs_quotes(field) ? "\"" : "";

	buffer_append_text(buffer, quote);
	buffer_append_text(buffer, prefix);
	while (!slice_is_empty(field)) {
		bool has_quote = slice_contains(field, '"');

		buffer_append(buffer, slice_split(&field, '"'));
		buffer_append_text(buffer, has_quote ? "\"\"" : "");
	}
	buffer_append_text(buffer, quote);
	if (buffer_failed(buffer))
		buffer->length = before;
}

void csv_write_field(struct buffer *buffer, struct slice field)
{
	csv_write(buffer, "", field);
}

void csv_write_protected(struct buffer *buffer, struct slice field)
{
	bool is_formula = !slice_is_empty(field) && csv_is_formula_start(field.data[0]);
	bool would_lose = csv_unprotect(field).length < field.length;

	csv_write(buffer, is_formula || would_lose ? "'" : "", field);
}

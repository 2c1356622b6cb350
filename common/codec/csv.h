// CSV: a streaming reader of the files that spreadsheets and exports make, and a writer of fields. No I/O.
//
// Bytes are fed in pieces of any size; rows come out, and they do not depend on where the pieces were cut. Memory is
// bounded by the limits below, whatever the file: 9 MiB at worst, when a row is as long as it may be. A row over a
// limit costs that row only.
//
// It reads as Excel and Python's csv module do. Lines end with LF, CR LF or CR, mixed as they come. A field that
// begins with a quote goes on, over line ends, to the next quote that is not doubled; what stands between that and
// the delimiter belongs to it as it is. Other quotes are bytes like any other. Empty lines are counted but give no
// row. A UTF-8 byte order mark at the start is dropped. Fields are bytes: whether they are UTF-8 is the caller's
// question.
//
// The delimiter is the one out of comma, semicolon and tab that the first row, outside quotes, has most of; comma
// when two have as many or there is none.
//
// Python differs where a quote is never closed (here a fault), and knows neither the limits nor how to find the
// delimiter.
#ifndef CIOBRIDGE_CODEC_CSV_H
#define CIOBRIDGE_CODEC_CSV_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_FIELD_MAXIMUM ((size_t)1 << 20)    // bytes, after quotes are taken off: see the contract of csv-upload
#define CSV_ROW_MAXIMUM ((size_t)4 << 20)      // bytes, as in the file: a field of nothing but doubled quotes, twice
#define CSV_COLUMNS_MAXIMUM ((size_t)16384)    // as many as Excel has, and more than a project has topics (10,000)
#define CSV_SNIFFED_MAXIMUM ((size_t)64 << 10) // bytes of the file that are looked at for the delimiter

enum csv_kind {
	CSV_MORE,  // everything fed has been read; feed the next piece, or say that there is none
	CSV_ROW,
	CSV_FAULT, // a row that is no good; the next one may be
	CSV_END,
};

struct csv_row {
	enum csv_kind kind;
	int64_t line;               // of the file, on which it starts; the file's first is 1
	const struct slice *fields; // of a CSV_ROW
	size_t count;               // of fields, at least 1
	struct slice raw;           // as it stands in the file, without its line end; at most CSV_ROW_MAXIMUM bytes
	bool cut;                   // raw is only its beginning
	const char *fault;          // of a CSV_FAULT: what is wrong, in words
	size_t column;              // of a CSV_FAULT: in which column, from 1
};

struct csv;

// A reader at the start of a file. NULL without memory. Lives, with its buffers, as long as the arena, of which it
// takes less than 1 MiB.
struct csv *csv_new(struct arena *arena);

// The next piece of the file. It stays the caller's and must stay as it is until csv_next says CSV_MORE; only then
// may there be another one.
void csv_feed(struct csv *csv, struct slice piece);

// There are no more pieces: csv_next gives what is left, then CSV_END.
void csv_finish(struct csv *csv);

// The next row. What *row points to is good until the next call of csv_next or csv_feed. RESULT_NO_MEMORY, which
// stays.
enum result csv_next(struct csv *csv, struct csv_row *row);

// ',', ';' or '\t'; '\0' as long as it is not known, which it is from the first row on.
char csv_delimiter(const struct csv *csv);

// Adds a field as RFC 4180 section 2 says, in quotes where it holds a quote, a line end or any of the delimiters. An
// empty field is written as nothing, so a row of nothing else would be read as an empty line.
void csv_write_field(struct buffer *buffer, struct slice field);

// As csv_write_field, but no spreadsheet takes the field for a formula: an apostrophe is put before a field that
// begins with one of = + - @ TAB CR, or with an apostrophe that csv_unprotect would take away. So csv_unprotect of
// what is read back is the field again, whatever it is.
void csv_write_protected(struct buffer *buffer, struct slice field);

// Without the apostrophe at the start, if one of = + - @ TAB CR or another apostrophe follows. In a file that we did
// not write such an apostrophe may have been meant; it is lost.
struct slice csv_unprotect(struct slice field);

#endif

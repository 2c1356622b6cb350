// One file on its way into the opt-out list: pieces of it (receive) become rows (codec/csv), whose columns mean
// something (columns); a row becomes choices or an error (row); choices are recorded many at a time (batch); all of it
// is counted (tally).
#ifndef CIOBRIDGE_CSV_UPLOAD_UPLOAD_H
#define CIOBRIDGE_CSV_UPLOAD_UPLOAD_H

#include "columns.h"
#include "consent/choice.h"
#include "consent/topic_book.h"
#include "receive.h"

#define FAILURES_SHOWN 100

struct failure {
	int64_t line;
	struct slice label, error; // whose row it is, data NULL when nothing says so; what is wrong
};

struct tally {
	int64_t total_rows, rows_processed, users_with_optouts, users_skipped, parse_errors, preferences_updated;
	struct failure failures[FAILURES_SHOWN]; // the first ones
	struct slice header;                     // of the file of errors
	struct buffer *errors;                   // of that file, what is not kept yet
	size_t errors_length;                    // of all of it
	int64_t told_us;                         // when the job was last told
};

struct batch {
	struct arena *arena;
	struct choice *choices;
	size_t count, text_length;
	struct slice recipient; // of the last choice
	int64_t rows;           // that are done when this batch is
	struct choice_origin origin;
	struct recording *recording; // NULL: not sent
};

struct upload {
	struct request *request;
	struct slice project, id;
	struct slice source; // as asked; empty: the columns decide
	bool dry_run, mirror;
	int64_t as_of_ms;
	int64_t started_ms, started_us; // by Redis, and by this machine

	struct reception *reception;
	struct csv *csv;
	struct arena *scratch; // reset before each row
	struct columns columns;
	struct topic_book topics;
	struct batch batches[2], *gathering, *under_way;
	struct tally tally;
};

// An arena that goes with the request's. NULL without memory.
struct arena *upload_arena(struct request *request, size_t limit);

// RESULT_INVALID, with its fields in request->problem; RESULT_UNAVAILABLE, RESULT_NO_MEMORY.
enum result upload_read_options(struct upload *upload);

// Takes one row: its choices go into the batch, what is wrong with it into the tally.
enum result row_take(struct upload *upload, const struct csv_row *row);

enum result batch_open(struct upload *upload);

// Adds a choice; its recipient is copied. When enough have gathered they are recorded.
enum result batch_add(struct upload *upload, struct choice choice);

// Waits until no answer of the store is outstanding, so that it can be asked something else.
enum result batch_wait(struct upload *upload);

// Records all that has gathered.
enum result batch_settle(struct upload *upload);

// `header`: of the file; it heads the file of errors too.
enum result tally_open(struct upload *upload, const struct csv_row *header);

// Counts a row. `error`: what is wrong with it, data NULL: nothing.
enum result tally_row(struct upload *upload, const struct csv_row *row, struct slice error, size_t choices,
                      size_t opt_outs);

// Records what has gathered and tells the job how far it is: once a second at most, or when all rows have come.
enum result tally_tell(struct upload *upload);
enum result tally_end(struct upload *upload);

// Writes the members of the answer.
void tally_write(const struct upload *upload, struct json_writer *out);

#endif

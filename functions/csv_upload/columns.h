// What the columns of a file mean, by its header.
#ifndef CIOBRIDGE_CSV_UPLOAD_COLUMNS_H
#define CIOBRIDGE_CSV_UPLOAD_COLUMNS_H

#include "codec/csv.h"
#include "edge/endpoint.h"

#include <stdbool.h>
#include <stddef.h>

enum column_kind {
	COLUMN_RECIPIENT,
	COLUMN_ID,           // names the row where there is no recipient
	COLUMN_UNSUBSCRIBED, // true: out of all marketing
	COLUMN_PREFERENCES,  // JSON with topics
	COLUMN_CATEGORY,     // out of this one
	COLUMN_OPTED_OUT_AT, // when the choices of the row were made
	COLUMN_TOPIC,        // true or false: in or out of it
	COLUMN_KINDS,
};

struct column {
	enum column_kind kind;
	size_t rank, index; // which name of its kind; which cell of a row
	struct slice topic; // COLUMN_TOPIC: canonical; data NULL when its name has no topic
};

// Those of one kind, in the order in which they are looked at.
struct column_set {
	const struct column *items;
	size_t count;
};

struct columns {
	struct column_set of[COLUMN_KINDS];
	bool is_generic;    // the file is not Customer.io's
	bool says_category; // each row is an opt-out: of its category, or of all marketing when it names none
};

// `source`: "customerio" or "generic"; empty: the columns decide. RESULT_INVALID, with its detail in request->problem,
// when there is no column of recipients or none with anything to import; RESULT_NO_MEMORY.
enum result columns_read(struct request *request, const struct csv_row *header, struct slice source,
                         struct columns *columns);

// A cell, trimmed; one that the row does not have is empty.
struct slice column_cell(const struct column *column, const struct csv_row *row);

// The first one of this kind that is not empty.
struct slice columns_cell(const struct columns *columns, enum column_kind kind, const struct csv_row *row);

#endif

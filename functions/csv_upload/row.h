// One row while it is taken: shared by its parts.
#ifndef CIOBRIDGE_CSV_UPLOAD_ROW_H
#define CIOBRIDGE_CSV_UPLOAD_ROW_H

#include "upload.h"

struct row {
	const struct csv_row *cells;
	struct slice recipient;
	int64_t made_at_ms; // its opt-outs
	struct slice error; // the first thing that is wrong; data NULL: nothing
	size_t choices, opt_outs;
};

struct row_topic {
	struct slice topic; // canonical
	enum choice_value value;
};

// Notes what is wrong; what was noted first stays. `named`: bytes of the file, of which the first ones are repeated.
void row_refuse(struct row *row, const char *error);
void row_refuse_naming(struct upload *upload, struct row *row, const char *error, struct slice named);

// Choices as the mode allows them.
enum result row_choose(struct upload *upload, struct row *row, const struct category *category,
                       enum choice_value value);
enum result row_choose_topics(struct upload *upload, struct row *row, const struct row_topic *topics, size_t count);

// What the columns of preferences and of single topics say.
enum result row_take_preferences(struct upload *upload, struct row *row);
enum result row_take_topics(struct upload *upload, struct row *row);

#endif

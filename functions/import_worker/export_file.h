// An export of people while it is read.
#ifndef CIOBRIDGE_IMPORT_WORKER_EXPORT_FILE_H
#define CIOBRIDGE_IMPORT_WORKER_EXPORT_FILE_H

#include "codec/csv.h"
#include "consent/topic_book.h"
#include "run.h"

#define EXPORT_CHOICES 4096 // recorded at a time

struct export_file {
	struct run *run;
	struct csv *csv;
	struct topic_book topics;
	int64_t as_of_ms, total, rows, faults;
	bool has_header;
	size_t email, preferences; // columns
	struct choice *choices;    // not recorded yet; what they name lives in run->page
	size_t count, rows_kept;
	int64_t saved_us;
};

// Takes what a row says. Texts that it needs later live in run->page.
enum result export_row_take(struct export_file *file, const struct csv_row *row);

// Records the choices that have gathered, and from time to time saves how far it is.
enum result export_file_record(struct export_file *file);

#endif

// The file of an export of people, as it comes: a header, and a row for each (export_row).
#include "export_file.h"

#include "base/clock.h"

#define STEP "preferences"
#define FILE_MEMORY ((size_t)16 << 20)
#define ROWS_AT_ONCE 1000 // whose texts are kept until they are recorded
#define SAVE_US 500000
#define NO_COLUMN SIZE_MAX

enum result export_file_record(struct export_file *file)
{
	struct run *run = file->run;
	if (file->count > 0)
		TRY(run_record(run, file->choices, file->count));
	file->count = 0;
	if (clock_monotonic_us() - file->saved_us < SAVE_US)
		return job_go_on(run->job);
	file->saved_us = clock_monotonic_us();
	return run_save(run, STEP, file->rows, file->total, NULL, 0);
}

// Between rows, so that nothing of run->page is in use.
static enum result file_flush(struct export_file *file)
{
	TRY(export_file_record(file));
	arena_reset(file->run->page);
	file->rows_kept = 0;
	return RESULT_OK;
}

static size_t file_find_column(const struct csv_row *header, const char *name)
{
	for (size_t i = 0; i < header->count; i++) {
		if (slice_equal_ignoring_case(slice_trim(header->fields[i]), slice_of(name)))
			return i;
	}
	return NO_COLUMN;
}

static enum result file_read_header(struct export_file *file, const struct csv_row *header)
{
	file->has_header = true;
	file->email = file_find_column(header, "email");
	file->preferences = file_find_column(header, "cio_subscription_preferences");
	if (header->kind == CSV_ROW && file->email != NO_COLUMN && file->preferences != NO_COLUMN)
		return RESULT_OK;
	return run_refuse(file->run, RESULT_INVALID,
	                  SLICE("Customer.io's export has no columns email and cio_subscription_preferences."));
}

static enum result file_take_rows(struct export_file *file)
{
	for (;;) {
		struct csv_row row;
		TRY(csv_next(file->csv, &row));
		if (row.kind == CSV_MORE || row.kind == CSV_END)
			return RESULT_OK;
		if (!file->has_header)
			TRY(file_read_header(file, &row));
		else
			TRY(export_row_take(file, &row));
		if (++file->rows_kept >= ROWS_AT_ONCE)
			TRY(file_flush(file));
	}
}

static enum result file_take_piece(void *context, struct slice piece)
{
	struct export_file *file = context;
	csv_feed(file->csv, piece);
	return file_take_rows(file);
}

static enum result file_warn(struct export_file *file)
{
	if (file->faults == 0)
		return RESULT_OK;
	struct slice message = arena_format(file->run->page,
	                                    "%lld of %lld rows of the export could not be understood in all they say.",
	                                    (long long)file->faults, (long long)file->rows);
	return message.data != NULL ? run_warn(file->run, STEP, message) : RESULT_NO_MEMORY;
}

static enum result file_end(struct export_file *file)
{
	csv_finish(file->csv);
	TRY(file_take_rows(file));
	TRY(file_flush(file));
	TRY(file_warn(file));
	return run_save(file->run, STEP, file->rows, file->rows, NULL, 0);
}

// Counts from the beginning, whatever an earlier try has counted.
static enum result file_open(struct export_file *file, struct arena *arena)
{
	int64_t *counters = file->run->counters;
	file->csv = csv_new(arena);
	file->choices = arena_array(arena, EXPORT_CHOICES, sizeof(*file->choices));
	if (file->csv == NULL || file->choices == NULL)
		return RESULT_NO_MEMORY;
	counters[USERS_WITH_OPTOUTS] = 0;
	counters[CUSTOMERS_PROCESSED] = file->run->processed_before;
	counters[PEOPLE_WITHOUT_EMAIL] = file->run->without_email_before;
	return topic_book_open(file->run->store, arena, file->run->project, false, &file->topics);
}

enum result export_file_take(struct run *run, struct slice link, int64_t as_of_ms, int64_t total)
{
	AUTO(arena_auto) struct arena *arena = arena_new(FILE_MEMORY);
	struct export_file file = {.run = run, .as_of_ms = as_of_ms, .total = total};
	if (arena == NULL)
		return RESULT_NO_MEMORY;
	TRY(file_open(&file, arena));
	// What is said of a failure outlives the file.
	TRY(app_api_download(&run->api, run->job->arena, link, file_take_piece, &file));
	return file_end(&file);
}

// What became of the rows: the counters, the first errors for the answer, and all of them for a file.
#include "base/clock.h"
#include "consent/import.h"
#include "upload.h"

#define LABEL_MAXIMUM 512                    // bytes
#define ERROR_ROW_MAXIMUM ((size_t)32 << 10) // bytes that are kept of a row with an error
#define ERRORS_AT_ONCE ((size_t)128 << 10)   // bytes
#define ERRORS_LIMIT (ERRORS_AT_ONCE + 4 * ERROR_ROW_MAXIMUM) // in quotes, and quotes may be doubled
#define TELL_PAUSE_US 1000000

// As many cells of the row as are kept, each behind a comma.
static void tally_write_cells(struct buffer *out, const struct slice *cells, size_t count)
{
	size_t room = ERROR_ROW_MAXIMUM;
	for (size_t i = 0; i < count && room > 0; i++) {
		struct slice cell = cells[i];
		cell.length = cell.length < room ? cell.length : room - 1;
		room -= cell.length + 1 < room ? cell.length + 1 : room;
		buffer_append_byte(out, ',');
		csv_write_protected(out, cell);
	}
}

enum result tally_open(struct upload *upload, const struct csv_row *header)
{
	struct buffer *text = buffer_new(upload->request->arena, ERRORS_LIMIT);
	upload->tally.errors = buffer_new(upload->request->arena, ERRORS_LIMIT);
	if (text == NULL || upload->tally.errors == NULL)
		return RESULT_NO_MEMORY;
	buffer_append_text(text, "line,error");
	tally_write_cells(text, header->fields, header->count);
	buffer_append_text(text, "\r\n");
	upload->tally.header = buffer_slice(text);
	upload->tally.told_us = clock_monotonic_us();
	return buffer_failed(text) ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result tally_keep_errors(struct upload *upload)
{
	struct tally *tally = &upload->tally;
	TRY(import_add_errors(upload->request->store, upload->scratch, upload->project, upload->id,
	                      buffer_slice(tally->errors)));
	buffer_clear(tally->errors);
	return RESULT_OK;
}

static enum result tally_add_error(struct upload *upload, const struct csv_row *row, struct slice error)
{
	struct tally *tally = &upload->tally;
	struct buffer *errors = tally->errors;
	size_t before = errors->length;
	// What is beyond the limit is not kept, so it need not be sent.
	if (tally->errors_length > IMPORT_ERRORS_BYTES)
		return RESULT_OK;
	if (tally->errors_length == 0)
		buffer_append(errors, tally->header);
	buffer_append_integer(errors, row->line);
	buffer_append_byte(errors, ',');
	csv_write_field(errors, error);
	tally_write_cells(errors, row->kind == CSV_FAULT ? &row->raw : row->fields,
	                  row->kind == CSV_FAULT ? 1 : row->count);
	buffer_append_text(errors, "\r\n");
	if (buffer_failed(errors))
		return RESULT_NO_MEMORY;
	tally->errors_length += errors->length - before;
	if (errors->length < ERRORS_AT_ONCE)
		return RESULT_OK;
	TRY(batch_wait(upload));
	return tally_keep_errors(upload);
}

static struct slice tally_label(struct arena *arena, const struct columns *columns, const struct csv_row *row)
{
	struct slice recipient = columns_cell(columns, COLUMN_RECIPIENT, row);
	struct slice label = slice_is_empty(recipient) ? columns_cell(columns, COLUMN_ID, row) : recipient;
	if (slice_is_empty(label))
		return (struct slice){NULL, 0};
	if (label.length > LABEL_MAXIMUM)
		label.length = LABEL_MAXIMUM;
	if (!slice_is_empty(recipient))
		return arena_copy(arena, label);
	return arena_format(arena, "Customer.io ID: %.*s", (int)label.length, label.data);
}

static enum result tally_show_error(struct upload *upload, const struct csv_row *row, struct slice error)
{
	struct tally *tally = &upload->tally;
	struct arena *arena = upload->request->arena;
	if (tally->parse_errors >= FAILURES_SHOWN)
		return RESULT_OK;
	struct failure *failure = &tally->failures[tally->parse_errors];
	*failure = (struct failure){row->line, tally_label(arena, &upload->columns, row), arena_copy(arena, error)};
	return failure->error.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result tally_row(struct upload *upload, const struct csv_row *row, struct slice error, size_t choices,
                      size_t opt_outs)
{
	struct tally *tally = &upload->tally;
	if (error.data != NULL) {
		TRY(tally_show_error(upload, row, error));
		TRY(tally_add_error(upload, row, error));
		tally->parse_errors++;
	}
	tally->total_rows++;
	tally->users_with_optouts += opt_outs > 0;
	tally->users_skipped += choices == 0 && error.data == NULL;
	return RESULT_OK;
}

// As much as the part of the body that has come lets expect; 0 when the body's length is not known.
static int64_t tally_expected_rows(const struct upload *upload)
{
	double announced = (double)reception_announced(upload->reception), come = (double)upload->request->body_length;
	return come > 0 ? (int64_t)((double)upload->tally.total_rows * announced / come) : 0;
}

static enum result tally_progress(struct upload *upload, int64_t total)
{
	const struct tally *tally = &upload->tally;
	const struct import_counter counters[] = {
		{"total_rows", tally->total_rows},
		{"rows_processed", tally->rows_processed},
		{"users_with_optouts", tally->users_with_optouts},
		{"users_skipped", tally->users_skipped},
		{"parse_errors", tally->parse_errors},
		{"preferences_updated", tally->preferences_updated},
	};
	upload->tally.told_us = clock_monotonic_us();
	return import_progress(upload->request->store, upload->scratch, upload->project, upload->id,
	                       upload->dry_run ? "dry run" : "rows", tally->rows_processed, total, counters,
	                       COUNT_OF(counters));
}

enum result tally_tell(struct upload *upload)
{
	if (clock_monotonic_us() - upload->tally.told_us < TELL_PAUSE_US)
		return RESULT_OK;
	TRY(batch_settle(upload));
	return tally_progress(upload, tally_expected_rows(upload));
}

enum result tally_end(struct upload *upload)
{
	TRY(batch_settle(upload));
	TRY(tally_keep_errors(upload));
	return tally_progress(upload, upload->tally.total_rows);
}

static struct slice tally_errors_url(const struct upload *upload)
{
	const struct config *config = upload->request->config;
	if (upload->tally.parse_errors == 0)
		return (struct slice){NULL, 0};
	return arena_format(upload->request->arena, "%.*s/import/%.*s/%.*s/errors.csv", (int)config->public_url.length,
	                    config->public_url.data, (int)upload->project.length, upload->project.data,
	                    (int)upload->id.length, upload->id.data);
}

void tally_write(const struct upload *upload, struct json_writer *out)
{
	const struct tally *tally = &upload->tally;
	json_member_integer(out, "total_rows", tally->total_rows);
	json_member_integer(out, "rows_processed", tally->rows_processed);
	json_member_integer(out, "users_with_optouts", tally->users_with_optouts);
	json_member_integer(out, "users_skipped", tally->users_skipped);
	json_member_integer(out, "parse_errors", tally->parse_errors);
	json_member_integer(out, "preferences_updated", tally->preferences_updated);
	json_key(out, "failed_imports");
	json_open_array(out);
	for (int64_t i = 0; i < tally->parse_errors && i < FAILURES_SHOWN; i++) {
		json_open_object(out);
		json_member_integer(out, "line", tally->failures[i].line);
		json_member_text(out, "email", tally->failures[i].label);
		json_member_text(out, "error", tally->failures[i].error);
		json_close_object(out);
	}
	json_close_array(out);
	json_member_text(out, "errors_url", tally_errors_url(upload));
}

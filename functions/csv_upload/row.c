// One row of the file: what its cells say becomes choices, what they should not say its error. One bad cell does not
// keep the others from counting.
#include "base/clock.h"
#include "row.h"

#define SHOWN_MAXIMUM 64 // bytes of a cell that an error repeats

void row_refuse(struct row *row, const char *error)
{
	if (row->error.data == NULL)
		row->error = slice_of(error);
}

void row_refuse_naming(struct upload *upload, struct row *row, const char *error, struct slice named)
{
	int length = named.length < SHOWN_MAXIMUM ? (int)named.length : SHOWN_MAXIMUM;
	struct slice text = arena_format(upload->scratch, "%s: %.*s", error, length, length > 0 ? named.data : "");
	row_refuse(row, text.data != NULL ? text.data : error);
}

enum result row_choose(struct upload *upload, struct row *row, const struct category *category,
                       enum choice_value value)
{
	int64_t made_at_ms = row->made_at_ms;
	if (value == CHOICE_IN && !upload->mirror) {
		// Whoever is in by default needs no choice, and any real one is newer than this.
		if (category->subscribed_by_default)
			return RESULT_OK;
		made_at_ms = CHOICE_WEAKEST_MS;
	} else if (value == CHOICE_IN) {
		made_at_ms = upload->as_of_ms;
	}
	row->choices++;
	row->opt_outs += value == CHOICE_OUT;
	return batch_add(upload, (struct choice){row->recipient, category, value, made_at_ms});
}

static enum result row_take_unsubscribed(struct upload *upload, struct row *row)
{
	const struct column_set *set = &upload->columns.of[COLUMN_UNSUBSCRIBED];
	for (size_t i = 0; i < set->count; i++) {
		struct slice cell = column_cell(&set->items[i], row->cells);
		if (slice_equal_ignoring_case(cell, SLICE("true")) || slice_equal(cell, SLICE("1")))
			return row_choose(upload, row, &category_all, CHOICE_OUT);
	}
	return RESULT_OK;
}

// What we export is protected from being taken for a formula; what Customer.io exports is not.
static struct slice row_cell(const struct upload *upload, enum column_kind kind, const struct row *row)
{
	struct slice cell = columns_cell(&upload->columns, kind, row->cells);
	return upload->columns.is_generic ? slice_trim(csv_unprotect(cell)) : cell;
}

static enum result row_take_category(struct upload *upload, struct row *row)
{
	struct slice key = row_cell(upload, COLUMN_CATEGORY, row);
	struct row_topic topic = {.value = CHOICE_OUT};
	if (slice_is_empty(key))
		return row_choose(upload, row, &category_all, CHOICE_OUT);
	const struct category *category = topic_book_find_category(&upload->topics, key);
	if (category != NULL)
		return row_choose(upload, row, category, CHOICE_OUT);
	if (topic_book_read_future(upload->scratch, key, &topic.topic))
		return row_choose_topics(upload, row, &topic, 1);
	row_refuse_naming(upload, row, "there is no such category", key);
	return RESULT_OK;
}

static bool row_find_recipient(struct upload *upload, struct row *row)
{
	struct slice cell = row_cell(upload, COLUMN_RECIPIENT, row);
	if (recipient_read(upload->scratch, cell, &row->recipient))
		return true;
	if (slice_is_empty(cell))
		row_refuse(row, "no recipient");
	else if (cell.length > RECIPIENT_MAXIMUM)
		row_refuse(row, "the recipient is longer than 512 bytes");
	else if (!slice_is_utf8(cell))
		row_refuse(row, "the recipient is not UTF-8");
	else
		row_refuse(row, "the recipient has control characters, or is in the form of an erased one");
	return false;
}

static bool row_find_time(struct upload *upload, struct row *row)
{
	struct slice cell = columns_cell(&upload->columns, COLUMN_OPTED_OUT_AT, row->cells);
	row->made_at_ms = upload->as_of_ms;
	if (slice_is_empty(cell) || clock_parse(cell, &row->made_at_ms))
		return true;
	row_refuse(row, "opted_out_at is not a time (RFC 3339, such as 2026-01-31T12:00:00Z)");
	return false;
}

static enum result row_take_cells(struct upload *upload, struct row *row)
{
	if (upload->columns.says_category)
		TRY(row_take_category(upload, row));
	TRY(row_take_unsubscribed(upload, row));
	TRY(row_take_preferences(upload, row));
	return row_take_topics(upload, row);
}

enum result row_take(struct upload *upload, const struct csv_row *cells)
{
	struct row row = {.cells = cells};
	arena_reset(upload->scratch);
	if (cells->kind == CSV_FAULT)
		row_refuse(&row, cells->fault);
	else if (row_find_recipient(upload, &row) && row_find_time(upload, &row))
		TRY(row_take_cells(upload, &row));
	// What there was no room for looks like a row that is no good.
	if (arena_failed(upload->scratch))
		return RESULT_NO_MEMORY;
	return tally_row(upload, cells, row.error, row.choices, row.opt_outs);
}

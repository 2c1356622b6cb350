#include "columns.h"

#include "consent/category.h"

#include <stdlib.h>

#define TOPIC_PREFIX SLICE("cio_subscription_preferences.topics.")

// In the order in which columns of one kind are looked at; topics come behind.
static const struct {
	const char *name;
	enum column_kind kind;
} column_names[] = {
	{"email", COLUMN_RECIPIENT},
	{"identifier", COLUMN_RECIPIENT},
	{"recipient", COLUMN_RECIPIENT},
	{"email_address", COLUMN_RECIPIENT},
	{"id", COLUMN_ID},
	{"unsubscribed", COLUMN_UNSUBSCRIBED},
	{"cio_subscription_preferences", COLUMN_PREFERENCES},
	{"category", COLUMN_CATEGORY},
	{"category_key", COLUMN_CATEGORY},
	{"opted_out_at", COLUMN_OPTED_OUT_AT},
};

// What people take for CSV.
static const struct {
	struct slice start;
	const char *detail;
} column_other_files[] = {
	{{"\xff\xfe", 2}, "The file is UTF-16. Save it as CSV in UTF-8."},
	{{"\xfe\xff", 2}, "The file is UTF-16. Save it as CSV in UTF-8."},
	{{"PK\x03\x04", 4}, "The file is a workbook or an archive. Save it as CSV."},
};

struct slice column_cell(const struct column *column, const struct csv_row *row)
{
	return column->index < row->count ? slice_trim(row->fields[column->index]) : SLICE("");
}

struct slice columns_cell(const struct columns *columns, enum column_kind kind, const struct csv_row *row)
{
	const struct column_set *set = &columns->of[kind];
	struct slice cell = SLICE("");
	for (size_t i = 0; i < set->count && slice_is_empty(cell); i++)
		cell = column_cell(&set->items[i], row);
	return cell;
}

// False when it means nothing here.
static bool column_read(struct arena *arena, struct slice name, struct column *column)
{
	for (column->rank = 0; column->rank < COUNT_OF(column_names); column->rank++) {
		column->kind = column_names[column->rank].kind;
		if (slice_equal_ignoring_case(name, slice_of(column_names[column->rank].name)))
			return true;
	}
	struct slice prefix = {name.data, name.length < TOPIC_PREFIX.length ? name.length : TOPIC_PREFIX.length};
	if (!slice_equal_ignoring_case(prefix, TOPIC_PREFIX))
		return false;
	struct slice topic = slice_from(name, TOPIC_PREFIX.length);
	column->kind = COLUMN_TOPIC;
	if (topic.length > 6 && slice_equal_ignoring_case((struct slice){topic.data, 6}, SLICE("topic_")))
		topic = slice_from(topic, 6);
	if (!topic_is_valid(arena, topic, &column->topic))
		column->topic = (struct slice){NULL, 0};
	return true;
}

static int column_compare(const void *a, const void *b)
{
	const struct column *first = a, *second = b;
	if (first->rank != second->rank)
		return first->rank < second->rank ? -1 : 1;
	return (first->index > second->index) - (first->index < second->index);
}

static enum result columns_find(struct arena *arena, const struct csv_row *header, struct columns *columns)
{
	struct column *items = arena_array(arena, header->count, sizeof(*items));
	size_t count = 0;
	if (items == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < header->count; i++) {
		items[count].index = i;
		count += column_read(arena, slice_trim(header->fields[i]), &items[count]);
	}
	qsort(items, count, sizeof(*items), column_compare);
	for (size_t i = count; i-- > 0;) {
		columns->of[items[i].kind].items = &items[i];
		columns->of[items[i].kind].count++;
	}
	return RESULT_OK;
}

static bool columns_have(const struct columns *columns, enum column_kind kind)
{
	return columns->of[kind].count > 0;
}

static void columns_decide(struct columns *columns, struct slice source)
{
	bool has_choices = columns_have(columns, COLUMN_UNSUBSCRIBED) || columns_have(columns, COLUMN_PREFERENCES) ||
	                   columns_have(columns, COLUMN_TOPIC);
	bool has_category = columns_have(columns, COLUMN_CATEGORY);
	columns->is_generic = slice_is_empty(source) ? has_category || columns_have(columns, COLUMN_OPTED_OUT_AT)
	                                             : slice_equal(source, SLICE("generic"));
	columns->says_category = columns->is_generic && (has_category || !has_choices);
	if (columns->is_generic)
		return;
	columns->of[COLUMN_CATEGORY].count = 0;
	columns->of[COLUMN_OPTED_OUT_AT].count = 0;
}

static enum result columns_refuse(struct request *request, const struct csv_row *header)
{
	for (size_t i = 0; i < COUNT_OF(column_other_files); i++) {
		if (slice_starts_with(header->raw, column_other_files[i].start))
			return refuse(request, RESULT_INVALID, column_other_files[i].detail);
	}
	return refuse(request, RESULT_INVALID,
	              "The first line has no column of recipients: email, identifier, recipient or email_address.");
}

enum result columns_read(struct request *request, const struct csv_row *header, struct slice source,
                         struct columns *columns)
{
	*columns = (struct columns){.is_generic = false};
	TRY(columns_find(request->arena, header, columns));
	if (!columns_have(columns, COLUMN_RECIPIENT))
		return columns_refuse(request, header);
	columns_decide(columns, source);
	if (columns->says_category || columns_have(columns, COLUMN_UNSUBSCRIBED) ||
	    columns_have(columns, COLUMN_PREFERENCES) || columns_have(columns, COLUMN_TOPIC))
		return RESULT_OK;
	return refuse(request, RESULT_INVALID,
	              "The first line has no column to import: unsubscribed, cio_subscription_preferences, or "
	              "category. With source=generic every row counts as an opt-out.");
}

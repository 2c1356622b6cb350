// The audit, newest first: every change of what may be sent, of everybody or of those that are asked for.
#include "optouts.h"

#include "project/project.h"

#include <stdlib.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAXIMUM 1000
#define LOOKED_AT_MAXIMUM 100000 // entries a request
#define CURSOR_MAXIMUM 128       // bytes
#define SOURCE_MAXIMUM 64        // bytes
#define LOOK 250                 // entries of a partition at a time

struct filter {
	struct slice recipient, list, source; // data NULL: any
	size_t limit;
};

static bool fits(const struct filter *filter, const struct audit_entry *entry)
{
	return (filter->recipient.data == NULL || slice_equal(entry->recipient, filter->recipient)) &&
	       (filter->list.data == NULL || slice_equal(entry->category, filter->list)) &&
	       (filter->source.data == NULL || slice_equal(entry->source, filter->source));
}

// Notes are no category, but the audit has them.
static enum result read_category(struct request *request, const struct roll *roll, struct slice key, struct slice *list)
{
	const struct category *category = optouts_roll_find(roll, key);
	*list = key;
	if (category != NULL)
		*list = category->list;
	else if (!slice_equal(key, category_bounced.key) && !slice_equal(key, category_dropped.key))
		return refuse(request, RESULT_NOT_FOUND, "There is no such category.");
	return RESULT_OK;
}

static enum result read_filter(struct request *request, const struct roll *roll, struct filter *filter)
{
	struct slice recipient = request_query(request, "identifier"), key = request_query(request, "category");
	*filter = (struct filter){.source = request_query(request, "source")};
	filter->limit = (size_t)request_query_integer(request, "limit", LIMIT_DEFAULT);
	if (recipient.data != NULL)
		TRY(optouts_identifier(request, recipient, &filter->recipient));
	return key.data != NULL ? read_category(request, roll, key, &filter->list) : RESULT_OK;
}

static enum result begin_walk(struct request *request, const struct filter *filter, struct audit_walk **walk)
{
	struct slice cursor = request_query(request, "cursor"), recipient = filter->recipient;
	bool selects = recipient.data != NULL || filter->list.data != NULL || filter->source.data != NULL;
	size_t look = selects ? LOOK : filter->limit / 4 + 1;
	int partition = recipient.data != NULL ? partition_of(recipient) : AUDIT_EVERY_PARTITION;
	*walk = audit_walk_new(request->store, request->arena, request_project(request), partition, AUDIT_NEWEST_FIRST,
	                       look);
	if (*walk == NULL)
		return RESULT_NO_MEMORY;
	enum result result = slice_is_empty(cursor) ? RESULT_OK : audit_walk_behind(*walk, cursor);
	return result == RESULT_INVALID ? refuse_field(request, "cursor", "is not one of a page before") : result;
}

// The cursor has data NULL when there is nothing more.
static enum result write_entries(struct request *request, const struct roll *roll, const struct filter *filter,
                                 struct audit_walk *walk, struct json_writer *out, struct slice *cursor)
{
	const struct audit_entry *entry = NULL;
	*cursor = (struct slice){NULL, 0};
	size_t shown = 0;
	for (size_t looked = 0; shown < filter->limit && looked < LOOKED_AT_MAXIMUM; looked++) {
		TRY(audit_walk_next(walk, &entry));
		if (entry == NULL)
			return RESULT_OK;
		if (!fits(filter, entry))
			continue;
		optouts_write_change(out, entry, entry->recipient, category_key_of_list(&roll->list, entry->category),
		                     optouts_shown_time(llabs(entry->new_score)));
		shown++;
	}
	struct slice place = audit_place(request->arena, entry);
	if (place.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(audit_walk_next(walk, &entry));
	if (entry != NULL)
		*cursor = place;
	return RESULT_OK;
}

static enum result show_page(struct request *request, struct answer *answer)
{
	struct roll roll;
	struct filter filter;
	struct audit_walk *walk;
	struct slice cursor;
	TRY(optouts_roll(request, &roll));
	TRY(read_filter(request, &roll, &filter));
	TRY(begin_walk(request, &filter, &walk));
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_key(out, "results");
	json_open_array(out);
	TRY(write_entries(request, &roll, &filter, walk, out, &cursor));
	json_close_array(out);
	json_member_text(out, "next_cursor", cursor);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field page_query[] = {
	{.name = "identifier", .type = FIELD_RECIPIENT, .help = "of one recipient"},
	CATEGORY_FIELD("of one category; $bounced and $dropped are there too"),
	{.name = "source", .type = FIELD_TEXT, .minimum = 1, .maximum = SOURCE_MAXIMUM, .help = "such as webhook"},
	{.name = "cursor", .type = FIELD_TEXT, .maximum = CURSOR_MAXIMUM, .help = "next_cursor of the page before"},
	{.name = "limit", .type = FIELD_INTEGER, .minimum = 1, .maximum = LIMIT_MAXIMUM, .help = "default 100"},
};

const struct endpoint optouts_audit = {
	.method = "GET",
	.path = "/optouts/{project}/audit",
	.summary = "What has changed, newest first. At most 100,000 entries are looked at a request, so a page may be "
		   "short and still have a next_cursor.",
	.access = ROLE_READ,
	.query = page_query,
	.query_count = COUNT_OF(page_query),
	.handle = show_page,
};

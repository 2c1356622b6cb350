// GET /webhook/{project}/quarantine: the events that were rightly signed but not understood, newest first.
#include "webhook.h"

#include "customerio/quarantine.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAXIMUM 1000
#define ROWS_AT_ONCE 16
#define PAGE_BYTES ((size_t)16 << 20) // a page that has grown so long ends early

static void quarantine_row_write(const struct quarantine_entry *entry, struct json_writer *out)
{
	json_open_object(out);
	json_member_text(out, "id", entry->id);
	json_member_time(out, "received_at", entry->received_at_ms);
	json_member_text(out, "reason", entry->reason);
	json_member_integer(out, "size", entry->size);
	json_member_text(out, "body", slice_is_empty(entry->body) ? SLICE("") : entry->body);
	json_close_object(out);
}

// Writes at most `limit` rows from before *cursor; *cursor is then where the next page starts, data NULL at the end.
static enum result quarantine_rows_write(struct request *request, size_t limit, struct slice *cursor,
                                         struct json_writer *out)
{
	while (limit > 0 && out->buffer->length < PAGE_BYTES) {
		struct quarantine_entry *entries;
		size_t wanted = limit < ROWS_AT_ONCE ? limit : ROWS_AT_ONCE, count;
		// One more than wanted tells whether the list goes on.
		TRY(quarantine_list(request->store, request->arena, request_project(request), *cursor, wanted + 1,
		                    &entries, &count));
		for (size_t i = 0; i < wanted && i < count; i++)
			quarantine_row_write(&entries[i], out);
		if (count <= wanted) {
			*cursor = (struct slice){NULL, 0};
			return RESULT_OK;
		}
		*cursor = entries[wanted - 1].id;
		limit -= wanted;
	}
	return RESULT_OK;
}

static enum result quarantine_handle(struct request *request, struct answer *answer)
{
	size_t limit = (size_t)request_query_integer(request, "limit", LIMIT_DEFAULT);
	struct slice cursor = request_query(request, "cursor");
	if (!slice_is_empty(cursor) && !quarantine_id_is_valid(cursor))
		return refuse_field(request, "cursor", "is not a cursor of this list");
	struct quarantine_totals totals;
	TRY(quarantine_totals(request->store, request->arena, request_project(request), &totals));

	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_integer(out, "count", totals.waiting);
	json_member_integer(out, "bytes", totals.waiting_bytes);
	json_member_integer(out, "taken", totals.taken);
	json_member_integer(out, "dropped", totals.dropped);
	json_key(out, "results");
	json_open_array(out);
	TRY(quarantine_rows_write(request, limit, &cursor, out));
	json_close_array(out);
	json_member_text(out, "next_cursor", cursor);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field quarantine_query[] = {
	{.name = "limit", .type = FIELD_INTEGER, .minimum = 1, .maximum = LIMIT_MAXIMUM, .help = "rows at most"},
	{.name = "cursor", .type = FIELD_TEXT, .maximum = 41, .help = "next_cursor of the page before"},
};

const struct endpoint webhook_quarantine = {
	.method = "GET",
	.path = "/webhook/{project}/quarantine",
	.summary = "Events that were rightly signed but not understood",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.query = quarantine_query,
	.query_count = COUNT_OF(quarantine_query),
	.handle = quarantine_handle,
};

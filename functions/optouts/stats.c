// How many opted out and in, by day, category and source: counted from the audit, a part at a time.
//
// As in verify.c the answer is a stream: an audit of millions takes longer than a web server waits.
#include "optouts.h"

#include "base/clock.h"
#include "consent/audit_stats.h"

#define DAYS_DEFAULT 30
#define DAYS_MAXIMUM 366
#define ENTRIES_A_PIECE 200000
#define PIECE ((size_t)128 << 10) // bytes, and one row at most
#define DATE_LENGTH 10            // of a time in text

struct stats {
	struct category_list list;
	struct audit_stats *counting;
	const struct audit_count *counts; // NULL: not yet counted
	size_t count, next;
	struct json_writer json;
};

static void write_count(struct stats *stats, const struct audit_count *count)
{
	char time[CLOCK_TEXT_SIZE];
	struct slice date = {clock_write(count->day * AUDIT_DAY_MS, time).data, DATE_LENGTH};
	json_open_object(&stats->json);
	json_member_text(&stats->json, "date", date);
	json_member_text(&stats->json, "category", category_key_of_list(&stats->list, count->category));
	json_member_text(&stats->json, "source", count->source);
	json_member_integer(&stats->json, "opted_out", count->opted_out);
	json_member_integer(&stats->json, "opted_in", count->opted_in);
	json_close_object(&stats->json);
}

static enum result count_more(struct stats *stats, struct buffer *out)
{
	bool more;
	TRY(audit_stats_look(stats->counting, ENTRIES_A_PIECE, &more));
	if (more) {
		buffer_append_byte(out, '\n');
		return RESULT_OK;
	}
	stats->counts = audit_stats_result(stats->counting, &stats->count);
	stats->json = json_writer_on(out);
	json_open_object(&stats->json);
	json_key(&stats->json, "days");
	json_open_array(&stats->json);
	return RESULT_OK;
}

static enum result produce(struct request *request, void *context, struct arena *piece, struct buffer *out, bool *more)
{
	struct stats *stats = context;
	(void)request;
	(void)piece;
	if (stats->counts == NULL)
		return count_more(stats, out);
	stats->json.buffer = out;
	for (; stats->next < stats->count && out->length < PIECE; stats->next++)
		write_count(stats, &stats->counts[stats->next]);
	*more = stats->next < stats->count;
	if (!*more) {
		json_close_array(&stats->json);
		json_close_object(&stats->json);
	}
	return RESULT_OK;
}

static enum result show_stats(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request);
	int64_t days = request_query_integer(request, "days", DAYS_DEFAULT), now;
	struct stats *stats = arena_alloc(request->arena, sizeof(*stats));
	if (stats == NULL)
		return RESULT_NO_MEMORY;
	TRY(category_list_load(request->store, request->arena, project, &stats->list));
	TRY(store_time_ms(request->store, request->arena, &now));
	int64_t since = (now / AUDIT_DAY_MS - days + 1) * AUDIT_DAY_MS;
	stats->counting = audit_stats_new(request->store, request->arena, project, since);
	if (stats->counting == NULL)
		return RESULT_NO_MEMORY;
	answer_stream(answer, 200, "application/json", produce, stats);
	return RESULT_OK;
}

static const struct field stats_query[] = {
	{.name = "days", .type = FIELD_INTEGER, .minimum = 1, .maximum = DAYS_MAXIMUM, .help = "today included"},
};

const struct endpoint optouts_stats = {
	.method = "GET",
	.path = "/optouts/{project}/stats",
	.summary = "How many opted out and in, by day in UTC, category and source; the newest day first",
	.access = ROLE_READ,
	.query = stats_query,
	.query_count = COUNT_OF(stats_query),
	.handle = show_stats,
};

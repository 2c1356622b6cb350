// Everybody who is out, as a file: one category, or all of them. Uploading it again (csv-upload, source=generic)
// changes nothing, so the times are the stored ones, also where they lie ahead.
#include "optouts.h"

#include "base/clock.h"
#include "codec/csv.h"
#include "consent/optouts.h"

#define PIECE ((size_t)128 << 10) // bytes, and one row at most

struct export {
	struct roll roll;
	const struct category *const *next, *const *end;
	const struct category *category; // that is being written; NULL: none yet
	struct optouts_walk *walk;
	bool jsonl;
};

static void write_csv(struct buffer *out, const struct category *category, const struct opt_out *row)
{
	char time[CLOCK_TEXT_SIZE];
	csv_write_protected(out, row->recipient);
	buffer_append_byte(out, ',');
	csv_write_protected(out, category->key);
	buffer_append_byte(out, ',');
	buffer_append(out, clock_write(row->made_at_ms, time));
	buffer_append_byte(out, '\n');
}

static void write_jsonl(struct buffer *out, const struct category *category, const struct opt_out *row)
{
	struct json_writer line = json_writer_on(out);
	json_open_object(&line);
	json_member_text(&line, "identifier", row->recipient);
	json_member_text(&line, "category", category->key);
	json_member_time(&line, "opted_out_at", row->made_at_ms);
	json_close_object(&line);
	buffer_append_byte(out, '\n');
}

// *row is NULL behind the last one of the last category.
static enum result next_row(struct export *export, const struct opt_out **row)
{
	*row = NULL;
	for (;;) {
		if (export->category != NULL)
			TRY(optouts_walk_next(export->walk, row));
		if (*row != NULL || export->next == export->end)
			return RESULT_OK;
		export->category = *export->next++;
		optouts_walk_begin(export->walk, export->category->list);
	}
}

static enum result produce(struct request *request, void *context, struct arena *piece, struct buffer *out, bool *more)
{
	struct export *export = context;
	const struct opt_out *row;
	(void)request;
	(void)piece;
	if (export->category == NULL && !export->jsonl)
		buffer_append_text(out, "identifier,category,opted_out_at\n");
	while (out->length < PIECE) {
		TRY(next_row(export, &row));
		*more = row != NULL;
		if (row == NULL)
			return RESULT_OK;
		(export->jsonl ? write_jsonl : write_csv)(out, export->category, row);
	}
	return RESULT_OK;
}

static enum result choose_categories(struct request *request, struct export *export)
{
	struct slice key = request_query(request, "category");
	TRY(optouts_roll(request, &export->roll));
	export->next = export->roll.all;
	export->end = export->roll.all + export->roll.count;
	if (slice_is_empty(key))
		return RESULT_OK;
	while (export->next < export->end && !slice_equal((*export->next)->key, key))
		export->next++;
	if (export->next == export->end)
		return refuse(request, RESULT_NOT_FOUND, "There is no such category.");
	export->end = export->next + 1;
	return RESULT_OK;
}

static enum result start_export(struct request *request, struct answer *answer)
{
	struct export *export = arena_alloc(request->arena, sizeof(*export));
	if (export == NULL)
		return RESULT_NO_MEMORY;
	export->jsonl = optouts_is_jsonl(request);
	export->walk = optouts_walk_new(request->store, request->arena, request_project(request));
	if (export->walk == NULL)
		return RESULT_NO_MEMORY;
	TRY(choose_categories(request, export));
	return optouts_answer_file(request, answer, "optouts", produce, export);
}

static const struct field export_query[] = {
	CATEGORY_FIELD("omitted: all of them"),
	FORMAT_FIELD,
};

const struct endpoint optouts_export = {
	.method = "GET",
	.path = "/optouts/{project}/export",
	.summary = "The recipients who are out now, as a file",
	.access = ROLE_READ,
	.query = export_query,
	.query_count = COUNT_OF(export_query),
	.handle = start_export,
};

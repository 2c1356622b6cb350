// The whole audit as a file, oldest first; what is recorded meanwhile may be in it.
#include "optouts.h"

#include "base/clock.h"
#include "codec/csv.h"

#include <stdlib.h>

#define LOOK 250                  // entries of a partition at a time
#define PIECE ((size_t)128 << 10) // bytes, and one row at most

struct audit_file {
	struct category_list list;
	struct audit_walk *walk;
	bool jsonl, has_begun;
};

static void write_cell(struct buffer *out, struct slice text, char end)
{
	csv_write_protected(out, text);
	buffer_append_byte(out, end);
}

static void write_csv(struct buffer *out, const struct audit_entry *entry, struct slice category)
{
	char time[CLOCK_TEXT_SIZE];
	int64_t made_at = llabs(entry->new_score);
	write_cell(out, clock_write(entry->recorded_at_ms, time), ',');
	write_cell(out, entry->recipient, ',');
	write_cell(out, category, ',');
	write_cell(out, optouts_value(entry->old_score), ',');
	write_cell(out, optouts_value(entry->new_score), ',');
	write_cell(out, made_at > 0 ? clock_write(made_at, time) : SLICE(""), ',');
	write_cell(out, entry->source, ',');
	write_cell(out, entry->reference, '\n');
}

static void write_jsonl(struct buffer *out, const struct audit_entry *entry, struct slice category)
{
	struct json_writer line = json_writer_on(out);
	optouts_write_change(&line, entry, entry->recipient, category, llabs(entry->new_score));
	buffer_append_byte(out, '\n');
}

static enum result produce(struct request *request, void *context, struct arena *piece, struct buffer *out, bool *more)
{
	struct audit_file *file = context;
	const struct audit_entry *entry;
	(void)request;
	(void)piece;
	if (!file->has_begun && !file->jsonl)
		buffer_append_text(out, "recorded_at,identifier,category,old,new,made_at,source,reference\n");
	file->has_begun = true;
	while (out->length < PIECE) {
		TRY(audit_walk_next(file->walk, &entry));
		*more = entry != NULL;
		if (entry == NULL)
			return RESULT_OK;
		(file->jsonl ? write_jsonl : write_csv)(out, entry, category_key_of_list(&file->list, entry->category));
	}
	return RESULT_OK;
}

static enum result start_export(struct request *request, struct answer *answer)
{
	struct audit_file *file = arena_alloc(request->arena, sizeof(*file));
	struct slice project = request_project(request);
	if (file == NULL)
		return RESULT_NO_MEMORY;
	file->jsonl = optouts_is_jsonl(request);
	file->walk = audit_walk_new(request->store, request->arena, project, AUDIT_EVERY_PARTITION, AUDIT_OLDEST_FIRST,
	                            LOOK);
	if (file->walk == NULL)
		return RESULT_NO_MEMORY;
	TRY(category_list_load(request->store, request->arena, project, &file->list));
	return optouts_answer_file(request, answer, "audit", produce, file);
}

static const struct field export_query[] = {
	FORMAT_FIELD,
};

const struct endpoint optouts_audit_export = {
	.method = "GET",
	.path = "/optouts/{project}/audit/export",
	.summary = "The whole audit, oldest first, as a file",
	.access = ROLE_READ,
	.query = export_query,
	.query_count = COUNT_OF(export_query),
	.handle = start_export,
};

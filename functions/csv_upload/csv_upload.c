// POST /csv-upload/{project}: a file of people and what they are opted out of, from Customer.io or from anywhere else.
//
// The file runs through as it comes, in constant memory. One bad row stops no other. Whatever happens on the way, what
// has come before is recorded, and sending the file again is safe.
#include "base/clock.h"
#include "consent/import.h"
#include "edge/metrics.h"
#include "upload.h"

#define BODY_MAXIMUM ((size_t)2 << 30) // bytes as they come; CIOBRIDGE_CSV_MAX_BYTES counts the file unpacked
#define SCRATCH_MEMORY ((size_t)16 << 20)
#define TIME_MAXIMUM 64 // bytes

static void upload_free_arena(void *arena)
{
	arena_free(arena);
}

struct arena *upload_arena(struct request *request, size_t limit)
{
	struct arena *arena = arena_new(limit);
	return arena != NULL && arena_defer(request->arena, upload_free_arena, arena) ? arena : NULL;
}

static enum result upload_open(struct upload *upload)
{
	struct request *request = upload->request;
	upload->csv = csv_new(request->arena);
	upload->scratch = upload_arena(request, SCRATCH_MEMORY);
	if (upload->csv == NULL || upload->scratch == NULL)
		return RESULT_NO_MEMORY;
	TRY(reception_open(request, &upload->reception));
	return batch_open(upload);
}

// Feeds the reader until it has a row, or *row is the end.
static enum result upload_next_row(struct upload *upload, bool tell, struct csv_row *row)
{
	for (;;) {
		struct slice piece;
		TRY(csv_next(upload->csv, row));
		if (row->kind != CSV_MORE)
			return RESULT_OK;
		TRY(reception_next(upload->reception, &piece));
		if (slice_is_empty(piece))
			csv_finish(upload->csv);
		else
			csv_feed(upload->csv, piece);
		if (tell)
			TRY(tally_tell(upload));
	}
}

static enum result upload_read_header(struct upload *upload)
{
	struct request *request = upload->request;
	struct csv_row header;
	TRY(upload_next_row(upload, false, &header));
	if (header.kind == CSV_END)
		return refuse(request, RESULT_INVALID, "The file is empty.");
	if (header.kind == CSV_FAULT)
		return refuse(request, RESULT_INVALID,
		              arena_format(request->arena, "The first line cannot be read: %s.", header.fault).data);
	TRY(columns_read(request, &header, upload->source, &upload->columns));
	return tally_open(upload, &header);
}

static enum result upload_start(struct upload *upload)
{
	struct request *request = upload->request;
	TRY(topic_book_open(request->store, request->arena, upload->project, upload->dry_run, &upload->topics));
	enum result result = import_start(request->store, request->arena, upload->project, upload->id, "csv",
	                                  upload->started_ms);
	return result == RESULT_CONFLICT ? refuse(request, result, "This id is taken by another import.") : result;
}

static enum result upload_take_rows(struct upload *upload)
{
	for (;;) {
		struct csv_row row;
		TRY(upload_next_row(upload, true, &row));
		if (row.kind == CSV_END)
			return RESULT_OK;
		TRY(row_take(upload, &row));
	}
}

static struct slice upload_fault(const struct upload *upload, enum result result)
{
	const char *detail = upload->request->problem.detail;
	if (result == RESULT_OK)
		return (struct slice){NULL, 0};
	if (detail != NULL)
		return slice_of(detail);
	return result == RESULT_UNAVAILABLE ? SLICE("Redis could not be reached.") : SLICE("There was no memory.");
}

// Whatever kept the rest from coming, what has come counts.
static enum result upload_end(struct upload *upload, enum result result)
{
	struct request *request = upload->request;
	enum result recorded = result == RESULT_UNAVAILABLE ? result : tally_end(upload);
	if (result == RESULT_OK)
		result = recorded;
	store_settle(request->store);
	int64_t now_ms = upload->started_ms + (clock_monotonic_us() - upload->started_us) / 1000;
	enum result finished = import_finish(request->store, request->arena, upload->project, upload->id,
	                                     result == RESULT_OK ? IMPORT_COMPLETED : IMPORT_FAILED,
	                                     upload_fault(upload, result), now_ms);
	return result == RESULT_OK ? finished : result;
}

static void upload_note(const struct upload *upload)
{
	metrics_add("ciobridge_csv_rows_total{outcome=\"opted_out\"}", upload->tally.users_with_optouts);
	metrics_add("ciobridge_csv_rows_total{outcome=\"nothing\"}", upload->tally.users_skipped);
	metrics_add("ciobridge_csv_rows_total{outcome=\"error\"}", upload->tally.parse_errors);
}

static enum result upload_handle(struct request *request, struct answer *answer)
{
	struct upload *upload = arena_alloc(request->arena, sizeof(*upload));
	if (upload == NULL)
		return RESULT_NO_MEMORY;
	upload->request = request;
	upload->started_us = clock_monotonic_us();
	TRY(upload_read_options(upload));
	TRY(upload_open(upload));
	TRY(upload_read_header(upload));
	TRY(upload_start(upload));
	TRY(upload_end(upload, upload_take_rows(upload)));
	upload_note(upload);

	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_text(out, "id", upload->id);
	json_member_text(out, "status", slice_of(import_status_name(IMPORT_COMPLETED)));
	json_member_boolean(out, "dry_run", upload->dry_run);
	tally_write(upload, out);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field upload_query[] = {
	{.name = "dry_run", .type = FIELD_BOOLEAN, .help = "count what would change, and record nothing"},
	{.name = "mode", .type = FIELD_CHOICE, .choices = "additive mirror", .help = "what a topic that is true means"},
	{.name = "as_of", .type = FIELD_TEXT, .minimum = 1, .maximum = TIME_MAXIMUM, .help = "when the file was made"},
	{.name = "source", .type = FIELD_CHOICE, .choices = "customerio generic", .help = "where the file is from"},
	{.name = "id", .type = FIELD_TEXT, .maximum = IMPORT_ID_LENGTH, .help = "a ULID for the import"},
};

static const struct endpoint upload = {
	.method = "POST",
	.path = "/csv-upload/{project}",
	.summary = "Record the opt-outs in a CSV file",
	.access = ROLE_ADMIN,
	.query = FIELDS(upload_query),
	.body = BODY_STREAMED,
	.body_limit = BODY_MAXIMUM,
	.handle = upload_handle,
};

static const struct endpoint *const endpoints[] = {&upload};

const struct function function = {
	.name = "csv_upload",
	.prefixes = "/csv-upload",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 2,
	.repeatable = false,
	.gives_way = true,
	.streams = true,
};

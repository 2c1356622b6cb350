// What is kept of imports, as it is shown.
#include "consent/import_job.h"
#include "consent/import_run.h"

#include <stdio.h>
#include <string.h>

#define GONE "Its process has gone. What came is recorded; sending it again is safe."
#define CURSOR_SEPARATOR '-'

static const char *const status_names[] = {
	[IMPORT_QUEUED] = "queued", [IMPORT_RUNNING] = "running",     [IMPORT_COMPLETED] = "completed",
	[IMPORT_FAILED] = "failed", [IMPORT_CANCELLED] = "cancelled", [IMPORT_UNDONE] = "undone",
};

const char *import_status_name(enum import_status status)
{
	return status_names[status];
}

struct key_name import_job_key(struct slice project, struct slice id, const char *suffix)
{
	struct key_name name = project_key(project, "job:");
	int written = snprintf(name.text + name.length, sizeof(name.text) - name.length, "%.*s%s", (int)id.length,
	                       id.data, suffix);
	name.length += written < 0 ? 0 : (size_t)written;
	return name;
}

struct slice import_job_text(const struct import_job *job, const char *field)
{
	for (size_t i = 0; i + 1 < reply_count(job->fields); i += 2) {
		if (slice_equal(reply_text(reply_at(job->fields, i)), slice_of(field)))
			return reply_text(reply_at(job->fields, i + 1));
	}
	return (struct slice){NULL, 0};
}

int64_t import_job_number(const struct import_job *job, const char *field)
{
	int64_t number = 0;
	slice_to_integer(import_job_text(job, field), 0, INT64_MAX, &number);
	return number;
}

// As many bytes as the longest name of a field has, and more.
struct field_name {
	char text[64];
};

static struct field_name field_name(const char *prefix, const char *name)
{
	struct field_name field;
	snprintf(field.text, sizeof(field.text), "%s%s", prefix, name);
	return field;
}

struct slice import_job_note(const struct import_job *job, const char *name)
{
	return import_job_text(job, field_name(IMPORT_NOTE_PREFIX, name).text);
}

int64_t import_job_counter(const struct import_job *job, const char *name)
{
	return import_job_number(job, field_name(IMPORT_RESULT_PREFIX, name).text);
}

static enum import_status job_stored_status(const struct import_job *job)
{
	struct slice stored = import_job_text(job, "status");
	for (size_t i = 0; i < COUNT_OF(status_names); i++) {
		if (slice_equal(stored, slice_of(status_names[i])))
			return (enum import_status)i;
	}
	return IMPORT_FAILED;
}

enum result import_job_load(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            struct import_job *job)
{
	struct key_name key = import_job_key(project, id, "");
	const struct reply *time;
	store_send(store, ARGUMENTS(SLICE("HGETALL"), key_slice(&key)));
	store_send(store, ARGUMENTS(SLICE("TIME")));
	TRY(store_receive(store, arena, &job->fields));
	TRY(store_receive(store, arena, &time));
	if (import_job_text(job, "status").data == NULL)
		return RESULT_NOT_FOUND;
	int64_t silence_ms = reply_integer(reply_at(time, 0)) * 1000 - import_job_number(job, "seen_at");
	job->status = job_stored_status(job);
	// One of the kind "api" is never gone: another worker goes on with it.
	bool has_process = !slice_equal(import_job_text(job, "kind"), SLICE(IMPORT_KIND_API));
	job->gone = has_process && job->status == IMPORT_RUNNING && silence_ms > IMPORT_SILENCE_MS;
	if (job->gone)
		job->status = IMPORT_FAILED;
	job->undo = import_job_text(job, "undo").data != NULL;
	return RESULT_OK;
}

bool import_job_is_being_undone(const struct import_job *job)
{
	return job->undo && job->status != IMPORT_UNDONE;
}

bool import_job_is_under_way(const struct import_job *job)
{
	return job->status == IMPORT_QUEUED || job->status == IMPORT_RUNNING || import_job_is_being_undone(job);
}

enum result import_errors_piece(struct store *store, struct arena *arena, struct slice project, struct slice id,
                                size_t index, struct slice *piece)
{
	struct key_name errors = import_job_key(project, id, ":errors");
	struct slice which = arena_format(arena, "%zu", index);
	const struct reply *reply;
	if (which.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("LINDEX"), key_slice(&errors), which)));
	*piece = reply_text(reply);
	return RESULT_OK;
}

static void job_write_progress(const struct import_job *job, struct json_writer *out)
{
	json_key(out, "progress");
	json_open_object(out);
	json_member_integer(out, "done", import_job_number(job, "done"));
	json_member_integer(out, "total", import_job_number(job, "total"));
	json_close_object(out);
}

// The name of the field behind the prefix, as text that ends in NUL; NULL when it has another.
static const char *field_behind(struct arena *arena, const struct reply *field, const char *prefix)
{
	struct slice name = reply_text(field);
	if (!slice_starts_with(name, slice_of(prefix)))
		return NULL;
	return arena_copy(arena, slice_from(name, strlen(prefix))).data;
}

static void job_write_result(struct arena *arena, const struct import_job *job, struct json_writer *out)
{
	json_key(out, "result");
	json_open_object(out);
	for (size_t i = 0; i + 1 < reply_count(job->fields); i += 2) {
		const char *name = field_behind(arena, reply_at(job->fields, i), IMPORT_RESULT_PREFIX);
		if (name != NULL)
			json_member_integer(out, name, reply_integer(reply_at(job->fields, i + 1)));
	}
	json_close_object(out);
}

static void job_write_warnings(struct arena *arena, const struct import_job *job, struct json_writer *out)
{
	json_key(out, "warnings");
	json_open_array(out);
	for (size_t i = 0; i + 1 < reply_count(job->fields); i += 2) {
		if (field_behind(arena, reply_at(job->fields, i), IMPORT_WARNING_PREFIX) != NULL)
			json_write_raw(out, reply_text(reply_at(job->fields, i + 1)));
	}
	json_close_array(out);
}

enum result import_write(struct store *store, struct arena *arena, struct slice project, struct slice id,
                         struct json_writer *out)
{
	struct import_job job;
	TRY(import_job_load(store, arena, project, id, &job));
	// Whoever waits for the undo must not take the end of the import for its end.
	enum import_status shown = import_job_is_being_undone(&job) ? IMPORT_RUNNING : job.status;
	bool ended = shown != IMPORT_RUNNING && shown != IMPORT_QUEUED;
	json_open_object(out);
	json_member_text(out, "id", id);
	json_member_text(out, "kind", import_job_text(&job, "kind"));
	json_member_text(out, "status", slice_of(status_names[shown]));
	json_member_text(out, "step", import_job_text(&job, "step"));
	job_write_progress(&job, out);
	job_write_result(arena, &job, out);
	job_write_warnings(arena, &job, out);
	json_member_text(out, "error", job.gone ? SLICE(GONE) : import_job_text(&job, "error"));
	json_member_time(out, "started_at", import_job_number(&job, "started_at"));
	json_member_time(out, "ended_at", ended ? import_job_number(&job, "ended_at") : 0);
	json_close_object(out);
	return RESULT_OK;
}

// A place in the list: when the import was started, and its id.
struct place {
	int64_t started_ms;
	struct slice id;
};

static bool place_read(struct slice cursor, struct place *place)
{
	place->id = cursor;
	struct slice started = slice_split(&place->id, CURSOR_SEPARATOR);
	return slice_to_integer(started, 0, INT64_MAX, &place->started_ms) && import_id_is_valid(place->id);
}

// As the sorted set holds them, from its end.
static bool place_is_behind(const struct place *place, const struct place *other)
{
	if (place->started_ms != other->started_ms)
		return place->started_ms < other->started_ms;
	return slice_compare(place->id, other->id) < 0;
}

enum result import_list(struct store *store, struct arena *arena, struct slice project, struct slice cursor,
                        size_t limit, struct slice **ids, size_t *count, struct slice *next)
{
	struct key_name jobs = project_key(project, "jobs");
	struct place after, place = {.started_ms = 0};
	const struct reply *reply;
	size_t found = 0;
	if (!slice_is_empty(cursor) && !place_read(cursor, &after))
		return RESULT_INVALID;
	// There are few enough to read them all.
	TRY(store_call(store, arena, &reply,
	               ARGUMENTS(SLICE("ZREVRANGE"), key_slice(&jobs), SLICE("0"), SLICE("-1"), SLICE("WITHSCORES"))));
	struct slice *items = arena_array(arena, limit + 1, sizeof(*items));
	if (items == NULL)
		return RESULT_NO_MEMORY;
	size_t i = 0;
	for (; i + 1 < reply_count(reply) && found < limit; i += 2) {
		struct place row = {reply_integer(reply_at(reply, i + 1)), reply_text(reply_at(reply, i))};
		if (!slice_is_empty(cursor) && !place_is_behind(&row, &after))
			continue;
		items[found++] = row.id;
		place = row;
	}
	*next = (struct slice){NULL, 0};
	if (i + 1 < reply_count(reply))
		*next = arena_format(arena, "%lld%c%.*s", (long long)place.started_ms, CURSOR_SEPARATOR,
		                     (int)place.id.length, place.id.data);
	if (i + 1 < reply_count(reply) && next->data == NULL)
		return RESULT_NO_MEMORY;
	*ids = items;
	*count = found;
	return RESULT_OK;
}

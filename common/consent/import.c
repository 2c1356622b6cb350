// The course of an import. It is read in import_read.c and taken back in undo.c.
#include "codec/crypt.h"
#include "consent/import_job.h"
#include "consent/import_run.h"
#include "project/project.h"

#include <string.h>

STORE_SCRIPT(import_start_script, "common/consent/import_start.lua");
STORE_SCRIPT(import_update_script, "common/consent/import_update.lua");
STORE_SCRIPT(import_add_errors_script, "common/consent/import_add_errors.lua");
STORE_SCRIPT(import_fence_script, "common/consent/import_fence.lua");
STORE_SCRIPT(import_queue_script, "common/consent/import_queue.lua");

#define ULID_TIME_LENGTH 10
#define ULID_RANDOM_SIZE 10 // bytes
#define ERRORS_CUT "{\"step\":\"errors\",\"message\":\"There were more errors than are kept.\"}"

static const char ulid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct slice import_new_id(struct arena *arena, int64_t now_ms)
{
	unsigned char random[ULID_RANDOM_SIZE];
	char text[IMPORT_ID_LENGTH];
	uint64_t low = 0, high = 0;
	if (crypt_random(random, sizeof(random)) != RESULT_OK)
		return (struct slice){NULL, 0};
	for (int i = 0; i < ULID_TIME_LENGTH; i++)
		text[ULID_TIME_LENGTH - 1 - i] = ulid_digits[(uint64_t)now_ms >> (5 * i) & 31];
	for (int i = 0; i < ULID_RANDOM_SIZE / 2; i++) {
		low = low << 8 | random[i];
		high = high << 8 | random[ULID_RANDOM_SIZE / 2 + i];
	}
	for (int i = 0; i < 8; i++) {
		text[ULID_TIME_LENGTH + i] = ulid_digits[low >> (5 * i) & 31];
		text[ULID_TIME_LENGTH + 8 + i] = ulid_digits[high >> (5 * i) & 31];
	}
	return arena_copy(arena, (struct slice){text, sizeof(text)});
}

bool import_id_is_valid(struct slice id)
{
	// 26 digits hold two bits more than an id has.
	if (id.length != IMPORT_ID_LENGTH || id.data[0] > '7')
		return false;
	for (size_t i = 0; i < id.length; i++) {
		if (memchr(ulid_digits, id.data[i], sizeof(ulid_digits) - 1) == NULL)
			return false;
	}
	return true;
}

static struct slice number_text(struct arena *arena, int64_t number)
{
	return arena_format(arena, "%lld", (long long)number);
}

// The pages of the run before are no pages of this one.
static enum result import_forget_pages(struct store *store, struct arena *arena, struct slice project, struct slice id)
{
	const struct reply *reply;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(project, p, "import:", id);
		store_send(store, ARGUMENTS(SLICE("HDEL"), key_slice(&key), SLICE("page"), SLICE("choices"),
		                            SLICE("changes")));
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		TRY(store_receive(store, arena, &reply));
	return RESULT_OK;
}

enum result import_remove(struct store *store, struct arena *arena, struct slice project, struct slice id)
{
	struct key_name jobs = project_key(project, "jobs"), job = import_job_key(project, id, ""),
			errors = import_job_key(project, id, ":errors");
	const struct reply *reply;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name hash = partition_key(project, p, "import:", id),
				raised = partition_key(project, p, "raised:", id);
		store_send(store, ARGUMENTS(SLICE("UNLINK"), key_slice(&hash), key_slice(&raised)));
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		TRY(store_receive(store, arena, &reply));
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("UNLINK"), key_slice(&job), key_slice(&errors))));
	// Last: while it is listed, this can be done again.
	return store_call(store, arena, &reply, ARGUMENTS(SLICE("ZREM"), key_slice(&jobs), id));
}

static enum result imports_prune(struct store *store, struct arena *arena, struct slice project)
{
	struct key_name jobs = project_key(project, "jobs");
	struct slice last = arena_format(arena, "%d", -(IMPORTS_KEPT + 1));
	const struct reply *oldest;
	if (last.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(store_call(store, arena, &oldest, ARGUMENTS(SLICE("ZRANGE"), key_slice(&jobs), SLICE("0"), last)));
	for (size_t i = 0; i < reply_count(oldest); i++) {
		struct slice id = reply_text(reply_at(oldest, i));
		struct import_job job;
		enum result result = import_job_load(store, arena, project, id, &job);
		if (result != RESULT_NOT_FOUND)
			TRY(result);
		if (result == RESULT_NOT_FOUND || !import_job_is_under_way(&job))
			TRY(import_remove(store, arena, project, id));
	}
	return RESULT_OK;
}

enum result import_register(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            const char *kind, enum import_status status, int64_t now_ms)
{
	struct key_name jobs = project_key(project, "jobs"), job = import_job_key(project, id, ""),
			errors = import_job_key(project, id, ":errors");
	struct slice now = number_text(arena, now_ms), silence = number_text(arena, IMPORT_SILENCE_MS);
	const struct reply *reply;
	if (now.data == NULL || silence.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &import_start_script, 3,
	                  ARGUMENTS(key_slice(&jobs), key_slice(&job), key_slice(&errors), id, slice_of(kind), now,
	                            silence, slice_of(import_status_name(status))));
	TRY(store_receive(store, arena, &reply));
	if (reply_integer(reply) == 0)
		return RESULT_CONFLICT;
	if (reply_integer(reply) == 2)
		TRY(import_forget_pages(store, arena, project, id));
	TRY(imports_prune(store, arena, project));
	return store_confirm(store, arena);
}

enum result import_start(struct store *store, struct arena *arena, struct slice project, struct slice id,
                         const char *kind, int64_t now_ms)
{
	return import_register(store, arena, project, id, kind, IMPORT_RUNNING, now_ms);
}

enum result import_update(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          struct slice *fields, size_t count)
{
	struct key_name key = import_job_key(project, id, "");
	const struct reply *reply;
	fields[0] = key_slice(&key);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].data == NULL)
			return RESULT_NO_MEMORY;
	}
	store_send_script(store, &import_update_script, 1, fields, count);
	TRY(store_receive(store, arena, &reply));
	if (reply_integer(reply) == 2)
		return RESULT_CONFLICT;
	return reply_integer(reply) == 1 ? RESULT_OK : RESULT_NOT_FOUND;
}

enum result import_save(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        const struct import_state *state)
{
	size_t count = 7 + 2 * (state->counter_count + state->note_count);
	struct slice *fields = arena_array(arena, count, sizeof(*fields)), *next = fields + 1;
	if (fields == NULL)
		return RESULT_NO_MEMORY;
	*next++ = SLICE("step");
	*next++ = slice_of(state->step);
	*next++ = SLICE("done");
	*next++ = number_text(arena, state->done);
	*next++ = SLICE("total");
	*next++ = number_text(arena, state->total);
	for (size_t i = 0; i < state->counter_count; i++) {
		*next++ = arena_format(arena, IMPORT_RESULT_PREFIX "%s", state->counters[i].name);
		*next++ = number_text(arena, state->counters[i].value);
	}
	for (size_t i = 0; i < state->note_count; i++) {
		*next++ = arena_format(arena, IMPORT_NOTE_PREFIX "%s", state->notes[i].name);
		*next++ = slice_is_empty(state->notes[i].value) ? SLICE("") : state->notes[i].value;
	}
	return import_update(store, arena, project, id, fields, count);
}

enum result import_progress(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            const char *step, int64_t done, int64_t total, const struct import_counter *counters,
                            size_t count)
{
	struct import_state state = {
		.step = step, .done = done, .total = total, .counters = counters, .counter_count = count};
	return import_save(store, arena, project, id, &state);
}

enum result import_finish(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          enum import_status status, struct slice error, int64_t now_ms)
{
	struct slice fields[] = {SLICE(""),           SLICE("status"),             slice_of(import_status_name(status)),
	                         SLICE("ended_at"),   number_text(arena, now_ms),  SLICE("error"),
	                         error};
	TRY(import_update(store, arena, project, id, fields, COUNT_OF(fields) - (error.data == NULL ? 2 : 0)));
	return store_confirm(store, arena);
}

static enum result import_add_piece(struct store *store, struct arena *arena, struct slice project, struct slice id,
                                    struct slice piece)
{
	struct key_name job = import_job_key(project, id, ""), errors = import_job_key(project, id, ":errors");
	struct slice most = number_text(arena, (int64_t)IMPORT_ERRORS_BYTES),
		     kept = number_text(arena, IMPORT_ERRORS_KEPT_S);
	const struct reply *reply;
	if (most.data == NULL || kept.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &import_add_errors_script, 2,
	                  ARGUMENTS(key_slice(&job), key_slice(&errors), piece, most, kept, SLICE(ERRORS_CUT)));
	TRY(store_receive(store, arena, &reply));
	return reply_integer(reply) == 1 ? RESULT_OK : RESULT_NOT_FOUND;
}

enum result import_add_errors(struct store *store, struct arena *arena, struct slice project, struct slice id,
                              struct slice csv)
{
	while (csv.length > 0) {
		struct slice piece = csv;
		if (piece.length > IMPORT_ERRORS_PIECE)
			piece.length = IMPORT_ERRORS_PIECE;
		TRY(import_add_piece(store, arena, project, id, piece));
		csv = slice_from(csv, piece.length);
	}
	return RESULT_OK;
}

enum result import_fence(struct store *store, struct arena *arena, struct slice project, struct slice id)
{
	const struct reply *reply;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(project, p, "import:", id);
		store_send_script(store, &import_fence_script, 1, ARGUMENTS(key_slice(&key)));
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		TRY(store_receive(store, arena, &reply));
	return RESULT_OK;
}

enum result import_enqueue(struct store *store, struct arena *arena, const char *queue, struct slice project,
                           struct slice id)
{
	struct slice entry = arena_format(arena, "%.*s %.*s", (int)project.length, project.data, (int)id.length,
	                                  id.data);
	const struct reply *reply;
	if (entry.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &import_queue_script, 1, ARGUMENTS(slice_of(queue), entry));
	return store_receive(store, arena, &reply);
}

enum result import_ask_undo(struct store *store, struct arena *arena, struct slice project, struct slice id)
{
	struct slice fields[] = {SLICE(""), SLICE("undo"), SLICE("1")};
	struct import_job job;
	TRY(import_job_load(store, arena, project, id, &job));
	if (job.undo || job.status == IMPORT_UNDONE)
		return RESULT_CONFLICT;
	TRY(import_fence(store, arena, project, id));
	TRY(import_enqueue(store, arena, IMPORT_UNDO_QUEUE, project, id));
	// Only what is queued counts as asked for: until here the asking can be repeated.
	TRY(import_update(store, arena, project, id, fields, COUNT_OF(fields)));
	return store_confirm(store, arena);
}

#include "consent/import_run.h"

#include "consent/import_job.h"
#include "project/project.h"

STORE_SCRIPT(import_turn_script, "common/consent/import_turn.lua");

#define NEWEST SLICE("import")

static enum result import_turn(struct store *store, struct arena *arena, struct slice project, struct slice id,
                               enum import_status status, int64_t now_ms)
{
	struct key_name job = import_job_key(project, id, "");
	struct slice now = arena_format(arena, "%lld", (long long)now_ms);
	const struct reply *reply;
	if (now.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &import_turn_script, 1,
	                  ARGUMENTS(key_slice(&job), slice_of(import_status_name(status)), now));
	TRY(store_receive(store, arena, &reply));
	if (reply_integer(reply) == 0)
		return RESULT_NOT_FOUND;
	return reply_integer(reply) == 1 ? RESULT_OK : RESULT_CONFLICT;
}

// *newest has data NULL when the project had none yet. RESULT_CONFLICT: it is under way.
static enum result import_look_at_newest(struct store *store, struct arena *arena, struct slice project,
                                         struct slice *newest)
{
	struct key_name hash = project_key(project, "project");
	struct import_job job;
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGET"), key_slice(&hash), NEWEST)));
	*newest = reply_text(reply);
	if (newest->data == NULL)
		return RESULT_OK;
	enum result result = import_job_load(store, arena, project, *newest, &job);
	if (result != RESULT_OK)
		return result == RESULT_NOT_FOUND ? RESULT_OK : result;
	if (!import_job_is_under_way(&job))
		return RESULT_OK;
	// Whoever asked for it may have gone before it was queued.
	if (!job.undo)
		TRY(import_enqueue(store, arena, IMPORT_RUN_QUEUE, project, *newest));
	return RESULT_CONFLICT;
}

enum result import_ask(struct store *store, struct arena *arena, struct slice project, int64_t now_ms,
                       struct slice *id)
{
	struct key_name hash = project_key(project, "project");
	struct slice before, wanted = import_new_id(arena, now_ms);
	if (wanted.data == NULL)
		return RESULT_NO_MEMORY;
	enum result result = import_look_at_newest(store, arena, project, &before);
	*id = before;
	TRY(result);
	TRY(import_register(store, arena, project, wanted, IMPORT_KIND_API, IMPORT_QUEUED, now_ms));
	result = field_replace(store, arena, &hash, NEWEST, before, wanted);
	if (result == RESULT_CONFLICT) {
		TRY(import_remove(store, arena, project, wanted));
		result = import_look_at_newest(store, arena, project, id);
		return result == RESULT_OK ? RESULT_CONFLICT : result;
	}
	TRY(result);
	*id = wanted;
	TRY(import_enqueue(store, arena, IMPORT_RUN_QUEUE, project, wanted));
	return store_confirm(store, arena);
}

enum result import_cancel(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          int64_t now_ms)
{
	struct import_job job;
	TRY(import_job_load(store, arena, project, id, &job));
	if (job.undo || (job.status != IMPORT_QUEUED && job.status != IMPORT_RUNNING))
		return RESULT_CONFLICT;
	TRY(import_fence(store, arena, project, id));
	TRY(import_turn(store, arena, project, id, IMPORT_CANCELLED, now_ms));
	return store_confirm(store, arena);
}

enum result import_take(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        struct import_job *job)
{
	int64_t now_ms;
	TRY(store_time_ms(store, arena, &now_ms));
	TRY(import_turn(store, arena, project, id, IMPORT_RUNNING, now_ms));
	return import_job_load(store, arena, project, id, job);
}

enum result import_changes(struct store *store, struct arena *arena, struct slice project, struct slice id,
                           int64_t *changes)
{
	int64_t sum = 0;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(project, p, "import:", id);
		store_send(store, ARGUMENTS(SLICE("HGET"), key_slice(&key), SLICE("changes")));
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		const struct reply *reply;
		TRY(store_receive(store, arena, &reply));
		sum += reply_integer(reply);
	}
	*changes = sum;
	return RESULT_OK;
}

enum result import_warn(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        const char *step, struct slice message)
{
	struct buffer *text = buffer_new(arena, IMPORT_WARNING_MAXIMUM);
	if (text == NULL)
		return RESULT_NO_MEMORY;
	struct json_writer out = json_writer_on(text);
	json_open_object(&out);
	json_member_text(&out, "step", slice_of(step));
	json_member_text(&out, "message", message);
	json_close_object(&out);
	struct slice fields[] = {SLICE(""), arena_format(arena, IMPORT_WARNING_PREFIX "%s", step), buffer_slice(text)};
	if (buffer_failed(text))
		return RESULT_NO_MEMORY;
	return import_update(store, arena, project, id, fields, COUNT_OF(fields));
}

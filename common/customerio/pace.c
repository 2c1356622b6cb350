#include "customerio/pace.h"

#include "project/project.h"

STORE_SCRIPT(pace_wait_script, "common/customerio/pace_wait.lua");
STORE_SCRIPT(pace_hold_script, "common/customerio/pace_hold.lua");

#define PACE_SUFFIX "pace:app"

struct pace_turn {
	int64_t at_us; // of Redis TIME; 0: none yet
	int64_t wait_us;
};

static enum result pace_ask(struct store *store, struct arena *arena, struct slice project, int64_t most_ms,
                            struct pace_turn *turn)
{
	struct key_name key = project_key(project, PACE_SUFFIX);
	struct slice interval = arena_format(arena, "%d", PACE_INTERVAL_US);
	struct slice mine = arena_format(arena, "%lld", (long long)turn->at_us);
	struct slice most = arena_format(arena, "%lld", (long long)most_ms * 1000);
	const struct reply *reply;

	if (interval.data == NULL || mine.data == NULL || most.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &pace_wait_script, 1, ARGUMENTS(key_slice(&key), interval, mine, most));
	TRY(store_receive(store, arena, &reply));
	if (reply_is_null(reply))
		return RESULT_LIMITED;
	*turn = (struct pace_turn){reply_integer(reply_at(reply, 0)), reply_integer(reply_at(reply, 1))};
	return RESULT_OK;
}

// A turn is looked at again when it has come, since somebody may have been told to pause meanwhile.
enum result pace_wait(struct store *store, struct arena *arena, struct slice project, const struct patience *patience,
                      int64_t most_ms)
{
	struct pace_turn turn = {0};

	TRY(pace_ask(store, arena, project, most_ms, &turn));
	while (turn.wait_us > 0) {
		TRY(patience_wait(patience, (turn.wait_us + 999) / 1000));
		TRY(pace_ask(store, arena, project, most_ms, &turn));
	}
	return RESULT_OK;
}

enum result pace_hold(struct store *store, struct arena *arena, struct slice project, int64_t ms)
{
	struct key_name key = project_key(project, PACE_SUFFIX);
	int64_t most = ms > PACE_HOLD_MAXIMUM_MS ? PACE_HOLD_MAXIMUM_MS : ms;
	struct slice pause = arena_format(arena, "%lld", (long long)most * 1000);
	const struct reply *reply;

	if (pause.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &pace_hold_script, 1, ARGUMENTS(key_slice(&key), pause));
	return store_receive(store, arena, &reply);
}

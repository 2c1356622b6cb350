#include "customerio/lookup.h"

#include "project/project.h"

STORE_SCRIPT(lookup_queue_script, "common/customerio/lookup_queue.lua");

static const char *const kind_names[] = {
	[LOOKUP_PREFERENCES] = "preferences",
	[LOOKUP_ADDRESS] = "address",
};

enum result lookup_queue(struct store *store, struct arena *arena, struct slice project, enum lookup_kind kind,
                         struct slice identifier, int64_t made_at_ms)
{
	struct key_name key = partition_key(project, partition_of(identifier), "lookups", SLICE(""));
	struct slice score = arena_format(arena, "%lld", (long long)made_at_ms);
	struct slice member =
		arena_format(arena, "%s\n%.*s", kind_names[kind], (int)identifier.length, identifier.data);
	if (score.data == NULL || member.data == NULL)
		return RESULT_NO_MEMORY;
	const struct reply *reply;
	store_send_script(store, &lookup_queue_script, 1, ARGUMENTS(key_slice(&key), score, member));
	return store_receive(store, arena, &reply);
}

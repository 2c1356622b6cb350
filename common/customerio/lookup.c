#include "customerio/lookup.h"

#include "project/project.h"

STORE_SCRIPT(lookup_queue_script, "common/customerio/lookup_queue.lua");
STORE_SCRIPT(lookup_take_script, "common/customerio/lookup_take.lua");
STORE_SCRIPT(lookup_done_script, "common/customerio/lookup_done.lua");

static const char *const kind_names[] = {
	[LOOKUP_PREFERENCES] = "preferences",
	[LOOKUP_ADDRESS] = "address",
};

const char *lookup_kind_name(enum lookup_kind kind)
{
	return kind_names[kind];
}

static struct key_name lookup_key(struct slice project, int partition)
{
	return partition_key(project, partition, "lookups", SLICE(""));
}

// Runs a script on one look-up.
static enum result lookup_call(struct store *store, struct arena *arena, struct slice project,
                               const struct lookup *lookup, const struct store_script *script)
{
	struct key_name key = lookup_key(project, partition_of(lookup->identifier));
	struct slice score = arena_format(arena, "%lld", (long long)lookup->made_at_ms);
	struct slice member = arena_format(arena, "%s\n%.*s", kind_names[lookup->kind],
	                                   (int)lookup->identifier.length, lookup->identifier.data);
	const struct reply *reply;
	if (score.data == NULL || member.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, script, 1, ARGUMENTS(key_slice(&key), score, member));
	return store_receive(store, arena, &reply);
}

enum result lookup_queue(struct store *store, struct arena *arena, struct slice project, enum lookup_kind kind,
                         struct slice identifier, int64_t made_at_ms)
{
	const struct lookup lookup = {kind, identifier, made_at_ms};
	return lookup_call(store, arena, project, &lookup, &lookup_queue_script);
}

enum result lookup_done(struct store *store, struct arena *arena, struct slice project, const struct lookup *lookup)
{
	return lookup_call(store, arena, project, lookup, &lookup_done_script);
}

static enum result lookup_count_queues(struct store *store, struct arena *arena, struct slice project, int64_t *queues)
{
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = lookup_key(project, p);
		store_send(store, ARGUMENTS(SLICE("EXISTS"), key_slice(&key)));
	}
	*queues = 0;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		const struct reply *reply;
		TRY(store_receive(store, arena, &reply));
		*queues += reply_integer(reply);
	}
	return RESULT_OK;
}

enum result lookup_find(struct store *store, struct arena *arena, struct slice **projects, size_t *count)
{
	size_t all, kept = 0;
	TRY(project_list(store, arena, projects, &all));
	for (size_t i = 0; i < all; i++) {
		int64_t queues;
		TRY(lookup_count_queues(store, arena, (*projects)[i], &queues));
		if (queues > 0)
			(*projects)[kept++] = (*projects)[i];
	}
	*count = kept;
	return RESULT_OK;
}

static bool lookup_read(struct slice member, int64_t made_at_ms, struct lookup *lookup)
{
	struct slice identifier = member, name = slice_split(&identifier, '\n');
	for (size_t kind = 0; kind < COUNT_OF(kind_names); kind++) {
		if (!slice_equal(name, slice_of(kind_names[kind])))
			continue;
		*lookup = (struct lookup){(enum lookup_kind)kind, identifier, made_at_ms};
		return true;
	}
	return false;
}

enum result lookup_take(struct store *store, struct arena *arena, struct slice project, struct lookup **lookups,
                        size_t *count)
{
	struct slice most = arena_format(arena, "%d", LOOKUPS_A_PARTITION);
	struct lookup *taken = arena_array(arena, (size_t)PROJECT_PARTITIONS * LOOKUPS_A_PARTITION, sizeof(*taken));
	size_t used = 0;
	if (most.data == NULL || taken == NULL)
		return RESULT_NO_MEMORY;
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = lookup_key(project, p);
		store_send_script(store, &lookup_take_script, 1, ARGUMENTS(key_slice(&key), most));
	}
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		const struct reply *reply;
		TRY(store_receive(store, arena, &reply));
		for (size_t i = 0; i + 1 < reply_count(reply); i += 2)
			used += lookup_read(reply_text(reply_at(reply, i)), reply_integer(reply_at(reply, i + 1)),
			                    &taken[used]);
	}
	*lookups = taken;
	*count = used;
	return RESULT_OK;
}

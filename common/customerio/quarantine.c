#include "customerio/quarantine.h"

#include "project/project.h"

STORE_SCRIPT(quarantine_add_script, "common/customerio/quarantine_add.lua");
STORE_SCRIPT(quarantine_remove_script, "common/customerio/quarantine_remove.lua");

static struct key_name quarantine_key(struct slice project)
{
	return project_key(project, "quarantine");
}

static struct key_name quarantine_totals_key(struct slice project)
{
	return project_key(project, "quarantine:totals");
}

enum result quarantine_add(struct store *store, struct arena *arena, struct slice project, struct slice reason,
                           int64_t timestamp_s, struct slice body, int64_t size)
{
	struct key_name stream = quarantine_key(project), totals = quarantine_totals_key(project);
	struct slice kept = {body.data, body.length < QUARANTINE_BODY ? body.length : QUARANTINE_BODY};
	struct slice most_entries = arena_format(arena, "%d", QUARANTINE_ENTRIES);
	struct slice most_bytes = arena_format(arena, "%lld", (long long)QUARANTINE_BYTES);
	struct slice timestamp = arena_format(arena, "%lld", (long long)timestamp_s);
	struct slice whole = arena_format(arena, "%lld", (long long)size);
	if (most_entries.data == NULL || most_bytes.data == NULL || timestamp.data == NULL || whole.data == NULL)
		return RESULT_NO_MEMORY;
	const struct reply *reply;
	store_send_script(store, &quarantine_add_script, 2,
	                  ARGUMENTS(key_slice(&stream), key_slice(&totals), most_entries, most_bytes, reason,
	                            timestamp, whole, kept));
	return store_receive(store, arena, &reply);
}

static bool is_number(struct slice digits)
{
	int64_t number;
	return digits.data != NULL && slice_to_integer(digits, 0, INT64_MAX, &number);
}

bool quarantine_id_is_valid(struct slice id)
{
	struct slice sequence = id;
	struct slice ms = slice_split(&sequence, '-');
	return is_number(ms) && is_number(sequence);
}

static struct slice field_of(const struct reply *fields, struct slice name)
{
	for (size_t i = 0; i + 1 < reply_count(fields); i += 2) {
		if (slice_equal(reply_text(reply_at(fields, i)), name))
			return reply_text(reply_at(fields, i + 1));
	}
	return (struct slice){NULL, 0};
}

static struct quarantine_entry entry_read(const struct reply *reply)
{
	const struct reply *fields = reply_at(reply, 1);
	struct quarantine_entry entry = {
		.id = reply_text(reply_at(reply, 0)),
		.reason = field_of(fields, SLICE("reason")),
		.body = field_of(fields, SLICE("body")),
	};
	struct slice rest = entry.id;
	slice_to_integer(slice_split(&rest, '-'), 0, INT64_MAX, &entry.received_at_ms);
	slice_to_integer(field_of(fields, SLICE("size")), 0, INT64_MAX, &entry.size);
	slice_to_integer(field_of(fields, SLICE("timestamp")), 0, INT64_MAX, &entry.timestamp_s);
	return entry;
}

enum result quarantine_list(struct store *store, struct arena *arena, struct slice project, struct slice before,
                            size_t limit, struct quarantine_entry **entries, size_t *count)
{
	struct key_name stream = quarantine_key(project);
	struct slice from = slice_is_empty(before)
	                            ? SLICE("+")
	                            : arena_format(arena, "(%.*s", (int)before.length, before.data);
	struct slice most = arena_format(arena, "%zu", limit);
	if (from.data == NULL || most.data == NULL)
		return RESULT_NO_MEMORY;
	const struct reply *reply;
	TRY(store_call(store, arena, &reply,
	               ARGUMENTS(SLICE("XREVRANGE"), key_slice(&stream), from, SLICE("-"), SLICE("COUNT"), most)));
	size_t found = reply_count(reply);
	struct quarantine_entry *items = arena_array(arena, found + 1, sizeof(*items));
	if (items == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < found; i++)
		items[i] = entry_read(reply_at(reply, i));
	*entries = items;
	*count = found;
	return RESULT_OK;
}

enum result quarantine_get(struct store *store, struct arena *arena, struct slice project, struct slice id,
                           struct quarantine_entry *entry)
{
	struct key_name stream = quarantine_key(project);
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("XRANGE"), key_slice(&stream), id, id)));
	if (reply_count(reply) == 0)
		return RESULT_NOT_FOUND;
	*entry = entry_read(reply_at(reply, 0));
	return RESULT_OK;
}

enum result quarantine_remove(struct store *store, struct arena *arena, struct slice project, struct slice id)
{
	struct key_name stream = quarantine_key(project), totals = quarantine_totals_key(project);
	const struct reply *reply;
	store_send_script(store, &quarantine_remove_script, 2, ARGUMENTS(key_slice(&stream), key_slice(&totals), id));
	return store_receive(store, arena, &reply);
}

enum result quarantine_totals(struct store *store, struct arena *arena, struct slice project,
                              struct quarantine_totals *totals)
{
	struct key_name stream = quarantine_key(project), hash = quarantine_totals_key(project);
	const struct reply *length, *counts;
	store_send(store, ARGUMENTS(SLICE("XLEN"), key_slice(&stream)));
	store_send(store,
	           ARGUMENTS(SLICE("HMGET"), key_slice(&hash), SLICE("bytes"), SLICE("taken"), SLICE("dropped")));
	TRY(store_receive(store, arena, &length));
	TRY(store_receive(store, arena, &counts));
	*totals = (struct quarantine_totals){
		.waiting = reply_integer(length),
		.waiting_bytes = reply_integer(reply_at(counts, 0)),
		.taken = reply_integer(reply_at(counts, 1)),
		.dropped = reply_integer(reply_at(counts, 2)),
	};
	return RESULT_OK;
}

#include "consent/audit.h"

#include "project/project.h"

#define ENTRIES_A_LOOK 5000 // keeps each look under about 10 ms, so that Redis answers others in between
#define LOOK_MEMORY ((size_t)64 << 10)

enum {
	FIELD_RECIPIENT_AT = 1,
	FIELD_CATEGORY_AT = 3,
	FIELD_OLD_AT = 5,
	FIELD_NEW_AT = 7,
	FIELD_SOURCE_AT = 9,
	FIELD_REFERENCE_AT = 11,
};

// A search through a partition's audit for one recipient. Redis only hands out entries and these are compared here:
// a script would hold it up five times as long.
struct search {
	struct arena *arena; // for what is found; what was only looked at is given back after each look
	struct slice stream, recipient;
	struct slice from; // where the next look begins; empty: there is nothing more
	struct audit_entry *found;
	size_t count;
};

static enum result search_keep(struct search *search, struct slice id, const struct reply *fields)
{
	struct audit_entry entry = {
		.recipient = search->recipient,
		.category = arena_copy(search->arena, reply_text(reply_at(fields, FIELD_CATEGORY_AT))),
		.old_score = reply_integer(reply_at(fields, FIELD_OLD_AT)),
		.new_score = reply_integer(reply_at(fields, FIELD_NEW_AT)),
		.source = arena_copy(search->arena, reply_text(reply_at(fields, FIELD_SOURCE_AT))),
		.reference = arena_copy(search->arena, reply_text(reply_at(fields, FIELD_REFERENCE_AT))),
	};
	slice_to_integer(slice_split(&id, '-'), 0, INT64_MAX, &entry.recorded_at_ms);
	if (entry.category.data == NULL || entry.source.data == NULL || entry.reference.data == NULL)
		return RESULT_NO_MEMORY;
	search->found[search->count++] = entry;
	return RESULT_OK;
}

static enum result search_look(struct store *store, struct arena *look, struct search *search)
{
	const struct reply *entries, *entry = NULL;
	struct slice many = arena_format(look, "%d", ENTRIES_A_LOOK);
	TRY(store_call(store, look, &entries,
	               ARGUMENTS(SLICE("XREVRANGE"), search->stream, search->from, SLICE("-"), SLICE("COUNT"), many)));
	size_t count = reply_count(entries);
	for (size_t i = 0; i < count && search->count <= AUDIT_HISTORY_MAXIMUM; i++) {
		entry = reply_at(entries, i);
		if (slice_equal(reply_text(reply_at(reply_at(entry, 1), FIELD_RECIPIENT_AT)), search->recipient))
			TRY(search_keep(search, reply_text(reply_at(entry, 0)), reply_at(entry, 1)));
	}
	struct slice oldest = reply_text(reply_at(entry, 0));
	search->from = SLICE("");
	if (count == ENTRIES_A_LOOK)
		search->from = arena_format(search->arena, "(%.*s", (int)oldest.length, oldest.data);
	return search->from.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result audit_history(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                          struct audit_entry **entries, size_t *count, bool *complete)
{
	struct key_name stream = partition_key(project, partition_of(recipient), "audit", SLICE(""));
	AUTO(arena_auto) struct arena *look = arena_new(LOOK_MEMORY);
	// One more than is shown tells whether there are more.
	struct search search = {
		.arena = arena,
		.stream = key_slice(&stream),
		.recipient = recipient,
		.from = SLICE("+"),
		.found = arena_array(arena, AUDIT_HISTORY_MAXIMUM + 1, sizeof(struct audit_entry)),
	};
	if (look == NULL || search.found == NULL)
		return RESULT_NO_MEMORY;
	for (size_t looked = 0; looked < AUDIT_SCAN_MAXIMUM; looked += ENTRIES_A_LOOK) {
		if (slice_is_empty(search.from) || search.count > AUDIT_HISTORY_MAXIMUM)
			break;
		arena_reset(look);
		TRY(search_look(store, look, &search));
	}
	*complete = slice_is_empty(search.from) && search.count <= AUDIT_HISTORY_MAXIMUM;
	*count = search.count < AUDIT_HISTORY_MAXIMUM ? search.count : AUDIT_HISTORY_MAXIMUM;
	*entries = search.found;
	return RESULT_OK;
}

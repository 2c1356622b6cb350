#include "consent/audit.h"

#include "project/project.h"

STORE_SCRIPT(find_audit, "common/consent/find_audit.lua");

#define ENTRIES_A_SCRIPT 5000 // keeps each look under about 10 ms, so that Redis answers others in between

enum { FIELD_RECIPIENT_AT = 1, FIELD_CATEGORY_AT = 3, FIELD_OLD_AT = 5, FIELD_NEW_AT = 7, FIELD_SOURCE_AT = 9,
       FIELD_REFERENCE_AT = 11 };

static struct audit_entry audit_read(struct slice id, const struct reply *fields)
{
	int64_t recorded_at = 0;
	slice_to_integer(slice_split(&id, '-'), 0, INT64_MAX, &recorded_at);
	return (struct audit_entry){
		.recipient = reply_text(reply_at(fields, FIELD_RECIPIENT_AT)),
		.category = reply_text(reply_at(fields, FIELD_CATEGORY_AT)),
		.old_score = reply_integer(reply_at(fields, FIELD_OLD_AT)),
		.new_score = reply_integer(reply_at(fields, FIELD_NEW_AT)),
		.source = reply_text(reply_at(fields, FIELD_SOURCE_AT)),
		.reference = reply_text(reply_at(fields, FIELD_REFERENCE_AT)),
		.recorded_at_ms = recorded_at,
	};
}

// One look. *from becomes where the next one goes on; empty at the end.
static enum result audit_look(struct store *store, struct arena *arena, struct slice stream, struct slice recipient,
                              struct slice *from, struct audit_entry *entries, size_t *count)
{
	const struct reply *reply;
	struct slice many = arena_format(arena, "%d", ENTRIES_A_SCRIPT);
	store_send_script(store, &find_audit, 1, ARGUMENTS(stream, recipient, *from, many));
	TRY(store_receive(store, arena, &reply));
	for (size_t i = 1; i + 1 < reply_count(reply) && *count < AUDIT_HISTORY_MAXIMUM; i += 2)
		entries[(*count)++] = audit_read(reply_text(reply_at(reply, i)), reply_at(reply, i + 1));
	struct slice oldest = reply_text(reply_at(reply, 0));
	*from = slice_is_empty(oldest) ? oldest : arena_format(arena, "(%.*s", (int)oldest.length, oldest.data);
	return RESULT_OK;
}

enum result audit_history(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                          struct audit_entry **entries, size_t *count, bool *complete)
{
	struct key_name stream = partition_key(project, partition_of(recipient), "audit", SLICE(""));
	struct audit_entry *found = arena_array(arena, AUDIT_HISTORY_MAXIMUM, sizeof(*found));
	if (found == NULL)
		return RESULT_NO_MEMORY;
	struct slice from = SLICE("+");
	*count = 0;
	for (size_t looked = 0; looked < AUDIT_SCAN_MAXIMUM && *count < AUDIT_HISTORY_MAXIMUM; looked += ENTRIES_A_SCRIPT) {
		TRY(audit_look(store, arena, key_slice(&stream), recipient, &from, found, count));
		if (slice_is_empty(from))
			break;
	}
	*entries = found;
	*complete = slice_is_empty(from);
	return RESULT_OK;
}

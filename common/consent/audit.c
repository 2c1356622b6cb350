#include "consent/audit.h"

#include "codec/encode.h"
#include "project/project.h"

#include <stdio.h>

#define HISTORY_LOOK 5000 // keeps each look under about 10 ms, so that Redis answers others in between
#define LANE_MEMORY ((size_t)64 << 10)
#define SCORE_MAXIMUM (INT64_C(1) << 53) // what a sorted set holds exactly
#define PLACE_MAXIMUM 128                // bytes
#define ID_SIZE 48

// One partition on the way: what was fetched of it and not yet given.
struct lane {
	int partition;
	struct arena *arena; // of what was fetched last
	const struct reply *fetched;
	size_t index, count;     // of the head among them
	struct audit_entry head; // when index < count
	char from[ID_SIZE];      // where the next look begins
	bool is_at_end;
};

struct audit_walk {
	struct store *store;
	struct slice project;
	enum audit_order order;
	size_t look;
	struct lane lanes[PROJECT_PARTITIONS];
	size_t lane_count;
	struct lane *given; // its head was given last
};

bool audit_score_read(struct slice text, int64_t *score)
{
	*score = 0;
	if (slice_is_empty(text))
		return true;
	char first = text.data[text.data[0] == '-' && text.length > 1];
	return first != '0' && slice_to_integer(text, -SCORE_MAXIMUM, SCORE_MAXIMUM, score);
}

static bool entry_is_named_well(const struct reply *fields)
{
	static const char *const names[] = {"recipient", "category", "old", "new", "source", "reference"};
	if (reply_count(fields) != 2 * COUNT_OF(names))
		return false;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!slice_equal(reply_text(reply_at(fields, 2 * i)), slice_of(names[i])))
			return false;
	}
	return true;
}

static void entry_read(const struct reply *reply, int partition, struct audit_entry *entry)
{
	const struct reply *fields = reply_at(reply, 1);
	struct slice id = reply_text(reply_at(reply, 0));
	*entry = (struct audit_entry){
		.recipient = reply_text(reply_at(fields, 1)),
		.category = reply_text(reply_at(fields, 3)),
		.source = reply_text(reply_at(fields, 9)),
		.reference = reply_text(reply_at(fields, 11)),
		.partition = partition,
	};
	bool has_scores = audit_score_read(reply_text(reply_at(fields, 5)), &entry->old_score);
	has_scores = audit_score_read(reply_text(reply_at(fields, 7)), &entry->new_score) && has_scores;
	bool changes = entry->old_score != 0 || entry->new_score != 0;
	if (entry->old_score != 0 && entry->new_score != 0)
		changes = (entry->old_score > 0) != (entry->new_score > 0);
	entry->is_sound = has_scores && changes && entry_is_named_well(fields);
	slice_to_integer(slice_split(&id, '-'), 0, INT64_MAX, &entry->recorded_at_ms);
	slice_to_integer(id, 0, INT64_MAX, &entry->sequence);
}

enum result audit_entry_get(struct store *store, struct arena *arena, struct slice project, int partition,
                            int64_t recorded_at_ms, int64_t sequence, struct audit_entry *entry)
{
	const struct reply *reply;
	struct key_name stream = partition_key(project, partition, "audit", SLICE(""));
	struct slice id = arena_format(arena, "%lld-%lld", (long long)recorded_at_ms, (long long)sequence);
	if (id.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("XRANGE"), key_slice(&stream), id, id)));
	entry_read(reply_at(reply, 0), partition, entry);
	return RESULT_OK;
}

static int entry_compare(const struct audit_entry *a, const struct audit_entry *b)
{
	if (a->recorded_at_ms != b->recorded_at_ms)
		return a->recorded_at_ms < b->recorded_at_ms ? -1 : 1;
	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	return a->partition - b->partition;
}

static void lane_start_at(struct lane *lane, int64_t recorded_at_ms, int64_t sequence, bool inclusive)
{
	snprintf(lane->from, sizeof(lane->from), "%s%lld-%lld", inclusive ? "" : "(", (long long)recorded_at_ms,
	         (long long)sequence);
}

static void lane_read_head(struct lane *lane)
{
	if (lane->index < lane->count)
		entry_read(reply_at(lane->fetched, lane->index), lane->partition, &lane->head);
}

static void lane_ask(struct audit_walk *walk, const struct lane *lane)
{
	struct key_name stream = partition_key(walk->project, lane->partition, "audit", SLICE(""));
	bool newest_first = walk->order == AUDIT_NEWEST_FIRST;
	char look[24];
	snprintf(look, sizeof(look), "%zu", walk->look);
	store_send(walk->store, ARGUMENTS(newest_first ? SLICE("XREVRANGE") : SLICE("XRANGE"), key_slice(&stream),
	                                  slice_of(lane->from), newest_first ? SLICE("-") : SLICE("+"),
	                                  SLICE("COUNT"), slice_of(look)));
}

static enum result lane_take(struct audit_walk *walk, struct lane *lane)
{
	arena_reset(lane->arena);
	lane->index = lane->count = 0;
	TRY(store_receive(walk->store, lane->arena, &lane->fetched));
	lane->count = reply_count(lane->fetched);
	lane->is_at_end = lane->count < walk->look;
	if (lane->count == 0)
		return RESULT_OK;
	struct audit_entry last;
	entry_read(reply_at(lane->fetched, lane->count - 1), lane->partition, &last);
	lane_start_at(lane, last.recorded_at_ms, last.sequence, false);
	lane_read_head(lane);
	return RESULT_OK;
}

static bool lane_is_dry(const struct lane *lane)
{
	return lane->index == lane->count && !lane->is_at_end;
}

// All that have run dry are filled in one round trip.
static enum result walk_fill(struct audit_walk *walk)
{
	bool dry[PROJECT_PARTITIONS];
	for (size_t i = 0; i < walk->lane_count; i++) {
		dry[i] = lane_is_dry(&walk->lanes[i]);
		if (dry[i])
			lane_ask(walk, &walk->lanes[i]);
	}
	for (size_t i = 0; i < walk->lane_count; i++) {
		if (dry[i])
			TRY(lane_take(walk, &walk->lanes[i]));
	}
	return RESULT_OK;
}

enum result audit_walk_next(struct audit_walk *walk, const struct audit_entry **entry)
{
	if (walk->given != NULL) {
		walk->given->index++;
		lane_read_head(walk->given);
	}
	walk->given = NULL;
	TRY(walk_fill(walk));
	int sign = walk->order == AUDIT_NEWEST_FIRST ? -1 : 1;
	for (size_t i = 0; i < walk->lane_count; i++) {
		struct lane *lane = &walk->lanes[i];
		if (lane->index < lane->count &&
		    (walk->given == NULL || sign * entry_compare(&lane->head, &walk->given->head) < 0))
			walk->given = lane;
	}
	for (size_t i = 0; i < walk->lane_count && walk->given == NULL; i++)
		walk->lanes[i].is_at_end = false;
	*entry = walk->given != NULL ? &walk->given->head : NULL;
	return RESULT_OK;
}

static void lane_release(void *arena)
{
	arena_free(arena);
}

struct audit_walk *audit_walk_new(struct store *store, struct arena *arena, struct slice project, int partition,
                                  enum audit_order order, size_t look)
{
	struct audit_walk *walk = arena_alloc(arena, sizeof(*walk));
	if (walk == NULL)
		return NULL;
	bool every = partition == AUDIT_EVERY_PARTITION;
	*walk = (struct audit_walk){.store = store, .project = project, .order = order, .look = look};
	walk->lane_count = every ? PROJECT_PARTITIONS : 1;
	for (size_t i = 0; i < walk->lane_count; i++) {
		struct lane *lane = &walk->lanes[i];
		*lane = (struct lane){.partition = every ? (int)i : partition, .arena = arena_new(LANE_MEMORY)};
		if (lane->arena == NULL || !arena_defer(arena, lane_release, lane->arena))
			return NULL;
		lane->from[0] = order == AUDIT_NEWEST_FIRST ? '+' : '-';
	}
	return walk;
}

void audit_walk_since(struct audit_walk *walk, int64_t recorded_at_ms)
{
	for (size_t i = 0; i < walk->lane_count; i++)
		lane_start_at(&walk->lanes[i], recorded_at_ms, 0, true);
}

struct slice audit_place(struct arena *arena, const struct audit_entry *entry)
{
	struct slice text = arena_format(arena, "%lld-%lld-%d", (long long)entry->recorded_at_ms,
	                                 (long long)entry->sequence, entry->partition);
	return text.data != NULL ? encode_base64url(arena, text) : text;
}

enum result audit_walk_behind(struct audit_walk *walk, struct slice place)
{
	AUTO(arena_auto) struct arena *arena = arena_new(LANE_MEMORY);
	struct slice text;
	int64_t recorded_at_ms, sequence, partition;
	if (arena == NULL)
		return RESULT_NO_MEMORY;
	if (place.length > PLACE_MAXIMUM || decode_base64url(arena, place, &text) != RESULT_OK)
		return RESULT_INVALID;
	if (!slice_to_integer(slice_split(&text, '-'), 0, INT64_MAX, &recorded_at_ms) ||
	    !slice_to_integer(slice_split(&text, '-'), 0, INT64_MAX, &sequence) ||
	    !slice_to_integer(text, 0, PROJECT_PARTITIONS - 1, &partition))
		return RESULT_INVALID;
	for (size_t i = 0; i < walk->lane_count; i++)
		lane_start_at(&walk->lanes[i], recorded_at_ms, sequence, walk->lanes[i].partition < partition);
	return RESULT_OK;
}

static enum result history_keep(struct arena *arena, const struct audit_entry *entry, struct audit_entry *kept)
{
	*kept = *entry;
	kept->recipient = arena_copy(arena, entry->recipient);
	kept->category = arena_copy(arena, entry->category);
	kept->source = arena_copy(arena, entry->source);
	kept->reference = arena_copy(arena, entry->reference);
	bool whole = kept->recipient.data != NULL && kept->category.data != NULL && kept->source.data != NULL &&
	             kept->reference.data != NULL;
	return whole ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result audit_history(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                          struct audit_entry **entries, size_t *count, bool *complete)
{
	// One more than is shown tells whether there are more.
	struct audit_entry *found = arena_array(arena, AUDIT_HISTORY_MAXIMUM + 1, sizeof(*found));
	struct audit_walk *walk =
		audit_walk_new(store, arena, project, partition_of(recipient), AUDIT_NEWEST_FIRST, HISTORY_LOOK);
	const struct audit_entry *entry = NULL;
	size_t found_count = 0;
	bool is_at_end = false;
	if (found == NULL || walk == NULL)
		return RESULT_NO_MEMORY;
	for (size_t looked = 0; looked < AUDIT_SCAN_MAXIMUM && found_count <= AUDIT_HISTORY_MAXIMUM; looked++) {
		TRY(audit_walk_next(walk, &entry));
		is_at_end = entry == NULL;
		if (is_at_end)
			break;
		if (slice_equal(entry->recipient, recipient))
			TRY(history_keep(arena, entry, &found[found_count++]));
	}
	*complete = is_at_end && found_count <= AUDIT_HISTORY_MAXIMUM;
	*count = found_count < AUDIT_HISTORY_MAXIMUM ? found_count : AUDIT_HISTORY_MAXIMUM;
	*entries = found;
	return RESULT_OK;
}

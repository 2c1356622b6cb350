#include "consent/audit_stats.h"

#include "consent/audit.h"
#include "consent/category.h"

#include <stdlib.h>

#define LOOK 250 // entries of a partition at a time
#define FIRST_CAPACITY 256

// A hash table; a place without a category is free.
struct audit_stats {
	struct arena *arena;
	struct audit_walk *walk;
	struct audit_count *counts;
	size_t capacity, count; // the capacity is a power of two
};

struct audit_stats *audit_stats_new(struct store *store, struct arena *arena, struct slice project,
                                    int64_t recorded_at_ms)
{
	struct audit_stats *stats = arena_alloc(arena, sizeof(*stats));
	if (stats == NULL)
		return NULL;
	*stats = (struct audit_stats){
		.arena = arena,
		.walk = audit_walk_new(store, arena, project, AUDIT_EVERY_PARTITION, AUDIT_OLDEST_FIRST, LOOK),
		.counts = arena_array(arena, FIRST_CAPACITY, sizeof(struct audit_count)),
		.capacity = FIRST_CAPACITY,
	};
	if (stats->walk == NULL || stats->counts == NULL)
		return NULL;
	audit_walk_since(stats->walk, recorded_at_ms);
	return stats;
}

// FNV-1a
static uint64_t hash_add(uint64_t hash, struct slice bytes)
{
	for (size_t i = 0; i < bytes.length; i++)
		hash = (hash ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t count_hash(const struct audit_count *count)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)count->day;
	return hash_add(hash_add(hash, count->category), count->source);
}

static bool is_same(const struct audit_count *a, const struct audit_count *b)
{
	return a->day == b->day && slice_equal(a->category, b->category) && slice_equal(a->source, b->source);
}

// Where it is, or the free place where it would be.
static struct audit_count *place_of(struct audit_count *counts, size_t capacity, const struct audit_count *wanted)
{
	size_t place = (size_t)count_hash(wanted) & (capacity - 1);
	while (counts[place].category.data != NULL && !is_same(&counts[place], wanted))
		place = (place + 1) & (capacity - 1);
	return &counts[place];
}

static enum result stats_grow(struct audit_stats *stats)
{
	size_t capacity = 2 * stats->capacity;
	struct audit_count *counts = arena_array(stats->arena, capacity, sizeof(*counts));
	if (counts == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < stats->capacity; i++) {
		if (stats->counts[i].category.data != NULL)
			*place_of(counts, capacity, &stats->counts[i]) = stats->counts[i];
	}
	stats->counts = counts;
	stats->capacity = capacity;
	return RESULT_OK;
}

static enum result stats_find(struct audit_stats *stats, const struct audit_count *wanted, struct audit_count **found)
{
	*found = place_of(stats->counts, stats->capacity, wanted);
	if ((*found)->category.data != NULL)
		return RESULT_OK;
	if (stats->count == AUDIT_STATS_MAXIMUM)
		return RESULT_TOO_LARGE;
	if (stats->count == stats->capacity / 2)
		TRY(stats_grow(stats));
	struct audit_count made = {.day = wanted->day};
	made.category = arena_copy(stats->arena, wanted->category);
	made.source = arena_copy(stats->arena, wanted->source);
	if (made.category.data == NULL || made.source.data == NULL)
		return RESULT_NO_MEMORY;
	*found = place_of(stats->counts, stats->capacity, wanted);
	**found = made;
	stats->count++;
	return RESULT_OK;
}

static bool is_counted(const struct audit_entry *entry)
{
	return entry->is_sound && !slice_equal(entry->category, category_bounced.list) &&
	       !slice_equal(entry->category, category_dropped.list);
}

static enum result stats_add(struct audit_stats *stats, const struct audit_entry *entry)
{
	struct audit_count wanted = {
		.day = entry->recorded_at_ms / AUDIT_DAY_MS,
		.category = entry->category,
		.source = entry->source,
	};
	struct audit_count *count;
	TRY(stats_find(stats, &wanted, &count));
	// Going back to no choice is the opposite of the choice that there was.
	bool out = entry->new_score > 0 || (entry->new_score == 0 && entry->old_score < 0);
	count->opted_out += out;
	count->opted_in += !out;
	return RESULT_OK;
}

enum result audit_stats_look(struct audit_stats *stats, size_t limit, bool *more)
{
	const struct audit_entry *entry;
	for (size_t i = 0; i < limit; i++) {
		TRY(audit_walk_next(stats->walk, &entry));
		*more = entry != NULL;
		if (entry == NULL)
			return RESULT_OK;
		if (is_counted(entry))
			TRY(stats_add(stats, entry));
	}
	return RESULT_OK;
}

static int count_compare(const void *a, const void *b)
{
	const struct audit_count *first = a, *second = b;
	if (first->day != second->day)
		return first->day > second->day ? -1 : 1;
	int order = slice_compare(first->category, second->category);
	return order != 0 ? order : slice_compare(first->source, second->source);
}

const struct audit_count *audit_stats_result(struct audit_stats *stats, size_t *count)
{
	size_t moved = 0;
	for (size_t i = 0; i < stats->capacity; i++) {
		if (stats->counts[i].category.data != NULL)
			stats->counts[moved++] = stats->counts[i];
	}
	qsort(stats->counts, moved, sizeof(*stats->counts), count_compare);
	*count = moved;
	return stats->counts;
}

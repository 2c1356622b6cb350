// What the audit of a partition comes down to: for each pair of recipient and category, the newest entry. For
// consent/audit_verify.c.
#ifndef CIOBRIDGE_CONSENT_AUDIT_FOLD_H
#define CIOBRIDGE_CONSENT_AUDIT_FOLD_H

#include "base/arena.h"
#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_pair {
	uint64_t hash; // of both; 0: the place is free
	int64_t score; // that the newest entry led to; 0: no choice
	int64_t recorded_at_ms;
	uint32_t sequence; // the entry's id
	uint32_t seen;     // the reading of the list in which it was there
};

// A hash table of fixed size. With several passes, each holds the pairs whose turn it is.
struct audit_fold {
	struct audit_pair *pairs;
	size_t capacity, count; // the capacity is a power of two
	size_t pass, passes;
};

// Room for one of `passes` parts of `entries` entries, and for some that come meanwhile. RESULT_NO_MEMORY.
enum result audit_fold_open(struct arena *arena, size_t entries, size_t pass, size_t passes, struct audit_fold *fold);

// Is it the turn of this pair?
bool audit_fold_holds(const struct audit_fold *fold, uint64_t hash);

// The pair, or NULL. audit_fold_put makes it when it is not there, with a score of 0; NULL when there is no room.
struct audit_pair *audit_fold_find(const struct audit_fold *fold, uint64_t hash);
struct audit_pair *audit_fold_put(struct audit_fold *fold, uint64_t hash);

#endif

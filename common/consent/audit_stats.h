// How many choices became out and in, by day, category and source, counted from the audit. Notes are no choices.
//
// Redis only hands out the entries and they are counted here: a script would hold it up four times as long.
#ifndef CIOBRIDGE_CONSENT_AUDIT_STATS_H
#define CIOBRIDGE_CONSENT_AUDIT_STATS_H

#include "base/arena.h"
#include "base/result.h"
#include "io/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_STATS_MAXIMUM ((size_t)1 << 19) // days, categories and sources that have something to count
#define AUDIT_DAY_MS INT64_C(86400000)

struct audit_count {
	int64_t day; // in UTC, since 1970
	struct slice category, source; // the category's list
	int64_t opted_out, opted_in;
};

struct audit_stats;

// Of all that was recorded from then on. Lives as long as the arena; NULL without memory.
struct audit_stats *audit_stats_new(struct store *store, struct arena *arena, struct slice project,
                                    int64_t recorded_at_ms);

// Looks at up to `limit` further entries; *more is false when there are no more. RESULT_TOO_LARGE.
enum result audit_stats_look(struct audit_stats *stats, size_t limit, bool *more);

// What was counted: the newest day first, then by category and source. The end of looking.
const struct audit_count *audit_stats_result(struct audit_stats *stats, size_t *count);

#endif

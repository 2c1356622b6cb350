// The audit: every effective change, in the stream cb:{P:NN}:audit of the recipient's partition. Fields: recipient,
// category (the name of its list, see consent/category.h), old and new (scores: +ms out, -ms in, old empty when there
// was none), source, reference.
//
// Whatever changes a list also changes either the audit or the hash cb:{P:NN}:sums, so that the three can be held
// against each other. With d(…) the first 48 bits of the SHA-1 of its arguments joined by line feeds, and 0 where the
// score is empty, over a partition's lists and audit:
//   the sum of d(list, recipient, score)  =  the sum of d(category, recipient, new) - d(category, recipient, old)
//                                            +  sums["silent"]                                        (mod 2^48)
//   the sum of (d(source, reference) + when it was recorded, in ms) mod 2^32  =  sums["origin"]       (mod 2^48)
// Notes ("$bounced", "$dropped") are in no list: what they add to the first sum is taken off in sums["silent"].
#ifndef CIOBRIDGE_CONSENT_AUDIT_H
#define CIOBRIDGE_CONSENT_AUDIT_H

#include "base/arena.h"
#include "base/result.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_HISTORY_MAXIMUM 1000 // entries shown of one recipient
#define AUDIT_SCAN_MAXIMUM 2000000 // entries looked at for one recipient

struct audit_entry {
	struct slice recipient, category, source, reference;
	int64_t old_score, new_score; // 0: no choice
	int64_t recorded_at_ms, sequence; // its id
	int partition;
	bool is_sound; // it has those fields and no others, and its scores tell of a change
};

// A score as record_choices.lua writes it; nothing gives 0. False when it is none; *score is then 0.
bool audit_score_read(struct slice text, int64_t *score);

// What is kept of one recipient, newest first. *complete is false when a limit above was met.
enum result audit_history(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                          struct audit_entry **entries, size_t *count, bool *complete);

// The entry of that id; an empty one, which is not sound, when there is none. Lives as long as the arena.
enum result audit_entry_get(struct store *store, struct arena *arena, struct slice project, int partition,
                            int64_t recorded_at_ms, int64_t sequence, struct audit_entry *entry);

enum audit_order { AUDIT_NEWEST_FIRST, AUDIT_OLDEST_FIRST };
#define AUDIT_EVERY_PARTITION (-1)

// A way through the audit of all partitions, or of one, in constant memory. Entries come by when they were recorded;
// those of one time by their number, then by partition.
struct audit_walk;

// Lives as long as the arena. `look`: how many entries of a partition are fetched at once. NULL without memory.
struct audit_walk *audit_walk_new(struct store *store, struct arena *arena, struct slice project, int partition,
                                  enum audit_order order, size_t look);

// The next entry, good until the next call. NULL when there are no more for now; a later call looks again.
enum result audit_walk_next(struct audit_walk *walk, const struct audit_entry **entry);

// For a new walk: leaves out what was recorded before (AUDIT_OLDEST_FIRST).
void audit_walk_since(struct audit_walk *walk, int64_t recorded_at_ms);

// A text that marks the entry's place; data NULL without memory. And for a new walk, a start behind such a place
// (AUDIT_NEWEST_FIRST): RESULT_INVALID when the text is none. What is recorded meanwhile moves no place.
struct slice audit_place(struct arena *arena, const struct audit_entry *entry);
enum result audit_walk_behind(struct audit_walk *walk, struct slice place);

#endif

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

#define AUDIT_HISTORY_MAXIMUM 1000      // entries shown of one recipient
#define AUDIT_SCAN_MAXIMUM 2000000      // entries looked at for one recipient

struct audit_entry {
	struct slice recipient, category, source, reference;
	int64_t old_score, new_score; // old_score 0: no choice before
	int64_t recorded_at_ms;
};

// What is kept of one recipient, newest first. *complete is false when a limit above was met.
enum result audit_history(struct store *store, struct arena *arena, struct slice project, struct slice recipient,
                          struct audit_entry **entries, size_t *count, bool *complete);

#endif

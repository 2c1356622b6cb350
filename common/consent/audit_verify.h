// Holds a partition's list, its audit and its sums against each other (see consent/audit.h), and finds one changed byte
// in any of them. What can be pinned to a recipient is:
//   entry      an entry of the audit that does not look as they are written, or that tells of no change
//   category   one of a category that is not known
//   chain      one whose old choice contradicts the new one of the entry before it
//   score      a choice whose score is no time
//   misplaced  a choice that belongs into another partition
//   state      a choice that contradicts the newest entry, or is older than it
//   missing    there is no choice where the newest entry speaks of one
// The rest shows in the sums: list_sum (list against audit), audit_sum (what entries say of their origin). And busy
// says that nothing could be said, since the list kept changing.
//
// Writes go on meanwhile. The sums change with every write; so the audit is read, then the sums, what the audit has got
// since, the lists, and the sums again: if they are the same, all of it was of one instant, otherwise the lists are
// read again. A partition that never holds still is read by one transaction, when it has at most AUDIT_VERIFY_AT_ONCE
// choices: that holds up Redis for less than 100 ms.
//
// Memory: up to 128 bytes for each entry of the partition's audit, and 16 MiB at most: of a longer audit a part is
// folded at a time, in passes that each read audit and list again. A transaction takes about 200 bytes a choice.
#ifndef CIOBRIDGE_CONSENT_AUDIT_VERIFY_H
#define CIOBRIDGE_CONSENT_AUDIT_VERIFY_H

#include "base/arena.h"
#include "base/result.h"
#include "consent/category.h"
#include "io/store.h"

#include <stddef.h>
#include <stdint.h>

#define AUDIT_VERIFY_AT_ONCE 200000 // choices read by one transaction
#define AUDIT_VERIFY_PASS 250000    // entries of the audit folded at a time
#define AUDIT_PROBLEMS_MAXIMUM 100  // kept; further ones are not looked for

struct audit_problem {
	int partition;
	const char *kind;                  // see above
	struct slice identifier, category; // key; data NULL: it is not one recipient's
	const char *message;
};

// Of all partitions that were verified: begins empty, and is added to.
struct audit_findings {
	int64_t choices, entries;
	struct audit_problem problems[AUDIT_PROBLEMS_MAXIMUM];
	size_t problem_count;
};

// `categories`: all that may hold choices, see category_list_everything. Problems live in the arena.
enum result audit_verify(struct store *store, struct arena *arena, struct slice project, int partition,
                         const struct category *const *categories, size_t category_count,
                         struct audit_findings *findings);

#endif

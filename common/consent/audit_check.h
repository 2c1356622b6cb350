// Looks at one entry of the audit, or one choice of the list, after the other, keeps what is wrong with them, and adds
// up what the sums have to be. For consent/audit_verify.c, which reads them.
#ifndef CIOBRIDGE_CONSENT_AUDIT_CHECK_H
#define CIOBRIDGE_CONSENT_AUDIT_CHECK_H

#include "base/buffer.h"
#include "consent/audit.h"
#include "consent/audit_fold.h"
#include "consent/audit_verify.h"

struct audit_check {
	int partition;
	const struct category *const *categories;
	const struct category **lists; // the same, by the names of their lists
	size_t list_count;
	struct audit_findings *findings;
	struct arena *arena; // of the problems
	struct buffer *text; // whose digest is taken

	// One pass over everything:
	struct audit_fold fold;
	uint32_t reading;                  // of the list, from 1
	uint64_t audited, origins, listed; // what the sums have to be
	int64_t entries, choices;
};

// Makes ready a check whose partition, categories and findings are set.
enum result audit_check_open(struct audit_check *check, struct arena *arena);

// Folds an entry, the oldest first.
enum result audit_check_entry(struct audit_check *check, const struct audit_entry *entry);

// `score` as Redis gives it.
enum result audit_check_choice(struct audit_check *check, struct slice list, struct slice recipient,
                               struct slice score);

// Forgets the choices, to look at all of them anew.
void audit_check_again(struct audit_check *check);

// Of a pair that is in no list: does the audit know of a choice?
bool audit_check_misses(const struct audit_check *check, const struct audit_pair *pair);
enum result audit_check_add_missing(struct audit_check *check, const struct audit_entry *entry);

// A problem that is not one recipient's.
enum result audit_check_add(struct audit_check *check, const char *kind, const char *message);

#endif

#include "consent/audit_verify.h"

#include "consent/audit.h"
#include "consent/audit_check.h"
#include "project/project.h"

#include <stdio.h>

#define SUM_MASK ((UINT64_C(1) << 48) - 1)
#define LOOK 1000         // entries or choices at a time: keeps Redis free for others
#define SIZES_AT_ONCE 500 // lists whose sizes are asked for at a time
#define READINGS 5        // of the lists, before a transaction
#define PASS_MEMORY ((size_t)64 << 20)
#define LOOK_MEMORY ((size_t)16 << 20)

struct sums {
	int64_t silent, origin;
};

struct verification {
	struct store *store;
	struct slice project;
	struct arena *look; // reset after each look
	struct audit_check check;
	int64_t *sizes; // of check.lists
	struct audit_walk *walk;
	size_t problems; // before those of this reading of the lists
};

static struct key_name name_of(const struct verification *verification, const char *suffix, struct slice rest)
{
	return partition_key(verification->project, verification->check.partition, suffix, rest);
}

// What the audit has got since the last time, until it has had so many entries.
static enum result take_audit(struct verification *verification, int64_t until)
{
	const struct audit_entry *entry;
	verification->check.findings->problem_count = verification->problems;
	while (verification->check.entries < until) {
		TRY(audit_walk_next(verification->walk, &entry));
		if (entry == NULL)
			break;
		TRY(audit_check_entry(&verification->check, entry));
	}
	verification->problems = verification->check.findings->problem_count;
	return RESULT_OK;
}

static void ask_list(struct verification *verification, struct slice list, int64_t from, int64_t to)
{
	struct key_name key = name_of(verification, "optouts:", list);
	char first[24], last[24];
	snprintf(first, sizeof(first), "%lld", (long long)from);
	snprintf(last, sizeof(last), "%lld", (long long)to);
	store_send(verification->store, ARGUMENTS(SLICE("ZRANGE"), key_slice(&key), slice_of(first), slice_of(last),
	                                          SLICE("WITHSCORES")));
}

static enum result take_rows(struct verification *verification, struct slice list, const struct reply *rows)
{
	for (size_t i = 0; i + 1 < reply_count(rows); i += 2)
		TRY(audit_check_choice(&verification->check, list, reply_text(reply_at(rows, i)),
		                       reply_text(reply_at(rows, i + 1))));
	return RESULT_OK;
}

static enum result take_list(struct verification *verification, struct slice list)
{
	const struct reply *rows = NULL;
	for (int64_t from = 0; from == 0 || reply_count(rows) == 2 * LOOK; from += LOOK) {
		arena_reset(verification->look);
		ask_list(verification, list, from, from + LOOK - 1);
		TRY(store_receive(verification->store, verification->look, &rows));
		TRY(take_rows(verification, list, rows));
	}
	return RESULT_OK;
}

static enum result read_sizes(struct verification *verification, int64_t *total)
{
	struct audit_check *check = &verification->check;
	const struct reply *size;
	*total = 0;
	for (size_t from = 0, end; from < check->list_count; from = end) {
		arena_reset(verification->look);
		for (end = from; end < check->list_count && end - from < SIZES_AT_ONCE; end++) {
			struct key_name key = name_of(verification, "optouts:", check->lists[end]->list);
			store_send(verification->store, ARGUMENTS(SLICE("ZCARD"), key_slice(&key)));
		}
		for (size_t i = from; i < end; i++) {
			TRY(store_receive(verification->store, verification->look, &size));
			verification->sizes[i] = reply_integer(size);
			*total += verification->sizes[i];
		}
	}
	return RESULT_OK;
}

static void ask_sums(struct verification *verification)
{
	struct key_name key = name_of(verification, "sums", SLICE(""));
	store_send(verification->store, ARGUMENTS(SLICE("HMGET"), key_slice(&key), SLICE("silent"), SLICE("origin")));
}

static struct sums sums_of(const struct reply *reply)
{
	return (struct sums){reply_integer(reply_at(reply, 0)), reply_integer(reply_at(reply, 1))};
}

static enum result read_sums(struct verification *verification, struct sums *sums)
{
	const struct reply *reply;
	arena_reset(verification->look);
	ask_sums(verification);
	TRY(store_receive(verification->store, verification->look, &reply));
	*sums = sums_of(reply);
	return RESULT_OK;
}

// *still: nothing was written meanwhile.
static enum result read_in_pieces(struct verification *verification, struct sums *sums, bool *still)
{
	struct sums before;
	int64_t total;
	TRY(take_audit(verification, INT64_MAX)); // before it has to hold still
	TRY(read_sums(verification, &before));
	TRY(take_audit(verification, INT64_MAX));
	TRY(read_sizes(verification, &total));
	audit_check_again(&verification->check);
	for (size_t i = 0; i < verification->check.list_count; i++) {
		if (verification->sizes[i] > 0)
			TRY(take_list(verification, verification->check.lists[i]->list));
	}
	TRY(read_sums(verification, sums));
	*still = before.silent == sums->silent && before.origin == sums->origin;
	return RESULT_OK;
}

// The answer holds the sums, the length of the audit, and the lists.
static enum result transact(struct verification *verification, const struct reply **reply)
{
	size_t lists = verification->check.list_count;
	struct key_name audit = name_of(verification, "audit", SLICE(""));
	arena_reset(verification->look);
	store_send(verification->store, ARGUMENTS(SLICE("MULTI")));
	ask_sums(verification);
	store_send(verification->store, ARGUMENTS(SLICE("XLEN"), key_slice(&audit)));
	for (size_t i = 0; i < lists; i++)
		ask_list(verification, verification->check.lists[i]->list, 0, -1);
	store_send(verification->store, ARGUMENTS(SLICE("EXEC")));
	for (size_t i = 0; i < lists + 4; i++)
		TRY(store_receive(verification->store, verification->look, reply));
	return reply_count(*reply) == lists + 2 ? RESULT_OK : RESULT_UNAVAILABLE;
}

// *still: that was possible, and nothing was taken out of the audit.
static enum result read_at_once(struct verification *verification, struct sums *sums, bool *still)
{
	const struct reply *reply;
	int64_t total;
	TRY(read_sizes(verification, &total));
	if (total > AUDIT_VERIFY_AT_ONCE)
		return RESULT_OK;
	TRY(transact(verification, &reply));
	int64_t length = reply_integer(reply_at(reply, 1));
	TRY(take_audit(verification, length));
	audit_check_again(&verification->check);
	for (size_t i = 0; i < verification->check.list_count; i++)
		TRY(take_rows(verification, verification->check.lists[i]->list, reply_at(reply, 2 + i)));
	*sums = sums_of(reply_at(reply, 0));
	*still = length == verification->check.entries;
	return RESULT_OK;
}

// A pair keeps the id of its entry only, so what is missing is looked up.
static enum result find_missing(struct verification *verification)
{
	struct audit_check *check = &verification->check;
	for (size_t i = 0; i < check->fold.capacity; i++) {
		const struct audit_pair *pair = &check->fold.pairs[i];
		struct audit_entry entry;
		if (!audit_check_misses(check, pair) || check->findings->problem_count == AUDIT_PROBLEMS_MAXIMUM)
			continue;
		arena_reset(verification->look);
		TRY(audit_entry_get(verification->store, verification->look, verification->project, check->partition,
		                    pair->recorded_at_ms, pair->sequence, &entry));
		TRY(audit_check_add_missing(check, &entry));
	}
	return RESULT_OK;
}

static enum result compare_sums(struct audit_check *check, const struct sums *sums)
{
	if (((check->audited + (uint64_t)sums->silent - check->listed) & SUM_MASK) != 0)
		TRY(audit_check_add(check, "list_sum", "The list is not what all changes together lead to."));
	if (((check->origins - (uint64_t)sums->origin) & SUM_MASK) != 0)
		TRY(audit_check_add(check, "audit_sum",
		                    "The audit's entries are not those that were recorded: their times, sources or "
		                    "references differ, or one is missing or too many."));
	check->findings->entries += check->entries;
	check->findings->choices += check->choices;
	return RESULT_OK;
}

static enum result begin_pass(struct verification *verification, struct arena *arena, size_t pass, size_t passes,
                              size_t length)
{
	struct audit_check *check = &verification->check;
	check->reading = 0;
	check->audited = check->origins = 0;
	check->entries = 0;
	verification->problems = check->findings->problem_count;
	verification->walk = audit_walk_new(verification->store, arena, verification->project, check->partition,
	                                    AUDIT_OLDEST_FIRST, LOOK);
	if (verification->walk == NULL)
		return RESULT_NO_MEMORY;
	return audit_fold_open(arena, length, pass, passes, &check->fold);
}

static enum result run_pass(struct verification *verification, size_t pass, size_t passes, size_t length, bool *still)
{
	AUTO(arena_auto) struct arena *arena = arena_new(PASS_MEMORY);
	struct sums sums;
	*still = false;
	if (arena == NULL)
		return RESULT_NO_MEMORY;
	TRY(begin_pass(verification, arena, pass, passes, length));
	for (int i = 0; i < READINGS && !*still; i++)
		TRY(read_in_pieces(verification, &sums, still));
	if (!*still)
		TRY(read_at_once(verification, &sums, still));
	if (!*still) {
		verification->check.findings->problem_count = verification->problems;
		return audit_check_add(&verification->check, "busy", "The list kept changing. Verify again.");
	}
	TRY(find_missing(verification));
	return pass == 0 ? compare_sums(&verification->check, &sums) : RESULT_OK;
}

static enum result run_passes(struct verification *verification)
{
	const struct reply *reply;
	struct key_name audit = name_of(verification, "audit", SLICE(""));
	TRY(store_call(verification->store, verification->look, &reply, ARGUMENTS(SLICE("XLEN"), key_slice(&audit))));
	size_t length = (size_t)reply_integer(reply), passes = length / AUDIT_VERIFY_PASS + 1;
	bool still = true;
	for (size_t pass = 0; pass < passes && still; pass++)
		TRY(run_pass(verification, pass, passes, length, &still));
	return RESULT_OK;
}

enum result audit_verify(struct store *store, struct arena *arena, struct slice project, int partition,
                         const struct category *const *categories, size_t category_count,
                         struct audit_findings *findings)
{
	AUTO(arena_auto) struct arena *look = arena_new(LOOK_MEMORY);
	struct verification verification = {
		.store = store,
		.project = project,
		.look = look,
		.check =
			{
				.partition = partition,
				.categories = categories,
				.list_count = category_count,
				.findings = findings,
			},
		.sizes = arena_array(arena, category_count + 1, sizeof(int64_t)),
	};
	if (look == NULL || verification.sizes == NULL)
		return RESULT_NO_MEMORY;
	TRY(audit_check_open(&verification.check, arena));
	return run_passes(&verification);
}

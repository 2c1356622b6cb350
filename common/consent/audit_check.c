#include "consent/audit_check.h"

#include "codec/crypt.h"
#include "project/project.h"

#include <stdlib.h>

#define ORIGIN_MASK ((UINT64_C(1) << 32) - 1)
#define TEXT_MAXIMUM ((size_t)1 << 20)

static int category_compare_list(const void *a, const void *b)
{
	const struct category *const *first = a, *const *second = b;
	return slice_compare((*first)->list, (*second)->list);
}

enum result audit_check_open(struct audit_check *check, struct arena *arena)
{
	check->arena = arena;
	check->text = buffer_new(arena, TEXT_MAXIMUM);
	check->lists = arena_array(arena, check->list_count + 1, sizeof(*check->lists));
	if (check->text == NULL || check->lists == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < check->list_count; i++)
		check->lists[i] = check->categories[i];
	qsort(check->lists, check->list_count, sizeof(*check->lists), category_compare_list);
	return RESULT_OK;
}

static const struct category *category_of(const struct audit_check *check, struct slice list)
{
	const struct category category = {.list = list}, *wanted = &category;
	const struct category **found = bsearch(&wanted, check->lists, check->list_count, sizeof(*check->lists),
	                                        category_compare_list);
	return found != NULL ? *found : NULL;
}

static enum result problem_keep(struct audit_check *check, const struct audit_problem *problem)
{
	struct audit_findings *findings = check->findings;
	if (findings->problem_count < AUDIT_PROBLEMS_MAXIMUM)
		findings->problems[findings->problem_count++] = *problem;
	return RESULT_OK;
}

enum result audit_check_add(struct audit_check *check, const char *kind, const char *message)
{
	return problem_keep(check, &(struct audit_problem){check->partition, kind, {NULL, 0}, {NULL, 0}, message});
}

static enum result problem_copy(struct audit_check *check, struct slice text, struct slice *copy)
{
	*copy = text.data != NULL ? arena_copy(check->arena, text) : text;
	return text.data != NULL && copy->data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

static enum result problem_add(struct audit_check *check, const char *kind, struct slice list, struct slice recipient,
                               const char *message)
{
	const struct category *category = category_of(check, list);
	struct audit_problem problem = {.partition = check->partition, .kind = kind, .message = message};
	TRY(problem_copy(check, recipient, &problem.identifier));
	TRY(problem_copy(check, category != NULL ? category->key : list, &problem.category));
	return problem_keep(check, &problem);
}

// What is no matter of the fold is looked at once.
static bool is_first_pass(const struct audit_check *check)
{
	return check->fold.pass == 0;
}

static enum result text_digest(struct audit_check *check, unsigned char digest[static CRYPT_SHA1_SIZE])
{
	// A text over the limit is none of ours: it is counted as nothing, and so the sums differ.
	return crypt_sha1(buffer_failed(check->text) ? SLICE("") : buffer_slice(check->text), digest);
}

static uint64_t digest_number(const unsigned char *digest, size_t bytes)
{
	uint64_t number = 0;
	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | digest[i];
	return number;
}

static void text_set(struct audit_check *check, struct slice first, struct slice second)
{
	buffer_clear(check->text);
	buffer_append(check->text, first);
	buffer_append_byte(check->text, '\n');
	buffer_append(check->text, second);
}

// d(…) of consent/audit.h.
static enum result digest_origin(struct audit_check *check, const struct audit_entry *entry, uint64_t *d)
{
	unsigned char digest[CRYPT_SHA1_SIZE];
	text_set(check, entry->source, entry->reference);
	TRY(text_digest(check, digest));
	*d = digest_number(digest, 6);
	return RESULT_OK;
}

static enum result digest_choice(struct audit_check *check, struct slice list, struct slice recipient,
                                 int64_t score, uint64_t *d)
{
	unsigned char digest[CRYPT_SHA1_SIZE];
	*d = 0;
	if (score == 0)
		return RESULT_OK;
	text_set(check, list, recipient);
	buffer_append_byte(check->text, '\n');
	buffer_append_integer(check->text, score);
	TRY(text_digest(check, digest));
	*d = digest_number(digest, 6);
	return RESULT_OK;
}

// Never 0. 64 bits of SHA-1: two pairs of a million share one in 3 of 10^8 partitions.
static enum result hash_pair(struct audit_check *check, struct slice list, struct slice recipient,
                             uint64_t *hash)
{
	unsigned char digest[CRYPT_SHA1_SIZE];
	text_set(check, list, recipient);
	TRY(text_digest(check, digest));
	*hash = digest_number(digest, 8) | 1;
	return RESULT_OK;
}

// Silent writes only ever raise the time of a choice.
static bool score_follows(int64_t earlier, int64_t later)
{
	return (earlier > 0) == (later > 0) && llabs(later) >= llabs(earlier);
}

// Undoing an import may have taken a choice away silently, where having none means the same.
static bool none_means(const struct category *category, int64_t score)
{
	return category->subscribed_by_default == (score < 0);
}

static enum result fold_entry(struct audit_check *check, const struct category *category,
                              const struct audit_entry *entry)
{
	uint64_t hash;
	TRY(hash_pair(check, entry->category, entry->recipient, &hash));
	if (!audit_fold_holds(&check->fold, hash))
		return RESULT_OK;
	struct audit_pair *pair = audit_fold_put(&check->fold, hash);
	if (pair == NULL)
		return RESULT_UNAVAILABLE; // the audit has become twice as long meanwhile
	bool follows = entry->old_score == 0 ? none_means(category, pair->score)
	                                     : score_follows(pair->score, entry->old_score);
	if (pair->score != 0 && !follows)
		TRY(problem_add(check, "chain", entry->category, entry->recipient,
		                "An entry's old choice is not what the entry before it led to."));
	pair->score = entry->new_score;
	pair->recorded_at_ms = entry->recorded_at_ms;
	pair->sequence = (uint32_t)entry->sequence;
	return RESULT_OK;
}

static bool is_note(struct slice list)
{
	return slice_equal(list, category_bounced.list) || slice_equal(list, category_dropped.list);
}

static enum result add_up_entry(struct audit_check *check, const struct audit_entry *entry)
{
	uint64_t origin, old, new;
	TRY(digest_origin(check, entry, &origin));
	TRY(digest_choice(check, entry->category, entry->recipient, entry->old_score, &old));
	TRY(digest_choice(check, entry->category, entry->recipient, entry->new_score, &new));
	check->origins += (origin + (uint64_t)entry->recorded_at_ms) & ORIGIN_MASK;
	check->audited += new - old;
	return RESULT_OK;
}

static enum result look_at_entry(struct audit_check *check, const struct audit_entry *entry, bool is_known)
{
	if (!entry->is_sound)
		return problem_add(check, "entry", entry->category, entry->recipient,
		                   "An entry of the audit is not as entries are.");
	if (!is_known && !is_note(entry->category))
		return problem_add(check, "category", entry->category, entry->recipient,
		                   "An entry of the audit is of a category that there is not.");
	return RESULT_OK;
}

enum result audit_check_entry(struct audit_check *check, const struct audit_entry *entry)
{
	const struct category *category = category_of(check, entry->category);
	check->entries++;
	if (is_first_pass(check)) {
		TRY(add_up_entry(check, entry));
		TRY(look_at_entry(check, entry, category != NULL));
	}
	return entry->is_sound && category != NULL ? fold_entry(check, category, entry) : RESULT_OK;
}

void audit_check_again(struct audit_check *check)
{
	check->reading++;
	check->listed = 0;
	check->choices = 0;
}

// One that was erased keeps the partition of its address.
static bool is_misplaced(const struct audit_check *check, struct slice recipient)
{
	return partition_of(recipient) != check->partition && !slice_starts_with(recipient, SLICE("#"));
}

// `score`: 0 for one that cannot be read.
static enum result look_at_choice(struct audit_check *check, struct slice list, struct slice recipient, int64_t score)
{
	uint64_t d;
	TRY(digest_choice(check, list, recipient, score, &d));
	check->listed += d;
	if (score == 0)
		TRY(problem_add(check, "score", list, recipient, "The list holds a choice of no time."));
	if (is_misplaced(check, recipient))
		TRY(problem_add(check, "misplaced", list, recipient,
		                "The list holds a choice that belongs into another partition."));
	return RESULT_OK;
}

static enum result compare_choice(struct audit_check *check, struct slice list, struct slice recipient, int64_t score)
{
	uint64_t hash;
	TRY(hash_pair(check, list, recipient, &hash));
	struct audit_pair *pair = audit_fold_find(&check->fold, hash);
	if (pair == NULL)
		return RESULT_OK;
	pair->seen = check->reading;
	if (pair->score == 0 || score_follows(pair->score, score))
		return RESULT_OK;
	return problem_add(check, "state", list, recipient, "The list contradicts the newest entry of the audit.");
}

enum result audit_check_choice(struct audit_check *check, struct slice list, struct slice recipient,
                               struct slice score_text)
{
	int64_t score;
	bool has_score = audit_score_read(score_text, &score) && score != 0;
	check->choices++;
	if (is_first_pass(check))
		TRY(look_at_choice(check, list, recipient, score));
	return has_score ? compare_choice(check, list, recipient, score) : RESULT_OK;
}

bool audit_check_misses(const struct audit_check *check, const struct audit_pair *pair)
{
	return pair->hash != 0 && pair->score != 0 && pair->seen != check->reading;
}

enum result audit_check_add_missing(struct audit_check *check, const struct audit_entry *entry)
{
	const struct category *category = category_of(check, entry->category);
	if (category != NULL && none_means(category, entry->new_score))
		return RESULT_OK;
	return problem_add(check, "missing", entry->category, entry->recipient,
	                   "The list has no choice where the audit speaks of one.");
}

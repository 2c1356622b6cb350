// Verifying: whole lists are found whole, whatever has happened to them and while it happens; a changed byte is found
// wherever it is. CIOBRIDGE_TEST_SEED repeats a run.
#include "../../support/fixture.h"
#include "base/clock.h"
#include "consent/audit.h"
#include "consent/audit_fold.h"
#include "consent/audit_verify.h"
#include "consent/choice.h"
#include "consent/import.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}
#define JO SLICE("jo@example.com")
#define NEIGHBOURS 8 // recipients of Jo's partition, Jo included
#define ENTRIES_MAXIMUM 64
#define FIELDS 12 // names and values of an entry

static struct category items[] = {
	{.key = TEXT("news"),
         .list = TEXT("customerio_topic_7"),
         .topic = TEXT("topic_7"),
         .subscribed_by_default = true},
	{.key = TEXT("offers"), .list = TEXT("offers"), .subscribed_by_default = true},
	{.key = TEXT("opt_in"), .list = TEXT("opt_in"), .subscribed_by_default = false},
	{.key = TEXT("receipts"),
         .list = TEXT("receipts"),
         .type = CATEGORY_TRANSACTIONAL,
         .subscribed_by_default = true},
};
static const struct category *const news = &items[0], *const offers = &items[1], *const opt_in = &items[2];
static const struct category_list live = {.items = items, .count = COUNT_OF(items)};
static const struct category *const categories[] = {&category_all, &category_complaint, &items[0],
	                                            &items[1],     &items[2],           &items[3]};

static struct fixture f;
static struct slice neighbours[NEIGHBOURS];
static int partition;

static void set_up(void)
{
	f = fixture_open();
	partition = partition_of(JO);
	neighbours[0] = JO;
	for (int i = 0, found = 1; found < NEIGHBOURS; i++) {
		struct slice recipient = arena_format(f.arena, "r%d@example.com", i);
		if (partition_of(recipient) == partition)
			neighbours[found++] = recipient;
	}
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(verify, .init = set_up, .fini = tear_down, .timeout = 300);

static void record_from(const struct choice_origin *origin, struct slice recipient, const struct category *category,
	                enum choice_value value, int64_t made_at_ms)
{
	struct choice choice = {recipient, category, value, made_at_ms};
	enum choice_outcome outcome;
	cr_assert(choices_record(f.store, f.arena, f.project, &live, origin, &choice, 1, &outcome) == RESULT_OK);
}

static void dated(struct slice recipient, const struct category *category, enum choice_value value, int64_t ms)
{
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-1")};
	record_from(&origin, recipient, category, value, ms);
}

static void direct(struct slice recipient, const struct category *category, enum choice_value value)
{
	struct choice_origin origin = {.act = ACT_DIRECT, .source = SLICE("api"), .reference = SLICE("request-1")};
	record_from(&origin, recipient, category, value, 0);
}

static void report(struct slice recipient, const struct category *category, enum choice_value value, int64_t ms)
{
	struct choice_origin origin = {.act = ACT_REPORT, .source = SLICE("webhook"), .reference = SLICE("e1"),
	                               .event = SLICE("e1")};
	record_from(&origin, recipient, category, value, ms);
}

// Of everything that leaves a trace: changes, silent writes, notes, pins, a default of out, several lists.
static void fill(void)
{
	dated(JO, offers, CHOICE_OUT, 2000);
	dated(JO, offers, CHOICE_IN, 1732285840000);
	dated(JO, offers, CHOICE_IN, 1732285850000);
	direct(JO, offers, CHOICE_OUT);
	report(JO, &category_bounced, CHOICE_OUT, 1732285840999);
	dated(neighbours[1], &category_all, CHOICE_OUT, 1732285840001);
	direct(neighbours[1], offers, CHOICE_IN);
	dated(neighbours[2], opt_in, CHOICE_OUT, 500);
	dated(neighbours[2], opt_in, CHOICE_IN, 1732285840002);
	report(neighbours[3], &category_complaint, CHOICE_OUT, 1732285840003);
	dated(neighbours[4], news, CHOICE_IN, 7);
	dated(neighbours[4], news, CHOICE_OUT, 1732285840004);
	dated(neighbours[5], offers, CHOICE_OUT, 1732285840005);
}

static void verify_one(int number, struct audit_findings *findings)
{
	cr_assert(audit_verify(f.store, f.arena, f.project, number, categories, COUNT_OF(categories), findings) ==
	          RESULT_OK);
}

static struct audit_findings verify(void)
{
	struct audit_findings findings = {.choices = 0};
	verify_one(partition, &findings);
	return findings;
}

static struct audit_findings verify_all(void)
{
	struct audit_findings findings = {.choices = 0};
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		verify_one(p, &findings);
	return findings;
}

static void expect_ok(const struct audit_findings *findings)
{
	for (size_t i = 0; i < findings->problem_count; i++) {
		const struct audit_problem *problem = &findings->problems[i];
		cr_expect(false, "%s: %.*s %.*s: %s", problem->kind, (int)problem->identifier.length,
		          problem->identifier.data, (int)problem->category.length, problem->category.data,
		          problem->message);
	}
	cr_assert(findings->problem_count == 0);
}

static const struct audit_problem *find_problem(const struct audit_findings *findings, const char *kind)
{
	for (size_t i = 0; i < findings->problem_count; i++) {
		if (strcmp(findings->problems[i].kind, kind) == 0)
			return &findings->problems[i];
	}
	return NULL;
}

Test(verify, nothing_is_whole)
{
	struct audit_findings findings = verify_all();
	expect_ok(&findings);
	cr_assert(findings.choices == 0 && findings.entries == 0);
}

Test(verify, what_was_recorded_is_whole)
{
	fill();
	dated(SLICE("elsewhere@example.com"), offers, CHOICE_OUT, 5);
	struct audit_findings findings = verify_all();
	expect_ok(&findings);
	// Opting in to one of three marketing categories while all are out is four choices.
	cr_assert(findings.choices == 1 + 4 + 1 + 1 + 1 + 1 + 1, "%lld", (long long)findings.choices);
	cr_assert(findings.entries == 4 + 3 + 1 + 1 + 1 + 1 + 1, "%lld", (long long)findings.entries);
}

// Raw access to what is stored.
static struct key_name name_of(const char *suffix, const char *rest)
{
	return partition_key(f.project, partition, suffix, slice_of(rest));
}

static void list_set(const char *list, struct slice recipient, const char *score)
{
	struct key_name key = name_of("optouts:", list);
	fixture_command(&f, ARGUMENTS(SLICE("ZADD"), key_slice(&key), slice_of(score), recipient));
}

static void list_remove(const char *list, struct slice recipient)
{
	struct key_name key = name_of("optouts:", list);
	fixture_command(&f, ARGUMENTS(SLICE("ZREM"), key_slice(&key), recipient));
}

static const struct reply *list_rows(const char *list)
{
	struct key_name key = name_of("optouts:", list);
	return fixture_command(&f, ARGUMENTS(SLICE("ZRANGE"), key_slice(&key), SLICE("0"), SLICE("-1"),
	                                     SLICE("WITHSCORES")));
}

struct stored_entry {
	struct slice id, fields[FIELDS];
};

struct stored_audit {
	struct stored_entry entries[ENTRIES_MAXIMUM];
	size_t count;
};

static void audit_load(struct stored_audit *audit)
{
	struct key_name key = name_of("audit", "");
	const struct reply *reply =
		fixture_command(&f, ARGUMENTS(SLICE("XRANGE"), key_slice(&key), SLICE("-"), SLICE("+")));
	audit->count = reply_count(reply);
	cr_assert(audit->count > 8 && audit->count <= ENTRIES_MAXIMUM);
	for (size_t i = 0; i < audit->count; i++) {
		struct stored_entry *entry = &audit->entries[i];
		entry->id = reply_text(reply_at(reply_at(reply, i), 0));
		cr_assert(reply_count(reply_at(reply_at(reply, i), 1)) == FIELDS);
		for (size_t j = 0; j < FIELDS; j++)
			entry->fields[j] = reply_text(reply_at(reply_at(reply_at(reply, i), 1), j));
	}
}

// In place of what is there.
static void audit_store(const struct stored_audit *audit)
{
	struct key_name key = name_of("audit", "");
	const struct reply *reply;
	store_send(f.store, ARGUMENTS(SLICE("DEL"), key_slice(&key)));
	for (size_t i = 0; i < audit->count; i++) {
		struct slice arguments[3 + FIELDS] = {SLICE("XADD"), key_slice(&key), audit->entries[i].id};
		memcpy(arguments + 3, audit->entries[i].fields, sizeof(audit->entries[i].fields));
		store_send(f.store, arguments, COUNT_OF(arguments));
	}
	for (size_t i = 0; i <= audit->count; i++)
		cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK, "%zu", i);
}

static struct slice with_byte(struct slice text, size_t at, char byte)
{
	struct slice copy = arena_copy(f.arena, text);
	((char *)copy.data)[at] = byte;
	return copy;
}

static char other_digit(char digit)
{
	return digit == '9' ? '1' : (char)(digit + 1);
}

Test(verify, every_byte_of_an_entry_counts)
{
	static struct stored_audit whole, changed;
	fill();
	audit_load(&whole);
	for (size_t i = 0; i < whole.count; i++) {
		for (size_t j = 0; j < FIELDS; j++) {
			for (size_t at = 0; at < whole.entries[i].fields[j].length; at++) {
				struct slice text = whole.entries[i].fields[j];
				changed = whole;
				changed.entries[i].fields[j] = with_byte(text, at, text.data[at] ^ 1);
				audit_store(&changed);
				cr_assert(verify().problem_count > 0, "%zu, %zu: %s", i, at,
				          changed.entries[i].fields[j].data);
			}
		}
	}
	audit_store(&whole);
	struct audit_findings findings = verify();
	expect_ok(&findings);
}

static int compare_ids(const void *a, const void *b)
{
	struct slice first = ((const struct stored_entry *)a)->id, second = ((const struct stored_entry *)b)->id;
	int64_t times[2], numbers[2];
	cr_assert(slice_to_integer(slice_split(&first, '-'), 0, INT64_MAX, &times[0]));
	cr_assert(slice_to_integer(slice_split(&second, '-'), 0, INT64_MAX, &times[1]));
	cr_assert(slice_to_integer(first, 0, INT64_MAX, &numbers[0]));
	cr_assert(slice_to_integer(second, 0, INT64_MAX, &numbers[1]));
	if (times[0] != times[1])
		return times[0] < times[1] ? -1 : 1;
	return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1]);
}

Test(verify, every_digit_of_the_time_of_an_entry_counts)
{
	static struct stored_audit whole, changed;
	fill();
	audit_load(&whole);
	for (size_t i = 0; i < whole.count; i++) {
		for (size_t at = 0; whole.entries[i].id.data[at] != '-'; at++) {
			struct slice id = whole.entries[i].id;
			changed = whole;
			id = with_byte(id, at, other_digit(id.data[at]));
			// Another number, so that no two are the same.
			changed.entries[i].id = arena_format(f.arena, "%.*s-77", (int)(strchr(id.data, '-') - id.data),
			                                     id.data);
			qsort(changed.entries, changed.count, sizeof(*changed.entries), compare_ids);
			audit_store(&changed);
			struct audit_findings findings = verify();
			cr_assert(find_problem(&findings, "audit_sum") != NULL, "%zu, %zu", i, at);
		}
	}
}

Test(verify, every_entry_counts)
{
	static struct stored_audit whole, changed;
	fill();
	audit_load(&whole);
	for (size_t i = 0; i < whole.count; i++) {
		changed = whole;
		memmove(&changed.entries[i], &changed.entries[i + 1],
		        (whole.count - i - 1) * sizeof(*changed.entries));
		changed.count--;
		audit_store(&changed);
		struct audit_findings findings = verify();
		cr_assert(find_problem(&findings, "audit_sum") != NULL && find_problem(&findings, "list_sum") != NULL);
		cr_assert(findings.entries == (int64_t)whole.count - 1);

		changed = whole;
		changed.entries[changed.count++] = whole.entries[i];
		changed.entries[whole.count].id = SLICE("9999999999999-0");
		audit_store(&changed);
		findings = verify();
		cr_assert(find_problem(&findings, "audit_sum") != NULL && find_problem(&findings, "list_sum") != NULL);
	}
}

static const char *const lists[] = {"$all", "$complaint", "customerio_topic_7", "offers", "opt_in"};

Test(verify, every_byte_of_a_recipient_in_the_list_counts)
{
	size_t tried = 0;
	fill();
	for (size_t l = 0; l < COUNT_OF(lists); l++) {
		const struct reply *rows = list_rows(lists[l]);
		for (size_t i = 0; i + 1 < reply_count(rows); i += 2) {
			struct slice recipient = reply_text(reply_at(rows, i));
			const char *score = reply_text(reply_at(rows, i + 1)).data;
			for (size_t at = 0; at < recipient.length; at++, tried++) {
				struct slice changed = with_byte(recipient, at, recipient.data[at] ^ 1);
				list_remove(lists[l], recipient);
				list_set(lists[l], changed, score);
				struct audit_findings findings = verify();
				cr_assert(find_problem(&findings, "list_sum") != NULL, "%s", changed.data);
				list_remove(lists[l], changed);
				list_set(lists[l], recipient, score);
			}
		}
	}
	cr_assert(tried > 100);
	struct audit_findings findings = verify();
	expect_ok(&findings);
}

Test(verify, every_digit_of_a_score_counts)
{
	fill();
	for (size_t l = 0; l < COUNT_OF(lists); l++) {
		const struct reply *rows = list_rows(lists[l]);
		cr_assert(reply_count(rows) > 0);
		for (size_t i = 0; i + 1 < reply_count(rows); i += 2) {
			struct slice recipient = reply_text(reply_at(rows, i));
			struct slice score = reply_text(reply_at(rows, i + 1));
			for (size_t at = score.data[0] == '-'; at < score.length; at++) {
				list_set(lists[l], recipient, with_byte(score, at, other_digit(score.data[at])).data);
				struct audit_findings findings = verify();
				cr_assert(find_problem(&findings, "list_sum") != NULL, "%s", score.data);
			}
			list_set(lists[l], recipient, score.data);
		}
	}
	struct audit_findings findings = verify();
	expect_ok(&findings);
}

Test(verify, the_sums_count)
{
	static const char *const fields[] = {"silent", "origin"};
	struct key_name key = name_of("sums", "");
	fill();
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		const struct reply *reply =
			fixture_command(&f, ARGUMENTS(SLICE("HGET"), key_slice(&key), slice_of(fields[i])));
		struct slice sum = reply_text(reply);
		cr_assert(sum.length > 3);
		for (size_t at = 0; at < sum.length; at++) {
			struct slice changed = with_byte(sum, at, other_digit(sum.data[at]));
			fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&key), slice_of(fields[i]), changed));
			cr_assert(verify().problem_count == 1);
		}
		fixture_command(&f, ARGUMENTS(SLICE("HDEL"), key_slice(&key), slice_of(fields[i])));
		cr_assert(verify().problem_count == 1);
		fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&key), slice_of(fields[i]), sum));
	}
	struct audit_findings findings = verify();
	expect_ok(&findings);
}

// Scores: a digit of the newest choice; further down, of what is not there.
static void expect_problem(const char *kind, struct slice recipient, const char *category)
{
	struct audit_findings findings = verify();
	const struct audit_problem *problem = find_problem(&findings, kind);
	cr_assert(problem != NULL, "no %s", kind);
	cr_assert(problem->partition == partition && problem->message != NULL);
	cr_assert(slice_equal(problem->identifier, recipient), "%s: %s", kind, problem->identifier.data);
	cr_assert(slice_equal(problem->category, slice_of(category)), "%s: %s", kind, problem->category.data);
}

Test(verify, tells_whose_choice_it_is)
{
	fill();
	list_remove("customerio_topic_7", neighbours[4]);
	expect_problem("missing", neighbours[4], "news");
	list_set("customerio_topic_7", neighbours[4], "-1732285840004");
	expect_problem("state", neighbours[4], "news");
	list_set("customerio_topic_7", neighbours[4], "1732285840003");
	expect_problem("state", neighbours[4], "news");
	list_set("customerio_topic_7", neighbours[4], "1732285840004.5");
	expect_problem("score", neighbours[4], "news");
	list_set("customerio_topic_7", neighbours[4], "0");
	expect_problem("score", neighbours[4], "news");
	list_set("customerio_topic_7", neighbours[4], "1732285840005");
	struct audit_findings findings = verify();
	cr_assert(findings.problem_count == 1 && find_problem(&findings, "list_sum") != NULL, "newer is possible");
	cr_assert(findings.problems[0].identifier.data == NULL && findings.problems[0].category.data == NULL);
	list_set("customerio_topic_7", neighbours[4], "1732285840004");
	struct slice stranger = SLICE("elsewhere@example.com");
	cr_assert(partition_of(stranger) != partition);
	list_set("offers", stranger, "5");
	expect_problem("misplaced", stranger, "offers");
	list_remove("offers", stranger);
	findings = verify();
	expect_ok(&findings);
}

// The first entry of Jo and offers that has been preceded by another.
static size_t second_entry(const struct stored_audit *audit)
{
	size_t seen = 0;
	for (size_t i = 0; i < audit->count; i++) {
		if (slice_equal(audit->entries[i].fields[1], JO) &&
		    slice_equal(audit->entries[i].fields[3], SLICE("offers")) && ++seen == 2)
			return i;
	}
	cr_assert(false);
	return 0;
}

Test(verify, tells_which_entry_it_is)
{
	static struct stored_audit whole, changed;
	fill();
	audit_load(&whole);
	size_t second = second_entry(&whole);
	static const struct {
		size_t field;
		const char *value, *kind;
	} cases[] = {
		{5, "-2000", "entry"}, {5, "1999", "chain"}, {7, "1732285840000", "entry"}, {7, "", "state"},
		{7, "x", "entry"},     {7, "-0", "entry"},   {7, "-01732285840000", "entry"},
		{4, "odd", "entry"},   {0, "Recipient", "entry"}, {3, "nowhere", "category"},
		{7, "-1732285860000", "chain"}, {7, "-9007199254740993", "entry"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		changed = whole;
		changed.entries[second].fields[cases[i].field] = slice_of(cases[i].value);
		audit_store(&changed);
		struct audit_findings findings = verify();
		const struct audit_problem *problem = find_problem(&findings, cases[i].kind);
		if (strcmp(cases[i].kind, "state") == 0) {
			cr_assert(problem == NULL && findings.problem_count == 1, "back to no choice is possible");
			continue;
		}
		cr_assert(problem != NULL, "%zu: no %s", i, cases[i].kind);
		cr_assert(slice_equal(problem->identifier, JO), "%zu", i);
	}
	struct key_name key = name_of("audit", "");
	audit_store(&whole);
	fixture_command(&f, ARGUMENTS(SLICE("XADD"), key_slice(&key), SLICE("*"), SLICE("x"), SLICE("y")));
	struct audit_findings findings = verify();
	const struct audit_problem *problem = find_problem(&findings, "entry");
	cr_assert(problem != NULL && problem->category.data == NULL);
}

Test(verify, a_hundred_problems_are_enough)
{
	for (int i = 0, found = 0; found < AUDIT_PROBLEMS_MAXIMUM + 20; i++) {
		struct slice recipient = arena_format(f.arena, "x%d@example.com", i);
		if (partition_of(recipient) != partition)
			continue;
		dated(recipient, offers, CHOICE_OUT, 1000);
		list_remove("offers", recipient);
		found++;
	}
	struct audit_findings findings = verify();
	cr_assert(findings.problem_count == AUDIT_PROBLEMS_MAXIMUM);
}

// Without memory, or a store, there is no opinion.
Test(verify, fails_rather_than_to_guess)
{
	struct audit_findings findings = {.choices = 0};
	struct store *nobody;
	const char *reason;
	fill();
	for (size_t limit = 64;; limit += 64) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);
		enum result result = audit_verify(f.store, small, f.project, partition, categories,
		                                  COUNT_OF(categories), &findings);
		store_settle(f.store);
		if (result == RESULT_OK)
			break;
		cr_assert(result == RESULT_NO_MEMORY && limit < (size_t)1 << 20);
	}
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &nobody, &reason) == RESULT_OK);
	cr_assert(audit_verify(nobody, f.arena, f.project, partition, categories, COUNT_OF(categories), &findings) ==
	          RESULT_UNAVAILABLE);
	store_free(nobody);
	struct key_name key = name_of("optouts:", "offers");
	fixture_command(&f, ARGUMENTS(SLICE("SET"), key_slice(&key), SLICE("x")));
	cr_assert(audit_verify(f.store, f.arena, f.project, partition, categories, COUNT_OF(categories), &findings) ==
	          RESULT_UNAVAILABLE);
}

static const struct category *draw_category(struct dice *dice)
{
	return categories[dice_roll(dice, COUNT_OF(categories))];
}

// Some choices of Jo's partition, of an import or not.
static void record_some(struct dice *dice, struct slice import, size_t count)
{
	struct choice choices[32];
	enum choice_outcome outcomes[32];
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = import, .import = import};
	if (slice_is_empty(import)) {
		origin.act = dice_roll(dice, 2) == 0 ? ACT_DIRECT : ACT_REPORT;
		origin.source = dice_roll(dice, 2) == 0 ? SLICE("page") : SLICE("api");
		origin.event = SLICE("e1");
	}
	cr_assert(count <= COUNT_OF(choices));
	for (size_t i = 0; i < count; i++) {
		choices[i].recipient = neighbours[dice_roll(dice, NEIGHBOURS)];
		choices[i].category = draw_category(dice);
		choices[i].value = dice_roll(dice, 2) == 0 ? CHOICE_OUT : CHOICE_IN;
		choices[i].made_at_ms = 1732285840000 + (int64_t)dice_roll(dice, 1000);
	}
	cr_assert(choices_record(f.store, f.arena, f.project, &live, &origin, choices, count, outcomes) == RESULT_OK);
}

static void undo(struct slice import)
{
	cr_assert(import_ask_undo(f.store, f.arena, f.project, import) == RESULT_OK);
	cr_assert(import_undo(f.store, f.arena, f.project, import, clock_now_ms(), NULL, NULL) == RESULT_OK);
	struct slice waiting = arena_format(f.arena, "%s %s", f.project.data, import.data);
	fixture_command(&f, ARGUMENTS(SLICE("LREM"), SLICE(IMPORT_UNDO_QUEUE), SLICE("0"), waiting));
}

#define HISTORIES 40
#define STEPS 30
#define IMPORTS 3

static void play_history(struct dice *dice)
{
	struct slice imports[IMPORTS];
	bool undone[IMPORTS] = {false};
	for (size_t i = 0; i < IMPORTS; i++) {
		imports[i] = import_new_id(f.arena, clock_now_ms());
		cr_assert(import_start(f.store, f.arena, f.project, imports[i], "csv", clock_now_ms()) == RESULT_OK);
	}
	for (size_t i = 0; i < STEPS; i++) {
		size_t import = dice_roll(dice, 2 * IMPORTS);
		record_some(dice, import < IMPORTS ? imports[import] : SLICE(""), 1 + dice_roll(dice, 8));
		import = dice_roll(dice, 5 * IMPORTS);
		if (import < IMPORTS && !undone[import]) {
			undo(imports[import]);
			undone[import] = true;
		}
	}
}

Test(verify, whatever_happens_and_is_undone_is_whole)
{
	struct dice dice = dice_new("verify");
	bool created;
	cr_assert(project_put(f.store, f.arena, f.project, SLICE(""), &created) == RESULT_OK);
	for (size_t i = 0; i < COUNT_OF(items); i++) {
		struct category category = items[i];
		cr_assert(category_save(f.store, f.arena, f.project, &category) == RESULT_OK);
	}
	for (size_t i = 0; i < HISTORIES; i++) {
		play_history(&dice);
		struct audit_findings findings = verify();
		expect_ok(&findings);
		cr_assert(findings.entries > 0);
	}
}

// Writes until it is killed: changes and silent ones.
static pid_t start_writer(struct dice *dice)
{
	struct dice own = {dice_roll(dice, UINT64_MAX)};
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	f.store = fixture_store();
	f.arena = arena_new((size_t)64 << 20);
	for (;;) {
		record_some(&own, SLICE(""), 1 + dice_roll(&own, 8));
		arena_reset(f.arena);
	}
}

static void stop_writer(pid_t child)
{
	int status;
	cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended before");
}

// Of Jo's partition, out of the same category, by one import.
static void fill_many(int count, int64_t made_at_ms, enum choice_value value)
{
	struct choice *choices = arena_array(f.arena, (size_t)count, sizeof(*choices));
	enum choice_outcome *outcomes = arena_array(f.arena, (size_t)count, sizeof(*outcomes));
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-1")};
	cr_assert(choices != NULL && outcomes != NULL);
	for (int i = 0, found = 0; found < count; i++) {
		struct slice recipient = arena_format(f.arena, "x%d@example.com", i);
		if (partition_of(recipient) == partition)
			choices[found++] = (struct choice){recipient, offers, value, made_at_ms};
	}
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, choices, (size_t)count, outcomes) ==
	          RESULT_OK);
}

Test(verify, holds_while_others_write)
{
	static const int sizes[] = {0, 5000};
	struct dice dice = dice_new("writers");
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		int64_t before = verify().entries;
		fill_many(sizes[i], 1000, CHOICE_OUT);
		pid_t writers[] = {start_writer(&dice), start_writer(&dice)};
		for (size_t round = 0; round < 10; round++) {
			struct audit_findings findings = verify();
			expect_ok(&findings);
			cr_assert(findings.entries >= before && findings.choices >= sizes[i]);
		}
		stop_writer(writers[0]);
		stop_writer(writers[1]);
		cr_assert(verify().entries > before + sizes[i]);
	}
}

// Nothing is said of what never holds still and is too long to be read at once.
Test(verify, says_when_it_cannot_tell)
{
	static const char script[] = "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], i, 'x' .. i) end";
	struct key_name key = name_of("optouts:", "offers");
	struct dice dice = dice_new("busy");
	fixture_command(&f, ARGUMENTS(SLICE("EVAL"), slice_of(script), SLICE("1"), key_slice(&key),
	                              arena_format(f.arena, "%d", AUDIT_VERIFY_AT_ONCE)));
	cr_assert(verify().problem_count == AUDIT_PROBLEMS_MAXIMUM, "most of them belong elsewhere");
	pid_t writer = start_writer(&dice);
	struct audit_findings findings = {.choices = 0};
	// At first it may not have written yet; at most the limit's number of choices is read at once.
	while (find_problem(&findings, "busy") == NULL)
		findings = verify();
	stop_writer(writer);
	cr_assert(findings.problem_count == 1 && findings.entries == 0 && findings.choices == 0);
	cr_assert(findings.problems[0].identifier.data == NULL && findings.problems[0].partition == partition);
}

#define FLIPPED 1000

Test(verify, a_long_audit_is_folded_in_parts)
{
	static const struct slice last = TEXT("late@example.com");
	cr_assert(FLIPPED * 251 > AUDIT_VERIFY_PASS);
	for (int i = 1; i <= 251; i++) {
		AUTO(arena_auto) struct arena *scratch = arena_new((size_t)64 << 20);
		struct arena *own = f.arena;
		f.arena = scratch;
		fill_many(FLIPPED, 1000 + i, i % 2 == 1 ? CHOICE_OUT : CHOICE_IN);
		f.arena = own;
	}
	struct audit_findings findings = verify();
	expect_ok(&findings);
	cr_assert(findings.entries == 251 * FLIPPED && findings.choices == FLIPPED);
	const struct reply *rows = list_rows("offers");
	for (size_t i = 0; i < 4; i += 2) {
		struct slice recipient = reply_text(reply_at(rows, i));
		list_remove("offers", recipient);
		findings = verify();
		const struct audit_problem *problem = find_problem(&findings, "missing");
		cr_assert(problem != NULL && slice_equal(problem->identifier, recipient));
		cr_assert(findings.problem_count == 2, "and the sum");
		list_set("offers", recipient, "1251");
	}
	list_set("offers", last, "1000");
	findings = verify();
	cr_assert(findings.problem_count == 1 + (partition_of(last) != partition), "nothing is told twice");
}

Test(verify, a_fold_has_limits)
{
	struct audit_fold fold;
	cr_assert(audit_fold_open(f.arena, 0, 0, 1, &fold) == RESULT_OK);
	size_t room = fold.capacity / 4 * 3;
	for (uint64_t i = 1; i <= room; i++) {
		struct audit_pair *pair = audit_fold_put(&fold, i * fold.capacity + 7); // all at one place
		cr_assert(pair != NULL && pair->score == 0);
		pair->score = (int64_t)i;
	}
	cr_assert(audit_fold_put(&fold, 1) == NULL, "one more than there is room for");
	cr_assert(audit_fold_put(&fold, fold.capacity + 7)->score == 1, "one that is there");
	cr_assert(audit_fold_find(&fold, room * fold.capacity + 7)->score == (int64_t)room);
	cr_assert(audit_fold_find(&fold, 8) == NULL);
	AUTO(arena_auto) struct arena *small = arena_new(1024);
	cr_assert(audit_fold_open(small, 1000, 0, 1, &fold) == RESULT_NO_MEMORY);
}

Test(verify, each_pair_has_its_turn_once)
{
	struct audit_fold folds[3];
	for (size_t pass = 0; pass < COUNT_OF(folds); pass++)
		cr_assert(audit_fold_open(f.arena, 10, pass, COUNT_OF(folds), &folds[pass]) == RESULT_OK);
	struct dice dice = dice_new("turns");
	for (int i = 0; i < 1000; i++) {
		uint64_t hash = dice_roll(&dice, UINT64_MAX);
		int turns = 0;
		for (size_t pass = 0; pass < COUNT_OF(folds); pass++)
			turns += audit_fold_holds(&folds[pass], hash);
		cr_assert(turns == 1);
	}
}

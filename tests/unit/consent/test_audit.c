// What is kept of one recipient among many others of the same partition.
#include "../../support/fixture.h"
#include "consent/audit.h"
#include "consent/choice.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define JO SLICE("jo@example.com")
#define TEXT(literal) {literal, sizeof(literal) - 1}
#define A_LOOK 5000    // entries that audit_history looks at in one go
#define A_SCRIPT 50000 // entries that are made at once, so that Redis still has time for the tests beside

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(audit, .init = set_up, .fini = tear_down, .timeout = 600);

static const struct category offers = {.key = TEXT("offers"), .list = TEXT("offers"), .subscribed_by_default = true};

struct history {
	struct audit_entry *entries;
	size_t count;
	bool complete;
};

static struct history history_of(struct slice recipient)
{
	struct history history = {NULL, 99, false};
	cr_assert(audit_history(f.store, f.arena, f.project, recipient, &history.entries, &history.count,
	                        &history.complete) == RESULT_OK);
	return history;
}

// Entries of one recipient in Jo's partition, numbered upwards in `new`.
static int64_t number;
static void append(const char *recipient, size_t count)
{
	static const char script[] =
		"for i = 1, ARGV[2] do redis.call('XADD', KEYS[1], '*', 'recipient', ARGV[1], 'category', 'offers', "
		"'old', '', 'new', ARGV[3] + i, 'source', 'test', 'reference', 'r') end";
	struct key_name stream = partition_key(f.project, partition_of(JO), "audit", SLICE(""));
	fixture_command(&f, ARGUMENTS(SLICE("EVAL"), slice_of(script), SLICE("1"), key_slice(&stream),
	                              slice_of(recipient), arena_format(f.arena, "%zu", count),
	                              arena_format(f.arena, "%lld", (long long)number)));
	number += (int64_t)count;
}

static void expect_newest_first(const struct history *history)
{
	for (size_t i = 0; i < history->count; i++) {
		cr_assert(slice_equal(history->entries[i].recipient, JO), "%zu", i);
		cr_assert(i == 0 || history->entries[i].new_score < history->entries[i - 1].new_score, "%zu", i);
	}
}

Test(audit, of_nobody_is_empty_and_complete)
{
	struct history history = history_of(JO);
	cr_assert(history.count == 0 && history.complete);
	append("ann@example.com", 3);
	history = history_of(JO);
	cr_assert(history.count == 0 && history.complete);
}

static void record(enum choice_value value, int64_t made_at_ms)
{
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-1")};
	struct choice choice = {JO, &offers, value, made_at_ms};
	enum choice_outcome outcome;
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, &choice, 1, &outcome) == RESULT_OK);
}

Test(audit, tells_of_each_change_what_was_recorded)
{
	int64_t before, after;
	cr_assert(store_time_ms(f.store, f.arena, &before) == RESULT_OK);
	record(CHOICE_OUT, 1732285840999);
	record(CHOICE_IN, 1732285841000);
	record(CHOICE_IN, 1732285842000); // changes nothing
	cr_assert(store_time_ms(f.store, f.arena, &after) == RESULT_OK);
	struct history history = history_of(JO);
	cr_assert(history.count == 2 && history.complete);
	cr_assert(history.entries[0].old_score == 1732285840999 && history.entries[0].new_score == -1732285841000);
	cr_assert(history.entries[1].old_score == 0 && history.entries[1].new_score == 1732285840999);
	for (size_t i = 0; i < history.count; i++) {
		const struct audit_entry *entry = &history.entries[i];
		cr_assert(slice_equal(entry->recipient, JO) && slice_equal(entry->category, SLICE("offers")));
		cr_assert(slice_equal(entry->source, SLICE("csv")) && slice_equal(entry->reference, SLICE("job-1")));
		cr_assert(entry->recorded_at_ms >= before && entry->recorded_at_ms <= after);
	}
}

Test(audit, only_the_whole_recipient_is_meant)
{
	append("jo@example.co", 1);
	append("jo@example.com.au", 1);
	append("JO@example.com", 1);
	append("offers", 1);
	cr_assert(history_of(JO).count == 0);
	append("jo@example.com", 1);
	cr_assert(history_of(JO).count == 1);
}

Test(audit, is_found_behind_thousands_of_others)
{
	static const size_t others[] = {A_LOOK - 2, 0, 0, A_LOOK, 7, 2 * A_LOOK + 1, 0};
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		append("ann@example.com", others[i]);
		append("jo@example.com", 1);
		struct history history = history_of(JO);
		cr_assert(history.complete && history.count == i + 1, "%zu: %zu", i, history.count);
		expect_newest_first(&history);
		cr_assert(history.entries[0].new_score == number);
	}
}

Test(audit, whole_looks_leave_nothing_out)
{
	append("jo@example.com", 1);
	append("ann@example.com", A_LOOK - 1);
	cr_assert(history_of(JO).count == 1 && history_of(JO).complete);
	append("ann@example.com", 1);
	cr_assert(history_of(JO).count == 1 && history_of(JO).complete);
	append("ann@example.com", A_LOOK - 1);
	cr_assert(history_of(JO).count == 1 && history_of(JO).complete);
}

Test(audit, shows_as_many_as_it_may_and_says_when_there_are_more)
{
	append("jo@example.com", AUDIT_HISTORY_MAXIMUM);
	struct history history = history_of(JO);
	cr_assert(history.count == AUDIT_HISTORY_MAXIMUM && history.complete);
	append("jo@example.com", 1);
	history = history_of(JO);
	cr_assert(history.count == AUDIT_HISTORY_MAXIMUM && !history.complete, "one is left out");
	expect_newest_first(&history);
	cr_assert(history.entries[0].new_score == number, "the oldest is");
}

Test(audit, says_when_there_are_more_behind_thousands_of_others)
{
	append("jo@example.com", 1);
	append("ann@example.com", A_LOOK);
	append("jo@example.com", AUDIT_HISTORY_MAXIMUM - 1);
	struct history history = history_of(JO);
	cr_assert(history.count == AUDIT_HISTORY_MAXIMUM && history.complete);
	append("jo@example.com", 1);
	history = history_of(JO);
	cr_assert(history.count == AUDIT_HISTORY_MAXIMUM && !history.complete);
}

// Entries of somebody else with nothing else in them, since making millions takes its time.
static void append_bare(size_t count)
{
	static const char script[] =
		"local call = redis.call for i = 1, ARGV[1] do call('XADD', KEYS[1], '*', 'recipient', 'ann') end";
	struct key_name stream = partition_key(f.project, partition_of(JO), "audit", SLICE(""));
	cr_assert(count % A_SCRIPT == 0);
	for (size_t done = 0; done < count; done += A_SCRIPT)
		fixture_command(&f, ARGUMENTS(SLICE("EVAL"), slice_of(script), SLICE("1"), key_slice(&stream),
		                              arena_format(f.arena, "%d", A_SCRIPT)));
}

Test(audit, looks_so_far_and_says_so)
{
	append("jo@example.com", 1);
	append_bare(AUDIT_SCAN_MAXIMUM);
	append("jo@example.com", 1);
	struct history history = history_of(JO);
	cr_assert(history.count == 1 && history.entries[0].new_score == number && !history.complete);
}

Test(audit, what_cannot_be_read_is_no_history)
{
	struct history history;
	struct store *nobody;
	const char *reason;
	struct key_name stream = partition_key(f.project, partition_of(JO), "audit", SLICE(""));
	fixture_command(&f, ARGUMENTS(SLICE("SET"), key_slice(&stream), SLICE("x")));
	cr_assert(audit_history(f.store, f.arena, f.project, JO, &history.entries, &history.count, &history.complete) ==
	          RESULT_UNAVAILABLE);
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &nobody, &reason) == RESULT_OK);
	cr_assert(audit_history(nobody, f.arena, f.project, JO, &history.entries, &history.count, &history.complete) ==
	          RESULT_UNAVAILABLE);
	store_free(nobody);
}

// Half a history must not pass for a whole one.
Test(audit, without_memory_there_is_no_history)
{
	append("jo@example.com", 1);
	append("ann@example.com", 3 * A_LOOK);
	for (size_t limit = 1024;; limit += 64) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);
		struct history history;
		enum result result = audit_history(f.store, small, f.project, JO, &history.entries, &history.count,
		                                   &history.complete);
		store_settle(f.store);
		if (result == RESULT_OK) {
			cr_assert(history.complete && history.count == 1);
			break;
		}
		cr_assert(result == RESULT_NO_MEMORY && limit < (size_t)1 << 20);
		limit += limit < AUDIT_HISTORY_MAXIMUM * sizeof(struct audit_entry) ? 16384 : 0;
	}
}

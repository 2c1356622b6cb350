// Counting the audit by day, category and source.
#include "../../support/fixture.h"
#include "consent/audit_stats.h"
#include "consent/choice.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(20000) // some day, 2024-10-04
#define NOON (DAY * AUDIT_DAY_MS + AUDIT_DAY_MS / 2)

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(audit_stats, .init = set_up, .fini = tear_down, .timeout = 120);

static void append(int partition, int64_t ms, const char *category, const char *old, const char *new,
	           const char *source)
{
	struct key_name stream = partition_key(f.project, partition, "audit", SLICE(""));
	fixture_command(&f, ARGUMENTS(SLICE("XADD"), key_slice(&stream),
	                              arena_format(f.arena, "%lld-*", (long long)ms), SLICE("recipient"), SLICE("jo"),
	                              SLICE("category"), slice_of(category), SLICE("old"), slice_of(old), SLICE("new"),
	                              slice_of(new), SLICE("source"), slice_of(source), SLICE("reference"),
	                              SLICE("r")));
}

static const struct audit_count *count_since(int64_t ms, size_t look, size_t *count)
{
	struct audit_stats *stats = audit_stats_new(f.store, f.arena, f.project, ms);
	bool more = true;
	cr_assert(stats != NULL);
	while (more)
		cr_assert(audit_stats_look(stats, look, &more) == RESULT_OK);
	return audit_stats_result(stats, count);
}

static void expect(const struct audit_count *count, int64_t day, const char *category, const char *source,
	           int64_t out, int64_t in)
{
	cr_assert(count->day == day && slice_equal(count->category, slice_of(category)) &&
	                  slice_equal(count->source, slice_of(source)),
	          "%lld %s %s", (long long)count->day, count->category.data, count->source.data);
	cr_assert(count->opted_out == out && count->opted_in == in, "%s %s: %lld, %lld", category, source,
	          (long long)count->opted_out, (long long)count->opted_in);
}

Test(audit_stats, of_nothing)
{
	size_t count = 99;
	count_since(0, 100, &count);
	cr_assert(count == 0);
}

Test(audit_stats, by_day_category_and_source)
{
	static const size_t looks[] = {1, 2, 100};
	append(0, NOON - AUDIT_DAY_MS, "offers", "", "5", "csv");
	append(0, NOON, "offers", "5", "-6", "csv");
	append(1, NOON, "offers", "", "7", "csv");
	append(2, NOON, "offers", "", "7", "csv");
	append(3, NOON, "offers", "", "7", "api");
	append(4, NOON, "$all", "", "7", "csv");
	append(5, NOON, "$bounced", "", "7", "webhook");
	append(6, NOON, "$dropped", "", "7", "webhook");
	append(7, NOON, "off", "", "7", "erscsv");
	for (size_t i = 0; i < COUNT_OF(looks); i++) {
		size_t count;
		const struct audit_count *counts = count_since(0, looks[i], &count);
		cr_assert(count == 5, "%zu", count);
		expect(&counts[0], DAY, "$all", "csv", 1, 0);
		expect(&counts[1], DAY, "off", "erscsv", 1, 0);
		expect(&counts[2], DAY, "offers", "api", 1, 0);
		expect(&counts[3], DAY, "offers", "csv", 2, 1);
		expect(&counts[4], DAY - 1, "offers", "csv", 1, 0);
	}
}

Test(audit_stats, a_day_is_one_of_utc)
{
	size_t count;
	append(0, DAY * AUDIT_DAY_MS - 1, "offers", "", "5", "csv");
	append(1, DAY * AUDIT_DAY_MS, "offers", "", "5", "csv");
	append(2, DAY * AUDIT_DAY_MS + AUDIT_DAY_MS - 1, "offers", "", "5", "csv");
	append(3, DAY * AUDIT_DAY_MS + AUDIT_DAY_MS, "offers", "", "5", "csv");
	const struct audit_count *counts = count_since(0, 100, &count);
	cr_assert(count == 3);
	expect(&counts[0], DAY + 1, "offers", "csv", 1, 0);
	expect(&counts[1], DAY, "offers", "csv", 2, 0);
	expect(&counts[2], DAY - 1, "offers", "csv", 1, 0);
	counts = count_since(DAY * AUDIT_DAY_MS, 100, &count);
	cr_assert(count == 2);
	expect(&counts[1], DAY, "offers", "csv", 2, 0);
}

Test(audit_stats, back_to_no_choice_is_the_opposite)
{
	size_t count;
	append(0, NOON, "offers", "5", "", "undo");
	append(1, NOON, "offers", "6", "", "undo");
	append(2, NOON, "opt_in", "-5", "", "undo");
	append(3, NOON, "opt_in", "x", "y", "undo"); // tells of nothing
	const struct audit_count *counts = count_since(0, 100, &count);
	cr_assert(count == 2);
	expect(&counts[0], DAY, "offers", "undo", 0, 2);
	expect(&counts[1], DAY, "opt_in", "undo", 1, 0);
}

Test(audit_stats, of_what_was_recorded)
{
	static const struct category offers = {
		.key = {"offers", 6}, .list = {"offers", 6}, .subscribed_by_default = true};
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("r")};
	struct choice choices[100];
	enum choice_outcome outcomes[COUNT_OF(choices)];
	int64_t before, after;
	size_t count;
	for (size_t i = 0; i < COUNT_OF(choices); i++)
		choices[i] = (struct choice){arena_format(f.arena, "r%zu@x", i % 80), &offers, CHOICE_OUT, 5};
	cr_assert(store_time_ms(f.store, f.arena, &before) == RESULT_OK);
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, choices, COUNT_OF(choices), outcomes) ==
	          RESULT_OK);
	cr_assert(store_time_ms(f.store, f.arena, &after) == RESULT_OK);
	const struct audit_count *counts = count_since(0, 7, &count);
	int64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		cr_assert(counts[i].day >= before / AUDIT_DAY_MS && counts[i].day <= after / AUDIT_DAY_MS);
		sum += counts[i].opted_out;
	}
	cr_assert(sum == 80);
}

static void append_many(const char *format, int from, int to)
{
	static const char script[] =
		"for i = ARGV[1], ARGV[2] do redis.call('XADD', KEYS[1], '1728043200000-*', 'recipient', 'jo', "
		"'category', 'offers', 'old', '', 'new', '5', 'source', string.format(ARGV[3], i), "
		"'reference', 'r') end";
	struct key_name stream = partition_key(f.project, from % PROJECT_PARTITIONS, "audit", SLICE(""));
	fixture_command(&f, ARGUMENTS(SLICE("EVAL"), slice_of(script), SLICE("1"), key_slice(&stream),
	                              arena_format(f.arena, "%d", from), arena_format(f.arena, "%d", to),
	                              slice_of(format)));
}

Test(audit_stats, many_kinds_are_kept_apart)
{
	size_t count;
	for (int round = 0; round < 3; round++)
		append_many("s%05d", round * 1000, 4999);
	const struct audit_count *counts = count_since(0, 1000, &count);
	cr_assert(count == 5000);
	for (int i = 0; i < 5000; i++)
		expect(&counts[i], DAY, "offers", arena_format(f.arena, "s%05d", i).data,
		       i < 1000 ? 1 : i < 2000 ? 2 : 3,
		       0);
}

Test(audit_stats, has_limits)
{
	const int at_once = 1 << 16, most = AUDIT_STATS_MAXIMUM;
	bool more;
	for (int from = 0; from < most; from += at_once)
		append_many("s%06d", from, from + at_once - 1);
	size_t count;
	count_since(0, 100000, &count);
	cr_assert(count == AUDIT_STATS_MAXIMUM);
	append(0, 1728043200000, "offers", "", "5", "one more");
	struct audit_stats *stats = audit_stats_new(f.store, f.arena, f.project, 0);
	cr_assert(audit_stats_look(stats, SIZE_MAX, &more) == RESULT_TOO_LARGE);
	store_settle(f.store);
	AUTO(arena_auto) struct arena *small = arena_new((size_t)1 << 20);
	stats = audit_stats_new(f.store, small, f.project, 0);
	cr_assert(stats != NULL && audit_stats_look(stats, SIZE_MAX, &more) == RESULT_NO_MEMORY);
}

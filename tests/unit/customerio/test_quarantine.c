// The quarantine on a real Redis: what it keeps, and that its bounds hold.
#include "../../support/fixture.h"
#include "customerio/quarantine.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(quarantine, .init = set_up, .fini = tear_down, .timeout = 120);

static void add(struct slice reason, int64_t timestamp_s, struct slice body, int64_t size)
{
	cr_assert(quarantine_add(f.store, f.arena, f.project, reason, timestamp_s, body, size) == RESULT_OK);
}

static struct slice filled(size_t length, char byte)
{
	char *bytes = arena_alloc(f.arena, length + 1);
	cr_assert(bytes != NULL);
	memset(bytes, byte, length);
	return (struct slice){bytes, length};
}

static struct quarantine_entry *list(struct slice before, size_t limit, size_t *count)
{
	struct quarantine_entry *entries = NULL;
	cr_assert(quarantine_list(f.store, f.arena, f.project, before, limit, &entries, count) == RESULT_OK);
	return entries;
}

static void expect_totals(int64_t waiting, int64_t bytes, int64_t taken, int64_t dropped)
{
	struct quarantine_totals totals;
	cr_assert(quarantine_totals(f.store, f.arena, f.project, &totals) == RESULT_OK);
	cr_assert_eq(totals.waiting, waiting, "%lld waiting", (long long)totals.waiting);
	cr_assert_eq(totals.waiting_bytes, bytes, "%lld bytes", (long long)totals.waiting_bytes);
	cr_assert_eq(totals.taken, taken, "%lld taken", (long long)totals.taken);
	cr_assert_eq(totals.dropped, dropped, "%lld dropped", (long long)totals.dropped);
}

Test(quarantine, what_was_put_in)
{
	int64_t now_ms;
	size_t count;
	static const struct slice odd = TEXT("\0\xff{\r\n");
	cr_assert(store_time_ms(f.store, f.arena, &now_ms) == RESULT_OK);
	expect_totals(0, 0, 0, 0);
	add(SLICE("not JSON"), 1613063089, odd, (int64_t)odd.length);
	add(SLICE("empty"), 0, SLICE(""), 0);

	struct quarantine_entry *entries = list(SLICE(""), 10, &count);
	cr_assert_eq(count, 2);
	cr_assert(slice_equal(entries[0].reason, SLICE("empty")), "the newest first");
	cr_assert_eq(entries[0].body.length, 0);
	cr_assert_eq(entries[0].size, 0);
	cr_assert_eq(entries[0].timestamp_s, 0);
	cr_assert(slice_equal(entries[1].reason, SLICE("not JSON")));
	cr_assert(slice_equal(entries[1].body, odd));
	cr_assert_eq(entries[1].size, (int64_t)odd.length);
	cr_assert_eq(entries[1].timestamp_s, 1613063089);
	cr_assert(entries[1].received_at_ms >= now_ms && entries[1].received_at_ms < now_ms + 60000);
	expect_totals(2, (int64_t)odd.length, 2, 0);
}

Test(quarantine, only_the_beginning_of_a_long_body)
{
	size_t count;
	add(SLICE("at the limit"), 1, filled(QUARANTINE_BODY, 'a'), QUARANTINE_BODY);
	add(SLICE("one past it"), 1, filled(QUARANTINE_BODY + 1, 'b'), QUARANTINE_BODY + 1);
	struct quarantine_entry *entries = list(SLICE(""), 10, &count);
	cr_assert_eq(count, 2);
	cr_assert_eq(entries[0].body.length, QUARANTINE_BODY);
	cr_assert_eq(entries[0].size, QUARANTINE_BODY + 1);
	cr_assert_eq(entries[1].body.length, QUARANTINE_BODY);
	cr_assert_eq(entries[1].size, QUARANTINE_BODY);
	expect_totals(2, 2 * QUARANTINE_BODY, 2, 0);
}

Test(quarantine, pages)
{
	size_t count;
	struct slice before = SLICE("");
	for (int i = 0; i < 5; i++)
		add(arena_format(f.arena, "%d", i), 1, SLICE("x"), 1);
	for (int page = 0; page < 2; page++) {
		struct quarantine_entry *entries = list(before, 2, &count);
		cr_assert_eq(count, 2);
		cr_assert_eq(entries[0].reason.data[0], '4' - 2 * page);
		cr_assert_eq(entries[1].reason.data[0], '3' - 2 * page);
		before = entries[1].id;
	}
	struct quarantine_entry *last = list(before, 2, &count);
	cr_assert_eq(count, 1);
	cr_assert_eq(last[0].reason.data[0], '0');
	list(last[0].id, 2, &count);
	cr_assert_eq(count, 0);
}

Test(quarantine, one_by_its_id_and_removed)
{
	size_t count;
	struct quarantine_entry entry;
	add(SLICE("a"), 1, SLICE("12345"), 5);
	add(SLICE("b"), 1, SLICE("123"), 3);
	struct slice id = list(SLICE(""), 10, &count)[1].id;
	cr_assert(quarantine_get(f.store, f.arena, f.project, id, &entry) == RESULT_OK);
	cr_assert(slice_equal(entry.body, SLICE("12345")));
	cr_assert(slice_equal(entry.id, id));

	cr_assert(quarantine_remove(f.store, f.arena, f.project, id) == RESULT_OK);
	expect_totals(1, 3, 2, 0);
	cr_assert(quarantine_get(f.store, f.arena, f.project, id, &entry) == RESULT_NOT_FOUND);
	cr_assert(quarantine_remove(f.store, f.arena, f.project, id) == RESULT_OK, "twice is no failure");
	expect_totals(1, 3, 2, 0);
}

Test(quarantine, the_oldest_goes_when_there_are_too_many)
{
	size_t count;
	for (int i = 0; i < QUARANTINE_ENTRIES; i++)
		add(arena_format(f.arena, "%d", i), 1, SLICE("xy"), 2);
	expect_totals(QUARANTINE_ENTRIES, 2 * QUARANTINE_ENTRIES, QUARANTINE_ENTRIES, 0);
	add(SLICE("one more"), 1, SLICE("xyz"), 3);
	expect_totals(QUARANTINE_ENTRIES, 2 * QUARANTINE_ENTRIES + 1, QUARANTINE_ENTRIES + 1, 1);
	struct quarantine_entry *entries = list(SLICE(""), QUARANTINE_ENTRIES + 1, &count);
	cr_assert_eq(count, QUARANTINE_ENTRIES);
	cr_assert(slice_equal(entries[0].reason, SLICE("one more")));
	cr_assert(slice_equal(entries[count - 1].reason, SLICE("1")), "0 is gone");
}

Test(quarantine, the_oldest_go_when_they_are_too_long)
{
	size_t count;
	struct slice body = filled(QUARANTINE_BODY, 'a');
	int64_t full = QUARANTINE_BYTES / QUARANTINE_BODY;
	add(SLICE("the first"), 1, body, QUARANTINE_BODY);
	for (int64_t i = 1; i < full; i++)
		add(SLICE("another"), 1, body, QUARANTINE_BODY);
	add(SLICE("no bytes"), 1, SLICE(""), 0);
	expect_totals(full + 1, QUARANTINE_BYTES, full + 1, 0);
	add(SLICE("one byte"), 1, SLICE("x"), 1);
	expect_totals(full + 1, QUARANTINE_BYTES - QUARANTINE_BODY + 1, full + 2, 1);
	struct quarantine_entry *entries = list(SLICE(""), 1, &count);
	cr_assert(slice_equal(entries[0].reason, SLICE("one byte")));
	add(SLICE("fits again"), 1, filled(QUARANTINE_BODY - 1, 'b'), QUARANTINE_BODY - 1);
	expect_totals(full + 2, QUARANTINE_BYTES, full + 3, 1);
}

Test(quarantine, a_count_that_nothing_belongs_to)
{
	struct key_name totals = project_key(f.project, "quarantine:totals");
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&totals), SLICE("bytes"), SLICE("99999999999")));
	add(SLICE("a"), 1, SLICE("xyz"), 3);
	expect_totals(0, 0, 1, 1);
	add(SLICE("b"), 1, SLICE("xyz"), 3);
	expect_totals(1, 3, 2, 1);
}

Test(quarantine, the_form_of_an_id)
{
	static const struct {
		struct slice id;
		bool good;
	} cases[] = {
		{TEXT("1700000000000-0"), true},
		{TEXT("0-1"), true},
		{TEXT("9223372036854775807-9223372036854775807"), true},
		{TEXT(""), false},
		{TEXT("1700000000000"), false},
		{TEXT("1700000000000-"), false},
		{TEXT("-1"), false},
		{TEXT("--1"), false},
		{TEXT("1--1"), false},
		{TEXT("1-1-1"), false},
		{TEXT("1-+"), false},
		{TEXT("+"), false},
		{TEXT("(1-1"), false},
		{TEXT("1-1 "), false},
		{TEXT("1-99999999999999999999"), false},
		{{NULL, 0}, false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_assert_eq(quarantine_id_is_valid(cases[i].id), cases[i].good, "case %zu", i);
}

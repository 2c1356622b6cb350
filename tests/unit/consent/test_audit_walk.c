// The audit of all partitions as one sequence, against a model that sorts it.
#include "../../support/fixture.h"
#include "codec/encode.h"
#include "consent/audit.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}
#define ENTRIES 300
#define ROUNDS 40

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(audit_walk, .init = set_up, .fini = tear_down, .timeout = 120);

struct row {
	int64_t ms, sequence;
	int partition;
	bool seen;
};

static void append(const struct row *row)
{
	struct key_name stream = partition_key(f.project, row->partition, "audit", SLICE(""));
	struct slice id = arena_format(f.arena, "%lld-%lld", (long long)row->ms, (long long)row->sequence);
	fixture_command(&f, ARGUMENTS(SLICE("XADD"), key_slice(&stream), id, SLICE("recipient"), SLICE("jo"),
	                              SLICE("category"), SLICE("offers"), SLICE("old"), SLICE(""), SLICE("new"),
	                              SLICE("5"), SLICE("source"), SLICE("test"), SLICE("reference"), id));
}

static int compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;
	if (first->ms != second->ms)
		return first->ms < second->ms ? -1 : 1;
	if (first->sequence != second->sequence)
		return first->sequence < second->sequence ? -1 : 1;
	return first->partition - second->partition;
}

static int compare_backwards(const void *a, const void *b)
{
	return compare(b, a);
}

// Many at one time, in few partitions or in all.
static void fill(struct dice *dice, struct row *rows)
{
	int64_t times[PROJECT_PARTITIONS], numbers[PROJECT_PARTITIONS];
	int partitions = 1 + (int)dice_roll(dice, PROJECT_PARTITIONS);
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		times[p] = 1000;
		numbers[p] = 0;
	}
	for (size_t i = 0; i < ENTRIES; i++) {
		int p = (int)dice_roll(dice, (uint64_t)partitions);
		bool later = dice_roll(dice, 3) == 0;
		times[p] += later;
		numbers[p] = later ? (int64_t)dice_roll(dice, 2) : numbers[p] + 1;
		rows[i] = (struct row){times[p], numbers[p], p, false};
		append(&rows[i]);
	}
}

static void clear(void)
{
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name stream = partition_key(f.project, p, "audit", SLICE(""));
		fixture_command(&f, ARGUMENTS(SLICE("DEL"), key_slice(&stream)));
	}
}

static struct audit_walk *walk_of(int partition, enum audit_order order, size_t look)
{
	struct audit_walk *walk = audit_walk_new(f.store, f.arena, f.project, partition, order, look);
	cr_assert(walk != NULL);
	return walk;
}

static const struct audit_entry *next_of(struct audit_walk *walk)
{
	const struct audit_entry *entry = NULL;
	cr_assert(audit_walk_next(walk, &entry) == RESULT_OK);
	return entry;
}

static void expect_entry(const struct audit_entry *entry, const struct row *row)
{
	cr_assert(entry != NULL);
	cr_assert(entry->recorded_at_ms == row->ms && entry->sequence == row->sequence &&
	          entry->partition == row->partition);
	cr_assert(entry->is_sound && entry->new_score == 5 && slice_equal(entry->recipient, SLICE("jo")));
}

Test(audit_walk, nothing_comes_by_once)
{
	for (int order = AUDIT_NEWEST_FIRST; order <= AUDIT_OLDEST_FIRST; order++) {
		struct audit_walk *walk = walk_of(AUDIT_EVERY_PARTITION, (enum audit_order)order, 10);
		cr_assert(next_of(walk) == NULL && next_of(walk) == NULL);
	}
}

Test(audit_walk, all_come_by_in_order)
{
	static const size_t looks[] = {1, 2, 7, ENTRIES, ENTRIES + 1};
	struct dice dice = dice_new("walks");
	struct row rows[ENTRIES];
	for (size_t round = 0; round < ROUNDS; round++) {
		clear();
		fill(&dice, rows);
		enum audit_order order = dice_roll(&dice, 2) == 0 ? AUDIT_NEWEST_FIRST : AUDIT_OLDEST_FIRST;
		qsort(rows, ENTRIES, sizeof(*rows), order == AUDIT_NEWEST_FIRST ? compare_backwards : compare);
		struct audit_walk *walk =
			walk_of(AUDIT_EVERY_PARTITION, order, looks[dice_roll(&dice, COUNT_OF(looks))]);
		for (size_t i = 0; i < ENTRIES; i++)
			expect_entry(next_of(walk), &rows[i]);
		cr_assert(next_of(walk) == NULL);
	}
}

Test(audit_walk, one_partition_comes_by_alone)
{
	struct dice dice = dice_new("walks");
	struct row rows[ENTRIES];
	fill(&dice, rows);
	qsort(rows, ENTRIES, sizeof(*rows), compare);
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct audit_walk *walk = walk_of(p, AUDIT_OLDEST_FIRST, 4);
		for (size_t i = 0; i < ENTRIES; i++) {
			if (rows[i].partition == p)
				expect_entry(next_of(walk), &rows[i]);
		}
		cr_assert(next_of(walk) == NULL);
	}
}

// From place to place, while newer ones are recorded in between.
Test(audit_walk, a_place_stays)
{
	struct dice dice = dice_new("places");
	struct row rows[ENTRIES];
	for (size_t round = 0; round < ROUNDS; round++) {
		struct slice place = {NULL, 0};
		size_t i = 0;
		clear();
		fill(&dice, rows);
		qsort(rows, ENTRIES, sizeof(*rows), compare_backwards);
		while (i < ENTRIES) {
			struct audit_walk *walk =
				walk_of(AUDIT_EVERY_PARTITION, AUDIT_NEWEST_FIRST, 1 + dice_roll(&dice, 20));
			if (place.data != NULL)
				cr_assert(audit_walk_behind(walk, place) == RESULT_OK);
			for (size_t n = 1 + dice_roll(&dice, 40); n > 0 && i < ENTRIES; n--, i++) {
				const struct audit_entry *entry = next_of(walk);
				expect_entry(entry, &rows[i]);
				place = audit_place(f.arena, entry);
			}
			append(&(struct row){100000 + (int64_t)i, 0, (int)dice_roll(&dice, 16), false});
		}
		struct audit_walk *walk = walk_of(AUDIT_EVERY_PARTITION, AUDIT_NEWEST_FIRST, 5);
		cr_assert(audit_walk_behind(walk, place) == RESULT_OK);
		cr_assert(next_of(walk) == NULL);
	}
}

Test(audit_walk, what_comes_later_comes_by_later)
{
	struct audit_walk *walk = walk_of(AUDIT_EVERY_PARTITION, AUDIT_OLDEST_FIRST, 3);
	for (int i = 0; i < 20; i++) {
		struct row row = {1000 + i, 0, (i * 7) % PROJECT_PARTITIONS, false};
		cr_assert(next_of(walk) == NULL);
		append(&row);
		expect_entry(next_of(walk), &row);
	}
	cr_assert(next_of(walk) == NULL);
}

Test(audit_walk, what_was_before_is_left_out)
{
	static const struct row rows[] = {{999, 5, 0, 0}, {1000, 0, 1, 0}, {1000, 0, 2, 0}, {1001, 0, 0, 0}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		append(&rows[i]);
	struct audit_walk *walk = walk_of(AUDIT_EVERY_PARTITION, AUDIT_OLDEST_FIRST, 3);
	audit_walk_since(walk, 1000);
	for (size_t i = 1; i < COUNT_OF(rows); i++)
		expect_entry(next_of(walk), &rows[i]);
	cr_assert(next_of(walk) == NULL);
}

Test(audit_walk, places_that_are_none_are_refused)
{
	static const struct slice texts[] = {
		TEXT(""),       TEXT("5"),     TEXT("5-0"),       TEXT("5-0-16"),   TEXT("5-0--1"),
		TEXT("-5-0-1"), TEXT("5-0-x"), TEXT("5-0-1-"),    TEXT("5- 0-1"),   TEXT("9223372036854775808-0-1"),
		TEXT("a-0-1"),  TEXT("--"),    TEXT("5-0-1\n5"),
	};
	static const struct slice raw[] = {TEXT("!"), TEXT("NS0wLTE="), TEXT("N")};
	struct audit_walk *walk = walk_of(AUDIT_EVERY_PARTITION, AUDIT_NEWEST_FIRST, 3);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		cr_assert(audit_walk_behind(walk, encode_base64url(f.arena, texts[i])) == RESULT_INVALID, "%zu", i);
	for (size_t i = 0; i < COUNT_OF(raw); i++)
		cr_assert(audit_walk_behind(walk, raw[i]) == RESULT_INVALID, "%zu", i);
	char *long_one = arena_alloc(f.arena, 4096);
	for (size_t i = 0; i < 4096; i++)
		long_one[i] = 'M';
	cr_assert(audit_walk_behind(walk, (struct slice){long_one, 4096}) == RESULT_INVALID);
	cr_assert(audit_walk_behind(walk, encode_base64url(f.arena, SLICE("5-0-15"))) == RESULT_OK);
	cr_assert(next_of(walk) == NULL);
}

Test(audit_walk, fails_with_the_store_and_without_memory)
{
	struct key_name stream = partition_key(f.project, 3, "audit", SLICE(""));
	const struct audit_entry *entry;
	struct audit_walk *walk = walk_of(AUDIT_EVERY_PARTITION, AUDIT_NEWEST_FIRST, 3);
	fixture_command(&f, ARGUMENTS(SLICE("SET"), key_slice(&stream), SLICE("x")));
	cr_assert(audit_walk_next(walk, &entry) == RESULT_UNAVAILABLE);
	store_settle(f.store);
	size_t limit = 64;
	for (walk = NULL; walk == NULL; limit += 64) {
		AUTO(arena_auto) struct arena *small = arena_new(limit);
		walk = audit_walk_new(f.store, small, f.project, 0, AUDIT_NEWEST_FIRST, 3);
		cr_assert(limit < (size_t)1 << 20);
	}
}

Test(audit_walk, scores_are_read_as_they_are_written)
{
	static const struct {
		const char *text;
		int64_t score;
		bool good;
	} cases[] = {
		{"", 0, true},     {"1", 1, true},     {"-1", -1, true}, {"9007199254740992", INT64_C(1) << 53, true},
		{"0", 0, false},   {"-0", 0, false},   {"-", 0, false},  {"01", 0, false}, {"-01", 0, false},
		{"1.5", 0, false}, {"1e3", 0, false}, {" 1", 0, false}, {"+1", 0, false},
		{"9007199254740993", 0, false},
		{"--1", 0, false}, {"x", 0, false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t score = 77;
		cr_assert_eq(audit_score_read(slice_of(cases[i].text), &score), cases[i].good, "%s", cases[i].text);
		cr_assert(score == cases[i].score, "%s", cases[i].text);
	}
}

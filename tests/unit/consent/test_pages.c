// Pages of the opt-out list, against a model that holds the whole list in its hands. CIOBRIDGE_TEST_SEED repeats a run.
#include "../../support/fixture.h"
#include "codec/encode.h"
#include "consent/optouts.h"
#include "consent/recipient.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}
#define EVERYTHING SLICE("")
#define FROM_THE_START SLICE("")

static struct fixture f;
static struct slice list; // each test and round has one of its own
static void set_up(void)
{
	f = fixture_open();
	list = SLICE("list");
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(pages, .init = set_up, .fini = tear_down, .timeout = 120);

struct row {
	struct slice recipient;
	int64_t score; // as stored: positive is out; 0: no choice
	bool steady;   // never changes while it is paged through
};

static void row_send(const struct row *row)
{
	struct key_name key = partition_key(f.project, partition_of(row->recipient), "optouts:", list);
	struct slice score = arena_format(f.arena, "%lld", (long long)row->score);
	if (row->score == 0)
		store_send(f.store, ARGUMENTS(SLICE("ZREM"), key_slice(&key), row->recipient));
	else
		store_send(f.store, ARGUMENTS(SLICE("ZADD"), key_slice(&key), score, row->recipient));
}

static void rows_store(const struct row *rows, size_t count)
{
	const struct reply *reply;
	for (size_t i = 0; i < count; i++)
		row_send(&rows[i]);
	for (size_t i = 0; i < count; i++)
		cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK);
}

static void out(struct slice recipient, int64_t score)
{
	rows_store(&(struct row){recipient, score, true}, 1);
}

// Newest first; of one time, in reverse bytes order.
static int row_compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;
	if (first->score != second->score)
		return first->score > second->score ? -1 : 1;
	return slice_compare(second->recipient, first->recipient);
}

static bool row_has(const struct row *row, const char *part)
{
	return strcasestr(row->recipient.data, part) != NULL;
}

static struct opt_out_page page_of(struct slice search, struct slice cursor, size_t limit)
{
	struct opt_out_page page;
	cr_assert(optouts_list(f.store, f.arena, f.project, list, search, cursor, limit, &page) == RESULT_OK);
	cr_assert(page.count <= limit);
	return page;
}

static void expect_rows(const struct opt_out_page *page, const struct row *rows, size_t count)
{
	cr_assert_eq(page->count, count, "%zu rows instead of %zu", page->count, count);
	for (size_t i = 0; i < count; i++) {
		cr_assert(slice_equal(page->rows[i].recipient, rows[i].recipient), "%zu: %s instead of %s", i,
		          page->rows[i].recipient.data, rows[i].recipient.data);
		cr_assert(page->rows[i].made_at_ms == rows[i].score, "%zu", i);
	}
}

Test(pages, of_an_empty_list)
{
	struct opt_out_page page = page_of(EVERYTHING, FROM_THE_START, 10);
	cr_assert(page.count == 0 && page.total == 0 && page.cursor.data == NULL);
	out(SLICE("in@example.com"), -5);
	page = page_of(SLICE("in"), FROM_THE_START, 10);
	cr_assert(page.count == 0 && page.total == 0 && page.cursor.data == NULL);
}

Test(pages, the_order_is_by_time_then_by_reversed_bytes)
{
	static const struct row rows[] = {
		{TEXT("newest"), INT64_C(253402300799999), true},
		{TEXT("\xff"), 7, true},
		{TEXT("\xf0\x9f\x93\xa7@x"), 7, true},
		{TEXT("\xc3\xa9@x"), 7, true},
		{TEXT("\x80"), 7, true},
		{TEXT("~"), 7, true},
		{TEXT("b"), 7, true},
		{TEXT("a\x80"), 7, true},
		{TEXT("ab\xff"), 7, true},
		{TEXT("abc"), 7, true},
		{TEXT("ab"), 7, true},
		{TEXT("a"), 7, true},
		{TEXT("B"), 7, true},
		{TEXT("oldest"), 1, true},
	};
	bool used[PROJECT_PARTITIONS] = {false};
	size_t partitions = 0;
	for (size_t i = COUNT_OF(rows); i-- > 0;) {
		out(rows[i].recipient, rows[i].score);
		partitions += !used[partition_of(rows[i].recipient)];
		used[partition_of(rows[i].recipient)] = true;
	}
	cr_assert(partitions > 5);
	for (size_t limit = 1; limit <= COUNT_OF(rows) + 1; limit++) {
		struct slice cursor = FROM_THE_START;
		for (size_t from = 0; from < COUNT_OF(rows); from += limit) {
			size_t left = COUNT_OF(rows) - from;
			struct opt_out_page page = page_of(EVERYTHING, cursor, limit);
			expect_rows(&page, rows + from, limit < left ? limit : left);
			cr_assert(page.total == COUNT_OF(rows));
			cr_assert(page.cursor.data != NULL || left <= limit);
			cursor = page.cursor;
		}
		if (cursor.data != NULL) {
			struct opt_out_page page = page_of(EVERYTHING, cursor, limit);
			cr_assert(page.count == 0 && page.cursor.data == NULL);
		}
	}
}

// Every string of one to three of these bytes, behind a letter that no search names.
static const char alphabet[] = {'a', 'B', 'z', '\x7f', '\x80', '\xc3', '\xff'};
#define LETTERS COUNT_OF(alphabet)
#define ROWS (LETTERS + LETTERS * LETTERS + LETTERS * LETTERS * LETTERS)
#define ROUNDS 100

static struct slice recipient_at(size_t number)
{
	char text[4] = "#";
	size_t length = 1, of_length = LETTERS;
	while (number >= of_length) {
		number -= of_length;
		of_length *= LETTERS;
		length++;
	}
	for (size_t i = length; i > 0; i--, number /= LETTERS)
		text[i] = alphabet[number % LETTERS];
	return arena_copy(f.arena, (struct slice){text, 1 + length});
}

static int64_t draw_score(struct dice *dice, int64_t base, uint64_t spread)
{
	int64_t score = base + 1 + (int64_t)dice_roll(dice, spread);
	uint64_t kind = dice_roll(dice, 6);
	return kind == 0 ? 0 : kind == 1 ? -score : score;
}

// What the page has to be: of what is stored now, the first rows behind `place`.
static size_t model_page(const struct row *rows, const struct row *place, const char *search, size_t limit,
                         struct row *wanted)
{
	size_t count = 0;
	for (size_t i = 0; i < ROWS; i++) {
		bool is_behind = place == NULL || row_compare(&rows[i], place) > 0;
		if (rows[i].score > 0 && is_behind && row_has(&rows[i], search))
			wanted[count++] = rows[i];
	}
	qsort(wanted, count, sizeof(*wanted), row_compare);
	return count < limit ? count : limit;
}

static int64_t model_total(const struct row *rows)
{
	int64_t total = 0;
	for (size_t i = 0; i < ROWS; i++)
		total += rows[i].score > 0;
	return total;
}

// Adds, removes and re-scores rows, also the one that the cursor names.
static void disturb(struct dice *dice, struct row *rows, int64_t base, uint64_t spread)
{
	for (uint64_t times = dice_roll(dice, 40); times > 0; times--) {
		struct row *row = &rows[dice_roll(dice, ROWS)];
		if (row->steady)
			continue;
		row->score = draw_score(dice, base, spread);
		rows_store(row, 1);
	}
}

// Pages through to the end; how often each row was shown is counted.
static void page_through(struct dice *dice, struct row *rows, const char *search, int64_t base, uint64_t spread,
                         size_t *shown)
{
	static struct row wanted[ROWS];
	struct slice cursor = FROM_THE_START;
	struct row place, *behind = NULL;
	do {
		size_t limit = 1 + dice_roll(dice, dice_roll(dice, 2) ? 8 : 100);
		struct opt_out_page page = page_of(slice_of(search), cursor, limit);
		size_t count = model_page(rows, behind, search, limit, wanted);
		expect_rows(&page, wanted, count);
		cr_assert(page.total == model_total(rows));
		for (size_t i = 0; i < ROWS; i++) {
			for (size_t j = 0; j < count; j++)
				shown[i] += slice_equal(rows[i].recipient, wanted[j].recipient);
		}
		if (count > 0) {
			place = wanted[count - 1];
			behind = &place;
		}
		cursor = page.cursor;
		cr_assert(cursor.data != NULL || model_page(rows, behind, search, ROWS, wanted) == 0);
		disturb(dice, rows, base, spread);
	} while (cursor.data != NULL);
}

Test(pages, rows_that_stay_are_shown_once_whatever_the_others_do)
{
	static const int64_t bases[] = {0, 1732285840000, INT64_C(253402300000000)};
	static const uint64_t spreads[] = {1, 2, 10, 700000};
	static const char *const searches[] = {"", "", "a", "Ab", "zB", "bb"};
	struct dice dice = dice_new("pages");
	struct row rows[ROWS];
	for (size_t round = 0; round < ROUNDS; round++) {
		size_t shown[ROWS] = {0};
		int64_t base = bases[dice_roll(&dice, COUNT_OF(bases))];
		uint64_t spread = spreads[dice_roll(&dice, COUNT_OF(spreads))];
		const char *search = searches[dice_roll(&dice, COUNT_OF(searches))];
		list = arena_format(f.arena, "list%zu", round);
		for (size_t i = 0; i < ROWS; i++)
			rows[i] = (struct row){recipient_at(i), draw_score(&dice, base, spread), dice_roll(&dice, 2)};
		rows_store(rows, ROWS);
		page_through(&dice, rows, search, base, spread, shown);
		for (size_t i = 0; i < ROWS; i++) {
			bool belongs = rows[i].score > 0 && row_has(&rows[i], search);
			cr_assert(!rows[i].steady || shown[i] == belongs, "round %zu: %s shown %zu times", round,
			          rows[i].recipient.data, shown[i]);
		}
	}
}

Test(pages, a_row_that_has_gone_still_marks_its_place)
{
	static const int64_t fates[] = {0, -5, 900, 1};
	for (size_t i = 0; i < COUNT_OF(fates); i++) {
		list = arena_format(f.arena, "list%zu", i);
		out(SLICE("a"), 3);
		out(SLICE("b"), 5);
		out(SLICE("c"), 5);
		struct opt_out_page page = page_of(EVERYTHING, FROM_THE_START, 2);
		expect_rows(&page, (const struct row[]){{SLICE("c"), 5, 0}, {SLICE("b"), 5, 0}}, 2);
		out(SLICE("b"), fates[i]);
		page = page_of(EVERYTHING, page.cursor, 2);
		expect_rows(&page, (const struct row[]){{SLICE("a"), 3, 0}, {SLICE("b"), 1, 0}}, fates[i] == 1 ? 2 : 1);
	}
}

static bool is_refused(struct slice cursor)
{
	struct opt_out_page page;
	return optouts_list(f.store, f.arena, f.project, list, EVERYTHING, cursor, 10, &page) == RESULT_INVALID;
}

Test(pages, cursors_that_are_none_are_refused)
{
	static const struct slice texts[] = {
		TEXT(" "),     TEXT("5"),     TEXT("5 "),  TEXT(" a"),
		TEXT("a"),     TEXT("x a"),   TEXT("0 a"), TEXT("5.0 a"),
		TEXT("1e3 a"), TEXT("-5 a"),  TEXT("+5 a"), TEXT("inf a"),
		TEXT("\0 a"),  TEXT("9007199254740993 a"), TEXT("9223372036854775808 a"),
	};
	static const struct slice raw[] = {TEXT("!"), TEXT("NSBh="), TEXT("NSBh\n"),
	                                   TEXT("N"), TEXT(" NSBh"), TEXT("NSB+")};
	out(SLICE("a"), 5);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		cr_assert(is_refused(encode_base64url(f.arena, texts[i])), "%zu", i);
	for (size_t i = 0; i < COUNT_OF(raw); i++)
		cr_assert(is_refused(raw[i]), "%zu", i);
	struct opt_out_page page = page_of(EVERYTHING, encode_base64url(f.arena, SLICE("5 b")), 10);
	cr_assert(page.count == 1, "any place in the list will do");
	page = page_of(EVERYTHING, encode_base64url(f.arena, SLICE("9007199254740992 a")), 10);
	cr_assert(page.count == 1);
	page = page_of(EVERYTHING, encode_base64url(f.arena, SLICE("5 a")), 10);
	cr_assert(page.count == 0);
}

Test(pages, cursors_are_as_long_as_a_recipient_needs)
{
	char bytes[RECIPIENT_MAXIMUM];
	memset(bytes, 'x', sizeof(bytes));
	out((struct slice){bytes, sizeof(bytes)}, INT64_C(253402300799999));
	out((struct slice){bytes, sizeof(bytes) - 1}, INT64_C(253402300799999));
	struct opt_out_page page = page_of(EVERYTHING, FROM_THE_START, 1);
	cr_assert(page.rows[0].recipient.length == RECIPIENT_MAXIMUM);
	page = page_of(EVERYTHING, page.cursor, 1);
	cr_assert(page.count == 1 && page.rows[0].recipient.length == RECIPIENT_MAXIMUM - 1);
	char *far_too_long = arena_alloc(f.arena, 4096);
	memset(far_too_long, 'A', 4096);
	cr_assert(is_refused((struct slice){far_too_long, 4096}));
}

Test(pages, a_full_address_is_looked_up)
{
	const struct row jo = {SLICE("jo@example.com"), 5, true};
	out(jo.recipient, jo.score);
	out(SLICE("banjo@example.com"), 9);
	out(SLICE("in@example.com"), -9);
	struct opt_out_page page = page_of(SLICE("jo@example.com"), FROM_THE_START, 10);
	expect_rows(&page, &jo, 1);
	cr_assert(page.cursor.data == NULL && page.total == 2);
	page = page_of(SLICE("in@example.com"), FROM_THE_START, 10);
	cr_assert(page.count == 0 && page.cursor.data == NULL && page.total == 2);
}

Test(pages, a_part_is_found_in_either_case)
{
	static const struct {
		const char *search;
		size_t count;
	} cases[] = {
		{"example", 3}, {"EXAMPLE", 3}, {"jo@", 2},         {"@example.com", 2}, {"user-", 1},
		{"USER-7X", 1}, {".org", 1},    {"\xc3\xa9", 1},    {"nobody", 0},       {"jo@example.org.uk", 0},
		{"jo", 2},      {"o@e", 2},     {"banjo@examp", 1},
	};
	out(SLICE("jo@example.org"), 5);
	out(SLICE("banjo@example.com"), 9);
	out(SLICE("ren\xc3\xa9@example.com"), 9);
	out(SLICE("User-7X"), 2);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct opt_out_page page = page_of(slice_of(cases[i].search), FROM_THE_START, 10);
		cr_assert_eq(page.count, cases[i].count, "%s: %zu", cases[i].search, page.count);
		cr_assert(page.cursor.data == NULL && page.total == 4, "%s", cases[i].search);
	}
}

// More than a request looks at, and nearly all of it in two partitions.
#define LONGEST 3
#define LONGEST_ROWS 60000
#define LONG 7
#define LONG_ROWS 40000
#define OTHER_ROWS 3000
#define ALL_ROWS (LONGEST_ROWS + LONG_ROWS + OTHER_ROWS)
#define A_NEEDLE 200 // one row among so many is one

static size_t fill_unevenly(struct dice *dice, struct row *rows)
{
	size_t longest = LONGEST_ROWS, others = OTHER_ROWS, second = LONG_ROWS, count = 0;
	for (int i = 0; count < ALL_ROWS; i++) {
		bool is_needle = dice_roll(dice, A_NEEDLE) == 0;
		struct slice recipient = arena_format(f.arena, is_needle ? "a%d.Needle@x" : "a%d@example.com", i);
		int partition = partition_of(recipient);
		size_t *left = partition == LONGEST ? &longest : partition == LONG ? &second : &others;
		if (*left == 0)
			continue;
		(*left)--;
		rows[count++] = (struct row){recipient, 1 + (int64_t)dice_roll(dice, 5000), true};
	}
	rows_store(rows, count);
	qsort(rows, count, sizeof(*rows), row_compare);
	return count;
}

static size_t search_through(const char *search, size_t limit, const struct row *rows, size_t count, size_t *found)
{
	size_t pages = 0, next = 0;
	struct slice cursor = FROM_THE_START;
	*found = 0;
	do {
		struct opt_out_page page = page_of(slice_of(search), cursor, limit);
		cr_assert(page.total == (int64_t)count);
		for (size_t i = 0; i < page.count; i++) {
			while (next < count && !row_has(&rows[next], search))
				next++;
			cr_assert(next < count && slice_equal(page.rows[i].recipient, rows[next].recipient));
			next++;
		}
		*found += page.count;
		cursor = page.cursor;
		pages++;
	} while (cursor.data != NULL);
	return pages;
}

Test(pages, a_search_goes_on_from_page_to_page)
{
	static struct row rows[ALL_ROWS];
	struct dice dice = dice_new("searches");
	size_t count = fill_unevenly(&dice, rows), needles = 0, found, pages;
	for (size_t i = 0; i < count; i++)
		needles += row_has(&rows[i], "needle");
	cr_assert(ALL_ROWS > OPTOUTS_SEARCH_ROWS && needles > 100 && needles < 1000);
	pages = search_through("nothing like it", 10, rows, count, &found);
	cr_assert(pages == 2 && found == 0, "%zu pages", pages);
	pages = search_through("needle", 1000, rows, count, &found);
	cr_assert(pages == 2 && found == needles, "%zu pages, %zu found", pages, found);
	pages = search_through("NEEDLE@X", 20, rows, count, &found);
	cr_assert(found == needles && pages >= needles / 20, "%zu pages, %zu found", pages, found);
	search_through("@", 1000, rows, count, &found);
	cr_assert(found == count);
}

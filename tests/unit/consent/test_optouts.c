// Reading the opt-out list: may I send, how many are out. Pages of it: see test_pages.c.
#include "../../support/fixture.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

#define JO SLICE("jo@example.com")
#define TEXT(literal) {literal, sizeof(literal) - 1}

static const struct category offers = {.key = TEXT("offers"), .list = TEXT("offers"), .subscribed_by_default = true};
static const struct category opt_in = {.key = TEXT("opt_in"), .list = TEXT("opt_in")};
static const struct category topic = {
	.key = TEXT("mine"), .list = TEXT("customerio_topic_7"), .topic = TEXT("topic_7"),
	.subscribed_by_default = true};
static const struct category old = {
	.key = TEXT("old"), .list = TEXT("old"), .subscribed_by_default = true, .archived = true};
static const struct category receipts = {
	.key = TEXT("receipts"), .list = TEXT("receipts"), .type = CATEGORY_TRANSACTIONAL};

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(optouts, .init = set_up, .fini = tear_down, .timeout = 60);

// A score of 0 is no choice.
static void put(struct slice list, struct slice recipient, int64_t score)
{
	struct key_name key = partition_key(f.project, partition_of(recipient), "optouts:", list);
	if (score == 0)
		fixture_command(&f, ARGUMENTS(SLICE("ZREM"), key_slice(&key), recipient));
	else
		fixture_command(&f, ARGUMENTS(SLICE("ZADD"), key_slice(&key),
		                              arena_format(f.arena, "%lld", (long long)score), recipient));
}

static struct check check(const struct category *category, struct slice recipient)
{
	struct check answer = {.allowed = true, .since_ms = -1};
	cr_assert(optouts_check(f.store, f.arena, f.project, category, &recipient, 1, &answer) == RESULT_OK);
	return answer;
}

// Complaint before all marketing before the category itself.
static const struct {
	const struct category *category;
	int64_t complaint, all, own; // scores; own is not put for $all and $complaint
	struct check wanted;
} check_cases[] = {
	{&offers, 0, 0, 0, {true, CHECK_SUBSCRIBED, 0}},
	{&offers, -5, -6, -7, {true, CHECK_SUBSCRIBED, 7}},
	{&offers, -5, -6, 0, {true, CHECK_SUBSCRIBED, 0}},
	{&offers, 0, 0, 7, {false, CHECK_OPTED_OUT_CATEGORY, 7}},
	{&offers, 0, -9, 7, {false, CHECK_OPTED_OUT_CATEGORY, 7}},
	{&offers, 0, 6, 0, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&offers, 0, 6, -9, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&offers, 0, 6, 7, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&offers, 5, 0, 0, {false, CHECK_COMPLAINT, 5}},
	{&offers, 5, 6, 7, {false, CHECK_COMPLAINT, 5}},
	{&offers, 5, -8, -9, {false, CHECK_COMPLAINT, 5}},
	{&opt_in, 0, 0, 0, {false, CHECK_NOT_OPTED_IN, 0}},
	{&opt_in, -5, -6, 0, {false, CHECK_NOT_OPTED_IN, 0}},
	{&opt_in, 0, 0, -1, {true, CHECK_SUBSCRIBED, 1}},
	{&opt_in, 0, 0, 1, {false, CHECK_OPTED_OUT_CATEGORY, 1}},
	{&opt_in, 0, 6, -9, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&opt_in, 0, 6, 0, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&opt_in, 5, 6, -9, {false, CHECK_COMPLAINT, 5}},
	{&topic, 0, 0, 0, {true, CHECK_SUBSCRIBED, 0}},
	{&topic, 0, 0, 7, {false, CHECK_OPTED_OUT_CATEGORY, 7}},
	{&topic, 0, 6, 0, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&old, 0, 0, 7, {false, CHECK_OPTED_OUT_CATEGORY, 7}},
	{&old, 0, 6, 0, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&receipts, 0, 0, 0, {true, CHECK_TRANSACTIONAL, 0}},
	{&receipts, -5, 6, 7, {true, CHECK_TRANSACTIONAL, 0}},
	{&receipts, 5, 0, 0, {false, CHECK_COMPLAINT, 5}},
	{&receipts, 5, -6, -7, {false, CHECK_COMPLAINT, 5}},
	{&category_all, 0, 0, 0, {true, CHECK_SUBSCRIBED, 0}},
	{&category_all, 0, -6, 0, {true, CHECK_SUBSCRIBED, 6}},
	{&category_all, 0, 6, 0, {false, CHECK_OPTED_OUT_ALL, 6}},
	{&category_all, 5, -6, 0, {false, CHECK_COMPLAINT, 5}},
	{&category_complaint, 0, 0, 0, {true, CHECK_SUBSCRIBED, 0}},
	{&category_complaint, 0, 6, 0, {true, CHECK_SUBSCRIBED, 0}},
	{&category_complaint, -5, 6, 0, {true, CHECK_SUBSCRIBED, 5}},
	{&category_complaint, 5, -6, 0, {false, CHECK_COMPLAINT, 5}},
};

Test(optouts, check_reasons)
{
	for (size_t i = 0; i < COUNT_OF(check_cases); i++) {
		const struct check *wanted = &check_cases[i].wanted;
		bool has_own = check_cases[i].category->type <= CATEGORY_TRANSACTIONAL;
		put(SLICE("$complaint"), JO, check_cases[i].complaint);
		put(SLICE("$all"), JO, check_cases[i].all);
		if (has_own)
			put(check_cases[i].category->list, JO, check_cases[i].own);
		struct check answer = check(check_cases[i].category, JO);
		cr_assert_eq(answer.allowed, wanted->allowed, "case %zu", i);
		cr_assert_eq(answer.reason, wanted->reason, "case %zu: %s", i, check_reason_name(answer.reason));
		cr_assert_eq(answer.since_ms, wanted->since_ms, "case %zu: %lld", i, (long long)answer.since_ms);
	}
}

Test(optouts, reasons_have_names)
{
	static const char *const names[] = {"subscribed",    "transactional",      "complaint",
	                                    "opted_out_all", "opted_out_category", "not_opted_in"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		cr_assert_str_eq(check_reason_name((enum check_reason)i), names[i]);
}

Test(optouts, one_recipient_or_project_says_nothing_about_another)
{
	struct slice project = f.project;
	put(offers.list, JO, 7);
	cr_assert(!check(&offers, JO).allowed);
	cr_assert(check(&offers, SLICE("jo@example.co")).allowed);
	cr_assert(check(&topic, JO).allowed);
	f.project = fixture_slug(f.arena);
	cr_assert(check(&offers, JO).allowed);
	f.project = project;
}

// As many as one request may ask for, some of them several times, in every partition.
#define MANY 10000
Test(optouts, many_at_once_get_the_answers_that_each_gets_alone)
{
	static struct slice recipients[MANY];
	static struct check checks[MANY];
	struct dice dice = dice_new("optouts");
	size_t reasons[CHECK_NOT_OPTED_IN + 1] = {0}, partitions[PROJECT_PARTITIONS] = {0};
	const struct slice lists[] = {SLICE("$complaint"), SLICE("$all"), opt_in.list};
	for (size_t i = 0; i < MANY; i++) {
		recipients[i] = arena_format(f.arena, "r%d@example.com", (int)dice_roll(&dice, MANY / 2));
		partitions[partition_of(recipients[i])]++;
		for (size_t list = 0; list < COUNT_OF(lists); list++) {
			int64_t at = 1 + (int64_t)dice_roll(&dice, 1000);
			put(lists[list], recipients[i], dice_roll(&dice, 3) == 0 ? at : dice_roll(&dice, 2) ? -at : 0);
		}
	}
	cr_assert(optouts_check(f.store, f.arena, f.project, &opt_in, recipients, MANY, checks) == RESULT_OK);
	for (size_t i = 0; i < MANY; i++) {
		struct check alone = check(&opt_in, recipients[i]);
		cr_assert(checks[i].allowed == alone.allowed && checks[i].reason == alone.reason &&
		                  checks[i].since_ms == alone.since_ms,
		          "%zu: %s", i, recipients[i].data);
		reasons[alone.reason]++;
	}
	cr_assert(reasons[CHECK_SUBSCRIBED] && reasons[CHECK_COMPLAINT] && reasons[CHECK_OPTED_OUT_ALL] &&
	          reasons[CHECK_OPTED_OUT_CATEGORY] && reasons[CHECK_NOT_OPTED_IN]);
	for (int p = 0; p < PROJECT_PARTITIONS; p++)
		cr_assert(partitions[p] > 0);
}

Test(optouts, nobody_to_check_is_fine)
{
	cr_assert(optouts_check(f.store, f.arena, f.project, &offers, NULL, 0, NULL) == RESULT_OK);
}

Test(optouts, counts_who_is_out)
{
	const struct slice lists[] = {offers.list, SLICE("$all"), topic.list, SLICE("nothing")};
	int64_t counts[COUNT_OF(lists)];
	for (int i = 0; i < 300; i++) {
		struct slice recipient = arena_format(f.arena, "r%d@example.com", i);
		put(offers.list, recipient, i % 3 == 0 ? -1000 - i : 1000 + i);
		put(SLICE("$all"), recipient, -1);
		if (i < 7)
			put(topic.list, recipient, 1);
	}
	cr_assert(optouts_count(f.store, f.arena, f.project, lists, COUNT_OF(lists), counts) == RESULT_OK);
	cr_assert(counts[0] == 200 && counts[1] == 0 && counts[2] == 7 && counts[3] == 0);
	cr_assert(optouts_count(f.store, f.arena, f.project, NULL, 0, NULL) == RESULT_OK);
}

Test(optouts, choices_of_one_recipient)
{
	const struct slice lists[] = {offers.list, topic.list, opt_in.list};
	int64_t scores[COUNT_OF(lists)] = {9, 9, 9};
	int64_t late = INT64_C(253402300799999); // the end of 9999
	put(offers.list, JO, late);
	put(opt_in.list, JO, -late);
	put(topic.list, SLICE("ann@example.com"), 5);
	cr_assert(optouts_choices_of(f.store, f.arena, f.project, JO, lists, COUNT_OF(lists), scores) == RESULT_OK);
	cr_assert(scores[0] == late && scores[1] == 0 && scores[2] == -late);
}

// "Yes" is never the answer for want of a better one.
Test(optouts, without_a_store_there_is_no_answer)
{
	struct store *nobody;
	const char *reason;
	struct slice recipients[] = {JO, SLICE("ann@example.com")}, list = offers.list, nothing = SLICE("");
	struct check checks[2] = {{false, CHECK_COMPLAINT, 1}, {false, CHECK_COMPLAINT, 1}};
	struct opt_out_page page;
	int64_t number;
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &nobody, &reason) == RESULT_OK);
	cr_assert(optouts_check(nobody, f.arena, f.project, &offers, recipients, 2, checks) == RESULT_UNAVAILABLE);
	cr_assert(!checks[0].allowed && !checks[1].allowed);
	cr_assert(optouts_count(nobody, f.arena, f.project, &list, 1, &number) == RESULT_UNAVAILABLE);
	cr_assert(optouts_choices_of(nobody, f.arena, f.project, JO, &list, 1, &number) == RESULT_UNAVAILABLE);
	cr_assert(optouts_list(nobody, f.arena, f.project, list, nothing, nothing, 10, &page) == RESULT_UNAVAILABLE);
	store_free(nobody);
}

Test(optouts, a_list_that_is_no_list_gives_no_answer)
{
	struct key_name key = partition_key(f.project, partition_of(JO), "optouts:", offers.list);
	struct slice recipient = JO;
	struct check answer = {.allowed = false};
	fixture_command(&f, ARGUMENTS(SLICE("SET"), key_slice(&key), SLICE("x")));
	cr_assert(optouts_check(f.store, f.arena, f.project, &offers, &recipient, 1, &answer) == RESULT_UNAVAILABLE);
	cr_assert(!answer.allowed);
}

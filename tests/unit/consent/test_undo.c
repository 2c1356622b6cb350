// Undoing imports: random histories of several imports, webhooks and direct acts through the real Redis, against a
// model that keeps, for each choice, what every import led from and to. CIOBRIDGE_TEST_SEED repeats a run.
#include "../../support/fixture.h"
#include "../../support/sums.h"
#include "base/clock.h"
#include "consent/audit.h"
#include "consent/choice.h"
#include "consent/import.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}
#define BASE_MS INT64_C(1700000000000)
#define HISTORIES 60
#define STEPS 60
#define PAGE_MAXIMUM 8
#define RECIPIENTS 3
#define CATEGORIES 4
#define TOLD 2 // so many of them, the first, Customer.io knows
#define PAIRS (RECIPIENTS * CATEGORIES)
#define IMPORTS 3
#define EDGES_MAXIMUM (STEPS * PAGE_MAXIMUM)

// In the order of their lists' names, as a run takes them.
static const struct category categories[CATEGORIES] = {
	{.key = TEXT("$all"), .list = TEXT("$all"), .type = CATEGORY_GLOBAL, .subscribed_by_default = true},
	{.key = TEXT("customerio_topic_7"),
         .list = TEXT("customerio_topic_7"),
         .topic = TEXT("topic_7"),
         .subscribed_by_default = true},
	{.key = TEXT("offers"), .list = TEXT("offers"), .subscribed_by_default = true},
	{.key = TEXT("opt_in"), .list = TEXT("opt_in"), .subscribed_by_default = false},
};

static struct fixture f;
static void set_up(void)
{
	bool created;
	struct category opt_in = categories[3];
	f = fixture_open();
	cr_assert(project_put(f.store, f.arena, f.project, SLICE(""), &created) == RESULT_OK);
	cr_assert(category_save(f.store, f.arena, f.project, &opt_in) == RESULT_OK);
}
static void tear_down(void)
{
	struct slice pattern = arena_format(f.arena, "%.*s ", (int)f.project.length, f.project.data);
	const struct reply *queue =
		fixture_command(&f, ARGUMENTS(SLICE("LRANGE"), SLICE(IMPORT_UNDO_QUEUE), SLICE("0"), SLICE("-1")));
	for (size_t i = 0; i < reply_count(queue); i++) {
		struct slice waiting = reply_text(reply_at(queue, i));
		if (slice_starts_with(waiting, pattern))
			fixture_command(&f, ARGUMENTS(SLICE("LREM"), SLICE(IMPORT_UNDO_QUEUE), SLICE("0"), waiting));
	}
	fixture_close(&f);
}
TestSuite(undo, .init = set_up, .fini = tear_down, .timeout = 300);

static struct slice start_import(void)
{
	struct slice id = import_new_id(f.arena, clock_now_ms());
	cr_assert(import_start(f.store, f.arena, f.project, id, "csv", clock_now_ms()) == RESULT_OK);
	return id;
}

static struct choice_origin origin_of(struct slice import, int64_t page)
{
	return (struct choice_origin){.act = ACT_DATED,
	                              .source = SLICE("csv"),
	                              .reference = import,
	                              .import = import,
	                              .page = page};
}

static enum choice_outcome record_one(const struct choice_origin *origin, struct slice recipient, int category,
                                      enum choice_value value, int64_t made_at_ms)
{
	struct choice choice = {recipient, &categories[category], value, made_at_ms};
	enum choice_outcome outcome;
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, origin, &choice, 1, &outcome) == RESULT_OK);
	return outcome;
}

static int64_t score_of(struct slice recipient, int category)
{
	int64_t score = 0;
	cr_assert(optouts_choices_of(f.store, f.arena, f.project, recipient, &categories[category].list, 1, &score) ==
	          RESULT_OK);
	return score;
}

static void ask(struct slice import)
{
	cr_assert(import_ask_undo(f.store, f.arena, f.project, import) == RESULT_OK);
}

static enum result undo(struct slice import)
{
	return import_undo(f.store, f.arena, f.project, import, clock_now_ms(), NULL, NULL);
}

static int64_t in_partition(struct slice recipient, const char *command, const char *suffix, struct slice rest)
{
	struct key_name key = partition_key(f.project, partition_of(recipient), suffix, rest);
	return reply_integer(fixture_command(&f, ARGUMENTS(slice_of(command), key_slice(&key))));
}

// The model.

struct edge {
	int import;
	int64_t led_to, was;
	bool known; // to the audit, or remembered
};

struct pair {
	int64_t score;
	struct edge edges[EDGES_MAXIMUM];
	size_t count;
};

struct model {
	struct slice recipients[RECIPIENTS], imports[IMPORTS];
	bool fenced[IMPORTS], told[RECIPIENTS];
	int64_t low[IMPORTS][PROJECT_PARTITIONS], high[IMPORTS][PROJECT_PARTITIONS];
	struct pair pairs[PAIRS];
};

struct draw {
	int pair;
	enum choice_value value;
	int64_t made_at_ms;
	size_t index;
};

static bool is_out(int pair, int64_t score)
{
	return score > 0 || (score == 0 && !categories[pair % CATEGORIES].subscribed_by_default);
}

static bool model_wins(int64_t score, int64_t old)
{
	return llabs(score) > llabs(old) || (llabs(score) == llabs(old) && score > old);
}

static void model_note(struct model *m, int import, int number, int64_t score, bool effective)
{
	struct pair *pair = &m->pairs[number];
	int partition = partition_of(m->recipients[number / CATEGORIES]);
	int64_t *low = &m->low[import][partition], *high = &m->high[import][partition];
	bool own = *low > 0 && pair->score >= *low && pair->score <= *high;
	bool known = effective || score < 0 || own;
	pair->edges[pair->count++] = (struct edge){import, score, pair->score, known};
	if (known && score > 0) {
		*low = *low == 0 || score < *low ? score : *low;
		*high = score > *high ? score : *high;
	}
}

static enum choice_outcome model_record(struct model *m, int import, const struct draw *draw)
{
	struct pair *pair = &m->pairs[draw->pair];
	int64_t score = draw->value == CHOICE_OUT ? draw->made_at_ms : -draw->made_at_ms;
	if (import >= 0 && m->fenced[import])
		return CHOICE_SKIPPED;
	if (!model_wins(score, pair->score))
		return CHOICE_UNCHANGED;
	bool effective = is_out(draw->pair, score) != is_out(draw->pair, pair->score);
	if (import >= 0)
		model_note(m, import, draw->pair, score, effective);
	pair->score = score;
	return effective ? CHOICE_CHANGED : CHOICE_UNCHANGED;
}

static struct edge *model_edge(struct pair *pair, int import)
{
	for (size_t i = 0; i < pair->count; i++) {
		struct edge *edge = &pair->edges[i];
		if (edge->import == import && edge->known && edge->led_to == pair->score && pair->score != 0)
			return edge;
	}
	return NULL;
}

static void model_undo(struct model *m, int import)
{
	for (int p = 0; p < PAIRS; p++) {
		struct pair *pair = &m->pairs[p];
		for (struct edge *edge = model_edge(pair, import); edge != NULL; edge = model_edge(pair, import)) {
			if (is_out(p, pair->score) != is_out(p, edge->was) && p % CATEGORIES < TOLD)
				m->told[p / CATEGORIES] = true;
			pair->score = edge->was;
		}
	}
}

static void expect_model(const struct model *m, const char *when)
{
	for (int p = 0; p < PAIRS; p++) {
		int64_t score = score_of(m->recipients[p / CATEGORIES], p % CATEGORIES);
		cr_assert_eq(score, m->pairs[p].score, "%s, pair %d: %lld, expected %lld", when, p, (long long)score,
		             (long long)m->pairs[p].score);
	}
	expect_sums(&f);
}

// A history.

static struct draw draw_choice(struct dice *dice, bool whole_second)
{
	struct draw draw = {.pair = (int)dice_roll(dice, PAIRS), .value = dice_roll(dice, 2) ? CHOICE_OUT : CHOICE_IN};
	draw.made_at_ms = BASE_MS + (int64_t)dice_roll(dice, 12);
	if (whole_second)
		draw.made_at_ms = choice_second_ms(BASE_MS / 1000 - 1 + (int64_t)dice_roll(dice, 3), draw.value);
	if (!whole_second && draw.value == CHOICE_IN && dice_roll(dice, 4) == 0)
		draw.made_at_ms = CHOICE_WEAKEST_MS;
	return draw;
}

static const struct model *sorted_model; // for draw_compare

// The order in which a page is recorded: partition by partition, list by list.
static int draw_compare(const void *a, const void *b)
{
	const struct draw *first = a, *second = b;
	int order = partition_of(sorted_model->recipients[first->pair / CATEGORIES]) -
	            partition_of(sorted_model->recipients[second->pair / CATEGORIES]);
	if (order == 0)
		order = first->pair % CATEGORIES - second->pair % CATEGORIES;
	return order != 0 ? order : (first->index > second->index) - (first->index < second->index);
}

static void record_page(struct model *m, struct dice *dice, int64_t page)
{
	struct draw draws[PAGE_MAXIMUM];
	struct choice choices[PAGE_MAXIMUM];
	enum choice_outcome outcomes[PAGE_MAXIMUM];
	size_t count = 1 + dice_roll(dice, PAGE_MAXIMUM);
	int import = (int)dice_roll(dice, IMPORTS + 1) - 1; // -1: a webhook
	struct choice_origin webhook = {.act = ACT_REPORT, .source = SLICE("webhook")};
	struct choice_origin origin = import < 0 ? webhook : origin_of(m->imports[import], page);
	for (size_t i = 0; i < count; i++) {
		draws[i] = draw_choice(dice, import < 0);
		draws[i].index = i;
		choices[i] = (struct choice){m->recipients[draws[i].pair / CATEGORIES],
		                             &categories[draws[i].pair % CATEGORIES], draws[i].value,
		                             draws[i].made_at_ms};
	}
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, choices, count, outcomes) == RESULT_OK);
	sorted_model = m;
	qsort(draws, count, sizeof(*draws), draw_compare);
	for (size_t i = 0; i < count; i++) {
		enum choice_outcome expected = model_record(m, import, &draws[i]);
		cr_assert_eq(outcomes[draws[i].index], expected, "%c instead of %c", outcomes[draws[i].index],
		             expected);
	}
}

// Direct acts are made now, which is far behind all that imports say: few, or nothing would be left to undo.
static void act_directly(struct model *m, struct dice *dice)
{
	int pair = (int)dice_roll(dice, PAIRS);
	struct slice recipient = m->recipients[pair / CATEGORIES];
	struct choice_origin origin = {.act = ACT_DIRECT, .source = SLICE("api")};
	enum choice_value value = dice_roll(dice, 2) ? CHOICE_OUT : CHOICE_IN;
	record_one(&origin, recipient, pair % CATEGORIES, value, 0);
	m->pairs[pair].score = score_of(recipient, pair % CATEGORIES);
	cr_assert((m->pairs[pair].score > 0) == (value == CHOICE_OUT));
}

static void model_begin(struct model *m, int number)
{
	memset(m, 0, sizeof(*m));
	for (int r = 0; r < RECIPIENTS; r++)
		m->recipients[r] = arena_format(f.arena, "u%d.%d@example.com", number, r);
	for (int i = 0; i < IMPORTS; i++)
		m->imports[i] = start_import();
}

static void live_on(struct model *m, struct dice *dice, int64_t *page)
{
	for (int step = 0; step < STEPS / IMPORTS; step++) {
		if (dice_roll(dice, 20) == 0)
			act_directly(m, dice);
		else
			record_page(m, dice, ++*page);
	}
}

static void expect_told(const struct model *m)
{
	for (int r = 0; r < RECIPIENTS; r++) {
		struct key_name key = partition_key(f.project, partition_of(m->recipients[r]), "sendback", SLICE(""));
		const struct reply *due =
			fixture_command(&f, ARGUMENTS(SLICE("ZSCORE"), key_slice(&key), m->recipients[r]));
		cr_assert_eq(!reply_is_null(due), m->told[r], "recipient %d", r);
	}
}

Test(undo, takes_back_what_the_import_wrote_and_nothing_else)
{
	struct dice dice = dice_new("undo");
	struct model *m = malloc(sizeof(*m));
	for (int h = 0; h < HISTORIES; h++) {
		int64_t page = 0;
		model_begin(m, h);
		live_on(m, &dice, &page);
		for (int turn = 0; turn < IMPORTS; turn++) {
			int import = (turn + h) % IMPORTS;
			ask(m->imports[import]);
			m->fenced[import] = true;
			cr_assert(undo(m->imports[import]) == RESULT_OK);
			model_undo(m, import);
			expect_model(m, "after an undo");
			cr_assert(undo(m->imports[import]) == RESULT_OK);
			expect_model(m, "after a second undo");
			cr_assert(import_ask_undo(f.store, f.arena, f.project, m->imports[import]) == RESULT_CONFLICT);
			live_on(m, &dice, &page);
			expect_model(m, "living on");
		}
		expect_told(m);
	}
	free(m);
}

#define JO SLICE("jo@example.com")
#define OFFERS 2
#define OPT_IN 3

Test(undo, an_import_that_nobody_asked_for_is_not_found)
{
	struct slice id = import_new_id(f.arena, clock_now_ms());
	cr_assert(import_ask_undo(f.store, f.arena, f.project, id) == RESULT_NOT_FOUND);
	cr_assert(undo(id) == RESULT_NOT_FOUND);
}

Test(undo, where_there_was_no_choice_there_is_none_again)
{
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 1);
	struct audit_entry *entries;
	size_t count;
	bool complete;
	record_one(&origin, JO, OFFERS, CHOICE_OUT, BASE_MS);
	ask(id);
	cr_assert(undo(id) == RESULT_OK);
	cr_assert(score_of(JO, OFFERS) == 0);
	cr_assert(audit_history(f.store, f.arena, f.project, JO, &entries, &count, &complete) == RESULT_OK);
	cr_assert(count == 2 && entries[0].old_score == BASE_MS && entries[0].new_score == 0);
	cr_assert(slice_equal(entries[0].source, SLICE("undo")) && slice_equal(entries[0].reference, id));
	cr_assert(slice_equal(entries[0].category, SLICE("offers")) && slice_equal(entries[0].recipient, JO));
	cr_assert(in_partition(JO, "ZCARD", "sendback", SLICE("")) == 0, "Customer.io does not know this category");
}

// A mirror that only says again that somebody is in makes that newer. Gone back, an older `out` that comes late counts.
Test(undo, a_silent_raise_does_not_outlive_the_import)
{
	struct choice_origin webhook = {.act = ACT_REPORT, .source = SLICE("webhook")};
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 1);
	cr_assert(record_one(&webhook, JO, OFFERS, CHOICE_IN, BASE_MS) == CHOICE_UNCHANGED);
	cr_assert(record_one(&origin, JO, OFFERS, CHOICE_IN, BASE_MS + 9000) == CHOICE_UNCHANGED);
	origin.page = 2;
	cr_assert(record_one(&origin, JO, OFFERS, CHOICE_IN, BASE_MS + 9001) == CHOICE_UNCHANGED);
	cr_assert(in_partition(JO, "HLEN", "raised:", id) == 1, "one raise after the other is one");
	cr_assert(score_of(JO, OFFERS) == -BASE_MS - 9001);
	ask(id);
	cr_assert(undo(id) == RESULT_OK);
	cr_assert(score_of(JO, OFFERS) == -BASE_MS);
	cr_assert(record_one(&webhook, JO, OFFERS, CHOICE_OUT, BASE_MS + 5000) == CHOICE_CHANGED);
	cr_assert(in_partition(JO, "EXISTS", "raised:", id) == 0);
	expect_sums(&f);
}

// The same file sent again under the same id says the same, later.
Test(undo, an_import_that_raised_its_own_choice_is_still_its_own)
{
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 0);
	for (int i = 0; i < 4; i++)
		record_one(&origin, JO, OFFERS, CHOICE_OUT, BASE_MS + i);
	cr_assert(in_partition(JO, "HLEN", "raised:", id) == 1);
	ask(id);
	cr_assert(undo(id) == RESULT_OK);
	cr_assert(score_of(JO, OFFERS) == 0);
	expect_sums(&f);
}

Test(undo, an_out_of_others_that_was_only_confirmed_stays_and_costs_no_memory)
{
	struct choice_origin webhook = {.act = ACT_REPORT, .source = SLICE("webhook")};
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 1);
	record_one(&webhook, JO, OFFERS, CHOICE_OUT, BASE_MS);
	record_one(&origin, JO, OFFERS, CHOICE_OUT, BASE_MS + 1);
	cr_assert(in_partition(JO, "EXISTS", "raised:", id) == 0);
	ask(id);
	cr_assert(undo(id) == RESULT_OK);
	cr_assert(score_of(JO, OFFERS) == BASE_MS + 1);
}

Test(undo, pages_that_come_later_are_refused_everywhere)
{
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 1);
	ask(id);
	for (int i = 0; i < 8 * PROJECT_PARTITIONS; i++) {
		struct slice recipient = arena_format(f.arena, "late%d@example.com", i);
		origin.page = i % 2;
		cr_assert(record_one(&origin, recipient, OFFERS, CHOICE_OUT, BASE_MS) == CHOICE_SKIPPED);
		cr_assert(score_of(recipient, OFFERS) == 0);
	}
}

Test(undo, a_category_that_is_not_subscribed_by_default_goes_back_to_that)
{
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 1);
	cr_assert(record_one(&origin, JO, OPT_IN, CHOICE_IN, CHOICE_WEAKEST_MS) == CHOICE_CHANGED);
	ask(id);
	cr_assert(undo(id) == RESULT_OK);
	struct check check;
	cr_assert(optouts_check(f.store, f.arena, f.project, &categories[OPT_IN], &JO, 1, &check) == RESULT_OK);
	cr_assert(!check.allowed && check.reason == CHECK_NOT_OPTED_IN);
	expect_sums(&f);
}

// Many: more than a script takes and more than a look sees, in one partition, with others' entries among them.

#define MANY 6001
#define BATCH 1000

static struct slice many[MANY];

static void find_many(void)
{
	for (size_t found = 0, i = 0; found < MANY; i++) {
		struct slice recipient = arena_format(f.arena, "m%zu@example.com", i);
		if (partition_of(recipient) == partition_of(JO))
			many[found++] = recipient;
	}
}

static void record_many(struct choice_origin origin, enum choice_value value, size_t every, int64_t made_at_ms)
{
	struct choice *choices = arena_array(f.arena, MANY, sizeof(*choices));
	enum choice_outcome *outcomes = arena_array(f.arena, MANY, sizeof(*outcomes));
	size_t count = 0;
	for (size_t i = 0; i < MANY; i += every)
		choices[count++] = (struct choice){many[i], &categories[i % OPT_IN], value, made_at_ms};
	for (size_t from = 0; from < count; from += BATCH) {
		size_t n = count - from < BATCH ? count - from : BATCH;
		cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, choices + from, n, outcomes) ==
		          RESULT_OK);
	}
}

// An import of many outs, some of which are newer in the meantime, and of many raises of those who are in.
static struct slice import_many(void)
{
	struct choice_origin webhook = {.act = ACT_REPORT, .source = SLICE("webhook")};
	struct slice id = start_import();
	find_many();
	record_many(origin_of(id, 0), CHOICE_OUT, 1, BASE_MS);
	record_many(webhook, CHOICE_IN, 3, BASE_MS + 1000);
	record_many(webhook, CHOICE_OUT, 9, BASE_MS + 2000);
	record_many(origin_of(id, 0), CHOICE_IN, 3, BASE_MS + 1500);
	return id;
}

static void expect_many(size_t upto)
{
	for (size_t i = 0; i < upto; i++) {
		int64_t expected = i % 9 == 0 ? BASE_MS + 2000 : i % 3 == 0 ? -BASE_MS - 1000 : 0;
		int64_t score = score_of(many[i], (int)(i % OPT_IN));
		cr_assert_eq(score, expected, "%zu: %lld, expected %lld", i, (long long)score, (long long)expected);
	}
}

struct interruption {
	int after; // so many steps
};

static enum result interrupt(void *context)
{
	struct interruption *interruption = context;
	return interruption->after-- > 0 ? RESULT_OK : RESULT_STOP;
}

Test(undo, interrupted_after_any_step_it_goes_on)
{
	struct slice id = import_many();
	ask(id);
	enum result result = RESULT_STOP;
	int times = 0;
	for (; result == RESULT_STOP; times++) {
		struct interruption interruption = {times % 50};
		result = import_undo(f.store, f.arena, f.project, id, clock_now_ms(), interrupt, &interruption);
		expect_sums(&f);
	}
	cr_assert(result == RESULT_OK && times > PROJECT_PARTITIONS);
	expect_many(MANY);
	cr_assert(in_partition(JO, "EXISTS", "raised:", id) == 0);
}

// A choice that happens to be the import's, made after it was undone, is somebody's own.
Test(undo, what_is_undone_is_not_looked_at_again)
{
	struct choice_origin webhook = {.act = ACT_REPORT, .source = SLICE("webhook")};
	struct slice id = start_import();
	struct choice_origin origin = origin_of(id, 1);
	record_one(&origin, JO, OFFERS, CHOICE_OUT, BASE_MS);
	ask(id);
	for (int after = 0; score_of(JO, OFFERS) != 0; after++) {
		struct interruption interruption = {after};
		cr_assert(import_undo(f.store, f.arena, f.project, id, clock_now_ms(), interrupt, &interruption) ==
		          RESULT_STOP);
	}
	cr_assert(record_one(&webhook, JO, OFFERS, CHOICE_OUT, BASE_MS) == CHOICE_CHANGED);
	cr_assert(undo(id) == RESULT_OK);
	cr_assert(score_of(JO, OFFERS) == BASE_MS);
}

Test(undo, done_by_several_at_once_it_is_done_once)
{
	struct slice id = import_many();
	pid_t workers[3];
	ask(id);
	for (size_t w = 0; w < COUNT_OF(workers); w++) {
		workers[w] = fork();
		cr_assert(workers[w] >= 0);
		if (workers[w] == 0)
			_exit(import_undo(fixture_store(), f.arena, f.project, id, clock_now_ms(), NULL, NULL));
	}
	for (size_t w = 0; w < COUNT_OF(workers); w++) {
		int status = -1;
		cr_assert(waitpid(workers[w], &status, 0) == workers[w]);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == RESULT_OK);
	}
	expect_many(MANY);
	expect_sums(&f);
	struct key_name hash = partition_key(f.project, partition_of(JO), "import:", id);
	int64_t undone =
		reply_integer(fixture_command(&f, ARGUMENTS(SLICE("HGET"), key_slice(&hash), SLICE("undone"))));
	cr_assert_eq(undone, MANY - (MANY + 8) / 9, "%lld", (long long)undone);
}

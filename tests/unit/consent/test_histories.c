// Order does not matter: random histories through the real Redis, against a model that knows only the sentence "the
// newest choice wins, and of one time out wins". CIOBRIDGE_TEST_SEED repeats a run, CIOBRIDGE_TEST_HISTORIES says how
// many there are.
#include "../../support/fixture.h"
#include "../../support/sums.h"
#include "consent/audit.h"
#include "consent/choice.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HISTORIES 10000
#define BLOCK 250 // histories that are written at once
#define WRITERS 3
#define CHOICES_MAXIMUM 12
#define RECIPIENTS 2
#define CATEGORIES 3
#define STATES (RECIPIENTS * CATEGORIES)
#define TEXT(literal) {literal, sizeof(literal) - 1}

static const struct category categories[CATEGORIES] = {
	{.key = TEXT("$all"), .list = TEXT("$all"), .type = CATEGORY_GLOBAL, .subscribed_by_default = true},
	{.key = TEXT("offers"), .list = TEXT("offers"), .subscribed_by_default = true},
	{.key = TEXT("opt_in"), .list = TEXT("opt_in"), .subscribed_by_default = false},
};
static struct category live_items[CATEGORIES - 1];
static struct category_list live = {.items = live_items, .count = CATEGORIES - 1};

struct step {
	int state; // recipient * CATEGORIES + category
	enum choice_value value;
	int64_t made_at_ms;
};

struct history {
	struct step steps[CHOICES_MAXIMUM];
	size_t count;
	struct slice recipients[RECIPIENTS];
};

static size_t histories_wanted(void)
{
	const char *given = getenv("CIOBRIDGE_TEST_HISTORIES");
	int64_t count = HISTORIES;
	if (given != NULL)
		cr_assert(slice_to_integer(slice_of(given), 1, 10000000, &count));
	return (size_t)count;
}

static int64_t redis_now(struct fixture *f)
{
	int64_t ms = 0;
	cr_assert(store_time_ms(f->store, f->arena, &ms) == RESULT_OK);
	return ms;
}

// Times from a small range, so that ties are common; some whole seconds; some minutes ahead.
static struct step step_draw(struct dice *dice, int64_t base_ms)
{
	struct step step = {.state = (int)dice_roll(dice, STATES),
	                    .value = dice_roll(dice, 2) ? CHOICE_OUT : CHOICE_IN};
	switch (dice_roll(dice, 4)) {
	case 0:
		step.made_at_ms = choice_second_ms(base_ms / 1000 + (int64_t)dice_roll(dice, 3), step.value);
		break;
	case 1:
		step.made_at_ms = CHOICE_WEAKEST_MS + (int64_t)dice_roll(dice, 2);
		break;
	case 2:
		step.made_at_ms = base_ms + CHOICE_FUTURE_MS / 2 + (int64_t)dice_roll(dice, 3);
		break;
	default:
		step.made_at_ms = base_ms - 5 + (int64_t)dice_roll(dice, 4);
	}
	return step;
}

static void history_draw(struct fixture *f, struct dice *dice, size_t number, int64_t base_ms, struct history *history)
{
	history->count = 1 + dice_roll(dice, CHOICES_MAXIMUM);
	for (size_t i = 0; i < history->count; i++)
		history->steps[i] = step_draw(dice, base_ms);
	for (int r = 0; r < RECIPIENTS; r++)
		history->recipients[r] = arena_format(f->arena, "h%zu.%d@example.com", number, r);
}

// The model.
static void history_expect(const struct history *history, int64_t scores[STATES])
{
	memset(scores, 0, STATES * sizeof(*scores));
	for (size_t i = 0; i < history->count; i++) {
		const struct step *step = &history->steps[i];
		int64_t score = step->value == CHOICE_OUT ? step->made_at_ms : -step->made_at_ms;
		int64_t *best = &scores[step->state];
		if (llabs(score) > llabs(*best) || (llabs(score) == llabs(*best) && score > 0))
			*best = score;
	}
}

// One writer's share: every step with the right number, in an order of its own, some twice, cut at random places.
static void write_share(struct fixture *f, struct store *store, struct dice dice, const struct history *histories,
	                int writer)
{
	struct choice *choices = arena_array(f->arena, BLOCK * CHOICES_MAXIMUM * 2, sizeof(*choices));
	enum choice_outcome *outcomes = arena_array(f->arena, BLOCK * CHOICES_MAXIMUM * 2, sizeof(*outcomes));
	size_t count = 0;
	for (size_t h = 0; h < BLOCK; h++) {
		for (size_t i = 0; i < histories[h].count; i++) {
			const struct step *step = &histories[h].steps[i];
			struct choice choice = {histories[h].recipients[step->state / CATEGORIES],
			                        &categories[step->state % CATEGORIES], step->value, step->made_at_ms};
			bool mine = (int)((h + i) % WRITERS) == writer;
			for (uint64_t times = mine + (dice_roll(&dice, 4) == 0); times > 0; times--)
				choices[count++] = choice;
		}
	}
	for (size_t i = count; i > 1; i--) {
		size_t other = dice_roll(&dice, i);
		struct choice swap = choices[i - 1];
		choices[i - 1] = choices[other];
		choices[other] = swap;
	}
	struct choice_origin origin = {.act = writer == 0 ? ACT_REPORT : ACT_DATED, .source = SLICE("test")};
	for (size_t from = 0, n; from < count; from += n) {
		n = 1 + dice_roll(&dice, 700);
		n = n < count - from ? n : count - from;
		if (choices_record(store, f->arena, f->project, NULL, &origin, choices + from, n, outcomes) !=
		    RESULT_OK)
			_exit(3);
	}
}

static void write_at_once(struct fixture *f, struct dice *dice, const struct history *histories)
{
	pid_t writers[WRITERS];
	for (int w = 0; w < WRITERS; w++) {
		struct dice own = {dice_roll(dice, UINT64_MAX)};
		writers[w] = fork();
		cr_assert(writers[w] >= 0);
		if (writers[w] == 0) {
			write_share(f, fixture_store(), own, histories, w);
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++) {
		int status = -1;
		cr_assert(waitpid(writers[w], &status, 0) == writers[w]);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a writer ended with %d", status);
	}
}

static void expect_scores(struct fixture *f, const struct history *history, const int64_t expected[STATES])
{
	struct slice keys[CATEGORIES];
	for (int c = 0; c < CATEGORIES; c++)
		keys[c] = categories[c].key;
	for (int r = 0; r < RECIPIENTS; r++) {
		int64_t scores[CATEGORIES];
		cr_assert(optouts_choices_of(f->store, f->arena, f->project, history->recipients[r], keys, CATEGORIES,
		                             scores) == RESULT_OK);
		for (int c = 0; c < CATEGORIES; c++)
			cr_assert_eq(scores[c], expected[r * CATEGORIES + c], "%s in %s: %lld, expected %lld",
			             history->recipients[r].data, keys[c].data, (long long)scores[c],
			             (long long)expected[r * CATEGORIES + c]);
	}
}

// The audit tells the same story: effective changes take turns and end where the list ends.
static void expect_audit(struct fixture *f, struct slice recipient, const int64_t expected[CATEGORIES])
{
	struct audit_entry *entries;
	size_t count;
	bool complete, out[CATEGORIES];
	cr_assert(audit_history(f->store, f->arena, f->project, recipient, &entries, &count, &complete) == RESULT_OK);
	for (int c = 0; c < CATEGORIES; c++)
		out[c] = !categories[c].subscribed_by_default;
	for (size_t i = count; i-- > 0;) {
		int c = 0;
		while (c < CATEGORIES && !slice_equal(categories[c].key, entries[i].category))
			c++;
		cr_assert(c < CATEGORIES);
		cr_assert(out[c] != (entries[i].new_score > 0), "an entry that changes nothing");
		out[c] = entries[i].new_score > 0;
	}
	for (int c = 0; c < CATEGORIES; c++)
		cr_assert(expected[c] == 0 || out[c] == (expected[c] > 0));
}

Test(histories, any_order_any_repetition_any_writers_end_alike, .timeout = 3600)
{
	struct dice dice = dice_new("histories");
	size_t wanted = histories_wanted();
	for (size_t done = 0; done < wanted; done += BLOCK) {
		AUTO(fixture_close) struct fixture f = fixture_open();
		struct history *histories = arena_array(f.arena, BLOCK, sizeof(*histories));
		int64_t base_ms = redis_now(&f);
		for (size_t h = 0; h < BLOCK; h++)
			history_draw(&f, &dice, h, base_ms, &histories[h]);
		write_at_once(&f, &dice, histories);
		for (size_t h = 0; h < BLOCK; h++) {
			int64_t expected[STATES];
			history_expect(&histories[h], expected);
			expect_scores(&f, &histories[h], expected);
			if (h % 50 == 0)
				expect_audit(&f, histories[h].recipients[0], expected);
		}
		expect_sums(&f);
	}
}

#define ACTS 12
Test(histories, direct_acts_are_always_in_force, .timeout = 3600)
{
	struct dice dice = dice_new("direct acts");
	live_items[0] = categories[1];
	live_items[1] = categories[2];
	AUTO(fixture_close) struct fixture f = fixture_open();
	struct arena *arena = arena_new((size_t)64 << 20);
	for (size_t h = 0; h < histories_wanted() / 4; h++) {
		arena_reset(arena);
		struct slice recipient = arena_format(arena, "d%zu@example.com", h);
		for (int i = 0; i < ACTS; i++) {
			struct step step = step_draw(&dice, redis_now(&f));
			bool acts = dice_roll(&dice, 2);
			struct choice choice = {recipient, &categories[step.state % CATEGORIES], step.value,
			                        step.made_at_ms};
			struct choice_origin origin = {.act = acts ? ACT_DIRECT : ACT_DATED, .source = SLICE("api")};
			enum choice_outcome outcome;
			int64_t before = redis_now(&f), score;
			cr_assert(choices_record(f.store, arena, f.project, &live, &origin, &choice, 1, &outcome) ==
			          RESULT_OK);
			cr_assert(optouts_choices_of(f.store, arena, f.project, recipient, &choice.category->list, 1,
			                             &score) == RESULT_OK);
			cr_assert(!acts || ((score > 0) == (step.value == CHOICE_OUT) && llabs(score) >= before));
			struct check check;
			cr_assert(optouts_check(f.store, arena, f.project, choice.category, &recipient, 1, &check) ==
			          RESULT_OK);
			cr_assert(!acts || check.allowed == (step.value == CHOICE_IN));
		}
	}
	expect_sums(&f);
	arena_free(arena);
}

#define SENDS 6
#define SKEW_MS 600000

// What Customer.io reports for one send: its own clock, whole seconds, once or twice.
struct echo {
	struct choice choice;
	struct slice event;
};

static void deliver_echo(struct fixture *f, struct arena *arena, const struct echo *echo)
{
	struct choice_origin origin = {.act = ACT_REPORT, .source = SLICE("webhook"), .event = echo->event};
	enum choice_outcome outcome;
	cr_assert(choices_record(f->store, arena, f->project, NULL, &origin, &echo->choice, 1, &outcome) == RESULT_OK);
}

Test(histories, echoes_never_overturn_a_newer_choice, .timeout = 3600)
{
	struct dice dice = dice_new("echoes");
	AUTO(fixture_close) struct fixture f = fixture_open();
	struct arena *arena = arena_new((size_t)64 << 20);
	for (size_t h = 0; h < histories_wanted() / 4; h++) {
		struct echo echoes[SENDS * 2];
		size_t waiting = 0;
		arena_reset(arena);
		struct choice act = {.recipient = arena_format(arena, "e%zu@example.com", h),
		                     .category = &categories[1]};
		for (int i = 0; i < SENDS || waiting > 0; i++) {
			int64_t score;
			if (i < SENDS) {
				struct choice_origin origin = {.act = ACT_DIRECT, .source = SLICE("page")};
				enum choice_outcome outcome;
				act.value = dice_roll(&dice, 2) ? CHOICE_OUT : CHOICE_IN;
				cr_assert(choices_record(f.store, arena, f.project, NULL, &origin, &act, 1, &outcome) ==
				          RESULT_OK);
				optouts_choices_of(f.store, arena, f.project, act.recipient, &act.category->list, 1,
				                   &score);
				act.made_at_ms = llabs(score);
				cr_assert(choices_mark_echo(f.store, arena, f.project, &act) == RESULT_OK);
				int64_t skewed = act.made_at_ms - SKEW_MS + (int64_t)dice_roll(&dice, 2 * SKEW_MS);
				struct echo echo = {act, arena_format(arena, "E%d", i)};
				echo.choice.made_at_ms = choice_second_ms(skewed / 1000, act.value);
				for (uint64_t times = 1 + (dice_roll(&dice, 3) == 0); times > 0; times--)
					echoes[waiting++] = echo;
			}
			for (uint64_t deliveries = i < SENDS ? dice_roll(&dice, 3) : 1; deliveries > 0 && waiting > 0;
			     deliveries--) {
				size_t which = dice_roll(&dice, waiting);
				deliver_echo(&f, arena, &echoes[which]);
				echoes[which] = echoes[--waiting];
			}
			optouts_choices_of(f.store, arena, f.project, act.recipient, &act.category->list, 1, &score);
			cr_assert((score > 0) == (act.value == CHOICE_OUT), "history %zu after act %d", h, i);
		}
	}
	expect_sums(&f);
	arena_free(arena);
}

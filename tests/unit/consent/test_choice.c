// The rules of record_choices.lua, one by one, on a real Redis. Order and repetition: see test_histories.c.
#include "../../support/fixture.h"
#include "base/buffer.h"
#include "consent/audit.h"
#include "consent/choice.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define JO SLICE("jo@example.com")
#define DAY_MS INT64_C(86400000)
#define TEXT(literal) {literal, sizeof(literal) - 1}

static const struct category news = {.key = TEXT("customerio_topic_7"),
	                             .list = TEXT("customerio_topic_7"),
	                             .topic = TEXT("topic_7"),
	                             .subscribed_by_default = true};
static const struct category offers = {.key = TEXT("offers"), .list = TEXT("offers"), .subscribed_by_default = true};
static const struct category opt_in = {.key = TEXT("opt_in"), .list = TEXT("opt_in"), .subscribed_by_default = false};
static const struct category receipts = {.key = TEXT("receipts"),
	                                 .list = TEXT("receipts"),
	                                 .type = CATEGORY_TRANSACTIONAL,
	                                 .subscribed_by_default = true};
static const struct category old = {
	.key = TEXT("old"), .list = TEXT("old"), .subscribed_by_default = true, .archived = true};

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(choice, .init = set_up, .fini = tear_down, .timeout = 60);

static int64_t now_ms(void)
{
	int64_t ms = 0;
	cr_assert(store_time_ms(f.store, f.arena, &ms) == RESULT_OK);
	return ms;
}

static enum choice_outcome record_from(struct choice_origin origin, const struct category *category,
	                               enum choice_value value, int64_t made_at_ms)
{
	struct category items[] = {news, offers, opt_in, receipts, old};
	struct category_list live = {.items = items, .count = COUNT_OF(items)};
	struct choice choice = {JO, category, value, made_at_ms};
	enum choice_outcome outcome = CHOICE_REFUSED;
	if (slice_is_empty(origin.source))
		origin.source = SLICE("test");
	cr_assert(choices_record(f.store, f.arena, f.project, &live, &origin, &choice, 1, &outcome) == RESULT_OK);
	return outcome;
}

static enum choice_outcome dated(const struct category *category, enum choice_value value, int64_t made_at_ms)
{
	return record_from((struct choice_origin){.act = ACT_DATED}, category, value, made_at_ms);
}

static enum choice_outcome direct(const struct category *category, enum choice_value value)
{
	return record_from((struct choice_origin){.act = ACT_DIRECT, .source = SLICE("api")}, category, value, 0);
}

static enum choice_outcome report(const char *event, const struct category *category, enum choice_value value,
	                          int64_t ms)
{
	struct choice_origin origin = {.act = ACT_REPORT, .source = SLICE("webhook"), .event = slice_of(event)};
	return record_from(origin, category, value, ms);
}

static int64_t score(const struct category *category)
{
	int64_t value = 0;
	cr_assert(optouts_choices_of(f.store, f.arena, f.project, JO, &category->list, 1, &value) == RESULT_OK);
	return value;
}

static size_t audit_count(void)
{
	struct audit_entry *entries;
	size_t count;
	bool complete;
	cr_assert(audit_history(f.store, f.arena, f.project, JO, &entries, &count, &complete) == RESULT_OK);
	cr_assert(complete);
	return count;
}

static int64_t key_count(const char *command, const char *suffix)
{
	struct key_name key = partition_key(f.project, partition_of(JO), suffix, SLICE(""));
	return reply_integer(fixture_command(&f, ARGUMENTS(slice_of(command), key_slice(&key))));
}

static void mark(const struct category *category, enum choice_value value, int64_t made_at_ms)
{
	struct choice choice = {JO, category, value, made_at_ms};
	cr_assert(choices_mark_echo(f.store, f.arena, f.project, &choice) == RESULT_OK);
}

Test(choice, the_newest_stays)
{
	cr_expect(dated(&offers, CHOICE_OUT, 2000) == CHOICE_CHANGED);
	cr_expect(dated(&offers, CHOICE_IN, 1999) == CHOICE_UNCHANGED);
	cr_expect(score(&offers) == 2000);
	cr_expect(dated(&offers, CHOICE_IN, 2001) == CHOICE_CHANGED);
	cr_expect(score(&offers) == -2001);
	cr_expect(dated(&offers, CHOICE_OUT, 1000) == CHOICE_UNCHANGED);
	cr_expect(score(&offers) == -2001);
}

Test(choice, of_one_time_out_wins)
{
	cr_expect(dated(&offers, CHOICE_IN, 2000) == CHOICE_UNCHANGED, "in is the default");
	cr_expect(dated(&offers, CHOICE_OUT, 2000) == CHOICE_CHANGED);
	cr_expect(dated(&offers, CHOICE_IN, 2000) == CHOICE_UNCHANGED);
	cr_expect(score(&offers) == 2000);
}

Test(choice, the_same_value_raises_the_time_silently)
{
	dated(&offers, CHOICE_OUT, 2000);
	cr_expect(dated(&offers, CHOICE_OUT, 3000) == CHOICE_UNCHANGED);
	cr_expect(score(&offers) == 3000);
	cr_expect(audit_count() == 1);
}

Test(choice, no_choice_counts_as_the_default)
{
	cr_expect(dated(&opt_in, CHOICE_OUT, 2000) == CHOICE_UNCHANGED, "was not in");
	cr_expect(dated(&opt_in, CHOICE_IN, 3000) == CHOICE_CHANGED);
	cr_expect(dated(&offers, CHOICE_IN, 2000) == CHOICE_UNCHANGED, "was in");
	cr_expect(audit_count() == 1);
	cr_expect(score(&opt_in) == -3000 && score(&offers) == -2000);
}

Test(choice, the_weakest_in_beats_nothing_but_no_choice)
{
	cr_expect(dated(&opt_in, CHOICE_IN, CHOICE_WEAKEST_MS) == CHOICE_CHANGED);
	cr_expect(score(&opt_in) == -1);
	cr_expect(dated(&opt_in, CHOICE_OUT, 1) == CHOICE_CHANGED);
	cr_expect(dated(&opt_in, CHOICE_IN, CHOICE_WEAKEST_MS) == CHOICE_UNCHANGED);
	cr_expect(score(&opt_in) == 1);
	cr_expect(dated(&offers, CHOICE_OUT, -5) == CHOICE_CHANGED, "a time before 1970 counts as its beginning");
	cr_expect(score(&offers) == 1);
}

Test(choice, direct_acts_are_in_force_whatever_stands)
{
	int64_t ahead = now_ms() + CHOICE_FUTURE_MS - 1000;
	cr_expect(dated(&offers, CHOICE_IN, ahead) == CHOICE_UNCHANGED);
	cr_expect(direct(&offers, CHOICE_OUT) == CHOICE_CHANGED);
	cr_expect(score(&offers) == ahead + 1);
	cr_expect(direct(&offers, CHOICE_OUT) == CHOICE_UNCHANGED);
	cr_expect(score(&offers) == ahead + 2);
	cr_expect(direct(&offers, CHOICE_IN) == CHOICE_CHANGED);
	cr_expect(score(&offers) == -(ahead + 3));
	int64_t before = now_ms();
	cr_expect(direct(&news, CHOICE_OUT) == CHOICE_CHANGED);
	cr_expect(score(&news) >= before && score(&news) <= now_ms());
}

Test(choice, an_out_from_the_future_counts_as_now)
{
	int64_t before = now_ms();
	cr_expect(dated(&offers, CHOICE_OUT, before + DAY_MS) == CHOICE_CHANGED);
	cr_expect(score(&offers) >= before && score(&offers) <= now_ms());
	cr_expect(dated(&offers, CHOICE_IN, now_ms() + 1000) == CHOICE_CHANGED, "so a later choice wins");
}

Test(choice, an_out_from_the_future_beats_an_in_from_the_near_future)
{
	int64_t ahead = now_ms() + CHOICE_FUTURE_MS - 2000;
	dated(&offers, CHOICE_IN, ahead);
	cr_expect(dated(&offers, CHOICE_OUT, ahead + DAY_MS) == CHOICE_CHANGED);
	cr_expect(score(&offers) == ahead);
}

Test(choice, an_in_from_the_future_is_refused)
{
	cr_expect(dated(&opt_in, CHOICE_IN, now_ms() + CHOICE_FUTURE_MS + 2000) == CHOICE_REFUSED);
	cr_expect(score(&opt_in) == 0);
	cr_expect(dated(&opt_in, CHOICE_IN, now_ms() + CHOICE_FUTURE_MS - 2000) == CHOICE_CHANGED);
}

Test(choice, a_complaint_is_lifted_only_by_the_recipient)
{
	cr_expect(dated(&category_complaint, CHOICE_OUT, 2000) == CHOICE_CHANGED);
	cr_expect(dated(&category_complaint, CHOICE_IN, 3000) == CHOICE_REFUSED);
	cr_expect(direct(&category_complaint, CHOICE_IN) == CHOICE_REFUSED);
	cr_expect(report("E1", &category_complaint, CHOICE_IN, 4000) == CHOICE_REFUSED);
	cr_expect(score(&category_complaint) == 2000);
	struct choice_origin page = {.act = ACT_DIRECT, .source = SLICE("page")};
	cr_expect(record_from(page, &category_complaint, CHOICE_IN, 0) == CHOICE_CHANGED);
}

Test(choice, opting_in_while_all_is_out_pins_the_others)
{
	direct(&category_all, CHOICE_OUT);
	cr_expect(direct(&news, CHOICE_IN) == CHOICE_CHANGED, "its own state was in already, but not what may be sent");
	cr_expect(score(&category_all) < 0);
	cr_expect(score(&news) < 0);
	cr_expect(score(&offers) > 0 && score(&opt_in) > 0);
	cr_expect(score(&receipts) == 0, "transactional ones are left alone");
	cr_expect(score(&old) == 0, "archived ones are left alone");
	cr_expect(audit_count() == 3, "$all out, $all in, offers out: %zu", audit_count());
	cr_expect(direct(&news, CHOICE_IN) == CHOICE_UNCHANGED, "no pin any more");
	cr_expect(direct(&offers, CHOICE_IN) == CHOICE_CHANGED);
	cr_expect(score(&news) < 0);
}

Test(choice, only_marketing_pins)
{
	direct(&category_all, CHOICE_OUT);
	direct(&receipts, CHOICE_IN);
	cr_expect(score(&category_all) > 0);
	direct(&old, CHOICE_IN);
	cr_expect(score(&category_all) > 0);
	report("E1", &news, CHOICE_IN, now_ms() - 1000);
	cr_expect(score(&category_all) > 0, "what Customer.io reports of a topic never touches $all");
	direct(&category_all, CHOICE_IN);
	cr_expect(score(&category_all) < 0 && score(&offers) == 0);
}

Test(choice, effective_changes_are_audited_with_old_and_new)
{
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("webhook"), .reference = SLICE("01E4")};
	record_from(origin, &offers, CHOICE_OUT, 2000);
	record_from(origin, &offers, CHOICE_IN, 3000);
	struct audit_entry *entries;
	size_t count;
	bool complete;
	cr_assert(audit_history(f.store, f.arena, f.project, JO, &entries, &count, &complete) == RESULT_OK);
	cr_assert(count == 2 && complete);
	cr_expect(entries[0].old_score == 2000 && entries[0].new_score == -3000);
	cr_expect(entries[1].old_score == 0 && entries[1].new_score == 2000);
	cr_expect(slice_equal(entries[0].category, offers.key));
	cr_expect(slice_equal(entries[0].recipient, JO));
	cr_expect(slice_equal(entries[0].source, SLICE("webhook")));
	cr_expect(slice_equal(entries[0].reference, SLICE("01E4")));
	cr_expect(llabs(entries[0].recorded_at_ms - now_ms()) < 5000);
}

Test(choice, a_bounce_is_noted_in_the_audit_only)
{
	cr_expect(report("E1", &category_bounced, CHOICE_OUT, 2000) == CHOICE_CHANGED);
	cr_expect(score(&category_bounced) == 0);
	cr_expect(audit_count() == 1);
}

Test(choice, customerio_is_told_of_what_it_can_know)
{
	struct choice_origin tell = {.act = ACT_DIRECT, .send_back = true};
	record_from(tell, &offers, CHOICE_OUT, 0);
	cr_expect(key_count("ZCARD", "sendback") == 0, "no topic");
	record_from(tell, &receipts, CHOICE_OUT, 0);
	cr_expect(key_count("ZCARD", "sendback") == 0, "transactional");
	report("E1", &news, CHOICE_OUT, now_ms() - 10000);
	cr_expect(key_count("ZCARD", "sendback") == 0, "it said so itself");
	record_from(tell, &news, CHOICE_IN, 0);
	cr_expect(key_count("ZCARD", "sendback") == 1);
	record_from(tell, &category_all, CHOICE_OUT, 0);
	cr_expect(key_count("ZCARD", "sendback") == 1, "one entry a recipient");
}

Test(choice, nothing_to_tell_without_an_effective_change)
{
	struct choice_origin tell = {.act = ACT_DIRECT, .send_back = true};
	record_from(tell, &news, CHOICE_IN, 0);
	cr_expect(key_count("ZCARD", "sendback") == 0);
}

Test(choice, two_opposite_reports_in_one_second_ask_customerio)
{
	report("E1", &news, CHOICE_IN, choice_second_ms(1000, CHOICE_IN));
	report("E2", &news, CHOICE_OUT, choice_second_ms(1001, CHOICE_OUT));
	cr_expect(key_count("ZCARD", "lookups") == 0);
	cr_expect(report("E3", &news, CHOICE_IN, choice_second_ms(1001, CHOICE_IN)) == CHOICE_UNCHANGED,
	          "out is the end");
	cr_expect(score(&news) == 1001999);
	struct key_name key = partition_key(f.project, partition_of(JO), "lookups", SLICE(""));
	const struct reply *reply = fixture_command(
	        &f, ARGUMENTS(SLICE("ZRANGE"), key_slice(&key), SLICE("0"), SLICE("-1"), SLICE("WITHSCORES")));
	cr_assert(reply_count(reply) == 2);
	cr_expect(slice_equal(reply_text(reply_at(reply, 0)), SLICE("preferences\njo@example.com")));
	cr_expect(reply_integer(reply_at(reply, 1)) == 1001000);
}

Test(choice, an_echo_counts_as_made_when_it_was_made)
{
	int64_t now = now_ms();
	dated(&news, CHOICE_IN, now - 20000);
	mark(&news, CHOICE_IN, now - 20000);
	dated(&news, CHOICE_OUT, now - 15000);
	cr_expect(report("E1", &news, CHOICE_IN, now - 10000) == CHOICE_UNCHANGED, "truncated, late, ahead: an echo");
	cr_expect(report("E1", &news, CHOICE_IN, now - 10000) == CHOICE_UNCHANGED, "delivered twice");
	cr_expect(score(&news) == now - 15000);
	cr_expect(report("E2", &news, CHOICE_IN, now - 5000) == CHOICE_CHANGED, "another event is a choice of his own");
}

Test(choice, an_echo_from_a_clock_far_ahead_is_no_future)
{
	int64_t now = now_ms();
	direct(&news, CHOICE_OUT);
	direct(&news, CHOICE_IN);
	mark(&news, CHOICE_IN, -score(&news));
	cr_expect(report("E1", &news, CHOICE_IN, now + 600000) == CHOICE_UNCHANGED);
	direct(&news, CHOICE_OUT);
	cr_expect(report("E1", &news, CHOICE_IN, now + 600000) == CHOICE_UNCHANGED);
	cr_expect(score(&news) > 0);
}

Test(choice, as_many_echoes_as_were_sent)
{
	int64_t now = now_ms();
	dated(&news, CHOICE_OUT, now - 9000);
	mark(&news, CHOICE_IN, now - 8000);
	mark(&news, CHOICE_IN, now - 7000);
	cr_expect(report("E1", &news, CHOICE_IN, now - 1000) == CHOICE_CHANGED);
	cr_expect(score(&news) == -(now - 7000));
	report("E2", &news, CHOICE_IN, now - 1000);
	cr_expect(score(&news) == -(now - 7000));
	report("E3", &news, CHOICE_IN, now - 1000);
	cr_expect(score(&news) == -(now - 1000));
}

Test(choice, an_own_choice_in_clears_the_mark_of_out)
{
	int64_t now = now_ms();
	dated(&news, CHOICE_OUT, now - 30000);
	mark(&news, CHOICE_OUT, now - 30000);
	report("E1", &news, CHOICE_IN, now - 20000);
	cr_expect(report("E2", &news, CHOICE_OUT, now - 10000) == CHOICE_CHANGED, "never taken for an echo");
	cr_expect(score(&news) == now - 10000);
}

Test(choice, an_own_choice_out_keeps_the_mark_of_an_in_that_may_cross_it)
{
	int64_t now = now_ms();
	dated(&news, CHOICE_IN, now - 30000);
	mark(&news, CHOICE_IN, now - 30000);
	report("E1", &news, CHOICE_OUT, now - 20000);
	cr_expect(report("E2", &news, CHOICE_IN, now - 10000) == CHOICE_UNCHANGED);
	cr_expect(score(&news) == now - 20000);
	cr_expect(key_count("ZCARD", "sendback") == 1, "Customer.io holds `in` now, so it has to be told");
}

Test(choice, an_own_choice_out_long_after_clears_the_mark_of_in)
{
	int64_t now = now_ms();
	mark(&news, CHOICE_IN, now - 20 * 60000);
	struct key_name echoes = partition_key(f.project, partition_of(JO), "echoes", SLICE(""));
	struct slice aged =
	        arena_format(f.arena, "%lld %lld 1", (long long)now - 20 * 60000, (long long)now - 20 * 60000);
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&echoes),
	                              SLICE("jo@example.com\ncustomerio_topic_7\nin"), aged));
	report("E1", &news, CHOICE_OUT, now - 60000);
	cr_expect(key_count("HLEN", "echoes") == 0);
	cr_expect(report("E2", &news, CHOICE_IN, now - 30000) == CHOICE_CHANGED);
}

Test(choice, marks_live_eight_days)
{
	int64_t now = now_ms();
	struct key_name echoes = partition_key(f.project, partition_of(JO), "echoes", SLICE(""));
	struct slice aged =
	        arena_format(f.arena, "%lld %lld 1", (long long)(now - 9 * DAY_MS), (long long)(now - 9 * DAY_MS));
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&echoes),
	                              SLICE("jo@example.com\ncustomerio_topic_7\nout"), aged));
	cr_expect(report("E1", &news, CHOICE_OUT, now - 1000) == CHOICE_CHANGED);
	cr_expect(score(&news) == now - 1000);
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&echoes), SLICE("gone"), aged));
	mark(&news, CHOICE_IN, now);
	cr_expect(key_count("HLEN", "echoes") == 1, "writing marks takes old ones away");
}

Test(choice, a_page_of_an_import_is_applied_once)
{
	struct choice_origin origin = {
	        .act = ACT_DATED, .source = SLICE("import"), .import = SLICE("01IMPORT"), .page = 2};
	cr_expect(record_from(origin, &offers, CHOICE_OUT, 2000) == CHOICE_CHANGED);
	cr_expect(record_from(origin, &offers, CHOICE_IN, 3000) == CHOICE_SKIPPED);
	origin.page = 1;
	cr_expect(record_from(origin, &offers, CHOICE_IN, 3000) == CHOICE_SKIPPED);
	origin.page = 3;
	cr_expect(record_from(origin, &offers, CHOICE_IN, 3000) == CHOICE_CHANGED);
	struct key_name key = partition_key(f.project, partition_of(JO), "import:", SLICE("01IMPORT"));
	const struct reply *counters =
	        fixture_command(&f, ARGUMENTS(SLICE("HMGET"), key_slice(&key), SLICE("choices"), SLICE("changes")));
	cr_expect(reply_integer(reply_at(counters, 0)) == 2 && reply_integer(reply_at(counters, 1)) == 2);
}

Test(choice, a_fenced_import_is_refused)
{
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .import = SLICE("01FENCED")};
	cr_expect(record_from(origin, &offers, CHOICE_OUT, 2000) == CHOICE_CHANGED);
	struct key_name key = partition_key(f.project, partition_of(JO), "import:", SLICE("01FENCED"));
	fixture_command(&f, ARGUMENTS(SLICE("HSET"), key_slice(&key), SLICE("fence"), SLICE("1")));
	cr_expect(record_from(origin, &offers, CHOICE_OUT, 3000) == CHOICE_SKIPPED);
	cr_expect(score(&offers) == 2000);
}

#define MANY 5000
Test(choice, thousands_of_one_partition_go_in_several_runs)
{
	struct choice *choices = arena_array(f.arena, MANY, sizeof(*choices));
	enum choice_outcome *outcomes = arena_array(f.arena, MANY, sizeof(*outcomes));
	size_t count = 0;
	for (int i = 0; count < MANY; i++) {
		struct slice recipient = arena_format(f.arena, "r%d@example.com", i);
		if (partition_of(recipient) == 3) {
			choices[count] = (struct choice){recipient, count % 2 ? &offers : &news, CHOICE_OUT, 1000 + i};
			count++;
		}
	}
	struct choice_origin origin = {
	        .act = ACT_DATED, .source = SLICE("import"), .import = SLICE("01MANY"), .page = 1};
	for (int round = 0; round < 2; round++) {
		cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, choices, MANY, outcomes) ==
		          RESULT_OK);
		for (size_t i = 0; i < MANY; i++)
			cr_assert(outcomes[i] == (round == 0 ? CHOICE_CHANGED : CHOICE_SKIPPED), "%zu", i);
	}
	int64_t counts[2];
	struct slice keys[] = {news.key, offers.key};
	cr_assert(optouts_count(f.store, f.arena, f.project, keys, 2, counts) == RESULT_OK);
	cr_expect(counts[0] == MANY / 2 && counts[1] == MANY / 2);
}

Test(choice, nothing_to_record_is_fine)
{
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("test")};
	cr_expect(choices_record(f.store, f.arena, f.project, NULL, &origin, NULL, 0, NULL) == RESULT_OK);
}

static int compare_names(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

// Every key of the project with what it holds, as one text.
static struct slice everything(void)
{
	struct slice pattern = arena_format(f.arena, "cb:{%.*s[:}]*", (int)f.project.length, f.project.data);
	struct buffer *all = buffer_new(f.arena, (size_t)1 << 20);
	const struct reply *keys = fixture_command(&f, ARGUMENTS(SLICE("KEYS"), pattern));
	size_t count = reply_count(keys);
	struct slice *names = arena_array(f.arena, count + 1, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = reply_text(reply_at(keys, i));
	// Redis gives them in another order whenever it has resized its table.
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		buffer_append(all, names[i]);
		buffer_append(all, reply_text(fixture_command(&f, ARGUMENTS(SLICE("DUMP"), names[i]))));
	}
	cr_assert(!buffer_failed(all));
	return buffer_slice(all);
}

Test(choice, a_dry_run_says_what_would_be_and_writes_nothing)
{
	const struct choice_origin origins[] = {
		{.act = ACT_DATED, .source = SLICE("csv"), .import = SLICE("i"), .page = 7},
		{.act = ACT_DATED, .send_back = true},
		{.act = ACT_DIRECT, .source = SLICE("api"), .send_back = true},
		{.act = ACT_REPORT, .source = SLICE("webhook"), .event = SLICE("E")},
	};
	struct {
		const struct category *category;
		enum choice_value value;
		int64_t made_at_ms;
	} const acts[] = {{&news, CHOICE_IN, 3000},  {&news, CHOICE_OUT, 2000},    {&offers, CHOICE_OUT, 1500},
	                  {&opt_in, CHOICE_IN, 1},   {&category_all, CHOICE_OUT, 9000},
	                  {&offers, CHOICE_IN, now_ms() + DAY_MS}, {&category_bounced, CHOICE_OUT, 2000}};
	dated(&news, CHOICE_OUT, 2500);
	dated(&category_all, CHOICE_OUT, 2500);
	dated(&opt_in, CHOICE_IN, 2);
	mark(&news, CHOICE_IN, 2400);
	for (size_t o = 0; o < COUNT_OF(origins); o++) {
		for (size_t a = 0; a < COUNT_OF(acts); a++) {
			struct choice_origin dry = origins[o];
			dry.dry_run = true;
			dry.page += dry.page > 0 ? (int64_t)a : 0;
			struct slice before = everything();
			enum choice_outcome said =
				record_from(dry, acts[a].category, acts[a].value, acts[a].made_at_ms);
			struct slice after = everything();
			cr_assert(slice_equal(before, after), "act %zu of origin %zu wrote", a, o);
			dry.dry_run = false;
			enum choice_outcome real =
				record_from(dry, acts[a].category, acts[a].value, acts[a].made_at_ms);
			cr_assert_eq(said, real, "act %zu of origin %zu: %c and then %c", a, o, said, real);
		}
	}
}

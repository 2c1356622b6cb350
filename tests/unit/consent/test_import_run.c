// Imports that workers run: one at a time in a project, gone on with by whoever comes next, cancelled at any time.
#include "../../support/fixture.h"
#include "base/clock.h"
#include "consent/choice.h"
#include "consent/import_job.h"
#include "consent/import_run.h"

#include <criterion/criterion.h>

#define NOW_MS INT64_C(1732285840123)

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(import_run, .init = set_up, .fini = tear_down, .timeout = 120);

static struct slice entry_of(struct slice id)
{
	return arena_format(f.arena, "%.*s %.*s", (int)f.project.length, f.project.data, (int)id.length, id.data);
}

static int64_t times_queued(struct slice id)
{
	const struct reply *found;
	cr_assert_eq(store_call(f.store, f.arena, &found,
	                        ARGUMENTS(SLICE("LPOS"), SLICE(IMPORT_RUN_QUEUE), entry_of(id), SLICE("COUNT"),
	                                  SLICE("0"))),
	             RESULT_OK);
	return (int64_t)reply_count(found);
}

static void unqueue(struct slice id)
{
	const struct reply *reply;
	cr_assert_eq(store_call(f.store, f.arena, &reply,
	                        ARGUMENTS(SLICE("LREM"), SLICE(IMPORT_RUN_QUEUE), SLICE("0"), entry_of(id))),
	             RESULT_OK);
}

static struct slice asked(void)
{
	struct slice id;
	cr_assert_eq(import_ask(f.store, f.arena, f.project, NOW_MS, &id), RESULT_OK);
	return id;
}

static void expect_refused(struct slice id)
{
	struct slice other;
	cr_assert_eq(import_ask(f.store, f.arena, f.project, NOW_MS + 1, &other), RESULT_CONFLICT);
	cr_assert(slice_equal(other, id));
}

static struct import_job taken(struct slice id)
{
	struct import_job job;
	cr_assert_eq(import_take(f.store, f.arena, f.project, id, &job), RESULT_OK);
	cr_assert_eq(job.status, IMPORT_RUNNING);
	return job;
}

static enum result finish(struct slice id, enum import_status status)
{
	return import_finish(f.store, f.arena, f.project, id, status, (struct slice){NULL, 0}, NOW_MS + 5000);
}

static enum import_status status_of(struct slice id)
{
	struct import_job job;
	cr_assert_eq(import_job_load(f.store, f.arena, f.project, id, &job), RESULT_OK);
	return job.status;
}

static enum choice_outcome opt_out(struct slice import, const char *who)
{
	struct choice choice = {slice_of(who), &category_all, CHOICE_OUT, NOW_MS};
	struct choice_origin origin = {
		.act = ACT_DATED, .source = SLICE("import"), .reference = import, .import = import};
	enum choice_outcome outcome;
	cr_assert_eq(choices_record(f.store, f.arena, f.project, NULL, &origin, &choice, 1, &outcome), RESULT_OK);
	return outcome;
}

Test(import_run, is_queued_until_a_worker_takes_it)
{
	struct slice id = asked();
	cr_assert_eq(status_of(id), IMPORT_QUEUED);
	cr_assert_eq(times_queued(id), 1);
	struct import_job job = taken(id);
	cr_assert(slice_equal(import_job_text(&job, "kind"), SLICE("api")));
	cr_assert_eq(import_job_number(&job, "started_at"), NOW_MS);
	cr_assert(import_job_text(&job, "step").data == NULL);
	unqueue(id);
}

Test(import_run, there_is_one_at_a_time)
{
	struct slice id = asked();
	expect_refused(id);
	taken(id);
	expect_refused(id);
	cr_assert_eq(times_queued(id), 1);
	cr_assert_eq(finish(id, IMPORT_FAILED), RESULT_OK);
	struct slice next = asked();
	cr_assert(!slice_equal(next, id));
	unqueue(id);
	unqueue(next);
}

Test(import_run, who_is_refused_leaves_nothing)
{
	struct slice ids[3], list[4], *found = list, next;
	size_t count;
	for (int round = 0; round < 20; round++) {
		struct slice id = asked();
		for (int i = 0; i < 3; i++)
			cr_assert_eq(import_ask(f.store, f.arena, f.project, NOW_MS, &ids[i]), RESULT_CONFLICT);
		cr_assert_eq(finish(id, IMPORT_COMPLETED), RESULT_OK);
		unqueue(id);
	}
	cr_assert_eq(import_list(f.store, f.arena, f.project, SLICE(""), 1000, &found, &count, &next), RESULT_OK);
	cr_assert_eq(count, 20, "who was refused left nothing");
}

Test(import_run, one_that_was_never_queued_is_when_somebody_asks_again)
{
	struct slice id = asked();
	unqueue(id);
	expect_refused(id);
	cr_assert_eq(times_queued(id), 1);
	unqueue(id);
}

Test(import_run, goes_on_with_what_was_saved)
{
	struct slice id = asked();
	taken(id);
	const struct import_counter counters[] = {{"topics_found", 7}, {"customers_processed", 1000}};
	const struct import_note notes[] = {{"cursor", SLICE("MDox")}, {"export", {NULL, 0}}};
	struct import_state state = {"people", 1000, 0, counters, 2, notes, 2};
	cr_assert_eq(import_save(f.store, f.arena, f.project, id, &state), RESULT_OK);
	struct import_job job = taken(id);
	cr_assert(slice_equal(import_job_text(&job, "step"), SLICE("people")));
	cr_assert(slice_equal(import_job_text(&job, "note:cursor"), SLICE("MDox")));
	cr_assert(slice_is_empty(import_job_text(&job, "note:export")));
	cr_assert_eq(import_job_number(&job, "result:customers_processed"), 1000);
	cr_assert_eq(import_job_number(&job, "done"), 1000);
	unqueue(id);
}

Test(import_run, does_not_fail_by_waiting_for_a_worker)
{
	struct slice id = asked();
	taken(id);
	const struct reply *reply;
	struct key_name key = import_job_key(f.project, id, "");
	cr_assert_eq(store_call(f.store, f.arena, &reply,
	                        ARGUMENTS(SLICE("HSET"), key_slice(&key), SLICE("seen_at"), SLICE("1"))), RESULT_OK);
	cr_assert_eq(status_of(id), IMPORT_RUNNING);
	expect_refused(id);
	unqueue(id);
}

Test(import_run, a_cancelled_one_records_nothing_more)
{
	struct slice id = asked();
	taken(id);
	cr_assert_eq(opt_out(id, "jo@example.com"), CHOICE_CHANGED);
	cr_assert_eq(import_cancel(f.store, f.arena, f.project, id, NOW_MS), RESULT_OK);
	cr_assert_eq(opt_out(id, "mo@example.com"), CHOICE_SKIPPED);
	cr_assert_eq(status_of(id), IMPORT_CANCELLED);

	struct import_state state = {.step = "people"};
	struct import_job job;
	cr_assert_eq(import_save(f.store, f.arena, f.project, id, &state), RESULT_CONFLICT);
	cr_assert_eq(import_warn(f.store, f.arena, f.project, id, "people", SLICE("Too late.")), RESULT_CONFLICT);
	cr_assert_eq(finish(id, IMPORT_COMPLETED), RESULT_CONFLICT);
	cr_assert_eq(import_take(f.store, f.arena, f.project, id, &job), RESULT_CONFLICT);
	cr_assert_eq(import_cancel(f.store, f.arena, f.project, id, NOW_MS), RESULT_CONFLICT);
	cr_assert_eq(status_of(id), IMPORT_CANCELLED);
	unqueue(id);
	unqueue(asked());
}

Test(import_run, a_cancelled_one_can_be_undone)
{
	struct slice id = asked();
	taken(id);
	opt_out(id, "jo@example.com");
	cr_assert_eq(import_cancel(f.store, f.arena, f.project, id, NOW_MS), RESULT_OK);
	cr_assert_eq(import_ask_undo(f.store, f.arena, f.project, id), RESULT_OK);
	expect_refused(id);
	cr_assert_eq(import_cancel(f.store, f.arena, f.project, id, NOW_MS), RESULT_CONFLICT);
	cr_assert_eq(import_undo(f.store, f.arena, f.project, id, NOW_MS, NULL, NULL), RESULT_OK);
	cr_assert_eq(status_of(id), IMPORT_UNDONE);
	unqueue(id);
	unqueue(asked());
}

Test(import_run, what_is_not_there_is_not_found)
{
	struct slice id = import_new_id(f.arena, NOW_MS);
	struct import_state state = {.step = "people"};
	struct import_job job;
	cr_assert_eq(import_take(f.store, f.arena, f.project, id, &job), RESULT_NOT_FOUND);
	cr_assert_eq(import_cancel(f.store, f.arena, f.project, id, NOW_MS), RESULT_NOT_FOUND);
	cr_assert_eq(import_save(f.store, f.arena, f.project, id, &state), RESULT_NOT_FOUND);
}

Test(import_run, changes_are_counted_once_over_all_partitions)
{
	struct slice id = asked();
	int64_t changes;
	for (int i = 0; i < 40; i++)
		opt_out(id, arena_format(f.arena, "user%d@example.com", i).data);
	for (int i = 0; i < 40; i++)
		opt_out(id, arena_format(f.arena, "user%d@example.com", i).data);
	cr_assert_eq(import_changes(f.store, f.arena, f.project, id, &changes), RESULT_OK);
	cr_assert_eq(changes, 40);
	unqueue(id);
}

Test(import_run, a_warning_of_a_step_stands_once)
{
	struct slice id = asked();
	cr_assert_eq(import_warn(f.store, f.arena, f.project, id, "preferences", SLICE("First.")), RESULT_OK);
	cr_assert_eq(import_warn(f.store, f.arena, f.project, id, "preferences", SLICE("Second.")), RESULT_OK);
	struct buffer *text = buffer_new(f.arena, 1 << 16);
	struct json_writer out = json_writer_on(text);
	const struct json *shown;
	cr_assert_eq(import_write(f.store, f.arena, f.project, id, &out), RESULT_OK);
	cr_assert_eq(json_parse(f.arena, buffer_slice(text), &shown, NULL), RESULT_OK);
	const struct json *warnings = json_get(shown, "warnings");
	cr_assert_eq(json_count(warnings), 1);
	cr_assert(slice_equal(json_text(json_get(json_at(warnings, 0), "message")), SLICE("Second.")));
	cr_assert(slice_equal(json_text(json_get(json_at(warnings, 0), "step")), SLICE("preferences")));
	unqueue(id);
}

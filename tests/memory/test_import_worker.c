// An undo without memory: put off, and done in the end.
#include "../support/sums.h"
#include "base/clock.h"
#include "consent/choice.h"
#include "consent/import.h"
#include "consent/optouts.h"
#include "edge/endpoint.h"
#include "project/project.h"
#include "sweep.h"

#define RECIPIENT SLICE("ann@example.com")

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
	bool created = false;
	cr_assert_eq(project_put(f.store, f.arena, f.project, SLICE("A test"), &created), RESULT_OK);
}
static void tear_down(void)
{
	expect_sums(&f);
	fixture_close(&f);
}
TestSuite(memory_import_worker, .init = set_up, .fini = tear_down, .timeout = 240);

static int64_t score(void)
{
	struct slice list = category_all.list;
	int64_t score = 0;
	cr_assert_eq(optouts_choices_of(f.store, f.arena, f.project, RECIPIENT, &list, 1, &score), RESULT_OK);
	return score;
}

// An import that opted somebody out and is to be undone.
static struct slice make_import(void)
{
	struct slice id = import_new_id(f.arena, clock_now_ms());
	struct choice choice = {.recipient = RECIPIENT, .category = &category_all, .made_at_ms = clock_now_ms()};
	struct choice_origin origin = {.source = SLICE("csv"), .reference = id, .import = id, .page = 1};
	enum choice_outcome outcome;
	cr_assert_eq(import_start(f.store, f.arena, f.project, id, "csv", clock_now_ms()), RESULT_OK);
	cr_assert_eq(choices_record(f.store, f.arena, f.project, NULL, &origin, &choice, 1, &outcome), RESULT_OK);
	cr_assert_eq(outcome, CHOICE_CHANGED);
	cr_assert_eq(import_finish(f.store, f.arena, f.project, id, IMPORT_COMPLETED, (struct slice){NULL, 0},
	                           clock_now_ms()),
	             RESULT_OK);
	cr_assert_eq(import_ask_undo(f.store, f.arena, f.project, id), RESULT_OK);
	return id;
}

static enum result undo(struct slice id)
{
	AUTO(arena_auto) struct arena *arena = arena_new(REQUEST_ARENA_LIMIT);
	cr_assert(arena != NULL);
	memory_begin();
	enum result result = import_undo(f.store, arena, f.project, id, 1, NULL, NULL);
	store_settle(f.store);
	memory_end();
	return result;
}

static bool undo_at(size_t number, enum memory_fault fault)
{
	struct slice id = make_import();
	memory_fail(number, fault);
	enum result result = undo(id);
	bool failed = memory_has_failed();
	memory_fail(SIZE_MAX, MEMORY_ONCE);
	cr_assert(result == RESULT_OK || (failed && (result == RESULT_NO_MEMORY || result == RESULT_UNAVAILABLE)),
	          "allocation %zu: %d", number, (int)result);
	if (fault == MEMORY_FOR_ALL) {
		store_free(f.store);
		f.store = fixture_store();
	}
	if (result != RESULT_OK)
		cr_assert_eq(undo(id), RESULT_OK);
	cr_assert_eq(score(), 0, "allocation %zu", number);
	return failed;
}

Test(memory_import_worker, undo)
{
	for (enum memory_fault fault = MEMORY_ONCE; fault <= MEMORY_FOR_ALL; fault++) {
		size_t number = 0;
		while (undo_at(number, fault))
			number += 5; // it goes round the partitions
		cr_assert(number > 100);
	}
}

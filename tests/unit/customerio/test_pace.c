// The pace of the App API, alone and among processes.
#include "../../support/fixture.h"
#include "base/clock.h"
#include "customerio/pace.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 60000

static struct fixture f;
static const struct patience patient;

static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(pace, .init = set_up, .fini = tear_down, .timeout = 60);

static int64_t kept(const char *field)
{
	struct key_name key = project_key(f.project, "pace:app");
	return reply_integer(fixture_command(&f, ARGUMENTS(SLICE("HGET"), key_slice(&key), slice_of(field))));
}

static void take_turns(struct store *store, int64_t *times_us, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cr_assert(pace_wait(store, f.arena, f.project, &patient, LONG_MS) == RESULT_OK);
		times_us[i] = clock_monotonic_us();
	}
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

// At most ten in any second, and nine tenths of that used. Who is late to a turn looks closer to the next one, so a
// machine under load is given a little.
static void expect_pace(int64_t *times_us, size_t count)
{
	qsort(times_us, count, sizeof(*times_us), compare_times);
	for (size_t i = 0; i + 10 < count; i++)
		cr_assert(times_us[i + 10] - times_us[i] > 950000, "%zu: %lld us", i,
		          (long long)(times_us[i + 10] - times_us[i]));
	int64_t all_us = times_us[count - 1] - times_us[0];
	cr_assert(all_us >= (int64_t)(count - 1) * 100000, "%lld us", (long long)all_us);
	cr_assert(all_us <= (int64_t)(count - 1) * 1000000 / 9 + 100000, "%lld us", (long long)all_us);
}

Test(pace, one_after_the_other)
{
	int64_t times_us[25];
	take_turns(f.store, times_us, COUNT_OF(times_us));
	expect_pace(times_us, COUNT_OF(times_us));
}

Test(pace, many_processes)
{
	enum { PROCESSES = 5, EACH = 8 };
	int64_t times_us[PROCESSES * EACH];
	int pipes[2];
	cr_assert(pipe(pipes) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		int64_t mine_us[EACH];
		take_turns(fixture_store(), mine_us, EACH);
		_exit(write(pipes[1], mine_us, sizeof(mine_us)) == sizeof(mine_us) ? 0 : 1);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;
		cr_assert(wait(&status) > 0 && status == 0);
		cr_assert(read(pipes[0], times_us + i * EACH, EACH * sizeof(*times_us)) == EACH * sizeof(*times_us));
	}
	expect_pace(times_us, COUNT_OF(times_us));
}

Test(pace, idle_time_is_not_saved_up)
{
	int64_t times_us[12];
	take_turns(f.store, times_us, 1);
	usleep(1500000);
	take_turns(f.store, times_us, COUNT_OF(times_us));
	expect_pace(times_us, COUNT_OF(times_us));
}

Test(pace, a_pause_is_kept)
{
	int64_t started_us = clock_monotonic_us();
	cr_assert(pace_hold(f.store, f.arena, f.project, 700) == RESULT_OK);
	cr_assert(pace_wait(f.store, f.arena, f.project, &patient, LONG_MS) == RESULT_OK);
	int64_t took_us = clock_monotonic_us() - started_us;
	cr_assert(took_us >= 700000 && took_us < 1500000, "%lld", (long long)took_us);
}

static enum result hold_once(void *context)
{
	bool *held = context;
	if (!*held)
		cr_assert(pace_hold(f.store, f.arena, f.project, 800) == RESULT_OK);
	*held = true;
	return RESULT_OK;
}

// Somebody is told to pause while we wait for a turn that we have already.
Test(pace, a_pause_moves_turns_that_were_given)
{
	bool held = false;
	struct patience holding = {hold_once, &held};
	cr_assert(pace_wait(f.store, f.arena, f.project, &patient, LONG_MS) == RESULT_OK);
	int64_t started_us = clock_monotonic_us();
	cr_assert(pace_wait(f.store, f.arena, f.project, &holding, LONG_MS) == RESULT_OK);
	cr_assert(held);
	int64_t took_us = clock_monotonic_us() - started_us;
	cr_assert(took_us >= 800000, "%lld", (long long)took_us);
}

Test(pace, a_short_pause_does_not_shorten_a_long_one)
{
	cr_assert(pace_hold(f.store, f.arena, f.project, 5000) == RESULT_OK);
	int64_t hold = kept("hold");
	cr_assert(pace_hold(f.store, f.arena, f.project, 10) == RESULT_OK);
	cr_assert_eq(kept("hold"), hold);
}

Test(pace, no_longer_than_asked_for)
{
	cr_assert(pace_hold(f.store, f.arena, f.project, 5000) == RESULT_OK);
	int64_t next = kept("next"), started_us = clock_monotonic_us();
	cr_assert(pace_wait(f.store, f.arena, f.project, &patient, 1000) == RESULT_LIMITED);
	cr_assert(clock_monotonic_us() - started_us < 500000);
	cr_assert_eq(kept("next"), next, "a turn was taken");
}

Test(pace, a_pause_has_a_maximum)
{
	int64_t now_ms;
	cr_assert(pace_hold(f.store, f.arena, f.project, INT64_MAX / 1000) == RESULT_OK);
	cr_assert(store_time_ms(f.store, f.arena, &now_ms) == RESULT_OK);
	cr_assert(kept("hold") / 1000 - now_ms <= PACE_HOLD_MAXIMUM_MS);
	cr_assert(kept("hold") / 1000 - now_ms > PACE_HOLD_MAXIMUM_MS - 10000);
}

Test(pace, nothing_stays_behind)
{
	struct key_name key = project_key(f.project, "pace:app");
	cr_assert(pace_wait(f.store, f.arena, f.project, &patient, LONG_MS) == RESULT_OK);
	int64_t ms = reply_integer(fixture_command(&f, ARGUMENTS(SLICE("PTTL"), key_slice(&key))));
	cr_assert(ms > 0 && ms <= 120000, "%lld", (long long)ms);
}

static enum result stop(void *context)
{
	(void)context;
	return RESULT_STOP;
}

Test(pace, an_end_while_waiting)
{
	struct patience stopping = {stop, NULL};
	cr_assert(pace_wait(f.store, f.arena, f.project, &stopping, LONG_MS) == RESULT_OK);
	cr_assert(pace_wait(f.store, f.arena, f.project, &stopping, LONG_MS) == RESULT_STOP);
}

Test(pace, projects_do_not_wait_for_each_other)
{
	cr_assert(pace_hold(f.store, f.arena, f.project, 5000) == RESULT_OK);
	cr_assert(pace_wait(f.store, f.arena, fixture_slug(f.arena), &patient, 0) == RESULT_OK);
}

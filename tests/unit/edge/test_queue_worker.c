// Workers of a queue, as processes: each job is done, by one at a time, whatever happens to a worker.
#include "edge/endpoint.h"
#include "edge/queue_worker.h"

#include "../../support/fixture.h"
#include "base/clock.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_US INT64_C(30000000)
#define WORKERS 3
#define JOBS 60

static struct fixture f;
static struct job_queue queue;
static const struct function made_up = {.name = "made-up", .prefixes = "", .queues = &queue, .queue_count = 1};
static struct config config;

static enum result work(struct job *job);

static const char *key_of(const char *suffix)
{
	struct key_name key = project_key(f.project, suffix);
	return arena_copy(f.arena, key_slice(&key)).data;
}

static void set_up(void)
{
	f = fixture_open();
	config.redis_url = slice_of(getenv("CIOBRIDGE_TEST_REDIS"));
	queue = (struct job_queue){.name = f.project.data, .key = key_of("queue"), .handle = work};
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(queue_worker, .init = set_up, .fini = tear_down, .timeout = 120);

static const struct reply *call(struct store *store, const struct slice *arguments, size_t count)
{
	const struct reply *reply = NULL;
	if (store_call(store, f.arena, &reply, arguments, count) != RESULT_OK)
		abort();
	return reply;
}

static int64_t count_of(struct store *store, const char *what)
{
	return reply_integer(call(store, ARGUMENTS(SLICE("GET"), slice_of(key_of(what)))));
}

static void count(struct store *store, const char *what)
{
	call(store, ARGUMENTS(SLICE("INCR"), slice_of(key_of(what))));
}

// The handler of all tests, in the worker's process: the entry says what to do.
static enum result work(struct job *job)
{
	struct slice what = job->entry;
	enum result result = RESULT_OK;
	count(job->store, "begun");
	if (slice_starts_with(what, SLICE("count"))) {
		struct slice done = slice_of(key_of("done"));
		if (reply_integer(call(job->store, ARGUMENTS(SLICE("SADD"), done, what))) != 1)
			count(job->store, "repeated");
	} else if (slice_equal(what, SLICE("third time"))) {
		return count_of(job->store, "begun") < 3 ? RESULT_UNAVAILABLE : RESULT_OK;
	} else if (slice_equal(what, SLICE("never"))) {
		return RESULT_INVALID;
	} else if (slice_equal(what, SLICE("take"))) {
		call(job->store, ARGUMENTS(SLICE("LPOP"), slice_of(key_of("work"))));
	} else if (slice_equal(what, SLICE("long"))) {
		while (result == RESULT_OK)
			result = job_go_on(job);
		count(job->store, result == RESULT_STOP ? "stopped" : "lost");
	}
	return result;
}

static pid_t start(void)
{
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(queue_worker_run(&made_up, &config));
	}
	return child;
}

static int end(pid_t worker, int number)
{
	int status = -1;
	kill(worker, number);
	cr_assert(waitpid(worker, &status, 0) == worker);
	return status;
}

static void add(const char *entry)
{
	call(f.store, ARGUMENTS(SLICE("RPUSH"), slice_of(queue.key), slice_of(entry)));
}

static int64_t waiting(void)
{
	return reply_integer(call(f.store, ARGUMENTS(SLICE("LLEN"), slice_of(queue.key))));
}

#define WAIT_FOR(condition)                                                                                        \
	for (int64_t since = clock_monotonic_us(); !(condition); usleep(5000))                                     \
	cr_assert(clock_monotonic_us() - since < PATIENCE_US, "not in time: " #condition)

static struct slice lease_of(const char *entry)
{
	return arena_format(f.arena, "cb:lease:%s:%s", queue.name, entry);
}

static int64_t lease_left(const char *entry)
{
	return reply_integer(call(f.store, ARGUMENTS(SLICE("PTTL"), lease_of(entry))));
}

Test(queue_worker, what_is_done_goes)
{
	pid_t worker = start();
	add("count");
	add("never");
	add("no such job");
	WAIT_FOR(waiting() == 0);
	cr_assert(count_of(f.store, "begun") == 3);
	cr_assert(end(worker, SIGTERM) == 0);
	cr_assert(lease_left("count") == -2, "it is given back");
}

Test(queue_worker, what_cannot_be_done_now_stays)
{
	pid_t worker = start();
	add("third time");
	WAIT_FOR(waiting() == 0);
	cr_assert(count_of(f.store, "begun") == 3);
	cr_assert(end(worker, SIGTERM) == 0);
}

Test(queue_worker, one_that_waits_does_not_hold_up_the_others)
{
	pid_t worker = start();
	add("third time");
	add("count");
	WAIT_FOR(waiting() == 0);
	cr_assert(end(worker, SIGTERM) == 0);
}

Test(queue_worker, several_do_each_job_once)
{
	pid_t workers[WORKERS];
	for (int i = 0; i < JOBS; i++)
		add(arena_format(f.arena, "count%d", i).data);
	for (int w = 0; w < WORKERS; w++)
		workers[w] = start();
	WAIT_FOR(waiting() == 0);
	for (int w = 0; w < WORKERS; w++)
		cr_assert(end(workers[w], SIGTERM) == 0);
	cr_assert(count_of(f.store, "begun") == JOBS && count_of(f.store, "repeated") == 0);
}

Test(queue_worker, asked_to_end_it_leaves_the_job_to_the_next)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	add("long");
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		pid_t worker = start();
		WAIT_FOR(count_of(f.store, "begun") == (int64_t)i + 1);
		cr_assert(end(worker, numbers[i]) == 0);
		cr_assert(count_of(f.store, "stopped") == (int64_t)i + 1 && waiting() == 1);
		cr_assert(lease_left("long") == -2, "nobody has to wait for it");
	}
}

Test(queue_worker, killed_it_loses_nothing)
{
	pid_t worker = start();
	add("long");
	WAIT_FOR(count_of(f.store, "begun") == 1);
	cr_assert(WIFSIGNALED(end(worker, SIGKILL)) && waiting() == 1);
	int64_t left = lease_left("long");
	cr_assert(left > 0 && left <= 8000, "%lld", (long long)left);
	worker = start();
	WAIT_FOR(count_of(f.store, "begun") == 2);
	cr_assert(lease_left("long") > 0);
	cr_assert(end(worker, SIGTERM) == 0 && count_of(f.store, "stopped") == 1);
}

Test(queue_worker, a_long_job_keeps_its_lease_until_it_is_taken_away)
{
	pid_t worker = start();
	add("long");
	WAIT_FOR(count_of(f.store, "begun") == 1);
	WAIT_FOR(lease_left("long") < 7000);
	WAIT_FOR(lease_left("long") > 7500);
	call(f.store, ARGUMENTS(SLICE("SET"), lease_of("long"), SLICE("another"), SLICE("PX"), SLICE("60000")));
	WAIT_FOR(count_of(f.store, "lost") == 1);
	cr_assert(waiting() == 1);
	cr_assert(end(worker, SIGTERM) == 0);
	cr_assert(lease_left("long") > 0 && count_of(f.store, "begun") == 1, "it is the other's");
	call(f.store, ARGUMENTS(SLICE("DEL"), lease_of("long")));
}

Test(queue_worker, without_redis_it_waits_for_it)
{
	config.redis_url = SLICE("unix:///nonexistent/redis.sock");
	pid_t worker = start();
	usleep(100000);
	cr_assert(waitpid(worker, NULL, WNOHANG) == 0, "it runs");
	cr_assert(end(worker, SIGTERM) == 0);
}

// Found as long as there is work, which the handler of "take" takes piece by piece.
static enum result find(struct store *store, struct arena *arena, struct slice **entries, size_t *entry_count)
{
	struct slice list = slice_of(key_of("work"));
	const struct reply *kinds = call(store, ARGUMENTS(SLICE("LRANGE"), list, SLICE("0"), SLICE("0")));
	count(store, "found");
	*entries = arena_array(arena, 1, sizeof(**entries));
	*entry_count = reply_count(kinds);
	if (*entry_count > 0)
		(*entries)[0] = reply_text(reply_at(kinds, 0));
	return RESULT_OK;
}

static void put_work(const char *entry)
{
	queue.key = NULL;
	queue.find = find;
	call(f.store, ARGUMENTS(SLICE("RPUSH"), slice_of(key_of("work")), slice_of(entry)));
}

static int64_t work_left(void)
{
	return reply_integer(call(f.store, ARGUMENTS(SLICE("LLEN"), slice_of(key_of("work")))));
}

Test(queue_worker, what_is_found_is_done_until_nothing_is_found)
{
	int64_t begin_us = clock_monotonic_us();
	for (int i = 0; i < 3; i++)
		put_work("take");
	pid_t worker = start();
	WAIT_FOR(work_left() == 0);
	cr_assert(clock_monotonic_us() - begin_us > 2 * JOB_FIND_MS * 1000, "not more often");
	WAIT_FOR(count_of(f.store, "found") == 4);
	cr_assert(end(worker, SIGTERM) == 0);
	cr_assert(count_of(f.store, "begun") == 3 && lease_left("take") == -2);
}

Test(queue_worker, what_is_found_by_several_is_done_by_one)
{
	pid_t workers[WORKERS];
	put_work("long");
	for (int w = 0; w < WORKERS; w++)
		workers[w] = start();
	WAIT_FOR(count_of(f.store, "found") >= 2 * WORKERS);
	cr_assert(count_of(f.store, "begun") == 1 && lease_left("long") > 0);
	for (int w = 0; w < WORKERS; w++)
		cr_assert(end(workers[w], SIGTERM) == 0);
}

Test(queue_worker, what_a_killed_one_had_found_is_found_again)
{
	put_work("long");
	pid_t worker = start();
	WAIT_FOR(count_of(f.store, "begun") == 1);
	cr_assert(WIFSIGNALED(end(worker, SIGKILL)));
	worker = start();
	WAIT_FOR(count_of(f.store, "begun") == 2);
	cr_assert(end(worker, SIGTERM) == 0 && work_left() == 1);
}

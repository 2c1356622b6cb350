// A Redis that is full still takes what must not be lost. It has to be a Redis of our own.
#include "../../support/fixture.h"
#include "customerio/lookup.h"
#include "customerio/quarantine.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLUG SLICE("full")
#define ATTEMPTS 500 // of 10 ms

static char directory[] = "/tmp/ciobridge-full-XXXXXX";
static pid_t redis;
static struct arena *arena;
static struct store *store;

static void run_redis(const char *socket)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly",
	       "no", "--dir", directory, "--logfile", "/dev/null", (char *)NULL);
	_exit(127);
}

static enum result call(const struct slice *arguments, size_t count)
{
	const struct reply *reply;
	return store_call(store, arena, &reply, arguments, count);
}

static void set_up(void)
{
	const char *reason;
	arena = arena_new(1 << 20);
	cr_assert(arena != NULL && mkdtemp(directory) != NULL);
	const char *socket = arena_format(arena, "%s/redis.sock", directory).data;
	redis = fork();
	cr_assert(redis >= 0);
	if (redis == 0)
		run_redis(socket);
	cr_assert(store_new(arena_format(arena, "unix://%s", socket), 0, &store, &reason) == RESULT_OK);
	for (int attempt = 0; call(ARGUMENTS(SLICE("PING"))) != RESULT_OK; attempt++) {
		cr_assert_lt(attempt, ATTEMPTS);
		usleep(10000);
	}
	cr_assert(call(ARGUMENTS(SLICE("CONFIG"), SLICE("SET"), SLICE("maxmemory"), SLICE("1"))) == RESULT_OK);
}

static void tear_down(void)
{
	store_free(store);
	kill(redis, SIGKILL);
	waitpid(redis, NULL, 0);
	unlink(arena_format(arena, "%s/redis.sock", directory).data);
	rmdir(directory);
	arena_free(arena);
}
TestSuite(when_full, .init = set_up, .fini = tear_down, .timeout = 60);

Test(when_full, nothing_else_is_taken)
{
	cr_assert(call(ARGUMENTS(SLICE("SET"), SLICE("x"), SLICE("y"))) == RESULT_UNAVAILABLE);
}

Test(when_full, a_quarantined_event)
{
	struct quarantine_totals totals;
	struct quarantine_entry *entries;
	size_t count;
	cr_assert(quarantine_add(store, arena, SLUG, SLICE("a test"), 1, SLICE("body"), 4) == RESULT_OK);
	cr_assert(quarantine_list(store, arena, SLUG, SLICE(""), 10, &entries, &count) == RESULT_OK);
	cr_assert_eq(count, 1);
	cr_assert(quarantine_remove(store, arena, SLUG, entries[0].id) == RESULT_OK);
	cr_assert(quarantine_totals(store, arena, SLUG, &totals) == RESULT_OK);
	cr_assert_eq(totals.waiting, 0);
	cr_assert_eq(totals.waiting_bytes, 0);
}

Test(when_full, a_look_up)
{
	struct key_name key = partition_key(SLUG, partition_of(SLICE("42")), "lookups", SLICE(""));
	const struct reply *reply;
	cr_assert(lookup_queue(store, arena, SLUG, LOOKUP_ADDRESS, SLICE("42"), 1000) == RESULT_OK);
	cr_assert(store_call(store, arena, &reply, ARGUMENTS(SLICE("ZCARD"), key_slice(&key))) == RESULT_OK);
	cr_assert_eq(reply_integer(reply), 1);
	struct lookup *taken;
	size_t count;
	cr_assert(lookup_take(store, arena, SLUG, &taken, &count) == RESULT_OK && count == 1);
	cr_assert(lookup_done(store, arena, SLUG, taken) == RESULT_OK);
	cr_assert(lookup_take(store, arena, SLUG, &taken, &count) == RESULT_OK && count == 0);
}

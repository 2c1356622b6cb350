// A Redis that wants a password, by TCP: what a connection begins with. It has to be a Redis of our own.
#include "../../support/fixture.h"
#include "io/store.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTEMPTS 500 // of 10 ms
#define FIRST_PORT 20000
#define PORTS 20000

static char directory[] = "/tmp/ciobridge-login-XXXXXX";
static pid_t redis;
static struct arena *arena;
static int port;

static void run_redis(const char *socket)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp("redis-server", "redis-server", "--port", "0", "--bind", "127.0.0.1", "--unixsocket", socket, "--save",
	       "", "--appendonly", "no", "--dir", directory, "--logfile", "/dev/null", (char *)NULL);
	_exit(127);
}

static enum result call(struct store *store, const struct slice *arguments, size_t count)
{
	const struct reply *reply;
	return store_call(store, arena, &reply, arguments, count);
}

static struct store *open_url(struct slice url)
{
	struct store *store = NULL;
	const char *reason;
	cr_assert(url.data != NULL && store_new(url, 0, &store, &reason) == RESULT_OK);
	return store;
}

// One that nobody else listens on.
static void choose_port(struct store *store)
{
	struct dice dice = dice_new("a port");
	enum result result;
	do {
		port = FIRST_PORT + (int)dice_roll(&dice, PORTS);
		result = call(store, ARGUMENTS(SLICE("CONFIG"), SLICE("SET"), SLICE("port"),
		                               arena_format(arena, "%d", port)));
	} while (result != RESULT_OK);
}

static void set_up(void)
{
	arena = arena_new(1 << 20);
	cr_assert(arena != NULL && mkdtemp(directory) != NULL);
	const char *socket = arena_format(arena, "%s/redis.sock", directory).data;
	redis = fork();
	cr_assert(redis >= 0);
	if (redis == 0)
		run_redis(socket);
	struct store *store = open_url(arena_format(arena, "unix://%s", socket));
	for (int attempt = 0; call(store, ARGUMENTS(SLICE("PING"))) != RESULT_OK; attempt++) {
		cr_assert_lt(attempt, ATTEMPTS);
		usleep(10000);
	}
	choose_port(store);
	cr_assert_eq(call(store, ARGUMENTS(SLICE("ACL"), SLICE("SETUSER"), SLICE("ann"), SLICE("on"), SLICE(">of ann"),
	                                   SLICE("~*"), SLICE("+@all"))),
	             RESULT_OK);
	cr_assert_eq(call(store, ARGUMENTS(SLICE("CONFIG"), SLICE("SET"), SLICE("requirepass"), SLICE("of all"))),
	             RESULT_OK);
	store_free(store);
}

static void tear_down(void)
{
	kill(redis, SIGKILL);
	waitpid(redis, NULL, 0);
	unlink(arena_format(arena, "%s/redis.sock", directory).data);
	rmdir(directory);
	arena_free(arena);
}
TestSuite(store_login, .init = set_up, .fini = tear_down, .timeout = 60);

static enum result ping(const char *login, const char *database)
{
	struct store *store = open_url(arena_format(arena, "redis://%s127.0.0.1:%d%s", login, port, database));
	enum result result = call(store, ARGUMENTS(SLICE("PING")));
	store_free(store);
	return result;
}

Test(store_login, a_good_password_is_taken_and_a_wrong_or_missing_one_is_not)
{
	cr_assert_eq(ping(":of%20all@", ""), RESULT_OK);
	cr_assert_eq(ping("ann:of%20ann@", ""), RESULT_OK);
	cr_assert_eq(ping("ann:of%20all@", ""), RESULT_UNAVAILABLE);
	cr_assert_eq(ping("bob:of%20ann@", ""), RESULT_UNAVAILABLE);
	cr_assert_eq(ping(":of%20ann@", ""), RESULT_UNAVAILABLE);
	cr_assert_eq(ping("", ""), RESULT_UNAVAILABLE);
}

Test(store_login, the_database_is_chosen_on_each_connection)
{
	const struct reply *reply = NULL;
	struct store *third = open_url(arena_format(arena, "redis://ann:of%%20ann@127.0.0.1:%d/3", port));
	struct store *first = open_url(arena_format(arena, "redis://ann:of%%20ann@127.0.0.1:%d", port));
	cr_assert_eq(call(third, ARGUMENTS(SLICE("SET"), SLICE("where"), SLICE("third"))), RESULT_OK);
	// Ends the third's connection; the next one has to log in and choose anew.
	cr_assert_eq(call(first, ARGUMENTS(SLICE("CLIENT"), SLICE("KILL"), SLICE("TYPE"), SLICE("normal"))), RESULT_OK);
	store_settle(third);
	cr_assert_eq(store_call(third, arena, &reply, ARGUMENTS(SLICE("GET"), SLICE("where"))), RESULT_OK);
	cr_assert(slice_equal(reply_text(reply), SLICE("third")));
	cr_assert_eq(store_call(first, arena, &reply, ARGUMENTS(SLICE("GET"), SLICE("where"))), RESULT_OK);
	cr_assert(reply_is_null(reply));
	cr_assert_eq(ping("ann:of%20ann@", "/99"), RESULT_UNAVAILABLE, "there are 16");
	store_free(first);
	store_free(third);
}

#include "../../support/fixture.h"
#include "base/clock.h"
#include "io/store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(store, .init = set_up, .fini = tear_down, .timeout = 60);

static struct slice key(const char *name)
{
	return arena_format(f.arena, "cb:{%s}:%s", f.project.data, name);
}

// Ends the store's connection from the other side, as a restart of Redis does.
// Between two requests.
static void cut_connection(void)
{
	const struct reply *reply = NULL;
	struct store *other = fixture_store();
	cr_assert(store_call(f.store, f.arena, &reply, ARGUMENTS(SLICE("CLIENT"), SLICE("ID"))) == RESULT_OK);
	struct slice id = arena_format(f.arena, "%lld", (long long)reply_integer(reply));
	cr_assert(store_call(other, f.arena, &reply, ARGUMENTS(SLICE("CLIENT"), SLICE("KILL"), SLICE("ID"), id)) ==
	          RESULT_OK);
	cr_assert(reply_integer(reply) == 1);
	store_free(other);
	store_settle(f.store);
}

Test(store, urls)
{
	static const struct {
		const char *url;
		enum result result;
	} cases[] = {
	        {"redis://127.0.0.1:6379", RESULT_OK},
	        {"redis://localhost", RESULT_OK},
	        {"redis://:secret@127.0.0.1:6379/2", RESULT_OK},
	        {"redis://user:p%40ss@[::1]:7000/0", RESULT_OK},
	        {"unix:///run/redis.sock", RESULT_OK},
	        {"unix:///run/redis.sock?db=3", RESULT_OK},
	        {"", RESULT_INVALID},
	        {"http://127.0.0.1", RESULT_INVALID},
	        {"unix://relative", RESULT_INVALID},
	        {"unix:///run/redis.sock?db=x", RESULT_INVALID},
	        {"redis://127.0.0.1:0", RESULT_INVALID},
	        {"redis://127.0.0.1:65536", RESULT_INVALID},
	        {"redis://127.0.0.1:12ab", RESULT_INVALID},
	        {"redis://127.0.0.1/-1", RESULT_INVALID},
	        {"redis://us%zz:x@127.0.0.1", RESULT_INVALID},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct store *store = NULL;
		const char *reason = NULL;
		cr_expect(store_new(slice_of(cases[i].url), 0, &store, &reason) == cases[i].result, "%s", cases[i].url);
		cr_expect(cases[i].result == RESULT_OK || strlen(reason) > 0);
		store_free(store);
	}
}

Test(store, answers_come_in_order)
{
	const struct reply *reply;
	store_send(f.store, ARGUMENTS(SLICE("SET"), key("a"), SLICE("x\0y")));
	store_send(f.store, ARGUMENTS(SLICE("GET"), key("a")));
	store_send(f.store, ARGUMENTS(SLICE("GET"), key("none")));
	store_send(f.store, ARGUMENTS(SLICE("MGET"), key("a"), key("none")));
	cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(slice_equal(reply_text(reply), SLICE("OK")));
	cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(slice_equal(reply_text(reply), SLICE("x\0y")));
	cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(reply_is_null(reply) && reply_text(reply).data == NULL);
	cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(reply_count(reply) == 2 && reply_is_null(reply_at(reply, 1)) && reply_at(reply, 2) == NULL);
	cr_expect(store_receive(f.store, f.arena, &reply) == RESULT_UNAVAILABLE, "nothing more was sent");
}

Test(store, a_refused_command_does_not_disturb_the_next)
{
	const struct reply *reply;
	fixture_command(&f, ARGUMENTS(SLICE("SET"), key("a"), SLICE("text")));
	store_send(f.store, ARGUMENTS(SLICE("INCR"), key("a")));
	store_send(f.store, ARGUMENTS(SLICE("GET"), key("a")));
	cr_expect(store_receive(f.store, f.arena, &reply) == RESULT_UNAVAILABLE);
	cr_assert(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(slice_equal(reply_text(reply), SLICE("text")));
}

Test(store, what_was_not_received_is_done_but_never_mixed_up)
{
	store_send(f.store, ARGUMENTS(SLICE("SET"), key("a"), SLICE("1")));
	store_send(f.store, ARGUMENTS(SLICE("INCR"), key("a")));
	store_settle(f.store);
	cr_expect(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("GET"), key("a")))) == 2);
	store_send(f.store, ARGUMENTS(SLICE("GET"), key("none")));
	store_settle(f.store);
	store_settle(f.store);
	cr_expect(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("INCR"), key("a")))) == 3);
}

Test(store, a_lost_connection_is_replaced_unnoticed_between_requests)
{
	cut_connection();
	cr_expect(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("INCR"), key("a")))) == 1);
}

Test(store, a_connection_lost_with_unwanted_answers_is_replaced)
{
	const struct reply *reply;
	cut_connection();
	store_send(f.store, ARGUMENTS(SLICE("INCR"), key("a")));
	store_settle(f.store);
	cut_connection();
	cr_expect(store_call(f.store, f.arena, &reply, ARGUMENTS(SLICE("GET"), key("a"))) == RESULT_OK);
}

Test(store, what_is_on_its_way_when_the_connection_goes_is_lost_not_repeated)
{
	const struct reply *reply;
	store_send(f.store,
	           ARGUMENTS(SLICE("CLIENT"), SLICE("KILL"), SLICE("SKIPME"), SLICE("no"), SLICE("ID"), SLICE("0")));
	store_settle(f.store);
	fixture_command(&f, ARGUMENTS(SLICE("PING")));
	store_send(f.store, ARGUMENTS(SLICE("INCR"), key("a")));
	store_send(f.store, ARGUMENTS(SLICE("QUIT")));
	store_send(f.store, ARGUMENTS(SLICE("INCR"), key("a")));
	store_send(f.store, ARGUMENTS(SLICE("INCR"), key("a")));
	cr_expect(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(store_receive(f.store, f.arena, &reply) == RESULT_OK);
	cr_expect(store_receive(f.store, f.arena, &reply) == RESULT_UNAVAILABLE);
	cr_expect(store_receive(f.store, f.arena, &reply) == RESULT_UNAVAILABLE);
	cr_expect(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("GET"), key("a")))) == 1);
}

Test(store, nobody_there_is_found_out_fast)
{
	struct store *store = NULL;
	const char *reason;
	const struct reply *reply;
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &store, &reason) == RESULT_OK);
	int64_t before_us = clock_monotonic_us();
	for (int i = 0; i < 1000; i++)
		cr_assert(store_call(store, f.arena, &reply, ARGUMENTS(SLICE("PING"))) == RESULT_UNAVAILABLE);
	cr_expect(clock_monotonic_us() - before_us < 5000000, "a pause between attempts keeps this from piling up");
	store_free(store);
}

// A server that accepts and never says anything.
Test(store, a_silent_server_is_given_up_on)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/store-%s.sock", f.project.data);
	int silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(silent, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(silent, 8) == 0);
	struct store *store = NULL;
	const char *reason;
	const struct reply *reply;
	cr_assert(store_new(arena_format(f.arena, "unix://%s", address.sun_path), 0, &store, &reason) == RESULT_OK);
	cr_expect(store_call(store, f.arena, &reply, ARGUMENTS(SLICE("PING"))) == RESULT_UNAVAILABLE);
	store_free(store);
	close(silent);
	unlink(address.sun_path);
}

Test(store, replicas_that_are_asked_for_and_missing_are_no_promise)
{
	struct store *store = NULL;
	const char *reason;
	cr_assert(store_new(slice_of(getenv("CIOBRIDGE_TEST_REDIS")), 1, &store, &reason) == RESULT_OK);
	cr_expect(store_confirm(store, f.arena) == RESULT_UNAVAILABLE);
	cr_expect(store_confirm(f.store, f.arena) == RESULT_OK, "none asked for");
	store_free(store);
}

Test(store, the_time_is_the_servers)
{
	int64_t ms = 0;
	cr_assert(store_time_ms(f.store, f.arena, &ms) == RESULT_OK);
	cr_expect(llabs(ms - clock_now_ms()) < 60000);
}

// The queue of look-ups.
#include "../../support/fixture.h"
#include "customerio/lookup.h"
#include "project/project.h"

#include <criterion/criterion.h>

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(lookup, .init = set_up, .fini = tear_down, .timeout = 60);

#define JO SLICE("jo@example.com")
#define PREFERENCES_OF_JO SLICE("preferences\njo@example.com")

static void queue(enum lookup_kind kind, struct slice identifier, int64_t made_at_ms)
{
	cr_assert(lookup_queue(f.store, f.arena, f.project, kind, identifier, made_at_ms) == RESULT_OK);
}

static int64_t queued_at(struct slice identifier, struct slice member)
{
	struct key_name key = partition_key(f.project, partition_of(identifier), "lookups", SLICE(""));
	return reply_integer(fixture_command(&f, ARGUMENTS(SLICE("ZSCORE"), key_slice(&key), member)));
}

Test(lookup, one_entry_a_person_and_kind)
{
	struct key_name key = partition_key(f.project, partition_of(JO), "lookups", SLICE(""));
	queue(LOOKUP_PREFERENCES, JO, 1613063089000);
	queue(LOOKUP_PREFERENCES, JO, 1613063089000);
	queue(LOOKUP_ADDRESS, JO, 1613063088000);
	cr_assert_eq(queued_at(JO, PREFERENCES_OF_JO), 1613063089000);
	cr_assert_eq(queued_at(JO, SLICE("address\njo@example.com")), 1613063088000);
	cr_assert_eq(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("ZCARD"), key_slice(&key)))), 2);
}

Test(lookup, the_newest_time_stays)
{
	queue(LOOKUP_PREFERENCES, JO, 2000);
	queue(LOOKUP_PREFERENCES, JO, 1000);
	cr_assert_eq(queued_at(JO, PREFERENCES_OF_JO), 2000);
	queue(LOOKUP_PREFERENCES, JO, 3000);
	cr_assert_eq(queued_at(JO, PREFERENCES_OF_JO), 3000);
}

Test(lookup, the_future_counts_as_now)
{
	int64_t before_ms, after_ms;
	cr_assert(store_time_ms(f.store, f.arena, &before_ms) == RESULT_OK);
	queue(LOOKUP_PREFERENCES, JO, INT64_C(253402300799000));
	cr_assert(store_time_ms(f.store, f.arena, &after_ms) == RESULT_OK);
	cr_assert(queued_at(JO, PREFERENCES_OF_JO) >= before_ms);
	cr_assert(queued_at(JO, PREFERENCES_OF_JO) <= after_ms);
}

Test(lookup, each_in_the_partition_of_its_identifier)
{
	for (int id = 0; id < 100; id++) {
		struct slice identifier = arena_format(f.arena, "%d", id);
		queue(LOOKUP_ADDRESS, identifier, 1000 + id);
		cr_assert_eq(queued_at(identifier, arena_format(f.arena, "address\n%d", id)), 1000 + id);
	}
}

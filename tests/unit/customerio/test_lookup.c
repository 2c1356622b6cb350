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

static size_t take(struct lookup **lookups)
{
	size_t count;
	cr_assert(lookup_take(f.store, f.arena, f.project, lookups, &count) == RESULT_OK);
	return count;
}

static void done(const struct lookup *lookup)
{
	cr_assert(lookup_done(f.store, f.arena, f.project, lookup) == RESULT_OK);
}

static bool is_queued(struct slice identifier, struct slice member)
{
	struct key_name key = partition_key(f.project, partition_of(identifier), "lookups", SLICE(""));
	const struct reply *score = fixture_command(&f, ARGUMENTS(SLICE("ZSCORE"), key_slice(&key), member));
	return !reply_is_null(score);
}

Test(lookup, what_is_taken_stays_until_it_is_done)
{
	struct lookup *taken;
	cr_assert_eq(take(&taken), 0);
	queue(LOOKUP_PREFERENCES, JO, 1613063089000);
	for (int again = 0; again < 3; again++) {
		cr_assert_eq(take(&taken), 1, "a worker that died has not lost it");
		cr_assert(taken[0].kind == LOOKUP_PREFERENCES && slice_equal(taken[0].identifier, JO));
		cr_assert_eq(taken[0].made_at_ms, 1613063089000);
	}
	done(&taken[0]);
	cr_assert(!is_queued(JO, PREFERENCES_OF_JO));
	cr_assert_eq(take(&taken), 0);
	done(&taken[0]);
}

Test(lookup, an_event_that_comes_meanwhile_keeps_it)
{
	static const int64_t later_ms[] = {0, 1, 1000};
	for (size_t i = 0; i < COUNT_OF(later_ms); i++) {
		struct lookup *first, *second;
		queue(LOOKUP_PREFERENCES, JO, 1000);
		cr_assert_eq(take(&first), 1);
		queue(LOOKUP_PREFERENCES, JO, 1000 + later_ms[i]);
		done(first);
		cr_assert_eq(queued_at(JO, PREFERENCES_OF_JO), 1000 + later_ms[i]);
		cr_assert_eq(take(&second), 1);
		cr_assert_eq(second->made_at_ms, 1000 + later_ms[i]);
		done(second);
		cr_assert(!is_queued(JO, PREFERENCES_OF_JO));
	}
}

Test(lookup, an_older_event_does_not)
{
	struct lookup *taken;
	queue(LOOKUP_PREFERENCES, JO, 2000);
	cr_assert_eq(take(&taken), 1);
	queue(LOOKUP_PREFERENCES, JO, 1999);
	done(taken);
	cr_assert(!is_queued(JO, PREFERENCES_OF_JO));
}

Test(lookup, some_at_a_time_until_none_is_left)
{
	enum { QUEUED = 3 * LOOKUPS_A_PARTITION };
	struct slice identifiers[QUEUED];
	struct lookup *taken;
	size_t found = 0;
	for (int id = 0; found < QUEUED; id++) {
		identifiers[found] = arena_format(f.arena, "%d", id);
		if (partition_of(identifiers[found]) != 7)
			continue;
		queue(LOOKUP_ADDRESS, identifiers[found++], 1000);
	}
	for (size_t left = QUEUED; left > 0; left -= LOOKUPS_A_PARTITION) {
		cr_assert_eq(take(&taken), LOOKUPS_A_PARTITION);
		for (size_t i = 0; i < LOOKUPS_A_PARTITION; i++)
			done(&taken[i]);
	}
	cr_assert_eq(take(&taken), 0);
}

Test(lookup, what_another_version_queued_is_left_alone)
{
	struct key_name key = partition_key(f.project, 3, "lookups", SLICE(""));
	struct lookup *taken;
	fixture_command(&f, ARGUMENTS(SLICE("ZADD"), key_slice(&key), SLICE("1000"), SLICE("something\n42")));
	cr_assert_eq(take(&taken), 0);
	cr_assert_eq(reply_integer(fixture_command(&f, ARGUMENTS(SLICE("ZCARD"), key_slice(&key)))), 1);
}

static bool is_found(struct slice project)
{
	struct slice *projects;
	size_t count;
	bool is = false;
	cr_assert(lookup_find(f.store, f.arena, &projects, &count) == RESULT_OK);
	for (size_t i = 0; i < count; i++)
		is = is || slice_equal(projects[i], project);
	return is;
}

Test(lookup, projects_are_found_as_long_as_they_have_some)
{
	static const int ids[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct lookup *taken;
	bool created;
	cr_assert(project_put(f.store, f.arena, f.project, SLICE(""), &created) == RESULT_OK && created);
	cr_assert(!is_found(f.project));
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		queue(LOOKUP_ADDRESS, arena_format(f.arena, "%d", ids[i]), 1000);
		cr_assert(is_found(f.project));
		cr_assert_eq(take(&taken), 1);
		cr_assert(is_found(f.project), "taken is not done");
		done(taken);
		cr_assert(!is_found(f.project));
	}
	cr_assert(project_delete(f.store, f.arena, f.project) == RESULT_OK);
}

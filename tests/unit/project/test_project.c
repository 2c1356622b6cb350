// Projects: names of keys, making, finding, removing, and the field that is replaced only by whoever read it last.
#include "../../support/fixture.h"

#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

static bool text_is(struct slice slice, const char *text)
{
	return slice_equal(slice, slice_of(text));
}

Test(project, keys_carry_the_hash_tag)
{
	struct key_name key = project_key(SLICE("shop"), "settings");
	cr_assert(text_is(key_slice(&key), "cb:{shop}:settings"));
	key = partition_key(SLICE("shop"), 7, "audit", SLICE(""));
	cr_assert(text_is(key_slice(&key), "cb:{shop:07}:audit"));
	key = partition_key(SLICE("shop"), 15, "optouts:", SLICE("$all"));
	cr_assert(text_is(key_slice(&key), "cb:{shop:15}:optouts:$all"));
	key = partition_key(SLICE("shop"), 0, "audit", (struct slice){NULL, 0});
	cr_assert(text_is(key_slice(&key), "cb:{shop:00}:audit"));
}

Test(project, the_longest_names_fit)
{
	char slug[PROJECT_SLUG_MAXIMUM], rest[64], huge[400];
	memset(slug, 's', sizeof(slug));
	memset(rest, 'r', sizeof(rest));
	memset(huge, 'h', sizeof(huge));
	struct key_name key = partition_key((struct slice){slug, sizeof(slug)}, 15, "optouts:",
	                                    (struct slice){rest, sizeof(rest)});
	cr_assert_eq(key.length, strlen("cb:{:15}:optouts:") + sizeof(slug) + sizeof(rest));
	key = partition_key((struct slice){slug, sizeof(slug)}, 15, "x:", (struct slice){huge, sizeof(huge)});
	cr_assert(key.length < sizeof(key.text));
}

Test(project, partitions)
{
	// CRC-16/XMODEM of "123456789" is 0x31c3, as the Redis Cluster specification says.
	cr_assert_eq(partition_of(SLICE("123456789")), 3);
	cr_assert_eq(partition_of(SLICE("")), 0);
	bool hit[PROJECT_PARTITIONS] = {false};
	for (char i = 0; i < 127; i++)
		hit[partition_of((struct slice){&i, 1})] = true;
	for (size_t i = 0; i < PROJECT_PARTITIONS; i++)
		cr_assert(hit[i], "partition %zu", i);
}

Test(project, slugs)
{
	static const char *const good[] = {"a", "0", "a-", "shop-2", "0123456789012345678901234567890123456789"};
	static const char *const bad[] = {"", "-", "-a", "A", "a_b", "a b", "a.b", "a}", "a:b", "a*", "\xc3\xa9",
	                                  "01234567890123456789012345678901234567890"};
	for (size_t i = 0; i < COUNT_OF(good); i++)
		cr_assert(project_slug_is_valid(slice_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		cr_assert(!project_slug_is_valid(slice_of(bad[i])), "%s", bad[i]);
	cr_assert(!project_slug_is_valid((struct slice){"a\0b", 3}));
	cr_assert(!project_slug_is_valid((struct slice){NULL, 0}));
}

Test(project, is_made_named_and_listed)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct slice name, *slugs;
	size_t count, found = 0;
	bool created = false;
	cr_assert_eq(project_get(fixture.store, fixture.arena, fixture.project, &name), RESULT_NOT_FOUND);
	cr_assert_eq(project_put(fixture.store, fixture.arena, fixture.project, (struct slice){NULL, 0}, &created),
	             RESULT_OK);
	cr_assert(created);
	cr_assert_eq(project_get(fixture.store, fixture.arena, fixture.project, &name), RESULT_OK);
	cr_assert(slice_equal(name, fixture.project));
	cr_assert_eq(project_put(fixture.store, fixture.arena, fixture.project, SLICE("Shop"), &created), RESULT_OK);
	cr_assert(!created);
	cr_assert_eq(project_put(fixture.store, fixture.arena, fixture.project, (struct slice){NULL, 0}, &created),
	             RESULT_OK);
	cr_assert_eq(project_get(fixture.store, fixture.arena, fixture.project, &name), RESULT_OK);
	cr_assert(text_is(name, "Shop"));
	cr_assert_eq(project_list(fixture.store, fixture.arena, &slugs, &count), RESULT_OK);
	for (size_t i = 0; i < count; i++) {
		found += slice_equal(slugs[i], fixture.project);
		cr_assert(i == 0 || slice_compare(slugs[i - 1], slugs[i]) < 0, "sorted");
	}
	cr_assert_eq(found, 1);
}

Test(project, an_invalid_slug_never_reaches_redis)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct slice name;
	bool created;
	cr_assert_eq(project_put(fixture.store, fixture.arena, SLICE("*"), SLICE("x"), &created), RESULT_INVALID);
	cr_assert_eq(project_get(fixture.store, fixture.arena, SLICE("*"), &name), RESULT_NOT_FOUND);
	cr_assert_eq(project_delete(fixture.store, fixture.arena, SLICE("*")), RESULT_NOT_FOUND);
}

static bool exists(struct fixture *fixture, const struct key_name *key)
{
	return reply_integer(fixture_command(fixture, ARGUMENTS(SLICE("EXISTS"), key_slice(key)))) == 1;
}

Test(project, goes_with_every_key_and_no_other)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct fixture *f = &fixture;
	struct slice near = arena_format(f->arena, "%s-2", f->project.data);
	const struct key_name gone[] = {
		project_key(f->project, "settings"),
		project_key(f->project, "job:01"),
		partition_key(f->project, 0, "audit", SLICE("")),
		partition_key(f->project, 15, "optouts:", SLICE("news")),
	};
	const struct key_name kept[] = {project_key(near, "settings"), partition_key(near, 0, "audit", SLICE(""))};
	struct slice name;
	bool created;
	cr_assert_eq(project_put(f->store, f->arena, f->project, SLICE("x"), &created), RESULT_OK);
	for (size_t i = 0; i < COUNT_OF(gone); i++)
		fixture_command(f, ARGUMENTS(SLICE("SET"), key_slice(&gone[i]), SLICE("x")));
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		fixture_command(f, ARGUMENTS(SLICE("SET"), key_slice(&kept[i]), SLICE("x")));
	cr_assert_eq(project_delete(f->store, f->arena, f->project), RESULT_OK);
	for (size_t i = 0; i < COUNT_OF(gone); i++)
		cr_assert(!exists(f, &gone[i]), "%.*s", (int)gone[i].length, gone[i].text);
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		cr_assert(exists(f, &kept[i]), "%.*s", (int)kept[i].length, kept[i].text);
		fixture_command(f, ARGUMENTS(SLICE("DEL"), key_slice(&kept[i])));
	}
	cr_assert_eq(project_get(f->store, f->arena, f->project, &name), RESULT_NOT_FOUND);
	cr_assert_eq(project_delete(f->store, f->arena, f->project), RESULT_NOT_FOUND);
}

Test(project, goes_when_it_has_many_keys)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	bool created;
	cr_assert_eq(project_put(fixture.store, fixture.arena, fixture.project, SLICE("x"), &created), RESULT_OK);
	for (int i = 0; i < 5000; i++) {
		struct slice rest = arena_format(fixture.arena, "%d", i);
		struct key_name key = partition_key(fixture.project, i % PROJECT_PARTITIONS, "person:", rest);
		store_send(fixture.store, ARGUMENTS(SLICE("SET"), key_slice(&key), SLICE("x")));
	}
	store_settle(fixture.store);
	cr_assert_eq(project_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
	struct slice pattern = arena_format(fixture.arena, "*%s*", fixture.project.data);
	cr_assert_eq(reply_count(fixture_command(&fixture, ARGUMENTS(SLICE("KEYS"), pattern))), 0);
}

// What a removal leaves behind that was interrupted after its first step.
Test(project, an_interrupted_removal_can_be_repeated)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct key_name project = project_key(fixture.project, "project"), left = project_key(fixture.project, "left");
	struct slice name;
	bool created;
	cr_assert_eq(project_put(fixture.store, fixture.arena, fixture.project, SLICE("x"), &created), RESULT_OK);
	fixture_command(&fixture, ARGUMENTS(SLICE("SET"), key_slice(&left), SLICE("x")));
	fixture_command(&fixture, ARGUMENTS(SLICE("DEL"), key_slice(&project)));
	cr_assert_eq(project_get(fixture.store, fixture.arena, fixture.project, &name), RESULT_NOT_FOUND);
	cr_assert_eq(project_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
	cr_assert(!exists(&fixture, &left));
	cr_assert_eq(project_delete(fixture.store, fixture.arena, fixture.project), RESULT_NOT_FOUND);
}

static enum result replace(struct fixture *fixture, const char *old, const char *value)
{
	struct key_name key = project_key(fixture->project, "settings");
	struct slice none = {NULL, 0};
	return field_replace(fixture->store, fixture->arena, &key, SLICE("field"), old ? slice_of(old) : none,
	                     value ? slice_of(value) : none);
}

static bool field_is(struct fixture *fixture, const char *wanted)
{
	struct key_name key = project_key(fixture->project, "settings");
	const struct reply *reply = fixture_command(fixture, ARGUMENTS(SLICE("HGET"), key_slice(&key), SLICE("field")));
	return wanted == NULL ? reply_is_null(reply) : text_is(reply_text(reply), wanted);
}

Test(field_replace, only_while_it_holds_what_was_read)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	cr_assert_eq(replace(&fixture, "a", "b"), RESULT_CONFLICT, "absent is not \"a\"");
	cr_assert_eq(replace(&fixture, "", "b"), RESULT_CONFLICT, "absent is not empty");
	cr_assert(field_is(&fixture, NULL));
	cr_assert_eq(replace(&fixture, NULL, "a"), RESULT_OK);
	cr_assert_eq(replace(&fixture, NULL, "b"), RESULT_CONFLICT, "it is there now");
	cr_assert(field_is(&fixture, "a"));
	cr_assert_eq(replace(&fixture, "a", ""), RESULT_OK);
	cr_assert_eq(replace(&fixture, NULL, "b"), RESULT_CONFLICT, "empty is not absent");
	cr_assert_eq(replace(&fixture, "", "c"), RESULT_OK);
	cr_assert_eq(replace(&fixture, "x", NULL), RESULT_CONFLICT);
	cr_assert(field_is(&fixture, "c"));
	cr_assert_eq(replace(&fixture, "c", NULL), RESULT_OK);
	cr_assert(field_is(&fixture, NULL));
	cr_assert_eq(replace(&fixture, NULL, NULL), RESULT_OK);
}

Test(project, says_when_the_store_is_away)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct key_name key = project_key(fixture.project, "settings");
	struct store *dead;
	struct slice name = {NULL, 0}, *slugs;
	size_t count;
	bool created;
	const char *reason;
	cr_assert(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &dead, &reason) == RESULT_OK);
	cr_assert_eq(project_put(dead, fixture.arena, fixture.project, SLICE("x"), &created), RESULT_UNAVAILABLE);
	cr_assert_eq(project_get(dead, fixture.arena, fixture.project, &name), RESULT_UNAVAILABLE);
	cr_assert_eq(project_list(dead, fixture.arena, &slugs, &count), RESULT_UNAVAILABLE);
	cr_assert_eq(project_delete(dead, fixture.arena, fixture.project), RESULT_UNAVAILABLE);
	cr_assert_eq(field_replace(dead, fixture.arena, &key, SLICE("f"), name, name), RESULT_UNAVAILABLE);
	store_free(dead);
}

// API keys: what a key may do, that it is stored as a digest only, and that it ends when it is revoked.
#include "../../support/fixture.h"

#include "base/clock.h"
#include "codec/crypt.h"
#include "project/api_key.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static struct fixture open_project(void)
{
	struct fixture fixture = fixture_open();
	bool created;
	cr_assert_eq(project_put(fixture.store, fixture.arena, fixture.project, SLICE("x"), &created), RESULT_OK);
	return fixture;
}

static enum result create(struct fixture *fixture, enum role role, const char *label, const struct json **shown)
{
	struct buffer *buffer = buffer_new(fixture->arena, 4096);
	struct json_writer out = json_writer_on(buffer);
	TRY(api_key_create(fixture->store, fixture->arena, fixture->project, role, slice_of(label), &out));
	return json_parse(fixture->arena, buffer_slice(buffer), shown, NULL);
}

static struct slice member(const struct json *object, const char *name)
{
	return json_text(json_get(object, name));
}

static const struct json *list(struct fixture *fixture)
{
	struct buffer *buffer = buffer_new(fixture->arena, (size_t)1 << 20);
	struct json_writer out = json_writer_on(buffer);
	const struct json *shown;
	cr_assert_eq(api_key_list(fixture->store, fixture->arena, fixture->project, &out), RESULT_OK);
	cr_assert_eq(json_parse(fixture->arena, buffer_slice(buffer), &shown, NULL), RESULT_OK);
	return shown;
}

static enum result find(struct fixture *fixture, struct slice key)
{
	struct api_key found;
	return api_key_find(fixture->store, fixture->arena, key, &found);
}

// Keys of this project in cb:keys, listed or not.
static size_t count_holders(struct fixture *fixture)
{
	const struct reply *reply = fixture_command(fixture, ARGUMENTS(SLICE("HVALS"), SLICE("cb:keys")));
	size_t count = 0;
	for (size_t i = 0; i < reply_count(reply); i++) {
		struct slice text = reply_text(reply_at(reply, i));
		count += memmem(text.data, text.length, fixture->project.data, fixture->project.length) != NULL;
	}
	return count;
}

Test(api_key, roles_have_names)
{
	static const char *const names[] = {"none", "ingest", "ingest_secret", "read", "admin", "root"};
	enum role role;
	for (enum role known = ROLE_NONE; known <= ROLE_ROOT; known++)
		cr_assert_str_eq(role_name(known), names[known]);
	cr_assert(role_from_name(SLICE("ingest"), &role) && role == ROLE_INGEST);
	cr_assert(role_from_name(SLICE("ingest_secret"), &role) && role == ROLE_INGEST_SECRET);
	cr_assert(role_from_name(SLICE("read"), &role) && role == ROLE_READ);
	cr_assert(role_from_name(SLICE("admin"), &role) && role == ROLE_ADMIN);
	cr_assert(!role_from_name(SLICE("root"), &role) && !role_from_name(SLICE("none"), &role));
	cr_assert(!role_from_name(SLICE(""), &role) && !role_from_name(SLICE("Admin"), &role));
	cr_assert_eq(role, ROLE_ADMIN, "untouched");
}

Test(api_key, is_found_with_its_project_and_role)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	for (enum role role = ROLE_INGEST; role <= ROLE_ADMIN; role++) {
		const struct json *shown;
		struct api_key found;
		cr_assert_eq(create(&fixture, role, "l", &shown), RESULT_OK);
		cr_assert_eq(api_key_find(fixture.store, fixture.arena, member(shown, "key"), &found), RESULT_OK);
		cr_assert_eq(found.role, role);
		cr_assert(slice_equal(found.project, fixture.project));
		cr_assert(slice_equal(found.id, member(shown, "id")));
	}
}

Test(api_key, is_random_and_plain_ascii)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	const struct json *first, *second;
	cr_assert_eq(create(&fixture, ROLE_READ, "", &first), RESULT_OK);
	cr_assert_eq(create(&fixture, ROLE_READ, "", &second), RESULT_OK);
	struct slice key = member(first, "key");
	cr_assert(!slice_equal(key, member(second, "key")) && !slice_equal(member(first, "id"), member(second, "id")));
	cr_assert(slice_starts_with(key, SLICE("cb_")) && key.length >= 3 + 27 && key.length <= 64);
	for (size_t i = 0; i < key.length; i++)
		cr_assert(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", key.data[i]));
}

Test(api_key, anything_else_is_nobodys)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	const struct json *shown;
	cr_assert_eq(create(&fixture, ROLE_ADMIN, "", &shown), RESULT_OK);
	struct slice key = member(shown, "key");
	struct slice shorter = {key.data, key.length - 1};
	struct slice longer = arena_format(fixture.arena, "%sx", key.data);
	cr_assert_eq(find(&fixture, shorter), RESULT_UNAUTHENTICATED);
	cr_assert_eq(find(&fixture, longer), RESULT_UNAUTHENTICATED);
	cr_assert_eq(find(&fixture, SLICE("")), RESULT_UNAUTHENTICATED);
	cr_assert_eq(find(&fixture, crypt_sha256_hex(fixture.arena, key)), RESULT_UNAUTHENTICATED);
	cr_assert_eq(find(&fixture, member(shown, "id")), RESULT_UNAUTHENTICATED);
}

static void put_holder(struct fixture *fixture, struct slice key, struct slice record)
{
	struct slice digest = crypt_sha256_hex(fixture->arena, key);
	fixture_command(fixture, ARGUMENTS(SLICE("HSET"), SLICE("cb:keys"), digest, record));
}

Test(api_key, a_damaged_record_opens_nothing)
{
	static const char *const damaged[] = {
		"", "x", "[]", "{}", "{\"project\":\"p\",\"id\":\"i\",\"role\":\"root\"}",
		"{\"project\":\"*\",\"id\":\"i\",\"role\":\"admin\"}", "{\"id\":\"i\",\"role\":\"admin\"}",
		"{\"project\":\"p\",\"id\":\"i\"}",
	};
	AUTO(fixture_close) struct fixture fixture = open_project();
	struct slice key = fixture_slug(fixture.arena);
	for (size_t i = 0; i < COUNT_OF(damaged); i++) {
		put_holder(&fixture, key, slice_of(damaged[i]));
		cr_assert_eq(find(&fixture, key), RESULT_UNAUTHENTICATED, "%s", damaged[i]);
	}
	put_holder(&fixture, key, SLICE("{\"project\":\"p\",\"id\":\"i\",\"role\":\"admin\"}"));
	cr_assert_eq(find(&fixture, key), RESULT_OK);
	fixture_command(&fixture, ARGUMENTS(SLICE("HDEL"), SLICE("cb:keys"), crypt_sha256_hex(fixture.arena, key)));
}

Test(api_key, lists_the_newest_first_and_never_the_key)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	const struct json *first, *second;
	cr_assert_eq(create(&fixture, ROLE_READ, "older", &first), RESULT_OK);
	int64_t made_ms = clock_now_ms();
	while (clock_now_ms() <= made_ms)
		continue;
	cr_assert_eq(create(&fixture, ROLE_ADMIN, "newer", &second), RESULT_OK);
	const struct json *rows = list(&fixture);
	cr_assert_eq(json_count(rows), 2);
	cr_assert(slice_equal(member(json_at(rows, 0), "label"), SLICE("newer")));
	cr_assert(slice_equal(member(json_at(rows, 0), "role"), SLICE("admin")));
	cr_assert(slice_equal(member(json_at(rows, 0), "created_at"), member(second, "created_at")));
	cr_assert(slice_equal(member(json_at(rows, 1), "id"), member(first, "id")));
	cr_assert_eq(json_count(json_at(rows, 0)), 4);
}

Test(api_key, a_damaged_entry_does_not_hide_the_others)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	struct key_name keys = project_key(fixture.project, "keys");
	const struct json *shown;
	cr_assert_eq(create(&fixture, ROLE_READ, "", &shown), RESULT_OK);
	fixture_command(&fixture, ARGUMENTS(SLICE("HSET"), key_slice(&keys), SLICE("bad"), SLICE("{")));
	cr_assert_eq(json_count(list(&fixture)), 1);
}

Test(api_key, ends_when_revoked)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	const struct json *shown, *other;
	cr_assert_eq(create(&fixture, ROLE_READ, "", &shown), RESULT_OK);
	cr_assert_eq(create(&fixture, ROLE_READ, "", &other), RESULT_OK);
	struct slice id = member(shown, "id");
	cr_assert_eq(api_key_delete(fixture.store, fixture.arena, SLICE("another-project"), id), RESULT_NOT_FOUND);
	cr_assert_eq(find(&fixture, member(shown, "key")), RESULT_OK);
	cr_assert_eq(api_key_delete(fixture.store, fixture.arena, fixture.project, id), RESULT_OK);
	cr_assert_eq(find(&fixture, member(shown, "key")), RESULT_UNAUTHENTICATED);
	cr_assert_eq(find(&fixture, member(other, "key")), RESULT_OK);
	cr_assert_eq(json_count(list(&fixture)), 1);
	cr_assert_eq(api_key_delete(fixture.store, fixture.arena, fixture.project, id), RESULT_NOT_FOUND);
	cr_assert_eq(api_key_delete(fixture.store, fixture.arena, fixture.project, SLICE("")), RESULT_NOT_FOUND);
}

Test(api_key, a_project_has_at_most_a_thousand)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	struct key_name keys = project_key(fixture.project, "keys");
	const struct json *shown;
	for (int i = 0; i < API_KEYS_MAXIMUM - 1; i++)
		store_send(fixture.store, ARGUMENTS(SLICE("HSET"), key_slice(&keys),
		                                    arena_format(fixture.arena, "filler-%d", i), SLICE("{}")));
	store_settle(fixture.store);
	cr_assert_eq(create(&fixture, ROLE_READ, "", &shown), RESULT_OK);
	cr_assert_eq(create(&fixture, ROLE_READ, "", &shown), RESULT_LIMITED);
	cr_assert_eq(count_holders(&fixture), 1);
}

Test(api_key, a_project_that_is_not_there_gets_none)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	const struct json *shown;
	cr_assert_eq(create(&fixture, ROLE_READ, "", &shown), RESULT_NOT_FOUND);
	cr_assert_eq(count_holders(&fixture), 0);
}

Test(api_key, all_end_with_their_project)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	const struct json *shown;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(create(&fixture, ROLE_ADMIN, "", &shown), RESULT_OK);
	cr_assert_eq(count_holders(&fixture), 3);
	cr_assert_eq(project_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
	cr_assert_eq(find(&fixture, member(shown, "key")), RESULT_UNAUTHENTICATED);
	cr_assert_eq(count_holders(&fixture), 0);
}

// Makes keys while the test removes the project and makes it again.
static void *make_keys(void *context)
{
	struct fixture *fixture = context;
	const struct json *shown;
	for (int i = 0; i < 6000; i++)
		(void)create(fixture, ROLE_ADMIN, "", &shown);
	return NULL;
}

Test(api_key, none_outlives_a_project_that_is_removed_meanwhile)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	AUTO(fixture_close) struct fixture maker = fixture_open();
	pthread_t thread;
	bool created;
	maker.project = fixture.project;
	cr_assert_eq(pthread_create(&thread, NULL, make_keys, &maker), 0);
	while (pthread_tryjoin_np(thread, NULL) != 0) {
		(void)project_delete(fixture.store, fixture.arena, fixture.project);
		(void)project_put(fixture.store, fixture.arena, fixture.project, SLICE("x"), &created);
	}
	cr_assert_eq(project_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
	cr_assert_eq(count_holders(&fixture), 0);
}

static int64_t wall_clock_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Sets the list to go when the clock reaches *gone_us.
static void let_list_expire(struct fixture *fixture, int64_t *gone_us)
{
	struct key_name keys = project_key(fixture->project, "keys");
	int64_t last_ms = clock_now_ms() + 5;
	struct slice last = arena_format(fixture->arena, "%lld", (long long)last_ms);
	fixture_command(fixture, ARGUMENTS(SLICE("DEL"), key_slice(&keys)));
	fixture_command(fixture, ARGUMENTS(SLICE("HSET"), key_slice(&keys), SLICE("filler"), SLICE("{}")));
	fixture_command(fixture, ARGUMENTS(SLICE("PEXPIREAT"), key_slice(&keys), last));
	*gone_us = (last_ms + 1) * 1000;
}

// The list goes between the two writes, as it does when the project is removed: it is made to expire, and the key is
// made a little earlier before that each time, until both meet.
Test(api_key, is_taken_back_when_its_list_goes_meanwhile)
{
	AUTO(fixture_close) struct fixture fixture = open_project();
	const struct json *shown;
	size_t made = 0;
	enum result result = RESULT_OK;
	for (int64_t i = 0; i < 2000 && result == RESULT_OK; i++) {
		int64_t gone_us;
		let_list_expire(&fixture, &gone_us);
		while (wall_clock_us() < gone_us - i % 100 * 20)
			continue;
		result = create(&fixture, ROLE_READ, "", &shown);
		made += result == RESULT_OK;
	}
	cr_assert_eq(result, RESULT_NOT_FOUND);
	cr_assert_eq(count_holders(&fixture), made);
}

// Connections to Customer.io as they are stored: sealed for their project and section, conflict-safe, never half.
#include "../../support/fixture.h"

#include "project/connection.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

#define MASTER SLICE("a-master-key-of-the-tests-of-some-length")
#define OTHER_MASTER SLICE("another-master-key-of-the-tests-of-length")
#define SECRET SLICE("an-api-key-of-Customer.io")

static const enum connection_kind kinds[] = {CONNECTION_APP, CONNECTION_TRACK, CONNECTION_PIPELINES};

static struct connection load(struct fixture *fixture, enum connection_kind kind)
{
	struct connection connection;
	cr_assert_eq(connection_load(fixture->store, fixture->arena, fixture->project, kind, &connection), RESULT_OK);
	return connection;
}

static enum result set(struct fixture *fixture, struct slice secret, struct connection *connection)
{
	connection->region = SLICE("eu");
	return connection_set_secret(fixture->arena, fixture->project, MASTER, secret, connection);
}

static enum result save(struct fixture *fixture, const struct connection *connection)
{
	return connection_save(fixture->store, fixture->arena, fixture->project, connection);
}

static enum result open(struct fixture *fixture, struct connection *connection)
{
	return connection_open(fixture->arena, fixture->project, MASTER, connection);
}

static enum result forget(struct fixture *fixture, enum connection_kind kind)
{
	return connection_delete(fixture->store, fixture->arena, fixture->project, kind);
}

// A connection of this kind, stored.
static void store_good(struct fixture *fixture, enum connection_kind kind)
{
	struct connection connection = load(fixture, kind);
	connection.enabled = true;
	if (kind == CONNECTION_TRACK)
		connection.site_id = SLICE("a-site");
	cr_assert_eq(set(fixture, SECRET, &connection), RESULT_OK);
	cr_assert_eq(save(fixture, &connection), RESULT_OK);
}

static void store_raw(struct fixture *fixture, const char *section, const char *text)
{
	struct key_name key = project_key(fixture->project, "settings");
	fixture_command(fixture, ARGUMENTS(SLICE("HSET"), key_slice(&key), slice_of(section), slice_of(text)));
}

static const char *written(struct fixture *fixture, const struct connection *connection)
{
	struct buffer *text = buffer_new(fixture->arena, 4096);
	struct json_writer out = json_writer_on(text);
	json_open_object(&out);
	connection_write(connection, &out);
	json_close_object(&out);
	buffer_append_byte(text, '\0');
	cr_assert(!buffer_failed(text));
	return text->data;
}

Test(connection, is_off_and_empty_when_absent)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct connection connection = load(&fixture, kinds[i]);
		cr_assert(!connection.enabled && connection.sealed.data == NULL && connection.stored.data == NULL);
		cr_assert_eq(open(&fixture, &connection), RESULT_NOT_FOUND);
	}
}

Test(connection, comes_back_as_it_was_saved)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		store_good(&fixture, kinds[i]);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct connection connection = load(&fixture, kinds[i]);
		cr_assert(connection.enabled && connection.kind == kinds[i]);
		cr_assert(slice_equal(connection.region, SLICE("eu")));
		cr_assert(connection.secret.data == NULL, "sealed until opened");
		struct slice text = connection.stored;
		cr_assert(memmem(text.data, text.length, SECRET.data, SECRET.length) == NULL);
		cr_assert_eq(open(&fixture, &connection), RESULT_OK);
		cr_assert(slice_equal(connection.secret, SECRET));
		cr_assert_eq(slice_equal(connection.site_id, SLICE("a-site")), kinds[i] == CONNECTION_TRACK);
	}
}

Test(connection, does_not_open_under_another_master_key)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	store_good(&fixture, CONNECTION_TRACK);
	struct connection connection = load(&fixture, CONNECTION_TRACK);
	cr_assert_eq(connection_open(fixture.arena, fixture.project, OTHER_MASTER, &connection), RESULT_UNAVAILABLE);
	cr_assert(connection.secret.data == NULL);
	cr_assert_str_eq(written(&fixture, &connection),
	                 "{\"configured\":false,\"enabled\":true,\"region\":\"eu\",\"site_id\":\"a-site\"}");
}

Test(connection, opens_for_its_own_project_and_section_only)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	store_good(&fixture, CONNECTION_APP);
	struct connection connection = load(&fixture, CONNECTION_APP);
	cr_assert_eq(connection_open(fixture.arena, SLICE("other"), MASTER, &connection), RESULT_UNAVAILABLE);
	connection.kind = CONNECTION_PIPELINES;
	cr_assert_eq(open(&fixture, &connection), RESULT_UNAVAILABLE);
	connection.kind = CONNECTION_APP;
	cr_assert_eq(open(&fixture, &connection), RESULT_OK);
}

Test(connection, does_not_open_when_a_character_was_changed)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	store_good(&fixture, CONNECTION_APP);
	struct connection good = load(&fixture, CONNECTION_APP);
	for (size_t i = 0; i + 1 < good.sealed.length; i++) {
		struct connection changed = good;
		char *text = arena_alloc(fixture.arena, good.sealed.length);
		memcpy(text, good.sealed.data, good.sealed.length);
		text[i] = text[i] == 'A' ? 'B' : 'A';
		changed.sealed.data = text;
		cr_assert_eq(open(&fixture, &changed), RESULT_UNAVAILABLE, "character %zu", i);
		cr_assert(changed.secret.data == NULL);
	}
}

Test(connection, limits_of_a_secret)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct connection connection = load(&fixture, CONNECTION_APP);
	struct slice longest = arena_format(fixture.arena, "%0512d", 1);
	struct slice longer = arena_format(fixture.arena, "%0513d", 1);
	cr_assert_eq(set(&fixture, SLICE(""), &connection), RESULT_INVALID);
	cr_assert_eq(set(&fixture, longer, &connection), RESULT_INVALID);
	cr_assert(connection.sealed.data == NULL && connection.secret.data == NULL);
	cr_assert_eq(set(&fixture, longest, &connection), RESULT_OK);
	cr_assert_eq(save(&fixture, &connection), RESULT_OK);
	connection = load(&fixture, CONNECTION_APP);
	cr_assert_eq(open(&fixture, &connection), RESULT_OK);
	cr_assert(slice_equal(connection.secret, longest));
}

Test(connection, of_two_writers_the_second_reads_again)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct connection first = load(&fixture, CONNECTION_APP), second = first;
	cr_assert_eq(set(&fixture, SLICE("one"), &first), RESULT_OK);
	cr_assert_eq(set(&fixture, SLICE("two"), &second), RESULT_OK);
	cr_assert_eq(save(&fixture, &first), RESULT_OK);
	cr_assert_eq(save(&fixture, &second), RESULT_CONFLICT);
	struct connection stored = load(&fixture, CONNECTION_APP);
	cr_assert_eq(open(&fixture, &stored), RESULT_OK);
	cr_assert(slice_equal(stored.secret, SLICE("one")));
	cr_assert_eq(forget(&fixture, CONNECTION_APP), RESULT_OK);
	cr_assert_eq(save(&fixture, &stored), RESULT_CONFLICT, "what was removed meanwhile stays removed");
}

Test(connection, removing_one_leaves_the_others)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		store_good(&fixture, kinds[i]);
	cr_assert_eq(forget(&fixture, CONNECTION_TRACK), RESULT_OK);
	cr_assert_eq(forget(&fixture, CONNECTION_TRACK), RESULT_OK, "again does no harm");
	cr_assert(load(&fixture, CONNECTION_TRACK).stored.data == NULL);
	cr_assert(load(&fixture, CONNECTION_APP).sealed.data != NULL);
	cr_assert(load(&fixture, CONNECTION_PIPELINES).sealed.data != NULL);
}

Test(connection, what_cannot_be_read_is_not_taken_for_absent)
{
	static const struct {
		const char *section, *text;
		enum connection_kind kind;
	} damaged[] = {
		{"app", "", CONNECTION_APP},
		{"app", "{", CONNECTION_APP},
		{"app", "[]", CONNECTION_APP},
		{"app", "{\"enabled\":false,\"region\":\"us\"}", CONNECTION_APP},
		{"app", "{\"enabled\":false,\"region\":\"us\",\"sealed\":\"\"}", CONNECTION_APP},
		{"app", "{\"enabled\":false,\"region\":\"US\",\"sealed\":\"v1:\"}", CONNECTION_APP},
		{"app", "{\"enabled\":false,\"sealed\":\"v1:\"}", CONNECTION_APP},
		{"app", "{\"region\":\"us\",\"site_id\":\"x\",\"sealed\":\"v1:\"}", CONNECTION_APP},
		{"track", "{\"region\":\"us\",\"sealed\":\"v1:\"}", CONNECTION_TRACK},
		{"pipelines", "{\"region\":\"auto\",\"sealed\":\"v1:\"}", CONNECTION_PIPELINES},
	};
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct connection connection;
	for (size_t i = 0; i < COUNT_OF(damaged); i++) {
		store_raw(&fixture, damaged[i].section, damaged[i].text);
		enum result result = connection_load(fixture.store, fixture.arena, fixture.project, damaged[i].kind,
		                                     &connection);
		cr_assert_eq(result, RESULT_UNAVAILABLE, "%s", damaged[i].text);
	}
	cr_assert_eq(forget(&fixture, CONNECTION_APP), RESULT_OK);
	cr_assert(load(&fixture, CONNECTION_APP).stored.data == NULL);
}

Test(connection, shows_its_members_in_the_order_of_the_contract)
{
	static const char *const empty[] = {
		"{\"configured\":false,\"region\":null}",
		"{\"configured\":false,\"enabled\":false,\"region\":null,\"site_id\":null}",
		"{\"configured\":false,\"enabled\":false,\"region\":null}",
	};
	static const char *const full[] = {
		"{\"configured\":true,\"region\":\"eu\"}",
		"{\"configured\":true,\"enabled\":true,\"region\":\"eu\",\"site_id\":\"a-site\"}",
		"{\"configured\":true,\"enabled\":true,\"region\":\"eu\"}",
	};
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct connection connection = load(&fixture, kinds[i]);
		cr_assert_str_eq(written(&fixture, &connection), empty[i]);
		store_good(&fixture, kinds[i]);
		connection = load(&fixture, kinds[i]);
		cr_assert_eq(open(&fixture, &connection), RESULT_OK);
		cr_assert_str_eq(written(&fixture, &connection), full[i]);
	}
}

Test(connection, needs_a_store)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct store *none;
	const char *reason;
	struct connection connection = load(&fixture, CONNECTION_APP);
	cr_assert_eq(set(&fixture, SECRET, &connection), RESULT_OK);
	cr_assert_eq(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &none, &reason), RESULT_OK);
	cr_assert_eq(connection_save(none, fixture.arena, fixture.project, &connection), RESULT_UNAVAILABLE);
	cr_assert_eq(connection_delete(none, fixture.arena, fixture.project, CONNECTION_APP), RESULT_UNAVAILABLE);
	enum result result = connection_load(none, fixture.arena, fixture.project, CONNECTION_APP, &connection);
	cr_assert_eq(result, RESULT_UNAVAILABLE);
	store_free(none);
}

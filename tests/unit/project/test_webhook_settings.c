// The webhook section: secrets are added, sealed, kept for a while and dropped; two writers never undo each other.
#include "../../support/fixture.h"

#include "base/clock.h"
#include "project/project.h"
#include "project/webhook_settings.h"

#include <criterion/criterion.h>
#include <string.h>

#define MASTER SLICE("a-master-key-of-the-tests-of-some-length")
#define NOW INT64_C(1732285840000)

static struct webhook_settings load(struct fixture *fixture)
{
	struct webhook_settings settings;
	cr_assert_eq(webhook_settings_load(fixture->store, fixture->arena, fixture->project, &settings), RESULT_OK);
	return settings;
}

static enum result add(struct fixture *fixture, const char *secret, int64_t now_ms, int64_t keep_s,
                       struct webhook_settings *settings)
{
	return webhook_settings_add_secret(fixture->arena, fixture->project, MASTER, slice_of(secret), now_ms, keep_s,
	                                   settings);
}

static enum result save(struct fixture *fixture, const struct webhook_settings *settings)
{
	return webhook_settings_save(fixture->store, fixture->arena, fixture->project, settings);
}

// The live secrets, newest first, separated by spaces.
static const char *live(struct fixture *fixture, int64_t now_ms)
{
	struct webhook_settings settings = load(fixture);
	struct buffer *text = buffer_new(fixture->arena, 65536);
	webhook_settings_open(fixture->arena, fixture->project, MASTER, now_ms, &settings);
	for (size_t i = 0; i < settings.secret_count; i++) {
		buffer_append_text(text, i > 0 ? " " : "");
		buffer_append(text, settings.secrets[i].plain);
	}
	buffer_append_byte(text, '\0');
	return text->data;
}

static void store_raw(struct fixture *fixture, const char *text)
{
	struct key_name key = project_key(fixture->project, "settings");
	fixture_command(fixture, ARGUMENTS(SLICE("HSET"), key_slice(&key), SLICE("webhook"), slice_of(text)));
}

Test(webhook_settings, are_off_and_empty_when_absent)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert(!settings.enabled && settings.secret_count == 0 && settings.stored.data == NULL);
}

Test(webhook_settings, come_back_as_they_were_saved)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	settings.enabled = true;
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	settings = load(&fixture);
	cr_assert(settings.enabled && settings.stored.data != NULL);
	cr_assert_eq(settings.secret_count, 1);
	cr_assert_eq(settings.secrets[0].created_at_ms, NOW);
	cr_assert_eq(settings.secrets[0].expires_at_ms, 0);
	cr_assert(settings.secrets[0].plain.data == NULL, "sealed until opened");
	cr_assert(memmem(settings.stored.data, settings.stored.length, "\"one\"", 5) == NULL);
	cr_assert_str_eq(live(&fixture, NOW), "one");
}

Test(webhook_settings, old_secrets_expire_to_the_millisecond)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "two", NOW + 1000, 60, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	cr_assert_str_eq(live(&fixture, NOW + 60999), "two one");
	cr_assert_str_eq(live(&fixture, NOW + 61000), "two");
}

Test(webhook_settings, a_later_change_never_prolongs_an_old_secret)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "two", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "three", NOW, 3600, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	cr_assert_str_eq(live(&fixture, NOW), "three two one");
	cr_assert_str_eq(live(&fixture, NOW + 60000), "three two");
	cr_assert_str_eq(live(&fixture, NOW + 3600000), "three");
}

Test(webhook_settings, a_secret_given_again_becomes_the_newest)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	struct slice id = settings.secrets[0].id;
	cr_assert_eq(add(&fixture, "two", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(settings.secret_count, 2);
	cr_assert(slice_equal(settings.secrets[0].id, id) && settings.secrets[0].expires_at_ms == 0);
	cr_assert_eq(settings.secrets[1].expires_at_ms, NOW + 60000);
}

Test(webhook_settings, hold_eight_secrets)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	for (int i = 0; i < WEBHOOK_SECRETS_MAXIMUM + 1; i++) {
		const char *secret = arena_format(fixture.arena, "s%d", i).data;
		cr_assert_eq(add(&fixture, secret, NOW + i, 60, &settings), RESULT_OK);
	}
	cr_assert_eq(settings.secret_count, WEBHOOK_SECRETS_MAXIMUM);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	cr_assert_str_eq(live(&fixture, NOW), "s8 s7 s6 s5 s4 s3 s2 s1");
}

Test(webhook_settings, limits_of_a_secret)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	const char *longest = arena_format(fixture.arena, "%0512d", 1).data;
	const char *longer = arena_format(fixture.arena, "%0513d", 1).data;
	cr_assert_eq(add(&fixture, "", NOW, 60, &settings), RESULT_INVALID);
	cr_assert_eq(add(&fixture, longer, NOW, 60, &settings), RESULT_INVALID);
	cr_assert_eq(add(&fixture, "x", NOW, -1, &settings), RESULT_INVALID);
	cr_assert_eq(add(&fixture, "x", NOW, WEBHOOK_KEEP_OLD_MAXIMUM_S + 1, &settings), RESULT_INVALID);
	cr_assert_eq(settings.secret_count, 0);
	cr_assert_eq(add(&fixture, longest, NOW, WEBHOOK_KEEP_OLD_MAXIMUM_S, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	cr_assert_str_eq(live(&fixture, NOW), longest);
}

Test(webhook_settings, of_two_writers_the_second_reads_again)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings first = load(&fixture), second = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &first), RESULT_OK);
	cr_assert_eq(add(&fixture, "two", NOW, 60, &second), RESULT_OK);
	cr_assert_eq(save(&fixture, &first), RESULT_OK);
	cr_assert_eq(save(&fixture, &second), RESULT_CONFLICT);
	second = load(&fixture);
	cr_assert_eq(add(&fixture, "two", NOW, 60, &second), RESULT_OK);
	cr_assert_eq(save(&fixture, &second), RESULT_OK);
	cr_assert_str_eq(live(&fixture, NOW), "two one");
}

Test(webhook_settings, what_cannot_be_read_is_not_taken_for_absent)
{
	static const char *const damaged[] = {
		"", "{", "[]", "{\"secrets\":[{}]}", "{\"secrets\":[{\"id\":\"a\",\"sealed\":\"b\"}]}",
		"{\"secrets\":[{\"id\":\"a\",\"sealed\":\"b\",\"created_at\":1,\"expires_at\":-1}]}",
		"{\"secrets\":[1,2,3,4,5,6,7,8,9]}",
	};
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings;
	for (size_t i = 0; i < COUNT_OF(damaged); i++) {
		store_raw(&fixture, damaged[i]);
		cr_assert_eq(webhook_settings_load(fixture.store, fixture.arena, fixture.project, &settings),
		             RESULT_UNAVAILABLE, "%s", damaged[i]);
	}
	cr_assert_eq(webhook_settings_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
	settings = load(&fixture);
	cr_assert(settings.stored.data == NULL, "deleting repairs it");
}

Test(webhook_settings, a_sealed_secret_that_was_changed_does_not_open)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "two", NOW, 60, &settings), RESULT_OK);
	// The seal of one under the name of the other.
	settings.secrets[1].sealed = settings.secrets[0].sealed;
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	cr_assert_str_eq(live(&fixture, NOW), "two");
}

static const struct json *shown(struct fixture *fixture)
{
	struct buffer *buffer = buffer_new(fixture->arena, 65536);
	struct json_writer out = json_writer_on(buffer);
	const struct json *section;
	cr_assert_eq(webhook_settings_write(fixture->store, fixture->arena, fixture->project, SLICE("https://x"), &out),
	             RESULT_OK);
	cr_assert_eq(json_parse(fixture->arena, buffer_slice(buffer), &section, NULL), RESULT_OK);
	return section;
}

Test(webhook_settings, show_only_what_is_live)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	int64_t now_ms = clock_now_ms();
	cr_assert_eq(add(&fixture, "one", now_ms - 100000, 0, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "two", now_ms - 90000, 60, &settings), RESULT_OK);
	cr_assert_eq(add(&fixture, "three", now_ms - 1000, 60, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	const struct json *secrets = json_get(shown(&fixture), "secrets");
	cr_assert_eq(json_count(secrets), 2);
	cr_assert(json_is_null(json_get(json_at(secrets, 0), "expires_at")));
	char text[CLOCK_TEXT_SIZE];
	struct slice expires_at = json_text(json_get(json_at(secrets, 1), "expires_at"));
	cr_assert(slice_equal(expires_at, clock_write(now_ms + 59000, text)));
	cr_assert_eq(json_count(json_at(secrets, 0)), 4);
}

static int64_t usage_fields(struct fixture *fixture)
{
	struct key_name key = project_key(fixture->project, "usage");
	return reply_integer(fixture_command(fixture, ARGUMENTS(SLICE("HLEN"), key_slice(&key))));
}

static void note(struct fixture *fixture, struct slice id, int64_t now_ms)
{
	webhook_settings_note_use(fixture->store, fixture->arena, fixture->project, id, now_ms);
	store_settle(fixture->store);
}

Test(webhook_settings, use_is_noted_once_a_second)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	struct slice id = settings.secrets[0].id;
	static const struct {
		int64_t at_ms;
		const char *shown;
	} notes[] = {
		{NOW, "2024-11-22T14:30:40.000Z"},
		{NOW + 999, "2024-11-22T14:30:40.000Z"},
		{NOW + 1000, "2024-11-22T14:30:41.000Z"},
	};
	for (size_t i = 0; i < COUNT_OF(notes); i++) {
		note(&fixture, id, notes[i].at_ms);
		const struct json *section = shown(&fixture);
		const struct json *secret = json_at(json_get(section, "secrets"), 0);
		cr_assert(slice_equal(json_text(json_get(section, "last_event_at")), slice_of(notes[i].shown)));
		cr_assert(slice_equal(json_text(json_get(secret, "last_used_at")), slice_of(notes[i].shown)));
	}
}

Test(webhook_settings, use_is_forgotten_with_the_secret)
{
	AUTO(fixture_close) struct fixture fixture = fixture_open();
	struct webhook_settings settings = load(&fixture);
	cr_assert_eq(add(&fixture, "one", NOW, 60, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	note(&fixture, settings.secrets[0].id, NOW);
	cr_assert_eq(usage_fields(&fixture), 2);
	settings = load(&fixture);
	cr_assert_eq(add(&fixture, "two", NOW, 0, &settings), RESULT_OK);
	cr_assert_eq(save(&fixture, &settings), RESULT_OK);
	cr_assert_eq(usage_fields(&fixture), 1);
	note(&fixture, settings.secrets[0].id, NOW);
	cr_assert_eq(usage_fields(&fixture), 2);
	cr_assert_eq(webhook_settings_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
	cr_assert_eq(usage_fields(&fixture), 0);
	cr_assert_eq(webhook_settings_delete(fixture.store, fixture.arena, fixture.project), RESULT_OK);
}

#include "project/webhook_settings.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/crypt.h"
#include "codec/encode.h"
#include "project/project.h"
#include "project/section.h"

#include <string.h>

#define SECTION "webhook"
#define SECRET_ID_RANDOM_BYTES 9
#define NOTE_PAUSE_MS 1000
#define NOTES_REMEMBERED 64

static bool webhook_secret_read(const struct json *stored, struct webhook_secret *secret)
{
	secret->id = json_text(json_get(stored, "id"));
	secret->sealed = json_text(json_get(stored, "sealed"));
	return secret->id.length > 0 && secret->sealed.length > 0 &&
	       json_to_integer(json_get(stored, "created_at"), 0, CLOCK_MAXIMUM_MS, &secret->created_at_ms) &&
	       json_to_integer(json_get(stored, "expires_at"), 0, CLOCK_MAXIMUM_MS, &secret->expires_at_ms);
}

static bool webhook_settings_read(struct arena *arena, struct slice text, struct webhook_settings *settings)
{
	const struct json *stored;

	if (json_parse(arena, text, &stored, NULL) != RESULT_OK || !json_is_object(stored))
		return false;
	const struct json *secrets = json_get(stored, "secrets");
	if (json_count(secrets) > WEBHOOK_SECRETS_MAXIMUM)
		return false;
	for (size_t i = 0; i < json_count(secrets); i++) {
		if (!webhook_secret_read(json_at(secrets, i), &settings->secrets[i]))
			return false;
	}
	settings->secret_count = json_count(secrets);
	settings->enabled = json_is_true(json_get(stored, "enabled"));
	settings->stored = text;
	return true;
}

enum result webhook_settings_load(struct store *store, struct arena *arena, struct slice project,
                                  struct webhook_settings *settings)
{
	struct webhook_settings loaded = {.enabled = false};
	struct slice text;

	TRY(section_load(store, arena, project, SECTION, &text));
	// Not taken for an absent one: Customer.io then sends again what it would otherwise believe to have arrived.
	if (text.data != NULL && !webhook_settings_read(arena, text, &loaded))
		return section_refuse(project, SECTION);
	*settings = loaded;
	return RESULT_OK;
}

static bool webhook_secret_is_live(const struct webhook_secret *secret, int64_t now_ms)
{
	return secret->expires_at_ms == 0 || secret->expires_at_ms > now_ms;
}

static void webhook_settings_drop_expired(struct webhook_settings *settings, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < settings->secret_count; i++) {
		if (webhook_secret_is_live(&settings->secrets[i], now_ms))
			settings->secrets[kept++] = settings->secrets[i];
	}
	settings->secret_count = kept;
}

// NULL without memory.
static const char *webhook_secret_place(struct arena *arena, struct slice id)
{
	return arena_format(arena, SECTION " %.*s", (int)id.length, id.data).data;
}

static enum result webhook_secret_open(struct arena *arena, struct slice project, struct slice master_key,
                                       struct webhook_secret *secret)
{
	const char *place = webhook_secret_place(arena, secret->id);

	if (place == NULL)
		return RESULT_NO_MEMORY;
	return section_unseal(arena, project, place, master_key, secret->sealed, &secret->plain);
}

void webhook_settings_open(struct arena *arena, struct slice project, struct slice master_key, int64_t now_ms,
                           struct webhook_settings *settings)
{
	size_t kept = 0;

	webhook_settings_drop_expired(settings, now_ms);
	for (size_t i = 0; i < settings->secret_count; i++) {
		struct webhook_secret secret = settings->secrets[i];

		enum result result = webhook_secret_open(arena, project, master_key, &secret);
		if (result == RESULT_NO_MEMORY)
			arena_fail(arena);
		if (result == RESULT_OK)
			settings->secrets[kept++] = secret;
		else
			LOG(LOG_ERROR, "webhook secret cannot be opened", {"project", project}, {"secret", secret.id});
	}
	settings->unreadable = settings->secret_count - kept;
	settings->secret_count = kept;
}

static enum result webhook_secret_make(struct arena *arena, struct slice project, struct slice master_key,
                                       struct slice plain, int64_t now_ms, struct webhook_secret *made)
{
	struct webhook_secret secret = {.created_at_ms = now_ms, .plain = plain};

	secret.id = crypt_random_text(arena, SECRET_ID_RANDOM_BYTES);
	if (secret.id.data == NULL)
		return RESULT_UNAVAILABLE;
	const char *place = webhook_secret_place(arena, secret.id);
	if (place == NULL)
		return RESULT_NO_MEMORY;
	TRY(section_seal(arena, project, place, master_key, plain, &secret.sealed));
	*made = secret;
	return RESULT_OK;
}

// Takes the secret with this text out of the list, if there is one. Giving the same secret twice then changes nothing.
static bool webhook_settings_take(struct arena *arena, struct slice project, struct slice master_key,
                                  struct slice plain, struct webhook_settings *settings, struct webhook_secret *taken)
{
	for (size_t i = 0; i < settings->secret_count; i++) {
		struct webhook_secret secret = settings->secrets[i];

		if (webhook_secret_open(arena, project, master_key, &secret) != RESULT_OK ||
		    !crypt_equal(secret.plain, plain))
			continue;
		settings->secret_count--;
		memmove(&settings->secrets[i], &settings->secrets[i + 1],
		        (settings->secret_count - i) * sizeof(settings->secrets[0]));
		*taken = secret;
		taken->expires_at_ms = 0;
		return true;
	}
	return false;
}

enum result webhook_settings_add_secret(struct arena *arena, struct slice project, struct slice master_key,
                                        struct slice secret, int64_t now_ms, int64_t keep_old_s,
                                        struct webhook_settings *settings)
{
	struct webhook_secret first;
	int64_t old_until_ms = now_ms + keep_old_s * 1000;

	if (secret.length == 0 || secret.length > WEBHOOK_SECRET_MAXIMUM || keep_old_s < 0 ||
	    keep_old_s > WEBHOOK_KEEP_OLD_MAXIMUM_S)
		return RESULT_INVALID;
	if (!webhook_settings_take(arena, project, master_key, secret, settings, &first))
		TRY(webhook_secret_make(arena, project, master_key, secret, now_ms, &first));
	for (size_t i = 0; i < settings->secret_count; i++) {
		struct webhook_secret *old = &settings->secrets[i];

		if (old->expires_at_ms == 0 || old->expires_at_ms > old_until_ms)
			old->expires_at_ms = old_until_ms;
	}
	webhook_settings_drop_expired(settings, now_ms);
	if (settings->secret_count == WEBHOOK_SECRETS_MAXIMUM)
		settings->secret_count--;
	memmove(&settings->secrets[1], &settings->secrets[0], settings->secret_count * sizeof(settings->secrets[0]));
	settings->secrets[0] = first;
	settings->secret_count++;
	return RESULT_OK;
}

static struct buffer *webhook_settings_text(struct arena *arena, const struct webhook_settings *settings)
{
	struct buffer *buffer = buffer_new(arena, SECTION_MAXIMUM);

	if (buffer == NULL)
		return NULL;
	struct json_writer out = json_writer_on(buffer);
	json_open_object(&out);
	json_member_boolean(&out, "enabled", settings->enabled);
	json_key(&out, "secrets");
	json_open_array(&out);
	for (size_t i = 0; i < settings->secret_count; i++) {
		json_open_object(&out);
		json_member_text(&out, "id", settings->secrets[i].id);
		json_member_text(&out, "sealed", settings->secrets[i].sealed);
		json_member_integer(&out, "created_at", settings->secrets[i].created_at_ms);
		json_member_integer(&out, "expires_at", settings->secrets[i].expires_at_ms);
		json_close_object(&out);
	}
	json_close_array(&out);
	json_close_object(&out);
	return buffer;
}

static bool webhook_settings_have(const struct webhook_settings *settings, struct slice id)
{
	for (size_t i = 0; i < settings->secret_count; i++) {
		if (slice_equal(settings->secrets[i].id, id))
			return true;
	}
	return false;
}

static struct slice webhook_usage_field(struct arena *arena, struct slice id)
{
	return arena_format(arena, "secret:%.*s", (int)id.length, id.data);
}

// Drops when secrets that are no longer there were used last. What is left behind by a failure harms nobody.
static void webhook_usage_forget(struct store *store, struct arena *arena, struct slice project, struct slice before,
                                 const struct webhook_settings *after)
{
	struct key_name usage = project_key(project, "usage");
	struct webhook_settings old = {.enabled = false};
	const struct reply *reply;

	if (before.data == NULL || !webhook_settings_read(arena, before, &old))
		return;
	for (size_t i = 0; i < old.secret_count; i++) {
		struct slice field = webhook_usage_field(arena, old.secrets[i].id);

		if (field.data != NULL && !webhook_settings_have(after, old.secrets[i].id))
			(void)store_call(store, arena, &reply, ARGUMENTS(SLICE("HDEL"), key_slice(&usage), field));
	}
}

enum result webhook_settings_save(struct store *store, struct arena *arena, struct slice project,
                                  const struct webhook_settings *settings)
{
	const struct buffer *text = webhook_settings_text(arena, settings);

	TRY(section_save(store, arena, project, SECTION, settings->stored, text));
	webhook_usage_forget(store, arena, project, settings->stored, settings);
	return RESULT_OK;
}

enum result webhook_settings_delete(struct store *store, struct arena *arena, struct slice project)
{
	struct key_name usage = project_key(project, "usage");
	const struct webhook_settings none = {.enabled = false};
	const struct reply *reply;
	struct slice stored;

	// Not webhook_settings_load: what cannot be read must still go away.
	TRY(section_load(store, arena, project, SECTION, &stored));
	TRY(section_delete(store, arena, project, SECTION));
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HDEL"), key_slice(&usage), SLICE(SECTION))));
	webhook_usage_forget(store, arena, project, stored, &none);
	return RESULT_OK;
}

// True once a second for each secret; secrets that share a place only make notes rarer.
static bool webhook_note_is_due(struct slice project, struct slice secret_id, int64_t now_ms)
{
	static int64_t noted_ms[NOTES_REMEMBERED];
	int64_t *noted = &noted_ms[(encode_crc16(project) ^ encode_crc16(secret_id)) % NOTES_REMEMBERED];

	if (now_ms - *noted < NOTE_PAUSE_MS && now_ms >= *noted)
		return false;
	*noted = now_ms;
	return true;
}

void webhook_settings_note_use(struct store *store, struct arena *arena, struct slice project, struct slice secret_id,
                               int64_t now_ms)
{
	struct key_name usage = project_key(project, "usage");

	if (!webhook_note_is_due(project, secret_id, now_ms))
		return;
	struct slice now = arena_format(arena, "%lld", (long long)now_ms);
	struct slice field = webhook_usage_field(arena, secret_id);
	if (now.data != NULL && field.data != NULL)
		store_send(store, ARGUMENTS(SLICE("HSET"), key_slice(&usage), SLICE(SECTION), now, field, now));
}

// times[0] is the last event, times[1 + i] the last use of secret i; 0: never.
static enum result webhook_usage_load(struct store *store, struct arena *arena, struct slice project,
                                      const struct webhook_settings *settings,
                                      int64_t times[static WEBHOOK_SECRETS_MAXIMUM + 1])
{
	struct key_name usage = project_key(project, "usage");
	struct slice arguments[WEBHOOK_SECRETS_MAXIMUM + 3] = {SLICE("HMGET"), key_slice(&usage), SLICE(SECTION)};
	const struct reply *reply;

	for (size_t i = 0; i < settings->secret_count; i++) {
		arguments[i + 3] = webhook_usage_field(arena, settings->secrets[i].id);
		if (arguments[i + 3].data == NULL)
			return RESULT_NO_MEMORY;
	}
	TRY(store_call(store, arena, &reply, arguments, settings->secret_count + 3));
	for (size_t i = 0; i <= settings->secret_count; i++)
		times[i] = reply_integer(reply_at(reply, i));
	return RESULT_OK;
}

static void webhook_secret_write(const struct webhook_secret *secret, int64_t last_used_at_ms, struct json_writer *out)
{
	json_open_object(out);
	json_member_text(out, "id", secret->id);
	json_member_time(out, "created_at", secret->created_at_ms);
	json_member_time(out, "expires_at", secret->expires_at_ms);
	json_member_time(out, "last_used_at", last_used_at_ms);
	json_close_object(out);
}

enum result webhook_settings_write(struct store *store, struct arena *arena, struct slice project,
                                   struct slice public_url, struct json_writer *out)
{
	struct webhook_settings settings;
	int64_t times[WEBHOOK_SECRETS_MAXIMUM + 1];

	TRY(webhook_settings_load(store, arena, project, &settings));
	webhook_settings_drop_expired(&settings, clock_now_ms());
	TRY(webhook_usage_load(store, arena, project, &settings, times));
	const char *base = public_url.length > 0 ? public_url.data : "";
	struct slice url = arena_format(arena, "%.*s/webhook/%.*s", (int)public_url.length, base, (int)project.length,
	                                project.data);
	if (url.data == NULL)
		return RESULT_NO_MEMORY;
	json_open_object(out);
	json_member_text(out, "url", url);
	json_member_boolean(out, "enabled", settings.enabled);
	json_member_time(out, "last_event_at", times[0]);
	json_key(out, "secrets");
	json_open_array(out);
	for (size_t i = 0; i < settings.secret_count; i++)
		webhook_secret_write(&settings.secrets[i], times[i + 1], out);
	json_close_array(out);
	json_close_object(out);
	return RESULT_OK;
}

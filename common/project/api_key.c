#include "project/api_key.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/crypt.h"
#include "project/project.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_KEY SLICE("cb:keys")
#define KEY_RANDOM_BYTES 24
#define KEY_ID_RANDOM_BYTES 9
#define RECORD_MAXIMUM 4096 // bytes of JSON

STORE_SCRIPT(add_key, "common/project/add_key.lua");

static const char *const role_names[] = {
	[ROLE_NONE] = "none", [ROLE_INGEST] = "ingest", [ROLE_INGEST_SECRET] = "ingest_secret",
	[ROLE_READ] = "read", [ROLE_ADMIN] = "admin",   [ROLE_ROOT] = "root",
};

const char *role_name(enum role role)
{
	return role_names[role];
}

bool role_from_name(struct slice name, enum role *role)
{
	for (enum role known = ROLE_INGEST; known <= ROLE_ADMIN; known++) {
		if (slice_equal(name, slice_of(role_names[known]))) {
			*role = known;
			return true;
		}
	}
	return false;
}

enum result api_key_send(struct store *store, struct arena *arena, struct slice key)
{
	struct slice digest = crypt_sha256_hex(arena, key);

	if (digest.data == NULL)
		return RESULT_NO_MEMORY;
	store_send(store, ARGUMENTS(SLICE("HGET"), KEYS_KEY, digest));
	return RESULT_OK;
}

enum result api_key_receive(struct store *store, struct arena *arena, struct api_key *found)
{
	const struct reply *reply;
	const struct json *record;
	struct api_key holder;

	TRY(store_receive(store, arena, &reply));
	if (reply_is_null(reply))
		return RESULT_UNAUTHENTICATED;
	if (json_parse(arena, reply_text(reply), &record, NULL) != RESULT_OK)
		return RESULT_UNAUTHENTICATED;
	struct slice role = json_text(json_get(record, "role"));
	holder.project = json_text(json_get(record, "project"));
	holder.id = json_text(json_get(record, "id"));
	if (!role_from_name(role, &holder.role) || !project_slug_is_valid(holder.project))
		return RESULT_UNAUTHENTICATED;
	*found = holder;
	return RESULT_OK;
}

enum result api_key_find(struct store *store, struct arena *arena, struct slice key, struct api_key *found)
{
	TRY(api_key_send(store, arena, key));
	return api_key_receive(store, arena, found);
}

// A key that is being made, or that is in the list.
struct key_record {
	struct slice id, role, label, digest;
	int64_t created_at_ms;
};

static void key_record_write(const struct key_record *record, struct slice key, struct json_writer *out)
{
	json_open_object(out);
	json_member_text(out, "id", record->id);
	if (key.data != NULL)
		json_member_text(out, "key", key);
	json_member_text(out, "role", record->role);
	json_member_text(out, "label", record->label);
	json_member_time(out, "created_at", record->created_at_ms);
	json_close_object(out);
}

static struct slice key_record_text(struct arena *arena, const struct key_record *record)
{
	struct buffer *buffer = buffer_new(arena, RECORD_MAXIMUM);

	if (buffer == NULL)
		return (struct slice){NULL, 0};
	struct json_writer out = json_writer_on(buffer);
	json_open_object(&out);
	json_member_text(&out, "id", record->id);
	json_member_text(&out, "role", record->role);
	json_member_text(&out, "label", record->label);
	json_member_integer(&out, "created_at", record->created_at_ms);
	json_member_text(&out, "digest", record->digest);
	json_close_object(&out);
	return buffer_failed(buffer) ? (struct slice){NULL, 0} : buffer_slice(buffer);
}

static struct slice key_holder_text(struct arena *arena, struct slice project, const struct key_record *record)
{
	struct buffer *buffer = buffer_new(arena, RECORD_MAXIMUM);

	if (buffer == NULL)
		return (struct slice){NULL, 0};
	struct json_writer out = json_writer_on(buffer);
	json_open_object(&out);
	json_member_text(&out, "project", project);
	json_member_text(&out, "id", record->id);
	json_member_text(&out, "role", record->role);
	json_close_object(&out);
	return buffer_failed(buffer) ? (struct slice){NULL, 0} : buffer_slice(buffer);
}

static bool key_record_read(struct arena *arena, struct slice text, struct key_record *record)
{
	const struct json *stored;

	if (json_parse(arena, text, &stored, NULL) != RESULT_OK)
		return false;
	record->id = json_text(json_get(stored, "id"));
	record->role = json_text(json_get(stored, "role"));
	record->label = json_text(json_get(stored, "label"));
	record->digest = json_text(json_get(stored, "digest"));
	return record->id.length > 0 && record->digest.length > 0 &&
	       json_to_integer(json_get(stored, "created_at"), 0, CLOCK_MAXIMUM_MS, &record->created_at_ms);
}

// A project that is being deleted may lose its list between the two writes; the key must then not live on for a later
// project of that name.
static enum result api_key_publish(struct store *store, struct arena *arena, struct slice project,
                                   const struct key_record *record, struct slice holder)
{
	struct key_name list = project_key(project, "keys");
	const struct reply *written, *listed;

	store_send(store, ARGUMENTS(SLICE("HSET"), KEYS_KEY, record->digest, holder));
	store_send(store, ARGUMENTS(SLICE("HEXISTS"), key_slice(&list), record->id));
	TRY(store_receive(store, arena, &written));
	TRY(store_receive(store, arena, &listed));
	if (reply_integer(listed) == 1)
		return store_confirm(store, arena);
	TRY(store_call(store, arena, &written, ARGUMENTS(SLICE("HDEL"), KEYS_KEY, record->digest)));
	return RESULT_NOT_FOUND;
}

static enum result api_key_store(struct store *store, struct arena *arena, struct slice project,
                                 const struct key_record *record)
{
	struct key_name list = project_key(project, "keys"), owner = project_key(project, "project");
	struct slice text = key_record_text(arena, record), holder = key_holder_text(arena, project, record);
	struct slice maximum = arena_format(arena, "%d", API_KEYS_MAXIMUM);
	const struct reply *reply;

	if (text.data == NULL || holder.data == NULL || maximum.data == NULL)
		return RESULT_NO_MEMORY;
	store_send_script(store, &add_key, 2,
	                  ARGUMENTS(key_slice(&owner), key_slice(&list), record->id, text, maximum));
	TRY(store_receive(store, arena, &reply));
	if (reply_integer(reply) < 0)
		return RESULT_NOT_FOUND;
	if (reply_integer(reply) == 0)
		return RESULT_LIMITED;
	return api_key_publish(store, arena, project, record, holder);
}

enum result api_key_create(struct store *store, struct arena *arena, struct slice project, enum role role,
                           struct slice label, struct json_writer *shown)
{
	struct slice random = crypt_random_text(arena, KEY_RANDOM_BYTES);
	struct key_record record = {
		.id = crypt_random_text(arena, KEY_ID_RANDOM_BYTES),
		.role = slice_of(role_name(role)),
		.label = label.data != NULL ? label : SLICE(""),
		.created_at_ms = clock_now_ms(),
	};

	if (random.data == NULL || record.id.data == NULL)
		return RESULT_UNAVAILABLE;
	struct slice key = arena_format(arena, "cb_%.*s", (int)random.length, random.data);
	if (key.data == NULL)
		return RESULT_NO_MEMORY;
	record.digest = crypt_sha256_hex(arena, key);
	if (record.digest.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(api_key_store(store, arena, project, &record));
	key_record_write(&record, key, shown);
	return RESULT_OK;
}

static int key_record_compare(const void *a, const void *b)
{
	const struct key_record *left = a, *right = b;

	if (left->created_at_ms != right->created_at_ms)
		return left->created_at_ms < right->created_at_ms ? 1 : -1;
	return slice_compare(left->id, right->id);
}

// What cannot be read is left out, so that one damaged entry does not hide the others.
static enum result api_key_load(struct store *store, struct arena *arena, struct slice project,
                                struct key_record **records, size_t *count)
{
	struct key_name list = project_key(project, "keys");
	const struct reply *reply;

	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HVALS"), key_slice(&list))));
	struct key_record *found = arena_array(arena, reply_count(reply) + 1, sizeof(*found));
	if (found == NULL)
		return RESULT_NO_MEMORY;
	size_t good = 0;
	for (size_t i = 0; i < reply_count(reply); i++) {
		if (key_record_read(arena, reply_text(reply_at(reply, i)), &found[good]))
			good++;
		else
			LOG(LOG_WARNING, "API key skipped", {"project", project});
	}
	*records = found;
	*count = good;
	return RESULT_OK;
}

enum result api_key_list(struct store *store, struct arena *arena, struct slice project, struct json_writer *out)
{
	struct key_record *records;
	size_t count;

	TRY(api_key_load(store, arena, project, &records, &count));
	qsort(records, count, sizeof(*records), key_record_compare);
	json_open_array(out);
	for (size_t i = 0; i < count; i++)
		key_record_write(&records[i], (struct slice){NULL, 0}, out);
	json_close_array(out);
	return RESULT_OK;
}

enum result api_key_delete(struct store *store, struct arena *arena, struct slice project, struct slice id)
{
	struct key_name list = project_key(project, "keys");
	struct key_record record;
	const struct reply *reply;

	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGET"), key_slice(&list), id)));
	if (reply_is_null(reply))
		return RESULT_NOT_FOUND;
	if (!key_record_read(arena, reply_text(reply), &record)) {
		LOG(LOG_ERROR, "API key cannot be read", {"project", project});
		return RESULT_UNAVAILABLE;
	}
	// In this order: a key that still works must still be listed, so that it can be deleted again.
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HDEL"), KEYS_KEY, record.digest)));
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HDEL"), key_slice(&list), id)));
	return store_confirm(store, arena);
}

enum result api_key_delete_all(struct store *store, struct arena *arena, struct slice project)
{
	struct key_name list = project_key(project, "keys");
	struct key_record *records;
	size_t count;
	const struct reply *reply;

	TRY(api_key_load(store, arena, project, &records, &count));
	struct slice *digests = arena_array(arena, count + 2, sizeof(*digests));
	if (digests == NULL)
		return RESULT_NO_MEMORY;
	digests[0] = SLICE("HDEL");
	digests[1] = KEYS_KEY;
	for (size_t i = 0; i < count; i++)
		digests[i + 2] = records[i].digest;
	if (count > 0)
		TRY(store_call(store, arena, &reply, digests, count + 2));
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("DEL"), key_slice(&list))));
	// Once more: api_key_create may have written one of them after the first time and before the list went.
	return count > 0 ? store_call(store, arena, &reply, digests, count + 2) : RESULT_OK;
}

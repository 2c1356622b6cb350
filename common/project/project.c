#include "project/project.h"

#include "base/clock.h"
#include "codec/encode.h"
#include "project/api_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROJECTS_KEY SLICE("cb:projects")
#define SWEEP_PASSES 2 // the second takes what a request that was under way has still written
#define SWEEP_BATCH "1000"
#define SWEEP_MEMORY ((size_t)64 << 20) // bytes, for one batch
#define CURSOR_MAXIMUM 24

STORE_SCRIPT(replace_field, "common/project/replace_field.lua");

struct slice key_slice(const struct key_name *name)
{
	return (struct slice){name->text, name->length};
}

static size_t key_length(int written, size_t size)
{
	size_t length = written < 0 ? 0 : (size_t)written;

	return length < size ? length : size - 1;
}

struct key_name project_key(struct slice project, const char *suffix)
{
	struct key_name name;
	int written = snprintf(name.text, sizeof(name.text), "cb:{%.*s}:%s", (int)project.length, project.data, suffix);

	name.length = key_length(written, sizeof(name.text));
	return name;
}

struct key_name partition_key(struct slice project, int partition, const char *suffix, struct slice rest)
{
	struct key_name name;
	int written = snprintf(name.text, sizeof(name.text), "cb:{%.*s:%02d}:%s%.*s", (int)project.length, project.data,
	                       partition, suffix, (int)rest.length, rest.length > 0 ? rest.data : "");

	name.length = key_length(written, sizeof(name.text));
	return name;
}

int partition_of(struct slice recipient)
{
	return encode_crc16(recipient) % PROJECT_PARTITIONS;
}

bool project_slug_is_valid(struct slice slug)
{
	if (slug.length == 0 || slug.length > PROJECT_SLUG_MAXIMUM || slug.data[0] == '-')
		return false;
	for (size_t i = 0; i < slug.length; i++) {
		char byte = slug.data[i];

		if (!(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') && byte != '-')
			return false;
	}
	return true;
}

enum result project_put(struct store *store, struct arena *arena, struct slice slug, struct slice name, bool *created)
{
	struct key_name key = project_key(slug, "project");
	struct slice now = arena_format(arena, "%lld", (long long)clock_now_ms());
	const struct reply *listed, *made, *named;

	if (!project_slug_is_valid(slug))
		return RESULT_INVALID;
	if (now.data == NULL)
		return RESULT_NO_MEMORY;
	// Listed first: a project that is listed and not there is what project_delete leaves when it is interrupted.
	store_send(store, ARGUMENTS(SLICE("SADD"), PROJECTS_KEY, slug));
	store_send(store, ARGUMENTS(SLICE("HSETNX"), key_slice(&key), SLICE("created_at"), now));
	if (name.data != NULL)
		store_send(store, ARGUMENTS(SLICE("HSET"), key_slice(&key), SLICE("name"), name));
	else
		store_send(store, ARGUMENTS(SLICE("HSETNX"), key_slice(&key), SLICE("name"), slug));
	TRY(store_receive(store, arena, &listed));
	TRY(store_receive(store, arena, &made));
	TRY(store_receive(store, arena, &named));
	TRY(store_confirm(store, arena));
	*created = reply_integer(made) == 1;
	return RESULT_OK;
}

enum result project_get(struct store *store, struct arena *arena, struct slice slug, struct slice *name)
{
	struct key_name key = project_key(slug, "project");
	const struct reply *reply;

	if (!project_slug_is_valid(slug))
		return RESULT_NOT_FOUND;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("HGET"), key_slice(&key), SLICE("name"))));
	if (reply_is_null(reply))
		return RESULT_NOT_FOUND;
	*name = reply_text(reply);
	return RESULT_OK;
}

static int project_compare(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

enum result project_list(struct store *store, struct arena *arena, struct slice **slugs, size_t *count)
{
	const struct reply *reply;

	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("SMEMBERS"), PROJECTS_KEY)));
	size_t found = reply_count(reply);
	struct slice *list = arena_array(arena, found + 1, sizeof(*list));
	if (list == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < found; i++)
		list[i] = reply_text(reply_at(reply, i));
	qsort(list, found, sizeof(*list), project_compare);
	*slugs = list;
	*count = found;
	return RESULT_OK;
}

static enum result project_unlink(struct store *store, struct arena *arena, const struct reply *keys)
{
	const struct reply *reply;
	size_t count = reply_count(keys);
	struct slice *arguments = arena_array(arena, count + 1, sizeof(*arguments));

	if (count == 0)
		return RESULT_OK;
	if (arguments == NULL)
		return RESULT_NO_MEMORY;
	arguments[0] = SLICE("UNLINK");
	for (size_t i = 0; i < count; i++)
		arguments[i + 1] = reply_text(reply_at(keys, i));
	return store_call(store, arena, &reply, arguments, count + 1);
}

// One round over all keys of Redis, in batches that never hold it up. A round needs memory for one batch only.
static enum result project_sweep(struct store *store, struct arena *arena, struct slice pattern)
{
	char cursor[CURSOR_MAXIMUM] = "0";

	do {
		const struct reply *reply;
		arena_reset(arena);
		TRY(store_call(store, arena, &reply,
		               ARGUMENTS(SLICE("SCAN"), slice_of(cursor), SLICE("MATCH"), pattern, SLICE("COUNT"),
		                         SLICE(SWEEP_BATCH))));
		struct slice next = reply_text(reply_at(reply, 0));
		if (next.length == 0 || next.length >= sizeof(cursor))
			return RESULT_UNAVAILABLE;
		memcpy(cursor, next.data, next.length);
		cursor[next.length] = '\0';
		TRY(project_unlink(store, arena, reply_at(reply, 1)));
	} while (strcmp(cursor, "0") != 0);
	return RESULT_OK;
}

static enum result project_sweep_all(struct store *store, struct slice slug)
{
	AUTO(arena_auto) struct arena *arena = arena_new(SWEEP_MEMORY);
	char text[PROJECT_SLUG_MAXIMUM + sizeof("cb:{[:}]*")];
	int length = snprintf(text, sizeof(text), "cb:{%.*s[:}]*", (int)slug.length, slug.data);

	if (arena == NULL)
		return RESULT_NO_MEMORY;
	for (int pass = 0; pass < SWEEP_PASSES; pass++)
		TRY(project_sweep(store, arena, (struct slice){text, (size_t)length}));
	return RESULT_OK;
}

enum result project_delete(struct store *store, struct arena *arena, struct slice slug)
{
	struct key_name key = project_key(slug, "project");
	const struct reply *listed, *removed;

	if (!project_slug_is_valid(slug))
		return RESULT_NOT_FOUND;
	// Gone for every reader at once, but listed to the end: after an interruption it can be deleted again.
	store_send(store, ARGUMENTS(SLICE("SISMEMBER"), PROJECTS_KEY, slug));
	store_send(store, ARGUMENTS(SLICE("DEL"), key_slice(&key)));
	TRY(store_receive(store, arena, &listed));
	TRY(store_receive(store, arena, &removed));
	if (reply_integer(listed) == 0 && reply_integer(removed) == 0)
		return RESULT_NOT_FOUND;
	TRY(api_key_delete_all(store, arena, slug));
	TRY(project_sweep_all(store, slug));
	TRY(store_call(store, arena, &removed, ARGUMENTS(SLICE("SREM"), PROJECTS_KEY, slug)));
	return store_confirm(store, arena);
}

enum result field_replace(struct store *store, struct arena *arena, const struct key_name *hash, struct slice field,
                          struct slice old, struct slice value)
{
	const struct reply *reply;

	store_send_script(store, &replace_field, 1,
	                  ARGUMENTS(key_slice(hash), field, old.data != NULL ? SLICE("1") : SLICE("0"), old,
	                            value.data != NULL ? SLICE("1") : SLICE("0"), value));
	TRY(store_receive(store, arena, &reply));
	if (reply_integer(reply) != 1)
		return RESULT_CONFLICT;
	return store_confirm(store, arena);
}

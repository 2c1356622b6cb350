// A project: one team's opt-out list and settings, kept apart from every other's. Names all keys that belong to it.
//
// Everything of a project is spread over 16 partitions by recipient. The keys of one partition carry the hash tag
// {project:NN}, so one script's keys live in one Redis Cluster slot.
#ifndef CIOBRIDGE_PROJECT_PROJECT_H
#define CIOBRIDGE_PROJECT_PROJECT_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "io/store.h"

#include <stdbool.h>

#define PROJECT_PARTITIONS 16
#define PROJECT_SLUG_MAXIMUM 40
#define PROJECT_NAME_MAXIMUM 128

// The name of a key in Redis, by value.
struct key_name {
	char text[160];
	size_t length;
};
struct slice key_slice(const struct key_name *name);

// cb:{project}:<suffix>, and cb:{project:NN}:<suffix><rest>. The slug and the rest are valid, so they always fit.
struct key_name project_key(struct slice project, const char *suffix);
struct key_name partition_key(struct slice project, int partition, const char *suffix, struct slice rest);

// CRC16(recipient) mod 16.
int partition_of(struct slice recipient);

// [a-z0-9][a-z0-9-]{0,39}
bool project_slug_is_valid(struct slice slug);

// Makes the project, named as its slug when `name` has no data; *created false when it was there (its name is then
// changed when `name` has data). RESULT_INVALID for a slug that is none.
enum result project_put(struct store *store, struct arena *arena, struct slice slug, struct slice name, bool *created);

// RESULT_NOT_FOUND when there is none. *name lives in the arena.
enum result project_get(struct store *store, struct arena *arena, struct slice slug, struct slice *name);

// All slugs, sorted, also those whose removal was interrupted (project_get does not find them). *slugs lives in the
// arena.
enum result project_list(struct store *store, struct arena *arena, struct slice **slugs, size_t *count);

// Removes the project with every key it has. RESULT_NOT_FOUND. After another failure it is to be called again.
enum result project_delete(struct store *store, struct arena *arena, struct slice slug);

// Replaces a field of a hash only while it still holds `old` (data NULL: is absent). `value` with data NULL removes it.
// RESULT_CONFLICT when somebody else was first: read again and decide anew.
enum result field_replace(struct store *store, struct arena *arena, const struct key_name *hash, struct slice field,
                          struct slice old, struct slice value);

#endif

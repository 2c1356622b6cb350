// API keys of a project. A key is shown once; Redis holds its SHA-256 only:
//   cb:keys (hash)          SHA-256 of the key, hex -> JSON {"project","id","role"}: what a bearer may do
//   cb:{P}:keys (hash)      id -> JSON {"id","role","label","created_at","digest"}: the list
#ifndef CIOBRIDGE_PROJECT_API_KEY_H
#define CIOBRIDGE_PROJECT_API_KEY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#define API_KEY_LABEL_MAXIMUM 128
#define API_KEYS_MAXIMUM 1000 // a project

// What a key may do; see http-api "Keys". The root key is no project's: role ROLE_ROOT, project empty.
enum role { ROLE_NONE, ROLE_INGEST, ROLE_INGEST_SECRET, ROLE_READ, ROLE_ADMIN, ROLE_ROOT };

struct api_key {
	struct slice project, id;
	enum role role;
};

const char *role_name(enum role role);                   // "ingest", "ingest_secret", "read", "admin", "root", "none"
bool role_from_name(struct slice name, enum role *role); // project roles only

// Who holds this key: asks the store (RESULT_NO_MEMORY), and takes the answer. RESULT_UNAUTHENTICATED when nobody does.
enum result api_key_send(struct store *store, struct arena *arena, struct slice key);
enum result api_key_receive(struct store *store, struct arena *arena, struct api_key *found);

// Both at once.
enum result api_key_find(struct store *store, struct arena *arena, struct slice key, struct api_key *found);

// Makes a key of at most 64 ASCII characters; writes {"id","key","role","label","created_at"}. RESULT_LIMITED at
// API_KEYS_MAXIMUM.
enum result api_key_create(struct store *store, struct arena *arena, struct slice project, enum role role,
                           struct slice label, struct json_writer *shown);

// Writes the keys as an array of {"id","role","label","created_at"}, newest first.
enum result api_key_list(struct store *store, struct arena *arena, struct slice project, struct json_writer *out);

// RESULT_NOT_FOUND.
enum result api_key_delete(struct store *store, struct arena *arena, struct slice project, struct slice id);

// Takes all keys of the project out of cb:keys, before the project goes.
enum result api_key_delete_all(struct store *store, struct arena *arena, struct slice project);

#endif

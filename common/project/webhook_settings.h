// The webhook section of a project's settings: switched on or not, and the signing secrets, sealed. A new secret is
// added, the older ones stay good for a while, so that changing it at Customer.io loses nothing.
//
//   cb:{P}:settings (hash)  webhook -> JSON {"enabled","secrets":[{"id","sealed","created_at","expires_at"}]}
//   cb:{P}:usage (hash)     webhook -> ms of the last event; secret:<id> -> ms of its last use
#ifndef CIOBRIDGE_PROJECT_WEBHOOK_SETTINGS_H
#define CIOBRIDGE_PROJECT_WEBHOOK_SETTINGS_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#include <stdbool.h>

#define WEBHOOK_SECRETS_MAXIMUM 8      // live ones; the oldest goes first
#define WEBHOOK_SECRET_MAXIMUM 512     // bytes
#define WEBHOOK_KEEP_OLD_DEFAULT_S 86400
#define WEBHOOK_KEEP_OLD_MAXIMUM_S (30 * 86400)

struct webhook_secret {
	struct slice id, sealed;
	int64_t created_at_ms, expires_at_ms; // expires_at_ms 0: never
	struct slice plain;                   // set by webhook_settings_open
};

struct webhook_settings {
	bool enabled;
	struct webhook_secret secrets[WEBHOOK_SECRETS_MAXIMUM]; // the newest first; it alone never expires
	size_t secret_count;
	size_t unreadable; // secrets that webhook_settings_open could not open
	struct slice stored; // the JSON as it was read; data NULL when the section is absent
};

// Reads the section; absent gives a disabled one without secrets. RESULT_UNAVAILABLE also when it cannot be read.
enum result webhook_settings_load(struct store *store, struct arena *arena, struct slice project,
                                  struct webhook_settings *settings);

// Drops expired secrets and unseals the rest. A secret that cannot be opened is dropped, counted and logged.
void webhook_settings_open(struct arena *arena, struct slice project, struct slice master_key, int64_t now_ms,
                           struct webhook_settings *settings);

// Adds a secret; the others expire keep_old_s from now (or earlier, as before). One that is already there becomes the
// newest. RESULT_INVALID for an empty or too long secret, or a keep_old_s outside 0 .. WEBHOOK_KEEP_OLD_MAXIMUM_S.
enum result webhook_settings_add_secret(struct arena *arena, struct slice project, struct slice master_key,
                                        struct slice secret, int64_t now_ms, int64_t keep_old_s,
                                        struct webhook_settings *settings);

// Stores what was loaded and changed. RESULT_CONFLICT when somebody else was first.
enum result webhook_settings_save(struct store *store, struct arena *arena, struct slice project,
                                  const struct webhook_settings *settings);
enum result webhook_settings_delete(struct store *store, struct arena *arena, struct slice project);

// Queues the note that an event came in, signed with `secret_id` (store_send; its answer is dropped by store_settle).
// At most once a second for each secret in each process. Losing one harms nobody.
void webhook_settings_note_use(struct store *store, struct arena *arena, struct slice project, struct slice secret_id,
                               int64_t now_ms);

// Writes the section as GET /settings/{project} shows it.
enum result webhook_settings_write(struct store *store, struct arena *arena, struct slice project,
                                   struct slice public_url, struct json_writer *out);

#endif

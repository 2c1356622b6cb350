// A project's connections to Customer.io: the credentials of its App, Track and Pipelines APIs, each with the region in
// which Customer.io accepted them. Only what was accepted is stored, so what is there can be used.
//
//   cb:{P}:settings (hash)  app, track, pipelines -> JSON {"enabled","region","site_id","sealed"}
#ifndef CIOBRIDGE_PROJECT_CONNECTION_H
#define CIOBRIDGE_PROJECT_CONNECTION_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#include <stdbool.h>

#define CONNECTION_TEXT_MAXIMUM 512 // bytes of a secret or a site id

enum connection_kind { CONNECTION_APP, CONNECTION_TRACK, CONNECTION_PIPELINES };

struct connection {
	enum connection_kind kind;
	bool enabled;         // whether anything is sent; nothing is by CONNECTION_APP
	struct slice region;  // "us" or "eu"; data NULL: there is no connection
	struct slice site_id; // CONNECTION_TRACK only
	struct slice sealed;  // the API key or write key; data NULL likewise
	struct slice secret;  // the same in clear, from connection_open or connection_set_secret; otherwise data NULL
	struct slice stored;  // the JSON as it was read; data NULL when the section is absent
};

// "app", "track", "pipelines": the section.
const char *connection_name(enum connection_kind kind);

// Reads the section; absent gives one that is switched off and has nothing. RESULT_UNAVAILABLE also when it cannot be
// read.
enum result connection_load(struct store *store, struct arena *arena, struct slice project, enum connection_kind kind,
                            struct connection *connection);

// Unseals the secret. RESULT_NOT_FOUND: there is none. RESULT_UNAVAILABLE: it was sealed under another master key or
// was changed (logged); it counts as none until it is given again.
enum result connection_open(struct arena *arena, struct slice project, struct slice master_key,
                            struct connection *connection);

// Replaces the secret. RESULT_INVALID for an empty or too long one.
enum result connection_set_secret(struct arena *arena, struct slice project, struct slice master_key,
                                  struct slice secret, struct connection *connection);

// Stores what was loaded and changed; it has a region and a secret. RESULT_CONFLICT when somebody else was first.
enum result connection_save(struct store *store, struct arena *arena, struct slice project,
                            const struct connection *connection);
enum result connection_delete(struct store *store, struct arena *arena, struct slice project,
                              enum connection_kind kind);

// Writes the members that GET /settings/{project} shows, into an object. `configured` says that connection_open
// succeeded; region and site_id are shown whenever something is stored.
void connection_write(const struct connection *connection, struct json_writer *out);

#endif

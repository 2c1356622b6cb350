// Imports: files and, later, runs through Customer.io's App API, that put many choices into the list at once.
//
//   cb:{P}:jobs (zset)             id -> when it was started (ms)
//   cb:{P}:job:<id> (hash)         kind, status, step, done, total, error, started_at, ended_at; "result:<name>" counters;
//                                  "warning:<n>" JSON; "undo": 1 once an undo was asked for
//   cb:{P}:job:<id>:errors (list)  pieces of a CSV file with what was wrong; kept IMPORT_ERRORS_KEPT_S, cut at
//                                  IMPORT_ERRORS_BYTES
//   cb:{P:NN}:import:<id> (hash)   written by record_choices.lua: page, choices, changes, fence
//   cb:undo (list)                 "project id" of imports that are to be undone, for import_worker
#ifndef CIOBRIDGE_CONSENT_IMPORT_H
#define CIOBRIDGE_CONSENT_IMPORT_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define IMPORT_ID_LENGTH 26               // a ULID
#define IMPORT_ERRORS_BYTES ((size_t)64 << 20)
#define IMPORT_ERRORS_KEPT_S (30 * 86400)
#define IMPORTS_KEPT 1000                 // a project; the oldest ones that have ended go

enum import_status {
	IMPORT_QUEUED,
	IMPORT_RUNNING,
	IMPORT_COMPLETED,
	IMPORT_FAILED,
	IMPORT_CANCELLED,
	IMPORT_UNDONE,
};
const char *import_status_name(enum import_status status);

// A ULID (48 bits of time, 80 random ones) in Crockford's base 32; data NULL on failure.
struct slice import_new_id(struct arena *arena, int64_t now_ms);
bool import_id_is_valid(struct slice id);

// Registers an import as running. RESULT_CONFLICT when the id is taken by one that has not ended; one that failed or
// was cut may be sent again under the same id, which starts it anew. kind is "csv" or "api".
enum result import_start(struct store *store, struct arena *arena, struct slice project, struct slice id,
                         const char *kind, int64_t now_ms);

struct import_counter {
	const char *name; // of the result, e.g. "total_rows"
	int64_t value;
};

// Stores how far it is (written over, not added up). `counters` becomes the result so far.
enum result import_progress(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            const char *step, int64_t done, int64_t total, const struct import_counter *counters,
                            size_t count);

// Ends it. error: a sentence, or data NULL.
enum result import_finish(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          enum import_status status, struct slice error, int64_t now_ms);

// Adds to the file of errors; beyond IMPORT_ERRORS_BYTES nothing more is kept, and a warning says so.
enum result import_add_errors(struct store *store, struct arena *arena, struct slice project, struct slice id,
                              struct slice csv);

// Piece `index` of the file of errors; *piece has data NULL behind the last one.
enum result import_errors_piece(struct store *store, struct arena *arena, struct slice project, struct slice id,
                                size_t index, struct slice *piece);

// Writes one import as http-api shows it. RESULT_NOT_FOUND.
enum result import_write(struct store *store, struct arena *arena, struct slice project, struct slice id,
                         struct json_writer *out);

// The ids, newest first, behind `cursor` (empty: from the newest). *next has data NULL at the end.
enum result import_list(struct store *store, struct arena *arena, struct slice project, struct slice cursor,
                        size_t limit, struct slice **ids, size_t *count, struct slice *next);

// Asks for an undo: fences the import in every partition first, so that nothing more of it is recorded, then queues it.
// RESULT_NOT_FOUND; RESULT_CONFLICT when it is undone or being undone already.
enum result import_ask_undo(struct store *store, struct arena *arena, struct slice project, struct slice id);

// Undoes it, in steps that can be repeated: puts the old score back where the present one is still the import's,
// audited with the source "undo" and the import as reference, and ends it as IMPORT_UNDONE.
enum result import_undo(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        int64_t now_ms);

#endif

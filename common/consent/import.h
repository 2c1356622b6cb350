// Imports: files, and runs through Customer.io's App API (import_run.h), that put many choices into the list at once.
//
//   cb:{P}:jobs (zset)             id -> when it was started (ms)
//   cb:{P}:job:<id> (hash)         kind, status, step, done, total, error, started_at, ended_at; seen_at: when its
//                                  process last wrote here; "result:<name>" counters; "warning:<step>" JSON;
//                                  "undo": 1 once an undo was asked for; "note:<name>" see import_run.h
//   cb:{P}:job:<id>:errors (list)  pieces of a CSV file with what was wrong; kept IMPORT_ERRORS_KEPT_S, cut at
//                                  IMPORT_ERRORS_BYTES
//   cb:{P:NN}:import:<id> (hash)   written by record_choices.lua: page, choices, changes; first, last: its audit
//                                  entries; low, high: see there. fence: nothing more of it is recorded. Written by
//                                  undo_import.lua: undo: the audit entry down to which it is undone, "-" all; undone:
//                                  choices put back
//   cb:{P:NN}:raised:<id> (hash)   what it wrote without a change that the audit shows: list, line feed, recipient,
//                                  line feed, the score that it wrote -> the score before, or empty
//   cb:undo (list)                 "project id" of imports that are to be undone, for import_worker
#ifndef CIOBRIDGE_CONSENT_IMPORT_H
#define CIOBRIDGE_CONSENT_IMPORT_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define IMPORT_ID_LENGTH 26 // a ULID
#define IMPORT_ERRORS_BYTES ((size_t)64 << 20)
#define IMPORT_ERRORS_PIECE ((size_t)256 << 10) // bytes
#define IMPORT_ERRORS_KEPT_S (30 * 86400)
#define IMPORT_SILENCE_MS 60000 // a running import that was not seen for so long is taken for failed
#define IMPORTS_KEPT 1000       // a project; the oldest ones that have ended go
#define IMPORT_UNDO_QUEUE "cb:undo"

enum import_status {
	IMPORT_QUEUED,
	IMPORT_RUNNING,
	IMPORT_COMPLETED,
	IMPORT_FAILED,
	IMPORT_CANCELLED,
	IMPORT_UNDONE,
};

// As http-api writes it: "queued", "running" and so on.
const char *import_status_name(enum import_status status);

// A ULID (48 bits of time, 80 random ones) in Crockford's base 32; data NULL on failure.
struct slice import_new_id(struct arena *arena, int64_t now_ms);
bool import_id_is_valid(struct slice id);

// Registers an import as running. RESULT_CONFLICT when the id is taken, unless by one that failed or whose process has
// gone without a word: that one may be sent again under the same id, which starts it anew. kind is "csv" or "api".
enum result import_start(struct store *store, struct arena *arena, struct slice project, struct slice id,
                         const char *kind, int64_t now_ms);

struct import_counter {
	const char *name; // of the result, e.g. "total_rows"
	int64_t value;
};

// Stores how far it is (written over, not added up), and that it is alive: to be called every IMPORT_SILENCE_MS / 2 at
// least. `counters` becomes the result so far. RESULT_NOT_FOUND when the project was removed meanwhile.
enum result import_progress(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            const char *step, int64_t done, int64_t total, const struct import_counter *counters,
                            size_t count);

// Ends it. error: a sentence, or data NULL. RESULT_NOT_FOUND as above.
enum result import_finish(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          enum import_status status, struct slice error, int64_t now_ms);

// Adds to the file of errors; beyond IMPORT_ERRORS_BYTES nothing more is kept, and a warning says so. RESULT_NOT_FOUND
// as above.
enum result import_add_errors(struct store *store, struct arena *arena, struct slice project, struct slice id,
                              struct slice csv);

// Piece `index` of the file of errors, IMPORT_ERRORS_PIECE bytes at most; *piece has data NULL behind the last one.
enum result import_errors_piece(struct store *store, struct arena *arena, struct slice project, struct slice id,
                                size_t index, struct slice *piece);

// Writes one import as http-api shows it. RESULT_NOT_FOUND, with nothing written.
enum result import_write(struct store *store, struct arena *arena, struct slice project, struct slice id,
                         struct json_writer *out);

// The ids, newest first, behind `cursor` (empty: from the newest). *next has data NULL at the end. RESULT_INVALID when
// the cursor is none.
enum result import_list(struct store *store, struct arena *arena, struct slice project, struct slice cursor,
                        size_t limit, struct slice **ids, size_t *count, struct slice *next);

// Asks for an undo: fences the import in every partition first, so that nothing more of it is recorded, then queues it.
// RESULT_NOT_FOUND; RESULT_CONFLICT when it is undone or being undone already.
enum result import_ask_undo(struct store *store, struct arena *arena, struct slice project, struct slice id);

// Undoes what was asked for: puts the old score back where the present one is still the import's, audited with the
// source "undo" and the import as reference, and ends it as IMPORT_UNDONE. It goes in short steps, each done once
// whoever repeats it: after any failure it is to be called again, and several may do it at once. `between`, called
// between steps, ends it by anything but RESULT_OK; it may be NULL. RESULT_NOT_FOUND.
//
// What stays although the import wrote it: an `out` where the recipient was out already, of another's making or by the
// category's default.
enum result import_undo(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        int64_t now_ms, enum result (*between)(void *context), void *context);

#endif

// Imports of the kind "api": asked for at one place, run by import_worker at another, and gone on with by any worker
// after one has died.
//
//   cb:{P}:project (hash)   import: the id of the newest one
//   cb:imports (list)       "project id" of those that are to be run
//   cb:{P}:job:<id> (hash)  note:<name>: what the next worker has to know to go on
#ifndef CIOBRIDGE_CONSENT_IMPORT_RUN_H
#define CIOBRIDGE_CONSENT_IMPORT_RUN_H

#include "consent/import.h"

#define IMPORT_RUN_QUEUE "cb:imports"
#define IMPORT_KIND_API "api"
#define IMPORT_WARNING_MAXIMUM ((size_t)4096) // bytes, as JSON

// Registers an import and queues it. There is one at a time in a project: RESULT_CONFLICT, with *id that of the one
// under way (data NULL when that cannot be said).
enum result import_ask(struct store *store, struct arena *arena, struct slice project, int64_t now_ms,
                       struct slice *id);

// Ends an import of any kind that is queued or running: nothing more of it is recorded. What is recorded stays, until
// an undo. RESULT_NOT_FOUND; RESULT_CONFLICT when it has ended, or is being undone.
enum result import_cancel(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          int64_t now_ms);

// A worker takes it, and it runs or goes on. *job is what the worker before it has saved. RESULT_NOT_FOUND;
// RESULT_CONFLICT: it has ended.
struct import_job;
enum result import_take(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        struct import_job *job);

struct import_note {
	const char *name;
	struct slice value;
};

// How far an import is. It is stored whole or not at all, so that whoever goes on finds counters and notes together.
struct import_state {
	const char *step;
	int64_t done, total;
	const struct import_counter *counters;
	size_t counter_count;
	const struct import_note *notes; // those that are new
	size_t note_count;
};

// As import_progress, with notes. RESULT_CONFLICT when it was cancelled.
enum result import_save(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        const struct import_state *state);

// How many choices it has changed so far, over all partitions.
enum result import_changes(struct store *store, struct arena *arena, struct slice project, struct slice id,
                           int64_t *changes);

// Stores a warning, a sentence, in the place of the step's last one. RESULT_NOT_FOUND, RESULT_CONFLICT.
enum result import_warn(struct store *store, struct arena *arena, struct slice project, struct slice id,
                        const char *step, struct slice message);

#endif

// An import as it is stored, for those who keep imports.
#ifndef CIOBRIDGE_CONSENT_IMPORT_JOB_H
#define CIOBRIDGE_CONSENT_IMPORT_JOB_H

#include "consent/import.h"
#include "project/project.h"

#define IMPORT_RESULT_PREFIX "result:"
#define IMPORT_WARNING_PREFIX "warning:"
#define IMPORT_NOTE_PREFIX "note:"

struct import_job {
	const struct reply *fields; // names and values
	enum import_status status;  // as it is now: a process that has gone does not say so
	bool gone;                  // it was running, and its process has gone
	bool undo;                  // asked for
};

// cb:{P}:job:<id><suffix>
struct key_name import_job_key(struct slice project, struct slice id, const char *suffix);

// RESULT_NOT_FOUND.
enum result import_job_load(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            struct import_job *job);

// What a field of the job holds.
struct slice import_job_text(const struct import_job *job, const char *field); // data NULL: it is not there
int64_t import_job_number(const struct import_job *job, const char *field);    // 0: it is not there

// What was saved of it: a note (data NULL: it is not there), a counter (0 likewise).
struct slice import_job_note(const struct import_job *job, const char *name);
int64_t import_job_counter(const struct import_job *job, const char *name);

// import_start for any kind, also of an import that waits (IMPORT_QUEUED).
enum result import_register(struct store *store, struct arena *arena, struct slice project, struct slice id,
                            const char *kind, enum import_status status, int64_t now_ms);

// Sets fields. `fields`: names and values; the first place is left free for the key. RESULT_NO_MEMORY when one of them
// has no data; RESULT_NOT_FOUND; RESULT_CONFLICT when it was cancelled.
enum result import_update(struct store *store, struct arena *arena, struct slice project, struct slice id,
                          struct slice *fields, size_t count);

// From here on nothing more of it is recorded, in any partition.
enum result import_fence(struct store *store, struct arena *arena, struct slice project, struct slice id);

// Puts it into a queue, unless it is there already.
enum result import_enqueue(struct store *store, struct arena *arena, const char *queue, struct slice project,
                           struct slice id);

// Forgets an import with all that is kept of it.
enum result import_remove(struct store *store, struct arena *arena, struct slice project, struct slice id);

// Asked to be undone and not yet so; queued or running.
bool import_job_is_being_undone(const struct import_job *job);
bool import_job_is_under_way(const struct import_job *job);

#endif

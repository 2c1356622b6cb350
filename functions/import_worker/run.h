// An import from the App API while a worker runs it: topics become categories (run_topics), globally unsubscribed
// people opt out of all marketing (run_people), and everybody's preferences come as an export (run_preferences,
// export_file).
//
// It is saved after each step of it, so that any worker goes on where another has died. What was done since the last
// time is then done again, which changes nothing: choices of the same time, or of the same value, are recorded once.
#ifndef CIOBRIDGE_IMPORT_WORKER_RUN_H
#define CIOBRIDGE_IMPORT_WORKER_RUN_H

#include "consent/choice.h"
#include "consent/import_job.h"
#include "consent/import_run.h"
#include "customerio/app_api.h"
#include "edge/queue_worker.h"

enum run_counter {
	TOPICS_FOUND,
	CATEGORIES_CREATED,
	CATEGORIES_UPDATED,
	CUSTOMERS_PROCESSED,
	GLOBALLY_UNSUBSCRIBED,
	PEOPLE_WITHOUT_EMAIL,
	USERS_WITH_OPTOUTS,
	PREFERENCES_UPDATED,
	RUN_COUNTERS,
};

struct run {
	struct job *job;
	struct store *store;
	struct slice project, id;
	struct arena *page; // reset whenever a step needs nothing of it any more
	struct http_options http;
	struct app_api api;
	struct import_job saved; // as this worker found it
	int64_t counters[RUN_COUNTERS];
	int64_t processed_before, without_email_before; // the counters before the export
	bool is_cancelled;
	struct slice fault; // why it cannot be done, in words; data NULL: app_api knows, or nobody
};

// Runs the import of the queue's entry, "project id".
enum result run_import(struct job *job);

// The steps. After a failure that is nobody's here `run` knows why.
enum result run_topics(struct run *run);
enum result run_people(struct run *run);
enum result run_preferences(struct run *run);

// Takes a finished export into the list, from its beginning. RESULT_UNAVAILABLE: it was cut, and may be tried again.
enum result export_file_take(struct run *run, struct slice link, int64_t as_of_ms, int64_t total);

// Records choices of the import. RESULT_CONFLICT: it was cancelled.
enum result run_record(struct run *run, const struct choice *choices, size_t count);

// Saves how far it is, and looks whether to go on. RESULT_CONFLICT: it was cancelled.
enum result run_save(struct run *run, const char *step, int64_t done, int64_t total, const struct import_note *notes,
                     size_t note_count);
enum result run_warn(struct run *run, const char *step, struct slice message);

// Returns `result` with a fault, which lives as long as the job.
enum result run_refuse(struct run *run, enum result result, struct slice fault);

#endif

// A function that is triggered by queues instead of a web server. A queue is a list in Redis whose entries are texts;
// whoever has work adds one at its end, and it stays there until its job is done. So no death of a worker loses one;
// a lease in cb:lease:<queue>:<entry> keeps workers from doing the same job at once. Where nobody keeps such a list,
// the worker looks for what there is to do.
//
// A job may be begun again after it was interrupted anywhere, and, where a worker was held up for longer than its
// lease, while another still does it: handlers go in steps that can be repeated.
#ifndef CIOBRIDGE_EDGE_QUEUE_WORKER_H
#define CIOBRIDGE_EDGE_QUEUE_WORKER_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/config.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define JOB_FIND_MS 2000

struct queue_worker;

struct job {
	struct arena *arena; // reset after the job
	struct store *store;
	const struct config *config;
	struct slice entry; // of the queue

	// For job_go_on.
	struct queue_worker *worker;
	const struct job_queue *queue;
	const char *lease;
	int64_t kept_us; // when the lease was last made longer
	bool is_lost;    // it is another's
};

struct job_queue {
	const char *name;
	const char *key; // the list; NULL:
	// Finds what now has work, each as an entry, which is found again for as long as it has some. Asked for by a
	// worker every JOB_FIND_MS at most.
	enum result (*find)(struct store *store, struct arena *arena, struct slice **entries, size_t *count);
	// RESULT_OK: the job is done. RESULT_STOP, RESULT_UNAVAILABLE and RESULT_NO_MEMORY: to be tried again. Anything
	// else: it can never be done, and goes.
	enum result (*handle)(struct job *job);
};

// Between the steps of a job, more often than every 2 s: keeps the lease. `job` is a struct job. RESULT_STOP: asked to
// end; RESULT_CONFLICT: another has the job; RESULT_UNAVAILABLE. The handler then returns that.
enum result job_go_on(void *job);

// Does the jobs of the function's queues until SIGTERM, SIGINT, SIGHUP or SIGUSR1; the present one ends at its next
// step. Returns the exit status.
struct function; // edge/endpoint.h
int queue_worker_run(const struct function *function, const struct config *config);

#endif

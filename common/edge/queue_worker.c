// Waiting is asking twice a second: a blocking command would have to take the entry out, or be refused when Redis is
// full.
#include "edge/queue_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/crypt.h"
#include "edge/endpoint.h"
#include "edge/metrics.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

STORE_SCRIPT(lease_script, "common/edge/lease.lua");

#define POLL_MS 500
#define LEASE_MS "8000"
#define LEASE_GIVE_BACK "0"
#define LEASE_RENEW_US INT64_C(2000000)
#define ENTRIES_A_LOOK "99" // the last of 100
#define ID_SIZE 16          // random bytes

struct queue_worker {
	const struct function *function;
	const struct config *config;
	struct arena *arena, *job_arena;
	struct store *store;
	struct slice id; // of this process, as the holder of leases; in settings
	struct arena *settings;
	sigset_t signals;
	bool stopping;
	int64_t find_us; // when to find the next time
	bool finds;      // that is now
};

static const int queue_stop_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

// Waits for so long at most. True when it is time to end.
static bool queue_worker_stops(struct queue_worker *worker, int64_t wait_ms)
{
	struct timespec limit = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};

	if (!worker->stopping)
		worker->stopping = sigtimedwait(&worker->signals, NULL, &limit) > 0;
	return worker->stopping;
}

static enum result job_lease(struct job *job, const char *ms)
{
	const struct reply *reply;

	store_send_script(job->store, &lease_script, 1,
	                  ARGUMENTS(slice_of(job->lease), job->worker->id, slice_of(ms)));
	TRY(store_receive(job->store, job->arena, &reply));
	job->kept_us = clock_monotonic_us();
	job->is_lost = reply_integer(reply) == 0;
	return job->is_lost ? RESULT_CONFLICT : RESULT_OK;
}

enum result job_go_on(void *context)
{
	struct job *job = context;

	if (queue_worker_stops(job->worker, 0))
		return RESULT_STOP;
	if (clock_monotonic_us() - job->kept_us < LEASE_RENEW_US)
		return RESULT_OK;
	return job_lease(job, LEASE_MS);
}

static bool job_is_to_be_tried_again(const struct job *job, enum result result)
{
	return result == RESULT_STOP || result == RESULT_UNAVAILABLE || result == RESULT_NO_MEMORY || job->is_lost;
}

static enum result job_remove(struct job *job)
{
	const struct reply *reply;

	if (job->queue->key == NULL)
		return RESULT_OK;
	return store_call(job->store, job->arena, &reply,
	                  ARGUMENTS(SLICE("LREM"), slice_of(job->queue->key), SLICE("0"), job->entry));
}

// Another may have done it between the look at the queue and the lease.
static enum result job_find(struct job *job)
{
	const struct reply *reply;

	if (job->queue->key == NULL)
		return RESULT_OK;
	TRY(store_call(job->store, job->arena, &reply,
	               ARGUMENTS(SLICE("LPOS"), slice_of(job->queue->key), job->entry)));
	return reply_is_null(reply) ? RESULT_NOT_FOUND : RESULT_OK;
}

static enum result job_do(struct job *job)
{
	const char *name = job->queue->name;

	TRY(job_find(job));
	enum result result = job->queue->handle(job);

	store_settle(job->store);
	if (job_is_to_be_tried_again(job, result)) {
		LOG(result == RESULT_STOP ? LOG_INFO : LOG_WARNING, "a job is put off", {"queue", slice_of(name)},
		    {"job", job->entry});
		return result;
	}
	if (result != RESULT_OK)
		LOG(LOG_ERROR, "a job that cannot be done is dropped", {"queue", slice_of(name)},
		    {"job", job->entry});
	return job_remove(job);
}

static enum result queue_worker_try(struct queue_worker *worker, const struct job_queue *queue, struct slice entry)
{
	struct slice lease = arena_format(worker->job_arena, "cb:lease:%s:%.*s", queue->name, (int)entry.length,
	                                  entry.data);
	struct job job = {.arena = worker->job_arena,
	                  .store = worker->store,
	                  .config = worker->config,
	                  .entry = entry,
	                  .worker = worker,
	                  .queue = queue,
	                  .lease = lease.data};

	if (lease.data == NULL)
		return RESULT_NO_MEMORY;
	TRY(job_lease(&job, LEASE_MS));
	enum result result = job_do(&job);
	// The lease of whoever has it now stays; one that cannot be given back runs out.
	job_lease(&job, LEASE_GIVE_BACK);
	return result;
}

static enum result queue_worker_read_list(struct queue_worker *worker, const struct job_queue *queue,
                                          struct slice **entries, size_t *count)
{
	const struct reply *reply;

	TRY(store_call(worker->store, worker->arena, &reply,
	               ARGUMENTS(SLICE("LRANGE"), slice_of(queue->key), SLICE("0"), SLICE(ENTRIES_A_LOOK))));
	*entries = arena_array(worker->arena, reply_count(reply) + 1, sizeof(**entries));
	if (*entries == NULL)
		return RESULT_NO_MEMORY;
	*count = reply_count(reply);
	for (size_t i = 0; i < *count; i++)
		(*entries)[i] = reply_text(reply_at(reply, i));
	return RESULT_OK;
}

static enum result queue_worker_find(struct queue_worker *worker, const struct job_queue *queue,
                                     struct slice **entries, size_t *count)
{
	*count = 0;
	if (queue->key != NULL)
		return queue_worker_read_list(worker, queue, entries, count);
	return worker->finds ? queue->find(worker->store, worker->arena, entries, count) : RESULT_OK;
}

// True when a job was done, so that there may be more.
static bool queue_worker_look(struct queue_worker *worker, const struct job_queue *queue)
{
	struct slice *entries;
	size_t count;
	bool done = false;

	if (queue_worker_find(worker, queue, &entries, &count) != RESULT_OK)
		count = 0;
	store_settle(worker->store);
	for (size_t i = 0; i < count && !queue_worker_stops(worker, 0); i++) {
		done |= queue_worker_try(worker, queue, entries[i]) == RESULT_OK;
		store_settle(worker->store);
		arena_reset(worker->job_arena);
	}
	return done;
}

static void queue_worker_take_signals(struct queue_worker *worker)
{
	sigemptyset(&worker->signals);
	for (size_t i = 0; i < COUNT_OF(queue_stop_signals); i++)
		sigaddset(&worker->signals, queue_stop_signals[i]);
	sigprocmask(SIG_BLOCK, &worker->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool queue_worker_open(struct queue_worker *worker)
{
	const struct config *config = worker->config;
	const char *reason = "no memory";

	worker->settings = arena_new(1024);
	worker->arena = arena_new(REQUEST_ARENA_LIMIT);
	worker->job_arena = arena_new(REQUEST_ARENA_LIMIT);
	if (worker->settings && worker->arena && worker->job_arena)
		worker->id = crypt_random_text(worker->settings, ID_SIZE);
	if (worker->id.data &&
	    store_new(config->redis_url, config->redis_wait_replicas, &worker->store, &reason) == RESULT_OK)
		return true;
	LOG(LOG_ERROR, "cannot work", {"reason", slice_of(reason)});
	return false;
}

static void queue_worker_close(struct queue_worker *worker)
{
	store_free(worker->store);
	arena_free(worker->job_arena);
	arena_free(worker->arena);
	arena_free(worker->settings);
}

static bool queue_worker_look_everywhere(struct queue_worker *worker)
{
	int64_t now_us = clock_monotonic_us();
	bool done = false;

	worker->finds = now_us >= worker->find_us;
	if (worker->finds)
		worker->find_us = now_us + JOB_FIND_MS * 1000;
	for (size_t i = 0; i < worker->function->queue_count; i++) {
		done |= queue_worker_look(worker, &worker->function->queues[i]);
		arena_reset(worker->arena);
	}
	return done;
}

int queue_worker_run(const struct function *function, const struct config *config)
{
	AUTO(queue_worker_close) struct queue_worker worker = {.function = function, .config = config};

	queue_worker_take_signals(&worker);
	if (!queue_worker_open(&worker))
		return EXIT_FAILURE;
	do {
		while (queue_worker_look_everywhere(&worker))
			;
		metrics_flush(worker.store, worker.arena, false);
		store_settle(worker.store);
		arena_reset(worker.arena);
	} while (!queue_worker_stops(&worker, POLL_MS));
	metrics_flush(worker.store, worker.arena, true);
	return EXIT_SUCCESS;
}

// The course of a run: begin or go on, step by step, and end it in words.
#include "run.h"

#include "base/clock.h"
#include "base/log.h"
#include "project/connection.h"

#define PAGE_MEMORY ((size_t)64 << 20) // most of it is used by nobody: a page of people takes some 600 kB

static const char *const counter_names[] = {
	[TOPICS_FOUND] = "topics_found",
	[CATEGORIES_CREATED] = "categories_created",
	[CATEGORIES_UPDATED] = "categories_updated",
	[CUSTOMERS_PROCESSED] = "customers_processed",
	[GLOBALLY_UNSUBSCRIBED] = "globally_unsubscribed_count",
	[PEOPLE_WITHOUT_EMAIL] = "people_without_email",
	[USERS_WITH_OPTOUTS] = "users_with_optouts",
	[PREFERENCES_UPDATED] = "preferences_updated",
};

static const struct {
	const char *name;
	enum result (*take)(struct run *run);
} steps[] = {
	{"topics", run_topics},
	{"people", run_people},
	{"preferences", run_preferences},
};

enum result run_refuse(struct run *run, enum result result, struct slice fault)
{
	run->fault = fault;
	return result;
}

enum result run_record(struct run *run, const struct choice *choices, size_t count)
{
	struct choice_origin origin = {
		.act = ACT_DATED,
		.source = SLICE("import"),
		.reference = run->id,
		.import = run->id,
	};
	enum choice_outcome *outcomes = arena_array(run->page, count + 1, sizeof(*outcomes));
	if (outcomes == NULL)
		return RESULT_NO_MEMORY;
	TRY(choices_record(run->store, run->page, run->project, NULL, &origin, choices, count, outcomes));
	for (size_t i = 0; i < count; i++) {
		if (outcomes[i] == CHOICE_SKIPPED)
			run->is_cancelled = true;
	}
	return run->is_cancelled ? RESULT_CONFLICT : RESULT_OK;
}

// What came of writing to the import.
static enum result run_written(struct run *run, enum result result)
{
	run->is_cancelled |= result == RESULT_CONFLICT || result == RESULT_NOT_FOUND;
	return run->is_cancelled ? RESULT_CONFLICT : result;
}

enum result run_save(struct run *run, const char *step, int64_t done, int64_t total, const struct import_note *notes,
                     size_t note_count)
{
	struct import_counter counters[RUN_COUNTERS];
	struct import_state state = {step, done, total, counters, RUN_COUNTERS, notes, note_count};
	TRY(import_changes(run->store, run->page, run->project, run->id, &run->counters[PREFERENCES_UPDATED]));
	for (size_t i = 0; i < RUN_COUNTERS; i++)
		counters[i] = (struct import_counter){counter_names[i], run->counters[i]};
	TRY(run_written(run, import_save(run->store, run->page, run->project, run->id, &state)));
	return job_go_on(run->job);
}

enum result run_warn(struct run *run, const char *step, struct slice message)
{
	return run_written(run, import_warn(run->store, run->page, run->project, run->id, step, message));
}

static enum result run_connect(struct run *run)
{
	struct connection connection;
	struct arena *arena = run->job->arena;
	TRY(connection_load(run->store, arena, run->project, CONNECTION_APP, &connection));
	enum result result = connection_open(arena, run->project, run->job->config->master_key, &connection);
	if (result == RESULT_NOT_FOUND)
		return run_refuse(run, result, SLICE("There is no App API key in the settings."));
	if (result == RESULT_UNAVAILABLE)
		return run_refuse(run, RESULT_INVALID, SLICE("The App API key cannot be opened with this master key."));
	TRY(result);
	run->api.key = connection.secret;
	return region_parse(connection.region, &run->api.region) ? RESULT_OK : RESULT_MALFORMED;
}

static size_t run_first_step(const struct run *run)
{
	struct slice saved = import_job_text(&run->saved, "step");
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		if (slice_equal(saved, slice_of(steps[i].name)))
			return i;
	}
	return 0;
}

static enum result run_steps(struct run *run)
{
	TRY(run_connect(run));
	for (size_t i = 0; i < RUN_COUNTERS; i++)
		run->counters[i] = import_job_counter(&run->saved, counter_names[i]);
	for (size_t i = run_first_step(run); i < COUNT_OF(steps); i++) {
		arena_reset(run->page);
		TRY(steps[i].take(run));
	}
	return RESULT_OK;
}

static struct slice run_reason(const struct run *run, enum result result)
{
	if (run->fault.data != NULL)
		return run->fault;
	if (!slice_is_empty(run->api.fault))
		return run->api.fault;
	return result == RESULT_NO_MEMORY ? SLICE("There was no memory.") : SLICE("It failed for no known reason.");
}

// Whether another worker is to go on, or this one later.
static bool run_is_put_off(const struct run *run, enum result result)
{
	if (result == RESULT_STOP || run->job->is_lost)
		return true;
	return result == RESULT_UNAVAILABLE && run->fault.data == NULL && slice_is_empty(run->api.fault);
}

static enum result run_end(struct run *run, enum result result)
{
	int64_t now_ms;
	if (run->is_cancelled)
		return RESULT_OK;
	if (run_is_put_off(run, result))
		return result == RESULT_STOP ? result : RESULT_UNAVAILABLE;
	struct slice reason = result == RESULT_OK ? (struct slice){NULL, 0} : run_reason(run, result);
	if (result != RESULT_OK)
		LOG(LOG_WARNING, "an import failed", {"project", run->project}, {"import", run->id},
		    {"reason", reason});
	store_settle(run->store);
	TRY(store_time_ms(run->store, run->job->arena, &now_ms));
	enum result ended = import_finish(run->store, run->job->arena, run->project, run->id,
	                                  result == RESULT_OK ? IMPORT_COMPLETED : IMPORT_FAILED, reason, now_ms);
	return ended == RESULT_CONFLICT || ended == RESULT_NOT_FOUND ? RESULT_OK : ended;
}

static void run_close(struct run *run)
{
	http_client_free(run->api.http);
	arena_free(run->page);
}

static enum result run_open(struct run *run, struct job *job)
{
	*run = (struct run){.job = job, .store = job->store, .id = job->entry};
	run->http = (struct http_options){.patience = {job_go_on, job}};
	run->project = slice_split(&run->id, ' ');
	run->page = arena_new(PAGE_MEMORY);
	run->api = (struct app_api){
		.http = http_client_new(&run->http),
		.store = job->store,
		.config = job->config,
		.project = run->project,
		.effort = &app_effort_of_job,
	};
	if (run->page == NULL || run->api.http == NULL)
		return RESULT_NO_MEMORY;
	return import_take(job->store, job->arena, run->project, run->id, &run->saved);
}

enum result run_import(struct job *job)
{
	AUTO(run_close) struct run run = {.page = NULL};
	enum result result = run_open(&run, job);
	// It was cancelled, or its project has gone.
	if (result == RESULT_CONFLICT || result == RESULT_NOT_FOUND)
		return RESULT_OK;
	TRY(result);
	return run_end(&run, run_steps(&run));
}

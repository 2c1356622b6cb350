// Runs imports from Customer.io's App API and undoes imports of every kind, as /import/{project} asks for, and looks
// people up at Customer.io.
#include "base/clock.h"
#include "consent/import.h"
#include "customerio/lookup.h"
#include "edge/endpoint.h"
#include "edge/queue_worker.h"
#include "lookups.h"
#include "run.h"

static enum result undo(struct job *job)
{
	struct slice id = job->entry, project = slice_split(&id, ' ');
	return import_undo(job->store, job->arena, project, id, clock_now_ms(), job_go_on, job);
}

static const struct job_queue queues[] = {
	{.name = "undo", .key = IMPORT_UNDO_QUEUE, .handle = undo},
	{.name = "import", .key = IMPORT_RUN_QUEUE, .handle = run_import},
	{.name = "lookups", .find = lookup_find, .handle = lookups_work},
};

const struct function function = {
	.name = "import_worker",
	.prefixes = "",
	.queues = queues,
	.queue_count = COUNT_OF(queues),
	.workers = 4,
	.gives_way = true,
};

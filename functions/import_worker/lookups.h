// Looking people up at Customer.io, as webhooks asked for (customerio/lookup.h).
#ifndef CIOBRIDGE_FUNCTIONS_IMPORT_WORKER_LOOKUPS_H
#define CIOBRIDGE_FUNCTIONS_IMPORT_WORKER_LOOKUPS_H

#include "edge/queue_worker.h"

// The handler of a queue whose entries are projects with look-ups: does some, and leaves the rest to the next time.
enum result lookups_work(struct job *job);

#endif

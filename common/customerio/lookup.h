// Look-ups that need Customer.io's App API, queued for the import worker in the sorted set cb:{P:NN}:lookups: member =
// kind, line feed, identifier; score = when the event was made (ms). The newest one stays, and one ahead of Redis'
// clock counts as now. One entry a person and kind, so the queue is bounded by the people.
#ifndef CIOBRIDGE_CUSTOMERIO_LOOKUP_H
#define CIOBRIDGE_CUSTOMERIO_LOOKUP_H

#include "base/arena.h"
#include "base/result.h"
#include "io/store.h"

enum lookup_kind {
	LOOKUP_PREFERENCES, // the person's explicit preferences, as of the event
	LOOKUP_ADDRESS,     // the e-mail address that belongs to an id
};

// `identifier` comes from recipient_read, so it holds no line feed. Taken even when Redis is out of memory.
enum result lookup_queue(struct store *store, struct arena *arena, struct slice project, enum lookup_kind kind,
                         struct slice identifier, int64_t made_at_ms);

#endif

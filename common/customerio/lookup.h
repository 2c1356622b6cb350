// Look-ups that need Customer.io's App API, queued for the import worker in the sorted set cb:{P:NN}:lookups: member =
// kind, line feed, identifier; score = when the event was made (ms). The newest one stays, and one ahead of Redis'
// clock counts as now. One entry a person and kind, so the queue is bounded by the people.
//
// One that is taken stays where it is, half a millisecond before its time: the next event lifts it again, even one of
// the same second, and so it is only removed when nothing came meanwhile.
#ifndef CIOBRIDGE_CUSTOMERIO_LOOKUP_H
#define CIOBRIDGE_CUSTOMERIO_LOOKUP_H

#include "base/arena.h"
#include "base/result.h"
#include "io/store.h"

#include <stddef.h>
#include <stdint.h>

#define LOOKUPS_A_PARTITION 16 // taken at a time

enum lookup_kind {
	LOOKUP_PREFERENCES, // the person's explicit preferences, as of the event
	LOOKUP_ADDRESS,     // the e-mail address that belongs to an id
};

// "preferences", "address"
const char *lookup_kind_name(enum lookup_kind kind);

// `identifier` comes from recipient_read, so it holds no line feed. Taken even when Redis is out of memory.
enum result lookup_queue(struct store *store, struct arena *arena, struct slice project, enum lookup_kind kind,
                         struct slice identifier, int64_t made_at_ms);

// The projects that have some.
enum result lookup_find(struct store *store, struct arena *arena, struct slice **projects, size_t *count);

struct lookup {
	enum lookup_kind kind;
	struct slice identifier;
	int64_t made_at_ms;
};

// Takes some of each partition, at random, so that those that fail again and again stand in nobody's way.
enum result lookup_take(struct store *store, struct arena *arena, struct slice project, struct lookup **lookups,
                        size_t *count);

// Removes one that was taken, unless an event has come for it since.
enum result lookup_done(struct store *store, struct arena *arena, struct slice project, const struct lookup *lookup);

#endif

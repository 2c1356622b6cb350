// Webhooks that were rightly signed but not understood: cb:{P}:quarantine, a stream of at most 10,000 entries and
// 64 MiB, the first 64 KiB of each body, oldest go first. The hash cb:{P}:quarantine:totals holds how many entries were
// taken and dropped, and the bytes of the bodies that are there.
#ifndef CIOBRIDGE_CUSTOMERIO_QUARANTINE_H
#define CIOBRIDGE_CUSTOMERIO_QUARANTINE_H

#include "base/arena.h"
#include "base/result.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

#define QUARANTINE_ENTRIES 10000
#define QUARANTINE_BYTES (INT64_C(64) << 20)
#define QUARANTINE_BODY (64 << 10)

struct quarantine_entry {
	struct slice id; // stream id
	struct slice reason, body;
	int64_t size;        // of the whole body; more than body.length: cut
	int64_t timestamp_s; // X-CIO-Timestamp
	int64_t received_at_ms;
};

// Taken even when Redis is out of memory. Only the first QUARANTINE_BODY bytes of the body are kept.
enum result quarantine_add(struct store *store, struct arena *arena, struct slice project, struct slice reason,
                           int64_t timestamp_s, struct slice body, int64_t size);

// Is this the form of an entry's id, "1700000000000-0"?
bool quarantine_id_is_valid(struct slice id);

// Newest first, from before `before` (a valid id; empty: the newest).
enum result quarantine_list(struct store *store, struct arena *arena, struct slice project, struct slice before,
                            size_t limit, struct quarantine_entry **entries, size_t *count);

// One entry by its valid id. RESULT_NOT_FOUND.
enum result quarantine_get(struct store *store, struct arena *arena, struct slice project, struct slice id,
                           struct quarantine_entry *entry);

// Removing what is not there is no failure.
enum result quarantine_remove(struct store *store, struct arena *arena, struct slice project, struct slice id);

struct quarantine_totals {
	int64_t waiting, waiting_bytes, taken, dropped;
};

// What is there now, and what was taken and dropped since the project was made.
enum result quarantine_totals(struct store *store, struct arena *arena, struct slice project,
                              struct quarantine_totals *totals);

#endif

// The last 200 or so webhooks of a project and what they did: the stream cb:{P}:recent. The recipient is kept masked.
#ifndef CIOBRIDGE_CUSTOMERIO_RECENT_EVENTS_H
#define CIOBRIDGE_CUSTOMERIO_RECENT_EVENTS_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"
#include "io/store.h"

#include <stdint.h>

#define RECENT_EVENTS_KEPT 200

struct recent_event {
	struct slice event_id, metric, status;
	struct slice recipient; // stored masked: the first character, "…", and what follows the '@'
	int64_t made_at_ms;
};

// Queues the note (store_send); its answer is dropped by store_settle. Losing one harms nobody: of a flood, in which
// each would be gone before anybody could look, a process notes some, RECENT_EVENTS_KEPT at once and then 10 a second.
void recent_event_note(struct store *store, struct arena *arena, struct slice project,
                       const struct recent_event *event);

// Writes {"results":[{"received_at","event_id","metric","recipient","made_at","status"}],"next_cursor":null}, newest
// first.
enum result recent_events_write(struct store *store, struct arena *arena, struct slice project, size_t limit,
                                struct json_writer *out);

#endif

// What one rightly signed event does to the opt-out list: shared by the webhook and by the retry of quarantined events.
#ifndef CIOBRIDGE_WEBHOOK_APPLY_H
#define CIOBRIDGE_WEBHOOK_APPLY_H

#include "base/arena.h"
#include "base/result.h"
#include "customerio/webhook_event.h"
#include "io/store.h"

#include <stdbool.h>
#include <stdint.h>

enum webhook_status {
	WEBHOOK_UNCHANGED,   // understood, and nothing changed
	WEBHOOK_RECORDED,    // a choice changed, a look-up is queued, or the audit has a note
	WEBHOOK_IGNORED,     // no concern of ours
	WEBHOOK_QUARANTINED, // not understood, or not wholly; what was clear is recorded
};
const char *webhook_status_name(enum webhook_status status);

struct webhook_delivery {
	struct slice project, request_id, body;
	int64_t sent_at_s; // counts where the event does not say when it happened; 1 or more
	bool enabled;      // switched off, nothing is recorded and preference changes go to quarantine
};

struct webhook_effect {
	enum webhook_status status;
	struct slice reason; // why it is quarantined: a text of ours, never of the body
	struct webhook_event event; // as far as it could be read
	struct slice recipient;     // empty when it has none
	int64_t made_at_ms;         // 0 when it could not be read
};

// Applies the event; doing so again is safe. RESULT_UNAVAILABLE or RESULT_NO_MEMORY when it could not be stored,
// nothing else: whatever the body holds becomes a status. Does not touch the quarantine.
enum result webhook_apply(struct store *store, struct arena *arena, const struct webhook_delivery *delivery,
                          struct webhook_effect *effect);

#endif

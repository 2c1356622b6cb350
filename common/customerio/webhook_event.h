// A reporting webhook of Customer.io: its signature and what its body says. No I/O.
#ifndef CIOBRIDGE_CUSTOMERIO_WEBHOOK_EVENT_H
#define CIOBRIDGE_CUSTOMERIO_WEBHOOK_EVENT_H

#include "base/arena.h"
#include "base/result.h"
#include "codec/json.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_EVENT_ID_MAXIMUM 128 // bytes; theirs have 26

// X-CIO-Signature: 64 hexadecimal digits, either case, as 32 bytes. False when it is not that.
bool webhook_signature_read(struct slice header, unsigned char signature[static 32]);

// X-CIO-Timestamp: digits only (any number of them). *seconds is 0 when it lies outside 1 .. year 9999.
bool webhook_timestamp_read(struct slice header, int64_t *seconds);

enum webhook_metric {
	WEBHOOK_SUBSCRIBED,
	WEBHOOK_UNSUBSCRIBED,
	WEBHOOK_PREFERENCES_CHANGED,
	WEBHOOK_SPAMMED,
	WEBHOOK_BOUNCED,
	WEBHOOK_DROPPED,
	WEBHOOK_OTHER, // nothing that concerns consent
};

struct webhook_event {
	enum webhook_metric metric;
	struct slice metric_name;
	struct slice event_id;        // empty when missing or longer than the maximum
	int64_t timestamp_s;          // when it happened; 0 when missing or invalid
	struct slice address;         // data.email_address, else data.identifiers.email, else data.recipient; or empty
	struct slice id;              // data.identifiers.id, as text; or empty
	const struct json *content;   // data.content; NULL when missing or empty
};

// Reads a body. RESULT_MALFORMED when it is not a JSON object with a metric; *reason says why, without quoting it.
// spammed, bounced and dropped of another object than an e-mail are WEBHOOK_OTHER.
enum result webhook_event_read(struct arena *arena, struct slice body, struct webhook_event *event,
                               struct slice *reason);

// Does this metric change what may be sent?
bool webhook_metric_is_preference(enum webhook_metric metric);

#endif

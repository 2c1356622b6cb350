// Counters and times, summed over all workers in the hash cb:metrics (field = name and labels as Prometheus writes
// them). Each process adds up by itself and hands over about once a second; what a killed one held is lost.
#ifndef CIOBRIDGE_EDGE_METRICS_H
#define CIOBRIDGE_EDGE_METRICS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "io/store.h"

#include <stdint.h>

// Adds to a counter such as `ciobridge_webhooks_total{status="recorded"}`. Names come from the code, never from a
// request. At most 256 different ones a process; more are dropped.
void metrics_add(const char *name, int64_t value);

// Counts one request: requests by function and status, and the histogram of their time.
void metrics_request(const char *function, int status, int64_t microseconds);

// Hands over what has gathered, when a second has passed since the last time (or `now` is true).
void metrics_flush(struct store *store, struct arena *arena, bool now);

// Prometheus text of what all workers handed over (exposition format 0.0.4), with HELP and TYPE lines.
enum result metrics_write(struct store *store, struct arena *arena, struct buffer *out);

#endif

// The pace of the App API: Customer.io allows 10 requests a second. All processes share a project's through Redis.
//
// Turns are handed out evenly, one every PACE_INTERVAL_US, without bursts: eleven turns span 1.04 s, so at most ten
// fall into any second, with 40 ms to spare for those who come late to theirs.
//
//   cb:{P}:pace:app (hash)  next -> when the next turn is free; hold -> no turn before; µs of Redis TIME
#ifndef CIOBRIDGE_CUSTOMERIO_PACE_H
#define CIOBRIDGE_CUSTOMERIO_PACE_H

#include "base/arena.h"
#include "base/patience.h"
#include "base/result.h"
#include "io/store.h"

#include <stdint.h>

#define PACE_INTERVAL_US 104000
#define PACE_HOLD_MAXIMUM_MS INT64_C(3600000)

// Waits for a turn. RESULT_LIMITED when it would take longer than most_ms, and no turn is then taken;
// RESULT_UNAVAILABLE when the store fails; else what `between` returned.
enum result pace_wait(struct store *store, struct arena *arena, struct slice project, const struct patience *patience,
                      int64_t most_ms);

// Customer.io asked for a pause: nobody, not even who has a turn already, goes before it is over. At most
// PACE_HOLD_MAXIMUM_MS.
enum result pace_hold(struct store *store, struct arena *arena, struct slice project, int64_t ms);

#endif

// Customer.io's Pipelines API, as far as trying a write key needs it.
#ifndef CIOBRIDGE_CUSTOMERIO_PIPELINES_H
#define CIOBRIDGE_CUSTOMERIO_PIPELINES_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/config.h"
#include "customerio/region.h"
#include "io/http_client.h"

// Tries a write key. The API has no call for that, and by default answers 200 even to a wrong key; in strict mode
// (X-Strict-Mode: 1) it says 401. An event that is refused for its form would not show whether the key was looked at
// first, so one is sent that is accepted, and that touches nobody: POST /v1/track of "ciobridge credentials check" with
// an anonymous id that no person has, and "integrations":{"All":false}, so that the source passes it on to nothing.
//
// Returns as trial_run (customerio/trial.h) does; the sentence lives in the arena.
enum result pipelines_check(struct http_client *http, struct arena *arena, const struct config *config,
                            struct slice write_key, enum region wanted, enum region *found, struct slice *sentence);

#endif

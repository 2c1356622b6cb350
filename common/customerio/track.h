// Customer.io's Track API, as far as trying credentials needs it.
#ifndef CIOBRIDGE_CUSTOMERIO_TRACK_H
#define CIOBRIDGE_CUSTOMERIO_TRACK_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/config.h"
#include "customerio/region.h"
#include "io/http_client.h"

struct track_credentials {
	struct slice site_id, api_key;
};

// Tries the credentials with GET /api/v1/accounts/region, which either region answers for both and which changes
// nothing. Returns as trial_run (customerio/trial.h) does; the sentence lives in the arena.
enum result track_check(struct http_client *http, struct arena *arena, const struct config *config,
                        const struct track_credentials *credentials, enum region wanted, enum region *found,
                        struct slice *sentence);

#endif

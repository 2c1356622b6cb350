// Customer.io's hosts and regions: the one place that knows them. No I/O.
//
// An override (CIOBRIDGE_TRACK_URL and so on) replaces scheme, host and port, as in https://track.customer.io; a
// path in it goes before ours ("/api/v1", "/v1"). Where the one for the EU is unset, the first stands for both regions.
#ifndef CIOBRIDGE_CUSTOMERIO_REGION_H
#define CIOBRIDGE_CUSTOMERIO_REGION_H

#include "base/slice.h"
#include "codec/config.h"

#include <stdbool.h>

enum region { REGION_US, REGION_EU, REGION_AUTO };

enum customerio_api { CUSTOMERIO_TRACK, CUSTOMERIO_APP, CUSTOMERIO_PIPELINES };

struct region_base {
	struct slice url; // without a slash at its end
	bool any_address; // it was given by the operator, so it may be anywhere
};

// The base of an API in a region, which is not REGION_AUTO. The url lives as long as `config`.
struct region_base region_base(const struct config *config, enum customerio_api api, enum region region);

// "us", "eu", "auto", and back. False when it is none of them.
struct slice region_name(enum region region);
bool region_parse(struct slice text, enum region *region);

// The other one of us and eu.
enum region region_other(enum region region);

#endif

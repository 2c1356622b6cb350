// The endpoints that tell of the service itself, one file each.
#ifndef CIOBRIDGE_FUNCTIONS_STATUS_H
#define CIOBRIDGE_FUNCTIONS_STATUS_H

#include "edge/endpoint.h"

extern const struct endpoint status_ready, status_metrics, status_openapi;

// The value of `name` in the text of Redis INFO ("name:value" lines); empty when it is not there.
struct slice status_info(struct slice info, struct slice name);

#endif

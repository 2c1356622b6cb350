// Where a Customer.io account lives. Each region has hosts of its own that know nothing of the other's accounts.
#ifndef CIOBRIDGE_PROJECT_REGION_H
#define CIOBRIDGE_PROJECT_REGION_H

#include "base/slice.h"

#include <stdbool.h>

enum region { REGION_US, REGION_EU };

const char *region_name(enum region region); // "us", "eu"
bool region_from_name(struct slice name, enum region *region);
enum region region_other(enum region region);

#endif

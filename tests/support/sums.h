// Holds the opt-out list, its audit and its sums against each other, from the raw data: see consent/audit.h.
#ifndef CIOBRIDGE_TESTS_SUPPORT_SUMS_H
#define CIOBRIDGE_TESTS_SUPPORT_SUMS_H

#include "fixture.h"

// Ends the test when one of the project's partitions does not add up.
void expect_sums(struct fixture *fixture);

#endif

// Who may do what: the bearer key of a request against what its endpoint asks for.
#ifndef CIOBRIDGE_EDGE_ACCESS_H
#define CIOBRIDGE_EDGE_ACCESS_H

#include "base/result.h"
#include "edge/endpoint.h"

// Reads Authorization: Bearer, sets request->caller. RESULT_UNAUTHENTICATED without a good key, RESULT_FORBIDDEN for
// a role that may not, or a key of another project; RESULT_NOT_FOUND when the project in the path does not exist.
enum result access_check(struct request *request);

#endif

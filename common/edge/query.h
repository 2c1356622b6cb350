// The query of a request (application/x-www-form-urlencoded), checked by the endpoint's table.
#ifndef CIOBRIDGE_EDGE_QUERY_H
#define CIOBRIDGE_EDGE_QUERY_H

#include "edge/endpoint.h"

// Adds every fault to request->problem. RESULT_MALFORMED when it cannot be decoded, RESULT_NO_MEMORY.
enum result query_check(struct request *request);

#endif

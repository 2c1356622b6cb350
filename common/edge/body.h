// The body of a request, as its endpoint asks for it.
#ifndef CIOBRIDGE_EDGE_BODY_H
#define CIOBRIDGE_EDGE_BODY_H

#include "edge/endpoint.h"

// BODY_JSON: reads it into request->body and adds every fault of its members to request->problem. BODY_NONE: makes sure
// that there is none. BODY_STREAMED: leaves it to the handler.
// RESULT_TOO_LARGE, RESULT_UNSUPPORTED_TYPE, RESULT_MALFORMED, RESULT_INVALID when it is no object, RESULT_NO_MEMORY.
enum result body_check(struct request *request);

#endif

// Which endpoint a request is for.
#ifndef CIOBRIDGE_EDGE_ROUTE_H
#define CIOBRIDGE_EDGE_ROUTE_H

#include "base/result.h"
#include "edge/endpoint.h"

// Sets request->endpoint and the path's parameters. Segments are compared as sent; a parameter is any one that is not
// empty, percent-decoded. RESULT_NOT_FOUND; RESULT_WRONG_METHOD with request->problem.allow set; RESULT_MALFORMED for a
// '%' without two hexadecimal digits; RESULT_NO_MEMORY.
enum result route_find(const struct function *function, struct request *request);

#endif

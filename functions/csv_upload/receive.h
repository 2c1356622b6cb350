// The file that a request's body holds, in pieces as they come: the body itself or its multipart field "csv_file",
// unpacked where it is gzip.
#ifndef CIOBRIDGE_CSV_UPLOAD_RECEIVE_H
#define CIOBRIDGE_CSV_UPLOAD_RECEIVE_H

#include "edge/endpoint.h"

#include <stdint.h>

struct reception;

// Failures of both have their detail in request->problem: RESULT_UNSUPPORTED_TYPE, RESULT_TOO_LARGE over
// CIOBRIDGE_CSV_MAX_BYTES, RESULT_MALFORMED when the body is cut short or damaged, RESULT_INVALID without the field;
// RESULT_NO_MEMORY.
enum result reception_open(struct request *request, struct reception **reception);

// The next piece, good until the next call. An empty one is the end, with the whole body read and found good.
enum result reception_next(struct reception *reception, struct slice *piece);

// How many bytes the body has in all; 0 when the client has not said so.
int64_t reception_announced(const struct reception *reception);

#endif

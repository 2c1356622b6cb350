// What went wrong with a request, collected on the way, and the one place that turns it into an answer
// (application/problem+json, RFC 9457).
#ifndef CIOBRIDGE_EDGE_PROBLEM_H
#define CIOBRIDGE_EDGE_PROBLEM_H

#include "base/result.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define PROBLEM_ERRORS_MAXIMUM 100

struct request;
struct answer;

struct problem_error {
	const char *kind; // "field", "line" or "index"
	struct slice field;
	int64_t number;
	const char *message;
};

struct problem {
	const char *detail; // one sentence for the person who reads it; NULL: a general one
	struct problem_error errors[PROBLEM_ERRORS_MAXIMUM];
	size_t error_count; // those beyond the maximum are counted in no place; the first ones show
	const char *allow;  // for RESULT_WRONG_METHOD
	const char *challenge; // WWW-Authenticate for RESULT_UNAUTHENTICATED; NULL: Bearer
};

// Gives `result` a detail and returns it, so that a handler can say  return refuse(request, RESULT_CONFLICT, "…");
enum result refuse(struct request *request, enum result result, const char *detail);

// Adds an error at a member or parameter, or at an element, and returns RESULT_INVALID.
enum result refuse_field(struct request *request, const char *field, const char *message);
enum result refuse_index(struct request *request, size_t index, const char *message);

// The HTTP status of a result; 200 for RESULT_OK.
int problem_status(enum result result);

// Replaces whatever the answer holds by the problem: type, title, status, detail, request_id, errors.
void problem_write(const struct request *request, enum result result, struct answer *answer);

#endif

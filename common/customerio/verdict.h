// What an answer of Customer.io means: a result for the program, a sentence for people. No I/O.
//
// Sentences are shown and stored, so they hold neither a secret nor an e-mail address, even where an answer does.
#ifndef CIOBRIDGE_CUSTOMERIO_VERDICT_H
#define CIOBRIDGE_CUSTOMERIO_VERDICT_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "io/http_client.h"

struct verdict {
	struct arena *arena;
	const char *api;       // in sentences: "App API"
	struct slice secret;   // of the request; an answer that quotes it is not quoted
	struct slice sentence; // set by the functions below; empty when nothing is wrong with Customer.io
};

// Judges what http_call gave. A whole answer: 2xx RESULT_OK, 401 RESULT_UNAUTHENTICATED, 403 RESULT_FORBIDDEN, 404
// RESULT_NOT_FOUND, 429 RESULT_LIMITED, 408, 425 and 5xx RESULT_UNAVAILABLE, a redirect RESULT_CONFLICT (another host
// is in charge, which is how Customer.io answers for another region), anything else RESULT_INVALID. No whole answer:
// `called` itself.
enum result verdict_of(struct verdict *verdict, enum result called, const struct http_answer *answer);

// An answer that is not what was asked for: RESULT_MALFORMED with a sentence.
enum result verdict_malformed(struct verdict *verdict, struct slice reason);

#endif

// One look-up: what Customer.io is asked of a person, and what is recorded of the answer.
#ifndef CIOBRIDGE_FUNCTIONS_IMPORT_WORKER_QUESTION_H
#define CIOBRIDGE_FUNCTIONS_IMPORT_WORKER_QUESTION_H

#include "consent/choice.h"
#include "customerio/app_api.h"
#include "customerio/lookup.h"

struct question {
	struct arena *arena; // its own
	struct app_api *api; // of the project
	const struct lookup *lookup;
	enum result answer; // Customer.io's, see app_api.h
};

// Asks Customer.io and records what follows from the answer; doing so again is safe. With RESULT_OK `answer` tells how
// it went, and nothing is left to do when that is RESULT_OK or RESULT_NOT_FOUND. RESULT_NOT_FOUND: the project is gone.
// Otherwise the store failed, or the wait was broken off.
enum result question_ask(struct question *question);

// Records choices that Customer.io's answer tells of.
enum result question_record(struct question *question, const struct choice *choices, size_t count);

// Records, as of the event, what the customer chose. `to_be_told`: Customer.io still is, of something that the
// recipient chose here.
enum result question_record_state(struct question *question, const struct app_customer *customer,
                                  struct slice recipient, bool to_be_told);

#endif

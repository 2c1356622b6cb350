// Trying credentials in a region, or finding theirs.
#ifndef CIOBRIDGE_CUSTOMERIO_TRIAL_H
#define CIOBRIDGE_CUSTOMERIO_TRIAL_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "customerio/region.h"

// Tries the credentials in *region and may correct it, where the answer names another. RESULT_OK: accepted. The others
// are as verdict_of gives them, with the sentence.
typedef enum result trial_attempt(void *context, enum region *region, struct slice *sentence);

// RESULT_OK: the credentials are good in `wanted`, or in *found where `wanted` is REGION_AUTO, which tries us first.
// RESULT_INVALID: they were refused, or belong to the other region, which is then *found; the sentence says which.
// RESULT_UNAVAILABLE: not known, since Customer.io could not be reached, or does not answer as it should; the sentence
// says so, and is empty where it is not Customer.io's doing. Else what `between` returned.
//
// `what` names the credentials in sentences, such as "App API key".
enum result trial_run(struct arena *arena, const char *what, trial_attempt *attempt, void *context, enum region wanted,
                      enum region *found, struct slice *sentence);

#endif

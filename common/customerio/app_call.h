// One call of the App API, with everything that customerio/app_api.h promises for all of them.
#ifndef CIOBRIDGE_CUSTOMERIO_APP_CALL_H
#define CIOBRIDGE_CUSTOMERIO_APP_CALL_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/json.h"
#include "customerio/app_api.h"

// RESULT_MALFORMED when the value is not what was asked for, and may be the next time; RESULT_INVALID when it would be
// the same again; RESULT_NO_MEMORY.
typedef enum result app_reader(struct arena *arena, const struct json *value, void *out);

struct app_request {
	struct slice path; // from "/v1" on, with its query
	struct slice body; // JSON of a POST; data NULL: a GET

	app_reader *read;
	void *out;
};

// A try that fails may have set parts of `out`.
enum result app_call(struct app_api *api, struct arena *arena, const struct app_request *request);

// The same around any attempt, which sets api->fault, in the arena, and *retry_after_ms where the answer has one; with
// APP_NEVER it is the last. `paced`: each attempt waits for a turn.
#define APP_NEVER INT64_MAX
typedef enum result app_attempt(struct app_api *api, struct arena *arena, void *context, int64_t *retry_after_ms);
enum result app_persist(struct app_api *api, struct arena *arena, bool paced, app_attempt *attempt, void *context);

// A scalar as text, whichever way it is written: ids come as numbers and as strings. Empty when it is null or none;
// data is NULL without memory.
struct slice app_read_text(struct arena *arena, const struct json *value);

// An id, likewise: 0 to 2^53. False when it is none.
bool app_read_id(const struct json *value, int64_t *id);

#endif

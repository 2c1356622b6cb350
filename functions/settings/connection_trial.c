// A trial of credentials, and what becomes of the request.
//
// Somebody waits for the answer, and so does the web server: what is not known in time is a fault of the network (503)
// like any other. Only Customer.io's "no" is the request's fault (422).
#include "base/clock.h"
#include "connection.h"

#define TOO_LATE "Customer.io did not answer in time. Nothing was changed. Try again."
#define NO_ANSWER "Customer.io gave no usable answer. Nothing was changed. Try again."
#define REFUSED "is refused by Customer.io"

static enum result trial_is_in_time(void *context)
{
	const int64_t *until_us = context;

	return clock_monotonic_us() < *until_us ? RESULT_OK : RESULT_STOP;
}

static enum result trial_refuse(struct request *request, enum result result, const char *field, struct slice sentence)
{
	struct slice text = arena_copy(request->arena, sentence);
	bool says = text.length > 0;

	switch (result) {
	case RESULT_INVALID:
		return refuse_field(request, field, says ? text.data : REFUSED);
	case RESULT_STOP:
		return refuse(request, RESULT_UNAVAILABLE, TOO_LATE);
	case RESULT_UNAVAILABLE:
		return refuse(request, result, says ? text.data : NO_ANSWER);
	default:
		return result;
	}
}

enum result connection_ask(struct request *request, const struct connection_section *section,
                           const struct connection *connection, enum region wanted, int64_t until_us,
                           enum region *found)
{
	struct http_options options = {.patience = {trial_is_in_time, &until_us}};
	struct http_client *http = http_client_new(&options);
	enum region region = wanted;
	struct slice sentence = {NULL, 0};

	if (http == NULL)
		return RESULT_NO_MEMORY;
	enum result result = section->try(request, http, connection, wanted, &region, &sentence);
	http_client_free(http);
	bool elsewhere = wanted != REGION_AUTO && region != wanted;
	if (result != RESULT_OK)
		return trial_refuse(request, result, elsewhere ? "region" : section->secret, sentence);
	*found = region;
	return RESULT_OK;
}

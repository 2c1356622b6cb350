// GET /webhook/{project}/recent: the last events and what each of them did, newest first, recipients masked.
#include "webhook.h"

#include "customerio/recent_events.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAXIMUM 1000

static enum result recent_handle(struct request *request, struct answer *answer)
{
	size_t limit = (size_t)request_query_integer(request, "limit", LIMIT_DEFAULT);
	return recent_events_write(request->store, request->arena, request_project(request), limit,
	                           answer_json(answer, 200));
}

static const struct field recent_query[] = {
	{.name = "limit", .type = FIELD_INTEGER, .minimum = 1, .maximum = LIMIT_MAXIMUM, .help = "rows at most"},
};

const struct endpoint webhook_recent = {
	.method = "GET",
	.path = "/webhook/{project}/recent",
	.summary = "The last events and what they did",
	.access = ROLE_READ,
	.body = BODY_NONE,
	.query = recent_query,
	.query_count = COUNT_OF(recent_query),
	.handle = recent_handle,
};

// GET /openapi.json: what all functions offer, for programs (OpenAPI 3.1). A test holds it against their --describe.
#include "base/embed.h"
#include "status.h"

EMBED_FILE(openapi_json, "functions/status/openapi.json");

static enum result openapi_handle(struct request *request, struct answer *answer)
{
	(void)request;
	answer_bytes(answer, 200, "application/json", EMBEDDED(openapi_json));
	return RESULT_OK;
}

const struct endpoint status_openapi = {
	.method = "GET",
	.path = "/openapi.json",
	.summary = "This description",
	.access = ROLE_NONE,
	.body = BODY_NONE,
	.handle = openapi_handle,
};

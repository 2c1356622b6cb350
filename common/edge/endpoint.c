#include "edge/endpoint.h"

#include "base/log.h"
#include "edge/access.h"
#include "edge/body.h"
#include "edge/query.h"
#include "edge/route.h"

struct slice request_project(const struct request *request)
{
	return request_parameter(request, "project");
}

struct slice request_parameter(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->parameter_count; i++) {
		if (slice_equal(request->parameters[i].name, slice_of(name)))
			return request->parameters[i].value;
	}
	return (struct slice){NULL, 0};
}

struct slice request_header(const struct request *request, const char *name)
{
	const char *value = request->parameter(request->source, name);

	return value != NULL ? slice_of(value) : (struct slice){NULL, 0};
}

// Stands in for a body that cannot be made: whatever is appended to it is lost, and it says so.
static struct buffer *answer_body_new(struct arena *arena)
{
	static struct buffer lost = {.failed = true};
	struct buffer *body = buffer_new(arena, ANSWER_LIMIT);

	return body != NULL ? body : &lost;
}

struct json_writer *answer_json(struct answer *answer, int status)
{
	answer->status = status;
	answer->content_type = "application/json";
	answer->body = answer_body_new(answer->arena);
	answer->json = json_writer_on(answer->body);
	return &answer->json;
}

void answer_empty(struct answer *answer, int status)
{
	answer->status = status;
	answer->content_type = NULL;
	answer->body = NULL;
}

void answer_bytes(struct answer *answer, int status, const char *content_type, struct slice body)
{
	answer->status = status;
	answer->content_type = content_type;
	answer->body = answer_body_new(answer->arena);
	buffer_append(answer->body, body);
}

void answer_stream(struct answer *answer, int status, const char *content_type, answer_producer *produce,
                   void *context)
{
	answer_empty(answer, status);
	answer->content_type = content_type;
	answer->produce = produce;
	answer->context = context;
}

void answer_header(struct answer *answer, const char *name, struct slice value)
{
	bool splits = slice_contains(value, '\r') || slice_contains(value, '\n') || slice_contains(value, '\0');

	if (splits || answer->header_count == COUNT_OF(answer->headers)) {
		LOG(LOG_ERROR, "header left out", {"header", slice_of(name)});
		return;
	}
	answer->headers[answer->header_count++] = (struct answer_header){name, value};
}

static enum result function_run(const struct function *function, struct request *request, struct answer *answer)
{
	TRY(route_find(function, request));
	TRY(access_check(request));
	TRY(query_check(request));
	TRY(body_check(request));
	if (request->problem.error_count > 0)
		return RESULT_INVALID;
	TRY(request->endpoint->handle(request, answer));
	return answer->body != NULL && buffer_failed(answer->body) ? RESULT_NO_MEMORY : RESULT_OK;
}

void function_answer(const struct function *function, struct request *request, struct answer *answer)
{
	request->endpoint = NULL;
	request->parameter_count = 0;
	request->caller = (struct api_key){.role = ROLE_NONE};
	request->asked = NULL;
	request->body = NULL;
	request->body_length = 0;
	request->problem = (struct problem){.detail = NULL};
	*answer = (struct answer){.arena = request->arena};
	answer_empty(answer, 204);
	enum result result = function_run(function, request, answer);
	// A parameter that found no room looks like one that is not there, or not valid.
	if (arena_failed(request->arena)) {
		request->problem = (struct problem){.detail = NULL};
		result = RESULT_NO_MEMORY;
	}
	if (result != RESULT_OK)
		problem_write(request, result, answer);
}

#include "edge/problem.h"

#include "edge/endpoint.h"

#include <string.h>

#define PROBLEM_LIMIT ((size_t)1 << 20) // bytes
#define RETRY_AFTER_S "1"

struct problem_kind {
	int status;
	const char *name, *title, *detail;
};

static const struct problem_kind problem_kinds[] = {
	[RESULT_OK] = {200, "none", "OK", ""},
	[RESULT_STOP] = {503, "unavailable", "Unavailable", "The service is stopping. Try again."},
	[RESULT_MALFORMED] = {400, "malformed", "Malformed request", "The request cannot be read."},
	[RESULT_UNAUTHENTICATED] = {401, "unauthenticated", "Key needed", "The request has no key, or a wrong one."},
	[RESULT_FORBIDDEN] = {403, "forbidden", "Forbidden", "This key may not do that."},
	[RESULT_NOT_FOUND] = {404, "not-found", "Not found", "There is nothing here."},
	[RESULT_WRONG_METHOD] = {405, "wrong-method", "Wrong method", "This path does not take that method."},
	[RESULT_CONFLICT] = {409, "conflict", "Conflict", "Something else has changed this in the meantime."},
	[RESULT_TOO_LARGE] = {413, "too-large", "Too large", "The body is too large."},
	[RESULT_UNSUPPORTED_TYPE] = {415, "unsupported-type", "Unsupported content type",
	                             "The body has to be application/json."},
	[RESULT_INVALID] = {422, "invalid", "Invalid request", "The request is well-formed but wrong."},
	[RESULT_LIMITED] = {429, "limited", "Too many", "A limit has been reached. Try again later."},
	[RESULT_UNAVAILABLE] = {503, "unavailable", "Unavailable", "This cannot be done just now. Try again."},
	[RESULT_NO_MEMORY] = {503, "no-memory", "Out of memory", "The request needs more memory than it may have."},
};

static const struct problem_kind *problem_kind_of(enum result result)
{
	return (size_t)result < COUNT_OF(problem_kinds) ? &problem_kinds[result] : &problem_kinds[RESULT_UNAVAILABLE];
}

enum result refuse(struct request *request, enum result result, const char *detail)
{
	request->problem.detail = detail;
	return result;
}

static enum result problem_add(struct request *request, struct problem_error error)
{
	struct problem *problem = &request->problem;

	if (problem->error_count < PROBLEM_ERRORS_MAXIMUM)
		problem->errors[problem->error_count++] = error;
	return RESULT_INVALID;
}

enum result refuse_field(struct request *request, const char *field, const char *message)
{
	return problem_add(request, (struct problem_error){"field", slice_of(field), 0, message});
}

enum result refuse_index(struct request *request, size_t index, const char *message)
{
	return problem_add(request, (struct problem_error){"index", {NULL, 0}, (int64_t)index, message});
}

int problem_status(enum result result)
{
	return problem_kind_of(result)->status;
}

static void problem_write_errors(const struct problem *problem, struct json_writer *out)
{
	json_key(out, "errors");
	json_open_array(out);
	for (size_t i = 0; i < problem->error_count; i++) {
		const struct problem_error *error = &problem->errors[i];

		json_open_object(out);
		if (strcmp(error->kind, "field") == 0)
			json_member_text(out, error->kind, error->field);
		else
			json_member_integer(out, error->kind, error->number);
		json_member_text(out, "message", slice_of(error->message));
		json_close_object(out);
	}
	json_close_array(out);
}

static struct buffer *problem_body(const struct request *request, enum result result)
{
	const struct problem_kind *kind = problem_kind_of(result);
	const char *detail = request->problem.detail != NULL ? request->problem.detail : kind->detail;
	struct slice type = arena_format(request->arena, "/problems/%s", kind->name);
	struct buffer *body = buffer_new(request->arena, PROBLEM_LIMIT);

	if (type.data == NULL || body == NULL)
		return NULL;
	struct json_writer out = json_writer_on(body);
	json_open_object(&out);
	json_member_text(&out, "type", type);
	json_member_text(&out, "title", slice_of(kind->title));
	json_member_integer(&out, "status", kind->status);
	json_member_text(&out, "detail", slice_of(detail));
	json_member_text(&out, "request_id", request->id);
	if (result == RESULT_INVALID || request->problem.error_count > 0)
		problem_write_errors(&request->problem, &out);
	json_close_object(&out);
	return buffer_failed(body) ? NULL : body;
}

static void problem_add_headers(const struct problem *problem, enum result result, struct answer *answer)
{
	const char *challenge = problem->challenge != NULL ? problem->challenge : "Bearer";
	int status = problem_status(result);

	if (result == RESULT_UNAUTHENTICATED)
		answer_header(answer, "WWW-Authenticate", slice_of(challenge));
	if (result == RESULT_WRONG_METHOD)
		answer_header(answer, "Allow", slice_of(problem->allow));
	if (status == 429 || status == 503)
		answer_header(answer, "Retry-After", SLICE(RETRY_AFTER_S));
}

void problem_write(const struct request *request, enum result result, struct answer *answer)
{
	// Served when there is no memory left to write the answer's own.
	static char bare[] = "{\"type\":\"/problems/no-memory\",\"title\":\"Out of memory\",\"status\":503,"
			     "\"detail\":\"The request needs more memory than it may have.\",\"request_id\":null}";
	static struct buffer bare_body = {.data = bare, .length = sizeof(bare) - 1};
	struct buffer *body = problem_body(request, result);

	if (body == NULL) {
		result = RESULT_NO_MEMORY;
		body = &bare_body;
	}
	*answer = (struct answer){.arena = request->arena};
	answer->status = problem_status(result);
	answer->content_type = "application/problem+json";
	answer->body = body;
	problem_add_headers(&request->problem, result, answer);
}

#include "call.h"

#include "project/api_key.h"
#include "project/project.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 1000 // bytes of a body at once, so that bodies come in pieces
#define LINE_MAXIMUM 65536

const char *service_key(struct service *service, struct slice project, enum role role)
{
	struct fixture *fixture = &service->fixture;
	struct buffer *buffer = buffer_new(fixture->arena, 4096);
	const struct json *shown;
	cr_assert(buffer != NULL);
	struct json_writer writer = json_writer_on(buffer);
	cr_assert(api_key_create(fixture->store, fixture->arena, project, role, SLICE("test"), &writer) == RESULT_OK);
	cr_assert_eq(json_parse(fixture->arena, buffer_slice(buffer), &shown, NULL), RESULT_OK);
	return arena_copy(fixture->arena, json_text(json_get(shown, "key"))).data;
}

static void service_put_project(struct service *service, struct slice project)
{
	bool created = false;
	cr_assert_eq(project_put(service->fixture.store, service->fixture.arena, project, SLICE("A test"), &created),
	             RESULT_OK);
	cr_assert(created);
}

struct slice service_project(struct service *service)
{
	struct slice project = fixture_slug(service->fixture.arena);
	service_put_project(service, project);
	return project;
}

struct service service_open(const struct function *function)
{
	struct service service = {
		.fixture = fixture_open(),
		.config =
			{
				.admin_token = SLICE(CALL_ROOT_KEY),
				.master_key = SLICE(CALL_MASTER_KEY),
				.public_url = SLICE(CALL_PUBLIC_URL),
				.csv_max_bytes = INT64_C(1) << 31,
			},
		.function = function,
		.root = CALL_ROOT_KEY,
	};
	struct slice project = service.fixture.project;
	service_put_project(&service, project);
	service.admin = service_key(&service, project, ROLE_ADMIN);
	service.read = service_key(&service, project, ROLE_READ);
	service.ingest = service_key(&service, project, ROLE_INGEST);
	service.ingest_secret = service_key(&service, project, ROLE_INGEST_SECRET);
	return service;
}

void service_close(struct service *service)
{
	fixture_close(&service->fixture);
}

const char *call_format(struct service *service, const char *format, ...)
{
	va_list arguments;
	char *text = arena_alloc(service->fixture.arena, LINE_MAXIMUM);
	cr_assert(text != NULL);
	va_start(arguments, format);
	int length = vsnprintf(text, LINE_MAXIMUM, format, arguments);
	va_end(arguments);
	cr_assert(length >= 0 && length < LINE_MAXIMUM);
	return text;
}

// The web server's side of a request.
struct call_source {
	const struct call *call;
	struct slice body; // what is left of it
	const char *authorization, *type, *length;
};

static const char *call_parameter(void *context, const char *name)
{
	const struct call_source *source = context;
	for (size_t i = 0; i < CALL_HEADERS_MAXIMUM && source->call->headers[i].name != NULL; i++) {
		if (strcmp(source->call->headers[i].name, name) == 0)
			return source->call->headers[i].value;
	}
	if (strcmp(name, "HTTP_AUTHORIZATION") == 0)
		return source->authorization;
	if (strcmp(name, "CONTENT_TYPE") == 0)
		return source->type;
	return strcmp(name, "CONTENT_LENGTH") == 0 ? source->length : NULL;
}

static enum result call_read(void *context, char *bytes, size_t capacity, size_t *length)
{
	struct call_source *source = context;
	size_t count = capacity < CHUNK ? capacity : CHUNK;
	if (count > source->body.length)
		count = source->body.length;
	if (count == 0 && source->call->cut)
		return RESULT_MALFORMED;
	if (count > 0)
		memcpy(bytes, source->body.data, count);
	source->body = slice_from(source->body, count);
	*length = count;
	return RESULT_OK;
}

static struct call_source call_source_of(struct service *service, const struct call *call)
{
	struct call_source source = {.call = call, .body = call->bytes};
	if (call->body != NULL)
		source.body = slice_of(call->body);
	if (call->key != NULL)
		source.authorization = call_format(service, "Bearer %s", call->key);
	if (source.body.length > 0)
		source.type = "application/json";
	if (call->type != NULL)
		source.type = call->type;
	if (!call->undeclared)
		source.length = call_format(service, "%zu", source.body.length);
	return source;
}

// The line with the project's slug in its place.
static struct slice call_line(struct service *service, const char *line)
{
	static const char place[] = "{project}";
	struct slice project = service->fixture.project;
	const char *found = strstr(line, place);
	if (found == NULL)
		return slice_of(line);
	return slice_of(call_format(service, "%.*s%.*s%s", (int)(found - line), line, (int)project.length, project.data,
	                            found + strlen(place)));
}

static void call_check_problem(const struct outcome *outcome)
{
	static const char *const texts[] = {"type", "title", "detail"};
	int64_t status;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		cr_assert(json_is_text(json_get(outcome->body, texts[i])), "no %s in %.*s", texts[i],
		          (int)outcome->text.length, outcome->text.data);
	cr_assert(json_get(outcome->body, "request_id") != NULL);
	cr_assert(json_to_integer(json_get(outcome->body, "status"), 400, 599, &status) && status == outcome->status);
}

static void call_check_promises(const struct outcome *outcome)
{
	struct slice type = slice_of(outcome->answer.content_type);
	bool later = outcome->status == 429 || outcome->status == 503;
	cr_assert(outcome->status >= 200 && outcome->status < 600 && outcome->status != 500);
	cr_assert_eq(outcome->answer.content_type != NULL, outcome->answer.body != NULL);
	cr_assert_eq(outcome_header(outcome, "WWW-Authenticate").data != NULL, outcome->status == 401);
	cr_assert_eq(outcome_header(outcome, "Allow").data != NULL, outcome->status == 405);
	cr_assert_eq(outcome_header(outcome, "Retry-After").data != NULL, later);
	if (slice_equal(type, SLICE("application/json")) && !outcome->broken)
		cr_assert(outcome->body != NULL, "not JSON: %.*s", (int)outcome->text.length, outcome->text.data);
	if (slice_equal(type, SLICE("application/problem+json")))
		call_check_problem(outcome);
}

static void call_free_arena(void *arena)
{
	arena_free(arena);
}

// Each request has its own, as in the accept loop; it goes with the service's.
static struct arena *call_arena(struct service *service)
{
	struct arena *arena = arena_new(REQUEST_ARENA_LIMIT);
	cr_assert(arena != NULL);
	cr_assert(arena_defer(service->fixture.arena, call_free_arena, arena));
	return arena;
}

static void call_watch(void (*watch)(void))
{
	if (watch != NULL)
		watch();
}

static enum result call_produce_piece(struct service *service, struct request *request, struct answer *answer,
                                      struct arena *piece, bool *more)
{
	call_watch(service->before);
	struct buffer *out = buffer_new(piece, ANSWER_PIECE_LIMIT);
	enum result result = out == NULL ? RESULT_NO_MEMORY
	                                 : answer->produce(request, answer->context, piece, out, more);
	call_watch(service->after);
	TRY(result);
	if (buffer_failed(out) || arena_failed(piece) || arena_failed(request->arena))
		return RESULT_NO_MEMORY;
	buffer_append(answer->body, buffer_slice(out));
	return RESULT_OK;
}

// Puts the pieces of a streamed answer together, as the worker writes them.
static enum result call_produce(struct service *service, struct request *request, struct answer *answer)
{
	AUTO(arena_auto) struct arena *piece = arena_new(REQUEST_ARENA_LIMIT);
	answer->body = buffer_new(request->arena, ANSWER_LIMIT);
	cr_assert(piece != NULL && answer->body != NULL);
	for (bool more = true; more; arena_reset(piece))
		TRY(call_produce_piece(service, request, answer, piece, &more));
	return RESULT_OK;
}

struct outcome call_function(struct service *service, const char *line, const struct call *call)
{
	struct call_source source = call_source_of(service, call);
	struct slice target = call_line(service, line);
	struct slice method = slice_split(&target, ' ');
	struct slice path = slice_split(&target, '?');
	struct request request = {
		.arena = call_arena(service),
		.store = service->fixture.store,
		.config = &service->config,
		.id = SLICE("a-request-of-a-test"),
		.method = method,
		.path = path,
		.query = target,
		.parameter = call_parameter,
		.read = call_read,
		.source = &source,
	};
	struct outcome outcome = {.status = 0};
	call_watch(service->before);
	function_answer(service->function, &request, &outcome.answer);
	call_watch(service->after);
	if (outcome.answer.produce != NULL)
		outcome.broken = call_produce(service, &request, &outcome.answer) != RESULT_OK;
	cr_assert(!outcome.broken || service->before != NULL);
	call_watch(service->before);
	store_settle(service->fixture.store);
	call_watch(service->after);
	outcome.status = outcome.answer.status;
	outcome.text = outcome.answer.body != NULL ? buffer_slice(outcome.answer.body) : SLICE("");
	if (json_parse(service->fixture.arena, outcome.text, &outcome.body, NULL) != RESULT_OK)
		outcome.body = NULL;
	call_check_promises(&outcome);
	return outcome;
}

struct slice outcome_header(const struct outcome *outcome, const char *name)
{
	for (size_t i = 0; i < outcome->answer.header_count; i++) {
		if (strcmp(outcome->answer.headers[i].name, name) == 0)
			return outcome->answer.headers[i].value;
	}
	return (struct slice){NULL, 0};
}

struct slice outcome_text(const struct outcome *outcome, const char *member)
{
	return json_text(json_get(outcome->body, member));
}

bool outcome_names_field(const struct outcome *outcome, const char *field)
{
	const struct json *errors = json_get(outcome->body, "errors");
	for (size_t i = 0; i < json_count(errors); i++) {
		if (slice_equal(json_text(json_get(json_at(errors, i), "field")), slice_of(field)))
			return true;
	}
	return false;
}

void expect_text(struct slice slice, const char *wanted, const char *file, int line)
{
	cr_assert(slice_equal(slice, slice_of(wanted)), "%s:%d: \"%.*s\" instead of \"%s\"", file, line,
	          (int)slice.length, slice.data == NULL ? "" : slice.data, wanted);
}

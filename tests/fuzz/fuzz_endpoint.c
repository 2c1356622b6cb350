// A whole request through function_answer. The input's lines are "METHOD /path?query", Authorization, Content-Type and
// Content-Length, then comes the body. There is no Redis: what needs one is answered 503.
#include "base/log.h"
#include "edge/endpoint.h"
#include "fuzz.h"

#include <string.h>

#define ROOT_KEY "the-root-key"
#define BODY_LIMIT 512

enum { AUTHORIZATION, CONTENT_TYPE, CONTENT_LENGTH, HEADERS };

struct source {
	const char *headers[HEADERS];
	struct slice body;
};

static enum result fuzz_echo(struct request *request, struct answer *answer)
{
	struct json_writer *out = answer_json(answer, 200);

	json_open_object(out);
	for (size_t i = 0; i < request->endpoint->query_count; i++) {
		const char *name = request->endpoint->query[i].name;
		json_member_text(out, name, request_query(request, name));
	}
	json_key(out, "parameters");
	json_open_array(out);
	for (size_t i = 0; i < request->parameter_count; i++)
		json_write_text(out, request->parameters[i].value);
	json_close_array(out);
	json_member_integer(out, "number", request_query_integer(request, "integer", 1));
	json_key(out, "body");
	json_write_value(out, request->body);
	json_close_object(out);
	return RESULT_OK;
}

static enum result fuzz_count(struct request *request, struct answer *answer)
{
	char bytes[100];
	size_t length, total = 0;

	do {
		TRY(request_read(request, bytes, sizeof(bytes), &length));
		total += length;
	} while (length > 0);
	REQUIRE(total <= BODY_LIMIT && total == request->body_length);
	answer_empty(answer, 204);
	return RESULT_OK;
}

static const struct field fields[] = {
	{.name = "text", .type = FIELD_TEXT, .minimum = 1, .maximum = 20},
	{.name = "choice", .type = FIELD_CHOICE, .choices = "one two"},
	{.name = "boolean", .type = FIELD_BOOLEAN},
	{.name = "integer", .type = FIELD_INTEGER, .minimum = 1, .maximum = 1000},
	{.name = "recipient", .type = FIELD_RECIPIENT},
	{.name = "list", .type = FIELD_LIST, .maximum = 3},
	{.name = "any", .type = FIELD_ANY},
};

static const struct endpoint endpoints[] = {
	{.method = "GET", .path = "/open/{one}/x/{two}", .query = FIELDS(fields), .handle = fuzz_echo},
	{.method = "POST", .path = "/open", .body = BODY_JSON, .body_limit = BODY_LIMIT, .fields = FIELDS(fields),
	 .handle = fuzz_echo},
	{.method = "POST", .path = "/stream", .body = BODY_STREAMED, .body_limit = BODY_LIMIT, .handle = fuzz_count},
	{.method = "PUT", .path = "/root/{project}", .access = ROLE_ROOT, .handle = fuzz_echo},
	{.method = "GET", .path = "/read/{project}", .access = ROLE_READ, .handle = fuzz_echo},
};
static const struct endpoint *const table[] = {&endpoints[0], &endpoints[1], &endpoints[2], &endpoints[3],
                                               &endpoints[4]};
static const struct function function = {.name = "fuzz", .endpoints = table, .endpoint_count = COUNT_OF(table)};

static const char *fuzz_parameter(void *context, const char *name)
{
	static const char *const names[HEADERS] = {"HTTP_AUTHORIZATION", "CONTENT_TYPE", "CONTENT_LENGTH"};
	const struct source *source = context;

	for (size_t i = 0; i < HEADERS; i++) {
		if (strcmp(name, names[i]) == 0)
			return source->headers[i];
	}
	return NULL;
}

static enum result fuzz_read(void *context, char *bytes, size_t capacity, size_t *length)
{
	struct source *source = context;

	*length = capacity < source->body.length ? capacity : source->body.length;
	if (*length > 0)
		memcpy(bytes, source->body.data, *length);
	source->body = slice_from(source->body, *length);
	return RESULT_OK;
}

// A NUL that the request brought may come back, as "\u0000", which our own reader refuses.
static bool fuzz_is_json(struct arena *arena, struct slice text)
{
	const struct json *value;
	struct slice reason;

	return json_parse(arena, text, &value, &reason) == RESULT_OK ||
	       slice_starts_with(reason, SLICE("NUL in a string"));
}

static void fuzz_check(const struct request *request, const struct source *source, const struct answer *answer)
{
	const struct endpoint *endpoint = request->endpoint;

	REQUIRE(answer->status >= 200 && answer->status <= 503 && answer->status != 500);
	REQUIRE(answer->status == 204 || fuzz_is_json(request->arena, buffer_slice(answer->body)));
	if (answer->status >= 300)
		REQUIRE(strcmp(answer->content_type, "application/problem+json") == 0);
	else if (endpoint->access == ROLE_ROOT)
		REQUIRE(strstr(source->headers[AUTHORIZATION], ROOT_KEY));
	else
		REQUIRE(endpoint->access == ROLE_NONE);
}

static struct store *fuzz_store(void)
{
	static struct store *store;
	const char *reason;

	if (!store) {
		log_open(LOG_ERROR, "fuzz");
		REQUIRE(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &store, &reason) == RESULT_OK);
	}
	return store;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config config = {.admin_token = SLICE(ROOT_KEY)};
	struct source source;
	struct request request = {.arena = fuzz_arena(), .store = fuzz_store(), .config = &config,
	                          .id = SLICE("id"), .parameter = fuzz_parameter, .read = fuzz_read, .source = &source};
	struct slice rest = fuzz_slice(data, size);
	struct answer answer;

	request.query = slice_split(&rest, '\n');
	request.method = slice_split(&request.query, ' ');
	request.path = slice_split(&request.query, '?');
	for (size_t i = 0; i < HEADERS; i++)
		source.headers[i] = arena_copy(request.arena, slice_split(&rest, '\n')).data;
	source.body = rest;
	function_answer(&function, &request, &answer);
	store_settle(request.store);
	fuzz_check(&request, &source, &answer);
	return 0;
}

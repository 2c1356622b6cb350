// A function that says what it got, for tests of what every function shares: the accept loop, bodies, answers.
#include "codec/crypt.h"
#include "codec/encode.h"
#include "edge/endpoint.h"

#include <time.h>

#define BODY_MAXIMUM ((size_t)256 << 20)
#define LARGE_MAXIMUM (8 << 20)
#define SLOW_MAXIMUM_MS 10000
#define TEXT_MAXIMUM 1000

static void echo_write(struct request *request, struct answer *answer, int64_t bytes, struct slice digest)
{
	struct json_writer *out = answer_json(answer, 200);

	json_open_object(out);
	json_member_text(out, "method", request->method);
	json_member_text(out, "path", request->path);
	json_member_text(out, "query", request->query);
	json_member_text(out, "user", request_header(request, "REMOTE_USER"));
	json_member_integer(out, "bytes", bytes);
	json_member_text(out, "sha256", digest);
	json_close_object(out);
}

static const struct field echo_query[] = {
	{.name = "text", .type = FIELD_TEXT, .maximum = TEXT_MAXIMUM},
};

static enum result echo_get_handle(struct request *request, struct answer *answer)
{
	echo_write(request, answer, 0, (struct slice){NULL, 0});
	return RESULT_OK;
}

static const struct endpoint echo_get = {
	.method = "GET",
	.path = "/echo",
	.summary = "Says what came",
	.access = ROLE_NONE,
	.query = echo_query,
	.query_count = COUNT_OF(echo_query),
	.handle = echo_get_handle,
};

// An HMAC under an empty key, since it can be made in pieces.
static enum result echo_post_handle(struct request *request, struct answer *answer)
{
	struct crypt_hmac *hmac = crypt_hmac_new((struct slice){NULL, 0});
	unsigned char digest[CRYPT_SHA256_SIZE];
	char bytes[65536];
	int64_t total = 0;
	size_t length;

	if (!hmac || !arena_defer(request->arena, crypt_hmac_free, hmac))
		return RESULT_NO_MEMORY;
	do {
		TRY(request_read(request, bytes, sizeof(bytes), &length));
		crypt_hmac_add(hmac, (struct slice){bytes, length});
		total += (int64_t)length;
	} while (length > 0);
	TRY(crypt_hmac_end(hmac, digest));
	echo_write(request, answer, total,
	           encode_hex(request->arena, (struct slice){(const char *)digest, sizeof(digest)}));
	return RESULT_OK;
}

static const struct endpoint echo_post = {
	.method = "POST",
	.path = "/echo",
	.summary = "Reads the body and says what came",
	.access = ROLE_NONE,
	.body = BODY_STREAMED,
	.body_limit = BODY_MAXIMUM,
	.handle = echo_post_handle,
};

static enum result ignore_handle(struct request *request, struct answer *answer)
{
	(void)answer;
	return refuse(request, RESULT_UNAUTHENTICATED, "The body is left alone.");
}

static const struct endpoint ignore = {
	.method = "POST",
	.path = "/ignore",
	.summary = "Answers 401 without reading the body",
	.access = ROLE_NONE,
	.body = BODY_STREAMED,
	.body_limit = BODY_MAXIMUM,
	.handle = ignore_handle,
};

static const struct field large_query[] = {
	{.name = "bytes", .type = FIELD_INTEGER, .required = true, .minimum = 0, .maximum = LARGE_MAXIMUM},
};

static enum result large_handle(struct request *request, struct answer *answer)
{
	int64_t bytes = request_query_integer(request, "bytes", 0);
	char *body = arena_alloc(request->arena, (size_t)bytes + 1);

	if (!body)
		return RESULT_NO_MEMORY;
	for (int64_t i = 0; i < bytes; i++)
		body[i] = (char)('a' + i % 26);
	answer_bytes(answer, 200, "text/plain", (struct slice){body, (size_t)bytes});
	answer_header(answer, "X-Good", SLICE("good"));
	answer_header(answer, "X-Split", SLICE("bad\r\nX-Injected: yes"));
	return RESULT_OK;
}

static const struct endpoint large = {
	.method = "POST",
	.path = "/large",
	.summary = "Answers so many bytes without reading the body",
	.access = ROLE_NONE,
	.body = BODY_STREAMED,
	.body_limit = BODY_MAXIMUM,
	.query = large_query,
	.query_count = COUNT_OF(large_query),
	.handle = large_handle,
};

static const struct field slow_query[] = {
	{.name = "ms", .type = FIELD_INTEGER, .required = true, .minimum = 0, .maximum = SLOW_MAXIMUM_MS},
};

static enum result slow_handle(struct request *request, struct answer *answer)
{
	int64_t ms = request_query_integer(request, "ms", 0);
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	// A signal that came through would show as an early answer.
	if (nanosleep(&left, NULL) != 0)
		return RESULT_UNAVAILABLE;
	answer_empty(answer, 204);
	return RESULT_OK;
}

static const struct endpoint slow = {
	.method = "GET",
	.path = "/slow",
	.summary = "Takes its time",
	.access = ROLE_NONE,
	.query = slow_query,
	.query_count = COUNT_OF(slow_query),
	.handle = slow_handle,
};

static const struct field json_fields[] = {
	{.name = "text", .type = FIELD_TEXT, .required = true, .maximum = TEXT_MAXIMUM},
};

static enum result json_handle(struct request *request, struct answer *answer)
{
	struct json_writer *out = answer_json(answer, 200);

	json_open_object(out);
	json_member_text(out, "text", json_text(json_get(request->body, "text")));
	json_close_object(out);
	return RESULT_OK;
}

static const struct endpoint json = {
	.method = "POST",
	.path = "/json",
	.summary = "Says what the JSON body holds",
	.access = ROLE_NONE,
	.body = BODY_JSON,
	.body_limit = TEXT_MAXIMUM,
	.fields = json_fields,
	.field_count = COUNT_OF(json_fields),
	.handle = json_handle,
};

static const struct endpoint *const endpoints[] = {&echo_get, &echo_post, &ignore, &large, &slow, &json};

const struct function function = {
	.name = "echo",
	.prefixes = "/echo /ignore /large /slow /json",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 2,
};

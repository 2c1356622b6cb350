#include "edge/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/crypt.h"
#include "edge/metrics.h"
#include "io/fcgi.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REQUEST_ID_MAXIMUM 64
#define REQUEST_ID_RANDOM 16 // bytes
#define HEAD_SIZE 16384      // of an answer

struct worker {
	const struct function *function;
	const struct config *config;
	struct arena *arena; // reset after each request
	struct store *store;
	struct fcgi *fcgi;
};

static struct slice worker_parameter(const struct worker *worker, const char *name)
{
	return slice_of(fcgi_parameter(worker->fcgi, name));
}

static bool request_id_is_good(struct slice id)
{
	for (size_t i = 0; i < id.length; i++)
		if (!isalnum((unsigned char)id.data[i]) && id.data[i] != '_' && id.data[i] != '-')
			return false;
	return id.length > 0 && id.length <= REQUEST_ID_MAXIMUM;
}

// The web server's own, so that its log and ours can be put side by side.
static struct slice worker_request_id(const struct worker *worker)
{
	struct slice given = worker_parameter(worker, "REQUEST_ID");

	if (request_id_is_good(given))
		return arena_copy(worker->arena, given);
	return crypt_random_text(worker->arena, REQUEST_ID_RANDOM);
}

// REQUEST_URI is what the client sent; SCRIPT_NAME and PATH_INFO are decoded already, and serve only without it.
static void worker_read_target(const struct worker *worker, struct request *request)
{
	struct slice target = worker_parameter(worker, "REQUEST_URI");

	if (!slice_is_empty(target)) {
		request->path = slice_split(&target, '?');
		request->query = target;
		return;
	}
	const char *script = fcgi_parameter(worker->fcgi, "SCRIPT_NAME");
	const char *rest = fcgi_parameter(worker->fcgi, "PATH_INFO");
	request->path = arena_format(worker->arena, "%s%s", script ? script : "", rest ? rest : "");
	request->query = worker_parameter(worker, "QUERY_STRING");
}

// Id and method are copied: the log speaks of them after the request's parameters have gone.
static struct request worker_read_request(const struct worker *worker)
{
	struct request request = {
		.arena = worker->arena,
		.store = worker->store,
		.config = worker->config,
		.id = worker_request_id(worker),
		.method = arena_copy(worker->arena, worker_parameter(worker, "REQUEST_METHOD")),
		.parameter = fcgi_parameter,
		.read = fcgi_read,
		.source = worker->fcgi,
	};

	worker_read_target(worker, &request);
	return request;
}

// nginx passes the phrase on as it is, and a status line without one is no HTTP.
static const char *status_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {303, "See Other"},
		{304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
		{404, "Not Found"}, {405, "Method Not Allowed"}, {409, "Conflict"}, {413, "Content Too Large"},
		{415, "Unsupported Media Type"}, {422, "Unprocessable Content"}, {429, "Too Many Requests"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < COUNT_OF(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Other";
}

static void head_append_status(struct buffer *head, int status)
{
	buffer_append_text(head, "Status: ");
	buffer_append_integer(head, status);
	buffer_append_byte(head, ' ');
	buffer_append_text(head, status_phrase(status));
	buffer_append_text(head, "\r\n");
}

static void head_append(struct buffer *head, const char *name, struct slice value)
{
	buffer_append_text(head, name);
	buffer_append_text(head, ": ");
	buffer_append(head, value);
	buffer_append_text(head, "\r\n");
}

static bool answer_has_header(const struct answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->header_count; i++)
		if (strcasecmp(answer->headers[i].name, name) == 0)
			return true;
	return false;
}

static void head_write(struct buffer *head, const struct request *request, const struct answer *answer, size_t length)
{
	head_append_status(head, answer->status);
	if (answer->content_type)
		head_append(head, "Content-Type", slice_of(answer->content_type));
	if (answer->status != 204 && answer->status != 304 && !answer->produce) {
		buffer_append_text(head, "Content-Length: ");
		buffer_append_integer(head, (int64_t)length);
		buffer_append_text(head, "\r\n");
	}
	head_append(head, "X-Request-Id", request->id);
	head_append(head, "X-Content-Type-Options", SLICE("nosniff"));
	if (!answer_has_header(answer, "Cache-Control"))
		head_append(head, "Cache-Control", SLICE("no-store"));
	for (size_t i = 0; i < answer->header_count; i++)
		head_append(head, answer->headers[i].name, answer->headers[i].value);
	buffer_append_text(head, "\r\n");
}

static enum result worker_write_piece(const struct worker *worker, struct request *request, struct answer *answer,
                                      struct arena *piece, bool *more)
{
	struct buffer *out = buffer_new(piece, ANSWER_PIECE_LIMIT);

	if (!out)
		return RESULT_NO_MEMORY;
	TRY(answer->produce(request, answer->context, piece, out, more));
	if (buffer_failed(out) || arena_failed(piece) || arena_failed(worker->arena))
		return RESULT_NO_MEMORY;
	return fcgi_write(worker->fcgi, buffer_slice(out));
}

static void worker_write_stream(const struct worker *worker, struct request *request, struct answer *answer)
{
	AUTO(arena_auto) struct arena *piece = arena_new(REQUEST_ARENA_LIMIT);
	enum result result = piece ? RESULT_OK : RESULT_NO_MEMORY;

	for (bool more = true; result == RESULT_OK && more;) {
		result = worker_write_piece(worker, request, answer, piece, &more);
		arena_reset(piece);
	}
	if (result == RESULT_OK)
		return;
	LOG(LOG_WARNING, "an answer was cut short", {"request_id", request->id});
	fcgi_abort(worker->fcgi);
}

static void worker_write_answer(const struct worker *worker, struct request *request, struct answer *answer)
{
	struct slice body = answer->body ? buffer_slice(answer->body) : (struct slice){NULL, 0};
	char bytes[HEAD_SIZE];
	struct buffer head = {.data = bytes, .capacity = sizeof(bytes), .limit = sizeof(bytes)};

	head_write(&head, request, answer, body.length);
	if (buffer_failed(&head)) {
		LOG(LOG_ERROR, "the headers of an answer are too long", {"request_id", request->id});
		answer->status = 503;
		fcgi_write(worker->fcgi, SLICE("Status: 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
		return;
	}
	if (fcgi_write(worker->fcgi, buffer_slice(&head)) != RESULT_OK)
		return;
	if (slice_equal(request->method, SLICE("HEAD")))
		return;
	if (answer->produce)
		worker_write_stream(worker, request, answer);
	else
		fcgi_write(worker->fcgi, body);
}

// Never the path: it names recipients.
static void worker_log(const struct request *request, int status, int64_t microseconds)
{
	const char *route = request->endpoint ? request->endpoint->path : "-";
	char status_text[16], time_text[32];

	snprintf(status_text, sizeof(status_text), "%d", status);
	snprintf(time_text, sizeof(time_text), "%.1f", (double)microseconds / 1000);
	LOG(status >= 500 ? LOG_WARNING : LOG_DEBUG, "request", {"request_id", request->id},
	    {"method", request->method}, {"route", slice_of(route)}, {"status", slice_of(status_text)},
	    {"ms", slice_of(time_text)});
}

static void worker_serve(const struct worker *worker)
{
	int64_t since_us = clock_monotonic_us();
	struct request request = worker_read_request(worker);
	struct answer answer = {.arena = worker->arena};

	function_answer(worker->function, &request, &answer);
	worker_write_answer(worker, &request, &answer);
	fcgi_finish(worker->fcgi);

	int64_t microseconds = clock_monotonic_us() - since_us;
	worker_log(&request, answer.status, microseconds);
	metrics_request(worker->function->name, answer.status, microseconds);
	metrics_flush(worker->store, worker->arena, false);
	store_settle(worker->store);
	arena_reset(worker->arena);
}

static void worker_idle(void *context)
{
	const struct worker *worker = context;

	metrics_flush(worker->store, worker->arena, false);
	arena_reset(worker->arena);
}

static bool worker_open(struct worker *worker, int listener)
{
	const char *reason = "no memory";

	worker->arena = arena_new(REQUEST_ARENA_LIMIT);
	worker->fcgi = fcgi_new(listener);
	if (worker->arena && worker->fcgi &&
	    store_new(worker->config->redis_url, worker->config->redis_wait_replicas, &worker->store, &reason) ==
	            RESULT_OK)
		return true;
	LOG(LOG_ERROR, "cannot serve", {"reason", slice_of(reason)});
	return false;
}

static void worker_close(struct worker *worker)
{
	fcgi_free(worker->fcgi);
	store_free(worker->store);
	arena_free(worker->arena);
}

int worker_run(const struct function *function, const struct config *config, int listener)
{
	AUTO(worker_close) struct worker worker = {.function = function, .config = config};
	enum result result;

	if (!worker_open(&worker, listener))
		return EXIT_FAILURE;
	while ((result = fcgi_accept(worker.fcgi, worker_idle, &worker)) == RESULT_OK)
		worker_serve(&worker);
	metrics_flush(worker.store, worker.arena, true);
	if (result == RESULT_STOP)
		return EXIT_SUCCESS;
	LOG(LOG_ERROR, "the listener fails", {"reason", slice_of(strerror(errno))});
	return EXIT_FAILURE;
}

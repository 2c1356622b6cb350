// What an executable offers: a function is a list of endpoints, an endpoint one operation at one path. The
// descriptors below are the whole interface of a function's file; the accept loop, signals, headers, access and
// validation of fields are done here from what they say, and the web server's limits are generated from them.
#ifndef CIOBRIDGE_EDGE_ENDPOINT_H
#define CIOBRIDGE_EDGE_ENDPOINT_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/config.h"
#include "codec/json.h"
#include "edge/problem.h"
#include "io/store.h"
#include "project/api_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_ARENA_LIMIT ((size_t)256 << 20) // bytes one request may use
#define ANSWER_LIMIT ((size_t)64 << 20)         // bytes of an answer
#define PATH_PARAMETERS_MAXIMUM 4

struct request;
struct answer;

enum field_type {
	FIELD_TEXT,       // `minimum` to `maximum` bytes, UTF-8 without control characters
	FIELD_CHOICE,     // one of `choices`, separated by spaces
	FIELD_BOOLEAN,
	FIELD_INTEGER,    // within [minimum, maximum]
	FIELD_RECIPIENT,  // text, checked by recipient_read in the handler; in a query '+' stays with '@' or in front
	FIELD_LIST,       // a JSON array of at most `maximum` elements
	FIELD_ANY,        // any JSON value
};

// A member of a JSON body or a parameter of a query. Members that are not listed are refused.
struct field {
	const char *name;
	enum field_type type;
	bool required;
	int64_t minimum, maximum;
	const char *choices;
	const char *help; // for openapi.json
};

enum body_kind {
	BODY_NONE,     // must be empty
	BODY_JSON,     // application/json, read and validated before the handler; an empty body is {}
	BODY_STREAMED, // any content type; the handler reads it with request_read
};

struct endpoint {
	const char *method; // "GET" serves HEAD too
	const char *path;   // "/optouts/{project}/check": segments, or {name} for any one segment
	const char *summary;
	enum role access; // ROLE_NONE: open to everybody
	enum body_kind body;
	size_t body_limit; // bytes; 0 for BODY_NONE
	bool any_query;    // others decide what the query holds: it is not looked at
	const struct field *query;
	size_t query_count;
	const struct field *fields;
	size_t field_count;
	enum result (*handle)(struct request *request, struct answer *answer);

	// May send what `handle` will ask the store, so that it goes together with the look at the caller's key, before
	// that is known to be good: reads only, and the query is not checked yet. What it returns becomes
	// request->asked, the answers are the handler's to receive. NULL, and returning NULL: nothing was sent.
	void *(*ask)(struct request *request);
};
#define FIELDS(table) (table), COUNT_OF(table) // .query = FIELDS(table), .fields = FIELDS(table)

struct job_queue; // edge/queue_worker.h

struct function {
	const char *name;     // of the executable
	const char *prefixes; // first path segments that the web server sends here, separated by spaces: "/optouts"
	const struct job_queue *queues; // when there are some, it is triggered by them instead, and has no prefixes and
	size_t queue_count;             // endpoints
	const struct endpoint *const *endpoints;
	size_t endpoint_count;
	int workers;     // processes that `make run` starts
	bool repeatable; // every request may be sent again by the web server when a worker died over it
	bool gives_way;  // nobody waits for its every answer: others on the machine go first
	bool streams;    // bodies are passed on while they come, so that they may take long; otherwise whole
};

struct path_parameter {
	struct slice name, value; // the value is percent-decoded
};

struct request {
	struct arena *arena;
	struct store *store;
	const struct config *config;
	struct slice id, method, path; // path as sent, without the query
	struct slice query;
	const char *(*parameter)(void *source, const char *name); // CGI meta-variables
	enum result (*read)(void *source, char *bytes, size_t capacity, size_t *length);
	void *source;

	// Set by function_answer before the handler runs:
	const struct endpoint *endpoint;
	struct path_parameter parameters[PATH_PARAMETERS_MAXIMUM];
	size_t parameter_count;
	struct api_key caller;    // role ROLE_NONE where access is ROLE_NONE
	void *asked;              // by endpoint->ask; NULL: nothing was
	const struct json *body;  // BODY_JSON: an object
	size_t body_length;       // bytes read so far
	struct problem problem;   // what the handler found wrong (edge/problem.h)
};

// The path parameter {project}; empty when the endpoint has none.
struct slice request_project(const struct request *request);
struct slice request_parameter(const struct request *request, const char *name);

// A query parameter, decoded and valid; data NULL when it is not there.
struct slice request_query(const struct request *request, const char *name);
int64_t request_query_integer(const struct request *request, const char *name, int64_t otherwise);

// A header, by its CGI name ("HTTP_X_CIO_SIGNATURE", "CONTENT_TYPE"); data NULL when it is not there.
struct slice request_header(const struct request *request, const char *name);

// Reads up to `capacity` bytes of a BODY_STREAMED body; *length 0 is its end. RESULT_MALFORMED: it was cut.
// RESULT_TOO_LARGE: it has more than the endpoint's body_limit; what lies within was handed out before.
enum result request_read(struct request *request, char *bytes, size_t capacity, size_t *length);

struct answer_header {
	const char *name;
	struct slice value; // without CR, LF and NUL, or the header is left out
};

// Appends the next piece of a long answer to `out` and sets *more false behind the last one. What `piece` holds is
// given back after each call; `context` has to live in the request's arena.
typedef enum result answer_producer(struct request *request, void *context, struct arena *piece, struct buffer *out,
                                    bool *more);

#define ANSWER_PIECE_LIMIT ((size_t)1 << 20) // bytes that a producer may append at a time

struct answer {
	struct arena *arena;
	int status;
	const char *content_type;
	struct answer_header headers[8];
	size_t header_count;
	struct buffer *body;
	struct json_writer json;
	answer_producer *produce; // NULL: the body is whole
	void *context;
};

// Starts a JSON answer and returns its writer.
struct json_writer *answer_json(struct answer *answer, int status);
void answer_empty(struct answer *answer, int status); // 204 and the like
void answer_bytes(struct answer *answer, int status, const char *content_type, struct slice body);
void answer_header(struct answer *answer, const char *name, struct slice value);

// Answers in pieces, in constant memory. A producer that fails ends the connection in mid-answer, so that a part is
// never taken for the whole.
void answer_stream(struct answer *answer, int status, const char *content_type, answer_producer *produce,
                   void *context);

// Answers one request: finds the endpoint (the first that fits, in the order of the table), checks the key and the
// fields, runs the handler, and turns a failure into problem+json. GET /healthz is there without being listed. Always
// leaves a whole answer. Needs arena, store, config, id, method, path, query, parameter, read, source.
void function_answer(const struct function *function, struct request *request, struct answer *answer);

// main() of every function: options, configuration, listening, workers, the accept loop. Returns the exit status.
int function_main(const struct function *function, int argument_count, char **arguments);

#endif

// Calls a function's handlers as the web server would, without one:
//
//     AUTO(service_close) struct service service = service_open(&function);
//     struct outcome outcome = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin, .body = "{}");
//     EXPECT_STATUS(outcome, 200);
//     cr_assert(json_is_false(json_get(outcome.body, "enabled")));
//
// What every answer promises (http-api "Conventions") is checked in each call.
#ifndef CIOBRIDGE_TESTS_SUPPORT_CALL_H
#define CIOBRIDGE_TESTS_SUPPORT_CALL_H

#include "codec/config.h"
#include "codec/json.h"
#include "edge/endpoint.h"
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stddef.h>

#define CALL_ROOT_KEY "the-root-key-of-the-tests"
#define CALL_MASTER_KEY "a-master-key-of-the-tests-of-some-length"
#define CALL_PUBLIC_URL "https://ciobridge.example"
#define CALL_HEADERS_MAXIMUM 8

struct service {
	struct fixture fixture; // its project exists
	struct config config;
	const struct function *function;
	const char *root, *admin, *read, *ingest, *ingest_secret; // keys; all but root are the project's
	void (*before)(void), (*after)(void); // around what a request does; NULL, or for who makes it fail there
};

struct service service_open(const struct function *function);
void service_close(struct service *service); // fits AUTO()

// A key of that role for a project that exists.
const char *service_key(struct service *service, struct slice project, enum role role);

// Another project, with nothing in it. It goes with the Redis.
struct slice service_project(struct service *service);

// What a request brings besides its first line.
struct call {
	const char *key;    // for Authorization: Bearer
	const char *body;   // text …
	struct slice bytes; // … or any bytes
	const char *type;   // content type; NULL: application/json when there is a body
	bool undeclared;    // no CONTENT_LENGTH, as with chunked transfer
	bool cut;           // the connection fails where the body would end
	struct {
		const char *name, *value; // CGI names: {"HTTP_X_CIO_TIMESTAMP", "1732285840"}
	} headers[CALL_HEADERS_MAXIMUM];
};

struct outcome {
	int status;
	struct slice text;       // the body
	const struct json *body; // the same when it is JSON, otherwise NULL
	bool broken;             // a streamed answer ended in the middle, where the service has `before`
	struct answer answer;
};

// `line` is method and target; "{project}" in it stands for the service's project. What comes back lives as long as
// the service.
struct outcome call_function(struct service *service, const char *line, const struct call *call);
#define CALL(service, line, ...) call_function((service), (line), &(const struct call){__VA_ARGS__})

// Text for a line or a body, formatted; lives as long as the service.
const char *call_format(struct service *service, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct slice outcome_header(const struct outcome *outcome, const char *name); // data NULL: it is not there

// A member of the body as text.
struct slice outcome_text(const struct outcome *outcome, const char *member);

// Does the problem name this field among its errors?
bool outcome_names_field(const struct outcome *outcome, const char *field);

#define EXPECT_STATUS(outcome, wanted)                                                                             \
	cr_assert_eq((outcome).status, (wanted), "%d instead of %d: %.*s", (outcome).status, (wanted),             \
	             (int)(outcome).text.length, (outcome).text.data)

// slices against literals
#define EXPECT_TEXT(slice, literal) expect_text((slice), (literal), __FILE__, __LINE__)
void expect_text(struct slice slice, const char *wanted, const char *file, int line);

#endif

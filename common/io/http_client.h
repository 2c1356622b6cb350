// HTTP out, over libcurl: one request at a time, connections are used again. The only door to other web services.
//
// What always holds: TLS is 1.2 or later and verified; no redirect is followed; no proxy, cookie, signal or .netrc is
// used; and unless the caller says otherwise only https to a public address is spoken, whatever a name resolves to.
// A connection to an address that may only be reached with `any_address` is never used for a request without it.
#ifndef CIOBRIDGE_IO_HTTP_CLIENT_H
#define CIOBRIDGE_IO_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/patience.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_TIMEOUT_MS INT64_C(30000)               // where a request names none
#define HTTP_CONNECT_TIMEOUT_MS INT64_C(10000)       // at most, of the whole
#define HTTP_HEADERS_MAXIMUM ((size_t)64 << 10)      // bytes of an answer's headers
#define HTTP_SECRET_MAXIMUM ((size_t)1024)           // bytes of a user, password or bearer token
#define HTTP_RETRY_AFTER_MAXIMUM_MS INT64_C(3600000) // what a peer asks beyond that counts as that
#define HTTP_SLOWEST_BYTES 100                       // a second, of what goes into a sink

struct http_client;

struct http_options {
	struct patience patience; // while waiting for an answer
	const char *authorities;  // a file of certificates to trust instead of the system's; NULL: the system's
};

// NULL without memory. What `options` names must outlive the client.
struct http_client *http_client_new(const struct http_options *options);
void http_client_free(void *client); // closes its connections; NULL is allowed; fits arena_defer

// What it does while it waits, for what waits beside it.
const struct patience *http_client_patience(const struct http_client *client);

struct http_header {
	const char *name;
	struct slice value; // printable ASCII
};

struct http_request {
	const char *method; // NULL: GET
	struct slice url;   // absolute, https:// or http:// in small letters, everything encoded
	const struct http_header *headers;
	size_t header_count;
	// Printable ASCII. Basic where user.data is not NULL, else Bearer where bearer.data is not NULL.
	struct slice user, password, bearer;
	struct slice body;   // data NULL: none
	bool any_address;    // http and addresses that are not public too
	// Of the whole call; 0: HTTP_TIMEOUT_MS. With a sink: for how long, in whole seconds, less than
	// HTTP_SLOWEST_BYTES may come.
	int64_t timeout_ms;
	size_t answer_limit; // bytes of a body that is gathered
	// Takes the body of a 2xx in pieces as they come, instead of its being gathered. While it works nothing is
	// read, so it may take its time (and looks after its own patience). What it returns, unless RESULT_OK, breaks
	// off the call and is returned.
	enum result (*sink)(void *context, struct slice piece);
	void *sink_context;
};

struct http_answer {
	int status; // 0 as long as there is none
	struct slice body;
	struct slice content_type, location; // empty where absent; location is made absolute
	int64_t retry_after_ms;              // from now; -1: not said
	// After a failure, for logs and people: host and reason, no path, no secret. Empty where `between` or the sink
	// broke it off.
	struct slice fault;
};

// Makes the call. *answer lives in the arena and is set whatever is returned.
//
// RESULT_OK: a whole answer came, whatever its status. RESULT_UNAVAILABLE: none did (name, connection, TLS, time, cut).
// RESULT_TOO_LARGE: over answer_limit or HTTP_HEADERS_MAXIMUM. RESULT_FORBIDDEN: the address is not a public one, or
// not https. RESULT_INVALID: the request is none. RESULT_NO_MEMORY. Else what `between` or the sink returned.
enum result http_call(struct http_client *client, struct arena *arena, const struct http_request *request,
                      struct http_answer *answer);

#endif

// A web server of a few lines for tests of what calls one: it answers from a script, keeps what it was asked, and can
// misbehave. It speaks HTTP/1.1 on a loopback port, one connection at a time.
#ifndef CIOBRIDGE_TESTS_SUPPORT_PEER_H
#define CIOBRIDGE_TESTS_SUPPORT_PEER_H

#include "base/arena.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum peer_end {
	PEER_KEEPS,  // the connection, for the next request
	PEER_CLOSES,
	PEER_RESETS,
	PEER_HANGS,  // until the client goes
};

struct peer_answer {
	const char *text;    // sent as it is; NULL: nothing
	const char *endless; // after that, until the client goes; NULL: nothing
	int64_t pause_ms;    // before each of these, and before `text`
	enum peer_end end;
};

struct peer;

// Answers in this order; the last one counts for all that follow. Their texts must outlive the peer.
struct peer *peer_open(const struct peer_answer *answers, size_t count);
#define PEER(...)                                                                                                  \
	peer_open((const struct peer_answer[]){__VA_ARGS__}, COUNT_OF(((const struct peer_answer[]){__VA_ARGS__})))
void peer_close(struct peer **peer); // fits AUTO()

// http://127.0.0.1:<port>
struct slice peer_url(const struct peer *peer);

// What came: how many requests, on how many connections, each as its bytes, and when (clock_monotonic_us).
size_t peer_requests(struct peer *peer);
size_t peer_connections(struct peer *peer);
const char *peer_request(struct peer *peer, size_t index);
int64_t peer_request_us(struct peer *peer, size_t index);

// An answer with a JSON body, in the arena: PEER({.text = peer_json(arena, "200 OK", "", "{}")}). `headers` are whole
// lines, or "".
const char *peer_json(struct arena *arena, const char *status, const char *headers, const char *body);

#endif

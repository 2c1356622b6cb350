// Where Redis is, read from a url. No I/O.
#ifndef CIOBRIDGE_IO_STORE_URL_H
#define CIOBRIDGE_IO_STORE_URL_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>

#define STORE_URL_MAXIMUM 4096 // bytes

struct store_url {
	const char *host; // of a socket, its path
	int port;         // 0: a unix socket
	struct slice user, password, database; // database: decimal, or empty
	bool tls;
};

// The forms are those of store_new. Everything lives in the arena. RESULT_INVALID, RESULT_MALFORMED (a bad percent),
// RESULT_NO_MEMORY.
enum result store_url_read(struct arena *arena, struct slice text, struct store_url *url);

#endif

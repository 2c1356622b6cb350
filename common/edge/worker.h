// One process that serves: the accept loop, from a request's parameters to the answer's bytes.
#ifndef CIOBRIDGE_EDGE_WORKER_H
#define CIOBRIDGE_EDGE_WORKER_H

#include "codec/config.h"
#include "edge/endpoint.h"

// Serves on `listener` (or plain CGI on standard input and output when it is -1) until a signal asks to end, after the
// present request. Returns the exit status.
int worker_run(const struct function *function, const struct config *config, int listener);

#endif

// The log: one JSON object per line on standard error, written with one write(2) so that lines of several
// processes never mix. Members: time, level, function, message, then the fields.
//
// Never put a secret, an address, a query string or a path with an identifier into a field.
#ifndef CIOBRIDGE_BASE_LOG_H
#define CIOBRIDGE_BASE_LOG_H

#include "base/result.h"
#include "base/slice.h"

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log_field {
	const char *name;
	struct slice value; // written as a JSON string; fields with a NULL name are left out
};

// Lines below `level` are dropped; `function` names the executable in every line. Before the first call lines
// from LOG_INFO up are written under the name "ciobridge".
void log_open(enum log_level level, const char *function);

// Writes one line, cut at 4096 bytes. Fields beyond the sixteenth are left out.
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

// LOG(LOG_WARNING, "store lost", {"reason", slice_of(text)});
#define LOG(level, message, ...)                                                                                   \
	log_write((level), (message), (const struct log_field[]){{NULL, {NULL, 0}}, __VA_ARGS__},                  \
	          COUNT_OF(((const struct log_field[]){{NULL, {NULL, 0}}, __VA_ARGS__})))

#endif

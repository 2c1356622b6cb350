// The command line of every function.
#ifndef CIOBRIDGE_EDGE_OPTIONS_H
#define CIOBRIDGE_EDGE_OPTIONS_H

#include "base/result.h"
#include "base/slice.h"
#include "edge/endpoint.h"

#include <stdint.h>

#define OPTIONS_WORKERS_MAXIMUM 256

enum action {
	ACTION_SERVE,
	ACTION_PRINT_CONFIG,
	ACTION_CONFIG_TABLE,
	ACTION_DESCRIBE,
	ACTION_HEALTH,
	ACTION_VERSION,
	ACTION_HELP,
};

struct options {
	enum action action;
	struct slice listen; // data NULL: not given
	int64_t workers;     // 0: not given
};

// Reads the arguments. RESULT_INVALID after saying what is wrong on standard error.
enum result options_read(const struct function *function, int argument_count, char **arguments,
                         struct options *options);

// What --help, --version and --describe print on standard output.
void options_print_help(const struct function *function);
void options_print_version(const struct function *function);
void options_describe(const struct function *function);

#endif

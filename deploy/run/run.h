// What the parts of `make run` share: it starts everything on one machine in the foreground.
//
// Start-up code may end the process: whatever cannot be done is said on standard error, and nothing runs yet.
#ifndef CIOBRIDGE_DEPLOY_RUN_H
#define CIOBRIDGE_DEPLOY_RUN_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "codec/config.h"
#include "edge/supervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A function as it describes itself, and its socket, which outlives its processes.
struct service {
	const char *name, *executable, *socket;
	struct slice prefixes; // separated by commas; empty when no request comes to it
	bool repeatable, streams;
	int64_t workers, body_limit;
	int listener; // -1: none, since no request comes to it
};

struct run {
	struct arena *arena;
	struct config config;
	const char *executables; // the directory of this program and of the functions
	const char *state;       // VAR, absolute
	const char *sockets;     // a directory whose path is fit for a socket's name
	bool sockets_are_temporary;
	bool has_redis, has_root_key; // made here, since the environment names none
	int64_t port;
	int door; // the listening socket of the web server
	int lock; // held by everything that writes the state
	pid_t make;   // the make that started this program; 0: none
	struct service *services;
	size_t service_count;
};

// Says what is wrong and returns RESULT_INVALID. Ends the process where there is no memory: run_text.
enum result complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *run_text(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The state directory: made, locked, with a directory for sockets. `place_leave` removes the sockets.
enum result place_open(struct run *run, const char *directory);
void place_leave(struct run *run);

// Writes a file of the state directory, readable by its owner only; its old content is replaced at once or not at all.
enum result place_write(struct run *run, const char *name, struct slice content);

// A log begins anew with each run; the one before is kept as <name>.1.
void place_set_aside(struct run *run, const char *name);

// Makes the file with a random secret where it is missing.
enum result place_keep_secret(struct run *run, const char *name);

// Asks every function of this build what it offers, and opens the sockets on which they will listen.
enum result services_find(struct run *run);
enum result services_listen(struct run *run);
void service_start(const struct child *child); // context: struct service

// Write the configuration of nginx and redis-server.
enum result nginx_prepare(struct run *run);
void nginx_start(const struct child *child); // context: struct run
enum result redis_prepare(struct run *run);
void redis_start(const struct child *child); // context: struct run

// Says when everything answers, and passes on what make does not.
void herald_start(const struct child *child); // context: struct run
pid_t herald_find_make(void);                // the parent of this process when that is make, else 0

#endif

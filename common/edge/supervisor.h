// Keeps child processes running: starts each, starts it again within a second when it dies, ends them all when asked.
// Used by functions for their workers and by `make run` for everything.
#ifndef CIOBRIDGE_EDGE_SUPERVISOR_H
#define CIOBRIDGE_EDGE_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

struct child {
	const char *name;
	void (*start)(const struct child *child); // runs in the new process and never returns
	void *context;
	int stop_signal; // asks it to end, SIGTERM when 0
	bool own_group;  // lead a process group; what is left of the group is killed when it dies
	int turn;        // children are asked to end in turns: those of turn 1 when those of turn 0 have gone
};

// Runs until SIGTERM, SIGINT or SIGHUP came and every child has ended; those that have not after `grace_ms` are
// killed. Each child gets SIGTERM when this process dies, however it dies. A child that dies within a second of its
// start is started again after a pause that grows to 500 ms. Returns the exit status.
int supervise(const struct child *children, size_t count, int grace_ms);

#endif

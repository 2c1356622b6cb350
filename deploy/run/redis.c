// A redis-server of this run's own, on a Unix socket, that acknowledges nothing before it is on disk.
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum result redis_prepare(struct run *run)
{
	struct slice text = arena_format(run->arena,
	                                 "port 0\n"
	                                 "unixsocket \"%s/redis.sock\"\n"
	                                 "unixsocketperm 700\n"
	                                 "dir \"%s/redis\"\n"
	                                 "databases 1\n"
	                                 "appendonly yes\n"
	                                 "appendfsync always\n"
	                                 "save \"\"\n"
	                                 "maxmemory-policy noeviction\n"
	                                 "daemonize no\n"
	                                 "logfile \"%s/redis.log\"\n",
	                                 run->sockets, run->state, run->state);

	const char *url = run_text(run, "unix://%s/redis.sock", run->sockets);
	if (text.data == NULL || setenv("CIOBRIDGE_REDIS_URL", url, 1) != 0)
		return complain("no memory");
	place_set_aside(run, "redis.log");
	return place_write(run, "redis.conf", text);
}

void redis_start(const struct child *child)
{
	struct run *run = child->context;
	const char *configuration = run_text(run, "%s/redis.conf", run->state);
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(nothing, STDIN_FILENO);
	// It holds the lock as long as it may write, even where this process was killed.
	fcntl(run->lock, F_SETFD, 0);
	execlp("redis-server", "redis-server", configuration, (char *)NULL);
	fprintf(stderr, "run: redis-server: %s\n", strerror(errno));
}

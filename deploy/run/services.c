// The functions: what they say of themselves, their sockets, how they start.
#include "io/fcgi.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTION_LIMIT 65536 // bytes
#define SERVICES_MAXIMUM 32
#define WORKERS_MAXIMUM 256

// Runs `executable --describe` and returns what it printed; data is NULL when that failed.
static struct slice service_ask(struct run *run, const char *executable)
{
	struct buffer *said = buffer_new(run->arena, DESCRIPTION_LIMIT);
	int ends[2], status;
	pid_t child;

	if (said == NULL || pipe(ends) != 0)
		return (struct slice){NULL, 0};
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(executable, executable, "--describe", (char *)NULL);
		_exit(EXIT_FAILURE);
	}
	close(ends[1]);
	for (char *room = buffer_reserve(said, 4096); child > 0 && room != NULL; room = buffer_reserve(said, 4096)) {
		ssize_t length = read(ends[0], room, 4096);

		if (length <= 0)
			break;
		said->length += (size_t)length;
	}
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0 || buffer_failed(said))
		return (struct slice){NULL, 0};
	return buffer_slice(said);
}

// function <name> <repeatable|once> <prefixes> <workers> <whole|streams>
static bool service_read_head(struct service *service, struct slice line)
{
	struct slice rest = line, manner, workers;

	if (!slice_equal(slice_split(&rest, ' '), SLICE("function")) ||
	    !slice_equal(slice_split(&rest, ' '), slice_of(service->name)))
		return false;
	manner = slice_split(&rest, ' ');
	service->repeatable = slice_equal(manner, SLICE("repeatable"));
	service->prefixes = slice_split(&rest, ' ');
	if (slice_equal(service->prefixes, SLICE("-")))
		service->prefixes = SLICE("");
	workers = slice_split(&rest, ' ');
	service->streams = slice_equal(rest, SLICE("streams"));
	return (service->repeatable || slice_equal(manner, SLICE("once"))) &&
	       (service->streams || slice_equal(rest, SLICE("whole"))) &&
	       slice_to_integer(workers, 1, WORKERS_MAXIMUM, &service->workers);
}

// <METHOD> <path> <role> <body> <body_limit> …, separated by tabs
static bool service_read_endpoint(struct service *service, struct slice line)
{
	int64_t limit;

	for (int i = 0; i < 4; i++)
		slice_split(&line, '\t');
	if (!slice_to_integer(slice_split(&line, '\t'), 0, INT64_MAX, &limit))
		return false;
	if (limit > service->body_limit)
		service->body_limit = limit;
	return true;
}

static enum result service_describe(struct run *run, struct service *service)
{
	struct slice rest = service_ask(run, service->executable);
	bool good = rest.data != NULL && service_read_head(service, slice_split(&rest, '\n'));

	while (good && rest.length > 0)
		good = service_read_endpoint(service, slice_split(&rest, '\n'));
	return good ? RESULT_OK : complain("%s --describe does not say what it offers", service->executable);
}

enum result services_find(struct run *run)
{
	struct slice names = SLICE(FUNCTIONS); // of this build, from the Makefile

	run->services = arena_array(run->arena, SERVICES_MAXIMUM, sizeof(struct service));
	while (run->services != NULL && names.length > 0 && run->service_count < SERVICES_MAXIMUM) {
		struct slice name = slice_split(&names, ' ');
		struct service *service = &run->services[run->service_count++];

		service->name = run_text(run, "%.*s", (int)name.length, name.data);
		service->executable = run_text(run, "%s/%s", run->executables, service->name);
		service->socket = run_text(run, "%s/%s.sock", run->sockets, service->name);
		TRY(service_describe(run, service));
	}
	return run->services != NULL && names.length == 0 ? RESULT_OK : complain("too many functions");
}

enum result services_listen(struct run *run)
{
	for (size_t i = 0; i < run->service_count; i++) {
		struct service *service = &run->services[i];
		const char *address = run_text(run, "unix:%s", service->socket);

		service->listener = -1;
		if (slice_is_empty(service->prefixes))
			continue;
		if (fcgi_listen(slice_of(address), &service->listener) != RESULT_OK)
			return complain("%s: %s", service->socket, strerror(errno));
	}
	return RESULT_OK;
}

void service_start(const struct child *child)
{
	const struct service *service = child->context;
	char workers[16];

	snprintf(workers, sizeof(workers), "%d", (int)service->workers);
	if (service->listener >= 0)
		dup2(service->listener, STDIN_FILENO);
	execl(service->executable, service->name, "--workers", workers, (char *)NULL);
	fprintf(stderr, "run: %s: %s\n", service->executable, strerror(errno));
}

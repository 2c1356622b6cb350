// `make run`: redis-server, nginx and every function on one machine, in the foreground, each started again when it
// dies. PORT and VAR choose where; every CIOBRIDGE_ variable goes on to the functions.
#include "run.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_LIMIT ((size_t)16 << 20)
#define FAULTS_LIMIT 65536
#define GRACE_MS 8000

enum result complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("run: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return RESULT_INVALID;
}

const char *run_text(struct run *run, const char *format, ...)
{
	char text[PATH_MAX + 64];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	struct slice copy = {NULL, 0};
	if (length >= 0 && (size_t)length < sizeof(text))
		copy = arena_copy(run->arena, (struct slice){text, (size_t)length});
	if (copy.data == NULL) {
		complain("no memory, or a path is too long");
		_exit(EXIT_FAILURE);
	}
	return copy.data;
}

// An empty variable counts as none.
static const char *run_variable(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || *value == '\0' ? NULL : value;
}

static bool run_has_secret(struct run *run, const char *name)
{
	return run_variable(name) != NULL || run_variable(run_text(run, "%s_FILE", name)) != NULL;
}

static enum result run_set(const char *name, const char *value)
{
	return setenv(name, value, 1) == 0 ? RESULT_OK : complain("no memory");
}

static enum result run_find_itself(struct run *run)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length <= 0)
		return complain("/proc has to be there");
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	run->executables = run_text(run, "%s", path);
	// Debian keeps nginx where only root looks.
	return run_set("PATH", run_text(run, "%s:/usr/local/sbin:/usr/sbin", run_variable("PATH") ?: "/usr/bin:/bin"));
}

static enum result run_read_port(struct run *run)
{
	const char *port = run_variable("PORT") ?: "8080";

	if (!slice_to_integer(slice_of(port), 1, 65535, &run->port))
		return complain("PORT has to be a number from 1 to 65535, not \"%s\"", port);
	return RESULT_OK;
}

// A secret that the environment does not name is made once and kept beside the state.
static enum result run_keep_secret(struct run *run, const char *variable, const char *file, bool *kept)
{
	*kept = !run_has_secret(run, variable);
	if (!*kept)
		return RESULT_OK;
	TRY(place_keep_secret(run, file));
	unsetenv(variable);
	return run_set(run_text(run, "%s_FILE", variable), run_text(run, "%s/%s", run->state, file));
}

static enum result run_read_config(struct run *run)
{
	struct buffer *faults = buffer_new(run->arena, FAULTS_LIMIT);

	if (faults == NULL)
		return complain("no memory");
	if (config_read(run->arena, environ, &run->config, faults) == RESULT_OK)
		return RESULT_OK;
	fprintf(stderr, "%.*s", (int)faults->length, faults->data);
	return complain("the configuration has faults");
}

// Fills in what the environment leaves open, then reads all of it as the functions will.
static enum result run_configure(struct run *run)
{
	bool kept;

	TRY(run_keep_secret(run, "CIOBRIDGE_ADMIN_TOKEN", "admin_token", &run->has_root_key));
	TRY(run_keep_secret(run, "CIOBRIDGE_MASTER_KEY", "master_key", &kept));
	TRY(run_set("CIOBRIDGE_STATE_DIR", run->state));
	if (run_variable("CIOBRIDGE_PUBLIC_URL") == NULL)
		TRY(run_set("CIOBRIDGE_PUBLIC_URL", run_text(run, "http://localhost:%d", (int)run->port)));
	run->has_redis = !run_has_secret(run, "CIOBRIDGE_REDIS_URL");
	if (run->has_redis)
		TRY(redis_prepare(run));
	return run_read_config(run);
}

static enum result run_prepare(struct run *run)
{
	TRY(run_read_port(run));
	TRY(run_find_itself(run));
	TRY(place_open(run, run_variable("VAR") ?: run_variable("CIOBRIDGE_STATE_DIR") ?: "var"));
	TRY(run_configure(run));
	TRY(services_find(run));
	TRY(services_listen(run));
	return nginx_prepare(run);
}

// They end in turns: requests that are under way are finished while the functions and the store still answer.
enum { TURN_WEB_SERVER, TURN_FUNCTIONS, TURN_STORE };

static int run_supervise(struct run *run)
{
	struct child *children = arena_array(run->arena, run->service_count + 3, sizeof(struct child));
	size_t count = 0;

	if (children == NULL)
		return EXIT_FAILURE;
	if (run->has_redis)
		children[count++] = (struct child){"redis-server", redis_start, run, SIGTERM, true, TURN_STORE};
	for (size_t i = 0; i < run->service_count; i++) {
		struct service *service = &run->services[i];

		children[count++] =
			(struct child){service->name, service_start, service, SIGTERM, true, TURN_FUNCTIONS};
	}
	children[count++] = (struct child){"nginx", nginx_start, run, SIGQUIT, true, TURN_WEB_SERVER};
	children[count++] = (struct child){"herald", herald_start, run, SIGTERM, true, TURN_WEB_SERVER};
	return supervise(children, count, GRACE_MS);
}

// make says that it is the parent, since one that was killed meanwhile can no longer be seen.
static enum result run_read_arguments(struct run *run, int count, char **arguments)
{
	if (count == 1)
		return RESULT_OK;
	if (count > 2 || strcmp(arguments[1], "--with-make") != 0)
		return complain("it takes no arguments, but PORT and VAR from the environment");
	run->make = herald_find_make();
	return run->make != 0 ? RESULT_OK : complain("make has gone");
}

int main(int argument_count, char **arguments)
{
	AUTO(arena_auto) struct arena *arena = arena_new(MEMORY_LIMIT);
	struct run run = {.arena = arena};
	int status = EXIT_FAILURE;

	if (arena != NULL && run_read_arguments(&run, argument_count, arguments) == RESULT_OK &&
	    run_prepare(&run) == RESULT_OK)
		status = run_supervise(&run);
	place_leave(&run);
	return status;
}

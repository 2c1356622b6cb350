// function_main: from the command line and the environment to running workers.
#include "base/log.h"
#include "edge/endpoint.h"
#include "edge/options.h"
#include "edge/queue_worker.h"
#include "edge/supervisor.h"
#include "edge/worker.h"
#include "io/fcgi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define GIVES_WAY_NICENESS 5
#define GRACE_MS 8000 // for requests under way, once asked to stop
#define SETTINGS_LIMIT ((size_t)1 << 20)
#define TEXT_LIMIT ((size_t)1 << 18) // of faults, or of a table
#define HEALTH_PATH "/healthz"

enum service {
	SERVICE_NONE,
	SERVICE_LISTEN,    // at --listen
	SERVICE_INHERITED, // on descriptor 0
	SERVICE_PLAIN_CGI,
	SERVICE_QUEUE,
};

struct serving {
	const struct function *function;
	const struct options *options;
	struct config config;
	int listener;
};

static int serve_print(FILE *stream, struct slice text)
{
	fwrite(text.data, 1, text.length, stream);
	return fflush(stream) == 0 && !ferror(stream) ? EXIT_SUCCESS : EXIT_FAILURE;
}

// Reads the settings, or says everything that is wrong with them.
static enum result serve_read_config(struct arena *arena, struct config *config)
{
	struct buffer *faults = arena ? buffer_new(arena, TEXT_LIMIT) : NULL;
	struct store *store;
	const char *reason;

	if (!faults) {
		fputs("out of memory\n", stderr);
		return RESULT_NO_MEMORY;
	}
	enum result result = config_read(arena, environ, config, faults);
	serve_print(stderr, buffer_slice(faults));
	TRY(result);
	result = store_new(config->redis_url, config->redis_wait_replicas, &store, &reason);
	if (result != RESULT_OK) {
		fprintf(stderr, "CIOBRIDGE_REDIS_URL: %s\n", result == RESULT_INVALID ? reason : "out of memory");
		return result;
	}
	// Each worker makes its own: a connection is never shared.
	store_free(store);
	return RESULT_OK;
}

static int serve_print_config(void)
{
	AUTO(arena_auto) struct arena *arena = arena_new(SETTINGS_LIMIT);
	struct config config;

	if (serve_read_config(arena, &config) != RESULT_OK)
		return EXIT_USAGE;
	struct buffer *out = buffer_new(arena, TEXT_LIMIT);
	if (!out)
		return EXIT_FAILURE;
	config_print(&config, out);
	return serve_print(stdout, buffer_slice(out));
}

static int serve_print_config_table(void)
{
	AUTO(arena_auto) struct arena *arena = arena_new(SETTINGS_LIMIT);
	struct buffer *out = arena ? buffer_new(arena, TEXT_LIMIT) : NULL;

	if (!out)
		return EXIT_FAILURE;
	config_print_markdown(out);
	return serve_print(stdout, buffer_slice(out));
}

// A worker of queues answers nobody, but without Redis none does anything.
static int serve_queue_health(void)
{
	AUTO(arena_auto) struct arena *arena = arena_new(SETTINGS_LIMIT);
	struct config config;
	struct store *store;
	const char *reason;
	int64_t now_ms;

	if (serve_read_config(arena, &config) != RESULT_OK)
		return EXIT_USAGE;
	if (store_new(config.redis_url, 0, &store, &reason) != RESULT_OK)
		return EXIT_FAILURE;
	enum result result = store_time_ms(store, arena, &now_ms);
	store_free(store);
	return result == RESULT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve_health(const struct options *options)
{
	if (fcgi_probe(options->listen, HEALTH_PATH) == RESULT_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "no good answer from %s\n", options->listen.data);
	return EXIT_FAILURE;
}

static enum service serve_choose(const struct function *function, const struct options *options)
{
	if (function->queue_count > 0)
		return SERVICE_QUEUE;
	if (options->listen.data)
		return SERVICE_LISTEN;
	if (fcgi_is_listener(STDIN_FILENO))
		return SERVICE_INHERITED;
	return fcgi_is_plain_cgi() ? SERVICE_PLAIN_CGI : SERVICE_NONE;
}

// Returns the exit status; EXIT_SUCCESS: `listener` is open.
static int serve_listen(struct slice address, int *listener)
{
	enum result result = fcgi_listen(address, listener);

	if (result == RESULT_OK)
		return EXIT_SUCCESS;
	if (result == RESULT_INVALID) {
		fprintf(stderr, "--listen takes unix:/path or host:port, not %s\n", address.data);
		return EXIT_USAGE;
	}
	fprintf(stderr, "cannot listen at %s: %s\n", address.data, strerror(errno));
	return EXIT_FAILURE;
}

static void serve_start_worker(const struct child *child)
{
	const struct serving *serving = child->context;

	// Where that is not allowed it only takes longer for the others.
	if (serving->function->gives_way)
		setpriority(PRIO_PROCESS, 0, GIVES_WAY_NICENESS);
	if (serving->function->queue_count > 0)
		exit(queue_worker_run(serving->function, &serving->config));
	exit(worker_run(serving->function, &serving->config, serving->listener));
}

static int serve_supervised(struct serving *serving, size_t workers)
{
	struct child children[OPTIONS_WORKERS_MAXIMUM];

	for (size_t i = 0; i < workers; i++)
		children[i] = (struct child){
			.name = serving->function->name,
			.start = serve_start_worker,
			.context = serving,
		};
	return supervise(children, workers, GRACE_MS);
}

// Who passes a listener on descriptor 0 usually looks after processes too.
static size_t serve_worker_count(const struct serving *serving, enum service service)
{
	if (service == SERVICE_PLAIN_CGI)
		return 0;
	if (serving->options->workers > 0)
		return (size_t)serving->options->workers;
	if (service == SERVICE_INHERITED)
		return 0;
	return serving->function->workers > 0 ? (size_t)serving->function->workers : 1;
}

static int serve(const struct function *function, const struct options *options)
{
	AUTO(arena_auto) struct arena *arena = arena_new(SETTINGS_LIMIT);
	struct serving serving = {.function = function, .options = options, .listener = -1};
	enum service service = serve_choose(function, options);

	if (service == SERVICE_NONE) {
		fprintf(stderr,
		        "Start it with --listen unix:/path or --listen host:port, or with a listening socket on\n"
		        "descriptor 0, or as plain CGI. Try '%s --help'.\n",
		        function->name);
		return EXIT_USAGE;
	}
	if (serve_read_config(arena, &serving.config) != RESULT_OK)
		return EXIT_USAGE;
	log_open((enum log_level)serving.config.log_level, function->name);
	if (service == SERVICE_LISTEN) {
		int status = serve_listen(options->listen, &serving.listener);
		if (status != EXIT_SUCCESS)
			return status;
	} else if (service == SERVICE_INHERITED) {
		serving.listener = STDIN_FILENO;
	}
	size_t workers = serve_worker_count(&serving, service);
	if (workers == 0)
		return worker_run(function, &serving.config, serving.listener);
	return serve_supervised(&serving, workers);
}

int function_main(const struct function *function, int argument_count, char **arguments)
{
	struct options options;

	if (options_read(function, argument_count, arguments, &options) != RESULT_OK)
		return EXIT_USAGE;
	switch (options.action) {
	case ACTION_SERVE:
		return serve(function, &options);
	case ACTION_PRINT_CONFIG:
		return serve_print_config();
	case ACTION_CONFIG_TABLE:
		return serve_print_config_table();
	case ACTION_HEALTH:
		return function->queue_count > 0 ? serve_queue_health() : serve_health(&options);
	case ACTION_DESCRIBE:
		options_describe(function);
		break;
	case ACTION_VERSION:
		options_print_version(function);
		break;
	case ACTION_HELP:
		options_print_help(function);
		break;
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

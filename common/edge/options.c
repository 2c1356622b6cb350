#include "edge/options.h"

#include <getopt.h>
#include <stdio.h>

enum { OPTION_LISTEN = 'l', OPTION_WORKERS = 'w', OPTION_ACTION = 0x100 }; // actions follow

static const struct option options_known[] = {
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"workers", required_argument, NULL, OPTION_WORKERS},
	{"print-config", no_argument, NULL, OPTION_ACTION + ACTION_PRINT_CONFIG},
	{"config-table", no_argument, NULL, OPTION_ACTION + ACTION_CONFIG_TABLE},
	{"describe", no_argument, NULL, OPTION_ACTION + ACTION_DESCRIBE},
	{"health", no_argument, NULL, OPTION_ACTION + ACTION_HEALTH},
	{"version", no_argument, NULL, OPTION_ACTION + ACTION_VERSION},
	{"help", no_argument, NULL, OPTION_ACTION + ACTION_HELP},
	{NULL, 0, NULL, 0},
};

// getopt_long has said itself what is wrong when there is no message.
static enum result options_refuse(const char *program, const char *message)
{
	if (message)
		fprintf(stderr, "%s: %s\n", program, message);
	fprintf(stderr, "Try '%s --help'.\n", program);
	return RESULT_INVALID;
}

static enum result options_take(const char *program, int option, struct options *options)
{
	if (option == OPTION_LISTEN) {
		options->listen = slice_of(optarg);
	} else if (option == OPTION_WORKERS) {
		if (!slice_to_integer(slice_of(optarg), 1, OPTIONS_WORKERS_MAXIMUM, &options->workers))
			return options_refuse(program, "--workers takes a number from 1 to 256");
	} else if (options->action != ACTION_SERVE) {
		return options_refuse(program, "one thing at a time");
	} else {
		options->action = (enum action)(option - OPTION_ACTION);
	}
	return RESULT_OK;
}

enum result options_read(const struct function *function, int argument_count, char **arguments,
                         struct options *options)
{
	const char *program = arguments[0];
	int option;

	*options = (struct options){.action = ACTION_SERVE};
	optind = 0; // glibc starts anew
	while ((option = getopt_long(argument_count, arguments, "", options_known, NULL)) != -1) {
		if (option == '?')
			return options_refuse(program, NULL);
		TRY(options_take(program, option, options));
	}
	if (optind < argument_count)
		return options_refuse(program, "it takes options only");
	if (function->queue_count > 0 && options->listen.data)
		return options_refuse(program, "it listens nowhere: queues in Redis bring its work");
	if (options->action == ACTION_HEALTH && function->queue_count == 0 && slice_is_empty(options->listen))
		return options_refuse(program, "--health needs --listen ADDRESS, where the function listens");
	return RESULT_OK;
}

static void options_print_usage(const struct function *function)
{
	printf("Usage: %s [--listen ADDRESS] [--workers N]\n"
	       "Serves FastCGI at ADDRESS (unix:/path or host:port, never a public one), or on\n"
	       "descriptor 0 when it is a listening socket (spawn-fcgi, systemd, multiwatch), or\n"
	       "one plain CGI request when a web server runs it so. Settings come from the\n"
	       "environment; see --config-table.\n"
	       "\n"
	       "  --listen ADDRESS  listen there, with %d workers unless --workers says otherwise\n"
	       "  --workers N       1 to %d processes, looked after by one more; without it, a\n"
	       "                    listener on descriptor 0 is served by this process alone\n"
	       "  --health          ask the function that listens at --listen for /healthz; exit 0 when it is well\n",
	       function->name, function->workers, OPTIONS_WORKERS_MAXIMUM);
}

static void options_print_queue_usage(const struct function *function)
{
	printf("Usage: %s [--workers N]\n"
	       "Does the jobs that wait in queues in Redis; no web server is needed. Settings come from\n"
	       "the environment; see --config-table.\n"
	       "\n"
	       "  --workers N       1 to %d processes, looked after by one more; without it %d\n"
	       "  --health          ask Redis whether it is there; exit 0 when it is well\n",
	       function->name, OPTIONS_WORKERS_MAXIMUM, function->workers);
}

void options_print_help(const struct function *function)
{
	if (function->queue_count > 0)
		options_print_queue_usage(function);
	else
		options_print_usage(function);
	printf("  --print-config    print the settings in force, secrets masked\n"
	       "  --config-table    print every setting as a table in Markdown\n"
	       "  --describe        print what it serves, for programs:\n"
	       "                      function NAME repeatable|once PREFIX,...|- WORKERS whole|streams\n"
	       "                    then a line for each endpoint, its fields separated by tabs:\n"
	       "                      METHOD path role none|json|streamed body-limit query,...|- field,...|-\n"
	       "  --version         print the version\n"
	       "  --help            print this\n");
}

void options_print_version(const struct function *function)
{
	printf("%s %s\n", function->name, CIOBRIDGE_VERSION);
}

static void options_describe_fields(const struct field *fields, size_t count)
{
	putchar('\t');
	if (count == 0)
		putchar('-');
	for (size_t i = 0; i < count; i++)
		printf("%s%s", i ? "," : "", fields[i].name);
}

static void options_describe_endpoint(const struct endpoint *endpoint)
{
	static const char *const bodies[] = {
		[BODY_NONE] = "none",
		[BODY_JSON] = "json",
		[BODY_STREAMED] = "streamed",
	};

	printf("%s\t%s\t%s\t%s\t%zu", endpoint->method, endpoint->path, role_name(endpoint->access),
	       bodies[endpoint->body], endpoint->body_limit);
	options_describe_fields(endpoint->query, endpoint->query_count);
	options_describe_fields(endpoint->fields, endpoint->field_count);
	putchar('\n');
}

void options_describe(const struct function *function)
{
	printf("function %s %s ", function->name, function->repeatable ? "repeatable" : "once");
	if (!*function->prefixes)
		putchar('-');
	for (const char *prefix = function->prefixes; *prefix; prefix++)
		putchar(*prefix == ' ' ? ',' : *prefix);
	printf(" %d %s\n", function->workers, function->streams ? "streams" : "whole");
	for (size_t i = 0; i < function->endpoint_count; i++)
		options_describe_endpoint(function->endpoints[i]);
}

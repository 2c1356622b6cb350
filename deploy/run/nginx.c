// The web server: its configuration, filled in from the template, and its start. The listening socket is opened here
// and inherited, so nobody is refused while nginx is started again.
#include "base/embed.h"
#include "io/fcgi.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIGURATION_LIMIT ((size_t)1 << 20)
#define BODY_MINIMUM 1024 // bytes; a function that takes no body says so itself

EMBED_FILE(nginx_template, "deploy/nginx/nginx.conf.in");

struct replacement {
	const char *name;
	struct slice value;
};

static struct slice nginx_find(const struct replacement *replacements, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(slice_of(replacements[i].name), name))
			return replacements[i].value;
	return (struct slice){NULL, 0};
}

// Copies the text; what stands between two @ is a name.
static enum result nginx_fill(struct slice text, const struct replacement *replacements, size_t count,
                              struct buffer *out)
{
	while (text.data != NULL) {
		buffer_append(out, slice_split(&text, '@'));
		if (text.data == NULL)
			break;
		struct slice name = slice_split(&text, '@'), value = nginx_find(replacements, count, name);
		if (value.data == NULL)
			return complain("nginx.conf.in: nothing is called @%.*s@", (int)name.length, name.data);
		buffer_append(out, value);
	}
	return RESULT_OK;
}

// "/healthz,/openapi.json" as a regular expression: "/healthz|/openapi\.json".
static struct slice nginx_expression(struct run *run, struct slice prefixes)
{
	struct buffer *out = buffer_new(run->arena, CONFIGURATION_LIMIT);

	for (size_t i = 0; out != NULL && i < prefixes.length; i++) {
		if (prefixes.data[i] == '.')
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, prefixes.data[i] == ',' ? '|' : prefixes.data[i]);
	}
	return out == NULL ? SLICE("") : buffer_slice(out);
}

// One function's turn of a section. A connection that is kept occupies a worker, so one of them at least stays free.
static enum result nginx_fill_service(struct run *run, const struct service *service, struct slice section,
                                      struct buffer *out)
{
	bool keep = service->repeatable && service->workers > 1;
	const char *keepalive = keep ? run_text(run, "keepalive %d;", (int)service->workers - 1) : "";
	int64_t body_limit = service->body_limit > BODY_MINIMUM ? service->body_limit : BODY_MINIMUM;
	const struct replacement replacements[] = {
		{"NAME", slice_of(service->name)},
		{"SOCKET", slice_of(service->socket)},
		{"PREFIXES", nginx_expression(run, service->prefixes)},
		{"BODY_LIMIT", slice_of(run_text(run, "%lld", (long long)body_limit))},
		{"KEEPALIVE", slice_of(keepalive)},
		{"KEEP", keep ? SLICE("on") : SLICE("off")},
		{"BUFFERING", service->streams ? SLICE("off") : SLICE("on")},
		{"BODY_TIMEOUT", service->streams ? SLICE("60s") : SLICE("10s")},
		{"TIMEOUT", service->streams ? SLICE("300s") : SLICE("15s")},
		{"NEXT", service->repeatable ? SLICE("error timeout invalid_header non_idempotent") : SLICE("off")},
	};

	if (slice_is_empty(service->prefixes))
		return RESULT_OK;
	return nginx_fill(section, replacements, COUNT_OF(replacements), out);
}

// The lines between #each and #end, once for every function to which requests come.
static enum result nginx_repeat(struct run *run, struct slice template, struct buffer *out)
{
	while (template.data != NULL) {
		struct slice line = slice_split(&template, '\n'), section = template;

		if (!slice_equal(slice_trim(line), SLICE("#each"))) {
			buffer_append(out, line);
			buffer_append_byte(out, '\n');
			continue;
		}
		section.length = 0;
		for (line = slice_split(&template, '\n'); !slice_equal(slice_trim(line), SLICE("#end"));
		     line = slice_split(&template, '\n'))
			section.length += line.length + 1;
		for (size_t i = 0; i < run->service_count; i++)
			TRY(nginx_fill_service(run, &run->services[i], section, out));
	}
	return RESULT_OK;
}

static struct slice nginx_trust(struct run *run)
{
	struct slice rest = run->config.trusted_proxies;
	struct buffer *out = buffer_new(run->arena, CONFIGURATION_LIMIT);

	while (out != NULL && rest.length > 0) {
		struct slice proxy = slice_trim(slice_split(&rest, ','));

		if (slice_is_empty(proxy))
			continue;
		buffer_append_text(out, "set_real_ip_from ");
		buffer_append(out, proxy);
		buffer_append_text(out, ";\n\t\t");
	}
	if (out == NULL || out->length == 0)
		return SLICE("");
	buffer_append_text(out, "real_ip_header X-Forwarded-For;\n\t\treal_ip_recursive on;");
	return buffer_slice(out);
}

static void nginx_become(struct run *run, const char *option)
{
	const char *configuration = run_text(run, "%s/nginx.conf", run->state);
	const char *prefix = run_text(run, "%s/nginx/", run->state);

	execlp("nginx", "nginx", "-p", prefix, "-e", "stderr", "-c", configuration, option, (char *)NULL);
	fprintf(stderr, "run: nginx: %s\n", strerror(errno));
}

// Has nginx say what is wrong with the configuration, before it would be started again and again.
static enum result nginx_test(struct run *run)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		nginx_become(run, "-tq");
		_exit(EXIT_FAILURE);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		return complain("nginx does not take %s/nginx.conf", run->state);
	return RESULT_OK;
}

enum result nginx_prepare(struct run *run)
{
	struct buffer *repeated = buffer_new(run->arena, CONFIGURATION_LIMIT);
	struct buffer *filled = buffer_new(run->arena, CONFIGURATION_LIMIT);
	const char *address = run_text(run, "127.0.0.1:%d", (int)run->port);
	const struct replacement replacements[] = {
		// The workers have to reach the functions' sockets, which belong to whoever started this.
		{"USER", geteuid() == 0 ? SLICE("user root;") : SLICE("")},
		{"STATE", slice_of(run->state)},
		{"PORT", slice_of(run_text(run, "%d", (int)run->port))},
		{"TRUSTED_PROXIES", nginx_trust(run)},
	};

	if (repeated == NULL || filled == NULL)
		return complain("no memory");
	TRY(nginx_repeat(run, EMBEDDED(nginx_template), repeated));
	TRY(nginx_fill(buffer_slice(repeated), replacements, COUNT_OF(replacements), filled));
	if (buffer_failed(repeated) || buffer_failed(filled))
		return complain("nginx.conf would be too long");
	place_set_aside(run, "access.log");
	TRY(place_write(run, "nginx.conf", buffer_slice(filled)));
	if (fcgi_listen(slice_of(address), &run->door) != RESULT_OK)
		return complain("%s: %s; choose another PORT", address, strerror(errno));
	return nginx_test(run);
}

void nginx_start(const struct child *child)
{
	struct run *run = child->context;
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit files;

	dup2(nothing, STDIN_FILENO);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	// nginx takes over the sockets that this variable names, as when one nginx hands over to the next.
	fcntl(run->door, F_SETFD, 0);
	setenv("NGINX", run_text(run, "%d;", run->door), 1);
	nginx_become(run, "-q");
}

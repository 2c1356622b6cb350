// The settings function without memory.
#include "../support/peer.h"
#include "project/connection.h"
#include "sweep.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct function function;

static struct service s;
static void set_up(void)
{
	s = service_open(&function);
}
static void tear_down(void)
{
	service_close(&s);
}
TestSuite(memory_settings, .init = set_up, .fini = tear_down, .timeout = 240);

static const char *make_project(struct service *service)
{
	struct slice slug = service_project(service);
	return call_format(service, "%.*s", (int)slug.length, slug.data);
}

static const char *make_key(struct service *service)
{
	struct outcome made = CALL(service, "POST /settings/{project}/keys", .key = service->admin,
	                           .body = "{\"role\":\"read\",\"label\":\"of a sweep\"}");
	EXPECT_STATUS(made, 201);
	struct slice id = outcome_text(&made, "id");
	return call_format(service, "%.*s", (int)id.length, id.data);
}

Test(memory_settings, projects)
{
	static const struct sweep_request requests[] = {
		{.line = "GET /settings", .key = ROLE_READ},
		{.line = "GET /settings/{project}", .key = ROLE_READ},
		{.line = "PUT /settings/{project}", .key = ROLE_ROOT, .body = "{\"name\":\"Name {n}\"}",
	         .prove = "GET /settings/{project}", .proof = "Name {n}"},
		{.line = "PATCH /settings/{project}", .key = ROLE_ROOT, .body = "{\"name\":\"Other name {n}\"}",
	         .prove = "GET /settings/{project}", .proof = "Other name {n}"},
		{.line = "DELETE /settings/{it}?confirm={it}", .key = ROLE_ROOT, .prepare = make_project, .anew = true},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_settings, keys)
{
	static const struct sweep_request requests[] = {
		{.line = "GET /settings/{project}/keys", .key = ROLE_ADMIN},
		{.line = "DELETE /settings/{project}/keys/{it}", .key = ROLE_ADMIN, .prepare = make_key, .anew = true},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_settings, new_keys)
{
	static const struct sweep_request requests[] = {
		{.line = "POST /settings/{project}/keys", .key = ROLE_ADMIN,
	         .body = "{\"role\":\"read\",\"label\":\"Key {n}\"}", .prove = "GET /settings/{project}/keys",
	         .proof = "Key {n}"},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_settings, webhook)
{
	static const struct sweep_request requests[] = {
		{.line = "PUT /settings/{project}/webhook", .key = ROLE_ADMIN,
	         .body = "{\"enabled\":true,\"signing_secret\":\"a-secret-with-the-number-{n}\",\"keep_old_for_s\":0}",
	         .prove = "GET /settings/{project}", .proof = "\"enabled\":true"},
		{.line = "PATCH /settings/{project}/webhook", .key = ROLE_ADMIN, .body = "{\"enabled\":true}",
	         .prove = "GET /settings/{project}", .proof = "\"enabled\":true"},
		{.line = "DELETE /settings/{project}/webhook", .key = ROLE_ADMIN},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

// As if Customer.io had accepted the credentials.
static void connect_project(struct service *service, enum connection_kind kind)
{
	struct fixture *f = &service->fixture;
	struct connection connection;
	cr_assert_eq(connection_load(f->store, f->arena, f->project, kind, &connection), RESULT_OK);
	connection.enabled = false;
	connection.region = SLICE("eu");
	connection.site_id = SLICE("a-site");
	cr_assert_eq(connection_set_secret(f->arena, f->project, service->config.master_key, SLICE("a-key"),
	                                   &connection),
	             RESULT_OK);
	cr_assert_eq(connection_save(f->store, f->arena, f->project, &connection), RESULT_OK);
}

static const char *make_app(struct service *service)
{
	connect_project(service, CONNECTION_APP);
	return "app";
}

static const char *make_track(struct service *service)
{
	connect_project(service, CONNECTION_TRACK);
	return "track";
}

static const char *make_pipelines(struct service *service)
{
	connect_project(service, CONNECTION_PIPELINES);
	return "pipelines";
}

#define SECTION(verb, make, text, effect)                                                                          \
	{                                                                                                          \
		.line = verb " /settings/{project}/{it}", .key = ROLE_ADMIN, .body = (text), .prepare = (make),    \
		.anew = true, .prove = "GET /settings/{project}", .proof = "\"{it}\":{\"configured\":" effect,     \
	}

// Where Customer.io need not be asked.
Test(memory_settings, connections)
{
	static const struct sweep_request requests[] = {
		SECTION("PUT", make_app, "{}", "true"),
		SECTION("PATCH", make_track, "{\"enabled\":true}", "true,\"enabled\":true"),
		SECTION("PUT", make_track, "{\"enabled\":false}", "true,\"enabled\":false"),
		SECTION("PATCH", make_pipelines, "{\"enabled\":true}", "true,\"enabled\":true"),
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_settings, connections_that_are_forgotten)
{
	static const struct sweep_request requests[] = {
		SECTION("DELETE", make_app, NULL, "false"),
		SECTION("DELETE", make_track, NULL, "false"),
		SECTION("DELETE", make_pipelines, NULL, "false"),
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

// A Customer.io that accepts everything, in a process of its own: what it allocates is not counted.
static pid_t customerio_start(char *url, size_t size)
{
	int ends[2];
	cr_assert(pipe(ends) == 0);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		struct arena *arena = arena_new((size_t)1 << 20);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct slice at = peer_url(PEER({.text = peer_json(
			arena, "200 OK", "",
			"{\"success\":true,\"ids\":[],\"next\":\"\",\"topics\":[],\"region\":\"us\"}")}));
		if (write(ends[1], at.data, at.length + 1) > 0)
			pause();
		_exit(1);
	}
	ssize_t got = read(ends[0], url, size);
	cr_assert(got > 0 && url[got - 1] == 0);
	close(ends[0]);
	close(ends[1]);
	return child;
}

static void customerio_end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

#define ACCEPTED(section, text)                                                                                    \
	{                                                                                                          \
		.line = "PUT /settings/{it}/" section, .key = ROLE_ROOT, .body = (text), .prepare = make_project,  \
		.anew = true, .prove = "GET /settings/{it}", .proof = "\"" section "\":{\"configured\":true",        \
	}

Test(memory_settings, connections_that_customerio_accepts)
{
	static const struct sweep_request requests[] = {
		ACCEPTED("pipelines", "{\"write_key\":\"a-key\",\"region\":\"us\"}"),
		ACCEPTED("track", "{\"site_id\":\"a-site\",\"api_key\":\"a-key\",\"region\":\"us\"}"),
		ACCEPTED("app", "{\"api_key\":\"a-key\",\"region\":\"us\"}"),
	};
	char url[64];
	pid_t child = customerio_start(url, sizeof(url));
	s.config.app_url = s.config.track_url = s.config.pipelines_url = slice_of(url);
	sweep_requests(&s, requests, COUNT_OF(requests));
	customerio_end(child);
}

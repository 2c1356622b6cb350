// The sections app, track and pipelines by their handlers, where Customer.io is not asked or cannot be.
#include "../support/call.h"

#include "project/connection.h"
#include "project/project.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct function function;

#define SECRET "zq-a-key-of-Customer.io"
#define OTHER_SECRET "zq-another-key-of-Customer.io"
#define OTHER_MASTER_KEY "another-master-key-of-the-tests-of-length"

static const struct {
	const char *name, *secret; // of the section and of its member
	enum connection_kind kind;
} sections[] = {
	{"app", "api_key", CONNECTION_APP},
	{"track", "api_key", CONNECTION_TRACK},
	{"pipelines", "write_key", CONNECTION_PIPELINES},
};

// Every base is a port where nobody listens.
static struct service service_alone(void)
{
	struct service service = service_open(&function);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int probe = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(bind(probe, (struct sockaddr *)&address, size) == 0);
	cr_assert(getsockname(probe, (struct sockaddr *)&address, &size) == 0);
	close(probe);
	struct slice url = slice_of(call_format(&service, "http://127.0.0.1:%d", ntohs(address.sin_port)));
	service.config.app_url = service.config.track_url = service.config.pipelines_url = url;
	return service;
}

static struct outcome change(struct service *service, const char *section, const char *body)
{
	const char *line = call_format(service, "PUT /settings/{project}/%s", section);
	return CALL(service, line, .key = service->admin, .body = body);
}

static const struct json *shown(struct service *service, const char *section)
{
	struct outcome outcome = CALL(service, "GET /settings/{project}", .key = service->read);
	EXPECT_STATUS(outcome, 200);
	return json_get(outcome.body, section);
}

static struct connection stored(struct service *service, enum connection_kind kind)
{
	struct fixture *fixture = &service->fixture;
	struct connection connection;
	cr_assert_eq(connection_load(fixture->store, fixture->arena, fixture->project, kind, &connection), RESULT_OK);
	return connection;
}

static bool stored_opens(struct service *service, enum connection_kind kind, const char *secret)
{
	struct connection connection = stored(service, kind);
	struct fixture *fixture = &service->fixture;
	enum result result = connection_open(fixture->arena, fixture->project, service->config.master_key,
	                                     &connection);
	return result == RESULT_OK && slice_equal(connection.secret, slice_of(secret));
}

// As if Customer.io had accepted it.
static void store_accepted(struct service *service, enum connection_kind kind)
{
	struct fixture *fixture = &service->fixture;
	struct connection connection = stored(service, kind);
	connection.region = SLICE("eu");
	connection.site_id = SLICE("a-site");
	cr_assert_eq(connection_set_secret(fixture->arena, fixture->project, service->config.master_key, SLICE(SECRET),
	                                   &connection),
	             RESULT_OK);
	cr_assert_eq(connection_save(fixture->store, fixture->arena, fixture->project, &connection), RESULT_OK);
}

Test(settings_connections, refuse_what_is_wrong)
{
	static const struct {
		const char *section, *body, *field;
	} wrong[] = {
		{"app", "{\"api_key\":\"\"}", "api_key"},
		{"app", "{\"api_key\":null}", "api_key"},
		{"app", "{\"api_key\":\"a\\nb\"}", "api_key"},
		{"app", "{\"api_key\":\"schl\u00fcssel\"}", "api_key"},
		{"app", "{\"api_key\":\"a \"}", "api_key"},
		{"app", "{\"api_key\":\"a\",\"region\":\"EU\"}", "region"},
		{"app", "{\"api_key\":\"a\",\"region\":null}", "region"},
		{"app", "{\"region\":\"eu\"}", "api_key"},
		{"app", "{\"region\":\"auto\"}", "api_key"},
		{"app", "{\"api_key\":\"a\",\"enabled\":true}", "enabled"},
		{"app", "{\"api_key\":\"a\",\"site_id\":\"s\"}", "site_id"},
		{"track", "{\"site_id\":\"\",\"api_key\":\"a\"}", "site_id"},
		{"track", "{\"site_id\":\"s\"}", "api_key"},
		{"track", "{\"site_id\":\"s\",\"api_key\":\"a b\"}", "api_key"},
		{"track", "{\"site_id\":\" s\",\"api_key\":\"a\"}", "site_id"},
		{"track", "{\"api_key\":\"a\"}", "site_id"},
		{"track", "{\"region\":\"us\"}", "site_id"},
		{"track", "{\"region\":\"us\"}", "api_key"},
		{"track", "{\"site_id\":\"s\",\"api_key\":\"a\",\"region\":\"auto\"}", "region"},
		{"track", "{\"enabled\":true}", "enabled"},
		{"track", "{\"enabled\":\"true\"}", "enabled"},
		{"track", "{\"enabled\":null}", "enabled"},
		{"track", "{\"site_id\":\"s\",\"api_key\":\"a\",\"write_key\":\"w\"}", "write_key"},
		{"pipelines", "{\"write_key\":1}", "write_key"},
		{"pipelines", "{\"region\":\"eu\"}", "write_key"},
		{"pipelines", "{\"write_key\":\"w\",\"region\":\"auto\"}", "region"},
		{"pipelines", "{\"enabled\":true}", "enabled"},
		{"pipelines", "{\"write_key\":\"w\",\"api_key\":\"a\"}", "api_key"},
	};
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome = change(&service, wrong[i].section, wrong[i].body);
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, wrong[i].field), "%s", wrong[i].body);
	}
	for (size_t i = 0; i < COUNT_OF(sections); i++)
		cr_assert(stored(&service, sections[i].kind).stored.data == NULL, "a refused change was stored");
}

Test(settings_connections, limits_of_credentials)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		const char *site = sections[i].kind == CONNECTION_TRACK ? "\"site_id\":\"s\"," : "";
		const char *longest = call_format(&service, "{%s\"%s\":\"%0512d\"}", site, sections[i].secret, 1);
		const char *longer = call_format(&service, "{%s\"%s\":\"%0513d\"}", site, sections[i].secret, 1);
		EXPECT_STATUS(change(&service, sections[i].name, longest), 503); // it was to be tried
		EXPECT_STATUS(change(&service, sections[i].name, longer), 422);
	}
}

Test(settings_connections, are_not_stored_when_nobody_can_be_asked)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		const char *site = sections[i].kind == CONNECTION_TRACK ? "\"site_id\":\"s\"," : "";
		const char *body = call_format(&service, "{%s\"%s\":\"" OTHER_SECRET "\"}", site, sections[i].secret);
		struct outcome outcome = change(&service, sections[i].name, body);
		EXPECT_STATUS(outcome, 503);
		cr_assert(memmem(outcome.text.data, outcome.text.length, OTHER_SECRET, strlen(OTHER_SECRET)) == NULL);
		cr_assert(stored(&service, sections[i].kind).stored.data == NULL);
		store_accepted(&service, sections[i].kind);
		EXPECT_STATUS(change(&service, sections[i].name, body), 503);
		cr_assert(stored_opens(&service, sections[i].kind, SECRET), "the former ones stay");
	}
}

Test(settings_connections, nothing_asked_for_changes_nothing)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		struct outcome outcome = change(&service, sections[i].name, "{}");
		EXPECT_STATUS(outcome, 200);
		cr_assert(json_is_false(json_get(outcome.body, "configured")));
		if (sections[i].kind != CONNECTION_APP)
			EXPECT_STATUS(change(&service, sections[i].name, "{\"enabled\":false}"), 200);
		cr_assert(stored(&service, sections[i].kind).stored.data == NULL);
		store_accepted(&service, sections[i].kind);
		struct slice before = stored(&service, sections[i].kind).stored;
		outcome = change(&service, sections[i].name, "{}");
		EXPECT_STATUS(outcome, 200);
		cr_assert(json_is_true(json_get(outcome.body, "configured")));
		cr_assert(slice_equal(stored(&service, sections[i].kind).stored, before));
	}
}

Test(settings_connections, are_switched_without_asking_customer_io)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 1; i < COUNT_OF(sections); i++) {
		const char *line = call_format(&service, "PATCH /settings/{project}/%s", sections[i].name);
		store_accepted(&service, sections[i].kind);
		cr_assert(json_is_false(json_get(shown(&service, sections[i].name), "enabled")));
		struct outcome outcome = CALL(&service, line, .key = service.admin, .body = "{\"enabled\":true}");
		EXPECT_STATUS(outcome, 200);
		cr_assert(json_is_true(json_get(outcome.body, "enabled")));
		cr_assert(json_is_true(json_get(outcome.body, "configured")));
		cr_assert(json_is_true(json_get(shown(&service, sections[i].name), "enabled")));
		cr_assert(stored_opens(&service, sections[i].kind, SECRET));
		EXPECT_STATUS(change(&service, sections[i].name, "{\"enabled\":false}"), 200);
		cr_assert(json_is_false(json_get(shown(&service, sections[i].name), "enabled")));
	}
}

Test(settings_connections, sealed_under_another_master_key_count_as_none)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(sections); i++)
		store_accepted(&service, sections[i].kind);
	service.config.master_key = SLICE(OTHER_MASTER_KEY);
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		const struct json *section = shown(&service, sections[i].name);
		cr_assert(json_is_false(json_get(section, "configured")));
		EXPECT_TEXT(json_text(json_get(section, "region")), "eu");
		struct outcome outcome = change(&service, sections[i].name, "{\"region\":\"us\"}");
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, sections[i].secret));
		if (sections[i].kind == CONNECTION_APP)
			continue;
		outcome = change(&service, sections[i].name, "{\"enabled\":true}");
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, "enabled"));
		EXPECT_STATUS(change(&service, sections[i].name, "{\"enabled\":false}"), 200);
	}
	EXPECT_TEXT(json_text(json_get(shown(&service, "track"), "site_id")), "a-site");
	service.config.master_key = SLICE(CALL_MASTER_KEY);
	for (size_t i = 0; i < COUNT_OF(sections); i++)
		cr_assert(json_is_true(json_get(shown(&service, sections[i].name), "configured")), "it is still there");
}

Test(settings_connections, put_answers_what_get_shows)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		store_accepted(&service, sections[i].kind);
		struct outcome put = change(&service, sections[i].name, "{}");
		struct outcome get = CALL(&service, "GET /settings/{project}", .key = service.read);
		EXPECT_STATUS(put, 200);
		cr_assert(memmem(get.text.data, get.text.length, put.text.data, put.text.length) != NULL);
		cr_assert(memmem(get.text.data, get.text.length, SECRET, strlen(SECRET)) == NULL);
	}
}

Test(settings_connections, are_forgotten_one_by_one)
{
	AUTO(service_close) struct service service = service_alone();
	for (size_t i = 0; i < COUNT_OF(sections); i++)
		store_accepted(&service, sections[i].kind);
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		const char *line = call_format(&service, "DELETE /settings/{project}/%s", sections[i].name);
		for (int times = 0; times < 2; times++) {
			struct outcome outcome = CALL(&service, line, .key = service.admin);
			EXPECT_STATUS(outcome, 204);
			cr_assert_eq(outcome.text.length, 0);
		}
		cr_assert(json_is_null(json_get(shown(&service, sections[i].name), "region")));
		for (size_t later = i + 1; later < COUNT_OF(sections); later++)
			cr_assert(json_is_true(json_get(shown(&service, sections[later].name), "configured")));
	}
}

Test(settings_connections, damaged_ones_are_not_taken_for_absent)
{
	AUTO(service_close) struct service service = service_alone();
	struct key_name key = project_key(service.fixture.project, "settings");
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		const char *line = call_format(&service, "DELETE /settings/{project}/%s", sections[i].name);
		fixture_command(&service.fixture, ARGUMENTS(SLICE("HSET"), key_slice(&key), slice_of(sections[i].name),
		                                            SLICE("{\"region\":\"us\"}")));
		EXPECT_STATUS(change(&service, sections[i].name, "{}"), 503);
		EXPECT_STATUS(CALL(&service, "GET /settings/{project}", .key = service.read), 503);
		EXPECT_STATUS(CALL(&service, line, .key = service.admin), 204);
		EXPECT_STATUS(CALL(&service, "GET /settings/{project}", .key = service.read), 200);
	}
}

Test(settings_connections, app_shows_the_newest_import_through_the_api)
{
	AUTO(service_close) struct service service = service_alone();
	struct key_name key = project_key(service.fixture.project, "project");
	cr_assert(json_is_null(json_get(shown(&service, "app"), "last_import")));
	fixture_command(&service.fixture, ARGUMENTS(SLICE("HSET"), key_slice(&key), SLICE("import"),
	                                            SLICE("01ARZ3NDEKTSV4RRFFQ69G5FAV")));
	EXPECT_TEXT(json_text(json_get(shown(&service, "app"), "last_import")), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

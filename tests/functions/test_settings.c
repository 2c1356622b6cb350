// The settings function by its handlers: projects, keys, the webhook section, and who may do what.
#include "../support/call.h"

#include "base/clock.h"
#include "project/project.h"
#include "project/webhook_settings.h"

#include <string.h>

extern const struct function function;

#define SECRET_ONE "first-signing-secret-0123456789"
#define SECRET_TWO "second-signing-secret-9876543210"

static const struct json *section(const struct outcome *outcome, const char *name)
{
	const struct json *found = json_get(outcome->body, name);
	cr_assert(found != NULL, "no %s in %.*s", name, (int)outcome->text.length, outcome->text.data);
	return found;
}

static struct outcome get_settings(struct service *service)
{
	struct outcome outcome = CALL(service, "GET /settings/{project}", .key = service->read);
	EXPECT_STATUS(outcome, 200);
	return outcome;
}

static struct webhook_settings stored_webhook(struct service *service, int64_t now_ms)
{
	struct webhook_settings settings;
	struct fixture *fixture = &service->fixture;
	cr_assert(webhook_settings_load(fixture->store, fixture->arena, fixture->project, &settings) == RESULT_OK);
	webhook_settings_open(fixture->arena, fixture->project, service->config.master_key, now_ms, &settings);
	return settings;
}

static bool has_secret(const struct webhook_settings *settings, const char *plain)
{
	for (size_t i = 0; i < settings->secret_count; i++) {
		if (slice_equal(settings->secrets[i].plain, slice_of(plain)))
			return true;
	}
	return false;
}

Test(settings_projects, made_once_then_found)
{
	AUTO(service_close) struct service service = service_open(&function);
	const char *slug = fixture_slug(service.fixture.arena).data;
	const char *line = call_format(&service, "PUT /settings/%s", slug);
	struct outcome outcome = CALL(&service, line, .key = service.root, .body = "{\"name\":\"Ünïque\"}");
	EXPECT_STATUS(outcome, 201);
	EXPECT_TEXT(outcome_text(&outcome, "project"), slug);
	EXPECT_TEXT(outcome_text(&outcome, "name"), "Ünïque");
	outcome = CALL(&service, line, .key = service.root);
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome_text(&outcome, "name"), "Ünïque");
	outcome = CALL(&service, call_format(&service, "PATCH /settings/%s", slug), .key = service.root,
	               .body = "{\"name\":\"Other\"}");
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome_text(&outcome, "name"), "Other");
}

Test(settings_projects, without_a_name_has_its_slug)
{
	AUTO(service_close) struct service service = service_open(&function);
	const char *slug = fixture_slug(service.fixture.arena).data;
	struct outcome outcome = CALL(&service, call_format(&service, "PUT /settings/%s", slug), .key = service.root);
	EXPECT_STATUS(outcome, 201);
	EXPECT_TEXT(outcome_text(&outcome, "name"), slug);
}

Test(settings_projects, refuses_what_is_no_slug)
{
	static const char *const wrong[] = {
		"-a", "A", "a_b", "a.b", "%C3%A9", "a%20b", "a%00", "%7B", "a:b", "a%2Fb", "*",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	AUTO(service_close) struct service service = service_open(&function);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome =
			CALL(&service, call_format(&service, "PUT /settings/%s", wrong[i]), .key = service.root);
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, "project"));
		outcome = CALL(&service, call_format(&service, "GET /settings/%s", wrong[i]), .key = service.root);
		EXPECT_STATUS(outcome, 404);
		outcome = CALL(&service, call_format(&service, "DELETE /settings/%s?confirm=%s", wrong[i], wrong[i]),
		               .key = service.root);
		cr_assert(outcome.status == 404 || outcome.status == 422);
	}
}

Test(settings_projects, slug_of_forty_is_the_longest)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct slice start = fixture_slug(service.fixture.arena);
	const char *slug = call_format(&service, "%.*s-%023d", 16, start.data, 7);
	cr_assert_eq(strlen(slug), 40);
	struct outcome outcome = CALL(&service, call_format(&service, "PUT /settings/%s", slug), .key = service.root);
	EXPECT_STATUS(outcome, 201);
	outcome = CALL(&service, call_format(&service, "DELETE /settings/%s?confirm=%s", slug, slug),
	               .key = service.root);
	EXPECT_STATUS(outcome, 204);
}

Test(settings_projects, name_has_limits)
{
	AUTO(service_close) struct service service = service_open(&function);
	const char *longest = call_format(&service, "{\"name\":\"%0128d\"}", 1);
	const char *longer = call_format(&service, "{\"name\":\"%0129d\"}", 1);
	struct outcome outcome = CALL(&service, "PUT /settings/{project}", .key = service.root, .body = longest);
	EXPECT_STATUS(outcome, 200);
	outcome = CALL(&service, "PUT /settings/{project}", .key = service.root, .body = longer);
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "name"));
	outcome = CALL(&service, "PUT /settings/{project}", .key = service.root, .body = "{\"name\":\"\"}");
	EXPECT_STATUS(outcome, 422);
	outcome = CALL(&service, "PUT /settings/{project}", .key = service.root, .body = "{\"name\":\"a\\nb\"}");
	EXPECT_STATUS(outcome, 422);
	outcome = CALL(&service, "PUT /settings/{project}", .key = service.root, .body = "{\"name\":null}");
	EXPECT_STATUS(outcome, 422);
}

Test(settings_projects, list_shows_what_the_key_may_see)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct slice other = service_project(&service);
	struct outcome outcome = CALL(&service, "GET /settings", .key = service.read);
	EXPECT_STATUS(outcome, 200);
	const struct json *results = section(&outcome, "results");
	cr_assert_eq(json_count(results), 1);
	cr_assert(slice_equal(json_text(json_get(json_at(results, 0), "project")), service.fixture.project));
	EXPECT_TEXT(json_text(json_get(json_at(results, 0), "name")), "A test");
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));

	outcome = CALL(&service, "GET /settings", .key = service.root);
	EXPECT_STATUS(outcome, 200);
	size_t found = 0;
	results = section(&outcome, "results");
	for (size_t i = 0; i < json_count(results); i++) {
		struct slice project = json_text(json_get(json_at(results, i), "project"));
		found += slice_equal(project, other) || slice_equal(project, service.fixture.project);
	}
	cr_assert_eq(found, 2);
	EXPECT_STATUS(CALL(&service, "GET /settings", .key = service.ingest), 403);
	EXPECT_STATUS(CALL(&service, "GET /settings"), 401);
}

Test(settings_projects, deleted_only_when_confirmed)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct slice other = service_project(&service);
	const char *key = service_key(&service, other, ROLE_ADMIN), *slug = other.data;
	struct outcome outcome =
		CALL(&service, call_format(&service, "DELETE /settings/%s", slug), .key = service.root);
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "confirm"));
	outcome = CALL(&service, call_format(&service, "DELETE /settings/%s?confirm=%s1", slug, slug),
	               .key = service.root);
	EXPECT_STATUS(outcome, 422);
	const char *line = call_format(&service, "DELETE /settings/%s?confirm=%s", slug, slug);
	EXPECT_STATUS(CALL(&service, line, .key = key), 403);
	EXPECT_STATUS(CALL(&service, call_format(&service, "GET /settings/%s", slug), .key = key), 200);
	EXPECT_STATUS(CALL(&service, line, .key = service.root), 204);
	EXPECT_STATUS(CALL(&service, call_format(&service, "GET /settings/%s", slug), .key = key), 401);
	EXPECT_STATUS(CALL(&service, call_format(&service, "GET /settings/%s", slug), .key = service.root), 404);
	EXPECT_STATUS(CALL(&service, line, .key = service.root), 404);
	EXPECT_STATUS(CALL(&service, "GET /settings/{project}", .key = service.admin), 200);
}

Test(settings_projects, shows_every_section_before_any_is_configured)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome outcome = get_settings(&service);
	cr_assert(slice_equal(outcome_text(&outcome, "project"), service.fixture.project));
	cr_assert(json_is_false(json_get(section(&outcome, "app"), "configured")));
	cr_assert(json_is_null(json_get(section(&outcome, "app"), "last_import")));
	cr_assert(json_is_false(json_get(section(&outcome, "track"), "enabled")));
	cr_assert(json_is_null(json_get(section(&outcome, "track"), "site_id")));
	cr_assert(json_is_false(json_get(section(&outcome, "pipelines"), "configured")));
	EXPECT_TEXT(json_text(json_get(section(&outcome, "appfunnel"), "to")), "pipelines");
	cr_assert(json_is_null(section(&outcome, "destination")));
	cr_assert(json_is_null(section(&outcome, "page")));
	const struct json *webhook = section(&outcome, "webhook");
	EXPECT_TEXT(json_text(json_get(webhook, "url")),
	            call_format(&service, CALL_PUBLIC_URL "/webhook/%s", service.fixture.project.data));
	cr_assert(json_is_false(json_get(webhook, "enabled")));
	cr_assert(json_is_null(json_get(webhook, "last_event_at")));
	cr_assert(json_is_array(json_get(webhook, "secrets")) && json_count(json_get(webhook, "secrets")) == 0);
}

// Who gets what: a key, a call, the status.
enum holder { NOBODY, WRONG, ROOT, ADMIN, READ, INGEST, INGEST_SECRET, STRANGER, HOLDERS };

static const char *holder_key(struct service *service, enum holder holder)
{
	switch (holder) {
	case WRONG:
		return "cb_wrongwrongwrongwrongwrongwrongwr";
	case ROOT:
		return service->root;
	case ADMIN:
		return service->admin;
	case READ:
		return service->read;
	case INGEST:
		return service->ingest;
	case INGEST_SECRET:
		return service->ingest_secret;
	case STRANGER:
		return service_key(service, service_project(service), ROLE_ADMIN);
	default:
		return NULL;
	}
}

Test(settings_access, each_role_may_what_it_may)
{
	static const struct {
		const char *line, *body;
		int status[HOLDERS];
	} calls[] = {
		{"GET /settings/{project}", NULL, {401, 401, 200, 200, 200, 403, 403, 403}},
		{"HEAD /settings/{project}", NULL, {401, 401, 200, 200, 200, 403, 403, 403}},
		{"PUT /settings/{project}", "{}", {401, 401, 200, 403, 403, 403, 403, 403}},
		{"DELETE /settings/{project}", NULL, {401, 401, 422, 403, 403, 403, 403, 403}},
		{"GET /settings/{project}/keys", NULL, {401, 401, 200, 200, 403, 403, 403, 403}},
		{"POST /settings/{project}/keys", "{\"role\":\"read\"}", {401, 401, 201, 201, 403, 403, 403, 403}},
		{"DELETE /settings/{project}/keys/none", NULL, {401, 401, 404, 404, 403, 403, 403, 403}},
		{"PUT /settings/{project}/webhook", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"PATCH /settings/{project}/webhook", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"DELETE /settings/{project}/webhook", NULL, {401, 401, 204, 204, 403, 403, 403, 403}},
		{"PUT /settings/{project}/app", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"PATCH /settings/{project}/app", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"DELETE /settings/{project}/app", NULL, {401, 401, 204, 204, 403, 403, 403, 403}},
		{"PUT /settings/{project}/track", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"PATCH /settings/{project}/track", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"DELETE /settings/{project}/track", NULL, {401, 401, 204, 204, 403, 403, 403, 403}},
		{"PUT /settings/{project}/pipelines", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"PATCH /settings/{project}/pipelines", "{}", {401, 401, 200, 200, 403, 403, 403, 403}},
		{"DELETE /settings/{project}/pipelines", NULL, {401, 401, 204, 204, 403, 403, 403, 403}},
		{"GET /healthz", NULL, {200, 200, 200, 200, 200, 200, 200, 200}},
	};
	AUTO(service_close) struct service service = service_open(&function);
	for (enum holder holder = NOBODY; holder < HOLDERS; holder++) {
		const char *key = holder_key(&service, holder);
		for (size_t i = 0; i < COUNT_OF(calls); i++) {
			struct outcome outcome = CALL(&service, calls[i].line, .key = key, .body = calls[i].body);
			cr_assert_eq(outcome.status, calls[i].status[holder], "%s by %d: %d", calls[i].line, holder,
			             outcome.status);
		}
	}
}

Test(settings_access, a_stranger_learns_nothing_about_projects)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct slice other = service_project(&service);
	struct outcome there = CALL(&service, call_format(&service, "GET /settings/%s", other.data),
	                            .key = service.admin);
	struct outcome absent = CALL(&service, "GET /settings/no-such-project", .key = service.admin);
	EXPECT_STATUS(there, 403);
	cr_assert(slice_equal(there.text, absent.text));
	EXPECT_STATUS(CALL(&service, "GET /settings/no-such-project", .key = service.root), 404);
	EXPECT_STATUS(CALL(&service, "POST /settings/no-such-project/keys", .key = service.root,
	                   .body = "{\"role\":\"read\"}"), 404);
	EXPECT_STATUS(CALL(&service, "PUT /settings/no-such-project/webhook", .key = service.root, .body = "{}"), 404);
	EXPECT_STATUS(CALL(&service, "PUT /settings/no-such-project/app", .key = service.root, .body = "{}"), 404);
}

Test(settings_access, a_revoked_key_is_worth_nothing)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome made = CALL(&service, "POST /settings/{project}/keys", .key = service.admin,
	                           .body = "{\"role\":\"admin\",\"label\":\"ops\"}");
	EXPECT_STATUS(made, 201);
	const char *key = outcome_text(&made, "key").data, *id = outcome_text(&made, "id").data;
	EXPECT_STATUS(CALL(&service, "GET /settings/{project}", .key = key), 200);
	const char *line = call_format(&service, "DELETE /settings/{project}/keys/%s", id);
	EXPECT_STATUS(CALL(&service, line, .key = service.admin), 204);
	EXPECT_STATUS(CALL(&service, "GET /settings/{project}", .key = key), 401);
	EXPECT_STATUS(CALL(&service, line, .key = service.admin), 404);
}

Test(settings_access, a_key_of_another_project_revokes_none_of_ours)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome made = CALL(&service, "POST /settings/{project}/keys", .key = service.admin,
	                           .body = "{\"role\":\"read\"}");
	struct slice other = service_project(&service);
	const char *line = call_format(&service, "DELETE /settings/%s/keys/%s", other.data,
	                               outcome_text(&made, "id").data);
	EXPECT_STATUS(CALL(&service, line, .key = service_key(&service, other, ROLE_ADMIN)), 404);
	EXPECT_STATUS(CALL(&service, "GET /settings/{project}", .key = outcome_text(&made, "key").data), 200);
}

Test(settings_access, without_a_token_there_is_no_root)
{
	AUTO(service_close) struct service service = service_open(&function);
	service.config.admin_token = SLICE("");
	EXPECT_STATUS(CALL(&service, "GET /settings", .key = service.root), 401);
	EXPECT_STATUS(CALL(&service, "GET /settings", .key = ""), 401);
	EXPECT_STATUS(CALL(&service, "GET /settings", .key = service.read), 200);
}

Test(settings_keys, made_shown_once_and_listed)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome made = CALL(&service, "POST /settings/{project}/keys", .key = service.admin,
	                           .body = "{\"role\":\"ingest\",\"label\":\"web shop\"}");
	EXPECT_STATUS(made, 201);
	struct slice key = outcome_text(&made, "key");
	cr_assert(slice_starts_with(key, SLICE("cb_")));
	cr_assert(key.length >= 32 && key.length <= 64);
	EXPECT_TEXT(outcome_text(&made, "role"), "ingest");
	EXPECT_TEXT(outcome_text(&made, "label"), "web shop");
	int64_t created_at_ms;
	cr_assert(clock_parse(outcome_text(&made, "created_at"), &created_at_ms));

	struct outcome list = CALL(&service, "GET /settings/{project}/keys", .key = service.admin);
	EXPECT_STATUS(list, 200);
	const struct json *results = section(&list, "results");
	cr_assert_eq(json_count(results), 5);
	size_t found = 0;
	for (size_t i = 0; i < json_count(results); i++) {
		const struct json *row = json_at(results, i);
		cr_assert(json_get(row, "key") == NULL && json_get(row, "digest") == NULL);
		found += slice_equal(json_text(json_get(row, "id")), outcome_text(&made, "id"));
	}
	cr_assert_eq(found, 1);
	cr_assert(memmem(list.text.data, list.text.length, key.data, key.length) == NULL);
}

Test(settings_keys, refuses_wrong_roles_and_labels)
{
	static const struct {
		const char *body, *field;
	} wrong[] = {
		{"{}", "role"},
		{"{\"role\":\"root\"}", "role"},
		{"{\"role\":\"none\"}", "role"},
		{"{\"role\":\"\"}", "role"},
		{"{\"role\":\"admin read\"}", "role"},
		{"{\"role\":7}", "role"},
		{"{\"role\":\"read\",\"label\":7}", "label"},
		{"{\"role\":\"read\",\"project\":\"other\"}", "project"},
	};
	AUTO(service_close) struct service service = service_open(&function);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome = CALL(&service, "POST /settings/{project}/keys", .key = service.admin,
		                              .body = wrong[i].body);
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, wrong[i].field), "%s", wrong[i].body);
	}
	const char *longest = call_format(&service, "{\"role\":\"read\",\"label\":\"%0128d\"}", 1);
	const char *longer = call_format(&service, "{\"role\":\"read\",\"label\":\"%0129d\"}", 1);
	EXPECT_STATUS(CALL(&service, "POST /settings/{project}/keys", .key = service.admin, .body = longest), 201);
	EXPECT_STATUS(CALL(&service, "POST /settings/{project}/keys", .key = service.admin, .body = longer), 422);
}

Test(settings_webhook, takes_a_secret_and_is_switched_on)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome outcome = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                              .body = "{\"signing_secret\":\"" SECRET_ONE "\",\"enabled\":true}");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_true(json_get(outcome.body, "enabled")));
	cr_assert_eq(json_count(json_get(outcome.body, "secrets")), 1);
	cr_assert(json_is_null(json_get(json_at(json_get(outcome.body, "secrets"), 0), "expires_at")));
	cr_assert(json_is_null(json_get(json_at(json_get(outcome.body, "secrets"), 0), "last_used_at")));
	struct webhook_settings settings = stored_webhook(&service, clock_now_ms());
	cr_assert(settings.enabled && has_secret(&settings, SECRET_ONE));

	outcome = CALL(&service, "PATCH /settings/{project}/webhook", .key = service.admin,
	               .body = "{\"enabled\":false}");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_false(json_get(outcome.body, "enabled")));
	settings = stored_webhook(&service, clock_now_ms());
	cr_assert(!settings.enabled && has_secret(&settings, SECRET_ONE));
}

Test(settings_webhook, put_answers_what_get_shows)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome put = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                          .body = "{\"signing_secret\":\"" SECRET_ONE "\"}");
	EXPECT_STATUS(put, 200);
	struct outcome get = get_settings(&service);
	cr_assert(memmem(get.text.data, get.text.length, put.text.data, put.text.length) != NULL);
}

Test(settings_webhook, is_not_switched_on_without_a_secret)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome outcome = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                              .body = "{\"enabled\":true}");
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "enabled"));
	outcome = get_settings(&service);
	cr_assert(json_is_false(json_get(section(&outcome, "webhook"), "enabled")));
}

Test(settings_webhook, old_secret_is_good_for_a_while)
{
	AUTO(service_close) struct service service = service_open(&function);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_ONE "\",\"enabled\":true}"), 200);
	int64_t before_ms = clock_now_ms();
	struct outcome outcome = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                              .body = "{\"signing_secret\":\"" SECRET_TWO "\",\"keep_old_for_s\":3600}");
	int64_t after_ms = clock_now_ms();
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_true(json_get(outcome.body, "enabled")));
	cr_assert_eq(json_count(json_get(outcome.body, "secrets")), 2);
	struct webhook_settings settings = stored_webhook(&service, before_ms + 3600000 - 1);
	cr_assert(has_secret(&settings, SECRET_ONE) && has_secret(&settings, SECRET_TWO));
	cr_assert(slice_equal(settings.secrets[0].plain, SLICE(SECRET_TWO)));
	settings = stored_webhook(&service, after_ms + 3600000);
	cr_assert(!has_secret(&settings, SECRET_ONE) && has_secret(&settings, SECRET_TWO));
}

Test(settings_webhook, old_secret_is_good_for_a_day_unless_said)
{
	AUTO(service_close) struct service service = service_open(&function);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_ONE "\"}"), 200);
	int64_t before_ms = clock_now_ms();
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_TWO "\"}"), 200);
	struct webhook_settings settings = stored_webhook(&service, before_ms + INT64_C(86400000) - 1);
	cr_assert(has_secret(&settings, SECRET_ONE));
	settings = stored_webhook(&service, clock_now_ms() + INT64_C(86400000));
	cr_assert(!has_secret(&settings, SECRET_ONE));
}

Test(settings_webhook, old_secret_may_go_at_once)
{
	AUTO(service_close) struct service service = service_open(&function);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_ONE "\"}"), 200);
	struct outcome outcome = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                              .body = "{\"signing_secret\":\"" SECRET_TWO "\",\"keep_old_for_s\":0}");
	EXPECT_STATUS(outcome, 200);
	cr_assert_eq(json_count(json_get(outcome.body, "secrets")), 1);
	struct webhook_settings settings = stored_webhook(&service, clock_now_ms());
	cr_assert(!has_secret(&settings, SECRET_ONE) && has_secret(&settings, SECRET_TWO));
}

Test(settings_webhook, the_same_secret_again_changes_nothing)
{
	AUTO(service_close) struct service service = service_open(&function);
	const char *body = "{\"signing_secret\":\"" SECRET_ONE "\"}";
	struct outcome first = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin, .body = body);
	struct outcome again = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin, .body = body);
	EXPECT_STATUS(again, 200);
	cr_assert(slice_equal(first.text, again.text));
}

Test(settings_webhook, refuses_what_is_wrong)
{
	static const struct {
		const char *body, *field;
	} wrong[] = {
		{"{\"signing_secret\":\"\"}", "signing_secret"},
		{"{\"signing_secret\":null}", "signing_secret"},
		{"{\"signing_secret\":\"a\\u0007b\"}", "signing_secret"},
		{"{\"enabled\":1}", "enabled"},
		{"{\"enabled\":\"true\"}", "enabled"},
		{"{\"keep_old_for_s\":60}", "keep_old_for_s"},
		{"{\"signing_secret\":\"x\",\"keep_old_for_s\":-1}", "keep_old_for_s"},
		{"{\"signing_secret\":\"x\",\"keep_old_for_s\":2592001}", "keep_old_for_s"},
		{"{\"signing_secret\":\"x\",\"keep_old_for_s\":1.5}", "keep_old_for_s"},
		{"{\"signing_secret\":\"x\",\"secret\":\"y\"}", "secret"},
	};
	AUTO(service_close) struct service service = service_open(&function);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome = CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
		                              .body = wrong[i].body);
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, wrong[i].field), "%s", wrong[i].body);
	}
	const char *longest = call_format(&service, "{\"signing_secret\":\"%0512d\",\"keep_old_for_s\":2592000}", 1);
	const char *longer = call_format(&service, "{\"signing_secret\":\"%0513d\"}", 1);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin, .body = longer), 422);
	struct webhook_settings settings = stored_webhook(&service, clock_now_ms());
	cr_assert(settings.stored.data == NULL, "a refused change was stored");
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin, .body = longest), 200);
}

Test(settings_webhook, forgets_its_secrets)
{
	AUTO(service_close) struct service service = service_open(&function);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_ONE "\",\"enabled\":true}"), 200);
	struct outcome outcome = CALL(&service, "DELETE /settings/{project}/webhook", .key = service.admin);
	EXPECT_STATUS(outcome, 204);
	cr_assert_eq(outcome.text.length, 0);
	outcome = get_settings(&service);
	cr_assert(json_is_false(json_get(section(&outcome, "webhook"), "enabled")));
	cr_assert_eq(json_count(json_get(section(&outcome, "webhook"), "secrets")), 0);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"enabled\":true}"), 422);
	EXPECT_STATUS(CALL(&service, "DELETE /settings/{project}/webhook", .key = service.admin), 204);
}

Test(settings_webhook, shows_when_it_was_used)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct fixture *fixture = &service.fixture;
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_ONE "\"}"), 200);
	struct webhook_settings settings = stored_webhook(&service, clock_now_ms());
	webhook_settings_note_use(fixture->store, fixture->arena, fixture->project, settings.secrets[0].id,
	                          INT64_C(1732285840123));
	store_settle(fixture->store);
	struct outcome outcome = get_settings(&service);
	const struct json *webhook = section(&outcome, "webhook");
	EXPECT_TEXT(json_text(json_get(webhook, "last_event_at")), "2024-11-22T14:30:40.123Z");
	EXPECT_TEXT(json_text(json_get(json_at(json_get(webhook, "secrets"), 0), "last_used_at")),
	            "2024-11-22T14:30:40.123Z");
}

static bool bytes_hold(struct slice bytes, const char *text)
{
	return memmem(bytes.data, bytes.length, text, strlen(text)) != NULL;
}

static size_t count_in_reply(const struct reply *reply, const char *text)
{
	size_t found = 0;
	for (size_t i = 0; i < reply_count(reply); i++)
		found += bytes_hold(reply_text(reply_at(reply, i)), text);
	return found;
}

// In how many values of Redis the text stands as it is.
static size_t count_in_redis(struct fixture *fixture, const char *text)
{
	const struct reply *keys = fixture_command(
		fixture,
		ARGUMENTS(SLICE("KEYS"), arena_format(fixture->arena, "*%s*", fixture->project.data)));
	size_t found = count_in_reply(keys, text);
	cr_assert(reply_count(keys) >= 3);
	for (size_t i = 0; i < reply_count(keys); i++) {
		struct slice key = reply_text(reply_at(keys, i));
		const struct reply *type = fixture_command(fixture, ARGUMENTS(SLICE("TYPE"), key));
		const struct reply *dump = fixture_command(fixture, ARGUMENTS(SLICE("DUMP"), key));
		found += bytes_hold(reply_text(dump), text);
		if (slice_equal(reply_text(type), SLICE("hash")))
			found += count_in_reply(fixture_command(fixture, ARGUMENTS(SLICE("HGETALL"), key)), text);
	}
	return found + count_in_reply(fixture_command(fixture, ARGUMENTS(SLICE("HGETALL"), SLICE("cb:keys"))), text);
}

Test(settings_secrets, are_nowhere_in_clear)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct outcome outcomes[] = {
		CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
		     .body = "{\"signing_secret\":\"" SECRET_ONE "\",\"enabled\":true}"),
		CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
		     .body = "{\"signing_secret\":\"" SECRET_TWO "\"}"),
		CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
		     .body = "{\"signing_secret\":\"" SECRET_TWO "\",\"enabled\":\"wrong\"}"),
		CALL(&service, "GET /settings/{project}", .key = service.admin),
		CALL(&service, "GET /settings/{project}/keys", .key = service.admin),
		CALL(&service, "GET /settings", .key = service.admin),
		CALL(&service, "PUT /settings/{project}", .key = service.root, .body = "{\"name\":\"findable-name\"}"),
	};
	const char *secrets[] = {SECRET_ONE, SECRET_TWO, service.admin, CALL_ROOT_KEY, CALL_MASTER_KEY};
	for (size_t i = 0; i < COUNT_OF(secrets); i++) {
		for (size_t j = 0; j < COUNT_OF(outcomes); j++)
			cr_assert(!bytes_hold(outcomes[j].text, secrets[i]), "secret %zu in answer %zu", i, j);
		cr_assert_eq(count_in_redis(&service.fixture, secrets[i]), 0, "secret %zu is in Redis", i);
	}
	cr_assert(count_in_redis(&service.fixture, "findable-name") > 0, "the search finds nothing at all");
}

Test(settings_secrets, do_not_open_under_another_key_or_for_another_project)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct fixture *fixture = &service.fixture;
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}/webhook", .key = service.admin,
	                   .body = "{\"signing_secret\":\"" SECRET_ONE "\"}"), 200);
	struct webhook_settings settings, opened;
	cr_assert(webhook_settings_load(fixture->store, fixture->arena, fixture->project, &settings) == RESULT_OK);
	opened = settings;
	webhook_settings_open(fixture->arena, fixture->project, SLICE("another master key of good length"), 1, &opened);
	cr_assert_eq(opened.secret_count, 0);
	opened = settings;
	webhook_settings_open(fixture->arena, SLICE("other"), service.config.master_key, 1, &opened);
	cr_assert_eq(opened.secret_count, 0);
	opened = settings;
	webhook_settings_open(fixture->arena, fixture->project, service.config.master_key, 1, &opened);
	cr_assert_eq(opened.secret_count, 1);
}

Test(settings_routes, other_paths_and_methods)
{
	static const struct {
		const char *line;
		int status;
		const char *allow;
	} calls[] = {
		{"POST /settings", 405, "GET, HEAD"},
		{"POST /settings/{project}", 405, "DELETE, GET, HEAD, PATCH, PUT"},
		{"OPTIONS /settings/{project}/keys", 405, "GET, HEAD, POST"},
		{"GET /settings/{project}/webhook", 405, "DELETE, PATCH, PUT"},
		{"GET /settings/{project}/keys/x", 405, "DELETE"},
		{"get /settings", 405, "GET, HEAD"},
		{"POST /healthz", 405, "GET, HEAD"},
		{"GET /settings/", 404, NULL},
		{"GET /settings/{project}/", 404, NULL},
		{"GET /settings//keys", 404, NULL},
		{"GET /settings/{project}/keys/", 404, NULL},
		{"GET /settings/{project}/nothing", 404, NULL},
		{"GET //settings", 404, NULL},
		{"GET /Settings", 404, NULL},
		{"GET /", 404, NULL},
		{"GET *", 404, NULL},
		{"GET ", 404, NULL},
		{"GET /settings/%zz", 400, NULL},
	};
	AUTO(service_close) struct service service = service_open(&function);
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		struct outcome outcome = CALL(&service, calls[i].line, .key = service.root);
		cr_assert_eq(outcome.status, calls[i].status, "%s: %d", calls[i].line, outcome.status);
		if (calls[i].allow != NULL)
			EXPECT_TEXT(outcome_header(&outcome, "Allow"), calls[i].allow);
	}
}

Test(settings_store, answers_503_without_redis)
{
	AUTO(service_close) struct service service = service_open(&function);
	struct store *good = service.fixture.store;
	const char *reason;
	cr_assert(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &service.fixture.store, &reason) == RESULT_OK);
	EXPECT_STATUS(CALL(&service, "GET /settings", .key = service.read), 503);
	EXPECT_STATUS(CALL(&service, "GET /settings", .key = service.root), 503);
	EXPECT_STATUS(CALL(&service, "PUT /settings/{project}", .key = service.root), 503);
	EXPECT_STATUS(CALL(&service, "GET /healthz"), 200);
	store_free(service.fixture.store);
	service.fixture.store = good;
}

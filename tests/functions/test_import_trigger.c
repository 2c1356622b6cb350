// Imports: starting, cancelling and undoing them, and their pages.
#include "../support/call.h"
#include "base/clock.h"
#include "consent/choice.h"
#include "consent/import_job.h"
#include "consent/import_run.h"
#include "consent/optouts.h"
#include "project/connection.h"
#include "project/project.h"

#include <string.h>

#define NOW_MS INT64_C(1732285840123)
#define JO SLICE("jo@example.com")

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
TestSuite(import_trigger, .init = set_up, .fini = tear_down, .timeout = 60);

static struct slice started(int64_t now_ms)
{
	struct slice id = import_new_id(s.fixture.arena, now_ms);
	cr_assert_eq(import_start(s.fixture.store, s.fixture.arena, s.fixture.project, id, "csv", now_ms), RESULT_OK);
	return id;
}

static void finish(struct slice id)
{
	cr_assert_eq(import_finish(s.fixture.store, s.fixture.arena, s.fixture.project, id, IMPORT_COMPLETED,
	                           (struct slice){NULL, 0}, NOW_MS),
	             RESULT_OK);
}

static struct outcome call(const char *method, struct slice id, const char *rest, const char *key)
{
	return CALL(&s, call_format(&s, "%s /import/{project}/%.*s%s", method, (int)id.length, id.data, rest),
	            .key = key);
}

static struct outcome list(const char *query)
{
	struct outcome outcome = CALL(&s, call_format(&s, "GET /import/{project}%s", query), .key = s.read);
	EXPECT_STATUS(outcome, 200);
	return outcome;
}

static struct slice id_at(const struct outcome *outcome, size_t index)
{
	return json_text(json_get(json_at(json_get(outcome->body, "results"), index), "id"));
}

Test(import_trigger, shows_one)
{
	const struct import_counter counters[] = {{"total_rows", 7}};
	struct slice id = started(NOW_MS);
	import_progress(s.fixture.store, s.fixture.arena, s.fixture.project, id, "rows", 3, 10, counters, 1);
	struct outcome outcome = call("GET", id, "", s.read);
	EXPECT_STATUS(outcome, 200);
	cr_assert(slice_equal(outcome_text(&outcome, "id"), id));
	EXPECT_TEXT(outcome_text(&outcome, "status"), "running");
	EXPECT_TEXT(outcome_text(&outcome, "started_at"), "2024-11-22T14:30:40.123Z");
	cr_assert(json_is_null(json_get(outcome.body, "ended_at")));
	finish(id);
	outcome = call("GET", id, "", s.admin);
	EXPECT_TEXT(outcome_text(&outcome, "status"), "completed");
}

Test(import_trigger, lists_all_newest_first_in_pages)
{
	struct slice ids[5];
	struct outcome outcome = list("");
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 0);
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		ids[i] = started(NOW_MS + (int64_t)i);
	outcome = list("");
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 5);
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
	outcome = list("?limit=2");
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 2);
	cr_assert(slice_equal(id_at(&outcome, 0), ids[4]) && slice_equal(id_at(&outcome, 1), ids[3]));
	struct slice cursor = outcome_text(&outcome, "next_cursor");
	outcome = list(call_format(&s, "?limit=3&cursor=%.*s", (int)cursor.length, cursor.data));
	cr_assert(slice_equal(id_at(&outcome, 0), ids[2]) && slice_equal(id_at(&outcome, 2), ids[0]));
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
}

Test(import_trigger, refuses_what_no_list_has)
{
	struct outcome outcome = CALL(&s, "GET /import/{project}?cursor=nonsense", .key = s.read);
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "cursor"));
	outcome = CALL(&s, "GET /import/{project}?limit=1001", .key = s.read);
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "limit"));
}

Test(import_trigger, what_nobody_started_is_not_found)
{
	static const char *const ids[] = {"01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "01arz3ndektsv4rrffq69g5fav", "%2e%2e"};
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		struct outcome outcome = call("GET", slice_of(ids[i]), "", s.admin);
		EXPECT_STATUS(outcome, 404);
		outcome = call("POST", slice_of(ids[i]), "/undo", s.admin);
		EXPECT_STATUS(outcome, 404);
		outcome = call("GET", slice_of(ids[i]), "/errors.csv", s.admin);
		EXPECT_STATUS(outcome, 404);
	}
}

Test(import_trigger, of_another_project_nothing_is_seen)
{
	struct slice id = started(NOW_MS), other = service_project(&s);
	const char *key = service_key(&s, other, ROLE_ADMIN);
	struct outcome outcome = call("GET", id, "", key);
	EXPECT_STATUS(outcome, 403);
	outcome = CALL(&s,
	               call_format(&s, "POST /import/%.*s/%.*s/undo", (int)other.length, other.data, (int)id.length,
	                           id.data),
	               .key = key);
	EXPECT_STATUS(outcome, 404);
}

Test(import_trigger, who_may_what)
{
	struct slice id = started(NOW_MS);
	static const char *const rests[] = {"", "/errors.csv"};
	for (size_t i = 0; i < COUNT_OF(rests); i++) {
		struct outcome outcome = call("GET", id, rests[i], NULL);
		EXPECT_STATUS(outcome, 401);
		outcome = call("GET", id, rests[i], s.ingest);
		EXPECT_STATUS(outcome, 403);
	}
	struct outcome outcome = call("POST", id, "/undo", s.read);
	EXPECT_STATUS(outcome, 403);
	outcome = CALL(&s, "PUT /import/{project}", .key = s.admin);
	EXPECT_STATUS(outcome, 405);
	EXPECT_TEXT(outcome_header(&outcome, "Allow"), "GET, HEAD, POST");
	outcome = call("PUT", id, "", s.admin);
	EXPECT_STATUS(outcome, 405);
	EXPECT_TEXT(outcome_header(&outcome, "Allow"), "DELETE, GET, HEAD");
}

Test(import_trigger, an_undo_is_asked_for_once)
{
	struct fixture *f = &s.fixture;
	struct slice id = started(NOW_MS);
	struct category offers = {.key = SLICE("offers"), .list = SLICE("offers"), .subscribed_by_default = true};
	struct choice choice = {JO, &offers, CHOICE_OUT, NOW_MS};
	struct choice_origin origin = {
		.act = ACT_DATED, .source = SLICE("csv"), .reference = id, .import = id, .page = 1};
	enum choice_outcome outcome_of_choice;
	int64_t score;
	cr_assert_eq(choices_record(f->store, f->arena, f->project, NULL, &origin, &choice, 1, &outcome_of_choice),
	             RESULT_OK);
	finish(id);

	struct outcome outcome = call("POST", id, "/undo", s.admin);
	EXPECT_STATUS(outcome, 202);
	cr_assert(slice_equal(outcome_text(&outcome, "id"), id));
	EXPECT_TEXT(outcome_text(&outcome, "status"), "running");
	struct slice location = outcome_header(&outcome, "Location");
	outcome = CALL(&s, call_format(&s, "GET %.*s", (int)location.length, location.data), .key = s.read);
	EXPECT_STATUS(outcome, 200);
	outcome = call("POST", id, "/undo", s.admin);
	EXPECT_STATUS(outcome, 409);
	origin.page = 2;
	cr_assert_eq(choices_record(f->store, f->arena, f->project, NULL, &origin, &choice, 1, &outcome_of_choice),
	             RESULT_OK);
	cr_assert_eq(outcome_of_choice, CHOICE_SKIPPED);

	struct slice job = arena_format(f->arena, "%.*s %.*s", (int)f->project.length, f->project.data, (int)id.length,
	                                id.data);
	cr_assert_eq(reply_integer(fixture_command(
			     f, ARGUMENTS(SLICE("LREM"), SLICE(IMPORT_UNDO_QUEUE), SLICE("0"), job))),
	             1);
	cr_assert_eq(import_undo(f->store, f->arena, f->project, id, NOW_MS, NULL, NULL), RESULT_OK);
	cr_assert_eq(optouts_choices_of(f->store, f->arena, f->project, JO, &offers.list, 1, &score), RESULT_OK);
	cr_assert_eq(score, 0);
	outcome = call("GET", id, "", s.read);
	EXPECT_TEXT(outcome_text(&outcome, "status"), "undone");
	outcome = CALL(&s, call_format(&s, "POST /import/{project}/%.*s/undo", (int)id.length, id.data), .key = s.admin,
	               .body = "{}");
	EXPECT_STATUS(outcome, 409);
}

Test(import_trigger, an_undo_has_no_options)
{
	struct slice id = started(NOW_MS);
	struct outcome outcome = CALL(&s, call_format(&s, "POST /import/{project}/%.*s/undo", (int)id.length, id.data),
	                              .key = s.admin, .body = "{\"force\":true}");
	EXPECT_STATUS(outcome, 422);
	outcome = call("GET", id, "/undo", s.admin);
	EXPECT_STATUS(outcome, 405);
}

Test(import_trigger, errors_come_as_a_file)
{
	struct slice id = started(NOW_MS);
	struct outcome outcome = call("GET", id, "/errors.csv", s.read);
	EXPECT_STATUS(outcome, 404);
	struct buffer *all = buffer_new(s.fixture.arena, (size_t)4 << 20);
	buffer_append_text(all, "line,error,email\n");
	while (all->length < 3 * IMPORT_ERRORS_PIECE)
		buffer_append_text(all, "2,no recipient,\"a,\"\"b\"\n");
	cr_assert_eq(import_add_errors(s.fixture.store, s.fixture.arena, s.fixture.project, id, buffer_slice(all)),
	             RESULT_OK);
	outcome = call("GET", id, "/errors.csv", s.read);
	EXPECT_STATUS(outcome, 200);
	cr_assert(slice_equal(outcome.text, buffer_slice(all)));
	cr_assert_str_eq(outcome.answer.content_type, "text/csv; charset=utf-8");
	struct slice disposition = outcome_header(&outcome, "Content-Disposition");
	cr_assert(slice_starts_with(disposition, SLICE("attachment; filename=\"01")));
	outcome = call("HEAD", id, "/errors.csv", s.read);
	EXPECT_STATUS(outcome, 200);
}

// As if Customer.io had accepted the key.
static void connect_app(void)
{
	struct fixture *f = &s.fixture;
	struct connection connection;
	cr_assert_eq(connection_load(f->store, f->arena, f->project, CONNECTION_APP, &connection), RESULT_OK);
	connection.region = SLICE("eu");
	cr_assert_eq(connection_set_secret(f->arena, f->project, s.config.master_key, SLICE("an-app-key"), &connection),
	             RESULT_OK);
	cr_assert_eq(connection_save(f->store, f->arena, f->project, &connection), RESULT_OK);
}

static struct outcome start(const char *key, const char *body)
{
	return CALL(&s, "POST /import/{project}", .key = key, .body = body);
}

// Takes it off the queue, since no worker of a test does, and says how often it was there.
static int64_t unqueue(struct slice id)
{
	struct fixture *f = &s.fixture;
	struct slice entry = arena_format(f->arena, "%.*s %.*s", (int)f->project.length, f->project.data,
	                                  (int)id.length, id.data);
	return reply_integer(
		fixture_command(f, ARGUMENTS(SLICE("LREM"), SLICE(IMPORT_RUN_QUEUE), SLICE("0"), entry)));
}

static struct slice queued(void)
{
	struct outcome outcome = start(s.admin, NULL);
	EXPECT_STATUS(outcome, 202);
	struct slice id = outcome_text(&outcome, "id");
	cr_assert_eq(unqueue(id), 1);
	return id;
}

static size_t count_imports(void)
{
	struct outcome outcome = list("");
	return json_count(json_get(outcome.body, "results"));
}

static void expect_shown(struct slice id, const char *kind, const char *status, bool has_ended)
{
	struct outcome outcome = call("GET", id, "", s.read);
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome_text(&outcome, "kind"), kind);
	EXPECT_TEXT(outcome_text(&outcome, "status"), status);
	cr_assert_eq(json_is_text(json_get(outcome.body, "ended_at")), has_ended);
}

Test(import_trigger, one_is_queued)
{
	connect_app();
	struct outcome outcome = start(s.admin, "{}");
	EXPECT_STATUS(outcome, 202);
	cr_assert_eq(json_count(outcome.body), 2);
	EXPECT_TEXT(outcome_text(&outcome, "status"), "queued");
	struct slice id = outcome_text(&outcome, "id"), location = outcome_header(&outcome, "Location");
	struct slice project = s.fixture.project;
	cr_assert(slice_equal(location, slice_of(call_format(&s, "/import/%.*s/%.*s", (int)project.length, project.data,
	                                                     (int)id.length, id.data))));
	cr_assert_eq(unqueue(id), 1);
	expect_shown(id, "api", "queued", false);
	outcome = CALL(&s, call_format(&s, "GET %.*s", (int)location.length, location.data), .key = s.read);
	EXPECT_STATUS(outcome, 200);
}

Test(import_trigger, one_at_a_time)
{
	struct fixture *f = &s.fixture;
	struct import_job job;
	connect_app();
	started(NOW_MS); // a file meanwhile is no reason to wait
	struct slice id = queued();
	for (int i = 0; i < 2; i++) {
		struct outcome outcome = start(s.admin, NULL);
		EXPECT_STATUS(outcome, 409);
		struct slice detail = outcome_text(&outcome, "detail");
		cr_assert(memmem(detail.data, detail.length, id.data, id.length) != NULL);
		cr_assert_eq(import_take(f->store, f->arena, f->project, id, &job), RESULT_OK);
	}
	cr_assert_eq(count_imports(), 2);
	cr_assert_eq(unqueue(id), 1, "it is queued again, should it have been lost");
	finish(id);
	cr_assert(!slice_equal(queued(), id));
}

Test(import_trigger, there_is_no_import_without_a_key)
{
	struct outcome outcome = start(s.root, NULL);
	EXPECT_STATUS(outcome, 422);
	connect_app();
	s.config.master_key = SLICE("another-master-key-of-the-tests-of-length");
	outcome = start(s.root, NULL);
	EXPECT_STATUS(outcome, 422);
	cr_assert_eq(count_imports(), 0);
}

Test(import_trigger, an_import_has_no_options)
{
	static const struct {
		const char *body, *type;
		int status;
	} bodies[] = {
		{"{\"step\":\"topics\"}", NULL, 422}, {"[]", NULL, 422},       {"{", NULL, 400},
		{"step=topics", NULL, 400},           {"{}", "text/plain", 415},
	};
	connect_app();
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct outcome outcome = CALL(&s, "POST /import/{project}", .key = s.admin, .body = bodies[i].body,
		                              .type = bodies[i].type);
		EXPECT_STATUS(outcome, bodies[i].status);
	}
	struct outcome outcome = start(s.admin, call_format(&s, "{%1022s}", ""));
	EXPECT_STATUS(outcome, 202);
	unqueue(outcome_text(&outcome, "id"));
	outcome = start(s.admin, call_format(&s, "{%1023s}", ""));
	EXPECT_STATUS(outcome, 413);
	cr_assert_eq(count_imports(), 1);
}

Test(import_trigger, who_may_start_and_cancel)
{
	struct slice id = started(NOW_MS), other = service_project(&s);
	const struct {
		const char *key;
		int status;
	} keys[] = {
		{NULL, 401},           {s.read, 403}, {s.ingest, 403}, {s.ingest_secret, 403},
		{"nobody's key", 401}, {service_key(&s, other, ROLE_ADMIN), 403},
	};
	connect_app();
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct outcome outcome = start(keys[i].key, NULL);
		EXPECT_STATUS(outcome, keys[i].status);
		outcome = call("DELETE", id, "", keys[i].key);
		EXPECT_STATUS(outcome, keys[i].status);
	}
	cr_assert_eq(count_imports(), 1);
	expect_shown(id, "csv", "running", false);
}

Test(import_trigger, cancelled_is_cancelled)
{
	connect_app();
	struct slice id = queued();
	struct outcome outcome = call("DELETE", id, "", s.admin);
	EXPECT_STATUS(outcome, 204);
	cr_assert_eq(outcome.text.length, 0);
	expect_shown(id, "api", "cancelled", true);
	outcome = call("DELETE", id, "", s.admin);
	EXPECT_STATUS(outcome, 409);
	cr_assert(!slice_equal(queued(), id), "the next one may begin");
}

Test(import_trigger, what_has_ended_is_not_cancelled)
{
	struct slice id = started(NOW_MS);
	finish(id);
	struct outcome outcome = call("DELETE", id, "", s.admin);
	EXPECT_STATUS(outcome, 409);
	expect_shown(id, "csv", "completed", true);
	id = started(NOW_MS);
	outcome = call("POST", id, "/undo", s.admin);
	EXPECT_STATUS(outcome, 202);
	outcome = call("DELETE", id, "", s.admin);
	EXPECT_STATUS(outcome, 409);
}

Test(import_trigger, what_nobody_started_is_not_cancelled)
{
	static const char *const ids[] = {"01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "01arz3ndektsv4rrffq69g5fav"};
	struct slice id = started(NOW_MS), other = service_project(&s);
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		struct outcome outcome = call("DELETE", slice_of(ids[i]), "", s.admin);
		EXPECT_STATUS(outcome, 404);
	}
	const char *line = call_format(&s, "DELETE /import/%.*s/%.*s", (int)other.length, other.data, (int)id.length,
	                               id.data);
	struct outcome outcome = CALL(&s, line, .key = s.root);
	EXPECT_STATUS(outcome, 404);
	expect_shown(id, "csv", "running", false);
}

Test(import_trigger, a_file_is_cancelled_while_it_comes)
{
	struct fixture *f = &s.fixture;
	struct slice id = started(NOW_MS);
	struct choice choice = {JO, &category_all, CHOICE_OUT, NOW_MS};
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = id, .import = id};
	enum choice_outcome outcomes[2];
	for (int64_t page = 0; page < 2; page++) {
		origin.page = page + 1;
		cr_assert_eq(choices_record(f->store, f->arena, f->project, NULL, &origin, &choice, 1, &outcomes[page]),
		             RESULT_OK);
		choice.recipient = SLICE("al@example.com");
		struct outcome outcome = call("DELETE", id, "", s.admin);
		EXPECT_STATUS(outcome, page == 0 ? 204 : 409);
	}
	cr_assert(outcomes[0] == CHOICE_CHANGED && outcomes[1] == CHOICE_SKIPPED);
	cr_assert_eq(import_progress(f->store, f->arena, f->project, id, "rows", 2, 2, NULL, 0), RESULT_CONFLICT);
	expect_shown(id, "csv", "cancelled", true);
}

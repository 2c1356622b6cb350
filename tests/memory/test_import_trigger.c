// Imports without memory.
#include "base/clock.h"
#include "consent/import_run.h"
#include "project/connection.h"
#include "project/project.h"
#include "sweep.h"

extern const struct function function;

static const char *make_import(struct service *service)
{
	struct fixture *f = &service->fixture;
	struct slice id = import_new_id(f->arena, clock_now_ms());
	cr_assert_eq(import_start(f->store, f->arena, f->project, id, "csv", clock_now_ms()), RESULT_OK);
	cr_assert_eq(import_add_errors(f->store, f->arena, f->project, id, SLICE("line,error\r\n2,no recipient\r\n")),
	             RESULT_OK);
	cr_assert_eq(import_finish(f->store, f->arena, f->project, id, IMPORT_COMPLETED, SLICE("A sentence."),
	                           clock_now_ms()),
	             RESULT_OK);
	return call_format(service, "%.*s", (int)id.length, id.data);
}

static const char *make_upload(struct service *service)
{
	struct fixture *f = &service->fixture;
	struct slice id = import_new_id(f->arena, clock_now_ms());
	cr_assert_eq(import_start(f->store, f->arena, f->project, id, "csv", clock_now_ms()), RESULT_OK);
	return call_format(service, "%.*s", (int)id.length, id.data);
}

static void connect_project(struct service *service)
{
	struct fixture *f = &service->fixture;
	struct connection connection;
	cr_assert_eq(connection_load(f->store, f->arena, f->project, CONNECTION_APP, &connection), RESULT_OK);
	connection.region = SLICE("eu");
	cr_assert_eq(connection_set_secret(f->arena, f->project, service->config.master_key, SLICE("a-key"),
	                                   &connection),
	             RESULT_OK);
	cr_assert_eq(connection_save(f->store, f->arena, f->project, &connection), RESULT_OK);
}

// Nothing is under way any more, so that the next one may be.
static const char *make_room(struct service *service)
{
	struct fixture *f = &service->fixture;
	struct key_name key = project_key(f->project, "project");
	struct slice id = reply_text(fixture_command(f, ARGUMENTS(SLICE("HGET"), key_slice(&key), SLICE("import"))));
	if (id.data == NULL)
		return NULL;
	struct slice entry = arena_format(f->arena, "%.*s %.*s", (int)f->project.length, f->project.data,
	                                  (int)id.length, id.data);
	fixture_command(f, ARGUMENTS(SLICE("LREM"), SLICE(IMPORT_RUN_QUEUE), SLICE("0"), entry));
	enum result result = import_cancel(f->store, f->arena, f->project, id, clock_now_ms());
	cr_assert(result == RESULT_OK || result == RESULT_CONFLICT);
	return NULL;
}

Test(memory_import_trigger, starting_and_cancelling, .timeout = 240)
{
	static const struct sweep_request requests[] = {
		{.line = "POST /import/{project}", .key = ROLE_ADMIN, .prepare = make_room, .anew = true,
	         .prove = "GET /import/{project}", .proof = "\"status\":\"queued\""},
		{.line = "DELETE /import/{project}/{it}", .key = ROLE_ADMIN, .prepare = make_upload, .anew = true,
	         .prove = "GET /import/{project}/{it}", .proof = "\"status\":\"cancelled\""},
	};
	AUTO(service_close) struct service s = service_open(&function);
	connect_project(&s);
	sweep_requests(&s, requests, COUNT_OF(requests));
	make_room(&s);
}

Test(memory_import_trigger, all, .timeout = 240)
{
	static const struct sweep_request requests[] = {
		{.line = "GET /import/{project}", .key = ROLE_READ},
		{.line = "GET /import/{project}/{it}", .key = ROLE_READ, .prepare = make_import},
		{.line = "GET /import/{project}/{it}/errors.csv", .key = ROLE_READ, .prepare = make_import},
		{.line = "POST /import/{project}/{it}/undo", .key = ROLE_ADMIN, .prepare = make_import, .anew = true},
	};
	AUTO(service_close) struct service s = service_open(&function);
	sweep_requests(&s, requests, COUNT_OF(requests));
}

// Imports without memory.
#include "base/clock.h"
#include "consent/import.h"
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

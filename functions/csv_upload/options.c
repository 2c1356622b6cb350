// What the query asks for.
#include "base/clock.h"
#include "consent/import.h"
#include "upload.h"

static bool upload_asks_for(const struct request *request, const char *name, struct slice value)
{
	return slice_equal(request_query(request, name), value);
}

static enum result upload_read_time(struct upload *upload)
{
	struct request *request = upload->request;
	struct slice as_of = request_query(request, "as_of");
	upload->as_of_ms = upload->started_ms;
	if (as_of.data == NULL)
		return upload->mirror ? refuse_field(request, "as_of", "is needed with mode=mirror") : RESULT_OK;
	if (!clock_parse(as_of, &upload->as_of_ms))
		return refuse_field(request, "as_of", "has to be a time as in RFC 3339; write a + as %2B");
	if (upload->as_of_ms > upload->started_ms + CHOICE_FUTURE_MS)
		return refuse_field(request, "as_of", "lies in the future");
	return RESULT_OK;
}

enum result upload_read_options(struct upload *upload)
{
	struct request *request = upload->request;
	upload->project = request_project(request);
	upload->source = request_query(request, "source");
	upload->mirror = upload_asks_for(request, "mode", SLICE("mirror"));
	upload->dry_run = upload_asks_for(request, "dry_run", SLICE("1")) ||
	                  upload_asks_for(request, "dry_run", SLICE("true"));
	upload->id = request_query(request, "id");
	if (upload->id.data != NULL && !import_id_is_valid(upload->id))
		return refuse_field(request, "id", "has to be a ULID");
	TRY(store_time_ms(request->store, request->arena, &upload->started_ms));
	TRY(upload_read_time(upload));
	if (upload->id.data == NULL)
		upload->id = import_new_id(request->arena, upload->started_ms);
	return upload->id.data != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

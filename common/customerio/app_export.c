// Exports: ordered, waited for, fetched.
#include "customerio/app_api.h"

#include "customerio/app_call.h"
#include "customerio/verdict.h"

#define EXPORT_ORDER \
	"{\"filters\":{\"attribute\":{\"field\":\"cio_subscription_preferences\",\"operator\":\"exists\"}}," \
	"\"attributes\":[\"email\",\"cio_subscription_preferences\"]}"
#define SECOND_MAXIMUM INT64_C(253402300799) // 9999-12-31T23:59:59Z
#define LINK_MAXIMUM ((size_t)8192)          // bytes
#define REFUSAL_MAXIMUM ((size_t)64 << 10)   // bytes of an answer that is not the file

static enum result app_read_export_status(const struct json *value, enum app_export_status *status)
{
	struct slice text = json_text(json_get(value, "status"));

	*status = APP_EXPORT_PENDING;
	if (json_is_true(json_get(value, "failed")) || slice_equal(text, SLICE("failed")))
		*status = APP_EXPORT_FAILED;
	else if (slice_equal(text, SLICE("done")))
		*status = APP_EXPORT_DONE;
	return slice_is_empty(text) ? RESULT_MALFORMED : RESULT_OK;
}

static enum result app_read_export(struct arena *arena, const struct json *value, void *out)
{
	const struct json *inside = json_get(value, "export");
	struct app_export read = {0};
	int64_t created_s = 0;

	(void)arena;
	if (!app_read_id(json_get(inside, "id"), &read.id))
		return RESULT_MALFORMED;
	TRY(app_read_export_status(inside, &read.status));
	json_to_integer(json_get(inside, "created_at"), 0, SECOND_MAXIMUM, &created_s);
	json_to_integer(json_get(inside, "total"), 0, INT64_MAX, &read.total);
	read.created_at_ms = created_s * 1000;
	*(struct app_export *)out = read;
	return RESULT_OK;
}

enum result app_api_export_create(struct app_api *api, struct arena *arena, struct app_export *made)
{
	return app_call(api, arena,
	                &(struct app_request){.path = SLICE("/v1/exports/customers"),
	                                      .body = SLICE(EXPORT_ORDER),
	                                      .read = app_read_export,
	                                      .out = made});
}

enum result app_api_export_read(struct app_api *api, struct arena *arena, int64_t id, struct app_export *read)
{
	struct slice path = arena_format(arena, "/v1/exports/%lld", (long long)id);

	if (path.data == NULL)
		return RESULT_NO_MEMORY;
	return app_call(api, arena, &(struct app_request){.path = path, .read = app_read_export, .out = read});
}

static enum result app_read_link(struct arena *arena, const struct json *value, void *out)
{
	struct slice link = json_text(json_get(value, "url"));

	(void)arena;
	if (slice_is_empty(link) || link.length > LINK_MAXIMUM)
		return RESULT_MALFORMED;
	*(struct slice *)out = link;
	return RESULT_OK;
}

enum result app_api_export_link(struct app_api *api, struct arena *arena, int64_t id, struct slice *link)
{
	struct slice path = arena_format(arena, "/v1/exports/%lld/download", (long long)id);

	if (path.data == NULL)
		return RESULT_NO_MEMORY;
	return app_call(api, arena, &(struct app_request){.path = path, .read = app_read_link, .out = link});
}

struct app_download {
	struct http_request request;
	enum result (*sink)(void *context, struct slice piece);
	void *context;
	bool began; // the sink got something
};

static enum result app_take_piece(void *context, struct slice piece)
{
	struct app_download *download = context;

	download->began = true;
	return download->sink(download->context, piece);
}

static enum result app_try_download(struct app_api *api, struct arena *arena, void *context, int64_t *retry_after_ms)
{
	AUTO(arena_auto) struct arena *scratch = arena_new(4 * REFUSAL_MAXIMUM);
	struct app_download *download = context;
	struct verdict verdict = {.arena = scratch, .api = "file server"};
	struct http_answer answer;

	if (scratch == NULL)
		return RESULT_NO_MEMORY;
	enum result called = http_call(api->http, scratch, &download->request, &answer);
	// What a file server says is not quoted: nobody knows which secret it may repeat.
	answer.body = SLICE("");
	enum result result = verdict_of(&verdict, called, &answer);
	*retry_after_ms = download->began ? APP_NEVER : answer.retry_after_ms;
	api->fault = arena_copy(arena, verdict.sentence);
	return result;
}

// Only where the App API itself may be anywhere may its files be.
enum result app_api_download(struct app_api *api, struct arena *arena, struct slice link,
                             enum result (*sink)(void *context, struct slice piece), void *context)
{
	struct app_download download = {.sink = sink, .context = context};

	download.request = (struct http_request){
		.url = link,
		.any_address = region_base(api->config, CUSTOMERIO_APP, api->region).any_address,
		.answer_limit = REFUSAL_MAXIMUM,
		.sink = app_take_piece,
		.sink_context = &download,
	};
	return app_persist(api, arena, false, app_try_download, &download);
}

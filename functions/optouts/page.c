// The recipients who are out now, newest first.
#include "optouts.h"

#include "consent/optouts.h"

#define LIMIT_DEFAULT 100
#define CURSOR_MAXIMUM 1024 // bytes

static void write_page(struct json_writer *out, const struct category *category, const struct opt_out_page *page)
{
	json_open_object(out);
	json_member_integer(out, "count", page->total);
	json_key(out, "results");
	json_open_array(out);
	for (size_t i = 0; i < page->count; i++) {
		json_open_object(out);
		json_member_text(out, "identifier", page->rows[i].recipient);
		json_member_text(out, "category", category->key);
		json_member_time(out, "opted_out_at", optouts_shown_time(page->rows[i].made_at_ms));
		json_close_object(out);
	}
	json_close_array(out);
	json_member_text(out, "next_cursor", page->cursor);
	json_close_object(out);
}

// Nothing is no search; but what no recipient can contain must not list all of them.
static enum result read_search(struct request *request, struct slice *search)
{
	struct slice text = request_query(request, "search");
	*search = SLICE("");
	if (slice_is_empty(slice_trim(text)) || recipient_read(request->arena, text, search))
		return RESULT_OK;
	return refuse_field(request, "search", IDENTIFIER_RULE);
}

static enum result list_page(struct request *request, struct answer *answer)
{
	const struct category *category;
	struct opt_out_page page;
	struct slice search, cursor = request_query(request, "cursor");
	size_t limit = (size_t)request_query_integer(request, "limit", LIMIT_DEFAULT);
	TRY(read_search(request, &search));
	TRY(optouts_category(request, request_query(request, "category"), &category));
	enum result result = optouts_list(request->store, request->arena, request_project(request), category->list,
	                                  search, cursor, limit, &page);
	if (result == RESULT_INVALID)
		return refuse_field(request, "cursor", "is not one of a page before");
	TRY(result);
	write_page(answer_json(answer, 200), category, &page);
	return RESULT_OK;
}

static const struct field page_query[] = {
	CATEGORY_FIELD("omitted: marketing in general"),
	{.name = "search", .type = FIELD_RECIPIENT, .help = "an address, which is looked up, or a part of one"},
	{.name = "cursor",
         .type = FIELD_TEXT,
         .maximum = CURSOR_MAXIMUM,
         .help = "next_cursor of the page before"},
	{.name = "limit",
         .type = FIELD_INTEGER,
         .minimum = 1,
         .maximum = OPTOUTS_PAGE_MAXIMUM,
         .help = "default 100"},
};

const struct endpoint optouts_page = {
	.method = "GET",
	.path = "/optouts/{project}",
	.summary = "The recipients who are out of a category now, newest first",
	.access = ROLE_READ,
	.query = page_query,
	.query_count = COUNT_OF(page_query),
	.handle = list_page,
};

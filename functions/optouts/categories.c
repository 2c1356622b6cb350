// The categories, all and one. They are archived instead of removed, since choices outlive them.
#include "optouts.h"

#include "consent/optouts.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAXIMUM 1000

enum result optouts_category_answer(struct request *request, struct answer *answer, int status,
                                    const struct category *category)
{
	int64_t count;
	TRY(optouts_count(request->store, request->arena, request_project(request), &category->list, 1, &count));
	category_write(category, count, answer_json(answer, status));
	return RESULT_OK;
}

// The page of the list that begins behind the cursor, which is a key.
static struct category_list page_of(const struct request *request, const struct category_list *all)
{
	struct slice cursor = request_query(request, "cursor");
	size_t limit = (size_t)request_query_integer(request, "limit", LIMIT_DEFAULT), first = 0;
	while (first < all->count && !slice_is_empty(cursor) && slice_compare(all->items[first].key, cursor) <= 0)
		first++;
	size_t left = all->count - first;
	return (struct category_list){.items = all->items + first, .count = left < limit ? left : limit};
}

static enum result list_categories(struct request *request, struct answer *answer)
{
	struct slice project = request_project(request), lists[LIMIT_MAXIMUM];
	int64_t counts[LIMIT_MAXIMUM];
	struct category_list all;
	TRY(category_list_load(request->store, request->arena, project, &all));
	struct category_list page = page_of(request, &all);
	for (size_t i = 0; i < page.count; i++)
		lists[i] = page.items[i].list;
	TRY(optouts_count(request->store, request->arena, project, lists, page.count, counts));
	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_key(out, "results");
	json_open_array(out);
	for (size_t i = 0; i < page.count; i++)
		category_write(&page.items[i], counts[i], out);
	json_close_array(out);
	bool last = page.items + page.count == all.items + all.count;
	json_member_text(out, "next_cursor", last ? (struct slice){NULL, 0} : page.items[page.count - 1].key);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field list_query[] = {
	{.name = "cursor",
         .type = FIELD_TEXT,
         .maximum = CATEGORY_KEY_MAXIMUM,
         .help = "next_cursor of the page before"},
	{.name = "limit", .type = FIELD_INTEGER, .minimum = 1, .maximum = LIMIT_MAXIMUM, .help = "default 100"},
};

const struct endpoint optouts_categories = {
	.method = "GET",
	.path = "/optouts/{project}/categories",
	.summary = "The categories, by key",
	.access = ROLE_READ,
	.query = list_query,
	.query_count = COUNT_OF(list_query),
	.handle = list_categories,
};

static enum result show_category(struct request *request, struct answer *answer)
{
	const struct category *category;
	TRY(optouts_category(request, request_parameter(request, "key"), &category));
	return optouts_category_answer(request, answer, 200, category);
}

const struct endpoint optouts_category_get = {
	.method = "GET",
	.path = "/optouts/{project}/categories/{key}",
	.summary = "One category",
	.access = ROLE_READ,
	.handle = show_category,
};

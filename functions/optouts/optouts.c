// The opt-out list: may I send, who is out, opting out and in, and the categories.
#include "optouts.h"

#include "base/clock.h"

enum result optouts_category(struct request *request, struct slice key, const struct category **category)
{
	if (slice_is_empty(key))
		key = category_all.key;
	enum result result = category_load(request->store, request->arena, request_project(request), key, category);
	return result == RESULT_NOT_FOUND ? refuse(request, result, "There is no such category.") : result;
}

enum result optouts_identifier(struct request *request, struct slice text, struct slice *recipient)
{
	if (recipient_read(request->arena, text, recipient))
		return RESULT_OK;
	return refuse_field(request, "identifier", IDENTIFIER_RULE);
}

int64_t optouts_shown_time(int64_t made_at_ms)
{
	int64_t now = clock_now_ms();
	return made_at_ms < now ? made_at_ms : now;
}

static const struct endpoint *const endpoints[] = {
	&optouts_check_one, &optouts_check_many,   &optouts_page,         &optouts_add,          &optouts_remove,
	&optouts_bulk,      &optouts_recipient,    &optouts_categories,   &optouts_category_add, &optouts_category_get,
	&optouts_category_edit,
};

const struct function function = {
	.name = "optouts",
	.prefixes = "/optouts",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 16,
	.repeatable = true,
};

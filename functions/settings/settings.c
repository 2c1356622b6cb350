// settings: projects, their API keys, and the connections to Customer.io. An operator's business, so it is asked
// seldom and answers from Redis each time.
#include "settings.h"

static const struct endpoint *const endpoints[] = {
	&projects_list, &projects_get, &projects_put,  &projects_patch, &projects_delete, &keys_create,
	&keys_list,     &keys_delete,  &webhook_put,   &webhook_patch,  &webhook_delete,
};

// Not repeatable: making a key twice would leave one that nobody knows.
const struct function function = {
	.name = "settings",
	.prefixes = "/settings",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 1,
	.repeatable = false,
};

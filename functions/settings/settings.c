// settings: projects, their API keys, and the connections to Customer.io. An operator's business, so it is asked
// seldom and answers from Redis each time. Credentials are tried with Customer.io, which may take seconds; there are
// several workers, so that nobody else waits for that.
#include "settings.h"

static const struct endpoint *const endpoints[] = {
	&projects_list, &projects_get, &projects_put,  &projects_patch, &projects_delete, &keys_create,
	&keys_list,     &keys_delete,  &webhook_put,   &webhook_patch,  &webhook_delete,
	&app_put,       &app_patch,    &app_delete,    &track_put,      &track_patch,
	&track_delete,  &pipelines_put, &pipelines_patch, &pipelines_delete,
};

// Not repeatable: making a key twice would leave one that nobody knows.
const struct function function = {
	.name = "settings",
	.prefixes = "/settings",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 4,
	.repeatable = false,
};

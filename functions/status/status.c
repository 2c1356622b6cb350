// How the service is: whether it can work, its figures, and the description of everything that it offers. GET /healthz
// is there as in every function.
#include "status.h"

struct slice status_info(struct slice info, struct slice name)
{
	while (info.data != NULL) {
		struct slice value = slice_trim(slice_split(&info, '\n'));

		if (slice_equal(slice_split(&value, ':'), name))
			return value;
	}
	return (struct slice){NULL, 0};
}

static const struct endpoint *const endpoints[] = {
	&status_ready,
	&status_metrics,
	&status_openapi,
};

const struct function function = {
	.name = "status",
	.prefixes = "/healthz /readyz /metrics /openapi.json",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 2,
	.repeatable = true,
};

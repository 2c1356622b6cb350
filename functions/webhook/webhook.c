// Customer.io's reporting webhook: what it tells of consent goes into the opt-out list, what is not understood into
// quarantine.
#include "webhook.h"

static const struct endpoint *const endpoints[] = {
	&webhook_receive,
	&webhook_recent,
	&webhook_quarantine,
	&webhook_retry,
};

const struct function function = {
	.name = "webhook",
	.prefixes = "/webhook",
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.workers = 32,
	.repeatable = true,
};

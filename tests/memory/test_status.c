// The status function without memory.
#include "sweep.h"

extern const struct function function;

Test(memory_status, all, .timeout = 240)
{
	static const struct sweep_request requests[] = {
		{.line = "GET /healthz"},
		{.line = "GET /readyz", .says_less = true},
		{.line = "GET /metrics", .says_less = true},
		{.line = "GET /openapi.json"},
	};
	AUTO(service_close) struct service s = service_open(&function);
	sweep_requests(&s, requests, COUNT_OF(requests));
}

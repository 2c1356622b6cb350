// GET /metrics: the figures of all workers together, and Redis's memory, as Prometheus reads them. Answers 200 with
// ciobridge_up 0 when the store cannot be asked.
#include "edge/metrics.h"
#include "status.h"

#define METRICS_LIMIT ((size_t)1 << 20) // bytes
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

// name, help, and where INFO has the value
static const struct gauge {
	const char *name, *help, *info;
} gauges[] = {
	{"ciobridge_redis_memory_bytes", "Memory that Redis uses.", "used_memory"},
	{"ciobridge_redis_memory_limit_bytes", "Memory that Redis may use; 0: no limit.", "maxmemory"},
	{"ciobridge_redis_clients", "Connections to Redis.", "connected_clients"},
};

static void metrics_write_gauge(const char *name, const char *help, int64_t value, struct buffer *out)
{
	buffer_append_text(out, "# HELP ");
	buffer_append_text(out, name);
	buffer_append_byte(out, ' ');
	buffer_append_text(out, help);
	buffer_append_text(out, "\n# TYPE ");
	buffer_append_text(out, name);
	buffer_append_text(out, " gauge\n");
	buffer_append_text(out, name);
	buffer_append_byte(out, ' ');
	buffer_append_integer(out, value);
	buffer_append_byte(out, '\n');
}

static enum result metrics_write_redis(struct request *request, struct buffer *out)
{
	const struct reply *reply;

	TRY(store_call(request->store, request->arena, &reply, ARGUMENTS(SLICE("INFO"))));
	for (size_t i = 0; i < COUNT_OF(gauges); i++) {
		int64_t value;

		if (slice_to_integer(status_info(reply_text(reply), slice_of(gauges[i].info)), 0, INT64_MAX, &value))
			metrics_write_gauge(gauges[i].name, gauges[i].help, value, out);
	}
	return RESULT_OK;
}

static enum result metrics_handle(struct request *request, struct answer *answer)
{
	struct buffer *out = buffer_new(request->arena, METRICS_LIMIT);
	bool up;

	if (out == NULL)
		return RESULT_NO_MEMORY;
	up = metrics_write(request->store, request->arena, out) == RESULT_OK &&
	     metrics_write_redis(request, out) == RESULT_OK;
	metrics_write_gauge("ciobridge_up", "Whether the store answers.", up, out);
	if (buffer_failed(out))
		return RESULT_NO_MEMORY;
	answer_bytes(answer, 200, METRICS_TYPE, buffer_slice(out));
	return RESULT_OK;
}

const struct endpoint status_metrics = {
	.method = "GET",
	.path = "/metrics",
	.summary = "Figures for Prometheus",
	.access = ROLE_NONE,
	.body = BODY_NONE,
	.handle = metrics_handle,
};

// GET /readyz: can requests be served, and what does an acknowledged write survive?
//
// 200 {"status":"ready","promise","replicas","reasons"}: promise "disk" (written and flushed before the answer),
// "second" (flushed about once a second), "memory" (by the operating system, or not at all), "unknown" (this Redis does
// not say). Reasons name what is not as it should be. 503 with the reasons as errors when Redis cannot be reached, is
// still loading, is a read-only replica, or refuses to write. Queues do not count: they are figures of /metrics.
#include "status.h"

#define INTEGER_MAXIMUM INT64_C(1000000)

struct readiness {
	struct slice info;
	const char *promise;
	int64_t replicas;
	struct slice appendfsync, policy; // data NULL: Redis does not tell
	bool stops_writing;               // after a snapshot that failed
};

static bool info_says(struct slice info, const char *name, const char *value)
{
	return slice_equal(status_info(info, slice_of(name)), slice_of(value));
}

// data NULL where CONFIG is denied, as managed services do.
static struct slice ready_read_setting(struct request *request, const char *name)
{
	const struct reply *reply;
	enum result result = store_call(request->store, request->arena, &reply,
	                                ARGUMENTS(SLICE("CONFIG"), SLICE("GET"), slice_of(name)));

	return result == RESULT_OK ? reply_text(reply_at(reply, 1)) : (struct slice){NULL, 0};
}

static const char *ready_promise(const struct readiness *readiness)
{
	if (info_says(readiness->info, "aof_enabled", "0"))
		return "memory";
	if (!info_says(readiness->info, "aof_enabled", "1") || readiness->appendfsync.data == NULL)
		return "unknown";
	if (slice_equal(readiness->appendfsync, SLICE("always")))
		return "disk";
	return slice_equal(readiness->appendfsync, SLICE("everysec")) ? "second" : "memory";
}

static enum result ready_load(struct request *request, struct readiness *readiness)
{
	const struct reply *reply;

	TRY(store_call(request->store, request->arena, &reply, ARGUMENTS(SLICE("INFO"))));
	readiness->info = reply_text(reply);
	readiness->appendfsync = ready_read_setting(request, "appendfsync");
	readiness->policy = ready_read_setting(request, "maxmemory-policy");
	readiness->stops_writing =
		!slice_is_empty(ready_read_setting(request, "save")) &&
		slice_equal(ready_read_setting(request, "stop-writes-on-bgsave-error"), SLICE("yes"));
	readiness->promise = ready_promise(readiness);
	slice_to_integer(status_info(readiness->info, SLICE("connected_slaves")), 0, INTEGER_MAXIMUM,
	                 &readiness->replicas);
	return RESULT_OK;
}

// What keeps requests from being served.
static void ready_check(struct request *request, const struct readiness *readiness)
{
	struct slice info = readiness->info;

	if (info_says(info, "loading", "1"))
		refuse_field(request, "redis", "is still loading what it has on disk");
	if (info_says(info, "role", "slave") && !info_says(info, "slave_read_only", "0"))
		refuse_field(request, "redis", "is a replica, which takes no writes");
	if (info_says(info, "aof_enabled", "1") && info_says(info, "aof_last_write_status", "err"))
		refuse_field(request, "redis", "cannot write to its disk");
	if (readiness->stops_writing && info_says(info, "rdb_last_bgsave_status", "err"))
		refuse_field(request, "redis", "cannot write its snapshot, and takes no writes until it can");
	if (readiness->replicas < request->config->redis_wait_replicas)
		refuse_field(request, "redis", "has fewer replicas than CIOBRIDGE_REDIS_WAIT_REPLICAS asks for");
}

static void ready_write(const struct readiness *readiness, struct json_writer *out)
{
	json_open_object(out);
	json_member_text(out, "status", SLICE("ready"));
	json_member_text(out, "promise", slice_of(readiness->promise));
	json_member_integer(out, "replicas", readiness->replicas);
	json_key(out, "reasons");
	json_open_array(out);
	if (readiness->policy.data != NULL && !slice_equal(readiness->policy, SLICE("noeviction")))
		json_write_text(out, SLICE("maxmemory-policy is not noeviction: a full Redis drops what it has"));
	if (slice_equal(slice_of(readiness->promise), SLICE("memory")))
		json_write_text(out, SLICE("appendonly is off, or appendfsync is no: a crash of Redis loses writes"));
	json_close_array(out);
	json_close_object(out);
}

static enum result ready_handle(struct request *request, struct answer *answer)
{
	struct readiness readiness = {.replicas = 0};
	const struct reply *pong;

	if (ready_load(request, &readiness) != RESULT_OK)
		refuse_field(request, "redis", "cannot be reached");
	else
		ready_check(request, &readiness);
	if (request->problem.error_count == 0 &&
	    store_call(request->store, request->arena, &pong, ARGUMENTS(SLICE("PING"))) != RESULT_OK)
		refuse_field(request, "redis", "does not answer PING");
	if (request->problem.error_count > 0)
		return refuse(request, RESULT_UNAVAILABLE, "Requests cannot be served just now.");
	ready_write(&readiness, answer_json(answer, 200));
	return RESULT_OK;
}

const struct endpoint status_ready = {
	.method = "GET",
	.path = "/readyz",
	.summary = "Can requests be served, and how safe is what was acknowledged",
	.access = ROLE_NONE,
	.body = BODY_NONE,
	.handle = ready_handle,
};

// POST /webhook/{project}/quarantine/retry: quarantined events again, all of them or those named. What is now
// understood leaves the quarantine; the rest stays where it is.
#include "webhook.h"

#include "apply.h"
#include "customerio/quarantine.h"
#include "project/webhook_settings.h"

#define RETRY_MAXIMUM 10000 // entries a request, all that the quarantine holds
#define ENTRIES_AT_ONCE 16

struct retry {
	struct request *request;
	struct slice project;
	struct arena *arena; // emptied every few entries, since all of them would not fit into one request's
	bool enabled;
	int64_t retried, counts[WEBHOOK_QUARANTINED + 1]; // by what became of them
};

static enum result retry_entry(struct retry *retry, const struct quarantine_entry *entry)
{
	struct store *store = retry->request->store;
	struct webhook_effect effect = {.status = WEBHOOK_QUARANTINED};
	struct webhook_delivery delivery = {
		.project = retry->project,
		.request_id = retry->request->id,
		.body = entry->body,
		.sent_at_s = entry->timestamp_s > 0 ? entry->timestamp_s : entry->received_at_ms / 1000,
		.enabled = retry->enabled,
	};
	bool is_whole = entry->size <= (int64_t)entry->body.length;
	if (is_whole)
		TRY(webhook_apply(store, retry->arena, &delivery, &effect));
	retry->retried++;
	retry->counts[effect.status]++;
	if (effect.status == WEBHOOK_QUARANTINED)
		return RESULT_OK;
	TRY(store_confirm(store, retry->arena));
	return quarantine_remove(store, retry->arena, retry->project, entry->id);
}

static enum result retry_all(struct retry *retry)
{
	struct slice before = {NULL, 0};
	size_t count = ENTRIES_AT_ONCE;
	for (size_t done = 0; done < RETRY_MAXIMUM && count == ENTRIES_AT_ONCE; done += count) {
		struct quarantine_entry *entries;
		TRY(quarantine_list(retry->request->store, retry->arena, retry->project, before, ENTRIES_AT_ONCE,
		                    &entries, &count));
		for (size_t i = 0; i < count; i++)
			TRY(retry_entry(retry, &entries[i]));
		if (count > 0)
			before = arena_copy(retry->request->arena, entries[count - 1].id);
		if (count > 0 && before.data == NULL)
			return RESULT_NO_MEMORY;
		arena_reset(retry->arena);
	}
	return RESULT_OK;
}

static enum result retry_check_ids(struct request *request, const struct json *ids)
{
	enum result result = RESULT_OK;
	for (size_t i = 0; i < json_count(ids); i++) {
		if (!quarantine_id_is_valid(json_text(json_at(ids, i))))
			result = refuse_index(request, i, "is not the id of a quarantined event");
	}
	return result;
}

// One that is no longer there was retried or dropped by somebody else, which is as good.
static enum result retry_named(struct retry *retry, const struct json *ids)
{
	for (size_t i = 0; i < json_count(ids); i++) {
		struct quarantine_entry entry;
		enum result result = quarantine_get(retry->request->store, retry->arena, retry->project,
		                                    json_text(json_at(ids, i)), &entry);
		if (result == RESULT_OK)
			result = retry_entry(retry, &entry);
		if (result != RESULT_OK && result != RESULT_NOT_FOUND)
			return result;
		arena_reset(retry->arena);
	}
	return RESULT_OK;
}

static enum result retry_handle(struct request *request, struct answer *answer)
{
	const struct json *ids = json_get(request->body, "ids");
	TRY(retry_check_ids(request, ids));
	AUTO(arena_auto) struct arena *arena = arena_new(REQUEST_ARENA_LIMIT);
	if (arena == NULL)
		return RESULT_NO_MEMORY;
	struct retry retry = {.request = request, .project = request_project(request), .arena = arena};
	struct webhook_settings settings;
	TRY(webhook_settings_load(request->store, request->arena, retry.project, &settings));
	retry.enabled = settings.enabled;
	TRY(ids != NULL ? retry_named(&retry, ids) : retry_all(&retry));

	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_integer(out, "retried", retry.retried);
	json_member_integer(out, "recorded", retry.counts[WEBHOOK_RECORDED]);
	json_member_integer(out, "unchanged", retry.counts[WEBHOOK_UNCHANGED]);
	json_member_integer(out, "ignored", retry.counts[WEBHOOK_IGNORED]);
	json_member_integer(out, "kept", retry.counts[WEBHOOK_QUARANTINED]);
	json_close_object(out);
	return RESULT_OK;
}

static const struct field retry_fields[] = {
	{.name = "ids", .type = FIELD_LIST, .maximum = RETRY_MAXIMUM, .help = "the events; without it, all of them"},
};

const struct endpoint webhook_retry = {
	.method = "POST",
	.path = "/webhook/{project}/quarantine/retry",
	.summary = "Try quarantined events again",
	.access = ROLE_ADMIN,
	.body = BODY_JSON,
	.body_limit = (size_t)1 << 20,
	.fields = retry_fields,
	.field_count = COUNT_OF(retry_fields),
	.handle = retry_handle,
};

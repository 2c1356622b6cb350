// The webhook section: the secrets with which Customer.io signs, and whether its webhooks are taken.
//
// PUT and PATCH change what they name. A new secret is added and the older ones stay good for a while, so that nothing
// is lost while Customer.io still signs with them. DELETE forgets the secrets; opt-outs stay.
#include "project/webhook_settings.h"

#include "base/clock.h"
#include "settings.h"

static enum result webhook_add_secret(struct request *request, int64_t now_ms, struct webhook_settings *settings)
{
	const struct json *secret = json_get(request->body, "signing_secret");
	const struct json *keep = json_get(request->body, "keep_old_for_s");
	int64_t keep_s = WEBHOOK_KEEP_OLD_DEFAULT_S;

	if (secret == NULL && keep != NULL)
		return refuse_field(request, "keep_old_for_s", "means something only beside signing_secret");
	if (secret == NULL)
		return RESULT_OK;
	json_to_integer(keep, 0, WEBHOOK_KEEP_OLD_MAXIMUM_S, &keep_s);
	return webhook_settings_add_secret(request->arena, request_project(request), request->config->master_key,
	                                   json_text(secret), now_ms, keep_s, settings);
}

static bool webhook_has_live_secret(struct request *request, int64_t now_ms, struct webhook_settings settings)
{
	webhook_settings_open(request->arena, request_project(request), request->config->master_key, now_ms, &settings);
	return settings.secret_count > 0;
}

static enum result webhook_change(struct request *request)
{
	const struct json *enabled = json_get(request->body, "enabled");
	struct webhook_settings settings;
	int64_t now_ms = clock_now_ms();

	TRY(webhook_settings_load(request->store, request->arena, request_project(request), &settings));
	TRY(webhook_add_secret(request, now_ms, &settings));
	if (json_is_true(enabled) && !webhook_has_live_secret(request, now_ms, settings))
		return refuse_field(request, "enabled", "needs a signing_secret first");
	if (enabled != NULL)
		settings.enabled = json_is_true(enabled);
	return webhook_settings_save(request->store, request->arena, request_project(request), &settings);
}

static enum result webhook_handle_put(struct request *request, struct answer *answer)
{
	enum result result = RESULT_CONFLICT;

	for (int attempt = 0; attempt < SETTINGS_TRIES && result == RESULT_CONFLICT; attempt++)
		result = webhook_change(request);
	TRY(result);
	return webhook_settings_write(request->store, request->arena, request_project(request),
	                              request->config->public_url, answer_json(answer, 200));
}

static enum result webhook_handle_delete(struct request *request, struct answer *answer)
{
	TRY(webhook_settings_delete(request->store, request->arena, request_project(request)));
	answer_empty(answer, 204);
	return RESULT_OK;
}

static const struct field put_fields[] = {
	{"signing_secret", FIELD_TEXT, .minimum = 1, .maximum = WEBHOOK_SECRET_MAXIMUM,
	 .help = "Customer.io's webhook signing key; added to those that are there"},
	{"enabled", FIELD_BOOLEAN, .help = "Whether webhooks are taken"},
	{"keep_old_for_s", FIELD_INTEGER, .minimum = 0, .maximum = WEBHOOK_KEEP_OLD_MAXIMUM_S,
	 .help = "How long the older secrets stay good. Default: a day"},
};

#define WEBHOOK_CHANGE(verb)                                                                                       \
	{                                                                                                          \
		.method = (verb), .path = "/settings/{project}/webhook", .summary = "Change the webhook section",  \
		.access = ROLE_ADMIN, .body = BODY_JSON, .body_limit = SETTINGS_BODY_LIMIT,                        \
		.fields = FIELDS(put_fields), .handle = webhook_handle_put,                                        \
	}
const struct endpoint webhook_put = WEBHOOK_CHANGE("PUT");
const struct endpoint webhook_patch = WEBHOOK_CHANGE("PATCH");

const struct endpoint webhook_delete = {
	.method = "DELETE",
	.path = "/settings/{project}/webhook",
	.summary = "Forget the webhook's secrets",
	.access = ROLE_ADMIN,
	.body = BODY_NONE,
	.handle = webhook_handle_delete,
};

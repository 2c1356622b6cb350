// POST /webhook/{project}: a reporting webhook of Customer.io.
//
// 401, always the same one, without a good signature. With one, 200 or 503 and nothing else, whatever the body holds:
// after any other answer Customer.io holds back all that follows for an hour.
#include "webhook.h"

#include "apply.h"
#include "base/clock.h"
#include "codec/crypt.h"
#include "customerio/quarantine.h"
#include "customerio/recent_events.h"
#include "edge/metrics.h"
#include "project/project.h"
#include "project/webhook_settings.h"

#define BODY_UNDERSTOOD ((size_t)4 << 20) // a longer one is checked, but not read for its meaning
#define PIECE_SIZE ((size_t)16 << 10)

struct receipt {
	struct slice project, timestamp;
	int64_t timestamp_s; // 0: out of range
	int64_t now_ms;
	unsigned char signature[CRYPT_SHA256_SIZE];
	struct webhook_settings settings;
	struct crypt_hmac *hmacs[WEBHOOK_SECRETS_MAXIMUM]; // one for each live secret
	struct slice secret_id;                            // whose signature it is
	struct buffer *body;                               // the first BODY_UNDERSTOOD bytes or fewer
	size_t size;
};

static enum result receive_headers(struct request *request, struct receipt *receipt)
{
	receipt->project = request_project(request);
	receipt->timestamp = request_header(request, "HTTP_X_CIO_TIMESTAMP");
	struct slice signature = request_header(request, "HTTP_X_CIO_SIGNATURE");
	if (!webhook_timestamp_read(receipt->timestamp, &receipt->timestamp_s) ||
	    !webhook_signature_read(signature, receipt->signature) || !project_slug_is_valid(receipt->project))
		return RESULT_UNAUTHENTICATED;
	return RESULT_OK;
}

static enum result receive_secrets(struct request *request, struct receipt *receipt)
{
	struct webhook_settings *settings = &receipt->settings;
	receipt->now_ms = clock_now_ms();
	TRY(webhook_settings_load(request->store, request->arena, receipt->project, settings));
	webhook_settings_open(request->arena, receipt->project, request->config->master_key, receipt->now_ms, settings);
	for (size_t i = 0; i < settings->secret_count; i++) {
		receipt->hmacs[i] = crypt_hmac_new(settings->secrets[i].plain);
		if (receipt->hmacs[i] == NULL || !arena_defer(request->arena, crypt_hmac_free, receipt->hmacs[i]))
			return RESULT_NO_MEMORY;
	}
	// Without any secret the body is read all the same: what becomes of a long or a cut one must not tell whether
	// the project exists.
	return RESULT_OK;
}

static void receive_sign(struct receipt *receipt, struct slice bytes)
{
	for (size_t i = 0; i < receipt->settings.secret_count; i++)
		crypt_hmac_add(receipt->hmacs[i], bytes);
}

static enum result receive_body(struct request *request, struct receipt *receipt)
{
	char piece[PIECE_SIZE];
	receipt->body = buffer_new(request->arena, BODY_UNDERSTOOD);
	if (receipt->body == NULL)
		return RESULT_NO_MEMORY;
	receive_sign(receipt, SLICE("v0:"));
	receive_sign(receipt, receipt->timestamp);
	receive_sign(receipt, SLICE(":"));
	for (size_t length;;) {
		TRY(request_read(request, piece, sizeof(piece), &length));
		if (length == 0)
			break;
		receipt->size += length;
		receive_sign(receipt, (struct slice){piece, length});
		if (receipt->size <= BODY_UNDERSTOOD)
			buffer_append(receipt->body, (struct slice){piece, length});
	}
	return buffer_failed(receipt->body) ? RESULT_NO_MEMORY : RESULT_OK;
}

// All secrets are tried, so that the time does not tell which one was right.
static enum result receive_verify(struct receipt *receipt)
{
	for (size_t i = 0; i < receipt->settings.secret_count; i++) {
		unsigned char digest[CRYPT_SHA256_SIZE];
		TRY(crypt_hmac_end(receipt->hmacs[i], digest));
		if (crypt_equal((struct slice){(const char *)digest, sizeof(digest)},
		                (struct slice){(const char *)receipt->signature, sizeof(digest)}))
			receipt->secret_id = receipt->settings.secrets[i].id;
	}
	if (!slice_is_empty(receipt->secret_id))
		return RESULT_OK;
	// It may be signed with a secret that our own fault keeps us from reading: let Customer.io try again soon.
	return receipt->settings.unreadable > 0 ? RESULT_UNAVAILABLE : RESULT_UNAUTHENTICATED;
}

static enum result receive_apply(struct request *request, const struct receipt *receipt, struct webhook_effect *effect)
{
	struct slice body = buffer_slice(receipt->body);
	if (receipt->size > BODY_UNDERSTOOD) {
		*effect = (struct webhook_effect){.status = WEBHOOK_QUARANTINED, .reason = SLICE("longer than 4 MiB")};
	} else {
		struct webhook_delivery delivery = {
			.project = receipt->project,
			.request_id = request->id,
			.body = body,
			.sent_at_s = receipt->timestamp_s > 0 ? receipt->timestamp_s : receipt->now_ms / 1000,
			.enabled = receipt->settings.enabled,
		};
		TRY(webhook_apply(request->store, request->arena, &delivery, effect));
	}
	if (effect->status == WEBHOOK_QUARANTINED)
		TRY(quarantine_add(request->store, request->arena, receipt->project, effect->reason,
		                   receipt->timestamp_s, body, (int64_t)receipt->size));
	return effect->status == WEBHOOK_IGNORED ? RESULT_OK : store_confirm(request->store, request->arena);
}

static void receive_note(struct request *request, const struct receipt *receipt, const struct webhook_effect *effect)
{
	static const char *const counters[] = {
		[WEBHOOK_UNCHANGED] = "ciobridge_webhooks_total{status=\"unchanged\"}",
		[WEBHOOK_RECORDED] = "ciobridge_webhooks_total{status=\"recorded\"}",
		[WEBHOOK_IGNORED] = "ciobridge_webhooks_total{status=\"ignored\"}",
		[WEBHOOK_QUARANTINED] = "ciobridge_webhooks_total{status=\"quarantined\"}",
	};
	struct recent_event event = {
		.event_id = effect->event.event_id,
		.metric = effect->event.metric_name,
		.status = slice_of(webhook_status_name(effect->status)),
		.recipient = effect->recipient,
		.made_at_ms = effect->made_at_ms,
	};
	metrics_add(counters[effect->status], 1);
	recent_event_note(request->store, request->arena, receipt->project, &event);
	webhook_settings_note_use(request->store, request->arena, receipt->project, receipt->secret_id,
	                          receipt->now_ms);
}

static enum result receive_handle(struct request *request, struct answer *answer)
{
	struct receipt receipt = {.size = 0};
	struct webhook_effect effect;
	request->problem.challenge = "CustomerIO-Signature";
	TRY(receive_headers(request, &receipt));
	TRY(receive_secrets(request, &receipt));
	TRY(receive_body(request, &receipt));
	TRY(receive_verify(&receipt));
	TRY(receive_apply(request, &receipt, &effect));
	receive_note(request, &receipt, &effect);

	struct json_writer *out = answer_json(answer, 200);
	json_open_object(out);
	json_member_text(out, "status", slice_of(webhook_status_name(effect.status)));
	json_close_object(out);
	return RESULT_OK;
}

const struct endpoint webhook_receive = {
	.method = "POST",
	.path = "/webhook/{project}",
	.summary = "Customer.io's reporting webhook",
	.access = ROLE_NONE,
	.any_query = true,
	.body = BODY_STREAMED,
	.body_limit = (size_t)32 << 20,
	.handle = receive_handle,
};

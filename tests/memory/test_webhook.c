// The webhook function without memory: a signed webhook gets 200 or 503, and what got 200 is in force.
#include "codec/crypt.h"
#include "codec/encode.h"
#include "consent/optouts.h"
#include "customerio/quarantine.h"
#include "project/webhook_settings.h"
#include "../support/sums.h"
#include "sweep.h"

#define SECRET SLICE("cio_test_signing_key_0123456789")
#define AT "1613063089"
#define EVENT(metric, data)                                                                                        \
	"{\"metric\":\"" metric "\",\"event_id\":\"e{n}\",\"timestamp\":1613063089,\"data\":" data "}"
#define PERSON "\"email_address\":\"Ann{n}@example.com\""

extern const struct function function;

static struct service s;

static void set_up(void)
{
	struct webhook_settings settings;
	s = service_open(&function);
	struct fixture *f = &s.fixture;
	cr_assert_eq(webhook_settings_load(f->store, f->arena, f->project, &settings), RESULT_OK);
	settings.enabled = true;
	cr_assert_eq(webhook_settings_add_secret(f->arena, f->project, SLICE(CALL_MASTER_KEY), SECRET, 1, 0, &settings),
	             RESULT_OK);
	cr_assert_eq(webhook_settings_save(f->store, f->arena, f->project, &settings), RESULT_OK);
}

static void tear_down(void)
{
	expect_sums(&s.fixture);
	service_close(&s);
}
TestSuite(memory_webhook, .init = set_up, .fini = tear_down, .timeout = 240);

static void sign(struct service *service, struct call *call)
{
	unsigned char digest[CRYPT_SHA256_SIZE];
	struct crypt_hmac *hmac = crypt_hmac_new(SECRET);
	crypt_hmac_add(hmac, SLICE("v0:" AT ":"));
	crypt_hmac_add(hmac, slice_of(call->body));
	cr_assert_eq(crypt_hmac_end(hmac, digest), RESULT_OK);
	crypt_hmac_free(hmac);
	struct slice hex = encode_hex(service->fixture.arena, (struct slice){(char *)digest, sizeof(digest)});
	call->headers[0].name = "HTTP_X_CIO_TIMESTAMP";
	call->headers[0].value = AT;
	call->headers[1].name = "HTTP_X_CIO_SIGNATURE";
	call->headers[1].value = arena_copy(service->fixture.arena, hex).data;
}

static void expect_out(struct service *service, const char *number, struct slice list)
{
	int64_t score = 0;
	const char *recipient = call_format(service, "ann%s@example.com", number);
	cr_assert_eq(optouts_choices_of(service->fixture.store, service->fixture.arena, service->fixture.project,
	                                slice_of(recipient), &list, 1, &score),
	             RESULT_OK);
	cr_assert(score > 0, "a webhook of %s was answered with 200 and is not in force", recipient);
}

static void expect_all_out(struct service *service, const char *number)
{
	expect_out(service, number, SLICE("$all"));
}

static void expect_topic_out(struct service *service, const char *number)
{
	expect_out(service, number, SLICE("customerio_topic_7"));
}

static void empty_quarantine(struct service *service)
{
	struct fixture *f = &service->fixture;
	struct quarantine_entry *entries;
	size_t count;
	do {
		cr_assert_eq(quarantine_list(f->store, f->arena, f->project, SLICE(""), 100, &entries, &count),
		             RESULT_OK);
		for (size_t i = 0; i < count; i++)
			cr_assert_eq(quarantine_remove(f->store, f->arena, f->project, entries[i].id), RESULT_OK);
	} while (count > 0);
}

static const char *put_into_quarantine(struct service *service)
{
	struct fixture *f = &service->fixture;
	struct quarantine_entry *entries;
	struct slice body = SLICE("{\"metric\":\"unsubscribed\",\"timestamp\":1613063089,"
				  "\"data\":{\"email_address\":\"kept@example.com\"}}");
	size_t count;
	empty_quarantine(service);
	cr_assert_eq(quarantine_add(f->store, f->arena, f->project, SLICE("test"), 1613063089, body,
	                            (int64_t)body.length),
	             RESULT_OK);
	cr_assert_eq(quarantine_list(f->store, f->arena, f->project, SLICE(""), 1, &entries, &count), RESULT_OK);
	cr_assert_eq(count, 1);
	return arena_copy(f->arena, entries[0].id).data;
}

static void expect_quarantined(struct service *service, const char *number)
{
	struct quarantine_totals totals;
	struct fixture *f = &service->fixture;
	cr_assert_eq(quarantine_totals(f->store, f->arena, f->project, &totals), RESULT_OK);
	cr_assert(totals.taken > 0, "%s", number);
}

#define POST .line = "POST /webhook/{project}", .sign = sign

Test(memory_webhook, events)
{
	static const struct sweep_request requests[] = {
		{POST, .body = EVENT("unsubscribed", "{" PERSON "}"), .check = expect_all_out},
		{POST, .check = expect_topic_out,
	         .body = EVENT("cio_subscription_preferences_changed",
	                       "{" PERSON ","
	                       "\"content\":\"{\\\"topics\\\":{\\\"topic_7\\\":false,\\\"topic_8\\\":true}}\"}")},
		{POST, .body = EVENT("spammed", "{\"identifiers\":{\"id\":\"{n}\"}}")},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_webhook, quarantine)
{
	static const struct sweep_request requests[] = {
		{POST, .body = "not JSON at all {n}", .check = expect_quarantined},
		{.line = "GET /webhook/{project}/quarantine", .key = ROLE_ADMIN, .prepare = put_into_quarantine},
		{.line = "POST /webhook/{project}/quarantine/retry", .key = ROLE_ADMIN, .body = "{\"ids\":[\"{it}\"]}",
	         .prepare = put_into_quarantine, .anew = true},
		{.line = "GET /webhook/{project}/recent?limit=2", .key = ROLE_READ},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

// The webhook function: signatures, what each body does, quarantine and retry.
#include "../support/call.h"
#include "base/clock.h"
#include "codec/crypt.h"
#include "codec/encode.h"
#include "consent/choice.h"
#include "consent/optouts.h"
#include "customerio/quarantine.h"
#include "edge/metrics.h"
#include "project/project.h"
#include "project/webhook_settings.h"

#include <string.h>

#define KEY "cio_test_signing_key_0123456789"
#define AT "1613063089"
#define AT_S INT64_C(1613063089)
#define POST "POST /webhook/{project}"
#define SCORE_OUT(seconds) ((seconds)*1000 + 999)
#define SCORE_IN(seconds) (-(seconds)*1000)

extern const struct function function;

static struct service s;
static void set_up(void)
{
	s = service_open(&function);
}
static void tear_down(void)
{
	service_close(&s);
}
TestSuite(webhook, .init = set_up, .fini = tear_down, .timeout = 120);

// Setting up.

static int64_t now_ms(void)
{
	int64_t ms = 0;
	cr_assert_eq(store_time_ms(s.fixture.store, s.fixture.arena, &ms), RESULT_OK);
	return ms;
}

static void change_settings(bool enabled, struct slice secret, int64_t at_ms, int64_t keep_old_s)
{
	struct store *store = s.fixture.store;
	struct arena *arena = s.fixture.arena;
	struct slice project = s.fixture.project, master = SLICE(CALL_MASTER_KEY);
	struct webhook_settings settings;
	enum result result = RESULT_OK;
	cr_assert_eq(webhook_settings_load(store, arena, project, &settings), RESULT_OK);
	settings.enabled = enabled;
	if (secret.length > 0)
		result = webhook_settings_add_secret(arena, project, master, secret, at_ms, keep_old_s, &settings);
	cr_assert_eq(result, RESULT_OK);
	cr_assert_eq(webhook_settings_save(store, arena, project, &settings), RESULT_OK);
}

static void switch_on(void)
{
	change_settings(true, SLICE(KEY), now_ms(), 0);
}

// As text that ends in NUL, for a header.
static const char *hex(struct slice bytes)
{
	return arena_copy(s.fixture.arena, encode_hex(s.fixture.arena, bytes)).data;
}

static const char *sign(struct slice key, struct slice timestamp, struct slice body)
{
	unsigned char digest[CRYPT_SHA256_SIZE];
	struct crypt_hmac *hmac = crypt_hmac_new(key);
	crypt_hmac_add(hmac, SLICE("v0:"));
	crypt_hmac_add(hmac, timestamp);
	crypt_hmac_add(hmac, SLICE(":"));
	crypt_hmac_add(hmac, body);
	cr_assert_eq(crypt_hmac_end(hmac, digest), RESULT_OK);
	crypt_hmac_free(hmac);
	return hex((struct slice){(const char *)digest, sizeof(digest)});
}

static struct outcome post_signed(const char *line, const char *timestamp, const char *signature, struct slice body)
{
	return CALL(&s, line, .bytes = body,
	            .headers = {{"HTTP_X_CIO_TIMESTAMP", timestamp}, {"HTTP_X_CIO_SIGNATURE", signature}});
}

static int64_t integer(const struct slice *arguments, size_t count)
{
	return reply_integer(fixture_command(&s.fixture, arguments, count));
}

static struct outcome post_bytes(struct slice body)
{
	return post_signed(POST, AT, sign(SLICE(KEY), SLICE(AT), body), body);
}

static void expect_status(struct slice body, const char *status)
{
	struct outcome outcome = post_bytes(body);
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome_text(&outcome, "status"), status);
	cr_assert_eq(json_count(outcome.body), 1);
}

// Looking.

static int64_t score_of(const char *recipient, const char *category)
{
	int64_t score = 0;
	struct slice key = slice_of(category);
	cr_assert_eq(optouts_choices_of(s.fixture.store, s.fixture.arena, s.fixture.project, slice_of(recipient), &key,
	                                1, &score),
	             RESULT_OK);
	return score;
}

static struct quarantine_totals totals_now(void)
{
	struct quarantine_totals totals;
	cr_assert_eq(quarantine_totals(s.fixture.store, s.fixture.arena, s.fixture.project, &totals), RESULT_OK);
	return totals;
}

static struct quarantine_entry last_quarantined(void)
{
	struct quarantine_entry *entries;
	size_t count = 0;
	cr_assert_eq(
		quarantine_list(s.fixture.store, s.fixture.arena, s.fixture.project, SLICE(""), 1, &entries, &count),
		RESULT_OK);
	cr_assert_eq(count, 1);
	return entries[0];
}

static size_t keys_of_project(void)
{
	struct slice pattern =
		arena_format(s.fixture.arena, "cb:{%.*s*", (int)s.fixture.project.length, s.fixture.project.data);
	return reply_count(fixture_command(&s.fixture, ARGUMENTS(SLICE("KEYS"), pattern)));
}

static int64_t lookup_at(const char *identifier, const char *kind)
{
	struct key_name key =
		partition_key(s.fixture.project, partition_of(slice_of(identifier)), "lookups", SLICE(""));
	struct slice member = arena_format(s.fixture.arena, "%s\n%s", kind, identifier);
	return integer(ARGUMENTS(SLICE("ZSCORE"), key_slice(&key), member));
}

static int64_t audit_length(const char *recipient)
{
	struct key_name key = partition_key(s.fixture.project, partition_of(slice_of(recipient)), "audit", SLICE(""));
	return integer(ARGUMENTS(SLICE("XLEN"), key_slice(&key)));
}

static struct slice repeated(const char *start, char filling, size_t length, const char *end)
{
	char *bytes = arena_alloc(s.fixture.arena, length + 1);
	size_t start_length = strlen(start), end_length = strlen(end);
	cr_assert(bytes != NULL && length >= start_length + end_length);
	memset(bytes, filling, length);
	memcpy(bytes, start, start_length);
	memcpy(bytes + length - end_length, end, end_length);
	return (struct slice){bytes, length};
}

// Signatures.

#define TEXT(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}
#define VECTOR_1 \
	"{\"metric\":\"unsubscribed\",\"event_id\":\"01E4C4CT6YDC7Y5M7FE1GWWPQJ\",\"object_type\":\"customer\"," \
	"\"timestamp\":1613063089,\"data\":{\"customer_id\":\"42\",\"email_address\":\"test@example.com\"," \
	"\"identifiers\":{\"id\":\"42\",\"email\":\"test@example.com\",\"cio_id\":\"d9c106000001\"}}}"
#define VECTOR_1_SIGNATURE "5306ac38ca918ca6a0a64a89c5689b2044ebd4ac2222fd6d45834b8da186c31c"
#define VECTOR_2 \
	"{\"metric\":\"cio_subscription_preferences_changed\",\"event_id\":\"01E4C4CT6YDC7Y5M7FE1GWWPQK\"," \
	"\"object_type\":\"customer\",\"timestamp\":1613063090,\"data\":{\"customer_id\":\"42\"," \
	"\"email_address\":\"test@example.com\",\"identifiers\":{\"id\":\"42\",\"email\":\"test@example.com\"," \
	"\"cio_id\":\"d9c106000001\"},\"content\":\"{\\\"topics\\\":{\\\"topic_7\\\":false,\\\"topic_8\\\":true}}\"}}"

static const struct {
	struct slice body;
	const char *signature, *status;
} vectors[] = {
	{TEXT(VECTOR_1), VECTOR_1_SIGNATURE, "recorded"},
	{TEXT(VECTOR_2), "57ed389e06a213f7afac1b14b6d047fc55fa44c22dd3e0ef3c391ab4dd76d4a3", "recorded"},
	{TEXT(""), "8269292aa982ac1c911d37d532d90f600dc78e26b97c69d397a236cc22896b09", "quarantined"},
	{TEXT("{\"n\":\"Zo\xc3\xab \xf0\x9f\x98\x80\"}\n"),
         "9ccf8d2a4f82ea468eedf5aa07d1fa79c8c2cf096a9466d53547f5328b30c7d9", "quarantined"},
};

Test(webhook, the_four_vectors)
{
	switch_on();
	for (size_t i = 0; i < COUNT_OF(vectors); i++) {
		struct outcome outcome = post_signed(POST, AT, vectors[i].signature, vectors[i].body);
		EXPECT_STATUS(outcome, 200);
		EXPECT_TEXT(outcome_text(&outcome, "status"), vectors[i].status);
	}
	cr_assert_eq(score_of("test@example.com", "$all"), SCORE_OUT(AT_S));
	cr_assert_eq(score_of("test@example.com", "customerio_topic_7"), SCORE_OUT(AT_S + 1));
	cr_assert_eq(score_of("test@example.com", "customerio_topic_8"), SCORE_IN(AT_S + 1));
	cr_assert_eq(totals_now().waiting, 2);
}

Test(webhook, delivered_twice_it_changes_nothing)
{
	switch_on();
	for (int i = 0; i < 3; i++) {
		struct outcome outcome = post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE(VECTOR_1));
		EXPECT_TEXT(outcome_text(&outcome, "status"), i == 0 ? "recorded" : "unchanged");
	}
	cr_assert_eq(audit_length("test@example.com"), 1);
}

Test(webhook, a_signature_in_capitals)
{
	switch_on();
	struct outcome outcome = post_signed(
		POST, AT, "5306AC38CA918CA6A0A64A89C5689B2044EBD4AC2222FD6D45834B8DA186C31C", SLICE(VECTOR_1));
	EXPECT_STATUS(outcome, 200);
}

Test(webhook, a_body_of_unknown_length)
{
	switch_on();
	struct outcome outcome =
		CALL(&s, POST, .body = VECTOR_1, .undeclared = true,
	             .headers = {{"HTTP_X_CIO_TIMESTAMP", AT}, {"HTTP_X_CIO_SIGNATURE", VECTOR_1_SIGNATURE}});
	EXPECT_STATUS(outcome, 200);
}

static void expect_refused(struct outcome outcome, const char *what, size_t bit)
{
	cr_assert_eq(outcome.status, 401, "%s, bit %zu: %d", what, bit, outcome.status);
}

static struct slice with_bit_flipped(struct slice text, size_t bit)
{
	struct slice copy = arena_copy(s.fixture.arena, text);
	((char *)copy.data)[bit / 8] ^= (char)(1 << bit % 8);
	return copy;
}

// The service holds the memory of its calls until it closes, so a long loop takes a new one now and then.
static void renew(size_t done)
{
	if (done % 256 != 255)
		return;
	service_close(&s);
	s = service_open(&function);
	switch_on();
}

Test(webhook, every_bit_of_the_body)
{
	static const struct slice body = TEXT(VECTOR_1);
	switch_on();
	size_t keys = keys_of_project();
	for (size_t bit = 0; bit < body.length * 8; bit++) {
		expect_refused(post_signed(POST, AT, VECTOR_1_SIGNATURE, with_bit_flipped(body, bit)), "body", bit);
		cr_assert_eq(keys_of_project(), keys, "something is stored");
		renew(bit);
	}
}

Test(webhook, every_bit_of_the_timestamp)
{
	switch_on();
	size_t keys = keys_of_project();
	for (size_t bit = 0; bit < 8 * strlen(AT); bit++)
		expect_refused(
			post_signed(POST, with_bit_flipped(SLICE(AT), bit).data, VECTOR_1_SIGNATURE, SLICE(VECTOR_1)),
			"timestamp", bit);
	cr_assert_eq(keys_of_project(), keys, "something is stored");
}

Test(webhook, every_bit_of_the_signature)
{
	struct slice bytes;
	switch_on();
	size_t keys = keys_of_project();
	cr_assert_eq(decode_hex(s.fixture.arena, SLICE(VECTOR_1_SIGNATURE), &bytes), RESULT_OK);
	for (size_t bit = 0; bit < 256; bit++) {
		expect_refused(post_signed(POST, AT, hex(with_bit_flipped(bytes, bit)), SLICE(VECTOR_1)), "signature",
		               bit);
	}
	cr_assert_eq(keys_of_project(), keys, "something is stored");
}

// Flipped in the text of it, some bits only change a letter's case: that is the same signature.
Test(webhook, every_bit_of_the_signature_as_text)
{
	switch_on();
	for (size_t bit = 0; bit < 8 * 64; bit++) {
		struct slice signature = with_bit_flipped(SLICE(VECTOR_1_SIGNATURE), bit);
		struct outcome outcome = post_signed(POST, AT, signature.data, SLICE(VECTOR_1));
		bool same = slice_equal_ignoring_case(signature, SLICE(VECTOR_1_SIGNATURE));
		cr_assert_eq(outcome.status, same ? 200 : 401, "bit %zu: %d", bit, outcome.status);
		renew(bit);
	}
}

Test(webhook, every_bit_of_the_key)
{
	for (size_t bit = 0; bit < 8 * strlen(KEY); bit++) {
		change_settings(true, with_bit_flipped(SLICE(KEY), bit), now_ms(), 0);
		expect_refused(post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE(VECTOR_1)), "key", bit);
	}
	cr_assert_eq(score_of("test@example.com", "$all"), 0);
	cr_assert_eq(totals_now().taken, 0);
}

Test(webhook, headers_that_are_missing_or_wrong)
{
	static const struct {
		const char *timestamp, *signature;
	} cases[] = {
		{NULL, NULL},
		{NULL, VECTOR_1_SIGNATURE},
		{AT, NULL},
		{"", VECTOR_1_SIGNATURE},
		{AT, ""},
		{"-" AT, VECTOR_1_SIGNATURE},
		{AT " ", VECTOR_1_SIGNATURE},
		{" " AT, VECTOR_1_SIGNATURE},
		{"0x602563b1", VECTOR_1_SIGNATURE},
		{"soon", VECTOR_1_SIGNATURE},
		{AT, VECTOR_1_SIGNATURE "0"},
		{AT, VECTOR_1_SIGNATURE VECTOR_1_SIGNATURE},
		{AT, "v0=" VECTOR_1_SIGNATURE},
		{AT, "5306ac38ca918ca6a0a64a89c5689b2044ebd4ac2222fd6d45834b8da186c31"},
		{AT, "5306ac38ca918ca6a0a64a89c5689b2044ebd4ac2222fd6d45834b8da186c3 c"},
		{AT, "0000000000000000000000000000000000000000000000000000000000000000"},
	};
	switch_on();
	size_t keys = keys_of_project();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct call call = {.body = VECTOR_1};
		size_t used = 0;
		if (cases[i].timestamp != NULL) {
			call.headers[used].name = "HTTP_X_CIO_TIMESTAMP";
			call.headers[used++].value = cases[i].timestamp;
		}
		if (cases[i].signature != NULL) {
			call.headers[used].name = "HTTP_X_CIO_SIGNATURE";
			call.headers[used].value = cases[i].signature;
		}
		expect_refused(call_function(&s, POST, &call), "headers", i);
	}
	cr_assert_eq(keys_of_project(), keys, "something is stored");
}

Test(webhook, one_identical_refusal)
{
	static const char *const lines[] = {
		"POST /webhook/no-such-project",
		"POST /webhook/NOT-A-SLUG",
		"POST /webhook/%00",
		"POST /webhook/a%7Db",
		POST, // settings without a secret
	};
	struct outcome expected, outcome;
	struct slice other = service_project(&s);
	change_settings(true, SLICE(""), 0, 0);
	expected = post_signed(POST, "soon", "", SLICE(VECTOR_1));
	EXPECT_STATUS(expected, 401);
	EXPECT_TEXT(outcome_header(&expected, "WWW-Authenticate"), "CustomerIO-Signature");
	for (size_t i = 0; i <= COUNT_OF(lines); i++) {
		const char *line = i < COUNT_OF(lines)
		                           ? lines[i]
		                           : call_format(&s, "POST /webhook/%.*s", (int)other.length, other.data);
		outcome = post_signed(line, AT, VECTOR_1_SIGNATURE, SLICE(VECTOR_1));
		EXPECT_STATUS(outcome, 401);
		cr_assert(slice_equal(outcome.text, expected.text), "%s: %.*s", line, (int)outcome.text.length,
		          outcome.text.data);
		EXPECT_TEXT(outcome_header(&outcome, "WWW-Authenticate"), "CustomerIO-Signature");
	}
	switch_on();
	outcome = post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE(VECTOR_1 " "));
	EXPECT_STATUS(outcome, 401);
	cr_assert(slice_equal(outcome.text, expected.text));
}

Test(webhook, a_key_of_ours_is_no_signature)
{
	switch_on();
	struct outcome outcome = CALL(&s, POST, .key = s.admin, .body = VECTOR_1);
	EXPECT_STATUS(outcome, 401);
}

Test(webhook, another_project_has_another_secret)
{
	struct slice mine = s.fixture.project;
	switch_on();
	s.fixture.project = service_project(&s);
	change_settings(true, SLICE("another secret"), now_ms(), 0);
	struct outcome outcome = post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE(VECTOR_1));
	EXPECT_STATUS(outcome, 401);
	s.fixture.project = mine;
}

Test(webhook, every_live_secret_is_good)
{
	static const struct slice body = TEXT(VECTOR_1);
	change_settings(true, SLICE("first"), now_ms(), 0);
	change_settings(true, SLICE("second"), now_ms(), 3600);
	change_settings(true, SLICE("third"), now_ms(), 3600);
	static const struct slice keys[] = {TEXT("first"), TEXT("second"), TEXT("third")};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct outcome outcome = post_signed(POST, AT, sign(keys[i], SLICE(AT), body), body);
		EXPECT_STATUS(outcome, 200);
	}
	expect_refused(post_signed(POST, AT, sign(SLICE("fourth"), SLICE(AT), body), body), "fourth", 0);
}

Test(webhook, an_expired_secret_is_not)
{
	static const struct slice body = TEXT(VECTOR_1);
	change_settings(true, SLICE("old"), now_ms() - 100000, 0);
	change_settings(true, SLICE("new"), now_ms() - 50000, 10);
	expect_refused(post_signed(POST, AT, sign(SLICE("old"), SLICE(AT), body), body), "old", 0);
	struct outcome outcome = post_signed(POST, AT, sign(SLICE("new"), SLICE(AT), body), body);
	EXPECT_STATUS(outcome, 200);
}

Test(webhook, which_secret_was_used_is_noted)
{
	struct key_name usage = project_key(s.fixture.project, "usage");
	switch_on();
	expect_refused(post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE("x")), "body", 0);
	cr_assert_eq(integer(ARGUMENTS(SLICE("HLEN"), key_slice(&usage))), 0);
	expect_status(SLICE(VECTOR_1), "recorded");
	cr_assert_eq(integer(ARGUMENTS(SLICE("HLEN"), key_slice(&usage))), 2);
}

// What bodies do. $ in a body stands for a double quote, so that they can be read.

#define FROM_JO "$data$:{$email_address$:$jo@example.com$}}"
#define OF_TYPE(metric, type) "{$metric$:$" metric "$,$object_type$:$" type "$,$timestamp$:1700000000," FROM_JO
#define EVENT(metric) "{$metric$:$" metric "$,$timestamp$:1700000000," FROM_JO
#define PREFERENCES "{$metric$:$cio_subscription_preferences_changed$,$timestamp$:1700000000,"
#define CONTENT(json) PREFERENCES "$data$:{$email_address$:$jo@example.com$,$content$:" json "}}"
#define TO(data) "{$metric$:$unsubscribed$,$timestamp$:1700000000,$data$:" data "}"
#define WHEN(json) "{$metric$:$unsubscribed$,$timestamp$:" json "," FROM_JO
#define TIME_S INT64_C(1700000000)
#define JO "jo@example.com"

static struct slice quoted(const char *text)
{
	struct slice copy = arena_copy(s.fixture.arena, slice_of(text));
	for (size_t i = 0; i < copy.length; i++) {
		if (copy.data[i] == '$')
			((char *)copy.data)[i] = '"';
	}
	return copy;
}

struct body_case {
	const char *body, *status;
	const char *reason;               // why it is quarantined
	const char *recipient, *category; // whose choice is to be looked at
	int64_t score;
};

static void run_case(const struct body_case *body_case)
{
	struct outcome outcome = post_bytes(quoted(body_case->body));
	cr_assert_eq(outcome.status, 200, "%s: %d", body_case->body, outcome.status);
	cr_assert(slice_equal(outcome_text(&outcome, "status"), slice_of(body_case->status)), "%s: %.*s",
	          body_case->body, (int)outcome.text.length, outcome.text.data);
	cr_assert_eq(totals_now().taken, strcmp(body_case->status, "quarantined") == 0, "%s", body_case->body);
	if (body_case->reason != NULL)
		EXPECT_TEXT(last_quarantined().reason, body_case->reason);
	if (body_case->recipient != NULL) {
		int64_t score = score_of(body_case->recipient, body_case->category);
		cr_assert_eq(score, body_case->score, "%s: %lld", body_case->body, (long long)score);
	}
}

// Each case in a project of its own.
static void run_cases(const struct body_case *cases, size_t count)
{
	struct slice first = s.fixture.project;
	for (size_t i = 0; i < count; i++) {
		s.fixture.project = service_project(&s);
		switch_on();
		run_case(&cases[i]);
		cr_assert_eq(project_delete(s.fixture.store, s.fixture.arena, s.fixture.project), RESULT_OK);
	}
	s.fixture.project = first;
}

Test(webhook, what_each_metric_does)
{
	static const struct body_case cases[] = {
		{EVENT("unsubscribed"), "recorded", NULL, JO, "$all", SCORE_OUT(TIME_S)},
		{OF_TYPE("unsubscribed", "sms"), "recorded", NULL, JO, "$all", SCORE_OUT(TIME_S)},
		{EVENT("subscribed"), "unchanged", NULL, JO, "$all", SCORE_IN(TIME_S)},
		{OF_TYPE("spammed", "email"), "recorded", NULL, JO, "$complaint", SCORE_OUT(TIME_S)},
		{OF_TYPE("spammed", "sms"), "ignored", NULL, JO, "$complaint", 0},
		{OF_TYPE("bounced", "email"), "recorded", NULL, JO, "$bounced", 0},
		{OF_TYPE("dropped", "email"), "recorded", NULL, JO, "$dropped", 0},
		{OF_TYPE("bounced", "push"), "ignored", NULL, JO, "$bounced", 0},
		{"{$metric$:$delivered$,$object_type$:$email$," FROM_JO, "ignored", NULL, JO, "$all", 0},
		{"{$metric$:$delivered$}", "ignored", NULL, NULL, NULL, 0},
		{"{$metric$:$delivered$,$data$:null}", "ignored", NULL, NULL, NULL, 0},
		{"{$metric$:$nobody knows$,$data$:[[[]]]}", "ignored", NULL, NULL, NULL, 0},
	};
	run_cases(cases, COUNT_OF(cases));
}

Test(webhook, bodies_that_are_no_event)
{
	static const struct body_case cases[] = {
		{"", "quarantined", NULL, NULL, NULL, 0},
		{" ", "quarantined", NULL, NULL, NULL, 0},
		{"{", "quarantined", NULL, NULL, NULL, 0},
		{"not JSON", "quarantined", NULL, NULL, NULL, 0},
		{"{}", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"[]", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"[{$metric$:$unsubscribed$}]", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"$unsubscribed$", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"42", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"-1e5", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"null", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"true", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"{$metric$:7}", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"{$metric$:null}", "quarantined", "not an object with a metric", NULL, NULL, 0},
		{"{$metric$:$unsubscribed$,$metric$:$subscribed$," FROM_JO, "quarantined", NULL, JO, "$all", 0},
		{TO("{$email_address$:$a@b.c$,$email_address$:$d@e.f$}"), "quarantined", NULL, "a@b.c", "$all", 0},
		{"{$metric$:$unsubscribed$," FROM_JO "{}", "quarantined", NULL, JO, "$all", 0},
		{"{$metric$:$unsubscribed$,$timestamp$:1e400," FROM_JO, "quarantined", NULL, JO, "$all", 0},
		{TO("{$email_address$:$jo\\u0000@example.com$}"), "quarantined", NULL, JO, "$all", 0},
		{TO("{$email_address$:$\\ud800@example.com$}"), "quarantined", NULL, NULL, NULL, 0},
		{TO("{$email_address$:$\xff@example.com$}"), "quarantined", NULL, NULL, NULL, 0},
	};
	run_cases(cases, COUNT_OF(cases));
}

#define TWO_HUNDRED \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

Test(webhook, whom_it_is_about)
{
	static const char longest[] = TWO_HUNDRED TWO_HUNDRED "01234567890123456789" TWO_HUNDRED;
	static const struct body_case cases[] = {
		{TO("{$email_address$:$ Jo@Example.COM $}"), "recorded", NULL, JO, "$all", SCORE_OUT(TIME_S)},
		{TO("{$email_address$:null,$identifiers$:{$email$:$jo@example.com$}}"), "recorded", NULL, JO, "$all",
	         SCORE_OUT(TIME_S)},
		{TO("{$email_address$:$$,$identifiers$:null,$recipient$:$jo@example.com$}"), "recorded", NULL, JO,
	         "$all", SCORE_OUT(TIME_S)},
		{TO("{$email_address$:$a@b.c$,$identifiers$:{$email$:$d@e.f$}}"), "recorded", NULL, "d@e.f", "$all", 0},
		{TO("null"), "quarantined", "no recipient", NULL, NULL, 0},
		{TO("{}"), "quarantined", "no recipient", NULL, NULL, 0},
		{TO("[]"), "quarantined", "no recipient", NULL, NULL, 0},
		{TO("$jo@example.com$"), "quarantined", "no recipient", JO, "$all", 0},
		{TO("{$email_address$:$  $,$identifiers$:{$id$:$$}}"), "quarantined", "no recipient", NULL, NULL, 0},
		{TO("{$email_address$:[$jo@example.com$]}"), "quarantined", "no recipient", JO, "$all", 0},
		{TO("{$email_address$:$a\\nb@c.d$}"), "quarantined", "recipient not acceptable", NULL, NULL, 0},
		{TO("{$email_address$:$a\\u007fb@c.d$,$identifiers$:{$id$:$42$}}"), "quarantined",
	         "recipient not acceptable", "42", "$all", 0},
		{TO("{$email_address$:$" TWO_HUNDRED TWO_HUNDRED TWO_HUNDRED "$}"), "quarantined",
	         "recipient not acceptable", NULL, NULL, 0},
		{TO("{$email_address$:$#0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef$}"),
	         "quarantined", "recipient not acceptable", NULL, NULL, 0},
		{"{$metric$:$unsubscribed$}", "quarantined", "no recipient", NULL, NULL, 0},
	};
	run_cases(cases, COUNT_OF(cases));
	cr_assert(sizeof(longest) > RECIPIENT_MAXIMUM);
	for (size_t over = 0; over <= 1; over++) {
		const char *address = longest + sizeof(longest) - 1 - RECIPIENT_MAXIMUM - over;
		const struct body_case body_case = {
			call_format(&s, TO("{$email_address$:$%s$}"), address),
			over ? "quarantined" : "recorded",
			over ? "recipient not acceptable" : NULL,
			address,
			"$all",
			over ? 0 : SCORE_OUT(TIME_S),
		};
		run_cases(&body_case, 1);
	}
}

Test(webhook, when_it_happened)
{
	static const struct body_case cases[] = {
		{WHEN("1700000000"), "recorded", NULL, JO, "$all", SCORE_OUT(TIME_S)},
		{WHEN("1"), "recorded", NULL, JO, "$all", SCORE_OUT(1)},
		{WHEN("0"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("-5"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("$soon$"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("$1700000000$"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("1e300"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("1700000000.5"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("253402300800"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("null"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{WHEN("[1700000000]"), "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{"{$metric$:$unsubscribed$," FROM_JO, "recorded", NULL, JO, "$all", SCORE_OUT(AT_S)},
		{"{$metric$:$subscribed$,$timestamp$:253402300799," FROM_JO, "quarantined", "from the future", JO,
	         "$all", 0},
	};
	run_cases(cases, COUNT_OF(cases));
}

Test(webhook, an_out_from_the_future_counts_as_now)
{
	switch_on();
	int64_t before_ms = now_ms();
	expect_status(quoted(WHEN("253402300799")), "recorded");
	cr_assert(score_of(JO, "$all") >= before_ms && score_of(JO, "$all") <= now_ms());
}

Test(webhook, without_any_good_time_it_happened_now)
{
	static const char *const timestamps[] = {"0", "253402300800", "99999999999999999999999999"};
	struct slice body = quoted(WHEN("$soon$"));
	switch_on();
	for (size_t i = 0; i < COUNT_OF(timestamps); i++) {
		int64_t before_ms = now_ms();
		struct outcome outcome =
			post_signed(POST, timestamps[i], sign(SLICE(KEY), slice_of(timestamps[i]), body), body);
		EXPECT_STATUS(outcome, 200);
		// The present second's end is still to come, and so counts as now.
		cr_assert(score_of(JO, "$all") >= before_ms - 1000 && score_of(JO, "$all") <= now_ms() + 1000);
	}
}

Test(webhook, of_one_second_out_wins)
{
	switch_on();
	expect_status(quoted(EVENT("unsubscribed")), "recorded");
	expect_status(quoted(EVENT("subscribed")), "unchanged");
	cr_assert_eq(score_of(JO, "$all"), SCORE_OUT(TIME_S));
	cr_assert_gt(lookup_at(JO, "preferences"), 0, "which was last, only Customer.io knows");
	expect_status(quoted("{$metric$:$subscribed$,$timestamp$:1700000001," FROM_JO), "recorded");
	cr_assert_eq(score_of(JO, "$all"), SCORE_IN(TIME_S + 1));
	expect_status(quoted("{$metric$:$unsubscribed$,$timestamp$:1699999999," FROM_JO), "unchanged");
	cr_assert_eq(score_of(JO, "$all"), SCORE_IN(TIME_S + 1));
}

Test(webhook, what_each_content_does)
{
	static const struct body_case cases[] = {
		{CONTENT("$"
	                 "{\\$topics\\$:{\\$topic_7\\$:false}}$"),
	         "recorded", NULL, JO, "customerio_topic_7", SCORE_OUT(TIME_S)},
		{CONTENT("{$topics$:{$topic_7$:false}}"), "recorded", NULL, JO, "customerio_topic_7",
	         SCORE_OUT(TIME_S)},
		{CONTENT("{$topics$:{$7$:false}}"), "recorded", NULL, JO, "customerio_topic_7", SCORE_OUT(TIME_S)},
		{CONTENT("{$topics$:{$topic_7$:true}}"), "unchanged", NULL, JO, "customerio_topic_7", SCORE_IN(TIME_S)},
		{CONTENT("{$topics$:{$topic_7$:true,$7$:false}}"), "recorded", NULL, JO, "customerio_topic_7",
	         SCORE_OUT(TIME_S)},
		{CONTENT("{$topics$:{}}"), "unchanged", NULL, JO, "customerio_topic_7", 0},
		{CONTENT("{$channels$:{$email$:false}}"), "unchanged", NULL, JO, "$all", 0},
		{CONTENT("{}"), "unchanged", NULL, JO, "$all", 0},
		{CONTENT("${}$"), "unchanged", NULL, JO, "$all", 0},
		{CONTENT("{$topics$:{$topic_7$:$false$,$topic_8$:false}}"), "quarantined",
	         "topic neither true nor false", JO, "customerio_topic_8", SCORE_OUT(TIME_S)},
		{CONTENT("{$topics$:{$topic_7$:null}}"), "quarantined", "topic neither true nor false", JO,
	         "customerio_topic_7", 0},
		{CONTENT("{$topics$:{$news$:false,$topic_8$:false}}"), "quarantined", "not a topic", JO,
	         "customerio_topic_8", SCORE_OUT(TIME_S)},
		{CONTENT("{$topics$:{$$:false}}"), "quarantined", "not a topic", JO, "$all", 0},
		{CONTENT("{$topics$:{$topic_1234567890$:false}}"), "quarantined", "not a topic", JO, "$all", 0},
		{CONTENT("{$topics$:{$customerio_topic_7$:false}}"), "quarantined", "not a topic", JO,
	         "customerio_topic_7", 0},
		{CONTENT("{$topics$:[$topic_7$]}"), "quarantined", "content not readable", JO, "customerio_topic_7", 0},
		{CONTENT("{$topics$:null}"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("[{$topics$:{$topic_7$:false}}]"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("[]"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("7"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("false"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("$topics$"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("$null$"), "quarantined", "content not readable", NULL, NULL, 0},
		{CONTENT("$"
	                 "{\\$topics\\$:{\\$topic_7\\$:false,\\$topic_7\\$:true}}$"),
	         "quarantined", "content not readable", JO, "customerio_topic_7", 0},
		{"{$metric$:$cio_subscription_preferences_changed$,$timestamp$:253402300799,$data$:{$email_address$:"
	         "$jo@example.com$,$content$:{$topics$:{$topic_7$:true}}}}",
	         "quarantined", "from the future", JO, "customerio_topic_7", 0},
	};
	run_cases(cases, COUNT_OF(cases));
}

Test(webhook, topic_changes_leave_the_global_choice)
{
	switch_on();
	expect_status(quoted(EVENT("unsubscribed")), "recorded");
	expect_status(quoted(CONTENT("{$topics$:{$topic_7$:true,$topic_8$:false}}")), "recorded");
	cr_assert_eq(score_of(JO, "$all"), SCORE_OUT(TIME_S));
	expect_status(quoted("{$metric$:$subscribed$,$timestamp$:1700000002," FROM_JO), "recorded");
	cr_assert_eq(score_of(JO, "customerio_topic_8"), SCORE_OUT(TIME_S));
}

Test(webhook, without_content_the_preferences_are_looked_up)
{
	static const char *const contents[] = {"null", "$$", "$ $"};
	switch_on();
	expect_status(quoted(PREFERENCES FROM_JO), "recorded");
	cr_assert_eq(lookup_at(JO, "preferences"), TIME_S * 1000);
	for (size_t i = 0; i < COUNT_OF(contents); i++) {
		struct slice body = quoted(call_format(&s, CONTENT("%s"), contents[i]));
		expect_status(body, "recorded");
	}
	cr_assert_eq(lookup_at(JO, "address"), 0);
	cr_assert_eq(totals_now().taken, 0);
}

Test(webhook, without_address_the_id_is_looked_up)
{
	static const struct {
		const char *id, *recipient;
	} ids[] = {{"$42$", "42"}, {"43", "43"}, {"$ u-44 $", "u-44"}};
	switch_on();
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		struct slice body =
			quoted(call_format(&s, TO("{$email_address$:null,$identifiers$:{$id$:%s}}"), ids[i].id));
		expect_status(body, "recorded");
		cr_assert_eq(score_of(ids[i].recipient, "$all"), SCORE_OUT(TIME_S));
		cr_assert_eq(lookup_at(ids[i].recipient, "address"), TIME_S * 1000);
	}
	expect_status(quoted(PREFERENCES "$data$:{$identifiers$:{$id$:$45$}}}"), "recorded");
	cr_assert_eq(lookup_at("45", "preferences"), TIME_S * 1000);
	expect_status(quoted("{$metric$:$delivered$,$data$:{$identifiers$:{$id$:$46$}}}"), "ignored");
	cr_assert_eq(lookup_at("46", "address"), 0);
}

Test(webhook, switched_off)
{
	static const struct body_case cases[] = {
		{TO("{$email_address$:$jo@example.com$}"), "quarantined", "switched off", JO, "$all", 0},
		{CONTENT("{$topics$:{$topic_7$:false}}"), "quarantined", "switched off", JO, "customerio_topic_7", 0},
		{"{$metric$:$bounced$,$object_type$:$email$," FROM_JO, "ignored", NULL, NULL, NULL, 0},
		{"{$metric$:$delivered$," FROM_JO, "ignored", NULL, NULL, NULL, 0},
		{"not JSON", "quarantined", NULL, NULL, NULL, 0},
	};
	struct slice first = s.fixture.project;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		s.fixture.project = service_project(&s);
		change_settings(false, SLICE(KEY), now_ms(), 0);
		run_case(&cases[i]);
		cr_assert_eq(audit_length(JO), 0);
	}
	s.fixture.project = first;
}

// Sizes.

Test(webhook, a_hundred_thousand_brackets)
{
	switch_on();
	expect_status(repeated("", '[', 100000, ""), "quarantined");
	expect_status(repeated("", '{', 100000, ""), "quarantined");
	expect_status(repeated("{\"metric\":\"unsubscribed\",\"data\":", '[', 100000, ""), "quarantined");
}

#define UNDERSTOOD ((size_t)4 << 20)

Test(webhook, four_mebibytes_and_one_byte_more)
{
	const char *start = quoted("{$metric$:$unsubscribed$,$timestamp$:1700000000,").data,
		   *end = quoted(FROM_JO).data;
	switch_on();
	expect_status(repeated(start, ' ', UNDERSTOOD + 1, end), "quarantined");
	cr_assert_eq(score_of(JO, "$all"), 0);
	struct quarantine_entry entry = last_quarantined();
	EXPECT_TEXT(entry.reason, "longer than 4 MiB");
	cr_assert_eq(entry.size, (int64_t)UNDERSTOOD + 1);
	cr_assert_eq(entry.body.length, QUARANTINE_BODY);
	cr_assert(slice_starts_with(entry.body, slice_of(start)));

	expect_status(repeated(start, ' ', UNDERSTOOD, end), "recorded");
	cr_assert_eq(score_of(JO, "$all"), SCORE_OUT(TIME_S));
}

Test(webhook, thirty_two_mebibytes_and_one_byte_more)
{
	struct slice body = repeated("", 'x', 8 * UNDERSTOOD + 1, "");
	switch_on();
	expect_status((struct slice){body.data, 8 * UNDERSTOOD}, "quarantined");
	cr_assert_eq(last_quarantined().size, 8 * (int64_t)UNDERSTOOD);
	const char *signature = sign(SLICE(KEY), SLICE(AT), body);
	for (int undeclared = 0; undeclared <= 1; undeclared++) {
		struct outcome outcome =
			CALL(&s, POST, .bytes = body, .undeclared = undeclared,
		             .headers = {{"HTTP_X_CIO_TIMESTAMP", AT}, {"HTTP_X_CIO_SIGNATURE", signature}});
		EXPECT_STATUS(outcome, 413);
		cr_assert(strstr(outcome_text(&outcome, "detail").data, "33554432") != NULL);
	}
	cr_assert_eq(totals_now().taken, 1);
}

Test(webhook, a_body_that_was_cut)
{
	switch_on();
	struct outcome outcome =
		CALL(&s, POST, .body = VECTOR_1, .cut = true,
	             .headers = {{"HTTP_X_CIO_TIMESTAMP", AT}, {"HTTP_X_CIO_SIGNATURE", VECTOR_1_SIGNATURE}});
	EXPECT_STATUS(outcome, 400);
	cr_assert_eq(score_of("test@example.com", "$all"), 0);
	cr_assert_eq(totals_now().taken, 0);
}

Test(webhook, a_hundred_thousand_topics)
{
	struct buffer *body = buffer_new(s.fixture.arena, UNDERSTOOD);
	struct key_name unknown = project_key(s.fixture.project, "unknown_topics");
	switch_on();
	buffer_append(body, quoted(PREFERENCES "$data$:{$email_address$:$jo@example.com$,$content$:{$topics$:{"
	                                       "$topic_0$:true"));
	for (int i = 1; i < 100000; i++)
		buffer_append(body, arena_format(s.fixture.arena, ",\"topic_%09d\":false", i));
	buffer_append_text(body, "}}}}");
	cr_assert(!buffer_failed(body));
	int64_t start_us = clock_monotonic_us();
	expect_status(buffer_slice(body), "quarantined");
	int64_t took_us = clock_monotonic_us() - start_us;
	EXPECT_TEXT(last_quarantined().reason, "too many unknown topics");
	cr_assert_eq(integer(ARGUMENTS(SLICE("SCARD"), key_slice(&unknown))), UNKNOWN_TOPICS_MAXIMUM);
	cr_assert_eq(score_of(JO, "customerio_topic_000000001"), SCORE_OUT(TIME_S));
	cr_assert_eq(score_of(JO, "customerio_topic_000099999"), 0);

	struct slice mixed = quoted("{$metric$:$cio_subscription_preferences_changed$,$timestamp$:1700000009,"
	                            "$data$:{$email_address$:$jo@example.com$,$content$:{$topics$:"
	                            "{$topic_000099999$:false,$topic_000000001$:true}}}}");
	expect_status(mixed, "quarantined");
	cr_assert_eq(score_of(JO, "customerio_topic_000000001"), SCORE_IN(TIME_S + 9));
	cr_assert_lt(took_us, 30000000, "%lld ms", (long long)took_us / 1000); // slow machines and sanitizers too
}

Test(webhook, four_mebibytes_of_small_things)
{
	static const char *const things[] = {"[],", "{},", "0,", "\"\",", "{\"a\":[]},"};
	switch_on();
	for (size_t i = 0; i < COUNT_OF(things); i++) {
		struct slice body = repeated("{\"metric\":\"unsubscribed\",\"data\":[", ' ', UNDERSTOOD, "0]}");
		size_t length = strlen(things[i]);
		for (size_t at = 40; at + length < body.length - 3; at += length)
			memcpy((char *)body.data + at, things[i], length);
		expect_status(body, "quarantined");
		EXPECT_TEXT(last_quarantined().reason, "no recipient");
	}
}

// Whatever is rightly signed is answered 200.
Test(webhook, damaged_bodies)
{
	struct dice dice = dice_new("damaged_bodies");
	switch_on();
	for (size_t round = 0; round < 2000; round++) {
		struct slice body = arena_copy(s.fixture.arena, vectors[dice_roll(&dice, 2)].body);
		for (uint64_t changes = dice_roll(&dice, 4); changes > 0; changes--)
			((char *)body.data)[dice_roll(&dice, body.length)] = (char)dice_roll(&dice, 256);
		body.length -= dice_roll(&dice, 4) == 0 ? dice_roll(&dice, body.length) : 0;
		struct outcome outcome = post_bytes(body);
		cr_assert_eq(outcome.status, 200, "%d for %.*s", outcome.status, (int)body.length, body.data);
		renew(round);
	}
}

// Redis away, or refusing.

Test(webhook, redis_away)
{
	struct store *here = s.fixture.store;
	const char *reason;
	switch_on();
	cr_assert_eq(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &s.fixture.store, &reason), RESULT_OK);
	struct outcome signed_well = post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE(VECTOR_1));
	struct outcome not_signed = post_signed(POST, AT, "", SLICE(VECTOR_1));
	store_free(s.fixture.store);
	s.fixture.store = here;
	EXPECT_STATUS(signed_well, 503);
	EXPECT_STATUS(not_signed, 401);
	cr_assert_eq(score_of("test@example.com", "$all"), 0);
}

static void block(struct key_name key)
{
	fixture_command(&s.fixture, ARGUMENTS(SLICE("SET"), key_slice(&key), SLICE("in the way")));
}

Test(webhook, what_cannot_be_stored_is_asked_for_again)
{
	int partition = partition_of(SLICE("test@example.com"));
	switch_on();
	block(partition_key(s.fixture.project, partition, "audit", SLICE("")));
	block(partition_key(s.fixture.project, partition, "lookups", SLICE("")));
	struct outcome outcome = post_bytes(SLICE(VECTOR_1));
	EXPECT_STATUS(outcome, 503);
	outcome = post_bytes(quoted(PREFERENCES "$data$:{$email_address$:$test@example.com$}}"));
	EXPECT_STATUS(outcome, 503);
	cr_assert_eq(totals_now().taken, 0);
	block(project_key(s.fixture.project, "quarantine"));
	outcome = post_bytes(SLICE("not JSON"));
	EXPECT_STATUS(outcome, 503);
	cr_assert_eq(score_of("test@example.com", "$all"), 0);
}

// Recent events and counters.

static struct slice metric_field(const char *status)
{
	return arena_format(s.fixture.arena, "ciobridge_webhooks_total{status=\"%s\"}", status);
}

static int64_t counter(const char *status)
{
	metrics_flush(s.fixture.store, s.fixture.arena, true);
	store_settle(s.fixture.store);
	return integer(ARGUMENTS(SLICE("HGET"), SLICE("cb:metrics"), metric_field(status)));
}

Test(webhook, each_status_is_counted)
{
	static const char *const statuses[] = {"recorded", "unchanged", "ignored", "quarantined"};
	const char *const bodies[] = {VECTOR_1, VECTOR_1, "{\"metric\":\"sent\"}", "not JSON"};
	switch_on();
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		int64_t before = counter(statuses[i]);
		expect_status(slice_of(bodies[i]), statuses[i]);
		cr_assert_gt(counter(statuses[i]), before, "%s", statuses[i]);
	}
}

static const struct json *row(const struct outcome *outcome, size_t index)
{
	return json_at(json_get(outcome->body, "results"), index);
}

static int64_t number(const struct json *object, const char *name)
{
	int64_t value = -1;
	cr_assert(json_to_integer(json_get(object, name), 0, INT64_MAX, &value), "no %s", name);
	return value;
}

Test(webhook, recent_events)
{
	switch_on();
	struct outcome outcome = CALL(&s, "GET /webhook/{project}/recent", .key = s.read);
	EXPECT_STATUS(outcome, 200);
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 0);
	expect_status(SLICE(VECTOR_1), "recorded");
	expect_status(SLICE("not JSON"), "quarantined");
	expect_refused(post_signed(POST, AT, VECTOR_1_SIGNATURE, SLICE("x")), "body", 0);

	outcome = CALL(&s, "GET /webhook/{project}/recent", .key = s.read);
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 2);
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
	EXPECT_TEXT(json_text(json_get(row(&outcome, 0), "status")), "quarantined");
	EXPECT_TEXT(json_text(json_get(row(&outcome, 1), "status")), "recorded");
	EXPECT_TEXT(json_text(json_get(row(&outcome, 1), "event_id")), "01E4C4CT6YDC7Y5M7FE1GWWPQJ");
	EXPECT_TEXT(json_text(json_get(row(&outcome, 1), "metric")), "unsubscribed");
	EXPECT_TEXT(json_text(json_get(row(&outcome, 1), "recipient")), "t…@example.com");
	EXPECT_TEXT(json_text(json_get(row(&outcome, 1), "made_at")), "2021-02-11T17:04:49.000Z");
	outcome = CALL(&s, "GET /webhook/{project}/recent?limit=1", .key = s.read);
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 1);
}

Test(webhook, who_may_look)
{
	static const struct {
		const char *line;
		bool read_may;
	} lines[] = {
		{"GET /webhook/{project}/recent", true},
		{"GET /webhook/{project}/quarantine", false},
		{"POST /webhook/{project}/quarantine/retry", false},
	};
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct outcome nobody = CALL(&s, lines[i].line);
		struct outcome ingest = CALL(&s, lines[i].line, .key = s.ingest_secret);
		struct outcome reader = CALL(&s, lines[i].line, .key = s.read);
		struct outcome admin = CALL(&s, lines[i].line, .key = s.admin);
		EXPECT_STATUS(nobody, 401);
		EXPECT_TEXT(outcome_header(&nobody, "WWW-Authenticate"), "Bearer");
		EXPECT_STATUS(ingest, 403);
		EXPECT_STATUS(reader, lines[i].read_may ? 200 : 403);
		EXPECT_STATUS(admin, 200);
	}
}

Test(webhook, limits_and_cursors_are_checked)
{
	static const struct {
		const char *line, *field;
	} bad[] = {
		{"GET /webhook/{project}/recent?limit=0", "limit"},
		{"GET /webhook/{project}/recent?limit=1001", "limit"},
		{"GET /webhook/{project}/recent?limit=x", "limit"},
		{"GET /webhook/{project}/quarantine?limit=0", "limit"},
		{"GET /webhook/{project}/quarantine?limit=1001", "limit"},
		{"GET /webhook/{project}/quarantine?cursor=x", "cursor"},
		{"GET /webhook/{project}/quarantine?cursor=%2B", "cursor"},
		{"GET /webhook/{project}/quarantine?cursor=1-1%0A", "cursor"},
		{"GET /webhook/{project}/quarantine?since=1-1", "since"},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct outcome outcome = CALL(&s, bad[i].line, .key = s.admin);
		cr_assert_eq(outcome.status, 422, "%s: %d", bad[i].line, outcome.status);
		cr_assert(outcome_names_field(&outcome, bad[i].field), "%s", bad[i].line);
	}
}

// Quarantine and retry.

Test(webhook, what_is_in_quarantine)
{
	switch_on();
	expect_status(SLICE("first\xff\1\""), "quarantined");
	expect_status(repeated("second", 'x', QUARANTINE_BODY + 10, ""), "quarantined");
	struct outcome outcome = CALL(&s, "GET /webhook/{project}/quarantine", .key = s.admin);
	EXPECT_STATUS(outcome, 200);
	cr_assert_eq(number(outcome.body, "count"), 2);
	cr_assert_eq(number(outcome.body, "bytes"), QUARANTINE_BODY + 8);
	cr_assert_eq(number(outcome.body, "taken"), 2);
	cr_assert_eq(number(outcome.body, "dropped"), 0);
	cr_assert_eq(json_count(json_get(outcome.body, "results")), 2);
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
	cr_assert_eq(number(row(&outcome, 0), "size"), QUARANTINE_BODY + 10);
	cr_assert_eq(json_text(json_get(row(&outcome, 0), "body")).length, QUARANTINE_BODY);
	cr_assert_eq(number(row(&outcome, 1), "size"), 8);
	cr_assert(strstr(outcome.text.data, "\"first\xef\xbf\xbd\\u0001\\\"\"") != NULL, "%.*s", 300,
	          outcome.text.data);
	cr_assert(quarantine_id_is_valid(json_text(json_get(row(&outcome, 1), "id"))));
	cr_assert(json_is_text(json_get(row(&outcome, 1), "received_at")));
	cr_assert(json_is_text(json_get(row(&outcome, 1), "reason")));
}

// How many rows all pages have together.
static size_t walk_quarantine(int limit, size_t *pages)
{
	size_t rows = 0;
	struct slice cursor = {NULL, 0};
	*pages = 0;
	do {
		const char *line = cursor.data == NULL
		                           ? call_format(&s, "GET /webhook/{project}/quarantine?limit=%d", limit)
		                           : call_format(&s, "GET /webhook/{project}/quarantine?limit=%d&cursor=%.*s",
		                                         limit, (int)cursor.length, cursor.data);
		struct outcome outcome = CALL(&s, line, .key = s.admin);
		EXPECT_STATUS(outcome, 200);
		size_t count = json_count(json_get(outcome.body, "results"));
		cr_assert(count > 0 && count <= (size_t)limit);
		rows += count;
		*pages += 1;
		cursor = json_text(json_get(outcome.body, "next_cursor"));
	} while (!slice_is_empty(cursor));
	return rows;
}

static void fill_quarantine(size_t count, struct slice body)
{
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(quarantine_add(s.fixture.store, s.fixture.arena, s.fixture.project, SLICE("a test"), AT_S,
		                            body, (int64_t)body.length),
		             RESULT_OK);
}

Test(webhook, pages_of_the_quarantine)
{
	size_t pages;
	fill_quarantine(40, SLICE("x"));
	cr_assert_eq(walk_quarantine(1000, &pages), 40);
	cr_assert_eq(pages, 1);
	cr_assert_eq(walk_quarantine(40, &pages), 40);
	cr_assert_eq(pages, 1);
	cr_assert_eq(walk_quarantine(39, &pages), 40);
	cr_assert_eq(pages, 2);
	cr_assert_eq(walk_quarantine(7, &pages), 40);
	cr_assert_eq(pages, 6);
}

Test(webhook, a_page_of_the_quarantine_has_a_length)
{
	size_t pages;
	fill_quarantine(100, repeated("", '\1', QUARANTINE_BODY, "")); // each six times as long in JSON
	cr_assert_eq(walk_quarantine(1000, &pages), 100);
	cr_assert_eq(pages, 3);
}

static struct outcome retry(const char *body)
{
	struct outcome outcome = CALL(&s, "POST /webhook/{project}/quarantine/retry", .key = s.admin, .body = body);
	EXPECT_STATUS(outcome, 200);
	return outcome;
}

static void expect_retried(struct outcome outcome, int64_t recorded, int64_t unchanged, int64_t ignored, int64_t kept)
{
	cr_assert_eq(number(outcome.body, "recorded"), recorded, "%.*s", (int)outcome.text.length, outcome.text.data);
	cr_assert_eq(number(outcome.body, "unchanged"), unchanged);
	cr_assert_eq(number(outcome.body, "ignored"), ignored);
	cr_assert_eq(number(outcome.body, "kept"), kept);
	cr_assert_eq(number(outcome.body, "retried"), recorded + unchanged + ignored + kept);
	cr_assert_eq(json_count(outcome.body), 5);
}

Test(webhook, retry_what_came_while_switched_off)
{
	change_settings(false, SLICE(KEY), now_ms(), 0);
	expect_status(SLICE(VECTOR_1), "quarantined");
	expect_status(SLICE(VECTOR_1), "quarantined");
	expect_status(quoted("{$metric$:$subscribed$," FROM_JO), "quarantined");
	expect_retried(retry("{}"), 0, 0, 0, 3);
	cr_assert_eq(score_of("test@example.com", "$all"), 0);
	cr_assert_eq(totals_now().taken, 3, "not taken again");

	change_settings(true, SLICE(""), 0, 0);
	expect_retried(retry(NULL), 1, 2, 0, 0);
	cr_assert_eq(score_of("test@example.com", "$all"), SCORE_OUT(AT_S));
	cr_assert_eq(score_of(JO, "$all"), SCORE_IN(AT_S), "X-CIO-Timestamp is remembered");
	cr_assert_eq(totals_now().waiting, 0);
	cr_assert_eq(totals_now().waiting_bytes, 0);
	cr_assert_eq(totals_now().taken, 3);
	cr_assert_eq(totals_now().dropped, 0);
}

Test(webhook, retry_keeps_what_is_still_not_understood)
{
	switch_on();
	fill_quarantine(50, SLICE("not JSON"));
	fill_quarantine(20, SLICE("{\"metric\":\"sent\"}"));
	fill_quarantine(1, SLICE(VECTOR_1));
	fill_quarantine(3, repeated(VECTOR_1, ' ', QUARANTINE_BODY + 1, ""));
	fill_quarantine(2, repeated(VECTOR_1, ' ', QUARANTINE_BODY, ""));
	expect_retried(retry("{}"), 1, 2, 20, 53);
	cr_assert_eq(totals_now().waiting, 53);
	cr_assert_eq(totals_now().waiting_bytes, 50 * 8 + 3 * QUARANTINE_BODY);
	cr_assert_eq(totals_now().taken, 76);
	expect_retried(retry("{}"), 0, 0, 0, 53);
}

Test(webhook, retry_those_named)
{
	switch_on();
	fill_quarantine(1, SLICE(VECTOR_2));
	struct slice second = last_quarantined().id;
	fill_quarantine(1, SLICE(VECTOR_1));
	struct slice first = last_quarantined().id;
	expect_retried(retry(call_format(&s, "{\"ids\":[\"%.*s\",\"1-1\"]}", (int)first.length, first.data)), 1, 0, 0,
	               0);
	cr_assert_eq(totals_now().waiting, 1);
	cr_assert(slice_equal(last_quarantined().id, second));
	expect_retried(retry("{\"ids\":[]}"), 0, 0, 0, 0);
	cr_assert_eq(totals_now().waiting, 1);
}

Test(webhook, retry_checks_what_it_is_given)
{
	static const char *const bodies[] = {
		"{\"ids\":[\"x\"]}", "{\"ids\":[7]}",       "{\"ids\":[null]}", "{\"ids\":[\"1-1\",\"+\"]}",
		"{\"ids\":\"1-1\"}", "{\"ids\":{}}",        "{\"all\":true}",   "[]",
		"{\"ids\":[[]]}",    "{\"ids\":[\"1-1 \"]}"};
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct outcome outcome =
			CALL(&s, "POST /webhook/{project}/quarantine/retry", .key = s.admin, .body = bodies[i]);
		cr_assert_eq(outcome.status, 422, "%s: %d", bodies[i], outcome.status);
	}
}

Test(webhook, the_quarantine_is_bounded)
{
	switch_on();
	fill_quarantine(QUARANTINE_ENTRIES, SLICE("x"));
	expect_status(SLICE("not JSON"), "quarantined");
	cr_assert_eq(totals_now().waiting, QUARANTINE_ENTRIES);
	cr_assert_eq(totals_now().dropped, 1);
	expect_retried(retry("{}"), 0, 0, 0, QUARANTINE_ENTRIES);
}

Test(webhook, the_query_is_nobodys_business)
{
	static const char *const queries[] = {"?a=b", "?", "?a=b&a=b", "?%zz", "?cursor=x"};
	struct slice body = SLICE("{\"metric\":\"sent\"}");
	switch_on();
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		const char *line = call_format(&s, "%s%s", POST, queries[i]);
		struct outcome outcome = post_signed(line, AT, sign(SLICE(KEY), SLICE(AT), body), body);
		EXPECT_STATUS(outcome, 200);
	}
}

Test(webhook, a_secret_that_cannot_be_opened_is_no_wrong_signature)
{
	struct slice body = SLICE("{\"metric\":\"sent\"}");
	switch_on();
	s.config.master_key = SLICE("another master key that seals nothing here");
	EXPECT_STATUS(post_bytes(body), 503);
	s.config.master_key = SLICE(CALL_MASTER_KEY);
	EXPECT_STATUS(post_bytes(body), 200);
}

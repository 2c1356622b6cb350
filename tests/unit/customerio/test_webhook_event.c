// What a webhook's headers and body say.
#include "customerio/webhook_event.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}

static struct arena *arena;
static void set_up(void)
{
	arena = arena_new((size_t)64 << 20);
}
static void tear_down(void)
{
	arena_free(arena);
}
TestSuite(webhook_event, .init = set_up, .fini = tear_down, .timeout = 30);

#define DIGITS_62 "00000000000000000000000000000000000000000000000000000000000000"

Test(webhook_event, a_signature_is_64_hexadecimal_digits)
{
	unsigned char signature[32];
	cr_assert(webhook_signature_read(SLICE("0aF9" DIGITS_62), signature) == false, "66 digits");
	cr_assert(webhook_signature_read(SLICE("aF" DIGITS_62), signature));
	cr_assert_eq(signature[0], 0xaf);
	cr_assert_eq(signature[31], 0);
	cr_assert(webhook_signature_read(SLICE(DIGITS_62 "9B"), signature));
	cr_assert_eq(signature[0], 0);
	cr_assert_eq(signature[31], 0x9b);
}

Test(webhook_event, what_is_no_signature)
{
	static const struct slice bad[] = {
		TEXT(""),
		TEXT(DIGITS_62),
		TEXT(DIGITS_62 "0"),
		TEXT(DIGITS_62 "000"),
		TEXT(DIGITS_62 "0g"),
		TEXT(DIGITS_62 "G0"),
		TEXT(DIGITS_62 "0\0"),
		TEXT(DIGITS_62 " 0"),
		TEXT(DIGITS_62 "0x"),
		{NULL, 0},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		unsigned char signature[32] = {7};
		cr_assert_not(webhook_signature_read(bad[i], signature), "case %zu", i);
		cr_assert_eq(signature[0], 7, "case %zu wrote", i);
	}
}

Test(webhook_event, a_timestamp_is_digits)
{
	static const struct {
		struct slice header;
		bool good;
		int64_t seconds;
	} cases[] = {
		{TEXT("1613063089"), true, 1613063089},
		{TEXT("0001613063089"), true, 1613063089},
		{TEXT("1"), true, 1},
		{TEXT("0"), true, 0},
		{TEXT("253402300799"), true, INT64_C(253402300799)},
		{TEXT("253402300800"), true, 0},
		{TEXT("99999999999999999999999999999999"), true, 0},
		{TEXT(""), false, -1},
		{TEXT(" 1"), false, -1},
		{TEXT("+1"), false, -1},
		{TEXT("-1"), false, -1},
		{TEXT("1.0"), false, -1},
		{TEXT("1e3"), false, -1},
		{TEXT("1\0"), false, -1},
		{TEXT("0x10"), false, -1},
		{{NULL, 0}, false, -1},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t seconds = -1;
		cr_assert_eq(webhook_timestamp_read(cases[i].header, &seconds), cases[i].good, "case %zu", i);
		cr_assert_eq(seconds, cases[i].seconds, "case %zu: %lld", i, (long long)seconds);
	}
}

static struct webhook_event read_event(struct slice body)
{
	struct webhook_event event;
	struct slice reason = {NULL, 0};
	cr_assert(webhook_event_read(arena, body, &event, &reason) == RESULT_OK, "%.*s: %.*s", (int)body.length,
	          body.data, (int)reason.length, reason.data);
	return event;
}

Test(webhook_event, what_is_not_an_event)
{
	static const struct slice bad[] = {
		TEXT(""),
		TEXT("null"),
		TEXT("[]"),
		TEXT("\"unsubscribed\""),
		TEXT("42"),
		TEXT("{}"),
		TEXT("{\"metric\":null}"),
		TEXT("{\"metric\":\"\"}"),
		TEXT("{\"metric\":7}"),
		TEXT("{\"metric\":[\"unsubscribed\"]}"),
		TEXT("[{\"metric\":\"unsubscribed\"}]"),
		TEXT("{\"metric\":\"unsubscribed\",\"metric\":\"subscribed\"}"),
		TEXT("{\"metric\":\"unsubscribed\"} x"),
		TEXT("{\"metric\":\"unsub"),
		TEXT("{\"metric\":\"\xff\"}"),
		TEXT("{\"metric\":\"unsubscribed\",\"data\":{\"email_address\":\"a\\u0000@b.c\"}}"),
		TEXT("{\"metric\":\"unsubscribed\",\"timestamp\":1e400}"),
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct webhook_event event = {.timestamp_s = 7};
		struct slice reason = {NULL, 0};
		cr_assert(webhook_event_read(arena, bad[i], &event, &reason) == RESULT_MALFORMED, "case %zu", i);
		cr_assert(reason.length > 0, "case %zu", i);
		cr_assert_eq(event.timestamp_s, 7, "case %zu wrote", i);
	}
}

Test(webhook_event, a_hundred_thousand_brackets)
{
	char *body = arena_alloc(arena, 100000);
	struct webhook_event event;
	struct slice reason;
	memset(body, '[', 100000);
	cr_assert(webhook_event_read(arena, (struct slice){body, 100000}, &event, &reason) == RESULT_MALFORMED);
}

#define WITH(metric, rest) TEXT("{\"metric\":\"" metric "\"" rest ",\"data\":{}}")

Test(webhook_event, the_metric_and_its_channel)
{
	static const struct {
		struct slice body;
		enum webhook_metric metric;
	} cases[] = {
		{WITH("subscribed", ""), WEBHOOK_SUBSCRIBED},
		{WITH("unsubscribed", ""), WEBHOOK_UNSUBSCRIBED},
		{WITH("unsubscribed", ",\"object_type\":\"sms\""), WEBHOOK_UNSUBSCRIBED},
		{WITH("cio_subscription_preferences_changed", ",\"object_type_type\":\"push\""),
	         WEBHOOK_PREFERENCES_CHANGED},
		{WITH("spammed", ",\"object_type\":\"email\""), WEBHOOK_SPAMMED},
		{WITH("spammed", ",\"object_type_type\":\"email\""), WEBHOOK_SPAMMED},
		{WITH("spammed", ""), WEBHOOK_SPAMMED},
		{WITH("spammed", ",\"object_type\":\"sms\""), WEBHOOK_OTHER},
		{WITH("bounced", ",\"object_type\":\"email\""), WEBHOOK_BOUNCED},
		{WITH("bounced", ",\"object_type\":\"push\""), WEBHOOK_OTHER},
		{WITH("bounced", ",\"object_type_type\":\"push\""), WEBHOOK_OTHER},
		{WITH("dropped", ",\"object_type\":\"email\""), WEBHOOK_DROPPED},
		{WITH("dropped", ",\"object_type\":\"whatsapp\""), WEBHOOK_OTHER},
		{WITH("delivered", ",\"object_type\":\"email\""), WEBHOOK_OTHER},
		{WITH("Unsubscribed", ""), WEBHOOK_OTHER},
		{WITH("no such thing", ""), WEBHOOK_OTHER},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_assert_eq(read_event(cases[i].body).metric, cases[i].metric, "case %zu", i);
}

Test(webhook_event, what_changes_what_may_be_sent)
{
	static const bool is_preference[] = {
		[WEBHOOK_SUBSCRIBED] = true, [WEBHOOK_UNSUBSCRIBED] = true, [WEBHOOK_PREFERENCES_CHANGED] = true,
		[WEBHOOK_SPAMMED] = true,    [WEBHOOK_BOUNCED] = false,     [WEBHOOK_DROPPED] = false,
		[WEBHOOK_OTHER] = false,
	};
	for (size_t i = 0; i < COUNT_OF(is_preference); i++)
		cr_assert_eq(webhook_metric_is_preference((enum webhook_metric)i), is_preference[i], "metric %zu", i);
}

#define TIMED(json) TEXT("{\"metric\":\"subscribed\",\"timestamp\":" json "}")

Test(webhook_event, when_it_happened)
{
	static const struct {
		struct slice body;
		int64_t seconds;
	} cases[] = {
		{TIMED("1613063089"), 1613063089},
		{TIMED("1613063089.0"), 1613063089},
		{TIMED("1"), 1},
		{TIMED("253402300799"), INT64_C(253402300799)},
		{TIMED("253402300800"), 0},
		{TIMED("0"), 0},
		{TIMED("-5"), 0},
		{TIMED("1.5"), 0},
		{TIMED("1e300"), 0},
		{TIMED("\"soon\""), 0},
		{TIMED("\"1613063089\""), 0},
		{TIMED("null"), 0},
		{TIMED("true"), 0},
		{TIMED("[1613063089]"), 0},
		{TEXT("{\"metric\":\"subscribed\"}"), 0},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_assert_eq(read_event(cases[i].body).timestamp_s, cases[i].seconds, "case %zu", i);
}

#define OF(data) TEXT("{\"metric\":\"subscribed\",\"data\":" data "}")

Test(webhook_event, whom_it_is_about)
{
	static const struct {
		struct slice body, address, id;
	} cases[] = {
		{OF("{\"email_address\":\"a@b.c\",\"identifiers\":{\"id\":\"42\",\"email\":\"d@e.f\"},"
	            "\"recipient\":\"g@h.i\"}"),
	         TEXT("a@b.c"), TEXT("42")},
		{OF("{\"email_address\":null,\"identifiers\":{\"email\":\"d@e.f\"},\"recipient\":\"g@h.i\"}"),
	         TEXT("d@e.f"), TEXT("")},
		{OF("{\"email_address\":\" \\t\",\"identifiers\":{\"email\":\"\"},\"recipient\":\" g@h.i \"}"),
	         TEXT("g@h.i"), TEXT("")},
		{OF("{\"email_address\":7,\"identifiers\":{\"email\":\"d@e.f\"}}"), TEXT("d@e.f"), TEXT("")},
		{OF("{\"email_address\":\"a@b.c\",\"identifiers\":null}"), TEXT("a@b.c"), TEXT("")},
		{OF("{\"identifiers\":{\"id\":42}}"), TEXT(""), TEXT("42")},
		{OF("{\"identifiers\":{\"id\":-9223372036854775808}}"), TEXT(""), TEXT("-9223372036854775808")},
		{OF("{\"identifiers\":{\"id\":\" 42 \"}}"), TEXT(""), TEXT("42")},
		{OF("{\"identifiers\":{\"id\":\"  \"}}"), TEXT(""), TEXT("")},
		{OF("{\"identifiers\":{\"id\":1.5}}"), TEXT(""), TEXT("")},
		{OF("{\"identifiers\":{\"id\":true}}"), TEXT(""), TEXT("")},
		{OF("{\"identifiers\":[\"42\"]}"), TEXT(""), TEXT("")},
		{OF("{\"identifiers\":\"42\"}"), TEXT(""), TEXT("")},
		{OF("{\"id\":\"42\",\"customer_id\":\"42\"}"), TEXT(""), TEXT("")},
		{OF("null"), TEXT(""), TEXT("")},
		{OF("[]"), TEXT(""), TEXT("")},
		{OF("\"a@b.c\""), TEXT(""), TEXT("")},
		{TEXT("{\"metric\":\"subscribed\"}"), TEXT(""), TEXT("")},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct webhook_event event = read_event(cases[i].body);
		cr_assert(slice_equal(event.address, cases[i].address), "case %zu: %.*s", i, (int)event.address.length,
		          event.address.data);
		cr_assert(slice_equal(event.id, cases[i].id), "case %zu: %.*s", i, (int)event.id.length, event.id.data);
	}
}

Test(webhook_event, which_content_there_is)
{
	static const struct {
		struct slice body;
		bool is_there;
	} cases[] = {
		{OF("{\"content\":\"{}\"}"), true},
		{OF("{\"content\":{}}"), true},
		{OF("{\"content\":[]}"), true},
		{OF("{\"content\":false}"), true},
		{OF("{\"content\":\"x\"}"), true},
		{OF("{\"content\":\"\"}"), false},
		{OF("{\"content\":null}"), false},
		{OF("{\"content\":\" \"}"), false},
		{OF("{}"), false},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_assert_eq(read_event(cases[i].body).content != NULL, cases[i].is_there, "case %zu", i);
}

Test(webhook_event, its_id_has_a_maximum)
{
	static const int lengths[] = {1, 26, WEBHOOK_EVENT_ID_MAXIMUM, WEBHOOK_EVENT_ID_MAXIMUM + 1, 100000};
	static const size_t kept[] = {1, 26, WEBHOOK_EVENT_ID_MAXIMUM, 0, 0};
	cr_assert_eq(read_event(SLICE("{\"metric\":\"x\",\"event_id\":26}")).event_id.length, 0);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct slice body = arena_format(arena, "{\"metric\":\"x\",\"event_id\":\"%0*d\"}", lengths[i], 7);
		cr_assert_eq(read_event(body).event_id.length, kept[i], "case %zu", i);
	}
}

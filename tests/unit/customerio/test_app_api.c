// The App API against a peer that answers from a script: what is asked, what is read, what is tried again.
#include "../../support/fixture.h"
#include "../../support/peer.h"
#include "base/clock.h"
#include "customerio/app_api.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY "the-app-api-key-of-the-tests"
#define TRIES 3

static struct fixture f;
static struct http_client *http;
static struct config config;
static struct app_effort effort = {.tries = TRIES, .pause_ms = 10, .most_ms = 3000, .timeout_ms = 500};
static struct app_api api;

static int betweens, betweens_left;

static enum result between(void *context)
{
	(void)context;
	return ++betweens == betweens_left ? RESULT_STOP : RESULT_OK;
}

static void set_up(void)
{
	f = fixture_open();
	http = http_client_new(&(struct http_options){.patience = {.between = between}});
	cr_assert(http != NULL);
	api = (struct app_api){
		.http = http,
		.store = f.store,
		.config = &config,
		.project = f.project,
		.key = SLICE(KEY),
		.effort = &effort,
	};
}
static void tear_down(void)
{
	http_client_free(http);
	fixture_close(&f);
}
TestSuite(app_api, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *good(const char *body)
{
	return peer_json(f.arena, "200 OK", "", body);
}

static bool holds(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

static void expect_text(struct slice text, const char *wanted)
{
	cr_assert(slice_equal(text, slice_of(wanted)), "%.*s instead of %s", (int)text.length, text.data, wanted);
}

static enum result read_topics(const struct app_topic **topics, size_t *count)
{
	return app_api_topics(&api, f.arena, topics, count);
}

// Reads the topics where it does not matter which.
static enum result ask(void)
{
	const struct app_topic *topics;
	size_t count;
	return read_topics(&topics, &count);
}

Test(app_api, topics)
{
	AUTO(peer_close) struct peer *peer = PEER(
		{.text = good("{\"topics\":[{\"id\":4,\"identifier\":\"topic_4\",\"name\":\"News\","
	                      "\"description\":\"D\","
	                      "\"subscribed_by_default\":true,\"public_description\":\"P\",\"transactional\":true},"
	                      "{\"id\":\"5\",\"name\":\"Offers\",\"subscribed_by_default\":false},"
	                      "{\"identifier\":\"topic_6\",\"name\":null}],\"more\":1}")},
		{.text = good("{\"topics\":[]}")}, {.text = good("{\"topics\":null}")});
	const struct app_topic *topics;
	size_t count;
	config.app_url = peer_url(peer);
	cr_assert(read_topics(&topics, &count) == RESULT_OK, "%s", api.fault.data);
	cr_assert_eq(count, 3);
	cr_assert(topics[0].id == 4 && topics[0].subscribed_by_default && topics[0].transactional);
	expect_text(topics[0].identifier, "topic_4");
	expect_text(topics[0].name, "News");
	expect_text(topics[0].description, "D");
	expect_text(topics[0].public_description, "P");
	cr_assert(topics[1].id == 5 && !topics[1].subscribed_by_default && !topics[1].transactional);
	expect_text(topics[1].identifier, "topic_5");
	expect_text(topics[1].description, "");
	cr_assert_eq(topics[2].id, 6);
	expect_text(topics[2].name, "");
	for (int i = 0; i < 2; i++) {
		cr_assert(read_topics(&topics, &count) == RESULT_OK);
		cr_assert_eq(count, 0);
	}
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("GET /v1/subscription_topics HTTP/1.1\r\n")), "%s", asked.data);
	cr_assert(holds(asked, "\r\nAuthorization: Bearer " KEY "\r\n"));
}

Test(app_api, thousands_of_topics)
{
	struct buffer *body = buffer_new(f.arena, 1 << 22);
	buffer_append_text(body, "{\"topics\":[");
	for (int i = 1; i <= 10000; i++) {
		buffer_append_text(body, i == 1 ? "{\"id\":" : ",{\"id\":");
		buffer_append_integer(body, i);
		buffer_append_text(body, ",\"name\":\"A topic with a name of some length\",\"description\":\"\"}");
	}
	buffer_append(body, (struct slice){"]}", 3});
	AUTO(peer_close) struct peer *peer = PEER({.text = good(buffer_slice(body).data)});
	const struct app_topic *topics;
	size_t count;
	config.app_url = peer_url(peer);
	cr_assert(read_topics(&topics, &count) == RESULT_OK, "%s", api.fault.data);
	cr_assert_eq(count, 10000);
	expect_text(topics[9999].identifier, "topic_10000");
}

Test(app_api, pages)
{
	AUTO(peer_close) struct peer *peer =
		PEER({.text = good("{\"identifiers\":[{\"email\":\"a@x.y\",\"id\":\"1\",\"cio_id\":\"a300\"},"
	                           "{\"email\":null,\"id\":2,\"cio_id\":3},{\"email\":\"b@x.y\"}],"
	                           "\"ids\":[\"1\",\"2\",\"\"],\"next\":\"MDo+/=x\"}")},
	             {.text = good("{\"identifiers\":[],\"ids\":[],\"next\":\"\"}")},
	             {.text = good("{\"identifiers\":null,\"ids\":null}")},
	             {.text = good("{\"identifiers\":[],\"next\":null}")});
	struct app_page page;
	config.app_url = peer_url(peer);
	cr_assert(app_api_unsubscribed(&api, f.arena, SLICE(""), &page) == RESULT_OK, "%s", api.fault.data);
	cr_assert_eq(page.count, 3);
	expect_text(page.people[0].email, "a@x.y");
	expect_text(page.people[0].id, "1");
	expect_text(page.people[0].cio_id, "a300");
	expect_text(page.people[1].email, "");
	expect_text(page.people[1].id, "2");
	expect_text(page.people[1].cio_id, "3");
	expect_text(page.people[2].id, "");
	expect_text(page.next, "MDo+/=x");
	struct slice next = page.next;
	for (int i = 0; i < 3; i++) {
		cr_assert(app_api_unsubscribed(&api, f.arena, next, &page) == RESULT_OK);
		cr_assert_eq(page.count, 0);
		expect_text(page.next, "");
	}
	struct slice first = slice_of(peer_request(peer, 0)), second = slice_of(peer_request(peer, 1));
	cr_assert(slice_starts_with(first, SLICE("POST /v1/customers?limit=1000 HTTP/1.1\r\n")), "%s", first.data);
	cr_assert(holds(first, "\r\nContent-Type: application/json\r\n"));
	cr_assert(holds(first, "\r\n\r\n{\"filter\":{\"attribute\":{\"field\":\"unsubscribed\",\"operator\":\"eq\","
	                       "\"value\":true}}}"));
	cr_assert(holds(second, "POST /v1/customers?limit=1000&start=MDo%2B%2F%3Dx HTTP/1.1\r\n"), "%s", second.data);
}

Test(app_api, a_customer)
{
	AUTO(peer_close) struct peer *peer = PEER(
		{.text = good("{\"customer\":{\"id\":\"1\",\"identifiers\":{\"id\":\"1\",\"email\":\"a@x.y\","
	                      "\"cio_id\":\"03\"},\"attributes\":{\"id\":\"1\",\"cio_subscription_preferences\":"
	                      "\"{\\\"topics\\\":{\\\"topic_7\\\":false,\\\"topic_8\\\":true}}\","
	                      "\"_cio_subscription_preferences_computed\":\"{}\"},\"unsubscribed\":true}}")},
		{.text = good("{\"customer\":{\"id\":2,\"attributes\":"
	                      "{\"email\":\"b@x.y\",\"unsubscribed\":\"TRUE\"}}}")},
		{.text = good("{\"customer\":{\"id\":2,\"attributes\":{\"cio_subscription_preferences\":\"none\"}}}")});
	struct app_customer customer;
	config.app_url = peer_url(peer);
	cr_assert(app_api_customer(&api, f.arena, APP_EMAIL, SLICE("a+b@x.y/?#"), &customer) == RESULT_OK);
	expect_text(customer.person.email, "a@x.y");
	expect_text(customer.person.cio_id, "03");
	cr_assert(customer.unsubscribed);
	cr_assert_eq(customer.preferences.count, 2);
	expect_text(customer.preferences.items[0].topic, "topic_7");
	cr_assert_eq(customer.preferences.items[0].state, TOPIC_OUT);
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("GET /v1/customers/a%2Bb%40x.y%2F%3F%23/attributes?id_type=email ")),
	          "%s", asked.data);
	cr_assert(app_api_customer(&api, f.arena, APP_ID, SLICE("2"), &customer) == RESULT_OK);
	expect_text(customer.person.email, "b@x.y");
	expect_text(customer.person.id, "2");
	cr_assert(customer.unsubscribed);
	cr_assert_eq(customer.preferences.count, 0);
	cr_assert(app_api_customer(&api, f.arena, APP_CIO_ID, SLICE("2"), &customer) == RESULT_INVALID);
	cr_assert(api.fault.length > 0);
	cr_assert_eq(peer_requests(peer), 3);
	cr_assert(holds(slice_of(peer_request(peer, 2)), "?id_type=cio_id "));
}

Test(app_api, names_that_lead_elsewhere)
{
	static const char *const names[] = {"", ".", ".."};
	AUTO(peer_close) struct peer *peer = PEER({.text = good("{}")});
	struct app_customer customer;
	config.app_url = peer_url(peer);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		cr_assert(app_api_customer(&api, f.arena, APP_ID, slice_of(names[i]), &customer) == RESULT_NOT_FOUND);
	cr_assert_eq(peer_requests(peer), 0);
}

Test(app_api, preferences)
{
	AUTO(peer_close) struct peer *peer =
		PEER({.text = good("{\"customer\":{\"id\":\"1\",\"identifiers\":{\"email\":\"a@x.y\"},"
	                           "\"unsubscribed\":true,"
	                           "\"topics\":[{\"id\":1,\"name\":\"Offers\",\"subscribed\":true},"
	                           "{\"id\":\"2\",\"subscribed\":false}],\"header\":{}}}")},
	             {.text = good("{\"customer\":{\"id\":\"1\",\"topics\":[{\"id\":1,\"subscribed\":\"yes\"}]}}")});
	struct app_customer customer;
	config.app_url = peer_url(peer);
	cr_assert(app_api_preferences(&api, f.arena, APP_EMAIL, SLICE("a@x.y"), &customer) == RESULT_OK);
	cr_assert(customer.unsubscribed);
	cr_assert_eq(customer.preferences.count, 2);
	expect_text(customer.preferences.items[0].topic, "topic_1");
	cr_assert_eq(customer.preferences.items[0].state, TOPIC_IN);
	expect_text(customer.preferences.items[1].topic, "topic_2");
	cr_assert_eq(customer.preferences.items[1].state, TOPIC_OUT);
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(holds(asked, "GET /v1/customers/a%40x.y/subscription_preferences?id_type=email "), "%s", asked.data);
	cr_assert(app_api_preferences(&api, f.arena, APP_EMAIL, SLICE("a@x.y"), &customer) == RESULT_MALFORMED);
}

Test(app_api, an_export)
{
	AUTO(peer_close) struct peer *peer =
		PEER({.text = good("{\"export\":{\"id\":110,\"type\":\"customers\",\"failed\":false,"
	                           "\"status\":\"pending\","
	                           "\"total\":0,\"created_at\":1530296738}}")},
	             {.text = good("{\"export\":{\"id\":\"110\",\"status\":\"done\",\"total\":1234}}")},
	             {.text = good("{\"export\":{\"id\":110,\"failed\":true,\"status\":\"pending\"}}")},
	             {.text = good("{\"export\":{\"id\":110,\"status\":\"failed\"}}")},
	             {.text = good("{\"url\":\"https://store.example/file?signature=1\"}")},
	             {.text = good("{\"export\":null}")});
	struct app_export export;
	struct slice link;
	config.app_url = peer_url(peer);
	cr_assert(app_api_export_create(&api, f.arena, &export) == RESULT_OK, "%s", api.fault.data);
	cr_assert(export.id == 110 && export.status == APP_EXPORT_PENDING && export.total == 0);
	cr_assert_eq(export.created_at_ms, INT64_C(1530296738000));
	cr_assert(app_api_export_read(&api, f.arena, 110, &export) == RESULT_OK);
	cr_assert(export.id == 110 && export.status == APP_EXPORT_DONE && export.total == 1234);
	cr_assert_eq(export.created_at_ms, 0);
	for (int i = 0; i < 2; i++) {
		cr_assert(app_api_export_read(&api, f.arena, 110, &export) == RESULT_OK);
		cr_assert_eq(export.status, APP_EXPORT_FAILED);
	}
	cr_assert(app_api_export_link(&api, f.arena, 110, &link) == RESULT_OK);
	expect_text(link, "https://store.example/file?signature=1");
	cr_assert(app_api_export_read(&api, f.arena, 110, &export) == RESULT_MALFORMED);
	struct slice made = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(made, SLICE("POST /v1/exports/customers HTTP/1.1\r\n")), "%s", made.data);
	cr_assert(holds(made, "{\"filters\":{\"attribute\":{\"field\":\"cio_subscription_preferences\",\"operator\":"
	                      "\"exists\"}},\"attributes\":[\"email\",\"cio_subscription_preferences\"]}"));
	cr_assert(holds(slice_of(peer_request(peer, 1)), "GET /v1/exports/110 HTTP/1.1\r\n"));
	cr_assert(holds(slice_of(peer_request(peer, 4)), "GET /v1/exports/110/download HTTP/1.1\r\n"));
}

// What is over with the next try.
static const struct peer_answer passing[] = {
	{.text = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"},
	{.text = "HTTP/1.1 429 Too Many Requests\r\nDate: Sun, 22 Nov 2026 18:00:00 GMT\r\n"
                 "Retry-After: Sun, 22 Nov 2026 18:00:01 GMT\r\nContent-Length: 0\r\n\r\n"},
	{.text = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"},
	{.text = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}"},
	{.text = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"},
	{.text = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"},
	{.text = "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n"},
	{.text = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"topics\":[{"},
	{.text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
	{.text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"},
	{.text = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"topics\":[{}]}"},
	{.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{.text = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"topics\":", .end = PEER_CLOSES},
	{.end = PEER_CLOSES},
	{.end = PEER_RESETS},
	{.end = PEER_HANGS},
};

Test(app_api, what_passes_is_tried_again)
{
	for (size_t i = 0; i < COUNT_OF(passing); i++) {
		AUTO(peer_close) struct peer *peer = PEER(passing[i], passing[i], {.text = good("{\"topics\":[]}")});
		int64_t started_us = clock_monotonic_us();
		config.app_url = peer_url(peer);
		cr_expect_eq(ask(), RESULT_OK, "%zu: %s", i, api.fault.data);
		cr_expect_eq(peer_requests(peer), 3, "%zu", i);
		cr_expect_eq(api.fault.length, 0);
		bool told = passing[i].text != NULL && holds(slice_of(passing[i].text), "Retry-After");
		cr_expect(!told || clock_monotonic_us() - started_us >= 2000000, "%zu", i);
	}
}

Test(app_api, what_does_not_pass_fails)
{
	static const enum result results[] = {
		RESULT_LIMITED,     RESULT_LIMITED,     RESULT_LIMITED,     RESULT_UNAVAILABLE,
		RESULT_UNAVAILABLE, RESULT_UNAVAILABLE, RESULT_UNAVAILABLE, RESULT_MALFORMED,
		RESULT_MALFORMED,   RESULT_MALFORMED,   RESULT_MALFORMED,   RESULT_MALFORMED,
		RESULT_UNAVAILABLE, RESULT_UNAVAILABLE, RESULT_UNAVAILABLE, RESULT_UNAVAILABLE,
	};
	for (size_t i = 0; i < COUNT_OF(passing); i++) {
		AUTO(peer_close) struct peer *peer = PEER(passing[i]);
		config.app_url = peer_url(peer);
		enum result result = ask();
		cr_expect_eq(result, results[i], "%zu: %d, %s", i, result, api.fault.data);
		cr_expect_eq(peer_requests(peer), TRIES, "%zu", i);
		cr_expect(slice_starts_with(api.fault, SLICE("Customer.io's App API ")), "%s", api.fault.data);
		cr_expect_not(holds(api.fault, KEY));
	}
}

Test(app_api, what_is_final_is_asked_once)
{
	static const struct {
		const char *status, *headers;
		enum result result;
	} cases[] = {
		{"401 Unauthorized", "", RESULT_UNAUTHENTICATED},
		{"403 Forbidden", "", RESULT_FORBIDDEN},
		{"404 Not Found", "", RESULT_NOT_FOUND},
		{"400 Bad Request", "", RESULT_INVALID},
		{"422 Unprocessable Entity", "", RESULT_INVALID},
		{"301 Moved", "Location: https://api-eu.customer.io/v1/\r\n", RESULT_CONFLICT},
		{"307 Moved", "Location: https://api-eu.customer.io/v1/\r\n", RESULT_CONFLICT},
	};
	static const char body[] = "{\"errors\":[{\"detail\":\"a reason (reference a1b2c3)\",\"status\":\"400\"}]}";
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		AUTO(peer_close) struct peer *peer =
			PEER({.text = peer_json(f.arena, cases[i].status, cases[i].headers, body)});
		config.app_url = peer_url(peer);
		enum result result = ask();
		cr_expect_eq(result, cases[i].result, "%s: %d", cases[i].status, result);
		cr_expect_eq(peer_requests(peer), 1);
		cr_expect(holds(api.fault, "a reason (reference a1b2c3)"), "%s", api.fault.data);
	}
}

Test(app_api, an_answer_over_the_limit)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 200 OK\r\n\r\n", .endless = good("{}")});
	effort.timeout_ms = 10000;
	config.app_url = peer_url(peer);
	cr_assert_eq(ask(), RESULT_TOO_LARGE);
	cr_assert(api.fault.length > 0);
	cr_assert_eq(peer_requests(peer), 1);
}

Test(app_api, no_key_and_no_address_is_in_a_sentence)
{
	static const char *const bodies[] = {
		"{\"errors\":[{\"detail\":\"the key " KEY " is wrong\"}]}",
		"{\"errors\":[{\"message\":\"" KEY "\"}]}",
		"{\"meta\":{\"error\":\"" KEY "\"}}",
		"{\"meta\":{\"errors\":[\"" KEY "\"]}}",
		"{\"errors\":[{\"detail\":\"\\u0074he-app-api-key-of-the-tests\"}]}",
		KEY,
		"{\"errors\":[{\"detail\":\"jo@example.com is nobody\"}]}",
	};
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(f.arena, "401 No", "", bodies[i])});
		config.app_url = peer_url(peer);
		cr_assert_eq(ask(), RESULT_UNAUTHENTICATED);
		cr_assert_not(holds(api.fault, KEY) || holds(api.fault, "@"), "%s", api.fault.data);
		cr_assert(holds(api.fault, "401"), "%s", api.fault.data);
	}
}

// A pause that is too long is not waited for, but holds for everybody.
Test(app_api, a_pause_for_everybody)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(f.arena, "429 No", "Retry-After: 60\r\n", "{}")});
	config.app_url = peer_url(peer);
	cr_assert_eq(ask(), RESULT_LIMITED);
	cr_assert_eq(ask(), RESULT_LIMITED);
	cr_assert(holds(api.fault, "pause"), "%s", api.fault.data);
	cr_assert_eq(peer_requests(peer), 1);
}

Test(app_api, calls_keep_the_pace)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = good("{\"topics\":[]}")});
	config.app_url = peer_url(peer);
	for (int i = 0; i < 15; i++)
		cr_assert(ask() == RESULT_OK);
	for (size_t i = 0; i + 10 < 15; i++)
		cr_assert(peer_request_us(peer, i + 10) - peer_request_us(peer, i) > 950000);
	cr_assert(peer_request_us(peer, 14) - peer_request_us(peer, 0) < 1650000);
}

Test(app_api, an_end_while_waiting)
{
	static const struct peer_answer scripts[] = {
		{.end = PEER_HANGS},
		{.text = "HTTP/1.1 429 No\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"},
		{.text = "HTTP/1.1 503 No\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"},
	};
	effort.timeout_ms = 20000;
	for (size_t i = 0; i < COUNT_OF(scripts); i++) {
		AUTO(peer_close) struct peer *peer = PEER(scripts[i]);
		config.app_url = peer_url(peer);
		betweens = 0;
		betweens_left = 2;
		int64_t started_us = clock_monotonic_us();
		cr_assert_eq(ask(), RESULT_STOP);
		cr_assert(clock_monotonic_us() - started_us < 3000000);
		cr_assert_eq(api.fault.length, 0, "%s", api.fault.data);
	}
}

Test(app_api, the_store_is_not_customer_io)
{
	const char *reason;
	AUTO(peer_close) struct peer *peer = PEER({.text = good("{\"topics\":[]}")});
	config.app_url = peer_url(peer);
	cr_assert(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &api.store, &reason) == RESULT_OK);
	cr_assert_eq(ask(), RESULT_UNAVAILABLE);
	cr_assert_eq(api.fault.length, 0);
	cr_assert_eq(peer_requests(peer), 0);
	store_free(api.store);
}

struct basket {
	size_t bytes;
	enum result result;
};

static enum result take(void *context, struct slice piece)
{
	struct basket *basket = context;
	basket->bytes += piece.length;
	return basket->result;
}

static enum result download(struct peer *peer, struct basket *basket)
{
	struct slice link = arena_format(f.arena, "%s/file?signature=abc", peer_url(peer).data);
	*basket = (struct basket){.result = basket->result};
	config.app_url = peer_url(peer);
	return app_api_download(&api, f.arena, link, take, basket);
}

Test(app_api, a_download)
{
	AUTO(peer_close) struct peer *peer =
		PEER({.text = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"}, {.end = PEER_RESETS},
	             {.text = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 9\r\n\r\nemail\na@b"},
	             {.text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nemail\na", .end = PEER_CLOSES},
	             {.text = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"});
	struct basket basket = {0};
	cr_assert_eq(download(peer, &basket), RESULT_OK, "%s", api.fault.data);
	cr_assert_eq(basket.bytes, 9);
	cr_assert_eq(peer_requests(peer), 3);
	cr_assert_not(holds(slice_of(peer_request(peer, 2)), "Authorization"));
	cr_assert(holds(slice_of(peer_request(peer, 2)), "GET /file?signature=abc HTTP/1.1\r\n"));
	// What the sink has taken cannot be taken back.
	cr_assert_eq(download(peer, &basket), RESULT_UNAVAILABLE);
	cr_assert_eq(basket.bytes, 7);
	cr_assert(api.fault.length > 0 && !holds(api.fault, "signature"), "%s", api.fault.data);
	cr_assert_eq(peer_requests(peer), 4);
	cr_assert_eq(download(peer, &basket), RESULT_FORBIDDEN);
	cr_assert_eq(basket.bytes, 0);
	cr_assert_eq(peer_requests(peer), 5);
}

Test(app_api, a_download_that_the_sink_breaks_off)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 200 OK\r\n\r\n", .endless = "a line\n"});
	struct basket basket = {.result = RESULT_CONFLICT};
	cr_assert_eq(download(peer, &basket), RESULT_CONFLICT);
	cr_assert_eq(api.fault.length, 0);
	cr_assert_eq(peer_requests(peer), 1);
}

// A link may only lead into this machine where the App API itself does.
Test(app_api, a_download_from_inside)
{
	struct basket basket = {0};
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
	config.app_url = SLICE("");
	const char *links[] = {
		arena_format(f.arena, "%s/file", peer_url(peer).data).data,
		arena_format(f.arena, "https%s/file", peer_url(peer).data + 4).data,
	};
	for (size_t i = 0; i < COUNT_OF(links); i++) {
		cr_assert_eq(app_api_download(&api, f.arena, slice_of(links[i]), take, &basket), RESULT_FORBIDDEN);
		cr_assert(api.fault.length > 0);
	}
	cr_assert_eq(peer_connections(peer), 0);
}

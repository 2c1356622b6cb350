// The HTTP client against a peer that keeps to the protocol, and ones that do not.
#include "../../support/peer.h"
#include "base/clock.h"
#include "io/http_client.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 1000 // bytes of a body, where nothing else is said
#define SECRET "a-secret-of-the-tests"

static struct arena *arena;
static struct http_client *client;
static int betweens, betweens_left;

// Ends the call when it was called so often.
static enum result between(void *context)
{
	(void)context;
	return ++betweens == betweens_left ? RESULT_STOP : RESULT_OK;
}

static void set_up(void)
{
	arena = arena_new((size_t)16 << 20);
	client = http_client_new(&(struct http_options){.patience = {.between = between}});
	cr_assert(arena != NULL && client != NULL);
}
static void tear_down(void)
{
	http_client_free(client);
	arena_free(arena);
}
TestSuite(http_client, .init = set_up, .fini = tear_down, .timeout = 60);

static struct slice url(struct peer *peer, const char *path)
{
	return arena_format(arena, "%s%s", peer_url(peer).data, path);
}

// GET of a path, with what the test cares for.
static enum result get(struct peer *peer, const char *path, struct http_request request, struct http_answer *answer)
{
	request.url = url(peer, path);
	request.any_address = true;
	if (request.answer_limit == 0)
		request.answer_limit = LIMIT;
	return http_call(client, arena, &request, answer);
}

static bool holds(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

#define EXPECT_SLICE(slice, literal)                                                                               \
	cr_assert(slice_equal((slice), SLICE(literal)), "%.*s", (int)(slice).length, (slice).data)

Test(http_client, gets)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, "200 OK", "", "{\"a\":1}")});
	struct http_answer answer;
	cr_assert(get(peer, "/v1/x?y=%2B", (struct http_request){.bearer = SLICE(SECRET)}, &answer) == RESULT_OK);
	cr_assert_eq(answer.status, 200);
	EXPECT_SLICE(answer.body, "{\"a\":1}");
	EXPECT_SLICE(answer.content_type, "application/json; charset=utf-8");
	EXPECT_SLICE(answer.location, "");
	EXPECT_SLICE(answer.fault, "");
	cr_assert_eq(answer.retry_after_ms, -1);
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("GET /v1/x?y=%2B HTTP/1.1\r\nHost: 127.0.0.1:")), "%s", asked.data);
	cr_assert(holds(asked, "\r\nAuthorization: Bearer " SECRET "\r\n"), "%s", asked.data);
	cr_assert(holds(asked, "\r\nUser-Agent: ciobridge\r\n"), "%s", asked.data);
	cr_assert_not(holds(asked, "Expect:"), "%s", asked.data);
}

Test(http_client, posts)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 204 No Content\r\n\r\n"});
	struct http_header headers[] = {{"Content-Type", SLICE("application/json")}, {"X-Strict-Mode", SLICE("1")}};
	struct http_request request = {
		.headers = headers,
		.header_count = 2,
		.user = SLICE("user"),
		.password = SLICE("pass word"),
		.body = SLICE("{\"b\":2}"),
	};
	struct http_answer answer;
	cr_assert(get(peer, "/", request, &answer) == RESULT_OK);
	cr_assert_eq(answer.status, 204);
	EXPECT_SLICE(answer.body, "");
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("POST / HTTP/1.1\r\n")), "%s", asked.data);
	cr_assert(holds(asked, "\r\nAuthorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n"), "%s", asked.data);
	cr_assert(holds(asked, "\r\nContent-Type: application/json\r\n"), "%s", asked.data);
	cr_assert(holds(asked, "\r\nX-Strict-Mode: 1\r\n"), "%s", asked.data);
	cr_assert(holds(asked, "\r\n\r\n{\"b\":2}"), "%s", asked.data);
}

Test(http_client, a_method_and_an_empty_password)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"});
	struct http_request request = {.method = "DELETE", .user = SLICE("key")};
	struct http_answer answer;
	cr_assert(get(peer, "/a/../b", request, &answer) == RESULT_OK);
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("DELETE /a/../b HTTP/1.1\r\n")), "%s", asked.data);
	cr_assert(holds(asked, "\r\nAuthorization: Basic a2V5Og==\r\n"), "%s", asked.data);
}

Test(http_client, every_status_is_an_answer)
{
	static const struct {
		int number;
		const char *line;
	} statuses[] = {{200, "200 OK"}, {400, "400 Bad Request"}, {401, "401 Unauthorized"}, {500, "500 Oops"},
	                {599, "599 "}};
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, statuses[i].line, "", "{}")});
		struct http_answer answer;
		cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_OK);
		cr_assert_eq(answer.status, statuses[i].number);
		EXPECT_SLICE(answer.body, "{}");
	}
}

Test(http_client, chunked_and_continued)
{
	AUTO(peer_close) struct peer *peer =
		PEER({.text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	                      "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nRetry-After: 9\r\n\r\n"});
	struct http_answer answer;
	cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_OK);
	cr_assert_eq(answer.status, 200);
	EXPECT_SLICE(answer.body, "abcde");
	cr_assert_eq(answer.retry_after_ms, -1);
}

Test(http_client, redirects_are_not_followed)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 302 Found\r\nLocation: /elsewhere?token=1\r\n"
	                                                   "Content-Length: 0\r\n\r\n"});
	struct http_answer answer;
	cr_assert(get(peer, "/here", (struct http_request){.bearer = SLICE(SECRET)}, &answer) == RESULT_OK);
	cr_assert_eq(answer.status, 302);
	cr_assert(slice_equal(answer.location, url(peer, "/elsewhere?token=1")), "%s", answer.location.data);
	cr_assert_eq(peer_requests(peer), 1);
}

Test(http_client, retry_after)
{
	static const struct {
		const char *headers;
		int64_t ms;
	} cases[] = {
		{"Retry-After: 7\r\n", 7000},
		{"retry-after:  7 \r\n", 7000},
		{"Retry-After: 0\r\n", 0},
		{"Retry-After: 3600\r\n", 3600000},
		{"Retry-After: 3601\r\n", 3600000},
		{"Retry-After: 9223372036854775807\r\n", 3600000},
		{"Date: Sun, 22 Nov 2026 18:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 18:01:30 GMT\r\n", 90000},
		{"Date: Sun, 22 Nov 2026 18:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 17:00:00 GMT\r\n", 0},
		{"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0},
		{"Retry-After: Sun, 06 Nov 2095 08:49:37 GMT\r\n", 3600000},
		{"Retry-After: soon\r\n", -1},
		{"Retry-After:\r\n", -1},
		{"Retry-After: -5\r\n", -1},
		{"", -1},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *text = peer_json(arena, "429 Too Many Requests", cases[i].headers, "{}");
		AUTO(peer_close) struct peer *peer = PEER({.text = text});
		struct http_answer answer;
		cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_OK);
		cr_expect_eq(answer.retry_after_ms, cases[i].ms, "%s: %lld", cases[i].headers,
		             (long long)answer.retry_after_ms);
	}
}

Test(http_client, a_body_at_the_limit_and_over)
{
	AUTO(peer_close) struct peer *peer =
		PEER({.text = peer_json(arena, "200 OK", "", "123456789")},
	             {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	                      "5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n"});
	struct http_answer answer;
	for (int i = 0; i < 2; i++) {
		cr_assert(get(peer, "/", (struct http_request){.answer_limit = 9}, &answer) == RESULT_OK);
		EXPECT_SLICE(answer.body, "123456789");
		cr_assert(get(peer, "/", (struct http_request){.answer_limit = 8}, &answer) == RESULT_TOO_LARGE);
		cr_assert_eq(answer.status, 0);
		cr_assert(holds(answer.fault, "too long"), "%s", answer.fault.data);
	}
}

// Everything that a peer may do instead of answering.
static void expect_failure(const struct peer_answer *script, enum result wanted)
{
	AUTO(peer_close) struct peer *peer = peer_open(script, 1);
	struct http_answer answer;
	int64_t started_us = clock_monotonic_us();
	enum result result =
		get(peer, "/path?query", (struct http_request){.bearer = SLICE(SECRET), .timeout_ms = 1000}, &answer);
	cr_expect_eq(result, wanted, "%d, %s", result, answer.fault.data);
	cr_expect(clock_monotonic_us() - started_us < 3000000);
	cr_expect(slice_starts_with(answer.fault, SLICE("127.0.0.1:")), "%s", answer.fault.data);
	cr_expect_not(holds(answer.fault, SECRET) || holds(answer.fault, "path") || holds(answer.fault, "query"), "%s",
	              answer.fault.data);
	cr_expect_eq(answer.status, 0);
}

Test(http_client, peers_that_misbehave)
{
	static const struct peer_answer scripts[] = {
		{.end = PEER_CLOSES},
		{.end = PEER_RESETS},
		{.end = PEER_HANGS},
		{.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234", .end = PEER_CLOSES},
		{.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234", .end = PEER_RESETS},
		{.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234", .end = PEER_HANGS},
		{.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", .end = PEER_CLOSES},
		{.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n123\r\n", .end = PEER_CLOSES},
		{.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", .end = PEER_CLOSES},
		{.text = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .end = PEER_CLOSES},
		{.text = "nothing of HTTP", .end = PEER_CLOSES},
		{.text = "HTTP/1.1 200 OK\r\n\r\n", .endless = "x", .pause_ms = 50},
	};
	for (size_t i = 0; i < COUNT_OF(scripts); i++)
		expect_failure(&scripts[i], RESULT_UNAVAILABLE);
}

Test(http_client, peers_that_never_end)
{
	static const struct peer_answer scripts[] = {
		{.text = "HTTP/1.1 200 OK\r\n\r\n", .endless = "0123456789abcdef0123456789abcdef"},
		{.text = "HTTP/1.1 500 Oops\r\n\r\n", .endless = "0123456789abcdef0123456789abcdef"},
		{.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .endless = "4\r\nabcd\r\n"},
		{.text = "HTTP/1.1 200 OK\r\n", .endless = "X-Header: 0123456789abcdef0123456789abcdef\r\n"},
		{.endless = "HTTP/1.1 100 Continue\r\n\r\n"},
		{.text = "HTTP/1.1 200 OK\r\nX-Header: ", .endless = "0123456789abcdef0123456789abcdef"},
	};
	for (size_t i = 0; i < COUNT_OF(scripts); i++)
		expect_failure(&scripts[i], RESULT_TOO_LARGE);
}

Test(http_client, nobody_listens)
{
	struct peer *peer = PEER({.end = PEER_CLOSES});
	struct slice address = url(peer, "/");
	struct http_request request = {.url = address, .any_address = true};
	struct http_answer answer;
	peer_close(&peer);
	cr_assert(http_call(client, arena, &request, &answer) == RESULT_UNAVAILABLE);
	cr_assert(answer.fault.length > 0);
	request.url = SLICE("http://no-such-host.invalid/");
	cr_assert(http_call(client, arena, &request, &answer) == RESULT_UNAVAILABLE);
	cr_assert(slice_starts_with(answer.fault, SLICE("no-such-host.invalid: ")), "%s", answer.fault.data);
}

Test(http_client, connections_are_used_again)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, "200 OK", "", "{}")});
	struct http_answer answer;
	for (int i = 0; i < 5; i++)
		cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_OK);
	cr_assert_eq(peer_requests(peer), 5);
	cr_assert_eq(peer_connections(peer), 1);
}

Test(http_client, credentials_stay_with_their_request)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, "200 OK", "", "{}")});
	struct http_answer answer;
	cr_assert(get(peer, "/", (struct http_request){.bearer = SLICE(SECRET)}, &answer) == RESULT_OK);
	cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_OK);
	cr_assert_not(holds(slice_of(peer_request(peer, 1)), "Authorization"));
}

Test(http_client, no_proxy_of_the_environment)
{
	static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"};
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, "200 OK", "", "{}")});
	struct http_answer answer;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_OK);
}

struct basket {
	size_t pieces, bytes, largest;
	enum result result;
};

static enum result take(void *context, struct slice piece)
{
	struct basket *basket = context;
	basket->pieces++;
	basket->bytes += piece.length;
	basket->largest = piece.length > basket->largest ? piece.length : basket->largest;
	return basket->result;
}

Test(http_client, a_sink_takes_what_is_larger_than_the_limit)
{
	struct basket basket = {0};
	struct http_request request = {.sink = take, .sink_context = &basket, .answer_limit = 10};
	struct slice body = arena_format(arena, "%0*d", 1000000, 7);
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, "200 OK", "", body.data)});
	struct http_answer answer;
	cr_assert(get(peer, "/", request, &answer) == RESULT_OK);
	cr_assert_eq(basket.bytes, 1000000);
	cr_assert(basket.pieces > 1 && basket.largest <= 16384, "%zu", basket.largest);
	EXPECT_SLICE(answer.body, "");
}

Test(http_client, a_refusal_is_not_for_the_sink)
{
	struct basket basket = {0};
	struct http_request request = {.sink = take, .sink_context = &basket};
	AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(arena, "403 Forbidden", "", "{\"no\":1}")});
	struct http_answer answer;
	cr_assert(get(peer, "/", request, &answer) == RESULT_OK);
	cr_assert_eq(answer.status, 403);
	cr_assert_eq(basket.pieces, 0);
	EXPECT_SLICE(answer.body, "{\"no\":1}");
}

Test(http_client, a_sink_breaks_off)
{
	struct basket basket = {.result = RESULT_CONFLICT};
	struct http_request request = {.sink = take, .sink_context = &basket};
	AUTO(peer_close) struct peer *peer = PEER({.text = "HTTP/1.1 200 OK\r\n\r\n", .endless = "0123456789"});
	struct http_answer answer;
	cr_assert(get(peer, "/", request, &answer) == RESULT_CONFLICT);
	cr_assert_eq(basket.pieces, 1);
	EXPECT_SLICE(answer.fault, "");
}

Test(http_client, a_cut_file_is_told)
{
	struct basket basket = {0};
	struct http_request request = {.sink = take, .sink_context = &basket};
	AUTO(peer_close) struct peer *peer =
		PEER({.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234", .end = PEER_CLOSES});
	struct http_answer answer;
	cr_assert(get(peer, "/", request, &answer) == RESULT_UNAVAILABLE);
	cr_assert_eq(basket.bytes, 4);
	cr_assert(answer.fault.length > 0);
}

Test(http_client, a_file_that_stalls_is_given_up_a_slow_one_is_not)
{
	struct basket basket = {0};
	struct http_request request = {.sink = take, .sink_context = &basket, .timeout_ms = 2000};
	AUTO(peer_close) struct peer *stalling =
		PEER({.text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234", .end = PEER_HANGS});
	struct http_answer answer;
	int64_t started_us = clock_monotonic_us();
	cr_assert(get(stalling, "/", request, &answer) == RESULT_UNAVAILABLE);
	cr_assert(clock_monotonic_us() - started_us < 8000000);

	struct slice much = arena_format(arena, "%0*d", 100, 7);
	AUTO(peer_close) struct peer *slow =
		PEER({.text = "HTTP/1.1 200 OK\r\n\r\n", .endless = much.data, .pause_ms = 100});
	basket = (struct basket){0};
	betweens = 0;
	betweens_left = 10; // 5 s, longer than a stall may be
	cr_assert(get(slow, "/", request, &answer) == RESULT_STOP);
	cr_assert(basket.bytes > 2000, "%zu", basket.bytes);
}

Test(http_client, what_happens_between)
{
	AUTO(peer_close) struct peer *peer = PEER({.end = PEER_HANGS});
	struct http_answer answer;
	cr_assert(get(peer, "/", (struct http_request){.timeout_ms = 3200}, &answer) == RESULT_UNAVAILABLE);
	cr_assert(betweens >= 3, "%d", betweens);
	betweens = 0;
	betweens_left = 2;
	int64_t started_us = clock_monotonic_us();
	cr_assert(get(peer, "/", (struct http_request){0}, &answer) == RESULT_STOP);
	cr_assert(clock_monotonic_us() - started_us < 3000000);
	EXPECT_SLICE(answer.fault, "");
}

Test(http_client, requests_that_are_none)
{
	struct http_header split = {"X-A", SLICE("b\r\nX-C: d")};
	struct slice large = arena_format(arena, "%0*d", (int)HTTP_SECRET_MAXIMUM + 1, 7);
	const struct http_request requests[] = {
		{.url = SLICE("")},
		{.url = SLICE("127.0.0.1")},
		{.url = SLICE("ftp://127.0.0.1/")},
		{.url = SLICE("file:///etc/passwd")},
		{.url = SLICE("http://")},
		{.url = SLICE("http://user:pass@127.0.0.1:1/")},
		{.url = SLICE("http://127.0.0.1:1/a b")},
		{.url = SLICE("http://127.0.0.1:1/a\r\nHost: b")},
		{.url = SLICE("http://127.0.0.1:1/a\0b")},
		{.url = SLICE("http://127.0.0.1:99999/")},
		{.url = SLICE("http://127.0.0.1:1/"), .bearer = SLICE("a\r\nX-B: c")},
		{.url = SLICE("http://127.0.0.1:1/"), .bearer = SLICE("a\0b")},
		{.url = SLICE("http://127.0.0.1:1/"), .bearer = large},
		{.url = SLICE("http://127.0.0.1:1/"), .user = SLICE("a"), .password = SLICE("b\nc")},
		{.url = SLICE("http://127.0.0.1:1/"), .headers = &split, .header_count = 1},
	};
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct http_request request = requests[i];
		struct http_answer answer;
		request.any_address = true;
		enum result result = http_call(client, arena, &request, &answer);
		cr_expect_eq(result, RESULT_INVALID, "%.*s: %d", (int)request.url.length, request.url.data, result);
		cr_expect_not(holds(answer.fault, "pass") && i == 5, "%s", answer.fault.data);
	}
}

// Addresses and names of this machine and its neighbours: nobody there may see as much as a connection.
Test(http_client, only_public_addresses)
{
	static const char *const hosts[] = {
		"127.0.0.1",      "127.1",           "2130706433",           "0x7f.1",     "localhost",
		"0.0.0.0",        "10.0.0.1",        "172.16.0.1",           "192.168.1.1", "169.254.169.254",
		"100.64.0.1",     "224.0.0.1",       "255.255.255.255",      "[::1]",      "[::]",
		"[fe80::1]",      "[fd00::1]",       "[::ffff:127.0.0.1]",   "[::127.0.0.1]",
		"[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[ff02::1]",
	};
	AUTO(peer_close) struct peer *peer = PEER({.end = PEER_CLOSES});
	const char *port = strrchr(peer_url(peer).data, ':');
	for (size_t i = 0; i < COUNT_OF(hosts); i++) {
		struct http_request request = {.url = arena_format(arena, "https://%s%s/", hosts[i], port)};
		struct http_answer answer;
		enum result result = http_call(client, arena, &request, &answer);
		cr_expect_eq(result, RESULT_FORBIDDEN, "%s: %d, %s", hosts[i], result, answer.fault.data);
		cr_expect(holds(answer.fault, "no public address"), "%s", answer.fault.data);
	}
	struct http_request plain = {.url = SLICE("http://customer.io.invalid/")};
	struct http_answer answer;
	cr_assert(http_call(client, arena, &plain, &answer) == RESULT_FORBIDDEN);
	cr_assert_eq(peer_connections(peer), 0);
}

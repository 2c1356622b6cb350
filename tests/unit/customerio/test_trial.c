// Trying credentials in two regions: the App API's key, the Track API's credentials, the Pipelines write key.
#include "../../support/fixture.h"
#include "../../support/peer.h"
#include "customerio/app_api.h"
#include "customerio/pipelines.h"
#include "customerio/track.h"

#include <criterion/criterion.h>
#include <string.h>

#define KEY "the-key-of-the-tests"
#define SITE "the-site-id"

static struct fixture f;
static struct http_client *http;
static struct config config;
static const struct app_effort effort = {.tries = 1, .pause_ms = 10, .most_ms = 1000, .timeout_ms = 1000};
static struct slice sentence;
static bool stopping;

static enum result between(void *context)
{
	(void)context;
	return stopping ? RESULT_STOP : RESULT_OK;
}

static void set_up(void)
{
	f = fixture_open();
	http = http_client_new(&(struct http_options){.patience = {.between = between}});
	cr_assert(http != NULL);
}
static void tear_down(void)
{
	http_client_free(http);
	fixture_close(&f);
}
TestSuite(trial, .init = set_up, .fini = tear_down, .timeout = 60);

static bool holds(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

enum api { APP, TRACK, PIPELINES };

static enum result try_in(enum api which, enum region wanted, enum region *found)
{
	struct track_credentials credentials = {SLICE(SITE), SLICE(KEY)};
	struct app_api api = {
		.http = http,
		.store = f.store,
		.config = &config,
		.project = f.project,
		.key = SLICE(KEY),
		.region = wanted,
		.effort = &effort,
	};
	enum result result;

	if (which == TRACK)
		return track_check(http, f.arena, &config, &credentials, wanted, found, &sentence);
	if (which == PIPELINES)
		return pipelines_check(http, f.arena, &config, SLICE(KEY), wanted, found, &sentence);
	result = app_api_check(&api, f.arena, found);
	sentence = api.fault;
	return result;
}

// What each region's host may answer.
enum kind { GOOD, REFUSES, FORBIDS, REDIRECTS, FAILS, RESETS, NONSENSE };

static const struct peer_answer answers[] = {
	[REFUSES] = {.text = "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}"},
	[FORBIDS] = {.text = "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n{}"},
	[REDIRECTS] = {.text = "HTTP/1.1 301 No\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"},
	[FAILS] = {.text = "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}"},
	[RESETS] = {.end = PEER_RESETS},
	[NONSENSE] = {.text = "HTTP/1.1 400 No\r\nContent-Length: 6\r\n\r\n<html>"},
};

// Good for each of the three; `region` is what the Track API says.
static struct peer_answer good(const char *region)
{
	struct slice body = arena_format(f.arena, "{\"topics\":[],\"region\":\"%s\",\"url\":\"\"}", region);
	return (struct peer_answer){.text = peer_json(f.arena, "200 OK", "", body.data)};
}

static struct peer_answer answer_of(enum kind kind, const char *region)
{
	return kind == GOOD ? good(region) : answers[kind];
}

struct expectation {
	enum kind us, eu;
	enum region wanted;
	enum result result;
	enum region found;   // of RESULT_OK
	const char *says;    // in the sentence
	size_t asked_us, asked_eu;
};

static const struct expectation expectations[] = {
	{GOOD, REFUSES, REGION_US, RESULT_OK, REGION_US, NULL, 1, 0},
	{REFUSES, GOOD, REGION_EU, RESULT_OK, REGION_EU, NULL, 0, 1},
	{GOOD, REFUSES, REGION_AUTO, RESULT_OK, REGION_US, NULL, 1, 0},
	{REFUSES, GOOD, REGION_AUTO, RESULT_OK, REGION_EU, NULL, 1, 1},
	{REDIRECTS, GOOD, REGION_AUTO, RESULT_OK, REGION_EU, NULL, 1, 1},
	{RESETS, GOOD, REGION_AUTO, RESULT_OK, REGION_EU, NULL, 1, 1},
	{REFUSES, GOOD, REGION_US, RESULT_INVALID, REGION_EU, "belongs to the region EU", 1, 1},
	{REDIRECTS, GOOD, REGION_US, RESULT_INVALID, REGION_EU, "belongs to the region EU", 1, 1},
	{GOOD, REFUSES, REGION_EU, RESULT_INVALID, REGION_US, "belongs to the region US", 1, 1},
	{REFUSES, REFUSES, REGION_US, RESULT_INVALID, REGION_AUTO, "refused the credentials (401)", 1, 1},
	{REFUSES, REFUSES, REGION_AUTO, RESULT_INVALID, REGION_AUTO, "refused the credentials (401)", 1, 1},
	{FORBIDS, REFUSES, REGION_US, RESULT_INVALID, REGION_AUTO, "(403)", 1, 1},
	{NONSENSE, NONSENSE, REGION_AUTO, RESULT_INVALID, REGION_AUTO, "(400)", 1, 1},
	{REFUSES, RESETS, REGION_US, RESULT_INVALID, REGION_AUTO, "(401)", 1, 1},
	{REFUSES, RESETS, REGION_AUTO, RESULT_UNAVAILABLE, REGION_AUTO, "cannot be reached", 1, 1},
	{FAILS, REFUSES, REGION_AUTO, RESULT_UNAVAILABLE, REGION_AUTO, "(500)", 1, 1},
	{RESETS, RESETS, REGION_AUTO, RESULT_UNAVAILABLE, REGION_AUTO, "cannot be reached", 1, 1},
	{FAILS, GOOD, REGION_US, RESULT_UNAVAILABLE, REGION_AUTO, "(500)", 1, 0},
	{RESETS, GOOD, REGION_US, RESULT_UNAVAILABLE, REGION_AUTO, "cannot be reached", 1, 0},
};

static void expect_trial(enum api which, size_t index)
{
	const struct expectation *expected = &expectations[index];
	AUTO(peer_close) struct peer *us = PEER(answer_of(expected->us, "us"));
	AUTO(peer_close) struct peer *eu = PEER(answer_of(expected->eu, "eu"));
	enum region found = REGION_AUTO;

	config = (struct config){
		.app_url = peer_url(us),
		.app_url_eu = peer_url(eu),
		.track_url = peer_url(us),
		.track_url_eu = peer_url(eu),
		.pipelines_url = peer_url(us),
		.pipelines_url_eu = peer_url(eu),
	};
	enum result result = try_in(which, expected->wanted, &found);
	cr_expect_eq(result, expected->result, "%d/%zu: %d, %s", which, index, result, sentence.data);
	cr_expect_eq(found, expected->found, "%d/%zu", which, index);
	cr_expect_eq(sentence.length > 0, expected->says != NULL, "%d/%zu: %s", which, index, sentence.data);
	cr_expect(expected->says == NULL || holds(sentence, expected->says), "%d/%zu: %s", which, index, sentence.data);
	cr_expect_not(holds(sentence, KEY) || holds(sentence, SITE));
	cr_expect_eq(peer_requests(us), expected->asked_us, "%d/%zu", which, index);
	cr_expect_eq(peer_requests(eu), expected->asked_eu, "%d/%zu", which, index);
}

Test(trial, app_keys)
{
	for (size_t i = 0; i < COUNT_OF(expectations); i++)
		expect_trial(APP, i);
}

Test(trial, track_credentials)
{
	for (size_t i = 0; i < COUNT_OF(expectations); i++)
		expect_trial(TRACK, i);
}

Test(trial, write_keys)
{
	for (size_t i = 0; i < COUNT_OF(expectations); i++)
		expect_trial(PIPELINES, i);
}

// One host stands for both regions, and says which it is.
Test(trial, track_names_the_region_itself)
{
	AUTO(peer_close) struct peer *peer = PEER(good("eu"));
	enum region found = REGION_AUTO;
	config = (struct config){.track_url = peer_url(peer)};
	cr_assert_eq(try_in(TRACK, REGION_AUTO, &found), RESULT_OK);
	cr_assert_eq(found, REGION_EU);
	cr_assert_eq(try_in(TRACK, REGION_EU, &found), RESULT_OK);
	cr_assert_eq(try_in(TRACK, REGION_US, &found), RESULT_INVALID);
	cr_assert(holds(sentence, "belongs to the region EU, not US"), "%s", sentence.data);
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("GET /api/v1/accounts/region HTTP/1.1\r\n")), "%s", asked.data);
	cr_assert(holds(asked, "\r\nAuthorization: Basic dGhlLXNpdGUtaWQ6dGhlLWtleS1vZi10aGUtdGVzdHM=\r\n"), "%s",
	          asked.data);
}

Test(trial, an_answer_of_something_else)
{
	static const char *const bodies[] = {"{}", "<html>", "{\"region\":\"mars\"}", "{\"region\":\"auto\"}", "[]"};
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		AUTO(peer_close) struct peer *peer = PEER({.text = peer_json(f.arena, "200 OK", "", bodies[i])});
		enum region found = REGION_AUTO;
		config = (struct config){.track_url = peer_url(peer), .app_url = peer_url(peer)};
		cr_expect_eq(try_in(TRACK, REGION_US, &found), RESULT_UNAVAILABLE, "%s", bodies[i]);
		cr_expect_eq(try_in(APP, REGION_US, &found), RESULT_UNAVAILABLE, "%s", bodies[i]);
		cr_expect(sentence.length > 0);
	}
}

Test(trial, what_a_write_key_is_tried_with)
{
	AUTO(peer_close) struct peer *peer = PEER(good("us"));
	enum region found;
	config = (struct config){.pipelines_url = peer_url(peer)};
	cr_assert_eq(try_in(PIPELINES, REGION_AUTO, &found), RESULT_OK);
	struct slice asked = slice_of(peer_request(peer, 0));
	cr_assert(slice_starts_with(asked, SLICE("POST /v1/track HTTP/1.1\r\n")), "%s", asked.data);
	cr_assert(holds(asked, "\r\nX-Strict-Mode: 1\r\n"));
	cr_assert(holds(asked, "\r\nAuthorization: Basic dGhlLWtleS1vZi10aGUtdGVzdHM6\r\n"), "%s", asked.data);
	cr_assert(holds(asked, "\"integrations\":{\"All\":false}"));
	cr_assert_not(holds(asked, "userId"));
}

Test(trial, an_end_is_no_refusal)
{
	AUTO(peer_close) struct peer *us = PEER(answers[REFUSES]);
	AUTO(peer_close) struct peer *eu = PEER({.end = PEER_HANGS});
	enum region found;
	config = (struct config){.track_url = peer_url(us), .track_url_eu = peer_url(eu)};
	stopping = true;
	cr_assert_eq(try_in(TRACK, REGION_US, &found), RESULT_STOP);
	cr_assert_eq(sentence.length, 0);
}

// One look-up against a peer that answers as Customer.io: what is recorded of the answer, and that no opt-out is lost.
#include "../../functions/import_worker/question.h"
#include "../support/fixture.h"
#include "../support/peer.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define JO SLICE("jo@example.com")
#define SECOND INT64_C(1613063089)
#define OUT_MS (SECOND * 1000 + 999)
#define IN_MS (-(SECOND * 1000))
#define SETTLED_MS (-(OUT_MS + 1))
#define OUT_JSON                                                                                                   \
	"{\"unsubscribed\":\"true\",\"cio_subscription_preferences\":\"{\\\"topics\\\":{\\\"topic_7\\\":false}}\"}"
#define IN_JSON "{\"cio_subscription_preferences\":\"{\\\"topics\\\":{\\\"topic_7\\\":true}}\"}"

static const struct slice topic_7 = {"customerio_topic_7", 18};
static const struct category *const offers =
	&(const struct category){.key = {"customerio_topic_7", 18}, .list = {"customerio_topic_7", 18},
	                         .topic = {"topic_7", 7}, .type = CATEGORY_MARKETING, .subscribed_by_default = true};

static struct fixture f;
static struct http_client *http;
static struct config config;
static struct app_api api;
static const struct app_effort effort = {.tries = 1, .pause_ms = 10, .most_ms = 3000, .timeout_ms = 1000};

static void set_up(void)
{
	bool created;
	f = fixture_open();
	http = http_client_new(&(struct http_options){.authorities = NULL});
	cr_assert(http != NULL);
	cr_assert(project_put(f.store, f.arena, f.project, SLICE(""), &created) == RESULT_OK);
	api = (struct app_api){.http = http,
	                       .store = f.store,
	                       .config = &config,
	                       .project = f.project,
	                       .key = SLICE("a-key"),
	                       .effort = &effort};
}
static void tear_down(void)
{
	http_client_free(http);
	fixture_close(&f);
}
TestSuite(question, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *customer(const char *identifiers, const char *attributes)
{
	struct slice body = arena_format(f.arena, "{\"customer\":{\"identifiers\":%s,\"attributes\":%s}}", identifiers,
	                                 attributes);
	return peer_json(f.arena, "200 OK", "", body.data);
}

static const char *jo(const char *attributes)
{
	return customer("{\"email\":\"Jo@example.com\",\"id\":\"42\"}", attributes);
}

static enum result look_up(enum lookup_kind kind, struct slice identifier, int64_t made_at_ms, enum result *answer)
{
	struct lookup lookup = {kind, identifier, made_at_ms};
	struct question question = {.arena = f.arena, .api = &api, .lookup = &lookup};
	enum result result = question_ask(&question);
	*answer = question.answer;
	return result;
}

static void expect_done(enum lookup_kind kind, struct slice identifier)
{
	enum result answer;
	cr_assert(look_up(kind, identifier, SECOND * 1000, &answer) == RESULT_OK && answer == RESULT_OK, "%s",
	          api.fault.data);
}

static void put(struct slice recipient, const struct category *category, int64_t score)
{
	struct choice choice = {recipient, category, score > 0 ? CHOICE_OUT : CHOICE_IN, llabs(score)};
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv")};
	enum choice_outcome outcome;
	cr_assert(choices_record(f.store, f.arena, f.project, NULL, &origin, &choice, 1, &outcome) == RESULT_OK);
}

static int64_t score_of(struct slice recipient, struct slice list)
{
	int64_t score;
	cr_assert(optouts_choices_of(f.store, f.arena, f.project, recipient, &list, 1, &score) == RESULT_OK);
	return score;
}

static void expect(struct slice recipient, int64_t all, int64_t topic)
{
	int64_t stored_all = score_of(recipient, SLICE("$all")), stored_topic = score_of(recipient, topic_7);
	cr_assert_eq(stored_all, all, "$all: %lld", (long long)stored_all);
	cr_assert_eq(stored_topic, topic, "topic_7: %lld", (long long)stored_topic);
}

static void asked(struct peer *peer, size_t index, const char *path)
{
	cr_assert(peer_requests(peer) > index);
	cr_assert(strncmp(peer_request(peer, index), path, strlen(path)) == 0, "%s", peer_request(peer, index));
}

Test(question, what_was_chosen_counts_as_of_the_event)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo(OUT_JSON)}, {.text = jo(IN_JSON)});
	config.app_url = peer_url(peer);
	expect_done(LOOKUP_PREFERENCES, JO);
	asked(peer, 0, "GET /v1/customers/jo%40example.com/attributes?id_type=email ");
	expect(JO, OUT_MS, OUT_MS);
	cr_assert_eq(score_of(SLICE("42"), topic_7), 0, "the event was not about an id");
	expect_done(LOOKUP_PREFERENCES, SLICE("kim@example.com"));
	expect(SLICE("kim@example.com"), IN_MS, IN_MS);
}

Test(question, topics_that_are_unclear_are_left_alone)
{
	AUTO(peer_close)
	struct peer *peer = PEER({.text = jo("{\"cio_subscription_preferences\":{\"topics\":{\"topic_7\":\"no\","
	                                     "\"other\":false,\"8\":false,\"topic_9\":true}}}")});
	config.app_url = peer_url(peer);
	expect_done(LOOKUP_PREFERENCES, JO);
	expect(JO, IN_MS, 0);
	cr_assert_eq(score_of(JO, SLICE("customerio_topic_8")), OUT_MS);
	cr_assert_eq(score_of(JO, SLICE("customerio_topic_9")), IN_MS);
	cr_assert_eq(score_of(JO, SLICE("customerio_other")), 0);
}

// What stands before, and what stands once Customer.io says in.
static const struct {
	int64_t before, after;
	const char *why;
} seconds[] = {
	{OUT_MS, SETTLED_MS, "the end of that second has won only as such"},
	{OUT_MS - 1, OUT_MS - 1, "this one was made at that time"},
	{SECOND * 1000, SECOND * 1000, "a tie goes to out"},
	{OUT_MS + 1, OUT_MS + 1, "newer"},
	{OUT_MS + 1000, OUT_MS + 1000, "the end of the next second"},
	{OUT_MS - 1000, IN_MS, "the end of the second before"},
	{IN_MS - 5000, IN_MS - 5000, "in, and newer"},
	{0, IN_MS, "nothing"},
};

Test(question, of_opposite_events_in_one_second_the_last_one_wins)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo(IN_JSON)});
	config.app_url = peer_url(peer);
	for (size_t i = 0; i < COUNT_OF(seconds); i++) {
		struct slice recipient = arena_format(f.arena, "%zu@example.com", i);
		if (seconds[i].before != 0) {
			put(recipient, &category_all, seconds[i].before);
			put(recipient, offers, seconds[i].before);
		}
		for (int again = 0; again < 2; again++) {
			expect_done(LOOKUP_PREFERENCES, recipient);
			cr_assert_eq(score_of(recipient, topic_7), seconds[i].after, "%s", seconds[i].why);
			cr_assert_eq(score_of(recipient, SLICE("$all")), seconds[i].after, "%s", seconds[i].why);
		}
	}
}

Test(question, a_settled_second_can_be_left_again)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo(IN_JSON)});
	enum result answer;
	config.app_url = peer_url(peer);
	put(JO, offers, OUT_MS);
	// Queued for the `out`, the time is that of the end of its second.
	cr_assert(look_up(LOOKUP_PREFERENCES, JO, OUT_MS, &answer) == RESULT_OK && answer == RESULT_OK);
	cr_assert_eq(score_of(JO, topic_7), SETTLED_MS);
	put(JO, offers, OUT_MS + 1000);
	cr_assert_eq(score_of(JO, topic_7), OUT_MS + 1000);
}

static void tell(struct slice recipient)
{
	struct key_name key = partition_key(f.project, partition_of(recipient), "sendback", SLICE(""));
	fixture_command(&f, ARGUMENTS(SLICE("ZADD"), key_slice(&key), SLICE("1"), recipient));
}

Test(question, what_customerio_has_not_been_told_of_is_not_overruled)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo(IN_JSON)}, {.text = jo(OUT_JSON)});
	config.app_url = peer_url(peer);
	put(JO, offers, SECOND * 1000 - 60000);
	put(JO, &category_all, OUT_MS);
	tell(JO);
	expect_done(LOOKUP_PREFERENCES, JO);
	expect(JO, OUT_MS, SECOND * 1000 - 60000);
	expect_done(LOOKUP_PREFERENCES, JO);
	expect(JO, OUT_MS, OUT_MS);
}

Test(question, an_id_is_looked_up_for_its_address_too)
{
	AUTO(peer_close)
	struct peer *peer = PEER({.text = jo(IN_JSON)}, {.text = jo(OUT_JSON)}, {.text = customer("{}", IN_JSON)});
	config.app_url = peer_url(peer);
	expect_done(LOOKUP_PREFERENCES, SLICE("42"));
	asked(peer, 0, "GET /v1/customers/42/attributes?id_type=id ");
	asked(peer, 1, "GET /v1/customers/42/attributes?id_type=id ");
	expect(SLICE("42"), OUT_MS, OUT_MS);
	expect(JO, OUT_MS, OUT_MS);
	expect_done(LOOKUP_PREFERENCES, SLICE("43"));
	expect(SLICE("43"), IN_MS, IN_MS);
	cr_assert_eq(peer_requests(peer), 3, "there is no address");
}

Test(question, what_was_chosen_under_the_address_counts_for_the_id_too)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo(IN_JSON)});
	config.app_url = peer_url(peer);
	put(JO, offers, SECOND * 1000 - 60000);
	tell(JO);
	expect_done(LOOKUP_PREFERENCES, SLICE("42"));
	expect(JO, 0, SECOND * 1000 - 60000);
	expect(SLICE("42"), 0, 0);
}

Test(question, an_id_may_look_like_an_address)
{
	AUTO(peer_close)
	struct peer *peer = PEER({.text = peer_json(f.arena, "404 Not Found", "", "{}")}, {.text = jo(OUT_JSON)});
	config.app_url = peer_url(peer);
	expect_done(LOOKUP_PREFERENCES, JO);
	asked(peer, 1, "GET /v1/customers/jo%40example.com/attributes?id_type=id ");
	expect(JO, OUT_MS, OUT_MS);
}

Test(question, what_stands_under_an_id_counts_for_its_address_as_of_its_own_time)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo("{}")});
	struct category own = {.key = SLICE("own"), .name = SLICE("Own"), .list = SLICE("own"),
	                       .type = CATEGORY_MARKETING, .subscribed_by_default = true};
	const struct category *found;
	struct slice topic = SLICE("topic_7");
	config.app_url = peer_url(peer);
	cr_assert(category_save(f.store, f.arena, f.project, &own) == RESULT_OK);
	cr_assert(categories_for_topics(f.store, f.arena, f.project, &(struct category_list){.count = 0}, &topic, 1,
	                                &found) == RESULT_OK);
	put(SLICE("42"), &category_all, 5000);
	put(SLICE("42"), &category_complaint, 5001);
	put(SLICE("42"), &own, -5002);
	put(SLICE("42"), found, 5003);
	put(JO, &own, 5001);
	put(JO, found, -5004);
	expect_done(LOOKUP_ADDRESS, SLICE("42"));
	expect(JO, 5000, -5004);
	cr_assert_eq(score_of(JO, SLICE("$complaint")), 5001);
	cr_assert_eq(score_of(JO, SLICE("own")), -5002);
	expect(SLICE("42"), 5000, 5003);
	cr_assert_eq(peer_requests(peer), 1);
}

Test(question, an_id_without_an_address_is_done)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = customer("{\"email\":null,\"id\":\"42\"}", "{}")},
	                                          {.text = customer("{\"email\":\" \"}", "{}")});
	config.app_url = peer_url(peer);
	put(SLICE("42"), &category_all, 5000);
	expect_done(LOOKUP_ADDRESS, SLICE("42"));
	expect_done(LOOKUP_ADDRESS, SLICE("42"));
	cr_assert_eq(score_of(SLICE("42"), SLICE("$all")), 5000);
}

static const struct {
	const char *status;
	enum result answer;
} refusals[] = {
	{"404 Not Found", RESULT_NOT_FOUND},
	{"401 Unauthorized", RESULT_UNAUTHENTICATED},
	{"403 Forbidden", RESULT_FORBIDDEN},
	{"400 Bad Request", RESULT_INVALID},
	{"429 Too Many Requests", RESULT_LIMITED},
	{"502 Bad Gateway", RESULT_UNAVAILABLE},
	{"301 Moved Permanently", RESULT_CONFLICT},
	{"200 OK", RESULT_MALFORMED},
};

Test(question, without_an_answer_nothing_is_recorded)
{
	static const enum lookup_kind kinds[] = {LOOKUP_PREFERENCES, LOOKUP_ADDRESS};
	put(SLICE("42"), offers, 5000);
	for (size_t i = 0; i < 2 * COUNT_OF(refusals); i++) {
		AUTO(peer_close)
		struct peer *peer = PEER({.text = peer_json(f.arena, refusals[i / 2].status, "", "{}")});
		enum result answer;
		config.app_url = peer_url(peer);
		cr_assert(look_up(kinds[i % 2], SLICE("42"), SECOND * 1000, &answer) == RESULT_OK);
		cr_assert_eq(answer, refusals[i / 2].answer, "%s: %d", refusals[i / 2].status, answer);
		expect(SLICE("42"), 0, 5000);
	}
}

Test(question, a_project_that_is_gone_stays_gone)
{
	AUTO(peer_close) struct peer *peer = PEER({.text = jo(OUT_JSON)});
	enum result answer;
	config.app_url = peer_url(peer);
	cr_assert(project_delete(f.store, f.arena, f.project) == RESULT_OK);
	cr_assert(look_up(LOOKUP_PREFERENCES, JO, SECOND * 1000, &answer) == RESULT_NOT_FOUND);
	cr_assert(look_up(LOOKUP_ADDRESS, SLICE("42"), SECOND * 1000, &answer) == RESULT_NOT_FOUND);
	expect(JO, 0, 0);
}

// The opt-out list by its handlers: checking, opting out and in, many at once, the list, one recipient, categories.
#include "../support/call.h"

#include "base/clock.h"
#include "consent/category.h"
#include "consent/choice.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <stdlib.h>
#include <string.h>

extern const struct function function;

#define REQUEST_ID "a-request-of-a-test" // of every call
#define BATCH 10000
#define BATCH_BODY ((size_t)8 << 20)
#define X512 X128 X128 X128 X128
#define X128 X32 X32 X32 X32
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static struct service service;
static void set_up(void)
{
	service = service_open(&function);
}
static void tear_down(void)
{
	service_close(&service);
}
TestSuite(optouts_roles, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_check, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_change, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_bulk, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_list, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_recipient, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_categories, .init = set_up, .fini = tear_down, .timeout = 120);

#define GET(line) CALL(&service, "GET /optouts/{project}" line, .key = service.read)
#define SEND(line, text) CALL(&service, line, .key = service.admin, .body = (text))
#define DELETE(line) CALL(&service, "DELETE /optouts/{project}" line, .key = service.admin)

static const struct json *member(const struct outcome *outcome, const char *name)
{
	const struct json *found = json_get(outcome->body, name);
	cr_assert(found != NULL, "no %s in %.*s", name, (int)outcome->text.length, outcome->text.data);
	return found;
}

static int64_t number_of(const struct json *object, const char *name)
{
	int64_t number = -1;
	cr_assert(json_to_integer(json_get(object, name), 0, INT64_MAX, &number), "%s", name);
	return number;
}

static int64_t time_of(const struct json *object, const char *name)
{
	int64_t ms = -1;
	cr_assert(clock_parse(json_text(json_get(object, name)), &ms), "%s", name);
	return ms;
}

#define EXPECT_MEMBER(object, name, literal) EXPECT_TEXT(json_text(json_get((object), name)), literal)

// Exactly these, separated by spaces.
static void expect_members(const struct json *object, const char *names)
{
	struct slice rest = slice_of(names);
	size_t count = 0;
	while (rest.data != NULL) {
		struct slice name = slice_split(&rest, ' ');
		const char *text = arena_copy(service.fixture.arena, name).data;
		cr_assert(json_get(object, text) != NULL, "no %s", text);
		count++;
	}
	cr_assert_eq(json_count(object), count, "%zu members instead of %s", json_count(object), names);
}

static bool names_index(const struct outcome *outcome, int64_t index)
{
	const struct json *errors = json_get(outcome->body, "errors");
	int64_t number;
	for (size_t i = 0; i < json_count(errors); i++) {
		if (json_to_integer(json_get(json_at(errors, i), "index"), 0, INT64_MAX, &number) && number == index)
			return true;
	}
	return false;
}

static int compare_slices(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static size_t find_keys(struct slice *keys, size_t capacity)
{
	struct fixture *f = &service.fixture;
	struct slice cursor = SLICE("0"), many = SLICE("10000");
	struct slice pattern = slice_of(call_format(&service, "cb:{%s[:}]*", f->project.data));
	size_t count = 0;
	do {
		const struct reply *reply = fixture_command(
			f, ARGUMENTS(SLICE("SCAN"), cursor, SLICE("MATCH"), pattern, SLICE("COUNT"), many));
		for (size_t i = 0; i < reply_count(reply_at(reply, 1)) && count < capacity; i++)
			keys[count++] = reply_text(reply_at(reply_at(reply, 1), i));
		cursor = reply_text(reply_at(reply, 0));
	} while (!slice_equal(cursor, SLICE("0")));
	qsort(keys, count, sizeof(*keys), compare_slices);
	return count;
}

// Everything that is stored of the project.
static struct slice snapshot(void)
{
	static struct slice keys[1000];
	size_t count = find_keys(keys, COUNT_OF(keys));
	struct buffer *all = buffer_new(service.fixture.arena, (size_t)64 << 20);
	cr_assert(all != NULL && count > 0 && count < COUNT_OF(keys));
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && slice_equal(keys[i], keys[i - 1]))
			continue; // SCAN may show one twice
		const struct reply *dump = fixture_command(&service.fixture, ARGUMENTS(SLICE("DUMP"), keys[i]));
		buffer_append(all, keys[i]);
		buffer_append(all, reply_text(dump));
	}
	cr_assert(!buffer_failed(all));
	return buffer_slice(all);
}

struct refusal {
	const char *line, *body;
	int status;
	const char *field; // that is named; NULL: none
};

// With an admin's key. Nothing of it is stored.
static void expect_refused(const struct refusal *refusals, size_t count)
{
	struct slice before = snapshot();
	for (size_t i = 0; i < count; i++) {
		const struct refusal *refusal = &refusals[i];
		struct outcome outcome = SEND(refusal->line, refusal->body);
		cr_assert_eq(outcome.status, refusal->status, "%zu: %s: %d: %.*s", i, refusal->line, outcome.status,
		             (int)outcome.text.length, outcome.text.data);
		cr_assert(refusal->field == NULL || outcome_names_field(&outcome, refusal->field), "%zu: %s: %.*s", i,
		          refusal->line, (int)outcome.text.length, outcome.text.data);
	}
	cr_assert(slice_equal(snapshot(), before), "something was stored");
}

static void make_category(const char *members)
{
	struct outcome outcome = SEND("POST /optouts/{project}/categories", members);
	EXPECT_STATUS(outcome, 201);
}

static struct slice list_key(const char *identifier, const char *list)
{
	struct key_name key = partition_key(service.fixture.project, partition_of(slice_of(identifier)), "optouts:",
	                                    slice_of(list));
	return arena_copy(service.fixture.arena, key_slice(&key));
}

static void put(const char *identifier, const char *list, int64_t score)
{
	const char *text = call_format(&service, "%lld", (long long)score);
	fixture_command(&service.fixture, ARGUMENTS(SLICE("ZADD"), list_key(identifier, list), slice_of(text),
	                                            slice_of(identifier)));
}

// 0 when there is no choice.
static int64_t score_of(const char *identifier, const char *list)
{
	return reply_integer(fixture_command(
		&service.fixture, ARGUMENTS(SLICE("ZSCORE"), list_key(identifier, list), slice_of(identifier))));
}

static bool change(const char *method, const char *identifier, const char *category)
{
	bool adds = strcmp(method, "POST") == 0;
	const char *line = adds ? "POST /optouts/{project}"
	                        : call_format(&service, "DELETE /optouts/{project}?identifier=%s&category=%s",
	                                      identifier, category);
	const char *body = call_format(&service, "{\"identifier\":\"%s\",\"category\":\"%s\"}", identifier, category);
	struct outcome outcome = CALL(&service, line, .key = service.admin, .body = adds ? body : NULL);
	EXPECT_STATUS(outcome, 200);
	expect_members(outcome.body, "changed");
	cr_assert(json_is_boolean(json_get(outcome.body, "changed")));
	return json_is_true(json_get(outcome.body, "changed"));
}

static bool opt_out(const char *identifier, const char *category)
{
	return change("POST", identifier, category);
}

static bool opt_in(const char *identifier, const char *category)
{
	return change("DELETE", identifier, category);
}

static void expect_reason(const char *identifier, const char *category, const char *reason)
{
	const char *line =
		call_format(&service, "GET /optouts/{project}/check?identifier=%s&category=%s", identifier, category);
	struct outcome outcome = CALL(&service, line, .key = service.read);
	bool allowed = strcmp(reason, "subscribed") == 0 || strcmp(reason, "transactional") == 0;
	EXPECT_STATUS(outcome, 200);
	cr_assert(slice_equal(outcome_text(&outcome, "reason"), slice_of(reason)), "%s, %s: %.*s", identifier, category,
	          (int)outcome.text.length, outcome.text.data);
	cr_assert(json_is_true(member(&outcome, "allowed")) == allowed);
	cr_assert(json_is_false(member(&outcome, "allowed")) == !allowed);
}

// Who may do what.

static const struct {
	const char *line, *body;
	bool for_readers;
} role_cases[] = {
	{"GET /optouts/{project}/check?identifier=jo", NULL, true},
	{"HEAD /optouts/{project}/check?identifier=jo", NULL, true},
	{"POST /optouts/{project}/check", "{\"identifiers\":[]}", true},
	{"GET /optouts/{project}", NULL, true},
	{"GET /optouts/{project}/recipients/jo", NULL, true},
	{"GET /optouts/{project}/categories", NULL, true},
	{"GET /optouts/{project}/categories/$all", NULL, true},
	{"GET /optouts/{project}/export", NULL, true},
	{"GET /optouts/{project}/audit", NULL, true},
	{"GET /optouts/{project}/audit/export", NULL, true},
	{"POST /optouts/{project}/audit/verify", NULL, true},
	{"GET /optouts/{project}/stats", NULL, true},
	{"POST /optouts/{project}", "{\"identifier\":\"jo\"}", false},
	{"DELETE /optouts/{project}?identifier=jo", NULL, false},
	{"POST /optouts/{project}/bulk", "{\"opt_outs\":[]}", false},
	{"POST /optouts/{project}/categories", "{\"key\":\"news\"}", false},
	{"PATCH /optouts/{project}/categories/news", "{}", false},
};

static int status_with(size_t index, const char *key)
{
	struct outcome outcome = CALL(&service, role_cases[index].line, .key = key, .body = role_cases[index].body);
	return outcome.status;
}

static void expect_allowed(size_t index, const char *key)
{
	int status = status_with(index, key);
	cr_assert(status / 100 == 2 || status == 409, "%s: %d", role_cases[index].line, status);
}

Test(optouts_roles, each_key_may_do_what_its_role_allows)
{
	struct slice other = service_project(&service);
	const char *reader_of_other = service_key(&service, other, ROLE_READ);
	const char *admin_of_other = service_key(&service, other, ROLE_ADMIN);
	for (size_t i = 0; i < COUNT_OF(role_cases); i++) {
		struct slice before = snapshot();
		const char *line = role_cases[i].line;
		cr_assert_eq(status_with(i, NULL), 401, "%s", line);
		cr_assert_eq(status_with(i, "no-key-of-ours"), 401, "%s", line);
		cr_assert_eq(status_with(i, service.ingest), 403, "%s", line);
		cr_assert_eq(status_with(i, service.ingest_secret), 403, "%s", line);
		cr_assert_eq(status_with(i, reader_of_other), 403, "%s", line);
		cr_assert_eq(status_with(i, admin_of_other), 403, "%s", line);
		if (role_cases[i].for_readers)
			expect_allowed(i, service.read);
		else
			cr_assert_eq(status_with(i, service.read), 403, "%s", line);
		cr_assert(slice_equal(snapshot(), before), "%s changed something", line);
		expect_allowed(i, service.admin);
		expect_allowed(i, service.root);
	}
}

Test(optouts_roles, what_is_not_there)
{
	static const struct refusal refusals[] = {
		{"GET /optouts", NULL, 404, NULL},
		{"GET /optouts/", NULL, 404, NULL},
		{"GET /optouts/{project}/", NULL, 404, NULL},
		{"GET /optouts/{project}/check/", NULL, 404, NULL},
		{"GET /optouts/{project}/nothing", NULL, 404, NULL},
		{"GET /optouts/{project}/recipients/", NULL, 404, NULL},
		{"GET /optouts/{project}/recipients/a/b", NULL, 404, NULL},
		{"GET /optouts/{project}/categories/nothing", NULL, 404, NULL},
		{"GET /optouts/{project}/categories/$bounced", NULL, 404, NULL},
		{"PATCH /optouts/{project}/categories/nothing", "{}", 404, NULL},
		{"PUT /optouts/{project}", "{}", 405, NULL},
		{"PATCH /optouts/{project}/check", "{}", 405, NULL},
		{"DELETE /optouts/{project}/check", NULL, 405, NULL},
		{"GET /optouts/{project}/bulk", NULL, 405, NULL},
		{"GET /optouts/{project}/audit/verify", NULL, 405, NULL},
		{"POST /optouts/{project}/audit", "{}", 405, NULL},
		{"POST /optouts/{project}/export", "{}", 405, NULL},
		{"POST /optouts/{project}/stats", "{}", 405, NULL},
		{"DELETE /optouts/{project}/categories/$all", NULL, 405, NULL},
		{"POST /optouts/{project}/recipients/jo", "{}", 405, NULL},
	};
	expect_refused(refusals, COUNT_OF(refusals));
	struct outcome outcome = CALL(&service, "GET /optouts/no-such-project", .key = service.root);
	EXPECT_STATUS(outcome, 404);
	outcome = CALL(&service, "GET /optouts/no-such-project", .key = service.admin);
	EXPECT_STATUS(outcome, 403);
}

// May I send?

Test(optouts_check, answers_for_the_recipient_that_is_meant)
{
	static const struct {
		const char *sent, *meant;
	} cases[] = {
		{"jo@example.com", "jo@example.com"},
		{"%20Jo@Example.COM%20", "jo@example.com"},
		{"+Jo%40Example.COM", "+jo@example.com"},
		{"jo%40example.com", "jo@example.com"},
		{"jo+news@example.com", "jo+news@example.com"},
		{"jo+news%40example.com", "jo+news@example.com"},
		{"jo%2Bnews@example.com", "jo+news@example.com"},
		{"%2B491701234567", "+491701234567"},
		{"+491701234567", "+491701234567"},
		{"User-7", "User-7"},
		{"a%2Fb", "a/b"},
		{"Jo+Doe", "Jo Doe"},
		{"%C3%84@Example.com", "\xc3\x84@example.com"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *line = call_format(&service, "GET /optouts/{project}/check?identifier=%s", cases[i].sent);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_STATUS(outcome, 200);
		EXPECT_TEXT(outcome_text(&outcome, "identifier"), cases[i].meant);
		cr_assert(json_is_true(member(&outcome, "allowed")));
		put(cases[i].meant, "$all", 1000);
		outcome = CALL(&service, line, .key = service.read);
		EXPECT_TEXT(outcome_text(&outcome, "reason"), "opted_out_all");
		put(cases[i].meant, "$all", -2000);
	}
}

Test(optouts_check, tells_what_decides_and_since_when)
{
	put("jo@example.com", "$all", 1732285840999);
	struct outcome outcome = GET("/check?identifier=jo@example.com");
	EXPECT_STATUS(outcome, 200);
	expect_members(outcome.body, "identifier category allowed reason since");
	EXPECT_TEXT(outcome_text(&outcome, "category"), "$all");
	EXPECT_TEXT(outcome_text(&outcome, "reason"), "opted_out_all");
	EXPECT_TEXT(outcome_text(&outcome, "since"), "2024-11-22T14:30:40.999Z");
	outcome = GET("/check?identifier=ann@example.com&category=$all");
	EXPECT_TEXT(outcome_text(&outcome, "reason"), "subscribed");
	cr_assert(json_is_null(member(&outcome, "since")), "never chose");
	put("ann@example.com", "$all", -1);
	outcome = GET("/check?identifier=ann@example.com&category=%24all");
	EXPECT_TEXT(outcome_text(&outcome, "since"), "1970-01-01T00:00:00.001Z");
	// A clock ahead of ours wrote it.
	put("ann@example.com", "$all", clock_now_ms() + 3600000);
	outcome = GET("/check?identifier=ann@example.com");
	cr_assert(json_is_false(member(&outcome, "allowed")) && time_of(outcome.body, "since") <= clock_now_ms());
}

Test(optouts_check, every_reason_has_its_category)
{
	make_category("{\"key\":\"news\"}");
	make_category("{\"key\":\"opt-in\",\"subscribed_by_default\":false}");
	make_category("{\"key\":\"receipts\",\"type\":\"transactional\"}");
	make_category("{\"key\":\"old\",\"archived\":true}");
	expect_reason("jo", "news", "subscribed");
	expect_reason("jo", "opt-in", "not_opted_in");
	expect_reason("jo", "receipts", "transactional");
	expect_reason("jo", "$all", "subscribed");
	put("jo", "news", 5);
	put("jo", "old", 5);
	put("jo", "receipts", 5);
	expect_reason("jo", "news", "opted_out_category");
	expect_reason("jo", "old", "opted_out_category");
	expect_reason("jo", "receipts", "transactional");
	expect_reason("jo", "$all", "subscribed");
	put("jo", "$all", 4);
	expect_reason("jo", "news", "opted_out_all");
	expect_reason("jo", "opt-in", "opted_out_all");
	expect_reason("jo", "receipts", "transactional");
	put("jo", "$complaint", 3);
	expect_reason("jo", "news", "complaint");
	expect_reason("jo", "receipts", "complaint");
	expect_reason("jo", "$all", "complaint");
	expect_reason("jo", "$complaint", "complaint");
}

// Whatever is wrong with the question, the answer must never be that of another one.
Test(optouts_check, a_wrong_question_has_no_answer)
{
	static const struct refusal refusals[] = {
		{"GET /optouts/{project}/check", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=%20%09", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=a%00b", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=a%0Ab", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=%ff", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=" X512 "x", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=a&identifier=b", NULL, 422, "identifier"},
		{"GET /optouts/{project}/check?identifier=%4", NULL, 400, NULL},
		{"GET /optouts/{project}/check?Identifier=a", NULL, 422, "Identifier"},
		{"GET /optouts/{project}/check?identifier=a&categroy=news", NULL, 422, "categroy"},
		{"GET /optouts/{project}/check?identifier=a&category=$all&x", NULL, 422, "x"},
		{"GET /optouts/{project}/check?identifier=a&category=", NULL, 422, "category"},
		{"GET /optouts/{project}/check?identifier=a&category", NULL, 422, "category"},
		{"GET /optouts/{project}/check?identifier=a&category=%ff", NULL, 422, "category"},
		{"GET /optouts/{project}/check?identifier=a&category=" X128, NULL, 422, "category"},
		{"GET /optouts/{project}/check?identifier=a&category=news", NULL, 404, NULL},
		{"GET /optouts/{project}/check?identifier=a&category=$ALL", NULL, 404, NULL},
		{"GET /optouts/{project}/check?identifier=a&category=$bounced", NULL, 404, NULL},
		{"GET /optouts/{project}/check?identifier=a&category=a:b", NULL, 404, NULL},
		{"GET /optouts/{project}/check?identifier=a&category=customerio_topic_7", NULL, 404, NULL},
		{"GET /optouts/{project}/check?identifier=a", "{}", 400, NULL},
	};
	struct outcome outcome = GET("/check?identifier=" X512);
	EXPECT_STATUS(outcome, 200);
	expect_refused(refusals, COUNT_OF(refusals));
}

Test(optouts_check, a_category_that_cannot_be_read_is_no_yes)
{
	struct key_name hash = project_key(service.fixture.project, "categories");
	fixture_command(&service.fixture,
	                ARGUMENTS(SLICE("HSET"), key_slice(&hash), SLICE("news"), SLICE("{\"name\":")));
	struct outcome outcome = GET("/check?identifier=a&category=news");
	EXPECT_STATUS(outcome, 503);
	outcome = GET("/categories/news");
	EXPECT_STATUS(outcome, 503);
	outcome = GET("/categories");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_count(member(&outcome, "results")) == 0);
	outcome = SEND("POST /optouts/{project}/categories", "{\"key\":\"news\"}");
	EXPECT_STATUS(outcome, 409);
}

// `list` and `count` elements, each with its number for the '#'.
static struct slice batch_body(const char *list, const char *format, size_t count)
{
	struct buffer *body = buffer_new(service.fixture.arena, 2 * BATCH_BODY);
	cr_assert(body != NULL);
	buffer_append_text(body, list);
	for (size_t i = 0; i < count; i++) {
		struct slice rest = slice_of(format);
		buffer_append_text(body, i > 0 ? "," : "");
		buffer_append(body, slice_split(&rest, '#'));
		if (rest.data != NULL)
			buffer_append_integer(body, (int64_t)i);
		buffer_append(body, rest);
	}
	buffer_append_text(body, "]}");
	cr_assert(!buffer_failed(body));
	return buffer_slice(body);
}

Test(optouts_check, many_are_answered_in_their_order)
{
	put("jo@example.com", "$all", 5);
	struct outcome outcome =
		CALL(&service, "POST /optouts/{project}/check", .key = service.read,
	             .body = "{\"identifiers\":[\"ann@example.com\",\" JO@Example.com\",\"User-7\",\"jo@example.com\","
	                     "\"ann@example.com\"],\"category\":\"$all\"}");
	static const char *const wanted[] = {"ann@example.com", "jo@example.com", "User-7", "jo@example.com",
	                                     "ann@example.com"};
	EXPECT_STATUS(outcome, 200);
	expect_members(outcome.body, "results");
	cr_assert_eq(json_count(member(&outcome, "results")), COUNT_OF(wanted));
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		const struct json *result = json_at(member(&outcome, "results"), i);
		expect_members(result, "identifier category allowed reason since");
		EXPECT_MEMBER(result, "identifier", wanted[i]);
		EXPECT_MEMBER(result, "category", "$all");
		cr_assert(json_is_false(json_get(result, "allowed")) == (wanted[i][0] == 'j'), "%zu", i);
	}
}

Test(optouts_check, up_to_ten_thousand_at_once)
{
	static const char line[] = "POST /optouts/{project}/check";
	put("r9999@example.com", "$all", 5);
	struct slice body = batch_body("{\"identifiers\":[", "\"r#@example.com\"", BATCH);
	struct outcome outcome = CALL(&service, line, .key = service.read, .bytes = body);
	EXPECT_STATUS(outcome, 200);
	cr_assert_eq(json_count(member(&outcome, "results")), BATCH);
	for (size_t i = 0; i < BATCH; i++) {
		const struct json *result = json_at(member(&outcome, "results"), i);
		cr_assert(slice_equal(json_text(json_get(result, "identifier")),
		                      arena_format(service.fixture.arena, "r%zu@example.com", i)));
		cr_assert(json_is_true(json_get(result, "allowed")) == (i != 9999));
	}
	body = batch_body("{\"identifiers\":[", "\"r#@example.com\"", BATCH + 1);
	outcome = CALL(&service, line, .key = service.read, .bytes = body);
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "identifiers"));
	outcome = CALL(&service, line, .key = service.read, .body = "{\"identifiers\":[]}");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_count(member(&outcome, "results")) == 0);
}

Test(optouts_check, the_longest_ten_thousand_fit)
{
	struct slice body = batch_body("{\"identifiers\":[", "\"" X512 "\"", BATCH);
	struct outcome outcome = CALL(&service, "POST /optouts/{project}/check", .key = service.read, .bytes = body);
	EXPECT_STATUS(outcome, 200);
	body = batch_body("{\"identifiers\":[", "\"" X512 X512 "\"", BATCH);
	cr_assert(body.length > BATCH_BODY);
	outcome = CALL(&service, "POST /optouts/{project}/check", .key = service.read, .bytes = body);
	EXPECT_STATUS(outcome, 413);
	outcome = CALL(&service, "POST /optouts/{project}/check", .key = service.read, .bytes = body,
	               .undeclared = true);
	EXPECT_STATUS(outcome, 413);
}

Test(optouts_check, bad_ones_among_many_are_named_by_index)
{
	struct outcome outcome =
		CALL(&service, "POST /optouts/{project}/check", .key = service.read,
	             .body = "{\"identifiers\":[\"a\",\"\",7,\"b\",null,\" \",[\"a\"],\"a\\nb\",\"" X512 "x\",\"c\"]}");
	EXPECT_STATUS(outcome, 422);
	cr_assert_eq(json_count(member(&outcome, "errors")), 7);
	for (int64_t i = 0; i < 10; i++)
		cr_assert(names_index(&outcome, i) == (i != 0 && i != 3 && i != 9), "%d", (int)i);
	expect_members(json_at(member(&outcome, "errors"), 0), "index message");
}

Test(optouts_check, a_wrong_batch_has_no_answer)
{
	static const struct refusal refusals[] = {
		{"POST /optouts/{project}/check", NULL, 422, "identifiers"},
		{"POST /optouts/{project}/check", "{}", 422, "identifiers"},
		{"POST /optouts/{project}/check", "{\"identifiers\":\"a\"}", 422, "identifiers"},
		{"POST /optouts/{project}/check", "{\"identifiers\":{}}", 422, "identifiers"},
		{"POST /optouts/{project}/check", "{\"identifiers\":null}", 422, "identifiers"},
		{"POST /optouts/{project}/check", "{\"identifiers\":[],\"categroy\":\"x\"}", 422, "categroy"},
		{"POST /optouts/{project}/check", "{\"identifiers\":[],\"category\":\"\"}", 422, "category"},
		{"POST /optouts/{project}/check", "{\"identifiers\":[],\"category\":null}", 422, "category"},
		{"POST /optouts/{project}/check", "{\"identifiers\":[],\"category\":7}", 422, "category"},
		{"POST /optouts/{project}/check", "{\"identifiers\":[\"a\"],\"category\":\"news\"}", 404, NULL},
		{"POST /optouts/{project}/check?category=$all", "{\"identifiers\":[]}", 422, "category"},
		{"POST /optouts/{project}/check", "[\"a\"]", 422, NULL},
		{"POST /optouts/{project}/check", "{\"identifiers\":[\"a\"]", 400, NULL},
		{"POST /optouts/{project}/check", "{\"identifiers\":[\"a\\u0000\"]}", 400, NULL},
		{"POST /optouts/{project}/check", "{\"identifiers\":[],\"identifiers\":[]}", 400, NULL},
	};
	expect_refused(refusals, COUNT_OF(refusals));
	struct outcome outcome = CALL(&service, "POST /optouts/{project}/check", .key = service.read,
	                              .body = "{\"identifiers\":[]}", .type = "text/plain");
	EXPECT_STATUS(outcome, 415);
}

// Opting out and in.

Test(optouts_change, out_and_in_again)
{
	int64_t before = clock_now_ms();
	cr_assert(opt_out(" Jo@Example.COM ", "$all"));
	cr_assert(!opt_out("jo@example.com", "$all"), "was out");
	expect_reason("jo@example.com", "$all", "opted_out_all");
	struct outcome outcome = GET("/check?identifier=jo@example.com");
	cr_assert(time_of(outcome.body, "since") >= before - 1000 && time_of(outcome.body, "since") <= clock_now_ms());
	cr_assert(opt_in("JO@example.com", "$all"));
	cr_assert(!opt_in("jo@example.com", "$all"), "was in");
	expect_reason("jo@example.com", "$all", "subscribed");
	outcome = SEND("POST /optouts/{project}", "{\"identifier\":\"jo@example.com\"}");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_true(member(&outcome, "changed")), "without a category all marketing is meant");
	expect_reason("jo@example.com", "$all", "opted_out_all");
	outcome = DELETE("?identifier=jo@example.com");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_true(member(&outcome, "changed")));
	expect_reason("jo@example.com", "$all", "subscribed");
	cr_assert(!opt_in("never-seen", "$all"), "is in by default");
}

Test(optouts_change, one_category_leaves_the_others_alone)
{
	make_category("{\"key\":\"news\"}");
	make_category("{\"key\":\"offers\"}");
	make_category("{\"key\":\"opt-in\",\"subscribed_by_default\":false}");
	cr_assert(opt_out("jo", "news"));
	expect_reason("jo", "news", "opted_out_category");
	expect_reason("jo", "offers", "subscribed");
	expect_reason("jo", "$all", "subscribed");
	cr_assert(opt_in("jo", "news"));
	expect_reason("jo", "news", "subscribed");
	cr_assert(!opt_out("jo", "opt-in"), "was not in");
	cr_assert(opt_in("jo", "opt-in"));
	expect_reason("jo", "opt-in", "subscribed");
	cr_assert(score_of("jo", "offers") == 0 && score_of("jo", "$all") == 0);
}

// What was answered is in force, whatever clock had written what stands.
Test(optouts_change, beats_a_choice_from_the_future)
{
	int64_t ahead = clock_now_ms() + 240000;
	put("jo", "$all", -ahead);
	cr_assert(opt_out("jo", "$all"));
	cr_assert_eq(score_of("jo", "$all"), ahead + 1);
	cr_assert(opt_in("jo", "$all"));
	cr_assert_eq(score_of("jo", "$all"), -(ahead + 2));
}

Test(optouts_change, opting_in_to_one_while_all_are_out_is_that_one_only)
{
	make_category("{\"key\":\"news\"}");
	make_category("{\"key\":\"offers\"}");
	make_category("{\"key\":\"mine\",\"topic\":\"7\"}");
	make_category("{\"key\":\"opt-in\",\"subscribed_by_default\":false}");
	make_category("{\"key\":\"receipts\",\"type\":\"transactional\"}");
	make_category("{\"key\":\"old\",\"archived\":true}");
	put("jo", "offers", -5);
	cr_assert(opt_out("jo", "$all"));
	cr_assert(!opt_in("jo", "old") && !opt_in("jo", "receipts"), "neither of these is marketing now");
	expect_reason("jo", "$all", "opted_out_all");
	cr_assert(opt_in("jo", "news"), "its own choice was in by default, but nothing could be sent");
	cr_assert(!opt_in("jo", "news"));
	expect_reason("jo", "$all", "subscribed");
	expect_reason("jo", "news", "subscribed");
	expect_reason("jo", "offers", "opted_out_category");
	expect_reason("jo", "mine", "opted_out_category");
	expect_reason("jo", "opt-in", "opted_out_category");
	expect_reason("jo", "receipts", "transactional");
	expect_reason("jo", "old", "subscribed");
	cr_assert(score_of("jo", "customerio_topic_7") > 0);
	cr_assert(opt_in("jo", "offers"), "the second is not pinned again");
	expect_reason("jo", "news", "subscribed");
	expect_reason("jo", "mine", "opted_out_category");
}

Test(optouts_change, nobody_but_the_recipient_lifts_a_complaint)
{
	static const struct refusal refusals[] = {
		{"DELETE /optouts/{project}?identifier=jo&category=$complaint", NULL, 422, "category"},
		{"DELETE /optouts/{project}?identifier=never-seen&category=%24complaint", NULL, 422, "category"},
	};
	make_category("{\"key\":\"receipts\",\"type\":\"transactional\"}");
	cr_assert(opt_out("jo", "$complaint"));
	expect_reason("jo", "receipts", "complaint");
	expect_refused(refusals, COUNT_OF(refusals));
	cr_assert(!opt_in("jo", "$all") && !opt_in("jo", "receipts"));
	expect_reason("jo", "receipts", "complaint");
	expect_reason("jo", "$all", "complaint");
}

static bool is_sent_back(const char *identifier)
{
	struct key_name key = partition_key(service.fixture.project, partition_of(slice_of(identifier)), "sendback",
	                                    SLICE(""));
	return !reply_is_null(fixture_command(&service.fixture,
	                                      ARGUMENTS(SLICE("ZSCORE"), key_slice(&key), slice_of(identifier))));
}

Test(optouts_change, customerio_is_told_of_what_it_knows)
{
	make_category("{\"key\":\"mine\",\"topic\":\"topic_7\"}");
	make_category("{\"key\":\"ours\"}");
	cr_assert(!opt_in("unchanged", "$all") && !is_sent_back("unchanged"));
	cr_assert(opt_out("a", "$all") && is_sent_back("a"));
	cr_assert(opt_out("b", "mine") && is_sent_back("b"));
	cr_assert(opt_out("c", "ours") && !is_sent_back("c"));
	cr_assert(opt_out("d", "$complaint") && !is_sent_back("d"));
	struct outcome outcome =
		SEND("POST /optouts/{project}/bulk", "{\"opt_outs\":[{\"identifier\":\"e\"}],\"category\":\"mine\"}");
	EXPECT_STATUS(outcome, 200);
	cr_assert(is_sent_back("e"));
}

Test(optouts_change, bad_input_stores_nothing)
{
	static const struct refusal refusals[] = {
		{"POST /optouts/{project}", NULL, 422, "identifier"},
		{"POST /optouts/{project}", "{\"category\":\"news\"}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":\"\"}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":\" \\t\"}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":7}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":null}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":[\"a\"]}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":\"a\\u007fb\"}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":\"" X512 "x\"}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":\"a\",\"category\":\"\"}", 422, "category"},
		{"POST /optouts/{project}", "{\"identifier\":\"a\",\"category\":null}", 422, "category"},
		{"POST /optouts/{project}", "{\"identifier\":\"a\",\"category\":[]}", 422, "category"},
		{"POST /optouts/{project}", "{\"identifier\":\"a\",\"category\":\"nothing\"}", 404, NULL},
		{"POST /optouts/{project}", "{\"identifier\":\"a\",\"category\":\"$dropped\"}", 404, NULL},
		{"POST /optouts/{project}", "{\"identifier\":\"a\",\"categroy\":\"news\"}", 422, "categroy"},
		{"POST /optouts/{project}?identifier=a", "{\"identifier\":\"a\"}", 422, "identifier"},
		{"POST /optouts/{project}", "{\"identifier\":\"a\"", 400, NULL},
		{"POST /optouts/{project}", "\"a\"", 422, NULL},
		{"DELETE /optouts/{project}", NULL, 422, "identifier"},
		{"DELETE /optouts/{project}?category=news", NULL, 422, "identifier"},
		{"DELETE /optouts/{project}?identifier=%20&category=news", NULL, 422, "identifier"},
		{"DELETE /optouts/{project}?identifier=a%00b", NULL, 422, "identifier"},
		{"DELETE /optouts/{project}?identifier=jo&category=", NULL, 422, "category"},
		{"DELETE /optouts/{project}?identifier=jo&category=nothing", NULL, 404, NULL},
		{"DELETE /optouts/{project}?identifier=jo&categroy=news", NULL, 422, "categroy"},
		{"DELETE /optouts/{project}?identifier=jo&identifier=ann", NULL, 422, "identifier"},
		{"DELETE /optouts/{project}?identifier=jo", "{\"identifier\":\"jo\"}", 400, NULL},
	};
	make_category("{\"key\":\"news\"}");
	cr_assert(opt_out("jo", "$all") && opt_out("jo", "news"));
	expect_refused(refusals, COUNT_OF(refusals));
}

Test(optouts_change, a_body_has_a_limit)
{
	struct slice before = snapshot();
	char *body = arena_alloc(service.fixture.arena, (16 << 10) + 2);
	memset(body, ' ', (16 << 10) + 1);
	memcpy(body, "{\"identifier\":\"jo\"}", 19);
	struct outcome outcome = SEND("POST /optouts/{project}", body);
	EXPECT_STATUS(outcome, 413);
	cr_assert(slice_equal(snapshot(), before));
	body[16 << 10] = '\0';
	outcome = SEND("POST /optouts/{project}", body);
	EXPECT_STATUS(outcome, 200);
	before = snapshot();
	outcome = CALL(&service, "POST /optouts/{project}", .key = service.admin, .body = "{\"identifier\":\"ann\"}",
	               .cut = true);
	EXPECT_STATUS(outcome, 400);
	cr_assert(slice_equal(snapshot(), before), "a body that was cut short stores nothing");
}

// Many at once.

static void expect_bulk(const struct outcome *outcome, int64_t total, int64_t opted_out, int64_t unchanged,
                        size_t errors)
{
	EXPECT_STATUS(*outcome, 200);
	expect_members(outcome->body, "total opted_out unchanged errors");
	cr_assert(number_of(outcome->body, "total") == total && number_of(outcome->body, "opted_out") == opted_out &&
	                  number_of(outcome->body, "unchanged") == unchanged &&
	                  json_count(member(outcome, "errors")) == errors,
	          "%.*s", (int)outcome->text.length, outcome->text.data);
}

Test(optouts_bulk, entries_go_to_their_category_or_the_default_one)
{
	static const char body[] = "{\"category\":\"news\",\"opt_outs\":[{\"identifier\":\" A@Example.com\"},"
				   "{\"identifier\":\"b\",\"category\":\"$all\"},{\"identifier\":\"a@example.com\"},"
				   "{\"identifier\":\"c\",\"category\":\"old\"},"
				   "{\"identifier\":\"d\",\"category\":\"$complaint\"}]}";
	make_category("{\"key\":\"news\"}");
	make_category("{\"key\":\"old\",\"archived\":true}");
	struct outcome outcome = SEND("POST /optouts/{project}/bulk", body);
	expect_bulk(&outcome, 5, 4, 1, 0);
	expect_reason("a@example.com", "news", "opted_out_category");
	expect_reason("a@example.com", "$all", "subscribed");
	expect_reason("b", "news", "opted_out_all");
	expect_reason("c", "old", "opted_out_category");
	expect_reason("d", "news", "complaint");
	outcome = SEND("POST /optouts/{project}/bulk", body);
	expect_bulk(&outcome, 5, 0, 5, 0);
	outcome = SEND("POST /optouts/{project}/bulk", "{\"opt_outs\":[{\"identifier\":\"e\"}]}");
	expect_bulk(&outcome, 1, 1, 0, 0);
	expect_reason("e", "$all", "opted_out_all");
	outcome = SEND("POST /optouts/{project}/bulk", "{\"opt_outs\":[]}");
	expect_bulk(&outcome, 0, 0, 0, 0);
}

Test(optouts_bulk, bad_entries_are_named_and_stop_nobody)
{
	static const char body[] = "{\"opt_outs\":[{\"identifier\":\"a\"},{\"identifier\":\"\"},{},\"b\",null,"
				   "{\"identifier\":7},{\"identifier\":\"b\",\"category\":\"nothing\"},"
				   "{\"identifier\":\"b\",\"category\":7},{\"identifier\":\"b\",\"category\":null},"
				   "{\"identifier\":\"b\",\"category\":\"\"},{\"identifier\":\"b\",\"categroy\":\"x\"},"
				   "{\"identifier\":\"a\\nb\"},{\"identifier\":\"c\"}]}";
	struct outcome outcome = SEND("POST /optouts/{project}/bulk", body);
	expect_bulk(&outcome, 13, 2, 0, 11);
	for (int64_t i = 0; i < 13; i++)
		cr_assert(names_index(&outcome, i) == (i != 0 && i != 12), "%d", (int)i);
	const struct json *error = json_at(member(&outcome, "errors"), 0);
	expect_members(error, "index message");
	cr_assert(json_text(json_get(error, "message")).length > 0);
	expect_reason("a", "$all", "opted_out_all");
	expect_reason("b", "$all", "subscribed");
	expect_reason("c", "$all", "opted_out_all");
}

Test(optouts_bulk, up_to_ten_thousand_at_once)
{
	static const char line[] = "POST /optouts/{project}/bulk";
	const struct slice lists[] = {SLICE("$all")};
	int64_t count;
	struct slice before = snapshot();
	struct outcome outcome = CALL(&service, line, .key = service.admin,
	                              .bytes = batch_body("{\"opt_outs\":[", "{\"identifier\":\"r#\"}", BATCH + 1));
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "opt_outs"));
	cr_assert(slice_equal(snapshot(), before));
	outcome = CALL(&service, line, .key = service.admin,
	               .bytes = batch_body("{\"opt_outs\":[", "{\"identifier\":\"r#\"}", BATCH));
	expect_bulk(&outcome, BATCH, BATCH, 0, 0);
	cr_assert(optouts_count(service.fixture.store, service.fixture.arena, service.fixture.project, lists, 1,
	                        &count) == RESULT_OK);
	cr_assert_eq(count, BATCH);
	outcome = CALL(&service, line, .key = service.admin,
	               .bytes = batch_body("{\"opt_outs\":[", "{\"identifier\":\"\"}", BATCH));
	expect_bulk(&outcome, BATCH, 0, 0, BATCH);
}

Test(optouts_bulk, a_body_has_a_limit)
{
	struct slice before = snapshot();
	struct slice body = batch_body("{\"opt_outs\":[", "{\"identifier\":\"" X512 X512 "\"}", BATCH);
	cr_assert(body.length > BATCH_BODY);
	struct outcome outcome = CALL(&service, "POST /optouts/{project}/bulk", .key = service.admin, .bytes = body);
	EXPECT_STATUS(outcome, 413);
	outcome = CALL(&service, "POST /optouts/{project}/bulk", .key = service.admin, .bytes = body,
	               .undeclared = true);
	EXPECT_STATUS(outcome, 413);
	cr_assert(slice_equal(snapshot(), before));
	body = batch_body("{\"opt_outs\":[",
	                  "{\"identifier\":\"#" X128 X128 X128 X32 X32 X32 "\",\"category\":\"$complaint\"}", BATCH);
	cr_assert(body.length < BATCH_BODY);
	outcome = CALL(&service, "POST /optouts/{project}/bulk", .key = service.admin, .bytes = body);
	expect_bulk(&outcome, BATCH, BATCH, 0, 0);
}

Test(optouts_bulk, bad_input_stores_nothing)
{
#define POST_BULK "POST /optouts/{project}/bulk"
#define ONE "\"opt_outs\":[{\"identifier\":\"a\"}]"
	static const struct refusal refusals[] = {
		{POST_BULK, "{}", 422, "opt_outs"},
		{POST_BULK, "{\"opt_outs\":{}}", 422, "opt_outs"},
		{POST_BULK, "{\"opt_outs\":\"a\"}", 422, "opt_outs"},
		{POST_BULK, "{" ONE ",\"x\":1}", 422, "x"},
		{POST_BULK, "{" ONE ",\"category\":\"\"}", 422, "category"},
		{POST_BULK, "{" ONE ",\"category\":7}", 422, "category"},
		{POST_BULK, "{" ONE ",\"category\":\"nothing\"}", 404, NULL},
		{POST_BULK, "{\"opt_outs\":[],\"category\":\"nothing\"}", 404, NULL},
		{POST_BULK, "{" ONE, 400, NULL},
		{POST_BULK, "[{\"identifier\":\"a\"}]", 422, NULL},
		{POST_BULK "?category=$all", "{\"opt_outs\":[]}", 422, "category"},
		{POST_BULK, "{\"opt_outs\":[{\"identifier\":\"\"},{\"identifier\":7}]}", 200, NULL},
	};
	expect_refused(refusals, COUNT_OF(refusals));
}

// The list.

Test(optouts_list, shows_who_is_out_newest_first)
{
	make_category("{\"key\":\"mine\",\"topic\":\"topic_7\"}");
	struct outcome outcome = GET("");
	EXPECT_STATUS(outcome, 200);
	expect_members(outcome.body, "count results next_cursor");
	cr_assert(number_of(outcome.body, "count") == 0 && json_count(member(&outcome, "results")) == 0);
	put("a", "$all", 1732285840999);
	put("b", "$all", 1732285841000);
	put("c", "$all", -1732285842000);
	put("d", "customerio_topic_7", clock_now_ms() + 3600000);
	outcome = GET("");
	cr_assert(number_of(outcome.body, "count") == 2 && json_is_null(member(&outcome, "next_cursor")));
	const struct json *results = member(&outcome, "results");
	cr_assert_eq(json_count(results), 2);
	expect_members(json_at(results, 0), "identifier category opted_out_at");
	EXPECT_MEMBER(json_at(results, 0), "identifier", "b");
	EXPECT_MEMBER(json_at(results, 0), "category", "$all");
	EXPECT_MEMBER(json_at(results, 0), "opted_out_at", "2024-11-22T14:30:41.000Z");
	EXPECT_MEMBER(json_at(results, 1), "identifier", "a");
	outcome = GET("?category=mine");
	results = member(&outcome, "results");
	cr_assert(number_of(outcome.body, "count") == 1 && json_count(results) == 1);
	EXPECT_MEMBER(json_at(results, 0), "identifier", "d");
	EXPECT_MEMBER(json_at(results, 0), "category", "mine");
	cr_assert(time_of(json_at(results, 0), "opted_out_at") <= clock_now_ms(), "the future is shown as now");
}

static size_t page_through(const char *query, size_t limit, size_t *pages)
{
	const char *cursor = "", *before = "";
	size_t rows = 0;
	*pages = 0;
	do {
		const char *line = call_format(&service, "GET /optouts/{project}?limit=%zu%s%s%s", limit, query,
		                               cursor[0] != '\0' ? "&cursor=" : "", cursor);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_STATUS(outcome, 200);
		const struct json *results = member(&outcome, "results");
		cr_assert(json_count(results) <= limit);
		for (size_t i = 0; i < json_count(results); i++, rows++) {
			const char *identifier = json_text(json_get(json_at(results, i), "identifier")).data;
			cr_assert(before[0] == '\0' || strcmp(identifier, before) < 0, "%s", identifier);
			before = identifier;
		}
		const struct json *next = member(&outcome, "next_cursor");
		cursor = json_is_null(next) ? "" : json_text(next).data;
		(*pages)++;
	} while (cursor[0] != '\0');
	return rows;
}

Test(optouts_list, goes_on_from_page_to_page)
{
	size_t pages;
	for (int i = 0; i < 250; i++)
		put(call_format(&service, "r%03d@example.%s", i, i % 5 == 0 ? "org" : "com"), "$all", 1000);
	cr_assert(page_through("", 100, &pages) == 250 && pages == 3);
	cr_assert(page_through("", 7, &pages) == 250 && pages == 36);
	cr_assert(page_through("", 1000, &pages) == 250 && pages == 1);
	cr_assert(page_through("&search=.ORG", 20, &pages) == 50 && pages >= 3);
	cr_assert(page_through("&search=nobody", 1, &pages) == 0 && pages == 1);
	struct outcome outcome = GET("");
	cr_assert(json_count(member(&outcome, "results")) == 100, "the default");
	cr_assert(number_of(outcome.body, "count") == 250);
}

Test(optouts_list, is_searched_for_what_is_meant)
{
	static const struct {
		const char *search;
		size_t count;
	} cases[] = {
		{"jo@example.com", 1},
		{"%20JO@Example.com", 1},
		{"jo+news@example.com", 1},
		{"jo%2Bnews@example.com", 1},
		{"o+news@", 1},
		{"example", 3},
		{"@EXAMPLE.com", 2},
		{"User", 1},
		{"user%207", 1},
		{"user+7", 1},
		{"nobody", 0},
		{"", 4},
		{"%20", 4},
	};
	put("jo@example.com", "$all", 5);
	put("jo+news@example.com", "$all", 6);
	put("ann@example.org", "$all", 7);
	put("User 7", "$all", 8);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *line = call_format(&service, "GET /optouts/{project}?search=%s", cases[i].search);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_STATUS(outcome, 200);
		cr_assert_eq(json_count(member(&outcome, "results")), cases[i].count, "%s", line);
		cr_assert(number_of(outcome.body, "count") == 4, "found or not");
	}
}

Test(optouts_list, a_wrong_question_has_no_answer)
{
	static const struct refusal refusals[] = {
		{"GET /optouts/{project}?limit=0", NULL, 422, "limit"},
		{"GET /optouts/{project}?limit=1001", NULL, 422, "limit"},
		{"GET /optouts/{project}?limit=-1", NULL, 422, "limit"},
		{"GET /optouts/{project}?limit=ten", NULL, 422, "limit"},
		{"GET /optouts/{project}?limit=", NULL, 422, "limit"},
		{"GET /optouts/{project}?cursor=!", NULL, 422, "cursor"},
		{"GET /optouts/{project}?cursor=AAAA", NULL, 422, "cursor"},
		{"GET /optouts/{project}?cursor=" X512 X512 "x", NULL, 422, "cursor"},
		{"GET /optouts/{project}?search=a%00b", NULL, 422, "search"},
		{"GET /optouts/{project}?search=%ff", NULL, 422, "search"},
		{"GET /optouts/{project}?search=" X512 "x", NULL, 422, "search"},
		{"GET /optouts/{project}?category=nothing", NULL, 404, NULL},
		{"GET /optouts/{project}?category=", NULL, 422, "category"},
		{"GET /optouts/{project}?offset=10", NULL, 422, "offset"},
		{"GET /optouts/{project}?seach=jo", NULL, 422, "seach"},
	};
	expect_refused(refusals, COUNT_OF(refusals));
	struct outcome outcome = GET("?limit=1000&cursor=&search=");
	EXPECT_STATUS(outcome, 200);
}

// One recipient.

static const struct json *find_member(const struct json *list, const char *name, const char *value)
{
	for (size_t i = 0; i < json_count(list); i++) {
		if (slice_equal(json_text(json_get(json_at(list, i), name)), slice_of(value)))
			return json_at(list, i);
	}
	return NULL;
}

static void expect_state(const struct outcome *outcome, const char *category, const char *state, const char *source)
{
	const struct json *found = find_member(member(outcome, "categories"), "category", category);
	cr_assert(found != NULL, "no %s", category);
	expect_members(found, "category name state since source");
	cr_assert(slice_equal(json_text(json_get(found, "state")), slice_of(state)), "%s is not %s", category, state);
	if (source == NULL)
		cr_assert(json_is_null(json_get(found, "source")), "%s", category);
	else
		EXPECT_MEMBER(found, "source", source);
}

Test(optouts_recipient, shows_every_state_and_where_it_came_from)
{
	make_category("{\"key\":\"news\",\"name\":\"The news\"}");
	make_category("{\"key\":\"opt-in\",\"subscribed_by_default\":false}");
	make_category("{\"key\":\"mine\",\"topic\":\"topic_7\"}");
	make_category("{\"key\":\"old\",\"archived\":true}");
	struct outcome outcome = GET("/recipients/Jo%40Example.COM");
	EXPECT_STATUS(outcome, 200);
	expect_members(outcome.body, "identifier categories history history_complete");
	EXPECT_TEXT(outcome_text(&outcome, "identifier"), "jo@example.com");
	cr_assert(json_count(member(&outcome, "categories")) == 6 && json_count(member(&outcome, "history")) == 0);
	cr_assert(json_is_true(member(&outcome, "history_complete")));
	expect_state(&outcome, "$all", "in", NULL);
	expect_state(&outcome, "$complaint", "in", NULL);
	expect_state(&outcome, "news", "in", NULL);
	expect_state(&outcome, "opt-in", "out", NULL);
	cr_assert(json_is_null(json_get(json_at(member(&outcome, "categories"), 0), "since")));
	opt_out("jo@example.com", "news");
	opt_in("jo@example.com", "news");
	opt_out("jo@example.com", "news");
	opt_in("jo@example.com", "opt-in");
	opt_out("jo@example.com", "mine");
	put("jo@example.com", "old", 5); // of which no entry is kept
	outcome = GET("/recipients/jo@example.com");
	expect_state(&outcome, "$all", "in", NULL);
	expect_state(&outcome, "news", "out", "api");
	expect_state(&outcome, "opt-in", "in", "api");
	expect_state(&outcome, "mine", "out", "api");
	expect_state(&outcome, "old", "out", NULL);
	const struct json *news = find_member(member(&outcome, "categories"), "category", "news");
	EXPECT_MEMBER(news, "name", "The news");
	cr_assert(llabs(time_of(news, "since") - score_of("jo@example.com", "news")) < 1000);
	cr_assert_eq(json_count(member(&outcome, "history")), 5);
}

static void record(const char *identifier, const struct category *category, enum choice_value value, int64_t made_at_ms)
{
	struct fixture *f = &service.fixture;
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-1")};
	struct choice choice = {slice_of(identifier), category, value, made_at_ms};
	enum choice_outcome outcome;
	cr_assert(choices_record(f->store, f->arena, f->project, NULL, &origin, &choice, 1, &outcome) == RESULT_OK);
}

Test(optouts_recipient, a_source_is_of_the_present_state_or_not_named)
{
	record("jo", &category_all, CHOICE_OUT, 1732285840999);
	struct outcome outcome = GET("/recipients/jo");
	expect_state(&outcome, "$all", "out", "csv");
	put("jo", "$all", -1732285850000); // of which no entry is kept
	outcome = GET("/recipients/jo");
	expect_state(&outcome, "$all", "in", NULL);
}

Test(optouts_recipient, history_tells_what_happened_newest_first)
{
	record("jo", &category_all, CHOICE_OUT, 1732285840999);
	cr_assert(opt_in("jo", "$all"));
	struct outcome outcome = GET("/recipients/jo");
	const struct json *history = member(&outcome, "history"), *entry = json_at(history, 0);
	cr_assert_eq(json_count(history), 2);
	expect_members(entry, "recorded_at category old new made_at source reference");
	EXPECT_MEMBER(entry, "category", "$all");
	EXPECT_MEMBER(entry, "old", "out");
	EXPECT_MEMBER(entry, "new", "in");
	EXPECT_MEMBER(entry, "source", "api");
	EXPECT_MEMBER(entry, "reference", REQUEST_ID);
	cr_assert(time_of(entry, "recorded_at") == time_of(entry, "made_at"));
	entry = json_at(history, 1);
	cr_assert(json_is_null(json_get(entry, "old")));
	EXPECT_MEMBER(entry, "new", "out");
	EXPECT_MEMBER(entry, "made_at", "2024-11-22T14:30:40.999Z");
	EXPECT_MEMBER(entry, "source", "csv");
	EXPECT_MEMBER(entry, "reference", "job-1");
	cr_assert(time_of(entry, "recorded_at") > time_of(entry, "made_at"));
	expect_state(&outcome, "$all", "in", "api");
}

Test(optouts_recipient, identifiers_are_percent_encoded_in_a_path)
{
	static const struct {
		const char *sent, *meant;
	} cases[] = {
		{"a%2Fb", "a/b"},
		{"jo%40example.com", "jo@example.com"},
		{"jo+news@example.com", "jo+news@example.com"},
		{"%2B491701234567", "+491701234567"},
		{"+491701234567", "+491701234567"},
		{"a%20b", "a b"},
		{"100%25", "100%"},
		{"a%3Fb%23c", "a?b#c"},
		{"..", ".."},
	};
	static const struct refusal refusals[] = {
		{"GET /optouts/{project}/recipients/%20", NULL, 422, "identifier"},
		{"GET /optouts/{project}/recipients/a%00b", NULL, 422, "identifier"},
		{"GET /optouts/{project}/recipients/%ff", NULL, 422, "identifier"},
		{"GET /optouts/{project}/recipients/%4", NULL, 400, NULL},
		{"GET /optouts/{project}/recipients/" X512 "x", NULL, 422, "identifier"},
		{"GET /optouts/{project}/recipients/jo?x=1", NULL, 422, "x"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		put(cases[i].meant, "$all", 5);
		const char *line = call_format(&service, "GET /optouts/{project}/recipients/%s", cases[i].sent);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_STATUS(outcome, 200);
		EXPECT_TEXT(outcome_text(&outcome, "identifier"), cases[i].meant);
		expect_state(&outcome, "$all", "out", NULL);
	}
	expect_refused(refusals, COUNT_OF(refusals));
}

// Categories.

#define CATEGORY_MEMBERS                                                                                               \
	"key name description public_description type subscribed_by_default topic archived opted_out_count"

Test(optouts_categories, are_made_with_what_is_left_out_as_usual)
{
	struct outcome outcome = SEND("POST /optouts/{project}/categories", "{\"key\":\"news\"}");
	EXPECT_STATUS(outcome, 201);
	expect_members(outcome.body, CATEGORY_MEMBERS);
	EXPECT_TEXT(outcome_header(&outcome, "Location"),
	            call_format(&service, "/optouts/%s/categories/news", service.fixture.project.data));
	EXPECT_TEXT(outcome_text(&outcome, "key"), "news");
	EXPECT_TEXT(outcome_text(&outcome, "name"), "news");
	EXPECT_TEXT(outcome_text(&outcome, "description"), "");
	EXPECT_TEXT(outcome_text(&outcome, "public_description"), "");
	EXPECT_TEXT(outcome_text(&outcome, "type"), "marketing");
	cr_assert(json_is_text(member(&outcome, "description")) && json_is_null(member(&outcome, "topic")));
	cr_assert(json_is_true(member(&outcome, "subscribed_by_default")));
	cr_assert(json_is_false(member(&outcome, "archived")));
	cr_assert(number_of(outcome.body, "opted_out_count") == 0);
	struct outcome shown = GET("/categories/news");
	EXPECT_STATUS(shown, 200);
	cr_assert(slice_equal(shown.text, outcome.text), "%.*s", (int)shown.text.length, shown.text.data);
	shown = GET("/categories");
	expect_members(shown.body, "results next_cursor");
	expect_members(json_at(member(&shown, "results"), 0), CATEGORY_MEMBERS);
}

Test(optouts_categories, are_made_and_edited_with_every_member)
{
#define MADE "{\"key\":\"mine\",\"name\":\"M\",\"description\":\"d\",\"public_description\":\"p\","                  \
	     "\"type\":\"transactional\",\"subscribed_by_default\":false,\"topic\":"
#define EDITED "{\"key\":\"mine\",\"name\":\"N\",\"description\":\"\",\"public_description\":\"q\","                 \
	       "\"type\":\"marketing\",\"subscribed_by_default\":true,\"topic\":"
	struct outcome made = SEND("POST /optouts/{project}/categories", MADE "7,\"archived\":true}");
	EXPECT_STATUS(made, 422);
	cr_assert(outcome_names_field(&made, "topic"), "a topic is text");
	made = SEND("POST /optouts/{project}/categories", MADE "\"7\",\"archived\":true}");
	EXPECT_STATUS(made, 201);
	EXPECT_TEXT(made.text, MADE "\"topic_7\",\"archived\":true,\"opted_out_count\":0}");
	struct outcome edited = SEND("PATCH /optouts/{project}/categories/mine", "{}");
	EXPECT_STATUS(edited, 200);
	cr_assert(slice_equal(edited.text, made.text), "what is left out keeps its value");
	edited = SEND("PATCH /optouts/{project}/categories/mine", EDITED "\"7\",\"archived\":false}");
	EXPECT_STATUS(edited, 200);
	EXPECT_TEXT(edited.text, EDITED "\"topic_7\",\"archived\":false,\"opted_out_count\":0}");
	struct outcome shown = GET("/categories/mine");
	cr_assert(slice_equal(shown.text, edited.text));
}

Test(optouts_categories, reserved_ones_are_shown_but_not_edited)
{
	static const struct refusal refusals[] = {
		{"PATCH /optouts/{project}/categories/$all", "{\"name\":\"x\"}", 422, NULL},
		{"PATCH /optouts/{project}/categories/$complaint", "{\"archived\":true}", 422, NULL},
		{"PATCH /optouts/{project}/categories/$bounced", "{}", 404, NULL},
		{"POST /optouts/{project}/categories", "{\"key\":\"$all\"}", 422, "key"},
	};
	put("jo", "$complaint", 5);
	struct outcome outcome = GET("/categories/$complaint");
	EXPECT_STATUS(outcome, 200);
	expect_members(outcome.body, CATEGORY_MEMBERS);
	cr_assert(number_of(outcome.body, "opted_out_count") == 1);
	outcome = GET("/categories/%24all");
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome_text(&outcome, "key"), "$all");
	outcome = GET("/categories");
	cr_assert(json_count(member(&outcome, "results")) == 0, "the list is of the project's own");
	expect_refused(refusals, COUNT_OF(refusals));
}

Test(optouts_categories, bad_input_stores_nothing)
{
#define POST_CATEGORY "POST /optouts/{project}/categories"
#define PATCH_NEWS "PATCH /optouts/{project}/categories/news"
	static const struct refusal refusals[] = {
		{POST_CATEGORY, "{}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"\"}", 422, "key"},
		{POST_CATEGORY, "{\"key\":7}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"a b\"}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"" X32 X32 "x\"}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"customerio_news\"}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"customerio_topic_7\"}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"customerio_topic_7\",\"topic\":\"topic_8\"}", 422, "key"},
		{POST_CATEGORY, "{\"key\":\"x\",\"topic\":\"\"}", 422, "topic"},
		{POST_CATEGORY, "{\"key\":\"x\",\"topic\":\"topic_\"}", 422, "topic"},
		{POST_CATEGORY, "{\"key\":\"x\",\"topic\":\"topic_1234567890\"}", 422, "topic"},
		{POST_CATEGORY, "{\"key\":\"x\",\"topic\":false}", 422, "topic"},
		{POST_CATEGORY, "{\"key\":\"x\",\"name\":\"\"}", 422, "name"},
		{POST_CATEGORY, "{\"key\":\"x\",\"name\":\"" X128 "x\"}", 422, "name"},
		{POST_CATEGORY, "{\"key\":\"x\",\"name\":null}", 422, "name"},
		{POST_CATEGORY, "{\"key\":\"x\",\"type\":\"Marketing\"}", 422, "type"},
		{POST_CATEGORY, "{\"key\":\"x\",\"type\":\"global\"}", 422, "type"},
		{POST_CATEGORY, "{\"key\":\"x\",\"archived\":1}", 422, "archived"},
		{POST_CATEGORY, "{\"key\":\"x\",\"subscribed_by_default\":\"no\"}", 422, "subscribed_by_default"},
		{POST_CATEGORY, "{\"key\":\"x\",\"opted_out_count\":1}", 422, "opted_out_count"},
		{POST_CATEGORY, "{\"key\":\"news\"}", 409, NULL},
		{POST_CATEGORY, "{\"key\":\"mine\"}", 409, NULL},
		{POST_CATEGORY, "{\"key\":\"x\",\"topic\":\"7\"}", 409, NULL},
		{POST_CATEGORY, "{\"key\":\"customerio_topic_7\",\"topic\":\"topic_7\"}", 409, NULL},
		{PATCH_NEWS, "{\"key\":\"other\"}", 422, "key"},
		{PATCH_NEWS, "{\"key\":\"\"}", 422, "key"},
		{PATCH_NEWS, "{\"topic\":\"7\"}", 422, "topic"},
		{PATCH_NEWS, "{\"topic\":7}", 422, "topic"},
		{PATCH_NEWS, "{\"topic\":false}", 422, "topic"},
		{PATCH_NEWS, "{\"topic\":\"\"}", 422, "topic"},
		{"PATCH /optouts/{project}/categories/mine", "{\"topic\":null}", 422, "topic"},
		{"PATCH /optouts/{project}/categories/mine", "{\"topic\":\"topic_8\"}", 422, "topic"},
		{PATCH_NEWS, "{\"name\":\"x\",\"archived\":\"yes\"}", 422, "archived"},
		{PATCH_NEWS, "{\"nam\":\"x\"}", 422, "nam"},
		{PATCH_NEWS, "[]", 422, NULL},
		{"PATCH /optouts/{project}/categories/NEWS", "{\"name\":\"x\"}", 404, NULL},
		{"GET /optouts/{project}/categories?limit=1001", NULL, 422, "limit"},
		{"GET /optouts/{project}/categories?limit=0", NULL, 422, "limit"},
		{"GET /optouts/{project}/categories?archived=1", NULL, 422, "archived"},
	};
	make_category("{\"key\":\"news\"}");
	make_category("{\"key\":\"mine\",\"topic\":\"topic_7\",\"archived\":true}");
	expect_refused(refusals, COUNT_OF(refusals));
}

Test(optouts_categories, members_have_limits)
{
	char *text = arena_alloc(service.fixture.arena, CATEGORY_DESCRIPTION_MAXIMUM + 2);
	struct slice before;
	memset(text, 'd', CATEGORY_DESCRIPTION_MAXIMUM);
	make_category(call_format(&service, "{\"key\":\"" X32 X32 "\",\"name\":\"" X128 "\",\"description\":\"%s\","
	                                    "\"public_description\":\"%s\"}", text, text));
	text[CATEGORY_DESCRIPTION_MAXIMUM] = 'd';
	before = snapshot();
	struct outcome outcome = SEND("POST /optouts/{project}/categories",
	                              call_format(&service, "{\"key\":\"x\",\"description\":\"%s\"}", text));
	EXPECT_STATUS(outcome, 422);
	outcome = SEND("PATCH /optouts/{project}/categories/" X32 X32,
	               call_format(&service, "{\"public_description\":\"%s\"}", text));
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "public_description") && slice_equal(snapshot(), before));
}

Test(optouts_categories, come_in_pages)
{
	static const size_t sizes[] = {10, 10, 5};
	const char *cursor = "";
	for (int i = 24; i >= 0; i--)
		make_category(call_format(&service, "{\"key\":\"c%02d\"}", i));
	put("jo", "c03", 5);
	for (size_t page = 0; page < COUNT_OF(sizes); page++) {
		const char *line =
			call_format(&service, "GET /optouts/{project}/categories?limit=10&cursor=%s", cursor);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		const struct json *results = member(&outcome, "results");
		cr_assert_eq(json_count(results), sizes[page]);
		for (size_t i = 0; i < sizes[page]; i++) {
			EXPECT_MEMBER(json_at(results, i), "key", call_format(&service, "c%02zu", page * 10 + i));
			cr_assert(number_of(json_at(results, i), "opted_out_count") == (page == 0 && i == 3));
		}
		cr_assert(json_is_null(member(&outcome, "next_cursor")) == (page == 2));
		cursor = outcome_text(&outcome, "next_cursor").data;
	}
	struct outcome outcome = GET("/categories");
	cr_assert(json_count(member(&outcome, "results")) == 25 && json_is_null(member(&outcome, "next_cursor")));
	outcome = GET("/categories?limit=25");
	cr_assert(json_count(member(&outcome, "results")) == 25 && json_is_null(member(&outcome, "next_cursor")));
}

Test(optouts_categories, a_project_has_so_many)
{
	static struct slice arguments[2 + 2 * CATEGORIES_MAXIMUM];
	struct key_name hash = project_key(service.fixture.project, "categories");
	size_t count = 2;
	arguments[0] = SLICE("HSET");
	arguments[1] = key_slice(&hash);
	for (int i = 1; i < CATEGORIES_MAXIMUM; i++) {
		arguments[count++] = arena_format(service.fixture.arena, "c%d", i);
		arguments[count++] = SLICE("{\"name\":\"x\"}");
	}
	fixture_command(&service.fixture, arguments, count);
	make_category("{\"key\":\"last\"}");
	struct outcome outcome = SEND("POST /optouts/{project}/categories", "{\"key\":\"one-too-many\"}");
	EXPECT_STATUS(outcome, 409);
	outcome = GET("/categories?limit=1000&cursor=c9");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_count(member(&outcome, "results")) == 1000);
	outcome = GET("/recipients/jo");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_count(member(&outcome, "categories")) == CATEGORIES_MAXIMUM + 2);
}

// Webhooks may have come before anybody made the category; its key is up to whoever makes it.
Test(optouts_categories, find_the_choices_that_their_topic_had_before)
{
	struct fixture *f = &service.fixture;
	const struct slice topics[] = {SLICE("topic_7"), SLICE("topic_8")};
	const struct category *found[2];
	struct category_list list;
	cr_assert(category_list_load(f->store, f->arena, f->project, &list) == RESULT_OK);
	cr_assert(categories_for_topics(f->store, f->arena, f->project, &list, topics, 2, found) == RESULT_OK);
	record("jo", found[0], CHOICE_OUT, 1732285840999);
	record("jo", found[1], CHOICE_OUT, 1732285840999);
	make_category("{\"key\":\"weekly\",\"topic\":\"topic_7\"}");
	make_category("{\"key\":\"customerio_topic_8\",\"topic\":\"topic_8\"}");
	expect_reason("jo", "weekly", "opted_out_category");
	expect_reason("jo", "customerio_topic_8", "opted_out_category");
	struct outcome outcome = GET("/categories/weekly");
	cr_assert(number_of(outcome.body, "opted_out_count") == 1);
	outcome = GET("?category=weekly");
	EXPECT_MEMBER(json_at(member(&outcome, "results"), 0), "identifier", "jo");
	outcome = GET("/recipients/jo");
	expect_state(&outcome, "weekly", "out", "csv");
	expect_state(&outcome, "customerio_topic_8", "out", "csv");
	cr_assert(find_member(member(&outcome, "history"), "category", "weekly") != NULL);
	cr_assert(find_member(member(&outcome, "history"), "category", "customerio_topic_7") == NULL);
	cr_assert(opt_in("jo", "weekly") && score_of("jo", "customerio_topic_7") < 0);
	cr_assert(score_of("jo", "weekly") == 0, "its choices are in one list only");
}

Test(optouts_categories, archived_ones_keep_their_choices)
{
	make_category("{\"key\":\"news\"}");
	cr_assert(opt_out("jo", "news"));
	struct outcome outcome = SEND("PATCH /optouts/{project}/categories/news", "{\"archived\":true}");
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_true(member(&outcome, "archived")) && number_of(outcome.body, "opted_out_count") == 1);
	expect_reason("jo", "news", "opted_out_category");
	outcome = GET("?category=news");
	cr_assert(number_of(outcome.body, "count") == 1);
	outcome = SEND("PATCH /optouts/{project}/categories/news", "{\"archived\":false}");
	EXPECT_STATUS(outcome, 200);
	expect_reason("jo", "news", "opted_out_category");
}

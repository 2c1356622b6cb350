// Routing, bodies, queries and answers, on a function made up for it.
#include "../../support/call.h"

#include "base/clock.h"

#include <string.h>

#define LIMIT 64 // bytes of a body

// What the handler saw.
static struct {
	const struct endpoint *endpoint;
	struct slice id, recipient, text;
	int64_t number;
	size_t length;
	const struct json *body;
} seen;

static enum result handle(struct request *request, struct answer *answer)
{
	seen.endpoint = request->endpoint;
	seen.id = request_parameter(request, "id");
	seen.recipient = request_query(request, "recipient");
	seen.text = request_query(request, "text");
	seen.number = request_query_integer(request, "number", -7);
	seen.body = request->body;
	json_write_null(answer_json(answer, 200));
	return RESULT_OK;
}

static enum result handle_stream(struct request *request, struct answer *answer)
{
	char bytes[16];
	size_t length;
	seen.length = 0;
	do {
		TRY(request_read(request, bytes, sizeof(bytes), &length));
		seen.length += length;
	} while (length > 0);
	answer_bytes(answer, 202, "text/plain", SLICE("streamed"));
	return RESULT_OK;
}

static enum result handle_headers(struct request *request, struct answer *answer)
{
	(void)request;
	answer_empty(answer, 204);
	answer_header(answer, "X-Good", SLICE("yes"));
	answer_header(answer, "X-Split", SLICE("yes\r\nX-Forged: yes"));
	answer_header(answer, "X-Line", SLICE("yes\nno"));
	answer_header(answer, "X-Nul", SLICE("yes\0no"));
	return RESULT_OK;
}

static enum result handle_large(struct request *request, struct answer *answer)
{
	struct slice piece = {arena_alloc(request->arena, 1 << 20), 1 << 20};
	struct json_writer *out = answer_json(answer, 200);
	json_open_array(out);
	for (size_t i = 0; i <= ANSWER_LIMIT / piece.length; i++)
		buffer_append(answer->body, piece);
	json_close_array(out);
	return RESULT_OK;
}

static enum result handle_hungry(struct request *request, struct answer *answer)
{
	while (arena_alloc(request->arena, 4096) != NULL)
		continue;
	while (arena_alloc(request->arena, 1) != NULL)
		continue;
	json_write_null(answer_json(answer, 200));
	return RESULT_OK;
}

static enum result handle_refusal(struct request *request, struct answer *answer)
{
	int64_t result = request_query_integer(request, "result", 0);
	json_write_null(answer_json(answer, 200));
	for (size_t i = 0; i < PROBLEM_ERRORS_MAXIMUM + 1 && result == RESULT_INVALID; i++)
		refuse_index(request, i, "is wrong");
	return (enum result)result;
}

static const struct field query[] = {
	{.name = "recipient", .type = FIELD_RECIPIENT},
	{"text", FIELD_TEXT, .minimum = 1, .maximum = 5},
	{"number", FIELD_INTEGER, .minimum = -3, .maximum = 3},
	{"choice", FIELD_CHOICE, .choices = "red green"},
	{.name = "flag", .type = FIELD_BOOLEAN},
};
static const struct field needed[] = {{"needed", FIELD_TEXT, .required = true, .maximum = 3}};
static const struct field result_query[] = {{"result", FIELD_INTEGER, .maximum = 100}};
static const struct field fields[] = {
	{"text", FIELD_TEXT, .minimum = 2, .maximum = 5},
	{"choice", FIELD_CHOICE, .choices = "red green"},
	{.name = "flag", .type = FIELD_BOOLEAN},
	{"number", FIELD_INTEGER, .minimum = -3, .maximum = 3},
	{.name = "recipient", .type = FIELD_RECIPIENT},
	{"list", FIELD_LIST, .maximum = 2},
	{.name = "any", .type = FIELD_ANY},
};

static const struct endpoint get = {
	"GET", "/thing/{id}", "", ROLE_NONE, BODY_NONE, .query = FIELDS(query), .handle = handle,
};
static const struct endpoint second = {"GET", "/thing/first", "", ROLE_NONE, BODY_NONE, .handle = handle};
static const struct endpoint slash = {"GET", "/slash/", "", ROLE_NONE, BODY_NONE, .handle = handle};
static const struct endpoint required = {
	"GET", "/needed", "", ROLE_NONE, BODY_NONE, .query = FIELDS(needed), .handle = handle,
};
static const struct endpoint post = {
	"POST", "/thing/{id}", "", ROLE_NONE, BODY_JSON, LIMIT, .fields = FIELDS(fields), .handle = handle,
};
static const struct endpoint required_body = {
	"POST", "/needed", "", ROLE_NONE, BODY_JSON, LIMIT, .fields = FIELDS(needed), .handle = handle,
};
static const struct endpoint stream = {"POST", "/stream", "", ROLE_NONE, BODY_STREAMED, LIMIT, .handle = handle_stream};
static const struct endpoint headers = {"GET", "/headers", "", ROLE_NONE, BODY_NONE, .handle = handle_headers};
static const struct endpoint large = {"GET", "/large", "", ROLE_NONE, BODY_NONE, .handle = handle_large};
static const struct endpoint hungry = {"GET", "/hungry", "", ROLE_NONE, BODY_NONE, .handle = handle_hungry};
static const struct endpoint refusal = {
	"GET", "/refusal", "", ROLE_NONE, BODY_NONE, .query = FIELDS(result_query), .handle = handle_refusal,
};
static const struct endpoint *const endpoints[] = {
	&get, &second, &slash, &required, &post, &required_body, &stream, &headers, &large, &hungry, &refusal,
};
static const struct function made_up = {
	.name = "made-up", .prefixes = "/", .endpoints = endpoints, .endpoint_count = COUNT_OF(endpoints),
	.workers = 1};

static const struct endpoint own_health = {"GET", "/healthz", "", ROLE_NONE, BODY_NONE, .handle = handle};
static const struct endpoint *const own_endpoints[] = {&own_health};
static const struct function with_health = {
	.name = "with-health", .prefixes = "/", .endpoints = own_endpoints, .endpoint_count = 1, .workers = 1};

Test(route, parameters_are_decoded_once)
{
	static const struct {
		const char *line, *id;
	} good[] = {
		{"GET /thing/a", "a"},         {"GET /thing/a%2Fb", "a/b"}, {"GET /thing/a+b", "a+b"},
		{"GET /thing/%2541", "%41"},   {"GET /thing/%c3%a9", "é"},  {"GET /thing/a%3Fb?text=x", "a?b"},
		{"HEAD /thing/..%2f..", "../.."},
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		EXPECT_STATUS(CALL(&service, good[i].line), 200);
		EXPECT_TEXT(seen.id, good[i].id);
	}
	EXPECT_STATUS(CALL(&service, "GET /thing/%"), 400);
	EXPECT_STATUS(CALL(&service, "GET /thing/%4"), 400);
	EXPECT_STATUS(CALL(&service, "GET /thing/%g0"), 400);
	EXPECT_STATUS(CALL(&service, "GET /thing/"), 404);
	EXPECT_STATUS(CALL(&service, "GET /thing/a/"), 404);
	EXPECT_STATUS(CALL(&service, "GET /thing/a/b"), 404);
	EXPECT_STATUS(CALL(&service, "GET /thin%67/a"), 404);
}

Test(route, the_first_that_fits_is_taken)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /thing/first"), 200);
	cr_assert(seen.endpoint == &get);
}

Test(route, a_slash_at_the_end_is_part_of_the_path)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /slash/"), 200);
	EXPECT_STATUS(CALL(&service, "GET /slash"), 404);
	EXPECT_STATUS(CALL(&service, "GET /slash//"), 404);
}

Test(route, allow_lists_each_method_once)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "OPTIONS /thing/first");
	EXPECT_STATUS(outcome, 405);
	EXPECT_TEXT(outcome_header(&outcome, "Allow"), "GET, HEAD, POST");
	outcome = CALL(&service, "HEAD /stream");
	EXPECT_STATUS(outcome, 405);
	EXPECT_TEXT(outcome_header(&outcome, "Allow"), "POST");
}

Test(route, health_is_there_unless_the_function_has_its_own)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "GET /healthz");
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome.text, "{\"status\":\"ok\"}");
	service.function = &with_health;
	outcome = CALL(&service, "GET /healthz");
	EXPECT_TEXT(outcome.text, "null");
}

Test(query, is_decoded_by_type)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?recipient=a+b@example.org&text=a+b&number=-3"), 200);
	EXPECT_TEXT(seen.recipient, "a+b@example.org");
	EXPECT_TEXT(seen.text, "a b");
	cr_assert_eq(seen.number, -3);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?recipient=a%2Bb%40example.org&text=%2B"), 200);
	EXPECT_TEXT(seen.recipient, "a+b@example.org");
	EXPECT_TEXT(seen.text, "+");
	cr_assert_eq(seen.number, -7);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?recipient=a+b"), 200);
	EXPECT_TEXT(seen.recipient, "a b");
	cr_assert(seen.text.data == NULL);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?&recipient=&&"), 200);
	cr_assert(seen.recipient.data != NULL && seen.recipient.length == 0);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?te%78t=x=y"), 200);
	EXPECT_TEXT(seen.text, "x=y");
	EXPECT_STATUS(CALL(&service, "GET /thing/a?"), 200);
}

Test(query, names_each_fault)
{
	static const struct {
		const char *query, *field;
	} wrong[] = {
		{"text=", "text"}, {"text=123456", "text"}, {"text=%00", "text"}, {"text=%ff", "text"},
		{"text=a%0a", "text"}, {"text=a%7f", "text"}, {"text", "text"}, {"number=4", "number"},
		{"number=-4", "number"}, {"number=", "number"}, {"number=1.0", "number"}, {"number=+1", "number"},
		{"choice=blue", "choice"}, {"choice=", "choice"}, {"choice=red+green", "choice"},
		{"flag=yes", "flag"}, {"flag=", "flag"}, {"recipient=%ff", "recipient"}, {"unknown=1", "unknown"},
		{"Text=a", "Text"}, {"text=a&text=a", "text"}, {"%ff=1", ""}, {"=1", ""}, {"unknown", "unknown"},
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome = CALL(&service, call_format(&service, "GET /thing/a?%s", wrong[i].query));
		EXPECT_STATUS(outcome, 422);
		cr_assert_eq(json_count(json_get(outcome.body, "errors")), 1, "%s", wrong[i].query);
		cr_assert(outcome_names_field(&outcome, wrong[i].field), "%s", wrong[i].query);
	}
	struct outcome outcome = CALL(&service, "GET /thing/a?text=&number=9&choice=x&flag=x&a=1&b=2");
	EXPECT_STATUS(outcome, 422);
	cr_assert_eq(json_count(json_get(outcome.body, "errors")), 6);
}

Test(query, limits)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?text=12345&number=3&choice=green&flag=1"), 200);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?text=1&flag=false"), 200);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?text=%"), 400);
	EXPECT_STATUS(CALL(&service, "GET /thing/a?%x=1"), 400);
	struct outcome outcome = CALL(&service, "GET /needed");
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "needed"));
	EXPECT_STATUS(CALL(&service, "GET /needed?needed="), 200);
	EXPECT_STATUS(CALL(&service, "GET /slash/?a=1"), 422);
}

Test(query, repeats_at_most_64_bytes_of_a_name)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, call_format(&service, "GET /thing/a?%063d%%c3%%a9=1", 0));
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, call_format(&service, "%063d", 0)));
	outcome = CALL(&service, call_format(&service, "GET /thing/a?%062d%%c3%%a9=1", 0));
	cr_assert(outcome_names_field(&outcome, call_format(&service, "%062dé", 0)));
}

Test(body, an_empty_one_is_an_empty_object)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "POST /thing/a"), 200);
	cr_assert(json_is_object(seen.body) && json_count(seen.body) == 0);
	EXPECT_STATUS(CALL(&service, "POST /thing/a", .type = "text/plain"), 200);
	EXPECT_STATUS(CALL(&service, "POST /needed"), 422);
}

Test(body, content_types)
{
	static const struct {
		const char *type;
		int status;
	} types[] = {
		{"application/json", 200},
		{"application/json; charset=utf-8", 200},
		{"Application/JSON ;x=y", 200},
		{"application/jsonp", 415},
		{"application/problem+json", 415},
		{"text/plain", 415},
		{"application/x-www-form-urlencoded", 415},
		{"", 415},
		{";application/json", 415},
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(types); i++)
		EXPECT_STATUS(CALL(&service, "POST /thing/a", .body = "{}", .type = types[i].type), types[i].status);
}

Test(body, must_be_json)
{
	static const char *const malformed[] = {
		"{", "}", "{\"text\":}", "{\"text\":\"ab\"}x", "{\"text\":\"ab\",\"text\":\"ab\"}", "{'text':1}",
		"{\"text\":\"\xff\"}", "\xef\xbb\xbf{}", "{\"text\":\"\\u0000\"}", "{\"number\":1e999}", " ",
	};
	static const char *const no_object[] = {"[]", "null", "1", "\"text\"", "true"};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(malformed); i++) {
		struct outcome outcome = CALL(&service, "POST /thing/a", .body = malformed[i]);
		cr_assert_eq(outcome.status, 400, "%s: %d", malformed[i], outcome.status);
	}
	for (size_t i = 0; i < COUNT_OF(no_object); i++)
		EXPECT_STATUS(CALL(&service, "POST /thing/a", .body = no_object[i]), 422);
	EXPECT_STATUS(CALL(&service, "POST /thing/a", .bytes = SLICE("{}\0")), 400);
}

Test(body, has_a_limit)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	const char *at_limit = call_format(&service, "{\"any\":\"%0*d\"}", LIMIT - 10, 0);
	const char *over = call_format(&service, "{\"any\":\"%0*d\"}", LIMIT - 9, 0);
	cr_assert_eq(strlen(at_limit), LIMIT);
	EXPECT_STATUS(CALL(&service, "POST /thing/a", .body = at_limit), 200);
	EXPECT_STATUS(CALL(&service, "POST /thing/a", .body = at_limit, .undeclared = true), 200);
	struct outcome outcome = CALL(&service, "POST /thing/a", .body = over);
	EXPECT_STATUS(outcome, 413);
	EXPECT_TEXT(outcome_text(&outcome, "detail"), "The body may have at most 64 bytes.");
	outcome = CALL(&service, "POST /thing/a", .body = over, .undeclared = true);
	EXPECT_STATUS(outcome, 413);
	EXPECT_TEXT(outcome_text(&outcome, "detail"), "The body may have at most 64 bytes.");
	EXPECT_STATUS(CALL(&service, "POST /thing/a", .body = "{}", .cut = true), 400);
}

Test(body, a_streamed_one_has_the_same_limit)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	const char *at_limit = call_format(&service, "%0*d", LIMIT, 0);
	const char *over = call_format(&service, "%0*d", LIMIT + 1, 0);
	struct outcome outcome = CALL(&service, "POST /stream", .body = at_limit, .type = "anything");
	EXPECT_STATUS(outcome, 202);
	EXPECT_TEXT(outcome.text, "streamed");
	cr_assert_eq(seen.length, LIMIT);
	EXPECT_STATUS(CALL(&service, "POST /stream", .body = over), 413);
	EXPECT_STATUS(CALL(&service, "POST /stream", .body = over, .undeclared = true), 413);
	cr_assert_eq(seen.length, LIMIT);
	EXPECT_STATUS(CALL(&service, "POST /stream", .body = "ab", .cut = true), 400);
}

Test(body, none_is_taken_where_none_belongs)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	EXPECT_STATUS(CALL(&service, "GET /thing/a", .body = "{}"), 400);
	EXPECT_STATUS(CALL(&service, "GET /thing/a", .body = "x", .undeclared = true), 400);
	EXPECT_STATUS(CALL(&service, "GET /thing/a", .type = "application/json"), 200);
}

Test(body, members_are_checked_one_by_one)
{
	static const struct {
		const char *body, *field;
	} wrong[] = {
		{"{\"text\":\"a\"}", "text"}, {"{\"text\":\"\"}", "text"}, {"{\"text\":\"123456\"}", "text"},
		{"{\"text\":1}", "text"}, {"{\"text\":null}", "text"}, {"{\"text\":\"a\\tb\"}", "text"},
		{"{\"choice\":\"blue\"}", "choice"}, {"{\"choice\":\"\"}", "choice"}, {"{\"choice\":1}", "choice"},
		{"{\"flag\":1}", "flag"}, {"{\"flag\":null}", "flag"}, {"{\"flag\":\"true\"}", "flag"},
		{"{\"number\":4}", "number"}, {"{\"number\":-4}", "number"}, {"{\"number\":1.5}", "number"},
		{"{\"number\":\"1\"}", "number"}, {"{\"recipient\":7}", "recipient"}, {"{\"list\":{}}", "list"},
		{"{\"list\":[1,2,3]}", "list"}, {"{\"list\":null}", "list"}, {"{\"unknown\":1}", "unknown"},
		{"{\"Text\":\"ab\"}", "Text"}, {"{\"\":1}", ""},
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome = CALL(&service, "POST /thing/a", .body = wrong[i].body);
		cr_assert_eq(outcome.status, 422, "%s: %d", wrong[i].body, outcome.status);
		cr_assert_eq(json_count(json_get(outcome.body, "errors")), 1, "%s", wrong[i].body);
		cr_assert(outcome_names_field(&outcome, wrong[i].field), "%s", wrong[i].body);
	}
}

Test(body, good_members_at_their_limits)
{
	static const char *const good[] = {
		"{\"text\":\"ab\"}",      "{\"text\":\"12345\"}",   "{\"text\":\"\\u00e9\"}", "{\"choice\":\"red\"}",
		"{\"choice\":\"green\"}", "{\"flag\":false}",       "{\"number\":3}",         "{\"number\":-3}",
		"{\"number\":2.0}",       "{\"recipient\":\"+\"}",  "{\"list\":[1,{}]}",      "{\"list\":[]}",
		"{\"any\":null}",         "{\"any\":{\"a\":[1]}}",
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct outcome outcome = CALL(&service, "POST /thing/a", .body = good[i]);
		cr_assert_eq(outcome.status, 200, "%s: %.*s", good[i], (int)outcome.text.length, outcome.text.data);
	}
}

Test(body, all_faults_are_listed_with_those_of_the_query)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "POST /needed?x=1", .body = "{\"a\":1,\"b\":2}");
	EXPECT_STATUS(outcome, 422);
	cr_assert_eq(json_count(json_get(outcome.body, "errors")), 4);
	cr_assert(outcome_names_field(&outcome, "x") && outcome_names_field(&outcome, "a"));
	cr_assert(outcome_names_field(&outcome, "b") && outcome_names_field(&outcome, "needed"));
}

Test(answer, headers_cannot_be_split)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "GET /headers");
	EXPECT_STATUS(outcome, 204);
	cr_assert_eq(outcome.answer.header_count, 1);
	EXPECT_TEXT(outcome_header(&outcome, "X-Good"), "yes");
}

Test(answer, too_much_of_it_becomes_a_problem)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "GET /large");
	EXPECT_STATUS(outcome, 503);
	EXPECT_TEXT(outcome_text(&outcome, "type"), "/problems/no-memory");
}

Test(answer, there_is_one_even_without_memory)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, "GET /hungry");
	cr_assert_eq(outcome.status, 503);
	cr_assert(slice_starts_with(outcome.text, SLICE("{\"type\":\"/problems/no-memory\"")));
}

Test(problem, each_result_has_its_status)
{
	static const struct {
		enum result result;
		int status;
	} results[] = {
		{RESULT_OK, 200},          {RESULT_STOP, 503},         {RESULT_MALFORMED, 400},
		{RESULT_FORBIDDEN, 403},   {RESULT_NOT_FOUND, 404},    {RESULT_UNAUTHENTICATED, 401},
		{RESULT_CONFLICT, 409},    {RESULT_TOO_LARGE, 413},    {RESULT_UNSUPPORTED_TYPE, 415},
		{RESULT_INVALID, 422},     {RESULT_LIMITED, 429},      {RESULT_UNAVAILABLE, 503},
		{RESULT_NO_MEMORY, 503},   {(enum result)99, 503},
	};
	AUTO(service_close) struct service service = service_open(&made_up);
	for (size_t i = 0; i < COUNT_OF(results); i++) {
		struct outcome outcome =
			CALL(&service, call_format(&service, "GET /refusal?result=%d", (int)results[i].result));
		cr_assert_eq(outcome.status, results[i].status, "%d: %d", (int)results[i].result, outcome.status);
		cr_assert_eq(problem_status(results[i].result), results[i].status);
	}
}

Test(problem, shows_a_hundred_errors_and_the_request)
{
	AUTO(service_close) struct service service = service_open(&made_up);
	struct outcome outcome = CALL(&service, call_format(&service, "GET /refusal?result=%d", RESULT_INVALID));
	EXPECT_STATUS(outcome, 422);
	const struct json *errors = json_get(outcome.body, "errors");
	int64_t index;
	cr_assert_eq(json_count(errors), PROBLEM_ERRORS_MAXIMUM);
	cr_assert(json_to_integer(json_get(json_at(errors, 99), "index"), 99, 99, &index));
	EXPECT_TEXT(json_text(json_get(json_at(errors, 99), "message")), "is wrong");
	EXPECT_TEXT(outcome_text(&outcome, "request_id"), "a-request-of-a-test");
	EXPECT_TEXT(outcome_text(&outcome, "type"), "/problems/invalid");
	EXPECT_TEXT(slice_of(outcome.answer.content_type), "application/problem+json");
}

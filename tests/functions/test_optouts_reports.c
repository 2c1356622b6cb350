// What is taken out of the opt-out list by its handlers: the export, the audit, its verification, the statistics.
#include "../support/call.h"

#include "base/clock.h"
#include "codec/csv.h"
#include "consent/audit.h"
#include "consent/category.h"
#include "consent/choice.h"
#include "project/project.h"

#include <stdlib.h>
#include <string.h>

extern const struct function function;

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
TestSuite(optouts_export, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_audit, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_verify, .init = set_up, .fini = tear_down, .timeout = 120);
TestSuite(optouts_stats, .init = set_up, .fini = tear_down, .timeout = 120);

#define GET(line) CALL(&service, "GET /optouts/{project}" line, .key = service.read)
#define SEND(line, text) CALL(&service, line, .key = service.admin, .body = (text))

static void make_category(const char *members)
{
	struct outcome outcome = SEND("POST /optouts/{project}/categories", members);
	EXPECT_STATUS(outcome, 201);
}

static const struct category *category_named(const char *key)
{
	const struct category *category = NULL;
	struct fixture *f = &service.fixture;
	cr_assert(category_load(f->store, f->arena, f->project, slice_of(key), &category) == RESULT_OK, "%s", key);
	return category;
}

static void record_as(const struct choice_origin *origin, const char *identifier, const struct category *category,
	              enum choice_value value, int64_t made_at_ms)
{
	struct fixture *f = &service.fixture;
	struct choice choice = {slice_of(identifier), category, value, made_at_ms};
	enum choice_outcome outcome;
	cr_assert(choices_record(f->store, f->arena, f->project, NULL, origin, &choice, 1, &outcome) == RESULT_OK);
}

// What is recorded behind it is recorded later.
static void let_time_pass(void)
{
	struct fixture *f = &service.fixture;
	int64_t before, now;
	cr_assert(store_time_ms(f->store, f->arena, &before) == RESULT_OK);
	do {
		cr_assert(store_time_ms(f->store, f->arena, &now) == RESULT_OK);
	} while (now == before);
}

static void record(const char *identifier, const struct category *category, enum choice_value value, int64_t ms)
{
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-1")};
	record_as(&origin, identifier, category, value, ms);
	let_time_pass();
}

static const struct category *future(const char *topic)
{
	struct fixture *f = &service.fixture;
	struct category_list list;
	const struct category *found = NULL;
	struct slice text = slice_of(topic);
	cr_assert(category_list_load(f->store, f->arena, f->project, &list) == RESULT_OK);
	cr_assert(categories_for_topics(f->store, f->arena, f->project, &list, &text, 1, &found) == RESULT_OK);
	cr_assert(found != NULL);
	return found;
}

static struct slice clone(struct slice text)
{
	return arena_copy(service.fixture.arena, text);
}

// The export.

#define HEAD "identifier,category,opted_out_at\n"

Test(optouts_export, of_nothing_is_a_head)
{
	struct outcome outcome = GET("/export");
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome.text, HEAD);
	EXPECT_TEXT(slice_of(outcome.answer.content_type), "text/csv; charset=utf-8");
	EXPECT_TEXT(outcome_header(&outcome, "Content-Disposition"),
	            call_format(&service, "attachment; filename=\"%s-optouts.csv\"", service.fixture.project.data));
	outcome = GET("/export?format=csv");
	EXPECT_TEXT(outcome.text, HEAD);
	outcome = GET("/export?format=jsonl");
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome.text, "");
	EXPECT_TEXT(slice_of(outcome.answer.content_type), "application/jsonl");
	EXPECT_TEXT(outcome_header(&outcome, "Content-Disposition"),
	            call_format(&service, "attachment; filename=\"%s-optouts.jsonl\"", service.fixture.project.data));
}

static void fill_list(void)
{
	make_category("{\"key\":\"offers\",\"topic\":\"topic_7\"}");
	make_category("{\"key\":\"-dash\"}");
	make_category("{\"key\":\"old\",\"archived\":true}");
	record("ann@example.com", &category_all, CHOICE_OUT, 1732285840999);
	record("bob@example.com", &category_all, CHOICE_OUT, 1732285841000);
	record("in@example.com", &category_all, CHOICE_IN, 1732285841000);
	record("ann@example.com", &category_complaint, CHOICE_OUT, 1);
	record("=1+1", category_named("offers"), CHOICE_OUT, 1732285840003);
	record("'=quoted", category_named("offers"), CHOICE_OUT, 1732285840002);
	record("a \"b\",c;d", category_named("offers"), CHOICE_OUT, 1732285840001);
	record("+491701234567", category_named("-dash"), CHOICE_OUT, 1732285840000);
	record("-7", category_named("old"), CHOICE_OUT, 1732285840000);
	record("@home", future("topic_12"), CHOICE_OUT, 1732285840000);
	record("ren\xc3\xa9@example.com", future("topic_100"), CHOICE_OUT, 1732285840000);
}

#define ALL_ROWS "bob@example.com,$all,2024-11-22T14:30:41.000Z\nann@example.com,$all,2024-11-22T14:30:40.999Z\n"
#define COMPLAINT_ROWS "ann@example.com,$complaint,1970-01-01T00:00:00.001Z\n"
#define DASH_ROWS "'+491701234567,'-dash,2024-11-22T14:30:40.000Z\n"
#define OFFERS_ROWS                                                                                                \
	"'=1+1,offers,2024-11-22T14:30:40.003Z\n''=quoted,offers,2024-11-22T14:30:40.002Z\n"                       \
	"\"a \"\"b\"\",c;d\",offers,2024-11-22T14:30:40.001Z\n"
#define OLD_ROWS "'-7,old,2024-11-22T14:30:40.000Z\n"
#define FUTURE_ROWS                                                                                                \
	"ren\xc3\xa9@example.com,customerio_topic_100,2024-11-22T14:30:40.000Z\n"                                  \
	"'@home,customerio_topic_12,2024-11-22T14:30:40.000Z\n"

Test(optouts_export, is_of_every_category)
{
	fill_list();
	struct outcome outcome = GET("/export");
	EXPECT_TEXT(outcome.text, HEAD ALL_ROWS COMPLAINT_ROWS DASH_ROWS OFFERS_ROWS OLD_ROWS FUTURE_ROWS);
}

Test(optouts_export, or_of_one)
{
	static const struct {
		const char *category, *rows;
	} cases[] = {
		{"$all", ALL_ROWS},
		{"%24complaint", COMPLAINT_ROWS},
		{"-dash", DASH_ROWS},
		{"offers", OFFERS_ROWS},
		{"old", OLD_ROWS},
		{"customerio_topic_12", "'@home,customerio_topic_12,2024-11-22T14:30:40.000Z\n"},
	};
	fill_list();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *key = cases[i].category;
		const char *line = call_format(&service, "GET /optouts/{project}/export?category=%s", key);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_TEXT(outcome.text, call_format(&service, HEAD "%s", cases[i].rows));
	}
}

Test(optouts_export, as_json_it_is_raw)
{
	fill_list();
	struct outcome outcome = GET("/export?format=jsonl&category=offers");
	EXPECT_TEXT(outcome.text,
	            "{\"identifier\":\"=1+1\",\"category\":\"offers\",\"opted_out_at\":\"2024-11-22T14:30:40.003Z\"}\n"
	            "{\"identifier\":\"'=quoted\",\"category\":\"offers\","
	            "\"opted_out_at\":\"2024-11-22T14:30:40.002Z\"}\n"
	            "{\"identifier\":\"a \\\"b\\\",c;d\",\"category\":\"offers\","
	            "\"opted_out_at\":\"2024-11-22T14:30:40.001Z\"}\n");
	outcome = GET("/export?format=jsonl");
	size_t lines = 0;
	for (struct slice rest = outcome.text; rest.length > 0; lines++) {
		const struct json *line;
		cr_assert(json_parse(service.fixture.arena, slice_split(&rest, '\n'), &line, NULL) == RESULT_OK);
		cr_assert(json_count(line) == 3);
	}
	cr_assert(lines == 10);
}

Test(optouts_export, times_are_those_that_are_stored)
{
	int64_t ahead = clock_now_ms() + CHOICE_FUTURE_MS - 60000;
	char text[CLOCK_TEXT_SIZE];
	record("ahead@example.com", &category_all, CHOICE_OUT, ahead);
	struct outcome outcome = GET("/export");
	EXPECT_TEXT(outcome.text,
	            call_format(&service, HEAD "ahead@example.com,$all,%s\n", clock_write(ahead, text).data));
}

Test(optouts_export, a_wrong_question_has_no_answer)
{
	static const struct {
		const char *line, *field;
		int status;
	} cases[] = {
		{"GET /optouts/{project}/export?category=nothing", NULL, 404},
		{"GET /optouts/{project}/export?category=$bounced", NULL, 404},
		{"GET /optouts/{project}/export?category=customerio_topic_7", NULL, 404},
		{"GET /optouts/{project}/export?category=customerio_topic_8", NULL, 404},
		{"GET /optouts/{project}/export?category=", "category", 422},
		{"GET /optouts/{project}/export?format=xlsx", "format", 422},
		{"GET /optouts/{project}/export?format=", "format", 422},
		{"GET /optouts/{project}/export?limit=5", "limit", 422},
		{"GET /optouts/{project}/audit/export?format=json", "format", 422},
		{"GET /optouts/{project}/audit/export?category=$all", "category", 422},
	};
	fill_list();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct outcome outcome = CALL(&service, cases[i].line, .key = service.read);
		EXPECT_STATUS(outcome, cases[i].status);
		cr_assert(cases[i].field == NULL || outcome_names_field(&outcome, cases[i].field), "%s", cases[i].line);
		cr_assert(outcome_header(&outcome, "Content-Disposition").data == NULL);
	}
}

#define MANY 20000

// Recipients as long as they may be, of bytes that take two in a file.
static struct slice long_recipient(int number)
{
	char text[512];
	memset(text, '"', sizeof(text));
	struct slice digits = arena_format(service.fixture.arena, "%d", number);
	memcpy(text, digits.data, digits.length);
	return clone((struct slice){text, sizeof(text)});
}

Test(optouts_export, many_come_in_pieces_and_each_once)
{
	struct fixture *f = &service.fixture;
	struct choice *choices = arena_array(f->arena, MANY, sizeof(*choices));
	enum choice_outcome *outcomes = arena_array(f->arena, MANY, sizeof(*outcomes));
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-1")};
	for (int i = 0; i < MANY; i++)
		choices[i] = (struct choice){long_recipient(i), &category_all, CHOICE_OUT, MANY - i};
	cr_assert(choices_record(f->store, f->arena, f->project, NULL, &origin, choices, MANY, outcomes) == RESULT_OK);
	struct outcome outcome = GET("/export");
	struct csv *csv = csv_new(f->arena);
	struct csv_row row;
	csv_feed(csv, outcome.text);
	cr_assert(csv_next(csv, &row) == RESULT_OK && row.kind == CSV_ROW);
	for (int i = 0; i < MANY; i++) {
		cr_assert(csv_next(csv, &row) == RESULT_OK && row.kind == CSV_ROW && row.count == 3, "%d", i);
		cr_assert(slice_equal(csv_unprotect(row.fields[0]), choices[i].recipient), "%d", i);
	}
	csv_finish(csv);
	cr_assert(csv_next(csv, &row) != RESULT_OK || row.kind != CSV_ROW);
}

// The export read back and recorded again, as csv_upload does it, here or elsewhere.
static void record_rows(struct slice project, struct slice text)
{
	struct fixture *f = &service.fixture;
	struct csv *csv = csv_new(f->arena);
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("csv"), .reference = SLICE("job-2")};
	struct csv_row row;
	csv_feed(csv, text);
	csv_finish(csv);
	cr_assert(csv_next(csv, &row) == RESULT_OK && row.kind == CSV_ROW);
	while (csv_next(csv, &row) == RESULT_OK && row.kind == CSV_ROW) {
		struct slice key = clone(csv_unprotect(row.fields[1]));
		bool is_future = slice_starts_with(key, SLICE("customerio_"));
		struct choice choice = {.value = CHOICE_OUT};
		enum choice_outcome outcome;
		cr_assert(recipient_read(f->arena, csv_unprotect(row.fields[0]), &choice.recipient));
		cr_assert(clock_parse(row.fields[2], &choice.made_at_ms));
		choice.category = is_future ? future(key.data + strlen("customerio_")) : category_named(key.data);
		cr_assert_eq(choices_record(f->store, f->arena, project, NULL, &origin, &choice, 1, &outcome),
		             RESULT_OK);
		cr_assert(!slice_equal(project, f->project) || outcome == CHOICE_UNCHANGED);
	}
}

Test(optouts_export, uploading_it_again_changes_nothing)
{
	fill_list();
	struct slice before = clone(GET("/export").text), audit = clone(GET("/audit/export").text);
	record_rows(service.fixture.project, before);
	cr_assert(slice_equal(GET("/export").text, before));
	cr_assert(slice_equal(GET("/audit/export").text, audit));
}

Test(optouts_export, elsewhere_it_makes_the_same_list)
{
	fill_list();
	struct slice original = clone(GET("/export").text), project = service.fixture.project;
	struct slice copy = service_project(&service);
	record_rows(copy, original);
	const char *admin = service.admin;
	service.fixture.project = copy;
	service.admin = service.root;
	make_category("{\"key\":\"offers\",\"topic\":\"topic_7\"}");
	make_category("{\"key\":\"-dash\"}");
	make_category("{\"key\":\"old\"}");
	future("topic_12");
	future("topic_100");
	struct outcome outcome = CALL(&service, "GET /optouts/{project}/export", .key = service.root);
	service.fixture.project = project;
	service.admin = admin;
	cr_assert(slice_equal(outcome.text, original), "%s", outcome.text.data);
}

// The audit.

static void fill_audit(void)
{
	struct choice_origin webhook = {.act = ACT_REPORT, .source = SLICE("webhook"), .reference = SLICE("=event")};
	struct choice_origin undo = {.act = ACT_DATED, .source = SLICE("undo"), .reference = SLICE("job-1")};
	make_category("{\"key\":\"offers\",\"topic\":\"topic_7\"}");
	record("ann@example.com", category_named("offers"), CHOICE_OUT, 1732285840001);
	record("bob@example.com", &category_all, CHOICE_OUT, 1732285840002);
	record("ann@example.com", category_named("offers"), CHOICE_IN, 1732285840003);
	record_as(&webhook, "cy@example.com", &category_bounced, CHOICE_OUT, 1732285840004);
	let_time_pass();
	record_as(&webhook, "ann@example.com", &category_all, CHOICE_OUT, 1732285840005);
	let_time_pass();
	record_as(&undo, "bob@example.com", &category_all, CHOICE_IN, 1732285840006);
	let_time_pass();
	record("dee@example.com", future("topic_9"), CHOICE_OUT, 1732285840007);
}
#define FILLED 7 // entries

static const struct json *results_of(const struct outcome *outcome, size_t count)
{
	const struct json *results = json_get(outcome->body, "results");
	EXPECT_STATUS(*outcome, 200);
	cr_assert(json_count(outcome->body) == 2);
	cr_assert_eq(json_count(results), count, "%zu: %s", json_count(results), outcome->text.data);
	return results;
}

#define EXPECT_MEMBER(object, name, literal) EXPECT_TEXT(json_text(json_get((object), name)), literal)

static void expect_entry(const struct json *entry, const char *identifier, const char *category, const char *new,
	                 const char *source)
{
	cr_assert(json_count(entry) == 8);
	EXPECT_MEMBER(entry, "identifier", identifier);
	EXPECT_MEMBER(entry, "category", category);
	EXPECT_MEMBER(entry, "new", new);
	EXPECT_MEMBER(entry, "source", source);
}

Test(optouts_audit, of_nothing)
{
	struct outcome outcome = GET("/audit");
	results_of(&outcome, 0);
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
}

Test(optouts_audit, shows_what_happened_newest_first)
{
	int64_t before = clock_now_ms(), recorded_at = 0;
	fill_audit();
	struct outcome outcome = GET("/audit");
	const struct json *results = results_of(&outcome, FILLED);
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
	expect_entry(json_at(results, 0), "dee@example.com", "customerio_topic_9", "out", "csv");
	expect_entry(json_at(results, 1), "bob@example.com", "$all", "in", "undo");
	expect_entry(json_at(results, 2), "ann@example.com", "$all", "out", "webhook");
	expect_entry(json_at(results, 3), "cy@example.com", "$bounced", "out", "webhook");
	expect_entry(json_at(results, 4), "ann@example.com", "offers", "in", "csv");
	expect_entry(json_at(results, 5), "bob@example.com", "$all", "out", "csv");
	expect_entry(json_at(results, 6), "ann@example.com", "offers", "out", "csv");
	const struct json *entry = json_at(results, 4);
	EXPECT_MEMBER(entry, "old", "out");
	EXPECT_MEMBER(entry, "reference", "job-1");
	EXPECT_MEMBER(entry, "made_at", "2024-11-22T14:30:40.003Z");
	cr_assert(json_is_null(json_get(json_at(results, 0), "old")));
	cr_assert(clock_parse(json_text(json_get(entry, "recorded_at")), &recorded_at));
	cr_assert(recorded_at >= before - 1 && recorded_at <= clock_now_ms());
}

Test(optouts_audit, is_filtered)
{
	static const struct {
		const char *query;
		size_t count;
	} cases[] = {
		{"", FILLED},
		{"?identifier=ann@example.com", 3},
		{"?identifier=%20ANN@Example.com", 3},
		{"?identifier=ann@example.co", 0},
		{"?category=$all", 3},
		{"?category=offers", 2},
		{"?category=$complaint", 0},
		{"?category=$bounced", 1},
		{"?category=$dropped", 0},
		{"?category=customerio_topic_9", 1},
		{"?source=csv", 4},
		{"?source=undo", 1},
		{"?source=cs", 0},
		{"?source=webhook&category=$all", 1},
		{"?source=webhook&category=$all&identifier=ann@example.com", 1},
		{"?source=webhook&category=$all&identifier=bob@example.com", 0},
	};
	fill_audit();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *line = call_format(&service, "GET /optouts/{project}/audit%s", cases[i].query);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		results_of(&outcome, cases[i].count);
	}
}

Test(optouts_audit, goes_on_from_page_to_page)
{
	static const char *const filters[] = {"", "&identifier=ann@example.com", "&source=csv", "&category=$all"};
	static const size_t counts[] = {FILLED, 3, 4, 3};
	fill_audit();
	for (size_t i = 0; i < COUNT_OF(filters); i++) {
		for (int limit = 1; limit <= FILLED + 1; limit++) {
			const char *cursor = "";
			size_t shown = 0, pages = 0;
			do {
				const char *line = call_format(&service, "GET /optouts/{project}/audit?limit=%d%s%s%s",
				                               limit, filters[i], *cursor ? "&cursor=" : "", cursor);
				struct outcome outcome = CALL(&service, line, .key = service.read);
				EXPECT_STATUS(outcome, 200);
				size_t count = json_count(json_get(outcome.body, "results"));
				cr_assert(count <= (size_t)limit && (count > 0 || *cursor));
				shown += count;
				pages++;
				struct slice next = outcome_text(&outcome, "next_cursor");
				cursor = next.length > 0 ? clone(next).data : "";
			} while (*cursor);
			cr_assert(shown == counts[i] && pages <= counts[i] / (size_t)limit + 1, "%zu", shown);
		}
	}
}

static void append_many(int count)
{
	static const char script[] =
		"for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'recipient', 'jo', 'category', '$all', "
		"'old', '', 'new', '5', 'source', 'test', 'reference', 'r') end";
	struct key_name key = partition_key(service.fixture.project, 5, "audit", SLICE(""));
	fixture_command(&service.fixture, ARGUMENTS(SLICE("EVAL"), slice_of(script), SLICE("1"), key_slice(&key),
	                                            slice_of(call_format(&service, "%d", count))));
}

Test(optouts_audit, looks_so_far_and_goes_on)
{
	record("ann@example.com", &category_all, CHOICE_OUT, 1732285840001);
	append_many(100000);
	struct outcome outcome = GET("/audit?source=csv");
	results_of(&outcome, 0);
	const char *cursor = clone(outcome_text(&outcome, "next_cursor")).data;
	const char *line = call_format(&service, "GET /optouts/{project}/audit?source=csv&cursor=%s", cursor);
	outcome = CALL(&service, line, .key = service.read);
	results_of(&outcome, 1);
	cr_assert(json_is_null(json_get(outcome.body, "next_cursor")));
	outcome = GET("/audit?limit=1000");
	results_of(&outcome, 1000);
}

Test(optouts_audit, a_wrong_question_has_no_answer)
{
	static const struct {
		const char *query, *field;
		int status;
	} cases[] = {
		{"identifier=", "identifier", 422}, {"identifier=" X512 "x", "identifier", 422},
		{"category=nothing", NULL, 404},    {"category=", "category", 422},
		{"source=", "source", 422},         {"source=" X32 X32 "x", "source", 422},
		{"cursor=x", "cursor", 422},        {"cursor=NS0wLTE2", "cursor", 422}, // 5-0-16
		{"limit=0", "limit", 422},          {"limit=1001", "limit", 422},
		{"search=ann", "search", 422},      {"identifier=a%00b", "identifier", 422},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *line = call_format(&service, "GET /optouts/{project}/audit?%s", cases[i].query);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_STATUS(outcome, cases[i].status);
		cr_assert(cases[i].field == NULL || outcome_names_field(&outcome, cases[i].field), "%s", line);
	}
	struct outcome outcome = GET("/audit?cursor=NS0wLTE1&limit=1000&source=" X32 X32 "&identifier=" X512);
	results_of(&outcome, 0);
	outcome = GET("/audit?cursor=");
	results_of(&outcome, 0);
}

#define AUDIT_HEAD "recorded_at,identifier,category,old,new,made_at,source,reference\n"

// Without the time that starts each line.
static const char *lines_of(struct slice text, const char *start, size_t length)
{
	struct buffer *lines = buffer_new(service.fixture.arena, (size_t)1 << 20);
	while (text.length > 0) {
		struct slice line = slice_split(&text, '\n');
		cr_assert(slice_starts_with(line, slice_of(start)));
		buffer_append(lines, slice_from(line, length));
		buffer_append_byte(lines, '\n');
	}
	buffer_append_byte(lines, '\0');
	cr_assert(!buffer_failed(lines));
	return buffer_slice(lines).data;
}

Test(optouts_audit, is_exported_oldest_first)
{
	struct key_name key = partition_key(service.fixture.project, partition_of(SLICE("bob@example.com")), "audit",
	                                    SLICE(""));
	fill_audit();
	fixture_command(&service.fixture,
	                ARGUMENTS(SLICE("XADD"), key_slice(&key), SLICE("9999999999999-0"), SLICE("recipient"),
	                          SLICE("bob@example.com"), SLICE("category"), SLICE("$all"), SLICE("old"),
	                          SLICE("-1732285840006"), SLICE("new"), SLICE(""), SLICE("source"), SLICE("undo"),
	                          SLICE("reference"), SLICE("job-2")));
	struct outcome outcome = GET("/audit/export");
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(slice_of(outcome.answer.content_type), "text/csv; charset=utf-8");
	EXPECT_TEXT(outcome_header(&outcome, "Content-Disposition"),
	            call_format(&service, "attachment; filename=\"%s-audit.csv\"", service.fixture.project.data));
	cr_assert(slice_starts_with(outcome.text, SLICE(AUDIT_HEAD)));
	EXPECT_TEXT(slice_of(lines_of(slice_from(outcome.text, strlen(AUDIT_HEAD)), "2", CLOCK_TEXT_SIZE - 1)),
	            ",ann@example.com,offers,,out,2024-11-22T14:30:40.001Z,csv,job-1\n"
	            ",bob@example.com,$all,,out,2024-11-22T14:30:40.002Z,csv,job-1\n"
	            ",ann@example.com,offers,out,in,2024-11-22T14:30:40.003Z,csv,job-1\n"
	            ",cy@example.com,$bounced,,out,2024-11-22T14:30:40.004Z,webhook,'=event\n"
	            ",ann@example.com,$all,,out,2024-11-22T14:30:40.005Z,webhook,'=event\n"
	            ",bob@example.com,$all,out,in,2024-11-22T14:30:40.006Z,undo,job-1\n"
	            ",dee@example.com,customerio_topic_9,,out,2024-11-22T14:30:40.007Z,csv,job-1\n"
	            ",bob@example.com,$all,in,,,undo,job-2\n");
	outcome = GET("/audit/export?format=jsonl");
	EXPECT_TEXT(slice_of(outcome.answer.content_type), "application/jsonl");
	struct slice rest = outcome.text, line = slice_split(&rest, '\n');
	EXPECT_TEXT(slice_from(line, strlen("{\"recorded_at\":\"2024-11-22T14:30:40.001Z\"")),
	            ",\"identifier\":\"ann@example.com\",\"category\":\"offers\",\"old\":null,\"new\":\"out\","
	            "\"made_at\":\"2024-11-22T14:30:40.001Z\",\"source\":\"csv\",\"reference\":\"job-1\"}");
	size_t lines = 1;
	for (; rest.length > 0; lines++)
		line = slice_split(&rest, '\n');
	cr_assert(lines == FILLED + 1);
	EXPECT_TEXT(line, "{\"recorded_at\":\"2286-11-20T17:46:39.999Z\",\"identifier\":\"bob@example.com\","
	                  "\"category\":\"$all\",\"old\":\"in\",\"new\":null,\"made_at\":null,\"source\":\"undo\","
	                  "\"reference\":\"job-2\"}");
}

Test(optouts_audit, a_long_one_is_exported_in_pieces)
{
	append_many(20000);
	struct outcome outcome = GET("/audit/export");
	size_t lines = 0;
	for (struct slice rest = outcome.text; rest.length > 0; lines++)
		slice_split(&rest, '\n');
	cr_assert(lines == 20001);
}

// Verifying.

#define VERIFY() CALL(&service, "POST /optouts/{project}/audit/verify", .key = service.read)

static int64_t number_of(const struct json *object, const char *name)
{
	int64_t number = -1;
	cr_assert(json_to_integer(json_get(object, name), 0, INT64_MAX, &number), "%s", name);
	return number;
}

Test(optouts_verify, says_so_when_all_is_well)
{
	struct outcome outcome = VERIFY();
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_true(json_get(outcome.body, "ok")) && number_of(outcome.body, "choices") == 0);
	fill_audit();
	outcome = CALL(&service, "POST /optouts/{project}/audit/verify", .key = service.read, .body = "{}");
	cr_assert(json_is_true(json_get(outcome.body, "ok")), "%s", outcome.text.data);
	cr_assert(json_count(outcome.body) == 5);
	cr_assert(number_of(outcome.body, "partitions") == 16);
	cr_assert(number_of(outcome.body, "choices") == 4 && number_of(outcome.body, "entries") == FILLED);
	cr_assert(json_count(json_get(outcome.body, "problems")) == 0);
	EXPECT_TEXT(slice_of(outcome.answer.content_type), "application/json");
}

Test(optouts_verify, names_what_is_wrong)
{
	int partition = partition_of(SLICE("ann@example.com"));
	struct slice list = SLICE("customerio_topic_7");
	struct key_name key = partition_key(service.fixture.project, partition, "optouts:", list);
	fill_audit();
	fixture_command(&service.fixture,
	                ARGUMENTS(SLICE("ZADD"), key_slice(&key), SLICE("5"), SLICE("ann@example.com")));
	struct outcome outcome = VERIFY();
	EXPECT_STATUS(outcome, 200);
	cr_assert(json_is_false(json_get(outcome.body, "ok")));
	const struct json *problems = json_get(outcome.body, "problems"), *first = json_at(problems, 0);
	cr_assert(json_count(problems) == 2 && json_count(first) == 5);
	cr_assert(number_of(first, "partition") == partition);
	EXPECT_MEMBER(first, "kind", "state");
	EXPECT_MEMBER(first, "identifier", "ann@example.com");
	EXPECT_MEMBER(first, "category", "offers");
	cr_assert(json_is_text(json_get(first, "message")));
	EXPECT_MEMBER(json_at(problems, 1), "kind", "list_sum");
	cr_assert(json_is_null(json_get(json_at(problems, 1), "identifier")));
	cr_assert(json_is_null(json_get(json_at(problems, 1), "category")));
}

Test(optouts_verify, knows_topics_that_nobody_has_imported)
{
	struct key_name key = project_key(service.fixture.project, "unknown_topics");
	record("ann@example.com", future("topic_9"), CHOICE_OUT, 5);
	cr_assert(json_is_true(json_get(VERIFY().body, "ok")));
	fixture_command(&service.fixture, ARGUMENTS(SLICE("DEL"), key_slice(&key)));
	struct outcome outcome = VERIFY();
	EXPECT_MEMBER(json_at(json_get(outcome.body, "problems"), 0), "kind", "category");
}

Test(optouts_verify, takes_nothing)
{
	struct outcome outcome =
		CALL(&service, "POST /optouts/{project}/audit/verify", .key = service.read, .body = "{\"x\":1}");
	EXPECT_STATUS(outcome, 422);
	outcome = CALL(&service, "POST /optouts/{project}/audit/verify?x=1", .key = service.read);
	EXPECT_STATUS(outcome, 422);
}

// Statistics.

static void append_at(int64_t ms, const char *list, const char *new)
{
	struct key_name key = partition_key(service.fixture.project, 5, "audit", SLICE(""));
	struct slice id = slice_of(call_format(&service, "%lld-*", (long long)ms));
	fixture_command(&service.fixture,
	                ARGUMENTS(SLICE("XADD"), key_slice(&key), id, SLICE("recipient"), SLICE("jo"),
	                          SLICE("category"), slice_of(list), SLICE("old"), SLICE(""), SLICE("new"),
	                          slice_of(new), SLICE("source"), SLICE("csv"), SLICE("reference"), SLICE("r")));
}

static const struct json *days_of(const struct outcome *outcome, size_t count)
{
	const struct json *days = json_get(outcome->body, "days");
	EXPECT_STATUS(*outcome, 200);
	cr_assert(json_count(outcome->body) == 1);
	cr_assert_eq(json_count(days), count, "%zu: %s", json_count(days), outcome->text.data);
	return days;
}

#define DAY_MS INT64_C(86400000)

Test(optouts_stats, count_by_day_category_and_source)
{
	struct outcome outcome = GET("/stats");
	days_of(&outcome, 0);
	make_category("{\"key\":\"offers\",\"topic\":\"topic_7\"}");
	int64_t today = clock_now_ms() / DAY_MS * DAY_MS;
	char text[CLOCK_TEXT_SIZE];
	append_at(today - 29 * DAY_MS - 1, "$all", "4");
	append_at(today - 29 * DAY_MS, "$all", "4");
	append_at(today, "customerio_topic_7", "4");
	append_at(today, "customerio_topic_7", "-4");
	append_at(today, "$all", "5");
	append_at(today, "$bounced", "5");
	outcome = GET("/stats");
	const struct json *days = days_of(&outcome, 3), *day = json_at(days, 1);
	cr_assert(json_count(day) == 5);
	EXPECT_MEMBER(json_at(days, 0), "category", "$all");
	EXPECT_MEMBER(day, "category", "offers");
	EXPECT_MEMBER(day, "source", "csv");
	cr_assert(number_of(day, "opted_out") == 1 && number_of(day, "opted_in") == 1);
	clock_write(today, text);
	EXPECT_TEXT(json_text(json_get(day, "date")), call_format(&service, "%.10s", text));
	clock_write(today - 29 * DAY_MS, text);
	EXPECT_TEXT(json_text(json_get(json_at(days, 2), "date")), call_format(&service, "%.10s", text));
	outcome = GET("/stats?days=1");
	days_of(&outcome, 2);
	outcome = GET("/stats?days=31");
	days_of(&outcome, 4);
}

Test(optouts_stats, many_come_in_pieces)
{
	static const char script[] =
		"for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'recipient', 'jo', 'category', '$all', 'old', "
		"'', 'new', '5', 'source', 's' .. i % 5000, 'reference', 'r') end";
	struct key_name key = partition_key(service.fixture.project, 5, "audit", SLICE(""));
	fixture_command(&service.fixture, ARGUMENTS(SLICE("EVAL"), slice_of(script), SLICE("1"), key_slice(&key),
	                                            SLICE("210000")));
	struct outcome outcome = GET("/stats?days=2");
	const struct json *days = json_get(outcome.body, "days");
	int64_t sum = 0;
	cr_assert(json_count(days) >= 5000);
	for (size_t i = 0; i < json_count(days); i++)
		sum += number_of(json_at(days, i), "opted_out");
	cr_assert(sum == 210000);
}

Test(optouts_stats, have_limits)
{
	static const char *const wrong[] = {"days=0", "days=367", "days=x", "days=", "day=1"};
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		const char *line = call_format(&service, "GET /optouts/{project}/stats?%s", wrong[i]);
		struct outcome outcome = CALL(&service, line, .key = service.read);
		EXPECT_STATUS(outcome, 422);
	}
	struct outcome outcome = GET("/stats?days=366");
	days_of(&outcome, 0);
}

// Whatever is asked, it is said before the answer begins when the store is not there.
Test(optouts_export, without_a_store_nothing_begins)
{
	static const char *const lines[] = {
		"GET /optouts/{project}/export", "GET /optouts/{project}/audit", "GET /optouts/{project}/audit/export",
		"POST /optouts/{project}/audit/verify", "GET /optouts/{project}/stats",
	};
	struct store *real = service.fixture.store, *nobody;
	const char *reason;
	cr_assert(store_new(SLICE("unix:///nonexistent/redis.sock"), 0, &nobody, &reason) == RESULT_OK);
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		service.fixture.store = nobody;
		struct outcome outcome = CALL(&service, lines[i], .key = service.root);
		service.fixture.store = real;
		EXPECT_STATUS(outcome, 503);
	}
	store_free(nobody);
}

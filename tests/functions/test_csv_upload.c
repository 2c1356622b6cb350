// The CSV upload by its handler: what each row, column and option does, how bodies come, and what goes wrong.
#include "../support/call.h"

#include "base/clock.h"
#include "codec/csv.h"
#include "consent/choice.h"
#include "consent/import.h"
#include "consent/optouts.h"
#include "project/project.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define POST "POST /csv-upload/{project}"
#define AS_OF "2026-01-31T12:00:00Z"
#define AS_OF_MS INT64_C(1769860800000)
#define AT "?as_of=" AS_OF
#define MIRROR AT "&mode=mirror"
#define TEXT_MAXIMUM ((size_t)32 << 20)
#define TOPIC_7 "customerio_topic_7"
#define TOPIC_8 "customerio_topic_8"
#define X512 X128 X128 X128 X128
#define X128 X32 X32 X32 X32
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

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
TestSuite(csv_upload, .init = set_up, .fini = tear_down, .timeout = 240);

// Sending.

#define UPLOAD(query, ...) CALL(&s, POST query, .key = s.admin, .type = "text/csv", __VA_ARGS__)

static struct outcome upload_bytes(const char *query, struct slice bytes)
{
	const char *line = call_format(&s, "%s%s", POST, query);
	return CALL(&s, line, .key = s.admin, .type = "text/csv", .bytes = bytes);
}

static struct outcome upload(const char *query, const char *text)
{
	return upload_bytes(query, slice_of(text));
}

static struct outcome upload_well(const char *query, const char *text)
{
	struct outcome outcome = upload(query, text);
	EXPECT_STATUS(outcome, 200);
	EXPECT_TEXT(outcome_text(&outcome, "status"), "completed");
	return outcome;
}

static struct buffer *text_new(void)
{
	struct buffer *text = buffer_new(s.fixture.arena, TEXT_MAXIMUM);
	cr_assert(text != NULL);
	return text;
}

static struct slice gzip(struct slice plain)
{
	uLong size = compressBound(plain.length) + 64;
	struct slice packed = arena_copy(s.fixture.arena, (struct slice){NULL, 0});
	unsigned char *bytes = arena_alloc(s.fixture.arena, size);
	z_stream stream = {.next_in = (unsigned char *)plain.data, .avail_in = (unsigned)plain.length,
	                   .next_out = bytes, .avail_out = (unsigned)size};
	cr_assert(bytes != NULL && deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	packed = (struct slice){(char *)bytes, stream.total_out};
	deflateEnd(&stream);
	return packed;
}

// Looking.

static int64_t score_of(const char *recipient, const char *list)
{
	int64_t score = 0;
	struct slice key = slice_of(list);
	cr_assert_eq(optouts_choices_of(s.fixture.store, s.fixture.arena, s.fixture.project, slice_of(recipient), &key,
	                                1, &score),
	             RESULT_OK);
	return score;
}

static bool is_out(const char *recipient, const char *list)
{
	return score_of(recipient, list) > 0;
}

static int64_t count(const struct outcome *outcome, const char *name)
{
	int64_t number = -1;
	cr_assert(json_to_integer(json_get(outcome->body, name), 0, INT64_MAX, &number), "%s in %.*s", name,
	          (int)outcome->text.length, outcome->text.data);
	return number;
}

struct counts {
	int64_t rows, out, skipped, errors, updated;
};

static void expect_counts(const struct outcome *outcome, struct counts wanted)
{
	struct counts seen = {count(outcome, "total_rows"), count(outcome, "users_with_optouts"),
	                      count(outcome, "users_skipped"), count(outcome, "parse_errors"),
	                      count(outcome, "preferences_updated")};
	cr_assert_eq(count(outcome, "rows_processed"), seen.rows);
	cr_assert(memcmp(&seen, &wanted, sizeof(seen)) == 0, "%.*s", (int)outcome->text.length, outcome->text.data);
}

static const struct json *failure(const struct outcome *outcome, size_t index)
{
	const struct json *found = json_at(json_get(outcome->body, "failed_imports"), index);
	cr_assert(found != NULL, "no failure %zu in %.*s", index, (int)outcome->text.length, outcome->text.data);
	return found;
}

static bool contains(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

static void expect_failure(const struct outcome *outcome, size_t index, int64_t line, const char *label,
                           const char *error)
{
	const struct json *found = failure(outcome, index), *email = json_get(found, "email");
	int64_t number = 0;
	cr_assert(json_to_integer(json_get(found, "line"), 1, INT64_MAX, &number) && number == line, "line %ld",
	          (long)number);
	cr_assert(label == NULL ? json_is_null(email) : slice_equal(json_text(email), slice_of(label)), "%.*s",
	          (int)outcome->text.length, outcome->text.data);
	cr_assert(contains(json_text(json_get(found, "error")), error), "%s: %.*s", error, (int)outcome->text.length,
	          outcome->text.data);
}

static struct slice detail(const struct outcome *outcome)
{
	return outcome_text(outcome, "detail");
}

static void expect_refusal(struct outcome outcome, int status, const char *why)
{
	EXPECT_STATUS(outcome, status);
	cr_assert(contains(detail(&outcome), why), "%s: %.*s", why, (int)outcome.text.length, outcome.text.data);
}

static struct slice errors_file(struct slice id)
{
	struct buffer *file = text_new();
	for (size_t i = 0;; i++) {
		struct slice piece;
		cr_assert_eq(import_errors_piece(s.fixture.store, s.fixture.arena, s.fixture.project, id, i, &piece),
		             RESULT_OK);
		if (piece.data == NULL)
			return buffer_slice(file);
		buffer_append(file, piece);
	}
}

static const struct json *import_of(struct slice id)
{
	struct buffer *text = text_new();
	struct json_writer out = json_writer_on(text);
	const struct json *import = NULL;
	cr_assert_eq(import_write(s.fixture.store, s.fixture.arena, s.fixture.project, id, &out), RESULT_OK);
	cr_assert_eq(json_parse(s.fixture.arena, buffer_slice(text), &import, NULL), RESULT_OK);
	return import;
}

static size_t keys_like(const char *pattern)
{
	struct slice text = arena_format(s.fixture.arena, "cb:{%.*s%s", (int)s.fixture.project.length,
	                                 s.fixture.project.data, pattern);
	return reply_count(fixture_command(&s.fixture, ARGUMENTS(SLICE("KEYS"), text)));
}

static void save_category(const char *key, const char *topic, bool by_default)
{
	struct category category = {.key = slice_of(key), .name = SLICE("x"), .description = SLICE(""),
	                            .public_description = SLICE(""), .topic = slice_of(topic),
	                            .subscribed_by_default = by_default};
	cr_assert_eq(category_save(s.fixture.store, s.fixture.arena, s.fixture.project, &category), RESULT_OK);
}

static void record(const char *recipient, const struct category *category, enum choice_value value, int64_t at_ms)
{
	struct choice choice = {slice_of(recipient), category, value, at_ms};
	struct choice_origin origin = {.act = ACT_DATED, .source = SLICE("import"), .reference = SLICE("r")};
	enum choice_outcome result;
	cr_assert_eq(choices_record(s.fixture.store, s.fixture.arena, s.fixture.project, NULL, &origin, &choice, 1,
	                            &result),
	             RESULT_OK);
}

// The rows of the contract. Each file has one data row, for jo@example.com where nothing else is said.

#define HEAD "email,id,unsubscribed,cio_subscription_preferences\n"
#define JO "jo@example.com"

struct row {
	const char *cells, *out, *error; // out: lists he is out of afterwards, separated by spaces; error: NULL: none
	const char *label;               // NULL: jo@example.com
};

static const struct row rows[] = {
	// topic false / true; "topic_7" and "7" are the same
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":false}}\"", TOPIC_7, NULL, NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"7\"\":false}}\"", TOPIC_7, NULL, NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":true}}\"", "", NULL, NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":false,\"\"topic_8\"\":true},"
            "\"\"channels\"\":{\"\"email\"\":false}}\"",
         TOPIC_7, NULL, NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":false,\"\"8\"\":false}}\"", TOPIC_7 " " TOPIC_8, NULL, NULL},
	{JO ",1,,\"  { \"\"topics\"\" : { \"\"topic_7\"\" : false } } \"", TOPIC_7, NULL, NULL},
	// neither: an error, and the rest counts
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":null,\"\"topic_8\"\":false}}\"", TOPIC_8, "topic_7", NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":0}}\"", "", "neither true nor false: topic_7", NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":\"\"false\"\"}}\"", "", "neither true nor false", NULL},
	{JO ",1,true,\"{\"\"topics\"\":{\"\"topic_7\"\":\"\"false\"\"}}\"", "$all", "neither true nor false", NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"seven\"\":false,\"\"topic_8\"\":false}}\"", TOPIC_8,
         "not a topic: seven", NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_1234567890\"\":false}}\"", "", "not a topic", NULL},
	// preferences empty, {} or without topics
	{JO ",1,,", "", NULL, NULL},
	{JO ",1,,\"\"", "", NULL, NULL},
	{JO ",1,,\"   \"", "", NULL, NULL},
	{JO ",1,,{}", "", NULL, NULL},
	{JO ",1,,\"{\"\"topics\"\":{}}\"", "", NULL, NULL},
	{JO ",1,,\"{\"\"channels\"\":{\"\"email\"\":false}}\"", "", NULL, NULL},
	// not JSON, or topics not an object
	{JO ",1,,not json", "", "no JSON object with topics", NULL},
	{JO ",1,true,not json", "$all", "no JSON object with topics", NULL},
	{JO ",1,,null", "", "no JSON object", NULL},
	{JO ",1,,[]", "", "no JSON object", NULL},
	{JO ",1,,\"\"\"x\"\"\"", "", "no JSON object", NULL},
	{JO ",1,true,\"{\"\"topics\"\":[]}\"", "$all", "no JSON object with topics", NULL},
	{JO ",1,,\"{\"\"topics\"\":null}\"", "", "no JSON object with topics", NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":false}\"", "", "no JSON object", NULL},
	{JO ",1,,\"{\"\"topics\"\":{\"\"topic_7\"\":true,\"\"topic_7\"\":false}}\"", "", "no JSON object", NULL},
	// unsubscribed
	{JO ",1,true,", "$all", NULL, NULL},
	{JO ",1,TRUE,", "$all", NULL, NULL},
	{JO ",1, True ,", "$all", NULL, NULL},
	{JO ",1,1,", "$all", NULL, NULL},
	{JO ",1,false,", "", NULL, NULL},
	{JO ",1,0,", "", NULL, NULL},
	{JO ",1,yes,", "", NULL, NULL},
	{JO ",1,11,", "", NULL, NULL},
	{JO ",1,true,\"{\"\"topics\"\":{\"\"topic_7\"\":false}}\"", "$all " TOPIC_7, NULL, NULL},
	// the recipient
	{" JO@Example.COM ,1,true,", "$all", NULL, NULL},
	{"\"jo@example.com\",1,true,", "$all", NULL, NULL},
	{",42,true,", "", "no recipient", "Customer.io ID: 42"},
	{"   ,42,true,", "", "no recipient", "Customer.io ID: 42"},
	{",,true,", "", "no recipient", ""},
	{X512 "x,42,true,", "", "longer than 512 bytes", X512},
	{"j\xffo@example.com,42,true,", "", "not UTF-8", "j\xef\xbf\xbdo@example.com"},
	{"jo\x01@example.com,42,true,", "", "control characters", "jo\x01@example.com"},
	{"\"jo\n@example.com\",42,true,", "", "control characters", "jo\n@example.com"},
	// short and long rows
	{JO, "", NULL, NULL},
	{JO ",1,true", "$all", NULL, NULL},
	{JO ",1,true,{},more,and more", "$all", NULL, NULL},
};

static bool names_word(const char *words, const char *word)
{
	struct slice rest = slice_of(words);
	while (rest.data != NULL) {
		if (slice_equal(slice_split(&rest, ' '), slice_of(word)))
			return true;
	}
	return false;
}

static void check_row(const struct row *row)
{
	static const char *const lists[] = {"$all", TOPIC_7, TOPIC_8};
	struct outcome outcome = upload_well(AT, call_format(&s, HEAD "%s\n", row->cells));
	int64_t opt_outs = 0;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		bool wanted = names_word(row->out, lists[i]);
		cr_assert_eq(score_of(JO, lists[i]), wanted ? AS_OF_MS : 0, "%s: %s", row->cells, lists[i]);
		opt_outs += wanted;
	}
	expect_counts(&outcome, (struct counts){1, opt_outs > 0, opt_outs == 0 && row->error == NULL,
	                                        row->error != NULL, opt_outs});
	cr_assert_eq(json_count(json_get(outcome.body, "failed_imports")), row->error != NULL);
	if (row->error == NULL)
		return;
	const char *label = row->label == NULL ? JO : *row->label == '\0' ? NULL : row->label;
	expect_failure(&outcome, 0, 2, label, row->error);
}

Test(csv_upload, rows_do_what_the_table_says)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		s.fixture.project = service_project(&s);
		s.admin = service_key(&s, s.fixture.project, ROLE_ADMIN);
		check_row(&rows[i]);
	}
}

Test(csv_upload, longest_recipient_is_one)
{
	struct outcome outcome = upload_well("", "email,unsubscribed\n" X512 ",true\n");
	expect_counts(&outcome, (struct counts){1, 1, 0, 0, 1});
	cr_assert(is_out(X512, "$all"));
}

// The cases where others lose data.

Test(csv_upload, files_as_they_come_from_everywhere)
{
	static const struct slice files[] = {
		{"\xef\xbb\xbf" "email,unsubscribed\njo@example.com,true\n", 42},
	};
	static const char *const texts[] = {
		"email,unsubscribed\njo@example.com,true\n",
		"email,unsubscribed\njo@example.com,true",
		"email,unsubscribed\r\njo@example.com,true\r\n",
		"email;unsubscribed\njo@example.com;true\n",
		"email\tunsubscribed\njo@example.com\ttrue\n",
		"\n\nunsubscribed,email\ntrue,jo@example.com\n",
		" EMAIL , Unsubscribed \njo@example.com,true\n",
		"\"email\",\"unsubscribed\"\n\"jo@example.com\",\"true\"\n",
		"identifier,unsubscribed\njo@example.com,true\n",
		"Recipient,unsubscribed\njo@example.com,true\n",
		"email_address,unsubscribed\njo@example.com,true\n",
		"name,email,note,unsubscribed\n\"Jo, or \"\"J\"\"\njo\",jo@example.com,x,true\n",
		"email,identifier,unsubscribed\n,jo@example.com,true\n",
		"identifier,email,unsubscribed\nother@example.com,jo@example.com,true\n",
		"email,email,unsubscribed\n,jo@example.com,true\n",
		"email,unsubscribed,unsubscribed\njo@example.com,false,true\n",
		"note,email,unsubscribed\n\xff\xfe,jo@example.com,true\n",
	};
	for (size_t i = 0; i < COUNT_OF(texts) + COUNT_OF(files); i++) {
		s.fixture.project = service_project(&s);
		s.admin = service_key(&s, s.fixture.project, ROLE_ADMIN);
		struct slice file = i < COUNT_OF(texts) ? slice_of(texts[i]) : files[i - COUNT_OF(texts)];
		struct outcome outcome = upload_bytes("", file);
		EXPECT_STATUS(outcome, 200);
		cr_assert(is_out(JO, "$all"), "%.*s", (int)file.length, file.data);
		expect_counts(&outcome, (struct counts){1, 1, 0, 0, 1});
	}
}

Test(csv_upload, dotted_columns)
{
	struct outcome outcome = upload_well(
		AT, "email,cio_subscription_preferences.topics.topic_7,CIO_Subscription_Preferences.Topics.Topic_8,"
		    "cio_subscription_preferences.topics.9,cio_subscription_preferences.channels.email\n"
		    "a@x,false,False,FALSE,false\n"
		    "b@x,true,,TRUE,false\n"
		    "c@x,no,false,,\n"
		    "d@x, false ,,,\n");
	expect_counts(&outcome, (struct counts){4, 3, 1, 1, 5});
	expect_failure(&outcome, 0, 4, "c@x", "neither true nor false: topic_7");
	cr_assert(is_out("a@x", TOPIC_7) && is_out("a@x", TOPIC_8) && is_out("a@x", "customerio_topic_9"));
	cr_assert(score_of("b@x", TOPIC_7) == 0 && score_of("b@x", TOPIC_8) == 0);
	cr_assert(!is_out("c@x", TOPIC_7) && is_out("c@x", TOPIC_8));
	cr_assert(is_out("d@x", TOPIC_7));
	outcome = upload_well(AT, "email,cio_subscription_preferences.topics.offers\na@x,\nb@x,false\n");
	expect_counts(&outcome, (struct counts){2, 0, 1, 1, 0});
}

Test(csv_upload, one_bad_row_stops_no_other)
{
	struct buffer *text = text_new();
	buffer_append_text(text, "email,unsubscribed\na@x,true\n");
	for (size_t i = 0; i < ((size_t)1 << 20) + 1; i++)
		buffer_append_byte(text, 'x');
	buffer_append_text(text, ",true\n");
	buffer_append_text(text, "b\xff@x,true\nc@x,true\nd@x,\"true\n");
	struct outcome outcome = upload_bytes(AT, buffer_slice(text));
	EXPECT_STATUS(outcome, 200);
	expect_counts(&outcome, (struct counts){5, 2, 0, 3, 2});
	expect_failure(&outcome, 0, 3, NULL, "longer than 1 MiB");
	expect_failure(&outcome, 1, 4, "b\xef\xbf\xbd@x", "not UTF-8");
	expect_failure(&outcome, 2, 6, NULL, "never closed");
	cr_assert(is_out("a@x", "$all") && is_out("c@x", "$all") && !is_out("d@x", "$all"));
}

Test(csv_upload, an_address_counts_once_however_it_is_spelled)
{
	struct outcome outcome = upload_well(AT, "email,unsubscribed,cio_subscription_preferences\nJo@X.com,true,\n"
	                                         "jo@x.com,true,\n JO@X.COM ,true,\njo@x.com,,"
	                                         "\"{\"\"topics\"\":{\"\"7\"\":false}}\"\n");
	expect_counts(&outcome, (struct counts){4, 4, 0, 0, 2});
	cr_assert(is_out("jo@x.com", "$all") && is_out("jo@x.com", TOPIC_7));
	cr_assert(score_of("Jo@X.com", "$all") == 0);
}

Test(csv_upload, again_changes_nothing)
{
	static const char text[] = HEAD "a@x,1,true,\nb@x,2,,\"{\"\"topics\"\":{\"\"7\"\":false}}\"\n";
	struct outcome outcome = upload_well(AT, text);
	expect_counts(&outcome, (struct counts){2, 2, 0, 0, 2});
	outcome = upload_well(AT, text);
	expect_counts(&outcome, (struct counts){2, 2, 0, 0, 0});
	cr_assert_eq(score_of("a@x", "$all"), AS_OF_MS);
}

#define MANY 20000
Test(csv_upload, many_rows_many_times)
{
	struct buffer *text = text_new();
	buffer_append_text(text, HEAD);
	for (int64_t i = 0; i < MANY; i++) {
		buffer_append_text(text, i % 2 ? "Someone" : "someone");
		buffer_append_integer(text, i % (MANY / 2));
		buffer_append_text(text, i % 3 ? "@x,1,true,\n" : "@x,1,,\"{\"\"topics\"\":{\"\"7\"\":false}}\"\n");
	}
	struct outcome outcome = upload_bytes(AT, buffer_slice(text));
	EXPECT_STATUS(outcome, 200);
	int64_t all = 0, topic = 0;
	for (int i = 0; i < MANY / 2; i++) {
		const char *recipient = arena_format(s.fixture.arena, "someone%d@x", i).data;
		all += is_out(recipient, "$all");
		topic += is_out(recipient, TOPIC_7);
		cr_assert_eq(is_out(recipient, "$all"), i % 3 != 0 || (i + MANY / 2) % 3 != 0, "%d", i);
		cr_assert_eq(is_out(recipient, TOPIC_7), i % 3 == 0 || (i + MANY / 2) % 3 == 0, "%d", i);
	}
	expect_counts(&outcome, (struct counts){MANY, MANY, 0, 0, all + topic});
}

Test(csv_upload, ten_thousand_topics_in_one_row)
{
	struct buffer *text = text_new();
	buffer_append_text(text, HEAD "jo@x,1,,\"{\"\"topics\"\":{");
	for (int i = 1; i <= UNKNOWN_TOPICS_MAXIMUM; i++)
		buffer_append(text, arena_format(s.fixture.arena, "%s\"\"topic_%d\"\":false", i > 1 ? "," : "", i));
	buffer_append_text(text, "}}\"\nal@x,1,,\"{\"\"topics\"\":{\"\"20000\"\":false,\"\"10000\"\":false}}\"\n");
	struct outcome outcome = upload_bytes(AT, buffer_slice(text));
	EXPECT_STATUS(outcome, 200);
	expect_counts(&outcome, (struct counts){2, 2, 0, 1, UNKNOWN_TOPICS_MAXIMUM + 1});
	expect_failure(&outcome, 0, 3, "al@x", "too many unknown topics for: topic_20000");
	cr_assert(is_out("jo@x", "customerio_topic_1") && is_out("jo@x", "customerio_topic_10000"));
	cr_assert(is_out("al@x", "customerio_topic_10000") && !is_out("al@x", "customerio_topic_20000"));
}

Test(csv_upload, preferences_with_too_many_values)
{
	for (int more = 0; more <= 1; more++) {
		struct buffer *text = text_new();
		buffer_append_text(text, HEAD "jo@x,1,,\"{\"\"topics\"\":{\"\"7\"\":false},\"\"channels\"\":[0");
		for (int i = 0; i < 16384 - 4 + more; i++)
			buffer_append_text(text, ",0");
		buffer_append_text(text, "]}\"\n");
		struct outcome outcome = upload_bytes(AT, buffer_slice(text));
		EXPECT_STATUS(outcome, 200);
		expect_counts(&outcome, (struct counts){1, !more, 0, more, !more});
	}
}

// Headers that cannot be used.

Test(csv_upload, header_without_use)
{
	static const struct {
		struct slice file;
		const char *query, *why;
	} files[] = {
		{{"", 0}, "", "The file is empty."},
		{{"\n\r\n\n", 4}, "", "The file is empty."},
		{{"\xef\xbb\xbf", 3}, "", "The file is empty."},
		{{"id,unsubscribed\n1,true\n", 23}, "", "no column of recipients"},
		{{"jo@example.com,true\n", 20}, "", "no column of recipients"},
		{{"emails,unsubscribed\njo,true\n", 28}, "", "no column of recipients"},
		{{"email\njo@x\n", 11}, "", "no column to import"},
		{{"email,id,name\njo@x,1,Jo\n", 24}, "", "no column to import"},
		{{"email,category\njo@x,\n", 21}, "?source=customerio", "no column to import"},
		{{"{\"email\":\"jo@x\"}", 16}, "", "no column of recipients"},
		{{"\xff\xfe" "e\0m\0a\0i\0l\0", 12}, "", "UTF-16"},
		{{"PK\x03\x04zip", 7}, "", "workbook"},
		{{"\"email,unsubscribed\n", 20}, "", "first line cannot be read: a quote is opened"},
	};
	for (size_t i = 0; i < COUNT_OF(files); i++)
		expect_refusal(upload_bytes(files[i].query, files[i].file), 422, files[i].why);
	cr_assert_eq(keys_like("}:job*"), 0, "no import is made of it");
}

Test(csv_upload, header_of_too_many_columns)
{
	for (size_t columns = CSV_COLUMNS_MAXIMUM; columns <= CSV_COLUMNS_MAXIMUM + 1; columns++) {
		struct buffer *text = text_new();
		buffer_append_text(text, "email,unsubscribed");
		for (size_t i = 2; i < columns; i++)
			buffer_append_byte(text, ',');
		buffer_append_text(text, "\na@x,true\n");
		struct outcome outcome = upload_bytes("", buffer_slice(text));
		EXPECT_STATUS(outcome, columns > CSV_COLUMNS_MAXIMUM ? 422 : 200);
	}
}

Test(csv_upload, header_without_rows)
{
	struct outcome outcome = upload_well("", "email,unsubscribed\n");
	expect_counts(&outcome, (struct counts){0, 0, 0, 0, 0});
	cr_assert(json_is_null(json_get(outcome.body, "errors_url")));
	cr_assert_eq(json_count(json_get(outcome.body, "failed_imports")), 0);
}

// Modes and times.

#define TRUE_FALSE                                                                                                 \
	HEAD "in@x,1,,\"{\"\"topics\"\":{\"\"7\"\":true}}\"\n"                                                        \
	     "out@x,2,,\"{\"\"topics\"\":{\"\"7\"\":false}}\"\n"

Test(csv_upload, additive_says_in_only_where_nobody_is_by_default)
{
	save_category("offers", "topic_7", true);
	struct outcome outcome = upload_well(AT, TRUE_FALSE);
	expect_counts(&outcome, (struct counts){2, 1, 1, 0, 1});
	cr_assert_eq(score_of("in@x", TOPIC_7), 0);
	cr_assert_eq(score_of("out@x", TOPIC_7), AS_OF_MS);
}

Test(csv_upload, additive_says_in_as_the_weakest_choice)
{
	save_category("letter", "topic_7", false);
	struct category letter = {.key = SLICE("letter"), .list = SLICE(TOPIC_7), .topic = SLICE("topic_7")};
	struct outcome outcome = upload_well("?as_of=" AS_OF "&mode=additive", TRUE_FALSE);
	// Whoever has made no choice is out of it already.
	expect_counts(&outcome, (struct counts){2, 1, 0, 0, 1});
	cr_assert_eq(score_of("in@x", TOPIC_7), -CHOICE_WEAKEST_MS);
	record("in@x", &letter, CHOICE_OUT, 2);
	outcome = upload_well(AT, TRUE_FALSE);
	cr_assert_eq(score_of("in@x", TOPIC_7), 2, "an import brings nobody back");
}

Test(csv_upload, mirror_says_both)
{
	save_category("offers", "topic_7", true);
	struct category offers = {.key = SLICE("offers"), .list = SLICE(TOPIC_7), .topic = SLICE("topic_7"),
	                          .subscribed_by_default = true};
	record("in@x", &offers, CHOICE_OUT, AS_OF_MS - 1);
	struct outcome outcome = upload_well(MIRROR, TRUE_FALSE);
	expect_counts(&outcome, (struct counts){2, 1, 0, 0, 2});
	cr_assert_eq(score_of("in@x", TOPIC_7), -AS_OF_MS);
	cr_assert_eq(score_of("out@x", TOPIC_7), AS_OF_MS);
	record("in@x", &offers, CHOICE_OUT, AS_OF_MS + 1);
	outcome = upload_well(MIRROR, TRUE_FALSE);
	cr_assert_eq(score_of("in@x", TOPIC_7), AS_OF_MS + 1, "what is newer stays");
}

Test(csv_upload, an_older_import_changes_nothing_newer)
{
	record(JO, &category_all, CHOICE_IN, AS_OF_MS + 1);
	struct outcome outcome = upload_well(AT, "email,unsubscribed\n" JO ",true\n");
	expect_counts(&outcome, (struct counts){1, 1, 0, 0, 0});
	cr_assert_eq(score_of(JO, "$all"), -(AS_OF_MS + 1));
}

static int64_t now_ms(void)
{
	int64_t ms = 0;
	cr_assert_eq(store_time_ms(s.fixture.store, s.fixture.arena, &ms), RESULT_OK);
	return ms;
}

static const char *time_text(int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];
	return call_format(&s, "%.*s", CLOCK_TEXT_SIZE - 1, clock_write(ms, text).data);
}

Test(csv_upload, without_a_time_it_is_now)
{
	int64_t before = now_ms();
	upload_well("", "email,unsubscribed\n" JO ",true\n");
	int64_t at = score_of(JO, "$all");
	cr_assert(at >= before && at <= now_ms());
}

Test(csv_upload, options_that_make_no_sense)
{
	static const struct {
		const char *query, *field;
	} wrong[] = {
		{"?mode=mirror", "as_of"},    {"?mode=other", "mode"},        {"?as_of=yesterday", "as_of"},
		{"?as_of=", "as_of"},         {"?as_of=2026-01-31", "as_of"}, {"?dry_run=yes", "dry_run"},
		{"?source=mailchimp", "source"}, {"?id=1", "id"},             {"?id=01ARZ3NDEKTSV4RRFFQ69G5FAU", "id"},
		{"?as_of=1969-12-31T23:59:59Z", "as_of"}, {"?dry=1", "dry"},  {"?id=81ARZ3NDEKTSV4RRFFQ69G5FAV", "id"},
	};
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct outcome outcome = upload(wrong[i].query, "email,unsubscribed\n" JO ",true\n");
		EXPECT_STATUS(outcome, 422);
		cr_assert(outcome_names_field(&outcome, wrong[i].field), "%s", wrong[i].query);
	}
	cr_assert_eq(score_of(JO, "$all"), 0);
}

Test(csv_upload, a_clock_may_be_five_minutes_ahead)
{
	const char *near = call_format(&s, "?as_of=%s", time_text(now_ms() + CHOICE_FUTURE_MS - 60000));
	const char *far = call_format(&s, "?as_of=%s", time_text(now_ms() + CHOICE_FUTURE_MS + 60000));
	struct outcome outcome = upload(far, "email,unsubscribed\n" JO ",true\n");
	EXPECT_STATUS(outcome, 422);
	cr_assert(outcome_names_field(&outcome, "as_of"));
	upload_well(near, "email,unsubscribed\n" JO ",true\n");
	cr_assert(is_out(JO, "$all"));
}

// Files from anywhere.

Test(csv_upload, generic_rows_are_opt_outs)
{
	save_category("offers", "topic_7", true);
	save_category("letter", "", false);
	struct outcome outcome = upload_well(AT, "identifier,category,opted_out_at\n"
	                                         "a@x,offers,2025-02-03T04:05:06Z\n"
	                                         "b@x,,\n"
	                                         "c@x, letter ,2025-02-03 04:05:06.789+01:00\n"
	                                         "d@x,$all,\n"
	                                         "e@x,$complaint,\n"
	                                         "f@x,customerio_topic_8,\n"
	                                         "g@x,customerio_topic_7,\n"
	                                         "h@x,nothing,\n"
	                                         "i@x,Offers,\n"
	                                         "j@x,customerio_7,\n"
	                                         "k@x,$bounced,\n"
	                                         "l@x,offers,yesterday\n"
	                                         "+4915112345,offers,\n");
	expect_counts(&outcome, (struct counts){13, 8, 0, 5, 7});
	cr_assert_eq(score_of("a@x", TOPIC_7), INT64_C(1738555506000));
	cr_assert_eq(score_of("b@x", "$all"), AS_OF_MS);
	cr_assert_eq(score_of("c@x", "letter"), INT64_C(1738551906789));
	cr_assert_eq(score_of("d@x", "$all"), AS_OF_MS);
	cr_assert_eq(score_of("e@x", "$complaint"), AS_OF_MS);
	cr_assert_eq(score_of("f@x", TOPIC_8), AS_OF_MS);
	cr_assert_eq(score_of("g@x", TOPIC_7), AS_OF_MS);
	cr_assert_eq(score_of("+4915112345", TOPIC_7), AS_OF_MS);
	expect_failure(&outcome, 0, 9, "h@x", "no such category: nothing");
	expect_failure(&outcome, 1, 10, "i@x", "no such category");
	expect_failure(&outcome, 2, 11, "j@x", "no such category");
	expect_failure(&outcome, 3, 12, "k@x", "no such category");
	expect_failure(&outcome, 4, 13, "l@x", "opted_out_at is not a time");
	cr_assert_eq(score_of("l@x", TOPIC_7), 0);
}

Test(csv_upload, generic_columns_decide)
{
	static const struct {
		const char *query, *text;
		bool out;
	} files[] = {
		{"", "email,category_key\n" JO ",\n", true},
		{"", "email,opted_out_at\n" JO ",\n", true},
		{"?source=generic", "email\n" JO "\n", true},
		{"?source=generic", "email,unsubscribed\n" JO ",false\n", false},
		{"", "email,unsubscribed,opted_out_at\n" JO ",false,2025-02-03T04:05:06Z\n", false},
		{"", "email,unsubscribed,opted_out_at\n" JO ",true,2025-02-03T04:05:06Z\n", true},
		{"?source=customerio", "email,unsubscribed,category\n" JO ",false,\n", false},
	};
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		s.fixture.project = service_project(&s);
		s.admin = service_key(&s, s.fixture.project, ROLE_ADMIN);
		upload_well(files[i].query, files[i].text);
		cr_assert_eq(is_out(JO, "$all"), files[i].out, "%s %s", files[i].query, files[i].text);
	}
}

Test(csv_upload, an_opt_out_from_the_future_counts_as_now)
{
	struct outcome outcome = upload_well("", call_format(&s, "email,opted_out_at\n" JO ",%s\n",
	                                                     time_text(now_ms() + 2 * CHOICE_FUTURE_MS)));
	expect_counts(&outcome, (struct counts){1, 1, 0, 0, 1});
	cr_assert(is_out(JO, "$all") && score_of(JO, "$all") <= now_ms());
}

Test(csv_upload, protected_identifiers_of_generic_files)
{
	upload_well("?source=generic", "identifier\n'+4915112345\n'=x\n''quoted\nO'Neil@x\n");
	cr_assert(is_out("+4915112345", "$all") && is_out("=x", "$all") && is_out("'quoted", "$all"));
	cr_assert(is_out("o'neil@x", "$all"));
	upload_well("", "email,unsubscribed\n'+4915112346,true\n");
	cr_assert(is_out("'+4915112346", "$all"), "Customer.io protects nothing");
}

// As the export writes it.
Test(csv_upload, protected_categories_of_generic_files)
{
	save_category("-dash", "", true);
	struct outcome outcome = upload_well(AT, "identifier,category\na@x,'-dash\nb@x,-dash\nc@x,''-dash\n");
	expect_counts(&outcome, (struct counts){3, 2, 0, 1, 2});
	cr_assert(is_out("a@x", "-dash") && is_out("b@x", "-dash"));
	expect_failure(&outcome, 0, 4, "c@x", "no such category: '-dash");
}

Test(csv_upload, customer_io_is_told_of_generic_files_only)
{
	upload_well("", "email,unsubscribed\n" JO ",true\n");
	cr_assert_eq(keys_like(":*:sendback"), 0);
	upload_well("", "email,category\nal@x,\n");
	cr_assert_eq(keys_like(":*:sendback"), 1);
}

// Trying first.

static struct slice with_dice(struct dice *dice, size_t row_count)
{
	static const char *const cells[] = {"true,", ",", ",bad", "false,{}", ",\"{\"\"topics\"\":{\"\"7\"\":false}}\"",
	                                    ",\"{\"\"topics\"\":{\"\"8\"\":true,\"\"9\"\":false}}\"",
	                                    "true,\"{\"\"topics\"\":{\"\"7\"\":1}}\""};
	struct buffer *text = text_new();
	buffer_append_text(text, "email,unsubscribed,cio_subscription_preferences\n");
	for (size_t i = 0; i < row_count; i++) {
		buffer_append(text, arena_format(s.fixture.arena, "u%d@x,%s\n", (int)dice_roll(dice, row_count / 2),
		                                 cells[dice_roll(dice, COUNT_OF(cells))]));
	}
	return buffer_slice(text);
}

static void expect_same_answer(const struct outcome *first, const struct outcome *second)
{
	static const char *const names[] = {"total_rows", "rows_processed", "users_with_optouts", "users_skipped",
	                                    "parse_errors", "preferences_updated"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		cr_assert_eq(count(first, names[i]), count(second, names[i]), "%s", names[i]);
}

Test(csv_upload, a_dry_run_says_what_the_real_one_does)
{
	struct dice dice = dice_new("dry run");
	save_category("letter", "topic_8", false);
	for (int round = 0; round < 3; round++) {
		struct slice file = with_dice(&dice, 1000);
		size_t keys = keys_like(":*");
		struct outcome dry = upload_bytes(AT "&dry_run=1", file);
		EXPECT_STATUS(dry, 200);
		cr_assert(json_is_true(json_get(dry.body, "dry_run")));
		cr_assert_eq(keys_like(":*"), keys, "nothing is written");
		if (round == 0)
			cr_assert_eq(keys_like("}:unknown_topics"), 0);
		struct outcome real = upload_bytes(AT "&dry_run=0", file);
		EXPECT_STATUS(real, 200);
		cr_assert(json_is_false(json_get(real.body, "dry_run")));
		expect_same_answer(&dry, &real);
		cr_assert(slice_equal(errors_file(outcome_text(&dry, "id")), errors_file(outcome_text(&real, "id"))));
		struct outcome again = upload_bytes(AT "&dry_run=true", file);
		cr_assert_eq(count(&again, "preferences_updated"), 0);
	}
}

// Errors.

Test(csv_upload, the_first_hundred_errors_and_all_of_them)
{
	struct buffer *text = text_new();
	buffer_append_text(text, "email,unsubscribed,note\n");
	for (int i = 0; i < 250; i++)
		buffer_append(text, arena_format(s.fixture.arena, "%s,true,\"=cmd()\n\"\"%d\"\"\"\n",
		                                 i % 2 ? "" : "a@x", i));
	struct outcome outcome = upload_bytes("", buffer_slice(text));
	EXPECT_STATUS(outcome, 200);
	expect_counts(&outcome, (struct counts){250, 125, 0, 125, 1});
	const struct json *shown = json_get(outcome.body, "failed_imports");
	cr_assert_eq(json_count(shown), 100);
	for (size_t i = 0; i < 100; i++)
		expect_failure(&outcome, i, 4 + 4 * (int64_t)i, NULL, "no recipient");
	struct slice id = outcome_text(&outcome, "id"), file = errors_file(id);
	const char *url = call_format(&s, CALL_PUBLIC_URL "/import/%.*s/%.*s/errors.csv", (int)s.fixture.project.length,
	                              s.fixture.project.data, (int)id.length, id.data);
	EXPECT_TEXT(outcome_text(&outcome, "errors_url"), url);
	cr_assert(slice_starts_with(file, SLICE("line,error,email,unsubscribed,note\r\n"
	                                        "4,no recipient,,true,\"'=cmd()\n\"\"1\"\"\"\r\n8,no recipient,")));
	cr_assert(contains(file, "\r\n500,no recipient,,true,\"'=cmd()\n\"\"249\"\"\"\r\n"));
	size_t lines = 0;
	for (size_t i = 0; i < file.length; i++)
		lines += file.data[i] == '\r';
	cr_assert_eq(lines, 126);
}

Test(csv_upload, the_file_of_errors_can_be_corrected_and_sent)
{
	struct outcome outcome = upload_well(AT, "email;unsubscribed\na@x;true\n" X512 "x@x;true\n");
	expect_counts(&outcome, (struct counts){2, 1, 0, 1, 1});
	static const char head[] = "line,error,email,unsubscribed\r\n3,the recipient is longer than 512 bytes,";
	EXPECT_TEXT(errors_file(outcome_text(&outcome, "id")), call_format(&s, "%s" X512 "x@x,true\r\n", head));
	outcome = upload_well(AT, call_format(&s, "%sb@x,true\r\n", head));
	expect_counts(&outcome, (struct counts){1, 1, 0, 0, 1});
	cr_assert(is_out("b@x", "$all"));
}

Test(csv_upload, of_a_long_row_the_beginning_is_kept)
{
	struct buffer *text = text_new();
	buffer_append_text(text, "email,unsubscribed,note\n,true,");
	for (int i = 0; i < 1 << 20; i++)
		buffer_append_byte(text, '"' + (i % 2));
	buffer_append_text(text, "\n,true,x\n");
	struct outcome outcome = upload_bytes("", buffer_slice(text));
	expect_counts(&outcome, (struct counts){2, 0, 0, 2, 0});
	struct slice file = errors_file(outcome_text(&outcome, "id"));
	cr_assert(file.length > 32000 && file.length < 70000);
	cr_assert(contains(file, "\"\r\n3,no recipient,,true,x\r\n"));
}

Test(csv_upload, as_many_errors_as_are_kept)
{
	struct buffer *text = text_new();
	buffer_append_text(text, "email,unsubscribed,note\n");
	for (int row = 0; row < 3000; row++) {
		buffer_append_text(text, ",true,");
		for (int i = 0; i < 100; i++)
			buffer_append_text(text, X32);
		buffer_append_byte(text, '\n');
	}
	struct outcome outcome = upload_bytes("", buffer_slice(text));
	expect_counts(&outcome, (struct counts){3000, 0, 0, 3000, 0});
	struct slice file = errors_file(outcome_text(&outcome, "id"));
	cr_assert(file.length > 3000 * 3200 && contains(file, "\r\n3001,no recipient,"));
}

// The import that the upload is.

#define ID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

Test(csv_upload, it_is_an_import)
{
	int64_t number = 0;
	struct outcome outcome = upload_well("?id=" ID, HEAD JO ",1,true,\n,1,,\n");
	EXPECT_TEXT(outcome_text(&outcome, "id"), ID);
	const struct json *import = import_of(SLICE(ID)), *result = json_get(import, "result");
	EXPECT_TEXT(json_text(json_get(import, "kind")), "csv");
	EXPECT_TEXT(json_text(json_get(import, "status")), "completed");
	EXPECT_TEXT(json_text(json_get(import, "step")), "rows");
	cr_assert(json_to_integer(json_get(json_get(import, "progress"), "done"), 2, 2, &number));
	cr_assert(json_to_integer(json_get(json_get(import, "progress"), "total"), 2, 2, &number));
	cr_assert(json_to_integer(json_get(result, "total_rows"), 2, 2, &number));
	cr_assert(json_to_integer(json_get(result, "parse_errors"), 1, 1, &number));
	cr_assert(json_to_integer(json_get(result, "preferences_updated"), 1, 1, &number));
	outcome = upload("?id=" ID, HEAD JO ",1,true,\n");
	expect_refusal(outcome, 409, "taken");
	outcome = upload_well("?dry_run=1", HEAD JO ",1,true,\n");
	EXPECT_TEXT(json_text(json_get(import_of(outcome_text(&outcome, "id")), "step")), "dry run");
}

Test(csv_upload, ids_are_new)
{
	struct outcome first = upload_well("", HEAD), second = upload_well("", HEAD);
	struct slice id = outcome_text(&first, "id");
	cr_assert(import_id_is_valid(id) && !slice_equal(id, outcome_text(&second, "id")));
}

Test(csv_upload, what_is_being_undone_is_not_recorded)
{
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(s.fixture.project, p, "import:", SLICE(ID));
		fixture_command(&s.fixture, ARGUMENTS(SLICE("HSET"), key_slice(&key), SLICE("fence"), SLICE("1")));
	}
	expect_refusal(upload("?id=" ID, HEAD JO ",1,true,\n"), 409, "being undone");
	cr_assert_eq(score_of(JO, "$all"), 0);
	EXPECT_TEXT(json_text(json_get(import_of(SLICE(ID)), "status")), "failed");
}

Test(csv_upload, a_body_that_is_cut_short)
{
	struct outcome outcome =
		UPLOAD("?id=" ID, .body = "email,unsubscribed\na@x,true\nb@x,true\nc@x,tru", .cut = true);
	expect_refusal(outcome, 400, "does not end where it should");
	cr_assert(is_out("a@x", "$all") && is_out("b@x", "$all") && score_of("c@x", "$all") == 0);
	const struct json *import = import_of(SLICE(ID));
	int64_t number = 0;
	EXPECT_TEXT(json_text(json_get(import, "status")), "failed");
	EXPECT_TEXT(json_text(json_get(import, "error")), "The body does not end where it should.");
	cr_assert(json_to_integer(json_get(json_get(import, "result"), "total_rows"), 2, 2, &number));
	cr_assert(json_to_integer(json_get(json_get(import, "result"), "users_with_optouts"), 2, 2, &number));
	outcome = upload_well("?id=" ID, "email,unsubscribed\na@x,true\nb@x,true\nc@x,true\n");
	expect_counts(&outcome, (struct counts){3, 3, 0, 0, 1});
	EXPECT_TEXT(json_text(json_get(import_of(SLICE(ID)), "status")), "completed");
}

Test(csv_upload, a_header_that_is_cut_short)
{
	struct outcome outcome = UPLOAD("", .body = "email,unsub", .cut = true);
	expect_refusal(outcome, 400, "does not end where it should");
	cr_assert_eq(keys_like("}:job*"), 0);
}

// Limits.

Test(csv_upload, as_large_as_may_be_and_larger)
{
	struct buffer *text = text_new();
	buffer_append_text(text, "email,unsubscribed\n");
	while (text->length < 200000)
		buffer_append_text(text, JO ",true\n");
	struct slice plain = buffer_slice(text), packed = gzip(plain);
	s.config.csv_max_bytes = (int64_t)plain.length;
	EXPECT_STATUS(upload_bytes("", plain), 200);
	EXPECT_STATUS(UPLOAD("", .bytes = plain, .undeclared = true), 200);
	EXPECT_STATUS(upload_bytes("", packed), 200);
	EXPECT_STATUS(UPLOAD("", .bytes = packed, .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}), 200);
	s.config.csv_max_bytes--;
	const char *limit = call_format(&s, "at most %lld bytes", (long long)s.config.csv_max_bytes);
	expect_refusal(upload_bytes("", plain), 413, limit);
	expect_refusal(UPLOAD("", .bytes = plain, .undeclared = true), 413, limit);
	expect_refusal(UPLOAD("", .bytes = packed, .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}), 413, limit);
	expect_refusal(upload_bytes("?id=" ID, packed), 413, limit);
	EXPECT_TEXT(json_text(json_get(import_of(SLICE(ID)), "status")), "failed");
	cr_assert(contains(json_text(json_get(import_of(SLICE(ID)), "error")), limit));
	const struct json *result = json_get(import_of(SLICE(ID)), "result");
	int64_t rows_in = 0;
	cr_assert(json_to_integer(json_get(result, "total_rows"), 1, 20000, &rows_in));
}

Test(csv_upload, the_largest_body_is_announced)
{
	struct outcome outcome = UPLOAD("", .body = "email", .headers = {{"CONTENT_LENGTH", "2147483649"}});
	EXPECT_STATUS(outcome, 413);
}

// Packed, and in forms.

#define FORM "multipart/form-data; boundary=b"
#define PART(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"x.csv\"\r\n\r\n"

static struct slice form_of(const char *name, struct slice file, const char *end)
{
	struct buffer *text = text_new();
	buffer_append_text(text, "preamble\r\n" PART("other") "email,unsubscribed\r\nother@x,true\r\n\r\n");
	buffer_append_text(text, call_format(&s, "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n", name));
	buffer_append(text, file);
	buffer_append_text(text, end);
	return buffer_slice(text);
}

static struct outcome upload_form(struct slice body)
{
	return CALL(&s, POST AT, .key = s.admin, .type = FORM, .bytes = body);
}

static void expect_jo_out(struct outcome outcome)
{
	EXPECT_STATUS(outcome, 200);
	expect_counts(&outcome, (struct counts){1, 1, 0, 0, 1});
	cr_assert(is_out(JO, "$all") && !is_out("other@x", "$all"));
	s.fixture.project = service_project(&s);
	s.admin = service_key(&s, s.fixture.project, ROLE_ADMIN);
}

Test(csv_upload, packed_and_in_a_form)
{
	static const char end[] = "\r\n--b--\r\nepilogue";
	struct slice plain = SLICE("email,unsubscribed\n" JO ",true\n"), packed = gzip(plain);
	expect_jo_out(upload_bytes("", packed));
	expect_jo_out(UPLOAD("", .bytes = packed, .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}));
	expect_jo_out(UPLOAD("", .bytes = packed, .headers = {{"HTTP_CONTENT_ENCODING", "X-GZIP"}}));
	expect_jo_out(UPLOAD("", .bytes = plain, .headers = {{"HTTP_CONTENT_ENCODING", "identity"}}));
	expect_jo_out(UPLOAD("", .bytes = gzip(packed), .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}));
	expect_jo_out(upload_form(form_of("csv_file", plain, end)));
	expect_jo_out(upload_form(form_of("csv_file", packed, end)));
	expect_jo_out(CALL(&s, POST, .key = s.admin, .type = FORM,
	                   .bytes = gzip(form_of("csv_file", plain, end)),
	                   .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}));
	expect_jo_out(CALL(&s, POST, .key = s.admin, .type = FORM,
	                   .bytes = gzip(form_of("csv_file", packed, end)),
	                   .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}));
	expect_jo_out(CALL(&s, POST, .key = s.admin, .type = "application/octet-stream", .bytes = plain));
	expect_jo_out(CALL(&s, POST, .key = s.admin, .type = "application/x-www-form-urlencoded", .bytes = plain));
}

Test(csv_upload, bodies_that_are_damaged)
{
	static const char end[] = "\r\n--b--\r\n";
	struct slice plain = SLICE("email,unsubscribed\n" JO ",true\n"), packed = gzip(plain), cut = packed;
	struct slice file = arena_copy(s.fixture.arena, packed);
	cut.length -= 3;
	((char *)file.data)[packed.length - 6] ^= 1;
	expect_refusal(upload_bytes("", cut), 400, "gzip data is cut short");
	expect_refusal(upload_bytes("", file), 400, "gzip data is damaged");
	expect_refusal(UPLOAD("", .bytes = plain, .headers = {{"HTTP_CONTENT_ENCODING", "gzip"}}), 400, "damaged");
	expect_refusal(UPLOAD("", .bytes = plain, .headers = {{"HTTP_CONTENT_ENCODING", "br"}}), 415, "gzip");
	expect_refusal(upload_form(form_of("csv_file", plain, "")), 400, "no last boundary");
	expect_refusal(upload_form(form_of("csv_file", cut, end)), 400, "gzip data is cut short");
	expect_refusal(upload_form(form_of("file", plain, end)), 422, "no field csv_file");
	expect_refusal(upload_form(SLICE("--b--\r\n")), 422, "no field csv_file");
	expect_refusal(upload_form(SLICE("--b\r\nno header\r\n\r\nx\r\n--b--\r\n")), 400, "multipart body");
	expect_refusal(upload_form(form_of("csv_file", plain, "\r\n" PART("csv_file") "x\r\n--b--\r\n")), 422, "twice");
	expect_refusal(CALL(&s, POST, .key = s.admin, .type = "multipart/form-data", .bytes = plain), 400, "boundary");
	expect_refusal(CALL(&s, POST, .key = s.admin, .type = "multipart/mixed; boundary=b", .bytes = plain), 415,
	               "multipart/form-data");
}

Test(csv_upload, an_empty_file_in_a_form)
{
	expect_refusal(upload_form(form_of("csv_file", SLICE(""), "\r\n--b--\r\n")), 422, "The file is empty.");
}

// Who may.

Test(csv_upload, only_admins)
{
	const char *const keys[] = {NULL, s.read, s.ingest, s.ingest_secret, s.admin, s.root};
	static const int statuses[] = {401, 403, 403, 403, 200, 200};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct outcome outcome = CALL(&s, POST, .key = keys[i], .type = "text/csv", .body = HEAD);
		EXPECT_STATUS(outcome, statuses[i]);
	}
	EXPECT_STATUS(CALL(&s, "POST /csv-upload/nobody", .key = s.root, .type = "text/csv", .body = HEAD), 404);
	EXPECT_STATUS(CALL(&s, "POST /csv-upload/nobody", .key = s.admin, .type = "text/csv", .body = HEAD), 403);
	EXPECT_STATUS(CALL(&s, "GET /csv-upload/{project}", .key = s.admin), 405);
}

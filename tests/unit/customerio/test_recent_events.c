// The list of recent webhooks.
#include "../../support/fixture.h"
#include "customerio/recent_events.h"
#include "project/project.h"

#include <criterion/criterion.h>

#define TEXT(literal) \
	{ \
		literal, sizeof(literal) - 1 \
	}

static struct fixture f;
static void set_up(void)
{
	f = fixture_open();
}
static void tear_down(void)
{
	fixture_close(&f);
}
TestSuite(recent_events, .init = set_up, .fini = tear_down, .timeout = 60);

static void note(struct recent_event event)
{
	recent_event_note(f.store, f.arena, f.project, &event);
	store_settle(f.store);
}

static const struct json *read_events(size_t limit)
{
	struct buffer *buffer = buffer_new(f.arena, 1 << 20);
	struct json_writer out = json_writer_on(buffer);
	const struct json *value = NULL;
	cr_assert(recent_events_write(f.store, f.arena, f.project, limit, &out) == RESULT_OK);
	cr_assert(json_parse(f.arena, buffer_slice(buffer), &value, NULL) == RESULT_OK);
	cr_assert(json_is_null(json_get(value, "next_cursor")));
	return json_get(value, "results");
}

static void expect_text(const struct json *event, const char *name, struct slice expected)
{
	struct slice text = json_text(json_get(event, name));
	cr_assert(slice_equal(text, expected), "%s: %.*s", name, (int)text.length, text.data);
}

Test(recent_events, what_was_noted)
{
	cr_assert_eq(json_count(read_events(10)), 0);
	note((struct recent_event){SLICE("01E4"), SLICE("unsubscribed"), SLICE("recorded"), SLICE("jo@example.com"),
	                           1613063089000});
	note((struct recent_event){.status = SLICE("quarantined")});
	const struct json *events = read_events(10);
	cr_assert_eq(json_count(events), 2);
	expect_text(json_at(events, 0), "status", SLICE("quarantined"));
	cr_assert(json_is_null(json_get(json_at(events, 0), "event_id")));
	cr_assert(json_is_null(json_get(json_at(events, 0), "metric")));
	cr_assert(json_is_null(json_get(json_at(events, 0), "recipient")));
	cr_assert(json_is_null(json_get(json_at(events, 0), "made_at")));
	expect_text(json_at(events, 1), "event_id", SLICE("01E4"));
	expect_text(json_at(events, 1), "metric", SLICE("unsubscribed"));
	expect_text(json_at(events, 1), "status", SLICE("recorded"));
	expect_text(json_at(events, 1), "recipient", SLICE("j…@example.com"));
	expect_text(json_at(events, 1), "made_at", SLICE("2021-02-11T17:04:49.000Z"));
	cr_assert(json_is_text(json_get(json_at(events, 1), "received_at")));
	cr_assert_eq(json_count(read_events(1)), 1);
}

static const struct {
	struct slice recipient, masked;
} masks[] = {
	{TEXT("jo@example.com"), TEXT("j…@example.com")},
	{TEXT("j@example.com"), TEXT("j…@example.com")},
	{TEXT("éa@example.com"), TEXT("é…@example.com")},
	{TEXT("@example.com"), TEXT("…@example.com")},
	{TEXT("jo@"), TEXT("j…@")},
	{TEXT("42"), TEXT("4…")},
	{TEXT("😀"), TEXT("😀…")},
	{TEXT("+31612345678"), TEXT("+…")},
};

Test(recent_events, recipients_are_masked)
{
	for (size_t i = 0; i < COUNT_OF(masks); i++) {
		note((struct recent_event){.status = SLICE("recorded"), .recipient = masks[i].recipient});
		expect_text(json_at(read_events(1), 0), "recipient", masks[i].masked);
	}
}

Test(recent_events, long_names_are_cut)
{
	struct slice name = arena_format(f.arena, "%0*d", 100000, 7);
	note((struct recent_event){.status = SLICE("ignored"), .metric = name, .event_id = name});
	const struct json *event = json_at(read_events(1), 0);
	cr_assert_eq(json_text(json_get(event, "metric")).length, 128);
	cr_assert_eq(json_text(json_get(event, "event_id")).length, 128);
}

Test(recent_events, only_so_many_are_kept)
{
	for (int i = 0; i < 1000; i++)
		note((struct recent_event){.status = SLICE("ignored"), .made_at_ms = 1000 + i});
	size_t count = json_count(read_events(1000));
	cr_assert(count >= 200 && count <= 400, "%zu", count);
}

static int64_t notes_taken(struct slice project, int count)
{
	const struct reply *reply;
	for (int i = 0; i < count; i++)
		recent_event_note(f.store, f.arena, project, &(struct recent_event){.status = SLICE("ignored")});
	store_settle(f.store);
	struct key_name stream = project_key(project, "recent");
	cr_assert_eq(store_call(f.store, f.arena, &reply,
	                        ARGUMENTS(SLICE("XINFO"), SLICE("STREAM"), key_slice(&stream))), RESULT_OK);
	for (size_t i = 0; i + 1 < reply_count(reply); i += 2) {
		if (slice_equal(reply_text(reply_at(reply, i)), SLICE("entries-added")))
			return reply_integer(reply_at(reply, i + 1));
	}
	return 0;
}

Test(recent_events, of_a_flood_only_some_are_noted)
{
	int64_t taken = notes_taken(f.project, 5000), of_others = 0;
	cr_assert(taken >= 200 && taken < 1000, "%lld", (long long)taken);
	// One in 64 projects shares the account of this one.
	for (int i = 0; i < 4; i++) {
		struct slice other = arena_format(f.arena, "%.*s-%d", (int)f.project.length, f.project.data, i);
		of_others += notes_taken(other, 50);
	}
	cr_assert(of_others >= 50, "%lld", (long long)of_others);
}

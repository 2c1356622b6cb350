// Counters: what is handed over, and the text that Prometheus reads. The counters of one test have names of its own,
// since all share one hash.
#include "../../support/fixture.h"

#include "base/clock.h"
#include "edge/metrics.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *name_for(struct fixture *fixture, const char *format)
{
	char slug[17];
	snprintf(slug, sizeof(slug), "%.*s", 16, fixture->project.data);
	struct buffer *name = buffer_new(fixture->arena, 4096);
	for (const char *at = format; *at != '\0'; at++) {
		if (*at == '?')
			buffer_append_text(name, slug);
		else
			buffer_append_byte(name, *at);
	}
	buffer_append_byte(name, '\0');
	cr_assert(!buffer_failed(name));
	return name->data;
}

static char *text_of(struct fixture *fixture)
{
	struct buffer *out = buffer_new(fixture->arena, (size_t)16 << 20);
	cr_assert(metrics_write(fixture->store, fixture->arena, out) == RESULT_OK);
	buffer_append_byte(out, '\0');
	return out->data;
}

static bool text_has(struct fixture *fixture, const char *format)
{
	return strstr(text_of(fixture), name_for(fixture, format)) != NULL;
}

static void forget(struct fixture *fixture)
{
	const struct reply *reply = fixture_command(fixture, ARGUMENTS(SLICE("HKEYS"), SLICE("cb:metrics")));
	for (size_t i = 0; i < reply_count(reply); i++) {
		struct slice field = reply_text(reply_at(reply, i));
		if (memmem(field.data, field.length, fixture->project.data, fixture->project.length) != NULL)
			fixture_command(fixture, ARGUMENTS(SLICE("HDEL"), SLICE("cb:metrics"), field));
	}
	fixture_close(fixture);
}

Test(metrics, a_request_shows_whole)
{
	static const char *const lines[] = {
		"ciobridge_requests_total{function=\"?\",status=\"200\"} 1\n",
		"ciobridge_requests_total{function=\"?\",status=\"404\"} 1\n",
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.001\"} 0\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.0025\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.005\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.01\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.025\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.05\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.1\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.25\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"0.5\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"1\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"2.5\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"5\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"10\"} 1\n"
		"ciobridge_request_duration_seconds_bucket{function=\"?\",le=\"+Inf\"} 2\n",
		"ciobridge_request_duration_seconds_sum{function=\"?\"} 12.002500\n",
		"ciobridge_request_duration_seconds_count{function=\"?\"} 2\n",
	};
	struct fixture fixture = fixture_open();
	metrics_request(name_for(&fixture, "?"), 200, 2500);
	metrics_request(name_for(&fixture, "?"), 404, 12000000);
	metrics_flush(fixture.store, fixture.arena, true);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		cr_assert(text_has(&fixture, lines[i]), "%s in\n%s", lines[i], text_of(&fixture));
	forget(&fixture);
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
		count++;
	return count;
}

Test(metrics, a_family_is_introduced_once_and_kept_together)
{
	struct fixture fixture = fixture_open();
	metrics_request(name_for(&fixture, "a?"), 200, 10);
	metrics_request(name_for(&fixture, "b?"), 200, 10);
	metrics_add(name_for(&fixture, "ciobridge_?_total{kind=\"a\"}"), 3);
	metrics_add(name_for(&fixture, "ciobridge_?_total{kind=\"b\"}"), 4);
	metrics_add(name_for(&fixture, "ciobridge_?_other_total"), 5);
	metrics_flush(fixture.store, fixture.arena, true);
	const char *text = text_of(&fixture);
	cr_assert_eq(count_of(text, "# TYPE ciobridge_request_duration_seconds histogram\n"), 1);
	cr_assert_eq(count_of(text, "# HELP ciobridge_request_duration_seconds "), 1);
	cr_assert_eq(count_of(text, "# TYPE ciobridge_requests_total counter\n"), 1);
	cr_assert_eq(count_of(text, "# TYPE ciobridge_request_duration_seconds_"), 0);
	cr_assert(text_has(&fixture, "# TYPE ciobridge_?_total counter\nciobridge_?_total{kind=\"a\"} 3\n"
	                             "ciobridge_?_total{kind=\"b\"} 4\n"));
	cr_assert(text_has(&fixture, "# TYPE ciobridge_?_other_total counter\nciobridge_?_other_total 5\n"));
	forget(&fixture);
}

Test(metrics, processes_add_up)
{
	struct fixture fixture = fixture_open();
	const char *name = name_for(&fixture, "ciobridge_?_total");
	fixture_command(&fixture, ARGUMENTS(SLICE("HINCRBY"), SLICE("cb:metrics"), slice_of(name), SLICE("40")));
	metrics_add(name, 1);
	metrics_add(name, 1);
	metrics_flush(fixture.store, fixture.arena, true);
	metrics_flush(fixture.store, fixture.arena, true);
	cr_assert(text_has(&fixture, "ciobridge_?_total 42\n"));
	forget(&fixture);
}

Test(metrics, handed_over_once_a_second_unless_asked)
{
	struct fixture fixture = fixture_open();
	metrics_flush(fixture.store, fixture.arena, true);
	metrics_add(name_for(&fixture, "ciobridge_?_total"), 1);
	metrics_flush(fixture.store, fixture.arena, false);
	cr_assert(!text_has(&fixture, "ciobridge_?_total"));
	metrics_flush(fixture.store, fixture.arena, true);
	cr_assert(text_has(&fixture, "ciobridge_?_total 1\n"));
	forget(&fixture);
}

Test(metrics, what_redis_did_not_take_is_kept)
{
	struct fixture fixture = fixture_open();
	struct store *dead;
	const char *reason;
	cr_assert(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &dead, &reason) == RESULT_OK);
	metrics_add(name_for(&fixture, "ciobridge_?_total"), 7);
	metrics_flush(dead, fixture.arena, true);
	metrics_flush(fixture.store, fixture.arena, true);
	cr_assert(text_has(&fixture, "ciobridge_?_total 7\n"));
	store_free(dead);
	forget(&fixture);
}

Test(metrics, a_process_holds_256_counters)
{
	struct fixture fixture = fixture_open();
	for (int i = 0; i <= 256; i++) {
		struct slice name = arena_format(fixture.arena, "ciobridge_%s_%03d_total", fixture.project.data, i);
		metrics_add(name.data, 1);
	}
	metrics_flush(fixture.store, fixture.arena, true);
	cr_assert(text_has(&fixture, "ciobridge_?_255_total 1\n"));
	cr_assert(!text_has(&fixture, "ciobridge_?_256_total"));
	forget(&fixture);
}

Test(metrics, a_name_that_is_too_long_is_dropped)
{
	struct fixture fixture = fixture_open();
	const char *longest = arena_format(fixture.arena, "%s%0143d", fixture.project.data, 0).data;
	const char *longer = arena_format(fixture.arena, "%s%0144d", fixture.project.data, 0).data;
	metrics_add(longest, 1);
	metrics_add(longer, 1);
	metrics_flush(fixture.store, fixture.arena, true);
	const char *text = text_of(&fixture);
	cr_assert_eq(count_of(text, arena_format(fixture.arena, "\n%s 1\n", longest).data), 1);
	cr_assert_eq(count_of(text, longer), 0);
	forget(&fixture);
}

Test(metrics, none_can_be_read_without_redis)
{
	struct fixture fixture = fixture_open();
	struct buffer *out = buffer_new(fixture.arena, 4096);
	struct store *dead;
	const char *reason;
	cr_assert(store_new(SLICE("unix:///nowhere/redis.sock"), 0, &dead, &reason) == RESULT_OK);
	cr_assert(metrics_write(dead, fixture.arena, out) == RESULT_UNAVAILABLE);
	store_free(dead);
	fixture_close(&fixture);
}

#include "base/log.h"

#include "base/clock.h"
#include "codec/json.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static int standard_error;
static struct arena *arena;

// Each test runs in a process of its own, so standard error can be turned into a pipe and left so.
static void catch_log(void)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	standard_error = ends[0];
	arena = arena_new(1 << 20);
}

static void end_catch(void)
{
	close(STDERR_FILENO);
	close(standard_error);
	arena_free(arena);
}

TestSuite(log, .init = catch_log, .fini = end_catch);

// All that was written so far, followed by one byte of our own so that an empty pipe is no wait.
static struct slice read_log(void)
{
	static char bytes[65536];

	cr_assert_eq(write(STDERR_FILENO, "", 1), 1);
	ssize_t length = read(standard_error, bytes, sizeof(bytes));
	cr_assert_geq(length, 1);
	return (struct slice){bytes, (size_t)length - 1};
}

static const struct json *read_line(void)
{
	struct slice line = read_log();
	const struct json *value = NULL;

	cr_assert_leq(line.length, 4096);
	cr_assert_gt(line.length, 0);
	cr_assert_eq(line.data[line.length - 1], '\n');
	line.length--;
	cr_assert_not(slice_contains(line, '\n'));
	cr_assert_eq(json_parse(arena, line, &value, NULL), RESULT_OK, "%.*s", (int)line.length, line.data);
	return value;
}

static void assert_member(const struct json *line, const char *name, const char *text)
{
	cr_assert(slice_equal(json_text(json_get(line, name)), slice_of(text)), "%s", name);
}

Test(log, writes_one_object_a_line)
{
	log_open(LOG_INFO, "webhook");
	LOG(LOG_WARNING, "store \"lost\"", {"reason", SLICE("a\nb\xff")}, {NULL, {NULL, 0}}, {"left", SLICE("7")});
	const struct json *line = read_line();
	int64_t written;

	cr_assert_eq(json_count(line), 6);
	assert_member(line, "level", "warning");
	assert_member(line, "function", "webhook");
	assert_member(line, "message", "store \"lost\"");
	assert_member(line, "reason", "a\nb\xef\xbf\xbd");
	assert_member(line, "left", "7");
	cr_assert(clock_parse(json_text(json_get(line, "time")), &written));
	cr_assert_lt(clock_now_ms() - written, 60000);
}

Test(log, works_without_fields_and_before_it_is_opened)
{
	LOG(LOG_DEBUG, "dropped");
	LOG(LOG_INFO, "kept");
	const struct json *line = read_line();

	cr_assert_eq(json_count(line), 4);
	assert_member(line, "function", "ciobridge");
	assert_member(line, "message", "kept");
}

Test(log, drops_lines_below_its_level)
{
	log_open(LOG_ERROR, "webhook");
	LOG(LOG_WARNING, "dropped");
	cr_assert(slice_is_empty(read_log()));
	LOG(LOG_ERROR, "kept");
	assert_member(read_line(), "level", "error");
	log_open(LOG_DEBUG, "webhook");
	LOG(LOG_DEBUG, "kept");
	assert_member(read_line(), "level", "debug");
}

Test(log, leaves_out_what_is_beyond_the_sixteenth_field)
{
	struct log_field fields[20];

	for (size_t i = 0; i < COUNT_OF(fields); i++)
		fields[i] = (struct log_field){arena_format(arena, "field%zu", i).data, SLICE("x")};
	log_write(LOG_INFO, "many", fields, COUNT_OF(fields));
	const struct json *line = read_line();

	cr_assert_eq(json_count(line), 4 + 16);
	assert_member(line, "field15", "x");
	cr_assert_null(json_get(line, "field16"));
}

Test(log, leaves_out_whole_fields_that_do_not_fit)
{
	static char large[4096];

	memset(large, 'x', sizeof(large));
	LOG(LOG_INFO, "full", {"large", ((struct slice){large, sizeof(large)})}, {"small", SLICE("kept")});
	const struct json *line = read_line();

	cr_assert_null(json_get(line, "large"));
	cr_assert_eq(json_count(line), 5);
	assert_member(line, "message", "full");
	assert_member(line, "small", "kept");
}

Test(log, fills_a_line_to_4096_bytes)
{
	static char large[4096];
	size_t longest = 0;

	memset(large, 'x', sizeof(large));
	for (size_t length = 3800; length < sizeof(large); length++) {
		LOG(LOG_INFO, "full", {"large", ((struct slice){large, length})});
		struct slice line = read_log();

		cr_assert_leq(line.length, 4096);
		cr_assert(slice_equal(slice_from(line, line.length - 2), SLICE("}\n")));
		if (line.length > longest)
			longest = line.length;
	}
	cr_assert_eq(longest, 4096);
}

Test(log, cuts_a_message_and_a_name_that_are_too_long)
{
	static char message[10000];

	memset(message, '\x01', sizeof(message) - 1);
	log_open(LOG_INFO, message);
	LOG(LOG_INFO, message, {"small", SLICE("kept")});
	const struct json *line = read_line();

	cr_assert_eq(json_text(json_get(line, "message")).length, 512);
	cr_assert_eq(json_text(json_get(line, "function")).length, 63);
	assert_member(line, "small", "kept");
}

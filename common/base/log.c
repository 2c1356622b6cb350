#include "base/log.h"

#include "base/buffer.h"
#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_SIZE 4096
#define LOG_FIELDS 16
#define LOG_MESSAGE_SIZE 512 // a byte becomes six at most, so time, level, function and message always fit
#define LOG_FUNCTION_SIZE 64

static enum log_level log_level = LOG_INFO;
static char log_function[LOG_FUNCTION_SIZE] = "ciobridge";

void log_open(enum log_level level, const char *function)
{
	log_level = level;
	snprintf(log_function, sizeof(log_function), "%s", function);
}

static const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {
		[LOG_DEBUG] = "debug",
		[LOG_INFO] = "info",
		[LOG_WARNING] = "warning",
		[LOG_ERROR] = "error",
	};

	return names[level];
}

// All of the member or nothing of it, so that a full line is still JSON.
static void log_append_member(struct buffer *line, const char *name, struct slice value)
{
	size_t before = line->length;

	buffer_append_byte(line, before == 0 ? '{' : ',');
	buffer_append_quoted(line, slice_of(name));
	buffer_append_byte(line, ':');
	buffer_append_quoted(line, value);
	if (!buffer_failed(line))
		return;
	buffer_clear(line);
	line->length = before;
}

static void log_append_fields(struct buffer *line, const struct log_field *fields, size_t count)
{
	size_t written = 0;

	for (size_t i = 0; i < count && written < LOG_FIELDS; i++) {
		if (fields[i].name == NULL)
			continue;
		log_append_member(line, fields[i].name, fields[i].value);
		written++;
	}
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
	static const struct slice end = {"}\n", 2};
	char bytes[LOG_LINE_SIZE], time[CLOCK_TEXT_SIZE];
	struct buffer line = {.data = bytes, .capacity = sizeof(bytes), .limit = sizeof(bytes) - end.length};
	struct slice text = slice_of(message);

	if (level < log_level)
		return;
	if (text.length > LOG_MESSAGE_SIZE)
		text.length = LOG_MESSAGE_SIZE;
	log_append_member(&line, "time", clock_write(clock_now_ms(), time));
	log_append_member(&line, "level", slice_of(log_level_name(level)));
	log_append_member(&line, "function", slice_of(log_function));
	log_append_member(&line, "message", text);
	log_append_fields(&line, fields, count);
	line.limit = sizeof(bytes);
	buffer_append(&line, end);
	// A log that cannot be written has nowhere to say so.
	ssize_t written = write(STDERR_FILENO, line.data, line.length);
	(void)written;
}

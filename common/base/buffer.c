#include "base/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST_CAPACITY 256

static void buffer_release(void *object)
{
	struct buffer *buffer = object;

	free(buffer->data);
	buffer->data = NULL;
}

struct buffer *buffer_new(struct arena *arena, size_t limit)
{
	struct buffer *buffer = arena_alloc(arena, sizeof(*buffer));

	if (buffer == NULL || !arena_defer(arena, buffer_release, buffer))
		return NULL;
	buffer->limit = limit;
	buffer->arena = arena;
	return buffer;
}

static bool buffer_grow(struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < BUFFER_FIRST_CAPACITY ? BUFFER_FIRST_CAPACITY : buffer->capacity;

	while (capacity < needed)
		capacity = capacity > buffer->limit / 2 ? buffer->limit : capacity * 2;
	char *data = realloc(buffer->data, capacity);
	if (data == NULL && buffer->arena != NULL)
		arena_fail(buffer->arena);
	if (data == NULL)
		return false;
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
	if (buffer->failed)
		return NULL;
	buffer->failed = size > buffer->limit - buffer->length;
	if (buffer->failed)
		return NULL;
	size_t needed = buffer->length + size;
	if (buffer->data == NULL || needed > buffer->capacity)
		buffer->failed = !buffer_grow(buffer, needed);
	return buffer->failed ? NULL : buffer->data + buffer->length;
}

void buffer_append(struct buffer *buffer, struct slice bytes)
{
	if (bytes.length == 0)
		return;
	char *room = buffer_reserve(buffer, bytes.length);
	if (room == NULL)
		return;
	memcpy(room, bytes.data, bytes.length);
	buffer->length += bytes.length;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, slice_of(text));
}

void buffer_append_byte(struct buffer *buffer, char byte)
{
	buffer_append(buffer, (struct slice){&byte, 1});
}

void buffer_append_integer(struct buffer *buffer, int64_t value)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%" PRId64, value);

	buffer_append(buffer, (struct slice){text, (size_t)length});
}

// How many bytes at the start may stand in a JSON string as they are.
static size_t buffer_count_plain(struct slice text)
{
	size_t plain = 0;

	while (plain < text.length) {
		unsigned char byte = (unsigned char)text.data[plain];

		if (byte < 0x20 || byte == '"' || byte == '\\')
			break;
		size_t length = byte < 0x80 ? 1 : slice_utf8_length(slice_from(text, plain));
		if (length == 0)
			break;
		plain += length;
	}
	return plain;
}

static void buffer_append_escaped(struct buffer *buffer, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = byte == 0 ? NULL : strchr(named, byte);

	if (byte >= 0x80)
		buffer_append(buffer, SLICE("\xef\xbf\xbd")); // U+FFFD
	else if (found != NULL)
		buffer_append(buffer, (struct slice){(char[]){'\\', letters[found - named]}, 2});
	else
		buffer_append(buffer, (struct slice){(char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6});
}

void buffer_append_quoted(struct buffer *buffer, struct slice text)
{
	size_t before = buffer->length;

	buffer_append_byte(buffer, '"');
	while (text.length > 0 && !buffer->failed) {
		size_t plain = buffer_count_plain(text);

		buffer_append(buffer, (struct slice){text.data, plain});
		text = slice_from(text, plain);
		if (text.length > 0) {
			buffer_append_escaped(buffer, (unsigned char)text.data[0]);
			text = slice_from(text, 1);
		}
	}
	buffer_append_byte(buffer, '"');
	if (buffer->failed)
		buffer->length = before;
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = false;
}

bool buffer_failed(const struct buffer *buffer)
{
	return buffer->failed;
}

struct slice buffer_slice(const struct buffer *buffer)
{
	return (struct slice){buffer->data == NULL ? "" : buffer->data, buffer->length};
}

// A growing run of bytes that has a maximum from its birth. A failed append (over the limit, no memory)
// sticks: later appends do nothing, and buffer_failed tells once at the end. It never holds half an append.
#ifndef CIOBRIDGE_BASE_BUFFER_H
#define CIOBRIDGE_BASE_BUFFER_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *data;
	size_t length, capacity;
	size_t limit; // bytes
	bool failed;
	struct arena *arena; // told by arena_fail when there is no memory; may be NULL
};

// An empty buffer that may grow to `limit` bytes and is freed with the arena. NULL without memory.
struct buffer *buffer_new(struct arena *arena, size_t limit);

// Adds bytes, a NUL-terminated text, one byte, or a number in decimal.
void buffer_append(struct buffer *buffer, struct slice bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_append_integer(struct buffer *buffer, int64_t value);

// The bytes as a JSON string with its quotes (RFC 8259 section 7). Bytes that are not UTF-8 become U+FFFD,
// so the result is always valid JSON.
void buffer_append_quoted(struct buffer *buffer, struct slice text);

// Makes room for `size` more bytes and returns where they go; the caller then adds what it wrote to length.
// NULL (and failed) when over the limit or without memory.
char *buffer_reserve(struct buffer *buffer, size_t size);

// Empties the buffer and forgets a failure; keeps its memory.
void buffer_clear(struct buffer *buffer);

// Did an append fail, and what is in it. The bytes are good until the next append.
bool buffer_failed(const struct buffer *buffer);
struct slice buffer_slice(const struct buffer *buffer);

#endif

// JSON (RFC 8259): a strict reader over jansson and a writer into a buffer. No I/O.
//
// The reader refuses everything that two parsers could understand differently: duplicate members, bytes that are
// not UTF-8, lone surrogates, "\u0000" in a string, numbers that do not fit (integers beyond 2^63, 1e400), more
// than 2048 levels, anything behind the value.
#ifndef CIOBRIDGE_CODEC_JSON_H
#define CIOBRIDGE_CODEC_JSON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct json; // a value that has been read; lives as long as the arena it was read into

// Reads one value. RESULT_MALFORMED when the bytes are not JSON as above; *reason (when not NULL) then says what
// and where in the arena's memory, without quoting the input. RESULT_NO_MEMORY. The caller limits the length.
enum result json_parse(struct arena *arena, struct slice text, const struct json **value, struct slice *reason);

// What a value is. NULL, the absence of a value, is none of them, so look-ups can be nested without checks.
bool json_is_object(const struct json *value);
bool json_is_array(const struct json *value);
bool json_is_text(const struct json *value);
bool json_is_boolean(const struct json *value);
bool json_is_null(const struct json *value);
bool json_is_true(const struct json *value);
bool json_is_false(const struct json *value);
bool json_is_integer(const struct json *value);

// The member of an object; NULL when there is none or the value is no object.
const struct json *json_get(const struct json *object, const char *name);

// The number of elements of an array or members of an object; 0 for anything else.
size_t json_count(const struct json *value);

// Element `index` of an array; NULL past its end or when it is no array.
const struct json *json_at(const struct json *array, size_t index);

// Walks an object's members: start with *cursor NULL; false after the last one. The name lives as long as the value.
bool json_next(const struct json *object, void **cursor, struct slice *name, const struct json **value);

// The bytes of a string; the empty slice for anything else.
struct slice json_text(const struct json *value);

// Any JSON number that is a whole number within [minimum, maximum] ("7", "7.0", "7e0"). False otherwise; *number is
// then untouched.
bool json_to_integer(const struct json *value, int64_t minimum, int64_t maximum, int64_t *number);

// Writing. Commas and quotes are placed by the writer; failures stick in the buffer (base/buffer.h), so only the end
// needs a look at buffer_failed. At most 32 levels.
struct json_writer {
	struct buffer *buffer;
	int depth;
	bool has_value[33];
	bool after_key;
};

struct json_writer json_writer_on(struct buffer *buffer);
void json_open_object(struct json_writer *writer);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer);
void json_close_array(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *name);
void json_write_text(struct json_writer *writer, struct slice text); // data NULL writes null
void json_write_integer(struct json_writer *writer, int64_t number);
void json_write_boolean(struct json_writer *writer, bool boolean);
void json_write_null(struct json_writer *writer);
void json_write_time(struct json_writer *writer, int64_t ms); // RFC 3339; 0 writes null
void json_write_raw(struct json_writer *writer, struct slice json); // already JSON
void json_write_value(struct json_writer *writer, const struct json *value); // a value that was read; NULL: null

// Key and value in one call.
void json_member_text(struct json_writer *writer, const char *name, struct slice text);
void json_member_integer(struct json_writer *writer, const char *name, int64_t number);
void json_member_boolean(struct json_writer *writer, const char *name, bool boolean);
void json_member_time(struct json_writer *writer, const char *name, int64_t ms);

#endif

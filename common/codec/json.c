#include "codec/json.h"

#include "base/clock.h"

#include <jansson.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// jansson names macros like our functions.
#undef json_is_object
#undef json_is_array
#undef json_is_boolean
#undef json_is_null
#undef json_is_true
#undef json_is_false
#undef json_is_integer

// struct json is never defined: a value is jansson's json_t under another name.
static json_t *json_inside(const struct json *value)
{
	return (json_t *)value;
}

static void json_release(void *root)
{
	json_decref(root);
}

// jansson does not survive all of its failed allocations: where a string does not find room to grow, it goes on without
// one of its bytes, and ends the process when that was part of an escape. So reading is left by a jump, and what had
// been read by then is given back from a list of all that is in jansson's hands.
struct json_piece {
	struct json_piece *next, *previous;
	max_align_t bytes[];
};

static _Thread_local struct json_piece *json_pieces;
static _Thread_local jmp_buf *json_way_out; // NULL: nothing is being read

static void *json_allocate(size_t size)
{
	struct json_piece *piece = malloc(sizeof(*piece) + size);

	if (piece == NULL && json_way_out != NULL)
		longjmp(*json_way_out, 1);
	if (piece == NULL)
		return NULL;
	*piece = (struct json_piece){.next = json_pieces};
	if (json_pieces != NULL)
		json_pieces->previous = piece;
	json_pieces = piece;
	return piece->bytes;
}

static void json_give_back(void *memory)
{
	if (memory == NULL)
		return;
	struct json_piece *piece = (struct json_piece *)((char *)memory - offsetof(struct json_piece, bytes));
	if (piece->next != NULL)
		piece->next->previous = piece->previous;
	if (piece->previous != NULL)
		piece->previous->next = piece->next;
	else
		json_pieces = piece->next;
	free(piece);
}

// RESULT_MALFORMED leaves *root NULL.
static enum result json_load(struct slice text, json_t **root, json_error_t *error)
{
	struct json_piece *const before = json_pieces;
	jmp_buf way_out;

	json_set_alloc_funcs(json_allocate, json_give_back);
	json_way_out = &way_out;
	if (setjmp(way_out) == 0) {
		*root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
		json_way_out = NULL;
		return *root != NULL ? RESULT_OK : RESULT_MALFORMED;
	}
	json_way_out = NULL;
	while (json_pieces != before)
		json_give_back(json_pieces->bytes);
	return RESULT_NO_MEMORY;
}

// Not jansson's own text, which quotes the input: reasons are logged and answered.
static const char *json_fault_name(enum json_error_code code)
{
	switch (code) {
	case json_error_duplicate_key:
		return "duplicate member";
	case json_error_invalid_utf8:
		return "not UTF-8";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "NUL in a string";
	case json_error_numeric_overflow:
		return "number out of range";
	case json_error_stack_overflow:
		return "nested too deeply";
	case json_error_end_of_input_expected:
		return "something behind the value";
	case json_error_premature_end_of_input:
		return "cut short";
	default:
		return "not JSON";
	}
}

static enum result json_refuse(struct arena *arena, const char *fault, int position, struct slice *reason)
{
	if (reason != NULL)
		*reason = arena_format(arena, "%s at byte %d", fault, position);
	return RESULT_MALFORMED;
}

enum result json_parse(struct arena *arena, struct slice text, const struct json **value, struct slice *reason)
{
	json_error_t error;
	json_t *root = NULL;
	const char *bytes = text.data == NULL ? "" : text.data;
	const char *nul = memchr(bytes, '\0', text.length);

	// It is in no JSON, but jansson passes over one behind a number or a literal.
	if (nul != NULL)
		return json_refuse(arena, "NUL", (int)(nul - bytes) + 1, reason);
	enum result result = json_load((struct slice){bytes, text.length}, &root, &error);
	if (result == RESULT_NO_MEMORY)
		arena_fail(arena);
	if (result == RESULT_MALFORMED)
		return json_refuse(arena, json_fault_name(json_error_code(&error)), error.position, reason);
	TRY(result);
	if (!arena_defer(arena, json_release, root))
		return RESULT_NO_MEMORY;
	*value = (const struct json *)root;
	return RESULT_OK;
}

static bool json_has_type(const struct json *value, json_type type)
{
	return value != NULL && json_typeof(json_inside(value)) == type;
}

bool json_is_object(const struct json *value)
{
	return json_has_type(value, JSON_OBJECT);
}

bool json_is_array(const struct json *value)
{
	return json_has_type(value, JSON_ARRAY);
}

bool json_is_text(const struct json *value)
{
	return json_has_type(value, JSON_STRING);
}

bool json_is_boolean(const struct json *value)
{
	return json_is_true(value) || json_is_false(value);
}

bool json_is_null(const struct json *value)
{
	return json_has_type(value, JSON_NULL);
}

bool json_is_true(const struct json *value)
{
	return json_has_type(value, JSON_TRUE);
}

bool json_is_false(const struct json *value)
{
	return json_has_type(value, JSON_FALSE);
}

bool json_is_integer(const struct json *value)
{
	return json_has_type(value, JSON_INTEGER);
}

const struct json *json_get(const struct json *object, const char *name)
{
	return (const struct json *)json_object_get(json_inside(object), name);
}

size_t json_count(const struct json *value)
{
	return json_is_array(value) ? json_array_size(json_inside(value)) : json_object_size(json_inside(value));
}

const struct json *json_at(const struct json *array, size_t index)
{
	return (const struct json *)json_array_get(json_inside(array), index);
}

bool json_next(const struct json *object, void **cursor, struct slice *name, const struct json **value)
{
	json_t *inside = json_inside(object);

	*cursor = *cursor == NULL ? json_object_iter(inside) : json_object_iter_next(inside, *cursor);
	if (*cursor == NULL)
		return false;
	*name = slice_of(json_object_iter_key(*cursor));
	*value = (const struct json *)json_object_iter_value(*cursor);
	return true;
}

struct slice json_text(const struct json *value)
{
	if (!json_is_text(value))
		return SLICE("");
	return (struct slice){json_string_value(json_inside(value)), json_string_length(json_inside(value))};
}

static bool json_real_to_integer(double real, int64_t *number)
{
	// 2^63 is a double, the largest int64_t is not; a cast of anything outside would be undefined.
	if (!(real >= -0x1p63 && real < 0x1p63) || (double)(int64_t)real != real)
		return false;
	*number = (int64_t)real;
	return true;
}

bool json_to_integer(const struct json *value, int64_t minimum, int64_t maximum, int64_t *number)
{
	int64_t whole;

	if (json_is_integer(value))
		whole = json_integer_value(json_inside(value));
	else if (!json_has_type(value, JSON_REAL) || !json_real_to_integer(json_real_value(json_inside(value)), &whole))
		return false;
	if (whole < minimum || whole > maximum)
		return false;
	*number = whole;
	return true;
}

struct json_writer json_writer_on(struct buffer *buffer)
{
	return (struct json_writer){.buffer = buffer};
}

static void json_begin_value(struct json_writer *writer)
{
	if (writer->has_value[writer->depth] && !writer->after_key)
		buffer_append_byte(writer->buffer, ',');
	writer->has_value[writer->depth] = true;
	writer->after_key = false;
}

static void json_open(struct json_writer *writer, char bracket)
{
	json_begin_value(writer);
	buffer_append_byte(writer->buffer, bracket);
	if (writer->depth + 1 == (int)COUNT_OF(writer->has_value)) {
		writer->buffer->failed = true;
		return;
	}
	writer->has_value[++writer->depth] = false;
}

static void json_close(struct json_writer *writer, char bracket)
{
	// Depth stays put once a level too many was opened; the buffer has failed by then.
	if (writer->depth > 0)
		writer->depth--;
	else
		writer->buffer->failed = true;
	buffer_append_byte(writer->buffer, bracket);
}

void json_open_object(struct json_writer *writer)
{
	json_open(writer, '{');
}

void json_close_object(struct json_writer *writer)
{
	json_close(writer, '}');
}

void json_open_array(struct json_writer *writer)
{
	json_open(writer, '[');
}

void json_close_array(struct json_writer *writer)
{
	json_close(writer, ']');
}

void json_key(struct json_writer *writer, const char *name)
{
	json_begin_value(writer);
	buffer_append_quoted(writer->buffer, slice_of(name));
	buffer_append_byte(writer->buffer, ':');
	writer->after_key = true;
}

void json_write_raw(struct json_writer *writer, struct slice json)
{
	json_begin_value(writer);
	buffer_append(writer->buffer, json);
}

void json_write_null(struct json_writer *writer)
{
	json_write_raw(writer, SLICE("null"));
}

void json_write_text(struct json_writer *writer, struct slice text)
{
	if (text.data == NULL) {
		json_write_null(writer);
		return;
	}
	json_begin_value(writer);
	buffer_append_quoted(writer->buffer, text);
}

void json_write_integer(struct json_writer *writer, int64_t number)
{
	json_begin_value(writer);
	buffer_append_integer(writer->buffer, number);
}

void json_write_boolean(struct json_writer *writer, bool boolean)
{
	json_write_raw(writer, boolean ? SLICE("true") : SLICE("false"));
}

void json_write_time(struct json_writer *writer, int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (ms == 0)
		json_write_null(writer);
	else
		json_write_text(writer, clock_write(ms, text));
}

static int json_take_piece(const char *bytes, size_t length, void *buffer)
{
	buffer_append(buffer, (struct slice){bytes, length});
	return buffer_failed(buffer) ? -1 : 0;
}

void json_write_value(struct json_writer *writer, const struct json *value)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;

	if (value == NULL) {
		json_write_null(writer);
		return;
	}
	json_begin_value(writer);
	if (json_dump_callback(json_inside(value), json_take_piece, writer->buffer, flags) != 0)
		writer->buffer->failed = true;
}

void json_member_text(struct json_writer *writer, const char *name, struct slice text)
{
	json_key(writer, name);
	json_write_text(writer, text);
}

void json_member_integer(struct json_writer *writer, const char *name, int64_t number)
{
	json_key(writer, name);
	json_write_integer(writer, number);
}

void json_member_boolean(struct json_writer *writer, const char *name, bool boolean)
{
	json_key(writer, name);
	json_write_boolean(writer, boolean);
}

void json_member_time(struct json_writer *writer, const char *name, int64_t ms)
{
	json_key(writer, name);
	json_write_time(writer, ms);
}

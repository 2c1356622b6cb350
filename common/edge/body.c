#include "edge/body.h"

#include "edge/field.h"

#define BODY_CHUNK 16384 // bytes read at once

static enum result body_refuse_size(struct request *request)
{
	struct slice detail = arena_format(request->arena, "The body may have at most %zu bytes.",
	                                   request->endpoint->body_limit);

	return refuse(request, RESULT_TOO_LARGE, detail.data);
}

enum result request_read(struct request *request, char *bytes, size_t capacity, size_t *length)
{
	size_t got = 0;
	enum result result = request->read(request->source, bytes, capacity, &got);

	if (result == RESULT_MALFORMED)
		return refuse(request, result, "The body does not end where it should.");
	TRY(result);
	request->body_length += got;
	if (request->body_length > request->endpoint->body_limit)
		return body_refuse_size(request);
	*length = got;
	return RESULT_OK;
}

// What says beforehand that it is too large is not read at all.
static bool body_is_declared_too_large(const struct request *request)
{
	int64_t declared;

	return slice_to_integer(request_header(request, "CONTENT_LENGTH"), 0, INT64_MAX, &declared) &&
	       (uint64_t)declared > request->endpoint->body_limit;
}

static enum result body_check_absent(struct request *request)
{
	size_t length = 0;
	char byte;

	TRY(request->read(request->source, &byte, 1, &length));
	return length == 0 ? RESULT_OK : refuse(request, RESULT_MALFORMED, "This takes no body.");
}

static enum result body_read(struct request *request, struct slice *bytes)
{
	struct buffer *buffer = buffer_new(request->arena, request->endpoint->body_limit + BODY_CHUNK);
	size_t length;

	if (buffer == NULL)
		return RESULT_NO_MEMORY;
	do {
		char *room = buffer_reserve(buffer, BODY_CHUNK);

		if (room == NULL)
			return RESULT_NO_MEMORY;
		TRY(request_read(request, room, BODY_CHUNK, &length));
		buffer->length += length;
	} while (length > 0);
	*bytes = buffer_slice(buffer);
	return RESULT_OK;
}

static bool body_is_json_type(struct slice content_type)
{
	return slice_equal_ignoring_case(slice_trim(slice_split(&content_type, ';')), SLICE("application/json"));
}

static void body_check_members(struct request *request)
{
	const struct endpoint *endpoint = request->endpoint;
	const struct json *value;
	struct slice name;
	void *cursor = NULL;

	while (json_next(request->body, &cursor, &name, &value)) {
		const struct field *field = field_find(endpoint->fields, endpoint->field_count, name);

		if (field != NULL)
			field_check_value(request, field, value);
		else
			field_refuse_unknown(request, name);
	}
	for (size_t i = 0; i < endpoint->field_count; i++) {
		const struct field *field = &endpoint->fields[i];

		if (field->required && json_get(request->body, field->name) == NULL)
			refuse_field(request, field->name, "is missing");
	}
}

static enum result body_parse(struct request *request, struct slice bytes)
{
	struct slice reason = {NULL, 0};
	enum result result = json_parse(request->arena, bytes, &request->body, &reason);

	if (result == RESULT_MALFORMED && reason.data != NULL) {
		struct slice detail = arena_format(request->arena, "The body is not valid JSON: %.*s.",
		                                   (int)reason.length, reason.data);
		return refuse(request, result, detail.data);
	}
	TRY(result);
	if (!json_is_object(request->body))
		return refuse(request, RESULT_INVALID, "The body has to be a JSON object.");
	return RESULT_OK;
}

static enum result body_check_json(struct request *request)
{
	struct slice bytes;

	TRY(body_read(request, &bytes));
	if (bytes.length > 0 && !body_is_json_type(request_header(request, "CONTENT_TYPE")))
		return RESULT_UNSUPPORTED_TYPE;
	TRY(body_parse(request, bytes.length > 0 ? bytes : SLICE("{}")));
	body_check_members(request);
	return RESULT_OK;
}

enum result body_check(struct request *request)
{
	if (request->endpoint->body == BODY_NONE)
		return body_check_absent(request);
	if (body_is_declared_too_large(request))
		return body_refuse_size(request);
	return request->endpoint->body == BODY_JSON ? body_check_json(request) : RESULT_OK;
}

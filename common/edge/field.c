#include "edge/field.h"

#include <inttypes.h>

#define NAME_SHOWN 64 // bytes of a name that a request made up

const struct field *field_find(const struct field *fields, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++) {
		if (slice_equal(slice_of(fields[i].name), name))
			return &fields[i];
	}
	return NULL;
}

// A message that was to be formatted and had no memory is replaced by a general one.
static void field_refuse(struct request *request, const struct field *field, struct slice message)
{
	refuse_field(request, field->name, message.data != NULL ? message.data : "is wrong");
}

static bool field_has_control(struct slice text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.data[i];

		if (byte < 0x20 || byte == 0x7f)
			return true;
	}
	return false;
}

static void field_check_text(struct request *request, const struct field *field, struct slice text)
{
	int64_t length = (int64_t)text.length;

	if (!slice_is_utf8(text) || field_has_control(text))
		field_refuse(request, field, SLICE("has to be UTF-8 without control characters"));
	else if (length == 0 && field->minimum > 0)
		field_refuse(request, field, SLICE("must not be empty"));
	else if (length < field->minimum)
		field_refuse(request, field,
		             arena_format(request->arena, "needs at least %" PRId64 " bytes", field->minimum));
	else if (length > field->maximum)
		field_refuse(request, field,
		             arena_format(request->arena, "may have at most %" PRId64 " bytes", field->maximum));
}

static void field_check_choice(struct request *request, const struct field *field, struct slice text)
{
	struct slice choices = slice_of(field->choices);

	while (choices.data != NULL && text.length > 0) {
		if (slice_equal(slice_split(&choices, ' '), text))
			return;
	}
	field_refuse(request, field, arena_format(request->arena, "has to be one of: %s", field->choices));
}

static void field_refuse_integer(struct request *request, const struct field *field)
{
	field_refuse(request, field,
	             arena_format(request->arena, "has to be a whole number from %" PRId64 " to %" PRId64,
	                          field->minimum, field->maximum));
}

static void field_check_list(struct request *request, const struct field *field, const struct json *value)
{
	if (!json_is_array(value))
		field_refuse(request, field, SLICE("has to be a list"));
	else if ((int64_t)json_count(value) > field->maximum)
		field_refuse(request, field,
		             arena_format(request->arena, "may have at most %" PRId64 " elements", field->maximum));
}

void field_check_value(struct request *request, const struct field *field, const struct json *value)
{
	int64_t number;

	switch (field->type) {
	case FIELD_TEXT:
		if (json_is_text(value))
			field_check_text(request, field, json_text(value));
		else
			field_refuse(request, field, SLICE("has to be text"));
		break;
	case FIELD_CHOICE:
		field_check_choice(request, field, json_text(value));
		break;
	case FIELD_BOOLEAN:
		if (!json_is_boolean(value))
			field_refuse(request, field, SLICE("has to be true or false"));
		break;
	case FIELD_INTEGER:
		if (!json_to_integer(value, field->minimum, field->maximum, &number))
			field_refuse_integer(request, field);
		break;
	case FIELD_RECIPIENT:
		if (!json_is_text(value))
			field_refuse(request, field, SLICE("has to be text"));
		break;
	case FIELD_LIST:
		field_check_list(request, field, value);
		break;
	case FIELD_ANY:
		break;
	}
}

static bool field_is_boolean_text(struct slice text)
{
	return slice_equal(text, SLICE("true")) || slice_equal(text, SLICE("false")) ||
	       slice_equal(text, SLICE("1")) || slice_equal(text, SLICE("0"));
}

void field_check_query(struct request *request, const struct field *field, struct slice text)
{
	int64_t number;

	switch (field->type) {
	case FIELD_TEXT:
		field_check_text(request, field, text);
		break;
	case FIELD_CHOICE:
		field_check_choice(request, field, text);
		break;
	case FIELD_BOOLEAN:
		if (!field_is_boolean_text(text))
			field_refuse(request, field, SLICE("has to be true or false"));
		break;
	case FIELD_INTEGER:
		if (!slice_to_integer(text, field->minimum, field->maximum, &number))
			field_refuse_integer(request, field);
		break;
	case FIELD_RECIPIENT:
	case FIELD_LIST:
	case FIELD_ANY:
		if (!slice_is_utf8(text))
			field_refuse(request, field, SLICE("has to be UTF-8"));
		break;
	}
}

static struct slice field_name_shown(struct slice name)
{
	size_t shown = 0;

	if (!slice_is_utf8(name))
		return SLICE("");
	while (shown < name.length) {
		size_t length = slice_utf8_length(slice_from(name, shown));

		if (length == 0 || shown + length > NAME_SHOWN)
			break;
		shown += length;
	}
	return (struct slice){name.data, shown};
}

void field_refuse_unknown(struct request *request, struct slice name)
{
	struct slice shown = arena_copy(request->arena, field_name_shown(name));

	refuse_field(request, shown.data != NULL ? shown.data : "", "is unknown");
}

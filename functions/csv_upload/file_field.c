#include "file_field.h"

#include "codec/multipart.h"

#define FILE_FIELD_NAME SLICE("csv_file")

struct file_field {
	struct request *request;
	struct multipart *multipart;
	bool is_within, was_seen;
};

static bool file_field_is_announced(struct slice content_type)
{
	struct slice family = SLICE("multipart/");
	if (content_type.length > family.length)
		content_type.length = family.length;
	return slice_equal_ignoring_case(content_type, family);
}

enum result file_field_open(struct request *request, struct file_field **opened)
{
	struct slice type = request_header(request, "CONTENT_TYPE");
	*opened = NULL;
	if (!file_field_is_announced(type))
		return RESULT_OK;
	struct file_field *field = arena_alloc(request->arena, sizeof(*field));
	if (field == NULL)
		return RESULT_NO_MEMORY;
	field->request = request;
	enum result result = multipart_open(request->arena, type, &field->multipart);
	if (result == RESULT_UNSUPPORTED_TYPE)
		return refuse(request, result, "The body has to be a file or multipart/form-data.");
	if (result == RESULT_MALFORMED)
		return refuse(request, result, "The Content-Type has no good boundary.");
	TRY(result);
	*opened = field;
	return RESULT_OK;
}

void file_field_feed(struct file_field *field, struct slice piece)
{
	if (slice_is_empty(piece))
		multipart_finish(field->multipart);
	else
		multipart_feed(field->multipart, piece);
}

static enum result file_field_next_event(struct file_field *field, struct multipart_event *event)
{
	enum result result = multipart_next(field->multipart, event);
	if (result == RESULT_OK || result == RESULT_NO_MEMORY)
		return result;
	struct slice detail = arena_format(field->request->arena, "The multipart body cannot be read: %s.",
	                                   multipart_fault(field->multipart));
	return refuse(field->request, result, detail.data);
}

static enum result file_field_begin_part(struct file_field *field, struct slice name)
{
	field->is_within = slice_equal(name, FILE_FIELD_NAME);
	if (field->is_within && field->was_seen)
		return refuse(field->request, RESULT_INVALID, "The field csv_file is there twice.");
	field->was_seen |= field->is_within;
	return RESULT_OK;
}

static enum result file_field_end(const struct file_field *field, bool cut)
{
	if (cut)
		return refuse(field->request, RESULT_MALFORMED, "The multipart body has no last boundary.");
	if (!field->was_seen)
		return refuse(field->request, RESULT_INVALID, "The multipart body has no field csv_file.");
	return RESULT_OK;
}

enum result file_field_next(struct file_field *field, struct slice *piece, bool *more)
{
	*piece = SLICE("");
	*more = false;
	for (;;) {
		struct multipart_event event;
		TRY(file_field_next_event(field, &event));
		switch (event.kind) {
		case MULTIPART_MORE:
			*more = true;
			return RESULT_OK;
		case MULTIPART_PART:
			TRY(file_field_begin_part(field, event.name));
			break;
		case MULTIPART_CONTENT:
			if (!field->is_within)
				break;
			*piece = event.content;
			return RESULT_OK;
		case MULTIPART_END:
		case MULTIPART_CUT:
			return file_field_end(field, event.kind == MULTIPART_CUT);
		}
	}
}

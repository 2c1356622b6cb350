#include "codec/multipart.h"

#include "base/buffer.h"

#include <string.h>

enum multipart_state {
	MULTIPART_PREAMBLE,
	MULTIPART_BEHIND_BOUNDARY,
	MULTIPART_HEAD,
	MULTIPART_BODY,
	MULTIPART_EPILOGUE,
};

struct multipart {
	struct slice delimiter; // CR LF, two hyphens, the boundary: what ends the content of a part
	struct slice piece;
	enum multipart_state state;
	size_t matched;      // how much of the delimiter the pieces so far end with
	size_t lent;         // how much of that is the line end before this content, so no part of it
	char before;         // the last byte behind the boundary, or NUL
	struct buffer *head; // of the present part
	bool finished;
	enum result result;
	const char *fault;
};

// Cuts a parameter off the front of *rest: name=value or name="value". The value is as it stands between the quotes.
static bool multipart_take_parameter(struct slice *rest, struct slice *name, struct slice *value)
{
	size_t length = 0;

	if (!slice_contains(*rest, '='))
		return false;
	*name = slice_trim(slice_split(rest, '='));
	*rest = slice_trim(*rest);
	if (!slice_starts_with(*rest, SLICE("\""))) {
		*value = slice_trim(slice_split(rest, ';'));
		return !slice_is_empty(*name) && !slice_is_empty(*value);
	}
	*rest = slice_from(*rest, 1);
	for (; length < rest->length && rest->data[length] != '"'; length++) {
		struct slice escaped = slice_from(*rest, length);

		length += slice_starts_with(escaped, SLICE("\\\"")) || slice_starts_with(escaped, SLICE("\\\\"));
	}
	if (length >= rest->length)
		return false;
	*value = (struct slice){rest->data, length};
	*rest = slice_from(*rest, length + 1);
	return !slice_is_empty(*name) && slice_is_empty(slice_trim(slice_split(rest, ';')));
}

static bool multipart_is_boundary(struct slice boundary)
{
	static const char others[] = "'()+_,-./:=? ";

	if (boundary.length < 1 || boundary.length > MULTIPART_BOUNDARY_MAXIMUM)
		return false;
	for (size_t i = 0; i < boundary.length; i++) {
		char byte = boundary.data[i], lower = (char)(byte | 0x20);

		if (!(lower >= 'a' && lower <= 'z') && !(byte >= '0' && byte <= '9') &&
		    memchr(others, byte, sizeof(others) - 1) == NULL)
			return false;
	}
	return boundary.data[boundary.length - 1] != ' ';
}

static enum result multipart_find_boundary(struct slice parameters, struct slice *boundary)
{
	struct slice name, value;

	*boundary = SLICE("");
	for (parameters = slice_trim(parameters); parameters.length > 0; parameters = slice_trim(parameters)) {
		if (!multipart_take_parameter(&parameters, &name, &value))
			return RESULT_MALFORMED;
		if (!slice_equal_ignoring_case(name, SLICE("boundary")))
			continue;
		if (!slice_is_empty(*boundary))
			return RESULT_MALFORMED;
		*boundary = value;
	}
	return multipart_is_boundary(*boundary) ? RESULT_OK : RESULT_MALFORMED;
}

// What comes is at the start of a line, so a boundary may follow at once.
static void multipart_begin_content(struct multipart *multipart, enum multipart_state state)
{
	multipart->state = state;
	multipart->matched = multipart->lent = 2;
}

enum result multipart_open(struct arena *arena, struct slice content_type, struct multipart **multipart)
{
	struct slice rest = content_type, boundary;

	if (!slice_equal_ignoring_case(slice_trim(slice_split(&rest, ';')), SLICE("multipart/form-data")))
		return RESULT_UNSUPPORTED_TYPE;
	TRY(multipart_find_boundary(rest, &boundary));
	struct multipart *opened = arena_alloc(arena, sizeof(*opened));
	if (opened == NULL)
		return RESULT_NO_MEMORY;
	opened->delimiter = arena_format(arena, "\r\n--%.*s", (int)boundary.length, boundary.data);
	opened->head = buffer_new(arena, MULTIPART_HEAD_MAXIMUM);
	if (opened->delimiter.data == NULL || opened->head == NULL)
		return RESULT_NO_MEMORY;
	multipart_begin_content(opened, MULTIPART_PREAMBLE);
	*multipart = opened;
	return RESULT_OK;
}

void multipart_feed(struct multipart *multipart, struct slice piece)
{
	multipart->piece = piece;
}

void multipart_finish(struct multipart *multipart)
{
	multipart->finished = true;
}

const char *multipart_fault(const struct multipart *multipart)
{
	return multipart->fault;
}

static enum result multipart_refuse(struct multipart *multipart, enum result result, const char *fault)
{
	multipart->fault = fault;
	return result;
}

static struct slice multipart_take(struct multipart *multipart, size_t length)
{
	struct slice taken = {multipart->piece.data, length};

	multipart->piece = slice_from(multipart->piece, length);
	return taken;
}

static void multipart_pass_delimiter(struct multipart *multipart)
{
	multipart->state = MULTIPART_BEHIND_BOUNDARY;
	multipart->before = '\0';
}

// Goes on with a delimiter that earlier pieces may have begun. Where it was none, what looked like it is content. As
// CR stands only at its start, no other can begin within.
static struct slice multipart_match(struct multipart *multipart)
{
	struct slice rest = slice_from(multipart->delimiter, multipart->matched), piece = multipart->piece;
	size_t length = 0;

	while (length < rest.length && length < piece.length && rest.data[length] == piece.data[length])
		length++;
	multipart_take(multipart, length);
	multipart->matched += length;
	if (length == rest.length)
		multipart_pass_delimiter(multipart);
	if (length == rest.length || length == piece.length)
		return SLICE("");
	struct slice content = {multipart->delimiter.data + multipart->lent, multipart->matched - multipart->lent};
	multipart->matched = multipart->lent = 0;
	return content;
}

// Content up to a delimiter, or to the end of the piece or what may be the start of a delimiter there.
static struct slice multipart_search(struct multipart *multipart)
{
	struct slice piece = multipart->piece, delimiter = multipart->delimiter;
	const char *found = memmem(piece.data, piece.length, delimiter.data, delimiter.length);

	if (found != NULL) {
		struct slice content = multipart_take(multipart, (size_t)(found - piece.data));

		multipart_take(multipart, delimiter.length);
		multipart_pass_delimiter(multipart);
		return content;
	}
	const char *start = memrchr(piece.data, '\r', piece.length);
	size_t length = start == NULL ? piece.length : (size_t)(start - piece.data);
	if (start != NULL && !slice_starts_with(delimiter, slice_from(piece, length)))
		length = piece.length;
	struct slice content = multipart_take(multipart, length);
	multipart->matched = multipart_take(multipart, multipart->piece.length).length;
	return content;
}

static void multipart_read_content(struct multipart *multipart, struct multipart_event *event)
{
	bool is_part = multipart->state == MULTIPART_BODY;
	struct slice content = multipart->matched > 0 ? multipart_match(multipart) : multipart_search(multipart);

	if (is_part && !slice_is_empty(content))
		*event = (struct multipart_event){.kind = MULTIPART_CONTENT, .content = content};
}

// Two hyphens end the body; a line end, perhaps behind spaces, begins a part.
static enum result multipart_read_behind_boundary(struct multipart *multipart)
{
	char byte = multipart_take(multipart, 1).data[0], before = multipart->before;
	bool is_space = byte == ' ' || byte == '\t';

	multipart->before = is_space ? ' ' : byte;
	if ((before == '\0' || before == ' ') && (is_space || byte == '\r'))
		return RESULT_OK;
	if (before == '\0' && byte == '-')
		return RESULT_OK;
	if (before == '-' && byte == '-') {
		multipart->state = MULTIPART_EPILOGUE;
		return RESULT_OK;
	}
	if (before == '\r' && byte == '\n') {
		multipart->state = MULTIPART_HEAD;
		buffer_clear(multipart->head);
		return RESULT_OK;
	}
	return multipart_refuse(multipart, RESULT_MALFORMED, "a boundary is followed by neither CR LF nor two hyphens");
}

// Takes the escaping backslashes out of a value that stands in the head.
static struct slice multipart_unescape(struct multipart *multipart, struct slice value)
{
	char *text = multipart->head->data + (value.data - multipart->head->data);
	size_t length = 0;

	for (size_t i = 0; i < value.length; i++) {
		bool escapes = text[i] == '\\' && i + 1 < value.length && (text[i + 1] == '"' || text[i + 1] == '\\');

		i += escapes;
		text[length++] = text[i];
	}
	return (struct slice){text, length};
}

static enum result multipart_read_disposition(struct multipart *multipart, struct slice rest,
                                              struct multipart_event *event)
{
	struct slice name, value;

	if (event->name.data != NULL)
		return multipart_refuse(multipart, RESULT_MALFORMED, "a part has two Content-Dispositions");
	if (!slice_equal_ignoring_case(slice_trim(slice_split(&rest, ';')), SLICE("form-data")))
		return multipart_refuse(multipart, RESULT_MALFORMED, "a part is no form-data");
	for (rest = slice_trim(rest); rest.length > 0; rest = slice_trim(rest)) {
		if (!multipart_take_parameter(&rest, &name, &value))
			return multipart_refuse(multipart, RESULT_MALFORMED, "a Content-Disposition is malformed");
		bool is_name = slice_equal_ignoring_case(name, SLICE("name"));
		struct slice *place = is_name ? &event->name : &event->filename;
		if (!is_name && !slice_equal_ignoring_case(name, SLICE("filename")))
			continue;
		if (place->data != NULL)
			return multipart_refuse(multipart, RESULT_MALFORMED, "a part has two names");
		*place = multipart_unescape(multipart, value);
	}
	if (event->name.data == NULL)
		return multipart_refuse(multipart, RESULT_MALFORMED, "a part has no name");
	return RESULT_OK;
}

static enum result multipart_read_encoding(struct multipart *multipart, struct slice value)
{
	static const struct slice plain[] = {{"7bit", 4}, {"8bit", 4}, {"binary", 6}};

	for (size_t i = 0; i < COUNT_OF(plain); i++) {
		if (slice_equal_ignoring_case(value, plain[i]))
			return RESULT_OK;
	}
	return multipart_refuse(multipart, RESULT_UNSUPPORTED_TYPE, "the content of a part is encoded");
}

// A line without its LF.
static enum result multipart_read_header(struct multipart *multipart, struct slice line, struct multipart_event *event)
{
	bool ends_with_cr = line.length > 0 && line.data[line.length - 1] == '\r';
	struct slice value = {line.data, line.length - ends_with_cr};

	if (!ends_with_cr || slice_contains(value, '\r') || slice_contains(value, '\0'))
		return multipart_refuse(multipart, RESULT_MALFORMED, "a header of a part does not end with CR LF");
	bool has_colon = slice_contains(value, ':');
	struct slice name = slice_split(&value, ':');
	if (!has_colon || slice_is_empty(name) || slice_contains(name, ' ') || slice_contains(name, '\t'))
		return multipart_refuse(multipart, RESULT_MALFORMED, "a header of a part is malformed");
	if (slice_equal_ignoring_case(name, SLICE("Content-Disposition")))
		return multipart_read_disposition(multipart, slice_trim(value), event);
	if (slice_equal_ignoring_case(name, SLICE("Content-Transfer-Encoding")))
		return multipart_read_encoding(multipart, slice_trim(value));
	return RESULT_OK;
}

static enum result multipart_read_headers(struct multipart *multipart, struct multipart_event *event)
{
	struct slice rest = buffer_slice(multipart->head);
	struct multipart_event part = {.kind = MULTIPART_PART};

	for (size_t count = 0; !slice_equal(rest, SLICE("\r\n")); count++) {
		if (count == MULTIPART_HEADERS_MAXIMUM)
			return multipart_refuse(multipart, RESULT_TOO_LARGE, "a part has more than 16 headers");
		TRY(multipart_read_header(multipart, slice_split(&rest, '\n'), &part));
	}
	if (part.name.data == NULL)
		return multipart_refuse(multipart, RESULT_MALFORMED, "a part has no Content-Disposition");
	*event = part;
	multipart_begin_content(multipart, MULTIPART_BODY);
	return RESULT_OK;
}

static bool multipart_head_is_whole(struct slice head)
{
	return slice_equal(head, SLICE("\r\n")) ||
	       (head.length >= 4 && slice_equal(slice_from(head, head.length - 4), SLICE("\r\n\r\n")));
}

static enum result multipart_read_head(struct multipart *multipart, struct multipart_event *event)
{
	struct slice rest = multipart->piece;
	size_t length = slice_split(&rest, '\n').length + (rest.data != NULL);

	if (length > MULTIPART_HEAD_MAXIMUM - multipart->head->length)
		return multipart_refuse(multipart, RESULT_TOO_LARGE, "the headers of a part are longer than 8 KiB");
	buffer_append(multipart->head, multipart_take(multipart, length));
	if (buffer_failed(multipart->head))
		return multipart_refuse(multipart, RESULT_NO_MEMORY, "no memory");
	if (!multipart_head_is_whole(buffer_slice(multipart->head)))
		return RESULT_OK;
	return multipart_read_headers(multipart, event);
}

static enum result multipart_step(struct multipart *multipart, struct multipart_event *event)
{
	switch (multipart->state) {
	case MULTIPART_PREAMBLE:
	case MULTIPART_BODY:
		multipart_read_content(multipart, event);
		break;
	case MULTIPART_BEHIND_BOUNDARY:
		return multipart_read_behind_boundary(multipart);
	case MULTIPART_HEAD:
		return multipart_read_head(multipart, event);
	case MULTIPART_EPILOGUE:
		event->kind = MULTIPART_END;
		break;
	}
	return RESULT_OK;
}

enum result multipart_next(struct multipart *multipart, struct multipart_event *event)
{
	struct multipart_event next = {.kind = MULTIPART_MORE};

	TRY(multipart->result);
	while (next.kind == MULTIPART_MORE && (multipart->piece.length > 0 || multipart->state == MULTIPART_EPILOGUE)) {
		multipart->result = multipart_step(multipart, &next);
		TRY(multipart->result);
	}
	if (next.kind == MULTIPART_MORE && multipart->finished)
		next.kind = MULTIPART_CUT;
	*event = next;
	return RESULT_OK;
}

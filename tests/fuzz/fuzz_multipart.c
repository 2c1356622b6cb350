// multipart/form-data: the first byte says how the body is cut, the first line is its Content-Type. What comes out
// does not depend on how it was cut.
#include "base/buffer.h"
#include "codec/multipart.h"
#include "fuzz.h"

#include <string.h>

static void fuzz_write_text(struct buffer *out, struct slice text)
{
	buffer_append_integer(out, text.data == NULL ? -1 : (int64_t)text.length);
	buffer_append_text(out, ":");
	buffer_append(out, text);
}

// All that happened, in one text.
static struct slice fuzz_read(struct arena *arena, struct slice type, struct slice body, uint32_t state)
{
	struct buffer *out = buffer_new(arena, (size_t)32 << 20);
	struct multipart_event event = {.kind = MULTIPART_MORE};
	struct multipart *multipart;
	enum result result;

	REQUIRE(out && multipart_open(arena, type, &multipart) == RESULT_OK);
	while ((result = multipart_next(multipart, &event)) == RESULT_OK) {
		REQUIRE((event.kind == MULTIPART_CONTENT) == (event.content.length > 0));
		REQUIRE((event.kind == MULTIPART_PART) == (event.name.data != NULL));
		if (event.kind == MULTIPART_END || event.kind == MULTIPART_CUT)
			break;
		if (event.kind == MULTIPART_PART) {
			fuzz_write_text(out, event.name);
			fuzz_write_text(out, event.filename);
		}
		buffer_append(out, event.content);
		if (event.kind == MULTIPART_MORE && body.length == 0)
			multipart_finish(multipart);
		else if (event.kind == MULTIPART_MORE)
			multipart_feed(multipart, fuzz_piece(&body, &state));
	}
	REQUIRE((result == RESULT_OK) == (multipart_fault(multipart) == NULL));
	buffer_append_integer(out, result == RESULT_OK ? (int64_t)event.kind : -(int64_t)result);
	REQUIRE(!buffer_failed(out));
	return buffer_slice(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice body = fuzz_slice(data + (size > 0), size - (size > 0)), type = slice_split(&body, '\n');
	uint32_t state = size > 0 ? (uint32_t)data[0] << 1 | 1 : 1;
	struct multipart *multipart;
	enum result result = multipart_open(arena, type, &multipart);

	REQUIRE(result == RESULT_OK || result == RESULT_MALFORMED || result == RESULT_UNSUPPORTED_TYPE);
	if (result == RESULT_OK)
		REQUIRE(slice_equal(fuzz_read(arena, type, body, 0), fuzz_read(arena, type, body, state)));
	return 0;
}

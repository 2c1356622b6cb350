// gzip: the first byte says how the rest is cut and how much may come out. That does not depend on how it was cut.
#include "base/buffer.h"
#include "codec/gunzip.h"
#include "fuzz.h"

#define LIMIT_SHIFT 12 // 1 MiB at most

static struct slice fuzz_unpack(struct arena *arena, struct slice packed, uint64_t limit, uint32_t state)
{
	struct buffer *out = buffer_new(arena, (size_t)limit + 16);
	struct gunzip *gunzip = gunzip_new(arena, limit);
	struct slice content = {NULL, 0};
	enum gunzip_kind kind = GUNZIP_MORE;
	enum result result;

	REQUIRE(out && gunzip);
	while ((result = gunzip_next(gunzip, &kind, &content)) == RESULT_OK) {
		if (kind == GUNZIP_END || kind == GUNZIP_CUT)
			break;
		if (kind == GUNZIP_CONTENT) {
			REQUIRE(content.length > 0);
			buffer_append(out, content);
		} else if (packed.length > 0) {
			gunzip_feed(gunzip, fuzz_piece(&packed, &state));
		} else {
			gunzip_finish(gunzip);
		}
	}
	REQUIRE(out->length <= limit && (result != RESULT_TOO_LARGE || out->length == limit));
	REQUIRE(gunzip_next(gunzip, &kind, &content) == result);
	buffer_append_integer(out, result == RESULT_OK ? (int64_t)kind : -(int64_t)result);
	REQUIRE(!buffer_failed(out));
	return buffer_slice(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice packed = fuzz_slice(data + (size > 0), size - (size > 0));
	uint32_t state = size > 0 ? (uint32_t)data[0] << 1 | 1 : 1;
	uint64_t limit = size > 0 ? (uint64_t)data[0] << LIMIT_SHIFT : 0;

	REQUIRE(slice_equal(fuzz_unpack(arena, packed, limit, 0), fuzz_unpack(arena, packed, limit, state)));
	return 0;
}

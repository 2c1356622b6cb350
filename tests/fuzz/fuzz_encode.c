// Hexadecimal, base64url and percent-encoding: any text may be decoded, any bytes survive there and back.
#include "codec/encode.h"
#include "fuzz.h"

typedef struct slice encoder(struct arena *arena, struct slice bytes);
typedef enum result decoder(struct arena *arena, struct slice text, struct slice *bytes);
typedef bool comparison(struct slice a, struct slice b);

// A text that is accepted is the only one for its bytes.
static void fuzz_pair(struct slice input, encoder *encode, decoder *decode, comparison *same)
{
	struct arena *arena = fuzz_arena();
	struct slice text = encode(arena, input), bytes;

	REQUIRE(text.data && decode(arena, text, &bytes) == RESULT_OK && slice_equal(bytes, input));
	if (decode(arena, input, &bytes) == RESULT_OK)
		REQUIRE(same(encode(arena, bytes), input));
}

static void fuzz_percent(struct slice input)
{
	struct arena *arena = fuzz_arena();
	struct slice path, query;
	enum result result = decode_percent(arena, input, false, &path);

	REQUIRE(decode_percent(arena, input, true, &query) == result);
	if (result != RESULT_OK)
		return;
	REQUIRE(path.length <= input.length && query.length == path.length);
	if (!slice_contains(input, '%'))
		REQUIRE(slice_equal(path, input));
	for (size_t i = 0; i < path.length; i++)
		REQUIRE(query.data[i] == path.data[i] || (query.data[i] == ' ' && path.data[i] == '+'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = fuzz_slice(data, size);

	fuzz_pair(input, encode_hex, decode_hex, slice_equal_ignoring_case);
	fuzz_pair(input, encode_base64url, decode_base64url, slice_equal);
	fuzz_percent(input);
	(void)encode_crc16(input);
	return 0;
}

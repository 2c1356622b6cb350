// Sealed text: what was sealed opens, anything else does not.
#include "codec/crypt.h"
#include "fuzz.h"

#include <string.h>

#define MASTER SLICE("a master key of the fuzzer, thirty-two characters")
#define CONTEXT SLICE("shop webhook")
#define SEED SLICE("the plain text of the one seed that opens")

// The last byte of the input says where the text is changed, the one before it says into what.
static void fuzz_tamper(struct arena *arena, struct slice sealed, struct slice input)
{
	char *changed = arena_alloc(arena, sealed.length);
	size_t place = (unsigned char)input.data[input.length - 1] % sealed.length;
	struct slice plain;

	REQUIRE(changed);
	memcpy(changed, sealed.data, sealed.length);
	changed[place] = input.data[input.length - 2];
	if (changed[place] != sealed.data[place])
		REQUIRE(crypt_unseal(arena, MASTER, CONTEXT, (struct slice){changed, sealed.length}, &plain) ==
		        RESULT_MALFORMED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice input = fuzz_slice(data, size), sealed, plain;

	if (crypt_unseal(arena, MASTER, CONTEXT, input, &plain) == RESULT_OK)
		REQUIRE(slice_equal(plain, SEED));
	REQUIRE(crypt_seal(arena, MASTER, CONTEXT, input, &sealed) == RESULT_OK);
	REQUIRE(crypt_unseal(arena, MASTER, CONTEXT, sealed, &plain) == RESULT_OK && slice_equal(plain, input));
	REQUIRE(crypt_unseal(arena, MASTER, SLICE("other"), sealed, &plain) == RESULT_MALFORMED);
	if (size >= 2)
		fuzz_tamper(arena, sealed, input);
	return 0;
}

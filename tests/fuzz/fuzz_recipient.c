// Recipients as anybody may send them: what is accepted stays as it is when it is read again.
#include "consent/recipient.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice recipient = {NULL, 0}, again;

	if (!recipient_read(arena, fuzz_slice(data, size), &recipient)) {
		REQUIRE(recipient.data == NULL);
		return 0;
	}
	REQUIRE(recipient.length >= 1 && recipient.length <= RECIPIENT_MAXIMUM && recipient.length <= size);
	REQUIRE(slice_is_utf8(recipient));
	for (size_t i = 0; i < recipient.length; i++)
		REQUIRE((unsigned char)recipient.data[i] >= ' ' && recipient.data[i] != 0x7f);
	REQUIRE(recipient_read(arena, recipient, &again) && slice_equal(again, recipient));
	return 0;
}

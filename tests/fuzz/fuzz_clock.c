// Times of any form: what is read can be written and read again.
#include "base/clock.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t ms = -1, again = -1;
	char text[CLOCK_TEXT_SIZE];

	if (!clock_parse(fuzz_slice(data, size), &ms)) {
		REQUIRE(ms == -1);
		return 0;
	}
	REQUIRE(ms >= 0 && ms <= CLOCK_MAXIMUM_MS);
	REQUIRE(clock_parse(clock_write(ms, text), &again) && again == ms);
	return 0;
}

// The url of a Redis. Nothing is connected.
#include "fuzz.h"
#include "io/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice url = fuzz_slice(data, size);
	struct store *store = NULL;
	const char *reason = NULL;

	if (store_new(url, 0, &store, &reason) == RESULT_OK) {
		REQUIRE(store && slice_contains(url, ':') && slice_contains(url, '/'));
		store_free(store);
	} else {
		REQUIRE(!store && reason && reason[0] != '\0');
	}
	return 0;
}

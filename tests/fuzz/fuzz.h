// What the fuzzers share. Each calls one module with bytes that anybody may have made and looks at what it promises;
// memory faults are the sanitizers' to find.
#ifndef CIOBRIDGE_TESTS_FUZZ_FUZZ_H
#define CIOBRIDGE_TESTS_FUZZ_FUZZ_H

#include "base/arena.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Ends the process, which the fuzzer reports together with the input.
#define REQUIRE(promise)                                                                                           \
	do {                                                                                                       \
		if (!(promise)) {                                                                                  \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);                      \
			abort();                                                                                   \
		}                                                                                                  \
	} while (0)

static inline struct slice fuzz_slice(const uint8_t *data, size_t size)
{
	return (struct slice){(const char *)data, size};
}

// One for the whole process, empty again at each call.
static inline struct arena *fuzz_arena(void)
{
	static struct arena *arena;

	if (!arena)
		arena = arena_new((size_t)64 << 20);
	REQUIRE(arena);
	arena_reset(arena);
	return arena;
}

// For readers that are fed in pieces: cuts the next one off the front of *rest, of 1 to 16 bytes as *state draws, or
// all there is when *state is 0.
static inline struct slice fuzz_piece(struct slice *rest, uint32_t *state)
{
	size_t wanted = *state == 0 ? rest->length : 1 + (*state >> 24) % 16;
	struct slice piece = {rest->data, wanted < rest->length ? wanted : rest->length};

	*state *= 1664525;
	*rest = slice_from(*rest, piece.length);
	return piece;
}

#endif

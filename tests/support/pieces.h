// Cuts a file into pieces, for tests of what is fed in pieces. Each piece is a copy that is gone when the next one is
// asked for, so that valgrind or a sanitizer sees who looks at it too long.
#ifndef CIOBRIDGE_TESTS_SUPPORT_PIECES_H
#define CIOBRIDGE_TESTS_SUPPORT_PIECES_H

#include "base/slice.h"
#include "fixture.h"

#define PIECES_WHOLE SIZE_MAX
#define PIECES_RANDOM 0

struct pieces {
	struct slice rest; // of the file
	size_t size;       // bytes, or one of the above
	struct dice *dice; // for PIECES_RANDOM
	char *copy;
};

// The next piece; data is NULL when there is none.
struct slice pieces_next(struct pieces *pieces);
void pieces_free(struct pieces *pieces); // fits AUTO()

#endif

// A slice is a run of bytes that somebody else owns: (pointer, length). Bytes from outside travel as slices;
// NUL is a byte like any other until a validator refuses it.
#ifndef CIOBRIDGE_BASE_SLICE_H
#define CIOBRIDGE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const char *data; // may be NULL only when length is 0
	size_t length;
};

// A slice over a string literal. The cast lets it serve in initialisers and in expressions.
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

// A slice over a NUL-terminated string; NULL gives the empty slice.
struct slice slice_of(const char *text);

bool slice_is_empty(struct slice slice);
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_ignoring_case(struct slice a, struct slice b); // ASCII letters only
bool slice_starts_with(struct slice slice, struct slice prefix);
bool slice_contains(struct slice slice, char byte);

// Bytes order (memcmp, the shorter first), as Redis orders the members of a sorted set: <0, 0, >0.
int slice_compare(struct slice a, struct slice b);

// The part from `from` (clamped) to the end.
struct slice slice_from(struct slice slice, size_t from);

// Without ASCII white space (space, \t, \n, \v, \f, \r) at both ends.
struct slice slice_trim(struct slice slice);

// Cuts at the first `separator`: returns what stands before it and moves *rest behind it. Without a separator
// returns everything and leaves *rest empty with data NULL, which ends a loop.
struct slice slice_split(struct slice *rest, char separator);

// A decimal integer, the whole slice, optional leading '-', no other sign, no spaces, no leading '+'.
// False when it is not one or lies outside [minimum, maximum]; *value is then untouched.
bool slice_to_integer(struct slice slice, int64_t minimum, int64_t maximum, int64_t *value);

// Well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF).
bool slice_is_utf8(struct slice slice);

// The bytes of the well-formed UTF-8 character at the start: 1 to 4, or 0 when there is none.
size_t slice_utf8_length(struct slice slice);

#endif

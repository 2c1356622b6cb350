// Time. Points in time are milliseconds since 1970 in UTC (int64_t, names end in _ms).
#ifndef CIOBRIDGE_BASE_CLOCK_H
#define CIOBRIDGE_BASE_CLOCK_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT_SIZE 25                       // "2026-11-22T14:30:40.123Z" and its NUL
#define CLOCK_MAXIMUM_MS INT64_C(253402300799999) // 9999-12-31T23:59:59.999Z

int64_t clock_now_ms(void);       // this machine's wall clock; what is stored is dated by Redis TIME instead
int64_t clock_monotonic_us(void); // microseconds, for durations only

// RFC 3339 section 5.6 in UTC with milliseconds. `ms` is clamped to 1970 .. CLOCK_MAXIMUM_MS. Returns a slice
// of `text`.
struct slice clock_write(int64_t ms, char text[static CLOCK_TEXT_SIZE]);

// Reads RFC 3339 (any offset, with or without a fraction, 'T' or 't' or a space, 'Z' or 'z'). False when it is
// not that, names no real day, or lies before 1970 or after 9999; *ms is then untouched.
bool clock_parse(struct slice text, int64_t *ms);

#endif

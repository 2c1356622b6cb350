// An arena hands out memory that is all given back at once. Each request has one; it is reset after the
// answer, so handlers never free. Not safe to share between threads.
#ifndef CIOBRIDGE_BASE_ARENA_H
#define CIOBRIDGE_BASE_ARENA_H

#include "base/slice.h"

#include <stddef.h>

struct arena;

// A new arena that will hold at most `limit` bytes at a time. NULL without memory. Freed by arena_free.
struct arena *arena_new(size_t limit);
void arena_free(struct arena *arena); // runs the deferred calls; NULL is allowed
void arena_auto(struct arena **arena); // for AUTO(): arena_free(*arena)

// Runs the deferred calls, last first, and takes all memory back; keeps the first block for reuse.
void arena_reset(struct arena *arena);

// `size` bytes, zeroed, aligned for any type. NULL without memory or over the limit.
void *arena_alloc(struct arena *arena, size_t size);

// As arena_alloc for `count` things of `size` bytes; NULL also when the product overflows.
void *arena_array(struct arena *arena, size_t count, size_t size);

// Has it refused anything since it was new or reset, or could something else not be allocated that was to live as long
// (arena_fail)? What was read or refused on the way may then be wrong for that reason alone.
bool arena_failed(const struct arena *arena);
void arena_fail(struct arena *arena);

// A copy of the bytes, followed by a NUL that is not counted. data is NULL when there is no memory.
struct slice arena_copy(struct arena *arena, struct slice slice);

// Formats as printf does into the arena. data is NULL when there is no memory.
struct slice arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Has `release(object)` called when the arena is reset or freed. When it cannot be remembered, release is
// called at once and false returned: the object is gone either way, never leaked.
bool arena_defer(struct arena *arena, void (*release)(void *object), void *object);

#endif

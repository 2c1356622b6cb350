#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Tests have smaller ones.
#ifndef ARENA_BLOCK_SIZE
#define ARENA_BLOCK_SIZE 65536
#endif

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	max_align_t bytes[];
};

struct arena_deferred {
	struct arena_deferred *next;
	void (*release)(void *object);
	void *object;
};

struct arena {
	struct arena_block *first;   // kept by arena_reset
	struct arena_block *current; // the newest block of ordinary size; may be the first
	struct arena_deferred *deferred;
	size_t limit, used;
	bool failed;
};

// All memory of a block is zero until it is handed out.
static struct arena_block *arena_block_new(size_t size)
{
	struct arena_block *block = calloc(1, sizeof(*block) + size);

	if (block == NULL)
		return NULL;
	block->size = size;
	return block;
}

struct arena *arena_new(size_t limit)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena == NULL)
		return NULL;
	arena->first = arena_block_new(ARENA_BLOCK_SIZE);
	if (arena->first == NULL) {
		free(arena);
		return NULL;
	}
	arena->current = arena->first;
	arena->limit = limit;
	return arena;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_reset(arena);
	free(arena->first);
	free(arena);
}

void arena_auto(struct arena **arena)
{
	arena_free(*arena);
}

// A release may defer in its turn, so the list is read afresh each time.
static void arena_run_deferred(struct arena *arena)
{
	while (arena->deferred != NULL) {
		struct arena_deferred *last = arena->deferred;

		arena->deferred = last->next;
		last->release(last->object);
	}
}

void arena_reset(struct arena *arena)
{
	arena_run_deferred(arena);
	struct arena_block *block = arena->first->next;
	while (block != NULL) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	memset(arena->first->bytes, 0, arena->first->used);
	arena->first->next = NULL;
	arena->first->used = 0;
	arena->current = arena->first;
	arena->used = 0;
	arena->failed = false;
}

// Makes room for `size` bytes. What is larger than a quarter of a block gets its own, so that the rest of the current
// block is not lost to it.
static struct arena_block *arena_make_room(struct arena *arena, size_t size)
{
	bool large = size > ARENA_BLOCK_SIZE / 4;

	if (arena->current->size - arena->current->used >= size)
		return arena->current;
	struct arena_block *block = arena_block_new(large ? size : ARENA_BLOCK_SIZE);
	if (block == NULL)
		return NULL;
	block->next = arena->first->next;
	arena->first->next = block;
	if (!large)
		arena->current = block;
	return block;
}

static struct arena_block *arena_find_room(struct arena *arena, size_t size, size_t padded)
{
	return size > arena->limit - arena->used || size > PTRDIFF_MAX / 2 ? NULL : arena_make_room(arena, padded);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	size_t padded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct arena_block *block = arena_find_room(arena, size, padded);
	if (block == NULL) {
		arena->failed = true;
		return NULL;
	}
	void *memory = (char *)block->bytes + block->used;
	block->used += padded;
	arena->used += size;
	return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		total = SIZE_MAX; // over any limit
	return arena_alloc(arena, total);
}

void arena_fail(struct arena *arena)
{
	arena->failed = true;
}

bool arena_failed(const struct arena *arena)
{
	return arena->failed;
}

struct slice arena_copy(struct arena *arena, struct slice slice)
{
	char *copy = arena_alloc(arena, slice.length + 1);

	if (copy == NULL)
		return (struct slice){NULL, 0};
	if (slice.length > 0)
		memcpy(copy, slice.data, slice.length);
	return (struct slice){copy, slice.length};
}

struct slice arena_format(struct arena *arena, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
	if (text == NULL)
		return (struct slice){NULL, 0};
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return (struct slice){text, (size_t)length};
}

bool arena_defer(struct arena *arena, void (*release)(void *object), void *object)
{
	struct arena_deferred *deferred = arena_alloc(arena, sizeof(*deferred));

	if (deferred == NULL) {
		release(object);
		return false;
	}
	*deferred = (struct arena_deferred){arena->deferred, release, object};
	arena->deferred = deferred;
	return true;
}

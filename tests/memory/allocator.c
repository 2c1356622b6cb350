// Comes before the C library's malloc, or the sanitizer's, which is then asked for the memory.
#include "allocator.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct {
	size_t count, number;
	enum memory_fault fault;
	volatile bool counts; // the compiler thinks that malloc does not look at it
	bool failed;
} plan = {.number = SIZE_MAX};

static atomic_long in_use;

void memory_fail(size_t number, enum memory_fault fault)
{
	plan.count = 0;
	plan.number = number;
	plan.fault = fault;
	plan.failed = false;
}

void memory_begin(void)
{
	plan.counts = true;
}

void memory_end(void)
{
	plan.counts = false;
}

bool memory_has_failed(void)
{
	return plan.failed;
}

// A sanitizer's strdup does not come by here; it finds leaks itself.
long memory_in_use(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 0;
#else
	return in_use;
#endif
}

static bool memory_is_refused(void)
{
	if (!plan.counts)
		return false;
	size_t number = plan.count++;
	if (plan.fault == MEMORY_ONCE ? number != plan.number : number < plan.number)
		return false;
	plan.failed = true;
	errno = ENOMEM;
	return true;
}

#ifdef __SANITIZE_ADDRESS__
#define BEHIND(name) __interceptor_##name
#else
#define BEHIND(name) __libc_##name
#endif
void *BEHIND(malloc)(size_t size);
void *BEHIND(calloc)(size_t count, size_t size);
void *BEHIND(realloc)(void *memory, size_t size);
void BEHIND(free)(void *memory);

void *malloc(size_t size)
{
	void *memory = memory_is_refused() ? NULL : BEHIND(malloc)(size);
	in_use += memory != NULL;
	return memory;
}

void *calloc(size_t count, size_t size)
{
	void *memory = memory_is_refused() ? NULL : BEHIND(calloc)(count, size);
	in_use += memory != NULL;
	return memory;
}

// Nobody here shrinks to nothing, so a piece stays one.
void *realloc(void *memory, size_t size)
{
	void *moved = memory_is_refused() ? NULL : BEHIND(realloc)(memory, size);
	in_use += memory == NULL && moved != NULL;
	return moved;
}

void free(void *memory)
{
	in_use -= memory != NULL;
	BEHIND(free)(memory);
}

// hiredis before 1.0 ends the process where it finds no memory for these two while it connects; so it finds some.
void *hi_malloc(size_t size);
char *hi_strdup(const char *text);

void *hi_malloc(size_t size)
{
	bool counts = plan.counts;
	plan.counts = false;
	void *memory = malloc(size);
	plan.counts = counts;
	return memory;
}

char *hi_strdup(const char *text)
{
	bool counts = plan.counts;
	plan.counts = false;
	char *copy = strdup(text);
	plan.counts = counts;
	return copy;
}

// Comes before the C library's malloc, or the sanitizer's, which is then asked for the memory.
#include "allocator.h"

#include <dlfcn.h>
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

long memory_in_use(void)
{
	return in_use;
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

// The same name in the libraries behind this program.
#define BEHIND(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *malloc(size_t size)
{
	static __typeof__(&malloc) behind;
	if (behind == NULL)
		behind = BEHIND(malloc);
	void *memory = memory_is_refused() ? NULL : behind(size);
	in_use += memory != NULL;
	return memory;
}

void *calloc(size_t count, size_t size)
{
	static __typeof__(&calloc) behind;
	if (behind == NULL)
		behind = BEHIND(calloc);
	void *memory = memory_is_refused() ? NULL : behind(count, size);
	in_use += memory != NULL;
	return memory;
}

// Nobody here shrinks to nothing, so a piece stays one.
void *realloc(void *memory, size_t size)
{
	static __typeof__(&realloc) behind;
	if (behind == NULL)
		behind = BEHIND(realloc);
	void *moved = memory_is_refused() ? NULL : behind(memory, size);
	in_use += memory == NULL && moved != NULL;
	return moved;
}

void free(void *memory)
{
	static __typeof__(&free) behind;
	if (behind == NULL)
		behind = BEHIND(free);
	in_use -= memory != NULL;
	behind(memory);
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

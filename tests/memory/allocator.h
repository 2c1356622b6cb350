// An allocator that fails when told to, for the whole program with its libraries, and counts what lives.
//
//     for (size_t n = 0; memory_fails; n++) {
//         memory_fail(n, MEMORY_ONCE);
//         memory_begin();
//         …                    // what is tested
//         memory_end();
//         memory_fails = memory_has_failed();
//     }
//
// Together with tests/memory/arena.c, which makes every allocation in an arena one of the allocator's.
#ifndef CIOBRIDGE_TESTS_MEMORY_ALLOCATOR_H
#define CIOBRIDGE_TESTS_MEMORY_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

enum memory_fault {
	MEMORY_ONCE,   // one allocation fails, and all others are good
	MEMORY_FOR_ALL, // it and all that follow fail
};

// The allocation with this number after memory_begin, from 0, is to fail.
void memory_fail(size_t number, enum memory_fault fault);

// Between these allocations are counted, and may fail. They can be nested in turns: end, begin goes on counting.
void memory_begin(void);
void memory_end(void);

// Has one failed since memory_fail?
bool memory_has_failed(void);

// Pieces of memory that are in use.
long memory_in_use(void);

#endif

// The arena with blocks so small that almost every allocation is one of malloc's, and can fail as such.
#define ARENA_BLOCK_SIZE 16
#include "base/arena.c"

// What tests that need a store share: the Redis of the test run, an arena, a project of their own.
#ifndef CIOBRIDGE_TESTS_SUPPORT_FIXTURE_H
#define CIOBRIDGE_TESTS_SUPPORT_FIXTURE_H

#include "base/arena.h"
#include "base/slice.h"
#include "io/store.h"

#include <stdint.h>

struct fixture {
	struct arena *arena;
	struct store *store;
	struct slice project; // a random slug, so tests can run side by side
};

// Opens the store named by CIOBRIDGE_TEST_REDIS; ends the test when there is none.
struct fixture fixture_open(void);
void fixture_close(struct fixture *fixture); // removes the project's keys; fits AUTO()

// Another connection to the same Redis.
struct store *fixture_store(void);

// A random slug that is in use nowhere.
struct slice fixture_slug(struct arena *arena);

// Runs a command and gives its answer; a failure ends the test.
const struct reply *fixture_command(struct fixture *fixture, const struct slice *arguments, size_t count);

// Random numbers that a seed repeats. The seed is CIOBRIDGE_TEST_SEED or new, and printed.
struct dice {
	uint64_t state;
};
struct dice dice_new(const char *what);
uint64_t dice_roll(struct dice *dice, uint64_t sides); // 0 … sides - 1

#endif

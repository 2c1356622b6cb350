#include "fixture.h"

#include "codec/crypt.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_LIMIT ((size_t)512 << 20)

struct store *fixture_store(void)
{
	const char *url = getenv("CIOBRIDGE_TEST_REDIS"), *reason;
	struct store *store = NULL;
	cr_assert(url != NULL, "CIOBRIDGE_TEST_REDIS must name a Redis for the tests");
	cr_assert(store_new(slice_of(url), 0, &store, &reason) == RESULT_OK);
	return store;
}

struct slice fixture_slug(struct arena *arena)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[16];
	char text[sizeof(bytes)];
	cr_assert(crypt_random(bytes, sizeof(bytes)) == RESULT_OK);
	for (size_t i = 0; i < sizeof(bytes); i++)
		text[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	return arena_copy(arena, (struct slice){text, sizeof(text)});
}

struct fixture fixture_open(void)
{
	struct fixture fixture = {.arena = arena_new(ARENA_LIMIT), .store = fixture_store()};
	cr_assert(fixture.arena != NULL);
	fixture.project = fixture_slug(fixture.arena);
	return fixture;
}

void fixture_close(struct fixture *fixture)
{
	store_settle(fixture->store);
	project_delete(fixture->store, fixture->arena, fixture->project);
	store_free(fixture->store);
	arena_free(fixture->arena);
}

const struct reply *fixture_command(struct fixture *fixture, const struct slice *arguments, size_t count)
{
	const struct reply *reply = NULL;
	cr_assert(store_call(fixture->store, fixture->arena, &reply, arguments, count) == RESULT_OK);
	return reply;
}

struct dice dice_new(const char *what)
{
	const char *given = getenv("CIOBRIDGE_TEST_SEED");
	uint64_t seed = 0;
	if (given == NULL || sscanf(given, "%" SCNu64, &seed) != 1)
		cr_assert(crypt_random(&seed, sizeof(seed)) == RESULT_OK);
	fprintf(stderr, "%s: CIOBRIDGE_TEST_SEED=%" PRIu64 "\n", what, seed);
	return (struct dice){seed};
}

// SplitMix64: small, and good enough to shake histories with.
uint64_t dice_roll(struct dice *dice, uint64_t sides)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % sides;
}

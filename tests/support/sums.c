#include "sums.h"

#include "codec/crypt.h"
#include "project/project.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ARENA_LIMIT ((size_t)256 << 20)
#define MODULUS (UINT64_C(1) << 48)
#define DIGEST_DIGITS 12

static uint64_t digest(struct arena *arena, struct slice a, struct slice b, const struct slice *c)
{
	char hex[41];
	uint64_t number = 0;
	struct slice text = arena_format(arena, "%.*s\n%.*s", (int)a.length, a.data, (int)b.length, b.data);
	if (c != NULL)
		text = arena_format(arena, "%.*s\n%.*s", (int)text.length, text.data, (int)c->length, c->data);
	cr_assert(text.data != NULL && crypt_sha1_hex(text, hex) == RESULT_OK);
	hex[DIGEST_DIGITS] = '\0';
	cr_assert(sscanf(hex, "%lx", &number) == 1);
	return number;
}

static uint64_t digest_choice(struct arena *arena, struct slice list, struct slice recipient, struct slice score)
{
	return score.length == 0 ? 0 : digest(arena, list, recipient, &score);
}

static const struct reply *command(struct fixture *f, struct arena *arena, const struct slice *arguments, size_t count)
{
	const struct reply *reply = NULL;
	cr_assert(store_call(f->store, arena, &reply, arguments, count) == RESULT_OK);
	return reply;
}

static uint64_t sum_of_lists(struct fixture *f, struct arena *arena, int partition)
{
	struct key_name prefix = partition_key(f->project, partition, "optouts:", SLICE("")),
			pattern = partition_key(f->project, partition, "optouts:", SLICE("*"));
	const struct reply *keys = command(f, arena, ARGUMENTS(SLICE("KEYS"), key_slice(&pattern)));
	uint64_t sum = 0;
	for (size_t k = 0; k < reply_count(keys); k++) {
		struct slice key = reply_text(reply_at(keys, k)), list = slice_from(key, prefix.length);
		const struct reply *rows = command(f, arena, ARGUMENTS(SLICE("ZRANGE"), key, SLICE("0"), SLICE("-1"),
		                                                       SLICE("WITHSCORES")));
		for (size_t i = 0; i < reply_count(rows); i += 2)
			sum += digest_choice(arena, list, reply_text(reply_at(rows, i)),
			                     reply_text(reply_at(rows, i + 1)));
	}
	return sum % MODULUS;
}

static struct slice value_of(const struct reply *entry, size_t index)
{
	return reply_text(reply_at(reply_at(entry, 1), 2 * index + 1));
}

static void sum_of_audit(struct fixture *f, struct arena *arena, int partition, uint64_t *choices, uint64_t *origin)
{
	struct key_name key = partition_key(f->project, partition, "audit", SLICE(""));
	const struct reply *entries =
		command(f, arena, ARGUMENTS(SLICE("XRANGE"), key_slice(&key), SLICE("-"), SLICE("+")));
	for (size_t i = 0; i < reply_count(entries); i++) {
		const struct reply *entry = reply_at(entries, i);
		struct slice recipient = value_of(entry, 0), list = value_of(entry, 1);
		struct slice id = reply_text(reply_at(entry, 0));
		int64_t recorded_at = 0;
		cr_assert(slice_to_integer(slice_split(&id, '-'), 0, INT64_MAX, &recorded_at));
		*choices += digest_choice(arena, list, recipient, value_of(entry, 3));
		*choices -= digest_choice(arena, list, recipient, value_of(entry, 2));
		*origin += (digest(arena, value_of(entry, 4), value_of(entry, 5), NULL) + (uint64_t)recorded_at) &
		           UINT32_MAX;
	}
}

void expect_sums(struct fixture *fixture)
{
	AUTO(arena_auto) struct arena *arena = arena_new(ARENA_LIMIT);
	for (int p = 0; p < PROJECT_PARTITIONS; p++) {
		struct key_name key = partition_key(fixture->project, p, "sums", SLICE(""));
		uint64_t choices = 0, origin = 0;
		arena_reset(arena);
		sum_of_audit(fixture, arena, p, &choices, &origin);
		const struct reply *sums = command(
			fixture, arena, ARGUMENTS(SLICE("HMGET"), key_slice(&key), SLICE("silent"), SLICE("origin")));
		choices += (uint64_t)reply_integer(reply_at(sums, 0));
		cr_assert_eq(sum_of_lists(fixture, arena, p), choices % MODULUS, "the list of partition %d", p);
		cr_assert_eq((uint64_t)reply_integer(reply_at(sums, 1)), origin % MODULUS, "the audit of partition %d",
		             p);
	}
}

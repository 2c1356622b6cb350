#include "consent/audit_fold.h"

#define SPARE 4096        // pairs
#define TURN_BITS_FROM 40 // other bits of the hash than those that choose the place

enum result audit_fold_open(struct arena *arena, size_t entries, size_t pass, size_t passes, struct audit_fold *fold)
{
	size_t capacity = 1;
	while (capacity < 2 * (entries / passes + SPARE))
		capacity *= 2;
	*fold = (struct audit_fold){
		.pairs = arena_array(arena, capacity, sizeof(struct audit_pair)),
		.capacity = capacity,
		.pass = pass,
		.passes = passes,
	};
	return fold->pairs != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

bool audit_fold_holds(const struct audit_fold *fold, uint64_t hash)
{
	return (hash >> TURN_BITS_FROM) % fold->passes == fold->pass;
}

// Where the pair is, or the free place where it would be.
static struct audit_pair *fold_place(const struct audit_fold *fold, uint64_t hash)
{
	size_t place = (size_t)hash & (fold->capacity - 1);
	while (fold->pairs[place].hash != 0 && fold->pairs[place].hash != hash)
		place = (place + 1) & (fold->capacity - 1);
	return &fold->pairs[place];
}

struct audit_pair *audit_fold_find(const struct audit_fold *fold, uint64_t hash)
{
	struct audit_pair *pair = fold_place(fold, hash);
	return pair->hash == hash ? pair : NULL;
}

struct audit_pair *audit_fold_put(struct audit_fold *fold, uint64_t hash)
{
	struct audit_pair *pair = fold_place(fold, hash);
	if (pair->hash == hash)
		return pair;
	// A table that is nearly full would be searched from end to end.
	if (fold->count >= fold->capacity / 4 * 3)
		return NULL;
	fold->count++;
	pair->hash = hash;
	return pair;
}

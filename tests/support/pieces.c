#include "pieces.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

// Most are short; some are longer than what readers keep.
static size_t pieces_draw(struct dice *dice)
{
	return 1 + dice_roll(dice, dice_roll(dice, 8) == 0 ? 100000 : 20);
}

struct slice pieces_next(struct pieces *pieces)
{
	size_t size = pieces->size == PIECES_RANDOM ? pieces_draw(pieces->dice) : pieces->size;
	size_t length = size < pieces->rest.length ? size : pieces->rest.length;

	pieces_free(pieces);
	if (length == 0)
		return (struct slice){NULL, 0};
	pieces->copy = malloc(length);
	cr_assert_not_null(pieces->copy);
	memcpy(pieces->copy, pieces->rest.data, length);
	pieces->rest = slice_from(pieces->rest, length);
	return (struct slice){pieces->copy, length};
}

void pieces_free(struct pieces *pieces)
{
	free(pieces->copy);
	pieces->copy = NULL;
}

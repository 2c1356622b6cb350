#include "base/arena.h"

#include "base/result.h"

#include <criterion/criterion.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

static char released[8];
static char a_name[] = "a", b_name[] = "b", c_name[] = "c";

static void note_release(void *object)
{
	strncat(released, object, sizeof(released) - strlen(released) - 1);
}

static void assert_zeroed_and_aligned(const void *memory, size_t size)
{
	cr_assert_not_null(memory);
	cr_assert_eq((uintptr_t)memory % alignof(max_align_t), 0);
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(((const char *)memory)[i], 0);
}

Test(arena, memory_is_zeroed_and_aligned_also_after_a_reset)
{
	static const size_t sizes[] = {1, 3, 100, 20000, 70000, 15, 30000, 1, 64000};
	struct arena *arena = arena_new(1 << 20);

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT_OF(sizes); i++) {
			void *memory = arena_alloc(arena, sizes[i]);

			assert_zeroed_and_aligned(memory, sizes[i]);
			memset(memory, 0xff, sizes[i]);
		}
		arena_reset(arena);
	}
	arena_free(arena);
}

Test(arena, allocations_do_not_overlap)
{
	struct arena *arena = arena_new(1 << 22);
	unsigned char *pieces[400];

	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		pieces[i] = arena_alloc(arena, 1 + i * 7);
		cr_assert_not_null(pieces[i]);
		memset(pieces[i], (int)(i % 251), 1 + i * 7);
	}
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		for (size_t j = 0; j < 1 + i * 7; j++)
			cr_assert_eq(pieces[i][j], i % 251);
	}
	arena_free(arena);
}

Test(arena, holds_its_limit_and_not_one_byte_more)
{
	struct arena *arena = arena_new(100);

	cr_assert_null(arena_alloc(arena, 101));
	cr_assert_not_null(arena_alloc(arena, 60));
	cr_assert_null(arena_alloc(arena, 41));
	cr_assert_not_null(arena_alloc(arena, 40));
	cr_assert_null(arena_alloc(arena, 1));
	arena_reset(arena);
	cr_assert_not_null(arena_alloc(arena, 100));
	arena_free(arena);
}

Test(arena, sizes_that_overflow_are_refused)
{
	struct arena *arena = arena_new(SIZE_MAX);

	cr_assert_null(arena_alloc(arena, SIZE_MAX));
	cr_assert_null(arena_alloc(arena, SIZE_MAX - 8));
	cr_assert_null(arena_array(arena, SIZE_MAX / 2, 3));
	cr_assert_null(arena_array(arena, (size_t)1 << 32, (size_t)1 << 32));
	cr_assert_not_null(arena_array(arena, 10, 10));
	arena_free(arena);
}

Test(arena, nothing_is_still_something)
{
	struct arena *arena = arena_new(100);

	cr_assert_not_null(arena_alloc(arena, 0));
	cr_assert_not_null(arena_copy(arena, (struct slice){NULL, 0}).data);
	arena_free(arena);
	arena_free(NULL);
}

Test(arena, copy_ends_with_a_nul_that_counts_against_the_limit)
{
	struct arena *arena = arena_new(4);
	struct slice copy = arena_copy(arena, SLICE("a\0b"));

	cr_assert(slice_equal(copy, SLICE("a\0b")));
	cr_assert_eq(copy.data[3], '\0');
	cr_assert_null(arena_copy(arena, SLICE("")).data);
	arena_free(arena);
}

Test(arena, format)
{
	struct arena *arena = arena_new(1000);
	struct slice text = arena_format(arena, "%d-%s", 42, "x");

	cr_assert(slice_equal(text, SLICE("42-x")));
	cr_assert_eq(text.data[4], '\0');
	cr_assert_null(arena_format(arena, "%1000d", 1).data);
	arena_free(arena);
}

Test(arena, deferred_calls_run_last_first_and_once)
{
	struct arena *arena = arena_new(1000);

	cr_assert(arena_defer(arena, note_release, a_name));
	cr_assert(arena_defer(arena, note_release, b_name));
	cr_assert_str_eq(released, "");
	arena_reset(arena);
	cr_assert_str_eq(released, "ba");
	cr_assert(arena_defer(arena, note_release, c_name));
	arena_free(arena);
	cr_assert_str_eq(released, "bac");
}

Test(arena, deferred_calls_see_the_memory_as_it_was)
{
	struct arena *arena = arena_new(1000);
	struct slice text = arena_copy(arena, SLICE("kept"));

	cr_assert(arena_defer(arena, note_release, (void *)text.data));
	arena_reset(arena);
	cr_assert_str_eq(released, "kept");
	arena_free(arena);
}

Test(arena, what_cannot_be_deferred_is_released_at_once)
{
	struct arena *arena = arena_new(1);

	cr_assert_not(arena_defer(arena, note_release, a_name));
	cr_assert_str_eq(released, "a");
	arena_free(arena);
	cr_assert_str_eq(released, "a");
}

Test(arena, scope_end_frees)
{
	{
		struct arena *arena AUTO(arena_auto) = arena_new(1000);

		cr_assert(arena_defer(arena, note_release, a_name));
	}
	cr_assert_str_eq(released, "a");
}

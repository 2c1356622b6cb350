// What counts as a recipient, and as whom.
#include "base/arena.h"
#include "base/result.h"
#include "consent/recipient.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT(literal) {literal, sizeof(literal) - 1}
#define HEX_63 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

static struct arena *arena;
static void set_up(void)
{
	arena = arena_new((size_t)1 << 20);
	cr_assert(arena != NULL);
}
static void tear_down(void)
{
	arena_free(arena);
}
TestSuite(recipient, .init = set_up, .fini = tear_down, .timeout = 60);

Test(recipient, addresses_are_trimmed_and_lower_cased)
{
	static const struct {
		struct slice given, wanted;
	} cases[] = {
		{TEXT("jo@example.com"), TEXT("jo@example.com")},
		{TEXT(" Jo@Example.COM "), TEXT("jo@example.com")},
		{TEXT("\t\r\n\v\fJO@EXAMPLE.COM\n"), TEXT("jo@example.com")},
		{TEXT("Jo+News@Example.com"), TEXT("jo+news@example.com")},
		{TEXT("AZ[@]`{"), TEXT("az[@]`{")},
		{TEXT("\xc3\x84\xc3\x96@Example.com"), TEXT("\xc3\x84\xc3\x96@example.com")},
		{TEXT("A@"), TEXT("a@")},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct slice recipient = {NULL, 0};
		cr_assert(recipient_read(arena, cases[i].given, &recipient), "%zu", i);
		cr_assert(slice_equal(recipient, cases[i].wanted), "%zu: %s", i, recipient.data);
	}
}

Test(recipient, other_identifiers_stay_as_given)
{
	static const struct {
		struct slice given, wanted;
	} cases[] = {
		{TEXT("+49 170 1234567"), TEXT("+49 170 1234567")}, {TEXT("  User-7 "), TEXT("User-7")},
		{TEXT("0"), TEXT("0")},                             {TEXT("#1"), TEXT("#1")},
		{TEXT("\xc2\x85"), TEXT("\xc2\x85")},               {TEXT("$all"), TEXT("$all")},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct slice recipient = {NULL, 0};
		cr_assert(recipient_read(arena, cases[i].given, &recipient), "%zu", i);
		cr_assert(slice_equal(recipient, cases[i].wanted), "%zu: %s", i, recipient.data);
	}
}

Test(recipient, what_is_none_is_refused)
{
	static const struct slice cases[] = {
		TEXT(""),
		TEXT(" \t\r\n"),
		{NULL, 0},
		TEXT("jo\tann@example.com"),
		TEXT("jo\0@example.com"),
		TEXT("jo\x1f@example.com"),
		TEXT("jo\x7f@example.com"),
		TEXT("a\nb"),
		TEXT("\xff@example.com"),
		TEXT("jo@example.com\xc3"),
		TEXT("\xc0\xaf"),
		TEXT("\xed\xa0\x80"),
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct slice recipient = {NULL, 0};
		cr_assert(!recipient_read(arena, cases[i], &recipient), "%zu", i);
		cr_assert(recipient.data == NULL, "%zu", i);
	}
}

Test(recipient, has_at_most_512_bytes_without_the_spaces_around_it)
{
	char bytes[RECIPIENT_MAXIMUM + 3];
	struct slice recipient;
	memset(bytes, 'x', sizeof(bytes));
	cr_assert(recipient_read(arena, (struct slice){bytes, RECIPIENT_MAXIMUM}, &recipient));
	cr_assert(recipient.length == RECIPIENT_MAXIMUM);
	cr_assert(!recipient_read(arena, (struct slice){bytes, RECIPIENT_MAXIMUM + 1}, &recipient));
	bytes[0] = ' ';
	bytes[sizeof(bytes) - 1] = bytes[sizeof(bytes) - 2] = '\n';
	cr_assert(recipient_read(arena, (struct slice){bytes, sizeof(bytes)}, &recipient));
	cr_assert(recipient.length == RECIPIENT_MAXIMUM);
}

// Nobody may be recorded under the name that an erased recipient has.
Test(recipient, erased_ones_have_a_form_of_their_own)
{
	struct slice recipient;
	cr_assert(!recipient_read(arena, SLICE("#" HEX_63 "f"), &recipient));
	cr_assert(!recipient_read(arena, SLICE(" #" HEX_63 "F\n"), &recipient));
	cr_assert(recipient_read(arena, SLICE("#" HEX_63), &recipient), "too short");
	cr_assert(recipient_read(arena, SLICE("#" HEX_63 "ff"), &recipient), "too long");
	cr_assert(recipient_read(arena, SLICE("#" HEX_63 "g"), &recipient), "not hexadecimal");
	cr_assert(recipient_read(arena, SLICE("0" HEX_63 "f"), &recipient), "no #");
}

Test(recipient, leaves_the_given_bytes_alone)
{
	char given[] = " Jo@Example.COM ";
	struct slice recipient;
	cr_assert(recipient_read(arena, slice_of(given), &recipient));
	cr_assert_str_eq(given, " Jo@Example.COM ");
	memset(given, 'z', sizeof(given) - 1);
	cr_assert(slice_equal(recipient, SLICE("jo@example.com")));
}

Test(recipient, without_memory_there_is_none)
{
	AUTO(arena_auto) struct arena *small = arena_new(64);
	char bytes[RECIPIENT_MAXIMUM];
	struct slice recipient;
	memset(bytes, 'x', sizeof(bytes));
	cr_assert(small != NULL);
	cr_assert(!recipient_read(small, (struct slice){bytes, sizeof(bytes)}, &recipient));
}

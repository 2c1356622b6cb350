#include "base/slice.h"

#include <string.h>

struct slice slice_of(const char *text)
{
	if (text == NULL)
		return SLICE("");
	return (struct slice){text, strlen(text)};
}

bool slice_is_empty(struct slice slice)
{
	return slice.length == 0;
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

// Not tolower: what it does depends on the locale.
static unsigned char slice_lower(char byte)
{
	unsigned char value = (unsigned char)byte;

	return value >= 'A' && value <= 'Z' ? (unsigned char)(value + ('a' - 'A')) : value;
}

bool slice_equal_ignoring_case(struct slice a, struct slice b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++) {
		if (slice_lower(a.data[i]) != slice_lower(b.data[i]))
			return false;
	}
	return true;
}

bool slice_starts_with(struct slice slice, struct slice prefix)
{
	if (prefix.length > slice.length)
		return false;
	return slice_equal((struct slice){slice.data, prefix.length}, prefix);
}

bool slice_contains(struct slice slice, char byte)
{
	return slice.length > 0 && memchr(slice.data, byte, slice.length) != NULL;
}

int slice_compare(struct slice a, struct slice b)
{
	size_t shared = a.length < b.length ? a.length : b.length;
	int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);

	if (order != 0)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

struct slice slice_from(struct slice slice, size_t from)
{
	if (from > slice.length)
		from = slice.length;
	// Even 0 may not be added to a NULL pointer.
	if (from == 0)
		return slice;
	return (struct slice){slice.data + from, slice.length - from};
}

static bool slice_is_space(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct slice slice_trim(struct slice slice)
{
	while (slice.length > 0 && slice_is_space(slice.data[slice.length - 1]))
		slice.length--;
	while (slice.length > 0 && slice_is_space(slice.data[0]))
		slice = slice_from(slice, 1);
	return slice;
}

struct slice slice_split(struct slice *rest, char separator)
{
	struct slice whole = *rest;
	const char *cut = whole.length == 0 ? NULL : memchr(whole.data, separator, whole.length);

	if (cut == NULL) {
		*rest = (struct slice){NULL, 0};
		return whole;
	}
	size_t length = (size_t)(cut - whole.data);
	*rest = slice_from(whole, length + 1);
	return (struct slice){whole.data, length};
}

bool slice_to_integer(struct slice slice, int64_t minimum, int64_t maximum, int64_t *value)
{
	bool negative = slice_starts_with(slice, SLICE("-"));
	struct slice digits = slice_from(slice, negative ? 1 : 0);
	int64_t sum = 0;

	if (slice_is_empty(digits))
		return false;
	for (size_t i = 0; i < digits.length; i++) {
		int digit = digits.data[i] - '0';

		if (digit < 0 || digit > 9)
			return false;
		// With its sign from the start, so that INT64_MIN is within reach.
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
			return false;
	}
	if (sum < minimum || sum > maximum)
		return false;
	*value = sum;
	return true;
}

size_t slice_utf8_length(struct slice slice)
{
	const unsigned char *bytes = (const unsigned char *)slice.data;

	if (slice.length == 0)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	size_t length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || length > slice.length)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	}
	// RFC 3629 section 4: the first two bytes decide what is overlong, a surrogate or above U+10FFFF.
	if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xed && bytes[1] > 0x9f) ||
	    (bytes[0] == 0xf0 && bytes[1] < 0x90) || (bytes[0] == 0xf4 && bytes[1] > 0x8f))
		return 0;
	return length;
}

bool slice_is_utf8(struct slice slice)
{
	while (slice.length > 0) {
		size_t length = slice_utf8_length(slice);

		if (length == 0)
			return false;
		slice = slice_from(slice, length);
	}
	return true;
}

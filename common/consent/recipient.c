#include "consent/recipient.h"

#include <ctype.h>

#define ERASED_LENGTH 65 // "#" and the hexadecimal HMAC

static bool recipient_is_erased(struct slice text)
{
	if (text.length != ERASED_LENGTH || text.data[0] != '#')
		return false;
	for (size_t i = 1; i < text.length; i++) {
		if (!isxdigit((unsigned char)text.data[i]))
			return false;
	}
	return true;
}

static bool recipient_has_control(struct slice text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

bool recipient_read(struct arena *arena, struct slice text, struct slice *recipient)
{
	struct slice trimmed = slice_trim(text);
	if (slice_is_empty(trimmed) || trimmed.length > RECIPIENT_MAXIMUM || !slice_is_utf8(trimmed) ||
	    recipient_has_control(trimmed) || recipient_is_erased(trimmed))
		return false;
	struct slice copy = arena_copy(arena, trimmed);
	if (copy.data == NULL)
		return false;
	if (slice_contains(copy, '@')) {
		char *bytes = (char *)copy.data;
		for (size_t i = 0; i < copy.length; i++) {
			if (bytes[i] >= 'A' && bytes[i] <= 'Z')
				bytes[i] = (char)(bytes[i] - 'A' + 'a');
		}
	}
	*recipient = copy;
	return true;
}

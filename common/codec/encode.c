#include "codec/encode.h"

static int decode_hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

// The byte that two digits stand for; -1 when they are none.
static int decode_hex_byte(const char *digits)
{
	int high = decode_hex_digit(digits[0]), low = decode_hex_digit(digits[1]);

	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

struct slice encode_hex(struct arena *arena, struct slice bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_array(arena, bytes.length, 2);

	if (text == NULL)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < bytes.length; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		text[2 * i] = digits[byte >> 4];
		text[2 * i + 1] = digits[byte & 15];
	}
	return (struct slice){text, bytes.length * 2};
}

enum result decode_hex(struct arena *arena, struct slice text, struct slice *bytes)
{
	if (text.length % 2 != 0)
		return RESULT_MALFORMED;
	char *out = arena_alloc(arena, text.length / 2);
	if (out == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < text.length / 2; i++) {
		int byte = decode_hex_byte(text.data + 2 * i);

		if (byte < 0)
			return RESULT_MALFORMED;
		out[i] = (char)byte;
	}
	*bytes = (struct slice){out, text.length / 2};
	return RESULT_OK;
}

// Three bytes become four characters; one or two at the end become two or three.
struct slice encode_base64url(struct arena *arena, struct slice bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t length = bytes.length / 3 * 4 + (bytes.length % 3 == 0 ? 0 : bytes.length % 3 + 1);
	char *text = arena_alloc(arena, length);
	uint32_t bits = 0;
	size_t written = 0;
	int held = 0;

	if (text == NULL)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < bytes.length; i++) {
		bits = bits << 8 | (unsigned char)bytes.data[i];
		for (held += 8; held >= 6; held -= 6)
			text[written++] = alphabet[bits >> (held - 6) & 63];
	}
	if (held > 0)
		text[written] = alphabet[bits << (6 - held) & 63];
	return (struct slice){text, length};
}

static int decode_base64url_character(char character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	return character == '-' ? 62 : character == '_' ? 63 : -1;
}

enum result decode_base64url(struct arena *arena, struct slice text, struct slice *bytes)
{
	size_t length = text.length / 4 * 3 + text.length % 4 * 3 / 4, written = 0;
	char *out = arena_alloc(arena, length);
	uint32_t bits = 0;
	int held = 0;

	if (text.length % 4 == 1)
		return RESULT_MALFORMED;
	if (out == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < text.length; i++) {
		int value = decode_base64url_character(text.data[i]);

		if (value < 0)
			return RESULT_MALFORMED;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[written++] = (char)(bits >> held);
		}
	}
	// Bits left over must be zero, else two texts would stand for the same bytes.
	if ((bits & ((1U << held) - 1)) != 0)
		return RESULT_MALFORMED;
	*bytes = (struct slice){out, length};
	return RESULT_OK;
}

struct slice encode_percent(struct arena *arena, struct slice bytes)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	static const char digits[] = "0123456789ABCDEF";
	char *text = arena_array(arena, bytes.length, 3);
	size_t written = 0;

	if (text == NULL)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < bytes.length; i++) {
		unsigned char byte = (unsigned char)bytes.data[i];

		if (slice_contains((struct slice){plain, sizeof(plain) - 1}, bytes.data[i])) {
			text[written++] = bytes.data[i];
			continue;
		}
		text[written++] = '%';
		text[written++] = digits[byte >> 4];
		text[written++] = digits[byte & 15];
	}
	return (struct slice){text, written};
}

enum result decode_percent(struct arena *arena, struct slice text, bool plus_is_space, struct slice *bytes)
{
	char *out = arena_alloc(arena, text.length);
	size_t written = 0;

	if (out == NULL)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < text.length; i++) {
		int byte = (unsigned char)text.data[i];

		if (byte == '%') {
			byte = text.length - i < 3 ? -1 : decode_hex_byte(text.data + i + 1);
			i += 2;
		} else if (byte == '+' && plus_is_space) {
			byte = ' ';
		}
		if (byte < 0)
			return RESULT_MALFORMED;
		out[written++] = (char)byte;
	}
	*bytes = (struct slice){out, written};
	return RESULT_OK;
}

// Four bits at a time: a table of 16 is enough to be as fast as the rest.
uint16_t encode_crc16(struct slice bytes)
{
	static const uint16_t table[16] = {
		0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
		0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
	};
	unsigned crc = 0;

	for (size_t i = 0; i < bytes.length; i++) {
		unsigned byte = (unsigned char)bytes.data[i];

		crc = (crc << 4 ^ table[(crc >> 12 ^ byte >> 4) & 15]) & 0xffff;
		crc = (crc << 4 ^ table[(crc >> 12 ^ byte) & 15]) & 0xffff;
	}
	return (uint16_t)crc;
}

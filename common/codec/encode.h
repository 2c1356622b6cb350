// Bytes as text and back: hexadecimal, base64url (RFC 4648 section 5, no padding), percent-encoding (RFC 3986). No I/O.
#ifndef CIOBRIDGE_CODEC_ENCODE_H
#define CIOBRIDGE_CODEC_ENCODE_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

// Lower-case hexadecimal. data is NULL without memory.
struct slice encode_hex(struct arena *arena, struct slice bytes);

// Either case. RESULT_MALFORMED for an odd length or another character; RESULT_NO_MEMORY.
enum result decode_hex(struct arena *arena, struct slice text, struct slice *bytes);

// base64url without padding. data is NULL without memory.
struct slice encode_base64url(struct arena *arena, struct slice bytes);

// RESULT_MALFORMED for another character, padding, an impossible length or stray bits at the end; RESULT_NO_MEMORY.
enum result decode_base64url(struct arena *arena, struct slice text, struct slice *bytes);

// Percent-encodes all but letters, digits and "-._~", so it fits into a path's segment or a query's value. data is NULL
// without memory.
struct slice encode_percent(struct arena *arena, struct slice bytes);

// Percent-decodes. Each "%XX" becomes its byte; '+' becomes a space only when `plus_is_space` (queries). Any byte may
// come out, NUL too. RESULT_MALFORMED for a '%' without two hexadecimal digits; RESULT_NO_MEMORY.
enum result decode_percent(struct arena *arena, struct slice text, bool plus_is_space, struct slice *bytes);

// CRC-16/XMODEM, the checksum that Redis Cluster uses for slots (Redis Cluster specification, "Key distribution").
uint16_t encode_crc16(struct slice bytes);

#endif

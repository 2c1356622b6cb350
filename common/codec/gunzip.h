// gzip (RFC 1952): a streaming reader over zlib. No I/O.
//
// Bytes are fed in pieces of any size; what they unpack to comes out, in constant memory (about 100 KiB) and never
// more of it than the caller allows. Files of several members, and zeros behind the last one, are read as gzip does;
// anything else behind the last member is damage.
#ifndef CIOBRIDGE_CODEC_GUNZIP_H
#define CIOBRIDGE_CODEC_GUNZIP_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum gunzip_kind {
	GUNZIP_MORE,    // everything fed has been read; feed the next piece, or say that there is none
	GUNZIP_CONTENT, // unpacked bytes, at least one
	GUNZIP_END,     // there are no more pieces, and the last member is whole
	GUNZIP_CUT,     // there are no more pieces, and it is not
};

struct gunzip;

// Whether a file that begins with these bytes (two are enough) is meant to be gzip.
bool gunzip_is_gzip(struct slice start);

// A reader that hands out at most `limit` bytes. NULL without memory. Lives as long as the arena.
struct gunzip *gunzip_new(struct arena *arena, uint64_t limit);

// The next piece. It stays the caller's and must stay as it is until gunzip_next says GUNZIP_MORE; only then may
// there be another one.
void gunzip_feed(struct gunzip *gunzip, struct slice piece);

// There are no more pieces.
void gunzip_finish(struct gunzip *gunzip);

// What comes next; *content, set for GUNZIP_CONTENT only, is good until the next call. GUNZIP_END and GUNZIP_CUT
// stay. RESULT_MALFORMED when the bytes are no gzip or damaged, RESULT_TOO_LARGE when there is more than the limit
// (which has then come out), RESULT_NO_MEMORY; each stays too.
enum result gunzip_next(struct gunzip *gunzip, enum gunzip_kind *kind, struct slice *content);

#endif

// multipart/form-data (RFC 7578, RFC 2046): a streaming reader. No I/O.
//
// Bytes are fed in pieces of any size; parts and their content come out. Content is handed on as it comes, so memory
// is bounded by the limits below, whatever the body.
//
// Stricter than it might be, since what two readers take differently can be used to slip something past one of them:
// lines end with CR LF and nothing else, a header is one line, a part has exactly one Content-Disposition, which is
// form-data with a name, and content is encoded in no way. Whatever stands before the first boundary and behind the
// last one is skipped.
#ifndef CIOBRIDGE_CODEC_MULTIPART_H
#define CIOBRIDGE_CODEC_MULTIPART_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

#define MULTIPART_BOUNDARY_MAXIMUM ((size_t)70)      // bytes, by RFC 2046 section 5.1.1
#define MULTIPART_HEADERS_MAXIMUM ((size_t)16)       // of a part
#define MULTIPART_HEAD_MAXIMUM ((size_t)8192)        // bytes of a part's headers, with the ends of their lines

enum multipart_kind {
	MULTIPART_MORE,    // everything fed has been read; feed the next piece, or say that there is none
	MULTIPART_PART,    // a part begins
	MULTIPART_CONTENT, // bytes of it, at least one
	MULTIPART_END,     // the last boundary has come
	MULTIPART_CUT,     // there are no more pieces, and it has not
};

struct multipart_event {
	enum multipart_kind kind;
	struct slice name;     // of a MULTIPART_PART, as it was sent but for backslashes before quotes and backslashes
	struct slice filename; // likewise; data is NULL when there is none
	struct slice content;  // of a MULTIPART_CONTENT
};

struct multipart;

// A reader of the body that this Content-Type announces. RESULT_UNSUPPORTED_TYPE when it is not multipart/form-data;
// RESULT_MALFORMED when it has no boundary, two, or one that is not 1 to 70 of the characters that RFC 2046 allows;
// RESULT_NO_MEMORY. The reader lives as long as the arena.
enum result multipart_open(struct arena *arena, struct slice content_type, struct multipart **multipart);

// The next piece of the body. It stays the caller's and must stay as it is until multipart_next says MULTIPART_MORE;
// only then may there be another one.
void multipart_feed(struct multipart *multipart, struct slice piece);

// There are no more pieces.
void multipart_finish(struct multipart *multipart);

// What comes next. What *event points to is good until the next call of multipart_next or multipart_feed.
// MULTIPART_END and MULTIPART_CUT stay. RESULT_MALFORMED, or RESULT_TOO_LARGE when a limit on headers is passed, or
// RESULT_UNSUPPORTED_TYPE when a part's content is encoded; each stays too.
enum result multipart_next(struct multipart *multipart, struct multipart_event *event);

// After multipart_next has failed: what is wrong, in words.
const char *multipart_fault(const struct multipart *multipart);

#endif

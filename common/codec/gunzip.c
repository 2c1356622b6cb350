#include "codec/gunzip.h"

#include <limits.h>

#define ZLIB_CONST
#include <zlib.h>

#define GUNZIP_CONTENT_MAXIMUM (64 << 10) // bytes handed out at once
#define GUNZIP_WINDOW (15 + 16)           // zlib: the largest window, and gzip only
#define GUNZIP_MAGIC SLICE("\x1f\x8b")

enum gunzip_state {
	GUNZIP_START,
	GUNZIP_MEMBER,
	GUNZIP_BEHIND_MEMBER,
};

struct gunzip {
	z_stream stream;
	struct slice piece;
	uint64_t room; // bytes that may still come out
	enum gunzip_state state;
	bool full; // the content had no more room, so more of it may come out without another piece
	bool finished;
	enum result result;
	Bytef content[GUNZIP_CONTENT_MAXIMUM];
};

bool gunzip_is_gzip(struct slice start)
{
	return slice_starts_with(start, GUNZIP_MAGIC);
}

static void gunzip_release(void *object)
{
	struct gunzip *gunzip = object;

	inflateEnd(&gunzip->stream);
}

struct gunzip *gunzip_new(struct arena *arena, uint64_t limit)
{
	struct gunzip *gunzip = arena_alloc(arena, sizeof(*gunzip));

	if (gunzip == NULL || inflateInit2(&gunzip->stream, GUNZIP_WINDOW) != Z_OK)
		return NULL;
	if (!arena_defer(arena, gunzip_release, gunzip))
		return NULL;
	gunzip->room = limit;
	return gunzip;
}

void gunzip_feed(struct gunzip *gunzip, struct slice piece)
{
	gunzip->piece = piece;
}

void gunzip_finish(struct gunzip *gunzip)
{
	gunzip->finished = true;
}

// zlib would wait for the rest of a header whose first byte is wrong, and would call a file that ends there cut.
static enum result gunzip_begin_member(struct gunzip *gunzip)
{
	char byte = gunzip->piece.data[0];

	if (byte == GUNZIP_MAGIC.data[0]) {
		gunzip->state = GUNZIP_MEMBER;
		return inflateReset(&gunzip->stream) == Z_OK ? RESULT_OK : RESULT_NO_MEMORY;
	}
	gunzip->piece = slice_from(gunzip->piece, 1);
	return byte == '\0' && gunzip->state == GUNZIP_BEHIND_MEMBER ? RESULT_OK : RESULT_MALFORMED;
}

static enum result gunzip_result(int status)
{
	switch (status) {
	case Z_OK:
	case Z_STREAM_END:
	case Z_BUF_ERROR: // it can only go on with more input
		return RESULT_OK;
	case Z_MEM_ERROR:
		return RESULT_NO_MEMORY;
	default:
		return RESULT_MALFORMED;
	}
}

// Unpacks as much as fits. May fail and have content: that came out before.
static enum result gunzip_unpack(struct gunzip *gunzip, struct slice *content)
{
	z_stream *stream = &gunzip->stream;
	size_t offered = gunzip->piece.length < UINT_MAX ? gunzip->piece.length : UINT_MAX;

	stream->next_in = (const Bytef *)gunzip->piece.data;
	stream->avail_in = (uInt)offered;
	stream->next_out = gunzip->content;
	stream->avail_out = GUNZIP_CONTENT_MAXIMUM;
	int status = inflate(stream, Z_NO_FLUSH);
	gunzip->piece = slice_from(gunzip->piece, offered - stream->avail_in);
	gunzip->full = stream->avail_out == 0 && status != Z_STREAM_END;
	if (status == Z_STREAM_END)
		gunzip->state = GUNZIP_BEHIND_MEMBER;
	*content = (struct slice){(const char *)gunzip->content, GUNZIP_CONTENT_MAXIMUM - stream->avail_out};
	if (content->length > gunzip->room) {
		content->length = (size_t)gunzip->room;
		return RESULT_TOO_LARGE;
	}
	gunzip->room -= content->length;
	return gunzip_result(status);
}

enum result gunzip_next(struct gunzip *gunzip, enum gunzip_kind *kind, struct slice *content)
{
	struct slice unpacked = SLICE("");

	TRY(gunzip->result);
	while (slice_is_empty(unpacked) && (gunzip->piece.length > 0 || gunzip->full)) {
		bool is_member = gunzip->state == GUNZIP_MEMBER;

		gunzip->result = is_member ? gunzip_unpack(gunzip, &unpacked) : gunzip_begin_member(gunzip);
		if (slice_is_empty(unpacked))
			TRY(gunzip->result);
	}
	if (!slice_is_empty(unpacked)) {
		*kind = GUNZIP_CONTENT;
		*content = unpacked;
	} else if (!gunzip->finished) {
		*kind = GUNZIP_MORE;
	} else {
		*kind = gunzip->state == GUNZIP_BEHIND_MEMBER ? GUNZIP_END : GUNZIP_CUT;
	}
	return RESULT_OK;
}

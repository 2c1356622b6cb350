#include "receive.h"

#include "codec/gunzip.h"
#include "file_field.h"

#include <inttypes.h>

#define PIECE_SIZE ((size_t)64 << 10)
#define MAGIC_LENGTH 2 // bytes that tell gzip from text

// Bytes run through these in order. What the body does not need is NULL.
struct reception {
	struct request *request;
	struct gunzip *encoding; // Content-Encoding: gzip
	struct file_field *field;
	struct buffer *start; // of the file, until it is known what it is
	struct gunzip *gzip;  // the file itself

	bool begun;
	uint64_t limit, received; // bytes of the file
	char bytes[PIECE_SIZE];
};

typedef enum result reception_reader(struct reception *reception, struct slice *piece);

static enum result reception_refuse_size(const struct reception *reception)
{
	struct request *request = reception->request;
	struct slice detail = arena_format(request->arena,
	                                   "The file may have at most %" PRIu64
	                                   " bytes, unpacked (CIOBRIDGE_CSV_MAX_BYTES).",
	                                   reception->limit);
	return refuse(request, RESULT_TOO_LARGE, detail.data);
}

int64_t reception_announced(const struct reception *reception)
{
	int64_t length = 0;
	slice_to_integer(request_header(reception->request, "CONTENT_LENGTH"), 0, INT64_MAX, &length);
	return length;
}

static enum result reception_open_gunzip(struct reception *reception, struct gunzip **gunzip)
{
	*gunzip = gunzip_new(reception->request->arena, reception->limit);
	return *gunzip != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result reception_open_encoding(struct reception *reception)
{
	struct slice encoding = request_header(reception->request, "HTTP_CONTENT_ENCODING");
	if (slice_is_empty(encoding) || slice_equal_ignoring_case(encoding, SLICE("identity")))
		return RESULT_OK;
	if (!slice_equal_ignoring_case(encoding, SLICE("gzip")) &&
	    !slice_equal_ignoring_case(encoding, SLICE("x-gzip")))
		return refuse(reception->request, RESULT_UNSUPPORTED_TYPE, "The Content-Encoding has to be gzip.");
	return reception_open_gunzip(reception, &reception->encoding);
}

enum result reception_open(struct request *request, struct reception **opened)
{
	struct reception *reception = arena_alloc(request->arena, sizeof(*reception));
	if (reception == NULL)
		return RESULT_NO_MEMORY;
	reception->request = request;
	reception->limit = (uint64_t)request->config->csv_max_bytes;
	reception->start = buffer_new(request->arena, 2 * PIECE_SIZE);
	if (reception->start == NULL)
		return RESULT_NO_MEMORY;
	TRY(reception_open_encoding(reception));
	TRY(file_field_open(request, &reception->field));
	// What is too large anyway need not come. Nobody packs a file to make it larger; a form holds other things too.
	if (reception->field == NULL && (uint64_t)reception_announced(reception) > reception->limit)
		return reception_refuse_size(reception);
	*opened = reception;
	return RESULT_OK;
}

static enum result reception_read_body(struct reception *reception, struct slice *piece)
{
	size_t length;
	TRY(request_read(reception->request, reception->bytes, PIECE_SIZE, &length));
	*piece = (struct slice){reception->bytes, length};
	return RESULT_OK;
}

static enum result reception_next_unpacked(struct reception *reception, struct gunzip *gunzip, enum gunzip_kind *kind,
                                           struct slice *piece)
{
	*piece = SLICE("");
	enum result result = gunzip_next(gunzip, kind, piece);
	if (result == RESULT_TOO_LARGE)
		return reception_refuse_size(reception);
	if (result == RESULT_MALFORMED)
		return refuse(reception->request, result, "The gzip data is damaged.");
	if (result == RESULT_OK && *kind == GUNZIP_CUT)
		return refuse(reception->request, RESULT_MALFORMED, "The gzip data is cut short.");
	return result;
}

static enum result reception_unpack(struct reception *reception, struct gunzip *gunzip, reception_reader *read,
                                    struct slice *piece)
{
	for (;;) {
		enum gunzip_kind kind;
		struct slice packed;
		TRY(reception_next_unpacked(reception, gunzip, &kind, piece));
		if (kind != GUNZIP_MORE)
			return RESULT_OK;
		TRY(read(reception, &packed));
		if (slice_is_empty(packed))
			gunzip_finish(gunzip);
		else
			gunzip_feed(gunzip, packed);
	}
}

static enum result reception_read_decoded(struct reception *reception, struct slice *piece)
{
	if (reception->encoding == NULL)
		return reception_read_body(reception, piece);
	return reception_unpack(reception, reception->encoding, reception_read_body, piece);
}

static enum result reception_read_field(struct reception *reception, struct slice *piece)
{
	if (reception->field == NULL)
		return reception_read_decoded(reception, piece);
	for (;;) {
		bool more;
		struct slice fed;
		TRY(file_field_next(reception->field, piece, &more));
		if (!more)
			return RESULT_OK;
		TRY(reception_read_decoded(reception, &fed));
		file_field_feed(reception->field, fed);
	}
}

static enum result reception_begin(struct reception *reception)
{
	struct slice piece;
	reception->begun = true;
	do {
		TRY(reception_read_field(reception, &piece));
		buffer_append(reception->start, piece);
	} while (piece.length > 0 && reception->start->length < MAGIC_LENGTH);
	if (buffer_failed(reception->start))
		return RESULT_NO_MEMORY;
	if (!gunzip_is_gzip(buffer_slice(reception->start)))
		return RESULT_OK;
	return reception_open_gunzip(reception, &reception->gzip);
}

static enum result reception_read_file(struct reception *reception, struct slice *piece)
{
	*piece = buffer_slice(reception->start);
	buffer_clear(reception->start);
	return piece->length > 0 ? RESULT_OK : reception_read_field(reception, piece);
}

enum result reception_next(struct reception *reception, struct slice *piece)
{
	if (!reception->begun)
		TRY(reception_begin(reception));
	if (reception->gzip == NULL)
		TRY(reception_read_file(reception, piece));
	else
		TRY(reception_unpack(reception, reception->gzip, reception_read_file, piece));
	reception->received += piece->length;
	return reception->received <= reception->limit ? RESULT_OK : reception_refuse_size(reception);
}

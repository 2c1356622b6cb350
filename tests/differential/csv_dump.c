// Reads CSV files from standard input and prints what codec/csv makes of each: one line of JSON a file, bytes in
// hexadecimal. Each file comes behind a line "LENGTH PIECE": its bytes, and how many of them are fed at once.
#include "base/arena.h"
#include "base/buffer.h"
#include "codec/csv.h"
#include "codec/encode.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAXIMUM (1 << 20) // bytes
#define MEMORY ((size_t)256 << 20)

#define REQUIRE(condition)                                                                                         \
	do {                                                                                                       \
		if (!(condition)) {                                                                                \
			fprintf(stderr, "csv_dump: broken: %s\n", #condition);                                     \
			exit(1);                                                                                   \
		}                                                                                                  \
	} while (0)

static void dump_row(struct arena *arena, struct json_writer *writer, const struct csv_row *row)
{
	json_open_object(writer);
	json_member_integer(writer, "line", row->line);
	json_member_text(writer, "raw", encode_hex(arena, row->raw));
	if (row->kind == CSV_FAULT) {
		json_member_text(writer, "fault", slice_of(row->fault));
		json_member_integer(writer, "column", (int64_t)row->column);
	} else {
		json_key(writer, "fields");
		json_open_array(writer);
		for (size_t i = 0; i < row->count; i++)
			json_write_text(writer, encode_hex(arena, row->fields[i]));
		json_close_array(writer);
	}
	json_close_object(writer);
}

static void dump_rows(struct arena *arena, struct json_writer *writer, struct csv *csv, struct slice file, size_t size)
{
	struct csv_row row;

	for (;;) {
		REQUIRE(csv_next(csv, &row) == RESULT_OK);
		if (row.kind == CSV_END)
			return;
		if (row.kind != CSV_MORE) {
			dump_row(arena, writer, &row);
		} else if (slice_is_empty(file)) {
			csv_finish(csv);
		} else {
			csv_feed(csv, (struct slice){file.data, file.length < size ? file.length : size});
			file = slice_from(file, size);
		}
	}
}

static void dump_file(struct arena *arena, struct slice file, size_t size)
{
	struct csv *csv = csv_new(arena);
	struct buffer *out = buffer_new(arena, MEMORY);

	REQUIRE(csv != NULL && out != NULL);
	struct json_writer writer = json_writer_on(out);
	json_open_object(&writer);
	json_key(&writer, "rows");
	json_open_array(&writer);
	dump_rows(arena, &writer, csv, file, size);
	json_close_array(&writer);
	json_member_text(&writer, "delimiter", (struct slice){(char[]){csv_delimiter(csv)}, 1});
	json_close_object(&writer);
	buffer_append_byte(out, '\n');
	REQUIRE(!buffer_failed(out) && fwrite(out->data, 1, out->length, stdout) == out->length);
}

static bool read_head(int64_t *length, int64_t *size)
{
	char line[64];

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	struct slice rest = slice_trim(slice_of(line)), first = slice_split(&rest, ' ');
	REQUIRE(slice_to_integer(first, 0, FILE_MAXIMUM, length));
	REQUIRE(slice_to_integer(rest, 1, FILE_MAXIMUM, size));
	return true;
}

int main(void)
{
	AUTO(arena_auto) struct arena *arena = arena_new(MEMORY);
	int64_t length, size;

	REQUIRE(arena != NULL);
	for (; read_head(&length, &size); arena_reset(arena)) {
		char *bytes = arena_alloc(arena, (size_t)length + 1);

		REQUIRE(bytes != NULL && fread(bytes, 1, (size_t)length, stdin) == (size_t)length);
		dump_file(arena, (struct slice){bytes, (size_t)length}, (size_t)size);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

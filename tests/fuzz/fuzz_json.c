// JSON: what is read can be walked, written and read again, and is still the same.
#include "codec/json.h"
#include "fuzz.h"

static void fuzz_walk(const struct json *value);

static void fuzz_walk_members(const struct json *object)
{
	const struct json *value;
	struct slice name;
	void *cursor = NULL;
	size_t count = 0;

	for (; json_next(object, &cursor, &name, &value); count++) {
		REQUIRE(slice_is_utf8(name) && !slice_contains(name, '\0'));
		REQUIRE(json_get(object, name.data) == value);
		fuzz_walk(value);
	}
	REQUIRE(count == json_count(object));
}

static void fuzz_walk(const struct json *value)
{
	int64_t number;

	REQUIRE(slice_is_utf8(json_text(value)) && !slice_contains(json_text(value), '\0'));
	REQUIRE(json_to_integer(value, INT64_MIN, INT64_MAX, &number) || !json_is_integer(value));
	if (json_is_object(value))
		fuzz_walk_members(value);
	for (size_t i = 0; json_is_array(value) && i < json_count(value); i++)
		fuzz_walk(json_at(value, i));
}

// data NULL when it would be too long: "\u00e9" may come back shorter, never longer, but 1e9 as 1000000000.0.
static struct slice fuzz_write(struct arena *arena, const struct json *value)
{
	struct buffer *buffer = buffer_new(arena, (size_t)1 << 20);
	REQUIRE(buffer);
	struct json_writer writer = json_writer_on(buffer);

	json_write_value(&writer, value);
	return buffer_failed(buffer) ? (struct slice){NULL, 0} : buffer_slice(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	const struct json *value = NULL, *again;
	struct slice reason = {NULL, 0}, written;

	if (json_parse(arena, fuzz_slice(data, size), &value, &reason) != RESULT_OK) {
		REQUIRE(value == NULL && reason.length > 0 && slice_is_utf8(reason));
		return 0;
	}
	fuzz_walk(value);
	written = fuzz_write(arena, value);
	if (written.data == NULL)
		return 0;
	REQUIRE(json_parse(arena, written, &again, NULL) == RESULT_OK);
	REQUIRE(slice_equal(fuzz_write(arena, again), written));
	return 0;
}

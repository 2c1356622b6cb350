// The environment: each line of the input is a variable. The variables that name a file get one that holds the input.
#include "codec/config.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VARIABLES 64

static const char *fuzz_file(struct slice content)
{
	static char path[32];
	static int file = -1;

	if (file < 0)
		file = memfd_create("value", MFD_CLOEXEC);
	REQUIRE(file >= 0 && ftruncate(file, 0) == 0);
	REQUIRE(pwrite(file, content.data, content.length, 0) == (ssize_t)content.length);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return path;
}

static char *fuzz_variable(struct arena *arena, struct slice line, struct slice input)
{
	struct slice value = line, name = slice_split(&value, '=');

	if (name.length >= 5 && slice_equal(slice_from(name, name.length - 5), SLICE("_FILE")))
		return (char *)arena_format(arena, "%.*s=%s", (int)name.length, name.data, fuzz_file(input)).data;
	return (char *)arena_copy(arena, line).data;
}

// Nothing of a secret is left in what is printed.
static void fuzz_print(struct arena *arena, struct config *config)
{
	struct buffer *one = buffer_new(arena, (size_t)1 << 20), *other = buffer_new(arena, (size_t)1 << 20);

	REQUIRE(one && other);
	config_print(config, one);
	REQUIRE(!buffer_failed(one) && one->length > 0);
	config->master_key = SLICE("another master key of thirty-two characters");
	config->redis_url = SLICE("unix:///another");
	if (config->admin_token.length > 0)
		config->admin_token = SLICE("another");
	config_print(config, other);
	REQUIRE(slice_equal(buffer_slice(one), buffer_slice(other)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = fuzz_arena();
	struct slice input = fuzz_slice(data, size), rest = input;
	char *environment[VARIABLES + 1] = {NULL};
	struct config config;
	struct buffer *faults = buffer_new(arena, (size_t)1 << 20);

	for (size_t i = 0; i < VARIABLES && rest.data != NULL; i++)
		environment[i] = fuzz_variable(arena, slice_split(&rest, '\n'), input);
	REQUIRE(faults);
	enum result result = config_read(arena, environment, &config, faults);
	REQUIRE(result == RESULT_OK ? faults->length == 0 : result == RESULT_INVALID && faults->length > 0);
	if (result == RESULT_OK)
		fuzz_print(arena, &config);
	return 0;
}

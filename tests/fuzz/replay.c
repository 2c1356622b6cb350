// Feeds each seed of a corpus to its fuzzer once, in place of libFuzzer. replay_<module> takes what tests/run gives to
// every program, --tap=FILE, and counts as one test.
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define SEED_MAXIMUM (64 << 10) // bytes

// In memory of exactly its size, so that a sanitizer or valgrind sees a read beyond it.
static void replay_file(const char *path)
{
	char bytes[SEED_MAXIMUM];
	FILE *file = fopen(path, "rb");
	REQUIRE(file);
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	REQUIRE(!ferror(file) && feof(file));
	fclose(file);

	uint8_t *seed = malloc(size);
	REQUIRE(seed || size == 0);
	if (size > 0)
		memcpy(seed, bytes, size);
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(seed, size);
	free(seed);
}

static int replay_is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_directory(const char *directory)
{
	struct dirent **entries;
	char path[512];
	int count = scandir(directory, &entries, replay_is_seed, alphasort);

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		replay_file(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return count;
}

int main(int argument_count, char **arguments)
{
	const char *module = strchr(program_invocation_short_name, '_');
	char directory[256];

	REQUIRE(module && argument_count > 1 && strncmp(arguments[1], "--tap=", 6) == 0);
	snprintf(directory, sizeof(directory), "tests/fuzz/corpus/%s", module + 1);
	REQUIRE(replay_directory(directory) > 0);
	FILE *tap = fopen(arguments[1] + 6, "w");
	REQUIRE(tap && fprintf(tap, "ok 1 - %s\n1..1\n", directory) > 0);
	return fclose(tap) == 0 ? 0 : 1;
}

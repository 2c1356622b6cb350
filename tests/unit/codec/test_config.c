#include "codec/config.h"

#include "base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "CIOBRIDGE_MASTER_KEY=0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct buffer *faults;
static char file_path[] = "/tmp/ciobridge-config-XXXXXX";

static void open_arena(void)
{
	arena = arena_new(1 << 20);
	faults = buffer_new(arena, 65536);
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(config, .init = open_arena, .fini = close_arena);

#define ENVIRONMENT(...) ((char *const[]){(char *)"PATH=/bin", __VA_ARGS__, NULL})

static struct config read_good(char *const *environment)
{
	struct config config;

	buffer_clear(faults);
	enum result result = config_read(arena, environment, &config, faults);
	struct slice told = buffer_slice(faults);
	cr_assert_eq(result, RESULT_OK, "%.*s", (int)told.length, told.data);
	cr_assert(slice_is_empty(told));
	return config;
}

static void assert_faults(char *const *environment, const char *expected)
{
	struct config config = {.log_level = 99};
	struct slice told;

	buffer_clear(faults);
	cr_assert_eq(config_read(arena, environment, &config, faults), RESULT_INVALID, "%s", expected);
	told = buffer_slice(faults);
	cr_assert(slice_equal(told, slice_of(expected)), "%.*s", (int)told.length, told.data);
	cr_assert_eq(config.log_level, 99);
}

static bool contains(struct slice text, const char *part)
{
	return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

static void write_file(struct slice content)
{
	int file = mkstemp(file_path);

	cr_assert_geq(file, 0);
	cr_assert_eq(write(file, content.data, content.length), (ssize_t)content.length);
	close(file);
}

static char *file_variable(const char *name)
{
	return (char *)arena_format(arena, "%s_FILE=%s", name, file_path).data;
}

Test(config, defaults)
{
	struct config config = read_good(ENVIRONMENT((char *)KEY));

	cr_assert(slice_equal(config.master_key, SLICE("0123456789abcdef0123456789abcdef")));
	cr_assert(slice_is_empty(config.admin_token));
	cr_assert(slice_equal(config.redis_url, SLICE("redis://127.0.0.1:6379")));
	cr_assert_eq(config.redis_wait_replicas, 0);
	cr_assert(slice_equal(config.public_url, SLICE("http://localhost:8080")));
	cr_assert_eq(config.log_level, LOG_INFO);
	cr_assert(slice_is_empty(config.trusted_proxies));
	cr_assert(slice_equal(config.state_directory, SLICE("var")));
	cr_assert(slice_is_empty(config.track_url) && slice_is_empty(config.track_url_eu));
	cr_assert(slice_is_empty(config.app_url) && slice_is_empty(config.app_url_eu));
	cr_assert(slice_is_empty(config.pipelines_url) && slice_is_empty(config.pipelines_url_eu));
}

Test(config, every_setting)
{
	struct config config = read_good(ENVIRONMENT(
		(char *)KEY, (char *)"CIOBRIDGE_ADMIN_TOKEN=0123456789abcdef",
		(char *)"CIOBRIDGE_REDIS_URL=unix:///run/redis.sock?db=2", (char *)"CIOBRIDGE_REDIS_WAIT_REPLICAS=16",
		(char *)"CIOBRIDGE_PUBLIC_URL=https://example.com/bridge//", (char *)"CIOBRIDGE_LOG_LEVEL=error",
		(char *)"CIOBRIDGE_TRUSTED_PROXIES=10.0.0.0/8, fd00::1", (char *)"CIOBRIDGE_STATE_DIR=/srv/a b=c",
		(char *)"CIOBRIDGE_TRACK_URL=http://t", (char *)"CIOBRIDGE_TRACK_URL_EU=http://te",
		(char *)"CIOBRIDGE_APP_URL=http://a", (char *)"CIOBRIDGE_APP_URL_EU=http://ae",
		(char *)"CIOBRIDGE_PIPELINES_URL=http://p", (char *)"CIOBRIDGE_PIPELINES_URL_EU=http://pe"));

	cr_assert(slice_equal(config.admin_token, SLICE("0123456789abcdef")));
	cr_assert(slice_equal(config.redis_url, SLICE("unix:///run/redis.sock?db=2")));
	cr_assert_eq(config.redis_wait_replicas, 16);
	cr_assert(slice_equal(config.public_url, SLICE("https://example.com/bridge")));
	cr_assert_eq(config.log_level, LOG_ERROR);
	cr_assert(slice_equal(config.trusted_proxies, SLICE("10.0.0.0/8, fd00::1")));
	cr_assert(slice_equal(config.state_directory, SLICE("/srv/a b=c")));
	cr_assert(slice_equal(config.track_url, SLICE("http://t")));
	cr_assert(slice_equal(config.track_url_eu, SLICE("http://te")));
	cr_assert(slice_equal(config.app_url, SLICE("http://a")));
	cr_assert(slice_equal(config.app_url_eu, SLICE("http://ae")));
	cr_assert(slice_equal(config.pipelines_url, SLICE("http://p")));
	cr_assert(slice_equal(config.pipelines_url_eu, SLICE("http://pe")));
}

Test(config, levels_are_those_of_the_log)
{
	static const struct {
		const char *variable;
		enum log_level level;
	} levels[] = {
		{"CIOBRIDGE_LOG_LEVEL=debug", LOG_DEBUG},
		{"CIOBRIDGE_LOG_LEVEL=info", LOG_INFO},
		{"CIOBRIDGE_LOG_LEVEL=warning", LOG_WARNING},
		{"CIOBRIDGE_LOG_LEVEL=error", LOG_ERROR},
	};

	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		struct config config = read_good(ENVIRONMENT((char *)KEY, (char *)levels[i].variable));

		cr_assert_eq(config.log_level, (int64_t)levels[i].level);
	}
}

Test(config, an_empty_value_is_an_unset_one)
{
	struct config config = read_good(ENVIRONMENT((char *)KEY, (char *)"CIOBRIDGE_MASTER_KEY_FILE=",
	                                             (char *)"CIOBRIDGE_LOG_LEVEL=", (char *)"CIOBRIDGE_PUBLIC_URL="));

	cr_assert_eq(config.log_level, LOG_INFO);
	cr_assert(slice_equal(config.public_url, SLICE("http://localhost:8080")));
	assert_faults(ENVIRONMENT((char *)"CIOBRIDGE_MASTER_KEY="), "CIOBRIDGE_MASTER_KEY: must be set\n");
}

Test(config, the_names_of_the_tests_are_let_through)
{
	read_good(ENVIRONMENT((char *)KEY, (char *)"CIOBRIDGE_TEST_REDIS=unix:///tmp/x", (char *)"CIOBRIDGER=1",
	                      (char *)"ciobridge_typo=1", (char *)"no equals sign"));
}

Test(config, unknown_names_get_the_nearest_known_one)
{
	static const struct {
		const char *variable, *fault;
	} cases[] = {
		{"CIOBRIDGE_REDIS_ULR=x",
		 "CIOBRIDGE_REDIS_ULR: unknown setting; the nearest known one is CIOBRIDGE_REDIS_URL\n"},
		{"CIOBRIDGE_LOGLEVEL=x",
		 "CIOBRIDGE_LOGLEVEL: unknown setting; the nearest known one is CIOBRIDGE_LOG_LEVEL\n"},
		{"CIOBRIDGE_PUBLIC_URL_FILE=x",
		 "CIOBRIDGE_PUBLIC_URL_FILE: unknown setting; the nearest known one is CIOBRIDGE_PUBLIC_URL\n"},
		{"CIOBRIDGE_STATE_DIRECTORY=x",
		 "CIOBRIDGE_STATE_DIRECTORY: unknown setting; the nearest known one is CIOBRIDGE_STATE_DIR\n"},
		{"CIOBRIDGE_ADMIN_TOKENS",
		 "CIOBRIDGE_ADMIN_TOKENS: unknown setting; the nearest known one is CIOBRIDGE_ADMIN_TOKEN\n"},
		{"CIOBRIDGE_log_level=x",
		 "CIOBRIDGE_log_level: unknown setting; the nearest known one is CIOBRIDGE_LOG_LEVEL\n"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_faults(ENVIRONMENT((char *)KEY, (char *)cases[i].variable), cases[i].fault);
}

Test(config, a_very_long_unknown_name_is_cut)
{
	struct slice name = arena_format(arena, "CIOBRIDGE_%05000d=x", 0);
	struct config config;

	cr_assert_eq(config_read(arena, ENVIRONMENT((char *)KEY, (char *)name.data), &config, faults), RESULT_INVALID);
	cr_assert_lt(buffer_slice(faults).length, 250);
}

#define BAD_BASE ": must be a URL that begins with http:// or https://\n"
#define BAD_PROXIES \
	"CIOBRIDGE_TRUSTED_PROXIES: must be 0 to 4096 characters out of 0123456789abcdefABCDEF.:/ ,\n"
#define BAD_REPLICAS "CIOBRIDGE_REDIS_WAIT_REPLICAS: must be an integer from 0 to 16\n"
#define BAD_REDIS "CIOBRIDGE_REDIS_URL: must be a URL that begins with redis://, rediss:// or unix://\n"
#define BAD_LEVEL "CIOBRIDGE_LOG_LEVEL: must be debug, info, warning or error\n"

Test(config, values_out_of_range)
{
	static const struct {
		const char *variable, *fault;
	} cases[] = {
		{"CIOBRIDGE_ADMIN_TOKEN=0123456789abcde", "CIOBRIDGE_ADMIN_TOKEN: must be 16 to 4096 characters\n"},
		{"CIOBRIDGE_ADMIN_TOKEN=0123456789\nabcdef", "CIOBRIDGE_ADMIN_TOKEN: must be 16 to 4096 characters\n"},
		{"CIOBRIDGE_REDIS_WAIT_REPLICAS=17", BAD_REPLICAS},
		{"CIOBRIDGE_REDIS_WAIT_REPLICAS=-1", BAD_REPLICAS},
		{"CIOBRIDGE_REDIS_WAIT_REPLICAS=1 ", BAD_REPLICAS},
		{"CIOBRIDGE_REDIS_WAIT_REPLICAS=99999999999999999999", BAD_REPLICAS},
		{"CIOBRIDGE_REDIS_URL=127.0.0.1:6379", BAD_REDIS},
		{"CIOBRIDGE_REDIS_URL=redis://", BAD_REDIS},
		{"CIOBRIDGE_REDIS_URL=redis://a b", BAD_REDIS},
		{"CIOBRIDGE_PUBLIC_URL=example.com", "CIOBRIDGE_PUBLIC_URL" BAD_BASE},
		{"CIOBRIDGE_PUBLIC_URL=ftp://example.com", "CIOBRIDGE_PUBLIC_URL" BAD_BASE},
		{"CIOBRIDGE_PUBLIC_URL=HTTP://example.com", "CIOBRIDGE_PUBLIC_URL" BAD_BASE},
		{"CIOBRIDGE_PUBLIC_URL=https:///", "CIOBRIDGE_PUBLIC_URL" BAD_BASE},
		{"CIOBRIDGE_PUBLIC_URL=http://\xc3\xa4", "CIOBRIDGE_PUBLIC_URL" BAD_BASE},
		{"CIOBRIDGE_PUBLIC_URL=http://a\r\nb", "CIOBRIDGE_PUBLIC_URL" BAD_BASE},
		{"CIOBRIDGE_TRACK_URL=x", "CIOBRIDGE_TRACK_URL" BAD_BASE},
		{"CIOBRIDGE_APP_URL_EU=x", "CIOBRIDGE_APP_URL_EU" BAD_BASE},
		{"CIOBRIDGE_LOG_LEVEL=loud", BAD_LEVEL},
		{"CIOBRIDGE_LOG_LEVEL=Info", BAD_LEVEL},
		{"CIOBRIDGE_LOG_LEVEL=debug info", BAD_LEVEL},
		{"CIOBRIDGE_LOG_LEVEL=1", BAD_LEVEL},
		{"CIOBRIDGE_TRUSTED_PROXIES=localhost", BAD_PROXIES},
		{"CIOBRIDGE_TRUSTED_PROXIES=10.0.0.1;10.0.0.2", BAD_PROXIES},
		{"CIOBRIDGE_STATE_DIR=a\tb", "CIOBRIDGE_STATE_DIR: must be 1 to 4096 characters\n"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_faults(ENVIRONMENT((char *)KEY, (char *)cases[i].variable), cases[i].fault);
}

Test(config, lengths_at_their_limits)
{
	read_good(ENVIRONMENT((char *)arena_format(arena, "CIOBRIDGE_MASTER_KEY=%032d", 0).data));
	read_good(ENVIRONMENT((char *)arena_format(arena, "CIOBRIDGE_MASTER_KEY=%04096d", 0).data));
	assert_faults(ENVIRONMENT((char *)arena_format(arena, "CIOBRIDGE_MASTER_KEY=%031d", 0).data),
	              "CIOBRIDGE_MASTER_KEY: must be 32 to 4096 characters\n");
	assert_faults(ENVIRONMENT((char *)arena_format(arena, "CIOBRIDGE_MASTER_KEY=%04097d", 0).data),
	              "CIOBRIDGE_MASTER_KEY: must be 32 to 4096 characters\n");
	read_good(ENVIRONMENT((char *)KEY, (char *)arena_format(arena, "CIOBRIDGE_APP_URL=http://%04089d", 0).data));
	assert_faults(ENVIRONMENT((char *)KEY, (char *)arena_format(arena, "CIOBRIDGE_APP_URL=http://%04090d", 0).data),
	              "CIOBRIDGE_APP_URL" BAD_BASE);
}

Test(config, every_fault_is_listed)
{
	assert_faults(ENVIRONMENT((char *)"CIOBRIDGE_LOG_LEVEL=loud", (char *)"CIOBRIDGE_REDIS_WAIT_REPLICAS=x",
	                          (char *)"CIOBRIDGE_APP_ULR=x"),
	              "CIOBRIDGE_APP_ULR: unknown setting; the nearest known one is CIOBRIDGE_APP_URL\n"
	              "CIOBRIDGE_MASTER_KEY: must be set\n" BAD_REPLICAS BAD_LEVEL);
}

Test(config, faults_that_do_not_fit_are_faults_too)
{
	struct buffer *none = buffer_new(arena, 0);
	struct config config;

	cr_assert_eq(config_read(arena, ENVIRONMENT((char *)"A=b"), &config, none), RESULT_INVALID);
}

Test(config, a_secret_from_a_file)
{
	static const struct slice contents[] = {
		{"0123456789abcdef0123456789abcdef", 32},
		{"0123456789abcdef0123456789abcdef\n", 33},
		{"0123456789abcdef0123456789abcdef\r\n\n", 35},
	};

	for (size_t i = 0; i < COUNT_OF(contents); i++) {
		memcpy(file_path + sizeof(file_path) - 7, "XXXXXX", 6);
		write_file(contents[i]);
		struct config config = read_good(ENVIRONMENT(file_variable("CIOBRIDGE_MASTER_KEY")));

		cr_assert(slice_equal(config.master_key, SLICE("0123456789abcdef0123456789abcdef")), "case %zu", i);
		unlink(file_path);
	}
}

Test(config, a_secret_from_a_file_that_is_no_good)
{
	static const struct slice contents[] = {
		{"", 0},
		{"\n", 1},
		{"short\n", 6},
		{"with a NUL\0 0123456789abcdef0123456789", 38},
	};

	for (size_t i = 0; i < COUNT_OF(contents); i++) {
		memcpy(file_path + sizeof(file_path) - 7, "XXXXXX", 6);
		write_file(contents[i]);
		assert_faults(ENVIRONMENT(file_variable("CIOBRIDGE_MASTER_KEY")),
		              "CIOBRIDGE_MASTER_KEY: must be 32 to 4096 characters\n");
		unlink(file_path);
	}
}

Test(config, a_secret_from_a_file_at_its_limit)
{
	struct config config;

	write_file(arena_format(arena, "%04096d\r\n", 0));
	config = read_good(ENVIRONMENT(file_variable("CIOBRIDGE_MASTER_KEY")));
	cr_assert_eq(config.master_key.length, 4096);
	unlink(file_path);
	memcpy(file_path + sizeof(file_path) - 7, "XXXXXX", 6);
	write_file(arena_format(arena, "%04097d\n%05000d", 0, 0));
	assert_faults(ENVIRONMENT(file_variable("CIOBRIDGE_MASTER_KEY")),
	              "CIOBRIDGE_MASTER_KEY: must be 32 to 4096 characters\n");
	unlink(file_path);
}

Test(config, a_file_that_cannot_be_read)
{
	assert_faults(ENVIRONMENT((char *)"CIOBRIDGE_MASTER_KEY_FILE=/nonexistent/key"),
	              "CIOBRIDGE_MASTER_KEY_FILE: cannot be read\n");
	assert_faults(ENVIRONMENT((char *)"CIOBRIDGE_MASTER_KEY_FILE=/tmp"),
	              "CIOBRIDGE_MASTER_KEY_FILE: cannot be read\n");
	assert_faults(ENVIRONMENT((char *)KEY, (char *)"CIOBRIDGE_MASTER_KEY_FILE=/tmp"),
	              "CIOBRIDGE_MASTER_KEY: set both itself and by _FILE\n");
}

Test(config, without_memory)
{
	struct arena *small = arena_new(10);
	struct config config;

	cr_assert_eq(config_read(small, ENVIRONMENT((char *)KEY), &config, faults), RESULT_NO_MEMORY);
	arena_free(small);
}

Test(config, prints_itself_without_secrets)
{
	struct buffer *out = buffer_new(arena, 65536);
	struct config config = read_good(
		ENVIRONMENT((char *)KEY, (char *)"CIOBRIDGE_ADMIN_TOKEN=admintokenadmintoken",
	                    (char *)"CIOBRIDGE_REDIS_URL=redis://:password@10.0.0.1",
	                    (char *)"CIOBRIDGE_LOG_LEVEL=warning", (char *)"CIOBRIDGE_REDIS_WAIT_REPLICAS=2"));

	config_print(&config, out);
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_MASTER_KEY=********\n"));
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_ADMIN_TOKEN=********\n"));
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_REDIS_URL=********\n"));
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_REDIS_WAIT_REPLICAS=2\n"));
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_LOG_LEVEL=warning\n"));
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_PUBLIC_URL=http://localhost:8080\n"));
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_TRACK_URL=\n"));
	cr_assert_not(contains(buffer_slice(out), "0123456789"));
	cr_assert_not(contains(buffer_slice(out), "admintoken"));
	cr_assert_not(contains(buffer_slice(out), "password"));
}

Test(config, an_unset_secret_prints_empty)
{
	struct buffer *out = buffer_new(arena, 65536);
	struct config config = read_good(ENVIRONMENT((char *)KEY));

	config_print(&config, out);
	cr_assert(contains(buffer_slice(out), "CIOBRIDGE_ADMIN_TOKEN=\n"));
}

Test(config, faults_never_hold_a_value)
{
	struct config config;

	config_read(arena,
	            ENVIRONMENT((char *)"CIOBRIDGE_MASTER_KEY=hushhush", (char *)"CIOBRIDGE_ADMIN_TOKEN=hush",
	                        (char *)"CIOBRIDGE_REDIS_URL=hush", (char *)"CIOBRIDGE_MASTERKEY=hush"),
	            &config, faults);
	cr_assert(contains(buffer_slice(faults), "CIOBRIDGE_REDIS_URL"));
	cr_assert_not(contains(buffer_slice(faults), "hush"));
}

Test(config, prints_its_table)
{
	struct buffer *out = buffer_new(arena, 65536);

	config_print_markdown(out);
	cr_assert_not(buffer_failed(out));
	cr_assert(slice_starts_with(buffer_slice(out), SLICE("| name | default | meaning |\n|---|---|---|\n")));
	cr_assert(contains(buffer_slice(out), "| `CIOBRIDGE_MASTER_KEY` | required | "));
	cr_assert(contains(buffer_slice(out), "| `CIOBRIDGE_LOG_LEVEL` | `info` | "));
	cr_assert(contains(buffer_slice(out), "Value: debug, info, warning or error. |\n"));
	cr_assert(contains(buffer_slice(out), "| `CIOBRIDGE_ADMIN_TOKEN` |  | "));
	cr_assert(contains(buffer_slice(out), "Value: 16 to 4096 characters. Secret. |\n"));
}

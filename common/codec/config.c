#include "codec/config.h"

#include "base/log.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_PREFIX "CIOBRIDGE_"
#define CONFIG_NAME_SIZE 64        // no known name is longer
#define CONFIG_VALUE_MAXIMUM 4096  // bytes
#define CONFIG_FAULT_NAME_SIZE 100 // of an unknown name, what is repeated
#define CONFIG_WEB "http:// https://"

enum config_type {
	CONFIG_TEXT,    // minimum to maximum bytes, each out of `choices` where it is given
	CONFIG_URL,     // begins with one of `choices`; slashes at its end are taken off
	CONFIG_INTEGER, // minimum to maximum
	CONFIG_CHOICE,  // one of `choices`, kept as its index
};

struct config_setting {
	const char *name;
	size_t offset; // in struct config: a slice for a text or URL, an int64_t otherwise
	enum config_type type;
	bool secret, required;
	int64_t minimum, maximum;
	const char *choices; // separated by spaces, except for a text
	const char *preset;  // the default as text; NULL: none
	const char *help;
};

#define CONFIG_BASE(variable, field, meaning)                                                                      \
	{.name = variable, .offset = offsetof(struct config, field), .type = CONFIG_URL, .choices = CONFIG_WEB,    \
	 .help = meaning}
#define CONFIG_EU_HELP "The same for the region EU. Unset: where the one above is set, that stands for both regions."

static const struct config_setting config_settings[] = {
	{
		.name = "CIOBRIDGE_MASTER_KEY", .offset = offsetof(struct config, master_key),
		.type = CONFIG_TEXT, .minimum = 32, .maximum = CONFIG_VALUE_MAXIMUM, .secret = true, .required = true,
		.help = "What stored credentials are sealed with. Without it they cannot be read again.",
	},
	{
		.name = "CIOBRIDGE_ADMIN_TOKEN", .offset = offsetof(struct config, admin_token),
		.type = CONFIG_TEXT, .minimum = 16, .maximum = CONFIG_VALUE_MAXIMUM, .secret = true,
		.help = "The root key, which may do everything in every project. Unset: there is none.",
	},
	{
		.name = "CIOBRIDGE_REDIS_URL", .offset = offsetof(struct config, redis_url),
		.type = CONFIG_URL, .choices = "redis:// rediss:// unix://", .secret = true,
		.preset = "redis://127.0.0.1:6379",
		.help = "Where Redis is, with user and password if it wants them.",
	},
	{
		.name = "CIOBRIDGE_REDIS_WAIT_REPLICAS", .offset = offsetof(struct config, redis_wait_replicas),
		.type = CONFIG_INTEGER, .minimum = 0, .maximum = 16, .preset = "0",
		.help = "How many replicas must have a write before it is acknowledged.",
	},
	{
		.name = "CIOBRIDGE_PUBLIC_URL", .offset = offsetof(struct config, public_url),
		.type = CONFIG_URL, .choices = CONFIG_WEB, .preset = "http://localhost:8080",
		.help = "The address under which the world reaches this service; links begin with it.",
	},
	{
		.name = "CIOBRIDGE_TRUSTED_PROXIES", .offset = offsetof(struct config, trusted_proxies),
		.type = CONFIG_TEXT, .maximum = CONFIG_VALUE_MAXIMUM, .choices = "0123456789abcdefABCDEF.:/ ,",
		.help = "Addresses or CIDR blocks, separated by commas, of proxies whose X-Forwarded-For is believed.",
	},
	{
		.name = "CIOBRIDGE_LOG_LEVEL", .offset = offsetof(struct config, log_level),
		.type = CONFIG_CHOICE, .choices = "debug info warning error", .preset = "info",
		.help = "The least important lines that are logged.",
	},
	{
		.name = "CIOBRIDGE_STATE_DIR", .offset = offsetof(struct config, state_directory),
		.type = CONFIG_TEXT, .minimum = 1, .maximum = CONFIG_VALUE_MAXIMUM, .preset = "var",
		.help = "Where `make run` keeps its state.",
	},
	{
		.name = "CIOBRIDGE_CSV_MAX_BYTES", .offset = offsetof(struct config, csv_max_bytes),
		.type = CONFIG_INTEGER, .minimum = 1, .maximum = INT64_C(1) << 40, .preset = "2147483648",
		.help = "Bytes that an uploaded CSV file may have once it is unpacked.",
	},
	CONFIG_BASE("CIOBRIDGE_TRACK_URL", track_url, "Used instead of https://track.customer.io."),
	CONFIG_BASE("CIOBRIDGE_TRACK_URL_EU", track_url_eu, CONFIG_EU_HELP),
	CONFIG_BASE("CIOBRIDGE_APP_URL", app_url, "Used instead of https://api.customer.io."),
	CONFIG_BASE("CIOBRIDGE_APP_URL_EU", app_url_eu, CONFIG_EU_HELP),
	CONFIG_BASE("CIOBRIDGE_PIPELINES_URL", pipelines_url, "Used instead of https://cdp.customer.io."),
	CONFIG_BASE("CIOBRIDGE_PIPELINES_URL_EU", pipelines_url_eu, CONFIG_EU_HELP),
};

_Static_assert(LOG_DEBUG == 0 && LOG_INFO == 1 && LOG_WARNING == 2 && LOG_ERROR == 3,
               "the choices of CIOBRIDGE_LOG_LEVEL stand in the order of enum log_level");

static void config_append_integer_range(const struct config_setting *setting, const char *unit, struct buffer *out)
{
	buffer_append_integer(out, setting->minimum);
	buffer_append_text(out, " to ");
	buffer_append_integer(out, setting->maximum);
	buffer_append_text(out, unit);
}

static void config_append_choices(const struct config_setting *setting, struct buffer *out)
{
	struct slice rest = slice_of(setting->choices);

	buffer_append(out, slice_split(&rest, ' '));
	while (rest.data != NULL) {
		struct slice choice = slice_split(&rest, ' ');

		buffer_append_text(out, rest.data == NULL ? " or " : ", ");
		buffer_append(out, choice);
	}
}

// What a value must be, in words.
static void config_append_rule(const struct config_setting *setting, struct buffer *out)
{
	switch (setting->type) {
	case CONFIG_TEXT:
		config_append_integer_range(setting, " characters", out);
		if (setting->choices != NULL)
			buffer_append_text(out, " out of ");
		buffer_append_text(out, setting->choices);
		break;
	case CONFIG_URL:
		buffer_append_text(out, "a URL that begins with ");
		config_append_choices(setting, out);
		break;
	case CONFIG_INTEGER:
		buffer_append_text(out, "an integer from ");
		config_append_integer_range(setting, "", out);
		break;
	case CONFIG_CHOICE:
		config_append_choices(setting, out);
		break;
	}
}

static void config_append_fault(struct buffer *faults, const char *name, const char *fault)
{
	buffer_append_text(faults, name);
	buffer_append_text(faults, fault);
	buffer_append_byte(faults, '\n');
}

static bool config_accept_text(const struct config_setting *setting, struct slice value, struct slice *place)
{
	if ((int64_t)value.length < setting->minimum || (int64_t)value.length > setting->maximum)
		return false;
	for (size_t i = 0; i < value.length; i++) {
		if ((unsigned char)value.data[i] < ' ' || value.data[i] == 0x7f)
			return false;
		if (setting->choices != NULL && !slice_contains(slice_of(setting->choices), value.data[i]))
			return false;
	}
	*place = value;
	return true;
}

static bool config_accept_url(const struct config_setting *setting, struct slice value, struct slice *place)
{
	struct slice rest = slice_of(setting->choices), url = value;

	while (url.length > 0 && url.data[url.length - 1] == '/')
		url.length--;
	for (size_t i = 0; i < value.length; i++) {
		if (value.data[i] <= ' ' || value.data[i] > '~')
			return false;
	}
	while (rest.data != NULL) {
		struct slice beginning = slice_split(&rest, ' ');

		if (value.length <= CONFIG_VALUE_MAXIMUM && url.length > beginning.length &&
		    slice_starts_with(url, beginning)) {
			*place = url;
			return true;
		}
	}
	return false;
}

static bool config_accept_choice(const struct config_setting *setting, struct slice value, int64_t *place)
{
	struct slice rest = slice_of(setting->choices);

	for (int64_t index = 0; rest.data != NULL; index++) {
		if (!slice_equal(slice_split(&rest, ' '), value))
			continue;
		*place = index;
		return true;
	}
	return false;
}

static bool config_accept(const struct config_setting *setting, struct slice value, struct config *config)
{
	void *place = (char *)config + setting->offset;

	switch (setting->type) {
	case CONFIG_TEXT:
		return config_accept_text(setting, value, place);
	case CONFIG_URL:
		return config_accept_url(setting, value, place);
	case CONFIG_INTEGER:
		return slice_to_integer(value, setting->minimum, setting->maximum, place);
	case CONFIG_CHOICE:
		return config_accept_choice(setting, value, place);
	}
	return false;
}

// The value of the variable <name><suffix>; empty when it is unset.
static struct slice config_find_variable(char *const *environment, const char *name, const char *suffix)
{
	for (; *environment != NULL; environment++) {
		struct slice value = slice_of(*environment), variable = slice_split(&value, '=');

		if (slice_starts_with(variable, slice_of(name)) &&
		    slice_equal(slice_from(variable, strlen(name)), slice_of(suffix)))
			return value;
	}
	return SLICE("");
}

static size_t config_read_all(int file, char *bytes, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t part = read(file, bytes + length, size - length);

		if (part < 0)
			return SIZE_MAX;
		if (part == 0)
			break;
		length += (size_t)part;
	}
	return length;
}

// False when the file cannot be read. One that is too long gives a value that is too long; without memory its data is
// NULL. The path ends with its variable, so with a NUL.
static bool config_read_file(struct arena *arena, struct slice path, struct slice *value)
{
	char bytes[CONFIG_VALUE_MAXIMUM + 3]; // two bytes of line end, one too many
	int file = open(path.data, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return false;
	size_t length = config_read_all(file, bytes, sizeof(bytes));
	close(file);
	if (length == SIZE_MAX)
		return false;
	while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	*value = arena_copy(arena, (struct slice){bytes, length});
	explicit_bzero(bytes, sizeof(bytes));
	return true;
}

static enum result config_read_setting(struct arena *arena, char *const *environment,
                                       const struct config_setting *setting, struct config *config,
                                       struct buffer *faults)
{
	struct slice given = config_find_variable(environment, setting->name, "");
	struct slice path = setting->secret ? config_find_variable(environment, setting->name, "_FILE") : SLICE("");
	struct slice value = arena_copy(arena, slice_is_empty(given) ? slice_of(setting->preset) : given);

	if (!slice_is_empty(given) && !slice_is_empty(path)) {
		config_append_fault(faults, setting->name, ": set both itself and by _FILE");
		return RESULT_OK;
	}
	if (!slice_is_empty(path) && !config_read_file(arena, path, &value)) {
		config_append_fault(faults, setting->name, "_FILE: cannot be read");
		return RESULT_OK;
	}
	if (value.data == NULL)
		return RESULT_NO_MEMORY;
	bool unset = slice_is_empty(value) && slice_is_empty(path);
	if (unset && setting->required)
		config_append_fault(faults, setting->name, ": must be set");
	if (unset || config_accept(setting, value, config))
		return RESULT_OK;
	buffer_append_text(faults, setting->name);
	buffer_append_text(faults, ": must be ");
	config_append_rule(setting, faults);
	buffer_append_byte(faults, '\n');
	return RESULT_OK;
}

static size_t config_minimum(size_t a, size_t b)
{
	return a < b ? a : b;
}

// Levenshtein distance, one row at a time. Names are cut at CONFIG_NAME_SIZE.
static size_t config_name_distance(struct slice a, struct slice b)
{
	size_t row[CONFIG_NAME_SIZE + 1];

	a.length = config_minimum(a.length, CONFIG_NAME_SIZE);
	b.length = config_minimum(b.length, CONFIG_NAME_SIZE);
	for (size_t j = 0; j <= b.length; j++)
		row[j] = j;
	for (size_t i = 0; i < a.length; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b.length; j++) {
			size_t replaced = diagonal + (a.data[i] == b.data[j] ? 0 : 1);

			diagonal = row[j + 1];
			row[j + 1] = config_minimum(replaced, config_minimum(row[j], row[j + 1]) + 1);
		}
	}
	return row[b.length];
}

static const char *config_nearest_name(struct slice name)
{
	const char *nearest = config_settings[0].name;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < COUNT_OF(config_settings); i++) {
		size_t distance = config_name_distance(name, slice_of(config_settings[i].name));

		if (distance >= least)
			continue;
		least = distance;
		nearest = config_settings[i].name;
	}
	return nearest;
}

static bool config_knows(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(config_settings); i++) {
		struct slice known = slice_of(config_settings[i].name);

		if (slice_equal(name, known))
			return true;
		if (config_settings[i].secret && slice_starts_with(name, known) &&
		    slice_equal(slice_from(name, known.length), SLICE("_FILE")))
			return true;
	}
	return false;
}

static void config_check_name(struct slice name, struct buffer *faults)
{
	// The tests tell each other where their Redis is by CIOBRIDGE_TEST_ names, and executables inherit those.
	if (!slice_starts_with(name, SLICE(CONFIG_PREFIX)) || slice_starts_with(name, SLICE(CONFIG_PREFIX "TEST_")) ||
	    config_knows(name))
		return;
	struct slice shown = name;
	shown.length = config_minimum(name.length, CONFIG_FAULT_NAME_SIZE);
	buffer_append(faults, shown);
	config_append_fault(faults, ": unknown setting; the nearest known one is ", config_nearest_name(name));
}

enum result config_read(struct arena *arena, char *const *environment, struct config *config, struct buffer *faults)
{
	struct config read = {0};
	size_t before = faults->length;

	for (char *const *entry = environment; *entry != NULL; entry++) {
		struct slice rest = slice_of(*entry);

		config_check_name(slice_split(&rest, '='), faults);
	}
	for (size_t i = 0; i < COUNT_OF(config_settings); i++)
		TRY(config_read_setting(arena, environment, &config_settings[i], &read, faults));
	if (faults->length > before || buffer_failed(faults))
		return RESULT_INVALID;
	*config = read;
	return RESULT_OK;
}

static void config_print_choice(const struct config_setting *setting, int64_t index, struct buffer *out)
{
	struct slice rest = slice_of(setting->choices), choice = slice_split(&rest, ' ');

	while (index-- > 0)
		choice = slice_split(&rest, ' ');
	buffer_append(out, choice);
}

static void config_print_value(const struct config_setting *setting, const void *place, struct buffer *out)
{
	switch (setting->type) {
	case CONFIG_TEXT:
	case CONFIG_URL:
		if (setting->secret && !slice_is_empty(*(const struct slice *)place))
			buffer_append_text(out, "********");
		else
			buffer_append(out, *(const struct slice *)place);
		break;
	case CONFIG_INTEGER:
		buffer_append_integer(out, *(const int64_t *)place);
		break;
	case CONFIG_CHOICE:
		config_print_choice(setting, *(const int64_t *)place, out);
		break;
	}
}

void config_print(const struct config *config, struct buffer *out)
{
	for (size_t i = 0; i < COUNT_OF(config_settings); i++) {
		const struct config_setting *setting = &config_settings[i];

		buffer_append_text(out, setting->name);
		buffer_append_byte(out, '=');
		config_print_value(setting, (const char *)config + setting->offset, out);
		buffer_append_byte(out, '\n');
	}
}

static void config_print_row(const struct config_setting *setting, struct buffer *out)
{
	buffer_append_text(out, "| `");
	buffer_append_text(out, setting->name);
	buffer_append_text(out, setting->preset != NULL ? "` | `" : "` | ");
	buffer_append_text(out, setting->required ? "required" : setting->preset);
	buffer_append_text(out, setting->preset != NULL ? "` | " : " | ");
	buffer_append_text(out, setting->help);
	buffer_append_text(out, " Value: ");
	config_append_rule(setting, out);
	buffer_append_text(out, setting->secret ? ". Secret. |\n" : ". |\n");
}

void config_print_markdown(struct buffer *out)
{
	buffer_append_text(out, "| name | default | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < COUNT_OF(config_settings); i++)
		config_print_row(&config_settings[i], out);
}

// The configuration: one table of settings (codec/config.c), read once from the environment. No other code calls
// getenv. The table also prints itself (--print-config) and generates the README's table.
#ifndef CIOBRIDGE_CODEC_CONFIG_H
#define CIOBRIDGE_CODEC_CONFIG_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdint.h>

struct config {
	struct slice admin_token;     // CIOBRIDGE_ADMIN_TOKEN, secret; empty: there is no root key
	struct slice master_key;      // CIOBRIDGE_MASTER_KEY, secret, at least 32 characters
	struct slice redis_url;       // CIOBRIDGE_REDIS_URL, secret (it may hold a password), as store_new takes it
	int64_t redis_wait_replicas;  // CIOBRIDGE_REDIS_WAIT_REPLICAS
	struct slice public_url;      // CIOBRIDGE_PUBLIC_URL, without a slash at its end
	int64_t log_level;            // CIOBRIDGE_LOG_LEVEL as enum log_level
	struct slice trusted_proxies; // CIOBRIDGE_TRUSTED_PROXIES
	struct slice state_directory; // CIOBRIDGE_STATE_DIR
	int64_t csv_max_bytes;        // CIOBRIDGE_CSV_MAX_BYTES

	// CIOBRIDGE_TRACK_URL and so on: bases that replace Customer.io's own; empty: Customer.io's.
	struct slice track_url, track_url_eu;
	struct slice app_url, app_url_eu;
	struct slice pipelines_url, pipelines_url_eu;
};

// Reads every setting from `environment` (NAME=value strings, NULL-terminated); an empty value is an unset one.
// NAME_FILE names a file whose content, without line ends at its end, is the value of a secret. RESULT_INVALID with
// *faults listing every fault, one a line and never with a value (unknown CIOBRIDGE_ name with the nearest known one,
// value out of range, both NAME and NAME_FILE, unreadable file, missing required setting); RESULT_NO_MEMORY. *config
// is then untouched. The values live in the arena.
enum result config_read(struct arena *arena, char *const *environment, struct config *config, struct buffer *faults);

// NAME=value lines of what is in force, secrets as "********" or empty when unset.
void config_print(const struct config *config, struct buffer *out);

// The table for the README: name, default, meaning, in Markdown.
void config_print_markdown(struct buffer *out);

#endif

#include "io/store_url.h"

#include "codec/encode.h"

#define DEFAULT_PORT 6379

static enum result url_read_credentials(struct arena *arena, struct slice *authority, struct store_url *url)
{
	for (size_t i = authority->length; i-- > 0;) {
		if (authority->data[i] != '@')
			continue;
		struct slice password = {authority->data, i};
		struct slice user = slice_split(&password, ':');
		*authority = slice_from(*authority, i + 1);
		TRY(decode_percent(arena, user, false, &url->user));
		return decode_percent(arena, password, false, &url->password);
	}
	return RESULT_OK;
}

static enum result url_read_authority(struct arena *arena, struct slice authority, struct store_url *url)
{
	int64_t port = DEFAULT_PORT;
	struct slice host;
	TRY(url_read_credentials(arena, &authority, url));
	if (slice_starts_with(authority, SLICE("["))) {
		authority = slice_from(authority, 1);
		host = slice_split(&authority, ']');
		authority = slice_from(authority, slice_starts_with(authority, SLICE(":")) ? 1 : 0);
	} else {
		host = slice_split(&authority, ':');
	}
	if (!slice_is_empty(authority) && !slice_to_integer(authority, 1, 65535, &port))
		return RESULT_INVALID;
	url->port = (int)port;
	url->host = arena_copy(arena, slice_is_empty(host) ? SLICE("127.0.0.1") : host).data;
	return url->host != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result url_read_socket(struct arena *arena, struct slice rest, struct store_url *url)
{
	struct slice path = slice_split(&rest, '?');
	if (!slice_starts_with(path, SLICE("/")))
		return RESULT_INVALID;
	if (slice_starts_with(rest, SLICE("db=")))
		url->database = slice_from(rest, 3);
	url->host = arena_copy(arena, path).data;
	return url->host != NULL ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result store_url_read(struct arena *arena, struct slice text, struct store_url *url)
{
	int64_t database;
	struct slice rest = arena_copy(arena, text);
	*url = (struct store_url){.tls = slice_starts_with(text, SLICE("rediss://"))};
	if (rest.data == NULL)
		return RESULT_NO_MEMORY;
	if (slice_starts_with(text, SLICE("unix://"))) {
		TRY(url_read_socket(arena, slice_from(rest, sizeof("unix://") - 1), url));
	} else {
		if (!url->tls && !slice_starts_with(text, SLICE("redis://")))
			return RESULT_INVALID;
		slice_split(&rest, ':');
		rest = slice_from(rest, 2);
		TRY(url_read_authority(arena, slice_split(&rest, '/'), url));
		url->database = rest;
	}
	if (!slice_is_empty(url->database) && !slice_to_integer(url->database, 0, 65535, &database))
		return RESULT_INVALID;
	return RESULT_OK;
}

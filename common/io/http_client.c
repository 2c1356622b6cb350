#include "io/http_client.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "codec/crypt.h"
#include "io/public_address.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE_SIZE 16384L // bytes that a sink gets at most
#define CODE_TOO_LARGE 100 // CURLE_TOO_LARGE

struct http_client {
	// By any_address: a connection that was opened to any address must not be used again by a request that wants a
	// public one.
	CURLM *connections[2];
	struct http_options options;
};

struct http_transfer {
	struct http_client *client;
	const struct http_request *request;
	CURL *easy;
	struct curl_slist *headers;
	struct buffer *body;
	size_t header_bytes;
	int64_t between_us; // when `between` was last called
	enum result broken; // why one of our functions broke it off; RESULT_OK: none did
	bool by_caller;     // and it was the caller's
	bool wrong_address; // one was refused …
	bool tried_address; // … and one was not
	bool bad_option;
};

// A failed option sticks: an option that this libcurl does not have must not be passed over in silence.
#define HTTP_SET(transfer, option, value)                                                                          \
	((transfer)->bad_option |= curl_easy_setopt((transfer)->easy, (option), (value)) != CURLE_OK)

struct http_client *http_client_new(const struct http_options *options)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (client == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(client);
		return NULL;
	}
	client->options = *options;
	client->connections[0] = curl_multi_init();
	client->connections[1] = curl_multi_init();
	if (client->connections[0] != NULL && client->connections[1] != NULL)
		return client;
	http_client_free(client);
	return NULL;
}

void http_client_free(void *object)
{
	struct http_client *client = object;

	if (client == NULL)
		return;
	curl_multi_cleanup(client->connections[0]);
	curl_multi_cleanup(client->connections[1]);
	curl_global_cleanup();
	free(client);
}

const struct patience *http_client_patience(const struct http_client *client)
{
	return &client->options.patience;
}

// What may stand in a URL, a header or a secret without ending it.
static bool http_is_printable(struct slice text, char first)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < first || text.data[i] > '~')
			return false;
	}
	return true;
}

// What stands between scheme and path.
static struct slice http_host(const struct http_request *request)
{
	struct slice rest = request->url;

	slice_split(&rest, ':');
	rest = slice_from(rest, 2);
	struct slice host = slice_split(&rest, '/');
	host = slice_split(&host, '?');
	return slice_split(&host, '#');
}

static curl_socket_t http_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *transfer = context;

	(void)purpose;
	if (!transfer->request->any_address && !address_is_public(&address->addr, address->addrlen)) {
		transfer->wrong_address = true;
		return CURL_SOCKET_BAD;
	}
	transfer->tried_address = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t http_take_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_transfer *transfer = context;

	(void)bytes;
	transfer->header_bytes += size * count;
	if (transfer->header_bytes <= HTTP_HEADERS_MAXIMUM)
		return size * count;
	transfer->broken = RESULT_TOO_LARGE;
	return 0;
}

static enum result http_gather(struct http_transfer *transfer, struct slice piece)
{
	if (piece.length > transfer->body->limit - transfer->body->length)
		return RESULT_TOO_LARGE;
	buffer_append(transfer->body, piece);
	return buffer_failed(transfer->body) ? RESULT_NO_MEMORY : RESULT_OK;
}

static size_t http_take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_transfer *transfer = context;
	const struct http_request *request = transfer->request;
	struct slice piece = {bytes, size * count};
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	bool sinks = request->sink != NULL && status / 100 == 2;
	transfer->broken = sinks ? request->sink(request->sink_context, piece) : http_gather(transfer, piece);
	transfer->by_caller = sinks && transfer->broken != RESULT_OK;
	return transfer->broken == RESULT_OK ? piece.length : 0;
}

static void http_set_rules(struct http_transfer *transfer)
{
	HTTP_SET(transfer, CURLOPT_NOSIGNAL, 1L);
	HTTP_SET(transfer, CURLOPT_PROXY, "");
	HTTP_SET(transfer, CURLOPT_FOLLOWLOCATION, 0L);
	HTTP_SET(transfer, CURLOPT_PROTOCOLS_STR, transfer->request->any_address ? "http,https" : "https");
	HTTP_SET(transfer, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	HTTP_SET(transfer, CURLOPT_SSL_VERIFYPEER, 1L);
	HTTP_SET(transfer, CURLOPT_SSL_VERIFYHOST, 2L);
	if (transfer->client->options.authorities != NULL)
		HTTP_SET(transfer, CURLOPT_CAINFO, transfer->client->options.authorities);
	HTTP_SET(transfer, CURLOPT_OPENSOCKETFUNCTION, http_open_socket);
	HTTP_SET(transfer, CURLOPT_OPENSOCKETDATA, transfer);
	// One request at a time gains nothing from HTTP/2.
	HTTP_SET(transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	// An identifier in a path is not to be taken for a step upwards.
	HTTP_SET(transfer, CURLOPT_PATH_AS_IS, 1L);
	HTTP_SET(transfer, CURLOPT_USERAGENT, "ciobridge");
	HTTP_SET(transfer, CURLOPT_BUFFERSIZE, PIECE_SIZE);
	HTTP_SET(transfer, CURLOPT_HEADERFUNCTION, http_take_header);
	HTTP_SET(transfer, CURLOPT_HEADERDATA, transfer);
	HTTP_SET(transfer, CURLOPT_WRITEFUNCTION, http_take_body);
	HTTP_SET(transfer, CURLOPT_WRITEDATA, transfer);
}

static void http_set_limits(struct http_transfer *transfer)
{
	const struct http_request *request = transfer->request;

	HTTP_SET(transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
	// The resolver's thread would otherwise be waited for when a call is broken off, however long it takes.
	HTTP_SET(transfer, CURLOPT_QUICK_EXIT, 1L);
	int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : HTTP_TIMEOUT_MS;
	if (request->sink == NULL) {
		HTTP_SET(transfer, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
		return;
	}
	HTTP_SET(transfer, CURLOPT_LOW_SPEED_LIMIT, (long)HTTP_SLOWEST_BYTES);
	HTTP_SET(transfer, CURLOPT_LOW_SPEED_TIME, (long)(timeout_ms / 1000));
}

// libcurl takes strings with a NUL and keeps a copy for as long as the call lasts; ours is wiped.
static enum result http_set_secret(struct http_transfer *transfer, CURLoption option, struct slice secret)
{
	char text[HTTP_SECRET_MAXIMUM + 1];

	if (secret.length > HTTP_SECRET_MAXIMUM || !http_is_printable(secret, ' '))
		return RESULT_INVALID;
	if (secret.length > 0)
		memcpy(text, secret.data, secret.length);
	text[secret.length] = '\0';
	HTTP_SET(transfer, option, text);
	crypt_wipe(text, sizeof(text));
	return RESULT_OK;
}

static enum result http_set_credentials(struct http_transfer *transfer)
{
	const struct http_request *request = transfer->request;

	if (request->user.data != NULL) {
		HTTP_SET(transfer, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		TRY(http_set_secret(transfer, CURLOPT_USERNAME, request->user));
		return http_set_secret(transfer, CURLOPT_PASSWORD, request->password);
	}
	if (request->bearer.data == NULL)
		return RESULT_OK;
	HTTP_SET(transfer, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
	return http_set_secret(transfer, CURLOPT_XOAUTH2_BEARER, request->bearer);
}

static enum result http_add_header(struct http_transfer *transfer, const char *line)
{
	struct curl_slist *longer = line == NULL ? NULL : curl_slist_append(transfer->headers, line);

	if (longer == NULL)
		return RESULT_NO_MEMORY;
	transfer->headers = longer;
	return RESULT_OK;
}

static enum result http_set_headers(struct http_transfer *transfer, struct arena *arena)
{
	const struct http_request *request = transfer->request;

	// Nothing that we send is worth a question first.
	TRY(http_add_header(transfer, "Expect:"));
	for (size_t i = 0; i < request->header_count; i++) {
		struct slice value = request->headers[i].value;

		if (!http_is_printable(value, ' '))
			return RESULT_INVALID;
		TRY(http_add_header(transfer, arena_format(arena, "%s: %.*s", request->headers[i].name,
		                                           (int)value.length, value.data).data));
	}
	HTTP_SET(transfer, CURLOPT_HTTPHEADER, transfer->headers);
	return RESULT_OK;
}

static enum result http_set_request(struct http_transfer *transfer, struct arena *arena)
{
	const struct http_request *request = transfer->request;
	struct slice url = arena_copy(arena, request->url);

	if (url.data == NULL)
		return RESULT_NO_MEMORY;
	HTTP_SET(transfer, CURLOPT_URL, url.data);
	if (request->body.data != NULL) {
		HTTP_SET(transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
		HTTP_SET(transfer, CURLOPT_POSTFIELDS, request->body.data);
	}
	if (request->method != NULL)
		HTTP_SET(transfer, CURLOPT_CUSTOMREQUEST, request->method);
	TRY(http_set_headers(transfer, arena));
	return http_set_credentials(transfer);
}

static enum result http_check_request(const struct http_request *request)
{
	if (!http_is_printable(request->url, '!') || slice_contains(http_host(request), '@'))
		return RESULT_INVALID;
	if (slice_starts_with(request->url, SLICE("http://")))
		return request->any_address ? RESULT_OK : RESULT_FORBIDDEN;
	return slice_starts_with(request->url, SLICE("https://")) ? RESULT_OK : RESULT_INVALID;
}

static enum result http_prepare(struct http_transfer *transfer, struct arena *arena)
{
	TRY(http_check_request(transfer->request));
	transfer->easy = curl_easy_init();
	transfer->body = buffer_new(arena, transfer->request->answer_limit);
	if (transfer->easy == NULL || transfer->body == NULL)
		return RESULT_NO_MEMORY;
	http_set_rules(transfer);
	http_set_limits(transfer);
	TRY(http_set_request(transfer, arena));
	return transfer->bad_option ? RESULT_NO_MEMORY : RESULT_OK;
}

static void http_transfer_end(struct http_transfer *transfer)
{
	curl_slist_free_all(transfer->headers);
	curl_easy_cleanup(transfer->easy);
}

static bool http_goes_on(struct http_transfer *transfer)
{
	int64_t now_us = clock_monotonic_us();

	if (now_us - transfer->between_us < PATIENCE_STEP_MS * 1000)
		return true;
	transfer->between_us = now_us;
	transfer->broken = patience_between(&transfer->client->options.patience);
	transfer->by_caller = transfer->broken != RESULT_OK;
	return !transfer->by_caller;
}

static enum result http_wait(struct http_transfer *transfer, CURLM *connections)
{
	int running = 1;

	transfer->between_us = clock_monotonic_us();
	do {
		if (curl_multi_perform(connections, &running) != CURLM_OK ||
		    (running > 0 && curl_multi_poll(connections, NULL, 0, PATIENCE_STEP_MS, NULL) != CURLM_OK))
			return RESULT_NO_MEMORY;
	} while (running > 0 && http_goes_on(transfer));
	return RESULT_OK;
}

static enum result http_run(struct http_transfer *transfer, CURLcode *code)
{
	CURLM *connections = transfer->client->connections[transfer->request->any_address];
	int left;

	if (curl_multi_add_handle(connections, transfer->easy) != CURLM_OK)
		return RESULT_NO_MEMORY;
	enum result result = http_wait(transfer, connections);
	const CURLMsg *message = curl_multi_info_read(connections, &left);
	*code = message == NULL ? CURLE_ABORTED_BY_CALLBACK : message->data.result;
	curl_multi_remove_handle(connections, transfer->easy);
	return result;
}

static struct slice http_header(const struct http_transfer *transfer, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return SLICE("");
	return slice_trim(slice_of(header->value));
}

// As a date it is compared with the peer's own clock, where the answer tells it.
static int64_t http_read_retry_after(const struct http_transfer *transfer)
{
	struct slice text = http_header(transfer, "Retry-After");
	int64_t seconds;

	if (!slice_to_integer(text, 0, INT64_MAX, &seconds)) {
		time_t until = curl_getdate(text.data, NULL);
		time_t now = curl_getdate(http_header(transfer, "Date").data, NULL);

		if (until < 0)
			return -1;
		if (now < 0)
			now = (time_t)(clock_now_ms() / 1000);
		seconds = until > now ? until - now : 0;
	}
	return seconds < HTTP_RETRY_AFTER_MAXIMUM_MS / 1000 ? seconds * 1000 : HTTP_RETRY_AFTER_MAXIMUM_MS;
}

static void http_read_answer(struct http_transfer *transfer, struct arena *arena, struct http_answer *answer)
{
	const char *location = NULL;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location);
	answer->status = (int)status;
	answer->body = buffer_slice(transfer->body);
	answer->content_type = arena_copy(arena, http_header(transfer, "Content-Type"));
	answer->location = arena_copy(arena, slice_of(location));
	answer->retry_after_ms = http_read_retry_after(transfer);
}

// To libcurl a single header over its own limit is a want of memory, before 8.6 gave it a name.
static bool http_has_begun(const struct http_transfer *transfer)
{
	curl_off_t first_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
	return first_us > 0;
}

static enum result http_judge(const struct http_transfer *transfer, CURLcode code)
{
	if (transfer->broken != RESULT_OK)
		return transfer->broken;
	if (transfer->wrong_address && !transfer->tried_address)
		return RESULT_FORBIDDEN;
	switch ((int)code) {
	case CURLE_OK:
		return RESULT_OK;
	case CURLE_URL_MALFORMAT:
		return RESULT_INVALID;
	case CURLE_OUT_OF_MEMORY:
		return http_has_begun(transfer) ? RESULT_TOO_LARGE : RESULT_NO_MEMORY;
	case CODE_TOO_LARGE:
		return RESULT_TOO_LARGE;
	default:
		return RESULT_UNAVAILABLE;
	}
}

static const char *http_reason(enum result result, CURLcode code)
{
	static const char *const reasons[] = {
		[RESULT_FORBIDDEN] = "it is no public address, or not https",
		[RESULT_TOO_LARGE] = "its answer is too long",
		[RESULT_INVALID] = "the request cannot be sent",
		[RESULT_NO_MEMORY] = "out of memory",
	};

	return result == RESULT_UNAVAILABLE ? curl_easy_strerror(code) : reasons[result];
}

static enum result http_exchange(struct http_transfer *transfer, struct arena *arena, struct http_answer *answer,
                                 CURLcode *code)
{
	TRY(http_prepare(transfer, arena));
	TRY(http_run(transfer, code));
	TRY(http_judge(transfer, *code));
	http_read_answer(transfer, arena, answer);
	return answer->content_type.data == NULL || answer->location.data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result http_call(struct http_client *client, struct arena *arena, const struct http_request *request,
                      struct http_answer *answer)
{
	AUTO(http_transfer_end) struct http_transfer transfer = {.client = client, .request = request};
	CURLcode code = CURLE_OK;

	*answer = (struct http_answer){.retry_after_ms = -1};
	enum result result = http_exchange(&transfer, arena, answer, &code);
	if (result != RESULT_OK && !transfer.by_caller) {
		struct slice host = http_host(request);

		while (slice_contains(host, '@'))
			slice_split(&host, '@');
		answer->fault = arena_format(arena, "%.*s: %s", (int)host.length, host.data, http_reason(result, code));
	}
	return result;
}

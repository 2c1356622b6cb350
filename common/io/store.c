#include "io/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/crypt.h"
#include "io/store_url.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#if __has_include(<hiredis/hiredis_ssl.h>)
#include <hiredis/hiredis_ssl.h>
#define STORE_HAS_TLS 1
#else
#define STORE_HAS_TLS 0
#endif

#define CONNECT_TIMEOUT_MS 500
#define ANSWER_TIMEOUT_MS 2000
#define WAIT_TIMEOUT_MS "1000"
#define RECONNECT_PAUSE_US 100000
#define FRESH_US 10000 // within a request the connection is not looked at for so long after an answer
#define SCRIPTS_MAXIMUM 32
#define SETTINGS_LIMIT (8 * STORE_URL_MAXIMUM)

struct store {
	struct arena *settings; // holds what the url says
	struct store_url url;
	int64_t wait_replicas;

	redisContext *context; // NULL: not connected
	size_t unwanted;       // answers on their way that nobody waits for; they come first
	size_t pending;        // sent on this connection, not yet received
	size_t lost;           // never to be answered; they come before the pending ones
	int64_t next_attempt_us;
	int64_t answered_us; // when the last answer of this request came

	// Scripts that this connection has sent whole, so that Redis knows them by their SHA-1.
	struct {
		const struct store_script *script;
		char sha1[41];
	} scripts[SCRIPTS_MAXIMUM];
	size_t script_count;
};

static enum result store_configure(struct store *store, struct slice url, const char **reason)
{
	enum result result = RESULT_INVALID;
	if (store->settings == NULL)
		return RESULT_NO_MEMORY;
	if (url.length <= STORE_URL_MAXIMUM)
		result = store_url_read(store->settings, url, &store->url);
	if (result == RESULT_NO_MEMORY)
		return result;
	*reason = "it is none of redis://[user[:password]@]host[:port][/database], rediss://… and unix:///path";
	if (result != RESULT_OK)
		return RESULT_INVALID;
	*reason = "this build's hiredis has no TLS: use redis:// through a tunnel, or hiredis 1.0 or later";
	return store->url.tls && !STORE_HAS_TLS ? RESULT_INVALID : RESULT_OK;
}

enum result store_new(struct slice url, int64_t wait_replicas, struct store **made, const char **reason)
{
	struct store *store = calloc(1, sizeof(*store));
	*reason = "there is no memory for it";
	if (store == NULL)
		return RESULT_NO_MEMORY;
	store->settings = arena_new(SETTINGS_LIMIT);
	store->wait_replicas = wait_replicas;
	enum result result = store_configure(store, url, reason);
	if (result != RESULT_OK) {
		store_free(store);
		return result;
	}
	*made = store;
	return RESULT_OK;
}

// Everything that was on its way is answered as lost from here on.
static void store_drop(struct store *store)
{
	if (store->context != NULL)
		redisFree(store->context);
	store->context = NULL;
	store->lost += store->pending;
	store->pending = 0;
	store->unwanted = 0;
	store->script_count = 0;
}

void store_free(struct store *store)
{
	if (store == NULL)
		return;
	store_drop(store);
	if (!slice_is_empty(store->url.password))
		crypt_wipe((char *)store->url.password.data, store->url.password.length);
	arena_free(store->settings);
	free(store);
}

static bool store_write(struct store *store)
{
	redisContext *context = store->context;
#if HIREDIS_MAJOR < 1
	// Before 1.0 redisBufferWrite ends the process when there is no memory for the next buffer.
	for (size_t sent = 0, length = sdslen(context->obuf); sent < length;) {
		ssize_t part = send(context->fd, context->obuf + sent, length - sent, MSG_NOSIGNAL);
		if (part < 0 && errno != EINTR) {
			snprintf(context->errstr, sizeof(context->errstr), "%s", strerror(errno));
			return false;
		}
		sent += part < 0 ? 0 : (size_t)part;
	}
	sdsclear(context->obuf);
	return true;
#else
	int done = 0;
	while (done == 0 && redisBufferWrite(context, &done) == REDIS_OK)
		;
	return done != 0;
#endif
}

// Before hiredis 1.0 its reader does likewise for a buffer that has grown large, so that is not left to it.
static void store_shrink_buffers(struct store *store)
{
#if HIREDIS_MAJOR < 1
	char **buffers[] = {&store->context->obuf, &store->context->reader->buf};
	store->context->reader->maxbuf = 0;
	for (size_t i = 0; i < COUNT_OF(buffers); i++) {
		bool large = sdsavail(*buffers[i]) > REDIS_READER_MAX_BUF;
		sds smaller = large ? sdsRemoveFreeSpace(*buffers[i]) : NULL;
		*buffers[i] = smaller != NULL ? smaller : *buffers[i];
	}
#else
	(void)store;
#endif
}

static bool store_start_tls(struct store *store)
{
#if STORE_HAS_TLS
	static redisSSLContext *tls; // once for the process: loading the certificates takes long
	redisSSLContextError error = REDIS_SSL_CTX_NONE;
	if (tls == NULL) {
		redisInitOpenSSL();
		tls = redisCreateSSLContext(NULL, "/etc/ssl/certs", NULL, NULL, store->url.host, &error);
	}
	return tls != NULL && redisInitiateSSLWithContext(store->context, tls) == REDIS_OK;
#else
	(void)store;
	return false;
#endif
}

// Not redisAppendCommandArgv: before hiredis 1.0 it loses memory when there is no more.
static bool store_format(struct store *store, size_t count, const char **data, const size_t *lengths)
{
	char *command = NULL;
	int length = redisFormatCommandArgv(&command, (int)count, data, lengths);
	bool good = length >= 0 && redisAppendFormattedCommand(store->context, command, (size_t)length) == REDIS_OK;
	redisFreeCommand(command);
	return good;
}

static bool store_append(struct store *store, const struct slice *arguments, size_t count)
{
	const char **data = malloc(count * sizeof(*data));
	size_t *lengths = malloc(count * sizeof(*lengths));
	bool good = data != NULL && lengths != NULL;
	for (size_t i = 0; good && i < count; i++) {
		data[i] = arguments[i].length > 0 ? arguments[i].data : "";
		lengths[i] = arguments[i].length;
	}
	good = good && store_format(store, count, data, lengths);
	free(data);
	free(lengths);
	return good;
}

static bool store_greet(struct store *store, const struct slice *arguments, size_t count)
{
	void *reply = NULL;
	bool good = store_append(store, arguments, count) && store_write(store) &&
	            redisGetReply(store->context, &reply) == REDIS_OK &&
	            ((redisReply *)reply)->type != REDIS_REPLY_ERROR;
	freeReplyObject(reply);
	return good;
}

// AUTH and SELECT belong to the connection, so they are repeated for each new one.
static bool store_introduce(struct store *store)
{
	if (store->url.tls && !store_start_tls(store))
		return false;
	if (!slice_is_empty(store->url.password)) {
		const struct slice arguments[] = {SLICE("AUTH"), store->url.user, store->url.password};
		const struct slice old_form[] = {SLICE("AUTH"), store->url.password};
		bool named = !slice_is_empty(store->url.user);
		if (!store_greet(store, named ? arguments : old_form, named ? 3 : 2))
			return false;
	}
	const struct slice select[] = {SLICE("SELECT"), store->url.database};
	return slice_is_empty(store->url.database) || store_greet(store, select, 2);
}

static void store_connect(struct store *store)
{
	int64_t now = clock_monotonic_us();
	if (now < store->next_attempt_us)
		return;
	struct timeval connect = {CONNECT_TIMEOUT_MS / 1000, CONNECT_TIMEOUT_MS % 1000 * 1000};
	struct timeval answer = {ANSWER_TIMEOUT_MS / 1000, ANSWER_TIMEOUT_MS % 1000 * 1000};
	store->context = store->url.port == 0 ? redisConnectUnixWithTimeout(store->url.host, connect)
	                                  : redisConnectWithTimeout(store->url.host, store->url.port, connect);
	if (store->context != NULL && store->context->err == 0 && redisSetTimeout(store->context, answer) == REDIS_OK &&
	    store_introduce(store)) {
		store_shrink_buffers(store);
		return;
	}
	LOG(LOG_WARNING, "store not reachable",
	    {"reason", slice_of(store->context != NULL ? store->context->errstr : "no memory")});
	store_drop(store);
	store->next_attempt_us = clock_monotonic_us() + RECONNECT_PAUSE_US;
}

// A connection that Redis has closed, or on which something comes unasked, is found out before it is used.
static bool store_is_stale(const struct store *store)
{
	char byte;
	if (store->pending > 0 || store->url.tls || clock_monotonic_us() - store->answered_us < FRESH_US)
		return false;
	ssize_t got = recv(store->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got > 0)
		return store->unwanted == 0;
	return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static bool store_is_ready(struct store *store)
{
	if (store->context != NULL && store_is_stale(store))
		store_drop(store);
	if (store->context == NULL)
		store_connect(store);
	return store->context != NULL;
}

void store_send(struct store *store, const struct slice *arguments, size_t count)
{
	if (!store_is_ready(store)) {
		store->lost++;
		return;
	}
	store->pending++;
	if (!store_append(store, arguments, count))
		store_drop(store);
}

// The script's SHA-1, or NULL when this connection has not sent it whole yet (it then counts as sent).
static const char *store_script_name(struct store *store, const struct store_script *script)
{
	for (size_t i = 0; i < store->script_count; i++) {
		if (store->scripts[i].script == script)
			return store->scripts[i].sha1;
	}
	if (store->script_count < SCRIPTS_MAXIMUM &&
	    crypt_sha1_hex(script->source(), store->scripts[store->script_count].sha1) == RESULT_OK)
		store->scripts[store->script_count++].script = script;
	return NULL;
}

void store_send_script(struct store *store, const struct store_script *script, size_t key_count,
                       const struct slice *arguments, size_t count)
{
	struct slice *all = malloc((count + 3) * sizeof(*all));
	char keys[24];
	// Lost answers come first, so there may be none on their way.
	if (all == NULL)
		store_drop(store);
	if (all == NULL || !store_is_ready(store)) {
		free(all);
		store->lost++;
		return;
	}
	const char *sha1 = store_script_name(store, script);
	int length = snprintf(keys, sizeof(keys), "%zu", key_count);
	all[0] = sha1 != NULL ? SLICE("EVALSHA") : SLICE("EVAL");
	all[1] = sha1 != NULL ? slice_of(sha1) : script->source();
	all[2] = (struct slice){keys, (size_t)length};
	memcpy(all + 3, arguments, count * sizeof(*all));
	store->pending++;
	if (!store_append(store, all, count + 3))
		store_drop(store);
	free(all);
}

static enum result store_refused(struct store *store, const redisReply *reply)
{
	struct slice words = {reply->str, reply->len};
	struct slice code = slice_split(&words, ' ');
	LOG(LOG_WARNING, "store refused", {"error", code});
	// Somebody emptied Redis' script cache: a new connection sends them whole again. A loading or read-only
	// server may have been replaced by now.
	if (slice_equal(code, SLICE("NOSCRIPT")) || slice_equal(code, SLICE("READONLY")) ||
	    slice_equal(code, SLICE("LOADING")))
		store_drop(store);
	return RESULT_UNAVAILABLE;
}

static redisReply *store_read(struct store *store)
{
	void *reply = NULL;
	if (store_write(store) && redisGetReply(store->context, &reply) == REDIS_OK && reply != NULL) {
		store->answered_us = clock_monotonic_us();
		return reply;
	}
	LOG(LOG_WARNING, "store lost", {"reason", slice_of(store->context->errstr)});
	store_drop(store);
	return NULL;
}

static void store_read_unwanted(struct store *store)
{
	while (store->unwanted > 0) {
		redisReply *reply = store_read(store);
		if (reply == NULL)
			return;
		store->unwanted--;
		freeReplyObject(reply);
	}
}

enum result store_receive(struct store *store, struct arena *arena, const struct reply **received)
{
	redisReply *reply = NULL;
	if (store->lost == 0 && store->pending > 0) {
		store_read_unwanted(store);
		reply = store->pending > 0 ? store_read(store) : NULL;
	}
	if (reply == NULL) {
		store->lost -= store->lost > 0;
		return RESULT_UNAVAILABLE;
	}
	store->pending--;
	if (!arena_defer(arena, freeReplyObject, reply))
		return RESULT_NO_MEMORY;
	if (reply->type == REDIS_REPLY_ERROR)
		return store_refused(store, reply);
	*received = (const struct reply *)(const void *)reply;
	return RESULT_OK;
}

enum result store_call(struct store *store, struct arena *arena, const struct reply **reply,
                       const struct slice *arguments, size_t count)
{
	store_send(store, arguments, count);
	return store_receive(store, arena, reply);
}

enum result store_confirm(struct store *store, struct arena *arena)
{
	if (store->wait_replicas == 0)
		return RESULT_OK;
	const struct reply *reply;
	struct slice replicas = arena_format(arena, "%lld", (long long)store->wait_replicas);
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("WAIT"), replicas, SLICE(WAIT_TIMEOUT_MS))));
	return reply_integer(reply) >= store->wait_replicas ? RESULT_OK : RESULT_UNAVAILABLE;
}

void store_push(struct store *store)
{
	if (store->pending > 0 && !store_write(store))
		store_drop(store);
}

void store_settle(struct store *store)
{
	store_push(store);
	store->unwanted += store->pending;
	store->pending = 0;
	store->lost = 0;
	store->answered_us = 0;
	if (store->context != NULL)
		store_shrink_buffers(store);
}

enum result store_time_ms(struct store *store, struct arena *arena, int64_t *ms)
{
	const struct reply *reply;
	TRY(store_call(store, arena, &reply, ARGUMENTS(SLICE("TIME"))));
	*ms = reply_integer(reply_at(reply, 0)) * 1000 + reply_integer(reply_at(reply, 1)) / 1000;
	return RESULT_OK;
}

static const redisReply *reply_raw(const struct reply *reply)
{
	return (const redisReply *)(const void *)reply;
}

bool reply_is_null(const struct reply *reply)
{
	return reply == NULL || reply_raw(reply)->type == REDIS_REPLY_NIL;
}

struct slice reply_text(const struct reply *reply)
{
	const redisReply *raw = reply_raw(reply);
	if (raw == NULL || (raw->type != REDIS_REPLY_STRING && raw->type != REDIS_REPLY_STATUS))
		return (struct slice){NULL, 0};
	return (struct slice){raw->str, raw->len};
}

int64_t reply_integer(const struct reply *reply)
{
	int64_t value = 0;
	if (reply != NULL && reply_raw(reply)->type == REDIS_REPLY_INTEGER)
		return reply_raw(reply)->integer;
	return slice_to_integer(reply_text(reply), INT64_MIN, INT64_MAX, &value) ? value : 0;
}

size_t reply_count(const struct reply *reply)
{
	return reply != NULL && reply_raw(reply)->type == REDIS_REPLY_ARRAY ? reply_raw(reply)->elements : 0;
}

const struct reply *reply_at(const struct reply *reply, size_t index)
{
	return index < reply_count(reply) ? (const struct reply *)(const void *)reply_raw(reply)->element[index] : NULL;
}

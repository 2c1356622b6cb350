// Readers, writers and the store, with each allocation failing in its turn.
#include "base/buffer.h"
#include "codec/config.h"
#include "codec/crypt.h"
#include "codec/csv.h"
#include "codec/encode.h"
#include "codec/gunzip.h"
#include "codec/json.h"
#include "codec/multipart.h"
#include "consent/recipient.h"
#include "customerio/subscription_preferences.h"
#include "customerio/webhook_event.h"
#include "io/store.h"
#include "io/store_url.h"
#include "project/webhook_settings.h"
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define ARENA_LIMIT ((size_t)64 << 20)
#define LONG 3000 // bytes: longer than what libraries begin with

// What came out is another than it should be.
#define WRONG RESULT_CONFLICT
#define EXPECT(condition)                                                                                          \
	do {                                                                                                       \
		if (!(condition))                                                                                  \
			return WRONG;                                                                              \
	} while (0)
#define NEED(memory)                                                                                               \
	do {                                                                                                       \
		if ((memory) == NULL)                                                                              \
			return RESULT_NO_MEMORY;                                                                   \
	} while (0)
#define NEW_ARENA(arena)                                                                                           \
	AUTO(arena_auto) struct arena *arena = arena_new(ARENA_LIMIT);                                             \
	NEED(arena)

TestSuite(parts, .timeout = 120);

static char long_text[LONG + 1];

static struct slice long_slice(void)
{
	for (size_t i = 0; i < LONG; i++)
		long_text[i] = (char)('a' + i % 26);
	return (struct slice){long_text, LONG};
}

static enum result buffer_part(void)
{
	NEW_ARENA(arena);
	struct buffer *buffer = buffer_new(arena, 2 * LONG);
	NEED(buffer);
	buffer_append_quoted(buffer, SLICE("\x01\xff"));
	buffer_append(buffer, long_slice());
	if (buffer_failed(buffer))
		return RESULT_NO_MEMORY;
	struct slice whole = buffer_slice(buffer);
	EXPECT(slice_starts_with(whole, SLICE("\"\\u0001\xef\xbf\xbd\"abc")) && whole.length == 11 + LONG);
	return RESULT_OK;
}

Test(parts, buffer)
{
	sweep_part_of("buffer", buffer_part);
}

static enum result json_part(void)
{
	char text[LONG + 100];
	const struct json *value, *list;
	struct slice reason, longest = long_slice();
	NEW_ARENA(arena);
	int length = snprintf(text, sizeof(text), "{\"long\":\"%s\",\"list\":[1,2.5,\"\\u00e9\",null,true],\"a\":{}}",
	                      longest.data);
	TRY(json_parse(arena, (struct slice){text, (size_t)length}, &value, &reason));
	list = json_get(value, "list");
	EXPECT(slice_equal(json_text(json_get(value, "long")), longest) && json_count(list) == 5);
	struct buffer *out = buffer_new(arena, sizeof(text));
	NEED(out);
	struct json_writer writer = json_writer_on(out);
	json_open_array(&writer);
	json_write_value(&writer, list);
	json_close_array(&writer);
	if (buffer_failed(out))
		return RESULT_NO_MEMORY;
	EXPECT(slice_equal(buffer_slice(out), SLICE("[[1,2.5,\"\xc3\xa9\",null,true]]")));
	return RESULT_OK;
}

Test(parts, json)
{
	sweep_part_of("json", json_part);
}

// Without memory it may be refused without a reason.
static enum result json_fault_part(void)
{
	const struct json *value;
	struct slice reason = {NULL, 0};
	NEW_ARENA(arena);
	enum result result = json_parse(arena, SLICE("{\"a\":1,\"a\":2}"), &value, &reason);
	if (result == RESULT_MALFORMED && reason.data == NULL)
		return RESULT_NO_MEMORY;
	return result == RESULT_MALFORMED ? RESULT_OK : result;
}

Test(parts, json_fault)
{
	sweep_part_of("a fault in JSON", json_fault_part);
}

static enum result csv_feed_all(struct csv *csv, struct slice file, size_t *rows, size_t *bytes)
{
	for (;;) {
		struct csv_row row;
		TRY(csv_next(csv, &row));
		EXPECT(row.kind != CSV_FAULT);
		if (row.kind == CSV_END)
			return RESULT_OK;
		if (row.kind == CSV_ROW) {
			++*rows;
			for (size_t i = 0; i < row.count; i++)
				*bytes += row.fields[i].length;
			continue;
		}
		struct slice piece = {file.data, file.length < 700 ? file.length : 700};
		file = slice_from(file, piece.length);
		if (piece.length == 0)
			csv_finish(csv);
		else
			csv_feed(csv, piece);
	}
}

static enum result csv_part(void)
{
	char file[2 * LONG];
	size_t rows = 0, bytes = 0;
	NEW_ARENA(arena);
	int length = snprintf(file, sizeof(file), "id;text\n1;\"%s \"\"quoted\"\"\n\"\n2;b\n3;;;;;;;;;;;;;;;;;;;;;;;\n",
	                      long_slice().data);
	struct csv *csv = csv_new(arena);
	NEED(csv);
	TRY(csv_feed_all(csv, (struct slice){file, (size_t)length}, &rows, &bytes));
	EXPECT(rows == 4 && bytes == 6 + 1 + LONG + 10 + 2 + 1);
	return RESULT_OK;
}

Test(parts, csv)
{
	sweep_part_of("csv", csv_part);
}

static enum result multipart_part(void)
{
	static const char body[] = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
				   "--x\r\nContent-Disposition: form-data; name=\"f\\\"g\"; filename=\"h.csv\"\r\n"
				   "Content-Type: text/csv\r\n\r\nid\r\n\r\n--x--\r\n";
	struct slice rest = slice_of(body);
	size_t parts = 0, bytes = 0;
	struct multipart *multipart;
	struct multipart_event event = {.kind = MULTIPART_MORE};
	NEW_ARENA(arena);
	TRY(multipart_open(arena, SLICE("multipart/form-data; boundary=x"), &multipart));
	while (event.kind != MULTIPART_END && event.kind != MULTIPART_CUT) {
		TRY(multipart_next(multipart, &event));
		parts += event.kind == MULTIPART_PART;
		bytes += event.kind == MULTIPART_CONTENT ? event.content.length : 0;
		if (event.kind != MULTIPART_MORE)
			continue;
		if (rest.length == 0)
			multipart_finish(multipart);
		else
			multipart_feed(multipart, (struct slice){rest.data, rest.length < 7 ? rest.length : 7});
		rest = slice_from(rest, 7);
	}
	EXPECT(event.kind == MULTIPART_END && parts == 2 && bytes == 5);
	return RESULT_OK;
}

Test(parts, multipart)
{
	sweep_part_of("multipart", multipart_part);
}

static unsigned char packed[LONG];
static size_t packed_size;

static void pack(void)
{
	z_stream stream = {.next_in = (unsigned char *)long_slice().data, .avail_in = LONG, .next_out = packed,
	                   .avail_out = sizeof(packed)};
	cr_assert(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	packed_size = stream.total_out;
	deflateEnd(&stream);
}

static enum result gunzip_part(void)
{
	enum gunzip_kind kind = GUNZIP_MORE;
	struct slice content, rest = {(const char *)packed, packed_size};
	size_t bytes = 0;
	NEW_ARENA(arena);
	struct gunzip *gunzip = gunzip_new(arena, LONG);
	NEED(gunzip);
	while (kind != GUNZIP_END) {
		TRY(gunzip_next(gunzip, &kind, &content));
		EXPECT(kind != GUNZIP_CUT);
		bytes += kind == GUNZIP_CONTENT ? content.length : 0;
		if (kind != GUNZIP_MORE)
			continue;
		if (rest.length == 0)
			gunzip_finish(gunzip);
		else
			gunzip_feed(gunzip, (struct slice){rest.data, rest.length < 10 ? rest.length : 10});
		rest = slice_from(rest, 10);
	}
	EXPECT(bytes == LONG);
	return RESULT_OK;
}

Test(parts, gunzip, .init = pack)
{
	sweep_part_of("gunzip", gunzip_part);
}

static char secret_file[] = "/tmp/ciobridge-test-XXXXXX", secret_variable[128];

static void write_secret(void)
{
	int file = mkstemp(secret_file);
	cr_assert(file >= 0 && write(file, "from-a-file-of-some-length-enough\n", 34) == 34);
	close(file);
	snprintf(secret_variable, sizeof(secret_variable), "CIOBRIDGE_ADMIN_TOKEN_FILE=%s", secret_file);
}

static void remove_secret(void)
{
	unlink(secret_file);
}

static enum result config_part(void)
{
	char master[] = "CIOBRIDGE_MASTER_KEY=a-master-key-of-the-tests-of-some-length";
	char url[] = "CIOBRIDGE_REDIS_URL=unix:///run/redis.sock";
	char *environment[] = {master, url, secret_variable, NULL};
	struct config config;
	NEW_ARENA(arena);
	struct buffer *faults = buffer_new(arena, 65536), *out = buffer_new(arena, 65536);
	NEED(faults);
	NEED(out);
	TRY(config_read(arena, environment, &config, faults));
	EXPECT(slice_starts_with(config.admin_token, SLICE("from-a-file")));
	config_print(&config, out);
	config_print_markdown(out);
	return buffer_failed(out) ? RESULT_NO_MEMORY : RESULT_OK;
}

Test(parts, config, .init = write_secret, .fini = remove_secret)
{
	sweep_part_of("config", config_part);
}

static enum result config_faults_part(void)
{
	char unknown[] = "CIOBRIDGE_MASTER_KEI=x", level[] = "CIOBRIDGE_LOG_LEVEL=loud";
	char *environment[] = {unknown, level, NULL};
	struct config config;
	NEW_ARENA(arena);
	struct buffer *faults = buffer_new(arena, 65536);
	NEED(faults);
	enum result result = config_read(arena, environment, &config, faults);
	if (result != RESULT_INVALID)
		return result;
	if (buffer_failed(faults))
		return RESULT_NO_MEMORY;
	EXPECT(memmem(buffer_slice(faults).data, buffer_slice(faults).length, "LOG_LEVEL", 9) != NULL);
	return RESULT_OK;
}

Test(parts, config_faults)
{
	sweep_part_of("faults of a configuration", config_faults_part);
}

static enum result crypt_part(void)
{
	unsigned char digest[CRYPT_SHA256_SIZE], key[CRYPT_KEY_SIZE];
	char hex[41];
	NEW_ARENA(arena);
	TRY(crypt_sha256(SLICE("abc"), digest));
	EXPECT(digest[0] == 0xba);
	TRY(crypt_sha1_hex(SLICE("abc"), hex));
	EXPECT(strcmp(hex, "a9993e364706816aba3e25717850c26c9cd0d89d") == 0);
	struct slice text = crypt_sha256_hex(arena, SLICE("abc"));
	NEED(text.data);
	EXPECT(slice_starts_with(text, SLICE("ba7816bf")));
	TRY(crypt_derive(SLICE("secret"), "purpose", key));
	text = crypt_random_text(arena, 16);
	NEED(text.data);
	EXPECT(text.length == 22);
	return RESULT_OK;
}

Test(parts, crypt)
{
	sweep_part_of("crypt", crypt_part);
}

static enum result hmac_part(void)
{
	unsigned char digest[CRYPT_SHA256_SIZE];
	struct crypt_hmac *hmac = crypt_hmac_new(SLICE("key"));
	NEED(hmac);
	crypt_hmac_add(hmac, SLICE("what do ya want "));
	crypt_hmac_add(hmac, SLICE("for nothing?"));
	enum result result = crypt_hmac_end(hmac, digest);
	crypt_hmac_free(hmac);
	return result;
}

Test(parts, hmac)
{
	sweep_part_of("hmac", hmac_part);
}

static enum result seal_part(void)
{
	struct slice master = SLICE(CALL_MASTER_KEY), sealed, plain;
	NEW_ARENA(arena);
	TRY(crypt_seal(arena, master, SLICE("context"), SLICE("a secret"), &sealed));
	TRY(crypt_unseal(arena, master, SLICE("context"), sealed, &plain));
	EXPECT(slice_equal(plain, SLICE("a secret")));
	return RESULT_OK;
}

Test(parts, seal)
{
	sweep_part_of("seal", seal_part);
}

static enum result encode_part(void)
{
	struct slice decoded;
	NEW_ARENA(arena);
	struct slice text = encode_base64url(arena, long_slice()), hex = encode_hex(arena, long_slice());
	NEED(text.data);
	NEED(hex.data);
	TRY(decode_base64url(arena, text, &decoded));
	EXPECT(slice_equal(decoded, long_slice()));
	TRY(decode_percent(arena, SLICE("a%20b+c"), true, &decoded));
	EXPECT(slice_equal(decoded, SLICE("a b c")));
	return RESULT_OK;
}

Test(parts, encode)
{
	sweep_part_of("encode", encode_part);
}

static enum result webhook_event_part(void)
{
	struct webhook_event event;
	struct slice reason;
	struct topic_preferences preferences;
	NEW_ARENA(arena);
	TRY(webhook_event_read(arena,
	                       SLICE("{\"metric\":\"cio_subscription_preferences_changed\",\"timestamp\":1613063089,"
	                             "\"data\":{\"identifiers\":{\"id\":7,\"email\":\"ann@example.com\"},"
	                             "\"content\":\"{\\\"topics\\\":{\\\"topic_7\\\":false,\\\"topic_8\\\":true}}\"}}"),
	                       &event, &reason));
	EXPECT(slice_equal(event.address, SLICE("ann@example.com")) && slice_equal(event.id, SLICE("7")));
	TRY(subscription_preferences_read(arena, event.content, &preferences));
	EXPECT(preferences.count == 2 && preferences.items[0].state + preferences.items[1].state == TOPIC_IN);
	return RESULT_OK;
}

Test(parts, webhook_event)
{
	sweep_part_of("webhook_event and subscription_preferences", webhook_event_part);
}

static enum result store_url_part(void)
{
	struct store_url url;
	NEW_ARENA(arena);
	TRY(store_url_read(arena, SLICE("redis://user:p%40ss@[::1]:6380/3"), &url));
	EXPECT(url.port == 6380 && strcmp(url.host, "::1") == 0 && slice_equal(url.password, SLICE("p@ss")));
	return RESULT_OK;
}

Test(parts, store_url)
{
	sweep_part_of("store_url", store_url_part);
}

// What cannot be allocated for a connection makes it fail as if Redis were away.
static enum result store_result(enum result result)
{
	return result == RESULT_UNAVAILABLE ? RESULT_NO_MEMORY : result;
}

static struct slice sum_source(void)
{
	return SLICE("return {ARGV[1] + ARGV[2], ARGV[1]}");
}
static const struct store_script sum = {"sum", sum_source};

static enum result store_use(struct store *store, struct arena *arena)
{
	const struct reply *reply, *first;
	store_send(store, ARGUMENTS(SLICE("ECHO"), long_slice()));
	store_send_script(store, &sum, 0, ARGUMENTS(SLICE("3"), SLICE("4")));
	store_send_script(store, &sum, 0, ARGUMENTS(SLICE("5"), SLICE("6")));
	enum result echoed = store_receive(store, arena, &first), summed = store_receive(store, arena, &reply);
	if (summed == RESULT_OK)
		EXPECT(reply_integer(reply_at(reply, 0)) == 7 &&
		       slice_equal(reply_text(reply_at(reply, 1)), SLICE("3")));
	if (echoed == RESULT_OK)
		EXPECT(slice_equal(reply_text(first), long_slice()));
	TRY(store_receive(store, arena, &reply));
	EXPECT(reply_integer(reply_at(reply, 0)) == 11);
	TRY(echoed);
	return summed;
}

static enum result store_part(void)
{
	struct store *store = NULL;
	const char *reason;
	NEW_ARENA(arena);
	enum result result = store_new(slice_of(getenv("CIOBRIDGE_TEST_REDIS")), 0, &store, &reason);
	if (result == RESULT_OK)
		result = store_result(store_use(store, arena));
	if (result == RESULT_OK)
		store_send(store, ARGUMENTS(SLICE("PING")));
	if (store != NULL)
		store_settle(store);
	store_free(store);
	return result;
}

Test(parts, store)
{
	sweep_part_of("store", store_part);
}

#include "codec/crypt.h"

#include "codec/encode.h"

#include <criterion/criterion.h>
#include <string.h>

#define MASTER SLICE("01234567890123456789012345678901")
#define OTHER_MASTER SLICE("01234567890123456789012345678902")

static struct arena *arena;

static void open_arena(void)
{
	arena = arena_new(8 << 20);
}

static void close_arena(void)
{
	arena_free(arena);
}

TestSuite(crypt, .init = open_arena, .fini = close_arena);

static void assert_digest(const unsigned char *digest, size_t size, const char *hex)
{
	struct slice text = encode_hex(arena, (struct slice){(const char *)digest, size});

	cr_assert(slice_equal(text, slice_of(hex)), "%.*s", (int)text.length, text.data);
}

static struct slice repeat(int byte, size_t count)
{
	char *bytes = arena_alloc(arena, count);

	memset(bytes, byte, count);
	return (struct slice){bytes, count};
}

Test(crypt, digests)
{
	unsigned char digest[CRYPT_SHA256_SIZE];
	char hex[41];

	cr_assert_eq(crypt_sha256(SLICE("abc"), digest), RESULT_OK);
	assert_digest(digest, sizeof(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	cr_assert(slice_equal(crypt_sha256_hex(arena, (struct slice){NULL, 0}),
	                      SLICE("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
	cr_assert_eq(crypt_sha1_hex(SLICE("abc"), hex), RESULT_OK);
	cr_assert_str_eq(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	cr_assert_eq(crypt_sha1_hex(SLICE(""), hex), RESULT_OK);
	cr_assert_str_eq(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

static void assert_hmac(struct slice key, struct slice message, const char *hex)
{
	// Whole, byte by byte, and with empty pieces: the pieces must not show.
	for (size_t step = 0; step < 2; step++) {
		struct crypt_hmac *hmac = crypt_hmac_new(key);
		unsigned char digest[CRYPT_SHA256_SIZE];

		cr_assert_not_null(hmac);
		for (size_t i = 0; step > 0 && i < message.length; i++) {
			crypt_hmac_add(hmac, (struct slice){message.data + i, 1});
			crypt_hmac_add(hmac, (struct slice){NULL, 0});
		}
		if (step == 0)
			crypt_hmac_add(hmac, message);
		cr_assert_eq(crypt_hmac_end(hmac, digest), RESULT_OK);
		crypt_hmac_free(hmac);
		assert_digest(digest, sizeof(digest), hex);
	}
}

Test(crypt, hmac_of_rfc_4231)
{
	struct slice ramp = SLICE("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"
	                          "\x15\x16\x17\x18\x19");

	assert_hmac(repeat(0x0b, 20), SLICE("Hi There"),
	            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_hmac(SLICE("Jefe"), SLICE("what do ya want for nothing?"),
	            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_hmac(repeat(0xaa, 20), repeat(0xdd, 50),
	            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	assert_hmac(ramp, repeat(0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	assert_hmac(repeat(0xaa, 131), SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
	            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_hmac(repeat(0xaa, 131),
	            SLICE("This is a test using a larger than block-size key and a larger than block-size data. "
	                  "The key needs to be hashed before being used by the HMAC algorithm."),
	            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

Test(crypt, hmac_with_an_empty_key)
{
	static const char digest[] = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";

	assert_hmac(SLICE(""), SLICE(""), digest);
	assert_hmac((struct slice){NULL, 0}, (struct slice){NULL, 0}, digest);
	crypt_hmac_free(NULL);
}

// Webhooks of Customer.io, signed with the key "cio_test_signing_key_0123456789" at 1613063089.
static const struct {
	const char *body, *signature;
} webhooks[] = {
	{"{\"metric\":\"unsubscribed\",\"event_id\":\"01E4C4CT6YDC7Y5M7FE1GWWPQJ\",\"object_type\":\"customer\","
	 "\"timestamp\":1613063089,\"data\":{\"customer_id\":\"42\",\"email_address\":\"test@example.com\","
	 "\"identifiers\":{\"id\":\"42\",\"email\":\"test@example.com\",\"cio_id\":\"d9c106000001\"}}}",
	 "5306ac38ca918ca6a0a64a89c5689b2044ebd4ac2222fd6d45834b8da186c31c"},
	{"{\"metric\":\"cio_subscription_preferences_changed\",\"event_id\":\"01E4C4CT6YDC7Y5M7FE1GWWPQK\","
	 "\"object_type\":\"customer\",\"timestamp\":1613063090,\"data\":{\"customer_id\":\"42\","
	 "\"email_address\":\"test@example.com\",\"identifiers\":{\"id\":\"42\",\"email\":\"test@example.com\","
	 "\"cio_id\":\"d9c106000001\"},\"content\":\"{\\\"topics\\\":{\\\"topic_7\\\":false,\\\"topic_8\\\":true}}\"}}",
	 "57ed389e06a213f7afac1b14b6d047fc55fa44c22dd3e0ef3c391ab4dd76d4a3"},
	{"", "8269292aa982ac1c911d37d532d90f600dc78e26b97c69d397a236cc22896b09"},
	{"{\"n\":\"Zo\xc3\xab \xf0\x9f\x98\x80\"}\n",
	 "9ccf8d2a4f82ea468eedf5aa07d1fa79c8c2cf096a9466d53547f5328b30c7d9"},
};

Test(crypt, hmac_of_webhooks)
{
	for (size_t i = 0; i < COUNT_OF(webhooks); i++) {
		struct crypt_hmac *hmac = crypt_hmac_new(SLICE("cio_test_signing_key_0123456789"));
		unsigned char digest[CRYPT_SHA256_SIZE];

		crypt_hmac_add(hmac, SLICE("v0:"));
		crypt_hmac_add(hmac, SLICE("1613063089"));
		crypt_hmac_add(hmac, SLICE(":"));
		crypt_hmac_add(hmac, slice_of(webhooks[i].body));
		cr_assert_eq(crypt_hmac_end(hmac, digest), RESULT_OK);
		crypt_hmac_free(hmac);
		assert_digest(digest, sizeof(digest), webhooks[i].signature);
	}
}

Test(crypt, equal)
{
	cr_assert(crypt_equal(SLICE("a\0b"), SLICE("a\0b")));
	cr_assert_not(crypt_equal(SLICE("a\0b"), SLICE("a\0c")));
	cr_assert_not(crypt_equal(SLICE("a"), SLICE("ab")));
	cr_assert_not(crypt_equal(SLICE(""), SLICE("a")));
	cr_assert(crypt_equal((struct slice){NULL, 0}, SLICE("")));
}

Test(crypt, random_bytes_differ)
{
	unsigned char a[32] = {0}, b[32] = {0};
	struct slice text = crypt_random_text(arena, 24), bytes;

	cr_assert_eq(crypt_random(a, sizeof(a)), RESULT_OK);
	cr_assert_eq(crypt_random(b, sizeof(b)), RESULT_OK);
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
	cr_assert_eq(text.length, 32);
	cr_assert_eq(decode_base64url(arena, text, &bytes), RESULT_OK);
	cr_assert_not(slice_equal(text, crypt_random_text(arena, 24)));
	cr_assert_null(crypt_random_text(arena, 64 << 20).data);
}

Test(crypt, wipe)
{
	char secret[] = "secret";

	crypt_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		cr_assert_eq(secret[i], 0);
}

Test(crypt, derive)
{
	unsigned char key[CRYPT_KEY_SIZE];

	// RFC 5869 appendix A.3, the first 32 bytes.
	cr_assert_eq(crypt_derive(repeat(0x0b, 22), "", key), RESULT_OK);
	assert_digest(key, sizeof(key), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
	cr_assert_eq(crypt_derive(MASTER, "webhook", key), RESULT_OK);
	assert_digest(key, sizeof(key), "4b64035ca76e15b2981c5046e85145b0c959ee7efa2910a47fca96776a473561");
	cr_assert_eq(crypt_derive(OTHER_MASTER, "webhook", key), RESULT_OK);
	cr_assert_neq(key[0] << 8 | key[1], 0x4b64);
}

static struct slice seal(struct slice master, struct slice context, struct slice plain)
{
	struct slice sealed;

	cr_assert_eq(crypt_seal(arena, master, context, plain, &sealed), RESULT_OK);
	return sealed;
}

static void assert_refused(struct slice master, struct slice context, struct slice sealed, const char *what)
{
	struct slice plain = SLICE("untouched");

	cr_assert_eq(crypt_unseal(arena, master, context, sealed, &plain), RESULT_MALFORMED, "%s", what);
	cr_assert(slice_equal(plain, SLICE("untouched")), "%s", what);
}

Test(crypt, opens_what_it_sealed)
{
	static const size_t lengths[] = {0, 1, 2, 3, 15, 16, 17, 1000, 1 << 20};

	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct slice plain = repeat(i < 2 ? 0 : 'x', lengths[i]), again;
		struct slice sealed = seal(MASTER, SLICE("shop:webhook"), plain);

		cr_assert(slice_starts_with(sealed, SLICE("v1:258d62df:")));
		cr_assert_eq(crypt_unseal(arena, MASTER, SLICE("shop:webhook"), sealed, &again), RESULT_OK);
		cr_assert(slice_equal(again, plain));
	}
}

Test(crypt, opens_what_was_sealed_long_ago)
{
	struct slice sealed = SLICE("v1:258d62df:3ydGJahGq1ZcqcFOn2dd1ztSbNcOPAODY8paK2vNfS9c"), plain;

	cr_assert_eq(crypt_unseal(arena, MASTER, SLICE("ctx"), sealed, &plain), RESULT_OK);
	cr_assert(slice_equal(plain, SLICE("hello")));
}

Test(crypt, sealing_twice_gives_two_texts)
{
	cr_assert_not(slice_equal(seal(MASTER, SLICE("a"), SLICE("x")), seal(MASTER, SLICE("a"), SLICE("x"))));
}

Test(crypt, seals_up_to_its_limit)
{
	struct slice sealed = SLICE("untouched");

	cr_assert_eq(crypt_seal(arena, MASTER, SLICE("a"), repeat('x', (1 << 20) + 1), &sealed), RESULT_TOO_LARGE);
	cr_assert(slice_equal(sealed, SLICE("untouched")));
}

Test(crypt, a_flipped_bit_is_refused)
{
	struct slice sealed = seal(MASTER, SLICE("shop:webhook"), SLICE("a secret"));
	char *changed = arena_alloc(arena, sealed.length);

	memcpy(changed, sealed.data, sealed.length);
	for (size_t bit = 0; bit < sealed.length * 8; bit++) {
		changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << bit % 8));
		assert_refused(MASTER, SLICE("shop:webhook"), (struct slice){changed, sealed.length}, "flipped bit");
		changed[bit / 8] = sealed.data[bit / 8];
	}
}

Test(crypt, a_cut_or_lengthened_text_is_refused)
{
	struct slice sealed = seal(MASTER, SLICE("c"), SLICE("a secret"));

	for (size_t length = 0; length < sealed.length; length++)
		assert_refused(MASTER, SLICE("c"), (struct slice){sealed.data, length}, "cut");
	assert_refused(MASTER, SLICE("c"), arena_format(arena, "%sA", sealed.data), "one more");
	assert_refused(MASTER, SLICE("c"), arena_format(arena, "%sAAAA", sealed.data), "four more");
	assert_refused(MASTER, SLICE("c"), arena_format(arena, "%s\n", sealed.data), "line end");
}

Test(crypt, another_place_or_master_is_refused)
{
	struct slice sealed = seal(MASTER, SLICE("shop:webhook"), SLICE("a secret"));

	assert_refused(MASTER, SLICE("shop:track"), sealed, "other field");
	assert_refused(MASTER, SLICE("shop:webhook "), sealed, "longer context");
	assert_refused(MASTER, SLICE(""), sealed, "no context");
	assert_refused(OTHER_MASTER, SLICE("shop:webhook"), sealed, "other master");
	// Also when the key id is made to fit.
	struct slice forged = arena_format(arena, "%.*s%s", 12, seal(OTHER_MASTER, SLICE("x"), SLICE("x")).data,
	                                   sealed.data + 12);
	assert_refused(OTHER_MASTER, SLICE("shop:webhook"), forged, "other master, its key id");
}

static struct slice opened;
static bool opened_is_wiped;

static void look_at_opened(void *ignored)
{
	(void)ignored;
	opened_is_wiped = true;
	for (size_t i = 0; i < opened.length; i++)
		opened_is_wiped = opened_is_wiped && opened.data[i] == 0;
}

Test(crypt, plain_text_is_wiped_with_the_arena)
{
	struct slice sealed = seal(MASTER, SLICE("a"), SLICE("a secret"));

	// Deferred before the wiping, so it runs behind it.
	cr_assert(arena_defer(arena, look_at_opened, NULL));
	cr_assert_eq(crypt_unseal(arena, MASTER, SLICE("a"), sealed, &opened), RESULT_OK);
	cr_assert(slice_equal(opened, SLICE("a secret")));
	arena_reset(arena);
	cr_assert(opened_is_wiped);
}

Test(crypt, every_lack_of_memory_is_told)
{
	struct slice sealed = seal(MASTER, SLICE("a"), SLICE("a secret")), text, plain;
	bool has_sealed = false, has_opened = false;

	for (size_t limit = 0; limit < 1000; limit++) {
		struct arena *small = arena_new(limit);
		enum result result = crypt_seal(small, MASTER, SLICE("a"), SLICE("a secret"), &text);

		cr_assert(result == RESULT_OK || (result == RESULT_NO_MEMORY && !has_sealed), "limit %zu", limit);
		has_sealed = result == RESULT_OK;
		arena_reset(small);
		result = crypt_unseal(small, MASTER, SLICE("a"), sealed, &plain);
		cr_assert(result == RESULT_OK || (result == RESULT_NO_MEMORY && !has_opened), "limit %zu", limit);
		has_opened = result == RESULT_OK;
		arena_free(small);
	}
	cr_assert(has_sealed && has_opened);
}

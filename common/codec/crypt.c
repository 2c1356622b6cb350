// Algorithms are fetched from OpenSSL once and kept as long as the process lives: a fetch costs more than a short HMAC.
#include "codec/crypt.h"

#include "codec/encode.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define CRYPT_NONCE_SIZE 12
#define CRYPT_TAG_SIZE 16
#define CRYPT_SEALED_OVERHEAD (CRYPT_NONCE_SIZE + CRYPT_TAG_SIZE)
#define CRYPT_PLAIN_MAXIMUM 1048576 // bytes that can be sealed
#define CRYPT_KEY_ID_SIZE 4         // bytes; twice as many digits

enum result crypt_random(void *bytes, size_t size)
{
	return RAND_bytes_ex(NULL, bytes, size, 0) == 1 ? RESULT_OK : RESULT_UNAVAILABLE;
}

struct slice crypt_random_text(struct arena *arena, size_t size)
{
	char *bytes = arena_alloc(arena, size);

	if (bytes == NULL || crypt_random(bytes, size) != RESULT_OK)
		return (struct slice){NULL, 0};
	struct slice text = encode_base64url(arena, (struct slice){bytes, size});
	crypt_wipe(bytes, size);
	return text;
}

static enum result crypt_digest(const EVP_MD *algorithm, struct slice bytes, unsigned char *digest)
{
	if (algorithm == NULL || EVP_Digest(bytes.data, bytes.length, digest, NULL, algorithm, NULL) != 1)
		return RESULT_NO_MEMORY;
	return RESULT_OK;
}

enum result crypt_sha256(struct slice bytes, unsigned char digest[static CRYPT_SHA256_SIZE])
{
	static EVP_MD *sha256;

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	return crypt_digest(sha256, bytes, digest);
}

struct slice crypt_sha256_hex(struct arena *arena, struct slice bytes)
{
	unsigned char digest[CRYPT_SHA256_SIZE];

	if (crypt_sha256(bytes, digest) != RESULT_OK)
		return (struct slice){NULL, 0};
	return encode_hex(arena, (struct slice){(const char *)digest, sizeof(digest)});
}

enum result crypt_sha1(struct slice bytes, unsigned char digest[static CRYPT_SHA1_SIZE])
{
	static EVP_MD *sha1;

	if (sha1 == NULL)
		sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	return crypt_digest(sha1, bytes, digest);
}

enum result crypt_sha1_hex(struct slice bytes, char hex[static 41])
{
	unsigned char digest[CRYPT_SHA1_SIZE];

	TRY(crypt_sha1(bytes, digest));
	if (OPENSSL_buf2hexstr_ex(hex, 41, NULL, digest, sizeof(digest), '\0') != 1)
		return RESULT_NO_MEMORY;
	// OpenSSL writes capitals, Redis small letters.
	for (size_t i = 0; i < 40; i++) {
		if (hex[i] >= 'A')
			hex[i] = (char)(hex[i] | 0x20);
	}
	return RESULT_OK;
}

struct crypt_hmac {
	EVP_MAC_CTX *context;
	bool failed;
};

static EVP_MAC_CTX *crypt_hmac_context(struct slice key)
{
	static EVP_MAC *algorithm;
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_END,
	};

	if (algorithm == NULL)
		algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = algorithm == NULL ? NULL : EVP_MAC_CTX_new(algorithm);
	// A NULL key would mean "the one from before" and not "the empty one".
	const char *bytes = key.data == NULL ? "" : key.data;
	if (context != NULL && EVP_MAC_init(context, (const unsigned char *)bytes, key.length, parameters) == 1)
		return context;
	EVP_MAC_CTX_free(context);
	return NULL;
}

struct crypt_hmac *crypt_hmac_new(struct slice key)
{
	struct crypt_hmac *hmac = calloc(1, sizeof(*hmac));

	if (hmac == NULL)
		return NULL;
	hmac->context = crypt_hmac_context(key);
	if (hmac->context == NULL) {
		free(hmac);
		return NULL;
	}
	return hmac;
}

void crypt_hmac_add(struct crypt_hmac *hmac, struct slice bytes)
{
	if (bytes.length == 0)
		return;
	if (EVP_MAC_update(hmac->context, (const unsigned char *)bytes.data, bytes.length) != 1)
		hmac->failed = true;
}

enum result crypt_hmac_end(struct crypt_hmac *hmac, unsigned char digest[static CRYPT_SHA256_SIZE])
{
	size_t length;

	if (hmac->failed || EVP_MAC_final(hmac->context, digest, &length, CRYPT_SHA256_SIZE) != 1)
		return RESULT_NO_MEMORY;
	return RESULT_OK;
}

void crypt_hmac_free(void *hmac)
{
	struct crypt_hmac *owned = hmac;

	if (owned == NULL)
		return;
	EVP_MAC_CTX_free(owned->context);
	free(owned);
}

bool crypt_equal(struct slice a, struct slice b)
{
	return a.length == b.length && CRYPTO_memcmp(a.data, b.data, a.length) == 0;
}

void crypt_wipe(void *bytes, size_t size)
{
	OPENSSL_cleanse(bytes, size);
}

enum result crypt_derive(struct slice secret, const char *purpose, unsigned char key[static CRYPT_KEY_SIZE])
{
	static EVP_KDF *algorithm;
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.data, secret.length),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose, strlen(purpose)),
		OSSL_PARAM_END,
	};

	if (algorithm == NULL)
		algorithm = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = algorithm == NULL ? NULL : EVP_KDF_CTX_new(algorithm);
	bool derived = context != NULL && EVP_KDF_derive(context, key, CRYPT_KEY_SIZE, parameters) == 1;
	EVP_KDF_CTX_free(context);
	return derived ? RESULT_OK : RESULT_NO_MEMORY;
}

// "v1:<key id>:", what every text sealed under `master` starts with.
static enum result crypt_seal_prefix(struct arena *arena, struct slice master, struct slice *prefix)
{
	unsigned char key[CRYPT_KEY_SIZE];

	TRY(crypt_derive(master, "key id", key));
	struct slice id = encode_hex(arena, (struct slice){(const char *)key, CRYPT_KEY_ID_SIZE});
	crypt_wipe(key, sizeof(key));
	if (id.data == NULL)
		return RESULT_NO_MEMORY;
	*prefix = arena_format(arena, "v1:%.*s:", (int)id.length, id.data);
	return prefix->data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

static void crypt_cipher_auto(EVP_CIPHER_CTX **context)
{
	EVP_CIPHER_CTX_free(*context);
}

// A cipher under the sealing key, told its nonce and the context that it authenticates; NULL on failure.
static EVP_CIPHER_CTX *crypt_cipher_new(struct slice master, struct slice context, const unsigned char *nonce,
                                        int encrypt)
{
	static EVP_CIPHER *algorithm;
	unsigned char key[CRYPT_KEY_SIZE];
	int ignored;

	if (algorithm == NULL)
		algorithm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	bool ready = algorithm != NULL && cipher != NULL && crypt_derive(master, "seal", key) == RESULT_OK &&
	             EVP_CipherInit_ex2(cipher, algorithm, key, nonce, encrypt, NULL) == 1 &&
	             EVP_CipherUpdate(cipher, NULL, &ignored, (const unsigned char *)context.data,
	                              (int)context.length) == 1;
	crypt_wipe(key, sizeof(key));
	if (ready)
		return cipher;
	EVP_CIPHER_CTX_free(cipher);
	return NULL;
}

// `box` takes nonce, cipher text and tag.
static enum result crypt_encrypt(struct slice master, struct slice context, struct slice plain, unsigned char *box)
{
	unsigned char *text = box + CRYPT_NONCE_SIZE, *tag = text + plain.length;
	int length;

	TRY(crypt_random(box, CRYPT_NONCE_SIZE));
	EVP_CIPHER_CTX *cipher AUTO(crypt_cipher_auto) = crypt_cipher_new(master, context, box, 1);
	if (cipher == NULL ||
	    EVP_CipherUpdate(cipher, text, &length, (const unsigned char *)plain.data, (int)plain.length) != 1 ||
	    EVP_CipherFinal_ex(cipher, tag, &length) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, CRYPT_TAG_SIZE, tag) != 1)
		return RESULT_NO_MEMORY;
	return RESULT_OK;
}

enum result crypt_seal(struct arena *arena, struct slice master, struct slice context, struct slice plain,
                       struct slice *sealed)
{
	struct slice prefix;

	if (plain.length > CRYPT_PLAIN_MAXIMUM || context.length > CRYPT_PLAIN_MAXIMUM)
		return RESULT_TOO_LARGE;
	size_t size = plain.length + CRYPT_SEALED_OVERHEAD;
	unsigned char *box = arena_alloc(arena, size);
	if (box == NULL)
		return RESULT_NO_MEMORY;
	TRY(crypt_encrypt(master, context, plain, box));
	TRY(crypt_seal_prefix(arena, master, &prefix));
	struct slice text = encode_base64url(arena, (struct slice){(const char *)box, size});
	if (text.data == NULL)
		return RESULT_NO_MEMORY;
	*sealed = arena_format(arena, "%s%.*s", prefix.data, (int)text.length, text.data);
	return sealed->data == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

struct crypt_secret {
	char *bytes;
	size_t size;
};

static void crypt_secret_wipe(void *object)
{
	struct crypt_secret *secret = object;

	crypt_wipe(secret->bytes, secret->size);
}

// Room in the arena that is wiped before the arena takes it back.
static char *crypt_secret_new(struct arena *arena, size_t size)
{
	struct crypt_secret *secret = arena_alloc(arena, sizeof(*secret));

	if (secret == NULL)
		return NULL;
	*secret = (struct crypt_secret){arena_alloc(arena, size), size};
	if (secret->bytes == NULL || !arena_defer(arena, crypt_secret_wipe, secret))
		return NULL;
	return secret->bytes;
}

static enum result crypt_decrypt(struct slice master, struct slice context, struct slice box, char *plain)
{
	const unsigned char *nonce = (const unsigned char *)box.data, *text = nonce + CRYPT_NONCE_SIZE;
	size_t size = box.length - CRYPT_SEALED_OVERHEAD;
	unsigned char *out = (unsigned char *)plain;
	int length;

	EVP_CIPHER_CTX *cipher AUTO(crypt_cipher_auto) = crypt_cipher_new(master, context, nonce, 0);
	if (cipher == NULL || EVP_CipherUpdate(cipher, out, &length, text, (int)size) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, CRYPT_TAG_SIZE, (void *)(text + size)) != 1)
		return RESULT_NO_MEMORY;
	return EVP_CipherFinal_ex(cipher, out + size, &length) == 1 ? RESULT_OK : RESULT_MALFORMED;
}

enum result crypt_unseal(struct arena *arena, struct slice master, struct slice context, struct slice sealed,
                         struct slice *plain)
{
	struct slice prefix, box;

	TRY(crypt_seal_prefix(arena, master, &prefix));
	if (!slice_starts_with(sealed, prefix))
		return RESULT_MALFORMED;
	TRY(decode_base64url(arena, slice_from(sealed, prefix.length), &box));
	if (box.length < CRYPT_SEALED_OVERHEAD || box.length - CRYPT_SEALED_OVERHEAD > CRYPT_PLAIN_MAXIMUM)
		return RESULT_MALFORMED;
	char *out = crypt_secret_new(arena, box.length - CRYPT_SEALED_OVERHEAD);
	if (out == NULL)
		return RESULT_NO_MEMORY;
	TRY(crypt_decrypt(master, context, box, out));
	*plain = (struct slice){out, box.length - CRYPT_SEALED_OVERHEAD};
	return RESULT_OK;
}

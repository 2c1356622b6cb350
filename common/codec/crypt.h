// Cryptography over OpenSSL: random bytes, hashes, HMAC, sealing. No I/O. Secrets are wiped before memory is given
// back and compared in constant time.
#ifndef CIOBRIDGE_CODEC_CRYPT_H
#define CIOBRIDGE_CODEC_CRYPT_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define CRYPT_SHA256_SIZE 32
#define CRYPT_SHA1_SIZE 20
#define CRYPT_KEY_SIZE 32 // a derived key or master key, bytes

// Fills `bytes` from the system's secure generator. RESULT_UNAVAILABLE when it fails.
enum result crypt_random(void *bytes, size_t size);

// `size` random bytes as base64url text: ids and keys. data is NULL on failure.
struct slice crypt_random_text(struct arena *arena, size_t size);

// RESULT_NO_MEMORY when the library fails.
enum result crypt_sha256(struct slice bytes, unsigned char digest[static CRYPT_SHA256_SIZE]);

// Only for what is agreed upon with Redis, whose scripts know no other: their names, and sums over what is stored.
enum result crypt_sha1(struct slice bytes, unsigned char digest[static CRYPT_SHA1_SIZE]);

// Lower-case hexadecimal digests in the arena; data is NULL on failure.
struct slice crypt_sha256_hex(struct arena *arena, struct slice bytes);
enum result crypt_sha1_hex(struct slice bytes, char hex[static 41]);

// HMAC-SHA256 (RFC 2104) in pieces: a body can be checked while it streams by.
struct crypt_hmac;
struct crypt_hmac *crypt_hmac_new(struct slice key); // NULL on failure; an empty key is allowed
void crypt_hmac_add(struct crypt_hmac *hmac, struct slice bytes); // a failure sticks until crypt_hmac_end
enum result crypt_hmac_end(struct crypt_hmac *hmac, unsigned char digest[static CRYPT_SHA256_SIZE]);
void crypt_hmac_free(void *hmac); // NULL is allowed; fits arena_defer

// Equal bytes of equal length; the time depends on the lengths only.
bool crypt_equal(struct slice a, struct slice b);

// Overwrites memory in a way that the compiler keeps.
void crypt_wipe(void *bytes, size_t size);

// A key for one purpose from the master secret: HKDF-SHA256 (RFC 5869), no salt, info = `purpose`.
enum result crypt_derive(struct slice secret, const char *purpose, unsigned char key[static CRYPT_KEY_SIZE]);

// Sealing: AES-256-GCM under a key derived from `master`, as text
//   v1:<key id>:<base64url of 12 bytes nonce, ciphertext, 16 bytes tag>
// where key id is the first 8 hexadecimal digits of a key derived for "key id". `context` (project and field) is
// authenticated with it: what was sealed for one place cannot be opened as another.
enum result crypt_seal(struct arena *arena, struct slice master, struct slice context, struct slice plain,
                       struct slice *sealed);

// RESULT_MALFORMED when it is not of that form, was sealed under another master or for another context, or was
// changed. The plain text lives in the arena and is wiped when the arena is reset.
enum result crypt_unseal(struct arena *arena, struct slice master, struct slice context, struct slice sealed,
                         struct slice *plain);

#endif

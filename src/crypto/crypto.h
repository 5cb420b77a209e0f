/* crypto.h: OpenSSL, wrapped once. No primitive here is ours.
 *
 * Algorithms are fetched once, at crypto_init(), and contexts are kept for each thread. A call that
 * cannot fail with correct arguments (hashing) ends the process if OpenSSL itself fails.
 * Thread rule: every function is safe from any thread; a struct hash or gcm belongs to one. */
#ifndef WARD_CRYPTO_CRYPTO_H
#define WARD_CRYPTO_CRYPTO_H

#include "../core/arena.h"
#include "secret.h"

/* Once, at start: fetches the algorithms and sets up the secure heap. Safe to call again. */
struct err *crypto_init(void) MUST_CHECK;

/* -- randomness: one source, replaceable in tests ------------------------------------------- */
void rand_bytes(void *out, size_t n);
/* The same for what becomes public anyway (ids, salts; at most 512 bytes): cheaper, since a thread
 * draws some ahead. Not for keys: what is drawn ahead lies in ordinary memory. */
void rand_id(void *out, size_t n);
uint64_t rand_u64(void); /* by rand_id */
void rand_set_fake(uint64_t seed); /* tests: repeatable; 0 gives the real source back */
void rand_uuid(char out[37]);      /* version 4, lower case, NUL-terminated */
/* n characters of the alphabet, unbiased (alphabet of at most 256), in the arena. */
struct str rand_text(struct arena *a, size_t n, const char *alphabet);

/* -- hashes ---------------------------------------------------------------------------------- */
enum { SHA256_SIZE = 32, SHA1_SIZE = 20, MD5_SIZE = 16, SHA512_SIZE = 64 };
enum hash_kind { HASH_SHA256, HASH_SHA1, HASH_MD5, HASH_SHA512 };
size_t hash_size(enum hash_kind kind);
void hash_once(enum hash_kind kind, struct str s, unsigned char *out);
void hash_parts(enum hash_kind kind, const struct str *parts, size_t n, unsigned char *out);
void sha256(struct str s, unsigned char out[SHA256_SIZE]);
struct str sha256_hex(struct arena *a, struct str s);

struct hash; /* a running hash */
struct hash *hash_new(enum hash_kind kind);
void hash_add(struct hash *h, struct str s);
void hash_end(struct hash *h, unsigned char *out); /* hash_size bytes; the hash starts anew */
void hash_free(struct hash *h);

void hmac_sha256(struct str key, struct str s, unsigned char out[SHA256_SIZE]);

/* HKDF-SHA256 (RFC 5869): out_n bytes from a key, for one purpose named by `info`. */
void hkdf_sha256(const struct secret *key, struct str salt, struct str info, unsigned char *out,
                 size_t out_n);

/* -- AES-256-GCM (NIST SP 800-38D) ------------------------------------------------------------
 * Sealed form: 12 bytes of nonce, ciphertext, 16 bytes of tag. */
enum { AES_KEY_SIZE = 32, GCM_NONCE_SIZE = 12, GCM_TAG_SIZE = 16, GCM_OVERHEAD = 28 };

/* A nonce that no other call of this process gives: 64 random bits drawn at start, then a 32-bit
 * counter that carries into them. Nothing is kept over a restart, so a crash cannot lose a count,
 * and a restored copy of the data starts its own series. Two of N starts meet with a probability
 * below N * N / 2^65: less than 2^-32 for 90,000 starts under the same key. */
void gcm_nonce(unsigned char out[GCM_NONCE_SIZE]);

/* Into out[plain.n + GCM_OVERHEAD], with a fresh gcm_nonce. key: AES_KEY_SIZE bytes. */
void gcm_seal(const unsigned char *key, struct str aad, struct str plain, unsigned char *out);

/* Into out[sealed.n - GCM_OVERHEAD]. false: too short, altered, or another key or aad; out is then
 * wiped. */
bool gcm_open(const unsigned char *key, struct str aad, struct str sealed, unsigned char *out)
    MUST_CHECK;

/* The same with the nonce given and kept apart: frames with counters. out: plain.n + tag. */
void gcm_seal_nonce(const unsigned char *key, const unsigned char nonce[GCM_NONCE_SIZE],
                    struct str aad, struct str plain, unsigned char *out);
bool gcm_open_nonce(const unsigned char *key, const unsigned char nonce[GCM_NONCE_SIZE],
                    struct str aad, struct str sealed, unsigned char *out) MUST_CHECK;

/* A key wrapped under another: what it wraps is bound by aad. Arena memory. */
struct str key_wrap(struct arena *a, const struct secret *kek, struct str aad,
                    const struct secret *key);
struct err *key_unwrap(const struct secret *kek, struct str aad, struct str wrapped,
                       struct secret **out) MUST_CHECK;

/* -- RSA (SNS messages, CloudTrail digests): PKCS#1 v1.5 signatures ------------------------------
 * Keys as DER: private PKCS#8 in a secret, public PKCS#1 or SubjectPublicKeyInfo. */
struct err *rsa_generate(int bits, struct secret **out_private) MUST_CHECK;
struct err *rsa_public_pkcs1(struct arena *a, const struct secret *priv, struct str *out_der)
    MUST_CHECK;
struct err *rsa_sign(struct arena *a, const struct secret *priv, enum hash_kind hash,
                     struct str message, struct str *out_signature) MUST_CHECK;
bool rsa_verify(struct str public_der, enum hash_kind hash, struct str message,
                struct str signature);
/* For a key that many signatures are checked with: reading it takes longer than a check. NULL: it
 * is not one. Thread rule: one thread makes and frees it, any may check. */
struct rsa_public;
struct rsa_public *rsa_public_new(struct str public_der);
void rsa_public_free(struct rsa_public *key); /* NULL is fine */
bool rsa_public_verify(struct rsa_public *key, enum hash_kind hash, struct str message,
                       struct str signature);

#endif

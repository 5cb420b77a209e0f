/* contexts.h: private to src/crypto: the fetched algorithms, and each thread's kept contexts.
 *
 * Fetching an algorithm takes a lock and a table search inside OpenSSL; both are paid once. A
 * thread's contexts are made at its first use and freed when it ends. */
#ifndef WARD_CRYPTO_CONTEXTS_H
#define WARD_CRYPTO_CONTEXTS_H

#include "crypto.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

enum { HASH_KINDS = 4, RAND_POOL_BYTES = 512 };

struct contexts {
    EVP_MD_CTX *md[HASH_KINDS];
    EVP_MAC_CTX *hmac;
    EVP_CIPHER_CTX *seal, *open;
    size_t rand_left; /* bytes of rand_pool not given out yet, from its front */
    unsigned char rand_pool[RAND_POOL_BYTES];
};

struct contexts *contexts_mine(void) __attribute__((returns_nonnull));

const EVP_MD *algorithm_md(enum hash_kind kind);
EVP_KDF *algorithm_hkdf(void);

/* ERR_INTERNAL with OpenSSL's reason as detail; empties its error queue. */
struct err *openssl_err(const char *what) MUST_CHECK;

/* In a forked child: the next gcm_nonce() begins a series of its own. */
void gcm_series_forget(void);

/* In a forked child: what its parent has drawn ahead is the parent's. */
void rand_pool_drop(void);

#endif

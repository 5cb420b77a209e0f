/* sigv4_internal.h: what the pieces of SigV4 share: the scope's words, the query, the key.
 *
 * Private to src/auth. Thread rule: pure functions. */
#ifndef WARD_AUTH_SIGV4_INTERNAL_H
#define WARD_AUTH_SIGV4_INTERNAL_H

#include "../crypto/crypto.h"
#include "sigv4.h"

#define SIG_ALGORITHM "AWS4-HMAC-SHA256"
#define SIG_TERMINATOR "aws4_request"
#define SIG_MISMATCH                                                                               \
    "The request signature we calculated does not match the signature you provided. Check your "   \
    "AWS Secret Access Key and signing method. Consult the service documentation for details."

enum { SIG_HEX = 2 * SHA256_SIZE };

/* The value of the first header of that name (its own case does not matter), and how many there
 * are. STR_NONE: none. */
struct str sig_header(const struct sig_request *r, const char *name, size_t *out_count);

/* Whether the semicolon-separated list holds the name, whatever the name's case. */
bool sig_list_has(struct str list, struct str name);

/* The decoded value of the first query parameter of that name, and how many there are. */
struct str sig_query_param(struct arena *a, struct str query, const char *name, size_t *out_count);

/* The key for one day, region and service. */
void sig_derive_key(const struct secret *secret, struct str date, struct str region,
                    struct str service, unsigned char out[SHA256_SIZE]);

/* The same by way of the kept ones; k NULL: none. */
void sig_keys_derive(struct sig_keys *k, const struct secret *secret, struct str date,
                     struct str region, struct str service, unsigned char out[SHA256_SIZE]);

/* HMAC of `text` under the derived key, lower-case hex, in the arena. */
struct str sig_hmac_hex(struct arena *a, const unsigned char key[SHA256_SIZE], struct str text);

#endif

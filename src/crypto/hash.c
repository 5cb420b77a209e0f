#include "contexts.h"

#include "../core/enc.h"

#include <openssl/core_names.h>

struct hash {
    enum hash_kind kind;
    EVP_MD_CTX *ctx;
};

size_t hash_size(enum hash_kind kind)
{
    static const size_t sizes[HASH_KINDS] = {[HASH_SHA256] = SHA256_SIZE,
                                             [HASH_SHA1] = SHA1_SIZE,
                                             [HASH_MD5] = MD5_SIZE,
                                             [HASH_SHA512] = SHA512_SIZE};
    CHECK((size_t)kind < HASH_KINDS);
    return sizes[kind];
}

static void start(EVP_MD_CTX *ctx, enum hash_kind kind)
{
    CHECK(EVP_DigestInit_ex2(ctx, algorithm_md(kind), NULL) == 1);
}

void hash_parts(enum hash_kind kind, const struct str *parts, size_t n, unsigned char *out)
{
    EVP_MD_CTX *ctx = contexts_mine()->md[kind];
    start(ctx, kind);
    for (size_t i = 0; i < n; i++)
        CHECK(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1);
    CHECK(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

void hash_once(enum hash_kind kind, struct str s, unsigned char *out)
{
    hash_parts(kind, &s, 1, out);
}

void sha256(struct str s, unsigned char out[SHA256_SIZE])
{
    hash_once(HASH_SHA256, s, out);
}

struct str sha256_hex(struct arena *a, struct str s)
{
    unsigned char digest[SHA256_SIZE];
    sha256(s, digest);
    return enc_hex(a, str_of(digest, sizeof digest));
}

struct hash *hash_new(enum hash_kind kind)
{
    struct hash *h = malloc(sizeof *h);
    CHECK(h != NULL);
    h->kind = kind;
    CHECK((h->ctx = EVP_MD_CTX_new()) != NULL);
    start(h->ctx, kind);
    return h;
}

void hash_add(struct hash *h, struct str s)
{
    CHECK(EVP_DigestUpdate(h->ctx, s.p, s.n) == 1);
}

void hash_end(struct hash *h, unsigned char *out)
{
    CHECK(EVP_DigestFinal_ex(h->ctx, out, NULL) == 1);
    start(h->ctx, h->kind);
}

void hash_free(struct hash *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hmac_sha256(struct str key, struct str s, unsigned char out[SHA256_SIZE])
{
    EVP_MAC_CTX *ctx = contexts_mine()->hmac;
    /* A NULL key would mean "the former key". */
    const unsigned char *k = (const unsigned char *)(key.p != NULL ? key.p : "");
    size_t n;
    CHECK(EVP_MAC_init(ctx, k, key.n, NULL) == 1);
    CHECK(EVP_MAC_update(ctx, (const unsigned char *)s.p, s.n) == 1);
    CHECK(EVP_MAC_final(ctx, out, &n, SHA256_SIZE) == 1 && n == SHA256_SIZE);
}

void hkdf_sha256(const struct secret *key, struct str salt, struct str info, unsigned char *out,
                 size_t out_n)
{
    CHECK(out_n > 0 && out_n <= 255 * SHA256_SIZE); /* RFC 5869 section 2.3 */
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(algorithm_hkdf());
    CHECK(ctx != NULL);
    OSSL_PARAM params[5], *p = params;
    char digest[] = "SHA256";
    /* OSSL_PARAM has no const; the KDF only reads these. */
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret_bytes(key),
                                             secret_size(key));
    if (salt.n > 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.p, salt.n);
    if (info.n > 0)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.p, info.n);
    *p = OSSL_PARAM_construct_end();
    CHECK(EVP_KDF_derive(ctx, out, out_n, params) == 1);
    EVP_KDF_CTX_free(ctx);
}

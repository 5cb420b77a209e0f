#include "contexts.h"

#include <pthread.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096 };

static void free_pkey(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void free_md_ctx(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static struct err *to_pkcs8(const EVP_PKEY *pkey, struct secret **out)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(pkey);
    if (p8 == NULL)
        return openssl_err("EVP_PKEY2PKCS8");
    unsigned char der[SECRET_MAX], *p = der;
    int n = i2d_PKCS8_PRIV_KEY_INFO(p8, NULL);
    struct err *e;
    if (n <= 0 || n > (int)sizeof der || i2d_PKCS8_PRIV_KEY_INFO(p8, &p) != n)
        e = openssl_err("i2d_PKCS8_PRIV_KEY_INFO");
    else
        e = secret_new(str_of(der, (size_t)n), out);
    secret_wipe(der, sizeof der);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return e;
}

static struct err *from_pkcs8(const struct secret *priv, EVP_PKEY **out)
{
    const unsigned char *p = secret_bytes(priv);
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)secret_size(priv));
    if (p8 == NULL)
        return openssl_err("d2i_PKCS8_PRIV_KEY_INFO");
    EVP_PKEY *pkey = EVP_PKCS82PKEY(p8);
    PKCS8_PRIV_KEY_INFO_free(p8);
    if (pkey == NULL)
        return openssl_err("EVP_PKCS82PKEY");
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA) {
        EVP_PKEY_free(pkey);
        return err_new(ERR_INVALID, "The private key is not an RSA key.");
    }
    *out = pkey;
    return NULL;
}

struct err *rsa_generate(int bits, struct secret **out_private)
{
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return err_new(ERR_INVALID, "An RSA key must have %d to %d bits.", RSA_BITS_MIN,
                       RSA_BITS_MAX);
    EVP_PKEY *pkey CLEANUP(free_pkey) = EVP_RSA_gen((unsigned)bits);
    if (pkey == NULL)
        return openssl_err("EVP_RSA_gen");
    return to_pkcs8(pkey, out_private);
}

struct err *rsa_public_pkcs1(struct arena *a, const struct secret *priv, struct str *out_der)
{
    EVP_PKEY *pkey CLEANUP(free_pkey) = NULL;
    TRY(from_pkcs8(priv, &pkey));
    unsigned char *der = NULL;
    int n = i2d_PublicKey(pkey, &der); /* for RSA: RSAPublicKey, RFC 8017 A.1.1 */
    if (n <= 0)
        return openssl_err("i2d_PublicKey");
    *out_der = arena_str(a, str_of(der, (size_t)n));
    OPENSSL_free(der);
    return NULL;
}

struct err *rsa_sign(struct arena *a, const struct secret *priv, enum hash_kind hash,
                     struct str message, struct str *out_signature)
{
    EVP_PKEY *pkey CLEANUP(free_pkey) = NULL;
    TRY(from_pkcs8(priv, &pkey));
    EVP_MD_CTX *ctx CLEANUP(free_md_ctx) = EVP_MD_CTX_new();
    CHECK(ctx != NULL);
    /* PKCS#1 v1.5 is the padding that OpenSSL takes when told nothing. */
    if (EVP_DigestSignInit(ctx, NULL, algorithm_md(hash), NULL, pkey) != 1)
        return openssl_err("EVP_DigestSignInit");
    size_t n = (size_t)EVP_PKEY_get_size(pkey);
    unsigned char *sig = arena_alloc(a, n);
    if (EVP_DigestSign(ctx, sig, &n, (const unsigned char *)message.p, message.n) != 1)
        return openssl_err("EVP_DigestSign");
    *out_signature = str_of(sig, n);
    return NULL;
}

static EVP_PKEY *public_from_der(struct str der)
{
    if (der.n > SECRET_MAX)
        return NULL;
    const unsigned char *p = (const unsigned char *)der.p;
    EVP_PKEY *pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
    if (pkey == NULL) {
        p = (const unsigned char *)der.p;
        pkey = d2i_PUBKEY(NULL, &p, (long)der.n);
    }
    if (pkey != NULL && EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

struct rsa_public {
    EVP_PKEY *pkey;
    pthread_mutex_t lock;
    /* Set up, and copied for each signature: setting up takes as long as verifying. */
    EVP_MD_CTX *ready[HASH_KINDS];
};

struct rsa_public *rsa_public_new(struct str public_der)
{
    EVP_PKEY *pkey = public_from_der(public_der);
    ERR_clear_error();
    if (pkey == NULL)
        return NULL;
    struct rsa_public *key = calloc(1, sizeof *key);
    CHECK(key != NULL);
    key->pkey = pkey;
    pthread_mutex_init(&key->lock, NULL);
    return key;
}

void rsa_public_free(struct rsa_public *key)
{
    if (key == NULL)
        return;
    for (int i = 0; i < HASH_KINDS; i++)
        EVP_MD_CTX_free(key->ready[i]);
    EVP_PKEY_free(key->pkey);
    pthread_mutex_destroy(&key->lock);
    free(key);
}

/* NULL: the key is not one for this. */
static const EVP_MD_CTX *ready_for(struct rsa_public *key, enum hash_kind hash)
{
    pthread_mutex_lock(&key->lock);
    if (key->ready[hash] == NULL) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        CHECK(ctx != NULL);
        if (EVP_DigestVerifyInit(ctx, NULL, algorithm_md(hash), NULL, key->pkey) == 1) {
            key->ready[hash] = ctx;
        } else {
            EVP_MD_CTX_free(ctx);
        }
    }
    const EVP_MD_CTX *ready = key->ready[hash];
    pthread_mutex_unlock(&key->lock);
    return ready;
}

bool rsa_public_verify(struct rsa_public *key, enum hash_kind hash, struct str message,
                       struct str signature)
{
    EVP_MD_CTX *ctx CLEANUP(free_md_ctx) = EVP_MD_CTX_new();
    CHECK(ctx != NULL);
    const EVP_MD_CTX *ready = ready_for(key, hash);
    bool good = ready != NULL && EVP_MD_CTX_copy_ex(ctx, ready) == 1 &&
                EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                                 (const unsigned char *)message.p, message.n) == 1;
    ERR_clear_error();
    return good;
}

bool rsa_verify(struct str public_der, enum hash_kind hash, struct str message,
                struct str signature)
{
    struct rsa_public *key = rsa_public_new(public_der);
    bool good = key != NULL && rsa_public_verify(key, hash, message, signature);
    rsa_public_free(key);
    return good;
}

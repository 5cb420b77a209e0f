#include "contexts.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <pthread.h>

static EVP_MD *md[HASH_KINDS];
static EVP_MAC *hmac;
static EVP_KDF *hkdf;
static EVP_CIPHER *gcm;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end;
static __thread struct contexts *mine;

static void free_contexts(void *arg)
{
    struct contexts *c = arg;
    for (int i = 0; i < HASH_KINDS; i++)
        EVP_MD_CTX_free(c->md[i]);
    EVP_MAC_CTX_free(c->hmac);
    EVP_CIPHER_CTX_free(c->seal);
    EVP_CIPHER_CTX_free(c->open);
    secret_wipe(c->rand_pool, sizeof c->rand_pool);
    free(c);
    mine = NULL;
}

void rand_pool_drop(void)
{
    if (mine != NULL)
        mine->rand_left = 0;
}

static void set_up(void)
{
    static const char *const names[HASH_KINDS] = {[HASH_SHA256] = "SHA256",
                                                  [HASH_SHA1] = "SHA1",
                                                  [HASH_MD5] = "MD5",
                                                  [HASH_SHA512] = "SHA512"};
    for (int i = 0; i < HASH_KINDS; i++)
        md[i] = EVP_MD_fetch(NULL, names[i], NULL); /* MD5 is missing under FIPS */
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    CHECK(pthread_key_create(&thread_end, free_contexts) == 0);
    CHECK(pthread_atfork(NULL, NULL, gcm_series_forget) == 0);
    CHECK(pthread_atfork(NULL, NULL, rand_pool_drop) == 0);
}

struct err *crypto_init(void)
{
    TRY(secret_init());
    pthread_once(&once, set_up);
    if (md[HASH_SHA256] == NULL || md[HASH_SHA1] == NULL || md[HASH_SHA512] == NULL ||
        hmac == NULL || hkdf == NULL || gcm == NULL)
        return err_new(ERR_INTERNAL, "OpenSSL offers not all algorithms that Ward needs: SHA-1, "
                                     "SHA-256, SHA-512, HMAC, HKDF and AES-256-GCM.");
    return NULL;
}

const EVP_MD *algorithm_md(enum hash_kind kind)
{
    pthread_once(&once, set_up);
    CHECK((size_t)kind < HASH_KINDS && md[kind] != NULL);
    return md[kind];
}

EVP_KDF *algorithm_hkdf(void)
{
    pthread_once(&once, set_up);
    CHECK(hkdf != NULL);
    return hkdf;
}

static EVP_CIPHER_CTX *new_gcm(int encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    CHECK(c != NULL && gcm != NULL);
    CHECK(EVP_CipherInit_ex2(c, gcm, NULL, NULL, encrypt, NULL) == 1);
    return c;
}

struct contexts *contexts_mine(void)
{
    if (mine != NULL)
        return mine;
    pthread_once(&once, set_up);
    struct contexts *c = calloc(1, sizeof *c);
    CHECK(c != NULL && hmac != NULL);
    for (int i = 0; i < HASH_KINDS; i++)
        CHECK((c->md[i] = EVP_MD_CTX_new()) != NULL);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    CHECK((c->hmac = EVP_MAC_CTX_new(hmac)) != NULL);
    CHECK(EVP_MAC_CTX_set_params(c->hmac, params) == 1);
    c->seal = new_gcm(1);
    c->open = new_gcm(0);
    CHECK(pthread_setspecific(thread_end, c) == 0);
    mine = c;
    return c;
}

struct err *openssl_err(const char *what)
{
    char text[160] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code != 0)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return err_detail(err_new(ERR_INTERNAL, "A cryptographic step failed."), "%s: %s", what, text);
}

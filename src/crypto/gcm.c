#include "contexts.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>

static _Atomic uint64_t series, counter;
static _Atomic bool drawn;
static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER; /* a leaf */

/* Always the real source: a fake one in a test must not repeat a nonce under a lasting key. */
static void draw_series(void)
{
    pthread_mutex_lock(&drawing);
    if (!atomic_load(&drawn)) {
        uint64_t fresh;
        CHECK(RAND_bytes((unsigned char *)&fresh, sizeof fresh) == 1);
        atomic_store(&series, fresh);
        atomic_store(&counter, 0);
        atomic_store_explicit(&drawn, true, memory_order_release);
    }
    pthread_mutex_unlock(&drawing);
}

/* Nothing of OpenSSL may be called here: another thread of the parent may have held one of its
 * locks at the fork, and nobody in the child would ever open it. */
void gcm_series_forget(void)
{
    pthread_mutex_init(&drawing, NULL);
    atomic_store(&drawn, false);
}

static void put_be(unsigned char *to, uint64_t v, int n)
{
    for (int i = n; i-- > 0; v >>= 8)
        to[i] = (unsigned char)v;
}

void gcm_nonce(unsigned char out[GCM_NONCE_SIZE])
{
    (void)contexts_mine(); /* a child forgets the series only once the algorithms are fetched */
    if (!atomic_load_explicit(&drawn, memory_order_acquire))
        draw_series();
    uint64_t n = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
    put_be(out, atomic_load_explicit(&series, memory_order_relaxed) + (n >> 32), 8);
    put_be(out + 8, (uint32_t)n, 4);
}

void gcm_seal_nonce(const unsigned char *key, const unsigned char nonce[GCM_NONCE_SIZE],
                    struct str aad, struct str plain, unsigned char *out)
{
    CHECK(aad.n <= INT32_MAX && plain.n <= INT32_MAX);
    EVP_CIPHER_CTX *c = contexts_mine()->seal;
    int n = 0;
    CHECK(EVP_EncryptInit_ex2(c, NULL, key, nonce, NULL) == 1);
    if (aad.n > 0)
        CHECK(EVP_EncryptUpdate(c, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) == 1);
    if (plain.n > 0)
        CHECK(EVP_EncryptUpdate(c, out, &n, (const unsigned char *)plain.p, (int)plain.n) == 1 &&
              (size_t)n == plain.n);
    CHECK(EVP_EncryptFinal_ex(c, out + plain.n, &n) == 1 && n == 0);
    CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_SIZE, out + plain.n) == 1);
}

bool gcm_open_nonce(const unsigned char *key, const unsigned char nonce[GCM_NONCE_SIZE],
                    struct str aad, struct str sealed, unsigned char *out)
{
    if (sealed.n < GCM_TAG_SIZE || sealed.n > INT32_MAX || aad.n > INT32_MAX)
        return false;
    size_t plain_n = sealed.n - GCM_TAG_SIZE;
    const unsigned char *in = (const unsigned char *)sealed.p;
    unsigned char tag[GCM_TAG_SIZE], end[GCM_TAG_SIZE];
    memcpy(tag, in + plain_n, sizeof tag);
    EVP_CIPHER_CTX *c = contexts_mine()->open;
    int n = 0;
    CHECK(EVP_DecryptInit_ex2(c, NULL, key, nonce, NULL) == 1);
    if (aad.n > 0)
        CHECK(EVP_DecryptUpdate(c, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) == 1);
    if (plain_n > 0)
        CHECK(EVP_DecryptUpdate(c, out, &n, in, (int)plain_n) == 1 && (size_t)n == plain_n);
    CHECK(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE, tag) == 1);
    if (EVP_DecryptFinal_ex(c, end, &n) == 1)
        return true;
    if (plain_n > 0)
        secret_wipe(out, plain_n);
    return false;
}

void gcm_seal(const unsigned char *key, struct str aad, struct str plain, unsigned char *out)
{
    gcm_nonce(out);
    gcm_seal_nonce(key, out, aad, plain, out + GCM_NONCE_SIZE);
}

bool gcm_open(const unsigned char *key, struct str aad, struct str sealed, unsigned char *out)
{
    if (sealed.n < GCM_OVERHEAD)
        return false;
    return gcm_open_nonce(key, (const unsigned char *)sealed.p, aad,
                          str_skip(sealed, GCM_NONCE_SIZE), out);
}

struct str key_wrap(struct arena *a, const struct secret *kek, struct str aad,
                    const struct secret *key)
{
    CHECK(secret_size(kek) == AES_KEY_SIZE);
    size_t n = secret_size(key) + GCM_OVERHEAD;
    unsigned char *out = arena_alloc(a, n);
    gcm_seal(secret_bytes(kek), aad, str_of(secret_bytes(key), secret_size(key)), out);
    return str_of(out, n);
}

struct err *key_unwrap(const struct secret *kek, struct str aad, struct str wrapped,
                       struct secret **out)
{
    CHECK(secret_size(kek) == AES_KEY_SIZE);
    unsigned char plain[SECRET_MAX];
    if (wrapped.n < GCM_OVERHEAD || wrapped.n - GCM_OVERHEAD > sizeof plain ||
        !gcm_open(secret_bytes(kek), aad, wrapped, plain))
        return err_new(ERR_CORRUPT, "A stored key could not be unwrapped: it was altered, or it "
                                    "was wrapped under another key.");
    size_t n = wrapped.n - GCM_OVERHEAD;
    struct err *e = secret_new(str_of(plain, n), out);
    secret_wipe(plain, n);
    return e;
}

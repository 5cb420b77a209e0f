#include "../crypto.h"

#include "../../core/enc.h"

#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;

static int set_up(void **state)
{
    assert_null(crypto_init());
    arena = arena_new(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static struct str unhex(const char *hex)
{
    struct str out = STR_NONE;
    assert_true(dec_hex(arena, str_c(hex), &out));
    return out;
}

static void assert_hex(const void *p, size_t n, const char *hex)
{
    struct str got = enc_hex(arena, str_of(p, n));
    assert_int_equal(got.n, strlen(hex));
    assert_memory_equal(got.p, hex, got.n);
}

static struct secret *secret_hex(const char *hex)
{
    struct secret *s = NULL;
    assert_null(secret_new(unhex(hex), &s));
    return s;
}

static void assert_kind(struct err *e, enum err_kind kind)
{
    assert_true(err_is(e, kind));
    err_free(e);
}

#define SHA512_ABC                                                                                 \
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                             \
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

/* FIPS 180-4 and RFC 1321 examples */
static void test_hashes(void **state)
{
    static const char *const want[] = {
        [HASH_SHA256] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        [HASH_SHA1] = "a9993e364706816aba3e25717850c26c9cd0d89d",
        [HASH_MD5] = "900150983cd24fb0d6963f7d28e17f72",
        [HASH_SHA512] = SHA512_ABC};
    for (int k = HASH_SHA256; k <= HASH_SHA512; k++) {
        unsigned char out[SHA512_SIZE];
        hash_once(k, STR("abc"), out);
        assert_hex(out, hash_size(k), want[k]);
        struct hash *h = hash_new(k);
        for (int again = 0; again < 2; again++) { /* the second time: it starts anew */
            hash_add(h, STR("a"));
            hash_add(h, STR_NONE);
            hash_add(h, STR("bc"));
            memset(out, 0, sizeof out);
            hash_end(h, out);
            assert_hex(out, hash_size(k), want[k]);
        }
        hash_free(h);
    }
    assert_true(str_is(sha256_hex(arena, STR("")),
                       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

/* RFC 4231 cases 1 and 2; the empty key must not mean the former key */
static void test_hmac(void **state)
{
    unsigned char out[SHA256_SIZE];
    hmac_sha256(unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), STR("Hi There"), out);
    assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha256(STR_NONE, STR(""), out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869 A.1 and A.3 */
static void test_hkdf(void **state)
{
    struct secret *key = secret_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    unsigned char out[42];
    hkdf_sha256(key, unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9"), out, 42);
    assert_hex(out, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                        "34007208d5b887185865");
    hkdf_sha256(key, STR_NONE, STR_NONE, out, 42);
    assert_hex(out, 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                        "9d201395faa4b61a96c8");
    secret_free(key);
}

/* The GCM specification's test cases 13 and 14 */
static void test_gcm_vectors(void **state)
{
    unsigned char key[32] = {0}, nonce[12] = {0}, out[32], back[16];
    gcm_seal_nonce(key, nonce, STR_NONE, STR_NONE, out);
    assert_hex(out, 16, "530f8afbc74536b9a963b4f1c4cb738b");
    unsigned char plain[16] = {0};
    gcm_seal_nonce(key, nonce, STR_NONE, str_of(plain, 16), out);
    assert_hex(out, 32, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    memset(back, 1, sizeof back);
    assert_true(gcm_open_nonce(key, nonce, STR_NONE, str_of(out, 32), back));
    assert_memory_equal(back, plain, 16);
}

static void test_gcm_tampering(void **state)
{
    unsigned char key[32], sealed[5 + GCM_OVERHEAD], plain[5], zero[5] = {0};
    rand_bytes(key, sizeof key);
    gcm_seal(key, STR("aad"), STR("plain"), sealed);
    struct str whole = str_of(sealed, sizeof sealed);
    assert_true(gcm_open(key, STR("aad"), whole, plain));
    assert_memory_equal(plain, "plain", 5);
    for (size_t i = 0; i < sizeof sealed * 8; i++) {
        sealed[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_false(gcm_open(key, STR("aad"), whole, plain));
        assert_memory_equal(plain, zero, 5); /* wiped */
        sealed[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    assert_false(gcm_open(key, STR("aae"), whole, plain));
    assert_false(gcm_open(key, STR_NONE, whole, plain));
    assert_false(gcm_open(key, STR("aad"), str_take(whole, GCM_OVERHEAD - 1), plain));
    assert_false(gcm_open(key, STR("aad"), STR_NONE, plain));
    key[31] ^= 1;
    assert_false(gcm_open(key, STR("aad"), whole, plain));
}

static void test_key_wrap(void **state)
{
    struct secret *kek, *key, *back = NULL, *other;
    assert_null(secret_random(AES_KEY_SIZE, &kek));
    assert_null(secret_random(AES_KEY_SIZE, &other));
    assert_null(secret_random(AES_KEY_SIZE, &key));
    struct str w = key_wrap(arena, kek, STR("for x"), key);
    assert_null(key_unwrap(kek, STR("for x"), w, &back));
    assert_int_equal(secret_size(back), AES_KEY_SIZE);
    assert_memory_equal(secret_bytes(back), secret_bytes(key), AES_KEY_SIZE);
    secret_free_ptr(&back);
    assert_kind(key_unwrap(kek, STR("for y"), w, &back), ERR_CORRUPT);
    assert_kind(key_unwrap(other, STR("for x"), w, &back), ERR_CORRUPT);
    assert_kind(key_unwrap(kek, STR("for x"), str_take(w, 20), &back), ERR_CORRUPT);
    assert_null(back);
    secret_free(kek);
    secret_free(other);
    secret_free(key);
}

enum { NONCE_THREADS = 4, NONCE_EACH = 5000 };
static unsigned char nonces[NONCE_THREADS * NONCE_EACH][GCM_NONCE_SIZE];

static void *draw_nonces(void *arg)
{
    unsigned char(*mine)[GCM_NONCE_SIZE] = arg;
    for (int i = 0; i < NONCE_EACH; i++)
        gcm_nonce(mine[i]);
    return NULL;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, GCM_NONCE_SIZE);
}

static void test_nonces_never_repeat(void **state)
{
    pthread_t ids[NONCE_THREADS];
    for (int i = 0; i < NONCE_THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, draw_nonces, nonces[i * NONCE_EACH]), 0);
    for (int i = 0; i < NONCE_THREADS; i++)
        pthread_join(ids[i], NULL);
    qsort(nonces, ARRAY_LEN(nonces), GCM_NONCE_SIZE, by_bytes);
    for (size_t i = 1; i < ARRAY_LEN(nonces); i++)
        assert_memory_not_equal(nonces[i - 1], nonces[i], GCM_NONCE_SIZE);
}

static void test_a_forked_child_has_its_own_nonces(void **state)
{
    unsigned char mine[GCM_NONCE_SIZE], its[GCM_NONCE_SIZE];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    gcm_nonce(mine);
    pid_t pid = fork();
    if (pid == 0) {
        gcm_nonce(its);
        _exit(write(fds[1], its, sizeof its) == sizeof its ? 0 : 1);
    }
    assert_int_equal(read(fds[0], its, sizeof its), sizeof its);
    waitpid(pid, NULL, 0);
    close(fds[0]);
    close(fds[1]);
    assert_memory_not_equal(mine, its, 6); /* another series */
}

static atomic_bool churning;

static void *draw_once(void *arg)
{
    unsigned char b[32];
    rand_bytes(b, sizeof b);
    return arg;
}

/* A thread's first bytes come from OpenSSL's common generator, under its lock. */
static void *churn(void *arg)
{
    while (churning) {
        pthread_t t;
        if (pthread_create(&t, NULL, draw_once, NULL) == 0)
            pthread_join(t, NULL);
    }
    return arg;
}

/* A child of a process with threads that use OpenSSL gets to its own first line: nothing that is
 * registered for forks may wait for a lock that one of them holds. */
static void test_a_child_is_not_held_up(void **state)
{
    enum { THREADS = 4, FORKS = 300, PATIENCE_MS = 20000 };
    pthread_t t[THREADS];
    churning = true;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, churn, NULL), 0);
    bool stuck = false;
    for (int i = 0; i < FORKS && !stuck; i++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        close(fds[1]); /* the child has the other copy, until it ends */
        struct pollfd p = {.fd = fds[0], .events = POLLIN};
        stuck = poll(&p, 1, PATIENCE_MS) != 1;
        if (stuck)
            kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(fds[0]);
    }
    churning = false;
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    assert_false(stuck);
}

static void test_random(void **state)
{
    unsigned char a[40], b[40];
    rand_set_fake(7);
    rand_bytes(a, sizeof a);
    uint64_t x = rand_u64();
    rand_set_fake(7);
    rand_bytes(b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    assert_true(rand_u64() == x);
    rand_set_fake(0);
    rand_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);

    char id[37];
    rand_uuid(id);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(id[14], '4');
    assert_non_null(strchr("89ab", id[19]));
    for (int i = 0; i < 36; i++)
        assert_non_null(strchr(i == 8 || i == 13 || i == 18 || i == 23 ? "-" : "0123456789abcdef",
                               id[i]));

    struct str t = rand_text(arena, 30000, "abc");
    assert_int_equal(t.n, 30000);
    int count[3] = {0};
    for (size_t i = 0; i < t.n; i++)
        count[t.p[i] - 'a']++;
    for (int i = 0; i < 3; i++) /* 10000 expected; 6 standard deviations are 490 */
        assert_in_range(count[i], 9500, 10500);
}

static void test_rsa(void **state)
{
    struct secret *priv = NULL, *not_a_key;
    struct str pub = STR_NONE, sig = STR_NONE;
    assert_kind(rsa_generate(1024, &priv), ERR_INVALID);
    assert_null(rsa_generate(2048, &priv));
    assert_null(rsa_public_pkcs1(arena, priv, &pub));
    for (int k = HASH_SHA256; k <= HASH_SHA1; k++) {
        assert_null(rsa_sign(arena, priv, k, STR("message"), &sig));
        assert_int_equal(sig.n, 256);
        assert_true(rsa_verify(pub, k, STR("message"), sig));
        assert_false(rsa_verify(pub, k, STR("massage"), sig));
        assert_false(rsa_verify(pub, k, STR("message"), str_skip(sig, 1)));
    }
    assert_false(rsa_verify(pub, HASH_SHA256, STR("message"), sig)); /* it is one over SHA-1 */
    assert_false(rsa_verify(STR("nonsense"), HASH_SHA1, STR("message"), sig));

    const unsigned char *p = (const unsigned char *)pub.p;
    EVP_PKEY *pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)pub.n);
    unsigned char *spki = NULL;
    int n = i2d_PUBKEY(pkey, &spki);
    assert_true(n > 0);
    assert_true(rsa_verify(str_of(spki, (size_t)n), HASH_SHA1, STR("message"), sig));
    OPENSSL_free(spki);
    EVP_PKEY_free(pkey);

    assert_null(secret_new(STR("nonsense"), &not_a_key));
    assert_kind(rsa_sign(arena, not_a_key, HASH_SHA256, STR("x"), &sig), ERR_INTERNAL);
    secret_free(not_a_key);
    secret_free(priv);
}

static void test_secrets(void **state)
{
    struct secret *s, *copy, *none;
    assert_null(secret_new(STR("hush"), &s));
    assert_null(secret_ref(s, &copy));
    secret_free(s);
    assert_int_equal(secret_size(copy), 4);
    assert_memory_equal(secret_bytes(copy), "hush", 4);
    secret_free(copy);
    assert_null(secret_new(STR_NONE, &none));
    assert_int_equal(secret_size(none), 0);
    secret_free(none);
    secret_free(NULL);
    static char big[SECRET_MAX + 1];
    assert_kind(secret_new(str_of(big, sizeof big), &s), ERR_LIMIT);
}

static void test_a_full_heap_is_an_error(void **state)
{
    struct secret *all[SECRET_HEAP_BYTES / SECRET_MAX + 1];
    size_t n = 0;
    struct err *e = NULL;
    while (n < ARRAY_LEN(all) && (e = secret_random(SECRET_MAX, &all[n])) == NULL)
        n++;
    assert_kind(e, ERR_FULL);
    assert_true(n > 16);
    while (n > 0)
        secret_free(all[--n]);
    assert_null(secret_random(SECRET_MAX, &all[0]));
    secret_free(all[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_gcm_vectors),
        cmocka_unit_test(test_gcm_tampering),
        cmocka_unit_test(test_key_wrap),
        cmocka_unit_test(test_nonces_never_repeat),
        cmocka_unit_test(test_a_forked_child_has_its_own_nonces),
        cmocka_unit_test(test_a_child_is_not_held_up),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_a_full_heap_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

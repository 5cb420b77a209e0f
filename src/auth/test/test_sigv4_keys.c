/* Kept signing keys: the same as those derived anew, whatever was asked for before. */
#include "auth/sigv4_internal.h"
#include "core/arena.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SCOPES = 40, THREADS = 4, ROUNDS = 2000 };

static struct secret *secret_of(const char *text)
{
    struct secret *s = NULL;
    assert_null(secret_new(str_c(text), &s));
    return s;
}

static bool same(struct sig_keys *k, const struct secret *s, int i)
{
    unsigned char kept[SHA256_SIZE], fresh[SHA256_SIZE];
    char region[32];
    snprintf(region, sizeof region, "region-%d", i);
    struct str service = i % 2 ? STR("s3") : STR("kms");
    sig_keys_derive(k, s, STR("20261122"), str_c(region), service, kept);
    sig_derive_key(s, STR("20261122"), str_c(region), service, fresh);
    return memcmp(kept, fresh, sizeof fresh) == 0;
}

static void test_as_if_derived(void **state)
{
    (void)state;
    struct secret *one = secret_of("one secret"), *two = secret_of("another secret");
    struct sig_keys *k1 = sig_keys_new(), *k2 = sig_keys_new();
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < SCOPES; i++) {
            assert_true(same(k1, one, i));
            assert_true(same(k1, one, i)); /* from what is kept */
            assert_true(same(k2, two, i));
            assert_true(same(NULL, two, i));
        }
    sig_keys_free(k1);
    sig_keys_free(k2);
    sig_keys_free(NULL);
    secret_free(one);
    secret_free(two);
}

/* Parts that would run together, and a scope that is too long to be kept. */
static void test_scopes_are_told_apart(void **state)
{
    (void)state;
    struct secret *s = secret_of("one secret");
    struct sig_keys *k = sig_keys_new();
    unsigned char a[SHA256_SIZE], b[SHA256_SIZE];
    char text[400];
    memset(text, 'x', sizeof text);
    sig_keys_derive(k, s, STR("20261122"), STR("ab"), STR("c"), a);
    sig_keys_derive(k, s, STR("20261122"), STR("a"), STR("bc"), b);
    assert_memory_not_equal(a, b, sizeof a);
    for (int i = 0; i < 2; i++) {
        sig_keys_derive(k, s, STR("20261122"), str_of(text, sizeof text), STR("s3"), a);
        sig_derive_key(s, STR("20261122"), str_of(text, sizeof text), STR("s3"), b);
        assert_memory_equal(a, b, sizeof a);
    }
    sig_keys_free(k);
    secret_free(s);
}

struct shared {
    struct sig_keys *keys;
    const struct secret *secret;
};

static void *use(void *arg)
{
    const struct shared *s = arg;
    for (int i = 0; i < ROUNDS; i++)
        CHECK(same(s->keys, s->secret, i % 12));
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct secret *secret = secret_of("one secret");
    struct shared s = {sig_keys_new(), secret};
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, use, &s), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    sig_keys_free(s.keys);
    secret_free(secret);
}

int main(void)
{
    struct err *e = crypto_init();
    CHECK(e == NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_if_derived),
        cmocka_unit_test(test_scopes_are_told_apart),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The local authority: what it issues verifies for the right names and for nothing else. */
#include "../ca.h"

#include "../../core/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static X509 *read_cert(struct str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_non_null(x);
    return x;
}

/* X509_V_OK or the first error, for a TLS server. */
static int verify(X509 *root, X509 *leaf)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, root);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return error;
}

static void test_leaf(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct ca *ca = NULL, *other = NULL;
    assert_null(ca_create("Ward local CA", &ca));
    assert_null(ca_create("Ward local CA", &other));
    struct str names[] = {STR("localhost"), STR("*.s3.localhost"), STR("127.0.0.1"), STR("::1")};
    struct str pem;
    struct secret *key = NULL;
    assert_null(ca_issue(a, ca, names, ARRAY_LEN(names), &pem, &key));
    X509 *root = read_cert(ca_cert_pem(a, ca)), *wrong = read_cert(ca_cert_pem(a, other));
    X509 *leaf = read_cert(pem);
    assert_int_equal(verify(root, leaf), X509_V_OK);
    assert_int_not_equal(verify(wrong, leaf), X509_V_OK);
    assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "b.s3.localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "b.localhost", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "0:0:0:0:0:0:0:1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.2", 0), 0);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
    assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_check_ca(root), 1);
    assert_int_equal(X509_get_key_usage(root), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_pathlen(root), 0);
    int days = 0, seconds = 0;
    assert_int_equal(
        ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf)), 1);
    assert_int_equal(days, CA_LEAF_DAYS);
    assert_int_equal(X509_get0_serialNumber(leaf)->length, 16);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf), X509_get0_serialNumber(root)), 0);
    BIO *b = BIO_new_mem_buf(secret_bytes(key), (int)secret_size(key));
    EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    assert_non_null(k);
    assert_int_equal(X509_check_private_key(leaf, k), 1);
    EVP_PKEY_free(k);
    BIO_free(b);
    X509_free(root);
    X509_free(wrong);
    X509_free(leaf);
    secret_free(key);
    ca_free(ca);
    ca_free(other);
    arena_free(a);
}

static void expect_invalid(struct err *e, enum err_kind kind)
{
    assert_true(err_is(e, kind));
    err_free(e);
}

static void test_bad_names(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct ca *ca = NULL;
    assert_null(ca_create("Ward local CA", &ca));
    static const struct str bad[] = {STR(""),   STR("a b"),      STR("a..b"), STR("a\0.b"),
                                     STR(".a"), STR("a."),       STR("a.*"),  STR("a,DNS:b"),
                                     STR("*"),  STR("\xc3\xa9"), STR("**.a")};
    struct str pem = STR("untouched");
    struct secret *key = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_invalid(ca_issue(a, ca, &bad[i], 1, &pem, &key), ERR_INVALID);
    struct str many[CA_NAMES_MAX + 1];
    for (size_t i = 0; i <= CA_NAMES_MAX; i++)
        many[i] = STR("localhost");
    expect_invalid(ca_issue(a, ca, many, CA_NAMES_MAX + 1, &pem, &key), ERR_LIMIT);
    expect_invalid(ca_issue(a, ca, many, 0, &pem, &key), ERR_LIMIT);
    assert_true(str_is(pem, "untouched") && key == NULL);
    assert_null(ca_issue(a, ca, many, CA_NAMES_MAX, &pem, &key));
    secret_free(key);
    expect_invalid(ca_create("", &ca), ERR_INVALID);
    ca_free(ca);
    arena_free(a);
}

static void test_load(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct ca *ca = NULL, *other = NULL, *again = NULL;
    struct secret *key = NULL, *other_key = NULL, *junk = NULL;
    assert_null(ca_create("Ward local CA", &ca));
    assert_null(ca_create("Ward local CA", &other));
    assert_null(ca_key_pem(ca, &key));
    assert_null(ca_key_pem(other, &other_key));
    struct str pem = ca_cert_pem(a, ca);
    assert_null(ca_load(pem, key, &again));
    assert_true(str_eq(ca_cert_pem(a, again), pem));
    struct str name = STR("a.localhost"), leaf_pem;
    struct secret *leaf_key = NULL;
    assert_null(ca_issue(a, again, &name, 1, &leaf_pem, &leaf_key));
    X509 *root = read_cert(pem), *leaf = read_cert(leaf_pem);
    assert_int_equal(verify(root, leaf), X509_V_OK);
    X509_free(root);
    X509_free(leaf);
    ca_free(again);
    again = NULL;
    expect_invalid(ca_load(pem, other_key, &again), ERR_INVALID);
    expect_invalid(ca_load(leaf_pem, leaf_key, &again), ERR_INVALID); /* no authority */
    expect_invalid(ca_load(STR("rubbish"), key, &again), ERR_INVALID);
    assert_null(secret_new(STR("rubbish"), &junk));
    expect_invalid(ca_load(pem, junk, &again), ERR_INVALID);
    int64_t later = clock_now_ms() + (CA_DAYS + 1) * 86400000LL;
    clock_set_fake(later);
    expect_invalid(ca_load(pem, key, &again), ERR_INVALID);
    clock_set_fake(-1);
    assert_null(again);
    assert_int_equal(ERR_peek_error(), 0);
    secret_free(junk);
    secret_free(key);
    secret_free(other_key);
    secret_free(leaf_key);
    ca_free(ca);
    ca_free(other);
    arena_free(a);
}

static void test_self_signed(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct secret *key = NULL;
    assert_null(rsa_generate(2048, &key));
    struct str pem;
    assert_null(ca_self_signed(a, key, "sns.amazonaws.com", &pem));
    X509 *x = read_cert(pem);
    EVP_PKEY *pub = X509_get_pubkey(x);
    assert_int_equal(X509_verify(x, pub), 1);
    assert_int_equal(EVP_PKEY_get_base_id(pub), EVP_PKEY_RSA);
    EVP_PKEY_free(pub);
    X509_free(x);
    secret_free(key);
    arena_free(a);
}

int main(void)
{
    struct err *e = crypto_init();
    CHECK(e == NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_self_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The server over TLS: versions, names and certificates, and long bodies both ways. */
#include "help.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: localhost\r\n"

static SSL_CTX *client_context(const struct fix *f)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(ctx);
    struct arena *a = arena_new(16 * 1024);
    struct str pem = ca_cert_pem(a, f->ca);
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *root = PEM_read_bio_X509(b, NULL, NULL, NULL);
    assert_non_null(root);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root), 1);
    X509_free(root);
    BIO_free(b);
    arena_free(a);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

/* Connects with that SNI (NULL: none), checking the certificate for `name`. NULL: refused. */
static SSL *tls_dial(const struct fix *f, SSL_CTX *ctx, const char *sni, const char *name)
{
    SSL *ssl = SSL_new(ctx);
    int fd = dial(f->port);
    SSL_set_fd(ssl, fd);
    if (sni != NULL)
        SSL_set_tlsext_host_name(ssl, sni);
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(p, name) != 1)
        SSL_set1_host(ssl, name);
    ERR_clear_error();
    if (SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void tls_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static void tls_put(SSL *ssl, const char *text)
{
    assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void tls_read(SSL *ssl, char *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t got = 0;
        assert_int_equal(SSL_read_ex(ssl, to + at, n - at, &got), 1);
        at += got;
    }
}

/* Reads one response; the body, NUL-terminated, to `body`. */
static int tls_reply(SSL *ssl, char *body, size_t max)
{
    char head[4096] = "";
    size_t n = 0;
    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < sizeof head - 1);
        tls_read(ssl, head + n++, 1);
    }
    const char *length = strstr(head, "Content-Length: ");
    assert_non_null(length);
    size_t body_n = strtoul(length + 16, NULL, 10);
    assert_true(body_n < max);
    tls_read(ssl, body, body_n);
    body[body_n] = '\0';
    return (int)strtol(head + 9, NULL, 10);
}

static void test_names(void **state)
{
    static const struct {
        const char *sni, *name;
        bool fits;
    } rows[] = {
        {NULL, "127.0.0.1", true},
        {NULL, "::1", true},
        {"localhost", "localhost", true},
        {"bucket.s3.localhost", "bucket.s3.localhost", true},
        {"My.Bucket.S3.LocalHost", "my.bucket.s3.localhost", true},
        {"sqs.us-east-1.amazonaws.com", "sqs.us-east-1.amazonaws.com", true},
        {"ward.example", "ward.example", true},
        {"x.apps.example", "x.apps.example", true},
        {"www.example.com", "www.example.com", false},
        {"evilamazonaws.com", "evilamazonaws.com", false},
        {"www.example.com", "localhost", true}, /* the default certificate */
        {"a..localhost", "a..localhost", false},
        {"bucket.s3.localhost", "other.s3.localhost", false},
    };
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            SSL *ssl = tls_dial(&f, ctx, rows[i].sni, rows[i].name);
            if ((ssl != NULL) != rows[i].fits)
                fail_msg("SNI %s, name %s", rows[i].sni, rows[i].name);
            if (ssl != NULL)
                tls_close(ssl);
        }
    SSL_CTX_free(ctx);
    fix_stop(&f);
}

static void test_cache_is_bounded(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    for (int i = 0; i < HTTP_CERTS_MAX + 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "b%d.localhost", i);
        SSL *ssl = tls_dial(&f, ctx, name, name);
        assert_non_null(ssl);
        tls_close(ssl);
    }
    SSL *ssl = tls_dial(&f, ctx, "b0.localhost", "b0.localhost");
    assert_non_null(ssl);
    tls_close(ssl);
    SSL_CTX_free(ctx);
    fix_stop(&f);
}

static void test_requests(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    char body[256];
    for (int i = 0; i < 2; i++) {
        SSL_CTX_set_min_proto_version(ctx, versions[i]);
        SSL_CTX_set_max_proto_version(ctx, versions[i]);
        SSL *ssl = tls_dial(&f, ctx, "a.localhost", "a.localhost");
        assert_non_null(ssl);
        for (int k = 0; k < 20; k++) {
            tls_put(ssl, "GET /peer HTTP/1.1\r\n" HOST "\r\n");
            assert_int_equal(tls_reply(ssl, body, sizeof body), 200);
            assert_string_equal(body, i == 0 ? "127.0.0.1 TLSv1.2 a.localhost"
                                             : "127.0.0.1 TLSv1.3 a.localhost");
        }
        assert_int_equal(SSL_session_reused(ssl), 0);
        assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(ssl)), 0);
        tls_close(ssl);
    }
    SSL_CTX_free(ctx);
    fix_stop(&f);
}

static void test_old_is_refused(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    assert_null(tls_dial(&f, ctx, NULL, "127.0.0.1"));
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA");
    assert_null(tls_dial(&f, ctx, NULL, "127.0.0.1"));
    SSL_CTX_set_cipher_list(ctx, "DEFAULT");
    SSL *ssl = tls_dial(&f, ctx, NULL, "127.0.0.1");
    assert_non_null(ssl);
    tls_close(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    fix_stop(&f);
}

static void test_alpn(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    const unsigned char both[] = "\x02h2\x08http/1.1", two[] = "\x02h2";
    SSL_CTX_set_alpn_protos(ctx, both, sizeof both - 1);
    SSL *ssl = tls_dial(&f, ctx, NULL, "127.0.0.1");
    assert_non_null(ssl);
    const unsigned char *chosen = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(ssl, &chosen, &n);
    assert_int_equal(n, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    tls_close(ssl);
    SSL_CTX_set_alpn_protos(ctx, two, sizeof two - 1);
    assert_null(tls_dial(&f, ctx, NULL, "127.0.0.1"));
    SSL_CTX_free(ctx);
    ERR_clear_error();
    fix_stop(&f);
}

static void test_long_bodies(void **state)
{
    enum { N = 16 * 1024 * 1024, BLOCK = 100000 };
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    SSL *ssl = tls_dial(&f, ctx, "localhost", "localhost");
    assert_non_null(ssl);
    char *block = malloc(BLOCK);
    assert_non_null(block);
    tls_put(ssl, "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 16777216\r\n\r\n");
    for (size_t at = 0; at < N;) {
        size_t n = N - at < BLOCK ? N - at : BLOCK, put_n = 0;
        for (size_t i = 0; i < n; i++)
            block[i] = pattern(at + i);
        assert_int_equal(SSL_write_ex(ssl, block, n, &put_n), 1);
        at += put_n;
    }
    assert_int_equal(tls_reply(ssl, block, BLOCK), 200);
    assert_string_equal(block, "16777216");
    assert_false(f.bytes_wrong);
    tls_put(ssl, "GET /down/16777216 HTTP/1.1\r\n" HOST "\r\n");
    char last[4] = "";
    while (memcmp(last, "\r\n\r\n", 4) != 0) {
        memmove(last, last + 1, 3);
        tls_read(ssl, last + 3, 1);
    }
    for (size_t at = 0; at < N;) {
        size_t n = N - at < BLOCK ? N - at : BLOCK;
        tls_read(ssl, block, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(block[i], pattern(at + i));
        at += n;
    }
    free(block);
    tls_close(ssl);
    SSL_CTX_free(ctx);
    fix_stop(&f);
}

static void test_gone_while_parked(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    SSL_CTX *ctx = client_context(&f);
    SSL *ssl = tls_dial(&f, ctx, "localhost", "localhost");
    assert_non_null(ssl);
    tls_put(ssl, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    struct http_exchange *x = fix_parked(&f);
    tls_close(ssl);
    while (!http_gone(x))
        sched_yield();
    http_respond(x, 200, NULL, 0, STR(""), -1);
    fix_wait(&f, &f.dones, 1);
    assert_int_equal(f.gones, 1);
    SSL_CTX_free(ctx);
    fix_stop(&f);
}

static void test_plain_http(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
    struct reply r = get_reply(fd, false);
    assert_int_equal(r.status, 400);
    assert_true(str_find(r.body, STR("HTTPS")) >= 0);
    reply_free(&r);
    assert_true(closed_by_peer(fd));
    close(fd);
    fix_stop(&f);
}

/* A handshake that stands still ends with the time for a head. */
static void test_slow_handshake(void **state)
{
    struct fix f;
    struct http_timeouts t = http_timeouts_usual;
    t.head_ms = 200;
    fix_start(&f, true, &t, 2, 64);
    int fd = dial(f.port);
    put(fd, STR("\x16\x03\x01"));
    assert_true(closed_by_peer(fd));
    close(fd);
    fix_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),          cmocka_unit_test(test_cache_is_bounded),
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_old_is_refused),
        cmocka_unit_test(test_alpn),           cmocka_unit_test(test_long_bodies),
        cmocka_unit_test(test_plain_http),     cmocka_unit_test(test_gone_while_parked),
        cmocka_unit_test(test_slow_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

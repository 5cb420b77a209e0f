/* Outgoing calls, against our own server and a small mail relay. */
#include "../client.h"
#include "help.h"

#include "../../core/clock.h"
#include "../../core/enc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static struct err *call(struct arena *a, int port, const char *scheme, const char *path,
                        struct http_out *req, struct http_in *in)
{
    req->url = arena_fmt(a, "%s://127.0.0.1:%d%s", scheme, port, path);
    if (req->method == NULL)
        req->method = "GET";
    return http_send(a, req, in);
}

static void expect_err(struct err *e, enum err_kind kind)
{
    assert_non_null(e);
    if (e->kind != kind)
        fail_msg("kind %d, not %d: %s (%s)", e->kind, kind, e->message, e->detail);
    err_free(e);
}

static void test_calls(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    struct arena *a = arena_new(16 * 1024 * 1024);
    struct http_header h[] = {{STR("X-A"), STR("1")}, {STR("X-Empty"), STR("")}};
    struct http_out req = {.method = "POST", .headers = h, .n_headers = 2, .body = STR("a\0b")};
    struct http_in in = {0};
    for (int i = 0; i < 10; i++) {
        assert_null(call(a, f.port, "http", "/echo", &req, &in));
        assert_int_equal(in.status, 200);
        assert_true(str_eq(in.body, STR("a\0b")));
        bool seen = false;
        for (size_t k = 0; k < in.n_headers; k++)
            seen = seen ||
                   (str_is_i(in.headers[k].name, "x-test") && str_is(in.headers[k].value, "yes"));
        assert_true(seen);
    }
    assert_int_equal(__atomic_load_n(&f.server->connections, __ATOMIC_RELAXED), 1);
    req = (struct http_out){.method = "HEAD"};
    assert_null(call(a, f.port, "http", "/echo", &req, &in));
    assert_int_equal(in.body.n, 0);
    req = (struct http_out){.method = "PUT", .body = STR("abc")};
    assert_null(call(a, f.port, "http", "/refuse", &req, &in));
    assert_int_equal(in.status, 403);
    req = (struct http_out){0};
    assert_null(call(a, f.port, "http", "/chunks/1000000", &req, &in));
    assert_int_equal(in.body.n, 1000000);
    arena_free(a);
    fix_stop(&f);
}

static void test_call_refusals(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    struct arena *a = arena_new(16 * 1024 * 1024);
    struct http_in in = {0};
    struct http_out req = {0};
    expect_err(call(a, f.port, "http", "/down/1048577", &req, &in), ERR_LIMIT);
    expect_err(call(a, f.port, "ftp", "/", &req, &in), ERR_INVALID);
    expect_err(call(a, f.port, "file", "/etc/passwd", &req, &in), ERR_INVALID);
    expect_err(call(a, f.port, "http", "/a\r\nX: y", &req, &in), ERR_INVALID);
    expect_err(call(a, f.port, "https", "/", &req, &in), ERR_IO);
    struct http_header h = {STR("X-A"), STR("1\r\nX-B: 2")};
    req = (struct http_out){.headers = &h, .n_headers = 1};
    expect_err(call(a, f.port, "http", "/", &req, &in), ERR_INVALID);
    h = (struct http_header){STR("X:A"), STR("1")};
    expect_err(call(a, f.port, "http", "/", &req, &in), ERR_INVALID);
    static const char *const local[] = {"http://169.254.169.254/", "http://[fe80::1]/",
                                        "http://[::ffff:169.254.169.254]/",
                                        "http://[fd00:ec2::254]/"};
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        req = (struct http_out){.method = "POST", .url = str_c(local[i]), .foreign = true,
                                .timeout_ms = 500};
        expect_err(http_send(a, &req, &in), ERR_INVALID);
    }
    req = (struct http_out){.method = "GET", .foreign = true};
    assert_null(call(a, f.port, "http", "/echo", &req, &in));
    req = (struct http_out){.timeout_ms = 200};
    int64_t began = clock_mono_ms();
    expect_err(call(a, f.port, "http", "/park", &req, &in), ERR_TIMEOUT);
    assert_true(clock_mono_ms() - began < 5000);
    http_respond(fix_parked(&f), 200, NULL, 0, STR(""), -1);
    int dead_port = f.port;
    arena_free(a);
    fix_stop(&f);
    a = arena_new(64 * 1024);
    expect_err(call(a, dead_port, "http", "/", &req, &in), ERR_IO);
    arena_free(a);
}

static void test_tls_calls(void **state)
{
    struct fix f;
    fix_start(&f, true, NULL, 2, 64);
    struct arena *a = arena_new(1024 * 1024);
    struct http_in in = {0};
    struct http_out req = {0};
    expect_err(call(a, f.port, "https", "/echo", &req, &in), ERR_IO);
    char name[] = "ward-ca-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    struct str pem = ca_cert_pem(a, f.ca);
    assert_int_equal(write(fd, pem.p, pem.n), (ssize_t)pem.n);
    close(fd);
    assert_int_equal(setenv("SSL_CERT_FILE", "/nowhere", 1), 0); /* trusts nobody more */
    expect_err(call(a, f.port, "https", "/echo", &req, &in), ERR_IO);
    req = (struct http_out){.method = "POST", .body = STR("x"), .ca_file = name};
    assert_null(call(a, f.port, "https", "/echo", &req, &in));
    unsetenv("SSL_CERT_FILE");
    assert_int_equal(in.status, 200);
    assert_true(str_is(in.body, "x"));
    req.url = arena_fmt(a, "https://[::ffff:127.0.0.1]:%d/", f.port);
    expect_err(http_send(a, &req, &in), ERR_IO); /* not a name of the certificate */
    req = (struct http_out){.ca_file = "/nowhere"};
    expect_err(call(a, f.port, "https", "/echo", &req, &in), ERR_IO);
    assert_int_equal(setenv("SSL_CERT_FILE", name, 1), 0);
    req = (struct http_out){0};
    assert_null(call(a, f.port, "https", "/echo", &req, &in));
    unsetenv("SSL_CERT_FILE");
    unlink(name);
    arena_free(a);
    fix_stop(&f);
}

/* -- mail ----------------------------------------------------------------------------------------
 */

struct relay {
    int fd, port;
    struct buf seen;
};

/* Takes one mail; what the client said is kept. */
static void *relay_run(void *arg)
{
    struct relay *r = arg;
    int c = accept(r->fd, NULL, NULL);
    put_c(c, "220 relay\r\n");
    bool data = false;
    char line[4096];
    size_t n = 0;
    while (recv(c, line + n, 1, 0) == 1) {
        if (line[n++] != '\n' || n == sizeof line)
            continue;
        struct str s = {line, n};
        buf_str(&r->seen, s);
        n = 0;
        if (data && !str_is(s, ".\r\n"))
            continue;
        if (str_is(s, "DATA\r\n"))
            put_c(c, "354 go on\r\n");
        else
            put_c(c, str_is(s, "QUIT\r\n") ? "221 bye\r\n" : "250 fine\r\n");
        data = str_is(s, "DATA\r\n");
    }
    close(c);
    return NULL;
}

static void relay_open(struct relay *r, pthread_t *id)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t n = sizeof sa;
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    buf_init(&r->seen, 1024 * 1024);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(r->fd, 1), 0);
    assert_int_equal(getsockname(r->fd, (struct sockaddr *)&sa, &n), 0);
    r->port = ntohs(sa.sin_port);
    assert_int_equal(pthread_create(id, NULL, relay_run, r), 0);
}

/* In a thread of its own: when it ends its handle goes, and the relay sees the connection end. */
static void *send_mail(void *m)
{
    return mail_send(m);
}

static void expect_line(struct str seen, const char *line)
{
    if (str_find(seen, str_c(line)) < 0)
        fail_msg("no \"%s\" in: %.*s", line, STR_ARG(seen));
}

static void test_mail(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct relay r;
    pthread_t relay, sender;
    relay_open(&r, &relay);
    struct mail m = {
        .server = arena_fmt(a, "smtp://127.0.0.1:%d", r.port),
        .from = STR("ward@example.org"),
        .to = STR("reader@example.org"),
        .subject = STR("Gr\xc3\xbc\xc3\x9f"
                       "e\r\nBcc: evil@example.org"),
        .text = STR(".\r\nA line of its own dot, and \xc3\xa9.\nEnd"),
    };
    void *e = NULL;
    assert_int_equal(pthread_create(&sender, NULL, send_mail, &m), 0);
    pthread_join(sender, &e);
    pthread_join(relay, NULL);
    assert_null(e);
    struct str seen = buf_view(&r.seen);
    expect_line(seen, "MAIL FROM:<ward@example.org>");
    expect_line(seen, "RCPT TO:<reader@example.org>");
    expect_line(seen, "\r\nSubject: =?UTF-8?B?");
    expect_line(seen, "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    assert_true(str_find(seen, STR("\nBcc:")) < 0 && str_find(seen, STR("evil")) < 0);
    expect_line(seen, enc_base64(a, m.text).p);
    expect_line(seen, " +0000\r\nFrom: <ward@example.org>\r\nTo: <reader@example.org>\r\n");
    buf_clear(&r.seen);
    close(r.fd);
    arena_free(a);
}

static void test_mail_refusals(void **state)
{
    static const char *const addresses[] = {
        "",      "a",     "@b",   "a@",    "a@b@c",   "a b@c", "a@b\r\nX: y",
        "a@b\n", "<a@b>", "a@b>", "a,b@c", "a@b\x7f",
    };
    struct mail m = {.server = STR("smtp://127.0.0.1:1"), .subject = STR("s"), .text = STR("t")};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        m.from = str_c(addresses[i]);
        m.to = STR("a@b");
        expect_err(mail_send(&m), ERR_INVALID);
        m.to = m.from;
        m.from = STR("a@b");
        expect_err(mail_send(&m), ERR_INVALID);
    }
    m.from = m.to = STR("a@b");
    expect_err(mail_send(&m), ERR_IO); /* nobody listens there */
    m.server = STR("http://127.0.0.1:1");
    expect_err(mail_send(&m), ERR_INVALID);
    m.server = STR("smtp://127.0.0.1:1/\r\nX");
    expect_err(mail_send(&m), ERR_INVALID);
    m.server = STR("smtp://127.0.0.1:1");
    m.subject = STR("\xff");
    expect_err(mail_send(&m), ERR_INVALID);
}

/* A long subject is cut between characters, into words within the 75 of RFC 2047. */
static void test_long_subject(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct relay r;
    pthread_t relay, sender;
    relay_open(&r, &relay);
    struct str subject = STR("x");
    for (int i = 0; i < 100; i++)
        subject = arena_concat(a, subject, STR("\xe2\x82\xac"));
    struct mail m = {.server = arena_fmt(a, "smtp://127.0.0.1:%d", r.port),
                     .from = STR("a@example.org"),
                     .to = STR("b@example.org"),
                     .subject = subject,
                     .text = STR("")};
    void *e = NULL;
    assert_int_equal(pthread_create(&sender, NULL, send_mail, &m), 0);
    pthread_join(sender, &e);
    pthread_join(relay, NULL);
    assert_null(e);
    struct str rest = buf_view(&r.seen), whole = STR("");
    ptrdiff_t at;
    while ((at = str_find(rest, STR("=?UTF-8?B?"))) >= 0) {
        rest = str_skip(rest, (size_t)at + 10);
        struct str word = str_take(rest, (size_t)str_find(rest, STR("?="))), bytes;
        assert_true(word.n + 12 <= 75);
        assert_true(dec_base64(a, word, &bytes) && str_utf8_valid(bytes));
        whole = arena_concat(a, whole, bytes);
    }
    assert_true(str_eq(whole, subject));
    buf_clear(&r.seen);
    close(r.fd);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),         cmocka_unit_test(test_call_refusals),
        cmocka_unit_test(test_tls_calls),     cmocka_unit_test(test_mail),
        cmocka_unit_test(test_mail_refusals), cmocka_unit_test(test_long_subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

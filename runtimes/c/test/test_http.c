/* The client against a server thread that says exactly what a case tells it to. */
#include "core/clock.h"
#include "http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { REQUEST_MAX = 8192 };

/* Answers `count` connections, one request each, with the same text, and remembers the request. */
struct server {
    int fd, count;
    uint16_t port;
    struct str answer;
    bool hold; /* says nothing until the client is gone */
    char request[REQUEST_MAX];
    pthread_t thread;
};

static void read_request(struct server *s, int fd)
{
    size_t n = 0;
    while (n + 1 < sizeof s->request && strstr(s->request, "\r\n\r\n") == NULL) {
        ssize_t got = recv(fd, s->request + n, sizeof s->request - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        s->request[n] = '\0';
    }
}

static void *serve(void *arg)
{
    struct server *s = arg;
    for (int i = 0; i < s->count; i++) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            break;
        memset(s->request, 0, sizeof s->request);
        read_request(s, fd);
        char byte;
        if (!s->hold)
            (void)send(fd, s->answer.p, s->answer.n, MSG_NOSIGNAL);
        else
            (void)recv(fd, &byte, 1, 0);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->fd, 4), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static struct http_base loopback(uint16_t port)
{
    char url[64];
    struct http_base base;
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    assert_null(http_base_parse(str_c(url), &base));
    return base;
}

/* One exchange with a server that says `answer`: the kind of the error, 0 for none. */
static enum err_kind ask(const char *method, struct str answer, size_t body_max,
                         struct http_response *r)
{
    struct server s = {.count = 1, .answer = answer};
    server_start(&s);
    struct http_base base = loopback(s.port);
    struct http_client *c;
    assert_null(http_client_new(NULL, &c));
    struct http_request q = {.method = method, .base = &base, .target = STR("/x?y=1"),
                             .deadline_ms = clock_mono_ms() + 5000, .body_max = body_max};
    struct err *e = http_exchange(c, &q, r);
    enum err_kind kind = e == NULL ? 0 : e->kind;
    err_free(e);
    http_client_free(c);
    server_stop(&s);
    return kind;
}

#define OK "HTTP/1.1 200 OK\r\n"

static void test_good(void **state)
{
    static const struct {
        const char *method, *answer, *body;
        int status;
    } cases[] = {
        {"GET", OK "Content-Length: 5\r\n\r\nhello", "hello", 200},
        {"GET", OK "content-length:0\r\n\r\n", "", 200},
        {"GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok", 200},
        {"GET", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
         "abc0123456789", 200},
        {"GET", OK "Transfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", "", 200},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 204},
        {"GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", "", 304},
        {"HEAD", OK "Content-Length: 500\r\n\r\n", "", 200},
        {"GET", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", "x", 200},
        {"GET", "HTTP/1.0 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "busy", 503},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
        assert_int_equal(ask(cases[i].method, str_c(cases[i].answer), 100, &r), 0);
        assert_int_equal(r.status, cases[i].status);
        assert_int_equal(r.body.n, strlen(cases[i].body));
        assert_memory_equal(r.body.n == 0 ? "" : r.body.p, cases[i].body, r.body.n);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *answer;
        enum err_kind kind;
    } cases[] = {
        {"", ERR_IO},
        {"HTTP/1.1 200 OK\r\n", ERR_IO},
        {OK "Content-Length: 5\r\n\r\nhell", ERR_IO},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", ERR_IO},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ERR_IO},
        {OK "\r\nhello", ERR_CORRUPT},
        {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", ERR_CORRUPT},
        {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ERR_CORRUPT},
        {OK "Transfer-Encoding: gzip\r\n\r\n", ERR_CORRUPT},
        {OK "Content-Length: +5\r\n\r\nhello", ERR_CORRUPT},
        {OK "Content-Length: -5\r\n\r\nhello", ERR_CORRUPT},
        {OK "Content-Length: 5x\r\n\r\nhello", ERR_CORRUPT},
        {OK "Content-Length: 99999999999999999999\r\n\r\n", ERR_CORRUPT},
        {OK "Content-Length : 5\r\n\r\nhello", ERR_CORRUPT},
        {OK " folded: 5\r\n\r\n", ERR_CORRUPT},
        {OK "Content-Length: 5\n\r\nhello", ERR_CORRUPT},
        {OK "A: b\rc\r\nContent-Length: 0\r\n\r\n", ERR_CORRUPT},
        {OK "NoColon\r\n\r\n", ERR_CORRUPT},
        {"HTTP/2 200 OK\r\n\r\n", ERR_CORRUPT},
        {"HTTP/1.1 2x0 OK\r\n\r\n", ERR_CORRUPT},
        {"HTTP/1.1 2000 OK\r\n\r\n", ERR_CORRUPT},
        {"SSH-2.0-x\r\n\r\n", ERR_CORRUPT},
        {OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_CORRUPT},
        {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", ERR_CORRUPT},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", ERR_LIMIT},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\n0\r\n\r\n", ERR_CORRUPT},
        {OK "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", ERR_CORRUPT},
        {OK "Content-Length: 101\r\n\r\n", ERR_IO},
        {"HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\n"
         "HTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\nHTTP/1.1 100 a\r\n\r\n",
         ERR_CORRUPT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
        enum err_kind kind = ask("GET", str_c(cases[i].answer), 100, &r);
        if (kind != cases[i].kind)
            fail_msg("case %zu: kind %d, not %d", i, (int)kind, (int)cases[i].kind);
    }
}

static void test_limits(void **state)
{
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    CLEANUP(buf_clear) struct buf b = BUF_INIT(1024 * 1024);
    buf_c(&b, OK "Content-Length: 4\r\n\r\nabcd");
    assert_int_equal(ask("GET", buf_view(&b), 3, &r), ERR_LIMIT);

    buf_reset(&b);
    buf_c(&b, OK "A: ");
    for (int i = 0; i < HTTP_HEAD_MAX; i++)
        buf_char(&b, 'x');
    buf_c(&b, "\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(ask("GET", buf_view(&b), 3, &r), ERR_LIMIT);

    buf_reset(&b);
    buf_c(&b, OK);
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
        buf_c(&b, "A: b\r\n");
    buf_c(&b, "Content-Length: 0\r\n\r\n");
    assert_int_equal(ask("GET", buf_view(&b), 3, &r), ERR_LIMIT);

    buf_reset(&b);
    buf_c(&b, "HTTP/1.1 500 x\r\nContent-Length: 70000\r\n\r\n");
    for (int i = 0; i < 70000; i++)
        buf_char(&b, 'x');
    assert_int_equal(ask("GET", buf_view(&b), 3, &r), ERR_LIMIT);
}

static void test_nul_in_head(void **state)
{
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    assert_int_equal(ask("GET", STR(OK "A: x\0y\r\nContent-Length: 0\r\n\r\n"), 9, &r),
                     ERR_CORRUPT);
}

static void test_request_form(void **state)
{
    struct server s = {.count = 1, .answer = STR(OK "X-Y:  z \r\nContent-Length: 0\r\n\r\n")};
    server_start(&s);
    struct http_base base = loopback(s.port);
    struct http_client *c;
    assert_null(http_client_new(NULL, &c));
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    struct http_header h = {STR("X-A"), STR("b")};
    struct http_request q = {.method = "POST", .base = &base, .target = STR("/a?b"), .headers = &h,
                             .n_headers = 1, .body = STR("")};
    assert_null(http_exchange(c, &q, &r));
    assert_true(str_is(http_response_header(&r, "x-y"), "z"));
    assert_null(http_response_header(&r, "x-z").p);
    server_stop(&s);
    char want[256];
    snprintf(want, sizeof want,
             "POST /a?b HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nX-A: b\r\nContent-Length: 0\r\n\r\n",
             s.port);
    assert_string_equal(s.request, want);

    struct http_header bad[] = {{STR("X A"), STR("b")}, {STR("X"), STR("b\r\nY: c")},
                                {STR(""), STR("b")}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct server t = {.count = 1, .answer = STR("")};
        server_start(&t);
        base = loopback(t.port);
        q.headers = &bad[i];
        struct err *e = http_exchange(c, &q, &r);
        assert_true(err_is(e, ERR_INVALID));
        err_free(e);
        server_stop(&t);
    }
    http_client_free(c);
}

static void test_deadline(void **state)
{
    struct server s = {.count = 2, .hold = true};
    server_start(&s);
    struct http_base base = loopback(s.port);
    struct http_client *c;
    assert_null(http_client_new(NULL, &c));
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    struct http_request q = {.method = "GET", .base = &base, .target = STR("/"),
                             .deadline_ms = clock_mono_ms() + 100};
    struct err *e = http_exchange(c, &q, &r);
    assert_true(err_is(e, ERR_TIMEOUT));
    err_free(e);
    q.deadline_ms = 0;
    q.idle_timeout_ms = 100;
    e = http_exchange(c, &q, &r);
    assert_true(err_is(e, ERR_TIMEOUT));
    err_free(e);
    http_client_free(c);
    server_stop(&s);
}

/* The server closes after each answer without saying so: the kept connection is dead. */
static void test_kept_connection_died(void **state)
{
    struct server s = {.count = 3, .answer = STR(OK "Content-Length: 2\r\n\r\nok")};
    server_start(&s);
    struct http_base base = loopback(s.port);
    struct http_client *c;
    assert_null(http_client_new(NULL, &c));
    struct http_request q = {.method = "GET", .base = &base, .target = STR("/"), .body_max = 10};
    for (int i = 0; i < 3; i++) {
        CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
        assert_null(http_exchange(c, &q, &r));
        assert_int_equal(r.status, 200);
    }
    http_client_free(c);
    server_stop(&s);
}

static void test_not_reached(void **state)
{
    struct server s = {.count = 0};
    server_start(&s);
    struct http_base base = loopback(s.port);
    server_stop(&s);
    struct http_client *c;
    assert_null(http_client_new(NULL, &c));
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    struct http_request q = {.method = "GET", .base = &base, .target = STR("/")};
    struct err *e = http_exchange(c, &q, &r);
    assert_true(err_is(e, ERR_IO));
    err_free(e);
    http_client_free(c);
}

static void test_base(void **state)
{
    static const char *const bad[] = {
        "", "ftp://x", "http://", "http:///", "http://a/b", "http://a:0", "http://a:65536",
        "http://a:x", "http://a:", "http://u@a", "http://[::1", "http://::1", "http://a b",
        "https://a?x", "http://[::1]x"};
    struct http_base b;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err *e = http_base_parse(str_c(bad[i]), &b);
        if (!err_is(e, ERR_INVALID))
            fail_msg("accepted: %s", bad[i]);
        err_free(e);
    }
    CLEANUP(buf_clear) struct buf host = BUF_INIT(300);
    assert_null(http_base_parse(STR("https://example.org/"), &b));
    assert_true(b.tls && b.port == 443);
    http_base_host(&b, &host);
    assert_true(str_is(buf_view(&host), "example.org"));
    buf_reset(&host);
    assert_null(http_base_parse(STR("http://[::1]:8080"), &b));
    assert_true(!b.tls && b.port == 8080);
    http_base_host(&b, &host);
    assert_true(str_is(buf_view(&host), "[::1]:8080"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_nul_in_head),
        cmocka_unit_test(test_request_form), cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_kept_connection_died), cmocka_unit_test(test_not_reached),
        cmocka_unit_test(test_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The server over plain sockets: what it refuses, how it keeps connections, what it does when time
 * runs out, and how exchanges end. */
#include "help.h"

#include "../../core/clock.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: localhost\r\n"

static struct http_timeouts short_times(void)
{
    struct http_timeouts t = http_timeouts_usual;
    t.head_ms = t.idle_ms = t.stall_ms = 300;
    t.linger_ms = 200;
    return t;
}

/* Sends, expects that status and the end of the connection. */
static void expect_refusal(struct fix *f, struct str request, int status)
{
    int fd = dial(f->port);
    put(fd, request);
    struct reply r = get_reply(fd, false);
    if (r.status != status)
        fail_msg("status %d, not %d, for: %.*s", r.status, status,
                 (int)(request.n < 100 ? request.n : 100), request.p);
    assert_true(reply_says(&r, "\r\nConnection: close\r\n"));
    assert_true(closed_by_peer(fd));
    reply_free(&r);
    close(fd);
}

static void test_refusals(void **state)
{
    static const struct {
        struct str request;
        int status;
    } rows[] = {
        {STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 400},
        {STR("POST / HTTP/1.1\r\n" HOST
             "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
         400},
        {STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\nA: b\r\n\r\n"), 400},
        {STR("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400},
        {STR("POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc"), 400},
        {STR("GET / HTTP/1.1\n" HOST "\r\n"), 400},
        {STR("GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n"), 400},
        {STR("GET http://localhost/ HTTP/1.1\r\n" HOST "\r\n"), 400},
        {STR("GET / HTTP/1.0\r\n" HOST "\r\n"), 505},
        {STR("GET / HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n"), 417},
    };
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_refusal(&f, rows[i].request, rows[i].status);
    struct buf b = BUF_INIT(1024 * 1024);
    buf_c(&b, "GET /");
    for (int i = 0; i < HTTP_LINE_MAX; i++)
        buf_char(&b, 'a');
    expect_refusal(&f, buf_view(&b), 414);
    buf_reset(&b);
    buf_c(&b, "GET / HTTP/1.1\r\n" HOST "A: ");
    for (int i = 0; i < HTTP_HEAD_MAX; i++)
        buf_char(&b, 'a');
    expect_refusal(&f, buf_view(&b), 431);
    buf_reset(&b);
    buf_c(&b, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        buf_c(&b, "A: b\r\n");
    buf_c(&b, "\r\n");
    expect_refusal(&f, buf_view(&b), 431);
    buf_clear(&b);
    assert_int_equal(f.heads, 0);
    fix_stop(&f);
}

static void expect_ok(int fd, const char *request, const char *body)
{
    put_c(fd, request);
    struct reply r = get_reply(fd, false);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.p, body);
    reply_free(&r);
}

static void test_keep_alive(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    for (int i = 0; i < 50; i++) {
        expect_ok(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "hello");
        expect_ok(fd,
                  "POST /echo?x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                  "2\r\nab\r\n3;x\r\ncde\r\n0\r\nT: v\r\n\r\n",
                  "abcde");
    }
    /* An answer given at the head keeps the connection when there is no body to skip. */
    put_c(fd, "GET /refuse HTTP/1.1\r\n" HOST "\r\n");
    struct reply r = get_reply(fd, false);
    assert_int_equal(r.status, 403);
    reply_free(&r);
    put_c(fd, "GET /echo HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    r = get_reply(fd, false);
    assert_true(reply_says(&r, "Connection: close\r\n") && reply_says(&r, "\r\nDate: ") &&
                reply_says(&r, "X-Test: yes\r\n"));
    reply_free(&r);
    assert_true(closed_by_peer(fd));
    close(fd);
    fix_stop(&f);
    assert_int_equal(f.heads, 102);
}

static void test_in_single_bytes(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    const char *request = "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                          "5\r\nhello\r\n0\r\n\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n";
    for (const char *p = request; *p != '\0'; p++)
        put(fd, (struct str){p, 1});
    expect_ok(fd, "", "hello");
    expect_ok(fd, "", "");
    close(fd);
    fix_stop(&f);
}

static void test_pipelining(void **state)
{
    enum { N = 500 };
    struct fix f;
    fix_start(&f, false, NULL, 4, 64);
    struct buf b = BUF_INIT(1024 * 1024);
    for (int i = 0; i < N; i++)
        buf_fmt(&b,
                i % 2 ? "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n%04d"
                      : "POST /echo HTTP/1.1\r\n" HOST
                        "Transfer-Encoding: chunked\r\n\r\n4\r\n%04d\r\n0\r\n\r\n",
                i);
    int fd = dial(f.port);
    put(fd, buf_view(&b));
    for (int i = 0; i < N; i++) {
        char want[8];
        snprintf(want, sizeof want, "%04d", i);
        expect_ok(fd, "", want);
    }
    close(fd);
    buf_clear(&b);
    fix_stop(&f);
    assert_int_equal(f.dones, N);
}

static void test_no_body(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "HEAD /echo HTTP/1.1\r\n" HOST "\r\n");
    struct reply r = get_reply(fd, true);
    assert_true(reply_says(&r, "Content-Length: 12345\r\n"));
    reply_free(&r);
    put_c(fd, "HEAD /down/1000 HTTP/1.1\r\n" HOST "\r\n");
    r = get_reply(fd, true);
    assert_true(reply_says(&r, "Content-Length: 1000\r\n"));
    reply_free(&r);
    put_c(fd, "GET /none HTTP/1.1\r\n" HOST "\r\n");
    r = get_reply(fd, false);
    assert_int_equal(r.status, 204);
    assert_false(reply_says(&r, "Content-Length"));
    reply_free(&r);
    expect_ok(fd, "GET /down/0 HTTP/1.1\r\n" HOST "\r\n", "");
    expect_ok(fd, "GET /down/10 HTTP/1.1\r\n" HOST "\r\n", "abcdefghij");
    close(fd);
    fix_stop(&f);
    assert_int_equal(f.sources_done, 3);
}

static void test_expect_continue(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "PUT /count HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    struct reply r = get_reply(fd, false);
    assert_int_equal(r.status, 100);
    reply_free(&r);
    expect_ok(fd, "abc", "3");
    /* Refused: the final answer comes at once, and the body is never asked for. */
    put_c(fd, "PUT /refuse HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    r = get_reply(fd, false);
    assert_int_equal(r.status, 403);
    assert_true(reply_says(&r, "Connection: close\r\n"));
    reply_free(&r);
    assert_true(closed_by_peer(fd));
    close(fd);
    expect_refusal(&f,
                   STR("PUT /echo HTTP/1.1\r\n" HOST
                       "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n"),
                   413);
    fix_stop(&f);
}

static void test_body_limits(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    expect_refusal(&f, STR("PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n"), 413);
    struct buf b = BUF_INIT(4 * 1024 * 1024);
    buf_c(&b, "PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n100001\r\n");
    for (int i = 0; i < 0x100001; i++)
        buf_char(&b, 'x');
    expect_refusal(&f, buf_view(&b), 413);
    buf_clear(&b);
    expect_refusal(
        &f, STR("PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc"), 400);
    expect_refusal(&f, STR("PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz"),
                   400);
    fix_wait(&f, &f.body_errors, 4);
    assert_int_equal(f.ends, 0);
    fix_stop(&f);
}

static void test_collected_body(void **state)
{
    enum { N = 1024 * 1024 };
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    char *body = malloc(N);
    assert_non_null(body);
    for (size_t i = 0; i < N; i++)
        body[i] = pattern(i);
    for (int chunked = 0; chunked < 2; chunked++) {
        int fd = dial(f.port);
        put_c(fd, "PUT /echo HTTP/1.1\r\n" HOST);
        put_c(fd, chunked ? "Transfer-Encoding: chunked\r\n\r\n100000\r\n"
                          : "Content-Length: 1048576\r\n\r\n");
        put(fd, (struct str){body, N});
        put_c(fd, chunked ? "\r\n0\r\n\r\n" : "");
        struct reply r = get_reply(fd, false);
        assert_int_equal(r.body.n, N);
        assert_memory_equal(r.body.p, body, N);
        reply_free(&r);
        expect_ok(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
        close(fd);
    }
    assert_int_equal(__atomic_load_n(&f.server->buffered, __ATOMIC_RELAXED), 0);
    free(body);
    fix_stop(&f);
}

/* -- time ----------------------------------------------------------------------------------------
 */

static void test_slow_head(void **state)
{
    struct fix f;
    struct http_timeouts t = short_times();
    fix_start(&f, false, &t, 2, 64);
    int64_t began = clock_mono_ms();
    expect_refusal(&f, STR("GET / HTTP/1.1\r\nHost: loc"), 408);
    int64_t took = clock_mono_ms() - began;
    assert_true(took >= 300 && took < 5000);
    /* Idle connections are closed without a word. */
    int fd = dial(f.port);
    struct str s = read_to_end(fd);
    assert_int_equal(s.n, 0);
    free((char *)s.p);
    close(fd);
    fd = dial(f.port);
    expect_ok(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
    assert_true(closed_by_peer(fd));
    close(fd);
    fix_stop(&f);
}

static void test_slow_body(void **state)
{
    struct fix f;
    struct http_timeouts t = short_times();
    fix_start(&f, false, &t, 2, 64);
    expect_refusal(&f, STR("PUT /count HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc"), 408);
    expect_refusal(&f, STR("PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc"), 408);
    expect_refusal(&f, STR("PUT /own HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc"), 422);
    expect_refusal(
        &f, STR("PUT /own HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 422);
    fix_wait(&f, &f.body_errors, 4);
    assert_int_equal(f.ends, 0);
    fix_stop(&f);
}

/* A byte now and then passes for no stall, but the rate over the window gives it away. */
static void test_trickling_body(void **state)
{
    struct fix f;
    struct http_timeouts t = short_times();
    t.stall_ms = 5000;
    t.rate_window_ms = 400;
    t.rate_min = 10000;
    t.head_ms = 100; /* so that the loop looks often */
    fix_start(&f, false, &t, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    struct timeval pause = {.tv_usec = 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    char c;
    ssize_t n = -1;
    for (int i = 0; i < 500 && n < 0; i++) {
        put_c(fd, "x");
        n = recv(fd, &c, 1, MSG_PEEK);
    }
    assert_int_equal(n, 1);
    struct reply r = get_reply(fd, false);
    assert_int_equal(r.status, 408);
    reply_free(&r);
    close(fd);
    fix_wait(&f, &f.body_errors, 1);
    fix_stop(&f);
}

/* -- parking
 * --------------------------------------------------------------------------------------- */

static void *answer_later(void *x)
{
    struct http_header h = {STR("X-Later"), STR("1")};
    http_respond(x, 200, &h, 1, STR("at last"), -1);
    return NULL;
}

static void test_parked(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 1, 64);
    int fd = dial(f.port), other = dial(f.port);
    for (int i = 0; i < 20; i++) {
        put_c(fd, "GET /park HTTP/1.1\r\n" HOST "\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n");
        struct http_exchange *x = fix_parked(&f);
        /* The only worker is free meanwhile. */
        expect_ok(other, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
        pthread_t id;
        assert_int_equal(pthread_create(&id, NULL, answer_later, x), 0);
        pthread_join(id, NULL);
        expect_ok(fd, "", "at last");
        expect_ok(fd, "", "");
    }
    close(fd);
    close(other);
    fix_stop(&f);
    assert_int_equal(f.gones, 0);
}

static void test_gone_while_parked(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    for (int reset = 0; reset < 2; reset++) {
        int fd = dial(f.port);
        put_c(fd, "GET /park HTTP/1.1\r\n" HOST "\r\n");
        struct http_exchange *x = fix_parked(&f);
        struct linger hard = {.l_onoff = 1};
        if (reset)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd);
        int64_t end = clock_mono_ms() + 10000;
        while (!http_gone(x) && clock_mono_ms() < end)
            sched_yield();
        assert_true(http_gone(x));
        assert_int_equal(f.dones, reset);
        http_respond(x, 200, NULL, 0, STR("nobody reads this"), -1);
        fix_wait(&f, &f.dones, reset + 1);
    }
    assert_int_equal(f.gones, 2);
    fix_stop(&f);
}

static void test_gone_in_body(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    static const char *const requests[] = {
        "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
        "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
        "PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    };
    for (int i = 0; i < 3; i++) {
        int fd = dial(f.port);
        put_c(fd, requests[i]);
        fix_wait(&f, &f.heads, i + 1);
        close(fd);
        fix_wait(&f, &f.dones, i + 1);
    }
    assert_int_equal(f.gones, 3);
    assert_int_equal(f.body_errors, 3);
    assert_int_equal(f.ends, 0);
    fix_stop(&f);
}

/* Headers of a handler: the server's own are left out, and nothing can split the response. */
static void test_response_headers(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    struct http_header good[] = {{STR("Content-Length"), STR("99")},
                                 {STR("connection"), STR("close")},
                                 {STR("Transfer-Encoding"), STR("chunked")},
                                 {STR("X-Good"), STR("a\tb \xc3\xa9")}};
    put_c(fd, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    http_respond(fix_parked(&f), 200, good, ARRAY_LEN(good), STR("hi"), -1);
    struct reply r = get_reply(fd, false);
    assert_string_equal(r.body.p, "hi");
    assert_true(reply_says(&r, "X-Good: a\tb \xc3\xa9\r\n") &&
                reply_says(&r, "Content-Length: 2\r\n"));
    assert_false(reply_says(&r, "chunked") || reply_says(&r, "close") || reply_says(&r, "99"));
    reply_free(&r);
    struct http_header bad[] = {{STR("X-A"), STR("a\r\nX-B: b")},
                                {STR("X\n"), STR("b")},
                                {STR("X:"), STR("b")},
                                {STR(""), STR("b")},
                                {STR("X-A"), STR("a\0b")}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put_c(fd, "GET /park HTTP/1.1\r\n" HOST "\r\n");
        http_respond(fix_parked(&f), 200, &bad[i], 1, STR("hi"), -1);
        r = get_reply(fd, false);
        assert_int_equal(r.status, 500);
        assert_false(reply_says(&r, "X-B"));
        reply_free(&r);
    }
    close(fd);
    fix_stop(&f);
}

/* -- limits of the server, and its end ------------------------------------------------------------
 */

static void test_queue_full(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 1, 1);
    f.hold = true;
    int busy = dial(f.port), queued = dial(f.port);
    put_c(busy, "PUT /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    fix_wait(&f, &f.datas, 1);
    put_c(queued, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
    int refused = 0;
    for (int i = 0; i < 3; i++) {
        /* At most one of these finds the place in the queue before `queued` did. */
        int fd = dial(f.port);
        put_c(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
        struct timeval brief = {.tv_sec = 2};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief);
        char start[13] = "";
        ssize_t n = recv(fd, start, 12, MSG_WAITALL);
        if (n == 12) {
            assert_string_equal(start, "HTTP/1.1 503");
            refused++;
        }
        close(fd);
    }
    assert_true(refused >= 2);
    fix_release(&f);
    expect_ok(busy, "", "1");
    close(busy);
    close(queued);
    fix_stop(&f);
}

static void test_connections_max(void **state)
{
    struct fix f;
    struct http_timeouts t = http_timeouts_usual;
    t.connections_max = 2;
    fix_start(&f, false, &t, 1, 16);
    int a = dial(f.port), b = dial(f.port);
    expect_ok(a, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
    expect_ok(b, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
    int c = dial(f.port);
    assert_true(closed_by_peer(c));
    expect_ok(a, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
    close(a);
    close(b);
    close(c);
    fix_stop(&f);
}

static void *stop_server(void *arg)
{
    struct fix *f = arg;
    http_server_stop(f->server, 10000);
    return NULL;
}

static void test_graceful_stop(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int idle = dial(f.port), parked = dial(f.port);
    expect_ok(idle, "GET /echo HTTP/1.1\r\n" HOST "\r\n", "");
    put_c(parked, "GET /park HTTP/1.1\r\n" HOST "\r\n");
    struct http_exchange *x = fix_parked(&f);
    pthread_t id;
    assert_int_equal(pthread_create(&id, NULL, stop_server, &f), 0);
    assert_true(closed_by_peer(idle));
    http_respond(x, 200, NULL, 0, STR("goodbye"), -1);
    struct reply r = get_reply(parked, false);
    assert_string_equal(r.body.p, "goodbye");
    assert_true(reply_says(&r, "Connection: close\r\n"));
    reply_free(&r);
    close(parked);
    close(idle);
    pthread_join(id, NULL);
    assert_int_equal(f.dones, 2);
    pool_free(f.pool);
}

static void test_forced_stop(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int up = dial(f.port), down = dial(f.port);
    put_c(up, "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc");
    put_c(down, "GET /down/1000000000 HTTP/1.1\r\n" HOST "\r\n");
    fix_wait(&f, &f.datas, 1);
    fix_wait(&f, &f.fills, 1);
    int64_t began = clock_mono_ms();
    http_server_stop(f.server, 100);
    assert_true(clock_mono_ms() - began < 5000);
    assert_int_equal(f.dones, 2);
    assert_int_equal(f.gones, 2);
    assert_int_equal(f.sources_done, 1);
    close(up);
    close(down);
    pool_free(f.pool);
}

static void test_port_in_use(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 1, 16);
    struct http_server_options o = {
        .host = "127.0.0.1", .port = f.port, .pool = f.pool, .handler = f.server->handler};
    struct http_server *second = NULL;
    struct err *e = http_server_start(&o, &second);
    assert_true(err_is(e, ERR_EXISTS));
    assert_null(second);
    err_free(e);
    o.host = "not an address";
    e = http_server_start(&o, &second);
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
    fix_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),          cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_in_single_bytes),   cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_no_body),           cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_body_limits),       cmocka_unit_test(test_collected_body),
        cmocka_unit_test(test_slow_head),         cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_trickling_body),    cmocka_unit_test(test_parked),
        cmocka_unit_test(test_gone_while_parked), cmocka_unit_test(test_gone_in_body),
        cmocka_unit_test(test_response_headers),  cmocka_unit_test(test_queue_full),
        cmocka_unit_test(test_connections_max),   cmocka_unit_test(test_graceful_stop),
        cmocka_unit_test(test_forced_stop),       cmocka_unit_test(test_port_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Long bodies in both directions: content, backpressure, bounded memory, and clients that leave. */
#include "help.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: localhost\r\n"

enum {
    MIB = 1024 * 1024,
    LONG = 64 * MIB,
    STUCK_MAX = 24 * MIB, /* what the kernel's own buffers on both sides may hold, generously */
    GROWTH_MAX = 16 * MIB,
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { RSS_COUNTS = 0 }; /* sanitizers keep freed memory */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { RSS_COUNTS = 0 };
#else
enum { RSS_COUNTS = 1 };
#endif
#else
enum { RSS_COUNTS = 1 };
#endif

static void expect_growth(size_t before)
{
    size_t now = rss_bytes();
    if (RSS_COUNTS && now > before + GROWTH_MAX)
        fail_msg("memory grew by %zu bytes", now - before);
}

/* Sends the pattern from `at` until `end` or until nothing was taken for a second. */
static size_t send_pattern(int fd, size_t at, size_t end)
{
    static char block[MIB];
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    while (at < end) {
        size_t n = end - at < MIB ? end - at : MIB;
        for (size_t i = 0; i < n; i++)
            block[i] = pattern(at + i);
        ssize_t put_n = send(fd, block, n, MSG_NOSIGNAL);
        if (put_n > 0) {
            at += (size_t)put_n;
            continue;
        }
        assert_int_equal(errno, EAGAIN);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 1000) == 0)
            break;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return at;
}

static void test_up(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    size_t before = rss_bytes();
    put_c(fd, "PUT /count HTTP/1.1\r\n" HOST "Content-Length: 67108864\r\n\r\n");
    assert_int_equal(send_pattern(fd, 0, LONG), LONG);
    struct reply r = get_reply(fd, false);
    assert_string_equal(r.body.p, "67108864");
    reply_free(&r);
    expect_growth(before);
    assert_false(f.bytes_wrong);
    assert_true(f.piece_max <= HTTP_PIECE);
    close(fd);
    fix_stop(&f);
}

/* While on_data waits nothing more is read: the client is held by its socket. */
static void test_up_backpressure(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    f.hold = true;
    int fd = dial(f.port);
    size_t before = rss_bytes();
    put_c(fd, "PUT /hold HTTP/1.1\r\n" HOST "Content-Length: 67108864\r\n\r\n");
    size_t sent = send_pattern(fd, 0, LONG);
    assert_true(sent < STUCK_MAX);
    pthread_mutex_lock(&f.lock);
    assert_int_equal(f.datas, 1);
    pthread_mutex_unlock(&f.lock);
    fix_release(&f);
    assert_int_equal(send_pattern(fd, sent, LONG), LONG);
    struct reply r = get_reply(fd, false);
    assert_string_equal(r.body.p, "67108864");
    reply_free(&r);
    expect_growth(before);
    assert_false(f.bytes_wrong);
    close(fd);
    fix_stop(&f);
}

static void test_up_chunked(void **state)
{
    enum { CHUNK = 10007, N = 2000 };
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "PUT /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < N; i++) {
        put_c(fd, "2717\r\n");
        assert_int_equal(send_pattern(fd, i * CHUNK, (i + 1) * CHUNK), (i + 1) * CHUNK);
        put_c(fd, "\r\n");
    }
    /* The next request is read together with the end of this body. */
    put_c(fd, "0\r\n\r\nPOST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
    struct reply r = get_reply(fd, false);
    assert_string_equal(r.body.p, "20014000");
    reply_free(&r);
    r = get_reply(fd, false);
    assert_string_equal(r.body.p, "hi");
    reply_free(&r);
    assert_false(f.bytes_wrong);
    close(fd);
    fix_stop(&f);
}

static void read_pattern(int fd, size_t n)
{
    static char block[MIB];
    for (size_t at = 0; at < n;) {
        ssize_t got = recv(fd, block, n - at < MIB ? n - at : MIB, 0);
        assert_true(got > 0);
        for (size_t i = 0; i < (size_t)got; i++)
            assert_int_equal(block[i], pattern(at + i));
        at += (size_t)got;
    }
}

static void read_head(int fd)
{
    char last[4] = "";
    while (memcmp(last, "\r\n\r\n", 4) != 0) {
        memmove(last, last + 1, 3);
        assert_int_equal(recv(fd, last + 3, 1, 0), 1);
    }
}

static void test_down(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    size_t before = rss_bytes();
    put_c(fd, "GET /down/67108864 HTTP/1.1\r\n" HOST "\r\nGET /echo HTTP/1.1\r\n" HOST "\r\n");
    /* Unread, the source is asked for no more than the sockets hold. */
    fix_wait(&f, &f.fills, 2);
    struct timespec a_moment = {.tv_nsec = 300000000};
    int fills = -1;
    for (int now = 0; now != fills;) {
        fills = now;
        nanosleep(&a_moment, NULL);
        pthread_mutex_lock(&f.lock);
        now = f.fills;
        pthread_mutex_unlock(&f.lock);
    }
    assert_true((size_t)fills * HTTP_PIECE < STUCK_MAX);
    read_head(fd);
    read_pattern(fd, LONG);
    struct reply r = get_reply(fd, false); /* and the pipelined one after it */
    assert_int_equal(r.status, 200);
    reply_free(&r);
    expect_growth(before);
    assert_int_equal(f.sources_done, 1);
    close(fd);
    fix_stop(&f);
}

static void test_down_chunked(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    for (int turn = 0; turn < 2; turn++) {
        put_c(fd, "GET /chunks/200000 HTTP/1.1\r\n" HOST "\r\n");
        struct reply r = get_reply(fd, false);
        assert_true(reply_says(&r, "Transfer-Encoding: chunked\r\n"));
        struct http_chunks d;
        http_chunks_init(&d);
        size_t used, n;
        assert_int_equal(http_chunks_feed(&d, r.all + r.head_n, r.body.n, &used, &n), HTTP_OK);
        assert_int_equal(used, r.body.n);
        assert_int_equal(n, 200000);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(r.all[r.head_n + i], pattern(i));
        reply_free(&r);
    }
    close(fd);
    fix_stop(&f);
}

static void test_big_at_once(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
    read_head(fd);
    read_pattern(fd, 4 * MIB);
    close(fd);
    fix_stop(&f);
}

/* A source that fails cuts the connection short of the length it announced. */
static void test_source_fails(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "GET /cut/100000 HTTP/1.1\r\n" HOST "\r\n");
    struct str all = read_to_end(fd);
    assert_true(str_find(all, STR("Content-Length: 200000\r\n")) > 0);
    assert_true(all.n >= 100000 && all.n < 101000);
    free((char *)all.p);
    close(fd);
    fix_wait(&f, &f.sources_done, 1);
    fix_stop(&f);
}

static void test_client_leaves(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    for (int i = 0; i < 4; i++) {
        int fd = dial(f.port);
        put_c(fd, i % 2 ? "GET /down/1000000000 HTTP/1.1\r\n" HOST "\r\n"
                        : "GET /chunks/1000000000 HTTP/1.1\r\n" HOST "\r\n");
        read_head(fd);
        close(fd);
        fix_wait(&f, &f.dones, i + 1);
        assert_int_equal(f.sources_done, i + 1);
        assert_int_equal(f.gones, i + 1);
    }
    fix_stop(&f);
}

/* A reader that takes nothing is cut off; one that reads slowly is not. */
static void test_reader_stalls(void **state)
{
    struct http_timeouts t = http_timeouts_usual;
    t.stall_ms = 300;
    struct fix f;
    fix_start(&f, false, &t, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "GET /down/1000000000 HTTP/1.1\r\n" HOST "\r\n");
    fix_wait(&f, &f.dones, 1);
    assert_int_equal(f.gones, 1);
    close(fd);
    fix_stop(&f);
}

/* An answer given in the middle of a body ends the exchange, and the client can still read it. */
static void test_early_answer(void **state)
{
    struct fix f;
    fix_start(&f, false, NULL, 2, 64);
    int fd = dial(f.port);
    put_c(fd, "PUT /early HTTP/1.1\r\n" HOST "Content-Length: 10000000\r\n\r\n");
    send_pattern(fd, 0, 5000000);
    struct reply r = get_reply(fd, false);
    assert_int_equal(r.status, 403);
    assert_true(reply_says(&r, "Connection: close\r\n"));
    reply_free(&r);
    close(fd);
    fix_wait(&f, &f.dones, 1);
    assert_int_equal(f.ends, 0);
    assert_int_equal(f.datas, 1);
    fix_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_up),
        cmocka_unit_test(test_up_backpressure),
        cmocka_unit_test(test_up_chunked),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_down_chunked),
        cmocka_unit_test(test_big_at_once),
        cmocka_unit_test(test_source_fails),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_reader_stalls),
        cmocka_unit_test(test_early_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

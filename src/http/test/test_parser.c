/* The parsers by themselves: every refusal by name, limits to the byte, and independence from how
 * the bytes are cut. With file names as arguments it runs those through the fuzz target too. */
#include "../parser.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum http_parse feed_in_pieces(struct str s, size_t piece)
{
    static struct http_head h;
    http_head_init(&h);
    enum http_parse r = HTTP_MORE;
    for (size_t n = piece; r == HTTP_MORE; n += piece) {
        r = http_head_feed(&h, s.p, n < s.n ? n : s.n);
        if (n >= s.n)
            break;
    }
    return r;
}

static void expect(struct str s, enum http_parse want)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, SIZE_MAX / 2};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        enum http_parse got = feed_in_pieces(s, pieces[i]);
        if (got != want)
            fail_msg("pieces of %zu: result %d (%s), not %d, for: %.*s", pieces[i], got,
                     http_parse_words(got), want, (int)(s.n < 200 ? s.n : 200), s.p);
    }
}

#define REQUEST "GET /a?b=c HTTP/1.1\r\n"
#define HOST "Host: a.localhost:4566\r\n"

static void test_accepts(void **state)
{
    static struct http_head h;
    struct str s = STR("\r\nPOST /a%20b/?x HTTP/1.1\r\nhost:[::1]:80\r\nX:\r\nY: a\tb \xc3\xa9 \r\n"
                       "Content-length: 0012\r\nConnection: Keep-Alive, CLOSE\r\n"
                       "Expect: 100-Continue\r\n\r\nbody");
    http_head_init(&h);
    assert_int_equal(http_head_feed(&h, s.p, s.n), HTTP_OK);
    assert_int_equal(h.scan, s.n - 4);
    assert_int_equal(h.length, 12);
    assert_true(h.close && h.expect_continue && !h.chunked);
    assert_int_equal(h.n_headers, 6);
    assert_memory_equal(s.p + h.target.at, "/a%20b/?x", h.target.n);
    assert_int_equal(h.headers[1].value.n, 0);
    assert_int_equal(h.headers[2].value.n, 6);
    expect(STR(REQUEST HOST "Transfer-Encoding: Chunked\r\n\r\n"), HTTP_OK);
    expect(STR(REQUEST HOST "Content-Length: 999999999999999999\r\n\r\n"), HTTP_OK);
    expect(STR(REQUEST HOST), HTTP_MORE);
}

static const struct {
    struct str text;
    enum http_parse want;
} refusals[] = {
    {STR(REQUEST HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), HTTP_TWO_LENGTHS},
    {STR(REQUEST HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), HTTP_TWO_LENGTHS},
    {STR(REQUEST HOST "Content-Length: 1, 1\r\n\r\n"), HTTP_BAD_LENGTH},
    {STR(REQUEST HOST "Content-Length: +1\r\n\r\n"), HTTP_BAD_LENGTH},
    {STR(REQUEST HOST "Content-Length: -1\r\n\r\n"), HTTP_BAD_LENGTH},
    {STR(REQUEST HOST "Content-Length: 0x1\r\n\r\n"), HTTP_BAD_LENGTH},
    {STR(REQUEST HOST "Content-Length:\r\n\r\n"), HTTP_BAD_LENGTH},
    {STR(REQUEST HOST "Content-Length: 9999999999999999999\r\n\r\n"), HTTP_BAD_LENGTH},
    {STR(REQUEST HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
     HTTP_LENGTH_AND_CHUNKED},
    {STR(REQUEST HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
     HTTP_LENGTH_AND_CHUNKED},
    {STR(REQUEST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), HTTP_BAD_ENCODING},
    {STR(REQUEST HOST "Transfer-Encoding: identity\r\n\r\n"), HTTP_BAD_ENCODING},
    {STR(REQUEST HOST "Transfer-Encoding: xchunked\r\n\r\n"), HTTP_BAD_ENCODING},
    {STR(REQUEST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
     HTTP_BAD_ENCODING},
    {STR(REQUEST HOST "A: b\0c\r\n\r\n"), HTTP_BAD_CHAR},
    {STR(REQUEST HOST "A: b\x01\r\n\r\n"), HTTP_BAD_CHAR},
    {STR(REQUEST HOST "A: b\x7f\r\n\r\n"), HTTP_BAD_CHAR},
    {STR("\x16\x03\x01\x02"), HTTP_BAD_CHAR},
    {STR(REQUEST HOST "A : b\r\n\r\n"), HTTP_SPACE_BEFORE_COLON},
    {STR(REQUEST HOST "A\t: b\r\n\r\n"), HTTP_SPACE_BEFORE_COLON},
    {STR(REQUEST HOST "A: b\r\n c\r\n\r\n"), HTTP_FOLDED},
    {STR(REQUEST " A: b\r\n" HOST "\r\n"), HTTP_FOLDED},
    {STR(REQUEST HOST "A: b\r\n\tc\r\n\r\n"), HTTP_FOLDED},
    {STR(REQUEST "A: b\r\n\r\n"), HTTP_NO_HOST},
    {STR(REQUEST "\r\n"), HTTP_NO_HOST},
    {STR(REQUEST HOST HOST "\r\n"), HTTP_TWO_HOSTS},
    {STR(REQUEST "Host: a b\r\n\r\n"), HTTP_BAD_HOST},
    {STR(REQUEST "Host: a/b\r\n\r\n"), HTTP_BAD_HOST},
    {STR(REQUEST "Host: u@b\r\n\r\n"), HTTP_BAD_HOST},
    {STR(REQUEST "Host:\r\n\r\n"), HTTP_BAD_HOST},
    {STR(REQUEST HOST "A: b\n\r\n"), HTTP_BARE_LF},
    {STR("GET / HTTP/1.1\nHost: a\n\n"), HTTP_BARE_LF},
    {STR("\nGET / HTTP/1.1\r\n"), HTTP_BARE_LF},
    {STR(REQUEST HOST "A: b\rc\r\n\r\n"), HTTP_BARE_CR},
    {STR(REQUEST HOST "A: b\r\r\n\r\n"), HTTP_BARE_CR},
    {STR(REQUEST HOST ": b\r\n\r\n"), HTTP_BAD_NAME},
    {STR(REQUEST HOST "nothing\r\n\r\n"), HTTP_BAD_NAME},
    {STR(REQUEST HOST "A(: b\r\n\r\n"), HTTP_BAD_NAME},
    {STR(REQUEST HOST "\xc3\xa9: b\r\n\r\n"), HTTP_BAD_NAME},
    {STR(REQUEST HOST "Expect: a miracle\r\n\r\n"), HTTP_BAD_EXPECT},
    {STR("GET / HTTP/1.0\r\n"), HTTP_BAD_VERSION},
    {STR("PRI * HTTP/2.0\r\n"), HTTP_BAD_TARGET},
    {STR("GET / http/1.1\r\n"), HTTP_BAD_LINE},
    {STR("GET / HTTP/1.1 \r\n"), HTTP_BAD_LINE},
    {STR("GET /\r\n"), HTTP_BAD_LINE},
    {STR("GET\r\n"), HTTP_BAD_LINE},
    {STR(" GET / HTTP/1.1\r\n"), HTTP_BAD_LINE},
    {STR("\r\n\r\nGET / HTTP/1.1\r\n"), HTTP_BAD_LINE},
    {STR("G(T / HTTP/1.1\r\n"), HTTP_BAD_METHOD},
    {STR("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\n"), HTTP_BAD_METHOD},
    {STR("GET  / HTTP/1.1\r\n"), HTTP_BAD_TARGET},
    {STR("GET http://a/ HTTP/1.1\r\n"), HTTP_BAD_TARGET},
    {STR("OPTIONS * HTTP/1.1\r\n"), HTTP_BAD_TARGET},
    {STR("CONNECT a:443 HTTP/1.1\r\n"), HTTP_BAD_TARGET},
    {STR("GET /a#b HTTP/1.1\r\n"), HTTP_BAD_TARGET},
    {STR("GET /\xc3\xa9 HTTP/1.1\r\n"), HTTP_BAD_TARGET},
    {STR("GET /\ta HTTP/1.1\r\n"), HTTP_BAD_TARGET},
};

static void test_refuses(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        expect(refusals[i].text, refusals[i].want);
        int status = http_parse_status(refusals[i].want);
        assert_true(status >= 400 && status <= 505);
    }
}

/* A head of exactly n bytes: with one long header, or one long target. */
static struct str head_of(struct arena *a, size_t n, bool long_target)
{
    struct str fixed = long_target ? STR("GET / HTTP/1.1\r\n") : STR(REQUEST HOST "A: \r\n\r\n");
    char *fill = arena_alloc(a, n);
    memset(fill, 'x', n);
    struct str middle = {fill, n - fixed.n};
    if (long_target)
        return arena_fmt(a, "GET /%.*s HTTP/1.1\r\n" HOST "\r\n", STR_ARG(middle));
    return arena_fmt(a, REQUEST HOST "A: %.*s\r\n\r\n", STR_ARG(middle));
}

static void test_limits(void **state)
{
    struct arena *a = arena_new(SIZE_MAX / 2);
    expect(head_of(a, HTTP_HEAD_MAX, false), HTTP_OK);
    expect(head_of(a, HTTP_HEAD_MAX + 1, false), HTTP_HEAD_TOO_LARGE);
    expect(head_of(a, HTTP_HEAD_MAX + 5000, false), HTTP_HEAD_TOO_LARGE);
    expect(head_of(a, HTTP_LINE_MAX, true), HTTP_OK);
    expect(head_of(a, HTTP_LINE_MAX + 1, true), HTTP_LINE_TOO_LONG);
    expect(head_of(a, HTTP_LINE_MAX + 5000, true), HTTP_LINE_TOO_LONG);
    for (int extra = 0; extra < 2; extra++) {
        struct str s = STR(REQUEST HOST);
        for (int i = 1; i < HTTP_HEADERS_MAX + extra; i++)
            s = arena_concat(a, s, STR("A: b\r\n"));
        expect(arena_concat(a, s, STR("\r\n")), extra ? HTTP_TOO_MANY_HEADERS : HTTP_OK);
    }
    arena_free(a);
}

/* -- chunked -------------------------------------------------------------------------------- */

static void expect_chunks(struct str in, enum http_parse want, struct str out, size_t rest)
{
    static const size_t pieces[] = {1, 2, 5, 1000};
    for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
        struct http_chunks d;
        http_chunks_init(&d);
        char copy[16 * 1024], got[16 * 1024];
        size_t at = 0, got_n = 0;
        enum http_parse r = HTTP_MORE;
        memcpy(copy, in.p, in.n);
        while (r == HTTP_MORE && at < in.n) {
            size_t n = pieces[k] < in.n - at ? pieces[k] : in.n - at, used, out_n;
            r = http_chunks_feed(&d, copy + at, n, &used, &out_n);
            memcpy(got + got_n, copy + at, out_n);
            got_n += out_n;
            at += used;
        }
        assert_int_equal(r, want);
        if (want == HTTP_OK) {
            assert_int_equal(in.n - at, rest);
            assert_true(str_eq((struct str){got, got_n}, out));
        }
    }
}

static void test_chunks(void **state)
{
    expect_chunks(STR("0\r\n\r\n"), HTTP_OK, STR(""), 0);
    expect_chunks(STR("5\r\nhello\r\n006;x=\"y\"\r\n world\r\n0\r\n\r\nGET "), HTTP_OK,
                  STR("hello world"), 4);
    expect_chunks(STR("A\r\n0123456789\r\n00\r\nx-amz-checksum-crc32: AA==\r\nB:\r\n\r\n"), HTTP_OK,
                  STR("0123456789"), 0);
    expect_chunks(STR("5\r\nhel"), HTTP_MORE, STR(""), 0);
    static const struct str bad[] = {
        STR("\r\n"),
        STR("-5\r\n"),
        STR("+5\r\nhello\r\n"),
        STR("0x5\r\n"),
        STR("5 \r\nhello"),
        STR("5\nhello"),
        STR("5\r\nhelloX"),
        STR("5\r\nhello\n"),
        STR("5\rhello"),
        STR("5;\x01\r\nhello"),
        STR("5;a\nhello"),
        STR(" 5\r\nhello"),
        STR("g\r\n"),
        STR("1000000000000000\r\n"),
        STR("5;a\0\r\n"),
        STR("5\r\nhello\rX"),
        STR("0\r\n\rX"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_chunks(bad[i], HTTP_BAD_CHUNK, STR(""), 0);
    static const struct str bad_trailer[] = {
        STR("0\r\n a: b\r\n\r\n"), STR("0\r\nab\r\n\r\n"), STR("0\r\na : b\r\n\r\n"),
        STR("0\r\na: b\n\r\n"),    STR("0\r\n\n"),         STR("0\r\na: \x01\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad_trailer); i++)
        expect_chunks(bad_trailer[i], HTTP_BAD_TRAILER, STR(""), 0);
}

static void test_chunk_limits(void **state)
{
    struct arena *a = arena_new(SIZE_MAX / 2);
    char *x = arena_alloc(a, HTTP_TRAILER_MAX + 1);
    memset(x, 'x', HTTP_TRAILER_MAX);
    struct str fill = {x, HTTP_CHUNK_EXT_MAX};
    expect_chunks(arena_fmt(a, "0;%.*s\r\n\r\n", STR_ARG(fill)), HTTP_OK, STR(""), 0);
    fill.n++;
    expect_chunks(arena_fmt(a, "0;%.*s\r\n\r\n", STR_ARG(fill)), HTTP_BAD_CHUNK, STR(""), 0);
    fill.n = HTTP_TRAILER_MAX;
    expect_chunks(arena_fmt(a, "0\r\na:%.*s\r\n\r\n", STR_ARG(fill)), HTTP_TRAILER_TOO_LARGE,
                  STR(""), 0);
    arena_free(a);
}

static char **files;
static int n_files;

static void test_corpus(void **state)
{
    static uint8_t data[256 * 1024];
    for (int i = 0; i < n_files; i++) {
        FILE *f = fopen(files[i], "rb");
        assert_non_null(f);
        size_t n = fread(data, 1, sizeof data, f);
        fclose(f);
        assert_true(n > 0);
        LLVMFuzzerTestOneInput(data, n);
    }
    /* And every refusal above, cut in every way that the first byte can ask for. */
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        for (int how = 0; how < 256; how += 2) {
            data[0] = (uint8_t)how;
            memcpy(data + 1, refusals[i].text.p, refusals[i].text.n);
            LLVMFuzzerTestOneInput(data, refusals[i].text.n + 1);
        }
}

int main(int argc, char **argv)
{
    files = argv + 1;
    n_files = argc - 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),      cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_chunk_limits), cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

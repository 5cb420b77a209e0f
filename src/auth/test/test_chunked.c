/* The aws-chunked decoder: AWS's documented examples, any cut of the same bytes, any changed byte,
 * and every way a body can be wrong. */
#include "../chunked.h"

#include "../../core/buf.h"
#include "../sigv4_internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, …-trailers.html */
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define DATE "20130524T000000Z"
#define SCOPE "20130524/us-east-1/s3/aws4_request"
#define SEED "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
#define SEED_TRAILER "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
#define KIB64 65536

static unsigned char key[32];

struct sunk {
    struct buf bytes;
};

static struct err *sink(void *arg, struct str payload)
{
    struct sunk *s = arg;
    buf_str(&s->bytes, payload);
    return NULL;
}

static struct sig sig_of(enum sig_payload payload, const char *seed)
{
    return (struct sig){.present = true,
                        .payload = payload,
                        .signature = str_c(seed),
                        .amz_date = STR(DATE),
                        .scope = STR(SCOPE),
                        .s3 = true};
}

/* Feeds the body in pieces of `size`; the error, if any, of whichever step. */
static struct err *decode(enum sig_payload payload, const char *seed, struct str body, size_t size,
                          int64_t declared, struct buf *out, char trailer[64])
{
    struct sig s = sig_of(payload, seed);
    struct chunked *c;
    TRY(chunked_new(&s, key, declared, &c));
    struct sunk to = {.bytes = BUF_INIT(1 << 20)};
    struct err *e = NULL;
    while (body.n > 0 && e == NULL) {
        e = chunked_feed(c, str_take(body, size), sink, &to);
        body = str_skip(body, size);
    }
    if (e == NULL)
        e = chunked_end(c);
    struct str t = chunked_trailer(c, "x-amz-checksum-crc32c");
    if (trailer != NULL)
        snprintf(trailer, 64, "%.*s", STR_ARG(t));
    chunked_free(c);
    *out = to.bytes;
    return e;
}

static void add_data(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_char(b, 'a');
    buf_c(b, "\r\n");
}

static struct buf documented_signed(void)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "10000;chunk-signature="
              "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    add_data(&b, KIB64);
    buf_c(&b, "400;chunk-signature="
              "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    add_data(&b, 1024);
    buf_c(&b, "0;chunk-signature="
              "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
    return b;
}

static struct buf documented_trailer(const char *before, const char *after)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "10000;chunk-signature="
              "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n");
    add_data(&b, KIB64);
    buf_c(&b, "400;chunk-signature="
              "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n");
    add_data(&b, 1024);
    buf_c(&b, "0;chunk-signature="
              "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n");
    buf_c(&b, before);
    buf_c(&b, "x-amz-checksum-crc32c:sOO8/Q==\r\n"
              "x-amz-trailer-signature:"
              "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n");
    buf_c(&b, after);
    return b;
}

static void expect_ok(enum sig_payload payload, const char *seed, struct str body, size_t size,
                      const char *want_trailer)
{
    struct buf got = BUF_INIT(1);
    char trailer[64];
    struct err *e = decode(payload, seed, body, size, KIB64 + 1024, &got, trailer);
    if (e != NULL)
        fail_msg("pieces of %zu: %s: %s", size, e->code, e->message);
    assert_int_equal(got.n, KIB64 + 1024);
    for (size_t i = 0; i < got.n; i++)
        assert_int_equal(got.p[i], 'a');
    assert_string_equal(trailer, want_trailer);
    buf_clear(&got);
}

static void test_documented(void **state)
{
    const size_t sizes[] = {1, 2, 3, 7, 63, 64, 65, 100, 1000, 8191, 65536, 65537, 100000};
    struct buf b = documented_signed();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        expect_ok(SIG_PAYLOAD_CHUNKED, SEED, buf_view(&b), sizes[i], "");
    buf_clear(&b);
    /* the blank lines differ between clients */
    const char *const blanks[][2] = {{"", "\r\n"}, {"", ""}, {"\r\n", "\r\n"}};
    for (size_t k = 0; k < ARRAY_LEN(blanks); k++) {
        b = documented_trailer(blanks[k][0], blanks[k][1]);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            expect_ok(SIG_PAYLOAD_CHUNKED_TRAILER, SEED_TRAILER, buf_view(&b), sizes[i],
                      "sOO8/Q==");
        buf_clear(&b);
    }
}

/* -- bodies of our own ------------------------------------------------------------------------ */

static void link_hex(char previous[65], const char *algorithm, const char *middle,
                     struct str content)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1 << 20);
    struct str hash = sha256_hex(a, content);
    struct str text = arena_fmt(a, "%s\n" DATE "\n" SCOPE "\n%s\n%s%.*s", algorithm, previous,
                                middle, STR_ARG(hash));
    struct str hex = sig_hmac_hex(a, key, text);
    snprintf(previous, 65, "%.*s", STR_ARG(hex));
}

static void signed_chunk(struct buf *b, char previous[65], struct str data)
{
    link_hex(previous, "AWS4-HMAC-SHA256-PAYLOAD",
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n", data);
    buf_fmt(b, "%zx;chunk-signature=%s\r\n", data.n, previous);
    buf_str(b, data);
    if (data.n > 0)
        buf_c(b, "\r\n");
}

/* 8192 + 3 bytes, a trailer; the payload is left in *payload. */
static struct buf own_body(enum sig_payload form, struct buf *payload)
{
    struct buf b = BUF_INIT(1 << 20);
    char previous[65] = SEED;
    for (int i = 0; i < 8195; i++)
        buf_char(payload, (char)(i * 7 + i / 256));
    struct str all = buf_view(payload);
    struct str parts[] = {str_take(all, 8192), str_skip(all, 8192), str_take(all, 0)};
    for (size_t i = 0; i < 3; i++) {
        if (form != SIG_PAYLOAD_UNSIGNED_TRAILER) {
            signed_chunk(&b, previous, parts[i]);
            continue;
        }
        buf_fmt(&b, "%zx\r\n", parts[i].n);
        buf_str(&b, parts[i]);
        if (parts[i].n > 0)
            buf_c(&b, "\r\n");
    }
    if (form != SIG_PAYLOAD_CHUNKED)
        buf_c(&b, "x-amz-checksum-crc32c: AAAA \r\n");
    if (form == SIG_PAYLOAD_CHUNKED_TRAILER) {
        link_hex(previous, "AWS4-HMAC-SHA256-TRAILER", "", STR("x-amz-checksum-crc32c:AAAA\n"));
        buf_fmt(&b, "x-amz-trailer-signature:%s\r\n", previous);
    }
    buf_c(&b, "\r\n");
    return b;
}

static const enum sig_payload forms[] = {SIG_PAYLOAD_CHUNKED, SIG_PAYLOAD_CHUNKED_TRAILER,
                                         SIG_PAYLOAD_UNSIGNED_TRAILER};

static void test_every_piece_size(void **state)
{
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        struct buf payload = BUF_INIT(1 << 20), body = own_body(forms[f], &payload);
        /* every size; the plainer forms by larger steps past the headers' lengths */
        size_t step = forms[f] == SIG_PAYLOAD_CHUNKED_TRAILER ? 1 : 41;
        for (size_t size = 1; size <= body.n; size += size < 300 ? 1 : step) {
            struct buf got = BUF_INIT(1);
            char trailer[64];
            struct err *e = decode(forms[f], SEED, buf_view(&body), size, 8195, &got, trailer);
            if (e != NULL)
                fail_msg("form %d, pieces of %zu: %s", forms[f], size, e->message);
            assert_true(str_eq(buf_view(&got), buf_view(&payload)));
            assert_string_equal(trailer, forms[f] == SIG_PAYLOAD_CHUNKED ? "" : "AAAA");
            buf_clear(&got);
        }
        buf_clear(&payload);
        buf_clear(&body);
    }
}

/* A changed byte is found out, or it changed nothing (the case of a hex digit, a blank). */
static void test_every_changed_byte(void **state)
{
    size_t harmless = 0;
    for (size_t f = 0; f < 2; f++) {
        struct buf payload = BUF_INIT(1 << 20), body = own_body(forms[f], &payload);
        for (size_t at = 0; at < body.n; at += (at > 300 && at + 700 < body.n) ? 13 : 1) {
            struct buf got = BUF_INIT(1);
            char trailer[64];
            body.p[at] ^= 0x20;
            struct err *e = decode(forms[f], SEED, buf_view(&body), 4096, 8195, &got, trailer);
            if (e == NULL) {
                assert_true(str_eq(buf_view(&got), buf_view(&payload)));
                assert_string_equal(trailer, f == 0 ? "" : "AAAA");
                harmless++;
            }
            err_free(e);
            body.p[at] ^= 0x20;
            buf_clear(&got);
        }
        /* and so is every cut; only the blank line after a signed trailer may be missing */
        for (size_t n = 0; n < body.n; n += (n > 300 && n + 700 < body.n) ? 13 : 1) {
            struct buf got = BUF_INIT(1);
            struct err *e = decode(forms[f], SEED, str_take(buf_view(&body), n), 4096, 8195, &got,
                                   NULL);
            bool tail = forms[f] == SIG_PAYLOAD_CHUNKED_TRAILER && n == body.n - 2;
            if ((e == NULL) != tail)
                fail_msg("form %d cut at %zu of %zu", forms[f], n, body.n);
            err_free(e);
            buf_clear(&got);
        }
        buf_clear(&payload);
        buf_clear(&body);
    }
    assert_in_range(harmless, 1, 40);
}

struct wrong {
    const char *what;
    enum sig_payload form;
    const char *body;
    int64_t declared;
    const char *code; /* NULL: right */
};

#define A8 "aaaaaaaa"
#define SIG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UT SIG_PAYLOAD_UNSIGNED_TRAILER
#define CH SIG_PAYLOAD_CHUNKED
#define CT SIG_PAYLOAD_CHUNKED_TRAILER

static const struct wrong wrongs[] = {
    {"plain", UT, "8\r\n" A8 "\r\n0\r\nx-amz-checksum-crc32c:q\r\n\r\n", 8, NULL},
    {"no trailer", UT, "8\r\n" A8 "\r\n0\r\n\r\n", 8, NULL},
    {"bare line feeds", UT, "8\n" A8 "\n0\n\n", 8, NULL},
    {"extensions are ignored when unsigned", UT, "8;a=b\r\n" A8 "\r\n0;c\r\n\r\n", 8, NULL},
    {"length unknown", UT, "8\r\n" A8 "\r\n0\r\n\r\n", -1, NULL},
    {"empty", UT, "0\r\n\r\n", 0, NULL},
    {"nothing", UT, "", 0, "IncompleteBody"},
    {"no last chunk", UT, "8\r\n" A8 "\r\n", 8, "IncompleteBody"},
    {"cut in the data", UT, "8\r\naaa", 8, "IncompleteBody"},
    {"no end", UT, "8\r\n" A8 "\r\n0\r\n", 8, "IncompleteBody"},
    {"too little", UT, "8\r\n" A8 "\r\n0\r\n\r\n", 9, "IncompleteBody"},
    {"too much", UT, "8\r\n" A8 "\r\n0\r\n\r\n", 7, "IncompleteBody"},
    {"small chunk not last", UT, "8\r\n" A8 "\r\n8\r\n" A8 "\r\n0\r\n\r\n", 16,
     "InvalidChunkSizeError"},
    {"not hex", UT, "8g\r\n" A8 "\r\n0\r\n\r\n", 8, "InvalidChunkSizeError"},
    {"signed size", UT, "-8\r\n" A8 "\r\n0\r\n\r\n", 8, "InvalidChunkSizeError"},
    {"no size", UT, "\r\n" A8 "\r\n0\r\n\r\n", 8, "InvalidChunkSizeError"},
    {"huge size", UT, "40000001\r\n", -1, "InvalidChunkSizeError"},
    {"overflowing size", UT, "10000000000000008\r\n", -1, "InvalidChunkSizeError"},
    {"longer than its size", UT, "4\r\n" A8 "\r\n0\r\n\r\n", 8, "InvalidChunkSizeError"},
    {"trailer without colon", UT, "0\r\nabc\r\n\r\n", 0, "MalformedTrailerError"},
    {"trailer without name", UT, "0\r\n:abc\r\n\r\n", 0, "MalformedTrailerError"},
    {"blank in a trailer's name", UT, "0\r\na b:c\r\n\r\n", 0, "MalformedTrailerError"},
    {"trailer twice", UT, "0\r\na:1\r\nA:2\r\n\r\n", 0, "MalformedTrailerError"},
    {"bytes after the end", UT, "0\r\n\r\nx", 0, "MalformedTrailerError"},
    {"17 trailers", UT,
     "0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\nj:\r\nk:\r\nl:\r\nm:"
     "\r\nn:\r\no:\r\np:\r\nq:\r\n\r\n", 0,
     "MalformedTrailerError"},
    {"no signature", CH, "8\r\n" A8 "\r\n", 8, "SignatureDoesNotMatch"},
    {"another extension", CH, "8;chunk-sig=" SIG64 "\r\n" A8 "\r\n", 8, "SignatureDoesNotMatch"},
    {"short signature", CH, "8;chunk-signature=00\r\n" A8 "\r\n", 8, "SignatureDoesNotMatch"},
    {"wrong signature", CH, "8;chunk-signature=" SIG64 "\r\n" A8 "\r\n", 8,
     "SignatureDoesNotMatch"},
    {"wrong last signature", CH, "0;chunk-signature=" SIG64 "\r\n\r\n", 0, "SignatureDoesNotMatch"},
    {"wrong last signature with trailer", CT, "0;chunk-signature=" SIG64 "\r\n\r\n", 0,
     "SignatureDoesNotMatch"},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
        const struct wrong *w = &wrongs[i];
        for (size_t size = 1; size <= 64; size += size < 4 ? 1 : 60) {
            struct buf got = BUF_INIT(1);
            struct err *e = decode(w->form, SEED, str_c(w->body), size, w->declared, &got, NULL);
            if (w->code == NULL ? e != NULL : !err_has_code(e, w->code))
                fail_msg("%s, pieces of %zu: %s", w->what, size, e == NULL ? "success" : e->code);
            err_free(e);
            buf_clear(&got);
        }
    }
    print_message("chunked: %zu bodies checked\n", ARRAY_LEN(wrongs));
}

static void test_signed_trailer_is_needed(void **state)
{
    struct buf payload = BUF_INIT(1 << 20), body = own_body(SIG_PAYLOAD_CHUNKED_TRAILER, &payload);
    struct str all = buf_view(&body);
    ptrdiff_t at = str_find(all, STR("x-amz-trailer-signature"));
    assert_true(at > 0);
    /* without the signature's line, and with a trailer that it does not cover */
    struct buf cut = BUF_INIT(1 << 20), more = BUF_INIT(1 << 20), got = BUF_INIT(1);
    buf_str(&cut, str_take(all, (size_t)at));
    buf_c(&cut, "\r\n");
    struct err *e =
        decode(SIG_PAYLOAD_CHUNKED_TRAILER, SEED, buf_view(&cut), 100, 8195, &got, NULL);
    assert_true(err_has_code(e, "IncompleteBody"));
    err_free(e);
    buf_clear(&got);
    buf_str(&more, str_take(all, (size_t)at));
    buf_c(&more, "x-amz-meta:1\r\n");
    buf_str(&more, str_skip(all, (size_t)at));
    e = decode(SIG_PAYLOAD_CHUNKED_TRAILER, SEED, buf_view(&more), 100, 8195, &got, NULL);
    assert_true(err_has_code(e, "SignatureDoesNotMatch"));
    err_free(e);
    buf_clear(&got);
    buf_clear(&cut);
    buf_clear(&more);
    buf_clear(&body);
    buf_clear(&payload);
}

static struct err *full_sink(void *arg, struct str payload)
{
    return err_new(ERR_FULL, "no room");
}

static void test_sink_fails(void **state)
{
    struct sig s = sig_of(UT, SEED);
    struct chunked *c;
    assert_null(chunked_new(&s, key, 8, &c));
    struct err *e = chunked_feed(c, STR("8\r\n" A8 "\r\n0\r\n\r\n"), full_sink, NULL);
    assert_true(err_is(e, ERR_FULL));
    err_free(e);
    e = chunked_end(c); /* what failed once stays failed */
    assert_non_null(e);
    err_free(e);
    chunked_free(c);
    chunked_free(NULL);
    s.payload = SIG_PAYLOAD_HASH;
    e = chunked_new(&s, key, 8, &c);
    assert_true(err_is(e, ERR_INTERNAL));
    err_free(e);
}

static int setup(void **state)
{
    struct secret *secret;
    if (crypto_init() != NULL || secret_new(STR(SECRET), &secret) != NULL)
        return 1;
    sig_derive_key(secret, STR("20130524"), STR("us-east-1"), STR("s3"), key);
    secret_free(secret);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented),         cmocka_unit_test(test_every_piece_size),
        cmocka_unit_test(test_every_changed_byte), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_signed_trailer_is_needed), cmocka_unit_test(test_sink_fails),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

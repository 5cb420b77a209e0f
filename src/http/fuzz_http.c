/* Fuzz target of the parsers: the same bytes fed whole and in pieces must give the same result. The
 * first byte of the input chooses head or chunked body and how the rest is cut. */
#include "parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t piece_size(uint8_t how, size_t turn)
{
    return 1 + ((how * 31u + turn * 17u) % (1u + how / 4));
}

static bool same_span(struct http_span a, struct http_span b)
{
    return a.at == b.at && a.n == b.n;
}

static void compare_heads(const struct http_head *a, const struct http_head *b)
{
    CHECK(a->scan == b->scan && a->length == b->length && a->has_length == b->has_length);
    CHECK(a->chunked == b->chunked && a->close == b->close);
    CHECK(a->expect_continue == b->expect_continue && a->n_headers == b->n_headers);
    CHECK(same_span(a->method, b->method) && same_span(a->target, b->target));
    for (size_t i = 0; i < a->n_headers; i++)
        CHECK(same_span(a->headers[i].name, b->headers[i].name) &&
              same_span(a->headers[i].value, b->headers[i].value));
}

static void fuzz_head(uint8_t how, const char *p, size_t n)
{
    static struct http_head whole, pieces;
    http_head_init(&whole);
    http_head_init(&pieces);
    enum http_parse r = http_head_feed(&whole, p, n);
    enum http_parse got = HTTP_MORE;
    size_t fed = 0;
    for (size_t turn = 0; got == HTTP_MORE && fed < n; turn++) {
        size_t more = piece_size(how, turn);
        fed = more < n - fed ? fed + more : n;
        /* A copy of its own: reading past what was fed is an error that must show. */
        char *copy = malloc(fed);
        CHECK(copy != NULL);
        memcpy(copy, p, fed);
        got = http_head_feed(&pieces, copy, fed);
        free(copy);
    }
    CHECK(got == r);
    if (r == HTTP_OK) {
        CHECK(whole.scan <= n && whole.scan <= HTTP_HEAD_MAX);
        compare_heads(&whole, &pieces);
    }
}

static void fuzz_chunks(uint8_t how, const char *p, size_t n)
{
    char *a = malloc(n + 1), *b = malloc(n + 1);
    CHECK(a != NULL && b != NULL);
    memcpy(a, p, n);
    struct http_chunks whole, pieces;
    http_chunks_init(&whole);
    http_chunks_init(&pieces);
    size_t used = 0, out_n = 0, fed = 0, b_n = 0;
    enum http_parse r = http_chunks_feed(&whole, a, n, &used, &out_n);
    CHECK(used <= n && out_n <= used);
    enum http_parse got = HTTP_MORE;
    for (size_t turn = 0; got == HTTP_MORE && fed < n; turn++) {
        size_t more = piece_size(how, turn), piece_used = 0, piece_n = 0;
        more = more < n - fed ? more : n - fed;
        char *copy = malloc(more);
        CHECK(copy != NULL);
        memcpy(copy, p + fed, more);
        got = http_chunks_feed(&pieces, copy, more, &piece_used, &piece_n);
        CHECK(piece_used <= more && piece_n <= piece_used);
        memcpy(b + b_n, copy, piece_n);
        b_n += piece_n;
        fed += piece_used;
        free(copy);
    }
    CHECK(got == r && (n == 0 || fed == used) && b_n == out_n && memcmp(a, b, b_n) == 0);
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    if (data[0] & 1)
        fuzz_chunks(data[0], (const char *)data + 1, n - 1);
    else
        fuzz_head(data[0], (const char *)data + 1, n - 1);
    return 0;
}

/* Fuzz target: what a peer answers, as the HTTP client reads it, and URLs of endpoints.
 *
 * The connection below the client is replaced: it hands out the input. The first byte chooses how
 * (bit 0: a HEAD request, bit 1: into a sink, the rest: in pieces of so many bytes), what follows
 * is the answer. What must hold: it ends, within its limits; the pieces make no difference; what is
 * kept of the head has no control character and can be looked up; the client wants no byte behind
 * the answer. */
#include "fuzz.h"

#include "conn.h"
#include "http.h"

enum { BODY_MAX = 64 * 1024 };

static struct { /* what conn_fill() gives */
    struct str rest;
    size_t piece;
} peer;

struct err *conn_open(SSL_CTX *tls UNUSED, const struct http_base *base,
                      struct conn_limit limit UNUSED, struct conn **out)
{
    struct conn *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->base = *base;
    *out = c;
    return NULL;
}

void conn_close(struct conn *c)
{
    free(c);
}

bool conn_is_quiet(const struct conn *c)
{
    return c->at == c->end && peer.rest.n == 0;
}

struct err *conn_write(struct conn *c UNUSED, struct str bytes, struct conn_limit limit UNUSED)
{
    CHECK(bytes.n > 0);
    return NULL;
}

struct err *conn_fill(struct conn *c, struct conn_limit limit UNUSED, bool *out_eof)
{
    CHECK(c->at == c->end); /* else it would not wait for more */
    size_t n = peer.rest.n < peer.piece ? peer.rest.n : peer.piece;
    n = n < sizeof c->in ? n : sizeof c->in;
    *out_eof = n == 0;
    if (n > 0)
        memcpy(c->in, peer.rest.p, n);
    peer.rest = str_skip(peer.rest, n);
    c->at = 0;
    c->end = n;
    return NULL;
}

struct seen { /* of one exchange */
    enum err_kind kind; /* 0: none */
    struct buf sunk;
    struct http_response r;
};

static struct err *sink_piece(void *ctx, struct str bytes)
{
    CHECK(bytes.n > 0);
    buf_str(ctx, bytes);
    return NULL;
}

static void check_head(const struct http_response *r)
{
    struct str head = buf_view(&r->head);
    size_t lines = 0;
    CHECK(head.n <= HTTP_HEAD_MAX);
    for (size_t i = 0; i < head.n; i++) {
        unsigned char c = (unsigned char)head.p[i];
        lines += c == '\n';
        CHECK(c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7F));
    }
    CHECK(lines <= HTTP_HEADERS_MAX && (head.n == 0 || head.p[head.n - 1] == '\n'));
    for (struct str rest = head; rest.n > 0;) {
        struct str line = str_cut(&rest, '\n'), name = str_cut(&line, ':');
        char text[64];
        if (name.n < sizeof text) {
            snprintf(text, sizeof text, "%.*s", STR_ARG(name));
            CHECK(http_response_header(r, text).p != NULL);
        }
    }
}

static void exchange(struct str answer, size_t piece, unsigned char how, struct seen *out)
{
    struct http_base base;
    struct http_client *c;
    struct err *e = http_base_parse(STR("http://127.0.0.1:1"), &base);
    CHECK(e == NULL);
    e = http_client_new(NULL, &c);
    CHECK(e == NULL);
    peer.rest = answer;
    peer.piece = piece;
    *out = (struct seen){.sunk = BUF_INIT(BODY_MAX), .r = HTTP_RESPONSE_INIT};
    struct http_sink sink = {sink_piece, &out->sunk};
    struct http_request q = {.method = (how & 1) != 0 ? "HEAD" : "GET", .base = &base,
                             .target = STR("/"), .body_max = BODY_MAX,
                             .sink = (how & 2) != 0 ? &sink : NULL};
    e = http_exchange(c, &q, &out->r);
    out->kind = e == NULL ? 0 : e->kind;
    CHECK(e == NULL || out->kind == ERR_CORRUPT || out->kind == ERR_LIMIT || out->kind == ERR_IO);
    err_free(e);
    if (out->kind == 0) {
        CHECK(out->r.status >= 200 && out->r.status <= 599);
        CHECK(out->r.body.n <= BODY_MAX && buf_ok(&out->sunk));
        CHECK((how & 1) == 0 || out->r.body.n + out->sunk.n == 0);
        check_head(&out->r);
    }
    http_client_free(c);
}

static void seen_clear(struct seen *s)
{
    buf_clear(&s->sunk);
    http_response_clear(&s->r);
}

static void parse_url(struct str url)
{
    struct http_base b;
    struct err *e = http_base_parse(url, &b);
    if (e == NULL) {
        CHECK(b.port > 0 && strlen(b.host) > 0);
        CHECK(strspn(b.host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:") ==
              strlen(b.host));
    }
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str rest = str_of(data + 1, size - 1);
    struct seen whole, pieces;
    parse_url(rest);
    exchange(rest, SIZE_MAX, data[0], &whole);
    struct str left = peer.rest;
    exchange(rest, data[0] / 4 + 1, data[0], &pieces);
    CHECK(whole.kind == pieces.kind);
    CHECK(peer.rest.n >= left.n); /* fewer bytes are asked for the smaller they come */
    if (whole.kind == 0) {
        CHECK(whole.r.status == pieces.r.status);
        CHECK(str_eq(buf_view(&whole.r.head), buf_view(&pieces.r.head)));
        CHECK(str_eq(buf_view(&whole.r.body), buf_view(&pieces.r.body)));
        CHECK(str_eq(buf_view(&whole.sunk), buf_view(&pieces.sunk)));
    }
    seen_clear(&whole);
    seen_clear(&pieces);
    return 0;
}

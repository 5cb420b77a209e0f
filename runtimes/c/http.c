#include "http.h"

#include "conn.h"
#include "core/clock.h"

#include <openssl/err.h>
#include <signal.h>
#include <unistd.h>

struct http_client {
    char *ca_file; /* NULL: by the environment */
    SSL_CTX *tls;  /* NULL until the first https connection */
    struct conn *kept[HTTP_POOL_MAX];
};

struct err *http_client_new(const char *ca_file, struct http_client **out)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) /* SSL_write() cannot be told MSG_NOSIGNAL */
        return err_new(ERR_INTERNAL, "SIGPIPE could not be ignored");
    /* The machine's openssl.cnf is of another OpenSSL than the one linked in. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        return err_new(ERR_INTERNAL, "TLS could not be set up");
    struct http_client *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    if (ca_file != NULL) {
        c->ca_file = strdup(ca_file);
        CHECK(c->ca_file != NULL);
    }
    *out = c;
    return NULL;
}

void http_client_drop(struct http_client *c)
{
    for (size_t i = 0; i < HTTP_POOL_MAX; i++) {
        conn_close(c->kept[i]);
        c->kept[i] = NULL;
    }
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    http_client_drop(c);
    SSL_CTX_free(c->tls);
    free(c->ca_file);
    free(c);
}

/* Trust. */

static const char *system_bundle(void)
{
    static const char *const paths[] = {
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Amazon Linux, Fedora */
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine */
        "/etc/ssl/cert.pem",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (access(paths[i], R_OK) == 0)
            return paths[i];
    }
    return NULL;
}

static const char *env_or_null(const char *name)
{
    const char *v = getenv(name);
    return v != NULL && v[0] != '\0' ? v : NULL;
}

static const char *ca_bundle(const struct http_client *c)
{
    if (c->ca_file != NULL)
        return c->ca_file;
    const char *path = env_or_null("AWS_CA_BUNDLE");
    if (path == NULL)
        path = env_or_null("SSL_CERT_FILE");
    return path != NULL ? path : system_bundle();
}

static struct err *tls_setup(struct http_client *c)
{
    if (c->tls != NULL)
        return NULL;
    const char *path = ca_bundle(c);
    if (path == NULL)
        return err_new(ERR_DENIED, "no certificates to trust: name a bundle in AWS_CA_BUNDLE");
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        return err_new(ERR_INTERNAL, "TLS could not be set up");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_load_verify_file(tls, path) != 1) {
        SSL_CTX_free(tls);
        ERR_clear_error();
        return err_new(ERR_DENIED, "the certificates in %.200s could not be read", path);
    }
    c->tls = tls;
    return NULL;
}

/* Kept connections. */

static bool same_peer(const struct http_base *a, const struct http_base *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static struct conn *take_kept(struct http_client *c, const struct http_base *base)
{
    for (size_t i = 0; i < HTTP_POOL_MAX; i++) {
        struct conn *k = c->kept[i];
        if (k == NULL || !same_peer(&k->base, base))
            continue;
        c->kept[i] = NULL;
        if (clock_mono_ms() - k->idle_since_ms <= HTTP_REUSE_MAX_MS && conn_is_quiet(k))
            return k;
        conn_close(k);
    }
    return NULL;
}

static void keep(struct http_client *c, struct conn *k)
{
    size_t oldest = 0;
    k->idle_since_ms = clock_mono_ms();
    for (size_t i = 0; i < HTTP_POOL_MAX; i++) {
        if (c->kept[i] == NULL) {
            c->kept[i] = k;
            return;
        }
        if (c->kept[i]->idle_since_ms < c->kept[oldest]->idle_since_ms)
            oldest = i;
    }
    conn_close(c->kept[oldest]);
    c->kept[oldest] = k;
}

/* Where to. */

static bool host_is_valid(struct str host, bool bracketed)
{
    if (host.n == 0 || host.n > HTTP_HOST_MAX)
        return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && !(bracketed && c == ':'))
            return false;
    }
    return true;
}

struct err *http_base_parse(struct str url, struct http_base *out)
{
    struct http_base b = {0};
    struct str rest = url;
    if (str_starts_c(url, "https://")) {
        b.tls = true;
        rest = str_skip(rest, 8);
    } else if (str_starts_c(url, "http://")) {
        rest = str_skip(rest, 7);
    } else {
        return err_new(ERR_INVALID, "an endpoint begins with http:// or https://");
    }
    if (str_ends_c(rest, "/"))
        rest.n--;
    bool bracketed = str_starts_c(rest, "[");
    ptrdiff_t host_end = bracketed ? str_find_char(rest, ']') : str_find_char(rest, ':');
    struct str host = host_end < 0 ? rest : str_take(rest, (size_t)host_end);
    struct str tail = str_skip(rest, host.n + (bracketed ? 1 : 0));
    if (bracketed)
        host = str_skip(host, 1);
    if ((bracketed && host_end < 0) || !host_is_valid(host, bracketed))
        return err_new(ERR_INVALID, "an endpoint is http[s]://host[:port], without a path");
    int64_t port = b.tls ? 443 : 80;
    b.port_is_default = tail.n == 0;
    if (tail.n > 0 && (tail.p[0] != ':' || !str_to_i64(str_skip(tail, 1), 1, 65535, &port)))
        return err_new(ERR_INVALID, "an endpoint's port is a number from 1 to 65535");
    b.port = (uint16_t)port;
    memcpy(b.host, host.p, host.n);
    *out = b;
    return NULL;
}

void http_base_host(const struct http_base *b, struct buf *out)
{
    bool v6 = strchr(b->host, ':') != NULL;
    buf_fmt(out, v6 ? "[%s]" : "%s", b->host);
    if (!b->port_is_default)
        buf_fmt(out, ":%u", b->port);
}

/* The request. */

static bool is_token_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_token_char((unsigned char)s.p[i]))
            return false;
    }
    return s.n > 0;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return true;
    }
    return false;
}

static bool target_is_valid(struct str t)
{
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= 0x20 || c >= 0x7F || c == '#')
            return false;
    }
    return t.n > 0 && t.p[0] == '/';
}

static struct err *write_head(const struct http_request *q, struct buf *head)
{
    if (!is_token(str_c(q->method)) || !target_is_valid(q->target))
        return err_new(ERR_INVALID, "the request's method or target is not well-formed");
    buf_fmt(head, "%s ", q->method);
    buf_str(head, q->target);
    buf_c(head, " HTTP/1.1\r\nHost: ");
    http_base_host(q->base, head);
    buf_c(head, "\r\n");
    for (size_t i = 0; i < q->n_headers; i++) {
        const struct http_header *h = &q->headers[i];
        if (!is_token(h->name) || has_control(h->value))
            return err_new(ERR_INVALID, "a header of the request is not well-formed");
        buf_str(head, h->name);
        buf_c(head, ": ");
        buf_str(head, h->value);
        buf_c(head, "\r\n");
    }
    if (q->body.p != NULL)
        buf_fmt(head, "Content-Length: %zu\r\n", q->body.n);
    buf_c(head, "\r\n");
    return buf_ok(head) ? NULL : err_new(ERR_LIMIT, "the request's headers are too large");
}

/* The response. */

struct reader {
    struct conn *conn;
    struct conn_limit limit;
    const struct http_request *q;
    struct http_response *r;
    bool began;      /* a byte of the response has come */
    bool http_1_0;
    size_t head_left; /* bytes that lines may still take */
    size_t received; /* bytes of the body */
};

static struct err *not_http(const char *what)
{
    return err_new(ERR_CORRUPT, "the response is not valid HTTP: %s", what);
}

static struct err *fill(struct reader *rd)
{
    bool eof;
    TRY(conn_fill(rd->conn, rd->limit, &eof));
    if (eof)
        return err_new(ERR_IO, "the connection ended within the response");
    rd->began = true;
    return NULL;
}

/* One line without its CR LF. */
static struct err *read_line(struct reader *rd, struct buf *line)
{
    buf_reset(line);
    for (;;) {
        struct conn *c = rd->conn;
        if (c->at == c->end)
            TRY(fill(rd));
        struct str have = str_of(c->in + c->at, c->end - c->at);
        ptrdiff_t lf = str_find_char(have, '\n');
        size_t n = lf < 0 ? have.n : (size_t)lf + 1;
        if (n > rd->head_left)
            return err_new(ERR_LIMIT, "the response's headers are too large");
        rd->head_left -= n;
        buf_add(line, have.p, n);
        c->at += n;
        if (!buf_ok(line))
            return err_new(ERR_LIMIT, "a line of the response's head is too long");
        if (lf >= 0)
            break;
    }
    if (line->n < 2 || line->p[line->n - 2] != '\r')
        return not_http("a line does not end in CR LF");
    buf_truncate(line, line->n - 2);
    return has_control(buf_view(line)) ? not_http("a control character in the head") : NULL;
}

static struct err *read_status(struct reader *rd, struct buf *line)
{
    TRY(read_line(rd, line));
    struct str s = buf_view(line);
    int64_t status;
    if (s.n < 12 || !str_starts_c(s, "HTTP/1.") || (s.p[7] != '1' && s.p[7] != '0') ||
        s.p[8] != ' ' || (s.n > 12 && s.p[12] != ' ') ||
        !str_to_i64(str_of(s.p + 9, 3), 100, 599, &status))
        return not_http("the status line");
    rd->http_1_0 = s.p[7] == '0';
    rd->r->status = (int)status;
    return NULL;
}

/* Header lines up to the empty one; `into` gets them as "Name: value\n", NULL drops them. */
static struct err *read_fields(struct reader *rd, struct buf *line, struct buf *into)
{
    for (int lines = 0;; lines++) {
        TRY(read_line(rd, line));
        struct str s = buf_view(line);
        if (s.n == 0)
            return NULL;
        if (lines == HTTP_HEADERS_MAX)
            return err_new(ERR_LIMIT, "the response has more than %d headers", HTTP_HEADERS_MAX);
        ptrdiff_t colon = str_find_char(s, ':');
        if (colon <= 0 || !is_token(str_take(s, (size_t)colon)))
            return not_http("a header without a proper name");
        if (into == NULL)
            continue;
        struct str value = str_trim(str_skip(s, (size_t)colon + 1));
        buf_add(into, s.p, (size_t)colon);
        buf_c(into, ": ");
        buf_str(into, value);
        buf_char(into, '\n');
    }
}

static bool next_field(struct str *rest, struct str *name, struct str *value)
{
    if (rest->n == 0)
        return false;
    struct str line = str_cut(rest, '\n');
    *name = str_cut(&line, ':');
    *value = str_trim(line);
    return true;
}

struct str http_response_header(const struct http_response *r, const char *name)
{
    struct str rest = buf_view(&r->head);
    for (struct str n, v; next_field(&rest, &n, &v);) {
        if (str_is_i(n, name))
            return v;
    }
    return STR_NONE;
}

static int count_fields(const struct http_response *r, const char *name)
{
    int count = 0;
    struct str rest = buf_view(&r->head);
    for (struct str n, v; next_field(&rest, &n, &v);)
        count += str_is_i(n, name) ? 1 : 0;
    return count;
}

static struct err *take_body(struct reader *rd, struct str piece)
{
    const struct http_request *q = rd->q;
    bool good = rd->r->status >= 200 && rd->r->status < 300;
    size_t max = good ? q->body_max : HTTP_ERROR_BODY_MAX;
    if (piece.n > max - rd->received) {
        if (good)
            return err_new(ERR_LIMIT, "the response is larger than %zu bytes", max);
        return err_new(ERR_LIMIT, "the response's error message is larger than %zu bytes", max);
    }
    rd->received += piece.n;
    if (good && q->sink != NULL)
        return q->sink->piece(q->sink->ctx, piece);
    buf_str(&rd->r->body, piece);
    return NULL;
}

static struct err *read_exactly(struct reader *rd, uint64_t n)
{
    while (n > 0) {
        struct conn *c = rd->conn;
        if (c->at == c->end)
            TRY(fill(rd));
        size_t have = c->end - c->at;
        size_t take = n < have ? (size_t)n : have;
        struct str piece = str_of(c->in + c->at, take);
        c->at += take;
        n -= take;
        TRY(take_body(rd, piece));
    }
    return NULL;
}

/* RFC 9112, section 7.1: hexadecimal size, extensions ignored. */
static bool parse_chunk_size(struct str line, uint64_t *out)
{
    struct str digits = str_trim(str_cut(&line, ';'));
    uint64_t v = 0;
    if (digits.n == 0 || digits.n > 15)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        char c = digits.p[i];
        unsigned d;
        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            d = (unsigned)((c | 0x20) - 'a') + 10;
        else
            return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

static struct err *read_chunks(struct reader *rd, struct buf *line)
{
    for (;;) {
        rd->head_left = HTTP_CHUNK_LINE_MAX;
        TRY(read_line(rd, line));
        uint64_t n;
        if (!parse_chunk_size(buf_view(line), &n))
            return not_http("the size of a chunk");
        if (n == 0)
            break;
        TRY(read_exactly(rd, n));
        rd->head_left = 2;
        TRY(read_line(rd, line));
        if (line->n > 0)
            return not_http("the end of a chunk");
    }
    rd->head_left = HTTP_HEAD_MAX;
    return read_fields(rd, line, NULL);
}

static struct err *read_body(struct reader *rd, struct buf *line)
{
    const struct http_response *r = rd->r;
    if (strcmp(rd->q->method, "HEAD") == 0 || r->status == 204 || r->status == 304)
        return NULL;
    struct str length = http_response_header(r, "Content-Length");
    struct str coding = http_response_header(r, "Transfer-Encoding");
    /* RFC 9112, section 6.3: what does not say one length clearly may be smuggling another. */
    if ((length.p != NULL && coding.p != NULL) || count_fields(r, "Content-Length") > 1 ||
        count_fields(r, "Transfer-Encoding") > 1)
        return not_http("more than one length");
    if (coding.p != NULL)
        return str_is_i(coding, "chunked") ? read_chunks(rd, line)
                                           : not_http("an unknown transfer coding");
    int64_t n;
    if (length.p == NULL)
        return not_http("no length");
    if (length.n == 0 || length.p[0] < '0' || length.p[0] > '9' ||
        !str_to_i64(length, 0, INT64_MAX, &n))
        return not_http("the Content-Length");
    return read_exactly(rd, (uint64_t)n);
}

static struct err *read_response(struct reader *rd, struct buf *line)
{
    for (int i = 0; i < HTTP_INTERIM_MAX; i++) {
        rd->head_left = HTTP_HEAD_MAX;
        buf_reset(&rd->r->head);
        TRY(read_status(rd, line));
        TRY(read_fields(rd, line, &rd->r->head));
        if (!buf_ok(&rd->r->head))
            return err_new(ERR_LIMIT, "the response's headers are too large");
        if (rd->r->status >= 200)
            return read_body(rd, line);
    }
    return not_http("too many interim responses");
}

static bool may_keep(const struct reader *rd)
{
    struct str connection = http_response_header(rd->r, "Connection");
    return !rd->http_1_0 && !str_is_i(connection, "close") && rd->conn->at == rd->conn->end;
}

/* *out_stale: the connection ended before anything came back. */
static struct err *exchange_on(struct http_client *c, struct conn *conn,
                               const struct http_request *q, struct http_response *r,
                               bool *out_stale)
{
    CLEANUP(buf_clear) struct buf line = BUF_INIT(HTTP_HEAD_MAX);
    int idle = q->idle_timeout_ms == 0 ? HTTP_IDLE_TIMEOUT_MS : q->idle_timeout_ms;
    struct reader rd = {.conn = conn, .limit = {q->deadline_ms, idle}, .q = q, .r = r};
    struct err *e = write_head(q, &line);
    /* A small body travels with the head, in one segment and one TLS record. */
    bool together = e == NULL && q->body.n <= HTTP_HEAD_MAX - line.n;
    if (together)
        buf_str(&line, q->body);
    if (e == NULL)
        e = conn_write(conn, buf_view(&line), rd.limit);
    if (e == NULL && !together)
        e = conn_write(conn, q->body, rd.limit);
    if (e == NULL)
        e = read_response(&rd, &line);
    *out_stale = err_is(e, ERR_IO) && !rd.began;
    if (e == NULL && may_keep(&rd))
        keep(c, conn);
    else
        conn_close(conn);
    return e;
}

struct err *http_exchange(struct http_client *c, const struct http_request *q,
                          struct http_response *r)
{
    http_response_clear(r);
    buf_init(&r->body, q->body_max > HTTP_ERROR_BODY_MAX ? q->body_max : HTTP_ERROR_BODY_MAX);
    if (q->base->tls)
        TRY(tls_setup(c));
    bool stale = false;
    struct conn *conn = take_kept(c, q->base);
    if (conn != NULL) {
        struct err *e = exchange_on(c, conn, q, r, &stale);
        if (!stale)
            return e;
        err_free(e);
    }
    int idle = q->idle_timeout_ms == 0 ? HTTP_IDLE_TIMEOUT_MS : q->idle_timeout_ms;
    struct conn_limit limit = {q->deadline_ms, idle};
    TRY(conn_open(c->tls, q->base, limit, &conn));
    return exchange_on(c, conn, q, r, &stale);
}

void http_response_clear(struct http_response *r)
{
    r->status = 0;
    buf_clear(&r->head);
    buf_clear(&r->body);
    buf_init(&r->head, HTTP_HEAD_MAX);
}

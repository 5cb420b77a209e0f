/* The life of a connection: one state, one step at a time, driven by whoever owns it. */
#include "server_int.h"

#include "../core/clock.h"

#include <errno.h>
#include <unistd.h>

static bool phase_is(const struct conn *c, enum server_phase p)
{
    return server_phase_is(c->loop->server, p);
}

/* -- exchanges ----------------------------------------------------------------------------------
 */

static void exchange_new(struct conn *c)
{
    struct exchange *e = malloc(sizeof *e);
    CHECK(e != NULL);
    memset(e, 0, offsetof(struct exchange, head));
    http_head_init(&e->head);
    e->conn = c;
    c->ex = e;
    c->since_ms = clock_mono_ms();
}

static void exchange_free(struct conn *c)
{
    struct exchange *e = c->ex;
    if (e == NULL)
        return;
    body_free(e);
    free(e->x.headers);
    free(e->out);
    free(e);
    c->ex = NULL;
}

static struct str view(const char *base, struct http_span s)
{
    return (struct str){base + s.at, s.n};
}

static void exchange_begin(struct conn *c)
{
    struct exchange *e = c->ex;
    struct http_head *h = &e->head;
    struct http_exchange *x = &e->x;
    const char *base = c->in + c->in_start;
    x->method = view(base, h->method);
    x->target = view(base, h->target);
    struct str rest = x->target;
    x->path = str_cut(&rest, '?');
    x->query = rest;
    x->headers = malloc(h->n_headers * sizeof *x->headers);
    CHECK(x->headers != NULL);
    x->n_headers = h->n_headers;
    for (size_t i = 0; i < h->n_headers; i++) {
        x->headers[i].name = view(base, h->headers[i].name);
        x->headers[i].value = view(base, h->headers[i].value);
    }
    x->content_length = h->chunked ? -1 : h->length;
    memcpy(x->peer, c->peer, sizeof x->peer);
    if (c->ssl != NULL) {
        x->tls_version = SSL_get_version(c->ssl);
        x->tls_cipher = SSL_get_cipher_name(c->ssl);
        x->sni = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    }
    x->received_ms = clock_now_ms();
    e->left = h->length;
    e->whole = !h->chunked && h->length == 0;
    http_chunks_init(&e->chunks);
    c->in_start += h->scan;
}

/* -- states --------------------------------------------------------------------------------------
 */

static void in_room(struct conn *c)
{
    if (c->in_end < c->in_cap)
        return;
    if (c->in_start > 0) {
        memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
        c->in_end -= c->in_start;
        c->in_start = 0;
        return;
    }
    /* The parser ends a head before HTTP_HEAD_MAX, so this stays within twice that. */
    c->in_cap = c->in_cap == 0 ? HTTP_IN_FIRST : c->in_cap * 2;
    CHECK(c->in_cap <= 2 * (size_t)HTTP_HEAD_MAX);
    c->in = realloc(c->in, c->in_cap);
    CHECK(c->in != NULL);
}

static void in_free(struct conn *c)
{
    free(c->in);
    c->in = NULL;
    c->in_start = c->in_end = c->in_cap = 0;
}

static enum step closed(struct conn *c)
{
    c->state = CONN_CLOSED;
    return STEP_CLOSED;
}

static enum step handshake_step(struct conn *c)
{
    int r = phase_is(c, SERVER_ENDING) ? SOCK_FAILED : sock_handshake(c);
    if (r == SOCK_AGAIN)
        return STEP_BLOCKED;
    if (r != 1)
        return closed(c);
    c->state = CONN_HEAD;
    c->since_ms = clock_mono_ms();
    return STEP_NEXT;
}

static enum step head_step(struct conn *c)
{
    if (c->in_end > c->in_start) {
        if (c->ex == NULL)
            exchange_new(c);
        enum http_parse r =
            http_head_feed(&c->ex->head, c->in + c->in_start, c->in_end - c->in_start);
        if (r == HTTP_OK) {
            exchange_begin(c);
            c->state = CONN_ON_HEAD;
            return STEP_NEXT;
        }
        if (r != HTTP_MORE) {
            conn_refuse(c, http_parse_status(r), http_parse_words(r));
            return STEP_NEXT;
        }
    } else if (phase_is(c, SERVER_ENDING)) {
        return closed(c);
    }
    if (!sock_pending(c) && c->ex == NULL) {
        in_free(c);
        return STEP_BLOCKED;
    }
    in_room(c);
    ptrdiff_t n = sock_recv(c, c->in + c->in_end, c->in_cap - c->in_end);
    if (n == SOCK_AGAIN) {
        if (c->ex == NULL)
            in_free(c);
        return STEP_BLOCKED;
    }
    if (n <= 0)
        return closed(c);
    c->in_end += (size_t)n;
    return STEP_NEXT;
}

void conn_answer(struct conn *c)
{
    struct exchange *e = c->ex;
    free(c->out);
    c->out = e->out;
    c->out_n = e->out_n;
    c->out_cap = e->out_cap;
    c->out_at = 0;
    e->out = NULL;
    c->close = e->close;
    c->blocked_ms = 0;
    c->answered = false;
    c->state = CONN_WRITE;
}

void conn_refuse(struct conn *c, int status, const char *words)
{
    struct exchange *e = c->ex;
    struct http_header headers[] = {
        {STR("Content-Type"), STR("text/plain")},
        {STR("Retry-After"), STR("1")},
    };
    char text[160];
    int n = snprintf(text, sizeof text, "%s\n", words);
    e->close = true;
    respond_build(e, status, headers, status == 503 ? 2 : 1, (struct str){text, (size_t)n}, -1);
    conn_answer(c);
}

void conn_fault(struct conn *c, int status, const char *words)
{
    struct exchange *e = c->ex;
    e->x.body_error = true;
    e->fault_status = status;
    e->fault_words = words;
    c->state = CONN_ON_FAULT;
}

static void say_continue(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    c->out = malloc(sizeof text);
    CHECK(c->out != NULL);
    memcpy(c->out, text, sizeof text);
    c->out_n = sizeof text - 1;
    c->out_at = 0;
}

static enum step on_head_step(struct conn *c)
{
    struct exchange *e = c->ex;
    struct http_handler *h = &c->loop->server->handler;
    e->begun = true;
    e->mode = h->on_head(h->ctx, &e->x);
    conn_take(c, CONN_ANSWERED);
    CHECK(c->answered || e->mode != HTTP_BODY_REFUSE);
    if (e->x.body_max > HTTP_BUFFER_MAX)
        e->x.body_max = HTTP_BUFFER_MAX;
    c->waited_ms = c->window_bytes = c->blocked_ms = 0;
    if (c->answered) {
        conn_answer(c);
    } else if (e->whole) {
        e->x.body = STR("");
        c->state = CONN_ON_END;
    } else {
        bool fits = e->mode != HTTP_BODY_BUFFER || e->head.length <= (int64_t)e->x.body_max;
        if (e->head.expect_continue && fits && c->in_start == c->in_end)
            say_continue(c);
        c->state = CONN_BODY;
    }
    return STEP_NEXT;
}

static enum step on_end_step(struct conn *c)
{
    struct http_handler *h = &c->loop->server->handler;
    c->state = CONN_WAIT;
    h->on_end(h->ctx, &c->ex->x);
    conn_take(c, CONN_ANSWERED);
    return STEP_NEXT;
}

static enum step on_fault_step(struct conn *c)
{
    struct exchange *e = c->ex;
    struct http_handler *h = &c->loop->server->handler;
    e->whole = false; /* whatever came: nothing behind it can be told from it */
    if (h->on_fault != NULL)
        h->on_fault(h->ctx, &e->x, e->fault_status, e->fault_words);
    conn_take(c, CONN_ANSWERED);
    if (c->answered)
        conn_answer(c);
    else
        conn_refuse(c, e->fault_status, e->fault_words);
    return STEP_NEXT;
}

static enum step wait_step(struct conn *c)
{
    if (c->hup || c->dead)
        __atomic_store_n(&c->ex->x.gone, true, __ATOMIC_RELAXED);
    if (!c->answered)
        return STEP_BLOCKED;
    conn_answer(c);
    return STEP_NEXT;
}

/* STEP_NEXT: all is written. */
static enum step flush(struct conn *c)
{
    while (c->out_at < c->out_n) {
        ptrdiff_t n = sock_send(c, c->out + c->out_at, c->out_n - c->out_at);
        if (n == SOCK_AGAIN) {
            if (c->blocked_ms == 0)
                c->blocked_ms = clock_mono_ms();
            return STEP_BLOCKED;
        }
        if (n < 0) {
            c->dead = true;
            return STEP_CLOSED;
        }
        c->out_at += (size_t)n;
        c->blocked_ms = 0;
    }
    return STEP_NEXT;
}

/* Draws the next piece behind what is in c->out (the head, the first time). */
static void fill(struct conn *c)
{
    struct exchange *e = c->ex;
    enum { SIZE_LINE = 8 }; /* "10000\r\n" at most, in front of the data of a chunk */
    if (c->out_at == c->out_n)
        c->out_at = c->out_n = 0;
    CHECK(c->out_cap - c->out_n >= HTTP_PIECE + 2 * SIZE_LINE);
    char *to = c->out + c->out_n + (e->source_chunked ? SIZE_LINE : 0);
    size_t want = HTTP_PIECE, n = 0;
    if (!e->source_chunked && e->source_left < HTTP_PIECE)
        want = (size_t)e->source_left;
    e->source_drawn = true;
    struct err *err = e->source.fill(e->source.arg, to, want, &n);
    if (err != NULL || (n == 0 && !e->source_chunked)) {
        err_free(err);
        c->dead = true; /* cut: the client must not take this for the whole */
        return;
    }
    CHECK(n <= want);
    e->source_left -= (int64_t)n;
    e->source_ended = e->source_chunked ? n == 0 : e->source_left == 0;
    if (!e->source_chunked) {
        c->out_n += n;
        return;
    }
    char line[SIZE_LINE + 1];
    /* Leading zeros keep the line's length fixed. */
    snprintf(line, sizeof line, "%06zx\r\n", n);
    memcpy(to - SIZE_LINE, line, SIZE_LINE);
    memcpy(to + n, "\r\n", 2); /* after the last chunk this is the empty trailer */
    c->out_n += SIZE_LINE + n + 2;
}

static enum step write_step(struct conn *c, bool worker)
{
    struct exchange *e = c->ex;
    bool draw = e->has_source && !e->source_ended;
    if (!draw || e->source_drawn) { /* else the head goes out with the first piece */
        enum step s = flush(c);
        if (s == STEP_BLOCKED)
            return s;
    }
    if (draw && !c->dead) {
        if (!worker)
            return STEP_WORKER;
        fill(c);
    }
    if (c->dead || (!draw && c->out_at == c->out_n))
        c->state = CONN_DONE;
    return STEP_NEXT;
}

static void linger_begin(struct conn *c)
{
    in_free(c);
    free(c->piece);
    c->piece = NULL;
    sock_shutdown(c);
    c->state = CONN_LINGER;
    c->since_ms = clock_mono_ms();
    c->lingered = 0;
}

/* What came behind a body becomes the beginning of the next head. */
static void rest_to_in(struct conn *c)
{
    if (c->rest_start < c->rest_end) {
        free(c->in);
        c->in = c->piece;
        c->in_cap = HTTP_PIECE;
        c->in_start = c->rest_start;
        c->in_end = c->rest_end;
        c->piece = NULL;
    }
    free(c->piece);
    c->piece = NULL;
    c->rest_start = c->rest_end = 0;
    if (c->in_start == c->in_end)
        c->in_start = c->in_end = 0;
}

static enum step done_step(struct conn *c, bool worker)
{
    struct exchange *e = c->ex;
    if (e->begun) {
        if (!worker)
            return STEP_WORKER;
        if (c->dead)
            e->x.gone = true;
        if (e->has_source)
            e->source.done(e->source.arg);
        struct http_handler *h = &c->loop->server->handler;
        h->on_done(h->ctx, &e->x);
    }
    exchange_free(c);
    free(c->out);
    c->out = NULL;
    c->out_n = c->out_at = c->out_cap = 0;
    if (c->dead)
        return closed(c);
    if (c->close) {
        linger_begin(c);
        return STEP_NEXT;
    }
    rest_to_in(c);
    c->state = CONN_HEAD;
    c->since_ms = clock_mono_ms();
    return STEP_NEXT;
}

/* A socket closed with bytes unread resets the connection, and the client may lose the answer. So
 * what it still sends is thrown away for a while (RFC 9112 9.6). */
static enum step linger_step(struct conn *c)
{
    char waste[8192];
    for (int i = 0; i < 16; i++) {
        ssize_t n = c->readable ? read(c->fd, waste, sizeof waste) : -1;
        if (n < 0 && (!c->readable || errno == EAGAIN || errno == EINTR)) {
            c->readable = false;
            return c->hup ? closed(c) : STEP_BLOCKED;
        }
        c->lingered += n;
        if (n <= 0 || c->lingered > HTTP_LINGER_BYTES)
            return closed(c);
    }
    return STEP_NEXT;
}

static enum step one_step(struct conn *c, bool worker)
{
    if (phase_is(c, SERVER_FORCED))
        c->dead = true;
    switch (c->state) {
    case CONN_HANDSHAKE:
        return handshake_step(c);
    case CONN_HEAD:
        return head_step(c);
    case CONN_ON_HEAD:
        return worker ? on_head_step(c) : STEP_WORKER;
    case CONN_BODY: {
        enum step s = flush(c); /* 100 Continue */
        return s == STEP_BLOCKED ? s : body_step(c, worker);
    }
    case CONN_ON_END:
        return worker ? on_end_step(c) : STEP_WORKER;
    case CONN_ON_FAULT:
        return worker ? on_fault_step(c) : STEP_WORKER;
    case CONN_WAIT:
        return wait_step(c);
    case CONN_WRITE:
        return write_step(c, worker);
    case CONN_DONE:
        return done_step(c, worker);
    case CONN_LINGER:
        return c->dead ? closed(c) : linger_step(c);
    case CONN_CLOSED:
        break;
    }
    return STEP_CLOSED;
}

enum step conn_drive(struct conn *c, bool worker)
{
    enum step s = STEP_NEXT;
    for (int i = 0; i < HTTP_STEPS_MAX && s == STEP_NEXT; i++)
        s = one_step(c, worker);
    c->step = s == STEP_NEXT ? STEP_YIELD : s;
    return c->step;
}

/* -- ownership -----------------------------------------------------------------------------------
 */

void conn_take(struct conn *c, unsigned mask)
{
    if ((__atomic_load_n(&c->word, __ATOMIC_RELAXED) & mask) == 0)
        return;
    unsigned bits = __atomic_fetch_and(&c->word, ~mask, __ATOMIC_ACQ_REL) & mask;
    if (bits & CONN_IN)
        c->readable = true;
    if (bits & CONN_HUP)
        c->hup = c->readable = true;
    if (bits & CONN_DEAD)
        c->hup = c->dead = c->readable = true;
    if (bits & CONN_ANSWERED)
        c->answered = true;
}

void conn_job(void *conn)
{
    struct conn *c = conn;
    while (conn_drive(c, true) == STEP_BLOCKED) {
        unsigned busy = CONN_BUSY;
        if (__atomic_compare_exchange_n(&c->word, &busy, 0, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            return;
        conn_take(c, CONN_EVENTS | CONN_ANSWERED);
    }
    loop_inbox(c->loop, c);
}

/* -- time-outs ------------------------------------------------------------------------------------
 */

static void body_timed(struct conn *c, int64_t now)
{
    const struct http_timeouts *t = &c->loop->server->t;
    if (c->blocked_ms == 0)
        return;
    bool late = now - c->blocked_ms >= t->stall_ms;
    int64_t waited = c->waited_ms + now - c->blocked_ms;
    if (waited >= t->rate_window_ms) {
        late = late || c->window_bytes * 1000 < t->rate_min * waited;
        c->waited_ms = -(now - c->blocked_ms);
        c->window_bytes = 0;
    }
    if (!late)
        return;
    conn_fault(c, 408, "The body came too slowly.");
}

/* The loop calls this now and then; the caller drives the connection afterwards. */
void conn_timed(struct conn *c, int64_t now)
{
    const struct http_timeouts *t = &c->loop->server->t;
    int64_t age = now - c->since_ms;
    if (c->state != CONN_HANDSHAKE && age >= HTTP_LEAN_MS &&
        (c->blocked_ms == 0 || now - c->blocked_ms >= HTTP_LEAN_MS))
        sock_lean(c);
    switch (c->state) {
    case CONN_HANDSHAKE:
        if (age >= t->head_ms)
            c->state = CONN_CLOSED;
        break;
    case CONN_HEAD:
        if (c->ex == NULL && age >= t->idle_ms)
            c->state = CONN_CLOSED;
        else if (c->ex != NULL && age >= t->head_ms)
            conn_refuse(c, 408, "The head came too slowly.");
        break;
    case CONN_BODY:
        body_timed(c, now);
        break;
    case CONN_WRITE:
        if (c->blocked_ms != 0 && now - c->blocked_ms >= t->stall_ms)
            c->dead = true;
        break;
    case CONN_LINGER:
        if (age >= t->linger_ms)
            c->state = CONN_CLOSED;
        break;
    default:
        break;
    }
}

void conn_free(struct conn *c)
{
    exchange_free(c);
    in_free(c);
    free(c->piece);
    free(c->out);
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

/* The request's body: from the socket, through the chunked decoder, to the handler. A streamed body
 * is read by the worker that handles it, piece after piece, so nothing is read ahead of it; a
 * collected one by whoever drives the connection. */
#include "server_int.h"

#include "../core/clock.h"

enum got { GOT, GOT_NONE, GOT_FAILED };

void body_free(struct exchange *e)
{
    if (e->body != NULL)
        __atomic_fetch_sub(&e->conn->loop->server->buffered, (int64_t)e->body_cap,
                           __ATOMIC_RELAXED);
    free(e->body);
    e->body = NULL;
    e->body_n = e->body_cap = 0;
}

static enum got body_failed(struct conn *c, int status, const char *words)
{
    conn_fault(c, status, words);
    return GOT_FAILED;
}

static enum got body_cut(struct conn *c)
{
    c->ex->x.body_error = true;
    c->ex->x.gone = true;
    c->dead = true;
    c->state = CONN_DONE;
    return GOT_FAILED;
}

/* Reads until `want` bytes are there or the socket has no more. GOT: *out_n > 0. */
static enum got read_up_to(struct conn *c, char *to, size_t want, size_t *out_n)
{
    size_t n = 0;
    while (n < want) {
        ptrdiff_t r = sock_recv(c, to + n, want - n);
        if (r == SOCK_AGAIN)
            break;
        if (r <= 0 && n == 0)
            return body_cut(c);
        if (r <= 0)
            break; /* what came is delivered; the next call finds the end again */
        n += (size_t)r;
    }
    *out_n = n;
    if (n == 0) {
        if (c->blocked_ms == 0)
            c->blocked_ms = clock_mono_ms();
        return GOT_NONE;
    }
    if (c->blocked_ms != 0)
        c->waited_ms += clock_mono_ms() - c->blocked_ms;
    c->blocked_ms = 0;
    c->window_bytes += (int64_t)n;
    return GOT;
}

/* Decodes p[0..n) in place; says how much of it was used. */
static enum got unchunk(struct conn *c, char *p, size_t n, size_t *used, struct str *out_piece)
{
    struct exchange *e = c->ex;
    size_t got = 0;
    enum http_parse r = http_chunks_feed(&e->chunks, p, n, used, &got);
    if (r != HTTP_MORE && r != HTTP_OK)
        return body_failed(c, http_parse_status(r), http_parse_words(r));
    e->whole = r == HTTP_OK;
    *out_piece = (struct str){p, got};
    return GOT;
}

/* From what came behind the head. */
static enum got piece_from_in(struct conn *c, struct str *out_piece)
{
    struct exchange *e = c->ex;
    char *p = c->in + c->in_start;
    size_t have = c->in_end - c->in_start;
    if (have > HTTP_PIECE)
        have = HTTP_PIECE;
    if (e->head.chunked) {
        size_t used = 0;
        enum got g = unchunk(c, p, have, &used, out_piece);
        c->in_start += used;
        return g;
    }
    size_t take = (int64_t)have < e->left ? have : (size_t)e->left;
    e->left -= (int64_t)take;
    e->whole = e->left == 0;
    c->in_start += take;
    *out_piece = (struct str){p, take};
    return GOT;
}

static enum got piece_from_socket(struct conn *c, struct str *out_piece)
{
    struct exchange *e = c->ex;
    if (c->piece == NULL) {
        c->piece = malloc(HTTP_PIECE);
        CHECK(c->piece != NULL);
    }
    size_t want = HTTP_PIECE, n = 0, used = 0;
    if (!e->head.chunked && e->left < HTTP_PIECE)
        want = (size_t)e->left;
    enum got g = read_up_to(c, c->piece, want, &n);
    if (g != GOT)
        return g;
    if (!e->head.chunked) {
        e->left -= (int64_t)n;
        e->whole = e->left == 0;
        *out_piece = (struct str){c->piece, n};
        return GOT;
    }
    g = unchunk(c, c->piece, n, &used, out_piece);
    if (g == GOT && e->whole) {
        c->rest_start = used;
        c->rest_end = n;
    }
    return g;
}

/* The next piece, which may be empty; e->whole tells whether it was the last. */
static enum got next_piece(struct conn *c, struct str *out_piece)
{
    return c->in_start < c->in_end ? piece_from_in(c, out_piece) : piece_from_socket(c, out_piece);
}

static enum step stream_step(struct conn *c)
{
    struct exchange *e = c->ex;
    struct str piece = STR_NONE;
    enum got g = next_piece(c, &piece);
    if (g == GOT_NONE)
        return STEP_BLOCKED;
    if (g == GOT_FAILED)
        return STEP_NEXT;
    struct http_handler *h = &c->loop->server->handler;
    if (piece.n > 0)
        h->on_data(h->ctx, &e->x, piece);
    conn_take(c, CONN_ANSWERED);
    if (c->answered)
        conn_answer(c);
    else if (e->whole)
        c->state = CONN_ON_END;
    return STEP_NEXT;
}

/* Room for `more` bytes of a collected body; false: refused. */
static bool body_reserve(struct conn *c, size_t more)
{
    struct exchange *e = c->ex;
    size_t need = e->body_n + more;
    if (need > e->x.body_max) {
        body_failed(c, 413, "The body is larger than is accepted here.");
        return false;
    }
    if (need <= e->body_cap)
        return true;
    size_t cap = e->body_cap * 2 > HTTP_PIECE ? e->body_cap * 2 : HTTP_PIECE;
    if (cap < need)
        cap = need;
    if (e->head.has_length && (int64_t)cap > e->head.length)
        cap = (size_t)e->head.length;
    if (cap > e->x.body_max)
        cap = e->x.body_max;
    int64_t *all = &c->loop->server->buffered;
    int64_t grow = (int64_t)(cap - e->body_cap);
    if (__atomic_add_fetch(all, grow, __ATOMIC_RELAXED) > HTTP_BUFFERED_MAX) {
        __atomic_fetch_sub(all, grow, __ATOMIC_RELAXED);
        body_failed(c, 503, "Slow Down");
        return false;
    }
    e->body = realloc(e->body, cap);
    CHECK(e->body != NULL);
    e->body_cap = cap;
    return true;
}

/* A body with a length goes from the socket into its place. */
static enum step buffer_length_step(struct conn *c)
{
    struct exchange *e = c->ex;
    size_t want = e->left < HTTP_PIECE ? (size_t)e->left : HTTP_PIECE, n = 0;
    if (!body_reserve(c, want))
        return STEP_NEXT;
    if (e->body_cap - e->body_n > want && e->left > (int64_t)want) {
        want = e->body_cap - e->body_n;
        want = (int64_t)want < e->left ? want : (size_t)e->left;
    }
    enum got g = read_up_to(c, e->body + e->body_n, want, &n);
    if (g != GOT)
        return g == GOT_NONE ? STEP_BLOCKED : STEP_NEXT;
    e->body_n += n;
    e->left -= (int64_t)n;
    e->whole = e->left == 0;
    return STEP_NEXT;
}

static enum step buffer_step(struct conn *c)
{
    struct exchange *e = c->ex;
    if (e->whole) {
        if (e->x.body.p == NULL)
            e->x.body = (struct str){e->body != NULL ? e->body : "", e->body_n};
        c->state = CONN_ON_END;
        return STEP_NEXT;
    }
    if (!e->head.chunked && e->head.length > (int64_t)e->x.body_max) {
        body_failed(c, 413, "The body is larger than is accepted here.");
        return STEP_NEXT;
    }
    if (!e->head.chunked && c->in_start == c->in_end)
        return buffer_length_step(c);
    struct str piece = STR_NONE;
    bool within = c->in_start < c->in_end;
    enum got g = next_piece(c, &piece);
    if (g != GOT)
        return g == GOT_NONE ? STEP_BLOCKED : STEP_NEXT;
    if (e->whole && within && e->body_n == 0 && piece.n <= e->x.body_max) {
        e->x.body = piece; /* the usual small body: it stays where it is */
        return STEP_NEXT;
    }
    if (piece.n > 0 && body_reserve(c, piece.n)) {
        memcpy(e->body + e->body_n, piece.p, piece.n);
        e->body_n += piece.n;
    }
    return STEP_NEXT;
}

enum step body_step(struct conn *c, bool worker)
{
    if (c->ex->mode == HTTP_BODY_BUFFER)
        return buffer_step(c);
    if (worker)
        return stream_step(c);
    return c->in_start < c->in_end || sock_pending(c) ? STEP_WORKER : STEP_BLOCKED;
}

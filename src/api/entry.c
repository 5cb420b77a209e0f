/* Where requests come in and answers go out: the HTTP side of the line. */
#include "line.h"
#include "pipeline.h"
#include "../core/log.h"

#include <stdatomic.h>

enum { RESPONSE_MAX = 64 * 1024 * 1024 };

static _Atomic uint64_t requests;

uint64_t line_requests(void)
{
    return atomic_load_explicit(&requests, memory_order_relaxed);
}

static struct line *line_new(struct ward *w, struct http_exchange *x)
{
    struct arena *a = arena_new(CALL_ARENA_MAX);
    struct line *l = ARENA_NEW(a, struct line);
    l->arena = a;
    l->x = x;
    l->c.arena = a;
    l->c.ward = w;
    l->c.http = x;
    l->c.wire = &l->wire;
    l->c.now_ms = x->received_ms;
    l->c.proto = PROTO_REST_XML;
    l->audit = AUDIT_MANAGEMENT;
    rand_uuid(l->c.request_id);
    atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
    buf_init(&l->resp.body, RESPONSE_MAX);
    return l;
}

void line_free(struct line *l)
{
    if (l->c.row != NULL && l->c.row->body != NULL && l->body_began)
        l->c.row->body->abandon(&l->c);
    txn_abort(&l->c.txn);
    chunked_free(l->chunked);
    hash_free(l->payload_hash);
    err_free(l->body_err);
    secret_wipe(l->signing_key, sizeof l->signing_key);
    buf_clear(&l->resp.body);
    arena_free(l->arena);
}

/* -- respond ----------------------------------------------------------------------------------- */

static void send_error(struct line *l, struct err *e)
{
    struct call *c = &l->c;
    if (err_http_status(e) >= 500 && !err_is(e, ERR_UNSUPPORTED))
        log_warn("%s %s: %s [%s] request %s", line_service_tag(l).p,
                 l->event_name != NULL ? l->event_name : "-", e->message, e->detail, c->request_id);
    l->resp.n_headers = 0;
    buf_reset(&l->resp.body);
    codec_encode_error(l->arena, c->room == NULL ? NULL : c->room->model, c->op, c->proto, e,
                       c->request_id, c->resource_name, &l->resp);
    for (size_t i = 0; i < c->n_extra_headers; i++)
        wire_header(&l->resp, c->extra_headers[i].name, c->extra_headers[i].value);
    err_free(e);
}

static void send_success(struct line *l)
{
    struct call *c = &l->c;
    struct err *e = codec_encode(l->arena, c->room->model, c->op, c->proto, c->out, c->request_id,
                                 &l->resp);
    if (e != NULL) {
        send_error(l, err_detail(e, "encoding the answer"));
        return;
    }
    if (c->status != 0)
        l->resp.status = c->status;
    for (size_t i = 0; i < c->n_extra_headers; i++)
        wire_header(&l->resp, c->extra_headers[i].name, c->extra_headers[i].value);
}

static void respond(struct line *l, struct err *e)
{
    struct call *c = &l->c;
    CHECK(!l->answered);
    l->answered = true;
    l->resp.status = 200;
    if (e != NULL)
        send_error(l, e);
    else
        send_success(l);
    bool head = str_is(l->wire.method, "HEAD");
    if (e == NULL && c->has_stream && !head) {
        http_respond_stream(l->x, l->resp.status, l->resp.headers, l->resp.n_headers,
                            c->stream_length, c->stream);
        return;
    }
    int64_t length = head && e == NULL && c->has_stream ? c->stream_length : -1;
    if (head)
        buf_reset(&l->resp.body);
    http_respond(l->x, l->resp.status, l->resp.headers, l->resp.n_headers, buf_view(&l->resp.body),
                 length);
}

/* Ends a call that went wrong: recorded first, then answered. */
static void refuse(struct line *l, struct err *e)
{
    line_record_refusal(l, e);
    respond(l, e);
}

/* -- the line, from a complete request --------------------------------------------------------- */

static void finish(struct line *l)
{
    for (;;) {
        struct err *e = line_transact(l);
        if (!is_park_signal(e)) {
            if (e == NULL) {
                l->body_began = false; /* the handler took what the body made */
                respond(l, NULL);
            } else {
                refuse(l, e);
            }
            return;
        }
        if (park_line(l))
            return; /* the registry has it now */
    }
}

static void finish_on_worker(void *arg)
{
    finish(arg);
}

static void resume(struct line *l)
{
    if (l->resume != NULL) { /* an internal call waits on its own thread */
        internal_resume(l);
        return;
    }
    if (!pool_submit(l->c.ward->pool, finish_on_worker, l))
        respond(l, err_aws(503, "ServiceUnavailable", "Ward is busy; try again."));
}

static struct err *parse_request(struct line *l)
{
    struct http_exchange *x = l->x;
    l->wire.method = x->method;
    l->wire.path = x->path;
    l->wire.headers = x->headers;
    l->wire.n_headers = x->n_headers;
    TRY(wire_params(l->arena, x->query, &l->wire.params, &l->wire.n_params));
    struct sig_request r = {x->method, x->path, x->query, x->headers, x->n_headers};
    return sigv4_parse(l->arena, &r, &l->c.sig);
}

static struct err *decode(struct line *l)
{
    struct call *c = &l->c;
    void *in = NULL;
    TRY(codec_decode(l->arena, c->room->model, c->op, c->proto, &l->wire, &in));
    c->in = in;
    return arena_check(l->arena);
}

static void run_buffered(struct line *l, struct str body)
{
    struct err *parsed = l->body_err; /* from the head */
    l->body_err = NULL;
    l->wire.body = body;
    struct err *e = line_identify(l, body);
    if (parsed != NULL) { /* whatever it means, it is answered in its own form */
        err_free(e);
        e = line_in_family(l, parsed);
    }
    /* Who calls is settled before what they asked for is judged: an unknown operation of an
     * unsigned request is an unsigned request. */
    struct err *auth = parsed != NULL || l->c.room == NULL ? NULL : line_authenticate(l, body);
    if (auth != NULL) {
        err_free(e);
        e = auth;
    }
    if (e == NULL)
        e = decode(l);
    /* An operation whose body is streamed never comes this way, whatever headers it carries: its
     * handler counts on what the stream left. */
    if (e == NULL && l->c.row->body != NULL)
        e = err_aws(400, "InvalidRequest", "The request's headers do not fit its operation.");
    if (e != NULL)
        refuse(l, e);
    else
        finish(l);
}

/* -- streamed bodies --------------------------------------------------------------------------- */

static struct err *body_decoder(struct line *l)
{
    struct sig *s = &l->c.sig;
    if (s->payload == SIG_PAYLOAD_HASH && s->payload_hash.p != NULL) {
        l->payload_hash = hash_new(HASH_SHA256);
        return NULL;
    }
    if (s->payload != SIG_PAYLOAD_CHUNKED && s->payload != SIG_PAYLOAD_CHUNKED_TRAILER &&
        s->payload != SIG_PAYLOAD_UNSIGNED_TRAILER)
        return NULL;
    int64_t decoded = -1;
    struct str text = wire_req_header(&l->wire, "x-amz-decoded-content-length");
    if (text.p != NULL && !str_to_i64(text, 0, INT64_MAX, &decoded))
        return err_aws(400, "InvalidArgument", "x-amz-decoded-content-length is not a length.");
    if (text.p == NULL)
        return err_aws(411, "MissingContentLength",
                       "You must provide the Content-Length HTTP header.");
    return chunked_new(s, l->signing_key, decoded, &l->chunked);
}

static struct err *start_stream(struct line *l)
{
    TRY(line_authenticate(l, STR_NONE));
    TRY(decode(l));
    TRY(body_decoder(l));
    return line_begin_body(l);
}

static struct err *take_payload(void *arg, struct str payload)
{
    struct line *l = arg;
    l->payload_bytes += payload.n;
    return l->c.row->body->data(&l->c, payload);
}

static struct err *end_of_body(struct line *l)
{
    struct sig *s = &l->c.sig;
    if (l->chunked != NULL)
        return chunked_end(l->chunked);
    if (l->payload_hash == NULL)
        return NULL;
    unsigned char digest[SHA256_SIZE];
    hash_end(l->payload_hash, digest);
    if (!str_ieq(enc_hex(l->arena, str_of(digest, sizeof digest)), s->payload_hash))
        return err_aws(400, "XAmzContentSHA256Mismatch",
                       "The provided 'x-amz-content-sha256' header does not match what was "
                       "computed.");
    return NULL;
}

/* -- pages ------------------------------------------------------------------------------------- */

static bool serve_page(struct line *l)
{
    if (!str_is(l->x->method, "GET") || l->c.sig.present)
        return false;
    for (size_t i = 0; i < l->c.ward->n_rooms; i++) {
        const struct page *p = l->c.ward->rooms[i]->pages;
        for (; p != NULL && p->path_prefix != NULL; p++) {
            if (!str_starts_c(l->x->path, p->path_prefix))
                continue;
            const char *type = "application/octet-stream";
            struct str body;
            l->c.room = l->c.ward->rooms[i];
            struct err *e = p->get(l->c.ward, l->arena, l->x->path, &type, &body);
            if (e != NULL) {
                respond(l, e);
                return true;
            }
            struct http_header h = {STR("Content-Type"), str_c(type)};
            l->answered = true;
            http_respond(l->x, 200, &h, 1, body, -1);
            return true;
        }
    }
    return false;
}

/* -- the port's callbacks ---------------------------------------------------------------------- */

static enum http_body_mode on_head(void *ctx, struct http_exchange *x)
{
    struct line *l = line_new(ctx, x);
    x->ctx = l;
    x->body_max = CALL_BODY_MAX;
    l->body_err = parse_request(l);
    if (l->body_err != NULL || serve_page(l))
        return l->answered ? HTTP_BODY_REFUSE : HTTP_BODY_BUFFER;
    /* Only REST names its operation in the head; the others, all of them POST, wait for the body.
     */
    bool post = str_is(x->method, "POST");
    if (str_is(x->method, "GET") || str_is(x->method, "HEAD") ||
        (post && (wire_req_header(&l->wire, "X-Amz-Target").p != NULL ||
                  str_starts_c(wire_req_header(&l->wire, "Content-Type"),
                               "application/x-www-form-urlencoded"))))
        return HTTP_BODY_BUFFER;
    struct err *e = line_identify(l, STR_NONE);
    if (e != NULL || l->c.row->body == NULL) {
        if (e == NULL && l->c.row->body_max > 0)
            x->body_max = l->c.row->body_max;
        err_free(e); /* found again, and judged, when the body is there */
        return HTTP_BODY_BUFFER;
    }
    e = start_stream(l);
    if (e == NULL)
        return HTTP_BODY_STREAM;
    refuse(l, e);
    return HTTP_BODY_REFUSE;
}

static void on_data(void *ctx UNUSED, struct http_exchange *x, struct str piece)
{
    struct line *l = x->ctx;
    if (l->body_err != NULL || l->answered)
        return; /* the rest is read and dropped, so that the client gets to see the answer */
    if (l->payload_hash != NULL)
        hash_add(l->payload_hash, piece);
    l->body_err = l->chunked != NULL ? chunked_feed(l->chunked, piece, take_payload, l)
                                     : take_payload(l, piece);
}

static void on_end(void *ctx UNUSED, struct http_exchange *x)
{
    struct line *l = x->ctx;
    if (l->answered)
        return;
    if (!l->body_began) {
        run_buffered(l, x->body.p == NULL ? STR("") : x->body);
        return;
    }
    struct err *e = l->body_err;
    l->body_err = NULL;
    if (e == NULL)
        e = end_of_body(l);
    if (e != NULL)
        refuse(l, e);
    else
        finish(l);
}

/* What is wrong with a body, in the words of AWS: S3's
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), or those of the others. */
static struct err *body_fault(const struct line *l, int status, const char *words)
{
    bool s3 = l->c.proto == PROTO_REST_XML;
    switch (status) {
    case 408:
        return err_aws(s3 ? 400 : 408, "RequestTimeout",
                       "Your socket connection to the server was not read from or written to "
                       "within the timeout period. Idle connections will be closed.");
    case 413:
        return s3 ? err_aws(400, "MaxMessageLengthExceeded", "Your request was too large.")
                  : err_aws(413, "RequestEntityTooLarge", "%s", words);
    case 503:
        return s3 ? err_aws(503, "SlowDown", "Please reduce your request rate.")
                  : err_aws(503, "ServiceUnavailable", "Ward is busy; try again.");
    default:
        return err_aws(400, s3 ? "InvalidRequest" : "BadRequest", "%s", words);
    }
}

static void on_fault(void *ctx UNUSED, struct http_exchange *x, int status, const char *words)
{
    struct line *l = x->ctx;
    if (l->answered)
        return;
    if (l->c.room == NULL)
        line_identify_head(l);
    if (status == 503)
        call_header(&l->c, "Retry-After", STR("1"));
    struct err *e = l->body_err; /* what was found before counts */
    l->body_err = NULL;
    refuse(l, e != NULL ? line_in_family(l, e) : body_fault(l, status, words));
}

static void on_done(void *ctx UNUSED, struct http_exchange *x)
{
    struct line *l = x->ctx;
    if (l == NULL)
        return;
    if (!l->answered && l->authenticated && l->body_began) {
        /* The client went away in the middle of a body that it may write: on record. */
        struct err *e = err_aws(400, "IncompleteBody", "The request body ended too early.");
        line_record_refusal(l, e);
        err_free(e);
    }
    line_free(l);
}

struct http_handler api_http_handler(struct ward *w)
{
    return (struct http_handler){
        .ctx = w, .on_head = on_head, .on_data = on_data, .on_end = on_end, .on_fault = on_fault,
        .on_done = on_done};
}

/* -- start and stop ---------------------------------------------------------------------------- */

static struct err *check_row(const struct room *r, const struct op_row *row)
{
    const struct op_model *op = model_op(r->model, str_c(row->name));
    const char *lacks = op == NULL              ? "facts in model.json"
                        : row->handler == NULL  ? "a handler"
                        : row->effect == 0      ? "its effect (OP_READ or OP_WRITE)"
                        : row->audit == 0       ? "its audit class"
                        : row->needs == NULL    ? "its needs (or NO_NEEDS)"
                        : row->record_in == NULL && op->input != NULL && op->input->n_members > 0
                            ? "record_in (\"\" records nothing)"
                            : NULL;
    if (lacks == NULL)
        return NULL;
    return err_new(ERR_INTERNAL, "The row %s of the room %s lacks %s.", row->name, r->name, lacks);
}

struct err *api_start(struct ward *w)
{
    for (size_t i = 0; i < w->n_rooms; i++)
        for (size_t j = 0; j < w->rooms[i]->n_ops; j++)
            TRY(check_row(w->rooms[i], &w->rooms[i]->ops[j]));
    TRY(park_start(w, resume));
    for (size_t i = 0; i < w->n_rooms; i++)
        if (w->rooms[i]->start != NULL)
            TRY(w->rooms[i]->start(w));
    return scheduler_start(w);
}

void api_stop_parking(void)
{
    park_stop();
}

void api_stop(struct ward *w)
{
    scheduler_stop(w);
    for (size_t i = 0; i < w->n_rooms; i++)
        if (w->rooms[i]->stop != NULL)
            w->rooms[i]->stop(w);
}

void api_print_coverage(const struct ward *w, struct buf *out)
{
    for (size_t i = 0; i < w->n_rooms; i++) {
        const struct room *r = w->rooms[i];
        size_t all = 0;
        while (r->model->all_ops[all] != NULL)
            all++;
        buf_fmt(out, "%-16s %3zu of %3zu operations:", r->name, r->n_ops, all);
        for (size_t j = 0; j < r->n_ops; j++)
            buf_fmt(out, " %s", r->ops[j].name);
        buf_char(out, '\n');
    }
}

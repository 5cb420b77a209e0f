/* server.h: the port through which requests come in. HTTP/1.1 (RFC 9112), TLS 1.2+ (OpenSSL).
 *
 * Event loops own the sockets and do TLS and parsing; every callback below runs on a worker of the
 * pool, one at a time for each exchange, and may block on the disk but never on a client. A client
 * that is slow costs a socket and a small buffer, not a thread.
 *
 * An exchange goes:  on_head -> (on_data …)* -> on_end -> http_respond…() -> on_done
 *   on_head   the request line and headers are complete and strictly valid. Returns how the body is
 *             to come: HTTP_BODY_BUFFER (collected, up to x->body_max, then on_end with x->body),
 *             HTTP_BODY_STREAM (on_data for each piece; the next piece is read from the socket only
 *             when on_data has returned), or HTTP_BODY_REFUSE (a response was given already; the
 *             connection is closed after it, unless the request has no body). "Expect:
 *             100-continue" is answered after on_head. Before on_end an answer may only be given
 *             within a callback; no more of the body is read then, and on_end is not called.
 *   on_fault  the body failed while the client still listens: malformed, too large or too slow. An
 *             answer in the handler's own form may be given within the callback; without one (or
 *             without this callback, which may be NULL) the server answers in plain text. Neither
 *             on_data nor on_end follows, and the connection is closed.
 *   on_end    the body is complete. A response may be given now or later, from any thread.
 *   on_done   the exchange is over (sent, or the client went away at any point before: x->gone);
 *             x->ctx must be released here; x is invalid afterwards. Always called once, and never
 *             before a parked exchange was answered: whoever parked it still calls http_respond.
 *
 * What is refused with 400 and a closed connection before on_head: a Content-Length beside
 * Transfer-Encoding, differing or signed lengths, any Transfer-Encoding but a final chunked, NUL or
 * control characters, blanks before a colon, folded lines, a missing or double Host, bare CR or LF,
 * a request target that is not origin form; 414/431 for lengths past the limits, 505 for another
 * version, 417 for another expectation; 408 for a head that trickles. Limits are the enum below.
 * Pipelined requests are answered in order.
 *
 * Thread rule: as above. x's fields are the worker's while a callback runs. */
#ifndef WARD_HTTP_SERVER_H
#define WARD_HTTP_SERVER_H

#include "../core/arena.h"
#include "../core/pool.h"
#include "../crypto/ca.h"

enum {
    HTTP_LINE_MAX = 16 * 1024,       /* request line */
    HTTP_HEAD_MAX = 32 * 1024,       /* request line and all headers */
    HTTP_HEADERS_MAX = 128,
    HTTP_BUFFER_MAX = 72 * 1024 * 1024, /* the most that body_max may be */
    HTTP_PIECE = 64 * 1024,          /* the most that one on_data or one fill carries */
    HTTP_CONNECTIONS_MAX = 4096,
    HTTP_HEAD_TIMEOUT_MS = 15000,
    HTTP_IDLE_TIMEOUT_MS = 75000,    /* between requests */
    HTTP_BODY_STALL_MS = 30000,      /* no byte of the body, or none of the response taken */
    HTTP_BODY_RATE_MIN = 512,        /* bytes a second, over a minute, for a body */
};

struct http_header {
    struct str name; /* as sent; compare with str_ieq */
    struct str value;
};

enum http_body_mode { HTTP_BODY_BUFFER, HTTP_BODY_STREAM, HTTP_BODY_REFUSE };

struct http_exchange {
    /* the request; views valid until on_done */
    struct str method;
    struct str target;     /* raw, as sent */
    struct str path;       /* raw path, before '?' */
    struct str query;      /* raw query, after '?'; STR_NONE without one */
    struct http_header *headers;
    size_t n_headers;
    int64_t content_length; /* -1: chunked */
    struct str body;        /* HTTP_BODY_BUFFER, from on_end */
    size_t body_max;        /* set by on_head for HTTP_BODY_BUFFER; past it: 413 */
    char peer[48];          /* the client's address, text */
    const char *tls_version; /* "TLSv1.3", or NULL for plain */
    const char *tls_cipher;
    const char *sni; /* NULL: none */
    bool gone;       /* the client went away */
    bool body_error; /* on_end not reached: truncated, malformed or stalled body */
    int64_t received_ms;
    void *ctx; /* the handler's */
};

struct http_handler {
    void *ctx;
    enum http_body_mode (*on_head)(void *ctx, struct http_exchange *x);
    void (*on_data)(void *ctx, struct http_exchange *x, struct str piece);
    void (*on_end)(void *ctx, struct http_exchange *x);
    /* status: 400 malformed, 408 too slow, 413 too large, 503 no memory for it. */
    void (*on_fault)(void *ctx, struct http_exchange *x, int status, const char *words);
    void (*on_done)(void *ctx, struct http_exchange *x);
};

/* x->gone of a parked exchange, which the event loop may set at any moment. */
bool http_gone(const struct http_exchange *x);

/* NULL: not among the headers. The nth (from 0) header of that name. */
struct str http_header(const struct http_exchange *x, const char *name);
struct str http_header_nth(const struct http_exchange *x, const char *name, size_t nth);

/* Answers. Copies status, headers and body; once for each exchange; from any thread.
 * Content-Length, Transfer-Encoding, Date, Connection and Keep-Alive are set here, and left out of
 * `headers` if they are there; a control character in a name or value makes the answer an empty
 * 500. For HEAD pass the body's length by `content_length_override` >= 0 and an empty body; else
 * -1. */
void http_respond(struct http_exchange *x, int status, const struct http_header *headers, size_t n,
                  struct str body, int64_t content_length_override);

/* Answers with a body that is drawn piece by piece: fill() runs on a worker, writes at most n bytes
 * to `to` and says how many; 0 ends the body; an error cuts the connection, which the client sees
 * as truncation. length -1: chunked. fill's arg is released by `done`, always called. */
struct http_source {
    struct err *(*fill)(void *arg, void *to, size_t n, size_t *out_n);
    void (*done)(void *arg);
    void *arg;
};
void http_respond_stream(struct http_exchange *x, int status, const struct http_header *headers,
                         size_t n, int64_t length, struct http_source source);

struct http_server;

struct http_server_options {
    const char *host; /* address to bind: "127.0.0.1", "::1", "0.0.0.0" */
    int port;         /* 0: any free one */
    const struct ca *ca; /* NULL: plain HTTP */
    const char *extra_names; /* comma-separated names for the default certificate, or NULL */
    int loops;        /* event loops; 0: one for each processor, at most 4 */
    struct pool *pool;
    struct http_handler handler;
};

/* Listens and serves until stopped. Leaves for SNI names are issued by the CA on demand and kept in
 * a bounded cache; only names under localhost, *.amazonaws.com-like host patterns the handler uses,
 * and extra_names are issued, others get the default certificate. */
struct err *http_server_start(const struct http_server_options *o, struct http_server **out)
    MUST_CHECK;
int http_server_port(const struct http_server *s);
/* Stops accepting, lets exchanges under way end (at most grace_ms), closes, frees. */
void http_server_stop(struct http_server *s, int64_t grace_ms);

#endif

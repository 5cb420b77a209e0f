/* http.h: a small, strict HTTP/1.1 client (RFC 9112) over plain TCP or TLS.
 *
 * Why not libcurl: Debian's needs a shared Kerberos library, so it cannot be linked statically, and
 * provided.al2023 carries an older C library than the machine that builds: the executable has to be
 * static.
 *
 * Strict: a response needs a Content-Length or chunks (a body that ends with the connection cannot
 * be told from a torn one); both at once, two lengths, folded lines, bare line feeds, control
 * characters and a blank before the colon are refused. There is no redirect, proxy, cookie or
 * content coding. TLS is 1.2 or newer; chain and host name are verified, always.
 *
 *     struct http_client *c;
 *     TRY(http_client_new(NULL, &c));
 *     struct http_base base;
 *     TRY(http_base_parse(STR("https://example.org"), &base));
 *     struct http_request q = {.method = "GET", .base = &base, .target = STR("/"),
 *                              .body_max = 65536};
 *     CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
 *     TRY(http_exchange(c, &q, &r));   // any status is a success here: look at r.status
 *
 * Connections are kept for a while and used again. Names are resolved by the C library's own
 * "files" and "dns" (no plug-ins, which a static program must not load); its time-outs, those of
 * resolv.conf, count against the deadline but are not cut short by it.
 *
 * Errors: ERR_INVALID (the request), ERR_IO (not reached, torn), ERR_TIMEOUT, ERR_DENIED (the
 * certificate), ERR_CORRUPT (not HTTP), ERR_LIMIT (head or body too large). ERR_IO and ERR_TIMEOUT
 * are worth another try. Thread rule: a client belongs to one thread at a time. */
#ifndef WARD_RT_HTTP_H
#define WARD_RT_HTTP_H

#include "core/buf.h"

enum {
    HTTP_HOST_MAX = 255,
    HTTP_HEAD_MAX = 32 * 1024,        /* first line and headers, of a request or a response */
    HTTP_HEADERS_MAX = 100,           /* lines in a response's head */
    HTTP_ERROR_BODY_MAX = 64 * 1024,  /* kept of the body of a response that is not 2xx */
    HTTP_CHUNK_LINE_MAX = 256,
    HTTP_INTERIM_MAX = 8,             /* 1xx responses before the real one */
    HTTP_CONNECT_TIMEOUT_MS = 3000,   /* for each address, TLS handshake excluded */
    HTTP_IDLE_TIMEOUT_MS = 10000,     /* without a byte in either direction */
    HTTP_REUSE_MAX_MS = 5000,         /* a kept connection older than this is not used again */
    HTTP_POOL_MAX = 4,
};

struct http_client;

/* `ca_file`: the certificates to trust (PEM). NULL: AWS_CA_BUNDLE, else SSL_CERT_FILE, else the
 * bundle of the system. It is read at the first https connection. The process then ignores SIGPIPE,
 * and OpenSSL does not read the machine's openssl.cnf. */
struct err *http_client_new(const char *ca_file, struct http_client **out) MUST_CHECK;
void http_client_free(struct http_client *c); /* NULL is fine */

/* Closes kept connections: after a function was frozen they are likely dead. */
void http_client_drop(struct http_client *c);

/* Where to: scheme, host and port of "http[s]://host[:port][/]". */
struct http_base {
    bool tls;
    uint16_t port;
    bool port_is_default;
    char host[HTTP_HOST_MAX + 1]; /* without the brackets of an IPv6 address */
};
struct err *http_base_parse(struct str url, struct http_base *out) MUST_CHECK;

/* Appends the value of the Host header. */
void http_base_host(const struct http_base *b, struct buf *out);

struct http_header {
    struct str name, value;
};

/* Takes the body of a 2xx response piece by piece. An error of its ends the exchange. */
struct http_sink {
    struct err *(*piece)(void *ctx, struct str bytes);
    void *ctx;
};

struct http_request {
    const char *method;
    const struct http_base *base;
    struct str target;                 /* "/path?query", encoded by the caller */
    const struct http_header *headers; /* Host and Content-Length are added */
    size_t n_headers;
    struct str body;        /* STR_NONE: no body and no Content-Length */
    int64_t deadline_ms;    /* by clock_mono_ms(); 0: none */
    int idle_timeout_ms;    /* 0: HTTP_IDLE_TIMEOUT_MS; negative: none, for a long poll */
    size_t body_max;        /* more than this in a 2xx response is ERR_LIMIT */
    const struct http_sink *sink; /* NULL: the body is kept in the response */
};

struct http_response {
    int status;
    struct buf head; /* the header lines, each "Name: value\n" */
    struct buf body; /* what a sink did not take */
};
#define HTTP_RESPONSE_INIT {.head = BUF_INIT(HTTP_HEAD_MAX)}
void http_response_clear(struct http_response *r);

/* One request and its response. A kept connection that turns out dead before the first byte of the
 * response is replaced once. `r` is overwritten; on failure its content means nothing. */
struct err *http_exchange(struct http_client *c, const struct http_request *q,
                          struct http_response *r) MUST_CHECK;

/* The first header of this name (ASCII case ignored); STR_NONE: not there. Valid while `r` is. */
struct str http_response_header(const struct http_response *r, const char *name);

#endif

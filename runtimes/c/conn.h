/* conn.h: one TCP or TLS connection with time-outs and a read buffer; private to the HTTP client.
 *
 * Sockets do not block; every wait is a poll() bounded by the idle time-out and the deadline.
 * Errors as in http.h. Thread rule: one thread at a time. */
#ifndef WARD_RT_CONN_H
#define WARD_RT_CONN_H

#include "http.h"

#include <openssl/ssl.h>

enum { CONN_BUF_BYTES = 16 * 1024, CONN_ADDRESSES_MAX = 4 };

struct conn_limit {
    int64_t deadline_ms; /* by clock_mono_ms(); 0: none */
    int idle_ms;         /* negative: none */
};

struct conn {
    int fd;
    SSL *ssl; /* NULL: plain */
    struct http_base base;
    int64_t idle_since_ms;
    size_t at, end; /* unread bytes: in[at..end) */
    char in[CONN_BUF_BYTES];
};

/* `tls` may be NULL for a plain base. */
struct err *conn_open(SSL_CTX *tls, const struct http_base *base, struct conn_limit limit,
                      struct conn **out) MUST_CHECK;
void conn_close(struct conn *c); /* NULL is fine */

/* Quiet and open, as a kept connection should be: false when there is anything to read. */
bool conn_is_quiet(const struct conn *c);

struct err *conn_write(struct conn *c, struct str bytes, struct conn_limit limit) MUST_CHECK;

/* Makes sure that something is unread, waiting for it. *out_eof: the peer ended the connection. */
struct err *conn_fill(struct conn *c, struct conn_limit limit, bool *out_eof) MUST_CHECK;

#endif

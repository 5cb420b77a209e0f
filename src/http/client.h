/* client.h: outgoing HTTP(S) and mail, through libcurl.
 *
 * Blocking, for workers. Redirects are not followed; only http, https, smtp and smtps are spoken.
 * Limits: HTTP_OUT_BODY_MAX on what is read back, and the time-out given.
 *
 * Trusted are the system's certificates, `ca_file`, and those in the file that the environment
 * names in SSL_CERT_FILE: that is how an operator adds a private authority.
 *
 * Thread rule: any thread; handles are kept for each thread. */
#ifndef WARD_HTTP_CLIENT_H
#define WARD_HTTP_CLIENT_H

#include "../core/arena.h"
#include "server.h"

enum { HTTP_OUT_BODY_MAX = 1024 * 1024, HTTP_OUT_TIMEOUT_MS = 15000 };

struct http_out {
    const char *method;
    struct str url;
    const struct http_header *headers;
    size_t n_headers;
    struct str body;
    int timeout_ms;      /* 0: HTTP_OUT_TIMEOUT_MS */
    const char *ca_file; /* extra trust, PEM; NULL: none */
    bool foreign;        /* a client named the URL: link-local addresses, where clouds keep their
                            metadata and credentials, are refused (ERR_INVALID) */
};

struct http_in {
    int status;
    struct str body;
    struct http_header *headers;
    size_t n_headers;
};

/* Errors: ERR_IO (no connection, TLS refused), ERR_TIMEOUT, ERR_LIMIT, ERR_INVALID (the URL). An
 * HTTP status of any kind is a success here. */
struct err *http_send(struct arena *a, const struct http_out *req, struct http_in *out) MUST_CHECK;

struct mail {
    struct str server; /* smtp://host:port or smtps://…, may carry user:password@ */
    struct str from, to;
    struct str subject;
    struct str text; /* UTF-8; lines of any length */
};

/* RFC 5322 message over RFC 5321; header injection is impossible (CR, LF and controls are
 * refused in addresses and encoded in the subject). Errors as above. */
struct err *mail_send(const struct mail *m) MUST_CHECK;

#endif

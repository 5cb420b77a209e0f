#include "conn.h"

#include "core/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The shorter of the idle time-out and what is left to the deadline; -1: for ever. */
static int wait_ms(struct conn_limit limit)
{
    int64_t ms = limit.idle_ms < 0 ? -1 : limit.idle_ms;
    if (limit.deadline_ms > 0) {
        int64_t left = limit.deadline_ms - clock_mono_ms();
        left = left < 0 ? 0 : left;
        if (ms < 0 || left < ms)
            ms = left;
    }
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static struct err *wait_for(int fd, short events, struct conn_limit limit, const char *doing)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, wait_ms(limit));
        if (n > 0)
            return NULL;
        if (n == 0)
            return err_new(ERR_TIMEOUT, "timed out while %s", doing);
        if (errno != EINTR)
            return err_new(ERR_IO, "failed while %s", doing);
    }
}

static void tune(int fd)
{
    int one = 1;
    /* Small requests and answers: waiting to fill a segment only costs time. Failing is no harm. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct err *dial_address(const struct addrinfo *ai, struct conn_limit limit,
                                int *out_fd)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_new(ERR_IO, "no socket to be had");
    struct err *e = NULL;
    int fault = 0;
    socklen_t n = sizeof fault;
    struct conn_limit connect_limit = {limit.deadline_ms, HTTP_CONNECT_TIMEOUT_MS};
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            e = err_new(ERR_IO, "could not connect");
        else
            e = wait_for(fd, POLLOUT, connect_limit, "connecting");
        if (e == NULL && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &n) != 0 || fault != 0))
            e = err_new(ERR_IO, "could not connect");
    }
    if (e != NULL) {
        close(fd);
        return e;
    }
    tune(fd);
    *out_fd = fd;
    return NULL;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static struct err *dial(const struct http_base *base, struct conn_limit limit, int *out_fd)
{
    char port[8];
    snprintf(port, sizeof port, "%u", base->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (is_address(base->host))
        hints.ai_flags |= AI_NUMERICHOST;
    else
        /* nsswitch.conf of the machine may name plug-ins that were built for its own C library;
         * "files" and "dns" are part of ours. */
        (void)__nss_configure_lookup("hosts", "files dns");
    struct addrinfo *list = NULL;
    if (getaddrinfo(base->host, port, &hints, &list) != 0)
        return err_new(ERR_IO, "could not resolve %s", base->host);
    struct err *e = err_new(ERR_IO, "could not resolve %s", base->host);
    int tried = 0;
    for (struct addrinfo *ai = list; ai != NULL && e != NULL && tried < CONN_ADDRESSES_MAX;
         ai = ai->ai_next, tried++) {
        err_free(e);
        e = dial_address(ai, limit, out_fd);
    }
    freeaddrinfo(list);
    return e;
}

/* What OpenSSL wants before it goes on; an error when it cannot. */
static struct err *tls_wait(struct conn *c, int rc, struct conn_limit limit, const char *doing)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(c->fd, POLLIN, limit, doing);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(c->fd, POLLOUT, limit, doing);
    default:
        return err_new(ERR_IO, "the connection broke while %s", doing);
    }
}

static struct err *tls_check_host(SSL *ssl, const char *host)
{
    int ok;
    if (is_address(host)) {
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    } else {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    return ok == 1 ? NULL : err_new(ERR_INTERNAL, "TLS could not be set up");
}

static struct err *tls_start(SSL_CTX *tls, struct conn *c, struct conn_limit limit)
{
    c->ssl = SSL_new(tls);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
        return err_new(ERR_INTERNAL, "TLS could not be set up");
    TRY(tls_check_host(c->ssl, c->base.host));
    for (;;) {
        ERR_clear_error();
        int rc = SSL_connect(c->ssl);
        if (rc == 1)
            return NULL;
        long verdict = SSL_get_verify_result(c->ssl);
        if (verdict != X509_V_OK)
            return err_new(ERR_DENIED, "the certificate of %s is not trusted: %s", c->base.host,
                           X509_verify_cert_error_string(verdict));
        TRY(tls_wait(c, rc, limit, "shaking hands"));
    }
}

struct err *conn_open(SSL_CTX *tls, const struct http_base *base, struct conn_limit limit,
                      struct conn **out)
{
    int fd = -1;
    TRY(dial(base, limit, &fd));
    struct conn *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->fd = fd;
    c->base = *base;
    struct err *e = base->tls ? tls_start(tls, c, limit) : NULL;
    if (e != NULL) {
        conn_close(c);
        return e;
    }
    *out = c;
    return NULL;
}

void conn_close(struct conn *c)
{
    if (c == NULL)
        return;
    if (c->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl); /* a courtesy; nobody waits for the answer */
        SSL_free(c->ssl);
    }
    close(c->fd);
    free(c);
}

bool conn_is_quiet(const struct conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return c->at == c->end && poll(&p, 1, 0) == 0;
}

static struct err *tls_write(struct conn *c, struct str *rest, struct conn_limit limit)
{
    size_t n = 0;
    ERR_clear_error();
    int rc = SSL_write_ex(c->ssl, rest->p, rest->n, &n);
    if (rc != 1)
        return tls_wait(c, rc, limit, "sending");
    *rest = str_skip(*rest, n);
    return NULL;
}

static struct err *plain_write(struct conn *c, struct str *rest, struct conn_limit limit)
{
    ssize_t n = send(c->fd, rest->p, rest->n, MSG_NOSIGNAL);
    if (n >= 0) {
        *rest = str_skip(*rest, (size_t)n);
        return NULL;
    }
    if (errno == EINTR)
        return NULL;
    if (errno == EAGAIN)
        return wait_for(c->fd, POLLOUT, limit, "sending");
    return err_new(ERR_IO, "the connection broke while sending");
}

struct err *conn_write(struct conn *c, struct str bytes, struct conn_limit limit)
{
    while (bytes.n > 0)
        TRY(c->ssl != NULL ? tls_write(c, &bytes, limit) : plain_write(c, &bytes, limit));
    return NULL;
}

/* Both set c->end to what came and *out_eof at the end; neither means: call again. */

static struct err *tls_read(struct conn *c, struct conn_limit limit, bool *out_eof)
{
    size_t n = 0;
    ERR_clear_error();
    int rc = SSL_read_ex(c->ssl, c->in, sizeof c->in, &n);
    if (rc == 1) {
        c->end = n;
        return NULL;
    }
    if (SSL_get_error(c->ssl, rc) == SSL_ERROR_ZERO_RETURN) {
        *out_eof = true;
        return NULL;
    }
    return tls_wait(c, rc, limit, "receiving");
}

static struct err *plain_read(struct conn *c, struct conn_limit limit, bool *out_eof)
{
    ssize_t n = recv(c->fd, c->in, sizeof c->in, 0);
    if (n > 0) {
        c->end = (size_t)n;
        return NULL;
    }
    if (n == 0) {
        *out_eof = true;
        return NULL;
    }
    if (errno == EINTR)
        return NULL;
    if (errno == EAGAIN)
        return wait_for(c->fd, POLLIN, limit, "receiving");
    return err_new(ERR_IO, "the connection broke while receiving");
}

struct err *conn_fill(struct conn *c, struct conn_limit limit, bool *out_eof)
{
    bool eof = false;
    if (c->at == c->end)
        c->at = c->end = 0;
    while (c->at == c->end && !eof) {
        /* A peer that sends a byte now and then must not outlive the deadline. */
        if (limit.deadline_ms > 0 && clock_mono_ms() >= limit.deadline_ms)
            return err_new(ERR_TIMEOUT, "timed out while receiving");
        TRY(c->ssl != NULL ? tls_read(c, limit, &eof) : plain_read(c, limit, &eof));
    }
    *out_eof = eof;
    return NULL;
}

/* Bytes to and from one client. The BIO below stands between OpenSSL and the socket so that a read
 * known to find nothing costs no system call, and so that no write can raise SIGPIPE. */
#include "server_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

static ptrdiff_t raw_recv(struct conn *c, void *p, size_t n)
{
    if (!c->readable)
        return SOCK_AGAIN;
    ssize_t got;
    do
        got = recv(c->fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->readable = false;
        return SOCK_AGAIN;
    }
    if (got < 0)
        return SOCK_FAILED;
    /* Less than asked for empties the socket (epoll(7)); only the end may still be behind it. */
    if ((size_t)got < n && !c->hup)
        c->readable = false;
    return got;
}

static ptrdiff_t raw_send(struct conn *c, const void *p, size_t n)
{
    ssize_t put;
    do
        put = send(c->fd, p, n, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? SOCK_AGAIN : SOCK_FAILED;
    return put;
}

static int bio_read(BIO *b, char *p, size_t n, size_t *out_n)
{
    BIO_clear_retry_flags(b);
    ptrdiff_t got = raw_recv(BIO_get_data(b), p, n);
    if (got == SOCK_AGAIN)
        BIO_set_retry_read(b);
    *out_n = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *out_n)
{
    BIO_clear_retry_flags(b);
    ptrdiff_t put = raw_send(BIO_get_data(b), p, n);
    if (put == SOCK_AGAIN)
        BIO_set_retry_write(b);
    *out_n = put > 0 ? (size_t)put : 0;
    return put > 0;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static BIO_METHOD *method;

static void method_init(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    CHECK(method != NULL && BIO_meth_set_read_ex(method, bio_read) &&
          BIO_meth_set_write_ex(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl));
}

struct err *sock_tls(struct conn *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, method_init);
    SSL *ssl = SSL_new(c->loop->server->tls);
    BIO *bio = BIO_new(method);
    if (ssl == NULL || bio == NULL) {
        SSL_free(ssl);
        BIO_free(bio);
        return err_new(ERR_FULL, "No memory is left for a connection.");
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    c->ssl = ssl;
    return NULL;
}

static ptrdiff_t tls_result(struct conn *c, int r)
{
    switch (SSL_get_error(c->ssl, r)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return SOCK_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        /* After a fatal error OpenSSL forbids even SSL_shutdown. */
        c->dead = true;
        return SOCK_FAILED;
    }
}

ptrdiff_t sock_recv(struct conn *c, void *p, size_t n)
{
    if (c->dead)
        return SOCK_FAILED;
    if (c->ssl == NULL)
        return raw_recv(c, p, n);
    size_t got = 0;
    ERR_clear_error();
    int r = SSL_read_ex(c->ssl, p, n, &got);
    return r == 1 ? (ptrdiff_t)got : tls_result(c, r);
}

ptrdiff_t sock_send(struct conn *c, const void *p, size_t n)
{
    if (c->dead)
        return SOCK_FAILED;
    if (c->ssl == NULL)
        return raw_send(c, p, n);
    size_t put = 0;
    ERR_clear_error();
    int r = SSL_write_ex(c->ssl, p, n, &put);
    if (r == 1)
        return (ptrdiff_t)put;
    ptrdiff_t why = tls_result(c, r);
    return why == 0 ? SOCK_FAILED : why;
}

bool sock_pending(const struct conn *c)
{
    return c->readable || c->dead || (c->ssl != NULL && SSL_has_pending(c->ssl));
}

/* OpenSSL takes new ones (33 KiB) when it next needs them. Giving them back after each request, as
 * it offers to do by itself, costs two of the largest allocations of a request. */
void sock_lean(struct conn *c)
{
    if (c->ssl != NULL && !c->dead)
        (void)SSL_free_buffers(c->ssl);
}

/* A client that speaks plain HTTP to the TLS port deserves to read why it fails. */
static void say_use_tls(struct conn *c)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                               "Content-Type: text/plain\r\nContent-Length: 34\r\n\r\n"
                               "This port speaks HTTPS (TLS 1.2).\n";
    (void)raw_send(c, text, sizeof text - 1);
}

int sock_handshake(struct conn *c)
{
    if (c->dead)
        return SOCK_FAILED;
    ERR_clear_error();
    int r = SSL_accept(c->ssl);
    if (r != 1) {
        bool plain = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
        ptrdiff_t why = tls_result(c, r);
        if (why == SOCK_FAILED && plain)
            say_use_tls(c);
        return why == SOCK_AGAIN ? SOCK_AGAIN : SOCK_FAILED;
    }
    /* No ticket follows the handshake, so a client with Nagle on would wait for the delayed
     * acknowledgement of its Finished before it sends the request. */
    int on = 1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    return 1;
}

void sock_shutdown(struct conn *c)
{
    if (c->ssl != NULL && !c->dead) {
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
    }
    (void)shutdown(c->fd, SHUT_WR);
}

/* A load generator for the benches: many keep-alive connections, one thread, requests that were
 * signed beforehand. It must cost much less than what it measures, which shares the machine with
 * it, so it replays ready bytes and looks at no more of an answer than its status and its end.
 *
 *     load HOST PORT CA|- CONNECTIONS SECONDS < requests
 *
 * Requests on standard input: for each, 4 bytes of length (little-endian) and the bytes. CA is a
 * PEM file for TLS, "-" for plain HTTP. Prints one line of JSON. Loopback only. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    ANSWER_MAX = 256 * 1024,
    SAMPLES_MAX = 4 << 20,
    REQUESTS_MAX = 65536,
};

struct request {
    char *p;
    size_t n;
};

struct conn {
    int fd;
    SSL *ssl;
    size_t next;  /* the request that follows */
    size_t sent;  /* of the one under way */
    double began; /* when it was begun */
    size_t n;     /* bytes of the answer */
    char answer[ANSWER_MAX];
};

static struct request requests[REQUESTS_MAX];
static size_t n_requests;
static struct conn *conns;
static int n_conns, poll_fd;
static struct sockaddr_in address;
static SSL_CTX *tls;
static float *samples;
static size_t done, failed;

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_requests(void)
{
    unsigned char head[4];
    while (n_requests < REQUESTS_MAX && fread(head, 1, 4, stdin) == 4) {
        struct request *r = &requests[n_requests++];
        r->n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        r->p = malloc(r->n);
        if (r->p == NULL || fread(r->p, 1, r->n, stdin) != r->n)
            die("requests");
    }
    if (n_requests == 0)
        die("no requests");
}

static void open_conn(struct conn *c)
{
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls != NULL) { /* the handshake may wait: it is not what is measured */
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
        c->ssl = SSL_new(tls);
        if (c->ssl == NULL || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host) != 1 ||
            SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
            die("TLS");
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0)
        die("epoll");
}

static void close_conn(struct conn *c)
{
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->fd);
}

/* -1: would block, 0: the other side is gone. */
static ssize_t transfer(struct conn *c, bool out, char *p, size_t n)
{
    if (c->ssl == NULL) {
        ssize_t got = out ? send(c->fd, p, n, MSG_NOSIGNAL) : recv(c->fd, p, n, 0);
        return got >= 0 ? got : errno == EAGAIN ? -1 : 0;
    }
    int got = out ? SSL_write(c->ssl, p, (int)n) : SSL_read(c->ssl, p, (int)n);
    if (got > 0)
        return got;
    int why = SSL_get_error(c->ssl, got);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

/* false: the other side is gone. */
static bool push(struct conn *c)
{
    const struct request *r = &requests[c->next % n_requests];
    while (c->sent < r->n) {
        ssize_t n = transfer(c, true, r->p + c->sent, r->n - c->sent);
        if (n < 0)
            return true;
        if (n == 0)
            return false;
        c->sent += (size_t)n;
    }
    return true;
}

static bool begin(struct conn *c)
{
    c->sent = c->n = 0;
    c->began = now();
    return push(c);
}

static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 3 + n + strspn(line + 3 + n, " ");
    return NULL;
}

/* Whether the answer is complete; *keep: whether the connection lives on. */
static bool complete(struct conn *c, bool closed, bool *keep)
{
    c->answer[c->n] = '\0';
    char *body = strstr(c->answer, "\r\n\r\n");
    if (body == NULL)
        return false;
    *body = '\0'; /* the head alone, for a moment */
    const char *length = header(c->answer, "content-length"),
               *coding = header(c->answer, "transfer-encoding"),
               *connection = header(c->answer, "connection");
    *keep = connection == NULL || strncasecmp(connection, "close", 5) != 0;
    size_t head = (size_t)(body - c->answer) + 4, have = c->n - head;
    bool whole = length != NULL   ? have >= strtoul(length, NULL, 10)
                 : coding != NULL ? have >= 5 && memcmp(c->answer + c->n - 5, "0\r\n\r\n", 5) == 0
                                  : closed;
    *body = '\r';
    return whole;
}

static void count(const struct conn *c)
{
    if (done + failed < SAMPLES_MAX)
        samples[done + failed] = (float)((now() - c->began) * 1000);
    bool good = c->n > 12 && memcmp(c->answer + 9, "200", 3) == 0;
    done += good;
    failed += !good;
}

/* A server that takes one request a connection gets a new one each time. */
static void renew(struct conn *c)
{
    close_conn(c);
    open_conn(c);
    if (!begin(c))
        die("a new connection was closed at once");
}

static void serve(struct conn *c)
{
    bool keep = false, alive = push(c);
    while (alive) {
        ssize_t n = transfer(c, false, c->answer + c->n, ANSWER_MAX - 1 - c->n);
        if (n < 0)
            return;
        alive = n > 0;
        c->n += (size_t)n;
        if (!complete(c, !alive, &keep))
            continue;
        count(c);
        c->next += (size_t)n_conns;
        alive = alive && keep && begin(c);
        if (!alive)
            break;
    }
    if (c->n > 0 && !complete(c, true, &keep))
        failed++; /* cut off in the middle */
    renew(c);
}

static int by_value(const void *x, const void *y)
{
    float a = *(const float *)x, b = *(const float *)y;
    return (a > b) - (a < b);
}

static double quantile(double q)
{
    size_t n = done + failed < SAMPLES_MAX ? done + failed : SAMPLES_MAX;
    return n == 0 ? 0 : (double)samples[(size_t)(q * (double)(n - 1))];
}

static void run(double seconds)
{
    double start = now();
    for (int i = 0; i < n_conns; i++)
        if (!begin(&conns[i]))
            die("a connection was closed");
    while (now() - start < seconds) {
        struct epoll_event events[CONNECTIONS_MAX];
        int n = epoll_wait(poll_fd, events, CONNECTIONS_MAX, 100);
        for (int i = 0; i < n; i++)
            serve(events[i].data.ptr);
    }
    double took = now() - start;
    size_t n = done + failed < SAMPLES_MAX ? done + failed : SAMPLES_MAX;
    qsort(samples, n, sizeof *samples, by_value);
    printf("{\"rate\": %.1f, \"failed\": %zu, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
           "\"max_ms\": %.2f}\n",
           (double)done / took, failed, quantile(0.5), quantile(0.99), quantile(1));
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fputs("usage: load HOST PORT CA|- CONNECTIONS SECONDS < requests\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtol(argv[2], NULL, 10));
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
        die("the host must be an IPv4 address");
    if (strcmp(argv[3], "-") != 0) {
        tls = SSL_CTX_new(TLS_client_method());
        if (tls == NULL || SSL_CTX_load_verify_locations(tls, argv[3], NULL) != 1)
            die("CA");
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    n_conns = (int)strtol(argv[4], NULL, 10);
    if (n_conns < 1 || n_conns > CONNECTIONS_MAX)
        die("connections");
    read_requests();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)n_conns, sizeof *conns);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    if (conns == NULL || samples == NULL || poll_fd < 0)
        die("memory");
    for (int i = 0; i < n_conns; i++) {
        conns[i].next = (size_t)i;
        open_conn(&conns[i]);
    }
    run(strtod(argv[5], NULL));
    return 0;
}

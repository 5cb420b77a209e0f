#include "server_int.h"

#include "../core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

const struct http_timeouts http_timeouts_usual = {
    .head_ms = HTTP_HEAD_TIMEOUT_MS,
    .idle_ms = HTTP_IDLE_TIMEOUT_MS,
    .stall_ms = HTTP_BODY_STALL_MS,
    .rate_window_ms = HTTP_RATE_WINDOW_MS,
    .linger_ms = HTTP_LINGER_MS,
    .rate_min = HTTP_BODY_RATE_MIN,
    .connections_max = HTTP_CONNECTIONS_MAX,
};

/* No SO_REUSEPORT: a second server on the same port must fail, not share it silently. */
static struct err *listen_on(struct http_server *s, const struct addrinfo *ai)
{
    s->listen_fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (s->listen_fd < 0 ||
        setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(s->listen_fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
        listen(s->listen_fd, SOMAXCONN) < 0) {
        int errnum = errno;
        if (errnum == EADDRINUSE)
            return err_new(ERR_EXISTS, "The port is in use by another process.");
        return err_errno(errnum, "listen");
    }
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (getsockname(s->listen_fd, (struct sockaddr *)&sa, &n) < 0)
        return err_errno(errno, "getsockname");
    s->port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                             : ((struct sockaddr_in *)&sa)->sin_port);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &s->listen_fd};
    if (epoll_ctl(s->loops[0].epoll, EPOLL_CTL_ADD, s->listen_fd, &ev) < 0)
        return err_errno(errno, "epoll_ctl");
    return NULL;
}

static struct err *listen_at(struct http_server *s, const char *host, int port)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *ai = NULL;
    int rc = getaddrinfo(host, service, &hints, &ai);
    if (rc != 0)
        return err_new(ERR_INVALID, "The address to listen on is not valid (%s).",
                       gai_strerror(rc));
    struct err *e = listen_on(s, ai);
    freeaddrinfo(ai);
    return e;
}

static struct err *threads_start(struct http_server *s)
{
    /* Signals are for the program's own threads; SIGPIPE is nobody's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = 0;
    for (; s->running < s->n_loops && rc == 0; s->running += rc == 0) {
        struct loop *l = &s->loops[s->running];
        rc = pthread_create(&l->thread, NULL, loop_main, l);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? NULL : err_errno(rc, "pthread_create");
}

static void server_free(struct http_server *s)
{
    for (int i = 0; i < s->n_loops; i++)
        loop_clear(&s->loops[i]);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->spare_fd >= 0)
        close(s->spare_fd);
    tls_free(s);
    pthread_cond_destroy(&s->ended);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Joins the loops that were started. */
static void threads_join(struct http_server *s, int started)
{
    for (int i = 0; i < started; i++)
        pthread_join(s->loops[i].thread, NULL);
}

static void phase_set(struct http_server *s, enum server_phase phase)
{
    __atomic_store_n(&s->phase, (int)phase, __ATOMIC_RELEASE);
    for (int i = 0; i < s->n_loops; i++)
        loop_wake(&s->loops[i]);
}

static struct err *server_begin(struct http_server *s, const struct http_server_options *o)
{
    struct err *e = NULL;
    for (int i = 0; i < s->n_loops && e == NULL; i++)
        e = loop_init(&s->loops[i], s);
    if (e != NULL)
        return e;
    if (o->ca != NULL)
        TRY(tls_context(s, o));
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    TRY(listen_at(s, o->host, o->port));
    e = threads_start(s);
    if (e != NULL) {
        int started = s->running;
        phase_set(s, SERVER_FORCED);
        threads_join(s, started);
    }
    return e;
}

static int loops_wanted(int asked)
{
    long n = asked > 0 ? asked : sysconf(_SC_NPROCESSORS_ONLN);
    long most = asked > 0 ? HTTP_LOOPS_MAX : 4;
    return (int)(n < 1 ? 1 : n > most ? most : n);
}

struct err *http_server_start_with(const struct http_server_options *o,
                                   const struct http_timeouts *t, struct http_server **out)
{
    const struct http_handler *h = &o->handler;
    CHECK(o->pool != NULL && h->on_head && h->on_data && h->on_end && h->on_done);
    struct http_server *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->t = *t;
    s->pool = o->pool;
    s->handler = o->handler;
    s->listen_fd = s->spare_fd = -1;
    s->n_loops = loops_wanted(o->loops);
    for (int i = 0; i < s->n_loops; i++)
        s->loops[i].epoll = s->loops[i].wake = -1;
    int64_t least = t->head_ms < t->idle_ms ? t->head_ms : t->idle_ms;
    least = t->stall_ms < least ? t->stall_ms : least;
    least = t->linger_ms < least ? t->linger_ms : least;
    s->sweep_ms = least / 4 < 10 ? 10 : least / 4 > 1000 ? 1000 : least / 4;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->ended, &attr);
    pthread_condattr_destroy(&attr);
    struct err *e = server_begin(s, o);
    if (e != NULL) {
        server_free(s);
        return e;
    }
    *out = s;
    return NULL;
}

struct err *http_server_start(const struct http_server_options *o, struct http_server **out)
{
    return http_server_start_with(o, &http_timeouts_usual, out);
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_stop(struct http_server *s, int64_t grace_ms)
{
    if (s == NULL)
        return;
    phase_set(s, SERVER_ENDING);
    int64_t end = clock_mono_ms() + (grace_ms > 0 ? grace_ms : 0);
    struct timespec until = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (s->running > 0 && rc == 0)
        rc = pthread_cond_timedwait(&s->ended, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    phase_set(s, SERVER_FORCED);
    threads_join(s, s->n_loops);
    server_free(s);
}

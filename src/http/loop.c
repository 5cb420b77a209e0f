/* One event loop: epoll, the inbox of connections that come back from other threads, and a sweep
 * for time-outs (a few thousand connections at most, so a pass over all of them once a second costs
 * less than keeping them sorted). Loop 0 also accepts, and deals the connections out. */
#include "server_int.h"

#include "../core/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, ACCEPTS = 64 };

bool server_phase_is(const struct http_server *s, enum server_phase at_least)
{
    return __atomic_load_n(&s->phase, __ATOMIC_ACQUIRE) >= (int)at_least;
}

struct err *loop_init(struct loop *l, struct http_server *s)
{
    l->server = s;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&l->lock, NULL);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &l->wake};
    if (l->epoll < 0 || l->wake < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &ev) < 0)
        return err_errno(errno, "event loop");
    return NULL;
}

void loop_clear(struct loop *l)
{
    /* Whoever put the last connection into the inbox may still be in there. */
    pthread_mutex_lock(&l->lock);
    struct conn *c = l->inbox; /* dealt out when the loop had ended already */
    pthread_mutex_unlock(&l->lock);
    while (c != NULL) {
        struct conn *next = c->queue_next;
        conn_free(c);
        c = next;
    }
    pthread_mutex_destroy(&l->lock);
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->wake >= 0)
        close(l->wake);
}

void loop_wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake, &one, sizeof one);
    CHECK(n == sizeof one || errno == EAGAIN);
}

void loop_inbox(struct loop *l, struct conn *c)
{
    /* The eventfd never blocks; written under the lock so that loop_clear can wait for it. */
    pthread_mutex_lock(&l->lock);
    bool empty = l->inbox == NULL;
    c->queue_next = l->inbox;
    l->inbox = c;
    if (empty)
        loop_wake(l);
    pthread_mutex_unlock(&l->lock);
}

/* -- connections
 * ----------------------------------------------------------------------------------- */

static void conn_drop(struct loop *l, struct conn *c)
{
    if (c->listed) {
        /* Closing is not enough: while a child that was just forked still holds the socket (until
         * its exec), the registration would live on, and name memory that is gone. */
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, c->fd, NULL);
        if (c->next != NULL)
            c->next->prev = c->prev;
        if (c->prev != NULL)
            c->prev->next = c->next;
        else
            l->conns = c->next;
        l->n_conns--;
    }
    __atomic_fetch_sub(&l->server->connections, 1, __ATOMIC_RELAXED);
    conn_free(c);
}

static void conn_adopt(struct loop *l, struct conn *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0) {
        conn_drop(l, c);
        return;
    }
    c->listed = true;
    c->next = l->conns;
    if (l->conns != NULL)
        l->conns->prev = c;
    l->conns = c;
    l->n_conns++;
}

/* Hands a connection to the pool; if the queue is full, a request not yet begun is turned away and
 * anything else waits here. false: nothing was done, drive it again. */
static bool conn_submit(struct loop *l, struct conn *c)
{
    __atomic_fetch_or(&c->word, CONN_BUSY, __ATOMIC_ACQ_REL);
    if (pool_submit(l->server->pool, conn_job, c))
        return true;
    if (c->state == CONN_ON_HEAD) {
        __atomic_fetch_and(&c->word, ~(unsigned)CONN_BUSY, __ATOMIC_ACQ_REL);
        conn_refuse(c, 503, "Slow Down");
        return false;
    }
    c->queue_next = l->waiting;
    l->waiting = c;
    return true;
}

/* The loop owns c. */
static void conn_run(struct loop *l, struct conn *c)
{
    for (;;) {
        switch (conn_drive(c, false)) {
        case STEP_WORKER:
            if (conn_submit(l, c))
                return;
            break;
        case STEP_YIELD:
            __atomic_fetch_or(&c->word, CONN_BUSY, __ATOMIC_ACQ_REL);
            loop_inbox(l, c);
            return;
        case STEP_CLOSED:
            conn_drop(l, c);
            return;
        default:
            return;
        }
    }
}

static bool conn_ours(const struct conn *c)
{
    return (__atomic_load_n(&c->word, __ATOMIC_ACQUIRE) & CONN_BUSY) == 0;
}

static void run_waiting(struct loop *l)
{
    struct conn *c = l->waiting;
    l->waiting = NULL;
    while (c != NULL) {
        struct conn *next = c->queue_next;
        conn_submit(l, c); /* goes back into l->waiting at worst */
        c = next;
    }
}

static void run_inbox(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct conn *c = l->inbox;
    l->inbox = NULL;
    pthread_mutex_unlock(&l->lock);
    struct conn *ordered = NULL; /* first come, first served */
    while (c != NULL) {
        struct conn *next = c->queue_next;
        c->queue_next = ordered;
        ordered = c;
        c = next;
    }
    while (ordered != NULL) {
        c = ordered;
        ordered = c->queue_next;
        conn_take(c, CONN_EVENTS | CONN_ANSWERED | CONN_BUSY);
        bool late = !c->listed && server_phase_is(l->server, SERVER_ENDING);
        if (c->step == STEP_CLOSED || late)
            conn_drop(l, c);
        else if (!c->listed)
            conn_adopt(l, c);
        else
            conn_run(l, c);
    }
}

static void run_events(struct loop *l, struct conn *c, unsigned events)
{
    unsigned bits = 0;
    if (events & EPOLLIN)
        bits |= CONN_IN;
    if (events & EPOLLOUT)
        bits |= CONN_OUT;
    if (events & EPOLLRDHUP)
        bits |= CONN_HUP;
    if (events & (EPOLLERR | EPOLLHUP))
        bits |= CONN_DEAD;
    if (__atomic_fetch_or(&c->word, bits, __ATOMIC_ACQ_REL) & CONN_BUSY)
        return;
    /* CONN_ANSWERED stays: who set it is about to put c into the inbox. */
    conn_take(c, CONN_EVENTS);
    conn_run(l, c);
}

static void sweep(struct loop *l, bool all)
{
    int64_t now = clock_mono_ms();
    if (!all && now - l->swept_ms < l->server->sweep_ms)
        return;
    l->swept_ms = now;
    for (struct conn *c = l->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (!conn_ours(c))
            continue;
        enum conn_state state = c->state;
        bool dead = c->dead;
        conn_timed(c, now);
        if (all || c->state != state || c->dead != dead)
            conn_run(l, c);
    }
}

/* -- accepting ----------------------------------------------------------------------------------
 */

static void peer_text(const struct sockaddr_storage *sa, char out[48])
{
    const void *addr = &((const struct sockaddr_in *)sa)->sin_addr;
    if (sa->ss_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)sa)->sin6_addr;
        addr = six;
        if (IN6_IS_ADDR_V4MAPPED(six)) {
            inet_ntop(AF_INET, &six->s6_addr[12], out, 48);
            return;
        }
    }
    inet_ntop(sa->ss_family, addr, out, 48);
}

static void conn_new(struct http_server *s, int fd, const struct sockaddr_storage *sa)
{
    if (__atomic_add_fetch(&s->connections, 1, __ATOMIC_RELAXED) > s->t.connections_max) {
        __atomic_fetch_sub(&s->connections, 1, __ATOMIC_RELAXED);
        close(fd);
        return;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->loop = &s->loops[s->next_loop++ % (unsigned)s->n_loops];
    c->fd = fd;
    c->state = s->tls != NULL ? CONN_HANDSHAKE : CONN_HEAD;
    c->since_ms = clock_mono_ms();
    c->step = STEP_BLOCKED;
    peer_text(sa, c->peer);
    struct err *e = s->tls != NULL ? sock_tls(c) : NULL;
    if (e != NULL) {
        err_free(e);
        conn_drop(c->loop, c);
        return;
    }
    if (c->loop == &s->loops[0]) {
        conn_adopt(c->loop, c);
        return;
    }
    c->word = CONN_BUSY;
    loop_inbox(c->loop, c);
}

/* Without a descriptor left the next client would wait in the queue and wake the loop for ever:
 * the spare one is used to take it and turn it away. */
static void accept_spare(struct http_server *s)
{
    close(s->spare_fd);
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_some(struct http_server *s)
{
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage sa = {0};
        socklen_t n = sizeof sa;
        int fd = accept4(s->listen_fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            conn_new(s, fd, &sa);
        else if (errno == EMFILE || errno == ENFILE)
            accept_spare(s);
        else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* -- the loop
 * --------------------------------------------------------------------------------------- */

static int wait_ms(const struct loop *l)
{
    if (l->waiting != NULL)
        return HTTP_RETRY_MS;
    return l->n_conns > 0 ? (int)l->server->sweep_ms : -1;
}

/* Idle connections end at once; all others when their exchange does, or are cut. */
static void phase_changed(struct loop *l)
{
    struct http_server *s = l->server;
    if (l == &s->loops[0] && s->listen_fd >= 0) {
        close(s->listen_fd);
        s->listen_fd = -1;
    }
    sweep(l, true);
}

static void run_once(struct loop *l, int *phase)
{
    struct http_server *s = l->server;
    struct epoll_event events[EVENTS];
    int n = epoll_wait(l->epoll, events, EVENTS, wait_ms(l));
    bool woken = false;
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        if (what == &l->wake)
            woken = true;
        else if (what == &s->listen_fd)
            accept_some(s);
        else
            run_events(l, what, events[i].events);
    }
    if (woken) {
        uint64_t count;
        (void)!read(l->wake, &count, sizeof count);
    }
    /* After the events: what follows may free connections that they point to. */
    run_inbox(l);
    run_waiting(l);
    if (__atomic_load_n(&s->phase, __ATOMIC_ACQUIRE) != *phase) {
        *phase = __atomic_load_n(&s->phase, __ATOMIC_ACQUIRE);
        phase_changed(l);
    }
    sweep(l, false);
}

void *loop_main(void *arg)
{
    struct loop *l = arg;
    struct http_server *s = l->server;
    int phase = SERVER_RUNNING;
    while (phase == SERVER_RUNNING || l->n_conns > 0)
        run_once(l, &phase);
    pthread_mutex_lock(&s->lock);
    s->running--;
    pthread_cond_signal(&s->ended);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Bytes between a function's connection and Ward's own listener, both ways, neither blocking. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void socket_prompt(int fd, bool quickack_alone)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    if (!quickack_alone)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* "https://127.0.0.1:4566" -> a socket that is connecting. */
static struct err *connect_to(const char *endpoint, int *out)
{
    char host[128];
    const char *p = strstr(endpoint, "://"), *port = strrchr(endpoint, ':');
    if (p == NULL || port == NULL || port <= p + 2)
        return err_new(ERR_INTERNAL, "Ward's endpoint is not set.");
    size_t n = (size_t)(port - p - 3);
    if (n == 0 || n >= sizeof host)
        return err_new(ERR_INTERNAL, "Ward's endpoint is not an address.");
    memcpy(host, p + 3, n);
    host[n] = '\0';
    char *name = host;
    if (host[0] == '[') { /* [::1] */
        host[n - 1] = '\0';
        name = host + 1;
    }
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(name, port + 1, &hints, &list) != 0)
        return err_new(ERR_IO, "Ward's endpoint is not an address.");
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && (connect(fd, list->ai_addr, list->ai_addrlen) == 0 ||
                          errno == EINPROGRESS);
    freeaddrinfo(list);
    if (!ok) {
        if (fd >= 0)
            close(fd);
        return err_new(ERR_IO, "Ward's endpoint takes no connection.");
    }
    *out = fd;
    return NULL;
}

struct err *relay_open(struct relay *r, int fd, const char *endpoint)
{
    int other;
    TRY(connect_to(endpoint, &other));
    *r = (struct relay){.fd = {fd, other}, .connecting = true};
    for (int i = 0; i < 2; i++) {
        r->bytes[i] = malloc(EXEC_RELAY_BYTES);
        CHECK(r->bytes[i] != NULL);
        socket_prompt(r->fd[i], false);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return NULL;
}

void relay_close(struct relay *r)
{
    for (int i = 0; i < 2; i++) {
        close(r->fd[i]);
        free(r->bytes[i]);
    }
    *r = (struct relay){.fd = {-1, -1}};
}

short relay_events(const struct relay *r, int side)
{
    short events = 0;
    if (!r->ended[side] && r->n[side] == 0)
        events |= POLLIN;
    if (r->n[1 - side] > 0 || (side == 1 && r->connecting))
        events |= POLLOUT;
    return events;
}

/* What came from `from` goes to the other side; an end of stream goes on as one. */
static bool push(struct relay *r, int from)
{
    int to = 1 - from;
    while (r->n[from] > 0) {
        ssize_t n = send(r->fd[to], r->bytes[from] + r->at[from], r->n[from], MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        r->at[from] += (size_t)n;
        r->n[from] -= (size_t)n;
    }
    if (r->ended[from] && !r->shut[to]) {
        shutdown(r->fd[to], SHUT_WR);
        r->shut[to] = true;
    }
    return true;
}

static bool pull(struct relay *r, int from)
{
    if (r->n[from] > 0 || r->ended[from])
        return true;
    ssize_t n = recv(r->fd[from], r->bytes[from], EXEC_RELAY_BYTES, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    socket_prompt(r->fd[from], true); /* the kernel forgets it */
    r->at[from] = 0;
    r->n[from] = (size_t)n;
    r->ended[from] = n == 0;
    return true;
}

void relay_ready(struct relay *r, int side, short events)
{
    bool ok = true;
    if (side == 1 && (events & (POLLOUT | POLLERR)) != 0)
        r->connecting = false;
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
        ok = pull(r, side) && push(r, side);
    if (ok && (events & POLLOUT) != 0)
        ok = push(r, 1 - side);
    bool over = r->ended[0] && r->ended[1] && r->n[0] == 0 && r->n[1] == 0;
    bool hung = (events & (POLLHUP | POLLERR)) != 0 && r->ended[side];
    if (!ok || over || (hung && r->n[side] == 0))
        relay_close(r);
}

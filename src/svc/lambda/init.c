/* The first process inside a sandbox. It listens where the function will call, hands accepted
 * connections up to Ward, and runs the function's bootstrap.
 *
 * What it is told (descriptor 4), strings ended by NUL: port of the Runtime API, host and port of
 * Ward's endpoint, the bootstrap's limits (address space in bytes, processes, open files, bytes of
 * a file), then its environment. It has no secret that the bootstrap has not. */
#include "exec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FD_CONTROL = 3,
    FD_SPEC = 4,
    SPEC_BYTES = 64 * 1024,
    STRINGS_MAX = LAMBDA_ENV_BYTES_MAX + 64, /* a variable has a byte at least */
    HEAD_STRINGS = 7,
    BACKLOG = 64,
    FAILED = 1,
};

static char *strings[STRINGS_MAX + 1];

static size_t read_spec(void)
{
    static char spec[SPEC_BYTES];
    size_t n = 0, count = 0;
    for (ssize_t r; n < sizeof spec - 1 && (r = read(FD_SPEC, spec + n, sizeof spec - 1 - n)) > 0;)
        n += (size_t)r;
    close(FD_SPEC);
    for (char *p = spec; p < spec + n && count < STRINGS_MAX; p += strlen(p) + 1)
        strings[count++] = p;
    strings[count] = NULL;
    return count;
}

static int listen_on(const char *host, const char *port)
{
    int64_t number = 0;
    str_to_i64(str_c(port), 1, 65535, &number);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)};
    bool six = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!six && inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return -1;
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr *at = six ? (const void *)&v6 : (const void *)&v4;
    if (fd < 0 || bind(fd, at, six ? sizeof v6 : sizeof v4) != 0 || listen(fd, BACKLOG) != 0)
        return -1;
    return fd;
}

/* One packet: what it is, a number, perhaps a descriptor. */
static void say(char what, int number, int fd)
{
    char packet[1 + sizeof number], space[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec iov = {packet, sizeof packet};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    packet[0] = what;
    memcpy(packet + 1, &number, sizeof number);
    if (fd >= 0) {
        m.msg_control = space;
        m.msg_controllen = sizeof space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    while (sendmsg(FD_CONTROL, &m, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static void limit(int what, const char *text)
{
    int64_t v;
    if (!str_to_i64(str_c(text), 0, INT64_MAX, &v))
        _exit(FAILED);
    struct rlimit r = {(rlim_t)v, (rlim_t)v};
    if (setrlimit(what, &r) != 0)
        _exit(FAILED);
}

/* The errno of the exec comes through `report`, which a success closes. */
static _Noreturn void bootstrap(int report)
{
    static char task[] = "/var/task/bootstrap", layer[] = "/opt/bootstrap";
    char *const places[] = {task, layer};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    limit(RLIMIT_AS, strings[3]);
    limit(RLIMIT_NPROC, strings[4]);
    limit(RLIMIT_NOFILE, strings[5]);
    limit(RLIMIT_FSIZE, strings[6]);
    limit(RLIMIT_CORE, "0");
    int why = ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char *const argv[] = {places[i], NULL};
        execve(places[i], argv, strings + HEAD_STRINGS);
        if (errno != ENOENT)
            why = errno;
    }
    ssize_t n = write(report, &why, sizeof why);
    (void)n;
    _exit(127);
}

static bool start_bootstrap(pid_t *out)
{
    int report[2], why = 0;
    if (pipe2(report, O_CLOEXEC) != 0)
        return false;
    *out = fork();
    if (*out == 0) {
        close(FD_CONTROL);
        bootstrap(report[1]);
    }
    close(report[1]);
    bool failed = *out < 0 || read(report[0], &why, sizeof why) > 0;
    close(report[0]);
    if (failed)
        say(SAY_NO_EXEC, why, -1);
    return !failed;
}

static void hand_up(int listener, char what)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    say(what, 0, fd);
    close(fd);
}

int lambda_init_main(int argc UNUSED, char **argv UNUSED)
{
    prctl(PR_SET_DUMPABLE, 0); /* its descriptors are not the function's */
    if (read_spec() < HEAD_STRINGS)
        return FAILED;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fcntl(FD_CONTROL, F_SETFD, FD_CLOEXEC);
    struct pollfd p[4] = {{.fd = listen_on("127.0.0.1", strings[0]), .events = POLLIN},
                          {.fd = listen_on(strings[1], strings[2]), .events = POLLIN},
                          {.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN},
                          {.fd = FD_CONTROL}};
    pid_t pid;
    if (p[0].fd < 0 || p[1].fd < 0 || p[2].fd < 0)
        return FAILED;
    say(SAY_READY, 0, -1);
    if (!start_bootstrap(&pid))
        return FAILED;
    for (;;) {
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return FAILED;
        if ((p[0].revents & POLLIN) != 0)
            hand_up(p[0].fd, SAY_RUNTIME);
        if ((p[1].revents & POLLIN) != 0)
            hand_up(p[1].fd, SAY_AWS);
        if ((p[3].revents & (POLLHUP | POLLERR)) != 0)
            _exit(FAILED);
        struct signalfd_siginfo info;
        int status;
        if ((p[2].revents & POLLIN) != 0 && read(p[2].fd, &info, sizeof info) > 0 &&
            waitpid(pid, &status, WNOHANG) == pid) {
            say(SAY_EXIT, status, -1);
            _exit(0);
        }
    }
}

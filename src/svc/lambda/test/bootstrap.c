/* The function of the tests: speaks the Runtime API with plain sockets and does what its event
 * says, also what a hostile one would try. An event is {"do":"WHAT","arg":"…","n":N}; the answer
 * is JSON. Built by the tests: cc -static -o bootstrap bootstrap.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { BUF = 8 * 1024 * 1024 };
static char in[BUF], out[BUF];
static int api = -1;
static int leaving; /* when the answer is given */
static const char next[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: r\r\n\r\n";

static int dial(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static void send_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(api, p, n);
        if (k <= 0)
            exit(3);
        p += k;
        n -= (size_t)k;
    }
}

/* Head into `in`, body behind it; gives the body. */
static char *receive(void)
{
    size_t n = 0;
    char *end = NULL;
    while (end == NULL) {
        ssize_t k = read(api, in + n, BUF - 1 - n);
        if (k <= 0)
            exit(4);
        n += (size_t)k;
        in[n] = '\0';
        end = strstr(in, "\r\n\r\n");
    }
    char *length = strcasestr(in, "content-length:");
    size_t want = length == NULL ? 0 : strtoul(length + 15, NULL, 10);
    *end = '\0';
    char *body = end + 4;
    while ((size_t)(in + n - body) < want) {
        ssize_t k = read(api, in + n, BUF - 1 - n);
        if (k <= 0)
            exit(5);
        n += (size_t)k;
    }
    body[want] = '\0';
    return body;
}

static void text_of(const char *json, const char *key, char *to, size_t max)
{
    char want[64];
    snprintf(want, sizeof want, "\"%s\":", key);
    const char *p = strstr(json, want);
    size_t n = 0;
    to[0] = '\0';
    if (p == NULL)
        return;
    p += strlen(want);
    while (*p == ' ')
        p++;
    if (*p == '"')
        for (p++; *p != '\0' && *p != '"' && n < max - 1; p++)
            to[n++] = *p;
    else
        while (*p != '\0' && *p != ',' && *p != '}' && n < max - 1)
            to[n++] = *p++;
    to[n] = '\0';
}

static void say(long value, int error)
{
    sprintf(out, "{\"value\":%ld,\"errno\":\"%s\"}", value,
            error == 0 ? "" : strerrorname_np(error));
}

static void try_memory(long mb)
{
    long got = 0;
    for (; got < mb; got++) {
        char *p = malloc(1024 * 1024);
        if (p == NULL)
            break;
        memset(p, 1, 1024 * 1024);
    }
    say(got, got < mb ? ENOMEM : 0);
}

static void try_forks(long most)
{
    static pid_t pids[10000];
    long n = 0;
    int e = 0;
    while (n < most && n < 10000) {
        pid_t p = fork();
        if (p == 0) {
            pause();
            _exit(0);
        }
        if (p < 0) {
            e = errno;
            break;
        }
        pids[n++] = p;
    }
    for (long i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    say(n, e);
}

static void try_write(const char *path, long bytes)
{
    static char block[65536];
    long n = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int e = fd < 0 ? errno : 0;
    while (fd >= 0 && n < bytes) {
        ssize_t k = write(fd, block, sizeof block);
        if (k <= 0) {
            e = errno;
            break;
        }
        n += k;
    }
    say(n, e);
}

static void try_calls(void)
{
    char *p = out;
    struct {
        const char *name;
        long rc;
        int e;
    } r[] = {{"mount", 0, 0}, {"unshare", 0, 0}, {"ptrace", 0, 0}, {"bpf", 0, 0},
             {"keyctl", 0, 0}, {"perf", 0, 0}, {"userfaultfd", 0, 0}, {"io_uring", 0, 0},
             {"packet", 0, 0}, {"clone_newuser", 0, 0}, {"kexec", 0, 0}, {"tipc_pair", 0, 0},
             {"pidfd_getfd", 0, 0}, {"of_tomorrow", 0, 0}, {"x32", 0, 0}};
    int pair[2];
    size_t i = 0;
#define TRY_CALL(call)                                                                             \
    do {                                                                                           \
        errno = 0;                                                                                 \
        r[i].rc = (call);                                                                          \
        r[i++].e = errno;                                                                          \
    } while (0)
    TRY_CALL(mount("none", "/tmp", "tmpfs", 0, NULL));
    TRY_CALL(unshare(CLONE_NEWUSER));
    TRY_CALL(ptrace(PTRACE_TRACEME, 0, 0, 0));
    TRY_CALL(syscall(SYS_bpf, 0, NULL, 0));
    TRY_CALL(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    TRY_CALL(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    TRY_CALL(syscall(SYS_userfaultfd, 0));
    TRY_CALL(syscall(SYS_io_uring_setup, 1, NULL));
    TRY_CALL(socket(AF_PACKET, SOCK_RAW, 0));
    TRY_CALL(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    TRY_CALL(syscall(SYS_kexec_load, 0, 0, NULL, 0));
    TRY_CALL(socketpair(AF_TIPC, SOCK_SEQPACKET, 0, pair));
    TRY_CALL(syscall(SYS_pidfd_getfd, 0, 0, 0));
    TRY_CALL(syscall(467, -1, "/", 0, NULL, 0)); /* open_tree_attr, of Linux 6.15 */
    TRY_CALL(syscall(0x40000000L + SYS_getpid));
    p += sprintf(p, "{");
    for (size_t k = 0; k < i; k++)
        p += sprintf(p, "%s\"%s\":\"%s\"", k > 0 ? "," : "", r[k].name,
                     r[k].rc >= 0 ? "ALLOWED" : strerrorname_np(r[k].e));
    sprintf(p, "}");
}

static void list_env(void)
{
    char *p = out;
    p += sprintf(p, "{");
    for (char **e = environ; *e != NULL; e++) {
        char *eq = strchr(*e, '=');
        p += sprintf(p, "%s\"%.*s\":\"%s\"", e == environ ? "" : ",", (int)(eq - *e), *e, eq + 1);
    }
    sprintf(p, "}");
}

static void list_dir(const char *path)
{
    char *p = out;
    DIR *d = opendir(path);
    int first = 1;
    p += sprintf(p, "[");
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') {
            p += sprintf(p, "%s\"%s\"", first ? "" : ",", e->d_name);
            first = 0;
        }
    sprintf(p, "]");
    if (d != NULL)
        closedir(d);
}

static void run_command(const char *command)
{
    FILE *f = popen(command, "r");
    size_t n = f == NULL ? 0 : fread(out + 1, 1, 65536, f);
    out[0] = '"';
    for (size_t i = 1; i <= n; i++)
        if (out[i] == '"' || out[i] == '\\' || (unsigned char)out[i] < 32)
            out[i] = ' ';
    out[n + 1] = '"';
    out[n + 2] = '\0';
    if (f != NULL)
        pclose(f);
}

/* What the event asks for; the answer in `out`. 1: report an error instead. */
static int work(char *event)
{
    static int calls;
    char what[64], arg[4096], number[32];
    text_of(event, "do", what, sizeof what);
    text_of(event, "arg", arg, sizeof arg);
    text_of(event, "n", number, sizeof number);
    long n = strtol(number, NULL, 10);
    calls++;
    out[0] = '\0';
    if (strcmp(what, "calls") == 0)
        say(calls, 0);
    else if (strcmp(what, "env") == 0)
        list_env();
    else if (strcmp(what, "list") == 0)
        list_dir(arg);
    else if (strcmp(what, "run") == 0)
        run_command(arg);
    else if (strcmp(what, "open") == 0) {
        errno = 0;
        int fd = open(arg, O_RDONLY);
        say(fd, errno);
    } else if (strcmp(what, "write") == 0)
        try_write(arg, n);
    else if (strcmp(what, "connect") == 0) {
        errno = 0;
        int fd = dial(arg, (int)n);
        say(fd >= 0, errno);
        close(fd);
    } else if (strcmp(what, "memory") == 0)
        try_memory(n);
    else if (strcmp(what, "fork") == 0)
        try_forks(n);
    else if (strcmp(what, "syscalls") == 0)
        try_calls();
    else if (strcmp(what, "sleep") == 0) {
        usleep((unsigned)n * 1000);
        say(n, 0);
    } else if (strcmp(what, "outlive") == 0) {
        if (fork() == 0) {
            setsid();
            execl("/bin/sleep", "sleep", arg, (char *)NULL);
            _exit(1);
        }
        pause();
    } else if (strcmp(what, "flood") == 0) {
        for (size_t i = 0; i < 65536; i++)
            out[i] = i % 2 == 0 ? 'y' : '\n';
        for (int i = 0; i < 4 && fork() != 0; i++)
            ;
        for (;;)
            if (write(1, out, 65536) < 0)
                exit(8);
    } else if (strcmp(what, "abandon") == 0) {
        /* As a client does whose time-out for next has passed; the answer goes by a new line. */
        send_all(next, strlen(next));
        close(api);
        api = dial("127.0.0.1", 9001);
        say(0, 0);
    } else if (strcmp(what, "bye") == 0) {
        leaving = 1;
        say(0, 0);
    } else if (strcmp(what, "killall") == 0) {
        kill(-1, SIGKILL);
        pause();
    } else if (strcmp(what, "print") == 0) {
        for (long i = 0; i < (n > 0 ? n : 1); i++)
            printf("%s\n", arg);
        fflush(stdout);
        say(0, 0);
    } else if (strcmp(what, "exit") == 0)
        exit((int)n);
    else if (strcmp(what, "abort") == 0)
        abort();
    else if (strcmp(what, "big") == 0) {
        memset(out, 'x', (size_t)n);
        out[0] = out[n - 1] = '"';
        out[n] = '\0';
    } else if (strcmp(what, "error") == 0) {
        strcpy(out, "{\"errorType\":\"Oops\",\"errorMessage\":\"as asked\"}");
        return 1;
    } else
        strcpy(out, event);
    return 0;
}

int main(void)
{
    static char event[BUF], id[64];
    if (getenv("FAIL_INIT") != NULL)
        exit(7);
    if (getenv("SLOW_INIT") != NULL)
        usleep((unsigned)atoi(getenv("SLOW_INIT")) * 1000);
    puts("bootstrap began");
    fflush(stdout);
    api = dial("127.0.0.1", 9001);
    if (api < 0)
        exit(2);
    for (;;) {
        char head[512];
        send_all(next, strlen(next));
        char *body = receive();
        char *found = strcasestr(in, "Lambda-Runtime-Aws-Request-Id: ");
        if (found == NULL)
            exit(6);
        sscanf(found + 31, "%63[0-9a-f-]", id);
        strcpy(event, body);
        int failed = work(event);
        int n = snprintf(head, sizeof head,
                         "POST /2018-06-01/runtime/invocation/%s/%s HTTP/1.1\r\nHost: r\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         id, failed ? "error" : "response", strlen(out));
        send_all(head, (size_t)n);
        send_all(out, strlen(out));
        receive();
        if (leaving)
            exit(0);
    }
}

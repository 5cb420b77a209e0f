/* A credential_process: a program of the user's that prints keys.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 * What it prints as an error goes to the terminal and is not looked at, as it may hold anything. */
#include "aws_int.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 100 }; /* how often it is seen whether the scan ended meanwhile */

extern char **environ;

/* The words of a command: blanks part them, '…' and "…" hold them together, a backslash stands for
 * what follows it (in "…" only before '"' and a backslash). No shell sees it. */
static struct err *words_of(struct arena *a, struct str s, char **out, size_t *out_n)
{
    size_t n = 0, i = 0;
    while (i < s.n) {
        if (s.p[i] == ' ' || s.p[i] == '\t') {
            i++;
            continue;
        }
        if (n == AWS_PROCESS_WORDS_MAX)
            return err_new(ERR_INVALID, "credential_process has more than %d words.",
                           AWS_PROCESS_WORDS_MAX);
        char *word = arena_alloc(a, s.n - i + 1), quote = '\0';
        size_t k = 0;
        for (; i < s.n && (quote != '\0' || (s.p[i] != ' ' && s.p[i] != '\t')); i++) {
            char c = s.p[i];
            bool more = i + 1 < s.n;
            if (quote == '\0' && (c == '"' || c == '\''))
                quote = c;
            else if (quote != '\0' && c == quote)
                quote = '\0';
            else if (c == '\\' && more && (quote == '\0' ||
                                           (quote == '"' && strchr("\"\\", s.p[i + 1]) != NULL)))
                word[k++] = s.p[++i];
            else
                word[k++] = c;
        }
        if (quote != '\0')
            return err_new(ERR_INVALID, "A quote in credential_process does not end.");
        out[n++] = word;
    }
    out[n] = NULL;
    *out_n = n;
    return NULL;
}

static struct err *start(char **words, int fd, pid_t *out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    CHECK(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&attr) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&files, fd, STDOUT_FILENO) == 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawnp(out, words[0], &files, &attr, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return rc == 0 ? NULL : err_new(ERR_DENIED, "credential_process could not be started: %s.",
                                    strerror(rc));
}

static struct err *too_long(void)
{
    return err_new(ERR_TIMEOUT, "credential_process took longer than %d seconds.",
                   AWS_PROCESS_TIMEOUT_MS / 1000);
}

/* Up to the end of what it prints, the limit, or the time-out. */
static struct err *take_output(struct aws *w, int fd, char *p, size_t *out_n)
{
    int64_t end = clock_mono_ms() + AWS_PROCESS_TIMEOUT_MS;
    for (size_t n = 0;;) {
        struct pollfd f = {.fd = fd, .events = POLLIN};
        if (!aws_wait(w, 0) || clock_mono_ms() >= end)
            return too_long();
        if (poll(&f, 1, LOOK_MS) <= 0)
            continue;
        ssize_t got = read(fd, p + n, AWS_PROCESS_BYTES_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(errno, "read");
        n += (size_t)got;
        *out_n = n;
        if (n > AWS_PROCESS_BYTES_MAX)
            return err_new(ERR_LIMIT, "credential_process printed more than 64 KiB.");
        if (got == 0)
            return NULL;
    }
}

/* It closed its output: what it ends with is there soon, but it has the same time for it. */
static struct err *await(struct aws *w, pid_t pid, bool failed)
{
    int64_t end = clock_mono_ms() + (failed ? 0 : AWS_PROCESS_TIMEOUT_MS);
    int status = 0;
    pid_t done = 0;
    while (!failed && done == 0) {
        done = waitpid(pid, &status, WNOHANG);
        if (done != 0 || clock_mono_ms() >= end || !aws_wait(w, LOOK_MS))
            break;
    }
    if (done == 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        return failed ? NULL : too_long();
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (WIFEXITED(status))
        return err_new(ERR_DENIED, "credential_process failed (exit code %d).",
                       WEXITSTATUS(status));
    return err_new(ERR_DENIED, "credential_process was ended by signal %d.", WTERMSIG(status));
}

struct err *aws_process_run(struct aws *w, struct arena *a, struct str command, struct str *out)
{
    char *words[AWS_PROCESS_WORDS_MAX + 1];
    size_t n = 0;
    int ends[2];
    pid_t pid;
    TRY(words_of(a, command, words, &n));
    if (n == 0)
        return err_new(ERR_INVALID, "credential_process is empty.");
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "pipe2");
    struct err *e = start(words, ends[1], &pid);
    close(ends[1]);
    if (e == NULL) {
        char *p = arena_alloc(a, AWS_PROCESS_BYTES_MAX + 1);
        size_t got = 0;
        e = take_output(w, ends[0], p, &got);
        struct err *end = await(w, pid, e != NULL);
        e = e != NULL ? e : end;
        *out = str_of(p, got);
        if (e != NULL)
            secret_wipe(p, got);
    }
    close(ends[0]);
    return e;
}

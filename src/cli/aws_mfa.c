/* The code of an MFA device, asked for on the terminal, as the aws command line does.
 * https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html#cli-configure-role-mfa
 * The terminal stays as it is: a code is of use once, so that it may be seen, and nothing has to be
 * set right again when the program is ended meanwhile. */
#include "aws_int.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { LOOK_MS = 100, /* how often it is seen whether the scan ended meanwhile */
       LINE_BYTES = 4096, /* the most that a terminal gives as a line: nothing of it is left over */
       NAME_SHOWN = 256 };

static void close_fd(const int *fd)
{
    close(*fd);
}

/* Over a line that shows progress, whose rest is cleared. */
static struct err *prompt(struct arena *a, int fd, struct str serial)
{
    char *name = arena_cstr(a, str_take(serial, NAME_SHOWN));
    for (size_t i = 0; name[i] != '\0'; i++)
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '?';
    struct str s = arena_fmt(a, "\rMFA code for %s: \x1b[K", name);
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno != EINTR)
            return err_errno(errno, "The terminal");
        s = str_skip(s, n < 0 ? 0 : (size_t)n);
    }
    return NULL;
}

static struct err *take_line(struct aws *w, int fd, char *line, size_t *out_n)
{
    int64_t end = clock_mono_ms() + AWS_MFA_TIMEOUT_MS;
    for (;;) {
        struct pollfd f = {.fd = fd, .events = POLLIN};
        if (!aws_wait(w, 0) || clock_mono_ms() >= end)
            return err_new(ERR_TIMEOUT, "No MFA code was typed within %d minutes.",
                           AWS_MFA_TIMEOUT_MS / 60000);
        if (poll(&f, 1, LOOK_MS) <= 0)
            continue;
        ssize_t n = read(fd, line, LINE_BYTES);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        *out_n = n < 0 ? 0 : (size_t)n;
        return NULL;
    }
}

static struct err *code_of(struct arena *a, struct str line, struct str *out)
{
    struct str s = str_trim(line);
    if (s.n == 0)
        return err_new(ERR_DENIED, "No MFA code was typed.");
    bool good = s.n >= AWS_MFA_CODE_MIN && s.n <= AWS_MFA_CODE_MAX;
    for (size_t i = 0; i < s.n && good; i++)
        good = s.p[i] > ' ' && s.p[i] <= '~';
    if (!good)
        return err_new(ERR_INVALID, "What was typed is not an MFA code: it has %d characters, or "
                       "up to %d, and no blanks.", AWS_MFA_CODE_MIN, AWS_MFA_CODE_MAX);
    *out = arena_str(a, s);
    return NULL;
}

struct err *aws_mfa_ask(struct aws *w, struct arena *a, const struct aws_link *l,
                        struct str *out_code)
{
    int fd CLEANUP(close_fd) = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return err_new(ERR_DENIED, "It needs an MFA code (mfa_serial), and there is no terminal to "
                       "ask on. Export credentials where there is one: eval \"$(aws configure "
                       "export-credentials --profile %.60s --format env)\"", l->profile);
    char line[LINE_BYTES];
    size_t n = 0;
    /* Progress that others show would hide the question. */
    flockfile(stderr);
    struct err *e = prompt(a, fd, l->mfa_serial);
    if (e == NULL)
        e = take_line(w, fd, line, &n);
    funlockfile(stderr);
    if (e == NULL)
        e = code_of(a, str_of(line, n), out_code);
    secret_wipe(line, n);
    return e;
}

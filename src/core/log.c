#include "log.h"
#include "clock.h"

#include <stdatomic.h>
#include <unistd.h>

static atomic_int least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
    atomic_store(&least_level, (int)least);
}

/* Control characters, those of Unicode's second block (U+0080 to U+009F, in UTF-8) included: they
 * could forge lines or steer the operator's terminal. */
static void clean(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i], next = i + 1 < n ? (unsigned char)p[i + 1] : 0;
        if (c < 0x20 || c == 0x7f)
            p[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            p[i] = p[i + 1] = '?';
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info ", "warn ", "error"};
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    char line[2048], when[TIME_TEXT_MAX];
    time_iso8601_ms(clock_now_ms(), when);
    int head = snprintf(line, sizeof line, "%s %s ", when, names[level]);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line + head, sizeof line - (size_t)head - 1, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? (size_t)head : (size_t)head + (size_t)n;
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    clean(line + head, len - (size_t)head);
    line[len++] = '\n';
    /* One write for each line: lines of several threads do not mix. A log that cannot be written
     * must not stop the service. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}

void log_err(enum log_level level, const char *what, struct err *e)
{
    if (e == NULL)
        return;
    log_line(level, "%s: %s%s%s%s", what, e->message, e->detail[0] ? " [" : "", e->detail,
             e->detail[0] ? "]" : "");
    err_free(e);
}

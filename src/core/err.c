#include "err.h"

#include <errno.h>
#include <stdarg.h>

/* Handed out when there is no memory for a real one, so that err_new never fails. */
static struct err out_of_memory = {
    .kind = ERR_FULL,
    .status = 503,
    .code = "ServiceUnavailable",
    .message = "Ward is out of memory; try again later.",
};

static struct err *alloc(enum err_kind kind, int status, const char *code, const char *fmt,
                         va_list ap)
{
    struct err *e = calloc(1, sizeof *e);
    if (e == NULL)
        return &out_of_memory;
    e->kind = kind;
    e->status = status;
    e->code = code;
    vsnprintf(e->message, sizeof e->message, fmt, ap);
    return e;
}

struct err *err_new(enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct err *e = alloc(kind, 0, NULL, fmt, ap);
    va_end(ap);
    return e;
}

static enum err_kind kind_of_status(int status)
{
    switch (status) {
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 408:
        return ERR_TIMEOUT;
    case 409:
        return ERR_EXISTS;
    case 501:
        return ERR_UNSUPPORTED;
    case 503:
        return ERR_FULL;
    default:
        return status >= 500 ? ERR_INTERNAL : ERR_INVALID;
    }
}

struct err *err_aws(int status, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct err *e = alloc(kind_of_status(status), status, code, fmt, ap);
    va_end(ap);
    return e;
}

struct err *err_detail(struct err *e, const char *fmt, ...)
{
    if (e == &out_of_memory)
        return e;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->detail, sizeof e->detail, fmt, ap);
    va_end(ap);
    return e;
}

struct err *err_errno(int errnum, const char *what)
{
    bool full = errnum == ENOSPC || errnum == EDQUOT || errnum == ENOMEM || errnum == EMFILE ||
                errnum == ENFILE;
    char text[128] = "";
    const char *words = strerror_r(errnum, text, sizeof text); /* the GNU form */
    struct err *e = full ? err_new(ERR_FULL, "Ward has no room left (%s).", words)
                         : err_new(ERR_IO, "An internal step failed (%s).", words);
    return err_detail(e, "%s: %s", what, words);
}

void err_free(struct err *e)
{
    if (e != &out_of_memory)
        free(e);
}

int err_http_status(const struct err *e)
{
    if (e->status != 0)
        return e->status;
    switch (e->kind) {
    case ERR_INVALID:
    case ERR_LIMIT:
        return 400;
    case ERR_DENIED:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_TIMEOUT:
        return 408;
    case ERR_EXISTS:
    case ERR_CONFLICT:
        return 409;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_FULL:
        return 503;
    default:
        return 500;
    }
}

bool err_is(const struct err *e, enum err_kind kind)
{
    return e != NULL && e->kind == kind;
}

bool err_has_code(const struct err *e, const char *code)
{
    return e != NULL && e->code != NULL && strcmp(e->code, code) == 0;
}

_Noreturn void check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "ward: %s:%d: cannot happen: %s\n", file, line, cond);
    abort();
}

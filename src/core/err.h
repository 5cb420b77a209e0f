/* err.h: how a function says that it failed.
 *
 * A fallible function returns `struct err *`: NULL is success. The result must be looked at: pass
 * it up with TRY(), handle it, or drop it knowingly with err_free(). An error is owned by whoever
 * holds the pointer. Outputs (named out_…) are untouched on failure. Libraries return errors and
 * never log; the pipeline logs once.
 *
 * `message` is text for a client: it says what is wrong and what to do, and never carries a
 * customer's data or Ward's internals. `detail` is for the operator's log alone.
 *
 *     struct err *thing_open(struct str name, struct thing **out_thing)
 *     {
 *         if (name.n == 0)
 *             return err_new(ERR_INVALID, "The name is empty; give one.");
 *         TRY(other_step(name));
 *         ...
 *     }
 *
 * Thread rule: an error belongs to one thread at a time. */
#ifndef WARD_CORE_ERR_H
#define WARD_CORE_ERR_H

#include "banned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define UNUSED __attribute__((unused))

enum err_kind {
    ERR_INVALID = 1, /* the caller's input is wrong                       400 */
    ERR_NOT_FOUND,   /* what was named does not exist                     404 */
    ERR_EXISTS,      /* what was to be made is there already              409 */
    ERR_CONFLICT,    /* lost a race; the transaction may be run again     409 */
    ERR_DENIED,      /* not allowed                                       403 */
    ERR_LIMIT,       /* a limit of size, depth, count or rate was passed  400 */
    ERR_TIMEOUT,     /* it took too long                                  408 */
    ERR_UNSUPPORTED, /* not built: NotImplemented                         501 */
    ERR_FULL,        /* no space, memory or descriptors left              503 */
    ERR_IO,          /* a disk or a peer failed                           500 */
    ERR_CORRUPT,     /* stored data failed its check                      500 */
    ERR_INTERNAL,    /* a fault of ours                                   500 */
};

enum { ERR_MESSAGE_MAX = 640, ERR_DETAIL_MAX = 256 };

struct err {
    enum err_kind kind;
    int status;       /* HTTP status; 0 means: from the kind */
    const char *code; /* AWS error code, static storage; NULL means: from the kind */
    char message[ERR_MESSAGE_MAX];
    char detail[ERR_DETAIL_MAX];
};

/* A new error of `kind` with a message for the client. Never returns NULL. */
struct err *err_new(enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* A new error that carries an AWS error code and HTTP status. `code` must be static storage. */
struct err *err_aws(int status, const char *code, const char *fmt, ...) PRINTF_LIKE(3, 4)
    MUST_CHECK;

/* Adds log-only detail and returns the same error. */
struct err *err_detail(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ERR_IO (or ERR_FULL, for ENOSPC, EDQUOT, ENOMEM, EMFILE) from errno; `what` names the step. */
struct err *err_errno(int errnum, const char *what) MUST_CHECK;

void err_free(struct err *e); /* NULL is fine */

int err_http_status(const struct err *e);
bool err_is(const struct err *e, enum err_kind kind); /* false for NULL */
bool err_has_code(const struct err *e, const char *code);

#define TRY(call)                                                                                  \
    do {                                                                                           \
        struct err *try_err_ = (call);                                                             \
        if (try_err_ != NULL)                                                                      \
            return try_err_;                                                                       \
    } while (0)

/* Assertion of what we control; kept in release builds. A false one ends the process. */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            check_failed(#cond, __FILE__, __LINE__);                                               \
    } while (0)
_Noreturn void check_failed(const char *cond, const char *file, int line);

/* Runs fn(&var) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif

/* log.h: the operator's log, one line a message on standard error.
 *
 *     2026-11-22T02:50:00.123Z info  listening on 127.0.0.1:4566
 *
 * Only programs and the pipeline log; libraries return errors. Nothing of a customer goes in: no
 * names of objects, no bodies, no keys, no messages. Control characters in arguments are replaced.
 * Thread rule: safe from any thread. */
#ifndef WARD_CORE_LOG_H
#define WARD_CORE_LOG_H

#include "err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level least);
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* Logs what failed, with the error's message and detail, and frees it. NULL logs nothing. */
void log_err(enum log_level level, const char *what, struct err *e);

#endif

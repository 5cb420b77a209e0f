/* lambda.h: a Lambda function in C: the loop around the Runtime API.
 *
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html (version 2018-06-01). Nothing here
 * knows who runs it: the same executable, named `bootstrap`, works on AWS (provided.al2023) and on
 * anything else that offers this API at AWS_LAMBDA_RUNTIME_API.
 *
 *     static struct err *greet(void *ctx, const struct lambda_event *event, struct buf *out_result)
 *     {
 *         buf_c(out_result, "{\"hello\":true}");
 *         return NULL;
 *     }
 *     int main(void)
 *     {
 *         return lambda_run(NULL, greet, NULL);
 *     }
 *
 * The handler is called for one event after the other, never for two at a time. The error that it
 * returns is reported as the function's error (and freed): errorMessage is err->message, errorType
 * is err->code, or a name for err->kind ("InvalidInput", "NotFound", …). The message is seen by the
 * caller and stands in the logs, so it carries no customer's data.
 *
 * Thread rule: one loop in a process, on one thread. */
#ifndef WARD_RT_LAMBDA_H
#define WARD_RT_LAMBDA_H

#include "core/buf.h"

enum {
    LAMBDA_EVENT_MAX = 7 * 1024 * 1024, /* Lambda's own limit is 6 MB */
    LAMBDA_RESULT_MAX = 6 * 1024 * 1024 + 1024,
    LAMBDA_ID_MAX = 128,
    LAMBDA_ARN_MAX = 256,
    LAMBDA_TRACE_MAX = 512,
};

struct lambda_event {
    struct str payload; /* JSON; valid during the call */
    char request_id[LAMBDA_ID_MAX];
    char function_arn[LAMBDA_ARN_MAX];
    /* Also in _X_AMZN_TRACE_ID during the call; "": none, or longer than this. */
    char trace_id[LAMBDA_TRACE_MAX];
    int64_t deadline_ms;             /* wall clock; when Lambda ends the function */
};

/* The result is JSON, at most LAMBDA_RESULT_MAX bytes; nothing written means null. */
typedef struct err *lambda_handler(void *ctx, const struct lambda_event *event,
                                   struct buf *out_result);

/* Runs `init` once (NULL: nothing to do), reports its error to the Runtime API if it has one, and
 * then serves events. Returns only when it cannot go on: the exit status for main(). */
int lambda_run(struct err *(*init)(void *ctx), lambda_handler *handler, void *ctx);

/* What is left of the invocation's time, at least 0. */
int64_t lambda_remaining_ms(const struct lambda_event *event);

/* Appends {"errorMessage":…,"errorType":…,"stackTrace":[]}. */
void lambda_error_json(const struct err *e, struct buf *out);
const char *lambda_error_type(const struct err *e);

#endif

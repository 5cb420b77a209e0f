#include "lambda.h"

#include "core/clock.h"
#include "http.h"
#include "jtext.h"

enum {
    POST_ATTEMPTS = 3,
    POST_TIMEOUT_MS = 30000,
    TARGET_MAX = 256,
    ERROR_MAX = 8 * 1024,
    ANSWER_MAX = 64 * 1024,
    EXIT_FAULT = 1,
};

#define API_ROOT "/2018-06-01/runtime"

struct loop {
    struct http_client *http;
    struct http_base api;
};

const char *lambda_error_type(const struct err *e)
{
    if (e->code != NULL)
        return e->code;
    switch (e->kind) {
    case ERR_INVALID:
        return "InvalidInput";
    case ERR_NOT_FOUND:
        return "NotFound";
    case ERR_EXISTS:
    case ERR_CONFLICT:
        return "Conflict";
    case ERR_DENIED:
        return "AccessDenied";
    case ERR_LIMIT:
        return "LimitExceeded";
    case ERR_TIMEOUT:
        return "Timeout";
    case ERR_UNSUPPORTED:
        return "NotSupported";
    case ERR_FULL:
        return "OutOfResources";
    case ERR_IO:
        return "ServiceFailure";
    case ERR_CORRUPT:
        return "CorruptData";
    default:
        return "InternalError";
    }
}

void lambda_error_json(const struct err *e, struct buf *out)
{
    buf_c(out, "{\"errorMessage\":");
    jtext_quote(out, str_c(e->message));
    buf_c(out, ",\"errorType\":");
    jtext_quote(out, str_c(lambda_error_type(e)));
    buf_c(out, ",\"stackTrace\":[]}");
}

int64_t lambda_remaining_ms(const struct lambda_event *event)
{
    int64_t left = event->deadline_ms - clock_now_ms();
    return left > 0 ? left : 0;
}

static void say(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s: %s\n", what, lambda_error_type(e), e->message);
}

static struct err *post_once(struct loop *l, const char *target, const char *error_type,
                             struct str body, int *out_status)
{
    char type[128];
    snprintf(type, sizeof type, "Runtime.%s", error_type == NULL ? "" : error_type);
    struct http_header headers[2] = {{STR("Content-Type"), STR("application/json")}};
    size_t n = 1;
    if (error_type != NULL)
        headers[n++] = (struct http_header){STR("Lambda-Runtime-Function-Error-Type"), str_c(type)};
    struct http_request q = {
        .method = "POST", .base = &l->api, .target = str_c(target), .headers = headers,
        .n_headers = n, .body = body, .deadline_ms = clock_mono_ms() + POST_TIMEOUT_MS,
        .body_max = ANSWER_MAX,
    };
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    TRY(http_exchange(l->http, &q, &r));
    *out_status = r.status;
    return NULL;
}

/* `error_type` NULL: a result. A connection that fails is tried again at once: the peer is on this
 * machine. */
static struct err *post(struct loop *l, const char *target, const char *error_type, struct str body,
                        int *out_status)
{
    struct err *e = NULL;
    for (int i = 0; i < POST_ATTEMPTS; i++) {
        err_free(e);
        e = post_once(l, target, error_type, body, out_status);
        if (!err_is(e, ERR_IO))
            break;
    }
    return e;
}

static struct err *post_error(struct loop *l, const char *target, const struct err *what)
{
    int status;
    CLEANUP(buf_clear) struct buf body = BUF_INIT(ERROR_MAX);
    lambda_error_json(what, &body);
    TRY(buf_check(&body));
    TRY(post(l, target, lambda_error_type(what), buf_view(&body), &status));
    if (status < 200 || status > 299)
        return err_new(ERR_IO, "the Runtime API refused an error report with %d", status);
    return NULL;
}

static struct err *post_result(struct loop *l, const struct lambda_event *event,
                               const struct buf *result)
{
    char target[TARGET_MAX];
    int status;
    struct str body = result->n == 0 ? STR("null") : buf_view(result);
    snprintf(target, sizeof target, API_ROOT "/invocation/%s/response", event->request_id);
    TRY(post(l, target, NULL, body, &status));
    if (status >= 200 && status <= 299)
        return NULL;
    if (status >= 500)
        return err_new(ERR_IO, "the Runtime API refused a result with %d", status);
    /* 413 and the like concern this result, not the runtime: say so in its place. */
    struct err *refused = err_new(ERR_LIMIT, "the Runtime API refused the result with %d", status);
    snprintf(target, sizeof target, API_ROOT "/invocation/%s/error", event->request_id);
    struct err *e = post_error(l, target, refused);
    err_free(refused);
    return e;
}

static bool copy_header(const struct http_response *r, const char *name, char *out, size_t max)
{
    struct str v = http_response_header(r, name);
    if (v.n >= max)
        return false;
    memcpy(out, v.n == 0 ? "" : v.p, v.n);
    out[v.n] = '\0';
    return true;
}

/* It becomes part of a path. */
static bool id_is_valid(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return n > 0 && id[n] == '\0';
}

static struct err *next_event(struct loop *l, struct http_response *r, struct lambda_event *out)
{
    struct http_request q = {
        .method = "GET", .base = &l->api, .target = STR(API_ROOT "/invocation/next"),
        .idle_timeout_ms = -1, .body_max = LAMBDA_EVENT_MAX,
    };
    TRY(http_exchange(l->http, &q, r));
    if (r->status != 200)
        return err_new(ERR_IO, "the Runtime API has no next event: it answered %d", r->status);
    struct lambda_event ev = {.payload = buf_view(&r->body)};
    if (!copy_header(r, "Lambda-Runtime-Aws-Request-Id", ev.request_id, sizeof ev.request_id) ||
        !id_is_valid(ev.request_id) ||
        !str_to_i64(http_response_header(r, "Lambda-Runtime-Deadline-Ms"), 0, INT64_MAX,
                    &ev.deadline_ms) ||
        !copy_header(r, "Lambda-Runtime-Invoked-Function-Arn", ev.function_arn,
                     sizeof ev.function_arn))
        return err_new(ERR_CORRUPT, "the Runtime API sent an event with unusable headers");
    /* Its form is not promised and grows with each hop: too long a one is no reason to end. */
    if (!copy_header(r, "Lambda-Runtime-Trace-Id", ev.trace_id, sizeof ev.trace_id))
        ev.trace_id[0] = '\0';
    *out = ev;
    return NULL;
}

static struct err *serve_one(struct loop *l, lambda_handler *handler, void *ctx)
{
    struct lambda_event event;
    CLEANUP(http_response_clear) struct http_response r = HTTP_RESPONSE_INIT;
    CLEANUP(buf_clear) struct buf result = BUF_INIT(LAMBDA_RESULT_MAX);
    TRY(next_event(l, &r, &event));
    /* A fresh value for each event, as the X-Ray SDKs expect; one thread, so setenv is safe. */
    if (event.trace_id[0] != '\0')
        (void)setenv("_X_AMZN_TRACE_ID", event.trace_id, 1);
    else
        (void)unsetenv("_X_AMZN_TRACE_ID");
    struct err *e = handler(ctx, &event, &result);
    if (e == NULL && !buf_ok(&result))
        e = err_new(ERR_LIMIT, "the result is larger than %d bytes", LAMBDA_RESULT_MAX);
    if (e == NULL)
        return post_result(l, &event, &result);
    say(event.request_id, e);
    char target[TARGET_MAX];
    snprintf(target, sizeof target, API_ROOT "/invocation/%s/error", event.request_id);
    struct err *failed = post_error(l, target, e);
    err_free(e);
    return failed;
}

static struct err *find_api(struct loop *l)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    if (api == NULL || api[0] == '\0')
        return err_new(ERR_INVALID, "AWS_LAMBDA_RUNTIME_API is not set: this program is a Lambda "
                                    "function and runs only inside one");
    CLEANUP(buf_clear) struct buf url = BUF_INIT(512);
    buf_fmt(&url, "http://%s", api);
    TRY(buf_check(&url));
    TRY(http_base_parse(buf_view(&url), &l->api));
    return http_client_new(NULL, &l->http);
}

static struct err *start(struct loop *l, struct err *(*init)(void *ctx), void *ctx)
{
    struct err *e = init == NULL ? NULL : init(ctx);
    if (e == NULL)
        return NULL;
    struct err *failed = post_error(l, API_ROOT "/init/error", e);
    if (failed != NULL)
        say("init error report", failed);
    err_free(failed);
    return e;
}

int lambda_run(struct err *(*init)(void *ctx), lambda_handler *handler, void *ctx)
{
    struct loop l = {0};
    struct err *e = find_api(&l);
    if (e == NULL)
        e = start(&l, init, ctx);
    while (e == NULL)
        e = serve_one(&l, handler, ctx);
    say("runtime", e);
    err_free(e);
    http_client_free(l.http);
    return EXIT_FAULT;
}

/* The Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 *
 * What speaks here is the function: everything is bounded, and what is not understood ends the
 * connection. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, BODY_MAX = LAMBDA_PAYLOAD_MAX + READ_BYTES };

#define API "/2018-06-01/runtime/"

void rt_open(struct rt_conn *k, int fd)
{
    *k = (struct rt_conn){.fd = fd};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    socket_prompt(fd, false);
    http_head_init(&k->head);
    buf_init(&k->in, HTTP_HEAD_MAX + BODY_MAX + READ_BYTES);
    buf_init(&k->out, LAMBDA_PAYLOAD_MAX + 16384);
}

void rt_close(struct rt_conn *k)
{
    close(k->fd);
    buf_clear(&k->in);
    buf_clear(&k->out);
    k->fd = -1;
    k->waiting = false;
}

short rt_events(const struct rt_conn *k)
{
    if (k->out.n > k->out_at)
        return POLLOUT;
    /* Who hung up while waiting for an event must not get one: it would be lost. */
    return k->waiting ? POLLRDHUP : POLLIN;
}

static void send_out(struct rt_conn *k)
{
    while (k->out_at < k->out.n) {
        ssize_t n = send(k->fd, k->out.p + k->out_at, k->out.n - k->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 && errno != EINTR) {
            rt_close(k);
            return;
        }
        k->out_at += n > 0 ? (size_t)n : 0;
    }
    buf_reset(&k->out);
    k->out_at = 0;
    if (k->closing)
        rt_close(k);
}

void rt_answer(struct rt_conn *k, int status, const char *extra_headers, struct str body)
{
    static const struct {
        int status;
        const char *words;
    } names[] = {{200, "OK"}, {202, "Accepted"}, {400, "Bad Request"}, {404, "Not Found"},
                 {403, "Forbidden"}, {413, "Payload Too Large"}};
    const char *words = "Error";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].status == status)
            words = names[i].words;
    buf_fmt(&k->out,
            "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s",
            status, words, body.n, extra_headers);
    if (k->closing)
        buf_c(&k->out, "Connection: close\r\n");
    buf_c(&k->out, "\r\n");
    buf_str(&k->out, body);
    k->waiting = false;
    send_out(k);
}

static void answer_error(struct rt_conn *k, int status, const char *type, const char *message)
{
    char body[256];
    snprintf(body, sizeof body, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}", message, type);
    rt_answer(k, status, "", str_c(body));
}

/* "…/invocation/ID/response" and "…/error" */
static void invocation_call(struct env *e, struct rt_conn *k, struct str rest, struct str body)
{
    struct str id = str_cut(&rest, '/');
    bool is_error = str_is(rest, "error");
    if (!is_error && !str_is(rest, "response"))
        answer_error(k, 404, "InvalidPath", "There is no such call in the Runtime API.");
    else if (!env_answered(e, id, body, is_error || k->error_type[0] != '\0'))
        answer_error(k, 400, "InvalidRequestID", "Invalid request ID");
    else
        rt_answer(k, 202, "", STR("{\"status\":\"OK\"}"));
}

static void serve(struct env *e, struct rt_conn *k, struct str body)
{
    struct str path = str_c(k->path);
    bool post = strcmp(k->method, "POST") == 0;
    if (str_is(path, API "invocation/next") && strcmp(k->method, "GET") == 0) {
        k->waiting = true;
        env_next(e, k);
    } else if (post && str_is(path, API "init/error")) {
        rt_answer(k, 202, "", STR("{\"status\":\"OK\"}"));
        env_init_error(e, body);
    } else if (post && str_starts_c(path, API "invocation/")) {
        invocation_call(e, k, str_skip(path, strlen(API "invocation/")), body);
    } else {
        answer_error(k, 404, "InvalidPath", "There is no such call in the Runtime API.");
    }
}

static struct str span(const struct rt_conn *k, struct http_span s)
{
    return str_of(k->in.p + s.at, s.n);
}

static void keep(char *to, size_t max, struct str s)
{
    snprintf(to, max, "%.*s", (int)s.n, s.n > 0 ? s.p : "");
}

static void drop_front(struct buf *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    buf_truncate(b, b->n - n);
}

/* true: the head is complete and taken in. */
static bool take_head(struct rt_conn *k)
{
    enum http_parse r = http_head_feed(&k->head, k->in.p, k->in.n);
    if (r == HTTP_MORE)
        return false;
    k->closing = k->closing || k->head.close;
    if (r != HTTP_OK || k->head.target.n >= sizeof k->path ||
        k->head.method.n >= sizeof k->method) {
        k->closing = true;
        answer_error(k, r != HTTP_OK ? 400 : 404, "InvalidRequest", "The request is malformed.");
        return false;
    }
    keep(k->method, sizeof k->method, span(k, k->head.method));
    keep(k->path, sizeof k->path, span(k, k->head.target));
    k->error_type[0] = '\0';
    for (size_t i = 0; i < k->head.n_headers; i++)
        if (str_is_i(span(k, k->head.headers[i].name), "Lambda-Runtime-Function-Error-Type"))
            keep(k->error_type, sizeof k->error_type, span(k, k->head.headers[i].value));
    k->length = k->head.length;
    k->chunked = k->head.chunked;
    k->decoded = 0;
    k->in_body = true;
    drop_front(&k->in, k->head.scan);
    if (k->chunked)
        http_chunks_init(&k->chunks);
    if (k->head.expect_continue) {
        buf_c(&k->out, "HTTP/1.1 100 Continue\r\n\r\n");
        send_out(k);
    }
    http_head_init(&k->head);
    return k->fd >= 0;
}

static void refuse_body(struct env *e, struct rt_conn *k)
{
    k->closing = true;
    k->in_body = false;
    env_too_large(e);
    answer_error(k, 413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size.");
}

/* true: the body is complete; *out_n bytes of it stand at the front of k->in. */
static bool take_body(struct env *e, struct rt_conn *k, size_t *out_n, size_t *out_used)
{
    if (!k->chunked) {
        if (k->length > LAMBDA_PAYLOAD_MAX) {
            refuse_body(e, k);
            return false;
        }
        *out_n = *out_used = (size_t)k->length;
        return k->in.n >= *out_n;
    }
    size_t used, n, fresh = k->in.n - k->decoded;
    enum http_parse r = http_chunks_feed(&k->chunks, k->in.p + k->decoded, fresh, &used, &n);
    if (r != HTTP_MORE && r != HTTP_OK) {
        k->closing = true;
        k->in_body = false;
        answer_error(k, 400, "InvalidRequest", "The chunked body is malformed.");
        return false;
    }
    size_t left = fresh - used;
    memmove(k->in.p + k->decoded + n, k->in.p + k->decoded + used, left);
    k->decoded += n;
    buf_truncate(&k->in, k->decoded + left);
    if (k->decoded > LAMBDA_PAYLOAD_MAX) {
        refuse_body(e, k);
        return false;
    }
    *out_n = *out_used = k->decoded;
    return r == HTTP_OK;
}

/* As many requests as are complete; the next is read when the last was answered. */
static void progress(struct env *e, struct rt_conn *k)
{
    while (k->fd >= 0 && !k->waiting && k->out.n == 0) {
        size_t n, used;
        if (!k->in_body && (k->in.n == 0 || !take_head(k)))
            return;
        if (!take_body(e, k, &n, &used))
            return;
        k->in_body = false;
        serve(e, k, str_of(n > 0 ? k->in.p : "", n));
        if (k->fd >= 0)
            drop_front(&k->in, used);
    }
}

void rt_ready(struct env *e, struct rt_conn *k, short events)
{
    if ((events & POLLOUT) != 0)
        send_out(k);
    if (k->fd >= 0 && (events & POLLIN) != 0 && !k->waiting) {
        char *to = buf_reserve(&k->in, READ_BYTES);
        ssize_t n = to == NULL ? 0 : recv(k->fd, to, READ_BYTES, 0);
        if (n > 0) {
            buf_advance(&k->in, (size_t)n);
            socket_prompt(k->fd, true);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            rt_close(k);
            return;
        }
    } else if (k->fd >= 0 && (events & (POLLHUP | POLLERR | POLLRDHUP)) != 0) {
        rt_close(k);
        return;
    }
    if (k->fd >= 0)
        progress(e, k);
}

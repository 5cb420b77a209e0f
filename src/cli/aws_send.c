/* Signed requests, what their errors say, and trying again. */
#include "aws_int.h"

#include "auth/sigv4.h"
#include "core/clock.h"
#include "core/enc.h"
#include "core/xml.h"

enum { FAULT_TEXT_MAX = 200 };

struct str http_in_header(const struct http_in *in, const char *name)
{
    for (size_t i = 0; i < in->n_headers; i++)
        if (str_is_i(in->headers[i].name, name))
            return in->headers[i].value;
    return STR_NONE;
}

/* "https://HOST:PORT/BASE" -> "HOST:PORT" and "/BASE" ("" if there is none). */
static struct str host_of(struct str url, struct str *out_base)
{
    ptrdiff_t at = str_find(url, STR("://"));
    struct str rest = at < 0 ? url : str_skip(url, (size_t)at + 3), host = rest;
    ptrdiff_t slash = str_find_char(rest, '/');
    *out_base = STR("");
    if (slash >= 0) {
        host = str_take(rest, (size_t)slash);
        *out_base = str_skip(rest, (size_t)slash);
    }
    return host;
}

struct err *aws_send_once(struct arena *a, const struct aws_keys *k, const char *ca_file,
                          const struct aws_request *r, struct http_in *out)
{
    char date[TIME_TEXT_MAX];
    struct str base, authorization, hash = sha256_hex(a, r->body);
    struct str host = host_of(r->endpoint, &base);
    struct str path = arena_concat(a, base, r->path);
    time_basic(clock_now_ms(), date);
    struct http_header h[ARRAY_LEN(r->headers) + 5] = {{STR("host"), host},
                                                       {STR("x-amz-date"), str_c(date)},
                                                       {STR("x-amz-content-sha256"), hash}};
    size_t n = 3;
    CHECK(r->n_headers <= ARRAY_LEN(r->headers));
    if (k != NULL && k->token != NULL)
        h[n++] = (struct http_header){STR("x-amz-security-token"),
                                      str_of(secret_bytes(k->token), secret_size(k->token))};
    for (size_t i = 0; i < r->n_headers; i++)
        h[n++] = r->headers[i];
    struct sig_request s = {.method = str_c(r->method), .path = path, .query = r->query,
                            .headers = h, .n_headers = n};
    if (k != NULL) {
        TRY(sigv4_sign(a, &s, str_c(k->id), k->secret, r->region, str_c(r->service), str_c(date),
                       hash, &authorization));
        h[n++] = (struct http_header){STR("authorization"), authorization};
    }
    struct str origin = str_take(r->endpoint, r->endpoint.n - base.n);
    struct http_out req = {.method = r->method,
                           .url = arena_fmt(a, "%.*s%.*s%s%.*s", STR_ARG(origin), STR_ARG(path),
                                            r->query.n > 0 ? "?" : "", STR_ARG(r->query)),
                           .headers = h,
                           .n_headers = n,
                           .body = r->body,
                           .timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : AWS_TIMEOUT_MS,
                           .ca_file = ca_file};
    return http_send(a, &req, out);
}

/* -- errors ------------------------------------------------------------------------------------ */
/* <Error> at the root (S3), or in an <ErrorResponse>. */
static void fault_of_xml(struct arena *a, struct str body, struct aws_fault *f)
{
    struct xml *x = NULL;
    err_free(xml_parse(a, body, &x));
    const struct xml *inner = xml_child(x, "Error"), *e = inner != NULL ? inner : x;
    f->code = xml_text(xml_child(e, "Code"));
    f->message = xml_text(xml_child(e, "Message"));
    f->region = xml_text(xml_child(e, "Region"));
}

/* {"__type": "com.amazon…#Code", "message": …}; OAuth's is {"error", "error_description"}. */
static void fault_of_json(struct arena *a, struct str body, struct aws_fault *f)
{
    struct jv *j = NULL;
    err_free(json_parse(a, body, 8, &j));
    f->code = jv_s(jv_get(j, "__type"));
    ptrdiff_t hash = str_rfind_char(f->code, '#');
    f->code = str_skip(f->code, (size_t)(hash + 1));
    const struct jv *m = jv_get(j, "message");
    f->message = jv_s(m != NULL ? m : jv_get(j, "Message"));
    if (f->code.n == 0) {
        f->code = jv_s(jv_get(j, "error"));
        f->message = jv_s(jv_get(j, "error_description"));
    }
}

struct aws_fault aws_fault_of(struct arena *a, const struct http_in *in)
{
    struct aws_fault f = {STR_NONE, STR_NONE, STR_NONE};
    struct str body = str_trim(in->body);
    if (body.n > 0 && body.p[0] == '{')
        fault_of_json(a, body, &f);
    else if (body.n > 0 && body.p[0] == '<')
        fault_of_xml(a, body, &f);
    struct str region = http_in_header(in, "x-amz-bucket-region");
    if (region.n > 0)
        f.region = region;
    return f;
}

/* A server's words, cut, and fit for a terminal. */
static struct str plain(struct arena *a, struct str s)
{
    char *p = arena_cstr(a, str_take(s, FAULT_TEXT_MAX));
    for (size_t i = 0; p[i] != '\0'; i++)
        if (p[i] < ' ' || p[i] > '~')
            p[i] = '?';
    return str_c(p);
}

struct err *aws_refused(struct arena *a, const char *what, const struct http_in *in)
{
    struct aws_fault f = aws_fault_of(a, in);
    enum err_kind kind = in->status == 403   ? ERR_DENIED
                         : in->status == 404 ? ERR_NOT_FOUND
                                             : ERR_IO;
    struct str code = f.code.n > 0 ? plain(a, f.code) : STR("status");
    struct str message = f.message.n > 0 ? plain(a, f.message) : STR("");
    return err_new(kind, "%s: %.*s (%d)%s%.*s", what, STR_ARG(code), in->status,
                   message.n > 0 ? ": " : "", STR_ARG(message));
}

/* -- trying again ------------------------------------------------------------------------------ */
static bool is_one_of(struct str code, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(code, list[i]))
            return true;
    return false;
}

/* The standard retry mode of the SDKs, and S3's own words for it. */
static bool is_passing(int status, struct str code)
{
    static const char *const codes[] = {
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
        "TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown",
        "RequestTimeout", "RequestTimeoutException", "InternalError", "PriorRequestNotComplete",
        "IDPCommunicationError"};
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504 ||
           is_one_of(code, codes, ARRAY_LEN(codes));
}

static bool is_expired(struct str code)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"};
    return is_one_of(code, codes, ARRAY_LEN(codes));
}

/* Full jitter, so that those who were slowed down together do not come back together. */
static int64_t backoff_ms(int attempt)
{
    int64_t most = (int64_t)AWS_BACKOFF_MS << attempt;
    most = most > AWS_BACKOFF_MAX_MS ? AWS_BACKOFF_MAX_MS : most;
    return 1 + (int64_t)(rand_u64() % (uint64_t)most);
}

static bool may_pass(const struct err *e)
{
    return err_is(e, ERR_IO) || err_is(e, ERR_TIMEOUT);
}

/* Also the code of an answer that refuses, and whether another attempt may do better. */
static struct err *attempt_once(struct aws *w, struct arena *a, const struct aws_keys *k,
                                const struct aws_request *r, struct http_in *out,
                                struct str *out_code, bool *out_again)
{
    struct err *e = aws_send_once(a, k, aws_ca_file(w), r, out);
    *out_code = e == NULL && out->status >= 400 ? aws_fault_of(a, out).code : STR_NONE;
    *out_again = e != NULL ? may_pass(e) : is_passing(out->status, *out_code);
    return e;
}

struct err *aws_send_as(struct aws *w, struct arena *a, const struct aws_keys *k,
                        const struct aws_request *r, struct http_in *out)
{
    for (int attempt = 0;; attempt++) {
        struct str code;
        bool again;
        struct err *e = attempt_once(w, a, k, r, out, &code, &again);
        if (!again || attempt + 1 == AWS_ATTEMPTS || !aws_wait(w, backoff_ms(attempt)))
            return e;
        err_free(e);
    }
}

struct err *aws_send(struct aws *w, struct arena *a, const struct aws_request *r,
                     struct http_in *out)
{
    struct aws_keys *k = NULL;
    bool renewed = false;
    TRY(aws_keys_get(w, NULL, &k));
    for (int attempt = 0;; attempt++) {
        bool last = attempt + 1 == AWS_ATTEMPTS;
        struct str code;
        bool again;
        struct err *e = attempt_once(w, a, k, r, out, &code, &again);
        if (e == NULL && is_expired(code) && !renewed) {
            struct aws_keys *old = k;
            k = NULL;
            e = aws_keys_get(w, old, &k);
            aws_keys_unref(w, old);
            renewed = true;
            if (e == NULL)
                continue;
            again = false;
        }
        if (!again || last || !aws_wait(w, backoff_ms(attempt))) {
            aws_keys_unref(w, k);
            return e;
        }
        err_free(e);
    }
}

#include "aws.h"

#include "core/clock.h"
#include "core/enc.h"
#include "sigv4.h"

#include <openssl/rand.h>
#include <poll.h>

enum {
    REGION_MAX = 32,
    SERVICE_MAX = 32,
    BUCKET_MIN = 3,
    BUCKET_MAX = 63,
    KEY_MAX = 1024,
    VERSION_ID_MAX = 1024,
    OWN_HEADERS = 4, /* Host, X-Amz-Date, X-Amz-Content-Sha256, X-Amz-Security-Token */
    TARGET_MAX = 16 * 1024,
    AUTHORIZATION_MAX = 4096,
    SERVICE_WORDS_MAX = 300,
};

struct aws {
    struct http_client *http;
    struct str access_key, secret_key, token, region; /* views of the environment */
    int64_t deadline_ms; /* by clock_mono_ms(); 0: AWS_CALL_TIMEOUT_MS for each call */
};

static struct str env_str(const char *name)
{
    const char *v = getenv(name);
    return v == NULL || v[0] == '\0' ? STR_NONE : str_c(v);
}

static bool is_label(struct str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return s.n > 0 && s.n <= max;
}

struct err *aws_new(struct aws **out)
{
    struct aws a = {
        .access_key = env_str("AWS_ACCESS_KEY_ID"),
        .secret_key = env_str("AWS_SECRET_ACCESS_KEY"),
        .token = env_str("AWS_SESSION_TOKEN"),
        .region = env_str("AWS_REGION"),
    };
    if (a.region.p == NULL)
        a.region = env_str("AWS_DEFAULT_REGION");
    if (a.access_key.p == NULL || a.secret_key.p == NULL)
        return err_new(ERR_INVALID, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
    if (!is_label(a.region, REGION_MAX))
        return err_new(ERR_INVALID, "AWS_REGION is not set to a region's name");
    TRY(http_client_new(NULL, &a.http));
    struct aws *kept = malloc(sizeof *kept);
    CHECK(kept != NULL);
    *kept = a;
    *out = kept;
    return NULL;
}

void aws_free(struct aws *a)
{
    if (a == NULL)
        return;
    http_client_free(a->http);
    free(a);
}

void aws_begin(struct aws *a, int64_t budget_ms)
{
    http_client_drop(a->http);
    a->deadline_ms = clock_mono_ms() + (budget_ms > 0 ? budget_ms : 0);
}

int64_t aws_budget_left_ms(const struct aws *a)
{
    if (a->deadline_ms == 0)
        return AWS_CALL_TIMEOUT_MS;
    int64_t left = a->deadline_ms - clock_mono_ms();
    return left > 0 ? left : 0;
}

struct str aws_arn_region(struct str arn)
{
    struct str rest = arn;
    if (!str_is(str_cut(&rest, ':'), "arn"))
        return STR_NONE;
    (void)str_cut(&rest, ':');
    (void)str_cut(&rest, ':');
    struct str region = str_cut(&rest, ':');
    return is_label(region, REGION_MAX) && rest.p != NULL ? region : STR_NONE;
}

/* Where a call goes. */

static struct str configured_endpoint(const char *service)
{
    char name[sizeof "AWS_ENDPOINT_URL_" + SERVICE_MAX];
    int n = snprintf(name, sizeof name, "AWS_ENDPOINT_URL_%.*s", SERVICE_MAX, service);
    for (int i = (int)strlen("AWS_ENDPOINT_URL_"); i < n; i++) {
        if (name[i] >= 'a' && name[i] <= 'z')
            name[i] = (char)(name[i] - 32);
        else if (name[i] == '-')
            name[i] = '_';
    }
    struct str url = env_str(name);
    return url.p != NULL ? url : env_str("AWS_ENDPOINT_URL");
}

/* A bucket's name becomes part of a host name or a path, so its form is checked first. */
static bool bucket_is_valid(struct str b)
{
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] != '.' && !is_label(str_of(b.p + i, 1), 1))
            return false;
    }
    return b.n >= BUCKET_MIN && b.n <= BUCKET_MAX && b.p[0] != '.' && b.p[0] != '-' &&
           str_find(b, STR("..")) < 0;
}

struct err *aws_endpoint(const char *service, struct str region, struct str bucket,
                         struct http_base *out_base, bool *out_bucket_in_path)
{
    bool in_path = bucket.p != NULL;
    if (!is_label(str_c(service), SERVICE_MAX) || !is_label(region, REGION_MAX))
        return err_new(ERR_INVALID, "the service or the region is not a name");
    if (in_path && !bucket_is_valid(bucket))
        return err_new(ERR_INVALID, "the bucket's name is not well-formed");
    CLEANUP(buf_clear) struct buf url = BUF_INIT(HTTP_HOST_MAX + 64);
    struct str configured = configured_endpoint(service);
    if (configured.p != NULL) {
        buf_str(&url, configured);
    } else {
        buf_c(&url, "https://");
        if (in_path && str_find_char(bucket, '.') < 0) {
            in_path = false;
            buf_str(&url, bucket);
            buf_char(&url, '.');
        }
        buf_fmt(&url, "%s.%.*s.amazonaws.com%s", service, STR_ARG(region),
                str_starts_c(region, "cn-") ? ".cn" : "");
    }
    if (!buf_ok(&url))
        return err_new(ERR_INVALID, "the endpoint's name is too long");
    TRY(http_base_parse(buf_view(&url), out_base));
    *out_bucket_in_path = in_path;
    return NULL;
}

/* One attempt. */

/* The caller's sink, and whether anything has gone into it. */
struct tap {
    const struct aws_sink *sink;
    bool delivered;
};

static struct err *tap_piece(void *ctx, struct str bytes)
{
    struct tap *t = ctx;
    t->delivered = true;
    return t->sink->piece(t->sink->ctx, bytes);
}

struct attempt {
    struct aws *aws;
    const struct aws_call *call;
    struct str region;
    const struct http_base *base;
    struct str path;       /* with the bucket, when it is there */
    struct str target;     /* path and query */
    char body_sha256[SIGV4_HEX + 1];
    int64_t deadline_ms;
    struct tap tap;
};

static void add_header(struct http_header *list, size_t *n, struct str name, struct str value)
{
    list[(*n)++] = (struct http_header){name, value};
}

static struct err *sign_and_send(struct attempt *at, struct http_response *reply)
{
    const struct aws *a = at->aws;
    const struct aws_call *call = at->call;
    struct http_header headers[AWS_HEADERS_MAX + OWN_HEADERS + 1];
    size_t n = 0;
    char now[TIME_TEXT_MAX];
    time_basic(clock_now_ms(), now);
    CLEANUP(buf_clear) struct buf host = BUF_INIT(HTTP_HOST_MAX + 16);
    http_base_host(at->base, &host);
    add_header(headers, &n, STR("Host"), buf_view(&host));
    add_header(headers, &n, STR("X-Amz-Date"), str_c(now));
    add_header(headers, &n, STR("X-Amz-Content-Sha256"), str_c(at->body_sha256));
    if (a->token.p != NULL)
        add_header(headers, &n, STR("X-Amz-Security-Token"), a->token);
    for (size_t i = 0; i < call->n_headers; i++)
        headers[n++] = call->headers[i];
    struct sigv4_input in = {
        .access_key = a->access_key, .secret_key = a->secret_key, .region = at->region,
        .service = str_c(call->service), .time = str_c(now), .method = call->method,
        .path = at->path, .query = call->query, .headers = headers, .n_headers = n,
        .body_sha256 = str_c(at->body_sha256),
    };
    CLEANUP(buf_clear) struct buf authorization = BUF_INIT(AUTHORIZATION_MAX);
    TRY(sigv4_authorization(&in, &authorization));
    add_header(headers, &n, STR("Authorization"), buf_view(&authorization));
    struct http_sink sink = {tap_piece, &at->tap};
    struct http_request q = {
        .method = call->method, .base = at->base, .target = at->target,
        .headers = headers + 1, .n_headers = n - 1, /* the client writes Host itself */
        .body = call->body, .deadline_ms = at->deadline_ms, .body_max = call->reply_max,
        .sink = at->tap.sink != NULL ? &sink : NULL,
    };
    return http_exchange(a->http, &q, reply);
}

/* What went wrong, in the service's words. */

static struct str between(struct str s, const char *open, const char *close)
{
    ptrdiff_t from = str_find(s, str_c(open));
    if (from < 0)
        return STR_NONE;
    s = str_skip(s, (size_t)from + strlen(open));
    ptrdiff_t to = str_find(s, str_c(close));
    return to < 0 ? STR_NONE : str_take(s, (size_t)to);
}

/* The error code of an XML or a JSON answer ("__type" may have a prefix up to '#'). */
static struct str error_code(struct str body)
{
    struct str code = between(body, "<Code>", "</Code>");
    if (code.p == NULL)
        code = between(body, "\"__type\":\"", "\"");
    ptrdiff_t hash = code.p == NULL ? -1 : str_rfind_char(code, '#');
    return hash < 0 ? code : str_skip(code, (size_t)hash + 1);
}

static struct str error_words(struct str body)
{
    struct str words = between(body, "<Message>", "</Message>");
    if (words.p == NULL)
        words = between(body, "\"message\":\"", "\"");
    if (words.p == NULL)
        words = between(body, "\"Message\":\"", "\"");
    return str_take(words, SERVICE_WORDS_MAX);
}

static bool is_throttling(struct str code)
{
    static const char *const codes[] = {"Throttling", "ThrottlingException", "Throttled",
                                        "ThrottledException", "RequestThrottled",
                                        "RequestThrottledException", "TooManyRequestsException",
                                        "RequestLimitExceeded", "BandwidthLimitExceeded",
                                        "ProvisionedThroughputExceededException", "SlowDown",
                                        "PriorRequestNotComplete", "RequestTimeout",
                                        "RequestTimeoutException", "InternalError"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (str_is(code, codes[i]))
            return true;
    }
    return false;
}

static enum err_kind kind_of(int status, struct str code)
{
    if (status >= 500 || status == 429 || is_throttling(code))
        return ERR_IO;
    if (status == 403 || status == 401)
        return ERR_DENIED;
    return status == 404 ? ERR_NOT_FOUND : ERR_INVALID;
}

static void blank_controls(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            *s = ' ';
    }
}

static struct err *judge(const struct aws_call *call, const struct http_response *reply)
{
    if ((reply->status >= 200 && reply->status < 300) || reply->status == 304)
        return NULL;
    struct str body = buf_view(&reply->body);
    struct str code = str_take(error_code(body), 80), words = error_words(body);
    struct err *e = err_new(kind_of(reply->status, code), "%s answered %d %.*s%s%.*s",
                            call->service, reply->status, STR_ARG(code), words.n > 0 ? ": " : "",
                            STR_ARG(words));
    e->status = reply->status;
    blank_controls(e->message);
    return e;
}

/* Attempts. */

static int64_t random_below(int64_t max)
{
    uint32_t r = 0;
    CHECK(RAND_bytes((unsigned char *)&r, sizeof r) == 1);
    return (int64_t)(r % (uint32_t)max);
}

/* Waits before the next try; false: the deadline leaves no room. The wait is the point here: a
 * random one keeps clients that failed together from coming back together. */
static bool back_off(int attempt, int64_t deadline_ms)
{
    int64_t ms = 1 + random_below((int64_t)AWS_BACKOFF_FIRST_MS << attempt);
    if (clock_mono_ms() + ms >= deadline_ms)
        return false;
    (void)poll(NULL, 0, (int)ms);
    return true;
}

static struct err *try_often(struct attempt *at, struct http_response *reply)
{
    for (int i = 0;; i++) {
        struct err *e = sign_and_send(at, reply);
        if (e == NULL)
            e = judge(at->call, reply);
        bool again = err_is(e, ERR_IO) || err_is(e, ERR_TIMEOUT);
        if (again && at->tap.delivered && at->tap.sink->restart == NULL)
            again = false;
        if (!again || i + 1 >= AWS_ATTEMPTS || !back_off(i, at->deadline_ms))
            return e;
        if (at->tap.delivered)
            at->tap.sink->restart(at->tap.sink->ctx);
        at->tap.delivered = false;
        err_free(e);
    }
}

struct err *aws_call(struct aws *a, const struct aws_call *call, struct http_response *reply)
{
    struct http_base base;
    bool in_path;
    struct str region = call->region.p == NULL ? a->region : call->region;
    if (call->n_headers > AWS_HEADERS_MAX)
        return err_new(ERR_LIMIT, "more than %d headers", AWS_HEADERS_MAX);
    TRY(aws_endpoint(call->service, region, call->bucket, &base, &in_path));
    CLEANUP(buf_clear) struct buf target = BUF_INIT(TARGET_MAX);
    if (in_path) {
        buf_char(&target, '/');
        buf_str(&target, call->bucket);
    }
    buf_str(&target, call->path);
    size_t path_n = target.n;
    if (call->query.n > 0) {
        buf_char(&target, '?');
        buf_str(&target, call->query);
    }
    if (!buf_ok(&target))
        return err_new(ERR_LIMIT, "the path and query are longer than %d bytes", TARGET_MAX);
    int64_t deadline = a->deadline_ms > 0 ? a->deadline_ms : clock_mono_ms() + AWS_CALL_TIMEOUT_MS;
    struct attempt at = {
        .aws = a, .call = call, .region = region, .base = &base,
        .path = str_take(buf_view(&target), path_n), .target = buf_view(&target),
        .deadline_ms = deadline, .tap = {.sink = call->sink},
    };
    sigv4_sha256_hex(call->body, at.body_sha256);
    return try_often(&at, reply);
}

static struct err *gather_piece(void *ctx, struct str bytes)
{
    struct buf *b = ctx;
    buf_str(b, bytes);
    return buf_ok(b) ? NULL : err_new(ERR_LIMIT, "the answer is larger than %zu bytes", b->max);
}

static void gather_restart(void *ctx)
{
    buf_reset(ctx);
}

struct aws_sink aws_sink_to_buf(struct buf *b)
{
    return (struct aws_sink){gather_piece, gather_restart, b};
}

/* The services. */

struct err *s3_get_object(struct aws *a, const struct s3_get *get, const struct aws_sink *sink,
                          struct s3_got *out)
{
    if (get->key.n == 0 || get->key.n > KEY_MAX || get->version_id.n > VERSION_ID_MAX)
        return err_new(ERR_INVALID, "the object's key or version is empty or too long");
    CLEANUP(buf_clear) struct buf path = BUF_INIT(3 * KEY_MAX + 1);
    CLEANUP(buf_clear) struct buf query = BUF_INIT(3 * VERSION_ID_MAX + 16);
    buf_char(&path, '/');
    enc_uri_into(&path, get->key, true);
    if (get->version_id.n > 0) {
        buf_c(&query, "versionId=");
        enc_uri_into(&query, get->version_id, false);
    }
    struct http_header condition = {STR("If-None-Match"), get->if_none_match};
    struct aws_call call = {
        .service = "s3", .region = get->region, .bucket = get->bucket, .method = "GET",
        .path = buf_view(&path), .query = buf_view(&query), .headers = &condition,
        .n_headers = get->if_none_match.n > 0 ? 1 : 0, .reply_max = get->max, .sink = sink,
    };
    CLEANUP(http_response_clear) struct http_response reply = HTTP_RESPONSE_INIT;
    TRY(aws_call(a, &call, &reply));
    struct s3_got got = {.not_modified = reply.status == 304};
    struct str etag = http_response_header(&reply, "ETag");
    if (etag.n < sizeof got.etag)
        memcpy(got.etag, etag.n == 0 ? "" : etag.p, etag.n);
    *out = got;
    return NULL;
}

static void add_field(struct buf *body, const char *name, struct str value)
{
    buf_fmt(body, "&%s=", name);
    enc_uri_into(body, value, false);
}

struct err *sns_publish(struct aws *a, struct str topic_arn, struct str subject, struct str message)
{
    struct str region = aws_arn_region(topic_arn);
    if (region.p == NULL)
        return err_new(ERR_INVALID, "the topic's ARN is not well-formed");
    if (message.n == 0 || message.n > SNS_MESSAGE_MAX || subject.n > SNS_SUBJECT_MAX)
        return err_new(ERR_INVALID, "the message is empty, or it or its subject is too long");
    CLEANUP(buf_clear) struct buf body = BUF_INIT(3 * (SNS_MESSAGE_MAX + 4096));
    buf_c(&body, "Action=Publish&Version=2010-03-31");
    add_field(&body, "TopicArn", topic_arn);
    if (subject.n > 0)
        add_field(&body, "Subject", subject);
    add_field(&body, "Message", message);
    TRY(buf_check(&body));
    struct http_header type = {STR("Content-Type"),
                               STR("application/x-www-form-urlencoded; charset=utf-8")};
    struct aws_call call = {
        .service = "sns", .region = region, .method = "POST", .path = STR("/"), .headers = &type,
        .n_headers = 1, .body = buf_view(&body), .reply_max = AWS_REPLY_MAX,
    };
    CLEANUP(http_response_clear) struct http_response reply = HTTP_RESPONSE_INIT;
    return aws_call(a, &call, &reply);
}

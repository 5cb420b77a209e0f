/* Building responses, from any thread. */
#include "server_int.h"

#include "../core/clock.h"

#include <inttypes.h>

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *words;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].words;
    return "Status";
}

struct str http_header_nth(const struct http_exchange *x, const char *name, size_t nth)
{
    struct str want = str_c(name);
    for (size_t i = 0; i < x->n_headers; i++)
        if (x->headers[i].name.n == want.n && str_ieq(x->headers[i].name, want) && nth-- == 0)
            return x->headers[i].value;
    return STR_NONE;
}

struct str http_header(const struct http_exchange *x, const char *name)
{
    return http_header_nth(x, name, 0);
}

bool http_gone(const struct http_exchange *x)
{
    return __atomic_load_n(&x->gone, __ATOMIC_RELAXED);
}

/* A date of now; the text is made once a second for each thread. */
static struct str date_now(void)
{
    static _Thread_local struct {
        int64_t second;
        size_t n;
        char text[TIME_TEXT_MAX];
    } kept = {.second = -1};
    int64_t now = clock_now_ms();
    if (kept.second != now / 1000) {
        time_http(now, kept.text);
        kept.second = now / 1000;
        kept.n = strlen(kept.text);
    }
    return (struct str){kept.text, kept.n};
}

/* Set here for every response; what a handler gives by these names is left out. */
static bool ours(struct str name)
{
    switch (name.n) {
    case 4:
        return str_is_i(name, "date");
    case 10:
        return str_is_i(name, "connection") || str_is_i(name, "keep-alive");
    case 14:
        return str_is_i(name, "content-length");
    case 17:
        return str_is_i(name, "transfer-encoding");
    default:
        return false;
    }
}

static bool clean(struct str s, char also)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 127 || s.p[i] == also)
            return false;
    return true;
}

/* What a handler hands out may come from a client in the end (a file name, a stored header): a line
 * break in it must neither split the response nor end the process. */
static bool all_clean(const struct http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (headers[i].name.n == 0 || !clean(headers[i].name, ':') ||
            !clean(headers[i].value, '\n'))
            return false;
    return true;
}

static void put(struct exchange *e, struct str s)
{
    if (s.n > 0)
        memcpy(e->out + e->out_n, s.p, s.n);
    e->out_n += s.n;
}

static void put_header(struct exchange *e, struct str name, struct str value)
{
    put(e, name);
    put(e, STR(": "));
    put(e, value);
    put(e, STR("\r\n"));
}

static void head_reserve(struct exchange *e, const struct http_header *headers, size_t n,
                         size_t more)
{
    size_t size = 256 + more;
    for (size_t i = 0; i < n; i++)
        size += headers[i].name.n + headers[i].value.n + 4;
    e->out = malloc(size);
    CHECK(e->out != NULL);
    e->out_cap = size;
    e->out_n = 0;
}

/* Status line to empty line. length -1: chunked, -2: no header about it. */
static void head_put(struct exchange *e, int status, const struct http_header *headers, size_t n,
                     int64_t length)
{
    char text[64];
    int text_n = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\n", status, reason(status));
    put(e, (struct str){text, (size_t)text_n});
    for (size_t i = 0; i < n; i++)
        if (!ours(headers[i].name))
            put_header(e, headers[i].name, headers[i].value);
    put_header(e, STR("Date"), date_now());
    if (length >= 0) {
        text_n = snprintf(text, sizeof text, "%" PRId64, length);
        put_header(e, STR("Content-Length"), (struct str){text, (size_t)text_n});
    } else if (length == -1) {
        put_header(e, STR("Transfer-Encoding"), STR("chunked"));
    }
    if (e->close)
        put_header(e, STR("Connection"), STR("close"));
    put(e, STR("\r\n"));
}

/* RFC 9110 6.4.1: no content in these, whatever the headers say. */
static bool bodiless(const struct exchange *e, int status)
{
    return status == 204 || status == 304 || str_is(e->x.method, "HEAD");
}

static void decide_close(struct exchange *e)
{
    /* Unless the whole body was read the next request cannot be found. */
    e->close = e->close || !e->whole || e->head.close ||
               server_phase_is(e->conn->loop->server, SERVER_ENDING);
}

void respond_build(struct exchange *e, int status, const struct http_header *headers, size_t n,
                   struct str body, int64_t content_length)
{
    CHECK(status >= 200 && status <= 599);
    decide_close(e);
    bool none = bodiless(e, status);
    int64_t length = none && content_length >= 0 ? content_length : (int64_t)body.n;
    if (status == 204 || (status == 304 && content_length < 0))
        length = -2;
    head_reserve(e, headers, n, none ? 0 : body.n);
    head_put(e, status, headers, n, length);
    if (!none)
        put(e, body);
}

/* The last touch: afterwards the exchange may be gone at any moment. */
static void hand_over(struct exchange *e)
{
    struct conn *c = e->conn;
    struct loop *l = c->loop;
    unsigned before = __atomic_fetch_or(&c->word, CONN_ANSWERED, __ATOMIC_ACQ_REL);
    if ((before & CONN_BUSY) == 0)
        loop_inbox(l, c);
}

void http_respond(struct http_exchange *x, int status, const struct http_header *headers, size_t n,
                  struct str body, int64_t content_length_override)
{
    struct exchange *e = (struct exchange *)x;
    CHECK(!e->answered);
    e->answered = true;
    if (all_clean(headers, n))
        respond_build(e, status, headers, n, body, content_length_override);
    else
        respond_build(e, 500, NULL, 0, STR(""), -1);
    hand_over(e);
}

void http_respond_stream(struct http_exchange *x, int status, const struct http_header *headers,
                         size_t n, int64_t length, struct http_source source)
{
    struct exchange *e = (struct exchange *)x;
    CHECK(!e->answered && status >= 200 && status <= 599 && length >= -1);
    e->answered = true;
    e->source = source;
    e->has_source = true;
    if (!all_clean(headers, n)) {
        status = 500;
        n = 0;
        length = 0;
    }
    e->source_chunked = length < 0;
    e->source_left = length;
    e->source_ended = bodiless(e, status) || length == 0;
    decide_close(e);
    /* Room for the first piece behind the head, so that both go out together, and for the frame
     * of a chunk. */
    head_reserve(e, headers, n, e->source_ended ? 0 : HTTP_PIECE + 32);
    bool unsaid = status == 204 || (status == 304 && length < 0);
    head_put(e, status, headers, n, unsaid ? -2 : length);
    hand_over(e);
}

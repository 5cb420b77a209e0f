#include "parser.h"

#include <strings.h>

/* RFC 9110 5.6.2 (token), RFC 5234 (VCHAR). */
enum { TOKEN = 1, TARGET = 2, TEXT = 4, HOST = 8 };

static const unsigned char classes[256] = {
    ['\t'] = TEXT,
    [' '] = TEXT,
    ['!'] = TOKEN | TARGET | TEXT,
    ['"'] = TARGET | TEXT,
    ['#'] = TOKEN | TEXT, /* a fragment is never sent: no part of a target */
    ['$'] = TOKEN | TARGET | TEXT,
    ['%'] = TOKEN | TARGET | TEXT | HOST,
    ['&'] = TOKEN | TARGET | TEXT,
    ['\''] = TOKEN | TARGET | TEXT,
    ['('] = TARGET | TEXT,
    [')'] = TARGET | TEXT,
    ['*'] = TOKEN | TARGET | TEXT,
    ['+'] = TOKEN | TARGET | TEXT,
    [','] = TARGET | TEXT,
    ['-'] = TOKEN | TARGET | TEXT | HOST,
    ['.'] = TOKEN | TARGET | TEXT | HOST,
    ['/'] = TARGET | TEXT,
    ['0' ... '9'] = TOKEN | TARGET | TEXT | HOST,
    [':'] = TARGET | TEXT | HOST,
    [';' ... '@'] = TARGET | TEXT,
    ['A' ... 'Z'] = TOKEN | TARGET | TEXT | HOST,
    ['['] = TARGET | TEXT | HOST,
    ['\\'] = TARGET | TEXT,
    [']'] = TARGET | TEXT | HOST,
    ['^'] = TOKEN | TARGET | TEXT,
    ['_'] = TOKEN | TARGET | TEXT | HOST,
    ['`'] = TOKEN | TARGET | TEXT,
    ['a' ... 'z'] = TOKEN | TARGET | TEXT | HOST,
    ['{'] = TARGET | TEXT,
    ['|'] = TOKEN | TARGET | TEXT,
    ['}'] = TARGET | TEXT,
    ['~'] = TOKEN | TARGET | TEXT | HOST,
    [128 ... 255] = TEXT, /* obs-text */
};

static bool is(char c, unsigned char_class)
{
    return (classes[(unsigned char)c] & char_class) != 0;
}

static bool all(struct str s, unsigned char_class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is(s.p[i], char_class))
            return false;
    return true;
}

static const struct {
    int status;
    const char *words;
} results[] = {
#define ROW(name, status, words) [name] = {status, words},
    HTTP_PARSE_RESULTS(ROW)
#undef ROW
};

int http_parse_status(enum http_parse r)
{
    return results[r].status;
}

const char *http_parse_words(enum http_parse r)
{
    return results[r].words;
}

void http_head_init(struct http_head *h)
{
    /* The table of headers is left as it is: n_headers says what of it counts. */
    memset(h, 0, offsetof(struct http_head, headers));
}

static struct http_span span(const char *base, struct str s)
{
    return (struct http_span){(uint16_t)(s.p - base), (uint16_t)s.n};
}

static enum http_parse request_line(struct http_head *h, const char *base, struct str line)
{
    ptrdiff_t sp = str_find_char(line, ' ');
    if (sp <= 0)
        return HTTP_BAD_LINE;
    struct str method = str_take(line, (size_t)sp);
    if (method.n > HTTP_METHOD_MAX || !all(method, TOKEN))
        return HTTP_BAD_METHOD;
    struct str rest = str_skip(line, (size_t)sp + 1);
    sp = str_find_char(rest, ' ');
    if (sp < 0)
        return HTTP_BAD_LINE;
    struct str target = str_take(rest, (size_t)sp);
    struct str version = str_skip(rest, (size_t)sp + 1);
    if (target.n == 0 || target.p[0] != '/' || !all(target, TARGET))
        return HTTP_BAD_TARGET;
    if (!str_starts_c(version, "HTTP/") || version.n != 8)
        return HTTP_BAD_LINE;
    if (!str_is(version, "HTTP/1.1"))
        return HTTP_BAD_VERSION;
    h->method = span(base, method);
    h->target = span(base, target);
    h->line_seen = true;
    return HTTP_OK;
}

/* RFC 9112 6.3: a list of lengths may be repaired; here any second length is refused. */
static enum http_parse content_length(struct http_head *h, struct str v)
{
    if (h->has_length)
        return HTTP_TWO_LENGTHS;
    if (v.n == 0 || v.n > HTTP_LENGTH_DIGITS_MAX)
        return HTTP_BAD_LENGTH;
    int64_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return HTTP_BAD_LENGTH;
        n = n * 10 + (v.p[i] - '0');
    }
    h->length = n;
    h->has_length = true;
    return HTTP_OK;
}

static void connection_tokens(struct http_head *h, struct str v)
{
    struct str rest = v;
    while (rest.p != NULL)
        if (str_is_i(str_trim(str_cut(&rest, ',')), "close"))
            h->close = true;
}

/* The headers that decide about framing. Lengths first: most names match none. */
static enum http_parse special(struct http_head *h, struct str name, struct str v)
{
    if (name.n == 4 && str_is_i(name, "host")) {
        if (h->host_seen)
            return HTTP_TWO_HOSTS;
        h->host_seen = true;
        return v.n > 0 && v.n <= 261 && all(v, HOST) ? HTTP_OK : HTTP_BAD_HOST;
    }
    if (name.n == 14 && str_is_i(name, "content-length"))
        return content_length(h, v);
    if (name.n == 17 && str_is_i(name, "transfer-encoding")) {
        if (h->chunked || !str_is_i(v, "chunked"))
            return HTTP_BAD_ENCODING;
        h->chunked = true;
    }
    if (name.n == 10 && str_is_i(name, "connection"))
        connection_tokens(h, v);
    if (name.n == 6 && str_is_i(name, "expect")) {
        if (!str_is_i(v, "100-continue"))
            return HTTP_BAD_EXPECT;
        h->expect_continue = true;
    }
    return HTTP_OK;
}

static struct str trim_blanks(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_skip(s, 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static enum http_parse header_line(struct http_head *h, const char *base, struct str line)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return HTTP_FOLDED;
    size_t n = 0;
    while (n < line.n && is(line.p[n], TOKEN))
        n++;
    if (n < line.n && n > 0 && (line.p[n] == ' ' || line.p[n] == '\t'))
        return HTTP_SPACE_BEFORE_COLON;
    if (n == 0 || n == line.n || line.p[n] != ':')
        return HTTP_BAD_NAME;
    if (h->n_headers == HTTP_HEADERS_MAX)
        return HTTP_TOO_MANY_HEADERS;
    struct str name = str_take(line, n);
    struct str value = trim_blanks(str_skip(line, n + 1));
    h->headers[h->n_headers].name = span(base, name);
    h->headers[h->n_headers].value = span(base, value);
    h->n_headers++;
    return special(h, name, value);
}

static enum http_parse head_end(const struct http_head *h)
{
    if (!h->host_seen)
        return HTTP_NO_HOST;
    if (h->chunked && h->has_length)
        return HTTP_LENGTH_AND_CHUNKED;
    return HTTP_OK;
}

/* One line without its CR LF. HTTP_MORE: go on with the next one; HTTP_OK: that was the end. */
static enum http_parse one_line(struct http_head *h, const char *base, struct str line)
{
    if (line.n == 0 && h->line_seen)
        return head_end(h);
    if (line.n == 0) {
        /* RFC 9112 2.2: one empty line before the request line is overlooked. */
        if (h->blank_seen)
            return HTTP_BAD_LINE;
        h->blank_seen = true;
        return HTTP_MORE;
    }
    enum http_parse r = h->line_seen ? header_line(h, base, line) : request_line(h, base, line);
    return r == HTTP_OK ? HTTP_MORE : r;
}

enum http_parse http_head_feed(struct http_head *h, const char *p, size_t n)
{
    for (;;) {
        size_t limit = h->line_seen ? HTTP_HEAD_MAX : h->line + HTTP_LINE_MAX;
        size_t stop = n < limit ? n : limit;
        size_t i = h->scan;
        while (i < stop && is(p[i], TEXT) && (i == 0 || p[i - 1] != '\r'))
            i++;
        h->scan = i;
        if (i >= limit)
            return h->line_seen ? HTTP_HEAD_TOO_LARGE : HTTP_LINE_TOO_LONG;
        if (i == n)
            return HTTP_MORE;
        bool after_cr = i > h->line && p[i - 1] == '\r';
        if (p[i] != '\n') {
            if (after_cr)
                return HTTP_BARE_CR;
            if (p[i] != '\r')
                return HTTP_BAD_CHAR;
            h->scan = i + 1;
            continue;
        }
        if (!after_cr)
            return HTTP_BARE_LF;
        struct str line = {p + h->line, i - 1 - h->line};
        h->scan = h->line = i + 1;
        enum http_parse r = one_line(h, p, line);
        if (r != HTTP_MORE)
            return r;
    }
}

/* -- chunked ------------------------------------------------------------------------------------
 */

enum {
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the beginning of a trailer line */
    CHUNK_FIELD,
    CHUNK_FIELD_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
};

void http_chunks_init(struct http_chunks *d)
{
    memset(d, 0, sizeof *d);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum http_parse chunk_size_byte(struct http_chunks *d, char c)
{
    int v = hex_digit(c);
    if (v >= 0) {
        if (++d->digits > HTTP_CHUNK_DIGITS_MAX)
            return HTTP_BAD_CHUNK;
        d->left = d->left * 16 + (unsigned)v;
        return HTTP_MORE;
    }
    if (d->digits == 0)
        return HTTP_BAD_CHUNK;
    d->digits = 0;
    d->ext = 0;
    if (c != ';' && c != '\r')
        return HTTP_BAD_CHUNK;
    d->state = c == ';' ? CHUNK_EXT : CHUNK_SIZE_LF;
    return HTTP_MORE;
}

static enum http_parse trailer_byte(struct http_chunks *d, char c)
{
    if (++d->trailer > HTTP_TRAILER_MAX)
        return HTTP_TRAILER_TOO_LARGE;
    if (d->state == CHUNK_TRAILER) {
        if (c == '\r') {
            d->state = CHUNK_END_LF;
            return HTTP_MORE;
        }
        if (!is(c, TOKEN))
            return HTTP_BAD_TRAILER;
        d->in_name = true;
        d->state = CHUNK_FIELD;
        return HTTP_MORE;
    }
    if (d->in_name) {
        d->in_name = c != ':';
        return c == ':' || is(c, TOKEN) ? HTTP_MORE : HTTP_BAD_TRAILER;
    }
    if (c == '\r')
        d->state = CHUNK_FIELD_LF;
    else if (!is(c, TEXT))
        return HTTP_BAD_TRAILER;
    return HTTP_MORE;
}

/* A byte that must be `want`, and the state after it. */
static enum http_parse chunk_expect(struct http_chunks *d, char c, char want, int next)
{
    if (c != want)
        return HTTP_BAD_CHUNK;
    d->state = next;
    return HTTP_MORE;
}

static enum http_parse chunk_byte(struct http_chunks *d, char c)
{
    switch (d->state) {
    case CHUNK_SIZE:
        return chunk_size_byte(d, c);
    case CHUNK_EXT:
        if (c == '\r')
            d->state = CHUNK_SIZE_LF;
        else if (!is(c, TEXT) || ++d->ext > HTTP_CHUNK_EXT_MAX)
            return HTTP_BAD_CHUNK;
        return HTTP_MORE;
    case CHUNK_SIZE_LF:
        return chunk_expect(d, c, '\n', d->left == 0 ? CHUNK_TRAILER : CHUNK_DATA);
    case CHUNK_DATA_CR:
        return chunk_expect(d, c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return chunk_expect(d, c, '\n', CHUNK_SIZE);
    case CHUNK_TRAILER:
    case CHUNK_FIELD:
        return trailer_byte(d, c);
    case CHUNK_FIELD_LF:
        return chunk_expect(d, c, '\n', CHUNK_TRAILER);
    default:
        return chunk_expect(d, c, '\n', CHUNK_DONE);
    }
}

enum http_parse http_chunks_feed(struct http_chunks *d, char *p, size_t n, size_t *used,
                                 size_t *out_n)
{
    size_t i = 0, out = 0;
    enum http_parse r = HTTP_MORE;
    while (i < n && d->state != CHUNK_DONE && r == HTTP_MORE) {
        if (d->state == CHUNK_DATA) {
            size_t take = n - i < d->left ? n - i : (size_t)d->left;
            memmove(p + out, p + i, take);
            out += take;
            i += take;
            d->left -= take;
            if (d->left == 0)
                d->state = CHUNK_DATA_CR;
        } else {
            r = chunk_byte(d, p[i++]);
        }
    }
    *used = i;
    *out_n = out;
    if (r == HTTP_MORE && d->state == CHUNK_DONE)
        return HTTP_OK;
    return r;
}

#include "jtext.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Checking. A checker returns where it stopped; *why is set when that is a fault. */

static const char *check_escape(const char *p, const char *end, const char **why)
{
    if (p < end && *p == 'u') {
        for (int i = 1; i <= 4; i++) {
            if (p + i >= end || hex_value(p[i]) < 0) {
                *why = "a broken \\u escape";
                return p;
            }
        }
        return p + 5;
    }
    if (p < end && strchr("\"\\/bfnrt", *p) != NULL && *p != '\0')
        return p + 1;
    *why = "an unknown escape";
    return p;
}

/* `p` is behind the opening quote. */
static const char *check_string(const char *p, const char *end, const char **why)
{
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            return p + 1;
        if (c < 0x20) {
            *why = "a control character in a string";
            return p;
        }
        p++;
        if (c == '\\') {
            p = check_escape(p, end, why);
            if (*why != NULL)
                return p;
        }
    }
    *why = "a string without an end";
    return p;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static const char *check_number(const char *p, const char *end, const char **why)
{
    if (p < end && *p == '-')
        p++;
    const char *digits = p;
    p = skip_digits(p, end);
    bool ok = p > digits && (*digits != '0' || p == digits + 1);
    if (ok && p < end && *p == '.') {
        digits = p + 1;
        p = skip_digits(digits, end);
        ok = p > digits;
    }
    if (ok && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        ok = p > digits;
    }
    if (!ok)
        *why = "a broken number";
    return p;
}

static const char *check_scalar(const char *p, const char *end, const char **why)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*p == '"')
        return check_string(p + 1, end, why);
    if (*p == '-' || is_digit(*p))
        return check_number(p, end, why);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0)
            return p + n;
    }
    *why = "something that is no value";
    return p;
}

/* A member's name and its colon. */
static const char *check_key(const char *p, const char *end, const char **why)
{
    p = skip_blanks(p, end);
    if (p == end || *p != '"') {
        *why = "a member without a name";
        return p;
    }
    p = check_string(p + 1, end, why);
    if (*why != NULL)
        return p;
    p = skip_blanks(p, end);
    if (p == end || *p != ':') {
        *why = "a member without a colon";
        return p;
    }
    return p + 1;
}

struct nest {
    int depth, max;
    uint64_t objects; /* bit i: the container at depth i is an object */
    bool too_deep;
};

static bool nest_in_object(const struct nest *n)
{
    return (n->objects >> (n->depth - 1)) & 1;
}

/* The start of a container; *out_empty: it has ended already. */
static const char *check_open(const char *p, const char *end, struct nest *n, bool *out_empty,
                              const char **why)
{
    bool object = *p == '{';
    if (n->depth == n->max) {
        n->too_deep = true;
        *why = "too many levels";
        return p;
    }
    if (object)
        n->objects |= UINT64_C(1) << n->depth;
    else
        n->objects &= ~(UINT64_C(1) << n->depth);
    n->depth++;
    p = skip_blanks(p + 1, end);
    *out_empty = p < end && *p == (object ? '}' : ']');
    if (*out_empty)
        return p; /* check_after() takes the bracket */
    return object ? check_key(p, end, why) : p;
}

/* What follows a value: closing brackets, then a comma (and a key), or the end of the text. */
static const char *check_after(const char *p, const char *end, struct nest *n, const char **why)
{
    while (n->depth > 0) {
        p = skip_blanks(p, end);
        if (p == end) {
            *why = "no end";
            return p;
        }
        bool object = nest_in_object(n);
        if (*p == ',')
            return object ? check_key(p + 1, end, why) : p + 1;
        if (*p != (object ? '}' : ']')) {
            *why = "a missing comma or bracket";
            return p;
        }
        p++;
        n->depth--;
    }
    return p;
}

static const char *check_document(const char *p, const char *end, struct nest *n, const char **why)
{
    do {
        p = skip_blanks(p, end);
        if (p == end) {
            *why = "no value";
            return p;
        }
        if (*p == '{' || *p == '[') {
            bool empty = false;
            p = check_open(p, end, n, &empty, why);
            if (*why != NULL)
                return p;
            if (!empty)
                continue;
        } else {
            p = check_scalar(p, end, why);
        }
        if (*why == NULL)
            p = check_after(p, end, n, why);
    } while (*why == NULL && n->depth > 0);
    return p;
}

struct err *jtext_check(struct str text, int max_depth)
{
    CHECK(max_depth > 0 && max_depth <= JTEXT_DEPTH_MAX);
    if (!str_utf8_valid(text))
        return err_new(ERR_INVALID, "not JSON: it is not UTF-8");
    struct nest n = {.max = max_depth};
    const char *why = NULL, *end = text.p + text.n;
    const char *p = check_document(text.p, end, &n, &why);
    if (why == NULL) {
        p = skip_blanks(p, end);
        if (p == end)
            return NULL;
        why = "something behind the end";
    }
    size_t at = text.n == 0 ? 0 : (size_t)(p - text.p);
    return err_new(n.too_deep ? ERR_LIMIT : ERR_INVALID, "not JSON: %s at byte %zu", why, at);
}

/* Reading checked text. */

enum jtext_type jtext_type(struct str raw)
{
    if (raw.n == 0)
        return JT_NONE;
    switch (raw.p[0]) {
    case '{':
        return JT_OBJECT;
    case '[':
        return JT_ARRAY;
    case '"':
        return JT_STRING;
    case 'n':
        return JT_NULL;
    case 't':
    case 'f':
        return JT_BOOL;
    default:
        return JT_NUMBER;
    }
}

/* `p` is behind the opening quote. */
static const char *skip_string(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    return p < end ? p + 1 : end;
}

static const char *skip_container(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        char c = *p++;
        if (c == '"') {
            p = skip_string(p, end);
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (--depth == 0)
                break;
        }
    }
    return p;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && (*p == '{' || *p == '['))
        return skip_container(p, end);
    if (p < end && *p == '"')
        return skip_string(p + 1, end);
    while (p < end && !is_blank(*p) && *p != ',' && *p != '}' && *p != ']')
        p++;
    return p;
}

struct jtext_iter jtext_iter(struct str raw)
{
    struct jtext_iter it = {0};
    enum jtext_type t = jtext_type(raw);
    if (t == JT_OBJECT || t == JT_ARRAY) {
        it.p = raw.p + 1;
        it.end = raw.p + raw.n;
        it.object = t == JT_OBJECT;
    }
    return it;
}

bool jtext_next(struct jtext_iter *it, struct str *out_key, struct str *out_value)
{
    const char *p = skip_blanks(it->p, it->end);
    if (p < it->end && *p == ',')
        p = skip_blanks(p + 1, it->end);
    if (p >= it->end || *p == '}' || *p == ']') {
        it->p = it->end;
        return false;
    }
    struct str key = STR_NONE;
    if (it->object) {
        const char *from = p;
        p = skip_string(p + 1, it->end);
        key = str_of(from, (size_t)(p - from));
        p = skip_blanks(p, it->end);
        if (p < it->end)
            p = skip_blanks(p + 1, it->end); /* the colon */
    }
    const char *from = p;
    p = skip_value(p, it->end);
    *out_key = key;
    *out_value = str_of(from, (size_t)(p - from));
    it->p = p;
    return true;
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (unsigned)(hex_value(p[i]) & 15);
    return v;
}

static void add_code_point(struct buf *out, unsigned c)
{
    if (c < 0x80) {
        buf_char(out, (char)c);
    } else if (c < 0x800) {
        buf_char(out, (char)(0xC0 | c >> 6));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_char(out, (char)(0xE0 | c >> 12));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_char(out, (char)(0xF0 | c >> 18));
        buf_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

/* `p` is at the u; RFC 8259, section 7: beyond the basic plane two escapes make one character. */
static const char *decode_u(struct buf *out, const char *p, const char *end)
{
    unsigned c = hex4(p + 1);
    p += 5;
    if (c >= 0xD800 && c < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        unsigned low = hex4(p + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            add_code_point(out, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
            return p + 6;
        }
    }
    add_code_point(out, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);
    return p;
}

bool jtext_decode(struct buf *out, struct str raw)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (jtext_type(raw) != JT_STRING || raw.n < 2)
        return false;
    const char *p = raw.p + 1, *end = raw.p + raw.n - 1;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const char *stop = slash == NULL ? end : slash;
        buf_add(out, p, (size_t)(stop - p));
        p = stop;
        if (slash == NULL || ++p >= end)
            break;
        if (*p == 'u') {
            p = decode_u(out, p, end);
            continue;
        }
        const char *letter = strchr(from, *p);
        buf_char(out, letter == NULL ? *p : to[letter - from]);
        p++;
    }
    return true;
}

bool jtext_is(struct str raw, const char *text)
{
    size_t n = strlen(text);
    if (jtext_type(raw) != JT_STRING || raw.n < n + 2)
        return false;
    if (memchr(raw.p, '\\', raw.n) == NULL)
        return raw.n == n + 2 && memcmp(raw.p + 1, text, n) == 0;
    CLEANUP(buf_clear) struct buf decoded = BUF_INIT(raw.n);
    return jtext_decode(&decoded, raw) && str_is(buf_view(&decoded), text);
}

struct str jtext_get(struct str raw, const char *key)
{
    if (jtext_type(raw) != JT_OBJECT)
        return STR_NONE;
    struct jtext_iter it = jtext_iter(raw);
    for (struct str k, v; jtext_next(&it, &k, &v);) {
        if (jtext_is(k, key))
            return v;
    }
    return STR_NONE;
}

struct str jtext_str(struct arena *a, struct str raw)
{
    if (jtext_type(raw) != JT_STRING || raw.n < 2)
        return STR_NONE;
    if (memchr(raw.p, '\\', raw.n) == NULL)
        return arena_str(a, str_of(raw.p + 1, raw.n - 2));
    /* What an escape stands for is never longer than the escape. */
    CLEANUP(buf_clear) struct buf decoded = BUF_INIT(raw.n);
    return jtext_decode(&decoded, raw) ? arena_str(a, buf_view(&decoded)) : STR_NONE;
}

struct str jtext_get_str(struct arena *a, struct str raw, const char *key)
{
    return jtext_str(a, jtext_get(raw, key));
}

void jtext_compact(struct buf *out, struct str raw)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    while (p < end) {
        const char *from = p;
        if (*p == '"') {
            p = skip_string(p + 1, end);
        } else {
            while (p < end && *p != '"' && !is_blank(*p))
                p++;
        }
        buf_add(out, from, (size_t)(p - from));
        p = skip_blanks(p, end);
    }
}

/* The length of the UTF-8 sequence at the start of `s`; 0: it is not one. */
static size_t utf8_sequence(struct str s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++) {
        if (str_utf8_valid(str_take(s, n)))
            return n;
    }
    return 0;
}

void jtext_quote(struct buf *out, struct str s)
{
    buf_char(out, '"');
    while (s.n > 0) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = 1;
        if (c == '"' || c == '\\') {
            buf_char(out, '\\');
            buf_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7F) {
            buf_fmt(out, "\\u%04x", c);
        } else if (c < 0x80) {
            buf_char(out, (char)c);
        } else if ((n = utf8_sequence(s)) > 0) {
            buf_add(out, s.p, n);
        } else {
            buf_c(out, "\xEF\xBF\xBD");
            n = 1;
        }
        s = str_skip(s, n);
    }
    buf_char(out, '"');
}

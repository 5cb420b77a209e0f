#include "jsonparse.h"

#include <math.h>

/* Runs only over text that simdjson refused, to tell the client where. */

struct scan {
    struct str text;
    size_t at;
    int depth, max_depth;
};

static int peek(const struct scan *s)
{
    return s->at < s->text.n ? (unsigned char)s->text.p[s->at] : -1;
}

static void blanks(struct scan *s)
{
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\r' || peek(s) == '\n')
        s->at++;
}

static bool digits(struct scan *s)
{
    size_t from = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > from;
}

static const char *number(struct scan *s)
{
    size_t from = s->at;
    if (peek(s) == '-')
        s->at++;
    if (peek(s) == '0')
        s->at++;
    else if (!digits(s))
        return "a digit is missing";
    if (peek(s) >= '0' && peek(s) <= '9')
        return "a number with a leading zero";
    if (peek(s) == '.') {
        s->at++;
        if (!digits(s))
            return "a digit is missing behind the decimal point";
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        if (!digits(s))
            return "a digit is missing in the exponent";
    }
    /* strtod stops at the first byte that is not of the number, or at this copy's NUL. */
    size_t n = s->at - from;
    char *copy = malloc(n + 1);
    CHECK(copy != NULL);
    memcpy(copy, s->text.p + from, n);
    copy[n] = '\0';
    double v = strtod(copy, NULL);
    free(copy);
    if (isinf(v)) {
        s->at = from;
        return "a number that is too large";
    }
    return NULL;
}

static bool hex4(const struct scan *s, size_t at, unsigned *out)
{
    unsigned v = 0;
    for (size_t i = at; i < at + 4; i++) {
        char c = i < s->text.n ? s->text.p[i] : '?';
        if (c >= '0' && c <= '9')
            v = v << 4 | (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v << 4 | (unsigned)((c | 32) - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

/* Behind a backslash. */
static const char *escape(struct scan *s)
{
    int c = peek(s);
    if (c != 'u') {
        if (c <= 0 || strchr("\"\\/bfnrt", c) == NULL)
            return "an unknown escape in a string";
        s->at++;
        return NULL;
    }
    unsigned v, low;
    if (!hex4(s, s->at + 1, &v))
        return "a \\u escape without four hexadecimal digits";
    if (v >= 0xd800 && v <= 0xdfff) {
        bool pair = v < 0xdc00 && s->at + 6 < s->text.n && s->text.p[s->at + 5] == '\\' &&
                    s->text.p[s->at + 6] == 'u' && hex4(s, s->at + 7, &low) && low >= 0xdc00 &&
                    low <= 0xdfff;
        if (!pair)
            return "half of a surrogate pair";
        s->at += 6;
    }
    s->at += 5;
    return NULL;
}

static const char *string(struct scan *s)
{
    size_t from = s->at++;
    for (;;) {
        int c = peek(s);
        if (c < 0) {
            s->at = from;
            return "a string without an end";
        }
        if (c < 0x20)
            return "a control character in a string";
        if (c == '"') {
            s->at++;
            return NULL;
        }
        if (c == '\\') {
            s->at++;
            const char *what = escape(s);
            if (what != NULL)
                return what;
            continue;
        }
        size_t len = str_utf8_next(str_skip(s->text, s->at));
        if (len == 0)
            return "a byte that is not UTF-8";
        s->at += len;
    }
}

static const char *value(struct scan *s);

static const char *key_and_colon(struct scan *s)
{
    blanks(s);
    if (peek(s) != '"')
        return "a key in quotes is missing";
    const char *what = string(s);
    if (what != NULL)
        return what;
    blanks(s);
    if (peek(s) != ':')
        return "a ':' is missing";
    s->at++;
    return NULL;
}

static const char *container(struct scan *s, bool object)
{
    char end = object ? '}' : ']';
    s->at++;
    blanks(s);
    if (peek(s) == end) {
        s->at++;
        return NULL;
    }
    for (;;) {
        const char *what = object ? key_and_colon(s) : NULL;
        if (what == NULL)
            what = value(s);
        if (what != NULL)
            return what;
        blanks(s);
        int c = peek(s);
        if (c != ',' && c != end)
            return object ? "a ',' or '}' is missing" : "a ',' or ']' is missing";
        s->at++;
        if (c == end)
            return NULL;
    }
}

static const char *word(struct scan *s, struct str expected)
{
    if (!str_starts(str_skip(s->text, s->at), expected))
        return "an unknown word";
    s->at += expected.n;
    return NULL;
}

static const char *value(struct scan *s)
{
    blanks(s);
    int c = peek(s);
    switch (c) {
    case '{':
    case '[':
        if (++s->depth > s->max_depth)
            return "";
        const char *what = container(s, c == '{');
        s->depth--;
        return what;
    case '"':
        return string(s);
    case 't':
        return word(s, STR("true"));
    case 'f':
        return word(s, STR("false"));
    case 'n':
        return word(s, STR("null"));
    case -1:
        return "the end comes too early";
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return number(s);
        return "a value is missing";
    }
}

const char *json_fault(struct str text, int max_depth, size_t *out_at)
{
    struct scan s = {.text = text, .max_depth = max_depth};
    const char *what = value(&s);
    if (what == NULL) {
        blanks(&s);
        if (peek(&s) >= 0)
            what = "something follows the end of the value";
    }
    *out_at = s.at;
    return what;
}

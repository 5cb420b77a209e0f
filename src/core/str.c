#include "str.h"

#include <errno.h>
#include <math.h>

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Not strncasecmp: it stops at a NUL, and what follows would not count. */
bool str_ieq(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (a.p[i] != b.p[i] && lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (d != 0)
        return d;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_take(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

bool str_starts_c(struct str s, const char *prefix)
{
    return str_starts(s, str_c(prefix));
}

bool str_ends_c(struct str s, const char *suffix)
{
    return str_ends(s, str_c(suffix));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = str_skip(s, 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return -1;
    const char *at = memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? -1 : at - s.p;
}

ptrdiff_t str_find_char(struct str s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
    return at == NULL ? -1 : at - s.p;
}

ptrdiff_t str_rfind_char(struct str s, char c)
{
    const char *at = s.n == 0 ? NULL : memrchr(s.p, c, s.n);
    return at == NULL ? -1 : at - s.p;
}

struct str str_cut(struct str *rest, char sep)
{
    ptrdiff_t at = str_find_char(*rest, sep);
    struct str piece = *rest;
    if (at < 0) {
        *rest = STR_NONE;
        return piece;
    }
    *rest = str_skip(*rest, (size_t)at + 1);
    piece.n = (size_t)at;
    return piece;
}

bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    struct str digits = minus ? str_skip(s, 1) : s;
    if (digits.n == 0 || digits.n > 19)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(digits.p[i] - '0'); /* 19 digits stay below 2^64 */
    }
    if (v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return false;
    int64_t value = minus ? (int64_t)(0 - v) : (int64_t)v;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool str_to_double(struct str s, double *out)
{
    char text[64];
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (strchr("0123456789+-.eE", s.p[i]) == NULL || s.p[i] == '\0')
            return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *end = NULL;
    double v = strtod(text, &end);
    if (end != text + s.n || !isfinite(v))
        return false;
    *out = v;
    return true;
}

bool str_eq_secret(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    volatile unsigned char diff = 0;
    for (size_t i = 0; i < a.n; i++)
        diff |= (unsigned char)(a.p[i] ^ b.p[i]);
    return diff == 0;
}

/* Unicode 15, table 3-7. */
size_t str_utf8_next(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

bool str_utf8_valid(struct str s)
{
    while (s.n > 0) {
        /* Eight bytes of ASCII at once: most text is nothing else. */
        uint64_t word;
        if (s.n >= sizeof word) {
            memcpy(&word, s.p, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                s = str_skip(s, sizeof word);
                continue;
            }
        }
        size_t len = str_utf8_next(s);
        if (len == 0)
            return false;
        s = str_skip(s, len);
    }
    return true;
}

size_t str_utf8_count(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return count;
}

/* The length of the character at s[i]; a byte that is not UTF-8 counts as one. */
static size_t char_len(struct str s, size_t i)
{
    if ((unsigned char)s.p[i] < 0x80)
        return 1;
    size_t len = str_utf8_next(str_skip(s, i));
    return len == 0 ? 1 : len;
}

bool str_wildcard(struct str pattern, struct str s)
{
    size_t pi = 0, si = 0, star = SIZE_MAX, mark = 0;
    while (si < s.n) {
        if (pi < pattern.n && pattern.p[pi] == '*') {
            star = pi++;
            mark = si;
        } else if (pi < pattern.n && pattern.p[pi] == '?') {
            pi++;
            si += char_len(s, si);
        } else if (pi < pattern.n && pattern.p[pi] == s.p[si]) {
            pi++;
            si++;
        } else if (star != SIZE_MAX) {
            pi = star + 1;
            mark += char_len(s, mark);
            si = mark;
        } else {
            return false;
        }
    }
    while (pi < pattern.n && pattern.p[pi] == '*')
        pi++;
    return pi == pattern.n;
}

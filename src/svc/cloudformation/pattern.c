/* AllowedPattern: the part of Java's regular expressions that POSIX has too, on the C library's
 * matcher. Its automata can grow without limit through counted repeats ((a{255}){255}), so the
 * size is reckoned first and what is too large, and back references, are refused. */
#include "template.h"

#include <regex.h>

enum { GROUPS_MAX = 32 };

/* The number of automaton nodes a pattern unrolls into; a large number if it is out of reach. */
static size_t nodes(struct str p)
{
    size_t total[GROUPS_MAX] = {0}, last[GROUPS_MAX] = {0};
    int depth = 0;
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i];
        size_t atom = 1;
        if (c == '\\') {
            i++;
        } else if (c == '[') {
            size_t k = i + 1;
            if (k < p.n && p.p[k] == '^')
                k++;
            if (k < p.n && p.p[k] == ']')
                k++;
            while (k < p.n && p.p[k] != ']')
                k++;
            i = k;
        } else if (c == '(') {
            if (++depth >= GROUPS_MAX)
                return SIZE_MAX;
            total[depth] = last[depth] = 0;
            continue;
        } else if (c == ')' && depth > 0) {
            atom = total[depth--] + 1;
        } else if (c == '{') {
            int64_t max = 0, n = 0;
            for (i++; i < p.n && p.p[i] != '}'; i++) {
                n = p.p[i] >= '0' && p.p[i] <= '9' && n < 100000 ? n * 10 + (p.p[i] - '0') : 0;
                max = n > max ? n : max;
            }
            total[depth] += last[depth] * (size_t)(max > 0 ? max : 1);
            if (total[depth] > PATTERN_NODES_MAX)
                return SIZE_MAX;
            continue;
        }
        total[depth] += atom;
        last[depth] = atom;
        if (total[depth] > PATTERN_NODES_MAX)
            return SIZE_MAX;
    }
    return depth == 0 ? total[0] : SIZE_MAX;
}

/* Java's spelling into POSIX's: \d, \D inside and outside of brackets, (?: into (. */
static bool translate(struct str p, struct buf *b)
{
    bool bracket = false;
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i], next = i + 1 < p.n ? p.p[i + 1] : '\0';
        if (c == '\\') {
            i++;
            if (next == '\0' || (next >= '1' && next <= '9'))
                return false;
            if (next == 'd')
                buf_c(b, bracket ? "0-9" : "[0-9]");
            else if (next == 'w')
                buf_c(b, bracket ? "A-Za-z0-9_" : "[A-Za-z0-9_]");
            else if (next == 's')
                buf_c(b, bracket ? "[:space:]" : "[[:space:]]");
            else if (!bracket && (next == 'D' || next == 'W' || next == 'S'))
                buf_c(b, next == 'D' ? "[^0-9]" : next == 'W' ? "[^A-Za-z0-9_]" : "[^[:space:]]");
            else if (strchr("aAbBzZGQEpPuxck", next) != NULL)
                return false;
            else if (bracket)
                buf_char(b, next); /* \- at another place than the end means itself by range */
            else
                buf_fmt(b, "\\%c", next);
            continue;
        }
        if (!bracket && c == '(' && next == '?') {
            if (i + 2 >= p.n || p.p[i + 2] != ':')
                return false;
            i += 2;
        }
        if (c == '[' && !bracket)
            bracket = true;
        else if (c == ']')
            bracket = false;
        buf_char(b, c);
    }
    return true;
}

bool pattern_fits(struct str pattern, struct str value, bool *out_bad)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(16384);
    *out_bad = true;
    if (pattern.n > 1024 || nodes(pattern) > PATTERN_NODES_MAX ||
        memchr(pattern.p, '\0', pattern.n) != NULL)
        return false;
    buf_c(&b, "^(");
    if (!translate(pattern, &b))
        return false;
    buf_c(&b, ")$");
    buf_char(&b, '\0');
    regex_t re;
    if (!buf_ok(&b) || regcomp(&re, b.p, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    *out_bad = false;
    struct buf v CLEANUP(buf_clear) = BUF_INIT(2 * PARAMETER_VALUE_MAX);
    buf_str(&v, value);
    buf_char(&v, '\0');
    bool fits = buf_ok(&v) && memchr(v.p, '\0', v.n - 1) == NULL &&
                regexec(&re, v.p, 0, NULL, 0) == 0;
    regfree(&re);
    return fits;
}

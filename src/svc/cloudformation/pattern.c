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

struct set { /* the inside of a bracket, in the order that POSIX wants its special ones in */
    struct buf body; /* classes, ranges and what is not special */
    bool negated, closing, caret, opening, dash;
};

static void set_clear(struct set *s)
{
    buf_clear(&s->body);
}

static void set_char(struct set *s, char c)
{
    if (c == ']')
        s->closing = true;
    else if (c == '^')
        s->caret = true;
    else if (c == '[')
        s->opening = true;
    else if (c == '-')
        s->dash = true;
    else
        buf_char(&s->body, c);
}

static void set_write(const struct set *s, struct buf *b)
{
    if (s->caret && !s->negated && !s->closing && !s->opening && !s->dash && s->body.n == 0) {
        buf_c(b, "\\^");
        return;
    }
    buf_c(b, s->negated ? "[^" : "[");
    buf_c(b, s->closing ? "]" : "");
    buf_str(b, buf_view(&s->body));
    bool lead = s->body.n == 0 && !s->closing && !s->negated; /* "[^" would negate */
    buf_c(b, s->opening && lead ? "[" : "");
    buf_c(b, s->dash && lead && !s->opening ? "-" : "");
    buf_c(b, s->caret ? "^" : "");
    buf_c(b, s->opening && !lead ? "[" : "");
    buf_c(b, s->dash && !(lead && !s->opening) ? "-" : "");
    buf_char(b, ']');
}

/* What stands behind a backslash and means itself; '\0': something else. */
static char plain_escape(char c)
{
    static const char letters[] = "tnrf", meant[] = "\t\n\r\f";
    const char *at = c == '\0' ? NULL : strchr(letters, c);
    if (at != NULL)
        return meant[at - letters];
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return word ? '\0' : c;
}

/* One character of a bracket, and whether it may begin or end a range. */
static bool set_item(struct str p, size_t *i, char *out, const char **out_class)
{
    char c = p.p[*i], next = *i + 1 < p.n ? p.p[*i + 1] : '\0';
    *out_class = NULL;
    *out = c;
    if (c == '[' || (c == '&' && next == '&')) /* Java's unions and intersections */
        return false;
    if (c != '\\')
        return true;
    (*i)++;
    *out_class = next == 'd'   ? "0-9"
                 : next == 'w' ? "A-Za-z0-9_"
                 : next == 's' ? "[:space:]"
                               : NULL;
    *out = plain_escape(next);
    return *out_class != NULL || *out != '\0';
}

/* From the '[' at p[*i] to its ']', where *i then is. */
static bool bracket(struct str p, size_t *i, struct buf *b)
{
    CLEANUP(set_clear) struct set s = {.body = BUF_INIT(2048)};
    size_t k = *i + 1;
    s.negated = k < p.n && p.p[k] == '^';
    k += s.negated;
    for (size_t first = k; k < p.n && (p.p[k] != ']' || k == first); k++) {
        const char *class;
        char from, to;
        if (!set_item(p, &k, &from, &class))
            return false;
        if (class != NULL) {
            buf_c(&s.body, class);
            continue;
        }
        if (k + 2 >= p.n || p.p[k + 1] != '-' || p.p[k + 2] == ']') {
            set_char(&s, from);
            continue;
        }
        k += 2;
        if (!set_item(p, &k, &to, &class) || class != NULL || strchr("[]^-", from) != NULL ||
            strchr("[]^-", to) != NULL || from > to)
            return false; /* ranges of what is special in POSIX */
        buf_char(&s.body, from);
        buf_char(&s.body, '-');
        buf_char(&s.body, to);
    }
    if (k >= p.n)
        return false;
    set_write(&s, b);
    *i = k;
    return buf_ok(&s.body);
}

/* Behind a backslash, outside of brackets. */
static bool escape(char next, struct buf *b)
{
    static const struct {
        char c;
        const char *set;
    } classes[] = {{'d', "[0-9]"},  {'w', "[A-Za-z0-9_]"},  {'s', "[[:space:]]"},
                   {'D', "[^0-9]"}, {'W', "[^A-Za-z0-9_]"}, {'S', "[^[:space:]]"}};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (classes[i].c == next) {
            buf_c(b, classes[i].set);
            return true;
        }
    char c = plain_escape(next);
    if (c == '\0')
        return false;
    if (strchr(".[]{}()*+?|^$\\", c) != NULL)
        buf_char(b, '\\');
    buf_char(b, c);
    return true;
}

/* Java's spelling into POSIX's: \d, \D inside and outside of brackets, (?: into (, lazy quantifiers
 * into greedy ones, which is the same where the whole value must match. false: not to be had. */
static bool translate(struct str p, struct buf *b)
{
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i], next = i + 1 < p.n ? p.p[i + 1] : '\0';
        bool quantifier = c == '*' || c == '+' || c == '?';
        if (c == '\\') {
            i++;
            if (!escape(next, b))
                return false;
            continue;
        }
        if (c == '[') {
            if (!bracket(p, &i, b))
                return false;
            continue;
        }
        if (c == '(' && next == '?') {
            if (i + 2 >= p.n || p.p[i + 2] != ':')
                return false;
            i += 2;
        }
        if (c == '{') {
            for (; i < p.n && p.p[i] != '}'; i++)
                buf_char(b, p.p[i]);
            if (i == p.n)
                return false;
            c = '}';
            quantifier = true;
        }
        buf_char(b, c);
        next = i + 1 < p.n ? p.p[i + 1] : '\0';
        if (quantifier && next == '?')
            i++;
        else if (quantifier && next == '+') /* possessive: takes what it can and gives none back */
            return false;
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

/* str.h: a view of bytes, by value. Never owns, never NUL-terminated by contract.
 *
 * `p` may be NULL only when `n` is 0; a NULL `p` means "absent", an empty string has n == 0 and a
 * non-NULL `p`. Whoever owns the bytes says how long they live (usually a request's arena). */
#ifndef WARD_CORE_STR_H
#define WARD_CORE_STR_H

#include "err.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_ARG(s) (int)(s).n, (s).p == NULL ? "" : (s).p /* for "%.*s" */

/* The smallest are here: with the length of a literal known, most comparisons end at once. */
static inline struct str str_c(const char *c) /* NULL gives STR_NONE */
{
    struct str s = {c, c == NULL ? 0 : strlen(c)};
    return s;
}

static inline struct str str_of(const void *p, size_t n)
{
    struct str s = {(const char *)p, n};
    return s;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *c) /* equals a C string */
{
    if (a.n > 0 && c != NULL && a.p[0] != c[0])
        return false;
    return str_eq(a, str_c(c));
}

bool str_ieq(struct str a, struct str b); /* ASCII case ignored */

static inline bool str_is_i(struct str a, const char *c)
{
    struct str b = str_c(c);
    return a.n == b.n && str_ieq(a, b);
}

int str_cmp(struct str a, struct str b); /* byte order; shorter first on a tie */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_starts_c(struct str s, const char *prefix);
bool str_ends_c(struct str s, const char *suffix);

/* Without the first n bytes (all, if shorter). */
static inline struct str str_skip(struct str s, size_t n)
{
    if (s.p == NULL)
        return s;
    if (n > s.n)
        n = s.n;
    return str_of(s.p + n, s.n - n);
}

/* The first n bytes (all, if shorter). */
static inline struct str str_take(struct str s, size_t n)
{
    return str_of(s.p, n < s.n ? n : s.n);
}

struct str str_trim(struct str s);           /* without blanks, tabs, CR, LF at both ends */
ptrdiff_t str_find(struct str s, struct str needle); /* -1: not there */
ptrdiff_t str_find_char(struct str s, char c);
ptrdiff_t str_rfind_char(struct str s, char c);

/* Cuts *rest at the first `sep`: returns what is before it and moves *rest behind it. At the last
 * piece *rest becomes STR_NONE. Loop with: while (rest.p != NULL) piece = str_cut(&rest, ','); */
struct str str_cut(struct str *rest, char sep);

/* Decimal, the whole string, within [min, max]; false otherwise, *out untouched. */
bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *out);

/* The whole string as a finite decimal number. */
bool str_to_double(struct str s, double *out);

/* Equal in time that does not depend on where they differ (lengths are not secret). */
bool str_eq_secret(struct str a, struct str b);

bool str_utf8_valid(struct str s);

/* The length, 1 to 4, of the well-formed UTF-8 sequence that s begins with; 0: none. */
size_t str_utf8_next(struct str s);

/* Unicode code points in valid UTF-8: AWS's length limits count characters. */
size_t str_utf8_count(struct str s);

/* Shell-like match of '*' (any text) and '?' (one character of UTF-8, as IAM has it), linear in
 * time for each star. */
bool str_wildcard(struct str pattern, struct str s);

#endif

/* Patterns: '*', '?', policy variables, and ARNs part by part.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html and
 * reference_policies_variables.html */
#include "policy_internal.h"

bool arn_split(struct str s, struct str part[ARN_PARTS])
{
    struct str rest = s;
    for (int i = 0; i < ARN_PARTS - 1; i++) {
        if (rest.p == NULL)
            return false;
        part[i] = str_cut(&rest, ':');
    }
    part[ARN_PARTS - 1] = rest;
    return rest.p != NULL && str_is(part[0], "arn");
}

/* -- compiling -------------------------------------------------------------------------------- */

/* Sized beforehand: compiled policies are kept by the thousand. */
struct tokens {
    struct token *v;
    size_t n;
};

static size_t tokens_at_most(struct str text, unsigned flags)
{
    size_t n = 1;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool special = ((flags & GLOB_WILD) != 0 && (c == '*' || c == '?')) ||
                       ((flags & GLOB_VARS) != 0 && c == '$');
        n += special ? 2 : 0;
    }
    return n;
}

static void add(struct tokens *t, struct token token)
{
    t->v[t->n++] = token;
}

static void add_literal(struct arena *a, struct tokens *t, struct str text)
{
    if (text.n > 0)
        add(t, (struct token){.kind = TOKEN_LITERAL, .text = arena_str(a, text)});
}

/* "key" or "key, 'default'", between the braces. */
static bool add_variable(struct arena *a, struct tokens *t, struct str inside)
{
    if (str_is(inside, "*") || str_is(inside, "?") || str_is(inside, "$")) {
        add_literal(a, t, inside);
        return true;
    }
    struct token token = {.kind = TOKEN_VAR, .fallback = STR_NONE};
    struct str fallback = inside;
    token.text = arena_str(a, str_trim(str_cut(&fallback, ',')));
    if (fallback.p != NULL) {
        struct str quoted = str_trim(fallback);
        if (quoted.n < 2 || quoted.p[0] != '\'' || quoted.p[quoted.n - 1] != '\'')
            return false;
        token.fallback = arena_str(a, str_take(str_skip(quoted, 1), quoted.n - 2));
    }
    if (token.text.n == 0)
        return false;
    add(t, token);
    return true;
}

bool glob_compile(struct arena *a, struct str text, unsigned flags, struct glob *out)
{
    struct tokens t = {.v = ARENA_ARRAY(a, tokens_at_most(text, flags), struct token)};
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool wild = (flags & GLOB_WILD) != 0 && (c == '*' || c == '?');
        bool var = (flags & GLOB_VARS) != 0 && c == '$' && i + 1 < text.n && text.p[i + 1] == '{';
        if (!wild && !var)
            continue;
        add_literal(a, &t, str_take(str_skip(text, from), i - from));
        if (var) {
            ptrdiff_t end = str_find_char(str_skip(text, i), '}');
            if (end < 0 || !add_variable(a, &t, str_take(str_skip(text, i + 2), (size_t)end - 2)))
                return false;
            i += (size_t)end;
        } else if (c == '?') {
            add(&t, (struct token){.kind = TOKEN_ONE});
        } else if (t.n == 0 || t.v[t.n - 1].kind != TOKEN_STAR) { /* "**" is "*" */
            add(&t, (struct token){.kind = TOKEN_STAR});
        }
        from = i + 1;
    }
    add_literal(a, &t, str_skip(text, from));
    *out = (struct glob){t.v, t.n};
    return true;
}

/* Where the part that starts at `from` ends: a colon outside a variable, or the end. */
static size_t part_end(struct str text, size_t from, bool variables)
{
    for (size_t i = from; i < text.n; i++) {
        if (text.p[i] == ':')
            return i;
        if (!variables || text.p[i] != '$' || i + 1 == text.n || text.p[i + 1] != '{')
            continue;
        ptrdiff_t end = str_find_char(str_skip(text, i), '}');
        if (end > 0)
            i += (size_t)end;
    }
    return text.n;
}

static size_t literal_head(struct str text, unsigned flags)
{
    size_t n = 0;
    while (n < text.n && text.p[n] != '*' && text.p[n] != '?' &&
           !((flags & GLOB_VARS) != 0 && text.p[n] == '$'))
        n++;
    return n;
}

bool arn_glob_compile(struct arena *a, struct str text, unsigned flags, struct arn_glob *out)
{
    struct arn_glob g = {.any = str_is(text, "*")};
    bool variables = (flags & GLOB_VARS) != 0, ended = false;
    size_t at = 0;
    if (variables && str_starts_c(text, "${")) {
        g.whole = true;
        g.head = STR("");
        if (!glob_compile(a, text, flags, &g.part[0]))
            return false;
        *out = g;
        return true;
    }
    g.head = arena_str(a, str_take(text, literal_head(text, flags)));
    for (int i = 0; i < ARN_PARTS && !g.any; i++) {
        /* A part that is missing in a condition's value matches nothing: no ARN has a NUL. */
        struct str part = (flags & GLOB_FILL) != 0 ? STR("*") : STR("\0");
        if (!ended) {
            size_t end = i == ARN_PARTS - 1 ? text.n : part_end(text, at, variables);
            part = str_take(str_skip(text, at), end - at);
            ended = end == text.n;
            at = end + 1;
        }
        if (!glob_compile(a, part, flags, &g.part[i]))
            return false;
    }
    *out = g;
    return true;
}

/* -- matching --------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool starts(struct str s, struct str with, bool fold_case)
{
    if (s.n < with.n)
        return false;
    if (!fold_case)
        return with.n == 0 || memcmp(s.p, with.p, with.n) == 0;
    for (size_t i = 0; i < with.n; i++)
        if (lower(s.p[i]) != lower(with.p[i]))
            return false;
    return true;
}

/* A variable stands for its one value, literally; false: it has none and no default. */
static bool variable(const struct token *t, const struct eval *e, struct str *scratch,
                     struct str *out)
{
    const struct str *values;
    size_t n = eval_key(e, t->text, scratch, &values);
    if (n == 1)
        *out = values[0];
    else
        *out = t->fallback;
    return out->p != NULL;
}

/* The length of the character at the start of s: '?' matches one, not one byte. */
static size_t character(struct str s)
{
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* Greedy with one point to go back to, the last star: linear in the text for each star. */
bool glob_match(const struct glob *g, struct str s, const struct eval *e, bool fold_case)
{
    size_t t = 0, at = 0, star = SIZE_MAX, star_at = 0;
    for (;;) {
        struct str rest = str_skip(s, at), text, scratch;
        const struct token *token = t < g->n ? &g->v[t] : NULL;
        if (token == NULL && rest.n == 0)
            return true;
        if (token != NULL && token->kind == TOKEN_STAR) {
            star = ++t;
            star_at = at;
            if (t == g->n)
                return true;
            continue;
        }
        if (token != NULL && token->kind == TOKEN_ONE) {
            if (rest.n > 0) {
                at += character(rest);
                t++;
                continue;
            }
        } else if (token != NULL) {
            if (token->kind == TOKEN_LITERAL)
                text = token->text;
            else if (!variable(token, e, &scratch, &text))
                return false;
            if (starts(rest, text, fold_case)) {
                at += text.n;
                t++;
                continue;
            }
        }
        if (star == SIZE_MAX || star_at >= s.n)
            return false;
        at = ++star_at;
        t = star;
    }
}

bool arn_glob_match(const struct arn_glob *g, struct str s, const struct str part[ARN_PARTS],
                    bool is_arn, const struct eval *e)
{
    if (g->any)
        return true;
    if (!is_arn)
        return false;
    if (g->whole)
        return glob_match(&g->part[0], s, e, false);
    if (!str_starts(s, g->head))
        return false;
    for (int i = ARN_PARTS - 1; i >= 0; i--) /* the last part tells most ARNs apart */
        if (!glob_match(&g->part[i], part[i], e, false))
            return false;
    return true;
}

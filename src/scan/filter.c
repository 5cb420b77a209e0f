/* CloudWatch Logs filter patterns: over JSON, and terms over a record's text.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 * A selector that lands on a list or an object never matches, not even with "!=". */
#include "rules.h"

#include <math.h>

enum { TERMS_MAX = 1000, FILTER_MAX = 16 * 1024 };

struct scanner {
    struct rule_source *src;
    struct arena *a;
    struct paths *paths;
    struct str text;
    size_t at;
    int depth;
    bool failed;
};

static void fail(struct scanner *s, const char *what)
{
    if (!s->failed)
        rules_fault(s->src, str_take(str_skip(s->text, s->at), 24),
                    "%s, at column %zu of the filter pattern", what, s->at + 1);
    s->failed = true;
}

static void blanks(struct scanner *s)
{
    while (s->at < s->text.n && strchr(" \t\r\n", s->text.p[s->at]) != NULL)
        s->at++;
}

static bool take(struct scanner *s, const char *word)
{
    blanks(s);
    if (!str_starts_c(str_skip(s->text, s->at), word))
        return false;
    s->at += strlen(word);
    return true;
}

static bool take_word(struct scanner *s, const char *word)
{
    size_t was = s->at, n = strlen(word);
    blanks(s);
    struct str rest = str_skip(s->text, s->at);
    if (!str_ieq(str_take(rest, n), str_c(word)) ||
        (rest.n > n && strchr(" \t\r\n)}&|", rest.p[n]) == NULL)) {
        s->at = was;
        return false;
    }
    s->at += n;
    return true;
}

/* A name, and [*] behind it: whichever element of the list. */
static uint32_t named_part(struct scanner *s, uint32_t path, struct str name)
{
    bool any = str_starts_c(str_skip(s->text, s->at), "[*]");
    s->at += any ? 3 : 0;
    if (any && s->at < s->text.n && s->text.p[s->at] == '[')
        fail(s, "behind [*] stands a name, not a bracket");
    return path_key(s->paths, path, name, any);
}

static uint32_t selector_part(struct scanner *s, uint32_t path)
{
    const char *p = s->text.p;
    size_t from = s->at;
    if (p[s->at] == '[') {
        size_t end = s->at + 1;
        while (end < s->text.n && p[end] != ']')
            end++;
        struct str in = str_take(str_skip(s->text, s->at + 1), end - s->at - 1);
        int64_t index;
        s->at = end + 1;
        if (end < s->text.n && str_to_i64(in, 0, 1000000, &index))
            return path_index(s->paths, path, (uint32_t)index);
        if (end < s->text.n && in.n > 2 && (in.p[0] == '"' || in.p[0] == '\''))
            return named_part(s, path, str_take(str_skip(in, 1), in.n - 2));
        s->at = from;
        fail(s, str_is(in, "*") ? "[*] stands behind a name, once"
                                : "an index in brackets is a number or a quoted name");
        return path;
    }
    if (p[s->at] == '.')
        from = ++s->at;
    if (s->at < s->text.n && p[s->at] == '[')
        return path; /* $.['a b'] is $['a b'] */
    while (s->at < s->text.n && strchr(" \t\r\n.[=!<>()&|}", p[s->at]) == NULL)
        s->at++;
    if (s->at == from) {
        fail(s, "a name is missing in the selector");
        return path;
    }
    struct str name = str_take(str_skip(s->text, from), s->at - from);
    if (str_is(name, "*"))
        return path_index(s->paths, path, PATH_ANY);
    return named_part(s, path, name);
}

static uint32_t selector(struct scanner *s)
{
    uint32_t path = 0;
    if (!take(s, "$")) {
        fail(s, "a selector begins with $");
        return 0;
    }
    while (!s->failed && s->at < s->text.n &&
           (s->text.p[s->at] == '.' || s->text.p[s->at] == '['))
        path = selector_part(s, path);
    if (path == UINT32_MAX) {
        fail(s, "the rules name more paths than the limit");
        return 0;
    }
    if (path == 0)
        fail(s, "a selector names a member, like $.eventName");
    return path;
}

/* A quoted text, or what stands up to a blank or an operator. */
static struct str value(struct scanner *s, bool *quoted)
{
    blanks(s);
    struct str rest = str_skip(s->text, s->at);
    *quoted = rest.n > 0 && rest.p[0] == '"';
    if (*quoted) {
        size_t end = 1;
        while (end < rest.n && rest.p[end] != '"')
            end += rest.p[end] == '\\' ? 2 : 1;
        char *out = arena_alloc_raw(s->a, end + 1);
        size_t n = 0, i = 1;
        for (; i < rest.n && rest.p[i] != '"'; i++) {
            if (rest.p[i] == '\\' && i + 1 < rest.n)
                i++;
            out[n++] = rest.p[i];
        }
        if (i >= rest.n)
            fail(s, "a quoted text does not end");
        s->at += i + 1;
        return str_of(out, n);
    }
    size_t n = 0;
    if (rest.n > 0 && rest.p[0] == '%') {
        for (n = 1; n < rest.n && rest.p[n] != '%'; n++)
            ;
        if (n++ >= rest.n)
            fail(s, "a regular expression does not end with %");
    } else {
        while (n < rest.n && strchr(" \t\r\n)&|}", rest.p[n]) == NULL)
            n++;
    }
    if (n == 0)
        fail(s, "a value is missing");
    s->at += n;
    return str_take(rest, n);
}

static const char *label(struct scanner *s, uint32_t path, const char *op, struct str v)
{
    return arena_fmt(s->a, "$.%.*s %s %.*s", STR_ARG(s->paths->v[path].text), op, STR_ARG(v)).p;
}

/* %regex%, of the values that `t` is about. */
static struct expr *regex_test(struct scanner *s, struct test *t, struct str v)
{
    struct err *e = test_regex(s->a, t, str_take(str_skip(v, 1), v.n - 2), false);
    if (e != NULL) {
        fail(s, e->message);
        err_free(e);
    }
    return expr_test(s->a, t);
}

static struct expr *text_test(struct scanner *s, uint32_t path, struct str v, bool quoted)
{
    struct test t = {.op = OP_EQ, .path = path, .loose = true, .label = label(s, path, "=", v)};
    double d;
    if (!quoted && v.n >= 2 && v.p[0] == '%')
        return regex_test(s, &t, v);
    if (!quoted && str_to_double(v, &d)) {
        t.op = OP_NUMBER;
        t.lo = t.hi = d;
    } else if (str_find_char(v, '*') >= 0) {
        test_wild(s->a, &t, v, false);
    } else {
        test_texts(s->a, &t, &v, 1);
    }
    return expr_test(s->a, &t);
}

static struct expr *number_test(struct scanner *s, uint32_t path, const char *op, struct str v)
{
    struct test t = {.op = OP_NUMBER, .path = path, .lo = -INFINITY, .hi = INFINITY,
                     .label = label(s, path, op, v)};
    double d = 0;
    if (!str_to_double(v, &d))
        fail(s, "an order (< <= > >=) compares with a number");
    if (op[0] == '<')
        t.hi = d, t.hi_open = op[1] == '\0';
    else
        t.lo = d, t.lo_open = op[1] == '\0';
    return expr_test(s->a, &t);
}

static struct expr *is_test(struct scanner *s, uint32_t path)
{
    struct test t = {.path = path, .label = label(s, path, "IS", STR("…"))};
    if (take_word(s, "NULL")) {
        t.op = OP_NULL;
    } else if (take_word(s, "TRUE")) {
        t.op = OP_BOOL;
        t.lo = 1;
    } else if (take_word(s, "FALSE")) {
        t.op = OP_BOOL;
    } else {
        fail(s, "IS is followed by NULL, TRUE or FALSE");
    }
    return expr_test(s->a, &t);
}

static struct expr *condition(struct scanner *s)
{
    uint32_t path = selector(s);
    bool quoted;
    if (s->failed)
        return NULL;
    struct test there = {
        .op = OP_PRESENT, .path = path, .label = label(s, path, "EXISTS", STR(""))};
    if (take_word(s, "IS"))
        return is_test(s, path);
    if (take_word(s, "NOT")) {
        if (!take_word(s, "EXISTS"))
            fail(s, "NOT is followed by EXISTS");
        return expr_not(s->a, expr_test(s->a, &there));
    }
    if (take_word(s, "EXISTS"))
        return expr_test(s->a, &there);
    if (take(s, "!=")) {
        struct str v = value(s, &quoted);
        struct expr *e = text_test(s, path, v, quoted);
        e->test->negate = true;
        return e;
    }
    if (take(s, "<="))
        return number_test(s, path, "<=", value(s, &quoted));
    if (take(s, ">="))
        return number_test(s, path, ">=", value(s, &quoted));
    if (take(s, "<"))
        return number_test(s, path, "<", value(s, &quoted));
    if (take(s, ">"))
        return number_test(s, path, ">", value(s, &quoted));
    if (take(s, "=")) {
        if (s->at < s->text.n && s->text.p[s->at] == '=')
            fail(s, "there is one = in a comparison");
        struct str v = value(s, &quoted);
        return text_test(s, path, v, quoted);
    }
    fail(s, "an operator is missing (= != < <= > >= IS, NOT EXISTS)");
    return NULL;
}

/* What ends a list of conditions. */
static void closing(struct scanner *s, const char *bracket)
{
    char what[64];
    if (s->failed || take(s, bracket))
        return;
    snprintf(what, sizeof what, "&&, || or a closing %s is missing", bracket);
    fail(s, what);
}

static struct expr *either(struct scanner *s);

static struct expr *primary(struct scanner *s)
{
    if (!take(s, "("))
        return condition(s);
    if (++s->depth > RULE_DEPTH_MAX) {
        fail(s, "parentheses nest too deep");
        return NULL;
    }
    struct expr *e = either(s);
    s->depth--;
    closing(s, ")");
    return e;
}

static struct expr *both(struct scanner *s)
{
    struct expr *all = expr_list(s->a, EXPR_AND);
    do {
        struct expr *e = primary(s);
        if (e == NULL || s->failed)
            return NULL;
        expr_add(s->a, all, e);
    } while (take(s, "&&"));
    return all->n == 1 ? all->kids[0] : all;
}

static struct expr *either(struct scanner *s)
{
    struct expr *any = expr_list(s->a, EXPR_OR);
    do {
        struct expr *e = both(s);
        if (e == NULL || s->failed)
            return NULL;
        expr_add(s->a, any, e);
    } while (take(s, "||"));
    return any->n == 1 ? any->kids[0] : any;
}

/* -- terms: a b (both), ?a ?b (either), -a (not), "a b", %regex% -- */
struct terms {
    struct expr *all, *any;
    size_t n;
};

static struct expr *term_test(struct scanner *s, struct str term, bool quoted)
{
    struct test t = {.op = OP_KEYWORD, .label = arena_fmt(s->a, "the text has %.*s",
                                                          STR_ARG(str_take(term, 120))).p};
    if (!quoted && term.p[0] == '%') {
        t.whole = true; /* of the record as one text */
        return regex_test(s, &t, term);
    }
    if (!quoted && str_find_char(term, '"') >= 0) {
        fail(s, "a quote within a term");
        return NULL;
    }
    test_texts(s->a, &t, &term, 1);
    return expr_test(s->a, &t);
}

static void one_term(struct scanner *s, struct terms *ts)
{
    char mark = s->text.p[s->at];
    bool quoted;
    if (mark == '?' || mark == '-')
        s->at++;
    else
        mark = ' ';
    struct str rest = str_skip(s->text, s->at), term;
    if (rest.n > 0 && (rest.p[0] == '"' || rest.p[0] == '%')) {
        term = value(s, &quoted);
    } else {
        size_t n = 0;
        while (n < rest.n && strchr(" \t\r\n", rest.p[n]) == NULL)
            n++;
        quoted = false;
        term = str_take(rest, n);
        s->at += n;
    }
    if (!s->failed && term.n == 0)
        fail(s, "a term is empty");
    struct expr *e = s->failed ? NULL : term_test(s, term, quoted);
    if (e == NULL)
        return;
    if (mark == '?')
        expr_add(s->a, ts->any, e);
    else
        expr_add(s->a, ts->all, mark == '-' ? expr_not(s->a, e) : e);
}

static struct expr *text_terms(struct scanner *s)
{
    struct terms ts = {.all = expr_list(s->a, EXPR_AND), .any = expr_list(s->a, EXPR_OR)};
    for (blanks(s); !s->failed && s->at < s->text.n; blanks(s)) {
        if (++ts.n > TERMS_MAX)
            fail(s, "more terms than the limit");
        else
            one_term(s, &ts);
    }
    if (s->failed)
        return NULL;
    if (ts.all->n > 0 && ts.any->n > 0) {
        fail(s, "terms with ? are ignored beside others: write either kind alone");
        return NULL;
    }
    return ts.any->n > 0 ? ts.any : ts.all;
}

struct expr *metric_filter_compile(struct rule_source *src, struct str text)
{
    struct scanner s = {.src = src, .a = src->rs->a, .paths = &src->rs->paths,
                        .text = str_trim(text)};
    if (s.text.n == 0 || s.text.n > FILTER_MAX) {
        fail(&s, s.text.n == 0 ? "the filter pattern is empty"
                               : "a filter pattern is longer than 16 KiB");
        return NULL;
    }
    if (s.text.p[0] == '[') {
        fail(&s, "patterns for lines of words, [a, b, ...], do not apply to CloudTrail's records");
        return NULL;
    }
    if (!take(&s, "{"))
        return text_terms(&s);
    struct expr *e = either(&s);
    closing(&s, "}");
    blanks(&s);
    if (!s.failed && s.at != s.text.n)
        fail(&s, "text behind the closing }");
    return s.failed ? NULL : e;
}

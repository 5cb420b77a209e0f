/* Reading and matching filter patterns: a small recursive descent, bounded by FILTER_DEPTH_MAX. */
#include "filter.h"

enum filter_kind { FILTER_TEXT = 1, FILTER_JSON, FILTER_SPACE };
enum node_kind { NODE_AND = 1, NODE_OR, NODE_TEST };
enum test_op {
    TEST_EQ = 1, TEST_NE, TEST_LT, TEST_LE, TEST_GT, TEST_GE,
    TEST_IS_NULL, TEST_IS_TRUE, TEST_IS_FALSE, TEST_NOT_EXISTS, TEST_EXISTS,
};

struct step { /* of a selector: a member, an element, or every element */
    struct str member;
    int64_t index; /* -1: a member; -2: every element */
};

struct node {
    enum node_kind kind;
    const struct node *left, *right;
    enum test_op op;
    struct step *steps;
    size_t n_steps;
    struct str text;
    bool numeric;
    double number;
};

struct field { /* of a space-delimited pattern */
    bool rest; /* "…": any number of fields */
    struct str name;
    const struct node *test; /* NULL: any text */
};

struct filter {
    enum filter_kind kind;
    VEC(struct str) all, any, none;
    const struct node *root;
    struct field *fields;
    size_t n_fields;
};

struct reader {
    struct arena *a;
    struct str rest;
    int depth;
    struct str field; /* space-delimited: the name that tests must use */
};

static struct err *bad(const char *what)
{
    return err_aws(400, "InvalidParameterException", "Invalid filter pattern: %s.", what);
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (r->rest.n > 0 && is_blank(r->rest.p[0]))
        r->rest = str_skip(r->rest, 1);
}

static bool take(struct reader *r, const char *token)
{
    skip_blanks(r);
    if (!str_starts_c(r->rest, token))
        return false;
    r->rest = str_skip(r->rest, strlen(token));
    return true;
}

/* A word of the language, followed by something that ends it. */
static bool take_word(struct reader *r, const char *word)
{
    skip_blanks(r);
    size_t n = strlen(word);
    if (!str_is_i(str_take(r->rest, n), word))
        return false;
    if (r->rest.n > n && strchr(" \t\r\n)}]&|,", r->rest.p[n]) == NULL)
        return false;
    r->rest = str_skip(r->rest, n);
    return true;
}

/* "…" with \" and \\ inside; the opening quote is the next character. */
static struct err *take_quoted(struct reader *r, struct str *out)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(FILTER_TEXT_MAX);
    for (size_t i = 1; i < r->rest.n; i++) {
        char ch = r->rest.p[i];
        if (ch == '"') {
            r->rest = str_skip(r->rest, i + 1);
            *out = b.n == 0 ? STR("") : arena_str(r->a, buf_view(&b));
            return NULL;
        }
        if (ch == '\\' && i + 1 < r->rest.n &&
            (r->rest.p[i + 1] == '"' || r->rest.p[i + 1] == '\\'))
            ch = r->rest.p[++i];
        buf_char(&b, ch);
    }
    return bad("a quote is not closed");
}

/* -- tests: what stands between && and || ------------------------------------------------------ */

static struct err *take_member(struct reader *r, struct str *out)
{
    size_t n = 0;
    while (n < r->rest.n && strchr(" \t\r\n.[]=!<>&|(){}\"'", r->rest.p[n]) == NULL)
        n++;
    if (n == 0)
        return bad("a selector ends too early");
    *out = str_take(r->rest, n);
    r->rest = str_skip(r->rest, n);
    return NULL;
}

static struct err *take_bracket(struct reader *r, struct step *out)
{
    char quote = r->rest.n > 0 ? r->rest.p[0] : '\0';
    *out = (struct step){.index = -1};
    if (quote == '\'' || quote == '"') {
        struct str rest = str_skip(r->rest, 1);
        ptrdiff_t end = str_find_char(rest, quote);
        if (end <= 0)
            return bad("a selector's quote is not closed");
        out->member = str_take(rest, (size_t)end);
        r->rest = str_skip(rest, (size_t)end + 1);
    } else {
        ptrdiff_t end = str_find_char(r->rest, ']');
        struct str digits = str_trim(str_take(r->rest, end < 0 ? 0 : (size_t)end));
        if (str_is(digits, "*"))
            out->index = -2;
        else if (!str_to_i64(digits, 0, INT32_MAX, &out->index))
            return bad("an index must be a number or *");
        r->rest = str_skip(r->rest, (size_t)end);
    }
    return take(r, "]") ? NULL : bad("a ] is missing");
}

/* $.a.b[0]['c'] */
static struct err *take_selector(struct reader *r, struct node *n)
{
    VEC(struct step) steps = {0};
    if (!take(r, "$"))
        return bad("a selector must begin with $");
    while (r->rest.n > 0 && (r->rest.p[0] == '.' || r->rest.p[0] == '[')) {
        struct step s = {.index = -1};
        bool bracket = r->rest.p[0] == '[';
        r->rest = str_skip(r->rest, 1);
        if (!bracket && r->rest.n > 0 && r->rest.p[0] == '[') { /* $.['a'] */
            r->rest = str_skip(r->rest, 1);
            bracket = true;
        }
        if (bracket)
            TRY(take_bracket(r, &s));
        else
            TRY(take_member(r, &s.member));
        if (steps.n == FILTER_PATH_MAX)
            return bad("a selector is too long");
        VEC_PUSH(r->a, &steps, s);
    }
    if (steps.n == 0)
        return bad("a selector names nothing");
    n->steps = steps.v;
    n->n_steps = steps.n;
    return NULL;
}

static struct err *take_operator(struct reader *r, enum test_op *out)
{
    static const struct {
        const char *token;
        enum test_op op;
    } ops[] = {{"!=", TEST_NE}, {"<=", TEST_LE}, {">=", TEST_GE},
               {"=", TEST_EQ},  {"<", TEST_LT},  {">", TEST_GT}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (take(r, ops[i].token)) {
            *out = ops[i].op;
            return NULL;
        }
    return bad("an operator is missing");
}

static struct err *take_value(struct reader *r, struct node *n)
{
    skip_blanks(r);
    if (r->rest.n > 0 && r->rest.p[0] == '%')
        return err_aws(501, "NotImplemented",
                       "Regular expressions in filter patterns are not built in this version of "
                       "Ward. The README lists what is.");
    if (r->rest.n > 0 && r->rest.p[0] == '"') {
        TRY(take_quoted(r, &n->text));
    } else {
        size_t k = 0;
        while (k < r->rest.n && strchr(" \t\r\n&|(){}],\"", r->rest.p[k]) == NULL)
            k++;
        if (k == 0)
            return bad("a value is missing");
        n->text = str_take(r->rest, k);
        r->rest = str_skip(r->rest, k);
        n->numeric = str_to_double(n->text, &n->number);
    }
    bool order = n->op == TEST_LT || n->op == TEST_LE || n->op == TEST_GT || n->op == TEST_GE;
    return order && !n->numeric ? bad("< and > compare numbers") : NULL;
}

static struct err *take_test(struct reader *r, struct node *n)
{
    if (r->field.p == NULL) {
        TRY(take_selector(r, n));
    } else {
        struct str name;
        skip_blanks(r);
        TRY(take_member(r, &name));
        if (!str_eq(name, r->field))
            return bad("a field's conditions must name that field");
    }
    if (r->field.p == NULL && take_word(r, "IS")) {
        n->op = take_word(r, "NULL")    ? TEST_IS_NULL
                : take_word(r, "TRUE")  ? TEST_IS_TRUE
                : take_word(r, "FALSE") ? TEST_IS_FALSE
                                        : 0;
        return n->op == 0 ? bad("IS wants NULL, TRUE or FALSE") : NULL;
    }
    if (r->field.p == NULL && take_word(r, "NOT")) {
        n->op = TEST_NOT_EXISTS;
        return take_word(r, "EXISTS") ? NULL : bad("NOT wants EXISTS");
    }
    if (r->field.p == NULL && take_word(r, "EXISTS")) {
        n->op = TEST_EXISTS;
        return NULL;
    }
    TRY(take_operator(r, &n->op));
    return take_value(r, n);
}

static struct err *take_or(struct reader *r, const struct node **out);

static struct err *take_one(struct reader *r, const struct node **out)
{
    if (!take(r, "(")) {
        struct node *n = ARENA_NEW(r->a, struct node);
        n->kind = NODE_TEST;
        *out = n;
        return take_test(r, n);
    }
    if (++r->depth > FILTER_DEPTH_MAX)
        return bad("it is nested too deeply");
    TRY(take_or(r, out));
    r->depth--;
    return take(r, ")") ? NULL : bad("a ) is missing");
}

static const struct node *join(struct arena *a, enum node_kind kind, const struct node *left,
                               const struct node *right)
{
    struct node *n = ARENA_NEW(a, struct node);
    *n = (struct node){.kind = kind, .left = left, .right = right};
    return n;
}

static struct err *take_and(struct reader *r, const struct node **out)
{
    TRY(take_one(r, out));
    while (take(r, "&&")) {
        const struct node *right;
        TRY(take_one(r, &right));
        *out = join(r->a, NODE_AND, *out, right);
    }
    return NULL;
}

static struct err *take_or(struct reader *r, const struct node **out)
{
    TRY(take_and(r, out));
    while (take(r, "||")) {
        const struct node *right;
        TRY(take_and(r, &right));
        *out = join(r->a, NODE_OR, *out, right);
    }
    return NULL;
}

/* -- the three kinds --------------------------------------------------------------------------- */

static struct err *compile_json(struct reader *r, struct filter *f)
{
    f->kind = FILTER_JSON;
    TRY(take_or(r, &f->root));
    if (!take(r, "}"))
        return bad("a } is missing");
    skip_blanks(r);
    return r->rest.n > 0 ? bad("something follows the }") : NULL;
}

static struct err *compile_field(struct reader *r, struct field *out)
{
    *out = (struct field){0};
    if (take(r, "...")) {
        out->rest = true;
        return NULL;
    }
    struct reader ahead = *r; /* the field's name: the first word, whatever stands before it */
    while (take(&ahead, "("))
        ;
    skip_blanks(&ahead);
    size_t n = 0;
    while (n < ahead.rest.n && strchr(" \t\r\n=!<>&|(),]\"", ahead.rest.p[n]) == NULL)
        n++;
    out->name = str_take(ahead.rest, n);
    ahead.rest = str_skip(ahead.rest, n);
    skip_blanks(&ahead);
    bool bare = ahead.rest.n > 0 && (ahead.rest.p[0] == ',' || ahead.rest.p[0] == ']');
    if (bare) {
        *r = ahead;
        return NULL;
    }
    if (n == 0)
        return bad("a field needs a name");
    r->field = out->name;
    return take_or(r, &out->test);
}

static struct err *compile_space(struct reader *r, struct filter *f)
{
    VEC(struct field) fields = {0};
    bool rest_seen = false;
    f->kind = FILTER_SPACE;
    do {
        struct field one;
        TRY(compile_field(r, &one));
        if (one.rest && rest_seen)
            return bad("... may stand only once");
        rest_seen |= one.rest;
        if (fields.n == FILTER_FIELDS_MAX)
            return bad("there are too many fields");
        VEC_PUSH(r->a, &fields, one);
    } while (take(r, ","));
    if (!take(r, "]"))
        return bad("a ] is missing");
    skip_blanks(r);
    f->fields = fields.v;
    f->n_fields = fields.n;
    return r->rest.n > 0 ? bad("something follows the ]") : NULL;
}

static struct err *compile_text(struct reader *r, struct filter *f)
{
    f->kind = FILTER_TEXT;
    for (skip_blanks(r); r->rest.n > 0; skip_blanks(r)) {
        char sign = r->rest.p[0];
        struct str term;
        if (sign == '%')
            return err_aws(501, "NotImplemented",
                           "Regular expressions in filter patterns are not built in this version "
                           "of Ward. The README lists what is.");
        if (sign == '?' || sign == '-')
            r->rest = str_skip(r->rest, 1);
        if (r->rest.n > 0 && r->rest.p[0] == '"') {
            TRY(take_quoted(r, &term));
        } else {
            size_t n = 0;
            while (n < r->rest.n && !is_blank(r->rest.p[n]) && r->rest.p[n] != '"')
                n++;
            term = str_take(r->rest, n);
            r->rest = str_skip(r->rest, n);
        }
        if (term.n == 0)
            return bad("a term is empty");
        if (sign == '?')
            VEC_PUSH(r->a, &f->any, term);
        else if (sign == '-')
            VEC_PUSH(r->a, &f->none, term);
        else
            VEC_PUSH(r->a, &f->all, term);
    }
    return NULL;
}

struct err *filter_compile(struct arena *a, struct str pattern, struct filter **out)
{
    if (pattern.n > FILTER_TEXT_MAX)
        return bad("it is longer than 1024 bytes");
    if (pattern.n > 0 && memchr(pattern.p, '\0', pattern.n) != NULL)
        return bad("it has a NUL character");
    struct reader r = {.a = a, .rest = arena_str(a, pattern)};
    struct filter *f = ARENA_NEW(a, struct filter);
    if (take(&r, "{"))
        TRY(compile_json(&r, f));
    else if (take(&r, "["))
        TRY(compile_space(&r, f));
    else
        TRY(compile_text(&r, f));
    *out = f;
    return NULL;
}

/* -- matching ---------------------------------------------------------------------------------- */

/* Only * is special here; the last star alone is gone back to, so it ends in n * m steps. */
static bool star_match(struct str pattern, struct str s)
{
    size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;
    while (i < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            mark = i;
        } else if (p < pattern.n && pattern.p[p] == s.p[i]) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool compare(const struct node *n, double have)
{
    switch (n->op) {
    case TEST_EQ:
        return have == n->number;
    case TEST_NE:
        return have != n->number;
    case TEST_LT:
        return have < n->number;
    case TEST_LE:
        return have <= n->number;
    case TEST_GT:
        return have > n->number;
    default:
        return have >= n->number;
    }
}

static bool test_value(const struct node *n, const struct jv *v)
{
    switch (n->op) {
    case TEST_IS_NULL:
        return jv_is(v, JV_NULL);
    case TEST_IS_TRUE:
        return jv_is(v, JV_BOOL) && v->b;
    case TEST_IS_FALSE:
        return jv_is(v, JV_BOOL) && !v->b;
    case TEST_EXISTS:
        return v != NULL;
    default:
        break;
    }
    if (v == NULL || v->type == JV_ARR || v->type == JV_OBJ || v->type == JV_NULL)
        return false;
    if (v->type == JV_INT || v->type == JV_NUM)
        return n->numeric ? compare(n, jv_d(v, 0)) : n->op == TEST_NE;
    struct str text = v->type == JV_BOOL ? (v->b ? STR("true") : STR("false")) : v->s;
    if (n->op == TEST_EQ)
        return star_match(n->text, text);
    return n->op == TEST_NE && !star_match(n->text, text);
}

/* One value that the selector reaches and that passes is enough. */
static bool test_path(const struct node *n, const struct jv *v, size_t at)
{
    if (at == n->n_steps)
        return test_value(n, v);
    const struct step *s = &n->steps[at];
    if (s->index == -2) {
        for (size_t i = 0; jv_is(v, JV_ARR) && i < jv_len(v); i++)
            if (test_path(n, jv_at(v, i), at + 1))
                return true;
        return false;
    }
    const struct jv *next = s->index >= 0 ? (jv_is(v, JV_ARR) ? jv_at(v, (size_t)s->index) : NULL)
                                          : jv_get_str(v, s->member);
    return next != NULL && test_path(n, next, at + 1);
}

static bool match_json(const struct node *n, const struct jv *doc)
{
    if (n->kind == NODE_AND)
        return match_json(n->left, doc) && match_json(n->right, doc);
    if (n->kind == NODE_OR)
        return match_json(n->left, doc) || match_json(n->right, doc);
    if (n->op == TEST_NOT_EXISTS) {
        struct node exists = *n;
        exists.op = TEST_EXISTS;
        return !test_path(&exists, doc, 0);
    }
    return test_path(n, doc, 0);
}

static bool match_field(const struct node *n, struct str text)
{
    double have;
    if (n->kind == NODE_AND)
        return match_field(n->left, text) && match_field(n->right, text);
    if (n->kind == NODE_OR)
        return match_field(n->left, text) || match_field(n->right, text);
    if (n->numeric && str_to_double(text, &have))
        return compare(n, have);
    if (n->op == TEST_EQ)
        return star_match(n->text, text);
    return n->op == TEST_NE && !star_match(n->text, text);
}

/* Words of a message; "…" and […] are one word each, without their marks. */
static size_t split(struct str s, struct str *out, size_t max)
{
    size_t n = 0;
    for (;;) {
        while (s.n > 0 && is_blank(s.p[0]))
            s = str_skip(s, 1);
        if (s.n == 0)
            return n;
        if (n == max)
            return max + 1;
        char close = s.p[0] == '"' ? '"' : s.p[0] == '[' ? ']' : '\0';
        ptrdiff_t end = close == '\0' ? -1 : str_find_char(str_skip(s, 1), close);
        if (end >= 0) {
            out[n++] = str_take(str_skip(s, 1), (size_t)end);
            s = str_skip(s, (size_t)end + 2);
            continue;
        }
        size_t k = 0;
        while (k < s.n && !is_blank(s.p[k]))
            k++;
        out[n++] = str_take(s, k);
        s = str_skip(s, k);
    }
}

static bool match_space(const struct filter *f, struct str message)
{
    struct str words[FILTER_FIELDS_MAX];
    size_t n = split(message, words, FILTER_FIELDS_MAX), rest = f->n_fields;
    for (size_t i = 0; i < f->n_fields; i++)
        if (f->fields[i].rest)
            rest = i;
    bool open = rest < f->n_fields;
    if (n > FILTER_FIELDS_MAX || (open ? n < f->n_fields - 1 : n != f->n_fields))
        return false;
    for (size_t i = 0; i < f->n_fields; i++) {
        size_t at = i <= rest ? i : n - (f->n_fields - i);
        if (f->fields[i].test != NULL && !match_field(f->fields[i].test, words[at]))
            return false;
    }
    return true;
}

static bool match_text(const struct filter *f, struct str message)
{
    for (size_t i = 0; i < f->none.n; i++)
        if (str_find(message, f->none.v[i]) >= 0)
            return false;
    for (size_t i = 0; i < f->all.n; i++)
        if (str_find(message, f->all.v[i]) < 0)
            return false;
    if (f->all.n > 0 || f->any.n == 0)
        return true;
    for (size_t i = 0; i < f->any.n; i++)
        if (str_find(message, f->any.v[i]) >= 0)
            return true;
    return false;
}

bool filter_match(const struct filter *f, struct arena *scratch, struct str message)
{
    if (f->kind == FILTER_TEXT)
        return match_text(f, message);
    if (f->kind == FILTER_SPACE)
        return match_space(f, message);
    struct jv *doc = NULL;
    struct str text = str_trim(message);
    if (text.n == 0 || text.p[0] != '{')
        return false;
    struct err *e = json_parse(scratch, text, JSON_DEPTH_DEFAULT, &doc);
    err_free(e);
    return e == NULL && match_json(f->root, doc);
}

/* EventBridge patterns.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html */
#include <math.h>

#include "rules.h"
#include "same.h"

struct maker {
    struct rule_source *src;
    struct arena *a;
    struct paths *paths;
    bool failed;
};

static void fail(struct maker *m, struct str near, const char *text)
{
    m->failed = true;
    rules_fault(m->src, near, "%s", text);
}

static bool is_one_of(struct str s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_is(s, names[i]))
            return true;
    }
    return false;
}

/* All strings of a list, or a single one. false: something else is in it. */
static bool strings_of(struct maker *m, const struct jv *v, struct str **out, size_t *out_n)
{
    size_t n = jv_is(v, JV_ARR) ? jv_len(v) : 1;
    struct str *s = ARENA_ARRAY(m->a, n, struct str);
    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_is(v, JV_ARR) ? jv_at(v, i) : v;
        if (!jv_is(x, JV_STR))
            return false;
        s[i] = x->s;
    }
    *out = s;
    *out_n = n;
    return n > 0;
}

/* ["=", n], [">", n] … or a range, the lower end first. */
static bool numeric_range(const struct jv *v, struct test *t)
{
    size_t n = jv_len(v);
    if (!jv_is(v, JV_ARR) || (n != 2 && n != 4))
        return false;
    for (size_t i = 0; i < n; i += 2) {
        struct str op = jv_s(jv_at(v, i));
        const struct jv *x = jv_at(v, i + 1);
        if (!jv_is(x, JV_INT) && !jv_is(x, JV_NUM))
            return false;
        double d = jv_d(x, 0);
        if (str_is(op, "=") && n == 2)
            t->lo = t->hi = d;
        else if ((str_is(op, ">") || str_is(op, ">=")) && i == 0)
            t->lo = d, t->lo_open = op.n == 1;
        else if ((str_is(op, "<") || str_is(op, "<=")) && i == n - 2)
            t->hi = d, t->hi_open = op.n == 1;
        else
            return false;
    }
    return n == 2 || t->lo < t->hi;
}

static struct expr *numeric(struct maker *m, uint32_t path, const struct jv *v)
{
    struct test t = {.op = OP_NUMBER, .path = path, .lo = -INFINITY, .hi = INFINITY,
                     .label = "is a number in the range"};
    if (!numeric_range(v, &t)) {
        fail(m, STR("numeric"), "\"numeric\" takes [\"op\", number] or [\">\", low, \"<\", high]");
        return NULL;
    }
    return expr_test(m->a, &t);
}

/* A backslash stands before '*' or another one, and no two stars stand side by side. */
static bool wildcard_ok(struct maker *m, struct str s)
{
    bool star = false;
    for (size_t i = 0; i < s.n; i++) {
        char next = i + 1 < s.n ? s.p[i + 1] : '\0';
        if (s.p[i] == '\\') {
            if (next != '*' && next != '\\') {
                fail(m, s, "in a wildcard a backslash stands before '*' or another backslash");
                return false;
            }
            i++;
            star = false;
        } else if (s.p[i] == '*' && star) {
            fail(m, s, "a wildcard has two '*' side by side");
            return false;
        } else {
            star = s.p[i] == '*';
        }
    }
    return true;
}

/* One value must escape all that is not wanted: tests joined by `also`. */
static struct expr *none_of(struct maker *m, const struct test *tests, size_t n)
{
    struct expr *e = expr_test(m->a, &tests[0]);
    for (size_t i = 1; i < n; i++) {
        struct expr *x = expr_test(m->a, &tests[i]);
        x->test->also = e->test;
        e = x;
    }
    return e;
}

static struct expr *wildcards(struct maker *m, const struct test *like, const struct str *s,
                              size_t n)
{
    struct test *tests = ARENA_ARRAY(m->a, n, struct test);
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < n; i++) {
        if (!wildcard_ok(m, s[i]))
            return NULL;
        tests[i] = *like;
        test_wild(m->a, &tests[i], s[i], false);
        expr_add(m->a, any, expr_test(m->a, &tests[i]));
    }
    return like->negate ? none_of(m, tests, n) : any->n == 1 ? any->kids[0] : any;
}

/* prefix, suffix, equals-ignore-case, wildcard: of a text, within "anything-but" of a list too;
 * prefix and suffix also of {"equals-ignore-case": …}. */
static struct expr *textual(struct maker *m, uint32_t path, struct str op, const struct jv *v,
                            bool negate)
{
    struct test t = {.path = path, .negate = negate};
    const struct jv *fold_of = jv_get(v, "equals-ignore-case");
    bool ends = str_is(op, "prefix") || str_is(op, "suffix");
    if (fold_of != NULL && jv_len(v) == 1 && ends) {
        t.icase = true;
        v = fold_of;
    }
    struct str *s;
    size_t n;
    if ((jv_is(v, JV_ARR) && !negate) || !strings_of(m, v, &s, &n)) {
        fail(m, op, negate ? "this operator takes a text or a list of them"
                           : "this operator takes a text");
        return NULL;
    }
    for (size_t i = 0; i < n && negate && ends; i++) {
        if (s[i].n == 0) {
            fail(m, op, "every text has the empty text at its ends: nothing is left to match");
            return NULL;
        }
    }
    t.label = negate ? "has a value other than what is listed"
                                    : "has a text of the form asked for";
    if (str_is(op, "wildcard"))
        return wildcards(m, &t, s, n);
    if (str_is(op, "equals-ignore-case"))
        t.op = OP_EQ, t.icase = true;
    else
        t.op = str_is(op, "prefix") ? OP_PREFIX : OP_SUFFIX;
    test_texts(m->a, &t, s, n);
    return expr_test(m->a, &t);
}

/* Of a value or of a list, all texts or all numbers. */
static struct expr *other_than(struct maker *m, uint32_t path, const struct jv *v)
{
    size_t n = jv_is(v, JV_ARR) ? jv_len(v) : 1;
    struct test *tests = ARENA_ARRAY(m->a, n + 1, struct test);
    struct str *texts = ARENA_ARRAY(m->a, n + 1, struct str);
    const char *says = "has a value that is not listed";
    size_t n_tests = 0, n_texts = 0;
    for (size_t i = 0; i < n; i++) {
        const struct jv *x = jv_is(v, JV_ARR) ? jv_at(v, i) : v;
        if (jv_is(x, JV_STR)) {
            texts[n_texts++] = x->s;
        } else if (jv_is(x, JV_INT) || jv_is(x, JV_NUM)) {
            double d = jv_d(x, 0);
            tests[n_tests++] = (struct test){.op = OP_NUMBER, .path = path, .negate = true,
                                             .lo = d, .hi = d, .label = says};
        } else {
            n_tests = n + 1; /* neither */
            break;
        }
    }
    if (n == 0 || n_tests + n_texts != n || (n_tests > 0 && n_texts > 0)) {
        fail(m, STR("anything-but"),
             "\"anything-but\" takes a text, a number, a list of texts or a list of numbers");
        return NULL;
    }
    if (n_texts > 0) {
        tests[0] = (struct test){.op = OP_EQ, .path = path, .negate = true, .label = says};
        test_texts(m->a, &tests[0], texts, n_texts);
        n_tests = 1;
    }
    return none_of(m, tests, n_tests);
}

static struct expr *anything_but(struct maker *m, uint32_t path, const struct jv *v)
{
    static const char *const ops[] = {"prefix", "suffix", "equals-ignore-case", "wildcard"};
    if (jv_is(v, JV_OBJ)) {
        if (jv_len(v) == 1 && is_one_of(v->obj.v[0].key, ops, ARRAY_LEN(ops)))
            return textual(m, path, v->obj.v[0].key, &v->obj.v[0].value, true);
        fail(m, STR("anything-but"), "\"anything-but\" does not know this operator");
        return NULL;
    }
    return other_than(m, path, v);
}

static struct expr *exists(struct maker *m, uint32_t path, const struct jv *v)
{
    if (!jv_is(v, JV_BOOL)) {
        fail(m, STR("exists"), "\"exists\" takes true or false");
        return NULL;
    }
    struct test t = {.op = OP_LEAF, .path = path, .label = "has a value"};
    struct expr *e = expr_test(m->a, &t);
    return v->b ? e : expr_not(m->a, e);
}

static struct expr *cidr(struct maker *m, uint32_t path, const struct jv *v)
{
    struct test t = {.op = OP_CIDR, .path = path, .label = "is in the network"};
    if (!jv_is(v, JV_STR) || str_find_char(v->s, '/') < 0 || !test_cidr(v->s, &t.cidr)) {
        fail(m, STR("cidr"), "\"cidr\" takes a network, like \"10.0.0.0/24\"");
        return NULL;
    }
    return expr_test(m->a, &t);
}

static struct expr *operator(struct maker *m, uint32_t path, const struct jv *v)
{
    if (jv_len(v) != 1) {
        fail(m, m->paths->v[path].key, "an operator object has one member");
        return NULL;
    }
    struct str op = v->obj.v[0].key;
    const struct jv *x = &v->obj.v[0].value;
    if (str_is(op, "prefix") || str_is(op, "suffix") || str_is(op, "equals-ignore-case") ||
        str_is(op, "wildcard"))
        return textual(m, path, op, x, false);
    if (str_is(op, "anything-but"))
        return anything_but(m, path, x);
    if (str_is(op, "numeric"))
        return numeric(m, path, x);
    if (str_is(op, "exists"))
        return exists(m, path, x);
    if (str_is(op, "cidr"))
        return cidr(m, path, x);
    fail(m, op, "this operator is not known");
    return NULL;
}

static struct expr *literal(struct maker *m, uint32_t path, const struct jv *v)
{
    struct test t = {.path = path, .label = "is the value listed"};
    if (v->type == JV_NULL) {
        t.op = OP_NULL;
    } else if (v->type == JV_BOOL) {
        t.op = OP_BOOL;
        t.lo = v->b;
    } else if (v->type == JV_INT || v->type == JV_NUM) {
        t.op = OP_NUMBER;
        t.lo = t.hi = jv_d(v, 0);
    } else {
        fail(m, m->paths->v[path].key, "a list within the list of values");
        return NULL;
    }
    return expr_test(m->a, &t);
}

/* The literal values of a list as one test for texts and one for each other value. */
static struct expr *one_of(struct maker *m, uint32_t path, const struct jv *list)
{
    size_t n = jv_len(list), n_texts = 0;
    struct str *texts = ARENA_ARRAY(m->a, n, struct str);
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < n; i++) {
        const struct jv *v = jv_at(list, i);
        if (v->type == JV_STR) {
            texts[n_texts++] = v->s;
            continue;
        }
        struct expr *e = v->type == JV_OBJ ? operator(m, path, v) : literal(m, path, v);
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    if (n_texts > 0) {
        struct test t = {.op = OP_EQ, .path = path,
                         .label = "is one of the texts listed"};
        test_texts(m->a, &t, texts, n_texts);
        expr_add(m->a, any, expr_test(m->a, &t));
    }
    return any->n == 1 ? any->kids[0] : any;
}

static struct expr *object(struct maker *m, uint32_t path, const struct jv *v, int depth);

/* EventBridge reads "$or" as a name where an element has a member that is an operator's name. */
static bool is_or(const struct jv_member *f)
{
    static const char *const operators[] = {
        "exists", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr",
        "anything-but", "exactly", "=", "<", "<=", ">", ">="};
    if (!str_is(f->key, "$or") || !jv_is(&f->value, JV_ARR))
        return false;
    for (size_t i = 0; i < jv_len(&f->value); i++) {
        const struct jv *x = jv_at(&f->value, i);
        for (size_t j = 0; jv_is(x, JV_OBJ) && j < jv_len(x); j++) {
            if (is_one_of(x->obj.v[j].key, operators, ARRAY_LEN(operators)))
                return false;
        }
    }
    return true;
}

typedef struct expr *level(struct maker *m, uint32_t path, const struct jv *v, int depth);

static struct expr *any_object(struct maker *m, uint32_t path, const struct jv *list, int depth,
                               level *below)
{
    struct expr *any = expr_list(m->a, EXPR_OR);
    bool ok = jv_len(list) >= 2;
    for (size_t i = 0; i < jv_len(list); i++)
        ok = ok && jv_is(jv_at(list, i), JV_OBJ) && jv_len(jv_at(list, i)) > 0;
    if (!ok) {
        fail(m, STR("$or"), "\"$or\" takes a list of two or more patterns that are not empty");
        return NULL;
    }
    for (size_t i = 0; i < jv_len(list); i++) {
        struct expr *e = below(m, path, jv_at(list, i), depth);
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    return any;
}

static struct expr *at_path(struct maker *m, uint32_t at, const struct jv_member *f, int depth)
{
    if (at == UINT32_MAX) {
        fail(m, f->key, "the rules name more paths than the limit");
        return NULL;
    }
    if (jv_is(&f->value, JV_OBJ))
        return object(m, at, &f->value, depth);
    if (!jv_is(&f->value, JV_ARR) || jv_len(&f->value) == 0) {
        fail(m, f->key, "a pattern's value is a list, and not an empty one");
        return NULL;
    }
    return one_of(m, at, &f->value);
}

/* EventBridge joins names with dots: "a.b" is b within a as well as one name. */
static struct expr *dotted(struct maker *m, uint32_t path, const struct jv_member *f, int depth)
{
    uint32_t at = path;
    struct str rest = f->key;
    while (rest.p != NULL)
        at = path_key(m->paths, at, str_cut(&rest, '.'), true);
    struct expr *any = expr_list(m->a, EXPR_OR);
    const uint32_t ways[] = {at, path_key(m->paths, path, f->key, true)};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct expr *e = at_path(m, ways[i], f, depth);
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    return any;
}

static struct expr *member(struct maker *m, uint32_t path, const struct jv_member *f, int depth)
{
    if (is_or(f))
        return any_object(m, path, &f->value, depth, object);
    m->src->hint = f->key;
    if (str_find_char(f->key, '.') > 0 && !str_ends_c(f->key, "."))
        return dotted(m, path, f, depth);
    return at_path(m, path_key(m->paths, path, f->key, true), f, depth);
}

static bool fits(struct maker *m, struct str near, const struct jv *v, int depth)
{
    if (depth >= RULE_DEPTH_MAX || jv_len(v) == 0) {
        fail(m, near, jv_len(v) == 0 ? "the pattern is empty" : "the pattern nests too deep");
        return false;
    }
    for (size_t i = 0; i < jv_len(v); i++) {
        for (size_t j = 0; j < i && jv_len(v) <= 256; j++) {
            if (str_eq(v->obj.v[i].key, v->obj.v[j].key)) {
                fail(m, v->obj.v[i].key, "this name stands twice in the pattern");
                return false;
            }
        }
    }
    return true;
}

static struct expr *object(struct maker *m, uint32_t path, const struct jv *v, int depth)
{
    struct expr *all = expr_list(m->a, EXPR_AND);
    if (!fits(m, m->paths->v[path].key, v, depth))
        return NULL;
    for (size_t i = 0; i < jv_len(v); i++) {
        struct expr *e = member(m, path, &v->obj.v[i], depth + 1);
        if (e == NULL)
            return NULL;
        expr_add(m->a, all, e);
    }
    return all;
}

/* The envelope's members where a record has them. */
static uint32_t envelope_path(struct maker *m, struct str key)
{
    static const char *const names[][2] = {{"account", "recipientAccountId"},
                                           {"region", "awsRegion"}, {"time", "eventTime"},
                                           {"id", "eventID"}};
    if (str_is(key, "source"))
        return path_virtual(m->paths, VIRT_SOURCE);
    if (str_is(key, "detail-type"))
        return path_virtual(m->paths, VIRT_DETAIL_TYPE);
    if (str_is(key, "version"))
        return path_virtual(m->paths, VIRT_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_is(key, names[i][0]))
            return path_key(m->paths, 0, str_c(names[i][1]), true);
    }
    return UINT32_MAX;
}

static struct expr *envelope(struct maker *m, uint32_t path, const struct jv *v, int depth);

static struct expr *envelope_member(struct maker *m, const struct jv_member *f, int depth)
{
    if (is_or(f))
        return any_object(m, 0, &f->value, depth, envelope);
    m->src->hint = f->key;
    if (str_is(f->key, "detail") && jv_is(&f->value, JV_OBJ))
        return object(m, 0, &f->value, depth);
    if (str_starts_c(f->key, "detail.") && f->key.n > 7) {
        struct jv_member inner = {.key = str_skip(f->key, 7), .value = f->value};
        return member(m, 0, &inner, depth);
    }
    uint32_t at = envelope_path(m, f->key);
    if (at == UINT32_MAX) {
        fail(m, f->key, str_is(f->key, "resources")
                            ? "\"resources\" is empty in the events of CloudTrail: the pattern "
                              "would match none"
                            : "the envelope of an event has no such member");
        return NULL;
    }
    return at_path(m, at, f, depth);
}

static struct expr *envelope(struct maker *m, uint32_t path, const struct jv *v, int depth)
{
    struct expr *all = expr_list(m->a, EXPR_AND);
    (void)path;
    if (!fits(m, STR("detail"), v, depth))
        return NULL;
    for (size_t i = 0; i < jv_len(v); i++) {
        struct expr *e = envelope_member(m, &v->obj.v[i], depth + 1);
        if (e == NULL)
            return NULL;
        expr_add(m->a, all, e);
    }
    return all;
}

static bool is_wrapped(const struct jv *pattern)
{
    for (size_t i = 0; i < jv_len(pattern); i++) {
        const struct jv_member *f = &pattern->obj.v[i];
        if (str_is(f->key, "detail") || str_is(f->key, "detail-type") || str_is(f->key, "source") ||
            str_starts_c(f->key, "detail."))
            return true;
        for (size_t j = 0; is_or(f) && j < jv_len(&f->value); j++) {
            if (is_wrapped(jv_at(&f->value, j)))
                return true;
        }
    }
    return false;
}

bool pattern_is_elsewhere(const struct jv *pattern)
{
    const struct jv *types = jv_get(pattern, "detail-type");
    bool elsewhere = jv_is(types, JV_ARR) && jv_len(types) > 0;
    for (size_t i = 0; elsewhere && i < jv_len(types); i++) {
        struct str s = jv_s(jv_at(types, i));
        elsewhere = s.n > 0 && !str_ends_c(s, " via CloudTrail");
    }
    return elsewhere;
}

struct expr *pattern_compile(struct rule_source *src, const struct jv *pattern)
{
    struct maker m = {.src = src, .a = src->rs->a, .paths = &src->rs->paths};
    src->hint = STR_NONE;
    if (!jv_is(pattern, JV_OBJ) || jv_len(pattern) == 0) {
        fail(&m, STR_NONE, "an event pattern is an object with members");
        return NULL;
    }
    struct expr *e = (is_wrapped(pattern) ? envelope : object)(&m, 0, pattern, 0);
    if (m.failed || e == NULL)
        return NULL;
    e = same_expr(m.a, m.paths, e);
    if (e == NULL)
        rules_fault(src, STR("$or"),
                    "\"$or\" multiplies to more than %d combinations, or %d tests in them",
                    SAME_ALTERNATIVES_MAX, SAME_ITEMS_MAX);
    return e;
}

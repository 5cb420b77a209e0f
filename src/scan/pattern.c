/* EventBridge patterns.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html */
#include "rules.h"

#include <math.h>

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

static const char *label(struct maker *m, uint32_t path, const char *what)
{
    struct str s = arena_fmt(m->a, "%.*s %s", STR_ARG(m->paths->v[path].text), what);
    return s.p;
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

static struct expr *numeric(struct maker *m, uint32_t path, const struct jv *v)
{
    struct test t = {.op = OP_NUMBER, .path = path, .lo = -INFINITY, .hi = INFINITY,
                     .label = label(m, path, "is a number in the range")};
    size_t n = jv_len(v);
    bool ok = jv_is(v, JV_ARR) && (n == 2 || n == 4);
    for (size_t i = 0; ok && i < n; i += 2) {
        struct str op = jv_s(jv_at(v, i));
        const struct jv *x = jv_at(v, i + 1);
        if (!jv_is(x, JV_INT) && !jv_is(x, JV_NUM)) {
            ok = false;
            break;
        }
        double d = jv_d(x, 0);
        if (str_is(op, "=") && n == 2)
            t.lo = t.hi = d;
        else if (str_is(op, ">") || str_is(op, ">="))
            t.lo = d, t.lo_open = op.n == 1;
        else if (str_is(op, "<") || str_is(op, "<="))
            t.hi = d, t.hi_open = op.n == 1;
        else
            ok = false;
    }
    if (!ok) {
        fail(m, STR("numeric"), "\"numeric\" takes [\"op\", number] or [\">\", a, \"<\", b]");
        return NULL;
    }
    return expr_test(m->a, &t);
}

/* prefix, suffix, equals-ignore-case, wildcard: of a text, a list, or
 * {"equals-ignore-case": …}. */
static struct expr *textual(struct maker *m, uint32_t path, struct str op, const struct jv *v,
                            bool negate)
{
    struct test t = {.path = path, .negate = negate};
    const struct jv *fold_of = jv_get(v, "equals-ignore-case");
    if (fold_of != NULL && jv_len(v) == 1 && (str_is(op, "prefix") || str_is(op, "suffix"))) {
        t.icase = true;
        v = fold_of;
    }
    struct str *s;
    size_t n;
    if (!strings_of(m, v, &s, &n)) {
        fail(m, op, "this operator takes a text (or a list of them)");
        return NULL;
    }
    t.label = label(m, path, negate ? "has a value other than what is listed"
                                    : "has a text of the form asked for");
    if (str_is(op, "wildcard")) {
        struct expr *all = expr_list(m->a, negate ? EXPR_AND : EXPR_OR);
        for (size_t i = 0; i < n; i++) {
            if (str_find(s[i], STR("**")) >= 0) {
                fail(m, s[i], "a wildcard has two '*' side by side");
                return NULL;
            }
            struct test w = t;
            test_wild(m->a, &w, s[i], false);
            expr_add(m->a, all, expr_test(m->a, &w));
        }
        return all;
    }
    if (str_is(op, "equals-ignore-case"))
        t.op = OP_EQ, t.icase = true;
    else
        t.op = str_is(op, "prefix") ? OP_PREFIX : OP_SUFFIX;
    test_texts(m->a, &t, s, n);
    return expr_test(m->a, &t);
}

static struct expr *one_of(struct maker *m, uint32_t path, const struct jv *list, bool negate);

static struct expr *anything_but(struct maker *m, uint32_t path, const struct jv *v)
{
    static const char *const ops[] = {"prefix", "suffix", "equals-ignore-case", "wildcard"};
    if (jv_is(v, JV_OBJ)) {
        for (size_t i = 0; jv_len(v) == 1 && i < ARRAY_LEN(ops); i++) {
            if (str_is(v->obj.v[0].key, ops[i]))
                return textual(m, path, v->obj.v[0].key, &v->obj.v[0].value, true);
        }
        fail(m, STR("anything-but"), "\"anything-but\" does not know this operator");
        return NULL;
    }
    return one_of(m, path, v, true);
}

static struct expr *exists(struct maker *m, uint32_t path, const struct jv *v)
{
    if (!jv_is(v, JV_BOOL)) {
        fail(m, STR("exists"), "\"exists\" takes true or false");
        return NULL;
    }
    struct test t = {.op = OP_LEAF, .path = path, .label = label(m, path, "has a value")};
    struct expr *e = expr_test(m->a, &t);
    return v->b ? e : expr_not(m->a, e);
}

static struct expr *cidr(struct maker *m, uint32_t path, const struct jv *v)
{
    struct test t = {.op = OP_CIDR, .path = path, .label = label(m, path, "is in the network")};
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

/* The literal values of a list as one test for texts and one for each other value. */
static struct expr *one_of(struct maker *m, uint32_t path, const struct jv *list, bool negate)
{
    size_t n = jv_is(list, JV_ARR) ? jv_len(list) : 1;
    struct str *texts = ARENA_ARRAY(m->a, n, struct str);
    size_t n_texts = 0;
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < n; i++) {
        const struct jv *v = jv_is(list, JV_ARR) ? jv_at(list, i) : list;
        struct test t = {.path = path, .label = label(m, path, "is the value listed")};
        struct expr *e = NULL;
        if (v->type == JV_STR) {
            texts[n_texts++] = v->s;
            continue;
        }
        if (v->type == JV_OBJ && !negate) {
            e = operator(m, path, v);
        } else if (v->type == JV_NULL) {
            t.op = OP_NULL;
            e = expr_test(m->a, &t);
        } else if (v->type == JV_BOOL) {
            t.op = OP_BOOL;
            t.lo = v->b;
            e = expr_test(m->a, &t);
        } else if (v->type == JV_INT || v->type == JV_NUM) {
            t.op = OP_NUMBER;
            t.lo = t.hi = jv_d(v, 0);
            e = expr_test(m->a, &t);
        } else {
            fail(m, m->paths->v[path].key, "a list within the list of values");
        }
        if (e != NULL)
            expr_add(m->a, any, e);
    }
    if (n_texts > 0) {
        struct test t = {.op = OP_EQ, .path = path,
                         .label = label(m, path, negate ? "has a value that is not listed"
                                                        : "is one of the texts listed")};
        test_texts(m->a, &t, texts, n_texts);
        expr_add(m->a, any, expr_test(m->a, &t));
    }
    if (!negate)
        return any->n == 1 ? any->kids[0] : any;
    /* Of a mixed list each part must be escaped by some value. */
    struct expr *all = expr_list(m->a, EXPR_AND);
    for (size_t i = 0; i < any->n; i++) {
        any->kids[i]->test->negate = true;
        expr_add(m->a, all, any->kids[i]);
    }
    return all->n == 1 ? all->kids[0] : all;
}

static struct expr *object(struct maker *m, uint32_t path, const struct jv *v, int depth);

static struct expr *any_object(struct maker *m, uint32_t path, const struct jv *list, int depth)
{
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < jv_len(list); i++) {
        if (!jv_is(jv_at(list, i), JV_OBJ)) {
            fail(m, STR("$or"), "\"$or\" takes a list of patterns");
            return any;
        }
        expr_add(m->a, any, object(m, path, jv_at(list, i), depth));
    }
    return any;
}

static struct expr *member(struct maker *m, uint32_t path, const struct jv_member *f, int depth)
{
    if (str_is(f->key, "$or") && jv_is(&f->value, JV_ARR) && jv_len(&f->value) >= 2)
        return any_object(m, path, &f->value, depth);
    uint32_t at = path_key(m->paths, path, f->key, true);
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
    return one_of(m, at, &f->value, false);
}

static struct expr *object(struct maker *m, uint32_t path, const struct jv *v, int depth)
{
    struct expr *all = expr_list(m->a, EXPR_AND);
    if (depth >= RULE_DEPTH_MAX || jv_len(v) == 0) {
        fail(m, m->paths->v[path].key,
             depth >= RULE_DEPTH_MAX ? "the pattern nests too deep" : "the pattern is empty");
        return all;
    }
    for (size_t i = 0; i < jv_len(v); i++) {
        struct expr *e = member(m, path, &v->obj.v[i], depth + 1);
        if (e != NULL)
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

static struct expr *envelope(struct maker *m, const struct jv *v, int depth)
{
    struct expr *all = expr_list(m->a, EXPR_AND);
    for (size_t i = 0; i < jv_len(v) && depth < RULE_DEPTH_MAX; i++) {
        const struct jv_member *f = &v->obj.v[i];
        struct expr *e = NULL;
        if (str_is(f->key, "detail") && jv_is(&f->value, JV_OBJ)) {
            e = object(m, 0, &f->value, depth + 1);
        } else if (str_is(f->key, "$or") && jv_is(&f->value, JV_ARR)) {
            e = expr_list(m->a, EXPR_OR);
            for (size_t j = 0; j < jv_len(&f->value); j++)
                expr_add(m->a, e, envelope(m, jv_at(&f->value, j), depth + 1));
        } else {
            uint32_t at = envelope_path(m, f->key);
            if (at == UINT32_MAX || !jv_is(&f->value, JV_ARR) || jv_len(&f->value) == 0)
                fail(m, f->key, at == UINT32_MAX ? "the envelope has no such member"
                                                 : "a pattern's value is a list");
            else
                e = one_of(m, at, &f->value, false);
        }
        if (e != NULL)
            expr_add(m->a, all, e);
    }
    return all;
}

struct expr *pattern_compile(struct rule_source *src, const struct jv *pattern)
{
    struct maker m = {.src = src, .a = src->rs->a, .paths = &src->rs->paths};
    if (!jv_is(pattern, JV_OBJ) || jv_len(pattern) == 0) {
        fail(&m, STR_NONE, "an event pattern is an object with members");
        return NULL;
    }
    bool wrapped = jv_get(pattern, "detail") != NULL || jv_get(pattern, "detail-type") != NULL ||
                   jv_get(pattern, "source") != NULL;
    struct expr *e = wrapped ? envelope(&m, pattern, 0) : object(&m, 0, pattern, 0);
    return m.failed ? NULL : e;
}

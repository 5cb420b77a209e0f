/* Sigma rules. https://github.com/SigmaHQ/sigma-specification (rules, modifiers) */
#include "rules.h"

#include "../core/enc.h"

#include <math.h>

enum { MODIFIERS_MAX = 8, VALUES_LIST_MAX = 20000 };

struct maker {
    struct rule_source *src;
    struct arena *a;
    struct paths *paths;
    const struct jv *detection;
    bool failed;
    int depth;
};

static struct expr *fail(struct maker *m, struct str near, const char *what)
{
    m->failed = true;
    rules_fault(m->src, near, "%s: \"%.*s\"", what, STR_ARG(str_take(near, 80)));
    return NULL;
}

struct item {
    uint32_t path;
    struct str key;
    bool all, cased, negate, wide, exists, fieldref, keyword;
    bool re_i, re_s;
    int encode; /* 0, 1: base64, 3: base64offset */
    enum { MATCH_EQ, MATCH_CONTAINS, MATCH_START, MATCH_END, MATCH_RE, MATCH_CIDR, MATCH_LT,
           MATCH_LTE, MATCH_GT, MATCH_GTE } how;
};

static bool modifier(struct item *it, struct str s)
{
    static const struct {
        const char *name;
        int how;
    } hows[] = {{"contains", MATCH_CONTAINS}, {"startswith", MATCH_START},
                {"endswith", MATCH_END},      {"re", MATCH_RE},
                {"cidr", MATCH_CIDR},         {"lt", MATCH_LT},
                {"lte", MATCH_LTE},           {"gt", MATCH_GT},
                {"gte", MATCH_GTE}};
    for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
        if (str_is(s, hows[i].name)) {
            it->how = hows[i].how;
            return true;
        }
    }
    if (str_is(s, "all"))
        it->all = true;
    else if (str_is(s, "cased"))
        it->cased = true;
    else if (str_is(s, "neq"))
        it->negate = true;
    else if (str_is(s, "exists"))
        it->exists = true;
    else if (str_is(s, "fieldref"))
        it->fieldref = true;
    else if (str_is(s, "wide") || str_is(s, "utf16le"))
        it->wide = true;
    else if (str_is(s, "base64"))
        it->encode = 1;
    else if (str_is(s, "base64offset"))
        it->encode = 3;
    else if (str_is(s, "i") && it->how == MATCH_RE)
        it->re_i = true;
    else if (str_is(s, "s") && it->how == MATCH_RE)
        it->re_s = true;
    else
        return false;
    return true;
}

/* Has it a '*' or '?' that no backslash takes away? Writes the plain text if not. */
static bool has_wildcard(struct arena *a, struct str s, struct str *plain)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n && strchr("*?\\", s.p[i + 1]) != NULL)
            i++;
        else if (s.p[i] == '*' || s.p[i] == '?')
            return true;
        out[n++] = s.p[i];
    }
    *plain = str_of(out, n);
    return false;
}

static struct str to_wide(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.n * 2 + 1);
    for (size_t i = 0; i < s.n; i++)
        out[2 * i] = s.p[i];
    return str_of(out, s.n * 2);
}

/* The three ways that a text can stand within base64, without the characters that its
 * neighbours have a part in. */
static struct str base64_at(struct arena *a, struct str s, size_t offset)
{
    static const size_t skip_front[] = {0, 2, 3};
    static const size_t skip_back[] = {0, 3, 2};
    char *padded = arena_alloc(a, s.n + 3);
    memcpy(padded + offset, s.p, s.n);
    size_t n = s.n + offset;
    struct str e = enc_base64(a, str_of(padded, n));
    size_t front = skip_front[offset], back = skip_back[n % 3];
    return front + back > e.n ? STR("") : str_take(str_skip(e, front), e.n - front - back);
}

static struct expr *text_value(struct maker *m, const struct item *it, struct str s)
{
    struct test t = {.path = it->path, .icase = !it->cased, .loose = true,
                     .label = arena_fmt(m->a, "%.*s: %.*s", STR_ARG(it->key),
                                        STR_ARG(str_take(s, 120))).p};
    struct str plain;
    bool wild = has_wildcard(m->a, s, &plain);
    if (it->keyword) {
        t.op = OP_KEYWORD;
        if (!wild) {
            test_texts(m->a, &t, &plain, 1);
            return expr_test(m->a, &t);
        }
        struct expr *all = expr_list(m->a, EXPR_AND);
        struct str rest = s;
        while (rest.p != NULL) {
            struct str piece = str_cut(&rest, '*');
            if (piece.n == 0)
                continue;
            test_texts(m->a, &t, &piece, 1);
            expr_add(m->a, all, expr_test(m->a, &t));
        }
        return all;
    }
    if (!wild) {
        t.op = it->how == MATCH_CONTAINS ? OP_CONTAINS : it->how == MATCH_START ? OP_PREFIX
             : it->how == MATCH_END ? OP_SUFFIX : OP_EQ;
        test_texts(m->a, &t, &plain, 1);
        return expr_test(m->a, &t);
    }
    bool front = it->how == MATCH_CONTAINS || it->how == MATCH_END;
    bool back = it->how == MATCH_CONTAINS || it->how == MATCH_START;
    struct str w = arena_fmt(m->a, "%s%.*s%s", front ? "*" : "", STR_ARG(s), back ? "*" : "");
    test_wild(m->a, &t, w, true);
    return expr_test(m->a, &t);
}

static struct expr *encoded_value(struct maker *m, const struct item *it, struct str s)
{
    if (it->wide)
        s = to_wide(m->a, s);
    struct item plain = *it;
    plain.cased = true;
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t offset = 0; offset < (size_t)(it->encode == 3 ? 3 : 1); offset++) {
        struct str e = it->encode == 3 ? base64_at(m->a, s, offset) : enc_base64(m->a, s);
        expr_add(m->a, any, text_value(m, &plain, e));
    }
    return any;
}

static struct expr *special_value(struct maker *m, const struct item *it, struct str s)
{
    struct test t = {.path = it->path, .icase = it->re_i, .loose = true,
                     .label = arena_fmt(m->a, "%.*s: %.*s", STR_ARG(it->key),
                                        STR_ARG(str_take(s, 120))).p};
    if (it->how == MATCH_RE) {
        struct err *e = test_regex(m->a, &t, s, it->re_s);
        if (e != NULL) {
            fail(m, s, e->message);
            err_free(e);
            return NULL;
        }
    } else if (it->how == MATCH_CIDR) {
        t.op = OP_CIDR;
        if (!test_cidr(s, &t.cidr))
            return fail(m, s, "not a network");
    } else {
        double d;
        if (!str_to_double(s, &d))
            return fail(m, s, "not a number");
        t.op = OP_NUMBER;
        t.lo = -INFINITY;
        t.hi = INFINITY;
        if (it->how == MATCH_LT || it->how == MATCH_LTE)
            t.hi = d, t.hi_open = it->how == MATCH_LT;
        else
            t.lo = d, t.lo_open = it->how == MATCH_GT;
    }
    return expr_test(m->a, &t);
}

static struct expr *one_value(struct maker *m, const struct item *it, const struct jv *v)
{
    struct test t = {.path = it->path, .label = it->key.p};
    if (it->exists) {
        if (!jv_is(v, JV_BOOL))
            return fail(m, it->key, "exists takes true or false");
        t.op = OP_PRESENT;
        struct expr *e = expr_test(m->a, &t);
        return v->b ? e : expr_not(m->a, e);
    }
    if (jv_is(v, JV_NULL)) {
        /* null: no such field, or no value in it */
        struct expr *none = expr_list(m->a, EXPR_OR);
        t.op = OP_PRESENT;
        expr_add(m->a, none, expr_not(m->a, expr_test(m->a, &t)));
        t.op = OP_NULL;
        expr_add(m->a, none, expr_test(m->a, &t));
        return none;
    }
    if (jv_is(v, JV_ARR) || jv_is(v, JV_OBJ))
        return fail(m, it->key, "a list or map within the values");
    struct str s = v->type == JV_STR ? v->s : jv_text(m->a, v);
    if (it->fieldref) {
        t.op = OP_FIELD;
        t.icase = !it->cased;
        t.other = path_dotted(m->paths, s, true);
        return t.other == UINT32_MAX ? fail(m, s, "more paths than the limit")
                                     : expr_test(m->a, &t);
    }
    if (it->encode != 0)
        return encoded_value(m, it, s);
    if (it->how >= MATCH_RE)
        return special_value(m, it, s);
    return text_value(m, it, it->wide ? to_wide(m->a, s) : s);
}

/* Plain texts of a list are one test: that is what the index and the binary search live on. */
static struct expr *joined_texts(struct maker *m, const struct item *it, const struct jv *list)
{
    if (it->how > MATCH_END || it->all || it->encode != 0 || it->wide || it->exists ||
        it->fieldref || it->keyword || jv_len(list) < 2)
        return NULL;
    struct str *texts = ARENA_ARRAY(m->a, jv_len(list), struct str);
    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *v = jv_at(list, i);
        if (v->type != JV_STR || has_wildcard(m->a, v->s, &texts[i]))
            return NULL;
    }
    struct test t = {.path = it->path, .icase = !it->cased, .loose = true,
                     .label = arena_fmt(m->a, "%.*s is one of the texts listed",
                                        STR_ARG(it->key)).p};
    t.op = it->how == MATCH_CONTAINS ? OP_CONTAINS : it->how == MATCH_START ? OP_PREFIX
         : it->how == MATCH_END ? OP_SUFFIX : OP_EQ;
    test_texts(m->a, &t, texts, jv_len(list));
    return expr_test(m->a, &t);
}

static struct expr *values(struct maker *m, const struct item *it, const struct jv *v)
{
    struct expr *e;
    if (!jv_is(v, JV_ARR)) {
        e = one_value(m, it, v);
    } else {
        e = joined_texts(m, it, v);
        if (e == NULL) {
            if (jv_len(v) == 0 || jv_len(v) > VALUES_LIST_MAX)
                return fail(m, it->key, "a list of values is empty or too long");
            e = expr_list(m->a, it->all ? EXPR_AND : EXPR_OR);
            for (size_t i = 0; i < jv_len(v); i++) {
                struct expr *x = one_value(m, it, jv_at(v, i));
                if (x == NULL)
                    return NULL;
                expr_add(m->a, e, x);
            }
        }
    }
    return e != NULL && it->negate ? expr_not(m->a, e) : e;
}

static struct expr *field_item(struct maker *m, struct str key, const struct jv *v)
{
    struct item it = {0};
    struct str rest = key;
    it.key = str_cut(&rest, '|');
    if (it.key.n == 0)
        it.keyword = true;
    else if ((it.path = path_dotted(m->paths, it.key, true)) == UINT32_MAX)
        return fail(m, key, "the rules name more paths than the limit");
    while (rest.p != NULL) {
        struct str mod = str_cut(&rest, '|');
        if (!modifier(&it, mod))
            return fail(m, key, "a modifier that is not known, or has no sense on JSON");
    }
    it.key = arena_str(m->a, it.key);
    return values(m, &it, v);
}

static struct expr *selection(struct maker *m, const struct jv *v)
{
    if (jv_is(v, JV_OBJ)) {
        struct expr *all = expr_list(m->a, EXPR_AND);
        for (size_t i = 0; i < jv_len(v); i++) {
            struct expr *e = field_item(m, v->obj.v[i].key, &v->obj.v[i].value);
            if (e == NULL)
                return NULL;
            expr_add(m->a, all, e);
        }
        return all;
    }
    const struct item keyword = {.keyword = true, .key = STR("keyword")};
    if (!jv_is(v, JV_ARR))
        return jv_is(v, JV_NULL) ? NULL : one_value(m, &keyword, v);
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < jv_len(v); i++) {
        const struct jv *x = jv_at(v, i);
        struct expr *e = jv_is(x, JV_OBJ) ? selection(m, x) : one_value(m, &keyword, x);
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    return any;
}

static struct expr *named(struct maker *m, const struct jv_member *f)
{
    struct expr *e = selection(m, &f->value);
    if (e == NULL || e->n + (e->kind == EXPR_TEST) == 0) {
        if (!m->failed)
            fail(m, f->key, "this selection is empty");
        return NULL;
    }
    struct expr *wrap = expr_list(m->a, EXPR_AND);
    expr_add(m->a, wrap, e);
    wrap->name = arena_cstr(m->a, f->key);
    return wrap;
}

/* -- conditions -- */
struct cond {
    struct maker *m;
    struct str text;
    size_t at;
};

static struct str token(struct cond *c)
{
    while (c->at < c->text.n && strchr(" \t\r\n", c->text.p[c->at]) != NULL)
        c->at++;
    size_t from = c->at;
    if (from < c->text.n && strchr("()|", c->text.p[from]) != NULL) {
        c->at++;
        return str_take(str_skip(c->text, from), 1);
    }
    while (c->at < c->text.n && strchr(" \t\r\n()|", c->text.p[c->at]) == NULL)
        c->at++;
    return str_take(str_skip(c->text, from), c->at - from);
}

static struct str peek(struct cond *c)
{
    size_t was = c->at;
    struct str t = token(c);
    c->at = was;
    return t;
}

static struct expr *of_many(struct cond *c, bool all)
{
    struct maker *m = c->m;
    struct str which = token(c);
    struct expr *e = expr_list(m->a, all ? EXPR_AND : EXPR_OR);
    bool them = str_is_i(which, "them");
    for (size_t i = 0; i < jv_len(m->detection); i++) {
        const struct jv_member *f = &m->detection->obj.v[i];
        if (str_is(f->key, "condition") || str_is(f->key, "timeframe"))
            continue;
        if (them ? str_starts_c(f->key, "_") : !str_wildcard(which, f->key))
            continue;
        struct expr *x = named(m, f);
        if (x == NULL)
            return NULL;
        expr_add(m->a, e, x);
    }
    return e->n == 0 ? fail(m, which, "no selection has such a name") : e;
}

static struct expr *cond_or(struct cond *c);

static struct expr *cond_primary(struct cond *c)
{
    struct maker *m = c->m;
    struct str t = token(c);
    if (str_is_i(t, "not")) {
        if (++m->depth > RULE_DEPTH_MAX)
            return fail(m, c->text, "the condition nests too deep");
        struct expr *e = cond_primary(c);
        m->depth--;
        return e == NULL ? NULL : expr_not(m->a, e);
    }
    if (str_is(t, "(")) {
        if (++m->depth > RULE_DEPTH_MAX)
            return fail(m, c->text, "the condition nests too deep");
        struct expr *e = cond_or(c);
        m->depth--;
        if (e != NULL && !str_is(token(c), ")"))
            return fail(m, c->text, "a ) is missing in the condition");
        return e;
    }
    if ((str_is(t, "1") || str_is_i(t, "any") || str_is_i(t, "all")) && str_is_i(peek(c), "of")) {
        token(c);
        return of_many(c, str_is_i(t, "all"));
    }
    for (size_t i = 0; i < jv_len(m->detection); i++) {
        if (str_eq(m->detection->obj.v[i].key, t) && !str_is(t, "condition"))
            return named(m, &m->detection->obj.v[i]);
    }
    return fail(m, t.n == 0 ? c->text : t, "the condition names no selection");
}

static struct expr *cond_and(struct cond *c)
{
    struct expr *all = expr_list(c->m->a, EXPR_AND);
    for (;;) {
        struct expr *e = cond_primary(c);
        if (e == NULL)
            return NULL;
        expr_add(c->m->a, all, e);
        if (!str_is_i(peek(c), "and"))
            return all->n == 1 ? e : all;
        token(c);
    }
}

static struct expr *cond_or(struct cond *c)
{
    struct expr *any = expr_list(c->m->a, EXPR_OR);
    for (;;) {
        struct expr *e = cond_and(c);
        if (e == NULL)
            return NULL;
        expr_add(c->m->a, any, e);
        if (!str_is_i(peek(c), "or"))
            return any->n == 1 ? e : any;
        token(c);
    }
}

static struct expr *condition(struct maker *m, struct str text)
{
    struct cond c = {.m = m, .text = text};
    struct expr *e = cond_or(&c);
    if (e != NULL && peek(&c).n != 0)
        return fail(m, peek(&c),
                    str_is(peek(&c), "|")
                        ? "aggregations in a condition are the old form; write a correlation"
                        : "text behind the condition");
    return e;
}

static struct expr *detection(struct maker *m)
{
    const struct jv *cond = jv_get(m->detection, "condition");
    if (jv_is(cond, JV_STR))
        return condition(m, cond->s);
    if (!jv_is(cond, JV_ARR) || jv_len(cond) == 0)
        return fail(m, STR("detection"), "the detection has no condition");
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < jv_len(cond); i++) {
        struct expr *e = condition(m, jv_s(jv_at(cond, i)));
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    return any;
}

/* -- correlations -- */
static bool timespan(struct str s, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    int64_t n;
    for (size_t i = 0; s.n >= 2 && i < ARRAY_LEN(units); i++) {
        if (s.p[s.n - 1] == units[i].unit && str_to_i64(str_take(s, s.n - 1), 1, 100000, &n)) {
            *out_ms = n * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool count_condition(struct maker *m, struct correlation *c, const struct jv *cond)
{
    c->least = c->kind == CORR_TEMPORAL || c->kind == CORR_TEMPORAL_ORDERED
                   ? (int64_t)c->n_rules : 1;
    c->most = INT64_MAX;
    for (size_t i = 0; i < jv_len(cond); i++) {
        struct str k = cond->obj.v[i].key;
        const struct jv *v = &cond->obj.v[i].value;
        if (str_is(k, "field")) {
            c->field = path_dotted(m->paths, jv_s(v), true);
            continue;
        }
        int64_t n = jv_i(v, -1);
        if (n < 0)
            return fail(m, k, "a count is a whole number") != NULL;
        if (str_is(k, "gte"))
            c->least = n;
        else if (str_is(k, "gt"))
            c->least = n + 1;
        else if (str_is(k, "lte"))
            c->most = n;
        else if (str_is(k, "lt"))
            c->most = n - 1;
        else if (str_is(k, "eq"))
            c->least = c->most = n;
        else
            return fail(m, k, "a correlation's condition knows gte, gt, lte, lt, eq and field") !=
                   NULL;
    }
    if (c->kind == CORR_VALUE_COUNT && c->field == 0)
        return fail(m, STR("condition"), "value_count needs a field") != NULL;
    return true;
}

static void aliases(struct maker *m, struct correlation *c, const struct jv *alias,
                    const struct jv *group)
{
    c->alias = ARENA_ARRAY(m->a, c->n_group * c->n_rules + 1, uint32_t);
    for (size_t g = 0; g < c->n_group; g++) {
        const struct jv *of = jv_get_str(alias, jv_s(jv_at(group, g)));
        for (size_t r = 0; r < c->n_rules; r++) {
            struct str field = jv_s(jv_get_str(of, c->names[r]));
            if (field.p != NULL)
                c->alias[r * c->n_group + g] = path_dotted(m->paths, field, true);
        }
    }
}

static struct correlation *correlation(struct maker *m, const struct jv *v)
{
    static const char *const kinds[] = {"", "event_count", "value_count", "temporal",
                                        "temporal_ordered"};
    struct correlation *c = ARENA_NEW(m->a, struct correlation);
    for (int k = 1; k <= CORR_TEMPORAL_ORDERED; k++) {
        if (str_is(jv_s(jv_get(v, "type")), kinds[k]))
            c->kind = (enum correlation_kind)k;
    }
    if (c->kind == CORR_NONE) {
        fail(m, STR("type"), "a correlation is event_count, value_count, temporal or "
                             "temporal_ordered");
        return NULL;
    }
    const struct jv *list = jv_get(v, "rules");
    c->n_rules = jv_is(list, JV_ARR) ? jv_len(list) : jv_is(list, JV_STR);
    c->names = ARENA_ARRAY(m->a, c->n_rules + 1, struct str);
    for (size_t i = 0; i < c->n_rules; i++)
        c->names[i] = jv_s(jv_is(list, JV_ARR) ? jv_at(list, i) : list);
    if (c->n_rules == 0 || c->n_rules > 64) {
        fail(m, STR("rules"), "a correlation names 1 to 64 rules");
        return NULL;
    }
    const struct jv *group = jv_get(v, "group-by");
    c->n_group = jv_len(group);
    c->group = ARENA_ARRAY(m->a, c->n_group + 1, uint32_t);
    for (size_t i = 0; i < c->n_group; i++)
        c->group[i] = path_dotted(m->paths, jv_s(jv_at(group, i)), true);
    aliases(m, c, jv_get(v, "aliases"), group);
    if (!timespan(jv_s(jv_get(v, "timespan")), &c->span_ms)) {
        fail(m, STR("timespan"), "a timespan is a number and s, m, h or d");
        return NULL;
    }
    return count_condition(m, c, jv_get(v, "condition")) ? c : NULL;
}

/* -- documents -- */
bool sigma_looks_like(const struct jv *doc)
{
    return jv_is(jv_get(doc, "detection"), JV_OBJ) || jv_is(jv_get(doc, "correlation"), JV_OBJ);
}

static bool for_cloudtrail(const struct jv *doc)
{
    const struct jv *log = jv_get(doc, "logsource");
    struct str product = jv_s(jv_get(log, "product")), service = jv_s(jv_get(log, "service"));
    return (product.p == NULL || str_is_i(product, "aws")) &&
           (service.p == NULL || str_is_i(service, "cloudtrail"));
}

static struct str references(struct arena *a, const struct jv *v)
{
    return jv_is(v, JV_STR) ? v->s : arena_str(a, jv_s(jv_at(v, 0)));
}

static void severity_of(struct maker *m, struct rule *r, const struct jv *doc)
{
    struct str level = jv_s(jv_get(doc, "level"));
    if (level.p == NULL)
        level = jv_s(jv_get(doc, "severity"));
    if (str_is(level, "informational"))
        level = STR("info");
    if (level.p != NULL && !severity_parse(level, &r->severity))
        fail(m, level, "not a level");
}

void sigma_load(struct rule_source *src, const struct jv *doc)
{
    struct maker m = {.src = src, .a = src->rs->a, .paths = &src->rs->paths,
                      .detection = jv_get(doc, "detection")};
    struct str id = jv_s(jv_get(doc, "id"));
    if (id.p == NULL)
        id = jv_s(jv_get(doc, "name"));
    if (id.p == NULL)
        id = rules_stem(m.a, src->file);
    if (!for_cloudtrail(doc)) {
        VEC_PUSH(m.a, &src->rs->skipped, id);
        return;
    }
    struct expr *e = NULL;
    struct correlation *c = NULL;
    const struct jv *corr = jv_get(doc, "correlation");
    if (corr != NULL)
        c = correlation(&m, corr);
    else
        e = detection(&m);
    if (m.failed || (e == NULL && c == NULL))
        return;
    struct rule *r = rules_add(src, id);
    if (r == NULL)
        return;
    r->expr = e;
    r->corr = c;
    r->language = STR("sigma");
    r->name = jv_s(jv_get(doc, "name"));
    r->title = jv_s(jv_get(doc, "title"));
    r->reason = jv_s(jv_get(doc, "description"));
    if (r->reason.p == NULL)
        r->reason = jv_s(jv_get(doc, "reason"));
    r->reference = references(m.a, jv_get(doc, "references"));
    if (r->reference.p == NULL)
        r->reference = jv_s(jv_get(doc, "reference"));
    r->hidden = jv_b(jv_get(doc, "hidden"), false);
    severity_of(&m, r, doc);
    const struct jv *generate = corr != NULL ? jv_get(corr, "generate") : NULL;
    if (c != NULL)
        r->line |= jv_b(generate, false) ? (size_t)1 << 62 : 0;
}

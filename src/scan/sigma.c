/* Sigma rules: selections, conditions, documents.
 * https://github.com/SigmaHQ/sigma-specification (rules) */
#include "sigma_int.h"

enum { CONDITION_MAX = 16 * 1024 };

void *sigma_fail(struct sigma_maker *m, struct str near, const char *what)
{
    m->failed = true;
    rules_fault(m->src, near, "%s: \"%.*s\"", what, STR_ARG(str_take(near, 80)));
    return NULL;
}

/* -- selections -- */
static struct expr *selection(struct sigma_maker *m, const struct jv *v, int depth)
{
    if (depth > RULE_DEPTH_MAX)
        return sigma_fail(m, STR("detection"), "lists nest too deep");
    if (jv_is(v, JV_OBJ)) {
        struct expr *all = expr_list(m->a, EXPR_AND);
        for (size_t i = 0; i < jv_len(v); i++) {
            struct expr *e = sigma_item(m, v->obj.v[i].key, &v->obj.v[i].value);
            if (e == NULL)
                return NULL;
            expr_add(m->a, all, e);
        }
        return all;
    }
    if (!jv_is(v, JV_ARR))
        return jv_is(v, JV_NULL) ? NULL : sigma_keyword(m, v);
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < jv_len(v); i++) {
        const struct jv *x = jv_at(v, i);
        struct expr *e = jv_is(x, JV_OBJ) || jv_is(x, JV_ARR) ? selection(m, x, depth + 1)
                                                              : sigma_keyword(m, x);
        if (e == NULL || (e->kind != EXPR_TEST && e->n == 0))
            return NULL;
        expr_add(m->a, any, e);
    }
    return any;
}

static struct expr *named(struct sigma_maker *m, size_t i)
{
    const struct jv_member *f = &m->detection->obj.v[i];
    if (++m->named > SIGMA_NAMED_MAX)
        return sigma_fail(m, STR("condition"), "the condition names selections too often");
    if (m->selections[i] != NULL)
        return m->selections[i];
    m->src->hint = f->key;
    struct expr *e = selection(m, &f->value, 0);
    if (e == NULL || (e->kind != EXPR_TEST && e->n == 0)) {
        if (!m->failed)
            sigma_fail(m, f->key, "this selection is empty, or has an empty part");
        return NULL;
    }
    struct expr *wrap = expr_list(m->a, EXPR_AND);
    expr_add(m->a, wrap, e);
    wrap->name = arena_cstr(m->a, f->key);
    m->selections[i] = wrap;
    return wrap;
}

/* -- conditions -- */
struct cond {
    struct sigma_maker *m;
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
    struct sigma_maker *m = c->m;
    struct str which = token(c);
    struct expr *e = expr_list(m->a, all ? EXPR_AND : EXPR_OR);
    bool them = str_is_i(which, "them");
    for (size_t i = 0; i < jv_len(m->detection); i++) {
        const struct jv_member *f = &m->detection->obj.v[i];
        if (str_is(f->key, "condition") || str_is(f->key, "timeframe"))
            continue;
        if (them ? str_starts_c(f->key, "_") : !str_wildcard(which, f->key))
            continue;
        struct expr *x = named(m, i);
        if (x == NULL)
            return NULL;
        expr_add(m->a, e, x);
    }
    return e->n == 0 ? sigma_fail(m, which, "no selection has such a name") : e;
}

static struct expr *cond_or(struct cond *c);

static struct expr *cond_primary(struct cond *c)
{
    struct sigma_maker *m = c->m;
    struct str t = token(c);
    if (str_is_i(t, "not")) {
        if (++m->depth > RULE_DEPTH_MAX)
            return sigma_fail(m, c->text, "the condition nests too deep");
        struct expr *e = cond_primary(c);
        m->depth--;
        return e == NULL ? NULL : expr_not(m->a, e);
    }
    if (str_is(t, "(")) {
        if (++m->depth > RULE_DEPTH_MAX)
            return sigma_fail(m, c->text, "the condition nests too deep");
        struct expr *e = cond_or(c);
        m->depth--;
        if (e != NULL && !str_is(token(c), ")"))
            return sigma_fail(m, c->text, "a ) is missing in the condition");
        return e;
    }
    if (m->members != NULL && t.n > 0 && !str_is(t, ")") && !str_is(t, "|"))
        return sigma_member(m, t);
    if ((str_is(t, "1") || str_is_i(t, "any") || str_is_i(t, "all")) && str_is_i(peek(c), "of")) {
        token(c);
        return of_many(c, str_is_i(t, "all"));
    }
    for (size_t i = 0; i < jv_len(m->detection); i++) {
        if (str_eq(m->detection->obj.v[i].key, t) && !str_is(t, "condition"))
            return named(m, i);
    }
    return sigma_fail(m, t.n == 0 ? c->text : t, "the condition names no selection");
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

struct expr *sigma_condition(struct sigma_maker *m, struct str text, bool in_list)
{
    struct cond c = {.m = m, .text = text};
    if (text.n > CONDITION_MAX)
        return sigma_fail(m, STR("condition"), "the condition is longer than 16 KiB");
    m->src->hint = STR("condition");
    m->depth = 0;
    struct expr *e = cond_or(&c);
    if (e != NULL && str_is(peek(&c), "|") && !in_list) {
        token(&c);
        m->count = sigma_aggregation(m, str_skip(text, c.at), m->timeframe);
        return m->count == NULL ? NULL : e;
    }
    if (e != NULL && peek(&c).n != 0)
        return sigma_fail(m, peek(&c), "text behind the condition");
    return e;
}

static struct expr *detection(struct sigma_maker *m)
{
    m->selections = ARENA_ARRAY(m->a, jv_len(m->detection) + 1, struct expr *);
    const struct jv *cond = jv_get(m->detection, "condition");
    if (jv_is(cond, JV_STR))
        return sigma_condition(m, cond->s, false);
    if (!jv_is(cond, JV_ARR) || jv_len(cond) == 0)
        return sigma_fail(m, STR("detection"), "the detection has no condition");
    struct expr *any = expr_list(m->a, EXPR_OR);
    for (size_t i = 0; i < jv_len(cond); i++) {
        struct expr *e = sigma_condition(m, jv_s(jv_at(cond, i)), true);
        if (e == NULL)
            return NULL;
        expr_add(m->a, any, e);
    }
    return any;
}

/* -- documents -- */
bool sigma_looks_like(const struct jv *doc)
{
    return jv_get(doc, "detection") != NULL || jv_get(doc, "correlation") != NULL ||
           (jv_get(doc, "title") != NULL && jv_is(jv_get(doc, "filter"), JV_OBJ));
}

static bool for_cloudtrail(const struct jv *doc)
{
    const struct jv *log = jv_get(doc, "logsource");
    struct str product = jv_s(jv_get(log, "product")), service = jv_s(jv_get(log, "service"));
    struct str category = jv_s(jv_get(log, "category"));
    if (product.p == NULL && service.p == NULL)
        return category.p == NULL || str_is_i(category, "cloudtrail");
    return (product.p == NULL || str_is_i(product, "aws")) &&
           (service.p == NULL || str_is_i(service, "cloudtrail"));
}

/* What is there is of its type: a number as a title would be lost in silence. */
static void check_types(struct sigma_maker *m, const struct jv *doc)
{
    static const char *const texts[] = {"title", "id", "name", "description", "level", "severity",
                                        "status", "reason", "reference"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct jv *v = jv_get(doc, texts[i]);
        if (v != NULL && !jv_is(v, JV_STR) && !jv_is(v, JV_NULL))
            sigma_fail(m, str_c(texts[i]), "this member is a text");
    }
    const struct jv *log = jv_get(doc, "logsource");
    if (log != NULL && !jv_is(log, JV_OBJ))
        sigma_fail(m, STR("logsource"), "this member is a map");
    if (jv_get(doc, "detection") != NULL && !jv_is(m->detection, JV_OBJ))
        sigma_fail(m, STR("detection"), "this member is a map");
    if (jv_is(jv_get(doc, "filter"), JV_OBJ))
        sigma_fail(m, STR("filter"), "Sigma filters are not supported: write the exclusion into "
                                     "the rules");
}

static void severity_of(struct sigma_maker *m, struct rule *r, const struct jv *doc)
{
    struct str level = jv_s(jv_get(doc, "level"));
    if (level.p == NULL)
        level = jv_s(jv_get(doc, "severity"));
    if (str_is(level, "informational"))
        level = STR("info");
    if (level.p != NULL && !severity_parse(level, &r->severity))
        sigma_fail(m, level, "not a level");
}

static struct str first_text(const struct jv *doc, const char *name, const char *other)
{
    const struct jv *v = jv_get(doc, name);
    struct str s = jv_is(v, JV_ARR) ? jv_s(jv_at(v, 0)) : jv_s(v);
    return s.p != NULL ? s : jv_s(jv_get(doc, other));
}

static struct rule *add_rule(struct sigma_maker *m, const struct jv *doc, struct str id)
{
    struct rule *r = rules_add(m->src, id);
    if (r == NULL)
        return NULL;
    r->language = STR("sigma");
    r->title = jv_s(jv_get(doc, "title"));
    r->reason = first_text(doc, "description", "reason");
    r->reference = first_text(doc, "references", "reference");
    r->hidden = jv_b(jv_get(doc, "hidden"), false);
    severity_of(m, r, doc);
    return r;
}

/* The old form is a rule that stays hidden and a correlation that counts it. */
static void add_counted(struct sigma_maker *m, const struct jv *doc, struct str id, struct str name,
                        struct expr *e)
{
    struct str events = arena_concat(m->a, id, STR(".events"));
    m->count->names = ARENA_NEW(m->a, struct str);
    m->count->names[0] = events;
    struct rule *r = add_rule(m, doc, events);
    if (r == NULL)
        return;
    r->expr = e;
    r->hidden = true;
    r = add_rule(m, doc, id);
    if (r == NULL)
        return;
    r->corr = m->count;
    r->name = name;
}

/* Neither id nor name has to be given. Behind another rule of the file, the line is named too. */
static struct str unnamed(struct rule_source *src)
{
    struct rules *rs = src->rs;
    struct str stem = rules_stem(rs->a, src->file);
    if (rs->rules.n == 0 || !str_eq(rs->rules.v[rs->rules.n - 1].file, src->file))
        return stem;
    return arena_fmt(rs->a, "%.*s:%zu", STR_ARG(stem), src->base_line);
}

void sigma_load(struct rule_source *src, const struct jv *doc)
{
    struct sigma_maker m = {.src = src, .a = src->rs->a, .paths = &src->rs->paths,
                            .detection = jv_get(doc, "detection")};
    struct str name = jv_s(jv_get(doc, "name")), id = jv_s(jv_get(doc, "id"));
    if (id.n == 0)
        id = name.n > 0 ? name : unnamed(src);
    if (!for_cloudtrail(doc)) {
        VEC_PUSH(m.a, &src->rs->skipped, id);
        if (name.n > 0 && !str_eq(name, id))
            VEC_PUSH(m.a, &src->rs->skipped_names, name);
        return;
    }
    struct expr *e = NULL;
    struct correlation *c = NULL;
    m.timeframe = jv_get(m.detection, "timeframe");
    if (m.timeframe == NULL)
        m.timeframe = jv_get(doc, "timeframe");
    check_types(&m, doc);
    if (!m.failed && jv_get(doc, "correlation") != NULL)
        c = sigma_correlation(&m, doc);
    else if (!m.failed)
        e = detection(&m);
    if (m.failed || (e == NULL && c == NULL))
        return;
    if (m.count != NULL) {
        add_counted(&m, doc, id, name, e);
        return;
    }
    struct rule *r = add_rule(&m, doc, id);
    if (r == NULL)
        return;
    r->expr = e;
    r->corr = c;
    r->name = name;
}

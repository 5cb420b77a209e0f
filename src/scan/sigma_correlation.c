/* Sigma's correlations: what a document says of them.
 * https://github.com/SigmaHQ/sigma-specification (correlation rules) */
#include "correlate.h"
#include "sigma_int.h"

static bool bad(struct sigma_maker *m, struct str near, const char *what)
{
    return sigma_fail(m, near, what) != NULL;
}

static bool timespan(struct str s, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    int64_t n;
    for (size_t i = 0; s.n >= 2 && i < ARRAY_LEN(units); i++) {
        if (s.p[s.n - 1] == units[i].unit &&
            str_to_i64(str_take(s, s.n - 1), 1, CORRELATION_SPAN_MAX, &n)) {
            *out_ms = n * units[i].ms;
            return true;
        }
    }
    return false;
}

/* A text, or a list of texts that is not empty. */
static bool names_of(struct sigma_maker *m, const struct jv *v, struct str **out, size_t *out_n)
{
    size_t n = jv_is(v, JV_ARR) ? jv_len(v) : 1;
    struct str *s = ARENA_ARRAY(m->a, n + 1, struct str);
    for (size_t i = 0; i < n; i++) {
        s[i] = jv_s(jv_is(v, JV_ARR) ? jv_at(v, i) : v);
        if (s[i].n == 0)
            return false;
    }
    *out = s;
    *out_n = n;
    return n > 0;
}

static bool paths_of(struct sigma_maker *m, const struct jv *v, uint32_t **out, size_t *out_n)
{
    struct str *s;
    size_t n;
    if (!names_of(m, v, &s, &n) || n > CORRELATION_FIELDS_MAX)
        return false;
    uint32_t *p = ARENA_ARRAY(m->a, n, uint32_t);
    for (size_t i = 0; i < n; i++) {
        p[i] = sigma_path(m, s[i]);
        if (p[i] == UINT32_MAX)
            return bad(m, s[i], "the rules name more paths than the limit");
    }
    *out = p;
    *out_n = n;
    return true;
}

static bool one_bound(struct sigma_maker *m, struct correlation *c, struct str op,
                      const struct jv *v)
{
    int64_t n = jv_i(v, -1);
    if (n < 0 || n > CORRELATION_COUNT_MAX)
        return bad(m, op, "a count is a whole number up to 10000");
    if (str_is(op, "gte"))
        c->least = n;
    else if (str_is(op, "gt"))
        c->least = n + 1;
    else if (str_is(op, "lte"))
        c->most = n;
    else if (str_is(op, "lt"))
        c->most = n - 1;
    else if (str_is(op, "eq"))
        c->least = c->most = n;
    else if (str_is(op, "neq"))
        c->not = n;
    else
        return bad(m, op, "a correlation's condition knows gte, gt, lte, lt, eq, neq and field");
    return true;
}

static size_t index_of(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name))
            return i;
    }
    return SIZE_MAX;
}

/* -- conditions over the names of rules: "a and (b or c) and not d" -- */
struct expr *sigma_member(struct sigma_maker *m, struct str name)
{
    struct correlation *c = m->members;
    size_t i = index_of(c->names, c->n_rules, name);
    if (i == SIZE_MAX && m->members_open && c->n_rules < CORRELATION_RULES_MAX) {
        i = c->n_rules++;
        c->names[i] = name;
    }
    if (i == SIZE_MAX)
        return sigma_fail(m, name, m->members_open ? "a correlation names 1 to 64 rules"
                                                   : "the condition names a rule that is not among "
                                                     "the correlation's rules");
    struct test t = {.op = OP_CONST, .path = (uint32_t)i, .label = "was seen"};
    return expr_test(m->a, &t);
}

static bool has_not(const struct expr *e)
{
    bool some = e->kind == EXPR_NOT;
    for (size_t i = 0; e->kind != EXPR_TEST && i < e->n; i++)
        some = some || has_not(e->kids[i]);
    return some;
}

static uint64_t named_in(const struct expr *e)
{
    uint64_t all = e->kind == EXPR_TEST ? UINT64_C(1) << e->test->path : 0;
    for (size_t i = 0; e->kind != EXPR_TEST && i < e->n; i++)
        all |= named_in(e->kids[i]);
    return all;
}

/* Each rule once, joined by and: what is asked of ordered rules anyway. */
static bool all_of_them(const struct expr *e)
{
    bool ok = e->kind == EXPR_TEST || e->kind == EXPR_AND;
    for (size_t i = 0; e->kind != EXPR_TEST && i < e->n; i++)
        ok = ok && all_of_them(e->kids[i]);
    return ok;
}

static bool over_names(struct sigma_maker *m, struct correlation *c, struct str text, bool open)
{
    if (c->kind != CORR_TEMPORAL && c->kind != CORR_TEMPORAL_ORDERED)
        return bad(m, text, "a condition over the names of rules is for temporal and "
                            "temporal_ordered: this correlation needs a count");
    if (open)
        c->names = ARENA_ARRAY(m->a, CORRELATION_RULES_MAX, struct str);
    m->members = c;
    m->members_open = open;
    const struct expr *e = sigma_condition(m, text, true);
    if (e == NULL)
        return false;
    uint64_t named = named_in(e);
    for (size_t i = 0; i < c->n_rules; i++) {
        if ((named >> i & 1) == 0)
            return bad(m, c->names[i], "the condition does not name this rule");
    }
    if (members_hold(e, 0))
        return bad(m, text, "the condition holds with no event at all");
    if (c->kind == CORR_TEMPORAL)
        c->members = e;
    else if (!all_of_them(e))
        return bad(m, text, "a condition over ordered rules joins them by \"and\" only: write a "
                            "correlation for each order, or temporal");
    return true;
}

static bool condition(struct sigma_maker *m, struct correlation *c, const struct jv *cond)
{
    bool temporal = c->kind == CORR_TEMPORAL || c->kind == CORR_TEMPORAL_ORDERED;
    c->least = temporal ? (int64_t)c->n_rules : 1;
    c->most = INT64_MAX;
    c->not = -1;
    if (c->members != NULL) {
        c->closing = has_not(c->members);
        return true;
    }
    if (cond != NULL && !jv_is(cond, JV_OBJ))
        return bad(m, STR("condition"), "a correlation's condition is a map");
    size_t bounds = 0;
    for (size_t i = 0; i < jv_len(cond); i++) {
        struct str k = cond->obj.v[i].key;
        const struct jv *v = &cond->obj.v[i].value;
        if (!str_is(k, "field")) {
            bounds++;
            if (!one_bound(m, c, k, v))
                return false;
        } else if (!paths_of(m, v, &c->fields, &c->n_fields)) {
            return bad(m, k, "field is the name of a field, or a list of names");
        }
    }
    if (bounds == 0 && !temporal)
        return bad(m, STR("condition"),
                   "event_count and value_count need a condition with a count");
    if (c->least > c->most || c->most < 1)
        return bad(m, STR("condition"), "no count can be both");
    if (temporal && c->least > (int64_t)c->n_rules)
        return bad(m, STR("condition"), "the count is more than there are rules");
    if (c->kind == CORR_VALUE_COUNT && c->n_fields == 0)
        return bad(m, STR("condition"), "value_count needs a field");
    c->closing = c->most != INT64_MAX || c->not >= 0;
    return true;
}

static bool one_alias(struct sigma_maker *m, struct correlation *c, const struct jv_member *alias,
                      size_t group)
{
    if (!jv_is(&alias->value, JV_OBJ))
        return bad(m, alias->key, "an alias is a map from rules to fields");
    for (size_t i = 0; i < jv_len(&alias->value); i++) {
        const struct jv_member *f = &alias->value.obj.v[i];
        size_t r = index_of(c->names, c->n_rules, f->key);
        if (r == SIZE_MAX || jv_s(&f->value).n == 0)
            return bad(m, f->key, r == SIZE_MAX ? "the alias is for a rule that the correlation "
                                                  "does not name"
                                                : "an alias gives the name of a field");
        uint32_t p = sigma_path(m, jv_s(&f->value));
        if (p == UINT32_MAX)
            return bad(m, f->key, "the rules name more paths than the limit");
        if (group != SIZE_MAX)
            c->alias[r * c->n_group + group] = p;
    }
    return true;
}

static bool grouping(struct sigma_maker *m, struct correlation *c, const struct jv *v)
{
    const struct jv *group = jv_get(v, "group-by"), *aliases = jv_get(v, "aliases");
    struct str *names = NULL;
    size_t n = 0;
    if (jv_is(group, JV_ARR) && jv_len(group) == 0)
        group = NULL;
    if (group != NULL && !jv_is(group, JV_NULL) &&
        (!names_of(m, group, &names, &n) || !paths_of(m, group, &c->group, &c->n_group)))
        return bad(m, STR("group-by"), "group-by is a list of at most 16 fields");
    c->alias = ARENA_ARRAY(m->a, c->n_group * c->n_rules + 1, uint32_t);
    if (aliases != NULL && !jv_is(aliases, JV_OBJ))
        return bad(m, STR("aliases"), "aliases are a map");
    for (size_t i = 0; i < jv_len(aliases); i++) {
        const struct jv_member *alias = &aliases->obj.v[i];
        if (!one_alias(m, c, alias, index_of(names, n, alias->key)))
            return false;
    }
    return true;
}

static bool known_members(struct sigma_maker *m, const struct jv *v)
{
    static const char *const known[] = {"type", "rules", "group-by", "timespan", "condition",
                                        "aliases", "generate"};
    for (size_t i = 0; i < jv_len(v); i++) {
        bool ok = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            ok = ok || str_is(v->obj.v[i].key, known[k]);
        if (!ok)
            return bad(m, v->obj.v[i].key, "a correlation has no such member");
    }
    return true;
}

static bool kind_of(struct sigma_maker *m, struct correlation *c, const struct jv *v)
{
    static const char *const kinds[] = {"", "event_count", "value_count", "temporal",
                                        "temporal_ordered"};
    struct str type = jv_s(jv_get(v, "type"));
    for (int k = 1; k <= CORR_TEMPORAL_ORDERED; k++) {
        if (str_is(type, kinds[k]))
            c->kind = (enum correlation_kind)k;
    }
    return c->kind != CORR_NONE ||
           bad(m, type.n > 0 ? type : STR("type"),
               "a correlation is event_count, value_count, temporal or temporal_ordered");
}

struct correlation *sigma_correlation(struct sigma_maker *m, const struct jv *doc)
{
    const struct jv *v = jv_get(doc, "correlation");
    struct correlation *c = ARENA_NEW(m->a, struct correlation);
    m->src->hint = STR("correlation");
    if (!jv_is(v, JV_OBJ))
        return sigma_fail(m, STR("correlation"), "a correlation is a map");
    if (!known_members(m, v) || !kind_of(m, c, v))
        return NULL;
    const struct jv *cond = jv_get(v, "condition"), *rules = jv_get(v, "rules");
    bool by_name = jv_is(cond, JV_STR);
    bool open = by_name && (rules == NULL || (jv_is(rules, JV_ARR) && jv_len(rules) == 0));
    if (!open && (!names_of(m, rules, &c->names, &c->n_rules) ||
                  c->n_rules > CORRELATION_RULES_MAX))
        return sigma_fail(m, STR("rules"), "a correlation names 1 to 64 rules");
    if (by_name && !over_names(m, c, cond->s, open))
        return NULL;
    if (!timespan(jv_s(jv_get(v, "timespan")), &c->span_ms))
        return sigma_fail(m, STR("timespan"),
                          "a timespan is a whole number and s, m, h, d or w");
    const struct jv *generate = jv_get(v, "generate");
    if (generate == NULL)
        generate = jv_get(doc, "generate");
    if (generate != NULL && !jv_is(generate, JV_BOOL))
        return sigma_fail(m, STR("generate"), "generate is true or false");
    c->generate = jv_b(generate, false);
    return grouping(m, c, v) && condition(m, c, by_name ? NULL : cond) ? c : NULL;
}

/* -- the old form -- */
static bool group_fields(struct sigma_maker *m, struct correlation *c, struct str list)
{
    c->group = ARENA_ARRAY(m->a, CORRELATION_FIELDS_MAX, uint32_t);
    while (list.p != NULL) {
        struct str f = str_trim(str_cut(&list, ','));
        if (f.n == 0 || str_find_char(f, ' ') >= 0 || c->n_group == CORRELATION_FIELDS_MAX)
            return bad(m, f, "\"by\" is followed by fields, with commas between them");
        uint32_t p = sigma_path(m, f);
        if (p == UINT32_MAX)
            return bad(m, f, "the rules name more paths than the limit");
        c->group[c->n_group++] = p;
    }
    return true;
}

static bool bound(struct sigma_maker *m, struct correlation *c, struct str text)
{
    static const char *const ops[][2] = {{">=", "gte"}, {"<=", "lte"}, {"==", "eq"},
                                         {">", "gt"},   {"<", "lt"},   {"=", "eq"}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (!str_starts_c(text, ops[i][0]))
            continue;
        int64_t n;
        if (!str_to_i64(str_trim(str_skip(text, strlen(ops[i][0]))), 0, CORRELATION_COUNT_MAX, &n))
            break;
        return one_bound(m, c, str_c(ops[i][1]), jv_new_int(m->a, n));
    }
    return bad(m, text, "a count is compared (< <= = >= >) with a whole number up to 10000");
}

struct correlation *sigma_aggregation(struct sigma_maker *m, struct str text,
                                      const struct jv *timeframe)
{
    struct correlation *c = ARENA_NEW(m->a, struct correlation);
    struct str rest = str_trim(text);
    ptrdiff_t close = str_find_char(rest, ')');
    if (!str_starts_c(rest, "count(") || close < 0)
        return sigma_fail(m, text, "of the aggregations behind a condition only count() is taken");
    struct str field = str_trim(str_take(str_skip(rest, 6), (size_t)close - 6));
    rest = str_trim(str_skip(rest, (size_t)close + 1));
    c->kind = field.n == 0 ? CORR_EVENT_COUNT : CORR_VALUE_COUNT;
    c->n_rules = 1;
    c->least = 1;
    c->most = INT64_MAX;
    c->not = -1;
    c->span_ms = INT64_MAX / 4;
    if (timeframe != NULL && !timespan(jv_s(timeframe), &c->span_ms))
        return sigma_fail(m, STR("timeframe"), "a timeframe is a whole number and s, m, h, d or w");
    if (field.n > 0) {
        c->fields = ARENA_NEW(m->a, uint32_t);
        c->fields[c->n_fields++] = sigma_path(m, field);
        if (c->fields[0] == UINT32_MAX)
            return sigma_fail(m, field, "the rules name more paths than the limit");
    }
    size_t by = 0;
    while (by < rest.n && strchr("<>=", rest.p[by]) == NULL)
        by++;
    struct str group = str_trim(str_take(rest, by));
    if (group.n > 0 && !str_starts_c(group, "by "))
        return sigma_fail(m, group, "behind count() stands \"by\" or a comparison");
    if (group.n > 0 && !group_fields(m, c, str_skip(group, 3)))
        return NULL;
    c->alias = ARENA_ARRAY(m->a, c->n_group + 1, uint32_t);
    if (!bound(m, c, str_skip(rest, by)))
        return NULL;
    c->closing = c->most != INT64_MAX;
    return c;
}

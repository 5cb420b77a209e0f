/* Conditions: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html */
#include "template.h"

enum { OPERANDS_MAX = 10, CONDITION_DEPTH_MAX = 256 }; /* conditions within conditions */

static struct err *named(struct scope *s, struct str name, int depth, bool *out)
{
    static const struct jv pending = {.type = JV_NULL};
    const struct jv *known = jv_get_str(s->conditions, name);
    if (jv_is(known, JV_NULL))
        return template_error("Template error: Found circular condition dependency: %.*s",
                              (int)(name.n < 200 ? name.n : 200), name.p);
    if (known != NULL) {
        *out = jv_b(known, false);
        return NULL;
    }
    const struct jv *c = jv_get_str(s->t->conditions, name);
    if (c == NULL)
        return template_error("Template error: unresolved condition dependency %.*s",
                              (int)(name.n < 200 ? name.n : 200), name.p == NULL ? "" : name.p);
    jv_set(s->a, s->conditions, name, &pending);
    TRY(template_condition(s, c, depth + 1, out));
    jv_set(s->a, s->conditions, name, jv_new_bool(s->a, *out));
    return NULL;
}

static struct err *equals(struct scope *s, const struct jv *arg, bool *out)
{
    if (!jv_is(arg, JV_ARR) || arg->arr.n != 2)
        return template_error("Template error: every Fn::Equals object requires a list of 2 "
                              "string parameters.");
    const struct jv *x, *y;
    TRY(template_resolve(s, jv_at(arg, 0), &x));
    TRY(template_resolve(s, jv_at(arg, 1), &y));
    struct str tx = template_scalar(s->a, x), ty = template_scalar(s->a, y);
    *out = tx.p != NULL && ty.p != NULL ? str_eq(tx, ty)
           : x != NULL && y != NULL     ? jv_equal(x, y)
                                        : x == y;
    return NULL;
}

static struct err *fold(struct scope *s, const struct jv *arg, bool any, int depth, bool *out)
{
    if (!jv_is(arg, JV_ARR) || arg->arr.n < 2 || arg->arr.n > OPERANDS_MAX)
        return template_error("Template error: every %s object requires a list of at least 2 and "
                              "at most %d boolean parameters.", any ? "Fn::Or" : "Fn::And",
                              OPERANDS_MAX);
    bool result = !any;
    for (size_t i = 0; i < arg->arr.n; i++) {
        bool one;
        TRY(template_condition(s, &arg->arr.v[i], depth + 1, &one));
        result = any ? result || one : result && one;
    }
    *out = result;
    return NULL;
}

static struct err *not_boolean(const struct scope *s)
{
    return template_error("Template format error: %s can only be boolean operations on "
                          "parameters%s",
                          s->in_rules ? "Rules" : "Conditions",
                          s->in_rules ? "" : " and other conditions");
}

struct err *template_condition(struct scope *s, const struct jv *v, int depth, bool *out)
{
    TRY(arena_check(s->a));
    if (depth > CONDITION_DEPTH_MAX)
        return template_error("Template error: conditions nest too deeply.");
    if (!jv_is(v, JV_OBJ) || v->obj.n != 1)
        return not_boolean(s);
    struct str fn = v->obj.v[0].key;
    const struct jv *arg = &v->obj.v[0].value;
    if (!s->in_rules && str_is(fn, "Condition") && jv_is(arg, JV_STR))
        return named(s, arg->s, depth, out);
    if (str_is(fn, "Fn::Equals"))
        return equals(s, arg, out);
    if (str_is(fn, "Fn::And"))
        return fold(s, arg, false, depth, out);
    if (str_is(fn, "Fn::Or"))
        return fold(s, arg, true, depth, out);
    if (str_is(fn, "Fn::Not") && jv_is(arg, JV_ARR) && arg->arr.n == 1) {
        TRY(template_condition(s, &arg->arr.v[0], depth + 1, out));
        *out = !*out;
        return NULL;
    }
    if (str_is(fn, "Fn::Not"))
        return template_error("Template error: every Fn::Not object requires one boolean "
                              "parameter.");
    return s->in_rules ? rule_function(s, fn, arg, out) : not_boolean(s);
}

struct err *template_conditions(struct scope *s)
{
    s->conditions = jv_new_obj(s->a);
    for (size_t i = 0; i < jv_len(s->t->conditions); i++) {
        bool ignored;
        TRY(named(s, s->t->conditions->obj.v[i].key, 0, &ignored));
    }
    return NULL;
}

bool template_active(const struct scope *s, const struct jv *entity)
{
    struct str name = jv_s(jv_get(entity, "Condition"));
    return name.p == NULL || jv_b(jv_get_str(s->conditions, name), false);
}

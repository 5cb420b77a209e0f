/* Rules: what parameters must be together, looked at before anything is made.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html
 * Fn::RefAll, Fn::ValueOf and Fn::ValueOfAll ask other services and are not built. */
#include "template.h"

struct err *template_rule_form(struct str name, const struct jv *rule)
{
    const struct jv *list = jv_get(rule, "Assertions");
    for (size_t i = 0; i < jv_len(rule); i++)
        if (!str_is(rule->obj.v[i].key, "RuleCondition") &&
            !str_is(rule->obj.v[i].key, "Assertions"))
            return template_error("Invalid template rule property '%.*s'",
                                  STR_ARG(str_take(rule->obj.v[i].key, 100)));
    if (!jv_is(list, JV_ARR) || list->arr.n == 0)
        return template_error("Template format error: Rule %.*s must have a list of Assertions.",
                              STR_ARG(name));
    for (size_t i = 0; i < list->arr.n; i++) {
        const struct jv *a = jv_at(list, i), *about = jv_get(a, "AssertDescription");
        if (!jv_is(jv_get(a, "Assert"), JV_OBJ) || jv_len(a) != (about == NULL ? 1 : 2) ||
            (about != NULL && !jv_is(about, JV_STR)))
            return template_error("Template format error: an assertion of rule %.*s must have an "
                                  "Assert and may have an AssertDescription.", STR_ARG(name));
    }
    return NULL;
}

static bool is_member(struct arena *a, const struct jv *list, struct str text)
{
    for (size_t i = 0; i < jv_len(list); i++)
        if (str_eq(template_scalar(a, jv_at(list, i)), text))
            return true;
    return false;
}

static struct err *bad_args(struct str fn, const char *wanted)
{
    return template_error("Template error: every %.*s object requires %s.", STR_ARG(fn), wanted);
}

struct err *rule_function(struct scope *s, struct str fn, const struct jv *arg, bool *out)
{
    const struct jv *list, *second;
    bool contains = str_is(fn, "Fn::Contains"), each_in = str_is(fn, "Fn::EachMemberIn");
    if (!contains && !each_in && !str_is(fn, "Fn::EachMemberEquals"))
        return template_error("Template error: %.*s cannot be used in Rules",
                              STR_ARG(str_take(fn, 100)));
    if (!jv_is(arg, JV_ARR) || arg->arr.n != 2)
        return bad_args(fn, "two parameters");
    TRY(template_resolve(s, jv_at(arg, 0), &list));
    TRY(template_resolve(s, jv_at(arg, 1), &second));
    struct str text = template_scalar(s->a, second);
    if (!jv_is(list, JV_ARR) || (each_in ? !jv_is(second, JV_ARR) : text.p == NULL))
        return bad_args(fn, each_in ? "two lists of strings" : "a list of strings and a string");
    bool all = true;
    for (size_t i = 0; !contains && all && i < list->arr.n; i++) {
        struct str item = template_scalar(s->a, &list->arr.v[i]);
        all = each_in ? is_member(s->a, second, item) : str_eq(item, text);
    }
    *out = contains ? is_member(s->a, list, text) : all;
    return NULL;
}

static struct err *one_rule(struct scope *s, struct str name, const struct jv *rule)
{
    const struct jv *when = jv_get(rule, "RuleCondition"), *list = jv_get(rule, "Assertions");
    bool holds = true;
    if (when != NULL)
        TRY(template_condition(s, when, 0, &holds));
    for (size_t i = 0; holds && i < jv_len(list); i++) {
        bool yes;
        struct str about = jv_s(jv_get(jv_at(list, i), "AssertDescription"));
        TRY(template_condition(s, jv_get(jv_at(list, i), "Assert"), 0, &yes));
        if (!yes)
            return template_error("Rule %.*s failed to satisfy assertion: %.*s", STR_ARG(name),
                                  STR_ARG(about.n > 0 ? str_take(about, 300)
                                                      : STR("an assertion without description")));
    }
    return NULL;
}

struct err *template_rules(struct scope *s)
{
    struct scope inner = *s;
    inner.in_rules = true;
    for (size_t i = 0; i < jv_len(s->t->rules); i++)
        TRY(one_rule(&inner, s->t->rules->obj.v[i].key, &s->t->rules->obj.v[i].value));
    return NULL;
}

/* From text to a template: sections, limits, and whether every name that is used is defined. */
#include "template.h"

#include "core/map.h"
#include "core/yaml.h"

#include <stdarg.h>

struct err *template_error(const char *fmt, ...)
{
    char text[ERR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_aws(400, "ValidationError", "%s", text);
}

bool function_of(const struct jv *v, struct str *out_name, const struct jv **out_arg)
{
    if (!jv_is(v, JV_OBJ) || v->obj.n != 1)
        return false;
    struct str key = v->obj.v[0].key;
    if (!str_is(key, "Ref") && !str_starts_c(key, "Fn::"))
        return false;
    *out_name = key;
    *out_arg = &v->obj.v[0].value;
    return true;
}

bool is_pseudo(struct str name)
{
    static const char *const names[] = {"AWS::AccountId", "AWS::Region",    "AWS::StackName",
                                        "AWS::StackId",   "AWS::Partition", "AWS::URLSuffix",
                                        "AWS::NoValue",   "AWS::NotificationARNs"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static struct err *check_variable(struct str name)
{
    bool ok = name.n > 0;
    for (size_t i = 0; ok && i < name.n; i++) {
        char c = name.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '.' || c == ':';
    }
    return ok ? NULL
              : template_error("Template error: variable names in Fn::Sub syntax must contain only "
                               "alphanumeric characters, underscores, periods, and colons");
}

struct err *sub_each(struct str text, struct err *(*fn)(void *ctx, bool literal, struct str part),
                     void *ctx)
{
    while (text.n > 0) {
        ptrdiff_t at = str_find(text, STR("${"));
        if (at < 0)
            return fn(ctx, true, text);
        if (at > 0)
            TRY(fn(ctx, true, str_take(text, (size_t)at)));
        text = str_skip(text, (size_t)at + 2);
        ptrdiff_t end = str_find_char(text, '}');
        if (end < 0)
            return template_error("Template error: a ${ in Fn::Sub has no }");
        struct str name = str_take(text, (size_t)end);
        text = str_skip(text, (size_t)end + 1);
        if (name.n > 0 && name.p[0] == '!') { /* ${!x} is the text ${x} */
            TRY(fn(ctx, true, STR("${")));
            TRY(fn(ctx, true, str_skip(name, 1)));
            TRY(fn(ctx, true, STR("}")));
        } else {
            TRY(check_variable(str_trim(name)));
            TRY(fn(ctx, false, str_trim(name)));
        }
    }
    return NULL;
}

/* -- sections ---------------------------------------------------------------------------------- */

static struct err *section(const struct template *t, const char *name, size_t max,
                           const struct jv **out)
{
    const struct jv *v = jv_get(t->root, name);
    if (v == NULL || v->type == JV_NULL)
        return NULL;
    if (v->type != JV_OBJ)
        return template_error("Template format error: %s must be an object.", name);
    if (v->obj.n > max)
        return template_error("Template format error: Number of %s, %zu, is greater than maximum "
                              "allowed, %zu", name, v->obj.n, max);
    *out = v;
    return NULL;
}

static bool alphanumeric(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n > 0 && s.n <= 255;
}

static struct err *check_names(const struct jv *section, const char *what)
{
    for (size_t i = 0; i < jv_len(section); i++) {
        struct str key = section->obj.v[i].key;
        if (!alphanumeric(key))
            return template_error("Template format error: %s name %.100s is non alphanumeric.",
                                  what, key.n > 100 ? "(long)" : key.p);
        if (section->obj.v[i].value.type != JV_OBJ && strcmp(what, "Conditions") != 0)
            return template_error("Template format error: Every %s member must be an object.",
                                  what);
    }
    return NULL;
}

static struct err *check_sections(const struct template *t)
{
    static const char *const known[] = {"AWSTemplateFormatVersion", "Description", "Metadata",
                                        "Parameters", "Mappings", "Conditions", "Rules",
                                        "Resources", "Outputs"};
    for (size_t i = 0; i < t->root->obj.n; i++) {
        struct str key = t->root->obj.v[i].key;
        bool ok = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            ok = ok || str_is(key, known[k]);
        if (str_is(key, "Transform") || str_is(key, "Hooks"))
            return err_aws(501, "NotImplemented",
                           "The template section %.*s is not built in this version of Ward. The "
                           "README lists what is.", STR_ARG(key));
        if (!ok)
            return template_error("Invalid template property or properties [%.*s]",
                                  (int)(key.n < 100 ? key.n : 100), key.p);
    }
    struct str version = jv_s(jv_get(t->root, "AWSTemplateFormatVersion"));
    if (jv_get(t->root, "AWSTemplateFormatVersion") != NULL && !str_is(version, "2010-09-09"))
        return template_error("Template format error: Unsupported template version: "
                              "use 2010-09-09.");
    return NULL;
}

/* Map names, keys below them, and values: texts (which numbers and booleans stand for) or lists. */
static struct err *check_mappings(const struct jv *mappings)
{
    for (size_t i = 0; i < jv_len(mappings); i++) {
        const struct jv *map = &mappings->obj.v[i].value;
        for (size_t k = 0; k < jv_len(map); k++) {
            const struct jv *entry = &map->obj.v[k].value;
            if (entry->type != JV_OBJ)
                return template_error("Template format error: Every Mappings member %.*s must be a "
                                      "map", (int)(map->obj.v[k].key.n < 100
                                                       ? map->obj.v[k].key.n : 100),
                                      map->obj.v[k].key.p);
            for (size_t j = 0; j < entry->obj.n; j++) {
                enum jv_type type = entry->obj.v[j].value.type;
                if (type == JV_OBJ || type == JV_NULL)
                    return template_error("Template format error: Every Mappings attribute must be "
                                          "a String or a List.");
            }
        }
    }
    return NULL;
}

/* Delete, Retain and, for DeletionPolicy, RetainExceptOnCreate. */
static struct err *check_policy(struct str name, const struct jv *r, const char *member,
                                bool deletion)
{
    const struct jv *v = jv_get(r, member);
    struct str policy = jv_s(v);
    if (v == NULL || str_is(policy, "Delete") || str_is(policy, "Retain") ||
        (deletion && str_is(policy, "RetainExceptOnCreate")))
        return NULL;
    if (str_is(policy, "Snapshot"))
        return err_aws(501, "NotImplemented", "%s Snapshot (of %.*s) is not built in this version "
                       "of Ward.", member, STR_ARG(name));
    return template_error("Template error: %s of %.*s must be Delete%s Retain%s", member,
                          STR_ARG(name), deletion ? "," : " or",
                          deletion ? " or RetainExceptOnCreate" : "");
}

static struct err *check_resource(struct str name, const struct jv *r)
{
    static const char *const known[] = {"Type", "Properties", "DependsOn", "Condition",
                                        "DeletionPolicy", "UpdateReplacePolicy", "Metadata",
                                        "Description"};
    for (size_t i = 0; i < jv_len(r); i++) {
        bool ok = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            ok = ok || str_is(r->obj.v[i].key, known[k]);
        if (str_is(r->obj.v[i].key, "CreationPolicy") || str_is(r->obj.v[i].key, "UpdatePolicy"))
            return err_aws(501, "NotImplemented",
                           "%.*s (of %.*s) is not built in this version of Ward.",
                           STR_ARG(r->obj.v[i].key), STR_ARG(name));
        if (!ok)
            return template_error("Invalid template resource property '%.*s'",
                                  (int)(r->obj.v[i].key.n < 100 ? r->obj.v[i].key.n : 100),
                                  r->obj.v[i].key.p);
    }
    if (jv_s(jv_get(r, "Type")).p == NULL)
        return template_error("Template format error: [/Resources/%.*s] Every Resources object "
                              "must contain a Type member.", STR_ARG(name));
    const struct jv *p = jv_get(r, "Properties");
    if (p != NULL && p->type != JV_OBJ && p->type != JV_NULL)
        return template_error("Template format error: [/Resources/%.*s] Properties must be an "
                              "object.", STR_ARG(name));
    TRY(check_policy(name, r, "DeletionPolicy", true));
    return check_policy(name, r, "UpdateReplacePolicy", false);
}

/* -- names ------------------------------------------------------------------------------------- */

struct names { /* of one walk through a value */
    const struct template *t;
    const struct jv *locals; /* the variables of the Fn::Sub around, or NULL */
    bool conditions_only;    /* in Conditions and Rules: no resources */
    const char *fixed;       /* what the value is, which may not hang on resources; NULL: it may */
    bool rules;              /* in Rules: their own functions, no others but these and Ref */
    const char *block;       /* "Resources" */
    struct str entity;       /* in it */
    int depth;
};

struct err *template_unresolved(struct str name, const char *block)
{
    return template_error("Template format error: Unresolved resource dependencies [%.*s] in the "
                          "%s block of the template", (int)(name.n < 200 ? name.n : 200),
                          name.p == NULL ? "" : name.p, block);
}

/* Names of exports, where they are made and where they are used, are known beforehand. */
static struct err *not_fixed(const struct names *n)
{
    return template_error("Template error: the %s must not depend on any resources, imported "
                          "values, or Fn::GetAZs", n->fixed);
}

static struct err *check_name(const struct names *n, struct str name, bool attribute)
{
    if (!attribute && (is_pseudo(name) || jv_get_str(n->t->parameters, name) != NULL ||
                       jv_get_str(n->locals, name) != NULL))
        return NULL;
    bool resource = jv_get_str(n->t->resources, name) != NULL;
    if (n->fixed != NULL && resource)
        return not_fixed(n);
    return resource && !n->conditions_only ? NULL : template_unresolved(name, n->block);
}

static struct err *check_sub_part(void *ctx, bool literal, struct str part)
{
    const struct names *n = ctx;
    if (literal)
        return NULL;
    if (jv_get_str(n->locals, part) != NULL)
        return NULL;
    ptrdiff_t dot = str_find_char(part, '.');
    if (dot < 0)
        return check_name(n, part, false);
    return check_name(n, str_take(part, (size_t)dot), true);
}

static struct err *check_value(const struct names *n, const struct jv *v);

static struct err *check_sub(const struct names *n, const struct jv *arg)
{
    TRY(template_no_reference(jv_is(arg, JV_ARR) ? jv_at(arg, 0) : arg));
    if (jv_is(arg, JV_STR))
        return sub_each(arg->s, check_sub_part, (void *)(uintptr_t)n);
    if (jv_len(arg) != 2 || !jv_is(jv_at(arg, 0), JV_STR) || !jv_is(jv_at(arg, 1), JV_OBJ))
        return template_error("Template error: One or more Fn::Sub intrinsic functions don't "
                              "specify expected arguments. Specify a string as first argument, "
                              "and an optional second argument to specify a mapping of values to "
                              "replace in the string");
    struct names inner = *n;
    inner.locals = jv_at(arg, 1);
    TRY(check_value(n, inner.locals));
    return sub_each(jv_s(jv_at(arg, 0)), check_sub_part, &inner);
}

static struct err *check_get_att(const struct names *n, const struct jv *arg)
{
    struct str name;
    if (n->fixed != NULL)
        return not_fixed(n);
    if (jv_is(arg, JV_STR)) {
        ptrdiff_t dot = str_find_char(arg->s, '.');
        name = dot > 0 ? str_take(arg->s, (size_t)dot) : STR_NONE;
    } else {
        name = jv_len(arg) == 2 ? jv_s(jv_at(arg, 0)) : STR_NONE;
    }
    if (name.p == NULL)
        return template_error("Template error: every Fn::GetAtt object requires two non-empty "
                              "parameters, the resource name and the resource attribute");
    if (jv_get_str(n->t->resources, name) == NULL || n->conditions_only)
        return template_error("Template error: instance of Fn::GetAtt references undefined "
                              "resource %.*s", (int)(name.n < 200 ? name.n : 200), name.p);
    return NULL;
}

static struct err *check_if(const struct names *n, const struct jv *arg)
{
    struct str name = jv_s(jv_at(arg, 0));
    if (jv_len(arg) != 3 || name.p == NULL)
        return template_error("Template error: Fn::If requires a list argument with the first "
                              "element being a condition");
    if (jv_get_str(n->t->conditions, name) == NULL)
        return template_error("Template error: unresolved condition dependency %.*s in the %s "
                              "block of the template", (int)(name.n < 200 ? name.n : 200), name.p,
                              n->block);
    return check_value(n, arg);
}

static struct err *check_find(const struct names *n, const struct jv *arg)
{
    struct str map = jv_s(jv_at(arg, 0));
    if (map.p != NULL && jv_get_str(n->t->mappings, map) == NULL)
        return template_error("Template error: Mapping named '%.*s' is not present in the "
                              "'Mappings' section of template.",
                              (int)(map.n < 100 ? map.n : 100), map.p);
    return check_value(n, arg);
}

static struct err *check_rule_function(const struct names *n, struct str fn, const struct jv *arg)
{
    static const char *const known[] = {"Fn::Equals",   "Fn::And", "Fn::Or",
                                        "Fn::Not",      "Fn::Contains", "Fn::EachMemberEquals",
                                        "Fn::EachMemberIn"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(fn, known[i]))
            return check_value(n, arg);
    if (str_is(fn, "Fn::RefAll") || str_is(fn, "Fn::ValueOf") || str_is(fn, "Fn::ValueOfAll"))
        return err_aws(501, "NotImplemented",
                       "%.*s is not built in this version of Ward. The README lists what is.",
                       STR_ARG(fn));
    return template_error("Template error: %.*s cannot be used in Rules, in %.*s",
                          STR_ARG(str_take(fn, 100)), STR_ARG(str_take(n->entity, 100)));
}

static struct err *check_function(const struct names *n, struct str fn, const struct jv *arg)
{
    static const char *const known[] = {"Fn::Join",   "Fn::Select", "Fn::Split", "Fn::ImportValue",
                                        "Fn::Base64", "Fn::GetAZs", "Fn::Cidr"};
    static const char *const tests[] = {"Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not"};
    if (str_is(fn, "Ref"))
        return jv_is(arg, JV_STR) ? check_name(n, arg->s, false)
                                  : template_error("Template format error: Every Ref must be a "
                                                   "string.");
    if (n->rules)
        return check_rule_function(n, fn, arg);
    if (str_is(fn, "Fn::GetAtt"))
        return check_get_att(n, arg);
    if (str_is(fn, "Fn::Sub"))
        return check_sub(n, arg);
    if (str_is(fn, "Fn::If"))
        return check_if(n, arg);
    if (str_is(fn, "Fn::FindInMap"))
        return check_find(n, arg);
    struct names inner = *n;
    if (str_is(fn, "Fn::ImportValue"))
        inner.fixed = "attribute in Fn::ImportValue";
    if (n->fixed != NULL && (str_is(fn, "Fn::ImportValue") || str_is(fn, "Fn::GetAZs")))
        return not_fixed(n);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(fn, known[i]))
            return check_value(&inner, arg);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        if (str_is(fn, tests[i]))
            return n->conditions_only ? check_value(n, arg)
                                      : template_error("Template error: %s can be used in "
                                                       "Conditions only.", tests[i]);
    if (str_is(fn, "Fn::Transform") || str_starts_c(fn, "Fn::ForEach") ||
        str_is(fn, "Fn::ToJsonString") || str_is(fn, "Fn::Length"))
        return err_aws(501, "NotImplemented",
                       "%.*s is not built in this version of Ward. The README lists what is.",
                       (int)(fn.n < 100 ? fn.n : 100), fn.p);
    return template_error("Template error: unknown function %.*s",
                          (int)(fn.n < 100 ? fn.n : 100), fn.p);
}

static struct err *check_value(const struct names *n, const struct jv *v)
{
    struct str fn;
    const struct jv *arg;
    if (n->depth > TEMPLATE_DEPTH_MAX)
        return template_error("Template format error: values nest too deeply.");
    if (jv_is(v, JV_NULL))
        return template_error("Template format error: [/%s/%.*s] 'null' values are not allowed in "
                              "templates", n->block, (int)(n->entity.n < 100 ? n->entity.n : 100),
                              n->entity.p == NULL ? "" : n->entity.p);
    TRY(template_no_reference(jv_is(v, JV_STR) ? v : NULL));
    struct names below = *n;
    below.depth++;
    if (function_of(v, &fn, &arg))
        return check_function(&below, fn, arg);
    for (size_t i = 0; jv_is(v, JV_OBJ) && i < v->obj.n; i++) {
        struct str key = v->obj.v[i].key;
        if (str_starts_c(key, "Fn::")) /* beside others it would be taken for plain text */
            return template_error("Template error: %.*s must be the only member of its object, in "
                                  "%s %.*s", (int)(key.n < 60 ? key.n : 60), key.p, n->block,
                                  (int)(n->entity.n < 100 ? n->entity.n : 100),
                                  n->entity.p == NULL ? "" : n->entity.p);
        TRY(check_value(&below, &v->obj.v[i].value));
    }
    for (size_t i = 0; jv_is(v, JV_ARR) && i < v->arr.n; i++)
        TRY(check_value(&below, &v->arr.v[i]));
    return NULL;
}

static struct err *check_condition_name(const struct template *t, struct str where,
                                        const struct jv *entity)
{
    const struct jv *c = jv_get(entity, "Condition");
    if (c == NULL)
        return NULL;
    if (!jv_is(c, JV_STR) || jv_get_str(t->conditions, c->s) == NULL)
        return template_error("Template format error: Unresolved condition dependency in the "
                              "block of %.*s of the template", STR_ARG(where));
    return NULL;
}

static struct err *check_depends(const struct template *t, const struct jv *r)
{
    const struct jv *d = jv_get(r, "DependsOn");
    if (d == NULL)
        return NULL;
    if (d->type != JV_STR && d->type != JV_ARR)
        return template_error("Template format error: DependsOn must be a string or a list of "
                              "strings.");
    size_t n = d->type == JV_STR ? 1 : d->arr.n;
    for (size_t i = 0; i < n; i++) {
        struct str name = d->type == JV_STR ? d->s : jv_s(&d->arr.v[i]);
        if (jv_get_str(t->resources, name) == NULL)
            return template_unresolved(name, "Resources");
    }
    return NULL;
}

static struct err *check_all(const struct template *t)
{
    struct names n = {.t = t, .block = "Resources"};
    TRY(check_mappings(t->mappings));
    TRY(template_param_defs(t));
    for (size_t i = 0; i < jv_len(t->resources); i++) {
        const struct jv_member *m = &t->resources->obj.v[i];
        n.entity = m->key;
        TRY(check_resource(m->key, &m->value));
        TRY(check_condition_name(t, m->key, &m->value));
        TRY(check_depends(t, &m->value));
        TRY(check_value(&n, jv_get(&m->value, "Properties")));
    }
    n.block = "Outputs";
    for (size_t i = 0; i < jv_len(t->outputs); i++) {
        const struct jv_member *m = &t->outputs->obj.v[i];
        n.entity = m->key;
        if (jv_get(&m->value, "Value") == NULL)
            return template_error("Template format error: Output %.*s is malformed. A Value is "
                                  "required.", STR_ARG(m->key));
        TRY(check_condition_name(t, m->key, &m->value));
        TRY(check_value(&n, &m->value));
        n.fixed = "name of an export";
        TRY(check_value(&n, jv_get(jv_get(&m->value, "Export"), "Name")));
        n.fixed = NULL;
    }
    n.conditions_only = true;
    n.block = "Conditions";
    n.entity = STR_NONE;
    TRY(check_value(&n, t->conditions));
    n.rules = true;
    n.block = "Rules";
    for (size_t i = 0; i < jv_len(t->rules); i++) {
        n.entity = t->rules->obj.v[i].key;
        TRY(template_rule_form(n.entity, &t->rules->obj.v[i].value));
        TRY(check_value(&n, &t->rules->obj.v[i].value));
    }
    return NULL;
}

/* As in YAML: of two resources of one name one would silently not be made. */
static struct err *check_keys(const struct jv *v)
{
    static char here;
    struct map seen = MAP_INIT;
    struct err *e = NULL;
    for (size_t i = 0; e == NULL && jv_is(v, JV_OBJ) && i < v->obj.n; i++) {
        struct str key = v->obj.v[i].key;
        if (map_put(&seen, key, &here) != NULL)
            e = err_new(ERR_INVALID, "the key \"%.*s\" is there twice",
                        (int)(key.n < 100 ? key.n : 100), key.p);
        else
            e = check_keys(&v->obj.v[i].value);
    }
    map_clear(&seen);
    for (size_t i = 0; e == NULL && jv_is(v, JV_ARR) && i < v->arr.n; i++)
        e = check_keys(&v->arr.v[i]);
    return e;
}

static struct err *parse_text(struct arena *a, struct str text, struct jv **out)
{
    struct str s = str_trim(text);
    bool json = s.n > 0 && s.p[0] == '{';
    struct err *e = json ? json_parse(a, s, TEMPLATE_DEPTH_MAX, out) : yaml_parse(a, text, out);
    if (e == NULL && json)
        e = check_keys(*out);
    if (e == NULL)
        return NULL;
    struct err *named = template_error("Template format error: %s not well-formed. (%.400s)",
                                       json ? "JSON" : "YAML", e->message);
    err_free(e);
    return named;
}

struct err *template_parse(struct arena *a, struct str text, struct template *out)
{
    struct jv *root;
    TRY(parse_text(a, text, &root));
    struct template t = {.root = root};
    if (root->type != JV_OBJ)
        return template_error("Template format error: unsupported structure.");
    TRY(check_sections(&t));
    const struct jv *description = jv_get(root, "Description");
    if (description != NULL && (!jv_is(description, JV_STR) || description->s.n > 1024))
        return template_error("Template format error: 'Description' must be a string of at most "
                              "1024 bytes.");
    t.description = jv_s(description);
    TRY(section(&t, "Parameters", TEMPLATE_PARAMETERS_MAX, &t.parameters));
    TRY(section(&t, "Mappings", TEMPLATE_MAPPINGS_MAX, &t.mappings));
    TRY(section(&t, "Conditions", TEMPLATE_CONDITIONS_MAX, &t.conditions));
    TRY(section(&t, "Rules", TEMPLATE_RULES_MAX, &t.rules));
    TRY(section(&t, "Resources", TEMPLATE_RESOURCES_MAX, &t.resources));
    TRY(section(&t, "Outputs", TEMPLATE_OUTPUTS_MAX, &t.outputs));
    if (jv_len(t.resources) == 0)
        return template_error("Template format error: At least one Resources member must be "
                              "defined.");
    TRY(check_names(t.parameters, "Parameters"));
    TRY(check_names(t.mappings, "Mappings"));
    TRY(check_names(t.conditions, "Conditions"));
    TRY(check_names(t.rules, "Rules"));
    TRY(check_names(t.resources, "Resources"));
    TRY(check_names(t.outputs, "Outputs"));
    TRY(check_all(&t));
    *out = t;
    return NULL;
}

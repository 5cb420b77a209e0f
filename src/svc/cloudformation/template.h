/* template.h: the template language, apart from any store or service, so that it can be tested and
 * fuzzed by itself.
 *
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
 *
 *   template.c    text to sections; what a template may hold; static checks of names
 *   parameter.c   values for parameters, and their constraints
 *   pattern.c     AllowedPattern
 *   condition.c   conditions: And, Or, Not, Equals
 *   rule.c        Rules: what parameters must be together
 *   resolve.c     intrinsic functions      resolve_net.c  Fn::Cidr, Fn::GetAZs
 *   order.c       the dependency graph
 *
 * Errors are ERR_INVALID with code ValidationError, in AWS's words where they are known. Trees that
 * come in are never changed; what goes out may share parts of them. Everything lives in the scope's
 * arena. Thread rule: one thread at a time for each scope. */
#ifndef WARD_SVC_CLOUDFORMATION_TEMPLATE_H
#define WARD_SVC_CLOUDFORMATION_TEMPLATE_H

#include "core/json.h"

enum {
    TEMPLATE_BODY_MAX = 51200,         /* by value */
    TEMPLATE_URL_MAX = 1024 * 1024,    /* by TemplateURL */
    TEMPLATE_RESOURCES_MAX = 500,
    TEMPLATE_PARAMETERS_MAX = 200,
    TEMPLATE_OUTPUTS_MAX = 200,
    TEMPLATE_MAPPINGS_MAX = 200,
    TEMPLATE_CONDITIONS_MAX = 500,
    TEMPLATE_RULES_MAX = 200,
    TEMPLATE_STRING_MAX = 1024 * 1024, /* what one function may make */
    TEMPLATE_LIST_MAX = 4096,
    TEMPLATE_DEPTH_MAX = 64,
    PARAMETER_VALUE_MAX = 4096,
    PATTERN_NODES_MAX = 20000,
};

struct template {
    const struct jv *root;
    /* Objects or NULL. */
    const struct jv *parameters, *mappings, *conditions, *rules, *resources, *outputs;
    struct str description;
};

/* What names mean outside the template. Errors of `get` and `import` pass through. */
struct scope {
    struct arena *a;
    const struct template *t;
    const struct jv *params;     /* {name: string or array of strings} */
    struct jv *conditions;       /* {name: bool}, by template_conditions() */
    bool in_rules;               /* the functions of Rules are known */
    struct str account, region, stack_name, stack_id;
    const struct jv *topics;     /* AWS::NotificationARNs */
    /* The value of Ref (attr is STR_NONE) or of an attribute. */
    struct err *(*get)(void *ctx, struct str logical_id, struct str attr, const struct jv **out);
    struct err *(*import)(void *ctx, struct str name, const struct jv **out);
    void *ctx;
};

struct err *template_error(const char *fmt, ...) PRINTF_LIKE(1, 2) MUST_CHECK; /* ValidationError */

/* JSON or YAML. Checks sections, limits, and that every name used is defined. */
struct err *template_parse(struct arena *a, struct str text, struct template *out) MUST_CHECK;

/* Values for all parameters. `given`: {name: string}; `former`: values of a former run, used for
 * those in `keep` ({name: true}); both may be NULL. */
struct err *template_params(struct arena *a, const struct template *t, const struct jv *given,
                            const struct jv *former, const struct jv *keep, struct jv **out)
    MUST_CHECK;
bool template_no_echo(const struct template *t, struct str parameter);
/* The value as a client wrote it: lists joined by commas. */
struct str template_param_text(struct arena *a, const struct jv *value);

/* Whether the parameters are what the template's Rules say; ValidationError with the description of
 * the first assertion that does not hold. */
struct err *template_rules(struct scope *s) MUST_CHECK;

/* Fills s->conditions. */
struct err *template_conditions(struct scope *s) MUST_CHECK;

/* A value with every function in it carried out. *out NULL: AWS::NoValue. */
struct err *template_resolve(struct scope *s, const struct jv *v, const struct jv **out) MUST_CHECK;

/* Strings, numbers, booleans as text; STR_NONE for the rest. */
struct str template_scalar(struct arena *a, const struct jv *v);

/* Whether the member "Condition" of a resource or output, if any, is true. */
bool template_active(const struct scope *s, const struct jv *entity);

/* Names of active resources so that each comes after what it needs. *out_deps[i]: what names[i]
 * needs, an array of names. "Circular dependency between resources: [A, B]". */
struct order {
    size_t n;
    struct str *names;
    const struct jv **deps;
};
struct err *template_order(struct scope *s, struct order *out) MUST_CHECK;
/* The same for names and dependencies given as they are: {name: [name…]}. */
struct err *order_of(struct arena *a, const struct jv *graph, struct order *out) MUST_CHECK;

/* private to the engine */
struct err *template_unresolved(struct str name, const char *block) MUST_CHECK;
struct err *template_rule_form(struct str name, const struct jv *rule) MUST_CHECK;
struct err *rule_function(struct scope *s, struct str fn, const struct jv *arg, bool *out)
    MUST_CHECK;
struct err *template_no_reference(const struct jv *v) MUST_CHECK; /* dynamic ones: not built */
struct err *template_param_defs(const struct template *t) MUST_CHECK; /* what they may hold */
struct err *template_condition(struct scope *s, const struct jv *v, int depth, bool *out)
    MUST_CHECK;
struct err *resolve_cidr(struct scope *s, const struct jv *args, const struct jv **out) MUST_CHECK;
struct err *resolve_azs(struct scope *s, const struct jv *arg, const struct jv **out) MUST_CHECK;
bool pattern_fits(struct str pattern, struct str value, bool *out_bad); /* anchored at both ends */
bool function_of(const struct jv *v, struct str *out_name, const struct jv **out_arg);
/* Calls fn for each ${…} of a Sub text (literal false) and the text between (literal true). */
struct err *sub_each(struct str text, struct err *(*fn)(void *ctx, bool literal, struct str part),
                     void *ctx) MUST_CHECK;
bool is_pseudo(struct str name);

#endif

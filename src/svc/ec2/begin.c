/* What every call goes through first: the model's constraints in EC2's words, members that are not
 * built, DryRun. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
#include "room.h"

enum { CHECK_DEPTH_MAX = 8 };

struct err *err_value(struct str value, const char *parameter, const char *why)
{
    return err_aws(400, "InvalidParameterValue", "Value (%.*s) for parameter %s is invalid. %s",
                   STR_ARG(str_take(value, 100)), parameter, why);
}

struct err *err_parameter(const char *name)
{
    return err_aws(400, "MissingParameter", "The request must contain the parameter %c%s",
                   name[0] >= 'A' && name[0] <= 'Z' ? name[0] + 32 : name[0], name + 1);
}

static const char *camel(struct call *c, const char *name)
{
    char *z = arena_cstr(c->arena, str_c(name));
    if (z[0] >= 'A' && z[0] <= 'Z')
        z[0] = (char)(z[0] + 32);
    return z;
}

static struct err *check_struct(struct call *c, const struct shape *s, const void *value,
                                int depth);

static struct err *check_string(struct call *c, const struct shape *s, struct str v,
                                const char *name)
{
    if (s->enums == NULL)
        return NULL;
    for (const char *const *e = s->enums; *e != NULL; e++)
        if (str_is(v, *e))
            return NULL;
    return err_value(v, camel(c, name), "");
}

static struct err *check_value(struct call *c, const struct shape *s, const void *p,
                               const char *name, int depth)
{
    if (s->kind == SH_STRING)
        return check_string(c, s, *(const struct str *)p, name);
    if (s->kind == SH_INT || s->kind == SH_LONG) {
        int64_t v = ((const struct opt_int *)p)->v;
        if ((s->has_min && (double)v < s->min) || (s->has_max && (double)v > s->max))
            return err_aws(400, "InvalidParameterValue",
                           "Value ( %lld ) for parameter %s is invalid. Expecting a value between "
                           "%.0f and %.0f.",
                           (long long)v, camel(c, name), s->has_min ? s->min : 0.0,
                           s->has_max ? s->max : (double)INT32_MAX);
        return NULL;
    }
    if (s->kind == SH_LIST) {
        const struct any_list *l = p;
        if (s->has_max && (double)l->n > s->max)
            return err_aws(400, "InvalidParameterValue", "The parameter %s has too many elements.",
                           camel(c, name));
        for (size_t i = 0; i < l->n; i++) {
            const void *item = (const char *)l->v + i * s->item_size;
            TRY(s->elem->kind == SH_STRUCT ? check_struct(c, s->elem, item, depth + 1)
                                           : check_value(c, s->elem, item, name, depth));
        }
    }
    return NULL;
}

static struct err *check_struct(struct call *c, const struct shape *s, const void *value,
                                int depth)
{
    if (depth > CHECK_DEPTH_MAX)
        return NULL;
    for (uint32_t i = 0; i < s->n_members; i++) {
        const struct shape_member *m = &s->members[i];
        const void *p = shape_at(m, value);
        if (!shape_present(m->shape, p)) {
            if (m->required)
                return err_parameter(m->name);
            continue;
        }
        if (m->shape->kind == SH_STRUCT)
            TRY(check_struct(c, m->shape, *(void *const *)p, depth + 1));
        else
            TRY(check_value(c, m->shape, p, m->name, depth));
    }
    return NULL;
}

static bool in_words(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p != NULL && *p != '\0';) {
        const char *end = strchrnul(p, ' ');
        if ((size_t)(end - p) == n && memcmp(p, word, n) == 0)
            return true;
        p = *end != '\0' ? end + 1 : end;
    }
    return false;
}

/* A false says no more than nothing does: clients send it for what they do not want. */
static bool says_something(const struct shape_member *m, const void *value)
{
    const void *p = shape_at(m, value);
    if (!shape_present(m->shape, p))
        return false;
    if (m->shape->kind == SH_BOOL)
        return ((const struct opt_bool *)p)->v;
    if (m->shape->kind == SH_LIST)
        return ((const struct any_list *)p)->n > 0;
    return true;
}

struct err *only_members(struct call *c, const struct shape *s, const void *value,
                         const char *list, const char *what)
{
    for (uint32_t i = 0; i < s->n_members; i++)
        if (!in_words(list, s->members[i].name) && says_something(&s->members[i], value))
            return err_not_implemented(
                c, arena_fmt(c->arena, "%s of %s", s->members[i].name, what).p);
    return NULL;
}

const struct shape *member_shape(const struct shape *s, const char *name)
{
    const struct shape_member *m = shape_member(s, str_c(name));
    CHECK(m != NULL);
    return m->shape;
}

/* The row's list of what is recorded is the list of what is built: nothing else is taken. */
struct err *ec2_begin(struct call *c, const void *in)
{
    const struct shape *s = c->op->input;
    TRY(check_struct(c, s, in, 0));
    const char *built = arena_fmt(c->arena, "DryRun NextToken %s",
                                  c->row->record_in != NULL ? c->row->record_in : "").p;
    TRY(only_members(c, s, in, built, c->op->name));
    const struct shape_member *dry = shape_member(s, STR("DryRun"));
    if (dry != NULL && ((const struct opt_bool *)shape_at(dry, in))->v)
        return err_aws(412, "DryRunOperation",
                       "Request would have succeeded, but DryRun flag is set.");
    return NULL;
}

/* The registry of types, and properties brought into their declared form. */
#include "types.h"

#include "template.h"

static const struct rtype *const *const all_types[] = {
    types_kms,    types_s3,      types_messaging, types_iam,
    types_lambda, types_logging, types_vpc,       types_instance};

const struct rtype *type_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
        for (const struct rtype *const *t = all_types[i]; *t != NULL; t++)
            if (str_is(name, (*t)->name))
                return *t;
    return NULL;
}

const struct prop *type_prop(const struct rtype *t, struct str name)
{
    for (const struct prop *p = t->props; p->name != NULL; p++)
        if (str_is(name, p->name))
            return p;
    return NULL;
}

const struct step *type_token_step(const struct rtype *t)
{
    const struct step *s = t->steps;
    while (s->on != 0 && (s->on & ON_CREATE) == 0)
        s++;
    return s->on != 0 && s->in != NULL && strstr(s->in, "\"$token\"") != NULL ? s : NULL;
}

void put_v(struct arena *a, struct jv *o, const char *key, const struct jv *v)
{
    if (v != NULL) {
        jv_set(a, o, str_c(key), v);
        return;
    }
    /* Into an array of its own: who holds another member (a row's "next", its "prev") goes on
     * holding it, and does not find its neighbour there. */
    for (size_t i = 0; i < jv_len(o); i++) {
        if (!str_is(o->obj.v[i].key, key))
            continue;
        struct jv_member *rest = ARENA_ARRAY(a, o->obj.n, struct jv_member);
        memcpy(rest, o->obj.v, i * sizeof *rest);
        memcpy(rest + i, o->obj.v + i + 1, (o->obj.n - i - 1) * sizeof *rest);
        o->cap = (uint32_t)o->obj.n;
        o->obj.v = rest;
        o->obj.n--;
        return;
    }
}

void put_s(struct arena *a, struct jv *o, const char *key, struct str v)
{
    put_v(a, o, key, v.p != NULL ? jv_new_str(a, v) : NULL);
}

void put_i(struct arena *a, struct jv *o, const char *key, int64_t v)
{
    put_v(a, o, key, jv_new_int(a, v));
}

void put_b(struct arena *a, struct jv *o, const char *key, bool v)
{
    put_v(a, o, key, jv_new_bool(a, v));
}

/* -- one value into its type ------------------------------------------------------------------- */

static struct err *mistyped(const struct prop *p, const char *wanted)
{
    return template_error("Value of property %s must be %s", p->name, wanted);
}

static struct err *as_integer(struct arena *a, const struct prop *p, const struct jv *v,
                              const struct jv **out)
{
    int64_t i;
    struct str text = template_scalar(a, v);
    if (v->type == JV_INT) {
        *out = v;
        return NULL;
    }
    if (v->type == JV_BOOL || !str_to_i64(text, INT64_MIN, INT64_MAX, &i))
        return mistyped(p, "of type Integer");
    *out = jv_new_int(a, i);
    return NULL;
}

static struct err *as_boolean(struct arena *a, const struct prop *p, const struct jv *v,
                              const struct jv **out)
{
    struct str text = template_scalar(a, v);
    if (str_is_i(text, "true") || str_is_i(text, "false")) {
        *out = jv_new_bool(a, str_is_i(text, "true"));
        return NULL;
    }
    return mistyped(p, "of type Boolean");
}

static struct err *as_document(struct arena *a, const struct prop *p, const struct jv *v,
                               const struct jv **out)
{
    struct jv *parsed;
    if (v->type != JV_STR) {
        *out = jv_new_str(a, jv_text(a, v));
        return NULL;
    }
    struct err *e = json_parse(a, v->s, JSON_DEPTH_DEFAULT, &parsed);
    if (e == NULL) {
        *out = v;
        return NULL;
    }
    err_free(e);
    return mistyped(p, "an object");
}

static struct err *as_list(struct arena *a, const struct jv *v, const struct jv **out)
{
    if (v->type == JV_ARR) {
        *out = v;
        return NULL;
    }
    struct jv *list = jv_new_arr(a); /* a single value stands for a list of one */
    jv_push(a, list, v);
    *out = list;
    return NULL;
}

static struct err *unsupported(struct str name)
{
    return template_error("Encountered unsupported property %.*s",
                          (int)(name.n < 200 ? name.n : 200), name.p);
}

static bool among(const char *words, struct str word)
{
    for (struct str rest = str_c(words); rest.p != NULL;)
        if (str_eq(str_cut(&rest, ' '), word))
            return true;
    return false;
}

static struct err *check_members(const struct prop *p, const struct jv *v)
{
    if (jv_is(v, JV_ARR)) {
        for (size_t i = 0; i < v->arr.n; i++)
            TRY(check_members(p, &v->arr.v[i]));
        return NULL;
    }
    if (!jv_is(v, JV_OBJ))
        return mistyped(p, "made of objects");
    for (size_t i = 0; i < v->obj.n; i++)
        if (!among(p->members, v->obj.v[i].key))
            return unsupported(v->obj.v[i].key);
    return NULL;
}

/* Tags as a list of Key and Value with texts in them, those of the stack first. */
static struct err *as_tags(struct arena *a, const struct prop *p, const struct jv *v,
                           const struct jv *more, const struct jv **out)
{
    struct jv *list = jv_new_arr(a), *own = jv_new_obj(a);
    if (v != NULL && v->type != JV_ARR)
        return mistyped(p, "a list");
    for (size_t i = 0; i < jv_len(v); i++)
        jv_set(a, own, template_scalar(a, jv_get(jv_at(v, i), "Key")), jv_new_bool(a, true));
    for (int round = 0; round < 2; round++) {
        const struct jv *from = round == 0 ? more : v;
        for (size_t i = 0; i < jv_len(from); i++) {
            struct str key = template_scalar(a, jv_get(jv_at(from, i), "Key"));
            struct str value = template_scalar(a, jv_get(jv_at(from, i), "Value"));
            if (key.p == NULL || value.p == NULL || jv_len(jv_at(from, i)) != 2)
                return mistyped(p, "a list of Key and Value");
            if (str_starts_c(key, "aws:"))
                return template_error("aws: prefixed tag key names are not allowed for external "
                                      "use.");
            if (round == 0 && jv_get_str(own, key) != NULL)
                continue;
            struct jv *tag = jv_new_obj(a);
            put_s(a, tag, "Key", key);
            put_s(a, tag, "Value", value);
            jv_push(a, list, tag);
        }
    }
    *out = list->arr.n > 0 ? list : NULL;
    return NULL;
}

static struct err *convert(struct arena *a, const struct prop *p, const struct jv *v,
                           const struct jv **out)
{
    double d;
    struct str text = template_scalar(a, v);
    switch (p->type) {
    case P_STR:
        if (text.p == NULL)
            return mistyped(p, "of type String");
        *out = jv_new_str(a, text);
        return NULL;
    case P_INT:
        return as_integer(a, p, v, out);
    case P_NUM:
        if (!str_to_double(text, &d))
            return mistyped(p, "of type Number");
        *out = jv_new_num(a, d);
        return NULL;
    case P_BOOL:
        return as_boolean(a, p, v, out);
    case P_JSON:
        return as_document(a, p, v, out);
    case P_LIST:
        return as_list(a, v, out);
    case P_OBJ:
        *out = v;
        return v->type == JV_OBJ ? NULL : mistyped(p, "an object");
    case P_TAGS:
        break;
    }
    return err_new(ERR_INTERNAL, "A property has no type.");
}

struct err *type_props(struct arena *a, const struct rtype *t, const struct jv *given,
                       const struct jv *stack_tags, struct jv **out)
{
    struct jv *made = jv_new_obj(a);
    for (size_t i = 0; i < jv_len(given); i++) {
        struct str name = given->obj.v[i].key;
        if (type_prop(t, name) == NULL)
            return unsupported(name);
    }
    for (const struct prop *p = t->props; p->name != NULL; p++) {
        const struct jv *v = jv_get(given, p->name), *done = NULL;
        if (v != NULL && v->type == JV_NULL)
            v = NULL;
        if (p->type == P_TAGS)
            TRY(as_tags(a, p, v, stack_tags, &done));
        else if (v != NULL)
            TRY(convert(a, p, v, &done));
        if (done != NULL && p->members != NULL)
            TRY(check_members(p, done));
        if (done == NULL && (p->flags & P_REQUIRED) != 0)
            return template_error("Property %s cannot be empty.", p->name);
        if (done != NULL)
            jv_set(a, made, str_c(p->name), done);
    }
    *out = made;
    return NULL;
}

static bool same(const struct jv *x, const struct jv *y)
{
    return x == y || (x != NULL && y != NULL && jv_equal(x, y));
}

enum type_change type_compare(const struct rtype *t, const struct jv *old, const struct jv *now)
{
    enum type_change change = CHANGE_NONE;
    for (const struct prop *p = t->props; p->name != NULL; p++) {
        if (same(jv_get(old, p->name), jv_get(now, p->name)))
            continue;
        if ((p->flags & P_REPLACE) != 0)
            return CHANGE_REPLACE;
        change = CHANGE_IN_PLACE;
    }
    return change;
}

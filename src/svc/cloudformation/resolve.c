/* Intrinsic functions:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html */
#include "template.h"

#include "core/enc.h"

static struct err *resolve(struct scope *s, const struct jv *v, int depth, const struct jv **out);

struct str template_scalar(struct arena *a, const struct jv *v)
{
    if (v == NULL)
        return STR_NONE;
    switch (v->type) {
    case JV_STR:
        return v->s.p != NULL ? v->s : STR("");
    case JV_BOOL:
        return v->b ? STR("true") : STR("false");
    case JV_INT:
        return arena_fmt(a, "%lld", (long long)v->i);
    case JV_NUM:
        return jv_text(a, v);
    default:
        return STR_NONE;
    }
}

static struct err *bad_args(const char *fn, const char *wanted)
{
    return template_error("Template error: every %s object requires %s.", fn, wanted);
}

/* -- names ------------------------------------------------------------------------------------- */

static struct err *pseudo(struct scope *s, struct str name, const struct jv **out)
{
    struct str v;
    if (str_is(name, "AWS::NoValue")) {
        *out = NULL;
        return NULL;
    }
    if (str_is(name, "AWS::NotificationARNs")) {
        *out = s->topics != NULL ? s->topics : jv_new_arr(s->a);
        return NULL;
    }
    if (str_is(name, "AWS::AccountId"))
        v = s->account;
    else if (str_is(name, "AWS::Region"))
        v = s->region;
    else if (str_is(name, "AWS::StackName"))
        v = s->stack_name;
    else if (str_is(name, "AWS::StackId"))
        v = s->stack_id;
    else if (str_is(name, "AWS::Partition"))
        v = STR("aws");
    else
        v = STR("amazonaws.com"); /* AWS::URLSuffix */
    *out = jv_new_str(s->a, v);
    return NULL;
}

static struct err *get(struct scope *s, struct str name, struct str attr, const struct jv **out)
{
    const struct jv *r = jv_get_str(s->t->resources, name);
    if (r == NULL || !template_active(s, r))
        return template_error("Template format error: Unresolved resource dependencies [%.*s] in "
                              "the Resources block of the template",
                              (int)(name.n < 200 ? name.n : 200), name.p == NULL ? "" : name.p);
    return s->get(s->ctx, name, attr, out);
}

static struct err *ref(struct scope *s, struct str name, const struct jv **out)
{
    if (is_pseudo(name))
        return pseudo(s, name, out);
    const struct jv *p = jv_get_str(s->params, name);
    if (p != NULL) {
        *out = p;
        return NULL;
    }
    return get(s, name, STR_NONE, out);
}

static struct err *get_att(struct scope *s, const struct jv *arg, int depth, const struct jv **out)
{
    struct str name, attr;
    if (jv_is(arg, JV_STR)) {
        struct str rest = arg->s;
        name = str_cut(&rest, '.');
        attr = rest;
    } else {
        const struct jv *a;
        TRY(resolve(s, jv_at(arg, 1), depth, &a));
        name = jv_s(jv_at(arg, 0));
        attr = jv_s(a);
    }
    if (name.n == 0 || attr.n == 0)
        return bad_args("Fn::GetAtt", "two non-empty parameters, the resource name and the "
                                      "resource attribute");
    return get(s, name, attr, out);
}

/* -- text -------------------------------------------------------------------------------------- */

struct sub {
    struct scope *s;
    const struct jv *vars; /* resolved */
    struct buf *b;
};

static struct err *sub_part(void *ctx, bool literal, struct str part)
{
    struct sub *u = ctx;
    if (literal) {
        buf_str(u->b, part);
        return NULL;
    }
    const struct jv *v = jv_get_str(u->vars, part);
    struct str rest = part, name = str_cut(&rest, '.');
    if (v == NULL && rest.p != NULL && !is_pseudo(part))
        TRY(get(u->s, name, rest, &v));
    else if (v == NULL)
        TRY(ref(u->s, part, &v));
    struct str text = jv_is(v, JV_ARR) ? template_param_text(u->s->a, v)
                                       : template_scalar(u->s->a, v);
    if (text.p == NULL)
        return template_error("Template error: a ${} of Fn::Sub does not resolve to a string: "
                              "%.*s", (int)(part.n < 200 ? part.n : 200), part.p);
    buf_str(u->b, text);
    return NULL;
}

static struct err *text_of(struct scope *s, const struct buf *b, const struct jv **out)
{
    if (!buf_ok(b))
        return template_error("Template error: a function makes a string of more than %d bytes.",
                              TEMPLATE_STRING_MAX);
    if (!arena_fits(s->a, b->n))
        return err_new(ERR_LIMIT, "The template takes too much memory.");
    struct str v = arena_str(s->a, buf_view(b));
    *out = jv_new_str(s->a, v.p != NULL ? v : STR(""));
    return NULL;
}

static struct err *fn_sub(struct scope *s, const struct jv *arg, int depth, const struct jv **out)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(TEMPLATE_STRING_MAX);
    struct sub u = {.s = s, .b = &b};
    struct str text = jv_s(arg);
    if (jv_is(arg, JV_ARR)) {
        text = jv_s(jv_at(arg, 0));
        TRY(resolve(s, jv_at(arg, 1), depth, &u.vars));
    }
    if (text.p == NULL)
        return bad_args("Fn::Sub", "a string, and an optional mapping of values");
    TRY(sub_each(text, sub_part, &u));
    return text_of(s, &b, out);
}

static struct err *fn_join(struct scope *s, const struct jv *arg, const struct jv **out)
{
    struct str by = jv_s(jv_at(arg, 0));
    const struct jv *list = jv_at(arg, 1);
    if (by.p == NULL || !jv_is(list, JV_ARR) || jv_len(arg) != 2)
        return bad_args("Fn::Join", "two parameters, (1) a string delimiter and (2) a list of "
                                    "strings to be joined");
    struct buf b CLEANUP(buf_clear) = BUF_INIT(TEMPLATE_STRING_MAX);
    for (size_t i = 0; i < list->arr.n; i++) {
        struct str item = template_scalar(s->a, &list->arr.v[i]);
        if (item.p == NULL)
            return bad_args("Fn::Join", "two parameters, (1) a string delimiter and (2) a list "
                                        "of strings to be joined");
        if (i > 0)
            buf_str(&b, by);
        buf_str(&b, item);
    }
    return text_of(s, &b, out);
}

static struct err *fn_split(struct scope *s, const struct jv *arg, const struct jv **out)
{
    struct str by = jv_s(jv_at(arg, 0)), text = template_scalar(s->a, jv_at(arg, 1));
    if (by.n == 0 || text.p == NULL || jv_len(arg) != 2)
        return bad_args("Fn::Split", "two parameters, (1) a string delimiter and (2) a string to "
                                     "be split");
    struct jv *list = jv_new_arr(s->a);
    for (;;) {
        ptrdiff_t at = str_find(text, by);
        jv_push(s->a, list, jv_new_str(s->a, at < 0 ? text : str_take(text, (size_t)at)));
        if (at < 0)
            break;
        text = str_skip(text, (size_t)at + by.n);
        if (list->arr.n >= TEMPLATE_LIST_MAX)
            return template_error("Template error: Fn::Split makes more than %d strings.",
                                  TEMPLATE_LIST_MAX);
    }
    *out = list;
    return NULL;
}

static struct err *fn_select(struct scope *s, const struct jv *arg, const struct jv **out)
{
    struct str index = template_scalar(s->a, jv_at(arg, 0));
    const struct jv *list = jv_at(arg, 1);
    int64_t i;
    if (!jv_is(list, JV_ARR) || jv_len(arg) != 2 ||
        !str_to_i64(index, 0, TEMPLATE_LIST_MAX, &i))
        return bad_args("Fn::Select", "two parameters, the first an index and the second a list");
    if ((size_t)i >= list->arr.n)
        return template_error("Template error: Fn::Select cannot select nonexistent value at "
                              "index %lld", (long long)i);
    *out = &list->arr.v[i];
    return NULL;
}

static struct err *fn_base64(struct scope *s, const struct jv *arg, const struct jv **out)
{
    struct str text = template_scalar(s->a, arg);
    if (text.p == NULL)
        return bad_args("Fn::Base64", "a string");
    *out = jv_new_str(s->a, enc_base64(s->a, text));
    return NULL;
}

/* -- tables and choices ------------------------------------------------------------------------ */

static struct err *fn_find(struct scope *s, const struct jv *arg, const struct jv **out)
{
    struct str map = jv_s(jv_at(arg, 0));
    struct str first = template_scalar(s->a, jv_at(arg, 1));
    struct str second = template_scalar(s->a, jv_at(arg, 2));
    if (map.p == NULL || first.p == NULL || second.p == NULL || jv_len(arg) != 3)
        return bad_args("Fn::FindInMap", "three parameters, the map name, map key and the "
                                         "attribute for return value");
    const struct jv *m = jv_get_str(s->t->mappings, map);
    const struct jv *v = jv_get_str(jv_get_str(m, first), second);
    if (m == NULL)
        return template_error("Template error: Mapping named '%.*s' is not present in the "
                              "'Mappings' section of template.",
                              (int)(map.n < 100 ? map.n : 100), map.p);
    if (v == NULL)
        return template_error("Template error: Unable to get mapping for %.60s::%.60s::%.60s",
                              arena_cstr(s->a, map), arena_cstr(s->a, first),
                              arena_cstr(s->a, second));
    *out = v;
    return NULL;
}

static struct err *fn_if(struct scope *s, const struct jv *arg, int depth, const struct jv **out)
{
    struct str name = jv_s(jv_at(arg, 0));
    if (jv_len(arg) != 3 || name.p == NULL)
        return bad_args("Fn::If", "a list of 3 parameters, the first the name of a condition");
    const struct jv *c = jv_get_str(s->conditions, name);
    if (c == NULL)
        return template_error("Template error: unresolved condition dependency %.*s",
                              (int)(name.n < 200 ? name.n : 200), name.p);
    return resolve(s, jv_at(arg, jv_b(c, false) ? 1 : 2), depth, out);
}

static struct err *fn_import(struct scope *s, const struct jv *arg, const struct jv **out)
{
    if (!jv_is(arg, JV_STR))
        return bad_args("Fn::ImportValue", "a string that names an export");
    return s->import(s->ctx, arg->s, out);
}

static struct err *function(struct scope *s, struct str fn, const struct jv *arg, int depth,
                            const struct jv **out)
{
    if (str_is(fn, "Ref"))
        return jv_is(arg, JV_STR) ? ref(s, arg->s, out) : bad_args("Ref", "a string");
    if (str_is(fn, "Fn::GetAtt"))
        return get_att(s, arg, depth, out);
    if (str_is(fn, "Fn::Sub"))
        return fn_sub(s, arg, depth, out);
    if (str_is(fn, "Fn::If"))
        return fn_if(s, arg, depth, out);
    static const char *const tests[] = {"Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not"};
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        if (str_is(fn, tests[i]))
            return template_error("Template error: %s can be used in Conditions only.", tests[i]);
    const struct jv *r;
    TRY(resolve(s, arg, depth, &r));
    if (str_is(fn, "Fn::Join"))
        return fn_join(s, r, out);
    if (str_is(fn, "Fn::Split"))
        return fn_split(s, r, out);
    if (str_is(fn, "Fn::Select"))
        return fn_select(s, r, out);
    if (str_is(fn, "Fn::Base64"))
        return fn_base64(s, r, out);
    if (str_is(fn, "Fn::FindInMap"))
        return fn_find(s, r, out);
    if (str_is(fn, "Fn::ImportValue"))
        return fn_import(s, r, out);
    if (str_is(fn, "Fn::Cidr"))
        return resolve_cidr(s, r, out);
    if (str_is(fn, "Fn::GetAZs"))
        return resolve_azs(s, r, out);
    return template_error("Template error: unknown function %.*s",
                          (int)(fn.n < 100 ? fn.n : 100), fn.p);
}

static struct err *resolve_items(struct scope *s, const struct jv *v, int depth,
                                 const struct jv **out)
{
    struct jv *made = v->type == JV_OBJ ? jv_new_obj(s->a) : jv_new_arr(s->a);
    size_t n = jv_len(v);
    for (size_t i = 0; i < n; i++) {
        const struct jv *r;
        TRY(resolve(s, v->type == JV_OBJ ? &v->obj.v[i].value : &v->arr.v[i], depth, &r));
        if (r == NULL)
            continue; /* AWS::NoValue */
        if (v->type == JV_OBJ)
            jv_set(s->a, made, v->obj.v[i].key, r);
        else
            jv_push(s->a, made, r);
    }
    *out = made;
    return NULL;
}

static struct err *resolve(struct scope *s, const struct jv *v, int depth, const struct jv **out)
{
    TRY(arena_check(s->a));
    *out = NULL;
    if (v == NULL || v->type == JV_NULL)
        return NULL;
    if (depth > 2 * TEMPLATE_DEPTH_MAX)
        return template_error("Template format error: values nest too deeply.");
    struct str fn;
    const struct jv *arg;
    if (function_of(v, &fn, &arg))
        return function(s, fn, arg, depth + 1, out);
    if (v->type == JV_OBJ || v->type == JV_ARR)
        return resolve_items(s, v, depth + 1, out);
    *out = v;
    return NULL;
}

struct err *template_no_reference(const struct jv *v)
{
    if (jv_is(v, JV_STR) && str_find(v->s, STR("{{resolve:")) >= 0)
        return err_aws(501, "NotImplemented",
                       "Dynamic references ({{resolve:…}}) are not built in this version of "
                       "Ward. The README lists what is.");
    for (size_t i = 0; jv_is(v, JV_ARR) && i < v->arr.n; i++)
        TRY(template_no_reference(&v->arr.v[i]));
    for (size_t i = 0; jv_is(v, JV_OBJ) && i < v->obj.n; i++)
        TRY(template_no_reference(&v->obj.v[i].value));
    return NULL;
}

struct err *template_resolve(struct scope *s, const struct jv *v, const struct jv **out)
{
    const struct jv *r;
    TRY(resolve(s, v, 0, &r));
    TRY(template_no_reference(r)); /* a function may have put one together */
    *out = r;
    return NULL;
}

/* Inputs of steps, filled in from properties, attributes and what is known of the resource. */
#include "fill.h"

#include "template.h"

/* -- renames ----------------------------------------------------------------------------------- */

/* What `name` is called by the API; *out_wrap: its value goes into a list of one. */
static struct str renamed(const char *renames, struct str name, bool *out_wrap)
{
    *out_wrap = false;
    for (struct str rest = str_c(renames); rest.p != NULL;) {
        struct str to = str_cut(&rest, ' '), from = str_cut(&to, '=');
        if (!str_eq(from, name))
            continue;
        *out_wrap = str_ends_c(to, "[]");
        return *out_wrap ? str_take(to, to.n - 2) : to;
    }
    return name;
}

static const struct jv *rename_all(struct arena *a, const char *renames, const struct jv *v)
{
    if (renames == NULL || (v->type != JV_OBJ && v->type != JV_ARR))
        return v;
    struct jv *made = v->type == JV_OBJ ? jv_new_obj(a) : jv_new_arr(a);
    for (size_t i = 0; i < jv_len(v); i++) {
        if (v->type == JV_ARR) {
            jv_push(a, made, rename_all(a, renames, &v->arr.v[i]));
            continue;
        }
        bool wrap;
        struct str to = renamed(renames, v->obj.v[i].key, &wrap);
        const struct jv *value = rename_all(a, renames, &v->obj.v[i].value);
        if (wrap) {
            struct jv *list = jv_new_arr(a);
            jv_push(a, list, value);
            value = list;
        }
        jv_set(a, made, to, value);
    }
    return made;
}

/* -- lookups ----------------------------------------------------------------------------------- */

const struct jv *fill_path(const struct act *x, const struct jv *v, struct str path)
{
    while (path.p != NULL && v != NULL) {
        struct str part = str_cut(&path, '.');
        int64_t index;
        if (part.n > 0 && part.p[0] == '?') {
            struct str member = str_skip(part, 1), wanted = jv_s(jv_get_str(x->props, member));
            const struct jv *found = NULL;
            for (size_t i = 0; i < jv_len(v) && found == NULL; i++)
                if (str_eq(jv_s(jv_get_str(jv_at(v, i), member)), wanted))
                    found = jv_at(v, i);
            v = found;
        } else if (jv_is(v, JV_ARR)) {
            v = str_to_i64(part, 0, 1000, &index) ? jv_at(v, (size_t)index) : NULL;
        } else {
            v = jv_get_str(v, part);
        }
    }
    return v;
}

static const struct jv *prop_value(struct arena *a, const struct act *x, const struct jv *props,
                                   struct str path)
{
    struct str top = path;
    const struct prop *p = type_prop(x->type, str_cut(&top, '.'));
    const struct jv *v = fill_path(x, props, path);
    return v == NULL || p == NULL ? v : rename_all(a, p->rename, v);
}

static const struct jv *tag_map(struct arena *a, const struct act *x)
{
    const struct jv *tags = jv_get(x->props, "Tags");
    if (jv_len(tags) == 0)
        return NULL;
    struct jv *map = jv_new_obj(a);
    for (size_t i = 0; i < jv_len(tags); i++)
        jv_set(a, map, jv_s(jv_get(jv_at(tags, i), "Key")), jv_get(jv_at(tags, i), "Value"));
    return map;
}

/* Code.ZipFile is the source itself, but for runtimes that do not run sources. */
static const struct jv *zipped(struct arena *a, const struct act *x)
{
    struct str source = jv_s(jv_get(jv_get(x->props, "Code"), "ZipFile"));
    if (source.p == NULL)
        return NULL;
    struct str zip = zip_of_source(a, jv_s(jv_get(x->props, "Runtime")),
                                   jv_s(jv_get(x->props, "Handler")), source);
    return jv_new_str(a, enc_base64(a, zip));
}

static const struct jv *text_or_none(struct arena *a, struct str s)
{
    return s.n > 0 ? jv_new_str(a, s) : NULL;
}

static const struct jv *look(struct arena *a, const struct act *x, const struct jv *element,
                             struct str name)
{
    if (str_is(name, "id")) {
        struct str id = jv_s(jv_get(x->row, "id"));
        return text_or_none(a, id.n > 0 ? id : jv_s(jv_get(x->row, "name")));
    }
    if (str_is(name, "name"))
        return text_or_none(a, jv_s(jv_get(x->row, "name")));
    if (str_is(name, "account"))
        return text_or_none(a, x->account);
    if (str_is(name, "region"))
        return text_or_none(a, x->region);
    if (str_is(name, "stack"))
        return text_or_none(a, x->stack_name);
    if (str_is(name, "location"))
        return str_is(x->region, "us-east-1") ? NULL : text_or_none(a, x->region);
    if (str_is(name, "token"))
        return text_or_none(a, jv_s(jv_get(x->row, "token")));
    if (str_is(name, "tagmap"))
        return tag_map(a, x);
    if (str_is(name, "zip"))
        return zipped(a, x);
    if (str_is(name, "e"))
        return element;
    if (str_starts_c(name, "e."))
        return fill_path(x, element, str_skip(name, 2));
    if (str_starts_c(name, "p."))
        return prop_value(a, x, x->props, str_skip(name, 2));
    if (str_starts_c(name, "o."))
        return prop_value(a, x, x->old, str_skip(name, 2));
    if (str_starts_c(name, "a."))
        return jv_get_str(jv_get(x->row, "attrs"), str_skip(name, 2));
    CHECK(!"a name in a table of types");
    return NULL;
}

static struct str interpolate(struct arena *a, const struct act *x, const struct jv *element,
                              struct str s)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(TEMPLATE_STRING_MAX);
    while (s.n > 0) {
        ptrdiff_t from = str_find_char(s, '<'), to = str_find_char(s, '>');
        if (from < 0 || to < from) {
            buf_str(&b, s);
            break;
        }
        buf_str(&b, str_take(s, (size_t)from));
        struct str name = str_take(str_skip(s, (size_t)from + 1), (size_t)(to - from - 1));
        buf_str(&b, template_scalar(a, fill_lookup(a, x, element, name)));
        s = str_skip(s, (size_t)to + 1);
    }
    struct str text = arena_str(a, buf_view(&b));
    return text.p != NULL ? text : STR("");
}

const struct jv *fill_lookup(struct arena *a, const struct act *x, const struct jv *element,
                             struct str expr)
{
    /* An attribute's name may hold parts of the element, as in "a.sub <e.Protocol>". */
    if (str_starts_c(expr, "a.") && str_find_char(expr, '<') >= 0)
        return look(a, x, element, interpolate(a, x, element, expr));
    ptrdiff_t bar = str_find_char(expr, '|');
    const struct jv *v = look(a, x, element, bar < 0 ? expr : str_take(expr, (size_t)bar));
    if (v != NULL || bar < 0)
        return v;
    struct str other = str_skip(expr, (size_t)bar + 1);
    return str_is(other, "{}") ? jv_new_obj(a) : jv_new_str(a, other);
}

const struct jv *fill_text(struct arena *a, const struct act *x, const struct jv *element,
                           struct str s)
{
    if (s.n > 0 && s.p[0] == '=')
        return jv_new_str(a, interpolate(a, x, element, str_skip(s, 1)));
    if (s.n > 0 && s.p[0] == '$')
        return fill_lookup(a, x, element, str_skip(s, 1));
    if (s.n > 0 && s.p[0] == '%') {
        const struct jv *v = fill_lookup(a, x, element, str_skip(s, 1));
        return v == NULL || v->type == JV_STR ? v : jv_new_str(a, jv_text(a, v));
    }
    return jv_new_str(a, s);
}

/* -- inputs ------------------------------------------------------------------------------------ */

struct filled {
    const struct jv *v; /* NULL: absent */
    bool variable;      /* something in it was replaced or left out */
};

static struct filled fill(struct arena *a, const struct act *x, const struct jv *element,
                          const struct jv *v, bool root)
{
    if (v->type == JV_STR) {
        bool variable = v->s.n > 0 && strchr("$%=", v->s.p[0]) != NULL;
        return (struct filled){fill_text(a, x, element, v->s), variable};
    }
    if (v->type != JV_OBJ && v->type != JV_ARR)
        return (struct filled){v, false};
    struct jv *made = v->type == JV_OBJ ? jv_new_obj(a) : jv_new_arr(a);
    size_t variable = 0, present = 0;
    for (size_t i = 0; i < jv_len(v); i++) {
        struct filled f = fill(a, x, element, v->type == JV_OBJ ? &v->obj.v[i].value
                                                                : &v->arr.v[i], false);
        struct str key = v->type == JV_OBJ ? v->obj.v[i].key : STR_NONE;
        bool must = str_ends_c(key, "!");
        variable += f.variable;
        present += f.variable && f.v != NULL;
        if (f.v == NULL && must)
            return (struct filled){NULL, true};
        if (f.v == NULL)
            continue;
        if (v->type == JV_OBJ)
            jv_set(a, made, must ? str_take(key, key.n - 1) : key, f.v);
        else
            jv_push(a, made, f.v);
    }
    bool gone = !root && variable > 0 && present == 0;
    return (struct filled){gone ? NULL : made, variable > 0};
}

struct err *fill_input(struct arena *a, const struct act *x, const struct jv *element,
                       const char *in, const struct jv **out)
{
    struct jv *v;
    TRY(json_parse(a, str_c(in), JSON_DEPTH_DEFAULT, &v));
    *out = fill(a, x, element, v, true).v;
    return NULL;
}

/* Outputs, exports and imports. */
#include "room.h"

static struct skey export_key(const struct place *p, struct str name)
{
    struct place at = *p;
    at.uuid = name;
    return stack_key(&at);
}

/* -- values ------------------------------------------------------------------------------------ */

static struct err *one_output(struct run *r, struct str key, const struct jv *def,
                              struct jv *outputs)
{
    struct arena *a = r->a;
    const struct jv *v, *name;
    TRY(template_resolve(&r->scope, jv_get(def, "Value"), &v));
    TRY(template_resolve(&r->scope, jv_get(jv_get(def, "Export"), "Name"), &name));
    struct str text = jv_is(v, JV_ARR) ? template_param_text(a, v) : template_scalar(a, v);
    if (text.p == NULL)
        return template_error("Template format error: Output %.*s is malformed. The Value field "
                              "must resolve to a string.", STR_ARG(key));
    struct jv *o = jv_new_obj(a);
    put_s(a, o, "key", key);
    put_s(a, o, "value", text);
    put_s(a, o, "description", jv_s(jv_get(def, "Description")));
    if (name != NULL) {
        struct str n = template_scalar(a, name);
        if (n.n == 0 || n.n > 255)
            return template_error("Template error: the name of an export must have 1 to 255 "
                                  "characters.");
        put_s(a, o, "export", n);
    }
    jv_push(a, outputs, o);
    return NULL;
}

struct err *outputs_resolve(struct run *r, struct jv **out)
{
    struct jv *outputs = jv_new_arr(r->a);
    for (size_t i = 0; i < jv_len(r->t.outputs); i++) {
        const struct jv_member *m = &r->t.outputs->obj.v[i];
        if (template_active(&r->scope, &m->value))
            TRY(one_output(r, m->key, &m->value, outputs));
    }
    struct str text = jv_text(r->a, outputs);
    if (text.p == NULL || text.n > STACK_OUTPUTS_MAX)
        return template_error("Template error: the outputs take more than %d bytes.",
                              STACK_OUTPUTS_MAX);
    *out = outputs;
    return NULL;
}

/* -- exports ----------------------------------------------------------------------------------- */

static struct err *users_of(struct txn *t, struct arena *a, const struct place *p, struct str name,
                            struct str *out_user)
{
    struct skey k = export_key(p, name);
    struct scan sc = {.prefix = key_of(&k)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    bool more;
    struct str key, value;
    *out_user = STR_NONE;
    TRY(txn_scan(t, CFN_T_IMPORT, &sc, &cur));
    TRY(cursor_next(cur, &more, &key, &value));
    if (more)
        *out_user = arena_str(a, value);
    return NULL;
}

static const struct jv *by_export(const struct jv *outputs, struct str name)
{
    for (size_t i = 0; i < jv_len(outputs); i++)
        if (str_eq(jv_s(jv_get(jv_at(outputs, i), "export")), name))
            return jv_at(outputs, i);
    return NULL;
}

/* None of these exports, but for those that stay as they are, may be in use. */
static struct err *check_unused(struct txn *t, struct arena *a, const struct place *p,
                                const struct jv *before, const struct jv *after, const char *verb)
{
    for (size_t i = 0; i < jv_len(before); i++) {
        struct str name = jv_s(jv_get(jv_at(before, i), "export")), user;
        if (name.p == NULL)
            continue;
        const struct jv *now = by_export(after, name);
        struct str was = jv_s(jv_get(jv_at(before, i), "value"));
        if (now != NULL && str_eq(jv_s(jv_get(now, "value")), was))
            continue;
        TRY(users_of(t, a, p, name, &user));
        if (user.p != NULL)
            return template_error("Export %.*s cannot be %s as it is in use by %.*s",
                                  STR_ARG(name), now != NULL ? "updated" : verb, STR_ARG(user));
    }
    return NULL;
}

struct err *exports_in_use(struct txn *t, struct arena *a, const struct place *p,
                           const struct jv *outputs)
{
    return check_unused(t, a, p, outputs, NULL, "deleted");
}

struct err *exports_write(struct txn *t, struct arena *a, const struct place *p,
                          const struct jv *stack, const struct jv *outputs)
{
    const struct jv *before = jv_get(stack, "outputs");
    TRY(check_unused(t, a, p, before, outputs, "deleted"));
    for (size_t i = 0; i < jv_len(before); i++) {
        struct str name = jv_s(jv_get(jv_at(before, i), "export"));
        struct skey k = export_key(p, name);
        if (name.p != NULL)
            TRY(txn_del(t, CFN_T_EXPORT, key_of(&k)));
    }
    for (size_t i = 0; i < jv_len(outputs); i++) {
        const struct jv *o = jv_at(outputs, i);
        struct str name = jv_s(jv_get(o, "export")), taken;
        struct skey k = export_key(p, name);
        if (name.p == NULL)
            continue;
        TRY(txn_get(t, CFN_T_EXPORT, key_of(&k), a, &taken));
        if (taken.p != NULL) {
            struct jv *other;
            TRY(json_parse(a, taken, JSON_DEPTH_DEFAULT, &other));
            return template_error("Export with name %.*s is already exported by stack %.*s",
                                  STR_ARG(name), STR_ARG(jv_s(jv_get(other, "name"))));
        }
        struct jv *row = jv_new_obj(a);
        put_s(a, row, "stack", jv_s(jv_get(stack, "arn")));
        put_s(a, row, "name", jv_s(jv_get(stack, "name")));
        put_s(a, row, "value", jv_s(jv_get(o, "value")));
        TRY(txn_put(t, CFN_T_EXPORT, p->account, key_of(&k), jv_text(a, row)));
    }
    return NULL;
}

/* The export's row is written with it, so that of this and the export's deletion one runs again. */
struct err *import_put(struct txn *t, struct arena *a, const struct place *p,
                       const struct jv *stack, struct str name)
{
    struct skey k = export_key(p, name);
    struct str row;
    TRY(txn_get(t, CFN_T_EXPORT, key_of(&k), a, &row));
    if (row.p == NULL)
        return template_error("No export named %.*s found.", STR_ARG(str_take(name, 255)));
    TRY(txn_put(t, CFN_T_EXPORT, p->account, key_of(&k), row));
    key_str(&k, p->uuid);
    return txn_put(t, CFN_T_IMPORT, p->account, key_of(&k), jv_s(jv_get(stack, "name")));
}

struct err *imports_drop(struct txn *t, struct arena *a UNUSED, const struct place *p,
                         const struct jv *stack)
{
    const struct jv *names = jv_get(stack, "imports");
    for (size_t i = 0; i < jv_len(names); i++) {
        struct skey k = export_key(p, jv_s(jv_at(names, i)));
        key_str(&k, p->uuid);
        TRY(txn_del(t, CFN_T_IMPORT, key_of(&k)));
    }
    return NULL;
}

struct err *scope_import(void *ctx, struct str name, const struct jv **out)
{
    struct run *r = ctx;
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct skey k = export_key(&r->place, name);
    struct str text;
    struct jv *row;
    TRY(store_begin(r->ward->store, TXN_READ, &t));
    TRY(txn_get(t, CFN_T_EXPORT, key_of(&k), r->a, &text));
    if (text.p == NULL)
        return template_error("No export named %.*s found.",
                              STR_ARG(str_take(name, 255)));
    TRY(json_parse(r->a, text, JSON_DEPTH_DEFAULT, &row));
    if (r->imports != NULL)
        jv_set(r->a, r->imports, name, jv_new_bool(r->a, true));
    *out = jv_get(row, "value");
    return NULL;
}

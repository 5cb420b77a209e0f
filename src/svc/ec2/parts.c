/* JSON documents by member names. */
#include "room.h"

void set_v(struct call *c, struct jv *o, const char *k, const struct jv *v)
{
    jv_set(c->arena, o, str_c(k), v);
}

void set_s(struct call *c, struct jv *o, const char *k, struct str v)
{
    if (v.p == NULL)
        unset(o, k);
    else
        set_v(c, o, k, jv_new_str(c->arena, v));
}

void set_c(struct call *c, struct jv *o, const char *k, const char *v)
{
    set_s(c, o, k, str_c(v));
}

void set_i(struct call *c, struct jv *o, const char *k, int64_t v)
{
    set_v(c, o, k, jv_new_int(c->arena, v));
}

void set_b(struct call *c, struct jv *o, const char *k, bool v)
{
    set_v(c, o, k, jv_new_bool(c->arena, v));
}

void unset(struct jv *o, const char *k)
{
    for (size_t i = 0; i < o->obj.n; i++) {
        if (!str_is(o->obj.v[i].key, k))
            continue;
        memmove(&o->obj.v[i], &o->obj.v[i + 1], (o->obj.n - i - 1) * sizeof *o->obj.v);
        o->obj.n--;
        return;
    }
}

struct str get_s(const struct jv *o, const char *k)
{
    return jv_s(jv_get(o, k));
}

static struct jv *mutable(const struct jv *v)
{
    return (struct jv *)(uintptr_t)v; /* trees of ours, in the arena */
}

struct jv *list_in(struct call *c, struct jv *o, const char *k)
{
    if (!jv_is(jv_get(o, k), JV_ARR))
        set_v(c, o, k, jv_new_arr(c->arena));
    return mutable(jv_get(o, k));
}

void list_remove(struct jv *list, size_t i)
{
    memmove(&list->arr.v[i], &list->arr.v[i + 1], (list->arr.n - i - 1) * sizeof *list->arr.v);
    list->arr.n--;
}

struct jv *list_find(const struct jv *list, const char *member, struct str value)
{
    for (size_t i = 0; i < jv_len(list); i++)
        if (str_eq(get_s(jv_at(list, i), member), value))
            return mutable(jv_at(list, i));
    return NULL;
}

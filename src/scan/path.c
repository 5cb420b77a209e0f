/* Paths, interned: the same one has one number. */
#include "record_int.h"

static int slot_of(const struct paths *ps, const struct path *p)
{
    if (p->kind != PATH_KEY)
        return -1;
    if (p->parent == 0) {
        int slot = record_key_slot(p->key);
        return slot == SLOT_IDENTITY || slot == SLOT_STAMP ? -1 : slot;
    }
    const struct path *up = &ps->v[p->parent];
    if (up->kind == PATH_KEY && up->parent == 0 && str_is(up->key, "userIdentity") &&
        str_is(p->key, "type"))
        return SLOT_IDENTITY;
    return -1;
}

static bool path_same(const struct path *p, const struct path *q)
{
    return p->kind == q->kind && p->parent == q->parent && p->spread == q->spread &&
           p->index == q->index && str_eq(p->key, q->key);
}

static uint32_t path_hash(const struct path *p)
{
    uint32_t h = p->hash ^ (p->parent * 0x9E3779B1U) ^ (p->index * 0x85EBCA6BU);
    h = (h ^ (uint32_t)p->kind << 1 ^ (uint32_t)p->spread) * 0xC2B2AE35U;
    return h ^ h >> 15;
}

static void *grown(struct arena *a, const void *v, size_t n, size_t cap, size_t size)
{
    void *w = arena_alloc_array(a, cap, size);
    if (n > 0)
        memcpy(w, v, n * size);
    return w;
}

static uint32_t path_intern(struct paths *ps, struct path p)
{
    p.hash = key_hash(p.key.p, p.key.n, p.key.n);
    uint32_t h = path_hash(&p) % PATH_TABLE;
    for (uint32_t i = ps->heads[h]; i != 0; i = ps->v[i - 1].next) {
        if (path_same(&ps->v[i - 1], &p))
            return i - 1;
    }
    if (ps->n >= PATH_MAX_COUNT)
        return UINT32_MAX;
    if (ps->n == ps->cap) {
        ps->cap = ps->cap == 0 ? 64 : ps->cap * 2;
        ps->v = grown(ps->a, ps->v, ps->n, ps->cap, sizeof *ps->v);
    }
    p.key = arena_str(ps->a, p.key);
    p.slot = slot_of(ps, &p);
    struct str up = ps->n > 0 ? ps->v[p.parent].text : STR("");
    if (p.kind == PATH_INDEX && p.index == PATH_ANY)
        p.text = arena_fmt(ps->a, "%.*s%s*", STR_ARG(up), up.n > 0 ? "." : "");
    else if (p.kind == PATH_INDEX)
        p.text = arena_fmt(ps->a, "%.*s[%u]", STR_ARG(up), p.index);
    else
        p.text = arena_fmt(ps->a, "%.*s%s%.*s", STR_ARG(up), up.n > 0 ? "." : "", STR_ARG(p.key));
    p.next = ps->heads[h];
    ps->v[ps->n++] = p;
    ps->heads[h] = ps->n;
    return ps->n - 1;
}

void paths_init(struct paths *ps, struct arena *a)
{
    *ps = (struct paths){.a = a, .heads = ARENA_ARRAY(a, PATH_TABLE, uint32_t)};
    path_intern(ps, (struct path){.kind = PATH_ROOT, .key = STR("")});
}

uint32_t path_key(struct paths *ps, uint32_t parent, struct str key, bool spread)
{
    if (parent == UINT32_MAX)
        return UINT32_MAX;
    return path_intern(ps, (struct path){.kind = PATH_KEY, .parent = parent, .key = key,
                                         .spread = spread});
}

uint32_t path_index(struct paths *ps, uint32_t parent, uint32_t index)
{
    if (parent == UINT32_MAX)
        return UINT32_MAX;
    return path_intern(ps, (struct path){.kind = PATH_INDEX, .parent = parent, .index = index,
                                         .key = STR("")});
}

uint32_t path_virtual(struct paths *ps, enum virtual_kind kind)
{
    static const char *const names[VIRT_COUNT] = {"source", "detail-type", "version"};
    return path_intern(ps, (struct path){.kind = PATH_VIRTUAL, .key = str_c(names[kind]),
                                         .index = (uint32_t)kind});
}

uint32_t path_dotted(struct paths *ps, struct str dotted, bool spread)
{
    uint32_t at = 0;
    struct str rest = dotted;
    while (rest.p != NULL)
        at = path_key(ps, at, str_cut(&rest, '.'), spread);
    return at;
}

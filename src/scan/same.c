#include "same.h"

/* One test of an alternative, with the paths from the record down to its own. */
struct item {
    const struct expr *e; /* EXPR_TEST, or EXPR_OR of tests of one path */
    bool absent;          /* holds where the path has no value */
    bool alone;           /* no other item below the same member: asked as it stands */
    uint32_t *chain;      /* chain[0] is the record */
    size_t depth;         /* chain[depth] is the path itself */
};

struct alternative {
    struct item *v; /* in the order of names */
    size_t n;
};

struct same {
    struct alternative *v;
    size_t n;
    uint32_t *heads; /* paths that two items share: with no list of objects there, nothing to do */
    size_t n_heads;
    bool absents; /* below such paths: then the simple answer can be NO too often */
};

/* -- making -- */
static bool one_path(const struct expr *e, uint32_t *path)
{
    if (e->kind == EXPR_TEST) {
        *path = e->test->path;
        return true;
    }
    if (e->kind != EXPR_OR || e->n == 0)
        return false;
    for (size_t i = 0; i < e->n; i++) {
        uint32_t p;
        if (e->kids[i]->kind != EXPR_TEST || !one_path(e->kids[i], &p) ||
            (i > 0 && p != *path))
            return false;
        *path = p;
    }
    return true;
}

struct list {
    struct alternative *v;
    size_t n;
};

static struct list single(struct arena *a, const struct paths *ps, const struct expr *e,
                          uint32_t path, bool absent)
{
    struct item it = {.e = e, .absent = absent};
    for (uint32_t p = path; p != 0; p = ps->v[p].parent)
        it.depth++;
    it.chain = ARENA_ARRAY(a, it.depth + 1, uint32_t);
    size_t d = it.depth;
    for (uint32_t p = path; p != 0; p = ps->v[p].parent)
        it.chain[d--] = p;
    struct list out = {ARENA_NEW(a, struct alternative), 1};
    out.v[0] = (struct alternative){ARENA_NEW(a, struct item), 1};
    out.v[0].v[0] = it;
    return out;
}

/* The common case, one with one: grows in place. */
static void append(struct arena *a, struct alternative *x, const struct alternative *y)
{
    size_t room = x->n == 0 ? 0 : 1;
    while (room > 0 && room < x->n)
        room *= 2;
    if (x->n + y->n > room) {
        while (room < x->n + y->n)
            room = room == 0 ? 1 : room * 2;
        struct item *v = ARENA_ARRAY(a, room, struct item);
        if (x->n > 0)
            memcpy(v, x->v, x->n * sizeof *v);
        x->v = v;
    }
    memcpy(x->v + x->n, y->v, y->n * sizeof *x->v);
    x->n += y->n;
}

static size_t items_of(const struct list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->v[i].n;
    return n;
}

static bool product(struct arena *a, struct list *x, const struct list *y)
{
    size_t n = x->n * y->n; /* each at most the limit */
    if (x->n == 1 && y->n == 1) {
        append(a, &x->v[0], &y->v[0]);
        return x->v[0].n <= SAME_ITEMS_MAX;
    }
    if (n > SAME_ALTERNATIVES_MAX || items_of(x) * y->n + items_of(y) * x->n > SAME_ITEMS_MAX)
        return false;
    struct alternative *v = ARENA_ARRAY(a, n, struct alternative);
    for (size_t i = 0; i < x->n; i++) {
        for (size_t j = 0; j < y->n; j++) {
            const struct alternative *p = &x->v[i], *q = &y->v[j];
            struct alternative *o = &v[i * y->n + j];
            o->n = p->n + q->n;
            o->v = ARENA_ARRAY(a, o->n, struct item);
            if (p->n > 0)
                memcpy(o->v, p->v, p->n * sizeof *o->v);
            if (q->n > 0)
                memcpy(o->v + p->n, q->v, q->n * sizeof *o->v);
        }
    }
    *x = (struct list){v, n};
    return true;
}

static bool sum(struct arena *a, struct list *x, const struct list *y)
{
    size_t n = x->n + y->n;
    if (n > SAME_ALTERNATIVES_MAX)
        return false;
    struct alternative *v = ARENA_ARRAY(a, n, struct alternative);
    if (x->n > 0)
        memcpy(v, x->v, x->n * sizeof *v);
    memcpy(v + x->n, y->v, y->n * sizeof *v);
    *x = (struct list){v, n};
    return true;
}

static bool alternatives(struct arena *a, const struct paths *ps, const struct expr *e,
                         struct list *out)
{
    uint32_t path = 0;
    if (one_path(e, &path)) {
        *out = single(a, ps, e, path, false);
        return true;
    }
    if (e->kind == EXPR_NOT && e->kids[0]->kind == EXPR_TEST) {
        *out = single(a, ps, e->kids[0], e->kids[0]->test->path, true);
        return true;
    }
    CHECK(e->kind == EXPR_AND || e->kind == EXPR_OR);
    struct list all = {0};
    if (e->kind == EXPR_AND)
        all = (struct list){ARENA_NEW(a, struct alternative), 1}; /* one with no item */
    for (size_t i = 0; i < e->n; i++) {
        struct list kid;
        if (!alternatives(a, ps, e->kids[i], &kid) ||
            !(e->kind == EXPR_AND ? product(a, &all, &kid) : sum(a, &all, &kid)))
            return false;
    }
    *out = all;
    return true;
}

/* By the names from the record down, so that what stands below one member stands together. */
static int by_names(const void *x, const void *y, void *paths)
{
    const struct item *p = x, *q = y;
    const struct paths *ps = paths;
    for (size_t d = 1; d <= p->depth && d <= q->depth; d++) {
        if (p->chain[d] == q->chain[d])
            continue;
        int c = str_cmp(ps->v[p->chain[d]].key, ps->v[q->chain[d]].key);
        if (c != 0)
            return c;
        return p->chain[d] < q->chain[d] ? -1 : 1;
    }
    if (p->depth != q->depth)
        return p->depth < q->depth ? -1 : 1;
    return p->absent - q->absent;
}

static void add_head(struct arena *a, struct same *s, uint32_t path)
{
    size_t n = s->n_heads;
    if (n > 0 && s->heads[n - 1] == path) /* in the order of names: equals stand together */
        return;
    if ((n & (n - 1)) == 0) {
        uint32_t *v = ARENA_ARRAY(a, n == 0 ? 1 : n * 2, uint32_t);
        if (n > 0)
            memcpy(v, s->heads, n * sizeof *v);
        s->heads = v;
    }
    s->heads[s->n_heads++] = path;
}

static bool below_one_member(const struct item *p, const struct item *q)
{
    return p->depth > 0 && q->depth > 0 && p->chain[1] == q->chain[1] &&
           (p->depth > 1 || q->depth > 1);
}

/* Neighbours share the longest way down. */
static void find_heads(struct arena *a, struct same *s, struct alternative *alt)
{
    for (size_t i = 0; i < alt->n; i++)
        alt->v[i].alone = true;
    for (size_t i = 1; i < alt->n; i++) {
        struct item *p = &alt->v[i - 1], *q = &alt->v[i];
        if (!below_one_member(p, q))
            continue;
        size_t d = 1;
        while (d < p->depth && d < q->depth && p->chain[d + 1] == q->chain[d + 1])
            d++;
        p->alone = q->alone = false;
        s->absents = s->absents || p->absent || q->absent;
        add_head(a, s, p->chain[d]);
    }
}

struct expr *same_expr(struct arena *a, const struct paths *ps, struct expr *e)
{
    struct list all;
    if (!alternatives(a, ps, e, &all))
        return NULL;
    struct same *s = ARENA_NEW(a, struct same);
    s->v = all.v;
    s->n = all.n;
    for (size_t i = 0; i < s->n; i++) {
        qsort_r(s->v[i].v, s->v[i].n, sizeof *s->v[i].v, by_names, (void *)(uintptr_t)ps);
        find_heads(a, s, &s->v[i]);
    }
    if (s->n_heads == 0)
        return e;
    struct expr *out = expr_list(a, EXPR_SAME);
    expr_add(a, out, e);
    out->same = s;
    return out;
}

/* -- asking -- */
struct walker {
    struct asker *k;
    const struct item *v;
};

static bool is_leaf(const struct val *v)
{
    return v->kind != VAL_OBJ && v->kind != VAL_ARR;
}

/* A value that is no container, or any such one within lists in lists. `e` NULL: whichever. */
static bool some_leaf(struct asker *k, const struct expr *e, const struct val *v)
{
    if (v->kind == VAL_ARR) {
        struct val x;
        for (size_t at = 0; record_element(k->r, v, &at, &x);) {
            if (some_leaf(k, e, &x))
                return true;
        }
        return false;
    }
    if (!is_leaf(v))
        return false;
    if (e == NULL || e->kind == EXPR_TEST)
        return e == NULL || test_value(k, e->test, v);
    for (size_t i = 0; i < e->n; i++) {
        if (test_value(k, e->kids[i]->test, v))
            return true;
    }
    return false;
}

/* Has the item's path a value anywhere below v, which stands at chain[depth]? */
static bool occurs(struct asker *k, const struct item *it, size_t depth, const struct val *v)
{
    struct val x;
    if (depth == it->depth)
        return some_leaf(k, NULL, v);
    if (v->kind == VAL_ARR) {
        for (size_t at = 0; record_element(k->r, v, &at, &x);) {
            if (!is_leaf(&x) && occurs(k, it, depth, &x))
                return true;
        }
        return false;
    }
    if (v->kind != VAL_OBJ)
        return false;
    struct str key = k->r->paths->v[it->chain[depth + 1]].key;
    for (size_t at = 0; record_member(k->r, v, key, &at, &x);) {
        if (occurs(k, it, depth + 1, &x))
            return true;
    }
    return false;
}

static bool walk(struct walker *w, const struct val *v, size_t i, size_t j, size_t depth);

/* The items [i, j) of a list: those that must be absent, up to the first that picks an element, in
 * none of them; the others in one. */
static bool walk_list(struct walker *w, const struct val *list, size_t i, size_t j, size_t depth)
{
    struct val x;
    for (; i < j && w->v[i].absent; i++) {
        if (occurs(w->k, &w->v[i], depth, list))
            return false;
    }
    if (i == j)
        return true;
    for (size_t at = 0; record_element(w->k->r, list, &at, &x);) {
        if (!is_leaf(&x) && walk(w, &x, i, j, depth))
            return true;
    }
    return false;
}

/* The items [i, j) go through one member. A name that stands twice has all its values. */
static bool walk_member(struct walker *w, const struct val *obj, size_t i, size_t j, size_t depth)
{
    struct record *r = w->k->r;
    struct str key = r->paths->v[w->v[i].chain[depth + 1]].key;
    struct val x, second;
    size_t at = 0;
    bool there = record_member(r, obj, key, &at, &x);
    if (there && !record_member(r, obj, key, &at, &second))
        return walk(w, &x, i, j, depth + 1);
    for (; i < j; i++) {
        bool some = false, all = true;
        for (at = 0; record_member(r, obj, key, &at, &x);) {
            bool yes = walk(w, &x, i, i + 1, depth + 1);
            some = some || yes;
            all = all && yes;
        }
        if (!(w->v[i].absent ? all : some))
            return false;
    }
    return true;
}

static bool walk(struct walker *w, const struct val *v, size_t i, size_t j, size_t depth)
{
    for (; i < j && w->v[i].depth == depth; i++) {
        if (some_leaf(w->k, w->v[i].absent ? NULL : w->v[i].e, v) == w->v[i].absent)
            return false;
    }
    if (v->kind == VAL_ARR)
        return walk_list(w, v, i, j, depth);
    while (i < j) {
        size_t next = i + 1;
        while (next < j && w->v[next].chain[depth + 1] == w->v[i].chain[depth + 1])
            next++;
        if (v->kind == VAL_OBJ) {
            if (!walk_member(w, v, i, next, depth))
                return false;
        } else {
            for (size_t n = i; n < next; n++) {
                if (!w->v[n].absent)
                    return false;
            }
        }
        i = next;
    }
    return true;
}

static bool alternative_holds(struct asker *k, const struct alternative *alt)
{
    struct walker w = {k, alt->v};
    struct val root = {.kind = VAL_OBJ, .at = (uint32_t)k->r->first};
    for (size_t i = 0; i < alt->n; i++) {
        const struct item *it = &alt->v[i];
        if (it->alone && (expr_ask(k, it->e) == YES) == it->absent)
            return false;
    }
    for (size_t i = 0; i < alt->n;) {
        size_t next = i + 1;
        if (!alt->v[i].alone) {
            while (next < alt->n && below_one_member(&alt->v[i], &alt->v[next]))
                next++;
            if (!walk_member(&w, &root, i, next, 0))
                return false;
        }
        i = next;
    }
    return true;
}

enum verdict same_ask(struct asker *k, const struct expr *e)
{
    const struct same *s = e->same;
    enum verdict simple = NO;
    if (k->tuple_only || !s->absents)
        simple = expr_ask(k, e->kids[0]);
    if (k->tuple_only || (!s->absents && simple == NO))
        return simple;
    bool lists = false;
    for (size_t i = 0; i < s->n_heads && !lists; i++)
        lists = record_get(k->r, s->heads[i])->spread;
    if (!lists)
        return s->absents ? expr_ask(k, e->kids[0]) : simple;
    for (size_t i = 0; i < s->n; i++) {
        if (alternative_holds(k, &s->v[i]))
            return YES;
    }
    return NO;
}

/* The dependency graph: what must be made before what. */
#include "template.h"

#include "core/map.h"

struct walk { /* collects the resources that one value names */
    struct scope *s;
    struct jv *deps;
    const struct jv *locals;
    const char *block; /* where the value stands: "Resources" */
};

static void add(struct walk *w, struct str name)
{
    const struct jv *r = jv_get_str(w->s->t->resources, name);
    if (r == NULL || !template_active(w->s, r))
        return;
    for (size_t i = 0; i < jv_len(w->deps); i++)
        if (str_eq(jv_s(jv_at(w->deps, i)), name))
            return;
    jv_push(w->s->a, w->deps, jv_new_str(w->s->a, name));
}

/* A value of it is wanted: it has none when its condition is false. */
static struct err *use(struct walk *w, struct str name)
{
    const struct jv *r = jv_get_str(w->s->t->resources, name);
    if (r != NULL && !template_active(w->s, r))
        return template_unresolved(name, w->block);
    add(w, name);
    return NULL;
}

static struct err *sub_part(void *ctx, bool literal, struct str part)
{
    struct walk *w = ctx;
    if (literal || jv_get_str(w->locals, part) != NULL)
        return NULL;
    ptrdiff_t dot = str_find_char(part, '.');
    return use(w, dot < 0 ? part : str_take(part, (size_t)dot));
}

static struct err *visit(struct walk *w, const struct jv *v);

static struct err *visit_sub(struct walk *w, const struct jv *arg)
{
    if (jv_is(arg, JV_STR))
        return sub_each(arg->s, sub_part, w);
    TRY(visit(w, jv_at(arg, 1)));
    struct walk inner = *w;
    inner.locals = jv_at(arg, 1);
    return sub_each(jv_s(jv_at(arg, 0)), sub_part, &inner);
}

static struct err *visit_function(struct walk *w, struct str fn, const struct jv *arg)
{
    if (str_is(fn, "Ref"))
        return use(w, jv_s(arg));
    if (str_is(fn, "Fn::GetAtt")) {
        struct str name = jv_is(arg, JV_STR) ? arg->s : jv_s(jv_at(arg, 0));
        ptrdiff_t dot = str_find_char(name, '.');
        TRY(use(w, dot > 0 ? str_take(name, (size_t)dot) : name));
        return visit(w, jv_at(arg, 1));
    }
    if (str_is(fn, "Fn::Sub"))
        return visit_sub(w, arg);
    if (str_is(fn, "Fn::If") && jv_len(arg) == 3) { /* only the branch that is taken counts */
        bool yes = jv_b(jv_get_str(w->s->conditions, jv_s(jv_at(arg, 0))), false);
        return visit(w, jv_at(arg, yes ? 1 : 2));
    }
    return visit(w, arg);
}

static struct err *visit(struct walk *w, const struct jv *v)
{
    struct str fn;
    const struct jv *arg;
    TRY(arena_check(w->s->a));
    if (function_of(v, &fn, &arg))
        return visit_function(w, fn, arg);
    for (size_t i = 0; jv_is(v, JV_OBJ) && i < v->obj.n; i++)
        TRY(visit(w, &v->obj.v[i].value));
    for (size_t i = 0; jv_is(v, JV_ARR) && i < v->arr.n; i++)
        TRY(visit(w, &v->arr.v[i]));
    return NULL;
}

static struct err *deps_of(struct scope *s, const struct jv *resource, struct jv **out)
{
    struct walk w = {.s = s, .deps = jv_new_arr(s->a), .block = "Resources"};
    TRY(visit(&w, jv_get(resource, "Properties")));
    const struct jv *d = jv_get(resource, "DependsOn");
    if (jv_is(d, JV_STR))
        add(&w, d->s);
    for (size_t i = 0; jv_is(d, JV_ARR) && i < d->arr.n; i++)
        add(&w, jv_s(&d->arr.v[i]));
    *out = w.deps;
    return NULL;
}

/* Adds `by` to the count of each that resource i needs. The map leads from a name to its count. */
static void count_needs(const struct jv *graph, const struct map *counts, size_t i, int by)
{
    const struct jv *deps = &graph->obj.v[i].value;
    for (size_t k = 0; k < jv_len(deps); k++) {
        int *count = map_get(counts, jv_s(jv_at(deps, k)));
        if (count != NULL)
            *count += by;
    }
}

/* Those that nobody in the circle needs only hang on it: they are not named. */
static void leave_circle(struct arena *a, const struct jv *graph, bool *done)
{
    size_t n = jv_len(graph);
    int *count = ARENA_ARRAY(a, n + 1, int);
    struct map counts = MAP_INIT;
    for (size_t i = 0; i < n; i++)
        if (!done[i])
            map_put(&counts, graph->obj.v[i].key, &count[i]);
    for (size_t i = 0; i < n; i++)
        if (!done[i])
            count_needs(graph, &counts, i, 1);
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            if (done[i] || count[i] > 0)
                continue;
            done[i] = moved = true;
            count_needs(graph, &counts, i, -1);
        }
    }
    map_clear(&counts);
}

static struct err *circular(struct arena *a, const struct jv *graph, bool *done)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(ERR_MESSAGE_MAX);
    leave_circle(a, graph, done);
    for (size_t i = 0; i < jv_len(graph); i++)
        if (!done[i])
            buf_fmt(&b, "%s%.*s", b.n > 0 ? ", " : "", STR_ARG(graph->obj.v[i].key));
    return template_error("Circular dependency between resources: [%s]",
                          arena_cstr(a, str_take(buf_view(&b), 500)));
}

/* Those without open needs first, in the template's order (Kahn 1962). */
struct err *order_of(struct arena *a, const struct jv *graph, struct order *out)
{
    size_t n = jv_len(graph);
    bool *done = ARENA_ARRAY(a, n + 1, bool);
    struct order o = {.n = 0,
                      .names = ARENA_ARRAY(a, n + 1, struct str),
                      .deps = ARENA_ARRAY(a, n + 1, const struct jv *)};
    struct map made = MAP_INIT, known = MAP_INIT;
    for (size_t i = 0; i < n; i++)
        map_put(&known, graph->obj.v[i].key, &done[i]);
    bool moved = true;
    while (o.n < n && moved) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            const struct jv *deps = &graph->obj.v[i].value;
            bool ready = !done[i];
            for (size_t k = 0; ready && k < jv_len(deps); k++) {
                struct str d = jv_s(jv_at(deps, k));
                ready = map_get(&made, d) != NULL || map_get(&known, d) == NULL;
            }
            if (!ready)
                continue;
            done[i] = moved = true;
            map_put(&made, graph->obj.v[i].key, &done[i]);
            o.names[o.n] = graph->obj.v[i].key;
            o.deps[o.n++] = deps;
        }
    }
    map_clear(&made);
    map_clear(&known);
    if (o.n < n)
        return circular(a, graph, done);
    *out = o;
    return NULL;
}

struct err *template_order(struct scope *s, struct order *out)
{
    struct jv *graph = jv_new_obj(s->a);
    for (size_t i = 0; i < jv_len(s->t->resources); i++) {
        const struct jv_member *m = &s->t->resources->obj.v[i];
        struct jv *deps;
        if (!template_active(s, &m->value))
            continue;
        TRY(deps_of(s, &m->value, &deps));
        jv_set(s->a, graph, m->key, deps);
    }
    for (size_t i = 0; i < jv_len(s->t->outputs); i++) { /* for what they may not name */
        struct walk w = {.s = s, .deps = jv_new_arr(s->a), .block = "Outputs"};
        if (template_active(s, &s->t->outputs->obj.v[i].value))
            TRY(visit(&w, &s->t->outputs->obj.v[i].value));
    }
    return order_of(s->a, graph, out);
}

#include "correlate.h"

#include "../core/map.h"

enum { GROUPS_MAX = 20000, EVENTS_MAX = 10000, EVENTS_TOTAL_MAX = 200000, DEPTH_MAX = 16,
       KEY_MAX = 16 * 1024 };

struct event {
    int64_t time_ms;
    uint32_t member;
    uint64_t value; /* value_count: hash of what is counted */
};

struct group {
    struct event *v;
    size_t n, cap;
};

struct state {
    struct map groups;
};

struct correlator {
    const struct rules *rs;
    struct state *of; /* by rule */
    uint32_t **users; /* by rule: correlations that name it; ended by UINT32_MAX */
    findings_see *out;
    void *ctx;
    struct arena *a;
    size_t events;
    bool over;
    int depth;
};

static void link_users(struct correlator *c)
{
    const struct rules *rs = c->rs;
    for (uint32_t i = 0; i < rs->rules.n; i++) {
        const struct correlation *k = rs->rules.v[i].corr;
        for (size_t m = 0; k != NULL && m < k->n_rules; m++) {
            uint32_t r = k->rules[m];
            if (r == UINT32_MAX)
                continue;
            size_t n = 0;
            bool there = false;
            while (c->users[r] != NULL && c->users[r][n] != UINT32_MAX)
                there = there || c->users[r][n++] == i;
            if (there)
                continue;
            uint32_t *v = ARENA_ARRAY(c->a, n + 2, uint32_t);
            if (n > 0)
                memcpy(v, c->users[r], n * sizeof *v);
            v[n] = i;
            v[n + 1] = UINT32_MAX;
            c->users[r] = v;
        }
    }
}

struct correlator *correlator_new(const struct rules *rs, findings_see *out, void *ctx)
{
    struct arena *a = arena_new((size_t)64 * 1024 * 1024);
    struct correlator *c = ARENA_NEW(a, struct correlator);
    c->a = a;
    c->rs = rs;
    c->out = out;
    c->ctx = ctx;
    c->of = ARENA_ARRAY(a, rs->rules.n + 1, struct state);
    c->users = ARENA_ARRAY(a, rs->rules.n + 1, uint32_t *);
    link_users(c);
    return c;
}

static void forget(struct correlator *c, struct state *s)
{
    const struct map_slot *slot;
    for (size_t i = 0; (slot = map_each(&s->groups, &i)) != NULL;) {
        struct group *g = slot->value;
        c->events -= g->n;
        free(g->v);
        free(g);
    }
    map_clear(&s->groups);
}

void correlator_free(struct correlator *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->rs->rules.n; i++)
        forget(c, &c->of[i]);
    arena_free(c->a);
}

bool correlator_over(const struct correlator *c)
{
    return c->over;
}

static struct str kept(const struct rule *r, const struct finding *f, uint32_t path)
{
    struct str rest = f->text[F_KEPT];
    for (size_t i = 0; i < r->n_keep && rest.n > 0; i++) {
        struct str v = str_cut(&rest, '\0');
        if (r->keep[i] == path)
            return v;
    }
    return STR_NONE;
}

static void group_key(const struct correlation *k, const struct rule *r, size_t member,
                      const struct finding *f, struct buf *key)
{
    for (size_t g = 0; g < k->n_group; g++) {
        uint32_t alias = k->alias[member * k->n_group + g];
        buf_str(key, kept(r, f, alias != 0 ? alias : k->group[g]));
        buf_char(key, '\n');
    }
}

static struct group *group_of(struct correlator *c, struct state *s, struct str key)
{
    struct group *g = map_get(&s->groups, key);
    if (g != NULL)
        return g;
    if (s->groups.n >= GROUPS_MAX) {
        c->over = true;
        forget(c, s);
    }
    g = calloc(1, sizeof *g);
    CHECK(g != NULL);
    map_put(&s->groups, key, g);
    return g;
}

static void drop_front(struct correlator *c, struct group *g, size_t n)
{
    memmove(g->v, g->v + n, (g->n - n) * sizeof *g->v);
    g->n -= n;
    c->events -= n;
}

static void note_event(struct correlator *c, struct state *s, struct group *g, struct event e,
                       int64_t span_ms)
{
    (void)s;
    size_t old = 0;
    while (old < g->n && g->v[old].time_ms < e.time_ms - span_ms)
        old++;
    if (g->n - old >= EVENTS_MAX || (c->events >= EVENTS_TOTAL_MAX && g->n - old > 0)) {
        c->over = true;
        old++;
    }
    if (old > 0)
        drop_front(c, g, old);
    if (g->n == g->cap) {
        g->cap = g->cap == 0 ? 4 : g->cap * 2;
        g->v = realloc(g->v, g->cap * sizeof *g->v);
        CHECK(g->v != NULL);
    }
    g->v[g->n++] = e;
    c->events++;
}

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

static int64_t distinct(const struct group *g)
{
    uint64_t *v = malloc(g->n * sizeof *v);
    CHECK(v != NULL);
    for (size_t i = 0; i < g->n; i++)
        v[i] = g->v[i].value;
    qsort(v, g->n, sizeof *v, by_value);
    int64_t n = g->n > 0;
    for (size_t i = 1; i < g->n; i++)
        n += v[i] != v[i - 1];
    free(v);
    return n;
}

static int64_t members_seen(const struct correlation *k, const struct group *g)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < g->n; i++)
        seen |= 1ULL << g->v[i].member;
    (void)k;
    return __builtin_popcountll(seen);
}

/* How far the members appear in their order. */
static int64_t in_order(const struct correlation *k, const struct group *g)
{
    uint32_t next = 0;
    for (size_t i = 0; i < g->n && next < k->n_rules; i++) {
        if (g->v[i].member == next)
            next++;
    }
    return (int64_t)next;
}

static int64_t count(const struct correlation *k, const struct group *g)
{
    switch (k->kind) {
    case CORR_VALUE_COUNT: return distinct(g);
    case CORR_TEMPORAL: return members_seen(k, g);
    case CORR_TEMPORAL_ORDERED: return in_order(k, g);
    default: return (int64_t)g->n;
    }
}

static void complete(struct correlator *c, uint32_t rule, struct group *g, const struct finding *f,
                     int64_t n)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    struct finding out = *f;
    char note[160];
    snprintf(note, sizeof note, "%lld %s within %llds", (long long)n,
             k->kind == CORR_VALUE_COUNT ? "values"
             : k->kind == CORR_EVENT_COUNT ? "events" : "kinds of event",
             (long long)(k->span_ms / 1000));
    out.rule = rule;
    out.text[F_NOTE] = str_c(note);
    drop_front(c, g, g->n); /* once for each time that it fills */
    correlator_see(c, &out);
}

static void feed(struct correlator *c, uint32_t rule, const struct finding *f)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    const struct rule *from = &c->rs->rules.v[f->rule];
    for (size_t m = 0; m < k->n_rules; m++) {
        if (k->rules[m] != f->rule || f->time_ms == INT64_MIN)
            continue;
        struct buf key = BUF_INIT(KEY_MAX);
        group_key(k, from, m, f, &key);
        struct group *g = group_of(c, &c->of[rule], key.n == 0 ? STR("\n") : buf_view(&key));
        buf_clear(&key);
        struct event e = {.time_ms = f->time_ms, .member = (uint32_t)m};
        if (k->field != 0)
            e.value = map_hash(kept(from, f, k->field));
        note_event(c, &c->of[rule], g, e, k->span_ms);
        int64_t n = count(k, g);
        /* An upper bound cannot be known before the time is over; it holds for what is seen. */
        if (n >= k->least && n <= k->most) {
            complete(c, rule, g, f, n);
            return;
        }
    }
}

void correlator_see(void *correlator, const struct finding *f)
{
    struct correlator *c = correlator;
    const struct rule *r = &c->rs->rules.v[f->rule];
    if (!r->hidden)
        c->out(c->ctx, f);
    if (c->users[f->rule] == NULL || c->depth >= DEPTH_MAX)
        return;
    c->depth++;
    for (const uint32_t *u = c->users[f->rule]; *u != UINT32_MAX; u++)
        feed(c, *u, f);
    c->depth--;
}

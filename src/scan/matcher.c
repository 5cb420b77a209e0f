#include "matcher.h"

#include "../core/map.h"

enum { TUPLES_MAX = 8192, TUPLE_BYTES_MAX = 6 * 1024 * 1024, HITS_MAX = 65536, TABLE = 16384,
       GROUPS_MAX = 16, GROUP_FROM = 4 };

struct list {
    VEC(uint32_t) v;
};

struct exact { /* what a value must be among for a rule to hold, beside the tuple */
    uint32_t path;
    struct needed texts;
};

/* The rules of a tuple that ask one path for exact texts: hash of the folded text -> rule. */
struct entry {
    uint64_t hash;
    uint32_t rule;
};
struct group {
    uint32_t path;
    uint32_t n;
    struct entry *v;
};

struct matcher {
    const struct rules *rs;
    struct exact *exact; /* by rule */
    struct arena *a;
    struct map by_name, by_source; /* folded text -> struct list */
    struct list general;
    hs_database_t *literals;
    hs_scratch_t *scratch; /* the prototype */
    struct list *opens;    /* literal id -> rules */
    size_t n_literals, n_gated;
    struct list gated;
    struct matcher_stats stats;
};

/* -- building -- */
struct literals {
    struct arena *a;
    struct map ids; /* text -> id + 1 */
    VEC(const char *) texts;
    VEC(unsigned) flags;
    VEC(unsigned) numbers;
    VEC(size_t) lengths;
    VEC(struct list) opens;
};

static void put(struct arena *a, struct map *m, struct str key, uint32_t rule)
{
    struct list *l = map_get(m, key);
    if (l == NULL) {
        l = ARENA_NEW(a, struct list);
        map_put(m, key, l);
    }
    if (l->v.n == 0 || l->v.v[l->v.n - 1] != rule)
        VEC_PUSH(a, &l->v, rule);
}

static void gate(struct literals *ls, struct str text, uint32_t rule)
{
    /* Without regard to case: one literal serves both kinds of tests. */
    struct str f = fold(ls->a, text);
    uintptr_t id = (uintptr_t)map_get(&ls->ids, f);
    if (id == 0) {
        id = ls->texts.n + 1;
        map_put(&ls->ids, f, (void *)id);
        VEC_PUSH(ls->a, &ls->texts, f.p);
        VEC_PUSH(ls->a, &ls->flags, (unsigned)HS_FLAG_CASELESS);
        VEC_PUSH(ls->a, &ls->numbers, (unsigned)(id - 1));
        VEC_PUSH(ls->a, &ls->lengths, f.n);
        VEC_PUSH(ls->a, &ls->opens, (struct list){0});
    }
    struct list *l = &ls->opens.v[id - 1];
    if (l->v.n == 0 || l->v.v[l->v.n - 1] != rule)
        VEC_PUSH(ls->a, &l->v, rule);
}

/* Do the five values decide or narrow the rule? */
static bool bound(struct arena *a, const struct expr *e, const struct paths *ps)
{
    for (int s = SLOT_ERROR; s < SLOT_TUPLE; s++) {
        if (expr_needs_slot(a, e, ps, (enum slot)s).n > 0)
            return true;
    }
    return false;
}

/* Only paths of the tuple: the verdict is remembered, whatever the form. */
static bool only_tuple(const struct expr *e, const struct paths *ps)
{
    if (e->kind == EXPR_TEST) {
        const struct path *p = &ps->v[e->test->path];
        return e->test->op == OP_CONST ||
               (e->test->op != OP_FIELD && e->test->op != OP_KEYWORD &&
                (p->kind == PATH_VIRTUAL || (p->slot >= 0 && p->slot < SLOT_TUPLE)));
    }
    for (size_t i = 0; i < e->n; i++) {
        if (!only_tuple(e->kids[i], ps))
            return false;
    }
    return true;
}

static void place_rule(struct matcher *m, struct literals *ls, uint32_t i)
{
    const struct rules *rs = m->rs;
    const struct expr *e = rs->rules.v[i].expr;
    struct needed names = expr_needs_slot(m->a, e, &rs->paths, SLOT_NAME);
    struct needed sources = expr_needs_slot(m->a, e, &rs->paths, SLOT_SOURCE);
    if (names.n > 0) {
        for (size_t k = 0; k < names.n; k++)
            put(m->a, &m->by_name, names.v[k], i);
        m->stats.by_name++;
        return;
    }
    struct needed lits = expr_needs_literal(m->a, e, &rs->paths);
    bool tuple = only_tuple(e, &rs->paths);
    if (sources.n > 0) {
        for (size_t k = 0; k < sources.n; k++)
            put(m->a, &m->by_source, sources.v[k], i);
        m->stats.by_source++;
    } else if (!tuple && !bound(m->a, e, &rs->paths) && lits.n > 0) {
        for (size_t k = 0; k < lits.n; k++)
            gate(ls, lits.v[k], i);
        VEC_PUSH(m->a, &m->gated.v, i);
        m->stats.gated++;
    } else {
        VEC_PUSH(m->a, &m->general.v, i);
        m->stats.general++;
    }
}

static void scratch_for_test(hs_scratch_t **scratch, const struct expr *e)
{
    if (e->kind == EXPR_TEST) {
        if (e->test->regex != NULL)
            CHECK(hs_alloc_scratch(e->test->regex, scratch) == HS_SUCCESS);
        return;
    }
    for (size_t i = 0; i < e->n; i++)
        scratch_for_test(scratch, e->kids[i]);
}

static struct err *compile_literals(struct matcher *m, struct literals *ls)
{
    if (ls->texts.n == 0)
        return NULL;
    /* An escape of an ASCII letter could hide a literal: such records open every gate. */
    VEC_PUSH(ls->a, &ls->texts, "\\u00");
    VEC_PUSH(ls->a, &ls->flags, 0u);
    unsigned number = (unsigned)ls->opens.n;
    VEC_PUSH(ls->a, &ls->numbers, number);
    VEC_PUSH(ls->a, &ls->lengths, (size_t)4);
    hs_compile_error_t *fault = NULL;
    if (hs_compile_lit_multi(ls->texts.v, ls->flags.v, ls->numbers.v, ls->lengths.v,
                             (unsigned)ls->texts.n, HS_MODE_BLOCK, NULL, &m->literals,
                             &fault) != HS_SUCCESS) {
        struct err *e = err_new(ERR_INVALID, "the literals of the rules were not taken: %.200s",
                                fault != NULL ? fault->message : "out of memory");
        hs_free_compile_error(fault);
        return e;
    }
    CHECK(hs_alloc_scratch(m->literals, &m->scratch) == HS_SUCCESS);
    return NULL;
}

enum { MATCHER_ARENA_BYTES = 1 << 30 };

struct err *matcher_new(const struct rules *rs, struct matcher **out_matcher)
{
    struct arena *a = arena_new(MATCHER_ARENA_BYTES);
    struct matcher *m = ARENA_NEW(a, struct matcher);
    m->a = a;
    m->rs = rs;
    struct literals ls = {.a = a};
    m->exact = ARENA_ARRAY(a, rs->rules.n + 1, struct exact);
    for (uint32_t i = 0; i < rs->rules.n; i++) {
        if (rs->rules.v[i].expr == NULL)
            continue;
        bool icase;
        m->exact[i].texts = expr_needs_path(a, rs->rules.v[i].expr, &rs->paths, &m->exact[i].path,
                                            &icase);
        m->stats.rules++;
        place_rule(m, &ls, i);
        scratch_for_test(&m->scratch, rs->rules.v[i].expr);
    }
    struct err *e = compile_literals(m, &ls);
    m->opens = ls.opens.v;
    m->n_literals = m->stats.literals = ls.opens.n;
    map_clear(&ls.ids);
    if (e != NULL) {
        matcher_free(m);
        return e;
    }
    *out_matcher = m;
    return NULL;
}

void matcher_free(struct matcher *m)
{
    if (m == NULL)
        return;
    map_clear(&m->by_name);
    map_clear(&m->by_source);
    hs_free_database(m->literals);
    hs_free_scratch(m->scratch);
    arena_free(m->a);
}

struct matcher_stats matcher_stats(const struct matcher *m)
{
    return m->stats;
}

/* -- asking -- */
struct tuple {
    struct tuple *next;
    uint64_t hash;
    uint32_t len[SLOT_TUPLE]; /* UINT32_MAX: not there */
    const char *text;
    uint32_t *yes, *maybe;
    struct group *groups;
    uint32_t n_yes, n_maybe, n_groups;
};

struct hit {
    uint64_t to;
    uint32_t id;
};

struct match_worker {
    const struct matcher *m;
    struct asker asker;
    struct arena *a; /* the tuples */
    struct tuple *table[TABLE];
    size_t n_tuples;
    uint32_t *out;
    size_t n_out, cap_out;
    uint32_t *seen; /* rule -> the record that it was asked for */
    uint32_t stamp;
    const char *text;
    struct hit *hits;
    size_t n_hits, next_hit;
    bool all_open;
};

struct match_worker *match_worker_new(const struct matcher *m)
{
    struct match_worker *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->m = m;
    w->a = arena_new(TUPLE_BYTES_MAX * 4);
    size_t n = m->rs->rules.n + 1;
    w->seen = calloc(n, sizeof *w->seen);
    w->cap_out = n;
    w->out = malloc(n * sizeof *w->out);
    CHECK(w->seen != NULL && w->out != NULL);
    if (m->n_literals > 0) {
        w->hits = malloc(HITS_MAX * sizeof *w->hits);
        CHECK(w->hits != NULL);
    }
    if (m->scratch != NULL)
        CHECK(hs_clone_scratch(m->scratch, &w->asker.scratch) == HS_SUCCESS);
    return w;
}

void match_worker_free(struct match_worker *w)
{
    if (w == NULL)
        return;
    hs_free_scratch(w->asker.scratch);
    arena_free(w->a);
    free(w->seen);
    free(w->out);
    free(w->hits);
    free(w);
}

static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                      void *x)
{
    (void)from, (void)flags;
    struct match_worker *w = x;
    if (w->n_hits == HITS_MAX) {
        w->all_open = true;
        return 1;
    }
    w->hits[w->n_hits++] = (struct hit){to, id};
    return 0;
}

static int by_place(const void *x, const void *y)
{
    uint64_t a = ((const struct hit *)x)->to, b = ((const struct hit *)y)->to;
    return a < b ? -1 : a > b;
}

void match_text(struct match_worker *w, const char *p, size_t n)
{
    w->text = p;
    w->n_hits = w->next_hit = 0;
    w->all_open = false;
    if (w->m->n_literals == 0)
        return;
    hs_scan(w->m->literals, p, (unsigned)n, 0, w->asker.scratch, on_literal, w);
    bool sorted = true;
    for (size_t i = 1; i < w->n_hits && sorted; i++)
        sorted = w->hits[i - 1].to <= w->hits[i].to;
    if (!sorted)
        qsort(w->hits, w->n_hits, sizeof *w->hits, by_place);
}

static inline uint64_t mix(uint64_t h, uint64_t x)
{
    __uint128_t p = (__uint128_t)(h ^ x) * 0x9E3779B97F4A7C15ULL;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t tuple_hash(const struct record *r)
{
    uint64_t h = 0x2545F4914F6CDD1DULL;
    for (int s = 0; s < SLOT_TUPLE; s++) {
        struct str v = r->slot[s];
        h = mix(h, v.p == NULL ? UINT64_MAX : v.n);
        for (size_t i = 0; i + 8 <= v.n; i += 8) {
            uint64_t x;
            memcpy(&x, v.p + i, 8);
            h = mix(h, x);
        }
        uint64_t tail = 0;
        memcpy(&tail, v.n >= 8 ? v.p + v.n - 8 : v.p == NULL ? "" : v.p,
               v.n >= 8 ? 8 : v.n);
        h = mix(h, tail);
    }
    return h;
}

static bool tuple_is(const struct tuple *t, const struct record *r)
{
    const char *p = t->text;
    for (int s = 0; s < SLOT_TUPLE; s++) {
        struct str v = r->slot[s];
        if (v.p == NULL) {
            if (t->len[s] != UINT32_MAX)
                return false;
            continue;
        }
        if (t->len[s] != v.n || memcmp(p, v.p, v.n) != 0)
            return false;
        p += v.n;
    }
    return true;
}

static void consider(struct match_worker *w, const uint32_t *v, size_t n, struct list *yes,
                     struct list *maybe)
{
    for (size_t i = 0; i < n; i++) {
        enum verdict verdict = expr_ask(&w->asker, w->m->rs->rules.v[v[i]].expr);
        if (verdict == YES)
            VEC_PUSH(w->a, &yes->v, v[i]);
        else if (verdict == MAYBE)
            VEC_PUSH(w->a, &maybe->v, v[i]);
    }
}

static uint64_t folded_hash(struct str s)
{
    uint64_t h = s.n;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        h = (h ^ (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c)) * 0x100000001B3ULL;
    }
    return h ^ (h >> 29);
}

static int by_hash(const void *x, const void *y)
{
    uint64_t a = ((const struct entry *)x)->hash, b = ((const struct entry *)y)->hash;
    return a < b ? -1 : a > b;
}

static struct group *group_of(struct match_worker *w, struct tuple *t, uint32_t path)
{
    for (uint32_t i = 0; i < t->n_groups; i++) {
        if (t->groups[i].path == path)
            return &t->groups[i];
    }
    if (t->n_groups == GROUPS_MAX)
        return NULL;
    struct group *g = &t->groups[t->n_groups++];
    g->path = path;
    (void)w;
    return g;
}

/* Takes the rules that wait for an exact text out of the list of those to be asked each time. */
static void make_groups(struct match_worker *w, struct tuple *t)
{
    if (t->n_maybe < GROUP_FROM)
        return;
    t->groups = ARENA_ARRAY(w->a, GROUPS_MAX, struct group);
    uint32_t keep = 0;
    size_t caps[GROUPS_MAX] = {0};
    for (uint32_t i = 0; i < t->n_maybe; i++) {
        const struct exact *x = &w->m->exact[t->maybe[i]];
        struct group *g = x->texts.n == 0 ? NULL : group_of(w, t, x->path);
        if (g == NULL) {
            t->maybe[keep++] = t->maybe[i];
            continue;
        }
        size_t *cap = &caps[g - t->groups];
        for (size_t k = 0; k < x->texts.n; k++) {
            if (g->n == *cap) {
                struct entry *v = ARENA_ARRAY(w->a, *cap == 0 ? 8 : *cap * 2, struct entry);
                if (g->n > 0)
                    memcpy(v, g->v, g->n * sizeof *v);
                g->v = v;
                *cap = *cap == 0 ? 8 : *cap * 2;
            }
            g->v[g->n++] = (struct entry){folded_hash(x->texts.v[k]), t->maybe[i]};
        }
    }
    t->n_maybe = keep;
    for (uint32_t i = 0; i < t->n_groups; i++)
        qsort(t->groups[i].v, t->groups[i].n, sizeof *t->groups[i].v, by_hash);
}

static const struct list *bucket(struct match_worker *w, const struct map *m, struct str s)
{
    char small[256];
    if (s.p == NULL || s.n > sizeof small)
        return NULL;
    for (size_t i = 0; i < s.n; i++)
        small[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    (void)w;
    return map_get(m, str_of(small, s.n));
}

static struct tuple *tuple_new(struct match_worker *w, struct record *r, uint64_t hash)
{
    if (w->n_tuples >= TUPLES_MAX || arena_used(w->a) > TUPLE_BYTES_MAX) {
        arena_reset(w->a);
        memset(w->table, 0, sizeof w->table);
        w->n_tuples = 0;
    }
    struct tuple *t = ARENA_NEW(w->a, struct tuple);
    size_t n = 0;
    for (int s = 0; s < SLOT_TUPLE; s++) {
        t->len[s] = r->slot[s].p == NULL ? UINT32_MAX : (uint32_t)r->slot[s].n;
        n += r->slot[s].n;
    }
    char *p = arena_alloc_raw(w->a, n + 1);
    t->text = p;
    for (int s = 0; s < SLOT_TUPLE; s++) {
        if (r->slot[s].n > 0)
            memcpy(p, r->slot[s].p, r->slot[s].n);
        p += r->slot[s].n;
    }
    struct list yes = {0}, maybe = {0};
    w->asker.tuple_only = true;
    const struct list *l = bucket(w, &w->m->by_name, r->slot[SLOT_NAME]);
    if (l != NULL)
        consider(w, l->v.v, l->v.n, &yes, &maybe);
    l = bucket(w, &w->m->by_source, r->slot[SLOT_SOURCE]);
    if (l != NULL)
        consider(w, l->v.v, l->v.n, &yes, &maybe);
    consider(w, w->m->general.v.v, w->m->general.v.n, &yes, &maybe);
    w->asker.tuple_only = false;
    t->yes = yes.v.v;
    t->n_yes = (uint32_t)yes.v.n;
    t->maybe = maybe.v.v;
    t->n_maybe = (uint32_t)maybe.v.n;
    make_groups(w, t);
    t->hash = hash;
    t->next = w->table[hash % TABLE];
    w->table[hash % TABLE] = t;
    w->n_tuples++;
    return t;
}

static void ask(struct match_worker *w, uint32_t rule)
{
    if (w->seen[rule] == w->stamp)
        return;
    w->seen[rule] = w->stamp;
    if (expr_ask(&w->asker, w->m->rs->rules.v[rule].expr) == YES)
        w->out[w->n_out++] = rule;
}

static void ask_group(struct match_worker *w, struct record *r, const struct group *g)
{
    const struct vals *vs = record_get(r, g->path);
    for (uint32_t i = 0; i < vs->n; i++) {
        if (vs->v[i].kind == VAL_OBJ || vs->v[i].kind == VAL_ARR)
            continue;
        uint64_t hash = folded_hash(vs->v[i].s);
        uint32_t lo = 0, hi = g->n;
        while (lo < hi) {
            uint32_t mid = (lo + hi) / 2;
            if (g->v[mid].hash < hash)
                lo = mid + 1;
            else
                hi = mid;
        }
        for (; lo < g->n && g->v[lo].hash == hash; lo++)
            ask(w, g->v[lo].rule);
    }
}

static void ask_gated(struct match_worker *w, struct record *r)
{
    const struct matcher *m = w->m;
    struct str text = record_text(r);
    uint64_t from = (uint64_t)(text.p - w->text), to = from + text.n;
    bool all = w->all_open;
    while (w->next_hit < w->n_hits && w->hits[w->next_hit].to <= from)
        w->next_hit++;
    for (; w->next_hit < w->n_hits && w->hits[w->next_hit].to <= to; w->next_hit++) {
        uint32_t id = w->hits[w->next_hit].id;
        if (id == m->n_literals) {
            all = true;
            continue;
        }
        const struct list *l = &m->opens[id];
        for (size_t i = 0; i < l->v.n; i++)
            ask(w, l->v.v[i]);
    }
    for (size_t i = 0; all && i < m->gated.v.n; i++)
        ask(w, m->gated.v.v[i]);
}

static void stamp_next(struct match_worker *w)
{
    if (++w->stamp == 0) {
        memset(w->seen, 0, (w->m->rs->rules.n + 1) * sizeof *w->seen);
        w->stamp = 1;
    }
}

const uint32_t *match_record(struct match_worker *w, struct record *r, size_t *out_n)
{
    w->asker.r = r;
    w->asker.tuple_only = false;
    w->n_out = 0;
    stamp_next(w);
    record_next(r);
    if (r->odd) {
        for (uint32_t i = 0; i < w->m->rs->rules.n; i++) {
            if (w->m->rs->rules.v[i].expr != NULL)
                ask(w, i);
        }
        *out_n = w->n_out;
        return w->out;
    }
    uint64_t hash = tuple_hash(r);
    struct tuple *t = w->table[hash % TABLE];
    while (t != NULL && !(t->hash == hash && tuple_is(t, r)))
        t = t->next;
    if (t == NULL)
        t = tuple_new(w, r, hash);
    if (t->n_yes > 0) {
        memcpy(w->out, t->yes, t->n_yes * sizeof *w->out);
        w->n_out = t->n_yes;
    }
    for (uint32_t i = 0; i < t->n_maybe; i++)
        ask(w, t->maybe[i]);
    for (uint32_t i = 0; i < t->n_groups; i++)
        ask_group(w, r, &t->groups[i]);
    if (w->m->n_literals > 0)
        ask_gated(w, r);
    *out_n = w->n_out;
    return w->out;
}

struct asker *match_asker(struct match_worker *w, struct record *r)
{
    w->asker.r = r;
    w->asker.tuple_only = false;
    return &w->asker;
}

bool match_one(struct match_worker *w, struct record *r, const struct expr *e)
{
    return expr_ask(match_asker(w, r), e) == YES;
}

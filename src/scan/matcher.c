#include "matcher.h"

#include "../core/map.h"
#include "lookup.h"

enum { TUPLES_MAX = 8192, TUPLE_BYTES_MAX = 6 * 1024 * 1024, TABLE = 2 * TUPLES_MAX,
       /* The slots, and eventSource as EventBridge writes it ("aws.s3"). */
       KEYS = SLOT_TUPLE + 1, KEY_VIRTUAL = SLOT_TUPLE,
       /* Below these a set of conditions is not worth a look (needs.c). */
       RANK_TUPLE = 45, RANK_VALUES = 20 };

struct list {
    VEC(uint32_t) v;
};

/* The rules that cannot hold without one value of one of the five. */
struct bucket {
    struct list rules; /* considered with the combination */
    struct lookup_maker *maker;
    struct lookup *values; /* or when a value of the record says so */
};

struct matcher {
    const struct rules *rs;
    struct arena *a;
    struct map buckets;   /* key and folded text -> struct bucket */
    struct lookup *parts; /* pieces of the five; its paths are keys */
    struct lookup *values;
    struct lookup_paths *paths; /* of all lookups that records are asked for */
    struct list general;
    hs_scratch_t *scratch; /* the prototype */
    struct matcher_stats stats;
};

/* -- building -- */
struct building {
    struct matcher *m;
    struct lookup_maker *parts, *values;
    VEC(struct bucket *) buckets;
};

static struct str bucket_key(char *room, size_t size, uint32_t key, struct str text)
{
    if (text.n + 1 > size)
        return STR_NONE;
    room[0] = (char)('0' + key);
    for (size_t i = 0; i < text.n; i++)
        room[i + 1] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] + 32) : text.p[i];
    return str_of(room, text.n + 1);
}

enum { KEY_TEXT_MAX = 512 };

static bool whole(const struct conds *cs)
{
    for (size_t i = 0; i < cs->n; i++) {
        if (cs->v[i].kind != COND_WHOLE || cs->v[i].text.n >= KEY_TEXT_MAX)
            return false;
    }
    return cs->n > 0;
}

static uint32_t key_of(const struct paths *ps, uint32_t path)
{
    return ps->v[path].kind == PATH_VIRTUAL ? KEY_VIRTUAL : (uint32_t)needs_slot(ps, path);
}

static void list_add(struct arena *a, struct list *l, uint32_t rule)
{
    if (l->v.n == 0 || l->v.v[l->v.n - 1] != rule)
        VEC_PUSH(a, &l->v, rule);
}

static struct bucket *bucket_of(struct building *b, uint32_t key, struct str text)
{
    char room[KEY_TEXT_MAX];
    struct str k = bucket_key(room, sizeof room, key, text);
    CHECK(k.p != NULL);
    struct bucket *x = map_get(&b->m->buckets, k);
    if (x == NULL) {
        x = ARENA_NEW(b->m->a, struct bucket);
        x->maker = lookup_maker_new(b->m->a, b->m->paths);
        map_put(&b->m->buckets, k, x);
        VEC_PUSH(b->m->a, &b->buckets, x);
    }
    return x;
}

static void add_all(struct lookup_maker *lm, const struct conds *cs, uint32_t rule)
{
    for (size_t i = 0; i < cs->n; i++)
        lookup_add(lm, &cs->v[i], rule);
}

static void add_behind_gates(struct building *b, struct lookup_maker *lm, const struct conds *cs,
                             uint32_t rule)
{
    add_all(lm, cs, rule);
    for (size_t i = 0; i < cs->n; i++) {
        if (cs->v[i].path != 0) /* texts are looked for in the records that they are about */
            lookup_add(b->values, &cs->v[i], LOOKUP_GATE);
    }
}

/* Under conditions on the five: `values` too, if there are some, and then behind both. */
static void place_tuple(struct building *b, const struct conds *cs, const struct conds *values,
                        uint32_t rule)
{
    for (size_t i = 0; i < cs->n; i++) {
        struct cond c = cs->v[i];
        c.path = key_of(&b->m->rs->paths, c.path);
        if (c.kind != COND_WHOLE || c.text.n >= KEY_TEXT_MAX) {
            if (c.kind == COND_WHOLE)
                c.kind = COND_PART, c.text = str_take(c.text, PART_BYTES_MAX);
            lookup_add(b->parts, &c, rule);
            continue;
        }
        struct bucket *x = bucket_of(b, c.path, c.text);
        if (values != NULL && values->n > 0)
            add_behind_gates(b, x->maker, values, rule);
        else
            list_add(b->m->a, &x->rules, rule);
    }
}

/* Only paths of the tuple: the verdict is remembered, whatever the form. */
static bool only_tuple(const struct expr *e, const struct paths *ps)
{
    if (e->kind == EXPR_TEST)
        return e->test->op == OP_CONST ||
               (e->test->op != OP_FIELD && e->test->op != OP_KEYWORD &&
                (ps->v[e->test->path].kind == PATH_VIRTUAL ||
                 needs_slot(ps, e->test->path) >= 0));
    for (size_t i = 0; i < e->n; i++) {
        if (!only_tuple(e->kids[i], ps))
            return false;
    }
    return true;
}

static void count_tuple(struct matcher *m, const struct conds *cs)
{
    bool name = true;
    for (size_t i = 0; i < cs->n; i++)
        name = name && needs_slot(&m->rs->paths, cs->v[i].path) == SLOT_NAME;
    *(name ? &m->stats.by_name : &m->stats.by_source) += 1;
}

static void place_rule(struct building *b, uint32_t i)
{
    struct matcher *m = b->m;
    const struct paths *ps = &m->rs->paths;
    const struct expr *e = m->rs->rules.v[i].expr;
    struct conds five = expr_needs(m->a, e, ps, NEEDS_TUPLE);
    struct conds values = {0};
    if (!only_tuple(e, ps))
        values = expr_needs(m->a, e, ps, NEEDS_VALUES);
    if (values.rank < RANK_VALUES)
        values.n = 0;
    if (five.n > 0 && (five.rank >= RANK_TUPLE || values.n == 0)) {
        place_tuple(b, &five, whole(&five) ? &values : NULL, i);
        count_tuple(m, &five);
        return;
    }
    if (values.n > 0) {
        add_all(b->values, &values, i);
        m->stats.gated++;
        return;
    }
    struct conds both = expr_needs(m->a, e, ps, NEEDS_TUPLE | NEEDS_VALUES);
    if (both.n == 0) {
        list_add(m->a, &m->general, i);
        m->stats.general++;
        return;
    }
    /* Some alternatives are of one kind, some of the other. */
    m->stats.gated++;
    for (size_t k = 0; k < both.n; k++) {
        struct conds one = {.v = &both.v[k], .n = 1};
        if (needs_slot(ps, both.v[k].path) >= 0)
            place_tuple(b, &one, NULL, i);
        else
            add_all(b->values, &one, i);
    }
}

static void scratch_for(hs_scratch_t **scratch, const struct expr *e)
{
    if (e->kind == EXPR_TEST) {
        for (const struct test *t = e->test; t != NULL; t = t->also) {
            if (t->regex != NULL)
                CHECK(hs_alloc_scratch(t->regex, scratch) == HS_SUCCESS);
        }
        return;
    }
    for (size_t i = 0; i < e->n; i++)
        scratch_for(scratch, e->kids[i]);
}

enum { MATCHER_ARENA_BYTES = 1 << 30 };

struct err *matcher_new(const struct rules *rs, struct matcher **out_matcher)
{
    struct arena *a = arena_new(MATCHER_ARENA_BYTES);
    struct matcher *m = ARENA_NEW(a, struct matcher);
    m->a = a;
    m->rs = rs;
    m->paths = lookup_paths_new(a, &rs->paths);
    struct building b = {.m = m, .parts = lookup_maker_new(a, NULL),
                         .values = lookup_maker_new(a, m->paths)};
    for (uint32_t i = 0; i < rs->rules.n; i++) {
        if (rs->rules.v[i].expr == NULL)
            continue;
        m->stats.rules++;
        place_rule(&b, i);
        scratch_for(&m->scratch, rs->rules.v[i].expr);
    }
    for (size_t i = 0; i < b.buckets.n; i++)
        b.buckets.v[i]->values = lookup_make(b.buckets.v[i]->maker, false);
    m->parts = lookup_make(b.parts, false);
    m->values = lookup_make(b.values, true);
    struct err *e = arena_check(a);
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
    map_clear(&m->buckets);
    hs_free_scratch(m->scratch);
    arena_free(m->a);
}

struct matcher_stats matcher_stats(const struct matcher *m)
{
    return m->stats;
}

/* -- asking -- */
struct question { /* what a combination leaves open of a rule */
    const struct expr *expr;
    uint32_t rule;
};

struct tuple {
    uint32_t len[SLOT_TUPLE]; /* UINT32_MAX: not there */
    uint32_t n_yes, n_open, n_values;
    bool in_text; /* some of the values */
    uint32_t *yes;
    struct question *open;
    const struct lookup **values;
    const uint64_t *want; /* lookup_record(): for these, and for all combinations */
    char text[];
};

struct tuple_place {
    uint64_t hash;
    struct tuple *tuple; /* NULL: free */
};

struct match_worker {
    const struct matcher *m;
    struct asker asker;
    struct arena *a; /* the tuples */
    struct tuple_place table[TABLE];
    size_t n_tuples;
    uint32_t *out;
    size_t n_out;
    uint32_t *seen; /* rule -> the record that it was asked for, */
    uint32_t stamp;
    uint32_t *considered; /* and the combination */
    uint32_t combination;
    struct lookup_seen present;
    /* of the combination being made */
    struct list yes;
    VEC(struct question) open;
};

struct match_worker *match_worker_new(const struct matcher *m)
{
    struct match_worker *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->m = m;
    w->a = arena_new(TUPLE_BYTES_MAX * 4);
    size_t n = m->rs->rules.n + 1;
    w->present = lookup_seen_new(m->paths);
    w->seen = calloc(n, sizeof *w->seen);
    w->considered = calloc(n, sizeof *w->considered);
    w->out = malloc(n * sizeof *w->out);
    CHECK(w->seen != NULL && w->considered != NULL && w->out != NULL);
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
    lookup_seen_free(&w->present);
    free(w->seen);
    free(w->considered);
    free(w->out);
    free(w);
}

static void stamp_next(const struct match_worker *w, uint32_t *stamp, uint32_t *marks)
{
    if (++*stamp == 0) { /* came round: no old mark may look new */
        memset(marks, 0, (w->m->rs->rules.n + 1) * sizeof *marks);
        *stamp = 1;
    }
}

/* -- combinations -- */
static inline uint64_t mix(uint64_t h, uint64_t x)
{
    __uint128_t p = (__uint128_t)(h ^ x) * 0x9E3779B97F4A7C15ULL;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t word(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* The first bytes of a text that is shorter than a word. */
static inline uint64_t part_word(const char *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++)
        x = x << 8 | (unsigned char)p[i];
    return x;
}

static uint64_t tuple_hash(const struct record *r)
{
    uint64_t h = 0x2545F4914F6CDD1DULL;
    for (int s = 0; s < SLOT_TUPLE; s++) {
        const char *p = r->slot[s].p;
        size_t n = r->slot[s].n;
        if (p == NULL) {
            h = mix(h, UINT64_MAX);
            continue;
        }
        h ^= n << 56;
        if (n < 8) {
            h = mix(h, part_word(p, n));
            continue;
        }
        for (size_t i = 0; i + 8 < n; i += 8)
            h = mix(h, word(p + i));
        h = mix(h, word(p + n - 8));
    }
    return h;
}

static inline bool same_bytes(const char *p, const char *q, size_t n)
{
    if (n < 8)
        return part_word(p, n) == part_word(q, n);
    for (size_t i = 0; i + 8 < n; i += 8) {
        if (word(p + i) != word(q + i))
            return false;
    }
    return word(p + n - 8) == word(q + n - 8);
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
        if (t->len[s] != v.n || !same_bytes(p, v.p, v.n))
            return false;
        p += v.n;
    }
    return true;
}

/* The expression without the kids that the combination answered; its answer is MAYBE. */
static const struct expr *rest_of(struct match_worker *w, const struct expr *e)
{
    if (e->kind != EXPR_AND && e->kind != EXPR_OR)
        return e;
    struct expr *out = expr_list(w->a, e->kind);
    for (size_t i = 0; i < e->n; i++) {
        if (expr_ask(&w->asker, e->kids[i]) == MAYBE)
            expr_add(w->a, out, (struct expr *)(uintptr_t)rest_of(w, e->kids[i]));
    }
    return out->n == 1 ? out->kids[0] : out;
}

static void consider(void *x, uint32_t rule)
{
    struct match_worker *w = x;
    if (w->considered[rule] == w->combination)
        return;
    w->considered[rule] = w->combination;
    const struct expr *e = w->m->rs->rules.v[rule].expr;
    enum verdict v = expr_ask(&w->asker, e);
    if (v == YES)
        VEC_PUSH(w->a, &w->yes.v, rule);
    else if (v == MAYBE)
        VEC_PUSH(w->a, &w->open, ((struct question){rest_of(w, e), rule}));
}

static void consider_key(struct match_worker *w, struct tuple *t, uint32_t key, struct str text)
{
    char room[KEY_TEXT_MAX];
    if (text.p == NULL)
        return;
    struct str k = bucket_key(room, sizeof room, key, text);
    const struct bucket *b = k.p == NULL ? NULL : map_get(&w->m->buckets, k);
    for (size_t i = 0; b != NULL && i < b->rules.v.n; i++)
        consider(w, b->rules.v.v[i]);
    if (b != NULL && b->values != NULL) {
        t->values[t->n_values++] = b->values;
        t->in_text = t->in_text || lookup_in_text(b->values);
    }
    if (w->m->parts != NULL)
        lookup_value(w->m->parts, key, text, consider, w);
}

static struct tuple *tuple_alloc(struct match_worker *w, const struct record *r)
{
    size_t n = 0;
    for (int s = 0; s < SLOT_TUPLE; s++)
        n += r->slot[s].n;
    struct tuple *t = arena_alloc(w->a, sizeof *t + n);
    char *p = t->text;
    for (int s = 0; s < SLOT_TUPLE; s++) {
        t->len[s] = r->slot[s].p == NULL ? UINT32_MAX : (uint32_t)r->slot[s].n;
        if (r->slot[s].n > 0)
            memcpy(p, r->slot[s].p, r->slot[s].n);
        p += r->slot[s].n;
    }
    t->values = ARENA_ARRAY(w->a, KEYS, const struct lookup *);
    return t;
}

static const uint64_t *tuple_wants(struct match_worker *w, const struct tuple *t)
{
    const struct matcher *m = w->m;
    if (m->values == NULL)
        return NULL;
    const uint64_t *always = lookup_wants(m->values);
    if (t->n_values == 0)
        return always;
    size_t words = lookup_want_words(m->paths);
    uint64_t *want = arena_alloc_raw(w->a, words * sizeof *want);
    memcpy(want, always, words * sizeof *want);
    for (uint32_t i = 0; i < t->n_values; i++) {
        const uint64_t *more = lookup_wants(t->values[i]);
        for (size_t k = 0; k < words; k++)
            want[k] |= more[k];
    }
    return want;
}

static struct tuple *tuple_new(struct match_worker *w, struct record *r, uint64_t hash)
{
    if (w->n_tuples >= TUPLES_MAX || arena_used(w->a) > TUPLE_BYTES_MAX) {
        arena_reset(w->a);
        memset(w->table, 0, sizeof w->table);
        w->n_tuples = 0;
    }
    struct tuple *t = tuple_alloc(w, r);
    memset(&w->yes, 0, sizeof w->yes);
    memset(&w->open, 0, sizeof w->open);
    stamp_next(w, &w->combination, w->considered);
    w->asker.tuple_only = true;
    for (uint32_t s = 0; s < SLOT_TUPLE; s++)
        consider_key(w, t, s, r->slot[s]);
    consider_key(w, t, KEY_VIRTUAL, record_virtual(r, VIRT_SOURCE));
    for (size_t i = 0; i < w->m->general.v.n; i++)
        consider(w, w->m->general.v.v[i]);
    w->asker.tuple_only = false;
    t->yes = w->yes.v.v;
    t->n_yes = (uint32_t)w->yes.v.n;
    t->open = w->open.v;
    t->n_open = (uint32_t)w->open.n;
    t->want = tuple_wants(w, t);
    uint64_t i = hash % TABLE;
    while (w->table[i].tuple != NULL)
        i = (i + 1) % TABLE;
    w->table[i] = (struct tuple_place){hash, t};
    w->n_tuples++;
    return t;
}

/* -- records -- */
static void ask_as(struct match_worker *w, uint32_t rule, const struct expr *e)
{
    if (w->seen[rule] == w->stamp)
        return;
    w->seen[rule] = w->stamp;
    if (e == NULL || expr_ask(&w->asker, e) == YES)
        w->out[w->n_out++] = rule;
}

static void ask(void *x, uint32_t rule)
{
    struct match_worker *w = x;
    ask_as(w, rule, w->m->rs->rules.v[rule].expr);
}

static void ask_all(struct match_worker *w)
{
    for (uint32_t i = 0; i < w->m->rs->rules.n; i++) {
        if (w->m->rs->rules.v[i].expr != NULL)
            ask(w, i);
    }
}

/* Where one with the hash may be; it is on its way into the cache. */
static inline uint64_t tuple_place(const struct match_worker *w, uint64_t hash)
{
    uint64_t i = hash % TABLE;
    while (w->table[i].tuple != NULL && w->table[i].hash != hash)
        i = (i + 1) % TABLE;
    const struct tuple *t = w->table[i].tuple;
    if (t != NULL) {
        __builtin_prefetch(t);
        __builtin_prefetch(t->text);
        __builtin_prefetch(t->text + 64);
    }
    return i;
}

static const struct tuple *tuple_of(struct match_worker *w, struct record *r, uint64_t hash,
                                    uint64_t i)
{
    for (; w->table[i].tuple != NULL; i = (i + 1) % TABLE) {
        if (w->table[i].hash == hash && tuple_is(w->table[i].tuple, r))
            return w->table[i].tuple;
    }
    return tuple_new(w, r, hash);
}

const uint32_t *match_record(struct match_worker *w, struct record *r, size_t *out_n)
{
    const struct matcher *m = w->m;
    w->asker.r = r;
    w->asker.tuple_only = false;
    w->n_out = 0;
    stamp_next(w, &w->stamp, w->seen);
    record_next(r);
    if (r->odd) {
        ask_all(w);
        *out_n = w->n_out;
        return w->out;
    }
    /* What comes from the memory is asked for while there is something else to do. */
    uint64_t hash = tuple_hash(r);
    uint64_t place = tuple_place(w, hash);
    if (m->values != NULL)
        lookup_text(m->values, r, ask, w);
    const struct tuple *t = tuple_of(w, r, hash, place);
    if (m->values != NULL)
        lookup_record(m->values, m->paths, t->want, r, &w->present, ask, w);
    for (uint32_t i = 0; i < t->n_yes; i++)
        ask_as(w, t->yes[i], NULL);
    for (uint32_t i = 0; i < t->n_open; i++)
        ask_as(w, t->open[i].rule, t->open[i].expr);
    bool called = w->present.called == w->present.record;
    for (uint32_t i = 0; (called || t->in_text) && i < t->n_values; i++) {
        lookup_text(t->values[i], r, ask, w);
        if (called)
            lookup_gated(t->values[i], r, &w->present, ask, w);
    }
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

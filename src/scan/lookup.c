#include "lookup.h"

#include "../core/map.h"
#include "grams.h"
#include "record_int.h"

enum { NONE = UINT32_MAX };

/* -- keys -- */
static inline uint64_t mix(uint64_t h, uint64_t x)
{
    __uint128_t p = (__uint128_t)(h ^ x) * 0x9E3779B97F4A7C15ULL;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Of a text, letters of either case alike (and a few other bytes: the rule decides). */
static inline uint64_t text_hash(struct str s)
{
    const uint64_t lower = 0x2020202020202020ULL;
    uint64_t h = 0xA0761D6478BD642FULL ^ s.n, x = 0;
    if (s.n >= 8) {
        for (size_t i = 0; i + 8 < s.n; i += 8) {
            memcpy(&x, s.p + i, 8);
            h = mix(h, x | lower);
        }
        memcpy(&x, s.p + s.n - 8, 8);
    } else if (s.n >= 4) {
        uint32_t lo, hi;
        memcpy(&lo, s.p, 4);
        memcpy(&hi, s.p + s.n - 4, 4);
        x = lo | (uint64_t)hi << 32;
    } else {
        for (size_t i = 0; i < s.n; i++)
            x = x << 8 | (unsigned char)s.p[i];
    }
    return mix(h, x | lower);
}

static uint64_t net_hash(const unsigned char addr[16], int bits, bool v6)
{
    unsigned char masked[16] = {0};
    memcpy(masked, addr, (size_t)bits / 8);
    if (bits % 8 != 0)
        masked[bits / 8] = (unsigned char)(addr[bits / 8] & (0xff00 >> (bits % 8)));
    uint64_t lo, hi;
    memcpy(&lo, masked, 8);
    memcpy(&hi, masked + 8, 8);
    return mix(mix(0x8EBC6AF09C88C6E3ULL ^ (uint64_t)bits ^ (v6 ? 256 : 0), lo), hi);
}

/* -- paths -- */
/* A name that paths go through, by the path above and the name's hash. */
struct step {
    uint32_t hash;
    uint16_t above, path; /* path 0: a free place */
};
_Static_assert(PATH_MAX_COUNT <= UINT16_MAX, "paths fit into steps");

struct lookup_paths {
    struct arena *a;
    const struct paths *ps;
    struct step *steps;
    uint32_t n, mask;
    bool *known; /* by path */
    uint32_t n_recent;
    uint32_t identity[2]; /* "userIdentity", by spread; 0: nothing waits below it */
    uint32_t *child, *sibling; /* by path: the first right below it, the next beside it; 0: none */
};

enum { STEPS_FIRST = 256 };

static void steps_new(struct lookup_paths *lp, uint32_t size)
{
    lp->steps = ARENA_ARRAY(lp->a, size, struct step);
    lp->mask = size - 1;
    lp->n = 0;
}

struct lookup_paths *lookup_paths_new(struct arena *a, const struct paths *ps)
{
    struct lookup_paths *lp = ARENA_NEW(a, struct lookup_paths);
    *lp = (struct lookup_paths){.a = a, .ps = ps};
    steps_new(lp, STEPS_FIRST);
    lp->known = ARENA_ARRAY(a, ps->n, bool);
    lp->child = ARENA_ARRAY(a, ps->n, uint32_t);
    lp->sibling = ARENA_ARRAY(a, ps->n, uint32_t);
    return lp;
}

static inline uint32_t step_at(uint32_t above, uint32_t hash)
{
    return hash ^ above * 0x9E3779B1U;
}

static void step_put(struct lookup_paths *lp, struct step st)
{
    uint32_t i = step_at(st.above, st.hash) & lp->mask;
    while (lp->steps[i].path != 0)
        i = (i + 1) & lp->mask;
    lp->steps[i] = st;
    lp->n++;
}

static void steps_grow(struct lookup_paths *lp)
{
    const struct step *old = lp->steps;
    uint32_t size = lp->mask + 1;
    steps_new(lp, size * 2);
    for (uint32_t i = 0; i < size; i++) {
        if (old[i].path != 0)
            step_put(lp, old[i]);
    }
}

static void add_path(struct lookup_paths *lp, uint32_t path)
{
    const struct path *p = &lp->ps->v[path];
    if (path == 0 || lp->known[path])
        return;
    lp->known[path] = true;
    add_path(lp, p->parent);
    if (p->parent != 0 && lp->ps->v[p->parent].parent == 0 &&
        str_is(lp->ps->v[p->parent].key, "userIdentity"))
        lp->identity[lp->ps->v[p->parent].spread] = p->parent;
    lp->sibling[path] = lp->child[p->parent];
    lp->child[p->parent] = path;
    if (lp->n * 4 > lp->mask)
        steps_grow(lp);
    step_put(lp, (struct step){p->hash, (uint16_t)p->parent, (uint16_t)path});
}

enum { RECENT_BITS = 4, RECENT = 1 << RECENT_BITS, RECENT_MIN = 4, RECENT_BYTES = 248,
       RECENT_PLACES_MAX = 256,
       /* Of so many new values so many old ones should have come again; else the place is one where
        * they do not, and so many values are not remembered. */
       RECENT_NEW = 64, RECENT_AGAIN = 16, RECENT_PAUSE = 4096 };

struct recent { /* of one place */
    uint32_t again, anew, pause;
    unsigned char n[RECENT]; /* 0: free */
    char text[RECENT][RECENT_BYTES];
};

struct lookup_seen lookup_seen_new(const struct lookup_paths *lp)
{
    struct lookup_seen s = {.v = calloc(lp->ps->n + 1, sizeof *s.v),
                            .list = calloc(lp->ps->n + 1, sizeof *s.list),
                            .recent = calloc(lp->n_recent + 1, sizeof *s.recent)};
    CHECK(s.v != NULL && s.list != NULL && s.recent != NULL);
    return s;
}

void lookup_seen_free(struct lookup_seen *s)
{
    free(s->v);
    free(s->list);
    free(s->recent);
    *s = (struct lookup_seen){0};
}

/* Where the value would be among the recent ones. */
static inline uint32_t recent_at(struct str s)
{
    uint32_t tail;
    memcpy(&tail, s.p + s.n - sizeof tail, sizeof tail);
    return ((tail ^ (uint32_t)s.n) * 0x9E3779B1U) >> (32 - RECENT_BITS);
}

/* -- making -- */
struct entry {
    uint64_t hash;
    uint32_t rule, next;
};

struct rules_of {
    VEC(uint32_t) rules;
};

struct nets { /* the lengths of the networks' prefixes that rules ask for, by [v6] */
    unsigned char n[2], bits[2][129];
};

enum { FEW = 8 };

/* Of one path. Records come for many of them, so that each should be few lines of the cache. */
struct place {
    uint32_t path;
    uint32_t recent; /* index; NONE: values are not remembered */
    uint32_t n;      /* entries */
    uint32_t few[FEW]; /* the lower halves of the hashes, if there are no more */
    bool texts, containers, gate_containers;
    uint32_t mask;
    uint32_t *heads; /* else: hash -> the first entry */
    struct entry *entries;
    struct nets *nets;
    struct grams *grams; /* NULL: none */
    struct rules_of *parts;
};

struct making {
    struct place place;
    bool ruled; /* something is called for here that is no gate */
    VEC(struct entry) entries;
    VEC(struct str) texts;
    VEC(struct rules_of) parts;
};

struct lookup_maker {
    struct arena *a;
    struct lookup_paths *paths;
    VEC(struct making *) v;
    struct map parts; /* path and text -> index + 1 */
};

struct lookup {
    size_t n;
    struct place *v;
    const struct place *text; /* that of path 0 */
    const struct place **by_path; /* of the first one */
    uint64_t *want;               /* by path */
};

static void maker_clear(void *x)
{
    map_clear(&((struct lookup_maker *)x)->parts);
}

struct lookup_maker *lookup_maker_new(struct arena *a, struct lookup_paths *lp)
{
    struct lookup_maker *m = ARENA_NEW(a, struct lookup_maker);
    m->a = a;
    m->paths = lp;
    arena_on_free(a, maker_clear, m);
    return m;
}

static struct making *making_of(struct lookup_maker *m, uint32_t path)
{
    for (size_t i = 0; i < m->v.n; i++) {
        if (m->v.v[i]->place.path == path)
            return m->v.v[i];
    }
    struct making *p = ARENA_NEW(m->a, struct making);
    p->place.path = path;
    if (m->paths != NULL)
        add_path(m->paths, path);
    VEC_PUSH(m->a, &m->v, p);
    return p;
}

static void add_part(struct lookup_maker *m, struct making *p, struct str text, uint32_t rule)
{
    struct str f = fold(m->a, text);
    struct str key = arena_fmt(m->a, "%u:%.*s", p->place.path, STR_ARG(f));
    uintptr_t at = (uintptr_t)map_get(&m->parts, key);
    if (at == 0) {
        VEC_PUSH(m->a, &p->texts, f);
        VEC_PUSH(m->a, &p->parts, (struct rules_of){0});
        at = p->parts.n;
        map_put(&m->parts, key, (void *)at);
    }
    if (rule != LOOKUP_GATE) /* which is only that anything called */
        VEC_PUSH(m->a, &p->parts.v[at - 1].rules, rule);
}

static void add_net(struct arena *a, struct place *p, const struct cidr *net)
{
    if (p->nets == NULL)
        p->nets = ARENA_NEW(a, struct nets);
    unsigned char *v = p->nets->bits[net->v6], *n = &p->nets->n[net->v6];
    if (memchr(v, net->bits, *n) == NULL)
        v[(*n)++] = (unsigned char)net->bits;
}

void lookup_add(struct lookup_maker *m, const struct cond *c, uint32_t rule)
{
    struct making *p = making_of(m, c->path);
    struct entry e = {.rule = rule};
    bool *containers = rule == LOOKUP_GATE ? &p->place.gate_containers : &p->place.containers;
    *containers = *containers || c->containers;
    p->ruled = p->ruled || rule != LOOKUP_GATE;
    switch (c->kind) {
    case COND_WHOLE:
        e.hash = text_hash(c->text);
        p->place.texts = true;
        VEC_PUSH(m->a, &p->entries, e);
        return;
    case COND_NET:
        e.hash = net_hash(c->net->addr, c->net->bits, c->net->v6);
        add_net(m->a, &p->place, c->net);
        VEC_PUSH(m->a, &p->entries, e);
        return;
    case COND_PART:
        add_part(m, p, c->text, rule);
        return;
    }
}

static int by_entry(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->rule < b->rule ? -1 : a->rule > b->rule;
}

/* Many rules may ask for the same value: a gate is needed once, and not where a rule calls. */
static size_t sort_entries(struct entry *v, size_t n)
{
    size_t k = 0;
    qsort(v, n, sizeof *v, by_entry);
    for (size_t i = 0; i < n; i++) {
        if (v[i].rule != LOOKUP_GATE || k == 0 || v[k - 1].hash != v[i].hash)
            v[k++] = v[i];
    }
    return k;
}

static void make_entries(struct arena *a, struct place *p, struct entry *v, size_t n)
{
    size_t size = FEW * 4;
    n = sort_entries(v, n);
    p->entries = v;
    p->n = (uint32_t)n;
    for (size_t i = 0; n <= FEW && i < n; i++)
        p->few[i] = (uint32_t)v[i].hash;
    if (n <= FEW)
        return;
    while (size < n * 2)
        size *= 2;
    p->mask = (uint32_t)size - 1;
    p->heads = arena_alloc_raw(a, size * sizeof *p->heads);
    memset(p->heads, 0xff, size * sizeof *p->heads);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *head = &p->heads[v[i].hash & p->mask];
        v[i].next = *head;
        *head = i;
    }
}

size_t lookup_want_words(const struct lookup_paths *lp)
{
    return (lp->ps->n + 63) / 64;
}

const uint64_t *lookup_wants(const struct lookup *l)
{
    return l->want;
}

static inline bool wanted(const uint64_t *want, uint32_t path)
{
    return (want[path / 64] >> (path % 64) & 1) != 0;
}

static void want_path(struct lookup *l, const struct paths *ps, uint32_t path)
{
    for (; path != 0; path = ps->v[path].parent)
        l->want[path / 64] |= 1ULL << (path % 64);
}

/* Rules look for long texts at the paths right below the record, if anywhere. */
static bool is_long(const struct lookup_maker *m, uint32_t path)
{
    return m->paths != NULL && m->paths->ps->v[path].parent == 0;
}

struct lookup *lookup_make(struct lookup_maker *m, bool first)
{
    if (m->v.n == 0)
        return NULL;
    struct lookup *l = ARENA_NEW(m->a, struct lookup);
    l->n = m->v.n;
    l->v = ARENA_ARRAY(m->a, l->n, struct place);
    if (m->paths != NULL)
        l->want = ARENA_ARRAY(m->a, lookup_want_words(m->paths), uint64_t);
    if (first)
        l->by_path = ARENA_ARRAY(m->a, m->paths->ps->n, const struct place *);
    for (size_t i = 0; i < l->n; i++) {
        struct making *p = m->v.v[i];
        uint32_t path = p->place.path;
        if (p->entries.n > 0)
            make_entries(m->a, &p->place, p->entries.v, p->entries.n);
        if (p->texts.n > 0)
            p->place.grams = grams_new(m->a, p->texts.v, p->texts.n, is_long(m, path));
        p->place.parts = p->parts.v;
        p->place.recent = NONE;
        if (first && path != 0 && m->paths->n_recent < RECENT_PLACES_MAX)
            p->place.recent = m->paths->n_recent++;
        l->v[i] = p->place;
        if (m->paths != NULL && p->ruled)
            want_path(l, m->paths->ps, path);
        if (m->paths != NULL && path == 0)
            l->text = &l->v[i];
        if (first)
            l->by_path[path] = &l->v[i];
    }
    return l;
}

/* -- asking -- */
struct asking {
    const struct lookup *l;
    const struct lookup_paths *lp;
    const uint64_t *want; /* NULL: all */
    struct record *r;
    struct lookup_seen *s;
    lookup_hit *hit;
    void *ctx;
    const struct place *place; /* the one at hand, */
    bool called;               /* and whether something was called for */
};

static inline void entry_hit(struct asking *k, const struct entry *e)
{
    k->called = true;
    if (e->rule != LOOKUP_GATE)
        k->hit(k->ctx, e->rule);
}

static inline void by_hash(struct asking *k, uint64_t hash)
{
    const struct place *p = k->place;
    if (p->heads == NULL) {
        for (uint32_t i = 0; i < p->n; i++) {
            if (p->few[i] == (uint32_t)hash && p->entries[i].hash == hash)
                entry_hit(k, &p->entries[i]);
        }
        return;
    }
    for (uint32_t i = p->heads[hash & p->mask]; i != NONE; i = p->entries[i].next) {
        if (p->entries[i].hash == hash)
            entry_hit(k, &p->entries[i]);
    }
}

static void on_part(void *x, uint32_t text)
{
    struct asking *k = x;
    k->called = true;
    const struct rules_of *l = &k->place->parts[text];
    for (size_t i = 0; i < l->rules.n; i++)
        k->hit(k->ctx, l->rules.v[i]);
}

/* "1.2.3.4", by far the most of all addresses. */
static bool plain_v4(struct str s, struct cidr *out)
{
    unsigned part = 0, digits = 0, n = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') {
            part = part * 10 + (unsigned)(s.p[i] - '0');
            digits++;
            continue;
        }
        if ((i < s.n && s.p[i] != '.') || digits == 0 || digits > 3 || part > 255 || n == 4)
            return false;
        out->addr[n++] = (unsigned char)part;
        part = digits = 0;
    }
    out->v6 = false;
    return n == 4;
}

static void by_net(struct asking *k, struct str s)
{
    struct cidr c = {0};
    if (s.n < 2 || s.n > 45 || (!plain_v4(s, &c) && !test_cidr(s, &c)))
        return;
    for (int i = 0; i < k->place->nets->n[c.v6]; i++)
        by_hash(k, net_hash(c.addr, k->place->nets->bits[c.v6][i], c.v6));
}

static void by_value(struct asking *k, struct str s)
{
    const struct place *p = k->place;
    if (p->texts)
        by_hash(k, text_hash(s));
    if (p->grams != NULL)
        grams_find(p->grams, s, on_part, k);
    if (p->nets != NULL && s.n > 0 && (p->nets->n[1] > 0 || (s.p[0] >= '0' && s.p[0] <= '9')))
        by_net(k, s);
}

/* A text with the escapes of JSON in it: as it stands, and decoded. */
static void by_raw(struct asking *k, struct str raw)
{
    by_value(k, raw);
    if (k->r->sp->any_slash && memchr(raw.p, '\\', raw.n) != NULL)
        by_value(k, record_unescape(k->r, raw));
}

static void by_place(struct asking *k)
{
    const struct vals *v = record_get(k->r, k->place->path);
    for (uint32_t j = 0; j < v->n; j++) {
        if (v->v[j].kind != VAL_OBJ && v->v[j].kind != VAL_ARR) {
            by_value(k, v->v[j].s);
            continue;
        }
        k->called = k->called || k->place->gate_containers;
        if (k->place->containers)
            by_raw(k, v->v[j].s);
    }
}

static void by_recent(struct asking *k, struct str s)
{
    if (k->place->recent == NONE || s.n < RECENT_MIN || s.n > RECENT_BYTES) {
        by_value(k, s);
        return;
    }
    struct recent *v = &k->s->recent[k->place->recent];
    uint32_t i = recent_at(s);
    if (v->pause > 0) {
        v->pause--;
        by_value(k, s);
        return;
    }
    if (v->n[i] == s.n && memcmp(v->text[i], s.p, s.n) == 0) {
        v->again++;
        return;
    }
    by_value(k, s);
    if (!k->called) {
        v->n[i] = (unsigned char)s.n;
        memcpy(v->text[i], s.p, s.n);
    }
    if (++v->anew == RECENT_NEW) {
        v->pause = v->again < RECENT_AGAIN ? RECENT_PAUSE : 0;
        v->again = v->anew = 0;
    }
}

static void look_at(struct asking *k, const struct place *p)
{
    const struct seen *x = &k->s->v[p->path];
    const struct record *r = k->r;
    k->place = p;
    k->called = false;
    if (!x->plain || x->at != 0)
        by_place(k);
    else if (r->p[x->val] == '"')
        by_recent(k, record_decoded(k->r, x->val + 1, x->val_n - 2));
    else
        by_value(k, str_of(r->p + x->val, x->val_n));
}

/* -- the way through a record -- */
/* Below a list, or where a name stands twice: whatever may come. */
static void list_children(struct asking *k, uint32_t above)
{
    struct lookup_seen *s = k->s;
    for (uint32_t c = k->lp->child[above]; c != 0; c = k->lp->sibling[c]) {
        if (k->want != NULL && !wanted(k->want, c))
            continue;
        s->v[c] = (struct seen){.record = s->record};
        s->list[s->n++] = c;
    }
}

static inline void list_fields(struct asking *k, uint32_t above, const struct field *f, uint32_t n)
{
    struct lookup_seen *s = k->s;
    const struct step *steps = k->lp->steps;
    uint32_t mask = k->lp->mask;
    for (; n > 0; n--, f++) {
        for (uint32_t i = step_at(above, f->hash) & mask; steps[i].path != 0; i = (i + 1) & mask) {
            if (steps[i].hash != f->hash || steps[i].above != above ||
                (k->want != NULL && !wanted(k->want, steps[i].path)))
                continue;
            struct seen *x = &s->v[steps[i].path];
            x->plain = x->record != s->record;
            if (x->plain)
                s->list[s->n++] = steps[i].path;
            x->record = s->record;
            x->val = f->val;
            x->val_n = f->val_n;
            x->at = f->at;
        }
    }
}

static void see_path(struct asking *k, uint32_t path);

/* Each path is listed once at the most, below the one that it is below. */
static void see_listed(struct asking *k, uint32_t from)
{
    uint32_t to = k->s->n;
    for (uint32_t i = from; i < to; i++)
        see_path(k, k->s->list[i]);
}

static void see_below(struct asking *k, uint32_t path)
{
    struct lookup_seen *s = k->s;
    const struct seen *x = &s->v[path];
    uint32_t from = s->n;
    if (!x->plain || k->r->p[x->val] == '[') {
        list_children(k, path);
    } else if (k->r->p[x->val] == '{') {
        const struct object *o = record_object(k->r, x->at);
        list_fields(k, path, k->r->fields + o->from, o->n);
    }
    see_listed(k, from);
}

/* An identity that stood in records before, and called for nothing there, does so here. */
static void see_identity(struct asking *k, uint32_t path)
{
    struct lookup_seen *s = k->s;
    const struct identity *known = s->v[path].plain ? k->r->known_identity : NULL;
    if (known == NULL) {
        see_below(k, path);
        return;
    }
    uint64_t *quiet = &s->quiet[path == k->lp->identity[true]][known - k->r->known];
    if (*quiet == known->id)
        return;
    /* For whatever rule: it is remembered for the records to come. */
    const uint64_t *want = k->want;
    uint64_t calls = s->calls;
    k->want = NULL;
    see_below(k, path);
    k->want = want;
    if (s->calls == calls)
        *quiet = known->id;
}

static void see_path(struct asking *k, uint32_t path)
{
    struct lookup_seen *s = k->s;
    const struct place *p = k->l->by_path[path];
    if (p != NULL) {
        look_at(k, p);
        if (k->called) {
            s->v[path].called = s->called = s->record;
            s->calls++;
        }
    }
    if (path == k->lp->identity[false] || path == k->lp->identity[true])
        see_identity(k, path);
    else if (k->lp->child[path] != 0)
        see_below(k, path);
}

static void seen_next(const struct lookup_paths *lp, struct lookup_seen *s)
{
    s->n = 0;
    if (++s->record == 0) { /* came round: no old mark may look new */
        memset(s->v, 0, lp->ps->n * sizeof *s->v);
        s->called = 0;
        s->record = 1;
    }
}

void lookup_record(const struct lookup *l, const struct lookup_paths *lp, const uint64_t *want,
                   struct record *r, struct lookup_seen *s, lookup_hit *hit, void *ctx)
{
    struct asking k = {.l = l, .lp = lp, .want = want, .r = r, .s = s, .hit = hit, .ctx = ctx};
    seen_next(lp, s);
    if (r->n_top == RECORD_TOP_MAX)
        list_children(&k, 0);
    else
        list_fields(&k, 0, r->top, r->n_top);
    see_listed(&k, 0);
}

bool lookup_in_text(const struct lookup *l)
{
    return l->text != NULL;
}

void lookup_text(const struct lookup *l, struct record *r, lookup_hit *hit, void *ctx)
{
    struct asking k = {.place = l->text, .r = r, .hit = hit, .ctx = ctx};
    if (l->text != NULL)
        by_raw(&k, record_text(r));
}

void lookup_gated(const struct lookup *l, struct record *r, struct lookup_seen *s,
                  lookup_hit *hit, void *ctx)
{
    struct asking k = {.l = l, .r = r, .s = s, .hit = hit, .ctx = ctx};
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].path != 0 && s->v[l->v[i].path].called == s->record)
            look_at(&k, &l->v[i]);
    }
}

void lookup_value(const struct lookup *l, uint32_t path, struct str s, lookup_hit *hit, void *ctx)
{
    for (size_t i = 0; i < l->n; i++) {
        struct asking k = {.place = &l->v[i], .hit = hit, .ctx = ctx};
        if (l->v[i].path == path)
            by_value(&k, s);
    }
}

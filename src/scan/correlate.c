#include "correlate.h"

#include "../core/map.h"

enum { DEPTH_MAX = CORRELATION_NEST_MAX + 2, KEY_MAX = 16 * 1024 };

/* event_count: an event. value_count: a value and when it was last seen. temporal: a member and
 * when it was last seen. temporal_ordered: entry k is the latest start of a chain of the first
 * k + 1 members; behind those, when each member was last seen. */
struct entry {
    int64_t time_ms;
    uint64_t value;
};

struct held { /* a finding to come out later, with its texts behind it */
    struct finding f;
    size_t bytes;
};

struct group {
    struct entry *v;
    size_t from, n, cap; /* entries [from, n) */
    int64_t first_ms, last_ms;
    uint64_t seen;       /* events since first_ms */
    struct held *held;
    bool met;            /* the count was reached, and goes on */
};

struct state {
    struct map groups;
    bool ended;
};

struct correlator {
    const struct rules *rs;
    struct state *of; /* by rule */
    uint32_t **users; /* by rule: correlations that name it; ended by UINT32_MAX */
    findings_see *out;
    void *ctx;
    struct arena *a;
    size_t entries, held_bytes;
    bool over;
    int depth;
};

static void see(struct correlator *c, const struct finding *f, bool print);

/* -- who names whom -- */
static void link_user(struct correlator *c, uint32_t rule, uint32_t user)
{
    size_t n = 0;
    while (c->users[rule] != NULL && c->users[rule][n] != UINT32_MAX) {
        if (c->users[rule][n++] == user)
            return;
    }
    if (n == 0 || (n & (n - 1)) == 0) {
        uint32_t *v = ARENA_ARRAY(c->a, (n == 0 ? 1 : n * 2) + 1, uint32_t);
        if (n > 0)
            memcpy(v, c->users[rule], n * sizeof *v);
        c->users[rule] = v;
    }
    c->users[rule][n] = user;
    c->users[rule][n + 1] = UINT32_MAX;
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
    for (uint32_t i = 0; i < rs->rules.n; i++) {
        const struct correlation *k = rs->rules.v[i].corr;
        for (size_t m = 0; k != NULL && m < k->n_rules; m++) {
            if (k->rules[m] != UINT32_MAX)
                link_user(c, k->rules[m], i);
        }
    }
    return c;
}

/* -- groups -- */
static void drop_held(struct correlator *c, struct group *g)
{
    if (g->held != NULL)
        c->held_bytes -= g->held->bytes;
    free(g->held);
    g->held = NULL;
}

static void clear_entries(struct correlator *c, struct group *g)
{
    c->entries -= g->n - g->from;
    g->from = g->n = 0;
}

static void group_free(struct correlator *c, struct group *g)
{
    drop_held(c, g);
    clear_entries(c, g);
    free(g->v);
    free(g);
}

static void forget(struct correlator *c, struct state *s)
{
    const struct map_slot *slot;
    for (size_t i = 0; (slot = map_each(&s->groups, &i)) != NULL;)
        group_free(c, slot->value);
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

static void push_entry(struct correlator *c, struct group *g, struct entry e)
{
    if (g->n == g->cap) {
        if (g->from > g->n / 2) {
            memmove(g->v, g->v + g->from, (g->n - g->from) * sizeof *g->v);
            g->n -= g->from;
            g->from = 0;
        } else {
            g->cap = g->cap == 0 ? 4 : g->cap * 2;
            g->v = realloc(g->v, g->cap * sizeof *g->v);
            CHECK(g->v != NULL);
        }
    }
    g->v[g->n++] = e;
    c->entries++;
}

/* -- findings that wait -- */
/* Keeps f for later, without its record if there is no room; false: no room at all. */
static bool hold(struct correlator *c, struct group *g, const struct finding *f)
{
    drop_held(c, g);
    size_t n = 0;
    for (int i = 0; i < F_TEXTS; i++)
        n += f->text[i].n;
    bool record = c->held_bytes + sizeof *g->held + n <= CORRELATE_HELD_BYTES_MAX;
    if (!record)
        n -= f->text[F_RECORD].n;
    if (c->held_bytes + sizeof *g->held + n > CORRELATE_HELD_BYTES_MAX)
        return false;
    g->held = malloc(sizeof *g->held + n);
    CHECK(g->held != NULL);
    g->held->f = *f;
    g->held->bytes = sizeof *g->held + n;
    char *p = (char *)(g->held + 1);
    for (int i = 0; i < F_TEXTS; i++) {
        struct str s = i == F_RECORD && !record ? STR_NONE : f->text[i];
        if (s.n > 0)
            memcpy(p, s.p, s.n);
        g->held->f.text[i] = s.n == 0 ? STR_NONE : str_of(p, s.n);
        p += s.n;
    }
    c->held_bytes += g->held->bytes;
    return true;
}

static const char *what_counted(const struct correlation *k, int64_t n)
{
    if (k->kind == CORR_EVENT_COUNT)
        return n == 1 ? "event" : "events";
    if (k->kind == CORR_VALUE_COUNT)
        return n == 1 ? "value" : "values";
    return n == 1 ? "kind of event" : "kinds of event";
}

static void note_count(char note[160], const struct correlation *k, int64_t n)
{
    snprintf(note, 160, "%lld %s within %llds", (long long)n, what_counted(k, n),
             (long long)(k->span_ms / 1000));
}

/* What was met came to a rest: it comes out, with what followed. */
static void rest(struct correlator *c, const struct correlation *k, struct group *g)
{
    if (g->held != NULL) {
        char note[256];
        struct str was = g->held->f.text[F_NOTE];
        unsigned long long all = g->seen, seconds = (unsigned long long)(g->last_ms - g->first_ms +
                                                                         999) / 1000;
        if (k->least <= 1)
            snprintf(note, sizeof note, "%llu %s over %llus", all, all == 1 ? "event" : "events",
                     seconds);
        else if ((int64_t)all > k->least)
            snprintf(note, sizeof note, "%.*s; %llu events in all, over %llus", STR_ARG(was), all,
                     seconds);
        else
            snprintf(note, sizeof note, "%.*s", STR_ARG(was));
        g->held->f.text[F_NOTE] = str_c(note);
        c->out(c->ctx, &g->held->f);
        drop_held(c, g);
    }
    g->met = false;
    g->seen = 0;
}

/* -- values of a finding -- */
static struct str kept(const struct rule *r, const struct finding *f, uint32_t path)
{
    struct str left = f->text[F_KEPT];
    for (size_t i = 0; i < r->n_keep && left.n > 0; i++) {
        struct str v = str_cut(&left, '\0');
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
        buf_add(key, "", 1);
    }
    if (key->n == 0)
        buf_add(key, "", 1);
}

/* false: the record has none of the fields, and adds no value. */
static bool counted_value(const struct correlation *k, const struct rule *r,
                          const struct finding *f, uint64_t *out)
{
    struct buf b = BUF_INIT(KEY_MAX);
    bool some = false;
    for (size_t i = 0; i < k->n_fields; i++) {
        struct str v = kept(r, f, k->fields[i]);
        some = some || v.n > 0;
        buf_str(&b, v);
        buf_add(&b, "", 1);
    }
    if (some)
        *out = map_hash(buf_view(&b));
    buf_clear(&b);
    return some;
}

/* -- counting -- */
/* Puts the event into the group. */
static void enter(struct correlator *c, const struct correlation *k, struct group *g,
                  struct entry e, uint32_t member)
{
    size_t n = k->n_rules;
    if (k->kind == CORR_EVENT_COUNT) {
        push_entry(c, g, e);
        return;
    }
    if (k->kind != CORR_TEMPORAL_ORDERED) {
        for (size_t i = g->from; i < g->n; i++) {
            if (g->v[i].value != e.value)
                continue;
            memmove(g->v + i, g->v + i + 1, (g->n - i - 1) * sizeof *g->v);
            g->n--;
            c->entries--;
            break;
        }
        push_entry(c, g, e);
        return;
    }
    while (g->n < 2 * n)
        push_entry(c, g, (struct entry){.time_ms = INT64_MIN});
    g->v[n + member].time_ms = e.time_ms;
    int64_t start = member == 0 ? e.time_ms : g->v[member - 1].time_ms;
    for (size_t m = member; m < n && start != INT64_MIN; m++) {
        /* Further on along other members that were seen at this very time. */
        if (m > member && (g->v[n + m].time_ms != e.time_ms || k->rules[m] == k->rules[member]))
            break;
        if (start > g->v[m].time_ms)
            g->v[m].time_ms = start;
        start = g->v[m].time_ms;
    }
}

static void expire(struct correlator *c, const struct correlation *k, struct group *g, int64_t now)
{
    if (k->kind == CORR_TEMPORAL_ORDERED) {
        for (size_t m = 0; m < k->n_rules && g->n > 0; m++) {
            if (g->v[m].time_ms < now - k->span_ms)
                g->v[m].time_ms = INT64_MIN;
        }
        return;
    }
    while (g->from < g->n && g->v[g->from].time_ms < now - k->span_ms) {
        g->from++;
        c->entries--;
    }
}

bool members_hold(const struct expr *e, uint64_t seen)
{
    if (e->kind == EXPR_TEST)
        return (seen >> e->test->path & 1) != 0;
    if (e->kind == EXPR_NOT)
        return !members_hold(e->kids[0], seen);
    for (size_t i = 0; i < e->n; i++) {
        if (members_hold(e->kids[i], seen) == (e->kind == EXPR_OR))
            return e->kind == EXPR_OR;
    }
    return e->kind != EXPR_OR;
}

static int64_t count(const struct correlation *k, const struct group *g)
{
    if (k->kind != CORR_TEMPORAL_ORDERED)
        return (int64_t)(g->n - g->from);
    int64_t n = 0;
    for (size_t m = 0; m < k->n_rules && g->n > 0; m++) {
        if (g->v[m].time_ms != INT64_MIN)
            n = (int64_t)m + 1;
    }
    return n;
}

static bool is_met(const struct correlation *k, const struct group *g, int64_t n)
{
    if (k->members == NULL)
        return n >= k->least && n <= k->most && n != k->not;
    uint64_t seen = 0;
    for (size_t i = g->from; i < g->n; i++)
        seen |= UINT64_C(1) << g->v[i].value;
    return members_hold(k->members, seen);
}

/* f as a finding of the correlation: its kept values in the correlation's own order. */
static void tell(struct correlator *c, uint32_t rule, const struct finding *f, int64_t n,
                 struct group *g, bool print)
{
    const struct rule *to = &c->rs->rules.v[rule], *from = &c->rs->rules.v[f->rule];
    struct finding out = *f;
    struct buf b = BUF_INIT(KEY_MAX * 4);
    char note[160];
    note_count(note, to->corr, n);
    for (size_t i = 0; i < to->n_keep; i++) {
        buf_str(&b, kept(from, f, to->keep[i]));
        buf_add(&b, "", 1);
    }
    out.rule = rule;
    out.text[F_NOTE] = str_c(note);
    out.text[F_KEPT] = b.n == 0 ? STR_NONE : buf_view(&b);
    bool counts = to->corr->kind == CORR_EVENT_COUNT || to->corr->kind == CORR_VALUE_COUNT;
    if (print && !to->hidden && counts && !to->corr->closing && hold(c, g, &out))
        print = false;
    see(c, &out, print);
    buf_clear(&b);
}

/* -- groups with an upper bound: judged when their time is over -- */
static void close_group(struct correlator *c, uint32_t rule, struct group *g)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    int64_t n = count(k, g);
    bool met = is_met(k, g, n);
    clear_entries(c, g);
    g->seen = 0;
    if (g->held == NULL || !met) {
        drop_held(c, g);
        return;
    }
    struct held *h = g->held;
    g->held = NULL; /* tell() may look at the group again through a chain */
    c->held_bytes -= h->bytes;
    tell(c, rule, &h->f, n, g, true);
    free(h);
}

static void feed_closing(struct correlator *c, uint32_t rule, struct group *g,
                         const struct finding *f, struct entry e, uint32_t member)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    if (g->seen > 0 && f->time_ms > g->first_ms + k->span_ms)
        close_group(c, rule, g);
    if (g->seen++ == 0)
        g->first_ms = f->time_ms;
    g->last_ms = f->time_ms;
    if (count(k, g) <= CORRELATION_COUNT_MAX)
        enter(c, k, g, e, member);
    if (!hold(c, g, f))
        c->over = true;
}

/* -- groups with a lower bound alone -- */
static void feed_open(struct correlator *c, uint32_t rule, struct group *g, const struct finding *f,
                      struct entry e, uint32_t member)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    if (g->met && f->time_ms > g->last_ms + k->span_ms)
        rest(c, k, g);
    if (g->seen > 0 && !g->met && f->time_ms > g->last_ms + k->span_ms)
        g->seen = 0;
    if (g->seen++ == 0)
        g->first_ms = f->time_ms;
    g->last_ms = f->time_ms;
    expire(c, k, g, f->time_ms);
    enter(c, k, g, e, member);
    int64_t n = count(k, g);
    if (!is_met(k, g, n))
        return;
    bool first = !g->met;
    clear_entries(c, g); /* once for each time that it fills */
    g->met = k->kind == CORR_EVENT_COUNT || k->kind == CORR_VALUE_COUNT;
    tell(c, rule, f, n, g, first);
}

/* All groups of a rule; what was met comes out. */
static void give_up(struct correlator *c, uint32_t rule)
{
    struct state *s = &c->of[rule];
    const struct map_slot *slot;
    c->over = true;
    for (size_t i = 0; (slot = map_each(&s->groups, &i)) != NULL;) {
        if (!c->rs->rules.v[rule].corr->closing)
            rest(c, c->rs->rules.v[rule].corr, slot->value);
    }
    forget(c, s);
}

/* Groups whose time is over go; if that is not enough, all. */
static void make_room(struct correlator *c, uint32_t rule, int64_t now)
{
    struct state *s = &c->of[rule];
    const struct correlation *k = c->rs->rules.v[rule].corr;
    struct map live = MAP_INIT;
    const struct map_slot *slot;
    for (size_t i = 0; (slot = map_each(&s->groups, &i)) != NULL;) {
        struct group *g = slot->value;
        if (g->last_ms >= now - k->span_ms) {
            map_put(&live, str_of(slot->key, slot->key_n), g);
            continue;
        }
        if (k->closing)
            close_group(c, rule, g);
        else
            rest(c, k, g);
        group_free(c, g);
    }
    map_clear(&s->groups);
    s->groups = live;
    if (live.n > CORRELATE_GROUPS_MAX / 2 || c->entries >= CORRELATE_ENTRIES_MAX)
        give_up(c, rule);
}

static struct group *group_of(struct correlator *c, uint32_t rule, struct str key, int64_t now)
{
    struct state *s = &c->of[rule];
    struct group *g = map_get(&s->groups, key);
    if (g != NULL)
        return g;
    if (s->groups.n >= CORRELATE_GROUPS_MAX)
        make_room(c, rule, now);
    g = calloc(1, sizeof *g);
    CHECK(g != NULL);
    map_put(&s->groups, key, g);
    return g;
}

static void feed_member(struct correlator *c, uint32_t rule, uint32_t member,
                        const struct finding *f)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    const struct rule *from = &c->rs->rules.v[f->rule];
    struct entry e = {.time_ms = f->time_ms, .value = member};
    if (k->kind == CORR_VALUE_COUNT && !counted_value(k, from, f, &e.value))
        return;
    struct buf key = BUF_INIT(KEY_MAX);
    group_key(k, from, member, f, &key);
    if (c->entries >= CORRELATE_ENTRIES_MAX)
        make_room(c, rule, f->time_ms);
    /* The hash of the values, 64 bits of SipHash under a random key, is the group's name: texts
     * that a record chooses take no memory. */
    uint64_t hash = map_hash(buf_view(&key));
    buf_clear(&key);
    struct group *g = group_of(c, rule, str_of((char *)&hash, sizeof hash), f->time_ms);
    if (k->closing)
        feed_closing(c, rule, g, f, e, member);
    else
        feed_open(c, rule, g, f, e, member);
}

static void feed(struct correlator *c, uint32_t rule, const struct finding *f)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    if (f->time_ms == INT64_MIN)
        return;
    /* The last first: a rule that is named twice in a row is two steps, not one. */
    for (size_t m = k->n_rules; m-- > 0;) {
        if (k->rules[m] != f->rule)
            continue;
        feed_member(c, rule, (uint32_t)m, f);
        if (k->kind != CORR_TEMPORAL_ORDERED)
            return;
    }
}

static void see(struct correlator *c, const struct finding *f, bool print)
{
    const struct rule *r = &c->rs->rules.v[f->rule];
    if (print && !r->hidden)
        c->out(c->ctx, f);
    if (c->users[f->rule] == NULL || c->depth >= DEPTH_MAX)
        return;
    c->depth++;
    for (const uint32_t *u = c->users[f->rule]; *u != UINT32_MAX; u++)
        feed(c, *u, f);
    c->depth--;
}

void correlator_see(void *correlator, const struct finding *f)
{
    see(correlator, f, true);
}

/* Members before those that name them: they may still tell. */
static void end_rule(struct correlator *c, uint32_t rule)
{
    const struct correlation *k = c->rs->rules.v[rule].corr;
    struct state *s = &c->of[rule];
    if (k == NULL || s->ended)
        return;
    s->ended = true;
    for (size_t m = 0; m < k->n_rules; m++) {
        if (k->rules[m] != UINT32_MAX)
            end_rule(c, k->rules[m]);
    }
    const struct map_slot *slot;
    for (size_t i = 0; (slot = map_each(&s->groups, &i)) != NULL;) {
        if (k->closing)
            close_group(c, rule, slot->value);
        else
            rest(c, k, slot->value);
    }
}

void correlator_end(struct correlator *c)
{
    for (uint32_t i = 0; i < c->rs->rules.n; i++)
        end_rule(c, i);
}

#include "baseline.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/json.h"
#include "../core/map.h"

static const char *const kinds[BASELINE_KINDS] = {"action", "region", "network", "agent", "hour"};

enum { WHO_BYTES = 512, VALUE_BYTES = 256, SAID_BYTES = 128, LATELY = 2048 };

/* Texts, each kept once and known by a number. */
struct names {
    struct arena *a;
    struct str *v;
    size_t n, cap, bytes;
    uint32_t *slots; /* number + 1; 0: free */
    size_t n_slots;
};

/* Numbers that are not 0: who did what. */
struct items {
    uint64_t *slots;
    size_t n, n_slots;
};

/* What was flagged, by the hash of its note (keyed: no one can choose it). */
struct flag {
    uint64_t hash; /* 0: free */
    uint32_t seconds; /* the earliest time, + 1 */
    bool told;
};

struct baseline {
    struct names who, what;
    struct items items;
    struct flag *flags;
    size_t n_flags, flag_slots;
    bool learning, full, flags_full;
    pthread_mutex_t lock; /* while learning of all of it, else of the flags */
    uint64_t (*lately)[LATELY]; /* by lane: hashes of what it just learned */
};

/* -- tables ------------------------------------------------------------------------------------ */
static size_t grown(size_t n, size_t slots)
{
    if (slots == 0)
        return 1024;
    return (n + 1) * 8 > slots * 7 ? slots * 2 : slots;
}

static uint32_t *name_slot(const struct names *t, struct str s)
{
    size_t i = map_hash(s) & (t->n_slots - 1);
    while (t->slots[i] != 0 && !str_eq(t->v[t->slots[i] - 1], s))
        i = (i + 1) & (t->n_slots - 1);
    return &t->slots[i];
}

/* UINT32_MAX: it is not there. */
static uint32_t name_find(const struct names *t, struct str s)
{
    uint32_t at = t->n_slots == 0 ? 0 : *name_slot(t, s);
    return at == 0 ? UINT32_MAX : at - 1;
}

/* UINT32_MAX: there is no room for it. */
static uint32_t name_put(struct names *t, struct str s)
{
    size_t slots = grown(t->n, t->n_slots);
    uint32_t at = name_find(t, s);
    if (at != UINT32_MAX)
        return at;
    if (t->n >= BASELINE_NAMES_MAX || t->bytes + s.n > BASELINE_TEXT_MAX)
        return UINT32_MAX;
    if (slots != t->n_slots) {
        free(t->slots);
        t->slots = calloc(slots, sizeof *t->slots);
        CHECK(t->slots != NULL);
        t->n_slots = slots;
        for (uint32_t i = 0; i < t->n; i++)
            *name_slot(t, t->v[i]) = i + 1;
    }
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 256 : t->cap * 2;
        t->v = reallocarray(t->v, t->cap, sizeof *t->v);
        CHECK(t->v != NULL);
    }
    t->v[t->n] = arena_str(t->a, s);
    t->bytes += s.n;
    *name_slot(t, s) = (uint32_t)t->n + 1;
    return (uint32_t)t->n++;
}

static void names_init(struct names *t)
{
    *t = (struct names){.a = arena_new(2 * BASELINE_TEXT_MAX)};
}

static void names_clear(struct names *t)
{
    free(t->v);
    free(t->slots);
    arena_free(t->a);
}

static uint64_t item_of(uint32_t who, int kind, uint32_t what)
{
    return (uint64_t)(who + 1) << 32 | (uint64_t)what << 3 | (uint64_t)kind;
}

static uint64_t *item_slot(const struct items *t, uint64_t item)
{
    size_t i = (item * 0x9E3779B97F4A7C15U >> 32) & (t->n_slots - 1);
    while (t->slots[i] != 0 && t->slots[i] != item)
        i = (i + 1) & (t->n_slots - 1);
    return &t->slots[i];
}

static bool item_is(const struct items *t, uint64_t item)
{
    return t->n_slots > 0 && *item_slot(t, item) == item;
}

/* False: there is no room for it. */
static bool item_put(struct items *t, uint64_t item)
{
    size_t slots = grown(t->n, t->n_slots);
    if (item_is(t, item))
        return true;
    if (t->n >= BASELINE_KEYS_MAX)
        return false;
    if (slots != t->n_slots) {
        struct items old = *t;
        t->slots = calloc(slots, sizeof *t->slots);
        CHECK(t->slots != NULL);
        t->n_slots = slots;
        for (size_t i = 0; i < old.n_slots; i++) {
            if (old.slots[i] != 0)
                *item_slot(t, old.slots[i]) = old.slots[i];
        }
        free(old.slots);
    }
    *item_slot(t, item) = item;
    t->n++;
    return true;
}

static struct flag *flag_slot(const struct baseline *b, uint64_t hash)
{
    size_t i = hash & (b->flag_slots - 1);
    while (b->flags[i].hash != 0 && b->flags[i].hash != hash)
        i = (i + 1) & (b->flag_slots - 1);
    return &b->flags[i];
}

static struct flag *flag_put(struct baseline *b, uint64_t hash)
{
    size_t slots = grown(b->n_flags, b->flag_slots);
    if (slots != b->flag_slots) {
        struct flag *old = b->flags;
        size_t n = b->flag_slots;
        b->flags = calloc(slots, sizeof *b->flags);
        CHECK(b->flags != NULL);
        b->flag_slots = slots;
        for (size_t i = 0; i < n; i++) {
            if (old[i].hash != 0)
                *flag_slot(b, old[i].hash) = old[i];
        }
        free(old);
    }
    struct flag *f = flag_slot(b, hash);
    b->n_flags += f->hash == 0;
    f->hash = hash;
    return f;
}

static uint64_t note_hash(struct str note)
{
    uint64_t h = map_hash(note);
    return h == 0 ? 1 : h;
}

/* -- making ------------------------------------------------------------------------------------ */
struct baseline *baseline_new(int lanes)
{
    struct baseline *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    b->lately = calloc((size_t)lanes, sizeof *b->lately);
    CHECK(b->lately != NULL);
    names_init(&b->who);
    names_init(&b->what);
    pthread_mutex_init(&b->lock, NULL);
    b->learning = true;
    return b;
}

void baseline_free(struct baseline *b)
{
    if (b == NULL)
        return;
    names_clear(&b->who);
    names_clear(&b->what);
    pthread_mutex_destroy(&b->lock);
    free(b->items.slots);
    free(b->flags);
    free(b->lately);
    free(b);
}

const char *baseline_over(const struct baseline *b)
{
    if (b->full)
        return "more behaviour than a baseline holds (400000 lines, 100000 principals and as many "
               "values, 8 MiB of text of each): what came later was left out";
    return b->flags_full ? "more new behaviour than is kept (220000): some of it is flagged more "
                           "than once"
                         : NULL;
}

/* -- seeing ------------------------------------------------------------------------------------ */
/* A role's session names come and go: the role is the one who acts. */
static struct str actor(struct str principal)
{
    ptrdiff_t at = str_find(principal, STR(":assumed-role/"));
    ptrdiff_t slash = str_rfind_char(principal, '/');
    if (at >= 0 && slash > at + 14)
        return str_take(principal, (size_t)slash);
    return principal;
}

/* The /24 of an IPv4 address, the /48 of an IPv6 one, or the name of a service. */
static struct str network(struct str address)
{
    ptrdiff_t dot = str_rfind_char(address, '.');
    if (dot > 0 && address.p[0] >= '0' && address.p[0] <= '9')
        return str_take(address, (size_t)dot);
    size_t colons = 0;
    for (size_t i = 0; i < address.n; i++) {
        if (address.p[i] == ':' && ++colons == 3)
            return str_take(address, i);
    }
    return address;
}

/* Without its version: "aws-cli/2.1 …" is aws-cli. */
static struct str program(struct str agent)
{
    for (size_t i = 0; i < agent.n; i++) {
        if (agent.p[i] == '/' || agent.p[i] == ' ')
            return str_take(agent, i);
    }
    return agent;
}

static bool learn_one(struct baseline *b, struct str who, int kind, struct str value)
{
    uint32_t p = name_put(&b->who, who);
    uint32_t v = p == UINT32_MAX ? p : name_put(&b->what, str_take(value, VALUE_BYTES));
    return v != UINT32_MAX && item_put(&b->items, item_of(p, kind, v));
}

static void learn(struct baseline *b, uint64_t *lately, struct str who, const struct str *values)
{
    uint64_t salt = map_hash(who);
    for (int k = 0; k < BASELINE_KINDS; k++) {
        if (values[k].n == 0)
            continue;
        /* Most records say nothing new: no lock for them. */
        uint64_t h = (salt * 31 + (uint64_t)k) * 0x9E3779B97F4A7C15U ^ map_hash(values[k]);
        if (lately[h % LATELY] == h)
            continue;
        pthread_mutex_lock(&b->lock);
        if (!learn_one(b, who, k, values[k]))
            b->full = true;
        pthread_mutex_unlock(&b->lock);
        lately[h % LATELY] = h;
    }
}

/* Of one second all are flagged: which comes first is decided when the findings are sorted, so that
 * it does not hang on the worker. */
static bool is_first(struct baseline *b, struct str note, int64_t time_ms)
{
    int64_t s = time_ms < 0 ? 0 : time_ms / 1000;
    uint32_t seconds = s >= UINT32_MAX - 1 ? UINT32_MAX : (uint32_t)s + 1;
    uint64_t hash = note_hash(note);
    bool first = true;
    pthread_mutex_lock(&b->lock);
    bool there = b->flag_slots > 0 && flag_slot(b, hash)->hash != 0;
    if (!there && b->n_flags >= BASELINE_FLAGS_MAX) {
        b->flags_full = true;
    } else {
        struct flag *f = flag_put(b, hash);
        first = !there || seconds <= f->seconds;
        if (first)
            f->seconds = seconds;
    }
    pthread_mutex_unlock(&b->lock);
    return first;
}

bool baseline_tell(struct baseline *b, struct str note)
{
    struct flag *f = b->flag_slots == 0 ? NULL : flag_slot(b, note_hash(note));
    if (f == NULL || f->hash == 0)
        return true;
    bool told = f->told;
    f->told = true;
    return !told;
}

static bool is_known(const struct baseline *b, uint32_t who, int kind, struct str value)
{
    uint32_t v = name_find(&b->what, str_take(value, VALUE_BYTES));
    return v != UINT32_MAX && item_is(&b->items, item_of(who, kind, v));
}

size_t baseline_see(struct baseline *b, int lane, struct arena *a, const struct finding *f,
                    struct str agent, struct str *out_notes)
{
    struct str who = str_take(actor(f->text[F_PRINCIPAL]), WHO_BYTES);
    char hour[8];
    struct time_parts t = time_parts_of(f->time_ms == INT64_MIN ? 0 : f->time_ms);
    snprintf(hour, sizeof hour, "%02d", t.hour % 24);
    const struct str values[BASELINE_KINDS] = {f->text[F_ACTION], f->text[F_REGION],
                                               network(f->text[F_ADDRESS]), program(agent),
                                               str_c(hour)};
    size_t n = 0;
    if (who.n == 0)
        return 0;
    if (b->learning) {
        learn(b, b->lately[lane], who, values);
        return 0;
    }
    uint32_t p = name_find(&b->who, who);
    if (p == UINT32_MAX) {
        /* One finding for a new principal, not one for all it does. */
        out_notes[0] = arena_fmt(a, "first seen principal %.*s", STR_ARG(who));
        return is_first(b, out_notes[0], f->time_ms) ? 1 : 0;
    }
    for (int k = 0; k < BASELINE_KINDS; k++) {
        if (values[k].n == 0 || is_known(b, p, k, values[k]))
            continue;
        out_notes[n] = arena_fmt(a, "first %s %.*s of %.*s", kinds[k],
                                 STR_ARG(str_take(values[k], SAID_BYTES)), STR_ARG(who));
        n += is_first(b, out_notes[n], f->time_ms) ? 1 : 0;
    }
    return n;
}

/* -- the file ---------------------------------------------------------------------------------- */
static struct str who_of(const struct baseline *b, uint64_t item)
{
    return b->who.v[(item >> 32) - 1];
}

static struct str what_of(const struct baseline *b, uint64_t item)
{
    return b->what.v[(uint32_t)item >> 3];
}

static int by_text(const void *x, const void *y, void *baseline)
{
    uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;
    int c = str_cmp(who_of(baseline, p), who_of(baseline, q));
    if (c == 0)
        c = (int)(p & 7) - (int)(q & 7);
    return c != 0 ? c : str_cmp(what_of(baseline, p), what_of(baseline, q));
}

static void write_line(struct buf *out, const struct baseline *b, uint64_t item)
{
    struct jw w = jw_to(out);
    jw_obj(&w);
    jw_ks(&w, "principal", who_of(b, item));
    jw_kc(&w, "kind", kinds[item & 7]);
    jw_ks(&w, "value", what_of(b, item));
    jw_end(&w);
    buf_char(out, '\n');
}

/* In the table's own room: it is of no more use. */
static void sort_items(struct baseline *b)
{
    struct items *t = &b->items;
    size_t n = 0;
    for (size_t i = 0; i < t->n_slots; i++) {
        if (t->slots[i] != 0)
            t->slots[n++] = t->slots[i];
    }
    t->n_slots = 0;
    if (n > 0)
        qsort_r(t->slots, n, sizeof *t->slots, by_text, b);
}

struct err *baseline_save(struct baseline *b, const char *path)
{
    sort_items(b);
    FILE *f = fopen(path, "wex");
    struct err *e = f == NULL ? err_errno(errno, "writing the baseline") : NULL;
    struct buf line = BUF_INIT(1 << 20);
    for (size_t i = 0; e == NULL && i < b->items.n; i++) {
        buf_reset(&line);
        write_line(&line, b, b->items.slots[i]);
        if (fwrite(line.p, 1, line.n, f) != line.n)
            e = err_errno(errno, "writing the baseline");
    }
    if (f != NULL && fclose(f) != 0 && e == NULL)
        e = err_errno(errno, "writing the baseline");
    if (e != NULL && f != NULL)
        unlink(path); /* half a baseline would flag the other half */
    buf_clear(&line);
    return e;
}

static struct err *load_line(struct baseline *b, struct arena *a, struct str line, size_t number)
{
    struct jv *v = NULL;
    struct err *e = json_parse(a, line, 4, &v);
    struct str who = jv_s(jv_get(v, "principal")), kind = jv_s(jv_get(v, "kind"));
    struct str value = jv_s(jv_get(v, "value"));
    int k = 0;
    while (e == NULL && k < BASELINE_KINDS && !str_is(kind, kinds[k]))
        k++;
    if (e != NULL || k == BASELINE_KINDS || who.p == NULL || value.p == NULL) {
        err_free(e);
        return err_new(ERR_INVALID, "The baseline's line %zu is not one of a baseline.", number);
    }
    if (!learn_one(b, str_take(who, WHO_BYTES), k, value))
        return err_new(ERR_LIMIT, "The baseline has more than %d lines, %d principals or values, "
                       "or 8 MiB of text.", BASELINE_KEYS_MAX, BASELINE_NAMES_MAX);
    return NULL;
}

enum { LINE_MAX_BYTES = 1 << 16, LINE_ARENA = 1 << 20 };

struct err *baseline_load(struct baseline *b, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return errno == ENOENT ? err_new(ERR_NOT_FOUND, "There is no baseline yet.")
                               : err_errno(errno, "reading the baseline");
    struct arena *a = arena_new(LINE_ARENA);
    char *line = malloc(LINE_MAX_BYTES);
    CHECK(line != NULL);
    struct err *e = NULL;
    for (size_t n = 1; e == NULL && fgets(line, LINE_MAX_BYTES, f) != NULL; n++) {
        e = load_line(b, a, str_trim(str_c(line)), n);
        arena_reset(a);
    }
    if (e == NULL && ferror(f))
        e = err_errno(errno, "reading the baseline");
    free(line);
    arena_free(a);
    fclose(f);
    b->learning = false;
    return e;
}

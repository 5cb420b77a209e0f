#include "rowcache.h"

#include "../core/map.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    BUCKETS = 2 * ROW_CACHE_ENTRIES,
    STAMP_AT = 1, /* behind the version: the data key's id, then the nonce */
    STAMP_SIZE = KEY_ID_SIZE + GCM_NONCE_SIZE + GCM_TAG_SIZE,
};

struct row_entry {
    struct row_entry *chain;         /* same bucket */
    struct row_entry *newer, *older; /* by use */
    _Atomic int refs;
    _Atomic uint64_t seen; /* the store showed this row after so many commits */
    uint64_t hash;
    const struct row_form *form;
    void *object;
    struct data_key *data_key;
    size_t bytes, key_n;
    unsigned char stamp[STAMP_SIZE];
    char key[];
};

struct row_cache {
    _Atomic uint64_t now, all_changed;
    _Atomic uint64_t changed[ROW_CACHE_SLOTS];
    _Atomic uint32_t changing[ROW_CACHE_SLOTS]; /* commits under way */
    pthread_mutex_t lock; /* guards all below */
    struct row_entry *bucket[BUCKETS];
    struct row_entry *newest, *oldest;
    size_t entries, bytes;
};

struct row_cache *row_cache_new(void)
{
    struct row_cache *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    pthread_mutex_init(&c->lock, NULL);
    atomic_store(&c->now, 1);
    return c;
}

void row_entry_unref(struct row_entry *e)
{
    if (e == NULL || atomic_fetch_sub(&e->refs, 1) > 1)
        return;
    e->form->free(e->object);
    data_key_unref(e->data_key);
    free(e);
}

const void *row_entry_object(const struct row_entry *e)
{
    return e->object;
}

/* -- what changed when ------------------------------------------------------------------------- */

/* FNV-1a: tables are few, and clients do not name them. */
unsigned row_slot(const char *table)
{
    uint32_t h = 2166136261u;
    for (const char *p = table; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return (h ^ h >> 16) % ROW_CACHE_SLOTS;
}

uint64_t row_cache_now(const struct row_cache *c)
{
    return atomic_load(&c->now);
}

static void raise_to(_Atomic uint64_t *to, uint64_t v)
{
    uint64_t had = atomic_load(to);
    while (had < v && !atomic_compare_exchange_weak(to, &had, v))
        ;
}

/* The next slot of the set at or after *i; false: none is left. */
static bool next_slot(const struct row_slots *slots, size_t *i)
{
    for (; *i < ROW_CACHE_SLOTS; *i = (*i | 63) + 1) {
        uint64_t left = slots->bits[*i / 64] >> *i % 64;
        if (left != 0) {
            *i += (size_t)__builtin_ctzll(left);
            return true;
        }
    }
    return false;
}

void row_cache_changing(struct row_cache *c, const struct row_slots *slots)
{
    for (size_t i = 0; next_slot(slots, &i); i++)
        atomic_fetch_add(&c->changing[i], 1);
}

void row_cache_changed(struct row_cache *c, const struct row_slots *slots)
{
    uint64_t mine = atomic_fetch_add(&c->now, 1) + 1;
    for (size_t i = 0; next_slot(slots, &i); i++) {
        raise_to(&c->changed[i], mine);
        atomic_fetch_sub(&c->changing[i], 1);
    }
}

void row_cache_all_changed(struct row_cache *c)
{
    raise_to(&c->all_changed, atomic_fetch_add(&c->now, 1) + 1);
}

bool row_entry_fresh(const struct row_cache *c, const struct row_entry *e, unsigned slot)
{
    /* The mark first: when it is found gone, its commit's count is there. */
    if (atomic_load(&c->changing[slot]) != 0)
        return false;
    uint64_t seen = atomic_load(&e->seen);
    return seen >= atomic_load(&c->changed[slot]) && seen >= atomic_load(&c->all_changed) &&
           !data_key_destroyed(e->data_key);
}

/* -- the entries ------------------------------------------------------------------------------- */

static void stamp_of(struct str stored, unsigned char out[STAMP_SIZE])
{
    CHECK(stored.n >= STAMP_AT + STAMP_SIZE);
    memcpy(out, stored.p + STAMP_AT, KEY_ID_SIZE + GCM_NONCE_SIZE);
    memcpy(out + KEY_ID_SIZE + GCM_NONCE_SIZE, stored.p + stored.n - GCM_TAG_SIZE, GCM_TAG_SIZE);
}

bool row_entry_confirm(struct row_entry *e, struct str stored, uint64_t seen)
{
    unsigned char stamp[STAMP_SIZE];
    if (stored.n < STAMP_AT + STAMP_SIZE || data_key_destroyed(e->data_key))
        return false;
    stamp_of(stored, stamp);
    if (memcmp(stamp, e->stamp, STAMP_SIZE) != 0)
        return false;
    raise_to(&e->seen, seen);
    return true;
}

static void unlink_use(struct row_cache *c, struct row_entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &c->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &c->oldest) = e->newer;
}

static void push_newest(struct row_cache *c, struct row_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static struct row_entry *lookup(struct row_cache *c, const struct row_form *form, struct str key,
                                uint64_t hash)
{
    struct row_entry *e = c->bucket[hash % BUCKETS];
    while (e != NULL && (e->hash != hash || e->form != form ||
                         !str_eq(str_of(e->key, e->key_n), key)))
        e = e->chain;
    return e;
}

struct row_entry *row_cache_find(struct row_cache *c, const struct row_form *form, struct str key)
{
    uint64_t hash = map_hash(key);
    pthread_mutex_lock(&c->lock);
    struct row_entry *e = lookup(c, form, key, hash);
    if (e != NULL) {
        atomic_fetch_add(&e->refs, 1);
        if (e != c->newest) {
            unlink_use(c, e);
            push_newest(c, e);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Under the lock; the cache's reference goes to the caller. */
static struct row_entry *take_out(struct row_cache *c, struct row_entry *e)
{
    struct row_entry **at = &c->bucket[e->hash % BUCKETS];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_use(c, e);
    c->entries--;
    c->bytes -= e->bytes;
    e->chain = NULL;
    return e;
}

static void put_in(struct row_cache *c, struct row_entry *e)
{
    struct row_entry **at = &c->bucket[e->hash % BUCKETS];
    e->chain = *at;
    *at = e;
    push_newest(c, e);
    c->entries++;
    c->bytes += e->bytes;
    atomic_fetch_add(&e->refs, 1);
}

struct row_entry *row_cache_put(struct row_cache *c, const struct row_form *form, struct str key,
                                struct str stored, uint64_t seen, struct data_key *d, void *object,
                                size_t bytes)
{
    struct row_entry *e = calloc(1, sizeof *e + key.n);
    CHECK(e != NULL);
    *e = (struct row_entry){.form = form, .object = object, .data_key = d, .key_n = key.n,
                            .hash = map_hash(key), .bytes = sizeof *e + key.n + bytes};
    atomic_init(&e->refs, 1);
    atomic_init(&e->seen, seen);
    stamp_of(stored, e->stamp);
    memcpy(e->key, key.p, key.n);
    struct row_entry *out = NULL; /* what goes, chained; freed outside the lock */
    pthread_mutex_lock(&c->lock);
    struct row_entry *there = lookup(c, form, key, e->hash);
    if (there == NULL || atomic_load(&there->seen) <= seen) {
        if (there != NULL)
            out = take_out(c, there);
        put_in(c, e);
    }
    while (c->entries > ROW_CACHE_ENTRIES || c->bytes > ROW_CACHE_BYTES) {
        struct row_entry *old = take_out(c, c->oldest);
        old->chain = out;
        out = old;
    }
    pthread_mutex_unlock(&c->lock);
    while (out != NULL) {
        struct row_entry *next = out->chain;
        row_entry_unref(out);
        out = next;
    }
    return e;
}

struct row_cache_stats row_cache_stats(struct row_cache *c)
{
    pthread_mutex_lock(&c->lock);
    struct row_cache_stats s = {c->entries, c->bytes};
    pthread_mutex_unlock(&c->lock);
    return s;
}

void row_cache_free(struct row_cache *c)
{
    if (c == NULL)
        return;
    while (c->oldest != NULL)
        row_entry_unref(take_out(c, c->oldest));
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Compiled policies by their text, so that a policy is parsed once and not at every call.
 *
 * A hash table with chains and a list in order of use. A hit costs a hash, a comparison of the text
 * and a short critical section; compiling happens outside of the lock. The lock is a leaf: nothing
 * is called under it but memory functions. */
#include "policy_internal.h"

#include "../core/map.h"

#include <pthread.h>

enum {
    BUCKETS = 2 * POLICY_CACHE_ENTRIES,
    ENTRY_OVERHEAD = 10 * 1024, /* the arena's first block, and the entry's own */
};

struct entry {
    struct entry *chain;        /* same bucket */
    struct entry *newer, *older;
    uint64_t hash;
    enum policy_kind kind;
    struct policy *policy;
    size_t bytes, text_n;
    char text[];
};

static struct {
    pthread_mutex_t lock;
    struct entry *bucket[BUCKETS];
    struct entry *newest, *oldest;
    struct policy_cache_stats stats;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct entry **slot_of(uint64_t hash)
{
    return &cache.bucket[hash % BUCKETS];
}

static void unlink_entry(struct entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &cache.newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &cache.oldest) = e->newer;
}

static void push_newest(struct entry *e)
{
    e->newer = NULL;
    e->older = cache.newest;
    *(cache.newest != NULL ? &cache.newest->newer : &cache.oldest) = e;
    cache.newest = e;
}

static void drop(struct entry *e)
{
    struct entry **at = slot_of(e->hash);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_entry(e);
    cache.stats.entries--;
    cache.stats.bytes -= e->bytes;
    policy_unref(e->policy);
    free(e);
}

/* A counted policy, or NULL. With the lock held. */
static struct policy *lookup(uint64_t hash, struct str json, enum policy_kind kind)
{
    for (struct entry *e = *slot_of(hash); e != NULL; e = e->chain) {
        if (e->hash != hash || e->kind != kind || !str_eq(str_of(e->text, e->text_n), json))
            continue;
        unlink_entry(e);
        push_newest(e);
        return policy_ref(e->policy);
    }
    return NULL;
}

static struct entry *entry_new(uint64_t hash, struct str json, enum policy_kind kind,
                               struct policy *p)
{
    struct entry *e = malloc(sizeof *e + json.n);
    CHECK(e != NULL);
    *e = (struct entry){.hash = hash, .kind = kind, .policy = policy_ref(p), .text_n = json.n};
    e->bytes = sizeof *e + json.n + p->bytes + ENTRY_OVERHEAD;
    memcpy(e->text, json.p, json.n);
    return e;
}

static void insert(struct entry *e)
{
    struct entry **at = slot_of(e->hash);
    e->chain = *at;
    *at = e;
    push_newest(e);
    cache.stats.entries++;
    cache.stats.bytes += e->bytes;
    while (cache.oldest != e && (cache.stats.entries > POLICY_CACHE_ENTRIES ||
                                 cache.stats.bytes > POLICY_CACHE_BYTES))
        drop(cache.oldest);
}

struct err *policy_compile_cached(struct str json, enum policy_kind kind, struct policy **out)
{
    if (json.n == 0 || json.n > POLICY_TEXT_MAX)
        return policy_compile(json, kind, out); /* for its error */
    uint64_t hash = map_hash(json) + (uint64_t)kind;
    pthread_mutex_lock(&cache.lock);
    struct policy *p = lookup(hash, json, kind);
    cache.stats.hits += p != NULL;
    cache.stats.misses += p == NULL;
    pthread_mutex_unlock(&cache.lock);
    if (p != NULL) {
        *out = p;
        return NULL;
    }
    TRY(policy_compile(json, kind, &p));
    struct entry *e = entry_new(hash, json, kind, p);
    pthread_mutex_lock(&cache.lock);
    struct policy *other = lookup(hash, json, kind); /* another thread may have been faster */
    if (other == NULL)
        insert(e);
    pthread_mutex_unlock(&cache.lock);
    if (other != NULL) {
        policy_unref(e->policy);
        free(e);
        policy_unref(p);
        p = other;
    }
    *out = p;
    return NULL;
}

struct policy_cache_stats policy_cache_stats(void)
{
    pthread_mutex_lock(&cache.lock);
    struct policy_cache_stats s = cache.stats;
    pthread_mutex_unlock(&cache.lock);
    return s;
}

void policy_cache_clear(void)
{
    pthread_mutex_lock(&cache.lock);
    while (cache.oldest != NULL)
        drop(cache.oldest);
    cache.stats = (struct policy_cache_stats){0};
    pthread_mutex_unlock(&cache.lock);
}

#include "map.h"

#include <pthread.h>
#include <sys/random.h>

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
    CHECK(getrandom(hash_key, sizeof hash_key, 0) == (ssize_t)sizeof hash_key);
}

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

#define SIP_ROUND                                                                                  \
    do {                                                                                           \
        v0 += v1, v1 = rotl(v1, 13), v1 ^= v0, v0 = rotl(v0, 32);                                  \
        v2 += v3, v3 = rotl(v3, 16), v3 ^= v2;                                                     \
        v0 += v3, v3 = rotl(v3, 21), v3 ^= v0;                                                     \
        v2 += v1, v1 = rotl(v1, 17), v1 ^= v2, v2 = rotl(v2, 32);                                  \
    } while (0)

/* SipHash-1-3 (Aumasson and Bernstein), little-endian words. */
uint64_t map_hash(struct str key)
{
    pthread_once(&hash_key_once, make_hash_key);
    uint64_t v0 = hash_key[0] ^ 0x736f6d6570736575u, v1 = hash_key[1] ^ 0x646f72616e646f6du;
    uint64_t v2 = hash_key[0] ^ 0x6c7967656e657261u, v3 = hash_key[1] ^ 0x7465646279746573u;
    size_t i = 0;
    for (; i + 8 <= key.n; i += 8) {
        uint64_t m;
        memcpy(&m, key.p + i, 8);
        v3 ^= m;
        SIP_ROUND;
        v0 ^= m;
    }
    uint64_t last = (uint64_t)key.n << 56;
    for (size_t j = 0; i + j < key.n; j++)
        last |= (uint64_t)(unsigned char)key.p[i + j] << (8 * j);
    v3 ^= last;
    SIP_ROUND;
    v0 ^= last;
    v2 ^= 0xff;
    SIP_ROUND;
    SIP_ROUND;
    SIP_ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

static struct map_slot *find(const struct map *m, struct str key, uint64_t hash)
{
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];
        if (s->key == NULL ||
            (s->hash == hash && str_eq(str_of(s->key, s->key_n), key)))
            return s;
    }
}

void *map_get(const struct map *m, struct str key)
{
    return m->cap == 0 ? NULL : find(m, key, map_hash(key))->value;
}

static void grow(struct map *m)
{
    struct map bigger = {.cap = m->cap == 0 ? 16 : m->cap * 2, .n = m->n};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    CHECK(bigger.slots != NULL);
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key != NULL)
            *find(&bigger, str_of(m->slots[i].key, m->slots[i].key_n), m->slots[i].hash) =
                m->slots[i];
    free(m->slots);
    *m = bigger;
}

void *map_put(struct map *m, struct str key, void *value)
{
    CHECK(value != NULL);
    if ((m->n + 1) * 4 > m->cap * 3)
        grow(m);
    uint64_t hash = map_hash(key);
    struct map_slot *s = find(m, key, hash);
    void *former = s->value;
    if (s->key == NULL) {
        s->key = malloc(key.n + 1);
        CHECK(s->key != NULL);
        if (key.n > 0)
            memcpy(s->key, key.p, key.n);
        s->key_n = key.n;
        s->hash = hash;
        m->n++;
    }
    s->value = value;
    return former;
}

void *map_del(struct map *m, struct str key)
{
    if (m->cap == 0)
        return NULL;
    struct map_slot *s = find(m, key, map_hash(key));
    if (s->key == NULL)
        return NULL;
    void *value = s->value;
    free(s->key);
    m->n--;
    /* Close the gap: move back every follower that may not stand behind an empty slot. */
    size_t gap = (size_t)(s - m->slots);
    for (size_t i = (gap + 1) & (m->cap - 1); m->slots[i].key != NULL;
         i = (i + 1) & (m->cap - 1)) {
        size_t home = m->slots[i].hash & (m->cap - 1);
        if (((i - home) & (m->cap - 1)) >= ((i - gap) & (m->cap - 1))) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (struct map_slot){0};
    return value;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map)MAP_INIT;
}

const struct map_slot *map_each(const struct map *m, size_t *i)
{
    while (*i < m->cap) {
        const struct map_slot *s = &m->slots[(*i)++];
        if (s->key != NULL)
            return s;
    }
    return NULL;
}

/* map.h: a hash map from bytes to pointers. Keys are copied; values are the caller's.
 *
 * SipHash with a random key of the process, so that clients cannot choose collisions. A lookup does
 * not allocate. Thread rule: one thread at a time (or a lock of the owner's). */
#ifndef WARD_CORE_MAP_H
#define WARD_CORE_MAP_H

#include "str.h"

struct map_slot {
    char *key; /* NULL: free */
    size_t key_n;
    uint64_t hash;
    void *value;
};

struct map {
    struct map_slot *slots;
    size_t cap, n; /* cap is 0 or a power of two */
};

#define MAP_INIT {.slots = NULL, .cap = 0, .n = 0}

void *map_get(const struct map *m, struct str key);             /* NULL: not there */
void *map_put(struct map *m, struct str key, void *value);      /* returns the former value */
void *map_del(struct map *m, struct str key);                   /* returns the value */
void map_clear(struct map *m);                                  /* not the values */

/* Every entry, in no order: for (size_t i = 0; (s = map_each(m, &i)) != NULL;) */
const struct map_slot *map_each(const struct map *m, size_t *i);

/* The hash by itself. */
uint64_t map_hash(struct str key);

#endif

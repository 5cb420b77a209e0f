/* rowcache.h: private to src/store: rows kept decoded between transactions (txn_look in store.h).
 *
 * What a transaction gets is never older than its snapshot: it may write the row back changed, and
 * the check at commit knows nothing of what it read here. Two ways to know:
 *
 *   - Nothing was committed to the row's table since the row was last looked at in the store, and
 *     nothing is being committed. Commits are counted: each table's slot (a hash of its name; two
 *     tables in one slot cost speed alone) is marked as changing before a commit can be visible;
 *     when it is, and before anybody is told of it, the count moves, the slot keeps it, and the
 *     mark goes. A row is noted with the count taken before the snapshot that showed it.
 *   - The stored bytes are the ones that were decoded: their nonce and tag, which no two seals
 *     share, are kept as a stamp. Then neither opening nor decoding is needed.
 *
 * Bounded by ROW_CACHE_ENTRIES and ROW_CACHE_BYTES, least used first out. Thread rule: safe from
 * any thread; the lock is a leaf and held for a search. Objects are immutable and counted. */
#ifndef WARD_STORE_ROWCACHE_H
#define WARD_STORE_ROWCACHE_H

#include "keyring.h"
#include "store.h"

/* Fewer than KEYRING_CACHED_MAX, since each entry holds its data key. */
enum { ROW_CACHE_ENTRIES = 1024, ROW_CACHE_BYTES = 2 * 1024 * 1024, ROW_CACHE_SLOTS = 256 };

struct row_cache;
struct row_entry;

struct row_cache *row_cache_new(void);
void row_cache_free(struct row_cache *c); /* NULL is fine */

/* A table's slot, and sets of slots. */
struct row_slots {
    uint64_t bits[ROW_CACHE_SLOTS / 64];
};
unsigned row_slot(const char *table);
static inline void row_slots_add(struct row_slots *s, unsigned slot)
{
    s->bits[slot / 64] |= (uint64_t)1 << slot % 64;
}
static inline bool row_slots_has(const struct row_slots *s, unsigned slot)
{
    return (s->bits[slot / 64] >> slot % 64 & 1) != 0;
}

/* The count of commits: taken before a snapshot, it says what that snapshot shows at least. */
uint64_t row_cache_now(const struct row_cache *c);
/* Around a commit, whatever its outcome. */
void row_cache_changing(struct row_cache *c, const struct row_slots *slots);
void row_cache_changed(struct row_cache *c, const struct row_slots *slots);
/* All that is kept must be looked at again: before what is stored may change by itself. */
void row_cache_all_changed(struct row_cache *c);

/* A reference, or NULL. */
struct row_entry *row_cache_find(struct row_cache *c, const struct row_form *form, struct str key);
/* Whether it can be given out without a look at the store. */
bool row_entry_fresh(const struct row_cache *c, const struct row_entry *e, unsigned slot);
/* The row was read in a snapshot taken after the count `seen`: whether it is still this one, which
 * is noted. */
bool row_entry_confirm(struct row_entry *e, struct str stored, uint64_t seen);
/* Takes `object` over; a reference for the caller. An older entry of the key goes. */
struct row_entry *row_cache_put(struct row_cache *c, const struct row_form *form, struct str key,
                                struct str stored, uint64_t seen, struct data_key *d, void *object,
                                size_t bytes);
void row_entry_unref(struct row_entry *e); /* NULL is fine */
const void *row_entry_object(const struct row_entry *e);

struct row_cache_stats {
    size_t entries, bytes;
};
struct row_cache_stats row_cache_stats(struct row_cache *c);

#endif

/* lookup.h: which rules a record's values call for, in time that does not grow with the rules.
 *
 * A rule that cannot hold unless one of some conditions does (needs.h) is put under each of them:
 * a whole text of a path under its hash, a piece of text among the grams of its path, a network
 * under its masked address. All are over-eager: the rule itself is asked afterwards.
 * Made once in an arena; read by all threads. */
#ifndef WARD_SCAN_LOOKUP_H
#define WARD_SCAN_LOOKUP_H

#include "needs.h"

struct lookup_maker;
struct lookup;

/* -- which of the paths that lookups wait at are there at all -- */
struct lookup_paths;
/* Lives in `a`, and grows with each condition that its makers are given. */
struct lookup_paths *lookup_paths_new(struct arena *a, const struct paths *ps);

struct seen {
    uint32_t record, looked;  /* in which the path was seen, and looked below of, last */
    uint32_t val, val_n, at;  /* if plain: its one value, as in struct field */
    bool plain;
};

struct recent; /* values that called for nothing: most come again and again */

struct lookup_seen { /* of one record; one for each worker */
    struct seen *v; /* by path */
    struct recent *recent;
    uint32_t record;
};
struct lookup_seen lookup_seen_new(const struct lookup_paths *lp);
void lookup_seen_free(struct lookup_seen *s);
/* Once for each record, before lookup_record(). */
void lookup_next(const struct lookup_paths *lp, struct lookup_seen *s);

/* The maker and what it makes live in `a`. */
struct lookup_maker *lookup_maker_new(struct arena *a, struct lookup_paths *lp); /* or NULL */
void lookup_add(struct lookup_maker *m, const struct cond *c, uint32_t rule);
/* NULL: nothing was added. `often`: records will be asked for it one after another, so that it is
 * worth remembering values. */
struct lookup *lookup_make(struct lookup_maker *m, bool often);

typedef void lookup_hit(void *ctx, uint32_t rule); /* a rule may come more than once */
void lookup_record(const struct lookup *l, const struct lookup_paths *lp, struct record *r,
                   struct lookup_seen *s, lookup_hit *hit, void *ctx);
/* What one value of a path calls for. */
void lookup_value(const struct lookup *l, uint32_t path, struct str s, lookup_hit *hit, void *ctx);

#endif

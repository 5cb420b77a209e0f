/* lookup.h: which rules a record's values call for, in time that does not grow with the rules.
 *
 * A rule that cannot hold unless one of some conditions does (needs.h) is put under each of them:
 * a whole text of a path under its hash, a piece of text among the grams of its path, a network
 * under its masked address. All are over-eager: the rule itself is asked afterwards.
 *
 * One lookup goes through the record. Others, of which only some are about a record, have gates in
 * it, that say where there is anything for any of them at all: seldom, as a rule.
 * Made once in an arena; read by all threads. */
#ifndef WARD_SCAN_LOOKUP_H
#define WARD_SCAN_LOOKUP_H

#include "needs.h"

struct lookup_maker;
struct lookup;

/* -- the paths that lookups wait at -- */
struct lookup_paths;
/* Lives in `a`, and grows with each condition that its makers are given. */
struct lookup_paths *lookup_paths_new(struct arena *a, const struct paths *ps);

struct seen {
    uint32_t record, called; /* in which the path was seen, and its value called for something */
    uint32_t val, val_n, at; /* if plain: its one value, as in struct field */
    bool plain;
};

struct recent; /* values that called for nothing: most come again and again */

struct lookup_seen { /* of one record; one for each worker */
    struct seen *v; /* by path */
    uint32_t *list, n; /* the paths, as they were seen */
    struct recent *recent;
    uint64_t quiet[2][RECORD_KNOWN]; /* by spread: ids of identities in which nothing called */
    uint32_t record, called; /* the last record, and that in which anything called */
    uint64_t calls;
};
struct lookup_seen lookup_seen_new(const struct lookup_paths *lp);
void lookup_seen_free(struct lookup_seen *s);

/* The maker and what it makes live in `a`. */
struct lookup_maker *lookup_maker_new(struct arena *a, struct lookup_paths *lp); /* or NULL */
void lookup_add(struct lookup_maker *m, const struct cond *c, uint32_t rule);
/* In the place of a rule: calls for what lookup_gated() looks at. */
enum { LOOKUP_GATE = UINT32_MAX };
/* NULL: nothing was added. `first`: lookup_record() will be asked, and see all of the paths. */
struct lookup *lookup_make(struct lookup_maker *m, bool first);

typedef void lookup_hit(void *ctx, uint32_t rule); /* a rule may come more than once */
/* Looks for words in the record's text as it stands. No gate can stand for this. */
void lookup_text(const struct lookup *l, struct record *r, lookup_hit *hit, void *ctx);
bool lookup_in_text(const struct lookup *l); /* is there any? */
/* The paths that are looked at, for a rule, and those around them: a bit for each path. */
const uint64_t *lookup_wants(const struct lookup *l);
size_t lookup_want_words(const struct lookup_paths *lp);
/* Looks at each path of the record that is in `want`: lookup_wants() of this one, and of those
 * that lookup_gated() will be asked for. */
void lookup_record(const struct lookup *l, const struct lookup_paths *lp, const uint64_t *want,
                   struct record *r, struct lookup_seen *s, lookup_hit *hit, void *ctx);
/* Behind that: looks at those paths whose values called there, for a gate or a rule. */
void lookup_gated(const struct lookup *l, struct record *r, struct lookup_seen *s,
                  lookup_hit *hit, void *ctx);
/* What one value of a path calls for. */
void lookup_value(const struct lookup *l, uint32_t path, struct str s, lookup_hit *hit, void *ctx);

#endif

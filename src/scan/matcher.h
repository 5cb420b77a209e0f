/* matcher.h: all rules of a set as one automaton, and a worker's view of it.
 *
 * What a record is, mostly, follows from five values: eventSource, eventName, errorCode, eventType
 * and userIdentity.type. For each combination met, the rules that hold or cannot hold are worked
 * out once and remembered. A rule that needs more than the five waits behind what it cannot hold
 * without, a text, a piece of one or a network at one path (lookup.h), among all rules of the set
 * or those of one of the five values; what has no such need is asked, with what the combination
 * already answered left out. So the cost of a record does not grow with the rules that are not
 * about it, and each rule's verdict is its own.
 *
 * Thread rule: a matcher is built by one thread and read by all; a struct match_worker belongs to
 * one thread. */
#ifndef WARD_SCAN_MATCHER_H
#define WARD_SCAN_MATCHER_H

#include "rules.h"

struct matcher;

struct err *matcher_new(const struct rules *rs, struct matcher **out_matcher) MUST_CHECK;
void matcher_free(struct matcher *m);

struct matcher_stats { /* gated: by a value; general: considered for every combination */
    size_t rules, by_name, by_source, general, gated;
};
struct matcher_stats matcher_stats(const struct matcher *m);

struct match_worker;
struct match_worker *match_worker_new(const struct matcher *m);
void match_worker_free(struct match_worker *w);

/* The rules that hold for the record, in no order; *out_n of them, valid until the next call. */
const uint32_t *match_record(struct match_worker *w, struct record *r, size_t *out_n);

/* One expression over the same paths, asked by itself (--where). */
bool match_one(struct match_worker *w, struct record *r, const struct expr *e);
struct asker *match_asker(struct match_worker *w, struct record *r);

#endif

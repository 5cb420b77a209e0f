/* matcher.h: all rules of a set as one automaton, and a worker's view of it.
 *
 * What a record is, mostly, follows from five values: eventSource, eventName, errorCode, eventType
 * and userIdentity.type. For each combination met, the rules that hold or cannot hold are worked
 * out once and remembered; only the others look at the record. Rules that are bound to none of the
 * five, but cannot match without one of some literals, wait until a scan of the whole text for all
 * such literals finds one. So the cost of a record does not grow with the rules that are not about
 * it, and each rule's verdict is its own.
 *
 * Thread rule: a matcher is built by one thread and read by all; a struct worker_match belongs to
 * one thread. */
#ifndef WARD_SCAN_MATCHER_H
#define WARD_SCAN_MATCHER_H

#include "rules.h"

struct matcher;

struct err *matcher_new(const struct rules *rs, struct matcher **out_matcher) MUST_CHECK;
void matcher_free(struct matcher *m);

struct matcher_stats {
    size_t rules, by_name, by_source, general, gated, literals;
};
struct matcher_stats matcher_stats(const struct matcher *m);

struct match_worker;
struct match_worker *match_worker_new(const struct matcher *m);
void match_worker_free(struct match_worker *w);

/* Before the records of a piece of text: the literals within it. */
void match_text(struct match_worker *w, const char *p, size_t n);

/* The rules that hold for the record, in no order; *out_n of them, valid until the next call. The
 * record must lie within the text of match_text(), after the one before. */
const uint32_t *match_record(struct match_worker *w, struct record *r, size_t *out_n);

/* One expression over the same paths, asked by itself (--where). */
bool match_one(struct match_worker *w, struct record *r, const struct expr *e);
struct asker *match_asker(struct match_worker *w, struct record *r);

#endif

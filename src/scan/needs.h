/* needs.h: what a rule cannot hold without, so that it is asked only where it can.
 *
 * A set of conditions says: unless one of them holds, the rule does not. Of a conjunction the
 * rarest such set is taken, of a disjunction all of them together; a negation has none. */
#ifndef WARD_SCAN_NEEDS_H
#define WARD_SCAN_NEEDS_H

#include "expr.h"

enum cond_kind {
    COND_WHOLE, /* a value of the path is the text, letters of either case alike */
    COND_PART,  /* … has the text within it; of path 0, the record's own text has */
    COND_NET,   /* … is an address of the network */
};

struct cond {
    uint32_t path;
    enum cond_kind kind;
    struct str text;
    const struct cidr *net;
    bool containers; /* the text of objects and lists counts too, as it stands and decoded */
};

struct conds {
    struct cond *v;
    size_t n; /* 0: none known */
    int rank; /* the higher, the fewer the records for which one of them holds */
};

/* Which paths may be asked: those of the tuple (and eventSource as EventBridge writes it), the
 * others, or both. */
enum { NEEDS_TUPLE = 1, NEEDS_VALUES = 2 };

enum { CONDS_MAX = 65536, PART_BYTES_MAX = 48 };

struct conds expr_needs(struct arena *a, const struct expr *e, const struct paths *ps, int where);

/* The slot of a path that NEEDS_TUPLE is about; -1: none. */
int needs_slot(const struct paths *ps, uint32_t path);

#endif

/* correlate.h: Sigma correlations over findings that come in the order of time.
 *
 * A lower bound alone is met the moment its count is reached within the timespan, and then counted
 * anew; of what goes on without a pause as long as the timespan, one finding comes out, at its
 * first time, with all that followed counted. An upper bound (lt, lte, eq, neq) is judged when the
 * timespan that began with a first event is over. Findings of correlations therefore come out of
 * order: sort them again. Events of one time count as in either order.
 *
 * Thread rule: one thread. State is bounded: expired groups go first, then all of the rule, and
 * correlator_over() says so. */
#ifndef WARD_SCAN_CORRELATE_H
#define WARD_SCAN_CORRELATE_H

#include "finding.h"
#include "rules.h"

enum { CORRELATE_GROUPS_MAX = 20000, CORRELATE_ENTRIES_MAX = 200000,
       CORRELATE_HELD_BYTES_MAX = 8 * 1024 * 1024 };

struct correlator;
struct correlator *correlator_new(const struct rules *rs, findings_see *out, void *ctx);
void correlator_free(struct correlator *c);
/* Hands on f, if its rule is not hidden, and each correlation that it completes. */
void correlator_see(void *correlator, const struct finding *f);
/* Behind the last finding: what is still open. Once. */
void correlator_end(struct correlator *c);
bool correlator_over(const struct correlator *c);

/* Does a condition over the rules of a correlation hold, of which those in `seen` were? */
bool members_hold(const struct expr *e, uint64_t seen);

#endif

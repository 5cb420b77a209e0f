/* correlate.h: Sigma correlations over findings that come in the order of time.
 *
 * Thread rule: one thread. State is bounded: the oldest of a group, and the least used groups, go
 * first, and correlator_over() says so. */
#ifndef WARD_SCAN_CORRELATE_H
#define WARD_SCAN_CORRELATE_H

#include "finding.h"
#include "rules.h"

struct correlator;
struct correlator *correlator_new(const struct rules *rs, findings_see *out, void *ctx);
void correlator_free(struct correlator *c);
/* Hands on f, if its rule is not hidden, and then each correlation that it completes. */
void correlator_see(void *correlator, const struct finding *f);
bool correlator_over(const struct correlator *c);

#endif

/* baseline.h: what each principal normally does, and what it does for the first time.
 *
 * Kept as JSON lines: principal, kind (action, region, network, agent, hour), value. A baseline
 * that was loaded is read by all workers; what each of them learns is its own until joined.
 * Thread rule: baseline_see() with one `lane` for each thread; the rest by one. */
#ifndef WARD_SCAN_BASELINE_H
#define WARD_SCAN_BASELINE_H

#include "finding.h"

enum { BASELINE_KEYS_MAX = 400000, BASELINE_KINDS = 5 };

struct baseline;

struct baseline *baseline_new(int lanes);
void baseline_free(struct baseline *b);
/* ERR_NOT_FOUND when there is no such file: then it learns. */
struct err *baseline_load(struct baseline *b, const char *path) MUST_CHECK;
struct err *baseline_save(struct baseline *b, const char *path) MUST_CHECK;
bool baseline_learned_all(const struct baseline *b); /* false: more than BASELINE_KEYS_MAX */

/* Learns, or answers with what is new: a note for each kind, in `a`, n of them. */
size_t baseline_see(struct baseline *b, int lane, struct arena *a, const struct finding *f,
                    struct str agent, struct str *out_notes);

#endif

/* baseline.h: what each principal normally does, and what it does for the first time.
 *
 * Kept as JSON lines: principal, kind (action, region, network, agent, hour), value. In memory each
 * text stands once, and a line is 8 bytes; what comes past the limits is left out, and said so.
 * Thread rule: baseline_see() with one `lane` for each thread; the rest by one. */
#ifndef WARD_SCAN_BASELINE_H
#define WARD_SCAN_BASELINE_H

#include "finding.h"

enum {
    BASELINE_KEYS_MAX = 400000, /* lines: 4 MiB */
    BASELINE_NAMES_MAX = 100000, /* principals, and as many values: 2 MiB of each, beside */
    BASELINE_TEXT_MAX = 8 * 1024 * 1024, /* their texts */
    BASELINE_FLAGS_MAX = 220000, /* of what is new: 4 MiB */
    BASELINE_KINDS = 5,
};

struct baseline;

struct baseline *baseline_new(int lanes);
void baseline_free(struct baseline *b);
/* ERR_NOT_FOUND when there is no such file: then it learns. */
struct err *baseline_load(struct baseline *b, const char *path) MUST_CHECK;
struct err *baseline_save(struct baseline *b, const char *path) MUST_CHECK;
/* Once, after the scan: nothing more can be learned. */
const char *baseline_over(const struct baseline *b); /* which limit was met; NULL: none */

/* Learns, or answers with what is new: a note for each kind, in `a`, n of them. */
size_t baseline_see(struct baseline *b, int lane, struct arena *a, const struct finding *f,
                    struct str agent, struct str *out_notes);

/* In the order of time: true for the first finding with this note. Each worker flagged its own. */
bool baseline_tell(struct baseline *b, struct str note);

#endif

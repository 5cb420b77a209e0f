/* finding.h: findings in order, however many, in bounded memory.
 *
 * Workers add findings in any order; each worker's buffer is sorted when full and written as a run
 * to a file without a name; many runs are merged in steps. findings_merge() gives them all in the
 * order of time, event, rule, file and offset, without the doubles that CloudTrail's deliveries
 * bring: equal rule, time and eventID. It can be called any number of times; doubles that were left
 * out in steps are told by the first call. Thread rule: findings_add with one `lane` for each
 * thread; the rest by one. */
#ifndef WARD_SCAN_FINDING_H
#define WARD_SCAN_FINDING_H

#include "../core/arena.h"
#include "../core/buf.h"

enum finding_text { F_EVENT_ID, F_PRINCIPAL, F_ADDRESS, F_ACTION, F_RESOURCE, F_ACCOUNT, F_REGION,
                    F_FILE, F_SHA256, F_KEPT, F_RECORD, F_NOTE, F_TEXTS };

struct finding {
    int64_t time_ms; /* INT64_MIN: the record has none that can be read */
    uint32_t rule;
    uint64_t offset;
    struct str text[F_TEXTS]; /* F_KEPT: values for correlations, each ended by a NUL */
};

struct findings;

struct err *findings_new(int lanes, size_t lane_bytes, struct findings **out) MUST_CHECK;
void findings_free(struct findings *fs);
struct err *findings_add(struct findings *fs, int lane, const struct finding *f) MUST_CHECK;

typedef void findings_see(void *ctx, const struct finding *f);
/* *out_doubles: how many were left out. */
struct err *findings_merge(struct findings *fs, findings_see *see, void *ctx, uint64_t *out_doubles)
    MUST_CHECK;

#endif

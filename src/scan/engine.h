/* engine.h: the scan itself: workers over files, findings into lanes, faults and counts.
 *
 * Thread rule: one thread calls engine_run(); `progress` is called by that thread. */
#ifndef WARD_SCAN_ENGINE_H
#define WARD_SCAN_ENGINE_H

#include "finding.h"
#include "matcher.h"
#include "source.h"

struct baseline;

struct engine_filter {
    int64_t since_ms, until_ms; /* INT64_MIN, INT64_MAX: all */
    struct str principal, event, account, region; /* wildcards; STR_NONE: any */
    struct expr *where;
};

struct fault {
    char *file, *text;
    uint64_t offset;
};

struct engine_counts {
    uint64_t files, bytes_in, bytes_out, records, skipped, faults;
    char first[32], last[32]; /* eventTime as written; "" for none */
};

struct engine {
    const struct rules *rules;
    struct matcher *matcher;
    struct engine_filter filter;
    struct findings *findings;
    struct baseline *baseline; /* NULL: none */
    uint32_t baseline_rule;
    bool keep_records; /* with the findings, for --show and reports */
    bool strict;       /* check every record as JSON, not only those that a rule names */
    int threads;
    /* results */
    struct engine_counts counts;
    struct fault *fault_list;
    size_t n_faults;
    void (*progress)(void *ctx, const struct engine_counts *so_far);
    void *progress_ctx;
};

enum { ENGINE_THREADS_MAX = 64, FAULTS_LISTED_MAX = 10000 };

/* Where a finding's columns come from. Interned before the matcher is made. */
void engine_paths(struct rules *rs);
struct err *engine_run(struct engine *en, struct scan_source source, struct source_notes *notes)
    MUST_CHECK;
void engine_matched(struct engine *en); /* the matcher is needed no more */
void engine_clear(struct engine *en);
void engine_fault(void *engine, const char *name, const char *what);

/* Fills what a record says of itself: principal, address and so on. Texts live as long as the
 * record. */
void engine_describe(const struct rules *rs, struct record *r, struct finding *out);

#endif

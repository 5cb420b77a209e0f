/* scan_int.h: what the three commands share. Private to scan. Thread rule: the main thread. */
#ifndef WARD_SCAN_SCAN_INT_H
#define WARD_SCAN_SCAN_INT_H

#include "engine.h"

struct err *scan_source_of(char *const *paths, size_t n, bool digests, struct source_notes *notes,
                           struct scan_source *out) MUST_CHECK;
void scan_print_rule_faults(const struct rules *rs);
void scan_print_faults(const struct engine *en);

#endif

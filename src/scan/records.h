/* records.h: what simdjson does for the scanner. Thread rule: safe from any thread. */
#ifndef WARD_SCAN_RECORDS_H
#define WARD_SCAN_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

bool records_utf8_valid(const char *p, size_t n);

/* Is the text one valid JSON document? NULL, or why not (static). */
const char *records_fault(const char *p, size_t n);

#ifdef __cplusplus
}
#endif

#endif

/* wrap.h: records that stand within something else, as tools export them.
 *
 * EventBridge's envelopes, what lookup-events and filter-log-events print, subscriptions and
 * exports of CloudWatch Logs, Elasticsearch's and Splunk's exports; and how to tell that a file is
 * something else altogether. Nothing here is on the way of CloudTrail's own files. Thread rule:
 * safe from any thread. */
#ifndef WARD_SCAN_WRAP_H
#define WARD_SCAN_WRAP_H

#include "split.h"

enum { WRAP_DEPTH_MAX = 4, WRAP_STAMP_MAX = 40, WRAP_HEADING_MAX = 4096 };

enum wrap { WRAP_NONE, WRAP_OBJECT, WRAP_TEXT, WRAP_NOTICE };

struct wrapped {
    size_t at;       /* WRAP_OBJECT: its brace in split.at */
    struct str text; /* WRAP_TEXT: the string as it stands, without its quotes */
};

/* What the object at split.at[i] holds. WRAP_NOTICE: a line that its tool puts in, no record. */
enum wrap wrap_find(const char *p, const struct split *sp, size_t i, struct wrapped *out);

/* Does the object at split.at[i], which need not be whole, hold a list of records or envelopes?
 * *list is its bracket in split.at, *depth how many brackets are open around what is in it, less
 * one. Not if it is a record itself. */
bool wrap_list(const char *p, const struct split *sp, size_t i, size_t *list, int *depth);

/* Is it a digest of CloudTrail's? */
bool wrap_is_digest(const char *p, const struct split *sp, size_t i);

/* The bytes of a time that stands in front of a record, with the blanks behind it; 0: none. */
size_t wrap_stamp(const char *p, size_t n);

/* Of a file's beginning: what it is, if that is known and no JSON; or NULL. */
const char *wrap_foreign(const char *p, size_t n);

/* Is its first line the heading of a table (CSV) with the columns of records? */
bool wrap_is_table(const char *p, size_t n);

#endif

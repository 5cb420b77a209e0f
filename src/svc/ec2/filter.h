/* filter.h: the filters of Describe calls, as paths into what is described.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html: values of one filter
 * are alternatives, filters must all hold; '*' is any text, '?' one character, a backslash takes
 * the next character as it is; names and values are compared with their case.
 *
 * A path is member names with dots ("Associations.SubnetId"); lists on the way mean any of their
 * elements. Booleans compare as "true" and "false", numbers in decimal.
 * Thread rule: pure functions. */
#ifndef WARD_SVC_EC2_FILTER_H
#define WARD_SVC_EC2_FILTER_H

#include "core/json.h"

enum {
    FILTERS_MAX = 50,
    FILTER_VALUES_MAX = 200, /* in one call, as AWS */
};

struct filter_def { /* a table of them ends with a zero row */
    const char *name; /* "association.subnet-id" */
    const char *path; /* "Associations.SubnetId" */
};

struct filter {
    struct str name;
    const struct str *values;
    size_t n;
};

bool filter_wildcard(struct str pattern, struct str s);

/* Whether anything at the path has this text. */
bool path_has(const struct jv *v, const char *path, struct str text);

/* Names that are not in the table, and too many: InvalidParameterValue, FilterLimitExceeded.
 * "tag:KEY" and "tag-key" go with every table. */
struct err *filters_check(const struct filter_def *defs, const struct filter *f, size_t n)
    MUST_CHECK;
bool filters_match(const struct filter_def *defs, const struct filter *f, size_t n,
                   const struct jv *item);

#endif

/* filter.h: filter patterns of CloudWatch Logs, compiled once and matched against messages.
 *
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 *
 *   text             a b (all of them)   ?a ?b (any of them)   -a (none of them)   "a phrase"
 *   JSON             { $.a.b[0] = "x*" && ( $.n >= 4 || $.c NOT EXISTS ) }
 *   space-delimited  [ip, ..., status = 4* && status != 403, bytes > 1000]
 *
 * A JSON selector that finds nothing, an array or an object matches no comparison, not even !=.
 * Any-of terms count only where no term is required. Regular expressions (between %) are refused.
 *
 * A compiled filter lives in the arena and is immutable. Limits: FILTER_*. Errors: ERR_INVALID
 * InvalidParameterException with what is wrong. Thread rule: pure functions. */
#ifndef WARD_SVC_LOGS_FILTER_H
#define WARD_SVC_LOGS_FILTER_H

#include "core/json.h"

enum {
    FILTER_TEXT_MAX = 1024,
    FILTER_DEPTH_MAX = 16,   /* parentheses within parentheses */
    FILTER_FIELDS_MAX = 128, /* of a space-delimited pattern, and of a message that it reads */
    FILTER_PATH_MAX = 32,    /* steps of one JSON selector */
};

struct filter;

struct err *filter_compile(struct arena *a, struct str pattern, struct filter **out) MUST_CHECK;

/* `scratch` is for reading JSON messages; the caller resets it when it likes. */
bool filter_match(const struct filter *f, struct arena *scratch, struct str message);

#endif

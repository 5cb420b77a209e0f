/* filter.h: SNS filter policies: whether a message is for a subscription.
 *
 * https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
 * https://docs.aws.amazon.com/sns/latest/dg/string-value-matching.html and numeric-value-matching
 *
 * A policy is a JSON object: every key must match (AND), any condition of its array may (OR), and
 * "$or" holds alternatives. Conditions: a string, number, boolean or null; {"prefix"}, {"suffix"}
 * (each of a text or of {"equals-ignore-case"}), {"equals-ignore-case"}, {"wildcard"}, {"cidr"},
 * {"numeric": [op, n, op, n]}, {"exists"}, {"anything-but"} of a value, a list, or one of prefix,
 * suffix, equals-ignore-case, wildcard (of a text or a list of texts).
 *
 * A policy over the message's body may nest; an array in the message matches by any of its
 * elements, and keys that a policy nests together are looked for in one and the same element.
 *
 * Limits: the enum. Errors: ERR_INVALID with what is wrong, for the client. Thread rule: pure
 * functions. */
#ifndef WARD_SVC_SNS_FILTER_H
#define WARD_SVC_SNS_FILTER_H

#include "core/json.h"

enum {
    FILTER_TEXT_MAX = 256 * 1024,
    FILTER_DEPTH_MAX = 16,
    FILTER_KEYS_MAX = 5,
    FILTER_COMBINATIONS_MAX = 150, /* product of the counts of conditions; with depth, for a body */
    FILTER_WILDCARDS_MAX = 8,      /* stars in one wildcard */
    FILTER_BODY_DEPTH_MAX = 64,    /* of a message; a deeper one matches nothing */
};

enum filter_scope { FILTER_ATTRIBUTES = 1, FILTER_BODY };

/* Parses and checks; *out is the policy as a tree in the arena. */
struct err *filter_parse(struct arena *a, struct str text, enum filter_scope scope,
                         struct jv **out) MUST_CHECK;

struct filter_attribute { /* of a message */
    struct str name, type; /* "String", "Number", "String.Array", "Binary", with a custom label */
    struct str value;
};

/* `policy` comes from filter_parse. The arena is for what is parsed on the way. */
bool filter_match_attributes(struct arena *a, const struct jv *policy,
                             const struct filter_attribute *v, size_t n);
/* The body as a tree; NULL: it is none that a policy could match. One tree serves many policies. */
const struct jv *filter_body(struct arena *a, struct str body);
bool filter_match_body(const struct jv *policy, const struct jv *body);

#endif

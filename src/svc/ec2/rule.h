/* rule.h: rules of security groups, between rule.c and group.c. */
#ifndef WARD_SVC_EC2_RULE_H
#define WARD_SVC_EC2_RULE_H

#include "room.h"

/* One row for each peer of a request's permissions, with ids of their own, not yet in the group. */
struct err *rules_read(struct call *c, const struct jv *group, bool egress,
                       const struct ec2_IpPermissionList *list, struct rows *out) MUST_CHECK;
/* The place of the rule with the same direction, protocol, ports and peer; -1: none. */
ptrdiff_t rule_at(const struct jv *rules, const struct jv *rule);
struct err *rule_duplicate(struct call *c, const struct jv *rule) MUST_CHECK;

#endif

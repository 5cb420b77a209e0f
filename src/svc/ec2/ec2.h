/* ec2.h: the EC2 room: networks, addresses and instances as rows and rules.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html (2016-11-15). No packet is
 * filtered and no machine is started: what is here is the control plane, with AWS's constraints.
 *
 *   ops.c       one row for each operation      access.c   what the needs are about
 *   begin.c     input checks, DryRun            kinds.c    the facts of each kind, its filters
 *   thing.c     rows, ids, counts, locks        parts.c    JSON by member names
 *   describe.c  every Describe call             tags.c     tags
 *   filter.c    filters                         cidr.c     address blocks
 *   vpc.c subnet.c gateway.c route.c acl.c group.c rule.c dhcp.c address.c zone.c
 *   token.c     client tokens
 *   run.c state.c attribute.c    instances: made, moved between states, changed
 *
 * A thing's row is a JSON document with the members of AWS's shape, by the model's names; what is
 * ours alone begins with a small letter and is left out of answers. So describing, filtering and
 * tagging are one piece of code each, driven by kinds.c.
 *
 * Tables (owner "ACCOUNT"; keys begin with account, region):
 *   ec2.vpc ec2.subnet ec2.gateway ec2.routes ec2.acl ec2.group ec2.dhcp ec2.address ec2.instance
 *                  …, id          -> the thing
 *   ec2.lock       …, VPC id      -> a count: every change within a VPC reads and writes it, so
 *                                    that what one call looked through no other changed meanwhile
 *   ec2.count      …, kind        -> how many there are
 *   ec2.assoc      …, association id, or rule id -> {kind,id}: whose it is
 *   ec2.ip         …, subnet id, address (u32) -> instance id
 *   ec2.public     address (u32)  -> account: one for the whole installation
 *   ec2.userdata   …, instance id -> what the instance was given
 *   ec2.token      …, client token -> {hash,id}
 *   ec2.state      …, time, instance id -> {instance,state}: outbox, for the event bus; kept a day
 */
#ifndef WARD_SVC_EC2_EC2_H
#define WARD_SVC_EC2_EC2_H

#include "api/api.h"

enum {
    EC2_VPCS_MAX = 100, /* for each account and Region */
    EC2_SUBNETS_MAX = 1000,
    EC2_GATEWAYS_MAX = 100,
    EC2_ROUTE_TABLES_MAX = 1000,
    EC2_ACLS_MAX = 1000,
    EC2_GROUPS_MAX = 2500,
    EC2_DHCP_MAX = 1000,
    EC2_ADDRESSES_MAX = 100,
    EC2_INSTANCES_MAX = 1000,
    EC2_ROUTES_MAX = 500,      /* of one table */
    EC2_ACL_ENTRIES_MAX = 20,  /* each way, without the last */
    EC2_RULES_MAX = 60,        /* each way, of one group */
    EC2_GROUPS_PER_INSTANCE = 5,
    EC2_TAGS_MAX = 50,
    EC2_TAG_KEY_MAX = 128,
    EC2_TAG_VALUE_MAX = 256,
    EC2_IDS_MAX = 1000,        /* named in one call */
    EC2_PAGE_MAX = 1000,
    EC2_ID_TEXT_MAX = 64,
    EC2_USER_DATA_MAX = 16384,
    EC2_STEP_MS = 1000,        /* an instance's time between two states */
    EC2_GONE_MS = 3600 * 1000, /* how long a terminated instance is seen */
    EC2_OUTBOX_MS = 24 * 3600 * 1000,
};

extern const struct room ec2_room;

#endif

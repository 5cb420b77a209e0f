/* instance.h: between the files that know instances. */
#ifndef WARD_SVC_EC2_INSTANCE_H
#define WARD_SVC_EC2_INSTANCE_H

#include "room.h"

/* run.c */
struct err *user_data_put(struct call *c, struct str instance_id, struct str base64) MUST_CHECK;
struct err *user_data_get(struct call *c, struct str instance_id, struct str *out_base64)
    MUST_CHECK;
struct err *user_data_drop(struct call *c, struct str instance_id) MUST_CHECK;
/* The groups named, or the VPC's default one, as a list of GroupIdentifier. */
struct err *groups_read(struct call *c, struct str vpc_id, struct str subnet_id,
                        const struct str *ids, size_t n, struct jv **out) MUST_CHECK;

#endif

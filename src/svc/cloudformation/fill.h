/* fill.h: the small language of steps' inputs (types.h). Thread rule: one thread for each act. */
#ifndef WARD_SVC_CLOUDFORMATION_FILL_H
#define WARD_SVC_CLOUDFORMATION_FILL_H

#include "types.h"

/* "p.A.B|other", without the '$' before it. NULL: absent. */
const struct jv *fill_lookup(struct arena *a, const struct act *x, const struct jv *element,
                             struct str expr);
/* A string of a table: "$…", "%…", "=…", or as it stands. NULL: absent. */
const struct jv *fill_text(struct arena *a, const struct act *x, const struct jv *element,
                           struct str s);
/* The input of a step. */
struct err *fill_input(struct arena *a, const struct act *x, const struct jv *element,
                       const char *in, const struct jv **out) MUST_CHECK;
/* "Subnet.SubnetId", "Instances.0.InstanceId", "Associations.?SubnetId.Id" (the element whose
 * SubnetId is the property's) in an output. NULL: absent. */
const struct jv *fill_path(const struct act *x, const struct jv *v, struct str path);

#endif

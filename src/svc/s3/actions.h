/* actions.h: what actions and resources of a bucket's policy are about. Pure functions. */
#ifndef WARD_S3_ACTIONS_H
#define WARD_S3_ACTIONS_H

#include "../../core/str.h"

enum { S3_ON_BUCKET = 1, S3_ON_OBJECT = 2 };

/* Of an action ("s3:Get*", "*"): either, both, or 0 when no action of a bucket's policy is meant.
 */
unsigned s3_action_scope(struct str action);
/* Of a resource: 0 when it is not of the bucket. A wildcard may stand for the bucket and for what
 * is in it. */
unsigned s3_resource_scope(struct str bucket_arn, struct str resource);

#endif

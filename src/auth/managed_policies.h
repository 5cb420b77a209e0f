/* managed_policies.h: the AWS managed policies that Ward knows, by ARN.
 *
 * Those that are small and concern services of Ward; of ReadOnlyAccess and SecurityAudit the part
 * about services that Ward has or will have, since that of others says nothing here. Any other ARN
 * of AWS's is unknown: attaching it answers NoSuchEntity, since granting less, or more, than AWS
 * would be a lie either way.
 * https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
 * Thread rule: immutable. */
#ifndef WARD_AUTH_MANAGED_POLICIES_H
#define WARD_AUTH_MANAGED_POLICIES_H

#include "../core/str.h"

struct managed_policy {
    const char *arn, *path, *name;
    const char *version;          /* the default version: the only one there is here */
    const char *created, *updated; /* ISO 8601 */
    const char *document;
};

const struct managed_policy *managed_policy_find(struct str arn); /* NULL: not known */
const struct managed_policy *managed_policy_at(size_t i);         /* NULL: past the end */

#endif

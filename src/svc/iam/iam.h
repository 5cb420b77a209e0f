/* iam.h: the IAM room: users, roles, groups, policies, access keys, instance profiles.
 *
 * https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html (2010-05-08, query protocol).
 * It writes the rows that the identity engine (auth/identity.h) reads at every call, so a change
 * takes effect with its commit. Limits are AWS's defaults, below:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 *
 *   ops.c       one row for each operation
 *   targets.c   what the needs are about: ARNs and condition keys
 *   entity.c    what users, roles, groups, policies and profiles have in common
 *   page.c      pages over rows and over lists within a row      parts.c  small things, tags
 *   users.c keys.c roles.c groups.c profiles.c account.c         one idea each
 *   policies.c versions.c   managed policies      attach.c  …on whom      inline.c  inline policies
 *
 * Tables: those of auth/identity.h, and
 *   iam.profile  account, name       -> {name,path,id,arn,created_ms,tags,roles:[name]}
 *   iam.uses     account, policy ARN -> {name,attachments,boundaries}: how often it is used
 *   iam.alias    alias               -> account
 * A group's row counts its members, a role's the profiles it is in, the account's what it has of
 * each kind: so a deletion and what would make it wrong meet in one row, and one of them runs
 * again. */
#ifndef WARD_SVC_IAM_H
#define WARD_SVC_IAM_H

#include "api/api.h"

enum {
    IAM_USERS_MAX = 5000,
    IAM_ROLES_MAX = 1000,
    IAM_GROUPS_MAX = 300,
    IAM_POLICIES_MAX = 1500,
    IAM_PROFILES_MAX = 1000,
    IAM_KEYS_PER_USER = 2,
    IAM_GROUPS_PER_USER = 10,
    IAM_ATTACHED_MAX = 10,          /* managed policies on a user, role or group */
    IAM_VERSIONS_MAX = 5,           /* of a managed policy */
    IAM_TAGS_MAX = 50,
    IAM_POLICY_CHARS = 6144,        /* managed policy; white space is not counted, here and below */
    IAM_USER_INLINE_CHARS = 2048,   /* all inline policies of a user together */
    IAM_ROLE_INLINE_CHARS = 10240,
    IAM_GROUP_INLINE_CHARS = 5120,
    IAM_TRUST_CHARS = 2048,
    IAM_SESSION_LEAST_S = 3600,     /* MaxSessionDuration of a role */
    IAM_SESSION_MOST_S = 43200,
    IAM_PAGE_DEFAULT = 100,
};

extern const struct room iam_room;

#endif

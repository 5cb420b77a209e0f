/* principals.h: the users and roles that a resource's policy names, kept by their unique ids.
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
 * A policy that names a user or a role by its ARN means the one that is there when the policy is
 * put. Who is deleted and made again under the same name is somebody else; who gets another name
 * stays the one meant. So a room keeps two texts: the document as it was given, to be shown, and
 * the bound one, to be evaluated: roles' trust policies, and the policies of keys, buckets, topics,
 * queues and functions. A text that is changed in part (AddPermission) is taken as it is shown, so
 * that who is gone stays an id and is never bound anew.
 *
 * ARNs of accounts that this installation does not have, of sessions and of accounts themselves
 * stay as they are. Thread rule: that of the transaction. */
#ifndef WARD_AUTH_PRINCIPALS_H
#define WARD_AUTH_PRINCIPALS_H

#include "identity.h"

/* A document that policy_compile() has taken, with ids for the ARNs of its principals, in the
 * arena; STR_NONE when it names none. MalformedPolicyDocument 400 when one of them is not there. */
struct err *principals_bind(struct txn *t, struct arena *a, struct str document,
                            struct str *out_bound) MUST_CHECK;

/* How the document is shown: as it was given, with the ids of those whom its ARNs no longer name.
 * `bound` empty: just as it was given. */
struct err *principals_shown(struct txn *t, struct arena *a, struct str document, struct str bound,
                             struct str *out) MUST_CHECK;

/* The bound form kept in the member "policy_bound" of the row whose policy the document is; what
 * stood there goes. *out_known false: it names somebody who is not there, for which each service
 * has an error of its own, and nothing is kept. Errors: the store's. */
struct err *principals_keep(struct txn *t, struct arena *a, struct jv *row, struct str document,
                            bool *out_known) MUST_CHECK;
/* The text to evaluate: the row's bound one, or the document itself when it names nobody or is
 * none. */
struct str principals_in_force(const struct jv *row, struct str document);
/* principals_shown() of such a row. */
struct err *principals_shown_of(struct txn *t, struct arena *a, const struct jv *row,
                                struct str document, struct str *out) MUST_CHECK;

/* Whether a role's trust policy lets a service assume it on behalf of `account`; `source_arn`: what
 * the service acts for (aws:SourceArn), or STR_NONE. To be asked each time before a service acts as
 * a role that it was given, since the trust may have been taken back. AccessDenied 403. */
struct err *principals_check_trust(struct txn *t, struct arena *a, struct str role_arn,
                                   struct str service, struct str account,
                                   struct str source_arn) MUST_CHECK;

#endif

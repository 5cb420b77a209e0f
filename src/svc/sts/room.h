/* room.h: private to the STS room. */
#ifndef WARD_SVC_STS_ROOM_H
#define WARD_SVC_STS_ROOM_H

#include "sts.h"
#include "sts_model.h"

/* assume.c */
struct err *sts_target_role(struct call *c, struct target *out); /* with its trust policy */

/* tags.c: the tags of a new session: those asked for and those handed on by the caller's own
 * session. *out_tags {key:value} and *out_transitive [key], NULL when there are none. */
struct err *sts_session_tags(struct call *c, const struct sts_AssumeRoleRequest *in,
                             const struct jv **out_tags, const struct jv **out_transitive)
    MUST_CHECK;
void sts_tag_keys(struct call *c, const struct sts_AssumeRoleRequest *in);

/* session.c */
struct sts_Credentials *sts_credentials_out(struct call *c, const struct session_credentials *s);
struct err *sts_no_mfa(struct str serial_number, struct str token_code) MUST_CHECK;
struct err *sts_token_size(struct call *c, struct opt_int minimum) MUST_CHECK;

OP_DECLARE(sts, AssumeRole);
OP_DECLARE(sts, GetAccessKeyInfo);
OP_DECLARE(sts, GetCallerIdentity);
OP_DECLARE(sts, GetSessionToken);

#endif

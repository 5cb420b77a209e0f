/* sts.h: the Security Token Service room: who am I, and credentials for a while.
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html (2011-06-15, query protocol).
 * Sessions are sealed tokens (auth/identity.h): nothing is stored, and what a session may do is
 * read from its role or user at every call. */
#ifndef WARD_SVC_STS_H
#define WARD_SVC_STS_H

#include "api/api.h"

enum {
    STS_ROLE_DEFAULT_S = 3600,
    STS_CHAINED_MAX_S = 3600,       /* a session got with a session */
    STS_USER_DEFAULT_S = 43200,     /* GetSessionToken */
    STS_SESSION_POLICY_CHARS = 2048,
    STS_POLICY_ARNS_MAX = 10,
    STS_TAGS_MAX = 50,
};

extern const struct room sts_room;

#endif

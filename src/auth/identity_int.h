/* identity_int.h: what the files of the identity engine share. Not for other folders. */
#ifndef WARD_AUTH_IDENTITY_INT_H
#define WARD_AUTH_IDENTITY_INT_H

#include "identity.h"

/* What a session token holds. Arena memory; `secret` is the plain text, wiped with the arena. */
struct session_token {
    struct str access_key_id, secret;
    struct str account;
    struct str role_name, role_arn, role_id, session_name; /* a role's */
    struct str user_name, user_id, user_key;               /* a user's */
    struct str session_policy, source_identity;
    const struct jv *policy_arns, *tags, *transitive_tags;
    int64_t issued_ms, expires_ms;
    bool mfa;
};

/* Opens a token. InvalidClientTokenId 403 for anything that this installation did not seal. */
struct err *session_open(struct store *s, struct arena *a, struct str token,
                         struct session_token *out) MUST_CHECK;

/* Where a row lies, and whether a row found there is the one of that very name. */
struct skey iam_row_key(struct arena *a, const char *table, struct str account, struct str name);
bool iam_row_is(const char *table, const struct jv *row, struct str name);

/* Kept decoded between requests; not to be changed; as long as the arena. NULL: no such row. */
struct kept_key {
    struct arena *arena;
    struct str account, user;
    bool active;
    struct secret *secret;
    struct sig_keys *signing;
};
struct err *iam_key_look(struct txn *t, struct arena *a, struct str key_id,
                         const struct kept_key **out) MUST_CHECK;
struct err *iam_row_look(struct txn *t, struct arena *a, const char *table, struct str account,
                         struct str name, const struct jv **out) MUST_CHECK; /* not iam.key */

/* The row as iam_row_get, without making the transaction depend on it. */
struct err *iam_row_peek(struct txn *t, struct arena *a, const char *table, struct str account,
                         struct str name, struct jv **out) MUST_CHECK;

struct err *identity_bad_token(void) MUST_CHECK; /* InvalidClientTokenId */

/* Wipes the bytes when the arena is freed. */
void arena_wipe_later(struct arena *a, struct str s);
/* A secret that the arena frees. */
struct err *arena_secret(struct arena *a, struct str bytes, const struct secret **out) MUST_CHECK;

#endif

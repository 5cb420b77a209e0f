/* identity.h: who calls, and what their identity policies say. The IAM and STS rooms feed this
 * engine through the row functions below; the pipeline asks it at every call.
 *
 * Rows are JSON documents in the store, sealed under the account's key:
 *   iam.key     access key id          -> {account,user,secret,status,created_ms}
 *   iam.user    account, name          -> {name,path,id,arn,created_ms,tags:{key:value},boundary,
 *                                          inline:{name:document},attached:[arn],groups:[name],
 *                                          keys:[access key id]}
 *   iam.role    account, name          -> {…,trust:document,trust_bound:the same with ids for its
 *                                          principals' ARNs,max_session_s, the same policies}
 *   iam.group   account, name          -> {…, the same policies}
 *   iam.policy  account, ARN           -> {name,path,id,arn,default:"v1",versions:{v1:{document,
 *                                          created_ms}},next_version}
 *   iam.account account                -> {id,alias,created_ms,users,roles,groups,…: how many}
 *   iam.first   "account"              -> the first account's id
 * Documents are kept as the text the client gave. Names are unique without regard to case, as in
 * IAM, and found again only as they were written; a policy's name is unique whatever its path.
 *
 * Session credentials (STS) are stateless: the token is sealed under a key of the installation and
 * carries the role, the session's name and policy, its times, and the secret.
 *
 * Ownership: everything in a struct identity lives in the arena; secrets are freed by it.
 * Thread rule: functions are safe from any thread; a transaction belongs to one. */
#ifndef WARD_AUTH_IDENTITY_H
#define WARD_AUTH_IDENTITY_H

#include "../store/store.h"
#include "policy.h"

#define IDENTITY_PARTITION "aws"

struct identity {
    struct principal who;
    struct str access_key_id;    /* STR_NONE for services and anonymous */
    const struct secret *secret; /* the secret access key; NULL likewise */
    struct sig_keys *signing;    /* kept with a long-term key, else NULL */
    bool is_session;             /* AssumeRole or GetSessionToken credentials */
    struct str role_arn, role_name, role_id, role_path; /* of a session */
    int64_t issued_ms, expires_ms;
    bool mfa;
    struct str session_policy;   /* JSON, or STR_NONE */
    const struct str *session_policy_arns; /* managed policies that cap the session as well */
    size_t n_session_policy_arns;
    const struct jv *session_tags; /* {key:value} given to AssumeRole, or NULL */
    const struct jv *transitive_tags; /* [key]: those handed on when roles are chained, or NULL */
    struct str source_identity;
    struct str invoked_by;       /* service principal, when a service calls on somebody's behalf */
    struct ctx_key *tags;        /* aws:PrincipalTag/… keys */
    size_t n_tags;
};

/* Resolves the credentials that a request names. Errors (AWS's codes): InvalidClientTokenId 403
 * ("The security token included in the request is invalid."), ExpiredToken 400/403. A disabled key
 * answers like an unknown one. */
struct err *identity_of_key(struct store *s, struct txn *t, struct arena *a,
                            struct str access_key_id, struct str session_token, int64_t now_ms,
                            struct identity *out) MUST_CHECK;

/* A role's identity without credentials: for services that act as a role. NoSuchEntity 404. */
struct err *identity_of_role(struct txn *t, struct arena *a, struct str role_arn,
                             struct str session_name, struct identity *out) MUST_CHECK;
/* A user, a role or the session of one, by ARN. NoSuchEntity 404 when it is gone. */
struct err *identity_of_arn(struct txn *t, struct arena *a, struct str arn, struct identity *out)
    MUST_CHECK;
/* "s3.amazonaws.com" itself, acting for `account` (aws:SourceAccount). */
struct identity identity_of_service(struct arena *a, struct str service, struct str account);
struct identity identity_anonymous(void);

/* The compiled identity, session and boundary policies; released with the arena. */
struct err *identity_policies(struct txn *t, struct arena *a, const struct identity *id,
                              struct policy_set *out) MUST_CHECK;

/* New session credentials for a role, or for a user (GetSessionToken: user_name, user_id and
 * user_key are given and the role's parts are not). A user's session ends with the access key that
 * it was got with. */
struct session_request {
    struct str account, role_name, role_arn, role_id, session_name;
    struct str user_name, user_id, user_key;
    struct str session_policy; /* STR_NONE: none */
    const struct str *session_policy_arns;
    size_t n_session_policy_arns;
    const struct jv *tags;            /* {key:value}, or NULL */
    const struct jv *transitive_tags; /* [key], or NULL */
    struct str source_identity;
    int64_t issued_ms, expires_ms;
    bool mfa;
};
struct session_credentials {
    struct str access_key_id; /* ASIA… */
    struct str secret_access_key, session_token;
    int64_t expires_ms;
};
/* What a token may hold before it is sealed: policies, tags and names together. Past it
 * session_create answers PackedPolicyTooLarge 400. */
enum { SESSION_PACKED_MAX = 6 * 1024, SESSION_TOKEN_MAX = 12 * 1024 };
struct err *session_create(struct store *s, struct arena *a, const struct session_request *r,
                           struct session_credentials *out) MUST_CHECK;
/* How much of SESSION_PACKED_MAX the request takes, in per cent (PackedPolicySize). */
int session_packed_percent(const struct session_request *r);

/* Ids with AWS's prefixes ("AIDA", "AROA", "ANPA", "AGPA", "AIPA"): the prefix and 17 characters
 * of A-Z2-7. */
struct str identity_new_id(struct arena *a, const char *prefix);
/* "AKIA" or "ASIA" and 16 characters, which hold the account and 39 random bits as AWS's do, so
 * that sts:GetAccessKeyInfo can tell the account of any key. */
struct str identity_new_key_id(struct arena *a, const char *prefix, struct str account);
/* The account a key id holds; STR_NONE when it is not of the form. */
struct str identity_key_account(struct arena *a, struct str access_key_id);
/* 40 characters; wiped when the arena is freed. */
struct str identity_new_secret(struct arena *a);

/* A managed policy's document in force, AWS's or the account's. NoSuchEntity 404. */
struct err *identity_managed_document(struct txn *t, struct arena *a, struct str account,
                                      struct str policy_arn, struct str *out) MUST_CHECK;

/* -- first start --------------------------------------------------------------------------------
 * Makes the first account (random 12 digits) and its administrator: IAM user `ward-admin` with the
 * inline policy Allow * on *, and one access key. Answers what is there when it exists already;
 * without a key (STR_NONE, NULL) when the administrator has deleted or disabled it. */
struct first_account {
    struct str account, admin_user, access_key_id;
    struct secret *secret_access_key; /* caller frees */
};
struct err *identity_first_account(struct store *s, struct arena *a, struct first_account *out)
    MUST_CHECK;
/* The administrator key of an account, for `ward env`; NotFound when it was deleted. */
struct err *identity_admin_key(struct store *s, struct arena *a, struct str account,
                               struct first_account *out) MUST_CHECK;
bool identity_account_exists(struct txn *t, struct str account);

/* -- rows: for the IAM and STS rooms ----------------------------------------------------------- */
/* NULL in *out: no such row. */
struct err *iam_row_get(struct txn *t, struct arena *a, const char *table, struct str account,
                        struct str name, struct jv **out) MUST_CHECK;
struct err *iam_row_put(struct txn *t, struct arena *a, const char *table, struct str account,
                        struct str name, const struct jv *row) MUST_CHECK;
struct err *iam_row_del(struct txn *t, const char *table, struct str account, struct str name)
    MUST_CHECK;
/* Whether a new thing may not have this name: some row has it, perhaps in another case. */
struct err *iam_row_taken(struct txn *t, struct arena *a, const char *table, struct str account,
                          struct str name, bool *out) MUST_CHECK;
/* An account's rows in order of their key. `from` is a position from *out_position or STR_NONE;
 * fn answers false to stop, and the row it stopped at is not consumed: *out_position (STR_NONE at
 * the end) leads to it. Each row lives in the arena. */
struct err *iam_row_each(struct txn *t, struct arena *a, const char *table, struct str account,
                         struct str from, bool (*fn)(void *ctx, const struct jv *row), void *ctx,
                         struct str *out_position) MUST_CHECK;

#endif

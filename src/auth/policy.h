/* policy.h: IAM policies, compiled once and evaluated for each call.
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and
 * reference_policies_elements.html. Effect, Action/NotAction, Resource/NotResource,
 * Principal/NotPrincipal, Condition with all string, numeric, date, bool, binary, IP, ARN and Null
 * operators, …IfExists, ForAnyValue:/ForAllValues:, policy variables ${aws:username} with defaults
 * (${k, 'd'}) and ${*} ${?} ${$}. Versions 2008-10-17 and 2012-10-17 (variables in the latter
 * only). Keys that the caller does not give and the principal implies are filled in: aws:username,
 * aws:userid, aws:PrincipalArn, -Account, -Type, -IsAWSService, -ServiceName, aws:ResourceAccount.
 *
 * A compiled policy is immutable and counted; share it between threads freely. */
#ifndef WARD_AUTH_POLICY_H
#define WARD_AUTH_POLICY_H

#include "../core/json.h"

enum {
    POLICY_TEXT_MAX = 32768,     /* largest documented: key policies, 32 KB */
    POLICY_STATEMENTS_MAX = 512,
    POLICY_VALUES_MAX = 4096,    /* over all lists */
    POLICY_DEPTH_MAX = 16,
};

struct policy;

enum policy_kind {
    POLICY_IDENTITY = 1, /* Resource required, Principal refused */
    POLICY_RESOURCE,     /* Principal required, Resource required */
    POLICY_TRUST,        /* Principal required, Resource refused */
};

/* Parses, checks and compiles. Errors: MalformedPolicyDocument 400 with what is wrong and where. */
struct err *policy_compile(struct str json, enum policy_kind kind, struct policy **out) MUST_CHECK;
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p); /* NULL is fine */

/* The same through a bounded cache of this process (text and kind -> compiled). Any thread. */
struct err *policy_compile_cached(struct str json, enum policy_kind kind, struct policy **out)
    MUST_CHECK;

/* -- the request ------------------------------------------------------------------------------ */
struct ctx_key { /* a condition key and its values */
    struct str name;         /* "aws:SourceIp"; compared without regard to case */
    const struct str *values;
    size_t n;
    bool multi;              /* multivalued key (aws:TagKeys): matters for ForAllValues */
};

enum principal_kind {
    PRINCIPAL_ANONYMOUS = 1,
    PRINCIPAL_ROOT,    /* account root user */
    PRINCIPAL_USER,
    PRINCIPAL_ROLE,    /* an assumed role session */
    PRINCIPAL_FEDERATED,
    PRINCIPAL_SERVICE, /* "s3.amazonaws.com" */
};

struct principal {
    enum principal_kind kind;
    struct str account;     /* 12 digits; empty for anonymous and services */
    struct str arn;         /* what aws:PrincipalArn gives: user ARN, role ARN */
    struct str session_arn; /* assumed-role session ARN, or STR_NONE */
    struct str user_id;     /* AIDA…, AROA…:session, account id for root */
    struct str name;        /* user name, or role session name */
    struct str service;     /* PRINCIPAL_SERVICE */
};

struct authz_request {
    struct principal who;
    struct str action;   /* "s3:GetObject" */
    struct str resource; /* ARN, or "*" */
    struct str resource_account; /* the owner of the resource; empty: the caller's */
    const struct ctx_key *keys;
    size_t n_keys;
};

struct policy_set {
    struct policy *const *identity; /* identity-based, of the user or role */
    size_t n_identity;
    struct policy *const *session;  /* session policies; n_session 0: none in force */
    size_t n_session;
    struct policy *boundary;        /* permissions boundary, or NULL */
    struct policy *resource;        /* the resource's own policy, or NULL */
    /* KMS and role trust: the resource policy must allow, directly or by delegating to the account
     * (principal = account root), in which case an identity policy must allow as well. */
    bool resource_policy_required;
};

enum authz_result { AUTHZ_ALLOW = 1, AUTHZ_DENY_IMPLICIT, AUTHZ_DENY_EXPLICIT };

struct authz_decision {
    enum authz_result result;
    /* Why, in AWS's words; static text, "" for an allow. To go behind "because ": "no
     * identity-based policy allows the action"; to stand by itself: "with an explicit deny in a
     * resource-based policy". */
    const char *because;
    const char *policy_kind; /* "identity-based policy": AWS says "no %s allows the %s action" */
};

/* The whole evaluation: explicit deny anywhere wins; account root is allowed by itself within its
 * account (but for resource_policy_required and explicit resource denies); same account: identity
 * or resource policy (a grant to the session or role/user ARN itself is enough, a grant to the
 * account is not by itself); across accounts both; boundary and session policies cap. Services are
 * allowed by resource policies naming them. */
struct authz_decision policy_evaluate(const struct policy_set *set, const struct authz_request *r);

/* One policy alone: whether a statement allows / denies. For "would this be public" checks. */
struct policy_verdict {
    bool allow, deny;
    bool allow_via_account; /* only through the account principal */
};
struct policy_verdict policy_match(const struct policy *p, const struct authz_request *r);

/* Whether some statement allows everyone ("*" principal without a restricting condition). */
bool policy_is_public(const struct policy *p);

#endif

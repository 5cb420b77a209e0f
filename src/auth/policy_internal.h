/* policy_internal.h: a policy's compiled form, and what parsing, matching and evaluating share.
 *
 * Private to src/auth. Everything a struct policy points at lives in its own arena and never
 * changes after policy_compile(). Thread rule: compiled forms are immutable; a struct eval belongs
 * to one evaluation. */
#ifndef WARD_AUTH_POLICY_INTERNAL_H
#define WARD_AUTH_POLICY_INTERNAL_H

#include "policy.h"

#include <stdatomic.h>

/* -- one evaluation --------------------------------------------------------------------------- */
enum { ARN_PARTS = 6 };

struct eval {
    const struct authz_request *r;
    bool bounded;                 /* the caller has a permissions boundary */
    bool is_arn;                  /* the resource is an ARN, split into: */
    struct str part[ARN_PARTS];
};

struct eval eval_of(const struct authz_request *r);

/* Splits at the first five colons. false: not an ARN. */
bool arn_split(struct str s, struct str part[ARN_PARTS]);

/* The values of a condition key: the caller's, or else what the principal implies (aws:username,
 * aws:PrincipalArn …), for which *scratch is used. 0: the key is not in the request. */
size_t eval_key(const struct eval *e, struct str name, struct str *scratch,
                const struct str **out_values);

/* -- patterns --------------------------------------------------------------------------------- */
enum token_kind {
    TOKEN_LITERAL,
    TOKEN_STAR,
    TOKEN_ONE, /* '?' */
    TOKEN_VAR, /* ${text}, or `fallback` (STR_NONE: none) */
};

struct token {
    enum token_kind kind;
    struct str text, fallback;
};

struct glob {
    const struct token *v;
    size_t n;
};

/* An ARN with wildcards: each of the six parts is matched by itself, as AWS documents. */
struct arn_glob {
    bool any;         /* "*" */
    bool whole;       /* begins with a variable, which may stand for a whole ARN: part[0] is it */
    struct str head;  /* the literal text before the first wildcard or variable: a quick test */
    struct glob part[ARN_PARTS];
};

enum glob_flags {
    GLOB_WILD = 1, /* '*' and '?' are wildcards */
    GLOB_VARS = 2, /* ${…} are variables */
    GLOB_FILL = 4, /* an ARN of fewer parts is filled up with "*" (Resource, not conditions) */
};

/* false: a variable is malformed. Literals are copied into the arena. */
bool glob_compile(struct arena *a, struct str text, unsigned flags, struct glob *out);
bool arn_glob_compile(struct arena *a, struct str text, unsigned flags, struct arn_glob *out);

bool glob_match(const struct glob *g, struct str s, const struct eval *e, bool fold_case);
bool arn_glob_match(const struct arn_glob *g, struct str s, const struct str part[ARN_PARTS],
                    bool is_arn, const struct eval *e);

/* -- conditions ------------------------------------------------------------------------------- */
enum cond_type {
    COND_STRING = 1, /* also Like: the values are globs */
    COND_STRING_FOLD,
    COND_NUMBER,
    COND_DATE,
    COND_BOOL,
    COND_BINARY,
    COND_IP,
    COND_ARN,
    COND_NULL,
};
enum cond_compare { COMPARE_EQ, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum cond_quantifier { FOR_ONE, FOR_ALL_VALUES, FOR_ANY_VALUE };

struct cidr {
    bool v6;
    unsigned char addr[16];
    int bits;
};

union cond_value {
    struct glob glob;
    struct arn_glob arn;
    double number;
    int64_t date_ms;
    bool truth;
    struct str bytes;
    struct cidr net;
};

struct cond {
    enum cond_type type;
    enum cond_compare compare;
    enum cond_quantifier quantifier;
    bool negated, if_exists, wild;
    struct str key;
    union cond_value *v;
    size_t n;
};

/* The operator's name, with its prefix and suffix, into *out. false: there is none such. */
bool cond_operator(struct str name, struct cond *out);
/* One value for c's operator. false: not of its type. */
bool cond_value(struct arena *a, const struct cond *c, struct str text, bool variables,
                union cond_value *out);
bool cond_holds(const struct cond *c, const struct eval *e);

/* -- the compiled policy ---------------------------------------------------------------------- */
enum who_kind {
    WHO_ANYONE, /* "*" */
    WHO_ACCOUNT,
    WHO_ARN,
    WHO_ID, /* AIDA…, AROA… */
    WHO_SERVICE,
    WHO_FEDERATED,
    WHO_CANONICAL, /* kept, matches no one: principals here carry no canonical id */
};

struct who {
    enum who_kind kind;
    struct str text;
};

struct statement {
    bool deny, not_action, not_resource, not_principal, has_principal;
    bool any_action, any_resource; /* "*" is among them */
    const struct glob *actions;
    const struct arn_glob *resources;
    const struct who *principals;
    const struct cond *conditions;
    size_t n_actions, n_resources, n_principals, n_conditions;
};

struct policy {
    atomic_uint refs;
    enum policy_kind kind;
    const struct statement *v;
    size_t n;
    size_t bytes; /* about what it occupies */
    struct arena *arena;
};

/* How a policy allows: through which kind of principal. */
enum grant {
    GRANT_PLAIN = 1,    /* an identity policy: no principal named */
    GRANT_ACCOUNT = 2,  /* the account */
    GRANT_ANYONE = 4,   /* "*" */
    GRANT_ARN = 8,      /* the user or role, or a federated identity */
    GRANT_SESSION = 16, /* the very session */
    GRANT_SERVICE = 32,
};

struct grants {
    bool deny;
    unsigned allow; /* of enum grant */
};

struct grants policy_grants(const struct policy *p, const struct eval *e);

/* -- the cache, for tests and metrics --------------------------------------------------------- */
enum { POLICY_CACHE_ENTRIES = 1024, POLICY_CACHE_BYTES = 24 * 1024 * 1024 };

struct policy_cache_stats {
    size_t entries, bytes;
    uint64_t hits, misses;
};
struct policy_cache_stats policy_cache_stats(void);
void policy_cache_clear(void);

#endif

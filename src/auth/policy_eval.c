/* The evaluation logic: many policies, one decision.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and,
 * for keys, https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html */
#include "policy_internal.h"

struct facts {
    bool identity_allows, boundary_allows, session_allows;
    unsigned resource; /* of enum grant */
};

#define IMPLICIT(policy_kind)                                                                      \
    ((struct authz_decision){AUTHZ_DENY_IMPLICIT, "no " policy_kind " allows the action",          \
                             policy_kind})
#define EXPLICIT(article, policy_kind)                                                             \
    ((struct authz_decision){AUTHZ_DENY_EXPLICIT,                                                  \
                             "with an explicit deny in " article " " policy_kind, policy_kind})
#define IDENTITY "identity-based policy"
#define RESOURCE "resource-based policy"
#define BOUNDARY "permissions boundary"
#define SESSION "session policy"

static struct authz_decision allow(void)
{
    return (struct authz_decision){AUTHZ_ALLOW, "", ""};
}

/* Any explicit deny ends it; otherwise *f holds what each kind of policy allows. */
static struct authz_decision gather(const struct policy_set *set, const struct eval *e,
                                    struct facts *f)
{
    f->session_allows = set->n_session == 0;
    f->boundary_allows = set->boundary == NULL;
    for (size_t i = 0; i < set->n_identity; i++) {
        struct grants g = policy_grants(set->identity[i], e);
        if (g.deny)
            return EXPLICIT("an", IDENTITY);
        f->identity_allows = f->identity_allows || g.allow != 0;
    }
    if (set->resource != NULL) {
        struct grants g = policy_grants(set->resource, e);
        if (g.deny)
            return EXPLICIT("a", RESOURCE);
        f->resource = g.allow;
    }
    if (set->boundary != NULL) {
        struct grants g = policy_grants(set->boundary, e);
        if (g.deny)
            return EXPLICIT("a", BOUNDARY);
        f->boundary_allows = g.allow != 0;
    }
    for (size_t i = 0; i < set->n_session; i++) {
        struct grants g = policy_grants(set->session[i], e);
        if (g.deny)
            return EXPLICIT("a", SESSION);
        f->session_allows = f->session_allows || g.allow != 0;
    }
    return allow(); /* so far */
}

/* What the boundary and the session policies leave of an allow. */
static struct authz_decision capped(const struct facts *f)
{
    if (!f->boundary_allows)
        return IMPLICIT(BOUNDARY);
    if (!f->session_allows)
        return IMPLICIT(SESSION);
    return allow();
}

/* What the resource's policy gives to the caller itself. Named as this very session, nothing caps
 * it; a user named by ARN is not held by an implicit deny of its boundary; a role is held by both.
 * "*" names nobody in particular and is treated like a role. */
static struct authz_decision granted_directly(const struct facts *f, const struct principal *who)
{
    if ((f->resource & GRANT_SESSION) != 0)
        return allow();
    if ((f->resource & GRANT_ARN) != 0 && who->kind == PRINCIPAL_USER) {
        struct facts without_boundary = *f;
        without_boundary.boundary_allows = true;
        return capped(&without_boundary);
    }
    return capped(f);
}

static struct authz_decision same_account(const struct policy_set *set, const struct facts *f,
                                          const struct principal *who)
{
    bool directly = (f->resource & ~(unsigned)GRANT_ACCOUNT) != 0;
    if (directly) {
        struct authz_decision d = granted_directly(f, who);
        if (d.result == AUTHZ_ALLOW)
            return d;
    }
    if (set->resource_policy_required && f->resource == 0)
        return IMPLICIT(RESOURCE);
    if (f->identity_allows || directly)
        return capped(f);
    return IMPLICIT(IDENTITY);
}

static struct authz_decision across_accounts(const struct facts *f)
{
    if (f->resource == 0)
        return IMPLICIT(RESOURCE);
    if (!f->identity_allows)
        return IMPLICIT(IDENTITY);
    return capped(f);
}

struct authz_decision policy_evaluate(const struct policy_set *set, const struct authz_request *r)
{
    struct eval e = eval_of(r);
    struct facts f = {0};
    e.bounded = set->boundary != NULL;
    struct authz_decision deny = gather(set, &e, &f);
    if (deny.result == AUTHZ_DENY_EXPLICIT)
        return deny;
    const struct principal *who = &r->who;
    if (who->kind == PRINCIPAL_SERVICE || who->kind == PRINCIPAL_ANONYMOUS || who->account.n == 0)
        return f.resource != 0 ? allow() : IMPLICIT(RESOURCE);
    if (who->kind == PRINCIPAL_ROOT)
        f.identity_allows = true;
    if (r->resource_account.n > 0 && !str_eq(r->resource_account, who->account))
        return across_accounts(&f);
    return same_account(set, &f, who);
}

/* One policy against one request: which statements apply, and through whom.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html */
#include "policy_internal.h"

struct eval eval_of(const struct authz_request *r)
{
    struct eval e = {.r = r};
    e.is_arn = arn_split(r->resource, e.part);
    return e;
}

static bool action_applies(const struct statement *st, const struct eval *e)
{
    bool found = st->any_action;
    for (size_t i = 0; !found && i < st->n_actions; i++)
        found = glob_match(&st->actions[i], e->r->action, e, true);
    return found != st->not_action;
}

static bool resource_applies(const struct statement *st, const struct eval *e)
{
    bool found = st->any_resource;
    for (size_t i = 0; !found && i < st->n_resources; i++)
        found = arn_glob_match(&st->resources[i], e->r->resource, e->part, e->is_arn, e);
    return found != st->not_resource;
}

/* "AROA…:session" is named by its role's id, or whole. */
static bool id_matches(struct str id, struct str user_id)
{
    return str_starts(user_id, id) && (user_id.n == id.n || user_id.p[id.n] == ':');
}

static bool has_account(const struct principal *who)
{
    return who->account.n > 0 && who->kind != PRINCIPAL_SERVICE && who->kind != PRINCIPAL_ANONYMOUS;
}

/* How the entry names the caller; 0: it does not. */
static unsigned who_grant(const struct who *w, const struct principal *who)
{
    switch (w->kind) {
    case WHO_ANYONE:
        return GRANT_ANYONE;
    case WHO_ACCOUNT:
        return has_account(who) && str_eq(w->text, who->account) ? GRANT_ACCOUNT : 0;
    case WHO_ARN:
        if (who->kind == PRINCIPAL_SERVICE || who->kind == PRINCIPAL_ANONYMOUS)
            return 0;
        if (who->session_arn.n > 0 && str_eq(w->text, who->session_arn))
            return GRANT_SESSION;
        return str_eq(w->text, who->arn) ? GRANT_ARN : 0;
    case WHO_ID:
        if (who->kind != PRINCIPAL_USER && who->kind != PRINCIPAL_ROLE)
            return 0;
        return id_matches(w->text, who->user_id) ? GRANT_ARN : 0;
    case WHO_SERVICE:
        return who->kind == PRINCIPAL_SERVICE && str_eq(w->text, who->service) ? GRANT_SERVICE : 0;
    case WHO_FEDERATED:
        if (who->kind != PRINCIPAL_FEDERATED)
            return 0;
        return w->text.p == NULL || str_eq(w->text, who->arn) || str_eq(w->text, who->service)
                   ? GRANT_ARN
                   : 0;
    case WHO_CANONICAL:
        return 0;
    }
    return 0;
}

/* NotPrincipal spares the caller only if all that the caller is, is listed: the session, the role
 * or user, and the account. AWS tells policy writers to list them all. Whoever has a permissions
 * boundary is not spared, whatever is listed:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html */
static bool not_principal_spares(const struct statement *st, const struct eval *e)
{
    const struct principal *who = &e->r->who;
    unsigned listed = 0;
    if (e->bounded)
        return false;
    for (size_t i = 0; i < st->n_principals; i++)
        listed |= who_grant(&st->principals[i], who);
    if ((listed & (GRANT_ANYONE | GRANT_SERVICE)) != 0)
        return true;
    bool account = !has_account(who) || (listed & GRANT_ACCOUNT) != 0;
    if (who->kind == PRINCIPAL_ROOT)
        return account;
    bool self = (listed & GRANT_ARN) != 0;
    bool session = who->session_arn.n == 0 || (listed & GRANT_SESSION) != 0;
    return account && self && session;
}

/* The grants of the entries that name the caller; 0: the statement is not about the caller. */
static unsigned principal_applies(const struct statement *st, const struct eval *e)
{
    if (!st->has_principal)
        return GRANT_PLAIN;
    if (st->not_principal)
        return not_principal_spares(st, e) ? 0 : GRANT_ANYONE;
    unsigned grants = 0;
    for (size_t i = 0; i < st->n_principals; i++)
        grants |= who_grant(&st->principals[i], &e->r->who);
    return grants;
}

static bool conditions_hold(const struct statement *st, const struct eval *e)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (!cond_holds(&st->conditions[i], e))
            return false;
    return true;
}

struct grants policy_grants(const struct policy *p, const struct eval *e)
{
    struct grants g = {0};
    for (size_t i = 0; i < p->n; i++) {
        const struct statement *st = &p->v[i];
        if (!action_applies(st, e) || !resource_applies(st, e))
            continue;
        unsigned grants = principal_applies(st, e);
        if (grants == 0 || !conditions_hold(st, e))
            continue;
        if (st->deny) { /* nothing can outweigh it */
            g.deny = true;
            return g;
        }
        g.allow |= grants;
    }
    return g;
}

struct policy_verdict policy_match(const struct policy *p, const struct authz_request *r)
{
    struct eval e = eval_of(r);
    struct grants g = policy_grants(p, &e);
    return (struct policy_verdict){.allow = g.allow != 0,
                                   .deny = g.deny,
                                   .allow_via_account = g.allow == GRANT_ACCOUNT};
}

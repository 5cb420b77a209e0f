/* Whether a resource's policy lets everybody in.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
 * ("The meaning of public"): a statement for everyone is not public when a condition holds one of
 * the keys below to fixed values. */
#include "policy_internal.h"

static bool is_restricting_key(struct str key)
{
    static const char *const keys[] = {
        "aws:PrincipalArn",         "aws:PrincipalAccount",   "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",    "aws:SourceArn",          "aws:SourceAccount",
        "aws:SourceOwner",          "aws:SourceOrgID",        "aws:SourceOrgPaths",
        "aws:SourceVpc",            "aws:SourceVpce",         "aws:SourceIp",
        "aws:userid",               "aws:username",           "aws:PrincipalServiceName",
        "kms:CallerAccount",        "s3:DataAccessPointArn",  "s3:DataAccessPointAccount",
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_is_i(key, keys[i]))
            return true;
    return false;
}

static bool is_fixed(const struct glob *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].kind != TOKEN_LITERAL)
            return false;
    return g->n > 0;
}

/* An ARN is fixed enough when it says whose: its account, or for buckets, which have none, all. */
static bool is_fixed_arn(const struct arn_glob *g)
{
    if (g->any || g->whole)
        return false;
    return is_fixed(&g->part[g->part[4].n > 0 ? 4 : 5]);
}

static bool restricts(const struct cond *c)
{
    if (c->negated || c->if_exists || c->quantifier == FOR_ALL_VALUES ||
        !is_restricting_key(c->key))
        return false;
    for (size_t i = 0; i < c->n; i++) {
        bool fixed = false;
        if (c->type == COND_STRING || c->type == COND_STRING_FOLD)
            fixed = is_fixed(&c->v[i].glob);
        else if (c->type == COND_ARN)
            fixed = is_fixed_arn(&c->v[i].arn);
        else if (c->type == COND_IP) /* wider blocks are as good as everywhere */
            fixed = c->v[i].net.bits >= (c->v[i].net.v6 ? 32 : 8);
        if (!fixed)
            return false;
    }
    return true;
}

static bool is_for_everyone(const struct statement *st)
{
    for (size_t i = 0; i < st->n_principals; i++)
        if (st->principals[i].kind == WHO_ANYONE ||
            (st->principals[i].kind == WHO_FEDERATED && st->principals[i].text.p == NULL))
            return true;
    return false;
}

bool policy_is_public(const struct policy *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct statement *st = &p->v[i];
        bool restricted = st->deny || !is_for_everyone(st);
        for (size_t k = 0; !restricted && k < st->n_conditions; k++)
            restricted = restricts(&st->conditions[k]);
        if (!restricted)
            return true;
    }
    return false;
}

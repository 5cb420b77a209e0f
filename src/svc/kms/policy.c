/* Key policies: the resource policy that must allow, directly or by trusting the account. */
#include "room.h"

#include "auth/principals.h"

/* A policy after which nobody here could change it again is refused, unless the caller insists. */
static struct err *check_lockout(struct call *c, const struct key *k, const struct policy *p)
{
    struct authz_request r = {.who = c->id.who,
                              .action = STR("kms:PutKeyPolicy"),
                              .resource = k->arn,
                              .resource_account = k->account};
    struct policy_verdict v = policy_match(p, &r);
    if (v.allow && !v.deny)
        return NULL;
    return err_aws(400, "MalformedPolicyDocumentException",
                   "The new key policy will not allow you to update the key policy in the future.");
}

static struct err *malformed(struct err *e)
{
    struct err *named = err_aws(400, "MalformedPolicyDocumentException", "%s", e->message);
    err_free(e);
    return named;
}

static struct err *check_policy(struct call *c, const struct key *k, struct str text, bool bypass)
{
    if (text.n > KMS_POLICY_MAX)
        return err_aws(400, "LimitExceededException", "The policy is longer than %d bytes.",
                       KMS_POLICY_MAX);
    struct policy *p = NULL;
    struct err *e = policy_compile(text, POLICY_RESOURCE, &p);
    if (e != NULL)
        return malformed(e);
    if (!bypass)
        e = check_lockout(c, k, p);
    policy_unref(p);
    return e;
}

struct err *kms_put_policy(struct call *c, struct key *k, struct str text, bool bypass)
{
    struct str bound = STR_NONE;
    TRY(check_policy(c, k, text, bypass));
    struct err *e = principals_bind(c->txn, c->arena, text, &bound);
    if (err_has_code(e, "MalformedPolicyDocument"))
        return malformed(e);
    TRY(e);
    k->policy = text;
    k->policy_bound = bound.p != NULL ? bound : STR("");
    return NULL;
}

static struct err *check_name(struct str name)
{
    if (name.p == NULL || str_is(name, "default"))
        return NULL;
    return err_aws(400, "NotFoundException", "No such policy exists");
}

OP_HANDLER(kms, GetKeyPolicy, GetKeyPolicyRequest, GetKeyPolicyResponse)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(check_name(in->PolicyName));
    out->PolicyName = STR("default");
    return principals_shown(c->txn, c->arena, k.policy, k.policy_bound, &out->Policy);
}

OP_HANDLER_NO_OUT(kms, PutKeyPolicy, PutKeyPolicyRequest)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(check_name(in->PolicyName));
    if (k.managed)
        return err_aws(400, "AccessDeniedException",
                       "An AWS managed key's policy is its service's.");
    TRY(kms_put_policy(c, &k, in->Policy, in->BypassPolicyLockoutSafetyCheck.v));
    return key_save(c, &k);
}

OP_HANDLER(kms, ListKeyPolicies, ListKeyPoliciesRequest, ListKeyPoliciesResponse)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    out->PolicyNames.v = ARENA_NEW(c->arena, struct str);
    out->PolicyNames.v[0] = STR("default");
    out->PolicyNames.n = 1;
    out->PolicyNames.set = true;
    out->Truncated = some_bool(false);
    return NULL;
}

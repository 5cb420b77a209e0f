/* Key policies: the resource policy that must allow, directly or by trusting the account. */
#include "room.h"

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

struct err *kms_check_policy(struct call *c, const struct key *k, struct str text, bool bypass)
{
    if (text.n > KMS_POLICY_MAX)
        return err_aws(400, "LimitExceededException", "The policy is longer than %d bytes.",
                       KMS_POLICY_MAX);
    struct policy *p = NULL;
    struct err *e = policy_compile(text, POLICY_RESOURCE, &p);
    if (e != NULL) {
        struct err *named = err_aws(400, "MalformedPolicyDocumentException", "%s", e->message);
        err_free(e);
        return named;
    }
    if (!bypass)
        e = check_lockout(c, k, p);
    policy_unref(p);
    return e;
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
    out->Policy = k.policy;
    out->PolicyName = STR("default");
    return NULL;
}

OP_HANDLER_NO_OUT(kms, PutKeyPolicy, PutKeyPolicyRequest)
{
    struct key k;
    TRY(key_need(c, in->KeyId, &k));
    TRY(key_not_pending(&k));
    TRY(check_name(in->PolicyName));
    if (k.managed)
        return err_aws(400, "AccessDeniedException",
                       "An AWS managed key's policy is its service's.");
    TRY(kms_check_policy(c, &k, in->Policy, in->BypassPolicyLockoutSafetyCheck.v));
    k.policy = in->Policy;
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

/* Bucket policies, and what the public access block makes of them.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html */
#include "actions.h"
#include "internal.h"

#include "../../auth/principals.h"

static bool blocks(const struct s3_bucket *b, const char *what)
{
    return jv_b(jv_get(jv_get(b->row, "block"), what), false);
}

struct err *s3_policy_for(struct call *c, const struct s3_bucket *b, struct str *out)
{
    struct str text = jv_s(jv_get(b->row, "policy"));
    *out = principals_in_force(b->row, text);
    if (text.p == NULL || !jv_b(jv_get(b->row, "policy_public"), false) ||
        !blocks(b, "RestrictPublicBuckets"))
        return NULL;
    /* A public policy counts for the owner's account and for services alone. */
    bool own = c->id.who.kind == PRINCIPAL_SERVICE ||
               (c->id.who.account.n > 0 && str_eq(c->id.who.account, b->account));
    if (!own)
        *out = STR_NONE;
    return NULL;
}

/* What all resources (or actions) of a list are about; *ok false: one of them is about nothing. */
static unsigned scope_of(const struct s3_bucket *b, const struct jv *v, bool resource, bool *ok)
{
    unsigned scope = 0;
    for (size_t i = 0; jv_is(v, JV_ARR) && i < jv_len(v); i++)
        scope |= scope_of(b, jv_at(v, i), resource, ok);
    struct str s = jv_s(v);
    if (s.p == NULL)
        return scope;
    scope = resource ? s3_resource_scope(b->arn, s) : s3_action_scope(s);
    *ok = *ok && scope != 0;
    return scope;
}

/* Each action has to be about one of the resources. */
static bool all_apply(const struct jv *actions, unsigned scope)
{
    if (jv_s(actions).p != NULL)
        return (s3_action_scope(jv_s(actions)) & scope) != 0;
    for (size_t i = 0; i < jv_len(actions); i++)
        if (!all_apply(jv_at(actions, i), scope))
            return false;
    return true;
}

static struct err *check_statement(const struct s3_bucket *b, const struct jv *st)
{
    bool actions_ok = true, resources_ok = true;
    const struct jv *actions = jv_get(st, "Action"), *resources = jv_get(st, "Resource");
    scope_of(b, actions, false, &actions_ok);
    scope_of(b, jv_get(st, "NotAction"), false, &actions_ok);
    unsigned scope = scope_of(b, resources, true, &resources_ok);
    scope_of(b, jv_get(st, "NotResource"), true, &resources_ok);
    if (!actions_ok)
        return err_aws(400, "MalformedPolicy", "Policy has invalid action");
    if (!resources_ok)
        return err_aws(400, "MalformedPolicy", "Policy has invalid resource");
    if (actions != NULL && resources != NULL && !all_apply(actions, scope))
        return err_aws(400, "MalformedPolicy",
                       "Action does not apply to any resource(s) in statement");
    return NULL;
}

static struct err *check_policy(struct call *c, const struct s3_bucket *b, struct str text,
                                bool *out_public)
{
    struct policy *p = NULL;
    struct jv *j = NULL;
    if (text.n > S3_POLICY_MAX)
        return err_aws(400, "PolicyTooLarge", "Policy exceeds the maximum allowed document size.");
    struct err *e = policy_compile(text, POLICY_RESOURCE, &p);
    if (e == NULL)
        e = json_parse(c->arena, text, POLICY_DEPTH_MAX, &j);
    if (e != NULL) {
        struct err *bad = err_aws(400, "MalformedPolicy", "%s", e->message);
        err_free(e);
        policy_unref(p);
        return bad;
    }
    *out_public = policy_is_public(p);
    policy_unref(p);
    const struct jv *st = jv_get(j, "Statement");
    if (jv_is(st, JV_OBJ))
        return check_statement(b, st);
    for (size_t i = 0; i < jv_len(st); i++)
        TRY(check_statement(b, jv_at(st, i)));
    return NULL;
}

/* The caller may not shut itself out unknowingly. */
static struct err *check_self(struct call *c, const struct s3_bucket *b, struct str text)
{
    struct target t = {0};
    TRY(s3_target_of(c, b->name, STR_NONE, &t));
    t.policy = text;
    if (c->id.who.kind == PRINCIPAL_ROOT || s3_allowed(c, "s3:PutBucketPolicy", &t))
        return NULL;
    return err_aws(403, "AccessDenied",
                   "The new policy would deny you s3:PutBucketPolicy; set "
                   "x-amz-confirm-remove-self-bucket-access to true if that is meant.");
}

/* Another account never reads or writes the policy, even if the policy itself lets it:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html */
static struct err *own_bucket(struct call *c, struct str name, struct str expected_owner,
                              struct s3_bucket *out)
{
    TRY(s3_bucket_get(c, name, expected_owner, out));
    if (str_eq(c->account, out->account))
        return NULL;
    return err_aws(405, "MethodNotAllowed",
                   "The specified method is not allowed against this resource.");
}

static struct err *keep_policy(struct call *c, struct s3_bucket *b, struct str text)
{
    bool known;
    TRY(principals_keep(c->txn, c->arena, b->row, text, &known));
    if (!known)
        return err_aws(400, "MalformedPolicy", "Invalid principal in policy");
    return s3_bucket_set(c, b, "policy", jv_new_str(c->arena, text));
}

S3_HANDLER_NO_OUT(PutBucketPolicy, PutBucketPolicyRequest)
{
    struct s3_bucket b;
    bool public = false;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(own_bucket(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (str_trim(in->Policy).n == 0)
        return err_aws(400, "MalformedPolicy",
                       "Policies must be valid JSON and the first byte "
                       "must be '{'");
    TRY(check_policy(c, &b, in->Policy, &public));
    if (public && blocks(&b, "BlockPublicPolicy"))
        return err_aws(403, "AccessDenied",
                       "User is not authorized to perform: s3:PutBucketPolicy on resource: %.*s "
                       "because public policies are blocked by the BlockPublicPolicy block public "
                       "access setting.",
                       STR_ARG(b.arn));
    if (!in->ConfirmRemoveSelfBucketAccess.v)
        TRY(check_self(c, &b, in->Policy));
    TRY(keep_policy(c, &b, in->Policy));
    return s3_bucket_set(c, &b, "policy_public", jv_new_bool(c->arena, public));
}

static struct err *no_policy(void)
{
    return err_aws(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
}

S3_HANDLER(GetBucketPolicy, GetBucketPolicyRequest, GetBucketPolicyOutput)
{
    struct s3_bucket b;
    TRY(own_bucket(c, in->Bucket, in->ExpectedBucketOwner, &b));
    out->Policy = jv_s(jv_get(b.row, "policy"));
    if (out->Policy.p == NULL)
        return no_policy();
    call_header(c, "Content-Type", STR("application/json"));
    return principals_shown_of(c->txn, c->arena, b.row, out->Policy, &out->Policy);
}

S3_HANDLER_NO_OUT(DeleteBucketPolicy, DeleteBucketPolicyRequest)
{
    struct s3_bucket b;
    TRY(own_bucket(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_bucket_set(c, &b, "policy_public", NULL));
    TRY(s3_bucket_set(c, &b, "policy_bound", NULL));
    return s3_bucket_set(c, &b, "policy", NULL);
}

S3_HANDLER(GetBucketPolicyStatus, GetBucketPolicyStatusRequest, GetBucketPolicyStatusOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (jv_s(jv_get(b.row, "policy")).p == NULL)
        return no_policy();
    out->PolicyStatus = ARENA_NEW(c->arena, struct s3_PolicyStatus);
    out->PolicyStatus->IsPublic = some_bool(jv_b(jv_get(b.row, "policy_public"), false));
    return NULL;
}

/* Bucket policies, and what the public access block makes of them.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html */
#include "internal.h"

#include "../../auth/policy.h"

static bool blocks(const struct s3_bucket *b, const char *what)
{
    return jv_b(jv_get(jv_get(b->row, "block"), what), false);
}

struct err *s3_policy_for(struct call *c, const struct s3_bucket *b, struct str *out)
{
    struct str text = jv_s(jv_get(b->row, "policy"));
    *out = text;
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

/* Each resource has to be this bucket or something in it, each action S3's. */
static bool about_this_bucket(const struct s3_bucket *b, const struct jv *v)
{
    for (size_t i = 0; jv_is(v, JV_ARR) && i < jv_len(v); i++)
        if (!about_this_bucket(b, jv_at(v, i)))
            return false;
    struct str s = jv_s(v);
    if (s.p == NULL)
        return true;
    size_t n = 0; /* up to the first wildcard */
    while (n < s.n && s.p[n] != '*' && s.p[n] != '?')
        n++;
    struct str literal = str_take(s, n);
    if (n <= b->arn.n)
        return str_starts(b->arn, literal) && (n < s.n || n == b->arn.n);
    return str_starts(literal, b->arn) && literal.p[b->arn.n] == '/';
}

static bool s3_actions(const struct jv *v)
{
    for (size_t i = 0; jv_is(v, JV_ARR) && i < jv_len(v); i++)
        if (!s3_actions(jv_at(v, i)))
            return false;
    struct str s = jv_s(v);
    return s.p == NULL || str_is(s, "*") || str_ieq(str_take(s, 3), STR("s3:"));
}

static struct err *check_statement(const struct s3_bucket *b, const struct jv *st)
{
    if (!s3_actions(jv_get(st, "Action")) || !s3_actions(jv_get(st, "NotAction")))
        return err_aws(400, "MalformedPolicy", "Policy has invalid action");
    if (!about_this_bucket(b, jv_get(st, "Resource")) ||
        !about_this_bucket(b, jv_get(st, "NotResource")))
        return err_aws(400, "MalformedPolicy", "Policy has invalid resource");
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
    struct target t = {.arn = b->arn, .account = b->account, .policy = text};
    if (c->id.who.kind == PRINCIPAL_ROOT || s3_allowed(c, "s3:PutBucketPolicy", &t))
        return NULL;
    return err_aws(403, "AccessDenied",
                   "The new policy would deny you s3:PutBucketPolicy; set "
                   "x-amz-confirm-remove-self-bucket-access to true if that is meant.");
}

S3_HANDLER_NO_OUT(PutBucketPolicy, PutBucketPolicyRequest)
{
    struct s3_bucket b;
    bool public = false;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
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
    TRY(s3_bucket_set(c, &b, "policy", jv_new_str(c->arena, in->Policy)));
    return s3_bucket_set(c, &b, "policy_public", jv_new_bool(c->arena, public));
}

static struct err *no_policy(void)
{
    return err_aws(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
}

S3_HANDLER(GetBucketPolicy, GetBucketPolicyRequest, GetBucketPolicyOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    out->Policy = jv_s(jv_get(b.row, "policy"));
    if (out->Policy.p == NULL)
        return no_policy();
    call_header(c, "Content-Type", STR("application/json"));
    return NULL;
}

S3_HANDLER_NO_OUT(DeleteBucketPolicy, DeleteBucketPolicyRequest)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_bucket_set(c, &b, "policy_public", NULL));
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

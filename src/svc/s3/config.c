/* Settings of a bucket: versioning, encryption, ownership, ACLs, public access block. */
#include "internal.h"

static struct err *malformed(void)
{
    return err_aws(400, "MalformedXML",
                   "The XML you provided was not well-formed or did not validate against our "
                   "published schema");
}

/* -- versioning -------------------------------------------------------------------------------- */

S3_HANDLER_NO_OUT(PutBucketVersioning, PutBucketVersioningRequest)
{
    struct s3_bucket b;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct s3_VersioningConfiguration *v = in->VersioningConfiguration;
    if (v == NULL)
        return malformed();
    if (str_is(v->MFADelete, "Enabled") || in->MFA.p != NULL)
        return err_not_implemented(c, "MFA delete");
    if (v->Status.p == NULL)
        return err_aws(400, "IllegalVersioningConfigurationException",
                       "The Versioning element must be specified");
    return s3_bucket_set(c, &b, "versioning", jv_new_str(c->arena, v->Status));
}

S3_HANDLER(GetBucketVersioning, GetBucketVersioningRequest, GetBucketVersioningOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    out->Status = jv_s(jv_get(b.row, "versioning"));
    return NULL;
}

/* -- encryption -------------------------------------------------------------------------------- */

S3_HANDLER_NO_OUT(PutBucketEncryption, PutBucketEncryptionRequest)
{
    struct s3_bucket b;
    struct arena *a = c->arena;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct s3_ServerSideEncryptionConfiguration *k = in->ServerSideEncryptionConfiguration;
    if (k == NULL || k->Rules.n != 1)
        return malformed();
    const struct s3_ServerSideEncryptionRule *rule = &k->Rules.v[0];
    const struct s3_ServerSideEncryptionByDefault *d = rule->ApplyServerSideEncryptionByDefault;
    static const struct s3_ServerSideEncryptionByDefault plain = {.SSEAlgorithm = {"AES256", 6}};
    if (d == NULL && rule->BlockedEncryptionTypes == NULL)
        return malformed();
    if (d == NULL)
        d = &plain;
    bool kms = str_is(d->SSEAlgorithm, "aws:kms");
    if (!kms && !str_is(d->SSEAlgorithm, "AES256"))
        return err_not_implemented(c, "Server-side encryption other than AES256 and aws:kms");
    if (!kms && d->KMSMasterKeyID.n > 0)
        return err_aws(400, "InvalidArgument",
                       "a KMSMasterKeyID is not applicable if the default sse algorithm is not "
                       "aws:kms or aws:kms:dsse");
    struct jv *e = jv_new_obj(a);
    jv_set(a, e, STR("algorithm"), jv_new_str(a, d->SSEAlgorithm));
    if (d->KMSMasterKeyID.n > 0)
        jv_set(a, e, STR("key"), jv_new_str(a, d->KMSMasterKeyID));
    jv_set(a, e, STR("bucket_key"), jv_new_bool(a, rule->BucketKeyEnabled.v));
    /* Kept to be told again: SSE-C, all that it can name, is not built, and so blocked anyway. */
    struct jv *blocked = jv_new_arr(a);
    for (size_t i = 0; rule->BlockedEncryptionTypes != NULL &&
                       i < rule->BlockedEncryptionTypes->EncryptionType.n; i++)
        jv_push(a, blocked, jv_new_str(a, rule->BlockedEncryptionTypes->EncryptionType.v[i]));
    if (rule->BlockedEncryptionTypes != NULL)
        jv_set(a, e, STR("blocked"), blocked);
    return s3_bucket_set(c, &b, "encryption", e);
}

S3_HANDLER(GetBucketEncryption, GetBucketEncryptionRequest, GetBucketEncryptionOutput)
{
    struct s3_bucket b;
    struct arena *a = c->arena;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct jv *e = jv_get(b.row, "encryption");
    struct s3_ServerSideEncryptionConfiguration *k =
        ARENA_NEW(a, struct s3_ServerSideEncryptionConfiguration);
    struct s3_ServerSideEncryptionRule *rule = ARENA_NEW(a, struct s3_ServerSideEncryptionRule);
    struct s3_ServerSideEncryptionByDefault *d =
        ARENA_NEW(a, struct s3_ServerSideEncryptionByDefault);
    /* Every bucket has SSE-S3 unless it was told otherwise. */
    d->SSEAlgorithm = e == NULL ? STR("AES256") : jv_s(jv_get(e, "algorithm"));
    d->KMSMasterKeyID = jv_s(jv_get(e, "key"));
    rule->ApplyServerSideEncryptionByDefault = d;
    rule->BucketKeyEnabled = some_bool(jv_b(jv_get(e, "bucket_key"), false));
    const struct jv *blocked = jv_get(e, "blocked");
    if (jv_is(blocked, JV_ARR)) {
        struct s3_BlockedEncryptionTypes *t = ARENA_NEW(a, struct s3_BlockedEncryptionTypes);
        t->EncryptionType.v = ARENA_ARRAY(a, jv_len(blocked) + 1, struct str);
        t->EncryptionType.set = true;
        for (size_t i = 0; i < jv_len(blocked); i++)
            t->EncryptionType.v[t->EncryptionType.n++] = jv_s(jv_at(blocked, i));
        rule->BlockedEncryptionTypes = t;
    }
    k->Rules.v = rule;
    k->Rules.n = 1;
    k->Rules.set = true;
    out->ServerSideEncryptionConfiguration = k;
    return NULL;
}

S3_HANDLER_NO_OUT(DeleteBucketEncryption, DeleteBucketEncryptionRequest)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    return s3_bucket_set(c, &b, "encryption", NULL);
}

/* -- ownership --------------------------------------------------------------------------------- */

S3_HANDLER_NO_OUT(PutBucketOwnershipControls, PutBucketOwnershipControlsRequest)
{
    struct s3_bucket b;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (in->OwnershipControls == NULL || in->OwnershipControls->Rules.n != 1)
        return malformed();
    struct str wish = in->OwnershipControls->Rules.v[0].ObjectOwnership;
    if (!str_is(wish, "BucketOwnerEnforced"))
        return err_not_implemented(c, "ObjectOwnership other than BucketOwnerEnforced");
    return s3_bucket_set(c, &b, "ownership", jv_new_str(c->arena, wish));
}

S3_HANDLER(GetBucketOwnershipControls, GetBucketOwnershipControlsRequest,
           GetBucketOwnershipControlsOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    struct str is = jv_s(jv_get(b.row, "ownership"));
    if (is.p == NULL)
        return err_aws(404, "OwnershipControlsNotFoundError",
                       "The bucket ownership controls were not found");
    struct s3_OwnershipControls *k = ARENA_NEW(c->arena, struct s3_OwnershipControls);
    k->Rules.v = ARENA_NEW(c->arena, struct s3_OwnershipControlsRule);
    k->Rules.v[0].ObjectOwnership = is;
    k->Rules.n = 1;
    k->Rules.set = true;
    out->OwnershipControls = k;
    return NULL;
}

S3_HANDLER_NO_OUT(DeleteBucketOwnershipControls, DeleteBucketOwnershipControlsRequest)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    return s3_bucket_set(c, &b, "ownership", NULL); /* ACLs stay off all the same */
}

/* -- ACLs: the one that BucketOwnerEnforced leaves --------------------------------------------- */

static void owner_grant(struct arena *a, struct str account, struct s3_Grants *out)
{
    struct s3_Grantee *g = ARENA_NEW(a, struct s3_Grantee);
    g->ID = s3_canonical_id(a, account);
    g->Type = STR("CanonicalUser");
    out->v = ARENA_NEW(a, struct s3_Grant);
    out->v[0].Grantee = g;
    out->v[0].Permission = STR("FULL_CONTROL");
    out->n = 1;
    out->set = true;
}

/* A policy document of an ACL says nothing new only if the owner has it all, alone. */
static struct err *check_acl_document(struct call *c, struct str account,
                                      const struct s3_AccessControlPolicy *p)
{
    if (p == NULL)
        return NULL;
    struct str id = s3_canonical_id(c->arena, account);
    bool ok = p->Grants.n <= 1;
    for (size_t i = 0; ok && i < p->Grants.n; i++)
        ok = p->Grants.v[i].Grantee != NULL && str_eq(p->Grants.v[i].Grantee->ID, id) &&
             str_is(p->Grants.v[i].Permission, "FULL_CONTROL");
    return ok ? NULL
              : err_aws(400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
}

S3_HANDLER(GetBucketAcl, GetBucketAclRequest, GetBucketAclOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    out->Owner = s3_owner(c->arena, b.account);
    owner_grant(c->arena, b.account, &out->Grants);
    return NULL;
}

S3_HANDLER_NO_OUT(PutBucketAcl, PutBucketAclRequest)
{
    struct s3_bucket b;
    const struct str grants[] = {in->GrantFullControl, in->GrantRead, in->GrantReadACP,
                                 in->GrantWrite, in->GrantWriteACP};
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_acl_check(in->ACL, grants, ARRAY_LEN(grants)));
    return check_acl_document(c, b.account, in->AccessControlPolicy);
}

S3_HANDLER(GetObjectAcl, GetObjectAclRequest, GetObjectAclOutput)
{
    struct s3_bucket b;
    struct s3_object o;
    TRY(s3_key_check(in->Key));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_object_read(c, &b, in->Key, in->VersionId, &o));
    out->Owner = s3_owner(c->arena, b.account);
    owner_grant(c->arena, b.account, &out->Grants);
    return NULL;
}

S3_HANDLER(PutObjectAcl, PutObjectAclRequest, PutObjectAclOutput)
{
    struct s3_bucket b;
    struct s3_object o;
    const struct str grants[] = {in->GrantFullControl, in->GrantRead, in->GrantReadACP,
                                 in->GrantWrite, in->GrantWriteACP};
    TRY(s3_key_check(in->Key));
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_object_read(c, &b, in->Key, in->VersionId, &o));
    TRY(s3_acl_check(in->ACL, grants, ARRAY_LEN(grants)));
    return check_acl_document(c, b.account, in->AccessControlPolicy);
}

/* -- public access block ----------------------------------------------------------------------- */

S3_HANDLER_NO_OUT(PutPublicAccessBlock, PutPublicAccessBlockRequest)
{
    struct s3_bucket b;
    struct arena *a = c->arena;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct s3_PublicAccessBlockConfiguration *k = in->PublicAccessBlockConfiguration;
    if (k == NULL)
        return malformed();
    struct jv *o = jv_new_obj(a);
    jv_set(a, o, STR("BlockPublicAcls"), jv_new_bool(a, k->BlockPublicAcls.v));
    jv_set(a, o, STR("IgnorePublicAcls"), jv_new_bool(a, k->IgnorePublicAcls.v));
    jv_set(a, o, STR("BlockPublicPolicy"), jv_new_bool(a, k->BlockPublicPolicy.v));
    jv_set(a, o, STR("RestrictPublicBuckets"), jv_new_bool(a, k->RestrictPublicBuckets.v));
    return s3_bucket_set(c, &b, "block", o);
}

S3_HANDLER(GetPublicAccessBlock, GetPublicAccessBlockRequest, GetPublicAccessBlockOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct jv *o = jv_get(b.row, "block");
    if (!jv_is(o, JV_OBJ))
        return err_aws(404, "NoSuchPublicAccessBlockConfiguration",
                       "The public access block configuration was not found");
    struct s3_PublicAccessBlockConfiguration *k =
        ARENA_NEW(c->arena, struct s3_PublicAccessBlockConfiguration);
    k->BlockPublicAcls = some_bool(jv_b(jv_get(o, "BlockPublicAcls"), false));
    k->IgnorePublicAcls = some_bool(jv_b(jv_get(o, "IgnorePublicAcls"), false));
    k->BlockPublicPolicy = some_bool(jv_b(jv_get(o, "BlockPublicPolicy"), false));
    k->RestrictPublicBuckets = some_bool(jv_b(jv_get(o, "RestrictPublicBuckets"), false));
    out->PublicAccessBlockConfiguration = k;
    return NULL;
}

S3_HANDLER_NO_OUT(DeletePublicAccessBlock, DeletePublicAccessBlockRequest)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    return s3_bucket_set(c, &b, "block", NULL);
}

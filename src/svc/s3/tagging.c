/* Tags of buckets and of objects. */
#include "internal.h"

static struct err *given_tags(const struct s3_Tagging *in, size_t max, struct s3_TagSet *out)
{
    if (in == NULL)
        return err_aws(400, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema");
    TRY(s3_tags_check(&in->TagSet, max));
    *out = in->TagSet;
    return NULL;
}

S3_HANDLER_NO_OUT(PutBucketTagging, PutBucketTaggingRequest)
{
    struct s3_bucket b;
    struct s3_TagSet tags;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(given_tags(in->Tagging, S3_BUCKET_TAGS_MAX, &tags));
    return s3_bucket_set(c, &b, "tags", s3_tags_to_jv(c->arena, &tags));
}

S3_HANDLER(GetBucketTagging, GetBucketTaggingRequest, GetBucketTaggingOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    const struct jv *tags = jv_get(b.row, "tags");
    if (jv_len(tags) == 0)
        return err_aws(404, "NoSuchTagSet", "The TagSet does not exist");
    s3_tags_of_jv(c->arena, tags, &out->TagSet);
    return NULL;
}

S3_HANDLER_NO_OUT(DeleteBucketTagging, DeleteBucketTaggingRequest)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    return s3_bucket_set(c, &b, "tags", NULL);
}

/* -- objects ----------------------------------------------------------------------------------- */

static struct err *set_tags(struct call *c, struct str bucket, struct str owner, struct str key,
                            struct str version, const struct s3_TagSet *tags, const char *event,
                            struct str *out_version)
{
    struct s3_bucket b;
    struct s3_object o;
    TRY(s3_key_check(key));
    TRY(s3_bucket_for_write(c, bucket, owner, &b));
    TRY(s3_object_read(c, &b, key, version, &o));
    o.tags = *tags;
    TRY(s3_object_save(c, &b, key, &o));
    if (b.versioning != VERSIONING_OFF)
        *out_version = o.version;
    return s3_notify(c, &b, event, key, &o);
}

S3_HANDLER(PutObjectTagging, PutObjectTaggingRequest, PutObjectTaggingOutput)
{
    struct s3_TagSet tags;
    TRY(s3_body_verify(c, in->ContentMD5, false));
    TRY(given_tags(in->Tagging, S3_TAGS_MAX, &tags));
    return set_tags(c, in->Bucket, in->ExpectedBucketOwner, in->Key, in->VersionId, &tags,
                    "ObjectTagging:Put", &out->VersionId);
}

S3_HANDLER(DeleteObjectTagging, DeleteObjectTaggingRequest, DeleteObjectTaggingOutput)
{
    struct s3_TagSet none = {0};
    return set_tags(c, in->Bucket, in->ExpectedBucketOwner, in->Key, in->VersionId, &none,
                    "ObjectTagging:Delete", &out->VersionId);
}

S3_HANDLER(GetObjectTagging, GetObjectTaggingRequest, GetObjectTaggingOutput)
{
    struct s3_bucket b;
    struct s3_object o;
    TRY(s3_key_check(in->Key));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_object_read(c, &b, in->Key, in->VersionId, &o));
    if (b.versioning != VERSIONING_OFF)
        out->VersionId = o.version;
    out->TagSet = o.tags;
    out->TagSet.set = true;
    return NULL;
}

/* The rows of S3:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html Object
 * calls are data events, bucket calls management events, as CloudTrail has them. */
#include "internal.h"

/* -- when -------------------------------------------------------------------------------------- */

static bool has_version(const struct call *c)
{
    return s3_in(c, "VersionId").n > 0;
}

static bool no_version(const struct call *c)
{
    return !has_version(c);
}

static bool has_tags(const struct call *c)
{
    return s3_in(c, "Tagging").n > 0;
}

static bool has_if_match(const struct call *c)
{
    return s3_in(c, "IfMatch").n > 0;
}

/* "*" asks whether there is an object; an entity tag, what it holds. */
static bool has_etag_match(const struct call *c)
{
    return has_if_match(c) && !str_is(s3_in(c, "IfMatch"), "*");
}

static bool has_ownership(const struct call *c)
{
    return s3_in(c, "ObjectOwnership").n > 0;
}

static bool has_bucket_tags(const struct call *c)
{
    const struct s3_CreateBucketRequest *in = c->in;
    return in->CreateBucketConfiguration != NULL && in->CreateBucketConfiguration->Tags.n > 0;
}

static bool source_version(const struct call *c)
{
    struct s3_copy_source src = {0};
    err_free(s3_copy_source_parse(c->arena, s3_in(c, "CopySource"), &src));
    return src.version.n > 0;
}

static bool source_no_version(const struct call *c)
{
    return !source_version(c);
}

static bool source_tags(const struct call *c)
{
    struct s3_copy_source src;
    struct s3_bucket b;
    struct s3_object o;
    bool found = false, tagged = false;
    struct call *m = (struct call *)(uintptr_t)c;
    if (str_is(s3_in(c, "TaggingDirective"), "REPLACE"))
        return false;
    /* Reading tags that are not there needs no permission, as on AWS. */
    struct err *e = s3_copy_source_parse(c->arena, s3_in(c, "CopySource"), &src);
    if (e == NULL)
        e = s3_bucket_find(m, src.bucket, &b, &found);
    if (e == NULL && found && src.version.n > 0)
        e = s3_object_version(m, &b, src.key, src.version, &o, &found);
    else if (e == NULL && found && src.key.n <= S3_KEY_MAX)
        e = s3_object_latest(m, &b, src.key, &o, &found);
    tagged = e == NULL && found && o.tags.n > 0;
    err_free(e);
    return tagged;
}

static bool source_tags_plain(const struct call *c)
{
    return source_no_version(c) && source_tags(c);
}

static bool source_tags_version(const struct call *c)
{
    return source_version(c) && source_tags(c);
}

static bool writes_tags(const struct call *c)
{
    if (str_is(s3_in(c, "TaggingDirective"), "REPLACE"))
        return has_tags(c);
    return source_tags(c);
}

/* -- needs ------------------------------------------------------------------------------------- */

#define ON_BUCKET(op, action)                                                                      \
    static const struct need need_##op[] = {{"s3:" action, NULL, s3_target_bucket}, {0}}
#define ON_VERSION(op, plain, version)                                                             \
    static const struct need need_##op[] = {{"s3:" plain, no_version, s3_target_object},           \
                                            {"s3:" version, has_version, s3_target_object},        \
                                            {0}}

static const struct need need_ListBuckets[] = {
    {"s3:ListAllMyBuckets", NULL, s3_target_account}, {0}};
static const struct need need_CreateBucket[] = {
    {"s3:CreateBucket", NULL, s3_target_new_bucket},
    {"s3:PutBucketOwnershipControls", has_ownership, s3_target_new_bucket},
    {"s3:TagResource", has_bucket_tags, s3_target_new_bucket},
    {0}};
ON_BUCKET(DeleteBucket, "DeleteBucket");
static const struct need need_HeadBucket[] = {{"s3:ListBucket", NULL, s3_target_objects}, {0}};
ON_BUCKET(GetBucketLocation, "GetBucketLocation");
ON_BUCKET(GetBucketVersioning, "GetBucketVersioning");
ON_BUCKET(PutBucketVersioning, "PutBucketVersioning");
ON_BUCKET(GetBucketEncryption, "GetEncryptionConfiguration");
ON_BUCKET(PutBucketEncryption, "PutEncryptionConfiguration");
ON_BUCKET(GetBucketPolicy, "GetBucketPolicy");
ON_BUCKET(PutBucketPolicy, "PutBucketPolicy");
ON_BUCKET(DeleteBucketPolicy, "DeleteBucketPolicy");
ON_BUCKET(GetBucketPolicyStatus, "GetBucketPolicyStatus");
ON_BUCKET(GetPublicAccessBlock, "GetBucketPublicAccessBlock");
ON_BUCKET(PutPublicAccessBlock, "PutBucketPublicAccessBlock");
ON_BUCKET(GetBucketNotificationConfiguration, "GetBucketNotification");
ON_BUCKET(PutBucketNotificationConfiguration, "PutBucketNotification");
ON_BUCKET(GetBucketTagging, "GetBucketTagging");
ON_BUCKET(PutBucketTagging, "PutBucketTagging");
ON_BUCKET(GetBucketAcl, "GetBucketAcl");
ON_BUCKET(PutBucketAcl, "PutBucketAcl");
ON_BUCKET(GetBucketOwnershipControls, "GetBucketOwnershipControls");
ON_BUCKET(PutBucketOwnershipControls, "PutBucketOwnershipControls");
static const struct need need_ListObjects[] = {{"s3:ListBucket", NULL, s3_target_list}, {0}};
static const struct need need_ListObjectVersions[] = {
    {"s3:ListBucketVersions", NULL, s3_target_list}, {0}};
static const struct need need_ListMultipartUploads[] = {
    {"s3:ListBucketMultipartUploads", NULL, s3_target_objects}, {0}};

ON_VERSION(GetObject, "GetObject", "GetObjectVersion");
/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html */
static const struct need need_DeleteObject[] = {
    {"s3:DeleteObject", no_version, s3_target_delete},
    {"s3:DeleteObjectVersion", has_version, s3_target_delete},
    {"s3:GetObject", has_etag_match, s3_target_object},
    {0}};
ON_VERSION(GetObjectTagging, "GetObjectTagging", "GetObjectVersionTagging");
ON_VERSION(PutObjectTagging, "PutObjectTagging", "PutObjectVersionTagging");
ON_VERSION(DeleteObjectTagging, "DeleteObjectTagging", "DeleteObjectVersionTagging");
ON_VERSION(GetObjectAcl, "GetObjectAcl", "GetObjectVersionAcl");
ON_VERSION(PutObjectAcl, "PutObjectAcl", "PutObjectVersionAcl");
static const struct need need_GetObjectAttributes[] = {
    {"s3:GetObject", no_version, s3_target_object},
    {"s3:GetObjectAttributes", no_version, s3_target_object},
    {"s3:GetObjectVersion", has_version, s3_target_object},
    {"s3:GetObjectVersionAttributes", has_version, s3_target_object},
    {0}};
/* The ACLs that are let through change nothing: no s3:PutObjectAcl for them (CloudTrail's delivery
 * has none). */
static const struct need need_PutObject[] = {
    {"s3:PutObject", NULL, s3_target_object_write},
    {"s3:PutObjectTagging", has_tags, s3_target_object_write},
    {"s3:GetObject", has_if_match, s3_target_object},
    {0}};
static const struct need need_CopyObject[] = {
    {"s3:GetObject", source_no_version, s3_target_source},
    {"s3:GetObjectVersion", source_version, s3_target_source},
    {"s3:GetObjectTagging", source_tags_plain, s3_target_source},
    {"s3:GetObjectVersionTagging", source_tags_version, s3_target_source},
    {"s3:PutObject", NULL, s3_target_object_write},
    {"s3:PutObjectTagging", writes_tags, s3_target_object_write},
    {"s3:GetObject", has_if_match, s3_target_object},
    {0}};
static const struct need need_UploadPartCopy[] = {
    {"s3:GetObject", source_no_version, s3_target_source},
    {"s3:GetObjectVersion", source_version, s3_target_source},
    {"s3:PutObject", NULL, s3_target_part},
    {0}};
static const struct need need_part[] = {{"s3:PutObject", NULL, s3_target_part}, {0}};
static const struct need need_complete[] = {{"s3:PutObject", NULL, s3_target_part},
                                            {"s3:GetObject", has_if_match, s3_target_object},
                                            {0}};
static const struct need need_abort[] = {{"s3:AbortMultipartUpload", NULL, s3_target_delete}, {0}};
static const struct need need_ListParts[] = {
    {"s3:ListMultipartUploadParts", NULL, s3_target_delete}, {0}};

/* -- rows -------------------------------------------------------------------------------------- */

/* CloudTrail's names of events differ from the operations' here and there:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html */
#define BUCKET_READ(op, n, in) BUCKET_READ_AS(op, n, in, #op)
#define BUCKET_WRITE(op, n, in) BUCKET_WRITE_AS(op, n, in, #op)
#define OBJECT_READ(op, n, in) OBJECT_READ_AS(op, n, in, #op)

#define BUCKET_READ_AS(op, n, in, event)                                                           \
    {OP_ROW(s3, op, OP_READ, AUDIT_MANAGEMENT, n, in, NULL), .event_name = event, .anonymous = true}
#define BUCKET_WRITE_AS(op, n, in, event)                                                          \
    {OP_ROW(s3, op, OP_WRITE, AUDIT_MANAGEMENT, n, in, NULL), .event_name = event,                 \
     .anonymous = true}
#define OBJECT_READ_AS(op, n, in, event)                                                           \
    {OP_ROW(s3, op, OP_READ, AUDIT_DATA, n, in, NULL), .event_name = event, .anonymous = true}
#define OBJECT_WRITE(op, n, in, result, hooks)                                                     \
    {OP_ROW(s3, op, OP_WRITE, AUDIT_DATA, n, in, result), .body = hooks, .anonymous = true}
#define OBJECT_FREE(op, class, n, in, result)                                                      \
    {OP_ROW(s3, op, OP_WRITE, class, n, in, result), .anonymous = true, .frees = true}

#define SSE_IN "ServerSideEncryption SSEKMSKeyId BucketKeyEnabled "
#define SSE_OUT "ServerSideEncryption SSEKMSKeyId BucketKeyEnabled VersionId "
#define GRANTS_IN "ACL GrantFullControl GrantRead GrantReadACP GrantWrite GrantWriteACP "
#define WRITE_IN "Bucket Key StorageClass " GRANTS_IN SSE_IN

static const struct op_row rows[] = {
    {.name = "CreateBucket",
     .handler = s3_CreateBucket_op,
     .effect = OP_WRITE,
     .audit = AUDIT_MANAGEMENT,
     .needs = need_CreateBucket,
     .record_in = "Bucket CreateBucketConfiguration ObjectOwnership " GRANTS_IN},
    {.name = "ListBuckets",
     .handler = s3_ListBuckets_op,
     .effect = OP_READ,
     .audit = AUDIT_MANAGEMENT,
     .needs = need_ListBuckets,
     .record_in = "MaxBuckets Prefix BucketRegion"},
    OBJECT_FREE(DeleteBucket, AUDIT_MANAGEMENT, need_DeleteBucket, "Bucket", NULL),
    OBJECT_READ(HeadBucket, need_HeadBucket, "Bucket"), /* a data event, as on AWS */
    BUCKET_READ(GetBucketLocation, need_GetBucketLocation, "Bucket"),
    BUCKET_READ(GetBucketVersioning, need_GetBucketVersioning, "Bucket"),
    BUCKET_WRITE(PutBucketVersioning, need_PutBucketVersioning, "Bucket VersioningConfiguration"),
    BUCKET_READ(GetBucketEncryption, need_GetBucketEncryption, "Bucket"),
    BUCKET_WRITE(PutBucketEncryption, need_PutBucketEncryption,
                 "Bucket ServerSideEncryptionConfiguration"),
    BUCKET_WRITE(DeleteBucketEncryption, need_PutBucketEncryption, "Bucket"),
    BUCKET_READ(GetBucketPolicy, need_GetBucketPolicy, "Bucket"),
    BUCKET_WRITE(PutBucketPolicy, need_PutBucketPolicy,
                 "Bucket Policy ConfirmRemoveSelfBucketAccess"),
    BUCKET_WRITE(DeleteBucketPolicy, need_DeleteBucketPolicy, "Bucket"),
    BUCKET_READ(GetBucketPolicyStatus, need_GetBucketPolicyStatus, "Bucket"),
    BUCKET_READ_AS(GetPublicAccessBlock, need_GetPublicAccessBlock, "Bucket",
                   "GetBucketPublicAccessBlock"),
    BUCKET_WRITE_AS(PutPublicAccessBlock, need_PutPublicAccessBlock,
                    "Bucket PublicAccessBlockConfiguration", "PutBucketPublicAccessBlock"),
    BUCKET_WRITE_AS(DeletePublicAccessBlock, need_PutPublicAccessBlock, "Bucket",
                    "DeleteBucketPublicAccessBlock"),
    BUCKET_READ_AS(GetBucketNotificationConfiguration, need_GetBucketNotificationConfiguration,
                   "Bucket", "GetBucketNotification"),
    BUCKET_WRITE_AS(PutBucketNotificationConfiguration, need_PutBucketNotificationConfiguration,
                    "Bucket NotificationConfiguration", "PutBucketNotification"),
    BUCKET_READ(GetBucketTagging, need_GetBucketTagging, "Bucket"),
    BUCKET_WRITE(PutBucketTagging, need_PutBucketTagging, "Bucket Tagging"),
    BUCKET_WRITE(DeleteBucketTagging, need_PutBucketTagging, "Bucket"),
    BUCKET_READ(GetBucketAcl, need_GetBucketAcl, "Bucket"),
    BUCKET_WRITE(PutBucketAcl, need_PutBucketAcl, "Bucket AccessControlPolicy " GRANTS_IN),
    BUCKET_READ(GetBucketOwnershipControls, need_GetBucketOwnershipControls, "Bucket"),
    BUCKET_WRITE(PutBucketOwnershipControls, need_PutBucketOwnershipControls,
                 "Bucket OwnershipControls"),
    BUCKET_WRITE(DeleteBucketOwnershipControls, need_PutBucketOwnershipControls, "Bucket"),

    OBJECT_READ(ListObjects, need_ListObjects,
                "Bucket Prefix Delimiter Marker MaxKeys EncodingType"),
    OBJECT_READ_AS(ListObjectsV2, need_ListObjects,
                   "Bucket Prefix Delimiter StartAfter MaxKeys EncodingType FetchOwner",
                   "ListObjects"),
    OBJECT_READ(ListObjectVersions, need_ListObjectVersions,
                "Bucket Prefix Delimiter KeyMarker VersionIdMarker MaxKeys"),
    OBJECT_READ(ListMultipartUploads, need_ListMultipartUploads,
                "Bucket Prefix Delimiter KeyMarker UploadIdMarker MaxUploads"),

    OBJECT_WRITE(PutObject, need_PutObject, WRITE_IN, SSE_OUT, &S3_PUT_BODY),
    OBJECT_READ(GetObject, need_GetObject, "Bucket Key VersionId Range PartNumber"),
    OBJECT_READ(HeadObject, need_GetObject, "Bucket Key VersionId Range PartNumber"),
    OBJECT_READ(GetObjectAttributes, need_GetObjectAttributes,
                "Bucket Key VersionId ObjectAttributes"),
    OBJECT_WRITE(CopyObject, need_CopyObject,
                 WRITE_IN "CopySource MetadataDirective TaggingDirective",
                 SSE_OUT "CopySourceVersionId", NULL),
    OBJECT_FREE(DeleteObject, AUDIT_DATA, need_DeleteObject, "Bucket Key VersionId",
                "VersionId DeleteMarker"),
    /* Each key is authorised by itself, in the handler. */
    OBJECT_FREE(DeleteObjects, AUDIT_DATA, NO_NEEDS, "Bucket Delete", NULL),
    OBJECT_READ(GetObjectTagging, need_GetObjectTagging, "Bucket Key VersionId"),
    OBJECT_WRITE(PutObjectTagging, need_PutObjectTagging, "Bucket Key VersionId", "VersionId",
                 NULL),
    OBJECT_WRITE(DeleteObjectTagging, need_DeleteObjectTagging, "Bucket Key VersionId", "VersionId",
                 NULL),
    OBJECT_READ(GetObjectAcl, need_GetObjectAcl, "Bucket Key VersionId"),
    OBJECT_WRITE(PutObjectAcl, need_PutObjectAcl,
                 "Bucket Key VersionId AccessControlPolicy " GRANTS_IN, NULL, NULL),

    OBJECT_WRITE(CreateMultipartUpload, need_PutObject, WRITE_IN "ChecksumAlgorithm ChecksumType",
                 "Bucket Key UploadId " SSE_OUT, NULL),
    OBJECT_WRITE(UploadPart, need_part, "Bucket Key UploadId PartNumber", SSE_OUT, &S3_PART_BODY),
    OBJECT_WRITE(UploadPartCopy, need_UploadPartCopy,
                 "Bucket Key UploadId PartNumber CopySource CopySourceRange",
                 SSE_OUT "CopySourceVersionId", NULL),
    OBJECT_WRITE(CompleteMultipartUpload, need_complete, "Bucket Key UploadId",
                 "Location Bucket Key ETag " SSE_OUT, NULL),
    OBJECT_FREE(AbortMultipartUpload, AUDIT_DATA, need_abort, "Bucket Key UploadId", NULL),
    OBJECT_READ(ListParts, need_ListParts, "Bucket Key UploadId MaxParts PartNumberMarker"),
};

static void stop(struct ward *w UNUSED)
{
    s3_bucket_keys_stop();
}

const struct room s3_room = {
    .name = "s3",
    .model = &s3_model,
    .event_source = "s3.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = NULL, /* s3_check() */
    .denied_code = "AccessDenied",
    .jobs = S3_JOBS,
    .record = s3_record,
    .start = s3_sweep,
    .stop = stop,
};

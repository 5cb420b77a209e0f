/* What the needs of S3's operations are about: ARNs, bucket policies, condition keys.
 *
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
#include "upload.h"

struct str s3_in(const struct call *c, const char *member)
{
    if (c->op == NULL || c->op->input == NULL || c->in == NULL)
        return STR_NONE;
    return shape_str_at(c->op->input, c->in, member);
}

struct str s3_object_arn(struct arena *a, struct str bucket, struct str key)
{
    return arena_fmt(a, "arn:aws:s3:::%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
}

/* The bucket's side of a target; an unknown bucket leaves it bare. */
static struct err *bucket_side(struct call *c, struct str name, struct target *out,
                               struct s3_bucket *b, bool *found)
{
    TRY(s3_bucket_find(c, name, b, found));
    if (!*found)
        return NULL;
    out->account = b->account;
    call_key(c, "s3:ResourceAccount", b->account);
    return s3_policy_for(c, b, &out->policy);
}

static void header_key(struct call *c, const char *key, const char *member)
{
    call_key(c, key, s3_in(c, member));
}

/* "aws:RequestTag/" and the like; the tags' names as a list under `names`. */
static void tag_keys(struct call *c, const char *each, const char *names, const struct s3_TagSet *t)
{
    if (t->n == 0)
        return;
    struct str *keys = ARENA_ARRAY(c->arena, t->n, struct str);
    for (size_t i = 0; i < t->n; i++) {
        struct str name = arena_concat(c->arena, str_c(each), t->v[i].Key);
        call_key(c, arena_cstr(c->arena, name), t->v[i].Value);
        keys[i] = t->v[i].Key;
    }
    if (names != NULL)
        call_key_list(c, names, keys, t->n);
}

static void common_keys(struct call *c)
{
    call_key(c, "s3:signatureversion", STR("AWS4-HMAC-SHA256"));
    if (c->sig.present) {
        call_key(c, "s3:authType",
                 c->sig.presigned ? STR("REST-QUERY-STRING") : STR("REST-HEADER"));
        if (c->sig.presigned)
            call_key(c, "s3:signatureAge",
                     arena_fmt(c->arena, "%lld", (long long)(c->now_ms - c->sig.time_ms)));
    }
    if (c->wire != NULL)
        call_key(c, "s3:x-amz-content-sha256", wire_req_header(c->wire, "x-amz-content-sha256"));
    if (c->http != NULL && c->http->tls_version != NULL)
        call_key(c, "s3:TlsVersion", str_skip(str_c(c->http->tls_version), 4));
}

/* ListBuckets: no resource, but the keys that are the request's own. */
struct err *s3_target_account(struct call *c, struct target *out)
{
    out->arn = STR("*");
    common_keys(c);
    return NULL;
}

struct err *s3_target_bucket(struct call *c, struct target *out)
{
    struct s3_bucket b;
    bool found = false;
    struct str name = s3_in(c, "Bucket");
    out->arn = arena_concat(c->arena, STR("arn:aws:s3:::"), name);
    out->type = "AWS::S3::Bucket";
    common_keys(c);
    header_key(c, "s3:x-amz-acl", "ACL");
    return bucket_side(c, name, out, &b, &found);
}

/* CreateBucket: nobody's policy speaks of what is not there yet. */
struct err *s3_target_new_bucket(struct call *c, struct target *out)
{
    out->arn = arena_concat(c->arena, STR("arn:aws:s3:::"), s3_in(c, "Bucket"));
    out->type = "AWS::S3::Bucket";
    common_keys(c);
    header_key(c, "s3:x-amz-acl", "ACL");
    header_key(c, "s3:x-amz-object-ownership", "ObjectOwnership");
    header_key(c, "s3:locationconstraint", "CreateBucketConfiguration.LocationConstraint");
    const struct s3_CreateBucketRequest *in = c->in;
    if (in->CreateBucketConfiguration != NULL)
        tag_keys(c, "aws:RequestTag/", "aws:TagKeys", &in->CreateBucketConfiguration->Tags);
    return NULL;
}

static struct str number_in(struct call *c, const char *member)
{
    const struct shape_member *m = shape_member(c->op->input, str_c(member));
    if (m == NULL || m->shape->kind != SH_INT)
        return STR_NONE;
    const struct opt_int *v = shape_at(m, c->in);
    return v->set ? arena_fmt(c->arena, "%lld", (long long)v->v) : STR_NONE;
}

/* Calls about the objects of a bucket without naming one: trails choose them by the beginning of
 * the objects' ARNs. */
void s3_record_objects(struct call *c, const struct s3_bucket *b, struct str prefix)
{
    call_record_prefix(c, s3_object_arn(c->arena, b->name, prefix), "AWS::S3::Object");
}

struct err *s3_target_objects(struct call *c, struct target *out)
{
    TRY(s3_target_bucket(c, out));
    struct s3_bucket b = {.name = s3_in(c, "Bucket"),
                          .account = out->account.p != NULL ? out->account : c->account};
    s3_record_objects(c, &b, s3_in(c, "Prefix"));
    return NULL;
}

struct err *s3_target_list(struct call *c, struct target *out)
{
    TRY(s3_target_objects(c, out));
    header_key(c, "s3:prefix", "Prefix");
    header_key(c, "s3:delimiter", "Delimiter");
    call_key(c, "s3:max-keys", number_in(c, "MaxKeys"));
    return NULL;
}

static struct err *existing_tags(struct call *c, const struct s3_bucket *b, struct str key,
                                 struct str version)
{
    struct s3_object o;
    bool found = false;
    if (version.n == 0) {
        TRY(s3_object_latest(c, b, key, &o, &found));
    } else {
        struct err *e = s3_object_version(c, b, key, version, &o, &found);
        if (e != NULL) {
            bool bad_id = err_has_code(e, "InvalidArgument");
            if (!bad_id)
                return e;
            err_free(e); /* the handler says so, to who may know */
            return NULL;
        }
    }
    if (found)
        tag_keys(c, "s3:ExistingObjectTag/", NULL, &o.tags);
    return NULL;
}

static void request_tags(struct call *c)
{
    struct s3_TagSet tags = {0};
    struct str header = s3_in(c, "Tagging");
    if (c->op != NULL && strcmp(c->op->name, "PutObjectTagging") == 0) {
        const struct s3_PutObjectTaggingRequest *in = c->in;
        if (in->Tagging != NULL)
            tags = in->Tagging->TagSet;
    } else if (header.n > 0) {
        err_free(s3_tags_parse(c->arena, header, &tags)); /* the handler says what is wrong */
    }
    tag_keys(c, "s3:RequestObjectTag/", "s3:RequestObjectTagKeys", &tags);
}

/* The object and its bucket; *found: whether the bucket exists. */
static struct err *object_side(struct call *c, struct str bucket, struct str key,
                               struct str version, struct target *out, struct s3_bucket *b,
                               bool *found)
{
    out->arn = s3_object_arn(c->arena, bucket, key);
    out->type = "AWS::S3::Object";
    common_keys(c);
    if (version.n > 0)
        call_key(c, "s3:VersionId", version);
    TRY(bucket_side(c, bucket, out, b, found));
    if (*found) {
        call_record_resource(c, out->arn, STR_NONE, out->type);
        call_record_resource(c, b->arn, b->account, "AWS::S3::Bucket");
    }
    return NULL;
}

static struct err *read_side(struct call *c, struct str bucket, struct str key, struct str version,
                             struct target *out)
{
    struct s3_bucket b;
    bool found = false;
    TRY(object_side(c, bucket, key, version, out, &b, &found));
    return found && key.n <= S3_KEY_MAX ? existing_tags(c, &b, key, version) : NULL;
}

struct err *s3_target_object(struct call *c, struct target *out)
{
    request_tags(c);
    header_key(c, "s3:x-amz-acl", "ACL");
    return read_side(c, s3_in(c, "Bucket"), s3_in(c, "Key"), s3_in(c, "VersionId"), out);
}

/* Existing tags say nothing on who may write or delete:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html */
struct err *s3_target_delete(struct call *c, struct target *out)
{
    struct s3_bucket b;
    bool found = false;
    header_key(c, "s3:if-match", "IfMatch");
    return object_side(c, s3_in(c, "Bucket"), s3_in(c, "Key"), s3_in(c, "VersionId"), out, &b,
                       &found);
}

struct err *s3_target_object_write(struct call *c, struct target *out)
{
    static const char *const keys[][2] = {
        {"s3:x-amz-acl", "ACL"},
        {"s3:x-amz-storage-class", "StorageClass"},
        {"s3:x-amz-server-side-encryption", "ServerSideEncryption"},
        {"s3:x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"},
        {"s3:x-amz-server-side-encryption-customer-algorithm", "SSECustomerAlgorithm"},
        {"s3:x-amz-copy-source", "CopySource"},
        {"s3:x-amz-metadata-directive", "MetadataDirective"},
        {"s3:x-amz-website-redirect-location", "WebsiteRedirectLocation"},
        {"s3:if-match", "IfMatch"},
        {"s3:if-none-match", "IfNoneMatch"},
    };
    struct s3_bucket b;
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        header_key(c, keys[i][0], keys[i][1]);
    request_tags(c);
    return object_side(c, s3_in(c, "Bucket"), s3_in(c, "Key"), STR_NONE, out, &b, &found);
}

/* Parts and completions carry none of the headers that policies ask for: what the upload was begun
 * with counts, or no upload could ever pass a policy that demands encryption. */
struct err *s3_target_part(struct call *c, struct target *out)
{
    struct s3_bucket b;
    struct s3_upload u;
    bool found = false;
    struct str key = s3_in(c, "Key");
    header_key(c, "s3:x-amz-copy-source", "CopySource");
    header_key(c, "s3:if-match", "IfMatch");
    header_key(c, "s3:if-none-match", "IfNoneMatch");
    TRY(object_side(c, s3_in(c, "Bucket"), key, STR_NONE, out, &b, &found));
    if (!found || key.n > S3_KEY_MAX)
        return NULL;
    struct err *e = s3_upload_get(c, &b, key, s3_in(c, "UploadId"), &u);
    if (err_has_code(e, "NoSuchUpload")) {
        err_free(e); /* the handler says so, to who may know */
        return NULL;
    }
    TRY(e);
    for (size_t i = 0; i < S3_ASKED; i++)
        call_key(c, s3_asked[i].condition, u.asked[i]);
    return NULL;
}

/* As read_side, for checks within a handler. */
struct err *s3_target_tags(struct call *c, struct str bucket, struct str key, struct str version,
                           struct target *out)
{
    call_keys_reset(c);
    return read_side(c, bucket, key, version, out);
}

struct err *s3_target_source(struct call *c, struct target *out)
{
    struct s3_copy_source src;
    struct err *e = s3_copy_source_parse(c->arena, s3_in(c, "CopySource"), &src);
    if (e != NULL) { /* the handler says so; nothing can be read without a name */
        err_free(e);
        out->arn = STR("arn:aws:s3:::");
        return NULL;
    }
    return read_side(c, src.bucket, src.key, src.version, out);
}

struct err *s3_target_of(struct call *c, struct str bucket, struct str key, struct target *out)
{
    struct s3_bucket b;
    bool found = false;
    out->arn = key.p == NULL ? arena_concat(c->arena, STR("arn:aws:s3:::"), bucket)
                             : s3_object_arn(c->arena, bucket, key);
    call_keys_reset(c); /* those of the one before */
    common_keys(c);
    return bucket_side(c, bucket, out, &b, &found);
}

bool s3_allowed(struct call *c, const char *action, const struct target *t)
{
    struct err *e = call_check(c, action, t);
    bool allowed = e == NULL;
    err_free(e);
    return allowed;
}

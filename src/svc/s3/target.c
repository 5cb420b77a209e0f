/* What the needs of S3's operations are about: ARNs, bucket policies, condition keys.
 *
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html */
#include "internal.h"

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

struct err *s3_target_list(struct call *c, struct target *out)
{
    TRY(s3_target_bucket(c, out));
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
    for (size_t i = 0; found && i < o.tags.n; i++) {
        struct str name = arena_concat(c->arena, STR("s3:ExistingObjectTag/"), o.tags.v[i].Key);
        call_key(c, arena_cstr(c->arena, name), o.tags.v[i].Value);
    }
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
    if (tags.n == 0)
        return;
    struct str *keys = ARENA_ARRAY(c->arena, tags.n, struct str);
    for (size_t i = 0; i < tags.n; i++) {
        struct str name = arena_concat(c->arena, STR("s3:RequestObjectTag/"), tags.v[i].Key);
        call_key(c, arena_cstr(c->arena, name), tags.v[i].Value);
        keys[i] = tags.v[i].Key;
    }
    call_key_list(c, "s3:RequestObjectTagKeys", keys, tags.n);
}

static struct err *object_side(struct call *c, struct str bucket, struct str key,
                               struct str version, struct target *out)
{
    struct s3_bucket b;
    bool found = false;
    out->arn = s3_object_arn(c->arena, bucket, key);
    out->type = "AWS::S3::Object";
    common_keys(c);
    TRY(bucket_side(c, bucket, out, &b, &found));
    if (found)
        call_record_resource(c, b.arn, b.account, "AWS::S3::Bucket");
    if (version.n > 0)
        call_key(c, "s3:VersionId", version);
    return found && key.n <= S3_KEY_MAX ? existing_tags(c, &b, key, version) : NULL;
}

struct err *s3_target_object(struct call *c, struct target *out)
{
    request_tags(c);
    header_key(c, "s3:x-amz-acl", "ACL");
    return object_side(c, s3_in(c, "Bucket"), s3_in(c, "Key"), s3_in(c, "VersionId"), out);
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
    struct str bucket = s3_in(c, "Bucket");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        header_key(c, keys[i][0], keys[i][1]);
    request_tags(c);
    common_keys(c);
    out->arn = s3_object_arn(c->arena, bucket, s3_in(c, "Key"));
    out->type = "AWS::S3::Object";
    TRY(bucket_side(c, bucket, out, &b, &found));
    if (found)
        call_record_resource(c, b.arn, b.account, "AWS::S3::Bucket");
    return NULL;
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
    return object_side(c, src.bucket, src.key, src.version, out);
}

struct err *s3_target_of(struct call *c, struct str bucket, struct str key, struct target *out)
{
    struct s3_bucket b;
    bool found = false;
    out->arn = key.p == NULL ? arena_concat(c->arena, STR("arn:aws:s3:::"), bucket)
                             : s3_object_arn(c->arena, bucket, key);
    return bucket_side(c, bucket, out, &b, &found);
}

bool s3_allowed(struct call *c, const char *action, const struct target *t)
{
    struct err *e = call_check(c, action, t);
    bool allowed = e == NULL;
    err_free(e);
    return allowed;
}

/* PutObject. */
#include "internal.h"

struct put {
    struct s3_body body; /* first: s3_body_data sees it */
    struct s3_object object;
};

static struct err *put_begin(struct call *c)
{
    const struct s3_PutObjectRequest *in = c->in;
    struct put *p = ARENA_NEW(c->arena, struct put);
    TRY(s3_check(c));
    TRY(s3_key_check(in->Key));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &p->body.bucket));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    if (in->WriteOffsetBytes.set)
        return err_not_implemented(c, "Appending to objects");
    S3_HEADERS_TO(&p->object, in);
    struct s3_attrs_in attrs = S3_ATTRS_IN(in);
    TRY(s3_attrs_check(c, &attrs, &p->object));
    struct s3_sse_request sse = S3_SSE_REQUEST(in);
    TRY(s3_sse_choose(c, &p->body.bucket, &sse, &p->body.sse));
    p->body.key = in->Key;
    struct s3_body_request r = {.sums = S3_SUMS_IN(in),
                                .algorithm = in->ChecksumAlgorithm,
                                .md5 = in->ContentMD5,
                                .streamed = true};
    TRY(s3_body_begin(c, &p->body, &r, true));
    if (p->body.sse.kms) {
        struct secret *key = NULL;
        TRY(s3_key_new(c, &p->body.bucket, in->Key, &p->body.sse, &key));
        s3_writer_key(p->body.writer, key);
    }
    return NULL;
}

const struct body_hooks S3_PUT_BODY = {put_begin, s3_body_data, s3_body_abandon};

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
struct err *s3_write_conditions(struct call *c, const struct s3_bucket *b, struct str key,
                                struct str if_match, struct str if_none_match)
{
    struct s3_object o;
    bool found = false;
    if (if_match.p == NULL && if_none_match.p == NULL)
        return NULL;
    if (if_none_match.p != NULL && !str_is(if_none_match, "*"))
        return err_not_implemented(c, "If-None-Match with an entity tag, for writes");
    TRY(s3_object_latest(c, b, key, &o, &found));
    found = found && !o.marker;
    if (if_none_match.p != NULL && found)
        return err_aws(412, "PreconditionFailed",
                       "At least one of the pre-conditions you specified did not hold");
    if (if_match.p == NULL)
        return NULL;
    if (!found)
        return err_aws(404, "NoSuchKey", "The specified key does not exist.");
    if (!s3_etag_listed(if_match, o.etag))
        return err_aws(412, "PreconditionFailed",
                       "At least one of the pre-conditions you specified did not hold");
    return NULL;
}

S3_HANDLER(PutObject, PutObjectRequest, PutObjectOutput)
{
    struct put *p = c->state;
    struct s3_bucket b;
    struct s3_reap reap = {0};
    TRY(s3_body_began(c));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (b.id != p->body.bucket.id)
        return err_aws(404, "NoSuchBucket", "The specified bucket does not exist");
    TRY(s3_body_end(c, &p->body));
    TRY(s3_write_conditions(c, &b, in->Key, in->IfMatch, in->IfNoneMatch));
    struct s3_object o = p->object;
    o.size = s3_writer_size(p->body.writer);
    o.etag = p->body.etag;
    o.sum_alg = p->body.kept;
    o.sum = s3_sums_text(p->body.sums, c->arena, o.sum_alg);
    o.sse = p->body.sse;
    TRY(s3_writer_store(p->body.writer, c, &b, o.sse.kms, &o.data));
    TRY(s3_object_place(c, &b, in->Key, &o, &reap));
    TRY(s3_reap_put(c, b.account, &reap));
    TRY(s3_notify(c, &b, "ObjectCreated:Put", in->Key, &o));
    s3_record_sse(c, &o.sse, in->ServerSideEncryption);
    out->ETag = s3_quoted(c->arena, o.etag);
    if (b.versioning != VERSIONING_OFF)
        out->VersionId = o.version;
    S3_SUM_OUT(out, o.sum_alg, o.sum);
    out->ChecksumType = STR("FULL_OBJECT");
    S3_SSE_OUT(out, &o.sse);
    out->SSEKMSEncryptionContext = s3_sse_context(c->arena, &o.sse);
    return NULL;
}

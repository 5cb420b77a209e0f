/* CopyObject, UploadPartCopy. The bytes are read under the source's key and written under the
 * destination's, a piece at a time. */
#include "upload.h"

#include "../../core/enc.h"
#include "../../crypto/crypto.h"

enum { COPY_PIECE = 64 * 1024 };

/* "/bucket/key?versionId=…", percent-encoded. */
struct err *s3_copy_source_parse(struct arena *a, struct str header, struct s3_copy_source *out)
{
    struct s3_copy_source s = {.version = STR_NONE};
    struct str path = header;
    ptrdiff_t q = str_find(header, STR("?versionId="));
    if (q >= 0) {
        path = str_take(header, (size_t)q);
        s.version = str_skip(header, (size_t)q + sizeof "?versionId=" - 1);
    }
    if (str_starts_c(path, "arn:"))
        return err_aws(400, "InvalidArgument", "Access points are not supported as copy source");
    struct str plain;
    if (path.n == 0 || !dec_uri(a, path, false, &plain))
        return err_aws(
            400, "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    if (str_starts_c(plain, "/"))
        plain = str_skip(plain, 1);
    ptrdiff_t slash = str_find_char(plain, '/');
    if (slash <= 0 || (size_t)slash + 1 >= plain.n)
        return err_aws(
            400, "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    s.bucket = str_take(plain, (size_t)slash);
    s.key = str_skip(plain, (size_t)slash + 1);
    *out = s;
    return NULL;
}

struct source {
    struct s3_copy_source name;
    struct s3_bucket bucket;
    struct s3_object object;
};

/* What to copy, if the conditions on it hold. */
static struct err *find_source(struct call *c, struct str header, struct str owner,
                               const struct s3_conditions *k, struct source *out)
{
    TRY(s3_copy_source_parse(c->arena, header, &out->name));
    TRY(s3_key_check(out->name.key));
    TRY(s3_bucket_get(c, out->name.bucket, owner, &out->bucket));
    struct err *e = s3_object_read(c, &out->bucket, out->name.key, out->name.version, &out->object);
    c->n_extra_headers = 0;
    if (err_has_code(e, "MethodNotAllowed")) {
        err_free(e);
        return err_aws(400, "InvalidRequest",
                       "The source of a copy request may not specifically refer to a delete marker "
                       "by version id.");
    }
    TRY(e);
    if (s3_conditions_read(k, out->object.etag, out->object.modified_ms) != VERDICT_GO)
        return err_aws(412, "PreconditionFailed",
                       "At least one of the pre-conditions you specified did not hold");
    return NULL;
}

/* Copies [from, from + n) into the writer, summing. */
static struct err *copy_bytes(struct call *c, const struct source *src, uint64_t from, uint64_t n,
                              struct s3_body *to)
{
    struct http_source s;
    struct err *e = NULL;
    TRY(s3_source_open(c, &src->bucket, src->name.key, &src->object, from, n, &s));
    char *piece = malloc(COPY_PIECE);
    CHECK(piece != NULL);
    for (size_t got = 1; e == NULL && got > 0;) {
        e = s.fill(s.arg, piece, COPY_PIECE, &got);
        if (e == NULL && got > 0)
            e = s3_body_data(c, str_of(piece, got));
    }
    s.done(s.arg);
    secret_wipe(piece, COPY_PIECE);
    free(piece);
    if (e == NULL && s3_writer_size(to->writer) != n)
        e = err_new(ERR_CORRUPT, "The source's data has a wrong size.");
    return e;
}

/* The bytes are copied once; the transaction around them may run again. */
struct copying {
    struct s3_body body; /* first: s3_body_data sees it */
    bool done;
    struct str source_etag;
    struct str source_version;
};

static void drop_copy(void *p)
{
    struct copying *x = p;
    if (x->body.writer != NULL)
        s3_writer_abandon(x->body.writer);
}

static struct copying *copying_of(struct call *c)
{
    struct copying *x = c->state;
    if (x == NULL)
        c->state = x = ARENA_NEW(c->arena, struct copying);
    else if (x->body.writer != NULL)
        s3_writer_again(x->body.writer);
    return x;
}

static struct err *run_copy(struct call *c, struct copying *x, const struct source *src,
                            uint64_t from, uint64_t n, enum s3_alg keep, bool small,
                            struct secret *key)
{
    struct s3_body_request r = {.keep = keep};
    struct err *e = s3_body_begin(c, &x->body, &r, small);
    if (e != NULL) {
        secret_free(key);
        return e;
    }
    arena_on_free(c->arena, drop_copy, x); /* runs before the writer's own */
    if (key != NULL)
        s3_writer_key(x->body.writer, key);
    TRY(copy_bytes(c, src, from, n, &x->body));
    TRY(s3_body_end(c, &x->body));
    x->source_etag = src->object.etag;
    x->source_version = src->object.version;
    x->done = true;
    return NULL;
}

static bool same_source(const struct copying *x, const struct source *src)
{
    return str_eq(x->source_etag, src->object.etag) &&
           str_eq(x->source_version, src->object.version);
}

/* -- CopyObject -------------------------------------------------------------------------------- */

static struct err *new_object(struct call *c, const struct s3_CopyObjectRequest *in,
                              const struct source *src, struct s3_object *o)
{
    struct s3_attrs_in attrs = S3_ATTRS_IN(in);
    bool replace = str_is(in->MetadataDirective, "REPLACE");
    bool new_tags = str_is(in->TaggingDirective, "REPLACE");
    if (replace) {
        S3_HEADERS_TO(o, in);
    } else {
        *o = src->object;
        o->redirect = in->WebsiteRedirectLocation; /* never copied */
    }
    if (!new_tags) {
        attrs.tagging = STR_NONE;
        o->tags = src->object.tags;
    } else {
        o->tags = (struct s3_TagSet){0};
    }
    o->sse = (struct s3_sse){0};
    o->data = (struct s3_data){0};
    o->parts = 0;
    o->sum_composite = false;
    return s3_attrs_check(c, &attrs, o);
}

static bool changes_nothing(const struct s3_CopyObjectRequest *in, const struct source *src)
{
    return str_eq(in->Bucket, src->name.bucket) && str_eq(in->Key, src->name.key) &&
           src->name.version.p == NULL && !str_is(in->MetadataDirective, "REPLACE") &&
           !str_is(in->TaggingDirective, "REPLACE") && in->ServerSideEncryption.p == NULL &&
           in->StorageClass.p == NULL && in->WebsiteRedirectLocation.p == NULL;
}

static struct err *copy_data(struct call *c, const struct s3_CopyObjectRequest *in,
                             const struct s3_bucket *b, const struct source *src)
{
    struct copying *x = copying_of(c);
    struct s3_sse_request sse = S3_SSE_REQUEST(in);
    struct secret *key = NULL;
    if (x->done && same_source(x, src))
        return NULL;
    if (src->object.size > (uint64_t)S3_PUT_MAX)
        return err_aws(400, "InvalidRequest",
                       "The specified copy source is larger than the maximum allowable size for a "
                       "copy source: 5368709120");
    x = c->state = ARENA_NEW(c->arena, struct copying);
    x->body.bucket = *b;
    x->body.key = in->Key;
    TRY(s3_sse_choose(c, b, &sse, &x->body.sse));
    enum s3_alg keep = in->ChecksumAlgorithm.p != NULL   ? s3_alg_of(in->ChecksumAlgorithm)
                       : src->object.sum_alg != ALG_NONE ? src->object.sum_alg
                                                         : ALG_CRC64NVME;
    if (keep == ALG_NONE)
        return err_not_implemented(c, "This checksum algorithm");
    if (x->body.sse.kms)
        TRY(s3_key_new(c, b, in->Key, &x->body.sse, &key));
    return run_copy(c, x, src, 0, src->object.size, keep, true, key);
}

static void tell_copy(struct call *c, const struct s3_object *o, struct s3_CopyObjectOutput *out)
{
    struct s3_CopyObjectResult *r = ARENA_NEW(c->arena, struct s3_CopyObjectResult);
    r->ETag = s3_quoted(c->arena, o->etag);
    r->LastModified = some_int(o->modified_ms);
    r->ChecksumType = STR("FULL_OBJECT");
    S3_SUM_OUT(r, o->sum_alg, o->sum);
    out->CopyObjectResult = r;
    S3_SSE_OUT(out, &o->sse);
    out->SSEKMSEncryptionContext = s3_sse_context(c->arena, &o->sse);
}

S3_HANDLER(CopyObject, CopyObjectRequest, CopyObjectOutput)
{
    struct s3_bucket b;
    struct source src;
    struct s3_object o = {0};
    struct s3_reap reap = {0};
    struct s3_conditions k = S3_CONDITIONS(in, CopySource);
    TRY(s3_key_check(in->Key));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    TRY(s3_no_customer_keys(c, in->CopySourceSSECustomerAlgorithm, in->CopySourceSSECustomerKey,
                            in->CopySourceSSECustomerKeyMD5));
    TRY(find_source(c, in->CopySource, in->ExpectedSourceBucketOwner, &k, &src));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    if (changes_nothing(in, &src))
        return err_aws(400, "InvalidRequest",
                       "This copy request is illegal because it is trying to copy an object to "
                       "itself without changing the object's metadata, storage class, website "
                       "redirect location or encryption attributes.");
    TRY(new_object(c, in, &src, &o));
    TRY(s3_write_conditions(c, &b, in->Key, in->IfMatch, in->IfNoneMatch));
    TRY(copy_data(c, in, &b, &src));
    struct copying *x = c->state;
    if (x->body.bucket.id != b.id)
        return err_aws(404, "NoSuchBucket", "The specified bucket does not exist");
    o.size = s3_writer_size(x->body.writer);
    o.etag = x->body.etag;
    o.sse = x->body.sse;
    o.sum_alg = x->body.kept;
    o.sum = s3_sums_text(x->body.sums, c->arena, o.sum_alg);
    TRY(s3_writer_store(x->body.writer, c, &b, o.sse.kms, &o.data));
    TRY(s3_object_place(c, &b, in->Key, &o, &reap));
    TRY(s3_reap_put(c, b.account, &reap));
    TRY(s3_notify(c, &b, "ObjectCreated:Copy", in->Key, &o));
    s3_record_sse(c, &o.sse, in->ServerSideEncryption);
    tell_copy(c, &o, out);
    if (b.versioning != VERSIONING_OFF)
        out->VersionId = o.version;
    if (src.bucket.versioning != VERSIONING_OFF)
        out->CopySourceVersionId = src.object.version;
    return NULL;
}

/* -- UploadPartCopy ---------------------------------------------------------------------------- */

static struct err *part_range(struct str header, uint64_t size, uint64_t *from, uint64_t *n)
{
    *from = 0;
    *n = size;
    if (header.p != NULL) {
        /* Both ends have to be given, and to lie within the source. */
        struct str last = str_skip(header, 6);
        str_cut(&last, '-');
        int64_t to = 0;
        if (s3_range_parse(header, size, from, n) != RANGE_OK ||
            !str_to_i64(last, 0, INT64_MAX, &to) || (uint64_t)to >= size)
            return err_aws(400, "InvalidArgument",
                           "The x-amz-copy-source-range value must be of the form bytes=first-last "
                           "where first and last are the zero-based offsets of the first and last "
                           "bytes to copy");
    }
    if (*n > (uint64_t)S3_PUT_MAX)
        return err_aws(400, "InvalidRequest",
                       "The specified copy source is larger than the maximum allowable size for a "
                       "copy source: 5368709120");
    return NULL;
}

static struct err *copy_part(struct call *c, const struct s3_UploadPartCopyRequest *in,
                             const struct s3_bucket *b, const struct s3_upload *u,
                             const struct source *src)
{
    struct copying *x = copying_of(c);
    struct secret *key = NULL;
    uint64_t from = 0, n = 0;
    if (x->done && same_source(x, src))
        return NULL;
    TRY(part_range(in->CopySourceRange, src->object.size, &from, &n));
    x = c->state = ARENA_NEW(c->arena, struct copying);
    x->body.bucket = *b;
    x->body.key = in->Key;
    x->body.sse = u->object.sse;
    TRY(s3_key_open(c, b, in->Key, &u->object.sse, &key));
    return run_copy(c, x, src, from, n, u->alg, false, key);
}

S3_HANDLER(UploadPartCopy, UploadPartCopyRequest, UploadPartCopyOutput)
{
    struct s3_bucket b;
    struct s3_upload u;
    struct source src;
    struct s3_reap reap = {0};
    struct s3_data data = {0};
    struct s3_conditions k = S3_CONDITIONS(in, CopySource);
    TRY(s3_key_check(in->Key));
    TRY(s3_part_number_check(in->PartNumber.v));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    TRY(s3_no_customer_keys(c, in->CopySourceSSECustomerAlgorithm, in->CopySourceSSECustomerKey,
                            in->CopySourceSSECustomerKeyMD5));
    TRY(find_source(c, in->CopySource, in->ExpectedSourceBucketOwner, &k, &src));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_upload_get(c, &b, in->Key, in->UploadId, &u));
    TRY(copy_part(c, in, &b, &u, &src));
    struct copying *x = c->state;
    TRY(s3_writer_store(x->body.writer, c, &b, false, &data));
    struct s3_part part = {.number = (int)in->PartNumber.v,
                           .size = s3_writer_size(x->body.writer),
                           .etag = x->body.etag,
                           .sum = s3_sums_text(x->body.sums, c->arena, u.alg),
                           .blob = data.id,
                           .salt = data.salt};
    TRY(s3_part_put(c, &b, &u, &part, &reap));
    TRY(s3_reap_put(c, b.account, &reap));
    struct s3_CopyPartResult *r = ARENA_NEW(c->arena, struct s3_CopyPartResult);
    r->ETag = s3_quoted(c->arena, part.etag);
    r->LastModified = some_int(c->now_ms);
    S3_SUM_OUT(r, u.alg, part.sum);
    out->CopyPartResult = r;
    if (src.bucket.versioning != VERSIONING_OFF)
        out->CopySourceVersionId = src.object.version;
    S3_SSE_OUT(out, &u.object.sse);
    return NULL;
}

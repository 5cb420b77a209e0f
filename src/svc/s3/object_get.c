/* GetObject, HeadObject. */
#include "internal.h"

/* Which bytes of which object. */
struct reading {
    struct s3_bucket bucket;
    struct s3_object object;
    uint64_t from, n;
    bool partial;
    int parts;           /* with partNumber: how many there are */
    struct str part_sum; /* of the part alone */
};

struct read_request {
    struct str bucket, key, version, owner, range;
    struct opt_int part;
    struct s3_conditions conditions;
};
#define READ_REQUEST(in)                                                                           \
    ((struct read_request){(in)->Bucket, (in)->Key, (in)->VersionId, (in)->ExpectedBucketOwner,    \
                           (in)->Range, (in)->PartNumber, S3_CONDITIONS(in, )})

static struct err *not_modified(struct call *c, const struct s3_object *o)
{
    char when[TIME_TEXT_MAX];
    time_http(o->modified_ms, when);
    call_header(c, "ETag", s3_quoted(c->arena, o->etag));
    call_header(c, "Last-Modified", arena_str(c->arena, str_c(when)));
    return err_aws(304, "NotModified", "Not Modified");
}

static struct err *choose_part(struct call *c, const struct read_request *r, struct reading *out)
{
    const struct s3_object *o = &out->object;
    int64_t want = r->part.v;
    struct s3_piece *v = NULL;
    size_t n = 0;
    if (want < 1 || want > S3_PARTS_MAX)
        return err_aws(400, "InvalidArgument",
                       "Part number must be an integer between 1 and 10000, inclusive");
    if (o->data.kind == DATA_PARTS)
        TRY(s3_pieces_of(c, &o->data, &v, &n));
    if (n == 0 && want == 1) { /* not uploaded in parts: the whole is part 1 */
        out->partial = o->size > 0;
        return NULL;
    }
    if ((size_t)want > n)
        return err_aws(416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    out->from = 0;
    for (size_t i = 0; i + 1 < (size_t)want; i++)
        out->from += v[i].size;
    out->n = v[want - 1].size;
    out->part_sum = v[want - 1].sum;
    out->parts = (int)n;
    out->partial = true;
    return NULL;
}

static struct err *choose_range(struct call *c, const struct read_request *r, struct reading *out)
{
    const struct s3_object *o = &out->object;
    out->from = 0;
    out->n = o->size;
    if (r->part.set && r->range.p != NULL)
        return err_aws(400, "InvalidRequest",
                       "Cannot specify both Range header and partNumber query parameter");
    if (r->part.set)
        return choose_part(c, r, out);
    if (r->range.p == NULL)
        return NULL;
    switch (s3_range_parse(r->range, o->size, &out->from, &out->n)) {
    case RANGE_OK:
        out->partial = true;
        return NULL;
    case RANGE_UNSATISFIABLE:
        call_header(c, "Content-Range",
                    arena_fmt(c->arena, "bytes */%llu", (unsigned long long)o->size));
        return err_aws(416, "InvalidRange", "The requested range is not satisfiable");
    default:
        return NULL;
    }
}

static struct err *find(struct call *c, const struct read_request *r, struct reading *out)
{
    TRY(s3_key_check(r->key));
    TRY(s3_bucket_get(c, r->bucket, r->owner, &out->bucket));
    TRY(s3_object_read(c, &out->bucket, r->key, r->version, &out->object));
    switch (s3_conditions_read(&r->conditions, out->object.etag, out->object.modified_ms)) {
    case VERDICT_FAILED:
        return err_aws(412, "PreconditionFailed",
                       "At least one of the pre-conditions you specified did not hold");
    case VERDICT_NOT_MODIFIED:
        return not_modified(c, &out->object);
    default:
        return choose_range(c, r, out);
    }
}

/* The headers that both answers have. */
#define DESCRIBE(c, in, out, r)                                                                    \
    do {                                                                                           \
        const struct s3_object *o_ = &(r)->object;                                                 \
        (out)->AcceptRanges = STR("bytes");                                                        \
        (out)->LastModified = some_int(o_->modified_ms);                                           \
        (out)->ContentLength = some_int((int64_t)(r)->n);                                          \
        (out)->ETag = s3_quoted((c)->arena, o_->etag);                                             \
        (out)->ContentType = o_->type;                                                             \
        (out)->CacheControl = o_->cache;                                                           \
        (out)->ContentDisposition = o_->disposition;                                               \
        (out)->ContentEncoding = o_->encoding;                                                     \
        (out)->ContentLanguage = o_->language;                                                     \
        (out)->Expires = o_->expires;                                                              \
        (out)->WebsiteRedirectLocation = o_->redirect;                                             \
        (out)->Metadata = o_->meta;                                                                \
        if ((r)->bucket.versioning != VERSIONING_OFF)                                              \
            (out)->VersionId = o_->version;                                                        \
        if (o_->tags.n > 0 && may_count_tags(c, &(r)->bucket, (in)->Key, (in)->VersionId))         \
            (out)->TagCount = some_int((int64_t)o_->tags.n);                                       \
        if ((r)->parts > 0)                                                                        \
            (out)->PartsCount = some_int((r)->parts);                                              \
        if ((r)->partial) {                                                                        \
            (out)->ContentRange = content_range((c)->arena, (r));                                  \
            (c)->status = 206;                                                                     \
        }                                                                                          \
        S3_SSE_OUT((out), &o_->sse);                                                               \
        if (str_is((in)->ChecksumMode, "ENABLED") && tells_sum(r)) {                               \
            S3_SUM_OUT((out), o_->sum_alg, o_->sum);                                               \
            (out)->ChecksumType = o_->sum_composite ? STR("COMPOSITE") : STR("FULL_OBJECT");       \
        } else if (str_is((in)->ChecksumMode, "ENABLED") && (r)->part_sum.p != NULL) {             \
            S3_SUM_OUT((out), o_->sum_alg, (r)->part_sum);                                         \
            (out)->ChecksumType = o_->sum_composite ? STR("COMPOSITE") : STR("FULL_OBJECT");       \
        }                                                                                          \
        override(c, &(out)->ContentType, (in)->ResponseContentType);                               \
        override(c, &(out)->CacheControl, (in)->ResponseCacheControl);                             \
        override(c, &(out)->ContentDisposition, (in)->ResponseContentDisposition);                 \
        override(c, &(out)->ContentEncoding, (in)->ResponseContentEncoding);                       \
        override(c, &(out)->ContentLanguage, (in)->ResponseContentLanguage);                       \
        if ((in)->ResponseExpires.set) {                                                           \
            char when_[TIME_TEXT_MAX];                                                             \
            time_http((in)->ResponseExpires.v, when_);                                             \
            (out)->Expires = arena_str((c)->arena, str_c(when_));                                  \
        }                                                                                          \
    } while (0)

static struct str content_range(struct arena *a, const struct reading *r)
{
    return arena_fmt(a, "bytes %llu-%llu/%llu", (unsigned long long)r->from,
                     (unsigned long long)(r->from + r->n - 1), (unsigned long long)r->object.size);
}

/* A checksum of the whole says nothing of a part of it, and clients would verify it. */
static bool tells_sum(const struct reading *r)
{
    return r->object.sum.p != NULL && (!r->partial || r->n == r->object.size);
}

/* Even how many tags there are is for who may read them alone. */
static bool may_count_tags(struct call *c, const struct s3_bucket *b, struct str key,
                           struct str version)
{
    struct target t = {0};
    struct err *e = s3_target_tags(c, b->name, key, version, &t);
    bool may = e == NULL && s3_allowed(c,
                                       version.n > 0 ? "s3:GetObjectVersionTagging"
                                                     : "s3:GetObjectTagging",
                                       &t);
    err_free(e);
    return may;
}

static void override(struct call *c, struct str *header, struct str wish)
{
    if (wish.p == NULL)
        return;
    for (size_t i = 0; i < wish.n; i++) /* it came percent-decoded: a header has no line feeds */
        if ((unsigned char)wish.p[i] < 0x20 || wish.p[i] == 0x7f)
            return;
    *header = arena_str(c->arena, wish);
}

/* Who is unknown may not choose headers:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
static struct err *check_overrides(const struct call *c, const struct s3_GetObjectRequest *in)
{
    bool any = in->ResponseCacheControl.p != NULL || in->ResponseContentDisposition.p != NULL ||
               in->ResponseContentEncoding.p != NULL || in->ResponseContentLanguage.p != NULL ||
               in->ResponseContentType.p != NULL || in->ResponseExpires.set;
    if (any && c->id.who.kind == PRINCIPAL_ANONYMOUS)
        return err_aws(400, "InvalidRequest",
                       "Request specific response headers cannot be used for anonymous GET "
                       "requests.");
    return NULL;
}

S3_HANDLER(GetObject, GetObjectRequest, GetObjectOutput)
{
    struct reading r = {0};
    struct read_request q = READ_REQUEST(in);
    TRY(check_overrides(c, in));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    TRY(find(c, &q, &r));
    DESCRIBE(c, in, out, &r);
    TRY(s3_source_open(c, &r.bucket, in->Key, &r.object, r.from, r.n, &c->stream));
    c->has_stream = true;
    c->stream_length = (int64_t)r.n;
    return NULL;
}

static struct err *no_bytes(void *arg UNUSED, void *to UNUSED, size_t n UNUSED, size_t *out_n)
{
    *out_n = 0;
    return NULL;
}

static void no_end(void *arg UNUSED)
{
}

S3_HANDLER(HeadObject, HeadObjectRequest, HeadObjectOutput)
{
    struct reading r = {0};
    struct read_request q = READ_REQUEST(in);
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    TRY(find(c, &q, &r));
    if (str_is(in->ChecksumMode, "ENABLED"))
        TRY(s3_key_may_open(c, &r.bucket, in->Key, &r.object.sse));
    DESCRIBE(c, in, out, &r);
    c->has_stream = true; /* its length is told; nothing is drawn */
    c->stream_length = (int64_t)r.n;
    c->stream = (struct http_source){no_bytes, no_end, NULL};
    return NULL;
}

/* CompleteMultipartUpload: the parts become one object without being copied. */
#include "upload.h"

#include "../../core/enc.h"
#include "../../crypto/crypto.h"

struct completion {
    struct s3_bucket bucket;
    struct s3_upload upload;
    struct s3_part *parts;
    size_t n;
    uint64_t size;
    struct str etag, sum;
};

static struct err *malformed(void)
{
    return err_aws(400, "MalformedXML",
                   "The XML you provided was not well-formed or did not validate against our "
                   "published schema");
}

static struct err *invalid_part(void)
{
    return err_aws(400, "InvalidPart",
                   "One or more of the specified parts could not be found.  The part may not have "
                   "been uploaded, or the specified entity tag may not match the part's entity "
                   "tag.");
}

static struct err *check_part_sum(const struct completion *x, const struct s3_CompletedPart *in,
                                  const struct s3_part *p)
{
    struct s3_sum_texts claims = S3_SUMS_IN(in);
    bool named = false;
    for (enum s3_alg g = ALG_CRC32; g < ALG_COUNT; g++) {
        if (claims.v[g].p == NULL)
            continue;
        if (g == x->upload.alg) {
            named = true;
            if (!str_eq(claims.v[g], p->sum))
                return invalid_part();
        } else if (x->upload.alg_given) {
            return err_aws(400, "InvalidRequest",
                           "The upload was created using a %s checksum. The complete request must "
                           "not include another for part %d.",
                           s3_alg_name(x->upload.alg), p->number);
        }
    }
    if (x->upload.alg_given && x->upload.composite && !named)
        return err_aws(400, "InvalidRequest",
                       "The upload was created using a %s checksum. The complete request must "
                       "include the checksum for each part. It was missing for part %d in the "
                       "request.",
                       s3_alg_name(x->upload.alg), p->number);
    return NULL;
}

static struct err *load_part(struct call *c, struct completion *x,
                             const struct s3_CompletedPart *in, bool last, struct s3_part *out)
{
    struct skey k;
    struct jv *row = NULL;
    s3_key_part(&k, x->upload.id, (int)in->PartNumber.v);
    TRY(row_get(c, T_PART, key_of(&k), &row));
    if (row == NULL)
        return invalid_part();
    s3_part_of_jv(c->arena, row, out);
    if (out->salt.p == NULL)
        return err_new(ERR_CORRUPT, "A part's row is damaged.");
    if (!s3_etag_listed(in->ETag.p != NULL ? in->ETag : STR(""), out->etag))
        return invalid_part();
    TRY(check_part_sum(x, in, out));
    if (!last && out->size < (uint64_t)S3_PART_MIN)
        return err_aws(400, "EntityTooSmall",
                       "Your proposed upload is smaller than the minimum allowed size");
    return txn_del(c->txn, T_PART, key_of(&k));
}

static struct err *check_order(const struct s3_CompletedMultipartUpload *in)
{
    if (in == NULL || in->Parts.n == 0 || in->Parts.n > S3_PARTS_MAX)
        return malformed();
    for (size_t i = 0; i < in->Parts.n; i++) {
        const struct s3_CompletedPart *p = &in->Parts.v[i];
        if (!p->PartNumber.set || p->ETag.p == NULL)
            return malformed();
        TRY(s3_part_number_check(p->PartNumber.v));
        if (i > 0 && p->PartNumber.v <= in->Parts.v[i - 1].PartNumber.v)
            return err_aws(400, "InvalidPartOrder",
                           "The list of parts was not in ascending order. Parts must be ordered by "
                           "part number.");
    }
    return NULL;
}

static struct err *load_parts(struct call *c, struct completion *x,
                              const struct s3_CompletedMultipartUpload *in)
{
    TRY(check_order(in));
    x->n = in->Parts.n;
    x->parts = ARENA_ARRAY(c->arena, x->n, struct s3_part);
    for (size_t i = 0; i < x->n; i++) {
        TRY(load_part(c, x, &in->Parts.v[i], i + 1 == x->n, &x->parts[i]));
        x->size += x->parts[i].size;
    }
    if (x->size > (uint64_t)S3_OBJECT_MAX)
        return err_aws(400, "EntityTooLarge",
                       "Your proposed upload exceeds the maximum allowed size");
    return NULL;
}

/* MD5 of the parts' MD5s, and how many they are. */
static struct err *make_etag(struct call *c, struct completion *x)
{
    unsigned char sum[MD5_SIZE];
    struct hash *h = hash_new(HASH_MD5);
    for (size_t i = 0; i < x->n; i++) {
        struct str raw = STR_NONE;
        if (dec_hex(c->arena, x->parts[i].etag, &raw))
            hash_add(h, raw);
    }
    hash_end(h, sum);
    hash_free(h);
    struct str hex = enc_hex(c->arena, str_of(sum, sizeof sum));
    x->etag = arena_fmt(c->arena, "%.*s-%zu", STR_ARG(hex), x->n);
    return NULL;
}

static struct err *make_sum(struct call *c, struct completion *x)
{
    enum s3_alg alg = x->upload.alg;
    struct s3_sums *all = s3_sums_new(1u << alg);
    unsigned char joined[ALG_SIZE_MAX] = {0};
    struct err *e = NULL;
    for (size_t i = 0; i < x->n && e == NULL; i++) {
        struct str raw = STR_NONE;
        if (!dec_base64(c->arena, x->parts[i].sum, &raw) || raw.n != s3_alg_size(alg))
            e = err_new(ERR_CORRUPT, "A part's checksum is damaged.");
        else if (x->upload.composite)
            s3_sums_add(all, raw);
        else
            s3_crc_join(alg, joined, raw, x->parts[i].size);
    }
    s3_sums_end(all);
    if (e == NULL && x->upload.composite)
        x->sum = arena_fmt(c->arena, "%.*s-%zu", STR_ARG(s3_sums_text(all, c->arena, alg)), x->n);
    else if (e == NULL)
        x->sum = enc_base64(c->arena, str_of(joined, s3_alg_size(alg)));
    s3_sums_free(all);
    return e;
}

static struct err *check_whole(struct call *c, const struct completion *x,
                               const struct s3_CompleteMultipartUploadRequest *in)
{
    struct s3_sum_texts claims = S3_SUMS_IN(in);
    enum s3_alg alg = x->upload.alg;
    if (claims.unbuilt)
        return err_not_implemented(c, "XXHASH checksums");
    for (enum s3_alg g = ALG_CRC32; g < ALG_COUNT; g++)
        if (g != alg && claims.v[g].p != NULL)
            return err_aws(400, "InvalidRequest",
                           "The upload was created using a %s checksum. The complete request must "
                           "not include a %s checksum.",
                           s3_alg_name(alg), s3_alg_name(g));
    if (in->MpuObjectSize.set && (uint64_t)in->MpuObjectSize.v != x->size)
        return err_aws(400, "InvalidRequest",
                       "The provided 'x-amz-mp-object-size' header value does not match what was "
                       "computed.");
    if (in->ChecksumType.p != NULL && str_is(in->ChecksumType, "COMPOSITE") != x->upload.composite)
        return err_aws(400, "InvalidRequest",
                       "The upload was created using the %s checksum mode. The complete request "
                       "must use the same checksum mode.",
                       x->upload.composite ? "COMPOSITE" : "FULL_OBJECT");
    if (claims.v[alg].p != NULL && !str_eq(claims.v[alg], x->sum)) {
        /* A composite may come without the number of parts. */
        struct str bare = x->sum;
        if (!x->upload.composite || !str_eq(claims.v[alg], str_cut(&bare, '-')))
            return err_aws(400, "BadDigest",
                           "The %s you specified did not match the calculated checksum.",
                           s3_alg_name(alg));
    }
    return s3_write_conditions(c, &x->bucket, in->Key, in->IfMatch, in->IfNoneMatch);
}

static struct err *put_list(struct call *c, const struct completion *x, struct s3_data *out)
{
    struct arena *a = c->arena;
    struct jv *list = jv_new_arr(a);
    unsigned char raw[16];
    for (size_t i = 0; i < x->n; i++) {
        const struct s3_part *p = &x->parts[i];
        struct jv *item = jv_new_arr(a);
        jv_push(a, item, jv_new_int(a, p->number));
        jv_push(a, item, jv_new_int(a, (int64_t)p->size));
        jv_push(a, item, jv_new_str(a, p->blob));
        jv_push(a, item, jv_new_str(a, enc_base64(a, p->salt)));
        jv_push(a, item, jv_new_str(a, p->sum));
        jv_push(a, list, item);
    }
    rand_bytes(raw, sizeof raw);
    out->kind = DATA_PARTS;
    out->id = enc_hex(a, str_of(raw, sizeof raw));
    struct str text = jv_text(a, list);
    TRY(arena_check(a));
    /* Under the account's key: what clears parts away must read it when the bucket's key is gone.
     */
    return txn_put_new(c->txn, T_DATA, x->bucket.account, out->id, text);
}

S3_HANDLER(CompleteMultipartUpload, CompleteMultipartUploadRequest, CompleteMultipartUploadOutput)
{
    struct completion x = {0};
    struct s3_reap reap = {0};
    struct skey k;
    TRY(s3_key_check(in->Key));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &x.bucket));
    TRY(s3_upload_get(c, &x.bucket, in->Key, in->UploadId, &x.upload));
    TRY(load_parts(c, &x, in->MultipartUpload));
    TRY(s3_key_may_open(c, &x.bucket, in->Key, &x.upload.object.sse));
    TRY(make_etag(c, &x));
    TRY(make_sum(c, &x));
    TRY(check_whole(c, &x, in));
    struct s3_object o = x.upload.object;
    o.size = x.size;
    o.etag = x.etag;
    o.sum_alg = x.upload.alg;
    o.sum = x.sum;
    o.sum_composite = x.upload.composite;
    o.parts = (int)x.n;
    TRY(put_list(c, &x, &o.data));
    TRY(s3_object_place(c, &x.bucket, in->Key, &o, &reap));
    s3_key_upload(&k, x.bucket.id, in->Key, x.upload.id);
    TRY(txn_del(c->txn, T_UPLOAD, key_of(&k)));
    VEC_PUSH(c->arena, &reap.uploads, x.upload.id); /* parts that were not named */
    TRY(s3_reap_put(c, x.bucket.account, &reap));
    TRY(s3_notify(c, &x.bucket, "ObjectCreated:CompleteMultipartUpload", in->Key, &o));
    out->Location = arena_fmt(c->arena, "%s/%.*s/%.*s", c->ward->endpoint, STR_ARG(in->Bucket),
                              STR_ARG(enc_uri(c->arena, in->Key, true)));
    out->Bucket = in->Bucket;
    out->Key = in->Key;
    out->ETag = s3_quoted(c->arena, o.etag);
    if (x.bucket.versioning != VERSIONING_OFF)
        out->VersionId = o.version;
    S3_SUM_OUT(out, o.sum_alg, o.sum);
    out->ChecksumType = o.sum_composite ? STR("COMPOSITE") : STR("FULL_OBJECT");
    S3_SSE_OUT(out, &o.sse);
    return NULL;
}

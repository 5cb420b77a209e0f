/* Multipart uploads: begin, parts, abort. Completion is in complete.c.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 * The upload has one object key from the start; every part is a blob under a key derived from it.
 */
#include "upload.h"

#include "../../core/enc.h"
#include "../../crypto/crypto.h"

const struct s3_asked s3_asked[S3_ASKED] = {
    {"s3:x-amz-acl", "ACL"},
    {"s3:x-amz-storage-class", "StorageClass"},
    {"s3:x-amz-server-side-encryption", "ServerSideEncryption"},
    {"s3:x-amz-server-side-encryption-aws-kms-key-id", "SSEKMSKeyId"},
};

void s3_key_upload(struct skey *k, uint64_t bucket, struct str key, struct str id)
{
    *k = skey();
    key_u64(k, bucket);
    key_str(k, key);
    key_tail(k, id);
}

void s3_key_part(struct skey *k, struct str upload, int number)
{
    *k = skey();
    key_str(k, upload);
    key_u32(k, (uint32_t)number);
}

struct err *s3_part_number_check(int64_t n)
{
    if (n >= 1 && n <= S3_PARTS_MAX)
        return NULL;
    return err_aws(400, "InvalidArgument",
                   "Part number must be an integer between 1 and 10000, inclusive");
}

void s3_upload_of_jv(struct arena *a, const struct jv *j, struct s3_upload *out)
{
    *out = (struct s3_upload){.id = jv_s(jv_get(j, "id")),
                              .started_ms = jv_i(jv_get(j, "started"), 0),
                              .initiator = jv_s(jv_get(j, "by")),
                              .initiator_id = jv_s(jv_get(j, "by_id")),
                              .composite = jv_b(jv_get(j, "composite"), false),
                              .alg_given = jv_b(jv_get(j, "given"), false)};
    int64_t alg = jv_i(jv_get(j, "alg"), ALG_CRC64NVME);
    out->alg = alg > 0 && alg < ALG_COUNT ? (enum s3_alg)alg : ALG_CRC64NVME;
    s3_object_of_jv(a, jv_get(j, "object"), &out->object);
    for (size_t i = 0; i < S3_ASKED; i++)
        out->asked[i] = jv_s(jv_get(jv_get(j, "asked"), s3_asked[i].member));
}

struct err *s3_upload_get(struct call *c, const struct s3_bucket *b, struct str key, struct str id,
                          struct s3_upload *out)
{
    struct jv *row = NULL;
    struct skey k;
    s3_key_upload(&k, b->id, key, id);
    if (id.n > 0 && id.n <= 128)
        TRY(row_get(c, T_UPLOAD, key_of(&k), &row));
    if (row == NULL)
        return err_aws(404, "NoSuchUpload",
                       "The specified upload does not exist. The upload ID may be invalid, or the "
                       "upload may have been aborted or completed.");
    s3_upload_of_jv(c->arena, row, out);
    out->key = key;
    return NULL;
}

/* -- begin ------------------------------------------------------------------------------------- */

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html:
 * which algorithm can be what. */
static struct err *choose_sum(struct call *c, struct str alg, struct str type, struct s3_upload *u)
{
    u->alg = alg.p == NULL ? ALG_CRC64NVME : s3_alg_of(alg);
    u->alg_given = alg.p != NULL;
    if (u->alg == ALG_NONE)
        return err_not_implemented(c, "This checksum algorithm");
    bool only_full = u->alg == ALG_CRC64NVME, only_composite = !s3_alg_is_crc(u->alg);
    u->composite = type.p != NULL ? str_is(type, "COMPOSITE") : !only_full;
    if (type.p != NULL && alg.p == NULL)
        return err_aws(400, "InvalidRequest",
                       "The x-amz-checksum-type header can only be used with the "
                       "x-amz-checksum-algorithm header.");
    if ((u->composite && only_full) || (!u->composite && only_composite))
        return err_aws(400, "InvalidRequest",
                       "The %s checksum type cannot be used with the %s checksum algorithm.",
                       u->composite ? "COMPOSITE" : "FULL_OBJECT", s3_alg_name(u->alg));
    return NULL;
}

/* Sorted by the time of the beginning, as AWS lists uploads of one key. */
static struct str new_upload_id(struct call *c)
{
    unsigned char raw[32];
    for (int i = 0; i < 8; i++)
        raw[i] = (unsigned char)((uint64_t)c->now_ms >> 8 * (7 - i));
    rand_bytes(raw + 8, sizeof raw - 8);
    return enc_hex(c->arena, str_of(raw, sizeof raw));
}

static struct jv *upload_row(struct call *c, const struct s3_upload *u)
{
    struct arena *a = c->arena;
    struct jv *row = jv_new_obj(a);
    jv_set(a, row, STR("id"), jv_new_str(a, u->id));
    jv_set(a, row, STR("started"), jv_new_int(a, c->now_ms));
    jv_set(a, row, STR("by"), jv_new_str(a, u->initiator));
    jv_set(a, row, STR("by_id"), jv_new_str(a, u->initiator_id));
    jv_set(a, row, STR("alg"), jv_new_int(a, u->alg));
    jv_set(a, row, STR("composite"), jv_new_bool(a, u->composite));
    jv_set(a, row, STR("given"), jv_new_bool(a, u->alg_given));
    jv_set(a, row, STR("object"), s3_object_to_jv(a, &u->object));
    struct jv *asked = jv_new_obj(a);
    for (size_t i = 0; i < S3_ASKED; i++)
        if (s3_in(c, s3_asked[i].member).p != NULL)
            jv_set(a, asked, str_c(s3_asked[i].member),
                   jv_new_str(a, s3_in(c, s3_asked[i].member)));
    jv_set(a, row, STR("asked"), asked);
    return row;
}

S3_HANDLER(CreateMultipartUpload, CreateMultipartUploadRequest, CreateMultipartUploadOutput)
{
    struct s3_bucket b;
    struct s3_upload u = {.key = in->Key};
    struct secret *key CLEANUP(secret_free_ptr) = NULL;
    struct skey k;
    TRY(s3_key_check(in->Key));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    S3_HEADERS_TO(&u.object, in);
    struct s3_attrs_in attrs = S3_ATTRS_IN(in);
    TRY(s3_attrs_check(c, &attrs, &u.object));
    TRY(choose_sum(c, in->ChecksumAlgorithm, in->ChecksumType, &u));
    struct s3_sse_request sse = S3_SSE_REQUEST(in);
    TRY(s3_sse_choose(c, &b, &sse, &u.object.sse));
    TRY(s3_key_new(c, &b, in->Key, &u.object.sse, &key));
    const struct principal *who = &c->id.who;
    u.id = new_upload_id(c);
    u.initiator = who->session_arn.n > 0 ? who->session_arn
                  : who->arn.n > 0       ? who->arn
                                         : who->service;
    u.initiator_id = who->user_id;
    s3_key_upload(&k, b.id, in->Key, u.id);
    TRY(row_put(c, T_UPLOAD, b.owner, key_of(&k), upload_row(c, &u)));
    out->Bucket = in->Bucket;
    out->Key = in->Key;
    out->UploadId = u.id;
    S3_SSE_OUT(out, &u.object.sse);
    out->SSEKMSEncryptionContext = s3_sse_context(c->arena, &u.object.sse);
    s3_record_sse(c, &u.object.sse, in->ServerSideEncryption);
    if (u.alg_given) {
        out->ChecksumAlgorithm = str_c(s3_alg_name(u.alg));
        out->ChecksumType = u.composite ? STR("COMPOSITE") : STR("FULL_OBJECT");
    }
    return NULL;
}

/* -- parts ------------------------------------------------------------------------------------- */

void s3_part_of_jv(struct arena *a, const struct jv *j, struct s3_part *out)
{
    *out = (struct s3_part){.number = (int)jv_i(jv_get(j, "n"), 0),
                            .size = (uint64_t)jv_i(jv_get(j, "size"), 0),
                            .etag = jv_s(jv_get(j, "etag")),
                            .sum = jv_s(jv_get(j, "sum")),
                            .blob = jv_s(jv_get(j, "blob")),
                            .modified_ms = jv_i(jv_get(j, "t"), 0)};
    if (!dec_base64(a, jv_s(jv_get(j, "salt")), &out->salt))
        out->salt = STR_NONE;
}

struct err *s3_part_put(struct call *c, const struct s3_bucket *b, const struct s3_upload *u,
                        const struct s3_part *p, struct s3_reap *reap)
{
    struct arena *a = c->arena;
    struct skey k;
    struct jv *old = NULL, *row = jv_new_obj(a);
    s3_key_part(&k, u->id, p->number);
    TRY(row_get(c, T_PART, key_of(&k), &old));
    if (old != NULL)
        VEC_PUSH(a, &reap->blobs, jv_s(jv_get(old, "blob")));
    jv_set(a, row, STR("n"), jv_new_int(a, p->number));
    jv_set(a, row, STR("size"), jv_new_int(a, (int64_t)p->size));
    jv_set(a, row, STR("etag"), jv_new_str(a, p->etag));
    jv_set(a, row, STR("sum"), jv_new_str(a, p->sum));
    jv_set(a, row, STR("blob"), jv_new_str(a, p->blob));
    jv_set(a, row, STR("salt"), jv_new_str(a, enc_base64(a, p->salt)));
    jv_set(a, row, STR("t"), jv_new_int(a, c->now_ms));
    /* Under the account's key, as the lists of parts: see complete.c. */
    return row_put(c, T_PART, b->account, key_of(&k), row);
}

struct part_body {
    struct s3_body body; /* first: s3_body_data sees it */
};

static struct err *part_begin(struct call *c)
{
    const struct s3_UploadPartRequest *in = c->in;
    struct part_body *p = ARENA_NEW(c->arena, struct part_body);
    struct s3_upload u;
    struct secret *key = NULL;
    TRY(s3_check(c));
    TRY(s3_key_check(in->Key));
    TRY(s3_part_number_check(in->PartNumber.v));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &p->body.bucket));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    TRY(s3_upload_get(c, &p->body.bucket, in->Key, in->UploadId, &u));
    p->body.key = in->Key;
    p->body.sse = u.object.sse;
    struct s3_body_request r = {.sums = S3_SUMS_IN(in),
                                .algorithm = in->ChecksumAlgorithm,
                                .md5 = in->ContentMD5,
                                .streamed = true,
                                .keep = u.alg};
    TRY(s3_body_begin(c, &p->body, &r, false));
    if (u.alg_given && p->body.claimed != ALG_NONE && p->body.claimed != u.alg)
        return err_aws(400, "InvalidRequest",
                       "Checksum Type mismatch occurred, expected checksum Type: %s, actual "
                       "checksum Type: %s",
                       s3_alg_name(u.alg), s3_alg_name(p->body.claimed));
    TRY(s3_key_open(c, &p->body.bucket, in->Key, &u.object.sse, &key));
    s3_writer_key(p->body.writer, key);
    return NULL;
}

const struct body_hooks S3_PART_BODY = {part_begin, s3_body_data, s3_body_abandon};

S3_HANDLER(UploadPart, UploadPartRequest, UploadPartOutput)
{
    struct part_body *p = c->state;
    struct s3_bucket b;
    struct s3_upload u;
    struct s3_reap reap = {0};
    struct s3_data data = {0};
    TRY(s3_body_began(c));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_upload_get(c, &b, in->Key, in->UploadId, &u));
    TRY(s3_body_end(c, &p->body));
    TRY(s3_writer_store(p->body.writer, c, &b, false, &data));
    struct s3_part part = {.number = (int)in->PartNumber.v,
                           .size = s3_writer_size(p->body.writer),
                           .etag = p->body.etag,
                           .sum = s3_sums_text(p->body.sums, c->arena, u.alg),
                           .blob = data.id,
                           .salt = data.salt};
    TRY(s3_part_put(c, &b, &u, &part, &reap));
    TRY(s3_reap_put(c, b.account, &reap));
    out->ETag = s3_quoted(c->arena, part.etag);
    if (p->body.claimed != ALG_NONE)
        S3_SUM_OUT(out, p->body.claimed, s3_sums_text(p->body.sums, c->arena, p->body.claimed));
    else
        S3_SUM_OUT(out, u.alg, part.sum);
    S3_SSE_OUT(out, &u.object.sse);
    return NULL;
}

S3_HANDLER(AbortMultipartUpload, AbortMultipartUploadRequest, AbortMultipartUploadOutput)
{
    struct s3_bucket b;
    struct s3_upload u;
    struct s3_reap reap = {0};
    struct skey k;
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_upload_get(c, &b, in->Key, in->UploadId, &u));
    if (in->IfMatchInitiatedTime.set)
        return err_not_implemented(c, "x-amz-if-match-initiated-time");
    s3_key_upload(&k, b.id, in->Key, in->UploadId);
    TRY(txn_del(c->txn, T_UPLOAD, key_of(&k)));
    VEC_PUSH(c->arena, &reap.uploads, in->UploadId);
    return s3_reap_put(c, b.account, &reap);
}

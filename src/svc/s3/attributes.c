/* GetObjectAttributes. */
#include "internal.h"

static bool wanted(const struct s3_GetObjectAttributesRequest *in, const char *name)
{
    for (size_t i = 0; i < in->ObjectAttributes.n; i++)
        if (str_is(in->ObjectAttributes.v[i], name))
            return true;
    return false;
}

static struct err *tell_parts(struct call *c, const struct s3_GetObjectAttributesRequest *in,
                              const struct s3_object *o, struct s3_GetObjectAttributesParts **out)
{
    struct s3_piece *v = NULL;
    size_t n = 0;
    int64_t max = 0, marker = in->PartNumberMarker.set ? in->PartNumberMarker.v : 0;
    TRY(s3_list_max(in->MaxParts, "max-parts", &max));
    TRY(s3_pieces_of(c, &o->data, &v, &n));
    struct s3_GetObjectAttributesParts *p = ARENA_NEW(c->arena, struct s3_GetObjectAttributesParts);
    p->TotalPartsCount = some_int((int64_t)n);
    *out = p;
    /* AWS lists the parts only of what was uploaded with a checksum for each. */
    if (!o->sum_composite)
        return NULL;
    p->PartNumberMarker = some_int(marker);
    p->MaxParts = some_int(max);
    p->IsTruncated = some_bool(false);
    p->Parts.v = ARENA_ARRAY(c->arena, n + 1, struct s3_ObjectPart);
    p->Parts.set = true;
    for (size_t i = 0; i < n; i++) {
        if (v[i].number <= marker)
            continue;
        if ((int64_t)p->Parts.n >= max) {
            p->IsTruncated = some_bool(true);
            break;
        }
        struct s3_ObjectPart *part = &p->Parts.v[p->Parts.n++];
        part->PartNumber = some_int(v[i].number);
        part->Size = some_int((int64_t)v[i].size);
        S3_SUM_OUT(part, o->sum_alg, v[i].sum);
        p->NextPartNumberMarker = part->PartNumber;
    }
    return NULL;
}

S3_HANDLER(GetObjectAttributes, GetObjectAttributesRequest, GetObjectAttributesOutput)
{
    struct s3_bucket b;
    struct s3_object o;
    TRY(s3_key_check(in->Key));
    TRY(s3_no_customer_keys(c, in->SSECustomerAlgorithm, in->SSECustomerKey,
                            in->SSECustomerKeyMD5));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_object_read(c, &b, in->Key, in->VersionId, &o));
    out->LastModified = some_int(o.modified_ms);
    if (b.versioning != VERSIONING_OFF)
        out->VersionId = o.version;
    if (wanted(in, "ETag"))
        out->ETag = o.etag; /* here without quotes */
    if (wanted(in, "StorageClass"))
        out->StorageClass = STR("STANDARD");
    if (wanted(in, "ObjectSize"))
        out->ObjectSize = some_int((int64_t)o.size);
    if (wanted(in, "Checksum") && o.sum_alg != ALG_NONE) {
        TRY(s3_key_may_open(c, &b, in->Key, &o.sse));
        out->Checksum = ARENA_NEW(c->arena, struct s3_Checksum);
        S3_SUM_OUT(out->Checksum, o.sum_alg, o.sum);
        out->Checksum->ChecksumType = o.sum_composite ? STR("COMPOSITE") : STR("FULL_OBJECT");
    }
    if (wanted(in, "ObjectParts") && o.data.kind == DATA_PARTS)
        return tell_parts(c, in, &o, &out->ObjectParts);
    return NULL;
}

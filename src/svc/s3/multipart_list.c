/* ListParts, ListMultipartUploads. */
#include "upload.h"

S3_HANDLER(ListParts, ListPartsRequest, ListPartsOutput)
{
    struct s3_bucket b;
    struct s3_upload u;
    struct skey prefix, from;
    int64_t max = 0;
    TRY(s3_list_max(in->MaxParts, "max-parts", &max));
    if (in->PartNumberMarker.set &&
        (in->PartNumberMarker.v < 0 || in->PartNumberMarker.v > INT32_MAX))
        return err_aws(400, "InvalidArgument",
                       "Argument part-number-marker must be an integer between 0 and 2147483647");
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(s3_upload_get(c, &b, in->Key, in->UploadId, &u));
    prefix = skey();
    key_str(&prefix, u.id);
    s3_key_part(&from, u.id, (int)in->PartNumberMarker.v);
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.prefix = key_of(&prefix), .from = key_of(&from), .after = true};
    TRY(txn_scan(c->txn, T_PART, &sc, &cur));
    VEC(struct s3_Part) parts = {0};
    bool truncated = false;
    for (;;) {
        bool more = false;
        struct str at, value;
        struct jv *row = NULL;
        struct s3_part p;
        TRY(cursor_next(cur, &more, &at, &value));
        if (!more)
            break;
        if ((int64_t)parts.n >= max) {
            truncated = max > 0;
            break;
        }
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        s3_part_of_jv(c->arena, row, &p);
        struct s3_Part item = {.PartNumber = some_int(p.number),
                               .LastModified = some_int(p.modified_ms),
                               .ETag = s3_quoted(c->arena, p.etag),
                               .Size = some_int((int64_t)p.size)};
        S3_SUM_OUT(&item, u.alg, p.sum);
        VEC_PUSH(c->arena, &parts, item);
    }
    out->Bucket = in->Bucket;
    out->Key = in->Key;
    out->UploadId = u.id;
    out->PartNumberMarker = some_int(in->PartNumberMarker.v);
    out->MaxParts = some_int(max);
    out->IsTruncated = some_bool(truncated);
    if (parts.n > 0)
        out->NextPartNumberMarker = parts.v[parts.n - 1].PartNumber;
    out->Parts.v = parts.v;
    out->Parts.n = parts.n;
    out->Parts.set = parts.n > 0;
    out->Initiator = ARENA_NEW(c->arena, struct s3_Initiator);
    out->Initiator->ID = u.initiator;
    out->Owner = s3_owner(c->arena, b.account);
    out->StorageClass = STR("STANDARD");
    out->ChecksumAlgorithm = str_c(s3_alg_name(u.alg));
    out->ChecksumType = u.composite ? STR("COMPOSITE") : STR("FULL_OBJECT");
    return NULL;
}

/* -- uploads ----------------------------------------------------------------------------------- */

struct listing {
    struct call *c;
    const struct s3_bucket *b;
    struct str prefix, delimiter, encoding;
    int64_t max;
    VEC(struct s3_MultipartUpload) uploads;
    VEC(struct s3_CommonPrefix) prefixes;
    bool truncated;
    struct str last_key, last_id;
};

static void add_upload(struct listing *l, struct str key, const struct s3_upload *u)
{
    struct arena *a = l->c->arena;
    struct s3_MultipartUpload item = {.UploadId = u->id,
                                      .Key = s3_listed(l->c, l->encoding, key),
                                      .Initiated = some_int(u->started_ms),
                                      .StorageClass = STR("STANDARD"),
                                      .Owner = s3_owner(a, l->b->account),
                                      .ChecksumAlgorithm = str_c(s3_alg_name(u->alg)),
                                      .ChecksumType =
                                          u->composite ? STR("COMPOSITE") : STR("FULL_OBJECT")};
    item.Initiator = ARENA_NEW(a, struct s3_Initiator);
    item.Initiator->ID = u->initiator;
    VEC_PUSH(a, &l->uploads, item);
}

/* Takes one row; false: the page is full. Rows come in the order of keys, then of times. */
static struct err *take(struct listing *l, struct str key, struct str value, bool *go_on)
{
    struct call *c = l->c;
    struct jv *row = NULL;
    struct s3_upload u;
    struct str common = s3_common_prefix(key, l->prefix, l->delimiter);
    *go_on = true;
    if (common.p != NULL && l->prefixes.n > 0 && str_eq(l->last_key, common))
        return NULL; /* told already */
    if ((int64_t)(l->uploads.n + l->prefixes.n) >= l->max) {
        l->truncated = l->max > 0;
        *go_on = false;
        return NULL;
    }
    if (common.p != NULL) {
        struct s3_CommonPrefix item = {s3_listed(c, l->encoding, common)};
        VEC_PUSH(c->arena, &l->prefixes, item);
        l->last_key = common;
        l->last_id = STR_NONE;
        return NULL;
    }
    TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
    s3_upload_of_jv(c->arena, row, &u);
    add_upload(l, key, &u);
    l->last_key = key;
    l->last_id = u.id;
    return NULL;
}

static struct err *walk(struct listing *l, struct str key_marker, struct str id_marker)
{
    struct call *c = l->c;
    struct skey prefix = skey(), from = skey();
    key_u64(&prefix, l->b->id);
    key_tail(&prefix, l->prefix); /* a key's text begins with its own bytes */
    s3_key_upload(&from, l->b->id, key_marker, id_marker);
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.prefix = key_of(&prefix)};
    if (key_marker.n > 0 && str_cmp(key_of(&from), sc.prefix) > 0) {
        sc.from = key_of(&from);
        sc.after = true;
    }
    TRY(txn_scan(c->txn, T_UPLOAD, &sc, &cur));
    bool go_on = true;
    for (int steps = 0; go_on && steps < S3_LIST_SCAN_MAX; steps++) {
        bool more = false;
        struct str at, value, key;
        TRY(cursor_next(cur, &more, &at, &value));
        if (!more)
            return NULL;
        struct str rest = str_skip(at, 8);
        if (!key_take_str(c->arena, &rest, &key))
            return err_new(ERR_CORRUPT, "A key of an upload is damaged.");
        /* A key marker alone means behind all uploads of that key. */
        bool before = key_marker.n > 0 && id_marker.n == 0 && str_eq(key, key_marker);
        bool rolled = key_marker.n > 0 && l->delimiter.n > 0 &&
                      str_ends(key_marker, l->delimiter) && str_starts(key, key_marker);
        if (before || rolled)
            continue;
        TRY(take(l, key, value, &go_on));
        TRY(arena_check(c->arena));
    }
    return NULL;
}

S3_HANDLER(ListMultipartUploads, ListMultipartUploadsRequest, ListMultipartUploadsOutput)
{
    struct s3_bucket b;
    struct listing l = {.c = c,
                        .b = &b,
                        .prefix = in->Prefix,
                        .delimiter = in->Delimiter,
                        .encoding = in->EncodingType};
    TRY(s3_list_max(in->MaxUploads, "max-uploads", &l.max));
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(walk(&l, in->KeyMarker, in->UploadIdMarker));
    out->Bucket = b.name;
    out->KeyMarker = s3_listed(c, l.encoding, in->KeyMarker.p != NULL ? in->KeyMarker : STR(""));
    out->UploadIdMarker = in->UploadIdMarker.p != NULL ? in->UploadIdMarker : STR("");
    out->Prefix = s3_listed(c, l.encoding, in->Prefix);
    out->Delimiter = s3_listed(c, l.encoding, in->Delimiter);
    out->EncodingType = in->EncodingType;
    out->MaxUploads = some_int(l.max);
    out->IsTruncated = some_bool(l.truncated);
    if (l.truncated) {
        out->NextKeyMarker = s3_listed(c, l.encoding, l.last_key);
        out->NextUploadIdMarker = l.last_id;
    }
    out->Uploads.v = l.uploads.v;
    out->Uploads.n = l.uploads.n;
    out->Uploads.set = l.uploads.n > 0;
    out->CommonPrefixes.v = l.prefixes.v;
    out->CommonPrefixes.n = l.prefixes.n;
    out->CommonPrefixes.set = l.prefixes.n > 0;
    return NULL;
}

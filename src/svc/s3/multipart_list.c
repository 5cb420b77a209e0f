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

static bool is_full(struct listing *l)
{
    if ((int64_t)(l->uploads.n + l->prefixes.n) < l->max)
        return false;
    l->truncated = l->max > 0;
    return true;
}

/* The next row is at `from` or, `after`, behind it. */
static struct err *seek(struct listing *l, struct str from, bool after, struct cursor **cur)
{
    struct skey prefix = skey();
    cursor_free(*cur);
    *cur = NULL;
    key_u64(&prefix, l->b->id);
    key_tail(&prefix, l->prefix); /* a key's text begins with its own bytes */
    struct scan sc = {.prefix = key_of(&prefix)};
    if (str_cmp(from, sc.prefix) > 0) {
        sc.from = from;
        sc.after = after;
    }
    return txn_scan(l->c->txn, T_UPLOAD, &sc, cur);
}

/* Behind all keys that begin with the prefix; false in *more: nothing can be there. */
static struct err *seek_behind(struct listing *l, struct str common, struct cursor **cur,
                               bool *more)
{
    struct str next = s3_after_prefix(l->c->arena, common);
    struct skey from = skey();
    *more = next.p != NULL;
    if (!*more)
        return NULL;
    key_u64(&from, l->b->id);
    key_tail(&from, next);
    return seek(l, key_of(&from), false, cur);
}

static struct err *seek_first(struct listing *l, struct str key_marker, struct str id_marker,
                              struct cursor **cur, bool *more)
{
    struct skey from = skey();
    if (key_marker.n == 0)
        return seek(l, STR(""), false, cur);
    struct str common = str_starts(key_marker, l->prefix)
                            ? s3_common_prefix(key_marker, l->prefix, l->delimiter)
                            : STR_NONE;
    if (common.p != NULL && common.n == key_marker.n && id_marker.n == 0)
        return seek_behind(l, common, cur, more);
    /* A key marker alone means behind all uploads of that key; ids are hexadecimal. */
    s3_key_upload(&from, l->b->id, key_marker, id_marker.n > 0 ? id_marker : STR("\xff"));
    return seek(l, key_of(&from), true, cur);
}

/* Rows come in the order of keys, then of times. Each step fills a place on the page. */
static struct err *walk(struct listing *l, struct str key_marker, struct str id_marker)
{
    struct call *c = l->c;
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    bool more = true;
    TRY(seek_first(l, key_marker, id_marker, &cur, &more));
    while (more) {
        struct str at, value, key;
        struct jv *row = NULL;
        struct s3_upload u;
        TRY(cursor_next(cur, &more, &at, &value));
        if (!more || is_full(l))
            return NULL;
        struct str rest = str_skip(at, 8);
        if (!key_take_str(c->arena, &rest, &key))
            return err_new(ERR_CORRUPT, "A key of an upload is damaged.");
        struct str common = s3_common_prefix(key, l->prefix, l->delimiter);
        if (common.p != NULL) {
            struct s3_CommonPrefix item = {s3_listed(c, l->encoding, common)};
            VEC_PUSH(c->arena, &l->prefixes, item);
            l->last_key = common;
            l->last_id = STR_NONE;
            TRY(seek_behind(l, common, &cur, &more));
            continue;
        }
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        s3_upload_of_jv(c->arena, row, &u);
        add_upload(l, key, &u);
        l->last_key = key;
        l->last_id = u.id;
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

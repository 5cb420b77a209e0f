/* DeleteObject, DeleteObjects. */
#include "internal.h"

static struct err *precondition(struct call *c, const struct s3_bucket *b, struct str key,
                                struct str version, struct str etag)
{
    struct s3_object o;
    bool found = false;
    if (etag.p == NULL)
        return NULL;
    if (version.n > 0)
        TRY(s3_object_version(c, b, key, version, &o, &found));
    else
        TRY(s3_object_latest(c, b, key, &o, &found));
    if (!found || o.marker)
        return err_aws(404, "NoSuchKey", "The specified key does not exist.");
    if (!s3_etag_listed(etag, o.etag))
        return err_aws(412, "PreconditionFailed",
                       "At least one of the pre-conditions you specified did not hold");
    return NULL;
}

static struct err *tell(struct call *c, const struct s3_bucket *b, struct str key,
                        const struct s3_deleted *d)
{
    struct s3_object o = {.version = d->version, .seq = d->seq, .marker = d->marker};
    if (d->made_marker)
        return s3_notify(c, b, "ObjectRemoved:DeleteMarkerCreated", key, &o);
    if (d->removed)
        return s3_notify(c, b, "ObjectRemoved:Delete", key, &o);
    return NULL;
}

S3_HANDLER(DeleteObject, DeleteObjectRequest, DeleteObjectOutput)
{
    struct s3_bucket b;
    struct s3_reap reap = {0};
    struct s3_deleted d;
    TRY(s3_key_check(in->Key));
    TRY(s3_version_given(in->VersionId));
    if (in->MFA.p != NULL)
        return err_not_implemented(c, "MFA delete");
    if (in->IfMatchSize.set || in->IfMatchLastModifiedTime.set)
        return err_not_implemented(c, "x-amz-if-match-size and -last-modified-time");
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(precondition(c, &b, in->Key, in->VersionId, in->IfMatch));
    TRY(s3_object_delete(c, &b, in->Key, in->VersionId, &reap, &d));
    TRY(s3_reap_put(c, b.account, &reap));
    TRY(tell(c, &b, in->Key, &d));
    if (d.marker)
        out->DeleteMarker = some_bool(true);
    out->VersionId = d.version;
    return NULL;
}

struct batch {
    struct s3_bucket bucket;
    struct s3_reap reap;
    VEC(struct s3_DeletedObject) deleted;
    VEC(struct s3_Error) errors;
};

/* One key: its own permission, its own result. Only what concerns the whole is returned. */
static struct err *delete_one(struct call *c, struct batch *x, const struct s3_ObjectIdentifier *id,
                              struct s3_deleted *d)
{
    struct target t = {0};
    TRY(s3_key_check(id->Key));
    TRY(s3_target_of(c, x->bucket.name, id->Key, &t));
    if (id->VersionId.n > 0)
        call_key(c, "s3:VersionId", id->VersionId);
    call_key(c, "s3:if-match", id->ETag);
    const char *action = id->VersionId.n > 0 ? "s3:DeleteObjectVersion" : "s3:DeleteObject";
    bool reads = id->ETag.p != NULL && !str_is(id->ETag, "*");
    if (!s3_allowed(c, action, &t) || (reads && !s3_allowed(c, "s3:GetObject", &t)))
        return err_aws(403, "AccessDenied", "Access Denied");
    if (id->Size.set || id->LastModifiedTime.set)
        return err_not_implemented(c, "Size and LastModifiedTime conditions");
    TRY(precondition(c, &x->bucket, id->Key, id->VersionId, id->ETag));
    TRY(s3_object_delete(c, &x->bucket, id->Key, id->VersionId, &x->reap, d));
    return tell(c, &x->bucket, id->Key, d);
}

static struct err *delete_and_note(struct call *c, struct batch *x,
                                   const struct s3_ObjectIdentifier *id, bool quiet)
{
    struct s3_deleted d = {0};
    struct err *e = delete_one(c, x, id, &d);
    if (e != NULL && (e->code == NULL || err_http_status(e) >= 500) &&
        !err_is(e, ERR_UNSUPPORTED)) /* the store's, a conflict's: not this key's */
        return e;
    if (e != NULL) {
        struct s3_Error item = {.Key = id->Key,
                                .VersionId = id->VersionId,
                                .Code = str_c(e->code),
                                .Message = arena_str(c->arena, str_c(e->message))};
        VEC_PUSH(c->arena, &x->errors, item);
        err_free(e);
        return NULL;
    }
    if (quiet)
        return NULL;
    struct s3_DeletedObject item = {.Key = id->Key, .VersionId = id->VersionId};
    if (d.marker) {
        item.DeleteMarker = some_bool(true);
        item.DeleteMarkerVersionId = d.version;
    }
    VEC_PUSH(c->arena, &x->deleted, item);
    return NULL;
}

/* The call as a whole succeeds; its record says what of it was refused. */
static void record_errors(struct call *c, const struct batch *x)
{
    struct buf text CLEANUP(buf_clear) = BUF_INIT(S3_RECORD_ERRORS_MAX + 2 * S3_KEY_MAX);
    for (size_t i = 0; i < x->errors.n; i++) {
        const struct s3_Error *e = &x->errors.v[i];
        if (buf_view(&text).n > S3_RECORD_ERRORS_MAX) {
            buf_fmt(&text, "; and %zu more", x->errors.n - i);
            break;
        }
        buf_fmt(&text, "%s%.*s: %.*s", i == 0 ? "" : "; ", STR_ARG(e->Code),
                (int)(e->Key.n < S3_KEY_MAX ? e->Key.n : S3_KEY_MAX), e->Key.p);
    }
    if (x->errors.n > 0)
        call_record(c, "errors", arena_str(c->arena, buf_view(&text)));
}

S3_HANDLER(DeleteObjects, DeleteObjectsRequest, DeleteObjectsOutput)
{
    struct batch x = {0};
    if (in->MFA.p != NULL)
        return err_not_implemented(c, "MFA delete");
    if (c->wire != NULL)
        TRY(s3_body_verify(c, wire_req_header(c->wire, "Content-MD5"), true));
    TRY(s3_bucket_for_write(c, in->Bucket, in->ExpectedBucketOwner, &x.bucket));
    s3_record_objects(c, &x.bucket, STR(""));
    call_record_resource(c, x.bucket.arn, x.bucket.account, "AWS::S3::Bucket");
    if (in->Delete == NULL || in->Delete->Objects.n == 0 || in->Delete->Objects.n > S3_DELETE_MAX)
        return err_aws(400, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema");
    bool quiet = in->Delete->Quiet.v;
    for (size_t i = 0; i < in->Delete->Objects.n; i++)
        TRY(delete_and_note(c, &x, &in->Delete->Objects.v[i], quiet));
    TRY(s3_reap_put(c, x.bucket.account, &x.reap));
    record_errors(c, &x);
    out->Deleted.v = x.deleted.v;
    out->Deleted.n = x.deleted.n;
    out->Deleted.set = x.deleted.n > 0;
    out->Errors.v = x.errors.v;
    out->Errors.n = x.errors.n;
    out->Errors.set = x.errors.n > 0;
    return NULL;
}

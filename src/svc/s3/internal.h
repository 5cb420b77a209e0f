/* internal.h: private to the S3 room: what its files share. */
#ifndef WARD_S3_INTERNAL_H
#define WARD_S3_INTERNAL_H

#include "checksum.h"
#include "conditional.h"
#include "s3.h"
#include "s3_model.h"

/* A handler that ops.c can name: the typed body follows the macro. */
#define S3_HANDLER(op, In, Out)                                                                    \
    static struct err *op(struct call *c, const struct s3_##In *in, struct s3_##Out *out);         \
    struct err *s3_##op##_op(struct call *c, const void *in, void *out)                            \
    {                                                                                              \
        struct err *e_ = s3_begin(c);                                                              \
        return e_ != NULL ? e_ : op(c, in, out);                                                   \
    }                                                                                              \
    static struct err *op(UNUSED struct call *c, UNUSED const struct s3_##In *in,                  \
                          UNUSED struct s3_##Out *out)
#define S3_HANDLER_NO_OUT(op, In)                                                                  \
    static struct err *op(struct call *c, const struct s3_##In *in);                               \
    struct err *s3_##op##_op(struct call *c, const void *in, UNUSED void *out)                     \
    {                                                                                              \
        struct err *e_ = s3_begin(c);                                                              \
        return e_ != NULL ? e_ : op(c, in);                                                        \
    }                                                                                              \
    static struct err *op(UNUSED struct call *c, UNUSED const struct s3_##In *in)

#define S3_DECLARE(op) struct err *s3_##op##_op(struct call *c, const void *in, void *out)
S3_DECLARE(AbortMultipartUpload);
S3_DECLARE(CompleteMultipartUpload);
S3_DECLARE(CopyObject);
S3_DECLARE(CreateBucket);
S3_DECLARE(CreateMultipartUpload);
S3_DECLARE(DeleteBucket);
S3_DECLARE(DeleteBucketEncryption);
S3_DECLARE(DeleteBucketOwnershipControls);
S3_DECLARE(DeleteBucketPolicy);
S3_DECLARE(DeleteBucketTagging);
S3_DECLARE(DeleteObject);
S3_DECLARE(DeleteObjectTagging);
S3_DECLARE(DeleteObjects);
S3_DECLARE(DeletePublicAccessBlock);
S3_DECLARE(GetBucketAcl);
S3_DECLARE(GetBucketEncryption);
S3_DECLARE(GetBucketLocation);
S3_DECLARE(GetBucketNotificationConfiguration);
S3_DECLARE(GetBucketOwnershipControls);
S3_DECLARE(GetBucketPolicy);
S3_DECLARE(GetBucketPolicyStatus);
S3_DECLARE(GetBucketTagging);
S3_DECLARE(GetBucketVersioning);
S3_DECLARE(GetObject);
S3_DECLARE(GetObjectAcl);
S3_DECLARE(GetObjectAttributes);
S3_DECLARE(GetObjectTagging);
S3_DECLARE(GetPublicAccessBlock);
S3_DECLARE(HeadBucket);
S3_DECLARE(HeadObject);
S3_DECLARE(ListBuckets);
S3_DECLARE(ListMultipartUploads);
S3_DECLARE(ListObjectVersions);
S3_DECLARE(ListObjects);
S3_DECLARE(ListObjectsV2);
S3_DECLARE(ListParts);
S3_DECLARE(PutBucketAcl);
S3_DECLARE(PutBucketEncryption);
S3_DECLARE(PutBucketNotificationConfiguration);
S3_DECLARE(PutBucketOwnershipControls);
S3_DECLARE(PutBucketPolicy);
S3_DECLARE(PutBucketTagging);
S3_DECLARE(PutBucketVersioning);
S3_DECLARE(PutObject);
S3_DECLARE(PutObjectAcl);
S3_DECLARE(PutObjectTagging);
S3_DECLARE(PutPublicAccessBlock);
S3_DECLARE(UploadPart);
S3_DECLARE(UploadPartCopy);

/* -- check.c: the model's constraints ---------------------------------------------------------- */
struct err *s3_check(struct call *c) MUST_CHECK;
/* Before every handler. A streamed body was checked before it came. */
static inline struct err *s3_begin(struct call *c)
{
    return c->row->body != NULL ? NULL : s3_check(c);
}

/* -- record.c: additionalEventData ------------------------------------------------------------- */
void s3_record(struct call *c, bool ok); /* the room's part of every record */
struct s3_sse;
/* `asked`: what the request said of encryption; STR_NONE: the bucket's default applied. */
void s3_record_sse(struct call *c, const struct s3_sse *sse, struct str asked);

/* Tables. */
#define T_BUCKET "s3.bucket"
#define T_MINE "s3.mine"
#define T_OBJECT "s3.object"
#define T_VERSION "s3.version"
#define T_DATA "s3.data"
#define T_UPLOAD "s3.upload"
#define T_PART "s3.part"
#define T_BLOB "s3.blob"

/* -- bucket.c: the bucket's row ---------------------------------------------------------------- */
enum s3_versioning { VERSIONING_OFF, VERSIONING_ENABLED, VERSIONING_SUSPENDED };

struct s3_bucket {
    struct str name, account, region, arn;
    struct str owner; /* of its rows in the store */
    uint64_t id;
    enum s3_versioning versioning;
    struct jv *row; /* every setting; s3_bucket_save() writes it back */
};

/* *found false: no such bucket. */
struct err *s3_bucket_find(struct call *c, struct str name, struct s3_bucket *out,
                           bool *found) MUST_CHECK;
/* NoSuchBucket; AccessDenied when it is not `expected_owner`'s (STR_NONE: anybody's). Sets the
 * <Resource> of errors. */
struct err *s3_bucket_get(struct call *c, struct str name, struct str expected_owner,
                          struct s3_bucket *out) MUST_CHECK;
/* The same in a writing transaction, for who changes objects: OperationAborted while the bucket is
 * being deleted. */
struct err *s3_bucket_for_write(struct call *c, struct str name, struct str expected_owner,
                                struct s3_bucket *out) MUST_CHECK;
struct err *s3_bucket_save(struct call *c, const struct s3_bucket *b) MUST_CHECK;
/* Sets or (NULL) removes a setting, and saves. */
struct err *s3_bucket_set(struct call *c, struct s3_bucket *b, const char *name,
                          const struct jv *value) MUST_CHECK;
struct str s3_canonical_id(struct arena *a, struct str account);
struct s3_Owner *s3_owner(struct arena *a, struct str account);

/* -- object.c: the row of a version ------------------------------------------------------------ */
enum s3_data_kind { DATA_NONE, DATA_INLINE, DATA_BLOB, DATA_PARTS };

struct s3_data { /* where the bytes are */
    enum s3_data_kind kind;
    struct str id;   /* DATA_BLOB: blob id; else the key in s3.data */
    struct str salt; /* 16 bytes; the piece's own key is derived with it */
};

struct s3_sse { /* how the object's key is kept */
    bool kms;
    bool bucket_key;
    struct str key_arn;        /* KMS */
    struct str context;        /* the client's encryption context, JSON; STR_NONE without */
    struct str wrapped;        /* the object's key; STR_NONE: it has none (small, SSE-S3) */
    struct str bucket_wrapped; /* the bucket key that wraps it, as KMS gave it */
};

struct s3_object {
    struct str version; /* "null" or the id */
    uint64_t seq;
    uint64_t null_seq; /* latest row only: SEQ of the null version below it; 0: none */
    bool history;      /* latest row only: there may be versions below it */
    bool marker;       /* a delete marker */
    int64_t modified_ms;
    uint64_t size;
    struct str etag; /* without quotes */
    struct str type, cache, disposition, encoding, language, expires, redirect;
    struct s3_Metadata meta;
    struct s3_TagSet tags;
    enum s3_alg sum_alg;
    struct str sum; /* base64; with "-N" when composite */
    bool sum_composite;
    int parts; /* 0: not a multipart upload */
    struct s3_sse sse;
    struct s3_data data;
};

struct jv *s3_object_to_jv(struct arena *a, const struct s3_object *o);
void s3_object_of_jv(struct arena *a, const struct jv *j, struct s3_object *out);
struct err *s3_object_parse(struct arena *a, struct str text, struct s3_object *out) MUST_CHECK;
struct jv *s3_sse_to_jv(struct arena *a, const struct s3_sse *s);
void s3_sse_of_jv(struct arena *a, const struct jv *j, struct s3_sse *out);
struct jv *s3_tags_to_jv(struct arena *a, const struct s3_TagSet *t);
void s3_tags_of_jv(struct arena *a, const struct jv *j, struct s3_TagSet *out);

void s3_key_object(struct skey *k, uint64_t bucket, struct str key);
void s3_key_version(struct skey *k, uint64_t bucket, struct str key, uint64_t seq);

/* The latest version; *found false: the key has none. */
struct err *s3_object_latest(struct call *c, const struct s3_bucket *b, struct str key,
                             struct s3_object *out, bool *found) MUST_CHECK;
/* One version by its id. InvalidArgument for what is no id. */
struct err *s3_object_version(struct call *c, const struct s3_bucket *b, struct str key,
                              struct str version, struct s3_object *out, bool *found) MUST_CHECK;
/* The place of a version id, or of a marker that a page of versions gave, among the versions of its
 * key. InvalidArgument for what is no id. */
struct err *s3_version_seq(struct arena *a, struct str version, uint64_t *out) MUST_CHECK;
struct str s3_version_marker(struct arena *a, uint64_t seq);
/* InvalidArgument for a version id that is there and empty. */
struct err *s3_version_given(struct str version) MUST_CHECK;
/* What a reader means: NoSuchKey (AccessDenied for who may not list), NoSuchVersion,
 * MethodNotAllowed for a delete marker that was named. */
struct err *s3_object_read(struct call *c, const struct s3_bucket *b, struct str key,
                           struct str version, struct s3_object *out) MUST_CHECK;
/* Writes a version back where it is (tags). */
struct err *s3_object_save(struct call *c, const struct s3_bucket *b, struct str key,
                           const struct s3_object *o) MUST_CHECK;
struct str s3_object_arn(struct arena *a, struct str bucket, struct str key);

/* -- version.c: new versions, deletions -------------------------------------------------------- */
struct s3_reap { /* what is to be deleted once the transaction has committed */
    VEC(struct str) blobs;
    VEC(struct str) lists; /* of parts, in s3.data */
    VEC(struct str) uploads;
};

/* Puts `o` (all but version, seq, history) on top; fills them. */
struct err *s3_object_place(struct call *c, const struct s3_bucket *b, struct str key,
                            struct s3_object *o, struct s3_reap *reap) MUST_CHECK;

struct s3_deleted {
    bool marker; /* a delete marker was made, or was what was deleted */
    bool made_marker;
    bool removed;       /* something is gone */
    struct str version; /* of the marker, or of what was deleted; STR_NONE without versioning */
    uint64_t seq;
};
struct err *s3_object_delete(struct call *c, const struct s3_bucket *b, struct str key,
                             struct str version, struct s3_reap *reap,
                             struct s3_deleted *out) MUST_CHECK;
struct err *s3_data_drop(struct call *c, const struct s3_data *d, struct s3_reap *reap) MUST_CHECK;
struct err *s3_reap_put(struct call *c, struct str account, const struct s3_reap *reap) MUST_CHECK;

/* -- seal.c: object keys ----------------------------------------------------------------------- */
struct s3_sse_request { /* the headers */
    struct str algorithm, key_id, context;
    struct opt_bool bucket_key;
};
#define S3_SSE_REQUEST(in)                                                                         \
    ((struct s3_sse_request){(in)->ServerSideEncryption, (in)->SSEKMSKeyId,                        \
                             (in)->SSEKMSEncryptionContext, (in)->BucketKeyEnabled})
/* The request's wish, or the bucket's default. */
struct err *s3_sse_choose(struct call *c, const struct s3_bucket *b, const struct s3_sse_request *r,
                          struct s3_sse *out) MUST_CHECK;
/* A new key for the object, kept as `sse` says (which is completed). Caller frees. */
struct err *s3_key_new(struct call *c, const struct s3_bucket *b, struct str key,
                       struct s3_sse *sse, struct secret **out) MUST_CHECK;
struct err *s3_key_open(struct call *c, const struct s3_bucket *b, struct str key,
                        const struct s3_sse *sse, struct secret **out) MUST_CHECK;
/* Whether the caller may use the KMS key of the object; SSE-S3 asks nobody. */
struct err *s3_key_may_open(struct call *c, const struct s3_bucket *b, struct str key,
                            const struct s3_sse *sse) MUST_CHECK;
struct err *s3_no_customer_keys(struct call *c, struct str algorithm, struct str key,
                                struct str md5) MUST_CHECK;
/* The client's encryption context as the header tells it; STR_NONE without. */
struct str s3_sse_context(struct arena *a, const struct s3_sse *sse);
void s3_bucket_keys_stop(void);

/* -- data.c: bytes in and out ------------------------------------------------------------------ */
struct s3_writer;
/* `small`: bodies up to S3_INLINE_MAX need no blob. The key may come later (s3_writer_key) or
 * never, unless a blob is begun: then `need_key` is asked for one. Heap; freed with the call's
 * arena. */
struct s3_writer *s3_writer_new(struct call *c, uint64_t bucket, struct str key, bool small);
void s3_writer_key(struct s3_writer *w, struct secret *key);      /* takes it */
bool s3_writer_wants_key(const struct s3_writer *w, size_t more); /* a blob is about to begin */
struct err *s3_writer_add(struct s3_writer *w, struct str piece) MUST_CHECK;
uint64_t s3_writer_size(const struct s3_writer *w);
/* The body is complete: makes a blob durable. Does nothing the second time. */
struct err *s3_writer_end(struct s3_writer *w) MUST_CHECK;
/* In the transaction: names the bytes in the store; may run again after a conflict. */
struct err *s3_writer_store(struct s3_writer *w, struct call *c, const struct s3_bucket *b,
                            bool sealed, struct s3_data *out) MUST_CHECK;
/* The transaction runs again after a conflict: what it stored before is not there. */
void s3_writer_again(struct s3_writer *w);
/* Undoes: unless it was stored by a handler that went on to its commit. */
void s3_writer_abandon(struct s3_writer *w);

struct s3_piece { /* one part of a multipart object */
    int number;
    uint64_t size;
    struct str blob, salt, sum;
};
struct err *s3_pieces_of(struct call *c, const struct s3_data *d, struct s3_piece **out,
                         size_t *n) MUST_CHECK;
/* The bytes [from, from + n) of an object as a source; `size` is the object's. */
struct err *s3_source_open(struct call *c, const struct s3_bucket *b, struct str key,
                           const struct s3_object *o, uint64_t from, uint64_t n,
                           struct http_source *out) MUST_CHECK;
extern const struct job_kind S3_JOBS[];
struct err *s3_sweep(struct ward *w) MUST_CHECK;
enum job_next s3_reap_run(struct job *j, int64_t *again_ms);

/* -- attrs.c: what requests say of an object --------------------------------------------------- */
struct s3_attrs_in {
    struct str acl, storage_class, tagging, redirect, lock_mode, hold;
    struct str grants[4];
    struct opt_int lock_until;
};
#define S3_ATTRS_IN(in)                                                                            \
    ((struct s3_attrs_in){.acl = (in)->ACL,                                                        \
                          .storage_class = (in)->StorageClass,                                     \
                          .tagging = (in)->Tagging,                                                \
                          .redirect = (in)->WebsiteRedirectLocation,                               \
                          .lock_mode = (in)->ObjectLockMode,                                       \
                          .hold = (in)->ObjectLockLegalHoldStatus,                                 \
                          .grants = {(in)->GrantFullControl, (in)->GrantRead, (in)->GrantReadACP,  \
                                     (in)->GrantWriteACP},                                         \
                          .lock_until = (in)->ObjectLockRetainUntilDate})
/* System headers of a request into an object. */
#define S3_HEADERS_TO(o, in)                                                                       \
    do {                                                                                           \
        (o)->type = (in)->ContentType;                                                             \
        (o)->cache = (in)->CacheControl;                                                           \
        (o)->disposition = (in)->ContentDisposition;                                               \
        (o)->encoding = (in)->ContentEncoding;                                                     \
        (o)->language = (in)->ContentLanguage;                                                     \
        (o)->expires = (in)->Expires;                                                              \
        (o)->redirect = (in)->WebsiteRedirectLocation;                                             \
        (o)->meta = (in)->Metadata;                                                                \
    } while (0)
struct err *s3_attrs_check(struct call *c, const struct s3_attrs_in *in, struct s3_object *o)
    MUST_CHECK; /* also parses the tags, and mends type and encoding */
struct err *s3_key_check(struct str key) MUST_CHECK;
struct err *s3_acl_check(struct str acl, const struct str *grants, size_t n) MUST_CHECK;
struct err *s3_tags_parse(struct arena *a, struct str header, struct s3_TagSet *out) MUST_CHECK;
struct err *s3_tags_check(const struct s3_TagSet *t, size_t max) MUST_CHECK;
/* The headers that tell of an object, for GetObject, HeadObject. */
#define S3_SSE_OUT(out, sse)                                                                       \
    do {                                                                                           \
        (out)->ServerSideEncryption = (sse)->kms ? STR("aws:kms") : STR("AES256");                 \
        if ((sse)->kms) {                                                                          \
            (out)->SSEKMSKeyId = (sse)->key_arn;                                                   \
            if ((sse)->bucket_key)                                                                 \
                (out)->BucketKeyEnabled = some_bool(true);                                         \
        }                                                                                          \
    } while (0)
#define S3_SUM_OUT(out, alg, text)                                                                 \
    do {                                                                                           \
        struct str sum_text_ = (text);                                                             \
        switch (alg) {                                                                             \
        case ALG_CRC32:                                                                            \
            (out)->ChecksumCRC32 = sum_text_;                                                      \
            break;                                                                                 \
        case ALG_CRC32C:                                                                           \
            (out)->ChecksumCRC32C = sum_text_;                                                     \
            break;                                                                                 \
        case ALG_CRC64NVME:                                                                        \
            (out)->ChecksumCRC64NVME = sum_text_;                                                  \
            break;                                                                                 \
        case ALG_SHA1:                                                                             \
            (out)->ChecksumSHA1 = sum_text_;                                                       \
            break;                                                                                 \
        case ALG_SHA256:                                                                           \
            (out)->ChecksumSHA256 = sum_text_;                                                     \
            break;                                                                                 \
        case ALG_SHA512:                                                                           \
            (out)->ChecksumSHA512 = sum_text_;                                                     \
            break;                                                                                 \
        case ALG_MD5:                                                                              \
            (out)->ChecksumMD5 = sum_text_;                                                        \
            break;                                                                                 \
        default:                                                                                   \
            break;                                                                                 \
        }                                                                                          \
    } while (0)
#define S3_SUMS_IN(in)                                                                             \
    ((struct s3_sum_texts){.v = {[ALG_CRC32] = (in)->ChecksumCRC32,                                \
                                 [ALG_CRC32C] = (in)->ChecksumCRC32C,                              \
                                 [ALG_CRC64NVME] = (in)->ChecksumCRC64NVME,                        \
                                 [ALG_SHA1] = (in)->ChecksumSHA1,                                  \
                                 [ALG_SHA256] = (in)->ChecksumSHA256,                              \
                                 [ALG_SHA512] = (in)->ChecksumSHA512,                              \
                                 [ALG_MD5] = (in)->ChecksumMD5},                                   \
                           .unbuilt = (in)->ChecksumXXHASH64.p != NULL ||                          \
                                      (in)->ChecksumXXHASH3.p != NULL ||                           \
                                      (in)->ChecksumXXHASH128.p != NULL})
struct str s3_quoted(struct arena *a, struct str etag);

/* -- body.c: a streamed body: PutObject, UploadPart -------------------------------------------- */
struct s3_body {
    struct s3_bucket bucket; /* as it was at begin: for keys alone */
    struct str key;
    struct s3_sse sse;
    struct s3_writer *writer;
    struct s3_sums *sums;
    enum s3_alg claimed; /* by the client; ALG_NONE: nothing */
    struct str claim;    /* base64; STR_NONE: in the trailer */
    struct str md5;      /* Content-MD5, base64 */
    enum s3_alg kept;    /* the algorithm that is stored */
    struct str etag;     /* set by s3_body_end */
    bool ended;
};
struct s3_body_request {
    struct s3_sum_texts sums;
    struct str algorithm, md5;
    bool streamed; /* from a client, who has to say how long it is */
    enum s3_alg keep; /* ALG_NONE: what the client claims, else CRC64NVME */
};
/* In begin: sets up sums and writer; c->state is the body. bucket, key, sse must be set. */
struct err *s3_body_begin(struct call *c, struct s3_body *b, const struct s3_body_request *r,
                          bool small) MUST_CHECK;
struct err *s3_body_data(struct call *c, struct str piece) MUST_CHECK;
void s3_body_abandon(struct call *c);
/* In the handler, first: whether the body came as a stream at all. Forgets what an attempt before
 * this one stored. */
struct err *s3_body_began(const struct call *c) MUST_CHECK;
/* In the handler: ends and verifies, once. */
struct err *s3_body_end(struct call *c, struct s3_body *b) MUST_CHECK;
/* A buffered body's Content-MD5 and checksum headers; `required`: there must be one. */
struct err *s3_body_verify(struct call *c, struct str md5, bool required) MUST_CHECK;

/* -- object_put.c ------------------------------------------------------------------------------ */
extern const struct body_hooks S3_PUT_BODY, S3_PART_BODY;
struct err *s3_write_conditions(struct call *c, const struct s3_bucket *b, struct str key,
                                struct str if_match, struct str if_none_match) MUST_CHECK;

/* -- list.c ------------------------------------------------------------------------------------ */
struct s3_list_in {
    struct str prefix, delimiter, encoding;
    struct opt_int max;
};
/* The encoded form for the answer when encoding-type is url. */
struct str s3_listed(struct call *c, struct str encoding, struct str text);
/* First key behind everything that begins with the prefix; STR_NONE: there is none. */
struct str s3_after_prefix(struct arena *a, struct str prefix);
/* The common prefix that a key falls under, or STR_NONE. */
struct str s3_common_prefix(struct str key, struct str prefix, struct str delimiter);
struct err *s3_list_max(struct opt_int given, const char *name, int64_t *out) MUST_CHECK;

/* -- notify.c ---------------------------------------------------------------------------------- */
/* `event` without "s3:": "ObjectCreated:Put". */
struct err *s3_notify(struct call *c, const struct s3_bucket *b, const char *event, struct str key,
                      const struct s3_object *o) MUST_CHECK;
enum job_next s3_event_run(struct job *j, int64_t *again_ms);

/* -- target.c: what needs are about ------------------------------------------------------------ */
struct str s3_in(const struct call *c, const char *member); /* of the input, by name */
struct err *s3_target_account(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_bucket(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_new_bucket(struct call *c, struct target *out) MUST_CHECK;
void s3_record_objects(struct call *c, const struct s3_bucket *b, struct str prefix);
struct err *s3_target_objects(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_list(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_object(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_object_write(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_delete(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_part(struct call *c, struct target *out) MUST_CHECK;
struct err *s3_target_source(struct call *c, struct target *out) MUST_CHECK;
/* The same for a bucket and key by name: for checks within a handler. Forgets the condition keys of
 * the check before. */
struct err *s3_target_of(struct call *c, struct str bucket, struct str key,
                         struct target *out) MUST_CHECK;
/* …and for what existing tags have a say in. */
struct err *s3_target_tags(struct call *c, struct str bucket, struct str key, struct str version,
                           struct target *out) MUST_CHECK;
bool s3_allowed(struct call *c, const char *action, const struct target *t);

/* -- copy.c ------------------------------------------------------------------------------------ */
struct s3_copy_source {
    struct str bucket, key, version;
};
struct err *s3_copy_source_parse(struct arena *a, struct str header,
                                 struct s3_copy_source *out) MUST_CHECK;

/* -- policy.c ---------------------------------------------------------------------------------- */
/* The policy that counts for this caller: none when it is public and public policies are shut out.
 */
struct err *s3_policy_for(struct call *c, const struct s3_bucket *b, struct str *out) MUST_CHECK;

#endif

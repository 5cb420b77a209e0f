/* Object keys: how they are kept, and KMS.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html and bucket-key.html
 * SSE-S3: the object's random key is sealed by the store under the bucket's owner key. SSE-KMS: the
 * object's key is a data key of KMS, asked for on behalf of the caller; only its wrapped form is
 * kept. With a bucket key, one data key of KMS wraps the keys of many objects for a short time.
 *
 * Bucket keys live in this process for one caller and one KMS key, since each caller's right to the
 * key is KMS's to check; and KMS is asked again after S3_BUCKET_KEY_MS, so that a key that was
 * disabled closes its objects within that time. */
#include "internal.h"
#include "kms_model.h"

#include "../../core/enc.h"
#include "../../core/map.h"
#include "../../crypto/crypto.h"

#include <pthread.h>

#define S3_SERVICE "s3.amazonaws.com"

enum { CONTEXT_MAX = 32, CACHE_MAX = 1024 };

/* -- choosing ---------------------------------------------------------------------------------- */

static struct err *parse_context(struct call *c, struct str header, struct str *out)
{
    struct jv *j = NULL;
    struct str text;
    if (!dec_base64(c->arena, header, &text))
        return err_aws(400, "InvalidArgument",
                       "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded "
                       "UTF-8 string holding JSON which represents a string-string map");
    struct err *e = json_parse(c->arena, text, 2, &j);
    bool ok = e == NULL && jv_is(j, JV_OBJ) && jv_len(j) <= CONTEXT_MAX;
    err_free(e);
    for (size_t i = 0; ok && i < jv_len(j); i++)
        ok = jv_is(&j->obj.v[i].value, JV_STR) && !str_is(j->obj.v[i].key, "aws:s3:arn");
    if (!ok)
        return err_aws(400, "InvalidArgument",
                       "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded "
                       "UTF-8 string holding JSON which represents a string-string map");
    *out = text;
    return NULL;
}

struct str s3_sse_context(struct arena *a, const struct s3_sse *sse)
{
    return sse->context.p == NULL ? STR_NONE : enc_base64(a, sse->context);
}

static void bucket_default(const struct s3_bucket *b, struct s3_sse *out)
{
    const struct jv *enc = jv_get(b->row, "encryption");
    out->kms = str_is(jv_s(jv_get(enc, "algorithm")), "aws:kms");
    out->key_arn = jv_s(jv_get(enc, "key"));
    out->bucket_key = jv_b(jv_get(enc, "bucket_key"), false);
}

struct err *s3_sse_choose(struct call *c, const struct s3_bucket *b, const struct s3_sse_request *r,
                          struct s3_sse *out)
{
    struct s3_sse s = {0}, def = {0};
    bucket_default(b, &def);
    if (r->algorithm.p == NULL && r->key_id.p != NULL)
        return err_aws(400, "InvalidArgument",
                       "Server Side Encryption with AWS KMS managed key requires HTTP header "
                       "x-amz-server-side-encryption : aws:kms");
    if (r->algorithm.p == NULL) {
        s = def;
    } else if (str_is(r->algorithm, "aws:kms")) {
        s.kms = true;
        s.key_arn = r->key_id;
        s.bucket_key = def.bucket_key;
    } else if (str_is(r->algorithm, "aws:kms:dsse") || str_is(r->algorithm, "aws:fsx")) {
        return err_not_implemented(c, "Server-side encryption other than AES256 and aws:kms");
    } else if (!str_is(r->algorithm, "AES256")) {
        return err_aws(400, "InvalidArgument", "The encryption method specified is not supported");
    } else if (r->key_id.p != NULL) {
        return err_aws(400, "InvalidArgument",
                       "x-amz-server-side-encryption-aws-kms-key-id is not applicable if header "
                       "x-amz-server-side-encryption is not aws:kms");
    }
    if (r->bucket_key.set)
        s.bucket_key = r->bucket_key.v;
    if (!s.kms) {
        *out = (struct s3_sse){0};
        return NULL;
    }
    if (r->context.p != NULL)
        TRY(parse_context(c, r->context, &s.context));
    if (s.key_arn.n == 0)
        s.key_arn = STR("alias/aws/s3");
    *out = s;
    return NULL;
}

struct err *s3_no_customer_keys(struct call *c, struct str algorithm, struct str key,
                                struct str md5)
{
    if (algorithm.p == NULL && key.p == NULL && md5.p == NULL)
        return NULL;
    return err_not_implemented(c, "Server-side encryption with customer-provided keys (SSE-C)");
}

/* -- KMS --------------------------------------------------------------------------------------- */

static struct api_call kms_call(struct call *c, const struct s3_bucket *b)
{
    return (struct api_call){.from = c,
                             .ward = c->ward,
                             .as = AS_CALLER,
                             .service = S3_SERVICE,
                             .account = c->account,
                             .region = b->region,
                             .arena = c->arena};
}

/* KMS's errors as S3 tells them: "KMS.DisabledException". */
static struct err *kms_error(struct err *e)
{
    static const char *const codes[][2] = {
        {"DisabledException", "KMS.DisabledException"},
        {"NotFoundException", "KMS.NotFoundException"},
        {"KMSInvalidStateException", "KMS.KMSInvalidStateException"},
        {"InvalidKeyUsageException", "KMS.InvalidKeyUsageException"},
        {"InvalidCiphertextException", "KMS.InvalidCiphertextException"},
        {"KeyUnavailableException", "KMS.KeyUnavailableException"},
    };
    if (e == NULL || e->code == NULL)
        return e;
    if (strcmp(e->code, "AccessDeniedException") == 0) {
        e->code = "AccessDenied";
        e->status = 403;
    }
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(e->code, codes[i][0]) == 0) {
            e->code = codes[i][1];
            e->status = 400;
        }
    return e;
}

/* What binds the data key: the object, or with a bucket key the bucket. */
static void encryption_context(struct call *c, const struct s3_bucket *b, struct str key,
                               const struct s3_sse *s, struct kms_EncryptionContextType *out)
{
    struct jv *extra = NULL;
    size_t n = 1;
    if (s->context.p != NULL && !s->bucket_key) {
        err_free(json_parse(c->arena, s->context, 2, &extra)); /* was parsed when it came in */
        n += jv_len(extra);
    }
    out->v = arena_alloc_array(c->arena, n, sizeof *out->v);
    out->n = n;
    out->set = true;
    out->v[0].key = STR("aws:s3:arn");
    out->v[0].value = s->bucket_key ? b->arn : s3_object_arn(c->arena, b->name, key);
    for (size_t i = 1; i < n; i++) {
        out->v[i].key = extra->obj.v[i - 1].key;
        out->v[i].value = jv_s(&extra->obj.v[i - 1].value);
    }
}

/* Takes the key out of an answer and wipes it there. */
static struct err *take_plaintext(struct str plaintext, struct secret **out)
{
    struct err *e = plaintext.n == AES_KEY_SIZE
                        ? secret_new(plaintext, out)
                        : err_new(ERR_INTERNAL, "The key that KMS gave has a wrong size.");
    if (plaintext.p != NULL)
        secret_wipe((char *)(uintptr_t)plaintext.p, plaintext.n);
    return e;
}

static struct err *kms_generate(struct call *c, const struct s3_bucket *b, struct str key,
                                struct s3_sse *s, struct str *out_blob, struct secret **out)
{
    struct kms_GenerateDataKeyRequest in = {.KeyId = s->key_arn, .KeySpec = STR("AES_256")};
    struct api_call o = kms_call(c, b);
    void *got = NULL;
    encryption_context(c, b, key, s, &in.EncryptionContext);
    struct err *e = api_call(&o, "kms", "GenerateDataKey", &in, &got);
    if (e != NULL)
        return kms_error(e);
    const struct kms_GenerateDataKeyResponse *r = got;
    s->key_arn = r->KeyId;
    *out_blob = r->CiphertextBlob;
    return take_plaintext(r->Plaintext, out);
}

static struct err *kms_decrypt(struct call *c, const struct s3_bucket *b, struct str key,
                               const struct s3_sse *s, struct str blob, struct secret **out)
{
    struct kms_DecryptRequest in = {.CiphertextBlob = blob, .KeyId = s->key_arn};
    struct api_call o = kms_call(c, b);
    void *got = NULL;
    encryption_context(c, b, key, s, &in.EncryptionContext);
    struct err *e = api_call(&o, "kms", "Decrypt", &in, &got);
    if (e != NULL)
        return kms_error(e);
    const struct kms_DecryptResponse *r = got;
    return take_plaintext(r->Plaintext, out);
}

/* -- bucket keys ------------------------------------------------------------------------------- */

struct bucket_key {
    struct secret *key;
    char *blob; /* as KMS wrapped it */
    size_t blob_n;
    int64_t made_ms; /* monotonic */
    int uses;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* never held during a call to KMS */
static struct map by_writer = MAP_INIT; /* for new objects: bucket, KMS key, caller */
static struct map by_blob = MAP_INIT;   /* for reading: wrapped key, caller */

static void bucket_key_free(struct bucket_key *k)
{
    if (k == NULL)
        return;
    secret_free(k->key);
    free(k->blob);
    free(k);
}

static void cache_clear(struct map *m)
{
    const struct map_slot *s;
    for (size_t i = 0; (s = map_each(m, &i)) != NULL;)
        bucket_key_free(s->value);
    map_clear(m);
}

void s3_bucket_keys_stop(void)
{
    pthread_mutex_lock(&lock);
    cache_clear(&by_writer);
    cache_clear(&by_blob);
    pthread_mutex_unlock(&lock);
}

/* Two sessions of one name may differ in their policies: their access keys tell them apart. */
static struct str caller_of(const struct call *c)
{
    const struct principal *w = &c->id.who;
    struct str name = w->session_arn.n > 0 ? w->session_arn : w->arn.n > 0 ? w->arn : w->service;
    return arena_fmt(c->arena, "%.*s|%.*s", STR_ARG(name), STR_ARG(c->id.access_key_id));
}

static struct str writer_name(struct call *c, const struct s3_bucket *b, const struct s3_sse *s)
{
    return arena_fmt(c->arena, "%016llx|%.*s|%.*s", (unsigned long long)b->id, STR_ARG(s->key_arn),
                     STR_ARG(caller_of(c)));
}

static struct str blob_name(struct call *c, struct str blob)
{
    return arena_concat(c->arena, arena_concat(c->arena, blob, STR("|")), caller_of(c));
}

/* A copy of what is cached, if it may still be used. */
static struct err *cache_get(struct call *c, struct map *m, struct str name, bool for_new,
                             struct str *out_blob, struct secret **out)
{
    struct err *e = NULL;
    int64_t now = clock_mono_ms();
    *out = NULL;
    pthread_mutex_lock(&lock);
    struct bucket_key *k = map_get(m, name);
    bool fresh = k != NULL && now - k->made_ms < S3_BUCKET_KEY_MS;
    if (for_new && fresh)
        fresh = k->uses < S3_BUCKET_KEY_USES;
    if (fresh) {
        k->uses++;
        e = secret_ref(k->key, out);
        *out_blob = arena_str(c->arena, str_of(k->blob, k->blob_n));
    }
    pthread_mutex_unlock(&lock);
    return e;
}

/* What may not be used any more does not stay in memory for long either. */
static void drop_old(struct map *m, int64_t now)
{
    struct map kept = MAP_INIT;
    const struct map_slot *s;
    for (size_t i = 0; (s = map_each(m, &i)) != NULL;) {
        struct bucket_key *k = s->value;
        if (now - k->made_ms < S3_BUCKET_KEY_MS)
            CHECK(map_put(&kept, str_of(s->key, s->key_n), k) == NULL);
        else
            bucket_key_free(k);
    }
    map_clear(m);
    *m = kept;
}

static struct err *cache_put(struct map *m, struct str name, struct str blob,
                             const struct secret *key)
{
    struct bucket_key *k = calloc(1, sizeof *k);
    CHECK(k != NULL);
    k->blob = malloc(blob.n > 0 ? blob.n : 1);
    CHECK(k->blob != NULL);
    memcpy(k->blob, blob.p, blob.n);
    k->blob_n = blob.n;
    k->made_ms = clock_mono_ms();
    struct err *e = secret_ref(key, &k->key);
    if (e != NULL) {
        bucket_key_free(k);
        return e;
    }
    pthread_mutex_lock(&lock);
    drop_old(m, k->made_ms);
    if (m->n >= CACHE_MAX)
        cache_clear(m);
    bucket_key_free(map_put(m, name, k));
    pthread_mutex_unlock(&lock);
    return NULL;
}

static struct err *bucket_key_new(struct call *c, const struct s3_bucket *b, struct s3_sse *s,
                                  struct secret **out)
{
    /* Named by what the request or the bucket says; an alias that is moved is seen within a second.
     */
    struct str name = writer_name(c, b, s);
    TRY(cache_get(c, &by_writer, name, true, &s->bucket_wrapped, out));
    if (*out != NULL) {
        /* The blob is in KMS's own form; whose key it is was cached under the same name. */
        struct str arn_blob = s->bucket_wrapped;
        struct str arn = str_cut(&arn_blob, '\n');
        s->key_arn = arn;
        s->bucket_wrapped = arn_blob;
        return NULL;
    }
    TRY(kms_generate(c, b, STR_NONE, s, &s->bucket_wrapped, out));
    struct str both =
        arena_concat(c->arena, arena_concat(c->arena, s->key_arn, STR("\n")), s->bucket_wrapped);
    struct err *e = cache_put(&by_writer, name, both, *out);
    if (e == NULL)
        e = cache_put(&by_blob, blob_name(c, s->bucket_wrapped), STR(""), *out);
    if (e != NULL) {
        secret_free(*out);
        *out = NULL;
    }
    return e;
}

static struct err *bucket_key_open(struct call *c, const struct s3_bucket *b,
                                   const struct s3_sse *s, struct secret **out)
{
    struct str name = blob_name(c, s->bucket_wrapped), unused = STR_NONE;
    TRY(cache_get(c, &by_blob, name, false, &unused, out));
    if (*out != NULL)
        return NULL;
    TRY(kms_decrypt(c, b, STR_NONE, s, s->bucket_wrapped, out));
    struct err *e = cache_put(&by_blob, name, STR(""), *out);
    if (e != NULL) {
        secret_free(*out);
        *out = NULL;
    }
    return e;
}

/* -- object keys ------------------------------------------------------------------------------- */

static struct str key_context(struct call *c, const struct s3_bucket *b, struct str key)
{
    return arena_fmt(c->arena, "s3 object key %016llx/%.*s", (unsigned long long)b->id,
                     STR_ARG(key));
}

static struct err *new_sealed(struct call *c, const struct s3_bucket *b, struct str key,
                              struct s3_sse *s, struct secret **out)
{
    struct secret *k CLEANUP(secret_free_ptr) = NULL;
    TRY(secret_random(AES_KEY_SIZE, &k));
    struct str plain = str_of(secret_bytes(k), secret_size(k));
    TRY(store_seal(c->ward->store, c->arena, b->owner, key_context(c, b, key), plain, &s->wrapped));
    *out = k;
    k = NULL;
    return NULL;
}

static struct err *new_under_bucket_key(struct call *c, const struct s3_bucket *b, struct str key,
                                        struct s3_sse *s, struct secret **out)
{
    struct secret *k CLEANUP(secret_free_ptr) = NULL, *kek CLEANUP(secret_free_ptr) = NULL;
    TRY(bucket_key_new(c, b, s, &kek));
    TRY(secret_random(AES_KEY_SIZE, &k));
    s->wrapped = key_wrap(c->arena, kek, key_context(c, b, key), k);
    *out = k;
    k = NULL;
    return NULL;
}

struct err *s3_key_new(struct call *c, const struct s3_bucket *b, struct str key,
                       struct s3_sse *sse, struct secret **out)
{
    if (!sse->kms)
        return new_sealed(c, b, key, sse, out);
    if (sse->bucket_key)
        return new_under_bucket_key(c, b, key, sse, out);
    return kms_generate(c, b, key, sse, &sse->wrapped, out);
}

struct err *s3_key_open(struct call *c, const struct s3_bucket *b, struct str key,
                        const struct s3_sse *sse, struct secret **out)
{
    if (sse->wrapped.n == 0)
        return err_new(ERR_CORRUPT, "The object's key is missing.");
    if (sse->kms && !sse->bucket_key)
        return kms_decrypt(c, b, key, sse, sse->wrapped, out);
    if (sse->kms) {
        struct secret *kek CLEANUP(secret_free_ptr) = NULL;
        TRY(bucket_key_open(c, b, sse, &kek));
        return key_unwrap(kek, key_context(c, b, key), sse->wrapped, out);
    }
    struct str plain;
    TRY(store_unseal(c->ward->store, c->arena, key_context(c, b, key), sse->wrapped, &plain));
    return take_plaintext(plain, out);
}

struct err *s3_key_may_open(struct call *c, const struct s3_bucket *b, struct str key,
                            const struct s3_sse *sse)
{
    struct secret *k = NULL;
    if (!sse->kms)
        return NULL;
    TRY(s3_key_open(c, b, key, sse, &k));
    secret_free(k);
    return NULL;
}

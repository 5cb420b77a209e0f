/* The outbox: a file is a row until it is an object in the trail's bucket.
 *
 * The row holds the very bytes and, for a digest, its very key, so that putting it again after a
 * crash changes nothing. Only the trail's job reads and writes its rows. */
#include "room.h"

#include <zlib.h>

/* gzip (RFC 1952) at the usual level. */
struct err *outbox_compress(struct arena *a, struct str text, struct str *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_new(ERR_FULL, "There is no memory to compress a log file.");
    uLong most = deflateBound(&z, text.n);
    char *to = arena_alloc_raw(a, most);
    z.next_in = (Bytef *)(uintptr_t)text.p;
    z.avail_in = (uInt)text.n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)most;
    int rc = deflate(&z, Z_FINISH);
    *out = str_of(to, most - z.avail_out);
    deflateEnd(&z);
    return rc == Z_STREAM_END ? NULL : err_new(ERR_INTERNAL, "A log file could not be compressed.");
}

/* -- rows -------------------------------------------------------------------------------------- */

static struct skey row_key(const struct delivery *d, uint64_t n)
{
    struct skey k = trail_id_key(&d->trail);
    key_u64(&k, n);
    return k;
}

/* A line of JSON, then the body. */
struct err *outbox_add(struct txn *t, const struct delivery *d, const struct outgoing *o)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(STORE_VALUE_MAX);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_kb(&w, "digest", o->digest);
    jw_ks(&w, "region", o->region);
    jw_ks(&w, "bucket", o->bucket);
    jw_ks(&w, "tail", o->tail);
    jw_ks(&w, "sha256", o->sha256);
    jw_ki(&w, "oldest_ms", o->oldest_ms);
    jw_ki(&w, "newest_ms", o->newest_ms);
    jw_ks(&w, "signature", o->signature);
    jw_ki(&w, "upto", (int64_t)o->upto);
    jw_end(&w);
    buf_char(&b, '\n');
    buf_str(&b, o->body);
    TRY(buf_check(&b));
    struct skey k = row_key(d, o->n);
    return txn_put(t, TRAIL_T_OUTBOX, d->trail.account, key_of(&k), buf_view(&b));
}

static struct err *read_row(struct arena *a, struct str key, struct str value,
                            struct outgoing *out)
{
    struct str account, id, head = str_cut(&value, '\n');
    struct jv *row;
    *out = (struct outgoing){.body = value};
    if (!key_take_str(a, &key, &account) || !key_take_str(a, &key, &id) ||
        !key_take_u64(&key, &out->n))
        return err_new(ERR_CORRUPT, "A row of a trail's outbox cannot be read.");
    TRY(json_parse(a, head, JSON_DEPTH_DEFAULT, &row));
    out->digest = jv_b(jv_get(row, "digest"), false);
    out->region = jv_s(jv_get(row, "region"));
    out->bucket = jv_s(jv_get(row, "bucket"));
    out->tail = jv_s(jv_get(row, "tail"));
    out->sha256 = jv_s(jv_get(row, "sha256"));
    out->oldest_ms = jv_i(jv_get(row, "oldest_ms"), 0);
    out->newest_ms = jv_i(jv_get(row, "newest_ms"), 0);
    out->signature = jv_s(jv_get(row, "signature"));
    out->upto = (uint64_t)jv_i(jv_get(row, "upto"), 0);
    return NULL;
}

/* The first row of the outbox; *out_some false: it is empty. */
static struct err *first_row(struct delivery *d, struct arena *a, bool *out_some,
                             struct outgoing *out)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct skey prefix = trail_id_key(&d->trail);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct str key, value;
    TRY(store_begin(d->ward->store, TXN_READ, &t));
    TRY(txn_scan(t, TRAIL_T_OUTBOX, &sc, &cur));
    TRY(cursor_next(cur, out_some, &key, &value));
    return *out_some ? read_row(a, arena_str(a, key), arena_str(a, value), out) : NULL;
}

/* -- putting ----------------------------------------------------------------------------------- */

static void set_text(struct arena *a, struct jv *o, const char *key, struct str v)
{
    jv_set(a, o, str_c(key), jv_new_str(a, v));
}

struct str trail_prefixed(struct arena *a, const struct trail *t, struct str tail)
{
    return arena_fmt(a, "%.*s%s%.*s", STR_ARG(t->prefix), t->prefix.n > 0 ? "/" : "",
                     STR_ARG(tail));
}

struct jv *trail_put_input(struct arena *a, const struct trail *t, struct str key)
{
    struct jv *in = jv_new_obj(a);
    set_text(a, in, "Bucket", t->bucket);
    set_text(a, in, "Key", key);
    set_text(a, in, "ACL", STR("bucket-owner-full-control"));
    if (t->kms_key.n > 0) {
        struct jv *context = jv_new_obj(a);
        set_text(a, context, "aws:cloudtrail:arn", t->arn);
        set_text(a, in, "ServerSideEncryption", STR("aws:kms"));
        set_text(a, in, "SSEKMSKeyId", t->kms_key);
        set_text(a, in, "SSEKMSEncryptionContext", enc_base64(a, jv_text(a, context)));
        /* A bucket key's context is the bucket; the key's policy asks for the trail. */
        jv_set(a, in, STR("BucketKeyEnabled"), jv_new_bool(a, false));
    }
    return in;
}

static struct err *put_object(struct delivery *d, struct arena *a, const struct outgoing *o,
                              struct str key)
{
    struct jv *in = trail_put_input(a, &d->trail, key);
    set_text(a, in, "ContentType", STR("application/json"));
    set_text(a, in, "ContentEncoding", STR("gzip"));
    if (o->digest) {
        struct jv *meta = jv_new_obj(a);
        set_text(a, meta, "signature", o->signature);
        set_text(a, meta, "signature-algorithm", STR("SHA256withRSA"));
        jv_set(a, in, STR("Metadata"), meta);
    }
    struct api_call call = delivery_as(d);
    call.arena = a;
    return api_call_body(&call, "s3", "PutObject", in, o->body, NULL, 0, NULL);
}

/* Log files are told of; digests are not. A topic that refuses is the topic's trouble: it is on
 * record as a call, and in the trail's status. Its code, or NULL. */
static const char *notify(struct delivery *d, struct arena *a, struct str key)
{
    struct jv *in = jv_new_obj(a), *message = jv_new_obj(a), *keys = jv_new_arr(a);
    set_text(a, message, "s3Bucket", d->trail.bucket);
    jv_push(a, keys, jv_new_str(a, key));
    jv_set(a, message, STR("s3ObjectKey"), keys);
    set_text(a, in, "TopicArn", d->trail.topic);
    set_text(a, in, "Subject", STR("CloudTrail delivered a log file"));
    set_text(a, in, "Message", jv_text(a, message));
    struct api_call call = delivery_as(d);
    call.arena = a;
    struct err *e = api_call_json(&call, "sns", "Publish", in, false, NULL);
    const char *code = e == NULL ? NULL : e->code != NULL ? e->code : "InternalError";
    err_free(e);
    return code;
}

struct settling {
    const struct outgoing *o;
    struct str key;
    bool put;      /* else dropped */
    bool notified; /* or tried to */
    const char *notify_error;
};

static struct err *settle(struct delivery *d, struct txn *t, struct trail *now, void *ctx)
{
    const struct settling *s = ctx;
    struct skey k = row_key(d, s->o->n);
    TRY(txn_del(t, TRAIL_T_OUTBOX, key_of(&k)));
    if (!s->put)
        return NULL;
    if (s->o->digest) {
        now->digested_ms = d->now_ms;
        now->digest_error = STR_NONE;
        return now->validation ? digest_settle(t, d, s->o) : NULL;
    }
    now->delivered_ms = d->now_ms;
    now->delivery_error = STR_NONE;
    if (s->notified) {
        now->notified_ms = d->now_ms;
        now->notify_error = s->notify_error == NULL ? STR_NONE : str_c(s->notify_error);
    }
    return now->validation ? digest_add_file(t, d, s->o, s->key) : NULL;
}

struct err *outbox_flush(struct delivery *d)
{
    for (;;) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(4 * STORE_VALUE_MAX);
        struct outgoing o;
        bool some;
        TRY(first_row(d, a, &some, &o));
        if (!some)
            return NULL;
        /* A digest says where it is. If the trail delivers elsewhere by now, it is made anew. */
        struct settling s = {.o = &o, .put = !o.digest || str_eq(o.bucket, d->trail.bucket)};
        s.key = o.digest ? o.tail : trail_prefixed(a, &d->trail, o.tail);
        if (s.put)
            TRY(put_object(d, a, &o, s.key));
        s.notified = !o.digest && d->trail.topic.n > 0;
        if (s.notified)
            s.notify_error = notify(d, a, s.key);
        TRY(delivery_change(d, &s, settle));
    }
}

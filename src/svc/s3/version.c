/* New versions on top of a key, deletions, and what they leave to be cleared away.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
 * Whatever changes a key's versions reads and writes its row in s3.object (see s3.h). */
#include "internal.h"

#include "../../core/enc.h"
#include "../../crypto/crypto.h"

static bool is_null(const struct s3_object *o)
{
    return str_is(o->version, "null");
}

static uint64_t next_seq(const struct call *c, const struct s3_object *latest)
{
    uint64_t seq = (uint64_t)c->now_ms << 20;
    return latest != NULL && latest->seq >= seq ? latest->seq + 1 : seq;
}

static struct str new_version_id(struct arena *a, uint64_t seq)
{
    unsigned char id[16];
    for (int i = 0; i < 8; i++)
        id[i] = (unsigned char)(~seq >> 8 * (7 - i));
    rand_bytes(id + 8, 8);
    return enc_hex(a, str_of(id, sizeof id));
}

struct err *s3_data_drop(struct call *c, const struct s3_data *d, struct s3_reap *reap)
{
    switch (d->kind) {
    case DATA_INLINE:
        return txn_del(c->txn, T_DATA, d->id);
    case DATA_BLOB:
        VEC_PUSH(c->arena, &reap->blobs, d->id);
        return NULL;
    case DATA_PARTS:
        VEC_PUSH(c->arena, &reap->lists, d->id);
        return NULL;
    default:
        return NULL;
    }
}

static struct err *put_latest(struct call *c, const struct s3_bucket *b, struct str key,
                              const struct s3_object *o)
{
    struct skey k;
    s3_key_object(&k, b->id, key);
    return row_put(c, T_OBJECT, b->owner, key_of(&k), s3_object_to_jv(c->arena, o));
}

/* The former latest version goes below; what only the latest row knows is dropped. */
static struct err *push_down(struct call *c, const struct s3_bucket *b, struct str key,
                             const struct s3_object *latest)
{
    struct s3_object o = *latest;
    struct skey k;
    o.null_seq = 0;
    o.history = false;
    s3_key_version(&k, b->id, key, o.seq);
    return row_put(c, T_VERSION, b->owner, key_of(&k), s3_object_to_jv(c->arena, &o));
}

/* Removes the null version that lies below the latest. */
static struct err *drop_null_below(struct call *c, const struct s3_bucket *b, struct str key,
                                   uint64_t seq, struct s3_reap *reap)
{
    struct skey k;
    struct str text = STR_NONE;
    struct s3_object o;
    s3_key_version(&k, b->id, key, seq);
    TRY(txn_get(c->txn, T_VERSION, key_of(&k), c->arena, &text));
    if (text.p == NULL)
        return NULL;
    TRY(s3_object_parse(c->arena, text, &o));
    TRY(s3_data_drop(c, &o.data, reap));
    return txn_del(c->txn, T_VERSION, key_of(&k));
}

struct err *s3_object_place(struct call *c, const struct s3_bucket *b, struct str key,
                            struct s3_object *o, struct s3_reap *reap)
{
    struct s3_object old;
    bool found = false;
    TRY(s3_object_latest(c, b, key, &old, &found));
    bool versioned = b->versioning == VERSIONING_ENABLED;
    o->seq = next_seq(c, found ? &old : NULL);
    o->version = versioned ? new_version_id(c->arena, o->seq) : STR("null");
    o->modified_ms = c->now_ms / 1000 * 1000; /* S3 tells whole seconds */
    o->null_seq = 0;
    o->history = false;
    if (!found)
        return put_latest(c, b, key, o);
    o->history = old.history;
    if (!versioned && is_null(&old)) { /* replaced */
        TRY(s3_data_drop(c, &old.data, reap));
        return put_latest(c, b, key, o);
    }
    o->history = true;
    TRY(push_down(c, b, key, &old));
    if (versioned)
        o->null_seq = is_null(&old) ? old.seq : old.null_seq;
    else if (old.null_seq != 0)
        TRY(drop_null_below(c, b, key, old.null_seq, reap));
    return put_latest(c, b, key, o);
}

/* -- deleting ---------------------------------------------------------------------------------- */

static struct err *newest_below(struct call *c, const struct s3_bucket *b, struct str key,
                                struct s3_object *out, bool *found)
{
    struct skey k;
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct str at, value;
    s3_key_version(&k, b->id, key, 0);
    struct scan sc = {.prefix = key_of(&k)};
    *found = false;
    TRY(txn_scan(c->txn, T_VERSION, &sc, &cur));
    TRY(cursor_next(cur, found, &at, &value));
    return *found ? s3_object_parse(c->arena, value, out) : NULL;
}

/* The latest version is gone: the newest below takes its place, or the key is no more. */
static struct err *promote(struct call *c, const struct s3_bucket *b, struct str key,
                           const struct s3_object *gone)
{
    struct s3_object next;
    struct skey k;
    bool found = false;
    if (gone->history)
        TRY(newest_below(c, b, key, &next, &found));
    if (!found) {
        s3_key_object(&k, b->id, key);
        return txn_del(c->txn, T_OBJECT, key_of(&k));
    }
    s3_key_version(&k, b->id, key, next.seq);
    TRY(txn_del(c->txn, T_VERSION, key_of(&k)));
    next.history = true;
    next.null_seq = is_null(&next) ? 0 : gone->null_seq;
    return put_latest(c, b, key, &next);
}

static struct err *delete_version(struct call *c, const struct s3_bucket *b, struct str key,
                                  struct str version, struct s3_reap *reap, struct s3_deleted *out)
{
    struct s3_object o, latest;
    bool found = false, any = false;
    TRY(s3_object_version(c, b, key, version, &o, &found));
    out->version = version;
    if (!found) /* as AWS: what is not there is deleted */
        return NULL;
    TRY(s3_object_latest(c, b, key, &latest, &any));
    out->removed = true;
    out->marker = o.marker;
    out->seq = next_seq(c, &latest);
    TRY(s3_data_drop(c, &o.data, reap));
    if (latest.seq == o.seq)
        return promote(c, b, key, &latest);
    struct skey k;
    s3_key_version(&k, b->id, key, o.seq);
    TRY(txn_del(c->txn, T_VERSION, key_of(&k)));
    if (is_null(&o))
        latest.null_seq = 0;
    return put_latest(c, b, key, &latest);
}

struct err *s3_object_delete(struct call *c, const struct s3_bucket *b, struct str key,
                             struct str version, struct s3_reap *reap, struct s3_deleted *out)
{
    *out = (struct s3_deleted){0};
    if (version.n > 0)
        return delete_version(c, b, key, version, reap, out);
    if (b->versioning != VERSIONING_OFF) {
        struct s3_object marker = {.marker = true};
        TRY(s3_object_place(c, b, key, &marker, reap));
        out->marker = out->made_marker = true;
        out->version = marker.version;
        out->seq = marker.seq;
        return NULL;
    }
    struct s3_object old;
    struct skey k;
    bool found = false;
    TRY(s3_object_latest(c, b, key, &old, &found));
    if (!found)
        return NULL;
    out->removed = true;
    out->seq = next_seq(c, &old);
    TRY(s3_data_drop(c, &old.data, reap));
    s3_key_object(&k, b->id, key);
    return txn_del(c->txn, T_OBJECT, key_of(&k));
}

/* -- clearing away ----------------------------------------------------------------------------- */

static void set_list(struct arena *a, struct jv *o, const char *name, const struct str *v, size_t n)
{
    struct jv *arr = jv_new_arr(a);
    for (size_t i = 0; i < n; i++)
        jv_push(a, arr, jv_new_str(a, v[i]));
    if (n > 0)
        jv_set(a, o, str_c(name), arr);
}

struct err *s3_reap_put(struct call *c, struct str account, const struct s3_reap *reap)
{
    if (reap->blobs.n + reap->lists.n + reap->uploads.n == 0)
        return NULL;
    char id[37];
    rand_uuid(id);
    struct jv *o = jv_new_obj(c->arena);
    set_list(c->arena, o, "blobs", reap->blobs.v, reap->blobs.n);
    set_list(c->arena, o, "lists", reap->lists.v, reap->lists.n);
    set_list(c->arena, o, "uploads", reap->uploads.v, reap->uploads.n);
    /* Readers open a blob at once, but the parts of a large object one after the other. */
    int64_t due = c->now_ms + (reap->lists.n > 0 ? S3_REAP_DELAY_MS : 0);
    return job_put(c->txn, account, "s3.reap", str_c(id), due, jv_text(c->arena, o));
}

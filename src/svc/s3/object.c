/* The row of an object's version, and finding it. */
#include "internal.h"

#include "../../core/enc.h"

/* -- row <-> struct: short names, since there are many rows ------------------------------------ */

static void set_str(struct arena *a, struct jv *o, const char *key, struct str v)
{
    if (v.p != NULL)
        jv_set(a, o, str_c(key), jv_new_str(a, v));
}

static void set_bytes(struct arena *a, struct jv *o, const char *key, struct str v)
{
    if (v.p != NULL)
        set_str(a, o, key, enc_base64(a, v));
}

static void set_int(struct arena *a, struct jv *o, const char *key, int64_t v)
{
    if (v != 0)
        jv_set(a, o, str_c(key), jv_new_int(a, v));
}

static void set_true(struct arena *a, struct jv *o, const char *key, bool v)
{
    if (v)
        jv_set(a, o, str_c(key), jv_new_bool(a, true));
}

static struct str get_bytes(struct arena *a, const struct jv *o, const char *key)
{
    struct str text = jv_s(jv_get(o, key)), v = STR_NONE;
    return text.p != NULL && dec_base64(a, text, &v) ? v : STR_NONE;
}

struct jv *s3_sse_to_jv(struct arena *a, const struct s3_sse *s)
{
    struct jv *o = jv_new_obj(a);
    set_true(a, o, "kms", s->kms);
    set_true(a, o, "bk", s->bucket_key);
    set_str(a, o, "arn", s->key_arn);
    set_str(a, o, "ctx", s->context);
    set_bytes(a, o, "key", s->wrapped);
    set_bytes(a, o, "bkey", s->bucket_wrapped);
    return o;
}

void s3_sse_of_jv(struct arena *a, const struct jv *j, struct s3_sse *out)
{
    *out = (struct s3_sse){.kms = jv_b(jv_get(j, "kms"), false),
                           .bucket_key = jv_b(jv_get(j, "bk"), false),
                           .key_arn = jv_s(jv_get(j, "arn")),
                           .context = jv_s(jv_get(j, "ctx")),
                           .wrapped = get_bytes(a, j, "key"),
                           .bucket_wrapped = get_bytes(a, j, "bkey")};
}

struct jv *s3_tags_to_jv(struct arena *a, const struct s3_TagSet *t)
{
    struct jv *o = jv_new_obj(a);
    for (size_t i = 0; i < t->n; i++)
        jv_set(a, o, t->v[i].Key, jv_new_str(a, t->v[i].Value));
    return o;
}

void s3_tags_of_jv(struct arena *a, const struct jv *j, struct s3_TagSet *out)
{
    *out = (struct s3_TagSet){.set = true};
    if (!jv_is(j, JV_OBJ))
        return;
    out->v = ARENA_ARRAY(a, j->obj.n, struct s3_Tag);
    for (size_t i = 0; i < j->obj.n; i++)
        out->v[out->n++] = (struct s3_Tag){j->obj.v[i].key, jv_s(&j->obj.v[i].value)};
}

struct jv *s3_object_to_jv(struct arena *a, const struct s3_object *o)
{
    struct jv *j = jv_new_obj(a);
    set_str(a, j, "v", o->version);
    set_int(a, j, "q", (int64_t)o->seq);
    set_int(a, j, "nq", (int64_t)o->null_seq);
    set_true(a, j, "h", o->history);
    set_int(a, j, "t", o->modified_ms);
    set_true(a, j, "dm", o->marker);
    if (o->marker)
        return j;
    set_int(a, j, "s", (int64_t)o->size);
    set_str(a, j, "e", o->etag);
    set_str(a, j, "ct", o->type);
    set_str(a, j, "cc", o->cache);
    set_str(a, j, "cd", o->disposition);
    set_str(a, j, "ce", o->encoding);
    set_str(a, j, "cl", o->language);
    set_str(a, j, "ex", o->expires);
    set_str(a, j, "wr", o->redirect);
    if (o->meta.n > 0) {
        struct jv *m = jv_new_obj(a);
        for (size_t i = 0; i < o->meta.n; i++)
            jv_set(a, m, o->meta.v[i].key, jv_new_str(a, o->meta.v[i].value));
        jv_set(a, j, STR("m"), m);
    }
    if (o->tags.n > 0)
        jv_set(a, j, STR("tg"), s3_tags_to_jv(a, &o->tags));
    set_int(a, j, "ka", o->sum_alg);
    set_str(a, j, "k", o->sum);
    set_true(a, j, "kc", o->sum_composite);
    set_int(a, j, "pn", o->parts);
    jv_set(a, j, STR("sse"), s3_sse_to_jv(a, &o->sse));
    set_int(a, j, "dk", o->data.kind);
    set_str(a, j, "d", o->data.id);
    set_bytes(a, j, "ds", o->data.salt);
    return j;
}

void s3_object_of_jv(struct arena *a, const struct jv *j, struct s3_object *out)
{
    struct s3_object o = {.version = jv_s(jv_get(j, "v")),
                          .seq = (uint64_t)jv_i(jv_get(j, "q"), 0),
                          .null_seq = (uint64_t)jv_i(jv_get(j, "nq"), 0),
                          .history = jv_b(jv_get(j, "h"), false),
                          .marker = jv_b(jv_get(j, "dm"), false),
                          .modified_ms = jv_i(jv_get(j, "t"), 0),
                          .size = (uint64_t)jv_i(jv_get(j, "s"), 0),
                          .etag = jv_s(jv_get(j, "e")),
                          .type = jv_s(jv_get(j, "ct")),
                          .cache = jv_s(jv_get(j, "cc")),
                          .disposition = jv_s(jv_get(j, "cd")),
                          .encoding = jv_s(jv_get(j, "ce")),
                          .language = jv_s(jv_get(j, "cl")),
                          .expires = jv_s(jv_get(j, "ex")),
                          .redirect = jv_s(jv_get(j, "wr")),
                          .sum = jv_s(jv_get(j, "k")),
                          .sum_composite = jv_b(jv_get(j, "kc"), false),
                          .parts = (int)jv_i(jv_get(j, "pn"), 0)};
    int64_t alg = jv_i(jv_get(j, "ka"), ALG_NONE);
    o.sum_alg = alg > 0 && alg < ALG_COUNT ? (enum s3_alg)alg : ALG_NONE;
    const struct jv *m = jv_get(j, "m");
    if (jv_is(m, JV_OBJ)) {
        o.meta.v = ARENA_ARRAY(a, m->obj.n, struct s3_Metadata_item);
        o.meta.set = true;
        for (size_t i = 0; i < m->obj.n; i++)
            o.meta.v[o.meta.n++] =
                (struct s3_Metadata_item){m->obj.v[i].key, jv_s(&m->obj.v[i].value)};
    }
    s3_tags_of_jv(a, jv_get(j, "tg"), &o.tags);
    s3_sse_of_jv(a, jv_get(j, "sse"), &o.sse);
    o.data.kind = (enum s3_data_kind)jv_i(jv_get(j, "dk"), DATA_NONE);
    o.data.id = jv_s(jv_get(j, "d"));
    o.data.salt = get_bytes(a, j, "ds");
    *out = o;
}

struct err *s3_object_parse(struct arena *a, struct str text, struct s3_object *out)
{
    struct jv *j = NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &j));
    s3_object_of_jv(a, j, out);
    return NULL;
}

/* -- keys -------------------------------------------------------------------------------------- */

void s3_key_object(struct skey *k, uint64_t bucket, struct str key)
{
    *k = skey();
    key_u64(k, bucket);
    key_tail(k, key);
}

void s3_key_version(struct skey *k, uint64_t bucket, struct str key, uint64_t seq)
{
    *k = skey();
    key_u64(k, bucket);
    key_str(k, key);
    if (seq != 0)
        key_u64(k, ~seq); /* 0: the prefix of all */
}

/* -- finding ----------------------------------------------------------------------------------- */

static struct err *get(struct call *c, const char *table, const struct skey *k,
                       struct s3_object *out, bool *found)
{
    struct str text = STR_NONE;
    *found = false;
    TRY(txn_get(c->txn, table, key_of(k), c->arena, &text));
    if (text.p == NULL)
        return NULL;
    TRY(s3_object_parse(c->arena, text, out));
    *found = true;
    return NULL;
}

struct err *s3_object_latest(struct call *c, const struct s3_bucket *b, struct str key,
                             struct s3_object *out, bool *found)
{
    struct skey k;
    s3_key_object(&k, b->id, key);
    return get(c, T_OBJECT, &k, out, found);
}

/* A version's id is the hex of ~SEQ and 64 random bits. */
struct err *s3_version_seq(struct arena *a, struct str version, uint64_t *out)
{
    struct str bytes;
    uint64_t v = UINT64_MAX;
    if (version.n == 2 * 16 && dec_hex(a, version, &bytes))
        for (size_t i = 0; i < 8; i++)
            v = v << 8 | (unsigned char)bytes.p[i];
    if (v == UINT64_MAX)
        return err_aws(400, "InvalidArgument", "Invalid version id specified");
    *out = ~v;
    return NULL;
}

struct str s3_version_marker(struct arena *a, uint64_t seq)
{
    return arena_fmt(a, "%016llx%016x", (unsigned long long)~seq, 0);
}

/* "?versionId=" without an id is a mistake of the client's and means nothing, least of all the
 * latest version. */
struct err *s3_version_given(struct str version)
{
    if (version.p == NULL || version.n > 0)
        return NULL;
    return err_aws(400, "InvalidArgument", "Version id cannot be the empty string");
}

struct err *s3_object_version(struct call *c, const struct s3_bucket *b, struct str key,
                              struct str version, struct s3_object *out, bool *found)
{
    struct s3_object latest, o;
    bool is_null = str_is(version, "null");
    uint64_t seq = 0;
    *found = false;
    if (!is_null)
        TRY(s3_version_seq(c->arena, version, &seq));
    bool any = false;
    TRY(s3_object_latest(c, b, key, &latest, &any));
    if (!any)
        return NULL;
    if (str_eq(latest.version, version)) {
        *out = latest;
        *found = true;
        return NULL;
    }
    if (is_null)
        seq = latest.null_seq;
    if (seq == 0)
        return NULL;
    struct skey k;
    s3_key_version(&k, b->id, key, seq);
    bool there = false;
    TRY(get(c, T_VERSION, &k, &o, &there));
    if (there && str_eq(o.version, version)) {
        *out = o;
        *found = true;
    }
    return NULL;
}

/* Who may not list the bucket is not told that the key does not exist. */
static struct err *missing_key(struct call *c, const struct s3_bucket *b)
{
    struct target t = {0};
    TRY(s3_target_of(c, b->name, STR_NONE, &t));
    if (!s3_allowed(c, "s3:ListBucket", &t))
        return err_aws(403, "AccessDenied", "Access Denied");
    return err_aws(404, "NoSuchKey", "The specified key does not exist.");
}

struct err *s3_object_read(struct call *c, const struct s3_bucket *b, struct str key,
                           struct str version, struct s3_object *out)
{
    bool found = false;
    bool named = version.n > 0;
    TRY(s3_version_given(version));
    if (named)
        TRY(s3_object_version(c, b, key, version, out, &found));
    else
        TRY(s3_object_latest(c, b, key, out, &found));
    if (!found && named)
        return err_aws(404, "NoSuchVersion", "The specified version does not exist.");
    if (!found)
        return missing_key(c, b);
    if (!out->marker)
        return NULL;
    struct err *e = named ? NULL : missing_key(c, b);
    if (e != NULL && !err_has_code(e, "NoSuchKey")) /* who may not list learns of no marker */
        return e;
    call_header(c, "x-amz-delete-marker", STR("true"));
    call_header(c, "x-amz-version-id", out->version);
    if (e != NULL)
        return e;
    char when[TIME_TEXT_MAX];
    time_http(out->modified_ms, when);
    call_header(c, "Last-Modified", arena_str(c->arena, str_c(when)));
    call_header(c, "Allow", STR("DELETE"));
    return err_aws(405, "MethodNotAllowed",
                   "The specified method is not allowed against this resource.");
}

struct err *s3_object_save(struct call *c, const struct s3_bucket *b, struct str key,
                           const struct s3_object *o)
{
    struct s3_object latest;
    struct skey k;
    bool found = false;
    TRY(s3_object_latest(c, b, key, &latest, &found));
    s3_key_object(&k, b->id, key);
    if (found && latest.seq == o->seq)
        return row_put(c, T_OBJECT, b->owner, key_of(&k), s3_object_to_jv(c->arena, o));
    /* The latest row stands for the key: touch it. */
    TRY(row_put(c, T_OBJECT, b->owner, key_of(&k), s3_object_to_jv(c->arena, &latest)));
    s3_key_version(&k, b->id, key, o->seq);
    return row_put(c, T_VERSION, b->owner, key_of(&k), s3_object_to_jv(c->arena, o));
}

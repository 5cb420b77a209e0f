/* The bytes of objects, in and out: rows for small bodies, blobs for the others, lists of blobs for
 * multipart uploads.
 *
 * Each piece has its own key, derived from the object's key and a random salt, so that a blob's
 * frame counter is never used twice under one key. A piece is bound to bucket, key and salt. */
#include "internal.h"

#include "../../core/enc.h"
#include "../../crypto/crypto.h"

enum { SALT_SIZE = 16 };

static void piece_key(const struct secret *key, struct str salt, unsigned char out[AES_KEY_SIZE])
{
    hkdf_sha256(key, salt, STR("s3 piece"), out, AES_KEY_SIZE);
}

static void piece_context(struct buf *out, uint64_t bucket, struct str key, struct str salt)
{
    buf_fmt(out, "s3 piece %016llx ", (unsigned long long)bucket);
    buf_str(out, salt);
    buf_str(out, key);
}

/* -- in ---------------------------------------------------------------------------------------- */

struct s3_writer {
    struct ward *ward;
    struct secret *key; /* the object's */
    uint64_t bucket;
    char *name; /* the object's key */
    size_t name_n;
    bool small, ended, stored;
    char salt[SALT_SIZE];
    char *head; /* the beginning, until a blob is begun */
    size_t head_n, head_cap;
    uint64_t size;
    struct blob_writer *blob;
    struct blob_id id;
    bool has_blob;
};

static void writer_free(void *p)
{
    struct s3_writer *w = p;
    blob_abandon(w->blob);
    secret_free(w->key);
    if (w->head != NULL)
        secret_wipe(w->head, w->head_n);
    free(w->head);
    free(w->name);
    free(w);
}

struct s3_writer *s3_writer_new(struct call *c, uint64_t bucket, struct str key, bool small)
{
    struct s3_writer *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->ward = c->ward;
    w->bucket = bucket;
    w->small = small;
    w->name_n = key.n;
    w->name = malloc(key.n + 1);
    CHECK(w->name != NULL);
    memcpy(w->name, key.p, key.n);
    rand_id(w->salt, SALT_SIZE);
    arena_on_free(c->arena, writer_free, w);
    return w;
}

void s3_writer_key(struct s3_writer *w, struct secret *key)
{
    secret_free(w->key);
    w->key = key;
}

bool s3_writer_wants_key(const struct s3_writer *w, size_t more)
{
    return w->key == NULL && w->blob == NULL && (!w->small || w->head_n + more > S3_INLINE_MAX);
}

uint64_t s3_writer_size(const struct s3_writer *w)
{
    return w->size;
}

static struct err *begin_blob(struct s3_writer *w)
{
    unsigned char key[AES_KEY_SIZE];
    struct buf context CLEANUP(buf_clear) = BUF_INIT(4 * S3_KEY_MAX);
    CHECK(w->key != NULL);
    piece_context(&context, w->bucket, str_of(w->name, w->name_n), str_of(w->salt, SALT_SIZE));
    TRY(buf_check(&context));
    piece_key(w->key, str_of(w->salt, SALT_SIZE), key);
    struct err *e = blob_begin(w->ward->blobs, key, buf_view(&context), &w->blob);
    secret_wipe(key, sizeof key);
    TRY(e);
    TRY(blob_write(w->blob, str_of(w->head, w->head_n)));
    secret_wipe(w->head, w->head_n);
    w->head_n = 0;
    return NULL;
}

/* Room for the beginning; what moves leaves no copy behind. */
static void head_reserve(struct s3_writer *w, size_t more)
{
    size_t need = w->head_n + more, cap = 2 * w->head_cap > need ? 2 * w->head_cap : need;
    if (need <= w->head_cap)
        return;
    char *bigger = malloc(cap);
    CHECK(bigger != NULL);
    if (w->head_n > 0) {
        memcpy(bigger, w->head, w->head_n);
        secret_wipe(w->head, w->head_n);
    }
    free(w->head);
    w->head = bigger;
    w->head_cap = cap;
}

struct err *s3_writer_add(struct s3_writer *w, struct str piece)
{
    w->size += piece.n;
    if (w->blob == NULL) {
        if (w->head_n + piece.n <= S3_INLINE_MAX) {
            head_reserve(w, piece.n);
            memcpy(w->head + w->head_n, piece.p, piece.n);
            w->head_n += piece.n;
            return NULL;
        }
        TRY(begin_blob(w));
    }
    return blob_write(w->blob, piece);
}

struct err *s3_writer_end(struct s3_writer *w)
{
    uint64_t size = 0;
    if (w->ended)
        return NULL;
    if (w->blob == NULL && !w->small)
        TRY(begin_blob(w));
    if (w->blob != NULL) {
        struct blob_writer *b = w->blob;
        w->blob = NULL; /* blob_finish frees it, whatever comes */
        TRY(blob_finish(b, &w->id, &size));
        w->has_blob = true;
    }
    w->ended = true;
    return NULL;
}

static struct err *store_small(struct s3_writer *w, struct call *c, const struct s3_bucket *b,
                               bool sealed, struct s3_data *out)
{
    unsigned char raw[16];
    struct str body = w->head_n > 0 ? str_of(w->head, w->head_n) : STR("");
    rand_id(raw, sizeof raw);
    out->kind = DATA_INLINE;
    out->id = enc_hex(c->arena, str_of(raw, sizeof raw));
    if (!sealed)
        return txn_put_new(c->txn, T_DATA, b->owner, out->id, body);
    /* Under the object's own key as well: without KMS it stays closed. */
    unsigned char key[AES_KEY_SIZE];
    struct buf context CLEANUP(buf_clear) = BUF_INIT(4 * S3_KEY_MAX);
    piece_context(&context, w->bucket, str_of(w->name, w->name_n), out->salt);
    TRY(buf_check(&context));
    unsigned char *box = arena_alloc_raw(c->arena, body.n + GCM_OVERHEAD);
    piece_key(w->key, out->salt, key);
    gcm_seal(key, buf_view(&context), body, box);
    secret_wipe(key, sizeof key);
    return txn_put_new(c->txn, T_DATA, b->owner, out->id, str_of(box, body.n + GCM_OVERHEAD));
}

struct err *s3_writer_store(struct s3_writer *w, struct call *c, const struct s3_bucket *b,
                            bool sealed, struct s3_data *out)
{
    CHECK(w->ended);
    if (w->has_blob || sealed)
        out->salt = arena_str(c->arena, str_of(w->salt, SALT_SIZE));
    w->stored = true;
    if (!w->has_blob)
        return store_small(w, c, b, sealed, out);
    out->kind = DATA_BLOB;
    out->id = arena_str(c->arena, str_of(w->id.hex, BLOB_ID_SIZE));
    return txn_put_new(c->txn, T_BLOB, b->account, out->id, STR(""));
}

void s3_writer_again(struct s3_writer *w)
{
    w->stored = false;
}

void s3_writer_abandon(struct s3_writer *w)
{
    blob_abandon(w->blob);
    w->blob = NULL;
    /* After a handler that reached its commit nobody knows whether the commit holds: the blob
     * stays, and the sweep at the next start decides. */
    if (w->has_blob && !w->stored) {
        err_free(blob_delete(w->ward->blobs, &w->id));
        w->has_blob = false;
    }
}

/* -- out --------------------------------------------------------------------------------------- */

struct err *s3_pieces_of(struct call *c, const struct s3_data *d, struct s3_piece **out, size_t *n)
{
    struct str text = STR_NONE;
    struct jv *list = NULL;
    TRY(txn_peek(c->txn, T_DATA, d->id, c->arena, &text));
    if (text.p == NULL)
        return err_new(ERR_CORRUPT, "The list of the object's parts is missing.");
    TRY(json_parse(c->arena, text, JSON_DEPTH_DEFAULT, &list));
    struct s3_piece *v = ARENA_ARRAY(c->arena, jv_len(list) + 1, struct s3_piece);
    for (size_t i = 0; i < jv_len(list); i++) {
        const struct jv *p = jv_at(list, i);
        v[i].number = (int)jv_i(jv_at(p, 0), 0);
        v[i].size = (uint64_t)jv_i(jv_at(p, 1), 0);
        v[i].blob = jv_s(jv_at(p, 2));
        v[i].sum = jv_s(jv_at(p, 4));
        if (!dec_base64(c->arena, jv_s(jv_at(p, 3)), &v[i].salt) || v[i].blob.n != BLOB_ID_SIZE)
            return err_new(ERR_CORRUPT, "The list of the object's parts is damaged.");
    }
    *out = v;
    *n = jv_len(list);
    return NULL;
}

struct source_piece {
    struct blob_id id;
    char salt[SALT_SIZE];
    uint64_t size;
};

struct source {
    struct blobs *blobs;
    struct secret *key;
    uint64_t bucket;
    struct str name; /* the object's key */
    struct source_piece *pieces;
    size_t n_pieces, at; /* the piece being read */
    struct blob_reader *reader;
    uint64_t offset, left; /* within the piece; of the whole range */
    char *small;           /* an inline body */
    size_t small_n;
};

/* When the answer is over, and again when the call's arena goes: a call that fails after its
 * handler never draws its stream. */
static void source_done(void *p)
{
    struct source *s = p;
    blob_reader_free(s->reader);
    secret_free(s->key);
    if (s->small != NULL)
        secret_wipe(s->small, s->small_n);
    s->reader = NULL;
    s->key = NULL;
    s->small_n = 0;
    s->left = 0;
}

static struct err *open_piece(struct source *s)
{
    const struct source_piece *p = &s->pieces[s->at];
    struct str salt = str_of(p->salt, SALT_SIZE);
    unsigned char key[AES_KEY_SIZE];
    struct buf context CLEANUP(buf_clear) = BUF_INIT(4 * S3_KEY_MAX);
    piece_context(&context, s->bucket, s->name, salt);
    TRY(buf_check(&context));
    piece_key(s->key, salt, key);
    struct err *e = blob_open(s->blobs, &p->id, key, buf_view(&context), p->size, &s->reader);
    secret_wipe(key, sizeof key);
    return e;
}

static struct err *source_fill(void *arg, void *to, size_t n, size_t *out_n)
{
    struct source *s = arg;
    if (n > s->left)
        n = (size_t)s->left;
    *out_n = 0;
    if (n == 0)
        return NULL;
    if (s->small != NULL) {
        memcpy(to, s->small + s->offset, n);
        *out_n = n;
    }
    while (*out_n == 0) {
        if (s->at == s->n_pieces)
            return err_new(ERR_CORRUPT, "An object's data ends before its size.");
        if (s->reader == NULL)
            TRY(open_piece(s));
        TRY(blob_read(s->reader, s->offset, to, n, out_n));
        if (*out_n == 0) { /* the next piece */
            blob_reader_free(s->reader);
            s->reader = NULL;
            s->offset = 0;
            s->at++;
        }
    }
    s->offset += *out_n;
    s->left -= *out_n;
    return NULL;
}

static struct err *load_small(struct call *c, struct source *s, const struct s3_object *o)
{
    struct str body = STR_NONE;
    TRY(txn_peek(c->txn, T_DATA, o->data.id, c->arena, &body));
    if (body.p == NULL)
        return err_new(ERR_CORRUPT, "The object's data is missing.");
    s->small = arena_alloc_raw(c->arena, body.n + 1);
    if (!o->sse.kms) {
        s->small_n = body.n;
        memcpy(s->small, body.p, body.n);
    } else {
        unsigned char key[AES_KEY_SIZE];
        struct buf context CLEANUP(buf_clear) = BUF_INIT(4 * S3_KEY_MAX);
        piece_context(&context, s->bucket, s->name, o->data.salt);
        TRY(buf_check(&context));
        piece_key(s->key, o->data.salt, key);
        bool ok = body.n >= GCM_OVERHEAD &&
                  gcm_open(key, buf_view(&context), body, (unsigned char *)s->small);
        secret_wipe(key, sizeof key);
        if (!ok)
            return err_new(ERR_CORRUPT, "The object's data failed its check.");
        s->small_n = body.n - GCM_OVERHEAD;
    }
    return s->small_n == o->size ? NULL
                                 : err_new(ERR_CORRUPT, "The object's data has a wrong size.");
}

static void add_piece(struct source *s, struct str blob, struct str salt, uint64_t size)
{
    struct source_piece *p = &s->pieces[s->n_pieces++];
    CHECK(blob.n == BLOB_ID_SIZE && salt.n == SALT_SIZE);
    memcpy(p->id.hex, blob.p, BLOB_ID_SIZE);
    memcpy(p->salt, salt.p, SALT_SIZE);
    p->size = size;
}

/* A file that is missing was overwritten or deleted since this transaction's snapshot, and cleared
 * away: then the transaction runs again, and sees what is there now. If the newest snapshot still
 * names it, it is lost. */
static struct err *missing_file(struct call *c, const struct s3_bucket *b, struct str key,
                                const struct s3_object *o, struct err *e)
{
    struct txn *now CLEANUP(txn_abort) = NULL;
    struct txn *kept = c->txn;
    struct s3_object found_now;
    bool found = false;
    err_free(e);
    TRY(store_begin(c->ward->store, TXN_READ, &now));
    c->txn = now; /* the row functions work in the call's transaction */
    e = s3_object_version(c, b, key, o->version, &found_now, &found);
    c->txn = kept;
    TRY(e);
    if (found && str_eq(found_now.data.id, o->data.id))
        return err_new(ERR_CORRUPT, "The object's data is missing.");
    return err_new(ERR_CONFLICT, "The object was replaced while it was being read.");
}

static struct err *load_pieces(struct call *c, struct source *s, const struct s3_object *o)
{
    struct s3_piece one = {1, o->size, o->data.id, o->data.salt, STR_NONE}, *v = &one;
    size_t n = 1;
    if (o->data.kind == DATA_PARTS)
        TRY(s3_pieces_of(c, &o->data, &v, &n));
    if (o->data.kind == DATA_BLOB && one.blob.n != BLOB_ID_SIZE)
        return err_new(ERR_CORRUPT, "The object's row is damaged.");
    s->pieces = ARENA_ARRAY(c->arena, n + 1, struct source_piece);
    for (size_t i = 0; i < n; i++)
        if (v[i].salt.n == SALT_SIZE)
            add_piece(s, v[i].blob, v[i].salt, v[i].size);
    while (s->at < s->n_pieces && s->offset >= s->pieces[s->at].size && s->left > 0)
        s->offset -= s->pieces[s->at++].size;
    /* The first piece is opened now: from here on a deletion does not take it away. */
    return s->left > 0 && s->at < s->n_pieces ? open_piece(s) : NULL;
}

struct err *s3_source_open(struct call *c, const struct s3_bucket *b, struct str key,
                           const struct s3_object *o, uint64_t from, uint64_t n,
                           struct http_source *out)
{
    struct source *s = ARENA_NEW(c->arena, struct source);
    arena_on_free(c->arena, source_done, s);
    s->blobs = c->ward->blobs;
    s->bucket = b->id;
    s->name = key;
    s->offset = from;
    s->left = n;
    /* Also for an empty range: who may not use the key does not read the object. */
    if (o->sse.kms || o->data.kind != DATA_INLINE)
        TRY(s3_key_open(c, b, key, &o->sse, &s->key));
    struct err *e = o->data.kind == DATA_INLINE ? load_small(c, s, o) : load_pieces(c, s, o);
    if (err_is(e, ERR_NOT_FOUND))
        return missing_file(c, b, key, o, e);
    TRY(e);
    *out = (struct http_source){source_fill, source_done, s};
    return NULL;
}

/* Clearing away: blobs that nothing names any more, and what a bucket or an upload leaves behind.
 * Every step may run twice. */
#include "internal.h"

#include "../../core/log.h"

enum { REAP_BASE_MS = 1000, REAP_CAP_MS = 60000, REAP_ARENA_MAX = 64 * 1024 * 1024 };

static struct err *reap_blob(struct job *j, struct txn *t, struct str hex)
{
    struct blob_id id = {{0}};
    if (hex.n != BLOB_ID_SIZE)
        return NULL;
    memcpy(id.hex, hex.p, BLOB_ID_SIZE);
    /* First the file, then the row that says it is in use: a crash between leaves a row without a
     * file, which the job, run again, removes. */
    TRY(blob_delete(j->ward->blobs, &id));
    return txn_del(t, T_BLOB, hex);
}

static struct err *reap_list(struct job *j, struct txn *t, struct str id)
{
    struct str text = STR_NONE;
    struct jv *list = NULL;
    TRY(txn_get(t, T_DATA, id, j->arena, &text));
    if (text.p == NULL)
        return NULL;
    TRY(json_parse(j->arena, text, JSON_DEPTH_DEFAULT, &list));
    for (size_t i = 0; i < jv_len(list); i++)
        TRY(reap_blob(j, t, jv_s(jv_at(jv_at(list, i), 2))));
    return txn_del(t, T_DATA, id);
}

/* Parts of an upload that is over: those it did not take. The upload's row is gone, so that no
 * further part can have been committed. */
static struct err *reap_upload(struct job *j, struct txn *t, struct str upload)
{
    struct skey k = skey();
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    key_str(&k, upload);
    struct scan sc = {.prefix = key_of(&k)};
    TRY(txn_scan(t, T_PART, &sc, &cur));
    for (;;) {
        bool more = false;
        struct str at, value;
        struct jv *part = NULL;
        TRY(cursor_next(cur, &more, &at, &value));
        if (!more)
            return NULL;
        TRY(json_parse(j->arena, value, JSON_DEPTH_DEFAULT, &part));
        TRY(reap_blob(j, t, jv_s(jv_get(part, "blob"))));
        TRY(txn_del(t, T_PART, arena_str(j->arena, at)));
    }
}

/* The first upload that a deleted bucket left; *more false: there was none. */
static struct err *reap_next_upload(struct job *j, uint64_t bucket, bool *more)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(REAP_ARENA_MAX);
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct job one = *j;
    struct skey k = skey();
    struct str at, value, key;
    one.arena = a;
    key_u64(&k, bucket);
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    struct cursor *cur = NULL;
    struct scan sc = {.prefix = key_of(&k), .keys_only = true};
    TRY(txn_scan(t, T_UPLOAD, &sc, &cur));
    struct err *e = cursor_next(cur, more, &at, &value);
    if (e == NULL && *more)
        at = arena_str(a, at);
    cursor_free(cur);
    if (e != NULL || !*more)
        return e;
    struct str rest = str_skip(at, 8);
    if (key_take_str(a, &rest, &key)) /* what is left is the upload's id */
        TRY(reap_upload(&one, t, rest));
    TRY(txn_del(t, T_UPLOAD, at));
    TRY(arena_check(a));
    return txn_commit(&t);
}

/* Each list in a transaction and an arena of its own: it may hold S3_PARTS_MAX parts, and one
 * DeleteObjects leave a thousand of them. */
static struct err *reap_each(struct job *j, const struct jv *list,
                             struct err *(*fn)(struct job *, struct txn *, struct str))
{
    for (size_t i = 0; i < jv_len(list); i++) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(REAP_ARENA_MAX);
        struct txn *t CLEANUP(txn_abort) = NULL;
        struct job one = *j;
        one.arena = a;
        TRY(store_begin(j->ward->store, TXN_WRITE, &t));
        TRY(fn(&one, t, jv_s(jv_at(list, i))));
        TRY(arena_check(a));
        TRY(txn_commit(&t));
    }
    return NULL;
}

static struct err *reap_blobs(struct job *j, const struct jv *list)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    if (jv_len(list) == 0)
        return NULL;
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    for (size_t i = 0; i < jv_len(list); i++)
        TRY(reap_blob(j, t, jv_s(jv_at(list, i))));
    return txn_commit(&t);
}

static struct err *reap(struct job *j)
{
    struct jv *what = NULL;
    TRY(json_parse(j->arena, j->payload, JSON_DEPTH_DEFAULT, &what));
    TRY(reap_blobs(j, jv_get(what, "blobs")));
    TRY(reap_each(j, jv_get(what, "lists"), reap_list));
    TRY(reap_each(j, jv_get(what, "uploads"), reap_upload));
    uint64_t bucket = (uint64_t)jv_i(jv_get(what, "bucket"), 0);
    for (bool more = bucket != 0; more;)
        TRY(reap_next_upload(j, bucket, &more));
    struct str owner = jv_s(jv_get(what, "owner"));
    /* Last, so that a crash before it comes back here; nothing of the bucket is left to read. */
    return bucket != 0 && owner.n > 0 ? store_owner_destroy(j->ward->store, owner) : NULL;
}

enum job_next s3_reap_run(struct job *j, int64_t *again_ms)
{
    struct err *e = reap(j);
    if (e == NULL)
        return JOB_DONE;
    log_err(LOG_WARN, "clearing away what objects left behind", e);
    *again_ms = clock_now_ms() + job_backoff_ms(j->attempt, REAP_BASE_MS, REAP_CAP_MS);
    return JOB_AGAIN;
}

/* -- at start ---------------------------------------------------------------------------------- */

static bool in_use(void *ctx, struct str hex)
{
    struct txn *t = ctx;
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(4096);
    struct str value = STR_NONE;
    struct err *e = txn_peek(t, T_BLOB, hex, a, &value);
    bool used = e != NULL || value.p != NULL; /* in doubt it stays */
    err_free(e);
    return used;
}

struct err *s3_sweep(struct ward *w)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    size_t removed = 0;
    TRY(store_begin(w->store, TXN_READ, &t));
    TRY(blobs_sweep(w->blobs, in_use, t, &removed));
    if (removed > 0)
        log_info("swept %zu blobs that no object names", removed);
    return NULL;
}

const struct job_kind S3_JOBS[] = {
    {.name = "s3.reap", .run = s3_reap_run, .parallel = 4},
    {.name = "s3.event", .run = s3_event_run, .parallel = 8},
    {0},
};

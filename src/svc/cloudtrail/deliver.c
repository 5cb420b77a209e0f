/* Delivery: from the ledger into log files in the trail's bucket. */
#include "room.h"

#include "core/log.h"

#include <zlib.h>

enum {
    READ_BATCH = 512,
    REGIONS_MAX = 64,
    CURSOR_BYTES = LEDGER_SHARDS * 8,
    DELIVER_RETRY_MS = 5000,
    DELIVER_RETRY_CAP_MS = 300000,
};

/* One log file in the making: the records of one Region. */
struct file {
    struct str region;
    struct buf text;
    size_t records;
};

struct delivery {
    struct job *job;
    struct ward *ward;
    struct arena *arena;
    struct trail trail;
    struct ledger_cursor cursor;
    struct file files[REGIONS_MAX];
    size_t n_files;
    bool worth_it;  /* something that was not made by this delivery itself */
    bool more;      /* the ledger has more than one round takes */
    int64_t now_ms;
};

/* -- the cursor -------------------------------------------------------------------------------- */

static struct str cursor_text(struct arena *a, const struct ledger_cursor *c)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(CURSOR_BYTES);
    for (size_t i = 0; i < LEDGER_SHARDS; i++)
        buf_u64(&b, c->next[i]);
    return arena_str(a, buf_view(&b));
}

static struct err *read_cursor(struct delivery *d, struct txn *t)
{
    struct skey k = trail_key(d->trail.account, d->trail.region, d->trail.name);
    struct str v;
    TRY(txn_get(t, TRAIL_T_CURSOR, key_of(&k), d->arena, &v));
    for (size_t i = 0; i < LEDGER_SHARDS && key_take_u64(&v, &d->cursor.next[i]); i++)
        ;
    return NULL;
}

struct err *trail_cursor_now(struct call *c, const struct trail *t)
{
    struct ledger_cursor now = {{0}};
    ledger_cursor_end(c->ward->ledger, &now);
    struct skey k = trail_key(t->account, t->region, t->name);
    return txn_put(c->txn, TRAIL_T_CURSOR, t->account, key_of(&k), cursor_text(c->arena, &now));
}

/* -- choosing ---------------------------------------------------------------------------------- */

static bool is_global(const struct jv *event)
{
    struct str source = jv_s(jv_get(event, "eventSource"));
    return str_is(source, "iam.amazonaws.com") || str_is(source, "sts.amazonaws.com") ||
           str_is(source, "cloudfront.amazonaws.com");
}

static bool region_selected(const struct trail *t, const struct jv *event)
{
    if (is_global(event))
        return t->global_events;
    return t->all_regions || str_eq(jv_s(jv_get(event, "awsRegion")), t->region);
}

/* The trail's own writes are events too. They are delivered with the next file, but do not cause
 * one: a quiet account stays quiet. */
static bool made_by_trail(const struct jv *event)
{
    const struct jv *who = jv_get(event, "userIdentity");
    return str_is(jv_s(jv_get(who, "invokedBy")), TRAIL_SERVICE);
}

static struct file *file_for(struct delivery *d, struct str region)
{
    for (size_t i = 0; i < d->n_files; i++)
        if (str_eq(d->files[i].region, region))
            return &d->files[i];
    if (d->n_files == REGIONS_MAX)
        return NULL;
    struct file *f = &d->files[d->n_files++];
    *f = (struct file){.region = region};
    buf_init(&f->text, TRAIL_FILE_BYTES_MAX + LEDGER_RECORD_MAX);
    buf_c(&f->text, "{\"Records\":[");
    return f;
}

static struct err *consider(struct delivery *d, const struct ledger_entry *e)
{
    const struct trail *t = &d->trail;
    if (!str_eq(e->rec.account, t->account) || e->rec.time_ms < t->started_ms)
        return NULL;
    if (!t->logging && e->rec.time_ms > t->stopped_ms)
        return NULL;
    struct jv *json;
    TRY(json_parse(d->arena, e->rec.json, JSON_DEPTH_DEFAULT, &json));
    struct event ev = {.json = json,
                       .data = (e->rec.flags & LEDGER_DATA) != 0,
                       .read_only = (e->rec.flags & LEDGER_READ_ONLY) != 0};
    if (!region_selected(t, json) || !trail_selects(t, &ev))
        return NULL;
    struct file *f = file_for(d, jv_s(jv_get(json, "awsRegion")));
    if (f == NULL)
        return err_new(ERR_LIMIT, "The trail's records name too many Regions at once.");
    if (f->records++ > 0)
        buf_char(&f->text, ',');
    buf_str(&f->text, e->rec.json);
    d->worth_it |= !made_by_trail(json);
    return NULL;
}

static bool full(const struct delivery *d)
{
    for (size_t i = 0; i < d->n_files; i++)
        if (d->files[i].records >= TRAIL_FILE_RECORDS_MAX ||
            d->files[i].text.n >= TRAIL_FILE_BYTES_MAX)
            return true;
    return false;
}

static struct err *collect(struct delivery *d, struct txn *t)
{
    struct ledger_entry *batch = ARENA_ARRAY(d->arena, READ_BATCH, struct ledger_entry);
    for (;;) {
        size_t n;
        TRY(ledger_read(d->ward->ledger, t, d->arena, &d->cursor, batch, READ_BATCH, &n));
        for (size_t i = 0; i < n; i++)
            TRY(consider(d, &batch[i]));
        if (n < READ_BATCH)
            return NULL;
        /* The arena holds what was read: a long backlog takes several rounds. */
        if (full(d) || arena_over(d->arena) || arena_used(d->arena) > TRAIL_FILE_BYTES_MAX) {
            d->more = true;
            return NULL;
        }
    }
}

/* -- writing ----------------------------------------------------------------------------------- */

/* gzip (RFC 1952) at the usual level. */
static struct err *compress_text(struct arena *a, struct str text, struct str *out)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_new(ERR_FULL, "There is no memory to compress a log file.");
    uLong most = deflateBound(&z, text.n);
    char *to = arena_alloc(a, most);
    z.next_in = (Bytef *)(uintptr_t)text.p;
    z.avail_in = (uInt)text.n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)most;
    int rc = deflate(&z, Z_FINISH);
    *out = str_of(to, most - z.avail_out);
    deflateEnd(&z);
    return rc == Z_STREAM_END ? NULL : err_new(ERR_INTERNAL, "A log file could not be compressed.");
}

static struct str file_name(struct delivery *d, const struct file *f)
{
    const struct trail *t = &d->trail;
    struct time_parts p = time_parts_of(d->now_ms);
    struct str unique = rand_text(d->arena, 16,
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    return arena_fmt(d->arena,
                     "%.*s%sAWSLogs/%.*s/CloudTrail/%.*s/%04d/%02d/%02d/"
                     "%.*s_CloudTrail_%.*s_%04d%02d%02dT%02d%02dZ_%.*s.json.gz",
                     STR_ARG(t->prefix), t->prefix.n > 0 ? "/" : "", STR_ARG(t->account),
                     STR_ARG(f->region), p.year, p.month, p.day, STR_ARG(t->account),
                     STR_ARG(f->region), p.year, p.month, p.day, p.hour, p.minute, STR_ARG(unique));
}

static struct api_call as_trail(const struct delivery *d)
{
    return (struct api_call){.ward = d->ward, .as = AS_SERVICE, .service = TRAIL_SERVICE,
                             .account = d->trail.account, .region = d->trail.region,
                             .source_arn = d->trail.arn, .arena = d->arena};
}

static void set_text(struct arena *a, struct jv *o, const char *key, struct str v)
{
    jv_set(a, o, str_c(key), jv_new_str(a, v));
}

static struct err *notify(struct delivery *d, struct str key)
{
    if (d->trail.topic.n == 0)
        return NULL;
    struct arena *a = d->arena;
    struct jv *in = jv_new_obj(a), *message = jv_new_obj(a), *keys = jv_new_arr(a);
    set_text(a, message, "s3Bucket", d->trail.bucket);
    jv_push(a, keys, jv_new_str(a, key));
    jv_set(a, message, STR("s3ObjectKey"), keys);
    set_text(a, in, "TopicArn", d->trail.topic);
    set_text(a, in, "Subject", STR("CloudTrail delivered a log file"));
    set_text(a, in, "Message", jv_text(a, message));
    struct api_call o = as_trail(d);
    return api_call_json(&o, "sns", "Publish", in, false, NULL);
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

static struct err *put_file(struct delivery *d, struct file *f)
{
    struct arena *a = d->arena;
    struct str body, key = file_name(d, f);
    buf_c(&f->text, "]}");
    TRY(buf_check(&f->text));
    TRY(compress_text(a, buf_view(&f->text), &body));
    struct jv *in = trail_put_input(a, &d->trail, key);
    set_text(a, in, "ContentType", STR("application/json"));
    set_text(a, in, "ContentEncoding", STR("gzip"));
    struct api_call o = as_trail(d);
    TRY(api_call_body(&o, "s3", "PutObject", in, body, NULL, 0, NULL));
    /* The file is there; a topic that refuses is the topic's trouble, and on record as a call. */
    err_free(notify(d, key));
    return NULL;
}

/* -- the job ----------------------------------------------------------------------------------- */

static struct err *load(struct delivery *d, bool *out_found)
{
    struct arn arn;
    struct txn *t CLEANUP(txn_abort) = NULL;
    *out_found = false;
    if (!arn_parse(d->job->payload, &arn))
        return NULL;
    TRY(store_begin(d->ward->store, TXN_READ, &t));
    TRY(trail_read(t, d->arena, arn.account, arn.region, str_skip(arn.resource, 6), &d->trail,
                   out_found));
    if (!*out_found)
        return NULL;
    TRY(read_cursor(d, t));
    return collect(d, t);
}

/* Moves the cursor and says in the trail's row how it went. */
static struct err *save_once(struct delivery *d, const char *error, bool delivered)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct trail now;
    bool found;
    TRY(store_begin(d->ward->store, TXN_WRITE, &t));
    TRY(trail_read(t, d->arena, d->trail.account, d->trail.region, d->trail.name, &now, &found));
    if (!found)
        return NULL;
    struct skey k = trail_key(now.account, now.region, now.name);
    if (error == NULL)
        TRY(txn_put(t, TRAIL_T_CURSOR, now.account, key_of(&k),
                    cursor_text(d->arena, &d->cursor)));
    if (delivered)
        now.delivered_ms = d->now_ms;
    now.delivery_error = error == NULL ? STR_NONE : str_c(error);
    TRY(trail_write(t, d->arena, &now));
    return txn_commit(&t);
}

static struct err *save(struct delivery *d, const char *error, bool delivered)
{
    for (int i = 0; i < CALL_ATTEMPTS; i++) {
        struct err *e = save_once(d, error, delivered);
        if (!err_is(e, ERR_CONFLICT))
            return e;
        err_free(e);
    }
    return err_new(ERR_CONFLICT, "The trail's row changes too often.");
}

static struct err *run_delivery(struct delivery *d, bool *out_ended)
{
    bool found;
    TRY(load(d, &found));
    *out_ended = !found;
    if (!found)
        return NULL;
    bool write = d->worth_it || (!d->trail.logging && d->n_files > 0);
    for (size_t i = 0; write && i < d->n_files; i++)
        TRY(put_file(d, &d->files[i]));
    if (write || d->n_files == 0)
        TRY(save(d, NULL, write && d->n_files > 0));
    *out_ended = !d->trail.logging && !d->more;
    return NULL;
}

static enum job_next deliver(struct job *j, int64_t *again_ms)
{
    struct delivery *d = ARENA_NEW(j->arena, struct delivery);
    *d = (struct delivery){.job = j, .ward = j->ward, .arena = j->arena, .now_ms = clock_now_ms()};
    bool ended = false;
    struct err *e = run_delivery(d, &ended);
    for (size_t i = 0; i < d->n_files; i++)
        buf_clear(&d->files[i].text);
    *again_ms = d->now_ms + (d->more ? 0 : j->ward->trail_interval_ms);
    if (e != NULL) {
        const char *code = e->code != NULL ? e->code : "InternalError";
        log_warn("a trail's log files could not be delivered (%s); will try again", code);
        if (d->trail.name.p != NULL)
            log_err(LOG_WARN, "the trail's status could not be kept", save(d, code, false));
        err_free(e);
        int64_t wait = job_backoff_ms(j->attempt < 8 ? j->attempt : 8, DELIVER_RETRY_MS,
                                      DELIVER_RETRY_CAP_MS);
        *again_ms = clock_now_ms() + (wait < j->ward->trail_interval_ms ? j->ward->trail_interval_ms
                                                                        : wait);
    }
    return ended ? JOB_DONE : JOB_AGAIN;
}

const struct job_kind trail_jobs[] = {
    {.name = "cloudtrail.deliver", .run = deliver, .parallel = 2},
    {0},
};

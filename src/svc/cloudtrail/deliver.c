/* Delivery: the trail's job. What the ledger has of it becomes log files in the outbox, and those
 * objects in the trail's bucket; when a digest is due, digest files go the same way. */
#include "room.h"

#include "core/log.h"
#include "crypto/crypto.h"

enum {
    READ_BATCH = 64,
    FILES_MAX = 256, /* log files made at once */
    DELIVER_RETRY_MS = 5000,
};

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* One log file in the making: records of one Region. */
struct file {
    struct str region;
    struct buf text;
    size_t records;
    int64_t oldest_ms, newest_ms;
};

struct run {
    struct delivery d; /* first: handed on to outbox and digest */
    struct job *job;
    struct ledger_cursor cursor;
    uint64_t next_n; /* of log files, for good */
    struct file files[FILES_MAX];
    size_t n_files;
    bool worth_it; /* something that was not made by this delivery itself */
    bool more;     /* the ledger has more than one round takes */
};

/* -- the cursor, and the number of the next file ----------------------------------------------- */

static struct err *cursor_put(struct txn *t, const struct trail *tr, const struct ledger_cursor *c,
                              uint64_t next_n)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT((LEDGER_SHARDS + 1) * sizeof(uint64_t));
    for (size_t i = 0; i < LEDGER_SHARDS; i++)
        buf_u64(&b, c->next[i]);
    buf_u64(&b, next_n);
    TRY(buf_check(&b));
    struct skey k = trail_id_key(tr);
    return txn_put(t, TRAIL_T_CURSOR, tr->account, key_of(&k), buf_view(&b));
}

static struct err *cursor_read(struct txn *t, struct arena *a, const struct trail *tr,
                               struct ledger_cursor *out, uint64_t *out_next_n)
{
    struct skey k = trail_id_key(tr);
    struct str v;
    TRY(txn_get(t, TRAIL_T_CURSOR, key_of(&k), a, &v));
    for (size_t i = 0; i < LEDGER_SHARDS && key_take_u64(&v, &out->next[i]); i++)
        ;
    if (!key_take_u64(&v, out_next_n))
        *out_next_n = 0;
    return NULL;
}

/* A trail that starts sees what comes from now on; files are numbered on. */
struct err *trail_cursor_now(struct call *c, const struct trail *t)
{
    struct ledger_cursor now = {{0}};
    uint64_t next_n;
    TRY(cursor_read(c->txn, c->arena, t, &now, &next_n));
    ledger_cursor_end(c->ward->ledger, &now);
    return cursor_put(c->txn, t, &now, next_n);
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

static bool file_full(const struct file *f)
{
    return f->records >= TRAIL_FILE_RECORDS_MAX || f->text.n >= TRAIL_FILE_BYTES_MAX;
}

static struct file *file_for(struct run *r, struct str region)
{
    for (size_t i = 0; i < r->n_files; i++)
        if (str_eq(r->files[i].region, region) && !file_full(&r->files[i]))
            return &r->files[i];
    CHECK(r->n_files < FILES_MAX); /* collect() reads no batch that could need more */
    struct file *f = &r->files[r->n_files++];
    *f = (struct file){.region = region, .oldest_ms = INT64_MAX, .newest_ms = INT64_MIN};
    buf_init(&f->text, TRAIL_FILE_BYTES_MAX + LEDGER_RECORD_MAX + 64);
    buf_c(&f->text, "{\"Records\":[");
    return f;
}

/* Logging may have been off for a while and be on again before the job came round. */
static bool while_logging(const struct trail *t, int64_t time_ms)
{
    return (t->logging && time_ms >= t->started_ms) || time_ms <= t->stopped_ms;
}

static struct err *consider(struct run *r, const struct ledger_entry *e)
{
    const struct trail *t = &r->d.trail;
    if (!str_eq(e->rec.account, t->account) || !while_logging(t, e->rec.time_ms))
        return NULL;
    struct jv *json;
    TRY(json_parse(r->d.arena, e->rec.json, JSON_DEPTH_DEFAULT, &json));
    struct event ev = {.json = json,
                       .data = (e->rec.flags & LEDGER_DATA) != 0,
                       .read_only = (e->rec.flags & LEDGER_READ_ONLY) != 0};
    if (!region_selected(t, json) || !trail_selects(t, &ev))
        return NULL;
    struct file *f = file_for(r, jv_s(jv_get(json, "awsRegion")));
    if (f->records++ > 0)
        buf_char(&f->text, ',');
    buf_str(&f->text, e->rec.json);
    if (e->rec.time_ms < f->oldest_ms)
        f->oldest_ms = e->rec.time_ms;
    if (e->rec.time_ms > f->newest_ms)
        f->newest_ms = e->rec.time_ms;
    r->worth_it |= !made_by_trail(json);
    return NULL;
}

static struct err *collect(struct run *r, struct txn *t)
{
    struct arena *a = r->d.arena;
    struct ledger_entry *batch = ARENA_ARRAY(a, READ_BATCH, struct ledger_entry);
    for (;;) {
        /* The arena holds what was read: a long backlog takes several rounds. */
        if (r->n_files > FILES_MAX - READ_BATCH || arena_over(a) ||
            arena_used(a) > 2 * (size_t)TRAIL_FILE_BYTES_MAX) {
            r->more = true;
            return NULL;
        }
        size_t n;
        TRY(ledger_read(r->d.ward->ledger, t, a, &r->cursor, batch, READ_BATCH, &n));
        for (size_t i = 0; i < n; i++)
            TRY(consider(r, &batch[i]));
        if (n < READ_BATCH)
            return NULL;
    }
}

/* -- writing ----------------------------------------------------------------------------------- */

static struct str file_tail(struct run *r, struct str region)
{
    const struct trail *t = &r->d.trail;
    struct time_parts p = time_parts_of(r->d.now_ms);
    struct str unique = rand_text(r->d.arena, 16,
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    return arena_fmt(r->d.arena,
                     "AWSLogs/%.*s/CloudTrail/%.*s/%04d/%02d/%02d/"
                     "%.*s_CloudTrail_%.*s_%04d%02d%02dT%02d%02dZ_%.*s.json.gz",
                     STR_ARG(t->account), STR_ARG(region), p.year, p.month, p.day,
                     STR_ARG(t->account), STR_ARG(region), p.year, p.month, p.day, p.hour, p.minute,
                     STR_ARG(unique));
}

static struct err *file_to_row(struct run *r, struct txn *t, struct file *f)
{
    struct arena *a = r->d.arena;
    struct outgoing o = {.n = r->next_n++, .region = f->region, .tail = file_tail(r, f->region),
                         .oldest_ms = f->oldest_ms, .newest_ms = f->newest_ms};
    o.sha256 = sha256_hex(a, buf_view(&f->text));
    TRY(outbox_compress(a, buf_view(&f->text), &o.body));
    return outbox_add(t, &r->d, &o);
}

/* The files and the cursor in one transaction: from here on they will be delivered, once. */
static struct err *keep_files(struct run *r)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(r->d.ward->store, TXN_WRITE, &t));
    for (size_t i = 0; i < r->n_files; i++) {
        buf_c(&r->files[i].text, "]}");
        TRY(buf_check(&r->files[i].text));
        TRY(file_to_row(r, t, &r->files[i]));
    }
    TRY(cursor_put(t, &r->d.trail, &r->cursor, r->next_n));
    return txn_commit(&t);
}

struct api_call delivery_as(const struct delivery *d)
{
    return (struct api_call){.ward = d->ward, .as = AS_SERVICE, .service = TRAIL_SERVICE,
                             .account = d->trail.account, .region = d->trail.region,
                             .source_arn = d->trail.arn, .arena = d->arena};
}

static struct err *change_once(struct delivery *d, void *ctx,
                               struct err *(*change)(struct delivery *d, struct txn *t,
                                                     struct trail *now, void *ctx))
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct trail now;
    bool found;
    TRY(store_begin(d->ward->store, TXN_WRITE, &t));
    TRY(trail_read_id(t, d->arena, d->trail.account, d->trail.region, d->trail.name, d->trail.id,
                      &now, &found));
    if (!found)
        return NULL;
    bool ended = now.ended;
    TRY(change(d, t, &now, ctx));
    if (now.ended || !ended) /* else the change took the row away */
        TRY(trail_write(t, d->arena, &now));
    return txn_commit(&t);
}

struct err *delivery_change(struct delivery *d, void *ctx,
                            struct err *(*change)(struct delivery *d, struct txn *t,
                                                  struct trail *now, void *ctx))
{
    for (int i = 0; i < CALL_ATTEMPTS; i++) {
        struct err *e = change_once(d, ctx, change);
        if (!err_is(e, ERR_CONFLICT))
            return e;
        err_free(e);
    }
    return err_new(ERR_CONFLICT, "The trail's row changes too often.");
}

/* -- the job ----------------------------------------------------------------------------------- */

/* Payload: the trail's ARN, a space, its id. */
static struct err *load(struct run *r, bool *out_found)
{
    struct arn arn;
    struct str rest = r->job->payload, name = str_cut(&rest, ' ');
    struct txn *t CLEANUP(txn_abort) = NULL;
    *out_found = false;
    if (!arn_parse(name, &arn))
        return NULL;
    TRY(store_begin(r->d.ward->store, TXN_READ, &t));
    return trail_read_id(t, r->d.arena, arn.account, arn.region, str_skip(arn.resource, 6), rest,
                         &r->d.trail, out_found);
}

static struct err *deliver_logs(struct run *r)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(outbox_flush(&r->d)); /* what a crash or a refusal left */
    TRY(store_begin(r->d.ward->store, TXN_READ, &t));
    TRY(cursor_read(t, r->d.arena, &r->d.trail, &r->cursor, &r->next_n));
    struct ledger_cursor from = r->cursor;
    TRY(collect(r, t));
    txn_abort(&t);
    if (memcmp(&from, &r->cursor, sizeof from) == 0)
        return NULL;
    if (r->n_files > 0 && !r->worth_it && r->d.trail.logging)
        return NULL; /* it stays for the next file */
    TRY(keep_files(r));
    return outbox_flush(&r->d);
}

static struct err *deliver_digests(struct run *r, bool last)
{
    int64_t due_ms;
    TRY(digest_due(&r->d, &due_ms));
    if (due_ms == INT64_MAX || (due_ms > r->d.now_ms && !last))
        return NULL;
    TRY(digest_write(&r->d));
    return outbox_flush(&r->d);
}

/* Nothing more will come: the chains end; of a deleted trail, everything does. */
static struct err *finish(struct delivery *d UNUSED, struct txn *t, struct trail *now,
                          void *ctx UNUSED)
{
    struct skey k = trail_id_key(now);
    if (now->logging)
        return NULL; /* started again meanwhile; StartLogging put the job anew */
    now->running = false;
    TRY(digest_forget(t, now));
    if (!now->ended)
        return NULL;
    now->ended = false;
    TRY(txn_del(t, TRAIL_T_CURSOR, key_of(&k)));
    TRY(trail_rows_drop(t, now, TRAIL_T_OUTBOX));
    return txn_del(t, TRAIL_T_ENDED, key_of(&k));
}

static struct err *run_delivery(struct run *r, const char **out_what, bool *out_ended)
{
    struct trail *t = &r->d.trail;
    *out_what = "log files";
    TRY(deliver_logs(r));
    *out_what = "digest files";
    bool last = !t->logging && !r->more;
    TRY(deliver_digests(r, last));
    *out_ended = last;
    return last ? delivery_change(&r->d, NULL, finish) : NULL;
}

struct failure {
    const char *code;
    bool digest;
};

static struct err *say_failure(struct delivery *d UNUSED, struct txn *t UNUSED, struct trail *now,
                               void *ctx)
{
    const struct failure *f = ctx;
    if (f->digest)
        now->digest_error = str_c(f->code);
    else
        now->delivery_error = str_c(f->code);
    return NULL;
}

static int64_t next_due(struct run *r)
{
    int64_t due_ms, at = r->d.now_ms + (r->more ? 0 : r->d.ward->trail_interval_ms);
    struct err *e = digest_due(&r->d, &due_ms);
    if (e == NULL && due_ms < at)
        at = due_ms;
    err_free(e);
    return at;
}

static enum job_next deliver(struct job *j, int64_t *again_ms)
{
    struct run *r = ARENA_NEW(j->arena, struct run);
    *r = (struct run){.job = j,
                      .d = {.ward = j->ward, .arena = j->arena, .now_ms = clock_now_ms()}};
    bool ended = false, found;
    const char *what = "state";
    struct err *e = load(r, &found);
    if (e == NULL && !found)
        return JOB_DONE;
    if (e == NULL)
        e = run_delivery(r, &what, &ended);
    for (size_t i = 0; i < r->n_files; i++)
        buf_clear(&r->files[i].text);
    if (e == NULL) {
        *again_ms = ended ? 0 : next_due(r);
        return ended ? JOB_DONE : JOB_AGAIN;
    }
    struct failure f = {.code = e->code != NULL ? e->code : "InternalError",
                        .digest = str_is(str_c(what), "digest files")};
    log_warn("a trail's %s could not be delivered (%s); will try again", what, f.code);
    bool given_up = r->d.trail.ended &&
                    r->d.now_ms - r->d.trail.stopped_ms > TRAIL_GIVE_UP_DAYS * DAY_MS;
    if (r->d.trail.id.p != NULL)
        log_err(LOG_WARN, "the trail's status could not be kept",
                given_up ? delivery_change(&r->d, NULL, finish)
                         : delivery_change(&r->d, &f, say_failure));
    err_free(e);
    int64_t wait = j->ward->trail_interval_ms;
    *again_ms = clock_now_ms() + (wait > DELIVER_RETRY_MS ? wait : DELIVER_RETRY_MS);
    return given_up ? JOB_DONE : JOB_AGAIN;
}

const struct job_kind trail_jobs[] = {
    {.name = TRAIL_JOB, .run = deliver, .parallel = 2},
    {0},
};

/* What goes in the background: events past their group's retention, and what deleted streams and
 * groups leave behind. Both remove in transactions of bounded size until nothing is left. */
#include "room.h"

#include "core/log.h"

enum { RETRY_MS = 5000, RETRY_CAP_MS = 300000, EXPIRE_EVERY_MS = 3600000 };

struct removal {
    struct job *j;
    uint64_t group;
    uint64_t stream;   /* 0: of every stream */
    int64_t before_ms; /* INT64_MAX: all */
    bool more;
};

/* One transaction's worth. By group it walks the events, by stream the stream's order. */
static struct err *remove_events(struct removal *r, struct txn *t)
{
    bool whole = r->stream == 0;
    struct skey prefix = skey();
    key_u64(&prefix, whole ? r->group : r->stream);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = !whole};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, whole ? LOGS_T_EVENT : LOGS_T_OF, &sc, &cur));
    for (size_t n = 0;; n++) {
        bool more;
        struct str key, value;
        struct event e = {.stream = r->stream};
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more || !event_place(key, &e.at) || (int64_t)e.at.time >= r->before_ms)
            return NULL;
        if (n == LOGS_REMOVE_BATCH) {
            r->more = true;
            return NULL;
        }
        if (whole && !event_read(value, &e))
            return err_new(ERR_CORRUPT, "An event's row cannot be read.");
        struct skey event = event_key(r->group, e.at), of = event_key(e.stream, e.at);
        TRY(txn_del(t, LOGS_T_EVENT, key_of(&event)));
        TRY(txn_del(t, LOGS_T_OF, key_of(&of)));
    }
}

static struct err *remove_streams(struct removal *r, struct txn *t)
{
    struct skey prefix = skey();
    key_u64(&prefix, r->group);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, LOGS_T_STREAM, &sc, &cur));
    for (size_t n = 0;; n++) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (n == LOGS_REMOVE_BATCH) {
            r->more = true;
            return NULL;
        }
        TRY(txn_del(t, LOGS_T_STREAM, arena_str(r->j->arena, key)));
    }
}

/* -- after a deletion -------------------------------------------------------------------------- */

struct err *logs_purge_later(struct call *c, const struct group *g, uint64_t stream_id)
{
    struct str id = arena_fmt(c->arena, "%016llx/%016llx", (unsigned long long)g->id,
                              (unsigned long long)stream_id);
    struct jv *what = jv_new_obj(c->arena);
    jv_set(c->arena, what, STR("account"), jv_new_str(c->arena, g->account));
    jv_set(c->arena, what, STR("group"), jv_new_int(c->arena, (int64_t)g->id));
    jv_set(c->arena, what, STR("stream"), jv_new_int(c->arena, (int64_t)stream_id));
    return job_put(c->txn, c->account, "logs.purge", id, c->now_ms, jv_text(c->arena, what));
}

static struct err *purge(struct job *j, bool *out_done)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct jv *what;
    TRY(json_parse(j->arena, j->payload, JSON_DEPTH_DEFAULT, &what));
    struct removal r = {.j = j, .before_ms = INT64_MAX,
                        .group = (uint64_t)jv_i(jv_get(what, "group"), 0),
                        .stream = (uint64_t)jv_i(jv_get(what, "stream"), 0)};
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    TRY(remove_events(&r, t));
    if (r.stream == 0 && !r.more)
        TRY(remove_streams(&r, t));
    TRY(txn_commit(&t));
    *out_done = !r.more;
    if (r.more || r.stream != 0)
        return NULL;
    struct str owner = group_owner(j->arena, jv_s(jv_get(what, "account")), r.group);
    return store_owner_destroy(j->ward->store, owner);
}

static enum job_next run_purge(struct job *j, int64_t *again_ms)
{
    bool done = false;
    *again_ms = clock_now_ms();
    struct err *e = purge(j, &done);
    if (e == NULL)
        return done ? JOB_DONE : JOB_AGAIN;
    *again_ms += job_backoff_ms(j->attempt, RETRY_MS, RETRY_CAP_MS);
    log_err(LOG_WARN, "deleted logs could not be removed; will try again", e);
    return JOB_AGAIN;
}

/* -- retention --------------------------------------------------------------------------------- */

struct err *logs_expire_later(struct call *c, const struct group *g)
{
    struct str arn = group_arn(c->arena, g);
    return job_put(c->txn, c->account, "logs.expire", arn, c->now_ms, arn);
}

/* *out_ended: the group is gone or keeps its events for ever. */
static struct err *expire(struct job *j, bool *out_ended, bool *out_more)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct arn arn;
    struct str text;
    struct jv *row;
    *out_ended = true;
    if (!arn_parse(j->payload, &arn))
        return NULL;
    struct group g = {.account = arn.account, .region = arn.region,
                      .name = str_skip(arn.resource, 10)};
    struct skey k = group_key(g.account, g.region, g.name);
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    TRY(txn_get(t, LOGS_T_GROUP, key_of(&k), j->arena, &text));
    if (text.p == NULL)
        return NULL;
    TRY(json_parse(j->arena, text, JSON_DEPTH_DEFAULT, &row));
    if (!group_from_row(row, &g) || g.retention == 0)
        return NULL;
    *out_ended = false;
    struct removal r = {.j = j, .group = g.id,
                        .before_ms = group_oldest_ms(&g, clock_now_ms())};
    TRY(remove_events(&r, t));
    *out_more = r.more;
    return txn_commit(&t);
}

static enum job_next run_expire(struct job *j, int64_t *again_ms)
{
    bool ended = false, more = false;
    struct err *e = expire(j, &ended, &more);
    *again_ms = clock_now_ms() + (more ? 0 : EXPIRE_EVERY_MS);
    if (e == NULL)
        return ended ? JOB_DONE : JOB_AGAIN;
    *again_ms = clock_now_ms() + job_backoff_ms(j->attempt, RETRY_MS, RETRY_CAP_MS);
    log_err(LOG_WARN, "expired logs could not be removed; will try again", e);
    return JOB_AGAIN;
}

const struct job_kind logs_jobs[] = {
    {.name = "logs.purge", .run = run_purge, .parallel = 2},
    {.name = "logs.expire", .run = run_expire, .parallel = 2},
    {0},
};

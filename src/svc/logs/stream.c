/* Log streams. When a stream's events begin and end is read from the events themselves. */
#include "room.h"

static struct skey stream_key(const struct group *g, struct str name)
{
    struct skey k = skey();
    key_u64(&k, g->id);
    key_tail(&k, name);
    return k;
}

static bool stream_from_row(const struct jv *row, struct stream *out)
{
    *out = (struct stream){.name = jv_s(jv_get(row, "name")),
                           .id = (uint64_t)jv_i(jv_get(row, "id"), 0),
                           .created_ms = jv_i(jv_get(row, "created_ms"), 0)};
    return out->id != 0;
}

struct err *stream_find(struct call *c, const struct group *g, struct str name, struct stream *out,
                        bool *out_found)
{
    struct skey k = stream_key(g, name);
    struct jv *row;
    TRY(row_get(c, LOGS_T_STREAM, key_of(&k), &row));
    *out_found = row != NULL && stream_from_row(row, out);
    return NULL;
}

struct err *stream_need(struct call *c, const struct group *g, struct str name, struct stream *out)
{
    bool found;
    TRY(stream_find(c, g, name, out, &found));
    return found ? NULL
                 : err_aws(400, "ResourceNotFoundException",
                           "The specified log stream does not exist.");
}

OP_HANDLER_NO_OUT(logs, CreateLogStream, CreateLogStreamRequest)
{
    struct group g;
    struct stream s;
    bool found;
    TRY(group_need(c, in->logGroupName, &g));
    TRY(stream_find(c, &g, in->logStreamName, &s, &found));
    if (found)
        return err_aws(400, "ResourceAlreadyExistsException",
                       "The specified log stream already exists");
    struct jv *row = jv_new_obj(c->arena);
    jv_set(c->arena, row, STR("name"), jv_new_str(c->arena, in->logStreamName));
    jv_set(c->arena, row, STR("id"), jv_new_int(c->arena, (int64_t)(rand_u64() >> 1)));
    jv_set(c->arena, row, STR("created_ms"), jv_new_int(c->arena, c->now_ms));
    struct skey k = stream_key(&g, in->logStreamName);
    return row_put(c, LOGS_T_STREAM, g.account, key_of(&k), row);
}

OP_HANDLER_NO_OUT(logs, DeleteLogStream, DeleteLogStreamRequest)
{
    struct group g;
    struct stream s;
    TRY(group_need(c, in->logGroupName, &g));
    TRY(stream_need(c, &g, in->logStreamName, &s));
    struct skey k = stream_key(&g, in->logStreamName);
    TRY(txn_del(c->txn, LOGS_T_STREAM, key_of(&k)));
    return logs_purge_later(c, &g, s.id);
}

/* The first or last place of a stream's events. */
static struct err *edge(struct call *c, uint64_t stream_id, bool last, bool *out_any,
                        struct place *out)
{
    struct skey prefix = skey();
    key_u64(&prefix, stream_id);
    struct scan sc = {.prefix = key_of(&prefix), .reverse = last, .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct str key, value;
    TRY(txn_scan(c->txn, LOGS_T_OF, &sc, &cur));
    TRY(cursor_next(cur, out_any, &key, &value));
    *out_any = *out_any && event_place(key, out);
    return NULL;
}

struct listed {
    struct stream s;
    int64_t last_ms; /* 0: empty */
};

static struct err *describe(struct call *c, const struct group *g, const struct listed *l,
                            struct logs_LogStream *out)
{
    struct place first, last;
    bool any;
    out->logStreamName = l->s.name;
    out->creationTime = some_int(l->s.created_ms);
    out->arn = arena_fmt(c->arena, "%.*s:log-stream:%.*s", STR_ARG(group_arn(c->arena, g)),
                         STR_ARG(l->s.name));
    out->storedBytes = some_int(0); /* of single streams AWS says 0 since 2019 */
    out->uploadSequenceToken = arena_fmt(c->arena, "%056llu", (unsigned long long)l->s.id);
    TRY(edge(c, l->s.id, false, &any, &first));
    if (any)
        TRY(edge(c, l->s.id, true, &any, &last));
    if (!any)
        return NULL;
    out->firstEventTimestamp = some_int((int64_t)first.time);
    out->lastEventTimestamp = some_int((int64_t)last.time);
    struct skey k = event_key(g->id, last);
    struct str value;
    struct event e;
    TRY(txn_peek(c->txn, LOGS_T_EVENT, key_of(&k), c->arena, &value));
    if (value.p != NULL && event_read(value, &e))
        out->lastIngestionTime = some_int(e.ingested_ms);
    return NULL;
}

static int by_last(const void *x, const void *y)
{
    const struct listed *a = x, *b = y;
    if (a->last_ms != b->last_ms)
        return a->last_ms < b->last_ms ? -1 : 1;
    return str_cmp(a->s.name, b->s.name);
}

struct stream_list {
    VEC(struct listed) all;
    bool by_time, down;
    size_t max; /* by name: the page and one more; by time: all of them, or an error */
};

static struct err *load(struct call *c, const struct group *g, struct str prefix_text,
                        const struct listed *after, struct stream_list *out)
{
    struct skey prefix = stream_key(g, prefix_text), from = stream_key(g, after->s.name);
    struct scan sc = {.prefix = key_of(&prefix), .reverse = !out->by_time && out->down};
    if (!out->by_time && after->s.name.p != NULL) {
        sc.from = key_of(&from);
        sc.after = true;
    }
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, LOGS_T_STREAM, &sc, &cur));
    for (;;) {
        bool more, any;
        struct str key, value;
        struct jv *row;
        struct listed l = {0};
        struct place last;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (out->all.n == out->max && !out->by_time)
            return NULL;
        if (out->all.n == out->max)
            return err_aws(400, "InvalidParameterException",
                           "More than %d streams cannot be ordered by LastEventTime; order them "
                           "by LogStreamName.", LOGS_SORT_MAX);
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        if (!stream_from_row(row, &l.s))
            continue;
        if (out->by_time) {
            TRY(edge(c, l.s.id, true, &any, &last));
            l.last_ms = any ? (int64_t)last.time : 0;
        }
        VEC_PUSH(c->arena, &out->all, l);
    }
}

/* Where the page begins: behind the (time, name) that the token holds. */
static struct err *position_of(struct call *c, struct str token, bool by_time, struct listed *out,
                               bool *out_any)
{
    struct str position;
    TRY(page_position(c, token, "InvalidParameterException", &position));
    *out_any = position.p != NULL;
    *out = (struct listed){0};
    if (!*out_any)
        return NULL;
    if (!str_to_i64(str_cut(&position, ' '), 0, INT64_MAX, &out->last_ms))
        return err_aws(400, "InvalidParameterException", "The nextToken is not valid.");
    if (!by_time)
        out->last_ms = 0;
    out->s.name = position;
    return NULL;
}

OP_HANDLER(logs, DescribeLogStreams, DescribeLogStreamsRequest, DescribeLogStreamsResponse)
{
    struct str name;
    struct group g;
    struct listed after;
    bool positioned, by_time = str_is(in->orderBy, "LastEventTime"), down = in->descending.v;
    TRY(group_one_of(in->logGroupName, in->logGroupIdentifier, &name));
    if (by_time && in->logStreamNamePrefix.p != NULL)
        return err_aws(400, "InvalidParameterException",
                       "Cannot order by LastEventTime with a logStreamNamePrefix.");
    TRY(group_need(c, name, &g));
    TRY(position_of(c, in->nextToken, by_time, &after, &positioned));
    size_t limit = (size_t)(in->limit.set ? in->limit.v : LOGS_PAGE_MAX);
    struct stream_list list = {.by_time = by_time, .down = down,
                               .max = by_time ? LOGS_SORT_MAX : limit + 1};
    TRY(load(c, &g, in->logStreamNamePrefix, &after, &list));
    if (list.all.n > 1)
        qsort(list.all.v, list.all.n, sizeof *list.all.v, by_last);
    out->logStreams.v = ARENA_ARRAY(c->arena, limit, struct logs_LogStream);
    out->logStreams.set = true;
    for (size_t i = 0; i < list.all.n; i++) {
        const struct listed *l = &list.all.v[down ? list.all.n - 1 - i : i];
        int order = positioned ? by_last(l, &after) : 1;
        if (positioned && (down ? order >= 0 : order <= 0))
            continue;
        if (out->logStreams.n == limit) {
            out->nextToken = page_token(c, arena_fmt(c->arena, "%lld %.*s",
                                                     (long long)after.last_ms,
                                                     STR_ARG(after.s.name)));
            return NULL;
        }
        TRY(describe(c, &g, l, &out->logStreams.v[out->logStreams.n++]));
        if (!positioned || out->logStreams.n == limit)
            after = *l;
    }
    return NULL;
}

/* GetLogEvents: one stream, forwards or backwards.
 *
 * A token holds a direction and the place behind (or before) which the next page begins; at the
 * end of the stream the token that came in goes out again, by which clients know it. */
#include "room.h"

enum { TOKEN_BYTES = 1 + 8 + 8 + 8 + 4 };

struct range {
    struct call *c;
    const struct group *g;
    const struct stream *s;
    int64_t from_ms, to_ms; /* [from, to) */
    bool back, positioned;
    struct place at;
    size_t limit;
};

static struct str token_of(struct call *c, const struct stream *s, char direction,
                           struct place at)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(TOKEN_BYTES);
    buf_char(&b, direction);
    buf_u64(&b, s->id);
    buf_u64(&b, at.time);
    buf_u64(&b, at.batch);
    buf_u32(&b, at.index);
    return page_token(c, buf_view(&b));
}

static struct err *read_token(struct range *r, struct str token)
{
    struct str position;
    uint64_t stream;
    TRY(page_position(r->c, token, "InvalidParameterException", &position));
    if (position.p == NULL)
        return NULL;
    struct str rest = str_skip(position, 1);
    if (position.n != TOKEN_BYTES || !key_take_u64(&rest, &stream) || stream != r->s->id ||
        !key_take_u64(&rest, &r->at.time) || !key_take_u64(&rest, &r->at.batch) ||
        !key_take_u32(&rest, &r->at.index))
        return err_aws(400, "InvalidParameterException", "The specified nextToken is invalid.");
    r->back = position.p[0] == 'b';
    r->positioned = true;
    return NULL;
}

/* Where the scan begins: the token's place, but never outside the times asked for. */
static struct skey scan_start(const struct range *r, bool *out_after)
{
    struct place edge = r->back ? (struct place){(uint64_t)r->to_ms, 0, 0}
                                : (struct place){(uint64_t)r->from_ms, 0, 0};
    bool inside = r->positioned && (r->back ? r->at.time < edge.time : r->at.time >= edge.time);
    *out_after = inside;
    return event_key(r->s->id, inside ? r->at : edge);
}

static struct err *collect(struct range *r, struct event *found, size_t *out_n)
{
    struct call *c = r->c;
    struct skey prefix = skey(), from;
    size_t bytes = 0;
    struct scan sc = {.reverse = r->back, .keys_only = true};
    key_u64(&prefix, r->s->id);
    from = scan_start(r, &sc.after);
    sc.prefix = key_of(&prefix);
    sc.from = key_of(&from);
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, LOGS_T_OF, &sc, &cur));
    for (*out_n = 0; *out_n < r->limit;) {
        bool more;
        struct str key, value;
        struct event *e = &found[*out_n];
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more || !event_place(key, &e->at))
            return NULL;
        if (r->back ? (int64_t)e->at.time < r->from_ms : (int64_t)e->at.time >= r->to_ms)
            return NULL;
        struct skey k = event_key(r->g->id, e->at);
        TRY(txn_peek(c->txn, LOGS_T_EVENT, key_of(&k), c->arena, &value));
        if (value.p == NULL || !event_read(value, e))
            continue;
        bytes += e->message.n + LOGS_EVENT_OVERHEAD;
        if (bytes > LOGS_PAGE_BYTES_MAX && *out_n > 0)
            return NULL;
        ++*out_n;
    }
    return NULL;
}

/* Tokens in both directions, also from an empty page: there from the edge of the time asked for. */
static void tokens(const struct range *r, const struct event *found, size_t n, struct str given,
                   struct logs_GetLogEventsResponse *out)
{
    struct place none = r->positioned ? r->at
                        : r->back     ? (struct place){(uint64_t)r->to_ms, 0, 0}
                                      : (struct place){(uint64_t)r->from_ms, 0, 0};
    struct place first = n > 0 ? found[r->back ? n - 1 : 0].at : none;
    struct place last = n > 0 ? found[r->back ? 0 : n - 1].at : none;
    bool ended = n == 0 && r->positioned;
    out->nextForwardToken = ended && !r->back ? given : token_of(r->c, r->s, 'f', last);
    out->nextBackwardToken = ended && r->back ? given : token_of(r->c, r->s, 'b', first);
}

OP_HANDLER(logs, GetLogEvents, GetLogEventsRequest, GetLogEventsResponse)
{
    struct str name;
    struct group g;
    struct stream s;
    size_t n;
    TRY(group_one_of(in->logGroupName, in->logGroupIdentifier, &name));
    TRY(group_need(c, name, &g));
    TRY(stream_need(c, &g, in->logStreamName, &s));
    struct range r = {.c = c, .g = &g, .s = &s, .back = !in->startFromHead.v};
    r.limit = (size_t)(in->limit.set ? in->limit.v : LOGS_EVENTS_PAGE_MAX);
    int64_t oldest = group_oldest_ms(&g, c->now_ms);
    r.from_ms = in->startTime.v > oldest ? in->startTime.v : oldest;
    r.to_ms = in->endTime.set ? in->endTime.v : INT64_MAX;
    TRY(read_token(&r, in->nextToken));
    struct event *found = ARENA_ARRAY(c->arena, r.limit, struct event);
    TRY(collect(&r, found, &n));
    out->events.v = ARENA_ARRAY(c->arena, n + 1, struct logs_OutputLogEvent);
    out->events.set = true;
    for (size_t i = 0; i < n; i++) {
        const struct event *e = &found[r.back ? n - 1 - i : i];
        out->events.v[out->events.n++] =
            (struct logs_OutputLogEvent){.timestamp = some_int((int64_t)e->at.time),
                                         .message = e->message,
                                         .ingestionTime = some_int(e->ingested_ms)};
    }
    tokens(&r, found, n, in->nextToken, out);
    return NULL;
}

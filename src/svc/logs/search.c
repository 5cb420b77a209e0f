/* FilterLogEvents: every stream of a group in order of time, through a filter pattern. */
#include "room.h"

#include "core/map.h"

enum { SCRATCH_BYTES = 64 * 1024 * 1024 }; /* a tree of the largest message, at its densest */

struct search {
    struct call *c;
    const struct logs_FilterLogEventsRequest *in;
    struct logs_FilterLogEventsResponse *out;
    struct group g;
    struct filter *filter;
    struct arena *scratch;
    struct map streams; /* name -> struct stream * as it stands, id 0 when it is gone */
    size_t limit, looked, bytes;
    struct str last;    /* the key looked at last */
};

static void drop_arena(void *a)
{
    arena_free(a);
}

static void drop_map(void *m)
{
    map_clear(m);
}

static bool stream_wanted(const struct search *s, struct str name)
{
    const struct logs_InputLogStreamNames *names = &s->in->logStreamNames;
    if (s->in->logStreamNamePrefix.p != NULL)
        return str_starts(name, s->in->logStreamNamePrefix);
    if (names->n == 0)
        return true;
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->v[i], name))
            return true;
    return false;
}

/* Events of a stream that was deleted, and perhaps made again, are not shown. */
static struct err *stream_stands(struct search *s, const struct event *e, bool *out)
{
    struct stream *known = map_get(&s->streams, e->name);
    if (known == NULL) {
        bool found;
        known = ARENA_NEW(s->c->arena, struct stream);
        TRY(stream_find(s->c, &s->g, e->name, known, &found));
        if (!found)
            known->id = 0;
        map_put(&s->streams, e->name, known);
    }
    *out = known->id == e->stream;
    return NULL;
}

static struct err *consider(struct search *s, struct str key, struct str value)
{
    struct event e;
    bool stands;
    struct arena *a = s->c->arena;
    if (!event_place(key, &e.at) || !event_read(value, &e) || !stream_wanted(s, e.name))
        return NULL;
    TRY(stream_stands(s, &e, &stands));
    if (!stands)
        return NULL;
    bool match = filter_match(s->filter, s->scratch, e.message);
    arena_reset(s->scratch);
    if (!match)
        return NULL;
    struct logs_FilteredLogEvent *out = &s->out->events.v[s->out->events.n++];
    s->bytes += e.message.n + LOGS_EVENT_OVERHEAD;
    out->logStreamName = arena_str(a, e.name);
    out->timestamp = some_int((int64_t)e.at.time);
    out->ingestionTime = some_int(e.ingested_ms);
    out->message = e.message.n == 0 ? STR("") : arena_str(a, e.message);
    out->eventId = arena_fmt(a, "%020llu%020llu%010u", (unsigned long long)e.at.time,
                             (unsigned long long)e.at.batch, e.at.index);
    return NULL;
}

static struct err *run(struct search *s, int64_t from_ms, int64_t to_ms, struct str position,
                       bool back)
{
    struct skey prefix = skey();
    struct place edge = {(uint64_t)(back ? to_ms + 1 : from_ms), 0, 0};
    struct skey start = event_key(s->g.id, edge);
    key_u64(&prefix, s->g.id);
    struct scan sc = {.prefix = key_of(&prefix), .from = key_of(&start), .reverse = back};
    if (position.p != NULL) {
        sc.from = position;
        sc.after = true;
    }
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(s->c->txn, LOGS_T_EVENT, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        struct place at;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more || !event_place(key, &at) ||
            (back ? (int64_t)at.time < from_ms : (int64_t)at.time > to_ms))
            return NULL;
        if (s->out->events.n == s->limit || s->looked == LOGS_SEARCH_MAX ||
            s->bytes >= LOGS_PAGE_BYTES_MAX) {
            s->out->nextToken = page_token(s->c, s->last);
            return NULL;
        }
        s->looked++;
        TRY(consider(s, key, value));
        struct skey kept = event_key(s->g.id, at);
        s->last = arena_str(s->scratch, key_of(&kept));
    }
}

static struct err *check(struct call *c, const struct logs_FilterLogEventsRequest *in)
{
    if (in->logStreamNames.n > 0 && in->logStreamNamePrefix.p != NULL)
        return err_aws(400, "InvalidParameterException",
                       "Give either logStreamNames or logStreamNamePrefix.");
    if (in->startTime.set && in->endTime.set && in->startTime.v > in->endTime.v)
        return err_aws(400, "InvalidParameterException", "The startTime is after the endTime.");
    return in->unmask.v ? err_not_implemented(c, "Unmasking of protected log data") : NULL;
}

OP_HANDLER(logs, FilterLogEvents, FilterLogEventsRequest, FilterLogEventsResponse)
{
    struct search s = {.c = c, .in = in, .out = out};
    struct str name, position;
    TRY(check(c, in));
    TRY(group_one_of(in->logGroupName, in->logGroupIdentifier, &name));
    TRY(group_need(c, name, &s.g));
    TRY(filter_compile(c->arena, in->filterPattern.p != NULL ? in->filterPattern : STR(""),
                       &s.filter));
    TRY(page_position(c, in->nextToken, "InvalidParameterException", &position));
    struct skey own = skey();
    key_u64(&own, s.g.id);
    if (position.p != NULL && !str_starts(position, key_of(&own)))
        return err_aws(400, "InvalidParameterException", "The specified nextToken is invalid.");
    for (size_t i = 0; i < in->logStreamNames.n; i++) {
        struct stream known;
        TRY(stream_need(c, &s.g, in->logStreamNames.v[i], &known));
    }
    s.scratch = arena_new(SCRATCH_BYTES);
    arena_on_free(c->arena, drop_arena, s.scratch);
    struct map *streams = ARENA_NEW(c->arena, struct map);
    s.limit = (size_t)(in->limit.set ? in->limit.v : LOGS_EVENTS_PAGE_MAX);
    out->events.v = ARENA_ARRAY(c->arena, s.limit, struct logs_FilteredLogEvent);
    out->events.set = true;
    out->searchedLogStreams.set = true; /* empty, as AWS answers since 2020 */
    int64_t oldest = group_oldest_ms(&s.g, c->now_ms);
    int64_t from_ms = in->startTime.v > oldest ? in->startTime.v : oldest;
    int64_t to_ms = in->endTime.set ? in->endTime.v : INT64_MAX - 1;
    bool back = in->startFromHead.set && !in->startFromHead.v;
    struct err *e = run(&s, from_ms, to_ms, position, back);
    *streams = s.streams;
    arena_on_free(c->arena, drop_map, streams);
    return e;
}

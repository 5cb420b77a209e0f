/* PutLogEvents, and the form of an event's rows. */
#include "room.h"

#include <pthread.h>
#include <stdatomic.h>

#define HOUR_MS ((int64_t)3600 * 1000)

struct skey event_key(uint64_t owner_id, struct place at)
{
    struct skey k = skey();
    key_u64(&k, owner_id);
    key_u64(&k, at.time);
    key_u64(&k, at.batch);
    key_u32(&k, at.index);
    return k;
}

bool event_place(struct str key, struct place *out)
{
    uint64_t owner;
    return key_take_u64(&key, &owner) && key_take_u64(&key, &out->time) &&
           key_take_u64(&key, &out->batch) && key_take_u32(&key, &out->index);
}

/* Stream id, ingestion time, length of the stream's name, name, message. */
bool event_read(struct str value, struct event *out)
{
    uint64_t ingested;
    uint32_t n;
    if (!key_take_u64(&value, &out->stream) || !key_take_u64(&value, &ingested) ||
        !key_take_u32(&value, &n) || n > value.n)
        return false;
    out->ingested_ms = (int64_t)ingested;
    out->name = str_take(value, n);
    out->message = str_skip(value, n);
    return true;
}

static struct err *invalid(const char *what)
{
    return err_aws(400, "InvalidParameterException", "%s", what);
}

static struct err *check_batch(const struct logs_PutLogEventsRequest *in)
{
    size_t bytes = 0;
    for (size_t i = 0; i < in->logEvents.n; i++) {
        const struct logs_InputLogEvent *e = &in->logEvents.v[i];
        bytes += e->message.n + LOGS_EVENT_OVERHEAD;
        if (i > 0 && e->timestamp.v < in->logEvents.v[i - 1].timestamp.v)
            return invalid("Log events in a single PutLogEvents request must be in chronological "
                           "order.");
    }
    if (bytes > LOGS_BATCH_BYTES_MAX)
        return invalid("Upload too large: a batch has at most 1048576 bytes, with 26 for each "
                       "event.");
    size_t last = in->logEvents.n - 1;
    if (in->logEvents.v[last].timestamp.v - in->logEvents.v[0].timestamp.v >
        LOGS_SPAN_HOURS * HOUR_MS)
        return invalid("The batch of log events in a single PutLogEvents request cannot span more "
                       "than 24 hours.");
    return NULL;
}

/* Those outside the times that a stream takes are left out and named. */
static void reject(struct call *c, const struct group *g, const struct logs_InputLogEvents *all,
                   size_t *first, size_t *end, struct logs_PutLogEventsResponse *out)
{
    int64_t old_ms = c->now_ms - LOGS_OLD_DAYS * LOGS_DAY_MS;
    int64_t expired_ms = group_oldest_ms(g, c->now_ms);
    int64_t new_ms = c->now_ms + LOGS_FUTURE_HOURS * HOUR_MS;
    struct logs_RejectedLogEventsInfo *r = ARENA_NEW(c->arena, struct logs_RejectedLogEventsInfo);
    size_t i = 0;
    for (; i < all->n && all->v[i].timestamp.v < expired_ms; i++)
        r->expiredLogEventEndIndex = some_int((int64_t)i + 1);
    for (; i < all->n && all->v[i].timestamp.v < old_ms; i++)
        r->tooOldLogEventEndIndex = some_int((int64_t)i + 1);
    *first = i;
    while (i < all->n && all->v[i].timestamp.v <= new_ms)
        i++;
    *end = i;
    if (i < all->n)
        r->tooNewLogEventStartIndex = some_int((int64_t)i);
    if (*first > 0 || *end < all->n)
        out->rejectedLogEventsInfo = r;
}

/* The call's part of the places of its events: time, 12 bits of a count, 10 bits of this process.
 * Later calls come behind earlier ones of the same millisecond, and no two calls share a place. */
static uint64_t own_part;

static void draw_own_part(void)
{
    own_part = rand_u64() & 0x3ff;
}

static uint64_t next_batch(int64_t now_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Atomic uint64_t count;
    pthread_once(&once, draw_own_part);
    return (uint64_t)now_ms << 22 | (atomic_fetch_add(&count, 1) & 0xfff) << 10 | own_part;
}

OP_HANDLER(logs, PutLogEvents, PutLogEventsRequest, PutLogEventsResponse)
{
    struct group g;
    struct stream s;
    size_t first, end;
    TRY(check_batch(in));
    TRY(group_need(c, in->logGroupName, &g));
    TRY(stream_need(c, &g, in->logStreamName, &s));
    reject(c, &g, &in->logEvents, &first, &end, out);
    struct str owner = group_owner(c->arena, g.account, g.id);
    struct buf b CLEANUP(buf_clear) = BUF_INIT(LOGS_BATCH_BYTES_MAX + 4096);
    uint64_t batch = next_batch(c->now_ms);
    for (size_t i = first; i < end; i++) {
        const struct logs_InputLogEvent *e = &in->logEvents.v[i];
        struct place at = {(uint64_t)e->timestamp.v, batch, (uint32_t)i};
        struct skey k = event_key(g.id, at), of = event_key(s.id, at);
        buf_reset(&b);
        buf_u64(&b, s.id);
        buf_u64(&b, (uint64_t)c->now_ms);
        buf_u32(&b, (uint32_t)s.name.n);
        buf_str(&b, s.name);
        buf_str(&b, e->message);
        TRY(buf_check(&b));
        TRY(txn_put_new(c->txn, LOGS_T_EVENT, owner, key_of(&k), buf_view(&b)));
        TRY(txn_put_new(c->txn, LOGS_T_OF, owner, key_of(&of), STR("")));
    }
    out->nextSequenceToken = arena_fmt(c->arena, "%056llu", (unsigned long long)batch);
    return NULL;
}

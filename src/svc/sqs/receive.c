/* ReceiveMessage: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html */
#include "room.h"

enum { RECEIPT_BYTES = 16 };

struct waiting { /* c->state: what a call remembers between its runs */
    int64_t deadline_ms; /* of the long poll; 0: it has not waited yet */
    int64_t until_ms;
    bool parked;   /* the next run is because it was woken */
    bool conflict; /* another receiver was faster */
};

static bool named(const struct sqs_MessageAttributeNameList *names, struct str name)
{
    for (size_t i = 0; i < names->n; i++) {
        struct str n = names->v[i];
        if (str_is(n, "All") || str_is(n, ".*") || str_eq(n, name))
            return true;
        if (str_ends_c(n, ".*") && str_starts(name, str_take(n, n.n - 2)))
            return true;
    }
    return false;
}

static void fill_attributes(struct call *c, const struct sqs_ReceiveMessageRequest *in,
                            const struct jv *attrs, struct sqs_Message *out)
{
    size_t n = jv_len(attrs);
    out->MessageAttributes.v =
        ARENA_ARRAY(c->arena, n + 1, struct sqs_MessageBodyAttributeMap_item);
    for (size_t i = 0; i < n; i++) {
        if (!named(&in->MessageAttributeNames, attrs->obj.v[i].key))
            continue;
        struct sqs_MessageBodyAttributeMap_item *item =
            &out->MessageAttributes.v[out->MessageAttributes.n++];
        const struct jv *x = &attrs->obj.v[i].value;
        item->key = attrs->obj.v[i].key;
        item->value.DataType = jv_s(jv_get(x, "t"));
        item->value.StringValue = jv_s(jv_get(x, "s"));
        struct str text = jv_s(jv_get(x, "b"));
        if (text.p != NULL && !dec_base64(c->arena, text, &item->value.BinaryValue))
            item->value.BinaryValue = STR("");
        out->MessageAttributes.set = true;
    }
    out->MD5OfMessageAttributes = md5_of_attributes(c->arena, &out->MessageAttributes);
}

struct system_names {
    const struct sqs_AttributeNameList *old;
    const struct sqs_MessageSystemAttributeList *now;
};

static bool system_wanted(const struct system_names *s, const char *name)
{
    for (size_t i = 0; i < s->old->n; i++)
        if (str_is(s->old->v[i], "All") || str_is(s->old->v[i], name))
            return true;
    for (size_t i = 0; i < s->now->n; i++)
        if (str_is(s->now->v[i], "All") || str_is(s->now->v[i], name))
            return true;
    return false;
}

static void add_system(const struct system_names *names, struct sqs_Message *m, const char *name,
                       struct str value)
{
    if (value.p == NULL || !system_wanted(names, name))
        return;
    m->Attributes.v[m->Attributes.n].key = str_c(name);
    m->Attributes.v[m->Attributes.n++].value = value;
    m->Attributes.set = true;
}

static struct str number(struct call *c, int64_t v)
{
    return arena_fmt(c->arena, "%lld", (long long)v);
}

static struct err *fill(struct call *c, const struct sqs_ReceiveMessageRequest *in,
                        const struct queue *q, const struct entry *e, struct str text,
                        struct sqs_Message *m)
{
    struct jv *j;
    TRY(json_parse(c->arena, text, JSON_DEPTH_DEFAULT, &j));
    m->MessageId = e->id;
    m->Body = jv_s(jv_get(j, "body"));
    m->MD5OfBody = md5_hex(c->arena, m->Body);
    /* The handle: what finds the entry, and the receipt that must still be the newest. */
    struct buf h CLEANUP(buf_clear) = BUF_INIT(512);
    buf_u64(&h, (uint64_t)e->visible_ms);
    buf_u64(&h, (uint64_t)e->sent_ms);
    buf_str(&h, e->receipt);
    buf_str(&h, e->id);
    TRY(buf_check(&h));
    struct str sealed;
    TRY(store_seal(c->ward->store, c->arena, STR("ward"), q->uid, buf_view(&h), &sealed));
    m->ReceiptHandle = enc_base64(c->arena, sealed);
    fill_attributes(c, in, jv_get(j, "attributes"), m);
    struct system_names names = {&in->AttributeNames, &in->MessageSystemAttributeNames};
    m->Attributes.v = ARENA_ARRAY(c->arena, 8, struct sqs_MessageSystemAttributeMap_item);
    add_system(&names, m, "SenderId", jv_s(jv_get(j, "sender")));
    add_system(&names, m, "SentTimestamp", number(c, e->sent_ms));
    add_system(&names, m, "ApproximateReceiveCount", number(c, e->received));
    add_system(&names, m, "ApproximateFirstReceiveTimestamp", number(c, e->first_ms));
    add_system(&names, m, "AWSTraceHeader", jv_s(jv_get(j, "trace")));
    return NULL;
}

/* The message moves to the dead-letter queue: same id, counted anew. */
static struct err *bury(struct call *c, const struct queue *q, const struct entry *e,
                        struct str text, struct str dead_arn)
{
    struct arn arn;
    struct queue dead;
    bool found = false;
    if (arn_parse(dead_arn, &arn))
        TRY(queue_read(c->txn, c->arena, arn.account, arn.region, arn.resource, &dead, &found));
    if (!found)
        return NULL;
    struct entry there = {.visible_ms = c->now_ms, .sent_ms = e->sent_ms, .id = e->id,
                          .receipt = STR("")};
    if (there.sent_ms <= dead.purged_ms)
        there.sent_ms = dead.purged_ms + 1;
    struct skey from = message_key(q, e->sent_ms, e->id), moved = moved_key(q, e->id);
    struct skey to = message_key(&dead, there.sent_ms, e->id);
    TRY(txn_del(c->txn, SQS_T_MOVED, key_of(&moved)));
    TRY(txn_del(c->txn, SQS_T_MESSAGE, key_of(&from)));
    TRY(txn_put(c->txn, SQS_T_MESSAGE, queue_owner(c->arena, &dead), key_of(&to), text));
    TRY(entry_put(c->txn, c->arena, &dead, &there));
    call_wake_on_commit(c->txn, c->arena, queue_wake_key(c->arena, &dead));
    return NULL;
}

/* Takes one candidate: *out_taken false when it went elsewhere. */
static struct err *take(struct call *c, const struct sqs_ReceiveMessageRequest *in,
                        const struct queue *q, struct entry e, struct str ready, int64_t now,
                        int64_t visibility_ms, struct sqs_Message *m, bool *out_taken)
{
    struct str still, text, dead_arn;
    int64_t max;
    *out_taken = false;
    /* Through txn_get: of two receivers of one message, one conflicts. */
    TRY(txn_get(c->txn, SQS_T_READY, ready, c->arena, &still));
    struct skey k = message_key(q, e.sent_ms, e.id);
    TRY(txn_get(c->txn, SQS_T_MESSAGE, key_of(&k), c->arena, &text));
    if (still.p == NULL)
        return NULL;
    TRY(txn_del(c->txn, SQS_T_READY, ready));
    if (text.p == NULL)
        return NULL;
    if (queue_redrive(c, q, &dead_arn, &max) && e.received >= max)
        return bury(c, q, &e, text, dead_arn);
    unsigned char receipt[RECEIPT_BYTES];
    rand_bytes(receipt, sizeof receipt);
    e.receipt = enc_hex(c->arena, str_of(receipt, sizeof receipt));
    e.received++;
    if (e.first_ms == 0)
        e.first_ms = now;
    e.visible_ms = now + visibility_ms;
    TRY(entry_put(c->txn, c->arena, q, &e));
    *out_taken = true;
    return fill(c, in, q, &e, text, m);
}

struct candidates {
    struct entry v[SQS_LOOK_MAX];
    struct str keys[SQS_LOOK_MAX];
    size_t n;
    int64_t next_ms; /* when the first invisible one will be visible */
};

static struct err *look(struct call *c, const struct queue *q, int64_t now, struct candidates *out)
{
    struct skey prefix = skey();
    key_str(&prefix, q->uid);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, SQS_T_READY, &sc, &cur));
    int64_t oldest = now - queue_number(q, "MessageRetentionPeriod") * 1000;
    out->next_ms = INT64_MAX;
    while (out->n < SQS_LOOK_MAX) {
        bool more;
        struct str key, value;
        struct entry *e = &out->v[out->n];
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (!entry_read(c->arena, key, value, e))
            continue;
        if (e->visible_ms > now) {
            out->next_ms = e->visible_ms;
            return NULL;
        }
        if (e->sent_ms > q->purged_ms && e->sent_ms > oldest)
            out->keys[out->n++] = arena_str(c->arena, key);
    }
    return NULL;
}

/* Nothing there: wait for a wake, for the next to become visible, or for the end of the poll. */
static struct err *wait_or_give_up(struct call *c, const struct queue *q,
                                   const struct candidates *cand, int64_t now, int64_t wait_s)
{
    struct waiting *w = c->state;
    if (w->deadline_ms == 0) {
        w->deadline_ms = now + wait_s * 1000;
    } else if (c->wait_over && now < w->until_ms) {
        return NULL; /* Ward is stopping */
    }
    c->wait_over = false;
    if (now >= w->deadline_ms)
        return NULL;
    w->until_ms = cand->next_ms < w->deadline_ms ? cand->next_ms : w->deadline_ms;
    w->parked = true;
    w->conflict = false;
    return call_park(c, queue_wake_key(c->arena, q), w->until_ms);
}

/* Where to begin: at the oldest. Who lost that to another receiver begins anywhere, or all of them
 * would go on to meet at the next. */
static size_t first_candidate(struct call *c, const struct candidates *cand)
{
    struct waiting *w = c->state;
    if (w == NULL)
        c->state = w = ARENA_NEW(c->arena, struct waiting);
    else if (!w->parked)
        w->conflict = true;
    w->parked = false;
    return w->conflict && cand->n > 0 ? (size_t)(rand_u64() % cand->n) : 0;
}

static struct err *check_input(const struct sqs_ReceiveMessageRequest *in)
{
    if (in->MaxNumberOfMessages.set &&
        (in->MaxNumberOfMessages.v < 1 || in->MaxNumberOfMessages.v > SQS_RECEIVE_MAX))
        return err_aws(400, "InvalidParameterValue",
                       "Value %lld for parameter MaxNumberOfMessages is invalid. Reason: Must be "
                       "between 1 and 10, if provided.",
                       (long long)in->MaxNumberOfMessages.v);
    if (in->WaitTimeSeconds.set &&
        (in->WaitTimeSeconds.v < 0 || in->WaitTimeSeconds.v > SQS_WAIT_MAX_S))
        return err_aws(400, "InvalidParameterValue",
                       "Value %lld for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 "
                       "and <= 20, if provided.",
                       (long long)in->WaitTimeSeconds.v);
    if (in->VisibilityTimeout.set &&
        (in->VisibilityTimeout.v < 0 || in->VisibilityTimeout.v > SQS_VISIBILITY_MAX_S))
        return err_aws(400, "InvalidParameterValue",
                       "Value %lld for parameter VisibilityTimeout is invalid. Reason: Must be "
                       "between 0 and 43200, if provided.",
                       (long long)in->VisibilityTimeout.v);
    return NULL;
}

OP_HANDLER(sqs, ReceiveMessage, ReceiveMessageRequest, ReceiveMessageResult)
{
    struct queue q;
    TRY(check_input(in));
    TRY(queue_need(c, in->QueueUrl, &q));
    size_t want = in->MaxNumberOfMessages.set ? (size_t)in->MaxNumberOfMessages.v : 1;
    int64_t wait_s = in->WaitTimeSeconds.set ? in->WaitTimeSeconds.v
                                             : queue_number(&q, "ReceiveMessageWaitTimeSeconds");
    int64_t visibility_s =
        in->VisibilityTimeout.set ? in->VisibilityTimeout.v : queue_number(&q, "VisibilityTimeout");
    int64_t now = clock_now_ms(); /* a parked call is older than now */
    struct candidates *cand = ARENA_NEW(c->arena, struct candidates);
    TRY(look(c, &q, now, cand));
    out->Messages.v = ARENA_ARRAY(c->arena, want, struct sqs_Message);
    bool moved = false;
    size_t first = first_candidate(c, cand);
    for (size_t n = 0; n < cand->n && out->Messages.n < want; n++) {
        size_t i = (first + n) % cand->n;
        bool taken;
        TRY(take(c, in, &q, cand->v[i], cand->keys[i], now, visibility_s * 1000,
                 &out->Messages.v[out->Messages.n], &taken));
        out->Messages.n += taken;
        moved |= !taken;
    }
    out->Messages.set = out->Messages.n > 0;
    if (out->Messages.n > 0 || moved)
        return NULL; /* dead letters moved: commit that first, the client asks again */
    return wait_or_give_up(c, &q, cand, now, wait_s);
}

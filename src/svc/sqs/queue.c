/* Queues: made, found, listed, emptied, deleted, tagged. */
#include "room.h"

#include "core/log.h"

enum {
    SWEEP_EVERY_MS = 3600 * 1000,
    SWEEP_RETRY_MS = 2000,
    SWEEP_ARENA = 64 * 1024 * 1024,
    PURGE_PAUSE_MS = 60000,
};

struct skey queue_key(struct str account, struct str region, struct str name)
{
    struct skey k = skey();
    key_str(&k, account);
    key_str(&k, region);
    key_str(&k, name);
    return k;
}

static void from_row(struct arena *a, struct str account, struct str region, struct str name,
                     struct jv *row, struct queue *out)
{
    *out = (struct queue){.account = arena_str(a, account),
                          .region = arena_str(a, region),
                          .name = arena_str(a, name),
                          .uid = jv_s(jv_get(row, "uid")),
                          .row = row,
                          .attrs = (struct jv *)jv_get(row, "attributes"),
                          .purged_ms = jv_i(jv_get(row, "purged_ms"), 0)};
    out->arn = arena_fmt(a, "arn:%s:sqs:%.*s:%.*s:%.*s", IDENTITY_PARTITION, STR_ARG(region),
                         STR_ARG(account), STR_ARG(name));
}

struct err *queue_read(struct txn *t, struct arena *a, struct str account, struct str region,
                       struct str name, struct queue *out, bool *out_found)
{
    struct skey k = queue_key(account, region, name);
    struct str text;
    struct jv *row;
    /* Everybody who sends reads this row and nobody writes it then: no conflict to look for. A
     * message sent while its queue is deleted goes with the queue. */
    TRY(txn_peek(t, SQS_T_QUEUE, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    from_row(a, account, region, name, row, out);
    return NULL;
}

bool queue_url_parts(struct str url, struct str *account, struct str *name)
{
    ptrdiff_t last = str_rfind_char(url, '/');
    if (last <= 0)
        return false;
    struct str head = str_take(url, (size_t)last);
    ptrdiff_t before = str_rfind_char(head, '/');
    *name = str_skip(url, (size_t)last + 1);
    *account = str_skip(head, (size_t)(before + 1));
    return account->n == 12 && name->n > 0;
}

/* Old clients call the queue's URL itself and name it nowhere else. */
struct str queue_url_given(const struct call *c, struct str url)
{
    return url.n == 0 && c->wire != NULL ? c->wire->path : url;
}

static struct err *no_such_queue(void)
{
    return err_aws(400, "QueueDoesNotExist", "The specified queue does not exist.");
}

struct err *queue_need(struct call *c, struct str url, struct queue *out)
{
    struct str account, name;
    bool found;
    url = queue_url_given(c, url);
    if (!queue_url_parts(url, &account, &name))
        return err_aws(400, "InvalidAddress", "The address %.*s is not valid for this endpoint.",
                       STR_ARG(str_take(url, 200)));
    TRY(queue_read(c->txn, c->arena, account, c->region, name, out, &found));
    return found ? NULL : no_such_queue();
}

struct str queue_url(struct ward *w, struct arena *a, const struct queue *q)
{
    return arena_fmt(a, "%s/%.*s/%.*s", w->endpoint, STR_ARG(q->account), STR_ARG(q->name));
}

struct err *queue_write(struct call *c, const struct queue *q)
{
    struct skey k = queue_key(q->account, q->region, q->name);
    return row_put(c, SQS_T_QUEUE, q->account, key_of(&k), q->row);
}

struct str queue_owner(struct arena *a, const struct queue *q)
{
    return arena_fmt(a, "%.*s/sqs/%.*s", STR_ARG(q->account), STR_ARG(q->uid));
}

struct str queue_wake_key(struct arena *a, const struct queue *q)
{
    return arena_fmt(a, "sqs/%.*s", STR_ARG(q->uid));
}

/* -- create and find --------------------------------------------------------------------------- */

bool name_char(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '-' || ch == '_';
}

static struct err *check_name(struct call *c, struct str n)
{
    bool ok = n.n >= 1 && n.n <= SQS_NAME_MAX;
    if (str_ends_c(n, ".fifo"))
        return err_not_implemented(c, "A FIFO queue");
    for (size_t i = 0; ok && i < n.n; i++)
        ok = name_char(n.p[i]);
    return ok ? NULL
              : err_aws(400, "InvalidParameterValue",
                        "Can only include alphanumeric characters, hyphens, or underscores. 1 to "
                        "80 in length");
}

/* Made again with the same attributes: the same queue. With others: an error. */
static struct err *same_attributes(const struct queue *q, const struct sqs_QueueAttributeMap *set)
{
    for (size_t i = 0; i < set->n; i++) {
        if (!queue_has_value(q, set->v[i].key, set->v[i].value))
            return err_aws(400, "QueueNameExists",
                           "A queue already exists with the same name and a different value for "
                           "attribute %.*s",
                           STR_ARG(set->v[i].key));
    }
    return NULL;
}

static struct jv *tags_json(struct call *c, const struct sqs_TagMap *tags)
{
    struct jv *o = jv_new_obj(c->arena);
    for (size_t i = 0; i < tags->n; i++)
        jv_set(c->arena, o, tags->v[i].key, jv_new_str(c->arena, tags->v[i].value));
    return o;
}

OP_HANDLER(sqs, CreateQueue, CreateQueueRequest, CreateQueueResult)
{
    struct queue q;
    bool found;
    TRY(check_name(c, in->QueueName));
    struct skey k = queue_key(c->account, c->region, in->QueueName);
    struct jv *former;
    TRY(row_get(c, SQS_T_QUEUE, key_of(&k), &former)); /* two creators must conflict */
    found = former != NULL;
    if (found) {
        from_row(c->arena, c->account, c->region, in->QueueName, former, &q);
        TRY(same_attributes(&q, &in->Attributes));
        out->QueueUrl = queue_url(c->ward, c->arena, &q);
        return NULL;
    }
    if (in->tags.n > SQS_TAGS_MAX)
        return err_aws(400, "InvalidParameterValue", "A queue has at most %d tags.", SQS_TAGS_MAX);
    char uid[37];
    rand_uuid(uid);
    struct jv *row = jv_new_obj(c->arena);
    jv_set(c->arena, row, STR("uid"), jv_new_str(c->arena, arena_str(c->arena, str_c(uid))));
    jv_set(c->arena, row, STR("created_ms"), jv_new_int(c->arena, c->now_ms));
    jv_set(c->arena, row, STR("modified_ms"), jv_new_int(c->arena, c->now_ms));
    jv_set(c->arena, row, STR("attributes"), jv_new_obj(c->arena));
    jv_set(c->arena, row, STR("tags"), tags_json(c, &in->tags));
    from_row(c->arena, c->account, c->region, in->QueueName, row, &q);
    TRY(queue_set_attributes(c, &q, &in->Attributes));
    TRY(queue_write(c, &q));
    TRY(job_put(c->txn, c->account, "sqs.sweep", q.uid, c->now_ms + SWEEP_EVERY_MS,
                arena_fmt(c->arena, "%.*s %.*s %.*s", STR_ARG(q.account), STR_ARG(q.region),
                          STR_ARG(q.name))));
    out->QueueUrl = queue_url(c->ward, c->arena, &q);
    return NULL;
}

OP_HANDLER(sqs, GetQueueUrl, GetQueueUrlRequest, GetQueueUrlResult)
{
    struct queue q;
    bool found;
    struct str owner = in->QueueOwnerAWSAccountId.n > 0 ? in->QueueOwnerAWSAccountId : c->account;
    TRY(queue_read(c->txn, c->arena, owner, c->region, in->QueueName, &q, &found));
    if (!found)
        return no_such_queue();
    out->QueueUrl = queue_url(c->ward, c->arena, &q);
    return NULL;
}

/* Every queue of the caller, in order of name; fn says whether it is wanted. */
static struct err *list_queues(struct call *c, struct str name_prefix, struct str token,
                               struct opt_int max, bool (*wanted)(const struct queue *, void *),
                               void *ctx, struct sqs_QueueUrlList *out, struct str *out_token)
{
    size_t limit = max.set ? (size_t)max.v : SQS_LIST_MAX;
    if (limit < 1 || limit > SQS_LIST_MAX)
        return err_aws(400, "InvalidParameterValue", "MaxResults must be between 1 and %d.",
                       SQS_LIST_MAX);
    struct str position;
    TRY(page_position(c, token, "InvalidParameterValue", &position));
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, SQS_T_QUEUE, &sc, &cur));
    out->v = ARENA_ARRAY(c->arena, limit, struct str);
    out->set = true;
    struct str last = STR_NONE;
    for (;;) {
        bool more;
        struct str key, value, account, region, name;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        struct str whole = arena_str(c->arena, key);
        if (!key_take_str(c->arena, &key, &account) || !key_take_str(c->arena, &key, &region) ||
            !key_take_str(c->arena, &key, &name) || !str_starts(name, name_prefix))
            continue;
        if (out->n == limit) {
            *out_token = max.set ? page_token(c, last) : STR_NONE;
            return NULL;
        }
        struct queue q;
        struct jv *row;
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        from_row(c->arena, account, region, name, row, &q);
        last = whole;
        if (wanted == NULL || wanted(&q, ctx))
            out->v[out->n++] = queue_url(c->ward, c->arena, &q);
    }
}

OP_HANDLER(sqs, ListQueues, ListQueuesRequest, ListQueuesResult)
{
    return list_queues(c, in->QueueNamePrefix, in->NextToken, in->MaxResults, NULL, NULL,
                       &out->QueueUrls, &out->NextToken);
}

struct dead_letter {
    struct call *c;
    struct str arn;
};

static bool sends_there(const struct queue *q, void *ctx)
{
    struct dead_letter *d = ctx;
    struct str arn;
    int64_t max;
    return queue_redrive(d->c, q, &arn, &max) && str_eq(arn, d->arn);
}

OP_HANDLER(sqs, ListDeadLetterSourceQueues, ListDeadLetterSourceQueuesRequest,
           ListDeadLetterSourceQueuesResult)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    struct dead_letter d = {c, q.arn};
    return list_queues(c, STR(""), in->NextToken, in->MaxResults, sends_there, &d, &out->queueUrls,
                       &out->NextToken);
}

/* -- delete, purge, sweep ---------------------------------------------------------------------- */

OP_HANDLER_NO_OUT(sqs, DeleteQueue, DeleteQueueRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    struct skey k = queue_key(q.account, q.region, q.name);
    TRY(txn_del(c->txn, SQS_T_QUEUE, key_of(&k)));
    call_wake_on_commit(c->txn, c->arena, queue_wake_key(c->arena, &q));
    return job_put(c->txn, c->account, "sqs.sweep", q.uid, c->now_ms,
                   arena_fmt(c->arena, "%.*s %.*s %.*s", STR_ARG(q.account), STR_ARG(q.region),
                             STR_ARG(q.name)));
}

OP_HANDLER_NO_OUT(sqs, PurgeQueue, PurgeQueueRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    if (q.purged_ms > c->now_ms - PURGE_PAUSE_MS)
        return err_aws(403, "PurgeQueueInProgress",
                       "Only one PurgeQueue operation on %.*s is allowed every 60 seconds.",
                       STR_ARG(q.name));
    jv_set(c->arena, q.row, STR("purged_ms"), jv_new_int(c->arena, c->now_ms));
    TRY(queue_write(c, &q));
    return job_put(c->txn, c->account, "sqs.sweep", q.uid, c->now_ms,
                   arena_fmt(c->arena, "%.*s %.*s %.*s", STR_ARG(q.account), STR_ARG(q.region),
                             STR_ARG(q.name)));
}

/* Deletes what is gone for everybody already: messages past their retention, purged, or of a
 * deleted queue. A batch at a time; *out_more: there may be more. */
static struct err *sweep_batch(struct job *j, struct str uid, int64_t until_ms, bool *out_more)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SWEEP_ARENA); /* of one batch only */
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    struct skey prefix = skey();
    key_str(&prefix, uid);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur = NULL;
    TRY(txn_scan(t, SQS_T_READY, &sc, &cur));
    struct err *e = NULL;
    size_t n = 0, seen = 0;
    struct str keys[SQS_SWEEP_BATCH];
    struct entry entries[SQS_SWEEP_BATCH];
    *out_more = false;
    while (e == NULL && n < SQS_SWEEP_BATCH && seen++ < SQS_COUNT_MAX) {
        bool more;
        struct str key, value;
        e = cursor_next(cur, &more, &key, &value);
        if (e != NULL || !more)
            break;
        keys[n] = arena_str(a, key);
        if (entry_read(a, keys[n], STR_NONE, &entries[n]) && entries[n].sent_ms <= until_ms)
            n++;
    }
    cursor_free(cur);
    TRY(e);
    struct queue q = {.uid = uid};
    for (size_t i = 0; i < n; i++) {
        struct skey m = message_key(&q, entries[i].sent_ms, entries[i].id);
        struct skey moved = moved_key(&q, entries[i].id);
        TRY(txn_del(t, SQS_T_READY, keys[i]));
        TRY(txn_del(t, SQS_T_MOVED, key_of(&moved)));
        TRY(txn_del(t, SQS_T_MESSAGE, key_of(&m)));
    }
    *out_more = n == SQS_SWEEP_BATCH;
    return txn_commit(&t);
}

static struct err *sweep(struct job *j, bool *out_gone)
{
    struct str rest = j->payload, account = str_cut(&rest, ' '), region = str_cut(&rest, ' ');
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct queue q;
    bool found;
    TRY(store_begin(j->ward->store, TXN_READ, &t));
    TRY(queue_read(t, j->arena, account, region, rest, &q, &found));
    txn_abort(&t);
    *out_gone = !found || !str_eq(q.uid, j->id);
    int64_t until = INT64_MAX;
    if (!*out_gone) {
        until = clock_now_ms() - queue_number(&q, "MessageRetentionPeriod") * 1000;
        if (q.purged_ms > until)
            until = q.purged_ms;
    }
    bool more = true;
    while (more)
        TRY(sweep_batch(j, j->id, until, &more));
    struct queue gone = {.account = account, .uid = j->id};
    return *out_gone ? store_owner_destroy(j->ward->store, queue_owner(j->arena, &gone)) : NULL;
}

static enum job_next run_sweep(struct job *j, int64_t *again_ms)
{
    bool gone = false;
    *again_ms = clock_now_ms() + SWEEP_EVERY_MS;
    struct err *e = sweep(j, &gone);
    if (e == NULL)
        return gone ? JOB_DONE : JOB_AGAIN;
    *again_ms = clock_now_ms() + SWEEP_RETRY_MS;
    if (err_is(e, ERR_CONFLICT))
        err_free(e);
    else
        log_err(LOG_WARN, "a queue could not be swept; will try again", e);
    return JOB_AGAIN;
}

const struct job_kind sqs_jobs[] = {
    {.name = "sqs.sweep", .run = run_sweep, .parallel = 1},
    {0},
};

/* -- tags -------------------------------------------------------------------------------------- */

OP_HANDLER_NO_OUT(sqs, TagQueue, TagQueueRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    struct jv *tags = (struct jv *)jv_get(q.row, "tags");
    for (size_t i = 0; i < in->Tags.n; i++)
        jv_set(c->arena, tags, in->Tags.v[i].key, jv_new_str(c->arena, in->Tags.v[i].value));
    if (jv_len(tags) > SQS_TAGS_MAX)
        return err_aws(400, "InvalidParameterValue", "A queue has at most %d tags.", SQS_TAGS_MAX);
    return queue_write(c, &q);
}

OP_HANDLER_NO_OUT(sqs, UntagQueue, UntagQueueRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    jv_set(c->arena, q.row, STR("tags"),
           tags_without(c->arena, jv_get(q.row, "tags"), in->TagKeys.v, in->TagKeys.n));
    return queue_write(c, &q);
}

OP_HANDLER(sqs, ListQueueTags, ListQueueTagsRequest, ListQueueTagsResult)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    const struct jv *tags = jv_get(q.row, "tags");
    out->Tags.v = ARENA_ARRAY(c->arena, jv_len(tags) + 1, struct sqs_TagMap_item);
    out->Tags.set = true;
    for (size_t i = 0; i < jv_len(tags); i++) {
        out->Tags.v[out->Tags.n].key = tags->obj.v[i].key;
        out->Tags.v[out->Tags.n++].value = jv_s(&tags->obj.v[i].value);
    }
    return NULL;
}

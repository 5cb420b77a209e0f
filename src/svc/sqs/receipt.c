/* What is done with a received message, by its receipt handle: delete it, or change its time. */
#include "room.h"

enum { RECEIPT_HEX = 32, HANDLE_MAX = 4096 };

struct handle {
    struct entry e;
};

static struct err *bad_handle(void)
{
    return err_aws(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
}

/* Opens a handle; only those that this queue gave open. */
static struct err *open_handle(struct call *c, const struct queue *q, struct str text,
                               struct handle *out)
{
    struct str sealed, plain;
    uint64_t visible, sent;
    if (text.n == 0 || text.n > HANDLE_MAX || !dec_base64(c->arena, text, &sealed))
        return bad_handle();
    struct err *e = store_unseal(c->ward->store, c->arena, q->uid, sealed, &plain);
    if (e != NULL) {
        err_free(e);
        return bad_handle();
    }
    if (!key_take_u64(&plain, &visible) || !key_take_u64(&plain, &sent) || plain.n <= RECEIPT_HEX)
        return bad_handle();
    out->e = (struct entry){.visible_ms = (int64_t)visible, .sent_ms = (int64_t)sent,
                            .receipt = str_take(plain, RECEIPT_HEX),
                            .id = str_skip(plain, RECEIPT_HEX)};
    return NULL;
}

static struct err *entry_at(struct call *c, const struct queue *q, const struct entry *at,
                            struct str receipt, struct entry *out, bool *out_found)
{
    struct str value;
    struct skey k = ready_key(q, at);
    TRY(txn_get(c->txn, SQS_T_READY, key_of(&k), c->arena, &value));
    *out_found = value.p != NULL && entry_read(c->arena, key_of(&k), value, out) &&
                 str_eq(out->receipt, receipt);
    return NULL;
}

/* The entry as it stands now, if the handle's receipt is still the newest. An entry's time is in
 * its key; where ChangeMessageVisibility moved it to stands in sqs.moved. */
static struct err *find_entry(struct call *c, const struct queue *q, const struct handle *h,
                              struct entry *out, bool *out_found)
{
    TRY(entry_at(c, q, &h->e, h->e.receipt, out, out_found));
    if (*out_found)
        return NULL;
    struct str value;
    uint64_t visible;
    struct skey k = moved_key(q, h->e.id);
    TRY(txn_get(c->txn, SQS_T_MOVED, key_of(&k), c->arena, &value));
    if (value.p == NULL || !key_take_u64(&value, &visible))
        return NULL;
    struct entry moved = h->e;
    moved.visible_ms = (int64_t)visible;
    return entry_at(c, q, &moved, h->e.receipt, out, out_found);
}

/* Deleting what is gone already is a success, as with AWS. */
static struct err *delete_one(struct call *c, const struct queue *q, struct str text)
{
    struct handle h;
    struct entry e;
    bool found;
    TRY(open_handle(c, q, text, &h));
    TRY(find_entry(c, q, &h, &e, &found));
    if (!found)
        return NULL;
    struct skey r = ready_key(q, &e), m = message_key(q, e.sent_ms, e.id);
    struct skey moved = moved_key(q, e.id);
    TRY(txn_del(c->txn, SQS_T_READY, key_of(&r)));
    TRY(txn_del(c->txn, SQS_T_MOVED, key_of(&moved)));
    return txn_del(c->txn, SQS_T_MESSAGE, key_of(&m));
}

OP_HANDLER_NO_OUT(sqs, DeleteMessage, DeleteMessageRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    return delete_one(c, &q, in->ReceiptHandle);
}

OP_HANDLER(sqs, DeleteMessageBatch, DeleteMessageBatchRequest, DeleteMessageBatchResult)
{
    struct queue q;
    size_t n = in->Entries.n;
    struct str *ids = ARENA_ARRAY(c->arena, n + 1, struct str);
    for (size_t i = 0; i < n; i++)
        ids[i] = in->Entries.v[i].Id;
    TRY(batch_check(ids, n));
    TRY(queue_need(c, in->QueueUrl, &q));
    out->Successful.v = ARENA_ARRAY(c->arena, n, struct sqs_DeleteMessageBatchResultEntry);
    out->Failed.v = ARENA_ARRAY(c->arena, n, struct sqs_BatchResultErrorEntry);
    out->Successful.set = true;
    for (size_t i = 0; i < n; i++) {
        struct err *e = delete_one(c, &q, in->Entries.v[i].ReceiptHandle);
        if (err_is(e, ERR_CONFLICT))
            return e;
        if (e == NULL) {
            out->Successful.v[out->Successful.n++].Id = ids[i];
        } else {
            out->Failed.set = true;
            batch_fail(c, &out->Failed, ids[i], e);
        }
    }
    return NULL;
}

static struct err *change_one(struct call *c, const struct queue *q, struct str text,
                              struct opt_int seconds)
{
    struct handle h;
    struct entry e;
    bool found;
    if (!seconds.set || seconds.v < 0 || seconds.v > SQS_VISIBILITY_MAX_S)
        return err_aws(400, "InvalidParameterValue",
                       "VisibilityTimeout must be between 0 and 43200.");
    TRY(open_handle(c, q, text, &h));
    TRY(find_entry(c, q, &h, &e, &found));
    int64_t now = clock_now_ms();
    if (!found || e.visible_ms <= now)
        return err_aws(400, "MessageNotInflight",
                       "The message referred to is not in flight: it is visible or deleted.");
    struct skey r = ready_key(q, &e);
    TRY(txn_del(c->txn, SQS_T_READY, key_of(&r)));
    e.visible_ms = now + seconds.v * 1000;
    TRY(entry_put(c->txn, c->arena, q, &e));
    struct buf at CLEANUP(buf_clear) = BUF_INIT(8);
    struct skey moved = moved_key(q, e.id);
    buf_u64(&at, (uint64_t)e.visible_ms);
    TRY(txn_put(c->txn, SQS_T_MOVED, queue_owner(c->arena, q), key_of(&moved), buf_view(&at)));
    if (seconds.v == 0)
        call_wake_on_commit(c->txn, c->arena, queue_wake_key(c->arena, q));
    return NULL;
}

OP_HANDLER_NO_OUT(sqs, ChangeMessageVisibility, ChangeMessageVisibilityRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    return change_one(c, &q, in->ReceiptHandle, in->VisibilityTimeout);
}

OP_HANDLER(sqs, ChangeMessageVisibilityBatch, ChangeMessageVisibilityBatchRequest,
           ChangeMessageVisibilityBatchResult)
{
    struct queue q;
    size_t n = in->Entries.n;
    struct str *ids = ARENA_ARRAY(c->arena, n + 1, struct str);
    for (size_t i = 0; i < n; i++)
        ids[i] = in->Entries.v[i].Id;
    TRY(batch_check(ids, n));
    TRY(queue_need(c, in->QueueUrl, &q));
    out->Successful.v =
        ARENA_ARRAY(c->arena, n, struct sqs_ChangeMessageVisibilityBatchResultEntry);
    out->Failed.v = ARENA_ARRAY(c->arena, n, struct sqs_BatchResultErrorEntry);
    out->Successful.set = true;
    for (size_t i = 0; i < n; i++) {
        struct err *e = change_one(c, &q, in->Entries.v[i].ReceiptHandle,
                                   in->Entries.v[i].VisibilityTimeout);
        if (err_is(e, ERR_CONFLICT))
            return e;
        if (e == NULL) {
            out->Successful.v[out->Successful.n++].Id = ids[i];
        } else {
            out->Failed.set = true;
            batch_fail(c, &out->Failed, ids[i], e);
        }
    }
    return NULL;
}

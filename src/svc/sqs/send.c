/* SendMessage and its batch. */
#include "room.h"

struct skey ready_key(const struct queue *q, const struct entry *e)
{
    struct skey k = skey();
    key_str(&k, q->uid);
    key_u64(&k, (uint64_t)e->visible_ms);
    key_u64(&k, (uint64_t)e->sent_ms);
    key_str(&k, e->id);
    return k;
}

struct skey message_key(const struct queue *q, int64_t sent_ms, struct str id)
{
    struct skey k = skey();
    key_str(&k, q->uid);
    key_u64(&k, (uint64_t)sent_ms);
    key_str(&k, id);
    return k;
}

struct skey moved_key(const struct queue *q, struct str id)
{
    struct skey k = skey();
    key_str(&k, q->uid);
    key_str(&k, id);
    return k;
}

bool entry_read(struct arena *a, struct str key, struct str value, struct entry *out)
{
    struct str uid;
    uint64_t visible, sent, received = 0, first = 0;
    if (!key_take_str(a, &key, &uid) || !key_take_u64(&key, &visible) ||
        !key_take_u64(&key, &sent) || !key_take_str(a, &key, &out->id))
        return false;
    if (value.n > 0 && (!key_take_u64(&value, &received) || !key_take_u64(&value, &first)))
        return false;
    out->visible_ms = (int64_t)visible;
    out->sent_ms = (int64_t)sent;
    out->received = (int64_t)received;
    out->first_ms = (int64_t)first;
    out->receipt = arena_str(a, value);
    return true;
}

struct err *entry_put(struct txn *t, struct arena *a, const struct queue *q, const struct entry *e)
{
    struct buf v CLEANUP(buf_clear) = BUF_INIT(256);
    buf_u64(&v, (uint64_t)e->received);
    buf_u64(&v, (uint64_t)e->first_ms);
    buf_str(&v, e->receipt);
    TRY(buf_check(&v));
    struct skey k = ready_key(q, e);
    return txn_put(t, SQS_T_READY, queue_owner(a, q), key_of(&k), buf_view(&v));
}

/* XML 1.0's characters, which are what SQS takes. */
static bool clean_text(struct str s)
{
    if (!str_utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        if (ch < 0x20 && ch != '\t' && ch != '\n' && ch != '\r')
            return false;
        if (ch == 0xef && s.n - i >= 3 && (unsigned char)s.p[i + 1] == 0xbf &&
            (unsigned char)s.p[i + 2] >= 0xbe)
            return false;
    }
    return true;
}

/* https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html */
static struct err *check_attribute_name(struct str n)
{
    bool ok = n.n >= 1 && n.n <= SQS_ATTRIBUTE_NAME_MAX && n.p[0] != '.' && n.p[n.n - 1] != '.' &&
              str_find(n, STR("..")) < 0;
    for (size_t i = 0; ok && i < n.n; i++)
        ok = name_char(n.p[i]) || n.p[i] == '.';
    ok = ok && !str_is_i(str_take(n, 4), "aws.") && !str_is_i(str_take(n, 7), "amazon.");
    return ok ? NULL
              : err_aws(400, "InvalidParameterValue",
                        "The name of a message attribute has 1 to 256 letters, digits, "
                        "underscores, hyphens and single periods within, and does not begin with "
                        "AWS. or Amazon.");
}

static struct err *check_attribute(const struct sqs_MessageBodyAttributeMap_item *at, size_t *bytes)
{
    const struct sqs_MessageAttributeValue *v = &at->value;
    bool binary = str_starts_c(v->DataType, "Binary");
    struct str type = v->DataType;
    ptrdiff_t dot = str_find_char(type, '.');
    struct str base = dot < 0 ? type : str_take(type, (size_t)dot);
    TRY(check_attribute_name(at->key));
    if (type.n > SQS_ATTRIBUTE_NAME_MAX || !clean_text(type) ||
        (!binary && !clean_text(v->StringValue)))
        return err_aws(400, "InvalidMessageContents",
                       "A message attribute's type or value contains characters outside the "
                       "allowed set, or its type is too long.");
    if (!str_is(base, "String") && !str_is(base, "Number") && !str_is(base, "Binary"))
        return err_aws(400, "InvalidParameterValue",
                       "The message attribute '%.*s' has an invalid message attribute type, the "
                       "set of supported type prefixes is Binary, Number, and String.",
                       STR_ARG(str_take(at->key, 100)));
    struct str value = binary ? v->BinaryValue : v->StringValue;
    double number;
    if (value.n == 0)
        return err_aws(400, "InvalidParameterValue",
                       "The message attribute '%.*s' must contain a non-empty message attribute "
                       "value.",
                       STR_ARG(str_take(at->key, 100)));
    if (str_is(base, "Number") && !str_to_double(value, &number))
        return err_aws(400, "InvalidParameterValue",
                       "Can't cast the value of message attribute '%.*s' to a number.",
                       STR_ARG(str_take(at->key, 100)));
    *bytes += at->key.n + type.n + value.n;
    return NULL;
}

static struct err *check_attributes(const struct sqs_MessageBodyAttributeMap *m, size_t *bytes)
{
    if (m->n > SQS_ATTRIBUTES_MAX)
        return err_aws(400, "InvalidParameterValue", "Number of message attributes [%zu] exceeds "
                                                     "the allowed maximum [10].", m->n);
    for (size_t i = 0; i < m->n; i++)
        TRY(check_attribute(&m->v[i], bytes));
    return NULL;
}

static struct err *check_system(const struct sqs_MessageBodySystemAttributeMap *m)
{
    if (m == NULL || m->n == 0)
        return NULL;
    if (m->n > 1 || !str_is(m->v[0].key, "AWSTraceHeader") ||
        !str_is(m->v[0].value.DataType, "String") || m->v[0].value.StringValue.n == 0 ||
        m->v[0].value.StringValue.n > SQS_TRACE_MAX || !clean_text(m->v[0].value.StringValue))
        return err_aws(400, "InvalidParameterValue",
                       "The one message system attribute that can be sent is AWSTraceHeader, a "
                       "String.");
    return NULL;
}

static struct err *check_message(struct call *c, const struct queue *q, const struct outgoing *m)
{
    size_t bytes = m->body.n;
    if (m->body.n == 0)
        return err_aws(400, "MissingParameter", "The request must contain the parameter "
                                                "MessageBody.");
    if (!clean_text(m->body))
        return err_aws(400, "InvalidMessageContents",
                       "The message contains characters outside the allowed set.");
    if (m->group.n > 0 || m->dedup.n > 0)
        return err_not_implemented(c, "MessageGroupId and MessageDeduplicationId");
    if (m->delay.set && (m->delay.v < 0 || m->delay.v > SQS_DELAY_MAX_S))
        return err_aws(400, "InvalidParameterValue",
                       "Value %lld for parameter DelaySeconds is invalid. Reason: DelaySeconds "
                       "must be >= 0 and <= 900.",
                       (long long)m->delay.v);
    TRY(check_attributes(m->attributes, &bytes));
    TRY(check_system(m->system));
    int64_t max = queue_number(q, "MaximumMessageSize");
    if (bytes > (size_t)max)
        return err_aws(400, "InvalidParameterValue",
                       "One or more parameters are invalid. Reason: Message must be shorter than "
                       "%lld bytes.",
                       (long long)max);
    return NULL;
}

static struct jv *message_json(struct call *c, const struct outgoing *m)
{
    struct arena *a = c->arena;
    struct jv *o = jv_new_obj(a), *attrs = jv_new_obj(a);
    jv_set(a, o, STR("body"), jv_new_str(a, m->body));
    jv_set(a, o, STR("sender"),
           jv_new_str(a, c->id.who.user_id.p != NULL ? c->id.who.user_id : c->id.who.service));
    for (size_t i = 0; i < m->attributes->n; i++) {
        const struct sqs_MessageAttributeValue *v = &m->attributes->v[i].value;
        struct jv *x = jv_new_obj(a);
        jv_set(a, x, STR("t"), jv_new_str(a, v->DataType));
        if (str_starts_c(v->DataType, "Binary"))
            jv_set(a, x, STR("b"), jv_new_str(a, enc_base64(a, v->BinaryValue)));
        else
            jv_set(a, x, STR("s"), jv_new_str(a, v->StringValue));
        jv_set(a, attrs, m->attributes->v[i].key, x);
    }
    if (attrs->obj.n > 0)
        jv_set(a, o, STR("attributes"), attrs);
    for (size_t i = 0; m->system != NULL && i < m->system->n; i++)
        if (str_is(m->system->v[i].key, "AWSTraceHeader"))
            jv_set(a, o, STR("trace"), jv_new_str(a, m->system->v[i].value.StringValue));
    return o;
}

struct err *message_put(struct call *c, const struct queue *q, const struct outgoing *m,
                        struct sent *out)
{
    TRY(check_message(c, q, m));
    char id[37];
    rand_uuid(id);
    int64_t delay = m->delay.set ? m->delay.v : queue_number(q, "DelaySeconds");
    struct entry e = {.sent_ms = c->now_ms, .visible_ms = c->now_ms + delay * 1000,
                      .id = arena_str(c->arena, str_c(id)), .receipt = STR("")};
    /* A clock that was put back must not send into the past of a purge. */
    if (e.sent_ms <= q->purged_ms)
        e.sent_ms = q->purged_ms + 1;
    struct skey k = message_key(q, e.sent_ms, e.id);
    TRY(txn_put_new(c->txn, SQS_T_MESSAGE, queue_owner(c->arena, q), key_of(&k),
                    jv_text(c->arena, message_json(c, m))));
    TRY(entry_put(c->txn, c->arena, q, &e));
    call_wake_on_commit(c->txn, c->arena, queue_wake_key(c->arena, q));
    out->id = e.id;
    out->md5_body = md5_hex(c->arena, m->body);
    out->md5_attributes = md5_of_attributes(c->arena, m->attributes);
    out->md5_system = md5_of_system(c->arena, m->system);
    return NULL;
}

OP_HANDLER(sqs, SendMessage, SendMessageRequest, SendMessageResult)
{
    struct queue q;
    struct sent s = {0};
    TRY(queue_need(c, in->QueueUrl, &q));
    struct outgoing m = {in->MessageBody,       in->DelaySeconds,
                         &in->MessageAttributes, &in->MessageSystemAttributes,
                         in->MessageGroupId,     in->MessageDeduplicationId};
    TRY(message_put(c, &q, &m, &s));
    out->MessageId = s.id;
    out->MD5OfMessageBody = s.md5_body;
    out->MD5OfMessageAttributes = s.md5_attributes;
    out->MD5OfMessageSystemAttributes = s.md5_system;
    return NULL;
}

/* -- batches ----------------------------------------------------------------------------------- */

struct err *batch_check(const struct str *ids, size_t n)
{
    if (n == 0)
        return err_aws(400, "EmptyBatchRequest",
                       "There should be at least one entry in the request.");
    if (n > SQS_BATCH_MAX)
        return err_aws(400, "TooManyEntriesInBatchRequest",
                       "Maximum number of entries per request are 10. You have sent %zu.", n);
    for (size_t i = 0; i < n; i++) {
        bool ok = ids[i].n >= 1 && ids[i].n <= 80;
        for (size_t j = 0; ok && j < ids[i].n; j++)
            ok = name_char(ids[i].p[j]);
        if (!ok)
            return err_aws(400, "InvalidBatchEntryId",
                           "A batch entry id can only contain alphanumeric characters, hyphens "
                           "and underscores. It can be at most 80 letters long.");
        for (size_t j = 0; j < i; j++)
            if (str_eq(ids[i], ids[j]))
                return err_aws(400, "BatchEntryIdsNotDistinct", "Id %.*s repeated.",
                               STR_ARG(ids[i]));
    }
    return NULL;
}

void batch_fail(struct call *c, struct sqs_BatchResultErrorEntryList *list, struct str id,
                struct err *e)
{
    struct sqs_BatchResultErrorEntry *f = &list->v[list->n++];
    f->Id = id;
    f->Code = str_c(e->code != NULL ? e->code : "InternalError");
    f->Message = arena_str(c->arena, str_c(e->message));
    f->SenderFault = some_bool(err_http_status(e) < 500);
    err_free(e);
}

static size_t attribute_bytes(const struct sqs_MessageBodyAttributeMap *m)
{
    size_t bytes = 0;
    for (size_t i = 0; i < m->n; i++)
        bytes += m->v[i].key.n + m->v[i].value.DataType.n + m->v[i].value.StringValue.n +
                 m->v[i].value.BinaryValue.n;
    return bytes;
}

OP_HANDLER(sqs, SendMessageBatch, SendMessageBatchRequest, SendMessageBatchResult)
{
    struct queue q;
    size_t n = in->Entries.n, bytes = 0;
    struct str *ids = ARENA_ARRAY(c->arena, n + 1, struct str);
    for (size_t i = 0; i < n; i++) {
        ids[i] = in->Entries.v[i].Id;
        bytes += in->Entries.v[i].MessageBody.n +
                 attribute_bytes(&in->Entries.v[i].MessageAttributes);
    }
    TRY(batch_check(ids, n));
    if (bytes > SQS_MESSAGE_MAX)
        return err_aws(400, "BatchRequestTooLong",
                       "Batch requests cannot be longer than %d bytes. You have sent %zu bytes.",
                       SQS_MESSAGE_MAX, bytes);
    TRY(queue_need(c, in->QueueUrl, &q));
    out->Successful.v = ARENA_ARRAY(c->arena, n, struct sqs_SendMessageBatchResultEntry);
    out->Failed.v = ARENA_ARRAY(c->arena, n, struct sqs_BatchResultErrorEntry);
    out->Successful.set = true;
    for (size_t i = 0; i < n; i++) {
        const struct sqs_SendMessageBatchRequestEntry *e = &in->Entries.v[i];
        struct outgoing m = {e->MessageBody,       e->DelaySeconds,
                             &e->MessageAttributes, &e->MessageSystemAttributes,
                             e->MessageGroupId,     e->MessageDeduplicationId};
        struct sent s = {0};
        struct err *err = message_put(c, &q, &m, &s);
        if (err_is(err, ERR_CONFLICT))
            return err;
        if (err != NULL) {
            out->Failed.set = true;
            batch_fail(c, &out->Failed, e->Id, err);
            continue;
        }
        struct sqs_SendMessageBatchResultEntry *r = &out->Successful.v[out->Successful.n++];
        r->Id = e->Id;
        r->MessageId = s.id;
        r->MD5OfMessageBody = s.md5_body;
        r->MD5OfMessageAttributes = s.md5_attributes;
        r->MD5OfMessageSystemAttributes = s.md5_system;
    }
    return NULL;
}

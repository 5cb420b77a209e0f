/* Queue attributes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
#include "room.h"

#include "../../auth/principals.h"

struct number {
    const char *name;
    int64_t min, max, other; /* `other`: AWS's default */
};

static const struct number numbers[] = {
    {"DelaySeconds", 0, SQS_DELAY_MAX_S, 0},
    {"MaximumMessageSize", 1024, SQS_MESSAGE_MAX, SQS_MESSAGE_MAX},
    {"MessageRetentionPeriod", SQS_RETENTION_MIN_S, SQS_RETENTION_MAX_S, 345600},
    {"ReceiveMessageWaitTimeSeconds", 0, SQS_WAIT_MAX_S, 0},
    {"VisibilityTimeout", 0, SQS_VISIBILITY_MAX_S, 30},
};

static const struct number *number_row(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (str_is(name, numbers[i].name))
            return &numbers[i];
    return NULL;
}

int64_t queue_number(const struct queue *q, const char *name)
{
    const struct number *r = number_row(str_c(name));
    CHECK(r != NULL);
    int64_t v = r->other;
    (void)str_to_i64(jv_s(jv_get(q->attrs, name)), r->min, r->max, &v);
    return v;
}

bool queue_has_value(const struct queue *q, struct str name, struct str value)
{
    const struct number *r = number_row(name);
    int64_t v;
    if (r != NULL)
        return str_to_i64(value, r->min, r->max, &v) && v == queue_number(q, r->name);
    struct str have = jv_s(jv_get_str(q->attrs, name));
    if (have.p == NULL && str_is(name, "SqsManagedSseEnabled"))
        have = STR("true");
    return str_eq(have, value);
}

static struct err *bad_value(struct str name)
{
    return err_aws(400, "InvalidAttributeValue", "Invalid value for the parameter %.*s.",
                   STR_ARG(name));
}

static struct err *check_redrive(struct call *c, const struct queue *q, struct str name,
                                 struct str value)
{
    struct jv *j;
    struct err *e = json_parse(c->arena, value, 8, &j);
    if (e != NULL) {
        err_free(e);
        return bad_value(name);
    }
    struct arn arn;
    int64_t max = 0;
    const struct jv *count = jv_get(j, "maxReceiveCount");
    bool number = jv_is(count, JV_INT) ? (max = count->i, true)
                                       : str_to_i64(jv_s(count), 1, 1000, &max);
    if (!number || max < 1 || max > 1000 ||
        !arn_parse(jv_s(jv_get(j, "deadLetterTargetArn")), &arn) || !str_is(arn.service, "sqs"))
        return bad_value(name);
    struct queue dead;
    bool found;
    TRY(queue_read(c->txn, c->arena, arn.account, arn.region, arn.resource, &dead, &found));
    if (!found || !str_eq(arn.account, q->account) || !str_eq(arn.region, q->region))
        return err_aws(400, "InvalidParameterValue",
                       "The dead-letter queue must exist, in the same account and Region.");
    return NULL;
}

static struct err *check_policy(struct str value)
{
    struct policy *p;
    struct err *e = policy_compile(value, POLICY_RESOURCE, &p);
    if (e == NULL) {
        policy_unref(p);
        return NULL;
    }
    struct err *named = err_aws(400, "InvalidAttributeValue",
                                "Invalid value for the parameter Policy. %s", e->message);
    err_free(e);
    return named;
}

static struct err *check_one(struct call *c, const struct queue *q, struct str name,
                             struct str value)
{
    const struct number *r = number_row(name);
    int64_t v;
    if (r != NULL)
        return str_to_i64(value, r->min, r->max, &v) ? NULL : bad_value(name);
    if (str_is(name, "Policy"))
        return value.n == 0 ? NULL : check_policy(value);
    if (str_is(name, "RedrivePolicy"))
        return value.n == 0 ? NULL : check_redrive(c, q, name, value);
    if (str_is(name, "SqsManagedSseEnabled"))
        return str_is(value, "true") ? NULL
                                     : err_not_implemented(c, "A queue without encryption at rest");
    if (str_is(name, "KmsMasterKeyId") || str_is(name, "KmsDataKeyReusePeriodSeconds"))
        return value.n == 0 ? NULL : err_not_implemented(c, "SSE-KMS of a queue");
    if (str_is(name, "FifoQueue") || str_is(name, "ContentBasedDeduplication") ||
        str_is(name, "DeduplicationScope") || str_is(name, "FifoThroughputLimit"))
        return err_not_implemented(c, "A FIFO queue");
    if (str_is(name, "RedriveAllowPolicy"))
        return err_not_implemented(c, "RedriveAllowPolicy");
    return err_aws(400, "InvalidAttributeName", "Unknown Attribute %.*s.",
                   STR_ARG(str_take(name, 100)));
}

static struct err *bind_policy(struct call *c, struct queue *q, struct str text)
{
    if (text.n == 0) {
        jv_set(c->arena, q->row, STR("policy_bound"), jv_new_str(c->arena, STR("")));
        return NULL;
    }
    bool known;
    TRY(principals_keep(c->txn, c->arena, q->row, text, &known));
    return known ? NULL : bad_value(STR("Policy"));
}

struct err *queue_set_attributes(struct call *c, struct queue *q,
                                 const struct sqs_QueueAttributeMap *set)
{
    struct jv *attrs = jv_new_obj(c->arena);
    for (size_t i = 0; i < set->n; i++)
        TRY(check_one(c, q, set->v[i].key, set->v[i].value));
    for (size_t i = 0; i < jv_len(q->attrs); i++)
        jv_set(c->arena, attrs, q->attrs->obj.v[i].key, &q->attrs->obj.v[i].value);
    for (size_t i = 0; i < set->n; i++) {
        if (str_is(set->v[i].key, "Policy"))
            TRY(bind_policy(c, q, set->v[i].value));
        jv_set(c->arena, attrs, set->v[i].key, jv_new_str(c->arena, set->v[i].value));
    }
    /* An empty text takes an attribute away. */
    struct jv *kept = jv_new_obj(c->arena);
    for (size_t i = 0; i < attrs->obj.n; i++)
        if (jv_s(&attrs->obj.v[i].value).n > 0)
            jv_set(c->arena, kept, attrs->obj.v[i].key, &attrs->obj.v[i].value);
    jv_set(c->arena, q->row, STR("attributes"), kept);
    q->attrs = (struct jv *)jv_get(q->row, "attributes");
    return NULL;
}

bool queue_redrive(struct call *c, const struct queue *q, struct str *out_arn, int64_t *out_max)
{
    struct str text = jv_s(jv_get(q->attrs, "RedrivePolicy"));
    struct jv *j;
    if (text.n == 0)
        return false;
    struct err *e = json_parse(c->arena, text, 8, &j);
    if (e != NULL) {
        err_free(e);
        return false;
    }
    const struct jv *count = jv_get(j, "maxReceiveCount");
    *out_arn = jv_s(jv_get(j, "deadLetterTargetArn"));
    *out_max = jv_i(count, 0);
    if (jv_is(count, JV_STR) && !str_to_i64(jv_s(count), 1, 1000, out_max))
        return false;
    return out_arn->p != NULL && *out_max > 0;
}

OP_HANDLER_NO_OUT(sqs, SetQueueAttributes, SetQueueAttributesRequest)
{
    struct queue q;
    TRY(queue_need(c, in->QueueUrl, &q));
    TRY(queue_set_attributes(c, &q, &in->Attributes));
    jv_set(c->arena, q.row, STR("modified_ms"), jv_new_int(c->arena, c->now_ms));
    return queue_write(c, &q);
}

/* -- reading ----------------------------------------------------------------------------------- */

static bool is_count(struct str name)
{
    return str_is(name, "ApproximateNumberOfMessages") ||
           str_is(name, "ApproximateNumberOfMessagesNotVisible") ||
           str_is(name, "ApproximateNumberOfMessagesDelayed");
}

struct counts {
    int64_t visible, in_flight, delayed;
};

static struct err *count_messages(struct call *c, const struct queue *q, struct counts *out)
{
    struct skey prefix = skey();
    key_str(&prefix, q->uid);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, SQS_T_READY, &sc, &cur));
    int64_t now = clock_now_ms();
    int64_t oldest = now - queue_number(q, "MessageRetentionPeriod") * 1000;
    for (int n = 0; n < SQS_COUNT_MAX; n++) {
        bool more;
        struct str key, value;
        struct entry e;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (!entry_read(c->arena, key, value, &e) || e.sent_ms <= q->purged_ms ||
            e.sent_ms <= oldest)
            continue;
        int64_t *count = e.visible_ms <= now ? &out->visible
                         : e.received > 0    ? &out->in_flight
                                             : &out->delayed;
        (*count)++;
    }
    return NULL;
}

static struct err *check_names(const struct sqs_AttributeNameList *names)
{
    static const char *const known[] = {
        "All", "Policy", "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "RedrivePolicy",
        "RedriveAllowPolicy", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope",
        "FifoThroughputLimit", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds",
        "SqsManagedSseEnabled"};
    for (size_t i = 0; i < names->n; i++) {
        bool ok = number_row(names->v[i]) != NULL || is_count(names->v[i]);
        for (size_t k = 0; !ok && k < ARRAY_LEN(known); k++)
            ok = str_is(names->v[i], known[k]);
        if (!ok)
            return err_aws(400, "InvalidAttributeName", "Unknown Attribute %.*s.",
                           STR_ARG(str_take(names->v[i], 100)));
    }
    return NULL;
}

/* Counting walks the queue: only for who asks. */
static bool wants_counts(const struct sqs_AttributeNameList *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_is(names->v[i], "All") || is_count(names->v[i]))
            return true;
    return false;
}

static bool wanted(const struct sqs_AttributeNameList *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_is(names->v[i], name) || str_is(names->v[i], "All"))
            return true;
    return false;
}

struct listing {
    struct call *c;
    const struct sqs_AttributeNameList *names;
    struct sqs_QueueAttributeMap *out;
};

static void list_text(struct listing *l, const char *name, struct str value)
{
    if (value.p == NULL || !wanted(l->names, name))
        return;
    struct sqs_QueueAttributeMap_item *item = &l->out->v[l->out->n++];
    item->key = str_c(name);
    item->value = value;
}

static void list_number(struct listing *l, const char *name, int64_t v)
{
    list_text(l, name, arena_fmt(l->c->arena, "%lld", (long long)v));
}

OP_HANDLER(sqs, GetQueueAttributes, GetQueueAttributesRequest, GetQueueAttributesResult)
{
    struct queue q;
    struct counts n = {0};
    struct str policy = STR_NONE;
    TRY(check_names(&in->AttributeNames));
    TRY(queue_need(c, in->QueueUrl, &q));
    if (wants_counts(&in->AttributeNames))
        TRY(count_messages(c, &q, &n));
    out->Attributes.v = ARENA_ARRAY(c->arena, 32, struct sqs_QueueAttributeMap_item);
    out->Attributes.set = true;
    struct listing l = {c, &in->AttributeNames, &out->Attributes};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        list_number(&l, numbers[i].name, queue_number(&q, numbers[i].name));
    list_number(&l, "ApproximateNumberOfMessages", n.visible);
    list_number(&l, "ApproximateNumberOfMessagesNotVisible", n.in_flight);
    list_number(&l, "ApproximateNumberOfMessagesDelayed", n.delayed);
    list_number(&l, "CreatedTimestamp", jv_i(jv_get(q.row, "created_ms"), 0) / 1000);
    list_number(&l, "LastModifiedTimestamp", jv_i(jv_get(q.row, "modified_ms"), 0) / 1000);
    list_text(&l, "QueueArn", q.arn);
    list_text(&l, "SqsManagedSseEnabled", STR("true"));
    if (jv_get(q.attrs, "Policy") != NULL)
        TRY(principals_shown_of(c->txn, c->arena, q.row, jv_s(jv_get(q.attrs, "Policy")),
                                &policy));
    list_text(&l, "Policy", policy);
    list_text(&l, "RedrivePolicy", jv_s(jv_get(q.attrs, "RedrivePolicy")));
    return NULL;
}

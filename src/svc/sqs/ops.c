/* The rows of SQS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html */
#include "room.h"

static struct err *target_queue(struct call *c, struct target *out)
{
    struct str url = shape_str_at(c->op->input, c->in, "QueueUrl"), account, name;
    out->type = "AWS::SQS::Queue";
    if (!queue_url_parts(url, &account, &name)) {
        out->arn = call_arn(c, "sqs", "%s", "*");
        return NULL;
    }
    out->arn = arena_fmt(c->arena, "arn:%s:sqs:%.*s:%.*s:%.*s", IDENTITY_PARTITION,
                         STR_ARG(c->region), STR_ARG(account), STR_ARG(name));
    out->account = account;
    struct queue q;
    bool found;
    TRY(queue_read(c->txn, c->arena, account, c->region, name, &q, &found));
    if (!found)
        return NULL;
    out->policy = jv_s(jv_get(q.attrs, "Policy"));
    const struct jv *tags = jv_get(q.row, "tags");
    for (size_t i = 0; jv_is(tags, JV_OBJ) && i < tags->obj.n; i++)
        call_key(c,
                 arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(tags->obj.v[i].key)).p,
                 jv_s(&tags->obj.v[i].value));
    return NULL;
}

static struct err *target_name(struct call *c, struct target *out)
{
    struct str name = shape_str_at(c->op->input, c->in, "QueueName");
    out->arn = call_arn(c, "sqs", "%.*s", STR_ARG(name));
    out->type = "AWS::SQS::Queue";
    return NULL;
}

static struct err *target_lookup(struct call *c, struct target *out)
{
    const struct sqs_GetQueueUrlRequest *in = c->in;
    struct str owner = in->QueueOwnerAWSAccountId.n > 0 ? in->QueueOwnerAWSAccountId : c->account;
    struct queue q;
    bool found;
    out->arn = arena_fmt(c->arena, "arn:%s:sqs:%.*s:%.*s:%.*s", IDENTITY_PARTITION,
                         STR_ARG(c->region), STR_ARG(owner), STR_ARG(in->QueueName));
    out->account = owner;
    out->type = "AWS::SQS::Queue";
    TRY(queue_read(c->txn, c->arena, owner, c->region, in->QueueName, &q, &found));
    if (found)
        out->policy = jv_s(jv_get(q.attrs, "Policy"));
    return NULL;
}

#define NEED(op, action, target)                                                                   \
    static const struct need need_##op[] = {{"sqs:" action, NULL, target}, {0}}
NEED(CreateQueue, "CreateQueue", target_name);
NEED(GetQueueUrl, "GetQueueUrl", target_lookup);
NEED(ListQueues, "ListQueues", NULL);
NEED(DeleteQueue, "DeleteQueue", target_queue);
NEED(SetQueueAttributes, "SetQueueAttributes", target_queue);
NEED(GetQueueAttributes, "GetQueueAttributes", target_queue);
NEED(SendMessage, "SendMessage", target_queue);
NEED(SendMessageBatch, "SendMessage", target_queue);
NEED(ReceiveMessage, "ReceiveMessage", target_queue);
NEED(DeleteMessage, "DeleteMessage", target_queue);
NEED(DeleteMessageBatch, "DeleteMessage", target_queue);
NEED(ChangeMessageVisibility, "ChangeMessageVisibility", target_queue);
NEED(ChangeMessageVisibilityBatch, "ChangeMessageVisibility", target_queue);
NEED(PurgeQueue, "PurgeQueue", target_queue);
NEED(TagQueue, "TagQueue", target_queue);
NEED(UntagQueue, "UntagQueue", target_queue);
NEED(ListQueueTags, "ListQueueTags", target_queue);
NEED(ListDeadLetterSourceQueues, "ListDeadLetterSourceQueues", target_queue);

#define READ(op)                                                                                   \
    {.name = #op, .handler = sqs_##op##_op, .effect = OP_READ, .audit = AUDIT_MANAGEMENT,          \
     .needs = need_##op, .record_in = "*"}
#define WRITE(op, result)                                                                          \
    {.name = #op, .handler = sqs_##op##_op, .effect = OP_WRITE, .audit = AUDIT_MANAGEMENT,         \
     .needs = need_##op, .record_in = "*", .record_out = result}
/* Messages are data: their bodies and attributes are never recorded. */
#define DATA(op, in)                                                                               \
    {.name = #op, .handler = sqs_##op##_op, .effect = OP_WRITE, .audit = AUDIT_DATA,               \
     .needs = need_##op, .record_in = in}

#define FREE(op, class, in)                                                                        \
    {.name = #op, .handler = sqs_##op##_op, .effect = OP_WRITE, .audit = class,                    \
     .needs = need_##op, .record_in = in, .frees = true}

static const struct op_row rows[] = {
    WRITE(CreateQueue, "*"),
    READ(GetQueueUrl),
    READ(ListQueues),
    FREE(DeleteQueue, AUDIT_MANAGEMENT, "*"),
    WRITE(SetQueueAttributes, NULL),
    READ(GetQueueAttributes),
    DATA(SendMessage, "QueueUrl DelaySeconds"),
    DATA(SendMessageBatch, "QueueUrl"),
    DATA(ReceiveMessage, "QueueUrl MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds"),
    FREE(DeleteMessage, AUDIT_DATA, "QueueUrl"),
    FREE(DeleteMessageBatch, AUDIT_DATA, "QueueUrl"),
    DATA(ChangeMessageVisibility, "QueueUrl VisibilityTimeout"),
    DATA(ChangeMessageVisibilityBatch, "QueueUrl"),
    FREE(PurgeQueue, AUDIT_MANAGEMENT, "*"),
    WRITE(TagQueue, NULL),
    WRITE(UntagQueue, NULL),
    READ(ListQueueTags),
    READ(ListDeadLetterSourceQueues),
};

const struct room sqs_room = {
    .name = "sqs",
    .model = &sqs_model,
    .event_source = "sqs.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = NULL, /* the model's enum of attribute names is shorter than the truth */
    .denied_code = "AccessDenied",
    .jobs = sqs_jobs,
};

/* The rows of SQS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html */
#include "room.h"

#include "../../auth/principals.h"

static struct err *target_queue(struct call *c, struct target *out)
{
    struct str url = queue_url_given(c, shape_str_at(c->op->input, c->in, "QueueUrl"));
    struct str account, name;
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
    out->policy = principals_in_force(q.row, jv_s(jv_get(q.attrs, "Policy")));
    const struct jv *tags = jv_get(q.row, "tags");
    for (size_t i = 0; jv_is(tags, JV_OBJ) && i < tags->obj.n; i++)
        call_key(c,
                 arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(tags->obj.v[i].key)).p,
                 jv_s(&tags->obj.v[i].value));
    return NULL;
}

static void tag_keys(struct call *c, const struct sqs_TagMap *tags)
{
    struct str *names = ARENA_ARRAY(c->arena, tags->n + 1, struct str);
    for (size_t i = 0; i < tags->n; i++) {
        names[i] = tags->v[i].key;
        call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(names[i])).p,
                 tags->v[i].value);
    }
    if (tags->n > 0)
        call_key_list(c, "aws:TagKeys", names, tags->n);
}

static bool has_tags(const struct call *c)
{
    return ((const struct sqs_CreateQueueRequest *)c->in)->tags.n > 0;
}

static struct err *target_tag(struct call *c, struct target *out)
{
    tag_keys(c, &((const struct sqs_TagQueueRequest *)c->in)->Tags);
    return target_queue(c, out);
}

static struct err *target_untag(struct call *c, struct target *out)
{
    const struct sqs_UntagQueueRequest *in = c->in;
    call_key_list(c, "aws:TagKeys", in->TagKeys.v, in->TagKeys.n);
    return target_queue(c, out);
}

static struct err *target_new(struct call *c, struct target *out)
{
    const struct sqs_CreateQueueRequest *in = c->in;
    tag_keys(c, &in->tags);
    out->arn = call_arn(c, "sqs", "%.*s", STR_ARG(in->QueueName));
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
        out->policy = principals_in_force(q.row, jv_s(jv_get(q.attrs, "Policy")));
    return NULL;
}

#define NEED(op, action, target)                                                                   \
    static const struct need need_##op[] = {{"sqs:" action, NULL, target}, {0}}
static const struct need need_CreateQueue[] = {{"sqs:CreateQueue", NULL, target_new},
                                               {"sqs:TagQueue", has_tags, target_new},
                                               {0}};
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
NEED(TagQueue, "TagQueue", target_tag);
NEED(UntagQueue, "UntagQueue", target_untag);
NEED(ListQueueTags, "ListQueueTags", target_queue);
NEED(ListDeadLetterSourceQueues, "ListDeadLetterSourceQueues", target_queue);

#define READ(op) {OP_ROW(sqs, op, OP_READ, AUDIT_MANAGEMENT, need_##op, "*", NULL)}
#define WRITE(op, result) {OP_ROW(sqs, op, OP_WRITE, AUDIT_MANAGEMENT, need_##op, "*", result)}
/* Messages are data: their bodies and attributes are never recorded. */
#define DATA(op, in) {OP_ROW(sqs, op, OP_WRITE, AUDIT_DATA, need_##op, in, NULL)}

#define FREE(op, class, in) {OP_ROW(sqs, op, OP_WRITE, class, need_##op, in, NULL), .frees = true}

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

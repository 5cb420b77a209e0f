/* The rows of SNS: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html */
#include "room.h"

#include "../../auth/principals.h"

/* -- what a call is about ---------------------------------------------------------------------- */

/* Services that send to a topic of their own account under its default policy. AWS gives this old
 * key for few services; those that AWS lets in by the topic's policy alone (S3, CloudTrail,
 * EventBridge) have aws:SourceAccount and aws:SourceArn. */
static void source_owner(struct call *c)
{
    if (c->id.who.kind == PRINCIPAL_SERVICE &&
        str_is(c->id.who.service, "cloudwatch.amazonaws.com"))
        call_key(c, "aws:SourceOwner", c->account);
}

static struct err *topic_target(struct call *c, struct str arn, struct target *out)
{
    struct arn at;
    struct topic t;
    bool found;
    out->type = "AWS::SNS::Topic";
    out->arn = arn;
    if (!topic_arn_parts(arn, &at)) {
        out->arn = call_arn(c, "sns", "%s", "*");
        return NULL;
    }
    out->account = at.account;
    source_owner(c);
    TRY(topic_read(c->txn, c->arena, &at, &t, &found));
    if (!found)
        return NULL;
    out->policy = principals_in_force(t.row, jv_s(jv_get(t.attrs, "Policy")));
    const struct jv *tags = jv_get(t.row, "tags");
    for (size_t i = 0; i < jv_len(tags); i++)
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(tags->obj.v[i].key)).p,
                 jv_s(&tags->obj.v[i].value));
    return NULL;
}

static struct err *target_topic(struct call *c, struct target *out)
{
    return topic_target(c, shape_str_at(c->op->input, c->in, "TopicArn"), out);
}

static struct err *target_resource(struct call *c, struct target *out)
{
    return topic_target(c, shape_str_at(c->op->input, c->in, "ResourceArn"), out);
}

static struct err *target_tag(struct call *c, struct target *out)
{
    const struct sns_TagResourceRequest *in = c->in;
    tags_keys(c, &in->Tags);
    return topic_target(c, in->ResourceArn, out);
}

static struct err *target_untag(struct call *c, struct target *out)
{
    const struct sns_UntagResourceRequest *in = c->in;
    call_key_list(c, "aws:TagKeys", in->TagKeys.v, in->TagKeys.n);
    return topic_target(c, in->ResourceArn, out);
}

static struct err *target_new_topic(struct call *c, struct target *out)
{
    const struct sns_CreateTopicInput *in = c->in;
    tags_keys(c, &in->Tags);
    out->arn = call_arn(c, "sns", "%.*s", STR_ARG(str_take(in->Name, SNS_NAME_MAX)));
    out->type = "AWS::SNS::Topic";
    return NULL;
}

static bool has_tags(const struct call *c)
{
    const struct sns_CreateTopicInput *in = c->in;
    return in->Tags.n > 0;
}

/* Where messages will go is on the record; of a person only what kind of address it is. */
static void record_endpoint(struct call *c, const struct sns_SubscribeInput *in)
{
    struct sub s = {.protocol = in->Protocol, .endpoint = in->Endpoint};
    ptrdiff_t at = str_rfind_char(in->Endpoint, '@');
    if (in->Endpoint.n == 0 || in->Endpoint.n > SNS_ENDPOINT_MAX)
        return;
    if (str_starts_c(in->Protocol, "email") && at >= 0)
        call_record(c, "endpoint", arena_fmt(c->arena, "***%.*s",
                                             STR_ARG(str_skip(in->Endpoint, (size_t)at))));
    else if (str_starts_c(in->Protocol, "http") || str_is(in->Protocol, "sqs") ||
             str_is(in->Protocol, "lambda"))
        call_record(c, "endpoint", sub_endpoint_shown(c->arena, &s));
}

static struct err *target_subscribe(struct call *c, struct target *out)
{
    const struct sns_SubscribeInput *in = c->in;
    call_key(c, "sns:Protocol", in->Protocol);
    call_key(c, "sns:Endpoint", in->Endpoint);
    record_endpoint(c, in);
    return topic_target(c, in->TopicArn, out);
}

/* A subscription belongs to who made it and to its topic's owner. */
static struct err *target_subscription(struct call *c, struct target *out)
{
    struct str text = shape_str_at(c->op->input, c->in, "SubscriptionArn"), id;
    struct arn at;
    struct topic t;
    struct sub s;
    bool found;
    out->arn = text;
    if (!sub_arn_parts(text, &at, &id)) {
        out->arn = call_arn(c, "sns", "%s", "*");
        return NULL;
    }
    out->account = at.account;
    TRY(topic_read(c->txn, c->arena, &at, &t, &found));
    if (!found)
        return NULL;
    call_record_resource(c, t.arn, t.account, "AWS::SNS::Topic");
    if (str_eq(at.account, c->account))
        return NULL;
    TRY(sub_read(c->txn, c->arena, &t, id, false, &s, &found));
    if (found)
        out->account = s.owner;
    return NULL;
}

static struct err *target_publish(struct call *c, struct target *out)
{
    const struct sns_PublishInput *in = c->in;
    struct device d;
    struct str arn = in->TopicArn.n > 0 ? in->TopicArn : in->TargetArn;
    if (arn.n == 0) { /* a telephone number is no resource */
        out->arn = STR("*");
        return NULL;
    }
    if (!endpoint_arn_parts(arn, &d))
        return topic_target(c, arn, out);
    out->arn = arn;
    out->account = d.account;
    return NULL;
}

/* -- needs ------------------------------------------------------------------------------------- */

/* A link carries what entitles to its use: the token, or the subscription's unguessable name. */
static bool is_signed(const struct call *c)
{
    return c->id.who.kind != PRINCIPAL_ANONYMOUS;
}

#define NEED(op, action, target)                                                                   \
    static const struct need need_##op[] = {{"sns:" action, NULL, target}, {0}}
NEED(DeleteTopic, "DeleteTopic", target_topic);
NEED(ListTopics, "ListTopics", NULL);
NEED(GetTopicAttributes, "GetTopicAttributes", target_topic);
NEED(SetTopicAttributes, "SetTopicAttributes", target_topic);
NEED(AddPermission, "AddPermission", target_topic);
NEED(RemovePermission, "RemovePermission", target_topic);
NEED(Subscribe, "Subscribe", target_subscribe);
NEED(ListSubscriptions, "ListSubscriptions", NULL);
NEED(ListSubscriptionsByTopic, "ListSubscriptionsByTopic", target_topic);
NEED(GetSubscriptionAttributes, "GetSubscriptionAttributes", target_subscription);
NEED(SetSubscriptionAttributes, "SetSubscriptionAttributes", target_subscription);
NEED(Publish, "Publish", target_publish);
NEED(PublishBatch, "Publish", target_topic);
NEED(TagResource, "TagResource", target_tag);
NEED(UntagResource, "UntagResource", target_untag);
NEED(ListTagsForResource, "ListTagsForResource", target_resource);
NEED(CreatePlatformApplication, "CreatePlatformApplication", NULL);
NEED(GetPlatformApplicationAttributes, "GetPlatformApplicationAttributes", NULL);
NEED(SetPlatformApplicationAttributes, "SetPlatformApplicationAttributes", NULL);
NEED(DeletePlatformApplication, "DeletePlatformApplication", NULL);
NEED(ListPlatformApplications, "ListPlatformApplications", NULL);
NEED(CreatePlatformEndpoint, "CreatePlatformEndpoint", NULL);
NEED(GetEndpointAttributes, "GetEndpointAttributes", NULL);
NEED(SetEndpointAttributes, "SetEndpointAttributes", NULL);
NEED(DeleteEndpoint, "DeleteEndpoint", NULL);
NEED(ListEndpointsByPlatformApplication, "ListEndpointsByPlatformApplication", NULL);
static const struct need need_CreateTopic[] = {{"sns:CreateTopic", NULL, target_new_topic},
                                               {"sns:TagResource", has_tags, target_new_topic},
                                               {0}};
static const struct need need_ConfirmSubscription[] = {
    {"sns:ConfirmSubscription", is_signed, target_topic}, {0}};
static const struct need need_Unsubscribe[] = {
    {"sns:Unsubscribe", is_signed, target_subscription}, {0}};

/* -- rows -------------------------------------------------------------------------------------- */

#define ROW(op, what, cls, in, result) OP_ROW(sns, op, what, cls, need_##op, in, result)
#define READ(op, in) {ROW(op, OP_READ, AUDIT_MANAGEMENT, in, NULL)}
#define WRITE(op, in, result) {ROW(op, OP_WRITE, AUDIT_MANAGEMENT, in, result)}
#define DELETE(op) {ROW(op, OP_WRITE, AUDIT_MANAGEMENT, "*", NULL), .frees = true}
#define LINK(op, in, result) {ROW(op, OP_WRITE, AUDIT_MANAGEMENT, in, result), .anonymous = true}
/* Messages, telephone numbers, tokens and devices are never recorded. */
#define DATA(op, in, result) {ROW(op, OP_WRITE, AUDIT_DATA, in, result)}

static const struct op_row rows[] = {
    WRITE(CreateTopic, "*", "*"),
    DELETE(DeleteTopic),
    READ(ListTopics, ""),
    READ(GetTopicAttributes, "*"),
    WRITE(SetTopicAttributes, "*", NULL),
    WRITE(AddPermission, "*", NULL),
    WRITE(RemovePermission, "*", NULL),
    WRITE(Subscribe, "TopicArn Protocol Attributes ReturnSubscriptionArn", "*"),
    LINK(ConfirmSubscription, "TopicArn AuthenticateOnUnsubscribe", "*"),
    LINK(Unsubscribe, "SubscriptionArn", NULL),
    READ(ListSubscriptions, ""),
    READ(ListSubscriptionsByTopic, "TopicArn"),
    READ(GetSubscriptionAttributes, "*"),
    WRITE(SetSubscriptionAttributes, "*", NULL),
    DATA(Publish, "TopicArn TargetArn MessageStructure", "MessageId"),
    DATA(PublishBatch, "TopicArn", NULL),
    WRITE(TagResource, "*", NULL),
    WRITE(UntagResource, "*", NULL),
    READ(ListTagsForResource, "*"),
    WRITE(CreatePlatformApplication, "Name Platform", "*"),
    READ(GetPlatformApplicationAttributes, "*"),
    WRITE(SetPlatformApplicationAttributes, "PlatformApplicationArn", NULL),
    DELETE(DeletePlatformApplication),
    READ(ListPlatformApplications, ""),
    WRITE(CreatePlatformEndpoint, "PlatformApplicationArn", "*"),
    READ(GetEndpointAttributes, "*"),
    WRITE(SetEndpointAttributes, "EndpointArn", NULL),
    DELETE(DeleteEndpoint),
    READ(ListEndpointsByPlatformApplication, "PlatformApplicationArn"),
};

const struct room sns_room = {
    .name = "sns",
    .model = &sns_model,
    .event_source = "sns.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationError",
    .denied_code = "AuthorizationError",
    .jobs = sns_jobs,
    .pages = sns_pages,
    .start = sign_start,
    .stop = sign_stop,
};

/* The rows of CloudWatch Logs.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html */
#include "room.h"

/* Actions on a group are judged, as on AWS, on "…:log-group:NAME:log-stream:STREAM" with an empty
 * STREAM, which policies for "…:log-group:NAME:*" mean. */
static struct err *target_at(struct call *c, struct str group, struct str stream,
                             struct target *out)
{
    struct group g;
    TRY(group_place(c, group, &g));
    out->arn = arena_fmt(c->arena, "arn:%s:logs:%.*s:%.*s:log-group:%.*s:log-stream:%.*s",
                         IDENTITY_PARTITION, STR_ARG(g.region), STR_ARG(g.account),
                         STR_ARG(g.name), STR_ARG(stream));
    out->account = g.account;
    out->type = stream.n > 0 ? "AWS::Logs::LogStream" : "AWS::Logs::LogGroup";
    return NULL;
}

static struct str group_input(struct call *c)
{
    struct str name = STR_NONE;
    if (shape_member(c->op->input, STR("logGroupName")) != NULL)
        name = shape_str_at(c->op->input, c->in, "logGroupName");
    if (name.p == NULL && shape_member(c->op->input, STR("logGroupIdentifier")) != NULL)
        name = shape_str_at(c->op->input, c->in, "logGroupIdentifier");
    return name.p != NULL ? name : STR("");
}

static struct err *target_group(struct call *c, struct target *out)
{
    return target_at(c, group_input(c), STR(""), out);
}

static struct err *target_stream(struct call *c, struct target *out)
{
    struct str stream = shape_str_at(c->op->input, c->in, "logStreamName");
    return target_at(c, group_input(c), stream.p != NULL ? stream : STR(""), out);
}

static struct err *target_all(struct call *c, struct target *out)
{
    out->arn = call_arn(c, "logs", "log-group::log-stream:");
    return NULL;
}

static void tag_keys(struct call *c, const struct logs_Tags *tags)
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

static struct err *target_new_group(struct call *c, struct target *out)
{
    const struct logs_CreateLogGroupRequest *in = c->in;
    tag_keys(c, &in->tags);
    return target_group(c, out);
}

/* Tags are the one thing judged on the group's ARN without ":*". */
static struct err *target_resource(struct call *c, struct target *out)
{
    struct group g;
    struct str name = shape_member(c->op->input, STR("resourceArn")) != NULL
                          ? shape_str_at(c->op->input, c->in, "resourceArn")
                          : group_input(c);
    TRY(group_place(c, name.p != NULL ? name : STR(""), &g));
    if (strcmp(c->op->name, "TagResource") == 0)
        tag_keys(c, &((const struct logs_TagResourceRequest *)c->in)->tags);
    else if (strcmp(c->op->name, "TagLogGroup") == 0)
        tag_keys(c, &((const struct logs_TagLogGroupRequest *)c->in)->tags);
    out->arn = group_arn(c->arena, &g);
    out->account = g.account;
    out->type = "AWS::Logs::LogGroup";
    return NULL;
}

#define ON(op, target) static const struct need need_##op[] = {{"logs:" #op, NULL, target}, {0}}
ON(CreateLogGroup, target_new_group);
ON(DeleteLogGroup, target_group);
ON(DescribeLogGroups, target_all);
ON(PutRetentionPolicy, target_group);
ON(DeleteRetentionPolicy, target_group);
ON(CreateLogStream, target_stream);
ON(DeleteLogStream, target_stream);
ON(DescribeLogStreams, target_group);
ON(PutLogEvents, target_stream);
ON(GetLogEvents, target_stream);
ON(FilterLogEvents, target_group);
ON(TagLogGroup, target_resource);
ON(UntagLogGroup, target_resource);
ON(ListTagsLogGroup, target_resource);
ON(TagResource, target_resource);
ON(UntagResource, target_resource);
ON(ListTagsForResource, target_resource);

#define READ(op, cls, in) {OP_ROW(logs, op, OP_READ, cls, need_##op, in, NULL)}
#define WRITE(op, cls, in) {OP_ROW(logs, op, OP_WRITE, cls, need_##op, in, NULL)}

/* What is written to streams or read from them is data; messages and patterns are not recorded. */
static const struct op_row rows[] = {
    WRITE(CreateLogGroup, AUDIT_MANAGEMENT, "*"),
    WRITE(DeleteLogGroup, AUDIT_MANAGEMENT, "*"),
    READ(DescribeLogGroups, AUDIT_MANAGEMENT, "logGroupNamePrefix logGroupNamePattern limit"),
    WRITE(PutRetentionPolicy, AUDIT_MANAGEMENT, "*"),
    WRITE(DeleteRetentionPolicy, AUDIT_MANAGEMENT, "*"),
    WRITE(CreateLogStream, AUDIT_MANAGEMENT, "*"),
    WRITE(DeleteLogStream, AUDIT_MANAGEMENT, "*"),
    READ(DescribeLogStreams, AUDIT_MANAGEMENT,
         "logGroupName logGroupIdentifier logStreamNamePrefix orderBy descending limit"),
    WRITE(PutLogEvents, AUDIT_DATA, "logGroupName logStreamName"),
    READ(GetLogEvents, AUDIT_DATA,
         "logGroupName logGroupIdentifier logStreamName startTime endTime limit startFromHead"),
    READ(FilterLogEvents, AUDIT_DATA,
         "logGroupName logGroupIdentifier logStreamNames logStreamNamePrefix startTime endTime "
         "limit"),
    WRITE(TagLogGroup, AUDIT_MANAGEMENT, "*"),
    WRITE(UntagLogGroup, AUDIT_MANAGEMENT, "*"),
    READ(ListTagsLogGroup, AUDIT_MANAGEMENT, "*"),
    WRITE(TagResource, AUDIT_MANAGEMENT, "*"),
    WRITE(UntagResource, AUDIT_MANAGEMENT, "*"),
    READ(ListTagsForResource, AUDIT_MANAGEMENT, "*"),
};

const struct room logs_room = {
    .name = "logs",
    .model = &logs_model,
    .event_source = "logs.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "InvalidParameterException",
    .denied_code = "AccessDeniedException",
    .jobs = logs_jobs,
};

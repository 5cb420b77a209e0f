/* The rows of CloudTrail: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html */
#include "room.h"

/* The trail that the input names: by ARN as it stands, by name in the caller's place. */
static struct err *target_named(struct call *c, const char *member, struct target *out)
{
    struct str name = shape_str_at(c->op->input, c->in, member);
    out->type = "AWS::CloudTrail::Trail";
    if (str_starts_c(name, "arn:"))
        out->arn = name;
    else
        out->arn = call_arn(c, "cloudtrail", "trail/%.*s", STR_ARG(name));
    struct arn parsed;
    if (arn_parse(out->arn, &parsed))
        out->account = parsed.account;
    return NULL;
}

static struct err *target_name(struct call *c, struct target *out)
{
    return target_named(c, "Name", out);
}

static struct err *target_trail_name(struct call *c, struct target *out)
{
    return target_named(c, "TrailName", out);
}

static struct err *target_resource(struct call *c, struct target *out)
{
    return target_named(c, "ResourceId", out);
}

#define ON(op, target)                                                                             \
    static const struct need need_##op[] = {{"cloudtrail:" #op, NULL, target}, {0}}
ON(CreateTrail, target_name);
ON(UpdateTrail, target_name);
ON(DeleteTrail, target_name);
ON(GetTrail, target_name);
ON(GetTrailStatus, target_name);
ON(StartLogging, target_name);
ON(StopLogging, target_name);
ON(PutEventSelectors, target_trail_name);
ON(GetEventSelectors, target_trail_name);
ON(DescribeTrails, NULL);
ON(ListTrails, NULL);
ON(LookupEvents, NULL);
ON(AddTags, target_resource);
ON(RemoveTags, target_resource);
ON(ListTags, NULL);
ON(ListPublicKeys, NULL);

#define READ(op) {OP_ROW(cloudtrail, op, OP_READ, AUDIT_MANAGEMENT, need_##op, "*", NULL)}
#define WRITE(op, result)                                                                          \
    {OP_ROW(cloudtrail, op, OP_WRITE, AUDIT_MANAGEMENT, need_##op, "*", result)}

static const struct op_row rows[] = {
    WRITE(CreateTrail, "*"),       WRITE(UpdateTrail, "*"), WRITE(DeleteTrail, NULL),
    READ(DescribeTrails),          READ(GetTrail),          READ(ListTrails),
    READ(GetTrailStatus),          WRITE(StartLogging, NULL), WRITE(StopLogging, NULL),
    WRITE(PutEventSelectors, "*"), READ(GetEventSelectors), READ(LookupEvents),
    WRITE(AddTags, NULL),          WRITE(RemoveTags, NULL), READ(ListTags),
    READ(ListPublicKeys),
};

const struct room cloudtrail_room = {
    .name = "cloudtrail",
    .model = &cloudtrail_model,
    .event_source = "cloudtrail.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationException",
    .denied_code = "AccessDeniedException",
    .jobs = trail_jobs,
};

/* The rows of CloudFormation:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html */
#include "room.h"

/* -- targets ----------------------------------------------------------------------------------- */

struct err *target_stack(struct call *c, struct target *out)
{
    struct str name = shape_str_at(c->op->input, c->in, "StackName");
    out->type = "AWS::CloudFormation::Stack";
    if (str_starts_c(name, "arn:")) {
        struct place p;
        out->arn = name;
        if (place_of_arn(name, &p))
            out->account = p.account;
        return NULL;
    }
    if (name.n == 0) {
        out->arn = call_arn(c, "cloudformation", "stack/*");
        return NULL;
    }
    struct place p;
    struct jv *stack;
    TRY(stack_find(c, name, &p, &stack));
    /* A stack that is not there yet: whoever may use the name with any id may make it. */
    out->arn = stack != NULL ? jv_s(jv_get(stack, "arn"))
                             : call_arn(c, "cloudformation", "stack/%.*s/*", STR_ARG(name));
    const struct jv *tags = jv_get(stack, "tags");
    for (size_t i = 0; i < jv_len(tags); i++)
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s",
                              STR_ARG(jv_s(jv_get(jv_at(tags, i), "Key")))).p,
                 jv_s(jv_get(jv_at(tags, i), "Value")));
    struct str role = shape_member(c->op->input, STR("RoleARN")) != NULL
                          ? shape_str_at(c->op->input, c->in, "RoleARN")
                          : STR_NONE;
    if (role.n > 0)
        call_key(c, "cloudformation:RoleArn", role);
    return NULL;
}

struct err *target_change_set(struct call *c, struct target *out)
{
    struct str stack = shape_str_at(c->op->input, c->in, "StackName");
    struct str name = shape_str_at(c->op->input, c->in, "ChangeSetName");
    if (stack.n > 0)
        return target_stack(c, out);
    /* Named by its ARN alone: its stack is looked for among those that have change sets. */
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    out->arn = call_arn(c, "cloudformation", "stack/*");
    TRY(txn_scan(c->txn, CFN_T_CHANGESET, &sc, &cur));
    for (bool more = true; more;) {
        struct str key, value, account, region, uuid;
        struct jv *row, *found;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more || str_find(value, name) < 0 || !key_take_str(c->arena, &key, &account) ||
            !key_take_str(c->arena, &key, &region) || !key_take_str(c->arena, &key, &uuid))
            continue;
        TRY(json_parse(c->arena, value, JSON_DEPTH_MAX, &row));
        if (!str_eq(jv_s(jv_get(row, "arn")), name))
            continue;
        struct place p = {account, region, uuid};
        TRY(stack_load(c->txn, c->arena, &p, &found));
        if (found != NULL)
            out->arn = jv_s(jv_get(found, "arn"));
        break;
    }
    return NULL;
}

struct err *target_role(struct call *c, struct target *out)
{
    out->arn = shape_str_at(c->op->input, c->in, "RoleARN");
    out->type = "AWS::IAM::Role";
    call_key(c, "iam:PassedToService", STR(CFN_SERVICE));
    return NULL;
}

bool has_role(const struct call *c)
{
    return shape_str_at(c->op->input, c->in, "RoleARN").n > 0;
}

/* -- rows -------------------------------------------------------------------------------------- */

#define ON_STACK(op)                                                                               \
    static const struct need need_##op[] = {{"cloudformation:" #op, NULL, target_stack}, {0}}
#define WITH_ROLE(op)                                                                              \
    static const struct need need_##op[] = {{"cloudformation:" #op, NULL, target_stack},           \
                                            {"iam:PassRole", has_role, target_role},               \
                                            {0}}
#define ON_CHANGE_SET(op)                                                                          \
    static const struct need need_##op[] = {{"cloudformation:" #op, NULL, target_change_set}, {0}}
#define ON_NOTHING(op)                                                                             \
    static const struct need need_##op[] = {{"cloudformation:" #op, NULL, NULL}, {0}}

WITH_ROLE(CreateStack);
WITH_ROLE(UpdateStack);
WITH_ROLE(DeleteStack);
WITH_ROLE(CreateChangeSet);
ON_STACK(UpdateTerminationProtection);
ON_STACK(DescribeStacks);
ON_STACK(DescribeStackEvents);
ON_STACK(DescribeStackResource);
ON_STACK(DescribeStackResources);
ON_STACK(ListStackResources);
ON_STACK(GetTemplate);
ON_STACK(GetTemplateSummary);
ON_STACK(ListChangeSets);
ON_CHANGE_SET(DescribeChangeSet);
ON_CHANGE_SET(ExecuteChangeSet);
ON_CHANGE_SET(DeleteChangeSet);
ON_NOTHING(ListStacks);
ON_NOTHING(ListExports);
ON_NOTHING(ListImports);
ON_NOTHING(ValidateTemplate);

/* Templates and parameters' values may hold what a customer does not want in a log. */
#define READ(op, in)                                                                               \
    {.name = #op, .handler = cloudformation_##op##_op, .effect = OP_READ,                          \
     .audit = AUDIT_MANAGEMENT, .needs = need_##op, .record_in = in,                               \
     .body_max = STACK_BODY_MAX}
#define WRITE(op, in, result)                                                                      \
    {.name = #op, .handler = cloudformation_##op##_op, .effect = OP_WRITE,                         \
     .audit = AUDIT_MANAGEMENT, .needs = need_##op, .record_in = in, .record_out = result,         \
     .body_max = STACK_BODY_MAX}

static const struct op_row rows[] = {
    WRITE(CreateStack, "StackName TemplateURL Capabilities OnFailure DisableRollback RoleARN Tags "
          "TimeoutInMinutes EnableTerminationProtection ClientRequestToken", "StackId"),
    WRITE(UpdateStack, "StackName TemplateURL UsePreviousTemplate Capabilities RoleARN Tags "
          "ClientRequestToken", "StackId"),
    WRITE(DeleteStack, "StackName RetainResources RoleARN ClientRequestToken", NULL),
    WRITE(UpdateTerminationProtection, "*", "StackId"),
    READ(DescribeStacks, "StackName"),
    READ(DescribeStackEvents, "StackName"),
    READ(DescribeStackResource, "StackName LogicalResourceId"),
    READ(DescribeStackResources, "StackName LogicalResourceId PhysicalResourceId"),
    READ(ListStacks, "StackStatusFilter"),
    READ(ListStackResources, "StackName"),
    READ(GetTemplate, "StackName ChangeSetName TemplateStage"),
    READ(ValidateTemplate, "TemplateURL"),
    READ(GetTemplateSummary, "StackName TemplateURL"),
    READ(ListExports, ""),
    READ(ListImports, "ExportName"),
    WRITE(CreateChangeSet, "StackName ChangeSetName ChangeSetType TemplateURL UsePreviousTemplate "
          "Capabilities RoleARN Tags", "*"),
    READ(DescribeChangeSet, "StackName ChangeSetName"),
    WRITE(ExecuteChangeSet, "StackName ChangeSetName ClientRequestToken", NULL),
    WRITE(DeleteChangeSet, "StackName ChangeSetName", NULL),
    READ(ListChangeSets, "StackName"),
};

const struct room cloudformation_room = {
    .name = "cloudformation",
    .model = &cloudformation_model,
    .event_source = CFN_SERVICE,
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationError",
    .denied_code = "AccessDenied",
    .jobs = cloudformation_jobs,
};

/* The rows of CloudFormation:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html */
#include "room.h"

/* -- targets ----------------------------------------------------------------------------------- */

static const void *input_at(struct call *c, const char *member)
{
    const struct shape_member *m = shape_member(c->op->input, str_c(member));
    return m == NULL ? NULL : shape_at(m, c->in);
}

static void text_key(struct call *c, const char *key, const char *member)
{
    const struct str *v = input_at(c, member);
    if (v != NULL && v->n > 0)
        call_key(c, key, *v);
}

/* What the request says, for conditions. */
static void request_keys(struct call *c)
{
    text_key(c, "cloudformation:RoleArn", "RoleARN");
    text_key(c, "cloudformation:TemplateUrl", "TemplateURL");
    const struct str *set = input_at(c, "ChangeSetName");
    if (set != NULL && set->n > 0) {
        struct str rest = *set, part = *set;
        for (int i = 0; str_starts_c(*set, "arn:") && i < 2; i++) /* arn:…:changeSet/NAME/ID */
            part = str_cut(&rest, '/');
        call_key(c, "cloudformation:ChangeSetName", part);
    }
    const struct cloudformation_ResourceTypes *types = input_at(c, "ResourceTypes");
    if (types != NULL && types->n > 0)
        call_key_list(c, "cloudformation:ResourceTypes", types->v, types->n);
    const struct cloudformation_Tags *tags = input_at(c, "Tags");
    if (tags == NULL || tags->n == 0)
        return;
    struct str *names = ARENA_ARRAY(c->arena, tags->n, struct str);
    for (size_t i = 0; i < tags->n; i++) {
        struct str key = tags->v[i].Key, value = tags->v[i].Value;
        names[i] = key.p != NULL ? key : STR("");
        call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(key)).p,
                 value.p != NULL ? value : STR(""));
    }
    call_key_list(c, "aws:TagKeys", names, tags->n);
}

static void stack_keys(struct call *c, const struct jv *stack)
{
    const struct jv *tags = jv_get(stack, "tags");
    for (size_t i = 0; i < jv_len(tags); i++)
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s",
                              STR_ARG(jv_s(jv_get(jv_at(tags, i), "Key")))).p,
                 jv_s(jv_get(jv_at(tags, i), "Value")));
}

struct err *target_stack(struct call *c, struct target *out)
{
    struct str name = shape_str_at(c->op->input, c->in, "StackName");
    struct place p;
    struct jv *stack;
    out->type = "AWS::CloudFormation::Stack";
    request_keys(c);
    if (name.n == 0) {
        out->arn = call_arn(c, "cloudformation", "stack/*");
        return NULL;
    }
    TRY(stack_find(c, name, &p, &stack));
    stack_keys(c, stack);
    if (stack != NULL) {
        out->arn = jv_s(jv_get(stack, "arn"));
    } else if (str_starts_c(name, "arn:")) {
        out->arn = name;
        if (place_of_arn(name, &p))
            out->account = p.account;
    } else {
        /* A stack that is not there yet: whoever may use the name with any id may make it. */
        out->arn = call_arn(c, "cloudformation", "stack/%.*s/*", STR_ARG(name));
    }
    return NULL;
}

struct err *target_change_set(struct call *c, struct target *out)
{
    struct str stack = shape_str_at(c->op->input, c->in, "StackName");
    struct str name = shape_str_at(c->op->input, c->in, "ChangeSetName");
    if (stack.n > 0)
        return target_stack(c, out);
    request_keys(c);
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
        if (found != NULL) {
            out->arn = jv_s(jv_get(found, "arn"));
            stack_keys(c, found);
        }
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
WITH_ROLE(ContinueUpdateRollback);
ON_STACK(CancelUpdateStack);
ON_STACK(UpdateTerminationProtection);
ON_STACK(DescribeStacks);
ON_STACK(DescribeStackEvents);
ON_STACK(DescribeStackResource);
ON_STACK(DescribeStackResources);
ON_STACK(ListStackResources);
ON_STACK(GetTemplateSummary);
ON_STACK(ListChangeSets);
ON_CHANGE_SET(GetTemplate);
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
          "TimeoutInMinutes EnableTerminationProtection ClientRequestToken ResourceTypes "
          "RetainExceptOnCreate", "StackId"),
    WRITE(UpdateStack, "StackName TemplateURL UsePreviousTemplate Capabilities RoleARN Tags "
          "ClientRequestToken DisableRollback ResourceTypes RetainExceptOnCreate", "StackId"),
    WRITE(DeleteStack, "StackName RetainResources RoleARN ClientRequestToken", NULL),
    WRITE(CancelUpdateStack, "*", NULL),
    WRITE(ContinueUpdateRollback, "*", NULL),
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

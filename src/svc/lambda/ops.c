/* The rows of Lambda.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html */
#include "room.h"

#include "../../auth/principals.h"

/* What the input names, with the function's own policy where it exists. */
static struct err *target_named(struct call *c, struct str given, struct str qualifier,
                                struct target *out)
{
    struct function_name n;
    struct function f;
    bool found;
    TRY(function_place(c, given.p != NULL ? given : STR(""), qualifier, &n));
    out->arn = n.arn;
    if (n.qualifier.p != NULL)
        out->arn = arena_fmt(c->arena, "%.*s:%.*s", STR_ARG(n.arn), STR_ARG(n.qualifier));
    out->account = n.account;
    out->type = "AWS::Lambda::Function";
    call_key(c, "lambda:FunctionArn", n.arn);
    TRY(function_read(c->txn, c->arena, n.account, n.region, n.name, &f, &found));
    if (!found)
        return NULL;
    out->policy = principals_in_force(f.row, function_policy(c->arena, &f));
    const struct jv *tags = jv_get(f.row, "tags");
    for (size_t i = 0; i < jv_len(tags); i++)
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(tags->obj.v[i].key)).p,
                 jv_s(&tags->obj.v[i].value));
    return NULL;
}

static struct err *target_function(struct call *c, struct target *out)
{
    struct str qualifier = shape_member(c->op->input, STR("Qualifier")) != NULL
                               ? shape_str_at(c->op->input, c->in, "Qualifier")
                               : STR_NONE;
    return target_named(c, shape_str_at(c->op->input, c->in, "FunctionName"), qualifier, out);
}

static void tag_keys(struct call *c, const struct lambda_Tags *tags)
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

static struct err *target_new(struct call *c, struct target *out)
{
    const struct lambda_CreateFunctionRequest *in = c->in;
    tag_keys(c, &in->Tags);
    return target_function(c, out);
}

static struct err *target_resource(struct call *c, struct target *out)
{
    if (strcmp(c->op->name, "TagResource") == 0)
        tag_keys(c, &((const struct lambda_TagResourceRequest *)c->in)->Tags);
    return target_named(c, shape_str_at(c->op->input, c->in, "Resource"), STR_NONE, out);
}

static struct err *target_permission(struct call *c, struct target *out)
{
    if (strcmp(c->op->name, "AddPermission") == 0)
        call_key(c, "lambda:Principal",
                 ((const struct lambda_AddPermissionRequest *)c->in)->Principal);
    return target_function(c, out);
}

static bool names_role(const struct call *c)
{
    return shape_str_at(c->op->input, c->in, "Role").p != NULL;
}

static struct err *target_role(struct call *c, struct target *out)
{
    struct arn arn;
    out->arn = shape_str_at(c->op->input, c->in, "Role");
    if (arn_parse(out->arn, &arn))
        out->account = arn.account;
    call_key(c, "iam:PassedToService", STR(LAMBDA_SERVICE));
    return NULL;
}

#define ON(op, action, target)                                                                     \
    static const struct need need_##op[] = {{"lambda:" action, NULL, target}, {0}}
static const struct need need_CreateFunction[] = {{"lambda:CreateFunction", NULL, target_new},
                                                  {"iam:PassRole", names_role, target_role},
                                                  {0}};
static const struct need need_UpdateFunctionConfiguration[] = {
    {"lambda:UpdateFunctionConfiguration", NULL, target_function},
    {"iam:PassRole", names_role, target_role},
    {0}};
ON(UpdateFunctionCode, "UpdateFunctionCode", target_function);
ON(DeleteFunction, "DeleteFunction", target_function);
ON(GetFunction, "GetFunction", target_function);
ON(GetFunctionConfiguration, "GetFunctionConfiguration", target_function);
ON(ListFunctions, "ListFunctions", NULL);
ON(Invoke, "InvokeFunction", target_function);
ON(AddPermission, "AddPermission", target_permission);
ON(RemovePermission, "RemovePermission", target_permission);
ON(GetPolicy, "GetPolicy", target_function);
ON(TagResource, "TagResource", target_resource);
ON(UntagResource, "UntagResource", target_resource);
ON(ListTags, "ListTags", target_resource);
ON(PutFunctionConcurrency, "PutFunctionConcurrency", target_function);
ON(GetFunctionConcurrency, "GetFunctionConcurrency", target_function);
ON(DeleteFunctionConcurrency, "DeleteFunctionConcurrency", target_function);
ON(GetAccountSettings, "GetAccountSettings", NULL);

/* CloudTrail's names carry the version of the API that the operation came with. */
#define READ(op, version, in)                                                                      \
    {OP_ROW(lambda, op, OP_READ, AUDIT_MANAGEMENT, need_##op, in, NULL), .event_name = #op version}
#define WRITE(op, version, in, result)                                                             \
    {OP_ROW(lambda, op, OP_WRITE, AUDIT_MANAGEMENT, need_##op, in, result),                        \
     .event_name = #op version}

/* Values of environment variables are no part of any record. */
#define CONFIGURATION                                                                              \
    "FunctionName FunctionArn Runtime Role Handler CodeSize Description Timeout MemorySize "       \
    "LastModified CodeSha256 Version DeadLetterConfig RevisionId State LastUpdateStatus "          \
    "PackageType Architectures EphemeralStorage"

static const struct op_row rows[] = {
    {.name = "CreateFunction", .event_name = "CreateFunction20150331",
     .handler = lambda_CreateFunction_op, .effect = OP_WRITE, .audit = AUDIT_MANAGEMENT,
     .needs = need_CreateFunction,
     .record_in = "FunctionName Runtime Role Handler Code Description Timeout MemorySize Publish "
                  "PackageType DeadLetterConfig KMSKeyArn Tags Architectures EphemeralStorage",
     .record_out = CONFIGURATION, .body_max = LAMBDA_ZIP_MAX / 3 * 4 + 1024 * 1024},
    {.name = "UpdateFunctionCode", .event_name = "UpdateFunctionCode20150331v2",
     .handler = lambda_UpdateFunctionCode_op, .effect = OP_WRITE, .audit = AUDIT_MANAGEMENT,
     .needs = need_UpdateFunctionCode,
     .record_in = "FunctionName S3Bucket S3Key S3ObjectVersion Architectures Publish DryRun "
                  "RevisionId",
     .record_out = CONFIGURATION, .body_max = LAMBDA_ZIP_MAX / 3 * 4 + 1024 * 1024},
    WRITE(UpdateFunctionConfiguration, "20150331v2",
          "FunctionName Role Handler Description Timeout MemorySize Runtime DeadLetterConfig "
          "KMSKeyArn RevisionId EphemeralStorage", CONFIGURATION),
    WRITE(DeleteFunction, "20150331", "*", NULL),
    READ(GetFunction, "20150331v2", "*"),
    READ(GetFunctionConfiguration, "20150331v2", "*"),
    READ(ListFunctions, "20150331", "*"),
    {.name = "Invoke", .handler = lambda_Invoke_op, .effect = OP_WRITE, .audit = AUDIT_DATA,
     .needs = need_Invoke, .record_in = "FunctionName InvocationType LogType Qualifier",
     .body_max = LAMBDA_PAYLOAD_MAX + 1},
    WRITE(AddPermission, "20150331v2", "*", "*"),
    WRITE(RemovePermission, "20150331v2", "*", NULL),
    READ(GetPolicy, "20150331v2", "*"),
    WRITE(TagResource, "20170331v2", "*", NULL),
    WRITE(UntagResource, "20170331v2", "*", NULL),
    READ(ListTags, "20170331", "*"),
    WRITE(PutFunctionConcurrency, "20171031", "*", "*"),
    READ(GetFunctionConcurrency, "20190930", "*"),
    WRITE(DeleteFunctionConcurrency, "20171031", "*", NULL),
    READ(GetAccountSettings, "20160819", ""),
};

const struct room lambda_room = {
    .name = "lambda",
    .model = &lambda_model,
    .event_source = "lambda.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationException",
    .denied_code = "AccessDeniedException",
    .jobs = lambda_jobs,
    .start = lambda_start,
    .stop = lambda_stop,
};

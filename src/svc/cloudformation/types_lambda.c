/* AWS::Lambda::*:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html */
#include "types.h"

static const struct prop function_props[] = {
    {"Architectures", P_LIST, 0, NULL},
    {"Code", P_OBJ, P_REQUIRED, NULL, "ImageUri S3Bucket S3Key S3ObjectVersion ZipFile"},
    {"DeadLetterConfig", P_OBJ, 0, NULL},
    {"Description", P_STR, 0, NULL},
    {"Environment", P_OBJ, 0, NULL, "Variables"},
    {"EphemeralStorage", P_OBJ, 0, NULL},
    {"FunctionName", P_STR, P_REPLACE, NULL},
    {"Handler", P_STR, 0, NULL},
    {"KmsKeyArn", P_STR, 0, NULL},
    {"LoggingConfig", P_OBJ, 0, NULL},
    {"MemorySize", P_INT, 0, NULL},
    {"PackageType", P_STR, P_REPLACE, NULL},
    {"ReservedConcurrentExecutions", P_INT, 0, NULL},
    {"Role", P_STR, P_REQUIRED, NULL},
    {"Runtime", P_STR, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {"Timeout", P_INT, 0, NULL},
    {"TracingConfig", P_OBJ, 0, NULL},
    {0},
};

static const struct step function_steps[] = {
    {.on = ON_PROBE, .room = "lambda", .op = "GetFunctionConfiguration",
     .in = "{\"FunctionName\":\"$name\"}", .ignore = "*"},
    {.on = ON_CREATE, .room = "lambda", .op = "CreateFunction",
     .in = "{\"FunctionName\":\"$name\",\"Runtime\":\"$p.Runtime\",\"Role\":\"$p.Role\","
           "\"Handler\":\"$p.Handler\",\"Code\":{\"S3Bucket\":\"$p.Code.S3Bucket\","
           "\"S3Key\":\"$p.Code.S3Key\",\"S3ObjectVersion\":\"$p.Code.S3ObjectVersion\","
           "\"ImageUri\":\"$p.Code.ImageUri\",\"ZipFile\":\"$zip\"},"
           "\"Description\":\"$p.Description\",\"Timeout\":\"$p.Timeout\","
           "\"MemorySize\":\"$p.MemorySize\",\"PackageType\":\"$p.PackageType\","
           "\"DeadLetterConfig\":\"$p.DeadLetterConfig\",\"Environment\":\"$p.Environment\","
           "\"KMSKeyArn\":\"$p.KmsKeyArn\",\"TracingConfig\":\"$p.TracingConfig\","
           "\"Tags\":\"$tagmap\",\"Architectures\":\"$p.Architectures\","
           "\"EphemeralStorage\":\"$p.EphemeralStorage\","
           "\"LoggingConfig\":\"$p.LoggingConfig\"}",
     .save = "FunctionArn=Arn", .exists = "ResourceConflictException"},
    {.on = ON_CREATE, .room = "lambda", .op = "GetFunctionConfiguration",
     .in = "{\"FunctionName\":\"$name\"}", .save = "FunctionArn=Arn", .until = "State=Active"},
    {.on = ON_UPDATE, .when = "Code Architectures", .room = "lambda", .op = "UpdateFunctionCode",
     .in = "{\"FunctionName\":\"$id\",\"S3Bucket\":\"$p.Code.S3Bucket\","
           "\"S3Key\":\"$p.Code.S3Key\",\"S3ObjectVersion\":\"$p.Code.S3ObjectVersion\","
           "\"ImageUri\":\"$p.Code.ImageUri\",\"ZipFile\":\"$zip\","
           "\"Architectures\":\"$p.Architectures\"}"},
    {.on = ON_UPDATE, .when = "Code Architectures", .room = "lambda",
     .op = "GetFunctionConfiguration", .in = "{\"FunctionName\":\"$id\"}",
     .until = "LastUpdateStatus=Successful"},
    {.on = ON_UPDATE | ON_GONE,
     .when = "DeadLetterConfig Description Environment EphemeralStorage Handler KmsKeyArn "
             "LoggingConfig MemorySize Role Runtime Timeout TracingConfig",
     .room = "lambda", .op = "UpdateFunctionConfiguration",
     .in = "{\"FunctionName\":\"$id\",\"Role\":\"$p.Role\",\"Handler\":\"$p.Handler\","
           "\"Description\":\"$p.Description|\",\"Timeout\":\"$p.Timeout|3\","
           "\"MemorySize\":\"$p.MemorySize|128\",\"Runtime\":\"$p.Runtime\","
           "\"DeadLetterConfig\":\"$p.DeadLetterConfig\","
           "\"Environment\":{\"Variables\":\"$p.Environment.Variables|{}\"},"
           "\"KMSKeyArn\":\"$p.KmsKeyArn\",\"TracingConfig\":\"$p.TracingConfig\","
           "\"EphemeralStorage\":\"$p.EphemeralStorage\","
           "\"LoggingConfig\":\"$p.LoggingConfig\"}"},
    {.on = ON_UPDATE | ON_GONE,
     .when = "DeadLetterConfig Description Environment EphemeralStorage Handler KmsKeyArn "
             "LoggingConfig MemorySize Role Runtime Timeout TracingConfig",
     .room = "lambda", .op = "GetFunctionConfiguration", .in = "{\"FunctionName\":\"$id\"}",
     .until = "LastUpdateStatus=Successful"},
    {.on = ON_CREATE | ON_UPDATE, .when = "ReservedConcurrentExecutions", .room = "lambda",
     .op = "PutFunctionConcurrency",
     .in = "{\"FunctionName\":\"$name\",\"ReservedConcurrentExecutions\":"
           "\"$p.ReservedConcurrentExecutions\"}"},
    {.on = ON_GONE, .when = "ReservedConcurrentExecutions", .room = "lambda",
     .op = "DeleteFunctionConcurrency", .in = "{\"FunctionName\":\"$id\"}"},
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "lambda", .op = "UntagResource",
     .in = "{\"Resource\":\"$a.Arn\",\"TagKeys\":[\"$e.Key\"]}"},
    {.on = ON_UPDATE, .when = "Tags", .room = "lambda", .op = "TagResource",
     .in = "{\"Resource\":\"$a.Arn\",\"Tags\":\"$tagmap\"}"},
    {.on = ON_DELETE, .room = "lambda", .op = "DeleteFunction",
     .in = "{\"FunctionName\":\"$id\"}", .ignore = "ResourceNotFoundException"},
    {0},
};

static const struct attribute function_attributes[] = {{"Arn", "$a.Arn"}, {0}};

static const struct rtype function = {.name = "AWS::Lambda::Function", .props = function_props,
                                      .steps = function_steps, .attributes = function_attributes,
                                      .name_prop = "FunctionName", .name_style = NAME_ANY,
                                      .name_max = 64};

static const struct prop permission_props[] = {
    {"Action", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"EventSourceToken", P_STR, P_REPLACE, NULL},
    {"FunctionName", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"Principal", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"PrincipalOrgID", P_STR, P_REPLACE, NULL},
    {"SourceAccount", P_STR, P_REPLACE, NULL},
    {"SourceArn", P_STR, P_REPLACE, NULL},
    {0},
};

static const struct step permission_steps[] = {
    {.on = ON_CREATE, .room = "lambda", .op = "AddPermission",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"StatementId\":\"$name\","
           "\"Action\":\"$p.Action\",\"Principal\":\"$p.Principal\","
           "\"SourceArn\":\"$p.SourceArn\",\"SourceAccount\":\"$p.SourceAccount\","
           "\"EventSourceToken\":\"$p.EventSourceToken\","
           "\"PrincipalOrgID\":\"$p.PrincipalOrgID\"}",
     .exists = "ResourceConflictException"},
    {.on = ON_DELETE, .room = "lambda", .op = "RemovePermission",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"StatementId\":\"$id\"}",
     .ignore = "ResourceNotFoundException"},
    {0},
};

static const struct rtype permission = {.name = "AWS::Lambda::Permission",
                                        .props = permission_props, .steps = permission_steps,
                                        .name_style = NAME_ANY, .name_max = 100};

static const struct prop version_props[] = {
    {"CodeSha256", P_STR, P_REPLACE, NULL},
    {"Description", P_STR, P_REPLACE, NULL},
    {"FunctionName", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step version_steps[] = {
    {.on = ON_CREATE, .room = "lambda", .op = "PublishVersion",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"CodeSha256\":\"$p.CodeSha256\","
           "\"Description\":\"$p.Description\"}",
     .save = "FunctionArn=@id;Version=Version"},
    {.on = ON_DELETE, .room = "lambda", .op = "DeleteFunction",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"Qualifier\":\"$a.Version\"}",
     .ignore = "ResourceNotFoundException"},
    {0},
};

static const struct attribute version_attributes[] = {
    {"FunctionArn", "$id"}, {"Version", "$a.Version"}, {0}};

static const struct rtype version = {.name = "AWS::Lambda::Version", .props = version_props,
                                     .steps = version_steps, .attributes = version_attributes};

static const struct prop alias_props[] = {
    {"Description", P_STR, 0, NULL},
    {"FunctionName", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"FunctionVersion", P_STR, P_REQUIRED, NULL},
    {"Name", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step alias_steps[] = {
    {.on = ON_CREATE, .room = "lambda", .op = "CreateAlias",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"Name\":\"$p.Name\","
           "\"FunctionVersion\":\"$p.FunctionVersion\",\"Description\":\"$p.Description\"}",
     .save = "AliasArn=@id"},
    {.on = ON_UPDATE | ON_GONE, .when = "Description FunctionVersion", .room = "lambda",
     .op = "UpdateAlias",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"Name\":\"$p.Name\","
           "\"FunctionVersion\":\"$p.FunctionVersion\",\"Description\":\"$p.Description|\"}"},
    {.on = ON_DELETE, .room = "lambda", .op = "DeleteAlias",
     .in = "{\"FunctionName\":\"$p.FunctionName\",\"Name\":\"$p.Name\"}",
     .ignore = "ResourceNotFoundException"},
    {0},
};

static const struct attribute alias_attributes[] = {{"AliasArn", "$id"}, {0}};

static const struct rtype alias = {.name = "AWS::Lambda::Alias", .props = alias_props,
                                   .steps = alias_steps, .attributes = alias_attributes};

const struct rtype *const types_lambda[] = {&function, &permission, &version, &alias, NULL};

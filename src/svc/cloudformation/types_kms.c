/* AWS::KMS::*: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_KMS.html */
#include "types.h"

static const struct prop key_props[] = {
    {"BypassPolicyLockoutSafetyCheck", P_BOOL, 0, NULL},
    {"Description", P_STR, 0, NULL},
    {"Enabled", P_BOOL, 0, NULL},
    {"EnableKeyRotation", P_BOOL, 0, NULL},
    {"KeyPolicy", P_JSON, 0, NULL},
    {"KeySpec", P_STR, P_REPLACE, NULL},
    {"KeyUsage", P_STR, P_REPLACE, NULL},
    {"MultiRegion", P_BOOL, P_REPLACE, NULL},
    {"Origin", P_STR, P_REPLACE, NULL},
    {"PendingWindowInDays", P_INT, 0, NULL},
    {"RotationPeriodInDays", P_INT, 0, NULL},
    {"Tags", P_TAGS, 0, "Key=TagKey Value=TagValue"},
    {0},
};

static const struct step key_steps[] = {
    {.on = ON_CREATE, .room = "kms", .op = "CreateKey",
     .in = "{\"Policy\":\"$p.KeyPolicy\",\"Description\":\"$p.Description\","
           "\"KeySpec\":\"$p.KeySpec\",\"KeyUsage\":\"$p.KeyUsage\","
           "\"MultiRegion\":\"$p.MultiRegion\",\"Origin\":\"$p.Origin\",\"Tags\":\"$p.Tags\","
           "\"BypassPolicyLockoutSafetyCheck\":\"$p.BypassPolicyLockoutSafetyCheck\"}",
     .save = "KeyMetadata.KeyId=@id;KeyMetadata.Arn=Arn"},
    {.on = ON_UPDATE, .when = "KeyPolicy", .room = "kms", .op = "PutKeyPolicy",
     .in = "{\"KeyId\":\"$id\",\"PolicyName\":\"default\",\"Policy\":\"$p.KeyPolicy\","
           "\"BypassPolicyLockoutSafetyCheck\":\"$p.BypassPolicyLockoutSafetyCheck\"}"},
    {.on = ON_UPDATE | ON_GONE, .when = "Description", .room = "kms",
     .op = "UpdateKeyDescription",
     .in = "{\"KeyId\":\"$id\",\"Description\":\"$p.Description|\"}"},
    {.on = ON_UPDATE | ON_GONE, .when = "Enabled", .test = "+Enabled|true", .room = "kms",
     .op = "EnableKey", .in = "{\"KeyId\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "EnableKeyRotation RotationPeriodInDays",
     .test = "+EnableKeyRotation", .room = "kms", .op = "EnableKeyRotation",
     .in = "{\"KeyId\":\"$id\",\"RotationPeriodInDays\":\"$p.RotationPeriodInDays\"}"},
    {.on = ON_UPDATE | ON_GONE, .when = "EnableKeyRotation", .test = "-EnableKeyRotation|false",
     .room = "kms", .op = "DisableKeyRotation", .in = "{\"KeyId\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "Enabled", .test = "-Enabled", .room = "kms",
     .op = "DisableKey", .in = "{\"KeyId\":\"$id\"}"},
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "kms", .op = "UntagResource",
     .in = "{\"KeyId\":\"$id\",\"TagKeys\":[\"$e.Key\"]}"},
    {.on = ON_UPDATE, .each = "Tags", .key = "Key", .room = "kms", .op = "TagResource",
     .in = "{\"KeyId\":\"$id\",\"Tags\":[{\"TagKey\":\"$e.Key\",\"TagValue\":\"$e.Value\"}]}"},
    {.on = ON_DELETE, .room = "kms", .op = "ScheduleKeyDeletion",
     .in = "{\"KeyId\":\"$id\",\"PendingWindowInDays\":\"$p.PendingWindowInDays\"}",
     .ignore = "NotFoundException KMSInvalidStateException"},
    {0},
};

static const struct attribute key_attributes[] = {{"Arn", "$a.Arn"}, {"KeyId", "$id"}, {0}};

static const struct rtype key = {.name = "AWS::KMS::Key", .props = key_props, .steps = key_steps,
                                 .attributes = key_attributes};

static const struct prop alias_props[] = {
    {"AliasName", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"TargetKeyId", P_STR, P_REQUIRED, NULL},
    {0},
};

static const struct step alias_steps[] = {
    {.on = ON_PROBE, .room = "kms", .op = "DescribeKey", .in = "{\"KeyId\":\"$name\"}",
     .ignore = "*"},
    {.on = ON_CREATE, .room = "kms", .op = "CreateAlias",
     .in = "{\"AliasName\":\"$name\",\"TargetKeyId\":\"$p.TargetKeyId\"}",
     .exists = "AlreadyExistsException"},
    {.on = ON_UPDATE, .when = "TargetKeyId", .room = "kms", .op = "UpdateAlias",
     .in = "{\"AliasName\":\"$id\",\"TargetKeyId\":\"$p.TargetKeyId\"}"},
    {.on = ON_DELETE, .room = "kms", .op = "DeleteAlias", .in = "{\"AliasName\":\"$id\"}",
     .ignore = "NotFoundException"},
    {0},
};

static const struct rtype alias = {.name = "AWS::KMS::Alias", .props = alias_props,
                                   .steps = alias_steps, .name_prop = "AliasName",
                                   .name_style = NAME_ANY, .name_max = 256};

const struct rtype *const types_kms[] = {&key, &alias, NULL};

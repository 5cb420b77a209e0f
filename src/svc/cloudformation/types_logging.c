/* AWS::CloudTrail::Trail, AWS::Logs::LogGroup, and what needs no service at all. */
#include "types.h"

static const struct prop trail_props[] = {
    {"AdvancedEventSelectors", P_LIST, 0, NULL},
    {"CloudWatchLogsLogGroupArn", P_STR, 0, NULL},
    {"CloudWatchLogsRoleArn", P_STR, 0, NULL},
    {"EnableLogFileValidation", P_BOOL, 0, NULL},
    {"EventSelectors", P_LIST, 0, NULL},
    {"IncludeGlobalServiceEvents", P_BOOL, 0, NULL},
    {"IsLogging", P_BOOL, P_REQUIRED, NULL},
    {"IsMultiRegionTrail", P_BOOL, 0, NULL},
    {"IsOrganizationTrail", P_BOOL, 0, NULL},
    {"KMSKeyId", P_STR, 0, NULL},
    {"S3BucketName", P_STR, P_REQUIRED, NULL},
    {"S3KeyPrefix", P_STR, 0, NULL},
    {"SnsTopicName", P_STR, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {"TrailName", P_STR, P_REPLACE, NULL},
    {0},
};

#define TRAIL_MEMBERS                                                                              \
    "\"S3BucketName\":\"$p.S3BucketName\",\"IncludeGlobalServiceEvents\":"                         \
    "\"$p.IncludeGlobalServiceEvents|true\","                                                      \
    "\"IsMultiRegionTrail\":\"$p.IsMultiRegionTrail|false\","                                      \
    "\"EnableLogFileValidation\":\"$p.EnableLogFileValidation|false\","                            \
    "\"CloudWatchLogsLogGroupArn\":\"$p.CloudWatchLogsLogGroupArn\","                              \
    "\"CloudWatchLogsRoleArn\":\"$p.CloudWatchLogsRoleArn\","                                      \
    "\"IsOrganizationTrail\":\"$p.IsOrganizationTrail\","

static const struct step trail_steps[] = {
    {.on = ON_PROBE, .room = "cloudtrail", .op = "GetTrail", .in = "{\"Name\":\"$name\"}",
     .ignore = "*"},
    {.on = ON_CREATE, .room = "cloudtrail", .op = "CreateTrail",
     .in = "{\"Name\":\"$name\"," TRAIL_MEMBERS "\"S3KeyPrefix\":\"$p.S3KeyPrefix\","
           "\"SnsTopicName\":\"$p.SnsTopicName\",\"KmsKeyId\":\"$p.KMSKeyId\","
           "\"TagsList\":\"$p.Tags\"}",
     .save = "TrailARN=Arn;SnsTopicARN=SnsTopicArn", .exists = "TrailAlreadyExistsException"},
    {.on = ON_ADOPT, .room = "cloudtrail", .op = "GetTrail", .in = "{\"Name\":\"$name\"}",
     .save = "Trail.TrailARN=Arn;Trail.SnsTopicARN=SnsTopicArn"},
    {.on = ON_UPDATE | ON_GONE,
     .when = "S3BucketName S3KeyPrefix SnsTopicName IncludeGlobalServiceEvents "
             "IsMultiRegionTrail EnableLogFileValidation KMSKeyId CloudWatchLogsLogGroupArn "
             "CloudWatchLogsRoleArn IsOrganizationTrail",
     .room = "cloudtrail", .op = "UpdateTrail",
     .in = "{\"Name\":\"$id\"," TRAIL_MEMBERS "\"S3KeyPrefix\":\"$p.S3KeyPrefix|\","
           "\"SnsTopicName\":\"$p.SnsTopicName|\",\"KmsKeyId\":\"$p.KMSKeyId|\"}",
     .save = "SnsTopicARN=SnsTopicArn"},
    {.on = ON_CREATE | ON_UPDATE, .when = "EventSelectors", .room = "cloudtrail",
     .op = "PutEventSelectors",
     .in = "{\"TrailName\":\"$name\",\"EventSelectors\":\"$p.EventSelectors\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "AdvancedEventSelectors", .room = "cloudtrail",
     .op = "PutEventSelectors",
     .in = "{\"TrailName\":\"$name\",\"AdvancedEventSelectors\":\"$p.AdvancedEventSelectors\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "IsLogging", .test = "+IsLogging", .room = "cloudtrail",
     .op = "StartLogging", .in = "{\"Name\":\"$name\"}"},
    {.on = ON_UPDATE, .when = "IsLogging", .test = "-IsLogging", .room = "cloudtrail",
     .op = "StopLogging", .in = "{\"Name\":\"$id\"}"},
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "cloudtrail", .op = "RemoveTags",
     .in = "{\"ResourceId\":\"$a.Arn\",\"TagsList\":[{\"Key\":\"$e.Key\"}]}"},
    {.on = ON_UPDATE, .when = "Tags", .room = "cloudtrail", .op = "AddTags",
     .in = "{\"ResourceId\":\"$a.Arn\",\"TagsList\":\"$p.Tags\"}"},
    {.on = ON_DELETE, .room = "cloudtrail", .op = "DeleteTrail", .in = "{\"Name\":\"$id\"}",
     .ignore = "TrailNotFoundException"},
    {0},
};

static const struct attribute trail_attributes[] = {
    {"Arn", "$a.Arn"}, {"SnsTopicArn", "$a.SnsTopicArn"}, {0}};

static const struct rtype trail = {.name = "AWS::CloudTrail::Trail", .props = trail_props,
                                   .steps = trail_steps, .attributes = trail_attributes,
                                   .name_prop = "TrailName", .name_style = NAME_ANY,
                                   .name_max = 128};

static const struct prop group_props[] = {
    {"KmsKeyId", P_STR, 0, NULL},
    {"LogGroupClass", P_STR, P_REPLACE, NULL},
    {"LogGroupName", P_STR, P_REPLACE, NULL},
    {"RetentionInDays", P_INT, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {0},
};

static const struct step group_steps[] = {
    {.on = ON_PROBE, .room = "logs", .op = "ListTagsForResource",
     .in = "{\"resourceArn\":\"=arn:aws:logs:<region>:<account>:log-group:<name>\"}",
     .ignore = "*"},
    {.on = ON_CREATE, .room = "logs", .op = "CreateLogGroup",
     .in = "{\"logGroupName\":\"$name\",\"kmsKeyId\":\"$p.KmsKeyId\",\"tags\":\"$tagmap\","
           "\"logGroupClass\":\"$p.LogGroupClass\"}",
     .exists = "ResourceAlreadyExistsException"},
    {.on = ON_UPDATE, .when = "KmsKeyId", .room = "logs", .op = "AssociateKmsKey",
     .in = "{\"logGroupName\":\"$id\",\"kmsKeyId\":\"$p.KmsKeyId\"}"},
    {.on = ON_GONE, .when = "KmsKeyId", .room = "logs", .op = "DisassociateKmsKey",
     .in = "{\"logGroupName\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "RetentionInDays", .room = "logs",
     .op = "PutRetentionPolicy",
     .in = "{\"logGroupName\":\"$name\",\"retentionInDays\":\"$p.RetentionInDays\"}"},
    {.on = ON_GONE, .when = "RetentionInDays", .room = "logs", .op = "DeleteRetentionPolicy",
     .in = "{\"logGroupName\":\"$id\"}"},
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "logs", .op = "UntagResource",
     .in = "{\"resourceArn\":\"=arn:aws:logs:<region>:<account>:log-group:<id>\","
           "\"tagKeys\":[\"$e.Key\"]}"},
    {.on = ON_UPDATE, .when = "Tags", .room = "logs", .op = "TagResource",
     .in = "{\"resourceArn\":\"=arn:aws:logs:<region>:<account>:log-group:<id>\","
           "\"tags\":\"$tagmap\"}"},
    {.on = ON_DELETE, .room = "logs", .op = "DeleteLogGroup", .in = "{\"logGroupName\":\"$id\"}",
     .ignore = "ResourceNotFoundException"},
    {0},
};

static const struct attribute group_attributes[] = {
    {"Arn", "=arn:aws:logs:<region>:<account>:log-group:<id>:*"}, {0}};

static const struct rtype group = {.name = "AWS::Logs::LogGroup", .props = group_props,
                                   .steps = group_steps, .attributes = group_attributes,
                                   .name_prop = "LogGroupName", .name_style = NAME_ANY,
                                   .name_max = 512};

/* A handle is a unique id and nothing else. */
static const struct prop no_props[] = {{0}};
static const struct step no_steps[] = {{0}};
static const struct rtype handle = {.name = "AWS::CloudFormation::WaitConditionHandle",
                                    .props = no_props, .steps = no_steps, .name_style = NAME_ANY,
                                    .name_max = 128};

/* What the CDK writes about the constructs used: it is kept with the template and does nothing. */
static const struct prop metadata_props[] = {
    {"Analytics", P_STR, 0, NULL}, {"Modules", P_STR, 0, NULL}, {0}};
static const struct rtype metadata = {.name = "AWS::CDK::Metadata", .props = metadata_props,
                                      .steps = no_steps, .name_style = NAME_ANY,
                                      .name_max = 128};

const struct rtype *const types_logging[] = {&trail, &group, &handle, &metadata, NULL};

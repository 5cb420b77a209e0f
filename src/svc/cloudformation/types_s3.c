/* AWS::S3::*: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_S3.html */
#include "types.h"

static const struct prop bucket_props[] = {
    {"BucketEncryption", P_OBJ, 0,
     "ServerSideEncryptionConfiguration=Rules "
     "ServerSideEncryptionByDefault=ApplyServerSideEncryptionByDefault"},
    {"BucketName", P_STR, P_REPLACE, NULL},
    {"NotificationConfiguration", P_OBJ, 0,
     "LambdaConfigurations=LambdaFunctionConfigurations Function=LambdaFunctionArn "
     "Queue=QueueArn Topic=TopicArn Event=Events[] S3Key=Key Rules=FilterRules"},
    {"OwnershipControls", P_OBJ, 0, NULL},
    {"PublicAccessBlockConfiguration", P_OBJ, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {"VersioningConfiguration", P_OBJ, 0, NULL},
    {0},
};

static const struct step bucket_steps[] = {
    {.on = ON_PROBE, .room = "s3", .op = "HeadBucket", .in = "{\"Bucket\":\"$name\"}"},
    {.on = ON_CREATE, .room = "s3", .op = "CreateBucket",
     .in = "{\"Bucket\":\"$name\",\"CreateBucketConfiguration\":"
           "{\"LocationConstraint\":\"$location\"}}",
     .exists = "BucketAlreadyOwnedByYou"},
    {.on = ON_CREATE | ON_UPDATE, .when = "BucketEncryption", .room = "s3",
     .op = "PutBucketEncryption",
     .in = "{\"Bucket\":\"$id\",\"ServerSideEncryptionConfiguration\":\"$p.BucketEncryption\"}"},
    {.on = ON_GONE, .when = "BucketEncryption", .room = "s3", .op = "DeleteBucketEncryption",
     .in = "{\"Bucket\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "VersioningConfiguration", .room = "s3",
     .op = "PutBucketVersioning",
     .in = "{\"Bucket\":\"$id\",\"VersioningConfiguration\":\"$p.VersioningConfiguration\"}"},
    {.on = ON_GONE, .when = "VersioningConfiguration", .room = "s3", .op = "PutBucketVersioning",
     .in = "{\"Bucket\":\"$id\",\"VersioningConfiguration\":{\"Status\":\"Suspended\"}}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "PublicAccessBlockConfiguration", .room = "s3",
     .op = "PutPublicAccessBlock",
     .in = "{\"Bucket\":\"$id\",\"PublicAccessBlockConfiguration\":"
           "\"$p.PublicAccessBlockConfiguration\"}"},
    {.on = ON_GONE, .when = "PublicAccessBlockConfiguration", .room = "s3",
     .op = "DeletePublicAccessBlock", .in = "{\"Bucket\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "OwnershipControls", .room = "s3",
     .op = "PutBucketOwnershipControls",
     .in = "{\"Bucket\":\"$id\",\"OwnershipControls\":\"$p.OwnershipControls\"}"},
    {.on = ON_GONE, .when = "OwnershipControls", .room = "s3",
     .op = "DeleteBucketOwnershipControls", .in = "{\"Bucket\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "Tags", .room = "s3", .op = "PutBucketTagging",
     .in = "{\"Bucket\":\"$id\",\"Tagging\":{\"TagSet\":\"$p.Tags\"}}"},
    {.on = ON_GONE, .when = "Tags", .room = "s3", .op = "DeleteBucketTagging",
     .in = "{\"Bucket\":\"$id\"}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "NotificationConfiguration", .room = "s3",
     .op = "PutBucketNotificationConfiguration",
     .in = "{\"Bucket\":\"$id\",\"NotificationConfiguration\":\"$p.NotificationConfiguration\"}"},
    {.on = ON_GONE, .when = "NotificationConfiguration", .room = "s3",
     .op = "PutBucketNotificationConfiguration",
     .in = "{\"Bucket\":\"$id\",\"NotificationConfiguration\":{}}"},
    {.on = ON_DELETE, .room = "s3", .op = "DeleteBucket", .in = "{\"Bucket\":\"$id\"}",
     .ignore = "NoSuchBucket"},
    {0},
};

static const struct attribute bucket_attributes[] = {
    {"Arn", "=arn:aws:s3:::<id>"},
    {"DomainName", "=<id>.s3.amazonaws.com"},
    {"RegionalDomainName", "=<id>.s3.<region>.amazonaws.com"},
    {"DualStackDomainName", "=<id>.s3.dualstack.<region>.amazonaws.com"},
    {0},
};

static const struct rtype bucket = {.name = "AWS::S3::Bucket", .props = bucket_props,
                                    .steps = bucket_steps, .attributes = bucket_attributes,
                                    .name_prop = "BucketName", .name_style = NAME_LOWER,
                                    .name_max = 63};

static const struct prop policy_props[] = {
    {"Bucket", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"PolicyDocument", P_JSON, P_REQUIRED, NULL},
    {0},
};

static const struct step policy_steps[] = {
    {.on = ON_CREATE | ON_UPDATE, .when = "PolicyDocument", .room = "s3", .op = "PutBucketPolicy",
     .in = "{\"Bucket\":\"$p.Bucket\",\"Policy\":\"$p.PolicyDocument\"}", .save = "$p.Bucket=@id"},
    {.on = ON_DELETE, .room = "s3", .op = "DeleteBucketPolicy", .in = "{\"Bucket\":\"$id\"}",
     .ignore = "NoSuchBucket NoSuchBucketPolicy"},
    {0},
};

static const struct rtype policy = {.name = "AWS::S3::BucketPolicy", .props = policy_props,
                                    .steps = policy_steps};

const struct rtype *const types_s3[] = {&bucket, &policy, NULL};

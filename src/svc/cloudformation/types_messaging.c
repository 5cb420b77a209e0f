/* AWS::SNS::*, AWS::SQS::*:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SNS.html */
#include "types.h"

/* -- SQS --------------------------------------------------------------------------------------- */

static const struct prop queue_props[] = {
    {"ContentBasedDeduplication", P_BOOL, 0, NULL},
    {"DeduplicationScope", P_STR, 0, NULL},
    {"DelaySeconds", P_INT, 0, NULL},
    {"FifoQueue", P_BOOL, P_REPLACE, NULL},
    {"FifoThroughputLimit", P_STR, 0, NULL},
    {"KmsDataKeyReusePeriodSeconds", P_INT, 0, NULL},
    {"KmsMasterKeyId", P_STR, 0, NULL},
    {"MaximumMessageSize", P_INT, 0, NULL},
    {"MessageRetentionPeriod", P_INT, 0, NULL},
    {"QueueName", P_STR, P_REPLACE, NULL},
    {"ReceiveMessageWaitTimeSeconds", P_INT, 0, NULL},
    {"RedriveAllowPolicy", P_JSON, 0, NULL},
    {"RedrivePolicy", P_JSON, 0, NULL},
    {"SqsManagedSseEnabled", P_BOOL, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {"VisibilityTimeout", P_INT, 0, NULL},
    {0},
};

static const struct step queue_steps[] = {
    {.on = ON_PROBE, .room = "sqs", .op = "GetQueueUrl", .in = "{\"QueueName\":\"$name\"}"},
    {.on = ON_CREATE, .room = "sqs", .op = "CreateQueue",
     .in = "{\"QueueName\":\"$name\",\"tags\":\"$tagmap\",\"Attributes\":{"
           "\"ContentBasedDeduplication\":\"$p.ContentBasedDeduplication\","
           "\"DeduplicationScope\":\"$p.DeduplicationScope\","
           "\"DelaySeconds\":\"$p.DelaySeconds\",\"FifoQueue\":\"$p.FifoQueue\","
           "\"FifoThroughputLimit\":\"$p.FifoThroughputLimit\","
           "\"KmsDataKeyReusePeriodSeconds\":\"$p.KmsDataKeyReusePeriodSeconds\","
           "\"KmsMasterKeyId\":\"$p.KmsMasterKeyId\","
           "\"MaximumMessageSize\":\"$p.MaximumMessageSize\","
           "\"MessageRetentionPeriod\":\"$p.MessageRetentionPeriod\","
           "\"ReceiveMessageWaitTimeSeconds\":\"$p.ReceiveMessageWaitTimeSeconds\","
           "\"RedriveAllowPolicy\":\"$p.RedriveAllowPolicy\","
           "\"RedrivePolicy\":\"$p.RedrivePolicy\","
           "\"SqsManagedSseEnabled\":\"$p.SqsManagedSseEnabled\","
           "\"VisibilityTimeout\":\"$p.VisibilityTimeout\"}}",
     .save = "QueueUrl=@id", .exists = "QueueNameExists"},
    {.on = ON_ADOPT, .room = "sqs", .op = "GetQueueUrl", .in = "{\"QueueName\":\"$name\"}",
     .save = "QueueUrl=@id"},
    {.on = ON_UPDATE | ON_GONE,
     .when = "DelaySeconds MaximumMessageSize MessageRetentionPeriod "
             "ReceiveMessageWaitTimeSeconds VisibilityTimeout",
     .room = "sqs", .op = "SetQueueAttributes",
     .in = "{\"QueueUrl\":\"$id\",\"Attributes\":{\"DelaySeconds\":\"$p.DelaySeconds|0\","
           "\"MaximumMessageSize\":\"$p.MaximumMessageSize|262144\","
           "\"MessageRetentionPeriod\":\"$p.MessageRetentionPeriod|345600\","
           "\"ReceiveMessageWaitTimeSeconds\":\"$p.ReceiveMessageWaitTimeSeconds|0\","
           "\"VisibilityTimeout\":\"$p.VisibilityTimeout|30\"}}"},
    {.on = ON_UPDATE | ON_GONE,
     .when = "KmsMasterKeyId KmsDataKeyReusePeriodSeconds RedrivePolicy RedriveAllowPolicy "
             "SqsManagedSseEnabled "
             "ContentBasedDeduplication DeduplicationScope FifoThroughputLimit",
     .room = "sqs", .op = "SetQueueAttributes",
     .in = "{\"QueueUrl\":\"$id\",\"Attributes\":{"
           "\"ContentBasedDeduplication\":\"$p.ContentBasedDeduplication\","
           "\"DeduplicationScope\":\"$p.DeduplicationScope\","
           "\"FifoThroughputLimit\":\"$p.FifoThroughputLimit\","
           "\"KmsDataKeyReusePeriodSeconds\":\"$p.KmsDataKeyReusePeriodSeconds\","
           "\"KmsMasterKeyId\":\"$p.KmsMasterKeyId\",\"RedrivePolicy\":\"$p.RedrivePolicy|\","
           "\"RedriveAllowPolicy\":\"$p.RedriveAllowPolicy\","
           "\"SqsManagedSseEnabled\":\"$p.SqsManagedSseEnabled\"}}"},
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "sqs", .op = "UntagQueue",
     .in = "{\"QueueUrl\":\"$id\",\"TagKeys\":[\"$e.Key\"]}"},
    {.on = ON_UPDATE, .when = "Tags", .room = "sqs", .op = "TagQueue",
     .in = "{\"QueueUrl\":\"$id\",\"Tags\":\"$tagmap\"}"},
    {.on = ON_DELETE, .room = "sqs", .op = "DeleteQueue", .in = "{\"QueueUrl\":\"$id\"}",
     .ignore = "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue"},
    {0},
};

static const struct attribute queue_attributes[] = {
    {"Arn", "=arn:aws:sqs:<region>:<account>:<name>"},
    {"QueueName", "$name"},
    {"QueueUrl", "$id"},
    {0},
};

static const struct rtype queue = {.name = "AWS::SQS::Queue", .props = queue_props,
                                   .steps = queue_steps, .attributes = queue_attributes,
                                   .name_prop = "QueueName", .name_style = NAME_ANY,
                                   .name_max = 80, .name_suffix = "+FifoQueue=.fifo"};

static const struct prop queue_policy_props[] = {
    {"PolicyDocument", P_JSON, P_REQUIRED, NULL},
    {"Queues", P_LIST, P_REQUIRED, NULL},
    {0},
};

static const struct step queue_policy_steps[] = {
    {.on = ON_CREATE | ON_UPDATE, .each = "Queues", .when = "PolicyDocument", .room = "sqs",
     .op = "SetQueueAttributes",
     .in = "{\"QueueUrl\":\"$e\",\"Attributes\":{\"Policy\":\"$p.PolicyDocument\"}}"},
    {.on = ON_GONE | ON_DELETE, .each = "Queues", .room = "sqs", .op = "SetQueueAttributes",
     .in = "{\"QueueUrl\":\"$e\",\"Attributes\":{\"Policy\":\"\"}}",
     .ignore = "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue"},
    {0},
};

static const struct rtype queue_policy = {.name = "AWS::SQS::QueuePolicy",
                                          .props = queue_policy_props,
                                          .steps = queue_policy_steps, .name_style = NAME_ANY,
                                          .name_max = 128};

/* -- SNS --------------------------------------------------------------------------------------- */

static const struct prop topic_props[] = {
    {"ContentBasedDeduplication", P_BOOL, 0, NULL},
    {"DataProtectionPolicy", P_JSON, 0, NULL},
    {"DisplayName", P_STR, 0, NULL},
    {"FifoTopic", P_BOOL, P_REPLACE, NULL},
    {"KmsMasterKeyId", P_STR, 0, NULL},
    {"SignatureVersion", P_STR, 0, NULL},
    {"Subscription", P_LIST, 0, NULL, "Endpoint Protocol"},
    {"Tags", P_TAGS, 0, NULL},
    {"TopicName", P_STR, P_REPLACE, NULL},
    {"TracingConfig", P_STR, 0, NULL},
    {0},
};

#define TOPIC_ATTRIBUTE(name, other)                                                               \
    {.on = ON_UPDATE | ON_GONE, .when = name, .room = "sns", .op = "SetTopicAttributes",           \
     .in = "{\"TopicArn\":\"$id\",\"AttributeName\":\"" name                                       \
           "\",\"AttributeValue\":\"$p." name "|" other "\"}"}

static const struct step topic_steps[] = {
    {.on = ON_PROBE, .room = "sns", .op = "GetTopicAttributes",
     .in = "{\"TopicArn\":\"=arn:aws:sns:<region>:<account>:<name>\"}"},
    {.on = ON_CREATE, .room = "sns", .op = "CreateTopic",
     .in = "{\"Name\":\"$name\",\"Tags\":\"$p.Tags\",\"Attributes\":{"
           "\"ContentBasedDeduplication\":\"$p.ContentBasedDeduplication\","
           "\"DisplayName\":\"$p.DisplayName\",\"FifoTopic\":\"$p.FifoTopic\","
           "\"KmsMasterKeyId\":\"$p.KmsMasterKeyId\","
           "\"SignatureVersion\":\"$p.SignatureVersion\","
           "\"TracingConfig\":\"$p.TracingConfig\"},"
           "\"DataProtectionPolicy\":\"$p.DataProtectionPolicy\"}",
     .save = "TopicArn=@id"},
    TOPIC_ATTRIBUTE("DisplayName", ""),
    TOPIC_ATTRIBUTE("KmsMasterKeyId", ""),
    TOPIC_ATTRIBUTE("ContentBasedDeduplication", "false"),
    TOPIC_ATTRIBUTE("SignatureVersion", "1"),
    TOPIC_ATTRIBUTE("TracingConfig", "PassThrough"),
    {.on = ON_GONE, .each = "Subscription", .test = "@sub <e.Protocol> <e.Endpoint>",
     .room = "sns", .op = "Unsubscribe",
     .in = "{\"SubscriptionArn\":\"$a.sub <e.Protocol> <e.Endpoint>\"}", .ignore = "NotFound"},
    {.on = ON_CREATE | ON_UPDATE, .each = "Subscription", .room = "sns", .op = "Subscribe",
     .in = "{\"TopicArn\":\"$id\",\"Protocol\":\"$e.Protocol\",\"Endpoint\":\"$e.Endpoint\","
           "\"ReturnSubscriptionArn\":true}",
     .save = "SubscriptionArn=sub <e.Protocol> <e.Endpoint>"},
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "sns", .op = "UntagResource",
     .in = "{\"ResourceArn\":\"$id\",\"TagKeys\":[\"$e.Key\"]}"},
    {.on = ON_UPDATE, .when = "Tags", .room = "sns", .op = "TagResource",
     .in = "{\"ResourceArn\":\"$id\",\"Tags\":\"$p.Tags\"}"},
    {.on = ON_DELETE, .room = "sns", .op = "DeleteTopic", .in = "{\"TopicArn\":\"$id\"}",
     .ignore = "NotFound NotFoundException"},
    {0},
};

static const struct attribute topic_attributes[] = {
    {"TopicName", "$name"}, {"TopicArn", "$id"}, {0}};

static const struct rtype topic = {.name = "AWS::SNS::Topic", .props = topic_props,
                                   .steps = topic_steps, .attributes = topic_attributes,
                                   .name_prop = "TopicName", .name_style = NAME_ANY,
                                   .name_max = 256, .name_suffix = "+FifoTopic=.fifo"};

static const struct prop subscription_props[] = {
    {"DeliveryPolicy", P_JSON, 0, NULL},
    {"Endpoint", P_STR, P_REPLACE, NULL},
    {"FilterPolicy", P_JSON, 0, NULL},
    {"FilterPolicyScope", P_STR, 0, NULL},
    {"Protocol", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"RawMessageDelivery", P_BOOL, 0, NULL},
    {"RedrivePolicy", P_JSON, 0, NULL},
    {"SubscriptionRoleArn", P_STR, 0, NULL},
    {"TopicArn", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

#define SUBSCRIPTION_ATTRIBUTE(name, other)                                                        \
    {.on = ON_UPDATE | ON_GONE, .when = name, .room = "sns", .op = "SetSubscriptionAttributes",    \
     .in = "{\"SubscriptionArn\":\"$id\",\"AttributeName\":\"" name                                \
           "\",\"AttributeValue\":\"%p." name "|" other "\"}"}

static const struct step subscription_steps[] = {
    {.on = ON_CREATE, .room = "sns", .op = "Subscribe",
     .in = "{\"TopicArn\":\"$p.TopicArn\",\"Protocol\":\"$p.Protocol\","
           "\"Endpoint\":\"$p.Endpoint\",\"ReturnSubscriptionArn\":true,\"Attributes\":{"
           "\"DeliveryPolicy\":\"$p.DeliveryPolicy\",\"FilterPolicy\":\"$p.FilterPolicy\","
           "\"FilterPolicyScope\":\"$p.FilterPolicyScope\","
           "\"RawMessageDelivery\":\"$p.RawMessageDelivery\","
           "\"RedrivePolicy\":\"$p.RedrivePolicy\","
           "\"SubscriptionRoleArn\":\"$p.SubscriptionRoleArn\"}}",
     .save = "SubscriptionArn=@id"},
    SUBSCRIPTION_ATTRIBUTE("RawMessageDelivery", "false"),
    SUBSCRIPTION_ATTRIBUTE("FilterPolicyScope", "MessageAttributes"),
    SUBSCRIPTION_ATTRIBUTE("FilterPolicy", "{}"),
    SUBSCRIPTION_ATTRIBUTE("DeliveryPolicy", ""),
    SUBSCRIPTION_ATTRIBUTE("RedrivePolicy", ""),
    {.on = ON_DELETE, .room = "sns", .op = "Unsubscribe", .in = "{\"SubscriptionArn\":\"$id\"}",
     .ignore = "NotFound NotFoundException"},
    {0},
};

static const struct attribute subscription_attributes[] = {{"Arn", "$id"}, {0}};

static const struct rtype subscription = {.name = "AWS::SNS::Subscription",
                                          .props = subscription_props,
                                          .steps = subscription_steps,
                                          .attributes = subscription_attributes};

static const struct prop topic_policy_props[] = {
    {"PolicyDocument", P_JSON, P_REQUIRED, NULL},
    {"Topics", P_LIST, P_REQUIRED, NULL},
    {0},
};

/* A topic without a policy of its own has the one that SNS gives to new topics. */
#define TOPIC_DEFAULT_POLICY                                                                       \
    "={\\\"Version\\\":\\\"2008-10-17\\\",\\\"Id\\\":\\\"__default_policy_ID\\\","                 \
    "\\\"Statement\\\":[{\\\"Sid\\\":\\\"__default_statement_ID\\\",\\\"Effect\\\":\\\"Allow\\\"," \
    "\\\"Principal\\\":{\\\"AWS\\\":\\\"*\\\"},\\\"Action\\\":[\\\"SNS:GetTopicAttributes\\\","    \
    "\\\"SNS:SetTopicAttributes\\\",\\\"SNS:AddPermission\\\",\\\"SNS:RemovePermission\\\","       \
    "\\\"SNS:DeleteTopic\\\",\\\"SNS:Subscribe\\\",\\\"SNS:ListSubscriptionsByTopic\\\","          \
    "\\\"SNS:Publish\\\"],\\\"Resource\\\":\\\"<e>\\\",\\\"Condition\\\":{\\\"StringEquals\\\":"   \
    "{\\\"AWS:SourceOwner\\\":\\\"<account>\\\"}}}]}"

static const struct step topic_policy_steps[] = {
    {.on = ON_CREATE | ON_UPDATE, .each = "Topics", .when = "PolicyDocument", .room = "sns",
     .op = "SetTopicAttributes",
     .in = "{\"TopicArn\":\"$e\",\"AttributeName\":\"Policy\","
           "\"AttributeValue\":\"$p.PolicyDocument\"}"},
    {.on = ON_GONE | ON_DELETE, .each = "Topics", .room = "sns", .op = "SetTopicAttributes",
     .in = "{\"TopicArn\":\"$e\",\"AttributeName\":\"Policy\","
           "\"AttributeValue\":\"" TOPIC_DEFAULT_POLICY "\"}",
     .ignore = "NotFound NotFoundException"},
    {0},
};

static const struct rtype topic_policy = {.name = "AWS::SNS::TopicPolicy",
                                          .props = topic_policy_props,
                                          .steps = topic_policy_steps, .name_style = NAME_ANY,
                                          .name_max = 128};

const struct rtype *const types_messaging[] = {&queue,        &queue_policy, &topic,
                                               &subscription, &topic_policy, NULL};

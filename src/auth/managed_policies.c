#include "managed_policies.h"

/* The documents say what AWS's say at the version given; in order of ARN. */
static const struct managed_policy policies[] = {
    {
        .arn = "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess",
        .path = "/",
        .name = "AWSCloudTrail_ReadOnlyAccess",
        .version = "v1",
        .created = "2022-06-14T17:19:05Z",
        .updated = "2022-06-14T17:19:05Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"cloudtrail:Get*\",\"cloudtrail:Describe*\",\"cloudtrail:List*\","
            "\"cloudtrail:LookupEvents\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AWSDenyAll",
        .path = "/",
        .name = "AWSDenyAll",
        .version = "v2",
        .created = "2019-05-01T22:36:14Z",
        .updated = "2023-12-18T16:42:05Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"DenyAll\",\"Effect\":\"Deny\","
            "\"Action\":[\"*\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser",
        .path = "/",
        .name = "AWSKeyManagementServicePowerUser",
        .version = "v2",
        .created = "2015-02-06T18:40:40Z",
        .updated = "2017-03-07T00:55:11Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"kms:CreateAlias\",\"kms:CreateKey\",\"kms:DeleteAlias\","
            "\"kms:Describe*\",\"kms:GenerateRandom\",\"kms:Get*\",\"kms:List*\","
            "\"kms:TagResource\",\"kms:UntagResource\",\"iam:ListGroups\",\"iam:ListRoles\","
            "\"iam:ListUsers\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AdministratorAccess",
        .path = "/",
        .name = "AdministratorAccess",
        .version = "v1",
        .created = "2015-02-06T18:39:46Z",
        .updated = "2015-02-06T18:39:46Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\","
            "\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        .path = "/",
        .name = "AmazonS3FullAccess",
        .version = "v2",
        .created = "2015-02-06T18:40:58Z",
        .updated = "2021-09-27T20:16:37Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"s3:*\",\"s3-object-lambda:*\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
        .path = "/",
        .name = "AmazonS3ReadOnlyAccess",
        .version = "v3",
        .created = "2015-02-06T18:40:59Z",
        .updated = "2023-08-10T21:31:39Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"s3:Get*\",\"s3:List*\",\"s3:Describe*\",\"s3-object-lambda:Get*\","
            "\"s3-object-lambda:List*\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonSNSFullAccess",
        .path = "/",
        .name = "AmazonSNSFullAccess",
        .version = "v2",
        .created = "2015-02-06T18:41:05Z",
        .updated = "2024-09-24T22:32:05Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"SNSFullAccess\","
            "\"Effect\":\"Allow\",\"Action\":\"sns:*\",\"Resource\":\"*\"},"
            "{\"Sid\":\"SMSAccessViaSNS\",\"Effect\":\"Allow\","
            "\"Action\":[\"sms-voice:DescribeVerifiedDestinationNumbers\","
            "\"sms-voice:CreateVerifiedDestinationNumber\","
            "\"sms-voice:SendDestinationNumberVerificationCode\",\"sms-voice:SendTextMessage\","
            "\"sms-voice:DeleteVerifiedDestinationNumber\",\"sms-voice:VerifyDestinationNumber\","
            "\"sms-voice:DescribeAccountAttributes\",\"sms-voice:DescribeSpendLimits\","
            "\"sms-voice:DescribePhoneNumbers\",\"sms-voice:SetTextMessageSpendLimitOverride\","
            "\"sms-voice:DescribeOptedOutNumbers\",\"sms-voice:DeleteOptedOutNumber\"],"
            "\"Resource\":\"*\","
            "\"Condition\":{\"StringEquals\":{\"aws:CalledViaLast\":\"sns.amazonaws.com\"}}}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess",
        .path = "/",
        .name = "AmazonSNSReadOnlyAccess",
        .version = "v2",
        .created = "2015-02-06T18:41:06Z",
        .updated = "2024-09-24T22:13:12Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"SNSReadOnlyAccess\","
            "\"Effect\":\"Allow\",\"Action\":[\"sns:GetTopicAttributes\",\"sns:List*\","
            "\"sns:CheckIfPhoneNumberIsOptedOut\",\"sns:GetEndpointAttributes\","
            "\"sns:GetDataProtectionPolicy\",\"sns:GetPlatformApplicationAttributes\","
            "\"sns:GetSMSAttributes\",\"sns:GetSMSSandboxAccountStatus\","
            "\"sns:GetSubscriptionAttributes\"],\"Resource\":\"*\"},{\"Sid\":\"SMSAccessViaSNS\","
            "\"Effect\":\"Allow\",\"Action\":[\"sms-voice:DescribeVerifiedDestinationNumbers\","
            "\"sms-voice:DescribeAccountAttributes\",\"sms-voice:DescribeSpendLimits\","
            "\"sms-voice:DescribePhoneNumbers\",\"sms-voice:DescribeOptedOutNumbers\"],"
            "\"Resource\":\"*\","
            "\"Condition\":{\"StringEquals\":{\"aws:CalledViaLast\":\"sns.amazonaws.com\"}}}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonSQSFullAccess",
        .path = "/",
        .name = "AmazonSQSFullAccess",
        .version = "v1",
        .created = "2015-02-06T18:41:07Z",
        .updated = "2015-02-06T18:41:07Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"sqs:*\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",
        .path = "/",
        .name = "AmazonSQSReadOnlyAccess",
        .version = "v4",
        .created = "2015-02-06T18:41:08Z",
        .updated = "2024-05-24T18:16:44Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"AmazonSQSReadOnlyAccess\","
            "\"Effect\":\"Allow\",\"Action\":[\"sqs:GetQueueAttributes\",\"sqs:GetQueueUrl\","
            "\"sqs:ListDeadLetterSourceQueues\",\"sqs:ListQueues\",\"sqs:ListMessageMoveTasks\","
            "\"sqs:ListQueueTags\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess",
        .path = "/",
        .name = "CloudWatchLogsFullAccess",
        .version = "v8",
        .created = "2015-02-06T18:40:02Z",
        .updated = "2026-02-12T18:00:33Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"CloudWatchLogsFullAccess\","
            "\"Effect\":\"Allow\",\"Action\":[\"logs:*\",\"cloudwatch:GenerateQuery\","
            "\"cloudwatch:GenerateQueryResultsSummary\","
            "\"observabilityadmin:GetS3TableIntegration\","
            "\"observabilityadmin:ListS3TableIntegrations\","
            "\"observabilityadmin:ListTelemetryPipelines\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess",
        .path = "/",
        .name = "CloudWatchLogsReadOnlyAccess",
        .version = "v12",
        .created = "2015-02-06T18:40:03Z",
        .updated = "2026-02-12T17:59:13Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"CloudWatchLogsReadOnlyAccess\","
            "\"Effect\":\"Allow\",\"Action\":[\"logs:Describe*\",\"logs:Get*\",\"logs:List*\","
            "\"logs:StartQuery\",\"logs:StopQuery\",\"logs:TestMetricFilter\","
            "\"logs:FilterLogEvents\",\"logs:StartLiveTail\",\"logs:StopLiveTail\","
            "\"cloudwatch:GenerateQuery\",\"cloudwatch:GenerateQueryResultsSummary\","
            "\"observabilityadmin:ListS3TableIntegrations\","
            "\"observabilityadmin:GetS3TableIntegration\","
            "\"observabilityadmin:ListTelemetryPipelines\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/IAMFullAccess",
        .path = "/",
        .name = "IAMFullAccess",
        .version = "v2",
        .created = "2015-02-06T18:40:38Z",
        .updated = "2019-06-21T19:40:00Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"iam:*\",\"organizations:DescribeAccount\","
            "\"organizations:DescribeOrganization\",\"organizations:DescribeOrganizationalUnit\","
            "\"organizations:DescribePolicy\",\"organizations:ListChildren\","
            "\"organizations:ListParents\",\"organizations:ListPoliciesForTarget\","
            "\"organizations:ListRoots\",\"organizations:ListPolicies\","
            "\"organizations:ListTargetsForPolicy\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess",
        .path = "/",
        .name = "IAMReadOnlyAccess",
        .version = "v4",
        .created = "2015-02-06T18:40:39Z",
        .updated = "2018-01-25T19:11:27Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"iam:GenerateCredentialReport\","
            "\"iam:GenerateServiceLastAccessedDetails\",\"iam:Get*\",\"iam:List*\","
            "\"iam:SimulateCustomPolicy\",\"iam:SimulatePrincipalPolicy\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/IAMUserChangePassword",
        .path = "/",
        .name = "IAMUserChangePassword",
        .version = "v5",
        .created = "2016-11-15T00:25:16Z",
        .updated = "2026-02-12T17:58:57Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"iam:ChangePassword\"],"
            "\"Resource\":[\"arn:aws:iam::*:user/${aws:username}\","
            "\"arn:aws:iam::*:user/*/${aws:username}\"]},{\"Effect\":\"Allow\","
            "\"Action\":[\"iam:GetAccountPasswordPolicy\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/PowerUserAccess",
        .path = "/",
        .name = "PowerUserAccess",
        .version = "v12",
        .created = "2015-02-06T18:39:47Z",
        .updated = "2026-02-12T17:59:14Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"NotAction\":[\"iam:*\",\"organizations:*\",\"account:*\"],\"Resource\":\"*\"},"
            "{\"Effect\":\"Allow\",\"Action\":[\"account:GetAccountInformation\","
            "\"account:GetGovCloudAccountInformation\",\"account:GetPrimaryEmail\","
            "\"account:ListRegions\",\"iam:CreateServiceLinkedRole\","
            "\"iam:DeleteServiceLinkedRole\",\"iam:ListRoles\","
            "\"organizations:DescribeEffectivePolicy\",\"organizations:DescribeOrganization\"],"
            "\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        .path = "/service-role/",
        .name = "AWSLambdaBasicExecutionRole",
        .version = "v1",
        .created = "2015-04-09T15:03:43Z",
        .updated = "2015-04-09T15:03:43Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],"
            "\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole",
        .path = "/service-role/",
        .name = "AWSLambdaDynamoDBExecutionRole",
        .version = "v1",
        .created = "2015-04-09T15:09:29Z",
        .updated = "2015-04-09T15:09:29Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"dynamodb:DescribeStream\",\"dynamodb:GetRecords\","
            "\"dynamodb:GetShardIterator\",\"dynamodb:ListStreams\",\"logs:CreateLogGroup\","
            "\"logs:CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
        .path = "/service-role/",
        .name = "AWSLambdaSQSQueueExecutionRole",
        .version = "v1",
        .created = "2018-06-14T21:50:45Z",
        .updated = "2018-06-14T21:50:45Z",
        .document =
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
            "\"Action\":[\"sqs:ReceiveMessage\",\"sqs:DeleteMessage\",\"sqs:GetQueueAttributes\","
            "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"],"
            "\"Resource\":\"*\"}]}",
    },
};

const struct managed_policy *managed_policy_find(struct str arn)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (str_is(arn, policies[i].arn))
            return &policies[i];
    return NULL;
}

const struct managed_policy *managed_policy_at(size_t i)
{
    return i < ARRAY_LEN(policies) ? &policies[i] : NULL;
}

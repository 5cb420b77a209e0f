#include "managed_policies.h"

/* The documents say what AWS's say at the version given; in order of ARN. */
static const struct managed_policy policies[] = {
    {
        .arn = "arn:aws:iam::aws:policy/AWSCloudFormationFullAccess",
        .path = "/",
        .name = "AWSCloudFormationFullAccess",
        .version = "v1",
        .created = "2019-07-26T21:50:35Z",
        .updated = "2019-07-26T21:50:35Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"cloudformation:*\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\"}],\"Version\":\"2012-10-17\"}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AWSCloudFormationReadOnlyAccess",
        .path = "/",
        .name = "AWSCloudFormationReadOnlyAccess",
        .version = "v7",
        .created = "2015-02-06T18:39:49Z",
        .updated = "2026-02-12T18:02:00Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"cloudformation:Describe*\","
            "\"cloudformation:BatchDescribe*\",\"cloudformation:EstimateTemplateCost\","
            "\"cloudformation:Get*\",\"cloudformation:List*\","
            "\"cloudformation:ValidateTemplate\",\"cloudformation:Detect*\"],"
            "\"Effect\":\"Allow\",\"Resource\":\"*\"}],\"Version\":\"2012-10-17\"}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AWSCloudTrail_FullAccess",
        .path = "/",
        .name = "AWSCloudTrail_FullAccess",
        .version = "v3",
        .created = "2020-10-08T23:41:15Z",
        .updated = "2021-02-22T19:01:00Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"sns:AddPermission\",\"sns:CreateTopic\","
            "\"sns:SetTopicAttributes\",\"sns:GetTopicAttributes\"],\"Effect\":\"Allow\","
            "\"Resource\":[\"arn:aws:sns:*:*:aws-cloudtrail-logs*\"]},"
            "{\"Action\":[\"sns:ListTopics\"],\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":[\"s3:CreateBucket\",\"s3:PutBucketPolicy\","
            "\"s3:PutBucketPublicAccessBlock\"],\"Effect\":\"Allow\","
            "\"Resource\":[\"arn:aws:s3:::aws-cloudtrail-logs*\"]},"
            "{\"Action\":[\"s3:ListAllMyBuckets\",\"s3:GetBucketLocation\","
            "\"s3:GetBucketPolicy\"],\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"cloudtrail:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":[\"logs:CreateLogGroup\"],\"Effect\":\"Allow\","
            "\"Resource\":[\"arn:aws:logs:*:*:log-group:aws-cloudtrail-logs*\"]},"
            "{\"Action\":[\"iam:ListRoles\",\"iam:GetRolePolicy\",\"iam:GetUser\"],"
            "\"Effect\":\"Allow\",\"Resource\":\"*\"},{\"Action\":[\"iam:PassRole\"],"
            "\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":\"cloudtrail.amazonaws.com"
            "\"}},\"Effect\":\"Allow\",\"Resource\":\"*\"},{\"Action\":[\"kms:CreateKey\","
            "\"kms:CreateAlias\",\"kms:ListKeys\",\"kms:ListAliases\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\"},{\"Action\":[\"lambda:ListFunctions\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\"},{\"Action\":[\"dynamodb:ListGlobalTables\","
            "\"dynamodb:ListTables\"],\"Effect\":\"Allow\",\"Resource\":\"*\"}],"
            "\"Version\":\"2012-10-17\"}",
    },
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
        .arn = "arn:aws:iam::aws:policy/AWSLambdaExecute",
        .path = "/",
        .name = "AWSLambdaExecute",
        .version = "v1",
        .created = "2015-02-06T18:40:46Z",
        .updated = "2015-02-06T18:40:46Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"logs:*\"],\"Effect\":\"Allow\","
            "\"Resource\":\"arn:aws:logs:*:*:*\"},{\"Action\":[\"s3:GetObject\","
            "\"s3:PutObject\"],\"Effect\":\"Allow\",\"Resource\":\"arn:aws:s3:::*\"}],"
            "\"Version\":\"2012-10-17\"}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AWSLambda_FullAccess",
        .path = "/",
        .name = "AWSLambda_FullAccess",
        .version = "v7",
        .created = "2020-11-17T21:14:08Z",
        .updated = "2026-02-12T18:00:51Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"cloudformation:DescribeStacks\","
            "\"cloudformation:ListStackResources\",\"cloudwatch:ListMetrics\","
            "\"cloudwatch:GetMetricData\",\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\","
            "\"ec2:DescribeVpcs\",\"kms:DescribeKey\",\"kms:ListAliases\",\"iam:GetPolicy\","
            "\"iam:GetPolicyVersion\",\"iam:GetRole\",\"iam:GetRolePolicy\","
            "\"iam:ListAttachedRolePolicies\",\"iam:ListRolePolicies\",\"iam:ListRoles\","
            "\"lambda:*\",\"logs:DescribeLogGroups\",\"states:DescribeStateMachine\","
            "\"states:ListStateMachines\",\"tag:GetResources\",\"xray:GetTraceSummaries\","
            "\"xray:BatchGetTraces\"],\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"iam:PassRole\","
            "\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":\"lambda.amazonaws.com\"}},"
            "\"Effect\":\"Allow\",\"Resource\":\"*\"},{\"Action\":[\"logs:DescribeLogStreams\","
            "\"logs:GetLogEvents\",\"logs:FilterLogEvents\",\"logs:StartLiveTail\","
            "\"logs:StopLiveTail\"],\"Effect\":\"Allow\","
            "\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lambda/*\"},"
            "{\"Action\":\"iam:CreateServiceLinkedRole\","
            "\"Condition\":{\"StringEquals\":{\"iam:AWSServiceName\":\"lambda.amazonaws.com\"}},"
            "\"Effect\":\"Allow\","
            "\"Resource\":\"arn:aws:iam::*:role/aws-service-role/lambda.amazonaws.com/AWSServiceR"
            "oleForLambda\"}],\"Version\":\"2012-10-17\"}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess",
        .path = "/",
        .name = "AWSLambda_ReadOnlyAccess",
        .version = "v5",
        .created = "2020-11-17T21:10:32Z",
        .updated = "2026-02-12T18:02:55Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"cloudformation:DescribeStacks\","
            "\"cloudformation:ListStacks\",\"cloudformation:ListStackResources\","
            "\"cloudwatch:GetMetricData\",\"cloudwatch:ListMetrics\","
            "\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\",\"ec2:DescribeVpcs\","
            "\"kms:ListAliases\",\"iam:GetPolicy\",\"iam:GetPolicyVersion\",\"iam:GetRole\","
            "\"iam:GetRolePolicy\",\"iam:ListAttachedRolePolicies\",\"iam:ListRolePolicies\","
            "\"iam:ListRoles\",\"logs:DescribeLogGroups\",\"lambda:Get*\",\"lambda:List*\","
            "\"states:DescribeStateMachine\",\"states:ListStateMachines\",\"tag:GetResources\","
            "\"xray:GetTraceSummaries\",\"xray:BatchGetTraces\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\"},{\"Action\":[\"logs:DescribeLogStreams\",\"logs:GetLogEvents\","
            "\"logs:FilterLogEvents\",\"logs:StartQuery\",\"logs:StopQuery\","
            "\"logs:DescribeQueries\",\"logs:GetLogGroupFields\",\"logs:GetLogRecord\","
            "\"logs:GetQueryResults\",\"logs:StartLiveTail\",\"logs:StopLiveTail\"],"
            "\"Effect\":\"Allow\",\"Resource\":\"arn:aws:logs:*:*:log-group:/aws/lambda/*\"}],"
            "\"Version\":\"2012-10-17\"}",
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
        .arn = "arn:aws:iam::aws:policy/AmazonEC2FullAccess",
        .path = "/",
        .name = "AmazonEC2FullAccess",
        .version = "v5",
        .created = "2015-02-06T18:40:15Z",
        .updated = "2018-11-27T02:16:56Z",
        .document =
            "{\"Statement\":[{\"Action\":\"ec2:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"elasticloadbalancing:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"cloudwatch:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"autoscaling:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"iam:CreateServiceLinkedRole\","
            "\"Condition\":{\"StringEquals\":{\"iam:AWSServiceName\":[\"autoscaling.amazonaws.com"
            "\",\"ec2scheduled.amazonaws.com\",\"elasticloadbalancing.amazonaws.com\","
            "\"spot.amazonaws.com\",\"spotfleet.amazonaws.com\","
            "\"transitgateway.amazonaws.com\"]}},\"Effect\":\"Allow\",\"Resource\":\"*\"}],"
            "\"Version\":\"2012-10-17\"}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess",
        .path = "/",
        .name = "AmazonEC2ReadOnlyAccess",
        .version = "v5",
        .created = "2015-02-06T18:40:17Z",
        .updated = "2026-02-12T18:03:17Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"ec2:Describe*\",\"ec2:GetSecurityGroupsForVpc\"],"
            "\"Effect\":\"Allow\",\"Resource\":\"*\"},"
            "{\"Action\":\"elasticloadbalancing:Describe*\",\"Effect\":\"Allow\","
            "\"Resource\":\"*\"},{\"Action\":[\"cloudwatch:ListMetrics\","
            "\"cloudwatch:GetMetricStatistics\",\"cloudwatch:Describe*\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\"},{\"Action\":\"autoscaling:Describe*\",\"Effect\":\"Allow\","
            "\"Resource\":\"*\"}],\"Version\":\"2012-10-17\"}",
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
        .arn = "arn:aws:iam::aws:policy/ReadOnlyAccess",
        .path = "/",
        .name = "ReadOnlyAccess",
        .version = "v190",
        .created = "2015-02-06T18:39:48Z",
        .updated = "2026-09-24T17:37:08Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"apigateway:GET\",\"apigateway:GetPortal\","
            "\"apigateway:GetPortalProduct\",\"apigateway:GetProductPage\","
            "\"apigateway:GetProductRestEndpointPage\",\"apigateway:GetRoutingRule\","
            "\"apigateway:ListPortalProducts\",\"apigateway:ListPortals\","
            "\"apigateway:ListProductPages\",\"apigateway:ListProductRestEndpointPages\","
            "\"apigateway:ListRoutingRules\",\"apigateway:GetPortalProductSharingPolicy\","
            "\"cloudformation:BatchDescribeTypeConfigurations\",\"cloudformation:Describe*\","
            "\"cloudformation:Detect*\",\"cloudformation:Estimate*\",\"cloudformation:Get*\","
            "\"cloudformation:List*\",\"cloudformation:ValidateTemplate\","
            "\"cloudtrail:Describe*\",\"cloudtrail:Get*\",\"cloudtrail:List*\","
            "\"cloudtrail:LookupEvents\",\"cloudwatch:Describe*\",\"cloudwatch:GenerateQuery\","
            "\"cloudwatch:GenerateQueryResultsSummary\",\"cloudwatch:Get*\",\"cloudwatch:List*\","
            "\"cognito-identity:Describe*\",\"cognito-identity:GetCredentialsForIdentity\","
            "\"cognito-identity:GetIdentityPoolAnalytics\","
            "\"cognito-identity:GetIdentityPoolDailyAnalytics\","
            "\"cognito-identity:GetIdentityPoolRoles\","
            "\"cognito-identity:GetIdentityProviderDailyAnalytics\","
            "\"cognito-identity:GetOpenIdToken\","
            "\"cognito-identity:GetOpenIdTokenForDeveloperIdentity\",\"cognito-identity:List*\","
            "\"cognito-identity:Lookup*\",\"cognito-idp:AdminGet*\",\"cognito-idp:AdminList*\","
            "\"cognito-idp:Describe*\",\"cognito-idp:Get*\",\"cognito-idp:List*\","
            "\"cognito-sync:Describe*\",\"cognito-sync:Get*\",\"cognito-sync:List*\","
            "\"cognito-sync:QueryRecords\",\"config:BatchGetAggregateResourceConfig\","
            "\"config:BatchGetResourceConfig\",\"config:Deliver*\",\"config:Describe*\","
            "\"config:Get*\",\"config:List*\",\"config:SelectAggregateResourceConfig\","
            "\"config:SelectResourceConfig\",\"dynamodb:BatchGet*\",\"dynamodb:Describe*\","
            "\"dynamodb:Get*\",\"dynamodb:List*\",\"dynamodb:PartiQLSelect\",\"dynamodb:Query\","
            "\"dynamodb:Scan\",\"dynamodb:ReadDataForReplication\",\"dynamodb:SearchVectors\","
            "\"ec2:Describe*\",\"ec2:DescribeInstanceImageMetadata\",\"ec2:Get*\","
            "\"ec2:ListImagesInRecycleBin\",\"ec2:ListSnapshotsInRecycleBin\","
            "\"ec2:SearchLocalGatewayRoutes\",\"ec2:SearchTransitGatewayRoutes\","
            "\"ec2:ListVolumesInRecycleBin\",\"ec2:SearchTransitGatewayMulticastGroups\","
            "\"events:Describe*\",\"events:List*\",\"events:Test*\",\"iam:Generate*\","
            "\"iam:Get*\",\"iam:List*\",\"iam:Simulate*\",\"identitystore:DescribeGroup\","
            "\"identitystore:DescribeGroupMembership\",\"identitystore:DescribeUser\","
            "\"identitystore:GetGroupId\",\"identitystore:GetGroupMembershipId\","
            "\"identitystore:GetUserId\",\"identitystore:IsMemberInGroups\","
            "\"identitystore:ListGroupMemberships\","
            "\"identitystore:ListGroupMembershipsForMember\",\"identitystore:ListGroups\","
            "\"identitystore:ListUsers\"],\"Effect\":\"Allow\",\"Resource\":\"*\","
            "\"Sid\":\"ReadOnlyActionsGroup1\"},{\"Action\":[\"kms:Describe*\",\"kms:Get*\","
            "\"kms:List*\",\"lambda:Get*\",\"lambda:List*\",\"logs:Describe*\","
            "\"logs:FilterLogEvents\",\"logs:Get*\",\"logs:ListAggregateLogGroupSummaries\","
            "\"logs:ListAnomalies\",\"logs:ListEntitiesForLogGroup\",\"logs:ListIntegrations\","
            "\"logs:ListLogAnomalyDetectors\",\"logs:ListLogDeliveries\","
            "\"logs:ListLogGroupsForEntity\",\"logs:ListLogGroupsForQuery\","
            "\"logs:ListScheduledQueries\",\"logs:ListSourcesForS3TableIntegration\","
            "\"logs:ListTagsForResource\",\"logs:ListTagsLogGroup\",\"logs:StartLiveTail\","
            "\"logs:StartQuery\",\"logs:StopLiveTail\",\"logs:StopQuery\","
            "\"logs:TestMetricFilter\",\"organizations:Describe*\",\"organizations:List*\","
            "\"s3:DescribeJob\",\"s3:Get*\",\"s3:List*\",\"schemas:Describe*\",\"schemas:Get*\","
            "\"schemas:List*\",\"schemas:Search*\",\"secretsmanager:Describe*\","
            "\"secretsmanager:GetResourcePolicy\",\"secretsmanager:List*\",\"sns:Check*\","
            "\"sns:Get*\",\"sns:List*\",\"sqs:Get*\",\"sqs:List*\",\"sqs:Receive*\","
            "\"ssm:Describe*\",\"ssm:Get*\",\"ssm:List*\",\"sso-directory:Describe*\","
            "\"sso-directory:List*\",\"sso-directory:Search*\",\"sso:Describe*\",\"sso:Get*\","
            "\"sso:List*\",\"states:Describe*\",\"states:GetExecutionHistory\",\"states:List*\","
            "\"states:ValidateStateMachineDefinition\",\"sts:GetAccessKeyInfo\","
            "\"sts:GetCallerIdentity\",\"sts:GetSessionToken\",\"tag:DescribeReportCreation\","
            "\"tag:Get*\",\"xray:BatchGet*\",\"xray:CancelTraceRetrieval\",\"xray:Get*\","
            "\"xray:ListResourcePolicies\",\"xray:ListRetrievedTraces\","
            "\"xray:ListTagsForResource\",\"xray:StartTraceRetrieval\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\",\"Sid\":\"ReadOnlyActionsGroup2\"}],\"Version\":\"2012-10-17\"}",
    },
    {
        .arn = "arn:aws:iam::aws:policy/SecurityAudit",
        .path = "/",
        .name = "SecurityAudit",
        .version = "v94",
        .created = "2015-02-06T18:41:01Z",
        .updated = "2026-09-30T20:27:08Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"apigateway:GetPortal\","
            "\"apigateway:GetPortalProduct\",\"apigateway:GetPortalProductSharingPolicy\","
            "\"apigateway:GetRoutingRule\",\"apigateway:ListPortalProducts\","
            "\"apigateway:ListPortals\",\"apigateway:ListProductPages\","
            "\"apigateway:ListProductRestEndpointPages\",\"apigateway:ListRoutingRules\","
            "\"cloudformation:DescribeStack*\",\"cloudformation:GetStackPolicy\","
            "\"cloudformation:GetTemplate\",\"cloudformation:GetTemplateSummary\","
            "\"cloudformation:ListStackResources\",\"cloudformation:ListStack*\","
            "\"cloudtrail:DescribeTrails\",\"cloudtrail:GetEventSelectors\","
            "\"cloudtrail:GetInsightSelectors\",\"cloudtrail:GetTrail\","
            "\"cloudtrail:GetTrailStatus\",\"cloudtrail:ListEventDataStores\","
            "\"cloudtrail:ListTags\",\"cloudtrail:ListTrails\",\"cloudtrail:LookupEvents\","
            "\"cloudwatch:Describe*\",\"cloudwatch:GetDashboard\",\"cloudwatch:GetMetricData\","
            "\"cloudwatch:ListDashboards\",\"cloudwatch:ListMetrics\","
            "\"cloudwatch:ListTagsForResource\",\"cognito-identity:Describe*\","
            "\"cognito-identity:GetIdentityPoolRoles\","
            "\"cognito-identity:GetPrincipalTagAttributeMap\","
            "\"cognito-identity:ListIdentities\",\"cognito-identity:ListIdentityPools\","
            "\"cognito-identity:ListTagsForResource\",\"cognito-idp:Describe*\","
            "\"cognito-idp:ListDevices\",\"cognito-idp:ListGroups\","
            "\"cognito-idp:ListIdentityProviders\",\"cognito-idp:ListResourceServers\","
            "\"cognito-idp:ListTagsForResource\",\"cognito-idp:ListUserImportJobs\","
            "\"cognito-idp:ListUserPoolClients\",\"cognito-idp:ListUserPools\","
            "\"cognito-idp:ListUsers\",\"cognito-idp:ListUsersInGroup\","
            "\"cognito-sync:Describe*\",\"cognito-sync:List*\","
            "\"config:BatchGetAggregateResourceConfig\",\"config:BatchGetResourceConfig\","
            "\"config:Deliver*\",\"config:Describe*\",\"config:Get*\",\"config:List*\","
            "\"config:SelectAggregateResourceConfig\",\"config:SelectResourceConfig\","
            "\"dynamodb:DescribeBackup\",\"dynamodb:DescribeContinuousBackups\","
            "\"dynamodb:DescribeContributorInsights\",\"dynamodb:DescribeEndpoints\","
            "\"dynamodb:DescribeExport\",\"dynamodb:DescribeGlobalTable\","
            "\"dynamodb:DescribeGlobalTableSettings\",\"dynamodb:DescribeImport\","
            "\"dynamodb:DescribeKinesisStreamingDestination\",\"dynamodb:DescribeLimits\","
            "\"dynamodb:DescribeReservedCapacity\","
            "\"dynamodb:DescribeReservedCapacityOfferings\",\"dynamodb:DescribeStream\","
            "\"dynamodb:DescribeTable\",\"dynamodb:DescribeTableReplicaAutoScaling\","
            "\"dynamodb:DescribeTimeToLive\",\"dynamodb:GetAbacStatus\","
            "\"dynamodb:GetResourcePolicy\",\"dynamodb:ListBackups\","
            "\"dynamodb:ListContributorInsights\",\"dynamodb:ListExports\","
            "\"dynamodb:ListGlobalTables\",\"dynamodb:ListImports\",\"dynamodb:ListStreams\","
            "\"dynamodb:ListTables\",\"dynamodb:ListTagsOfResource\",\"ec2:Describe*\","
            "\"ec2:GetActiveVpnTunnelStatus\",\"ec2:GetAllowedImagesSettings\","
            "\"ec2:GetAssociatedEnclaveCertificateIamRoles\",\"ec2:GetAssociatedIpv6PoolCidrs\","
            "\"ec2:GetCapacityManagerAttributes\",\"ec2:GetCapacityManagerMetricDimensions\","
            "\"ec2:GetCapacityManagerMonitoredTagKeys\",\"ec2:GetCapacityReservationUsage\","
            "\"ec2:GetCoipPoolUsage\",\"ec2:GetDeclarativePoliciesReportSummary\","
            "\"ec2:GetDefaultCreditSpecification\",\"ec2:GetEbsDefaultKmsKeyId\","
            "\"ec2:GetEbsEncryptionByDefault\",\"ec2:GetEnabledIpamPolicy\","
            "\"ec2:GetFlowLogsIntegrationTemplate\",\"ec2:GetGroupsForCapacityReservation\","
            "\"ec2:GetHostReservationPurchasePreview\",\"ec2:GetImageAncestry\","
            "\"ec2:GetImageBlockPublicAccessState\",\"ec2:GetInstanceMetadataDefaults\","
            "\"ec2:GetInstanceTypesFromInstanceRequirements\",\"ec2:GetIpamAddressHistory\","
            "\"ec2:GetIpamDiscoveredAccounts\",\"ec2:GetIpamDiscoveredResourceCidrs\","
            "\"ec2:GetIpamDiscoveredRoutes\",\"ec2:GetIpamInternetRegistryAssociationAsns\","
            "\"ec2:GetIpamInternetRegistryAssociationCidrs\","
            "\"ec2:GetIpamPolicyAllocationRules\",\"ec2:GetIpamPolicyOrganizationTargets\","
            "\"ec2:GetIpamPoolCidrs\",\"ec2:GetIpamPrefixListResolverRules\","
            "\"ec2:GetIpamPrefixListResolverVersions\",\"ec2:GetIpamResourceCidrs\","
            "\"ec2:GetIpamRouteOriginAuthorizations\",\"ec2:GetIpamRouteProtectionFindings\","
            "\"ec2:GetIpamRoutingPolicyRegistrations\",\"ec2:GetManagedPrefixListAssociations\","
            "\"ec2:GetManagedPrefixListEntries\",\"ec2:GetManagedResourceVisibility\","
            "\"ec2:GetNetworkInsightsAccessScopeAnalysisFindings\","
            "\"ec2:GetNetworkInsightsAccessScopeContent\","
            "\"ec2:GetReservedInstancesExchangeQuote\",\"ec2:GetResourcePolicy\","
            "\"ec2:GetRouteServerAssociations\",\"ec2:GetRouteServerPropagations\","
            "\"ec2:GetSecurityGroupsForVpc\",\"ec2:GetSerialConsoleAccessStatus\","
            "\"ec2:GetSnapshotBlockPublicAccessState\",\"ec2:GetSpotPlacementScores\","
            "\"ec2:GetSubnetCidrReservations\",\"ec2:GetTransitGatewayAttachmentPropagations\","
            "\"ec2:GetTransitGatewayMeteringPolicyEntries\","
            "\"ec2:GetTransitGatewayMulticastDomainAssociations\","
            "\"ec2:GetTransitGatewayPolicyTableAssociations\","
            "\"ec2:GetTransitGatewayPolicyTableEntries\","
            "\"ec2:GetTransitGatewayPrefixListReferences\","
            "\"ec2:GetTransitGatewayRouteTableAssociations\","
            "\"ec2:GetTransitGatewayRouteTablePropagations\","
            "\"ec2:GetVerifiedAccessEndpointPolicy\",\"ec2:GetVerifiedAccessEndpointTargets\","
            "\"ec2:GetVerifiedAccessGroupPolicy\",\"ec2:GetVerifiedAccessInstanceWebAcl\","
            "\"ec2:GetVpcResourcesBlockingEncryptionEnforcement\","
            "\"ec2:GetVpnConnectionDeviceTypes\",\"ec2:GetVpnTunnelReplacementStatus\","
            "\"ec2:ListImagesInRecycleBin\",\"ec2:ListSnapshotsInRecycleBin\","
            "\"ec2:ListVolumesInRecycleBin\",\"ec2:SearchLocalGatewayRoutes\","
            "\"ec2:SearchTransitGatewayMulticastGroups\",\"ec2:SearchTransitGatewayRoutes\","
            "\"events:Describe*\",\"events:List*\",\"events:TestEventPattern\","
            "\"iam:GenerateCredentialReport\",\"iam:GenerateServiceLastAccessedDetails\","
            "\"iam:Get*\",\"iam:List*\",\"iam:SimulateCustomPolicy\","
            "\"iam:SimulatePrincipalPolicy\",\"identitystore:DescribeGroupMembership\","
            "\"identitystore:GetGroupId\",\"identitystore:GetGroupMembershipId\","
            "\"identitystore:GetUserId\",\"identitystore:IsMemberInGroups\","
            "\"identitystore:ListGroupMemberships\","
            "\"identitystore:ListGroupMembershipsForMember\",\"identitystore:ListGroups\","
            "\"identitystore:ListUsers\",\"kms:Describe*\",\"kms:Get*\",\"kms:List*\","
            "\"lambda:GetAccountSettings\",\"lambda:GetFunctionCodeSigningConfig\","
            "\"lambda:GetFunctionConcurrency\",\"lambda:GetFunctionConfiguration\","
            "\"lambda:GetFunctionEventInvokeConfig\",\"lambda:GetFunctionUrlConfig\","
            "\"lambda:GetLayerVersionPolicy\",\"lambda:GetPolicy\","
            "\"lambda:GetProvisionedConcurrencyConfig\",\"lambda:GetResourcePolicy\","
            "\"lambda:GetRuntimeManagementConfig\",\"lambda:List*\",\"logs:Describe*\","
            "\"logs:GetLogDelivery\",\"logs:ListLogDeliveries\",\"logs:ListTagsForResource\","
            "\"logs:ListTagsLogGroup\",\"organizations:Describe*\",\"organizations:List*\","
            "\"s3:DescribeJob\",\"s3:GetAccelerateConfiguration\","
            "\"s3:GetAccessGrantsInstanceResourcePolicy\",\"s3:GetAccessPoint\","
            "\"s3:GetAccessPointConfigurationForObjectLambda\","
            "\"s3:GetAccessPointForObjectLambda\",\"s3:GetAccessPointPolicy\","
            "\"s3:GetAccessPointPolicyForObjectLambda\",\"s3:GetAccessPointPolicyStatus\","
            "\"s3:GetAccessPointPolicyStatusForObjectLambda\",\"s3:GetAccountPublicAccessBlock\","
            "\"s3:GetAnalyticsConfiguration\",\"s3:GetBucket*\","
            "\"s3:GetEncryptionConfiguration\",\"s3:GetInventoryConfiguration\","
            "\"s3:GetLifecycleConfiguration\",\"s3:GetMetricsConfiguration\","
            "\"s3:GetMultiRegionAccessPoint\",\"s3:GetMultiRegionAccessPointPolicy\","
            "\"s3:GetMultiRegionAccessPointPolicyStatus\",\"s3:GetObjectAcl\","
            "\"s3:GetObjectTagging\",\"s3:GetObjectVersionAcl\","
            "\"s3:GetReplicationConfiguration\",\"s3:GetStorageLensConfiguration\","
            "\"s3:GetStorageLensGroup\",\"s3:ListAccessGrants\",\"s3:ListAccessGrantsInstances\","
            "\"s3:ListAccessPoints\",\"s3:ListAccessPointsForObjectLambda\","
            "\"s3:ListAllMyBuckets\",\"s3:ListBucket\",\"s3:ListCallerAccessGrants\","
            "\"s3:ListJobs\",\"s3:ListMultiRegionAccessPoints\","
            "\"s3:ListStorageLensConfigurations\",\"s3:ListStorageLensGroups\","
            "\"schemas:DescribeCodeBinding\",\"schemas:DescribeDiscoverer\","
            "\"schemas:DescribeRegistry\",\"schemas:DescribeSchema\","
            "\"schemas:GetResourcePolicy\",\"schemas:ListDiscoverers\","
            "\"schemas:ListRegistries\",\"schemas:ListSchemas\",\"schemas:ListSchemaVersions\","
            "\"schemas:ListTagsForResource\",\"secretsmanager:DescribeSecret\","
            "\"secretsmanager:GetResourcePolicy\",\"secretsmanager:ListSecrets\","
            "\"secretsmanager:ListSecretVersionIds\",\"sns:GetDataProtectionPolicy\","
            "\"sns:GetPlatformApplicationAttributes\",\"sns:GetSubscriptionAttributes\","
            "\"sns:GetTopicAttributes\",\"sns:ListSubscriptions\","
            "\"sns:ListSubscriptionsByTopic\",\"sns:ListTagsForResource\",\"sns:ListTopics\","
            "\"sqs:GetQueueAttributes\",\"sqs:ListDeadLetterSourceQueues\",\"sqs:ListQueues\","
            "\"sqs:ListQueueTags\",\"ssm:Describe*\",\"ssm:GetAutomationExecution\","
            "\"ssm:GetServiceSetting\",\"ssm:ListAssociations\",\"ssm:ListAssociationVersions\","
            "\"ssm:ListCommands\",\"ssm:ListComplianceItems\",\"ssm:ListComplianceSummaries\","
            "\"ssm:ListDocumentMetadataHistory\",\"ssm:ListDocuments\","
            "\"ssm:ListDocumentVersions\",\"ssm:ListInventoryEntries\",\"ssm:ListOpsMetadata\","
            "\"ssm:ListResourceComplianceSummaries\",\"ssm:ListResourceDataSync\","
            "\"ssm:ListTagsForResource\",\"sso:DescribeAccountAssignmentCreationStatus\","
            "\"sso:DescribeAccountAssignmentDeletionStatus\",\"sso:DescribeApplication\","
            "\"sso:DescribeApplicationAssignment\",\"sso:DescribeApplicationProvider\","
            "\"sso:DescribeInstance\","
            "\"sso:DescribeInstanceAccessControlAttributeConfiguration\","
            "\"sso:DescribePermissionSet\",\"sso:DescribePermissionSetProvisioningStatus\","
            "\"sso:DescribeRegion\",\"sso:DescribeTrustedTokenIssuer\","
            "\"sso:GetApplicationAccessScope\",\"sso:GetApplicationAssignmentConfiguration\","
            "\"sso:GetApplicationAuthenticationMethod\",\"sso:GetApplicationGrant\","
            "\"sso:GetApplicationSessionConfiguration\",\"sso:GetInlinePolicyForPermissionSet\","
            "\"sso:GetPermissionsBoundaryForPermissionSet\","
            "\"sso:ListAccountAssignmentCreationStatus\","
            "\"sso:ListAccountAssignmentDeletionStatus\",\"sso:ListAccountAssignments\","
            "\"sso:ListAccountAssignmentsForPrincipal\","
            "\"sso:ListAccountsForProvisionedPermissionSet\",\"sso:ListApplicationAccessScopes\","
            "\"sso:ListApplicationAssignments\",\"sso:ListApplicationAssignmentsForPrincipal\","
            "\"sso:ListApplicationAuthenticationMethods\",\"sso:ListApplicationGrants\","
            "\"sso:ListApplicationInstanceCertificates\",\"sso:ListApplicationInstances\","
            "\"sso:ListApplicationProviders\",\"sso:ListApplications\","
            "\"sso:ListApplicationTemplates\","
            "\"sso:ListCustomerManagedPolicyReferencesInPermissionSet\","
            "\"sso:ListDirectoryAssociations\",\"sso:ListInstances\","
            "\"sso:ListManagedPoliciesInPermissionSet\","
            "\"sso:ListPermissionSetProvisioningStatus\",\"sso:ListPermissionSets\","
            "\"sso:ListPermissionSetsProvisionedToAccount\",\"sso:ListProfileAssociations\","
            "\"sso:ListProfiles\",\"sso:ListRegions\",\"sso:ListTagsForResource\","
            "\"sso:ListTrustedTokenIssuers\","
            "\"sso-directory:ListExternalIdPConfigurationsForDirectory\","
            "\"states:DescribeStateMachine\",\"states:ListStateMachines\","
            "\"states:ListTagsForResource\",\"sts:GetAccessKeyInfo\",\"tag:GetResources\","
            "\"tag:GetTagKeys\",\"xray:GetEncryptionConfig\",\"xray:GetGroup\","
            "\"xray:GetGroups\",\"xray:GetSamplingRules\",\"xray:GetSamplingTargets\","
            "\"xray:GetTraceSummaries\",\"xray:ListTagsForResource\"],\"Effect\":\"Allow\","
            "\"Resource\":\"*\",\"Sid\":\"BaseSecurityAuditStatement\"},"
            "{\"Action\":[\"apigateway:GET\"],\"Effect\":\"Allow\","
            "\"Resource\":[\"arn:aws:apigateway:*::/apis\","
            "\"arn:aws:apigateway:*::/apis/*/authorizers/*\","
            "\"arn:aws:apigateway:*::/apis/*/authorizers\","
            "\"arn:aws:apigateway:*::/apis/*/cors\","
            "\"arn:aws:apigateway:*::/apis/*/deployments/*\","
            "\"arn:aws:apigateway:*::/apis/*/deployments\","
            "\"arn:aws:apigateway:*::/apis/*/exports/*\","
            "\"arn:aws:apigateway:*::/apis/*/integrations/*\","
            "\"arn:aws:apigateway:*::/apis/*/integrations\","
            "\"arn:aws:apigateway:*::/apis/*/models/*\",\"arn:aws:apigateway:*::/apis/*/models\","
            "\"arn:aws:apigateway:*::/apis/*/routes/*\",\"arn:aws:apigateway:*::/apis/*/routes\","
            "\"arn:aws:apigateway:*::/apis/*/stages\",\"arn:aws:apigateway:*::/apis/*/stages/*\","
            "\"arn:aws:apigateway:*::/clientcertificates\","
            "\"arn:aws:apigateway:*::/clientcertificates/*\","
            "\"arn:aws:apigateway:*::/domainnames\","
            "\"arn:aws:apigateway:*::/domainnames/*/apimappings\","
            "\"arn:aws:apigateway:*::/restapis\","
            "\"arn:aws:apigateway:*::/restapis/*/authorizers/*\","
            "\"arn:aws:apigateway:*::/restapis/*/authorizers\","
            "\"arn:aws:apigateway:*::/restapis/*/deployments/*\","
            "\"arn:aws:apigateway:*::/restapis/*/deployments\","
            "\"arn:aws:apigateway:*::/restapis/*/documentation/parts/*\","
            "\"arn:aws:apigateway:*::/restapis/*/documentation/parts\","
            "\"arn:aws:apigateway:*::/restapis/*/documentation/versions/*\","
            "\"arn:aws:apigateway:*::/restapis/*/documentation/versions\","
            "\"arn:aws:apigateway:*::/restapis/*/gatewayresponses/*\","
            "\"arn:aws:apigateway:*::/restapis/*/gatewayresponses\","
            "\"arn:aws:apigateway:*::/restapis/*/models/*\","
            "\"arn:aws:apigateway:*::/restapis/*/models\","
            "\"arn:aws:apigateway:*::/restapis/*/requestvalidators\","
            "\"arn:aws:apigateway:*::/restapis/*/requestvalidators/*\","
            "\"arn:aws:apigateway:*::/restapis/*/resources/*\","
            "\"arn:aws:apigateway:*::/restapis/*/resources\","
            "\"arn:aws:apigateway:*::/restapis/*/stages\","
            "\"arn:aws:apigateway:*::/restapis/*/stages/*\",\"arn:aws:apigateway:*::/tags/*\","
            "\"arn:aws:apigateway:*::/vpclinks\"],\"Sid\":\"APIGatewayAccess\"}],"
            "\"Version\":\"2012-10-17\"}",
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
        .arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaRole",
        .path = "/service-role/",
        .name = "AWSLambdaRole",
        .version = "v1",
        .created = "2015-02-06T18:41:28Z",
        .updated = "2015-02-06T18:41:28Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"lambda:InvokeFunction\"],\"Effect\":\"Allow\","
            "\"Resource\":[\"*\"]}],\"Version\":\"2012-10-17\"}",
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
    {
        .arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
        .path = "/service-role/",
        .name = "AWSLambdaVPCAccessExecutionRole",
        .version = "v3",
        .created = "2016-02-11T23:15:26Z",
        .updated = "2024-01-05T22:38:26Z",
        .document =
            "{\"Statement\":[{\"Action\":[\"logs:CreateLogGroup\",\"logs:CreateLogStream\","
            "\"logs:PutLogEvents\",\"ec2:CreateNetworkInterface\","
            "\"ec2:DescribeNetworkInterfaces\",\"ec2:DescribeSubnets\","
            "\"ec2:DeleteNetworkInterface\",\"ec2:AssignPrivateIpAddresses\","
            "\"ec2:UnassignPrivateIpAddresses\"],\"Effect\":\"Allow\",\"Resource\":\"*\","
            "\"Sid\":\"AWSLambdaVPCAccessExecutionPermissions\"}],\"Version\":\"2012-10-17\"}",
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

/* The query protocol and EC2's:
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html, …/aws-ec2-query-protocol.html */
#include "help.h"

#include "ec2_model.h"
#include "iam_model.h"
#include "sqs_model.h"

static void sqs_sends_attributes(void **state)
{
    struct test_request *r = request(
        *state, "POST /",
        "Action=SendMessage&Version=2012-11-05&MessageBody=a%26b+c&QueueUrl=http%3A%2F%2Fq"
        "&MessageAttribute.1.Name=n1&MessageAttribute.1.Value.DataType=String"
        "&MessageAttribute.1.Value.StringValue=s&MessageAttribute.2.Name=n2"
        "&MessageAttribute.2.Value.DataType=Binary&MessageAttribute.2.Value.BinaryValue=AAE%3D"
        "&MessageSystemAttribute.1.Name=AWSTraceHeader"
        "&MessageSystemAttribute.1.Value.StringValue=t&DelaySeconds=5");
    struct sqs_SendMessageRequest *in = decode(r, &sqs_model, "SendMessage", PROTO_QUERY);
    assert_str(in->MessageBody, "a&b c");
    assert_int_equal(in->DelaySeconds.v, 5);
    assert_int_equal(in->MessageAttributes.n, 2);
    assert_str(in->MessageAttributes.v[0].key, "n1");
    assert_str(in->MessageAttributes.v[0].value.StringValue, "s");
    assert_int_equal(in->MessageAttributes.v[1].value.BinaryValue.n, 2);
    assert_str(in->MessageSystemAttributes.v[0].value.StringValue, "t");
}

static void sqs_the_last_of_equal_names_counts(void **state)
{
    struct sqs_TagQueueRequest *in =
        decode(request(*state, "POST /", "QueueUrl=q&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&"
                                         "Tag.2.Value=2&Tag.3.Key=a&Tag.3.Value=3"),
               &sqs_model, "TagQueue", PROTO_QUERY);
    assert_int_equal(in->Tags.n, 2);
    assert_str(in->Tags.v[0].key, "b");
    assert_str(in->Tags.v[1].value, "3");
}

static void sqs_lists(void **state)
{
    struct test_request *r =
        request(*state,
                "GET /?Action=ReceiveMessage&AttributeName.1=All&MessageAttributeName.10=j"
                "&MessageAttributeName.2=b&MessageAttributeName.1=a&WaitTimeSeconds=",
                "");
    struct sqs_ReceiveMessageRequest *in = decode(r, &sqs_model, "ReceiveMessage", PROTO_QUERY);
    assert_int_equal(in->AttributeNames.n, 1);
    assert_int_equal(in->MessageAttributeNames.n, 3);
    assert_str(in->MessageAttributeNames.v[0], "a");
    assert_str(in->MessageAttributeNames.v[1], "b");
    assert_str(in->MessageAttributeNames.v[2], "j"); /* by number, not by spelling */
    assert_false(in->WaitTimeSeconds.set);
}

static void sqs_both_tag_names(void **state)
{
    static const char *const forms[] = {"Tag.1.Key=a&Tag.1.Value=b", "Tags.1.Key=a&Tags.1.Value=b"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct sqs_TagQueueRequest *in =
            decode(request(*state, "POST /", forms[i]), &sqs_model, "TagQueue", PROTO_QUERY);
        assert_int_equal(in->Tags.n, 1);
        assert_str(in->Tags.v[0].value, "b");
    }
}

static void sqs_answers(void **state)
{
    struct sqs_MessageSystemAttributeMap_item attr = {.key = STR("SenderId"), .value = STR("me")};
    struct sqs_Message m = {
        .MessageId = STR("1"), .Body = STR("<x>"), .Attributes = {1, &attr, true}};
    struct sqs_ReceiveMessageResult out = {.Messages = {1, &m, true}};
    struct wire_response *r = encode(*state, &sqs_model, "ReceiveMessage", PROTO_QUERY, &out);
    assert_body(
        r,
        "<ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">"
        "<ReceiveMessageResult><Message><MessageId>1</MessageId><Body>&lt;x&gt;</Body><Attribute>"
        "<Name>SenderId</Name><Value>me</Value></Attribute></Message></ReceiveMessageResult>"
        "<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>"
        "</ReceiveMessageResponse>");
    assert_str(response_header(r, "Content-Type"), "text/xml");
    r = encode(*state, &sqs_model, "DeleteMessage", PROTO_QUERY, NULL);
    assert_body(r, "<DeleteMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">"
                   "<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>"
                   "</DeleteMessageResponse>");
}

static void sqs_errors(void **state)
{
    struct wire_response *r = encode_error(*state, &sqs_model, "PurgeQueue", PROTO_QUERY,
                                           err_aws(0, "PurgeQueueInProgress", "Wait."));
    assert_int_equal(r->status, 403);
    assert_body(r, "<ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error>"
                   "<Type>Sender</Type><Code>AWS.SimpleQueueService.PurgeQueueInProgress</Code>"
                   "<Message>Wait.</Message></Error><RequestId>req-1</RequestId></ErrorResponse>");
}

static void iam_lists(void **state)
{
    struct test_request *r =
        request(*state, "POST /",
                "UserName=u&Tags.member.1.Key=k&Tags.member.1.Value=&Tags.member.2.Key=k2");
    struct iam_CreateUserRequest *in = decode(r, &iam_model, "CreateUser", PROTO_QUERY);
    assert_int_equal(in->Tags.n, 2);
    assert_str(in->Tags.v[0].Key, "k");
    assert_non_null(in->Tags.v[0].Value.p);
    assert_int_equal(in->Tags.v[0].Value.n, 0);
    assert_null(in->Tags.v[1].Value.p);
    in = decode(request(*state, "POST /", "UserName=u&Tags="), &iam_model, "CreateUser",
                PROTO_QUERY);
    assert_true(in->Tags.set);
    assert_int_equal(in->Tags.n, 0);
}

static void iam_nested_lists(void **state)
{
    struct test_request *r =
        request(*state, "POST /",
                "PolicyInputList.member.1=p&ActionNames.member.1=s3%3A*"
                "&ContextEntries.member.1.ContextKeyName=n"
                "&ContextEntries.member.1.ContextKeyValues.member.1=v1"
                "&ContextEntries.member.1.ContextKeyValues.member.2=v2&MaxItems=10");
    struct iam_SimulateCustomPolicyRequest *in =
        decode(r, &iam_model, "SimulateCustomPolicy", PROTO_QUERY);
    assert_str(in->ContextEntries.v[0].ContextKeyValues.v[1], "v2");
    assert_int_equal(in->MaxItems.v, 10);
}

static void iam_answers(void **state)
{
    struct iam_User u = {
        .Path = STR("/"), .UserName = STR("u"), .CreateDate = some_int(1700000000000)};
    struct iam_ListUsersResponse out = {.Users = {1, &u, true}, .IsTruncated = some_bool(false)};
    struct wire_response *r = encode(*state, &iam_model, "ListUsers", PROTO_QUERY, &out);
    assert_body(r, "<ListUsersResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">"
                   "<ListUsersResult><Users><member><Path>/</Path><UserName>u</UserName>"
                   "<CreateDate>2023-11-14T22:13:20Z</CreateDate></member></Users>"
                   "<IsTruncated>false</IsTruncated></ListUsersResult><ResponseMetadata>"
                   "<RequestId>req-1</RequestId></ResponseMetadata></ListUsersResponse>");
    r = encode_error(*state, &iam_model, "DeleteUser", PROTO_QUERY,
                     err_aws(0, "NoSuchEntityException", "No user of that name."));
    assert_int_equal(r->status, 404);
    assert_body(r, "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error>"
                   "<Type>Sender</Type><Code>NoSuchEntity</Code><Message>No user of that name."
                   "</Message></Error><RequestId>req-1</RequestId></ErrorResponse>");
}

static void refuses_wrong_values(void **state)
{
    decode_fails(request(*state, "POST /", "MaxItems=ten"), &iam_model, "ListUsers", PROTO_QUERY,
                 "MalformedInput");
    decode_fails(request(*state, "POST /", "UserName=%zz"), &iam_model, "CreateUser", PROTO_QUERY,
                 "MalformedQueryString");
    decode_fails(request(*state, "POST /", "UserName=%ff"), &iam_model, "CreateUser", PROTO_QUERY,
                 "MalformedQueryString");
    struct buf deep = BUF_INIT(4096);
    for (int i = 0; i < 3 * CODEC_DEPTH_MAX; i++)
        buf_c(&deep, "a.");
    buf_add(&deep, "=1", 3);
    decode_fails(request(*state, "POST /", deep.p), &iam_model, "CreateUser", PROTO_QUERY,
                 "MalformedQueryString");
    buf_clear(&deep);
    struct buf many = BUF_INIT(1024 * 1024);
    for (int i = 0; i <= CODEC_PARAMS_MAX; i++)
        buf_fmt(&many, "Tags.member.%d.Key=k&", i + 1);
    buf_char(&many, '\0');
    decode_fails(request(*state, "POST /", many.p), &iam_model, "CreateUser", PROTO_QUERY,
                 "MalformedQueryString");
    buf_clear(&many);
}

static void params(void **state)
{
    struct arena *a = *state;
    struct wire_param *p;
    size_t n;
    assert_null(wire_params(a, STR("acl&a=&b=1=2&&%61%20+=%2B"), &p, &n));
    assert_int_equal(n, 4);
    assert_str(p[0].name, "acl");
    assert_false(p[0].has_value);
    assert_true(p[1].has_value);
    assert_int_equal(p[1].value.n, 0);
    assert_str(p[2].value, "1=2");
    assert_str(p[3].name, "a  ");
    assert_str(p[3].value, "+");
    assert_null(wire_params(a, STR_NONE, &p, &n));
    assert_int_equal(n, 0);
    assert_null(wire_params(a, STR(""), &p, &n));
    assert_int_equal(n, 0);
}

static void ec2_names(void **state)
{
    struct test_request *r = request(
        *state, "POST /",
        "GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22"
        "&IpPermissions.1.ToPort=-1&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8"
        "&IpPermissions.1.IpRanges.2.CidrIp=192.168.0.0%2F16&DryRun=false"
        "&TagSpecification.1.ResourceType=security-group-rule&TagSpecification.1.Tag.1.Key=k");
    struct ec2_AuthorizeSecurityGroupIngressRequest *in =
        decode(r, &ec2_model, "AuthorizeSecurityGroupIngress", PROTO_EC2);
    assert_str(in->GroupId, "sg-1");
    assert_int_equal(in->IpPermissions.v[0].ToPort.v, -1);
    assert_str(in->IpPermissions.v[0].IpRanges.v[1].CidrIp, "192.168.0.0/16");
    assert_str(in->TagSpecifications.v[0].Tags.v[0].Key, "k");
    assert_true(in->DryRun.set && !in->DryRun.v);
    r = request(*state,
                "GET /?GroupId.1=sg-1&Filter.1.Name=n&Filter.1.Value.1=a&Filter.1.Value.2=b", "");
    struct ec2_DescribeSecurityGroupsRequest *d =
        decode(r, &ec2_model, "DescribeSecurityGroups", PROTO_EC2);
    assert_str(d->Filters.v[0].Values.v[1], "b");
    assert_str(d->GroupIds.v[0], "sg-1");
}

static void ec2_answers(void **state)
{
    struct ec2_Tag tag = {.Key = STR("k"), .Value = STR("v")};
    struct ec2_CreateSecurityGroupResult out = {.GroupId = STR("sg-1"), .Tags = {1, &tag, true}};
    struct wire_response *r = encode(*state, &ec2_model, "CreateSecurityGroup", PROTO_EC2, &out);
    assert_body(r, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CreateSecurityGroupResponse "
                   "xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\"><requestId>req-1</requestId>"
                   "<groupId>sg-1</groupId><tagSet><item><key>k</key><value>v</value></item>"
                   "</tagSet></CreateSecurityGroupResponse>");
    r = encode_error(*state, &ec2_model, "CreateSecurityGroup", PROTO_EC2,
                     err_aws(400, "InvalidGroup.Duplicate", "It exists."));
    assert_body(r, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>"
                   "InvalidGroup.Duplicate</Code><Message>It exists.</Message></Error></Errors>"
                   "<RequestID>req-1</RequestID></Response>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sqs_the_last_of_equal_names_counts),
        TEST(sqs_sends_attributes), TEST(sqs_lists), TEST(sqs_both_tag_names), TEST(sqs_answers),
        TEST(sqs_errors),           TEST(iam_lists), TEST(iam_nested_lists),   TEST(iam_answers),
        TEST(refuses_wrong_values), TEST(params),    TEST(ec2_names),          TEST(ec2_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

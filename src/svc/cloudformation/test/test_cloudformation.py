"""CloudFormation as boto3 sees it: what stacks make of other services, in whose name, and what is
left when something fails."""
import json
import time
import unittest
import uuid

import boto3
from botocore.exceptions import ClientError


def client(name, creds=None):
    extra = {}
    if creds:
        extra = dict(aws_access_key_id=creds["AccessKeyId"],
                     aws_secret_access_key=creds["SecretAccessKey"])
    return boto3.client(name, **extra)


def error(e):
    x = e.exception.response["Error"]
    return x["Code"], x["Message"]


def new_name(kind="t"):
    return f"{kind}-{uuid.uuid4().hex[:10]}"


QUEUE = {"Type": "AWS::SQS::Queue"}


class StackTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cfn, cls.sqs, cls.s3 = client("cloudformation"), client("sqs"), client("s3")
        cls.iam, cls.kms = client("iam"), client("kms")
        cls.account = client("sts").get_caller_identity()["Account"]
        cls.made = []

    @classmethod
    def tearDownClass(cls):
        for name in cls.made:
            cls.cfn.delete_stack(StackName=name)

    def status(self, name, cfn=None):
        return (cfn or self.cfn).describe_stacks(StackName=name)["Stacks"][0]

    def settle(self, name, expect=None):
        """The stack's row once it is at rest."""
        deadline = time.monotonic() + 60
        while True:
            s = self.status(name)
            if not s["StackStatus"].endswith("_IN_PROGRESS"):
                break
            self.assertLess(time.monotonic(), deadline, s["StackStatus"])
            time.sleep(0.05)
        if expect:
            self.assertEqual(s["StackStatus"], expect, self.reasons(name))
        return s

    def reasons(self, name):
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"))
                for e in self.cfn.describe_stack_events(StackName=name)["StackEvents"]]

    def create(self, resources, expect="CREATE_COMPLETE", name=None, cfn=None, top=None, **more):
        name = name or new_name()
        template = dict({"Resources": resources}, **(top or {}))
        sid = (cfn or self.cfn).create_stack(
            StackName=name, TemplateBody=json.dumps(template), **more)["StackId"]
        self.made.append(name)
        self.settle(sid, expect)
        return name, sid

    def update(self, name, resources, expect="UPDATE_COMPLETE", top=None, **more):
        template = dict({"Resources": resources}, **(top or {}))
        self.cfn.update_stack(StackName=name, TemplateBody=json.dumps(template), **more)
        return self.settle(name, expect)

    def delete(self, sid, expect="DELETE_COMPLETE"):
        self.cfn.delete_stack(StackName=sid)
        return self.settle(sid, expect)

    def physical(self, name, logical):
        return self.cfn.describe_stack_resource(
            StackName=name, LogicalResourceId=logical)["StackResourceDetail"]["PhysicalResourceId"]

    def refused(self, call, code="ValidationError"):
        with self.assertRaises(ClientError) as e:
            call()
        got, message = error(e)
        self.assertEqual(got, code, message)
        return message


class LifeTest(StackTest):
    def test_create_describe_delete_and_the_order_of_events(self):
        name, sid = self.create({"Q": QUEUE})
        self.assertRegex(sid, r"^arn:aws:cloudformation:us-east-1:\d{12}:stack/" + name + "/[-0-9a-f]{36}$")
        url = self.physical(name, "Q")
        self.assertIn(f"/{name}-Q-", url)
        events = self.cfn.describe_stack_events(StackName=name)["StackEvents"][::-1]
        q = url
        self.assertEqual(
            [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"),
              e["PhysicalResourceId"]) for e in events],
            [(name, "CREATE_IN_PROGRESS", "User Initiated", sid),
             ("Q", "CREATE_IN_PROGRESS", None, ""),
             ("Q", "CREATE_IN_PROGRESS", "Resource creation Initiated", q),
             ("Q", "CREATE_COMPLETE", None, q),
             (name, "CREATE_COMPLETE", None, sid)])
        times = [e["Timestamp"] for e in events]
        self.assertEqual(times, sorted(times))
        self.delete(sid)
        self.refused(lambda: self.cfn.describe_stacks(StackName=name))
        with self.assertRaises(ClientError):
            self.sqs.get_queue_attributes(QueueUrl=url)
        self.assertEqual([e["ResourceStatus"] for e in self.cfn.describe_stack_events(
            StackName=sid)["StackEvents"][:4][::-1]],
            ["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_COMPLETE"])

    def test_missing_stack_and_taken_name(self):
        message = self.refused(lambda: self.cfn.describe_stacks(StackName="nothing"))
        self.assertEqual(message, "Stack with id nothing does not exist")
        name, _ = self.create({"Q": QUEUE})
        self.refused(lambda: self.cfn.create_stack(StackName=name, TemplateBody=json.dumps(
            {"Resources": {"Q": QUEUE}})), "AlreadyExistsException")
        self.refused(lambda: self.cfn.create_stack(StackName="1bad", TemplateBody="{}"))

    def test_request_token_makes_a_creation_repeatable(self):
        name, body = new_name(), json.dumps({"Resources": {"Q": QUEUE}})
        self.made.append(name)
        first = self.cfn.create_stack(StackName=name, TemplateBody=body, ClientRequestToken="a1")
        again = self.cfn.create_stack(StackName=name, TemplateBody=body, ClientRequestToken="a1")
        self.assertEqual(first["StackId"], again["StackId"])
        self.settle(name, "CREATE_COMPLETE")

    def test_termination_protection(self):
        name, sid = self.create({"Q": QUEUE}, EnableTerminationProtection=True)
        message = self.refused(lambda: self.cfn.delete_stack(StackName=name))
        self.assertIn("TerminationProtection", message)
        self.cfn.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        self.delete(sid)

    def test_values_find_their_types(self):
        name, _ = self.create(
            {"Q": {"Type": "AWS::SQS::Queue", "Properties": {
                "VisibilityTimeout": "22", "QueueName": 4711, "SqsManagedSseEnabled": "true"}},
             "R": {"Type": "AWS::IAM::Role", "Properties": {
                 "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                     {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                      "Action": "sts:AssumeRole"}]},
                 "MaxSessionDuration": "7200",
                 "ManagedPolicyArns": "arn:aws:iam::aws:policy/AdministratorAccess"}}},
            Capabilities=["CAPABILITY_IAM"])
        url = self.physical(name, "Q")
        self.assertTrue(url.endswith("/4711"))
        a = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(a["VisibilityTimeout"], "22")
        role = self.physical(name, "R")
        self.assertEqual(self.iam.get_role(RoleName=role)["Role"]["MaxSessionDuration"], 7200)
        self.assertEqual(len(self.iam.list_attached_role_policies(
            RoleName=role)["AttachedPolicies"]), 1)
        # The same values spelled otherwise are no update of the resource.
        self.update(name, {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {
                "VisibilityTimeout": 22, "QueueName": "4711", "SqsManagedSseEnabled": True}},
            "P": QUEUE}, Capabilities=["CAPABILITY_IAM"])
        self.assertEqual(self.physical(name, "Q"), url)
        self.assertNotIn(("Q", "UPDATE_COMPLETE", None), self.reasons(name))
        with self.assertRaises(ClientError) as e:
            self.iam.get_role(RoleName=role)
        self.assertEqual(error(e)[0], "NoSuchEntity")

    def test_order_and_functions(self):
        name, _ = self.create(
            {"A": {"Type": "AWS::S3::Bucket", "DependsOn": ["K"], "Properties": {
                "BucketEncryption": {"ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms",
                                                       "KMSMasterKeyID": {"Fn::GetAtt": ["K", "Arn"]}},
                     "BucketKeyEnabled": "true"}]},
                "VersioningConfiguration": {"Status": "Enabled"},
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true",
                                                   "BlockPublicPolicy": True,
                                                   "IgnorePublicAcls": True,
                                                   "RestrictPublicBuckets": True},
                "Tags": [{"Key": "n", "Value": 1}]}},
             "K": {"Type": "AWS::KMS::Key", "Properties": {"EnableKeyRotation": "true",
                                                           "PendingWindowInDays": 7}},
             "L": {"Type": "AWS::KMS::Alias", "Properties": {
                 "AliasName": {"Fn::Sub": "alias/${AWS::StackName}"}, "TargetKeyId": {"Ref": "K"}}}},
            top={"Outputs": {"B": {"Value": {"Fn::GetAtt": "A.Arn"}},
                             "J": {"Value": {"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}}}})
        bucket = self.physical(name, "A")
        rules = self.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        key = self.kms.describe_key(KeyId="alias/" + name)["KeyMetadata"]["Arn"]
        self.assertEqual(rules["Rules"][0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"], key)
        self.assertTrue(rules["Rules"][0]["BucketKeyEnabled"])
        self.assertTrue(self.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])
        self.assertTrue(self.s3.get_public_access_block(
            Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"])
        out = {o["OutputKey"]: o["OutputValue"] for o in self.status(name)["Outputs"]}
        self.assertEqual(out, {"B": "arn:aws:s3:::" + bucket, "J": "a-us-east-1"})
        done = [r[0] for r in self.reasons(name)[::-1] if r[1] == "CREATE_COMPLETE"]
        self.assertLess(done.index("K"), done.index("A"))
        self.assertLess(done.index("K"), done.index("L"))

    def test_many_stacks_at_once(self):
        names = [new_name() for _ in range(8)]
        self.made.extend(names)
        for n in names:
            self.cfn.create_stack(StackName=n, TemplateBody=json.dumps({"Resources": {"Q": QUEUE}}))
        for n in names:
            self.settle(n, "CREATE_COMPLETE")
        listed = {s["StackName"] for s in self.cfn.list_stacks(
            StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]}
        self.assertLessEqual(set(names), listed)


class UpdateTest(StackTest):
    def test_in_place(self):
        name, _ = self.create({"Q": {"Type": "AWS::SQS::Queue",
                                     "Properties": {"VisibilityTimeout": 10}}})
        url = self.physical(name, "Q")
        body = {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 20}}}
        self.update(name, body)
        self.assertEqual(self.physical(name, "Q"), url)
        a = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        self.assertEqual(a["Attributes"]["VisibilityTimeout"], "20")
        message = self.refused(lambda: self.update(name, body))
        self.assertEqual(message, "No updates are to be performed.")
        statuses = [r[1] for r in self.reasons(name)[::-1]][-5:]
        self.assertEqual(statuses, ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE",
                                    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"])

    def role(self, **more):
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
             "Action": "sts:AssumeRole"}]}
        return {"R": {"Type": "AWS::IAM::Role", "Properties": dict(
            more, AssumeRolePolicyDocument=trust)}}

    def test_replacement(self):
        name, _ = self.create(self.role(), Capabilities=["CAPABILITY_IAM"])
        old = self.physical(name, "R")
        self.update(name, self.role(Path="/p/"), Capabilities=["CAPABILITY_IAM"])
        new = self.physical(name, "R")
        self.assertNotEqual(old, new)
        self.assertEqual(self.iam.get_role(RoleName=new)["Role"]["Path"], "/p/")
        with self.assertRaises(ClientError):
            self.iam.get_role(RoleName=old)
        self.assertIn("Requested update requires the creation of a new physical resource; hence "
                      "creating one.", [r[2] for r in self.reasons(name)])

    def test_custom_name_cannot_be_replaced(self):
        role = new_name("r")
        caps = ["CAPABILITY_NAMED_IAM"]
        name, _ = self.create(self.role(RoleName=role), Capabilities=caps)
        s = self.update(name, self.role(RoleName=role, Path="/p/"), "UPDATE_ROLLBACK_COMPLETE",
                        Capabilities=caps)
        self.assertTrue(any("custom-named resource" in (r[2] or "") for r in self.reasons(name)), s)
        self.assertEqual(self.iam.get_role(RoleName=role)["Role"]["Path"], "/")

    def test_failed_update_is_rolled_back(self):
        name = new_name()
        self.create({
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 10}},
            "R": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name + "-one"}}}, name=name)
        q, r = self.physical(name, "Q"), self.physical(name, "R")
        s = self.update(name, {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 20}},
            "R": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name + "-two"}},
            "N": {"Type": "AWS::SQS::Queue", "DependsOn": ["Q", "R"]},
            "Bad": {"Type": "AWS::SQS::Queue", "DependsOn": "N",
                    "Properties": {"VisibilityTimeout": 999999}}}, "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual((self.physical(name, "Q"), self.physical(name, "R")), (q, r))
        a = self.sqs.get_queue_attributes(QueueUrl=q, AttributeNames=["VisibilityTimeout"])
        self.assertEqual(a["Attributes"]["VisibilityTimeout"], "10")
        queues = self.sqs.list_queues(QueueNamePrefix=name + "-").get("QueueUrls", [])
        self.assertEqual(sorted(queues), sorted([q, r]))
        self.assertTrue(any("failed to create: [Bad]" in (x[2] or "") for x in self.reasons(name)), s)

    def test_lists_of_a_role_change_one_by_one(self):
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
             "Action": "sts:AssumeRole"}]}

        def role(*names):
            return {"R": {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust, "Policies": [
                    {"PolicyName": n, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                        {"Effect": "Allow", "Action": "s3:" + n, "Resource": "*"}]}}
                    for n in names]}}}
        name, sid = self.create(role("GetObject", "PutObject"), Capabilities=["CAPABILITY_IAM"])
        physical = self.physical(name, "R")
        self.update(name, role("PutObject", "ListBucket"), Capabilities=["CAPABILITY_IAM"])
        self.assertEqual(self.physical(name, "R"), physical)
        self.assertEqual(sorted(self.iam.list_role_policies(RoleName=physical)["PolicyNames"]),
                         ["ListBucket", "PutObject"])
        self.delete(sid)


class TypesTest(StackTest):
    """One stack of nearly every type: made, changed, deleted."""

    def template(self):
        def doc(action):
            return {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": action, "Resource": "*"}]}
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
             "Action": "sts:AssumeRole"}]}
        rule = {"GroupId": {"Ref": "SG"}, "IpProtocol": "tcp", "FromPort": "80", "ToPort": 80,
                "CidrIp": "10.0.0.0/8"}
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": {"Ref": "AWS::AccountId"}},
             "Action": "sns:*", "Resource": {"Ref": "T"}}]}
        types = {
            "U": ("IAM::User", {"Groups": [{"Ref": "G"}], "Policies": [
                {"PolicyName": "a", "PolicyDocument": doc("s3:*")}]}),
            "G": ("IAM::Group", {"ManagedPolicyArns": [{"Ref": "M"}]}),
            "M": ("IAM::ManagedPolicy", {"PolicyDocument": doc("kms:*")}),
            "P": ("IAM::Policy", {"PolicyName": "p", "PolicyDocument": doc("sqs:*"),
                                  "Users": [{"Ref": "U"}], "Roles": [{"Ref": "R"}]}),
            "R": ("IAM::Role", {"AssumeRolePolicyDocument": trust}),
            "I": ("IAM::InstanceProfile", {"Roles": [{"Ref": "R"}]}),
            "K": ("IAM::AccessKey", {"UserName": {"Ref": "U"}}),
            "T": ("SNS::Topic", {"DisplayName": "x", "Subscription": [
                {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Q", "Arn"]}}]}),
            "TP": ("SNS::TopicPolicy", {"Topics": [{"Ref": "T"}], "PolicyDocument": policy}),
            "Q": ("SQS::Queue", {}),
            "H": ("CloudFormation::WaitConditionHandle", {}),
            "LG": ("Logs::LogGroup", {"RetentionInDays": "7"}),
            "V": ("EC2::VPC", {"CidrBlock": "10.0.0.0/16"}),
            "S": ("EC2::Subnet", {"VpcId": {"Ref": "V"}, "CidrBlock": "10.0.0.0/24"}),
            "D": ("EC2::DHCPOptions", {"DomainName": "x.example",
                                       "DomainNameServers": ["AmazonProvidedDNS"]}),
            "DA": ("EC2::VPCDHCPOptionsAssociation", {"VpcId": {"Ref": "V"},
                                                      "DhcpOptionsId": {"Ref": "D"}}),
            "SG": ("EC2::SecurityGroup", {"GroupDescription": "d", "VpcId": {"Ref": "V"}}),
            "SGI": ("EC2::SecurityGroupIngress", rule),
            "SGE": ("EC2::SecurityGroupEgress", rule),
            "E": ("EC2::EIP", {"Domain": "vpc"}),
            "X": ("EC2::Instance", {
                "ImageId": "ami-12345678", "InstanceType": "t3.micro", "SubnetId": {"Ref": "S"},
                "SecurityGroupIds": [{"Ref": "SG"}], "IamInstanceProfile": {"Ref": "I"}}),
            "IG": ("EC2::InternetGateway", {}),
            "GA": ("EC2::VPCGatewayAttachment", {"VpcId": {"Ref": "V"},
                                                 "InternetGatewayId": {"Ref": "IG"}}),
            "EA": ("EC2::EIPAssociation", {"AllocationId": {"Fn::GetAtt": ["E", "AllocationId"]},
                                           "InstanceId": {"Ref": "X"}}),
        }
        resources = {k: {"Type": "AWS::" + t, "Properties": p} for k, (t, p) in types.items()}
        resources["EA"]["DependsOn"] = "GA"
        return resources

    def test_made_changed_deleted(self):
        ec2, sns, logs = client("ec2"), client("sns"), client("logs")
        caps, r = ["CAPABILITY_IAM"], self.template()
        top = {"Outputs": {"G": {"Value": {"Fn::GetAtt": ["V", "DefaultSecurityGroup"]}},
                           "I": {"Value": {"Fn::GetAtt": ["X", "PrivateIp"]}}}}
        name, sid = self.create(r, top=top, Capabilities=caps, Tags=[{"Key": "team", "Value": "x"}])
        vpc, topic = self.physical(name, "V"), self.physical(name, "T")
        out = {o["OutputKey"]: o["OutputValue"] for o in self.status(name)["Outputs"]}
        self.assertRegex(out["G"], "^sg-")
        self.assertRegex(out["I"], r"^10\.0\.0\.")
        tags = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "x"}])
        self.assertEqual(len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]), 1)
        group = ec2.describe_security_groups(GroupIds=[self.physical(name, "SG")])
        self.assertEqual(group["SecurityGroups"][0]["IpPermissions"][0]["FromPort"], 80)
        r["T"]["Properties"].update(DisplayName="y", Subscription=[])
        r["U"]["Properties"]["Groups"] = []
        r["M"]["Properties"]["PolicyDocument"]["Statement"][0]["Action"] = "kms:Encrypt"
        r["SG"]["Properties"]["SecurityGroupIngress"] = {
            "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
        r["LG"]["Properties"]["RetentionInDays"] = 30
        r["K"]["Properties"]["Status"] = "Inactive"
        r["V"]["Properties"]["EnableDnsHostnames"] = "true"
        self.update(name, r, top=top, Capabilities=caps)
        self.assertEqual((self.physical(name, "V"), self.physical(name, "T")), (vpc, topic))
        self.assertEqual(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"], [])
        arn = self.physical(name, "M")
        self.assertEqual(len(self.iam.list_policy_versions(PolicyArn=arn)["Versions"]), 1)
        keys = self.iam.list_access_keys(UserName=self.physical(name, "U"))["AccessKeyMetadata"]
        self.assertEqual([k["Status"] for k in keys], ["Inactive"])
        found = logs.describe_log_groups(logGroupNamePrefix=self.physical(name, "LG"))["logGroups"]
        self.assertEqual(found[0]["retentionInDays"], 30)
        self.assertTrue(ec2.describe_vpc_attribute(
            VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"])
        self.delete(sid)
        with self.assertRaises(ClientError):
            ec2.describe_vpcs(VpcIds=[vpc])


class FailureTest(StackTest):
    BAD = {"Type": "AWS::SQS::Queue", "DependsOn": "Q", "Properties": {"VisibilityTimeout": 999999}}

    def test_rollback_deletes_what_was_made(self):
        name, _ = self.create({"Q": QUEUE, "Bad": self.BAD}, "ROLLBACK_COMPLETE")
        self.assertEqual(self.sqs.list_queues(QueueNamePrefix=name + "-").get("QueueUrls", []), [])
        reasons = self.reasons(name)
        self.assertIn((name, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: "
                       "[Bad]. Rollback requested by user."), reasons)
        failed = [r for r in reasons if r[1] == "CREATE_FAILED"][0]
        self.assertIn("Service: sqs", failed[2])
        message = self.refused(lambda: self.update(name, {"Q": QUEUE}))
        self.assertIn("can not be updated", message)

    def test_do_nothing_and_delete(self):
        name, _ = self.create({"Q": QUEUE, "Bad": self.BAD}, "CREATE_FAILED", OnFailure="DO_NOTHING")
        self.assertEqual(len(self.sqs.list_queues(QueueNamePrefix=name + "-")["QueueUrls"]), 1)
        self.create({"Q": QUEUE, "Bad": self.BAD}, "DELETE_COMPLETE", OnFailure="DELETE")

    def test_unknown_property_fails_the_stack(self):
        name, _ = self.create({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red"}}},
                              "ROLLBACK_COMPLETE")
        self.assertIn("Encountered unsupported property Colour",
                      [r[2] for r in self.reasons(name)])
        name, _ = self.create({"P": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": "b"}}},
                              "ROLLBACK_COMPLETE")
        self.assertIn("Property PolicyDocument cannot be empty.", [r[2] for r in self.reasons(name)])

    def test_what_exists_is_not_taken_over(self):
        bucket = new_name("b")
        self.s3.create_bucket(Bucket=bucket)
        name, sid = self.create({"B": {"Type": "AWS::S3::Bucket", "Properties": {
            "BucketName": bucket}}}, "ROLLBACK_COMPLETE")
        self.assertIn(f"{bucket} already exists", [r[2] for r in self.reasons(name)])
        self.delete(sid)
        self.s3.head_bucket(Bucket=bucket)
        self.s3.delete_bucket(Bucket=bucket)

    def test_retained_resources_stay(self):
        name, sid = self.create({"Q": dict(QUEUE, DeletionPolicy="Retain"), "R": QUEUE})
        q = self.physical(name, "Q")
        self.delete(sid)
        self.sqs.get_queue_attributes(QueueUrl=q)
        self.assertIn(("Q", "DELETE_SKIPPED", None), self.reasons(sid))
        self.sqs.delete_queue(QueueUrl=q)

    def test_a_bucket_that_is_not_empty_fails_the_deletion(self):
        name, sid = self.create({"B": {"Type": "AWS::S3::Bucket"}})
        bucket = self.physical(name, "B")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        self.delete(sid, "DELETE_FAILED")
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.delete(sid)


class TemplateTest(StackTest):
    def validate(self, template):
        body = template if isinstance(template, str) else json.dumps(template)
        return self.cfn.validate_template(TemplateBody=body)

    def refuse_create(self, template, code="ValidationError", **more):
        body = template if isinstance(template, str) else json.dumps(template)
        return self.refused(lambda: self.cfn.create_stack(
            StackName=new_name(), TemplateBody=body, **more), code)

    def test_cycles_unknown_types_and_names(self):
        message = self.refuse_create({"Resources": {
            "A": dict(QUEUE, DependsOn="B"), "B": dict(QUEUE, DependsOn="A")}})
        self.assertEqual(message, "Circular dependency between resources: [A, B]")
        message = self.refuse_create({"Resources": {"A": {"Type": "AWS::No::Thing"}}})
        self.assertEqual(message,
                         "Template format error: Unrecognized resource types: [AWS::No::Thing]")
        message = self.refuse_create({"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {
            "QueueName": {"Ref": "Nobody"}}}}})
        self.assertIn("Unresolved resource dependencies [Nobody]", message)
        self.refuse_create("not a template")
        self.refuse_create({"Resources": {}})
        self.refuse_create({"Transform": "AWS::Serverless-2016-10-31",
                            "Resources": {"A": QUEUE}}, "NotImplemented")

    def test_size(self):
        template = {"Description": "x", "Resources": {"A": QUEUE},
                    "Metadata": {"m": "x" * 51200}}
        self.assertIn("51200", self.refuse_create(template))
        bucket = new_name("b")
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket=bucket, Key="a/t.json", Body=json.dumps(template).encode())
        name = new_name()
        self.made.append(name)
        url = f"{self.s3.meta.endpoint_url}/{bucket}/a/t.json"
        self.cfn.create_stack(StackName=name, TemplateURL=url)
        self.settle(name, "CREATE_COMPLETE")
        self.refused(lambda: self.cfn.create_stack(
            StackName=new_name(), TemplateURL=f"{self.s3.meta.endpoint_url}/{bucket}/none"))

    def test_parameters(self):
        top = {"Parameters": {
            "Delay": {"Type": "Number", "Default": 5, "MaxValue": 10},
            "Kind": {"Type": "String", "AllowedValues": ["a", "b"]},
            "Code": {"Type": "String", "AllowedPattern": "[a-z]{2}\\d+", "NoEcho": True,
                     "Default": "ab12"}}}
        resources = {"Q": {"Type": "AWS::SQS::Queue", "Properties": {
            "DelaySeconds": {"Ref": "Delay"}, "Tags": [
                {"Key": "kind", "Value": {"Ref": "Kind"}},
                {"Key": "code", "Value": {"Fn::Sub": "${Code}"}}]}}}
        t = dict(top, Resources=resources)

        def params(**kv):
            return [{"ParameterKey": k, "ParameterValue": v} for k, v in kv.items()]
        self.assertEqual(self.refuse_create(t), "Parameters: [Kind] must have values")
        self.assertIn("[X] do not exist", self.refuse_create(t, Parameters=params(Kind="a", X="1")))
        self.assertIn("AllowedValues", self.refuse_create(t, Parameters=params(Kind="c")))
        self.assertIn("not greater", self.refuse_create(t, Parameters=params(Kind="a", Delay="11")))
        self.assertIn("must match pattern", self.refuse_create(
            t, Parameters=params(Kind="a", Code="x1")))
        name, _ = self.create(resources, top=top, Parameters=params(Kind="a", Code="zz99"))
        shown = {p["ParameterKey"]: p["ParameterValue"] for p in self.status(name)["Parameters"]}
        self.assertEqual(shown, {"Delay": "5", "Kind": "a", "Code": "****"})
        self.assertNotIn("zz99", json.dumps(self.cfn.describe_stack_events(
            StackName=name)["StackEvents"], default=str))
        tags = self.sqs.list_queue_tags(QueueUrl=self.physical(name, "Q"))["Tags"]
        self.assertEqual(tags, {"kind": "a", "code": "zz99"})
        self.cfn.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=[
            {"ParameterKey": "Kind", "ParameterValue": "b"},
            {"ParameterKey": "Code", "UsePreviousValue": True}])
        self.settle(name, "UPDATE_COMPLETE")
        tags = self.sqs.list_queue_tags(QueueUrl=self.physical(name, "Q"))["Tags"]
        self.assertEqual(tags, {"kind": "b", "code": "zz99"})
        v = self.validate(t)
        self.assertEqual({p["ParameterKey"] for p in v["Parameters"]}, {"Delay", "Kind", "Code"})

    def test_conditions_in_yaml(self):
        body = """
Parameters:
  Env: {Type: String, Default: dev}
Mappings:
  Delay:
    dev: {Seconds: 3}
    prod: {Seconds: 7}
Conditions:
  Prod: !Equals [!Ref Env, prod]
  NotProd: !Not [!Condition Prod]
  Either: !Or [!Condition Prod, !Condition NotProd]
Resources:
  Q:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !FindInMap [Delay, !Ref Env, Seconds]
      VisibilityTimeout: !If [Prod, 40, !Ref AWS::NoValue]
  Extra:
    Type: AWS::SQS::Queue
    Condition: Prod
Outputs:
  Url: {Value: !Ref Q}
  ExtraUrl: {Condition: Prod, Value: !Ref Extra}
"""
        name = new_name()
        self.made.append(name)
        self.cfn.create_stack(StackName=name, TemplateBody=body)
        s = self.settle(name, "CREATE_COMPLETE")
        self.assertEqual([o["OutputKey"] for o in s["Outputs"]], ["Url"])
        a = self.sqs.get_queue_attributes(QueueUrl=self.physical(name, "Q"),
                                          AttributeNames=["All"])["Attributes"]
        self.assertEqual((a["DelaySeconds"], a["VisibilityTimeout"]), ("3", "30"))
        self.cfn.update_stack(StackName=name, TemplateBody=body, Parameters=[
            {"ParameterKey": "Env", "ParameterValue": "prod"}])
        s = self.settle(name, "UPDATE_COMPLETE")
        self.assertEqual(len(s["Outputs"]), 2)
        self.cfn.update_stack(StackName=name, TemplateBody=body)
        self.settle(name, "UPDATE_COMPLETE")
        self.assertEqual(len(self.sqs.list_queues(QueueNamePrefix=name + "-")["QueueUrls"]), 1)
        self.assertEqual(self.cfn.get_template(StackName=name)["TemplateBody"], body)

    def test_exports_and_imports(self):
        export = new_name("x")
        top = {"Outputs": {"U": {"Value": {"Ref": "Q"}, "Export": {"Name": export}}}}
        a, sid = self.create({"Q": QUEUE}, top=top)
        importing = {"R": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [
            {"Key": "peer", "Value": {"Fn::ImportValue": export}}]}}}
        b, bid = self.create(importing)
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=self.physical(b, "R"))["Tags"]["peer"],
                         self.physical(a, "Q"))
        self.assertIn(export, [e["Name"] for e in self.cfn.list_exports()["Exports"]])
        self.assertEqual(self.cfn.list_imports(ExportName=export)["Imports"], [b])
        self.assertIn("in use by", self.refused(lambda: self.cfn.delete_stack(StackName=a)))
        self.create({"Q": QUEUE}, "ROLLBACK_COMPLETE", top=top)
        self.delete(bid)
        self.delete(sid)
        name, _ = self.create(importing, "ROLLBACK_COMPLETE")
        self.assertIn(f"No export named {export} found.", [r[2] for r in self.reasons(name)])

    def test_capabilities(self):
        trust = {"Version": "2012-10-17", "Statement": []}
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
        message = self.refuse_create({"Resources": {"R": role}}, "InsufficientCapabilitiesException")
        self.assertEqual(message, "Requires capabilities : [CAPABILITY_IAM]")
        named = json.loads(json.dumps(role))
        named["Properties"]["RoleName"] = "r"
        message = self.refuse_create({"Resources": {"R": named}}, "InsufficientCapabilitiesException",
                                     Capabilities=["CAPABILITY_IAM"])
        self.assertEqual(message, "Requires capabilities : [CAPABILITY_NAMED_IAM]")
        summary = self.cfn.get_template_summary(TemplateBody=json.dumps({"Resources": {"R": named}}))
        self.assertEqual(summary["Capabilities"], ["CAPABILITY_NAMED_IAM"])
        self.assertEqual(summary["ResourceTypes"], ["AWS::IAM::Role"])


class ChangeSetTest(StackTest):
    def change_set(self, name, kind, resources):
        cs = new_name("c")
        self.cfn.create_change_set(StackName=name, ChangeSetName=cs, ChangeSetType=kind,
                                   TemplateBody=json.dumps({"Resources": resources}))
        return cs, self.cfn.describe_change_set(StackName=name, ChangeSetName=cs)

    def test_as_deploy_uses_them(self):
        name = new_name()
        self.made.append(name)
        cs, d = self.change_set(name, "CREATE", {"Q": QUEUE, "R": QUEUE})
        self.assertEqual((d["Status"], d["ExecutionStatus"]), ("CREATE_COMPLETE", "AVAILABLE"))
        self.assertEqual(self.status(name)["StackStatus"], "REVIEW_IN_PROGRESS")
        self.cfn.execute_change_set(StackName=name, ChangeSetName=cs)
        self.settle(name, "CREATE_COMPLETE")
        cs, d = self.change_set(name, "UPDATE", {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}, "N": QUEUE})
        got = {(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"],
                c["ResourceChange"].get("Replacement")) for c in d["Changes"]}
        self.assertEqual(got, {("Modify", "Q", "False"), ("Add", "N", None), ("Remove", "R", None)})
        self.cfn.execute_change_set(ChangeSetName=d["ChangeSetId"])
        self.settle(name, "UPDATE_COMPLETE")
        cs, d = self.change_set(name, "UPDATE", {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}, "N": QUEUE})
        self.assertEqual(d["Status"], "FAILED")
        self.assertIn("didn't contain changes", d["StatusReason"])
        self.cfn.delete_change_set(StackName=name, ChangeSetName=cs)


class PermissionTest(StackTest):
    """Stacks do what their caller, or the role given, may do, and no more."""

    def setUp(self):
        self.user = new_name("u")
        self.iam.create_user(UserName=self.user)
        creds = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self.theirs = client("cloudformation", creds)

    def allow(self, *actions, resource="*"):
        self.iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": list(actions), "Resource": resource}]}))

    def test_the_callers_permissions_hold(self):
        body = json.dumps({"Resources": {"Q": QUEUE}})
        self.refused(lambda: self.theirs.create_stack(StackName=new_name(), TemplateBody=body),
                     "AccessDenied")
        self.allow("cloudformation:*")
        name, _ = self.create({"Q": QUEUE}, "ROLLBACK_COMPLETE", cfn=self.theirs)
        self.assertTrue(any("sqs:createqueue" in (r[2] or "").lower() for r in self.reasons(name)),
                        self.reasons(name))
        self.allow("cloudformation:*", "sqs:*")
        self.create({"Q": QUEUE}, "CREATE_COMPLETE", cfn=self.theirs)

    def test_rights_taken_away_are_gone_at_once(self):
        self.allow("cloudformation:*", "sqs:*")
        name, sid = self.create({"Q": QUEUE}, cfn=self.theirs)
        self.allow("cloudformation:*")
        self.theirs.delete_stack(StackName=name)
        self.settle(sid, "DELETE_FAILED")
        self.delete(sid)

    def test_a_role_instead_of_the_caller(self):
        role = new_name("r")
        arn = self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"},
                 "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}))
        body = json.dumps({"Resources": {"Q": QUEUE}})
        self.allow("cloudformation:*")
        self.refused(lambda: self.theirs.create_stack(StackName=new_name(), TemplateBody=body,
                                                      RoleARN=arn), "AccessDenied")
        self.allow("cloudformation:*", "iam:PassRole")
        name, sid = self.create({"Q": QUEUE}, cfn=self.theirs, RoleARN=arn)
        self.assertEqual(self.status(name)["RoleARN"], arn)
        self.theirs.delete_stack(StackName=name)
        self.settle(sid, "DELETE_COMPLETE")


if __name__ == "__main__":
    unittest.main()

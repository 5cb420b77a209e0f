"""CloudFormation where it is easily got wrong: whose stack an ARN names, what was there before, what
a failed update leaves behind, and what stands in another stack's way."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_cloudformation import QUEUE, StackTest, client, new_name

TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
     "Action": "sts:AssumeRole"}]}


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


class UserTest(StackTest):
    def setUp(self):
        self.user = new_name("u")
        self.iam.create_user(UserName=self.user)
        self.creds = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self.theirs = client("cloudformation", self.creds)

    def policy(self, *statements):
        self.iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))

    @staticmethod
    def allow(*actions, resource="*", **condition):
        s = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        return dict(s, Condition=condition) if condition else s


class NameTest(UserTest):
    def test_an_arn_with_a_false_name_opens_nothing(self):
        name, sid = self.create({"Q": QUEUE})
        self.policy(self.allow("cloudformation:*",
                               resource="arn:aws:cloudformation:*:*:stack/mine-*/*"))
        uuid = sid.rsplit("/", 1)[1]
        false = sid.replace(f"/{name}/", "/mine-x/")
        self.assertTrue(false.endswith(f"/mine-x/{uuid}"))
        self.assertIn("does not exist", self.refused(
            lambda: self.theirs.describe_stacks(StackName=false)))
        self.refused(lambda: self.theirs.get_template(StackName=false))
        self.theirs.delete_stack(StackName=false)  # as of any stack that is not there
        self.assertEqual(self.status(name)["StackStatus"], "CREATE_COMPLETE")
        self.refused(lambda: self.theirs.describe_stacks(StackName=sid), "AccessDenied")

    def test_tags_of_a_stack_count_however_it_is_named(self):
        _, sid = self.create({"Q": QUEUE}, Tags=[{"Key": "stage", "Value": "live"}])
        self.policy(self.allow("cloudformation:*", "sqs:*"),
                    dict(self.allow("cloudformation:DeleteStack",
                                    StringEquals={"aws:ResourceTag/stage": "live"}),
                         Effect="Deny"))
        self.refused(lambda: self.theirs.delete_stack(StackName=sid), "AccessDenied")
        self.assertEqual(self.status(sid)["StackStatus"], "CREATE_COMPLETE")

    def test_conditions_on_what_the_request_says(self):
        self.policy(self.allow("sqs:*"), self.allow(
            "cloudformation:CreateStack", StringEquals={"aws:RequestTag/team": "a"},
            **{"ForAllValues:StringEquals": {"cloudformation:ResourceTypes": ["AWS::SQS::Queue"]}}))
        body = json.dumps({"Resources": {"Q": QUEUE}})
        team = [{"Key": "team", "Value": "a"}]
        self.refused(lambda: self.theirs.create_stack(StackName=new_name(), TemplateBody=body),
                     "AccessDenied")
        self.refused(lambda: self.theirs.create_stack(
            StackName=new_name(), TemplateBody=body, Tags=team,
            ResourceTypes=["AWS::IAM::*"]), "AccessDenied")
        self.create({"Q": QUEUE}, cfn=self.theirs, Tags=team, ResourceTypes=["AWS::SQS::Queue"])
        message = self.refused(lambda: self.cfn.create_stack(
            StackName=new_name(), TemplateBody=body, ResourceTypes=["AWS::S3::*"]))
        self.assertIn("Resource type AWS::SQS::Queue is not allowed", message)


class TakenTest(UserTest):
    """What was there before a stack is never taken for its own."""

    def test_a_queue_that_the_caller_may_not_see(self):
        name = new_name("q")
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.policy(self.allow("cloudformation:*", "sqs:CreateQueue", "sqs:DeleteQueue"))
        stack, sid = self.create({"Q": queue(QueueName=name)}, "ROLLBACK_COMPLETE",
                                 cfn=self.theirs)
        self.assertTrue(any("sqs:getqueueurl" in (r[2] or "").lower()
                            for r in self.reasons(stack)), self.reasons(stack))
        self.delete(sid)
        self.sqs.get_queue_attributes(QueueUrl=url)
        self.sqs.delete_queue(QueueUrl=url)

    def test_a_role_of_the_same_name(self):
        role = new_name("r")
        self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
        stack, sid = self.create({"R": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": role, "AssumeRolePolicyDocument": TRUST}}}, "ROLLBACK_COMPLETE",
            Capabilities=["CAPABILITY_NAMED_IAM"])
        self.assertIn(f"{role} already exists", [r[2] for r in self.reasons(stack)])
        self.delete(sid)
        self.iam.delete_role(RoleName=role)


class RefusedTest(StackTest):
    def test_members_within_properties(self):
        for wrong in (
                {"Type": "AWS::EC2::SecurityGroup", "Properties": {
                    "GroupDescription": "d", "SecurityGroupIngress": [
                        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "10.0.0.0/8",
                         "Colour": "red"}]}},
                {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": [
                    {"Protocol": "sqs", "Endpoint": "e", "Colour": "red"}]}},
                {"Type": "AWS::IAM::Group", "Properties": {"Policies": [
                    {"PolicyName": "p", "PolicyDocument": TRUST, "Colour": "red"}]}}):
            name, _ = self.create({"X": wrong}, "ROLLBACK_COMPLETE",
                                  Capabilities=["CAPABILITY_IAM"])
            self.assertIn("Encountered unsupported property Colour",
                          [r[2] for r in self.reasons(name)])
        name, _ = self.create({"B": {"Type": "AWS::S3::Bucket", "Properties": {
            "VersioningConfiguration": {"Statsu": "Enabled"}}}}, "ROLLBACK_COMPLETE")
        self.assertTrue(any("Statsu" in (r[2] or "") for r in self.reasons(name)))

    def test_properties_have_a_size(self):
        top = {"Parameters": {"P": {"Type": "String"}}}
        tags = [{"Key": k, "Value": {"Fn::Sub": "${P}" * 200}} for k in "ab"]
        name, sid = self.create({"Q": queue(Tags=tags)}, "ROLLBACK_COMPLETE", top=top, Parameters=[
            {"ParameterKey": "P", "ParameterValue": "x" * 4096}])
        self.assertTrue(any("take more than 1048576 bytes" in (r[2] or "")
                            for r in self.reasons(name)))
        outputs = {f"O{i}": {"Value": {"Fn::Sub": "${P}" * 200}} for i in range(2)}
        name, _ = self.create({"Q": QUEUE}, "ROLLBACK_COMPLETE", top=dict(top, Outputs=outputs),
                              Parameters=[{"ParameterKey": "P", "ParameterValue": "x" * 4096}])
        self.assertTrue(any("the outputs take more than" in (r[2] or "")
                            for r in self.reasons(name)))

    def test_a_secret_that_a_service_refuses_is_not_told(self):
        secret = "not a number at all"
        name, _ = self.create(
            {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Ref": "P"}}}},
            "ROLLBACK_COMPLETE",
            top={"Parameters": {"P": {"Type": "String", "NoEcho": True}}},
            Parameters=[{"ParameterKey": "P", "ParameterValue": secret}])
        events = self.cfn.describe_stack_events(StackName=name)["StackEvents"]
        self.assertTrue(any("Value (****)" in e.get("ResourceStatusReason", "") for e in events))
        self.assertNotIn(secret, str(events))

    def test_what_is_not_built_says_so(self):
        body = json.dumps({"Resources": {"Q": QUEUE}})
        for more in ({"NotificationARNs": ["arn:aws:sns:us-east-1:1:t"]},
                     {"RollbackConfiguration": {"MonitoringTimeInMinutes": 5}},
                     {"StackPolicyBody": "{}"}):
            self.refused(lambda: self.cfn.create_stack(StackName=new_name(), TemplateBody=body,
                                                       **more), "NotImplemented")
        name, _ = self.create({"Q": QUEUE})
        for call in (lambda: self.cfn.detect_stack_drift(StackName=name),
                     lambda: self.cfn.set_stack_policy(StackName=name, StackPolicyBody="{}"),
                     lambda: self.cfn.rollback_stack(StackName=name)):
            self.refused(call, "NotImplemented")

    def test_a_stack_that_was_rolled_back_takes_no_change_set(self):
        name, _ = self.create({"Q": queue(VisibilityTimeout=999999)}, "ROLLBACK_COMPLETE")
        message = self.refused(lambda: self.cfn.create_change_set(
            StackName=name, ChangeSetName="c", TemplateBody=json.dumps({"Resources": {"Q": QUEUE}})))
        self.assertIn("is in ROLLBACK_COMPLETE state and can not be updated", message)


class ChangeSetTest(StackTest):
    def test_values_that_are_not_there_yet(self):
        name, _ = self.create({"Q": QUEUE})
        url = self.physical(name, "Q")
        resources = {"N": QUEUE, "Q": queue(Tags=[{"Key": "peer", "Value": {"Fn::Select": [
            5, {"Fn::Split": [":", {"Fn::GetAtt": ["N", "Arn"]}]}]}}])}
        self.cfn.create_change_set(StackName=name, ChangeSetName="c", ClientToken="t1",
                                   TemplateBody=json.dumps({"Resources": resources}))
        again = self.cfn.create_change_set(StackName=name, ChangeSetName="c", ClientToken="t1",
                                           TemplateBody=json.dumps({"Resources": resources}))
        d = self.cfn.describe_change_set(StackName=name, ChangeSetName="c")
        self.assertEqual(again["Id"], d["ChangeSetId"])
        got = {(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"],
                c["ResourceChange"].get("Replacement")) for c in d["Changes"]}
        self.assertEqual(got, {("Add", "N", None), ("Modify", "Q", "Conditional")})
        self.cfn.execute_change_set(StackName=name, ChangeSetName="c")
        self.settle(name, "UPDATE_COMPLETE")
        self.assertEqual(self.physical(name, "Q"), url)
        self.assertRegex(self.sqs.list_queue_tags(QueueUrl=url)["Tags"]["peer"], f"^{name}-N-")
        self.refused(lambda: self.cfn.execute_change_set(StackName=name, ChangeSetName="c"),
                     "InvalidChangeSetStatus")

    def test_a_replacement_is_told_to_those_who_refer_to_it(self):
        name = new_name()
        both = {"A": queue(QueueName=name + "-a"), "B": queue(Tags=[
            {"Key": "peer", "Value": {"Fn::GetAtt": ["A", "QueueName"]}}])}
        self.create(both, name=name)
        both["A"]["Properties"]["QueueName"] = name + "-b"
        self.cfn.create_change_set(StackName=name, ChangeSetName="c",
                                   TemplateBody=json.dumps({"Resources": both}))
        d = self.cfn.describe_change_set(StackName=name, ChangeSetName="c")
        got = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"]["Replacement"]
               for c in d["Changes"]}
        self.assertEqual(got, {"A": "True", "B": "False"})


class LeftoverTest(StackTest):
    def test_retain_except_on_create(self):
        name = new_name()
        self.create({"Q": dict(queue(QueueName=name + "-x"), DeletionPolicy="Retain"),
                     "Bad": dict(queue(VisibilityTimeout=999999), DependsOn="Q")},
                    "ROLLBACK_COMPLETE", name=name, RetainExceptOnCreate=True)
        self.assertEqual(self.sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", []), [])

    def test_a_deletion_goes_on_past_what_cannot_be_deleted(self):
        name, sid = self.create({
            "B": {"Type": "AWS::S3::Bucket", "DependsOn": "Needed"}, "Needed": QUEUE, "Free": QUEUE})
        bucket, needed = self.physical(name, "B"), self.physical(name, "Needed")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        s = self.delete(sid, "DELETE_FAILED")
        self.assertEqual(s["StackStatusReason"],
                         "The following resource(s) failed to delete: [B]. ")
        urls = self.sqs.list_queues(QueueNamePrefix=name + "-")["QueueUrls"]
        self.assertEqual(urls, [needed])
        self.cfn.delete_stack(StackName=sid, RetainResources=["B"])
        self.settle(sid, "DELETE_COMPLETE")
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.s3.delete_bucket(Bucket=bucket)

    def test_an_update_that_failed_and_stays_is_mended_by_the_next(self):
        name = new_name()
        self.create({"Q": queue(VisibilityTimeout=10),
                     "R": queue(QueueName=name + "-a")}, name=name)
        q = self.physical(name, "Q")

        def attribute(url, which):
            return self.sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=[which])["Attributes"][which]
        bad = {"Q": queue(VisibilityTimeout=999999), "R": queue(QueueName=name + "-a")}
        self.update(name, bad, "UPDATE_FAILED", DisableRollback=True)
        # The same once more is tried once more, and not taken for done.
        self.update(name, bad, "UPDATE_FAILED", DisableRollback=True)
        self.update(name, {"Q": queue(VisibilityTimeout=20), "R": queue(QueueName=name + "-b"),
                           "Bad": dict(queue(VisibilityTimeout=999999), DependsOn=["Q", "R"])},
                    "UPDATE_FAILED", DisableRollback=True)
        self.assertEqual(attribute(q, "VisibilityTimeout"), "20")
        self.update(name, {"Q": queue(VisibilityTimeout=10), "R": queue(QueueName=name + "-c")})
        self.assertEqual((self.physical(name, "Q"), attribute(q, "VisibilityTimeout")), (q, "10"))
        urls = self.sqs.list_queues(QueueNamePrefix=name + "-")["QueueUrls"]
        self.assertEqual(sorted(urls), sorted([q, self.physical(name, "R")]))

    def test_half_made_resources_are_not_left_behind(self):
        name, _ = self.create({"Q": QUEUE})
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {
            "BucketName": new_name("b"), "NotificationConfiguration": {"QueueConfigurations": [
                {"Event": "s3:ObjectCreated:*", "Queue": "arn:aws:sqs:us-east-1:1:none"}]}}}
        both = {"Q": QUEUE, "B": bucket}
        self.update(name, both, "UPDATE_FAILED", DisableRollback=True)
        self.s3.head_bucket(Bucket=bucket["Properties"]["BucketName"])
        del bucket["Properties"]["NotificationConfiguration"]
        self.update(name, both)
        self.assertEqual(self.physical(name, "B"), bucket["Properties"]["BucketName"])

    def test_parameters_of_an_update_stay(self):
        """…whatever else the template has: a description once took their place."""
        top = {"Description": "d", "Parameters": {"N": {"Type": "Number", "Default": 1}},
               "Conditions": {"Two": {"Fn::Equals": [{"Ref": "N"}, "2"]}}}
        resources = {"Q": queue(DelaySeconds={"Ref": "N"}), "R": dict(QUEUE, Condition="Two")}
        name, _ = self.create(resources, top=top)
        s = self.update(name, resources, top=top, Parameters=[
            {"ParameterKey": "N", "ParameterValue": "2"}])
        self.assertEqual((s["Parameters"][0]["ParameterValue"], s["Description"]), ("2", "d"))
        self.assertEqual(len(self.sqs.list_queues(QueueNamePrefix=name + "-")["QueueUrls"]), 2)

    def test_a_template_version(self):
        bucket = new_name("b")
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=bucket,
                                      VersioningConfiguration={"Status": "Enabled"})
        body = json.dumps({"Description": "first", "Resources": {"Q": QUEUE}})
        first = self.s3.put_object(Bucket=bucket, Key="a b/t.json", Body=body)["VersionId"]
        self.s3.put_object(Bucket=bucket, Key="a b/t.json", Body=body.replace("first", "second"))
        url = f"{self.s3.meta.endpoint_url}/{bucket}/a%20b/t.json"
        self.assertEqual(self.cfn.validate_template(TemplateURL=url)["Description"], "second")
        self.assertEqual(self.cfn.validate_template(
            TemplateURL=f"{url}?versionId={first}")["Description"], "first")


class ExportTest(StackTest):
    def exporting(self):
        export = new_name("x")
        top = {"Outputs": {"U": {"Value": {"Ref": "Q"}, "Export": {"Name": export}}}}
        name, sid = self.create({"Q": QUEUE}, top=top)
        return export, name, sid

    def importing(self, export):
        return {"Key": "peer", "Value": {"Fn::ImportValue": export}}

    def test_an_import_outlives_an_update_that_has_to_wait(self):
        export, name, sid = self.exporting()
        network = {
            "V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/24"}},
            "S": {"Type": "AWS::EC2::Subnet", "Properties": {
                "VpcId": {"Ref": "V"}, "CidrBlock": "10.9.0.0/25"}}}

        def machine(kind):
            return dict(network, X={"Type": "AWS::EC2::Instance", "Properties": {
                "ImageId": "ami-12345678", "InstanceType": kind, "SubnetId": {"Ref": "S"},
                "Tags": [self.importing(export)]}})
        other, other_id = self.create(machine("t3.micro"))
        instance = self.physical(other, "X")
        self.update(other, machine("t3.small"))
        self.assertEqual(self.physical(other, "X"), instance)
        found = client("ec2").describe_instances(InstanceIds=[instance])
        found = found["Reservations"][0]["Instances"][0]
        self.assertEqual((found["InstanceType"], found["State"]["Name"]), ("t3.small", "running"))
        self.assertIn("in use by", self.refused(lambda: self.cfn.delete_stack(StackName=name)))
        self.delete(other_id)
        self.delete(sid)

    def test_an_import_goes_with_the_update_that_was_undone(self):
        export, _, sid = self.exporting()
        other, other_id = self.create({"R": QUEUE})
        self.update(other, {"R": queue(Tags=[self.importing(export)]),
                            "Bad": dict(queue(VisibilityTimeout=999999), DependsOn="R")},
                    "UPDATE_ROLLBACK_COMPLETE")
        self.delete(sid)
        self.delete(other_id)


class NetworkTest(StackTest):
    """Associations change in place, and are put back by a roll-back."""

    def network(self, table, acl, bad=False):
        def in_vpc(kind, **more):
            return {"Type": "AWS::EC2::" + kind, "Properties": dict(more, VpcId={"Ref": "V"})}
        r = {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
             "S": in_vpc("Subnet", CidrBlock="10.7.1.0/24"),
             "T1": in_vpc("RouteTable"), "T2": in_vpc("RouteTable"),
             "A1": in_vpc("NetworkAcl"), "A2": in_vpc("NetworkAcl"),
             "TA": {"Type": "AWS::EC2::SubnetRouteTableAssociation", "Properties": {
                 "SubnetId": {"Ref": "S"}, "RouteTableId": {"Ref": table}}},
             "AA": {"Type": "AWS::EC2::SubnetNetworkAclAssociation", "Properties": {
                 "SubnetId": {"Ref": "S"}, "NetworkAclId": {"Ref": acl}}}}
        if bad:
            r["Bad"] = dict(queue(VisibilityTimeout=999999), DependsOn=["TA", "AA"])
        return r

    def check(self, name, table, acl):
        ec2 = client("ec2")
        subnet = [{"Name": "association.subnet-id", "Values": [self.physical(name, "S")]}]
        tables = ec2.describe_route_tables(Filters=subnet)["RouteTables"]
        acls = ec2.describe_network_acls(Filters=subnet)["NetworkAcls"]
        self.assertEqual([t["RouteTableId"] for t in tables], [self.physical(name, table)])
        self.assertEqual([a["NetworkAclId"] for a in acls], [self.physical(name, acl)])
        self.assertEqual(self.physical(name, "TA"),
                         tables[0]["Associations"][0]["RouteTableAssociationId"])
        self.assertEqual(self.physical(name, "AA"),
                         acls[0]["Associations"][0]["NetworkAclAssociationId"])

    def test_associations(self):
        name, sid = self.create(self.network("T1", "A1"))
        self.check(name, "T1", "A1")
        self.update(name, self.network("T2", "A2"))
        self.check(name, "T2", "A2")
        self.update(name, self.network("T1", "A1", bad=True), "UPDATE_ROLLBACK_COMPLETE")
        self.check(name, "T2", "A2")
        self.delete(sid)

    def test_a_rule_s_description(self):
        def group(text):
            return {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
                    "G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
                        "GroupDescription": "d", "VpcId": {"Ref": "V"}}},
                    "I": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {
                        "GroupId": {"Ref": "G"}, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
                        "CidrIp": "10.0.0.0/8", "Description": text}}}
        name, sid = self.create(group("one"))
        self.update(name, group("two"))
        g = client("ec2").describe_security_groups(GroupIds=[self.physical(name, "G")])
        ranges = g["SecurityGroups"][0]["IpPermissions"][0]["IpRanges"]
        self.assertEqual(ranges, [{"CidrIp": "10.0.0.0/8", "Description": "two"}])
        self.delete(sid)

    def test_what_a_replaced_machine_stood_in_goes_after_it(self):
        def machine(block, image):
            return {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
                    "S": {"Type": "AWS::EC2::Subnet", "Properties": {
                        "VpcId": {"Ref": "V"}, "CidrBlock": block}},
                    "X": {"Type": "AWS::EC2::Instance", "Properties": {
                        "ImageId": image, "InstanceType": "t3.micro", "SubnetId": {"Ref": "S"}}}}
        name, sid = self.create(machine("10.7.1.0/24", "ami-12345678"))
        self.update(name, machine("10.7.2.0/24", "ami-87654321"))
        failed = [r for r in self.reasons(name) if r[1].endswith("FAILED")]
        self.assertEqual(failed, [])
        subnets = client("ec2").describe_subnets(
            Filters=[{"Name": "vpc-id", "Values": [self.physical(name, "V")]}])["Subnets"]
        self.assertEqual([s["CidrBlock"] for s in subnets], ["10.7.2.0/24"])
        self.delete(sid)


if __name__ == "__main__":
    unittest.main()

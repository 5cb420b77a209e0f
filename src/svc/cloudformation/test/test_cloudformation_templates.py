"""Templates as other tools write them (the AWS CDK, SAM), Rules, and AWS's words for refusals."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_cloudformation import QUEUE, StackTest, client, new_name

REGIONS = ["af-south-1", "ap-east-1", "eu-central-1", "eu-west-1", "sa-east-1", "us-east-1",
           "us-west-2"]
BOOTSTRAP = {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>",
                                  "Default": "/cdk-bootstrap/hnb659fds/version"}}


def rules(condition, *assertions):
    rule = {"Assertions": [{"Assert": a, "AssertDescription": f"rule {i}"}
                           for i, a in enumerate(assertions)]}
    return {"R": dict(rule, RuleCondition=condition) if condition else rule}


class CdkTest(StackTest):
    """https://docs.aws.amazon.com/cdk/v2/guide/usage-data.html"""

    def template(self, **more):
        equals = [{"Fn::Equals": [{"Ref": "AWS::Region"}, r]} for r in REGIONS]
        return dict({
            "Resources": {
                "Q63": dict(QUEUE, UpdateReplacePolicy="Delete", DeletionPolicy="Delete",
                            Metadata={"aws:cdk:path": "Tiny/Q/Resource"}),
                "CDKMetadata": {"Type": "AWS::CDK::Metadata",
                                "Properties": {"Analytics": "v2:deflate64:H4sIAAAAAAAA/zPSM9A"},
                                "Metadata": {"aws:cdk:path": "Tiny/CDKMetadata/Default"},
                                "Condition": "CDKMetadataAvailable"}},
            "Conditions": {"CDKMetadataAvailable": {
                "Fn::Or": [{"Fn::Or": equals[:4]}, {"Fn::Or": equals[4:]}]}},
            "Outputs": {"ExportsOutputRefQ63": {"Value": {"Ref": "Q63"}}}}, **more)

    def test_metadata_is_kept_and_does_nothing(self):
        t = self.template()
        name, sid = self.create(t["Resources"], top=t)
        kinds = {r["LogicalResourceId"]: r["ResourceStatus"] for r in
                 self.cfn.list_stack_resources(StackName=name)["StackResourceSummaries"]}
        self.assertEqual(kinds, {"Q63": "CREATE_COMPLETE", "CDKMetadata": "CREATE_COMPLETE"})
        t["Resources"]["CDKMetadata"]["Properties"]["Analytics"] = "v2:deflate64:other"
        self.update(name, t["Resources"], top=t)
        self.delete(sid)

    def test_without_systems_manager_the_bootstrap_version_is_not_known(self):
        t = self.template(Parameters=BOOTSTRAP, Rules=rules(None, {"Fn::Not": [
            {"Fn::Contains": [["1", "2"], {"Ref": "BootstrapVersion"}]}]}))
        name = new_name()
        message = self.refused(lambda: self.cfn.create_stack(
            StackName=name, TemplateBody=json.dumps(t)), "NotImplemented")
        self.assertIn("BootstrapVersion", message)
        self.assertIn("Systems Manager", message)
        self.refused(lambda: self.status(name))

    def test_sam(self):
        message = self.refused(lambda: self.cfn.create_stack(
            StackName=new_name(), TemplateBody="Transform: AWS::Serverless-2016-10-31\n"
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n"), "NotImplemented")
        self.assertIn("Transform", message)

    def test_references_that_a_function_puts_together(self):
        """The CDK writes a secret's value so; it must never be handed on as plain text."""
        made = {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "N"},
                                  ":SecretString:password::}}"]]}
        name, _ = self.create(
            {"N": QUEUE, "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {
                "Fn::Join": ["", ["{{resolve", ":ssm:x}}"]]}}}}, "ROLLBACK_COMPLETE")
        self.assertIn("Dynamic references", str(self.reasons(name)))
        for value in (made, {"Fn::Sub": "{{resolve:ssm:${AWS::Region}}}"}, "{{resolve:ssm:/x}}"):
            self.refused(lambda: self.cfn.create_stack(
                StackName=new_name(), TemplateBody=json.dumps({"Resources": {
                    "N": QUEUE, "Q": {"Type": "AWS::SQS::Queue", "Properties": {
                        "Tags": [{"Key": "k", "Value": value}]}}}})), "NotImplemented")


class RulesTest(StackTest):
    TOP = {"Parameters": {"Stage": {"Type": "String", "Default": "test"},
                          "Sizes": {"Type": "CommaDelimitedList", "Default": "s"}},
           "Rules": rules({"Fn::Equals": [{"Ref": "Stage"}, "live"]},
                          {"Fn::EachMemberIn": [{"Ref": "Sizes"}, ["l", "xl"]]},
                          {"Fn::Not": [{"Fn::Contains": [{"Ref": "Sizes"}, "xl"]}]})}

    def given(self, stage, sizes):
        return [{"ParameterKey": "Stage", "ParameterValue": stage},
                {"ParameterKey": "Sizes", "ParameterValue": sizes}]

    def test_parameters_that_do_not_go_together(self):
        name = new_name()
        body = json.dumps(dict(self.TOP, Resources={"Q": QUEUE}))
        for sizes, broken in (("l,m", "rule 0"), ("l,xl", "rule 1")):
            message = self.refused(lambda: self.cfn.create_stack(
                StackName=name, TemplateBody=body, Parameters=self.given("live", sizes)))
            self.assertIn(broken, message)
            self.refused(lambda: self.cfn.create_change_set(
                StackName=name, TemplateBody=body, ChangeSetName="c", ChangeSetType="CREATE",
                Parameters=self.given("live", sizes)))
            self.refused(lambda: self.status(name))
        self.create({"Q": QUEUE}, name=name, top=self.TOP)  # the condition is false
        self.refused(lambda: self.cfn.update_stack(
            StackName=name, UsePreviousTemplate=True, Parameters=self.given("live", "m")))
        self.assertEqual(self.status(name)["StackStatus"], "CREATE_COMPLETE")
        self.cfn.update_stack(StackName=name, UsePreviousTemplate=True,
                              Parameters=self.given("live", "l,l"))
        self.settle(name, "UPDATE_COMPLETE")

    def test_their_form(self):
        ok = {"Fn::Equals": [{"Ref": "P"}, "x"]}
        for bad, words in (({"R": {}}, "list of Assertions"),
                           ({"R": {"Assertions": [{"Assert": ok, "Other": 1}]}}, "an assertion"),
                           ({"R": {"Assertions": [{"Assert": ok}], "If": ok}}, "'If'"),
                           (rules(None, {"Fn::Equals": [{"Ref": "Q"}, "x"]}), "[Q]"),
                           (rules(None, {"Fn::Equals": [{"Fn::GetAtt": ["Q", "Arn"]}, "x"]}),
                            "cannot be used in Rules"),
                           ({"a-b": {"Assertions": [{"Assert": ok}]}}, "non alphanumeric")):
            message = self.refused(lambda: self.cfn.validate_template(TemplateBody=json.dumps(
                {"Parameters": {"P": {"Type": "String"}}, "Rules": bad,
                 "Resources": {"Q": QUEUE}})))
            self.assertIn(words, message)
        self.refused(lambda: self.cfn.validate_template(TemplateBody=json.dumps(
            {"Parameters": {"P": {"Type": "AWS::EC2::VPC::Id"}}, "Resources": {"Q": QUEUE},
             "Rules": rules(None, {"Fn::EachMemberEquals": [
                 {"Fn::ValueOf": ["P", "Tags.Department"]}, "IT"]})})), "NotImplemented")


class WordsTest(StackTest):
    def test_a_resource_keeps_its_type(self):
        name, _ = self.create({"A": QUEUE, "B": QUEUE})
        other = json.dumps({"Resources": {"A": {"Type": "AWS::SNS::Topic"}, "B": QUEUE}})
        words = ("Update of resource type is not permitted. The new template modifies resource "
                 "type of the following resources: [A]")
        self.assertEqual(self.refused(lambda: self.cfn.update_stack(
            StackName=name, TemplateBody=other)), words)
        self.cfn.create_change_set(StackName=name, ChangeSetName="c", TemplateBody=other)
        d = self.cfn.describe_change_set(StackName=name, ChangeSetName="c")
        self.assertEqual((d["Status"], d["ExecutionStatus"], d["StatusReason"]),
                         ("FAILED", "UNAVAILABLE", words))
        self.refused(lambda: self.cfn.execute_change_set(StackName=name, ChangeSetName="c"),
                     "InvalidChangeSetStatus")

    def test_a_change_set_s_template(self):
        name, _ = self.create({"A": QUEUE})
        body = json.dumps({"Resources": {"A": QUEUE, "B": QUEUE}})
        cs = self.cfn.create_change_set(StackName=name, ChangeSetName="c", TemplateBody=body)["Id"]
        for more in ({"StackName": name, "ChangeSetName": "c"}, {"ChangeSetName": cs}):
            got = self.cfn.get_template(**more)["TemplateBody"]
            self.assertEqual(set(got["Resources"]), {"A", "B"})
        self.assertEqual(set(self.cfn.get_template(StackName=name)["TemplateBody"]["Resources"]),
                         {"A"})
        self.refused(lambda: self.cfn.get_template(StackName=name, ChangeSetName="none"),
                     "ChangeSetNotFound")

    def test_states_that_take_no_update(self):
        bad = {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 999999}}}
        body = json.dumps({"Resources": {"Q": QUEUE}})
        for state, more in (("ROLLBACK_COMPLETE", {}),
                            ("CREATE_FAILED", {"OnFailure": "DO_NOTHING"})):
            name, sid = self.create(bad, state, **more)
            for call in (lambda: self.cfn.update_stack(StackName=name, TemplateBody=body),
                         lambda: self.cfn.create_change_set(StackName=name, ChangeSetName="c",
                                                            TemplateBody=body)):
                self.assertEqual(self.refused(call),
                                 f"Stack:{sid} is in {state} state and can not be updated.")
            self.refused(lambda: self.cfn.create_stack(StackName=name, TemplateBody=body),
                         "AlreadyExistsException")
            self.delete(sid)

    def test_stacks_that_are_not_there(self):
        for call, words in (
                (lambda: self.cfn.describe_stacks(StackName="nope"),
                 "Stack with id nope does not exist"),
                (lambda: self.cfn.describe_stack_events(StackName="nope"),
                 "Stack [nope] does not exist"),
                (lambda: self.cfn.describe_stack_resource(StackName="nope", LogicalResourceId="Q"),
                 "Stack 'nope' does not exist"),
                (lambda: self.cfn.update_stack(StackName="nope", TemplateBody="{}"),
                 "Stack [nope] does not exist")):
            self.assertEqual(self.refused(call), words)
        self.cfn.delete_stack(StackName="nope")


class RollbackTest(StackTest):
    BAD = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 999999}}

    def delay(self, url):
        return self.sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"]

    def test_a_rollback_that_failed_goes_on(self):
        """The update itself takes the right away that its undoing needs."""
        user = new_name("u")
        self.iam.create_user(UserName=user)
        allow = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["cloudformation:*", "sqs:*", "iam:*"],
             "Resource": "*"}]}
        self.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(allow))
        theirs = client("cloudformation",
                        self.iam.create_access_key(UserName=user)["AccessKey"])
        one = {"A": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}}
        name, sid = self.create(one, cfn=theirs)
        url = self.physical(name, "A")
        two = {"A": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 2}},
               "D": {"Type": "AWS::IAM::Policy", "DependsOn": "A", "Properties": {
                   "PolicyName": "deny", "Users": [user], "PolicyDocument": {
                       "Version": "2012-10-17", "Statement": [{
                           "Effect": "Deny", "Action": "sqs:SetQueueAttributes",
                           "Resource": "*"}]}}},
               "Z": dict(self.BAD, DependsOn="D")}
        theirs.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": two}),
                            Capabilities=["CAPABILITY_IAM"])
        self.settle(name, "UPDATE_ROLLBACK_FAILED")
        self.assertIn("AccessDenied", str(self.reasons(name)))
        self.assertIn("UPDATE_ROLLBACK_FAILED", self.refused(lambda: self.cfn.update_stack(
            StackName=name, TemplateBody=json.dumps({"Resources": one}))))
        self.refused(lambda: self.cfn.continue_update_rollback(
            StackName=name, ResourcesToSkip=["A"]), "NotImplemented")
        self.cfn.continue_update_rollback(StackName=name)  # as who may do it
        self.settle(name, "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.delay(url), "1")
        self.assertNotIn("deny", self.iam.list_user_policies(UserName=user)["PolicyNames"])
        self.assertEqual(self.physical(name, "A"), url)
        self.refused(lambda: self.cfn.continue_update_rollback(StackName=name))
        self.delete(sid)

    def test_an_update_is_cancelled(self):
        one = {"A": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}}}
        name, sid = self.create(one)
        url = self.physical(name, "A")
        self.assertEqual(
            self.refused(lambda: self.cfn.cancel_update_stack(StackName=name)),
            "CancelUpdateStack cannot be called from current stack status")
        two = {"A": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 2}},
               **{f"N{i:02}": dict(QUEUE, DependsOn="A" if i == 0 else f"N{i - 1:02}")
                  for i in range(60)}}
        self.cfn.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": two}))
        for call, words in (
                (lambda: self.cfn.update_stack(StackName=name, TemplateBody=json.dumps(
                    {"Resources": one})), "is in UPDATE_IN_PROGRESS state and can not be updated"),
                (lambda: self.cfn.delete_stack(StackName=name),
                 "cannot be deleted while in status UPDATE_IN_PROGRESS")):
            self.assertIn(words, self.refused(call))
        self.cfn.cancel_update_stack(StackName=name)
        self.settle(name, "UPDATE_ROLLBACK_COMPLETE")
        self.assertIn((name, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"), self.reasons(name))
        self.assertEqual(self.delay(url), "1")
        prefix = self.sqs.list_queues(QueueNamePrefix=name + "-").get("QueueUrls", [])
        self.assertEqual(prefix, [url])
        self.update(name, two)  # another update is not cancelled by it
        self.delete(sid)

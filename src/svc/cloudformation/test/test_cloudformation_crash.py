"""A stack's operation goes on where a crash cut it short, and nothing is made twice."""
import json
import time
import unittest

from wardtest import Ward, eventually


class CrashTest(unittest.TestCase):
    COUNT = 24

    def template(self, delay, count):
        resources = {}
        for i in range(count):
            resources[f"Q{i:02}"] = {
                "Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": delay},
                **({"DependsOn": f"Q{i - 1:02}"} if i else {})}
            resources[f"R{i:02}"] = {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                     "Action": "sts:AssumeRole"}]},
                "Policies": [{"PolicyName": "p", "PolicyDocument": {
                    "Version": "2012-10-17", "Statement": [
                        {"Effect": "Allow", "Action": "sqs:*",
                         "Resource": {"Fn::GetAtt": [f"Q{i:02}", "Arn"]}}]}}]}}
        return json.dumps({"Resources": resources})

    def status(self, name="s"):
        stack = self.ward.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return stack["StackStatus"]

    def crash_after(self, seconds):
        time.sleep(seconds)  # the point of the crash is to be anywhere
        self.ward.kill()
        self.ward.start()

    def rest(self, name="s"):
        eventually(lambda: not self.status(name).endswith("_IN_PROGRESS"), "the stack at rest")
        failed = [(e["LogicalResourceId"], e.get("ResourceStatusReason"))
                  for e in self.ward.client("cloudformation").describe_stack_events(
                      StackName=name)["StackEvents"] if e["ResourceStatus"].endswith("FAILED")]
        self.assertEqual(failed, [])
        return self.status(name)

    def counts(self):
        queues = self.ward.client("sqs").list_queues(QueueNamePrefix="s-").get("QueueUrls", [])
        roles = [r for r in self.ward.client("iam").list_roles()["Roles"]
                 if r["RoleName"].startswith("s-")]
        return len(queues), len(roles)

    def test_create_update_delete_through_crashes(self):
        with Ward() as self.ward:
            sid = self.ward.client("cloudformation").create_stack(
                StackName="s", TemplateBody=self.template(1, self.COUNT),
                Capabilities=["CAPABILITY_IAM"])["StackId"]
            for after in (0.02, 0.05, 0.08):
                self.crash_after(after)
            self.assertEqual(self.rest(), "CREATE_COMPLETE")
            self.assertEqual(self.counts(), (self.COUNT, self.COUNT))
            self.ward.client("cloudformation").update_stack(
                StackName="s", TemplateBody=self.template(2, self.COUNT - 4),
                Capabilities=["CAPABILITY_IAM"])
            for after in (0.02, 0.05):
                self.crash_after(after)
            self.assertEqual(self.rest(), "UPDATE_COMPLETE")
            self.assertEqual(self.counts(), (self.COUNT - 4, self.COUNT - 4))
            self.ward.client("cloudformation").delete_stack(StackName="s")
            for after in (0.02, 0.05):
                self.crash_after(after)
            self.assertEqual(self.rest(sid), "DELETE_COMPLETE")
            self.assertEqual(self.counts(), (0, 0))

    def renamed(self, generation, bad):
        """Queues and topics that an update replaces, route tables that it changes."""
        r = {"V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}}
        for i in range(8):
            r[f"Q{i}"] = {"Type": "AWS::SQS::Queue", "Properties": {
                "QueueName": f"k-{generation}-{i}"}, **({"DependsOn": f"T{i - 1}"} if i else {})}
            r[f"T{i}"] = {"Type": "AWS::SNS::Topic", "Properties": {
                "TopicName": {"Fn::Sub": f"t-{generation}-{i}"}, "DisplayName": {
                    "Fn::GetAtt": [f"Q{i}", "QueueName"]}}}
            r[f"R{i}"] = {"Type": "AWS::EC2::RouteTable", "Properties": {
                "VpcId": {"Ref": "V"}, "Tags": [{"Key": "generation", "Value": str(generation)}]}}
        if bad:
            r["Z"] = {"Type": "AWS::SQS::Queue", "DependsOn": ["T7", "R7"],
                      "Properties": {"VisibilityTimeout": 999999}}
        return json.dumps({"Resources": r})

    def check_generation(self, generation):
        names = [u.rsplit("/", 1)[1] for u in self.ward.client("sqs").list_queues(
            QueueNamePrefix="k-")["QueueUrls"]]
        self.assertEqual(sorted(names), [f"k-{generation}-{i}" for i in range(8)])
        topics = [t["TopicArn"].rsplit(":", 1)[1]
                  for t in self.ward.client("sns").list_topics()["Topics"]]
        self.assertEqual(sorted(topics), [f"t-{generation}-{i}" for i in range(8)])
        tables = self.ward.client("ec2").describe_route_tables(
            Filters=[{"Name": "tag:generation", "Values": ["*"]}])["RouteTables"]
        self.assertEqual([t["Tags"][0]["Value"] for t in tables], [str(generation)] * 8)

    def test_replacements_and_rollbacks_through_crashes(self):
        """What was replaced is there once, the new one or, after a rollback, the former one."""
        with Ward() as self.ward:
            cfn = lambda: self.ward.client("cloudformation")  # noqa: E731
            cfn().create_stack(StackName="s", TemplateBody=self.renamed(0, False))
            self.crash_after(0.1)
            self.rest()
            self.check_generation(0)
            generation = 0
            for bad in (False, True, False, True):
                cfn().update_stack(StackName="s", TemplateBody=self.renamed(generation + 1, bad))
                for after in (0.05, 0.2, 0.3):
                    self.crash_after(after)
                eventually(lambda: not self.status().endswith("_IN_PROGRESS"), "the stack at rest")
                self.assertEqual(self.status(),
                                 "UPDATE_ROLLBACK_COMPLETE" if bad else "UPDATE_COMPLETE")
                generation += 0 if bad else 1
                self.check_generation(generation)

    def test_a_deletion_after_a_crash_finds_what_was_made(self):
        """Deleted as soon as Ward is back: what the creation had just made goes as well."""
        with Ward() as self.ward:
            for after in (0.01, 0.03, 0.05, 0.07):
                sid = self.ward.client("cloudformation").create_stack(
                    StackName="s", TemplateBody=self.template(1, self.COUNT),
                    Capabilities=["CAPABILITY_IAM"])["StackId"]
                self.crash_after(after)
                self.ward.client("cloudformation").delete_stack(StackName="s")
                self.assertEqual(self.rest(sid), "DELETE_COMPLETE")
                self.assertEqual(self.counts(), (0, 0))


if __name__ == "__main__":
    unittest.main()

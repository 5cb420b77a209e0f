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

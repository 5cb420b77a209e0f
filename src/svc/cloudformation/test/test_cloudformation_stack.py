"""A template as people write them, in YAML with short tags and the same in JSON: by the aws command
line and by boto3's waiters it is made, changed in most of its resources, and deleted."""
import base64
import io
import json
import os
import time
import unittest
import uuid
import zipfile

from awscli.customizations.cloudformation.yamlhelper import yaml_parse
from botocore.exceptions import WaiterError
from wardtest import Ward

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATE = os.path.join(HERE, "three_tier.yaml")


class ThreeTierTest(unittest.TestCase):
    deployed = 0  # the second in which the last change set was named

    @classmethod
    def setUpClass(cls):
        cls.ward = Ward()
        cls.addClassCleanup(cls.ward.remove)
        cls.ward.start()
        s3 = cls.ward.client("s3")
        cls.code = "code-" + uuid.uuid4().hex
        s3.create_bucket(Bucket=cls.code)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as z:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            z.writestr(entry, "#!/bin/sh\nexit 1\n")
        s3.put_object(Bucket=cls.code, Key="worker.zip", Body=archive.getvalue())
        cls.cfn = cls.ward.client("cloudformation")

    @classmethod
    def tearDownClass(cls):
        code = cls.ward.stop()
        assert code == 0, cls.ward.read_log()[-4000:]

    def outputs(self, stack):
        found = self.cfn.describe_stacks(StackName=stack)["Stacks"][0]
        return {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}

    def wait(self, what, stack):
        try:
            self.cfn.get_waiter(what).wait(StackName=stack,
                                           WaiterConfig={"Delay": 1, "MaxAttempts": 90})
        except WaiterError as e:
            self.fail((str(e), self.failures(stack)))

    def failures(self, stack):
        pages = self.cfn.get_paginator("describe_stack_events").paginate(StackName=stack)
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"))
                for p in pages for e in p["StackEvents"] if "FAILED" in e["ResourceStatus"]]

    def check(self, stack, stage):
        ec2, out = self.ward.client("ec2"), self.outputs(stack)
        subnets = ec2.describe_subnets(SubnetIds=out["Subnets"].split(","))["Subnets"]
        self.assertEqual({s["CidrBlock"] for s in subnets},
                         {"10.40.0.0/24", "10.40.1.0/24", "10.40.2.0/24"})
        self.assertEqual(len({s["AvailabilityZone"] for s in subnets}), 3)
        machines = [i for r in ec2.describe_instances(Filters=[
            {"Name": "vpc-id", "Values": [out["VpcId"]]}])["Reservations"] for i in r["Instances"]]
        kinds = {"dev": ["t3.micro"], "prod": ["m5.large", "t3.nano"]}[stage]
        self.assertEqual(sorted(m["InstanceType"] for m in machines), kinds)
        web = next(m for m in machines if m["InstanceType"] != "t3.nano")
        self.assertEqual(web["PublicIpAddress"], out["WebIp"])
        self.assertEqual("BastionIp" in out, stage == "prod")
        sqs = self.ward.client("sqs")
        url = sqs.get_queue_url(QueueName=out["QueueName"])["QueueUrl"]
        a = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual((a["DelaySeconds"], a["VisibilityTimeout"]),
                         {"dev": ("0", "30"), "prod": ("5", "120")}[stage])
        groups = ec2.describe_security_groups(Filters=[
            {"Name": "vpc-id", "Values": [out["VpcId"]]},
            {"Name": "description", "Values": ["Web tier *"]}])["SecurityGroups"]
        self.assertEqual(len(groups[0]["IpPermissions"]), {"dev": 1, "prod": 2}[stage])
        data = ec2.describe_instance_attribute(InstanceId=web["InstanceId"], Attribute="userData")
        text = base64.b64decode(data["UserData"]["Value"]).decode()
        self.assertIn(f"export QUEUE='{url}' STAGE={stage} HOME_DIR=${{HOME}}\n", text)
        return web["InstanceId"]

    def secrets(self, stack, word):
        """Where a parameter that is not to be echoed may not stand."""
        text = [str(self.cfn.describe_stack_events(StackName=stack)),
                str(self.cfn.describe_stacks(StackName=stack)),
                str(self.cfn.describe_stack_resources(StackName=stack))]
        trail = self.ward.client("cloudtrail")
        text += [str(p) for p in trail.get_paginator("lookup_events").paginate()]
        return [t for t in text if word in t]

    def deploy(self, *more, check=True):
        """`aws` names a change set by the second, and leaves the set that changes nothing behind:
        two of one second would have one name."""
        while int(time.time()) <= self.deployed:
            time.sleep(0.05)
        try:
            return self.run_deploy(*more, check=check)
        finally:
            self.deployed = int(time.time())

    def run_deploy(self, *more, check):
        return self.ward.aws("cloudformation", "deploy", "--stack-name", "shop", "--template-file",
                             TEMPLATE, "--capabilities", "CAPABILITY_IAM", "--tags", "team=shop",
                             "--no-execute-changeset", "--no-fail-on-empty-changeset",
                             "--parameter-overrides", *more, check=check)

    def execute(self, what, stack="shop"):
        """`aws` alone would look every thirty seconds only."""
        sets = self.cfn.list_change_sets(StackName=stack)["Summaries"]
        ready = [s for s in sets if s["ExecutionStatus"] == "AVAILABLE"]
        self.assertEqual(len(ready), 1, sets)
        self.cfn.execute_change_set(ChangeSetName=ready[0]["ChangeSetId"])
        self.wait(what, stack)

    def test_yaml_by_the_command_line(self):
        word = "hush-hush-1"
        parameters = ["Project=shop", f"CodeBucket={self.code}", "CodeKey=worker.zip",
                      "AdminPassword=" + word]
        self.deploy(*parameters)
        self.execute("stack_create_complete")
        web = self.check("shop", "dev")
        self.assertEqual(self.secrets("shop", word), [])
        tagged = self.ward.client("ec2").describe_tags(Filters=[
            {"Name": "tag:team", "Values": ["shop"]}])["Tags"]
        self.assertGreater(len(tagged), 8)
        done = self.deploy(*parameters)  # the same again
        self.assertIn("No changes to deploy", done.stdout + done.stderr)
        for stage in ("prod", "dev"):
            self.deploy("Stage=" + stage)
            self.execute("stack_update_complete")
            self.assertEqual(self.check("shop", stage), web)  # the same, stopped for a while
        self.assertEqual(self.failures("shop"), [])
        sid = self.cfn.describe_stacks(StackName="shop")["Stacks"][0]["StackId"]
        self.ward.aws("cloudformation", "delete-stack", "--stack-name", "shop")
        self.wait("stack_delete_complete", sid)
        self.ward.aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", "shop")
        self.assertEqual(self.failures(sid), [])
        left = [v for v in self.ward.client("ec2").describe_vpcs()["Vpcs"]
                if {"Key": "team", "Value": "shop"} in v.get("Tags", [])]
        self.assertEqual(left, [])

    def test_json_by_boto3(self):
        with open(TEMPLATE, encoding="utf-8") as f:
            body = json.dumps(yaml_parse(f.read()))
        given = {"Project": "json-shop", "CodeBucket": self.code, "CodeKey": "worker.zip",
                 "AdminPassword": "hush-hush-2", "Stage": "prod"}
        sid = self.cfn.create_stack(
            StackName="json-shop", TemplateBody=body, Capabilities=["CAPABILITY_IAM"], Parameters=[
                {"ParameterKey": k, "ParameterValue": v} for k, v in given.items()])["StackId"]
        self.wait("stack_create_complete", sid)
        self.check("json-shop", "prod")
        self.cfn.delete_stack(StackName=sid)
        self.wait("stack_delete_complete", sid)
        self.assertEqual(self.failures(sid), [])

    def test_package(self):
        """`aws cloudformation package` puts code into a bucket and the bucket into the template."""
        folder = os.path.join(self.ward.dir, "code")
        os.mkdir(folder)
        with open(os.path.join(folder, "bootstrap"), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexit 1\n")
        os.chmod(os.path.join(folder, "bootstrap"), 0o755)
        template, packed = folder + ".yaml", folder + ".packed.yaml"
        with open(template, "w", encoding="utf-8") as f:
            f.write("""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Role: !GetAtt Role.Arn
      Code: ./code
""")
        self.ward.aws("cloudformation", "package", "--template-file", template, "--s3-bucket",
                      self.code, "--output-template-file", packed)
        self.ward.aws("cloudformation", "deploy", "--stack-name", "packed", "--template-file", packed,
                      "--s3-bucket", self.code, "--capabilities", "CAPABILITY_IAM",
                      "--no-execute-changeset")
        self.execute("stack_create_complete", "packed")
        self.ward.aws("cloudformation", "wait", "stack-exists", "--stack-name", "packed")
        name = self.cfn.describe_stack_resource(StackName="packed", LogicalResourceId="Worker")[
            "StackResourceDetail"]["PhysicalResourceId"]
        found = self.ward.client("lambda").get_function(FunctionName=name)["Configuration"]
        self.assertEqual(found["State"], "Active")


if __name__ == "__main__":
    unittest.main()

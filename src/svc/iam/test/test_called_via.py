"""aws:CalledVia holds every service between the principal and a call: a key that may be used only
when CloudFormation made Lambda read the code from S3.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-calledvia"""
import io
import json
import os
import sys
import unittest
import uuid
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../tests"))
from wardtest import eventually  # noqa: E402

CONFIG = Config(retries={"max_attempts": 1})
TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole"}]}


class CalledVia(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.name = name = "via-" + uuid.uuid4().hex[:10]
        cls.iam = boto3.client("iam")
        cls.role = cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(
            TRUST))["Role"]["Arn"]
        cls.iam.create_user(UserName=name)
        key = cls.iam.create_access_key(UserName=name)["AccessKey"]
        cls.session = boto3.Session(aws_access_key_id=key["AccessKeyId"],
                                    aws_secret_access_key=key["SecretAccessKey"])
        cls.kms_key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as z:
            z.writestr("bootstrap", "#!/bin/sh\n")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="code.zip", Body=code.getvalue(),
                      ServerSideEncryption="aws:kms", SSEKMSKeyId=cls.kms_key)

    def allow(self, condition):
        self.iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Resource": "*", "Action": [
                    "cloudformation:*", "lambda:*", "s3:*", "iam:PassRole", "logs:*"]},
                {"Effect": "Allow", "Resource": self.kms_key, "Action": "kms:Decrypt",
                 "Condition": condition}]}))

    def stack(self):
        """The stack's last state."""
        name = "s-" + uuid.uuid4().hex[:10]
        cf = self.session.client("cloudformation", config=CONFIG)
        cf.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"F": {
            "Type": "AWS::Lambda::Function", "Properties": {
                "Runtime": "provided.al2023", "Handler": "h", "Role": self.role,
                "Code": {"S3Bucket": self.name, "S3Key": "code.zip"}}}}}))

        def state():
            s = cf.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if s.endswith("_IN_PROGRESS") else s
        return eventually(state, "the stack's end")

    def direct(self):
        self.session.client("lambda", config=CONFIG).create_function(
            FunctionName="f-" + uuid.uuid4().hex[:10], Runtime="provided.al2023", Handler="h",
            Role=self.role, Code={"S3Bucket": self.name, "S3Key": "code.zip"})

    def test_whole_chain(self):
        self.allow({"StringEquals": {"aws:CalledViaFirst": "cloudformation.amazonaws.com",
                                     "aws:CalledViaLast": "s3.amazonaws.com"},
                    "ForAnyValue:StringEquals": {"aws:CalledVia": "lambda.amazonaws.com"}})
        self.assertEqual(self.stack(), "CREATE_COMPLETE")
        with self.assertRaises(ClientError) as e:
            self.direct()
        self.assertIn("AccessDenied", e.exception.response["Error"]["Code"])
        refused = eventually(lambda: [r for r in self.decrypts() if r.get("errorCode")],
                             "the refused Decrypt")[0]
        self.assertEqual(refused["userIdentity"]["userName"], self.name)
        self.assertEqual(refused["userIdentity"]["invokedBy"], "s3.amazonaws.com")
        self.allow({"StringEquals": {"aws:CalledViaFirst": "lambda.amazonaws.com"}})
        self.direct()
        self.assertNotEqual(self.stack(), "CREATE_COMPLETE")

    def decrypts(self):
        pages = boto3.client("cloudtrail").get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}])
        found = [json.loads(e["CloudTrailEvent"]) for p in pages for e in p["Events"]]
        return [r for r in found if r["userIdentity"].get("userName") == self.name]


if __name__ == "__main__":
    unittest.main()

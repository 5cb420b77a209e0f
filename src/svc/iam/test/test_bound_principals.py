"""Whom a resource's policy names is the one who was there when it was put: who is deleted and made
again under the same name is somebody else, in buckets, topics, queues and functions alike.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
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
ASSUME = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole"}]}


def client(service, key=None):
    more = {} if key is None else {"aws_access_key_id": key["AccessKeyId"],
                                   "aws_secret_access_key": key["SecretAccessKey"]}
    return boto3.client(service, config=CONFIG, **more)


class Bound(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.iam = client("iam")

    def setUp(self):
        self.name = "b-" + uuid.uuid4().hex[:10]
        self.user = self.make_user()

    def make_user(self):
        user = self.iam.create_user(UserName=self.name)["User"]
        self.key = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        return user

    def drop_user(self):
        self.iam.delete_access_key(UserName=self.name, AccessKeyId=self.key["AccessKeyId"])
        self.iam.delete_user(UserName=self.name)

    def tearDown(self):
        self.drop_user()

    def policy(self, action, resource, arn=None):
        return json.dumps({"Version": "2012-10-17", "Statement": [
            {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": arn or self.user["Arn"]},
             "Action": action, "Resource": resource}]})

    def principals(self, text):
        return [s["Principal"]["AWS"] for s in json.loads(text)["Statement"]]

    def check(self, service, use, shown, put, event, denied, unknown):
        """use(client): allowed by the resource's policy alone; shown(): the policy; put(ARN) puts it
        again; denied and unknown: the service's codes."""
        use(client(service, self.key))
        self.assertEqual(self.principals(shown())[0], self.user["Arn"])
        self.drop_user()
        self.assertEqual(self.principals(shown())[0], self.user["UserId"])
        with self.assertRaises(ClientError) as e:
            put(self.user["Arn"])  # nobody has that name now
        self.assertEqual(e.exception.response["Error"]["Code"], unknown)
        again = self.make_user()
        self.assertEqual(again["Arn"], self.user["Arn"])
        self.assertNotEqual(again["UserId"], self.user["UserId"])
        with self.assertRaises(ClientError) as e:
            use(client(service, self.key))
        self.assertEqual(e.exception.response["Error"]["Code"], denied)
        eventually(lambda: [
            r for r in self.records(event) if r.get("errorCode") and
            r["userIdentity"].get("principalId") == again["UserId"]], f"the refused {event}")
        self.assertEqual(self.principals(shown())[0], self.user["UserId"])
        return again

    def records(self, event):
        pages = client("cloudtrail").get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": event}])
        return [json.loads(e["CloudTrailEvent"]) for p in pages for e in p["Events"]]

    def test_bucket(self):
        s3 = client("s3")
        s3.create_bucket(Bucket=self.name)
        self.addCleanup(s3.delete_bucket, Bucket=self.name)

        def put(arn):
            s3.put_bucket_policy(Bucket=self.name, Policy=self.policy(
                "s3:GetBucketVersioning", f"arn:aws:s3:::{self.name}", arn))
        put(self.user["Arn"])
        again = self.check("s3", lambda c: c.get_bucket_versioning(Bucket=self.name),
                           lambda: s3.get_bucket_policy(Bucket=self.name)["Policy"], put,
                           "GetBucketVersioning", "AccessDenied", "MalformedPolicy")
        put(again["Arn"])
        client("s3", self.key).get_bucket_versioning(Bucket=self.name)
        s3.delete_bucket_policy(Bucket=self.name)
        with self.assertRaises(ClientError):
            client("s3", self.key).get_bucket_versioning(Bucket=self.name)

    def test_topic(self):
        sns = client("sns")
        topic = sns.create_topic(Name=self.name)["TopicArn"]
        self.addCleanup(sns.delete_topic, TopicArn=topic)

        def put(arn):
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy",
                                     AttributeValue=self.policy("SNS:GetTopicAttributes", topic,
                                                                arn))

        def shown():
            return sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
        put(self.user["Arn"])
        again = self.check("sns", lambda c: c.get_topic_attributes(TopicArn=topic), shown, put,
                           "GetTopicAttributes", "AuthorizationError", "InvalidParameter")
        # A statement beside it does not bind the old one anew.
        account = self.user["Arn"].split(":")[4]
        sns.add_permission(TopicArn=topic, Label="two", AWSAccountId=[account],
                           ActionName=["Publish"])
        self.assertEqual(self.principals(shown()),
                         [self.user["UserId"], f"arn:aws:iam::{account}:root"])
        with self.assertRaises(ClientError):
            client("sns", self.key).get_topic_attributes(TopicArn=topic)
        put(again["Arn"])
        client("sns", self.key).get_topic_attributes(TopicArn=topic)

    def test_queue(self):
        sqs = client("sqs")
        url = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.addCleanup(sqs.delete_queue, QueueUrl=url)
        arn_of = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        queue = arn_of["Attributes"]["QueueArn"]

        def put(arn):
            sqs.set_queue_attributes(QueueUrl=url, Attributes={
                "Policy": self.policy("sqs:GetQueueAttributes", queue, arn)})
        put(self.user["Arn"])
        again = self.check(
            "sqs", lambda c: c.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]),
            lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])[
                "Attributes"]["Policy"], put,
            "GetQueueAttributes", "AccessDenied", "InvalidAttributeValue")
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "9"})
        put(again["Arn"])
        client("sqs", self.key).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        with self.assertRaises(ClientError):
            client("sqs", self.key).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])

    def test_function(self):
        role = self.iam.create_role(RoleName=self.name,
                                    AssumeRolePolicyDocument=json.dumps(ASSUME))["Role"]["Arn"]
        self.addCleanup(self.iam.delete_role, RoleName=self.name)
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as z:
            z.writestr("bootstrap", "#!/bin/sh\n")
        lam = client("lambda")
        lam.create_function(FunctionName=self.name, Runtime="provided.al2023", Role=role,
                            Handler="h", Code={"ZipFile": code.getvalue()})
        self.addCleanup(lam.delete_function, FunctionName=self.name)

        def put(arn, sid=None):
            lam.add_permission(FunctionName=self.name, StatementId=sid or uuid.uuid4().hex,
                               Action="lambda:GetFunctionConfiguration", Principal=arn)

        def shown():
            return lam.get_policy(FunctionName=self.name)["Policy"]
        put(self.user["Arn"], "first")
        again = self.check(
            "lambda", lambda c: c.get_function_configuration(FunctionName=self.name), shown, put,
            "GetFunctionConfiguration20150331v2", "AccessDeniedException",
            "InvalidParameterValueException")
        put(again["Arn"], "second")
        self.assertEqual(self.principals(shown()), [self.user["UserId"], again["Arn"]])
        client("lambda", self.key).get_function_configuration(FunctionName=self.name)
        lam.remove_permission(FunctionName=self.name, StatementId="second")
        self.assertEqual(self.principals(shown()), [self.user["UserId"]])
        with self.assertRaises(ClientError):
            client("lambda", self.key).get_function_configuration(FunctionName=self.name)


if __name__ == "__main__":
    unittest.main()

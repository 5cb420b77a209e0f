"""What the tests of the S3 room share: clients, buckets that go away, refusals. The environment
names the Ward: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on."""
import glob
import gzip
import json
import os
import sys
import unittest
import uuid

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../tests"))
from wardtest import eventually  # noqa: E402

CONFIG = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
MIB = 1024 * 1024


def client(name="s3", **kwargs):
    kwargs.setdefault("config", CONFIG)
    return boto3.client(name, **kwargs)


def unique(prefix="t"):
    return f"{prefix}-{uuid.uuid4().hex[:16]}"


def status_of(error):
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def blobs():
    """How many files of objects there are: the data directory is where the CA's certificate lies."""
    root = os.path.dirname(os.environ["AWS_CA_BUNDLE"])
    return sum(os.path.isfile(f) for f in glob.glob(os.path.join(root, "blobs", "**"),
                                                    recursive=True))


class S3Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s3 = client()
        cls.account = client("sts").get_caller_identity()["Account"]
        cls.buckets = []

    @classmethod
    def tearDownClass(cls):
        for bucket in cls.buckets:
            cls.drop(bucket)

    @classmethod
    def drop(cls, bucket):
        try:
            cls.s3.delete_bucket_policy(Bucket=bucket)
            for page in cls.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
                if rows:
                    cls.s3.delete_objects(Bucket=bucket, Delete={"Objects": [
                        {"Key": r["Key"], "VersionId": r["VersionId"]} for r in rows]})
            cls.s3.delete_bucket(Bucket=bucket)
        except ClientError as e:
            if e.response["Error"]["Code"] != "NoSuchBucket":
                raise

    @classmethod
    def bucket(cls, **kwargs):
        name = unique()
        cls.s3.create_bucket(Bucket=name, **kwargs)
        cls.buckets.append(name)
        return name

    def versioned(self):
        name = self.bucket()
        self.s3.put_bucket_versioning(Bucket=name,
                                      VersioningConfiguration={"Status": "Enabled"})
        return name

    def refused(self, code, status=None):
        return Refused(self, code, status)

    def body(self, bucket, key, **kwargs):
        return self.s3.get_object(Bucket=bucket, Key=key, **kwargs)["Body"].read()


class Refused:
    """with case.refused("NoSuchKey", 404): …"""

    def __init__(self, case, code, status):
        self.case, self.code, self.status = case, code, status

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.case.assertIsInstance(error, ClientError, f"{self.code} was expected")
        self.case.assertEqual(error.response["Error"]["Code"], self.code)
        if self.status is not None:
            self.case.assertEqual(status_of(error), self.status)
        self.error = error
        return True


class UserCase(S3Case):
    """Another user of the account, without permissions but for what a test gives."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iam = client("iam")
        cls.user = unique("user")
        cls.user_arn = cls.iam.create_user(UserName=cls.user)["User"]["Arn"]
        key = cls.iam.create_access_key(UserName=cls.user)["AccessKey"]
        cls.key_id = key["AccessKeyId"]
        cls.other = client(aws_access_key_id=key["AccessKeyId"],
                           aws_secret_access_key=key["SecretAccessKey"])
        cls.nobody = client(config=Config(signature_version=UNSIGNED,
                                          s3={"addressing_style": "path"}))

    @classmethod
    def tearDownClass(cls):
        cls.iam.delete_access_key(UserName=cls.user, AccessKeyId=cls.key_id)
        for name in cls.iam.list_user_policies(UserName=cls.user)["PolicyNames"]:
            cls.iam.delete_user_policy(UserName=cls.user, PolicyName=name)
        cls.iam.delete_user(UserName=cls.user)
        super().tearDownClass()

    def allow(self, *statements):
        document = {"Version": "2012-10-17", "Statement": [
            dict({"Effect": "Allow", "Resource": "*"}, **s) for s in statements]}
        self.iam.put_user_policy(UserName=self.user, PolicyName="p",
                                 PolicyDocument=json.dumps(document))

    def policy(self, bucket, *statements):
        document = {"Version": "2012-10-17", "Statement": [
            dict({"Effect": "Allow",
                  "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}, **s)
            for s in statements]}
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


class Trail:
    """The records of what happens to one bucket, as a trail delivers them."""

    def __init__(self, case, bucket, add_cleanup):
        self.s3, self.bucket = case.s3, case.bucket()
        self.ct, self.name = client("cloudtrail"), unique("trail")
        who = {"Service": "cloudtrail.amazonaws.com"}
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": who, "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{self.bucket}/*"}]}))
        self.ct.create_trail(Name=self.name, S3BucketName=self.bucket)
        add_cleanup(self.ct.delete_trail, Name=self.name)
        self.ct.put_event_selectors(TrailName=self.name, EventSelectors=[{
            "ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [
                {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{bucket}/"]}]}])
        self.ct.start_logging(Name=self.name)

    def records(self):
        out = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for o in page.get("Contents", []):
                if o["Key"].endswith(".json.gz"):
                    data = self.s3.get_object(Bucket=self.bucket, Key=o["Key"])["Body"].read()
                    out += json.loads(gzip.decompress(data))["Records"]
        return out

    def await_record(self, what, **fields):
        """The first record whose fields are these."""
        def look():
            return next((r for r in self.records()
                         if all(r.get(k) == v for k, v in fields.items())), None)
        return eventually(look, f"a record of {what}: {fields}", every=0.3)

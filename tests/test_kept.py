"""What Ward keeps in memory between requests: credentials, users, policies, buckets. A change must
show at the very next call, however often the old state was used before it; and an idle Ward gives
memory back."""
import json
import os
import threading
import unittest

from botocore.exceptions import ClientError
from wardtest import Ward, eventually, sanitized

ALLOW_LIST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
IDLE_MIB = 24


def code_of(call):
    try:
        call()
        return "OK"
    except ClientError as e:
        return e.response["Error"]["Code"]


class KeptTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ward = Ward().start()

    @classmethod
    def tearDownClass(cls):
        code = cls.ward.stop()
        text = cls.ward.read_log()
        cls.ward.remove()
        assert code == 0, text[-4000:]

    def user(self, name):
        iam = self.ward.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=ALLOW_LIST)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        s3 = self.ward.client("s3", key["AccessKeyId"], key["SecretAccessKey"])
        return iam, key["AccessKeyId"], s3

    def used(self, s3):
        """The state is in use, and so kept."""
        for _ in range(3):
            self.assertEqual(code_of(s3.list_buckets), "OK")

    def test_key_status(self):
        iam, key, s3 = self.user("kept-key")
        for _ in range(5):
            self.used(s3)
            iam.update_access_key(UserName="kept-key", AccessKeyId=key, Status="Inactive")
            self.assertEqual(code_of(s3.list_buckets), "InvalidAccessKeyId")
            iam.update_access_key(UserName="kept-key", AccessKeyId=key, Status="Active")
        self.used(s3)
        iam.delete_access_key(UserName="kept-key", AccessKeyId=key)
        self.assertEqual(code_of(s3.list_buckets), "InvalidAccessKeyId")

    def test_policies(self):
        iam, _, s3 = self.user("kept-policy")
        for _ in range(5):
            self.used(s3)
            iam.delete_user_policy(UserName="kept-policy", PolicyName="p")
            self.assertEqual(code_of(s3.list_buckets), "AccessDenied")
            iam.put_user_policy(UserName="kept-policy", PolicyName="p", PolicyDocument=ALLOW_LIST)
        arn = iam.create_policy(PolicyName="kept-managed", PolicyDocument=ALLOW_LIST)[
            "Policy"]["Arn"]
        iam.delete_user_policy(UserName="kept-policy", PolicyName="p")
        iam.attach_user_policy(UserName="kept-policy", PolicyArn=arn)
        self.used(s3)
        iam.create_policy_version(PolicyArn=arn, SetAsDefault=True,
                                  PolicyDocument=ALLOW_LIST.replace("Allow", "Deny"))
        self.assertEqual(code_of(s3.list_buckets), "AccessDenied")
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        self.used(s3)
        iam.detach_user_policy(UserName="kept-policy", PolicyArn=arn)
        self.assertEqual(code_of(s3.list_buckets), "AccessDenied")
        iam.create_group(GroupName="kept-group")
        iam.put_group_policy(GroupName="kept-group", PolicyName="g", PolicyDocument=ALLOW_LIST)
        iam.add_user_to_group(GroupName="kept-group", UserName="kept-policy")
        self.used(s3)
        iam.delete_group_policy(GroupName="kept-group", PolicyName="g")
        self.assertEqual(code_of(s3.list_buckets), "AccessDenied")

    def test_buckets(self):
        s3 = self.ward.client("s3")
        _, _, theirs = self.user("kept-bucket")
        s3.create_bucket(Bucket="kept-bucket")
        put = lambda c: code_of(lambda: c.put_object(Bucket="kept-bucket", Key="k", Body=b"x"))
        deny = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
             "Resource": "arn:aws:s3:::kept-bucket/*"}]})
        for _ in range(3):
            self.assertEqual([put(theirs) for _ in range(3)], ["OK"] * 3)
            s3.put_bucket_policy(Bucket="kept-bucket", Policy=deny)
            self.assertEqual(put(theirs), "AccessDenied")
            s3.delete_bucket_policy(Bucket="kept-bucket")
        s3.put_bucket_versioning(Bucket="kept-bucket",
                                 VersioningConfiguration={"Status": "Enabled"})
        self.assertIn("VersionId", s3.put_object(Bucket="kept-bucket", Key="v", Body=b"x"))
        s3.create_bucket(Bucket="kept-gone")
        s3.put_object(Bucket="kept-gone", Key="k", Body=b"x")
        s3.delete_object(Bucket="kept-gone", Key="k")
        s3.delete_bucket(Bucket="kept-gone")
        self.assertEqual(code_of(lambda: s3.put_object(Bucket="kept-gone", Key="k", Body=b"x")),
                         "NoSuchBucket")

    def test_a_user_made_anew_is_another(self):
        iam, key, s3 = self.user("kept-again")
        self.used(s3)
        iam.delete_access_key(UserName="kept-again", AccessKeyId=key)
        iam.delete_user_policy(UserName="kept-again", PolicyName="p")
        iam.delete_user(UserName="kept-again")
        _, _, again = self.user("kept-again")
        self.used(again)
        self.assertEqual(code_of(s3.list_buckets), "InvalidAccessKeyId")


class RestartTest(unittest.TestCase):
    def test_what_was_withdrawn_stays_so_after_a_kill(self):
        ward = Ward().start()
        try:
            iam = ward.client("iam")
            iam.create_user(UserName="u")
            iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=ALLOW_LIST)
            key = iam.create_access_key(UserName="u")["AccessKey"]

            def call():
                s3 = ward.client("s3", key["AccessKeyId"], key["SecretAccessKey"])
                return code_of(s3.list_buckets)
            for status, want in (("Inactive", "InvalidAccessKeyId"), ("Active", "OK")):
                self.assertNotEqual(call(), want)
                iam.update_access_key(UserName="u", AccessKeyId=key["AccessKeyId"], Status=status)
                ward.kill()
                ward.start()
                iam = ward.client("iam")
                self.assertEqual(call(), want)
            self.assertEqual(ward.stop(), 0)
        finally:
            ward.remove()


class IdleTest(unittest.TestCase):
    def test_memory_of_an_idle_ward(self):
        ward = Ward(binary=os.environ.get("WARD_FAST"))
        if sanitized(ward.binary):
            ward.remove()
            self.skipTest("sanitizers keep memory of their own")
        ward.start()
        try:
            def mib():
                with open(f"/proc/{ward.process.pid}/status") as f:
                    return int(f.read().split("VmRSS:")[1].split()[0]) / 1024

            def small():
                return mib() < IDLE_MIB
            eventually(small, "less than 24 MiB after the start")
            s3 = ward.client("s3", max_pool_connections=16)
            s3.create_bucket(Bucket="burst")

            def burst(n):
                for i in range(100):
                    s3.put_object(Bucket="burst", Key=f"{n}/{i}", Body=os.urandom(16000))
            threads = [threading.Thread(target=burst, args=(n,)) for n in range(16)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            eventually(small, "less than 24 MiB after a burst")
            self.assertEqual(len(s3.get_object(Bucket="burst", Key="3/3")["Body"].read()), 16000)
            self.assertEqual(ward.stop(), 0)
        finally:
            ward.remove()

"""Digest files: the aws command line accepts the chain of a Ward that was killed and ran again, and
what is altered, removed or added by hand is found by `ward verify`."""
import base64
import datetime
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from wardtest import Ward, WARD, eventually

BUCKET, TRAIL = "digests-trail", "watch"
OPTIONS = ("--trail-interval", "1", "--digest-interval", "2")


def policy(account):
    who = {"Service": "cloudtrail.amazonaws.com"}
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": who, "Action": "s3:GetBucketAcl",
         "Resource": f"arn:aws:s3:::{BUCKET}"},
        {"Effect": "Allow", "Principal": who, "Action": "s3:PutObject",
         "Resource": f"arn:aws:s3:::{BUCKET}/AWSLogs/{account}/*",
         "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}}]})


class DigestsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ward = Ward(*OPTIONS).start()
        cls.began = datetime.datetime.now(datetime.timezone.utc)
        cls.account = cls.ward.client("sts").get_caller_identity()["Account"]
        s3 = cls.ward.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(cls.account))
        ct = cls.ward.client("cloudtrail")
        cls.arn = ct.create_trail(Name=TRAIL, S3BucketName=BUCKET, IsMultiRegionTrail=True,
                                  EnableLogFileValidation=True)["TrailARN"]
        ct.start_logging(Name=TRAIL)

    @classmethod
    def tearDownClass(cls):
        code = cls.ward.stop()
        log = cls.ward.read_log()
        cls.ward.remove()
        assert code == 0 and "runtime error" not in log, log[-4000:]

    # -- what is in the bucket ----------------------------------------------------------------

    def keys(self, part, region="us-east-1", bucket=BUCKET):
        pages = self.ward.client("s3").get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"AWSLogs/{self.account}/{part}/{region}/")
        return sorted(o["Key"] for p in pages for o in p.get("Contents", []))

    def digests(self, region="us-east-1", bucket=BUCKET):
        s3, out = self.ward.client("s3"), []
        for key in self.keys("CloudTrail-Digest", region, bucket):
            got = s3.get_object(Bucket=bucket, Key=key)
            text = gzip.decompress(got["Body"].read())
            out.append((key, got["Metadata"], text, json.loads(text)))
        return out

    def a_digest_more(self, count=1, region="us-east-1", bucket=BUCKET):
        before = len(self.keys("CloudTrail-Digest", region, bucket))
        eventually(lambda: len(self.keys("CloudTrail-Digest", region, bucket)) >= before + count,
                   "a digest more")

    def all_named(self, bucket=BUCKET):
        """Every log file of the bucket is named by a digest."""
        named = {f["s3Object"] for _, _, _, d in self.digests(bucket=bucket)
                 for f in d["logFiles"]}
        return set(self.keys("CloudTrail", bucket=bucket)) <= named

    def bucket(self, name):
        """Another bucket that takes a trail's files; the policy that lets it."""
        s3, allowed = self.ward.client("s3"), policy(self.account).replace(BUCKET, name)
        s3.create_bucket(Bucket=name)
        s3.put_bucket_policy(Bucket=name, Policy=allowed)
        return allowed

    def make_events(self):
        for _ in range(3):
            self.ward.client("kms").create_key()

    def validate(self, region="us-east-1"):
        """aws cloudtrail validate-logs, as it comes."""
        done = self.ward.aws("cloudtrail", "validate-logs", "--trail-arn", self.arn, "--verbose",
                             "--start-time", self.began.strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "--region", region, check=False)
        return done.returncode, done.stdout + done.stderr

    def archive(self, bucket):
        """The bucket as a folder, digests with their metadata; the public keys beside it."""
        at = tempfile.mkdtemp(prefix="ward-digests-")
        self.addCleanup(shutil.rmtree, at, True)
        s3 = self.ward.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for o in page["Contents"]:
                if o["Key"].endswith("/"):
                    continue
                path = os.path.join(at, "logs", o["Key"])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                got = s3.get_object(Bucket=bucket, Key=o["Key"])
                with open(path, "wb") as f:
                    f.write(got["Body"].read())
                if "Digest" in o["Key"]:
                    with open(path + ".metadata.json", "w") as f:
                        json.dump({"Metadata": got["Metadata"]}, f)
        found = self.ward.client("cloudtrail").list_public_keys(
            StartTime=self.began, EndTime=datetime.datetime.now(datetime.timezone.utc))
        for k in found["PublicKeyList"]:
            k["Value"] = base64.b64encode(k["Value"]).decode()
            k.pop("ValidityStartTime"), k.pop("ValidityEndTime")
        with open(os.path.join(at, "keys.json"), "w") as f:
            json.dump({"PublicKeyList": found["PublicKeyList"]}, f)
        return at

    def verify(self, at):
        done = subprocess.run([WARD, "verify", os.path.join(at, "logs"), "--keys",
                               os.path.join(at, "keys.json"), "--json"],
                              text=True, capture_output=True)
        return done.returncode, done.stdout + done.stderr

    # -- tests --------------------------------------------------------------------------------

    def test_a_chain_across_kill_and_restart(self):
        self.make_events()
        self.a_digest_more(2)
        for _ in range(3):
            self.make_events()
            self.ward.kill()
            self.ward.start()
            self.make_events()
            self.a_digest_more()
        eventually(self.all_named, "every log file in a digest")
        code, text = self.validate()
        self.assertEqual(code, 0, text)
        self.assertNotIn("INVALID", text)
        self.assertNotIn("No log files were delivered", text)
        found = self.digests()
        valid, total = re.search(r"(\d+)/(\d+) digest files valid", text).groups()
        self.assertEqual(valid, total)
        self.assertIn(int(total), range(5, len(found) + 1))
        self.assertEqual([d["previousDigestS3Object"] for _, _, _, d in found],
                         [None] + [key for key, _, _, _ in found[:-1]])
        for (_, meta, text, _), (_, _, _, d) in zip(found, found[1:]):
            self.assertEqual(d["previousDigestHashValue"], hashlib.sha256(text).hexdigest())
            self.assertEqual(d["previousDigestSignature"], meta["signature"])
            self.assertEqual(d["digestStartTime"], json.loads(text)["digestEndTime"])
        status = self.ward.client("cloudtrail").get_trail_status(Name=TRAIL)
        self.assertIn("LatestDigestDeliveryTime", status)
        self.assertNotIn("LatestDigestDeliveryError", status)

    def test_no_record_is_delivered_twice_or_left_out_across_kills(self):
        made = set()
        for _ in range(4):
            for _ in range(5):
                made.add(self.ward.client("kms").create_key()["KeyMetadata"]["KeyId"])
            self.ward.kill()
            self.ward.start()
        s3, ids, keys = self.ward.client("s3"), [], set()

        def look():
            ids.clear()
            for key in self.keys("CloudTrail"):
                if not key.endswith(".gz"):
                    continue
                body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
                for r in json.loads(gzip.decompress(body))["Records"]:
                    ids.append(r["eventID"])
                    if r["eventName"] == "CreateKey":
                        keys.add(r["responseElements"]["keyMetadata"]["keyId"])
            return made <= keys

        eventually(look, "every CreateKey in a log file")
        self.assertEqual(len(ids), len(set(ids)))

    def test_another_region_has_its_own_chain_and_key(self):
        self.ward.client("kms", region="eu-west-1").create_key()
        self.a_digest_more(1, "eu-west-1")
        code, text = self.validate("eu-west-1")
        self.assertEqual(code, 0, text)
        self.assertNotIn("INVALID", text)
        eu = self.ward.client("cloudtrail", region="eu-west-1").list_public_keys()
        us = self.ward.client("cloudtrail").list_public_keys()
        self.assertEqual(len(eu["PublicKeyList"]), 1)
        self.assertNotEqual(eu["PublicKeyList"][0]["Fingerprint"],
                            us["PublicKeyList"][0]["Fingerprint"])

    def test_what_is_done_by_hand_is_found(self):
        ct = self.ward.client("cloudtrail")
        self.bucket("digests-hand")
        ct.create_trail(Name="hand", S3BucketName="digests-hand", EnableLogFileValidation=True)
        ct.start_logging(Name="hand")
        self.make_events()
        self.a_digest_more(2, bucket="digests-hand")
        ct.stop_logging(Name="hand")
        eventually(lambda: self.all_named("digests-hand"), "every log file in a digest")
        at = self.archive("digests-hand")
        ct.delete_trail(Name="hand")
        code, text = self.verify(at)
        self.assertEqual(code, 0, text)
        logs = [os.path.join(base, name) for base, _, names in os.walk(os.path.join(at, "logs"))
                for name in sorted(names) if "Digest" not in base and name.endswith(".gz")]
        victim = sorted(logs)[0]
        with open(victim, "rb") as f:
            whole = f.read()

        def put(path, data):
            with open(path, "wb") as f:
                f.write(data)

        def finds():
            code, text = self.verify(at)
            self.assertNotEqual(code, 0, text)
            self.assertIn(os.path.basename(victim), text)

        with self.subTest("altered"):
            put(victim, gzip.compress(gzip.decompress(whole).replace(b"us-east-1", b"us-west-1")))
            finds()
        with self.subTest("removed"):
            os.remove(victim)
            finds()
            put(victim, whole)
        with self.subTest("added"):
            extra = victim.replace(".json.gz", "X.json.gz")
            put(extra, gzip.compress(b'{"Records":[]}'))
            code, text = self.verify(at)
            self.assertNotEqual(code, 0, text)
            self.assertIn(os.path.basename(extra), text)
            os.remove(extra)
        self.assertEqual(self.verify(at)[0], 0)

    def test_stop_writes_a_last_digest_and_start_a_new_chain(self):
        s3, ct = self.ward.client("s3"), self.ward.client("cloudtrail")
        arn = ct.create_trail(Name="short", S3BucketName=BUCKET,
                              EnableLogFileValidation=True)["TrailARN"]
        mine = lambda: [d for d in self.digests() if "_short_" in d[0]]
        ct.start_logging(Name="short")
        eventually(mine, "a first digest")
        ct.stop_logging(Name="short")

        def stop_is_named():
            for _, _, _, d in mine():
                for f in d["logFiles"]:
                    body = s3.get_object(Bucket=BUCKET, Key=f["s3Object"])["Body"].read()
                    for r in json.loads(gzip.decompress(body))["Records"]:
                        if r["eventName"] == "StopLogging" and "short" in json.dumps(r):
                            return True
            return False
        eventually(stop_is_named, "StopLogging in a log file that a digest names")
        count = len(mine())
        ct.start_logging(Name="short")
        eventually(lambda: len(mine()) > count, "a digest of the new chain")
        self.assertEqual([d["previousDigestSignature"] is None for _, _, _, d in mine()].count(True),
                         2)
        self.assertIsNone(mine()[count][3]["previousDigestS3Object"])
        done = self.ward.aws("cloudtrail", "validate-logs", "--trail-arn", arn, "--start-time",
                             self.began.strftime("%Y-%m-%dT%H:%M:%SZ"), check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        ct.delete_trail(Name="short")

    def test_the_deletion_of_a_trail_is_in_its_last_log_file(self):
        s3, ct = self.ward.client("s3"), self.ward.client("cloudtrail")
        self.bucket("digests-last")
        ct.create_trail(Name="doomed", S3BucketName="digests-last", EnableLogFileValidation=True)
        ct.start_logging(Name="doomed")
        ct.delete_trail(Name="doomed")
        self.assertNotIn("doomed", [t["Name"] for t in ct.list_trails()["Trails"]])
        ct.create_trail(Name="doomed", S3BucketName=BUCKET)  # the name is free at once
        ct.delete_trail(Name="doomed")

        def seen():
            pages = s3.list_objects_v2(Bucket="digests-last").get("Contents", [])
            logs = {o["Key"] for o in pages if "/CloudTrail/us" in o["Key"]}
            named, names = set(), []
            for o in pages:
                if "Digest" in o["Key"]:
                    body = s3.get_object(Bucket="digests-last", Key=o["Key"])["Body"].read()
                    named |= {f["s3Object"]
                              for f in json.loads(gzip.decompress(body))["logFiles"]}
            for key in logs:
                body = s3.get_object(Bucket="digests-last", Key=key)["Body"].read()
                names += [r["eventName"] for r in json.loads(gzip.decompress(body))["Records"]]
            return "DeleteTrail" in names and logs <= named
        eventually(seen, "DeleteTrail in a log file that a digest names")

    def test_a_bucket_that_refuses_holds_digests_back_and_loses_none(self):
        s3, ct = self.ward.client("s3"), self.ward.client("cloudtrail")
        allowed = self.bucket("digests-shut")
        ct.create_trail(Name="shut", S3BucketName="digests-shut", EnableLogFileValidation=True)
        self.addCleanup(ct.delete_trail, Name="shut")
        ct.start_logging(Name="shut")
        s3.delete_bucket_policy(Bucket="digests-shut")
        key = self.ward.client("kms").create_key()["KeyMetadata"]["KeyId"]
        eventually(lambda: "AccessDenied" in ct.get_trail_status(Name="shut").get(
            "LatestDeliveryError", ""), "the refusal in the trail's status")
        s3.put_bucket_policy(Bucket="digests-shut", Policy=allowed)

        def found():
            for o in s3.list_objects_v2(Bucket="digests-shut").get("Contents", []):
                if "/CloudTrail/us" in o["Key"]:
                    body = s3.get_object(Bucket="digests-shut", Key=o["Key"])["Body"].read()
                    if key.encode() in gzip.decompress(body):
                        return True
            return False
        eventually(found, "what was recorded meanwhile")
        status = ct.get_trail_status(Name="shut")
        self.assertNotIn("LatestDeliveryError", status)

    def test_public_keys_of_no_time_and_a_wrong_range(self):
        ct = self.ward.client("cloudtrail")
        past = self.began - datetime.timedelta(days=3)
        found = ct.list_public_keys(StartTime=past, EndTime=past)
        self.assertEqual(found["PublicKeyList"], [])
        with self.assertRaises(ct.exceptions.InvalidTimeRangeException):
            ct.list_public_keys(StartTime=self.began, EndTime=past)

    def test_who_may_not_list_keys_is_refused_and_recorded(self):
        iam = self.ward.client("iam")
        iam.create_user(UserName="keyless")
        k = iam.create_access_key(UserName="keyless")["AccessKey"]
        ct = self.ward.client("cloudtrail", key=k["AccessKeyId"], secret=k["SecretAccessKey"])
        with self.assertRaises(ct.exceptions.ClientError) as e:
            ct.list_public_keys()
        self.assertEqual(e.exception.response["Error"]["Code"], "AccessDeniedException")
        look = self.ward.client("cloudtrail").lookup_events(LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "ListPublicKeys"}])
        refused = [json.loads(x["CloudTrailEvent"]).get("errorCode") for x in look["Events"]
                   if x.get("Username") == "keyless"]
        self.assertEqual(refused, ["AccessDenied"])


if __name__ == "__main__":
    unittest.main()

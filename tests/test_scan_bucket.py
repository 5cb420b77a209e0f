"""s3:// as a source of `ward scan` and `ward verify`: against a real Ward, and against a small fake
one that fails in every way."""
import gzip
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "scan",
                                "test"))
import digests  # noqa: E402
from scancase import BASE, FAKE_KEYS, FakeCase, found, log_file, ward  # noqa: E402
from wardtest import REGION, WARD, Ward, eventually, sanitized  # noqa: E402


class RealWard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ward = Ward("--trail-interval", "1", "--digest-interval", "2").start()
        cls.s3 = cls.ward.client("s3")
        cls.env = {k: v for k, v in cls.ward.env.items() if k.startswith("AWS_")}
        cls.tmp = tempfile.TemporaryDirectory()
        cls.key = digests.Key(cls.tmp.name)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()
        try:
            assert cls.ward.stop() == 0, cls.ward.read_log()[-4000:]
        finally:
            cls.ward.remove()

    def bucket(self, name):
        self.s3.create_bucket(Bucket=name)
        return name

    def scan(self, *args, env=None):
        return ward("scan", "--format", "jsonl", "--no-summary", *args, env=env or self.env)

    def test_the_same_findings_as_from_a_folder(self):
        b = self.bucket("scan-same")
        folder = tempfile.TemporaryDirectory()
        for i in range(40):
            key = f"AWSLogs/a b/{i % 3}/ü+{i}%41&x=y.json.gz"
            data = log_file(i, i + 100, fill=450000 if i == 7 else 50)  # one of several pieces
            self.s3.put_object(Bucket=b, Key=key, Body=data)
            path = os.path.join(folder.name, key)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)
        self.s3.put_object(Bucket=b, Key="AWSLogs/empty.json", Body=b"")
        self.s3.put_object(Bucket=b, Key="AWSLogs/readme.txt", Body=b"no log")
        self.s3.put_object(Bucket=b, Key="other/z.json.gz", Body=log_file(999))
        here, there = self.scan(folder.name), self.scan(f"s3://{b}/AWSLogs/")
        folder.cleanup()
        self.assertEqual(here[0], 1, here)
        self.assertEqual(there[0], 2, there)  # the empty one is named
        self.assertIn("s3://scan-same/AWSLogs/empty.json: the file has no records", there[2])

        def rows(out, cut):
            return sorted((r["eventID"], r["rule"], r["sha256"], r["offset"],
                           r["file"][r["file"].index(cut):])
                          for r in map(json.loads, out.splitlines()))

        self.assertEqual(rows(here[1], "AWSLogs"), rows(there[1], "AWSLogs"))
        self.assertEqual(len(found(there[1])), 80)

    def test_refusals_are_named_and_the_rest_goes_on(self):
        b = self.bucket("scan-denied")
        for name in "abc":
            self.s3.put_object(Bucket=b, Key=f"p/{name}.json.gz", Body=log_file(ord(name)))
        iam = self.ward.client("iam")
        iam.create_user(UserName="scanner")
        iam.put_user_policy(UserName="scanner", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:GetObject",
                 "Resource": f"arn:aws:s3:::{b}/p/b.json.gz"}]}))
        key = iam.create_access_key(UserName="scanner")["AccessKey"]
        env = dict(self.env, AWS_ACCESS_KEY_ID=key["AccessKeyId"],
                   AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
        code, out, err = self.scan(f"s3://{b}/p", env=env)
        self.assertEqual((code, found(out)), (2, ["id-97", "id-99"]))
        self.assertRegex(err, "s3://scan-denied/p/b.json.gz: ")
        self.assertNotIn("a.json.gz", err)
        iam.delete_user_policy(UserName="scanner", PolicyName="p")
        code, _, err = self.scan(f"s3://{b}/p", env=env)
        self.assertEqual(code, 2)
        self.assertRegex(err, "s3://scan-denied/p: could not be listed: .*AccessDenied .403.")
        wrong = dict(self.env, AWS_SECRET_ACCESS_KEY="x" * 40)
        code, _, err = self.scan(f"s3://{b}/p", env=wrong)
        self.assertEqual(code, 2)
        self.assertIn("SignatureDoesNotMatch", err)
        code, _, err = self.scan("s3://no-such-bucket-here/p")
        self.assertEqual(code, 2)
        self.assertIn("NoSuchBucket", err)

    def test_an_endpoint_that_is_not_trusted(self):
        env = {k: v for k, v in self.env.items() if k != "AWS_CA_BUNDLE"}
        code, _, err = self.scan("s3://scan-tls/p", env=env)
        self.assertEqual(code, 2)
        self.assertIn("could not be listed", err)

    def test_a_session_and_a_region(self):
        b = self.bucket("scan-session")
        self.s3.put_object(Bucket=b, Key="a.json.gz", Body=log_file(5))
        iam, sts = self.ward.client("iam"), self.ward.client("sts")
        account = sts.get_caller_identity()["Account"]
        iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}]}))
        iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
        c = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/reader",
                            RoleSessionName="session")["Credentials"]
        env = dict(self.env, AWS_ACCESS_KEY_ID=c["AccessKeyId"],
                   AWS_SECRET_ACCESS_KEY=c["SecretAccessKey"], AWS_SESSION_TOKEN=c["SessionToken"])
        code, out, err = self.scan(f"s3://{b}", env=env)
        self.assertEqual((code, found(out)), (1, ["id-5"]), err)
        env.pop("AWS_REGION")
        env.pop("AWS_DEFAULT_REGION", None)
        self.assertEqual(self.scan(f"s3://{b}", env=env)[0], 1)

    def test_a_role_of_a_profile(self):
        """As the command line does it: with an external id that the role's policy asks for."""
        b = self.bucket("scan-role")
        self.s3.put_object(Bucket=b, Key="a.json.gz", Body=log_file(6))
        iam = self.ward.client("iam")
        account = self.ward.client("sts").get_caller_identity()["Account"]
        iam.create_role(RoleName="outsider", AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Condition": {"StringEquals": {"sts:ExternalId": "right"}}}]}))
        iam.put_role_policy(RoleName="outsider", PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
        with tempfile.TemporaryDirectory() as tmp:
            path = os.path.join(tmp, "config")
            with open(path, "w") as f:
                for name in ("right", "wrong"):
                    f.write(f"[profile {name}]\nrole_arn = arn:aws:iam::{account}:role/outsider\n"
                            f"source_profile = keys\nexternal_id = {name}\n")
                f.write(f"[profile keys]\naws_access_key_id = {self.env['AWS_ACCESS_KEY_ID']}\n"
                        f"aws_secret_access_key = {self.env['AWS_SECRET_ACCESS_KEY']}\n")
            env = {k: v for k, v in self.env.items() if "KEY" not in k}
            env.update(AWS_CONFIG_FILE=path, AWS_SHARED_CREDENTIALS_FILE="/nonexistent")
            code, out, err = self.scan(f"s3://{b}", env=dict(env, AWS_PROFILE="right"))
            self.assertEqual((code, found(out)), (1, ["id-6"]), err)
            code, _, err = self.scan(f"s3://{b}", env=dict(env, AWS_PROFILE="wrong"))
            self.assertEqual(code, 2)
            self.assertIn("Credentials by the profile wrong: AssumeRole: AccessDenied (403)", err)

    def test_verify(self):
        b = self.bucket("verify-whole")

        def put(key, data, metadata=None):
            self.s3.put_object(Bucket=b, Key=key, Body=data, Metadata=metadata or {})

        t = digests.Trail(put, self.key, bucket=b).hours(4, logs=3)
        digests.Trail(put, self.key, bucket=b, region="us-east-1").hours(4)
        args = ("verify", "--json", "--keys", self.key.pem, f"s3://{b}/p/")
        code, out, err = ward(*args, env=self.env)
        self.assertEqual(code, 0, out + err)
        j = json.loads(out)
        self.assertEqual((j["digests"], j["log_files_valid"]), (8, 16))
        self.assertEqual(err, "")
        self.s3.delete_object(Bucket=b, Key=t.logs[4])
        put(t.logs[7], log_file(1))
        self.s3.delete_object(Bucket=b, Key=t.digests[0])
        code, out, _ = ward(*args, env=self.env)
        self.assertEqual(code, 1)
        kinds = sorted(f["kind"] for f in json.loads(out)["findings"])
        self.assertEqual(kinds, ["chain-begins-late", "log-altered", "log-missing"] +
                         ["log-unnamed"] * 3)

    def test_a_trail_of_ward_itself(self):
        """Keys from ListPublicKeys, signatures from the objects' metadata."""
        b = self.bucket("verify-trail")
        ct, account = self.ward.client("cloudtrail"), self.ward.client(
            "sts").get_caller_identity()["Account"]
        who = {"Service": "cloudtrail.amazonaws.com"}
        self.s3.put_bucket_policy(Bucket=b, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": who, "Action": "s3:GetBucketAcl",
                 "Resource": f"arn:aws:s3:::{b}"},
                {"Effect": "Allow", "Principal": who, "Action": "s3:PutObject",
                 "Resource": f"arn:aws:s3:::{b}/*"}]}))
        ct.create_trail(Name="whole", S3BucketName=b, EnableLogFileValidation=True,
                        IsMultiRegionTrail=True)
        ct.start_logging(Name="whole")
        for region in (REGION, "eu-west-1"):
            self.ward.client("kms", region=region).create_key()

        def keys(part):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=b)
            return [o["Key"] for p in pages for o in p.get("Contents", []) if part in o["Key"]]

        eventually(lambda: len(keys("CloudTrail-Digest/us-east-1/")) > 2 and
                   len(keys("CloudTrail-Digest/eu-west-1/")) > 2, "digests of both regions")
        ct.stop_logging(Name="whole")

        def stop_is_delivered():
            """It is in the last log file."""
            return any(b'"StopLogging"' in gzip.decompress(
                self.s3.get_object(Bucket=b, Key=k)["Body"].read())
                for k in keys("/CloudTrail/us-east-1/") if k.endswith(".gz"))

        def named():
            out = set()
            for key in keys("CloudTrail-Digest/"):
                body = self.s3.get_object(Bucket=b, Key=key)["Body"].read()
                out |= {f["s3Object"] for f in json.loads(gzip.decompress(body))["logFiles"]}
            return {k for k in keys("/CloudTrail/") if k.endswith(".gz")} <= out

        eventually(stop_is_delivered, "the last log file")
        eventually(named, "every log file in a digest")
        code, out, err = ward("verify", "--json", f"s3://{b}", env=self.env)
        self.assertEqual(code, 0, out + err)
        j = json.loads(out)
        self.assertEqual({c["region"] for c in j["coverage"]}, {REGION, "eu-west-1"})
        self.assertEqual(j["keys"], 2)
        self.assertEqual({c["hours"] - c["proven_hours"] for c in j["coverage"]}, {0})
        victim = [k for k in keys("/CloudTrail/us-east-1/") if k.endswith(".gz")][0]
        added = victim.replace(".json.gz", "X.json.gz")
        self.s3.put_object(Bucket=b, Key=added, Body=log_file(1))
        code, out, _ = ward("verify", "--json", f"s3://{b}", env=self.env)
        self.assertEqual((code, [f["file"] for f in json.loads(out)["findings"]]),
                         (1, [f"s3://{b}/{added}"]))


class Fake(FakeCase):
    # -- faults --
    def test_pages(self):
        self.fake.page = 7
        ids = self.fill(50)
        code, out, err = self.scan()
        self.assertEqual((code, found(out)), (1, ids), err)
        self.assertEqual(len([a for a in self.fake.asked if "list-type=2" in a[2]]), 8)

    def test_passing_faults_are_tried_again(self):
        ids = self.fill(6)
        f = self.fake
        f.faults = {"LIST": f.failing(2), "buck/0000.json.gz": f.failing(2, 503, "SlowDown"),
                    "buck/0001.json.gz": f.cutting("buck/0001.json.gz", 2),
                    "buck/0002.json.gz": f.failing(1, 400, "RequestTimeout"),
                    "buck/0003.json.gz": f.failing(1, 429, "TooManyRequestsException"),
                    "buck/0004.json.gz": lambda h, n: n == 1 and not h.connection.shutdown(2)}
        code, out, err = self.scan()
        self.assertEqual((code, found(out), err), (1, ids, ""))

    def test_lasting_faults_are_named(self):
        ids = self.fill(8)
        f = self.fake
        f.faults = {"buck/0001.json.gz": f.failing(99),
                    "buck/0002.json.gz": f.failing(99, 403, "AccessDenied",
                                                message="\x1b[2Jnot you"),
                    "buck/0003.json.gz": f.cutting("buck/0003.json.gz", 99),
                    "buck/0004.json.gz": f.failing(99, 403, "InvalidObjectState"),
                    "buck/0005.json.gz": lambda h, n: not f.answer(h, 206, b"x", {
                        "Content-Range": "bytes 5-5/9"})}
        code, out, err = self.scan()
        self.assertEqual(code, 2)
        self.assertEqual(found(out), [i for i in ids if i[3:] not in "12345"])
        for i in range(1, 6):
            self.assertRegex(err, rf"s3://buck/000{i}\.json\.gz: ")
        self.assertIn("buck/0001.json.gz: GetObject: InternalError (500): no", err)
        self.assertIn("buck/0002.json.gz: GetObject: status (403)", err)
        self.assertNotIn("\x1b", err)
        self.assertNotIn("0006", err)
        self.assertLessEqual(f.counts["buck/0001.json.gz"], 6)
        self.assertEqual(f.counts["buck/0002.json.gz"], 1)

    def test_a_listing_that_breaks_off(self):
        self.fake.page = 5
        self.fill(12)
        self.fake.faults["LIST"] = lambda h, n: n > 1 and not self.fake.error(h, 403, "AccessDenied")
        code, out, err = self.scan()
        self.assertEqual((code, len(found(out))), (2, 5))
        self.assertIn("s3://buck/: could not be listed: ListObjectsV2: AccessDenied (403)", err)

    def test_latency_does_not_hold_the_scan(self):
        ids = self.fill(48)
        for i in range(48):
            self.fake.faults[f"buck/{i:04}.json.gz"] = self.fake.slow(0.25)
        start = time.monotonic()
        code, out, _ = self.scan("--threads", "1")
        took = time.monotonic() - start
        self.assertEqual((code, found(out)), (1, ids))
        self.assertLess(took, 48 * 0.25 / 2)
        self.assertGreater(self.fake.most, 4)
        self.assertLessEqual(self.fake.most, 17)

    def test_memory_is_bounded(self):
        data = log_file(*range(16), fill=300_000)  # about 5 MB, 40 times
        for i in range(40):
            self.fake.put("buck", f"{i}.json.gz", data)
        args = [os.environ.get("WARD_FAST", WARD), "scan", "--no-summary", "--threads", "2",
                "--format", "jsonl", "s3://buck/"]
        with open(os.devnull, "wb") as null:
            scan = subprocess.Popen(args, env=dict(BASE, **self.env), stdout=null)
        peak = 0  # of wait4() it would hold what this process had when it began the other
        while scan.poll() is None:
            try:
                with open(f"/proc/{scan.pid}/status") as f:
                    high = [line for line in f if line.startswith("VmHWM")]
            except ProcessLookupError:
                high = []
            if high:
                peak = int(high[0].split()[1])
            time.sleep(0.01)
        self.assertEqual(scan.returncode, 1)
        self.assertGreater(len(self.fake.asked), 40 * 9)
        self.assertGreater(peak, 1024)
        if not sanitized(args[0]):
            self.assertLess(peak, 128 * 1024)

    def test_progress_leaves_out_what_is_not_known(self):
        self.fill(30)
        for name in self.fake.objects:
            self.fake.faults[name] = self.fake.slow(0.3)
        ours, theirs = pty.openpty()
        p = subprocess.Popen([WARD, "scan", "--no-summary", "--format", "csv", "s3://buck/"],
                             env=dict(BASE, TERM="xterm", **self.env), stdout=subprocess.DEVNULL,
                             stderr=theirs)
        os.close(theirs)
        out = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            out += data
        os.close(ours)
        self.assertEqual(p.wait(), 1, out)
        self.assertRegex(out.decode(), r"\r\d+ files  \d+ MB/s  \d+ records/s\x1b\[K")
        self.assertNotIn(" left", out.decode())

    def test_pieces_of_one_object(self):
        self.fake.put("buck", "big.json.gz", log_file(3, 4, 5, 6, 7, fill=500_000))
        code, out, err = self.scan()
        self.assertEqual((code, found(out)), (1, [f"id-{i}" for i in range(3, 8)]), err)
        asked = [a[3] for a in self.fake.asked if a[1] == "/buck/big.json.gz"]
        self.assertGreaterEqual(len(asked), 5)
        for h in asked:  # every piece but the first is bound to what the first one was of
            self.assertEqual("if-match" in h, not h["range"].startswith("bytes=0-"))

    def test_an_object_that_changes_meanwhile(self):
        self.fake.put("buck", "a.json.gz", log_file(1))
        self.fake.put("buck", "big.json.gz", log_file(3, 4, 5, 6, 7, fill=500_000))

        def change(h, count):
            if count == 2:
                self.fake.put("buck", "big.json.gz", log_file(8, 9, 10, 11, 12, fill=500_000))
            return False

        self.fake.faults["buck/big.json.gz"] = change
        code, out, err = self.scan()
        self.assertEqual(code, 2)
        self.assertIn("id-1", found(out))
        self.assertIn("s3://buck/big.json.gz", err)

    def test_an_object_that_is_gone(self):
        self.fill(3)
        self.fake.faults["buck/0001.json.gz"] = lambda h, n: bool(self.fake.objects.pop(
            "buck/0001.json.gz", None)) and False
        code, out, err = self.scan()
        self.assertEqual((code, found(out)), (2, ["id-0", "id-2"]))
        self.assertIn("s3://buck/0001.json.gz", err)

    def test_a_server_without_ranges(self):
        self.fill(3)
        for name in self.fake.objects:
            self.fake.faults[name] = lambda h, n: not self.fake.answer(
                h, 200, self.fake.objects[h.path[1:]][0])
        self.assertEqual(self.scan()[0], 1)

    def test_no_one_is_there(self):
        env = dict(self.env, AWS_ENDPOINT_URL="http://127.0.0.1:9")
        code, _, err = self.scan(env=env)
        self.assertEqual(code, 2)
        self.assertIn("could not be listed", err)
        code, _, err = self.scan(env=dict(self.env, AWS_ENDPOINT_URL="ftp://x"))
        self.assertEqual(code, 2)
        self.assertIn("not a URL", err)

    def test_answers_that_are_no_answers(self):
        self.fill(1)
        for body in (b"", b"<html>hello</html>", b"<ListBucketResult>", b"\x00" * 100,
                     b"<ListBucketResult>" + b"<a>" * 5000,
                     b"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key>"
                     b"</Contents></ListBucketResult>", b" " * (3 << 20)):
            self.fake.faults["LIST"] = lambda h, n, b=body: not self.fake.answer(h, 200, b)
            code, _, err = self.scan()
            self.assertEqual(code, 2, body[:50])
            self.assertIn("could not be listed", err)

    def test_keys_that_are_no_names(self):
        self.fake.put("buck", "AWSLogs/../../etc/x.json.gz", log_file(1))
        self.fake.put("buck", "\x1b]0;evil\x07\u202e.json.gz", b"text")
        self.fake.put("buck", "n" * 1000 + ".json.gz", log_file(2))
        code, out, err = self.scan()
        self.assertEqual(code, 2)
        self.assertIn("id-2", found(out))
        self.assertNotIn("\x1b", out + err)
        self.assertNotIn("\u202e", out + err)

    def test_names_of_buckets(self):
        for url in ("s3://", "s3:///x", "s3://a", "s3://a..b/x", "s3://a/b", "s3://x y/z",
                    "s3://" + "a" * 300, "s3://bucket/" + "p" * 2000):
            code, _, err = self.scan(url=url)
            self.assertEqual(code, 2, url)
            self.assertIn("ward scan: ", err)

    # -- regions --
    def test_a_bucket_of_another_region_is_followed(self):
        ids = self.fill(2)

        def elsewhere(h, count):
            if "/eu-west-3/s3/" in h.headers["Authorization"]:
                return False
            self.fake.error(h, 301, "PermanentRedirect",
                            headers={"x-amz-bucket-region": "eu-west-3"})
            return True

        self.fake.faults["LIST"] = elsewhere
        self.assertEqual(found(self.scan()[1]), ids)
        self.fake.faults["LIST"] = lambda h, n: "/eu-west-3/s3/" not in h.headers[
            "Authorization"] and not self.fake.error(h, 400, "AuthorizationHeaderMalformed",
                                                     extra="<Region>eu-west-3</Region>")
        self.assertEqual(found(self.scan()[1]), ids)
        self.fake.faults["LIST"] = self.fake.failing(99, 301, "PermanentRedirect")
        code, _, err = self.scan()
        self.assertEqual(code, 2)
        self.assertIn("AWS_REGION", err)

    # -- whose keys --
    def test_environment(self):
        self.assertEqual(self.who(dict(self.env, AWS_SESSION_TOKEN="tok")),
                         ("AKIDEXAMPLE", REGION, "tok"))
        env = dict(self.env, AWS_ENDPOINT_URL="http://127.0.0.1:9",
                   AWS_ENDPOINT_URL_S3=self.fake.url + "/", AWS_REGION="ap-south-1",
                   AWS_DEFAULT_REGION="us-west-2")
        self.assertEqual(self.who(env)[1], "ap-south-1")
        env.pop("AWS_REGION")
        self.assertEqual(self.who(env)[1], "us-west-2")
        env.pop("AWS_DEFAULT_REGION")
        self.assertEqual(self.who(env)[1], "us-east-1")

    def test_profiles(self):
        env = {"AWS_CONFIG_FILE": self.file("config", f"""
# a comment
[default]
region = eu-west-1
endpoint_url = {self.fake.url}
s3 =
    addressing_style = path
[profile "two words"]
region=eu-west-2
endpoint_url={self.fake.url}
[profile login]
login_session = x
"""), "AWS_SHARED_CREDENTIALS_FILE": self.file("credentials", """
[default]
aws_access_key_id = AKIDDEFAULT
aws_secret_access_key = a/b+c=
[two words]
aws_access_key_id=AKIDTWO
aws_secret_access_key=x
aws_session_token=token==
""")}
        self.assertEqual(self.who(env), ("AKIDDEFAULT", "eu-west-1", None))
        self.assertEqual(self.who(dict(env, AWS_PROFILE="two words")),
                         ("AKIDTWO", "eu-west-2", "token=="))
        self.assertEqual(self.who(dict(env, **FAKE_KEYS))[0], "AKIDEXAMPLE")
        for profile, word in (("nope", "AWS_PROFILE"), ("login", "login_session")):
            code, _, err = self.scan(env=dict(env, AWS_PROFILE=profile))
            self.assertEqual(code, 2)
            self.assertIn(word, err)
            self.assertEqual("export-credentials" in err, profile != "nope")
        home = os.path.join(self.tmp.name, ".aws")
        os.mkdir(home)
        for name in ("config", "credentials"):
            os.rename(os.path.join(self.tmp.name, name), os.path.join(home, name))
        self.assertEqual(self.who({"HOME": self.tmp.name})[0], "AKIDDEFAULT")

    # -- roles --
    def test_a_role_of_a_profile(self):
        env = self.config(f"""
[profile p]
{self.ROLE}last
source_profile = middle
role_session_name = who+ever
external_id = an/id
duration_seconds = 900
[profile middle]
{self.ROLE}middle
source_profile = base
[profile base]
aws_access_key_id = AKIDBASE
aws_secret_access_key = x
""")
        self.assertEqual(self.who(env), ("ASIAlast", REGION, "tlast"))
        (one, h1), (two, h2) = self.fake.sts_calls
        self.assertIn(f"Credential=AKIDBASE/", h1["authorization"])
        self.assertIn(f"/{REGION}/sts/aws4_request", h1["authorization"])
        self.assertRegex(one.pop("RoleSessionName"), r"^ward-\d+$")
        self.assertEqual(one, {"Action": "AssumeRole", "Version": "2011-06-15",
                               "RoleArn": "arn:aws:iam::111122223333:role/path/middle"})
        self.assertIn("Credential=ASIAmiddle/", h2["authorization"])
        self.assertEqual(h2["x-amz-security-token"], "tmiddle")
        self.assertEqual(two, {"Action": "AssumeRole", "Version": "2011-06-15",
                               "RoleArn": "arn:aws:iam::111122223333:role/path/last",
                               "RoleSessionName": "who+ever", "ExternalId": "an/id",
                               "DurationSeconds": "900"})

    def test_a_profile_that_is_its_own_source(self):
        keys = "aws_access_key_id = AKIDSELF\naws_secret_access_key = x\n"
        env = self.config(f"[profile p]\n{self.ROLE}r\nsource_profile = p\n{keys}")
        self.assertEqual(self.who(env)[0], "ASIAr")
        self.assertIn("Credential=AKIDSELF/", self.fake.sts_calls[0][1]["authorization"])
        self.refused(self.config(f"[profile p]\n{self.ROLE}r\nsource_profile = p\n"),
                     "its own source_profile")

    def test_roles_that_cannot_be(self):
        for lines, words in (
                ("", "either a source_profile or a credential_source"),
                ("source_profile = p\ncredential_source = Environment", "either a source_profile"),
                ("credential_source = Elsewhere", "credential_source of the profile p is not one"),
                ("credential_source = Environment", "access key is not whole"),
                ("source_profile = none", r"none \(source_profile of p\) is in neither"),
                ("source_profile = q", "More than 7 profiles"),
                ("source_profile = empty", "empty, which another names .* has no credentials"),
                ("source_profile = login", "login_session, which is not built"),
                ("source_profile = keys\nduration_seconds = 60", "duration_seconds .* 900 to"),
                ("source_profile = half", "profile half is not whole")):
            env = self.config(f"""[profile p]
{self.ROLE}r
{lines}
[profile q]
{self.ROLE}q
source_profile = p
[profile empty]
region = eu-west-1
[profile login]
login_session = x
[profile keys]
aws_access_key_id = A
aws_secret_access_key = x
[profile half]
aws_access_key_id = A
""")
            self.refused(env, words)
            self.assertEqual(self.fake.sts_calls, [])

    def test_a_role_that_is_refused(self):
        env = self.config(f"""[profile p]
{self.ROLE}r
source_profile = keys
[profile keys]
aws_access_key_id = A
aws_secret_access_key = verysecretvalue
""")
        self.fake.sts = lambda form: (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"
                                           "not \u202e you</Message></Error></ErrorResponse>")
        code, _, err = self.scan(env=env)
        self.assertEqual(code, 2)
        self.assertIn("Credentials by the profile p: AssumeRole: AccessDenied (403): not ???", err)
        self.assertNotIn("\u202e", err)
        self.assertNotIn("verysecretvalue", err)
        for status, text in ((200, "hello"), (200, "<a/>"), (200, self.sts(
                {"Action": "AssumeRole", "RoleArn": "a/b"})[1].replace("<SessionToken>tb", "")),
                             (200, "<a>" * 5000), (200, " " * (2 << 20))):
            self.fake.sts = lambda form: (status, text)
            self.refused(env, "Credentials by the profile p: ")
        answers = [(500, ""), (400, "<ErrorResponse><Error><Code>Throttling</Code></Error>"
                                    "</ErrorResponse>")]
        self.fake.sts = lambda form: answers.pop() if answers else self.sts(form)
        self.assertEqual(self.who(env)[0], "ASIAr")

    def test_a_role_is_assumed_again_when_its_keys_end(self):
        env = self.config(f"""[profile p]
{self.ROLE}r
credential_source = EcsContainer
""", AWS_CONTAINER_CREDENTIALS_FULL_URI=self.fake.url + "/creds")
        self.fake.credentials = {"/creds": (200, self.keys_text("AKIDBOX", 60))}
        ids = self.fill(4)
        answers = ["old"]
        self.fake.sts = lambda form: self.sts(dict(form, RoleArn="x/" + (
            answers.pop() if answers else "new")))

        self.end_keys("ASIAold")
        code, out, err = self.scan(env=env)
        self.assertEqual((code, found(out)), (1, ids), err)
        self.assertEqual(len(self.fake.sts_calls), 2)
        self.assertIn("Credential=AKIDBOX/", self.fake.sts_calls[1][1]["authorization"])
        self.assertEqual(len([a for a in self.fake.asked if a[1] == "/creds"]), 2)

    def test_a_role_with_the_keys_of_an_instance(self):
        at = "/latest/meta-data/iam/security-credentials/"
        self.fake.credentials = {"/latest/api/token": (200, "session"), at: (200, "my-role"),
                                 at + "my-role": (200, self.keys_text("AKIDROLE", 60))}
        env = self.config(f"[profile p]\n{self.ROLE}r\ncredential_source = Ec2InstanceMetadata\n",
                          AWS_EC2_METADATA_DISABLED="false",
                          AWS_EC2_METADATA_SERVICE_ENDPOINT=self.fake.url)
        self.assertEqual(self.who(env)[0], "ASIAr")
        self.assertIn("Credential=AKIDROLE/", self.fake.sts_calls[0][1]["authorization"])

    def test_web_identity(self):
        token = self.file("token", "header.payload+/=.sig\n")
        for text, env in (
                ("[profile p]\n", {"AWS_WEB_IDENTITY_TOKEN_FILE": token,
                                   "AWS_ROLE_ARN": "arn:aws:iam::1:role/web",
                                   "AWS_ROLE_SESSION_NAME": "pod"}),
                (f"[profile p]\nweb_identity_token_file = {token}\nrole_session_name = pod\n"
                 "role_arn = arn:aws:iam::1:role/web\n", {})):
            env = self.config(text, **env)
            self.assertEqual(self.who(env), ("ASIAweb", REGION, "tweb"))
            form, h = self.fake.sts_calls[0]
            self.assertEqual(form, {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15",
                                    "RoleArn": "arn:aws:iam::1:role/web", "RoleSessionName": "pod",
                                    "WebIdentityToken": "header.payload+/=.sig"})
            self.assertNotIn("authorization", {k.lower() for k in h})
        # A role upon it, and what lacks.
        env = self.config(f"[profile p]\n{self.ROLE}r\nsource_profile = w\n[profile w]\n"
                          f"web_identity_token_file = {token}\nrole_arn = arn:aws:iam::1:role/w\n")
        self.assertEqual(self.who(env)[0], "ASIAr")
        self.refused(self.config("[profile p]\n", AWS_WEB_IDENTITY_TOKEN_FILE=token),
                     "needs a role: AWS_ROLE_ARN")
        for path in (self.file("none", ""), self.tmp.name, "/nonexistent", "/dev/null"):
            self.refused(self.config("[profile p]\n", AWS_WEB_IDENTITY_TOKEN_FILE=path,
                                     AWS_ROLE_ARN="arn:aws:iam::1:role/web"),
                         "Credentials by the profile p: ")

    # -- a program --
    def process(self, program, **env):
        path = self.file("print keys.py", "import sys, time, os\n" + program)
        return self.config(f"""[profile p]
credential_process = "{sys.executable}" -I '{path}' "a \\"b" c\\ d ''
""", **env)

    def printed(self, **more):
        return "print(" + repr(json.dumps(dict({
            "Version": 1, "AccessKeyId": "AKIDPROC", "SecretAccessKey": "verysecretvalue",
            "SessionToken": "ptoken"}, **more))) + ")\n"

    def test_a_program(self):
        env = self.process("assert sys.argv[1:] == ['a \"b', 'c d', ''], sys.argv\n" +
                           self.printed())
        self.assertEqual(self.who(env), ("AKIDPROC", REGION, "ptoken"))
        env["AWS_CONFIG_FILE"] = self.file("config", f"[profile p]\n{self.ROLE}r\n"
                                           "source_profile = q\n[profile q]\n" + open(
                                               env["AWS_CONFIG_FILE"]).read().split("\n", 1)[1])
        self.assertEqual(self.who(env)[0], "ASIAr")

    def test_programs_that_fail(self):
        for program, words in (
                ("sys.exit(3)", r"failed \(exit code 3\)"),
                (self.printed() + "sys.stdout.flush()\nos.kill(os.getpid(), 15)", "by signal 15"),
                ("", "version 1"), ("print('x' * 100)", "version 1"),
                (self.printed(Version=2), "version 1"), (self.printed(Version="1"), "version 1"),
                (self.printed(SecretAccessKey=""), "not whole"),
                (self.printed(Expiration="soon"), "is not one"),
                ("print('x' * 70000)", "more than 64 KiB"),
                ("import itertools\nfor i in itertools.count(): print('x' * 999)",
                 "more than 64 KiB")):
            code, out, err = self.scan(env=self.process(program))
            self.assertEqual(code, 2, program)
            self.assertRegex(err, "Credentials by the profile p: .*" + words)
            self.assertNotIn("verysecretvalue", out + err)
        for command, words in (("/no/such/program", "could not be started"), ("'a", "quote"),
                               ("x " * 300, "256 words"), ("''", "could not be started")):
            self.refused(self.config(f"[profile p]\ncredential_process = {command}\n"), words)

    def test_container(self):
        self.fake.credentials = {"/creds": (200, self.keys_text("AKIDBOX", 60))}
        env = {"AWS_ENDPOINT_URL": self.fake.url, "AWS_REGION": REGION,
               "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.fake.url + "/creds",
               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self.file("token", "Bearer abc\n")}
        self.assertEqual(self.who(env), ("AKIDBOX", REGION, "t-AKIDBOX"))
        asked = [a for a in self.fake.asked if a[1] == "/creds"]
        self.assertEqual(asked[0][3]["Authorization"], "Bearer abc")
        self.assertEqual(len(asked), 1)
        for url in ("http://example.com/creds", "http://127.example.com/creds",
                    "http://localhost.example.com/", "http://127.0.0.1@example.com/",
                    "http://[::1]x.example.com/", "http://[::1]@example.com/", "ftp://127.0.0.1/",
                    "http://127.0.0.1:80@example.com/", "http://169.254.170.2.example.com/"):
            env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
            code, _, err = self.scan(env=env)
            self.assertEqual(code, 2)
            self.assertIn("neither https nor", err, url)

    def test_instance(self):
        at = "/latest/meta-data/iam/security-credentials/"
        self.fake.credentials = {"/latest/api/token": (200, "session"), at: (200, "my-role"),
                                 at + "my-role": (200, self.keys_text("AKIDROLE", 60))}
        env = {"AWS_ENDPOINT_URL": self.fake.url, "AWS_REGION": REGION,
               "AWS_EC2_METADATA_DISABLED": "false",
               "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.fake.url + "/"}
        self.assertEqual(self.who(env), ("AKIDROLE", REGION, "t-AKIDROLE"))
        first = self.fake.asked[0]
        self.assertEqual(first[:2], ("PUT", "/latest/api/token"))
        self.assertEqual(self.fake.asked[1][3]["x-aws-ec2-metadata-token"], "session")
        self.fake.credentials = {"/latest/api/token": (404, "")}
        code, _, err = self.scan(env=env)
        self.assertEqual(code, 2)
        self.assertIn("No AWS credentials were found", err)
        code, _, err = self.scan(env={"AWS_ENDPOINT_URL": self.fake.url})
        self.assertEqual(code, 2)
        self.assertIn("AWS_ACCESS_KEY_ID", err)

    def test_keys_that_expire_are_renewed(self):
        self.fake.credentials = {"/creds": (200, self.keys_text("AKIDOLD", 60))}
        env = {"AWS_ENDPOINT_URL": self.fake.url, "AWS_REGION": REGION,
               "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.fake.url + "/creds"}
        ids = self.fill(4)

        def expired(h, count):
            if "AKIDOLD" not in h.headers["Authorization"]:
                return False
            self.fake.credentials = {"/creds": (200, self.keys_text("AKIDNEW", 60))}
            self.fake.error(h, 400, "ExpiredToken")
            return True

        for name in self.fake.objects:
            self.fake.faults[name] = expired
        code, out, err = self.scan(env=env)
        self.assertEqual((code, found(out)), (1, ids), err)

    def test_keys_with_little_time_left_are_asked_for_once(self):
        self.fake.credentials = {"/creds": (200, self.keys_text("AKIDSHORT", 2))}
        env = {"AWS_ENDPOINT_URL": self.fake.url, "AWS_REGION": REGION,
               "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.fake.url + "/creds"}
        ids = self.fill(20)
        code, out, err = self.scan(env=env)
        self.assertEqual((code, found(out)), (1, ids), err)
        self.assertEqual(len([a for a in self.fake.asked if a[1] == "/creds"]), 1)

    def test_no_secret_is_ever_printed(self):
        self.fill(1)
        self.fake.faults["LIST"] = self.fake.failing(99, 403, "InvalidAccessKeyId")
        env = dict(self.env, AWS_SECRET_ACCESS_KEY="verysecretvalue", AWS_SESSION_TOKEN="mytoken")
        code, out, err = self.scan(env=env)
        self.assertEqual(code, 2)
        for word in ("verysecretvalue", "mytoken"):
            self.assertNotIn(word, out + err)

    # -- verify --
    def chain(self, key, **more):
        t = digests.Trail(lambda k, d, m=None: self.fake.put("buck", k, d, m), key, **more)
        return t.hours(3, logs=2)

    def verify(self, *args, env=None):
        code, out, err = ward("verify", "--json", *args, "s3://buck/p", env=env or self.env)
        return code, json.loads(out) if out else None, err

    def test_keys_from_the_api(self):
        key = digests.Key(self.tmp.name)
        self.chain(key)
        self.chain(key, region="us-east-1")
        self.fake.keys = [key.listed()]
        code, j, err = self.verify()
        self.assertEqual(code, 0, (j, err))
        self.assertEqual(j["keys"], 2)
        calls = self.fake.key_calls
        regions = sorted(re.search(r"/(\w+-\w+-\d)/cloudtrail/", c[1])[1] for c in calls)
        self.assertEqual(regions, ["eu-west-1", "us-east-1"])
        start = digests.START.timestamp()
        self.assertLessEqual(calls[0][0]["StartTime"], start)
        self.assertGreaterEqual(calls[0][0]["EndTime"], start + 3 * 3600)
        self.fake.keys = []
        code, j, _ = self.verify()
        self.assertEqual((code, {f["kind"] for f in j["findings"]}), (1, {"no-key"}))

    def test_verify_faults(self):
        key = digests.Key(self.tmp.name)
        t = self.chain(key)
        self.fake.faults = {"buck/" + t.logs[2]: self.fake.failing(99, 403, "AccessDenied"),
                            "buck/" + t.digests[2]: self.fake.failing(2),
                            "buck/" + t.logs[0]: self.fake.cutting("buck/" + t.logs[0], 1)}
        code, j, _ = self.verify("--keys", key.pem)
        self.assertEqual(code, 2)
        self.assertEqual([f["kind"] for f in j["findings"]], ["unreadable"])
        self.assertIn("AccessDenied (403)", j["findings"][0]["text"])
        self.assertEqual(j["coverage"][0]["proven_hours"], 2)

    def test_a_replica_in_another_bucket(self):
        key = digests.Key(self.tmp.name)
        self.chain(key, bucket="original")
        self.assertEqual(self.verify("--keys", key.pem)[0], 0)

    def test_a_log_file_under_another_prefix(self):
        key = digests.Key(self.tmp.name)
        t = self.chain(key)
        data, meta = self.fake.objects.pop("buck/" + t.logs[0])
        self.fake.put("buck", "p/q/" + t.logs[0], data, meta)
        code, j, _ = self.verify("--keys", key.pem)
        self.assertEqual((code, [f["kind"] for f in j["findings"]]), (1, ["log-moved"]))


if __name__ == "__main__":
    unittest.main()

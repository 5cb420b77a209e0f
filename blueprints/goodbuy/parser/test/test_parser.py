"""The log parser, seen from outside: the real executable between a Runtime API, an S3 and an SNS of
the test's own. Usage: test_parser.py BOOTSTRAP PARSER_ZIP SOURCE_ROOT"""
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import zipfile

BOOTSTRAP = os.path.abspath(sys.argv.pop(1))
ZIP = os.path.abspath(sys.argv.pop(1))
SOURCE_ROOT = sys.argv.pop(1)
sys.path.insert(0, os.path.join(SOURCE_ROOT, "runtimes/c/test"))
sys.dont_write_bytecode = True
import fakeaws  # noqa: E402

with open(BOOTSTRAP, "rb") as executable:
    SANITIZED = b"__asan_init" in executable.read()
TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
OTHER_TOPIC = "arn:aws:sns:eu-west-1:123456789012:others"
KEY = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/a b+c~é.json.gz"


def entry(source="iam", regexp="Create", topic=TOPIC, **more):
    return dict({"source": source, "regexp": regexp,
                 "sns": {"region": topic.split(":")[3], "topicARN": topic}}, **more)


def record(name="CreateUser", source="iam.amazonaws.com", n=1, **more):
    return dict({
        "eventVersion": "1.08", "eventName": name, "eventSource": source,
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/ann",
                         "accountId": "123456789012"},
        "eventTime": "2026-01-02T03:04:05Z", "awsRegion": "us-east-1",
        "requestParameters": {"userName": "bob", "tags": ["x y"]},
        "recipientAccountId": "123456789012",
        "eventID": "00000000-0000-4000-8000-%012d" % n}, **more)


def notification(key=KEY, bucket="trail-logs", version=None, etag="0", name="ObjectCreated:Put"):
    obj = {"key": urllib.parse.quote_plus(key, safe="/"), "size": 1, "eTag": etag}
    if version:
        obj["versionId"] = version
    return {"eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": name,
            "s3": {"bucket": {"name": bucket}, "object": obj}}


def event(*args, **more):
    return {"Records": [notification(*args, **more)]}


class Case(unittest.TestCase):
    tls = None

    def setUp(self):
        self.aws = fakeaws.Aws(tls=self.tls)
        self.api = fakeaws.RuntimeApi()
        self.process = None

    def tearDown(self):
        if self.process is not None:
            # It ends by itself, so that a build with sanitizers looks for leaks.
            self.api.end()
            _, err = self.process.communicate(timeout=60)
            self.assertEqual(self.process.returncode, 1, err)
        for server in (self.aws.server, self.api.server):
            server.shutdown()
            server.server_close()
        self.assertEqual(self.aws.signature_faults, [])

    def start(self, config=None, **env):
        if config is not None:
            self.config(config)
        all_env = dict(self.aws.environment(), CONFIG_BUCKET="conf-bucket",
                       AWS_LAMBDA_RUNTIME_API=self.api.address, **env)
        all_env = {k: v for k, v in all_env.items() if v is not None}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                all_env[name] = os.environ[name]
        self.process = subprocess.Popen([BOOTSTRAP], env=all_env, stderr=subprocess.PIPE)

    def config(self, config, key="filter_config.json"):
        data = config if isinstance(config, bytes) else json.dumps(config).encode()
        self.aws.objects["conf-bucket", key] = data

    def put(self, records, key=KEY, bucket="trail-logs"):
        data = records if isinstance(records, bytes) else \
            gzip.compress(json.dumps({"Records": records}).encode())
        self.aws.objects[bucket, key] = data

    def ok(self, ev, **more):
        kind, _, body = self.api.invoke(ev, **more)
        self.assertEqual(kind, "response", body)
        return json.loads(body)

    def fails(self, ev, **more):
        kind, _, body = self.api.invoke(ev, **more)
        self.assertEqual(kind, "error", body)
        return json.loads(body)

    def names(self):
        return [m["Message"].split("\n")[0][len("Event: "):] for m in self.aws.published]


class Matching(Case):
    def test_message(self):
        self.start(entry())
        self.put([record(), record("GetUser", n=2), record("CreateKey", "kms.amazonaws.com", 3)])
        self.assertEqual(self.ok(event()), {"files": 1, "skipped": 0, "repeated": 0, "records": 3,
                                            "alerts": 1})
        self.assertEqual(self.aws.published, [{
            "Action": "Publish", "Version": "2010-03-31", "TopicArn": TOPIC,
            "Subject": "CreateUser (iam.amazonaws.com)",
            "Message": "Event: CreateUser\nSource: iam.amazonaws.com\n"
                       "Request parameters: {\"userName\":\"bob\",\"tags\":[\"x y\"]}\n"
                       "Region: us-east-1\nAccount: 123456789012\n"
                       "Principal: arn:aws:iam::123456789012:user/ann\n"
                       "Time: 2026-01-02T03:04:05Z\n"
                       "Event ID: 00000000-0000-4000-8000-000000000001"}])

    def test_list_names_and_topics(self):
        self.start([entry(name="IAM changes", severity="HIGH"),
                    entry(".", "User$", OTHER_TOPIC),
                    dict(entry(), sns={"topicARNs": [TOPIC, OTHER_TOPIC]})])
        self.put([record()])
        self.assertEqual(self.ok(event())["alerts"], 4)
        self.assertEqual([m["TopicArn"] for m in self.aws.published],
                         [TOPIC, OTHER_TOPIC, TOPIC, OTHER_TOPIC])
        first = self.aws.published[0]
        self.assertEqual(first["Subject"], "HIGH: IAM changes: CreateUser (iam.amazonaws.com)")
        self.assertIn("\nRule: IAM changes\nSeverity: HIGH\n", first["Message"])

    def test_unanchored_and_case_sensitive(self):
        self.start([entry("amazon", "User")])
        self.put([record("CreateUser", n=1), record("createuser", n=2),
                  record("UserX", "AMAZON", n=3), record("XUserX", n=4)])
        self.ok(event())
        self.assertEqual(self.names(), ["CreateUser", "XUserX"])

    def test_no_match(self):
        self.start(entry("^kms", "Create"))
        self.put([record()])
        self.assertEqual(self.ok(event())["alerts"], 0)
        self.assertEqual(self.aws.published, [])

    def test_duplicate_event_ids(self):
        self.start([entry(), entry(".", "."), ])
        self.put([record(n=1), record(n=2), record(n=1), record(n=2)])
        self.assertEqual(self.ok(event())["alerts"], 4)

    def test_records_without_id_or_members(self):
        self.start(entry(".", "Create"))
        odd = record()
        del odd["eventID"]
        self.put([odd, odd, {}, {"eventName": 5, "eventSource": None},
                  {"eventName": "Create", "eventSource": "x", "requestParameters": None}])
        self.assertEqual(self.ok(event())["alerts"], 3)
        self.assertEqual(self.aws.published[2]["Message"],
                         "Event: Create\nSource: x\nRequest parameters: null\nRegion: ")

    def test_values_cannot_add_lines(self):
        self.start(entry(".", "."))
        self.put([record("Create\nSeverity: none", requestParameters={"a": "b\nRegion: x"})])
        self.ok(event())
        message = self.aws.published[0]["Message"]
        self.assertTrue(message.startswith("Event: Create Severity: none\nSource: "), message)
        self.assertIn('{"a":"b\\nRegion: x"}\n', message)

    def test_other_settings(self):
        self.config([entry()], "dir/my config.json")
        self.start(CONFIG_KEY="dir/my config.json")
        self.put([record()])
        self.assertEqual(self.ok(event())["alerts"], 1)

    def test_version(self):
        self.start(entry())
        self.put([record()])
        self.ok(event(version="a/b+c="))
        self.assertEqual(self.aws.count("?versionId=a%2Fb%2Bc%3D"), 1)


class Events(Case):
    def test_skips(self):
        self.start(entry())
        self.put([record()])
        digest = "AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/01/02/d.json.gz"
        ev = {"Records": [notification(digest), notification("AWSLogs/x/readme.txt"),
                          notification(name="ObjectRemoved:Delete"), notification()]}
        self.assertEqual(self.ok(ev), {"files": 1, "skipped": 3, "repeated": 0, "records": 1,
                                       "alerts": 1})
        self.assertEqual(self.aws.count("Digest"), 0)

    def test_s3_test_event(self):
        self.start(entry())
        self.assertEqual(self.ok({"Service": "Amazon S3", "Event": "s3:TestEvent",
                                  "Bucket": "trail-logs"})["files"], 0)

    def test_not_a_notification(self):
        self.start(entry())
        for ev in ({}, [], {"Records": {}}, {"Records": [{}]}, b"nonsense",
                   {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "%zz"}}}]}):
            error = self.fails(ev)
            self.assertEqual(error["errorType"], "InvalidInput", ev)
            self.assertIn("not a notification of S3", error["errorMessage"])

    def test_bucket_that_is_no_bucket(self):
        self.start(entry())
        for bucket in ("a/../b", "evil.example/", "A", "x" * 64, "a..b"):
            self.assertIn("bucket", self.fails(event(bucket=bucket))["errorMessage"])

    def test_same_file_again(self):
        self.start(entry())
        self.put([record()])
        self.assertEqual(self.ok(event(etag="1"))["alerts"], 1)
        self.assertEqual(self.ok(event(etag="1"))["repeated"], 1)
        self.assertEqual(self.ok(event(etag="2"))["alerts"], 1)
        self.assertEqual(len(self.aws.published), 2)

    def test_one_bad_file_does_not_stop_the_others(self):
        self.start(entry())
        self.put([record()])
        error = self.fails({"Records": [notification("gone.json.gz"), notification()]})
        self.assertEqual(error["errorType"], "NotFound")
        self.assertIn("s3://trail-logs/gone.json.gz", error["errorMessage"])
        self.assertIn("NoSuchKey", error["errorMessage"])
        self.assertEqual(len(self.aws.published), 1)


class Configuration(Case):
    def test_invalid_names_the_entry(self):
        self.start([entry(), entry(regexp="(", name="broken one")])
        self.put([record()])
        error = self.fails(event())
        self.assertEqual(error["errorType"], "InvalidConfiguration")
        self.assertIn('entry 2 ("broken one"): regexp', error["errorMessage"])
        self.assertEqual(self.aws.published, [])
        self.config(entry())
        self.assertEqual(self.ok(event())["alerts"], 1)

    def test_missing(self):
        self.start()
        error = self.fails(event())
        self.assertEqual(error["errorType"], "NotFound")
        self.assertIn("s3://conf-bucket/filter_config.json", error["errorMessage"])

    def test_read_once_within_a_minute(self):
        self.start(entry())
        for i in range(3):
            self.put([record()], "f%d.json.gz" % i)
            self.ok(event("f%d.json.gz" % i))
        self.assertEqual(self.aws.count("filter_config"), 1)

    def test_read_again_only_when_it_changed(self):
        self.start(entry(), CONFIG_MAX_AGE_SECONDS="0")
        self.put([record()])
        for i in range(3):
            self.ok(event(etag=str(i)))
        self.assertEqual(self.aws.count("filter_config", 200), 1)
        self.assertEqual(self.aws.count("filter_config", 304), 2)
        self.assertEqual(len(self.aws.published), 3)
        self.config(entry(regexp="Delete"))
        self.assertEqual(self.ok(event(etag="3"))["alerts"], 0)
        self.config([])
        self.assertIn("the list is empty", self.fails(event(etag="4"))["errorMessage"])

    def test_init_errors(self):
        for env, word in (({"CONFIG_BUCKET": None}, "CONFIG_BUCKET"),
                          ({"CONFIG_MAX_AGE_SECONDS": "61"}, "CONFIG_MAX_AGE_SECONDS"),
                          ({"AWS_REGION": None}, "AWS_REGION"),
                          ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY")):
            env = dict(self.aws.environment(), CONFIG_BUCKET="conf-bucket",
                       AWS_LAMBDA_RUNTIME_API=self.api.address) | env
            env = {k: v for k, v in env.items() if v is not None}
            self.process = subprocess.Popen([BOOTSTRAP], env=env, stderr=subprocess.PIPE)
            _, body = self.api.init_errors.get(timeout=20)
            self.assertIn(word, body["errorMessage"])
            self.process.communicate(timeout=20)
            self.assertEqual(self.process.returncode, 1)
        self.process = None


class Files(Case):
    def test_not_sound(self):
        self.start(entry())
        good = gzip.compress(json.dumps({"Records": [record(n=i) for i in range(50)]}).encode())
        torn_json = gzip.compress(b'{"Records":[{"eventName":"x"},{"eventName"')
        cases = {"plain": (b'{"Records":[]}', "gzip"), "torn": (good[:-20], "too early"),
                 "tail": (good + b"x", "follow"), "empty": (b"", "too early"),
                 "json": (torn_json, "too early, after 1 records"),
                 "bad": (gzip.compress(b'{"Records":[{"a":1,}]}'), "not the JSON"),
                 "list": (gzip.compress(b"[]"), "not an object"),
                 "none": (gzip.compress(b"{}"), "no list of records")}
        for name, (data, words) in cases.items():
            self.put(data, name + ".json.gz")
            error = self.fails(event(name + ".json.gz"))
            self.assertEqual(error["errorType"], "CorruptData", name)
            self.assertIn(words, error["errorMessage"], name)

    def test_what_came_before_the_fault_is_alerted_once(self):
        self.start(entry())
        text = json.dumps({"Records": [record(n=i) for i in range(5)]}).encode()
        self.put(gzip.compress(text[:-1] + b",,}"))
        for _ in range(3):
            self.fails(event())
        self.assertEqual(len(self.aws.published), 5)

    def test_bomb(self):
        self.start(entry())
        self.put(gzip.compress(b'{"Records":[' + b" " * (257 * 1024 * 1024) + b"]}", 1))
        error = self.fails(event())
        self.assertEqual(error["errorType"], "LimitExceeded")
        self.assertIn("inflates to more than 268435456 bytes", error["errorMessage"])
        with open("/proc/%d/status" % self.process.pid) as f:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))
        if not SANITIZED:
            self.assertLess(peak, 64 * 1024)

    def test_huge_record(self):
        self.start(entry())
        self.put([record(), record(n=2, requestParameters={"a": "x" * (1024 * 1024)})])
        self.assertEqual(self.fails(event())["errorType"], "LimitExceeded")
        self.put([record(n=3, requestParameters={"a": "x" * 900_000})], "big.json.gz")
        self.assertEqual(self.ok(event("big.json.gz"))["alerts"], 1)
        self.assertIn("bytes in all)\nRegion: us-east-1\n", self.aws.published[-1]["Message"])

    def test_large_file(self):
        self.start(entry("iam", "^CreateUser$"))
        names = ["CreateUser", "GetUser", "ListUsers", "DeleteUser"]
        self.put([record(names[i % 4] if i % 100 == 0 else "GetUser", n=i)
                  for i in range(40000)])
        result = self.ok(event())
        self.assertEqual((result["records"], result["alerts"]), (40000, 400))

    def test_chunked_answers(self):
        self.aws.chunked = True
        self.start(entry())
        self.put([record(n=i, pad=hashlib.sha512(b"%d" % i).hexdigest()) for i in range(300)])
        self.assertEqual(self.ok(event())["alerts"], 300)


class Trouble(Case):
    def test_retries(self):
        self.start(entry())
        self.put([record()])
        self.aws.faults = [("filter_config", 503), ("filter_config", "close"),
                           ("json.gz", "cut"), ("json.gz", 500),
                           ("Publish", (400, "Throttling")), ("Publish", 429)]
        self.assertEqual(self.ok(event())["alerts"], 1)
        self.assertEqual(self.aws.faults, [])
        self.assertEqual(len(self.aws.published), 1)

    def test_three_attempts_and_then_where_it_stopped(self):
        self.start(entry())
        self.put([record("CreateA", n=1), record("CreateB", n=2), record("CreateC", n=3)])
        published = []
        self.aws.published = Stopper(published, 1, self.aws)
        error = self.fails(event())
        self.assertEqual(error["errorType"], "ServiceFailure")
        self.assertIn("answered 503", error["errorMessage"])
        self.assertEqual(self.aws.count("/", 503), 3)
        self.assertEqual(self.ok(event())["alerts"], 2)
        self.assertEqual([m["Message"].split("\n")[0] for m in published],
                         ["Event: CreateA", "Event: CreateB", "Event: CreateC"])

    def test_not_retried(self):
        self.start(entry())
        self.put([record()])
        self.aws.faults = [("json.gz", (403, "AccessDenied"))]
        error = self.fails(event())
        self.assertEqual(error["errorType"], "AccessDenied")
        self.assertEqual(self.aws.count("json.gz"), 1)

    def test_missing_topic_does_not_hold_others_back(self):
        self.start([entry(topic=OTHER_TOPIC), entry()])
        self.put([record(n=1), record(n=2)])
        self.aws.topics_missing.add(OTHER_TOPIC)
        error = self.fails(event())
        self.assertEqual(error["errorType"], "NotFound")
        self.assertIn("2 alerts were refused", error["errorMessage"])
        self.assertIn(OTHER_TOPIC, error["errorMessage"])
        self.assertEqual([m["TopicArn"] for m in self.aws.published], [TOPIC, TOPIC])

    def test_no_time(self):
        self.start(entry())
        self.put([record()])
        error = self.fails(event(), seconds=0)
        self.assertEqual(error["errorType"], "Timeout")
        self.assertEqual(self.ok(event())["alerts"], 1)

    def test_nobody_there(self):
        self.start(entry(), AWS_ENDPOINT_URL_SNS="http://127.0.0.1:1")
        self.put([record()])
        error = self.fails(event())
        self.assertEqual(error["errorType"], "ServiceFailure")
        self.assertIn("connect", error["errorMessage"])


class Stopper(list):
    """Lets `n` messages through, then makes SNS fail three times."""

    def __init__(self, into, n, aws):
        super().__init__()
        self.into, self.n, self.aws = into, n, aws

    def append(self, form):
        self.into.append(form)
        if len(self.into) == self.n:
            self.aws.faults.extend([("Publish", 503)] * 3)


@unittest.skipUnless(shutil.which("openssl"), "needs the openssl command")
class Tls(Case):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.make("good", "IP:127.0.0.1")
        cls.make("elsewhere", "DNS:localhost.example,IP:127.0.0.2")

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir.name, name)

    @classmethod
    def make(cls, name, names):
        def openssl(*args):
            subprocess.run(["openssl", *args], check=True, capture_output=True)
        ca, leaf = cls.path(name + "-ca"), cls.path(name)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                "/CN=Test CA " + name, "-keyout", ca + ".key", "-out", ca + ".pem")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=leaf", "-keyout",
                leaf + ".key", "-out", leaf + ".csr")
        with open(leaf + ".ext", "w") as f:
            f.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\n" % names)
        openssl("x509", "-req", "-in", leaf + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key",
                "-CAcreateserial", "-days", "2", "-extfile", leaf + ".ext", "-out", leaf + ".pem")

    def setUp(self):
        name = "elsewhere" if "elsewhere" in self.id() else "good"
        self.tls = (self.path(name + ".pem"), self.path(name + ".key"))
        super().setUp()
        self.put([record()])

    def test_trusted(self):
        self.start(entry(), AWS_CA_BUNDLE=self.path("good-ca.pem"))
        self.assertEqual(self.ok(event())["alerts"], 1)
        self.put([record(n=i) for i in range(200)], "more.json.gz")
        self.assertEqual(self.ok(event("more.json.gz"))["alerts"], 200)

    def test_trusted_by_ssl_cert_file(self):
        self.start(entry(), SSL_CERT_FILE=self.path("good-ca.pem"))
        self.assertEqual(self.ok(event())["alerts"], 1)

    def test_unknown_authority(self):
        self.start(entry(), AWS_CA_BUNDLE=self.path("elsewhere-ca.pem"))
        error = self.fails(event())
        self.assertEqual(error["errorType"], "AccessDenied")
        self.assertIn("certificate of 127.0.0.1 is not trusted", error["errorMessage"])

    def test_the_machine_s_authorities_when_none_are_named(self):
        self.start(entry())
        error = self.fails(event())
        self.assertEqual(error["errorType"], "AccessDenied")
        self.assertRegex(error["errorMessage"], "is not trusted|no certificates to trust")

    def test_certificate_for_elsewhere(self):
        self.start(entry(), AWS_CA_BUNDLE=self.path("elsewhere-ca.pem"))
        error = self.fails(event())
        self.assertEqual(error["errorType"], "AccessDenied")
        self.assertIn("IP address mismatch", error["errorMessage"])

    def test_bundle_that_is_not_there(self):
        self.start(entry(), AWS_CA_BUNDLE=self.path("nothing.pem"))
        self.assertIn("could not be read", self.fails(event())["errorMessage"])


DATA = os.path.join(os.environ.get("WARD_DATA") or os.path.join(SOURCE_ROOT, "../shared/data"),
                    "cloudtrail")


def read_real(path):
    """The records of a file of {"Records":[…]}, or of one record a line (the text is made the
    former, since that is what CloudTrail writes)."""
    with open(path, "rb") as f:
        text = f.read()
    try:
        doc = json.loads(text)
        records = doc["Records"] if isinstance(doc, dict) and "Records" in doc else [doc]
    except ValueError:
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
        text = None
    if text is None or b'"Records"' not in text[:200]:
        text = json.dumps({"Records": records}).encode()
    return records, text


@unittest.skipUnless(os.path.isdir(DATA), "no real logs at WARD_DATA")
class RealLogs(Case):
    def test_like_python(self):
        config = entry("iam|kms|s3|sts|ec2", "^(Create|Delete|Put|Disable|Stop).*")
        self.start(config)
        paths = sorted(glob.glob(os.path.join(DATA, "**", "*.json"), recursive=True))
        self.assertTrue(paths)
        want, total = set(), 0
        for i, path in enumerate(paths):
            records, text = read_real(path)
            key = "AWSLogs/x/CloudTrail/%d.json.gz" % i
            self.put(gzip.compress(text), key)
            self.assertEqual(self.ok(event(key))["records"], len(records))
            total += len(records)
            want |= {(r.get("eventID"), r["eventName"]) for r in records
                     if re.search(config["source"], r["eventSource"])
                     and re.search(config["regexp"], r["eventName"])}
        got = set()
        for m in self.aws.published:
            lines = dict(line.split(": ", 1) for line in m["Message"].split("\n"))
            got.add((lines.get("Event ID"), lines["Event"]))
        print("%d files, %d records, %d alerts" % (len(paths), total, len(self.aws.published)),
              file=sys.stderr)
        self.assertTrue(want)
        self.assertEqual(got, want)


class Package(unittest.TestCase):
    def test_zip(self):
        with zipfile.ZipFile(ZIP) as z:
            info = z.getinfo("bootstrap")
            self.assertEqual(z.namelist(), ["bootstrap"])
            self.assertEqual(info.external_attr >> 16, 0o100755)
            self.assertEqual(info.date_time, (1980, 1, 1, 0, 0, 0))
            with open(BOOTSTRAP, "rb") as f:
                self.assertEqual(z.read("bootstrap"), f.read())

    def test_static(self):
        if SANITIZED:
            self.skipTest("a build with sanitizers is not static")
        with open(BOOTSTRAP, "rb") as f:
            data = f.read()
        self.assertNotIn(b"ld-linux", data[:4096])  # no interpreter is asked for
        self.assertLess(len(data), 12 * 1024 * 1024)


if __name__ == "__main__":
    unittest.main(verbosity=2)

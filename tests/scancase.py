"""What the tests of s3:// in `ward scan` and `ward verify` share: a command that is run with nothing
of the caller's environment, and a fake S3 with one's own AWS configuration before it."""
import datetime
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "scan",
                                "test"))
import digests  # noqa: E402
from fakes3 import FakeS3  # noqa: E402
from wardtest import REGION, WARD  # noqa: E402

FAKE_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
BASE = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true",
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "detect_leaks=1")}


def ward(*args, env=None, timeout=180):
    """Without a terminal."""
    p = subprocess.run([WARD, *args], capture_output=True, text=True, timeout=timeout,
                       env=dict(BASE, **(env or {})), start_new_session=True)
    return p.returncode, p.stdout, p.stderr


def log_file(*ids, fill=0):
    noise = random.Random(ids[0])
    records = [digests.record(i) for i in ids]
    for r in records:
        r["fill"] = noise.randbytes(fill).hex()
    return gzip.compress(json.dumps({"Records": records}).encode())


def found(out):
    return sorted({json.loads(x)["eventID"] for x in out.splitlines()})


class FakeCase(unittest.TestCase):
    def setUp(self):
        self.fake = FakeS3()
        self.env = dict(FAKE_KEYS, AWS_ENDPOINT_URL=self.fake.url, AWS_REGION=REGION)
        self.tmp = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.fake.close()
        self.tmp.cleanup()

    def file(self, name, text):
        path = os.path.join(self.tmp.name, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def scan(self, *args, env=None, url="s3://buck/"):
        return ward("scan", "--format", "jsonl", "--no-summary", *args, url,
                    env=env or self.env)

    def fill(self, n, fill=0):
        for i in range(n):
            self.fake.put("buck", f"{i:04}.json.gz", log_file(i, fill=fill))
        return sorted(f"id-{i}" for i in range(n))

    # -- whose keys --
    def who(self, env, files=()):
        """The access key id, region and token of the first request."""
        self.fill(1)
        self.fake.asked.clear()
        code, _, err = self.scan(env=env)
        self.assertEqual(code, 1, err)
        h = [a[3] for a in self.fake.asked if "list-type=2" in a[2]][0]
        m = re.search(r"Credential=([^/]+)/\d+/([^/]+)/s3/", h["authorization"])
        return m[1], m[2], h.get("x-amz-security-token")

    def sts(self, form):
        """Keys that say which role they are of."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        name = form["RoleArn"].rsplit("/", 1)[1]
        return 200, f"""<{form["Action"]}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<{form["Action"]}Result><Credentials><AccessKeyId>ASIA{name}</AccessKeyId>
<SecretAccessKey>s{name}</SecretAccessKey><SessionToken>t{name}</SessionToken>
<Expiration>{digests.iso(end)}</Expiration></Credentials></{form["Action"]}Result>
</{form["Action"]}Response>"""

    def config(self, text, **env):
        self.fake.sts = self.sts
        self.fake.sts_calls.clear()
        env.setdefault("AWS_PROFILE", "p")
        return dict({"AWS_CONFIG_FILE": self.file("config", text), "AWS_REGION": REGION,
                     "AWS_SHARED_CREDENTIALS_FILE": self.file("credentials", ""),
                     "AWS_ENDPOINT_URL": self.fake.url}, **env)

    def refused(self, env, words):
        code, _, err = self.scan(env=env)
        self.assertEqual(code, 2, err)
        self.assertRegex(err, words)

    ROLE = "role_arn = arn:aws:iam::111122223333:role/path/"

    def end_keys(self, key):
        """Of what was put: requests with this key, or with what begins with it, are refused."""
        def ended(h, count):
            old = f"Credential={key}" in h.headers["Authorization"]
            if old:
                self.fake.error(h, 400, "ExpiredToken")
            return old

        for name in self.fake.objects:
            self.fake.faults[name] = ended

    def keys_text(self, key, minutes):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        return json.dumps({"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t-" + key,
                           "Expiration": digests.iso(end)})

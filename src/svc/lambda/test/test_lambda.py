"""Lambda as boto3 sees it: functions, calls of every kind, and what a hostile function can reach."""
import base64
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
import uuid
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = os.path.dirname(os.path.abspath(__file__))
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
     "Action": "sts:AssumeRole"}]}
LOGS = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream",
                                   "logs:PutLogEvents"], "Resource": "*"}]}


def client(name, creds=None):
    extra = {}
    if creds:
        extra = dict(aws_access_key_id=creds["AccessKeyId"],
                     aws_secret_access_key=creds["SecretAccessKey"])
    return boto3.client(name, config=Config(retries={"max_attempts": 0}, read_timeout=90), **extra)


def code(error):
    return error.exception.response["Error"]["Code"]


def eventually(check, what, timeout=20):
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (timeout, what))
        time.sleep(0.05)


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, (content, mode) in files.items():
            info = zipfile.ZipInfo(name.replace("__", "/"))
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, content)
    return out.getvalue()


class Base(unittest.TestCase):
    """One bootstrap and one role for all."""

    @classmethod
    def setUpClass(cls):
        cls.lam, cls.iam, cls.logs = client("lambda"), client("iam"), client("logs")
        cls.account = client("sts").get_caller_identity()["Account"]
        if not hasattr(Base, "binary"):
            tmp = tempfile.mkdtemp()
            subprocess.run(["gcc", "-static", "-O1", "-o", tmp + "/bootstrap",
                            os.path.join(HERE, "bootstrap.c")], check=True)
            with open(tmp + "/bootstrap", "rb") as f:
                Base.binary = f.read()
            shutil.rmtree(tmp)
            Base.zip = zipped(bootstrap=(Base.binary, 0o755), data__x=(b"hello", 0o644))
        cls.role_name = "r-" + uuid.uuid4().hex[:8]
        cls.role = cls.iam.create_role(RoleName=cls.role_name,
                                       AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        cls.iam.put_role_policy(RoleName=cls.role_name, PolicyName="logs",
                                PolicyDocument=json.dumps(LOGS))

    def create(self, **more):
        name = "f-" + uuid.uuid4().hex[:10]
        args = dict(FunctionName=name, Runtime="provided.al2023", Role=self.role,
                    Handler="h", Code={"ZipFile": self.zip}, Timeout=10)
        args.update(more)
        made = self.lam.create_function(**args)
        self.addCleanup(self.forget, args["FunctionName"])
        self.made = made
        return args["FunctionName"]

    def forget(self, name):
        try:
            self.lam.delete_function(FunctionName=name)
        except ClientError as e:
            self.assertEqual(e.response["Error"]["Code"], "ResourceNotFoundException")

    def call(self, name, lam=None, **event):
        r = (lam or self.lam).invoke(FunctionName=name, Payload=json.dumps(event))
        payload = json.loads(r["Payload"].read())
        self.assertNotIn("FunctionError", r, payload)
        return payload

    def fail_call(self, name, **event):
        r = self.lam.invoke(FunctionName=name, Payload=json.dumps(event))
        self.assertEqual(r["FunctionError"], "Unhandled")
        return json.loads(r["Payload"].read())


class FunctionTest(Base):
    def test_made_described_listed_deleted(self):
        name = self.create(Description="d", MemorySize=256, Tags={"a": "1"},
                           Environment={"Variables": {"KEY": "V"}})
        self.assertEqual(self.made["FunctionArn"],
                         f"arn:aws:lambda:us-east-1:{self.account}:function:{name}")
        self.assertEqual(self.made["CodeSha256"],
                         base64.b64encode(hashlib.sha256(self.zip).digest()).decode())
        self.assertEqual((self.made["CodeSize"], self.made["State"], self.made["Version"]),
                         (len(self.zip), "Active", "$LATEST"))
        got = self.lam.get_function(FunctionName=name)
        self.assertEqual(got["Configuration"]["MemorySize"], 256)
        self.assertEqual(got["Tags"], {"a": "1"})
        self.assertEqual(got["Configuration"]["Environment"]["Variables"], {"KEY": "V"})
        for by in (self.made["FunctionArn"], f"{self.account}:function:{name}", name + ":$LATEST"):
            self.assertEqual(self.lam.get_function_configuration(
                FunctionName=by)["FunctionName"], name)
        names = [f["FunctionName"] for p in self.lam.get_paginator("list_functions").paginate(
            PaginationConfig={"PageSize": 1}) for f in p["Functions"]]
        self.assertIn(name, names)
        with self.assertRaises(ClientError) as e:
            self.create(FunctionName=name)
        self.assertEqual(code(e), "ResourceConflictException")
        self.lam.delete_function(FunctionName=name)
        with self.assertRaises(ClientError) as e:
            self.lam.get_function(FunctionName=name)
        self.assertEqual(code(e), "ResourceNotFoundException")

    def test_what_is_refused(self):
        big = {f"KEY{i}": "x" * 500 for i in range(9)}
        for more, expected in (
                (dict(Runtime="python3.13"), "NotImplemented"),
                (dict(Runtime="cobol"), "ValidationException"),
                (dict(Timeout=901), "ValidationException"),
                (dict(MemorySize=10241), "ValidationException"),
                (dict(Environment={"Variables": {"AWS_REGION": "x"}}),
                 "InvalidParameterValueException"),
                (dict(Environment={"Variables": big}), "InvalidParameterValueException"),
                (dict(Code={"ZipFile": b"no zip"}), "InvalidParameterValueException"),
                (dict(Code={}), "InvalidParameterValueException"),
                (dict(Layers=["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]),
                 "NotImplemented"),
                (dict(KMSKeyArn=f"arn:aws:kms:us-east-1:{self.account}:key/x"), "NotImplemented"),
                (dict(Role=f"arn:aws:iam::{self.account}:role/none"),
                 "InvalidParameterValueException"),
                (dict(FunctionName="a b"), "ValidationException")):
            with self.assertRaises(ClientError) as e:
                self.create(**more)
            self.assertEqual(code(e), expected, more)

    def test_role_must_trust_lambda(self):
        trust = json.loads(json.dumps(TRUST).replace("lambda.", "ec2."))
        role = self.iam.create_role(RoleName="r-" + uuid.uuid4().hex[:8],
                                    AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        with self.assertRaises(ClientError) as e:
            self.create(Role=role)
        self.assertEqual(code(e), "InvalidParameterValueException")
        self.assertIn("cannot be assumed by Lambda", e.exception.response["Error"]["Message"])

    def test_trust_taken_away_later(self):
        name = self.create()
        self.iam.update_assume_role_policy(
            RoleName=self.role_name,
            PolicyDocument=json.dumps(TRUST).replace("lambda.", "ec2."))
        self.addCleanup(self.iam.update_assume_role_policy, RoleName=self.role_name,
                        PolicyDocument=json.dumps(TRUST))
        with self.assertRaises(ClientError) as e:
            self.lam.invoke(FunctionName=name)
        self.assertEqual(code(e), "AccessDeniedException")

    def test_hostile_archives(self):
        def crafted(name, attr=(0o100755 << 16), content=b"x", twice=False):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as z:
                for _ in range(2 if twice else 1):
                    info = zipfile.ZipInfo("PLACEHOLDER"[:len(name)].ljust(len(name), "_"))
                    info.external_attr = attr
                    z.writestr(info, content)
            return out.getvalue().replace("PLACEHOLDER"[:len(name)].ljust(len(name), "_").encode(),
                                          name.encode())
        good = crafted("bootstrap")
        self.create(Code={"ZipFile": good})
        bad = {"slip": crafted("../../escape"), "absolute": crafted("/etc/cron"),
               "dot": crafted("a/./b"), "back": crafted("a\\b"), "empty": crafted("a//b"),
               "link": crafted("link", attr=0o120777 << 16, content=b"/etc/passwd"),
               "cut": good[:-5], "tail": good + b"x"}
        damaged = bytearray(good)
        damaged[30 + len("bootstrap")] ^= 1
        bad["crc"] = bytes(damaged)
        end = good.rfind(b"PK\x05\x06")
        central = good.find(b"PK\x01\x02")
        far = bytearray(good)
        struct.pack_into("<I", far, central + 42, 0x7fffffff)
        bad["offset"] = bytes(far)
        many = bytearray(good)
        struct.pack_into("<HH", many, end + 8, 9, 9)
        bad["count"] = bytes(many)
        for what, archive in bad.items():
            with self.assertRaises(ClientError, msg=what) as e:
                self.create(Code={"ZipFile": archive})
            self.assertEqual(code(e), "InvalidParameterValueException", what)

    def test_bomb(self):
        with self.assertRaises(ClientError) as e:
            self.create(Code={"ZipFile": zipped(bootstrap=(b"\0" * (251 * 1024 * 1024), 0o755))})
        self.assertEqual(code(e), "InvalidParameterValueException")
        self.assertIn("262144000", e.exception.response["Error"]["Message"])

    def test_code_from_s3(self):
        s3, bucket = client("s3"), "code-" + uuid.uuid4().hex
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="f.zip", Body=self.zip)
        name = self.create(Code={"S3Bucket": bucket, "S3Key": "f.zip"})
        self.assertEqual(self.call(name, x=1), {"x": 1})
        with self.assertRaises(ClientError) as e:
            self.lam.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="none")
        self.assertEqual(code(e), "InvalidParameterValueException")
        self.assertIn("NoSuchKey", e.exception.response["Error"]["Message"])

    def test_updates_reach_the_next_call(self):
        name = self.create(Environment={"Variables": {"KEY": "1"}})
        self.assertEqual(self.call(name, do="env")["KEY"], "1")
        self.lam.update_function_configuration(FunctionName=name, Timeout=7,
                                               Environment={"Variables": {"KEY": "2"}})
        self.assertEqual(self.call(name, do="env")["KEY"], "2")
        other = zipped(bootstrap=(self.binary, 0o755), data__x=(b"hello", 0o644),
                       data__y=(b"!", 0o644))
        r = self.lam.update_function_code(FunctionName=name, ZipFile=other)
        self.assertEqual(r["CodeSize"], len(other))
        self.assertEqual(sorted(self.call(name, do="list", arg="/var/task/data")), ["x", "y"])
        with self.assertRaises(ClientError) as e:
            self.lam.update_function_configuration(FunctionName=name, RevisionId="old", Timeout=3)
        self.assertEqual(code(e), "PreconditionFailedException")

    def test_tags_and_settings(self):
        name = self.create()
        arn = self.made["FunctionArn"]
        self.lam.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
        self.lam.untag_resource(Resource=arn, TagKeys=["a"])
        self.assertEqual(self.lam.list_tags(Resource=arn)["Tags"], {"b": "2"})
        s = self.lam.get_account_settings()
        self.assertGreaterEqual(s["AccountUsage"]["FunctionCount"], 1)

    def test_not_built_is_said(self):
        name = self.create()
        with self.assertRaises(ClientError) as e:
            self.lam.publish_version(FunctionName=name)
        self.assertEqual(code(e), "NotImplemented")

    def test_pass_role_is_asked(self):
        user = "l-" + uuid.uuid4().hex[:8]
        self.iam.create_user(UserName=user)
        theirs = client("lambda", self.iam.create_access_key(UserName=user)["AccessKey"])
        statement = [{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}]
        def put():
            self.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": statement}))
        def make():
            name = "f-" + uuid.uuid4().hex[:10]
            theirs.create_function(FunctionName=name, Runtime="provided.al2023", Role=self.role,
                                   Handler="h", Code={"ZipFile": self.zip})
            self.addCleanup(self.forget, name)
        put()
        with self.assertRaises(ClientError) as e:
            make()
        self.assertEqual(code(e), "AccessDeniedException")
        self.assertIn("iam:PassRole", e.exception.response["Error"]["Message"])
        statement.append({"Effect": "Allow", "Action": "iam:PassRole", "Resource": self.role,
                          "Condition": {"StringEquals": {
                              "iam:PassedToService": "lambda.amazonaws.com"}}})
        put()
        make()


class InvokeTest(Base):
    def test_echo_and_warm_reuse(self):
        name = self.create()
        self.assertEqual(self.call(name, hello="world"), {"hello": "world"})
        self.assertEqual(self.call(name, do="calls")["value"], 2)
        r = self.lam.invoke(FunctionName=name)
        self.assertEqual((r["StatusCode"], r["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(r["Payload"].read(), b"{}")

    def test_dry_run_and_bad_payload(self):
        name = self.create()
        self.assertEqual(self.lam.invoke(FunctionName=name,
                                         InvocationType="DryRun")["StatusCode"], 204)
        with self.assertRaises(ClientError) as e:
            self.lam.invoke(FunctionName=name, Payload=b"{no")
        self.assertEqual(code(e), "InvalidRequestContentException")
        with self.assertRaises(ClientError) as e:
            self.lam.invoke(FunctionName="missing")
        self.assertEqual(code(e), "ResourceNotFoundException")
        with self.assertRaises(ClientError) as e:
            self.lam.invoke(FunctionName=name, Qualifier="7")
        self.assertEqual(code(e), "ResourceNotFoundException")

    def test_large_payloads(self):
        name = self.create()
        text = "x" * (5 * 1024 * 1024)
        self.assertEqual(self.call(name, t=text)["t"], text)
        self.assertEqual(len(self.call(name, do="big", n=6000000)), 6000000 - 2)
        e = self.fail_call(name, do="big", n=6291557)
        self.assertEqual(e["errorType"], "Function.ResponseSizeTooLarge")
        self.assertEqual(self.call(name, x=1), {"x": 1})

    def test_errors_exits_and_crashes(self):
        name = self.create()
        self.assertEqual(self.fail_call(name, do="error"),
                         {"errorType": "Oops", "errorMessage": "as asked"})
        e = self.fail_call(name, do="exit", n=9)
        self.assertEqual(e["errorType"], "Runtime.ExitError")
        self.assertRegex(e["errorMessage"], "^RequestId: [0-9a-f-]{36} Error: Runtime exited with "
                                            "error: exit status 9$")
        e = self.fail_call(name, do="abort")
        self.assertIn("signal", e["errorMessage"])
        self.assertEqual(self.call(name, do="calls")["value"], 1)

    def test_timeout(self):
        name = self.create(Timeout=1)
        began = time.monotonic()
        e = self.fail_call(name, do="sleep", n=30000)
        self.assertLess(time.monotonic() - began, 25)  # far from what it slept for
        self.assertRegex(e["errorMessage"],
                         r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [0-9a-f-]{36} Task timed out "
                         r"after 1\.00 seconds$")
        self.assertEqual(self.call(name, x=1), {"x": 1})

    def test_timeout_of_a_function_that_never_stops_printing(self):
        name = self.create(Timeout=1)
        began = time.monotonic()
        self.assertIn("timed out", self.fail_call(name, do="flood")["errorMessage"])
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(self.call(name, x=1), {"x": 1})

    def test_a_connection_given_up_while_it_waits_takes_no_event(self):
        name = self.create(Timeout=3)
        for _ in range(12):  # more than there is room for, if they were kept
            self.call(name, do="abandon")
        self.assertEqual(self.call(name, do="calls")["value"], 13)

    def test_a_runtime_that_ends_between_calls_fails_nobody(self):
        name = self.create()
        for _ in range(5):
            self.call(name, do="bye")
        self.assertEqual(self.call(name, do="calls")["value"], 1)

    def test_client_context(self):
        name = self.create()
        def invoke(text, **more):
            return self.lam.invoke(FunctionName=name, ClientContext=text, **more)
        good = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
        self.assertEqual(invoke(good)["StatusCode"], 200)
        for bad in ("no base64!", base64.b64encode(b"{no json").decode()):
            for kind in ("RequestResponse", "Event"):
                with self.assertRaises(ClientError) as e:
                    invoke(bad, InvocationType=kind)
                self.assertEqual(code(e), "InvalidRequestContentException")
        with self.assertRaises(ClientError) as e:
            invoke(base64.b64encode(json.dumps({"a": "b" * 3000}).encode()).decode())
        self.assertEqual(code(e), "RequestTooLargeException")

    def test_init_that_fails(self):
        name = self.create(Environment={"Variables": {"FAIL_INIT": "1"}})
        e = self.fail_call(name)
        self.assertEqual(e["errorType"], "Runtime.ExitError")
        self.assertIn("exit status 7", e["errorMessage"])
        name = self.create(Code={"ZipFile": zipped(other=(b"x", 0o755))})
        e = self.fail_call(name)
        self.assertEqual(e["errorType"], "Runtime.InvalidEntrypoint")
        name = self.create(Code={"ZipFile": zipped(bootstrap=(self.binary, 0o644))})
        self.assertEqual(self.fail_call(name)["errorType"], "Runtime.InvalidEntrypoint")

    def test_init_is_not_counted(self):
        name = self.create(Timeout=1, Environment={"Variables": {"SLOW_INIT": "2000"}})
        self.assertEqual(self.call(name, x=1), {"x": 1})

    def test_tail_of_the_log(self):
        name = self.create()
        r = self.lam.invoke(FunctionName=name, LogType="Tail",
                            Payload=json.dumps({"do": "print", "arg": "in the log"}))
        tail = base64.b64decode(r["LogResult"]).decode()
        self.assertRegex(tail, "START RequestId: [0-9a-f-]{36} Version: \\$LATEST\n")
        self.assertIn("in the log\n", tail)
        self.assertRegex(tail, "REPORT RequestId: [0-9a-f-]{36}\tDuration: [0-9.]+ ms\tBilled "
                               "Duration: [0-9]+ ms\tMemory Size: 128 MB")
        r = self.lam.invoke(FunctionName=name, LogType="Tail", Payload=json.dumps(
            {"do": "print", "arg": "y" * 100, "n": 200}))
        self.assertEqual(len(base64.b64decode(r["LogResult"])), 4096)

    def test_many_at_once(self):
        from concurrent.futures import ThreadPoolExecutor
        name = self.create()
        lam = boto3.client("lambda", config=Config(max_pool_connections=16))
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda i: self.call(name, lam=lam, do="sleep", n=700), range(8)))
        self.assertEqual(len(done), 8)
        # One after another they would all have been run by one environment, which has one stream.
        streams = lambda: boto3.client("logs").describe_log_streams(
            logGroupName="/aws/lambda/" + name)["logStreams"]
        eventually(lambda: len(streams()) > 1, "the streams of several environments")

    def test_reserved_concurrency(self):
        from concurrent.futures import ThreadPoolExecutor
        name = self.create()
        self.lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
        self.assertEqual(self.lam.get_function_concurrency(
            FunctionName=name)["ReservedConcurrentExecutions"], 1)
        self.call(name, x=1)
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(self.call, name, do="sleep", n=1500)
            time.sleep(0.5)
            with self.assertRaises(ClientError) as e:
                self.lam.invoke(FunctionName=name)
            self.assertEqual(code(e), "TooManyRequestsException")
            self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 429)
            slow.result()
        self.call(name, x=1)
        self.lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        with self.assertRaises(ClientError) as e:
            self.lam.invoke(FunctionName=name)
        self.assertEqual(code(e), "TooManyRequestsException")
        self.lam.delete_function_concurrency(FunctionName=name)
        self.call(name, x=1)
        with self.assertRaises(ClientError) as e:
            self.lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
        self.assertEqual(code(e), "InvalidParameterValueException")


class SandboxTest(Base):
    """What a function can see and do, and what it cannot."""

    def test_environment_is_what_lambda_documents(self):
        name = self.create(Environment={"Variables": {"OWN": "1"}})
        env = self.call(name, do="env")
        self.assertEqual(set(env), {
            "TZ", "LANG", "PATH", "LD_LIBRARY_PATH", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT",
            "LAMBDA_RUNTIME_DIR", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",
            "SSL_CERT_FILE", "OWN"})
        self.assertEqual(env["AWS_LAMBDA_FUNCTION_NAME"], name)
        self.assertRegex(env["AWS_LAMBDA_LOG_STREAM_NAME"],
                         r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        theirs = boto3.client("sts", aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                              aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                              aws_session_token=env["AWS_SESSION_TOKEN"])
        self.assertEqual(theirs.get_caller_identity()["Arn"],
                         f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{name}")

    def test_files(self):
        name = self.create()
        self.assertEqual(sorted(self.call(name, do="list", arg="/var/task")), ["bootstrap", "data"])
        ca = os.environ.get("AWS_CA_BUNDLE", "/nowhere")
        for path in (os.path.dirname(ca), ca, "/root", "/home", "/etc/shadow", "/work", "/sys",
                     "/var/lib", "/run"):
            self.assertEqual(self.call(name, do="open", arg=path)["errno"], "ENOENT", path)
        for path in ("/x", "/var/task/x", "/usr/x", "/etc/x", "/dev/x", "/dev/shm/x",
                     "/var/runtime/x", "/var/task/bootstrap", "/proc/sys/kernel/core_pattern"):
            r = self.call(name, do="write", arg=path, n=1)
            self.assertEqual(r["value"], 0, path)
            self.assertIn(r["errno"], ("EROFS", "EACCES", "ENOENT", "EPERM", "ETXTBSY"), path)
        self.assertEqual(self.call(name, do="write", arg="/tmp/x", n=65536)["errno"], "")
        r = self.call(name, do="write", arg="/tmp/big", n=600 * 1024 * 1024)
        self.assertIn(r["errno"], ("ENOSPC", "EFBIG", "ENOMEM"))
        self.assertLessEqual(r["value"], 512 * 1024 * 1024)

    def test_network_is_ward_alone(self):
        name = self.create()
        endpoint = self.call(name, do="env")["AWS_ENDPOINT_URL"]
        port = int(endpoint.rsplit(":", 1)[1])
        self.assertEqual(self.call(name, do="connect", arg="127.0.0.1", n=port)["value"], 1)
        import socket
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            r = self.call(name, do="connect", arg="127.0.0.1", n=other.getsockname()[1])
            self.assertEqual(r, {"value": 0, "errno": "ECONNREFUSED"})
        for host in ("10.0.0.1", "169.254.169.254", "1.1.1.1"):
            self.assertEqual(self.call(name, do="connect", arg=host, n=80)["errno"],
                             "ENETUNREACH", host)

    @unittest.skipUnless(os.path.exists("/usr/bin/curl"), "curl is the client")
    def test_calls_to_ward_over_tls_as_the_role(self):
        name = self.create(Timeout=30)
        command = ("curl -sS --aws-sigv4 aws:amz:us-east-1:sts "
                   "--user $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY --cacert $AWS_CA_BUNDLE "
                   "-H x-amz-security-token:$AWS_SESSION_TOKEN $AWS_ENDPOINT_URL/ "
                   "-d Action=GetCallerIdentity -d Version=2011-06-15 2>&1")
        said = self.call(name, do="run", arg=command)
        self.assertIn(f"assumed-role/{self.role_name}/{name}", said)

    def test_memory(self):
        name = self.create(MemorySize=128)
        r = self.call(name, do="memory", n=1000)
        self.assertEqual(r["errno"], "ENOMEM")
        self.assertLess(r["value"], 200)

    def test_fork_bomb(self):
        name = self.create(Timeout=60)
        r = self.call(name, do="fork", n=5000)
        self.assertEqual(r["errno"], "EAGAIN")
        self.assertLess(r["value"], 1025)
        self.assertEqual(self.call(name, x=1), {"x": 1})

    def test_forbidden_system_calls(self):
        name = self.create()
        answers = self.call(name, do="syscalls")
        self.assertEqual(len(answers), 15)
        for what, answer in answers.items():
            self.assertIn(answer, ("EPERM", "EAFNOSUPPORT", "ENOSYS"), what)

    def test_other_processes_are_not_seen(self):
        name = self.create()
        pids = [p for p in self.call(name, do="list", arg="/proc") if p.isdigit()]
        self.assertLessEqual(len(pids), 4)

    def test_nothing_outlives_a_timeout(self):
        mark = "98765.%d" % (int(time.time() * 1000) % 1000000)
        name = self.create(Timeout=1)
        self.fail_call(name, do="outlive", arg=mark)
        def gone():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as f:
                        if mark.encode() in f.read():
                            return False
                except OSError:
                    pass
            return True
        eventually(gone, "the end of all that the function started")

    def test_a_function_that_kills_all_it_sees(self):
        name = self.create()
        e = self.fail_call(name, do="killall")
        self.assertEqual(e["errorType"], "Runtime.ExitError")
        self.assertEqual(self.call(name, x=1), {"x": 1})


class LogsTest(Base):
    def test_lines_reach_cloudwatch(self):
        name = self.create()
        self.call(name, do="print", arg="a line of mine")
        group = f"/aws/lambda/{name}"
        def events():
            try:
                return [e["message"] for e in self.logs.filter_log_events(
                    logGroupName=group)["events"]]
            except ClientError as e:
                self.assertEqual(e.response["Error"]["Code"], "ResourceNotFoundException")
        lines = eventually(lambda: (lambda m: m if m and m[-1].startswith("REPORT") else None)(
            events()), "the report line")
        self.assertIn("bootstrap began", lines)
        order = [next(i for i, l in enumerate(lines) if l.startswith(what))
                 for what in ("INIT_START", "START", "a line", "END", "REPORT")]
        self.assertEqual(order, sorted(order))
        streams = self.logs.describe_log_streams(logGroupName=group)["logStreams"]
        self.assertEqual(len(streams), 1)
        self.assertRegex(streams[0]["logStreamName"], r"/\[\$LATEST\][0-9a-f]{32}$")

    def test_a_role_without_permission_has_no_logs(self):
        role = "r-" + uuid.uuid4().hex[:8]
        arn = self.iam.create_role(RoleName=role,
                                   AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        name = self.create(Role=arn)
        self.assertEqual(self.call(name, x=1), {"x": 1})
        time.sleep(0.5)
        groups = self.logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")
        self.assertEqual(groups["logGroups"], [])


class EventTest(Base):
    def lines(self, name, what):
        try:
            return [e for e in self.logs.filter_log_events(
                logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{what}"')["events"]]
        except ClientError:
            return []

    def test_event_runs(self):
        name = self.create()
        r = self.lam.invoke(FunctionName=name, InvocationType="Event",
                            Payload=json.dumps({"do": "print", "arg": "from an event"}))
        self.assertEqual((r["StatusCode"], r["Payload"].read()), (202, b""))
        eventually(lambda: self.lines(name, "from an event"), "the event's line")
        time.sleep(0.5)
        self.assertEqual(len(self.lines(name, "from an event")), 1)

    def test_event_payload_limit(self):
        name = self.create()
        with self.assertRaises(ClientError) as e:
            self.lam.invoke(FunctionName=name, InvocationType="Event",
                            Payload=json.dumps({"x": "y" * (1024 * 1024)}))
        self.assertEqual(code(e), "RequestTooLargeException")

    def test_throttled_event_waits(self):
        name = self.create()
        self.lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
        self.lam.invoke(FunctionName=name, InvocationType="Event",
                        Payload=json.dumps({"do": "print", "arg": "at last"}))
        time.sleep(0.5)
        self.assertEqual(self.lines(name, "at last"), [])
        self.lam.delete_function_concurrency(FunctionName=name)
        eventually(lambda: self.lines(name, "at last"), "the throttled event", timeout=30)


class PermissionTest(Base):
    def test_statements(self):
        name = self.create()
        with self.assertRaises(ClientError) as e:
            self.lam.get_policy(FunctionName=name)
        self.assertEqual(code(e), "ResourceNotFoundException")
        r = self.lam.add_permission(FunctionName=name, StatementId="s3", Principal="s3.amazonaws.com",
                                    Action="lambda:InvokeFunction", SourceAccount=self.account,
                                    SourceArn="arn:aws:s3:::some-bucket")
        s = json.loads(r["Statement"])
        self.assertEqual(s["Principal"], {"Service": "s3.amazonaws.com"})
        self.assertEqual(s["Condition"], {
            "StringEquals": {"AWS:SourceAccount": self.account},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::some-bucket"}})
        with self.assertRaises(ClientError) as e:
            self.lam.add_permission(FunctionName=name, StatementId="s3", Principal="*",
                                    Action="lambda:InvokeFunction")
        self.assertEqual(code(e), "ResourceConflictException")
        got = self.lam.get_policy(FunctionName=name)
        self.assertEqual(json.loads(got["Policy"])["Statement"], [s])
        with self.assertRaises(ClientError) as e:
            self.lam.remove_permission(FunctionName=name, StatementId="s3", RevisionId="x")
        self.assertEqual(code(e), "PreconditionFailedException")
        self.lam.remove_permission(FunctionName=name, StatementId="s3",
                                   RevisionId=got["RevisionId"])
        with self.assertRaises(ClientError) as e:
            self.lam.get_policy(FunctionName=name)
        self.assertEqual(code(e), "ResourceNotFoundException")

    def test_the_policy_lets_a_user_in(self):
        name = self.create()
        user = "l-" + uuid.uuid4().hex[:8]
        arn = self.iam.create_user(UserName=user)["User"]["Arn"]
        theirs = client("lambda", self.iam.create_access_key(UserName=user)["AccessKey"])
        with self.assertRaises(ClientError) as e:
            theirs.invoke(FunctionName=name)
        self.assertEqual(code(e), "AccessDeniedException")
        self.lam.add_permission(FunctionName=name, StatementId="u", Principal=arn,
                                Action="lambda:InvokeFunction")
        self.assertEqual(theirs.invoke(FunctionName=name)["StatusCode"], 200)

    def test_s3_needs_and_gets_permission(self):
        s3, bucket = client("s3"), "ev-" + uuid.uuid4().hex
        name = self.create()
        arn = self.made["FunctionArn"]
        s3.create_bucket(Bucket=bucket)
        rules = {"LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        with self.assertRaises(ClientError) as e:
            s3.put_bucket_notification_configuration(Bucket=bucket,
                                                     NotificationConfiguration=rules)
        self.assertEqual(code(e), "InvalidArgument")
        self.lam.add_permission(FunctionName=name, StatementId="s3",
                                Principal="s3.amazonaws.com", Action="lambda:InvokeFunction",
                                SourceAccount=self.account, SourceArn=f"arn:aws:s3:::{bucket}")
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=rules)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        def ran():
            try:
                return self.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}",
                                                   filterPattern="REPORT")["events"]
            except ClientError:
                return []
        eventually(ran, "the function that S3 calls")


class RefusalTest(unittest.TestCase):
    """A machine on which no user namespace can be made: nothing runs outside of a sandbox."""

    @unittest.skipUnless(shutil.which("bwrap") and "WARD_BIN" in os.environ, "needs bubblewrap")
    def test_without_namespaces_nothing_runs(self):
        from wardtest import WARD, Ward
        tmp = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, tmp)
        wrapper = os.path.join(tmp, "ward")
        with open(wrapper, "w") as f:
            f.write("#!/bin/sh\nexec bwrap --bind / / --dev-bind /dev /dev --proc /proc "
                    "--die-with-parent --unshare-user --disable-userns --uid 1000 --gid 1000 "
                    f"{WARD} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        marker = os.path.join(tmp, "ran")
        ward = Ward(binary=wrapper)
        self.addCleanup(ward.remove)
        ward.start()
        iam, lam = ward.client("iam"), ward.client("lambda")
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(
            TRUST))["Role"]["Arn"]
        lam.create_function(
            FunctionName="f", Runtime="provided.al2023", Role=role, Handler="h",
            Code={"ZipFile": zipped(bootstrap=(f"#!/bin/sh\ntouch {marker}\n", 0o755))})
        with self.assertRaises(ClientError) as e:
            lam.invoke(FunctionName="f")
        self.assertEqual(code(e), "ServiceException")
        self.assertIn("no sandbox on this machine", e.exception.response["Error"]["Message"])
        self.assertFalse(os.path.exists(marker))


class RecordTest(Base):
    def records(self, wanted, name):
        trail = client("cloudtrail")
        found = trail.lookup_events(LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": wanted}])["Events"]
        return [json.loads(e["CloudTrailEvent"]) for e in found if name in e["CloudTrailEvent"]]

    def test_values_are_not_recorded(self):
        name = self.create(Environment={"Variables": {"PASSWORD": "hunter2-" + "x" * 20}})
        self.lam.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"PASSWORD": "hunter2-" + "y" * 20}})
        records = self.records("CreateFunction20150331", name) + \
            self.records("UpdateFunctionConfiguration20150331v2", name)
        self.assertEqual(len(records), 2)
        self.assertNotIn("hunter2", json.dumps(records))
        self.assertNotIn(base64.b64encode(self.zip).decode()[:40], json.dumps(records))

    def test_role_assumption_is_recorded(self):
        name = self.create()
        self.call(name, x=1)
        r = self.records("AssumeRole", name)[0]
        self.assertEqual(r["userIdentity"], {"type": "AWSService",
                                             "invokedBy": "lambda.amazonaws.com"})


if __name__ == "__main__":
    unittest.main()

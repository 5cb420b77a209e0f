"""The GoodBuy audit path, end to end, as its users meet it: calls become records, records become log
files, log files become alerts, once each, at a queue, an HTTP endpoint and a mail server."""
import gzip
import http.server
import json
import os
import re
import socketserver
import subprocess
import threading
import unittest
import urllib.request


from wardtest import ROOT, Ward, eventually

DATA = os.environ.get("WARD_DATA_DIR", os.path.join(ROOT, "..", "shared", "data", "cloudtrail"))


class Mail(socketserver.ThreadingTCPServer):
    """Just enough SMTP to take mail."""
    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            say = lambda s: self.wfile.write((s + "\r\n").encode())  # noqa: E731
            say("220 test")
            for line in iter(self.rfile.readline, b""):
                word = line.strip().upper()
                if word.startswith(b"EHLO"):
                    say("250-test")
                    say("250 8BITMIME")
                elif word == b"DATA":
                    say("354 go on")
                    body = b""
                    while not body.endswith(b"\r\n.\r\n"):
                        body += self.rfile.readline()
                    self.server.mails.append(body.decode("utf-8", "replace"))
                    say("250 taken")
                elif word == b"QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.mails = []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.port = self.server_address[1]


def text_of(mail):
    """The mail's text, whatever its transfer encoding."""
    import email
    from email import policy
    m = email.message_from_string(mail.rsplit("\r\n.\r\n", 1)[0], policy=policy.default)
    return m["Subject"], m.get_content()


class Hook(http.server.ThreadingHTTPServer):
    """An HTTP subscriber that confirms itself and keeps what comes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.got.append((self.headers["x-amz-sns-message-type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.got = []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/hook" % self.server_address[1]


class GoodBuy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mail, cls.hook = Mail(), Hook()
        # The release build: a parser with sanitizers in it cannot be linked statically.
        cls.ward = Ward("--blueprint", "goodbuy", "--trail-interval", "1", "--smtp",
                        "smtp://127.0.0.1:%d" % cls.mail.port, binary=os.environ.get("WARD_FAST"))
        cls.ward.start(wait=240)
        stack = cls.ward.client("cloudformation").describe_stacks(StackName="goodbuy")["Stacks"][0]
        cls.stack = stack
        cls.out = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        cls.subscribe()

    @classmethod
    def tearDownClass(cls):
        try:
            code = cls.ward.stop()
            log = cls.ward.read_log()
            assert code == 0 and "ERROR: " not in log and "runtime error" not in log, log[-6000:]
        finally:
            cls.ward.remove()
            cls.mail.shutdown()
            cls.hook.shutdown()

    @classmethod
    def subscribe(cls):
        sns, topic = cls.ward.client("sns"), cls.out["AlertTopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=cls.hook.url)
        body = eventually(lambda: next((b for kind, b in cls.hook.got
                                        if kind == "SubscriptionConfirmation"), None),
                          "a confirmation at the HTTP subscriber")
        cls.visit(body["SubscribeURL"])
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="auditor@example.com")
        mail = eventually(lambda: cls.mail.mails and cls.mail.mails[0], "a confirmation by mail")
        cls.visit(re.search(r"https?://\S+", text_of(mail)[1]).group())
        cls.mail.mails.clear()
        cls.hook.got.clear()

    @classmethod
    def visit(cls, url):
        import ssl
        context = ssl.create_default_context(cafile=cls.ward.ca)
        with urllib.request.urlopen(url, context=context, timeout=30) as r:
            assert r.status == 200

    def drain(self):
        sqs, messages = self.ward.client("sqs"), []
        while True:
            page = sqs.receive_message(QueueUrl=self.out["AlertQueueUrl"], MaxNumberOfMessages=10,
                                       WaitTimeSeconds=1).get("Messages", [])
            if not page:
                return messages
            for m in page:
                messages.append(json.loads(m["Body"]))
                sqs.delete_message(QueueUrl=self.out["AlertQueueUrl"],
                                   ReceiptHandle=m["ReceiptHandle"])

    def files(self):
        s3, bucket = self.ward.client("s3"), self.out["TrailBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="AWSLogs/")
        return [o["Key"] for p in pages for o in p.get("Contents", []) if o["Size"] > 0]

    def records(self):
        s3, out = self.ward.client("s3"), []
        for key in self.files():
            self.assertRegex(key, r"^AWSLogs/\d{12}/CloudTrail/[a-z0-9-]+/\d{4}/\d\d/\d\d/\d{12}_"
                                  r"CloudTrail_[a-z0-9-]+_\d{8}T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz$")
            got = s3.get_object(Bucket=self.out["TrailBucketName"], Key=key)
            self.assertEqual(got["ServerSideEncryption"], "aws:kms")
            body = got["Body"].read()
            out += json.loads(gzip.decompress(body))["Records"]
        return out

    def test_1_the_stack_is_whole(self):
        self.assertEqual(self.stack["StackStatus"], "CREATE_COMPLETE")
        self.assertEqual(set(self.out), {"AlertTopicArn", "AlertQueueUrl", "TrailBucketName",
                                         "ConfigBucketName", "KeyArn", "ParserFunctionName"})
        self.assertTrue(self.ward.client("kms").get_key_rotation_status(
            KeyId=self.out["KeyArn"])["KeyRotationEnabled"])
        vpcs = self.ward.client("ec2").describe_vpcs()["Vpcs"]
        self.assertTrue(vpcs)

    def test_2_calls_are_in_log_files_and_alerts_arrive_once(self):
        w = self.ward
        w.aws("iam", "create-user", "--user-name", "goodbuy-test")
        key = json.loads(w.aws("kms", "create-key").stdout)["KeyMetadata"]["KeyId"]
        w.aws("kms", "disable-key", "--key-id", key)
        w.aws("s3api", "create-bucket", "--bucket", "goodbuy-policy-test")
        w.aws("s3api", "put-bucket-policy", "--bucket", "goodbuy-policy-test", "--policy", json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                "Resource": "arn:aws:s3:::goodbuy-policy-test/*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}))
        creds = json.loads(w.aws("iam", "create-access-key", "--user-name",
                                 "goodbuy-test").stdout)["AccessKey"]
        refused = w.aws("iam", "list-users", check=False, env={
            "AWS_ACCESS_KEY_ID": creds["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": creds["SecretAccessKey"]})
        self.assertIn("AccessDenied", refused.stderr)

        wanted = {"CreateUser", "DisableKey", "PutBucketPolicy"}

        def in_files():
            names = {(r["eventName"], r.get("errorCode")) for r in self.records()}
            return (all((n, None) in names for n in wanted) and
                    ("ListUsers", "AccessDenied") in names)
        eventually(in_files, "the calls in log files", timeout=90, every=1)
        seen = []

        def alerts():
            seen.extend(self.drain())
            texts = [m["Message"] for m in seen]
            return all(any(n in t for t in texts) for n in wanted)
        eventually(alerts, "the alerts in the queue", timeout=120, every=1)
        self.once(seen)
        for name in wanted:
            eventually(lambda: any(name in b["Message"] for k, b in self.hook.got
                                   if k == "Notification"), name + " at the HTTP subscriber")
            eventually(lambda: any(name in text_of(m)[1] for m in self.mail.mails),
                       name + " by mail")

    def once(self, messages):
        """No event raised two alerts."""
        seen = {}
        for m in messages:
            seen.setdefault(re.search(r"[Ee]vent ?ID: (\S+)", m["Message"]).group(1), []).append(m)
        self.assertEqual([twice for twice in seen.values() if len(twice) > 1], [])

    @unittest.skipUnless(os.path.isdir(DATA), "the real log files are not here")
    def test_3_real_log_files_raise_the_same_alerts(self):
        s3, bucket = self.ward.client("s3"), self.out["TrailBucketName"]
        config = json.loads(s3.get_object(Bucket=self.out["ConfigBucketName"],
                                          Key="filter_config.json")["Body"].read())
        folder = os.path.join(DATA, "invictus-ir")
        expected = set()
        self.drain()
        for name in sorted(os.listdir(folder))[:12]:
            if not name.endswith(".json"):
                continue
            with open(os.path.join(folder, name), "rb") as f:
                body = f.read()
            account, _, region, stamp = name.split("_")[:4]
            key = (f"AWSLogs/{account}/CloudTrail/{region}/{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}/"
                   f"{name}.gz")
            s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(body))
            for r in json.loads(body)["Records"]:
                if any(re.search(c["source"], r["eventSource"]) and
                       re.search(c["regexp"], r["eventName"]) for c in config):
                    expected.add(r["eventID"])
        self.assertTrue(expected)
        got = set()

        def all_there():
            for m in self.drain():
                got.add(re.search(r"[Ee]vent ?ID: (\S+)", m["Message"]).group(1))
            return expected <= got
        eventually(all_there, "an alert for each real event that the keywords name", 240, 1)

    def test_4_digests_need_not_start_the_function(self):
        """LogPrefix says which objects do; logs of this account go on raising alerts."""
        w, cfn = self.ward, self.ward.client("cloudformation")
        account = self.out["AlertTopicArn"].split(":")[4]
        prefix = f"AWSLogs/{account}/CloudTrail/"
        given = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True}
                 for p in self.stack["Parameters"] if p["ParameterKey"] != "LogPrefix"]
        cfn.update_stack(StackName="goodbuy", UsePreviousTemplate=True,
                         Capabilities=["CAPABILITY_IAM"], Parameters=given + [
                             {"ParameterKey": "LogPrefix", "ParameterValue": prefix}])
        status = lambda: cfn.describe_stacks(  # noqa: E731
            StackName="goodbuy")["Stacks"][0]["StackStatus"]
        eventually(lambda: not status().endswith("_IN_PROGRESS"), "the stack at rest")
        self.assertEqual(status(), "UPDATE_COMPLETE")
        told = w.client("s3").get_bucket_notification_configuration(
            Bucket=self.out["TrailBucketName"])["LambdaFunctionConfigurations"]
        rules = {r["Name"].lower(): r["Value"] for c in told
                 for r in c["Filter"]["Key"]["FilterRules"]}
        self.assertEqual(rules, {"prefix": prefix, "suffix": ".json.gz"})
        w.client("iam").create_group(GroupName="goodbuy-prefix-test")
        eventually(lambda: any("goodbuy-prefix-test" in m["Message"] for m in self.drain()),
                   "an alert after the change", 120, 1)

    def test_4_the_ledger_is_whole_afterwards(self):
        self.assertEqual(self.ward.stop(), 0)
        out = subprocess.run([self.ward.binary, "ledger", "--json", "--data", self.ward.data],
                             capture_output=True, text=True, check=True).stdout
        self.assertEqual(json.loads(out)["faults"], 0)
        self.ward.start()


class Keywords(unittest.TestCase):
    """filter_config.json, held against the operations that botocore knows."""
    # Services whose events have another name than their client.
    SOURCES = {"cloudwatch": "monitoring", "efs": "elasticfilesystem", "sso-admin": "sso",
               "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing",
               "accessanalyzer": "access-analyzer", "cloudhsmv2": "cloudhsm"}
    READS = re.compile(r"^(Describe|List|Get|Head|Lookup|Search|BatchGet|Query|Scan)")
    READS_TOLD = {"GetSecretValue", "BatchGetSecretValue", "GetPasswordData", "GetFederationToken"}

    @classmethod
    def setUpClass(cls):
        import botocore.session
        with open(os.path.join(ROOT, "blueprints/goodbuy/filter_config.json")) as f:
            cls.config = json.load(f)
        session = botocore.session.get_session()
        cls.calls = [(source, op) for name in session.get_available_services()
                     for source in [cls.SOURCES.get(name, name) + ".amazonaws.com"]
                     if any(re.search(c["source"], source) for c in cls.config)
                     for op in session.get_service_model(name).operation_names]

    def entries(self, source, name):
        return [c["name"] for c in self.config
                if re.search(c["source"], source) and re.search(c["regexp"], name)]

    def test_no_call_is_in_two_entries(self):
        self.assertGreater(len(self.calls), 3000)
        self.assertEqual([(c, self.entries(*c)) for c in self.calls
                          if len(self.entries(*c)) > 1], [])

    def test_reads_are_left_out(self):
        told = {n for s, n in self.calls if self.READS.match(n) and self.entries(s, n)}
        self.assertEqual(told, self.READS_TOLD)

    def test_what_an_auditor_asks_after(self):
        wanted = {
            "datapipeline": "CreatePipeline ActivatePipeline PutPipelineDefinition",
            "ec2": "RunInstances StopInstances TerminateInstances ModifyInstanceAttribute "
                   "ModifySnapshotAttribute ModifyImageAttribute CopySnapshot CreateSnapshot "
                   "DisableEbsEncryptionByDefault AuthorizeSecurityGroupIngress CreateRoute "
                   "AcceptVpcPeeringConnection DeleteFlowLogs CreateKeyPair GetPasswordData",
            "iam": "CreateUser CreateAccessKey AttachUserPolicy DeactivateMFADevice PutRolePolicy",
            "kms": "ScheduleKeyDeletion DisableKey PutKeyPolicy CreateGrant",
            "s3": "PutBucketAcl PutBucketPolicy DeleteBucketPolicy PutBucketPublicAccessBlock "
                  "DeleteBucketEncryption PutObjectAcl PutBucketNotification DeleteBucket",
            "storagegateway": "CreateNFSFileShare DeleteGateway UpdateSMBFileShare",
            "cloudtrail": "StopLogging DeleteTrail UpdateTrail PutEventSelectors",
            "logs": "DeleteLogGroup DeleteLogStream PutRetentionPolicy PutSubscriptionFilter",
            "monitoring": "DeleteAlarms DisableAlarmActions",
            "events": "DisableRule DeleteRule RemoveTargets",
            "config": "StopConfigurationRecorder DeleteDeliveryChannel",
            "guardduty": "DeleteDetector UpdateDetector DisassociateMembers",
            "ssm": "SendCommand StartSession ModifyDocumentPermission",
            "secretsmanager": "GetSecretValue PutResourcePolicy DeleteSecret",
            "lambda": "AddPermission20150331v2 UpdateFunctionCode20150331v2 CreateFunctionUrlConfig",
            "sns": "Subscribe AddPermission SetTopicAttributes DeleteTopic",
            "sqs": "SetQueueAttributes PurgeQueue DeleteQueue",
            "rds": "ModifyDBSnapshotAttribute DeleteDBInstance StartExportTask",
            "organizations": "LeaveOrganization DetachPolicy", "ram": "CreateResourceShare",
            "sts": "AssumeRoot", "signin": "ConsoleLogin", "backup": "DeleteRecoveryPoint"}
        for service, names in wanted.items():
            for name in names.split():
                self.assertEqual(len(self.entries(service + ".amazonaws.com", name)), 1,
                                 (service, name))

    def test_no_alert_raises_another(self):
        """What the delivery of a log file and of an alert calls."""
        for service, names in {
                "s3": "PutObject GetObject GetBucketAcl", "lambda": "Invoke", "sns": "Publish",
                "sqs": "SendMessage ReceiveMessage DeleteMessage", "sts": "AssumeRole",
                "kms": "GenerateDataKey Decrypt DescribeKey",
                "logs": "CreateLogGroup CreateLogStream PutLogEvents"}.items():
            for name in names.split():
                self.assertEqual(self.entries(service + ".amazonaws.com", name), [], name)


class Template(unittest.TestCase):
    def test_cfn_lint_has_nothing_to_say(self):
        lint = os.path.join(os.path.dirname(os.sys.executable), "cfn-lint")
        if not os.path.exists(lint):
            self.skipTest("cfn-lint is not installed")
        done = subprocess.run([lint, os.path.join(ROOT, "blueprints/goodbuy/template.yaml")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

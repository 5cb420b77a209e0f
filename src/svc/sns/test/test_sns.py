"""SNS as boto3 sees it, and as a queue, an HTTP endpoint, a mail server and a provider see it."""
import base64
import email
import http.server
import io
import json
import os
import queue
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
import uuid
import zipfile

import boto3
from botocore.exceptions import ClientError

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from wardtest import Ward, eventually, trail_events  # noqa: E402


def code(error):
    return error.exception.response["Error"]["Code"]


def message(error):
    return error.exception.response["Error"]["Message"]


def status(error):
    return error.exception.response["ResponseMetadata"]["HTTPStatusCode"]


def unique(prefix):
    return prefix + "-" + uuid.uuid4().hex[:10]


def fetch(url, ca=None):
    """An unsigned GET, as a browser or an endpoint makes it: (status, text)."""
    context = ssl.create_default_context(cafile=ca or os.environ.get("AWS_CA_BUNDLE"))
    try:
        with urllib.request.urlopen(url, context=context, timeout=30) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def queue_for(sqs, name, *sources):
    """A queue that topics may send to: (URL, ARN)."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
        "Attributes"]["QueueArn"]
    if sources:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                           "Action": "sqs:SendMessage", "Resource": arn,
                           "Condition": {"ArnEquals": {"aws:SourceArn": list(sources)}}}]})})
    return url, arn


def receive(sqs, url, wait=10, **more):
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait, MaxNumberOfMessages=10,
                              MessageAttributeNames=["All"], **more).get("Messages", [])
    for m in got:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    return got


def receive_all(sqs, url, n):
    got = []
    for _ in range(20):
        if len(got) >= n:
            break
        got += receive(sqs, url, wait=5)
    return got


def string_to_sign(m):
    names = (["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
             if m["Type"] == "Notification" else
             ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"])
    return "".join(f"{n}\n{m[n]}\n" for n in names if n in m).encode()


def verify(m, ca=None):
    """Checks a message's signature with the certificate that it names, by openssl."""
    code_, pem = fetch(m["SigningCertURL"], ca)
    assert code_ == 200, pem
    digest = {"1": "-sha1", "2": "-sha256"}[m["SignatureVersion"]]
    with tempfile.TemporaryDirectory() as d:
        def path(name, content):
            p = os.path.join(d, name)
            with open(p, "wb") as f:
                f.write(content)
            return p
        cert = path("cert", pem.encode())
        key = subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout"], check=True,
                             capture_output=True).stdout
        done = subprocess.run(
            ["openssl", "dgst", digest, "-verify", path("key", key), "-signature",
             path("sig", base64.b64decode(m["Signature"])), path("text", string_to_sign(m))],
            capture_output=True, text=True)
    return done.returncode == 0


def tls_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp()
        self.file = self.path("ca.pem")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
                     "-days", "2", "-keyout", self.path("ca.key"), "-out", self.file)

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, name):
        """(certificate, key) for "IP:127.0.0.1" and the like."""
        stem = self.path(re.sub("[^a-z0-9]", "-", name.lower()))
        with open(stem + ".ext", "w") as f:
            f.write("subjectAltName=" + name)
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout",
                     stem + ".key", "-out", stem + ".csr")
        self.openssl("x509", "-req", "-in", stem + ".csr", "-CA", self.file, "-CAkey",
                     self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
                     stem + ".ext", "-out", stem + ".pem")
        return stem + ".pem", stem + ".key"

    def remove(self):
        shutil.rmtree(self.dir)


class Endpoint:
    """An HTTP endpoint that keeps what it is sent; `answers` are its next statuses, then 200."""

    def __init__(self, *answers, tls=None, location=None):
        self.got = queue.Queue()
        self.answers = list(answers)
        self.hold = None
        self.pause = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.put((dict(self.headers.items()), body.decode(), self.path))
                if outer.hold is not None:
                    outer.hold.wait(60)
                threading.Event().wait(outer.pause)  # as long as it is told to take
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.send_header("Content-Length", "0")
                if location:
                    self.send_header("Location", location)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # clients that hang up are part of the tests
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.server.server_port)
        if tls:
            self.server.socket = tls_context(tls).wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, timeout=30):
        return self.got.get(timeout=timeout)

    def close(self):
        if self.hold is not None:
            self.hold.set()
        self.server.shutdown()
        self.server.server_close()


class MailServer:
    """As much SMTP as a client needs to hand over its mail; `tls`: it offers STARTTLS. The words of
    its clients are in `heard`, each with whether the line was encrypted."""

    def __init__(self, tls=None):
        self.tls = tls
        self.heard = []
        self.got = queue.Queue()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "smtp://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn, secure=False):
        with conn, conn.makefile("rwb", 0) as f:
            if not secure:
                f.write(b"220 test\r\n")
            to = ""
            for line in f:
                verb = line[:4].upper()
                self.heard.append((line.strip().decode(), secure))
                if verb == b"EHLO":
                    offers = b"250-STARTTLS\r\n" if self.tls and not secure else b""
                    f.write(b"250-test\r\n" + offers + b"250 AUTH PLAIN\r\n")
                elif verb == b"STAR":
                    f.write(b"220 go\r\n")
                    return self.serve(tls_context(self.tls).wrap_socket(
                        conn, server_side=True, suppress_ragged_eofs=True), True)
                elif verb == b"AUTH":
                    f.write(b"334 \r\n")
                    self.heard.append((f.readline().strip().decode(), secure))
                    f.write(b"235 ok\r\n")
                elif verb == b"RCPT":
                    to = re.search(rb"<(.*)>", line).group(1).decode()
                    f.write(b"250 ok\r\n")
                elif verb == b"DATA":
                    f.write(b"354 go\r\n")
                    lines = []
                    for part in f:
                        if part == b".\r\n":
                            break
                        lines.append(part)
                    self.got.put((to, email.message_from_bytes(b"".join(lines))))
                    f.write(b"250 ok\r\n")
                elif verb == b"QUIT":
                    f.write(b"221 bye\r\n")
                    return
                else:
                    f.write(b"250 ok\r\n")

    def next(self, timeout=30):
        to, mail = self.got.get(timeout=timeout)
        text = mail.get_payload(decode=True).decode()
        return to, str(email.header.make_header(email.header.decode_header(mail["Subject"]))), text

    def close(self):
        self.listener.close()


class TopicTest(unittest.TestCase):
    def setUp(self):
        self.sns = boto3.client("sns")
        self.name = unique("t")
        self.arn = self.sns.create_topic(Name=self.name)["TopicArn"]

    def tearDown(self):
        self.sns.delete_topic(TopicArn=self.arn)

    def test_create_is_idempotent_and_listed(self):
        self.assertEqual(self.sns.create_topic(Name=self.name)["TopicArn"], self.arn)
        arns = [t["TopicArn"] for p in self.sns.get_paginator("list_topics").paginate()
                for t in p["Topics"]]
        self.assertEqual(arns.count(self.arn), 1)
        with self.assertRaises(ClientError) as e:
            self.sns.create_topic(Name=self.name, Attributes={"DisplayName": "other"})
        self.assertEqual(code(e), "InvalidParameter")
        self.assertIn("different attributes", message(e))
        with self.assertRaises(ClientError) as e:
            self.sns.create_topic(Name=self.name, Tags=[{"Key": "a", "Value": "b"}])
        self.assertIn("different tags", message(e))

    def test_pages_of_topics(self):
        made = {self.sns.create_topic(Name="page-%03d" % i)["TopicArn"] for i in range(105)}
        try:
            first = self.sns.list_topics()
            self.assertEqual(len(first["Topics"]), 100)
            arns = [t["TopicArn"] for p in self.sns.get_paginator("list_topics").paginate()
                    for t in p["Topics"]]
            self.assertTrue(made <= set(arns))
            self.assertEqual(len(arns), len(set(arns)))
            with self.assertRaises(ClientError) as e:
                self.sns.list_topics(NextToken="bm90IGEgdG9rZW4")
            self.assertEqual(code(e), "InvalidParameter")
        finally:
            for arn in made:
                self.sns.delete_topic(TopicArn=arn)

    def test_bad_names_and_fifo(self):
        for name in ("", "a b", "x" * 257, "a/b", "a:b"):
            with self.assertRaises(ClientError) as e:
                self.sns.create_topic(Name=name)
            self.assertEqual((code(e), message(e)),
                             ("InvalidParameter", "Invalid parameter: Topic Name"))
        for call in (lambda: self.sns.create_topic(Name="x.fifo",
                                                   Attributes={"FifoTopic": "true"}),
                     lambda: self.sns.set_topic_attributes(TopicArn=self.arn,
                                                           AttributeName="KmsMasterKeyId",
                                                           AttributeValue="alias/aws/sns"),
                     lambda: self.sns.set_topic_attributes(TopicArn=self.arn,
                                                           AttributeName="TracingConfig",
                                                           AttributeValue="Active"),
                     lambda: self.sns.check_if_phone_number_is_opted_out(
                         phoneNumber="+15555550100")):
            with self.assertRaises(ClientError) as e:
                call()
            self.assertEqual((code(e), status(e)), ("NotImplemented", 501))

    def test_missing_topic(self):
        gone = self.arn + "x"
        for call in (lambda: self.sns.get_topic_attributes(TopicArn=gone),
                     lambda: self.sns.publish(TopicArn=gone, Message="x"),
                     lambda: self.sns.list_subscriptions_by_topic(TopicArn=gone),
                     lambda: self.sns.subscribe(TopicArn=gone, Protocol="sqs",
                                                Endpoint="arn:aws:sqs:us-east-1:123456789012:q")):
            with self.assertRaises(ClientError) as e:
                call()
            self.assertEqual((code(e), status(e), message(e)),
                             ("NotFound", 404, "Topic does not exist"))
        self.sns.delete_topic(TopicArn=gone)
        with self.assertRaises(ClientError) as e:
            self.sns.get_topic_attributes(TopicArn="not-an-arn")
        self.assertEqual(code(e), "InvalidParameter")

    def test_attributes(self):
        def put(name, value):
            self.sns.set_topic_attributes(TopicArn=self.arn, AttributeName=name,
                                          AttributeValue=value)

        put("DisplayName", "Ward's alarms")
        put("SignatureVersion", "2")
        policy = {"http": {"defaultHealthyRetryPolicy": {
            "minDelayTarget": 1, "maxDelayTarget": 2, "numRetries": 4, "numNoDelayRetries": 1}}}
        put("DeliveryPolicy", json.dumps(policy))
        a = self.sns.get_topic_attributes(TopicArn=self.arn)["Attributes"]
        self.assertEqual(a["DisplayName"], "Ward's alarms")
        self.assertEqual(a["SignatureVersion"], "2")
        self.assertEqual(json.loads(a["DeliveryPolicy"]), policy)
        effective = json.loads(a["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]
        self.assertEqual((effective["numRetries"], effective["backoffFunction"]), (4, "linear"))
        self.assertEqual(a["Owner"], self.arn.split(":")[4])
        self.assertEqual(json.loads(a["Policy"])["Id"], "__default_policy_ID")
        bad = [("SignatureVersion", "3"), ("Policy", "{}"), ("Policy", "no"), ("Nothing", "x"),
               ("DisplayName", "x" * 101), ("DeliveryPolicy", "[]"),
               ("DeliveryPolicy", '{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}'),
               ("DeliveryPolicy", '{"http":{"defaultHealthyRetryPolicy":{"numRetries":1,'
                                  '"numNoDelayRetries":2}}}'),
               ("DeliveryPolicy", '{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":9,'
                                  '"maxDelayTarget":3}}}')]
        for name, value in bad:
            with self.assertRaises(ClientError, msg=name) as e:
                put(name, value)
            self.assertEqual((code(e), status(e)), ("InvalidParameter", 400))

    def test_permissions_are_statements(self):
        self.sns.add_permission(TopicArn=self.arn, Label="one", AWSAccountId=["111122223333"],
                                ActionName=["Publish"])
        p = json.loads(self.sns.get_topic_attributes(TopicArn=self.arn)["Attributes"]["Policy"])
        s = [x for x in p["Statement"] if x["Sid"] == "one"][0]
        self.assertEqual(s, {"Sid": "one", "Effect": "Allow",
                             "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                             "Action": "SNS:Publish", "Resource": self.arn})
        with self.assertRaises(ClientError) as e:
            self.sns.add_permission(TopicArn=self.arn, Label="one",
                                    AWSAccountId=["111122223333"], ActionName=["Publish"])
        self.assertIn("already exists", message(e))
        with self.assertRaises(ClientError) as e:
            self.sns.add_permission(TopicArn=self.arn, Label="two",
                                    AWSAccountId=["111122223333"], ActionName=["Everything"])
        self.assertEqual(code(e), "InvalidParameter")
        self.sns.remove_permission(TopicArn=self.arn, Label="one")
        p = json.loads(self.sns.get_topic_attributes(TopicArn=self.arn)["Attributes"]["Policy"])
        self.assertEqual(len(p["Statement"]), 1)
        with self.assertRaises(ClientError) as e:
            self.sns.remove_permission(TopicArn=self.arn, Label="one")
        self.assertEqual(code(e), "InvalidParameter")

    def test_tags(self):
        self.sns.tag_resource(ResourceArn=self.arn, Tags=[{"Key": "a", "Value": "1"},
                                                          {"Key": "b", "Value": "2"}])
        self.sns.untag_resource(ResourceArn=self.arn, TagKeys=["a"])
        self.assertEqual(self.sns.list_tags_for_resource(ResourceArn=self.arn)["Tags"],
                         [{"Key": "b", "Value": "2"}])
        with self.assertRaises(ClientError) as e:
            self.sns.list_tags_for_resource(ResourceArn=self.arn + "x")
        self.assertEqual((code(e), status(e)), ("ResourceNotFound", 404))
        with self.assertRaises(ClientError):
            self.sns.tag_resource(ResourceArn=self.arn, Tags=[{"Key": "aws:x", "Value": "1"}])

    def test_made_anew_has_no_subscriptions(self):
        self.sns.subscribe(TopicArn=self.arn, Protocol="sqs",
                           Endpoint="arn:aws:sqs:us-east-1:%s:q" % self.arn.split(":")[4])
        self.sns.delete_topic(TopicArn=self.arn)
        self.assertEqual(self.sns.create_topic(Name=self.name)["TopicArn"], self.arn)
        self.assertEqual(
            self.sns.list_subscriptions_by_topic(TopicArn=self.arn)["Subscriptions"], [])
        topics = [s["TopicArn"] for p in self.sns.get_paginator("list_subscriptions").paginate()
                  for s in p["Subscriptions"]]
        self.assertNotIn(self.arn, topics)


class QueueTest(unittest.TestCase):
    def setUp(self):
        self.sns, self.sqs = boto3.client("sns"), boto3.client("sqs")
        self.topic = self.sns.create_topic(Name=unique("t"))["TopicArn"]
        self.url, self.queue = queue_for(self.sqs, unique("q"), self.topic)
        self.urls = [self.url]

    def tearDown(self):
        self.sns.delete_topic(TopicArn=self.topic)
        for url in self.urls:
            self.sqs.delete_queue(QueueUrl=url)

    def subscribe(self, queue_arn=None, **attributes):
        return self.sns.subscribe(TopicArn=self.topic, Protocol="sqs",
                                  Endpoint=queue_arn or self.queue, Attributes=attributes)[
            "SubscriptionArn"]

    def test_envelope(self):
        sub = self.subscribe()
        self.assertEqual(self.subscribe(), sub)  # again: the same
        sent = self.sns.publish(
            TopicArn=self.topic, Message="grüße <&> \"'\n", Subject="A subject",
            MessageAttributes={"n": {"DataType": "Number", "StringValue": "17"},
                               "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
        m = json.loads(receive(self.sqs, self.url)[0]["Body"])
        self.assertEqual((m["Type"], m["MessageId"], m["TopicArn"], m["Subject"], m["Message"]),
                         ("Notification", sent["MessageId"], self.topic, "A subject",
                          "grüße <&> \"'\n"))
        self.assertEqual(m["MessageAttributes"], {"n": {"Type": "Number", "Value": "17"},
                                                  "b": {"Type": "Binary", "Value": "AAE="}})
        self.assertRegex(m["Timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(m["SignatureVersion"], "1")
        self.assertTrue(verify(m))
        m["Message"] += "x"
        self.assertFalse(verify(m))
        # The link in a queue's message does not end what an authorised caller set up.
        self.assertEqual(fetch(m["UnsubscribeURL"])[0], 403)
        self.assertEqual(fetch(m["SigningCertURL"].replace("Service-", "Service-0"))[0], 404)

    def test_signature_version_2(self):
        self.subscribe()
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="SignatureVersion",
                                      AttributeValue="2")
        self.sns.publish(TopicArn=self.topic, Message="x")
        m = json.loads(receive(self.sqs, self.url)[0]["Body"])
        self.assertEqual(m["SignatureVersion"], "2")
        self.assertNotIn("Subject", m)
        self.assertTrue(verify(m))

    def test_raw(self):
        self.subscribe(RawMessageDelivery="true")
        self.sns.publish(TopicArn=self.topic, Message="just this", Subject="lost",
                         MessageAttributes={
                             "s": {"DataType": "String.Array", "StringValue": '["x"]'},
                             "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
        m = receive(self.sqs, self.url)[0]
        self.assertEqual(m["Body"], "just this")
        self.assertEqual(m["MessageAttributes"]["b"]["BinaryValue"], b"\x00\x01")
        self.assertEqual(m["MessageAttributes"]["s"]["DataType"], "String.Array")

    def test_message_structure(self):
        self.subscribe(RawMessageDelivery="true")
        self.sns.publish(TopicArn=self.topic, MessageStructure="json",
                         Message=json.dumps({"default": "d", "sqs": "for queues"}))
        self.assertEqual(receive(self.sqs, self.url)[0]["Body"], "for queues")
        self.sns.publish(TopicArn=self.topic, MessageStructure="json",
                         Message=json.dumps({"default": "d", "email": "for people"}))
        self.assertEqual(receive(self.sqs, self.url)[0]["Body"], "d")
        for text, what in (("{", "failed to parse"), ('{"sqs":"x"}', "No default entry")):
            with self.assertRaises(ClientError) as e:
                self.sns.publish(TopicArn=self.topic, MessageStructure="json", Message=text)
            self.assertIn(what, message(e))

    def test_filter_on_attributes(self):
        other_url, other = queue_for(self.sqs, unique("q"), self.topic)
        self.urls.append(other_url)
        self.subscribe(RawMessageDelivery="true",
                       FilterPolicy=json.dumps({"kind": ["alarm", {"prefix": "err"}]}))
        self.subscribe(other, RawMessageDelivery="true",
                       FilterPolicy=json.dumps({"level": [{"numeric": [">=", 3, "<", 5]}]}))

        def publish(text, **attributes):
            self.sns.publish(TopicArn=self.topic, Message=text, MessageAttributes={
                k: {"DataType": "Number" if v.isdigit() else "String", "StringValue": v}
                for k, v in attributes.items()})

        publish("none")
        publish("a", kind="alarm", level="5")
        publish("b", kind="error")
        publish("c", kind="info", level="4")
        publish("d", level="4", kind="alarm")
        self.assertEqual(sorted(m["Body"] for m in receive_all(self.sqs, self.url, 3)),
                         ["a", "b", "d"])
        self.assertEqual(sorted(m["Body"] for m in receive_all(self.sqs, other_url, 2)), ["c", "d"])
        self.assertEqual(receive(self.sqs, self.url, wait=0), [])

    def test_filter_on_body(self):
        sub = self.subscribe(RawMessageDelivery="true", FilterPolicyScope="MessageBody",
                             FilterPolicy=json.dumps({"detail": {"state": ["ALARM"]}}))
        for text in ('{"detail":{"state":"OK"}}', "not json", '{"detail":[{"state":"ALARM"}]}'):
            self.sns.publish(TopicArn=self.topic, Message=text)
        self.assertEqual(receive(self.sqs, self.url)[0]["Body"], '{"detail":[{"state":"ALARM"}]}')
        a = self.sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
        self.assertEqual(a["FilterPolicyScope"], "MessageBody")
        with self.assertRaises(ClientError) as e:  # nested, so not for attributes
            self.sns.set_subscription_attributes(SubscriptionArn=sub,
                                                 AttributeName="FilterPolicyScope",
                                                 AttributeValue="MessageAttributes")
        self.assertEqual(code(e), "InvalidParameter")

    def test_many_filters_over_a_dense_body(self):
        for i in range(60):
            self.sns.subscribe(
                TopicArn=self.topic, Protocol="sqs", Endpoint=self.queue + "-%d" % i,
                Attributes={"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"k":["other"]}'})
        self.subscribe(FilterPolicyScope="MessageBody", FilterPolicy='{"k":["mine"]}')
        body = '{"k":"mine","dense":[%s]}' % ",".join("0" * 120000)
        self.sns.publish(TopicArn=self.topic, Message=body)
        self.assertEqual(json.loads(receive(self.sqs, self.url)[0]["Body"])["Message"], body)

    def test_bad_filters_are_refused_when_set(self):
        sub = self.subscribe()
        for policy in ("{", "[]", '{"a":"x"}', '{"a":[]}', '{"a":{"b":["x"]}}',
                       '{"a":[{"nothing":1}]}', '{"a":[{"numeric":["=","1"]}]}',
                       '{"a":[{"exists":"yes"}]}', json.dumps({"a": list(range(151))}),
                       json.dumps({k: ["x"] for k in "abcdef"})):
            with self.assertRaises(ClientError, msg=policy) as e:
                self.sns.set_subscription_attributes(SubscriptionArn=sub,
                                                     AttributeName="FilterPolicy",
                                                     AttributeValue=policy)
            self.assertEqual(code(e), "InvalidParameter")
            self.assertIn("FilterPolicy", message(e))

    def test_batch(self):
        self.subscribe(RawMessageDelivery="true")
        r = self.sns.publish_batch(TopicArn=self.topic, PublishBatchRequestEntries=[
            {"Id": "a", "Message": "one"}, {"Id": "b", "Message": "two"},
            {"Id": "c", "Message": "x", "Subject": "no\nsubject"}])
        self.assertEqual([x["Id"] for x in r["Successful"]], ["a", "b"])
        self.assertEqual([(x["Id"], x["Code"], x["SenderFault"]) for x in r["Failed"]],
                         [("c", "InvalidParameter", True)])
        self.assertEqual(sorted(m["Body"] for m in receive_all(self.sqs, self.url, 2)),
                         ["one", "two"])
        one = {"Id": "a", "Message": "x"}
        for entries, what in (([], "EmptyBatchRequest"), ([one, one], "BatchEntryIdsNotDistinct"),
                              ([{"Id": "a b", "Message": "x"}], "InvalidBatchEntryId"),
                              ([{"Id": str(i), "Message": "x"} for i in range(11)],
                               "TooManyEntriesInBatchRequest"),
                              ([{"Id": str(i), "Message": "x" * 140000} for i in range(2)],
                               "BatchRequestTooLong")):
            with self.assertRaises(ClientError) as e:
                self.sns.publish_batch(TopicArn=self.topic, PublishBatchRequestEntries=entries)
            self.assertTrue(code(e).endswith(what), code(e))

    def test_limits_of_a_message(self):
        for call, what in ((dict(Message=""), "Empty message"),
                           (dict(Message="x" * 262145), "Message too long"),
                           (dict(Message="x", Subject="x" * 101), "Subject"),
                           (dict(Message="x", Subject=""), "Subject"),
                           (dict(Message="x", Subject="é"), "Subject")):
            with self.assertRaises(ClientError) as e:
                self.sns.publish(TopicArn=self.topic, **call)
            self.assertEqual((code(e), message(e)),
                             ("InvalidParameter", "Invalid parameter: " + what))
        for v in ({"DataType": "Other", "StringValue": "x"},
                  {"DataType": "Number", "StringValue": "x"},
                  {"DataType": "String", "StringValue": ""},
                  {"DataType": "String.Array", "StringValue": "x"}):
            with self.assertRaises(ClientError) as e:
                self.sns.publish(TopicArn=self.topic, Message="x", MessageAttributes={"a": v})
            self.assertEqual(code(e), "ParameterValueInvalid")
        with self.assertRaises(ClientError) as e:
            self.sns.publish(Message="x")
        self.assertIn("no value for required parameter", message(e))
        self.subscribe(RawMessageDelivery="true")
        self.sns.publish(TopicArn=self.topic, Message="x" * 262144)
        self.assertEqual(len(receive(self.sqs, self.url)[0]["Body"]), 262144)

    def test_bad_endpoints(self):
        account = self.topic.split(":")[4]
        for protocol, endpoint in (("sqs", "https://x"), ("http", "https://x"), ("https", "x"),
                                   ("https", "https:///path"), ("ftp", "ftp://x"),
                                   ("http", "http://a b"), ("lambda", "x"),
                                   ("email", "a@b"), ("sms", "+15555550100"),
                                   ("application", "x"),
                                   ("sqs", "arn:aws:sqs:us-east-1:%s:q.fifo" % account)):
            with self.assertRaises(ClientError, msg=protocol) as e:
                self.sns.subscribe(TopicArn=self.topic, Protocol=protocol, Endpoint=endpoint)
            self.assertEqual(code(e), "InvalidParameter")
            if protocol in ("sms", "application"):
                self.assertIn("--webhook URL", message(e))
            if protocol == "email":
                self.assertIn("--smtp URL", message(e))
        with self.assertRaises(ClientError) as e:
            self.sns.publish(PhoneNumber="+15555550100", Message="x")
        self.assertIn("--webhook URL", message(e))
        with self.assertRaises(ClientError) as e:
            self.sns.subscribe(TopicArn=self.topic, Protocol="firehose", Endpoint="x")
        self.assertEqual(code(e), "NotImplemented")

    def test_a_queue_that_refuses_gets_nothing_and_dead_letters(self):
        closed_url, closed = queue_for(self.sqs, unique("q"))
        self.urls.append(closed_url)
        self.subscribe(closed, RedrivePolicy=json.dumps({"deadLetterTargetArn": self.queue}))
        sent = self.sns.publish(TopicArn=self.topic, Message="kept")
        m = json.loads(receive(self.sqs, self.url)[0]["Body"])
        self.assertEqual((m["Message"], m["MessageId"]), ("kept", sent["MessageId"]))
        self.assertEqual(receive(self.sqs, closed_url, wait=0), [])

    def test_subscription_attributes_lists_and_end(self):
        sub = self.subscribe()
        a = self.sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
        self.assertEqual((a["Protocol"], a["Endpoint"], a["PendingConfirmation"],
                          a["ConfirmationWasAuthenticated"], a["RawMessageDelivery"]),
                         ("sqs", self.queue, "false", "true", "false"))
        self.sns.set_subscription_attributes(SubscriptionArn=sub, AttributeName="FilterPolicy",
                                             AttributeValue='{"a":["b"]}')
        self.assertEqual(self.sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"][
            "FilterPolicy"], '{"a":["b"]}')
        with self.assertRaises(ClientError) as e:
            self.subscribe(RawMessageDelivery="true")
        self.assertIn("different attributes", message(e))
        for name, value in (("RedrivePolicy", '{"deadLetterTargetArn":"x"}'), ("Nothing", "x"),
                            ("RawMessageDelivery", "maybe"), ("FilterPolicyScope", "x"),
                            ("DeliveryPolicy", '{"x":1}')):
            with self.assertRaises(ClientError, msg=name) as e:
                self.sns.set_subscription_attributes(SubscriptionArn=sub, AttributeName=name,
                                                     AttributeValue=value)
            self.assertEqual(code(e), "InvalidParameter")
        mine = [s for p in self.sns.get_paginator("list_subscriptions").paginate()
                for s in p["Subscriptions"] if s["SubscriptionArn"] == sub]
        self.assertEqual(mine, self.sns.list_subscriptions_by_topic(TopicArn=self.topic)[
            "Subscriptions"])
        self.sns.unsubscribe(SubscriptionArn=sub)
        self.sns.unsubscribe(SubscriptionArn=sub)  # ended already
        with self.assertRaises(ClientError) as e:
            self.sns.get_subscription_attributes(SubscriptionArn=sub)
        self.assertEqual((code(e), message(e)), ("NotFound", "Subscription does not exist"))
        self.sns.publish(TopicArn=self.topic, Message="nobody")
        self.assertEqual(receive(self.sqs, self.url, wait=1), [])


class PermissionTest(unittest.TestCase):
    def setUp(self):
        self.sns, self.iam = boto3.client("sns"), boto3.client("iam")
        self.topic = self.sns.create_topic(Name=unique("t"))["TopicArn"]
        self.user = unique("u")
        self.iam.create_user(UserName=self.user)
        key = self.iam.create_access_key(UserName=self.user)["AccessKey"]
        self.mine = boto3.client("sns", aws_access_key_id=key["AccessKeyId"],
                                 aws_secret_access_key=key["SecretAccessKey"])

    def allow(self, action, **condition):
        statement = {"Effect": "Allow", "Action": action, "Resource": self.topic}
        if condition:
            statement["Condition"] = condition
        self.iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [statement]}))

    def test_publish_needs_a_policy(self):
        with self.assertRaises(ClientError) as e:  # the default policy gives users nothing
            self.mine.publish(TopicArn=self.topic, Message="x")
        self.assertEqual((code(e), status(e)), ("AuthorizationError", 403))
        self.assertIn("sns:Publish", message(e))
        self.allow("sns:Publish")
        self.mine.publish(TopicArn=self.topic, Message="x")
        with self.assertRaises(ClientError):
            self.mine.get_topic_attributes(TopicArn=self.topic)

    def test_the_topic_policy_can_let_in(self):
        arn = self.iam.get_user(UserName=self.user)["User"]["Arn"]
        self.sns.set_topic_attributes(
            TopicArn=self.topic, AttributeName="Policy", AttributeValue=json.dumps({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": arn},
                               "Action": "sns:Publish", "Resource": self.topic}]}))
        self.mine.publish(TopicArn=self.topic, Message="x")

    def test_subscribe_conditions(self):
        self.allow("sns:Subscribe", StringEquals={"sns:Protocol": "https"},
                   StringLike={"sns:Endpoint": "https://127.0.0.1:9/*"})
        self.mine.subscribe(TopicArn=self.topic, Protocol="https",
                            Endpoint="https://127.0.0.1:9/ok")
        for protocol, endpoint in (("https", "https://127.0.0.1:8/ok"),
                                   ("http", "http://127.0.0.1:9/ok")):
            with self.assertRaises(ClientError) as e:
                self.mine.subscribe(TopicArn=self.topic, Protocol=protocol, Endpoint=endpoint)
            self.assertEqual(code(e), "AuthorizationError")

    def test_a_missing_topic_is_not_told_to_who_may_not_call(self):
        with self.assertRaises(ClientError) as e:
            self.mine.get_topic_attributes(TopicArn=self.topic + "x")
        self.assertEqual(code(e), "AuthorizationError")

    def test_unsigned_calls_are_refused(self):
        base = os.environ["AWS_ENDPOINT_URL"]
        for query in ("Action=ListTopics", "Action=Publish&Message=x&TopicArn=" + self.topic):
            self.assertEqual(fetch(f"{base}/?{query}&Version=2010-03-31")[0], 403)


class HttpTest(unittest.TestCase):
    def setUp(self):
        self.sns, self.sqs = boto3.client("sns"), boto3.client("sqs")
        self.topic = self.sns.create_topic(Name=unique("t"))["TopicArn"]
        self.end = Endpoint()

    def tearDown(self):
        self.sns.delete_topic(TopicArn=self.topic)
        self.end.close()

    def subscribe(self, end=None, **more):
        return self.sns.subscribe(TopicArn=self.topic, Protocol="http",
                                  Endpoint=(end or self.end).url + "/in",
                                  ReturnSubscriptionArn=True, **more)["SubscriptionArn"]

    def confirmed(self, end=None, **more):
        end = end or self.end
        sub = self.subscribe(end, **more)
        body = json.loads(end.next()[1])
        self.assertEqual(fetch(body["SubscribeURL"])[0], 200)
        return sub

    def test_handshake_notification_and_goodbye(self):
        r = self.sns.subscribe(TopicArn=self.topic, Protocol="http", Endpoint=self.end.url + "/in")
        self.assertEqual(r["SubscriptionArn"], "pending confirmation")
        headers, text, path = self.end.next()
        body = json.loads(text)
        self.assertEqual(path, "/in")
        self.assertEqual(headers["x-amz-sns-message-type"], "SubscriptionConfirmation")
        self.assertEqual(headers["x-amz-sns-topic-arn"], self.topic)
        self.assertEqual(headers["Content-Type"], "text/plain; charset=UTF-8")
        self.assertEqual(body["Type"], "SubscriptionConfirmation")
        self.assertTrue(verify(body))
        # Before the confirmation nothing is sent.
        self.assertEqual(self.sns.list_subscriptions_by_topic(TopicArn=self.topic)[
            "Subscriptions"][0]["SubscriptionArn"], "PendingConfirmation")
        self.sns.publish(TopicArn=self.topic, Message="too early")
        for part in ("Token=", "TopicArn="):  # a wrong token and a topic that is not there
            code_, answer = fetch(re.sub(part + "[^&]*", lambda m: m.group(0) + "0",
                                         body["SubscribeURL"]))
            self.assertEqual(code_, 400)
            self.assertIn("Invalid parameter: Token<", answer)
        code_, answer = fetch(body["SubscribeURL"])
        self.assertEqual(code_, 200)
        sub = re.search("<SubscriptionArn>(.*)</SubscriptionArn>", answer).group(1)
        self.assertEqual(fetch(body["SubscribeURL"])[0], 200)  # twice does no harm

        sent = self.sns.publish(TopicArn=self.topic, Message="m", Subject="s")
        headers, text, _ = self.end.next()
        note = json.loads(text)
        self.assertEqual((headers["x-amz-sns-message-type"], headers["x-amz-sns-message-id"],
                          headers["x-amz-sns-subscription-arn"]),
                         ("Notification", sent["MessageId"], sub))
        self.assertEqual((note["Message"], note["Subject"]), ("m", "s"))
        self.assertTrue(verify(note))

        self.assertEqual(fetch(note["UnsubscribeURL"])[0], 200)
        headers, text, _ = self.end.next()
        bye = json.loads(text)
        self.assertEqual(bye["Type"], "UnsubscribeConfirmation")
        self.assertTrue(verify(bye))
        self.sns.publish(TopicArn=self.topic, Message="not any more")
        self.assertEqual(self.sns.list_subscriptions_by_topic(TopicArn=self.topic)[
            "Subscriptions"][0]["SubscriptionArn"], "Deleted")
        self.assertEqual(fetch(bye["SubscribeURL"])[0], 200)  # taken up again
        self.sns.publish(TopicArn=self.topic, Message="back")
        self.assertEqual(json.loads(self.end.next()[1])["Message"], "back")
        self.assertTrue(self.end.got.empty())

    def test_confirmation_by_a_signed_call_guards_the_end(self):
        self.subscribe()
        token = json.loads(self.end.next()[1])["Token"]
        base = os.environ["AWS_ENDPOINT_URL"]
        link = (f"{base}/?Action=ConfirmSubscription&Version=2010-03-31&TopicArn={self.topic}"
                f"&Token={token}&AuthenticateOnUnsubscribe=true")
        self.assertEqual(fetch(link)[0], 403)
        sub = self.sns.confirm_subscription(TopicArn=self.topic, Token=token,
                                            AuthenticateOnUnsubscribe="true")["SubscriptionArn"]
        a = self.sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
        self.assertEqual((a["PendingConfirmation"], a["ConfirmationWasAuthenticated"]),
                         ("false", "true"))
        self.sns.publish(TopicArn=self.topic, Message="m")
        self.assertEqual(fetch(json.loads(self.end.next()[1])["UnsubscribeURL"])[0], 403)
        self.sns.unsubscribe(SubscriptionArn=sub)
        with self.assertRaises(ClientError) as e:
            self.sns.confirm_subscription(TopicArn=self.topic, Token=token)
        self.assertEqual(message(e), "Invalid parameter: Token")

    def test_raw_with_its_own_content_type(self):
        self.confirmed(Attributes={
            "RawMessageDelivery": "true",
            "DeliveryPolicy": '{"requestPolicy":{"headerContentType":"application/json"}}'})
        self.sns.publish(TopicArn=self.topic, Message='{"a":1}')
        headers, text, _ = self.end.next()
        self.assertEqual((text, headers["Content-Type"], headers["x-amz-sns-rawdelivery"]),
                         ('{"a":1}', "application/json", "true"))

    FAST = {"DeliveryPolicy": json.dumps({"healthyRetryPolicy": {
        "minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 3, "numNoDelayRetries": 2}})}

    def test_retries_until_it_is_taken(self):
        sub = self.confirmed(Attributes=self.FAST)
        a = self.sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]
        self.assertEqual(json.loads(a["EffectiveDeliveryPolicy"])["healthyRetryPolicy"][
            "numNoDelayRetries"], 2)
        self.end.answers = [500, 503]
        sent = self.sns.publish(TopicArn=self.topic, Message="again")
        ids = [self.end.next()[0]["x-amz-sns-message-id"] for _ in range(3)]
        self.assertEqual(ids, [sent["MessageId"]] * 3)

    def test_retries_then_the_dead_letter_queue(self):
        url, arn = queue_for(self.sqs, unique("dead"), self.topic)
        self.confirmed(Attributes=dict(self.FAST, RedrivePolicy=json.dumps(
            {"deadLetterTargetArn": arn})))
        self.end.answers = [500] * 4
        self.sns.publish(TopicArn=self.topic, Message="lost?")
        m = json.loads(receive(self.sqs, url, wait=20)[0]["Body"])
        self.assertEqual(m["Message"], "lost?")
        self.assertEqual(self.end.got.qsize(), 4)  # the first attempt and three retries
        self.end.answers = [404]  # not wanted: no use to try again
        self.sns.publish(TopicArn=self.topic, Message="refused")
        self.assertEqual(json.loads(receive(self.sqs, url, wait=20)[0]["Body"])["Message"],
                         "refused")
        self.assertEqual(self.end.got.qsize(), 5)
        self.sqs.delete_queue(QueueUrl=url)

    def test_an_endpoint_that_hangs_holds_up_nobody(self):
        other = Endpoint()
        try:
            self.confirmed(Attributes=self.FAST)
            self.confirmed(other)
            self.end.hold = threading.Event()
            for i in range(6):
                self.sns.publish(TopicArn=self.topic, Message=str(i))
            got = sorted(json.loads(other.next(timeout=8)[1])["Message"] for _ in range(6))
            self.assertEqual(got, [str(i) for i in range(6)])
        finally:
            self.end.hold.set()
            other.close()
        eventually(lambda: self.end.got.qsize() >= 6, "the held messages arrive")

    def test_many_endpoints_that_hang_hold_up_nobody(self):
        slow, other = [self.end, Endpoint(), Endpoint(), Endpoint()], Endpoint()
        quiet = self.sns.create_topic(Name=unique("quiet"))["TopicArn"]
        try:
            for end in slow:
                self.confirmed(end)
            for end in slow:  # known to be slow from now on
                end.pause = 2.5
            self.sns.publish(TopicArn=self.topic, Message="slow")
            for end in slow:
                end.next()
            sub = self.sns.subscribe(TopicArn=quiet, Protocol="http", Endpoint=other.url,
                                     ReturnSubscriptionArn=True)["SubscriptionArn"]
            self.assertEqual(fetch(json.loads(other.next()[1])["SubscribeURL"])[0], 200)
            eventually(lambda: self.sns.get_subscription_attributes(SubscriptionArn=sub)[
                "Attributes"]["PendingConfirmation"] == "false", "the confirmation")
            for end in slow:
                end.hold = threading.Event()
            for i in range(4):
                self.sns.publish(TopicArn=self.topic, Message="held")
            eventually(lambda: sum(end.got.qsize() for end in slow) >= 2, "deliveries that hang")
            self.sns.publish(TopicArn=quiet, Message="urgent")
            self.assertEqual(json.loads(other.next(timeout=8)[1])["Message"], "urgent")
        finally:
            self.sns.delete_topic(TopicArn=quiet)
            for end in slow[1:] + [other]:
                end.close()

    def test_redirects_are_not_followed(self):
        other = Endpoint()
        end = Endpoint(location=other.url + "/")
        url, arn = queue_for(self.sqs, unique("dead"), self.topic)
        try:
            self.confirmed(end, Attributes={
                "DeliveryPolicy": '{"healthyRetryPolicy":{"numRetries":0}}',
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})})
            end.answers = [307]
            self.sns.publish(TopicArn=self.topic, Message="stay")
            self.assertEqual(json.loads(receive(self.sqs, url, wait=20)[0]["Body"])["Message"],
                             "stay")
            self.assertTrue(other.got.empty())
        finally:
            self.sqs.delete_queue(QueueUrl=url)
            end.close()
            other.close()

    def test_a_password_in_the_url_is_masked(self):
        end = self.end.url.replace("http://", "http://user:secret@") + "/in"
        sub = self.sns.subscribe(TopicArn=self.topic, Protocol="http", Endpoint=end,
                                 ReturnSubscriptionArn=True)["SubscriptionArn"]
        shown = self.sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]["Endpoint"]
        self.assertEqual(shown, end.replace("secret", "****"))
        self.assertIn("Basic", self.end.next()[0]["Authorization"])


class FunctionTest(unittest.TestCase):
    """Delivery to a Lambda function, which writes its event to its log."""

    @classmethod
    def setUpClass(cls):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise unittest.SkipTest("a C compiler is needed for the function")
        cls.sns, cls.lam, cls.iam = (boto3.client(s) for s in ("sns", "lambda", "iam"))
        cls.logs, cls.sqs = boto3.client("logs"), boto3.client("sqs")
        with tempfile.TemporaryDirectory() as d:
            here = os.path.dirname(os.path.abspath(__file__))
            subprocess.run([compiler, "-D_GNU_SOURCE", "-static", "-O1", "-o", d + "/bootstrap",
                            os.path.join(here, "echo.c")], check=True)
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as z:
                info = zipfile.ZipInfo("bootstrap")
                info.external_attr = 0o100755 << 16
                with open(d + "/bootstrap", "rb") as f:
                    z.writestr(info, f.read())
        role = cls.iam.create_role(RoleName=unique("r"), AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole"}]}))["Role"]
        cls.iam.put_role_policy(RoleName=role["RoleName"], PolicyName="logs",
                                PolicyDocument=json.dumps({
                                    "Version": "2012-10-17", "Statement": [{
                                        "Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
        cls.name = unique("f")
        cls.function = cls.lam.create_function(
            FunctionName=cls.name, Runtime="provided.al2023", Role=role["Arn"], Handler="h",
            Code={"ZipFile": packed.getvalue()})["FunctionArn"]
        try:
            tried = cls.lam.invoke(FunctionName=cls.name, Payload="{}")
        except ClientError as e:
            raise unittest.SkipTest("no function runs on this machine: %s" % e)
        assert tried["Payload"].read() == b'"ok"', tried

    @classmethod
    def tearDownClass(cls):
        cls.lam.delete_function(FunctionName=cls.name)

    def events(self):
        try:
            found = self.logs.filter_log_events(logGroupName="/aws/lambda/" + self.name)["events"]
        except ClientError:  # no log group yet
            return []
        return [json.loads(e["message"]) for e in found if e["message"].startswith('{"Records"')]

    def test_event(self):
        topic = self.sns.create_topic(Name=unique("t"))["TopicArn"]
        url, dead = queue_for(self.sqs, unique("dead"), topic)
        sub = self.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=self.function,
                                 Attributes={"RedrivePolicy": json.dumps(
                                     {"deadLetterTargetArn": dead})})["SubscriptionArn"]
        self.sns.publish(TopicArn=topic, Message="not yet let in")
        self.assertEqual(json.loads(receive(self.sqs, url)[0]["Body"])["Message"],
                         "not yet let in")
        self.lam.add_permission(FunctionName=self.name, StatementId="sns",
                                Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
                                SourceArn=topic)
        sent = self.sns.publish(TopicArn=topic, Message="m", MessageAttributes={
            "a": {"DataType": "String", "StringValue": "b"}})
        record = eventually(self.events, "the function has logged its event")[0]["Records"][0]
        self.assertEqual((record["EventSource"], record["EventVersion"],
                          record["EventSubscriptionArn"]), ("aws:sns", "1.0", sub))
        note = record["Sns"]
        self.assertEqual((note["MessageId"], note["Message"], note["Subject"], note["TopicArn"]),
                         (sent["MessageId"], "m", None, topic))
        self.assertEqual(note["MessageAttributes"], {"a": {"Type": "String", "Value": "b"}})
        del note["Subject"]
        note["SigningCertURL"] = note["SigningCertUrl"]
        self.assertTrue(verify(note))
        self.sns.delete_topic(TopicArn=topic)
        self.sqs.delete_queue(QueueUrl=url)


class RecordTest(unittest.TestCase):
    """What the trail says, in a Ward of its own, so that a look-up finds these calls alone; and
    that messages stay out of it."""

    def test_records(self):
        with Ward() as ward:
            sns = ward.client("sns")
            topic = sns.create_topic(Name="t")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://u:pw@127.0.0.1:9/x")
            sns.publish(TopicArn=topic, Message="patient 17 is well", Subject="patient")
            with self.assertRaises(ClientError):
                sns.publish(TopicArn=topic, Message="patient 18", Subject="\n")
            made = trail_events(ward, EventName="CreateTopic")[0]
            self.assertEqual(made["responseElements"]["topicArn"], topic)
            self.assertEqual(made["resources"][0]["type"], "AWS::SNS::Topic")
            sub = trail_events(ward, EventName="Subscribe")[0]
            self.assertEqual(sub["requestParameters"]["protocol"], "https")
            self.assertEqual(sub["additionalEventData"]["endpoint"], "https://u:****@127.0.0.1:9/x")
            self.assertEqual(trail_events(ward, EventName="Publish"), [])  # data, not management
            self.assertNotIn("patient", ward.read_log())
            for folder, _, names in os.walk(ward.data):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as f:
                        self.assertNotIn(b"patient 17", f.read())


class PeopleTest(unittest.TestCase):
    """Mail by a mail server, SMS and mobile push by the provider's webhook."""

    @classmethod
    def setUpClass(cls):
        cls.mail, cls.hook = MailServer(), Endpoint()
        cls.ward = Ward("--smtp", cls.mail.url, "--webhook", cls.hook.url + "/hook")
        cls.ward.start()
        cls.sns = cls.ward.client("sns")

    @classmethod
    def tearDownClass(cls):
        ended = cls.ward.stop()
        log = cls.ward.read_log()
        cls.ward.remove()
        cls.mail.close()
        cls.hook.close()
        assert ended == 0 and "ERROR: " not in log and "runtime error" not in log, log[-4000:]
        assert "5555550100" not in log and "alice@" not in log, "a person's address in the log"

    def setUp(self):
        self.topic = self.sns.create_topic(Name=unique("t"),
                                           Attributes={"DisplayName": "Alarms"})["TopicArn"]

    def test_mail(self):
        r = self.sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint="alice@example.org")
        self.assertEqual(r["SubscriptionArn"], "pending confirmation")
        to, subject, text = self.mail.next()
        self.assertEqual((to, subject), ("alice@example.org",
                                         "AWS Notification - Subscription Confirmation"))
        link = re.search(r"https://\S+ConfirmSubscription\S+", text).group(0)
        self.assertEqual(fetch(link, self.ward.ca)[0], 200)
        self.sns.publish(TopicArn=self.topic, Message="grüße", Subject="Hi")
        to, subject, text = self.mail.next()
        self.assertEqual((to, subject), ("alice@example.org", "Hi"))
        self.assertTrue(text.startswith("grüße\n"), text)
        self.assertIn("Alarms", text)
        self.sns.publish(TopicArn=self.topic, Message="no subject")
        self.assertEqual(self.mail.next()[1], "AWS Notification Message")
        link = re.search(r"https://\S+Action=Unsubscribe\S+", text).group(0)
        self.assertEqual(fetch(link, self.ward.ca)[0], 200)
        self.assertEqual(self.mail.next()[1], "AWS Notification - Unsubscribe Confirmation")
        self.sns.publish(TopicArn=self.topic, Message="nobody")
        self.assertTrue(self.mail.got.empty())

    def test_mail_as_json(self):
        self.sns.subscribe(TopicArn=self.topic, Protocol="email-json", Endpoint="bob@example.org")
        m = json.loads(self.mail.next()[2])
        self.assertEqual(m["Type"], "SubscriptionConfirmation")
        self.assertEqual(fetch(m["SubscribeURL"], self.ward.ca)[0], 200)
        self.sns.publish(TopicArn=self.topic, Message="x")
        m = json.loads(self.mail.next()[2])
        self.assertEqual(m["Message"], "x")
        self.assertTrue(verify(m, self.ward.ca))

    def test_mail_addresses_are_checked(self):
        for bad in ("x", "@x", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "<a@b>"):
            with self.assertRaises(ClientError) as e:
                self.sns.subscribe(TopicArn=self.topic, Protocol="email", Endpoint=bad)
            self.assertEqual(message(e), "Invalid parameter: Email address")

    def test_sms(self):
        r = self.sns.subscribe(TopicArn=self.topic, Protocol="sms", Endpoint="+15555550100")
        self.assertRegex(r["SubscriptionArn"], "^arn:")
        sent = self.sns.publish(TopicArn=self.topic, MessageStructure="json",
                                Message=json.dumps({"default": "d", "sms": "short"}))
        headers, text, path = self.hook.next()
        self.assertEqual((path, headers["Content-Type"]), ("/hook", "application/json"))
        self.assertEqual(json.loads(text), {"Type": "sms", "MessageId": sent["MessageId"],
                                            "PhoneNumber": "+15555550100", "Message": "short"})
        self.sns.publish(PhoneNumber="+15555550100", Message="direct")
        self.assertEqual(json.loads(self.hook.next()[1])["Message"], "direct")
        with self.assertRaises(ClientError) as e:
            self.sns.publish(PhoneNumber="12", Message="x")
        self.assertEqual(code(e), "InvalidParameter")

    def test_push(self):
        app = self.sns.create_platform_application(
            Name=unique("app"), Platform="GCM", Attributes={"PlatformCredential": "key"})[
            "PlatformApplicationArn"]
        end = self.sns.create_platform_endpoint(PlatformApplicationArn=app, Token="device-1",
                                                CustomUserData="u")["EndpointArn"]
        self.assertEqual(self.sns.create_platform_endpoint(
            PlatformApplicationArn=app, Token="device-1", CustomUserData="u")["EndpointArn"], end)
        with self.assertRaises(ClientError) as e:
            self.sns.create_platform_endpoint(PlatformApplicationArn=app, Token="device-1",
                                              CustomUserData="other")
        self.assertIn("already exists with the same Token", message(e))
        self.assertIn(app, [a["PlatformApplicationArn"] for a in
                            self.sns.list_platform_applications()["PlatformApplications"]])
        self.assertEqual([e["EndpointArn"] for e in self.sns.list_endpoints_by_platform_application(
            PlatformApplicationArn=app)["Endpoints"]], [end])

        self.sns.subscribe(TopicArn=self.topic, Protocol="application", Endpoint=end)
        self.sns.publish(TopicArn=self.topic, MessageStructure="json",
                         Message=json.dumps({"default": "d", "GCM": '{"a":1}'}))
        got = json.loads(self.hook.next()[1])
        self.assertEqual((got["Type"], got["Platform"], got["Token"], got["Message"],
                          got["EndpointArn"], got["PlatformApplicationArn"]),
                         ("push", "GCM", "device-1", '{"a":1}', end, app))
        self.hook.answers = [410]  # the provider: this device is no more
        self.sns.publish(TargetArn=end, Message="bye")
        self.hook.next()
        eventually(lambda: self.sns.get_endpoint_attributes(EndpointArn=end)["Attributes"][
            "Enabled"] == "false", "the endpoint is disabled")
        with self.assertRaises(ClientError) as e:
            self.sns.publish(TargetArn=end, Message="x")
        self.assertEqual(code(e), "EndpointDisabled")
        self.sns.set_endpoint_attributes(EndpointArn=end, Attributes={"Enabled": "true",
                                                                      "Token": "device-2"})
        self.sns.publish(TargetArn=end, Message="x")
        self.assertEqual(json.loads(self.hook.next()[1])["Token"], "device-2")
        self.sns.delete_endpoint(EndpointArn=end)
        with self.assertRaises(ClientError) as e:
            self.sns.get_endpoint_attributes(EndpointArn=end)
        self.assertEqual((code(e), status(e)), ("NotFound", 404))
        self.sns.delete_platform_application(PlatformApplicationArn=app)
        self.sns.delete_platform_application(PlatformApplicationArn=app)

    def test_what_was_answered_survives_a_crash(self):
        """200 means durable: a message whose endpoint was down is delivered after kill -9."""
        end = Endpoint()
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]  # the links of before must lead to the new process
        with Ward("--listen", "127.0.0.1:%d" % port) as ward:
            sns = ward.client("sns")
            topic = sns.create_topic(Name="t")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=end.url, Attributes={
                "DeliveryPolicy": json.dumps({"healthyRetryPolicy": {
                    "minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 50}})})
            self.assertEqual(fetch(json.loads(end.next()[1])["SubscribeURL"], ward.ca)[0], 200)
            end.answers = [503] * 100
            sent = sns.publish(TopicArn=topic, Message="kept")
            end.next()
            ward.kill()
            end.answers = []
            while not end.got.empty():
                end.got.get()
            ward.start()
            m = json.loads(end.next()[1])
            self.assertEqual((m["Message"], m["MessageId"]), ("kept", sent["MessageId"]))
            self.assertTrue(verify(m, ward.ca))
        end.close()


class TrustTest(unittest.TestCase):
    """TLS to endpoints and to the mail server, with an authority that the operator names."""

    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.pair = cls.authority.issue("IP:127.0.0.1")
        cls.elsewhere = cls.authority.issue("DNS:elsewhere.example.org")
        cls.mail = MailServer(tls=cls.pair)
        cls.ward = Ward("--smtp", cls.mail.url.replace("://", "://alice%40example.org:pa55@"),
                        env={"SSL_CERT_FILE": cls.authority.file})
        cls.ward.start()
        cls.sns = cls.ward.client("sns")

    @classmethod
    def tearDownClass(cls):
        ended = cls.ward.stop()
        log = cls.ward.read_log()
        cls.ward.remove()
        cls.mail.close()
        cls.authority.remove()
        assert ended == 0 and "ERROR: " not in log and "runtime error" not in log, log[-4000:]

    def subscribe(self, end):
        topic = self.sns.create_topic(Name=unique("t"), Attributes={
            "DeliveryPolicy": '{"http":{"defaultHealthyRetryPolicy":{"numRetries":0}}}'})[
            "TopicArn"]
        self.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=end.url)
        return topic

    def test_https(self):
        end = Endpoint(tls=self.pair)
        self.addCleanup(end.close)
        topic = self.subscribe(end)
        m = json.loads(end.next()[1])
        self.assertEqual(fetch(m["SubscribeURL"], self.ward.ca)[0], 200)
        self.sns.publish(TopicArn=topic, Message="over TLS")
        self.assertEqual(json.loads(end.next()[1])["Message"], "over TLS")

    def test_certificates_that_do_not_hold(self):
        stranger = Authority()
        self.addCleanup(stranger.remove)
        before = self.ward.read_log().count("a confirmation was given up")
        for n, pair in enumerate((stranger.issue("IP:127.0.0.1"), self.elsewhere), before + 1):
            end = Endpoint(tls=pair)
            self.addCleanup(end.close)
            self.subscribe(end)
            eventually(lambda: self.ward.read_log().count("a confirmation was given up") == n,
                       "the end of its tries")
            self.assertTrue(end.got.empty())

    def test_mail_is_encrypted_before_the_password_is_told(self):
        topic = self.sns.create_topic(Name=unique("t"))["TopicArn"]
        self.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="bob@example.org")
        self.assertEqual(self.mail.next()[0], "bob@example.org")
        self.assertEqual([w.split(" ")[0] for w, secure in self.mail.heard if not secure],
                         ["EHLO", "STARTTLS"])
        told = base64.b64encode(b"\0alice@example.org\0pa55").decode()
        self.assertTrue(any(told in w for w, secure in self.mail.heard if secure),
                        self.mail.heard)
        self.assertIn(("MAIL FROM:<alice@example.org>", True), self.mail.heard)

    def test_a_mail_server_without_tls_never_hears_the_password(self):
        mail = MailServer()
        self.addCleanup(mail.close)
        with Ward("--smtp", mail.url.replace("://", "://alice%40example.org:pa55@")) as ward:
            sns = ward.client("sns")
            topic = sns.create_topic(Name="t")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="bob@example.org")
            eventually(lambda: any(w == "QUIT" for w, _ in mail.heard) or len(mail.heard) > 1,
                       "the client gives up")
            self.assertFalse([w for w, _ in mail.heard if w[:4] in ("AUTH", "MAIL", "DATA")])


if __name__ == "__main__":
    unittest.main()

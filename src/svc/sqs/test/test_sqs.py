"""SQS as boto3 sees it."""
import hashlib
import json
import os
import ssl
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError


def code(error):
    return error.exception.response["Error"]["Code"]


class QueueTest(unittest.TestCase):
    def setUp(self):
        self.sqs = boto3.client("sqs")
        self.name = "q-" + uuid.uuid4().hex[:12]
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]

    def tearDown(self):
        try:
            self.sqs.delete_queue(QueueUrl=self.url)
        except ClientError:
            pass

    def receive(self, **more):
        return self.sqs.receive_message(QueueUrl=self.url, **more).get("Messages", [])

    def test_found_by_name_and_listed(self):
        self.assertEqual(self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"], self.url)
        self.assertIn(self.url, self.sqs.list_queues(QueueNamePrefix=self.name)["QueueUrls"])
        self.assertEqual(self.sqs.create_queue(QueueName=self.name)["QueueUrl"], self.url)
        with self.assertRaises(ClientError) as e:
            self.sqs.create_queue(QueueName=self.name, Attributes={"VisibilityTimeout": "77"})
        self.assertIn("QueueNameExists", code(e).replace("QueueAlreadyExists", "QueueNameExists"))

    def test_made_again_with_what_it_has_anyway(self):
        self.sqs.create_queue(QueueName=self.name, Attributes={
            "VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
            "SqsManagedSseEnabled": "true"})

    def test_attributes_that_do_not_exist(self):
        with self.assertRaises(ClientError) as e:
            self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn", "Colour"])
        self.assertIn("InvalidAttributeName", code(e))
        only = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.assertEqual(list(only["Attributes"]), ["QueueArn"])

    def test_message_attributes_are_checked(self):
        text = {"DataType": "String", "StringValue": "x"}
        for bad in ({"a b": text}, {".a": text}, {"a.": text}, {"a..b": text}, {"AWS.x": text},
                    {"amazon.x": text}, {"a" * 257: text}, {"a": dict(text, StringValue="\x01")},
                    {"a": dict(text, DataType="String." + "x" * 256)}):
            with self.assertRaises(ClientError, msg=bad) as e:
                self.sqs.send_message(QueueUrl=self.url, MessageBody="x", MessageAttributes=bad)
            self.assertIn(code(e), ("InvalidParameterValue", "InvalidMessageContents"))
        for bad in ({"Other": text}, {"AWSTraceHeader": {"DataType": "Number", "StringValue": "1"}}):
            with self.assertRaises(ClientError) as e:
                self.sqs.send_message(QueueUrl=self.url, MessageBody="x",
                                      MessageSystemAttributes=bad)
            self.assertEqual(code(e), "InvalidParameterValue")
        header = "Root=1-5759e988-bd862e3fe1be46a994272793"
        sent = self.sqs.send_message(
            QueueUrl=self.url, MessageBody="x", MessageAttributes={"a.b_c-1": text},
            MessageSystemAttributes={"AWSTraceHeader": dict(text, StringValue=header)})
        # Length and text of the name, the type, 1 for a text, length and text of the value.
        whole = b"".join(len(p).to_bytes(4, "big") + p if n != 2 else b"\x01" for n, p in enumerate(
            (b"AWSTraceHeader", b"String", b"", header.encode())))
        self.assertEqual(sent["MD5OfMessageSystemAttributes"], hashlib.md5(whole).hexdigest())
        got = self.receive(MessageSystemAttributeNames=["All"])
        self.assertEqual(got[0]["Attributes"]["AWSTraceHeader"], header)

    def test_a_batch_is_measured_with_its_attributes(self):
        entry = {"MessageBody": "x" * 100000, "MessageAttributes": {
            "a": {"DataType": "String", "StringValue": "y" * 100000}}}
        with self.assertRaises(ClientError) as e:
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=[
                dict(entry, Id=str(i)) for i in range(6)])
        self.assertIn("BatchRequestTooLong", code(e))
        done = self.sqs.send_message_batch(QueueUrl=self.url, Entries=[
            dict(entry, Id=str(i)) for i in range(5)])
        self.assertEqual(len(done["Successful"]), 5)

    def raw(self, path, form):
        """The query protocol as old clients speak it: (status, text)."""
        session = boto3.Session()
        base = os.environ["AWS_ENDPOINT_URL"]
        request = AWSRequest("POST", base + path, data=urllib.parse.urlencode(form), headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        SigV4Auth(session.get_credentials(), "sqs", session.region_name).add_auth(request)
        url = urllib.request.Request(base + path, data=request.data.encode(),
                                     headers=dict(request.headers))
        context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
        try:
            with urllib.request.urlopen(url, context=context) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def test_query_protocol_at_the_queue_s_own_url(self):
        path = urllib.parse.urlparse(self.url).path
        sent = {"Action": "SendMessage", "Version": "2012-11-05", "MessageBody": "old",
                "MessageAttribute.1.Name": "k", "MessageAttribute.1.Value.DataType": "String",
                "MessageAttribute.1.Value.StringValue": "v"}
        status, text = self.raw(path, sent)
        self.assertEqual(status, 200, text)
        self.assertIn(f"<MD5OfMessageBody>{hashlib.md5(b'old').hexdigest()}<", text)
        self.assertEqual(self.raw("/", dict(sent, QueueUrl=self.url))[0], 200)
        status, text = self.raw(path + "-gone", sent)
        self.assertEqual(status, 400)
        self.assertIn("AWS.SimpleQueueService.NonExistentQueue", text)
        status, text = self.raw(path, {"Action": "ReceiveMessage", "Version": "2012-11-05",
                                       "MaxNumberOfMessages": "10", "AttributeName.1": "All",
                                       "MessageAttributeName.1": "All"})
        self.assertEqual((status, text.count("<Body>old</Body>")), (200, 2), text)

    def test_tags_at_the_making_need_permission(self):
        iam, user = boto3.client("iam"), "q-" + uuid.uuid4().hex[:8]
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "sqs:CreateQueue", "Resource": "*"}]}))
        theirs = boto3.client("sqs", aws_access_key_id=key["AccessKeyId"],
                              aws_secret_access_key=key["SecretAccessKey"])
        with self.assertRaises(ClientError) as e:
            theirs.create_queue(QueueName=self.name + "-t", tags={"a": "b"})
        self.assertIn("AccessDenied", code(e))
        self.assertIn("sqs:TagQueue", str(e.exception))
        url = theirs.create_queue(QueueName=self.name + "-t")["QueueUrl"]
        self.sqs.delete_queue(QueueUrl=url)

    def test_missing_queue(self):
        with self.assertRaises(self.sqs.exceptions.QueueDoesNotExist):
            self.sqs.get_queue_url(QueueName="no-such-queue")

    def test_send_receive_delete(self):
        sent = self.sqs.send_message(
            QueueUrl=self.url, MessageBody="grüße <&> \"'",
            MessageAttributes={"n": {"DataType": "Number", "StringValue": "17"},
                               "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
                               "s": {"DataType": "String", "StringValue": "x"}})
        got = self.receive(MessageAttributeNames=["All"], AttributeNames=["All"])
        self.assertEqual([m["MessageId"] for m in got], [sent["MessageId"]])
        m = got[0]
        self.assertEqual(m["Body"], "grüße <&> \"'")
        self.assertEqual(m["MessageAttributes"]["b"]["BinaryValue"], b"\x00\x01")
        self.assertEqual(m["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.assertEqual(m["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(self.receive(), [])
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=m["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=m["ReceiptHandle"])
        counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        self.assertEqual(counts["Attributes"]["ApproximateNumberOfMessages"], "0")
        self.assertEqual(counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0")

    def test_visibility(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
        first = self.receive(VisibilityTimeout=30)[0]
        self.assertEqual(self.receive(), [])
        self.sqs.change_message_visibility(QueueUrl=self.url, VisibilityTimeout=0,
                                           ReceiptHandle=first["ReceiptHandle"])
        again = self.receive(AttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=30)[0]
        self.assertEqual(again["Attributes"]["ApproximateReceiveCount"], "2")
        # The old handle no longer deletes: somebody else has the message.
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=first["ReceiptHandle"])
        self.sqs.change_message_visibility(QueueUrl=self.url, VisibilityTimeout=60,
                                           ReceiptHandle=again["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=again["ReceiptHandle"])
        counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        self.assertEqual(counts["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0")

    def test_long_poll_is_woken_by_a_message(self):
        got = []
        t = threading.Thread(target=lambda: got.extend(self.receive(WaitTimeSeconds=20)))
        began = time.monotonic()
        t.start()
        self.sqs.send_message(QueueUrl=self.url, MessageBody="wake")
        t.join(15)
        self.assertEqual([m["Body"] for m in got], ["wake"])
        self.assertLess(time.monotonic() - began, 15)

    def test_long_poll_ends_empty(self):
        began = time.monotonic()
        self.assertEqual(self.receive(WaitTimeSeconds=1), [])
        self.assertGreaterEqual(time.monotonic() - began, 0.9)

    def test_delay(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="later", DelaySeconds=1)
        self.assertEqual(self.receive(), [])
        self.assertEqual([m["Body"] for m in self.receive(WaitTimeSeconds=10)], ["later"])

    def test_batches(self):
        r = self.sqs.send_message_batch(QueueUrl=self.url, Entries=[
            {"Id": str(i), "MessageBody": "m%d" % i} for i in range(10)])
        self.assertEqual(len(r["Successful"]), 10)
        got = []
        while len(got) < 10:
            page = self.receive(MaxNumberOfMessages=10, WaitTimeSeconds=2)
            self.assertTrue(page)
            got += page
        self.assertEqual(sorted(m["Body"] for m in got), ["m%d" % i for i in range(10)])
        r = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=[
            {"Id": "good", "ReceiptHandle": got[0]["ReceiptHandle"]},
            {"Id": "bad", "ReceiptHandle": "bm90IGEgaGFuZGxl"}])
        self.assertEqual([s["Id"] for s in r["Successful"]], ["good"])
        self.assertEqual(r["Failed"][0]["Code"], "ReceiptHandleIsInvalid")
        for entries, expected in (([], None), ([{"Id": "a", "MessageBody": "x"}] * 2,
                                              "BatchEntryIdsNotDistinct")):
            with self.assertRaises(ClientError) as e:
                self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            if expected:
                self.assertIn(expected, code(e))

    def test_two_receivers_never_share_a_message(self):
        n = 60
        for start in range(0, n, 10):
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=[
                {"Id": str(i), "MessageBody": str(i)} for i in range(start, start + 10)])
        got, lock = [], threading.Lock()

        def drain():
            sqs = boto3.client("sqs")
            while True:
                page = sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=5,
                                           VisibilityTimeout=300).get("Messages", [])
                if not page:
                    return
                with lock:
                    got.extend(m["Body"] for m in page)

        threads = [threading.Thread(target=drain) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(got, key=int), [str(i) for i in range(n)])

    def test_forty_receivers_get_no_errors(self):
        sqs = boto3.client("sqs", config=Config(max_pool_connections=40,
                                                retries={"max_attempts": 0}))
        for i in range(0, 300, 10):
            sqs.send_message_batch(QueueUrl=self.url, Entries=[
                {"Id": str(k), "MessageBody": str(i + k)} for k in range(10)])
        got = []

        def drain(_):
            while True:
                m = sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1).get("Messages", [])
                if not m:
                    return
                got.append(m[0]["Body"])
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=m[0]["ReceiptHandle"])

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(drain, range(40)))
        self.assertEqual(sorted(map(int, got)), list(range(300)))

    def test_redrive(self):
        dead = self.sqs.create_queue(QueueName=self.name + "-dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])[
            "Attributes"]["QueueArn"]
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})})
        self.assertEqual(self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"],
                         [self.url])
        self.sqs.send_message(QueueUrl=self.url, MessageBody="poison")
        for _ in range(2):
            self.assertEqual(len(self.receive(VisibilityTimeout=0)), 1)
        self.assertEqual(self.receive(VisibilityTimeout=0), [])
        there = self.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5)["Messages"]
        self.assertEqual([m["Body"] for m in there], ["poison"])
        self.sqs.delete_queue(QueueUrl=dead)

    def test_purge(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="old")
        self.sqs.purge_queue(QueueUrl=self.url)
        self.assertEqual(self.receive(), [])
        self.sqs.send_message(QueueUrl=self.url, MessageBody="new")
        self.assertEqual([m["Body"] for m in self.receive(WaitTimeSeconds=5)], ["new"])

    def test_a_queue_made_anew_is_empty(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="old")
        self.sqs.delete_queue(QueueUrl=self.url)
        with self.assertRaises(self.sqs.exceptions.QueueDoesNotExist):
            self.receive()
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.assertEqual(self.receive(), [])

    def test_bad_input(self):
        for call in (lambda: self.sqs.send_message(QueueUrl=self.url, MessageBody="\x01"),
                     lambda: self.sqs.send_message(QueueUrl=self.url, MessageBody="x" * 1048577),
                     lambda: self.receive(MaxNumberOfMessages=11),
                     lambda: self.receive(WaitTimeSeconds=21),
                     lambda: self.sqs.create_queue(QueueName="has space"),
                     lambda: self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={
                         "VisibilityTimeout": "-1"}),
                     lambda: self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={
                         "Nonsense": "1"})):
            with self.assertRaises(ClientError) as e:
                call()
            self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)

    def test_fifo_is_not_built(self):
        with self.assertRaises(ClientError) as e:
            self.sqs.create_queue(QueueName="x.fifo", Attributes={"FifoQueue": "true"})
        self.assertEqual(code(e), "NotImplemented")

    def test_tags(self):
        self.sqs.tag_queue(QueueUrl=self.url, Tags={"a": "1", "b": "2"})
        self.sqs.untag_queue(QueueUrl=self.url, TagKeys=["a"])
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=self.url)["Tags"], {"b": "2"})

    def test_permission_both_sides(self):
        iam = boto3.client("iam")
        user = "sqs-" + uuid.uuid4().hex[:8]
        arn = iam.create_user(UserName=user)["User"]["Arn"]
        key = iam.create_access_key(UserName=user)["AccessKey"]
        theirs = boto3.client("sqs", aws_access_key_id=key["AccessKeyId"],
                              aws_secret_access_key=key["SecretAccessKey"])
        with self.assertRaises(ClientError) as e:
            theirs.send_message(QueueUrl=self.url, MessageBody="x")
        self.assertIn("AccessDenied", code(e))
        queue_arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])[
            "Attributes"]["QueueArn"]
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sqs:SendMessage",
                 "Resource": queue_arn}]})})
        theirs.send_message(QueueUrl=self.url, MessageBody="x")
        with self.assertRaises(ClientError) as e:
            theirs.receive_message(QueueUrl=self.url)
        self.assertIn("AccessDenied", code(e))


if __name__ == "__main__":
    unittest.main()

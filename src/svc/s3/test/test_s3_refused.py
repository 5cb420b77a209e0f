"""What S3 turns away before it looks at a bucket: signatures of an older kind, uploads by HTML
form; and what other protocols look like when they are refused. Each leaves its line in the ledger."""
import json
import os
import ssl
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
import uuid

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import s3case  # noqa: E402,F401  (finds wardtest)
from wardtest import Ward, eventually  # noqa: E402

OLD = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


def map_of_texts(data):
    """CBOR, as far as an error needs it: a map of texts with texts."""
    out, at = [], 1
    assert data[0] >> 5 == 5
    for _ in range(2 * (data[0] & 31)):
        assert data[at] >> 5 == 3
        n, at = data[at] & 31, at + 1
        if n == 25:
            n, at = int.from_bytes(data[at:at + 2], "big"), at + 2
        out.append(data[at:at + n].decode())
        at += n
    assert at == len(data)
    return dict(zip(out[::2], out[1::2]))


class RefusedAtTheDoor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ward = Ward().start()
        cls.addClassCleanup(cls.ward.remove)
        s3 = cls.ward.client("s3")
        cls.bucket = "door-" + uuid.uuid4().hex[:12]
        s3.create_bucket(Bucket=cls.bucket)
        s3.put_object(Bucket=cls.bucket, Key="k", Body=b"content")

    def entries(self):
        self.assertEqual(self.ward.stop(), 0)
        out = subprocess.run([self.ward.binary, "ledger", "--json", "--data", self.ward.data],
                             capture_output=True, text=True, check=True).stdout
        report = json.loads(out)
        self.assertEqual(report["faults"], 0)
        self.ward.start()
        return report["entries"]

    def open(self, url, **kwargs):
        context = ssl.create_default_context(cafile=self.ward.ca)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, **kwargs),
                                        context=context) as r:
                return r.status, r.headers, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def test_signature_version_2(self):
        before = self.entries()
        # The command line of version 1 signs its links so, unless told otherwise.
        url = self.ward.aws("s3", "presign", f"s3://{self.bucket}/k").stdout.strip()
        self.assertIn("AWSAccessKeyId=", url)
        self.assertIn("Signature=", url)
        status, headers, text = self.open(url)
        self.assertEqual((status, headers["Content-Type"]), (400, "application/xml"), text)
        self.assertIn(b"<Code>InvalidRequest</Code>", text)
        self.assertIn(f"<Message>{OLD}</Message>".encode(), text)
        old = self.ward.client("s3", signature_version="s3")
        for call in (lambda: old.get_object(Bucket=self.bucket, Key="k"),
                     lambda: old.put_object(Bucket=self.bucket, Key="k", Body=b"other")):
            with self.assertRaises(ClientError) as e:
                call()
            error = e.exception.response
            self.assertEqual((error["Error"]["Code"], error["Error"]["Message"],
                              error["ResponseMetadata"]["HTTPStatusCode"]),
                             ("InvalidRequest", OLD, 400))
        self.assertEqual(self.entries(), before + 3)
        s3 = self.ward.client("s3", signature_version="s3v4")
        self.assertEqual(s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"content")
        status, _, text = self.open(s3.generate_presigned_url(
            "get_object", {"Bucket": self.bucket, "Key": "k"}))
        self.assertEqual((status, text), (200, b"content"))

    def test_an_old_signature_in_another_protocol(self):
        status, headers, text = self.open(
            self.ward.endpoint + "/", data=b"{}", headers={
                "X-Amz-Target": "TrentService.ListKeys", "Authorization": "AWS AKIAX:c2ln",
                "Content-Type": "application/x-amz-json-1.1"})
        self.assertEqual((status, headers["Content-Type"]), (400, "application/x-amz-json-1.1"))
        self.assertEqual(json.loads(text)["__type"], "InvalidRequest")

    def test_too_much(self):
        """A body larger than is taken in: told in the form of each protocol, before all of it came."""
        large = b"x" * (8 * 1024 * 1024 + 1)
        with self.assertRaises(ClientError) as e:
            self.ward.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=large.decode())
        self.assertEqual((e.exception.response["Error"]["Code"],
                          e.exception.response["ResponseMetadata"]["HTTPStatusCode"]),
                         ("MaxMessageLengthExceeded", 400))
        for target, kind, part in (
                ({"X-Amz-Target": "TrentService.Encrypt"}, "application/x-amz-json-1.1",
                 b'"RequestEntityTooLarge"'),
                ({"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAX/20200101/us-east-1/sns/"
                  "aws4_request, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
                  "X-Amz-Date": "20200101T000000Z"}, "application/x-www-form-urlencoded",
                 b"<Type>Sender</Type><Code>RequestEntityTooLarge</Code>")):
            status, _, text = self.open(self.ward.endpoint + "/", data=large,
                                        headers=dict(target, **{"Content-Type": kind}))
            self.assertEqual(status, 413, text)
            self.assertIn(part, text)

    def test_upload_by_form(self):
        before = self.entries()
        edge = "----edge"
        fields = "".join(f'--{edge}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'
                         for n, v in (("key", "by-form"), ("file", "x" * 1000)))
        status, headers, text = self.open(
            f"{self.ward.endpoint}/{self.bucket}", data=f"{fields}--{edge}--\r\n".encode(),
            headers={"Content-Type": f"multipart/form-data; boundary={edge}"})
        self.assertEqual((status, headers["Content-Type"]), (501, "application/xml"), text)
        self.assertIn(b"<Code>NotImplemented</Code>", text)
        self.assertEqual(self.entries(), before + 1)
        with self.assertRaises(ClientError) as e:
            self.ward.client("s3").head_object(Bucket=self.bucket, Key="by-form")
        self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 404)

    def cbor(self, service, path):
        url = self.ward.endpoint + path
        request = AWSRequest("POST", url, data=b"\xa0", headers={
            "smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"})
        session = botocore.session.get_session()
        session.set_credentials(self.ward.env["AWS_ACCESS_KEY_ID"],
                                self.ward.env["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(session.get_credentials(), service, "us-east-1").add_auth(request)
        status, headers, data = self.open(url, data=b"\xa0", headers=dict(request.headers))
        self.assertEqual(headers["Content-Type"], "application/cbor")
        self.assertEqual(headers["smithy-protocol"], "rpc-v2-cbor")
        return status, map_of_texts(data)

    def test_rpc_v2_cbor(self):
        status, error = self.cbor("kms", "/service/TrentService/operation/NoSuchThing")
        self.assertEqual((status, error["__type"]), (404, "UnknownOperationException"))
        status, error = self.cbor("kms", "/service/TrentService/operation/ListKeys")
        self.assertEqual((status, error["__type"]), (501, "NotImplemented"))
        seen = eventually(lambda: self.ward.client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListKeys"}])[
                "Events"], "the record of the refused call")
        record = json.loads(seen[0]["CloudTrailEvent"])
        self.assertEqual((record["eventSource"], record["errorCode"]),
                         ("kms.amazonaws.com", "NotImplemented"))


if __name__ == "__main__":
    unittest.main()

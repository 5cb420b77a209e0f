"""What a stranger, a broken client or an attacker sends: each gets AWS's error, and what happened is
on record. One Ward of its own."""
import datetime
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import subprocess
import unittest
import urllib.parse

from botocore.exceptions import ClientError

from wardtest import Ward, trail_events


def sign(key, date, region, service):
    k = ("AWS4" + key).encode()
    for part in (date, region, service, "aws4_request"):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    return k


class Raw:
    """A client that signs by hand, so that it can also do it wrongly."""

    def __init__(self, ward):
        self.ward = ward
        url = urllib.parse.urlsplit(ward.endpoint)
        self.host, self.port = url.hostname, url.port
        self.context = ssl.create_default_context(cafile=ward.ca)

    def connect(self):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=30)

    def send(self, body, target="TrentService.ListKeys", service="kms", when=None, key_id=None,
             secret=None, sent_body=None, headers=None, region="us-east-1"):
        when = when or datetime.datetime.now(datetime.timezone.utc)
        stamp, day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
        key_id = key_id or self.ward.env["AWS_ACCESS_KEY_ID"]
        secret = secret or self.ward.env["AWS_SECRET_ACCESS_KEY"]
        signed = {"content-type": "application/x-amz-json-1.1",
                  "host": "%s:%d" % (self.host, self.port),
                  "x-amz-date": stamp, "x-amz-target": target}
        names = ";".join(sorted(signed))
        canonical = "\n".join(["POST", "/", "", *(f"{k}:{signed[k]}" for k in sorted(signed)), "",
                               names, hashlib.sha256(body).hexdigest()])
        scope = f"{day}/{region}/{service}/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(sign(secret, day, region, service), to_sign.encode(),
                             hashlib.sha256).hexdigest()
        signed["authorization"] = (f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, "
                                   f"SignedHeaders={names}, Signature={signature}")
        signed.update(headers or {})
        c = self.connect()
        c.request("POST", "/", body if sent_body is None else sent_body, signed)
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, json.loads(text) if text[:1] == b"{" else text, r

    def bytes(self, data):
        """Sends bytes as they are; what comes back until the server closes."""
        s = self.context.wrap_socket(socket.create_connection((self.host, self.port), 30),
                                     server_hostname=self.host)
        s.sendall(data)
        out = b""
        try:
            while chunk := s.recv(65536):
                out += chunk
        except (ConnectionError, ssl.SSLError):
            pass
        s.close()
        return out


class FrontDoor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ward = Ward().start()
        cls.raw = Raw(cls.ward)

    @classmethod
    def tearDownClass(cls):
        try:
            assert cls.ward.stop() == 0, cls.ward.read_log()
        finally:
            cls.ward.remove()

    def refused(self, answer, status, code):
        got, body, _ = answer
        self.assertEqual(got, status, body)
        self.assertEqual(body["__type"].split("#")[-1], code)

    def test_a_right_signature_is_let_in(self):
        status, body, r = self.raw.send(b"{}")
        self.assertEqual(status, 200, body)
        self.assertIn("Keys", body)
        self.assertTrue(r.getheader("x-amzn-RequestId"))

    def test_unsigned(self):
        c = self.raw.connect()
        c.request("POST", "/", b"{}", {"X-Amz-Target": "TrentService.ListKeys",
                                       "Content-Type": "application/x-amz-json-1.1"})
        r = c.getresponse()
        self.assertEqual((r.status, json.loads(r.read())["__type"]),
                         (400, "MissingAuthenticationTokenException"))
        c.request("GET", "/")
        r = c.getresponse()
        self.assertEqual(r.status, 403)
        self.assertIn(b"<Code>AccessDenied</Code>", r.read())
        c.close()

    def test_wrong_secret_is_refused_and_recorded(self):
        self.refused(self.raw.send(b"{}", secret="wrong" * 8), 400, "InvalidSignatureException")

    def test_replayed_with_another_body(self):
        self.refused(self.raw.send(b'{"Limit":1}', sent_body=b'{"Limit":2}'), 400,
                     "InvalidSignatureException")

    def test_expired_and_from_the_future(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        for minutes in (-16, 16):
            status, body, _ = self.raw.send(b"{}", when=now + datetime.timedelta(minutes=minutes))
            self.assertEqual(status, 400)
            self.assertIn("Signature", body["message"] if "message" in body else body["Message"])

    def test_unknown_key(self):
        self.refused(self.raw.send(b"{}", key_id="AKIAIOSFODNN7EXAMPLE"), 400,
                     "UnrecognizedClientException")

    def test_scope_of_another_service(self):
        self.refused(self.raw.send(b"{}", service="sqs"), 400, "InvalidSignatureException")

    def test_scope_of_a_region_that_is_none(self):
        for region in ("us-east-9", "..", "x"):
            self.refused(self.raw.send(b"{}", region=region), 400, "InvalidSignatureException")

    def test_unknown_and_unbuilt_operations(self):
        self.refused(self.raw.send(b"{}", target="TrentService.Nonsense"), 400,
                     "UnknownOperationException")
        self.refused(self.raw.send(b"{}", target="TrentService.CreateGrant"), 501,
                     "NotImplemented")

    def test_services_that_are_not_there(self):
        """In each protocol: what is not built says so."""
        for service, call in (("dynamodb", "list_tables"), ("rds", "describe_db_clusters"),
                              ("apigateway", "get_rest_apis"), ("cloudwatch", "list_metrics")):
            with self.subTest(service), self.assertRaises(ClientError) as caught:
                getattr(self.ward.client(service), call)()
            got = caught.exception.response
            self.assertEqual((got["Error"]["Code"], got["ResponseMetadata"]["HTTPStatusCode"]),
                             ("NotImplemented", 501), service)
            scope = "monitoring" if service == "cloudwatch" else service
            self.assertIn(f'no service "{scope}"', got["Error"]["Message"], service)

    def test_malformed_json(self):
        for body in (b"{", b"[]", b'{"Limit":"x"}', b'{"Limit":1', b"\xff", b'{"a":' * 5000):
            status, answer, _ = self.raw.send(body)
            self.assertEqual(status, 400, (body[:20], answer))
            self.assertEqual(answer["__type"].split("#")[-1], "SerializationException")

    def test_validation_speaks_like_aws(self):
        status, answer, _ = self.raw.send(b'{"Limit":0}')
        self.assertEqual(status, 400)
        self.assertEqual(answer["__type"].split("#")[-1], "ValidationException")
        self.assertIn("1 validation error detected: Value '0' at 'limit'",
                      answer.get("message") or answer.get("Message"))

    def test_bodies_past_the_limit(self):
        status, answer, _ = self.raw.send(b"{" + b" " * (9 << 20) + b"}")
        self.assertEqual(status, 413)

    def test_broken_framing_is_closed(self):
        host = f"Host: {self.raw.host}\r\n".encode()
        for head in (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                     b"Content-Length: 3\r\nContent-Length: 4\r\n",
                     b"Content-Length: +3\r\n", b"X : y\r\n", b"X: y\r\n z\r\n",
                     b"X: a\0b\r\n", host):
            out = self.raw.bytes(b"POST / HTTP/1.1\r\n" + host + head + b"\r\nabc")
            self.assertTrue(out.startswith(b"HTTP/1.1 400 "), (head, out[:80]))
        self.assertTrue(self.raw.bytes(b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 "))

    def test_header_bomb(self):
        out = self.raw.bytes(b"GET / HTTP/1.1\r\nHost: x\r\n" +
                             b"".join(b"X-%d: y\r\n" % i for i in range(1000)) + b"\r\n")
        self.assertTrue(out.startswith(b"HTTP/1.1 431 "), out[:80])
        out = self.raw.bytes(b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(out.startswith(b"HTTP/1.1 414 ") or out.startswith(b"HTTP/1.1 431 "))

    def test_tls_below_1_2_is_refused(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname = False
        old.verify_mode = ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(socket.create_connection((self.raw.host, self.raw.port), 30))

    def test_calls_and_refusals_are_recorded(self):
        iam = self.ward.client("iam")
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        theirs = self.ward.client("kms", key["AccessKeyId"], key["SecretAccessKey"])
        with self.assertRaises(ClientError):
            theirs.create_key()
        denied = [e for e in trail_events(self.ward, EventName="CreateKey")
                  if e["userIdentity"].get("userName") == "nobody"]
        self.assertEqual(len(denied), 1)
        e = denied[0]
        self.assertEqual(e["errorCode"], "AccessDenied")
        self.assertIn("kms:CreateKey", e["errorMessage"])
        self.assertEqual(e["userIdentity"]["accessKeyId"], key["AccessKeyId"])
        self.assertEqual(e["sourceIPAddress"], "127.0.0.1")
        self.assertIn(e["tlsDetails"]["tlsVersion"], ("TLSv1.3", "TLSv1.2"))
        made = trail_events(self.ward, EventName="CreateAccessKey")[0]
        self.assertEqual(made["requestParameters"]["userName"], "nobody")
        self.assertNotIn(key["SecretAccessKey"], json.dumps(made))
        self.assertFalse(made["readOnly"])


class CommandLine(unittest.TestCase):
    """The aws command line as a user types it, and the program's own commands."""

    def test_a_session(self):
        with Ward() as ward:
            me = json.loads(ward.aws("sts", "get-caller-identity").stdout)
            self.assertEqual(len(me["Account"]), 12)
            key = json.loads(ward.aws("kms", "create-key").stdout)["KeyMetadata"]["KeyId"]
            self.assertIn(key, ward.aws("kms", "list-keys").stdout)
            bad = ward.aws("kms", "describe-key", "--key-id", "alias/none", check=False)
            self.assertNotEqual(bad.returncode, 0)
            self.assertIn("NotFoundException", bad.stderr)

    def test_refused_strangers_are_in_the_ledger(self):
        ward = Ward().start()
        try:
            def entries():
                self.assertEqual(ward.stop(), 0)
                out = subprocess.run([ward.binary, "ledger", "--json", "--data", ward.data],
                                     capture_output=True, text=True, check=True).stdout
                report = json.loads(out)
                self.assertEqual(report["faults"], 0)
                ward.start()
                return report["entries"]
            before = entries()
            raw = Raw(ward)
            raw.send(b"{}", secret="wrong" * 8)
            raw.send(b"{}", key_id="AKIAIOSFODNN7EXAMPLE")
            raw.send(b"{}", sent_body=b'{"Limit":2}')
            self.assertEqual(entries(), before + 3)
        finally:
            ward.remove()

    def test_state_survives_a_restart_and_a_wrong_root_key_opens_nothing(self):
        ward = Ward().start()
        try:
            key = ward.client("kms").create_key()["KeyMetadata"]["KeyId"]
            blob = ward.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
            self.assertEqual(ward.stop(), 0)
            ward.start()
            self.assertEqual(ward.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
            ward.stop()
            with open(ward.data + ".root-key", "w") as f:
                f.write("ab" * 32 + "\n")
            with self.assertRaises(RuntimeError) as e:
                ward.start()
            self.assertIn("root key", str(e.exception))
        finally:
            ward.remove()


if __name__ == "__main__":
    unittest.main()

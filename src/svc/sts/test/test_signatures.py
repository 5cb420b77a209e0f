"""Signature Version 4 as an attacker would have it: requests signed by hand, and then wrongly.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html. The signer here is written
from these pages and shares nothing with the SDKs nor with Ward."""
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import ssl
import unittest
import urllib.parse
import uuid

import boto3

UNSIGNED = "UNSIGNED-PAYLOAD"
CHUNKED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILED = CHUNKED + "-TRAILER"
EMPTY = hashlib.sha256(b"").hexdigest()
REGION = "us-east-1"


def now(minutes=0):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256)


def quote(s):
    return urllib.parse.quote(s, safe="-_.~")


class Signer:
    def __init__(self, service, key=None, when=None):
        self.service = service
        self.key = key or {"AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"],
                           "SecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"]}
        when = when or now()
        self.stamp, self.day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
        self.scope = f"{self.day}/{REGION}/{service}/aws4_request"
        k = ("AWS4" + self.key["SecretAccessKey"]).encode()
        for part in self.scope.split("/"):
            k = mac(k, part).digest()
        self.signing = k

    def signature(self, method, path, query, headers, signed, payload):
        pairs = sorted((quote(k), quote(v)) for k, v in query)
        canonical = "\n".join([
            method, path, "&".join(f"{k}={v}" for k, v in pairs),
            *(f"{n}:{headers[n]}" for n in signed), "", ";".join(signed), payload])
        return mac(self.signing, "\n".join([
            "AWS4-HMAC-SHA256", self.stamp, self.scope,
            hashlib.sha256(canonical.encode()).hexdigest()])).hexdigest()

    def header(self, method, path, query, headers, payload, signed=None):
        """Adds Authorization; `signed` None signs all."""
        signed = sorted(headers) if signed is None else signed
        s = self.signature(method, path, query, headers, signed, payload)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key['AccessKeyId']}/{self.scope}, "
            f"SignedHeaders={';'.join(signed)}, Signature={s}")
        return s

    def presigned(self, method, path, host, expires=300, more=(), headers=None, signed=("host",)):
        query = [("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                 ("X-Amz-Credential", f"{self.key['AccessKeyId']}/{self.scope}"),
                 ("X-Amz-Date", self.stamp), ("X-Amz-Expires", str(expires)),
                 ("X-Amz-SignedHeaders", ";".join(signed)), *more]
        if "SessionToken" in self.key:
            query.append(("X-Amz-Security-Token", self.key["SessionToken"]))
        s = self.signature(method, path, query, dict(headers or {}, host=host), list(signed),
                           UNSIGNED)
        return query + [("X-Amz-Signature", s)]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
        cls.address, cls.host = (url.hostname, url.port), url.netloc
        cls.tls = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        cls.s3 = boto3.client("s3")
        cls.bucket = "sig-" + uuid.uuid4().hex
        cls.s3.create_bucket(Bucket=cls.bucket)
        cls.s3.put_object(Bucket=cls.bucket, Key="k", Body=b"content")

    def send(self, method, path, query=(), headers=(), body=b""):
        """Headers as pairs, so that one may come twice."""
        c = http.client.HTTPSConnection(*self.address, context=self.tls, timeout=30)
        pairs = "&".join(f"{quote(k)}={quote(v)}" for k, v in query)
        target = path + ("?" + pairs if pairs else "")
        c.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for k, v in dict(headers).items() if isinstance(headers, dict) else headers:
            c.putheader(k, v)
        c.putheader("content-length", str(len(body)))
        c.endheaders(body)
        r = c.getresponse()
        text = r.read()
        c.close()
        m = re.search(rb"<Code>(\w+)</Code>", text)
        code = m.group(1).decode() if m else \
            json.loads(text).get("__type", "").split("#")[-1] if text[:1] == b"{" else ""
        return r.status, code, text

    def refused(self, answer, status, code):
        self.assertEqual(answer[:2], (status, code), answer[2])

    def headers(self, signer, payload=None, **more):
        h = {"host": self.host, "x-amz-date": signer.stamp}
        if payload is not None:
            h["x-amz-content-sha256"] = payload
        if "SessionToken" in signer.key:
            h["x-amz-security-token"] = signer.key["SessionToken"]
        return dict(h, **{k.replace("_", "-"): v for k, v in more.items()})

    def who_am_i(self, change=lambda h: None, signed=None, key=None, payload=None, body=None):
        """A signed GetCallerIdentity, changed before it is sent."""
        form = b"Action=GetCallerIdentity&Version=2011-06-15"
        s = Signer("sts", key)
        h = self.headers(s, payload, content_type="application/x-www-form-urlencoded")
        s.header("POST", "/", [], h, payload or hashlib.sha256(form).hexdigest(), signed)
        change(h)
        return self.send("POST", "/", headers=h, body=form if body is None else body)

    def get(self, query, **headers):
        return self.send("GET", f"/{self.bucket}/k", query, dict({"host": self.host}, **headers))


class Headers(Case):
    def test_as_it_should_be(self):
        self.assertEqual(self.who_am_i()[0], 200)

    def test_signatures_that_are_none(self):
        def put(signature):
            def change(h):
                h["authorization"] = re.sub("Signature=.*", "Signature=" + signature(
                    h["authorization"].rpartition("=")[2]), h["authorization"])
            return change
        for signature, code in ((lambda s: "", "IncompleteSignature"),
                                (lambda s: s.upper(), "SignatureDoesNotMatch"),
                                (lambda s: s[:-1], "SignatureDoesNotMatch"),
                                (lambda s: s + "0", "SignatureDoesNotMatch"),
                                (lambda s: "0" * 64, "SignatureDoesNotMatch")):
            answer = self.who_am_i(put(signature))
            self.assertEqual(answer[1], code, answer[2])

    def test_what_must_be_signed(self):
        everything = ["content-type", "host", "x-amz-date"]
        self.assertEqual(self.who_am_i(signed=everything)[0], 200)
        for left_out in ("host", "x-amz-date"):
            names = [n for n in everything if n != left_out]
            self.refused(self.who_am_i(signed=names), 403, "SignatureDoesNotMatch")
        self.refused(self.who_am_i(lambda h: h.update({"x-amz-meta-x": "1"})), 403,
                     "SignatureDoesNotMatch")
        self.assertEqual(self.who_am_i(lambda h: h.update({"x-other": "1"}))[0], 200)

    def test_another_body(self):
        other = b"Action=GetCallerIdentity&Version=2011-06-15&x=1"
        self.refused(self.who_am_i(body=other), 403, "SignatureDoesNotMatch")
        good = hashlib.sha256(b"Action=GetCallerIdentity&Version=2011-06-15").hexdigest()
        self.assertEqual(self.who_am_i(payload=good)[0], 200)
        self.refused(self.who_am_i(payload=good, body=other), 403, "SignatureDoesNotMatch")

    def test_unsigned_payload_is_for_s3(self):
        self.assertGreaterEqual(self.who_am_i(payload=UNSIGNED)[0], 400)
        self.assertGreaterEqual(self.who_am_i(payload=CHUNKED)[0], 400)

    def test_two_claims(self):
        s = Signer("s3")
        h = self.headers(s, EMPTY)
        s.header("GET", f"/{self.bucket}/k", [], h, EMPTY)
        self.assertEqual(self.send("GET", f"/{self.bucket}/k", headers=h)[0], 200)
        twice = list(h.items()) + [("authorization", h["authorization"])]
        self.assertEqual(self.send("GET", f"/{self.bucket}/k", headers=twice)[0], 400)
        query = s.presigned("GET", f"/{self.bucket}/k", self.host)
        self.refused(self.send("GET", f"/{self.bucket}/k", query, h), 400, "InvalidArgument")
        dates = [(k, v) for k, v in h.items()] + [("x-amz-date", s.stamp)]
        self.assertGreaterEqual(self.send("GET", f"/{self.bucket}/k", headers=dates)[0], 400)

    def test_content_hash(self):
        s, path = Signer("s3"), f"/{self.bucket}/h"
        claimed = hashlib.sha256(b"one").hexdigest()
        h = self.headers(s, claimed)
        s.header("PUT", path, [], h, claimed)
        self.refused(self.send("PUT", path, headers=h, body=b"two"), 400,
                     "XAmzContentSHA256Mismatch")
        self.assertEqual(self.send("PUT", path, headers=h, body=b"one")[0], 200)
        h = self.headers(s)
        s.header("PUT", path, [], h, claimed)
        self.refused(self.send("PUT", path, headers=h, body=b"one"), 400, "InvalidRequest")

    def test_session_tokens(self):
        sts = boto3.client("sts")
        a, b = (sts.get_session_token(DurationSeconds=900)["Credentials"] for _ in range(2))
        self.assertEqual(self.who_am_i(key=a)[0], 200)
        self.refused(self.who_am_i(key=dict(a, SessionToken=b["SessionToken"])), 403,
                     "InvalidClientTokenId")
        self.refused(self.who_am_i(lambda h: h.pop("x-amz-security-token"), key=a), 403,
                     "InvalidClientTokenId")
        self.refused(self.who_am_i(key=a, signed=["content-type", "host", "x-amz-date"]), 403,
                     "SignatureDoesNotMatch")
        long_term = {"AccessKeyId": os.environ["AWS_ACCESS_KEY_ID"],
                     "SecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"],
                     "SessionToken": a["SessionToken"]}
        self.refused(self.who_am_i(key=long_term), 403, "InvalidClientTokenId")


class Presigned(Case):
    def url(self, minutes=0, key=None, method="GET", **kw):
        return Signer("s3", key, now(minutes)).presigned(method, f"/{self.bucket}/k", self.host,
                                                         **kw)

    def test_times(self):
        self.assertEqual(self.get(self.url())[0], 200)
        self.assertEqual(self.get(self.url(expires=604800))[0], 200)
        for expires in (604801, -1, "x", ""):
            self.refused(self.get(self.url(expires=expires)), 400,
                         "AuthorizationQueryParametersError")
        self.refused(self.get(self.url(minutes=-6)), 403, "AccessDenied")
        self.assertEqual(self.get(self.url(minutes=-6, expires=3600))[0], 200)
        self.refused(self.get(self.url(minutes=20)), 403, "AccessDenied")

    def test_nothing_may_be_changed(self):
        query = self.url()
        later = [(k, "604800" if k == "X-Amz-Expires" else v) for k, v in query]
        self.refused(self.get(later), 403, "SignatureDoesNotMatch")
        self.refused(self.get(query + [("versionId", "null")]), 403, "SignatureDoesNotMatch")
        self.refused(self.send("DELETE", f"/{self.bucket}/k", query, {"host": self.host}), 403,
                     "SignatureDoesNotMatch")
        self.refused(self.get(query, host="evil.s3.localhost"), 403, "SignatureDoesNotMatch")
        self.refused(self.get(query, **{"x-amz-acl": "public-read"}), 403, "AccessDenied")
        for name in ("X-Amz-Expires", "X-Amz-Signature", "X-Amz-Credential"):
            more = query + [(name, dict(query)[name])]
            self.refused(self.get(more), 400, "AuthorizationQueryParametersError")
        for name in ("X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"):
            self.refused(self.get([(k, v) for k, v in query if k != name]), 400,
                         "AuthorizationQueryParametersError")

    def test_signed_headers_hold(self):
        query = self.url(headers={"x-amz-tagging": "a=b"}, signed=("host", "x-amz-tagging"),
                         method="PUT")
        path = f"/{self.bucket}/k"
        for value, status in (("a=b", 200), ("a=c", 403)):
            answer = self.send("PUT", path, query, {"host": self.host, "x-amz-tagging": value},
                               b"content")
            self.assertEqual(answer[0], status, answer)
        self.refused(self.send("PUT", path, query, {"host": self.host}, b"content"), 403,
                     "SignatureDoesNotMatch")

    def test_session(self):
        key = boto3.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
        query = self.url(key=key)
        self.assertEqual(self.get(query)[0], 200)
        bare = [(k, v) for k, v in query if k != "X-Amz-Security-Token"]
        self.assertEqual(self.get(bare)[0], 403)


class Chunks(Case):
    """aws-chunked, each chunk signed: whatever is changed, nothing is kept."""

    def setUp(self):
        self.key = "c-" + uuid.uuid4().hex

    def put(self, chunks, change=lambda parts: parts, declared=None, trailer=None):
        s, path = Signer("s3"), f"/{self.bucket}/{self.key}"
        payload = CHUNKED if trailer is None else TRAILED
        h = self.headers(s, payload, content_encoding="aws-chunked",
                         x_amz_decoded_content_length=str(sum(map(len, chunks))
                                                          if declared is None else declared))
        if trailer is not None:
            h["x-amz-trailer"] = trailer[0]
        last = s.header("PUT", path, [], h, payload)
        parts = []
        for chunk in [*chunks, b""]:
            last = mac(s.signing, "\n".join([
                "AWS4-HMAC-SHA256-PAYLOAD", s.stamp, s.scope, last, EMPTY,
                hashlib.sha256(chunk).hexdigest()])).hexdigest()
            end = b"" if trailer is not None and not chunk else b"\r\n"
            parts.append(b"%x;chunk-signature=%s\r\n%s%s" % (len(chunk), last.encode(), chunk, end))
        if trailer is not None:
            line = ("%s:%s\n" % trailer).encode()
            last = mac(s.signing, "\n".join([
                "AWS4-HMAC-SHA256-TRAILER", s.stamp, s.scope, last,
                hashlib.sha256(line).hexdigest()])).hexdigest()
            parts.append(b"%s:%s\r\n" % tuple(x.encode() for x in trailer))
            parts.append(b"x-amz-trailer-signature:%s\r\n\r\n" % last.encode())
        return self.send("PUT", path, headers=h, body=b"".join(change(parts)))

    def kept(self):
        return [o["Key"] for o in self.s3.list_objects_v2(
            Bucket=self.bucket, Prefix=self.key).get("Contents", [])]

    def not_kept(self, answer):
        self.assertGreaterEqual(answer[0], 400, answer)
        self.assertEqual(self.kept(), [])

    def test_whole(self):
        self.assertEqual(self.put([b"a" * 8192, b"b" * 8192, b"end"])[0], 200)
        got = self.s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read()
        self.assertEqual(got, b"a" * 8192 + b"b" * 8192 + b"end")

    def test_changed(self):
        chunks = [b"a" * 8192, b"b" * 8192, b"end"]
        for change in (lambda p: [p[0].replace(b"a" * 9, b"a" * 8 + b"x", 1), *p[1:]],
                       lambda p: [p[1], p[0], *p[2:]],
                       lambda p: [p[0], *p[2:]],
                       lambda p: [p[0], p[0], *p[1:]],
                       lambda p: p[:-1],
                       lambda p: p[:-1] + [b"0\r\n\r\n"],
                       lambda p: p[:-1] + [p[-1].replace(b"=", b"=0", 1)],
                       lambda p: p + [b"more"],
                       lambda p: p + p[-1:],
                       lambda p: [x.split(b"\r\n", 1)[1] for x in p]):
            self.not_kept(self.put(chunks, change))

    def test_length(self):
        for declared in (0, 2, 4, 1 << 40, -1):
            self.not_kept(self.put([b"end"], declared=declared))

    def test_trailer(self):
        trailer = ("x-amz-checksum-crc32", "NSRBwg==")  # of "abc"
        self.assertEqual(self.put([b"abc"], trailer=trailer)[0], 200)
        self.key += "-2"
        for change in (lambda p: p[:-2] + [p[-2].replace(b"N", b"M", 1), p[-1]],
                       lambda p: p[:-1] + [b"\r\n"],
                       lambda p: p[:-2] + p[-1:],
                       lambda p: p[:-1] + [p[-1].replace(b":", b":0", 1)]):
            self.not_kept(self.put([b"abc"], change, trailer=trailer))
        self.not_kept(self.put([b"abd"], trailer=trailer))  # rightly signed, a wrong checksum


if __name__ == "__main__":
    unittest.main()

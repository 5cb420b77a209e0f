"""Chains of CloudTrail digest files, made with openssl, for the tests of `ward verify`."""
import base64
import datetime
import gzip
import hashlib
import json
import os
import subprocess

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(i, **more):
    r = {"eventVersion": "1.08", "eventTime": iso(START + datetime.timedelta(minutes=i)),
         "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
         "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.7", "eventID": f"id-{i}",
         "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
         "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve"}}
    r.update(more)
    return r


class Key:
    """A private key in a folder, and its public half in every form."""

    def __init__(self, folder, name="key"):
        self.private = os.path.join(folder, name + ".private")
        self.pem = os.path.join(folder, name + ".pem")
        self.openssl("genrsa", "-out", self.private, "2048")
        self.openssl("rsa", "-in", self.private, "-pubout", "-out", self.pem)
        self.spki = self.openssl("rsa", "-in", self.private, "-pubout", "-outform", "DER")
        self.pkcs1 = self.openssl("rsa", "-in", self.private, "-RSAPublicKey_out", "-outform", "DER")
        self.fingerprint = hashlib.md5(self.pkcs1).hexdigest()

    @staticmethod
    def openssl(*args, data=None):
        return subprocess.run(["openssl", *args], input=data, capture_output=True,
                              check=True).stdout

    def sign(self, text):
        return self.openssl("dgst", "-sha256", "-sign", self.private, data=text.encode()).hex()

    def listed(self):
        """What ListPublicKeys says of it."""
        return {"Value": base64.b64encode(self.pkcs1).decode(), "Fingerprint": self.fingerprint,
                "ValidityStartTime": 1700000000.0, "ValidityEndTime": 1900000000.0}


class Trail:
    """Writes log files and digests through put(key, bytes, metadata)."""

    def __init__(self, put, key, account="111122223333", region="eu-west-1", trail="trail",
                 home="eu-west-1", prefix="p/", org="", bucket="b", start=START,
                 step=datetime.timedelta(hours=1)):
        self.put, self.key, self.account, self.region = put, key, account, region
        self.trail, self.home, self.bucket, self.step = trail, home, bucket, step
        self.base = f"{prefix}AWSLogs/{org}{account}/"
        self.at = start
        self.mark = hashlib.md5(f"{prefix}{trail}".encode()).hexdigest()[:6]  # names are unique
        self.prev = None
        self.digests, self.logs, self.signatures = [], [], []

    def log_key(self, t, tail):
        return f"{self.base}CloudTrail/{self.region}/{t:%Y/%m/%d}/{self.account}_CloudTrail_" \
               f"{self.region}_{t:%Y%m%dT%H%M}Z_{tail}.json.gz"

    def log(self, t, records, tail=None):
        """A log file; gives the entry that a digest has of it."""
        key = self.log_key(t, tail or f"{self.mark}{len(self.logs):010}")
        text = json.dumps({"Records": records}).encode()
        self.put(key, gzip.compress(text, mtime=0), {})
        self.logs.append(key)
        return {"s3Bucket": self.bucket, "s3Object": key, "hashAlgorithm": "SHA-256",
                "hashValue": hashlib.sha256(text).hexdigest()}

    def digest_key(self, end, suffix=""):
        return f"{self.base}CloudTrail-Digest/{self.region}/{end:%Y/%m/%d}/{self.account}_" \
               f"CloudTrail-Digest_{self.region}_{self.trail}_{self.home}_" \
               f"{end:%Y%m%dT%H%M%SZ}{suffix}.json.gz"

    def digest(self, entries, start=None, suffix="", alone=False, sign=True, **change):
        """The next digest; `change` alters members before it is signed."""
        start = start or self.at
        end = start + self.step
        key = self.digest_key(end, suffix)
        prev = None if alone else self.prev
        d = {"awsAccountId": self.account, "digestStartTime": iso(start),
             "digestEndTime": iso(end), "digestS3Bucket": self.bucket, "digestS3Object": key,
             "digestPublicKeyFingerprint": self.key.fingerprint,
             "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": None,
             "oldestEventTime": None, "previousDigestS3Bucket": prev and self.bucket,
             "previousDigestS3Object": prev and prev[0],
             "previousDigestHashValue": prev and prev[1],
             "previousDigestHashAlgorithm": prev and "SHA-256",
             "previousDigestSignature": prev and prev[2], "logFiles": entries}
        d.update(change)
        body = json.dumps(d).encode()
        sha = hashlib.sha256(body).hexdigest()
        signature = self.key.sign(f"{d['digestEndTime']}\n{self.bucket}/{key}\n{sha}\n"
                                  f"{d['previousDigestSignature'] or 'null'}") if sign else "00"
        self.put(key, gzip.compress(body, mtime=0),
                 {"signature": signature, "signature-algorithm": "SHA256withRSA"})
        self.digests.append(key)
        self.signatures.append(signature)
        if not alone:
            self.prev = (key, sha, signature)
        return key

    def hours(self, n, logs=1):
        for _ in range(n):
            t = self.at + self.step / 2
            minute = int((t - START).total_seconds() // 60)
            self.digest([self.log(t, [record(minute + i)]) for i in range(logs)])
            self.at += self.step
        return self

"""A load generator for the benches: requests signed here, replayed by load.c.

Signing is done before the clock starts (a signature is good for fifteen minutes), and the replaying
program costs a small part of what a server does, whichever server it is. Loopback only; every run is
bounded in time and count."""
import atexit
import datetime
import hashlib
import hmac
import json
import os
import shutil
import struct
import subprocess
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))


def hmac256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Signer:
    def __init__(self, key_id, secret, region, host):
        self.key_id, self.secret, self.region, self.host = key_id, secret, region, host

    def request(self, method, path, service, body=b"", headers=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        digest = hashlib.sha256(body).hexdigest()
        signed = {"host": self.host, "x-amz-date": stamp, "x-amz-content-sha256": digest}
        signed.update({k.lower(): v for k, v in (headers or {}).items()})
        names = ";".join(sorted(signed))
        canonical = "\n".join([method, urllib.parse.quote(path, "/~-_."), "",
                               *(f"{k}:{signed[k]}" for k in sorted(signed)), "", names, digest])
        scope = f"{day}/{self.region}/{service}/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in (day, self.region, service, "aws4_request"):
            key = hmac256(key, part)
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        lines = [f"{method} {path} HTTP/1.1"] + [f"{k}: {v}" for k, v in signed.items()]
        lines.append(f"authorization: AWS4-HMAC-SHA256 Credential={self.key_id}/{scope}, "
                     f"SignedHeaders={names}, Signature={signature}")
        lines.append(f"content-length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Generator:
    """load.c, compiled at its first use; the program goes with the process."""
    program = None

    @classmethod
    def path(cls):
        if cls.program is None:
            folder = tempfile.mkdtemp(prefix="ward-bench-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            cls.program = os.path.join(folder, "load")
            subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", os.path.join(HERE, "load.c"), "-o",
                            cls.program, "-lssl", "-lcrypto"], check=True)
        return cls.program


def run(endpoint, ca, requests, connections=64, seconds=5):
    """requests: ready bytes, replayed in turn. Returns rate, failures, and latencies in ms."""
    url = urllib.parse.urlsplit(endpoint)
    data = b"".join(struct.pack("<I", len(r)) + r for r in requests)
    args = [Generator.path(), url.hostname, str(url.port), ca if url.scheme == "https" else "-",
            str(connections), str(seconds)]
    out = subprocess.run(args, input=data, check=True, capture_output=True).stdout
    return json.loads(out)

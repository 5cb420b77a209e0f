"""The S3 room as other people's clients see it: virtual hosts, the aws command line, curl, rclone
and s3cmd where they are installed; and what arrives broken: uploads cut off, sums that are wrong,
trailers that lie, a client that falls asleep."""
import base64
import hashlib
import io
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
import urllib.parse
import zlib

import boto3
import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3case import MIB, S3Case, Trail, blobs, client  # noqa: E402
from wardtest import Ward, eventually  # noqa: E402

SHARED = {}


def setUpModule():
    """A Ward of these tests' own: they count its files, which other rooms' tests would move."""
    global WARD, ENDPOINT, URL, CONTEXT
    SHARED.update((k, v) for k, v in os.environ.items() if k.startswith("AWS_"))
    WARD = Ward("--trail-interval", "1").start()
    os.environ.update(WARD.env)
    boto3.DEFAULT_SESSION = None  # it keeps the keys that it saw first
    ENDPOINT = WARD.endpoint
    URL = urllib.parse.urlsplit(ENDPOINT)
    CONTEXT = ssl.create_default_context(cafile=WARD.ca)


def tearDownModule():
    os.environ.update(SHARED)
    boto3.DEFAULT_SESSION = None
    code = WARD.stop()
    WARD.remove()
    assert code == 0


def signed_head(method, path, headers, payload=None, trailer=None):
    """The head of a request, signed by botocore."""
    request = AWSRequest(method, ENDPOINT + path, headers=headers, data=payload)
    if trailer is not None:
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
    elif payload is None:
        request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    credentials = botocore.session.get_session().get_credentials()
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {URL.netloc}", "Connection: close"]
    lines += [f"{k}: {v}" for k, v in request.headers.items() if k.lower() != "host"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Line:
    """A connection by hand."""

    def __init__(self):
        raw = socket.create_connection((URL.hostname, URL.port), 90)
        self.s = CONTEXT.wrap_socket(raw, server_hostname=URL.hostname)

    def send(self, data):
        self.s.sendall(data)
        return self

    def answer(self):
        out = b""
        try:
            while piece := self.s.recv(65536):
                out += piece
        except (ConnectionError, ssl.SSLError):
            pass
        self.s.close()
        head, _, body = out.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1]) if head else 0
        return status, body.decode(errors="replace")

    def cut(self):
        self.s.close()


def chunked(data, trailer):
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(data), data, trailer)


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class Broken(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = cls.bucket()
        cls.s3.put_object(Bucket=cls.name, Key="kept", Body=b"as it was")
        cls.trail = Trail(cls, cls.name, cls.addClassCleanup)
        # A client that stops in the middle and keeps the line open: its time runs while the other
        # tests do.
        cls.slept = []
        line = Line().send(signed_head("PUT", f"/{cls.name}/slow", {"Content-Length": "200000"}))
        line.send(b"x" * 100000)
        cls.sleeper = threading.Thread(target=lambda: cls.slept.append(line.answer()))
        cls.sleeper.start()
        # The same of a body that is collected, for a service that speaks JSON.
        other = Line().send((f"POST / HTTP/1.1\r\nHost: {URL.netloc}\r\nContent-Length: 99\r\n"
                             "X-Amz-Target: TrentService.ListKeys\r\n"
                             "Content-Type: application/x-amz-json-1.1\r\n\r\n{").encode())
        cls.slept_json = []
        cls.json_sleeper = threading.Thread(target=lambda: cls.slept_json.append(other.answer()))
        cls.json_sleeper.start()

    def nothing_stored(self, key):
        with self.refused("NoSuchKey", 404):
            self.s3.get_object(Bucket=self.name, Key=key)

    def recorded(self, key, code):
        eventually(lambda: [r for r in self.trail.records()
                            if r["eventName"] == "PutObject" and r.get("errorCode") == code and
                            (r["requestParameters"] or {}).get("key") == key],
                   f"a record of {code} for {key}", every=0.3)

    def test_cut_off(self):
        before = blobs()
        for key, old in (("cut", None), ("kept", b"as it was")):
            head = signed_head("PUT", f"/{self.name}/{key}", {"Content-Length": "1000000"})
            line = Line().send(head + b"x" * 300000)
            eventually(lambda: blobs() > before, "the body is on its way")
            line.cut()
            eventually(lambda: blobs() <= before, "what came of it is gone")
            if old is None:
                self.nothing_stored(key)
            else:
                self.assertEqual(self.body(self.name, key), old)
            self.recorded(key, "IncompleteBody")

    def test_cut_off_chunks(self):
        """aws-chunked that ends without its last chunk, in a body of the promised length."""
        data = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        head = signed_head("PUT", f"/{self.name}/chunks", {
            "Content-Length": str(len(data)), "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": str(0x10000), "X-Amz-Trailer": "x-amz-checksum-crc32",
        }, trailer="crc32")
        status, text = Line().send(head + data).answer()
        self.assertEqual((status, "IncompleteBody" in text), (400, True), text)
        self.nothing_stored("chunks")

    def put_with_trailer(self, key, data, trailer):
        body = chunked(data, trailer)
        head = signed_head("PUT", f"/{self.name}/{key}", {
            "Content-Length": str(len(body)), "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": str(len(data)),
            "X-Amz-Trailer": "x-amz-checksum-crc32"}, trailer="crc32")
        return Line().send(head + body).answer()

    def test_trailers(self):
        data = os.urandom(100000)
        good = b"x-amz-checksum-crc32:" + crc32(data).encode() + b"\r\n"
        bad = b"x-amz-checksum-crc32:" + crc32(b"other").encode() + b"\r\n"
        before = blobs()
        status, text = self.put_with_trailer("lies", data, bad)
        self.assertEqual((status, "<Code>BadDigest</Code>" in text), (400, True), text)
        self.nothing_stored("lies")
        self.recorded("lies", "BadDigest")
        status, text = self.put_with_trailer("lies", data, b"")
        self.assertEqual((status, "MalformedTrailerError" in text), (400, True), text)
        self.nothing_stored("lies")
        eventually(lambda: blobs() <= before, "no file is left")
        status, text = self.put_with_trailer("true", data, good)
        self.assertEqual(status, 200, text)
        self.assertEqual(self.body(self.name, "true"), data)

    def test_header_and_trailer(self):
        """Two sums of which one would go unchecked are one too many."""
        data = b"x" * 100
        body = chunked(data, b"x-amz-checksum-crc32:" + crc32(b"other").encode() + b"\r\n")
        head = signed_head("PUT", f"/{self.name}/two", {
            "Content-Length": str(len(body)), "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": str(len(data)),
            "X-Amz-Checksum-Crc32": crc32(data),
            "X-Amz-Trailer": "x-amz-checksum-crc32"}, trailer="crc32")
        status, text = Line().send(head + body).answer()
        self.assertEqual((status, "<Code>InvalidRequest</Code>" in text), (400, True), text)
        self.nothing_stored("two")

    def test_wrong_sums(self):
        data = os.urandom(50000)
        wrong = {"md5": {"Content-MD5": base64.b64encode(hashlib.md5(b"").digest()).decode()},
                 "crc": {"x-amz-checksum-crc32": crc32(b"other")},
                 "sha": {"x-amz-checksum-sha256": base64.b64encode(
                     hashlib.sha256(b"").digest()).decode()}}
        before = blobs()
        for key, headers in wrong.items():
            head = signed_head("PUT", f"/{self.name}/{key}",
                               dict(headers, **{"Content-Length": str(len(data))}))
            status, text = Line().send(head + data).answer()
            self.assertEqual((status, "<Code>BadDigest</Code>" in text), (400, True), text)
            self.nothing_stored(key)
            self.recorded(key, "BadDigest")
        head = signed_head("PUT", f"/{self.name}/body", {"Content-Length": str(len(data))},
                           payload=data)
        status, text = Line().send(head + data[:-1] + b"!").answer()
        self.assertEqual((status, "XAmzContentSHA256Mismatch" in text), (400, True), text)
        self.nothing_stored("body")
        eventually(lambda: blobs() <= before, "no file is left")

    def test_wrong_sum_of_a_part(self):
        upload = self.s3.create_multipart_upload(Bucket=self.name, Key="parts")["UploadId"]
        data = b"x" * 20000
        path = f"/{self.name}/parts?partNumber=1&uploadId={upload}"
        head = signed_head("PUT", path, {
            "Content-Length": str(len(data)),
            "Content-MD5": base64.b64encode(hashlib.md5(b"").digest()).decode()})
        status, text = Line().send(head + data).answer()
        self.assertEqual((status, "<Code>BadDigest</Code>" in text), (400, True), text)
        listed = self.s3.list_parts(Bucket=self.name, Key="parts", UploadId=upload)
        self.assertNotIn("Parts", listed)
        self.s3.abort_multipart_upload(Bucket=self.name, Key="parts", UploadId=upload)

    def test_without_length(self):
        head = signed_head("PUT", f"/{self.name}/endless", {"Transfer-Encoding": "chunked"})
        status, text = Line().send(head + b"5\r\nhello\r\n0\r\n\r\n").answer()
        self.assertEqual((status, "MissingContentLength" in text), (411, True), text)
        self.nothing_stored("endless")

    def test_too_large(self):
        head = signed_head("PUT", f"/{self.name}/large",
                           {"Content-Length": str(5 * 1024 * MIB + 1)})
        status, text = Line().send(head).answer()
        self.assertEqual((status, "EntityTooLarge" in text), (400, True), text)

    def test_zz_asleep(self):
        """The last by name: the client of setUpClass has had its time."""
        self.sleeper.join(timeout=90)
        self.assertFalse(self.sleeper.is_alive(), "a stalled upload is still open")
        status, text = self.slept[0]
        self.assertEqual((status, "<Code>RequestTimeout</Code>" in text), (400, True), text)
        self.assertIn("<Message>Your socket connection to the server was not read from or written "
                      "to within the timeout period. Idle connections will be closed.</Message>",
                      text)
        self.nothing_stored("slow")
        self.recorded("slow", "RequestTimeout")
        self.json_sleeper.join(timeout=90)
        self.assertFalse(self.json_sleeper.is_alive(), "a stalled call is still open")
        status, text = self.slept_json[0]
        self.assertEqual((status, json.loads(text)["__type"]), (408, "RequestTimeout"))


class VirtualHosts(S3Case):
    """Buckets as host names. Nothing resolves them here but the test."""

    def resolving(self):
        real = socket.getaddrinfo

        def resolve(host, *args, **kwargs):
            local = isinstance(host, str) and host.endswith(".localhost")
            return real("127.0.0.1" if local else host, *args, **kwargs)

        return unittest.mock.patch("socket.getaddrinfo", resolve)

    def test_boto3(self):
        name = self.bucket()
        s3 = boto3.client("s3", endpoint_url=f"https://s3.localhost:{URL.port}", config=Config(
            s3={"addressing_style": "virtual"}, retries={"max_attempts": 1}))
        hosts = []
        s3.meta.events.register("before-send.s3", lambda request, **_: hosts.append(
            urllib.parse.urlsplit(request.url).hostname))
        data = os.urandom(6 * MIB)
        with self.resolving():
            s3.put_object(Bucket=name, Key="a b/\u00fc", Body=b"x", Metadata={"m": "1"})
            self.assertEqual(s3.get_object(Bucket=name, Key="a b/\u00fc")["Body"].read(), b"x")
            s3.upload_fileobj(io.BytesIO(data * 2), name, "big")
            out = io.BytesIO()
            s3.download_fileobj(name, "big", out)
            self.assertEqual(out.getvalue(), data * 2)
            self.assertEqual(s3.list_objects_v2(Bucket=name)["KeyCount"], 2)
            s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "a b/\u00fc"})
            self.assertEqual(s3.head_bucket(Bucket=name)["BucketRegion"], "us-east-1")
            with self.refused("NoSuchKey", 404):
                s3.get_object(Bucket=name, Key="none")
            s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "copy"}]})
            other = unique_by_host(s3)
            s3.delete_bucket(Bucket=other)
        self.assertEqual(set(hosts), {f"{name}.s3.localhost", f"{other}.s3.localhost"})
        self.assertEqual(self.body(name, "a b/\u00fc"), b"x")  # the same by path

    def test_presigned_curl(self):
        name = self.bucket()
        signer = boto3.client("s3", endpoint_url=f"https://s3.localhost:{URL.port}", config=Config(
            signature_version="s3v4", s3={"addressing_style": "virtual"}))
        for op, more in (("put_object", ["--upload-file", __file__]), ("get_object", [])):
            url = signer.generate_presigned_url(op, {"Bucket": name, "Key": "k/1"})
            host = urllib.parse.urlsplit(url).hostname
            self.assertEqual(host, f"{name}.s3.localhost")
            done = subprocess.run(
                ["curl", "-sS", "--fail", "--cacert", os.environ["AWS_CA_BUNDLE"], "--resolve",
                 f"{host}:{URL.port}:127.0.0.1", *more, url], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(__file__, "rb") as f:
            self.assertEqual(done.stdout, f.read())

    def test_curl_signs(self):
        """curl's own signature, over a virtual host."""
        name = self.bucket()
        host = f"{name}.s3.localhost"
        common = ["curl", "-sS", "--cacert", os.environ["AWS_CA_BUNDLE"], "--resolve",
                  f"{host}:{URL.port}:127.0.0.1", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                  f"{os.environ['AWS_ACCESS_KEY_ID']}:{os.environ['AWS_SECRET_ACCESS_KEY']}",
                  "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        url = f"https://{host}:{URL.port}"
        put = subprocess.run([*common, "--fail", "-T", __file__, f"{url}/k"], capture_output=True)
        self.assertEqual(put.returncode, 0, put.stderr)
        got = subprocess.run([*common, f"{url}/k"], capture_output=True)
        with open(__file__, "rb") as f:
            self.assertEqual(got.stdout, f.read())
        listed = subprocess.run([*common, url], capture_output=True, text=True)
        self.assertIn("<Key>k</Key>", listed.stdout)


def unique_by_host(s3):
    name = "vhost-" + os.urandom(6).hex()
    s3.create_bucket(Bucket=name)
    return name


class Tools(S3Case):
    """Clients that nobody here wrote, as a user types them."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ward-s3-")
        self.addCleanup(shutil.rmtree, self.dir)
        os.makedirs(os.path.join(self.dir, "t/sub"))
        self.files = {"t/big": os.urandom(9 * MIB), "t/sub/x": b"x\n", "t/a b+\u00fc.txt": b"y\n"}
        # S3's times are whole seconds: what is written in the second of its upload looks newer.
        past = time.time() - 3600
        for path, data in self.files.items():
            with open(os.path.join(self.dir, path), "wb") as f:
                f.write(data)
            os.utime(os.path.join(self.dir, path), (past, past))

    def run_tool(self, *args, env=None):
        done = subprocess.run(args, cwd=self.dir, capture_output=True, timeout=120,
                              env=dict(os.environ, AWS_PAGER="", HOME=self.dir, **(env or {})))
        self.assertEqual(done.returncode, 0, (args, done.stdout[-500:], done.stderr[-2000:]))
        return done.stdout

    def same_tree(self, folder):
        for path, data in self.files.items():
            with open(os.path.join(self.dir, folder, path[2:]), "rb") as f:
                self.assertEqual(f.read(), data, path)

    def test_aws(self):
        name = self.bucket()
        aws = lambda *a: self.run_tool(  # noqa: E731
            os.path.join(os.path.dirname(sys.executable), "aws"), *a)
        aws("s3", "sync", "t", f"s3://{name}/p")
        self.assertEqual(aws("s3", "sync", "t", f"s3://{name}/p"), b"")
        aws("s3", "sync", f"s3://{name}/p", "back")
        self.same_tree("back")
        aws("s3", "mv", f"s3://{name}/p/sub/x", f"s3://{name}/moved")
        aws("s3", "cp", f"s3://{name}/p/big", f"s3://{name}/copied")
        self.assertEqual(aws("s3", "cp", f"s3://{name}/copied", "-"), self.files["t/big"])
        aws("configure", "set", "default.s3.signature_version", "s3v4")
        url = aws("s3", "presign", f"s3://{name}/moved").decode().strip()
        self.assertEqual(self.run_tool("curl", "-sS", "--cacert", os.environ["AWS_CA_BUNDLE"], url),
                         b"x\n")
        aws("s3", "rm", "--recursive", f"s3://{name}")
        aws("s3", "rb", f"s3://{name}")

    def test_rclone(self):
        if shutil.which("rclone") is None:
            self.skipTest("rclone is not installed (Debian: apt install rclone)")
        name = self.bucket()
        conf = os.path.join(self.dir, "rclone.conf")
        with open(conf, "w") as f:
            f.write(f"[w]\ntype = s3\nprovider = Other\nregion = us-east-1\nendpoint = {ENDPOINT}\n"
                    f"access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
                    f"secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n")
        ca = os.environ["AWS_CA_BUNDLE"]
        plain = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}

        def rclone(*a):
            with unittest.mock.patch.dict(os.environ, plain, clear=True):
                return self.run_tool("rclone", "--config", conf, "--ca-cert", ca, "--retries", "1",
                                     "--low-level-retries", "2", "--s3-upload-cutoff", "5M",
                                     "--s3-chunk-size", "5M", *a)

        rclone("sync", "t", f"w:{name}/p")
        rclone("check", "--download", "t", f"w:{name}/p")
        rclone("copy", f"w:{name}/p", "back")
        self.same_tree("back")
        rclone("moveto", f"w:{name}/p/sub/x", f"w:{name}/y")
        self.assertEqual(sorted(rclone("lsf", "-R", "--files-only", f"w:{name}").split(b"\n")),
                         [b"", "p/a b+\u00fc.txt".encode(), b"p/big", b"y"])
        digest = rclone("md5sum", f"w:{name}/p/big").split()[0].decode()
        self.assertEqual(digest, hashlib.md5(self.files["t/big"]).hexdigest())
        rclone("purge", f"w:{name}")

    def test_s3cmd(self):
        if shutil.which("s3cmd") is None:
            self.skipTest("s3cmd is not installed (Debian: apt install s3cmd)")
        name = self.bucket()
        conf = os.path.join(self.dir, "s3cfg")
        with open(conf, "w") as f:
            f.write(f"[default]\naccess_key = {os.environ['AWS_ACCESS_KEY_ID']}\n"
                    f"secret_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
                    f"host_base = {URL.netloc}\nhost_bucket = {URL.netloc}\nuse_https = True\n"
                    f"ca_certs_file = {os.environ['AWS_CA_BUNDLE']}\n")
        s3cmd = lambda *a: self.run_tool("s3cmd", "-c", conf, "--no-progress", *a)  # noqa: E731
        s3cmd("sync", "--multipart-chunk-size-mb=5", "t/", f"s3://{name}/p/")
        os.mkdir(os.path.join(self.dir, "back"))
        s3cmd("get", "-r", f"s3://{name}/p/", "back/")
        self.same_tree("back")
        s3cmd("cp", f"s3://{name}/p/big", f"s3://{name}/copy")
        s3cmd("modify", "--add-header=x-amz-meta-a:b", f"s3://{name}/copy")
        self.assertEqual(self.s3.head_object(Bucket=name, Key="copy")["Metadata"]["a"], "b")
        s3cmd("del", "-r", "-f", f"s3://{name}/")
        s3cmd("rb", f"s3://{name}")


if __name__ == "__main__":
    unittest.main()

"""A small S3, CloudTrail and credentials endpoint in memory, with faults on demand. It checks no
signatures (a real Ward does): it keeps what was asked, so that a test can look at it."""
import hashlib
import json
import re
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape


class FakeS3:
    def __init__(self, page=1000):
        self.objects = {}   # "bucket/key" -> (bytes, metadata)
        self.faults = {}    # "bucket/key", or "LIST" -> function(handler, count) -> True: answered
        self.counts = {}
        self.asked = []     # (method, path, query, headers)
        self.page = page
        self.keys = []      # of ListPublicKeys
        self.key_calls = []
        self.credentials = {}  # path -> (status, text), or a function(query, headers, body) of it
        self.sts = None     # function(form) -> (status, text)
        self.sts_calls = []  # (form, headers)
        self.lock = threading.Lock()
        self.running = self.most = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16

            def log_message(self, *args):
                pass

            def do(self):
                with outer.lock:
                    outer.running += 1
                    outer.most = max(outer.most, outer.running)
                try:
                    outer.serve(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    with outer.lock:
                        outer.running -= 1

            do_GET = do_PUT = do_POST = do_HEAD = do

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, bucket, key, data, metadata=None):
        self.objects[bucket + "/" + key] = (data, metadata or {})

    def answer(self, h, status, body=b"", headers=None, cut=None):
        h.send_response(status)
        for name, value in (headers or {}).items():
            h.send_header(name, value)
        h.send_header("Date", formatdate(usegmt=True))
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body if cut is None else body[:cut])
        h.wfile.flush()
        if cut is not None:
            h.close_connection = True
            h.connection.shutdown(2)

    def error(self, h, status, code, message="no", headers=None, extra=""):
        body = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{escape(message)}" \
               f"</Message>{extra}</Error>".encode()
        self.answer(h, status, body, dict({"Content-Type": "application/xml"}, **(headers or {})))

    def serve(self, h):
        path, _, query = h.path.partition("?")
        length = int(h.headers.get("Content-Length") or 0)
        body = h.rfile.read(length)
        with self.lock:
            self.asked.append((h.command, path, query, dict(h.headers.items())))
        if path in self.credentials:
            given = self.credentials[path]
            status, text = given(query, h.headers, body) if callable(given) else given
            return self.answer(h, status, text.encode())
        if h.headers.get("X-Amz-Target", "").endswith("ListPublicKeys"):
            self.key_calls.append((json.loads(body), h.headers["Authorization"]))
            return self.answer(h, 200, json.dumps({"PublicKeyList": self.keys}).encode())
        if path == "/" and body.startswith(b"Action="):
            form = dict(urllib.parse.parse_qsl(body.decode()))
            self.sts_calls.append((form, dict(h.headers.items())))
            status, text = self.sts(form)
            return self.answer(h, status, text.encode(), {"Content-Type": "text/xml"})
        name = urllib.parse.unquote(path[1:])
        listing = "list-type=2" in query
        fault = self.faults.get("LIST" if listing else name)
        with self.lock:
            count = self.counts[name] = self.counts.get(name, 0) + 1
        if fault is not None and fault(h, count):
            return None
        return self.list(h, name, query) if listing else self.get(h, name)

    def list(self, h, bucket, query):
        q = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        bucket = bucket.rstrip("/")
        keys = sorted(k[len(bucket) + 1:] for k in self.objects if k.startswith(bucket + "/"))
        keys = [k for k in keys if k.startswith(q["prefix"])]
        at = int(q.get("continuation-token", "0"))
        most = min(self.page, int(q["max-keys"]))
        page, more = keys[at:at + most], at + most < len(keys)
        text = "".join(f"<Contents><Key>{urllib.parse.quote(k)}</Key><Size>"
                       f"{len(self.objects[bucket + '/' + k][0])}</Size></Contents>" for k in page)
        token = f"<NextContinuationToken>{at + most}</NextContinuationToken>" if more else ""
        self.answer(h, 200, ("<?xml version=\"1.0\"?><ListBucketResult>"
                             f"<EncodingType>url</EncodingType>{text}{token}<IsTruncated>"
                             f"{str(more).lower()}</IsTruncated></ListBucketResult>").encode())

    def get(self, h, name):
        if name not in self.objects:
            return self.error(h, 404, "NoSuchKey", "The specified key does not exist.")
        data, metadata = self.objects[name]
        headers = {"ETag": '"%s"' % hashlib.md5(data).hexdigest()}
        headers.update({"x-amz-meta-" + k: v for k, v in metadata.items()})
        if h.headers.get("If-Match", headers["ETag"]) != headers["ETag"]:
            return self.error(h, 412, "PreconditionFailed")
        wanted = re.match(r"bytes=(\d+)-(\d+)$", h.headers.get("Range", ""))
        if wanted is None:
            return self.answer(h, 200, data, headers)
        first, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        if first >= len(data):
            return self.error(h, 416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self.answer(h, 206, data[first:last + 1], headers)

    # -- faults --
    def failing(self, times, status=500, code="InternalError", **more):
        def fault(h, count):
            if count <= times:
                self.error(h, status, code, **more)
            return count <= times
        return fault

    def cutting(self, name, times):
        def fault(h, count):
            data = self.objects[name][0]
            if count <= times:
                self.answer(h, 200, data, cut=len(data) // 2)
            return count <= times
        return fault

    @staticmethod
    def slow(seconds):
        def fault(h, count):
            time.sleep(seconds)  # the latency itself is what is tested
            return False
        return fault

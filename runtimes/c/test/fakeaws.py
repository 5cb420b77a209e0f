"""Stand-ins for tests, standard library only: a Lambda Runtime API, and an S3 and SNS that check
each request's Signature Version 4 by a computation of their own."""
import hashlib
import hmac
import http.server
import json
import queue
import ssl
import threading
import time
import urllib.parse

ACCESS_KEY = "AKIDTESTTESTTESTTEST"
SECRET_KEY = "test/secret+key"
TOKEN = "test-session-token=="


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # clients that hang up are part of the tests


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, status, body=b"", headers=None, chunked=False):
        self.send_response(status)
        for k, v in (headers or {}).items():
            self.send_header(k, v)
        if status == 304:
            self.end_headers()
        elif chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(body), 1000):
                piece = body[i:i + 1000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.wfile.flush()


def start(handler, owner, tls=None):
    server = Server(("127.0.0.1", 0), handler)
    server.owner = owner
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class RuntimeApi:
    """invoke() hands an event to the function and waits for its result or error."""

    def __init__(self):
        self.events = queue.Queue()
        self.results = queue.Queue()
        self.init_errors = queue.Queue()
        self.chunked = False
        self.refuse_result_with = None
        self.count = 0
        self.server = start(RuntimeHandler, self)
        self.address = "127.0.0.1:%d" % self.server.server_port

    def invoke(self, event, seconds=30, trace="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
               wait=60):
        self.count += 1
        request_id = "8476a536-e9f4-11e8-9739-%012d" % self.count
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.events.put((request_id, raw, int((time.time() + seconds) * 1000), trace))
        got_id, kind, headers, body = self.results.get(timeout=wait)
        assert got_id == request_id, (got_id, request_id)
        return kind, headers, body

    def end(self):
        """The next request for an event is refused: the function's process ends by itself."""
        self.events.put(None)


class RuntimeHandler(Handler):
    def do_GET(self):
        api = self.server.owner
        assert self.path == "/2018-06-01/runtime/invocation/next", self.path
        item = api.events.get()
        if item is None:
            return self.answer(500, b"{}")
        request_id, raw, deadline, trace = item
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn":
                "arn:aws:lambda:us-east-1:123456789012:function:probe",
        }
        if trace:
            headers["Lambda-Runtime-Trace-Id"] = trace
        self.answer(200, raw, headers, chunked=api.chunked)

    def do_POST(self):
        api = self.server.owner
        body = self.body()
        parts = self.path.split("/")
        if self.path == "/2018-06-01/runtime/init/error":
            api.init_errors.put((dict(self.headers), json.loads(body)))
        else:
            assert parts[:4] == ["", "2018-06-01", "runtime", "invocation"], self.path
            if parts[5] == "response" and api.refuse_result_with:
                return self.answer(api.refuse_result_with, b'{"errorType":"TooLarge"}')
            api.results.put((parts[4], parts[5], dict(self.headers), body))
        self.answer(202, b'{"status":"OK"}')


def signature_fault(method, target, headers, body, service, region, host):
    """None when the request is signed as the documentation says, else what is wrong with it."""
    auth = headers.get("Authorization", "")
    if not auth.startswith("AWS4-HMAC-SHA256 "):
        return "no signature"
    fields = dict(f.strip().split("=", 1) for f in auth[len("AWS4-HMAC-SHA256 "):].split(","))
    stamp = headers["X-Amz-Date"]
    scope = "%s/%s/%s/aws4_request" % (stamp[:8], region, service)
    if fields["Credential"] != ACCESS_KEY + "/" + scope:
        return "scope " + fields["Credential"]
    if headers["X-Amz-Security-Token"] != TOKEN:
        return "token"
    digest = hashlib.sha256(body).hexdigest()
    if headers["X-Amz-Content-Sha256"] != digest:
        return "hash of the body"
    names = fields["SignedHeaders"].split(";")
    if names != sorted(names) or "host" not in names:
        return "signed headers"
    for name in headers.keys():
        low = name.lower()
        if (low.startswith("x-amz-") or low in ("content-type", "if-none-match")) \
                and low not in names:
            return "unsigned header " + low
    path, _, query = target.partition("?")
    if service != "s3":
        path = urllib.parse.quote(path, safe="/-_.~")
    else:
        again = urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~")
        if path != again:
            return "path is not in its canonical form"
    query = "&".join(sorted(query.split("&"))) if query else ""
    canonical = "\n".join([method, path, query]
                          + ["%s:%s" % (n, " ".join(headers[n].split())) for n in names]
                          + ["", ";".join(names), digest])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET_KEY).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    want = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return None if want == fields["Signature"] else "signature"


class Aws:
    """objects: (bucket, key) -> bytes, served path-style; published: what came to SNS."""

    def __init__(self, tls=None, region="us-east-1"):
        self.lock = threading.Lock()
        self.region = region
        self.objects = {}
        self.topics_missing = set()
        self.published = []
        self.requests = []   # (service, method, target, status)
        self.faults = []     # (substring of the target or Action, status or "cut" or "close")
        self.signature_faults = []
        self.chunked = False
        self.server = start(AwsHandler, self, tls)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.server.server_port)

    def environment(self):
        return {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_SESSION_TOKEN": TOKEN, "AWS_REGION": self.region,
                "AWS_ENDPOINT_URL": self.url}

    def take_fault(self, where):
        with self.lock:
            for i, (text, what) in enumerate(self.faults):
                if text in where:
                    del self.faults[i]
                    return what
        return None

    def count(self, text, status=None):
        return sum(1 for r in self.requests
                   if text in r[2] and (status is None or r[3] == status))


def error_xml(code, message):
    return ("<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>"
            % (code, message)).encode()


class AwsHandler(Handler):
    def check(self, service, region, body):
        fault = signature_fault(self.command, self.path, self.headers, body, service, region,
                                self.headers["Host"])
        if fault:
            self.server.owner.signature_faults.append(fault)
        return fault

    def finish_with(self, service, status, body=b"", headers=None):
        owner = self.server.owner
        owner.requests.append((service, self.command, self.path, status))
        self.answer(status, body, headers, chunked=owner.chunked and status == 200)

    def inject(self, service, where):
        what = self.server.owner.take_fault(where)
        if what is None:
            return False
        self.close_connection = True
        if what == "close":
            self.server.owner.requests.append((service, self.command, self.path, 0))
        elif what == "cut":
            self.server.owner.requests.append((service, self.command, self.path, 0))
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
        elif isinstance(what, tuple):
            self.finish_with(service, what[0], error_xml(what[1], "told to"))
        else:
            self.finish_with(service, what, error_xml("Injected", "told to"))
        return True

    def do_GET(self):
        owner = self.server.owner
        if self.inject("s3", self.path):
            return
        if self.check("s3", owner.region, b""):
            return self.finish_with("s3", 403, error_xml("SignatureDoesNotMatch", "bad"))
        path = urllib.parse.unquote(self.path.partition("?")[0])
        _, bucket, key = path.split("/", 2)
        data = owner.objects.get((bucket, key))
        if data is None:
            return self.finish_with("s3", 404, error_xml("NoSuchKey", "The key is not there."))
        etag = '"%s"' % hashlib.md5(data).hexdigest()
        if self.headers.get("If-None-Match") == etag:
            return self.finish_with("s3", 304, b"", {"ETag": etag})
        self.finish_with("s3", 200, data, {"ETag": etag})

    def do_POST(self):
        owner = self.server.owner
        body = self.body()
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if self.inject("sns", "Publish " + form.get("TopicArn", "")):
            return
        topic = form["TopicArn"]
        if self.check("sns", topic.split(":")[3], body):
            return self.finish_with("sns", 403, error_xml("SignatureDoesNotMatch", "bad"))
        if topic in owner.topics_missing:
            return self.finish_with("sns", 404, error_xml("NotFound", "Topic does not exist"))
        with owner.lock:
            owner.published.append(form)
        self.finish_with("sns", 200, b"<PublishResponse><PublishResult><MessageId>1</MessageId>"
                                     b"</PublishResult></PublishResponse>")

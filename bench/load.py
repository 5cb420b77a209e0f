"""A load generator for the benches: many keep-alive connections, requests signed beforehand.

It must cost much less than what it measures, so each worker process owns some connections, drives
them with one epoll loop, and replays ready bytes (signing is done before the clock starts; a
signature is good for fifteen minutes). Loopback only; every run is bounded in time and count."""
import datetime
import hashlib
import hmac
import multiprocessing
import select
import socket
import ssl
import time
import urllib.parse


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


def response_end(data):
    """The length of the first whole response in data, or 0; and its status."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0, 0
    status = int(data[9:12])
    low = bytes(data[:head]).lower()
    at = low.find(b"content-length:")
    if at >= 0:
        end = head + 4 + int(low[at + 15:].split(b"\r\n", 1)[0])
        return (end, status) if len(data) >= end else (0, 0)
    if b"transfer-encoding: chunked" in low:
        end = data.find(b"0\r\n\r\n", head + 4)
        return (end + 5, status) if end >= 0 else (0, 0)
    return head + 4, status


def worker(address, ca, requests, connections, seconds, start, results):
    context = None
    if ca is not None:
        context = ssl.create_default_context(cafile=ca)
    poll = select.epoll()
    conns = {}

    def connect(number):
        s = socket.create_connection(address, 30)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            s = context.wrap_socket(s, server_hostname=address[0])
        s.setblocking(False)
        conns[s.fileno()] = [s, number, bytearray()]
        poll.register(s.fileno(), select.EPOLLIN)
        return s.fileno()

    for i in range(connections):
        connect(i)
    n, done, bad, latencies, sent_at = len(requests), 0, 0, [], {}
    start.wait()
    began = time.monotonic()
    for fd, c in conns.items():
        sent_at[fd] = time.monotonic()
        c[0].sendall(requests[c[1] % n])
    while time.monotonic() - began < seconds:
        for fd, _ in poll.poll(0.5):
            c = conns[fd]
            try:
                while True:
                    data = c[0].recv(65536)
                    if not data:
                        raise ConnectionError("the server closed a connection")
                    c[2] += data
                    if context is None or c[0].pending() == 0:
                        break
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            end, status = response_end(c[2])
            if end == 0:
                continue
            closes = b"connection: close" in bytes(c[2][:end]).lower()
            del c[2][:end]
            now = time.monotonic()
            latencies.append(now - sent_at[fd])
            done += status == 200
            bad += status != 200
            c[1] += connections
            if closes:  # a server that takes one request a connection gets a new one each time
                poll.unregister(fd)
                c[0].close()
                del conns[fd]
                fd = connect(c[1])
                c = conns[fd]
            sent_at[fd] = now
            c[0].sendall(requests[c[1] % n])
    took = time.monotonic() - began
    for c in conns.values():
        c[0].close()
    results.put((done, bad, took, latencies))


def run(endpoint, ca, requests, connections=64, seconds=5, processes=1):
    """requests: ready bytes, replayed in turn. Returns rate, failures, and latencies in ms."""
    url = urllib.parse.urlsplit(endpoint)
    ca = ca if url.scheme == "https" else None
    start, results = multiprocessing.Event(), multiprocessing.Queue()
    share = connections // processes
    workers = [multiprocessing.Process(target=worker, args=(
        (url.hostname, url.port), ca, requests[i::processes], share, seconds, start, results))
        for i in range(processes)]
    for w in workers:
        w.start()
    time.sleep(1)  # the workers connect before the clock starts
    start.set()
    parts = [results.get() for _ in workers]
    for w in workers:
        w.join()
    latencies = sorted(x for p in parts for x in p[3])
    done, bad = sum(p[0] for p in parts), sum(p[1] for p in parts)
    took = max(p[2] for p in parts)

    def at(q):
        return 1000 * latencies[min(len(latencies) - 1, int(q * len(latencies)))]
    return {"rate": done / took, "failed": bad, "p50_ms": at(0.5), "p99_ms": at(0.99),
            "max_ms": at(1)}

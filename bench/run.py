#!/usr/bin/env python3
"""Measures Ward against its own limits, and side by side with moto's server where it is installed.

    bench/run.py [--ward build/ward] [--seconds 5] [--only NAME]

Figures are ratios taken in one run on one machine; the load generator shares that machine. Rates
count answers of 200 only; any other answer fails the run."""
import argparse
import base64
import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "bench")]
import load  # noqa: E402
from wardtest import Ward  # noqa: E402

LIMITS = {"ready_ms": 100, "idle_mib": 24, "ratio": 20, "growth_mib": 32, "binary_mib": 6}
rows = []


def row(name, value, limit, unit, good):
    rows.append((name, value, limit, good))
    print(f"{'ok  ' if good else 'MISS'} {name:<44} {value:>10.1f} {unit:<6} (limit {limit})",
          flush=True)


def memory_kib(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return 0


def ready_time(ward):
    """From exec to the first answered request, with an existing store; the best of five."""
    import socket
    best = 1e9
    for _ in range(5):
        ward.stop()
        port = free_port()
        began = time.monotonic()
        p = subprocess.Popen([ward.binary, "up", "--data", ward.data, "--listen",
                              f"127.0.0.1:{port}"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.001)
        best = min(best, time.monotonic() - began)
        p.terminate()
        p.wait()
        p.stdout.close()
        ward.start()
    return best * 1000


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Moto:
    """moto's own server, unpatched, if it is installed for this Python."""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        import socket
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("moto did not start")

    def client(self, name):
        import boto3
        return boto3.client(name, endpoint_url=self.endpoint, region_name="us-east-1",
                            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def encrypt_requests(signer, key_id, n=200):
    body = json.dumps({"KeyId": key_id,
                       "Plaintext": base64.b64encode(b"x" * 64).decode()}).encode()
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.Encrypt"}
    return [signer.request("POST", "/", "kms", body, headers) for _ in range(n)]


def put_requests(signer, bucket, n=2000):
    return [signer.request("PUT", f"/{bucket}/k{i}", "s3", os.urandom(1024)) for i in range(n)]


def signer_for(endpoint, key_id, secret):
    return load.Signer(key_id, secret, "us-east-1", urllib.parse.urlsplit(endpoint).netloc)


def rates(name, ward, moto, make, seconds):
    ours = load.run(ward.endpoint, ward.ca, make(ward), 64, seconds)
    print(f"     {name}: ward {ours['rate']:.0f}/s, p50 {ours['p50_ms']:.1f} ms, "
          f"p99 {ours['p99_ms']:.1f} ms, failed {ours['failed']}", flush=True)
    if ours["failed"]:
        row(name + " failed answers", ours["failed"], 0, "", False)
    if moto is None:
        return
    theirs = load.run(moto.endpoint, None, make(moto), 64, seconds)
    print(f"     {name}: moto {theirs['rate']:.0f}/s, p50 {theirs['p50_ms']:.1f} ms, "
          f"failed {theirs['failed']}", flush=True)
    ratio = ours["rate"] / max(theirs["rate"], 0.001)
    row(name + ", ward / moto", ratio, f">= {LIMITS['ratio']}", "times", ratio >= LIMITS["ratio"])


def big_object(ward):
    """1 GiB up and down, streamed; how much the process grew."""
    s3 = ward.client("s3")
    s3.create_bucket(Bucket="bench-big")
    size, piece = 1 << 30, os.urandom(1 << 20)

    class Source:
        def __init__(self):
            self.at = 0

        def read(self, n=-1):
            n = min(size - self.at, len(piece) if n is None or n < 0 else n)
            self.at += n
            return piece[:n]

        def seek(self, to, whence=0):
            self.at = to if whence == 0 else self.at + to if whence == 1 else size + to
            return self.at

        def tell(self):
            return self.at

        def __len__(self):
            return size

    pid = ward.process.pid
    before = memory_kib(pid)
    began = time.monotonic()
    s3.put_object(Bucket="bench-big", Key="big", Body=Source(), ContentLength=size)
    up = time.monotonic() - began
    began = time.monotonic()
    n = 0
    for chunk in s3.get_object(Bucket="bench-big", Key="big")["Body"].iter_chunks(1 << 20):
        n += len(chunk)
    down = time.monotonic() - began
    assert n == size
    growth = (memory_kib(pid, "VmHWM") - before) / 1024
    print(f"     1 GiB: up {1024 / up:.0f} MiB/s, down {1024 / down:.0f} MiB/s", flush=True)
    row("1 GiB up and down, growth of memory", growth, f"< {LIMITS['growth_mib']}", "MiB",
        growth < LIMITS["growth_mib"])
    s3.delete_object(Bucket="bench-big", Key="big")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ward", default=os.path.join(ROOT, "build", "ward"))
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--only", default="")
    a = p.parse_args()
    ward = Ward(binary=os.path.abspath(a.ward))
    moto = None
    try:
        stripped = ward.data + ".stripped"
        os.makedirs(ward.dir, exist_ok=True)
        subprocess.run(["strip", "-o", stripped, ward.binary], check=True)
        mib = os.path.getsize(stripped) / (1 << 20)
        row("binary, stripped", mib, f"< {LIMITS['binary_mib']}", "MiB", mib < LIMITS["binary_mib"])
        ward.start()
        if a.only in ("", "ready"):
            ms = ready_time(ward)
            row("ready with an existing store", ms, f"< {LIMITS['ready_ms']}", "ms",
                ms < LIMITS["ready_ms"])
        if a.only in ("", "idle"):
            ward.stop()
            ward.start()
            time.sleep(2)  # what start-up leaves running has settled
            mib = memory_kib(ward.process.pid) / 1024
            row("idle resident memory", mib, f"< {LIMITS['idle_mib']}", "MiB",
                mib < LIMITS["idle_mib"])
        if a.only in ("", "big"):
            big_object(ward)
        if importlib.util.find_spec("moto"):
            moto = Moto()
        else:
            print("     moto is not installed: no ratios (pip install 'moto[server]')")
        if a.only in ("", "encrypt"):
            rates("KMS Encrypt", ward, moto, lambda s: encrypt_requests(
                signer_for(s.endpoint, *credentials(s)),
                s.client("kms").create_key()["KeyMetadata"]["KeyId"]), a.seconds)
        if a.only in ("", "put"):
            def puts(s):
                s.client("s3").create_bucket(Bucket="bench-put")
                return put_requests(signer_for(s.endpoint, *credentials(s)), "bench-put")
            rates("S3 PUT of 1 KiB", ward, moto, puts, a.seconds)
        if a.only in ("", "idle", "put"):
            time.sleep(30)  # until what the load left behind is given back
            mib = memory_kib(ward.process.pid) / 1024
            row("resident memory, idle after all this", mib, f"< {LIMITS['idle_mib']}", "MiB",
                mib < LIMITS["idle_mib"])
    finally:
        if moto is not None:
            moto.stop()
        ward.remove()
    missed = [r for r in rows if not r[3]]
    print(f"{len(rows) - len(missed)} within their limits, {len(missed)} not")
    return 1 if missed else 0


def credentials(server):
    if isinstance(server, Ward):
        return server.env["AWS_ACCESS_KEY_ID"], server.env["AWS_SECRET_ACCESS_KEY"]
    return "AKIDEXAMPLE", "secret"


if __name__ == "__main__":
    sys.exit(main())

"""What the end-to-end tests share: a Ward of their own, and clients for it."""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WARD = os.environ.get("WARD_BIN", os.path.join(ROOT, "build", "ward"))
REGION = "us-east-1"


def sanitized(program):
    """Whether its memory is the sanitizers' too."""
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


class Ward:
    """A server on a free port with its own data directory."""

    def __init__(self, *options, data=None, binary=None, env=None):
        self.dir = tempfile.mkdtemp(prefix="ward-test-") if data is None else os.path.dirname(data)
        self.data = os.path.join(self.dir, "data") if data is None else data
        self.options = options
        self.binary = binary or WARD
        self.env_extra = env or {}
        self.process = None
        self.log = os.path.join(self.dir, "log")

    def start(self, wait=90):
        env = dict(os.environ, **self.env_extra)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1")
        env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
        out = open(self.log, "ab")
        self.process = subprocess.Popen(
            [self.binary, "up", "--data", self.data, "--listen", "127.0.0.1:0", *self.options],
            stdout=subprocess.PIPE, stderr=out, env=env)
        out.close()
        # "Ward is up." is printed once it answers: wait for the words, not for a time.
        deadline, seen = time.monotonic() + wait, b""
        while b"Ward is up." not in seen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                self.kill()
                raise RuntimeError("ward did not start:\n" + self.read_log())
            seen += chunk
        self.load_env()
        return self

    def load_env(self):
        text = subprocess.run([self.binary, "env", "--data", self.data], check=True, text=True,
                              capture_output=True).stdout
        self.env = {}
        for line in text.splitlines():
            if line.startswith("export "):
                name, value = line[len("export "):].split("=", 1)
                self.env[name] = value[1:-1].replace("'\\''", "'")
        self.endpoint = self.env["AWS_ENDPOINT_URL"]
        self.ca = self.env.get("AWS_CA_BUNDLE")

    def read_log(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def client(self, service, key=None, secret=None, token=None, region=REGION, **config):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=region, verify=self.ca,
            aws_access_key_id=key or self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret or self.env["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, read_timeout=90, **config))

    def aws(self, *args, check=True, env=None):
        """The aws command line, as a user types it."""
        full = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        full.update(self.env)
        full.update(env or {})
        full["AWS_PAGER"] = ""
        exe = os.path.join(os.path.dirname(os.sys.executable), "aws")
        done = subprocess.run([exe, *args], env=full, text=True, capture_output=True)
        if check and done.returncode != 0:
            raise AssertionError(f"aws {' '.join(args)}: {done.stderr}")
        return done

    def stop(self):
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def remove(self):
        self.kill()
        if os.environ.get("WARD_KEEP"):  # for looking at what a failed test left
            print("kept", self.dir)
            return
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        try:
            if exc[0] is None:
                code = self.stop()
                assert code == 0, f"ward ended with {code}:\n{self.read_log()[-4000:]}"
        finally:
            self.remove()


def eventually(check, what, timeout=60, every=0.1):
    """Awaits a condition that another process brings about; fails with `what`."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not within %d s: %s" % (timeout, what))
        time.sleep(every)


def trail_events(ward, **attributes):
    """LookupEvents for one attribute, as parsed CloudTrail records."""
    ct = ward.client("cloudtrail")
    query = [{"AttributeKey": k, "AttributeValue": v} for k, v in attributes.items()]
    pages = ct.get_paginator("lookup_events").paginate(LookupAttributes=query)
    return [json.loads(e["CloudTrailEvent"]) for p in pages for e in p["Events"]]

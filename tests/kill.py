#!/usr/bin/env python3
"""Kills Ward in the middle of writes, again and again, and looks at what is left.

Clients write without pause: key aliases (a change with a management record), queue messages, and
objects small and large. At a random moment the process is killed with SIGKILL. After the restart:
every acknowledged change is there; every alias that is there has its record and every record its
alias (they are one transaction); every object reads back whole; the ledger's chain is whole.

    tests/kill.py --rounds 100 [--seed N] [--ward build/ward]"""
import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from botocore.exceptions import BotoCoreError, ClientError  # noqa: E402
from wardtest import Ward, eventually, trail_events  # noqa: E402

WRITERS = 6
ALIASES_PER_KEY = 40  # KMS allows 50
BUCKET = "kill-test-bucket"


class Failure(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failure(what)


class Writer(threading.Thread):
    """Writes until the server is gone; remembers what was acknowledged."""

    def __init__(self, ward, number, tag, queue, stop):
        super().__init__(daemon=True)
        self.number, self.tag, self.queue, self.halt = number, tag, queue, stop
        self.error = None
        self.kms, self.sqs, self.s3 = (ward.client(s) for s in ("kms", "sqs", "s3"))
        self.aliases, self.messages, self.objects = set(), set(), {}

    def run(self):
        n = 0
        while not self.halt.is_set():
            n += 1
            name = f"{self.tag}-{self.number}-{n}"
            try:
                if n % ALIASES_PER_KEY == 1:
                    key = self.kms.create_key()["KeyMetadata"]["KeyId"]
                self.kms.create_alias(AliasName="alias/" + name, TargetKeyId=key)
                self.aliases.add("alias/" + name)
                self.sqs.send_message(QueueUrl=self.queue, MessageBody=name)
                self.messages.add(name)
                size = 100 if n % 3 else 200000
                body = (name.encode() * (size // len(name) + 1))[:size]
                self.s3.put_object(Bucket=BUCKET, Key=name, Body=body)
                self.objects[name] = hashlib.sha256(body).hexdigest()
            except ClientError as e:
                self.error = e  # an answer that says no is a failure: the server was not gone
                return
            except (BotoCoreError, OSError):
                return  # killed under our hands


def setup(ward):
    ward.client("s3").create_bucket(Bucket=BUCKET)
    ward.client("sqs").create_queue(QueueName="kill-test")


def queue_url(ward):
    return ward.client("sqs").get_queue_url(QueueName="kill-test")["QueueUrl"]


def check_round(ward, writers, queue, tag):
    kms, sqs, s3 = (ward.client(s) for s in ("kms", "sqs", "s3"))
    for w in writers:
        expect(w.error is None, f"a write was refused: {w.error}")
    there = {a["AliasName"] for p in kms.get_paginator("list_aliases").paginate()
             for a in p["Aliases"] if a["AliasName"].startswith("alias/" + tag + "-")}
    recorded = [e["requestParameters"]["aliasName"]
                for e in trail_events(ward, EventName="CreateAlias") if "errorCode" not in e]
    recorded = [a for a in recorded if a.startswith("alias/" + tag + "-")]
    acked = set().union(*(w.aliases for w in writers))
    expect(acked <= there, f"acknowledged aliases are gone: {sorted(acked - there)[:5]}")
    expect(len(recorded) == len(set(recorded)), "an alias was recorded twice")
    expect(there == set(recorded),
           f"changes and records differ: {sorted(there ^ set(recorded))[:5]}")
    bodies = set()
    while True:
        page = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10,
                                   VisibilityTimeout=600).get("Messages", [])
        if not page:
            break
        bodies |= {m["Body"] for m in page}
        sqs.delete_message_batch(QueueUrl=queue, Entries=[
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(page)])
    sent = set().union(*(w.messages for w in writers))
    expect(sent <= bodies, f"acknowledged messages are gone: {sorted(sent - bodies)[:5]}")
    objects = {}
    for w in writers:
        objects.update(w.objects)
    for name, digest in objects.items():
        body = s3.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        expect(hashlib.sha256(body).hexdigest() == digest, f"object {name} reads back otherwise")
    return len(acked), len(sent), len(objects)


def run(binary, rounds, seed, say=print):
    rng = random.Random(seed)
    ward = Ward(binary=binary)
    totals = [0, 0, 0]
    try:
        ward.start()
        setup(ward)
        for n in range(rounds):
            tag = f"r{n}"
            stop = threading.Event()
            writers = [Writer(ward, i, tag, queue_url(ward), stop) for i in range(WRITERS)]
            for w in writers:
                w.start()
            eventually(lambda: all(w.objects or not w.is_alive() for w in writers),
                       "every writer at work", every=0.01)
            time.sleep(rng.uniform(0, 1.0))  # the random moment: what is tested
            ward.kill()
            stop.set()
            for w in writers:
                w.join(60)
            ward.start()
            counts = check_round(ward, writers, queue_url(ward), tag)
            totals = [a + b for a, b in zip(totals, counts)]
            say(f"round {n + 1}/{rounds}: {counts[0]} aliases, {counts[1]} messages, "
                f"{counts[2]} objects acknowledged, none lost")
        expect(ward.stop() == 0, "Ward did not stop cleanly")
        report = json.loads(subprocess.run(
            [ward.binary, "ledger", "--json", "--data", ward.data], capture_output=True, text=True,
            check=True).stdout)
        expect(report["faults"] == 0, f"the ledger has faults: {report}")
        say(f"ledger: {report['entries']} records, {report['joins']} joins, whole")
        return totals
    finally:
        ward.remove()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ward", default=None)
    p.add_argument("--rounds", type=int, default=100)
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    a = p.parse_args()
    print(f"seed {a.seed}", flush=True)
    try:
        totals = run(a.ward and os.path.abspath(a.ward), a.rounds, a.seed,
                     lambda s: print(s, flush=True))
    except Failure as f:
        print(f"FAILED: {f}")
        return 1
    print("acknowledged in all: %d aliases, %d messages, %d objects; none lost, none half done"
          % tuple(totals))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The commands from outside: exit codes, forms of output, broken files.

    test_command.py SCAN_TOOL
"""
import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv[1]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")


def run(*args):
    p = subprocess.run([TOOL, *args], capture_output=True, env=ENV, timeout=120)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def record(i, **more):
    r = {"eventVersion": "1.08", "eventTime": f"2024-01-01T{i // 60:02}:{i % 60:02}:00Z",
         "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
         "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.7", "eventID": f"id-{i}",
         "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
         "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve"}}
    r.update(more)
    return r


class Folder(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = self.tmp.name

    def tearDown(self):
        self.tmp.cleanup()

    def put(self, name, data):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def log(self, name, records):
        return self.put(name, gzip.compress(json.dumps({"Records": records}).encode(), mtime=0))


class Scan(Folder):
    def test_exit_codes_and_forms(self):
        self.log("logs/a.json.gz", [record(1, eventName="DescribeTrails")])
        self.assertEqual(run("scan", self.dir)[0], 0)
        data = self.log("logs/deep/er/b.json.gz", [record(2), record(3)])
        code, out, _ = run("scan", "--format", "jsonl", self.dir)
        self.assertEqual(code, 1)
        rows = [json.loads(x) for x in out.splitlines()]
        self.assertEqual({r["rule"] for r in rows}, {"attack.trail-stopped",
                                                     "audit.cloudtrail-change"})
        with open(data, "rb") as f:
            self.assertEqual(rows[0]["sha256"], hashlib.sha256(f.read()).hexdigest())
        sarif = json.loads(run("scan", "--format", "sarif", self.dir)[1])
        self.assertEqual(len(sarif["runs"][0]["results"]), 4)
        self.assertEqual(run("scan", self.dir + "/nowhere")[0], 2)
        self.assertEqual(run("scan", "--until", "2023-01-01", self.dir)[0], 0)
        self.assertEqual(run("scan", "--principal", "*:user/bob", self.dir)[0], 0)
        where = '{"sourceIPAddress":[{"cidr":"198.51.100.0/24"}]}'
        self.assertEqual(run("scan", "--where", where, self.dir)[0], 0)

    def test_same_output_whatever_the_threads_and_no_doubles(self):
        for i in range(40):
            self.log(f"l/{i}.json.gz", [record(i), record(i + 1), record(i + 2)])
        outs = {run("scan", "--format", "csv", "--threads", t, self.dir)[1] for t in "1238"}
        self.assertEqual(len(outs), 1)
        rows = list(csv.DictReader(io.StringIO(outs.pop())))
        self.assertEqual(len(rows), 42 * 2)
        self.assertEqual(rows, sorted(rows, key=lambda r: r["time"]))

    def test_bad_files_are_named_and_the_rest_goes_on(self):
        good = gzip.compress(json.dumps({"Records": [record(1)]}).encode())
        big = gzip.compress(b" " * (300 << 20), 9)
        self.put("a.json.gz", good)
        self.put("cut.json.gz", good[:-30])
        self.put("bits.json.gz", good[:40] + b"\xff\x00\xff" + good[43:])
        self.put("tail.json.gz", good + b"more")
        self.put("two.json.gz", good + gzip.compress(json.dumps([record(2)]).encode()))
        self.put("bomb.json.gz", big)
        self.put("text.json", b"hello")
        self.put("empty.json", b"")
        self.put("nolist.json", b'{"Records":{}}')
        self.put("deep.json", b'{"Records":[{"eventName":' + b"[" * 5000 + b"]" * 5000 + b"}]}")
        self.put("large.json", b'{"Records":[{"eventName":"' + b"x" * (3 << 20) + b'"}]}')
        code, out, err = run("scan", "--format", "jsonl", self.dir)
        self.assertEqual(code, 2)
        for name in ("cut", "bits", "tail", "bomb", "text", "empty", "nolist", "deep", "large"):
            self.assertIn(f"/{name}.json", err, name)
        self.assertNotIn("/two.json", err)
        self.assertIn("4 bytes after the gzip stream", err)
        self.assertIn("bomb", err)
        ids = {json.loads(x)["eventID"] for x in out.splitlines()}
        self.assertEqual(ids, {"id-1", "id-2"})

    def test_hostile_values(self):
        evil = "=cmd()\x1b[2J<script>alert(1)</script>\u202e"
        raw = json.dumps({"Records": [record(1, sourceIPAddress=evil)]}, ensure_ascii=False)
        self.put("e.json", raw.encode())
        page = os.path.join(self.dir, "r.html")
        for form in ("table", "jsonl", "csv", "sarif"):
            out = run("scan", "--show", "--format", form, "--report", page, self.dir)[1]
            self.assertNotIn("\x1b", out)
            self.assertNotIn("\u202e", out)
            if form == "jsonl":
                row = json.loads(out.splitlines()[0])
                self.assertEqual(row["record"]["sourceIPAddress"], evil)
        cell = list(csv.DictReader(io.StringIO(run("scan", "--format", "csv", self.dir)[1])))[0]
        self.assertTrue(cell["address"].startswith("'="))
        with open(page, encoding="utf-8") as f:
            html = f.read()
        self.assertNotIn("<script", html)
        self.assertIn("&lt;script&gt;", html)
        self.assertIn("prefers-color-scheme", html)

    def test_correlations(self):
        rules = self.put("r.yml", b"""title: stop
name: stop
logsource: {product: aws, service: cloudtrail}
detection:
  s: {eventName: StopLogging}
  condition: s
---
title: go
name: go
detection:
  s: {eventName: StartLogging}
  condition: s
---
title: many
name: many
level: high
correlation:
  type: event_count
  rules: [stop]
  group-by: [userIdentity.arn]
  timespan: 10m
  condition: {gte: 3}
---
title: spread
name: spread
correlation:
  type: value_count
  rules: [stop]
  timespan: 1h
  condition: {gte: 3, field: sourceIPAddress}
---
title: order
name: order
correlation:
  type: temporal_ordered
  rules: [stop, go]
  timespan: 5m
""")

        def found(records):
            self.log("l/x.json.gz", records)
            out = run("scan", "--rules", rules, "--format", "jsonl", self.dir + "/l")[1]
            return [json.loads(x)["rule"] for x in out.splitlines()]

        self.assertEqual(found([record(1), record(2), record(3)]), ["many"])
        self.assertEqual(found([record(1), record(20), record(40)]), [])
        self.assertEqual(found([record(i * 15, sourceIPAddress=f"10.0.0.{i}") for i in range(3)]),
                         ["spread"])
        self.assertEqual(found([record(1), record(2, eventName="StartLogging")]), ["order"])
        self.assertEqual(found([record(2), record(1, eventName="StartLogging")]), [])

    def test_a_folder_of_rules(self):
        """Links that lead back or nowhere, and what is no file: named, each rule once."""
        d = os.path.join(self.dir, "rules")
        os.mkdir(d)
        with open(os.path.join(d, "r.yml"), "w") as f:
            f.write("title: t\ndetection:\n  s:\n    a: 1\n  condition: s\n")
        for name in "abc":
            os.symlink(".", os.path.join(d, name))
        code, out, err = run("rules", "check", d)
        self.assertEqual((code, out[:16], err), (0, "1 rules, 0 fault", ""))
        os.mkfifo(os.path.join(d, "p.yml"))
        os.symlink("nothing", os.path.join(d, "n.json"))
        code, out, err = run("rules", "check", d)
        self.assertEqual((code, out[:16]), (2, "1 rules, 2 fault"))
        self.assertIn("p.yml: not a file", err)
        self.assertIn("n.json: No such file", err)

    def test_help(self):
        for args in (("scan", "--help"), ("rules", "--help"), ("verify", "--help"), ("rules", "-h")):
            code, out, err = run(*args)
            self.assertEqual((code, out[:12], err), (0, "usage: ward ", ""))
        for args in (("rules",), ("rules", "check"), ("scan",)):
            code, out, err = run(*args)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("usage: ward ", err)

    def test_baseline(self):
        base = os.path.join(self.dir, "base.jsonl")
        self.log("old/a.json.gz", [record(1, eventName="DescribeTrails")])
        self.log("new/a.json.gz", [record(2, eventName="DescribeTrails"),
                                   record(3, eventName="LookupEvents"),
                                   record(4, eventName="LookupEvents")])
        self.assertEqual(run("scan", "--baseline", base, self.dir + "/old")[0], 0)
        code, out, _ = run("scan", "--baseline", base, "--format", "jsonl", self.dir + "/new")
        self.assertEqual(code, 1)
        notes = [json.loads(x)["note"] for x in out.splitlines()]
        self.assertEqual(len([n for n in notes if "cloudtrail:LookupEvents" in n]), 1)

    def test_rules_check_and_explain(self):
        bad = self.put("bad.yml", b"title: x\ndetection:\n  s:\n    a|nope: 1\n  condition: s\n")
        code, _, err = run("rules", "check", bad)
        self.assertEqual(code, 2)
        self.assertIn("bad.yml:4:5", err)
        rec = self.put("rec.json", json.dumps(record(1)).encode())
        code, out, _ = run("rules", "explain", "attack.trail-stopped", rec)
        self.assertEqual(code, 1)
        self.assertIn("holds", out)
        rec = self.put("rec.json", json.dumps(record(1, errorCode="AccessDenied")).encode())
        code, out, _ = run("rules", "explain", "attack.trail-stopped", rec)
        self.assertEqual(code, 0)
        self.assertIn("fails", out)
        rec = self.put("rec.json", b'{"Records":[]}')
        code, _, err = run("rules", "explain", "attack.trail-stopped", rec)
        self.assertEqual(code, 2)
        self.assertIn("no record was found", err)

    def test_what_other_tools_export(self):
        """The same findings, the record itself, and the place of what is around it."""
        rec = record(1, name="A\u00e9\"\\")
        wrapped = {
            "bridge.jsonl": json.dumps({"detail-type": "AWS API Call via CloudTrail",
                                        "detail": rec}) + "\n",
            "lookup.json": json.dumps({"Events": [{"EventId": "x", "Resources": [],
                                                   "CloudTrailEvent": json.dumps(rec)}]}, indent=4),
            "logs.json": json.dumps({"logEvents": [{"message": json.dumps(rec)}]}),
            "export.jsonl": "2024-01-01T00:00:01.000Z " + json.dumps(rec) + "\n",
        }
        for name, text in wrapped.items():
            path = self.put(name, text.encode())
            code, out, err = run("scan", "--strict", "--show", "--format", "jsonl", path)
            rows = [json.loads(x) for x in out.splitlines()]
            self.assertEqual((code, {json.dumps(r["record"]) for r in rows}),
                             (1, {json.dumps(rec)}), name)
            self.assertNotIn(name, err)
            self.assertIn("attack.trail-stopped", {r["rule"] for r in rows})
            self.assertLess(rows[0]["offset"], len(text))
        other = self.put("t.json", b"eventname,eventtime\nStopLogging,2024-01-01T00:00:00Z\n")
        code, _, err = run("scan", other)
        self.assertEqual(code, 2)
        self.assertIn("t.json: a table, which is not read: export the records as JSON", err)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

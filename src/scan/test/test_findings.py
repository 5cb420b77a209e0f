#!/usr/bin/env python3
"""What becomes of findings: correlations, the baseline, the forms of output, the terminal, and files
that are wrong or full.

    test_findings.py SCAN_TOOL
"""
import csv
import fcntl
import gzip
import html.parser
import io
import itertools
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

TOOL = sys.argv[1]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", TERM="xterm")
with open(TOOL, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()  # its memory is not the scan's


def run(*args, env=None, stdout=subprocess.PIPE):
    p = subprocess.run([TOOL, *args], stdout=stdout, stderr=subprocess.PIPE, env=env or ENV,
                       timeout=120)
    return p.returncode, (p.stdout or b"").decode(), p.stderr.decode()


def on_terminal(columns, *args, **env):
    """The exit code and all that a terminal of so many columns is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    p = subprocess.Popen([TOOL, *args], stdin=theirs, stdout=theirs, stderr=theirs,
                         env={**ENV, **env})
    os.close(theirs)
    out = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    os.close(ours)
    return p.wait(), out.decode().replace("\r\n", "\n")


def record(second, name="StopLogging", **more):
    r = {"eventTime": f"2024-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
         "eventSource": "cloudtrail.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
         "sourceIPAddress": "192.0.2.7", "eventID": f"id-{second}-{name}-{more.get('n', '')}",
         "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
         "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve"}}
    r.update(more)
    return r


RULES = "".join(f"""---
title: {n}
name: {n}
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{eventName: {n}}}, condition: s}}
""" for n in "ABC")


class Folder(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = self.tmp.name
        self.n = 0

    def tearDown(self):
        self.tmp.cleanup()

    def put(self, name, data):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
        return path

    def log(self, name, records):
        return self.put(name, gzip.compress(json.dumps({"Records": records}).encode(), mtime=0))

    def found(self, correlations, records, *more):
        """(rule, time, note) of what the rules A, B, C and the correlations find."""
        self.n += 1
        rules = self.put(f"r{self.n}.yml", RULES + correlations)
        logs = os.path.dirname(self.log(f"l{self.n}/x.json.gz", records))
        code, out, err = run("scan", "--rules", rules, "--format", "jsonl", *more, logs)
        self.assertIn(code, (0, 1), err)
        rows = [json.loads(x) for x in out.splitlines()]
        return [(r["rule"], r["time"][11:19], r["note"]) for r in rows]

    def correlation(self, **fields):
        doc = {"title": "corr", "name": "corr", "correlation": {"timespan": "1m", **fields}}
        return "---\n" + json.dumps(doc) + "\n"

    def times(self, records, **fields):
        return [t for rule, t, _ in self.found(self.correlation(**fields), records)
                if rule == "corr"]


class Correlations(Folder):
    def test_event_count_bounds(self):
        def a(*seconds):
            return [record(s, "A") for s in seconds]
        lower = [({"gte": 3}, 3), ({"gt": 2}, 3)]
        for cond, _ in lower:
            self.assertEqual(self.times(a(0, 30, 60), type="event_count", rules=["A"],
                                        condition=cond), ["00:01:00"], cond)
            self.assertEqual(self.times(a(0, 30, 61), type="event_count", rules=["A"],
                                        condition=cond), [], cond)
        # Upper bounds are judged when the minute that began with the first event is over.
        for cond, counts in (({"lte": 2}, (1, 2)), ({"lt": 2}, (1,)), ({"eq": 2}, (2,)),
                             ({"neq": 2}, (1, 3, 4)), ({"gte": 2, "lte": 3}, (2, 3))):
            for n in range(1, 5):
                got = self.times(a(*range(n)), type="event_count", rules=["A"], condition=cond)
                self.assertEqual(len(got), int(n in counts), (cond, n))
        # Two minutes of two events each, and one of three.
        self.assertEqual(self.times(a(0, 1, 100, 101, 200, 201, 202), type="event_count",
                                    rules=["A"], condition={"eq": 2}), ["00:00:01", "00:01:41"])

    def test_what_goes_on_is_one_finding(self):
        records = [record(s, "A") for s in range(0, 600, 10)] + [record(s, "A") for s in
                                                                 range(2000, 2020, 5)]
        got = self.found(self.correlation(type="event_count", rules=["A"], condition={"gte": 3}),
                         records)
        self.assertEqual([(r, t) for r, t, _ in got], [("corr", "00:00:20"), ("corr", "00:33:30")])
        self.assertIn("60 events in all, over 590s", got[0][2])
        self.assertIn("4 events in all", got[1][2])

    def test_groups(self):
        records = [record(s, "A", sourceIPAddress=f"192.0.2.{s % 2}") for s in range(4)]
        self.assertEqual(self.times(records, type="event_count", rules=["A"],
                                    condition={"gte": 3}, **{"group-by": ["sourceIPAddress"]}), [])
        records.append(record(4, "A", sourceIPAddress="192.0.2.0"))
        self.assertEqual(self.times(records, type="event_count", rules=["A"],
                                    condition={"gte": 3}, **{"group-by": "sourceIPAddress"}),
                         ["00:00:04"])

    def test_value_count(self):
        def call(n, values):
            return self.times([record(i, "A", x={"y": v} if v else None)
                               for i, v in enumerate(values)],
                              type="value_count", rules=["A"], condition={"gte": n, "field": "x.y"})
        self.assertEqual(call(3, "aab"), [])
        self.assertEqual(call(3, "aabac"), ["00:00:04"])
        self.assertEqual(call(3, ["a", None, "b"]), [])  # no value is not a value
        both = self.times([record(i, "A", x=x, y=y) for i, (x, y) in enumerate(
            [("a", "1"), ("a", "2"), ("a", "1")])], type="value_count", rules=["A"],
            condition={"gte": 2, "field": ["x", "y"]})
        self.assertEqual(both, ["00:00:01"])

    def test_temporal(self):
        for order in itertools.permutations("ABC"):
            records = [record(i * 10, n) for i, n in enumerate(order)]
            self.assertEqual(self.times(records, type="temporal", rules=["A", "B", "C"]),
                             ["00:00:20"])
            self.assertEqual(self.times(records, type="temporal_ordered", rules=["A", "B", "C"]),
                             ["00:00:20"] if order == ("A", "B", "C") else [], order)
        late = [record(0, "A"), record(30, "B"), record(61, "C")]
        self.assertEqual(self.times(late, type="temporal", rules=["A", "B", "C"]), [])
        self.assertEqual(self.times(late, type="temporal", rules=["A", "B", "C"],
                                    condition={"gte": 2}), ["00:00:30"])
        self.assertEqual(self.times(late, type="temporal_ordered", rules=["A", "B", "C"]), [])
        # Events of one second count as in either order.
        now = [record(5, n) for n in "CBA"]
        self.assertEqual(self.times(now, type="temporal_ordered", rules=["A", "B", "C"]),
                         ["00:00:05"])
        again = [record(0, "A"), record(50, "A"), record(55, "B"), record(100, "C")]
        self.assertEqual(self.times(again, type="temporal_ordered", rules=["A", "B", "C"]),
                         ["00:01:40"])

    def test_conditions_over_names(self):
        abc = {"type": "temporal", "rules": ["A", "B", "C"]}

        def found(order, condition, **more):
            records = [record(i * 10, n) for i, n in enumerate(order)]
            return self.times(records, **{**abc, **more, "condition": condition})
        self.assertEqual(found("CBA", "A and B and C"), ["00:00:20"])
        self.assertEqual(found("BA", "A AND (B or C)"), ["00:00:10"])
        self.assertEqual(found("CA", "A and (B or C)"), ["00:00:10"])
        self.assertEqual(found("BC", "A and (B or C)"), [])
        self.assertEqual(found("C", "A and B or C"), ["00:00:00"])
        # The rules may be named by the condition alone.
        self.assertEqual(found("BA", "A and B", rules=[]), ["00:00:10"])
        # What did not happen is told when the minute that began with the first event is over.
        self.assertEqual(found("A", "A and not (B or C)"), ["00:00:00"])
        self.assertEqual(found("AA", "A and not (B or C)"), ["00:00:10"])
        self.assertEqual(found("AB", "A and not (B or C)"), [])
        self.assertEqual(found("CA", "A and not (B or C)"), [])
        self.assertEqual(found("CBA", "A and B and not not C"), ["00:00:20"])
        late = [record(0, "A"), record(61, "B"), record(122, "A")]
        self.assertEqual(self.times(late, type="temporal", rules=["A", "B"],
                                    condition="A and not B"), ["00:00:00", "00:02:02"])
        # Of ordered rules only "and" is known, which is what is asked of them anyway.
        for order, want in (("ABC", ["00:00:20"]), ("ACB", [])):
            self.assertEqual(found(order, "A and B and C", type="temporal_ordered"), want)

    def test_conditions_over_names_keep_groups_apart(self):
        corr = dict(type="temporal", rules=["A", "B"], condition="A and not B",
                    **{"group-by": ["sourceIPAddress"]})
        records = [record(s, n, sourceIPAddress=f"192.0.2.{ip}")
                   for s, n, ip in ((0, "A", 1), (1, "A", 2), (2, "B", 1), (3, "B", 3))]
        self.assertEqual(self.times(records, **corr), ["00:00:01"])

    def test_aliases(self):
        corr = self.correlation(type="temporal", rules=["A", "B"], **{"group-by": ["ip"]},
                                aliases={"ip": {"A": "x.from", "B": "x.to"}})
        yes = [record(1, "A", x={"from": "1"}), record(2, "B", x={"to": "1"})]
        no = [record(1, "A", x={"from": "1"}), record(2, "B", x={"to": "2"})]
        self.assertEqual([r for r, _, _ in self.found(corr, yes)], ["corr"])
        self.assertEqual(self.found(corr, no), [])

    def test_chains_keep_their_groups(self):
        """The example of the specification: many failures of a user, then a success of the same."""
        corr = (self.correlation(type="event_count", rules=["A"], condition={"gte": 3},
                                 **{"group-by": ["sourceIPAddress", "user"]})
                .replace('"corr"', '"many"') +
                self.correlation(type="temporal_ordered", rules=["many", "B"],
                                 **{"group-by": ["user"]}))
        records = [record(s, "A", user="eve") for s in range(3)]
        self.assertEqual(self.found(corr, records + [record(9, "B", user="bob")]), [])
        self.assertEqual([r for r, _, _ in self.found(corr, records + [record(9, "B", user="eve")])],
                         ["corr"])

    def test_generate_and_units(self):
        corr = self.correlation(type="event_count", rules=["A"], condition={"gte": 1},
                                generate=True)
        self.assertEqual(sorted(r for r, _, _ in self.found(corr, [record(1, "A")])),
                         ["A", "corr"])
        for unit, second in (("90s", 90), ("2m", 120), ("1h", 3600), ("1d", 80000)):
            corr = {"type": "event_count", "rules": ["A"], "condition": {"gte": 2}}
            self.assertEqual(len(self.times([record(0, "A"), record(second, "A")], **corr,
                                            timespan=unit)), 1, unit)
            if unit != "1d":
                self.assertEqual(self.times([record(0, "A"), record(second + 1, "A")], **corr,
                                            timespan=unit), [], unit)

    def test_the_old_form(self):
        rule = """---
title: old
name: old
detection:
  s: {eventName: A}
  condition: s | count(x) by userIdentity.arn > 1
  timeframe: 1m
"""
        self.assertEqual([r for r, _, _ in self.found(rule, [record(0, "A", x="a"),
                                                             record(9, "A", x="b")])], ["A", "A",
                                                                                        "old"])
        self.assertEqual([r for r, _, _ in self.found(rule, [record(0, "A", x="a"),
                                                             record(99, "A", x="b")])], ["A", "A"])

    def test_built_in_ones(self):
        def call(records):
            self.n += 1
            path = self.log(f"b{self.n}/x.json.gz", records)
            out = run("scan", "--format", "jsonl", "--severity", "low", path)[1]
            return {json.loads(x)["rule"] for x in out.splitlines()}

        def s3(i, name, **more):
            return record(i % 500, name, eventSource="s3.amazonaws.com", n=i,
                          requestParameters={"bucketName": "b", "key": str(i), **more})
        self.assertIn("attack.mass-reads", call([s3(i, "GetObject") for i in range(300)]))
        self.assertNotIn("attack.mass-reads", call([s3(i, "GetObject") for i in range(299)]))
        other = [{"type": "AWSAccount", "principalId": f"AIDA{i}", "accountId": "999988887777"}
                 for i in range(2)]
        self.assertIn("attack.mass-reads", call([dict(s3(i, "GetObject"), userIdentity=other[0])
                                                 for i in range(300)]))
        self.assertNotIn("attack.mass-reads", call([
            dict(s3(i, "GetObject"), userIdentity=other[i % 2]) for i in range(300)]))
        self.assertIn("attack.mass-deletion", call([s3(i, "DeleteObject") for i in range(100)]))
        self.assertIn("attack.batch-deletion", call([s3(i, "DeleteObjects") for i in range(5)]))
        self.assertNotIn("attack.batch-deletion", call([s3(i, "DeleteObjects") for i in range(4)]))
        self.assertIn("attack.mass-reencryption", call([
            s3(i, "CopyObject", **{"x-amz-server-side-encryption-aws-kms-key-id": "k"})
            for i in range(100)]))
        self.assertIn("attack.probing", call([record(i, f"Call{i}", errorCode="AccessDenied")
                                              for i in range(15)]))
        login = {"eventSource": "signin.amazonaws.com", "responseElements": {"ConsoleLogin":
                                                                             "Failure"}}
        self.assertIn("attack.password-guessing",
                      call([record(i, "ConsoleLogin", **login) for i in range(5)]))
        secret = {"eventSource": "secretsmanager.amazonaws.com"}
        self.assertIn("attack.mass-secrets", call([
            record(i, "GetSecretValue", requestParameters={"secretId": str(i)}, **secret)
            for i in range(10)]))
        iam = {"eventSource": "iam.amazonaws.com"}
        self.assertIn("attack.backdoor-user", call([
            record(i, n, **iam) for i, n in enumerate(["AttachUserPolicy", "CreateUser",
                                                       "CreateAccessKey"])]))
        role = {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:"
                                 "assumed-role/web/i-0317f6c6b66ae9c40"}}
        two = call([record(i, "ListBuckets", sourceIPAddress=f"198.51.100.{i}", **role)
                    for i in range(2)])
        self.assertLessEqual({"attack.instance-credentials-outside",
                              "attack.instance-credentials-two-places"}, two)


class Baseline(Folder):
    def test_more_than_it_holds(self):
        """What was learned can be read again, however much there was to learn."""
        line = json.dumps(record(1, "Usual", userIdentity={"arn": "user-%d"},
                                 sourceIPAddress="10.0.%d.1", eventID="e-%d", userAgent="a%d/1"))
        text = "\n".join(line % (i, i % 250, i, i % 9) for i in range(100500))
        self.put("l/x.jsonl.gz", gzip.compress(text.encode(), 1))
        base = self.dir + "/base.jsonl"
        with open(self.dir + "/err", "w+") as told:
            p = subprocess.Popen([TOOL, "scan", "--baseline", base, "--no-summary",
                                  self.dir + "/l"], stdout=subprocess.DEVNULL, stderr=told,
                                 env=ENV)
            peak = 0  # of wait4() it would hold what this process had when it began the other
            while p.poll() is None:
                with open(f"/proc/{p.pid}/status") as f:
                    high = [x for x in f if x.startswith("VmHWM")]
                peak = int(high[0].split()[1]) if high else peak
                time.sleep(0.01)
            told.seek(0)
            err = told.read()
        self.assertEqual(p.returncode, 2)
        self.assertIn("base.jsonl: more behaviour than a baseline holds (400000 lines", err)
        with open(base) as f:
            self.assertEqual(sum(1 for _ in f), 400000)
        if not SANITIZED:
            self.assertLess(peak, 64 * 1024)
        self.assertGreater(peak, 1024)
        self.put("n/x.jsonl", line % (1, 1, 1, 1))
        code, out, err = run("scan", "--baseline", base, "--format", "jsonl", "--no-summary",
                             self.dir + "/n")
        self.assertEqual((code, out), (0, ""), err)

    def test_same_whatever_the_threads(self):
        base = os.path.join(self.dir, "base")
        self.log("old/a.json.gz", [record(1, "Usual")])
        for i in range(30):
            self.log(f"new/{i:02}.json.gz", [record(100 - i + j, f"New{j}", n=i)
                                             for j in range(20)])
        self.assertEqual(run("scan", "--baseline", base, self.dir + "/old")[0], 0)
        outs = {run("scan", "--baseline", base, "--format", "csv", "--threads", t,
                    self.dir + "/new")[1] for t in "1248"}
        self.assertEqual(len(outs), 1)
        notes = [r["note"] for r in csv.DictReader(io.StringIO(outs.pop()))]
        self.assertEqual(len(notes), len(set(notes)))
        self.assertEqual(len([n for n in notes if "cloudtrail:New" in n]), 20)

    def test_a_stranger_is_one_finding(self):
        base = os.path.join(self.dir, "base")
        self.log("old/a.json.gz", [record(1, "Usual")])
        role = {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/r/"}
        self.log("new/a.json.gz", [
            record(s, "Any", userIdentity={**role, "arn": role["arn"] + str(s)}) for s in (9, 5, 7)])
        run("scan", "--baseline", base, self.dir + "/old")
        out = run("scan", "--baseline", base, "--format", "jsonl", self.dir + "/new")[1]
        rows = [json.loads(x) for x in out.splitlines()]
        self.assertEqual([(r["time"], r["note"]) for r in rows],
                         [("2024-01-01T00:00:05Z",
                           "first seen principal arn:aws:sts::111122223333:assumed-role/r")])

    def test_wrong_files(self):
        self.log("l/a.json.gz", [record(1, "Usual")])
        for text in (b"{}\n", b"no", b'{"principal":"a","kind":"mood","value":"x"}\n'):
            base = self.put("base", text)
            code, _, err = run("scan", "--baseline", base, self.dir + "/l")
            self.assertEqual(code, 2)
            self.assertIn(base, err)
        code, _, err = run("scan", "--baseline", self.dir + "/l", self.dir + "/l")
        self.assertEqual(code, 2)


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


class Output(Folder):
    EVIL = "=1+1\x1b]0;x\x07\u202e<img src=x onerror=alert(1)>'\"&\ufeff\u2028"

    def setUp(self):
        super().setUp()
        evil = record(1, requestParameters={"name": self.EVIL}, sourceIPAddress=self.EVIL,
                      userIdentity={"type": "IAMUser", "arn": self.EVIL}, eventID=self.EVIL,
                      awsRegion=self.EVIL)
        self.put("l/e.json", json.dumps({"Records": [evil]}, ensure_ascii=False))
        self.log("l/a.json.gz", [record(s, n="x") for s in (60, 86000)])

    def test_the_page(self):
        page = os.path.join(self.dir, "r.html")
        self.assertEqual(run("scan", "--report", page, self.dir + "/l")[0], 1)
        with open(page, encoding="utf-8") as f:
            text = f.read()
        p = Page()
        p.feed(text)
        tags = {t for t, _ in p.tags}
        self.assertFalse(tags & {"script", "img", "link", "iframe", "a", "object"}, tags)
        for _, attrs in p.tags:
            self.assertFalse([a for a in attrs if a.startswith("on") or a in ("src", "href")])
        self.assertNotIn("url(", text)
        for c in "\x1b\x07\u202e\ufeff\u2028":
            self.assertNotIn(c, text)
        self.assertEqual(len([1 for t, _ in p.tags if t == "details"]), 6)
        shown = "".join(p.text)
        self.assertIn("=1+1\\x1b]0;x\\x07\\u202e<img src=x onerror=alert(1)>", shown)
        self.assertIn("attack.trail-stopped", shown)
        self.assertIn("prefers-color-scheme:dark", text)
        self.assertIn("width=device-width", text)

    def test_csv_and_sarif(self):
        out = run("scan", "--format", "csv", self.dir + "/l")[1]
        rows = list(csv.reader(io.StringIO(out)))
        self.assertEqual(len(rows), 1 + 6)
        self.assertEqual({len(r) for r in rows}, {14})
        for cell in itertools.chain(*rows):
            self.assertFalse(cell.startswith(("=", "+", "-", "@")), cell)
        sarif = json.loads(run("scan", "--format", "sarif", self.dir + "/l")[1])
        self.assertEqual(sarif["version"], "2.1.0")
        ids = {r["id"] for r in sarif["runs"][0]["tool"]["driver"]["rules"]}
        for r in sarif["runs"][0]["results"]:
            self.assertIn(r["ruleId"], ids)
            self.assertIn(r["level"], ("none", "note", "warning", "error"))
            self.assertTrue(r["message"]["text"])
            where = r["locations"][0]["physicalLocation"]
            self.assertRegex(where["artifactLocation"]["uri"], r"^[!-~]+$")
            self.assertGreaterEqual(where["region"]["byteOffset"], 0)

    def test_terminals(self):
        def plain(text):
            return re.sub(r"\x1b\[[0-9;]*[mK]", "", text).split("\n")
        for columns in (60, 80, 120, 240):
            code, out = on_terminal(columns, "scan", self.dir + "/l")
            self.assertEqual(code, 1)
            lines = plain(out.split("\r")[-1])
            head = lines[0]
            rows = [x for x in lines if x.startswith("2024-01-01T") and "Z  " in x]
            self.assertEqual(len(rows), 6)
            for row in rows:  # aligned: the rule begins below RULE
                self.assertEqual(row[head.index("RULE") - 2:head.index("RULE")], "  ")
                self.assertRegex(row[head.index("RULE"):], r"^(attack|audit)\.")
            self.assertEqual("RESOURCE" in head, columns >= 140)
            if columns >= 120:
                self.assertLessEqual(max(map(len, rows)), columns)
            self.assertIn("by day", out)
            self.assertFalse(re.search(r"\x1b[^\[]", out))
        self.assertIn("\x1b[1;31m", out)
        self.assertNotIn("\x1b[1;31m", on_terminal(120, "scan", self.dir + "/l", NO_COLOR="1")[1])
        self.assertIn("\x1b[1;31m", on_terminal(120, "scan", self.dir + "/l", NO_COLOR="")[1])
        _, out, err = run("scan", self.dir + "/l")
        self.assertNotIn("\x1b", out + err)
        self.assertEqual(err, "")

    def test_progress(self):
        usual = [record(i % 80000, "DescribeTrails", n=i, requestParameters={"pad": "x" * 500})
                 for i in range(8000)]
        data = gzip.compress(json.dumps({"Records": usual}).encode(), 1)
        for i in range(60):
            self.put(f"big/{i}.json.gz", data)
        code, out = on_terminal(100, "scan", "--threads", "1", self.dir + "/big")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\r[0-9]+/60 files  [0-9]+ MB/s  [0-9]+ records/s  [0-9]+ s left")
        self.assertTrue(out.split("\r")[-1].startswith("\x1b[K"))
        self.assertEqual(run("scan", self.dir + "/big")[2], "")

    def test_full_disks(self):
        for where in ("/dev/full", self.dir + "/no/such/r.html"):
            code, out, err = run("scan", "--report", where, self.dir + "/l")
            self.assertEqual(code, 2)
            self.assertIn(where + ": writing the report: No ", err)
            self.assertIn("attack.trail-stopped", out)
            self.assertIn("findings in", out)
        # A page that is there stays until the new one is whole.
        page = self.put("r.html", "the old page")
        limit = "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " \
                "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); " \
                "os.execv(sys.argv[1], sys.argv[1:])"
        p = subprocess.run([sys.executable, "-c", limit, TOOL, "scan", "--report", page,
                            self.dir + "/l"], capture_output=True, env=ENV, timeout=120)
        self.assertEqual(p.returncode, 2)
        self.assertIn(page + ": writing the report: ", p.stderr.decode())
        with open(page, encoding="utf-8") as f:
            self.assertEqual(f.read(), "the old page")
        self.assertEqual([x for x in os.listdir(self.dir) if x.startswith("r.html")], ["r.html"])
        self.assertEqual(run("scan", "--report", page, self.dir + "/l")[0], 1)
        with open(page, encoding="utf-8") as f:
            self.assertIn("</html>", f.read())
        with open("/dev/full", "wb") as full:
            for form in ("table", "jsonl", "csv", "sarif"):
                code, _, err = run("scan", "--format", form, self.dir + "/l", stdout=full)
                self.assertEqual(code, 2)
                self.assertIn("could not be written", err)


class BadRecords(Folder):
    def test_times_that_exports_change(self):
        """One without a zone is a time; a record without any is not left out in silence."""
        self.put("l/a.json", json.dumps({"Records": [
            record(1, eventTime="2024-11-25 17:51:21.000000000"),
            record(2, eventTime="99999-01-01T00:00:00Z")]}))
        code, out, err = run("scan", "--format", "jsonl", "--since", "2024-11-25", "--until",
                             "2024-11-26", self.dir + "/l")
        self.assertEqual(code, 2)
        rows = [json.loads(x) for x in out.splitlines()]
        self.assertEqual({r["time"] for r in rows}, {"2024-11-25T17:51:21Z", None})
        self.assertIn("no time that can be read", err)
        self.assertIn("2024-11-25 17:51:21.000000000 to 2024-11-25 17:51:21.000000000", err)
        code, out, _ = run("scan", "--format", "jsonl", "--since", "2024-11-26", self.dir + "/l")
        self.assertEqual([json.loads(x)["time"] for x in out.splitlines()], [None, None])

    def test_many_faults_of_one_file_are_counted(self):
        bad = '{"eventName":"N","a":tru}'
        self.put("l/a.json", '{"Records":[' + ",".join([bad] * 50) + "]}")
        code, _, err = run("scan", "--strict", self.dir + "/l")
        self.assertEqual(code, 2)
        self.assertEqual(err.count("a.json, byte"), 20)
        self.assertIn("a.json: 30 more records of this file have such faults", err)

    def test_numbers_doubles_and_depths(self):
        """What is odd but JSON is read as it stands, and the record is not lost."""
        rule = self.put("r.json", json.dumps({"x": [{"numeric": [">", 1e17]}]}))
        for x in ("123456789012345678901234567890", "1e30", "18446744073709551616", "2e17"):
            self.put("l/a.json", '{"Records":[{"eventName":"N","eventID":"1","x":' + x + "}]}")
            code, out, err = run("scan", "--rules", rule, "--format", "jsonl", self.dir + "/l")
            self.assertEqual((code, len(out.splitlines()), err.count("a.json")), (1, 1, 0), x)
        self.put("l/a.json", '{"Records":[{"eventName":"N","x":1,"x":2e17}]}')
        self.assertEqual(run("scan", "--rules", rule, "--no-summary", self.dir + "/l")[0], 1)
        for x in ("[" * 60 + "2e17" + "]" * 60, '{"y":' * 60 + "1" + "}" * 60):
            self.put("l/a.json", '{"Records":[{"eventName":"N","x":' + x + "}]}")
            code = run("scan", "--rules", rule, "--no-summary", self.dir + "/l")[0]
            self.assertEqual(code, int(x[0] == "["))
        for bad in ('{"Records":[{"eventName":"N","x":"\xff"}]}'.encode("latin1"),
                    b'{"Records":{"eventName":"N"}}', b'{"Records":null}', b'{"records":[]}',
                    b"[1,2]", b'{"Records":[{"eventName":"N","x":2e17}'):
            path = self.put("l/a.json", bad)
            code, _, err = run("scan", "--rules", rule, self.dir + "/l")
            self.assertEqual(code, 2, bad)
            self.assertIn(path, err)


class Explain(Folder):
    def test_one_element_of_a_list(self):
        items = [{"fromPort": 443, "toPort": 443, "ranges": "all"},
                 {"fromPort": 22, "toPort": 22, "ranges": "office"}]
        rule = self.put("r.json", json.dumps({"p": {"fromPort": [22], "ranges": ["all"]}}))
        for items, code in ((items, 0), (items + [{"fromPort": 22, "ranges": "all"}], 1)):
            rec = self.put("rec.json", json.dumps(record(1, p=items)))
            got, out, _ = run("rules", "explain", "--rules", rule, "r", rec)
            self.assertEqual(got, code)
            lines = out.splitlines()
            self.assertEqual(lines[0].split()[0], "holds" if code else "fails")
            self.assertIn("one element has it all", lines[0])
            self.assertTrue(all(x.startswith("holds") for x in lines[1:4]), out)

    def test_every_rule_and_kind_is_told(self):
        rec = self.put("rec.json", json.dumps(record(1)))
        listed = run("scan", "--list-rules", "--format", "jsonl")[1]
        for line in listed.splitlines():
            rule = json.loads(line)
            code, out, err = run("rules", "explain", rule["id"], rec)
            if rule["language"] == "sigma" and "correlation" in err:
                self.assertEqual(code, 2)
            else:
                self.assertIn(code, (0, 1), rule["id"])
                self.assertIn("match", out.splitlines()[-1])


class BadRules(Folder):
    def setUp(self):
        super().setUp()
        self.log("l/a.json.gz", [record(1)])
        self.good = self.put("good.json", '{"eventName": ["StopLogging"]}')

    def check(self, path, says):
        code, out, err = run("scan", "--rules", path, "--rules", self.good, "--format", "jsonl",
                             self.dir + "/l")
        self.assertEqual(code, 2, path)
        self.assertEqual([json.loads(x)["rule"] for x in out.splitlines()], ["good"])
        self.assertIn(path, err)
        self.assertIn(says, err)

    def test_each_is_named_and_the_others_stand(self):
        self.check(self.put("a.json", "{"), "a.json:1:")
        self.check(self.put("b.yml", "title: [\n"), "b.yml:2:1")
        self.check(self.put("c.yml", b"\xff\xfe"), "UTF-8")
        self.check(self.put("d.yml", "a: &a [1]\n" + "".join(
            f"{c}: &{c} [{', '.join(['*' + p] * 20)}]\n" for p, c in zip("abcdefgh", "bcdefghi"))),
            "d.yml")
        self.check(self.dir + "/nothing", "No such file")
        self.check(self.put("e.yml", "title: x\nname: x\ncorrelation: {type: event_count, rules: [x],"
                                     " timespan: 1m, condition: {gte: 1}}\n"), "names itself")
        deep = self.put("f.json", '{"a":' * 200 + "[1]" + "}" * 200)
        self.check(deep, "f.json")
        self.check(self.put("g.yml", "title: t\ndetection:\n  s: {a: 1}\n  condition: " +
                            "(" * 5000 + "s" + ")" * 5000 + "\n"), "nests too deep")
        self.check(self.put("h.filter", "{ " + "(" * 5000 + "$.a = 1" + ")" * 5000 + " }"),
                   "nest too deep")

    def test_more_than_the_limits(self):
        fields = "".join(f"    f{i}: x\n" for i in range(9000))
        self.check(self.put("many.yml", "title: t\ndetection:\n  s:\n" + fields +
                            "  condition: s\n"), "more paths than the limit")
        ors = [{f"{i}{j}": [1] for j in "ab"} for i in range(40)]
        self.check(self.put("ors.json", json.dumps({"$or": ors, "x": {"$or": ors}})),
                   "more than 1000 combinations")
        quoted = " || ".join('$.a = "x"' for _ in range(20000))
        self.check(self.put("long.filter", "{ " + quoted + " }"), "longer than 16 KiB")
        self.check(self.put("cond.yml", "title: t\ndetection:\n  s: {a: 1}\n  condition: " +
                            " or ".join(["s"] * 5000) + "\n"), "longer than 16 KiB")
        self.check(self.put("re.json", json.dumps({"source": "a" * 5000, "regexp": "b"})),
                   "longer than")

    def test_a_file_of_100_megabytes(self):
        path = os.path.join(self.dir, "big.yml")
        with open(path, "wb") as f:
            f.write(b"title: x\n")
            f.truncate(100 << 20)
        self.check(path, "larger than 64 MiB")

    def test_expressions_that_would_explode(self):
        x = "x" * 20000
        self.log("l/a.json.gz", [record(1, userAgent=x, errorMessage=x)])
        rules = self.put("r.yml", """title: t
logsource: {product: aws, service: cloudtrail}
detection:
  a: {errorMessage|re: '(x+x+)+y'}
  b: {errorMessage|re: '(x|xx|xxx)*y$'}
  c: {errorMessage: '*x*x*x*x*x*x*x*x*x*x*y'}
  d: {userAgent|re: '^(([a-z])+.)+[A-Z]([a-z])+$'}
  condition: 1 of a or 1 of b or c or d
""")
        code, out, err = run("scan", "--rules", rules, "--format", "jsonl", self.dir + "/l")
        self.assertEqual((code, out), (0, ""), err)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

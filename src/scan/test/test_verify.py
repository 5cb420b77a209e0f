#!/usr/bin/env python3
"""ward verify from outside: whole chains, every blind spot of the public validator, hostile digests.

    test_verify.py SCAN_TOOL
"""
import base64
import datetime
import gzip
import hashlib
import json
import os
import pty
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import digests  # noqa: E402

TOOL = sys.argv[1]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")
HOUR = datetime.timedelta(hours=1)


def run(*args, **more):
    p = subprocess.run([TOOL, "verify", *args], capture_output=True, env=ENV, timeout=120, **more)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys_dir = tempfile.TemporaryDirectory()
        cls.key = digests.Key(cls.keys_dir.name)

    @classmethod
    def tearDownClass(cls):
        cls.keys_dir.cleanup()

    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = self.tmp.name
        self.root = os.path.join(self.dir, "bucket")
        self.sides = True  # metadata is kept beside every digest

    def tearDown(self):
        self.tmp.cleanup()

    def path(self, key):
        return os.path.join(self.root, key)

    def put(self, key, data, metadata=None):
        path = self.path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        if metadata and self.sides:
            with open(path + ".metadata.json", "w") as f:
                json.dump({"Metadata": metadata}, f)

    def trail(self, **more):
        return digests.Trail(self.put, self.key, **more)

    def rewrite(self, key, change):
        with gzip.open(self.path(key)) as f:
            d = json.loads(f.read())
        change(d)
        with open(self.path(key), "wb") as f:
            f.write(gzip.compress(json.dumps(d).encode()))

    def verify(self, *more, keys=True, code=None, root=None):
        args = ["--keys", self.key.pem] if keys else []
        got, out, err = run("--json", *args, *more, root or self.root)
        self.assertIn(got, (0, 1, 2), err)
        j = json.loads(out)
        self.assertEqual(j["whole"], got == 0)
        self.assertEqual(j["findings_total"], len(j["findings"]))
        for f in j["findings"]:
            self.assertTrue(f["means"] and f["next"], f)
        if code is not None:
            self.assertEqual(got, code, out + err)
        self.kinds = [f["kind"] for f in j["findings"]]
        return j

    def only(self, j, kind):
        return [f for f in j["findings"] if f["kind"] == kind]

    # -- whole chains --
    def test_whole(self):
        self.sides = False
        t = self.trail().hours(5)
        with open(self.path(t.digests[-1]) + ".signature", "w") as f:
            f.write(t.signatures[-1] + "\n")
        j = self.verify(code=0)
        self.assertEqual((j["digests"], j["log_files_valid"], j["keys"]), (5, 5, 1))
        row = j["coverage"][0]
        self.assertEqual((row["account"], row["region"], row["trail"], row["proven_hours"]),
                         ("111122223333", "eu-west-1", "trail", 5))
        self.assertEqual(row["spans"], [{"from": "2024-01-01T00:00:00Z",
                                         "to": "2024-01-01T05:00:00Z", "state": "proven"}])
        code, out, _ = run("--keys", self.key.pem, self.root)
        self.assertEqual(code, 0)
        self.assertIn("The chain is whole", out)
        self.assertIn("#####", out)

    def test_a_copy_from_anywhere_in_the_path(self):
        self.trail(org="o-abc123def4/").hours(2)
        for deep in ("p", "p/AWSLogs", "p/AWSLogs/o-abc123def4"):
            self.verify(root=os.path.join(self.root, deep), code=0)

    def test_many_chains_in_one_bucket(self):
        self.trail().hours(3)
        self.trail(trail="other_trail", prefix="q/x/").hours(3)
        self.trail(region="us-east-1").hours(3)
        self.trail(account="444455556666", org="o-abc123def4/", prefix="").hours(3)
        self.put("AWSLogs/111122223333/Config/eu-west-1/2024/1/1/x.json.gz", b"other service")
        j = self.verify(code=0)
        self.assertEqual(j["other_files"], 1)
        self.assertEqual([(c["account"], c["region"], c["trail"], c["home_region"])
                          for c in j["coverage"]],
                         [("111122223333", "eu-west-1", "other_trail", "eu-west-1"),
                          ("111122223333", "eu-west-1", "trail", "eu-west-1"),
                          ("111122223333", "us-east-1", "trail", "eu-west-1"),
                          ("444455556666", "eu-west-1", "trail", "eu-west-1")])
        self.assertEqual({c["proven_hours"] for c in j["coverage"]}, {3})

    def test_backfill(self):
        t = self.trail().hours(3)
        late = t.log(digests.START + HOUR / 2, [digests.record(20)], tail="late000000000000")
        b = self.trail()
        b.digest([late], suffix="_backfill", alone=True)
        j = self.verify(code=0)
        self.assertEqual([c["backfill"] for c in j["coverage"]], [False, True])
        # a chain of two, and the first taken away
        late = t.log(digests.START + HOUR * 1.5, [digests.record(70)], tail="late000000000001")
        b.digest([], start=digests.START + HOUR, suffix="_backfill")
        b.digest([late], start=digests.START + 2 * HOUR, suffix="_backfill")
        self.verify(code=0)
        os.remove(self.path(b.digests[1]))
        j = self.verify(code=1)
        self.assertEqual(self.kinds, ["digest-missing"])
        self.assertEqual(j["findings"][0]["file"], b.digests[1])

    # -- what the public validator does not see --
    def test_log_altered_removed_added(self):
        t = self.trail().hours(5)
        with open(self.path(t.logs[1]), "wb") as f:
            f.write(gzip.compress(b'{"Records":[]}'))
        os.remove(self.path(t.logs[2]))
        with open(self.path(t.logs[3]), "ab") as f:
            f.write(b"tail")
        t.log(digests.START + 2.5 * HOUR, [digests.record(1)], tail="added00000000000")
        j = self.verify(code=1)
        self.assertEqual(sorted(self.kinds),
                         ["log-altered", "log-altered", "log-missing", "log-unnamed"])
        self.assertIn("bytes after", " ".join(f["text"] for f in j["findings"]))
        self.assertEqual([s["state"] for s in j["coverage"][0]["spans"]],
                         ["proven", "not proven", "proven"])
        self.assertEqual(j["coverage"][0]["proven_hours"], 2)

    def test_previous_hash_that_does_not_fit(self):
        t = self.trail().hours(2)
        t.digest([], previousDigestHashValue="0" * 64)
        j = self.verify(code=1)
        self.assertEqual(self.kinds, ["digest-altered"])
        self.assertIn("previousDigestHashValue", j["findings"][0]["text"])
        self.assertTrue(j["findings"][0]["file"].endswith(t.digests[1]))

    def test_two_deleted_digests_are_two(self):
        t = self.trail().hours(6)
        os.remove(self.path(t.digests[2]))
        os.remove(self.path(t.digests[3]))
        j = self.verify(code=1)
        missing = self.only(j, "digest-missing")
        self.assertEqual([os.path.basename(f["file"]) for f in missing],
                         [os.path.basename(d) for d in t.digests[2:4]])
        self.assertIn("2024-01-01T02:00:00Z to 2024-01-01T03:00:00Z", str(missing))
        self.assertEqual(sorted(self.kinds), ["digest-missing"] * 2 + ["log-unnamed"] * 2)
        self.assertEqual([s["state"] for s in j["coverage"][0]["spans"]],
                         ["proven", "no digest", "proven"])
        out = run("--keys", self.key.pem, self.root)[1]
        self.assertIn("##..##", out)

    def test_newest_digests_deleted(self):
        t = self.trail().hours(5)
        for d in t.digests[3:]:
            os.remove(self.path(d))
        self.verify(code=1)
        self.assertEqual(sorted(self.kinds), ["log-unnamed"] * 2 + ["newest-missing"])
        # and their log files with them: only --until can tell
        for log in t.logs[3:]:
            os.remove(self.path(log))
        self.verify(code=0)
        self.verify("--until", "2024-01-01T05:00:00Z", code=1)
        self.assertEqual(self.kinds, ["newest-missing"])
        self.verify("--until", "now", code=1)
        self.assertEqual(self.kinds, ["newest-missing"])
        self.verify("--until", "2024-01-01T03:30:00Z", code=0)

    def test_newest_digests_deleted_in_one_region(self):
        self.trail(region="us-east-1").hours(5)
        self.trail().hours(3)
        j = self.verify(code=1)
        self.assertEqual(self.kinds, ["newest-missing"])
        self.assertIn("other regions", j["findings"][0]["text"])

    def test_a_log_file_that_is_not_due(self):
        now = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0)
        t = self.trail(start=now - 4 * HOUR).hours(3)
        t.log(now - HOUR / 2, [digests.record(1)], tail="soon000000000000")
        j = self.verify(code=0)
        self.assertEqual(j["log_files_not_due"], 1)
        t.log(now - 2.5 * HOUR, [digests.record(1)], tail="added00000000000")
        self.verify(code=1)
        self.assertEqual(self.kinds, ["log-unnamed"])

    def test_digest_altered(self):
        t = self.trail().hours(4)
        self.rewrite(t.digests[1], lambda d: d.update(logFiles=[]))
        self.verify(code=1)
        self.assertEqual(sorted(self.kinds), ["digest-altered", "digest-altered", "log-unnamed"])

    def test_digest_signature_altered(self):
        t = self.trail().hours(2)
        side = self.path(t.digests[0]) + ".metadata.json"
        with open(side, "w") as f:
            json.dump({"Metadata": {"signature": "ab" * 256}}, f)
        self.verify(code=1)
        self.assertEqual(self.kinds, ["digest-altered", "digest-altered"])

    def test_newest_without_a_signature(self):
        self.sides = False
        t = self.trail().hours(3)
        j = self.verify(code=1)
        self.assertEqual(self.kinds, ["no-signature"])
        self.assertTrue(j["findings"][0]["file"].endswith(t.digests[2]))
        self.assertEqual(j["coverage"][0]["proven_hours"], 2)

    def test_restarts_forks_and_late_beginnings(self):
        t = self.trail().hours(2)
        t.prev = None
        t.at += 3 * HOUR
        t.hours(2)
        j = self.verify(code=1)
        self.assertEqual(self.kinds, ["chain-restarts"])
        self.assertEqual([s["state"] for s in j["coverage"][0]["spans"]],
                         ["proven", "no digest", "proven"])
        os.remove(self.path(t.digests[0]))
        os.remove(self.path(t.logs[0]))
        self.verify(code=1)
        self.assertEqual(sorted(self.kinds), ["chain-begins-late", "chain-restarts"])
        other = self.trail(start=digests.START + 5 * HOUR, step=HOUR * 1.5)
        other.prev = t.prev
        other.digest([], previousDigestS3Object=t.digests[1])
        self.verify(code=1)
        self.assertIn("chain-forks", self.kinds)

    def test_no_digests_at_all(self):
        t = self.trail()
        t.log(t.at, [digests.record(1)])
        t.log(t.at, [digests.record(2)])
        self.verify(code=1)
        self.assertEqual(self.kinds, ["no-digests", "no-digests"])

    def test_since_and_until(self):
        t = self.trail().hours(30)
        for d in t.digests[:26]:
            os.remove(self.path(d))
        self.verify(code=1)
        j = self.verify("--since", "2024-01-02T02:00:00Z", code=0)
        self.assertEqual(j["coverage"][0]["hours"], 4)
        j = self.verify("--since", "2024-01-02T03:00:00Z", "--until", "2024-01-02T05:00:00Z",
                        code=0)
        self.assertEqual((j["digests"], j["coverage"][0]["proven_hours"]), (2, 2))
        self.verify("--since", "2024-01-02T00:00:00Z", code=1)
        self.assertIn("chain-begins-late", self.kinds)
        late = t.log(t.at - HOUR / 60, [digests.record(1)], tail="late000000000000")
        t.digest([late])  # from before --until, and named by the digest after it
        self.verify("--since", "2024-01-02T02:00:00Z", "--until", "2024-01-02T06:00:00Z", code=0)

    # -- keys --
    def test_every_form_of_key(self):
        self.trail().hours(2)
        forms = {"pkcs1.der": self.key.pkcs1, "spki.der": self.key.spki,
                 "b64.txt": base64.b64encode(self.key.pkcs1),
                 "list.json": json.dumps({"PublicKeyList": [self.key.listed()]}).encode()}
        folder = os.path.join(self.dir, "keys")
        os.mkdir(folder)
        for name, data in forms.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
            self.verify("--keys", os.path.join(folder, name), keys=False, code=0)
        with open(os.path.join(folder, "README"), "w") as f:
            f.write("these are our keys")
        code, _, err = run("--keys", folder, self.root)
        self.assertEqual(code, 0)
        self.assertIn("README: not a public key", err)

    def test_wrong_keys(self):
        self.trail().hours(2)
        self.verify(keys=False, code=1)
        self.assertEqual(self.kinds, ["no-key", "no-key"])
        other = digests.Key(self.dir, "other")
        self.verify("--keys", other.pem, keys=False, code=1)
        self.assertEqual(self.kinds, ["digest-altered", "digest-altered"])
        listed = os.path.join(self.dir, "listed.json")
        with open(listed, "w") as f:
            json.dump({"PublicKeyList": [other.listed()]}, f)
        self.verify("--keys", listed, keys=False, code=1)
        self.assertEqual(self.kinds, ["no-key", "no-key"])
        for name, data in (("private", other.private), ("empty", os.devnull)):
            code, _, err = run("--keys", data, self.root)
            self.assertEqual(code, 2, name)
        code, _, err = run("--keys", listed, "--keys", "api", self.root)
        self.assertEqual(code, 2)
        self.assertIn("--keys FILE", err)

    # -- hostile digests: each is named, and the rest goes on --
    def hostile(self, body, whole=2):
        """Puts a digest with that text after two good ones."""
        t = self.trail().hours(2)
        key = t.digest_key(t.at + HOUR)
        self.put(key, body)
        j = self.verify()
        self.assertEqual(j["coverage"][0]["proven_hours"], whole)
        mine = [f for f in j["findings"] if f["file"].endswith(key)]
        self.assertTrue(mine, j)
        return mine[0]["kind"]

    def test_hostile_texts(self):
        self.assertEqual(self.hostile(gzip.compress(b" " * (300 << 20), 9)), "digest-altered")
        self.assertEqual(self.hostile(gzip.compress(b"[" * 100000)), "digest-odd")
        self.assertEqual(self.hostile(b"\x1f\x8b garbage"), "digest-altered")
        self.assertEqual(self.hostile(b""), "digest-odd")
        self.assertEqual(self.hostile(gzip.compress(b"null")), "digest-odd")
        self.assertEqual(self.hostile(gzip.compress(b'{"logFiles":5}')), "digest-odd")

    def test_hostile_members(self):
        wrong = [{"logFiles": {}}, {"logFiles": None}, {"digestEndTime": 5}, {"awsAccountId": [1]},
                 {"digestS3Object": "../../../etc/passwd"}, {"digestS3Object": "x" * 100000},
                 {"digestStartTime": "2031-01-01T00:00:00Z"}, {"previousDigestS3Object": {"a": 1}},
                 {"previousDigestHashValue": None}, {"awsAccountId": "999999999999"}]
        for change in wrong:
            t = self.trail().hours(2)
            t.digest([], **change)
            j = self.verify()
            self.assertEqual(self.kinds, ["digest-odd"], (change, j))
            self.assertEqual(j["coverage"][0]["proven_hours"], 2)

    def test_hostile_entries(self):
        outside = os.path.join(self.dir, "outside.json.gz")
        with open(outside, "wb") as f:
            f.write(gzip.compress(b"secret"))
        good = {"s3Bucket": "b", "hashAlgorithm": "SHA-256",
                "hashValue": hashlib.sha256(b"secret").hexdigest()}
        deep = "p/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/01/01/"
        for entry in (5, None, {}, dict(good, s3Object="../outside.json.gz"),
                      dict(good, s3Object=outside), dict(good, s3Object=deep + "../../x.json.gz"),
                      dict(good, s3Object="p/../" + deep + "x.json.gz"),
                      dict(good, s3Object=deep + "x.json.gz", hashAlgorithm="MD5"),
                      dict(good, s3Object=deep + "x.json.gz", hashValue="zz"),
                      dict(good, s3Object=["a"]), dict(good, s3Object="\x1b[2J\n/x")):
            t = self.trail().hours(1)
            t.digest([entry])
            j = self.verify(code=1)
            self.assertEqual(self.kinds, ["digest-odd"], (entry, j))
            self.assertEqual((j["log_files_valid"], j["log_files_invalid"]), (1, 1))

    def test_one_file_claimed_twice(self):
        t = self.trail().hours(1)
        entry = t.log(t.at + HOUR / 2, [digests.record(5)], tail="twice00000000000")
        t.digest([entry])
        t.at += HOUR
        t.digest([entry])
        j = self.verify(code=1)
        self.assertEqual(self.kinds, ["log-claimed-twice"])
        self.assertTrue(j["findings"][0]["file"].endswith(entry["s3Object"]))

    def test_cycles(self):
        t = self.trail()
        first, second = (t.digest_key(t.at + HOUR * n) for n in (1, 2))
        about = {"previousDigestS3Bucket": "b", "previousDigestHashValue": "0" * 64,
                 "previousDigestSignature": "00"}
        t.digest([], previousDigestS3Object=second, **about)
        t.at += HOUR
        t.digest([], previousDigestS3Object=first, **about)
        t.at += HOUR
        third = t.digest_key(t.at + HOUR)
        t.digest([], previousDigestS3Object=third, **about)  # itself
        j = self.verify(code=1)
        self.assertIn("chain-begins-late", self.kinds)
        self.assertIn("chain-forks", self.kinds)
        self.assertEqual(j["digests"], 3)

    def test_a_span_of_centuries(self):
        t = self.trail().hours(1)
        t.digest([], digestStartTime="0001-01-01T00:00:00Z")
        t.at += HOUR
        t.digest([], start=t.at + 24 * 366 * 300 * HOUR)
        self.verify(code=1)
        code, out, _ = run("--keys", self.key.pem, self.root)
        self.assertEqual(code, 1)
        self.assertLess(len(out), 2 << 20)

    def test_names_with_escapes_are_printed_safely(self):
        t = self.trail().hours(1)
        t.digest([dict(t.log(t.at, []), s3Object=t.logs[0].replace("CloudTrail_", "\x1b]0;x\x07"))])
        self.put("p/AWSLogs/111122223333/CloudTrail/x/\x1b[2Jevil\u202e.json", b"{}")
        for form in ([], ["--json"]):
            p = subprocess.run([TOOL, "verify", *form, "--keys", self.key.pem, self.root],
                               capture_output=True, env=ENV, timeout=60)
            self.assertEqual(p.returncode, 1)
            self.assertNotIn(b"\x1b", p.stdout)
            self.assertNotIn("\u202e".encode(), p.stdout)

    # -- the archive itself --
    def test_copies_moves_and_strangers(self):
        t = self.trail().hours(3)
        with open(self.path(t.logs[0]), "rb") as f:
            data = f.read()
        self.put("z/" + t.logs[0], data)
        self.put(t.logs[1].replace("/01/01/", "/01/02/"), data)
        self.put("p/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/stranger.json.gz", data)
        j = self.verify(code=1)
        self.assertEqual(sorted(self.kinds), ["double", "foreign", "log-unnamed"])
        self.assertIn("/z/", self.only(j, "double")[0]["file"])

    def test_a_digest_under_another_name(self):
        t = self.trail().hours(3)
        os.rename(self.path(t.digests[0]), self.path(t.digests[0]).replace("T010000Z", "T013000Z"))
        self.verify(code=1)
        self.assertIn("digest-moved", self.kinds)

    def test_what_cannot_be_read(self):
        t = self.trail().hours(3)
        os.chmod(self.path(t.logs[1]), 0)
        os.chmod(self.dir, 0o755)
        os.chmod(self.keys_dir.name, 0o755)
        as_user = {"user": 65534} if os.geteuid() == 0 else {}
        code, out, _ = run("--json", "--keys", self.key.pem, self.root, **as_user)
        self.assertEqual(code, 2, out)
        j = json.loads(out)
        self.assertEqual([f["kind"] for f in j["findings"]], ["unreadable"])
        self.assertEqual(j["coverage"][0]["proven_hours"], 2)
        self.assertEqual(run("--keys", self.key.pem, self.root + "/nowhere")[0], 2)

    def test_each_finding_is_a_line_that_helps(self):
        t = self.trail().hours(3)
        os.remove(self.path(t.logs[1]))
        code, out, _ = run("--keys", self.key.pem, self.root)
        self.assertEqual(code, 1)
        line = [x for x in out.splitlines() if "log-missing" in x]
        self.assertEqual(len(line), 1)
        self.assertIn("It means: ", line[0])
        self.assertIn("Next: ", line[0])

    def test_same_answer_whatever_the_threads(self):
        t = self.trail(region="us-east-1").hours(8, logs=3)
        os.remove(self.path(t.digests[2]))
        os.remove(self.path(t.logs[20]))
        outs = {run("--json", "--threads", n, "--keys", self.key.pem, self.root)[1] for n in "138"}
        self.assertEqual(len(outs), 1)

    def test_progress_on_a_terminal_and_not_in_a_pipe(self):
        self.trail().hours(3)
        main, side = pty.openpty()
        p = subprocess.run([TOOL, "verify", "--keys", self.key.pem, self.root], stderr=side,
                           stdout=subprocess.PIPE, env=ENV, timeout=60)
        os.close(side)
        shown = os.read(main, 65536).decode()
        os.close(main)
        self.assertEqual(p.returncode, 0)
        self.assertRegex(shown, r"\d+ files found")
        self.assertTrue(shown.endswith("\r\x1b[K"), shown)
        self.assertEqual(run("--keys", self.key.pem, self.root)[2], "")

    def test_usage(self):
        self.assertEqual(run("--help")[0], 0)
        self.assertIn("--since", run("--help")[1])
        for args in ([], ["--nope", "x"], ["--until", "yesterday", "x"], ["--keys"]):
            self.assertEqual(run(*args)[0], 2, args)
        self.assertEqual(run("s3://bucket/prefix")[0], 2)
        with open("/dev/full", "w") as full:
            self.trail().hours(1)
            p = subprocess.run([TOOL, "verify", "--keys", self.key.pem, self.root], stdout=full,
                               stderr=subprocess.PIPE, env=ENV)
            self.assertEqual(p.returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

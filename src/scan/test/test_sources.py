#!/usr/bin/env python3
"""ward scan over folders that are not as they should be: permissions, devices, changes, full disks.

    test_sources.py SCAN_TOOL
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import digests  # noqa: E402

TOOL = sys.argv[1]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")
NOBODY = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}


def scan(*args, **more):
    p = subprocess.run([TOOL, "scan", "--format", "jsonl", *args], capture_output=True, env=ENV,
                       timeout=120, **more)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def log_file(i):
    return gzip.compress(json.dumps({"Records": [digests.record(i)]}).encode())


def ids(out):
    return sorted({json.loads(x)["eventID"] for x in out.splitlines()})


class Sources(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = self.tmp.name
        os.chmod(self.dir, 0o755)

    def tearDown(self):
        self.tmp.cleanup()

    def put(self, name, data):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def test_no_permission(self):
        self.put("a.json.gz", log_file(1))
        os.chmod(self.put("b.json.gz", log_file(2)), 0)
        self.put("closed/c.json.gz", log_file(3))
        os.chmod(self.dir + "/closed", 0)
        code, out, err = scan(self.dir, **NOBODY)
        os.chmod(self.dir + "/closed", 0o755)
        self.assertEqual((code, ids(out)), (2, ["id-1"]))
        self.assertIn("/b.json.gz: Permission denied", err)
        self.assertIn("/closed: Permission denied", err)

    def test_pipes_devices_and_links(self):
        self.put("a.json.gz", log_file(1))
        os.mkfifo(self.dir + "/pipe.json.gz")
        os.symlink("loop.json", self.dir + "/loop.json")
        os.symlink(".", self.dir + "/round")
        code, out, err = scan(self.dir)
        self.assertEqual((code, ids(out)), (2, ["id-1"]))
        for name in ("pipe.json.gz", "loop.json", "round"):
            self.assertIn(f"/{name}: ", err)
        code, _, err = scan("/dev/zero", self.dir + "/pipe.json.gz")
        self.assertEqual(code, 2)
        self.assertIn("/dev/zero: neither", err)

    def test_names(self):
        self.put("\x1b[2J\x1b]0;evil\x07\u202e.json.gz", b"\x1f\x8bnonsense")
        self.put("n" * 247 + ".json.gz", log_file(1))
        self.put("/".join(["d" * 200] * 15) + "/x.json.gz", log_file(2))
        self.put("-n.json.gz", log_file(3))
        code, out, err = scan(self.dir)
        self.assertEqual((code, ids(out)), (2, ["id-1", "id-2", "id-3"]))
        self.assertNotIn("\x1b", out + err)
        self.assertNotIn("\u202e", out + err)
        self.assertIn("evil", err)

    def test_a_folder_that_changes(self):
        """Files vanish, grow, and become folders and pipes while it is read: what stays is found,
        what is gone is named, and it ends."""
        for i in range(300):
            self.put(f"stay/{i}.json.gz", log_file(i))
            self.put(f"go/{i}.json.gz", log_file(1000 + i))
        stop = threading.Event()

        def change():
            n = 0
            while not stop.is_set():
                path = f"{self.dir}/go/{n % 300}.json.gz"
                n += 1
                try:
                    os.unlink(path)
                    [os.mkfifo, os.mkdir][n % 2](path)
                    with open(f"{self.dir}/go/{n % 300}.json.gz", "ab") as f:
                        f.write(b"more")
                except OSError:
                    pass

        worker = threading.Thread(target=change)
        worker.start()
        try:
            for _ in range(3):
                code, out, err = scan(self.dir)
                self.assertIn(code, (1, 2))
                self.assertEqual([i for i in ids(out) if int(i[3:]) < 1000],
                                 sorted(f"id-{i}" for i in range(300)))
                self.assertNotIn("/stay/", err)
        finally:
            stop.set()
            # a pipe that it is about to open for writing needs a reader
            for name in os.listdir(self.dir + "/go"):
                if not worker.is_alive():
                    break
                path = f"{self.dir}/go/{name}"
                try:
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                except OSError:
                    pass
            worker.join(20)

    def test_full_disk(self):
        self.put("a.json.gz", log_file(1))
        with open("/dev/full", "w") as full:
            p = subprocess.run([TOOL, "scan", self.dir], stdout=full, stderr=subprocess.PIPE,
                               env=ENV, timeout=60)
        self.assertEqual(p.returncode, 2)
        self.assertTrue(p.stderr)
        code, _, err = scan("--report", "/dev/full", self.dir)
        self.assertEqual(code, 2)
        self.assertIn("No space left on device", err)
        code, _, err = scan("--report", self.dir + "/nowhere/r.html", self.dir)
        self.assertEqual(code, 2)

    def test_full_disk_of_its_own(self):
        """A small file system in memory; mounting it needs a user name space."""
        for i in range(300):
            self.put(f"logs/{i}.json.gz", log_file(i))
        os.mkdir(self.dir + "/small")
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c",
             "mount -t tmpfs -o size=64k none \"$1\" || exit 77; "
             "exec \"$2\" scan --report \"$1/r.html\" \"$3\" > /dev/null", "sh", self.dir + "/small", TOOL, self.dir + "/logs"],
            capture_output=True, text=True, env=ENV, timeout=60)
        if done.returncode in (1, 77, 127) and "scan" not in done.stderr:
            self.skipTest("no name space or no tmpfs here: " + done.stderr.strip())
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("No space left on device", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)

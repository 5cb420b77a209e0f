#!/usr/bin/env python3
"""Runs every end-to-end test: src/svc/*/test/test_*.py and tests/test_*.py.

A file is run by a process of its own, --jobs of them at a time, and the tests of a room have a Ward
(with sanitizers) of their own; what a file printed is shown once it ends. The closing line counts
what ran. --only NAME runs the files that have NAME in theirs; a single one is shown as it goes."""
import argparse
import concurrent.futures
import glob
import importlib.util
import os
import re
import subprocess
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


def load(path):
    name = os.path.splitext(os.path.relpath(path, ROOT))[0].replace(os.sep, "_")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def room_ward():
    from wardtest import Ward
    ward = Ward("--trail-interval", "1")
    ward.start()
    os.environ.update(ward.env)
    return ward


def ended_badly(ward):
    code, log = ward.stop(), ward.read_log()
    bad = code != 0 or "ERROR: " in log or "runtime error" in log
    if bad:
        print(log[-8000:])
        print("ward ended with", code)
    ward.remove()
    return bad


def run_file(path):
    """In this process: passed, failed, skipped."""
    print("==", os.path.relpath(path, ROOT), flush=True)
    began = time.monotonic()
    ward = room_ward() if path.startswith(os.path.join(ROOT, "src")) else None
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(load(path))
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    # A class that cannot be set up fails without a test having run.
    passed = max(result.testsRun - failed - skipped, 0)
    if ward is not None and ended_badly(ward):
        failed += 1
    if passed + failed + skipped == 0:
        print("no test in it")
        failed = 1
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return passed, failed, skipped


def run_apart(path, arguments):
    """The same in a process of its own."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), *arguments, "--file", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    print(done.stdout, flush=True)
    counts = COUNTS.findall(done.stdout)
    return tuple(map(int, counts[-1])) if counts else (0, 1, 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ward", default=os.path.join(ROOT, "build", "ward"))
    p.add_argument("--fast", help="the release build, for what is measured or heavy")
    p.add_argument("--node", default=os.path.join(ROOT, ".deps", "node"))
    p.add_argument("--only")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--file", help=argparse.SUPPRESS)
    a = p.parse_args()
    os.environ["WARD_BIN"] = os.path.abspath(a.ward)
    os.environ["WARD_FAST"] = os.path.abspath(a.fast or a.ward)
    os.environ["WARD_NODE"] = os.path.abspath(a.node)
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    if a.file:
        return 1 if run_file(a.file)[1] else 0

    files = glob.glob(os.path.join(ROOT, "src/svc/*/test/test_*.py"))
    files += glob.glob(os.path.join(ROOT, "tests/test_*.py"))
    files = [f for f in files if (a.only or "") in os.path.basename(f)]
    # The longest first, as far as their size tells, so that none is left alone at the end.
    files.sort(key=os.path.getsize, reverse=True)
    arguments = ["--ward", a.ward, "--fast", a.fast or a.ward, "--node", a.node]
    if a.only and len(files) == 1:
        counts = [run_file(files[0])]
    else:
        with concurrent.futures.ThreadPoolExecutor(max(a.jobs, 1)) as pool:
            counts = list(pool.map(lambda f: run_apart(f, arguments), files))
    passed, failed, skipped = (sum(c) for c in zip(*counts)) if counts else (0, 0, 0)
    for f, c in zip(files, counts):
        if c[1]:
            print("failed:", os.path.relpath(f, ROOT))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs every end-to-end test: src/svc/*/test/test_*.py and tests/test_*.py.

One Ward (with sanitizers) serves the tests of the rooms; tests that need their own start it. The
closing line counts what ran. --only NAME runs one file."""
import argparse
import glob
import importlib.util
import os
import subprocess
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))


def load(path):
    name = os.path.splitext(os.path.relpath(path, ROOT))[0].replace(os.sep, "_")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


class Result(unittest.TextTestResult):
    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ward", default=os.path.join(ROOT, "build", "ward"))
    p.add_argument("--fast", help="the release build, for what is measured or heavy")
    p.add_argument("--node", default=os.path.join(ROOT, ".deps", "node"))
    p.add_argument("--only")
    a = p.parse_args()
    os.environ["WARD_BIN"] = os.path.abspath(a.ward)
    os.environ["WARD_FAST"] = os.path.abspath(a.fast or a.ward)
    os.environ["WARD_NODE"] = os.path.abspath(a.node)
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    from wardtest import Ward

    rooms = sorted(glob.glob(os.path.join(ROOT, "src/svc/*/test/test_*.py")))
    own = sorted(glob.glob(os.path.join(ROOT, "tests/test_*.py")))
    if a.only:
        rooms = [r for r in rooms if a.only in os.path.basename(r)]
        own = [r for r in own if a.only in os.path.basename(r)]
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Result, stream=sys.stdout)
    total = failed = skipped = 0

    def run(paths):
        nonlocal total, failed, skipped
        for path in paths:
            print("==", os.path.relpath(path, ROOT), flush=True)
            result = runner.run(load(path))
            total += result.testsRun
            failed += len(result.failures) + len(result.errors)
            skipped += len(result.skipped)

    if rooms:
        ward = Ward("--trail-interval", "1")
        ward.start()
        os.environ.update(ward.env)
        run(rooms)
        for name in ward.env:
            os.environ.pop(name, None)
        code = ward.stop()
        log = ward.read_log()
        if code != 0 or "ERROR: " in log or "runtime error" in log:
            print(log[-8000:])
            print("ward ended with", code)
            failed += 1
        ward.remove()
    run(own)
    print(f"{total - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

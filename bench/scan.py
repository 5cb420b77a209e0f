#!/usr/bin/env python3
"""Measures the scan against its limit: libdeflate alone over the same files, same threads.

    bench/scan.py --tool BUILD/src/scan/test/scan_tool [--files 20000] [--dir DIR]

Makes the archive (fixed seed) once, puts it into the page cache, and prints a line for each number
of rules and threads: seconds (best of three), ratio to the limit, records a second, peak memory.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def build_limit(folder):
    out = os.path.join(folder, "scan_inflate")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", os.path.join(HERE, "scan_inflate.c"), "-o", out,
                    "-ldeflate", "-lcrypto", "-lpthread"], check=True)
    return out


def limit(program, names, threads, *more):
    best = None
    for _ in range(3):
        with open(names, encoding="utf-8") as f:
            text = subprocess.run([program, str(threads), *more], stdin=f, capture_output=True,
                                  check=True, text=True).stdout
        seconds = float(text.split()[0])
        best = seconds if best is None else min(best, seconds)
    return best


def run(args):
    best, peak, out = None, 0, ""
    for _ in range(3):
        start = time.monotonic()
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        out = p.stdout.read()
        _, _, usage = os.wait4(p.pid, 0)
        seconds = time.monotonic() - start
        best = seconds if best is None else min(best, seconds)
        peak = max(peak, usage.ru_maxrss)
    return best, peak, out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tool", required=True)
    p.add_argument("--files", type=int, default=20000)
    p.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), "ward-scan-bench"))
    a = p.parse_args()
    archive, rules = os.path.join(a.dir, f"archive-{a.files}"), os.path.join(a.dir, "rules")
    gen = [sys.executable, os.path.join(HERE, "scan_gen.py")]
    if not os.path.isdir(archive):
        subprocess.run(gen + ["archive", archive, str(a.files)], check=True)
    for n in (100, 1000, 10000):
        subprocess.run(gen + ["rules", rules, str(n)], check=True)
    names = os.path.join(a.dir, "names")
    with open(names, "w", encoding="utf-8") as f:
        for folder, _, files in os.walk(archive):
            f.writelines(os.path.join(folder, x) + "\n" for x in files)
    program = build_limit(a.dir)
    limits = {t: limit(program, names, t) for t in (1, 2)}
    for t in (1, 2):
        print(f"libdeflate alone, {t} threads: {limits[t]:.2f} s")
    times = {}
    for n in (100, 1000, 10000):
        for t in (1, 2):
            s, peak, out = run([a.tool, "scan", "--threads", str(t), "--rules",
                                os.path.join(rules, f"rules-{n}.json"), archive])
            records = int(re.search(r"in (\d+) records", out).group(1))
            times[n, t] = s
            print(f"{n:6} rules, {t} threads: {s:.2f} s, {s / limits[t]:.2f} times the limit, "
                  f"{records / s / t:.0f} records/s/thread, {peak // 1024} MiB")
    print(f"10,000 rules against 100: {times[10000, 1] / times[100, 1]:.2f} times (limit 1.2)")
    print(f"two threads against one, 1,000 rules: {times[1000, 1] / times[1000, 2]:.2f} (limit 1.8)")


if __name__ == "__main__":
    main()

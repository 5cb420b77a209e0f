#!/usr/bin/env python3
"""Measures `ward scan` and `ward verify` against what they cannot do without: reading and inflating
the same files with libdeflate (and hashing them), with the same number of threads.

    bench/scan.py --tool BUILD/ward [--gb 1] [--rounds 7] [--dir DIR]

Makes the archive and the rules once (scan_gen.py, fixed seed), puts the files into the page cache,
runs everything in turns, and prints each limit, what was measured, and whether it was met. A ratio
is that of two runs of one round, and of the rounds' ratios the median counts: a processor's clock
drifts by a fifth within minutes. Each round has its own order, lest what comes and goes on the
machine in step with the rounds always meet the same run. On a machine that does other work too,
times on the wall say more about that work: then ratios are of the processor's time, and it is said
so.
"""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = (100, 1000, 10000)
NOISY_WAIT, NOISY_SPREAD = 1.06, 1.15


class Times:
    """Of one thing measured in every round."""

    def __init__(self):
        self.wall, self.cpu, self.peak = [], [], 0

    def add(self, wall, usage):
        self.wall.append(wall)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.peak = max(self.peak, usage.ru_maxrss)


def run(times, args, names=None, codes=(0,)):
    with open(names or os.devnull, encoding="utf-8") as stdin:
        start = time.monotonic()
        p = subprocess.Popen(args, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
        out, err = p.stdout.read(), p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
        wall = time.monotonic() - start
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode not in codes:
        sys.exit(f"{' '.join(args)}: exit code {p.returncode}\n{err[:2000]}")
    times.add(wall, usage)
    return out


def prepare(a):
    archive, rules = os.path.join(a.dir, f"archive-{a.gb:g}"), os.path.join(a.dir, "rules")
    gen = [sys.executable, os.path.join(HERE, "scan_gen.py")]
    if not os.path.exists(os.path.join(archive, "about.json")):
        subprocess.run(gen + ["archive", archive, str(a.gb * 1000)], check=True)
    for n in COUNTS:
        subprocess.run(gen + ["rules", f"{rules}-{n}", str(n)], check=True)
    limit = os.path.join(a.dir, "scan_inflate")
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", os.path.join(HERE, "scan_inflate.c"), "-o", limit,
                    "-ldeflate", "-lcrypto", "-lpthread"], check=True)
    logs, all_files = os.path.join(a.dir, "logs"), os.path.join(a.dir, "all")
    with open(logs, "w", encoding="utf-8") as f, open(all_files, "w", encoding="utf-8") as g:
        for folder, _, files in os.walk(archive):
            for name in sorted(files):
                if not name.endswith(".json.gz"):
                    continue
                path = os.path.join(folder, name)
                with open(path, "rb") as log:
                    log.read()  # now it is in the page cache
                g.write(path + "\n")
                if "CloudTrail-Digest" not in name:
                    f.write(path + "\n")
    with open(os.path.join(archive, "about.json"), encoding="utf-8") as f:
        about = json.load(f)
    return archive, rules, limit, logs, all_files, about


def measure(a, archive, rules, limit, logs, all_files):
    t, out = {}, None

    def timed(key, args, names=None, codes=(0,)):
        return run(t.setdefault(key, Times()), args, names, codes)

    def inflate(threads):
        timed(("inflate", threads), [limit, str(threads)], logs)

    def scan(threads, count):
        nonlocal out
        out = timed(("scan", count, threads),
                    [a.tool, "scan", "--threads", str(threads), "--rules", f"{rules}-{count}",
                     os.path.join(archive, "AWSLogs")], codes=(1,))

    def hashed(threads):
        timed(("hash", threads), [limit, str(threads), "sha"], all_files)

    def verify(threads):
        timed(("verify", threads),
              [a.tool, "verify", "--threads", str(threads), "--keys",
               os.path.join(archive, "key.der"), os.path.join(archive, "AWSLogs")])

    # What a limit compares runs within seconds of each other.
    groups = [[(inflate, 1), (scan, 1, 1000), (scan, 2, 1000), (inflate, 2)],
              [(scan, 1, 100), (scan, 1, 10000)], [(scan, 2, 100), (scan, 2, 10000)],
              [(hashed, 1), (verify, 1)], [(hashed, 2), (verify, 2)]]
    order = random.Random(1)
    for k in range(a.rounds):
        order.shuffle(groups)
        for group in groups:
            for f, *args in group[::order.choice((1, -1))]:
                f(*args)
        print(f"round {k + 1} of {a.rounds}", file=sys.stderr)
    return t, int(re.search(r"in (\d+) records", out).group(1))


def noise(t):
    """How much longer than its own work a thread took, and how much the rounds differ."""
    one, two = t["inflate", 1], t["inflate", 2]
    wait = max(min(one.wall) / min(one.cpu), min(two.wall) * 2 / min(two.cpu))
    spread = sorted(one.wall)[len(one.wall) // 2] / min(one.wall)
    return wait, spread, wait > NOISY_WAIT or spread > NOISY_SPREAD


def verdict(name, limit, value, met):
    print(f"{'met   ' if met else 'NOT MET'} {name}: {value} (limit {limit})")
    return met


def report(t, records, about, noisy):
    def times(key):
        return t[key].cpu if noisy else t[key].wall

    def ratio(x, y):
        return statistics.median(p / q for p, q in zip(times(x), times(y)))

    good = True
    for threads in (1, 2):
        for count in COUNTS:
            x = t["scan", count, threads]
            r = ratio(("scan", count, threads), ("inflate", threads))
            print(f"  scan, {count:6} rules, {threads} threads: {min(x.wall):6.2f} s, "
                  f"{min(x.cpu):6.2f} s of processor, {r:4.2f} x inflating, "
                  f"{x.peak / 1024:.0f} MiB")
        x = t["verify", threads]
        print(f"  verify,           {threads} threads: {min(x.wall):6.2f} s, {min(x.cpu):6.2f} s of "
              f"processor, {ratio(('verify', threads), ('hash', threads)):4.2f} x inflating and "
              f"hashing, {x.peak / 1024:.0f} MiB")
    for threads in (1, 2):
        r = ratio(("scan", 1000, threads), ("inflate", threads))
        good &= verdict(f"scan with 1,000 rules, {threads} threads, against inflating alone",
                        "2 x", f"{r:.2f} x", r <= 2)
    rate = records / min(times(("scan", 1000, 1)))
    good &= verdict("records a second a core with 1,000 rules", "250,000", f"{rate:,.0f}",
                    rate >= 250000)
    r = ratio(("scan", 10000, 1), ("scan", 100, 1))
    good &= verdict("10,000 rules against 100", "1.2 x", f"{r:.2f} x", r <= 1.2)
    speedup, alone = (statistics.median(p / q for p, q in zip(t[one].wall, t[two].wall))
                      for one, two in ((("scan", 1000, 1), ("scan", 1000, 2)),
                                       (("inflate", 1), ("inflate", 2))))
    good &= verdict("two threads against one, on the wall", "1.8 x",
                    f"{speedup:.2f} x (inflating alone: {alone:.2f} x)", speedup >= 1.8)
    peak = max(x.peak for key, x in t.items() if key[0] == "scan") / 1024
    good &= verdict(f"memory of the scan, {about['bytes'] / 1e9:.2f} GB inflated", "64 MiB",
                    f"{peak:.0f} MiB", peak <= 64)
    for threads in (1, 2):
        r = ratio(("verify", threads), ("hash", threads))
        good &= verdict(f"verify, {threads} threads, against inflating and hashing", "1.3 x",
                        f"{r:.2f} x", r <= 1.3)
    return good


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tool", required=True)
    p.add_argument("--gb", type=float, default=1.0, help="of log files, inflated")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--dir", default=os.path.join(tempfile.gettempdir(), "ward-scan-bench"))
    a = p.parse_args()
    os.makedirs(a.dir, exist_ok=True)
    archive, rules, limit, logs, all_files, about = prepare(a)
    print(f"{about['files']} files, {about['bytes'] / 1e6:.0f} MB inflated, {about['records']} "
          f"records, {about['digests']} digests; {os.cpu_count()} processors")
    t, records = measure(a, archive, rules, limit, logs, all_files)
    wait, spread, noisy = noise(t)
    print(f"The machine was {'NOISY' if noisy else 'quiet'}: inflating alone took {wait:.2f} x the "
          f"processor's time that it used, its median {spread:.2f} x its least.")
    if noisy:
        print("Ratios are of the processor's time; that of two threads against one cannot be, and "
              "is worth little.")
    sys.exit(0 if report(t, records, about, noisy) else 1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Has clang look at everything that gcc built, with the same warnings, as errors: it finds other
faults, and the fuzz targets are built with it. Nothing is compiled.

    tools/check_clang.py BUILD [JOBS]"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys


def check(entry):
    args = [a for a in shlex.split(entry["command"]) if os.path.basename(a) != "ccache"]
    args[0] = "clang++" if entry["file"].endswith(".cpp") else "clang"
    out = args.index("-o")
    del args[out:out + 2]
    args.remove("-c")
    # What only gcc knows is switched off by a name that clang has not heard of.
    args += ["-fsyntax-only", "-Wno-unknown-warning-option"]
    done = subprocess.run(args, cwd=entry["directory"], capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def main():
    with open(os.path.join(sys.argv[1], "compile_commands.json"), encoding="utf-8") as f:
        entries = json.load(f)
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        faults = [text for good, text in pool.map(check, entries) if not good]
    for text in faults:
        print(text, file=sys.stderr)
    print(f"check_clang: {len(entries)} files, {len(faults)} faults")
    return 1 if faults or not entries else 0


if __name__ == "__main__":
    sys.exit(main())

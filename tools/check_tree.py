#!/usr/bin/env python3
"""Checks what the compiler does not: the include directions of ARCHITECTURE.md, the formatting that
every file shares, and words that have no place in the tree. Exit code 1 names each fault."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Who may include whom. A folder may always include itself.
MAY = {
    "core": set(),
    "crypto": {"core"},
    "store": {"crypto", "core"},
    "http": {"crypto", "core"},
    "auth": {"store", "crypto", "core", "http"},  # http: the header list that a signature covers
    "audit": {"store", "crypto", "core"},
    "api": {"http", "auth", "audit", "store", "crypto", "core"},
    "scan": {"crypto", "core"},
    "svc": {"api", "auth", "audit", "store", "crypto", "core", "http"},
    "cli": {"svc", "scan", "api", "http", "auth", "audit", "store", "crypto", "core"},
}
# Of http a room sees only the client (deliveries) and the parser (Lambda's Runtime API), auth only
# the list of headers.
OF_HTTP = {"svc": {"client.h", "parser.h"}, "auth": {"server.h"}}
COLUMNS = 100
LONG_FILE = 1200
faults = []


def fault(path, line, text):
    faults.append(f"{os.path.relpath(path, ROOT)}:{line}: {text}")


def tracked():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [os.path.join(ROOT, p) for p in out.splitlines()
            if os.path.isfile(os.path.join(ROOT, p))]


def folder_of(path):
    parts = os.path.relpath(path, os.path.join(ROOT, "src")).split(os.sep)
    return parts[0] if parts[0] != ".." else None


def room_of(path):
    parts = os.path.relpath(path, os.path.join(ROOT, "src", "svc")).split(os.sep)
    return parts[0] if parts[0] != ".." and len(parts) > 1 else None


def included(path, name):
    """The file that an include line means, under src; None for what is not ours."""
    for base in (os.path.dirname(path), os.path.join(ROOT, "src")):
        full = os.path.normpath(os.path.join(base, name))
        if os.path.isfile(full):
            return full
    return None


def check_includes(path, number, line):
    m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
    if not m:
        return
    target = included(path, m.group(1))
    if target is None or folder_of(target) is None:
        return
    mine, theirs = folder_of(path), folder_of(target)
    if theirs != mine and theirs not in MAY.get(mine, set()):
        fault(path, number, f"src/{mine} may not include src/{theirs}")
    name = os.path.basename(target)
    if theirs == "http" and name not in OF_HTTP.get(mine, {name}):
        fault(path, number, f"src/{mine} may not include {name} of src/http")
    if mine == "svc" and target.endswith("api/line.h"):
        fault(path, number, "api/line.h is private to src/api")
    if mine == "svc" and theirs == "svc" and room_of(path) != room_of(target):
        fault(path, number, f"a room includes the room {room_of(target)}")


def check_text(path):
    code = path.endswith((".c", ".h", ".cpp"))
    with open(path, encoding="utf-8", errors="replace") as f:
        lines = f.read().split("\n")
    if lines[-1] != "":
        fault(path, len(lines), "no line feed at the end")
    for number, line in enumerate(lines, 1):
        if line.rstrip() != line:
            fault(path, number, "blanks at the end of the line")
        if "\t" in line and not path.endswith(("Makefile", ".tsv")):
            fault(path, number, "a tab")
        if code and len(line) > COLUMNS and "https://" not in line:  # an address stays whole
            fault(path, number, f"longer than {COLUMNS} columns")
        if code and re.search(r"\b(TODO|FIXME|XXX)\b", line):
            fault(path, number, "unfinished work is an issue, not a comment")
        if code and path.startswith(os.path.join(ROOT, "src")) and "/test/" not in path:
            check_includes(path, number, line)
    if code and len(lines) > LONG_FILE:
        fault(path, len(lines), f"longer than {LONG_FILE} lines: look for two ideas in it")


def main():
    files = [p for p in tracked()
             if p.endswith((".c", ".h", ".cpp", ".py", ".sh", ".md", ".build", ".mjs", "Makefile"))
             and "/corpus/" not in p]
    for path in files:
        check_text(path)
    for f in faults:
        print(f)
    print(f"check_tree: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

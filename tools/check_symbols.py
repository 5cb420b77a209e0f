#!/usr/bin/env python3
"""Looks for global symbols that two of Ward's static libraries define.

    tools/check_symbols.py BUILD

A linker takes the first definition that an archive offers and says nothing of the second, so two
rooms that both have a `filter_compile` link, and one of them runs the other's. Every archive under
BUILD/src counts, but for those of tests. Exit code 1 names each symbol with its objects."""
import os
import subprocess
import sys

# Of code, data and constants: a second one is a fault. Weak ones (W, V, u: C++) may be many.
STRONG = set("TDBRGSC")


def archives(build):
    found = []
    for folder, folders, files in os.walk(os.path.join(build, "src")):
        folders[:] = sorted(f for f in folders if f != "test")
        found += [os.path.join(folder, f) for f in sorted(files)
                  if f.startswith("lib") and f.endswith(".a")]
    return found


def definitions(path):
    """Pairs of symbol and object; nm prints "ARCHIVE:OBJECT: ADDRESS TYPE NAME"."""
    out = subprocess.run(["nm", "-A", "-g", "--defined-only", path], capture_output=True, text=True,
                         check=True).stdout
    for line in out.splitlines():
        where, _, rest = line.rpartition(": ") if ": " in line else line.rpartition(":")
        parts = rest.split()
        if len(parts) >= 2 and parts[-2] in STRONG and not parts[-1].startswith("__odr_asan"):
            yield parts[-1], where.rpartition("/")[2]


def main():
    build = sys.argv[1]
    libraries = archives(build)
    if not libraries:
        sys.exit(f"check_symbols: no libraries under {build}/src; build first.")
    where = {}
    for path in libraries:
        for symbol, obj in definitions(path):
            where.setdefault(symbol, []).append(f"{os.path.basename(path)}({obj})")
    faults = {s: w for s, w in where.items() if len(w) > 1}
    for symbol in sorted(faults):
        print(f"{symbol} is defined by {' and by '.join(faults[symbol])}")
    print(f"check_symbols: {len(libraries)} libraries, {len(where)} symbols, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Turns rule files into C: their text, to be read by the same loader as everybody's rules.

    tools/gen_rules.py OUT.c RULES.yml…
"""
import re
import sys


def check(path, text):
    """Each rule has an id of its own, a reason and a reference."""
    rules = re.split(r"(?m)^  - id: ", text)[1:]
    for rule in rules:
        name = rule.split("\n", 1)[0].strip()
        for need in ("title", "severity", "reason", "reference"):
            if not re.search(rf"(?m)^    {need}: \S", rule):
                sys.exit(f"{path}: the rule {name} has no {need}")
    return [r.split("\n", 1)[0].strip() for r in rules]


def main():
    out, paths = sys.argv[1], sys.argv[2:]
    ids, parts = [], []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        ids += check(path, text)
        data = text.encode()
        rows = [",".join(str(b) for b in data[i:i + 24]) for i in range(0, len(data), 24)]
        parts.append((len(data), ",\n    ".join(rows)))
    twice = {i for i in ids if ids.count(i) > 1}
    if twice:
        sys.exit(f"ids that stand twice: {sorted(twice)}")
    with open(out, "w", encoding="utf-8") as f:
        f.write('/* Made by tools/gen_rules.py. */\n#include "scan/builtin.h"\n')
        for i, (n, rows) in enumerate(parts):
            f.write(f"static const char text_{i}[{n}] = {{\n    {rows}}};\n")
        f.write("const struct builtin_file builtin_files[] = {\n")
        for i, (n, _) in enumerate(parts):
            f.write(f'    {{"builtin", text_{i}, {n}}},\n')
        f.write(f"}};\nconst size_t builtin_count = {len(parts)};\n")


main()

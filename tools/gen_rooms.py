#!/usr/bin/env python3
"""Writes the registry of rooms: gen_rooms.py OUT.c NAME..."""
import sys

out, names = sys.argv[1], sys.argv[2:]
with open(out, "w") as f:
    f.write("/* Made by tools/gen_rooms.py. Do not edit. */\n#include \"cli/cli.h\"\n\n")
    for n in names:
        f.write(f"extern const struct room {n}_room;\n")
    f.write("\nconst struct room *const all_rooms[] = {\n")
    for n in names:
        f.write(f"    &{n}_room,\n")
    f.write("};\nconst size_t n_all_rooms = sizeof all_rooms / sizeof all_rooms[0];\n")

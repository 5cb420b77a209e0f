#!/usr/bin/env python3
"""Turns a room's model.json into C: typed structs and the const tables of src/api/shape.h.

    tools/gen_model.py MODEL.json OUT.h OUT.c

Patterns are compiled here to the small code that src/api/pattern.c runs (see the table below). What
a linear-time matcher cannot express is relaxed (look-around and word boundaries are dropped, so
more is let through) or left out, and listed on standard error with --verbose.
"""
import argparse
import json
import os
import re
import sys

KEYWORDS = set("""auto break case char const continue default do double else enum extern float for
goto if inline int long register restrict return short signed sizeof static struct switch typedef
union unsigned void volatile while asm typeof bool true false linux unix i386 NULL EOF errno stdin
stdout stderr assert offsetof major minor makedev I complex imaginary alloca""".split())
PROTOCOLS = {"json": None, "rest-json": "PROTO_REST_JSON", "rest-xml": "PROTO_REST_XML",
             "query": "PROTO_QUERY", "ec2": "PROTO_EC2"}
KINDS = {"string": "SH_STRING", "character": "SH_STRING", "blob": "SH_BLOB", "boolean": "SH_BOOL",
         "integer": "SH_INT", "long": "SH_LONG", "float": "SH_FLOAT", "double": "SH_FLOAT",
         "timestamp": "SH_TIME", "structure": "SH_STRUCT", "list": "SH_LIST", "map": "SH_MAP"}
C_TYPES = {"SH_STRING": "struct str", "SH_BLOB": "struct str", "SH_BOOL": "struct opt_bool",
           "SH_INT": "struct opt_int", "SH_LONG": "struct opt_int", "SH_FLOAT": "struct opt_num",
           "SH_TIME": "struct opt_int", "SH_DOC": "const struct jv *", "SH_STREAM": "struct str"}
LOCATIONS = {"uri": "LOC_URI", "querystring": "LOC_QUERY", "header": "LOC_HEADER",
             "headers": "LOC_HEADERS", "statusCode": "LOC_STATUS"}
TIMES = {"iso8601": "TIME_ISO8601", "rfc822": "TIME_RFC822", "unixTimestamp": "TIME_UNIX"}


class Unsupported(Exception):
    """A pattern that the matcher cannot express."""


class PatternCompiler:
    """Java's regular expressions to the code of pattern.c. The whole value must match, so ^ and $
    say nothing. The code begins with the number of steps (u16) that it unrolls to. A node is a
    tuple; code() writes it as bytes:
        1 len bytes       ASCII literal      4 n nodes      one of n alternatives
        2 class           one character      5 lo hi node   repeated (u16, 65535: no end)
        3 n nodes         in sequence        6              nothing
    A class: 16 bytes of ASCII bits, a count, and pairs of u24 code points beyond ASCII."""

    MAX_CP = 0x10FFFF
    INSTS_MAX = 4000

    def __init__(self, text):
        # \u10000 is not Java's syntax, but what AWS's models mean by it is clear.
        self.text = text.replace(r"\u10000-\u10FFFF", "\\x{10000}-\\x{10FFFF}")
        self.text = self.text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", "\\x{10000}-\\x{10FFFF}")
        self.pos = 0
        self.relaxed = False
        self.dotall = False

    def compile(self):
        node = self.alternatives()
        if self.pos != len(self.text):
            raise Unsupported("unbalanced )")
        size = self.size(node)
        if size > self.INSTS_MAX:
            raise Unsupported("too large")
        return bytes([size >> 8, size & 255] + self.code(node))

    def size(self, node):
        """The steps that the automaton will have; pattern.c has room for INSTS_MAX."""
        kind = node[0]
        if kind == "class":
            return 1
        if kind in ("cat", "alt"):
            return sum(self.size(n) + (2 if kind == "alt" else 0) for n in node[1])
        if kind == "rep":
            _, lo, hi, inner = node
            one = self.size(inner)
            return max(lo, 1) * one + 2 if hi == 65535 else hi * (one + 1) + one
        return 0

    def peek(self):
        return self.text[self.pos] if self.pos < len(self.text) else ""

    def take(self, s):
        if self.text.startswith(s, self.pos):
            self.pos += len(s)
            return True
        return False

    def alternatives(self):
        branches = [self.sequence()]
        while self.take("|"):
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else ("alt", branches)

    def sequence(self):
        items = []
        while self.peek() not in ("", "|", ")"):
            node = self.repeated()
            if node[0] != "empty":
                items.append(node)
        return ("cat", items) if len(items) != 1 else items[0]

    def repeated(self):
        node = self.atom()
        while self.peek() and self.peek() in "*+?{":
            c = self.text[self.pos]
            if c == "{":
                m = re.compile(r"\{(\d+)(,?)(\d*)\}").match(self.text, self.pos)
                if not m:
                    raise Unsupported("bad repeat")
                self.pos = m.end()
                lo = int(m.group(1))
                hi = int(m.group(3)) if m.group(3) else (65535 if m.group(2) else lo)
            else:
                self.pos += 1
                lo, hi = {"*": (0, 65535), "+": (1, 65535), "?": (0, 1)}[c]
            if self.take("+"):
                raise Unsupported("possessive")
            self.take("?")  # lazy: the same language
            if lo >= 65535 or (hi > 4000 and hi != 65535):
                raise Unsupported("repeat too large")
            node = ("empty",) if node[0] == "empty" or hi == 0 else ("rep", lo, hi, node)
        return node

    def atom(self):
        c = self.text[self.pos]
        self.pos += 1
        if c == "(":
            return self.group()
        if c == "[":
            return ("class", self.char_class())
        if c == ".":
            return ("class", [(0, self.MAX_CP)] if self.dotall else
                    self.complement([(10, 10), (13, 13), (0x85, 0x85), (0x2028, 0x2029)]))
        if c in "^$":
            return ("empty",)
        if c == "\\":
            if self.peek() in "bBAzZ":
                self.relaxed = self.relaxed or self.peek() in "bB"
                self.pos += 1
                return ("empty",)
            return ("class", self.escape())
        return ("class", [(ord(c), ord(c))])

    def group(self):
        if self.take("?:"):
            pass
        elif self.take("?s)"):
            self.dotall = True
            return ("empty",)
        elif self.take("?=") or self.take("?!") or self.take("?<=") or self.take("?<!"):
            self.relaxed = True
            self.alternatives()
            if not self.take(")"):
                raise Unsupported("unbalanced (")
            return ("empty",)
        elif self.peek() == "?":
            raise Unsupported("group flag")
        node = self.alternatives()
        if not self.take(")"):
            raise Unsupported("unbalanced (")
        return node

    def escape(self):
        """The set that an escape means; the backslash is behind us."""
        if not self.peek():
            raise Unsupported("lone backslash")
        c = self.text[self.pos]
        self.pos += 1
        sets = {"d": [(48, 57)], "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
                "s": [(9, 13), (32, 32)], "h": [(9, 9), (32, 32), (0xA0, 0xA0)]}
        if c in sets:
            return sets[c]
        if c.lower() in sets and c.isupper():
            return self.complement(sets[c.lower()])
        if c in "pP":
            m = re.compile(r"\{(\w+)\}").match(self.text, self.pos)
            if not m or c == "P":
                raise Unsupported("property")
            self.pos = m.end()
            return self.unicode_property(m.group(1))
        singles = {"t": 9, "n": 10, "r": 13, "f": 12, "e": 27, "a": 7}
        if c in singles:
            return [(singles[c], singles[c])]
        for prefix, expr in (("x", r"\{([0-9A-Fa-f]+)\}"), ("x", r"([0-9A-Fa-f]{2})"),
                             ("u", r"([0-9A-Fa-f]{4})")):
            m = re.compile(expr).match(self.text, self.pos)
            if c == prefix and m:
                self.pos = m.end()
                return [(int(m.group(1), 16),) * 2]
        if c.isalnum():
            raise Unsupported("escape \\" + c)
        return [(ord(c), ord(c))]

    def unicode_property(self, name):
        """Exact for ASCII; every character beyond it counts as a letter."""
        beyond = [(0x80, self.MAX_CP)]
        ascii_part = {"L": [(65, 90), (97, 122)], "Alpha": [(65, 90), (97, 122)],
                      "N": [(48, 57)], "Nd": [(48, 57)], "Z": [(32, 32)], "Zs": [(32, 32)],
                      "M": [], "S": [(36, 36), (43, 43), (60, 62), (94, 94), (96, 96), (124, 124),
                                     (126, 126)],
                      "P": [(33, 35), (37, 42), (44, 47), (58, 59), (63, 64), (91, 93), (95, 95),
                            (123, 123), (125, 125)],
                      "C": [(0, 31), (127, 127)], "LD": [(48, 57), (65, 90), (97, 122)],
                      "Print": [(32, 126)], "Graph": [(33, 126)], "ASCII": [(0, 127)],
                      "Alnum": [(48, 57), (65, 90), (97, 122)]}
        if name not in ascii_part:
            raise Unsupported("property " + name)
        posix = name in ("Alpha", "Alnum", "Print", "Graph", "ASCII")
        return ascii_part[name] + ([] if posix else beyond)

    def char_class(self):
        negate = self.take("^")
        ranges = []
        first = True
        while True:
            if not self.peek():
                raise Unsupported("unbalanced [")
            if self.take("&&"):
                raise Unsupported("class intersection")
            if self.peek() == "]" and not first:
                self.pos += 1
                break
            first = False
            lo, single = self.class_item()
            if single and self.peek() == "-" and self.text[self.pos + 1:self.pos + 2] not in "]":
                mark = self.pos
                self.pos += 1
                hi, hi_single = self.class_item()
                if hi_single and hi[0][0] >= lo[0][0]:
                    ranges.append((lo[0][0], hi[0][0]))
                    continue
                if hi_single:
                    raise Unsupported("bad range")
                self.pos = mark
            ranges += lo
        ranges = self.normal(ranges)
        return self.complement(ranges) if negate else ranges

    def class_item(self):
        c = self.text[self.pos]
        self.pos += 1
        if c == "[":
            return self.char_class(), False
        if c == "\\":
            ranges = self.escape()
            return ranges, len(ranges) == 1 and ranges[0][0] == ranges[0][1]
        return [(ord(c), ord(c))], True

    @staticmethod
    def normal(ranges):
        out = []
        for lo, hi in sorted(ranges):
            if out and lo <= out[-1][1] + 1:
                out[-1] = (out[-1][0], max(out[-1][1], hi))
            else:
                out.append((lo, hi))
        return out

    def complement(self, ranges):
        out, at = [], 0
        for lo, hi in self.normal(ranges):
            if lo > at:
                out.append((at, lo - 1))
            at = hi + 1
        if at <= self.MAX_CP:
            out.append((at, self.MAX_CP))
        return out

    def code(self, node):
        kind = node[0]
        if kind == "empty" or (kind == "cat" and not node[1]):
            return [6]
        if kind == "class":
            one = node[1][0][0] if len(node[1]) == 1 and node[1][0][0] == node[1][0][1] else None
            return [1, 1, one] if one is not None and one < 128 else [2] + self.class_code(node[1])
        if kind == "rep":
            _, lo, hi, inner = node
            return [5, lo >> 8, lo & 255, hi >> 8, hi & 255] + self.code(inner)
        parts = self.join_literals([self.code(n) for n in node[1]]) if kind == "cat" else \
            [self.code(n) for n in node[1]]
        if len(parts) > 255:
            raise Unsupported("too long")
        if len(parts) == 1:
            return parts[0]
        return [3 if kind == "cat" else 4, len(parts)] + sum(parts, [])

    @staticmethod
    def join_literals(parts):
        out = []
        for p in parts:
            if out and p[0] == 1 and out[-1][0] == 1 and out[-1][1] + p[1] < 256:
                out[-1] = [1, out[-1][1] + p[1]] + out[-1][2:] + p[2:]
            else:
                out.append(p)
        return out

    def class_code(self, ranges):
        bits = bytearray(16)
        beyond = []
        for lo, hi in self.normal(ranges):
            for c in range(lo, min(hi, 127) + 1):
                bits[c >> 3] |= 1 << (c & 7)
            if hi > 127:
                beyond.append((max(lo, 128), hi))
        if len(beyond) > 255:
            raise Unsupported("class too large")
        out = list(bits) + [len(beyond)]
        for pair in beyond:
            for cp in pair:
                out += [cp >> 16, cp >> 8 & 255, cp & 255]
        return out


def c_name(name):
    name = re.sub(r"\W", "_", name)
    if name[0].isdigit():
        name = "_" + name
    return name + "_" if name in KEYWORDS else name


def c_str(text):
    if text is None:
        return "NULL"
    out = []
    for ch in text:
        if ch in "\\\"":
            out.append("\\" + ch)
        elif ch == "?":
            out.append("\\?")
        elif 32 <= ord(ch) < 127:
            out.append(ch)
        else:
            out += [f"\\{b:03o}" for b in ch.encode()]
    return '"' + "".join(out) + '"'


class Generator:
    def __init__(self, model, header_name):
        self.m = model
        self.room = model["room"]
        self.shapes = dict(model["shapes"])
        self.header_name = header_name
        # Simple shapes that say nothing but their type share one row.
        self.same = {n: "plain " + s["type"] for n, s in self.shapes.items()
                     if list(s) == ["type"] and self.kind(s) in C_TYPES}
        for name in sorted(set(self.same.values())):
            self.shapes[name] = {"type": name.split()[1]}
        self.order = sorted(n for n in self.shapes if n not in self.same)
        self.index = {n: i for i, n in enumerate(self.order)}
        self.strings = {}   # enum tuples -> C name
        self.patterns = {}  # pattern -> C name or None
        self.notes = []
        self.need_stream = False

    # --- kinds and C types

    def kind(self, shape):
        if shape.get("eventstream"):
            return "SH_STREAM"
        if shape.get("document"):
            return "SH_DOC"
        return KINDS[shape["type"]]

    def struct_name(self, name):
        return f"struct {self.room}_{re.sub(chr(92) + 'W', '_', name)}"

    def inline_type(self, name):
        kind = self.kind(self.shapes[name])
        return C_TYPES.get(kind) or self.struct_name(name)

    def is_stream(self, member):
        shape = self.shapes[member["shape"]]
        return bool(member.get("streaming") or shape.get("streaming") or shape.get("eventstream"))

    def member_type(self, member):
        if self.is_stream(member):
            return "struct str "
        kind = self.kind(self.shapes[member["shape"]])
        t = self.inline_type(member["shape"])
        return t + " *" if kind == "SH_STRUCT" else t + ("" if t.endswith("*") else " ")

    # --- the header

    def header(self):
        guard = f"WARD_{self.room.upper()}_MODEL_H"
        out = [f"/* Made by tools/gen_model.py from {self.room}'s model.json. Do not edit. */",
               f"#ifndef {guard}", f"#define {guard}", "", '#include "api/shape.h"', "",
               f"extern const struct service_model {c_name(self.room)}_model;", ""]
        containers = [n for n in self.order if self.kind(self.shapes[n]) in ("SH_LIST", "SH_MAP")]
        structs = [n for n in self.order if self.kind(self.shapes[n]) == "SH_STRUCT"]
        for n in structs:
            out.append(f"{self.struct_name(n)};")
        for n in containers:
            if self.kind(self.shapes[n]) == "SH_MAP":
                out.append(f"{self.struct_name(n)}_item;")
            else:
                elem = self.shapes[n]["member"]["shape"]
                if self.kind(self.shapes[elem]) in ("SH_LIST", "SH_MAP"):
                    out.append(f"{self.struct_name(elem)};")
        out.append("")
        for n in containers:
            shape = self.shapes[n]
            if self.kind(shape) == "SH_MAP":
                item = f"{self.struct_name(n)}_item *"
            else:
                item = self.inline_type(shape["member"]["shape"])
                item += "*" if item.endswith("*") else " *"
            out += [f"{self.struct_name(n)} {{", "    size_t n;", f"    {item}v;", "    bool set;",
                    "};"]
        for n in structs:
            out.append(f"{self.struct_name(n)} {{")
            members = self.shapes[n].get("members", {})
            for name, member in members.items():
                out.append(f"    {self.member_type(member)}{c_name(name)};")
            if not members:
                out.append("    char nothing_; /* C wants a member */")
            out.append("};")
        for n in containers:
            shape = self.shapes[n]
            if self.kind(shape) == "SH_MAP":
                t = self.inline_type(shape["value"]["shape"])
                out += [f"{self.struct_name(n)}_item {{", "    struct str key;",
                        f"    {t}{'' if t.endswith('*') else ' '}value;", "};"]
        out += ["", "#endif", ""]
        return "\n".join(out)

    # --- the tables

    def enum_table(self, values):
        key = tuple(values)
        if key not in self.strings:
            self.strings[key] = f"en_{len(self.strings)}"
        return self.strings[key]

    def pattern_code(self, name, pattern):
        if pattern not in self.patterns:
            compiler = PatternCompiler(pattern)
            try:
                code = compiler.compile()
                self.patterns[pattern] = (f"pt_{len(self.patterns)}", code)
                if compiler.relaxed:
                    self.notes.append(f"{self.room}.{name}: relaxed: {pattern}")
            except Unsupported as why:
                self.patterns[pattern] = None
                self.notes.append(f"{self.room}.{name}: skipped ({why}): {pattern}")
        entry = self.patterns[pattern]
        return entry[0] if entry else None

    def ref(self, name):
        return f"&sh[{self.index[self.same.get(name, name)]}]"

    def struct_facts(self, name, shape, f, member_rows):
        members = shape.get("members", {})
        f.append(f".size = sizeof({self.struct_name(name)})")
        if members:
            f.append(f".members = &mb[{len(member_rows)}], .n_members = {len(members)}")
            for mn, m in members.items():
                member_rows.append(self.member_row(name, shape, mn, m))
        if "payload" in shape:
            f.append(f".payload = {c_str(shape['payload'])}")
        if shape.get("union"):
            f.append(".is_union = true")
        if shape.get("exception"):
            error = shape.get("error", {})
            f.append(f".is_error = true, .error_code = {c_str(error.get('code', name))}")
            if "httpStatusCode" in error:
                f.append(f".error_status = {error['httpStatusCode']}")
            if error.get("senderFault"):
                f.append(".sender_fault = true")

    def shape_row(self, name, member_rows):
        shape = self.shapes[name]
        kind = self.kind(shape)
        f = [f".name = {c_str(name.removeprefix('plain '))}, .kind = {kind}"]
        if kind == "SH_STRUCT":
            self.struct_facts(name, shape, f, member_rows)
        elif kind == "SH_LIST":
            elem = shape["member"]
            f.append(f".size = sizeof(struct any_list), .elem = {self.ref(elem['shape'])}, "
                     f".item_size = sizeof({self.inline_type(elem['shape'])})")
            if "locationName" in elem:
                f.append(f".elem_wire = {c_str(elem['locationName'])}")
        elif kind == "SH_MAP":
            item = self.struct_name(name) + "_item"
            f.append(f".size = sizeof(struct any_list), .elem = {self.ref(shape['value']['shape'])}"
                     f", .key = {self.ref(shape['key']['shape'])}, .item_size = sizeof({item}), "
                     f".value_offset = offsetof({item}, value)")
            if "locationName" in shape["value"]:
                f.append(f".elem_wire = {c_str(shape['value']['locationName'])}")
            if "locationName" in shape["key"]:
                f.append(f".key_wire = {c_str(shape['key']['locationName'])}")
        else:
            f.append(f".size = sizeof({C_TYPES[kind]})")
        if "locationName" in shape:
            f.append(f".xml_name = {c_str(shape['locationName'])}")
        if "xmlNamespace" in shape:
            f += self.ns_facts(shape["xmlNamespace"])
        for fact in ("flattened", "sensitive"):
            if shape.get(fact):
                f.append(f".{fact} = true")
        for fact in ("min", "max"):
            if fact in shape:
                f.append(f".has_{fact} = true, .{fact} = {float(shape[fact])!r}")
        if "pattern" in shape:
            f.append(f".pattern = {c_str(shape['pattern'])}")
            code = self.pattern_code(name, shape["pattern"])
            if code:
                f.append(f".pattern_code = {code}")
        if "enum" in shape:
            f.append(f".enums = {self.enum_table(shape['enum'])}")
        if "timestampFormat" in shape:
            f.append(f".time = {TIMES[shape['timestampFormat']]}")
        return f"    [{self.index[name]}] = {{" + ", ".join(f) + "},"

    @staticmethod
    def ns_facts(ns):
        if isinstance(ns, str):
            ns = {"uri": ns}
        facts = [f".xml_ns = {c_str(ns['uri'])}"]
        if "prefix" in ns:
            facts.append(f".xml_prefix = {c_str(ns['prefix'])}")
        return facts

    def member_row(self, owner, shape, name, m):
        if m.get("jsonvalue"):
            sys.exit(f"gen_model: {owner}.{name} is a jsonvalue, which the codecs do not know.")
        target = self.shapes[m["shape"]]
        if m.get("location") == "querystring" and target["type"] == "map":
            sys.exit(f"gen_model: {owner}.{name} is a map of the query string, which the codecs do "
                     "not know.")
        stream = self.is_stream(m)
        self.need_stream = self.need_stream or stream
        f = [f".name = {c_str(name)}, .wire = {c_str(m.get('locationName', name))}"]
        if "queryName" in m:
            f.append(f".query_name = {c_str(m['queryName'])}")
        f.append(f".shape = {'&sh_stream' if stream else self.ref(m['shape'])}")
        f.append(f".offset = offsetof({self.struct_name(owner)}, {c_name(name)})")
        if "location" in m:
            f.append(f".loc = {LOCATIONS[m['location']]}")
        time = m.get("timestampFormat") or target.get("timestampFormat")
        if time:
            f.append(f".time = {TIMES[time]}")
        if name in shape.get("required", []):
            f.append(".required = true")
        if shape.get("payload") == name:
            f.append(".payload = true")
        if m.get("flattened") or target.get("flattened"):
            f.append(".flattened = true")
        if m.get("sensitive") or target.get("sensitive"):
            f.append(".sensitive = true")
        for fact, field in (("xmlAttribute", "xml_attribute"),
                            ("idempotencyToken", "idempotency_token"), ("hostLabel", "host_label")):
            if m.get(fact):
                f.append(f".{field} = true")
        if "xmlNamespace" in m:
            f += self.ns_facts(m["xmlNamespace"])
        return "    {" + ", ".join(f) + "},"

    def op_row(self, name, op, error_rows):
        http = op["http"]
        f = [f".name = {c_str(name)}, .http_method = {c_str(http.get('method', 'POST'))}, "
             f".http_uri = {c_str(http.get('requestUri', '/'))}, "
             f".http_status = {http.get('responseCode', 200)}"]
        for part in ("input", "output"):
            if part in op:
                ref = op[part]["shape"]
                f.append(f".{part} = {self.ref(ref)}, "
                         f".{part}_size = sizeof({self.struct_name(ref)})")
                if any(self.is_stream(m) for m in self.shapes[ref].get("members", {}).values()):
                    f.append(f".streaming_{part} = true")
        if "locationName" in op.get("input", {}):
            f.append(f".input_xml_name = {c_str(op['input']['locationName'])}")
        if "xmlNamespace" in op.get("input", {}):
            ns = op["input"]["xmlNamespace"]
            f.append(f".input_xml_ns = {c_str(ns if isinstance(ns, str) else ns['uri'])}")
        if "resultWrapper" in op.get("output", {}):
            f.append(f".result_wrapper = {c_str(op['output']['resultWrapper'])}")
        f.append(f".errors = &er[{len(error_rows)}]")
        error_rows += [self.ref(e) + "," for e in op.get("errors", [])] + ["NULL,"]
        checksum = op.get("httpChecksum", {})
        if checksum.get("requestChecksumRequired") or op.get("httpChecksumRequired"):
            f.append(".checksum_required = true")
        if "requestAlgorithmMember" in checksum:
            f.append(f".checksum_member = {c_str(checksum['requestAlgorithmMember'])}")
        return "    {" + ", ".join(f) + "},"

    def route_rows(self):
        rows, needs = [], ["    {0},"]
        ops = sorted(self.m["operations"])
        for name, r in sorted(self.m.get("routes", {}).items()):
            f = [f".name = {c_str(name)}, .http_method = {c_str(r['method'])}, "
                 f".http_uri = {c_str(r['requestUri'])}"]
            if name in self.m["operations"]:
                f.append(f".op = &ops[{ops.index(name)}]")
            if r.get("deprecated"):
                f.append(".deprecated = true")
            f.append(f".needs = &nd[{len(needs)}]" if r.get("needs") else ".needs = nd")
            for loc, wire in r.get("needs", []):
                needs.append(f"    {{{LOCATIONS[loc]}, {c_str(wire)}}},")
            if r.get("needs"):
                needs.append("    {0},")
            rows.append("    {" + ", ".join(f) + "},")
        return rows, needs

    def protocols(self):
        meta = self.m["metadata"]
        out = []
        for p in meta["protocols"]:
            if p == "json":
                out.append("PROTO_JSON10" if meta.get("jsonVersion") == "1.0" else "PROTO_JSON11")
            elif p in PROTOCOLS:
                out.append(PROTOCOLS[p])
        if not out:
            sys.exit(f"gen_model: {self.room} speaks no protocol that is known here.")
        return out

    def source(self):
        meta = self.m["metadata"]
        member_rows, error_rows = [], []
        shape_rows = [self.shape_row(n, member_rows) for n in self.order]
        op_rows = [self.op_row(n, o, error_rows) for n, o in sorted(self.m["operations"].items())]
        routes, needs = self.route_rows()
        ns = meta.get("xmlNamespace")
        ns = ns.get("uri") if isinstance(ns, dict) else ns
        protos = self.protocols()
        out = [f"/* Made by tools/gen_model.py from {self.room}'s model.json. Do not edit. */",
               f'#include "{self.header_name}"', ""]
        if shape_rows:
            out.append(f"static const struct shape sh[{len(shape_rows)}];")
        if self.need_stream:
            out.append("static const struct shape sh_stream = {.name = \"Stream\", "
                       ".kind = SH_STREAM, .size = sizeof(struct str)};")
        for values, cname in self.strings.items():
            out.append(f"static const char *const {cname}[] = {{" +
                       ", ".join(c_str(v) for v in values) + ", NULL};")
        for entry in self.patterns.values():
            if entry:
                out.append(f"static const unsigned char {entry[0]}[] = {{" +
                           ", ".join(str(b) for b in entry[1]) + "};")
        if member_rows:
            out += ["static const struct shape_member mb[] = {"] + member_rows + ["};"]
        if shape_rows:
            out += [f"static const struct shape sh[{len(shape_rows)}] = {{"] + shape_rows + ["};"]
        out += ["static const struct shape *const er[] = {", "    " + " ".join(error_rows), "};"]
        out += ["static const struct op_model ops[] = {"] + op_rows + ["};"]
        if routes:
            out += ["static const struct op_need nd[] = {"] + needs + ["};"]
            out += ["static const struct op_route routes[] = {"] + routes + ["};"]
        out += ["static const char *const all_ops[] = {"]
        out += [f"    {c_str(n)}," for n in sorted(self.m["all"])] + ["    NULL,", "};"]
        out += ["static const enum protocol protocols[] = {" + ", ".join(protos) + "};", "",
                f"const struct service_model {c_name(self.room)}_model = {{",
                f"    .name = {c_str(self.room)},",
                f"    .api_version = {c_str(meta['apiVersion'])},",
                f"    .signing_name = {c_str(meta.get('signingName', meta['endpointPrefix']))},",
                f"    .endpoint_prefix = {c_str(meta['endpointPrefix'])},",
                f"    .service_id = {c_str(meta.get('serviceId'))},",
                f"    .target_prefix = {c_str(meta.get('targetPrefix'))},",
                f"    .xml_ns = {c_str(ns)},",
                "    .protocols = protocols,", f"    .n_protocols = {len(protos)},",
                "    .ops = ops,", f"    .n_ops = {len(op_rows)},", "    .all_ops = all_ops,"]
        if routes:
            out += ["    .routes = routes,", f"    .n_routes = {len(routes)},"]
        if "awsQueryCompatible" in meta:
            out.append("    .query_compatible = true,")
        out += ["};", ""]
        return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("header")
    parser.add_argument("source")
    parser.add_argument("--verbose", action="store_true", help="list relaxed and skipped patterns")
    args = parser.parse_args()
    with open(args.model, encoding="utf-8") as f:
        generator = Generator(json.load(f), os.path.basename(args.header))
    for path, text in ((args.header, generator.header()), (args.source, generator.source())):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    if args.verbose:
        sys.stderr.write("".join(n + "\n" for n in generator.notes))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The codecs against botocore, for every operation of thirteen services.

    codec_oracle.py --work DIR [--seed N] [--rounds N] [--services kms,s3] [--old-botocore DIR]

Imports the complete models into DIR, generates and compiles them together with the codecs and
codec_oracle.c, and then, with random values made from the shapes:
  requests   botocore serialises, the C side decodes, and must have got the same values; for REST
             protocols the C side also has to find the operation by its route;
  responses  the C side encodes, botocore parses, and must have got the same values;
  patterns   the C matcher agrees with Python's re, on values made from the pattern and spoilt ones.
Runs by the Python of the tests' clients where WARD_VENV names them, else by one that has botocore
(this one, or that of .deps/venv), and exits 77 (skipped) where there is none. --old-botocore names the data folder of a
release before 1.31.81, whose SQS model is of the query protocol.
"""
import argparse
import base64
import datetime
import email.utils
import glob
import gzip
import json
import os
import random
import re
import string
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree


def clients_python():
    """The Python of the tests' own clients, which `make test` names in WARD_VENV; None: there is none,
    or it is this one."""
    venv = os.environ.get("WARD_VENV") or os.path.join(
        os.path.abspath(__file__).rsplit("/src/", 1)[0], ".deps", "venv")
    path = os.path.join(venv, "bin", "python")
    here = os.path.realpath(sys.prefix) == os.path.realpath(venv)
    return path if os.path.exists(path) and not here else None


if "WARD_VENV" in os.environ and clients_python():
    os.execv(clients_python(), [clients_python(), *sys.argv])
try:
    import botocore
    import botocore.awsrequest
    import botocore.model
    import botocore.parsers
    import botocore.serialize
except ImportError:
    if clients_python():
        os.execv(clients_python(), [clients_python(), *sys.argv])
    print("codec_oracle: botocore is not installed (WARD_VENV names a folder with one).")
    sys.exit(1 if "WARD_VENV" in os.environ else 77)  # where it is named it has to be there
try:
    from re import _constants as sre, _parser as sre_parse
except ImportError:
    import sre_constants as sre
    import sre_parse

SERVICES = ("kms sts iam s3 sns sqs lambda cloudtrail logs cloudformation ec2 events "
            "monitoring").split()
FOLDERS = {"monitoring": "cloudwatch"}  # botocore's names where the room's differ
KNOWN = ("json", "rest-json", "rest-xml", "query", "ec2")
HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.dirname(os.path.dirname(HERE))
ROOT = os.path.dirname(SRC)
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-g", "-O1", "-w", "-I", SRC]
# A superseded answer in which the members Event and Events share one name on the wire.
AMBIGUOUS = ("GetBucketNotification",)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


# --- building

def build(work, services, sanitize):
    san = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"] if sanitize else []
    os.makedirs(work, exist_ok=True)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    objects = []

    def compile_one(source, name, compiler="gcc", flags=FLAGS):
        out = os.path.join(work, name + ".o")
        headers = glob.glob(os.path.join(SRC, "api", "*.h")) + glob.glob(
            os.path.join(SRC, "core", "*.h"))
        newest = max(os.path.getmtime(p) for p in [source] + headers)
        if not os.path.exists(out) or os.path.getmtime(out) < newest:
            subprocess.run([compiler] + flags + san + ["-I", work, "-c", source, "-o", out],
                           check=True)
        objects.append(out)

    # What was made for other services, or of another botocore's models, is made anew.
    stamp = os.path.join(work, "oracle_services.h")
    text = "#define ORACLE_SERVICES(X) " + " ".join(f"X({s})" for s in services) + \
        f"\n/* botocore {botocore.__version__} */\n"
    if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != text:
        for path in glob.glob(os.path.join(work, "*.o")) + glob.glob(
                os.path.join(work, "*_model.c")):
            os.remove(path)
        with open(stamp, "w", encoding="utf-8") as f:
            f.write(text)
    tools = os.path.join(ROOT, "tools")
    newest_tool = max(os.path.getmtime(p) for p in glob.glob(os.path.join(tools, "*_model.py")))
    for s in services:
        base = os.path.join(work, s)
        if not os.path.exists(base + "_model.c") or \
                os.path.getmtime(base + "_model.c") < newest_tool:
            subprocess.run([sys.executable, os.path.join(tools, "import_model.py"), s, "--ops",
                            "all", "--out", base + ".json"], check=True, env=env,
                           stdout=subprocess.DEVNULL)
            subprocess.run([sys.executable, os.path.join(tools, "gen_model.py"), base + ".json",
                            base + "_model.h", base + "_model.c"], check=True)
        compile_one(base + "_model.c", s + "_model")
    for path in sorted(glob.glob(os.path.join(SRC, "core", "*.c"))):
        if os.path.basename(path) != "yaml.c":
            compile_one(path, "core_" + os.path.basename(path)[:-2])
    compile_one(os.path.join(SRC, "core", "jsonparse.cpp"), "core_jsonparse", "g++",
                ["-std=c++17", "-g", "-O1", "-w", "-I", SRC])
    with open(os.path.join(SRC, "api", "codec_files.txt"), encoding="utf-8") as f:
        for name in f.read().split():
            compile_one(os.path.join(SRC, "api", name), "api_" + name[:-2])
    compile_one(os.path.join(HERE, "codec_oracle.c"), "codec_oracle")
    program = os.path.join(work, "codec_oracle")
    subprocess.run(["g++"] + san + objects + ["-o", program, "-lsimdjson", "-lexpat", "-lm",
                                              "-lpthread"], check=True)
    return program


class Program:
    def __init__(self, path):
        self.p = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        self.p.stdin.write(json.dumps(question).encode() + b"\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        if not line:
            sys.exit(f"codec_oracle: the C side died on {json.dumps(question)[:2000]}")
        return json.loads(line)


# --- random values

TEXT = string.ascii_letters + string.digits + " -_./:=+@,;%&<>\"'\\?#[]{}()|~^`$*!\n\t" + \
    "\u00e9\u00df\u4e2d\U0001f600"
HEADER_TEXT = string.ascii_letters + string.digits + "-_./:=+@"


class Maker:
    """Makes values that the given place can carry."""

    def __init__(self, rng, protocol):
        self.rng = rng
        self.protocol = protocol
        # Some releases of botocore cut the milliseconds off.
        serializer = botocore.serialize.create_serializer(protocol, False)
        half = EPOCH + datetime.timedelta(milliseconds=500)
        self.whole = protocol.endswith("json") and serializer._timestamp_unixtimestamp(half) == 0

    def text(self, place):
        rng = self.rng
        if place == "header":
            return "".join(rng.choice(HEADER_TEXT) for _ in range(rng.randint(1, 12)))
        s = "".join(rng.choice(TEXT) for _ in range(rng.randint(1, 14)))
        if place == "label":
            return s.replace("/", "") or "x"
        if place == "greedy":
            return s if rng.random() < 0.8 else "/" + s + "/"
        return s if rng.random() < 0.9 else ""

    def token(self):
        return "".join(self.rng.choice("abcxyz059-_.") for _ in range(self.rng.randint(1, 9)))

    def time(self, whole):
        ms = self.rng.randrange(0, 4102444800) * 1000
        if not whole and self.rng.random() < 0.5:
            ms += self.rng.randrange(1000)
        return EPOCH + datetime.timedelta(milliseconds=ms)

    def value(self, shape, place="body", depth=0):
        rng = self.rng
        t = shape.type_name
        if t == "structure":
            return self.struct(shape, depth + 1)
        if t == "list":
            low = 1 if place != "body" or self.protocol != "json" else 0
            return [self.value(shape.member, place, depth + 1)
                    for _ in range(rng.randint(low, 1 if depth > 4 else 3))]
        if t == "map":
            low = 1 if place != "body" or self.protocol != "json" else 0
            return {(self.token() if place == "header" else
                     self.value(shape.key, "body", depth + 1) or "k"):
                    self.value(shape.value, place, depth + 1)
                    for _ in range(rng.randint(low, 2))}
        if t == "string":
            enum = shape.metadata.get("enum")
            if enum and rng.random() < 0.8:
                return rng.choice(enum)
            return self.text(place)
        if t == "blob":
            return bytes(rng.randrange(256) for _ in range(rng.randint(0, 20)))
        if t == "boolean":
            return rng.random() < 0.5
        if t == "integer":
            return rng.choice([0, 1, -1, 2147483647, -2147483648, rng.randrange(1 << 30)])
        if t == "long":
            return rng.choice([0, 1, 1 << 53, -(1 << 62), rng.randrange(1 << 50)])
        if t in ("float", "double"):
            return rng.choice([0.0, 0.5, 1.0, -2.25, 1e20, 123456.789, rng.random()])
        if t == "timestamp":
            form = shape.serialization.get("timestampFormat")
            return self.time(self.whole or place != "body" or form == "rfc822")
        raise AssertionError(t)

    def struct(self, shape, depth=0, direction="body"):
        out = {}
        chance = 0.85 if depth < 2 else (0.5 if depth < 5 else 0.0)
        members = list(shape.members.items())
        union = getattr(shape, "is_tagged_union", False)
        if union:
            flat = [x for x in members if x[1].type_name != "structure"]
            members = [self.rng.choice(flat if flat and depth > 4 else members)]
        for name, m in members:
            location = m.serialization.get("location")
            required = name in shape.required_members or location == "uri" or union
            if not required and self.rng.random() > chance:
                continue
            if m.serialization.get("eventstream") or m.serialization.get("streaming"):
                continue
            if depth > 8 and not union and m.type_name in ("structure", "list", "map"):
                continue
            out[name] = self.value(m, self.place(m, location), depth)
            if name == "RequestRoute":
                out[name] = "route-1"  # part of the host's name
            if name == shape.serialization.get("payload") and m.type_name == "blob":
                out[name] = self.text("header").encode()  # botocore takes it for text
        if not out and self.protocol in ("query", "ec2"):  # which cannot say "empty"
            simple = [(n, m) for n, m in members
                      if m.type_name not in ("structure", "list", "map")]
            if simple:
                out[simple[0][0]] = self.value(simple[0][1], "body", depth)
        return out

    @staticmethod
    def place(m, location):
        if location in ("header", "headers"):
            return "header"
        if location == "uri":
            return "greedy" if m.serialization.get("name") == "Key" else "label"
        return "query" if location == "querystring" else "body"


# --- comparing

def millis(value):
    """A timestamp in milliseconds, whatever the side has made of it."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return round((value - EPOCH) / datetime.timedelta(milliseconds=1))
    if isinstance(value, str):
        if value.endswith("GMT"):
            return millis(email.utils.parsedate_to_datetime(value))
        text = value.replace("Z", "+00:00")
        return millis(datetime.datetime.fromisoformat(text))
    return round(value * 1000)


def plain(shape, value):
    """Values as comparable JSON: bytes as base64, times as milliseconds."""
    t = shape.type_name
    if value is None:
        return None
    if t == "structure":
        return {n: plain(shape.members[n], v) for n, v in value.items()
                if n in shape.members and v is not None and
                not shape.members[n].serialization.get("eventstream") and
                not is_stream(shape.members[n])}
    if t == "list":
        return [plain(shape.member, v) for v in value]
    if t == "map":
        return {k: plain(shape.value, v) for k, v in value.items()}
    if t == "blob":
        if hasattr(value, "read"):
            value = value.read()
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value
    if t == "timestamp":
        return millis(value)
    if t in ("float", "double"):
        return float(value)
    return value


def pruned(value):
    """Without empty structures and lists, which the query protocols cannot say."""
    if isinstance(value, dict):
        out = {k: pruned(v) for k, v in value.items()}
        return {k: v for k, v in out.items() if v not in ({}, [])}
    if isinstance(value, list):
        return [v for v in map(pruned, value) if v not in ({}, [])]
    return value


def is_stream(m):
    return bool(m.serialization.get("streaming") or m.serialization.get("eventstream"))


def to_json(shape, value):
    """For the C side's shape_from_json."""
    t = shape.type_name
    if t == "structure":
        return {n: to_json(shape.members[n], v) for n, v in value.items()}
    if t == "list":
        return [to_json(shape.member, v) for v in value]
    if t == "map":
        return {k: to_json(shape.value, v) for k, v in value.items()}
    if t == "blob":
        return base64.b64encode(value).decode()
    if t == "timestamp":
        return millis(value) / 1000
    return value


# --- the tests

class Oracle:
    def __init__(self, program, rng, verbose):
        self.c = program
        self.rng = rng
        self.verbose = verbose
        self.counts = {}
        self.failures = []

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, where, text):
        self.failures.append(f"{where}: {text}")

    def request(self, room, op, protocol, wire_name, by_route):
        maker = Maker(self.rng, protocol)
        shape = op.input_shape
        params = maker.struct(shape) if shape else {}
        serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
        try:
            prepared = self.prepare(serializer, params, op, room)
        except UnicodeEncodeError:
            return
        url = urllib.parse.urlsplit(prepared.url)
        body = prepared.body or b""
        body = body.encode() if isinstance(body, str) else body
        if hasattr(body, "read"):
            body = body.read()
        headers = [[k, v.decode() if isinstance(v, bytes) else str(v)]
                   for k, v in prepared.headers.items()]
        got = self.c.ask(cmd="decode", service=room, op=None if by_route else op.name,
                         proto=wire_name, method=prepared.method, path=url.path, query=url.query,
                         headers=headers, body=base64.b64encode(body).decode())
        where = f"{room} {op.name} {wire_name} request"
        self.count("requests" if not by_route else "routed requests")
        if "error" in got:
            self.fail(where, f"{got} for {params}")
        elif got["op"] != op.name and not self.same_route(op.name, got["op"]):
            self.fail(where, f"was routed to {got['op']} ({prepared.method} {prepared.url})")
        elif shape:
            want, have = plain(shape, params), plain(shape, got["input"])
            payload = shape.serialization.get("payload")
            if protocol in ("query", "ec2"):
                want, have = pruned(want), pruned(have)
            elif want.get(payload) == "":  # as good as no body
                del want[payload]
            elif payload not in want and have.get(payload) == {}:  # sent as "{}"
                del have[payload]
            if "ContentLength" not in want:
                have.pop("ContentLength", None)  # the header is HTTP's own
            if want != have and got["op"] == op.name:
                self.fail(where, f"\n  want {want}\n  have {have}\n  body {body[:1500]!r}")

    @staticmethod
    def same_route(a, b):
        """Pairs that the model gives one and the same route: an older form of an operation, and
        ListDirectoryBuckets, which differs by its host."""
        older = {"GetBucketLifecycle": "GetBucketLifecycleConfiguration",
                 "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
                 "GetBucketNotification": "GetBucketNotificationConfiguration",
                 "PutBucketNotification": "PutBucketNotificationConfiguration",
                 "ListDirectoryBuckets": "ListBuckets"}
        return older.get(a) == b

    @staticmethod
    def prepare(serializer, params, op, room):
        request = serializer.serialize_to_request(params, op)
        if room == "s3" and request["url_path"].startswith("/{Bucket}"):
            raise AssertionError("unfilled label")
        botocore.awsrequest.prepare_request_dict(request, "http://127.0.0.1", user_agent="test")
        return botocore.awsrequest.create_request_object(request).prepare()

    def response(self, room, op, protocol, wire_name):
        maker = Maker(self.rng, protocol)
        shape = op.output_shape
        params = maker.struct(shape) if shape else {}
        for name, m in (shape.members if shape else {}).items():
            if m.serialization.get("location") == "statusCode":
                params[name] = self.rng.choice([200, 202, 204])
        got = self.c.ask(cmd="encode", service=room, op=op.name, proto=wire_name,
                         output=to_json(shape, params) if shape else {})
        where = f"{room} {op.name} {wire_name} response"
        self.count("responses")
        if "error" in got:
            self.fail(where, f"{got} for {params}")
            return
        body = base64.b64decode(got["body"])
        headers = botocore.awsrequest.HeadersDict()
        for k, v in got["headers"]:
            headers[k] = v
        parser = botocore.parsers.create_parser(protocol)
        answer = {"status_code": got["status"], "headers": headers, "body": body, "context": {}}
        stream_of = [n for n, m in (shape.members if shape else {}).items() if is_stream(m)]
        if stream_of and op.has_event_stream_output:
            return
        parsed = parser.parse(answer, shape)
        if op.name == "GetBucketLocation":  # without a wrapper; botocore has a hook for it
            root = xml.etree.ElementTree.fromstring(body)
            parsed["LocationConstraint"] = root.text or ""
        meta = parsed.pop("ResponseMetadata", {})
        if protocol != "rest-xml" and "RequestId" not in meta:
            self.fail(where, "no request id")
        if shape:
            payload = shape.serialization.get("payload")
            if isinstance(parsed.get(payload), str) and shape.members[payload].type_name == "blob":
                parsed[payload] = parsed[payload].encode()
            want, have = plain(shape, params), plain(shape, parsed)
            if not self.same_output(shape, want, have):
                self.fail(where, f"\n  want {want}\n  have {have}\n  body {body[:3000]!r}")

    def same_output(self, shape, want, have):
        """botocore makes up an empty list for an absent flattened one, and the like."""
        if isinstance(want, dict) and isinstance(have, dict) and shape.type_name == "structure":
            for name in set(want) | set(have):
                m = shape.members.get(name)
                a, b = want.get(name), have.get(name)
                if a is None and b in ([], {}, "", None) or b is None and a in ([], {}):
                    continue
                if a is None or b is None or not self.same_output(m, a, b):
                    return False
            return True
        if isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
            return all(self.same_output(shape.member, a, b) for a, b in zip(want, have))
        if isinstance(want, dict) and isinstance(have, dict):
            return want.keys() == have.keys() and \
                all(self.same_output(shape.value, want[k], have[k]) for k in want)
        return want == have

    def error(self, room, op, protocol, wire_name):
        parser = botocore.parsers.create_parser(protocol)
        for e in op.error_shapes[:3] or [None]:
            code = e.error_code if e else "SomethingOdd"
            got = self.c.ask(cmd="error", service=room, op=op.name, proto=wire_name, code=code,
                             status=400, message="It \"went\" <wrong> & \u00e9.")
            self.count("errors")
            body = base64.b64decode(got["body"])
            headers = botocore.awsrequest.HeadersDict()
            for k, v in got["headers"]:
                headers[k] = v
            parsed = parser.parse({"status_code": got["status"], "headers": headers, "body": body,
                                   "context": {}}, op.output_shape)
            if op.http.get("method") == "HEAD":
                if body or parsed["Error"]["Code"] != "400":
                    self.fail(f"{room} {op.name} error", f"a body for HEAD: {parsed}")
                continue
            names = {code, e.name if e else code}
            if parsed["Error"]["Code"] not in names and \
                    parsed["Error"].get("QueryErrorCode") not in names:
                self.fail(f"{room} {op.name} {wire_name} error", f"{code}: {parsed}")
            if parsed["Error"]["Message"] != "It \"went\" <wrong> & \u00e9.":
                self.fail(f"{room} {op.name} {wire_name} error", f"message: {parsed}")


# --- patterns

class PatternMaker:
    """Values that a pattern matches, made along its parse tree."""

    def __init__(self, rng):
        self.rng = rng

    def make(self, tree):
        out = []
        for op, arg in tree:
            if op is sre.LITERAL:
                out.append(chr(arg))
            elif op is sre.NOT_LITERAL:
                out.append("q" if arg != ord("q") else "z")
            elif op is sre.ANY:
                out.append(self.rng.choice("aZ0-\u00e9"))
            elif op is sre.IN:
                out.append(self.one_of(arg))
            elif op is sre.BRANCH:
                out.append(self.make(self.rng.choice(arg[1])))
            elif op is sre.SUBPATTERN:
                out.append(self.make(arg[-1]))
            elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
                lo, hi, inner = arg
                hi = min(int(hi), lo + 3)
                out.append("".join(self.make(inner) for _ in range(self.rng.randint(lo, hi))))
            elif op is sre.AT:
                pass
            else:
                raise ValueError(op)
        return "".join(out)

    def one_of(self, items):
        negate = items[0][0] is sre.NEGATE
        for _ in range(200):
            c = self.rng.choice(string.printable[:95] + "\t\n\u00e9") if negate else \
                self.from_item(self.rng.choice(items))
            if c is not None and (not negate or not re.match(self.class_text(items), c)):
                return c
        return "a"

    def from_item(self, item):
        op, arg = item
        if op is sre.LITERAL:
            return chr(arg)
        if op is sre.RANGE:
            lo, hi = arg
            c = self.rng.randint(lo, min(hi, lo + 100))
            return None if 0xD800 <= c < 0xE000 else chr(c)
        if op is sre.CATEGORY:
            return {sre.CATEGORY_DIGIT: "7", sre.CATEGORY_WORD: "w", sre.CATEGORY_SPACE: " ",
                    sre.CATEGORY_NOT_SPACE: "s", sre.CATEGORY_NOT_DIGIT: "d",
                    sre.CATEGORY_NOT_WORD: "-"}[arg]
        return None

    @staticmethod
    def class_text(items):
        out = []
        for op, arg in items[1:]:
            if op is sre.LITERAL:
                out.append(re.escape(chr(arg)))
            elif op is sre.RANGE:
                out.append(re.escape(chr(arg[0])) + "-" + re.escape(chr(arg[1])))
            elif op is sre.CATEGORY:
                out.append({sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_WORD: r"\w",
                            sre.CATEGORY_SPACE: r"\s"}.get(arg, ""))
        return "[" + "".join(out) + "]"


def test_patterns(oracle, room, model, rng):
    seen = set()
    for op_name in model.operation_names:
        op = model.operation_model(op_name)
        for shape in all_shapes(op.input_shape):
            pattern = shape.metadata.get("pattern")
            if not pattern or shape.name in seen:
                continue
            seen.add(shape.name)
            if r"\p" in pattern or "(?" in pattern or r"\b" in pattern or r"\u10000" in pattern \
                    or r"\uD800" in pattern or r"\S" in pattern or "^.{" in pattern:
                continue
            try:
                compiled = re.compile(pattern, re.ASCII)
                tree = sre_parse.parse(pattern, re.ASCII)
            except re.error:
                continue
            maker = PatternMaker(rng)
            values = ["", "a"]
            for _ in range(30):
                v = maker.make(tree)
                values.append(v)
                at = rng.randint(0, len(v))
                values.append(v[:at] + rng.choice("aA0- :/\u00e9{") + v[at:])
                values.append(v[:at] + v[at + 1:])
            values = [v for v in values if not v.endswith("\n") and "\r" not in v]
            got = oracle.c.ask(cmd="pattern", service=room, op=op_name, shape=shape.name,
                               values=values)
            if "error" in got:
                oracle.fail(f"{room} {shape.name} pattern", f"{got} {pattern}")
                continue
            for v, match in zip(values, got["matches"]):
                oracle.count("pattern values")
                if match != bool(compiled.fullmatch(v)):
                    oracle.fail(f"{room} {shape.name} pattern", f"{pattern} on {v!r}: {match}")
    oracle.counts["patterns"] = oracle.counts.get("patterns", 0) + len(seen)


def all_shapes(shape, seen=None):
    seen = set() if seen is None else seen
    if shape is None or shape.name in seen:
        return
    seen.add(shape.name)
    yield shape
    if shape.type_name == "structure":
        for m in shape.members.values():
            yield from all_shapes(m, seen)
    elif shape.type_name == "list":
        yield from all_shapes(shape.member, seen)
    elif shape.type_name == "map":
        yield from all_shapes(shape.key, seen)
        yield from all_shapes(shape.value, seen)


def protocols_of(model):
    """Pairs of botocore's name and the C side's."""
    listed = model.metadata.get("protocols", [model.metadata["protocol"]])
    json_name = "json" + model.metadata.get("jsonVersion", "1.1")
    return [(p, json_name if p == "json" else p) for p in listed if p in KNOWN]


def test_service(oracle, room, model, rounds):
    for protocol, wire in protocols_of(model):
        for name in model.operation_names:
            op = model.operation_model(name)
            for _ in range(rounds):
                oracle.request(room, op, protocol, wire, protocol.startswith("rest-"))
                if name not in AMBIGUOUS:
                    oracle.response(room, op, protocol, wire)
            oracle.error(room, op, protocol, wire)


def load_model(data_dir, room):
    """The model as AWS publishes it, without what botocore's loader lays over it."""
    folder = os.path.join(data_dir, FOLDERS.get(room, room))
    path = sorted(glob.glob(os.path.join(folder, "*", "service-2.json*")))[-1]
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return botocore.model.ServiceModel(json.load(f), room)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", required=True)
    parser.add_argument("--program", help="an already built codec_oracle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--services", default=",".join(SERVICES))
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--old-botocore")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    services = args.services.split(",")
    program = args.program or build(args.work, services, args.sanitize)
    rng = random.Random(args.seed)
    oracle = Oracle(Program(program), rng, args.verbose)
    data = os.path.join(os.path.dirname(botocore.__file__), "data")
    for room in services:
        model = load_model(data, room)
        test_service(oracle, room, model, args.rounds)
        test_patterns(oracle, room, model, rng)
    if args.old_botocore:
        test_service(oracle, "sqs", load_model(args.old_botocore, "sqs"), args.rounds * 5)
    for f in oracle.failures[:None if args.verbose else 20]:
        print("FAIL", f[:6000])
    print(", ".join(f"{n} {k}" for k, n in oracle.counts.items()) +
          f", {len(oracle.failures)} failures (seed {args.seed})")
    sys.exit(1 if oracle.failures else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Policies, decided twice: by the C engine (through policy_tool) and by the evaluator below, which
is written from AWS's documentation alone and shares nothing with the engine.

    policy_differential.py TOOL [CASES [SEED]]

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
reference_policies_elements_*.html, reference_policies_variables.html. The questions are random, of
small vocabularies, so that statements meet requests often; at the end every rule that the evaluator
knows must have been seen to hold and to fail."""
import base64
import collections
import datetime
import decimal
import ipaddress
import json
import random
import re
import subprocess
import sys

MINE, OTHER = "111122223333", "444455556666"
seen = collections.Counter()  # (rule, held) -> times


def note(rule, held):
    seen[rule, bool(held)] += 1
    return held


# -- the evaluator --------------------------------------------------------------------------------

NULL = object()  # a policy variable without a value


class Request:
    def __init__(self, q):
        self.who, self.action, self.on = q["who"], q["action"], q["on"]
        self.owner = q["of"] or self.who.get("account", "")
        who = self.who
        keys = {"aws:principaltype": {
            "user": "User", "role": "AssumedRole", "root": "Account", "anonymous": "Anonymous",
            "service": "Service"}[who["kind"]],
            "aws:principalisawsservice": "true" if who["kind"] == "service" else "false"}
        for key, part in (("aws:principalarn", "arn"), ("aws:principalaccount", "account"),
                          ("aws:userid", "id"), ("aws:principalservicename", "service")):
            if who.get(part):
                keys[key] = who[part]
        if who["kind"] == "user":
            keys["aws:username"] = who["name"]
        if self.owner:
            keys["aws:resourceaccount"] = self.owner
        keys.update({k.lower(): v for k, v in q["ctx"].items()})
        self.keys = keys

    def values(self, key):
        v = self.keys.get(key.lower(), [])
        return v if isinstance(v, list) else [v]


def tokens(text, version, wild):
    """The pattern as a list: characters, ANY, ONE, and ("var", key, default)."""
    out, i = [], 0
    while i < len(text):
        m = re.match(r"\$\{([^}]*)\}", text[i:]) if version == "2012-10-17" else None
        if m:
            key, _, default = m.group(1).partition(",")
            if key in ("*", "?", "$"):
                out.append(key)
            else:
                out.append(("var", key.strip(), default.strip()[1:-1] if default else NULL))
            i += m.end()
            continue
        out.append({"*": "ANY", "?": "ONE"}.get(text[i], text[i]) if wild else text[i])
        i += 1
    return out


def expression(parts, request):
    """A regular expression, or NULL when a variable has no value: nothing is equal or like it."""
    out = []
    for t in parts:
        if t == "ANY":
            out.append(".*")
        elif t == "ONE":
            out.append(".")
        elif isinstance(t, tuple):
            values = request.values(t[1])
            value = values[0] if len(values) == 1 else t[2]
            note("variable " + ("has no value" if value is NULL else
                                "from the request" if len(values) == 1 else "by default"), True)
            if value is NULL:
                return NULL
            out.append(re.escape(value))
        else:
            out.append(re.escape(t))
    return "".join(out)


def matches(parts, request, text, fold=False):
    e = expression(parts, request)
    return e is not NULL and re.fullmatch(e, text, re.S | (re.I if fold else 0)) is not None


def arn_matches(text, version, request, arn, fill):
    """Part by part: no wildcard reaches over a colon, but in the last part."""
    parts, part, whole = [], [], tokens(text, version, True)
    if isinstance(whole[0], tuple):  # a variable that stands for an ARN
        return arn.startswith("arn:") and arn.count(":") >= 5 and matches(whole, request, arn)
    for t in whole:
        if t == ":" and len(parts) < 5:
            parts.append(part)
            part = []
        else:
            part.append(t)
    parts.append(part)
    if len(parts) < 6:
        if not fill:
            return False
        parts += [["ANY"]] * (6 - len(parts))
    have = arn.split(":", 5)
    if len(have) < 6 or have[0] != "arn":
        return False
    return all([matches(p, request, h) for p, h in zip(parts, have)])


def date(text):
    if re.fullmatch(r"-?\d+", text):
        return datetime.datetime.fromtimestamp(int(text), datetime.timezone.utc)
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def ordered(x, y, how):
    return {"Equals": x == y, "LessThan": x < y, "LessThanEquals": x <= y, "GreaterThan": x > y,
            "GreaterThanEquals": x >= y}[how]


def compare(operator, want, version, request, value):
    """One value of the policy with one of the request, without negation."""
    if operator.startswith("String"):
        return matches(tokens(want, version, operator == "StringLike"), request, value,
                       "IgnoreCase" in operator)
    if operator.startswith("Arn"):
        return want == "*" or arn_matches(want, version, request, value, False)
    if operator == "Bool":
        return value.lower() == want.lower()
    if operator == "BinaryEquals":
        return base64.b64decode(want) == base64.b64decode(value)
    try:
        if operator.startswith("Numeric"):
            return ordered(decimal.Decimal(value), decimal.Decimal(want), operator[7:])
        if operator.startswith("Date"):
            return ordered(date(value), date(want), operator[4:])
        address, net = ipaddress.ip_address(value), ipaddress.ip_network(want, strict=False)
        return address.version == net.version and address in net
    except (decimal.InvalidOperation, ValueError):
        return False


def condition(full, key, wants, version, request):
    quantifier, _, operator = full.rpartition(":")
    if_exists = operator.endswith("IfExists")
    operator = operator[:-8] if if_exists else operator
    values = request.values(key)
    if operator == "Null":
        return note("Null", any((w == "true") == (not values) for w in wants))
    negated = "Not" in operator
    plain = operator.replace("Not", "")
    rule = (quantifier + ":" if quantifier else "") + operator
    if not values and if_exists:
        return note("IfExists, missing: " + (quantifier or "one"), True)
    if not values:
        return note("missing: " + (quantifier or "one") + (", negated" if negated else ""),
                    quantifier == "ForAllValues" or (not quantifier and negated))
    if quantifier and values == [""]:
        return note("empty string: " + quantifier, quantifier == "ForAllValues")
    each = [any([compare(plain, w, version, request, v) for w in wants]) for v in values]
    if quantifier == "ForAllValues":
        held = all(e != negated for e in each)
    elif quantifier == "ForAnyValue":
        held = any(e != negated for e in each)
    else:
        held = any(each) != negated
    return note(rule, held)


def as_list(v):
    return v if isinstance(v, list) else [v]


def action_applies(st, request):
    name = "Action" if "Action" in st else "NotAction"
    named = any(a == "*" or matches(tokens(a, "", True), request, request.action, True)
                for a in as_list(st[name]))
    return note(name, named == (name == "Action"))


def resource_applies(st, version, request):
    name = next((n for n in ("Resource", "NotResource") if n in st), None)
    if name is None:
        return True  # a trust policy
    named = any([r == "*" or arn_matches(r, version, request, request.on, True)
                 for r in as_list(st[name])])
    return note(name, named == (name == "Resource"))


def listed_as(kind, principal, who):
    """How an entry of Principal names the caller: None, or one of KINDS."""
    if kind == "*" or (kind == "AWS" and principal == "*"):
        return "anyone"
    if kind == "Service":
        return "service" if who.get("service") == principal else None
    if kind != "AWS" or who["kind"] not in ("user", "role", "root"):
        return None
    if principal in (who["account"], "arn:aws:iam::%s:root" % who["account"]):
        return "account"
    if who["kind"] == "role" and principal == who["session"]:
        return "session"
    if who["kind"] != "root" and principal in (who["arn"], who["id"], who["id"].split(":")[0]):
        return "arn"
    return None


def principals(block):
    if block == "*":
        return [("*", "*")]
    return [(k, p) for k, v in block.items() for p in as_list(v)]


def who_applies(st, request, bounded):
    """The ways in which the statement names the caller."""
    if "Principal" in st:
        named = {listed_as(k, p, request.who) for k, p in principals(st["Principal"])} - {None}
        for k in KINDS:
            note("Principal: " + k, k in named)
        return named
    if "NotPrincipal" not in st:
        return {"identity"}
    who = request.who
    named = {listed_as(k, p, who) for k, p in principals(st["NotPrincipal"])} - {None}
    needed = {"service": {"service"}, "anonymous": {"anyone"}, "root": {"account"},
              "user": {"account", "arn"}, "role": {"account", "arn", "session"}}[who["kind"]]
    spared = "anyone" in named or needed <= named
    if bounded:
        note("NotPrincipal with a boundary", True)
        spared = False
    return set() if note("NotPrincipal spares: " + who["kind"], spared) else {"anyone"}


KINDS = ("anyone", "service", "account", "session", "arn")


def grants(text, request, bounded=False):
    """(denied, the ways in which it allows)"""
    doc = json.loads(text)
    version = doc.get("Version", "2008-10-17")
    denied, ways = False, set()
    for st in as_list(doc["Statement"]):
        conditions = [condition(op, key, as_list(wants), version, request)
                      for op, block in st.get("Condition", {}).items()
                      for key, wants in block.items()]
        applies = [action_applies(st, request), resource_applies(st, version, request)]
        named = who_applies(st, request, bounded)
        if all(conditions) and all(applies) and named:
            denied = denied or st["Effect"] == "Deny"
            ways |= named if st["Effect"] == "Allow" else set()
    return denied, ways


def evaluate(q):
    r = Request(q)
    bounded = q["boundary"] is not None
    identity = [grants(p, r) for p in q["identity"]]
    session = [grants(p, r) for p in q["session"]]
    boundary = grants(q["boundary"], r) if bounded else (False, {"identity"})
    resource = grants(q["resource"], r, bounded) if q["resource"] else (False, set())
    if any(denied for denied, _ in identity + session + [boundary, resource]):
        return "explicit"
    kind, ways = r.who["kind"], resource[1]
    if kind in ("service", "anonymous"):
        return "allow" if ways else "implicit"
    by_identity = kind == "root" or any(w for _, w in identity)
    in_session = not session or any(w for _, w in session)
    capped = in_session and bool(boundary[1])
    if r.owner != r.who["account"]:
        return "allow" if note("across accounts", ways and by_identity and capped) else "implicit"
    if note("the session itself", "session" in ways):
        return "allow"
    if note("the user itself", kind == "user" and "arn" in ways and in_session):
        return "allow"
    if note("the role, or anyone", ways & {"arn", "anyone"} and capped):
        return "allow"
    if q["required"] and not ways:
        return "implicit"
    return "allow" if note("identity", by_identity and capped) else "implicit"


# -- the questions --------------------------------------------------------------------------------

USER = {"kind": "user", "account": MINE, "arn": f"arn:aws:iam::{MINE}:user/a/alice",
        "id": "AIDAALICEALICEALICE01", "name": "alice"}
ROLE = {"kind": "role", "account": MINE, "arn": f"arn:aws:iam::{MINE}:role/app",
        "session": f"arn:aws:sts::{MINE}:assumed-role/app/s1", "id": "AROAAPPAPPAPPAPPAPP01:s1",
        "name": "s1"}
ROOT = {"kind": "root", "account": MINE, "arn": f"arn:aws:iam::{MINE}:root", "id": MINE}
CALLERS = [USER] * 4 + [ROLE] * 4 + [ROOT, {"kind": "anonymous"},
                                     {"kind": "service", "service": "sns.amazonaws.com"}]
ACTIONS = ["s3:GetObject", "s3:PutObject", "kms:Decrypt", "sts:AssumeRole"]
ACTION_PATTERNS = ["*", "s3:*", "S3:getobject", "s3:Get*", "s3:?utObject", "kms:*", "kms:Decrypt",
                   "sts:AssumeRole", "*:*", "s3:*Object", "iam:*"]
RESOURCES = ["arn:aws:s3:::b/k", "arn:aws:s3:::b/alice/x", "arn:aws:s3:::b",
             f"arn:aws:kms:us-east-1:{MINE}:key/1", f"arn:aws:logs:eu-west-1:{MINE}:log-group:/a:b",
             f"arn:aws:iam::{MINE}:role/app", "*"]
RESOURCE_PATTERNS = ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::*", "arn:aws:s3:::b/?", "arn:aws:s3",
                     "arn:aws:s3:*", "arn:aws:s3:::B/k", "arn:*:kms:*:*:key/*",
                     f"arn:aws:kms:us-*:{MINE}:key/?", "arn:aws:kms:us-*:key/1",
                     "arn:aws:logs:*:*:log-group:*", "arn:aws:logs:*:log-group:/a:b",
                     f"arn:aws:iam::{MINE}:role/${{x:role, 'app'}}",
                     "arn:aws:s3:::b/${aws:username}/*",
                     "arn:aws:s3:::b/${x:word}", "arn:aws:s3:::${x:none}/*", "arn:aws:s3:::b/${*}",
                     "arn:aws:s3:::b/${aws:username, 'nobody'}/?", "arn:*:s3:::*b*"]
PRINCIPALS = ["*", {"AWS": "*"}, {"AWS": MINE}, {"AWS": f"arn:aws:iam::{MINE}:root"},
              {"AWS": OTHER}, {"AWS": USER["arn"]}, {"AWS": USER["id"]}, {"AWS": ROLE["arn"]},
              {"AWS": ROLE["session"]}, {"AWS": "AROAAPPAPPAPPAPPAPP01"},
              {"AWS": ROLE["session"] + "x"}, {"Service": "sns.amazonaws.com"},
              {"Service": "s3.amazonaws.com"}, {"AWS": [USER["arn"], MINE]},
              {"AWS": [ROLE["arn"], ROLE["session"], MINE], "Service": "sns.amazonaws.com"},
              {"AWS": [ROLE["arn"], MINE]}, {"AWS": [ROLE["session"], ROLE["arn"]]},
              {"AWS": [f"arn:aws:iam::{MINE}:user/bob"], "Service": ["a.amazonaws.com"]},
              {"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}]
WORDS = ["a", "b", "ab", "A", "a*", "", "k", "alice"]
NUMBERS = ["0", "1", "-2.5", "10", "1e1", "10.0"]
DATES = ["2024-01-01T00:00:00Z", "1704067200", "2024-01-02T03:04:05Z", "1704164645", "0"]
ADDRESSES = ["10.0.0.1", "10.1.2.3", "192.0.2.7", "2001:db8::1", "2001:db8:1::1"]
NETS = ["10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "192.0.2.0/29", "2001:db8::/32", "2001:db8::1/128",
        "::/0", "10.0.0.0/15"]
ARNS = ["arn:aws:s3:::b", f"arn:aws:sns:us-east-1:{MINE}:t", f"arn:aws:sns:us-east-1:{OTHER}:t:u",
        "no arn"]
ARN_PATTERNS = ["*", "arn:aws:s3:::*", "arn:aws:sns:*:*:*", f"arn:aws:sns:*:{MINE}:t",
                "arn:aws:sns:us-*:t", "arn:aws:sns", "arn:aws:s?:::${x:word}", "${x:arn}"]
BYTES = ["YQ==", "YWI="]


def pick(rng, values, most=3):
    some = rng.sample(values, min(len(values), rng.randint(1, most)))
    return some[0] if len(some) == 1 and rng.random() < 0.7 else some


# operator -> (key, the policy's values)
STRINGS = WORDS + ["${x:word}", "${x:none}", "${x:none, 'a'}", "${*}", "a${?}", "${aws:username}"]
VALUES = {"x:word": STRINGS, "x:words": STRINGS, "x:number": NUMBERS, "x:date": DATES,
          "x:address": NETS, "x:arn": ARN_PATTERNS, "x:truth": ["true", "false", "True"],
          "x:bytes": BYTES}
OPERATORS = [("StringEquals", "x:word"), ("StringNotEquals", "x:word"), ("StringLike", "x:word"),
             ("StringNotLike", "x:word"), ("StringEqualsIgnoreCase", "x:word"),
             ("StringNotEqualsIgnoreCase", "x:word"), ("Bool", "x:truth"),
             ("BinaryEquals", "x:bytes"), ("IpAddress", "x:address"), ("NotIpAddress", "x:address"),
             ("ArnEquals", "x:arn"), ("ArnLike", "x:arn"), ("ArnNotEquals", "x:arn"),
             ("ArnNotLike", "x:arn")] + [
    (family + how, key) for family, key in (("Numeric", "x:number"), ("Date", "x:date"))
    for how in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan",
                "GreaterThanEquals")]


def a_condition(rng):
    if rng.random() < 0.08:
        return "Null", rng.choice(list(VALUES)), rng.choice(["true", "false", ["true", "false"]])
    operator, key = rng.choice(OPERATORS)
    quantifier = rng.choice(["", "", "", "ForAllValues:", "ForAnyValue:"])
    if key == "x:word" and rng.random() < (0.9 if quantifier else 0.2):
        key = "x:words"
    if operator.startswith("String") and rng.random() < 0.1:
        key, values = rng.choice([("aws:username", ["alice", "bob"]), ("AWS:UserId", [USER["id"]]),
                                  ("aws:PrincipalType", ["User", "AssumedRole"]),
                                  ("aws:PrincipalIsAWSService", ["true"]),
                                  ("aws:ResourceAccount", [MINE, OTHER])])
    else:
        values = VALUES[key]
    if rng.random() < 0.25:
        operator += "IfExists"
    if rng.random() < 0.1:
        key = key.upper()
    return quantifier + operator, key, pick(rng, values)


def a_statement(rng, kind):
    st = {"Effect": rng.choice(["Allow"] * 5 + ["Deny"])}
    if kind == "trust":
        st["Action"] = pick(rng, ["sts:AssumeRole", "sts:Assume*", "sts:TagSession"])
    else:
        st[rng.choice(["Action"] * 6 + ["NotAction"])] = pick(rng, ACTION_PATTERNS)
        st[rng.choice(["Resource"] * 6 + ["NotResource"])] = pick(rng, RESOURCE_PATTERNS)
    if kind != "identity":
        spare = st["Effect"] == "Deny" and kind == "resource" and rng.random() < 0.6
        st["NotPrincipal" if spare else "Principal"] = rng.choice(PRINCIPALS)
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        operator, key, values = a_condition(rng)
        st.setdefault("Condition", {}).setdefault(operator, {})[key] = values
    return st


def spoil(rng, doc):
    """A document that AWS's grammar does not have."""
    st = as_list(doc["Statement"])[0]
    how = rng.randrange(9)
    if how == 0:
        st["Ressource"] = "*"
    elif how == 1:
        st.update(Action="s3:*", NotAction="s3:*")
    elif how == 2:
        st["Condition"] = {"StringAlmost": {"x:word": "a"}}
    elif how == 3:
        st["Effect"] = "allow"
    elif how == 4:
        doc["Version"] = "2020-01-01"
    elif how == 5:
        st["Condition"] = {"NumericEquals": {"x:number": "ten"}}
    elif how == 6:
        st["Condition"] = {"IpAddress": {"x:address": "10.0.0.0/33"}}
    elif how == 7:
        return json.dumps(doc)[:-1]
    else:
        return json.dumps(doc)[:-1] + ', "Statement": []}'
    return json.dumps(doc)


def a_policy(rng, kind, spoilt=False):
    statements = [a_statement(rng, kind) for _ in range(rng.choice([1, 1, 2, 3]))]
    alone = len(statements) == 1 and rng.random() < 0.5
    doc = {"Statement": statements[0] if alone else statements}
    version = rng.choice(["2012-10-17"] * 5 + ["2008-10-17", None])
    if version:
        doc["Version"] = version
    return spoil(rng, doc) if spoilt else json.dumps(doc)


def a_context(rng):
    ctx, one = {}, rng.choice
    for key, values in (("x:word", WORDS), ("x:number", NUMBERS + ["ten"]), ("x:date", DATES),
                        ("x:address", ADDRESSES), ("x:arn", ARNS), ("x:truth", ["true", "false"]),
                        ("x:bytes", BYTES)):
        if rng.random() < 0.75:
            ctx[key] = one(values)
    if rng.random() < 0.8:
        ctx["X:Words"] = rng.sample(WORDS, rng.randint(0, 3))
    return ctx


def a_question(rng):
    trust, spoilt = rng.random() < 0.12, rng.random() < 0.03
    who = rng.choice(CALLERS)
    some = who["kind"] in ("user", "role")
    return {
        "identity": [a_policy(rng, "identity", spoilt) for _ in range(rng.choice([0, 1, 1, 2]))]
        if some or spoilt else [],
        "session": [a_policy(rng, "identity") for _ in range(rng.choice([0, 0, 0, 1, 2]))]
        if who["kind"] == "role" else [],
        "boundary": a_policy(rng, "identity") if some and rng.random() < 0.2 else None,
        "resource": None if rng.random() < 0.25 else a_policy(
            rng, "trust" if trust else "resource"),
        "trust": trust, "required": trust or rng.random() < 0.2, "who": who,
        "action": "sts:AssumeRole" if trust else rng.choice(ACTIONS),
        "on": rng.choice(RESOURCES), "of": rng.choice(["", MINE, MINE, OTHER]),
        "ctx": a_context(rng), "spoilt": spoilt}


def expected(q):
    if q["spoilt"] and q["identity"]:
        return "malformed"
    return evaluate(q)


def check_seen():
    """Both sides of every rule; what is one-sided by its nature is named here."""
    one_sided = re.compile(
        r"variable |IfExists, missing|missing: |empty string: |.* with a boundary")
    lacking = sorted({rule for rule, _ in seen if not one_sided.match(rule) and
                      not (seen[rule, True] and seen[rule, False])})
    operators = {q + o for o, _ in OPERATORS for q in ("", "ForAllValues:", "ForAnyValue:")}
    lacking += sorted(operators - {rule for rule, _ in seen})
    for rule in ("variable has no value", "variable by default", "variable from the request",
                 "empty string: ForAllValues", "NotPrincipal with a boundary"):
        if not any(r == rule for r, _ in seen):
            lacking.append(rule)
    return lacking


def main():
    tool, cases = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 12000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 20240229)
    questions = [a_question(rng) for _ in range(cases)]
    text = "".join(json.dumps(q) + "\n" for q in questions)
    done = subprocess.run([tool], input=text, capture_output=True, text=True)
    answers = done.stdout.split()
    if done.returncode != 0 or len(answers) != cases:
        sys.exit(f"the tool ended with {done.returncode} after {len(answers)} answers: "
                 f"{done.stderr[-2000:]}")
    tally, wrong = collections.Counter(), 0
    for q, answer in zip(questions, answers):
        want = expected(q)
        tally[want] += 1
        if answer != want:
            wrong += 1
            if wrong <= 5:
                print(f"engine: {answer}, documentation: {want}\n{json.dumps(q, indent=1)}")
    lacking = check_seen() if cases >= 8000 else []
    print(f"{cases} decisions, {wrong} differ; {dict(tally)}; {len(seen)} sides of rules seen")
    if lacking:
        print("never seen on both sides:", lacking)
    if wrong or lacking or (cases >= 8000 and min(tally[k] for k in (
            "allow", "implicit", "explicit", "malformed")) < cases // 100):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Keys for s3:// that a person had to sign in for: by the IAM Identity Center, whose sign-in the aws
command line left in a file, and roles that ask for an MFA code on the terminal."""
import fcntl
import hashlib
import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "scan",
                                "test"))
import digests  # noqa: E402
from scancase import BASE, FakeCase, found  # noqa: E402
from wardtest import REGION, WARD  # noqa: E402

START_URL = "https://corp.awsapps.com/start"
SESSION = f"""[sso-session my corp]
sso_region = eu-central-1
sso_start_url = {START_URL}
sso_registration_scopes = sso:account:access
"""
ROLE = "sso_account_id = 111122223333\nsso_role_name = a+b@c\n"
PROFILE = "[profile p]\nsso_session = my corp\n" + ROLE
OLDER = f"sso_start_url = {START_URL}\nsso_region = eu-central-1\n" + ROLE
SECRETS = ("access-token", "new-token", "refresh-token", "newer-refresh", "client-secret",
           "role-secret", "role-token")


def at(minutes):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + minutes * 60))


class SingleSignOn(FakeCase):
    def setUp(self):
        super().setUp()
        self.calls = []    # (query, headers) of GetRoleCredentials
        self.renewals = []  # what CreateToken was asked
        self.role = lambda: (200, self.role_text())
        self.token = lambda: (200, json.dumps({"accessToken": "new-token", "expiresIn": 3600,
                                               "refreshToken": "newer-refresh",
                                               "tokenType": "Bearer"}))

        def portal(query, headers, body):
            self.calls.append((dict(urllib.parse.parse_qsl(query)), dict(headers.items())))
            return self.role()

        def oidc(query, headers, body):
            self.renewals.append((json.loads(body), dict(headers.items())))
            return self.token()

        self.fake.credentials = {"/federation/credentials": portal, "/token": oidc}

    @staticmethod
    def role_text(key="ASIASSO", minutes=60, **more):
        end = int((time.time() + minutes * 60) * 1000)
        return json.dumps({"roleCredentials": dict({
            "accessKeyId": key, "secretAccessKey": "role-secret", "sessionToken": "role-token",
            "expiration": end}, **more)})

    def sso(self, text=PROFILE + SESSION, **env):
        return self.config(text, HOME=self.tmp.name, **env)

    def path(self, name="my corp"):
        return os.path.join(self.tmp.name, ".aws", "sso", "cache",
                            hashlib.sha1(name.encode()).hexdigest() + ".json")

    def leave(self, minutes=60, name="my corp", text=None, **more):
        """What `aws sso login` leaves."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        whole = {"startUrl": START_URL, "region": "eu-central-1", "accessToken": "access-token",
                 "expiresAt": at(minutes), "clientId": "client-id",
                 "clientSecret": "client-secret", "registrationExpiresAt": at(9999),
                 "refreshToken": "refresh-token", "ofAnotherVersion": {"kept": [1]}}
        whole.update(more)
        whole = {k: v for k, v in whole.items() if v is not None}
        with open(path, "w") as f:
            f.write(json.dumps(whole) if text is None else text)
        return path

    def refused(self, env, words):
        self.fake.asked.clear()
        code, out, err = self.scan(env=env)
        self.assertEqual(code, 2, err)
        self.assertRegex(err, words)
        self.assertEqual([s for s in SECRETS if s in out + err], [])
        self.assertEqual([a for a in self.fake.asked if "list-type=2" in a[2]], [])

    # -- good --
    def test_a_session(self):
        path = self.leave()
        before = open(path).read()
        self.assertEqual(self.who(self.sso()), ("ASIASSO", REGION, "role-token"))
        self.assertEqual(self.renewals, [])
        (query, h), = self.calls
        self.assertEqual(query, {"role_name": "a+b@c", "account_id": "111122223333"})
        self.assertEqual(h["x-amz-sso_bearer_token"], "access-token")
        self.assertNotIn("authorization", {k.lower() for k in h})
        self.assertEqual(open(path).read(), before)
        self.assertEqual(os.listdir(os.path.dirname(path)), [os.path.basename(path)])
        # The profile may repeat what the session says.
        self.assertEqual(self.who(self.sso(PROFILE + "sso_region = eu-central-1\n" + SESSION))[0],
                         "ASIASSO")

    def test_the_older_form(self):
        env = self.sso("[profile p]\n" + OLDER)
        for ends in (at(60), at(60).replace("Z", "UTC"), at(60).replace("Z", "+00:00"), at(5)):
            self.leave(name=START_URL, expiresAt=ends)
            self.assertEqual(self.who(env)[0], "ASIASSO")
        self.leave(name=START_URL, minutes=-1)  # these are not renewed
        self.refused(env, "has ended. Sign in: aws sso login --profile p\n")
        self.assertEqual(self.renewals, [])

    def test_a_role_upon_it(self):
        self.leave()
        env = self.sso(f"[profile p]\n{self.ROLE}r\nsource_profile = base\n" +
                       PROFILE.replace(" p]", " base]") + SESSION)
        self.assertEqual(self.who(env)[0], "ASIAr")
        (_, h), = self.fake.sts_calls
        self.assertIn("Credential=ASIASSO/", h["authorization"])
        self.assertEqual(h["x-amz-security-token"], "role-token")
        os.remove(self.path())
        self.refused(env, "by the profile base: .*aws sso login --profile base")

    def test_what_comes_before(self):
        keys = "aws_access_key_id = AKIDFILE\naws_secret_access_key = x\n"
        self.assertEqual(self.who(self.sso(AWS_ACCESS_KEY_ID="AKIDENV",
                                           AWS_SECRET_ACCESS_KEY="x"))[0], "AKIDENV")
        # A session alone is there for its tokens; with a role it comes before the keys.
        self.assertEqual(self.who(self.sso("[profile p]\nsso_session = my corp\n" + keys))[0],
                         "AKIDFILE")
        self.assertEqual(self.calls, [])
        self.leave()
        self.assertEqual(self.who(self.sso(PROFILE + keys + SESSION))[0], "ASIASSO")

    def test_endpoints(self):
        self.leave(minutes=1)
        env = self.sso(AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ENDPOINT_URL_S3=self.fake.url,
                       AWS_ENDPOINT_URL_SSO=self.fake.url + "/",
                       AWS_ENDPOINT_URL_SSO_OIDC=self.fake.url)
        self.assertEqual(self.who(env)[0], "ASIASSO")
        self.assertEqual((len(self.calls), len(self.renewals)), (1, 1))
        self.refused(dict(env, AWS_ENDPOINT_URL_SSO="http://sso.example.com"),
                     "set for sso is neither https nor an address of this machine")
        self.leave(minutes=-1)
        self.refused(dict(env, AWS_ENDPOINT_URL_SSO_OIDC="http://127.0.0.1.example.com"),
                     "set for sso-oidc is neither https")
        self.refused(dict(env, AWS_ENDPOINT_URL_SSO_OIDC="oidc"), "AWS_ENDPOINT_URL_SSO_OIDC. is no")

    # -- sign-ins that are not there, or not good --
    def test_no_sign_in(self):
        self.refused(self.sso(), "There is no sign-in .*: aws sso login --profile p\n")
        self.refused(self.sso(PROFILE.replace(" p]", ' "a b"]') + SESSION, AWS_PROFILE="a b"),
                     "aws sso login --profile 'a b'\n")
        self.leave(minutes=-1, refreshToken=None)
        self.refused(self.sso(), "The sign-in .* has ended.*: aws sso login --profile p\n")
        self.assertEqual(self.calls, [])

    def test_files_that_are_no_sign_in(self):
        for text in ("", "not JSON access-token", "[]", "{}", "null", "{" * 999,
                     '{"accessToken": "access-token"}', '{"accessToken": "access-token",'):
            self.leave(text=text)
            self.refused(self.sso(), r"\.json is no whole sign-in. Sign in: aws sso login")
        for more in ({"accessToken": None}, {"accessToken": ""}, {"accessToken": 7},
                     {"accessToken": "access-token\r\nx: y"}, {"accessToken": "access-token x"},
                     {"accessToken": "access-token" * 1000}, {"expiresAt": None},
                     {"expiresAt": "soon"}, {"expiresAt": 1900000000}, {"expiresAt": "UTC"}):
            self.leave(**more)
            self.refused(self.sso(), "no whole sign-in. Sign in: aws sso login --profile p\n")
        self.leave(more="x" * 70000)
        self.refused(self.sso(), "larger than 65536 bytes")
        os.remove(self.path())
        os.mkdir(self.path())
        self.refused(self.sso(), "Credentials by the profile p: ")
        self.assertEqual((self.calls, self.renewals), ([], []))

    def test_profiles_that_are_not_whole(self):
        for text, words in (
                (PROFILE, "names the sso_session my corp, which"),
                (PROFILE + SESSION.replace("corp]", "corp2]"), "names the sso_session my corp"),
                (PROFILE + SESSION.replace("sso_region", "x"), "sso_region is missing"),
                (PROFILE + SESSION.replace("sso_start_url", "x"), "sso_start_url is missing"),
                (PROFILE.replace("sso_role_name", "x") + SESSION, "sso_role_name is missing"),
                (PROFILE.replace("sso_account_id", "x") + SESSION, "sso_account_id is missing"),
                ("[profile p]\nsso_session = my corp\n" + SESSION, "sso_account_id is missing"),
                ("[profile p]\n" + ROLE, "sso_region is missing"),
                (f"[profile p]\nsso_start_url = {START_URL}\n", "sso_account_id is missing"),
                (PROFILE + "sso_region = eu-west-1\n" + SESSION, "another sso_region or"),
                (PROFILE + "sso_start_url = https://x\n" + SESSION, "another sso_region or"),
                (PROFILE + SESSION.replace("eu-central-1", "example.com/"), "name of a region"),
                (PROFILE + SESSION.replace("eu-central-1", "x" * 64), "name of a region"),
                (PROFILE + SESSION.replace("corp]", "corp]\nsso_region = " + "x" * 9000),
                 "too long")):
            self.leave()
            self.refused(self.sso(text), words)
        self.assertEqual(self.calls, [])

    # -- renewing --
    def test_renewed(self):
        for minutes in (-60, 14):
            path = self.leave(minutes)
            os.chmod(path, 0o644)
            self.renewals.clear()
            self.assertEqual(self.who(self.sso())[0], "ASIASSO")
            (form, h), = self.renewals
            self.assertEqual(form, {"grantType": "refresh_token", "clientId": "client-id",
                                    "clientSecret": "client-secret",
                                    "refreshToken": "refresh-token"})
            self.assertEqual(h["content-type"], "application/json")
            self.assertNotIn("authorization", {k.lower() for k in h})
            self.assertEqual(self.calls[-1][1]["x-amz-sso_bearer_token"], "new-token")
            with open(path) as f:
                left = json.load(f)
            self.assertTrue(at(58) <= left.pop("expiresAt") <= at(60))
            self.assertGreater(left.pop("registrationExpiresAt"), at(60))
            self.assertEqual(left, {
                "startUrl": START_URL, "region": "eu-central-1", "accessToken": "new-token",
                "clientId": "client-id", "clientSecret": "client-secret",
                "refreshToken": "newer-refresh", "ofAnotherVersion": {"kept": [1]}})
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertEqual(os.listdir(os.path.dirname(path)), [os.path.basename(path)])
        self.assertEqual(self.who(self.sso())[0], "ASIASSO")  # by what was left, as it is
        self.assertEqual(len(self.renewals), 1)

    def test_not_renewed_without_what_it_takes(self):
        for more in ({"refreshToken": None}, {"clientId": ""}, {"clientSecret": 7},
                     {"registrationExpiresAt": None}, {"registrationExpiresAt": at(-1)}):
            self.leave(minutes=-1, **more)
            self.refused(self.sso(), "has ended. Sign in: aws sso login --profile p\n")
            self.leave(minutes=5, **more)
            self.assertEqual(self.who(self.sso())[0], "ASIASSO")
        self.assertEqual(self.renewals, [])

    def test_renewals_that_fail(self):
        no = {"error": "invalid_grant", "error_description": "Invalid refresh token provided"}
        good = {"accessToken": "new-token", "expiresIn": 3600}
        for status, answer, words in (
                (400, no, r"CreateToken: invalid_grant \(400\): Invalid refresh token"),
                (401, "", r"CreateToken: status \(401\)"), (403, "<a/>", r"status \(403\)"),
                (500, "", r"status \(500\)"), (302, "", r"status \(302\)"),
                (200, "new-token", "not JSON"), (200, "[]", "no token"),
                (200, dict(good, accessToken=""), "no token"),
                (200, dict(good, accessToken="new-token\n"), "no token"),
                (200, dict(good, accessToken="new-token" * 1000), "no token"),
                (200, dict(good, expiresIn=0), "no token"),
                (200, dict(good, expiresIn="3600"), "no token"),
                (200, dict(good, expiresIn=1 << 40), "no token"),
                (200, " " * (2 << 20), "too large")):
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.token = lambda: (status, text)
            path = self.leave(minutes=-1)
            before = open(path).read()
            self.refused(self.sso(), "ended and was not renewed.*" + words +
                         ".*Sign in: aws sso login --profile p\n")
            self.assertEqual(open(path).read(), before)
        self.assertEqual(self.calls, [])
        self.leave(minutes=5)  # still good
        self.assertEqual(self.who(self.sso())[0], "ASIASSO")
        self.assertEqual(self.calls[0][1]["x-amz-sso_bearer_token"], "access-token")
        # Without a new refresh token the old one stays (RFC 6749, section 6).
        self.token = lambda: (200, json.dumps(good))
        self.leave(minutes=5)
        self.assertEqual(self.who(self.sso())[0], "ASIASSO")
        with open(self.path()) as f:
            left = json.load(f)
        self.assertEqual((left["accessToken"], left["refreshToken"]),
                         ("new-token", "refresh-token"))

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_refresh_token_is_not_spent_where_nothing_can_be_left(self):
        folder = os.path.dirname(self.leave(minutes=-1))
        os.chmod(folder, 0o500)
        try:
            self.refused(self.sso(), "cannot be written")
        finally:
            os.chmod(folder, 0o700)
        self.assertEqual(self.renewals, [])

    # -- the portal --
    def test_answers_of_the_portal(self):
        self.leave()
        no = json.dumps({"message": "No access", "__type": "com.amazonaws#ForbiddenException"})
        for status, text, words in (
                (401, no, "not know the sign-in any more. Sign in: aws sso login --profile p\n"),
                (403, no, r"GetRoleCredentials: ForbiddenException \(403\): No access"),
                (404, "", r"status \(404\)"), (500, "role-secret", r"status \(500\)"),
                (302, "", r"status \(302\)"), (200, "role-secret", "no credentials"),
                (200, "", "no credentials"), (200, "[]", "no credentials"),
                (200, self.role_text(sessionToken=""), "no credentials"),
                (200, self.role_text(expiration="1"), "no credentials"),
                (200, self.role_text(expiration=-1), "no credentials"),
                (200, self.role_text(accessKeyId=None), "not whole"),
                (200, self.role_text(secretAccessKey=""), "not whole"),
                (200, self.role_text(secretAccessKey="role-secret" * 1000), "not whole"),
                (200, self.role_text()[:-2], "no credentials"),
                (200, " " * (2 << 20), "Credentials by the profile p: ")):
            self.role = lambda: (status, text)
            self.refused(self.sso(), words)

    def test_passing_faults_are_tried_again(self):
        self.leave(minutes=1)
        tokens, roles = [(500, ""), (429, "")], [(503, ""), (429, "")]
        token, role = self.token, self.role
        self.token = lambda: tokens.pop() if tokens else token()
        self.role = lambda: roles.pop() if roles else role()
        self.assertEqual(self.who(self.sso())[0], "ASIASSO")
        self.assertEqual((len(self.renewals), len(self.calls)), (3, 3))

    def test_keys_that_end_are_fetched_again(self):
        self.leave()
        names = ["ASIANEW", "ASIAOLD"]
        ids = self.fill(4)

        def role():
            self.leave(accessToken="later-token")  # one asks at a time: nobody reads it just now
            return 200, self.role_text(names.pop())

        self.role = role

        self.end_keys("ASIAOLD")
        code, out, err = self.scan(env=self.sso())
        self.assertEqual((code, found(out)), (1, ids), err)
        self.assertEqual([h["x-amz-sso_bearer_token"] for _, h in self.calls],
                         ["access-token", "later-token"])

    def test_keys_with_little_time_left_are_fetched_once(self):
        self.leave()
        self.role = lambda: (200, self.role_text(minutes=2))
        ids = self.fill(20)
        code, out, err = self.scan(env=self.sso())
        self.assertEqual((code, found(out)), (1, ids), err)
        self.assertEqual(len(self.calls), 1)


class MultiFactor(FakeCase):
    """Each command has a terminal of its own, on which it may ask."""
    SERIAL = "arn:aws:iam::111122223333:mfa/eve"
    SECONDS = 120

    def role(self, more="", **env):
        return self.config(f"[profile p]\n{self.ROLE}r\nsource_profile = keys\n"
                           f"mfa_serial = {self.SERIAL}\n{more}"
                           "[profile keys]\naws_access_key_id = A\naws_secret_access_key = x\n",
                           **env)

    def on_terminal(self, args, env, answers, progress=False):
        """Types an answer at each question; code, stdout, stderr and what the terminal showed."""
        ours, theirs = pty.openpty()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            p = subprocess.Popen([WARD, *args], env=dict(BASE, TERM="xterm", **env), stdout=out,
                                 stderr=theirs if progress else err, stdin=subprocess.DEVNULL,
                                 start_new_session=True,
                                 preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0))
            try:
                shown = self.converse(p, ours, list(answers), quiet=1 if progress else 0)
                code = p.wait(timeout=self.SECONDS)
            finally:
                p.kill()
                p.wait()
                os.close(theirs)
                os.close(ours)
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read(), shown

    def converse(self, p, terminal, answers, quiet=0):
        end, shown, asked = time.monotonic() + self.SECONDS, b"", 0
        ended = os.pidfd_open(p.pid)
        try:
            while True:
                ready = select.select([terminal, ended], [], [], max(end - time.monotonic(), 0))[0]
                self.assertTrue(ready, f"nothing happens: {shown}")
                if terminal in ready:
                    shown += os.read(terminal, 65536)
                elif ended in ready:
                    return shown.decode()
                if shown.count(b"MFA code for") > asked and shown.endswith(b": \x1b[K"):
                    asked += 1
                    self.assertTrue(answers, f"asked too often: {shown}")
                    self.assertEqual(select.select([terminal], [], [], quiet)[0], [], shown)
                    os.write(terminal, answers.pop(0).encode())
        finally:
            os.close(ended)

    def scan_asked(self, env, *answers, **more):
        return self.on_terminal(["scan", "--format", "jsonl", "--no-summary", "s3://buck/"], env,
                                answers, **more)

    def codes(self):
        return [(f.get("SerialNumber"), f.get("TokenCode")) for f, _ in self.fake.sts_calls]

    def test_a_code_is_asked_for_once(self):
        ids = self.fill(20)
        for typed, code in (("123456\n", "123456"), (" 654321 \r", "654321"),
                            ("a" * 64 + "\n", "a" * 64)):
            env = self.role()
            rc, out, err, shown = self.scan_asked(env, typed)
            self.assertEqual((rc, found(out)), (1, ids), err)
            self.assertEqual(self.codes(), [(self.SERIAL, code)])
            self.assertEqual(shown.count(f"\rMFA code for {self.SERIAL}: "), 1)
            self.assertNotIn("MFA", out + err)

    def test_no_terminal(self):
        self.fill(1)
        self.refused(self.role(), r'mfa_serial.* no terminal .*eval "\$\(aws configure '
                                  r'export-credentials --profile p --format env\)"')
        self.assertEqual(self.fake.sts_calls, [])

    def test_what_is_no_code(self):
        for typed, words in (("\n", "No MFA code was typed"), ("  \n", "No MFA code was typed"),
                             ("\x04", "No MFA code was typed"), ("12345\n", "not an MFA code"),
                             ("1" * 65 + "\n", "not an MFA code"),
                             ("12 3456\n", "not an MFA code"), ("12345é\n", "not an MFA code"),
                             ("9" * 4000 + "\n", "not an MFA code")):
            rc, out, err, _ = self.scan_asked(self.role(), typed)
            self.assertEqual(rc, 2, err)
            self.assertIn(words, err)
            self.assertNotIn(typed.strip() or "MFA code for", out + err)
            self.assertEqual(self.fake.sts_calls, [])

    def test_a_wrong_code(self):
        self.fill(20)
        env = self.role()
        self.fake.sts = lambda form: (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"
                                           "invalid MFA one time pass code</Message></Error>"
                                           "</ErrorResponse>")
        rc, out, err, _ = self.scan_asked(env, "123456\n")
        self.assertEqual((rc, out), (2, ""))
        self.assertIn("Credentials by the profile p: AssumeRole: AccessDenied (403): invalid MFA",
                      err)
        self.assertNotIn("123456", err)
        self.assertEqual(len(self.fake.sts_calls), 1)

    def ending(self, env):
        """The first keys are refused as expired everywhere but in the listing."""
        names = ["new", "old"]
        sts = self.fake.sts
        self.fake.sts = lambda form: sts(dict(form, RoleArn="x/" + names.pop()))

        self.end_keys("ASIAold")
        return env

    def test_asked_again_when_the_keys_have_ended(self):
        ids = self.fill(20)
        rc, out, err, _ = self.scan_asked(self.ending(self.role()), "111111\n", "222222\n")
        self.assertEqual((rc, found(out)), (1, ids), err)
        self.assertEqual(self.codes(), [(self.SERIAL, "111111"), (self.SERIAL, "222222")])

    def test_what_was_asked_for_in_vain_is_not_asked_for_again(self):
        self.fill(20)
        rc, out, err, _ = self.scan_asked(self.ending(self.role()), "111111\n", "no\n")
        self.assertEqual((rc, found(out)), (2, []), err)
        self.assertIn("not an MFA code", err)
        self.assertEqual(self.codes(), [(self.SERIAL, "111111")])

    def test_progress_leaves_the_question_alone(self):
        ids = self.fill(30)
        for name in self.fake.objects:
            self.fake.faults[name] = self.fake.slow(0.3)
        rc, out, _, shown = self.scan_asked(self.role(), "123456\n", progress=True)
        self.assertEqual((rc, found(out)), (1, ids), shown)
        self.assertLess(shown.index("123456"), shown.index(" files  "))
        # Nor is it written over while others wait: converse() listens for a second.
        faults = {name: self.fake.slow(0.3) for name in self.fake.objects}
        env = self.ending(self.role())
        ended = dict(self.fake.faults)
        for name in faults:
            self.fake.faults[name] = lambda h, n, name=name: faults[name](h, n) or ended[name](h, n)
        rc, out, _, shown = self.scan_asked(env, "111111\n", "222222\n", progress=True)
        self.assertEqual((rc, found(out)), (1, ids), shown)
        first, last = shown.index("111111"), shown.index("222222")
        self.assertIn(" files  ", shown[first:last])

    def test_little_time_left_asks_nobody(self):
        ids = self.fill(20)
        env = self.role()
        sts = self.fake.sts
        soon = digests.iso(digests.datetime.datetime.now(digests.datetime.timezone.utc) +
                           digests.datetime.timedelta(minutes=2))

        def short(form):
            status, text = sts(form)
            first, last = text.index("<Expiration>") + 12, text.index("</Expiration>")
            return status, text[:first] + soon + text[last:]

        self.fake.sts = short
        rc, out, err, _ = self.scan_asked(env, "123456\n")
        self.assertEqual((rc, found(out)), (1, ids), err)
        self.assertEqual(len(self.fake.sts_calls), 1)

    def test_verify_asks_once_for_bucket_and_keys(self):
        key = digests.Key(self.tmp.name)
        for region in ("eu-west-1", "us-east-1"):
            digests.Trail(lambda k, d, m=None: self.fake.put("buck", k, d, m), key,
                          region=region).hours(3, logs=2)
        self.fake.keys = [key.listed()]
        rc, out, err, _ = self.on_terminal(["verify", "--json", "s3://buck/p"], self.role(),
                                           ["123456\n"])
        self.assertEqual(rc, 0, (out, err))
        self.assertEqual(len(self.fake.key_calls), 2)
        self.assertEqual(self.codes(), [(self.SERIAL, "123456")])

    def test_with_another_role_upon_it(self):
        self.fill(1)
        env = self.config(f"[profile p]\n{self.ROLE}r\nsource_profile = q\n[profile q]\n"
                          f"{self.ROLE}q\nsource_profile = keys\nmfa_serial = {self.SERIAL}\n"
                          "[profile keys]\naws_access_key_id = A\naws_secret_access_key = x\n")
        rc, out, err, _ = self.scan_asked(env, "123456\n")
        self.assertEqual(rc, 1, err)
        self.assertEqual(self.codes(), [(self.SERIAL, "123456"), (None, None)])


if __name__ == "__main__":
    unittest.main()

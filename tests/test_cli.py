"""The program itself: help, options, and what stands in a data directory."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wardtest import WARD, Ward  # noqa: E402

COMMANDS = ("up", "down", "status", "env", "deploy", "scan", "rules", "verify", "ledger", "coverage")


def ward(*args, env=None):
    full = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WARD_DATA"))}
    full.update(env or {})
    p = subprocess.run([WARD, *args], capture_output=True, text=True, timeout=60, env=full,
                       stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr


class Options(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = self.tmp.name

    def tearDown(self):
        self.tmp.cleanup()

    def test_help(self):
        code, out, _ = ward("--help")
        self.assertEqual(code, 0)
        for c in COMMANDS:
            self.assertIn(f"\n  {c} ", out)
            code, out_text, err_text = ward(c, "--help")
            text = out_text or err_text
            self.assertEqual(text, "".join(ward("help", c)[1:]))
            self.assertRegex(text, "(?i)^usage: ", c)
            self.assertLessEqual(max(len(x) for x in text.splitlines()), 100, c)
            if c not in ("coverage", "scan", "rules"):
                self.assertIn("nvironment", text, c)
        for name in ("WARD_DATA", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
            self.assertIn(name, out)
        self.assertEqual(ward("help", "nope")[0], 64)
        self.assertEqual(ward()[0], 64)

    def test_short_help_starts_nothing(self):
        for c in ("up", "down", "status", "env", "deploy", "ledger", "coverage", "verify"):
            code, out, _ = ward(c, "-h", env={"WARD_DATA": self.dir + "/d"})
            self.assertEqual(code, 0, c)
            self.assertRegex(out, "(?i)^usage: ", c)
        self.assertFalse(os.path.exists(self.dir + "/d"))

    def test_what_is_no_option(self):
        for args in (["up", "now"], ["up", "-x"], ["down", "all"], ["status", "--plain"],
                     ["env", "x"], ["ledger", "x"], ["coverage", "x"], ["deploy"],
                     ["deploy", "a", "b"], ["up", "--listen", "::1"],
                     ["up", "--listen", "h:99999"], ["up", "--trail-interval", "0"],
                     ["up", "--detach=yes"], ["up", "--data"]):
            code, out, err = ward(*args, env={"WARD_DATA": self.dir + "/d"})
            self.assertEqual((code, out), (64, ""), args)
            self.assertTrue(err, args)

    def test_root_key_within_the_data_directory(self):
        os.mkdir(self.dir + "/d")
        os.symlink(self.dir + "/d", self.dir + "/link")
        for key in ("d/key", "link/key", "d/../d/key", "./d/key"):
            code, _, err = ward("up", "--data", self.dir + "/d", "--root-key",
                                os.path.join(self.dir, key))
            self.assertEqual(code, 64, key)
            self.assertIn("outside the data directory", err)

    def test_a_pid_that_is_another_process(self):
        os.mkdir(self.dir + "/d")
        other = subprocess.Popen(["sleep", "60"])
        try:
            for ticks in ({}, {"startTicks": 1}):
                with open(self.dir + "/d/ward.json", "w") as f:
                    json.dump(dict({"pid": other.pid, "endpoint": "https://127.0.0.1:1"}, **ticks),
                              f)
                code, _, err = ward("down", "--data", self.dir + "/d")
                self.assertEqual(code, 1)
                self.assertIn("no Ward runs", err)
                self.assertIsNone(other.poll())
                self.assertIn("down", ward("status", "--data", self.dir + "/d")[1])
        finally:
            other.kill()
            other.wait()

    def test_a_start_that_fails_says_why(self):
        args = ("up", "--detach", "--listen", "127.0.0.1:0", "--data", self.dir + "/d",
                "--blueprint", "no-such-blueprint")
        code, out, err = ward(*args)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no-such-blueprint", err)
        self.assertIn("/d/ward.log", err)
        self.assertEqual(ward("status", "--data", self.dir + "/d")[0], 1)


class Running(unittest.TestCase):
    def test_up_down_and_what_they_say(self):
        w = Ward().start()
        try:
            code, out, _ = ward("status", "--data", w.data, "--json")
            self.assertEqual((code, json.loads(out)["endpoint"]), (0, w.endpoint))
            code, out, _ = ward("env", "--data", w.data)
            self.assertEqual(code, 0)
            self.assertIn("unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_PROFILE", out)
            self.assertIn("AWS_ENDPOINT_URL_S3", out)
            self.shells(w, out)
            code, out, _ = ward("down", "--data", w.data)
            self.assertEqual((code, out), (0, "Ward has stopped.\n"))
            w.process.wait(60)
            code, _, err = ward("env", "--data", w.data)
            self.assertEqual(code, 1)
            self.assertIn(f"up --detach --data '{w.data}'", err)
            self.assertEqual(ward("ledger", "--data", w.data)[0], 0)
        finally:
            w.remove()

    def shells(self, w, out):
        """An aws that does not know AWS_ENDPOINT_URL is told, whatever the shell or an alias."""
        with tempfile.TemporaryDirectory() as folder:
            fake = os.path.join(folder, "aws")
            with open(fake, "w", encoding="utf-8") as f:
                f.write('#!/bin/sh\nprintf "%s|" "$@"\necho "$AWS_PROFILE"\n')
            os.chmod(fake, 0o755)
            script = os.path.join(folder, "script")
            with open(script, "w", encoding="utf-8") as f:
                f.write(f"set -e\nalias aws='aws --profile other'\neval \"$(cat '{folder}/env')\"\n"
                        "aws sqs 'a b'\nunset AWS_ENDPOINT_URL\naws sqs\n")
            with open(os.path.join(folder, "env"), "w", encoding="utf-8") as f:
                f.write(out)
            env = {"PATH": folder + ":" + os.environ["PATH"], "AWS_PROFILE": "other"}
            for shell in (["sh"], ["bash"], ["bash", "-O", "expand_aliases"]):
                done = subprocess.run([*shell, script], capture_output=True, text=True, env=env,
                                      timeout=60)
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (0, f"--endpoint-url={w.endpoint}|sqs|a b|\nsqs|\n", ""), shell)

    def test_a_blueprint_in_another_region(self):
        with Ward("--region", "eu-west-1", "--blueprint", "goodbuy") as w:
            cfn = w.client("cloudformation", region="eu-west-1")
            stack = cfn.describe_stacks(StackName="goodbuy")["Stacks"][0]
            self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE")
            self.assertEqual(ward("deploy", "goodbuy", "--data", w.data)[0], 0)

    def test_after_a_kill(self):
        w = Ward().start()
        try:
            w.kill()
            self.assertTrue(os.path.exists(os.path.join(w.data, "ward.json")))
            self.assertEqual(ward("down", "--data", w.data)[0], 1)
            self.assertEqual(ward("status", "--data", w.data)[0], 1)
            w.start()
            self.assertEqual(ward("status", "--data", w.data)[0], 0)
            self.assertEqual(w.stop(), 0)
        finally:
            w.remove()


if __name__ == "__main__":
    unittest.main()

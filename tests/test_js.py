"""The AWS SDK for JavaScript v3, unpatched."""
import os
import shutil
import subprocess
import unittest

from wardtest import ROOT, Ward

NODE = os.environ.get("WARD_NODE", os.path.join(ROOT, ".deps", "node"))


class JavaScript(unittest.TestCase):
    def test_sdk_v3(self):
        self.assertTrue(os.path.isdir(os.path.join(NODE, "node_modules")),
                        "the JavaScript clients are not installed: make deps-test")
        script = shutil.copy(os.path.join(ROOT, "tests", "js", "check.mjs"), NODE)
        with Ward() as ward:
            env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
            env.update(ward.env)
            done = subprocess.run(["node", script], env=env, cwd=NODE, text=True,
                                  capture_output=True, timeout=300)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(done.stdout.split(), "ok sts ok iam ok kms ok s3 ok sqs".split())


if __name__ == "__main__":
    unittest.main()

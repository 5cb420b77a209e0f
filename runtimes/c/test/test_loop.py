"""The Runtime API loop, seen from outside: runs the probe function against a Runtime API of its
own. Usage: test_loop.py PROBE"""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import fakeaws  # noqa: E402

PROBE = os.path.abspath(sys.argv.pop(1))


class Loop(unittest.TestCase):
    def setUp(self):
        self.api = fakeaws.RuntimeApi()
        self.process = None

    def tearDown(self):
        if self.process is not None:
            # It ends by itself, so that a build with sanitizers looks for leaks.
            self.api.end()
            _, err = self.process.communicate(timeout=60)
            self.assertEqual(self.process.returncode, 1, err)
        self.api.server.shutdown()
        self.api.server.server_close()

    def run_probe(self, **env):
        env.setdefault("AWS_LAMBDA_RUNTIME_API", self.api.address)
        self.process = subprocess.Popen([PROBE], env=env, stderr=subprocess.PIPE)

    def test_results_one_after_the_other(self):
        self.run_probe()
        for i in range(20):
            event = {"do": "echo", "i": i, "text": "é\n\"x\" " * i}
            kind, headers, body = self.api.invoke(event)
            self.assertEqual(kind, "response")
            self.assertEqual(json.loads(body), event)
            self.assertEqual(headers["Content-Type"], "application/json")

    def test_context(self):
        self.run_probe()
        _, _, body = self.api.invoke({"do": "about"}, seconds=20, trace="Root=1-a-b;Sampled=1")
        about = json.loads(body)
        self.assertEqual(about["id"], "8476a536-e9f4-11e8-9739-000000000001")
        self.assertEqual(about["arn"], "arn:aws:lambda:us-east-1:123456789012:function:probe")
        self.assertEqual(about["trace"], "Root=1-a-b;Sampled=1")
        self.assertTrue(15000 < about["left_ms"] <= 20000, about)
        _, _, body = self.api.invoke({"do": "about"}, seconds=-5, trace=None)
        about = json.loads(body)
        self.assertEqual(about["trace"], "none")
        self.assertEqual(about["left_ms"], 0)

    def test_a_trace_id_too_long_is_left_out(self):
        self.run_probe()
        for trace in ("Root=1-a-b;Lineage=" + "x" * 600, "Root=1-a-b"):
            kind, _, body = self.api.invoke({"do": "about"}, trace=trace)
            self.assertEqual(kind, "response")
            self.assertEqual(json.loads(body)["trace"], "none" if len(trace) > 511 else trace)

    def test_errors_are_structured_and_do_not_end_the_loop(self):
        self.run_probe()
        kind, headers, body = self.api.invoke({"do": "fail"})
        self.assertEqual(kind, "error")
        self.assertEqual(json.loads(body), {"errorMessage": "no: ✗ \"quoted\"\n",
                                            "errorType": "ProbeSays", "stackTrace": []})
        self.assertEqual(headers["Lambda-Runtime-Function-Error-Type"], "Runtime.ProbeSays")
        kind, _, body = self.api.invoke({"do": "kind"})
        self.assertEqual((kind, json.loads(body)["errorType"]), ("error", "NotFound"))
        kind, _, body = self.api.invoke(b'{"do":')
        self.assertEqual((kind, json.loads(body)["errorType"]), ("error", "InvalidInput"))
        kind, _, body = self.api.invoke({"do": "nothing"})
        self.assertEqual((kind, body), ("response", b"null"))

    def test_large_and_chunked_events(self):
        self.api.chunked = True
        self.run_probe()
        event = {"do": "echo", "text": "x" * 5_000_000}
        kind, _, body = self.api.invoke(event)
        self.assertEqual(kind, "response")
        self.assertEqual(json.loads(body), event)

    def test_result_too_large(self):
        self.run_probe()
        kind, _, body = self.api.invoke({"do": "big"})
        self.assertEqual((kind, json.loads(body)["errorType"]), ("error", "LimitExceeded"))

    def test_refused_result_becomes_an_error(self):
        self.api.refuse_result_with = 413
        self.run_probe()
        kind, _, body = self.api.invoke({"do": "echo"})
        self.assertEqual((kind, json.loads(body)["errorType"]), ("error", "LimitExceeded"))

    def test_init_error(self):
        self.run_probe(PROBE_FAIL_INIT="1")
        headers, body = self.api.init_errors.get(timeout=20)
        self.assertEqual(body["errorType"], "ProbeInit")
        self.assertEqual(body["errorMessage"], "told to fail at \"start\"")
        self.assertEqual(headers["Lambda-Runtime-Function-Error-Type"], "Runtime.ProbeInit")
        self.assertEqual(self.process.wait(timeout=20), 1)

    def test_outside_lambda(self):
        self.run_probe(AWS_LAMBDA_RUNTIME_API="")
        self.assertEqual(self.process.wait(timeout=20), 1)
        err = self.process.stderr.read()
        self.assertIn(b"AWS_LAMBDA_RUNTIME_API", err)


if __name__ == "__main__":
    unittest.main(verbosity=2)

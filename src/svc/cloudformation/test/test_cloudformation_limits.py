"""As many stacks as an account may have, and not one more."""
import concurrent.futures
import json
import os
import unittest

from botocore.exceptions import ClientError

from wardtest import Ward

STACKS_MAX = 2000
BODY = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})


class LimitTest(unittest.TestCase):
    def test_stacks(self):
        with Ward(binary=os.environ.get("WARD_FAST")) as ward:
            cfn = ward.client("cloudformation", max_pool_connections=16)

            def plan(i):  # a stack that nothing is made for
                cfn.create_change_set(StackName=f"s{i}", ChangeSetName="c",
                                      ChangeSetType="CREATE", TemplateBody=BODY)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                list(pool.map(plan, range(STACKS_MAX)))
            for call in (lambda: plan("x"),
                         lambda: cfn.create_stack(StackName="x", TemplateBody=BODY)):
                with self.assertRaises(ClientError) as e:
                    call()
                self.assertEqual(e.exception.response["Error"]["Code"], "LimitExceededException")
            pages = cfn.get_paginator("describe_stacks").paginate()
            self.assertEqual(len({s["StackId"] for p in pages for s in p["Stacks"]}), STACKS_MAX)
            cfn.delete_stack(StackName="s1")
            cfn.get_waiter("stack_delete_complete").wait(
                StackName="s1", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
            plan("x")


if __name__ == "__main__":
    unittest.main()

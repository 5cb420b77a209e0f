"""A role that was handed to a service: its trust policy must let that service in, each time; and
work that was asked for dies with whoever asked for it."""
import json
import unittest
import uuid

from wardtest import Ward, eventually


def trust(service, **condition):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ALL = json.dumps({"Version": "2012-10-17",
                  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def template(name):
    return json.dumps({"Resources": {"U": {"Type": "AWS::IAM::User",
                                           "Properties": {"UserName": name}}}})


class PassedRoles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ward = Ward().start()
        cls.iam = cls.ward.client("iam")
        cls.account = cls.ward.client("sts").get_caller_identity()["Account"]

    @classmethod
    def tearDownClass(cls):
        code = cls.ward.stop()
        cls.ward.remove()
        assert code == 0

    def role(self, document):
        name = "r-" + uuid.uuid4().hex[:8]
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=ALL)
        return name, arn

    def low_user(self):
        """May make stacks and hand any role on; nothing else."""
        name = "u-" + uuid.uuid4().hex[:8]
        self.iam.create_user(UserName=name)
        self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["cloudformation:*", "iam:PassRole"],
                 "Resource": "*"}]}))
        k = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self.ward.client("cloudformation", key=k["AccessKeyId"],
                                secret=k["SecretAccessKey"])

    def outcome(self, cfn, role):
        """The stack's end, and whether the user that it asks for was made."""
        stack, made = "s-" + uuid.uuid4().hex[:8], "made-" + uuid.uuid4().hex[:8]
        cfn.create_stack(StackName=stack, TemplateBody=template(made), RoleARN=role,
                         Capabilities=["CAPABILITY_NAMED_IAM"])
        mine = self.ward.client("cloudformation")
        state = eventually(lambda: [
            s["StackStatus"] for s in mine.describe_stacks(StackName=stack)["Stacks"]
            if not s["StackStatus"].endswith("IN_PROGRESS")], "the stack's end")[0]
        users = [u["UserName"] for p in self.iam.get_paginator("list_users").paginate()
                 for u in p["Users"]]
        return state, made in users

    def test_only_a_role_that_trusts_the_service(self):
        cfn = self.low_user()
        _, lambdas = self.role(trust("lambda.amazonaws.com"))
        self.assertNotEqual(self.outcome(cfn, lambdas), ("CREATE_COMPLETE", True))
        self.assertFalse(self.outcome(cfn, lambdas)[1])
        _, right = self.role(trust("cloudformation.amazonaws.com"))
        self.assertEqual(self.outcome(cfn, right), ("CREATE_COMPLETE", True))

    def test_conditions_of_the_trust_count(self):
        cfn = self.low_user()
        _, other = self.role(trust("cloudformation.amazonaws.com", StringEquals={
            "aws:SourceAccount": "999988887777"}))
        self.assertFalse(self.outcome(cfn, other)[1])
        _, mine = self.role(trust("cloudformation.amazonaws.com",
                                  StringEquals={"aws:SourceAccount": self.account},
                                  ArnLike={"aws:SourceArn": "arn:aws:cloudformation:us-east-1:"
                                                            f"{self.account}:stack/s-*"}))
        self.assertEqual(self.outcome(cfn, mine), ("CREATE_COMPLETE", True))

    def test_trust_that_was_taken_back(self):
        cfn = self.low_user()
        name, role = self.role(trust("cloudformation.amazonaws.com"))
        self.assertEqual(self.outcome(cfn, role), ("CREATE_COMPLETE", True))
        self.iam.update_assume_role_policy(RoleName=name,
                                           PolicyDocument=trust("lambda.amazonaws.com"))
        self.assertFalse(self.outcome(cfn, role)[1])


if __name__ == "__main__":
    unittest.main()

"""STS through boto3, against a running Ward."""
import base64
import json
import unittest
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ALLOW_ALL = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def doc(effect, action, resource="*", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        dict({"Effect": effect, "Action": action, "Resource": resource}, **more)]})


def trust(principal, action="sts:AssumeRole", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        dict({"Effect": "Allow", "Principal": principal, "Action": action}, **more)]})


def client(service, key=None):
    more = {}
    if key is not None:
        more = {"aws_access_key_id": key["AccessKeyId"],
                "aws_secret_access_key": key["SecretAccessKey"],
                "aws_session_token": key.get("SessionToken")}
    return boto3.client(service, config=Config(
        retries={"max_attempts": 1}, parameter_validation=False), **more)


def name(what="t"):
    return f"{what}-{uuid.uuid4().hex[:12]}"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.iam = client("iam")
        cls.sts = client("sts")
        cls.account = cls.sts.get_caller_identity()["Account"]

    def fails(self, code, call, *args, status=None, text=None, **kw):
        with self.assertRaises(ClientError) as caught:
            call(*args, **kw)
        error = caught.exception.response
        self.assertEqual(error["Error"]["Code"], code, error)
        if status is not None:
            self.assertEqual(error["ResponseMetadata"]["HTTPStatusCode"], status)
        if text is not None:
            self.assertIn(text, error["Error"]["Message"])
        return error["Error"]["Message"]

    def user(self, policy=None):
        u = name("user")
        made = self.iam.create_user(UserName=u)["User"]
        if policy is not None:
            self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=policy)
        return made, self.iam.create_access_key(UserName=u)["AccessKey"]

    def role(self, trust_policy, policy=ALLOW_ALL, **kw):
        r = name("role")
        role = self.iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust_policy,
                                    **kw)["Role"]
        if policy is not None:
            self.iam.put_role_policy(RoleName=r, PolicyName="p", PolicyDocument=policy)
        return role

    def assume(self, sts, role, session="s1", **kw):
        return sts.assume_role(RoleArn=role["Arn"], RoleSessionName=session, **kw)


class Assume(Case):
    def test_session(self):
        role = self.role(trust({"AWS": self.account}))
        out = self.assume(self.sts, role, DurationSeconds=900)
        arn = f"arn:aws:sts::{self.account}:assumed-role/{role['RoleName']}/s1"
        self.assertEqual(out["AssumedRoleUser"],
                         {"AssumedRoleId": f"{role['RoleId']}:s1", "Arn": arn})
        self.assertNotIn("PackedPolicySize", out)
        who = client("sts", out["Credentials"]).get_caller_identity()
        self.assertEqual((who["Arn"], who["UserId"], who["Account"]),
                         (arn, f"{role['RoleId']}:s1", self.account))
        client("iam", out["Credentials"]).list_users()
        left = out["Credentials"]["Expiration"].timestamp() - \
            self.sts.get_caller_identity()["ResponseMetadata"].get("now", 0)
        self.assertGreater(left, 0)

    def test_who_may(self):
        everything = doc("Allow", "sts:AssumeRole")
        me, key = self.user()
        _, with_right = self.user(everything)
        by_account = self.role(trust({"AWS": self.account}))
        by_user = self.role(trust({"AWS": me["Arn"]}))
        by_service = self.role(trust({"Service": "lambda.amazonaws.com"}))
        # trust in the account asks for a right of the caller's own, trust in the user does not
        self.fails("AccessDenied", self.assume, client("sts", key), by_account, status=403)
        self.assume(client("sts", with_right), by_account)
        self.assume(client("sts", key), by_user)
        self.fails("AccessDenied", self.assume, client("sts", with_right), by_user)
        self.fails("AccessDenied", self.assume, client("sts", with_right), by_service)
        self.fails("AccessDenied", self.sts.assume_role, RoleSessionName="s1",
                   RoleArn=f"arn:aws:iam::{self.account}:role/missing",
                   text="is not authorized to perform: sts:AssumeRole")

    def test_identity_deny(self):
        me, key = self.user(doc("Deny", "sts:AssumeRole"))
        self.fails("AccessDenied", self.assume, client("sts", key),
                   self.role(trust({"AWS": me["Arn"]})), text="explicit deny")

    def test_conditions(self):
        role = self.role(trust({"AWS": self.account}, Condition={
            "StringEquals": {"sts:ExternalId": "abc"},
            "StringLike": {"sts:RoleSessionName": "team-*"}}))
        self.assume(self.sts, role, "team-1", ExternalId="abc")
        self.fails("AccessDenied", self.assume, self.sts, role, "team-1")
        self.fails("AccessDenied", self.assume, self.sts, role, "team-1", ExternalId="abd")
        self.fails("AccessDenied", self.assume, self.sts, role, "other", ExternalId="abc")
        mfa = self.role(trust({"AWS": self.account}, Condition={
            "Bool": {"aws:MultiFactorAuthPresent": "true"}}))
        self.fails("AccessDenied", self.assume, self.sts, mfa)

    def test_durations(self):
        role = self.role(trust({"AWS": self.account}), MaxSessionDuration=7200)
        self.fails("ValidationError", self.assume, self.sts, role, DurationSeconds=899)
        self.fails("ValidationError", self.assume, self.sts, role, DurationSeconds=7201,
                   text="MaxSessionDuration")
        out = self.assume(self.sts, role, DurationSeconds=7200)
        chained = client("sts", out["Credentials"])
        self.fails("ValidationError", self.assume, chained, role, DurationSeconds=3601,
                   text="role chaining")
        self.assume(chained, role, DurationSeconds=3600)

    def test_session_names(self):
        role = self.role(trust({"AWS": self.account}))
        for bad in ("a", "a b", "x" * 65, "a/b"):
            self.fails("ValidationError", self.assume, self.sts, role, bad)

    def test_mfa_code_is_refused(self):
        role = self.role(trust({"AWS": self.account}))
        self.fails("AccessDenied", self.assume, self.sts, role,
                   SerialNumber=f"arn:aws:iam::{self.account}:mfa/x", TokenCode="123456",
                   text="MultiFactorAuthentication")

    def test_session_policy(self):
        role = self.role(trust({"AWS": self.account}))
        out = self.assume(self.sts, role, Policy=doc("Allow", "iam:ListUsers"))
        self.assertGreater(out["PackedPolicySize"], 0)
        iam = client("iam", out["Credentials"])
        iam.list_users()
        self.fails("AccessDenied", iam.list_roles, text="session policy")
        self.fails("MalformedPolicyDocument", self.assume, self.sts, role, Policy="{}")
        self.fails("ValidationError", self.assume, self.sts, role,
                   Policy=doc("Allow", "iam:ListUsers") + " " * 2048)
        out = self.assume(self.sts, role, PolicyArns=[
            {"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}])
        iam = client("iam", out["Credentials"])
        iam.list_roles()
        self.fails("AccessDenied", iam.create_user, UserName=name())
        self.fails("NoSuchEntity", self.assume, self.sts, role, PolicyArns=[
            {"arn": "arn:aws:iam::aws:policy/NoSuchPolicyHere"}])

    def test_changes_take_effect_at_once(self):
        role = self.role(trust({"AWS": self.account}))
        out = self.assume(self.sts, role)
        iam = client("iam", out["Credentials"])
        iam.list_users()
        self.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p")
        self.fails("AccessDenied", iam.list_users)
        self.iam.delete_role(RoleName=role["RoleName"])
        self.fails("InvalidClientTokenId", client("sts", out["Credentials"]).get_caller_identity,
                   status=403)

    def test_revoke_older_sessions(self):
        role = self.role(trust({"AWS": self.account}))
        iam = client("iam", self.assume(self.sts, role)["Credentials"])
        iam.list_users()
        self.iam.put_role_policy(
            RoleName=role["RoleName"], PolicyName="AWSRevokeOlderSessions",
            PolicyDocument=doc("Deny", "*", Condition={
                "DateLessThan": {"aws:TokenIssueTime": "2099-01-01T00:00:00Z"}}))
        self.fails("AccessDenied", iam.list_users, text="explicit deny")

    def test_tokens(self):
        role = self.role(trust({"AWS": self.account}))
        a = self.assume(self.sts, role)["Credentials"]
        b = self.assume(self.sts, role, "s2")["Credentials"]
        for bad in (dict(a, SessionToken=b["SessionToken"]), dict(a, SessionToken=None),
                    dict(a, SessionToken="AAAA"),
                    dict(a, SessionToken=a["SessionToken"][:-8] + "AAAAAAA=")):
            self.fails("InvalidClientTokenId", client("sts", bad).get_caller_identity, status=403)
        self.fails("SignatureDoesNotMatch",
                   client("sts", dict(a, SecretAccessKey=b["SecretAccessKey"]))
                   .get_caller_identity)
        # sealed: neither the secret nor the role's name can be read from it
        raw = base64.b64decode(a["SessionToken"])
        self.assertNotIn(a["SecretAccessKey"].encode(), raw)
        self.assertNotIn(role["RoleName"].encode(), raw)

    def test_source_identity(self):
        role = self.role(trust({"AWS": self.account},
                               ["sts:AssumeRole", "sts:SetSourceIdentity"]))
        out = self.assume(self.sts, role, SourceIdentity="alice")
        self.assertEqual(out["SourceIdentity"], "alice")
        chained = client("sts", out["Credentials"])
        self.assertEqual(self.assume(chained, role)["SourceIdentity"], "alice")
        self.fails("AccessDenied", self.assume, chained, role, SourceIdentity="mallory")
        plain = self.role(trust({"AWS": self.account}))
        self.fails("AccessDenied", self.assume, self.sts, plain, SourceIdentity="alice",
                   text="sts:SetSourceIdentity")

    def test_what_a_chain_hands_on_must_be_accepted(self):
        first = self.role(trust({"AWS": self.account}, ["sts:AssumeRole", "sts:SetSourceIdentity",
                                                        "sts:TagSession"]))
        plain = self.role(trust({"AWS": self.account}))
        tags = [{"Key": "team", "Value": "red"}]
        named = client("sts", self.assume(self.sts, first, SourceIdentity="alice")["Credentials"])
        self.fails("AccessDenied", self.assume, named, plain, text="sts:SetSourceIdentity")
        tagged = client("sts", self.assume(self.sts, first, Tags=tags,
                                           TransitiveTagKeys=["team"])["Credentials"])
        self.fails("AccessDenied", self.assume, tagged, plain, text="sts:TagSession")
        short = client("sts", self.assume(self.sts, first, Tags=tags)["Credentials"])
        self.assume(short, plain)  # nothing is handed on
        only_red = self.role(json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "sts:TagSession",
             "Condition": {"StringEquals": {"aws:RequestTag/team": "red"},
                           "ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"]}}}]}))
        self.assume(tagged, only_red)

    def test_trust_is_in_who_was_there(self):
        me, key = self.user(doc("Allow", "sts:*"))
        mine, name_ = client("sts", key), me["UserName"]
        role = self.role(trust({"AWS": me["Arn"]}))
        shown = lambda: self.iam.get_role(RoleName=role["RoleName"])["Role"][
            "AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
        self.assume(mine, role)
        self.assertEqual(shown(), me["Arn"])
        self.iam.update_user(UserName=name_, NewUserName=name_ + "-2")
        self.assume(mine, role)  # the same user still
        self.iam.update_user(UserName=name_ + "-2", NewUserName=name_)
        self.iam.delete_access_key(UserName=name_, AccessKeyId=key["AccessKeyId"])
        self.iam.delete_user_policy(UserName=name_, PolicyName="p")
        self.iam.delete_user(UserName=name_)
        self.assertEqual(shown(), me["UserId"])
        again = self.iam.create_user(UserName=name_)["User"]
        self.assertEqual(again["Arn"], me["Arn"])
        other = client("sts", self.iam.create_access_key(UserName=name_)["AccessKey"])
        self.fails("AccessDenied", self.assume, other, role)
        self.iam.update_assume_role_policy(RoleName=role["RoleName"],
                                           PolicyDocument=trust({"AWS": me["Arn"]}))
        self.assume(other, role)
        self.assertEqual(shown(), me["Arn"])

    def test_session_tags(self):
        role = self.role(trust({"AWS": self.account}, ["sts:AssumeRole", "sts:TagSession"]),
                         Tags=[{"Key": "team", "Value": "red"}],
                         policy=doc("Allow", ["iam:ListUsers", "sts:*"], Condition={
                             "StringEquals": {"aws:PrincipalTag/team": "blue"}}))
        tags = [{"Key": "team", "Value": "blue"}, {"Key": "x", "Value": "1"}]
        self.fails("AccessDenied",
                   client("iam", self.assume(self.sts, role)["Credentials"]).list_users)
        out = self.assume(self.sts, role, Tags=tags, TransitiveTagKeys=["team"])
        client("iam", out["Credentials"]).list_users()
        chained = client("sts", out["Credentials"])
        client("iam", self.assume(chained, role)["Credentials"]).list_users()
        self.fails("InvalidParameterValue", self.assume, chained, role, Tags=tags)
        self.fails("InvalidParameterValue", self.assume, self.sts, role,
                   TransitiveTagKeys=["nope"])
        plain = self.role(trust({"AWS": self.account}))
        self.fails("AccessDenied", self.assume, self.sts, plain, Tags=tags,
                   text="sts:TagSession")


class Others(Case):
    def test_caller_identity_needs_no_right(self):
        me, key = self.user(doc("Deny", "*"))
        who = client("sts", key).get_caller_identity()
        self.assertEqual((who["Arn"], who["UserId"]), (me["Arn"], me["UserId"]))

    def test_session_token(self):
        me, key = self.user(ALLOW_ALL)
        s = client("sts", key).get_session_token(DurationSeconds=900)["Credentials"]
        self.assertTrue(s["AccessKeyId"].startswith("ASIA"))
        mine = client("sts", s)
        self.assertEqual(mine.get_caller_identity()["Arn"], me["Arn"])
        self.fails("AccessDenied", mine.get_session_token, status=403)
        self.fails("AccessDenied", client("sts", key).get_session_token,
                   SerialNumber=f"arn:aws:iam::{self.account}:mfa/x", TokenCode="123456")
        self.fails("ValidationError", client("sts", key).get_session_token, DurationSeconds=1)
        self.assume(mine, self.role(trust({"AWS": self.account})))
        self.iam.delete_access_key(UserName=me["UserName"], AccessKeyId=key["AccessKeyId"])
        self.fails("InvalidClientTokenId", mine.get_caller_identity)

    def test_key_info(self):
        _, key = self.user()
        info = self.sts.get_access_key_info(AccessKeyId=key["AccessKeyId"])
        self.assertEqual(info["Account"], self.account)
        self.fails("ValidationError", self.sts.get_access_key_info,
                   AccessKeyId="AKIAAAAAAAAAAAAAAAAA")
        self.fails("AccessDenied", client("sts", key).get_access_key_info,
                   AccessKeyId=key["AccessKeyId"])

    def test_not_built(self):
        self.fails("NotImplemented", self.sts.decode_authorization_message, EncodedMessage="x",
                   status=501)
        self.fails("NotImplemented", self.sts.get_federation_token, Name="xx", status=501)


if __name__ == "__main__":
    unittest.main()

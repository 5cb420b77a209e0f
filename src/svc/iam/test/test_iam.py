"""IAM through boto3, against a running Ward."""
import concurrent.futures
import json
import time
import unittest
import urllib.parse
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


def client(service, key=None, token=None):
    more = {}
    if key is not None:
        more = {"aws_access_key_id": key["AccessKeyId"],
                "aws_secret_access_key": key["SecretAccessKey"], "aws_session_token": token}
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

    def user(self, **kw):
        u = name("user")
        self.iam.create_user(UserName=u, **kw)
        return u

    def key(self, user):
        return self.iam.create_access_key(UserName=user)["AccessKey"]


class Users(Case):
    def test_life(self):
        u = name("User")
        made = self.iam.create_user(UserName=u, Path="/team/a/",
                                    Tags=[{"Key": "k", "Value": "v"}])["User"]
        self.assertEqual(made["Arn"], f"arn:aws:iam::{self.account}:user/team/a/{u}")
        self.assertRegex(made["UserId"], "^AIDA[A-Z2-7]{17}$")
        got = self.iam.get_user(UserName=u)["User"]
        self.assertEqual(got["Tags"], [{"Key": "k", "Value": "v"}])
        self.assertEqual(got["CreateDate"], made["CreateDate"])
        self.fails("EntityAlreadyExists", self.iam.create_user, UserName=u, status=409,
                   text=f"User with name {u} already exists.")
        self.fails("EntityAlreadyExists", self.iam.create_user, UserName=u.swapcase())
        listed = self.iam.list_users(PathPrefix="/team/")["Users"]
        self.assertIn(u, [x["UserName"] for x in listed])
        self.assertNotIn("Tags", listed[0])
        self.iam.update_user(UserName=u, NewUserName=u + "2", NewPath="/team/b/")
        moved = self.iam.get_user(UserName=u + "2")["User"]
        self.assertEqual(moved["Arn"], f"arn:aws:iam::{self.account}:user/team/b/{u}2")
        self.assertEqual(moved["UserId"], made["UserId"])
        self.fails("NoSuchEntity", self.iam.get_user, UserName=u, status=404,
                   text=f"The user with name {u} cannot be found.")
        self.iam.delete_user(UserName=u + "2")
        self.fails("NoSuchEntity", self.iam.delete_user, UserName=u + "2")

    def test_names(self):
        for bad in ("a b", "a/b", "ü", "x" * 65):
            self.fails("ValidationError", self.iam.create_user, UserName=bad, status=400)
        self.fails("ValidationError", self.iam.create_user, UserName=name(), Path="nopath")

    def test_self(self):
        me = self.iam.get_user()["User"]
        self.assertEqual(me["Arn"], self.sts.get_caller_identity()["Arn"])

    def test_pages(self):
        prefix = f"/{name()}/"
        users = sorted(self.user(Path=prefix) for _ in range(5))
        first = self.iam.list_users(PathPrefix=prefix, MaxItems=2)
        self.assertTrue(first["IsTruncated"])
        pages = self.iam.get_paginator("list_users").paginate(
            PathPrefix=prefix, PaginationConfig={"PageSize": 2})
        self.assertEqual([u["UserName"] for p in pages for u in p["Users"]], users)
        self.fails("ValidationError", self.iam.list_users, Marker="forged")

    def test_delete_conflicts(self):
        u, g = self.user(), name("group")
        key = self.key(u)
        self.iam.create_group(GroupName=g)
        self.iam.add_user_to_group(GroupName=g, UserName=u)
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=ALLOW_ALL)
        self.iam.attach_user_policy(UserName=u,
                                    PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
        for undo in (
            lambda: self.iam.delete_access_key(UserName=u, AccessKeyId=key["AccessKeyId"]),
            lambda: self.iam.remove_user_from_group(GroupName=g, UserName=u),
            lambda: self.iam.detach_user_policy(
                UserName=u, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess"),
            lambda: self.iam.delete_user_policy(UserName=u, PolicyName="p"),
        ):
            self.fails("DeleteConflict", self.iam.delete_user, UserName=u, status=409)
            undo()
        self.iam.delete_user(UserName=u)

    def test_tags(self):
        u = self.user(Tags=[{"Key": "Team", "Value": "a"}])
        self.iam.tag_user(UserName=u, Tags=[{"Key": "team", "Value": "b"},
                                            {"Key": "x", "Value": ""}])
        tags = self.iam.list_user_tags(UserName=u)["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}])
        self.iam.untag_user(UserName=u, TagKeys=["TEAM"])
        self.assertEqual(len(self.iam.list_user_tags(UserName=u)["Tags"]), 1)
        self.fails("InvalidInput", self.iam.tag_user, UserName=u,
                   Tags=[{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}])
        self.fails("InvalidInput", self.iam.tag_user, UserName=u,
                   Tags=[{"Key": "aws:a", "Value": ""}])
        many = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
        self.fails("LimitExceeded", self.iam.tag_user, UserName=u, Tags=many, status=409)


class Keys(Case):
    def test_life(self):
        u = self.user()
        first = self.key(u)
        self.assertRegex(first["AccessKeyId"], "^AKIA[A-Z2-7]{16}$")
        self.assertEqual(len(first["SecretAccessKey"]), 40)
        self.assertEqual(client("sts", first).get_caller_identity()["Arn"],
                         f"arn:aws:iam::{self.account}:user/{u}")
        self.key(u)
        self.fails("LimitExceeded", self.iam.create_access_key, UserName=u, status=409,
                   text="Cannot exceed quota for AccessKeysPerUser: 2")
        listed = self.iam.list_access_keys(UserName=u)["AccessKeyMetadata"]
        self.assertEqual(len(listed), 2)
        self.assertNotIn("SecretAccessKey", listed[0])
        self.iam.update_access_key(UserName=u, AccessKeyId=first["AccessKeyId"],
                                   Status="Inactive")
        self.fails("InvalidClientTokenId", client("sts", first).get_caller_identity, status=403)
        self.iam.update_access_key(UserName=u, AccessKeyId=first["AccessKeyId"], Status="Active")
        client("sts", first).get_caller_identity()
        self.iam.update_user(UserName=u, NewUserName=u + "x")
        self.assertEqual(client("sts", first).get_caller_identity()["Arn"],
                         f"arn:aws:iam::{self.account}:user/{u}x")
        self.iam.delete_access_key(UserName=u + "x", AccessKeyId=first["AccessKeyId"])
        self.fails("InvalidClientTokenId", client("sts", first).get_caller_identity)
        self.fails("NoSuchEntity", self.iam.delete_access_key, UserName=u + "x",
                   AccessKeyId=first["AccessKeyId"])

    def test_many_at_once(self):
        u = self.user()

        def one(_):
            try:
                return client("iam").create_access_key(UserName=u)["AccessKey"]["AccessKeyId"]
            except ClientError as e:
                return e.response["Error"]["Code"]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(one, range(8)))
        self.assertEqual(results.count("LimitExceeded"), 6, results)
        listed = self.iam.list_access_keys(UserName=u)["AccessKeyMetadata"]
        self.assertEqual({k["AccessKeyId"] for k in listed},
                         set(results) - {"LimitExceeded"})

    def test_of_another_user(self):
        u, v = self.user(), self.user()
        key = self.key(u)
        self.fails("NoSuchEntity", self.iam.delete_access_key, UserName=v,
                   AccessKeyId=key["AccessKeyId"])
        client("sts", key).get_caller_identity()

    def test_self_service(self):
        u = self.user()
        self.iam.put_user_policy(
            UserName=u, PolicyName="own-keys",
            PolicyDocument=doc("Allow", "iam:*AccessKey*", "arn:aws:iam::*:user/${aws:username}"))
        mine = client("iam", self.key(u))
        second = mine.create_access_key()["AccessKey"]
        self.assertEqual(second["UserName"], u)
        self.assertEqual(len(mine.list_access_keys()["AccessKeyMetadata"]), 2)
        mine.delete_access_key(AccessKeyId=second["AccessKeyId"])
        other = self.user()
        self.fails("AccessDenied", mine.create_access_key, UserName=other, status=403)


class Records(Case):
    """What CloudTrail shows; the room is asked for the events, so it must be there."""

    def event(self, event_name, wanted):
        try:
            trail = client("cloudtrail")
            for _ in range(100):
                found = trail.lookup_events(LookupAttributes=[
                    {"AttributeKey": "EventName", "AttributeValue": event_name}])["Events"]
                for e in found:
                    record = json.loads(e["CloudTrailEvent"])
                    if wanted(record):
                        return record, e["CloudTrailEvent"]
                time.sleep(0.1)
        except ClientError as e:
            self.skipTest(f"no cloudtrail: {e}")
        self.fail(f"no event {event_name}")

    def test_no_secret_is_recorded(self):
        u = self.user()
        key = self.key(u)
        record, text = self.event("CreateAccessKey", lambda r: (
            r["requestParameters"] or {}).get("userName") == u)
        self.assertEqual(record["responseElements"]["accessKey"]["accessKeyId"],
                         key["AccessKeyId"])
        self.assertNotIn(key["SecretAccessKey"], text)
        self.assertEqual((record["eventSource"], record["awsRegion"], record["readOnly"]),
                         ("iam.amazonaws.com", "us-east-1", False))

    def test_session_is_recorded_without_its_secrets(self):
        r = name("role")
        role = self.iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust(
            {"AWS": self.account}))["Role"]
        out = self.sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"]
        record, text = self.event("AssumeRole", lambda x: (
            x["requestParameters"] or {}).get("roleArn") == role["Arn"])
        self.assertEqual(record["responseElements"]["credentials"]["accessKeyId"],
                         out["AccessKeyId"])
        self.assertEqual(record["resources"][0]["ARN"], role["Arn"])
        self.assertTrue(record["readOnly"])
        for hidden in (out["SecretAccessKey"], out["SessionToken"]):
            self.assertNotIn(hidden, text)


class Policies(Case):
    def test_versions(self):
        p = self.iam.create_policy(PolicyName=name("policy"), Path="/x/", Description="d",
                                   PolicyDocument=doc("Allow", "s3:GetObject"))["Policy"]
        arn = p["Arn"]
        self.assertEqual(arn, f"arn:aws:iam::{self.account}:policy/x/{p['PolicyName']}")
        self.assertEqual((p["DefaultVersionId"], p["AttachmentCount"]), ("v1", 0))
        self.fails("EntityAlreadyExists", self.iam.create_policy, PolicyName=p["PolicyName"],
                   PolicyDocument=ALLOW_ALL)
        for i in range(2, 6):
            v = self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL,
                                               SetAsDefault=i == 2)["PolicyVersion"]
            self.assertEqual(v["VersionId"], f"v{i}")
        self.fails("LimitExceeded", self.iam.create_policy_version, PolicyArn=arn,
                   PolicyDocument=ALLOW_ALL)
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"], "v2")
        listed = self.iam.list_policy_versions(PolicyArn=arn)["Versions"]
        self.assertEqual([v["VersionId"] for v in listed], ["v5", "v4", "v3", "v2", "v1"])
        got = self.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
        self.assertEqual(got["Document"]["Statement"][0]["Action"], "s3:GetObject")
        self.fails("DeleteConflict", self.iam.delete_policy_version, PolicyArn=arn,
                   VersionId="v2")
        self.iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
        v = self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALLOW_ALL)
        self.assertEqual(v["PolicyVersion"]["VersionId"], "v6")
        self.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        self.fails("DeleteConflict", self.iam.delete_policy, PolicyArn=arn)
        for i in (2, 3, 4, 6):
            self.iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{i}")
        self.iam.delete_policy(PolicyArn=arn)
        self.fails("NoSuchEntity", self.iam.get_policy, PolicyArn=arn)

    def test_malformed(self):
        bad = ["{", "[]", json.dumps({"Version": "2012-10-17", "Statement": [{}]}),
               doc("Permit", "*"), trust({"AWS": "*"}),
               json.dumps({"Version": "1999-01-01", "Statement": []})]
        for text in bad:
            self.fails("MalformedPolicyDocument", self.iam.create_policy, PolicyName=name(),
                       PolicyDocument=text, status=400)
        self.fails("MalformedPolicyDocument", self.iam.create_role, RoleName=name(),
                   AssumeRolePolicyDocument=ALLOW_ALL)

    def test_size(self):
        long = doc("Allow", ["s3:GetObject"] * 450)
        self.fails("LimitExceeded", self.iam.create_policy, PolicyName=name(),
                   PolicyDocument=long, status=409)
        u = self.user()
        self.iam.put_user_policy(UserName=u, PolicyName="blank",
                                 PolicyDocument=ALLOW_ALL + " " * 4000)
        self.fails("LimitExceeded", self.iam.put_user_policy, UserName=u, PolicyName="big",
                   PolicyDocument=doc("Allow", ["s3:GetObject"] * 140))

    def test_attach(self):
        u, g, r = self.user(), name("group"), name("role")
        self.iam.create_group(GroupName=g)
        self.iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust(
            {"Service": "lambda.amazonaws.com"}))
        arn = self.iam.create_policy(PolicyName=name(), PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
        self.iam.attach_user_policy(UserName=u, PolicyArn=arn)
        self.iam.attach_user_policy(UserName=u, PolicyArn=arn)
        self.iam.attach_group_policy(GroupName=g, PolicyArn=arn)
        self.iam.attach_role_policy(RoleName=r, PolicyArn=arn)
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 3)
        e = self.iam.list_entities_for_policy(PolicyArn=arn)
        self.assertEqual([e["PolicyUsers"][0]["UserName"], e["PolicyGroups"][0]["GroupName"],
                          e["PolicyRoles"][0]["RoleName"]], [u, g, r])
        pages = list(self.iam.get_paginator("list_entities_for_policy").paginate(
            PolicyArn=arn, PaginationConfig={"PageSize": 1}))
        self.assertEqual(len(pages), 3)
        e = self.iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")
        self.assertEqual((e["PolicyUsers"], len(e["PolicyRoles"])), ([], 1))
        self.assertEqual(self.iam.list_attached_role_policies(RoleName=r)["AttachedPolicies"],
                         [{"PolicyName": arn.split("/")[-1], "PolicyArn": arn}])
        self.fails("DeleteConflict", self.iam.delete_policy, PolicyArn=arn)
        self.fails("DeleteConflict", self.iam.delete_role, RoleName=r)
        self.iam.detach_user_policy(UserName=u, PolicyArn=arn)
        self.fails("NoSuchEntity", self.iam.detach_user_policy, UserName=u, PolicyArn=arn)
        self.iam.detach_group_policy(GroupName=g, PolicyArn=arn)
        self.iam.detach_role_policy(RoleName=r, PolicyArn=arn)
        self.iam.delete_policy(PolicyArn=arn)

    def test_aws_managed(self):
        arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        u = self.user()
        self.iam.attach_user_policy(UserName=u, PolicyArn=arn)
        self.fails("NoSuchEntity", self.iam.attach_user_policy, UserName=u,
                   PolicyArn="arn:aws:iam::aws:policy/Billing", status=404)
        got = self.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
        self.assertIn("logs:PutLogEvents", got["Document"]["Statement"][0]["Action"])
        self.assertGreater(self.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 0)
        self.fails("AccessDenied", self.iam.create_policy_version, PolicyArn=arn,
                   PolicyDocument=ALLOW_ALL)

    def test_read_only(self):
        u = self.user()
        own = client("iam", self.key(u))
        self.iam.attach_user_policy(UserName=u, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        self.assertEqual(own.get_user(UserName=u)["User"]["UserName"], u)
        self.fails("AccessDenied", own.create_user, UserName=name())

    def test_list(self):
        path = f"/{name()}/"
        made = sorted(self.iam.create_policy(PolicyName=name(), Path=path,
                                             PolicyDocument=ALLOW_ALL)["Policy"]["Arn"]
                      for _ in range(3))
        local = self.iam.list_policies(Scope="Local", PathPrefix=path)["Policies"]
        self.assertEqual(sorted(p["Arn"] for p in local), made)
        pages = self.iam.get_paginator("list_policies").paginate(
            Scope="All", PaginationConfig={"PageSize": 4})
        every = [p["Arn"] for page in pages for p in page["Policies"]]
        self.assertEqual(len(every), len(set(every)))
        self.assertIn("arn:aws:iam::aws:policy/AdministratorAccess", every)
        self.assertTrue(set(made) <= set(every))
        aws = self.iam.list_policies(Scope="AWS", MaxItems=1000)["Policies"]
        self.assertTrue(all(":aws:policy/" in p["Arn"] for p in aws))

    def test_attached_limit(self):
        u = self.user()
        arns = [self.iam.create_policy(PolicyName=name(), PolicyDocument=ALLOW_ALL)
                ["Policy"]["Arn"] for _ in range(11)]
        for arn in arns[:10]:
            self.iam.attach_user_policy(UserName=u, PolicyArn=arn)
        self.fails("LimitExceeded", self.iam.attach_user_policy, UserName=u, PolicyArn=arns[10],
                   text="Cannot exceed quota for PoliciesPerUser: 10")

    def test_inline(self):
        r = name("role")
        self.iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust({"AWS": self.account}))
        text = doc("Allow", "s3:GetObject", "arn:aws:s3:::ü/*")
        self.iam.put_role_policy(RoleName=r, PolicyName="p", PolicyDocument=text)
        got = self.iam.get_role_policy(RoleName=r, PolicyName="p")
        self.assertEqual(got["PolicyDocument"], json.loads(text))
        self.assertEqual(self.iam.list_role_policies(RoleName=r)["PolicyNames"], ["p"])
        self.fails("NoSuchEntity", self.iam.get_role_policy, RoleName=r, PolicyName="q")
        self.fails("DeleteConflict", self.iam.delete_role, RoleName=r)
        self.iam.delete_role_policy(RoleName=r, PolicyName="p")
        self.iam.delete_role(RoleName=r)

    def test_document_is_percent_encoded(self):
        raw = {}
        iam = client("iam")
        iam.meta.events.register("before-parse.iam.GetRole",
                                 lambda response_dict, **kw: raw.update(response_dict))
        r, text = name("role"), trust({"AWS": self.account})
        iam.create_role(RoleName=r, AssumeRolePolicyDocument=text)
        iam.get_role(RoleName=r)
        self.assertIn(urllib.parse.quote(text, safe="-._~").encode(), raw["body"])


class Groups(Case):
    def test_life(self):
        g, u = name("group"), self.user()
        made = self.iam.create_group(GroupName=g, Path="/g/")["Group"]
        self.assertRegex(made["GroupId"], "^AGPA")
        self.iam.add_user_to_group(GroupName=g, UserName=u)
        self.iam.add_user_to_group(GroupName=g, UserName=u)
        self.assertEqual([x["UserName"] for x in self.iam.get_group(GroupName=g)["Users"]], [u])
        self.fails("DeleteConflict", self.iam.delete_group, GroupName=g)
        self.iam.put_group_policy(GroupName=g, PolicyName="p",
                                  PolicyDocument=doc("Allow", "iam:ListGroups"))
        mine = client("iam", self.key(u))
        self.assertIn(g, [x["GroupName"] for x in mine.list_groups()["Groups"]])
        self.iam.update_group(GroupName=g, NewGroupName=g + "2")
        mine.list_groups()
        self.assertEqual([x["GroupName"] for x in
                          self.iam.list_groups_for_user(UserName=u)["Groups"]], [g + "2"])
        self.iam.remove_user_from_group(GroupName=g + "2", UserName=u)
        self.fails("AccessDenied", mine.list_groups, status=403)
        self.fails("DeleteConflict", self.iam.delete_group, GroupName=g + "2")
        self.iam.delete_group_policy(GroupName=g + "2", PolicyName="p")
        self.iam.delete_group(GroupName=g + "2")

    def test_limit(self):
        u = self.user()
        for i in range(11):
            g = name("group")
            self.iam.create_group(GroupName=g)
            if i < 10:
                self.iam.add_user_to_group(GroupName=g, UserName=u)
            else:
                self.fails("LimitExceeded", self.iam.add_user_to_group, GroupName=g, UserName=u)


class Roles(Case):
    def test_life(self):
        r = name("role")
        made = self.iam.create_role(RoleName=r, Path="/svc/", Description="d",
                                    AssumeRolePolicyDocument=trust({"AWS": self.account}),
                                    MaxSessionDuration=7200,
                                    Tags=[{"Key": "a", "Value": "b"}])["Role"]
        self.assertEqual(made["Arn"], f"arn:aws:iam::{self.account}:role/svc/{r}")
        got = self.iam.get_role(RoleName=r)["Role"]
        self.assertEqual(got["MaxSessionDuration"], 7200)
        self.assertEqual(got["Tags"], [{"Key": "a", "Value": "b"}])
        self.assertEqual(got["AssumeRolePolicyDocument"],
                         json.loads(trust({"AWS": self.account})))
        self.iam.update_role(RoleName=r, Description="e", MaxSessionDuration=3600)
        self.assertEqual(self.iam.get_role(RoleName=r)["Role"]["Description"], "e")
        self.fails("ValidationError", self.iam.update_role, RoleName=r, MaxSessionDuration=60)
        new = trust({"Service": "ec2.amazonaws.com"})
        self.iam.update_assume_role_policy(RoleName=r, PolicyDocument=new)
        self.assertEqual(self.iam.get_role(RoleName=r)["Role"]["AssumeRolePolicyDocument"],
                         json.loads(new))
        self.fails("LimitExceeded", self.iam.update_assume_role_policy, RoleName=r,
                   PolicyDocument=trust({"AWS": [self.account] * 200}))
        self.assertIn(r, [x["RoleName"] for x in
                          self.iam.list_roles(PathPrefix="/svc/")["Roles"]])
        self.iam.delete_role(RoleName=r)
        self.fails("NoSuchEntity", self.iam.get_role, RoleName=r,
                   text=f"The role with name {r} cannot be found.")

    def test_trust_in_who_is_not_there(self):
        u = self.iam.get_user(UserName=self.user())["User"]["Arn"]
        r = self.iam.create_role(RoleName=name("role"),
                                 AssumeRolePolicyDocument=trust({"AWS": [u, self.account]}))["Role"]
        for bad in (u + "x", r["Arn"].replace("role/", "role/p/")):
            for principal in (bad, [u, bad]):
                self.fails("MalformedPolicyDocument", self.iam.update_assume_role_policy,
                           RoleName=r["RoleName"], PolicyDocument=trust({"AWS": principal}),
                           text="Invalid principal in policy")

    def test_instance_profile(self):
        r, p = name("role"), name("profile")
        self.iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust(
            {"Service": "ec2.amazonaws.com"}))
        self.iam.create_instance_profile(InstanceProfileName=p)
        self.iam.add_role_to_instance_profile(InstanceProfileName=p, RoleName=r)
        self.fails("LimitExceeded", self.iam.add_role_to_instance_profile,
                   InstanceProfileName=p, RoleName=r)
        got = self.iam.get_instance_profile(InstanceProfileName=p)["InstanceProfile"]
        self.assertEqual([x["RoleName"] for x in got["Roles"]], [r])
        of_role = self.iam.list_instance_profiles_for_role(RoleName=r)["InstanceProfiles"]
        self.assertEqual([x["InstanceProfileName"] for x in of_role], [p])
        self.fails("DeleteConflict", self.iam.delete_role, RoleName=r)
        self.fails("DeleteConflict", self.iam.delete_instance_profile, InstanceProfileName=p)
        self.iam.remove_role_from_instance_profile(InstanceProfileName=p, RoleName=r)
        self.iam.delete_instance_profile(InstanceProfileName=p)
        self.iam.delete_role(RoleName=r)

    def test_passing_a_role_is_a_right(self):
        r, p, u = name("role"), name("profile"), self.user()
        self.iam.create_role(RoleName=r, AssumeRolePolicyDocument=trust(
            {"Service": "ec2.amazonaws.com"}))
        self.iam.create_instance_profile(InstanceProfileName=p)
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=doc(
            "Allow", "iam:AddRoleToInstanceProfile"))
        mine = client("iam", self.key(u))
        self.fails("AccessDenied", mine.add_role_to_instance_profile, InstanceProfileName=p,
                   RoleName=r, text="iam:PassRole")


class Enforcement(Case):
    def test_refusals_tell_nothing(self):
        u = self.user()
        mine = client("iam", self.key(u))
        there = self.fails("AccessDenied", mine.get_user, UserName=u, status=403,
                           text=f"arn:aws:iam::{self.account}:user/{u} is not authorized")
        missing = self.fails("AccessDenied", mine.get_user, UserName="nobody")
        self.assertEqual(there.replace(f"user/{u}", "user/X"),
                         missing.replace(f"user/{u}", "user/X").replace("user/nobody", "user/X"))

    def test_path_scoped(self):
        u = self.user()
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=doc(
            "Allow", "iam:*", f"arn:aws:iam::{self.account}:user/sand/*"))
        mine = client("iam", self.key(u))
        inside = name()
        mine.create_user(UserName=inside, Path="/sand/")
        self.fails("AccessDenied", mine.create_user, UserName=name())
        self.fails("AccessDenied", mine.delete_user, UserName=u)
        # not out of the sand by another name
        self.fails("AccessDenied", mine.update_user, UserName=inside, NewPath="/")
        mine.delete_user(UserName=inside)

    def test_condition_keys(self):
        u, victim = self.user(), self.user(Tags=[{"Key": "team", "Value": "red"}])
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["iam:AttachUserPolicy", "iam:DetachUserPolicy"],
                 "Resource": "*", "Condition": {"ArnEquals": {
                     "iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonSQSFullAccess"}}},
                {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*",
                 "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}},
                {"Effect": "Allow", "Action": ["iam:CreateUser", "iam:TagUser"],
                 "Resource": "*", "Condition": {
                     "StringEquals": {"aws:RequestTag/team": "blue"},
                     "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}]}))
        mine = client("iam", self.key(u))
        mine.attach_user_policy(UserName=victim,
                                PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
        self.fails("AccessDenied", mine.attach_user_policy, UserName=victim,
                   PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        mine.get_user(UserName=victim)
        self.fails("AccessDenied", mine.get_user, UserName=u)
        mine.create_user(UserName=name(), Tags=[{"Key": "team", "Value": "blue"}])
        self.fails("AccessDenied", mine.create_user, UserName=name())
        self.fails("AccessDenied", mine.create_user, UserName=name(),
                   Tags=[{"Key": "team", "Value": "blue"}, {"Key": "z", "Value": ""}])

    def test_boundary(self):
        u = self.user(PermissionsBoundary="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=ALLOW_ALL)
        mine = client("iam", self.key(u))
        got = mine.get_user()["User"]
        self.assertEqual(got["PermissionsBoundary"]["PermissionsBoundaryArn"],
                         "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
        self.fails("AccessDenied", mine.create_user, UserName=name())
        self.iam.delete_user_permissions_boundary(UserName=u)
        self.fails("NoSuchEntity", self.iam.delete_user_permissions_boundary, UserName=u)
        mine.tag_user(UserName=u, Tags=[{"Key": "a", "Value": ""}])

    def test_boundary_condition(self):
        bound = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
        u = self.user()
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=doc(
            "Allow", ["iam:CreateUser", "iam:PutUserPolicy"],
            Condition={"StringEquals": {"iam:PermissionsBoundary": bound}}))
        mine, bounded = client("iam", self.key(u)), name()
        mine.create_user(UserName=bounded, PermissionsBoundary=bound)
        mine.put_user_policy(UserName=bounded, PolicyName="p", PolicyDocument=ALLOW_ALL)
        self.fails("AccessDenied", mine.create_user, UserName=name())
        self.fails("AccessDenied", mine.put_user_policy, UserName=u, PolicyName="q",
                   PolicyDocument=ALLOW_ALL)

    def test_session_of_user_may_not_call_iam(self):
        u = self.user()
        self.iam.put_user_policy(UserName=u, PolicyName="p", PolicyDocument=ALLOW_ALL)
        s = client("sts", self.key(u)).get_session_token()["Credentials"]
        self.fails("InvalidClientTokenId", client("iam", s, s["SessionToken"]).list_users,
                   status=403)

    def test_not_built(self):
        self.fails("NotImplemented", self.iam.list_virtual_mfa_devices, status=501)


class Account(Case):
    def test_alias(self):
        alias = name("alias")
        self.iam.create_account_alias(AccountAlias=alias)
        self.assertEqual(self.iam.list_account_aliases()["AccountAliases"], [alias])
        self.fails("EntityAlreadyExists", self.iam.create_account_alias, AccountAlias=alias)
        self.fails("ValidationError", self.iam.create_account_alias, AccountAlias="a--b")
        self.iam.delete_account_alias(AccountAlias=alias)
        self.assertEqual(self.iam.list_account_aliases()["AccountAliases"], [])
        self.fails("NoSuchEntity", self.iam.delete_account_alias, AccountAlias=alias)

    def test_summary(self):
        before = self.iam.get_account_summary()["SummaryMap"]
        self.assertGreaterEqual(before["Users"], 1)
        u = self.user()
        self.assertEqual(self.iam.get_account_summary()["SummaryMap"]["Users"],
                         before["Users"] + 1)
        self.iam.delete_user(UserName=u)
        self.assertEqual(self.iam.get_account_summary()["SummaryMap"]["Users"], before["Users"])
        counted = sum(len(p["Users"]) for p in self.iam.get_paginator("list_users").paginate())
        self.assertEqual(counted, before["Users"])


if __name__ == "__main__":
    unittest.main()

"""KMS as boto3 sees it: both sides of each permission, and what is recorded of each."""
import json
import os
import unittest
import uuid

import boto3
from botocore.exceptions import ClientError


def client(name, creds=None):
    extra = {}
    if creds:
        extra = dict(aws_access_key_id=creds["AccessKeyId"],
                     aws_secret_access_key=creds["SecretAccessKey"])
    return boto3.client(name, **extra)


def code(error):
    return error.exception.response["Error"]["Code"]


class KeysTest(unittest.TestCase):
    def setUp(self):
        self.kms = client("kms")
        self.key = self.kms.create_key(Description="test")["KeyMetadata"]

    def test_created_key_is_described_and_listed(self):
        d = self.kms.describe_key(KeyId=self.key["Arn"])["KeyMetadata"]
        self.assertEqual(d["KeyState"], "Enabled")
        self.assertEqual(d["Description"], "test")
        self.assertEqual(d["KeySpec"], "SYMMETRIC_DEFAULT")
        ids = [k["KeyId"] for p in self.kms.get_paginator("list_keys").paginate(
            PaginationConfig={"PageSize": 2}) for k in p["Keys"]]
        self.assertIn(self.key["KeyId"], ids)
        self.assertEqual(len(ids), len(set(ids)))

    def test_a_forged_marker_is_refused(self):
        with self.assertRaises(ClientError) as e:
            self.kms.list_keys(Marker="bm90IGEgdG9rZW4")
        self.assertEqual(code(e), "InvalidMarkerException")

    def test_disabled_key_is_closed_at_once(self):
        blob = self.kms.encrypt(KeyId=self.key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        self.kms.disable_key(KeyId=self.key["KeyId"])
        for call in (lambda: self.kms.decrypt(CiphertextBlob=blob),
                     lambda: self.kms.encrypt(KeyId=self.key["KeyId"], Plaintext=b"x"),
                     lambda: self.kms.generate_data_key(KeyId=self.key["KeyId"],
                                                        KeySpec="AES_256")):
            with self.assertRaises(ClientError) as e:
                call()
            self.assertEqual(code(e), "DisabledException")
        self.kms.enable_key(KeyId=self.key["KeyId"])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")

    def test_scheduled_deletion_closes_and_cancel_reopens_disabled(self):
        r = self.kms.schedule_key_deletion(KeyId=self.key["KeyId"], PendingWindowInDays=7)
        self.assertEqual(r["KeyState"], "PendingDeletion")
        with self.assertRaises(ClientError) as e:
            self.kms.encrypt(KeyId=self.key["KeyId"], Plaintext=b"x")
        self.assertEqual(code(e), "KMSInvalidStateException")
        policy = self.kms.get_key_policy(KeyId=self.key["KeyId"])["Policy"]
        self.kms.put_key_policy(KeyId=self.key["KeyId"], Policy=policy)  # as AWS's table of states
        self.kms.cancel_key_deletion(KeyId=self.key["KeyId"])
        state = self.kms.describe_key(KeyId=self.key["KeyId"])["KeyMetadata"]["KeyState"]
        self.assertEqual(state, "Disabled")

    def test_deletion_window_has_limits(self):
        for days in (6, 31):
            with self.assertRaises(ClientError) as e:
                self.kms.schedule_key_deletion(KeyId=self.key["KeyId"], PendingWindowInDays=days)
            self.assertEqual(code(e), "ValidationException")

    def test_missing_key(self):
        with self.assertRaises(ClientError) as e:
            self.kms.describe_key(KeyId=str(uuid.uuid4()))
        self.assertEqual(code(e), "NotFoundException")
        self.assertIn("does not exist", e.exception.response["Error"]["Message"])

    def test_rotation_on_and_off(self):
        self.assertFalse(self.kms.get_key_rotation_status(
            KeyId=self.key["KeyId"])["KeyRotationEnabled"])
        self.kms.enable_key_rotation(KeyId=self.key["KeyId"], RotationPeriodInDays=90)
        s = self.kms.get_key_rotation_status(KeyId=self.key["KeyId"])
        self.assertTrue(s["KeyRotationEnabled"])
        self.assertEqual(s["RotationPeriodInDays"], 90)
        self.kms.disable_key_rotation(KeyId=self.key["KeyId"])
        self.assertFalse(self.kms.get_key_rotation_status(
            KeyId=self.key["KeyId"])["KeyRotationEnabled"])

    def test_rotation_keeps_what_was_encrypted_before(self):
        key = self.key["KeyId"]
        blobs = [self.kms.encrypt(KeyId=key, Plaintext=b"0")["CiphertextBlob"]]
        for n in range(1, 4):
            self.kms.rotate_key_on_demand(KeyId=key)
            blobs.append(self.kms.encrypt(KeyId=key, Plaintext=b"%d" % n)["CiphertextBlob"])
        for n, blob in enumerate(blobs):
            self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"%d" % n)
        # one version's material does not open another's, nor one that is not there
        at = len(blobs[0]) - 1 - 12 - 16 - 4
        self.assertEqual([b[at:at + 4] for b in blobs], [b"\0\0\0" + bytes([v])
                                                        for v in (1, 2, 3, 4)])
        for version in (b"\0\0\0\1", b"\0\0\0\5", b"\0\0\0\0", b"\xff\xff\xff\xff"):
            with self.assertRaises(ClientError) as e:
                self.kms.decrypt(CiphertextBlob=blobs[2][:at] + version + blobs[2][at + 4:])
            self.assertEqual(code(e), "InvalidCiphertextException")
        new = self.kms.re_encrypt(CiphertextBlob=blobs[0], DestinationKeyId=key)["CiphertextBlob"]
        self.assertEqual(new[at:at + 4], b"\0\0\0\4")
        for _ in range(22):
            self.kms.rotate_key_on_demand(KeyId=key)
        with self.assertRaises(ClientError) as e:
            self.kms.rotate_key_on_demand(KeyId=key)
        self.assertEqual(code(e), "LimitExceededException")
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blobs[0])["Plaintext"], b"0")
        self.kms.disable_key(KeyId=key)
        with self.assertRaises(ClientError) as e:
            self.kms.rotate_key_on_demand(KeyId=key)
        self.assertEqual(code(e), "DisabledException")

    def test_tags(self):
        k = self.key["KeyId"]
        self.kms.tag_resource(KeyId=k, Tags=[{"TagKey": "a", "TagValue": "1"},
                                             {"TagKey": "b", "TagValue": "2"}])
        self.kms.untag_resource(KeyId=k, TagKeys=["a"])
        self.assertEqual(self.kms.list_resource_tags(KeyId=k)["Tags"],
                         [{"TagKey": "b", "TagValue": "2"}])
        with self.assertRaises(ClientError) as e:
            self.kms.tag_resource(KeyId=k, Tags=[{"TagKey": "aws:x", "TagValue": "1"}])
        self.assertEqual(code(e), "TagException")

    def test_not_built_is_said(self):
        for call in (lambda: self.kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"),
                     lambda: self.kms.create_grant(KeyId=self.key["KeyId"],
                                                   GranteePrincipal=self.key["Arn"],
                                                   Operations=["Decrypt"])):
            with self.assertRaises(ClientError) as e:
                call()
            self.assertEqual(code(e), "NotImplemented")
            self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 501)


class UseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kms = client("kms")
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]
        cls.other = cls.kms.create_key()["KeyMetadata"]["Arn"]

    def test_encryption_context_is_bound(self):
        ctx = {"patient": "17", "kind": "note"}
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"secret",
                                EncryptionContext=ctx)["CiphertextBlob"]
        self.assertNotIn(b"secret", blob)
        r = self.kms.decrypt(CiphertextBlob=blob,
                             EncryptionContext={"kind": "note", "patient": "17"})
        self.assertEqual((r["Plaintext"], r["KeyId"]), (b"secret", self.key))
        for wrong in ({}, {"patient": "18", "kind": "note"}, {"patient": "17"}):
            with self.assertRaises(ClientError) as e:
                self.kms.decrypt(CiphertextBlob=blob, EncryptionContext=wrong)
            self.assertEqual(code(e), "InvalidCiphertextException")

    def test_every_altered_byte_is_found(self):
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"secret")["CiphertextBlob"]
        for i in range(0, len(blob), 7):
            bad = blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1:]
            with self.assertRaises(ClientError) as e:
                self.kms.decrypt(CiphertextBlob=bad, KeyId=self.key)
            self.assertIn(code(e), ("InvalidCiphertextException", "IncorrectKeyException"))

    def test_wrong_key_is_named(self):
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        with self.assertRaises(ClientError) as e:
            self.kms.decrypt(CiphertextBlob=blob, KeyId=self.other)
        self.assertEqual(code(e), "IncorrectKeyException")

    def test_re_encrypt(self):
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x",
                                EncryptionContext={"a": "b"})["CiphertextBlob"]
        r = self.kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "b"},
                                DestinationKeyId=self.other)
        self.assertEqual((r["SourceKeyId"], r["KeyId"]), (self.key, self.other))
        self.assertEqual(self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"])["Plaintext"], b"x")

    def test_data_keys(self):
        r = self.kms.generate_data_key(KeyId=self.key, KeySpec="AES_256",
                                       EncryptionContext={"t": "1"})
        self.assertEqual(len(r["Plaintext"]), 32)
        back = self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"], EncryptionContext={"t": "1"})
        self.assertEqual(back["Plaintext"], r["Plaintext"])
        again = self.kms.generate_data_key(KeyId=self.key, KeySpec="AES_256")
        self.assertNotEqual(again["Plaintext"], r["Plaintext"])
        r = self.kms.generate_data_key_without_plaintext(KeyId=self.key, NumberOfBytes=64)
        self.assertNotIn("Plaintext", r)
        self.assertEqual(len(self.kms.decrypt(CiphertextBlob=r["CiphertextBlob"])["Plaintext"]), 64)
        with self.assertRaises(ClientError) as e:
            self.kms.generate_data_key(KeyId=self.key)
        self.assertEqual(code(e), "ValidationException")

    def test_plaintext_limit(self):
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x" * 4096)["CiphertextBlob"]
        self.assertEqual(len(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"]), 4096)
        with self.assertRaises(ClientError) as e:
            self.kms.encrypt(KeyId=self.key, Plaintext=b"x" * 4097)
        self.assertEqual(code(e), "ValidationException")
        self.assertIn("length less than or equal to 4096",
                      e.exception.response["Error"]["Message"])

    def test_dry_run(self):
        with self.assertRaises(ClientError) as e:
            self.kms.encrypt(KeyId=self.key, Plaintext=b"x", DryRun=True)
        self.assertEqual(code(e), "DryRunOperationException")
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        altered = blob[:-1] + bytes([blob[-1] ^ 1])
        for ciphertext, expected in ((blob, "DryRunOperationException"),
                                     (altered, "InvalidCiphertextException")):
            with self.assertRaises(ClientError) as e:
                self.kms.decrypt(CiphertextBlob=ciphertext, DryRun=True)
            self.assertEqual(code(e), expected)


class AliasTest(unittest.TestCase):
    def setUp(self):
        self.kms = client("kms")
        self.key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.name = "alias/t-" + uuid.uuid4().hex

    def test_life_of_an_alias(self):
        self.kms.create_alias(AliasName=self.name, TargetKeyId=self.key)
        blob = self.kms.encrypt(KeyId=self.name, Plaintext=b"x")["CiphertextBlob"]
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        with self.assertRaises(ClientError) as e:
            self.kms.create_alias(AliasName=self.name, TargetKeyId=self.key)
        self.assertEqual(code(e), "AlreadyExistsException")
        other = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.kms.update_alias(AliasName=self.name, TargetKeyId=other)
        self.assertEqual(self.kms.describe_key(KeyId=self.name)["KeyMetadata"]["KeyId"], other)
        listed = self.kms.list_aliases(KeyId=other)["Aliases"]
        self.assertEqual([a["AliasName"] for a in listed], [self.name])
        self.kms.delete_alias(AliasName=self.name)
        with self.assertRaises(ClientError) as e:
            self.kms.describe_key(KeyId=self.name)
        self.assertEqual(code(e), "NotFoundException")

    def test_reserved_and_malformed_names(self):
        for name, expected in (("alias/aws/s3", "NotAuthorizedException"),
                               ("nothing", "ValidationException")):
            with self.assertRaises(ClientError) as e:
                self.kms.create_alias(AliasName=name, TargetKeyId=self.key)
            self.assertEqual(code(e), expected)


class PermissionTest(unittest.TestCase):
    """A user who may use one key, by its policy and by IAM."""

    @classmethod
    def setUpClass(cls):
        cls.kms, cls.iam = client("kms"), client("iam")
        cls.account = client("sts").get_caller_identity()["Account"]
        cls.user = "kms-" + uuid.uuid4().hex[:8]
        cls.arn = cls.iam.create_user(UserName=cls.user)["User"]["Arn"]
        creds = cls.iam.create_access_key(UserName=cls.user)["AccessKey"]
        cls.theirs = client("kms", creds)
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]

    def put(self, *statements):
        self.iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))

    def test_nothing_is_allowed_by_default_and_the_refusal_is_recorded(self):
        self.put({"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"})
        with self.assertRaises(ClientError) as e:
            self.theirs.encrypt(KeyId=self.key, Plaintext=b"x")
        self.assertEqual(code(e), "AccessDeniedException")
        message = e.exception.response["Error"]["Message"]
        self.assertIn(self.arn, message)
        self.assertIn("kms:Encrypt", message)
        self.assertTrue(self.theirs.list_keys()["Keys"])

    def test_identity_policy_through_the_account(self):
        self.put({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": self.key,
                  "Condition": {"StringEquals": {"kms:EncryptionContext:app": "notes"}}})
        self.theirs.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext={"app": "notes"})
        with self.assertRaises(ClientError) as e:
            self.theirs.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext={"app": "other"})
        self.assertEqual(code(e), "AccessDeniedException")

    def test_a_key_that_does_not_trust_the_account_is_closed_to_iam(self):
        me = client("sts").get_caller_identity()["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": me}, "Action": "kms:*", "Resource": "*"}]}
        key = self.kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        self.put({"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
        with self.assertRaises(ClientError) as e:
            self.theirs.describe_key(KeyId=key)
        self.assertEqual(code(e), "AccessDeniedException")
        self.kms.describe_key(KeyId=key)

    def test_lockout_is_prevented(self):
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": self.arn}, "Action": "kms:*",
             "Resource": "*"}]}
        with self.assertRaises(ClientError) as e:
            self.kms.put_key_policy(KeyId=self.key, PolicyName="default",
                                    Policy=json.dumps(policy))
        self.assertEqual(code(e), "MalformedPolicyDocumentException")

    def test_largest_policy(self):
        """Key policies have 32 KB, more than any other."""
        policy = json.loads(self.kms.get_key_policy(KeyId=self.key)["Policy"])
        policy["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "kms:CreateGrant",
                                    "Resource": "*", "Condition": {"StringEquals": {
                                        "aws:PrincipalTag/x": ["v" * 90] * 300}}})
        self.assertGreater(len(json.dumps(policy)), 28000)
        self.kms.put_key_policy(KeyId=self.key, Policy=json.dumps(policy))
        policy["Statement"][-1]["Condition"]["StringEquals"]["aws:PrincipalTag/x"] *= 2
        with self.assertRaises(ClientError) as e:
            self.kms.put_key_policy(KeyId=self.key, Policy=json.dumps(policy))
        self.assertIn(code(e), ("LimitExceededException", "ValidationException"))

    def test_principals_are_kept_by_id(self):
        user = "kms-" + uuid.uuid4().hex[:8]
        arn = self.iam.create_user(UserName=user)["User"]["Arn"]
        first = self.iam.get_user(UserName=user)["User"]["UserId"]
        me = client("sts").get_caller_identity()["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [me, arn]}, "Action": "kms:*",
             "Resource": "*"}]})
        key = self.kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
        self.assertEqual(self.kms.get_key_policy(KeyId=key)["Policy"], policy)
        creds = self.iam.create_access_key(UserName=user)["AccessKey"]
        client("kms", creds).describe_key(KeyId=key)
        self.iam.delete_access_key(UserName=user, AccessKeyId=creds["AccessKeyId"])
        self.iam.delete_user(UserName=user)
        self.assertIn(first, self.kms.get_key_policy(KeyId=key)["Policy"])
        with self.assertRaises(ClientError) as e:
            self.kms.put_key_policy(KeyId=key, Policy=policy)
        self.assertEqual(code(e), "MalformedPolicyDocumentException")
        self.iam.create_user(UserName=user)
        creds = self.iam.create_access_key(UserName=user)["AccessKey"]
        with self.assertRaises(ClientError) as e:
            client("kms", creds).describe_key(KeyId=key)
        self.assertEqual(code(e), "AccessDeniedException")

    def denied(self, call, **kw):
        with self.assertRaises(ClientError) as e:
            call(**kw)
        self.assertEqual(code(e), "AccessDeniedException")

    def deny(self, action, condition):
        self.put({"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
                 {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition})

    def test_condition_keys_of_operations(self):
        """A Deny holds only where the key is there: each is, on both sides."""
        kms, key = self.theirs, self.kms.create_key()["KeyMetadata"]["Arn"]
        policy = self.kms.get_key_policy(KeyId=key)["Policy"]
        self.deny("kms:PutKeyPolicy", {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}})
        self.denied(kms.put_key_policy, KeyId=key, Policy=policy,
                    BypassPolicyLockoutSafetyCheck=True)
        kms.put_key_policy(KeyId=key, Policy=policy)
        self.deny("kms:ScheduleKeyDeletion",
                  {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}})
        self.denied(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
        kms.schedule_key_deletion(KeyId=key)
        kms.cancel_key_deletion(KeyId=key)
        kms.enable_key(KeyId=key)
        self.deny("kms:EnableKeyRotation", {"NumericLessThan": {"kms:RotationPeriodInDays": "365"}})
        self.denied(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=90)
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=365)
        self.deny(["kms:TagResource", "kms:UntagResource"],
                  {"ForAnyValue:StringEquals": {"aws:TagKeys": "owner"}})
        self.denied(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "owner", "TagValue": "me"}])
        self.denied(kms.untag_resource, KeyId=key, TagKeys=["owner"])
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
        kms.untag_resource(KeyId=key, TagKeys=["a"])
        self.deny("kms:TagResource", {"StringEquals": {"aws:RequestTag/class": "public"}})
        self.denied(kms.tag_resource, KeyId=key, Tags=[{"TagKey": "class", "TagValue": "public"}])
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "class", "TagValue": "secret"}])
        self.deny("kms:CreateKey", {"StringNotEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}})
        self.denied(kms.create_key, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
        kms.create_key()

    def test_condition_keys_of_use(self):
        kms, key = self.theirs, self.kms.create_key()["KeyMetadata"]["Arn"]
        self.deny("kms:Encrypt", {"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}})
        self.denied(kms.encrypt, KeyId=key, Plaintext=b"x")
        self.deny("kms:ReEncrypt*", {"Bool": {"kms:ReEncryptOnSameKey": "true"}})
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        self.denied(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key)
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=self.key)

    def test_aliases_in_policies(self):
        kms, key = self.theirs, self.kms.create_key()["KeyMetadata"]["Arn"]
        one, two = ("alias/t-%s-%s" % (uuid.uuid4().hex[:8], n) for n in ("one", "two"))
        self.kms.create_alias(AliasName=one, TargetKeyId=key)
        self.kms.create_alias(AliasName=two, TargetKeyId=key)
        self.put({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": two}}})
        kms.encrypt(KeyId=key, Plaintext=b"x")
        self.denied(kms.encrypt, KeyId=self.key, Plaintext=b"x")
        self.kms.update_alias(AliasName=two, TargetKeyId=self.key)
        self.denied(kms.encrypt, KeyId=key, Plaintext=b"x")
        kms.encrypt(KeyId=self.key, Plaintext=b"x")
        self.kms.delete_alias(AliasName=two)
        self.denied(kms.encrypt, KeyId=self.key, Plaintext=b"x")
        self.put({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {
            "StringEquals": {"kms:RequestAlias": one}}})
        kms.encrypt(KeyId=one, Plaintext=b"x")
        self.denied(kms.encrypt, KeyId=key, Plaintext=b"x")

    def test_a_context_key_is_what_it_says(self):
        """A NUL does not make one key pass for another."""
        self.put({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {
            "StringEquals": {"kms:EncryptionContext:app": "notes"}}})
        self.denied(self.theirs.encrypt, KeyId=self.key, Plaintext=b"x",
                    EncryptionContext={"app\0": "notes"})
        with self.assertRaises(ClientError) as e:
            self.kms.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext={"app\0": "notes"})
        self.assertEqual(code(e), "ValidationException")

    def test_another_region(self):
        """A key is reached in its own Region, so that aws:RequestedRegion means something."""
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        far = boto3.client("kms", region_name="eu-west-1")
        for call, kw in ((far.describe_key, {"KeyId": self.key}),
                         (far.encrypt, {"KeyId": self.key, "Plaintext": b"x"}),
                         (far.decrypt, {"CiphertextBlob": blob})):
            with self.assertRaises(ClientError) as e:
                call(**kw)
            self.assertEqual(code(e), "NotFoundException")

    def test_managed_keys_are_of_their_service(self):
        """alias/aws/s3 comes into being when S3 uses it; no other does, and none by a client."""
        s3, bucket = client("s3"), "b-" + uuid.uuid4().hex
        s3.create_bucket(Bucket=bucket)
        for alias in ("alias/aws/ebs", 'alias/aws/s3"x', "alias/aws/s3/x"):
            with self.assertRaises(ClientError):
                s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms",
                              SSEKMSKeyId=alias)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
        names = [a["AliasName"] for p in self.kms.get_paginator("list_aliases").paginate()
                 for a in p["Aliases"]]
        self.assertEqual([n for n in names if n.startswith("alias/aws/s3")], ["alias/aws/s3"])
        self.assertNotIn("alias/aws/ebs", names)
        with self.assertRaises(ClientError) as e:
            self.kms.encrypt(KeyId="alias/aws/s3", Plaintext=b"x")
        self.assertEqual(code(e), "AccessDeniedException")

    def test_malformed_policy(self):
        with self.assertRaises(ClientError) as e:
            self.kms.put_key_policy(KeyId=self.key, PolicyName="default", Policy="{")
        self.assertEqual(code(e), "MalformedPolicyDocumentException")


if __name__ == "__main__":
    unittest.main()

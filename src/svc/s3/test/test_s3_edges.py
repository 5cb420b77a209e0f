"""Edges of the S3 room that are easily got wrong: listings over many markers, deletions between
pages, permissions that hide in batches, races, and what the records say."""
import base64
import hashlib
import json
import os
import ssl
import sys
import threading
import unittest
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3case import S3Case, Trail, UserCase, blobs, client, status_of, unique  # noqa: E402
from wardtest import Ward, eventually  # noqa: E402


class Listings(S3Case):
    def test_live_keys_behind_many_markers(self):
        """A page looks at 10,000 rows at most; the row it stops at must not be lost."""
        name = self.versioned()
        keys = [f"k{i:05}" for i in range(10000)]
        for i in range(0, len(keys), 1000):
            self.s3.delete_objects(Bucket=name, Delete={
                "Quiet": True, "Objects": [{"Key": k} for k in keys[i:i + 1000]]})
        live = ["k10000", "k10001", "z/1"]
        for key in live:
            self.s3.put_object(Bucket=name, Key=key, Body=b"x")
        for op in ("list_objects_v2", "list_objects"):
            got = [o["Key"] for page in self.s3.get_paginator(op).paginate(Bucket=name)
                   for o in page.get("Contents", [])]
            self.assertEqual(got, live, op)
        page = self.s3.list_objects_v2(Bucket=name, Delimiter="/", StartAfter="k09999")
        self.assertEqual([p["Prefix"] for p in page["CommonPrefixes"]], ["z/"])

    def test_versions_deleted_between_pages(self):
        """Who empties a bucket deletes each page before asking for the next."""
        name = self.versioned()
        for i in range(7):
            self.s3.put_object(Bucket=name, Key="k", Body=str(i))
        self.s3.delete_object(Bucket=name, Key="k")
        self.s3.put_object(Bucket=name, Key="l", Body=b"x")
        deleted, where = 0, {}
        while True:
            page = self.s3.list_object_versions(Bucket=name, MaxKeys=3, **where)
            rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
            self.s3.delete_objects(Bucket=name, Delete={"Objects": [
                {"Key": r["Key"], "VersionId": r["VersionId"]} for r in rows]})
            deleted += len(rows)
            if not page["IsTruncated"]:
                break
            where = {"KeyMarker": page["NextKeyMarker"],
                     "VersionIdMarker": page["NextVersionIdMarker"]}
        self.assertEqual(deleted, 9)
        self.s3.delete_bucket(Bucket=name)

    def test_null_version_ends_a_page(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"null")
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        v = self.s3.put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
        self.s3.put_object(Bucket=name, Key="l", Body=b"2")
        got, where = [], {}
        while True:
            page = self.s3.list_object_versions(Bucket=name, MaxKeys=1, **where)
            got += [(r["Key"], r["VersionId"]) for r in page["Versions"]]
            if not page["IsTruncated"]:
                break
            where = {"KeyMarker": page["NextKeyMarker"],
                     "VersionIdMarker": page["NextVersionIdMarker"]}
        self.assertEqual(got[:2], [("k", v), ("k", "null")])
        self.assertEqual([k for k, _ in got], ["k", "k", "l"])
        page = self.s3.list_object_versions(Bucket=name, KeyMarker="k", VersionIdMarker="null")
        self.assertEqual([r["Key"] for r in page["Versions"]], ["l"])
        with self.refused("InvalidArgument", 400):
            self.s3.list_object_versions(Bucket=name, KeyMarker="k", VersionIdMarker="nonsense")

    def test_uploads_by_page_and_prefix(self):
        name = self.bucket()
        want = {}
        for key in ("a", "b/1", "b/2", "b/3", "c", "c", "d/1"):
            upload = self.s3.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
            want.setdefault(key, []).append(upload)
        for size in (1, 2, 1000):
            keys, prefixes = [], []
            for page in self.s3.get_paginator("list_multipart_uploads").paginate(
                    Bucket=name, Delimiter="/", PaginationConfig={"PageSize": size}):
                keys += [(u["Key"], u["UploadId"]) for u in page.get("Uploads", [])]
                prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            self.assertEqual(keys, [(k, u) for k in ("a", "c") for u in want[k]], size)
            self.assertEqual(prefixes, ["b/", "d/"], size)
        page = self.s3.list_multipart_uploads(Bucket=name, KeyMarker="b/1", Prefix="b/")
        self.assertEqual([u["Key"] for u in page["Uploads"]], ["b/2", "b/3"])
        page = self.s3.list_multipart_uploads(Bucket=name, KeyMarker="c",
                                              UploadIdMarker=want["c"][0])
        self.assertEqual([u["UploadId"] for u in page["Uploads"]],
                         [want["c"][1], want["d/1"][0]])
        page = self.s3.list_multipart_uploads(Bucket=name, MaxUploads=0)
        self.assertFalse(page["IsTruncated"])

    def test_odd_keys(self):
        """What XML cannot carry comes encoded."""
        name = self.bucket()
        keys = sorted(["a\x01b", "tab\there", "nl\nhere", "plus+ blank", "\u20ac", "<&>\"'", "%41"])
        for key in keys:
            self.s3.put_object(Bucket=name, Key=key, Body=b"x")
        got = [o["Key"] for o in self.s3.list_objects_v2(Bucket=name)["Contents"]]
        self.assertEqual(sorted(got), keys)
        r = self.s3.delete_objects(Bucket=name, Delete={"Objects": [
            {"Key": k} for k in keys if k != "a\x01b"]})
        self.assertEqual(len(r["Deleted"]), len(keys) - 1)
        self.s3.delete_object(Bucket=name, Key="a\x01b")
        self.s3.delete_bucket(Bucket=name)


class Requests(S3Case):
    def test_empty_version_id(self):
        """A script that lost its version id must not delete the latest version."""
        name = self.versioned()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        for call in (self.s3.delete_object, self.s3.get_object, self.s3.get_object_tagging):
            with self.refused("InvalidArgument", 400):
                call(Bucket=name, Key="k", VersionId="")
        self.assertEqual(len(self.s3.list_object_versions(Bucket=name)["Versions"]), 1)
        self.assertEqual(self.body(name, "k"), b"x")

    def test_expected_owner_is_an_account(self):
        name = self.bucket()
        with self.refused("InvalidBucketOwnerAWSAccountID", 400):
            self.s3.get_bucket_acl(Bucket=name, ExpectedBucketOwner="me")

    def test_errors_of_bodies(self):
        name = self.bucket()
        s3 = client()
        for call, more in (
                (s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "On"}}),
                (s3.delete_objects, {"Delete": {"Objects": []}}),
                (s3.put_bucket_encryption, {"ServerSideEncryptionConfiguration": {"Rules": []}}),
                (s3.put_bucket_notification_configuration, {"NotificationConfiguration": {
                    "QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:1:q",
                                             "Events": ["s3:Nonsense"]}]}})):
            with self.refused("MalformedXML", 400):
                call(Bucket=name, **more)
        with self.refused("InvalidStorageClass", 400):
            s3.put_object(Bucket=name, Key="k", Body=b"", StorageClass="COLD")
        for place in ("us-east-1", "mars-1"):
            with self.refused("InvalidLocationConstraint", 400):
                s3.create_bucket(Bucket=unique(), CreateBucketConfiguration={
                    "LocationConstraint": place})
        with self.refused("InvalidArgument", 400):
            s3.list_objects_v2(Bucket=name, EncodingType="base64")

    def test_policies_that_mean_nothing(self):
        """A Deny with a typing mistake would pass for protection."""
        name = self.bucket()
        arn = f"arn:aws:s3:::{name}"
        for action, resource in (("s3:DeletObject", arn + "/*"), ("s3:ListBucket", arn + "/*"),
                                 ("s3:GetObject", arn), (["s3:GetObject", "s3:ListBucket"], arn),
                                 ("kms:Decrypt", arn), ("s3:ListAllMyBuckets", arn)):
            with self.refused("MalformedPolicy", 400):
                self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({
                    "Version": "2012-10-17", "Statement": [{
                        "Effect": "Deny", "Principal": {"AWS": self.account}, "Action": action,
                        "Resource": resource}]}))

    def test_unknown_encryption(self):
        name = self.bucket()
        with self.refused("InvalidArgument", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", ServerSideEncryption="rot13")
        with self.refused("NotImplemented", 501):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", ServerSideEncryption="aws:kms:dsse")

    def test_locks_of_a_later_model(self):
        name = self.bucket()
        s3 = client()
        s3.meta.events.register("before-sign.s3.PutObject", lambda request, **_: (
            request.headers.add_header("x-amz-object-lock-event-hold", "ON")))
        with self.refused("NotImplemented", 501):
            s3.put_object(Bucket=name, Key="k", Body=b"")
        with self.refused("NoSuchKey", 404):
            self.s3.get_object(Bucket=name, Key="k")

    def test_tag_characters(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"")
        good = {"Key": "a+b-c=d._:/@ \u00fc", "Value": ""}
        self.s3.put_object_tagging(Bucket=name, Key="k", Tagging={"TagSet": [good]})
        self.assertEqual(self.s3.get_object_tagging(Bucket=name, Key="k")["TagSet"], [good])
        for bad in ("a&b", "a<b", "a*", "tab\t", "a%"):
            with self.refused("InvalidTag", 400):
                self.s3.put_object_tagging(Bucket=name, Key="k", Tagging={
                    "TagSet": [{"Key": bad, "Value": "v"}]})

    def test_blocked_encryption_types_are_told(self):
        name = self.bucket()
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                "BucketKeyEnabled": False,
                "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
        self.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={
            "Rules": [rule]})
        got = self.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
        self.assertEqual(got["Rules"], [rule])

    def test_claims_of_a_completion_are_checked(self):
        name = self.bucket()
        plain = client(config=Config(request_checksum_calculation="when_required",
                                     s3={"addressing_style": "path"}))
        upload = plain.create_multipart_upload(Bucket=name, Key="k")["UploadId"]
        part = plain.upload_part(Bucket=name, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
        with self.refused("InvalidRequest", 400):
            plain.complete_multipart_upload(
                Bucket=name, Key="k", UploadId=upload, ChecksumSHA256=base64.b64encode(
                    hashlib.sha256(b"y").digest()).decode(),
                MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        with self.refused("NoSuchKey", 404):
            plain.get_object(Bucket=name, Key="k")


class Races(S3Case):
    """On a Ward of their own: they count its files."""

    @classmethod
    def setUpClass(cls):
        cls.shared = {k: v for k, v in os.environ.items() if k.startswith("AWS_")}
        cls.ward = Ward().start()
        os.environ.update(cls.ward.env)
        boto3.DEFAULT_SESSION = None  # it keeps the keys that it saw first
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        os.environ.update(cls.shared)
        boto3.DEFAULT_SESSION = None
        code = cls.ward.stop()
        cls.ward.remove()
        assert code == 0

    def test_reads_during_overwrites(self):
        """A reader gets the old object or the new one, never none and never a mixture."""
        name, stop, wrong = self.bucket(), threading.Event(), []
        self.s3.put_object(Bucket=name, Key="hot", Body=b"0" * 30000)

        def read():
            s3 = client()
            while not stop.is_set():
                try:
                    data = s3.get_object(Bucket=name, Key="hot")["Body"].read()
                    if len(data) != 30000 or len(set(data)) != 1:
                        wrong.append("a mixture")
                except ClientError as e:
                    wrong.append(str(e))

        readers = [threading.Thread(target=read) for _ in range(4)]
        for t in readers:
            t.start()
        for i in range(150):
            self.s3.put_object(Bucket=name, Key="hot", Body=bytes([65 + i % 26]) * 30000)
        stop.set()
        for t in readers:
            t.join()
        self.assertEqual(wrong, [])

    def files_at_rest(self):
        """What other tests deleted is cleared away a little later: wait until nothing moves."""
        seen = [blobs()]

        def still():
            threading.Event().wait(1.5)
            seen.append(blobs())
            return seen[-1] == seen[-2]

        eventually(still, "files at rest")
        return seen[-1]

    def test_nothing_is_left_behind(self):
        """Overwritten, deleted, aborted, left out: the files go."""
        name, before = self.bucket(), self.files_at_rest()
        for _ in range(3):
            self.s3.put_object(Bucket=name, Key="k", Body=os.urandom(50000))
        for i in range(20):
            self.s3.put_object(Bucket=name, Key=f"many/{i}", Body=os.urandom(20000))
        self.s3.delete_objects(Bucket=name, Delete={"Objects": [
            {"Key": f"many/{i}"} for i in range(20)]})
        self.s3.delete_object(Bucket=name, Key="k")

        def upload(key, n):
            u = self.s3.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
            return u, [self.s3.upload_part(Bucket=name, Key=key, UploadId=u, PartNumber=i + 1,
                                           Body=os.urandom(1000)) for i in range(n)]

        gone, _ = upload("gone", 3)
        self.s3.abort_multipart_upload(Bucket=name, Key="gone", UploadId=gone)
        kept, parts = upload("kept", 3)
        self.s3.complete_multipart_upload(
            Bucket=name, Key="kept", UploadId=kept, MultipartUpload={"Parts": [
                {"PartNumber": 3, "ETag": parts[2]["ETag"],
                 "ChecksumCRC32": parts[2]["ChecksumCRC32"]}]})
        self.assertEqual(len(self.body(name, "kept")), 1000)
        eventually(lambda: blobs() == before + 1, "all files but the kept part's are gone")

    def test_losers_leave_no_files(self):
        name, before = self.bucket(), self.files_at_rest()
        barrier, won = threading.Barrier(8), []

        def create(i):
            s3 = client()
            barrier.wait()
            try:
                s3.put_object(Bucket=name, Key="lock", Body=os.urandom(50000), IfNoneMatch="*")
                won.append(i)
            except ClientError as e:
                self.assertEqual(status_of(e), 412)

        for _ in range(5):
            threads = [threading.Thread(target=create, args=(i,)) for i in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(len(won), 1)
            won.clear()
            self.s3.delete_object(Bucket=name, Key="lock")
        eventually(lambda: blobs() <= before, "the files of those that lost are gone")


class Permissions(UserCase):
    def test_keys_of_a_batch_are_apart(self):
        """The condition keys of one key of DeleteObjects say nothing of the next."""
        name = self.versioned()
        a = self.s3.put_object(Bucket=name, Key="a", Body=b"x")["VersionId"]
        b = self.s3.put_object(Bucket=name, Key="b", Body=b"x")["VersionId"]
        self.allow({"Action": "s3:DeleteObjectVersion",
                    "Condition": {"StringEquals": {"s3:VersionId": a}}})
        r = self.other.delete_objects(Bucket=name, Delete={"Objects": [
            {"Key": "a", "VersionId": a}, {"Key": "b", "VersionId": b}]})
        self.assertEqual([d["Key"] for d in r["Deleted"]], ["a"])
        self.assertEqual([e["Key"] for e in r["Errors"]], ["b"])
        self.assertEqual(self.body(name, "b"), b"x")

    def test_batches_see_the_request(self):
        """What a policy says of the connection holds for DeleteObjects too."""
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        self.policy(name, {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
                           "Condition": {"NumericGreaterThan": {"s3:TlsVersion": "1.0"}}})
        with self.refused("AccessDenied", 403):
            self.s3.delete_object(Bucket=name, Key="k")
        r = self.s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]})
        self.assertEqual([e["Code"] for e in r["Errors"]], ["AccessDenied"])
        self.assertEqual(self.body(name, "k"), b"x")
        self.allow({"Action": "s3:ListAllMyBuckets",
                    "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.0"}}})
        with self.refused("AccessDenied", 403):
            self.other.list_buckets()

    def test_existing_tags_do_not_let_delete(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging="old=yes")
        self.allow({"Action": "s3:DeleteObject",
                    "Condition": {"StringEquals": {"s3:ExistingObjectTag/old": "yes"}}})
        with self.refused("AccessDenied", 403):
            self.other.delete_object(Bucket=name, Key="k")

    def test_versions_outside_the_prefix(self):
        """A key marker does not open what s3:prefix shuts."""
        name = self.versioned()
        for key in ("secret/patient", "mine/x"):
            for i in range(2):
                self.s3.put_object(Bucket=name, Key=key, Body=str(i))
        newest = self.s3.list_object_versions(Bucket=name, Prefix="secret/")["Versions"][0]
        self.allow({"Action": "s3:ListBucketVersions",
                    "Condition": {"StringLike": {"s3:prefix": "mine/*"}}})
        r = self.other.list_object_versions(Bucket=name, Prefix="mine/",
                                            KeyMarker="secret/patient",
                                            VersionIdMarker=newest["VersionId"])
        self.assertNotIn("Versions", r)

    def test_markers_are_hidden(self):
        name = self.versioned()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        self.s3.delete_object(Bucket=name, Key="k")
        self.allow({"Action": "s3:GetObject"})
        with self.refused("AccessDenied", 403) as r:
            self.other.get_object(Bucket=name, Key="k")
        headers = r.error.response["ResponseMetadata"]["HTTPHeaders"]
        self.assertNotIn("x-amz-delete-marker", headers)
        self.assertNotIn("x-amz-version-id", headers)
        self.allow({"Action": ["s3:GetObject", "s3:ListBucket"]})
        with self.refused("NoSuchKey", 404) as r:
            self.other.get_object(Bucket=name, Key="k")
        headers = r.error.response["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual(headers["x-amz-delete-marker"], "true")

    def test_tags_are_counted_for_who_may_read_them(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging="a=1")
        self.allow({"Action": "s3:GetObject"})
        self.assertNotIn("TagCount", self.other.get_object(Bucket=name, Key="k"))
        self.allow({"Action": ["s3:GetObject", "s3:GetObjectTagging"]})
        self.assertEqual(self.other.get_object(Bucket=name, Key="k")["TagCount"], 1)

    def test_conditional_writes_need_to_read(self):
        name = self.bucket()
        etag = self.s3.put_object(Bucket=name, Key="k", Body=b"x")["ETag"]
        self.s3.put_object(Bucket=name, Key="src", Body=b"y")
        self.allow({"Action": ["s3:DeleteObject", "s3:PutObject"]},
                   {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/src"})
        batch = {"Objects": [{"Key": "k", "ETag": etag}]}
        with self.refused("AccessDenied", 403):
            self.other.delete_object(Bucket=name, Key="k", IfMatch=etag)
        with self.refused("AccessDenied", 403):
            self.other.put_object(Bucket=name, Key="k", Body=b"z", IfMatch=etag)
        with self.refused("AccessDenied", 403):
            self.other.copy_object(Bucket=name, Key="k", IfMatch=etag,
                                   CopySource={"Bucket": name, "Key": "src"})
        self.assertEqual(self.other.delete_objects(Bucket=name, Delete=batch)["Errors"][0]["Code"],
                         "AccessDenied")
        self.assertEqual(self.body(name, "k"), b"x")
        self.other.delete_object(Bucket=name, Key="k", IfMatch="*")

    def test_multipart_passes_a_policy_that_demands_encryption(self):
        """Parts carry no headers of encryption: those that began the upload count."""
        name = self.bucket()
        self.policy(name, {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                           "Resource": f"arn:aws:s3:::{name}/*",
                           "Condition": {"StringNotEquals": {
                               "s3:x-amz-server-side-encryption": "AES256"}}})
        with self.refused("AccessDenied", 403):
            self.s3.create_multipart_upload(Bucket=name, Key="k")
        upload = self.s3.create_multipart_upload(Bucket=name, Key="k",
                                                 ServerSideEncryption="AES256")["UploadId"]
        part = self.s3.upload_part(Bucket=name, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
        self.s3.complete_multipart_upload(
            Bucket=name, Key="k", UploadId=upload, MultipartUpload={"Parts": [
                {"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]})
        self.assertEqual(self.body(name, "k"), b"x")
        self.s3.delete_bucket_policy(Bucket=name)
        begun = self.s3.create_multipart_upload(Bucket=name, Key="k")["UploadId"]
        self.policy(name, {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                           "Resource": f"arn:aws:s3:::{name}/*",
                           "Condition": {"StringNotEquals": {
                               "s3:x-amz-server-side-encryption": "AES256"}}})
        with self.refused("AccessDenied", 403):
            self.s3.upload_part(Bucket=name, Key="k", UploadId=begun, PartNumber=1, Body=b"x")

    def test_strangers_and_policies(self):
        """A public policy may let everybody write policies; S3 does not."""
        name = self.bucket()
        self.s3.delete_public_access_block(Bucket=name)
        self.policy(name, {"Principal": "*", "Action": ["s3:PutBucketPolicy",
                                                        "s3:GetBucketPolicy",
                                                        "s3:DeleteBucketPolicy"],
                           "Resource": f"arn:aws:s3:::{name}"})
        document = self.s3.get_bucket_policy(Bucket=name)["Policy"]
        with self.refused("MethodNotAllowed", 405):
            self.nobody.get_bucket_policy(Bucket=name)
        with self.refused("MethodNotAllowed", 405):
            self.nobody.put_bucket_policy(Bucket=name, Policy=document)
        with self.refused("MethodNotAllowed", 405):
            self.nobody.delete_bucket_policy(Bucket=name)


class Keys(UserCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = client("kms")
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]

    def test_heads_need_no_key_but_for_checksums(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"xyz", ServerSideEncryption="aws:kms",
                           SSEKMSKeyId=self.key)
        self.allow({"Action": "s3:*"})
        self.assertEqual(self.other.head_object(Bucket=name, Key="k")["ContentLength"], 3)
        with self.refused("403", 403):
            self.other.head_object(Bucket=name, Key="k", ChecksumMode="ENABLED")
        self.other.get_object_attributes(Bucket=name, Key="k", ObjectAttributes=["ObjectSize"])
        with self.refused("AccessDenied", 403):
            self.other.get_object_attributes(Bucket=name, Key="k", ObjectAttributes=["Checksum"])
        self.allow({"Action": ["s3:*", "kms:Decrypt"]})
        self.assertIn("ChecksumCRC32", self.other.head_object(Bucket=name, Key="k",
                                                              ChecksumMode="ENABLED"))

    def test_completion_asks_the_key(self):
        name, key = self.bucket(), self.kms.create_key()["KeyMetadata"]["Arn"]
        upload = self.s3.create_multipart_upload(
            Bucket=name, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)["UploadId"]
        part = self.s3.upload_part(Bucket=name, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"],
                            "ChecksumCRC32": part["ChecksumCRC32"]}]}
        self.kms.disable_key(KeyId=key)
        with self.refused("KMS.DisabledException", 400):
            self.s3.complete_multipart_upload(Bucket=name, Key="k", UploadId=upload,
                                              MultipartUpload=parts)
        self.kms.enable_key(KeyId=key)
        self.s3.complete_multipart_upload(Bucket=name, Key="k", UploadId=upload,
                                          MultipartUpload=parts)
        self.assertEqual(self.body(name, "k"), b"x")

    def test_context_is_told_and_its_reserved_key_refused(self):
        name = self.bucket()
        for bucket_key in (False, True):
            text = base64.b64encode(b'{"dept":"x"}').decode()
            r = self.s3.put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="aws:kms",
                                   SSEKMSKeyId=self.key, BucketKeyEnabled=bucket_key,
                                   SSEKMSEncryptionContext=text)
            self.assertEqual(r["SSEKMSEncryptionContext"], text)
            self.assertEqual(self.body(name, "k"), b"x")
        with self.refused("InvalidArgument", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="aws:kms",
                               SSEKMSKeyId=self.key, SSEKMSEncryptionContext=base64.b64encode(
                                   b'{"aws:s3:arn":"arn:aws:s3:::other"}').decode())

    def test_sessions_of_one_name_are_apart(self):
        """A session that may not use the key does not profit from one of its name that may."""
        name, sts = self.bucket(), client("sts")
        role = unique("role")
        trust = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "sts:AssumeRole"}]}
        arn = self.iam.create_role(RoleName=role,
                                   AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["s3:*", "kms:*"], "Resource": "*"}]}))
        self.addCleanup(self.iam.delete_role, RoleName=role)
        self.addCleanup(self.iam.delete_role_policy, RoleName=role, PolicyName="p")
        self.s3.put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="aws:kms",
                           SSEKMSKeyId=self.key, BucketKeyEnabled=True)

        def session(**more):
            k = sts.assume_role(RoleArn=arn, RoleSessionName="same", **more)["Credentials"]
            return client(aws_access_key_id=k["AccessKeyId"],
                          aws_secret_access_key=k["SecretAccessKey"],
                          aws_session_token=k["SessionToken"])

        full = session()
        shut = session(Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
        full.get_object(Bucket=name, Key="k")
        with self.refused("AccessDenied", 403):
            shut.get_object(Bucket=name, Key="k")


class Records(UserCase):
    def test_names_and_numbers(self):
        name = self.bucket()
        trail = Trail(self, name, self.addCleanup)
        self.s3.put_object(Bucket=name, Key="k", Body=b"x" * 1234)
        self.s3.get_object(Bucket=name, Key="k", Range="bytes=0-99")
        self.s3.head_object(Bucket=name, Key="k")
        self.s3.list_objects_v2(Bucket=name)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={
            "BlockPublicAcls": True})
        self.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
        r = trail.await_record("the upload", eventName="PutObject")
        self.assertEqual(r["eventCategory"], "Data")
        self.assertEqual(r["requestParameters"]["bucketName"], name)
        self.assertEqual(r["requestParameters"]["key"], "k")
        extra = r["additionalEventData"]
        self.assertEqual(int(extra["bytesTransferredIn"]), 1234)
        self.assertEqual(extra["SSEApplied"], "Default_SSE_S3")
        self.assertEqual((extra["SignatureVersion"], extra["AuthenticationMethod"]),
                         ("SigV4", "AuthHeader"))
        self.assertEqual({x["type"] for x in r["resources"]},
                         {"AWS::S3::Object", "AWS::S3::Bucket"})
        r = trail.await_record("the range", eventName="GetObject")
        self.assertEqual(int(r["additionalEventData"]["bytesTransferredOut"]), 100)
        r = trail.await_record("the head", eventName="HeadObject")
        self.assertEqual(int(r["additionalEventData"]["bytesTransferredOut"]), 0)
        r = trail.await_record("the listing", eventName="ListObjects", readOnly=True)
        self.assertEqual([x["type"] for x in r["resources"]],
                         ["AWS::S3::Object", "AWS::S3::Bucket"])
        trail.await_record("the block", eventName="PutBucketPublicAccessBlock",
                           eventCategory="Management")
        trail.await_record("the notification", eventName="PutBucketNotification")

    def test_as_cloudtrail_writes_them(self):
        """requestParameters by the names of the wire: what rules of detection look at."""
        name = self.bucket()
        trail = Trail(self, name, self.addCleanup)
        host = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
        arn = f"arn:aws:s3:::{name}"
        statement = {"Sid": "S", "Effect": "Allow", "Principal": {"AWS": self.user_arn},
                     "Action": "s3:GetObject", "Resource": f"{arn}/*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [
            {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
             "BucketKeyEnabled": True}]})
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={
            "BlockPublicAcls": True, "IgnorePublicAcls": False})
        put = self.s3.put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="AES256",
                                 ACL="bucket-owner-full-control", Tagging="patient=1",
                                 Metadata={"patient": "1"})
        self.s3.list_objects_v2(Bucket=name, Prefix="k", MaxKeys=3, Delimiter="/")
        self.s3.delete_bucket_policy(Bucket=name)
        everyone = "http://acs.amazonaws.com/groups/global/AllUsers"
        with self.refused("AccessControlListNotSupported", 400):
            self.s3.put_bucket_acl(Bucket=name, AccessControlPolicy={"Grants": [
                {"Grantee": {"Type": "Group", "URI": everyone}, "Permission": "READ"}],
                "Owner": {"ID": "x"}})
        with self.refused("AccessControlListNotSupported", 400):
            self.s3.put_object(Bucket=name, Key="open", Body=b"x", ACL="public-read",
                               GrantRead=f'uri="{everyone}"')
        self.s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
        with self.refused("AccessDenied", 403):
            self.other.get_object(Bucket=name, Key="k", VersionId=put["VersionId"])
        url = client(config=Config(signature_version="s3v4", s3={"addressing_style": "path"})) \
            .generate_presigned_url("get_object", {"Bucket": name, "Key": "k"}, ExpiresIn=77)
        context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        with urllib.request.urlopen(url, context=context) as r:
            self.assertEqual(r.read(), b"x")

        def asked(event, **fields):
            r = trail.await_record(event, eventName=event, **fields)
            p = r["requestParameters"]
            self.assertEqual((p.pop("bucketName"), p.pop("Host")), (name, host))
            return r, p

        def without_ns(p):
            return {k: v for k, v in p.items() if k != "xmlns"}
        r, p = asked("PutBucketPolicy")
        self.assertEqual(p, {"policy": "", "bucketPolicy": policy})
        self.assertEqual(r["resources"],
                         [{"accountId": self.account, "type": "AWS::S3::Bucket", "ARN": arn}])
        extra = r["additionalEventData"]
        self.assertEqual({k: extra[k] for k in ("SignatureVersion", "AuthenticationMethod",
                                                "bytesTransferredIn", "bytesTransferredOut")},
                         {"SignatureVersion": "SigV4", "AuthenticationMethod": "AuthHeader",
                          "bytesTransferredIn": len(json.dumps(policy)), "bytesTransferredOut": 0})
        self.assertTrue(extra["CipherSuite"] and extra["x-amz-id-2"])
        _, p = asked("PutBucketTagging")
        self.assertEqual((p["tagging"], without_ns(p["Tagging"])),
                         ("", {"TagSet": {"Tag": {"Key": "k", "Value": "v"}}}))
        _, p = asked("PutBucketVersioning")
        self.assertEqual(p["VersioningConfiguration"]["Status"], "Enabled")
        _, p = asked("PutBucketEncryption")
        self.assertEqual(without_ns(p["ServerSideEncryptionConfiguration"]), {"Rule": {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": True}})
        _, p = asked("PutBucketPublicAccessBlock")
        self.assertEqual(without_ns(p["PublicAccessBlockConfiguration"]),
                         {"BlockPublicAcls": True, "IgnorePublicAcls": False})
        r, p = asked("PutObject")
        self.assertEqual(p, {"key": "k", "x-amz-acl": "bucket-owner-full-control",
                             "x-amz-server-side-encryption": "AES256"})
        self.assertNotIn("patient", json.dumps(r))
        self.assertEqual(r["responseElements"]["x-amz-version-id"], put["VersionId"])
        self.assertEqual(r["additionalEventData"]["SSEApplied"], "SSE_S3")
        self.assertEqual(r["resources"], [
            {"type": "AWS::S3::Object", "ARN": f"{arn}/k"},
            {"accountId": self.account, "type": "AWS::S3::Bucket", "ARN": arn}])
        r, p = asked("ListObjects")
        self.assertEqual(p, {"list-type": "2", "prefix": "k", "max-keys": "3", "delimiter": "/",
                             "encoding-type": "url"})
        self.assertEqual(r["resources"][0],
                         {"type": "AWS::S3::Object", "ARNPrefix": f"{arn}/k"})
        _, p = asked("PutBucketAcl", errorCode="AccessControlListNotSupported")
        grant = p["AccessControlPolicy"]["AccessControlList"]["Grant"]
        self.assertEqual((p["acl"], grant["Permission"], grant["Grantee"]["URI"]),
                         ("", "READ", everyone))
        _, p = asked("PutObject", errorCode="AccessControlListNotSupported")
        self.assertEqual((p["x-amz-acl"], p["x-amz-grant-read"]),
                         ("public-read", f'uri="{everyone}"'))
        _, p = asked("DeleteObjects")
        self.assertEqual((p["delete"], p["Delete"]["Object"]), ("", [{"Key": "a"}, {"Key": "b"}]))
        _, p = asked("DeleteBucketPolicy")
        self.assertEqual(p, {"policy": ""})
        r, p = asked("GetObject", errorCode="AccessDenied")
        self.assertEqual(p, {"key": "k", "versionId": put["VersionId"]})
        self.assertEqual(r["additionalEventData"]["SignatureVersion"], "SigV4")
        r, p = asked("GetObject", errorCode=None)
        self.assertEqual(r["additionalEventData"]["AuthenticationMethod"], "QueryString")
        self.assertEqual((p["key"], p["X-Amz-Expires"], p["X-Amz-SignedHeaders"]),
                         ("k", "77", "host"))
        self.assertNotIn("Signature=", json.dumps(r))
        self.assertEqual({k for k in p if k.startswith("X-Amz-")}, {
            "X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"})

    def test_refused_keys_of_a_batch(self):
        name = self.bucket()
        trail = Trail(self, name, self.addCleanup)
        for key in ("a", "b"):
            self.s3.put_object(Bucket=name, Key=key, Body=b"x")
        self.allow({"Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{name}/a"})
        self.other.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
        r = trail.await_record("the batch", eventName="DeleteObjects")
        self.assertEqual(r["additionalEventData"]["errors"], "AccessDenied: b")
        self.assertEqual(r["userIdentity"]["userName"], self.user)

    def test_refused_read(self):
        name = self.bucket()
        trail = Trail(self, name, self.addCleanup)
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        self.allow({"Action": "sts:*"})
        with self.refused("AccessDenied", 403):
            self.other.get_object(Bucket=name, Key="k")
        r = trail.await_record("the refusal", eventName="GetObject", errorCode="AccessDenied")
        self.assertEqual(r["requestParameters"]["key"], "k")
        self.assertEqual(r["userIdentity"]["userName"], self.user)


if __name__ == "__main__":
    unittest.main()

"""End-to-end tests of the S3 room with boto3, against a running Ward.

The environment names it: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_DEFAULT_REGION, AWS_CA_BUNDLE. Run with: python3 -m unittest -v test_s3
"""
import base64
import datetime
import gzip
import hashlib
import io
import json
import os
import ssl
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
import zlib

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from s3case import MIB, S3Case, UserCase, client, status_of, unique  # noqa: E402


class Buckets(S3Case):
    def test_life(self):
        name = unique()
        with self.refused("404", 404):
            self.s3.head_bucket(Bucket=name)
        self.s3.create_bucket(Bucket=name)
        head = self.s3.head_bucket(Bucket=name)
        self.assertEqual(head["BucketRegion"], "us-east-1")
        self.assertIsNone(self.s3.get_bucket_location(Bucket=name)["LocationConstraint"])
        self.assertIn(name, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])
        self.s3.create_bucket(Bucket=name)  # us-east-1: once more is fine
        self.s3.delete_bucket(Bucket=name)
        self.assertNotIn(name, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])
        with self.refused("NoSuchBucket", 404):
            self.s3.delete_bucket(Bucket=name)
        with self.refused("NoSuchBucket", 404):
            self.s3.list_objects_v2(Bucket=name)
        self.s3.create_bucket(Bucket=name)  # anew, and empty
        self.assertEqual(self.s3.list_objects_v2(Bucket=name)["KeyCount"], 0)
        self.s3.delete_bucket(Bucket=name)

    def test_names(self):
        s3 = client()
        for name in ("Upper-Case", "a.b..c", "192.168.1.1", "xn--abc", "abc-", "name-s3alias"):
            with self.assertRaises(Exception, msg=name) as r:
                s3.create_bucket(Bucket=name)
            if isinstance(r.exception, ClientError):
                self.assertEqual(r.exception.response["Error"]["Code"], "InvalidBucketName", name)

    def test_regions(self):
        eu = client(region_name="eu-west-1")
        name = unique()
        with self.refused("IllegalLocationConstraintException", 400):
            eu.create_bucket(Bucket=name)
        eu.create_bucket(Bucket=name,
                         CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.buckets.append(name)
        self.assertEqual(eu.get_bucket_location(Bucket=name)["LocationConstraint"], "eu-west-1")
        with self.refused("BucketAlreadyOwnedByYou", 409):
            eu.create_bucket(Bucket=name,
                             CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def test_not_empty(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        with self.refused("BucketNotEmpty", 409):
            self.s3.delete_bucket(Bucket=name)
        self.assertEqual(self.body(name, "k"), b"x")

    def test_delete_against_puts(self):
        """Either the bucket goes and no put succeeds, or a put succeeds and is still there."""
        for _ in range(4):
            name, done = self.bucket(), []

            def put(i):
                try:
                    client().put_object(Bucket=name, Key=f"k{i}", Body=b"x")
                    done.append(i)
                except ClientError as e:
                    self.assertIn(e.response["Error"]["Code"], ("NoSuchBucket", "OperationAborted"))

            threads = [threading.Thread(target=put, args=(i,)) for i in range(4)]
            for t in threads:
                t.start()
            try:
                self.s3.delete_bucket(Bucket=name)
                deleted = True
            except ClientError as e:
                self.assertIn(e.response["Error"]["Code"], ("BucketNotEmpty", "OperationAborted"))
                deleted = False
            for t in threads:
                t.join()
            if deleted:
                self.assertEqual(done, [])
            else:
                keys = [o["Key"] for o in
                        self.s3.list_objects_v2(Bucket=name).get("Contents", [])]
                self.assertEqual(sorted(keys), sorted(f"k{i}" for i in done))

    def test_list_pages(self):
        prefix = unique("page")
        names = sorted(f"{prefix}-{i}" for i in range(5))
        for name in names:
            self.s3.create_bucket(Bucket=name)
            self.buckets.append(name)
        first = self.s3.list_buckets(Prefix=prefix, MaxBuckets=2)
        self.assertEqual([b["Name"] for b in first["Buckets"]], names[:2])
        got = [b["Name"] for page in self.s3.get_paginator("list_buckets").paginate(
            Prefix=prefix, MaxBuckets=2) for b in page["Buckets"]]
        self.assertEqual(got, names)

    def test_defaults(self):
        name = self.bucket()
        rule = self.s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
        self.assertEqual(
            rule["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
        block = self.s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        self.assertTrue(all(block.values()) and len(block) == 4)
        self.s3.delete_public_access_block(Bucket=name)
        with self.refused("NoSuchPublicAccessBlockConfiguration", 404):
            self.s3.get_public_access_block(Bucket=name)
        own = self.s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
        self.assertEqual(own["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced")
        acl = self.s3.get_bucket_acl(Bucket=name)
        self.assertEqual(acl["Grants"][0]["Permission"], "FULL_CONTROL")
        self.assertEqual(acl["Grants"][0]["Grantee"]["ID"], acl["Owner"]["ID"])
        with self.refused("AccessControlListNotSupported", 400):
            self.s3.put_bucket_acl(Bucket=name, ACL="public-read")
        self.s3.put_bucket_acl(Bucket=name, ACL="private")
        with self.refused("NoSuchBucketPolicy", 404):
            self.s3.get_bucket_policy(Bucket=name)
        with self.refused("NoSuchTagSet", 404):
            self.s3.get_bucket_tagging(Bucket=name)
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=name))

    def test_expected_owner(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"", ExpectedBucketOwner=self.account)
        with self.refused("AccessDenied", 403):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", ExpectedBucketOwner="1" * 12)

    def test_tags(self):
        name = self.bucket()
        tags = [{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}]
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=name)["TagSet"], tags)
        self.s3.delete_bucket_tagging(Bucket=name)
        with self.refused("NoSuchTagSet"):
            self.s3.get_bucket_tagging(Bucket=name)

    def test_not_built(self):
        name = self.bucket()
        with self.refused("NotImplemented", 501):
            self.s3.get_bucket_lifecycle_configuration(Bucket=name)
        with self.refused("NotImplemented", 501):
            self.s3.get_bucket_website(Bucket=name)


class Objects(S3Case):
    def test_sizes(self):
        name = self.bucket()
        for size in (0, 1, 16 * 1024, 16 * 1024 + 1, 64 * 1024, 64 * 1024 + 1, 3 * MIB + 17):
            data = os.urandom(size)
            put = self.s3.put_object(Bucket=name, Key=f"o{size}", Body=data)
            self.assertEqual(put["ETag"], f'"{hashlib.md5(data).hexdigest()}"')
            self.assertEqual(put["ServerSideEncryption"], "AES256")
            got = self.s3.get_object(Bucket=name, Key=f"o{size}")
            self.assertEqual(got["ContentLength"], size)
            self.assertEqual(got["Body"].read(), data)
            head = self.s3.head_object(Bucket=name, Key=f"o{size}")
            self.assertEqual(head["ContentLength"], size)
            self.assertEqual(head["ETag"], put["ETag"])

    def test_overwrite_and_delete(self):
        name = self.bucket()
        for data in (b"one", os.urandom(100000), b"two"):
            self.s3.put_object(Bucket=name, Key="k", Body=data)
            self.assertEqual(self.body(name, "k"), data)
        self.s3.delete_object(Bucket=name, Key="k")
        self.s3.delete_object(Bucket=name, Key="k")
        with self.refused("NoSuchKey", 404):
            self.s3.get_object(Bucket=name, Key="k")
        with self.refused("404", 404):
            self.s3.head_object(Bucket=name, Key="k")

    def test_headers(self):
        name = self.bucket()
        expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        self.s3.put_object(Bucket=name, Key="k", Body=b"x", ContentType="text/plain",
                           CacheControl="no-cache", ContentDisposition="attachment",
                           ContentEncoding="gzip", ContentLanguage="de", Expires=expires,
                           Metadata={"Colour": "blue", "n": "1"},
                           WebsiteRedirectLocation="/there")
        for call in (self.s3.get_object, self.s3.head_object):
            r = call(Bucket=name, Key="k")
            self.assertEqual(r["ContentType"], "text/plain")
            self.assertEqual(r["CacheControl"], "no-cache")
            self.assertEqual(r["ContentDisposition"], "attachment")
            self.assertEqual(r["ContentEncoding"], "gzip")
            self.assertEqual(r["ContentLanguage"], "de")
            self.assertEqual(r["ExpiresString"], "Wed, 02 Jan 2030 03:04:05 GMT")
            self.assertEqual(r["Metadata"], {"colour": "blue", "n": "1"})
            self.assertEqual(r["WebsiteRedirectLocation"], "/there")
            self.assertEqual(r["AcceptRanges"], "bytes")
        over = self.s3.get_object(Bucket=name, Key="k", ResponseContentType="image/png",
                                  ResponseCacheControl="max-age=3")
        self.assertEqual((over["ContentType"], over["CacheControl"]), ("image/png", "max-age=3"))
        self.s3.put_object(Bucket=name, Key="plain", Body=b"x")
        plain = self.s3.head_object(Bucket=name, Key="plain")
        self.assertEqual(plain["ContentType"], "binary/octet-stream")
        self.assertNotIn("ContentEncoding", plain)
        with self.refused("MetadataTooLarge", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", Metadata={"a": "x" * 2100})

    def test_keys(self):
        name = self.bucket()
        for key in ("a/b/c", "with space", "ümläut/ß", "q?x=1&y=2", "plus+plus", "per%25cent",
                    "/leading", "trailing/", "a//b", ".", "é" * 500, "~!@#$^*()'"):
            if key == ".":
                continue  # clients normalise it
            data = key.encode()
            self.s3.put_object(Bucket=name, Key=key, Body=data)
            self.assertEqual(self.body(name, key), data, key)
        keys = [o["Key"] for o in self.s3.list_objects_v2(Bucket=name)["Contents"]]
        self.assertEqual(keys, sorted(keys, key=lambda k: k.encode()))
        self.assertIn("with space", keys)
        with self.refused("KeyTooLongError", 400):
            self.s3.put_object(Bucket=name, Key="k" * 1025, Body=b"")

    def test_ranges(self):
        name = self.bucket()
        for size in (1000, 200000):
            data = os.urandom(size)
            self.s3.put_object(Bucket=name, Key="k", Body=data)
            for text, want in (("bytes=0-0", data[:1]), ("bytes=5-9", data[5:10]),
                               ("bytes=-7", data[-7:]), (f"bytes={size - 3}-", data[-3:]),
                               (f"bytes=10-{size * 2}", data[10:]),
                               ("bytes=65530-65545", data[65530:65546])):
                if not want:
                    continue
                r = self.s3.get_object(Bucket=name, Key="k", Range=text)
                self.assertEqual(r["ResponseMetadata"]["HTTPStatusCode"], 206)
                self.assertEqual(r["Body"].read(), want)
                self.assertTrue(r["ContentRange"].endswith(f"/{size}"))
            head = self.s3.head_object(Bucket=name, Key="k", Range="bytes=1-2")
            self.assertEqual((head["ContentLength"], head["ContentRange"]),
                             (2, f"bytes 1-2/{size}"))
            with self.refused("InvalidRange", 416):
                self.s3.get_object(Bucket=name, Key="k", Range=f"bytes={size}-")
            whole = self.s3.get_object(Bucket=name, Key="k", Range="bytes=nonsense")
            self.assertEqual(len(whole["Body"].read()), size)
            self.assertEqual(self.body(name, "k", PartNumber=1), data)

    def test_conditional_reads(self):
        name = self.bucket()
        etag = self.s3.put_object(Bucket=name, Key="k", Body=b"x")["ETag"]
        when = self.s3.head_object(Bucket=name, Key="k")["LastModified"]
        past, future = when - datetime.timedelta(hours=1), when + datetime.timedelta(hours=1)
        get = lambda **k: self.s3.get_object(Bucket=name, Key="k", **k)
        get(IfMatch=etag)
        get(IfMatch=etag, IfUnmodifiedSince=past)
        get(IfNoneMatch='"other"', IfModifiedSince=future)
        with self.refused("PreconditionFailed", 412):
            get(IfMatch='"other"')
        with self.refused("PreconditionFailed", 412):
            get(IfUnmodifiedSince=past)
        with self.refused("304", 304):
            get(IfNoneMatch=etag)
        with self.refused("304", 304):
            get(IfModifiedSince=future)
        with self.refused("304", 304):
            self.s3.head_object(Bucket=name, Key="k", IfNoneMatch=etag)

    def test_conditional_writes(self):
        name = self.bucket()
        etag = self.s3.put_object(Bucket=name, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
        with self.refused("PreconditionFailed", 412):
            self.s3.put_object(Bucket=name, Key="k", Body=b"2", IfNoneMatch="*")
        with self.refused("PreconditionFailed", 412):
            self.s3.put_object(Bucket=name, Key="k", Body=b"2", IfMatch='"other"')
        with self.refused("NoSuchKey", 404):
            self.s3.put_object(Bucket=name, Key="none", Body=b"2", IfMatch=etag)
        self.s3.put_object(Bucket=name, Key="k", Body=b"2", IfMatch=etag)
        self.assertEqual(self.body(name, "k"), b"2")
        with self.refused("PreconditionFailed", 412):
            self.s3.delete_object(Bucket=name, Key="k", IfMatch=etag)
        self.s3.delete_object(Bucket=name, Key="k", IfMatch="*")

    def test_one_of_many_creates(self):
        name, won = self.bucket(), []

        def create(i):
            try:
                client().put_object(Bucket=name, Key="lock", Body=str(i), IfNoneMatch="*")
                won.append(i)
            except ClientError as e:
                self.assertIn(status_of(e), (409, 412))

        threads = [threading.Thread(target=create, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(won), 1)
        self.assertEqual(self.body(name, "lock"), str(won[0]).encode())

    def test_tags(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"", Tagging="a=1&b=two%20words")
        tags = self.s3.get_object_tagging(Bucket=name, Key="k")["TagSet"]
        self.assertEqual(tags, [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}])
        self.assertEqual(self.s3.get_object(Bucket=name, Key="k")["TagCount"], 2)
        self.s3.put_object_tagging(Bucket=name, Key="k",
                                   Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
        self.assertEqual(self.s3.get_object_tagging(Bucket=name, Key="k")["TagSet"],
                         [{"Key": "c", "Value": "3"}])
        self.s3.delete_object_tagging(Bucket=name, Key="k")
        self.assertEqual(self.s3.get_object_tagging(Bucket=name, Key="k")["TagSet"], [])
        with self.refused("BadRequest", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"",
                               Tagging="&".join(f"k{i}=v" for i in range(11)))
        with self.refused("InvalidTag", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", Tagging="a=1&a=2")

    def test_refusals(self):
        name = self.bucket()
        with self.refused("NotImplemented", 501):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", StorageClass="GLACIER")
        with self.refused("AccessControlListNotSupported", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", ACL="public-read")
        self.s3.put_object(Bucket=name, Key="k", Body=b"", ACL="bucket-owner-full-control")
        key = base64.b64encode(b"k" * 32).decode()
        with self.refused("NotImplemented", 501):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", SSECustomerAlgorithm="AES256",
                               SSECustomerKey=key)
        with self.refused("NotImplemented", 501):
            self.s3.put_object(Bucket=name, Key="k", Body=b"", ObjectLockLegalHoldStatus="ON")

    def test_delete_many(self):
        name = self.bucket()
        for i in range(5):
            self.s3.put_object(Bucket=name, Key=f"k{i}", Body=b"x" * (i * 10000))
        r = self.s3.delete_objects(Bucket=name, Delete={"Objects": [
            {"Key": "k0"}, {"Key": "k1"}, {"Key": "none"}]})
        self.assertEqual(sorted(d["Key"] for d in r["Deleted"]), ["k0", "k1", "none"])
        r = self.s3.delete_objects(Bucket=name, Delete={"Quiet": True, "Objects": [{"Key": "k2"}]})
        self.assertNotIn("Deleted", r)
        keys = [o["Key"] for o in self.s3.list_objects_v2(Bucket=name)["Contents"]]
        self.assertEqual(keys, ["k3", "k4"])

    def test_attributes(self):
        name = self.bucket()
        data = os.urandom(1234)
        put = self.s3.put_object(Bucket=name, Key="k", Body=data, ChecksumAlgorithm="SHA256")
        r = self.s3.get_object_attributes(
            Bucket=name, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize",
                                                    "StorageClass", "ObjectParts"])
        self.assertEqual(r["ETag"], put["ETag"].strip('"'))
        self.assertEqual(r["ObjectSize"], 1234)
        self.assertEqual(r["StorageClass"], "STANDARD")
        self.assertEqual(r["Checksum"]["ChecksumSHA256"],
                         base64.b64encode(hashlib.sha256(data).digest()).decode())

    def test_concurrent_overwrites(self):
        name = self.bucket()

        def put(i):
            for _ in range(3):
                client().put_object(Bucket=name, Key="hot", Body=bytes([65 + i]) * 20000)

        threads = [threading.Thread(target=put, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        data = self.body(name, "hot")
        self.assertEqual(len(set(data)), 1)
        self.assertEqual(len(data), 20000)

    def test_presigned(self):
        name = self.bucket()
        context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
        signer = client(config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        url = signer.generate_presigned_url("put_object", {"Bucket": name, "Key": "k"})
        request = urllib.request.Request(url, data=b"signed", method="PUT",
                                         headers={"Content-Type": "text/plain"})
        self.assertEqual(urllib.request.urlopen(request, context=context).status, 200)
        url = signer.generate_presigned_url("get_object", {"Bucket": name, "Key": "k"})
        self.assertEqual(urllib.request.urlopen(url, context=context).read(), b"signed")
        with self.assertRaises(urllib.error.HTTPError) as r:
            urllib.request.urlopen(url.replace("/k?", "/other?"), context=context)
        self.assertEqual(r.exception.code, 403)


class Checksums(S3Case):
    def test_algorithms(self):
        name, data = self.bucket(), os.urandom(50000)
        for alg in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
            try:
                self.s3.put_object(Bucket=name, Key=alg, Body=data, ChecksumAlgorithm=alg)
            except Exception as e:
                if "MissingDependency" in type(e).__name__ or "awscrt" in str(e).lower():
                    continue  # this client cannot compute it
                raise
            r = self.s3.get_object(Bucket=name, Key=alg, ChecksumMode="ENABLED")
            self.assertTrue(r["Checksum" + alg])
            self.assertEqual(r["ChecksumType"], "FULL_OBJECT")
            self.assertEqual(r["Body"].read(), data)

    def test_values(self):
        name, data = self.bucket(), b"123456789"
        crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        r = self.s3.put_object(Bucket=name, Key="k", Body=data, ChecksumCRC32=crc)
        self.assertEqual(r["ChecksumCRC32"], crc)
        with self.refused("BadDigest", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"123456780", ChecksumCRC32=crc)
        with self.refused("InvalidRequest", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=data, ChecksumCRC32="bm9uZQ")
        sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
        self.s3.put_object(Bucket=name, Key="k2", Body=data, ChecksumSHA256=sha)
        with self.refused("BadDigest", 400):
            self.s3.put_object(Bucket=name, Key="k2", Body=b"no", ChecksumSHA256=sha)

    def test_default(self):
        plain = client(config=Config(request_checksum_calculation="when_required",
                                     response_checksum_validation="when_required",
                                     s3={"addressing_style": "path"}))
        name = self.bucket()
        plain.put_object(Bucket=name, Key="k", Body=b"123456789")
        r = plain.head_object(Bucket=name, Key="k", ChecksumMode="ENABLED")
        self.assertEqual(r["ChecksumCRC64NVME"],
                         base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode())

    def test_md5(self):
        name = self.bucket()
        good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x", ContentMD5=good)
        with self.refused("BadDigest", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"y", ContentMD5=good)
        with self.refused("InvalidDigest", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"y", ContentMD5="abc")


class Listing(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.name = unique()
        cls.s3.create_bucket(Bucket=cls.name)
        cls.buckets.append(cls.name)
        cls.keys = sorted(["a", "b/1", "b/2", "b/3", "c/x/1", "c/x/2", "c/y", "d", "e e", "f&g"])
        for key in cls.keys:
            cls.s3.put_object(Bucket=cls.name, Key=key, Body=b"x")

    def pages(self, op, **kwargs):
        keys, prefixes, n = [], [], 0
        for page in self.s3.get_paginator(op).paginate(Bucket=self.name, **kwargs):
            keys += [o["Key"] for o in page.get("Contents", [])]
            prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            n += 1
        return keys, prefixes, n

    def test_all(self):
        for op in ("list_objects_v2", "list_objects"):
            for size in (1, 3, 1000):
                keys, prefixes, _ = self.pages(op, PaginationConfig={"PageSize": size})
                self.assertEqual((keys, prefixes), (self.keys, []), (op, size))

    def test_delimiter(self):
        for op in ("list_objects_v2", "list_objects"):
            for size in (1, 2, 1000):
                keys, prefixes, _ = self.pages(op, Delimiter="/",
                                               PaginationConfig={"PageSize": size})
                self.assertEqual(keys, ["a", "d", "e e", "f&g"], (op, size))
                self.assertEqual(prefixes, ["b/", "c/"], (op, size))
        keys, prefixes, _ = self.pages("list_objects_v2", Delimiter="/", Prefix="c/")
        self.assertEqual((keys, prefixes), (["c/y"], ["c/x/"]))
        keys, prefixes, _ = self.pages("list_objects_v2", Delimiter="/", Prefix="b")
        self.assertEqual((keys, prefixes), ([], ["b/"]))

    def test_start_after(self):
        r = self.s3.list_objects_v2(Bucket=self.name, StartAfter="b/2")
        self.assertEqual([o["Key"] for o in r["Contents"]], self.keys[3:])
        r = self.s3.list_objects_v2(Bucket=self.name, StartAfter="bb", MaxKeys=0)
        self.assertEqual((r["KeyCount"], r["IsTruncated"]), (0, False))
        r = self.s3.list_objects_v2(Bucket=self.name, MaxKeys=2, FetchOwner=True)
        self.assertTrue(r["IsTruncated"])
        self.assertEqual(r["KeyCount"], 2)
        self.assertIn("ID", r["Contents"][0]["Owner"])
        with self.refused("InvalidArgument", 400):
            self.s3.list_objects_v2(Bucket=self.name, ContinuationToken="nonsense")

    def test_encoding(self):
        r = self.s3.list_objects_v2(Bucket=self.name, EncodingType="url", Prefix="e")
        self.assertEqual(r["Contents"][0]["Key"], "e%20e")

    def test_skips_prefix(self):
        """A folder of many keys costs one step."""
        name = self.bucket()
        for i in range(30):
            self.s3.put_object(Bucket=name, Key=f"big/{i:04}", Body=b"")
        self.s3.put_object(Bucket=name, Key="z", Body=b"")
        r = self.s3.list_objects_v2(Bucket=name, Delimiter="/", MaxKeys=1)
        self.assertEqual([p["Prefix"] for p in r["CommonPrefixes"]], ["big/"])
        r = self.s3.list_objects_v2(Bucket=name, Delimiter="/", MaxKeys=1,
                                    ContinuationToken=r["NextContinuationToken"])
        self.assertEqual([o["Key"] for o in r["Contents"]], ["z"])
        self.assertFalse(r["IsTruncated"])


class Versions(S3Case):
    def test_life(self):
        name = self.versioned()
        ids = [self.s3.put_object(Bucket=name, Key="k", Body=f"v{i}")["VersionId"]
               for i in range(3)]
        self.assertEqual(len(set(ids)), 3)
        self.assertEqual(self.body(name, "k"), b"v2")
        for i, v in enumerate(ids):
            self.assertEqual(self.body(name, "k", VersionId=v), f"v{i}".encode())
        marker = self.s3.delete_object(Bucket=name, Key="k")
        self.assertTrue(marker["DeleteMarker"])
        with self.refused("NoSuchKey", 404) as r:
            self.s3.get_object(Bucket=name, Key="k")
        headers = r.error.response["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual(headers["x-amz-delete-marker"], "true")
        with self.refused("MethodNotAllowed", 405):
            self.s3.get_object(Bucket=name, Key="k", VersionId=marker["VersionId"])
        self.assertEqual(self.s3.list_objects_v2(Bucket=name)["KeyCount"], 0)
        listed = self.s3.list_object_versions(Bucket=name)
        self.assertEqual([v["VersionId"] for v in listed["Versions"]], ids[::-1])
        self.assertTrue(listed["DeleteMarkers"][0]["IsLatest"])
        self.s3.delete_object(Bucket=name, Key="k", VersionId=marker["VersionId"])
        self.assertEqual(self.body(name, "k"), b"v2")
        self.s3.delete_object(Bucket=name, Key="k", VersionId=ids[2])
        self.assertEqual(self.body(name, "k"), b"v1")
        self.s3.delete_object(Bucket=name, Key="k", VersionId=ids[0])
        self.assertEqual(self.body(name, "k"), b"v1")
        with self.refused("NoSuchVersion", 404):
            self.s3.get_object(Bucket=name, Key="k", VersionId=ids[0])
        with self.refused("InvalidArgument", 400):
            self.s3.get_object(Bucket=name, Key="k", VersionId="nonsense")
        with self.refused("BucketNotEmpty", 409):
            self.s3.delete_bucket(Bucket=name)
        self.s3.delete_object(Bucket=name, Key="k", VersionId=ids[1])
        self.s3.delete_bucket(Bucket=name)

    def test_null(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"before")
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        v1 = self.s3.put_object(Bucket=name, Key="k", Body=b"v1")["VersionId"]
        self.assertEqual(self.body(name, "k", VersionId="null"), b"before")
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=name)["Status"], "Suspended")
        self.s3.put_object(Bucket=name, Key="k", Body=b"after")
        self.assertEqual(self.body(name, "k", VersionId="null"), b"after")
        self.assertEqual(self.body(name, "k", VersionId=v1), b"v1")
        listed = self.s3.list_object_versions(Bucket=name)["Versions"]
        self.assertEqual([v["VersionId"] for v in listed], ["null", v1])
        self.s3.delete_object(Bucket=name, Key="k")  # a null marker in place of the null version
        listed = self.s3.list_object_versions(Bucket=name)
        self.assertEqual([m["VersionId"] for m in listed["DeleteMarkers"]], ["null"])
        self.assertEqual([v["VersionId"] for v in listed["Versions"]], [v1])
        self.s3.delete_object(Bucket=name, Key="k", VersionId="null")
        self.assertEqual(self.body(name, "k"), b"v1")

    def test_pages(self):
        name = self.versioned()
        want = []
        for key in ("a", "b", "c/1", "c/2"):
            ids = [self.s3.put_object(Bucket=name, Key=key, Body=str(i))["VersionId"]
                   for i in range(3)]
            want += [(key, v) for v in reversed(ids)]
        for size in (1, 2, 5, 1000):
            got = []
            for page in self.s3.get_paginator("list_object_versions").paginate(
                    Bucket=name, PaginationConfig={"PageSize": size}):
                got += [(v["Key"], v["VersionId"]) for v in page.get("Versions", [])]
            self.assertEqual(got, want, size)
        page = self.s3.list_object_versions(Bucket=name, Delimiter="/")
        self.assertEqual([p["Prefix"] for p in page["CommonPrefixes"]], ["c/"])
        self.assertEqual(len(page["Versions"]), 6)

    def test_tags_of_version(self):
        name = self.versioned()
        v0 = self.s3.put_object(Bucket=name, Key="k", Body=b"0")["VersionId"]
        self.s3.put_object(Bucket=name, Key="k", Body=b"1")
        self.s3.put_object_tagging(Bucket=name, Key="k", VersionId=v0,
                                   Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        self.assertEqual(self.s3.get_object_tagging(Bucket=name, Key="k")["TagSet"], [])
        self.assertEqual(len(self.s3.get_object_tagging(Bucket=name, Key="k",
                                                        VersionId=v0)["TagSet"]), 1)
        self.assertEqual(self.body(name, "k"), b"1")

    def test_delete_many(self):
        name = self.versioned()
        v = self.s3.put_object(Bucket=name, Key="k", Body=b"0")["VersionId"]
        r = self.s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]})
        self.assertTrue(r["Deleted"][0]["DeleteMarker"])
        marker = r["Deleted"][0]["DeleteMarkerVersionId"]
        r = self.s3.delete_objects(Bucket=name, Delete={"Objects": [
            {"Key": "k", "VersionId": marker}, {"Key": "k", "VersionId": v}]})
        self.assertEqual(len(r["Deleted"]), 2)
        self.assertNotIn("Versions", self.s3.list_object_versions(Bucket=name))


class Multipart(S3Case):
    def start(self, bucket, key="big", **kwargs):
        return self.s3.create_multipart_upload(Bucket=bucket, Key=key, **kwargs)["UploadId"]

    def part(self, bucket, upload, n, data, key="big", **kwargs):
        r = self.s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=n, Body=data,
                                **kwargs)
        out = {"PartNumber": n, "ETag": r["ETag"]}
        out.update({k: v for k, v in r.items() if k.startswith("Checksum")})
        return out

    def complete(self, bucket, upload, parts, key="big", **kwargs):
        return self.s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload,
                                                 MultipartUpload={"Parts": parts}, **kwargs)

    def test_life(self):
        name = self.bucket()
        upload = self.start(name, ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=1")
        data = [os.urandom(5 * MIB), os.urandom(5 * MIB + 77), os.urandom(1000)]
        parts = []
        for i, d in enumerate(data):
            parts.append({k: v for k, v in self.part(name, upload, i + 1, d).items()
                          if not k.startswith("Checksum")})
        listed = self.s3.list_parts(Bucket=name, Key="big", UploadId=upload)
        self.assertEqual([(p["PartNumber"], p["Size"]) for p in listed["Parts"]],
                         [(i + 1, len(d)) for i, d in enumerate(data)])
        page = self.s3.list_parts(Bucket=name, Key="big", UploadId=upload, MaxParts=2)
        self.assertTrue(page["IsTruncated"])
        self.assertEqual(page["NextPartNumberMarker"], 2)
        uploads = self.s3.list_multipart_uploads(Bucket=name)["Uploads"]
        self.assertEqual([(u["Key"], u["UploadId"]) for u in uploads], [("big", upload)])
        with self.refused("NoSuchKey", 404):
            self.s3.get_object(Bucket=name, Key="big")
        r = self.complete(name, upload, parts)
        digest = hashlib.md5(b"".join(hashlib.md5(d).digest() for d in data)).hexdigest()
        self.assertEqual(r["ETag"], f'"{digest}-3"')
        whole = b"".join(data)
        self.assertEqual(self.body(name, "big"), whole)
        head = self.s3.head_object(Bucket=name, Key="big")
        self.assertEqual((head["ContentLength"], head["ContentType"], head["Metadata"]),
                         (len(whole), "text/plain", {"a": "b"}))
        edge = 5 * MIB
        r = self.s3.get_object(Bucket=name, Key="big", Range=f"bytes={edge - 3}-{edge + 3}")
        self.assertEqual(r["Body"].read(), whole[edge - 3:edge + 4])
        r = self.s3.get_object(Bucket=name, Key="big", PartNumber=3)
        self.assertEqual((r["Body"].read(), r["PartsCount"]), (data[2], 3))
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=name))
        with self.refused("NoSuchUpload", 404):
            self.s3.list_parts(Bucket=name, Key="big", UploadId=upload)
        crc = self.s3.head_object(Bucket=name, Key="big", ChecksumMode="ENABLED")
        self.assertEqual(crc["ChecksumType"], "FULL_OBJECT")
        self.assertIn("ChecksumCRC64NVME", crc)

    def test_composite_and_full(self):
        name = self.bucket()
        data = [os.urandom(5 * MIB), os.urandom(100)]
        upload = self.start(name, ChecksumAlgorithm="SHA256")
        parts = [self.part(name, upload, i + 1, d, ChecksumAlgorithm="SHA256")
                 for i, d in enumerate(data)]
        r = self.complete(name, upload, parts)
        sums = b"".join(hashlib.sha256(d).digest() for d in data)
        want = base64.b64encode(hashlib.sha256(sums).digest()).decode() + "-2"
        self.assertEqual((r["ChecksumSHA256"], r["ChecksumType"]), (want, "COMPOSITE"))
        attrs = self.s3.get_object_attributes(Bucket=name, Key="big",
                                              ObjectAttributes=["ObjectParts", "Checksum"])
        self.assertEqual(attrs["ObjectParts"]["TotalPartsCount"], 2)
        self.assertEqual(len(attrs["ObjectParts"]["Parts"]), 2)
        upload = self.start(name, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
        parts = [self.part(name, upload, i + 1, d, ChecksumAlgorithm="CRC32")
                 for i, d in enumerate(data)]
        crc = base64.b64encode(zlib.crc32(b"".join(data)).to_bytes(4, "big")).decode()
        with self.refused("BadDigest", 400):
            self.complete(name, upload, parts, ChecksumCRC32="AAAAAA==",
                          ChecksumType="FULL_OBJECT")
        r = self.complete(name, upload, parts, ChecksumCRC32=crc, ChecksumType="FULL_OBJECT",
                          MpuObjectSize=len(data[0]) + len(data[1]))
        self.assertEqual((r["ChecksumCRC32"], r["ChecksumType"]), (crc, "FULL_OBJECT"))
        self.assertEqual(self.body(name, "big"), b"".join(data))

    def test_wrong_completions(self):
        name = self.bucket()
        upload = self.start(name)
        one, two = self.part(name, upload, 1, b"x" * 100), self.part(name, upload, 2, b"y" * 100)
        bare = [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in (one, two)]
        with self.refused("EntityTooSmall", 400):
            self.complete(name, upload, bare)
        with self.refused("InvalidPartOrder", 400):
            self.complete(name, upload, bare[::-1])
        with self.refused("InvalidPart", 400):
            self.complete(name, upload, [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}])
        with self.refused("InvalidPart", 400):
            self.complete(name, upload, [{"PartNumber": 9, "ETag": bare[0]["ETag"]}])
        with self.refused("InvalidArgument", 400):
            self.part(name, upload, 10001, b"x")
        with self.refused("NoSuchUpload", 404):
            self.complete(name, "0" * 64, bare)
        self.complete(name, upload, bare[1:])
        self.assertEqual(self.body(name, "big"), b"y" * 100)

    def test_abort(self):
        name = self.bucket()
        upload = self.start(name)
        self.part(name, upload, 1, b"x" * 100000)
        self.s3.abort_multipart_upload(Bucket=name, Key="big", UploadId=upload)
        with self.refused("NoSuchUpload", 404):
            self.part(name, upload, 2, b"x")
        with self.refused("NoSuchUpload", 404):
            self.s3.abort_multipart_upload(Bucket=name, Key="big", UploadId=upload)
        self.s3.delete_bucket(Bucket=name)

    def test_part_again(self):
        name = self.bucket()
        upload = self.start(name)
        self.part(name, upload, 1, b"old" * 1000)
        new = self.part(name, upload, 1, b"new" * 1000)
        self.complete(name, upload, [{"PartNumber": 1, "ETag": new["ETag"]}])
        self.assertEqual(self.body(name, "big"), b"new" * 1000)

    def test_part_copy(self):
        name = self.bucket()
        data = os.urandom(6 * MIB)
        self.s3.put_object(Bucket=name, Key="src", Body=data)
        upload = self.start(name)
        source = {"Bucket": name, "Key": "src"}
        a = self.s3.upload_part_copy(Bucket=name, Key="big", UploadId=upload, PartNumber=1,
                                     CopySource=source)["CopyPartResult"]
        b = self.s3.upload_part_copy(Bucket=name, Key="big", UploadId=upload, PartNumber=2,
                                     CopySource=source,
                                     CopySourceRange="bytes=10-99")["CopyPartResult"]
        self.complete(name, upload, [{"PartNumber": 1, "ETag": a["ETag"]},
                                     {"PartNumber": 2, "ETag": b["ETag"]}])
        self.assertEqual(self.body(name, "big"), data + data[10:100])
        with self.refused("InvalidArgument", 400):
            self.s3.upload_part_copy(Bucket=name, Key="big", UploadId=self.start(name),
                                     PartNumber=1, CopySource=source,
                                     CopySourceRange=f"bytes=0-{7 * MIB}")

    def test_transfer_manager(self):
        name = self.bucket()
        data = os.urandom(20 * MIB + 5)
        self.s3.upload_fileobj(io.BytesIO(data), name, "tm")
        out = io.BytesIO()
        self.s3.download_fileobj(name, "tm", out)
        self.assertEqual(out.getvalue(), data)
        self.s3.copy({"Bucket": name, "Key": "tm"}, name, "tm2")
        self.assertEqual(self.body(name, "tm2"), data)

    def test_uploads_listing(self):
        name = self.bucket()
        for key in ("a", "b/1", "b/2", "c"):
            self.start(name, key)
        r = self.s3.list_multipart_uploads(Bucket=name, Delimiter="/")
        self.assertEqual([u["Key"] for u in r["Uploads"]], ["a", "c"])
        self.assertEqual([p["Prefix"] for p in r["CommonPrefixes"]], ["b/"])
        r = self.s3.list_multipart_uploads(Bucket=name, Prefix="b/")
        self.assertEqual([u["Key"] for u in r["Uploads"]], ["b/1", "b/2"])
        got = [u["Key"] for page in self.s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=name, PaginationConfig={"PageSize": 1}) for u in page.get("Uploads", [])]
        self.assertEqual(got, ["a", "b/1", "b/2", "c"])


class Copies(S3Case):
    def test_copy(self):
        src, dst = self.bucket(), self.bucket()
        for size in (10, 100000):
            data = os.urandom(size)
            self.s3.put_object(Bucket=src, Key="a b/ü", Body=data, ContentType="text/plain",
                               Metadata={"m": "1"}, Tagging="t=1")
            source = {"Bucket": src, "Key": "a b/ü"}
            r = self.s3.copy_object(Bucket=dst, Key="k", CopySource=source)
            self.assertEqual(r["CopyObjectResult"]["ETag"],
                             f'"{hashlib.md5(data).hexdigest()}"')
            got = self.s3.get_object(Bucket=dst, Key="k")
            self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]),
                             (data, "text/plain", {"m": "1"}))
            self.assertEqual(len(self.s3.get_object_tagging(Bucket=dst, Key="k")["TagSet"]), 1)
            self.s3.copy_object(Bucket=dst, Key="k", CopySource=source,
                                MetadataDirective="REPLACE", Metadata={"n": "2"},
                                TaggingDirective="REPLACE", Tagging="x=y")
            got = self.s3.head_object(Bucket=dst, Key="k")
            self.assertEqual((got["ContentType"], got["Metadata"]),
                             ("binary/octet-stream", {"n": "2"}))
            self.assertEqual(self.s3.get_object_tagging(Bucket=dst, Key="k")["TagSet"],
                             [{"Key": "x", "Value": "y"}])

    def test_itself(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        source = {"Bucket": name, "Key": "k"}
        with self.refused("InvalidRequest", 400):
            self.s3.copy_object(Bucket=name, Key="k", CopySource=source)
        self.s3.copy_object(Bucket=name, Key="k", CopySource=source,
                            MetadataDirective="REPLACE", Metadata={"a": "b"})
        self.assertEqual(self.s3.head_object(Bucket=name, Key="k")["Metadata"], {"a": "b"})
        self.assertEqual(self.body(name, "k"), b"x")

    def test_versions_and_conditions(self):
        name = self.versioned()
        first = self.s3.put_object(Bucket=name, Key="k", Body=b"one")
        self.s3.put_object(Bucket=name, Key="k", Body=b"two")
        r = self.s3.copy_object(Bucket=name, Key="k", CopySource={
            "Bucket": name, "Key": "k", "VersionId": first["VersionId"]})
        self.assertEqual(r["CopySourceVersionId"], first["VersionId"])
        self.assertEqual(self.body(name, "k"), b"one")
        source = {"Bucket": name, "Key": "k"}
        with self.refused("PreconditionFailed", 412):
            self.s3.copy_object(Bucket=name, Key="o", CopySource=source,
                                CopySourceIfMatch='"other"')
        with self.refused("PreconditionFailed", 412):
            self.s3.copy_object(Bucket=name, Key="o", CopySource=source,
                                CopySourceIfNoneMatch=first["ETag"])
        with self.refused("NoSuchKey", 404):
            self.s3.copy_object(Bucket=name, Key="o", CopySource={"Bucket": name, "Key": "none"})


class Encryption(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = client("kms")
        cls.key = cls.kms.create_key()["KeyMetadata"]

    def kms_bucket(self, bucket_key=False):
        name = self.bucket()
        self.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms",
                                                   "KMSMasterKeyID": self.key["Arn"]},
            "BucketKeyEnabled": bucket_key}]})
        return name

    def test_config(self):
        name = self.kms_bucket(True)
        rule = self.s3.get_bucket_encryption(
            Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"],
                         {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key["Arn"]})
        self.assertTrue(rule["BucketKeyEnabled"])
        self.s3.delete_bucket_encryption(Bucket=name)
        rule = self.s3.get_bucket_encryption(
            Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")

    def test_objects(self):
        for bucket_key in (False, True):
            name = self.kms_bucket(bucket_key)
            for size in (0, 100, 16384, 100000):
                data = os.urandom(size)
                put = self.s3.put_object(Bucket=name, Key=f"k{size}", Body=data)
                self.assertEqual(put["ServerSideEncryption"], "aws:kms")
                self.assertEqual(put["SSEKMSKeyId"], self.key["Arn"])
                self.assertEqual(put.get("BucketKeyEnabled", False), bucket_key)
                self.assertNotEqual(put["ETag"], f'"{hashlib.md5(data).hexdigest()}"')
                got = self.s3.get_object(Bucket=name, Key=f"k{size}")
                self.assertEqual(got["Body"].read(), data)
                self.assertEqual(got["SSEKMSKeyId"], self.key["Arn"])
            self.s3.copy_object(Bucket=name, Key="plain", ServerSideEncryption="AES256",
                                CopySource={"Bucket": name, "Key": "k100000"})
            self.assertEqual(self.s3.head_object(Bucket=name, Key="plain")["ServerSideEncryption"],
                             "AES256")
            self.assertEqual(self.body(name, "plain"), data)

    def test_header(self):
        name = self.bucket()
        context = base64.b64encode(json.dumps({"dept": "x"}).encode()).decode()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="aws:kms",
                           SSEKMSKeyId=self.key["KeyId"], SSEKMSEncryptionContext=context)
        self.assertEqual(self.body(name, "k"), b"x")
        with self.refused("InvalidArgument", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"x", SSEKMSKeyId=self.key["KeyId"])
        with self.refused("KMS.NotFoundException", 400):
            self.s3.put_object(Bucket=name, Key="k", Body=b"x", ServerSideEncryption="aws:kms",
                               SSEKMSKeyId="00000000-0000-4000-8000-000000000000")

    def test_multipart(self):
        name = self.kms_bucket()
        upload = self.s3.create_multipart_upload(Bucket=name, Key="k")["UploadId"]
        data = [os.urandom(5 * MIB), b"tail"]
        parts = [{"PartNumber": i + 1, "ETag": self.s3.upload_part(
            Bucket=name, Key="k", UploadId=upload, PartNumber=i + 1, Body=d)["ETag"]}
            for i, d in enumerate(data)]
        self.s3.complete_multipart_upload(Bucket=name, Key="k", UploadId=upload,
                                          MultipartUpload={"Parts": parts})
        self.assertEqual(self.body(name, "k"), b"".join(data))

    def test_disabled_key_closes(self):
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        name = self.bucket()
        for bucket_key in (False, True):
            k = f"k{bucket_key}"
            self.s3.put_object(Bucket=name, Key=k, Body=b"x", ServerSideEncryption="aws:kms",
                               SSEKMSKeyId=key, BucketKeyEnabled=bucket_key)
            self.assertEqual(self.body(name, k), b"x")
        self.kms.disable_key(KeyId=key)
        time.sleep(1.1)  # what S3 may keep of a bucket key
        for k in ("kFalse", "kTrue"):
            with self.refused("KMS.DisabledException", 400):
                self.s3.get_object(Bucket=name, Key=k)
        with self.refused("KMS.DisabledException", 400):
            self.s3.put_object(Bucket=name, Key="n", Body=b"x", ServerSideEncryption="aws:kms",
                               SSEKMSKeyId=key)
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.body(name, "kTrue"), b"x")


class Access(UserCase):
    """Another user of the account, without permissions but for what a test gives."""

    def test_nothing(self):
        self.allow({"Action": "sts:*"})
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        for call in (lambda: self.other.get_object(Bucket=name, Key="k"),
                     lambda: self.other.put_object(Bucket=name, Key="k", Body=b""),
                     lambda: self.other.delete_object(Bucket=name, Key="k"),
                     lambda: self.other.list_objects_v2(Bucket=name),
                     lambda: self.other.get_bucket_policy(Bucket=name),
                     lambda: self.other.create_bucket(Bucket=unique()),
                     lambda: self.other.list_buckets(),
                     lambda: self.nobody.get_object(Bucket=name, Key="k"),
                     lambda: self.nobody.list_objects_v2(Bucket=name)):
            with self.refused("AccessDenied", 403):
                call()
        self.assertEqual(self.body(name, "k"), b"x")

    def test_missing_key(self):
        name = self.bucket()
        self.allow({"Action": "s3:GetObject"})
        with self.refused("AccessDenied", 403):
            self.other.get_object(Bucket=name, Key="none")
        self.allow({"Action": ["s3:GetObject", "s3:ListBucket"]})
        with self.refused("NoSuchKey", 404):
            self.other.get_object(Bucket=name, Key="none")

    def test_versions_are_apart(self):
        name = self.versioned()
        v = self.s3.put_object(Bucket=name, Key="k", Body=b"x")["VersionId"]
        self.allow({"Action": "s3:GetObject"})
        self.other.get_object(Bucket=name, Key="k")
        with self.refused("AccessDenied", 403):
            self.other.get_object(Bucket=name, Key="k", VersionId=v)

    def test_bucket_policy(self):
        name = self.bucket()
        self.allow({"Action": "sts:*"})
        self.s3.put_object(Bucket=name, Key="open/k", Body=b"x", Tagging="level=public")
        self.s3.put_object(Bucket=name, Key="shut/k", Body=b"x")
        self.policy(name, {"Principal": {"AWS": self.user_arn}, "Action": "s3:GetObject",
                           "Resource": f"arn:aws:s3:::{name}/open/*"})
        self.assertIn("Statement", json.loads(self.s3.get_bucket_policy(Bucket=name)["Policy"]))
        self.assertFalse(self.s3.get_bucket_policy_status(
            Bucket=name)["PolicyStatus"]["IsPublic"])
        self.other.get_object(Bucket=name, Key="open/k")
        with self.refused("AccessDenied", 403):
            self.other.get_object(Bucket=name, Key="shut/k")
        self.policy(name, {"Principal": {"AWS": self.user_arn}, "Action": "s3:GetObject",
                           "Condition": {"StringEquals": {
                               "s3:ExistingObjectTag/level": "public"}}})
        self.other.get_object(Bucket=name, Key="open/k")
        with self.refused("AccessDenied", 403):
            self.other.get_object(Bucket=name, Key="shut/k")
        self.policy(name, {"Principal": {"AWS": self.user_arn}, "Action": "s3:ListBucket",
                           "Condition": {"StringLike": {"s3:prefix": "open/*"}}})
        self.other.list_objects_v2(Bucket=name, Prefix="open/")
        with self.refused("AccessDenied", 403):
            self.other.list_objects_v2(Bucket=name)
        self.s3.delete_bucket_policy(Bucket=name)
        with self.refused("AccessDenied", 403):
            self.other.list_objects_v2(Bucket=name, Prefix="open/")

    def test_deny(self):
        name = self.bucket()
        self.policy(name, {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                           "Resource": f"arn:aws:s3:::{name}/*",
                           "Condition": {"StringNotEquals": {
                               "s3:x-amz-server-side-encryption": "aws:kms"}}})
        with self.refused("AccessDenied", 403):
            self.s3.put_object(Bucket=name, Key="k", Body=b"x")

    def test_policy_mistakes(self):
        name = self.bucket()
        for document in ("not json", json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                 "Resource": "arn:aws:s3:::another/*"}]}),
                json.dumps({"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": "s3:GetObject",
                     "Resource": f"arn:aws:s3:::{name}/*"}]})):
            with self.refused("MalformedPolicy", 400):
                self.s3.put_bucket_policy(Bucket=name, Policy=document)
        with self.refused("AccessDenied", 403):  # would lock the caller out
            self.policy(name, {"Effect": "Deny", "Principal": "*", "Action": "s3:*"})

    def test_public(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="k", Body=b"x")
        everyone = {"Principal": "*", "Action": "s3:GetObject"}
        with self.refused("AccessDenied", 403):
            self.policy(name, everyone)
        block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False,
                 "RestrictPublicBuckets": True}
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        self.policy(name, everyone)
        self.assertTrue(self.s3.get_bucket_policy_status(
            Bucket=name)["PolicyStatus"]["IsPublic"])
        with self.refused("AccessDenied", 403):
            self.nobody.get_object(Bucket=name, Key="k")
        block["RestrictPublicBuckets"] = False
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        self.assertEqual(self.nobody.get_object(Bucket=name, Key="k")["Body"].read(), b"x")
        with self.refused("AccessDenied", 403):
            self.nobody.put_object(Bucket=name, Key="k", Body=b"y")

    def test_delete_many_one_by_one(self):
        name = self.bucket()
        for key in ("a/1", "b/1"):
            self.s3.put_object(Bucket=name, Key=key, Body=b"x")
        self.allow({"Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{name}/a/*"})
        r = self.other.delete_objects(Bucket=name, Delete={"Objects": [
            {"Key": "a/1"}, {"Key": "b/1"}]})
        self.assertEqual([d["Key"] for d in r["Deleted"]], ["a/1"])
        self.assertEqual([(e["Key"], e["Code"]) for e in r["Errors"]], [("b/1", "AccessDenied")])

    def test_copy_needs_both(self):
        src, dst = self.bucket(), self.bucket()
        self.s3.put_object(Bucket=src, Key="k", Body=b"x")
        call = lambda: self.other.copy_object(Bucket=dst, Key="k",
                                              CopySource={"Bucket": src, "Key": "k"})
        self.allow({"Action": "s3:PutObject"})
        with self.refused("AccessDenied", 403):
            call()
        self.allow({"Action": "s3:GetObject"})
        with self.refused("AccessDenied", 403):
            call()
        self.allow({"Action": ["s3:GetObject", "s3:PutObject"]})
        call()

    def test_tagging_needs_permission(self):
        name = self.bucket()
        self.allow({"Action": "s3:PutObject"})
        self.other.put_object(Bucket=name, Key="k", Body=b"x")
        with self.refused("AccessDenied", 403):
            self.other.put_object(Bucket=name, Key="k", Body=b"x", Tagging="a=b")
        self.allow({"Action": ["s3:PutObject", "s3:PutObjectTagging"]})
        self.other.put_object(Bucket=name, Key="k", Body=b"x", Tagging="a=b")

    def test_kms_is_asked(self):
        name = self.bucket()
        key = client("kms").create_key()["KeyMetadata"]["Arn"]
        for bucket_key in (False, True):
            self.s3.put_object(Bucket=name, Key=f"k{bucket_key}", Body=b"x",
                               ServerSideEncryption="aws:kms", SSEKMSKeyId=key,
                               BucketKeyEnabled=bucket_key)
            self.allow({"Action": "s3:*"})
            with self.refused("AccessDenied", 403):
                self.other.get_object(Bucket=name, Key=f"k{bucket_key}")
            self.allow({"Action": ["s3:*", "kms:Decrypt"]})
            self.other.get_object(Bucket=name, Key=f"k{bucket_key}")


class Notifications(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sqs = client("sqs")
        try:
            cls.queue = cls.sqs.create_queue(QueueName=unique("q"))["QueueUrl"]
        except ClientError as e:
            raise unittest.SkipTest(f"no SQS: {e}")
        cls.arn = cls.sqs.get_queue_attributes(
            QueueUrl=cls.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    @classmethod
    def tearDownClass(cls):
        cls.sqs.delete_queue(QueueUrl=cls.queue)
        super().tearDownClass()

    def let_in(self, bucket):
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": self.arn,
                "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
                              "StringEquals": {"aws:SourceAccount": self.account}}}]})})

    def messages(self, n):
        out, end = [], time.time() + 20
        while len(out) < n and time.time() < end:
            r = self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=2,
                                         MaxNumberOfMessages=10)
            for m in r.get("Messages", []):
                out.append(json.loads(m["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=m["ReceiptHandle"])
        return out

    def test_queue(self):
        name = self.bucket()
        config = {"QueueConfigurations": [{
            "Id": "cfg", "QueueArn": self.arn,
            "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"},
                                               {"Name": "suffix", "Value": ".gz"}]}}}]}
        with self.refused("InvalidArgument", 400):  # the queue does not let S3 in
            self.s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration=config)
        self.let_in(name)
        self.s3.put_bucket_notification_configuration(Bucket=name,
                                                      NotificationConfiguration=config)
        test = self.messages(1)
        self.assertEqual((test[0]["Event"], test[0]["Bucket"]), ("s3:TestEvent", name))
        got = self.s3.get_bucket_notification_configuration(Bucket=name)
        self.assertEqual(got["QueueConfigurations"][0]["Id"], "cfg")
        self.assertEqual(got["QueueConfigurations"][0]["Events"],
                         ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"])
        self.s3.put_object(Bucket=name, Key="out/x.gz", Body=b"no")
        self.s3.put_object(Bucket=name, Key="in/x y+ü.gz", Body=b"yes")
        self.s3.delete_object(Bucket=name, Key="in/x y+ü.gz")
        records = [r for m in self.messages(2) for r in m["Records"]]
        records.sort(key=lambda r: r["s3"]["object"]["sequencer"])
        self.assertEqual([r["eventName"] for r in records],
                         ["ObjectCreated:Put", "ObjectRemoved:Delete"])
        put = records[0]
        self.assertEqual(put["eventSource"], "aws:s3")
        self.assertEqual(put["s3"]["configurationId"], "cfg")
        self.assertEqual(put["s3"]["bucket"]["name"], name)
        self.assertEqual(put["s3"]["object"]["key"], "in/x+y%2B%C3%BC.gz")
        self.assertEqual(put["s3"]["object"]["size"], 3)
        self.assertEqual(put["s3"]["object"]["eTag"], hashlib.md5(b"yes").hexdigest())
        self.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
        self.assertNotIn("QueueConfigurations",
                         self.s3.get_bucket_notification_configuration(Bucket=name))

    def test_overlap(self):
        name = self.bucket()
        self.let_in(name)
        rule = {"QueueArn": self.arn, "Events": ["s3:ObjectCreated:Put"]}
        with self.refused("InvalidArgument", 400):
            self.s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"QueueConfigurations": [
                    rule, dict(rule, Events=["s3:ObjectCreated:*"])]})


if __name__ == "__main__":
    unittest.main()

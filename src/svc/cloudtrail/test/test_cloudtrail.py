"""CloudTrail as boto3 sees it: trails, what their selectors choose, deliveries, the event history.

The Ward of these tests delivers every second. Digest files: tests/test_digests.py."""
import gzip
import json
import os
import sys
import unittest
import uuid

import boto3
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../../tests"))
from wardtest import eventually  # noqa: E402


def client(name, creds=None, region=None):
    extra = {"region_name": region} if region else {}
    if creds:
        extra.update(aws_access_key_id=creds["AccessKeyId"],
                     aws_secret_access_key=creds["SecretAccessKey"])
    return boto3.client(name, **extra)


def code(error):
    return error.exception.response["Error"]["Code"]


def unique(prefix):
    return prefix + uuid.uuid4().hex[:12]


def allow_trail(bucket, *more):
    who = {"Service": "cloudtrail.amazonaws.com"}
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": who, "Action": "s3:PutObject",
         "Resource": f"arn:aws:s3:::{bucket}/*"}, *more]})


class TrailCase(unittest.TestCase):
    def setUp(self):
        self.ct, self.s3 = client("cloudtrail"), client("s3")
        self.account = client("sts").get_caller_identity()["Account"]
        self.bucket, self.name = unique("trail-"), unique("t-")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=allow_trail(self.bucket))

    def create(self, **more):
        made = self.ct.create_trail(Name=self.name, S3BucketName=self.bucket, **more)
        self.addCleanup(self.remove)
        return made

    def remove(self):
        try:
            self.ct.delete_trail(Name=self.name)
        except self.ct.exceptions.TrailNotFoundException:
            pass

    def refused(self, expected, call, **args):
        with self.assertRaises(ClientError) as e:
            call(**args)
        self.assertEqual(code(e), expected)
        return e.exception.response["Error"]["Message"]

    def log_keys(self):
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [o["Key"] for o in found if o["Key"].endswith(".json.gz")]

    def records(self):
        out = []
        for key in self.log_keys():
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            out += json.loads(gzip.decompress(body))["Records"]
        return out

    def user(self, *actions):
        """A user who may do just this."""
        iam, name = client("iam"), unique("u-")
        iam.create_user(UserName=name)
        if actions:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17",
                 "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))
        return name, iam.create_access_key(UserName=name)["AccessKey"]


class TrailsTest(TrailCase):
    def test_created_trail_is_described_got_and_listed(self):
        made = self.create(IsMultiRegionTrail=True, S3KeyPrefix="logs",
                           TagsList=[{"Key": "a", "Value": "b"}])
        self.assertEqual(made["TrailARN"],
                         f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/{self.name}")
        for t in (self.ct.get_trail(Name=self.name)["Trail"],
                  self.ct.describe_trails(trailNameList=[made["TrailARN"]])["trailList"][0]):
            self.assertEqual(t["S3BucketName"], self.bucket)
            self.assertEqual(t["S3KeyPrefix"], "logs")
            self.assertTrue(t["IsMultiRegionTrail"])
            self.assertTrue(t["IncludeGlobalServiceEvents"])
            self.assertFalse(t["LogFileValidationEnabled"])
            self.assertEqual(t["HomeRegion"], "us-east-1")
        self.assertIn(made["TrailARN"], [t["TrailARN"] for t in self.ct.list_trails()["Trails"]])
        tags = self.ct.list_tags(ResourceIdList=[made["TrailARN"]])["ResourceTagList"][0]
        self.assertEqual(tags["TagsList"], [{"Key": "a", "Value": "b"}])

    def test_shadow_trails_in_other_regions(self):
        self.create(IsMultiRegionTrail=True)
        eu = client("cloudtrail", region="eu-west-1")
        shown = [t["Name"] for t in eu.describe_trails()["trailList"]]
        self.assertIn(self.name, shown)
        own = [t["Name"] for t in eu.describe_trails(includeShadowTrails=False)["trailList"]]
        self.assertNotIn(self.name, own)
        arn = f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/{self.name}"
        for call in (eu.start_logging, eu.stop_logging, eu.delete_trail, eu.update_trail):
            self.refused("InvalidHomeRegionException", call, Name=arn)

    def test_names_buckets_and_duplicates(self):
        for bad in ("ab", "-abc", "a..b", "a b c", "x" * 129):
            self.refused("InvalidTrailNameException", self.ct.create_trail, Name=bad,
                         S3BucketName=self.bucket)
        self.refused("S3BucketDoesNotExistException", self.ct.create_trail, Name=self.name,
                     S3BucketName=unique("no-"))
        self.create()
        self.refused("TrailAlreadyExistsException", self.ct.create_trail, Name=self.name,
                     S3BucketName=self.bucket)
        self.refused("TrailNotFoundException", self.ct.get_trail, Name=unique("none-"))
        self.refused("NotImplemented", self.ct.update_trail, Name=self.name,
                     IsOrganizationTrail=True)

    def test_a_bucket_that_does_not_let_the_trail_in_is_refused(self):
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.refused("InsufficientS3BucketPolicyException", self.ct.create_trail, Name=self.name,
                     S3BucketName=self.bucket)
        self.assertNotIn(self.name, [t["Name"] for t in self.ct.list_trails()["Trails"]])

    def test_another_trails_arn_in_the_bucket_policy_does_not_let_this_one_in(self):
        stranger = f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/another"
        policy = json.loads(allow_trail(self.bucket))
        policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceArn": stranger}}
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))
        self.refused("InsufficientS3BucketPolicyException", self.ct.create_trail, Name=self.name,
                     S3BucketName=self.bucket)
        policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceArn"] = \
            stranger.replace("another", self.name)
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))
        self.create()

    def test_tags_change(self):
        arn = self.create()["TrailARN"]
        self.ct.add_tags(ResourceId=arn, TagsList=[{"Key": "a", "Value": "1"},
                                                   {"Key": "b", "Value": "2"}])
        self.ct.add_tags(ResourceId=arn, TagsList=[{"Key": "a", "Value": "3"}])
        self.ct.remove_tags(ResourceId=arn, TagsList=[{"Key": "b"}])
        tags = self.ct.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]
        self.assertEqual(tags, [{"Key": "a", "Value": "3"}])
        self.refused("TagsLimitExceededException", self.ct.add_tags, ResourceId=arn,
                     TagsList=[{"Key": f"k{i}", "Value": "x"} for i in range(51)])

    def test_who_may_not_is_refused_and_recorded(self):
        name, creds = self.user("cloudtrail:DescribeTrails")
        ct = client("cloudtrail", creds)
        ct.describe_trails()
        self.create()
        self.refused("AccessDeniedException", ct.stop_logging, Name=self.name)
        self.assertFalse(self.ct.get_trail_status(Name=self.name)["IsLogging"])
        seen = self.ct.lookup_events(LookupAttributes=[
            {"AttributeKey": "Username", "AttributeValue": name}])["Events"]
        self.assertIn(("StopLogging", "AccessDenied"),
                      [(e["EventName"], json.loads(e["CloudTrailEvent"]).get("errorCode"))
                       for e in seen])


class SelectorsTest(TrailCase):
    def start(self, **selectors):
        self.create(IsMultiRegionTrail=True)
        self.ct.put_event_selectors(TrailName=self.name, **selectors)
        self.ct.start_logging(Name=self.name)

    def names(self):
        return [r["eventName"] for r in self.records()]

    def test_the_default_is_every_management_event_and_no_data(self):
        got = (self.create(), self.ct.get_event_selectors(TrailName=self.name))[1]
        self.assertEqual(got["EventSelectors"], [
            {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [],
             "ExcludeManagementEventSources": []}])
        self.ct.start_logging(Name=self.name)
        self.s3.put_object(Bucket=self.bucket, Key="data", Body=b"x")
        marker = unique("m-")
        client("iam").create_user(UserName=marker)
        eventually(lambda: marker in json.dumps(self.records()), "the call in a log file")
        objects = [r for r in self.records() if r["eventName"] == "PutObject"]
        self.assertEqual(objects, [])

    def test_write_only_leaves_reads_out(self):
        self.start(EventSelectors=[{"ReadWriteType": "WriteOnly"}])
        client("iam").list_users()
        client("kms").create_key()
        eventually(lambda: "CreateKey" in self.names(), "the write in a log file")
        self.assertNotIn("ListUsers", self.names())
        self.assertTrue(all(not r["readOnly"] for r in self.records()))

    def test_excluded_sources(self):
        self.start(EventSelectors=[{"ReadWriteType": "All", "ExcludeManagementEventSources":
                                    ["kms.amazonaws.com"]}])
        client("kms").create_key()
        marker = unique("m-")
        client("iam").create_user(UserName=marker)
        eventually(lambda: marker in json.dumps(self.records()), "the call in a log file")
        self.assertNotIn("kms.amazonaws.com", [r["eventSource"] for r in self.records()])

    def test_data_events_of_one_bucket(self):
        other = unique("other-")
        self.s3.create_bucket(Bucket=other)
        self.start(EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": False,
                                    "DataResources": [{"Type": "AWS::S3::Object", "Values": [
                                        f"arn:aws:s3:::{other}/in/"]}]}])
        for key in ("out/1", "in/1"):
            self.s3.put_object(Bucket=other, Key=key, Body=b"x")
        self.s3.get_object(Bucket=other, Key="in/1")["Body"].read()
        eventually(lambda: {"PutObject", "GetObject"} <= set(self.names()), "both in a log file")
        keys = {r["requestParameters"]["key"] for r in self.records()}
        self.assertEqual(keys, {"in/1"})
        for r in self.records():
            self.assertEqual(r["eventCategory"], "Data")
            self.assertFalse(r["managementEvent"])

    def test_advanced_selectors(self):
        self.start(AdvancedEventSelectors=[{"Name": "keys only", "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]},
            {"Field": "eventSource", "Equals": ["kms.amazonaws.com"]},
            {"Field": "eventName", "NotStartsWith": ["List"]}]}])
        client("kms").list_keys()
        client("iam").list_users()
        client("kms").create_key()
        eventually(lambda: "CreateKey" in self.names(), "the call in a log file")
        self.assertEqual({r["eventSource"] for r in self.records()}, {"kms.amazonaws.com"})
        self.assertNotIn("ListKeys", self.names())
        got = self.ct.get_event_selectors(TrailName=self.name)["AdvancedEventSelectors"][0]
        self.assertEqual(got["Name"], "keys only")

    def test_wrong_selectors(self):
        self.create()
        put = self.ct.put_event_selectors
        management = {"Field": "eventCategory", "Equals": ["Management"]}
        for fields in ([{"Field": "eventName", "Equals": ["x"]}],
                       [management, {"Field": "sourceIPAddress", "Equals": ["x"]}],
                       [management, {"Field": "eventName"}],
                       [{"Field": "eventCategory", "NotEquals": ["Data"]}],
                       [{"Field": "eventCategory", "Equals": ["Data"]}]):
            self.refused("InvalidEventSelectorsException", put, TrailName=self.name,
                         AdvancedEventSelectors=[{"FieldSelectors": fields}])
        self.refused("InvalidEventSelectorsException", put, TrailName=self.name, EventSelectors=[
            {"DataResources": [{"Type": "AWS::Nonsense", "Values": ["arn:aws:s3:::b/"]}]}])
        self.refused("InvalidEventSelectorsException", put, TrailName=self.name,
                     EventSelectors=[{}] * 6)
        self.refused("NotImplemented", put, TrailName=self.name, AdvancedEventSelectors=[
            {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["NetworkActivity"]}]}])


class DeliveryTest(TrailCase):
    def test_keys_names_and_content(self):
        self.create(S3KeyPrefix="pre/fix")
        self.ct.start_logging(Name=self.name)
        client("kms").create_key()
        eventually(self.log_keys, "a log file")
        for key in self.log_keys():
            self.assertRegex(key, rf"^pre/fix/AWSLogs/{self.account}/CloudTrail/us-east-1/\d{{4}}/"
                             rf"\d\d/\d\d/{self.account}_CloudTrail_us-east-1_\d{{8}}T\d{{4}}Z_"
                             r"[A-Za-z0-9]{16}\.json\.gz$")
        head = self.s3.head_object(Bucket=self.bucket, Key=self.log_keys()[0])
        self.assertEqual(head["ContentType"], "application/json")
        self.assertEqual(head["ContentEncoding"], "gzip")
        status = self.ct.get_trail_status(Name=self.name)
        self.assertTrue(status["IsLogging"])
        self.assertIn("LatestDeliveryTime", status)

    def test_under_the_trails_key(self):
        kms = client("kms")
        key = kms.create_key()["KeyMetadata"]
        self.refused("InsufficientEncryptionPolicyException", self.ct.create_trail,
                     Name=self.name, S3BucketName=self.bucket, KmsKeyId=key["Arn"])
        policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
        arn = f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/{self.name}"
        policy["Statement"].append({
            "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "kms:GenerateDataKey*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:EncryptionContext:aws:cloudtrail:arn": arn}}})
        kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=json.dumps(policy))
        self.create(KmsKeyId=key["Arn"])
        self.ct.start_logging(Name=self.name)
        kms.create_key()
        eventually(self.log_keys, "a log file")
        head = self.s3.head_object(Bucket=self.bucket, Key=self.log_keys()[0])
        self.assertEqual(head["ServerSideEncryption"], "aws:kms")
        self.assertEqual(head["SSEKMSKeyId"], key["Arn"])
        kms.disable_key(KeyId=key["KeyId"])
        with self.assertRaises(ClientError) as e:
            self.s3.get_object(Bucket=self.bucket, Key=self.log_keys()[0])
        self.assertEqual(code(e), "KMS.DisabledException")

    def test_a_topic_is_told_and_its_refusal_is_in_the_status(self):
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name=unique("topic-"))["TopicArn"]
        url = sqs.create_queue(QueueName=unique("queue-"))["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
            "Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": queue}]})})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        self.create(SnsTopicName=topic)
        self.ct.start_logging(Name=self.name)
        client("kms").create_key()
        eventually(lambda: self.ct.get_trail_status(Name=self.name).get(
            "LatestNotificationError"), "the refusal in the status")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "sns:Publish", "Resource": topic}]}))
        client("kms").create_key()
        got = eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get(
            "Messages"), "the notice")
        notice = json.loads(json.loads(got[0]["Body"])["Message"])
        self.assertEqual(notice["s3Bucket"], self.bucket)
        self.assertTrue(set(notice["s3ObjectKey"]) <= set(self.log_keys()))
        status = self.ct.get_trail_status(Name=self.name)
        self.assertNotIn("LatestNotificationError", status)

    def test_what_came_before_a_stop_is_delivered_though_it_starts_again_at_once(self):
        self.create()
        self.ct.start_logging(Name=self.name)
        before, between, after = (unique("m-") for _ in range(3))
        iam = client("iam")
        iam.create_user(UserName=before)
        self.ct.stop_logging(Name=self.name)
        iam.create_user(UserName=between)
        self.ct.start_logging(Name=self.name)
        iam.create_user(UserName=after)

        def seen():
            text = json.dumps(self.records())
            return before in text and after in text and text
        self.assertNotIn(between, eventually(seen, "both in log files"))

    def test_it_starts_with_what_comes_from_then_on(self):
        marker = unique("m-")
        client("iam").create_user(UserName=marker)
        self.create()
        self.ct.start_logging(Name=self.name)
        later = unique("m-")
        client("iam").create_user(UserName=later)
        eventually(lambda: later in json.dumps(self.records()), "the later call in a log file")
        self.assertNotIn(marker, json.dumps(self.records()))

    def test_another_bucket_from_now_on(self):
        self.create()
        self.ct.start_logging(Name=self.name)
        second = unique("trail-")
        self.s3.create_bucket(Bucket=second)
        self.refused("InsufficientS3BucketPolicyException", self.ct.update_trail, Name=self.name,
                     S3BucketName=second)
        self.s3.put_bucket_policy(Bucket=second, Policy=allow_trail(second))
        self.ct.update_trail(Name=self.name, S3BucketName=second)
        marker, self.bucket = unique("m-"), second
        client("iam").create_user(UserName=marker)
        eventually(lambda: marker in json.dumps(self.records()), "the call in the other bucket")


class HistoryTest(TrailCase):
    def test_attributes_and_pages(self):
        kms = client("kms")
        made = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(5)]
        look = self.ct.get_paginator("lookup_events")

        def find(key, value, **more):
            pages = look.paginate(LookupAttributes=[{"AttributeKey": key,
                                                     "AttributeValue": value}], **more)
            return [e for p in pages for e in p["Events"]]
        for arn in made:
            found = find("ResourceName", arn)
            self.assertEqual([e["EventName"] for e in found], ["CreateKey"])
            self.assertEqual(find("EventId", found[0]["EventId"])[0]["EventId"],
                             found[0]["EventId"])
        keys = find("EventName", "CreateKey", PaginationConfig={"PageSize": 2})
        arns = [r["ResourceName"] for e in keys for r in e["Resources"]]
        self.assertTrue(set(made) <= set(arns))
        ids = [e["EventId"] for e in keys]
        self.assertEqual(len(ids), len(set(ids)))
        times = [e["EventTime"] for e in keys]
        self.assertEqual(times, sorted(times, reverse=True))

    def test_it_is_the_regions(self):
        key = client("kms", region="eu-west-1").create_key()["KeyMetadata"]["Arn"]
        want = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
        eu = client("cloudtrail", region="eu-west-1")
        self.assertEqual(len(eu.lookup_events(LookupAttributes=want)["Events"]), 1)
        self.assertEqual(self.ct.lookup_events(LookupAttributes=want)["Events"], [])

    def test_wrong_questions(self):
        two = [{"AttributeKey": "EventName", "AttributeValue": x} for x in ("a", "b")]
        self.refused("InvalidLookupAttributesException", self.ct.lookup_events,
                     LookupAttributes=two)
        self.refused("InvalidNextTokenException", self.ct.lookup_events, NextToken="made-up")
        self.refused("InvalidTimeRangeException", self.ct.lookup_events, StartTime=2000000000,
                     EndTime=1900000000)

    def test_secrets_are_not_in_the_history(self):
        name, creds = self.user()
        found = self.ct.lookup_events(LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "CreateAccessKey"}])["Events"]
        text = json.dumps([e["CloudTrailEvent"] for e in found])
        self.assertIn(creds["AccessKeyId"], text)
        self.assertNotIn(creds["SecretAccessKey"], text)


if __name__ == "__main__":
    unittest.main()

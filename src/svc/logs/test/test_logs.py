"""CloudWatch Logs as boto3 sees it: groups, streams, events, search, and who may do what."""
import json
import time
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


def now_ms():
    return int(time.time() * 1000)


class Base(unittest.TestCase):
    def setUp(self):
        self.logs = client("logs")
        self.group = "/test/" + uuid.uuid4().hex
        self.logs.create_log_group(logGroupName=self.group)

    def tearDown(self):
        try:
            self.logs.delete_log_group(logGroupName=self.group)
        except ClientError as e:
            self.assertEqual(e.response["Error"]["Code"], "ResourceNotFoundException")

    def stream(self, name="s"):
        self.logs.create_log_stream(logGroupName=self.group, logStreamName=name)
        return name

    def put(self, stream, *messages, at=None, step=1):
        at = at or now_ms()
        return self.logs.put_log_events(
            logGroupName=self.group, logStreamName=stream,
            logEvents=[{"timestamp": at + i * step, "message": m} for i, m in enumerate(messages)])

    def get(self, stream="s", **more):
        return self.logs.get_log_events(logGroupName=self.group, logStreamName=stream, **more)

    def search(self, pattern="", **more):
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.group, filterPattern=pattern, **more)
        return [e["message"] for p in pages for e in p["events"]]


class GroupTest(Base):
    def test_group_is_described(self):
        g = self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"][0]
        self.assertEqual(g["logGroupName"], self.group)
        self.assertTrue(g["arn"].endswith(f":log-group:{self.group}:*"))
        self.assertNotIn("retentionInDays", g)

    def test_name_is_taken_once(self):
        with self.assertRaises(ClientError) as e:
            self.logs.create_log_group(logGroupName=self.group)
        self.assertEqual(code(e), "ResourceAlreadyExistsException")

    def test_groups_are_paged(self):
        names = [f"{self.group}/{i:02}" for i in range(7)]
        for n in names:
            self.logs.create_log_group(logGroupName=n)
        pages = list(self.logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=self.group + "/", PaginationConfig={"PageSize": 3}))
        self.assertEqual([len(p["logGroups"]) for p in pages], [3, 3, 1])
        self.assertEqual([g["logGroupName"] for p in pages for g in p["logGroups"]], names)
        for n in names:
            self.logs.delete_log_group(logGroupName=n)

    def test_missing_group(self):
        for call in (lambda: self.logs.delete_log_group(logGroupName="/none"),
                     lambda: self.logs.create_log_stream(logGroupName="/none", logStreamName="s"),
                     lambda: self.logs.filter_log_events(logGroupName="/none"),
                     lambda: self.get("none")):
            with self.assertRaises(ClientError) as e:
                call()
            self.assertEqual(code(e), "ResourceNotFoundException")

    def test_a_group_made_again_is_empty(self):
        self.put(self.stream(), "old")
        self.logs.delete_log_group(logGroupName=self.group)
        self.logs.create_log_group(logGroupName=self.group)
        self.assertEqual(self.logs.describe_log_streams(logGroupName=self.group)["logStreams"], [])
        self.assertEqual(self.search(), [])
        self.stream()
        self.assertEqual(self.get()["events"], [])

    def test_retention(self):
        self.logs.put_retention_policy(logGroupName=self.group, retentionInDays=3)
        g = self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"][0]
        self.assertEqual(g["retentionInDays"], 3)
        s = self.stream()
        day = 24 * 3600 * 1000
        r = self.put(s, "gone", "gone too", at=now_ms() - 5 * day)
        self.assertEqual(r["rejectedLogEventsInfo"], {"expiredLogEventEndIndex": 2})
        with self.assertRaises(ClientError) as e:
            self.logs.put_retention_policy(logGroupName=self.group, retentionInDays=4)
        self.assertEqual(code(e), "InvalidParameterException")
        self.logs.delete_retention_policy(logGroupName=self.group)
        g = self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"][0]
        self.assertNotIn("retentionInDays", g)

    def test_events_past_a_new_retention_go(self):
        s = self.stream()
        day = 24 * 3600 * 1000
        self.put(s, "old", at=now_ms() - 2 * day)
        self.put(s, "young")
        self.logs.put_retention_policy(logGroupName=self.group, retentionInDays=1)
        self.assertEqual(self.search(), ["young"])
        self.logs.delete_retention_policy(logGroupName=self.group)

    def test_tags_in_both_forms(self):
        self.logs.tag_log_group(logGroupName=self.group, tags={"a": "1", "b": "2"})
        arn = self.logs.describe_log_groups(
            logGroupNamePrefix=self.group)["logGroups"][0]["logGroupArn"]
        self.logs.tag_resource(resourceArn=arn, tags={"c": "3"})
        self.logs.untag_log_group(logGroupName=self.group, tags=["a"])
        expected = {"b": "2", "c": "3"}
        self.assertEqual(self.logs.list_tags_for_resource(resourceArn=arn)["tags"], expected)
        self.logs.untag_resource(resourceArn=arn, tagKeys=["b"])
        self.assertEqual(self.logs.list_tags_log_group(logGroupName=self.group)["tags"],
                         {"c": "3"})

    def test_not_built_is_said(self):
        with self.assertRaises(ClientError) as e:
            self.logs.create_log_group(logGroupName=self.group + "k", kmsKeyId="k")
        self.assertEqual(code(e), "NotImplemented")
        with self.assertRaises(ClientError) as e:
            self.logs.put_metric_filter(logGroupName=self.group, filterName="f", filterPattern="",
                                        metricTransformations=[{
                                            "metricName": "m", "metricNamespace": "n",
                                            "metricValue": "1"}])
        self.assertEqual(code(e), "NotImplemented")


class StreamTest(Base):
    def test_streams_by_name_and_by_last_event(self):
        for name, back in (("a", 1000), ("b", 3000), ("c", 2000)):
            self.put(self.stream(name), "m", at=now_ms() - back)
        self.stream("empty")
        def names(**more):
            pages = self.logs.get_paginator("describe_log_streams").paginate(
                logGroupName=self.group, PaginationConfig={"PageSize": 2}, **more)
            return [s["logStreamName"] for p in pages for s in p["logStreams"]]
        self.assertEqual(names(), ["a", "b", "c", "empty"])
        self.assertEqual(names(descending=True), ["empty", "c", "b", "a"])
        self.assertEqual(names(orderBy="LastEventTime"), ["empty", "b", "c", "a"])
        self.assertEqual(names(orderBy="LastEventTime", descending=True), ["a", "c", "b", "empty"])
        self.assertEqual(names(logStreamNamePrefix="e"), ["empty"])

    def test_stream_tells_its_times(self):
        at = now_ms() - 5000
        self.put(self.stream(), "1", "2", "3", at=at, step=10)
        s = self.logs.describe_log_streams(logGroupName=self.group)["logStreams"][0]
        self.assertEqual((s["firstEventTimestamp"], s["lastEventTimestamp"]), (at, at + 20))
        self.assertGreaterEqual(s["lastIngestionTime"], at)
        self.assertTrue(s["arn"].endswith(f"{self.group}:log-stream:s"))

    def test_deleted_stream_takes_its_events_along(self):
        self.put(self.stream("a"), "1")
        self.put(self.stream("b"), "2")
        self.logs.delete_log_stream(logGroupName=self.group, logStreamName="a")
        self.assertEqual(self.search(), ["2"])
        self.stream("a")
        self.assertEqual(self.search(), ["2"])
        self.assertEqual(self.get("a")["events"], [])


class EventTest(Base):
    def setUp(self):
        super().setUp()
        self.stream()

    def test_events_come_back_in_order(self):
        at = now_ms()
        self.put("s", "c", "d", at=at)
        self.put("s", "a", "b", at=at - 100)
        events = self.get(startFromHead=True)["events"]
        self.assertEqual([e["message"] for e in events], ["a", "b", "c", "d"])
        self.assertEqual(events[2]["timestamp"], at)
        self.assertEqual([e["message"] for e in self.get()["events"]], ["a", "b", "c", "d"])

    def test_equal_times_keep_their_order(self):
        at = now_ms()
        self.put("s", *"abcdef", at=at, step=0)
        self.assertEqual([e["message"] for e in self.get()["events"]], list("abcdef"))

    def test_forward_and_backward_tokens(self):
        at = now_ms() - 1000
        self.put("s", *[str(i) for i in range(10)], at=at)
        page = self.get(startFromHead=True, limit=4)
        self.assertEqual([e["message"] for e in page["events"]], list("0123"))
        second = self.get(limit=4, nextToken=page["nextForwardToken"])
        self.assertEqual([e["message"] for e in second["events"]], list("4567"))
        third = self.get(limit=4, nextToken=second["nextForwardToken"])
        self.assertEqual([e["message"] for e in third["events"]], list("89"))
        end = self.get(limit=4, nextToken=third["nextForwardToken"])
        self.assertEqual(end["events"], [])
        self.assertEqual(end["nextForwardToken"], third["nextForwardToken"])
        back = self.get(limit=4, nextToken=second["nextBackwardToken"])
        self.assertEqual([e["message"] for e in back["events"]], list("0123"))
        tail = self.get(limit=3)
        self.assertEqual([e["message"] for e in tail["events"]], list("789"))
        before = self.get(limit=3, nextToken=tail["nextBackwardToken"])
        self.assertEqual([e["message"] for e in before["events"]], list("456"))
        self.put("s", "new")
        more = self.get(nextToken=third["nextForwardToken"])
        self.assertEqual([e["message"] for e in more["events"]], ["new"])

    def test_an_empty_stream_can_be_followed(self):
        r = self.get(startFromHead=True)
        self.assertEqual(r["events"], [])
        self.put("s", "first")
        r = self.get(nextToken=r["nextForwardToken"])
        self.assertEqual([e["message"] for e in r["events"]], ["first"])

    def test_start_is_included_and_end_is_not(self):
        at = now_ms() - 1000
        self.put("s", *"abcde", at=at)
        for head in (True, False):
            r = self.get(startTime=at + 1, endTime=at + 3, startFromHead=head)
            self.assertEqual([e["message"] for e in r["events"]], ["b", "c"])

    def test_token_of_another_stream_is_refused(self):
        self.put("s", "x")
        self.put(self.stream("t"), "y")
        token = self.get("t")["nextForwardToken"]
        for bad in (token, "f/123"):
            with self.assertRaises(ClientError) as e:
                self.get(nextToken=bad)
            self.assertEqual(code(e), "InvalidParameterException")

    def test_limits_of_a_batch(self):
        at, hour = now_ms(), 3600 * 1000
        def put(*events):
            return self.logs.put_log_events(
                logGroupName=self.group, logStreamName="s",
                logEvents=[{"timestamp": t, "message": m} for t, m in events])
        for events in ([(at, "b"), (at - 1, "a")],                 # not in order
                       [(at - 25 * hour, "a"), (at, "b")],          # more than a day
                       [(at, "x" * (1024 * 1024 - 25))]):           # more than 1 MiB
            with self.assertRaises(ClientError) as e:
                put(*events)
            self.assertEqual(code(e), "InvalidParameterException")
        put((at, "x" * (1024 * 1024 - 26)))
        self.assertEqual(len(self.get()["events"][0]["message"]), 1024 * 1024 - 26)
        r = put((at, "now"), (at + 3 * hour, "later"))
        self.assertEqual(r["rejectedLogEventsInfo"], {"tooNewLogEventStartIndex": 1})
        r = put((at - 15 * 24 * hour, "old"))
        self.assertEqual(r["rejectedLogEventsInfo"], {"tooOldLogEventEndIndex": 1})

    def test_ten_thousand_in_one_batch(self):
        at = now_ms() - 20000
        self.put("s", *[f"m{i}" for i in range(10000)], at=at)
        self.assertEqual(len(self.get()["events"]), 10000)
        self.assertEqual(self.search("m9999"), ["m9999"])

    def test_sequence_tokens_are_given_and_ignored(self):
        first = self.put("s", "a")["nextSequenceToken"]
        self.logs.put_log_events(logGroupName=self.group, logStreamName="s", sequenceToken="1",
                                 logEvents=[{"timestamp": now_ms(), "message": "b"}])
        self.assertTrue(first)


class SearchTest(Base):
    def setUp(self):
        super().setUp()
        at = now_ms() - 1000
        self.at = at
        self.put(self.stream("one"), "ERROR disk full", '{"level":"error","n":7,"who":{"id":"x1"}}',
                 at=at, step=100)
        self.put(self.stream("two"), "INFO all well", "10.0.0.1 - bob [date x] \"GET /a\" 404 1534",
                 at=at + 50, step=100)

    def test_patterns(self):
        error, js = "ERROR disk full", '{"level":"error","n":7,"who":{"id":"x1"}}'
        info, line = "INFO all well", '10.0.0.1 - bob [date x] "GET /a" 404 1534'
        for pattern, expected in (
                ("", [error, info, js, line]), ("ERROR", [error]), ("?ERROR ?INFO", [error, info]),
                ("-ERROR -INFO", [js, line]), ('"disk full"', [error]),
                ('{ $.level = "err*" }', [js]), ("{ $.n >= 7 && $.who.id = x1 }", [js]),
                ("{ $.n != 7 }", []), ("{ $.gone NOT EXISTS }", [js]),
                ("[ip, dash, user, when, request, status = 4*, bytes > 1000]", [line]),
                ("[..., status = 404, bytes]", [line])):
            self.assertEqual(self.search(pattern), expected, pattern)

    def test_streams_and_times(self):
        self.assertEqual(len(self.search(logStreamNames=["two"])), 2)
        self.assertEqual(len(self.search(logStreamNamePrefix="o")), 2)
        self.assertEqual(self.search(startTime=self.at + 50, endTime=self.at + 50),
                         ["INFO all well"])
        with self.assertRaises(ClientError) as e:
            self.search(logStreamNames=["three"])
        self.assertEqual(code(e), "ResourceNotFoundException")

    def test_pages(self):
        self.assertEqual(len(self.search(PaginationConfig={"PageSize": 1})), 4)
        r = self.logs.filter_log_events(logGroupName=self.group, limit=3)
        self.assertEqual(len(r["events"]), 3)
        self.assertEqual(len({e["eventId"] for e in r["events"]}), 3)
        r = self.logs.filter_log_events(logGroupName=self.group, nextToken=r["nextToken"])
        self.assertEqual(len(r["events"]), 1)
        self.assertNotIn("nextToken", r)

    def test_a_large_and_dense_message(self):
        self.put(self.stream("dense"),
                 '{"k":"mine","dense":[%s]}' % ",".join("0" * 500000))
        self.assertEqual(len(self.search('{ $.k = "mine" }')), 1)

    def test_malformed_patterns(self):
        for bad in ("{ $.a", "{ a = 1 }", "[a, b", "{ $.a < x }", '"open', "{ $.a = 1 } x"):
            with self.assertRaises(ClientError) as e:
                self.search(bad)
            self.assertEqual(code(e), "InvalidParameterException", bad)


class PermissionTest(Base):
    def setUp(self):
        super().setUp()
        iam = client("iam")
        self.iam, self.user = iam, "logs-" + uuid.uuid4().hex[:8]
        iam.create_user(UserName=self.user)
        self.theirs = client("logs", iam.create_access_key(UserName=self.user)["AccessKey"])
        self.arn = self.logs.describe_log_groups(
            logGroupNamePrefix=self.group)["logGroups"][0]["arn"]
        self.stream()

    def allow(self, action, resource):
        self.iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": action, "Resource": resource}]}))

    def test_put_only(self):
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], self.arn)
        event = [{"timestamp": now_ms(), "message": "m"}]
        self.theirs.create_log_stream(logGroupName=self.group, logStreamName="mine")
        self.theirs.put_log_events(logGroupName=self.group, logStreamName="mine", logEvents=event)
        with self.assertRaises(ClientError) as e:
            self.theirs.get_log_events(logGroupName=self.group, logStreamName="mine")
        self.assertEqual(code(e), "AccessDeniedException")
        with self.assertRaises(ClientError) as e:
            self.theirs.put_log_events(logGroupName="/other", logStreamName="s", logEvents=event)
        self.assertEqual(code(e), "AccessDeniedException")

    def test_one_stream_only(self):
        self.allow("logs:PutLogEvents", self.arn[:-1] + "log-stream:s")
        event = [{"timestamp": now_ms(), "message": "m"}]
        self.theirs.put_log_events(logGroupName=self.group, logStreamName="s", logEvents=event)
        self.stream("t")
        with self.assertRaises(ClientError) as e:
            self.theirs.put_log_events(logGroupName=self.group, logStreamName="t", logEvents=event)
        self.assertEqual(code(e), "AccessDeniedException")


if __name__ == "__main__":
    unittest.main()

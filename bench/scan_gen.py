#!/usr/bin/env python3
"""Makes an archive of CloudTrail log files, the same for the same seed, with the sizes and shapes of
real ones; and rule sets of any size.

    scan_gen.py archive DIR FILES        about 8 records a file, gzip, 1.4 kB a record
    scan_gen.py rules DIR COUNT          COUNT rules, one JSON file
"""
import gzip
import json
import os
import random
import sys
import uuid

SERVICES = {
    "sts": ["AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity", "GetSessionToken"],
    "ec2": ["DescribeInstances", "DescribeVolumes", "DescribeSecurityGroups", "RunInstances",
            "DescribeSnapshots", "CreateTags", "DescribeRegions", "DescribeNetworkInterfaces"],
    "s3": ["GetObject", "PutObject", "ListBuckets", "GetBucketAcl", "HeadBucket", "GetBucketPolicy"],
    "kms": ["Decrypt", "GenerateDataKey", "Encrypt", "DescribeKey", "ListAliases"],
    "iam": ["GetUser", "ListRoles", "GetRole", "ListAttachedRolePolicies", "CreateAccessKey"],
    "logs": ["CreateLogStream", "DescribeLogGroups", "PutLogEvents"],
    "dynamodb": ["DescribeTable", "ListTables", "UpdateTable"],
    "lambda": ["ListFunctions20150331", "GetFunction20150331v2", "UpdateFunctionCode20150331v2"],
    "rds": ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots"],
    "cloudtrail": ["LookupEvents", "DescribeTrails", "GetTrailStatus"],
}
AGENTS = ["aws-sdk-go-v2/1.17.3 os/linux lang/go/1.19", "Boto3/1.26.10 Python/3.9.16 Linux/5.10",
          "aws-cli/2.9.1 Python/3.9.11 Linux/5.15 exe/x86_64", "console.amazonaws.com",
          "autoscaling.amazonaws.com", "[aws-sdk-java/1.12.400 Linux/4.14 OpenJDK/11.0.18]"]
REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"]


def record(r, account, region, t):
    service = r.choices(list(SERVICES), weights=[20, 25, 18, 15, 5, 6, 4, 3, 2, 2])[0]
    name = r.choice(SERVICES[service])
    role = f"role-{r.randrange(40)}"
    session = f"i-{r.getrandbits(64):016x}"
    rec = {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": r.choices(["AssumedRole", "IAMUser", "AWSService"], [80, 15, 5])[0],
            "principalId": f"AROA{r.getrandbits(80):020X}:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            "accountId": account, "accessKeyId": f"ASIA{r.getrandbits(64):016X}",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": f"AROA{r.getrandbits(80):020X}",
                                  "arn": f"arn:aws:iam::{account}:role/{role}",
                                  "accountId": account, "userName": role},
                "webIdFederationData": {},
                "attributes": {"creationDate": t, "mfaAuthenticated": "false"},
                "ec2RoleDelivery": "2.0"}},
        "eventTime": t, "eventSource": f"{service}.amazonaws.com", "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}",
        "userAgent": r.choice(AGENTS),
        "requestParameters": {
            "bucketName": f"data-{r.randrange(500)}", "key": f"in/{r.getrandbits(48):x}/part.json",
            "roleArn": f"arn:aws:iam::{account}:role/{role}", "maxResults": r.randrange(1000),
            "filterSet": {"items": [{"name": "vpc-id", "valueSet": {
                "items": [{"value": f"vpc-{r.getrandbits(32):08x}"}]}}]}},
        "responseElements": None if r.random() < 0.6 else {
            "credentials": {"accessKeyId": f"ASIA{r.getrandbits(64):016X}", "expiration": t,
                            "sessionToken": f"{r.getrandbits(640):0160x}"}},
        "requestID": str(uuid.UUID(int=r.getrandbits(128))),
        "eventID": str(uuid.UUID(int=r.getrandbits(128))),
        "readOnly": not name.startswith(("Run", "Create", "Put", "Update")),
        "resources": [{"accountId": account, "type": "AWS::S3::Bucket",
                       "ARN": f"arn:aws:s3:::data-{r.randrange(500)}"}],
        "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.2", "cipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
                       "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com"}}
    if r.random() < 0.02:
        rec["errorCode"] = "AccessDenied"
        rec["errorMessage"] = "User is not authorized to perform this"
    return rec


def archive(folder, files):
    r = random.Random(20240131)
    for i in range(files):
        day, minute = 1 + i // 288 % 28, i % 288 * 5
        region, account = r.choice(REGIONS), f"{111111111111 + r.randrange(4)}"
        path = os.path.join(folder, "AWSLogs", account, "CloudTrail", region, "2024", "01",
                            f"{day:02}")
        os.makedirs(path, exist_ok=True)
        t = f"2024-01-{day:02}T{minute // 60:02}:{minute % 60:02}:17Z"
        count = min(2000, int(r.lognormvariate(1.6, 1.0)) + 1)
        text = json.dumps({"Records": [record(r, account, region, t) for _ in range(count)]},
                          separators=(",", ":"))
        name = f"{account}_CloudTrail_{region}_202401{day:02}T{minute // 60:02}{minute % 60:02}Z_"
        with open(os.path.join(path, f"{name}{i:016d}.json.gz"), "wb") as f:
            f.write(gzip.compress(text.encode(), 6, mtime=0))


def rules(folder, count):
    """Of every four rules two are bound to an event, one to a literal anywhere, one to a service
    and a value; few of them ever match."""
    r = random.Random(7)
    names = [(s, n) for s, l in SERVICES.items() for n in l]
    out = []
    for i in range(count):
        if i % 4 == 0:
            s, n = r.choice(names)
            p = {"eventSource": [f"{s}.amazonaws.com"], "eventName": [n],
                 "requestParameters": {"bucketName": [f"other-{i}"]}}
        elif i % 4 == 1:
            p = {"eventSource": ["iam.amazonaws.com"], "eventName": [f"Rare{i}"]}
        elif i % 4 == 2:
            p = {"userAgent": [{"wildcard": f"*evil-tool-{i}*"}]}
        else:
            p = {"eventSource": [f"service{i % 300}.amazonaws.com"],
                 "requestParameters": {"name": [{"prefix": f"p-{i}"}]}}
        out.append({"id": f"bench.{i}", "severity": "low", "pattern": p})
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, f"rules-{count}.json"), "w", encoding="utf-8") as f:
        json.dump({"rules": out}, f)


if __name__ == "__main__":
    {"archive": archive, "rules": rules}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

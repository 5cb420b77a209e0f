#!/usr/bin/env python3
"""Makes an archive of CloudTrail log files, the same for the same seed, with the sizes and shapes of
real ones; and rule sets of any size.

    scan_gen.py archive DIR MB           MB million bytes, inflated, and the digests of it
    scan_gen.py rules DIR COUNT          COUNT rules in the four languages, a folder

What the archive was fitted to (real archives of several accounts): files of about eight records,
records of 1.2 to 1.5 kB, 5.5 times smaller in gzip, few agents and addresses a file, 1 record in 80
with escapes, 1 in 12 with an error, a few hundred kinds of calls.
"""
import gzip
import hashlib
import json
import os
import random
import sys
import uuid
from datetime import datetime, timedelta
from multiprocessing import Pool

# service: (weight, calls that are often made, calls that are seldom made)
SERVICES = {
    "sts": (14, ["AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity"],
            ["GetSessionToken", "AssumeRoleWithSAML", "GetFederationToken"]),
    "ec2": (26, ["DescribeInstances", "DescribeVolumes", "DescribeSecurityGroups", "DescribeTags",
                 "DescribeRouteTables", "DescribeNetworkInterfaces", "DescribeSubnets",
                 "DescribeVpcs", "DescribeImages", "DescribeRegions", "DescribeSnapshots",
                 "DescribeVpcAttribute", "DescribeNatGateways", "DescribeInstanceStatus"],
            ["RunInstances", "StopInstances", "TerminateInstances", "CreateTags", "CreateSnapshot",
             "ModifySnapshotAttribute", "AuthorizeSecurityGroupIngress", "CreateRoute",
             "RevokeSecurityGroupEgress", "CreateKeyPair", "GetPasswordData", "CreateVpc",
             "AttachVolume", "DeleteFlowLogs", "ModifyImageAttribute", "GetConsoleOutput"]),
    "s3": (12, ["GetBucketAcl", "ListBuckets", "GetBucketPolicy", "GetBucketLocation", "HeadBucket",
                "GetBucketEncryption", "GetBucketVersioning", "GetObject", "PutObject"],
           ["PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl", "PutBucketPublicAccessBlock",
            "DeleteBucket", "CreateBucket", "PutBucketLifecycle", "PutBucketReplication"]),
    "kms": (15, ["Decrypt", "GenerateDataKey", "DescribeKey", "Encrypt"],
            ["ListAliases", "CreateGrant", "DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy",
             "CreateKey", "ReEncrypt"]),
    "iam": (7, ["GetRole", "GetUser", "ListRoles", "ListAttachedRolePolicies", "ListUsers",
                "GetInstanceProfile", "ListRolePolicies"],
            ["CreateUser", "CreateAccessKey", "AttachUserPolicy", "PutRolePolicy", "DeleteRole",
             "CreateRole", "CreateLoginProfile", "DeactivateMFADevice", "UpdateAssumeRolePolicy",
             "CreatePolicyVersion", "AddUserToGroup", "DeleteUserPolicy"]),
    "ssm": (6, ["UpdateInstanceInformation", "DescribeParameters", "GetParameter", "ListAssociations"],
            ["PutParameter", "StartSession", "SendCommand", "DeleteParameter", "GetParametersByPath"]),
    "logs": (5, ["CreateLogStream", "DescribeLogGroups", "DescribeLogStreams"],
             ["DeleteLogGroup", "PutRetentionPolicy", "PutSubscriptionFilter"]),
    "secretsmanager": (4, ["GetSecretValue", "DescribeSecret", "ListSecrets"],
                       ["DeleteSecret", "PutSecretValue", "GetResourcePolicy", "UpdateSecret"]),
    "dynamodb": (3, ["DescribeTable", "ListTables"], ["CreateTable", "DeleteTable", "UpdateTable"]),
    "lambda": (3, ["ListFunctions20150331", "GetFunction20150331v2", "ListTags20170331"],
               ["UpdateFunctionCode20150331v2", "CreateFunction20150331", "AddPermission20150331v2"]),
    "rds": (3, ["DescribeDBInstances", "DescribeDBClusters", "DescribeDBSnapshots"],
            ["ModifyDBSnapshotAttribute", "DeleteDBInstance", "CreateDBSnapshot"]),
    "elasticloadbalancing": (3, ["DescribeTargetHealth", "DescribeLoadBalancers",
                                 "DescribeTargetGroups"], ["DeleteLoadBalancer", "ModifyListener"]),
    "monitoring": (2, ["DescribeAlarms", "GetMetricData"], ["DeleteAlarms", "DisableAlarmActions"]),
    "cloudtrail": (1, ["LookupEvents", "DescribeTrails", "GetTrailStatus"],
                   ["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"]),
    "config": (1, ["DescribeConfigRules", "PutEvaluations"], ["StopConfigurationRecorder"]),
    "guardduty": (1, ["ListDetectors", "GetFindings"], ["DeleteDetector", "UpdateDetector"]),
    "signin": (1, ["ConsoleLogin"], ["CheckMfa", "SwitchRole"]),
    "organizations": (1, ["DescribeOrganization", "ListAccounts"], ["LeaveOrganization"]),
}
AGENTS = [
    "APN/1.0 HashiCorp/1.0 Terraform/1.{0} (+https://www.terraform.io) terraform-provider-aws/4.{1}.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go/1.44.{2} (go1.19.{0}; "
    "linux; amd64) HashiCorp-terraform-exec/0.17.3",
    "Boto3/1.26.{1} Python/3.9.{0} Linux/5.10.1{2}-amzn2.x86_64 exec-env/AWS_Lambda_python3.9 "
    "Botocore/1.29.{1}",
    "aws-cli/2.{1}.{0} Python/3.11.{0} Linux/5.15.0-{2}-generic exe/x86_64.ubuntu.22 prompt/off "
    "command/ec2.describe-instances",
    "aws-sdk-go-v2/1.{1}.{0} os/linux lang/go/1.20.{0} md/GOOS/linux md/GOARCH/amd64 api/ssm/1.{2}.0",
    "[aws-sdk-java/1.12.{2} Linux/4.14.3{1} OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_3{2} "
    "vendor/Oracle_Corporation cfg/retry-mode/standard]",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/1{1}.0.0.0 Safari/537.36",
    "aws-internal/3 aws-sdk-java/1.12.{2} Linux/5.10.1{1} OpenJDK_64-Bit_Server_VM/17.0.{0}+9-LTS",
    "S3Console/0.4, aws-internal/3",
]
REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1"]
ACCOUNTS = ["111111111111", "222222222222", "333333333333", "444444444444"]
ERRORS = ["AccessDenied", "Client.UnauthorizedOperation", "ThrottlingException", "NoSuchBucketPolicy",
          "ResourceNotFoundException", "NoSuchEntityException", "Client.DryRunOperation"]
FILE_MEAN = 8.5  # records
RECORD_MEAN = 1310  # bytes
ROLES, USERS = 60, 25
KEYS = [uuid.UUID(int=random.Random(f"key{k}").getrandbits(128), version=4) for k in range(40)]


def ident(r, prefix, n):
    return prefix + "".join(r.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=n))


def hexid(r, prefix):
    return f"{prefix}-0{r.getrandbits(64):016x}"


class Actor:
    """Who makes the calls of a file: a role's session, a user, or a service."""

    def __init__(self, r, account, t):
        self.kind = r.choices(["AssumedRole", "IAMUser", "AWSService", "Root"], [64, 18, 17, 1])[0]
        self.account, self.created = account, t[:11] + f"0{r.randrange(10)}" + t[13:]
        n = r.randrange(ROLES)
        fixed = random.Random(f"{account}-{n}-{self.kind}")
        self.agent = fixed.choice(AGENTS).format(fixed.randrange(10), fixed.randrange(10, 60),
                                                 fixed.randrange(100, 600))
        self.ip = f"{fixed.choice([10, 54, 52, 3])}.{n}.{fixed.randrange(256)}.{r.randrange(4)}"
        self.principal = ident(fixed, "AROA" if self.kind == "AssumedRole" else "AIDA", 17)
        self.key = ident(r, "ASIA" if self.kind == "AssumedRole" else "AKIA", 16)
        self.name = f"{fixed.choice(['app', 'ci', 'etl', 'web', 'eks', 'batch'])}-service-role-{n}" \
            if self.kind == "AssumedRole" else f"user{n % USERS}@example.com"
        self.session = hexid(r, "i")
        self.service = r.choice(["autoscaling", "ecs", "ssm", "config", "secretsmanager"])

    def identity(self):
        if self.kind == "AWSService":
            return {"type": "AWSService", "invokedBy": f"{self.service}.amazonaws.com"}
        attributes = {"creationDate": self.created, "mfaAuthenticated": "false"}
        if self.kind == "Root":
            return {"type": "Root", "principalId": self.account,
                    "arn": f"arn:aws:iam::{self.account}:root", "accountId": self.account,
                    "accessKeyId": self.key, "sessionContext": {
                        "sessionIssuer": {}, "webIdFederationData": {}, "attributes": attributes}}
        if self.kind == "IAMUser":
            return {"type": "IAMUser", "principalId": self.principal,
                    "arn": f"arn:aws:iam::{self.account}:user/{self.name}",
                    "accountId": self.account, "accessKeyId": self.key, "userName": self.name}
        return {"type": "AssumedRole", "principalId": f"{self.principal}:{self.session}",
                "arn": f"arn:aws:sts::{self.account}:assumed-role/{self.name}/{self.session}",
                "accountId": self.account, "accessKeyId": self.key,
                "sessionContext": {
                    "sessionIssuer": {"type": "Role", "principalId": self.principal,
                                      "arn": f"arn:aws:iam::{self.account}:role/{self.name}",
                                      "accountId": self.account, "userName": self.name},
                    "webIdFederationData": {}, "attributes": attributes}}


def request(r, a, service, name, region):
    """requestParameters and resources."""
    if r.random() < 0.1:
        return None, None
    bucket = f"data-{r.randrange(200)}-{a.account}"
    if service == "s3":
        p = {"bucketName": bucket, "Host": f"{bucket}.s3.{region}.amazonaws.com"}
        if "Object" in name:
            p["key"] = f"exports/2024/{r.randrange(12):02}/part-{r.getrandbits(32):08x}.parquet"
        elif name == "PutBucketPolicy":
            p["bucketPolicy"] = json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{a.account}:root"},
                 "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}]})
        else:
            p[name[3:4].lower() + name[4:]] = ""
        return p, [{"accountId": a.account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}]
    if service == "kms":
        key = f"arn:aws:kms:{region}:{a.account}:key/{KEYS[r.randrange(len(KEYS))]}"
        return ({"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": key, "encryptionContext": {
            "PARAMETER_ARN": f"arn:aws:ssm:{region}:{a.account}:parameter/app/{r.randrange(99)}"}},
            [{"accountId": a.account, "type": "AWS::KMS::Key", "ARN": key}])
    if service == "sts":
        role = f"arn:aws:iam::{a.account}:role/app-service-role-{r.randrange(ROLES)}"
        return ({"roleArn": role, "roleSessionName": hexid(r, "i"), "durationSeconds": 3600},
                [{"accountId": a.account, "type": "AWS::IAM::Role", "ARN": role}])
    if service == "ec2":
        if r.random() < 0.4:
            return {"filterSet": {"items": [{"name": "vpc-id", "valueSet": {
                "items": [{"value": hexid(r, "vpc")}]}}]}, "maxResults": 1000}, None
        return {"instancesSet": {"items": [{"instanceId": hexid(r, "i")}
                                           for _ in range(r.choice([1, 1, 1, 2, 6]))]}}, None
    if service == "iam":
        p = {r.choice(["roleName", "userName"]): f"app-service-role-{r.randrange(ROLES)}"}
        if "Policy" in name:
            p["policyDocument"] = json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
                 "Resource": f"arn:aws:s3:::{bucket}/*"}]}, indent=1)
        return p, None
    if service == "ssm":
        return {"instanceId": hexid(r, "i"), "agentVersion": "3.2.1705.0", "agentStatus": "Active",
                "platformType": "Linux", "platformName": "Amazon Linux", "platformVersion": "2",
                "iPAddress": a.ip, "computerName": f"ip-{a.ip.replace('.', '-')}.ec2.internal",
                "agentName": "amazon-ssm-agent"}, None
    return {"name": f"app-{service}-{r.randrange(300)}", "limit": r.randrange(100)}, None


def response(r, a, service, name, t):
    if service == "sts" and name.startswith("Assume"):
        return {"credentials": {"accessKeyId": ident(r, "ASIA", 16), "expiration": t,
                                "sessionToken": ident(r, "IQoJb3JpZ2luX2Vj", 180)},
                "assumedRoleUser": {"assumedRoleId": f"{a.principal}:{a.session}",
                                    "arn": f"arn:aws:sts::{a.account}:assumed-role/{a.name}/x"}}
    if name.startswith(("Create", "Run", "Modify")):
        return {"requestId": str(uuid.UUID(int=r.getrandbits(128))), "_return": True}
    if name == "ConsoleLogin":
        return {"ConsoleLogin": "Success"}
    return None


def record(r, a, region, t):
    service = r.choices(list(SERVICES), [w for w, _, _ in SERVICES.values()])[0]
    _, often, seldom = SERVICES[service]
    name = r.choice(seldom if r.random() < 0.06 else often)
    params, resources = request(r, a, service, name, region)
    by_service = a.kind == "AWSService"
    host = f"{service}.{region}.amazonaws.com"
    rec = {"eventVersion": "1.08", "userIdentity": a.identity(), "eventTime": t,
           "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": region,
           "sourceIPAddress": f"{a.service}.amazonaws.com" if by_service else a.ip,
           "userAgent": f"{a.service}.amazonaws.com" if by_service else a.agent}
    if r.random() < 0.08:
        rec["errorCode"] = r.choice(ERRORS)
        rec["errorMessage"] = f"User: {a.name} is not authorized to perform: {service}:{name}"
    rec["requestParameters"] = params
    rec["responseElements"] = response(r, a, service, name, t)
    if service == "s3":
        rec["additionalEventData"] = {
            "SignatureVersion": "SigV4", "CipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
            "bytesTransferredIn": 0, "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": ident(r, "", 76), "bytesTransferredOut": r.randrange(1000)}
    rec["requestID"] = str(uuid.UUID(int=r.getrandbits(128)))
    rec["eventID"] = str(uuid.UUID(int=r.getrandbits(128)))
    rec["readOnly"] = name.startswith(("Get", "List", "Describe", "Head", "Lookup"))
    if resources is not None:
        rec["resources"] = resources
    rec["eventType"] = "AwsConsoleSignIn" if name == "ConsoleLogin" else "AwsApiCall"
    rec["managementEvent"] = True
    rec["recipientAccountId"] = a.account
    rec["eventCategory"] = "Management"
    if not by_service and r.random() < 0.85:
        rec["tlsDetails"] = {"tlsVersion": "TLSv1.2", "cipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
                             "clientProvidedHostHeader": host}
    return rec


def one_file(job):
    """Every account delivers a file from every region each five minutes."""
    folder, i = job
    r = random.Random(f"20240131-{i}")
    place, i = i % (len(ACCOUNTS) * len(REGIONS)), i // (len(ACCOUNTS) * len(REGIONS))
    account, region = ACCOUNTS[place // len(REGIONS)], REGIONS[place % len(REGIONS)]
    start = datetime(2024, 1, 1) + timedelta(minutes=5 * i)
    path = f"AWSLogs/{account}/CloudTrail/{region}/{start:%Y/%m/%d}"
    os.makedirs(os.path.join(folder, path), exist_ok=True)
    actors = [Actor(r, account, f"{start:%FT%TZ}") for _ in range(r.choice([1, 2, 2, 3]))]
    recs = []
    for _ in range(min(2000, int(r.lognormvariate(1.6, 1.0)) + 1)):
        t = start + timedelta(seconds=r.randrange(300))
        recs.append(record(r, r.choice(actors), region, f"{t:%FT%TZ}"))
    text = json.dumps({"Records": recs}, separators=(",", ":"), ensure_ascii=False).encode()
    end = "".join(r.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=16))
    name = f"{path}/{account}_CloudTrail_{region}_{start:%Y%m%dT%H%MZ}_{end}.json.gz"
    with open(os.path.join(folder, name), "wb") as f:
        f.write(gzip.compress(text, 6, mtime=0))
    return len(text), len(recs), (account, region, start, name, hashlib.sha256(text).hexdigest())


def archive(folder, megabytes):
    files = max(1, int(megabytes * 1e6 / (FILE_MEAN * RECORD_MEAN)))
    total, records, logs = 0, 0, {}
    with Pool() as pool:
        for n, count, (account, region, start, name, sha) in pool.imap(
                one_file, ((folder, i) for i in range(files)), 64):
            total, records = total + n, records + count
            hours = logs.setdefault((account, region), {})
            hours.setdefault(start.replace(minute=0), []).append((name, sha))
        digests = sum(pool.imap_unordered(chain, ((folder, *c) for c in logs.items())))
    with open(os.path.join(folder, "key.der"), "wb") as f:
        f.write(public_key())
    with open(os.path.join(folder, "about.json"), "w", encoding="utf-8") as f:
        json.dump({"files": files, "bytes": total, "records": records, "digests": digests}, f)
    print(f"{files} files, {total / 1e6:.0f} MB inflated, {records} records, {digests} digests")


# -- digests: RSA with the primes of a fixed seed, good for nothing else --
def is_prime(n):
    d, twos = n - 1, 0
    while d % 2 == 0:
        d, twos = d // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        x = pow(base, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def primes():
    r = random.Random("key")
    out = []
    while len(out) < 2:
        n = r.getrandbits(1024) | 3 << 1022 | 1
        if n % 65537 != 1 and all(n % k for k in (3, 5, 7, 11, 13)) and is_prime(n):
            out.append(n)
    return out


P, Q = primes()
D = pow(65537, -1, (P - 1) * (Q - 1))


def sign(text):
    """PKCS #1 v1.5 with SHA-256, by the remainders of both primes."""
    head = bytes.fromhex("3031300d060960864801650304020105000420")
    body = head + hashlib.sha256(text).digest()
    m = int.from_bytes(b"\0\1" + b"\xff" * (253 - len(body)) + b"\0" + body, "big")
    p, q = pow(m, D % (P - 1), P), pow(m, D % (Q - 1), Q)
    return (q + (p - q) * pow(Q, -1, P) % P * Q).to_bytes(256, "big").hex()


def der(tag, body):
    n = len(body)
    size = bytes([n]) if n < 128 else bytes([0x82]) + n.to_bytes(2, "big")
    return bytes([tag]) + size + body


def public_key():
    n = P * Q
    return der(0x30, der(2, b"\0" + n.to_bytes(256, "big")) + der(2, b"\1\0\1"))


def chain(job):
    """A digest for each hour of an account in a region."""
    folder, (account, region), hours = job
    fingerprint = hashlib.md5(public_key()).hexdigest()
    key = sha = signature = None
    for start, logs in hours.items():
        end = start + timedelta(hours=1)
        there = key is not None
        doc = {"awsAccountId": account, "digestStartTime": f"{start:%FT%TZ}",
               "digestEndTime": f"{end:%FT%TZ}", "digestS3Bucket": "bench",
               "digestS3Object": f"AWSLogs/{account}/CloudTrail-Digest/{region}/{end:%Y/%m/%d}/"
                                 f"{account}_CloudTrail-Digest_{region}_bench_us-east-1_"
                                 f"{end:%Y%m%dT%H%M%SZ}.json.gz",
               "digestPublicKeyFingerprint": fingerprint,
               "digestSignatureAlgorithm": "SHA256withRSA",
               "newestEventTime": None, "oldestEventTime": None,
               "previousDigestS3Bucket": "bench" if there else None, "previousDigestS3Object": key,
               "previousDigestHashValue": sha,
               "previousDigestHashAlgorithm": "SHA-256" if there else None,
               "previousDigestSignature": signature,
               "logFiles": [{"s3Bucket": "bench", "s3Object": name, "hashValue": hash_of_log,
                             "hashAlgorithm": "SHA-256", "newestEventTime": f"{end:%FT%TZ}",
                             "oldestEventTime": f"{start:%FT%TZ}"} for name, hash_of_log in logs]}
        text = json.dumps(doc).encode()
        key, sha = doc["digestS3Object"], hashlib.sha256(text).hexdigest()
        signature = sign(f"{end:%FT%TZ}\nbench/{key}\n{sha}\n{signature or 'null'}".encode())
        path = os.path.join(folder, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(gzip.compress(text, 6, mtime=0))
    with open(path + ".signature", "w", encoding="utf-8") as f:
        f.write(signature)
    return len(hours)


# -- rules --
def calls():
    return [(s, n) for s, (_, a, b) in SERVICES.items() for n in a + b]


def pattern_rule(r, i):
    s, n = r.choice(calls())
    kind = i % 8
    p = {"eventSource": [f"{s}.amazonaws.com"], "eventName": [n]}
    if kind == 0:
        p["requestParameters"] = {"bucketName": [f"restricted-{i}", f"restricted-{i}-logs"]}
    elif kind == 1:
        p["requestParameters"] = {"roleArn": [{"wildcard": f"arn:aws:iam::*:role/admin-{i}*"}]}
    elif kind == 2:
        p["requestParameters"] = {"name": [{"prefix": f"prod-{i}-"}]}
        p["errorCode"] = [{"exists": False}]
    elif kind == 3:
        p["eventName"] = [n, f"{n}{i}"]
        p["sourceIPAddress"] = [{"cidr": f"198.51.{i % 256}.0/24"}]
    elif kind == 4:
        p["userIdentity"] = {"type": ["Root"], "accountId": [f"{900000000000 + i}"]}
    elif kind == 5:  # bound to no call
        p = {"sourceIPAddress": [f"203.0.{i // 256 % 256}.{i % 256}", f"192.0.2.{i % 256}"]}
    elif kind == 6:
        p = {"eventSource": [f"{s}.amazonaws.com"],
             "requestParameters": {"instanceId": [f"i-0dead{i:012x}"]}}
    else:
        p["userIdentity"] = {"arn": [{"suffix": f"/contractor-{i}"}]}
    return {"id": f"bench.pattern.{i}", "severity": "low", "pattern": p}


def filter_rule(r, i):
    s, n = r.choice(calls())
    text = [
        f'{{ ($.eventSource = "{s}.amazonaws.com") && ($.eventName = "{n}") && '
        f'($.requestParameters.userName = "svc-{i}-*") }}',
        f'{{ ($.eventName = "{n}") && ($.errorCode = "Unexpected{i}*") }}',
        f'{{ $.userIdentity.userName = "canary-{i}" && $.eventType != "AwsServiceEvent" }}',
        f'{{ ($.eventName = "{n}") && ($.requestParameters.limit > {100 + i}) }}',
        f'{{ ($.eventName = {n}) && ($.additionalEventData.MFAUsed != "Yes") && '
        f'($.recipientAccountId = "{900000000000 + i}") }}',
    ][i % 5]
    return {"id": f"bench.filter.{i}", "severity": "low", "filter": text}


def keyword_rule(r, i):
    s, n = r.choice(calls())
    source, name = [
        (f"{s}.amazonaws.com", f"^{n}X{i}$"),
        (f"^({s}|service{i})\\.amazonaws\\.com$", f"(Delete|Put).*Custom{i}"),
        (f"service{i}.amazonaws.com", ".*"),
        (f"{s}", f"{n[:-1]}[0-9]{{1,4}}Ext{i}"),
    ][i % 4]
    return {"source": source, "regexp": name, "name": f"bench.keyword.{i}", "severity": "low"}


def sigma_rule(r, i):
    s, n = r.choice(calls())
    m = r.choice([x for _, _, b in SERVICES.values() for x in b])
    bound = f"    eventSource: {s}.amazonaws.com\n    eventName:\n      - {n}\n      - {m}\n"
    body, condition = [
        (f"  selection:\n{bound}    requestParameters.bucketName|startswith: finance-{i}\n",
         "selection"),
        (f"  selection:\n{bound}  filter:\n    userIdentity.arn|contains: ':role/app'\n"
         f"  other:\n    userIdentity.arn|contains: ':user/'\n  kind:\n    userIdentity.type:\n"
         f"      - AWSService\n      - Root\n  limit:\n"
         f"    requestParameters.tag{i % 50}: '{i}'\n",
         "selection and limit and not 1 of filter*"),
        (f"  selection:\n    userAgent|contains:\n      - evil-tool-{i}\n      - scanner/{i}.\n",
         "selection"),
        (f"  selection:\n    userIdentity.accessKeyId:\n      - AKIALEAKED{i:010d}\n"
         f"      - ASIALEAKED{i:010d}\n", "selection"),
        (f"  selection:\n    eventSource: {s}.amazonaws.com\n"
         f"    requestParameters.keyId|endswith: '{r.getrandbits(48):012x}'\n",
         "selection"),
        (f"  selection:\n{bound}    userIdentity.sessionContext.sessionIssuer.userName|re: "
         f"'^(break|glass)-{i}-[a-z]+$'\n", "selection"),
        (f"  selection:\n    eventName|startswith: Special{i}\n  agent:\n"
         f"    userAgent|contains|all:\n      - curl\n      - python\n", "selection and agent"),
        (f"  selection:\n    errorMessage|contains: 'canary resource {i}'\n"
         f"  network:\n    sourceIPAddress|cidr: 198.18.{i % 256}.0/24\n", "selection or network"),
    ][i % 8]
    if i % 400 == 10:  # words anywhere in the record
        body, condition = f"  keywords:\n    - 'xmrig-{i}'\n    - 'coinhive{i}'\n", "keywords"
    return (f"title: Bench rule {i}\nid: {uuid.UUID(int=i + (7 << 90))}\nstatus: test\n"
            f"description: One of many rules of an organisation\nlogsource:\n  product: aws\n"
            f"  service: cloudtrail\ndetection:\n{body}  condition: {condition}\nlevel: low\n")


# These match now and then, and are in every set.
COMMON = [
    {"id": "bench.root", "severity": "high", "pattern": {
        "userIdentity": {"type": ["Root"], "invokedBy": [{"exists": False}]},
        "eventType": [{"anything-but": "AwsServiceEvent"}], "eventName": [{"prefix": "Create"}]}},
    {"id": "bench.key-disabled", "severity": "high", "pattern": {
        "eventSource": ["kms.amazonaws.com"], "eventName": ["DisableKey", "ScheduleKeyDeletion"],
        "errorCode": [{"exists": False}]}},
    {"id": "bench.trail", "severity": "critical", "pattern": {
        "eventSource": ["cloudtrail.amazonaws.com"], "eventName": ["StopLogging", "DeleteTrail"]}},
    {"id": "bench.denied-decrypt", "severity": "low", "filter":
        '{ ($.errorCode = "*UnauthorizedOperation") && ($.eventName = "GetPasswordData") }'},
    {"id": "bench.policy", "severity": "medium", "filter":
        '{ ($.eventName = PutBucketPolicy) && ($.requestParameters.bucketPolicy = "*:root*") }'},
]


def rules(folder, count):
    r = random.Random(7)
    os.makedirs(folder, exist_ok=True)
    own, keywords, sigma = list(COMMON), [], []
    for i in range(count - len(COMMON)):
        # Of each 20: 7 patterns, 7 Sigma, 3 filters, 3 keywords.
        k = i % 20
        if k < 7:
            own.append(pattern_rule(r, i))
        elif k < 14:
            sigma.append(sigma_rule(r, i))
        elif k < 17:
            own.append(filter_rule(r, i))
        else:
            keywords.append(keyword_rule(r, i))
    with open(os.path.join(folder, "own.json"), "w", encoding="utf-8") as f:
        json.dump({"rules": own}, f)
    with open(os.path.join(folder, "keywords.json"), "w", encoding="utf-8") as f:
        json.dump(keywords, f)
    with open(os.path.join(folder, "sigma.yml"), "w", encoding="utf-8") as f:
        f.write("---\n".join(sigma))


if __name__ == "__main__":
    if sys.argv[1] == "archive":
        archive(sys.argv[2], float(sys.argv[3]))
    else:
        rules(sys.argv[2], int(sys.argv[3]))

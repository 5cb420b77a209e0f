#!/usr/bin/env python3
"""Copies the facts of a service's operations from a botocore model into src/svc/NAME/model.json.

    tools/import_model.py kms --ops Encrypt,Decrypt   choose operations (replaces the choice)
    tools/import_model.py kms --add ReEncrypt         add to the choice kept in model.json
    tools/import_model.py kms                         the same choice again, from a newer model
    tools/import_model.py kms --list                  the names of all operations
    tools/import_model.py kms --ops all --out FILE    everything, somewhere else (tests)

Only facts are taken: names, types, limits, bindings, errors. No documentation text. The output is
stable: shapes sorted, one a line, members in the model's order (it is the order on the wire).
"""
import argparse
import gzip
import json
import os
import sys

# The room's name where it differs from botocore's folder.
FOLDERS = {"monitoring": "cloudwatch"}

METADATA = ("apiVersion", "endpointPrefix", "serviceId", "signingName", "targetPrefix",
            "jsonVersion", "xmlNamespace", "awsQueryCompatible")
SHAPE_FACTS = ("type", "required", "min", "max", "pattern", "enum", "flattened", "union", "payload",
               "timestampFormat", "locationName", "xmlNamespace", "exception", "sensitive", "fault",
               "eventstream", "streaming", "document")
MEMBER_FACTS = ("shape", "location", "locationName", "queryName", "flattened", "streaming",
                "xmlAttribute", "xmlNamespace", "timestampFormat", "idempotencyToken", "hostLabel",
                "jsonvalue", "sensitive")
REF_FACTS = ("shape", "locationName")

# Shapes that AWS hides in its records though its model does not mark them: credentials.
SENSITIVE = {"sts": ("tokenType", "accessKeySecretType"), "iam": ("accessKeySecretType",)}

# The query form of SQS. Its current model describes JSON alone; clients from before November 2023
# send this. Facts of the 2012-11-05 query API: members' names, list elements' names, error codes.
SQS_MEMBERS = {
    "Attributes": "Attribute", "tags": "Tag", "Tags": "Tag",
    "MessageAttributes": "MessageAttribute", "MessageSystemAttributes": "MessageSystemAttribute",
    "StringListValues": "StringListValue", "BinaryListValues": "BinaryListValue",
}
SQS_ELEMENTS = {
    "AWSAccountIdList": "AWSAccountId", "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName", "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue", "StringList": "StringListValue",
    "MessageAttributeNameList": "MessageAttributeName", "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl", "TagKeyList": "TagKey",
}
SQS_ENTRY_LISTS = ("EntryList",)  # XxxEntryList: elements are called XxxEntry
SQS_MAPS = {
    "QueueAttributeMap": ("Name", "Value"), "MessageSystemAttributeMap": ("Name", "Value"),
    "MessageBodyAttributeMap": ("Name", "Value"),
    "MessageBodySystemAttributeMap": ("Name", "Value"), "TagMap": ("Key", "Value"),
}
SQS_ERRORS = {
    "QueueDoesNotExist": ("AWS.SimpleQueueService.NonExistentQueue", 400),
    "QueueDeletedRecently": ("AWS.SimpleQueueService.QueueDeletedRecently", 400),
    "QueueNameExists": ("QueueAlreadyExists", 400),
    "PurgeQueueInProgress": ("AWS.SimpleQueueService.PurgeQueueInProgress", 403),
    "UnsupportedOperation": ("AWS.SimpleQueueService.UnsupportedOperation", 400),
    "MessageNotInflight": ("AWS.SimpleQueueService.MessageNotInflight", 400),
    "TooManyEntriesInBatchRequest": ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400),
    "EmptyBatchRequest": ("AWS.SimpleQueueService.EmptyBatchRequest", 400),
    "BatchEntryIdsNotDistinct": ("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400),
    "BatchRequestTooLong": ("AWS.SimpleQueueService.BatchRequestTooLong", 400),
    "InvalidBatchEntryId": ("AWS.SimpleQueueService.InvalidBatchEntryId", 400),
    "OverLimit": ("OverLimit", 403),
    "KmsDisabled": ("KMS.DisabledException", 400),
    "KmsInvalidState": ("KMS.InvalidStateException", 400),
    "KmsNotFound": ("KMS.NotFoundException", 400),
    "KmsOptInRequired": ("KMS.OptInRequired", 403),
    "KmsThrottled": ("KMS.ThrottlingException", 400),
    "KmsAccessDenied": ("KMS.AccessDeniedException", 400),
    "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", 400),
    "RequestThrottled": ("RequestThrottled", 403),
    "ResourceNotFoundException": ("ResourceNotFoundException", 404),
}

# The names of the documents that S3 answers with, where the model has only its own shape's name.
# Clients that check the root element need them.
S3_ROOTS = {
    "CompleteMultipartUploadOutput": "CompleteMultipartUploadResult",
    "CreateMultipartUploadOutput": "InitiateMultipartUploadResult",
    "CreateSessionOutput": "CreateSessionResult",
    "DeleteObjectsOutput": "DeleteResult",
    "GetBucketAccelerateConfigurationOutput": "AccelerateConfiguration",
    "GetBucketAclOutput": "AccessControlPolicy",
    "GetBucketCorsOutput": "CORSConfiguration",
    "GetBucketLifecycleConfigurationOutput": "LifecycleConfiguration",
    "GetBucketLifecycleOutput": "LifecycleConfiguration",
    "GetBucketLoggingOutput": "BucketLoggingStatus",
    "GetBucketRequestPaymentOutput": "RequestPaymentConfiguration",
    "GetBucketTaggingOutput": "Tagging",
    "GetBucketVersioningOutput": "VersioningConfiguration",
    "GetBucketWebsiteOutput": "WebsiteConfiguration",
    "GetObjectAclOutput": "AccessControlPolicy",
    "GetObjectAttributesOutput": "GetObjectAttributesResponse",
    "GetObjectTaggingOutput": "Tagging",
    "ListBucketAnalyticsConfigurationsOutput": "ListBucketAnalyticsConfigurationResult",
    "ListBucketInventoryConfigurationsOutput": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurationsOutput": "ListMetricsConfigurationsResult",
    "ListBucketsOutput": "ListAllMyBucketsResult",
    "ListDirectoryBucketsOutput": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploadsOutput": "ListMultipartUploadsResult",
    "ListObjectVersionsOutput": "ListVersionsResult",
    "ListObjectsOutput": "ListBucketResult",
    "ListObjectsV2Output": "ListBucketResult",
    "ListPartsOutput": "ListPartsResult",
    "NotificationConfigurationDeprecated": "NotificationConfiguration",
}


def find_botocore():
    """The data folder of the installed botocore."""
    try:
        import botocore
    except ImportError:
        sys.exit("import_model: botocore is not installed here; name its data folder with "
                 "--botocore DIR, or install it (python3 -m pip install botocore).")
    return os.path.join(os.path.dirname(botocore.__file__), "data")


def load_service(data_dir, folder):
    """service-2.json of the newest API version, gzipped or plain."""
    base = os.path.join(data_dir, folder)
    if not os.path.isdir(base):
        sys.exit(f"import_model: {base} does not exist; check SERVICE and --botocore.")
    for version in sorted(os.listdir(base), reverse=True):
        path = os.path.join(base, version, "service-2.json")
        if os.path.exists(path + ".gz"):
            with gzip.open(path + ".gz", "rt", encoding="utf-8") as f:
                return json.load(f)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                return json.load(f)
    sys.exit(f"import_model: no service-2.json under {base}.")


def pick(source, names):
    return {n: source[n] for n in names if n in source and source[n] is not False}


def ref_facts(ref):
    return pick(ref, REF_FACTS)


def shape_facts(shape):
    facts = pick(shape, SHAPE_FACTS)
    if "xmlNamespace" in shape:
        facts["xmlNamespace"] = namespace(shape["xmlNamespace"])
    if "error" in shape:
        facts["error"] = pick(shape["error"], ("code", "httpStatusCode", "senderFault"))
    if "members" in shape:
        facts["members"] = {}
        for name, member in shape["members"].items():
            m = pick(member, MEMBER_FACTS)
            if "xmlNamespace" in member:
                m["xmlNamespace"] = namespace(member["xmlNamespace"])
            facts["members"][name] = m
    for part in ("member", "key", "value"):
        if part in shape:
            facts[part] = ref_facts(shape[part])
    return facts


def namespace(ns):
    return ns if isinstance(ns, str) else pick(ns, ("uri", "prefix"))


def operation_facts(op):
    facts = {"http": pick(op.get("http", {}), ("method", "requestUri", "responseCode"))}
    if "input" in op:
        facts["input"] = pick(op["input"], ("shape", "locationName"))
        if "xmlNamespace" in op["input"]:
            facts["input"]["xmlNamespace"] = namespace(op["input"]["xmlNamespace"])
    if "output" in op:
        facts["output"] = pick(op["output"], ("shape", "resultWrapper"))
    errors = [e["shape"] for e in op.get("errors", [])]
    if errors:
        facts["errors"] = errors
    if op.get("httpChecksum"):
        facts["httpChecksum"] = pick(op["httpChecksum"], (
            "requestAlgorithmMember", "requestChecksumRequired", "requestValidationModeMember",
            "responseAlgorithms"))
    facts.update(pick(op, ("httpChecksumRequired", "authtype", "unsignedPayload", "deprecated")))
    if "hostPrefix" in op.get("endpoint", {}):
        facts["hostPrefix"] = op["endpoint"]["hostPrefix"]
    return facts


def reach(shapes, names):
    """The names of all shapes that the given ones lead to, themselves included."""
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        shape = shapes[name]
        todo += [m["shape"] for m in shape.get("members", {}).values()]
        todo += [shape[p]["shape"] for p in ("member", "key", "value") if p in shape]
    return seen


def route_facts(model, op):
    """What tells a REST operation from the others: also of operations that are not imported, so
    that PUT /bucket?inventory is never taken for CreateBucket."""
    facts = pick(op["http"], ("method", "requestUri"))
    needs = []
    shape = model["shapes"][op["input"]["shape"]] if "input" in op else {}
    for name in shape.get("required", []):
        member = shape["members"][name]
        if member.get("location") in ("querystring", "header"):
            needs.append([member["location"], member.get("locationName", name)])
    if needs:
        facts["needs"] = needs
    if op.get("deprecated"):
        facts["deprecated"] = True
    return facts


def add_sqs_query(out):
    """Lays the query form of SQS over its JSON model."""
    out["metadata"]["protocols"] = ["json", "query"]
    out["metadata"]["xmlNamespace"] = "http://queue.amazonaws.com/doc/2012-11-05/"
    for name, op in out["operations"].items():
        if "output" in op:
            op["output"]["resultWrapper"] = name + "Result"
    for name, shape in out["shapes"].items():
        for member_name, member in shape.get("members", {}).items():
            if member_name in SQS_MEMBERS:
                member["queryName"] = SQS_MEMBERS[member_name]
        if name in SQS_ELEMENTS:
            shape["member"]["locationName"] = SQS_ELEMENTS[name]
        elif shape["type"] == "list" and name.endswith(SQS_ENTRY_LISTS):
            shape["member"]["locationName"] = name[:-len("List")]
        if name in SQS_MAPS:
            shape["key"]["locationName"], shape["value"]["locationName"] = SQS_MAPS[name]
        if name in SQS_ERRORS:
            code, status = SQS_ERRORS[name]
            shape["error"] = {"code": code, "httpStatusCode": status, "senderFault": True}


def import_service(model, room, chosen):
    """The content of model.json."""
    ops, shapes = model["operations"], model["shapes"]
    unknown = sorted(set(chosen) - set(ops))
    if unknown:
        sys.exit(f"import_model: {room} has no operation {', '.join(unknown)}; see --list.")
    metadata = pick(model["metadata"], METADATA)
    metadata["protocols"] = model["metadata"].get("protocols") or [model["metadata"]["protocol"]]
    out = {"room": room, "metadata": metadata, "all": sorted(ops),
           "operations": {n: operation_facts(ops[n]) for n in sorted(chosen)}}
    if any(p.startswith("rest-") for p in metadata["protocols"]):
        out["routes"] = {n: route_facts(model, ops[n]) for n in sorted(ops)}
    roots = []
    for op in out["operations"].values():
        roots += [op[k]["shape"] for k in ("input", "output") if k in op]
        roots += op.get("errors", [])
    out["shapes"] = {n: shape_facts(shapes[n]) for n in sorted(reach(shapes, roots))}
    for name in set(SENSITIVE.get(room, ())) & set(out["shapes"]):
        out["shapes"][name]["sensitive"] = True
    if room == "sqs":
        add_sqs_query(out)
    if room == "s3":
        for name in sorted(set(S3_ROOTS) & set(out["shapes"])):
            out["shapes"][name]["locationName"] = S3_ROOTS[name]
    return out


def compact(value):
    return json.dumps(value, separators=(", ", ": "), ensure_ascii=True)


def render(out):
    """One operation, one route, one shape a line."""
    parts = []
    for key, value in out.items():
        if key in ("operations", "routes", "shapes"):
            rows = ",\n".join(f"{json.dumps(n)}: {compact(v)}" for n, v in value.items())
            parts.append(f"{json.dumps(key)}: {{\n{rows}\n}}")
        elif key == "all":
            rows = ",\n".join(json.dumps(n) for n in value)
            parts.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {compact(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("service", help="the room: kms, s3, monitoring, ...")
    parser.add_argument("--botocore", metavar="DIR", help="botocore's data folder")
    parser.add_argument("--ops", help="comma-separated names, or 'all'; replaces the choice")
    parser.add_argument("--add", help="comma-separated names to add to the choice")
    parser.add_argument("--list", action="store_true", help="list the operations and stop")
    parser.add_argument("--out", help="the file to write (default: src/svc/SERVICE/model.json)")
    args = parser.parse_args()

    model = load_service(args.botocore or find_botocore(),
                         FOLDERS.get(args.service, args.service))
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = args.out or os.path.join(root, "src", "svc", args.service, "model.json")
    chosen = set()
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            chosen = set(json.load(f)["operations"])
    if args.list:
        for name in sorted(model["operations"]):
            print(("* " if name in chosen else "  ") + name)
        return
    if args.ops == "all":
        chosen = set(model["operations"])
    elif args.ops:
        chosen = set(args.ops.split(","))
    if args.add:
        chosen |= set(args.add.split(","))
    if not chosen:
        sys.exit("import_model: no operations chosen; name them with --ops A,B,...")
    text = render(import_service(model, args.service, chosen))
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"{path}: {len(chosen)} operations, {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()

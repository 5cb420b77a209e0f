// The SDK for JavaScript v3, unpatched, against a running Ward (its environment is set). Prints one
// line for each check and ends with 1 at the first that fails.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { IAMClient, CreateUserCommand, ListUsersCommand } from "@aws-sdk/client-iam";
import { KMSClient, CreateKeyCommand, EncryptCommand, DecryptCommand, DescribeKeyCommand }
  from "@aws-sdk/client-kms";
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand,
  ListObjectsV2Command, DeleteObjectsCommand, CreateMultipartUploadCommand, UploadPartCommand,
  CompleteMultipartUploadCommand } from "@aws-sdk/client-s3";
import { SQSClient, CreateQueueCommand, SendMessageCommand, ReceiveMessageCommand,
  DeleteMessageCommand } from "@aws-sdk/client-sqs";
import { STSClient, GetCallerIdentityCommand, AssumeRoleCommand } from "@aws-sdk/client-sts";

const tag = randomBytes(4).toString("hex");
const checks = {
  async sts() {
    const me = await new STSClient({}).send(new GetCallerIdentityCommand({}));
    assert.match(me.Account, /^\d{12}$/);
    await assert.rejects(
      new STSClient({}).send(new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::${me.Account}:role/none`, RoleSessionName: "x" })),
      { name: "AccessDenied" });
  },
  async iam() {
    const iam = new IAMClient({});
    await iam.send(new CreateUserCommand({ UserName: `js-${tag}`, Tags: [{ Key: "a", Value: "b" }] }));
    const { Users } = await iam.send(new ListUsersCommand({}));
    assert.ok(Users.some((u) => u.UserName === `js-${tag}` && u.CreateDate instanceof Date));
    await assert.rejects(iam.send(new CreateUserCommand({ UserName: `js-${tag}` })),
      { name: "EntityAlreadyExistsException" });
  },
  async kms() {
    const kms = new KMSClient({});
    const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: "js" }));
    const { CiphertextBlob } = await kms.send(new EncryptCommand({
      KeyId: KeyMetadata.KeyId, Plaintext: Buffer.from("grüße"), EncryptionContext: { a: "b" } }));
    const { Plaintext } = await kms.send(new DecryptCommand({
      CiphertextBlob, EncryptionContext: { a: "b" } }));
    assert.equal(Buffer.from(Plaintext).toString(), "grüße");
    await assert.rejects(kms.send(new DecryptCommand({ CiphertextBlob })),
      { name: "InvalidCiphertextException" });
    await assert.rejects(kms.send(new DescribeKeyCommand({ KeyId: "alias/none" })),
      { name: "NotFoundException" });
  },
  async s3() {
    const s3 = new S3Client({ forcePathStyle: true });
    const Bucket = `js-${tag}`;
    await s3.send(new CreateBucketCommand({ Bucket }));
    const body = randomBytes(300000);
    // Current SDKs send a CRC in an aws-chunked trailer when the body is a stream.
    await s3.send(new PutObjectCommand({ Bucket, Key: "a/ä b+c", Body: Readable.from([body]),
      ContentLength: body.length, Metadata: { who: "me" }, ContentType: "text/x" }));
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: "a/ä b+c" }));
    assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), body);
    assert.equal(got.Metadata.who, "me");
    const part = await s3.send(new GetObjectCommand({ Bucket, Key: "a/ä b+c", Range: "bytes=5-9" }));
    assert.deepEqual(Buffer.from(await part.Body.transformToByteArray()), body.subarray(5, 10));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "a/ä b+c" }));
    assert.equal(head.ContentLength, body.length);
    const list = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }));
    assert.deepEqual(list.CommonPrefixes.map((p) => p.Prefix), ["a/"]);
    await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "none" })), { name: "NoSuchKey" });
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "big" }));
    const pieces = [randomBytes(5 << 20), randomBytes(1000)];
    const Parts = [];
    for (const [i, Body] of pieces.entries()) {
      const r = await s3.send(new UploadPartCommand({ Bucket, Key: "big", UploadId,
        PartNumber: i + 1, Body }));
      Parts.push({ PartNumber: i + 1, ETag: r.ETag, ChecksumCRC32: r.ChecksumCRC32 });
    }
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: "big", UploadId,
      MultipartUpload: { Parts } }));
    const big = await s3.send(new GetObjectCommand({ Bucket, Key: "big" }));
    assert.deepEqual(Buffer.from(await big.Body.transformToByteArray()), Buffer.concat(pieces));
    const gone = await s3.send(new DeleteObjectsCommand({ Bucket,
      Delete: { Objects: [{ Key: "big" }, { Key: "a/ä b+c" }] } }));
    assert.equal(gone.Deleted.length, 2);
  },
  async sqs() {
    const sqs = new SQSClient({});
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: `js-${tag}` }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "hello",
      MessageAttributes: { n: { DataType: "Number", StringValue: "1" } } }));
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5,
      MessageAttributeNames: ["All"] }));
    assert.equal(Messages[0].Body, "hello");
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle }));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}

/* rest-xml (S3) and rest-json (Lambda):
 * https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
 */
#include "help.h"

#include "lambda_model.h"
#include "s3_model.h"

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define S3_NS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void routes(void **state)
{
    static const struct {
        const char *line, *header, *op;
    } cases[] = {
        {"GET /", NULL, "ListBuckets"},
        {"GET /b", NULL, "ListObjects"},
        {"GET /b/", NULL, "ListObjects"},
        {"GET /b?list-type=2&prefix=x", NULL, "ListObjectsV2"},
        {"GET /b?list-type=1", NULL, "ListObjects"},
        {"GET /b?prefix=list-type=2", NULL, "ListObjects"},
        {"GET /b?location", NULL, "GetBucketLocation"},
        {"GET /b?location=", NULL, "GetBucketLocation"},
        {"GET /b?acl", NULL, "GetBucketAcl"},
        {"GET /b/k?acl", NULL, "GetObjectAcl"},
        {"GET /b/k", NULL, "GetObject"},
        {"GET /b/k?x-id=GetObject", NULL, "GetObject"},
        {"GET /b/k?versionId=1&partNumber=2", NULL, "GetObject"},
        {"GET /b/k?uploadId=u", NULL, "ListParts"},
        {"GET /b/k?attributes", NULL, "GetObjectAttributes"},
        {"HEAD /b/k", NULL, "HeadObject"},
        {"PUT /b", NULL, "CreateBucket"},
        {"PUT /b?tagging", NULL, "PutBucketTagging"},
        {"PUT /b?lifecycle", NULL, "PutBucketLifecycleConfiguration"},
        {"PUT /b/k", NULL, "PutObject"},
        {"PUT /b/k?x-id=PutObject", NULL, "PutObject"},
        {"PUT /b/k", "x-amz-copy-source", "CopyObject"},
        {"PUT /b/k?partNumber=1&uploadId=u", NULL, "UploadPart"},
        {"PUT /b/k?partNumber=1&uploadId=u", "X-Amz-Copy-Source", "UploadPartCopy"},
        {"PUT /b/k?acl", "x-amz-copy-source", "PutObjectAcl"},
        {"DELETE /b/k", NULL, "DeleteObject"},
        {"DELETE /b/k?uploadId=u", NULL, "AbortMultipartUpload"},
        {"POST /b?delete", NULL, "DeleteObjects"},
        {"POST /b/k?uploadId=u", NULL, "CompleteMultipartUpload"},
        {"GET /b?analytics", NULL, "ListBucketAnalyticsConfigurations"},
        {"GET /b?analytics&id=1", NULL, "GetBucketAnalyticsConfiguration"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_request *r = request(*state, cases[i].line, "");
        if (cases[i].header != NULL)
            header(r, cases[i].header, "/x/y");
        const struct op_model *op = NULL;
        assert_null(route_rest(*state, &s3_model, &r->wire, r->wire.path, &op));
        assert_non_null(op);
        if (strcmp(op->name, cases[i].op) != 0)
            print_message("%s\n", cases[i].line);
        assert_string_equal(op->name, cases[i].op);
    }
}

/* A sub-resource that is not built must not be taken for its parent. */
static void routes_refuse(void **state)
{
    static const char *const unbuilt[] = {"PUT /b?inventory&id=1", "GET /b/k?torrent",
                                          "DELETE /b?policy",      "PUT /b/k?retention",
                                          "POST /b/k?uploads",     "DELETE /b"};
    for (size_t i = 0; i < ARRAY_LEN(unbuilt); i++) {
        struct test_request *r = request(*state, unbuilt[i], "");
        const struct op_model *op = NULL;
        struct err *e = route_rest(*state, &s3_model, &r->wire, r->wire.path, &op);
        assert_true(err_has_code(e, "NotImplemented"));
        assert_int_equal(err_http_status(e), 501);
        err_free(e);
    }
    static const char *const none[] = {"PATCH /b", "POST /", "DELETE /"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        struct test_request *r = request(*state, none[i], "");
        const struct op_model *op = &s3_model.ops[0];
        assert_null(route_rest(*state, &s3_model, &r->wire, r->wire.path, &op));
        assert_null(op);
    }
    struct test_request *r = request(*state, "GET /b/%zz", "");
    const struct op_model *op = NULL;
    struct err *e = route_rest(*state, &s3_model, &r->wire, r->wire.path, &op);
    assert_true(err_has_code(e, "InvalidURI"));
    err_free(e);
}

static void labels(void **state)
{
    static const struct {
        const char *line, *key;
    } cases[] = {
        {"GET /b/a/b%20c", "a/b c"}, {"GET /b/a/", "a/"},      {"GET /b//", "/"},
        {"GET /b//a", "/a"},         {"GET /b/a//b", "a//b"},  {"GET /b/a%2Fb", "a/b"},
        {"GET /b/a+b", "a+b"},       {"GET /b/../c", "../c"},  {"GET /b/%E4%B8%AD", "\xe4\xb8\xad"},
        {"GET /b/{Key+}", "{Key+}"}, {"GET /b/%3Facl", "?acl"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct s3_GetObjectRequest *in =
            decode(request(*state, cases[i].line, ""), &s3_model, "GetObject", PROTO_REST_XML);
        assert_str(in->Bucket, "b");
        assert_str(in->Key, cases[i].key);
    }
}

static void virtual_host(void **state)
{
    struct test_request *r = request(*state, "GET /k/1?versionId=v", "");
    const struct op_model *op;
    assert_null(route_rest(*state, &s3_model, &r->wire, STR("/bucket/k/1"), &op));
    void *out;
    assert_null(codec_decode(*state, &s3_model, op, PROTO_REST_XML, &r->wire, &out));
    struct s3_GetObjectRequest *in = out;
    assert_str(in->Bucket, "bucket");
    assert_str(in->Key, "k/1");
    assert_str(in->VersionId, "v");
}

static void request_bindings(void **state)
{
    struct test_request *r = request(*state, "PUT /b/k", "ignored: a stream");
    header(r, "Content-Type", "text/plain");
    header(r, "X-Amz-Meta-Case", "Value");
    header(r, "x-amz-meta-b", "");
    header(r, "Expires", "whenever");
    header(r, "x-amz-object-lock-retain-until-date", "2026-11-22T02:50:00.000Z");
    header(r, "x-amz-server-side-encryption-bucket-key-enabled", "true");
    header(r, "Content-Length", "17");
    struct s3_PutObjectRequest *in = decode(r, &s3_model, "PutObject", PROTO_REST_XML);
    assert_str(in->ContentType, "text/plain");
    assert_int_equal(in->Metadata.n, 2);
    assert_str(in->Metadata.v[0].key, "case");
    assert_str(in->Metadata.v[0].value, "Value");
    assert_str(in->Expires, "whenever");
    assert_int_equal(in->ObjectLockRetainUntilDate.v, 1795315800000);
    assert_true(in->BucketKeyEnabled.v);
    assert_int_equal(in->ContentLength.v, 17);
    assert_null(in->Body.p);
    r = header(request(*state, "GET /b/k?attributes", ""), "x-amz-object-attributes",
               "ETag, Checksum,ObjectSize");
    struct s3_GetObjectAttributesRequest *attrs =
        decode(r, &s3_model, "GetObjectAttributes", PROTO_REST_XML);
    assert_int_equal(attrs->ObjectAttributes.n, 3);
    assert_str(attrs->ObjectAttributes.v[1], "Checksum");
    /* httpdate, for a header that is a time without a format of its own */
    r = header(request(*state, "GET /b/k", ""), "If-Modified-Since",
               "Sun, 22 Nov 2026 02:50:00 GMT");
    struct s3_GetObjectRequest *get = decode(r, &s3_model, "GetObject", PROTO_REST_XML);
    assert_int_equal(get->IfModifiedSince.v, 1795315800000);
    r = request(*state, "GET /b?max-keys=ten", "");
    decode_fails(r, &s3_model, "ListObjects", PROTO_REST_XML, "InvalidArgument");
}

static void many_metadata(void **state)
{
    struct test_request *r = request(*state, "PUT /b/k", "");
    for (int i = 0; i < 120; i++)
        header(r, arena_fmt(*state, "x-amz-meta-k%d", i).p, "v");
    struct s3_PutObjectRequest *in = decode(r, &s3_model, "PutObject", PROTO_REST_XML);
    assert_int_equal(in->Metadata.n, 120);
    struct s3_GetObjectOutput out = {.ETag = STR("\"e\"")};
    out.Metadata.n = in->Metadata.n;
    out.Metadata.v = (struct s3_Metadata_item *)in->Metadata.v;
    struct wire_response *w = encode(*state, &s3_model, "GetObject", PROTO_REST_XML, &out);
    assert_str(response_header(w, "x-amz-meta-k119"), "v");
    assert_str(response_header(w, "ETag"), "\"e\"");
}

static void xml_bodies(void **state)
{
    struct test_request *r =
        request(*state, "POST /b?delete",
                "<Delete " S3_NS "><Object><Key>a &amp; b</Key></Object><Quiet>true</Quiet><Object>"
                "<Key> c\n</Key><VersionId>1</VersionId></Object><Unknown/></Delete>");
    struct s3_DeleteObjectsRequest *in = decode(r, &s3_model, "DeleteObjects", PROTO_REST_XML);
    assert_int_equal(in->Delete->Objects.n, 2);
    assert_str(in->Delete->Objects.v[0].Key, "a & b");
    assert_str(in->Delete->Objects.v[1].Key, " c\n");
    assert_true(in->Delete->Quiet.v);
    r = request(*state, "PUT /b?tagging",
                "<Tagging><TagSet><Tag><Key>k</Key><Value></Value></Tag></TagSet></Tagging>");
    struct s3_PutBucketTaggingRequest *tags =
        decode(r, &s3_model, "PutBucketTagging", PROTO_REST_XML);
    assert_int_equal(tags->Tagging->TagSet.n, 1);
    assert_non_null(tags->Tagging->TagSet.v[0].Value.p);
    r = request(*state, "PUT /b?acl",
                "<AccessControlPolicy><AccessControlList><Grant><Grantee "
                "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">"
                "<URI>u</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList>"
                "</AccessControlPolicy>");
    struct s3_PutBucketAclRequest *acl = decode(r, &s3_model, "PutBucketAcl", PROTO_REST_XML);
    assert_str(acl->AccessControlPolicy->Grants.v[0].Grantee->Type, "Group");
    assert_str(acl->AccessControlPolicy->Grants.v[0].Permission, "READ");
    struct s3_CreateBucketRequest *create =
        decode(request(*state, "PUT /b", ""), &s3_model, "CreateBucket", PROTO_REST_XML);
    assert_null(create->CreateBucketConfiguration);
    static const char *const bad[] = {"<Delete>", "text",
                                      "<Delete><Object><Key><x/></Key></Object></Delete>",
                                      "<Delete><Quiet>maybe</Quiet></Delete>", "<Other/>"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        decode_fails(request(*state, "POST /b?delete", bad[i]), &s3_model, "DeleteObjects",
                     PROTO_REST_XML, "MalformedXML");
}

static void policy_payload(void **state)
{
    struct s3_PutBucketPolicyRequest *in =
        decode(request(*state, "PUT /b?policy", "{\"Version\":1}"), &s3_model, "PutBucketPolicy",
               PROTO_REST_XML);
    assert_str(in->Policy, "{\"Version\":1}");
    struct s3_GetBucketPolicyOutput out = {.Policy = STR("{}")};
    assert_body(encode(*state, &s3_model, "GetBucketPolicy", PROTO_REST_XML, &out), "{}");
    decode_fails(request(*state, "PUT /b?policy", "\xff"), &s3_model, "PutBucketPolicy",
                 PROTO_REST_XML, "SerializationException");
}

static void xml_answers(void **state)
{
    struct s3_Object o = {
        .Key = STR("a<b"), .Size = some_int(5), .LastModified = some_int(1700000000000)};
    struct s3_CommonPrefix p = {.Prefix = STR("p/")};
    struct s3_ListObjectsV2Output out = {.Name = STR("b"),
                                         .KeyCount = some_int(2),
                                         .Contents = {1, &o, true},
                                         .CommonPrefixes = {1, &p, true}};
    struct wire_response *r = encode(*state, &s3_model, "ListObjectsV2", PROTO_REST_XML, &out);
    assert_body(r,
                XML_HEAD "<ListBucketResult " S3_NS "><Contents><Key>a&lt;b</Key><LastModified>"
                         "2023-11-14T22:13:20.000Z</LastModified><Size>5</Size></Contents><Name>"
                         "b</Name><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><KeyCount>2"
                         "</KeyCount></ListBucketResult>");
    assert_str(response_header(r, "Content-Type"), "application/xml");
    assert_str(response_header(r, "x-amz-request-id"), "req-1");
    assert_non_null(response_header(r, "x-amz-id-2").p);
    struct s3_GetBucketLocationOutput loc = {.LocationConstraint = STR("eu-west-1")};
    r = encode(*state, &s3_model, "GetBucketLocation", PROTO_REST_XML, &loc);
    assert_body(r, XML_HEAD "<LocationConstraint " S3_NS ">eu-west-1</LocationConstraint>");
    r = encode(*state, &s3_model, "GetBucketLocation", PROTO_REST_XML, NULL);
    assert_body(r, XML_HEAD "<LocationConstraint " S3_NS "></LocationConstraint>");
    struct s3_CopyObjectResult copied = {.ETag = STR("\"e\"")};
    struct s3_CopyObjectOutput copy = {.CopyObjectResult = &copied, .VersionId = STR("v")};
    r = encode(*state, &s3_model, "CopyObject", PROTO_REST_XML, &copy);
    assert_body(r, XML_HEAD "<CopyObjectResult " S3_NS "><ETag>&quot;e&quot;</ETag>"
                            "</CopyObjectResult>");
    assert_str(response_header(r, "x-amz-version-id"), "v");
    r = encode(*state, &s3_model, "DeleteObject", PROTO_REST_XML, NULL);
    assert_int_equal(r->status, 204);
    assert_body(r, "");
}

static void headers_cannot_be_split(void **state)
{
    struct s3_GetObjectOutput out = {.ContentDisposition = STR("a\r\nX-Evil: 1")};
    struct wire_response r = {.body = BUF_INIT(1000)};
    struct err *e = codec_encode(*state, &s3_model, op_of(&s3_model, "GetObject"), PROTO_REST_XML,
                                 &out, "req-1", &r);
    assert_true(err_has_code(e, "InvalidArgument"));
    err_free(e);
    buf_clear(&r.body);
}

static void s3_errors(void **state)
{
    struct wire_response *r = encode_error(*state, &s3_model, "GetObject", PROTO_REST_XML,
                                           err_aws(404, "NoSuchKey", "It is not there."));
    assert_int_equal(r->status, 404);
    assert_body(r, XML_HEAD "<Error><Code>NoSuchKey</Code><Message>It is not there.</Message>"
                            "<Resource>/b/k</Resource><RequestId>req-1</RequestId>"
                            "<HostId>cmVxLTE=</HostId></Error>");
    r = encode_error(*state, &s3_model, "HeadObject", PROTO_REST_XML,
                     err_aws(404, "NoSuchKey", "It is not there."));
    assert_int_equal(r->status, 404);
    assert_body(r, "");
    assert_null(response_header(r, "Content-Type").p);
    r = encode_error(*state, &s3_model, "GetObject", PROTO_REST_XML,
                     err_aws(304, "NotModified", "Not modified."));
    assert_body(r, "");
    r = encode_error(*state, &s3_model, "GetObject", PROTO_REST_XML, err_new(ERR_DENIED, "No."));
    assert_int_equal(r->status, 403);
    assert_true(str_find(buf_view(&r->body), STR("<Code>AccessDenied</Code>")) >= 0);
}

static void lambda_requests(void **state)
{
    struct test_request *r =
        request(*state, "POST /2015-03-31/functions/arn%3Aaws%3Alambda/invocations?Qualifier=v1",
                "\x01\x02 any bytes");
    header(r, "X-Amz-Invocation-Type", "Event");
    struct lambda_InvocationRequest *in = decode(r, &lambda_model, "Invoke", PROTO_REST_JSON);
    assert_str(in->FunctionName, "arn:aws:lambda");
    assert_str(in->Qualifier, "v1");
    assert_str(in->InvocationType, "Event");
    assert_str(in->Payload, "\x01\x02 any bytes");
    r = request(*state, "POST /2015-03-31/functions",
                "{\"FunctionName\":\"f\",\"Role\":\"r\",\"Code\":{\"ZipFile\":\"AAE=\"},"
                "\"Environment\":{\"Variables\":{\"A\":\"1\"}},\"Timeout\":3}");
    struct lambda_CreateFunctionRequest *create =
        decode(r, &lambda_model, "CreateFunction", PROTO_REST_JSON);
    assert_int_equal(create->Code->ZipFile.n, 2);
    assert_str(create->Environment->Variables.v[0].value, "1");
    assert_int_equal(create->Timeout.v, 3);
    decode(request(*state, "GET /2015-03-31/functions/?MaxItems=5", ""), &lambda_model,
           "ListFunctions", PROTO_REST_JSON);
    decode(request(*state, "GET /2015-03-31/functions?MaxItems=5", ""), &lambda_model,
           "ListFunctions", PROTO_REST_JSON);
    decode(request(*state, "GET /2015-03-31/functions/f", ""), &lambda_model, "GetFunction",
           PROTO_REST_JSON);
    decode_fails(request(*state, "POST /", "{\"Timeout\":\"x\"}"), &lambda_model, "CreateFunction",
                 PROTO_REST_JSON, "SerializationException");
}

static void lambda_answers(void **state)
{
    struct lambda_InvocationResponse out = {
        .StatusCode = some_int(202), .Payload = STR("{}"), .FunctionError = STR("Unhandled")};
    struct wire_response *r = encode(*state, &lambda_model, "Invoke", PROTO_REST_JSON, &out);
    assert_int_equal(r->status, 202);
    assert_body(r, "{}");
    assert_str(response_header(r, "X-Amz-Function-Error"), "Unhandled");
    r = encode(*state, &lambda_model, "ListFunctions", PROTO_REST_JSON, NULL);
    assert_body(r, "{}");
    assert_str(response_header(r, "Content-Type"), "application/json");
    r = encode_error(*state, &lambda_model, "GetFunction", PROTO_REST_JSON,
                     err_aws(404, "ResourceNotFoundException", "Function not found: f"));
    assert_int_equal(r->status, 404);
    assert_str(response_header(r, "X-Amzn-ErrorType"), "ResourceNotFoundException");
    assert_body(r, "{\"Type\":\"User\",\"Message\":\"Function not found: f\"}");
    r = encode_error(*state, &lambda_model, NULL, PROTO_REST_JSON, err_new(ERR_INTERNAL, "Oh."));
    assert_str(response_header(r, "X-Amzn-ErrorType"), "InternalFailure");
    assert_int_equal(r->status, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(routes),           TEST(routes_refuse),
        TEST(labels),           TEST(virtual_host),
        TEST(request_bindings), TEST(many_metadata),
        TEST(xml_bodies),       TEST(policy_payload),
        TEST(xml_answers),      TEST(headers_cannot_be_split),
        TEST(s3_errors),        TEST(lambda_requests),
        TEST(lambda_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

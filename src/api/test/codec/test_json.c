/* AWS JSON 1.0 and 1.1: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html */
#include "help.h"

#include "kms_model.h"
#include "sqs_model.h"

static void decodes_members(void **state)
{
    struct test_request *r = request(
        *state, "POST /",
        "{\"KeyId\":\"alias/a\",\"Plaintext\":\"aGVsbG8=\",\"EncryptionContext\":{\"k\":\"v\","
        "\"n\":null},\"GrantTokens\":[\"g1\",\"g2\"],\"DryRun\":true,\"Unknown\":[{}],"
        "\"EncryptionAlgorithm\":null}");
    struct kms_EncryptRequest *in = decode(r, &kms_model, "Encrypt", PROTO_JSON11);
    assert_str(in->KeyId, "alias/a");
    assert_str(in->Plaintext, "hello");
    assert_int_equal(in->EncryptionContext.n, 1); /* null says nothing */
    assert_str(in->EncryptionContext.v[0].key, "k");
    assert_str(in->EncryptionContext.v[0].value, "v");
    assert_int_equal(in->GrantTokens.n, 2);
    assert_str(in->GrantTokens.v[1], "g2");
    assert_true(in->DryRun.set && in->DryRun.v);
    assert_null(in->EncryptionAlgorithm.p);
}

/* What a policy looks at and what a handler works with must be the same entry. */
static void the_last_of_equal_keys_counts(void **state)
{
    struct kms_EncryptRequest *in = decode(
        request(*state, "POST /", "{\"KeyId\":\"first\",\"KeyId\":\"last\",\"EncryptionContext\":"
                                  "{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}}"),
        &kms_model, "Encrypt", PROTO_JSON11);
    assert_str(in->KeyId, "last");
    assert_int_equal(in->EncryptionContext.n, 2);
    assert_str(in->EncryptionContext.v[0].key, "b");
    assert_str(in->EncryptionContext.v[1].key, "a");
    assert_str(in->EncryptionContext.v[1].value, "3");
    struct buf b CLEANUP(buf_clear) = BUF_INIT(65536);
    buf_c(&b, "{\"EncryptionContext\":{\"k0\":\"x\"");
    for (int i = 0; i < 300; i++)
        buf_fmt(&b, ",\"k%d\":\"%d\"", i % 100, i);
    buf_c(&b, "}}");
    buf_char(&b, '\0');
    in = decode(request(*state, "POST /", b.p), &kms_model, "Encrypt", PROTO_JSON11);
    assert_int_equal(in->EncryptionContext.n, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_str(in->EncryptionContext.v[i].key, arena_fmt(*state, "k%zu", i).p);
        assert_str(in->EncryptionContext.v[i].value, arena_fmt(*state, "%zu", 200 + i).p);
    }
}

static void empty_body_is_empty_input(void **state)
{
    struct kms_ListAliasesRequest *in =
        decode(request(*state, "POST /", ""), &kms_model, "ListAliases", PROTO_JSON11);
    assert_null(in->KeyId.p);
    assert_false(in->Limit.set);
}

static void refuses_wrong_types(void **state)
{
    static const char *const bodies[] = {"[]",
                                         "\"x\"",
                                         "null",
                                         "{",
                                         "{\"KeyId\":1}",
                                         "{\"KeyId\":[]}",
                                         "{\"KeyId\":{}}",
                                         "{\"Plaintext\":\"not base64!\"}",
                                         "{\"Plaintext\":7}",
                                         "{\"EncryptionContext\":[]}",
                                         "{\"EncryptionContext\":{\"a\":1}}",
                                         "{\"GrantTokens\":\"g\"}",
                                         "{\"DryRun\":\"true\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        decode_fails(request(*state, "POST /", bodies[i]), &kms_model, "Encrypt", PROTO_JSON11,
                     "SerializationException");
}

static void integers_have_a_range(void **state)
{
    static const char *const good[] = {"1", "2147483647", "1000.0", "-2147483648"};
    static const char *const bad[] = {"2147483648", "-2147483649", "1.5", "1e300", "\"1\""};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct str body = arena_fmt(*state, "{\"Limit\":%s}", good[i]);
        struct kms_ListAliasesRequest *in =
            decode(request(*state, "POST /", body.p), &kms_model, "ListAliases", PROTO_JSON11);
        assert_true(in->Limit.set);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct str body = arena_fmt(*state, "{\"Limit\":%s}", bad[i]);
        decode_fails(request(*state, "POST /", body.p), &kms_model, "ListAliases", PROTO_JSON11,
                     "SerializationException");
    }
}

static void limits_lists(void **state)
{
    struct buf b = BUF_INIT(4 * 1024 * 1024);
    buf_c(&b, "{\"GrantTokens\":[\"\"");
    for (int i = 0; i < CODEC_ITEMS_MAX; i++)
        buf_c(&b, ",\"\"");
    buf_c(&b, "]}");
    buf_char(&b, '\0');
    decode_fails(request(*state, "POST /", b.p), &kms_model, "Encrypt", PROTO_JSON11,
                 "SerializationException");
    buf_clear(&b);
}

static void encodes(void **state)
{
    struct kms_AliasListEntry entry = {.AliasName = STR("alias/\"q\""),
                                       .CreationDate = some_int(1700000000123)};
    struct kms_ListAliasesResponse out = {.Aliases = {.n = 1, .v = &entry, .set = true},
                                          .Truncated = some_bool(false)};
    struct wire_response *r = encode(*state, &kms_model, "ListAliases", PROTO_JSON11, &out);
    assert_int_equal(r->status, 200);
    assert_body(r, "{\"Aliases\":[{\"AliasName\":\"alias/\\\"q\\\"\","
                   "\"CreationDate\":1700000000.123}],\"Truncated\":false}");
    assert_str(response_header(r, "Content-Type"), "application/x-amz-json-1.1");
    assert_str(response_header(r, "x-amzn-RequestId"), "req-1");
    assert_body(encode(*state, &kms_model, "ListAliases", PROTO_JSON11, NULL), "{}");
    assert_body(encode(*state, &kms_model, "EnableKey", PROTO_JSON11, NULL), "");
    struct kms_GenerateRandomResponse random = {.Plaintext = STR("\xff\x00\x01")};
    assert_body(encode(*state, &kms_model, "GenerateRandom", PROTO_JSON11, &random),
                "{\"Plaintext\":\"/wAB\"}");
}

static void errors(void **state)
{
    struct wire_response *r =
        encode_error(*state, &kms_model, "Encrypt", PROTO_JSON11,
                     err_aws(404, "NotFoundException", "Alias 'a' is not found."));
    assert_int_equal(r->status, 400); /* as KMS has it */
    assert_body(r, "{\"__type\":\"NotFoundException\",\"message\":\"Alias 'a' is not found.\"}");
    r = encode_error(*state, &kms_model, "Encrypt", PROTO_JSON11,
                     err_new(ERR_DENIED, "Not allowed."));
    assert_int_equal(r->status, 400);
    assert_body(r, "{\"__type\":\"AccessDeniedException\",\"message\":\"Not allowed.\"}");
    r = encode_error(*state, &kms_model, "Encrypt", PROTO_JSON11, err_new(ERR_IO, "Try again."));
    assert_int_equal(r->status, 500);
    r = encode_error(*state, NULL, NULL, PROTO_JSON11,
                     err_aws(400, "UnknownOperationException", "No."));
    assert_body(r, "{\"__type\":\"UnknownOperationException\",\"message\":\"No.\"}");
    assert_str(response_header(r, "x-amzn-RequestId"), "req-1");
}

/* https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#awsprotocols-awsquerycompatible-trait
 */
static void query_compatible_errors(void **state)
{
    struct wire_response *r =
        encode_error(*state, &sqs_model, "SendMessage", PROTO_JSON10,
                     err_aws(0, "QueueDoesNotExist", "The specified queue does not exist."));
    assert_int_equal(r->status, 400);
    assert_body(r, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\","
                   "\"message\":\"The specified queue does not exist.\"}");
    assert_str(response_header(r, "x-amzn-query-error"),
               "AWS.SimpleQueueService.NonExistentQueue;Sender");
    assert_str(response_header(r, "Content-Type"), "application/x-amz-json-1.0");
}

static void sqs_speaks_json_names(void **state)
{
    struct test_request *r = request(*state, "POST /",
                                     "{\"QueueName\":\"q\",\"Attributes\":{\"DelaySeconds\":\"5\"},"
                                     "\"tags\":{\"a\":\"b\"}}");
    struct sqs_CreateQueueRequest *in = decode(r, &sqs_model, "CreateQueue", PROTO_JSON10);
    assert_str(in->QueueName, "q");
    assert_str(in->Attributes.v[0].key, "DelaySeconds");
    assert_str(in->tags.v[0].value, "b");
}

static void records(void **state)
{
    struct kms_Tag tag = {.TagKey = STR("k"), .TagValue = STR("v")};
    struct kms_TagResourceRequest in = {.KeyId = STR("id"),
                                        .Tags = {.n = 1, .v = &tag, .set = true}};
    const struct shape *s = op_of(&kms_model, "TagResource")->input;
    struct buf b = BUF_INIT(1000);
    struct jw w = jw_to(&b);
    shape_record(&w, s, &in, "*");
    assert_str(buf_view(&b), "{\"keyId\":\"id\",\"tags\":[{\"tagKey\":\"k\",\"tagValue\":\"v\"}]}");
    buf_reset(&b);
    w = jw_to(&b);
    shape_record(&w, s, &in, "KeyId");
    assert_str(buf_view(&b), "{\"keyId\":\"id\"}");
    buf_reset(&b);
    w = jw_to(&b);
    shape_record(&w, s, &in, NULL);
    assert_str(buf_view(&b), "{}");
    buf_reset(&b);
    /* secrets and bytes stay out */
    struct kms_EncryptRequest secret = {.KeyId = STR("id"), .Plaintext = STR("phi")};
    w = jw_to(&b);
    shape_record(&w, op_of(&kms_model, "Encrypt")->input, &secret, "*");
    assert_str(buf_view(&b), "{\"keyId\":\"id\"}");
    buf_clear(&b);
    assert_str(shape_str_at(s, &in, "KeyId"), "id");
    assert_null(shape_str_at(s, &in, "Tags").p);
    assert_null(shape_str_at(s, &in, "KeyId.Nothing").p);
    assert_null(shape_str_at(s, &in, "Nothing").p);
}

static void internal_json(void **state)
{
    struct arena *a = *state;
    const struct shape *s = op_of(&kms_model, "CreateKey")->input;
    struct jv *j;
    void *out = NULL;
    assert_null(json_parse(a, STR("{\"Description\":5,\"MultiRegion\":\"TRUE\"}"), 10, &j));
    assert_null(shape_from_json(a, s, j, true, &out));
    struct kms_CreateKeyRequest *in = out;
    assert_str(in->Description, "5");
    assert_true(in->MultiRegion.v);
    assert_str(jv_text(a, shape_to_json(a, s, in)), "{\"Description\":\"5\",\"MultiRegion\":true}");
    struct err *e = shape_from_json(a, s, j, false, &out);
    assert_true(err_has_code(e, "SerializationException"));
    err_free(e);
    assert_null(json_parse(a, STR("{\"Descr\":\"x\"}"), 10, &j));
    e = shape_from_json(a, s, j, true, &out);
    assert_true(err_has_code(e, "ValidationException"));
    err_free(e);
}

static void tables(void **state)
{
    assert_string_equal(kms_model.target_prefix, "TrentService");
    assert_int_equal(kms_model.protocols[0], PROTO_JSON11);
    assert_int_equal(sqs_model.protocols[0], PROTO_JSON10);
    assert_int_equal(sqs_model.protocols[1], PROTO_QUERY);
    assert_null(model_op(&kms_model, STR("Sign"))); /* no facts, but known */
    assert_true(model_knows(&kms_model, STR("Sign")));
    assert_false(model_knows(&kms_model, STR("Signs")));
    for (uint32_t i = 0; i < s3_model.n_ops; i++)
        assert_ptr_equal(model_op(&s3_model, str_c(s3_model.ops[i].name)), &s3_model.ops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(decodes_members),
        TEST(the_last_of_equal_keys_counts),
        TEST(empty_body_is_empty_input),
        TEST(refuses_wrong_types),
        TEST(integers_have_a_range),
        TEST(limits_lists),
        TEST(encodes),
        TEST(errors),
        TEST(query_compatible_errors),
        TEST(sqs_speaks_json_names),
        TEST(records),
        TEST(internal_json),
        TEST(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

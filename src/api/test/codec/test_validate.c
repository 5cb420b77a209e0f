/* Constraints, in AWS's words; and the patterns' matcher. */
#include "help.h"

#include "api/pattern.h"

#include "iam_model.h"
#include "kms_model.h"
#include "lambda_model.h"

#define DETECTED_1 "1 validation error detected: "

static void expect(struct arena *a, const struct service_model *m, const char *op,
                   const void *value, const char *message)
{
    struct err *e = shape_validate(a, op_of(m, op)->input, value, "ValidationException");
    if (message == NULL) {
        if (e != NULL)
            print_message("%s\n", e->message);
        assert_null(e);
        return;
    }
    assert_non_null(e);
    if (strcmp(e->message, message) != 0)
        print_message("is:     %s\nwanted: %s\n", e->message, message);
    assert_string_equal(e->message, message);
    assert_string_equal(e->code, "ValidationException");
    assert_int_equal(e->status, 400);
    err_free(e);
}

static void required_and_length(void **state)
{
    struct kms_EncryptRequest in = {0};
    expect(*state, &kms_model, "Encrypt", &in,
           "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: "
           "Member must not be null; Value null at 'plaintext' failed to satisfy constraint: "
           "Member must not be null");
    in.KeyId = STR("");
    in.Plaintext = STR("x");
    expect(*state, &kms_model, "Encrypt", &in,
           DETECTED_1 "Value '' at 'keyId' failed to satisfy constraint: Member must have length "
                      "greater than or equal to 1");
    in.KeyId = STR("k");
    expect(*state, &kms_model, "Encrypt", &in, NULL);
    in.Plaintext = STR(""); /* sensitive: not repeated */
    expect(*state, &kms_model, "Encrypt", &in,
           DETECTED_1 "Value at 'plaintext' failed to satisfy constraint: Member must have length "
                      "greater than or equal to 1");
    in.Plaintext = STR("x");
    in.EncryptionAlgorithm = STR("ROT13");
    expect(*state, &kms_model, "Encrypt", &in,
           DETECTED_1 "Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: Member "
                      "must satisfy enum value set: [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, "
                      "RSAES_OAEP_SHA_256, SM2PKE]");
}

static void ranges(void **state)
{
    struct kms_ListAliasesRequest in = {.Limit = some_int(0)};
    expect(*state, &kms_model, "ListAliases", &in,
           DETECTED_1 "Value '0' at 'limit' failed to satisfy constraint: Member must have value "
                      "greater than or equal to 1");
    in.Limit = some_int(1001);
    expect(*state, &kms_model, "ListAliases", &in,
           DETECTED_1
           "Value '1001' at 'limit' failed to satisfy constraint: Member must have value "
           "less than or equal to 1000");
    in.Limit = some_int(1000);
    expect(*state, &kms_model, "ListAliases", &in, NULL);
}

static void nested_paths(void **state)
{
    struct kms_Tag tags[2] = {{.TagKey = STR("k"), .TagValue = STR("")}, {.TagKey = STR("")}};
    struct kms_TagResourceRequest in = {.KeyId = STR("k"), .Tags = {2, tags, true}};
    expect(*state, &kms_model, "TagResource", &in,
           "2 validation errors detected: Value '' at 'tags.2.member.tagKey' failed to satisfy "
           "constraint: Member must have length greater than or equal to 1; Value null at "
           "'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null");
}

static void simple_elements(void **state)
{
    struct str tokens[] = {STR("good"), STR("")};
    struct kms_EncryptRequest in = {
        .KeyId = STR("k"), .Plaintext = STR("p"), .GrantTokens = {2, tokens, true}};
    expect(*state, &kms_model, "Encrypt", &in,
           DETECTED_1 "Value '[good, ]' at 'grantTokens' failed to satisfy constraint: Member must "
                      "satisfy constraint: [Member must have length less than or equal to 8192, "
                      "Member must have length greater than or equal to 1]");
    tokens[1] = STR_NONE;
    expect(*state, &kms_model, "Encrypt", &in,
           DETECTED_1 "Value '[good, null]' at 'grantTokens' failed to satisfy constraint: Member "
                      "must not be null");
}

static void characters_not_bytes(void **state)
{
    struct kms_CreateKeyRequest in = {0};
    struct buf b = BUF_INIT(100000);
    for (int i = 0; i < 8192; i++)
        buf_c(&b, "\xe4\xb8\xad");
    in.Description = buf_view(&b);
    expect(*state, &kms_model, "CreateKey", &in, NULL);
    buf_c(&b, "\xe4\xb8\xad");
    in.Description = buf_view(&b);
    struct err *e = shape_validate(*state, op_of(&kms_model, "CreateKey")->input, &in, "V");
    assert_non_null(e);
    assert_true(str_utf8_valid(str_c(e->message))); /* clipped between characters */
    assert_true(strlen(e->message) < 400);
    assert_non_null(strstr(e->message, "...' at 'description' failed"));
    err_free(e);
    buf_clear(&b);
}

static void patterns_are_named(void **state)
{
    struct iam_CreateUserRequest in = {.UserName = STR("a b")};
    expect(*state, &iam_model, "CreateUser", &in,
           DETECTED_1 "Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy "
                      "regular expression pattern: [\\w+=,.@-]+");
}

static void reports_at_most_ten(void **state)
{
    struct kms_Tag tags[20] = {{.TagKey = STR_NONE}};
    struct kms_TagResourceRequest in = {.KeyId = STR("k"), .Tags = {20, tags, true}};
    struct err *e = shape_validate(*state, op_of(&kms_model, "TagResource")->input, &in, "V");
    assert_non_null(e);
    assert_non_null(strstr(e->message, "10 validation errors detected: "));
    err_free(e);
    assert_null(shape_validate(*state, NULL, NULL, "V"));
}

static void maps(void **state)
{
    struct lambda_EnvironmentVariables_item v = {.key = STR("1bad"), .value = STR("x")};
    struct lambda_Environment env = {.Variables = {1, &v, true}};
    struct lambda_FunctionCode code = {0};
    struct lambda_CreateFunctionRequest in = {.FunctionName = STR("f"),
                                              .Role = STR("arn:aws:iam::123456789012:role/r"),
                                              .Code = &code,
                                              .Environment = &env};
    struct err *e = shape_validate(*state, op_of(&lambda_model, "CreateFunction")->input, &in,
                                   "ValidationException");
    assert_non_null(e); /* and the values, being secrets, stay out of it */
    assert_string_equal(e->message,
                        DETECTED_1 "Value at 'environment.variables' failed to satisfy constraint: "
                                   "Map keys must satisfy constraint: [Member must satisfy regular "
                                   "expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]");
    err_free(e);
}

static const struct shape *shape_of(const struct service_model *m, const char *op,
                                    const char *member)
{
    const struct shape_member *found = shape_member(op_of(m, op)->input, str_c(member));
    assert_non_null(found);
    return found->shape;
}

static void matcher(void **state)
{
    const struct shape *arn = shape_of(&lambda_model, "CreateFunction", "Role");
    assert_true(pattern_match(arn->pattern_code, STR("arn:aws:iam::123456789012:role/a/b")));
    assert_true(pattern_match(arn->pattern_code, STR("arn:aws-cn:iam::123456789012:rolex")));
    assert_false(pattern_match(arn->pattern_code, STR("arn:aws:iam::12345678901:role/a")));
    assert_false(pattern_match(arn->pattern_code, STR("arn:aws:iam::123456789012:role")));
    assert_false(pattern_match(arn->pattern_code, STR("")));
    const struct shape *name = shape_of(&lambda_model, "Invoke", "FunctionName");
    assert_true(pattern_match(name->pattern_code, STR("f")));
    assert_true(pattern_match(name->pattern_code, STR("f:$LATEST")));
    assert_true(pattern_match(name->pattern_code,
                              STR("arn:aws:lambda:eu-west-1:123456789012:function:f:prod")));
    assert_false(pattern_match(name->pattern_code, STR("f:")));
    assert_false(pattern_match(name->pattern_code, STR("\xff")));
}

/* (a?){n}-like patterns are the ones that backtracking dies of. */
static void matcher_is_linear(void **state)
{
    const struct shape *name = shape_of(&lambda_model, "Invoke", "FunctionName");
    struct buf b = BUF_INIT(1024 * 1024);
    for (int i = 0; i < 100000; i++)
        buf_c(&b, "aa-");
    buf_char(&b, '!');
    assert_false(pattern_match(name->pattern_code, buf_view(&b)));
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(required_and_length),
        TEST(ranges),
        TEST(nested_paths),
        TEST(simple_elements),
        TEST(characters_not_bytes),
        TEST(patterns_are_named),
        TEST(maps),
        TEST(reports_at_most_ten),
        TEST(matcher),
        TEST(matcher_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

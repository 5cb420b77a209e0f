/* Where calls go. What they look like is checked from outside, by fakeaws.py. */
#include "aws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int clear_env(void **state)
{
    static const char *const names[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
                                        "AWS_ENDPOINT_URL_SNS", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("AWS_ACCESS_KEY_ID", "a", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "b", 1);
    setenv("AWS_REGION", "us-east-1", 1);
    return 0;
}

static void goes_to(const char *service, const char *region, const char *bucket, const char *host,
                    bool path_style)
{
    struct http_base base;
    bool in_path;
    assert_null(aws_endpoint(service, str_c(region), str_c(bucket), &base, &in_path));
    assert_string_equal(base.host, host);
    assert_int_equal(in_path, path_style);
}

static void test_aws_itself(void **state)
{
    goes_to("sns", "eu-west-1", NULL, "sns.eu-west-1.amazonaws.com", false);
    goes_to("s3", "eu-west-1", "logs", "logs.s3.eu-west-1.amazonaws.com", false);
    goes_to("s3", "us-east-1", "my.logs", "s3.us-east-1.amazonaws.com", true);
    goes_to("s3", "cn-north-1", "logs", "logs.s3.cn-north-1.amazonaws.com.cn", false);
    struct http_base base;
    bool in_path;
    assert_null(aws_endpoint("kms", STR("us-east-1"), STR_NONE, &base, &in_path));
    assert_true(base.tls && base.port == 443 && base.port_is_default);
}

static void test_configured(void **state)
{
    struct http_base base;
    bool in_path;
    setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:4566", 1);
    setenv("AWS_ENDPOINT_URL_SNS", "http://localhost:1234/", 1);
    goes_to("s3", "us-east-1", "logs", "127.0.0.1", true);
    assert_null(aws_endpoint("sns", STR("us-east-1"), STR_NONE, &base, &in_path));
    assert_true(!base.tls && base.port == 1234);
    setenv("AWS_ENDPOINT_URL", "127.0.0.1:4566", 1);
    struct err *e = aws_endpoint("s3", STR("us-east-1"), STR("logs"), &base, &in_path);
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
}

static void test_names_cannot_change_the_host(void **state)
{
    static const char *const buckets[] = {"", "a", "a/b", "evil.example/x", "a@b", "A-b", "a..b",
                                          ".ab", "-ab", "a:1", "abc?"};
    static const char *const regions[] = {"", "us-east-1.evil.example", "a/b", "US-EAST-1"};
    struct http_base base;
    bool in_path;
    for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
        struct err *e = aws_endpoint("s3", STR("us-east-1"), str_c(buckets[i]), &base, &in_path);
        assert_true(err_is(e, ERR_INVALID));
        err_free(e);
    }
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        struct err *e = aws_endpoint("s3", str_c(regions[i]), STR("logs"), &base, &in_path);
        assert_true(err_is(e, ERR_INVALID));
        err_free(e);
    }
}

static void test_arn_region(void **state)
{
    assert_true(str_is(aws_arn_region(STR("arn:aws:sns:eu-west-1:123456789012:t")), "eu-west-1"));
    assert_null(aws_arn_region(STR("arn:aws:iam::123456789012:role/x")).p);
    assert_null(aws_arn_region(STR("arn:aws:sns:eu-west-1")).p);
    assert_null(aws_arn_region(STR("eu-west-1")).p);
    assert_null(aws_arn_region(STR("")).p);
}

static void test_new(void **state)
{
    struct aws *a = NULL;
    assert_null(aws_new(&a));
    aws_begin(a, 5000);
    assert_true(aws_budget_left_ms(a) > 0 && aws_budget_left_ms(a) <= 5000);
    aws_begin(a, -1);
    assert_int_equal(aws_budget_left_ms(a), 0);
    struct err *e = sns_publish(a, STR("no arn"), STR_NONE, STR("text"));
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
    e = sns_publish(a, STR("arn:aws:sns:us-east-1:123456789012:t"), STR_NONE, STR(""));
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
    aws_free(a);
    unsetenv("AWS_SECRET_ACCESS_KEY");
    e = aws_new(&a);
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_aws_itself, clear_env),
        cmocka_unit_test_setup(test_configured, clear_env),
        cmocka_unit_test_setup(test_names_cannot_change_the_host, clear_env),
        cmocka_unit_test_setup(test_arn_region, clear_env),
        cmocka_unit_test_setup(test_new, clear_env),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The examples of AWS's documentation and of its published signing test suite: the inputs and the
 * signatures are facts of theirs. */
#include "sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct http_header vanilla_headers[] = {
    {STR("X-Amz-Date"), STR("20150830T123600Z")},
    {STR("Host"), STR("example.amazonaws.com")},
};

static struct sigv4_input vanilla(void)
{
    return (struct sigv4_input){
        .access_key = STR("AKIDEXAMPLE"),
        .secret_key = STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        .region = STR("us-east-1"), .service = STR("service"), .time = STR("20150830T123600Z"),
        .method = "GET", .path = STR("/"), .headers = vanilla_headers,
        .n_headers = ARRAY_LEN(vanilla_headers),
        .body_sha256 = STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    };
}

static void test_vanilla_stages(void **state)
{
    struct sigv4_input in = vanilla();
    CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
    sigv4_canonical_request(&in, &b);
    assert_true(str_is(buf_view(&b),
                       "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
                       "host;x-amz-date\n"
                       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    CLEANUP(buf_clear) struct buf s = BUF_INIT(4096);
    sigv4_string_to_sign(&in, buf_view(&b), &s);
    assert_true(str_is(buf_view(&s),
                       "AWS4-HMAC-SHA256\n20150830T123600Z\n"
                       "20150830/us-east-1/service/aws4_request\n"
                       "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"));
    CLEANUP(buf_clear) struct buf h = BUF_INIT(4096);
    assert_null(sigv4_authorization(&in, &h));
    assert_true(str_is(buf_view(&h),
                       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                       "aws4_request, SignedHeaders=host;x-amz-date, Signature="
                       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
}

static void test_s3_example(void **state)
{
    static const struct http_header headers[] = {
        {STR("Host"), STR("examplebucket.s3.amazonaws.com")},
        {STR("Range"), STR("bytes=0-9")},
        {STR("x-amz-content-sha256"),
         STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")},
        {STR("x-amz-date"), STR("20130524T000000Z")},
    };
    struct sigv4_input in = vanilla();
    in.access_key = STR("AKIAIOSFODNN7EXAMPLE");
    in.secret_key = STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    in.service = STR("s3");
    in.time = STR("20130524T000000Z");
    in.path = STR("/test.txt");
    in.headers = headers;
    in.n_headers = ARRAY_LEN(headers);
    CLEANUP(buf_clear) struct buf h = BUF_INIT(4096);
    assert_null(sigv4_authorization(&in, &h));
    assert_true(str_ends_c(
        buf_view(&h), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

static void test_path_encoding(void **state)
{
    struct sigv4_input in = vanilla();
    in.path = STR("/a%20b");
    CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
    sigv4_canonical_request(&in, &b);
    assert_true(str_starts_c(buf_view(&b), "GET\n/a%2520b\n"));
    buf_reset(&b);
    in.service = STR("s3");
    sigv4_canonical_request(&in, &b);
    assert_true(str_starts_c(buf_view(&b), "GET\n/a%20b\n"));
}

static void test_header_values(void **state)
{
    static const struct http_header headers[] = {
        {STR("B"), STR("  x   y ")}, {STR("AB"), STR("2")}, {STR("a"), STR("1")}};
    struct sigv4_input in = vanilla();
    in.headers = headers;
    in.n_headers = ARRAY_LEN(headers);
    CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
    sigv4_canonical_request(&in, &b);
    assert_true(str_find(buf_view(&b), STR("\na:1\nab:2\nb:x y\n\na;ab;b\n")) > 0);
}

static void test_refuses(void **state)
{
    struct sigv4_input in = vanilla();
    CLEANUP(buf_clear) struct buf h = BUF_INIT(4096);
    in.secret_key = STR("");
    struct err *e = sigv4_authorization(&in, &h);
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
    in = vanilla();
    in.time = STR("2015");
    e = sigv4_authorization(&in, &h);
    assert_true(err_is(e, ERR_INVALID));
    err_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vanilla_stages), cmocka_unit_test(test_s3_example),
        cmocka_unit_test(test_path_encoding),  cmocka_unit_test(test_header_values),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

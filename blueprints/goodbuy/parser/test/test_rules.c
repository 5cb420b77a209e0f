#include "core/clock.h"
#include "recent.h"
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SNS \
    "\"sns\":{\"region\":\"us-east-1\"," \
    "\"topicARN\":\"arn:aws:sns:us-east-1:123456789012:t\"}"

static struct rules *load(const char *text)
{
    struct rules *r = NULL;
    struct err *e = rules_load(str_c(text), &r);
    if (e != NULL)
        fail_msg("%s", e->message);
    return r;
}

static void test_forms(void **state)
{
    struct rules *r = load("{\"source\":\"iam\",\"regexp\":\"^Create\"," SNS "}");
    assert_int_equal(r->n, 1);
    assert_null(r->v[0].name.p);
    assert_int_equal(r->v[0].n_topics, 1);
    rules_free(r);
    r = load("\xEF\xBB\xBF [{\"source\":\"a\",\"regexp\":\"b\"," SNS "},"
             "{\"name\":\"two\",\"severity\":\"HIGH\",\"extra\":[1],\"source\":\"c\","
             "\"regexp\":\"d\",\"sns\":{\"topicARN\":\"arn:aws:sns:eu-west-1:123456789012:a\","
             "\"topicARNs\":[\"arn:aws:sns:eu-west-1:123456789012:a\","
             "\"arn:aws-cn:sns:cn-north-1:123456789012:b_-1\"]}}]");
    assert_int_equal(r->n, 2);
    assert_true(str_is(r->v[1].name, "two"));
    assert_true(str_is(r->v[1].severity, "HIGH"));
    assert_int_equal(r->v[1].n_topics, 2);
    rules_free(r);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"null", "neither an object nor a list"},
        {"[]", "the list is empty"},
        {"[1]", "entry 1: it is not an object"},
        {"{\"regexp\":\"b\"," SNS "}", "entry 1: source is missing"},
        {"{\"source\":\"b\"," SNS "}", "entry 1: regexp is missing"},
        {"{\"source\":1,\"regexp\":\"b\"," SNS "}", "entry 1: source is missing, or not a text"},
        {"[{\"source\":\"a\",\"regexp\":\"b\"," SNS "},{\"name\":\"N\",\"source\":\"(\","
         "\"regexp\":\"b\"," SNS "}]", "entry 2 (\"N\"): source cannot be used"},
        {"{\"source\":\"a\",\"regexp\":\"^(?!Describe)\"," SNS "}", "look-ahead"},
        {"{\"source\":\"a\",\"regexp\":\"(a)\\\\1\"," SNS "}", "regexp cannot be used"},
        {"{\"source\":\"a\",\"regexp\":\"b\"}", "sns is missing"},
        {"{\"source\":\"a\",\"regexp\":\"b\",\"sns\":{}}", "sns.topicARN is missing"},
        {"{\"source\":\"a\",\"regexp\":\"b\",\"sns\":{\"topicARNs\":\"x\"}}", "is not a list"},
        {"{\"source\":\"a\",\"regexp\":\"b\",\"sns\":{\"topicARN\":\"topic\"}}", "not the ARN"},
        {"{\"source\":\"a\",\"regexp\":\"b\",\"sns\":{\"topicARN\":"
         "\"arn:aws:sns:us-east-1:123456789012:t.fifo\"}}", "not the ARN of a standard topic"},
        {"{\"source\":\"a\",\"regexp\":\"b\",\"sns\":{\"topicARN\":"
         "\"arn:aws:sqs:us-east-1:123456789012:t\"}}", "not the ARN"},
        {"{\"source\":\"a\",\"regexp\":\"b\",\"sns\":{\"region\":\"eu-west-1\",\"topicARN\":"
         "\"arn:aws:sns:us-east-1:123456789012:t\"}}", "is not the region"},
        {"{\"name\":\"\",\"source\":\"a\",\"regexp\":\"b\"," SNS "}", "name is not a text"},
        {"{\"severity\":\"a\\nb\",\"source\":\"a\",\"regexp\":\"b\"," SNS "}",
         "control characters"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rules *r = NULL;
        struct err *e = rules_load(str_c(cases[i].text), &r);
        if (e == NULL)
            fail_msg("accepted: %s", cases[i].text);
        assert_true(err_has_code(e, "InvalidConfiguration"));
        if (strstr(e->message, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", e->message, cases[i].says);
        err_free(e);
    }
}

static bool search(const char *pattern, const char *text)
{
    char why[PATTERN_WHY_MAX];
    struct pattern *p = pattern_new(pattern, strlen(pattern), why);
    if (p == NULL)
        fail_msg("%s: %s", pattern, why);
    bool found = pattern_search(p, text, strlen(text));
    pattern_free(p);
    return found;
}

static void test_patterns(void **state)
{
    assert_true(search("iam|kms", "kms.amazonaws.com"));
    assert_true(search("amazon", "kms.amazonaws.com"));
    assert_false(search("create", "CreateUser"));
    assert_true(search("(?i)create", "CreateUser"));
    assert_true(search("User\\Z", "CreateUser"));
    assert_false(search("Create\\Z", "CreateUser"));
    assert_true(search("^.{,10}$", "CreateUser"));
    assert_false(search("^.{,9}$", "CreateUser"));
    assert_true(search("[]{,2}]", "]"));
    assert_true(search("[^]]", "a"));
    assert_true(search("^(?P<verb>Create|Delete)", "DeleteTrail"));
    assert_true(search("\\bUser\\b", "User"));
    assert_true(search("", ""));
    assert_false(search("x", ""));
}

/* What makes a backtracking engine take ages. */
static void test_linear(void **state)
{
    enum { SIZE = 50000 };
    char why[PATTERN_WHY_MAX];
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'a', SIZE);
    text[SIZE] = '!';
    struct pattern *p = pattern_new("^(a+)+$|^(a|aa)+$|^(.*a){20}$", 29, why);
    assert_non_null(p);
    int64_t start = clock_mono_ms();
    assert_false(pattern_search(p, text, SIZE + 1));
    assert_true(clock_mono_ms() - start < 5000);
    pattern_free(p);
    free(text);
    char *bomb = malloc(PATTERN_MAX + 2);
    assert_non_null(bomb);
    memset(bomb, 'a', PATTERN_MAX + 1);
    assert_null(pattern_new(bomb, PATTERN_MAX + 1, why));
    assert_null(pattern_new("((a{1000}){1000}){1000}", 23, why));
    free(bomb);
}

static void test_match(void **state)
{
    struct rules *r = load("{\"source\":\"iam\",\"regexp\":\"^(Create|Delete)\"," SNS "}");
    assert_true(rule_matches(r->v, STR("iam.amazonaws.com"), STR("CreateUser")));
    assert_false(rule_matches(r->v, STR("s3.amazonaws.com"), STR("CreateUser")));
    assert_false(rule_matches(r->v, STR("iam.amazonaws.com"), STR("GetUser")));
    assert_false(rule_matches(r->v, STR("IAM.amazonaws.com"), STR("CreateUser")));
    assert_false(rule_matches(r->v, STR_NONE, STR_NONE));
    rules_free(r);
}

static void test_recent(void **state)
{
    static struct recent r;
    struct recent_file *f = recent_get(&r, STR("b"), STR("k"), STR("1"), STR("e"));
    assert_false(f->complete);
    f->complete = true;
    assert_true(recent_get(&r, STR("b"), STR("k"), STR("1"), STR("e"))->complete);
    assert_false(recent_get(&r, STR("b"), STR("k"), STR("2"), STR("e"))->complete);
    assert_false(recent_get(&r, STR("bk"), STR(""), STR("1"), STR("e"))->complete);
    for (int i = 0; i < RECENT_MAX - 2; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        (void)recent_get(&r, STR("b"), str_c(key), STR("1"), STR("e"));
    }
    assert_false(recent_get(&r, STR("b"), STR("k"), STR("1"), STR("e"))->complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),  cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_linear),
        cmocka_unit_test(test_match),  cmocka_unit_test(test_recent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

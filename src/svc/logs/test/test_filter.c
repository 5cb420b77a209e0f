/* Filter patterns: what they accept and what they match. */
#include "svc/logs/filter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena, *scratch;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1024 * 1024);
    scratch = arena_new(1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    arena_free(scratch);
    return 0;
}

static bool match(const char *pattern, const char *message)
{
    struct filter *f;
    struct err *e = filter_compile(arena, str_c(pattern), &f);
    if (e != NULL)
        fail_msg("%s: %s", pattern, e->message);
    bool ok = filter_match(f, scratch, str_c(message));
    arena_reset(scratch);
    return ok;
}

struct row {
    const char *pattern, *message;
    bool want;
};

static void run(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (match(rows[i].pattern, rows[i].message) != rows[i].want)
            fail_msg("%s on %s: not %d", rows[i].pattern, rows[i].message, rows[i].want);
}

static void test_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "anything", true},
        {"ERROR", "an ERROR here", true},
        {"ERROR", "an error here", false},
        {"a b", "b then a", true},
        {"a b", "a alone", false},
        {"?x ?y", "has y", true},
        {"?x ?y", "has none", false},
        {"-x", "has x", false},
        {"-x", "none", true},
        {"a -x", "a and x", false},
        {"\"two words\"", "the two words", true},
        {"\"two words\"", "words two", false},
        {"\"say \\\"hi\\\"\"", "they say \"hi\"", true},
        {"?x a", "a only", true}, /* any-of terms do not count beside required ones */
    };
    run(rows, ARRAY_LEN(rows));
}

static void test_json(void **state)
{
    (void)state;
    static const char doc[] =
        "{\"a\":{\"b\":[1,2,{\"c\":\"x\"}]},\"s\":\"hello\",\"n\":4.5,\"t\":true,\"f\":false,"
        "\"z\":null,\"e-f\":\"dash\",\"g.h\":\"dot\",\"list\":[{\"k\":\"1\"},{\"k\":\"2\"}]}";
    static const struct row rows[] = {
        {"{ $.s = \"hello\" }", doc, true},
        {"{ $.s = hello }", doc, true},
        {"{ $.s = \"h*o\" }", doc, true},
        {"{ $.s = \"*\" }", doc, true},
        {"{ $.s = \"h?llo\" }", doc, false},
        {"{ $.s != \"hello\" }", doc, false},
        {"{ $.s != \"other\" }", doc, true},
        {"{ $.none != \"x\" }", doc, false},
        {"{ $.a != \"x\" }", doc, false},      /* an object */
        {"{ $.a.b != \"x\" }", doc, false},    /* an array */
        {"{ $.z != \"x\" }", doc, false},
        {"{ $.n = 4.5 }", doc, true},
        {"{ $.n > 4 && $.n < 5 }", doc, true},
        {"{ $.n >= 4.5 }", doc, true},
        {"{ $.n <= 4 }", doc, false},
        {"{ $.s > 1 }", doc, false},
        {"{ $.a.b[1] = 2 }", doc, true},
        {"{ $.a.b[2].c = \"x\" }", doc, true},
        {"{ $.a.b[9] = 2 }", doc, false},
        {"{ $.a.b[*] = 2 }", doc, true},
        {"{ $.list[*].k = \"2\" }", doc, true},
        {"{ $.list[*].k = \"3\" }", doc, false},
        {"{ $.t IS TRUE }", doc, true},
        {"{ $.f IS FALSE }", doc, true},
        {"{ $.t IS FALSE }", doc, false},
        {"{ $.z IS NULL }", doc, true},
        {"{ $.none IS NULL }", doc, false},
        {"{ $.none NOT EXISTS }", doc, true},
        {"{ $.a NOT EXISTS }", doc, false},
        {"{ $.a EXISTS }", doc, true},
        {"{ $.e-f = dash }", doc, true},
        {"{ $['g.h'] = dot }", doc, true},
        {"{ $.[\"g.h\"] = dot }", doc, true},
        {"{ ($.s = x || $.n = 4.5) && $.t IS TRUE }", doc, true},
        {"{ $.s = x || $.n = 4.5 && $.t IS FALSE }", doc, false}, /* && binds closer */
        {"{ $.s = \"hello\" }", "no json", false},
        {"{ $.s = \"hello\" }", "[1]", false},
        {"{ $.s = \"hello\" }", "{\"s\":", false},
        {"{($.s=hello)}", doc, true},
        /* one of the fifteen alarms */
        {"{ ($.errorCode = \"*UnauthorizedOperation\") || ($.errorCode = \"AccessDenied*\") }",
         "{\"errorCode\":\"AccessDeniedException\"}", true},
        {"{ $.userIdentity.type = \"Root\" && $.userIdentity.invokedBy NOT EXISTS && "
         "$.eventType != \"AwsServiceEvent\" }",
         "{\"userIdentity\":{\"type\":\"Root\"},\"eventType\":\"AwsApiCall\"}", true},
    };
    run(rows, ARRAY_LEN(rows));
}

static void test_space(void **state)
{
    (void)state;
    static const char line[] = "10.0.0.1 - bob [10/Oct/2000:13:25:15 -0700] \"GET /a b\" 404 1534";
    static const struct row rows[] = {
        {"[ip, dash, user, time, request, status, bytes]", line, true},
        {"[ip, dash, user, time, request, status]", line, false},
        {"[ip, ..., status, bytes]", line, true},
        {"[..., status = 4*, bytes]", line, true},
        {"[..., status = 5*, bytes]", line, false},
        {"[..., status = 404, bytes > 1000]", line, true},
        {"[..., status != 404, bytes]", line, false},
        {"[..., bytes > 2000]", line, false},
        {"[ip = 10.*, ...]", line, true},
        {"[..., request = \"GET *\", status, bytes]", line, true},
        {"[..., status = 4* && status != 403, bytes]", line, true},
        {"[..., (status = 500 || status = 404), bytes]", line, true},
        {"[a, b]", "one two", true},
        {"[a, b, ...]", "one", false},
        {"[...]", "", true},
        {"[a]", "", false},
    };
    run(rows, ARRAY_LEN(rows));
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{", "{}", "{ $ = 1 }", "{ $.a }", "{ $.a = }", "{ $.a == 1 }", "{ $.a < x }",
        "{ $.a = 1", "{ $.a = 1 } x", "{ a = 1 }", "{ $.a[x] = 1 }", "{ $.a[-1] = 1 }",
        "{ $.a[1 = 1 }", "{ ($.a = 1 }", "{ $.a IS }", "{ $.a IS 1 }", "{ $.a NOT }",
        "{ $.a = \"x }", "{ $.a = 1 && }", "{ $.a = 1 | $.b = 2 }", "[", "[a", "[a,,]x", "[a] x",
        "[..., a, ...]", "[a = 1 && b = 2]", "[a > x]", "\"open", "?", "-", "\"\"", "[= 1]",
        "{((((((((((((((((((((((((((((((((((($.a = 1)))))))))))))))))))))))))))))))))))}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct filter *f;
        struct err *e = filter_compile(arena, str_c(bad[i]), &f);
        if (e == NULL)
            fail_msg("accepted: %s", bad[i]);
        assert_string_equal(e->code, "InvalidParameterException");
        err_free(e);
    }
}

static void test_limits(void **state)
{
    (void)state;
    char text[2048];
    struct filter *f;
    memset(text, 'a', sizeof text);
    struct err *e = filter_compile(arena, str_of(text, FILTER_TEXT_MAX + 1), &f);
    assert_non_null(e);
    err_free(e);
    assert_null(filter_compile(arena, str_of(text, FILTER_TEXT_MAX), &f));
    static const char *const regexes[] = {"%x%", "{ $.a = %x% }"};
    for (size_t i = 0; i < ARRAY_LEN(regexes); i++) {
        e = filter_compile(arena, str_c(regexes[i]), &f);
        assert_non_null(e);
        assert_string_equal(e->code, "NotImplemented");
        err_free(e);
    }
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "a ", 2); /* more words than a line may have */
    assert_null(filter_compile(arena, STR("[a, ...]"), &f));
    assert_false(filter_match(f, scratch, str_of(text, sizeof text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_json), cmocka_unit_test(test_space),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

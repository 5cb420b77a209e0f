#include "jtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static enum err_kind check(const char *text, int depth)
{
    struct err *e = jtext_check(str_c(text), depth);
    enum err_kind kind = e == NULL ? 0 : e->kind;
    err_free(e);
    return kind;
}

static void test_check_accepts(void **state)
{
    static const char *const good[] = {
        "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "-1.5e+10", "1E2", "\"\"",
        "\"\\u00e9\\n\\\\\\\"\"", "{\"a\":1}", "{ \"a\" : [ 1 , {} , [] ] , \"b\" : null }\n",
        "[[[[1]]]]", "\"\\ud800\"", "[1,2]", "{\"\":{\"\":[]}}", "\"\xC3\xA9\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(check(good[i], JTEXT_DEPTH_MAX), 0);
}

static void test_check_refuses(void **state)
{
    static const char *const bad[] = {
        "", " ", "{", "}", "[", "]", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
        "01", "1.", ".5", "-", "1e", "1e+", "+1", "tru", "nul", "nullx", "\"", "\"\\x\"",
        "\"\\u12g4\"", "\"\\u12", "\"\n\"", "[1 2]", "{\"a\":1 \"b\":2}", "[1}", "{\"a\":1]",
        "1 2", "{}{}", "\"\xFF\"", "\"\xC3\"", "[,1]", "'a'", "{\"a\":1,\"b\"}", "NaN", "\"\\",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (check(bad[i], JTEXT_DEPTH_MAX) != ERR_INVALID)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_check_depth(void **state)
{
    assert_int_equal(check("[[[]]]", 3), 0);
    assert_int_equal(check("[[[[]]]]", 3), ERR_LIMIT);
    assert_int_equal(check("{\"a\":[{\"b\":1}]}", 3), 0);
    assert_int_equal(check("{\"a\":[{\"b\":{}}]}", 3), ERR_LIMIT);
    char deep[2 * JTEXT_DEPTH_MAX + 1] = "";
    memset(deep, '[', JTEXT_DEPTH_MAX);
    memset(deep + JTEXT_DEPTH_MAX, ']', JTEXT_DEPTH_MAX);
    assert_int_equal(check(deep, JTEXT_DEPTH_MAX), 0);
}

static void test_get(void **state)
{
    struct arena *a = arena_new(65536);
    struct str doc = STR(" {\"a\" : 1, \"b\\u0063\":\"x\\ty\", "
                         "\"n\":{\"k\":[true,\"}\\\"]\", {} ]}, "
                         "\"a\":2, \"e\":\"\", \"p\":\"\\ud83d\\ude00\\udc00\"}");
    doc = str_trim(doc);
    assert_null(jtext_check(doc, JTEXT_DEPTH_MAX));
    assert_true(str_is(jtext_get(doc, "a"), "1"));
    assert_true(str_is(jtext_get_str(a, doc, "bc"), "x\ty"));
    assert_null(jtext_get(doc, "missing").p);
    assert_null(jtext_get(jtext_get(doc, "a"), "x").p);
    assert_null(jtext_get_str(a, doc, "a").p);
    assert_non_null(jtext_get_str(a, doc, "e").p);
    assert_int_equal(jtext_get_str(a, doc, "e").n, 0);
    assert_true(str_is(jtext_get_str(a, doc, "p"), "\xF0\x9F\x98\x80\xEF\xBF\xBD"));
    struct str k = jtext_get(jtext_get(doc, "n"), "k");
    assert_int_equal(jtext_type(k), JT_ARRAY);
    struct jtext_iter it = jtext_iter(k);
    struct str key, value;
    assert_true(jtext_next(&it, &key, &value) && str_is(value, "true") && key.p == NULL);
    assert_true(jtext_next(&it, &key, &value) && str_is(jtext_str(a, value), "}\"]"));
    assert_true(jtext_next(&it, &key, &value) && str_is(value, "{}"));
    assert_false(jtext_next(&it, &key, &value));
    assert_false(jtext_next(&it, &key, &value));
    arena_free(a);
}

static void test_is(void **state)
{
    assert_true(jtext_is(STR("\"abc\""), "abc"));
    assert_true(jtext_is(STR("\"a\\u0062c\""), "abc"));
    assert_false(jtext_is(STR("\"abcd\""), "abc"));
    assert_false(jtext_is(STR("\"ab\""), "abc"));
    assert_false(jtext_is(STR("abc"), "abc"));
    assert_true(jtext_is(STR("\"\""), ""));
}

static void test_write(void **state)
{
    CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
    jtext_quote(&b, STR("a\"\\\n\x01\xC3\xA9\xFF\x7F"));
    assert_true(str_is(buf_view(&b), "\"a\\\"\\\\\\u000a\\u0001\xC3\xA9\xEF\xBF\xBD\\u007f\""));
    buf_reset(&b);
    jtext_compact(&b, STR("{ \"a b\" :\n [ 1 , \"x \\\" y\" ] }"));
    assert_true(str_is(buf_view(&b), "{\"a b\":[1,\"x \\\" y\"]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_accepts), cmocka_unit_test(test_check_refuses),
        cmocka_unit_test(test_check_depth),   cmocka_unit_test(test_get),
        cmocka_unit_test(test_is),            cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

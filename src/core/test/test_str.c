#include "test.h"

static void comparisons(void **state)
{
    assert_true(str_eq(STR("ab"), STR("ab")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_false(str_eq(STR("ab"), STR("aB")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_is(STR("x"), "x"));
    assert_true(str_ieq(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_ieq(STR("ab"), STR("ac")));
    assert_false(str_ieq(STR("a\0b"), STR("a\0c"))); /* a NUL does not end the comparison */
    assert_false(str_ieq(STR("[@"), STR("{`")));     /* only letters have a case */
    assert_false(str_ieq(STR("\xc3\xa9"), STR("\xc3\x89")));
    assert_true(str_is_i(STR("GET"), "get"));
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("b"), STR("ab")) > 0);
    assert_true(str_cmp(STR("\x80"), STR("a")) > 0); /* bytes are unsigned */
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_eq_secret(STR("secret"), STR("secret")));
    assert_false(str_eq_secret(STR("secret"), STR("secreT")));
    assert_false(str_eq_secret(STR("secret"), STR("secre")));
    assert_true(str_eq_secret(STR_NONE, STR("")));
}

static void prefixes_and_pieces(void **state)
{
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_true(str_starts_c(STR("abc"), ""));
    assert_false(str_starts_c(STR("ab"), "abc"));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_true(str_ends_c(STR("abc"), "abc"));
    assert_false(str_ends_c(STR("c"), "bc"));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_str(str_skip(STR("abc"), 1), "bc");
    assert_str(str_skip(STR("abc"), 9), "");
    assert_null(str_skip(STR_NONE, 3).p);
    assert_str(str_take(STR("abc"), 2), "ab");
    assert_str(str_take(STR("abc"), 9), "abc");
    assert_str(str_trim(STR(" \t\r\na b\n ")), "a b");
    assert_str(str_trim(STR("  ")), "");
    assert_null(str_trim(STR_NONE).p);
    assert_null(str_c(NULL).p);
}

static void searches(void **state)
{
    assert_int_equal(str_find(STR("hello"), STR("l")), 2);
    assert_int_equal(str_find(STR("hello"), STR("lo")), 3);
    assert_int_equal(str_find(STR("hello"), STR("")), 0);
    assert_int_equal(str_find(STR("a"), STR("ab")), -1);
    assert_int_equal(str_find(STR_NONE, STR("a")), -1);
    assert_int_equal(str_find(STR("a\0b"), STR("b")), 2);
    assert_int_equal(str_find_char(STR("a.b.c"), '.'), 1);
    assert_int_equal(str_rfind_char(STR("a.b.c"), '.'), 3);
    assert_int_equal(str_find_char(STR_NONE, '.'), -1);
    assert_int_equal(str_rfind_char(STR("abc"), '.'), -1);
}

static void cutting(void **state)
{
    struct str rest = STR("a,,b,");
    assert_str(str_cut(&rest, ','), "a");
    assert_str(str_cut(&rest, ','), "");
    assert_str(str_cut(&rest, ','), "b");
    assert_non_null(rest.p);
    assert_str(str_cut(&rest, ','), "");
    assert_null(rest.p);
    assert_null(str_cut(&rest, ',').p);
    rest = STR("");
    assert_str(str_cut(&rest, ','), "");
    assert_null(rest.p);
}

static bool i64(const char *text, int64_t *out)
{
    return str_to_i64(str_c(text), INT64_MIN, INT64_MAX, out);
}

static void integers(void **state)
{
    int64_t v = 77;
    assert_true(i64("0", &v) && v == 0);
    assert_true(i64("-1", &v) && v == -1);
    assert_true(i64("9223372036854775807", &v) && v == INT64_MAX);
    assert_true(i64("-9223372036854775808", &v) && v == INT64_MIN);
    v = 77;
    static const char *const wrong[] = {"",   "-",  "+1",  " 1",  "1 ",
                                        "1a", "--1", "1.0", "0x1", "9223372036854775808",
                                        "-9223372036854775809", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(i64(wrong[i], &v));
    assert_false(str_to_i64(STR("11"), 0, 10, &v));
    assert_false(str_to_i64(STR("-1"), 0, 10, &v));
    assert_false(str_to_i64(STR("1\0"), 0, 10, &v));
    assert_int_equal(v, 77);
    assert_true(str_to_i64(STR("10"), 0, 10, &v));
}

static void doubles(void **state)
{
    double v = 77;
    assert_true(str_to_double(STR("1.5"), &v) && v == 1.5);
    assert_true(str_to_double(STR("-1e3"), &v) && v == -1000);
    v = 77;
    static const char *const wrong[] = {"", "nan", "inf", "0x1p3", "1e999", " 1", "1 ", "1,5", "-"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(str_to_double(str_c(wrong[i]), &v));
    assert_false(str_to_double(STR("1\0"), &v));
    assert_true(v == 77);
}

static void utf8(void **state)
{
#define VALID(s) assert_true(str_utf8_valid(STR(s)))
#define BROKEN(s) assert_false(str_utf8_valid(STR(s)))
    VALID("");
    VALID("plain text of more than eight bytes");
    VALID("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80"
          "\xf4\x8f\xbf\xbf");
    VALID("a\0b");
    BROKEN("\x80");
    BROKEN("\xc0\x80");
    BROKEN("\xc1\xbf");
    BROKEN("\xc3");
    BROKEN("\xc3(");
    BROKEN("\xe0\x9f\xbf");
    BROKEN("\xed\xa0\x80");
    BROKEN("\xe2\x82");
    BROKEN("\xf0\x8f\xbf\xbf");
    BROKEN("\xf4\x90\x80\x80");
    BROKEN("\xf5\x80\x80\x80");
    BROKEN("\xf0\x9f\x98");
    BROKEN("\xff");
    BROKEN("12345678\x80");
    BROKEN("1234567\xc3");
    assert_true(str_utf8_valid(STR_NONE));
    assert_int_equal(str_utf8_count(STR("a\xc3\xa9\xf0\x9f\x98\x80")), 3);
    assert_int_equal(str_utf8_next(STR("\xf0\x9f\x98\x80z")), 4);
    assert_int_equal(str_utf8_next(STR("az")), 1);
    assert_int_equal(str_utf8_next(STR_NONE), 0);
}

static bool matches(const char *pattern, const char *s)
{
    return str_wildcard(str_c(pattern), str_c(s));
}

static void wildcards(void **state)
{
    assert_true(matches("*", ""));
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
    assert_false(matches("?", ""));
    assert_true(matches("a*c", "abbbc"));
    assert_true(matches("a*b*c", "aXbYbZc"));
    assert_false(matches("a*b*c", "aXbYbZ"));
    assert_true(matches("s3:Get*", "s3:GetObject"));
    assert_false(matches("s3:Get*", "S3:GetObject"));
    assert_true(matches("**a**", "bab"));
    assert_true(matches("a?c", "abc"));
    assert_false(matches("a?c", "ac"));
    assert_true(matches("?", "\xc3\xa9")); /* one character, two bytes */
    assert_false(matches("??", "\xc3\xa9"));
    assert_false(matches("*??", "\xc3\xa9"));
    assert_false(matches("*??c", "\xc3\xa9" "c"));
    assert_true(matches("*?c", "\xc3\xa9" "c"));
    assert_true(matches("?", "\xff"));
    /* Many stars against a text that nearly matches must not take exponential time. */
    char pattern[61], text[4001];
    for (size_t i = 0; i < 60; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[60] = 'b';
    memset(text, 'a', sizeof text);
    assert_false(str_wildcard(str_of(pattern, 61), str_of(text, sizeof text)));
}

/* The obvious recursion, for short texts. */
static bool slow_match(const char *p, const char *s)
{
    if (*p == '\0')
        return *s == '\0';
    if (*p == '*')
        return slow_match(p + 1, s) || (*s != '\0' && slow_match(p, s + 1));
    return *s != '\0' && (*p == '?' || *p == *s) && slow_match(p + 1, s + 1);
}

static void wildcards_against_recursion(void **state)
{
    uint64_t seed = 99;
    for (int round = 0; round < 50000; round++) {
        char pattern[8], text[10];
        size_t pn = test_random(&seed) % sizeof pattern, tn = test_random(&seed) % sizeof text;
        for (size_t i = 0; i < pn; i++)
            pattern[i] = "ab*?"[test_random(&seed) % 4];
        for (size_t i = 0; i < tn; i++)
            text[i] = "ab"[test_random(&seed) % 2];
        pattern[pn] = text[tn] = '\0';
        assert_true(matches(pattern, text) == slow_match(pattern, text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons), cmocka_unit_test(prefixes_and_pieces),
        cmocka_unit_test(searches),    cmocka_unit_test(cutting),
        cmocka_unit_test(integers),    cmocka_unit_test(doubles),
        cmocka_unit_test(utf8),        cmocka_unit_test(wildcards),
        cmocka_unit_test(wildcards_against_recursion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test.h"

#include "core/json.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

static struct arena *arena;

static int before(void **state)
{
    arena = arena_new(64 * 1024 * 1024);
    return 0;
}

static int after(void **state)
{
    arena_free(arena);
    return 0;
}

static struct jv *parse(const char *text)
{
    struct jv *v = NULL;
    assert_ok(json_parse(arena, str_c(text), JSON_DEPTH_DEFAULT, &v));
    return v;
}

static struct err *try_parse(struct str text)
{
    struct jv *v = NULL;
    struct err *e = json_parse(arena, text, JSON_DEPTH_DEFAULT, &v);
    if (e != NULL)
        assert_null(v);
    return e;
}

#define REFUSE(text, part) assert_err(try_parse(STR(text)), ERR_INVALID, part)

static void reads_every_type(void **state)
{
    struct jv *v = parse("{\"s\":\"a\\u00e9\\n\",\"i\":-42,\"d\":1.5,\"t\":true,\"f\":false,"
                         "\"z\":null,\"a\":[1,[],{}],\"e\":\"\"}");
    assert_int_equal(jv_len(v), 8);
    assert_str(jv_s(jv_get(v, "s")), "a\xc3\xa9\n");
    assert_int_equal(jv_i(jv_get(v, "i"), 0), -42);
    assert_true(jv_d(jv_get(v, "d"), 0) == 1.5);
    assert_true(jv_b(jv_get(v, "t"), false));
    assert_false(jv_b(jv_get(v, "f"), true));
    assert_true(jv_is(jv_get(v, "z"), JV_NULL));
    assert_int_equal(jv_len(jv_get(v, "a")), 3);
    assert_int_equal(jv_len(jv_at(jv_get(v, "a"), 1)), 0);
    assert_true(jv_is(jv_at(jv_get(v, "a"), 2), JV_OBJ));
    assert_str(jv_s(jv_get(v, "e")), "");
    assert_int_equal(jv_s(jv_get(v, "s")).p[jv_s(jv_get(v, "s")).n], 0);
    assert_true(jv_is(parse(" 7 "), JV_INT));
    assert_true(jv_is(parse("\"x\""), JV_STR));
    assert_true(jv_is(parse("null"), JV_NULL));
    assert_int_equal(jv_s(parse("\"a\\u0000b\"")).n, 3);
    assert_str(jv_s(parse("\"\\ud83d\\ude00\"")), "\xf0\x9f\x98\x80");
}

static void absent_things_answer_the_default(void **state)
{
    struct jv *v = parse("{\"a\":{\"b\":1}}");
    assert_int_equal(jv_i(jv_get(jv_get(jv_get(v, "x"), "y"), "z"), 9), 9);
    assert_null(jv_get(NULL, "a"));
    assert_null(jv_at(v, 0));
    assert_null(jv_at(NULL, 0));
    assert_null(jv_s(v).p);
    assert_int_equal(jv_len(NULL), 0);
    assert_true(jv_b(v, true));
    assert_true(jv_d(NULL, 2.5) == 2.5);
    assert_false(jv_is(NULL, JV_NULL));
}

static void duplicate_keys_are_kept(void **state)
{
    struct jv *v = parse("{\"a\":1,\"a\":2}");
    assert_int_equal(jv_len(v), 2);
    assert_int_equal(jv_i(jv_get(v, "a"), 0), 1);
    assert_int_equal(v->obj.v[1].value.i, 2);
}

static void numbers_keep_their_kind(void **state)
{
    assert_true(parse("9223372036854775807")->i == INT64_MAX);
    assert_true(parse("-9223372036854775808")->i == INT64_MIN);
    struct jv *v = parse("9223372036854775808");
    assert_int_equal(v->type, JV_NUM);
    assert_true(v->d == 0x1p63);
    v = parse("18446744073709551615");
    assert_true(v->type == JV_NUM && v->d == 0x1p64);
    v = parse("[1,123456789012345678901234567890,-123456789012345678901234567890,"
              "\"123456789012345678901234567890\",1.123456789012345678901234567890]");
    assert_true(jv_at(v, 1)->type == JV_NUM && jv_at(v, 1)->d == 123456789012345678901234567890.0);
    assert_true(jv_at(v, 2)->d == -123456789012345678901234567890.0);
    v = parse("[9223372036854775807,-9223372036854775808,18446744073709551615,"
              "99999999999999999999,-9223372036854775809]");
    assert_true(jv_at(v, 0)->type == JV_INT && jv_at(v, 0)->i == INT64_MAX); /* beside wide ones */
    assert_true(jv_at(v, 1)->type == JV_INT && jv_at(v, 1)->i == INT64_MIN);
    assert_true(jv_at(v, 2)->type == JV_NUM && jv_at(v, 2)->d == 0x1p64);
    assert_true(jv_at(v, 3)->d == 1e20 && jv_at(v, 4)->d == -0x1p63);
    v = parse("[1,123456789012345678901234567890,-123456789012345678901234567890,"
              "\"123456789012345678901234567890\",1.123456789012345678901234567890]");
    assert_str(jv_s(jv_at(v, 3)), "123456789012345678901234567890");
    assert_true(jv_at(v, 4)->d == 1.123456789012345678901234567890);
    assert_true(jv_at(v, 0)->type == JV_INT);
    assert_true(parse("1.0")->type == JV_NUM);
    assert_true(parse("1e2")->type == JV_NUM);
    assert_true(parse("1e-400")->d == 0);
}

static void faults_are_named_with_their_place(void **state)
{
    REFUSE("", "empty");
    REFUSE("   ", "the end comes too early");
    REFUSE("{\n  \"a\": 1,\n  \"b\" 2\n}", "a ':' is missing at line 3, column 7");
    REFUSE("[1,2", "a ',' or ']' is missing at line 1, column 5");
    REFUSE("[1 2]", "a ',' or ']' is missing at line 1, column 4");
    REFUSE("{\"a\":1,}", "a key in quotes is missing at line 1, column 8");
    REFUSE("[1,]", "a value is missing at line 1, column 4");
    REFUSE("{a:1}", "a key in quotes is missing");
    REFUSE("[01]", "leading zero");
    REFUSE("[1.]", "digit is missing behind the decimal point");
    REFUSE("[1e]", "digit is missing in the exponent");
    REFUSE("[-]", "a digit is missing");
    REFUSE("[+1]", "a value is missing");
    REFUSE("[1e400]", "a number that is too large at line 1, column 2");
    REFUSE("[NaN]", "a value is missing");
    REFUSE("[nul]", "an unknown word");
    REFUSE("[\"\xc3\xa9\", tru]", "an unknown word at line 1, column 7");
    REFUSE("\"abc", "a string without an end at line 1, column 1");
    REFUSE("[\"a\nb\"]", "a control character in a string");
    REFUSE("[\"\\x\"]", "an unknown escape");
    REFUSE("[\"\\\0\"]", "an unknown escape in a string at line 1, column 4");
    REFUSE("[\"\\u12g4\"]", "four hexadecimal digits");
    REFUSE("[\"\\ud800\"]", "half of a surrogate pair");
    REFUSE("[\"\\udc00\"]", "half of a surrogate pair");
    REFUSE("[\"\\ud800\\u0041\"]", "half of a surrogate pair");
    REFUSE("[\"\xff\"]", "not UTF-8 at line 1, column 3");
    REFUSE("[\"\xed\xa0\x80\"]", "not UTF-8");
    REFUSE("{} {}", "something follows");
    REFUSE("[1]\0", "something follows");
    REFUSE("\xef\xbb\xbf{}", "a value is missing at line 1, column 1");
    REFUSE("[123456789012345678901234567890", "is missing");
    REFUSE("'a'", "a value is missing");
    REFUSE("// a\n1", "a value is missing");
}

static struct err *parse_nested(int levels, int max_depth)
{
    char text[4096];
    memset(text, '[', (size_t)levels);
    memset(text + levels, ']', (size_t)levels);
    struct jv *v = NULL;
    return json_parse(arena, str_of(text, 2 * (size_t)levels), max_depth, &v);
}

static void depth_is_limited(void **state)
{
    assert_ok(parse_nested(64, 64));
    assert_err(parse_nested(65, 64), ERR_LIMIT, "deeper than 64 levels");
    assert_ok(parse_nested(JSON_DEPTH_MAX, 1000000));
    assert_err(parse_nested(JSON_DEPTH_MAX + 1, 1000000), ERR_LIMIT, "deeper than 128");
    assert_err(parse_nested(2000, 64), ERR_LIMIT, "deeper");
    assert_err(parse_nested(1, 0), ERR_LIMIT, "deeper than 0");
    struct jv *v;
    assert_ok(json_parse(arena, STR("1"), 0, &v));
    char open[5000];
    memset(open, '[', sizeof open);
    assert_err(try_parse(str_of(open, sizeof open)), ERR_LIMIT, "deeper than 64");
    assert_err(try_parse(str_of(open, 64)), ERR_INVALID, "the end comes too early");
}

static void memory_is_limited(void **state)
{
    struct arena *small = arena_new(16 * 1024);
    struct jv *v = NULL;
    char text[4000];
    memset(text, '1', sizeof text);
    for (size_t i = 2; i < 4000; i += 2)
        text[i] = ',';
    text[0] = '[';
    text[3998] = '1';
    text[3999] = ']';
    assert_err(json_parse(small, str_of(text, 4000), 64, &v), ERR_LIMIT, "memory");
    /* The array of 48 KB was refused before it was allocated. */
    assert_true(arena_used(small) < 8 * 1024);
    arena_free(small);
}

static void big_documents_parse(void **state)
{
    struct buf b = BUF_INIT(16 * 1024 * 1024);
    struct jw w = jw_to(&b);
    jw_arr(&w);
    for (int i = 0; i < 100000; i++) {
        jw_obj(&w);
        jw_ki(&w, "number", i);
        jw_kc(&w, "text", "some text \" that is quoted");
        jw_end(&w);
    }
    jw_end(&w);
    struct jv *v = NULL;
    assert_ok(json_parse(arena, buf_view(&b), 8, &v));
    assert_int_equal(jv_len(v), 100000);
    assert_int_equal(jv_i(jv_get(jv_at(v, 99999), "number"), 0), 99999);
    struct str again = jv_text(arena, v);
    assert_true(str_eq(again, buf_view(&b)));
    buf_clear(&b);
}

static void *parse_in_thread(void *arg)
{
    struct arena *a = arena_new(1024 * 1024);
    int64_t sum = 0;
    for (int i = 0; i < 200; i++) {
        struct jv *v = NULL;
        err_free(json_parse(a, STR("{\"a\":[1,2,3],\"b\":\"text\"}"), 4, &v));
        sum += jv_i(jv_at(jv_get(v, "a"), 2), 0);
        arena_reset(a);
    }
    arena_free(a);
    *(int64_t *)arg = sum;
    return NULL;
}

static void threads_have_their_own_parser(void **state)
{
    pthread_t ids[4];
    int64_t sums[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, parse_in_thread, &sums[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(ids[i], NULL);
        assert_int_equal(sums[i], 600);
    }
}

static void trees_are_built(void **state)
{
    struct jv *obj = jv_new_obj(arena), *arr = jv_new_arr(arena);
    for (int i = 0; i < 100; i++)
        jv_push(arena, arr, jv_new_int(arena, i));
    jv_set(arena, obj, STR("list"), arr);
    jv_push(arena, arr, jv_new_int(arena, 100)); /* the copy in obj stays as it was */
    struct jv copy = *jv_get(obj, "list");
    jv_push(arena, &copy, jv_new_str(arena, STR("mine")));
    assert_int_equal(jv_i(jv_at(arr, 100), 0), 100);
    assert_str(jv_s(jv_at(&copy, 100)), "mine");
    assert_int_equal(jv_len(jv_get(obj, "list")), 100);

    jv_set(arena, obj, STR("list"), jv_new_bool(arena, true));
    jv_set(arena, obj, STR("none"), jv_new_str(arena, STR_NONE));
    jv_set(arena, obj, STR("num"), jv_new_num(arena, 0.5));
    assert_str(jv_text(arena, obj), "{\"list\":true,\"none\":null,\"num\":0.5}");

    struct jv *parsed = parse("{\"a\":1,\"b\":2,\"c\":[1,2,3,4,5]}"); /* no spare room */
    jv_set(arena, parsed, STR("d"), jv_new_int(arena, 4));
    jv_set(arena, parsed, STR("a"), jv_new_int(arena, 7));
    for (int i = 6; i < 10; i++)
        jv_push(arena, (struct jv *)jv_get(parsed, "c"), jv_new_int(arena, i));
    assert_str(jv_text(arena, parsed), "{\"a\":7,\"b\":2,\"c\":[1,2,3,4,5,6,7,8,9],\"d\":4}");
}

static bool equal(const char *x, const char *y)
{
    struct jv *a = parse(x), *b = parse(y);
    assert_true(jv_equal(a, b) == jv_equal(b, a));
    return jv_equal(a, b);
}

static void equality_ignores_order(void **state)
{
    assert_true(equal("{\"a\":1,\"b\":[1,{\"x\":2,\"y\":3}]}",
                      "{\"b\":[1,{\"y\":3,\"x\":2}],\"a\":1}"));
    assert_false(equal("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    assert_false(equal("{\"a\":1}", "{\"b\":1}"));
    assert_false(equal("[1,2]", "[2,1]"));
    assert_false(equal("[1]", "[1,1]"));
    assert_true(equal("1", "1.0"));
    assert_false(equal("9223372036854775807", "9223372036854775808"));
    assert_false(equal("1", "1.5"));
    assert_false(equal("1", "\"1\""));
    assert_true(equal("null", "null"));
    assert_false(equal("true", "false"));
    assert_false(equal("{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}"));
    assert_true(equal("{\"a\":1,\"b\":0,\"a\":2}", "{\"b\":0,\"a\":1,\"a\":2}"));
    assert_true(jv_equal(NULL, NULL));
    assert_false(jv_equal(NULL, parse("null")));
}

static struct str written(void (*fn)(struct jw *, struct str), struct str s)
{
    struct buf b = BUF_INIT(64 * 1024);
    struct jw w = jw_to(&b);
    fn(&w, s);
    assert_true(buf_ok(&b));
    struct str out = arena_str(arena, buf_view(&b));
    buf_clear(&b);
    return out;
}

static void strings_are_escaped(void **state)
{
#define WRITES(in, out) assert_str(written(jw_str, STR(in)), out)
    WRITES("", "\"\"");
    WRITES("plain", "\"plain\"");
    WRITES("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    WRITES("\b\t\n\v\f\r", "\"\\b\\t\\n\\u000b\\f\\r\"");
    WRITES("\0\x01\x1f\x7f", "\"\\u0000\\u0001\\u001f\x7f\"");
    WRITES("\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    WRITES("a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    WRITES("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    WRITES("\xf4\x90\x80\x80z", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
    assert_str(written(jw_str, STR_NONE), "null");
    assert_str(written(jw_raw, STR("{\"a\":1}")), "{\"a\":1}");
}

/* Every byte at every place in a long text, against the parser. */
static void every_byte_survives(void **state)
{
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            struct str in = str_of(text, sizeof text);
            struct jv *v = NULL;
            assert_ok(json_parse(arena, written(jw_str, in), 1, &v));
            if (c < 0x80)
                assert_true(str_eq(v->s, in));
            else
                assert_int_equal(v->s.n, 22); /* U+FFFD */
        }
        arena_reset(arena);
    }
}

static void containers_get_commas(void **state)
{
    struct buf b = BUF_INIT(1024);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    jw_ks(&w, "a", STR("1"));
    jw_ks(&w, "none", STR_NONE);
    jw_kc(&w, "c", NULL);
    jw_ki(&w, "i", INT64_MIN);
    jw_kb(&w, "b", false);
    jw_key(&w, "arr");
    jw_arr(&w);
    jw_arr(&w);
    jw_end(&w);
    jw_obj(&w);
    jw_end(&w);
    jw_bool(&w, true);
    jw_null(&w);
    jw_raw(&w, STR("[1]"));
    jw_end(&w);
    jw_key_str(&w, STR("q\"k"));
    jw_i64(&w, 0);
    jw_end(&w);
    assert_str(buf_view(&b), "{\"a\":\"1\",\"none\":null,\"c\":null,\"i\":-9223372036854775808,"
                             "\"b\":false,\"arr\":[[],{},true,null,[1]],\"q\\\"k\":0}");
    buf_clear(&b);
}

static struct str double_text(double d)
{
    struct buf b = BUF_INIT(64);
    struct jw w = jw_to(&b);
    jw_double(&w, d);
    struct str out = arena_str(arena, buf_view(&b));
    buf_clear(&b);
    return out;
}

static void doubles_are_short_and_exact(void **state)
{
    assert_str(double_text(0.1), "0.1");
    assert_str(double_text(1), "1");
    assert_str(double_text(-2.5), "-2.5");
    assert_str(double_text(0), "0");
    assert_str(double_text(-0.0), "-0.0");
    assert_str(double_text(1e15), "1e+15");
    assert_str(double_text(123456789012345.0), "123456789012345");
    assert_str(double_text(0.30000000000000004), "0.30000000000000004");
    assert_str(double_text(1.0 / 3), "0.3333333333333333");
    assert_str(double_text(5e-324), "5e-324");
    assert_str(double_text(1e-310), "1e-310");
    assert_str(double_text(DBL_MAX), "1.7976931348623157e+308");
    assert_str(double_text(NAN), "\"NaN\"");
    assert_str(double_text(INFINITY), "\"Infinity\"");
    assert_str(double_text(-INFINITY), "\"-Infinity\"");
    uint64_t seed = 12345;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = test_random(&seed);
        double d;
        memcpy(&d, &bits, sizeof d);
        if (!isfinite(d))
            continue;
        struct jv *v = NULL;
        assert_ok(json_parse(arena, double_text(d), 1, &v));
        assert_true(jv_d(v, 0) == d);
        arena_reset(arena);
    }
}

static void writing_too_deep_is_an_error(void **state)
{
    struct buf b = BUF_INIT(64 * 1024);
    struct jw w = jw_to(&b);
    for (int i = 0; i < JW_DEPTH_MAX; i++) {
        if (i % 3 == 0) {
            jw_arr(&w);
        } else {
            jw_obj(&w);
            jw_key(&w, "k");
        }
    }
    jw_i64(&w, 1);
    for (int i = 0; i < JW_DEPTH_MAX; i++)
        jw_end(&w);
    assert_true(buf_ok(&b));
    struct jv *v;
    assert_err(json_parse(arena, buf_view(&b), JSON_DEPTH_MAX, &v), ERR_LIMIT, "deeper");
    buf_reset(&b);

    for (int i = 0; i < JW_DEPTH_MAX + 5; i++) {
        jw_obj(&w);
        jw_key(&w, "k");
    }
    jw_i64(&w, 1);
    for (int i = 0; i < JW_DEPTH_MAX + 5; i++)
        jw_end(&w);
    assert_false(buf_ok(&b));
    buf_clear(&b);

    struct jv *deep = jv_new_arr(arena);
    for (int i = 0; i < JW_DEPTH_MAX; i++) {
        struct jv *outer = jv_new_arr(arena);
        jv_push(arena, outer, deep);
        deep = outer;
    }
    assert_null(jv_text(arena, deep).p);
    assert_non_null(jv_text(arena, jv_at(deep, 0)).p);
}

static void a_full_buffer_marks_itself(void **state)
{
    struct buf b = BUF_INIT(10);
    struct jw w = jw_to(&b);
    jw_arr(&w);
    for (int i = 0; i < 10; i++)
        jw_c(&w, "four");
    jw_end(&w);
    assert_false(buf_ok(&b));
    assert_true(b.n <= 10);
    buf_clear(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, before, after)
    const struct CMUnitTest tests[] = {
        T(reads_every_type),
        T(absent_things_answer_the_default),
        T(duplicate_keys_are_kept),
        T(numbers_keep_their_kind),
        T(faults_are_named_with_their_place),
        T(depth_is_limited),
        T(memory_is_limited),
        T(big_documents_parse),
        T(threads_have_their_own_parser),
        T(trees_are_built),
        T(equality_ignores_order),
        T(strings_are_escaped),
        T(every_byte_survives),
        T(containers_get_commas),
        T(doubles_are_short_and_exact),
        T(writing_too_deep_is_an_error),
        T(a_full_buffer_marks_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

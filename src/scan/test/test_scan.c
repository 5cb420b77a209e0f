/* The matcher's languages, the reader, and what must be safe to print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scan/feed.h"
#include "scan/matcher.h"
#include "scan/records.h"
#include "scan/safe.h"

struct catch {
    struct match_worker *w;
    const struct rules *rs;
    struct buf out; /* ids of the rules that held, in the order of the rules, a line a record */
    int faults;
};

static void on_record(void *x, struct record *r, uint64_t offset)
{
    struct catch *c = x;
    size_t n;
    (void)offset;
    const uint32_t *m = match_record(c->w, r, &n);
    for (uint32_t i = 0; i < c->rs->rules.n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (m[k] == i)
                buf_fmt(&c->out, "%.*s ", STR_ARG(c->rs->rules.v[i].id));
        }
    }
    buf_char(&c->out, '\n');
}

static void on_fault(void *x, uint64_t offset, const char *what)
{
    (void)offset, (void)what;
    ((struct catch *)x)->faults++;
}

/* Scans `text`, cut into pieces of `step` bytes, with the rules of a file. */
static char *scan(const char *file, const char *rules, const char *text, size_t step, int *faults)
{
    static char answer[4096];
    struct rules *rs = rules_new();
    rules_load_text(rs, str_c(file), str_c(rules));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 0);
    struct matcher *m = NULL;
    struct err *e = matcher_new(rs, &m);
    assert_null(e);
    struct catch c = {.w = match_worker_new(m), .rs = rs};
    buf_init(&c.out, sizeof answer - 1);
    struct feed f;
    feed_init(&f, &rs->paths, (struct feed_sink){&c, on_record, on_fault});
    feed_start(&f);
    size_t n = strlen(text), at = 0, end = 0;
    while (end < n) {
        end = end + step < n ? end + step : n;
        at += feed_take(&f, text + at, end - at, end == n);
    }
    if (n == 0)
        feed_take(&f, text, 0, true);
    memcpy(answer, c.out.n == 0 ? "" : c.out.p, c.out.n);
    answer[c.out.n] = '\0';
    if (faults != NULL)
        *faults = c.faults;
    else
        assert_int_equal(c.faults, 0);
    buf_clear(&c.out);
    feed_clear(&f);
    match_worker_free(c.w);
    matcher_free(m);
    rules_free(rs);
    return answer;
}

#define REC(rest) "{\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\"" rest "}"
static const char any[] = "{\"eventName\": [{\"exists\": true}]}";

static bool holds(const char *file, const char *rule, const char *record)
{
    return scan(file, rule, record, SIZE_MAX / 2, NULL)[0] != '\n';
}

static void test_shapes_and_pieces(void **state)
{
    (void)state;
    const char *texts[] = {
        "{\"Records\":[" REC(",\"a\":[1,{\"b\":\"}]\"}]") "," REC("") "]}",
        "[" REC("") ", " REC("") "]",
        REC("") "\n" REC("") "\n",
        "{\"x\":{\"y\":[]},\"Records\":[" REC("") "],\"z\":1}{\"Records\":[" REC("") "]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t step = 1; step < 80; step += 7)
            assert_string_equal(scan("r.json", any, texts[i], step, NULL), "r \nr \n");
    }
}

#define QREC(rest) "{\\\"eventSource\\\":\\\"s3.amazonaws.com\\\"," \
                   "\\\"eventName\\\":\\\"Get\\\\u004fbject\\\"" rest "}"

/* What other tools put around records. */
static void test_wrapped(void **state)
{
    (void)state;
    static const char rule[] = "{\"eventName\": [\"GetObject\"]}";
    static const char env[] = "{\"detail-type\":\"x\",\"resources\":[],\"detail\":" REC("") "}";
    static const char looked[] =
        "{\"EventName\":\"GetObject\",\"Resources\":[{}],\"CloudTrailEvent\":\"" QREC("") "\"}";
    static const char message[] = "{\"id\":\"1\",\"message\":\"" QREC(",\\\"a\\\":[1]") "\"}";
    const struct {
        const char *before, *each, *between, *behind;
    } t[] = {
        {"\xef\xbb\xbf{\"Records\":[", REC(""), ",", "]}"},
        {"[{\"Records\":[", REC(""), "]},{\"x\":{},\"Records\":[", "],\"y\":[{}]}]"},
        {"", env, "\n", ""},
        {"[", env, " , ", "]"},
        {"{\"Events\": [", looked, ", ", "], \"NextToken\": \"x\"}"},
        {"", looked, "\n", ""},
        {"{\"events\":[", message, ",", "],\"searchedLogStreams\":[{}]}"},
        {"{\"owner\":\"1\",\"subscriptionFilters\":[\"x\"],\"logEvents\":[", message,
         "]}{\"logEvents\":[", "]}"},
        {"2024-01-02T03:04:05.678Z ", REC(""), "\n2024-01-02T03:04:05Z ", "\n"},
        {"{\"took\":1,\"hits\":{\"max\":{},\"hits\":[{\"_source\":", REC(""),
         "},{\"_source\":", "}]},\"z\":{}}"},
        {"{\"_source\":{\"event\":{\"x\":1,\"original\":\"", QREC(""),
         "\"}}}\n{\"event\":{\"original\":\"", "\"}}"},
        {"{\"result\":{\"_raw\":\"", QREC(""), "\"}}\n{\"_raw\":\"", "\"}"},
        {"{\"index\":{\"_index\":\"i\"}}\n", REC(""), "\n{\"create\":{}}\n", ""},
        {"{\"logEvents\":[{\"message\":\"CWL CONTROL MESSAGE: x\"}]}", REC(""), "\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char text[2048];
        int n = snprintf(text, sizeof text, "%s%s%s%s%s", t[i].before, t[i].each, t[i].between,
                         t[i].each, t[i].behind);
        assert_true(n > 0 && (size_t)n < sizeof text);
        for (size_t step = 1; step < 400; step = step * 3 + 1) {
            if (strcmp(scan("r.json", rule, text, step, NULL), "r \nr \n") != 0)
                fail_msg("%zu bytes at a time: %s", step, text);
        }
    }
}

/* What is no record is neither counted as one nor passed over. */
static void test_what_holds_no_record(void **state)
{
    (void)state;
    const struct {
        const char *text, *answer;
        int faults;
    } t[] = {
        {"[{\"a\":1}," REC("") "]", "r \n", 1},
        {"[{\"Records\":[{\"Records\":[" REC("") "]}]}]", "", 1},
        {"{\"detail\":{\"severity\":5}}", "", 1},
        {"{\"detail\":{\"detail\":{\"detail\":{\"detail\":{\"detail\":" REC("") "}}}}}", "", 1},
        {"{\"message\":\"{\\\"eventName\\\":\"}", "", 1},
        {"{\"message\":\"{\"}", "", 1},
        {"{\"message\":\"not a record\"}" REC(""), "r \n", 1},
        {"{\"message\":\"" QREC("") " " QREC("") "\"}", "r \n", 1},
        {"{\"digestS3Object\":\"k\",\"logFiles\":[]}", "", 1},
        {"eventversion,useridentity,eventname\n1.08,x,GetObject\n1.08,x,GetObject\n", "", 3},
        {"PK\3\4 and so on\n" REC(""), "", 1},
        {"2024-01-02T03:04:05.678Z", "", 2},
        {"2024-01-02T03:04:05.678Z nothing\n" REC(""), "r \n", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        int faults;
        if (strcmp(scan("r.json", any, t[i].text, 9999, &faults), t[i].answer) != 0 ||
            faults != t[i].faults)
            fail_msg("%d faults: %s", faults, t[i].text);
    }
    /* A file of them is not a list of thousands of faults. */
    char many[4096] = "";
    for (size_t i = 0; i < 500; i++)
        memcpy(many + 8 * i, "{\"a\":1}\n", 8);
    int faults;
    scan("r.json", any, many, 9999, &faults);
    assert_int_equal(faults, FEED_FAULTS_TOLD + 1);
}

static void test_faults_are_named(void **state)
{
    (void)state;
    int faults;
    assert_string_equal(scan("r.json", any, "{\"Records\":[" REC("") "," REC(""), 9999, &faults),
                        "r \nr \n");
    assert_int_equal(faults, 1); /* ends within the list */
    assert_string_equal(scan("r.json", any, REC("") "\nnonsense\n" REC(""), 9999, &faults),
                        "r \nr \n");
    assert_int_equal(faults, 1);
    scan("r.json", any, "{\"Records\":5}", 9999, &faults);
    assert_true(faults >= 1);
    scan("r.json", any, "", 9999, &faults);
    assert_int_equal(faults, 1);
    assert_string_equal(scan("r.json", any, "{\"Records\":[null,5," REC("") "]}", 9999, &faults),
                        "r \n");
    assert_int_equal(faults, 2);
    scan("r.json", any, "{\"Records\":[" REC(",\"a\":\"\xff\"") "]}", 9999, &faults);
    assert_int_equal(faults, 1);
}

/* Numbers of any size are JSON; what only looks like one is not, wherever it stands. */
static void test_records_that_are_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0", "-0", "1e5", "1E+5", "-0.5e-07", "18446744073709551616", "-9223372036854775809",
        "1e999999", "123456789012345678901234567890.5", "\"01\\\" 02\"",
    };
    static const char *const bad[] = {"01", "00", "-",  "1.",  "1e",
                                      "1e+", "-01", "1x", "1-2", "--1"};
    char text[128];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int n = snprintf(text, sizeof text, "{\"a\":[%s , %s],\"b\":true}", good[i], good[i]);
        assert_null(records_fault(text, (size_t)n));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int n = snprintf(text, sizeof text, "{\"a\":18446744073709551616,\"b\":%s}", bad[i]);
        if (records_fault(text, (size_t)n) == NULL)
            fail_msg("%s", text);
    }
    static const char behind[] = "{\"a\":18446744073709551616,\"b\":tru}";
    assert_non_null(records_fault(behind, sizeof behind - 1));
}

/* It costs its line, and not the lines behind it. */
static void test_a_line_too_large(void **state)
{
    (void)state;
    size_t n = 3 * RECORD_BYTES_MAX;
    char *text = malloc(n + 200);
    assert_non_null(text);
    memset(text, 'x', n);
    memcpy(text, "{\"a\":\"", 6);
    static const char behind[] = "\"}\n" REC("") "\n" REC("") "\n";
    memcpy(text + n, behind, sizeof behind);
    int faults;
    for (size_t step = 100000; step <= n * 2; step *= 8) {
        assert_string_equal(scan("r.json", any, text, step, &faults), "r \nr \n");
        assert_int_equal(faults, 1);
    }
    free(text);
}

static char *put(char *to, const char *text, size_t times)
{
    for (size_t n = strlen(text); times > 0; times--, to += n)
        memcpy(to, text, n);
    *to = '\0';
    return to;
}

/* In a list, too, a record costs itself alone, wherever the pieces of the text end. */
static void test_a_bad_record_of_a_list(void **state)
{
    (void)state;
    const struct {
        const char *before, *again, *behind;
        size_t times;
    } t[] = {
        {"{\"a\":", "[", "", 200},             /* too deep: */
        {"{\"a\":", "[", "", RECORD_BYTES_MAX}, /* and too large */
        {"{\"a\":\"}]", "}]\\\"\xc3\xa4\\\\", "\"", RECORD_BYTES_MAX / 2},
        {"{\"a\":[", "{\"}\":[]},", "0]", RECORD_BYTES_MAX / 8},
        {"{\"a\":", "nonsense", "", 1},
        {"{\"a\":[{}]x", "", "", 1},
        {"{a:{\"b\":\"]}\"}", "", "", 1},
    };
    char *text = malloc(8 * RECORD_BYTES_MAX), *end;
    assert_non_null(text);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        end = put(text, "{\"Records\":[" REC("") " , ", 1);
        end = put(end, t[i].before, 1);
        end = put(end, t[i].again, t[i].times);
        end = put(end, t[i].behind, 1);
        if (t[i].again[0] == '[')
            end = put(end, "]", t[i].times);
        put(end, "} , " REC("") ",{\"a\":tru e}," REC("") "],\"z\":[]}" REC(""), 1);
        for (size_t step = i == 0 || t[i].times == 1 ? 1 : 100003; step < (size_t)1 << 24;
             step *= 7) {
            int faults;
            assert_string_equal(scan("r.json", any, text, step, &faults), "r \nr \nr \nr \n");
            assert_int_equal(faults, 2);
        }
    }
    /* Its end is not there. */
    int faults;
    put(put(text, "{\"Records\":[" REC("") ",{\"a\":", 1), "[", 2 * RECORD_BYTES_MAX);
    assert_string_equal(scan("r.json", any, text, 300000, &faults), "r \n");
    assert_int_equal(faults, 2);
    free(text);
}

static void test_nothing_hides(void **state)
{
    (void)state;
    const char rule[] = "{\"eventName\":[\"StopLogging\"]}";
    int faults;
    assert_true(holds("r.json", rule, "{\"eventName\":\"Stop\\u004cogging\"}"));
    assert_true(holds("r.json", rule, "{\"event\\u004eame\":\"StopLogging\"}"));
    assert_string_equal(
        scan("r.json", rule, "{\"eventName\":\"A\",\"eventName\":\"StopLogging\"}", 999, &faults),
        "r \n");
    assert_int_equal(faults, 1);
    /* a literal that waits behind the scan for literals */
    const char lit[] = "{\"userAgent\":[{\"wildcard\":\"*eviltool*\"}]}";
    assert_true(holds("r.json", lit, REC(",\"userAgent\":\"x eviltool/1\"")));
    assert_true(holds("r.json", lit, REC(",\"userAgent\":\"x evil\\u0074ool/1\"")));
    assert_false(holds("r.json", lit, REC(",\"x\":\"eviltool\"")));
}

static void test_event_patterns(void **state)
{
    (void)state;
    const struct {
        const char *pattern, *member;
        bool yes;
    } t[] = {
        {"[\"a\"]", "\"a\"", true},
        {"[\"a\"]", "\"A\"", false},
        {"[null]", "null", true},
        {"[\"\"]", "\"\"", true},
        {"[true]", "true", true},
        {"[true]", "\"true\"", false},
        {"[5]", "5.0", true},
        {"[5]", "\"5\"", false},
        {"[\"a\"]", "[\"b\",\"a\"]", true},
        {"[{\"prefix\":\"ab\"}]", "\"abc\"", true},
        {"[{\"suffix\":\"bc\"}]", "\"abc\"", true},
        {"[{\"prefix\":{\"equals-ignore-case\":\"AB\"}}]", "\"abc\"", true},
        {"[{\"equals-ignore-case\":\"ABC\"}]", "\"abc\"", true},
        {"[{\"wildcard\":\"a*c\\\\*\"}]", "\"abbc*\"", true},
        {"[{\"wildcard\":\"a*c\"}]", "\"abcd\"", false},
        {"[{\"numeric\":[\">\",1,\"<=\",5]}]", "5", true},
        {"[{\"numeric\":[\">\",1,\"<\",5]}]", "5", false},
        {"[{\"cidr\":\"10.0.0.0/9\"}]", "\"10.127.0.1\"", true},
        {"[{\"cidr\":\"10.0.0.0/9\"}]", "\"10.128.0.1\"", false},
        {"[{\"cidr\":\"2001:db8::/32\"}]", "\"2001:db8::1\"", true},
        {"[{\"exists\":true}]", "0", true},
        {"[{\"exists\":false}]", "0", false},
        {"[{\"exists\":true}]", "{}", false},
        {"[{\"anything-but\":\"a\"}]", "\"b\"", true},
        {"[{\"anything-but\":\"a\"}]", "\"a\"", false},
        {"[{\"anything-but\":[2,3]}]", "3", false},
        {"[{\"anything-but\":{\"prefix\":[\"a\",\"b\"]}}]", "\"bc\"", false},
        {"[{\"anything-but\":{\"wildcard\":\"*x*\"}}]", "\"axb\"", false},
        {"[{\"anything-but\":{\"equals-ignore-case\":[\"A\"]}}]", "\"a\"", false},
        {"[{\"anything-but\":{\"suffix\":\"z\"}}]", "\"a\"", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char rule[256], record[256];
        snprintf(rule, sizeof rule, "{\"detail\":{\"x\":{\"y\":%s}},\"source\":[\"aws.s3\"]}",
                 t[i].pattern);
        snprintf(record, sizeof record, REC(",\"x\":{\"y\":%s}"), t[i].member);
        if (holds("r.json", rule, record) != t[i].yes)
            fail_msg("%s on %s", t[i].pattern, t[i].member);
    }
    assert_true(holds("r.json", "{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", REC(",\"b\":2")));
    assert_true(
        holds("r.json", "{\"a\":{\"b\":[\"v\"]}}", REC(",\"a\":[{\"b\":\"u\"},{\"b\":\"v\"}]")));
}

static void test_filters(void **state)
{
    (void)state;
    const struct {
        const char *filter, *rest;
        bool yes;
    } t[] = {
        {"{ $.eventName = \"GetObject\" }", "", true},
        {"{ $.eventName = Get* && $.a != 5 }", ",\"a\":6", true},
        {"{ $.a != 5 }", "", false}, {"{ $.a != 5 }", ",\"a\":[6]", false},
        {"{ ($.a >= 5) && ($.a < 7) }", ",\"a\":6", true},
        {"{ $.a IS NULL }", ",\"a\":null", true}, {"{ $.a NOT EXISTS }", "", true},
        {"{ $.a IS TRUE || $.b IS FALSE }", ",\"b\":false", true},
        {"{ $.a[1].b = \"x\" }", ",\"a\":[0,{\"b\":\"x\"}]", true},
        {"{ $.a = %^ab+$% }", ",\"a\":\"abb\"", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char record[256];
        snprintf(record, sizeof record, "{\"eventSource\":\"s3.amazonaws.com\",\"eventName\":"
                                        "\"GetObject\"%s}", t[i].rest);
        if (holds("r.filter", t[i].filter, record) != t[i].yes)
            fail_msg("%s on %s", t[i].filter, t[i].rest);
    }
}

static void test_keywords(void **state)
{
    (void)state;
    const char rule[] = "{\"source\":\"(iam|s3)\",\"regexp\":\"^Get.b\",\"sns\":{}}";
    assert_true(holds("k.json", rule, REC("")));
    assert_true(holds("k.json", "{\"source\":\"s3\",\"regexp\":\"tObj\"}", REC("")));
    assert_false(holds("k.json", "{\"source\":\"S3\",\"regexp\":\"tObj\"}", REC("")));
    assert_true(holds("k.json", "{\"source\":\"(iam|s3)\\\\.amazon\",\"regexp\":\"^Get[A-Z]b\"}",
                      REC("")));
}

static bool sigma(const char *detection, const char *rest)
{
    char rule[1024], record[512];
    snprintf(rule, sizeof rule, "title: t\nlogsource:\n  product: aws\n  service: cloudtrail\n"
                                "detection:\n%s", detection);
    snprintf(record, sizeof record, "{\"eventSource\":\"s3.amazonaws.com\",\"eventName\":"
                                    "\"GetObject\"%s}", rest);
    return holds("s.yml", rule, record);
}

static void test_sigma(void **state)
{
    (void)state;
#define SEL(item) "  sel:\n    " item "\n  condition: sel\n"
    assert_true(sigma(SEL("eventName: getobject"), ""));
    assert_false(sigma(SEL("eventName|cased: getobject"), ""));
    assert_true(sigma(SEL("eventName|startswith: ['x', 'get']"), ""));
    assert_true(sigma(SEL("eventName|endswith: OBJECT"), ""));
    assert_true(sigma(SEL("eventName|contains|all: ['t', 'obj']"), ""));
    assert_false(sigma(SEL("eventName|contains|all: ['t', 'zzz']"), ""));
    assert_true(sigma(SEL("eventName: 'g?t*'"), ""));
    assert_true(sigma(SEL("eventName|re: '^G.t[A-Z]'"), ""));
    assert_true(sigma(SEL("x|exists: false"), ""));
    assert_true(sigma(SEL("x: null"), ""));
    assert_false(sigma(SEL("x: null"), ",\"x\":1"));
    assert_true(sigma(SEL("x|gte: 5"), ",\"x\":5"));
    assert_false(sigma(SEL("x|lt: 5"), ",\"x\":5"));
    assert_true(sigma(SEL("x|cidr: 10.0.0.0/8"), ",\"x\":\"10.1.2.3\""));
    assert_true(sigma(SEL("x|fieldref: y"), ",\"x\":\"q\",\"y\":\"q\""));
    assert_true(sigma(SEL("x|base64|contains: foo"), ",\"x\":\"zzZm9v\""));
    assert_true(sigma(SEL("x|base64offset|contains: foobar"), ",\"x\":\"YWZvb2Jhcg==\""));
    assert_true(sigma("  keywords:\n    - 'tobj'\n  condition: keywords\n", ""));
    assert_true(sigma("  a1:\n    eventName: GetObject\n  a2:\n    x: 1\n  b:\n    y: 2\n"
                      "  condition: 1 of a* and not b\n", ""));
    assert_false(
        sigma("  a1:\n    eventName: GetObject\n  a2:\n    x: 1\n  condition: all of them\n", ""));
    assert_true(sigma("  a:\n    x: 1\n  b:\n    y: 2\n  condition: not (a or b)\n", ""));
    assert_true(sigma(SEL("x: true"), ",\"x\":true"));
    assert_true(sigma(SEL("x: 5"), ",\"x\":\"5\""));
}

static void test_rule_faults(void **state)
{
    (void)state;
    const char *bad[][2] = {
        {"r.json", "{\"a\":[{\"prefix\":5}]}"}, {"r.json", "{\"a\":\"x\"}"},
        {"r.json", "{\"a\":[{\"near\":\"x\"}]}"}, {"r.json", "{\"a\":[1}"},
        {"r.filter", "{ $.a = }"}, {"r.filter", "[a, b]"}, {"r.filter", "{ ($.a = 1 }"},
        {"k.json", "{\"source\":\"(\",\"regexp\":\"a\"}"},
        {"k.json", "{\"source\":\"a\",\"regexp\":\"(?=x)\"}"},
        {"k.json", "{\"source\":\"a\",\"regexp\":\"a\",\"sources\":1}"},
        {"s.yml", "title: t\ndetection:\n  s:\n    a|what: 1\n  condition: s\n"},
        {"s.yml", "title: t\ndetection:\n  s:\n    a: 1\n  condition: t\n"},
        {"s.yml", "title: t\ndetection:\n  s:\n    a: 1\n  condition: s | near x\n"},
        {"s.yml", "title: [\n"}, {"r.json", "\xff"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct rules *rs = rules_new();
        rules_load_text(rs, str_c(bad[i][0]), str_c(bad[i][1]));
        rules_finish(rs);
        if (rs->faults.n == 0)
            fail_msg("taken: %s", bad[i][1]);
        rules_free(rs);
    }
    struct rules *rs = rules_new();
    rules_load_text(rs, STR("c.yml"), STR("title: a\nname: a\ncorrelation:\n  type: event_count\n"
        "  rules: b\n  timespan: 1m\n  condition: {gte: 2}\n---\ntitle: b\nname: b\ncorrelation:\n"
        "  type: event_count\n  rules: a\n  timespan: 1m\n  condition: {gte: 2}\n"));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 2); /* both are switched off */
    assert_non_null(strstr(rs->faults.v[0].text.p, "names itself"));
    rules_free(rs);
}

static void test_builtin_rules_compile(void **state)
{
    (void)state;
    struct rules *rs = rules_new();
    rules_load_builtin(rs);
    rules_finish(rs);
    for (size_t i = 0; i < rs->faults.n; i++)
        print_message("%.*s\n", STR_ARG(rs->faults.v[i].text));
    assert_int_equal(rs->faults.n, 0);
    assert_true(rs->rules.n >= 50);
    rules_free(rs);
}

static void test_split_roads_agree(void **state)
{
    (void)state;
    unsigned seed = 12345;
    static const char letters[] = "\\\\\"\"{}[]:, ab1";
    char text[700];
    struct split a = {0}, b = {0};
    for (int round = 0; round < 3000; round++) {
        size_t n = (size_t)(round % 699);
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        if (round % 3 == 0 && n > 0)
            text[seed % n] = (char)0xc3;
        split_limit(SPLIT_PORTABLE);
        split_run(&b, text, n);
        assert_int_equal(b.ascii, round % 3 != 0 || n == 0);
        split_limit(round % 2 == 0 ? SPLIT_FAST : SPLIT_WIDE);
        split_run(&a, text, n);
        split_limit(SPLIT_WIDE);
        assert_int_equal(a.n, b.n);
        assert_int_equal(a.ascii, b.ascii);
        assert_memory_equal(a.at, b.at, (a.n + 1) * sizeof *a.at);
    }
    split_clear(&a);
    split_clear(&b);
}

static void test_safe(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4096);
    safe_text(&b, STR("a\x1b[31m\xe2\x80\xae\xff\xc2\x9b"));
    assert_memory_equal(b.p, "a\\x1b[31m\\u202e\\xff\\x9b", b.n);
    buf_reset(&b);
    safe_csv(&b, STR("=1+1\"x"));
    assert_memory_equal(b.p, "\"'=1+1\"\"x\"", b.n);
    buf_reset(&b);
    safe_csv(&b, STR(" \u00a0 @x"));
    assert_memory_equal(b.p, "\"' \u00a0 @x\"", b.n);
    buf_reset(&b);
    safe_html(&b, STR("<script>'\"&"));
    assert_memory_equal(b.p, "&lt;script&gt;&#39;&quot;&amp;", b.n);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_and_pieces), cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_what_holds_no_record), cmocka_unit_test(test_a_line_too_large),
        cmocka_unit_test(test_a_bad_record_of_a_list),
        cmocka_unit_test(test_records_that_are_json),
        cmocka_unit_test(test_faults_are_named),
        cmocka_unit_test(test_nothing_hides),     cmocka_unit_test(test_event_patterns),
        cmocka_unit_test(test_filters),           cmocka_unit_test(test_keywords),
        cmocka_unit_test(test_sigma),             cmocka_unit_test(test_rule_faults),
        cmocka_unit_test(test_builtin_rules_compile), cmocka_unit_test(test_split_roads_agree),
        cmocka_unit_test(test_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

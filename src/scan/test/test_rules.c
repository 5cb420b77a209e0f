/* The rule languages by tables: each line of one is a verdict, a rule and a record. And
 * what is wrong in a rule file, and where.
 *
 *     test_rules FOLDER_OF_TABLES */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scan/feed.h"
#include "scan/matcher.h"

static const char *folder;

struct seen {
    struct match_worker *w;
    size_t n;
    int faults;
};

static void on_record(void *x, struct record *r, uint64_t offset)
{
    struct seen *s = x;
    size_t n;
    (void)offset;
    match_record(s->w, r, &n);
    s->n += n;
}

static void on_fault(void *x, uint64_t offset, const char *what)
{
    (void)offset, (void)what;
    ((struct seen *)x)->faults++;
}

/* '1' or '0'; 'E' when the rule was not taken. */
static char verdict(const char *file, struct str rule, struct str record)
{
    struct rules *rs = rules_new();
    rules_load_text(rs, str_c(file), rule);
    rules_finish(rs);
    for (size_t i = 0; i < rs->faults.n; i++)
        print_message("%zu:%zu %.*s\n", rs->faults.v[i].line, rs->faults.v[i].column,
                      STR_ARG(rs->faults.v[i].text));
    char answer = 'E';
    if (rs->faults.n == 0 && rs->rules.n > 0) {
        struct matcher *m = NULL;
        assert_null(matcher_new(rs, &m));
        struct seen s = {.w = match_worker_new(m)};
        struct feed f;
        feed_init(&f, &rs->paths, (struct feed_sink){&s, on_record, on_fault});
        feed_start(&f);
        feed_take(&f, record.p, record.n, true);
        feed_clear(&f);
        assert_int_equal(s.faults, 0);
        answer = s.n > 0 ? '1' : '0';
        match_worker_free(s.w);
        matcher_free(m);
    }
    rules_free(rs);
    return answer;
}

static char *read_table(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    assert_true(n > 0 && n < (1 << 20) - 1);
    fclose(f);
    return text;
}

/* The record of a line has no eventName: each gets one, so that it is a record. */
static void table(const char *name, const char *file, const char *before, const char *after)
{
    char *text = read_table(name);
    struct str rest = str_c(text);
    size_t lines = 0, wrong = 0;
    while (rest.n > 0) {
        struct str line = str_cut(&rest, '\n');
        if (line.n == 0 || line.p[0] == '#')
            continue;
        struct str want = str_cut(&line, '\t'), rule = str_cut(&line, '\t');
        struct buf r = BUF_INIT(65536), rec = BUF_INIT(65536);
        buf_fmt(&r, "%s%.*s%s", before, STR_ARG(rule), after);
        buf_fmt(&rec, "{\"eventName\":\"N\",%.*s", STR_ARG(str_skip(line, 1)));
        char got = verdict(file, buf_view(&r), buf_view(&rec));
        lines++;
        if (want.n != 1 || got != want.p[0]) {
            wrong++;
            print_message("%s: %c instead of %.*s: %.*s on %.*s\n", name, got, STR_ARG(want),
                          STR_ARG(rule), STR_ARG(line));
        }
        buf_clear(&r);
        buf_clear(&rec);
    }
    free(text);
    assert_true(lines > 50);
    assert_int_equal(wrong, 0);
}

static void test_patterns(void **state)
{
    (void)state;
    table("patterns.txt", "t.json", "", "");
    table("patterns.txt", "t.json", "{\"detail\":", "}");
}

static void test_sigma(void **state)
{
    (void)state;
    table("sigma.txt", "t.yml", "{\"title\": \"t\", \"logsource\": {\"product\": \"aws\", "
                                "\"service\": \"cloudtrail\"}, \"detection\": ", "}");
}

static void test_filters(void **state)
{
    (void)state;
    table("filters.txt", "t.filter", "", "");
}

struct found {
    struct match_worker *w;
    const struct rules *rs;
    struct str id;
    bool yes;
};

static void on_builtin(void *x, struct record *r, uint64_t offset)
{
    struct found *f = x;
    size_t n;
    (void)offset;
    const uint32_t *m = match_record(f->w, r, &n);
    for (size_t i = 0; i < n; i++)
        f->yes = f->yes || str_eq(f->rs->rules.v[m[i]].id, f->id);
}

static void no_fault(void *x, uint64_t offset, const char *what)
{
    (void)x;
    fail_msg("byte %llu: %s", (unsigned long long)offset, what);
}

/* Each built-in rule on records that it is about and on others that are near; all rules at once, so
 * that the index is a part of it. No rule may be without both. */
static void test_builtin(void **state)
{
    (void)state;
    struct rules *rs = rules_new();
    rules_load_builtin(rs);
    rules_finish(rs);
    struct matcher *m = NULL;
    assert_null(matcher_new(rs, &m));
    unsigned char *seen = calloc(rs->rules.n, 1);
    assert_non_null(seen);
    char *text = read_table("builtin.txt");
    struct str rest = str_c(text);
    size_t wrong = 0;
    while (rest.n > 0) {
        struct str line = str_cut(&rest, '\n');
        if (line.n == 0 || line.p[0] == '#')
            continue;
        struct str want = str_cut(&line, '\t');
        struct found x = {.rs = rs, .id = str_cut(&line, '\t'), .w = match_worker_new(m)};
        struct feed f;
        feed_init(&f, &rs->paths, (struct feed_sink){&x, on_builtin, no_fault});
        feed_start(&f);
        feed_take(&f, line.p, line.n, true);
        feed_clear(&f);
        match_worker_free(x.w);
        if (x.yes != str_is(want, "1")) {
            wrong++;
            print_message("%.*s is not %.*s on %.*s\n", STR_ARG(x.id), STR_ARG(want),
                          STR_ARG(line));
        }
        for (size_t i = 0; i < rs->rules.n; i++) {
            if (str_eq(rs->rules.v[i].id, x.id))
                seen[i] |= str_is(want, "1") ? 1 : 2;
        }
    }
    for (size_t i = 0; i < rs->rules.n; i++) {
        if (rs->rules.v[i].corr == NULL && seen[i] != 3) {
            wrong++;
            print_message("%.*s has no two records\n", STR_ARG(rs->rules.v[i].id));
        }
    }
    free(text);
    free(seen);
    matcher_free(m);
    rules_free(rs);
    assert_int_equal(wrong, 0);
}

/* '*' and '?' by the definition, however long it takes. */
static bool fits(const char *w, const char *s)
{
    if (*w == '\0')
        return *s == '\0';
    if (*w == '*')
        return fits(w + 1, s) || (*s != '\0' && fits(w, s + 1));
    return *s != '\0' && (*w == '?' || *w == *s) && fits(w + 1, s + 1);
}

static void random_text(char *out, size_t most, const char *of, uint64_t *seed)
{
    size_t n = (size_t)(*seed >> 33) % (most + 1);
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 6364136223846793005U + 1442695040888963407U;
        out[i] = of[(*seed >> 33) % strlen(of)];
    }
    out[n] = '\0';
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
}

static void test_wildcards(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    uint64_t seed = 7;
    size_t yes = 0;
    for (int i = 0; i < 200000; i++) {
        char w[16], s[24];
        struct test t = {0};
        struct asker k = {0};
        random_text(w, 12, i % 3 == 0 ? "ab*?" : "aab*", &seed);
        random_text(s, 20, "aaab", &seed);
        test_wild(a, &t, str_c(w), true);
        struct val v = {.kind = VAL_STR, .s = str_c(s)};
        if (test_value(&k, &t, &v) != fits(w, s))
            fail_msg("%s on %s", w, s);
        yes += fits(w, s) ? 1 : 0;
        arena_reset(a);
    }
    assert_true(yes > 10000);
    arena_free(a);
}

/* What would take a step for each byte of the pattern at each byte of the value. */
static void test_wildcards_are_linear(void **state)
{
    (void)state;
    enum { N = 200000, M = 8000 };
    struct arena *a = arena_new(8 << 20);
    char *s = arena_alloc(a, N + 1), *w = arena_alloc(a, M + 4);
    memset(s, 'a', N);
    memset(w, 'a', M + 2);
    w[0] = '*';
    w[M] = 'b';
    struct test t = {0};
    struct asker k = {0};
    test_wild(a, &t, str_c(w), true);
    struct val v = {.kind = VAL_STR, .s = str_of(s, N)};
    for (int i = 0; i < 100; i++) /* with the product of both: 160,000,000,000 steps */
        assert_false(test_value(&k, &t, &v));
    struct test c = {.op = OP_CONTAINS, .icase = true};
    struct str needle = str_of(w + 1, M + 1);
    test_texts(a, &c, &needle, 1);
    for (int i = 0; i < 100; i++)
        assert_false(test_value(&k, &c, &v));
    memset(s + N - M, 'A', M - 1); /* and at the very end it is there */
    memcpy(s + N - 2, "BA", 2);
    assert_true(test_value(&k, &c, &v));
    arena_free(a);
}

/* What list-rules prints of an account: rules about other events are counted, and left out. */
static void test_elsewhere(void **state)
{
    static const char export[] =
        "{\"Rules\":[{\"Name\":\"a\",\"EventPattern\":\"{\\\"source\\\":[\\\"aws.iam\\\"]}\"},"
        "{\"Name\":\"b\","
        "\"EventPattern\":\"{\\\"detail-type\\\":[\\\"Tag Change on Resource\\\"]}\"},"
        "{\"Name\":\"c\",\"ScheduleExpression\":\"rate(1 day)\"}]}";
    static const char one[] =
        "{\"Name\":\"d\",\"EventPattern\":\"{\\\"source\\\":[\\\"aws.s3\\\"]}\"}";
    static const char mixed[] = "{\"detail-type\":[\"x\",\"AWS API Call via CloudTrail\"]}";
    static const char like[] = "{\"detail-type\":[{\"prefix\":\"AWS\"}]}";
    struct rules *rs = rules_new();
    (void)state;
    rules_load_text(rs, STR("export.json"), str_c(export));
    assert_int_equal(rs->rules.n, 1);
    assert_int_equal(rs->skipped.n, 1);
    assert_true(str_is(rs->skipped.v[0], "b"));
    rules_load_text(rs, STR("one.json"), str_c(one));
    rules_load_text(rs, STR("mixed.json"), str_c(mixed));
    rules_load_text(rs, STR("like.json"), str_c(like));
    assert_int_equal(rs->rules.n, 4);
    assert_true(str_is(rs->rules.v[1].id, "d"));
    rules_load_text(rs, STR("states.json"),
                    STR("{\"source\":[\"aws.ec2\"],"
                        "\"detail-type\":[\"EC2 Instance State-change Notification\"]}"));
    assert_int_equal(rs->rules.n, 4);
    assert_int_equal(rs->skipped.n, 2);
    rules_load_text(rs, STR("two.yml"), STR("{eventName: [x]}\n---\n{eventName: [y]}\n"));
    assert_int_equal(rs->rules.n, 6); /* several documents, and no JSON */
    assert_int_equal(rs->faults.n, 0);
    rules_free(rs);
}

static void test_placeholders(void **state)
{
    (void)state;
    const char rule[] = "placeholders:\n  admins: [alice, 'adm_*']\n  net: 10.0.0.0/8\n---\n"
                        "title: t\ndetection:\n  s:\n    u|expand: '%admins%'\n"
                        "    a|expand|cidr: '%net%'\n  condition: s\n";
    const char *yes[] = {"{\"eventName\":\"N\",\"u\":\"Alice\",\"a\":\"10.1.2.3\"}",
                         "{\"eventName\":\"N\",\"u\":\"ADM_x\",\"a\":\"10.1.2.3\"}"};
    const char *no[] = {"{\"eventName\":\"N\",\"u\":\"bob\",\"a\":\"10.1.2.3\"}",
                        "{\"eventName\":\"N\",\"u\":\"alice\",\"a\":\"11.1.2.3\"}"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(verdict("t.yml", str_c(rule), str_c(yes[i])), '1');
        assert_int_equal(verdict("t.yml", str_c(rule), str_c(no[i])), '0');
    }
    /* An escaped percent sign is one; without the modifier it is nothing special. */
    const char plain[] = "title: t\ndetection:\n  s:\n    u|expand: 'a\\%b%c'\n  condition: s\n";
    assert_int_equal(
        verdict("t.yml", str_c(plain), STR("{\"eventName\":\"N\",\"u\":\"a%b%c\"}")), '1');
    const char off[] = "title: t\ndetection:\n  s:\n    u: '%x%'\n  condition: s\n";
    assert_int_equal(verdict("t.yml", str_c(off), STR("{\"eventName\":\"N\",\"u\":\"%x%\"}")), '1');
}

/* -- faults: file, text, "line:column", and a part of what is said -- */
#define SIGMA(detection) "title: t\ndetection:\n" detection
static const struct {
    const char *file, *text, *place, *says;
} faults[] = {
    {"r.json", "{\n \"a\": [{\"prefix\": 5}]}", "2:10", "takes a text"},
    {"r.json", "{\"b\": [1],\n \"a\": [{\"near\": \"x\"}]}", "2:10", "not known"},
    {"r.json", "{\"a\": [1],\n\"a\": [2]}", "1:3", "stands twice"},
    {"r.json", "{\"a\": [1}", "1:", ""},
    {"r.json", "{\"a\": \"x\"}", "1:3", "value is a list"},
    {"r.json", "{\"a\": []}", "1:3", "empty"},
    {"r.json", "{\"a\": {}}", "1:3", "empty"},
    {"r.json", "{\"a\": [[1]]}", "1:3", "list within"},
    {"r.json", "{\"a\": [{\"anything-but\": [\"x\", 3]}]}", "1:10", "a list of texts"},
    {"r.json", "{\"a\": [{\"anything-but\": {\"cidr\": \"10.0.0.0/8\"}}]}", "1:10",
     "does not know"},
    {"r.json", "{\"a\": [{\"wildcard\": \"a**b\"}]}", "1:22", "side by side"},
    {"r.json", "{\"a\": [{\"wildcard\": \"a\\\\qb\"}]}", "1:", "backslash"},
    {"r.json", "{\"a\": [{\"numeric\": [\"<\", 5, \">\", 1]}]}", "1:10", "numeric"},
    {"r.json", "{\"a\": [{\"numeric\": [\">\", 5, \"<\", 1]}]}", "1:10", "numeric"},
    {"r.json", "{\"a\": [{\"cidr\": \"10.0.0.0/33\"}]}", "1:10", "network"},
    {"r.json", "{\"a\": [{\"exists\": \"yes\"}]}", "1:10", "true or false"},
    {"r.json", "{\"$or\": [{\"a\": [1]}]}", "1:3", "two or more"},
    {"r.json", "{\"source\": [\"aws.s3\"], \"sourc\": [\"x\"]}", "1:25", "envelope"},
    {"r.json", "{\"source\": [\"aws.ec2\"], \"resources\": [\"x\"]}", "1:26", "is empty"},
    {"r.filter", "{ $.a = }", "1:9", "value is missing"},
    {"r.filter", "{ $.a ~ 5 }", "1:", "operator is missing"},
    {"r.filter", "{ a = 5 }", "1:", "begins with $"},
    {"r.filter", "{ ($.a = 1 }", "1:", "closing ) is missing"},
    {"r.filter", "{ $.a = 1 } x", "1:", "text behind"},
    {"r.filter", "{ $.a > x }", "1:", "with a number"},
    {"r.filter", "[a, b]", "1:1", "do not apply"},
    {"r.filter", "?a b", "1:", "ignored beside"},
    {"r.filter", "", "1:1", "empty"},
    {"r.filter", "{ ($.a = 1) AND ($.b = 2) }", "1:13", "&&, || or a closing }"},
    {"r.filter", "{ $.a == 1 }", "1:8", "one ="},
    {"r.filter", "{ $.*[*] = 1 }", "1:", "stands behind a name"},
    {"r.filter", "{ $.a[0][*] = 1 }", "1:", "behind a name"},
    {"r.filter", "{ $.a[*][0] = 1 }", "1:", "behind [*]"},
    {"r.json", "{\"source\": \"aws.iam\", \"detail\": {\"a\": [1]}}", "1:3", "value is a list"},
    {"r.json", "{\"EventPattern\": \"{}\"}", "1:", "has a Name"},
    {"r.json", "{\"Rules\": [{\"Name\": \"a\", \"EventPattern\": 5}]}", "1:", "is a text"},
    {"r.json", "{\"metricFilters\": [{\"filterName\": \"a\"}]}", "1:", "a filterPattern"},
    {"k.json", "{\"source\": \"(\", \"regexp\": \"a\"}", "1:", "not taken"},
    {"k.json", "{\"source\": \"a\",\n \"regexp\": \"(?=x)\"}", "2:", "not taken"},
    {"k.json", "{\"source\": \"a\", \"regexp\": \"a\",\n\"sources\": 1}", "2:2", "no member"},
    {"k.json", "{\"source\": \"a\", \"regexp\": 5}", "1:", "text"},
    {"k.json", "{\"source\": \"a\", \"regexp\": \"a\", \"sns\": []}", "1:", "an object"},
    {"s.yml", SIGMA("  s:\n    a|what: 1\n  condition: s\n"), "4:5", "modifier that is not known"},
    {"s.yml", SIGMA("  s:\n    a|re|cidr: 1\n  condition: s\n"), "4:5", "two modifiers"},
    {"s.yml", SIGMA("  s:\n    a|exists|contains: true\n  condition: s\n"), "4:5", "stands alone"},
    {"s.yml", SIGMA("  s:\n    a|gt: many\n  condition: s\n"), "4:11", "not a number"},
    {"s.yml", SIGMA("  s:\n    a|cidr: x/8\n  condition: s\n"), "4:13", "not a network"},
    {"s.yml", SIGMA("  s:\n    a|re: '(?<=x)y'\n  condition: s\n"), "4:12", "not taken"},
    {"s.yml", SIGMA("  s:\n    a|expand: '%Admins%'\n  condition: s\n"), "4:16", "placeholder"},
    {"s.yml", SIGMA("  s:\n    a|base64: 'x*'\n  condition: s\n"), "4:16", "encoded"},
    {"s.yml", SIGMA("  s:\n    a: {b: 1}\n  condition: s\n"), "4:5", "list or map"},
    {"s.yml", SIGMA("  s:\n    a: []\n  condition: s\n"), "4:5", "empty"},
    {"s.yml", SIGMA("  s: []\n  condition: s\n"), "3:3", "empty"},
    {"s.yml", SIGMA("  s:\n    a: 1\n"), "2:1", "no condition"},
    {"s.yml", SIGMA("  s:\n    a: 1\n  condition: t\n"), "5:", "names no selection"},
    {"s.yml", SIGMA("  s:\n    a: 1\n  condition: s s\n"), "5:", "text behind"},
    {"s.yml", SIGMA("  s:\n    a: '*"
                    "?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n"
                    "  condition: s\n"), "4:", "longer than 128"},
    {"s.yml", SIGMA("  s:\n    a: 1\n  condition: (s\n"), "5:", ") is missing"},
    {"s.yml", SIGMA("  s:\n    a: 1\n  condition: 1 of t*\n"), "5:", "no selection has"},
    {"s.yml", SIGMA("  s:\n    a: 1\n  condition: s | sum(b) > 5\n"), "5:", "only count()"},
    {"s.yml", "title: [\n", "2:1", ""},
    {"s.yml", "title: 5\ndetection:\n  s:\n    a: 1\n  condition: s\n", "1:1", "a text"},
    {"s.yml", "title: t\ndetection: []\n", "2:1", "a map"},
    {"s.yml", "title: t\nlevel: loud\ndetection:\n  s:\n    a: 1\n  condition: s\n", "2:8",
     "not a level"},
    {"s.yml", "title: t\nfilter:\n  rules: [x]\n", "2:1", "filters are not supported"},
    {"s.yml", "title: ok\ndetection:\n  s:\n    a: 1\n  condition: s\n---\ntitle: t\ndetection:\n"
              "  s:\n    b|what: 1\n  condition: s\n", "10:5", "not known"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_counts\n", "3:9", "event_count"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_count\n  rules: a\n  timespan: 5 minutes\n",
     "5:3", "timespan"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_count\n  rules: a\n  timespan: 5m\n",
     "2:1", "need a condition"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_count\n  rules: a\n  timespan: 5m\n"
              "  group_by: [a]\n  condition: {gte: 2}\n", "6:3", "no such member"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_count\n  rules: a\n  timespan: 5m\n"
              "  condition: {gte: x}\n", "6:15", "whole number"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_count\n  rules: a\n  timespan: 5m\n"
              "  condition: {gte: 5, lt: 5}\n", "6:3", "no count can be both"},
    {"c.yml", "title: c\ncorrelation:\n  type: value_count\n  rules: a\n  timespan: 5m\n"
              "  condition: {gte: 5}\n", "6:3", "needs a field"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n"
              "  condition: a and b or d\n", "6:25", "not among"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n"
              "  condition: a or not a\n", "4:", "does not name this rule"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n"
              "  condition: a or not b\n", "6:14", "no event at all"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n"
              "  condition: (a and b\n", "6:14", ") is missing"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n"
              "  condition: 1 of them\n", "6:14", "not among"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a, b]\n  timespan: 5m\n"
              "  condition: a and b | count() > 1\n", "6:", "behind the condition"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal_ordered\n  rules: [a, b]\n"
              "  timespan: 5m\n  condition: a or b\n", "6:14", "by \"and\" only"},
    {"c.yml", "title: c\ncorrelation:\n  type: event_count\n  rules: [a, b]\n"
              "  timespan: 5m\n  condition: a and b\n", "6:14", "needs a count"},
    {"g.yml", "action: global\ntitle: t\nlogsource: {product: aws}\n", "1:1", "first version"},
    {"c.yml", "title: c\ncorrelation:\n  type: temporal\n  rules: [a]\n  timespan: 5m\n"
              "  group-by: [u]\n  aliases: {u: {b: x}}\n", "7:", "does not name"},
    {"c.yml", "title: c\nid: c\ncorrelation:\n  type: temporal\n  rules: [a]\n  timespan: 5m\n",
     "1:1", "not there: a"},
    {"o.yml", "rules:\n  - id: x\n    title: t\n    pattern: {a: [1]}\n  - id: y\n    titel: t\n"
              "    pattern: {a: [1]}\n", "6:5", "no member \"titel\""},
    {"o.yml", "rules:\n  - id: x\n    pattern: {a: [1]}\n  - id: y\n    pattern: {a: x}\n",
     "5:15", "value is a list"},
    {"o.yml", "rules:\n  - id: x\n", "2:9", "has no pattern"},
    {"o.yml", "rules:\n  - id: x\n    pattern: {a: [1]}\n  - id: x\n    pattern: {a: [1]}\n", "4:1",
     "taken by another"},
    {"x.json", "[1, 2]", "1:1", "no rule language"},
    {"x.json", "\xff", "1:1", "UTF-8"},
};

static void test_faults(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct rules *rs = rules_new();
        rules_load_text(rs, str_c(faults[i].file), str_c(faults[i].text));
        rules_finish(rs);
        char place[64] = "none";
        if (rs->faults.n > 0)
            snprintf(place, sizeof place, "%zu:%zu", rs->faults.v[0].line, rs->faults.v[0].column);
        const char *says = rs->faults.n > 0 ? rs->faults.v[0].text.p : "";
        if (strncmp(place, faults[i].place, strlen(faults[i].place)) != 0 ||
            strstr(says, faults[i].says) == NULL) {
            wrong++;
            print_message("%s\n  %s instead of %s: %s\n", faults[i].text, place, faults[i].place,
                          says);
        }
        rules_free(rs);
    }
    assert_int_equal(wrong, 0);
}

static void test_cycles_and_chains(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "title: r0\nname: r0\ndetection:\n  s:\n    a: 1\n  condition: s\n");
    for (int i = 1; i <= 40; i++)
        buf_fmt(&b, "---\ntitle: r%d\nname: r%d\ncorrelation:\n  type: event_count\n  rules: r%d\n"
                    "  timespan: 1m\n  condition: {gte: 2}\n", i, i, i - 1);
    struct rules *rs = rules_new();
    rules_load_text(rs, STR("c.yml"), buf_view(&b));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 40 - 16);
    assert_non_null(strstr(rs->faults.v[0].text.p, "more than 16"));
    rules_free(rs);
    buf_clear(&b);
}

static void test_other_products(void **state)
{
    (void)state;
    struct rules *rs = rules_new();
    rules_load_text(rs, STR("w.yml"),
                    STR("title: w\nname: w\nlogsource: {category: process_creation, product: "
                        "windows}\ndetection:\n  s:\n    a: 1\n  condition: s\n---\ntitle: c\n"
                        "name: c\ncorrelation:\n  type: event_count\n  rules: [w]\n  timespan: 1m\n"
                        "  condition: {gte: 2}\n"));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 0);
    assert_int_equal(rs->skipped.n, 2); /* the correlation has nothing to count */
    rules_free(rs);
}

/* Neither an id nor a name has to be given: the file and the line tell the rules apart. */
static void test_rules_without_a_name(void **state)
{
    (void)state;
    struct rules *rs = rules_new();
    rules_load_text(rs, STR("x/bunch.yml"),
                    STR("title: a\ndetection:\n  s:\n    a: 1\n  condition: s\n---\n"
                        "title: b\ndetection:\n  s:\n    a: 2\n  condition: s\n---\n"
                        "title: c\nid: c\ncorrelation:\n  type: event_count\n"
                        "  rules: [bunch, 'bunch:7']\n  timespan: 1m\n  condition: {gte: 2}\n"));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 0);
    assert_int_equal(rs->rules.n, 3);
    assert_true(str_is(rs->rules.v[0].id, "bunch"));
    assert_true(str_is(rs->rules.v[1].id, "bunch:7"));
    rules_free(rs);
}

/* 300 correlations, each by fields of its own, over one rule: bounded, and said. */
static void test_correlations_that_ask_too_much(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "title: b\nname: b\ndetection: {s: {a: 1}, condition: s}\n");
    for (int i = 0; i < 300; i++)
        buf_fmt(&b, "---\ntitle: c%d\nname: c%d\ncorrelation: {type: event_count, rules: [b], "
                    "group-by: [f%d], timespan: 1m, condition: {gte: 2}}\n", i, i, i);
    buf_c(&b, "---\ntitle: top\ncorrelation: {type: temporal, rules: [c1, c2], group-by: [g], "
              "timespan: 1m}\n");
    struct rules *rs = rules_new();
    rules_load_text(rs, STR("r.yml"), buf_view(&b));
    rules_finish(rs);
    assert_int_equal(rs->rules.n, 302);
    assert_int_equal(rs->faults.n, 300 - RULE_KEEP_MAX);
    assert_true(str_find(rs->faults.v[0].text, STR("more than 120 fields")) > 0);
    assert_int_equal(rs->rules.v[0].n_keep, RULE_KEEP_MAX);
    assert_int_equal(rs->rules.v[2].n_keep, 1); /* c1 keeps what the one above it asks for */
    rules_free(rs);
    buf_clear(&b);
}

/* Aliases that grow, a document in many parts, a name that is a megabyte: bounded, and said. */
static void test_yaml_that_grows(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(1 << 20);
    buf_c(&b, "a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (char c = 'b'; c <= 'i'; c++) {
        buf_fmt(&b, "%c: &%c [", c, c);
        for (int i = 0; i < 10; i++)
            buf_fmt(&b, "%s*%c", i > 0 ? ", " : "", c - 1);
        buf_c(&b, "]\n");
    }
    buf_c(&b, "title: t\ndetection:\n  s:\n    f: *i\n  condition: s\n");
    struct rules *rs = rules_new();
    rules_load_text(rs, STR("bomb.yml"), buf_view(&b));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 1);
    assert_int_equal(rs->rules.n, 0);
    buf_reset(&b);
    buf_c(&b, "title: t\ndetection:\n  s:\n    a|windash:\n");
    for (int i = 0; i < 900; i++) /* each becomes 125 */
        buf_fmt(&b, "      - '-a -b -c%d'\n", i);
    buf_c(&b, "  condition: s\n");
    rules_load_text(rs, STR("dashes.yml"), buf_view(&b));
    assert_int_equal(rs->faults.n, 2);
    assert_true(str_find(rs->faults.v[1].text, STR("more than 100000 values")) > 0);
    rules_free(rs);
    buf_clear(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),          cmocka_unit_test(test_sigma),
        cmocka_unit_test(test_filters),           cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_elsewhere),         cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_wildcards_are_linear),
        cmocka_unit_test(test_rules_without_a_name),
        cmocka_unit_test(test_correlations_that_ask_too_much),
        cmocka_unit_test(test_faults),            cmocka_unit_test(test_cycles_and_chains),
        cmocka_unit_test(test_other_products),    cmocka_unit_test(test_yaml_that_grows),
        cmocka_unit_test(test_builtin),
    };
    if (argc != 2)
        return 2;
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

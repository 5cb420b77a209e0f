/* The short cuts of the matcher against the long way: every rule asked of every record, every text
 * looked for at every place, every expression given to Hyperscan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scan/feed.h"
#include "scan/grams.h"
#include "scan/matcher.h"
#include "scan/regex.h"

static uint32_t seed = 20240131;

static uint32_t below(uint32_t n)
{
    seed = seed * 1103515245U + 12345U;
    return (seed >> 12) % n;
}

#define PICK(list) ((list)[below(ARRAY_LEN(list))])

/* -- rules -- */
static const char *const names[] = {"GetObject", "PutObject", "DeleteTrail", "StopLogging",
                                    "CreateUser"};
static const char *const sources[] = {"s3", "iam", "kms", "cloudtrail"};
static const char *const texts[] = {
    "alpha", "alpha-one", "ALPHA-TWO", "beta/tool", "arn:aws:iam::1:user/x", "10.1.2.3",
    "10.1.9.9", "2001:db8::7", "gamma \\\"quoted\\\"", "del\\\\ta", "\\u0061lpha-one", "", "true",
    "evil-tool-1", "evil-tool-2/3",
    ("a-long-text-that-goes-on-and-on-until-it-fills-more-than-two-lines-of-a-cache-and-then-some-"
     "evil-tool-1-at-its-end-alpha")};
static const char *const paths[] = {"userAgent", "sourceIPAddress", "requestParameters.bucketName",
                                    "requestParameters.a.b", "userIdentity.arn",
                                    "userIdentity.userName", "resources.ARN", "errorMessage",
                                    "userIdentity.type"};
static const char *const pieces[] = {"alpha", "tool", "arn:aws", "evil-tool-", "user/", "one",
                                     "gamma", "lta", "at its", "line"};

static void pattern_value(struct buf *b)
{
    switch (below(9)) {
    case 0: buf_fmt(b, "[\"%s\"]", PICK(texts)); break;
    case 1: buf_fmt(b, "[\"%s\",\"%s\"]", PICK(texts), PICK(texts)); break;
    case 2: buf_fmt(b, "[{\"prefix\":\"%s\"}]", PICK(pieces)); break;
    case 3: buf_fmt(b, "[{\"suffix\":\"%s\"}]", PICK(pieces)); break;
    case 4: buf_fmt(b, "[{\"wildcard\":\"*%s*%s*\"}]", PICK(pieces), PICK(pieces)); break;
    case 5: buf_fmt(b, "[{\"cidr\":\"10.1.%u.0/%u\"}]", below(12), 16 + below(16)); break;
    case 6: buf_fmt(b, "[{\"exists\":%s}]", below(2) ? "true" : "false"); break;
    case 7: buf_fmt(b, "[{\"anything-but\":\"%s\"}]", PICK(texts)); break;
    default: buf_fmt(b, "[{\"equals-ignore-case\":\"%s\"}]", PICK(texts)); break;
    }
}

static void pattern_member(struct buf *b, const char *path)
{
    const char *dot = strchr(path, '.');
    if (dot == NULL) {
        buf_fmt(b, "\"%s\":", path);
        pattern_value(b);
        return;
    }
    buf_fmt(b, "\"%.*s\":{", (int)(dot - path), path);
    pattern_member(b, dot + 1);
    buf_char(b, '}');
}

static void pattern_rule(struct buf *b)
{
    buf_char(b, '{');
    if (below(3) > 0)
        buf_fmt(b, "\"eventName\":[\"%s\",\"%s\"],", PICK(names), PICK(names));
    if (below(3) == 0)
        buf_fmt(b, "\"eventSource\":[\"%s.amazonaws.com\"],", PICK(sources));
    if (below(6) == 0)
        buf_c(b, "\"errorCode\":[{\"prefix\":\"Acc\"},\"Other\"],");
    if (below(5) == 0) {
        buf_c(b, "\"$or\":[{");
        pattern_member(b, PICK(paths));
        buf_c(b, below(2) ? "},{\"eventName\":[{\"suffix\":\"Trail\"}]}]," : "},{\"zeta\":[1]}],");
    }
    pattern_member(b, PICK(paths));
    buf_char(b, '}');
}

static void sigma_rule(struct buf *b, unsigned n)
{
    static const char *const mods[] = {"", "|contains", "|startswith", "|endswith"};
    buf_fmt(b, "title: t%u\nid: sigma-%u\nlogsource:\n  product: aws\n  service: cloudtrail\n"
               "detection:\n  a:\n    %s%s: '%s'\n", n, n, PICK(paths), PICK(mods), PICK(pieces));
    if (below(2))
        buf_fmt(b, "  b:\n    eventName: %s\n", PICK(names));
    else
        buf_fmt(b, "  b:\n    eventName|re: '%s'\n", below(2) ? "^(Get|Put).*t$" : "Dele|Log");
    buf_fmt(b, "  k:\n    - '%s'\n    - 'evil-tool-%u'\n", PICK(pieces), below(3));
    buf_fmt(b, "  condition: %s\nlevel: low\n---\n",
            (const char *const[]){"a", "a and b", "a or b", "k", "k and not b", "a and not k",
                                  "b and not a"}[below(7)]);
}

static void filter_rule(struct buf *b)
{
    buf_fmt(b, "{ ($.%s %s \\\"%s*\\\") && ($.eventName = %s || $.%s = \\\"*%s*\\\") }",
            PICK(paths), below(3) ? "=" : "!=", PICK(pieces), PICK(names), PICK(paths),
            PICK(pieces));
}

static struct rules *make_rules(unsigned count)
{
    struct rules *rs = rules_new();
    struct buf own = BUF_INIT(1 << 20), sigma = BUF_INIT(1 << 20), keys = BUF_INIT(1 << 20);
    buf_c(&own, "{\"rules\":[");
    buf_c(&keys, "[");
    for (unsigned i = 0; i < count; i++) {
        buf_fmt(&own, "%s{\"id\":\"own-%u\",\"%s\":", i > 0 ? "," : "", i,
                i % 3 == 2 ? "filter" : "pattern");
        if (i % 3 == 2) {
            buf_char(&own, '"');
            filter_rule(&own);
            buf_char(&own, '"');
        } else {
            pattern_rule(&own);
        }
        buf_char(&own, '}');
        sigma_rule(&sigma, i);
        buf_fmt(&keys, "%s{\"source\":\"%s.amazon\",\"regexp\":\"%s\",\"name\":\"key-%u\"}",
                i > 0 ? "," : "", PICK(sources), below(2) ? "^(Get|Stop)" : "[A-Z]ser|Obj.ct$", i);
    }
    buf_c(&own, "]}");
    buf_c(&keys, "]");
    rules_load_text(rs, STR("own.json"), buf_view(&own));
    rules_load_text(rs, STR("sigma.yml"), buf_view(&sigma));
    rules_load_text(rs, STR("keys.json"), buf_view(&keys));
    rules_finish(rs);
    for (size_t i = 0; i < rs->faults.n; i++)
        print_message("%.*s\n", STR_ARG(rs->faults.v[i].text));
    assert_int_equal(rs->faults.n, 0);
    assert_int_equal(rs->rules.n, 3 * count);
    buf_clear(&own);
    buf_clear(&sigma);
    buf_clear(&keys);
    return rs;
}

/* -- records -- */
static void value(struct buf *b)
{
    switch (below(10)) {
    case 0: buf_fmt(b, "[\"%s\",\"%s\"]", PICK(texts), PICK(texts)); break;
    case 1: buf_c(b, below(2) ? "null" : "{\"b\":{\"alpha\":\"evil-tool-1\"}}"); break;
    case 2: buf_c(b, below(2) ? "true" : "[]"); break;
    default: buf_fmt(b, "\"%s\"", PICK(texts)); break;
    }
}

static void member(struct buf *b, const char *name)
{
    buf_fmt(b, below(8) ? ",\"%s\":" : " ,\n\"%s\" : ", name);
    value(b);
}

static void record(struct buf *b)
{
    buf_fmt(b, "{\"eventVersion\":\"1\",\"eventName\":\"%s\"", PICK(names));
    if (below(12) == 0)
        buf_fmt(b, ",\"%s\":\"%s\"", below(2) ? "eventName" : "event\\u004eame", PICK(names));
    buf_fmt(b, ",\"eventSource\":\"%s.amazonaws.com\"", PICK(sources));
    buf_c(b, ",\"userIdentity\":");
    if (below(15) == 0) {
        buf_c(b, "[{\"type\":\"Root\",\"arn\":\"alpha\"},{\"userName\":\"beta/tool\"}]");
    } else {
        buf_fmt(b, "{\"%s\":\"%s\"", below(15) ? "type" : "ty\\u0070e",
                below(3) ? "IAMUser" : "Root");
        member(b, "arn");
        if (below(2))
            member(b, "userName");
        buf_char(b, '}');
    }
    if (below(3) == 0)
        buf_fmt(b, ",\"errorCode\":\"%s\"", below(2) ? "AccessDenied" : "Other");
    for (int i = 0; i < 3; i++)
        member(b, (const char *const[]){"userAgent", "sourceIPAddress", "errorMessage",
                                        "zeta"}[below(4)]);
    switch (below(4)) {
    case 0: buf_c(b, ",\"requestParameters\":null"); break;
    case 1:
        buf_c(b, ",\"requestParameters\":[{\"bucketName\":\"alpha\"},"
                 "{\"a\":{\"b\":\"alpha-one\"}}]");
        break;
    default:
        buf_c(b, ",\"requestParameters\":{\"x\":1");
        member(b, "bucketName");
        buf_c(b, ",\"a\":{\"c\":[1,2]");
        member(b, "b");
        buf_c(b, "}}");
        break;
    }
    if (below(3) == 0)
        buf_c(b, ",\"resources\":[{\"ARN\":\"arn:aws:iam::1:user/x\"},{\"ARN\":\"beta/tool\"}]");
    buf_char(b, '}');
}

struct compare {
    struct match_worker *w;
    const struct rules *rs;
    size_t records, held;
    bool *found;
};

static void on_record(void *x, struct record *r, uint64_t offset)
{
    struct compare *c = x;
    size_t n;
    (void)offset;
    const uint32_t *m = match_record(c->w, r, &n);
    memset(c->found, 0, c->rs->rules.n);
    for (size_t i = 0; i < n; i++) {
        assert_false(c->found[m[i]]); /* once */
        c->found[m[i]] = true;
    }
    c->records++;
    c->held += n;
    for (size_t i = 0; i < c->rs->rules.n; i++) {
        if (match_one(c->w, r, c->rs->rules.v[i].expr) != c->found[i]) {
            struct str text = record_text(r);
            fail_msg("%.*s is wrong on %.*s", STR_ARG(c->rs->rules.v[i].id), STR_ARG(text));
        }
    }
}

static void on_fault(void *x, uint64_t offset, const char *what)
{
    (void)x, (void)offset;
    assert_non_null(strstr(what, "stands twice"));
}

static struct compare compare_all(unsigned count, int files)
{
    struct rules *rs = make_rules(count);
    struct matcher *m = NULL;
    struct err *e = matcher_new(rs, &m);
    assert_null(e);
    struct compare c = {.w = match_worker_new(m), .rs = rs, .found = calloc(rs->rules.n, 1)};
    struct feed f;
    struct buf b = BUF_INIT(1 << 20);
    feed_init(&f, &rs->paths, (struct feed_sink){&c, on_record, on_fault});
    for (int i = 0; i < files; i++) {
        buf_reset(&b);
        buf_c(&b, "{\"Records\":[");
        for (int k = 0; k < 20; k++) {
            buf_c(&b, k > 0 ? "," : "");
            record(&b);
        }
        buf_c(&b, "]}");
        feed_start(&f);
        feed_take(&f, b.p, b.n, true);
    }
    buf_clear(&b);
    feed_clear(&f);
    match_worker_free(c.w);
    matcher_free(m);
    free(c.found);
    rules_free(rs);
    return c;
}

static void test_short_cuts_change_no_verdict(void **state)
{
    (void)state;
    struct compare c = compare_all(400, 100);
    assert_int_equal(c.records, 2000);
    assert_true(c.held > 50000); /* neither nothing nor all */
    assert_true(c.held < 2000 * 1200 / 2);
}

/* With few rules most values call for nothing, and it is remembered of them. */
static void test_what_is_remembered_changes_no_verdict(void **state)
{
    (void)state;
    size_t held = 0;
    for (int round = 0; round < 100; round++)
        held += compare_all(1 + below(2), 15).held;
    assert_true(held > 10000);
}

static void on_identity(void *x, struct record *r, uint64_t offset)
{
    size_t *known = x;
    (void)offset;
    if (r->sp->any_slash) { /* a name that only its decoding tells */
        assert_true(r->odd);
        return;
    }
    assert_false(r->odd);
    assert_true(str_is(record_slot(r, SLOT_IDENTITY), *known % 2 ? "IAMUser" : "Root"));
    if (*known > 0) /* the first one teaches where to look */
        assert_ptr_equal(r->known_identity, &r->known[(*known + 1) % 2]);
    (*known)++;
}

/* Each is read once, and then told by its bytes. */
static void test_identities_that_come_again(void **state)
{
    (void)state;
    struct rules *rs = rules_new();
    struct buf b = BUF_INIT(1 << 16);
    struct feed f;
    size_t known = 0;
    for (int i = 0; i < 10; i++)
        buf_fmt(&b, "{\"eventName\":\"x\",\"userIdentity\":{\"type\":\"%s\",\"a\":[{},%d]}}\n",
                i % 2 ? "IAMUser" : "Root", i % 2);
    feed_init(&f, &rs->paths, (struct feed_sink){&known, on_identity, on_fault});
    feed_start(&f);
    feed_take(&f, b.p, b.n, true);
    assert_int_equal(known, 10);
    buf_reset(&b);
    for (int i = 0; i < 3; i++)
        buf_c(&b, "{\"eventName\":\"x\",\"userIdentity\":"
                  "{\"ty\\u0070e\":\"Root\",\"a\":[{},0]}}\n");
    feed_start(&f);
    feed_take(&f, b.p, b.n, true);
    buf_clear(&b);
    feed_clear(&f);
    rules_free(rs);
}

/* Rules of one call that look into an object's text, which no gate looks at. */
static void test_objects_pass_the_gates(void **state)
{
    (void)state;
    struct rules *rs = rules_new();
    struct matcher *m = NULL;
    struct feed f;
    rules_load_text(rs, STR("sigma.yml"),
                    STR("title: t\nid: one\nlogsource:\n  product: aws\n  service: cloudtrail\n"
                        "detection:\n  a:\n    eventName: GetObject\n"
                        "    requestParameters.bucketName|contains: alpha\n"
                        "  condition: a\nlevel: low\n"));
    rules_finish(rs);
    assert_int_equal(rs->faults.n, 0);
    struct err *e = matcher_new(rs, &m);
    assert_null(e);
    struct compare c = {.w = match_worker_new(m), .rs = rs, .found = calloc(1, 1)};
    struct str text = STR("{\"eventName\":\"GetObject\",\"requestParameters\":"
                          "{\"bucketName\":{\"b\":\"alpha\"}}}");
    feed_init(&f, &rs->paths, (struct feed_sink){&c, on_record, on_fault});
    feed_start(&f);
    feed_take(&f, text.p, text.n, true);
    assert_int_equal(c.held, 1);
    feed_clear(&f);
    match_worker_free(c.w);
    matcher_free(m);
    free(c.found);
    rules_free(rs);
}

/* -- texts -- */
struct hits {
    bool *of;
};

static void on_text(void *x, uint32_t text)
{
    ((struct hits *)x)->of[text] = true;
}

static bool has(struct str s, struct str text, struct arena *a)
{
    return str_find(fold(a, s), text) >= 0;
}

static void compare_texts(struct arena *a, size_t n, size_t length)
{
    static const char letters[] = "abcdABCD-12";
    struct str *t = ARENA_ARRAY(a, n, struct str);
    for (size_t i = 0; i < n; i++) {
        char text[16];
        size_t k = 4 + below(9);
        for (size_t j = 0; j < k; j++)
            text[j] = letters[below(4)];
        t[i] = fold(a, str_of(text, k));
    }
    const struct grams *g = grams_new(a, t, n, true);
    struct hits h = {ARENA_ARRAY(a, n, bool)};
    char *s = arena_alloc_raw(a, length + 1);
    for (size_t j = 0; j < length; j++)
        s[j] = letters[below(sizeof letters - 1)];
    for (int road = GRAMS_PORTABLE; road <= GRAMS_WIDE; road++) {
        memset(h.of, 0, n);
        grams_limit((enum grams_road)road);
        grams_find(g, str_of(s, length), on_text, &h);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(h.of[i], has(str_of(s, length), t[i], a));
    }
    grams_limit(GRAMS_WIDE);
}

static void test_all_texts_are_found(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct arena *a = arena_new(1 << 22);
        compare_texts(a, 1 + below((uint32_t[]){12, 90, 700}[round % 3]), below(400));
        arena_free(a);
    }
}

/* -- expressions -- */
static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *x)
{
    (void)id, (void)from, (void)to, (void)flags;
    *(bool *)x = true;
    return 1;
}

static void compare_regex(const struct regex *own, const char *re, bool icase, bool dot_all)
{
    static const char letters[] = "abcABx0.\n -_";
    hs_database_t *db = NULL;
    hs_compile_error_t *fault = NULL;
    hs_scratch_t *scratch = NULL;
    unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | (icase ? HS_FLAG_CASELESS : 0) |
                     (dot_all ? HS_FLAG_DOTALL : 0);
    if (hs_compile(re, flags, HS_MODE_BLOCK, NULL, &db, &fault) != HS_SUCCESS)
        fail_msg("taken: %s", re);
    assert_int_equal(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
    const struct str *need;
    size_t n_need = regex_texts(own, &need);
    for (int i = 0; i < 60; i++) {
        char s[16];
        unsigned n = below(12);
        for (unsigned k = 0; k < n; k++)
            s[k] = letters[below(sizeof letters - 1)];
        bool yes = false;
        hs_scan(db, s, n, 0, scratch, on_match, &yes);
        if (regex_search(own, str_of(s, n)) != yes)
            fail_msg("%s on \"%.*s\"", re, (int)n, s);
        bool some = n_need == 0 || icase || strncmp(re, "(?i)", 4) == 0;
        for (size_t k = 0; k < n_need; k++)
            some = some || str_find(str_of(s, n), need[k]) >= 0;
        assert_true(!yes || some);
    }
    hs_free_scratch(scratch);
    hs_free_database(db);
}

static void test_expressions_are_hyperscan_s(void **state)
{
    static const char *const bits[] = {
        "a", "b", "c", "ab", "A", "\\.", ".", ".*", "(a|b)", "(?:ab|c)", "[abc]", "[^a]", "[a-c]",
        "a?", "b+", "c*", "(ab)+", "^", "$", "|", "\\d", "\\w", "\\s", "x{2}", "a{1,3}", "b{2,}",
        "[0-9]", "(a*|b)", "-", "_", "(", ")", "\\n", "[\\w.]", "(a|b|)", "a+?", "{", "]", "\\b",
        "(?i)", "[a-", "[]a]", "(^a)", "a$b"};
    (void)state;
    size_t taken = 0;
    for (int round = 0; round < 1500; round++) {
        struct buf re = BUF_INIT(256);
        for (unsigned n = 1 + below(6); n > 0; n--)
            buf_c(&re, PICK(bits));
        bool icase = below(3) == 0, dot_all = below(3) == 0;
        struct arena *a = arena_new(1 << 20);
        const struct regex *own = regex_new(a, buf_view(&re), icase, dot_all);
        buf_char(&re, '\0');
        if (own != NULL)
            compare_regex(own, re.p, icase, dot_all);
        taken += own != NULL;
        arena_free(a);
        buf_clear(&re);
    }
    assert_true(taken > 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_cuts_change_no_verdict),
        cmocka_unit_test(test_what_is_remembered_changes_no_verdict),
        cmocka_unit_test(test_identities_that_come_again),
        cmocka_unit_test(test_objects_pass_the_gates),
        cmocka_unit_test(test_all_texts_are_found),
        cmocka_unit_test(test_expressions_are_hyperscan_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whatever bytes come, as a rule file of each language (the first byte says which), asked of
 * records: what the index lets through must be what each rule says by itself. And what matches goes
 * through the correlations. */
#include "fuzz.h"

#include "scan/correlate.h"
#include "scan/feed.h"
#include "scan/matcher.h"

struct asked {
    const struct rules *rs;
    struct match_worker *w;
    struct correlator *c;
    uint64_t records;
};

static bool in(const uint32_t *v, size_t n, size_t rule)
{
    for (size_t i = 0; i < n; i++) {
        if (v[i] == rule)
            return true;
    }
    return false;
}

static void on_record(void *x, struct record *r, uint64_t offset)
{
    struct asked *k = x;
    size_t n;
    const uint32_t *v = match_record(k->w, r, &n);
    uint32_t *copy = malloc((n + 1) * sizeof *copy);
    CHECK(copy != NULL);
    if (n > 0)
        memcpy(copy, v, n * sizeof *copy);
    k->records++;
    for (uint32_t i = 0; i < k->rs->rules.n; i++) {
        const struct rule *rule = &k->rs->rules.v[i];
        if (rule->expr == NULL)
            continue;
        bool yes = match_one(k->w, r, rule->expr);
        CHECK(yes == in(copy, n, i));
        struct finding f = {.time_ms = (int64_t)k->records * 1000, .rule = i, .offset = offset};
        f.text[F_KEPT] = str_of("a\0b\0c", 6);
        if (yes)
            correlator_see(k->c, &f);
    }
    free(copy);
}

static void see(void *ctx, const struct finding *f)
{
    const struct rules *rs = ctx;
    CHECK(f->rule < rs->rules.n);
}

static void on_fault(void *x, uint64_t offset, const char *what)
{
    (void)x, (void)offset, (void)what;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"f.json", "f.yml", "f.filter"};
    static const char record[] =
        "{\"Records\":[{\"eventName\":\"A\",\"eventSource\":\"s3.amazonaws.com\",\"a\":{\"b\":[1,"
        "\"x\",null,{\"c\":true}]},\"sourceIPAddress\":\"10.0.0.1\",\"userAgent\":\"x\\u0041y\"},"
        "{\"eventName\":\"GetObject\",\"eventTime\":\"2024-03-05T07:08:09Z\",\"userIdentity\":"
        "{\"type\":\"IAMUser\",\"arn\":\"arn:aws:iam::1:user/eve\"},\"l\":[{\"f\":1,\"g\":\"xyz\"},"
        "[{\"f\":\"2\"},{\"g\":2.5e1,\"h\":{}}]],\"requestParameters\":"
        "{\"a\":\"{\\\"b\\\":1}\",\"c\":"
        "[]},\"a\":\"xyz\"},{\"eventName\":\"A\",\"eventName\":\"B\",\"a\":null,\"errorCode\":5},"
        "{\"eventSource\":[\"x\"],\"a\":{\"a\":{\"a\":\"\"}}}]}";
    if (size < 1 || size > 65536)
        return 0;
    struct rules *rs = rules_new();
    rules_load_text(rs, str_c(names[data[0] % 3]), str_of(data + 1, size - 1));
    rules_finish(rs);
    struct matcher *m = NULL;
    struct err *e = matcher_new(rs, &m);
    if (e == NULL) {
        struct asked k = {.rs = rs, .w = match_worker_new(m)};
        k.c = correlator_new(rs, see, rs);
        struct feed f;
        feed_init(&f, &rs->paths, (struct feed_sink){&k, on_record, on_fault});
        feed_start(&f);
        feed_take(&f, record, sizeof record - 1, true);
        feed_clear(&f);
        correlator_end(k.c);
        correlator_free(k.c);
        match_worker_free(k.w);
    }
    err_free(e);
    matcher_free(m);
    rules_free(rs);
    return 0;
}

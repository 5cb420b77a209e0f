/* Whatever bytes come, as a rule file of each language (the first byte says which), asked of a
 * record. */
#include "fuzz.h"

#include "scan/feed.h"
#include "scan/matcher.h"

static void on_record(void *x, struct record *r, uint64_t offset)
{
    size_t n;
    (void)offset;
    match_record(x, r, &n);
}

static void on_text(void *x, const char *p, size_t n)
{
    match_text(x, p, n);
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
        "\"x\",null,{\"c\":true}]},\"sourceIPAddress\":\"10.0.0.1\",\"userAgent\":\"x\\u0041y\"}]}";
    if (size < 1 || size > 65536)
        return 0;
    struct rules *rs = rules_new();
    rules_load_text(rs, str_c(names[data[0] % 3]), str_of(data + 1, size - 1));
    rules_finish(rs);
    struct matcher *m = NULL;
    struct err *e = matcher_new(rs, &m);
    if (e == NULL) {
        struct match_worker *w = match_worker_new(m);
        struct feed f;
        feed_init(&f, &rs->paths, (struct feed_sink){w, on_text, on_record, on_fault});
        feed_start(&f);
        feed_take(&f, record, sizeof record - 1, true);
        feed_clear(&f);
        match_worker_free(w);
    }
    err_free(e);
    matcher_free(m);
    rules_free(rs);
    return 0;
}

/* Whatever bytes come, as a file: inflate, split, walk, match with the built-in rules. */
#include "fuzz.h"

#include "scan/engine.h"
#include "scan/records.h"
#include "scan/unpack.h"

static struct rules *rs;
static struct matcher *matcher;

struct input {
    const uint8_t *p;
    size_t n;
    struct match_worker *w;
    struct feed feed;
};

static ptrdiff_t read_input(void *x, void *buf, size_t n)
{
    struct input *in = x;
    n = n < in->n ? n : in->n;
    memcpy(buf, in->p, n);
    in->p += n;
    in->n -= n;
    return (ptrdiff_t)n;
}

static void on_record(void *x, struct record *r, uint64_t offset)
{
    struct input *in = x;
    struct finding f = {.offset = offset};
    size_t n;
    match_record(in->w, r, &n);
    engine_describe(rs, r, &f);
    struct str text = record_text(r);
    records_fault(text.p, text.n);
}

static void on_fault(void *x, uint64_t offset, const char *what)
{
    (void)x, (void)offset;
    CHECK(what != NULL);
}

static void on_unpack_fault(void *x, const char *what)
{
    on_fault(x, 0, what);
}

static size_t take(void *x, const char *p, size_t n, bool last)
{
    return feed_take(&((struct input *)x)->feed, p, n, last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (rs == NULL) {
        rs = rules_new();
        rules_load_builtin(rs);
        rules_finish(rs);
        engine_paths(rs);
        struct err *e = matcher_new(rs, &matcher);
        CHECK(e == NULL);
    }
    struct input in = {.p = data, .n = size, .w = match_worker_new(matcher)};
    struct unpack u;
    feed_init(&in.feed, &rs->paths, (struct feed_sink){&in, on_record, on_fault});
    feed_start(&in.feed);
    unpack_init(&u, 65536);
    u.read = read_input;
    u.ctx = u.sink = &in;
    u.take = take;
    u.fault = on_unpack_fault;
    unpack_file(&u);
    unpack_clear(&u);
    feed_clear(&in.feed);
    match_worker_free(in.w);
    return 0;
}

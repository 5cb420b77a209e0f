/* Fuzz target: gunzip, the record iterator, the JSON reader and the alert's text.
 *
 * The first byte chooses: even, the rest is a gzip file; odd, it is the text of a log file, fed in
 * pieces of (byte / 2 + 1) bytes. What must hold: no fault, every record is a checked object, the
 * pieces make no difference, and an alert is one line for each label. */
#include "alert.h"
#include "aws.h"
#include "gunzip.h"
#include "jtext.h"
#include "records.h"

enum { FUZZ_OUT_MAX = 4 * 1024 * 1024, FUZZ_ARENA = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct seen {
    struct arena *arena;
    struct records records;
    uint64_t hash; /* of all records, in order */
};

static size_t count_lines(struct str s)
{
    size_t n = s.n == 0 ? 0 : 1;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n' ? 1 : 0;
    return n;
}

static struct err *on_record(void *ctx, struct str raw, size_t index)
{
    struct seen *s = ctx;
    struct record_view rec;
    struct rule rule = {.name = STR("name"), .severity = STR("HIGH")};
    CLEANUP(buf_clear) struct buf message = BUF_INIT(SNS_MESSAGE_MAX);
    CLEANUP(buf_clear) struct buf subject = BUF_INIT(256);
    CHECK(index == s->records.count);
    CHECK(jtext_type(raw) == JT_OBJECT);
    struct err *e = jtext_check(raw, JTEXT_DEPTH_MAX);
    CHECK(e == NULL);
    arena_reset(s->arena);
    record_view_read(s->arena, raw, &rec);
    alert_message(s->arena, &rec, &rule, &message);
    alert_subject(&rec, &rule, &subject);
    CHECK(buf_ok(&message) && buf_ok(&subject));
    CHECK(str_utf8_valid(buf_view(&message)));
    CHECK(count_lines(buf_view(&message)) >= 6 && count_lines(buf_view(&message)) <= 11);
    CHECK(subject.n > 0 && subject.n <= SNS_SUBJECT_MAX);
    for (size_t i = 0; i < raw.n; i++)
        s->hash = (s->hash ^ (unsigned char)raw.p[i]) * UINT64_C(1099511628211);
    return NULL;
}

static struct err *feed(void *ctx, struct str bytes)
{
    return records_feed(&((struct seen *)ctx)->records, bytes);
}

static struct err *feed_pieces(struct seen *s, struct str text, size_t piece)
{
    while (text.n > 0) {
        TRY(records_feed(&s->records, str_take(text, piece)));
        text = str_skip(text, piece);
    }
    return records_end(&s->records);
}

static void read_pieces(struct arena *a, struct str text, size_t piece, struct seen *out)
{
    *out = (struct seen){.arena = a};
    records_init(&out->records, on_record, out);
    err_free(feed_pieces(out, text, piece));
    records_clear(&out->records);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    CLEANUP(arena_free_ptr) struct arena *a = arena_new(FUZZ_ARENA);
    struct str rest = str_of(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        struct seen s = {.arena = a};
        records_init(&s.records, on_record, &s);
        err_free(gunzip(rest, FUZZ_OUT_MAX, feed, &s));
        records_clear(&s.records);
        return 0;
    }
    struct seen one, many;
    read_pieces(a, rest, rest.n + 1, &one);
    read_pieces(a, rest, data[0] / 2 + 1, &many);
    CHECK(one.records.count == many.records.count && one.hash == many.hash);
    return 0;
}

#include "alert.h"
#include "aws.h"
#include "gunzip.h"
#include "records.h"

#include <zlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct err *collect(void *ctx, struct str raw, size_t index)
{
    struct buf *b = ctx;
    buf_fmt(b, "%zu=%.*s;", index, STR_ARG(raw));
    return NULL;
}

/* The records of `text`, fed in pieces; 0 or the kind of the error. */
static enum err_kind iterate(struct str text, size_t piece, struct buf *out)
{
    struct records r;
    struct err *e = NULL;
    records_init(&r, collect, out);
    while (text.n > 0 && e == NULL) {
        e = records_feed(&r, str_take(text, piece));
        text = str_skip(text, piece);
    }
    if (e == NULL)
        e = records_end(&r);
    records_clear(&r);
    enum err_kind kind = e == NULL ? 0 : e->kind;
    err_free(e);
    return kind;
}

static void test_every_split(void **state)
{
    struct str text = STR(" { \"x\" : [1,{\"y\":\"]\"}] , \"Records\" : [ {\"a\":\"}\\\"]\"} ,"
                          "{\"b\":[{},[]]},{}] , \"z\":12 , \"w\":\"q\\\\\" }\n");
    for (size_t piece = 1; piece <= text.n; piece++) {
        CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
        assert_int_equal(iterate(text, piece, &b), 0);
        assert_true(str_is(buf_view(&b), "0={\"a\":\"}\\\"]\"};1={\"b\":[{},[]]};2={};"));
    }
}

static void test_forms(void **state)
{
    static const char *const good[] = {"{\"Records\":[]}", "{\"Records\":[ ]}\n",
                                       "{\"a\":null,\"Records\":[{}]}", "{\"R\\u0065cords\":[{}]}"};
    static const char *const bad[] = {
        "", " ", "[]", "{}", "null", "{\"Records\":{}}", "{\"Records\":null}", "{\"Records\":[1]}",
        "{\"Records\":[[]]}", "{\"Records\":[{}]", "{\"Records\":[{}", "{\"Records\":[{},]}",
        "{\"Records\":[,{}]}", "{\"Records\":[{} {}]}", "{\"Records\":[{}]}x", "{\"Records\" [{}]}",
        "{\"Records\":[{}],}", "{,\"Records\":[{}]}", "{Records:[{}]}", "{\"records\":[{}]}",
        "{\"Records\":[{\"a\":01}]}", "{\"Records\":[{\"a\":tru}]}", "{\"a\":x,\"Records\":[{}]}",
        "{\"Records\":[{}],\"Records\":[{}]}", "{\"Records\":[{]}]}", "{\"Records\":[{\"a\":1}}",
        "{\"Records\":[{\"a\":\"\xFF\"}]}", "{\"Records\":[{}]}{\"Records\":[]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
        assert_int_equal(iterate(str_c(good[i]), 3, &b), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
        if (iterate(str_c(bad[i]), 3, &b) != ERR_CORRUPT)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_record_limits(void **state)
{
    CLEANUP(buf_clear) struct buf text = BUF_INIT(4 * RECORD_MAX);
    CLEANUP(buf_clear) struct buf out = BUF_INIT(4 * RECORD_MAX);
    buf_c(&text, "{\"Records\":[{\"a\":\"");
    size_t around = strlen("{\"a\":\"\"}");
    for (size_t i = 0; i < RECORD_MAX - around; i++)
        buf_char(&text, 'x');
    size_t before_end = text.n;
    buf_c(&text, "\"}]}");
    assert_int_equal(iterate(buf_view(&text), 65536, &out), 0);
    buf_truncate(&text, before_end);
    buf_c(&text, "x\"}]}");
    buf_reset(&out);
    assert_int_equal(iterate(buf_view(&text), 65536, &out), ERR_LIMIT);

    buf_reset(&text);
    buf_c(&text, "{\"Records\":[{\"a\":");
    for (int i = 0; i < 64; i++)
        buf_char(&text, '[');
    for (int i = 0; i < 64; i++)
        buf_char(&text, ']');
    buf_c(&text, "}]}");
    assert_int_equal(iterate(buf_view(&text), 10, &out), ERR_LIMIT);
}

static struct err *append(void *ctx, struct str bytes)
{
    buf_str(ctx, bytes);
    return NULL;
}

static enum err_kind unpack(struct str file, size_t max, struct buf *out)
{
    struct err *e = gunzip(file, max, append, out);
    enum err_kind kind = e == NULL ? 0 : e->kind;
    err_free(e);
    return kind;
}

static void pack(struct str text, struct buf *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    char *to = buf_reserve(out, deflateBound(&z, text.n));
    z.next_in = (unsigned char *)text.p;
    z.avail_in = (uInt)text.n;
    z.next_out = (unsigned char *)to;
    z.avail_out = (uInt)(out->cap - out->n);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_advance(out, z.total_out);
    deflateEnd(&z);
}

static void test_gunzip(void **state)
{
    enum { SIZE = 300000 };
    CLEANUP(buf_clear) struct buf text = BUF_INIT(SIZE);
    CLEANUP(buf_clear) struct buf gz = BUF_INIT(2 * SIZE);
    CLEANUP(buf_clear) struct buf out = BUF_INIT(SIZE);
    for (int i = 0; i < SIZE; i++)
        buf_char(&text, (char)('a' + i % 26));
    pack(buf_view(&text), &gz);
    assert_int_equal(unpack(buf_view(&gz), SIZE, &out), 0);
    assert_true(str_eq(buf_view(&out), buf_view(&text)));
    assert_int_equal(unpack(buf_view(&gz), SIZE - 1, &out), ERR_LIMIT);
    for (size_t n = 0; n < gz.n; n++) {
        buf_reset(&out);
        assert_int_equal(unpack(str_take(buf_view(&gz), n), SIZE, &out), ERR_CORRUPT);
    }
    gz.p[gz.n - 6] ^= 1; /* the checksum */
    buf_reset(&out);
    assert_int_equal(unpack(buf_view(&gz), SIZE, &out), ERR_CORRUPT);
    gz.p[gz.n - 6] ^= 1;
    buf_char(&gz, '\0');
    buf_reset(&out);
    assert_int_equal(unpack(buf_view(&gz), SIZE, &out), ERR_CORRUPT);
    assert_int_equal(unpack(STR("plain text"), SIZE, &out), ERR_CORRUPT);
    assert_int_equal(unpack(STR(""), SIZE, &out), ERR_CORRUPT);
}

static void test_alert_text(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct record_view rec;
    record_view_read(a, STR("{\"eventName\":\"Delete\\nTrail\",\"eventSource\":\"x.amazonaws.com\","
                            "\"awsRegion\":\"eu-west-1\",\"eventID\":\"id\","
                            "\"eventName\":\"Second\","
                            "\"requestParameters\":{ \"n\" : \"a\\nb c\" },\"eventTime\":\"T\","
                            "\"userIdentity\":{\"arn\":\"arn:x\",\"accountId\":\"123\"},"
                            "\"errorCode\":\"AccessDenied\"}"), &rec);
    struct rule rule = {.name = STR("N"), .severity = STR("HIGH")};
    CLEANUP(buf_clear) struct buf b = BUF_INIT(4096);
    alert_message(a, &rec, &rule, &b);
    assert_true(str_is(buf_view(&b),
                       "Event: Delete Trail\nSource: x.amazonaws.com\n"
                       "Request parameters: {\"n\":\"a\\nb c\"}\nRegion: eu-west-1\nRule: N\n"
                       "Severity: HIGH\nAccount: 123\nPrincipal: arn:x\nTime: T\nEvent ID: id\n"
                       "Error: AccessDenied"));
    buf_reset(&b);
    alert_subject(&rec, &rule, &b);
    assert_true(str_is(buf_view(&b), "HIGH: N: Delete?Trail (x.amazonaws.com)"));

    record_view_read(a, STR("{}"), &rec);
    rule = (struct rule){0};
    buf_reset(&b);
    alert_message(a, &rec, &rule, &b);
    assert_true(str_is(buf_view(&b), "Event: \nSource: \nRequest parameters: null\nRegion: "));
    arena_free(a);
}

static void test_alert_cuts(void **state)
{
    struct arena *a = arena_new(4 * 1024 * 1024);
    CLEANUP(buf_clear) struct buf raw = BUF_INIT(RECORD_MAX);
    CLEANUP(buf_clear) struct buf b = BUF_INIT(SNS_MESSAGE_MAX);
    buf_c(&raw, "{\"eventName\":\"");
    for (int i = 0; i < 2000; i++)
        buf_c(&raw, "\xC3\xA9");
    buf_c(&raw, "\",\"requestParameters\":\"");
    for (int i = 0; i < 200000; i++)
        buf_c(&raw, "\xE2\x82\xAC");
    buf_c(&raw, "\"}");
    struct record_view rec;
    record_view_read(a, buf_view(&raw), &rec);
    struct rule rule = {0};
    alert_message(a, &rec, &rule, &b);
    assert_true(buf_ok(&b));
    assert_true(str_utf8_valid(buf_view(&b)));
    assert_true(str_find(buf_view(&b), STR(" (cut)\nSource")) > 0);
    assert_true(str_find(buf_view(&b), STR(" (cut; 600002 bytes in all)\nRegion")) > 0);
    buf_reset(&b);
    alert_subject(&rec, &rule, &b);
    assert_int_equal(b.n, SNS_SUBJECT_MAX);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),   cmocka_unit_test(test_forms),
        cmocka_unit_test(test_record_limits), cmocka_unit_test(test_gunzip),
        cmocka_unit_test(test_alert_text),    cmocka_unit_test(test_alert_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

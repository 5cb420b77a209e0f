/* The pure parts of the S3 room: checksums, conditions, ranges, prefixes, copy sources, rows. */
#include "../actions.h"
#include "../internal.h"

#include "../../../core/crc.h"
#include "../../../core/enc.h"
#include "../../../crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    err_free(crypto_init());
    arena = arena_new(8 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void assert_str(struct str got, const char *want)
{
    if (want == NULL) {
        assert_null(got.p);
        return;
    }
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static void test_sums(void **state)
{
    (void)state;
    /* "123456789": the check values of the CRC catalogue, and RFC 1321/3174 style digests. */
    static const struct {
        enum s3_alg alg;
        const char *hex;
    } want[] = {{ALG_CRC32, "cbf43926"},
                {ALG_CRC32C, "e3069283"},
                {ALG_CRC64NVME, "ae8b14860a799888"},
                {ALG_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
                {ALG_MD5, "25f9e794323b453885f5181f1b624d0b"}};
    struct s3_sums *s = s3_sums_new(~0u);
    s3_sums_add(s, STR("1234"));
    s3_sums_add(s, STR(""));
    s3_sums_add(s, STR("56789"));
    s3_sums_end(s);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_str(enc_hex(arena, s3_sums_value(s, want[i].alg)), want[i].hex);
    s3_sums_free(s);
}

static struct str sum_of(enum s3_alg alg, struct str data)
{
    struct s3_sums *s = s3_sums_new(1u << alg);
    s3_sums_add(s, data);
    s3_sums_end(s);
    struct str out = arena_str(arena, s3_sums_value(s, alg));
    s3_sums_free(s);
    return out;
}

static void test_join(void **state)
{
    (void)state;
    static const enum s3_alg algs[] = {ALG_CRC32, ALG_CRC32C, ALG_CRC64NVME};
    static const size_t cuts[] = {0, 1, 7, 100, 4095, 4096, 100000};
    char *data = arena_alloc(arena, 100000);
    rand_bytes(data, 100000);
    for (size_t a = 0; a < ARRAY_LEN(algs); a++)
        for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
            struct str x = str_of(data, cuts[i]), y = str_of(data + cuts[i], 100000 - cuts[i]);
            struct str left = sum_of(algs[a], x), right = sum_of(algs[a], y);
            unsigned char joined[ALG_SIZE_MAX];
            memcpy(joined, left.p, left.n);
            s3_crc_join(algs[a], joined, right, y.n);
            struct str whole = sum_of(algs[a], str_of(data, 100000));
            assert_memory_equal(joined, whole.p, whole.n);
        }
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(s3_alg_of(STR("crc32c")), ALG_CRC32C);
    assert_int_equal(s3_alg_of(STR("XXHASH3")), ALG_NONE);
    assert_int_equal(s3_alg_of_header(STR("X-Amz-Checksum-SHA256")), ALG_SHA256);
    assert_int_equal(s3_alg_of_header(STR("x-amz-checksum-")), ALG_NONE);
}

static void test_etags(void **state)
{
    (void)state;
    assert_true(s3_etag_listed(STR("*"), STR("abc")));
    assert_true(s3_etag_listed(STR("\"abc\""), STR("abc")));
    assert_true(s3_etag_listed(STR("abc"), STR("abc")));
    assert_true(s3_etag_listed(STR("\"x\", W/\"abc\""), STR("abc")));
    assert_false(s3_etag_listed(STR("\"abcd\""), STR("abc")));
    assert_false(s3_etag_listed(STR(""), STR("abc")));
}

static void test_conditions(void **state)
{
    (void)state;
    struct s3_conditions k = {0};
    assert_int_equal(s3_conditions_read(&k, STR("e"), 5000), VERDICT_GO);
    k.if_match = STR("\"e\"");
    k.has_unmodified = true; /* passed over, since If-Match holds */
    k.unmodified_since_ms = 1000;
    assert_int_equal(s3_conditions_read(&k, STR("e"), 5000), VERDICT_GO);
    assert_int_equal(s3_conditions_read(&k, STR("f"), 5000), VERDICT_FAILED);
    k.if_match = STR_NONE;
    assert_int_equal(s3_conditions_read(&k, STR("e"), 5000), VERDICT_FAILED);
    assert_int_equal(s3_conditions_read(&k, STR("e"), 1999), VERDICT_GO); /* the same second */
    k = (struct s3_conditions){.if_none_match = STR("\"e\""), .has_modified = true};
    assert_int_equal(s3_conditions_read(&k, STR("e"), 5000), VERDICT_NOT_MODIFIED);
    assert_int_equal(s3_conditions_read(&k, STR("f"), 5000), VERDICT_GO);
    k = (struct s3_conditions){.has_modified = true, .modified_since_ms = 5000};
    assert_int_equal(s3_conditions_read(&k, STR("e"), 5999), VERDICT_NOT_MODIFIED);
    assert_int_equal(s3_conditions_read(&k, STR("e"), 6000), VERDICT_GO);
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum s3_range want;
        uint64_t size, from, n;
    } rows[] = {
        {"bytes=0-0", RANGE_OK, 10, 0, 1},
        {"bytes=2-5", RANGE_OK, 10, 2, 4},
        {"bytes=2-", RANGE_OK, 10, 2, 8},
        {"bytes=-3", RANGE_OK, 10, 7, 3},
        {"bytes=-30", RANGE_OK, 10, 0, 10},
        {"bytes=5-100", RANGE_OK, 10, 5, 5},
        {"bytes=10-", RANGE_UNSATISFIABLE, 10},
        {"bytes=-0", RANGE_UNSATISFIABLE, 10},
        {"bytes=0-", RANGE_UNSATISFIABLE, 0},
        {"bytes=-1", RANGE_UNSATISFIABLE, 0},
        {"bytes=5-4", RANGE_NONE, 10},
        {"bytes=a-b", RANGE_NONE, 10},
        {"bytes=", RANGE_NONE, 10},
        {"bytes=-", RANGE_NONE, 10},
        {"bytes=1", RANGE_NONE, 10},
        {"bytes=0-1,3-4", RANGE_NONE, 10},
        {"items=0-1", RANGE_NONE, 10},
        {"bytes=99999999999999999999-", RANGE_NONE, 10},
        {"bytes=+1-2", RANGE_NONE, 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t from = 0, n = 0;
        assert_int_equal(s3_range_parse(str_c(rows[i].text), rows[i].size, &from, &n),
                         rows[i].want);
        assert_int_equal(from, rows[i].from);
        assert_int_equal(n, rows[i].n);
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    assert_str(s3_common_prefix(STR("a/b/c"), STR("a/"), STR("/")), "a/b/");
    assert_str(s3_common_prefix(STR("a/b"), STR("a/"), STR("/")), NULL);
    assert_str(s3_common_prefix(STR("a/b"), STR(""), STR("")), NULL);
    assert_str(s3_common_prefix(STR("x--y--z"), STR("x"), STR("--")), "x--");
    assert_str(s3_after_prefix(arena, STR("a/")), "a0");
    assert_str(s3_after_prefix(arena, STR("a\xff")), "b");
    assert_str(s3_after_prefix(arena, STR("\xff\xff")), NULL);
}

static void test_copy_source(void **state)
{
    (void)state;
    struct s3_copy_source s;
    assert_null(s3_copy_source_parse(arena, STR("/b/k%20y/z?versionId=v1"), &s));
    assert_str(s.bucket, "b");
    assert_str(s.key, "k y/z");
    assert_str(s.version, "v1");
    assert_null(s3_copy_source_parse(arena, STR("b/k+1"), &s));
    assert_str(s.key, "k+1");
    assert_null(s.version.p);
    static const char *const bad[] = {"", "/", "b", "b/", "/b", "b/%zz", "//k", "arn:aws:s3:::b/k"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err *e = s3_copy_source_parse(arena, str_c(bad[i]), &s);
        assert_true(err_has_code(e, "InvalidArgument"));
        err_free(e);
    }
}

static void test_scopes(void **state)
{
    (void)state;
    static const struct {
        const char *action;
        unsigned want;
    } actions[] = {{"*", 3},           {"s3:*", 3},           {"s3:GetObject", S3_ON_OBJECT},
                   {"S3:getobject", S3_ON_OBJECT},            {"s3:ListBucket", S3_ON_BUCKET},
                   {"s3:Get*", 3},     {"s3:*Object", S3_ON_OBJECT},
                   {"s3:GetObjec?", S3_ON_OBJECT},            {"s3:DeletObject", 0},
                   {"s3:Nonsense*", 0}, {"kms:Decrypt", 0},    {"s3", 0},
                   {"s3:", 0},         {"s3:ListAllMyBuckets", 0}};
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        assert_int_equal(s3_action_scope(str_c(actions[i].action)), actions[i].want);
    static const struct {
        const char *resource;
        unsigned want;
    } resources[] = {{"arn:aws:s3:::b", S3_ON_BUCKET},   {"arn:aws:s3:::b/*", S3_ON_OBJECT},
                     {"arn:aws:s3:::b/k", S3_ON_OBJECT}, {"arn:aws:s3:::b*", 3},
                     {"*", 3},                           {"arn:aws:s3:::*", 3},
                     {"arn:aws:s3:::bb", 0},             {"arn:aws:s3:::bb/*", 0},
                     {"arn:aws:s3:::a*", 0},             {"arn:aws:s3:::", 0},
                     {"", 0}};
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        assert_int_equal(
            s3_resource_scope(STR("arn:aws:s3:::b"), str_c(resources[i].resource)),
            resources[i].want);
}

static void test_tags(void **state)
{
    (void)state;
    struct s3_TagSet t;
    assert_null(s3_tags_parse(arena, STR("a=1&b=x%20y&c"), &t));
    assert_int_equal(t.n, 3);
    assert_str(t.v[1].Value, "x y");
    assert_str(t.v[2].Value, "");
    static const char *const bad[] = {"a=1&a=2", "=v", "aws:x=1", "a=%zz"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err *e = s3_tags_parse(arena, str_c(bad[i]), &t);
        assert_non_null(e);
        err_free(e);
    }
}

static void test_row(void **state)
{
    (void)state;
    struct s3_Metadata_item meta = {STR("m"), STR("1")};
    struct s3_Tag tag = {STR("t"), STR("")};
    struct s3_object o = {.version = STR("null"),
                          .seq = 1ull << 60,
                          .null_seq = 7,
                          .history = true,
                          .modified_ms = 12345,
                          .size = 5ull << 40,
                          .etag = STR("e"),
                          .type = STR("text/plain"),
                          .meta = {1, &meta, true},
                          .tags = {1, &tag, true},
                          .sum_alg = ALG_SHA256,
                          .sum = STR("c3Vt"),
                          .sum_composite = true,
                          .parts = 3,
                          .sse = {.kms = true,
                                  .bucket_key = true,
                                  .key_arn = STR("arn"),
                                  .wrapped = STR("\0\1\2"),
                                  .bucket_wrapped = STR("\xff")},
                          .data = {DATA_PARTS, STR("id"), STR("\0salt")}};
    struct s3_object p;
    struct err *e = s3_object_parse(arena, jv_text(arena, s3_object_to_jv(arena, &o)), &p);
    assert_null(e);
    assert_true(str_eq(p.version, o.version) && p.seq == o.seq && p.null_seq == 7 && p.history);
    assert_true(p.size == o.size && p.modified_ms == 12345 && !p.marker);
    assert_true(str_eq(p.type, o.type) && p.meta.n == 1 && p.tags.n == 1);
    assert_str(p.meta.v[0].value, "1");
    assert_true(p.sum_alg == ALG_SHA256 && p.sum_composite && p.parts == 3);
    assert_true(p.sse.kms && p.sse.bucket_key && str_eq(p.sse.wrapped, o.sse.wrapped));
    assert_true(str_eq(p.sse.bucket_wrapped, o.sse.bucket_wrapped));
    assert_true(p.data.kind == DATA_PARTS && str_eq(p.data.salt, o.data.salt));
    assert_null(p.cache.p);
    struct s3_object m = {.version = STR("v"), .seq = 9, .marker = true, .modified_ms = 1};
    assert_null(s3_object_parse(arena, jv_text(arena, s3_object_to_jv(arena, &m)), &p));
    assert_true(p.marker && p.seq == 9 && p.data.kind == DATA_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),       cmocka_unit_test(test_join),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_etags),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_prefixes),   cmocka_unit_test(test_copy_source),
        cmocka_unit_test(test_tags),       cmocka_unit_test(test_row),
        cmocka_unit_test(test_scopes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

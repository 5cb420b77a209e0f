/* The zip reader: archives made here byte by byte, good ones and bad ones. */
#include "svc/lambda/zip.h"

#include "core/buf.h"
#include "core/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <zlib.h>

#include <cmocka.h>

enum { TOTAL = 1024 * 1024 };

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(32 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

struct part { /* of an archive; zeros mean: as it should be */
    const char *name, *local_name;
    struct str content;
    bool deflate;
    uint32_t mode, flags, method, crc_xor;
    int64_t offset;
};

static void le(struct buf *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_char(b, (char)(v >> (8 * i)));
}

static struct str packed(const struct part *p)
{
    if (!p->deflate)
        return p->content;
    z_stream z = {0};
    char *to = arena_alloc(arena, p->content.n + 1024);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)p->content.p;
    z.avail_in = (uInt)p->content.n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)(p->content.n + 1024);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = p->content.n + 1024 - z.avail_out;
    deflateEnd(&z);
    return str_of(to, n);
}

static void common(struct buf *b, const struct part *p, struct str data)
{
    le(b, p->flags, 2);
    le(b, p->method != 0 ? p->method : p->deflate ? 8 : 0, 2);
    le(b, 0, 4); /* time and date */
    le(b, crc32_ieee(0, p->content) ^ p->crc_xor, 4);
    le(b, (uint32_t)data.n, 4);
    le(b, (uint32_t)p->content.n, 4);
}

static struct str archive(const struct part *parts, size_t n)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(16 * 1024 * 1024);
    uint32_t offsets[8];
    for (size_t i = 0; i < n; i++) {
        const struct part *p = &parts[i];
        const char *name = p->local_name != NULL ? p->local_name : p->name;
        struct str data = packed(p);
        offsets[i] = (uint32_t)b.n;
        le(&b, 0x04034b50, 4);
        le(&b, 20, 2);
        common(&b, p, data);
        le(&b, (uint32_t)strlen(name), 2);
        le(&b, 0, 2);
        buf_c(&b, name);
        buf_str(&b, data);
    }
    uint32_t start = (uint32_t)b.n;
    for (size_t i = 0; i < n; i++) {
        const struct part *p = &parts[i];
        le(&b, 0x02014b50, 4);
        le(&b, p->mode != 0 ? 3 << 8 : 0, 2);
        le(&b, 20, 2);
        common(&b, p, packed(p));
        le(&b, (uint32_t)strlen(p->name), 2);
        le(&b, 0, 2);
        le(&b, 0, 4); /* comment, disk */
        le(&b, 0, 2);
        le(&b, p->mode << 16, 4);
        le(&b, p->offset != 0 ? (uint32_t)p->offset : offsets[i], 4);
        buf_c(&b, p->name);
    }
    uint32_t end = (uint32_t)b.n;
    le(&b, 0x06054b50, 4);
    le(&b, 0, 4);
    le(&b, (uint32_t)n, 2);
    le(&b, (uint32_t)n, 2);
    le(&b, end - start, 4);
    le(&b, start, 4);
    le(&b, 0, 2);
    return arena_str(arena, buf_view(&b));
}

static struct err *nowhere(void *ctx, struct str piece)
{
    buf_str(ctx, piece);
    return NULL;
}

static struct err *read_one(const struct part *parts, size_t n)
{
    struct zip z;
    TRY(zip_read(arena, archive(parts, n), TOTAL, &z));
    for (size_t i = 0; i < z.n; i++) {
        struct buf b CLEANUP(buf_clear) = BUF_INIT(TOTAL);
        if (!z.v[i].folder)
            TRY(zip_unpack(&z.v[i], nowhere, &b));
    }
    return NULL;
}

static void refused(const struct part *parts, size_t n)
{
    struct err *e = read_one(parts, n);
    if (e == NULL)
        fail_msg("accepted: %s", parts[n - 1].name);
    err_free(e);
}

static void test_good(void **state)
{
    (void)state;
    char *zeros = arena_alloc(arena, 300000);
    const struct part parts[] = {
        {.name = "bootstrap", .content = STR("#!/bin/sh\n"), .mode = 0100755},
        {.name = "lib/", .content = STR(""), .mode = 040755},
        {.name = "lib/data", .content = str_of(zeros, 300000), .deflate = true, .mode = 0100640},
        {.name = "a/b/c", .content = STR("x"), .deflate = true}};
    struct zip z;
    struct buf b CLEANUP(buf_clear) = BUF_INIT(TOTAL);
    assert_null(zip_read(arena, archive(parts, 4), TOTAL, &z));
    assert_int_equal(z.n, 4);
    assert_int_equal(z.total, 300011);
    assert_int_equal(z.v[0].mode, 0755);
    assert_true(z.v[1].folder);
    assert_int_equal(z.v[2].mode, 0640);
    assert_int_equal(z.v[3].mode, 0755); /* the archive does not say */
    assert_null(zip_unpack(&z.v[2], nowhere, &b));
    assert_int_equal(b.n, 300000);
    assert_memory_equal(b.p, zeros, b.n);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"/etc/passwd", "../x", "a/../b", "a/./b", ".", "..", "a//b",
                                      "a\\b", "a\x01", "", "/", "a/..", "\xff", "\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct part p = {.name = bad[i], .content = STR("x")};
        refused(&p, 1);
    }
    char long_name[ZIP_NAME_MAX + 2];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    struct part p = {.name = long_name, .content = STR("x")};
    refused(&p, 1);
    struct part deep = {.name = "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
                        .content = STR("x")};
    refused(&deep, 1);
    const struct part twice[] = {{.name = "a", .content = STR("1")},
                                 {.name = "a", .content = STR("2")}};
    refused(twice, 2);
    const struct part both[] = {{.name = "a", .content = STR("1")},
                                {.name = "a/b", .content = STR("2")}};
    refused(both, 2);
    const struct part reversed[] = {{.name = "a/b", .content = STR("1")},
                                    {.name = "a", .content = STR("2")}};
    refused(reversed, 2);
}

static void test_contradictions(void **state)
{
    (void)state;
    const struct part bad[] = {
        {.name = "link", .content = STR("/etc/passwd"), .mode = 0120777},
        {.name = "device", .content = STR(""), .mode = 060600},
        {.name = "crc", .content = STR("x"), .crc_xor = 1},
        {.name = "flags", .content = STR("x"), .flags = 1},
        {.name = "method", .content = STR("x"), .method = 12},
        {.name = "other", .local_name = "thing", .content = STR("x")},
        {.name = "offset", .content = STR("x"), .offset = 0x7fffffff},
        {.name = "zip64", .content = STR("x"), .offset = 0xffffffff},
        {.name = "folder/", .content = STR("x"), .mode = 040755},
        {.name = "not-a-folder", .content = STR("x"), .mode = 040755}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(&bad[i], 1);
}

static void test_overlap(void **state)
{
    (void)state;
    char *zeros = arena_alloc(arena, 600);
    const struct part parts[] = {{.name = "a", .content = str_of(zeros, 600)},
                                 {.name = "b", .content = STR("x")}};
    struct str good = archive(parts, 2);
    char *bytes = arena_cstr(arena, good);
    /* The second entry's packed and real size grow into the directory. */
    ptrdiff_t at = str_find(good, STR("PK\x01\x02"));
    char *second = bytes + at + 46 + 1;
    second[20] = second[24] = 120;
    struct zip z;
    struct err *e = zip_read(arena, str_of(bytes, good.n), TOTAL, &z);
    assert_non_null(e);
    err_free(e);
}

static void test_limits(void **state)
{
    (void)state;
    struct zip z;
    char *zeros = arena_alloc(arena, TOTAL + 1);
    const struct part big = {.name = "a", .content = str_of(zeros, TOTAL + 1), .deflate = true};
    struct err *e = zip_read(arena, archive(&big, 1), TOTAL, &z);
    assert_true(err_is(e, ERR_LIMIT));
    err_free(e);
    assert_non_null(e = zip_read(arena, archive(&big, 0), TOTAL, &z));
    err_free(e);
}

/* No prefix of a good archive is one, and no byte turned makes it read outside. */
static void test_every_cut_and_flip(void **state)
{
    (void)state;
    const struct part parts[] = {{.name = "bootstrap", .content = STR("hello"), .deflate = true},
                                 {.name = "x/y", .content = STR("12345"), .mode = 0100644}};
    struct str good = archive(parts, 2);
    struct zip z;
    for (size_t n = 0; n < good.n; n++) {
        struct err *e = zip_read(arena, str_take(good, n), TOTAL, &z);
        assert_non_null(e);
        err_free(e);
    }
    for (size_t i = 0; i < good.n; i++) {
        char *bytes = arena_cstr(arena, good);
        bytes[i] = (char)(bytes[i] ^ 0x41);
        struct err *e = zip_read(arena, str_of(bytes, good.n), TOTAL, &z);
        for (size_t k = 0; e == NULL && k < z.n; k++) {
            struct buf b CLEANUP(buf_clear) = BUF_INIT(TOTAL);
            if (!z.v[k].folder)
                e = zip_unpack(&z.v[k], nowhere, &b);
        }
        err_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_names),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_every_cut_and_flip)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

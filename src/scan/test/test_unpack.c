/* Files that are kept inflated one behind another, and those that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libdeflate.h>

#include "core/buf.h"
#include "scan/unpack.h"

enum { OUT = 4096, FILE_MAX = 8192 };

struct file {
    char bytes[FILE_MAX];
    size_t n, at, step; /* step: the most that one read gives */
    int error; /* at its end */
};

struct given {
    struct file *file; /* the one that is read */
    struct buf text;   /* of those that were handed over */
    char fault[256];
};

static ptrdiff_t read_file(void *ctx, void *buf, size_t n)
{
    struct file *f = ((struct given *)ctx)->file;
    size_t some = f->n - f->at < n ? f->n - f->at : n;
    some = some > f->step ? f->step : some;
    if (some == 0 && f->error != 0)
        return -f->error;
    memcpy(buf, f->bytes + f->at, some);
    f->at += some;
    return (ptrdiff_t)some;
}

static size_t take(void *sink, const char *p, size_t n, bool last)
{
    (void)last;
    buf_add(&((struct given *)sink)->text, p, n);
    return n;
}

static void fault(void *sink, const char *what)
{
    struct given *g = sink;
    snprintf(g->fault, sizeof g->fault, "%s", what);
}

static void gzip_add(struct file *f, const char *text, size_t n)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    assert_non_null(c);
    size_t made = libdeflate_gzip_compress(c, text, n, f->bytes + f->n, sizeof f->bytes - f->n);
    assert_true(made > 0);
    f->n += made;
    libdeflate_free_compressor(c);
}

static struct file *gzip(const char *text)
{
    static struct file f;
    f = (struct file){.step = 7};
    gzip_add(&f, text, strlen(text));
    return &f;
}

static struct file *plain(const char *text)
{
    static struct file f;
    f = (struct file){.step = 7, .n = strlen(text)};
    memcpy(f.bytes, text, f.n);
    return &f;
}

struct rig {
    struct given given;
    struct unpack u;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    unpack_init(&r->u, OUT);
    buf_init(&r->given.text, 1 << 20);
    r->u.read = read_file;
    r->u.take = take;
    r->u.fault = fault;
    r->u.ctx = r->u.sink = &r->given;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    unpack_clear(&r->u);
    buf_clear(&r->given.text);
    free(r);
    return 0;
}

static bool keep(struct rig *r, struct file *f, struct unpacked *out)
{
    r->given.file = f;
    r->given.fault[0] = '\0';
    buf_reset(&r->given.text);
    return unpack_keep(&r->u, out);
}

static bool handed(const struct rig *r, const char *text)
{
    return str_is(buf_view(&r->given.text), text);
}

static void test_files_are_kept_beside_each_other(void **state)
{
    struct rig *r = *state;
    struct unpacked a, b, c, d;
    struct file *two = gzip("the first ");
    gzip_add(two, "two members", 11);
    size_t raw = two->n;
    assert_true(keep(r, two, &a));
    assert_int_equal(r->u.bytes_in, raw);
    assert_int_equal(r->u.bytes_out, 21);
    assert_true(keep(r, plain("plain text"), &b));
    assert_true(keep(r, gzip(""), &c));
    assert_true(keep(r, gzip("the last"), &d));
    assert_true(str_is(a.text, "the first two members"));
    assert_int_equal(a.raw.n, raw);
    assert_true(str_is(b.text, "plain text") && str_is(b.raw, "plain text"));
    assert_int_equal(c.text.n, 0);
    assert_true(str_is(d.text, "the last"));
    assert_memory_equal(d.raw.p, gzip("the last")->bytes, d.raw.n);
    assert_int_equal(r->given.text.n, 0); /* none of them was handed over */
    unpack_forget(&r->u);
    assert_int_equal(r->u.in_kept + r->u.out_kept, 0);
}

static void test_what_is_odd_is_not_kept(void **state)
{
    struct rig *r = *state;
    struct unpacked x;
    struct file *f = gzip("with bytes behind it");
    memcpy(f->bytes + f->n, "abc", 3);
    f->n += 3;
    assert_false(keep(r, f, &x));
    unpack_rest(&r->u);
    assert_true(handed(r, "with bytes behind it"));
    assert_string_equal(r->given.fault, "3 bytes after the gzip stream");

    f = gzip("one that ends too early, and so");
    f->n -= 9;
    assert_false(keep(r, f, &x));
    unpack_rest(&r->u);
    assert_string_equal(r->given.fault, "truncated: the gzip stream does not end");

    f = gzip("cannot be read to its end");
    f->error = 5;
    assert_false(keep(r, f, &x));
    unpack_rest(&r->u);
    assert_string_equal(r->given.fault, "could not be read");
    assert_int_equal(r->u.read_error, 5);
}

static void test_what_does_not_fit_comes_afterwards(void **state)
{
    struct rig *r = *state;
    struct unpacked small, large, after;
    char text[OUT - 50 + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_true(keep(r, gzip("some text that takes fifty bytes of the room, or more than that"),
                     &small));
    assert_false(keep(r, gzip(text), &large));
    assert_true(str_starts_c(small.text, "some text that")); /* is there still */
    unpack_rest(&r->u);
    assert_true(handed(r, text));
    assert_int_equal(r->u.bytes_out, sizeof text - 1);
    assert_string_equal(r->given.fault, "");
    assert_true(keep(r, gzip(text), &after)); /* now there is room */
    assert_true(str_is(after.text, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_are_kept_beside_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_odd_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_comes_afterwards, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test.h"

#include "core/buf.h"

static void appends(void **state)
{
    struct buf b = BUF_INIT(1000);
    assert_str(buf_view(&b), "");
    buf_add(&b, "ab", 2);
    buf_str(&b, STR("cd"));
    buf_str(&b, STR_NONE);
    buf_c(&b, "ef");
    buf_char(&b, 'g');
    buf_i64(&b, 0);
    buf_i64(&b, INT64_MIN);
    buf_i64(&b, INT64_MAX);
    buf_fmt(&b, "[%s %d]", "x", 3);
    assert_str(buf_view(&b), "abcdefg0-92233720368547758089223372036854775807[x 3]");
    buf_truncate(&b, 2);
    assert_str(buf_view(&b), "ab");
    buf_reset(&b);
    assert_int_equal(b.n, 0);
    buf_u16(&b, 0x0102);
    buf_u32(&b, 0x03040506);
    buf_u64(&b, UINT64_C(0x0708090a0b0c0d0e));
    assert_str(buf_view(&b), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e");
    assert_ok(buf_check(&b));
    buf_clear(&b);
    assert_null(b.p);
    assert_int_equal(b.max, 1000);
    buf_c(&b, "again");
    assert_str(buf_view(&b), "again");
    buf_clear(&b);
}

static void the_maximum_is_exact_and_sticky(void **state)
{
    struct buf b = BUF_INIT(10);
    buf_c(&b, "0123456789");
    assert_true(buf_ok(&b));
    buf_char(&b, 'x');
    assert_false(buf_ok(&b));
    buf_truncate(&b, 5);
    buf_char(&b, 'y'); /* nothing more goes in */
    buf_c(&b, "y");
    buf_fmt(&b, "y");
    assert_str(buf_view(&b), "01234");
    assert_err(buf_check(&b), ERR_LIMIT, "10 bytes");
    buf_reset(&b);
    assert_true(buf_ok(&b));
    buf_fmt(&b, "%s", "0123456789"); /* exactly full */
    assert_true(buf_ok(&b));
    assert_str(buf_view(&b), "0123456789");
    buf_reset(&b);
    buf_fmt(&b, "%s", "0123456789a");
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 0);
    buf_clear(&b);

    struct buf none = BUF_INIT(0);
    assert_non_null(buf_reserve(&none, 0));
    assert_true(buf_ok(&none));
    buf_fmt(&none, "%s", "");
    assert_true(buf_ok(&none));
    buf_char(&none, 'x');
    assert_false(buf_ok(&none));
    assert_null(buf_reserve(&none, 0));
    buf_clear(&none);
}

static void reserving(void **state)
{
    struct buf b;
    buf_init(&b, 5000);
    for (int i = 0; i < 50; i++) {
        char *p = buf_reserve(&b, 100);
        assert_non_null(p);
        memset(p, 'a' + i % 26, 100);
        buf_advance(&b, 100);
    }
    assert_int_equal(b.n, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(b.p[i], 'a' + (int)(i / 100 % 26));
    assert_null(buf_reserve(&b, 1));
    assert_false(buf_ok(&b));
    buf_clear(&b);
    assert_null(buf_reserve(&b, SIZE_MAX));
    buf_clear(&b);
}

static void formats_of_every_length(void **state)
{
    struct buf b = BUF_INIT(1024 * 1024), c = BUF_INIT(1024 * 1024);
    for (int n = 1; n < 600; n++) {
        buf_fmt(&b, "%0*d", n, 1);
        for (int i = 1; i < n; i++)
            buf_char(&c, '0');
        buf_char(&c, '1');
    }
    assert_true(str_eq(buf_view(&b), buf_view(&c)));
    buf_clear(&b);
    buf_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(the_maximum_is_exact_and_sticky),
        cmocka_unit_test(reserving),
        cmocka_unit_test(formats_of_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

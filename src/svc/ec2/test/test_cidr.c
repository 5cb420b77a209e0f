/* Address blocks: what is one, its canonical form, and how two lie to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "svc/ec2/cidr.h"

static void canon(const char *text, const char *expected)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(65536);
    struct cidr c;
    assert_true(cidr_parse(str_c(text), &c));
    assert_string_equal(cidr_text(a, &c).p, expected);
}

static void canonical_forms(void **state UNUSED)
{
    canon("10.0.0.0/16", "10.0.0.0/16");
    canon("100.68.0.18/18", "100.68.0.0/18");
    canon("255.255.255.255/1", "128.0.0.0/1");
    canon("1.2.3.4/0", "0.0.0.0/0");
    canon("1.2.3.4/32", "1.2.3.4/32");
    canon("2001:DB8:0:0::1/32", "2001:db8::/32");
    canon("2001:db8::ffff/113", "2001:db8::8000/113");
    canon("::/0", "::/0");
    canon("::1/128", "::1/128");
}

static void what_is_no_block(void **state UNUSED)
{
    static const char *const bad[] = {
        "",           "/",          "10.0.0.0",      "10.0.0.0/",     "10.0.0.0/33",
        "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",  "10.0.0.0/ 8",  "10.0.0/8",
        "10.0.0.256/8", "010.0.0.0/8", " 10.0.0.0/8", "10.0.0.0/8 ",  "10.0.0.0/8/8",
        "0x0a.0.0.0/8", "::/129",     ":::/0",         "fe80::1%eth0/64", "x/8",
        "10.0.0.0/999999999999",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555:6666/64",
    };
    struct cidr c = {.bits = 77};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(cidr_parse(str_c(bad[i]), &c));
        assert_int_equal(c.bits, 77);
    }
    assert_false(cidr_parse(STR("10.0.0.0\0/8"), &c));
    assert_false(cidr_parse(STR_NONE, &c));
    assert_false(cidr_parse4(STR("::/0"), &c));
    assert_false(cidr_parse6(STR("10.0.0.0/8"), &c));
}

static struct cidr block(const char *text)
{
    struct cidr c;
    assert_true(cidr_parse(str_c(text), &c));
    return c;
}

static void relations(void **state UNUSED)
{
    static const struct {
        const char *x, *y;
        bool contains, overlaps, equal;
    } cases[] = {
        {"10.0.0.0/16", "10.0.1.0/24", true, true, false},
        {"10.0.1.0/24", "10.0.0.0/16", false, true, false},
        {"10.0.1.0/24", "10.0.1.0/24", true, true, true},
        {"10.0.0.0/24", "10.0.1.0/24", false, false, false},
        {"10.0.0.0/25", "10.0.0.128/25", false, false, false},
        {"0.0.0.0/0", "10.0.0.0/8", true, true, false},
        {"0.0.0.0/0", "::/0", false, false, false},
        {"2001:db8::/32", "2001:db8:1::/48", true, true, false},
        {"2001:db8::/32", "2001:db9::/32", false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cidr x = block(cases[i].x), y = block(cases[i].y);
        assert_int_equal(cidr_contains(&x, &y), cases[i].contains);
        assert_int_equal(cidr_overlaps(&x, &y), cases[i].overlaps);
        assert_int_equal(cidr_overlaps(&y, &x), cases[i].overlaps);
        assert_int_equal(cidr_equal(&x, &y), cases[i].equal);
    }
}

static void numbers(void **state UNUSED)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(65536);
    uint32_t ip = 0;
    assert_true(ip4_parse(STR("198.18.0.255"), &ip));
    assert_int_equal(ip, 0xc61200ffu);
    assert_string_equal(ip4_text(a, ip).p, "198.18.0.255");
    assert_false(ip4_parse(STR("198.18.0"), &ip));
    assert_false(ip4_parse(STR("::1"), &ip));
    struct cidr c = block("10.0.1.0/28"), all = block("0.0.0.0/0"), top = block("255.0.0.0/8");
    assert_int_equal(cidr_size4(&c), 16);
    assert_int_equal(cidr_size4(&all), 0);
    assert_int_equal(cidr_first4(&c), 0x0a000100u);
    assert_true(cidr_has4(&c, 0x0a00010fu));
    assert_false(cidr_has4(&c, 0x0a000110u));
    assert_false(cidr_has4(&c, 0x0a0000ffu));
    assert_true(cidr_has4(&all, 0xffffffffu));
    assert_true(cidr_has4(&top, 0xffffffffu));
    struct cidr six = block("::/0");
    assert_false(cidr_has4(&six, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(what_is_no_block),
        cmocka_unit_test(relations),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

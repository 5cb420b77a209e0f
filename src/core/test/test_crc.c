#include "test.h"

#include "core/crc.h"

/* The check values of the catalogue of parametrised CRC algorithms, for "123456789". */
static void check_values(void **state)
{
    assert_int_equal(crc32_ieee(0, STR("123456789")), 0xcbf43926);
    assert_int_equal(crc32c(0, STR("123456789")), 0xe3069283);
    assert_true(crc64nvme(0, STR("123456789")) == UINT64_C(0xae8b14860a799888));
}

/* RFC 3720, appendix B.4. */
static void rfc_3720_examples(void **state)
{
    char zeros[32] = {0}, ones[32], up[32];
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++)
        up[i] = (char)i;
    assert_int_equal(crc32c(0, str_of(zeros, 32)), 0x8a9136aa);
    assert_int_equal(crc32c(0, str_of(ones, 32)), 0x62a8ab43);
    assert_int_equal(crc32c(0, str_of(up, 32)), 0x46dd794e);
}

static void nothing_changes_nothing(void **state)
{
    assert_int_equal(crc32_ieee(0, STR_NONE), 0);
    assert_int_equal(crc32c(7, STR("")), 7);
    assert_true(crc64nvme(UINT64_C(1) << 63, STR_NONE) == UINT64_C(1) << 63);
}

/* One bit at a time, straight from the definition. */
static uint64_t slow(uint64_t polynomial, uint64_t mask, uint64_t crc, struct str s)
{
    crc = ~crc & mask;
    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned char)s.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
    }
    return ~crc & mask;
}

static void every_length_and_cut(void **state)
{
    char data[100];
    uint64_t seed = 42;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)test_random(&seed);
    for (size_t n = 0; n <= sizeof data; n++) {
        size_t cut = n == 0 ? 0 : test_random(&seed) % n;
        struct str all = str_of(data, n), x = str_take(all, cut), y = str_skip(all, cut);
        assert_int_equal(crc32_ieee(0, all), slow(0xedb88320, UINT32_MAX, 0, all));
        assert_int_equal(crc32c(0, all), slow(0x82f63b78, UINT32_MAX, 0, all));
        assert_true(crc64nvme(0, all) ==
                    slow(UINT64_C(0x9a6c9329ac4bc9b5), UINT64_MAX, 0, all));
        assert_int_equal(crc32_ieee(crc32_ieee(0, x), y), crc32_ieee(0, all));
        assert_int_equal(crc32c(crc32c(0, x), y), crc32c(0, all));
        assert_true(crc64nvme(crc64nvme(0, x), y) == crc64nvme(0, all));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),
        cmocka_unit_test(rfc_3720_examples),
        cmocka_unit_test(nothing_changes_nothing),
        cmocka_unit_test(every_length_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "test.h"

#include "core/clock.h"

static void the_clock_can_be_replaced(void **state)
{
    clock_set_fake(12345);
    assert_int_equal(clock_now_ms(), 12345);
    clock_set_fake(0);
    assert_int_equal(clock_now_ms(), 0);
    clock_set_fake(-1);
    assert_true(clock_now_ms() > INT64_C(1600000000000));
    int64_t ms = clock_mono_ms(), us = clock_mono_us();
    assert_true(clock_mono_us() >= us);
    assert_true(us / 1000 >= ms);
}

#define NOV_22 INT64_C(1795315800123) /* 2026-11-22T02:50:00.123Z */

static void spellings(void **state)
{
    char text[TIME_TEXT_MAX];
    time_iso8601(NOV_22, text);
    assert_string_equal(text, "2026-11-22T02:50:00Z");
    time_iso8601_ms(NOV_22, text);
    assert_string_equal(text, "2026-11-22T02:50:00.123Z");
    time_basic(NOV_22, text);
    assert_string_equal(text, "20261122T025000Z");
    time_http(NOV_22, text);
    assert_string_equal(text, "Sun, 22 Nov 2026 02:50:00 GMT");
    time_iso8601_ms(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    time_iso8601_ms(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    time_http(INT64_C(784111777000), text); /* RFC 9110, section 5.6.7 */
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    struct arena *a = arena_new(1000);
    assert_str(time_iso8601_str(a, NOV_22), "2026-11-22T02:50:00Z");
    arena_free(a);
    /* No time, however strange, is more than the text can hold. */
    static const int64_t strange[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, -62135596800001};
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        time_iso8601_ms(strange[i], text);
        time_http(strange[i], text);
        assert_true(strlen(text) < TIME_TEXT_MAX);
    }
}

static void leap_years(void **state)
{
    int64_t ms;
    assert_true(time_parse_iso8601(STR("2024-02-29"), &ms));
    assert_true(time_parse_iso8601(STR("2000-02-29"), &ms));
    assert_false(time_parse_iso8601(STR("1900-02-29"), &ms));
    assert_false(time_parse_iso8601(STR("2100-02-29"), &ms));
    assert_false(time_parse_iso8601(STR("2023-02-29"), &ms));
    assert_false(time_parse_iso8601(STR("2023-04-31"), &ms));
    assert_false(time_parse_iso8601(STR("2023-13-01"), &ms));
    assert_false(time_parse_iso8601(STR("2023-00-01"), &ms));
    assert_false(time_parse_iso8601(STR("2023-01-00"), &ms));
}

/* Every day of 600 years, and the C library as a second opinion. */
static void every_day_both_ways(void **state)
{
    int64_t day_ms = 86400000, ms, back;
    assert_true(time_parse_iso8601(STR("1800-01-01"), &ms));
    int weekday = 3; /* a Wednesday */
    for (int days = 0; days < 219146; days++, ms += day_ms) {
        struct time_parts t = time_parts_of(ms + day_ms - 1);
        assert_int_equal(t.weekday, weekday);
        weekday = (weekday + 1) % 7;
        char text[TIME_TEXT_MAX];
        time_iso8601(ms, text);
        assert_true(time_parse_iso8601(str_take(str_c(text), 10), &back));
        assert_true(back == ms);
        assert_true(t.hour == 23 && t.minute == 59 && t.second == 59);
    }
    uint64_t seed = 3;
    for (int i = 0; i < 10000; i++) {
        ms = (int64_t)(test_random(&seed) % UINT64_C(250000000000000)) - INT64_C(30000000000000);
        time_t s = (time_t)(ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000));
        struct tm tm;
        gmtime_r(&s, &tm);
        struct time_parts t = time_parts_of(ms);
        assert_int_equal(t.year, tm.tm_year + 1900);
        assert_int_equal(t.month, tm.tm_mon + 1);
        assert_int_equal(t.day, tm.tm_mday);
        assert_int_equal(t.hour, tm.tm_hour);
        assert_int_equal(t.minute, tm.tm_min);
        assert_int_equal(t.second, tm.tm_sec);
        assert_int_equal(t.weekday, tm.tm_wday);
    }
}

static void spellings_read_back(void **state)
{
    uint64_t seed = 8;
    char text[TIME_TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)(test_random(&seed) % UINT64_C(253402300800000)), back;
        time_iso8601_ms(ms, text);
        assert_true(time_parse_iso8601(str_c(text), &back) && back == ms);
        time_iso8601(ms, text);
        assert_true(time_parse_iso8601(str_c(text), &back) && back == ms / 1000 * 1000);
        time_basic(ms, text);
        assert_true(time_parse_basic(str_c(text), &back) && back == ms / 1000 * 1000);
        time_http(ms, text);
        assert_true(time_parse_http(str_c(text), &back) && back == ms / 1000 * 1000);
    }
}

static int64_t iso(const char *text)
{
    int64_t ms = -1;
    assert_true(time_parse_iso8601(str_c(text), &ms));
    return ms;
}

static void iso8601_forms(void **state)
{
    int64_t whole = NOV_22 / 1000 * 1000;
    assert_true(iso("2026-11-22T02:50:00Z") == whole);
    assert_true(iso("2026-11-22T02:50Z") == whole);
    assert_true(iso("2026-11-22 02:50:00Z") == whole);
    assert_true(iso("2026-11-22T02:50:00.1Z") == whole + 100);
    assert_true(iso("2026-11-22T02:50:00.123456789Z") == NOV_22);
    assert_true(iso("2026-11-22T03:50:00+01:00") == whole);
    assert_true(iso("2026-11-21T21:20:00-0530") == whole);
    assert_true(iso("2026-11-22") == whole - (2 * 60 + 50) * 60000);
    assert_true(iso("2016-12-31T23:59:60Z") == iso("2017-01-01T00:00:00Z"));
    static const char *const wrong[] = {
        "", "2026", "2026-11", "2026-11-2", "2026-1-022", "2026/11/22", "2026-11-22T",
        "2026-11-22T02", "2026-11-22T02:50", "2026-11-22T02:50:00", "2026-11-22T02:50:0Z",
        "2026-11-22T24:00:00Z", "2026-11-22T02:60:00Z", "2026-11-22T02:50:61Z",
        "2026-11-22T02:50:00.Z", "2026-11-22T02:50:00.1234567890Z", "2026-11-22T02:50:00z",
        "2026-11-22T02:50:00Zx", "2026-11-22T02:50:00+1", "2026-11-22T02:50:00+01:0",
        "2026-11-22T02:50:00+24:00", "2026-11-22T02:50:00+01:60", "2026-11-22x02:50:00Z",
        "-026-11-22", "+026-11-22", "2026-11-22T-2:50:00Z", " 2026-11-22", "2026-11-22 ",
        "2026-11-22T02:50:00.5", "20261122T025000Z"};
    int64_t ms = 5;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(time_parse_iso8601(str_c(wrong[i]), &ms));
    assert_int_equal(ms, 5);
}

static void basic_and_http_forms(void **state)
{
    static const char *const basic[] = {"", "20261122T025000", "20261122t025000Z",
                                        "20261122T025000Zx", "20261122T02500Z", "20261322T025000Z",
                                        "2026-1122T02500Z", "20261122 025000Z", "20260229T000000Z"};
    static const char *const http[] = {"", "Sun, 22 Nov 2026 02:50:00", "22 Nov 2026 02:50:00 GMT",
                                       "Sun, 22 Xxx 2026 02:50:00 GMT",
                                       "Xxx, 22 Nov 2026 02:50:00 GMT",
                                       "Sun,x22 Nov 2026 02:50:00 GMT",
                                       "Sun, 22xNov 2026 02:50:00 GMT",
                                       "Sun, 22 Novx2026 02:50:00 GMT",
                                       "Sun, 22 Nov 2026x02:50:00 GMT",
                                       "Sun, 31 Nov 2026 02:50:00 GMT",
                                       "Sun, 22 Nov 2026 02:50:00 UTC",
                                       "Sun, 22 Nov 2026 02.50:00 GMT",
                                       "Sunday, 22-Nov-26 02:50:00 GMT"};
    int64_t ms = 5;
    for (size_t i = 0; i < ARRAY_LEN(basic); i++)
        assert_false(time_parse_basic(str_c(basic[i]), &ms));
    for (size_t i = 0; i < ARRAY_LEN(http); i++)
        assert_false(time_parse_http(str_c(http[i]), &ms));
    assert_int_equal(ms, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_can_be_replaced),
        cmocka_unit_test(spellings),
        cmocka_unit_test(leap_years),
        cmocka_unit_test(every_day_both_ways),
        cmocka_unit_test(spellings_read_back),
        cmocka_unit_test(iso8601_forms),
        cmocka_unit_test(basic_and_http_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

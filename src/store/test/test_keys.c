/* Composed keys: what goes in comes out, and the order of bytes is the order of the parts. */
#include "fixture.h"

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % n;
}

/* Short, from few letters, so that equal and nested parts are frequent. */
static struct str random_text(char *room)
{
    static const char letters[] = {'\0', '\x01', 'a', '\xfe', '\xff'};
    size_t n = below(4);
    for (size_t i = 0; i < n; i++)
        room[i] = letters[below(sizeof letters)];
    return str_of(room, n);
}

struct parts {
    char room[3][4];
    struct str text, tail;
    uint64_t big;
    uint32_t small;
};

static struct parts *random_parts(struct parts *p)
{
    static const uint64_t ints[] = {0, 1, 255, 256, UINT32_MAX, 1ull << 32, UINT64_MAX};
    p->text = random_text(p->room[0]);
    p->tail = random_text(p->room[1]);
    p->big = ints[below(ARRAY_LEN(ints))];
    p->small = (uint32_t)ints[below(4)];
    return p;
}

static struct skey compose(const struct parts *p)
{
    struct skey k = skey();
    key_str(&k, p->text);
    key_u64(&k, p->big);
    key_u32(&k, p->small);
    key_tail(&k, p->tail);
    return k;
}

static int compare(const struct parts *a, const struct parts *b)
{
    int d = str_cmp(a->text, b->text);
    if (d == 0 && a->big != b->big)
        d = a->big < b->big ? -1 : 1;
    if (d == 0 && a->small != b->small)
        d = a->small < b->small ? -1 : 1;
    return d != 0 ? d : str_cmp(a->tail, b->tail);
}

static int sign(int d)
{
    return (d > 0) - (d < 0);
}

static void test_order(void **state)
{
    for (int i = 0; i < 200000; i++) {
        struct parts a, b;
        struct skey ka = compose(random_parts(&a)), kb = compose(random_parts(&b));
        assert_int_equal(sign(str_cmp(key_of(&ka), key_of(&kb))), sign(compare(&a, &b)));
    }
}

static void test_round_trip(void **state)
{
    struct arena *a = arena_new(1 << 20);
    for (int i = 0; i < 10000; i++) {
        struct parts p;
        struct skey k = compose(random_parts(&p));
        struct str rest = key_of(&k), text;
        uint64_t big;
        uint32_t small;
        assert_true(key_take_str(a, &rest, &text) && key_take_u64(&rest, &big) &&
                    key_take_u32(&rest, &small));
        assert_true(str_eq(text, p.text) && big == p.big && small == p.small &&
                    str_eq(rest, p.tail));
        arena_reset(a);
    }
    arena_free(a);
}

static void test_bad_forms(void **state)
{
    struct arena *a = arena_new(1 << 16);
    static const char *const bad[] = {"", "61", "6100", "610002", "00fe", "00ff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char bytes[8];
        size_t n = strlen(bad[i]) / 2;
        for (size_t j = 0; j < n; j++) {
            char digits[3] = {bad[i][2 * j], bad[i][2 * j + 1], '\0'};
            bytes[j] = (char)strtol(digits, NULL, 16);
        }
        struct str rest = str_of(bytes, n), out = STR("untouched");
        assert_false(key_take_str(a, &rest, &out));
        assert_true(str_is(out, "untouched") && rest.n == n);
    }
    struct str rest = STR("1234567");
    uint64_t big;
    assert_false(key_take_u64(&rest, &big));
    assert_int_equal(rest.n, 7);
    arena_free(a);
}

static void test_overlong(void **state)
{
    char text[1300];
    memset(text, 'x', sizeof text);
    struct skey k = skey();
    key_str(&k, str_of(text, 1198));
    assert_false(k.over);
    assert_int_equal(key_of(&k).n, 1200);
    key_u32(&k, 1);
    assert_true(k.over);
    assert_true(key_of(&k).n > STORE_KEY_MAX);
    k = skey();
    key_tail(&k, str_of(text, sizeof text));
    key_c(&k, "short"); /* does not become whole again */
    assert_true(key_of(&k).n > STORE_KEY_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bad_forms),
        cmocka_unit_test(test_overlong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

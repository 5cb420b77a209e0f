#include "test.h"

#include "core/map.h"

static int marks[4096];

static void basics(void **state)
{
    struct map m = MAP_INIT;
    size_t i = 0;
    assert_null(map_get(&m, STR("a")));
    assert_null(map_del(&m, STR("a")));
    assert_null(map_each(&m, &i));
    assert_null(map_put(&m, STR("a"), &marks[0]));
    assert_ptr_equal(map_put(&m, STR("a"), &marks[1]), &marks[0]);
    assert_int_equal(m.n, 1);
    assert_ptr_equal(map_get(&m, STR("a")), &marks[1]);
    assert_null(map_get(&m, STR("b")));
    assert_ptr_equal(map_del(&m, STR("a")), &marks[1]);
    assert_int_equal(m.n, 0);
    map_clear(&m);
    map_clear(&m);
}

static void any_bytes_are_keys(void **state)
{
    struct map m = MAP_INIT;
    map_put(&m, STR(""), &marks[0]);
    map_put(&m, STR("a\0b"), &marks[1]);
    map_put(&m, STR("a\0c"), &marks[2]);
    map_put(&m, STR("a"), &marks[3]);
    assert_ptr_equal(map_get(&m, STR_NONE), &marks[0]);
    assert_ptr_equal(map_get(&m, STR("a\0b")), &marks[1]);
    assert_ptr_equal(map_get(&m, STR("a\0c")), &marks[2]);
    assert_ptr_equal(map_get(&m, STR("a")), &marks[3]);
    char key[] = "copied";
    map_put(&m, str_c(key), &marks[4]);
    key[0] = 'X';
    assert_ptr_equal(map_get(&m, STR("copied")), &marks[4]);
    map_clear(&m);
}

static size_t spell(char *out, size_t key)
{
    return (size_t)snprintf(out, 64, "key-%zu%s", key, key % 3 == 0 ? "-with-a-longer-name" : "");
}

/* Random puts and deletes against an array that knows what should be there. */
static void against_brute_force(void **state)
{
    enum { KEYS = 600 };
    struct map m = MAP_INIT;
    void *want[KEYS] = {0};
    size_t n = 0;
    uint64_t seed = 21;
    for (int round = 0; round < 60000; round++) {
        /* Phases of growth and of decay, so that long clusters form and go. */
        bool put = test_random(&seed) % 100 < (round / 5000 % 2 == 0 ? 70 : 30);
        size_t key = test_random(&seed) % KEYS;
        char text[64];
        struct str name = str_of(text, spell(text, key));
        void *value = &marks[test_random(&seed) % ARRAY_LEN(marks)];
        void *former = put ? map_put(&m, name, value) : map_del(&m, name);
        assert_ptr_equal(former, want[key]);
        n = n - (want[key] != NULL) + put;
        want[key] = put ? value : NULL;
        assert_int_equal(m.n, n);
        if (round % 500 != 0)
            continue;
        for (key = 0; key < KEYS; key++)
            assert_ptr_equal(map_get(&m, str_of(text, spell(text, key))), want[key]);
        size_t seen = 0, i = 0;
        for (const struct map_slot *s; (s = map_each(&m, &i)) != NULL; seen++)
            assert_ptr_equal(map_get(&m, str_of(s->key, s->key_n)), s->value);
        assert_int_equal(seen, n);
    }
    map_clear(&m);
}

static void many_keys(void **state)
{
    struct map m = MAP_INIT;
    char text[64];
    for (size_t i = 0; i < 50000; i++)
        map_put(&m, str_of(text, spell(text, i)), &marks[i % ARRAY_LEN(marks)]);
    assert_int_equal(m.n, 50000);
    for (size_t i = 0; i < 50000; i++)
        assert_ptr_equal(map_get(&m, str_of(text, spell(text, i))), &marks[i % ARRAY_LEN(marks)]);
    for (size_t i = 0; i < 50000; i += 2)
        assert_non_null(map_del(&m, str_of(text, spell(text, i))));
    for (size_t i = 0; i < 50000; i++)
        assert_true((map_get(&m, str_of(text, spell(text, i))) != NULL) == (i % 2 == 1));
    map_clear(&m);
}

/* Every length has its own hash, and equal keys equal ones. */
static void hashing(void **state)
{
    char zeros[64] = {0};
    uint64_t seen[64];
    for (size_t n = 0; n < 64; n++) {
        seen[n] = map_hash(str_of(zeros, n));
        assert_true(seen[n] == map_hash(str_of(zeros, n)));
        for (size_t i = 0; i < n; i++)
            assert_true(seen[i] != seen[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basics),    cmocka_unit_test(any_bytes_are_keys),
        cmocka_unit_test(against_brute_force), cmocka_unit_test(many_keys),
        cmocka_unit_test(hashing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

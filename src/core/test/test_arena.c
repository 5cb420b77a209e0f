#include "test.h"

static int order[8];
static int n_order;

static void note(void *arg)
{
    order[n_order++] = *(int *)arg;
}

static void memory_is_zeroed_and_aligned(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 3000; n += 7) {
            unsigned char *p = arena_alloc(a, n);
            assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xee, n); /* what reset gives again must be zeroed again */
        }
        arena_reset(a);
    }
    arena_free(a);
    arena_free(NULL);
}

/* Pieces do not overlap, whatever their sizes: each is filled with its own number, and all still
 * hold it at the end. */
static void pieces_do_not_overlap(void **state)
{
    struct arena *a = arena_new(64 * 1024 * 1024);
    enum { PIECES = 400 };
    unsigned char *p[PIECES];
    size_t size[PIECES];
    uint64_t seed = 5;
    for (int i = 0; i < PIECES; i++) {
        size[i] = test_random(&seed) % (i % 10 == 0 ? 100000 : 600);
        p[i] = arena_alloc_raw(a, size[i]);
        memset(p[i], i & 0xff, size[i]);
    }
    for (int i = 0; i < PIECES; i++)
        for (size_t j = 0; j < size[i]; j++)
            assert_int_equal(p[i][j], i & 0xff);
    arena_free(a);
}

static void large_pieces_do_not_waste_the_block(void **state)
{
    struct arena *a = arena_new(64 * 1024 * 1024);
    char *x = arena_alloc(a, 16);
    arena_alloc(a, 100000);
    char *y = arena_alloc(a, 16);
    assert_true(y > x && y - x < 1024); /* the same block went on */
    arena_reset(a);
    assert_ptr_equal(arena_alloc(a, 16), x); /* and it is the one that reset keeps */
    arena_free(a);
}

static void the_cap_leaves_a_mark(void **state)
{
    struct arena *a = arena_new(1000);
    assert_true(arena_fits(a, 1000));
    assert_false(arena_fits(a, 1001));
    assert_false(arena_fits(a, SIZE_MAX));
    arena_alloc(a, 900);
    assert_false(arena_over(a));
    assert_ok(arena_check(a));
    memset(arena_alloc(a, 900), 1, 900); /* still memory */
    assert_true(arena_over(a));
    assert_false(arena_fits(a, 0));
    assert_err(arena_check(a), ERR_LIMIT, "memory");
    assert_true(arena_used(a) >= 1800);
    arena_reset(a);
    assert_false(arena_over(a));
    assert_int_equal(arena_used(a), 0);
    arena_free(a);
}

static void cleanups_run_last_first(void **state)
{
    static int one = 1, two = 2, three = 3;
    struct arena *a = arena_new(1000);
    n_order = 0;
    arena_on_free(a, note, &one);
    arena_on_free(a, note, &two);
    arena_reset(a);
    assert_int_equal(n_order, 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
    arena_on_free(a, note, &three);
    arena_free_ptr(&a);
    assert_int_equal(n_order, 3);
    assert_int_equal(order[2], 3);
}

static void texts(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct str s = arena_str(a, STR("abc"));
    assert_str(s, "abc");
    assert_int_equal(s.p[3], 0);
    assert_null(arena_str(a, STR_NONE).p);
    assert_str(arena_str(a, STR("")), "");
    assert_string_equal(arena_cstr(a, STR_NONE), "");
    assert_str(arena_concat(a, STR("ab"), STR("cd")), "abcd");
    assert_str(arena_concat(a, STR_NONE, STR_NONE), "");
    s = arena_fmt(a, "%s-%d", "x", 5);
    assert_str(s, "x-5");
    assert_int_equal(s.p[s.n], 0);
    for (int n = 250; n < 260; n++) { /* around the size that is formatted on the stack */
        s = arena_fmt(a, "%*d", n, 7);
        assert_int_equal(s.n, n);
        assert_int_equal(s.p[n - 1], '7');
        assert_int_equal(s.p[n], 0);
    }
    arena_free(a);
}

static void vectors_grow(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++)
        VEC_PUSH(a, &v, i);
    assert_int_equal(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v.v[i], i);
    int *array = ARENA_ARRAY(a, 10, int);
    assert_int_equal(array[9], 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(large_pieces_do_not_waste_the_block),
        cmocka_unit_test(the_cap_leaves_a_mark),
        cmocka_unit_test(cleanups_run_last_first),
        cmocka_unit_test(texts),
        cmocka_unit_test(vectors_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

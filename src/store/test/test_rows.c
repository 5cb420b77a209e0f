/* Rows kept decoded: never older than what was acknowledged, never older than the snapshot of the
 * transaction that may write them back. */
#include "../../core/json.h"
#include "../rowcache.h"
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define T "t"

static int setup_memory(void **state)
{
    *state = fixture_new(false);
    return 0;
}

static int setup_disk(void **state)
{
    *state = fixture_new(true);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* A form that counts what it decodes. */
static _Atomic int decoded, freed;

struct thing {
    char text[64];
};

static struct err *thing_decode(struct str text, void **out, size_t *out_bytes)
{
    if (str_is(text, "broken"))
        return err_new(ERR_CORRUPT, "Broken.");
    struct thing *t = calloc(1, sizeof *t);
    assert_non_null(t);
    assert_true(text.n < sizeof t->text);
    memcpy(t->text, text.p, text.n);
    decoded++;
    *out = t;
    *out_bytes = sizeof *t;
    return NULL;
}

static void thing_free(void *object)
{
    freed++;
    free(object);
}

static const struct row_form form = {thing_decode, thing_free};

static const char *look_in(struct fixture *f, struct txn *t, const char *key)
{
    const void *object = NULL;
    OK(txn_look(t, T, &form, str_c(key), f->arena, &object));
    return object == NULL ? NULL : ((const struct thing *)object)->text;
}

static const char *look(struct fixture *f, const char *key)
{
    struct txn *t = begin(f, TXN_LOOK);
    const char *text = look_in(f, t, key);
    OK(txn_commit(&t));
    return text;
}

static void delete(struct fixture *f, const char *key)
{
    struct txn *t = begin(f, TXN_WRITE);
    OK(txn_del(t, T, str_c(key)));
    OK(txn_commit(&t));
}

static void test_decoded_once(void **state)
{
    struct fixture *f = *state;
    put(f, T, "a", "1");
    put(f, T, "b", "1");
    decoded = 0;
    for (int i = 0; i < 5; i++)
        assert_string_equal(look(f, "a"), "1");
    assert_int_equal(decoded, 1);
    put(f, "another table", "a", "2");
    put(f, T, "b", "2"); /* another row of the table: looked at again, not decoded again */
    assert_string_equal(look(f, "a"), "1");
    assert_int_equal(decoded, 1);
    assert_null(look(f, "c"));
}

static void test_change_shows_at_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        put(f, T, "a", text);
        assert_string_equal(look(f, "a"), text);
        assert_string_equal(look(f, "a"), text);
    }
    delete(f, "a");
    assert_null(look(f, "a"));
    put(f, T, "a", "again");
    assert_string_equal(look(f, "a"), "again");
    put(f, T, "a", "broken");
    struct txn *t = begin(f, TXN_LOOK);
    const void *object;
    assert_kind(txn_look(t, T, &form, STR("a"), f->arena, &object), ERR_CORRUPT);
    txn_abort(&t);
}

static void test_own_writes_show(void **state)
{
    struct fixture *f = *state;
    put(f, T, "a", "1");
    assert_string_equal(look(f, "a"), "1");
    struct txn *t = begin(f, TXN_WRITE);
    OK(txn_put(t, T, OWNER, STR("a"), STR("mine")));
    assert_string_equal(look_in(f, t, "a"), "mine");
    assert_string_equal(look(f, "a"), "1"); /* to nobody else */
    OK(txn_del(t, T, STR("a")));
    assert_null(look_in(f, t, "a"));
    txn_abort(&t);
    assert_string_equal(look(f, "a"), "1");
}

static void test_old_snapshots_keep_nothing_alive(void **state)
{
    struct fixture *f = *state;
    put(f, T, "a", "1");
    struct txn *old = begin(f, TXN_READ);
    put(f, T, "a", "2");
    assert_string_equal(look_in(f, old, "a"), "1"); /* reads the store at its snapshot */
    assert_string_equal(look(f, "a"), "2");
    txn_abort(&old);
    assert_string_equal(look(f, "a"), "2");
}

static void test_what_is_given_out_lives(void **state)
{
    struct fixture *f = *state;
    put(f, T, "a", "1");
    freed = 0;
    struct txn *t = begin(f, TXN_LOOK);
    const char *text = look_in(f, t, "a");
    put(f, T, "a", "2");
    assert_string_equal(look(f, "a"), "2");
    assert_string_equal(text, "1");
    assert_int_equal(freed, 0);
    txn_abort(&t);
    arena_reset(f->arena);
    assert_int_equal(freed, 1);
}

static void test_destroyed_owner(void **state)
{
    struct fixture *f = *state;
    put(f, T, "a", "1");
    assert_string_equal(look(f, "a"), "1");
    OK(store_owner_destroy(f->store, OWNER));
    struct txn *t = begin(f, TXN_LOOK);
    const void *object;
    assert_kind(txn_look(t, T, &form, STR("a"), f->arena, &object), ERR_CORRUPT);
    txn_abort(&t);
}

static void test_documents(void **state)
{
    struct fixture *f = *state;
    const struct jv *row = NULL;
    put(f, T, "a", "{\"n\":7}");
    struct txn *t = begin(f, TXN_LOOK);
    OK(txn_look_json(t, T, STR("a"), f->arena, &row));
    assert_int_equal(jv_i(jv_get(row, "n"), 0), 7);
    OK(txn_look_json(t, T, STR("b"), f->arena, &row));
    assert_null(row);
    txn_abort(&t);
    put(f, T, "c", "{");
    t = begin(f, TXN_LOOK);
    assert_kind(txn_look_json(t, T, STR("c"), f->arena, &row), ERR_CORRUPT);
    txn_abort(&t);
}

static void test_late_snapshot(void **state)
{
    struct fixture *f = *state;
    put(f, T, "a", "1");
    struct txn *t = begin(f, TXN_LOOK);
    put(f, T, "a", "2");
    assert_str(get_in(f, t, T, "a"), "2"); /* taken here */
    put(f, T, "a", "3");
    assert_str(get_in(f, t, T, "a"), "2"); /* and kept */
    OK(txn_commit(&t));
}

static void test_bounds(void **state)
{
    (void)state;
    struct row_cache *c = row_cache_new();
    char stored[128] = "\1 an id of sixteen and a nonce and a tag, somewhere behind";
    struct data_key *d = NULL; /* nobody asks for freshness here */
    for (int i = 0; i < 3 * ROW_CACHE_ENTRIES; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%d", i);
        struct thing *t = calloc(1, sizeof *t);
        row_entry_unref(row_cache_put(c, &form, str_of(key, (size_t)n), str_of(stored, 128), 1, d,
                                      t, sizeof *t));
    }
    struct row_cache_stats s = row_cache_stats(c);
    assert_int_equal(s.entries, ROW_CACHE_ENTRIES);
    for (int i = 0; i < 10; i++) { /* large ones push many out, and one too large is not kept */
        char key[16];
        int n = snprintf(key, sizeof key, "large %d", i);
        row_entry_unref(row_cache_put(c, &form, str_of(key, (size_t)n), str_of(stored, 128), 1, d,
                                      calloc(1, sizeof(struct thing)), ROW_CACHE_BYTES / 4));
    }
    s = row_cache_stats(c);
    assert_true(s.bytes <= ROW_CACHE_BYTES && s.entries >= 3);
    row_entry_unref(row_cache_put(c, &form, STR("x"), str_of(stored, 128), 1, d,
                                  calloc(1, sizeof(struct thing)), ROW_CACHE_BYTES));
    assert_null(row_cache_find(c, &form, STR("x")));
    row_cache_free(c);
}

/* Many threads count in one row by looking at it and writing it back: no update may be lost, though
 * the look itself is not checked at commit. */
enum { COUNTERS = 8, ROUNDS = 150 };

struct counter {
    pthread_t thread;
    struct fixture *f;
    int done;
};

static struct err *count_once(struct fixture *f)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(65536);
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(f->store, TXN_WRITE, &t));
    const void *object = NULL;
    TRY(txn_look(t, T, &form, STR("n"), a, &object));
    int n = (int)strtol(((const struct thing *)object)->text, NULL, 10);
    TRY(txn_put(t, T, OWNER, STR("n"), arena_fmt(a, "%d", n + 1)));
    return txn_commit(&t);
}

static void *count(void *arg)
{
    struct counter *c = arg;
    while (c->done < ROUNDS) {
        struct err *e = count_once(c->f);
        c->done += e == NULL;
        CHECK(e == NULL || err_is(e, ERR_CONFLICT));
        err_free(e);
    }
    return NULL;
}

static void test_no_lost_update(void **state)
{
    struct fixture *f = *state;
    struct counter c[COUNTERS];
    char want[16];
    put(f, T, "n", "0");
    for (int i = 0; i < COUNTERS; i++) {
        c[i] = (struct counter){.f = f};
        assert_int_equal(pthread_create(&c[i].thread, NULL, count, &c[i]), 0);
    }
    for (int i = 0; i < COUNTERS; i++)
        pthread_join(c[i].thread, NULL);
    snprintf(want, sizeof want, "%d", COUNTERS * ROUNDS);
    assert_string_equal(look(f, "n"), want);
}

/* One thread writes; when its commit has ended, nobody's next look may show less. */
struct watch {
    struct fixture *f;
    _Atomic int acknowledged;
    _Atomic bool over;
};

static void *watch(void *arg)
{
    struct watch *w = arg;
    while (!atomic_load(&w->over)) {
        struct arena *a = arena_new(65536);
        struct txn *t = NULL;
        int least = atomic_load(&w->acknowledged);
        const void *object = NULL;
        err_free(store_begin(w->f->store, TXN_LOOK, &t));
        CHECK(t != NULL);
        err_free(txn_look(t, T, &form, STR("n"), a, &object));
        CHECK(object != NULL);
        CHECK(strtol(((const struct thing *)object)->text, NULL, 10) >= least);
        txn_abort(&t);
        arena_free(a);
    }
    return NULL;
}

static void test_acknowledged_shows(void **state)
{
    struct watch w = {.f = *state};
    pthread_t threads[4];
    put(w.f, T, "n", "0");
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch, &w), 0);
    for (int i = 1; i <= 500; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        put(w.f, T, "n", text);
        atomic_store(&w.acknowledged, i);
    }
    atomic_store(&w.over, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup_memory, teardown),                                 \
        cmocka_unit_test_setup_teardown(test, setup_disk, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_decoded_once),
        BOTH(test_change_shows_at_once),
        BOTH(test_own_writes_show),
        BOTH(test_old_snapshots_keep_nothing_alive),
        BOTH(test_what_is_given_out_lives),
        BOTH(test_destroyed_owner),
        BOTH(test_documents),
        BOTH(test_late_snapshot),
        cmocka_unit_test(test_bounds),
        BOTH(test_no_lost_update),
        BOTH(test_acknowledged_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What store.h promises, of both engines: the same bodies run twice. */
#include "fixture.h"

#include "../../core/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static int set_up_memory(void **state)
{
    *state = fixture_new(false);
    return 0;
}

static int set_up_disk(void **state)
{
    *state = fixture_new(true);
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static void test_rows(void **state)
{
    struct fixture *f = *state;
    assert_null(get(f, "t", "k").p);
    put(f, "t", "k", "v1");
    assert_str(get(f, "t", "k"), "v1");
    assert_null(get(f, "u", "k").p); /* another table */
    put(f, "t", "k", "");
    assert_non_null(get(f, "t", "k").p);
    assert_int_equal(get(f, "t", "k").n, 0);
    struct txn *t = begin(f, TXN_WRITE);
    OK(txn_del(t, "t", STR("k")));
    OK(txn_del(t, "t", STR("never was")));
    assert_null(get_in(f, t, "t", "k").p); /* sees its own writes */
    OK(txn_put(t, "t", OWNER, STR("k2"), STR("v2")));
    assert_str(get_in(f, t, "t", "k2"), "v2");
    assert_null(get(f, "t", "k2").p); /* nobody else does yet */
    OK(txn_commit(&t));
    assert_null(t);
    assert_null(get(f, "t", "k").p);
    assert_str(get(f, "t", "k2"), "v2");
    t = begin(f, TXN_WRITE);
    OK(txn_put(t, "t", OWNER, STR("k2"), STR("v3")));
    txn_abort(&t);
    txn_abort(&t); /* NULL is fine */
    assert_str(get(f, "t", "k2"), "v2");
    put(f, "t", "", "empty key");
    assert_str(get(f, "t", ""), "empty key");
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    char *big = calloc(1, STORE_VALUE_MAX + 1);
    assert_non_null(big);
    big[STORE_VALUE_MAX - 1] = 'z';
    struct txn *t = begin(f, TXN_WRITE);
    struct str v;
    OK(txn_put(t, "t", OWNER, str_of(big, STORE_KEY_MAX), STR("long key")));
    assert_kind(txn_put(t, "t", OWNER, str_of(big, STORE_KEY_MAX + 1), STR("v")), ERR_LIMIT);
    assert_kind(txn_get(t, "t", str_of(big, STORE_KEY_MAX + 1), f->arena, &v), ERR_LIMIT);
    assert_kind(txn_put(t, "t", OWNER, STR("k"), str_of(big, STORE_VALUE_MAX + 1)), ERR_LIMIT);
    OK(txn_put(t, "t", OWNER, STR("k"), str_of(big, STORE_VALUE_MAX)));
    struct err *e = NULL;
    for (int i = 0; i < 8 && e == NULL; i++)
        e = txn_put(t, "t", OWNER, STR("k"), str_of(big, STORE_VALUE_MAX));
    assert_kind(e, ERR_LIMIT); /* the transaction's bytes */
    txn_abort(&t);
    t = begin(f, TXN_WRITE);
    OK(txn_put(t, "t", OWNER, str_of(big, STORE_KEY_MAX), STR("long key")));
    OK(txn_put(t, "t", OWNER, STR("k"), str_of(big, STORE_VALUE_MAX)));
    OK(txn_commit(&t));
    v = get(f, "t", "k");
    assert_int_equal(v.n, STORE_VALUE_MAX);
    assert_memory_equal(v.p, big, v.n);
    free(big);

    struct skey k = skey();
    for (int i = 0; i < 200; i++)
        key_u64(&k, 1);
    t = begin(f, TXN_WRITE);
    assert_kind(txn_put(t, "t", OWNER, key_of(&k), STR("v")), ERR_LIMIT);
    struct cursor *c;
    assert_kind(txn_scan(t, "t", &(struct scan){.prefix = key_of(&k)}, &c), ERR_LIMIT);
    assert_kind(txn_put(t, "t", STR("not an account/x"), STR("k"), STR("v")), ERR_INVALID);
    assert_kind(txn_put(t, "t", STR("12345678901"), STR("k"), STR("v")), ERR_INVALID);
    assert_kind(txn_put(t, "t", STR_NONE, STR("k"), STR("v")), ERR_INVALID);
    OK(txn_put(t, "t", STR("ward"), STR("k"), STR("v")));
    txn_abort(&t);
}

static void test_snapshots(void **state)
{
    struct fixture *f = *state;
    put(f, "t", "a", "1");
    struct txn *old = begin(f, TXN_READ), *writer = begin(f, TXN_WRITE);
    put(f, "t", "a", "2");
    put(f, "t", "b", "new");
    assert_str(get_in(f, old, "t", "a"), "1");
    assert_null(get_in(f, old, "t", "b").p);
    struct str v;
    OK(txn_peek(writer, "t", STR("a"), f->arena, &v));
    assert_str(v, "1");
    OK(txn_commit(&old));
    txn_abort(&writer);
    assert_str(get(f, "t", "a"), "2");
}

static void test_conflicts(void **state)
{
    struct fixture *f = *state;
    put(f, "t", "a", "1");
    struct txn *t = begin(f, TXN_WRITE); /* read, then changed by another */
    assert_str(get_in(f, t, "t", "a"), "1");
    put(f, "t", "a", "2");
    assert_str(get_in(f, t, "t", "a"), "1"); /* its snapshot stays */
    OK(txn_put(t, "t", OWNER, STR("b"), STR("x")));
    assert_kind(txn_commit(&t), ERR_CONFLICT);
    assert_null(get(f, "t", "b").p);

    t = begin(f, TXN_WRITE); /* a blind write */
    put(f, "t", "a", "3");
    OK(txn_put(t, "t", OWNER, STR("a"), STR("4")));
    assert_kind(txn_commit(&t), ERR_CONFLICT);

    t = begin(f, TXN_WRITE); /* absence is a reading too */
    assert_null(get_in(f, t, "t", "name").p);
    put(f, "t", "name", "taken");
    OK(txn_put(t, "t", OWNER, STR("mine"), STR("x")));
    assert_kind(txn_commit(&t), ERR_CONFLICT);

    t = begin(f, TXN_WRITE); /* deleted by another */
    assert_str(get_in(f, t, "t", "name"), "taken");
    struct txn *u = begin(f, TXN_WRITE);
    OK(txn_del(u, "t", STR("name")));
    OK(txn_commit(&u));
    OK(txn_put(t, "t", OWNER, STR("mine"), STR("x")));
    assert_kind(txn_commit(&t), ERR_CONFLICT);

    t = begin(f, TXN_WRITE); /* deleting what another changed */
    put(f, "t", "a", "5");
    OK(txn_del(t, "t", STR("a")));
    assert_kind(txn_commit(&t), ERR_CONFLICT);
    assert_str(get(f, "t", "a"), "5");
}

static void test_what_does_not_conflict(void **state)
{
    struct fixture *f = *state;
    put(f, "t", "a", "1");
    struct txn *t = begin(f, TXN_WRITE);
    struct str v;
    OK(txn_peek(t, "t", STR("a"), f->arena, &v));
    put(f, "t", "a", "2");
    OK(txn_put(t, "t", OWNER, STR("b"), STR("x")));
    OK(txn_put_new(t, "t", OWNER, STR("unique"), STR("y")));
    OK(txn_commit(&t));
    assert_str(get(f, "t", "unique"), "y");
    assert_str(get(f, "t", "b"), "x");

    t = begin(f, TXN_WRITE); /* a put_new of a key that another wrote meanwhile */
    put(f, "t", "n", "1");
    OK(txn_put_new(t, "t", OWNER, STR("n"), STR("2")));
    OK(txn_commit(&t));
    assert_str(get(f, "t", "n"), "2");

    t = begin(f, TXN_WRITE); /* it wrote nothing: true at its snapshot */
    (void)get_in(f, t, "t", "a");
    put(f, "t", "a", "3");
    OK(txn_commit(&t));

    t = begin(f, TXN_WRITE); /* a phantom: keys seen by a scan are not checked, as documented */
    struct cursor *c;
    bool more = true;
    struct str key;
    OK(txn_scan(t, "empty", &(struct scan){0}, &c));
    OK(cursor_next(c, &more, &key, &v));
    assert_false(more);
    cursor_free(c);
    put(f, "empty", "not any more", "1");
    OK(txn_put(t, "t", OWNER, STR("it was empty"), STR("1")));
    OK(txn_commit(&t));
}

/* -- scans ------------------------------------------------------------------------------------- */

/* The keys of a scan, joined by blanks, with their values checked against "v" and the key. */
static struct str joined(struct fixture *f, struct txn *t, const struct scan *sc)
{
    struct cursor *c CLEANUP(cursor_free_ptr) = NULL;
    struct buf b CLEANUP(buf_clear) = BUF_INIT(4096);
    OK(txn_scan(t, "s", sc, &c));
    bool more;
    struct str key = STR_NONE, value = STR_NONE;
    for (;;) {
        OK(cursor_next(c, &more, &key, &value));
        if (!more)
            break;
        if (b.n > 0)
            buf_char(&b, ' ');
        buf_str(&b, key);
        if (sc->keys_only) {
            assert_null(value.p);
        } else {
            assert_int_equal(value.n, key.n + 1);
            assert_memory_equal(value.p + 1, key.p, key.n);
        }
    }
    OK(cursor_next(c, &more, &key, &value)); /* stays at the end */
    assert_false(more);
    buf_char(&b, '\0');
    return str_c(arena_cstr(f->arena, str_take(buf_view(&b), b.n - 1)));
}

static void put_v(struct txn *t, const char *key)
{
    char value[64];
    (void)snprintf(value, sizeof value, "v%s", key);
    OK(txn_put(t, "s", OWNER, str_c(key), str_c(value)));
}

static void check_scans(struct fixture *f, struct txn *t)
{
#define SCAN(want, ...) assert_str(joined(f, t, &(struct scan){__VA_ARGS__}), want)
    SCAN("a aa ab b ba c", .prefix = STR_NONE);
    SCAN("c ba b ab aa a", .reverse = true);
    SCAN("a aa ab", .prefix = STR("a"));
    SCAN("ab aa a", .prefix = STR("a"), .reverse = true);
    SCAN("aa ab", .prefix = STR("a"), .from = STR("aa"));
    SCAN("ab", .prefix = STR("a"), .from = STR("aa"), .after = true);
    SCAN("aa a", .prefix = STR("a"), .from = STR("aa"), .reverse = true);
    SCAN("a", .prefix = STR("a"), .from = STR("aa"), .reverse = true, .after = true);
    SCAN("aa a", .prefix = STR("a"), .from = STR("aaz"), .reverse = true);
    SCAN("ab", .prefix = STR("a"), .from = STR("aaz"));
    SCAN("", .prefix = STR("a"), .from = STR("b"));
    SCAN("ab aa a", .prefix = STR("a"), .from = STR("b"), .reverse = true);
    SCAN("b ba", .prefix = STR("b"), .from = STR("a"));
    SCAN("", .prefix = STR("b"), .from = STR("a"), .reverse = true);
    SCAN("b ba c", .from = STR("ac"), .keys_only = true);
    SCAN("", .prefix = STR("zz"));
    SCAN("", .prefix = STR("zz"), .reverse = true);
    SCAN("", .prefix = STR("c"), .from = STR("c"), .after = true);
    SCAN("", .from = STR("a"), .reverse = true, .after = true);
    SCAN("c ba b ab aa a", .from = STR("c"), .reverse = true);
#undef SCAN
}

static void test_scans(void **state)
{
    struct fixture *f = *state;
    put(f, "r", "z", "other table");
    put(f, "t", "a", "other table");
    struct txn *t = begin(f, TXN_WRITE);
    put_v(t, "b");
    put_v(t, "aa");
    put_v(t, "gone");
    put_v(t, "ba");
    OK(txn_commit(&t));
    struct txn *old = begin(f, TXN_READ);
    t = begin(f, TXN_WRITE); /* the rest comes from its own writes */
    put_v(t, "a");
    put_v(t, "ab");
    put_v(t, "c");
    put_v(t, "aa");
    OK(txn_del(t, "s", STR("gone")));
    check_scans(f, t);
    OK(txn_commit(&t));
    assert_str(joined(f, old, &(struct scan){0}), "aa b ba gone");
    txn_abort(&old);
    t = begin(f, TXN_READ);
    check_scans(f, t);
    txn_abort(&t);
}

static void test_prefix_of_ff(void **state)
{
    struct fixture *f = *state;
    struct txn *t = begin(f, TXN_WRITE);
    put_v(t, "\xff");
    put_v(t, "\xff\xff");
    put_v(t, "\xff\xff\x01");
    put_v(t, "\xfe");
    assert_str(joined(f, t, &(struct scan){.prefix = STR("\xff\xff")}), "\xff\xff \xff\xff\x01");
    assert_str(joined(f, t, &(struct scan){.prefix = STR("\xff"), .reverse = true}),
               "\xff\xff\x01 \xff\xff \xff");
    txn_abort(&t);
}

/* A loop that deletes what it walks over, and puts behind and before its place. */
static void test_writing_while_scanning(void **state)
{
    struct fixture *f = *state;
    for (int reverse = 0; reverse < 2; reverse++) {
        struct txn *t = begin(f, TXN_WRITE);
        put_v(t, "d");
        put_v(t, "f");
        OK(txn_commit(&t));
        t = begin(f, TXN_WRITE);
        put_v(t, "b");
        put_v(t, "h");
        struct cursor *c;
        OK(txn_scan(t, "s", &(struct scan){.reverse = reverse != 0}, &c));
        struct buf seen CLEANUP(buf_clear) = BUF_INIT(64);
        bool more;
        struct str key, value;
        for (;;) {
            OK(cursor_next(c, &more, &key, &value));
            if (!more)
                break;
            buf_str(&seen, key);
            OK(txn_del(t, "s", key));
            if (str_is(key, "d"))
                put_v(t, "e"); /* ahead, or behind in reverse */
            assert_true(key.n == 1 && value.n == 2 && value.p[1] == key.p[0]); /* still views */
        }
        cursor_free(c);
        buf_char(&seen, '\0');
        assert_string_equal(seen.p, reverse ? "hfdb" : "bdefh");
        assert_str(joined(f, t, &(struct scan){0}), reverse ? "e" : "");
        OK(txn_commit(&t));
        t = begin(f, TXN_WRITE);
        OK(txn_del(t, "s", STR("e")));
        OK(txn_commit(&t));
    }
}

static uint64_t seed = 88172645463325252u;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % n;
}

/* Random writes and scans against a plain table of what must be there. */
static void test_against_a_model(void **state)
{
    struct fixture *f = *state;
    enum { KEYS = 60 };
    int model[KEYS] = {0};
    for (int round = 0; round < 60; round++) {
        struct txn *t = begin(f, TXN_WRITE);
        int next[KEYS];
        memcpy(next, model, sizeof next);
        for (int i = 0; i < 12; i++) {
            uint32_t k = below(KEYS);
            char key[8], value[16];
            (void)snprintf(key, sizeof key, "%02u", k);
            next[k] = below(3) == 0 ? 0 : (int)below(1000) + 1;
            (void)snprintf(value, sizeof value, "%d", next[k]);
            if (next[k] == 0)
                OK(txn_del(t, "m", str_c(key)));
            else
                OK(txn_put(t, "m", below(2) ? OWNER : OTHER, str_c(key), str_c(value)));
        }
        bool reverse = below(2) != 0;
        uint32_t from = below(KEYS);
        char from_key[8];
        (void)snprintf(from_key, sizeof from_key, "%02u", from);
        struct cursor *c;
        OK(txn_scan(t, "m", &(struct scan){.from = str_c(from_key), .reverse = reverse}, &c));
        int i = (int)from;
        for (;;) {
            bool more;
            struct str key, value;
            OK(cursor_next(c, &more, &key, &value));
            while (i >= 0 && i < KEYS && next[i] == 0)
                i += reverse ? -1 : 1;
            assert_int_equal(more, i >= 0 && i < KEYS);
            if (!more)
                break;
            int64_t k = 0, v = 0;
            assert_true(str_to_i64(key, 0, KEYS, &k) && str_to_i64(value, 0, 1000, &v));
            assert_int_equal(k, i);
            assert_int_equal(v, next[i]);
            i += reverse ? -1 : 1;
        }
        cursor_free(c);
        if (below(4) == 0) {
            txn_abort(&t);
        } else {
            OK(txn_commit(&t));
            memcpy(model, next, sizeof next);
        }
    }
}

static bool next(struct cursor *c, struct str *value)
{
    bool more;
    struct str key;
    OK(cursor_next(c, &more, &key, value));
    return more;
}

/* -- threads ----------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 40 };

struct counting {
    struct fixture *f;
    _Atomic int conflicts;
};

static void *count_up(void *arg)
{
    struct counting *c = arg;
    struct arena *a = arena_new(1 << 20);
    for (int i = 0; i < ROUNDS;) {
        struct txn *t = begin(c->f, TXN_WRITE);
        struct str v = STR_NONE;
        OK(txn_get(t, "t", STR("counter"), a, &v));
        int64_t n = 0;
        if (v.p != NULL)
            assert_true(str_to_i64(v, 0, 1 << 30, &n));
        OK(txn_put(t, "t", OWNER, STR("counter"), arena_fmt(a, "%d", (int)n + 1)));
        struct err *e = txn_commit(&t);
        if (e == NULL) {
            i++;
        } else {
            assert_kind(e, ERR_CONFLICT);
            atomic_fetch_add(&c->conflicts, 1);
        }
        arena_reset(a);
    }
    arena_free(a);
    return NULL;
}

static void test_no_lost_update(void **state)
{
    struct counting c = {.f = *state};
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, count_up, &c), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    char want[16];
    (void)snprintf(want, sizeof want, "%d", THREADS * ROUNDS);
    assert_str(get(c.f, "t", "counter"), want);
}

static _Atomic int threads_begun;

/* Many threads are the first to write for the same owners. */
static void *first_writes(void *arg)
{
    struct fixture *f = arg;
    struct arena *a = arena_new(1 << 20);
    int mine = threads_begun++;
    for (int i = 0; i < 10; i++) {
        struct txn *t = begin(f, TXN_WRITE);
        struct str owner = arena_fmt(a, "123456789012/new/%d", i);
        struct str key = arena_fmt(a, "%d/%d", i, mine);
        OK(txn_put(t, "race", owner, key, owner));
        OK(txn_commit(&t));
    }
    arena_free(a);
    return NULL;
}

static void test_owners_made_at_once(void **state)
{
    struct fixture *f = *state;
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, first_writes, f), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    struct txn *t = begin(f, TXN_READ);
    struct cursor *c;
    OK(txn_scan(t, "race", &(struct scan){0}, &c));
    int n = 0;
    for (struct str value; next(c, &value); n++)
        assert_true(str_starts_c(value, "123456789012/new/"));
    assert_int_equal(n, THREADS * 10);
    cursor_free(c);
    txn_abort(&t);
}

/* -- hooks, owners, secrets -------------------------------------------------------------------- */

static char order[8], hook_names[] = "123xy";

static void note(void *arg)
{
    order[strlen(order)] = *(char *)arg;
}

static void test_hooks(void **state)
{
    struct fixture *f = *state;
    memset(order, 0, sizeof order);
    struct txn *t = begin(f, TXN_WRITE);
    txn_on_commit(t, note, &hook_names[0]);
    txn_on_commit(t, note, &hook_names[1]);
    txn_on_commit(t, note, &hook_names[2]);
    OK(txn_put(t, "t", OWNER, STR("k"), STR("v")));
    assert_string_equal(order, "");
    OK(txn_commit(&t));
    assert_string_equal(order, "123");
    t = begin(f, TXN_WRITE);
    txn_on_commit(t, note, &hook_names[3]);
    (void)get_in(f, t, "t", "k");
    put(f, "t", "k", "changed");
    OK(txn_put(t, "t", OWNER, STR("k"), STR("v")));
    assert_kind(txn_commit(&t), ERR_CONFLICT);
    t = begin(f, TXN_WRITE);
    txn_on_commit(t, note, &hook_names[4]);
    txn_abort(&t);
    assert_string_equal(order, "123");
}

static void test_destroyed_owner(void **state)
{
    struct fixture *f = *state;
    struct txn *t = begin(f, TXN_WRITE), *old;
    OK(txn_put(t, "t", OWNER, STR("hers"), STR("v")));
    OK(txn_put(t, "t", OTHER, STR("his"), STR("v")));
    OK(txn_commit(&t));
    old = begin(f, TXN_READ);
    (void)get_in(f, old, "t", "hers"); /* it holds the key now */
    struct txn *late = begin(f, TXN_WRITE);
    OK(txn_put(late, "t", OWNER, STR("late"), STR("v")));

    OK(store_owner_destroy(f->store, OWNER));
    struct str v;
    assert_kind(txn_get(old, "t", STR("hers"), f->arena, &v), ERR_CORRUPT);
    assert_str(get_in(f, old, "t", "his"), "v");
    txn_abort(&old);
    assert_kind(txn_commit(&late), ERR_CONFLICT); /* or nobody could read it */
    OK(store_owner_destroy(f->store, OWNER));     /* again: fine */

    t = begin(f, TXN_READ);
    assert_kind(txn_get(t, "t", STR("hers"), f->arena, &v), ERR_CORRUPT);
    struct cursor *c;
    bool more;
    struct str key;
    OK(txn_scan(t, "t", &(struct scan){.prefix = STR("h")}, &c));
    assert_kind(cursor_next(c, &more, &key, &v), ERR_CORRUPT);
    cursor_free(c);
    OK(txn_scan(t, "t", &(struct scan){.prefix = STR("h"), .keys_only = true}, &c));
    OK(cursor_next(c, &more, &key, &v));
    assert_str(key, "hers");
    cursor_free(c);
    txn_abort(&t);

    put(f, "t", "hers", "anew"); /* the owner may come again, under another key */
    assert_str(get(f, "t", "hers"), "anew");
    assert_kind(store_owner_destroy(f->store, STR("nobody")), ERR_INVALID);
}

struct destroying {
    struct fixture *f;
    _Atomic unsigned epoch; /* odd while a destruction is under way */
    _Atomic bool stop;
    _Atomic int written, read_back;
};

/* What is committed wholly between two destructions must be readable. */
static void *write_and_read(void *arg)
{
    struct destroying *d = arg;
    struct arena *a = arena_new(1 << 20);
    int mine = threads_begun++;
    for (unsigned n = 0; !d->stop; n++, arena_reset(a)) {
        unsigned before = d->epoch;
        struct str key = arena_fmt(a, "%d/%u", mine, n), v = STR_NONE;
        struct txn *t = begin(d->f, TXN_WRITE);
        struct err *e = txn_put(t, "t", OWNER, key, STR("v"));
        if (e == NULL)
            e = txn_commit(&t);
        txn_abort(&t);
        if (e != NULL) {
            assert_kind(e, ERR_CONFLICT);
            continue;
        }
        d->written++;
        t = begin(d->f, TXN_READ);
        e = txn_get(t, "t", key, a, &v);
        txn_abort(&t);
        if (e != NULL && (before % 2 == 1 || d->epoch != before))
            assert_kind(e, ERR_CORRUPT);
        else
            OK(e);
        d->read_back += e == NULL;
    }
    arena_free(a);
    return NULL;
}

static void test_destroying_while_writing(void **state)
{
    struct destroying d = {.f = *state};
    pthread_t ids[4];
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_int_equal(pthread_create(&ids[i], NULL, write_and_read, &d), 0);
    for (int i = 0; i < 30; i++) {
        int seen = d.read_back;
        while (d.read_back < seen + 20)
            sched_yield();
        d.epoch++;
        OK(store_owner_destroy(d.f->store, OWNER));
        d.epoch++;
    }
    d.stop = true;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        pthread_join(ids[i], NULL);
    assert_true(d.written >= 600);
}

static void test_secrets(void **state)
{
    struct fixture *f = *state;
    struct secret *a, *b, *none = NULL;
    OK(store_secret_get(f->store, "token", &none));
    assert_null(none);
    OK(store_secret(f->store, "token", 32, &a));
    OK(store_secret(f->store, "token", 32, &b));
    assert_int_equal(secret_size(a), 32);
    assert_memory_equal(secret_bytes(a), secret_bytes(b), 32);
    secret_free_ptr(&b);
    OK(store_secret(f->store, "other", 32, &b));
    assert_memory_not_equal(secret_bytes(a), secret_bytes(b), 32);
    assert_kind(store_secret(f->store, "token", 16, &none), ERR_CORRUPT);
    OK(store_secret_put(f->store, "token", b));
    secret_free_ptr(&a);
    OK(store_secret_get(f->store, "token", &a));
    assert_memory_equal(secret_bytes(a), secret_bytes(b), 32);
    secret_free(a);
    secret_free(b);
}

static void test_sealing(void **state)
{
    struct fixture *f = *state;
    struct str sealed, plain;
    OK(store_seal(f->store, f->arena, OWNER, STR("context"), STR("blob key"), &sealed));
    assert_true(str_find(sealed, STR("blob key")) < 0);
    OK(store_unseal(f->store, f->arena, STR("context"), sealed, &plain));
    assert_str(plain, "blob key");
    assert_kind(store_unseal(f->store, f->arena, STR("contexu"), sealed, &plain), ERR_CORRUPT);
    assert_kind(store_unseal(f->store, f->arena, STR("context"), str_take(sealed, 30), &plain),
                ERR_CORRUPT);
    assert_kind(store_unseal(f->store, f->arena, STR("context"), STR_NONE, &plain), ERR_CORRUPT);
    OK(store_owner_destroy(f->store, OWNER));
    assert_kind(store_unseal(f->store, f->arena, STR("context"), sealed, &plain), ERR_CORRUPT);
}

/* More owners than the cache holds keys. */
static void test_many_owners(void **state)
{
    struct fixture *f = *state;
    enum { OWNERS = 5000, BATCH = 500 };
    if (f->on_disk) /* each makes a key with a commit of its own; the engine is not in question */
        skip();
    for (int i = 0; i < OWNERS; i += BATCH) {
        struct txn *t = begin(f, TXN_WRITE);
        for (int j = i; j < i + BATCH; j++)
            OK(txn_put(t, "t", arena_fmt(f->arena, "123456789012/q/%d", j),
                       arena_fmt(f->arena, "%04d", j), arena_fmt(f->arena, "%d", j)));
        OK(txn_commit(&t));
    }
    struct txn *t = begin(f, TXN_READ);
    struct cursor *c;
    OK(txn_scan(t, "t", &(struct scan){0}, &c));
    int n = 0;
    for (struct str value; next(c, &value); n++) {
        int64_t v = 0;
        assert_true(str_to_i64(value, 0, OWNERS, &v) && v == n);
    }
    assert_int_equal(n, OWNERS);
    cursor_free(c);
    txn_abort(&t);
}

#define BOTH(test)                                                                                 \
    {#test " (memory)", test, set_up_memory, tear_down, NULL},                                     \
    {                                                                                              \
        #test " (disk)", test, set_up_disk, tear_down, NULL                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_rows),
        BOTH(test_limits),
        BOTH(test_snapshots),
        BOTH(test_conflicts),
        BOTH(test_what_does_not_conflict),
        BOTH(test_scans),
        BOTH(test_prefix_of_ff),
        BOTH(test_writing_while_scanning),
        BOTH(test_against_a_model),
        BOTH(test_no_lost_update),
        BOTH(test_owners_made_at_once),
        BOTH(test_hooks),
        BOTH(test_destroyed_owner),
        BOTH(test_destroying_while_writing),
        BOTH(test_secrets),
        BOTH(test_sealing),
        BOTH(test_many_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
